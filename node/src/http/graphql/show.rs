//! Writes what was read the way a plan asks for it, as JSON text.

use std::fmt::Write;

use apollo_compiler::parser::SourceMap;
use apollo_compiler::response::JsonMap;
use grove_core::author::NextArgs;
use grove_core::types::{Schema, SchemaId, Value as DocumentValue};

use super::budget::{Budget, value_size};
use super::error::{QueryError, Segment};
use super::load::{Event, Loaded};
use super::page::{Below, Page, Shown};
use super::plan::{
    ArgsMember, Ask, Branch, DocumentMember, DocumentPlan, EventMember, EventPlan, FieldMember,
    Leads, MetaMember, PageMember, PagePlan, Plan, Root, SchemaMember, Spot,
};
use crate::api::{ApiError, DocumentEvent};

/// An answer in the making, by a plan that lives for `'p`.
struct Writer<'p> {
    budget: &'p Budget,
    sources: &'p SourceMap,
    out: String,
    path: Vec<Step<'p>>,
    errors: Vec<QueryError>,
    /// Whether a field that must not be null has failed, for which the whole answer is null.
    is_lost: bool,
}

/// A step from the answer down to a value.
#[derive(Clone, Copy)]
enum Step<'p> {
    Member(&'p str),
    Item(usize),
}

/// The whole answer to an operation, and what went wrong in it. `described` is what the library tells of
/// the schema.
pub(super) fn answer(
    plan: &Plan,
    loaded: Vec<Result<Loaded, ApiError>>,
    described: &JsonMap,
    budget: &Budget,
) -> (String, Vec<QueryError>) {
    const HEAD: &str = "{\"data\":";
    let mut writer = Writer {
        budget,
        sources: &plan.sources,
        out: HEAD.to_owned(),
        path: Vec::new(),
        errors: Vec::new(),
        is_lost: false,
    };
    writer.object(
        plan.roots.iter().zip(loaded),
        |(root, _)| &root.spot,
        |writer, (root, loaded)| writer.root(plan, root, loaded, described),
    );
    if writer.is_lost {
        writer.out.truncate(HEAD.len());
        writer.null();
    }
    if !writer.errors.is_empty() {
        let errors = serde_json::to_string(&writer.errors);
        writer.out.push_str(",\"errors\":");
        writer.out.push_str(errors.as_deref().unwrap_or("[{}]"));
    }
    writer.out.push('}');
    (writer.out, writer.errors)
}

impl<'p> Writer<'p> {
    /// Writes an object, member by member.
    fn object<T>(
        &mut self,
        members: impl IntoIterator<Item = T>,
        spot: impl Fn(&T) -> &'p Spot,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push('{');
        let begun = self.out.len();
        for member in members {
            if self.out.len() > begun {
                self.out.push(',');
            }
            let key = &spot(&member).key;
            // Names need no escapes.
            self.out.push('"');
            self.out.push_str(key);
            self.out.push_str("\":");
            self.path.push(Step::Member(key));
            write(self, member);
            self.path.pop();
        }
        self.out.push('}');
    }

    /// Notes what went wrong at the place that is being written.
    fn fail(&mut self, spot: &Spot, error: &ApiError) {
        let path = self.path.iter().map(|step| match step {
            Step::Member(key) => Segment::Member((*key).to_owned()),
            Step::Item(index) => Segment::Item(*index),
        });
        let error = QueryError::from(error).at(spot.span, self.sources);
        self.errors.push(error.in_answer(path.collect()));
    }

    /// Writes null, and notes why.
    fn fail_with_null(&mut self, spot: &Spot, error: &ApiError) {
        self.fail(spot, error);
        self.null();
    }

    fn null(&mut self) {
        self.out.push_str("null");
    }

    /// A field of the operation.
    fn root(
        &mut self,
        plan: &'p Plan,
        root: &'p Root,
        loaded: Result<Loaded, ApiError>,
        described: &JsonMap,
    ) {
        match (&root.ask, loaded) {
            (Ask::TypeName, _) => self.text(&plan.type_name),
            (Ask::Description, _) => {
                let value = described.get(root.spot.key.as_str());
                let json = serde_json::to_string(&value);
                self.out.push_str(json.as_deref().unwrap_or("null"));
            }
            (Ask::EventCursor, Ok(Loaded::EventCursor(cursor))) => self.quoted(cursor),
            (
                Ask::NextArgs { members, .. } | Ask::Publish { members, .. },
                Ok(Loaded::NextArgs(args)),
            ) => self.next_args(members, &args),
            (
                Ask::Document {
                    document, branches, ..
                },
                Ok(Loaded::Document(Some(shown))),
            ) => self.document(document, branches, &shown),
            (Ask::Collection { page, .. }, Ok(Loaded::Page(found))) => self.page(page, &found),
            (
                Ask::Event {
                    event: wanted,
                    branches,
                    ..
                },
                Ok(Loaded::Event(event, shown)),
            ) => self.event(wanted, branches, &event, shown.as_ref()),
            (_, Err(error)) => {
                self.fail_with_null(&root.spot, &error);
                self.is_lost |= !root.is_nullable;
            }
            (_, Ok(_)) => self.null(),
        }
    }

    fn event(
        &mut self,
        plan: &'p EventPlan,
        branches: &'p [Branch],
        event: &Event,
        shown: Option<&Shown>,
    ) {
        self.object(
            &plan.members,
            |(spot, _)| spot,
            |writer, (_, member)| match (member, event) {
                (EventMember::TypeName, _) => writer.text(&plan.type_name),
                (EventMember::Document(document), _) => match shown {
                    Some(shown) => writer.document(document, branches, shown),
                    None => writer.null(),
                },
                (_, Event::Document(event)) => writer.document_event(member, event),
                (EventMember::Cursor, Event::Schema(event)) => writer.quoted(event.cursor),
                (_, Event::Schema(event)) => writer.schema(member, &event.schema),
            },
        );
    }

    fn document_event(&mut self, member: &EventMember, event: &DocumentEvent) {
        match member {
            EventMember::Cursor => self.quoted(event.cursor),
            EventMember::DocumentId => self.quoted(event.id),
            EventMember::Deleted => self.plain(event.deleted),
            EventMember::Matches => self.plain(event.matches),
            _ => self.null(),
        }
    }

    fn schema(&mut self, member: &'p EventMember, schema: &Schema) {
        match member {
            EventMember::SchemaId => self.quoted(schema.id()),
            EventMember::SchemaName => match schema.id() {
                SchemaId::Application { name, .. } => self.quoted(name),
                SchemaId::System(_) => self.quoted(schema.id()),
            },
            EventMember::SchemaDescription => self.text(schema.description()),
            EventMember::SchemaFields(members) => {
                self.out.push('[');
                for (index, (name, field_type)) in schema.fields().iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.object(
                        members,
                        |(spot, _)| spot,
                        |writer, (_, member)| match member {
                            SchemaMember::TypeName => writer.text("SchemaField"),
                            SchemaMember::Name => writer.quoted(name),
                            SchemaMember::Type => writer.text(&field_type.to_string()),
                        },
                    );
                }
                self.out.push(']');
            }
            _ => self.null(),
        }
    }

    fn next_args(&mut self, members: &'p [(Spot, ArgsMember)], args: &NextArgs) {
        self.object(
            members,
            |(spot, _)| spot,
            |writer, (_, member)| {
                let link = match member {
                    ArgsMember::TypeName => return writer.text("NextArguments"),
                    ArgsMember::LogId => return writer.quoted(args.log_id.as_u64()),
                    ArgsMember::SeqNum => return writer.quoted(args.seq_num.as_u64()),
                    ArgsMember::Backlink => args.backlink,
                    ArgsMember::Skiplink => args.skiplink,
                };
                match link {
                    Some(hash) => writer.quoted(hash),
                    None => writer.null(),
                }
            },
        );
    }

    fn page(&mut self, plan: &'p PagePlan, page: &Page) {
        self.object(
            &plan.members,
            |(spot, _)| spot,
            |writer, (_, member)| match member {
                PageMember::TypeName => writer.text(&plan.type_name),
                PageMember::TotalCount => writer.plain(page.total_count),
                PageMember::HasNextPage => writer.plain(page.has_next_page),
                PageMember::HasPreviousPage => writer.plain(page.has_previous_page),
                PageMember::StartCursor => writer.cursor(page.documents.first()),
                PageMember::EndCursor => writer.cursor(page.documents.last()),
                PageMember::Documents(document) => {
                    writer.out.push('[');
                    for (index, shown) in page.documents.iter().enumerate() {
                        if index > 0 {
                            writer.out.push(',');
                        }
                        writer.path.push(Step::Item(index));
                        writer.document(document, &plan.branches, shown);
                        writer.path.pop();
                    }
                    writer.out.push(']');
                }
            },
        );
    }

    fn document(&mut self, plan: &'p DocumentPlan, branches: &'p [Branch], shown: &Shown) {
        self.object(
            &plan.members,
            |(spot, _)| spot,
            |writer, (_, member)| match member {
                DocumentMember::TypeName => writer.text(&plan.type_name),
                DocumentMember::Cursor => writer.cursor(Some(shown)),
                DocumentMember::Meta(members) => writer.meta(members, shown),
                // A deleted document has no fields.
                DocumentMember::Fields { .. } if shown.row.is_deleted() => writer.null(),
                DocumentMember::Fields { type_name, members } => {
                    writer.object(
                        members,
                        |(spot, _)| spot,
                        |writer, (spot, member)| match member {
                            FieldMember::TypeName => writer.text(type_name),
                            FieldMember::Null => writer.null(),
                            FieldMember::Value(name) => writer.value(spot, name, shown),
                            FieldMember::Branch(number) => {
                                writer.branch(spot, *number, branches, shown)
                            }
                        },
                    );
                }
            },
        );
    }

    fn meta(&mut self, members: &'p [(Spot, MetaMember)], shown: &Shown) {
        self.object(
            members,
            |(spot, _)| spot,
            |writer, (_, member)| match member {
                MetaMember::TypeName => writer.text("DocumentMeta"),
                MetaMember::DocumentId => writer.quoted(shown.row.id),
                MetaMember::ViewId => writer.quoted(&shown.row.view_id),
                MetaMember::Owner => writer.quoted(shown.row.owner),
            },
        );
    }

    /// What a relation led to.
    fn branch(&mut self, spot: &Spot, number: usize, branches: &'p [Branch], shown: &Shown) {
        let (Some(branch), Some(below)) = (branches.get(number), shown.below.get(number)) else {
            return self.null();
        };
        match (&branch.leads, below) {
            (Leads::One { document, branches }, Below::One(shown)) => {
                self.document(document, branches, shown);
            }
            (Leads::Many { page, .. }, Below::Many(found)) => self.page(page, found),
            (_, Below::Failed(error)) => self.fail_with_null(spot, error),
            _ => self.null(),
        }
    }

    /// A field with a value of its own.
    fn value(&mut self, spot: &Spot, name: &str, shown: &Shown) {
        let fields = shown.row.fields.as_ref();
        let Some((value, _)) = fields.and_then(|fields| fields.get(name)) else {
            return self.null();
        };
        if let Err(error) = self.budget.spend(value_size(value)) {
            return self.fail_with_null(spot, &error);
        }
        match value {
            DocumentValue::Bool(bool) => self.plain(bool),
            DocumentValue::Int(int) => self.plain(int),
            //= QU7: NaN and the infinities are shown as null
            //= R20: JSON has neither
            DocumentValue::Float(float) => {
                let number = serde_json::to_string(float);
                self.out.push_str(number.as_deref().unwrap_or("null"));
            }
            DocumentValue::Str(text) => self.text(text),
            DocumentValue::Bytes(bytes) => self.quoted(hex::encode(bytes)),
            DocumentValue::Relation(_)
            | DocumentValue::RelationList(_)
            | DocumentValue::PinnedRelation(_)
            | DocumentValue::PinnedRelationList(_) => self.null(),
        }
    }

    fn cursor(&mut self, shown: Option<&Shown>) {
        match shown.and_then(|shown| shown.cursor.as_deref()) {
            Some(cursor) => self.quoted(cursor),
            None => self.null(),
        }
    }

    /// Any text, with the escapes it needs.
    fn text(&mut self, text: &str) {
        let json = serde_json::to_string(text);
        self.out.push_str(&json.expect("a text is JSON"));
    }

    /// A text of letters and digits.
    fn quoted(&mut self, text: impl std::fmt::Display) {
        write!(self.out, "\"{text}\"").expect("writing to a string");
    }

    fn plain(&mut self, value: impl std::fmt::Display) {
        write!(self.out, "{value}").expect("writing to a string");
    }
}
