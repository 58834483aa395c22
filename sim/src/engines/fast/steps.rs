//! What a client does in a step: it looks, writes with the client library, and asks until it knows what became of it.
//!
//! A client never gives up an entry it has signed.

use std::rc::Rc;
use std::time::Duration;

use grove_client::api::{DocumentRef, NodeRefusal};
use grove_client::session::SessionError;
use grove_core::types::{DocumentId, DocumentViewId, OperationId, Schema, SystemSchema, Value};
use grove_core::wire::Fields;
use grove_core::{Phase, Reason};

use super::line::{Ask, Reply, Work, Writer};
use crate::notes::{FIELDS, blank, changed, note_schema, text_fields};
use crate::plan::StepAction;

/// How often a client looks for a document or schema before it drops the step, and how long it waits between.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(500);

/// What came of a step, or of one of its writers.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub ended: Ended,
    pub retried: u64,
    /// The schema or the document that was made.
    pub schema: Option<Schema>,
    pub document: Option<DocumentId>,
}

#[derive(Clone, Debug)]
pub(super) enum Ended {
    Published(OperationId),
    /// The node said no for a reason the workload expects.
    Refused(Reason),
    /// Its document or schema never reached the client's node, or was deleted before.
    Skipped,
    /// A view is remembered.
    Pinned,
    /// The node said no, and should not have.
    Failed(Option<Reason>, String),
}

impl Outcome {
    fn of(ended: Ended) -> Self {
        Self {
            ended,
            retried: 0,
            schema: None,
            document: None,
        }
    }
}

/// What a client does in a step, as a task.
pub(super) fn work(action: StepAction) -> Work<Outcome> {
    Rc::new(move |writer| {
        let action = action.clone();
        Box::pin(async move {
            let mut step = Step { writer, retried: 0 };
            let mut outcome = step.perform(&action).await;
            outcome.retried = step.retried;
            (step.writer, outcome)
        })
    })
}

/// A step that is being carried out.
struct Step {
    writer: Writer,
    retried: u64,
}

/// What is published, kept until its fate is known.
#[derive(Clone)]
enum Write {
    Create(Schema, Fields<Value>),
    Update(Schema, DocumentRef, Fields<Value>),
    Delete(Schema, DocumentRef),
}

impl Step {
    async fn perform(&mut self, action: &StepAction) -> Outcome {
        let (document, change) = match action {
            StepAction::Schema {} => return self.publish_schema().await,
            StepAction::Create { document } => return self.create(*document).await,
            StepAction::Update { document, change } => (*document, Some(change)),
            StepAction::Delete { document } => (*document, None),
            StepAction::Pin { document } => return self.pin(*document).await,
            StepAction::Together { .. } => {
                unreachable!("each of its writers has a step of its own")
            }
        };
        let Some((schema, seen)) = self.find(document).await else {
            return Outcome::of(Ended::Skipped);
        };
        let write = match change {
            Some(change) => Write::Update(schema, seen, changed(change)),
            None => Write::Delete(schema, seen),
        };
        Outcome::of(ended(self.write(&write).await))
    }

    /// Publishes the workload's schema.
    async fn publish_schema(&mut self) -> Outcome {
        let mut views = Vec::new();
        for (name, kind) in FIELDS {
            let fields = text_fields([("name", name), ("type", kind)]);
            let schema = Schema::system(SystemSchema::SchemaFieldDefinition);
            match self.write(&Write::Create(schema, fields)).await {
                Ok(id) => views.push(DocumentViewId::from(id)),
                failed => return Outcome::of(ended(failed)),
            }
        }
        let mut fields = text_fields([("name", "note"), ("description", "what clients edit")]);
        fields.insert("fields".to_owned(), Value::PinnedRelationList(views));
        let schema = Schema::system(SystemSchema::SchemaDefinition);
        let definition = self.write(&Write::Create(schema, fields)).await;
        Outcome {
            schema: definition.as_ref().ok().map(|id| note_schema(*id)),
            ..Outcome::of(ended(definition))
        }
    }

    async fn create(&mut self, document: usize) -> Outcome {
        let Some(schema) = self.schema().await else {
            return Outcome::of(Ended::Skipped);
        };
        let created = self.write(&Write::Create(schema, blank(document))).await;
        Outcome {
            document: created.as_ref().ok().map(|id| (*id).into()),
            ..Outcome::of(ended(created))
        }
    }

    async fn pin(&mut self, document: usize) -> Outcome {
        let found = self.find(document).await;
        let Some((_, seen)) = found else {
            return Outcome::of(Ended::Skipped);
        };
        let ask = Ask::Pin(seen.document_id);
        let _ = self.writer.api().ask(ask).await;
        Outcome::of(Ended::Pinned)
    }

    /// The schema, once the client's node serves it.
    async fn schema(&self) -> Option<Schema> {
        let api = self.writer.api();
        for _ in 0..LOOKS {
            match api.ask(Ask::Schema).await {
                Reply::Schema(Some(schema), is_late) => match api.ask(Ask::Serves).await {
                    Reply::Serves(true) => return Some(schema),
                    Reply::Serves(false) if is_late => return None,
                    _ => {}
                },
                Reply::Schema(None, true) => return None,
                _ => {}
            }
            api.ask(Ask::Pause(LOOK)).await;
        }
        None
    }

    /// A document as the client's node shows it, once it does; waits for none that was deleted.
    async fn find(&self, document: usize) -> Option<(Schema, DocumentRef)> {
        let schema = self.schema().await?;
        let api = self.writer.api();
        for _ in 0..LOOKS {
            match api.ask(Ask::Document(document)).await {
                Reply::Document(Some(id), is_gone) => match api.ask(Ask::Find(id)).await {
                    Reply::Found(Some(view_id)) => {
                        let document_id = id;
                        let seen = DocumentRef {
                            document_id,
                            view_id,
                        };
                        return Some((schema, seen));
                    }
                    Reply::Found(None) if is_gone => return None,
                    _ => {}
                },
                Reply::Document(None, true) => return None,
                _ => {}
            }
            api.ask(Ask::Pause(LOOK)).await;
        }
        None
    }

    /// Publishes until the node says yes or no.
    async fn write(&mut self, write: &Write) -> Result<OperationId, SessionError> {
        loop {
            // An entry that was signed is sent again as it is; until then the whole write is tried.
            let pending = self.writer.pending();
            let answer = match pending {
                Some(pending) => self.writer.settle().await.map(|_| pending),
                None => self.try_write(write).await,
            };
            match answer {
                Err(SessionError::Unanswered(_)) => {}
                // It never arrived, and now another has its place: what is written is signed anew.
                Err(SessionError::Refused(refusal))
                    if pending.is_some() && is_misplaced(&refusal) => {}
                answer => return answer,
            }
            self.retried += 1;
            self.writer.api().ask(Ask::Pause(LOOK)).await;
        }
    }

    async fn try_write(&mut self, write: &Write) -> Result<OperationId, SessionError> {
        let last_of = |document: DocumentRef| document.view_id.ids()[0];
        match write.clone() {
            Write::Create(schema, fields) => self.writer.create(&schema, fields).await.map(last_of),
            Write::Update(schema, seen, fields) => {
                let updated = self.writer.update(&schema, &seen, fields).await;
                updated.map(last_of)
            }
            Write::Delete(schema, seen) => self.writer.delete(&schema, &seen).await,
        }
    }
}

/// Whether an entry that was sent before is refused for its place, so that the operation is signed anew.
fn is_misplaced(refusal: &NodeRefusal) -> bool {
    let phase = refusal.reason().map(Reason::phase);
    refusal.is_would_fork() || matches!(phase, Some(Phase::Links | Phase::Log))
}

/// Sorts what may happen to a write in a network that loses power and disks from what may not.
fn ended(answer: Result<OperationId, SessionError>) -> Ended {
    match answer {
        Ok(id) => Ended::Published(id),
        // Somebody else deleted the document between our look and our write.
        Err(SessionError::Refused(refusal))
            if refusal.reason() == Some(Reason::DocumentDeleted) =>
        {
            Ended::Refused(Reason::DocumentDeleted)
        }
        Err(error) => {
            let reason = match &error {
                SessionError::Refused(refusal) => refusal.reason(),
                _ => None,
            };
            Ended::Failed(reason, error.to_string())
        }
    }
}
