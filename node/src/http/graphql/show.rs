//! Writes what was read the way a plan asks for it, as JSON text.

use std::fmt::Write;

use async_graphql::{Error, ErrorExtensions, PathSegment, ServerError, Value};
use grove_core::author::NextArgs;
use grove_core::types::Value as DocumentValue;

use super::budget::{Budget, value_size};
use super::load::{Below, Loaded, Page, Shown};
use super::plan::{
    ArgsMember, Ask, Branch, DocumentMember, DocumentPlan, FieldMember, Leads, MetaMember,
    PageMember, PagePlan, Plan, Root, Spot,
};
use crate::api::ApiError;
use crate::http::details;

/// An answer in the making, by a plan that lives for `'p`.
struct Writer<'p> {
    budget: &'p Budget,
    out: String,
    path: Vec<Step<'p>>,
    errors: Vec<ServerError>,
}

/// A step from the answer down to a value.
#[derive(Clone, Copy)]
enum Step<'p> {
    Member(&'p str),
    Item(usize),
}

/// The whole answer to a query.
pub(super) fn answer(
    plan: &Plan,
    loaded: Vec<Result<Loaded, ApiError>>,
    budget: &Budget,
) -> String {
    let mut writer = Writer::new(budget);
    writer.out.push_str("{\"data\":");
    writer.object(
        plan.roots.iter().zip(loaded),
        |(root, _)| &root.spot,
        |writer, (root, loaded)| writer.root(root, loaded),
    );
    if !writer.errors.is_empty() {
        let errors = serde_json::to_string(&writer.errors);
        writer.out.push_str(",\"errors\":");
        writer.out.push_str(errors.as_deref().unwrap_or("[{}]"));
    }
    writer.out.push('}');
    writer.out
}

/// The answer to one field of a query, and what went wrong in it; `None` when the field can't be answered
/// and must not be null.
pub(super) fn field(
    root: &Root,
    loaded: Result<Loaded, ApiError>,
    budget: &Budget,
) -> (Option<String>, Vec<ServerError>) {
    let mut writer = Writer::new(budget);
    writer.path.push(Step::Member(&root.spot.key));
    let is_whole = writer.root(root, loaded);
    (is_whole.then_some(writer.out), writer.errors)
}

/// Whether a member was written.
trait Written {
    fn written(self) -> bool;
}

impl Written for () {
    fn written(self) -> bool {
        true
    }
}

impl Written for bool {
    fn written(self) -> bool {
        self
    }
}

impl<'p> Writer<'p> {
    fn new(budget: &'p Budget) -> Self {
        Self {
            budget,
            out: String::new(),
            path: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Writes an object, member by member; those that can't be written are missing.
    fn object<T, W: Written>(
        &mut self,
        members: impl IntoIterator<Item = T>,
        spot: impl Fn(&T) -> &'p Spot,
        mut write: impl FnMut(&mut Self, T) -> W,
    ) {
        self.out.push('{');
        let begun = self.out.len();
        for member in members {
            let before = self.out.len();
            if before > begun {
                self.out.push(',');
            }
            let key = &spot(&member).key;
            // Names need no escapes.
            self.out.push('"');
            self.out.push_str(key);
            self.out.push_str("\":");
            self.path.push(Step::Member(key));
            if !write(self, member).written() {
                self.out.truncate(before);
            }
            self.path.pop();
        }
        self.out.push('}');
    }

    /// Notes what went wrong at the place that is being written.
    fn fail(&mut self, spot: &Spot, error: &ApiError) {
        let error = report(error).into_server_error(spot.pos);
        let path = self.path.iter().map(|step| match step {
            Step::Member(key) => PathSegment::Field((*key).to_owned()),
            Step::Item(index) => PathSegment::Index(*index),
        });
        self.errors.push(error.with_path(path.collect()));
    }

    /// Writes null, and notes why.
    fn fail_with_null(&mut self, spot: &Spot, error: &ApiError) {
        self.fail(spot, error);
        self.null();
    }

    fn null(&mut self) {
        self.out.push_str("null");
    }

    /// Whether the field is written; it is not when it failed and must not be null.
    fn root(&mut self, root: &'p Root, loaded: Result<Loaded, ApiError>) -> bool {
        match (&root.ask, loaded) {
            (Ask::TypeName, _) => self.text("Query"),
            (Ask::NextArgs { members, .. }, Ok(Loaded::NextArgs(args))) => {
                self.next_args(members, &args);
            }
            (
                Ask::Document {
                    document, branches, ..
                },
                Ok(Loaded::Document(shown)),
            ) => match shown {
                Some(shown) => self.document(document, branches, &shown),
                None => self.null(),
            },
            (Ask::Collection { page, .. }, Ok(Loaded::Page(found))) => self.page(page, &found),
            (Ask::Collection { .. }, Err(error)) => {
                self.fail(&root.spot, &error);
                return false;
            }
            (_, Err(error)) => self.fail_with_null(&root.spot, &error),
            (_, Ok(_)) => self.null(),
        }
        true
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

/// What is told of an error.
pub(super) fn report(error: &ApiError) -> Error {
    Error::new(error.to_string()).extend_with(|_, extensions| {
        if let serde_json::Value::Object(members) = details(error) {
            for (name, value) in members {
                extensions.set(name, Value::from_json(value).unwrap_or_default());
            }
        }
    })
}
