//! The clients of a simulation: each carries out its steps of the plan, one reads everything back.
//!
//! Decides when a client waits, asks again or gives up a step. Signing, retrying and remembering logs is
//! the client library's work, as in any application. A client never gives up an entry it has signed: it
//! asks again until it knows what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use grove_client::graphql::{DocumentView, Lookup};
use grove_client::session::{Retry, Session, SessionError};
use grove_client::{ApiError, DocumentRef, GraphqlClient};
use grove_core::Reason;
use grove_core::types::{OperationId, Schema, SystemSchema, Value};
use grove_core::wire::Fields;
use tokio::time::{Instant, sleep, sleep_until};

use super::door::{Door, SimTransport};
use super::memories::Memories;
use super::shared::SharedState;
use crate::evidence::Shown;
use crate::hosts::{client_key, client_name, node_name};
use crate::notes::{FIELDS, blank, changed, note_schema, text_fields};
use crate::plan::{Change, Plan, StepAction};
use crate::trace::{Event, Trace};

/// How long a client waits for a document or schema to reach its node, before it drops the step.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(500);
/// Documents asked for at once when everything is read back; small, so that paging is at work too.
const PAGE_SIZE: u32 = 4;

/// One simulated client.
#[derive(Clone)]
struct Client {
    number: usize,
    name: String,
    session: Session<Door>,
    reader: GraphqlClient<SimTransport>,
    shared: SharedState,
    memories: Memories,
    trace: Trace,
}

/// How a step ended.
enum Ended {
    Published(OperationId),
    /// The node said no for a reason the workload expects.
    Refused(Reason),
    /// Its document or schema never reached the client's node, or was deleted before.
    Skipped,
}

/// Carries out the steps of client `number`.
pub(crate) async fn work(
    number: usize,
    plan: Plan,
    (shared, memories, trace): (SharedState, Memories, Trace),
) -> turmoil::Result {
    let started = Instant::now();
    let mut client = Client::new(number, &plan, (shared.clone(), memories, trace.clone()));
    for (step, planned) in plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.client == number)
    {
        sleep_until(started + Duration::from_millis(planned.at_ms)).await;
        client.make_and_take_copies(&plan, planned.at_ms);
        let mut operation = None;
        let outcome = match client.perform(step, &planned.action).await {
            Ok(Ended::Published(id)) => {
                operation = Some(id.to_string());
                "published".to_owned()
            }
            Ok(Ended::Refused(reason)) => {
                shared.count(|counts| counts.refused += 1);
                format!("refused: {}", reason.code())
            }
            Ok(Ended::Skipped) => {
                shared.count(|counts| counts.skipped += 1);
                "skipped".to_owned()
            }
            Err(error) => {
                let difference = format!("{}, step {step}: {error}", client.name);
                shared.violate("clients_are_served", difference);
                format!("failed: {error}")
            }
        };
        let document = planned.action.document();
        let document = document.and_then(|document| shared.document(document));
        trace.record(
            &client.name,
            Event::Step {
                step,
                outcome,
                operation,
                document: document.map(|id| id.to_string()),
            },
        );
        client.memories.set(number, client.session.clone());
    }
    shared.client_done();
    Ok(())
}

impl Client {
    fn new(
        number: usize,
        plan: &Plan,
        (shared, memories, trace): (SharedState, Memories, Trace),
    ) -> Self {
        let name = client_name(number);
        let transport =
            SimTransport::new(name.clone(), node_name(plan.home(number)), trace.clone());
        let door = Door::new(number, plan.home(number), transport.clone(), shared.clone());
        // One call at a time: this workload notes every retry in the trace.
        let retry = Retry {
            attempts_max: 1,
            ..Retry::default()
        };
        let session = Session::new(client_key(plan.seed, number), door).with_retry(retry);
        let reader = GraphqlClient::new(transport);
        Self {
            number,
            name,
            session,
            reader,
            shared,
            memories,
            trace,
        }
    }

    /// Leaves copies of itself behind, and goes on from copies, as the plan has it for this moment.
    fn make_and_take_copies(&mut self, plan: &Plan, now_ms: u64) {
        for (nth, copy) in plan.copies.iter().enumerate() {
            if copy.of == self.number && copy.from_ms <= now_ms {
                self.memories.make(nth, &self.session);
            }
            if copy.client == self.number && copy.at_ms <= now_ms && self.memories.take(nth) {
                // Whoever is copied before it has done anything remembers nothing but its key.
                let made = self.memories.copy(nth, copy.of);
                let session = made.unwrap_or_else(|| {
                    let world = (
                        self.shared.clone(),
                        self.memories.clone(),
                        self.trace.clone(),
                    );
                    Self::new(copy.of, plan, world).session
                });
                let node = node_name(copy.node);
                let transport =
                    SimTransport::new(self.name.clone(), node.clone(), self.trace.clone());
                let door = Door::new(
                    self.number,
                    copy.node,
                    transport.clone(),
                    self.shared.clone(),
                );
                self.session = session.over(door);
                self.reader = GraphqlClient::new(transport);
                self.shared.count(|counts| counts.copies += 1);
                let of = client_name(copy.of);
                self.trace.record(&self.name, Event::Copy { of, node });
            }
        }
    }

    async fn perform(&mut self, step: usize, action: &StepAction) -> Result<Ended, SessionError> {
        let (document, change) = match action {
            StepAction::Schema {} => return self.publish_schema(step).await,
            StepAction::Create { document } => return self.create(step, *document).await,
            StepAction::Together { document, changes } => {
                return self.change_together(step, *document, changes).await;
            }
            StepAction::Update { document, change } => (*document, Some(change)),
            StepAction::Delete { document } => (*document, None),
            StepAction::Pin { .. } => unreachable!("refused with the plan"),
        };
        let Some((schema, view)) = self.find(document).await else {
            return Ok(Ended::Skipped);
        };
        let seen = view.to_ref();
        let write = match change {
            Some(change) => Write::Update {
                schema,
                seen,
                fields: changed(change),
            },
            None => Write::Delete { schema, seen },
        };
        let written = self.write(step, &write).await;
        if written.is_ok() && change.is_none() {
            self.shared.set_deleted(document);
        }
        ended(written)
    }

    /// Publishes the workload's schema and tells everybody.
    async fn publish_schema(&mut self, step: usize) -> Result<Ended, SessionError> {
        let mut views = Vec::new();
        for (name, kind) in FIELDS {
            let fields = text_fields([("name", name), ("type", kind)]);
            let schema = Schema::system(SystemSchema::SchemaFieldDefinition);
            views.push(
                self.write(step, &Write::Create { schema, fields })
                    .await?
                    .into(),
            );
        }
        let mut fields = text_fields([("name", "note"), ("description", "what clients edit")]);
        fields.insert("fields".to_owned(), Value::PinnedRelationList(views));
        let schema = Schema::system(SystemSchema::SchemaDefinition);
        let definition = self.write(step, &Write::Create { schema, fields }).await?;
        self.shared.set_schema(note_schema(definition));
        Ok(Ended::Published(definition))
    }

    async fn create(&mut self, step: usize, document: usize) -> Result<Ended, SessionError> {
        let Some(schema) = self.schema().await else {
            return Ok(Ended::Skipped);
        };
        let fields = blank(document);
        let write = Write::Create { schema, fields };
        let created = self.write(step, &write).await;
        if let Ok(id) = created {
            self.shared.set_document(document, id.into());
        }
        ended(created)
    }

    /// Makes several changes at once, each in a session of its own that knows nothing of the others.
    async fn change_together(
        &self,
        step: usize,
        document: usize,
        changes: &[Change],
    ) -> Result<Ended, SessionError> {
        let Some((schema, view)) = self.find(document).await else {
            return Ok(Ended::Skipped);
        };
        let writers = changes.iter().map(|change| {
            let mut writer = self.clone();
            let write = Write::Update {
                schema: schema.clone(),
                seen: view.to_ref(),
                fields: changed(change),
            };
            tokio::task::spawn_local(async move { writer.write(step, &write).await })
        });
        let writers: Vec<_> = writers.collect();
        let mut all = Ended::Skipped;
        for writer in writers {
            all = ended(writer.await.expect("a writer does not panic"))?;
        }
        Ok(all)
    }

    /// Publishes until the node says yes or no.
    async fn write(&mut self, step: usize, write: &Write) -> Result<OperationId, SessionError> {
        loop {
            // An entry that was signed is sent again as it is; until then the whole write is tried.
            let pending = self.session.pending();
            let answer = match pending {
                Some(pending) => self.session.settle().await.map(|_| pending),
                None => self.try_write(write).await,
            };
            let error = match answer {
                Err(SessionError::Unanswered(error)) => error,
                // It never arrived, and now another has its place: what is written is signed anew.
                Err(SessionError::Refused(refusal))
                    if pending.is_some() && refusal.is_would_fork() =>
                {
                    continue;
                }
                answer => return answer,
            };
            self.shared.count(|counts| counts.retried += 1);
            self.trace.record(
                &self.name,
                Event::Retry {
                    step,
                    cause: error.to_string(),
                },
            );
            sleep(LOOK).await;
        }
    }

    async fn try_write(&mut self, write: &Write) -> Result<OperationId, SessionError> {
        let last_of = |document: DocumentRef| document.view_id.ids()[0];
        match write.clone() {
            Write::Create { schema, fields } => {
                self.session.create(&schema, fields).await.map(last_of)
            }
            Write::Update {
                schema,
                seen,
                fields,
            } => self
                .session
                .update(&schema, &seen, fields)
                .await
                .map(last_of),
            Write::Delete { schema, seen } => self.session.delete(&schema, &seen).await,
        }
    }

    /// The schema, once the client's node serves it.
    async fn schema(&self) -> Option<Schema> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(schema) = self.shared.schema()
                && matches!(self.reader.serves(schema.id()).await, Ok(true))
            {
                return Some(schema);
            }
            sleep(LOOK).await;
        }
        None
    }

    /// A document as the client's node shows it, once it does; waits for none that was deleted.
    async fn find(&self, document: usize) -> Option<(Schema, DocumentView)> {
        let schema = self.schema().await?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(id) = self.shared.document(document) {
                match self.reader.document(&schema, &Lookup::Document(id)).await {
                    Ok(Some(view)) => return Some((schema, view)),
                    Ok(None) if self.shared.is_deleted(document) => return None,
                    Err(ApiError::Refused(refusal)) => {
                        let difference = format!("{} may not read {id}: {refusal}", self.name);
                        self.shared.violate("clients_are_served", difference);
                    }
                    // Not there yet, or no answer.
                    _ => {}
                }
            }
            sleep(LOOK).await;
        }
        None
    }
}

/// What is published, kept until its fate is known.
#[derive(Clone)]
enum Write {
    Create {
        schema: Schema,
        fields: Fields<Value>,
    },
    Update {
        schema: Schema,
        seen: DocumentRef,
        fields: Fields<Value>,
    },
    Delete {
        schema: Schema,
        seen: DocumentRef,
    },
}

/// Sorts what may happen to a write in an honest network from what may not.
fn ended(answer: Result<OperationId, SessionError>) -> Result<Ended, SessionError> {
    match answer {
        Ok(id) => Ok(Ended::Published(id)),
        // Somebody else deleted the document between our look and our write.
        Err(SessionError::Refused(refusal))
            if refusal.reason() == Some(Reason::DocumentDeleted) =>
        {
            Ok(Ended::Refused(Reason::DocumentDeleted))
        }
        Err(error) => Err(error),
    }
}

/// Reads every document of the workload's schema from every node.
pub(crate) async fn judge(plan: Plan, shared: SharedState, trace: Trace) -> turmoil::Result {
    let Some(schema) = shared.schema() else {
        // Nothing could be published; then nothing is there to be shown.
        (0..plan.nodes).for_each(|node| shared.set_shown(node, BTreeMap::new()));
        return Ok(());
    };
    for node in 0..plan.nodes {
        let transport = SimTransport::new("judge".to_owned(), node_name(node), trace.clone());
        let reader = GraphqlClient::new(transport);
        let page = loop {
            match reader.collection_from(&schema, PAGE_SIZE, None).await {
                Ok(page) => break page,
                Err(error) => {
                    let cause = error.to_string();
                    trace.record("judge", Event::Retry { step: node, cause });
                    sleep(LOOK).await;
                }
            }
        };
        let shown = page.documents.into_iter().map(|document| {
            let fields = document.fields.into_iter().collect();
            (
                document.document_id,
                Shown {
                    view_id: document.view_id,
                    fields,
                },
            )
        });
        shared.set_shown(node, shown.collect());
    }
    Ok(())
}
