//! Reads what a plan asks for, all of it from one state of the store.
//!
//! Goes down level by level: what all documents of a level lead to by one relation is read at once, each
//! document once, so that the number of statements is that of the query's fields, whatever they find.
//!
//! Everything read is paid for from the request's budget before it is kept. What is shown several times is
//! paid for each time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId, Schema, SchemaId, Value as DocumentValue};
use grove_core::{Reason, Refusal};
use tokio::time::Instant;

use super::arguments::{Arguments, required, text, view_id_argument};
use super::budget::{Budget, VALUE_SIZE};
use super::filter;
use super::list::List;
use super::page::{Below, Page, Shown};
use super::plan::{Ask, Branch, Leads, PagePlan, Plan, Root, Wants};
use crate::api::{self, ApiError, DocumentEvent, Extent, FollowCursor, Proposals, parse};
use crate::engine;
use crate::runtime::Node;
use crate::runtime::events::SchemaEvent;
use crate::store::{DocumentQuery, DocumentRow, Read};

/// What a field of the query led to.
pub(super) enum Loaded {
    Nothing,
    EventCursor(FollowCursor),
    Event(Box<Event>, Option<Shown>),
    NextArgs(NextArgs),
    Document(Option<Shown>),
    Page(Page),
}

/// Something that happened to what is followed.
pub(super) enum Event {
    Document(DocumentEvent),
    Schema(SchemaEvent),
}

/// What a relation points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target<'r> {
    /// A document as it is now.
    Document(DocumentId),
    /// A document as it was at a view.
    View(&'r DocumentViewId),
}

/// Documents that relations led to.
#[derive(Default)]
struct Found {
    current: BTreeMap<DocumentId, Once>,
    at_view: BTreeMap<DocumentViewId, Once>,
    /// Why some were left unread, when the budget did not suffice.
    cut: Option<Reason>,
}

/// A document that was paid for when it was read, for being shown once.
struct Once {
    row: Arc<DocumentRow>,
    is_shown: Cell<bool>,
}

impl Once {
    fn new(row: DocumentRow) -> Self {
        Self {
            row: Arc::new(row),
            is_shown: Cell::new(false),
        }
    }
}

/// Reads for one request.
pub(super) struct Loader<'a> {
    store: &'a dyn Read,
    pub(super) budget: &'a Budget,
    /// Lives for as long as somebody waits for the answer.
    waiting: &'a Weak<()>,
    proposals: &'a Proposals,
    now: Instant,
}

/// Has a loader read, for as long as somebody waits.
pub(super) async fn read<T: Send + 'static>(
    node: &Node,
    budget: Budget,
    question: impl FnOnce(&Loader<'_>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let waiting = Arc::new(());
    let waits = Arc::downgrade(&waiting);
    let (proposals, now) = (node.proposals().clone(), Instant::now());
    let question = move |store: &dyn Read| {
        question(&Loader {
            store,
            budget: &budget,
            waiting: &waits,
            proposals: &proposals,
            now,
        })
    };
    node.read(question).await
}

impl Loader<'_> {
    /// Reads everything, from one state of the store.
    pub(super) fn load(&self, plan: &Plan) -> Result<Vec<Result<Loaded, ApiError>>, ApiError> {
        api::at_once(self.store, || {
            let roots = plan.roots.iter();
            Ok(roots.map(|root| self.root(root)).collect())
        })
    }

    /// Reads what is wanted beside the document of an event, from one state of the store.
    pub(super) fn load_event(
        &self,
        branches: &[Branch],
        row: DocumentRow,
    ) -> Result<Shown, ApiError> {
        self.budget.spend_on(&row)?;
        let mut shown = Shown::new(Arc::new(row), None);
        if !branches.is_empty() {
            api::at_once(self.store, || self.follow(branches, &mut [&mut shown]))?;
        }
        Ok(shown)
    }

    fn root(&self, root: &Root) -> Result<Loaded, ApiError> {
        self.go_on()?;
        match &root.ask {
            // What is described is told by the library, and the others are no queries.
            Ask::TypeName | Ask::Description | Ask::Publish { .. } | Ask::Event { .. } => {
                Ok(Loaded::Nothing)
            }
            Ask::EventCursor => {
                let cursor = FollowCursor::at(self.store.position()?);
                Ok(Loaded::EventCursor(cursor))
            }
            Ask::NextArgs { arguments, .. } => {
                let public_key = parse("publicKey", &required(arguments, "publicKey")?)?;
                let view_id = view_id_argument(arguments)?;
                let proposals = self.proposals;
                let args =
                    proposals.next_args(self.store, self.now, public_key, view_id.as_ref())?;
                Ok(Loaded::NextArgs(args))
            }
            Ask::Document {
                schema,
                arguments,
                branches,
                ..
            } => {
                let row = self.document(schema.id(), arguments)?;
                let mut shown = row.map(|row| Shown::new(Arc::new(row), None));
                self.follow(branches, &mut shown.iter_mut().collect::<Vec<_>>())?;
                Ok(Loaded::Document(shown))
            }
            Ask::Collection {
                schema,
                arguments,
                page,
            } => {
                let mut found = self.collection(schema, arguments, page)?;
                let mut parents: Vec<_> = found.documents.iter_mut().collect();
                self.follow(&page.branches, &mut parents)?;
                Ok(Loaded::Page(found))
            }
        }
    }

    /// Gives up once nobody waits for the answer.
    fn go_on(&self) -> Result<(), ApiError> {
        match self.waiting.strong_count() {
            0 => Err(ApiError::Busy),
            _ => Ok(()),
        }
    }

    /// `<schema_id>`
    fn document(
        &self,
        schema_id: &SchemaId,
        arguments: &Arguments,
    ) -> Result<Option<DocumentRow>, ApiError> {
        let row = match (text(arguments, "id")?, view_id_argument(arguments)?) {
            (Some(id), None) => api::document_by_id(self.store, schema_id, parse("id", &id)?)?,
            (None, Some(view_id)) => api::document_at_view(self.store, schema_id, &view_id)?,
            (None, None) => {
                let text = "id or viewId must be given";
                return Err(ApiError::invalid("id", Reason::ArgumentMissing, text));
            }
            (Some(_), Some(_)) => {
                let text = "only one of id and viewId can be given";
                return Err(ApiError::invalid("id", Reason::ArgumentInvalid, text));
            }
        };
        row.as_ref()
            .map_or(Ok(()), |row| self.budget.spend_on(row))?;
        Ok(row)
    }

    /// `all_<schema_id>`
    fn collection(
        &self,
        schema: &Schema,
        arguments: &Arguments,
        page: &PagePlan,
    ) -> Result<Page, ApiError> {
        let wants = page.wants;
        let (mut query, _) = filter::read(schema, arguments)?;
        query.outline = !page.wants_bytes(schema, arguments);
        let everywhere = query.clone();
        let extent = filter::read_page(schema, &mut query, arguments)?;
        self.budget.spend(self.budget.document_size)?;
        let (documents, is_more) = self.rows(schema.id(), &mut query, extent, wants)?;

        let edge = match extent {
            Extent::First(_) => documents.first(),
            Extent::Last(_) => documents.last(),
        };
        let asks_beyond = match extent {
            Extent::First(_) => wants.previous_page,
            Extent::Last(_) => wants.next_page,
        };
        let edge = edge.map(|shown| &*shown.row);
        let is_beyond = asks_beyond && api::beyond(self.store, schema.id(), &query, extent, edge)?;
        let (has_previous_page, has_next_page) = match extent {
            Extent::First(_) => (is_beyond, is_more),
            Extent::Last(_) => (is_more, is_beyond),
        };
        let total_count = match wants.total_count {
            true => api::total_count(self.store, schema.id(), &everywhere)?,
            false => 0,
        };
        Ok(Page {
            total_count,
            has_next_page,
            has_previous_page,
            documents,
        })
    }

    /// The documents of a page, and whether there are more. Each is paid for as it comes, and what can't
    /// be paid for any more is not read.
    fn rows(
        &self,
        schema_id: &SchemaId,
        query: &mut DocumentQuery,
        extent: Extent,
        wants: Wants,
    ) -> Result<(Vec<Shown>, bool), ApiError> {
        let count = extent.count().min(self.budget.documents_max());
        query.limit = u32::try_from(count + 1).unwrap_or(u32::MAX);
        query.from_end = extent.is_last();
        let (mut documents, mut is_more, mut lack) = (Vec::new(), false, None);
        let order = query.order.clone();
        self.store.visit(schema_id, query, &mut |row| {
            if documents.len() as u64 == extent.count() {
                is_more = true;
                return false;
            }
            if let Err(error) = self.budget.spend_on(&row) {
                lack = Some(error);
                return false;
            }
            let cursor = wants
                .cursors
                .then(|| api::to_cursor(&order, &order.place(&row)));
            documents.push(Shown::new(Arc::new(row), cursor));
            true
        })?;
        if extent.is_last() {
            documents.reverse();
        }
        match lack {
            Some(error) => Err(error),
            None => Ok((documents, is_more)),
        }
    }

    /// Follows relations from all these documents, and what they lead to further on.
    fn follow(&self, branches: &[Branch], parents: &mut [&mut Shown]) -> Result<(), ApiError> {
        if parents.is_empty() {
            return Ok(());
        }
        for branch in branches {
            self.go_on()?;
            let rows: Vec<_> = parents.iter().map(|shown| Arc::clone(&shown.row)).collect();
            let targets: Vec<_> = rows.iter().map(|row| targets(row, &branch.name)).collect();
            let all = targets.iter().flatten().flatten().copied().collect();
            let found = self.find(branch, &all)?;
            let mut below: Vec<Below> = rows
                .iter()
                .zip(&targets)
                .map(|(row, targets)| self.below(branch, row, targets.as_deref(), &found))
                .collect();
            let mut children: Vec<&mut Shown> =
                below.iter_mut().flat_map(Below::documents).collect();
            self.follow(branch.branches(), &mut children)?;
            for (parent, below) in parents.iter_mut().zip(below) {
                parent.below.push(below);
            }
        }
        Ok(())
    }

    /// Reads the documents of a schema that relations point at, each once.
    fn find(&self, branch: &Branch, targets: &BTreeSet<Target<'_>>) -> Result<Found, ApiError> {
        let (schema_id, outline) = (branch.schema.id(), !branch.wants_bytes());
        let (mut ids, mut view_ids) = (Vec::new(), BTreeSet::new());
        for target in targets {
            match target {
                Target::Document(id) => ids.push(*id),
                Target::View(view_id) => {
                    view_ids.insert(*view_id);
                }
            }
        }
        let mut found = Found::default();
        if !ids.is_empty() {
            self.store
                .visit_these(schema_id, &ids, outline, &mut |row| {
                    if let Err(error) = self.budget.spend_on(&row) {
                        found.cut = Some(error.reason());
                        return false;
                    }
                    found.current.insert(row.id, Once::new(row));
                    true
                })?;
        }
        if !view_ids.is_empty() && found.cut.is_none() {
            let mut take = |view_id: &DocumentViewId, row: DocumentRow| {
                if let Err(error) = self.budget.spend_on(&row) {
                    found.cut = Some(error.reason());
                    return false;
                }
                found.at_view.insert(view_id.clone(), Once::new(row));
                true
            };
            engine::documents_at_views(self.store, schema_id, &view_ids, outline, &mut take)?;
        }
        Ok(found)
    }

    /// What a relation of one document led to.
    fn below(
        &self,
        branch: &Branch,
        parent: &DocumentRow,
        targets: Option<&[Target<'_>]>,
        found: &Found,
    ) -> Below {
        let Some(targets) = targets else {
            return Below::Nothing;
        };
        let below = match &branch.leads {
            Leads::One { .. } => self.one(targets, found),
            Leads::Many { arguments, page } => {
                self.many(branch, parent, arguments, page, targets, found)
            }
        };
        below.unwrap_or_else(Below::Failed)
    }

    fn one(&self, targets: &[Target<'_>], found: &Found) -> Result<Below, ApiError> {
        let row = match targets.first() {
            Some(target) => self.show(target, found)?,
            None => None,
        };
        Ok(row.map_or(Below::Nothing, |row| Below::One(Shown::new(row, None))))
    }

    fn many(
        &self,
        branch: &Branch,
        parent: &DocumentRow,
        arguments: &Arguments,
        page: &PagePlan,
        targets: &[Target<'_>],
        found: &Found,
    ) -> Result<Below, ApiError> {
        self.budget.spend(self.budget.document_size)?;
        let list = List::read(parent, &branch.name, &branch.schema, arguments)?;
        let mut rows = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            match self.show(target, found)? {
                Some(row) => rows.push((index, row)),
                None => self.budget.spend(VALUE_SIZE)?,
            }
        }
        Ok(Below::Many(list.page(rows, page.wants)?))
    }

    /// A document to be shown, unless it is not there.
    fn show(
        &self,
        target: &Target<'_>,
        found: &Found,
    ) -> Result<Option<Arc<DocumentRow>>, ApiError> {
        let once = match target {
            Target::Document(id) => found.current.get(id),
            Target::View(view_id) => found.at_view.get(*view_id),
        };
        let Some(once) = once else {
            // Whether it is there was not found out.
            return match found.cut {
                Some(Reason::NodeBusy) => Err(ApiError::Busy),
                Some(_) => Err(Budget::too_large()),
                None => Ok(None),
            };
        };
        if once.is_shown.replace(true) {
            self.budget.spend_on(&once.row)?;
        }
        Ok(Some(Arc::clone(&once.row)))
    }
}

impl Below {
    fn documents(&mut self) -> &mut [Shown] {
        match self {
            Self::One(shown) => std::slice::from_mut(shown),
            Self::Many(page) => &mut page.documents,
            Self::Nothing | Self::Failed(_) => &mut [],
        }
    }
}

/// What a relation of a document points at; `None` when it has no such field.
fn targets<'r>(row: &'r DocumentRow, name: &str) -> Option<Vec<Target<'r>>> {
    let (value, _) = row.fields.as_ref()?.get(name)?;
    Some(match value {
        DocumentValue::Relation(id) => vec![Target::Document(*id)],
        DocumentValue::PinnedRelation(view_id) => vec![Target::View(view_id)],
        DocumentValue::RelationList(ids) => ids.iter().copied().map(Target::Document).collect(),
        DocumentValue::PinnedRelationList(view_ids) => view_ids.iter().map(Target::View).collect(),
        _ => return None,
    })
}
