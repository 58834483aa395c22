//! Makes plans of valid documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use apollo_compiler::ast::{OperationType, Value as Literal};
use apollo_compiler::executable::{
    DirectiveList, Field, FragmentMap, Operation, Selection, SelectionSet,
};
use apollo_compiler::{Name, Node};
use grove_core::Reason;
use grove_core::types::{FieldType, Schema, SchemaId};
use serde_json::{Map, Value};

use super::{
    ArgsMember, Ask, Branch, DocumentMember, DocumentPlan, EventMember, EventPlan, FieldMember,
    Followed, Leads, MetaMember, PageMember, PagePlan, Plan, Root, SchemaMember, Spot, Wants,
};
use crate::http::graphql::arguments::Arguments;
use crate::http::graphql::budget::json_size;
use crate::http::graphql::document::{Document, values};
use crate::http::graphql::error::{QueryError, refused};

type Planned<T> = Result<T, Vec<QueryError>>;

/// The plan of an operation of a document. `copies_size_max` bounds all copies of the values of variables
/// together, in bytes: one value can be asked for in many places.
pub(in crate::http::graphql) fn plan(
    document: &Document,
    operation: &Operation,
    variables: &Map<String, Value>,
    copies_size_max: usize,
) -> Planned<Plan> {
    let mut planner = Planner {
        document,
        variables,
        fragments: &document.executable.fragments,
        copies_left: copies_size_max,
    };
    let mut roots = Vec::new();
    for chosen in planner.choose(&[&operation.selection_set]) {
        roots.push(planner.root(operation.operation_type, chosen)?);
    }
    Ok(Plan {
        type_name: operation.selection_set.ty.clone(),
        roots,
        sources: Arc::clone(&document.executable.sources),
        fields: document.fields,
    })
}

/// Fields with one name in the answer.
struct Chosen<'d> {
    field: &'d Node<Field>,
    selections: Vec<&'d SelectionSet>,
}

impl<'d> Chosen<'d> {
    fn name(&self) -> &'d str {
        self.field.name.as_str()
    }

    fn spot(&self) -> Spot {
        Spot {
            key: self.field.response_key().clone(),
            span: self.field.location(),
        }
    }

    /// The name of the type of what it selects.
    fn type_name(&self) -> Name {
        self.field.selection_set.ty.clone()
    }
}

struct Planner<'d> {
    document: &'d Document,
    variables: &'d Map<String, Value>,
    fragments: &'d FragmentMap,
    copies_left: usize,
}

impl<'d> Planner<'d> {
    fn root(&mut self, operation: OperationType, chosen: Chosen<'d>) -> Planned<Root> {
        let ask = match (operation, chosen.name()) {
            (_, "__typename") => Ask::TypeName,
            (_, "__schema" | "__type") => Ask::Description,
            (_, "eventCursor") => Ask::EventCursor,
            (_, "nextArgs") => Ask::NextArgs {
                arguments: self.arguments(&chosen)?,
                members: self.next_args(&chosen),
            },
            (_, "publish") => Ask::Publish {
                arguments: self.arguments(&chosen)?,
                members: self.next_args(&chosen),
            },
            (OperationType::Subscription, name) => self.event(&chosen, name)?,
            (_, name) => match name.strip_prefix("all_") {
                Some(id) => {
                    let schema = self.schema(id)?;
                    Ask::Collection {
                        page: self.page(&chosen, &schema)?,
                        arguments: self.arguments(&chosen)?,
                        schema,
                    }
                }
                None => {
                    let schema = self.schema(name)?;
                    let mut branches = Vec::new();
                    Ask::Document {
                        document: self.document(&chosen, &schema, &mut branches)?,
                        arguments: self.arguments(&chosen)?,
                        schema,
                        branches,
                    }
                }
            },
        };
        Ok(Root {
            spot: chosen.spot(),
            is_nullable: !chosen.field.ty().is_non_null(),
            ask,
        })
    }

    fn event(&mut self, chosen: &Chosen<'d>, name: &str) -> Planned<Ask> {
        let (schema, subject) = match (name, name.strip_prefix("all_")) {
            ("schemas", _) => (None, Followed::Schemas),
            (_, Some(id)) => (Some(self.schema(id)?), Followed::Collection),
            (id, None) => (Some(self.schema(id)?), Followed::Document),
        };
        let (mut members, mut branches) = (Vec::new(), Vec::new());
        for member in self.choose(&chosen.selections) {
            let planned = match (member.name(), &schema) {
                ("cursor", _) => EventMember::Cursor,
                ("documentId", _) => EventMember::DocumentId,
                ("deleted", _) => EventMember::Deleted,
                ("matches", _) => EventMember::Matches,
                ("document", Some(schema)) => {
                    EventMember::Document(self.document(&member, schema, &mut branches)?)
                }
                ("id", _) => EventMember::SchemaId,
                ("name", _) => EventMember::SchemaName,
                ("description", _) => EventMember::SchemaDescription,
                ("fields", _) => {
                    EventMember::SchemaFields(self.simple(&member, |name| match name {
                        "name" => SchemaMember::Name,
                        "type" => SchemaMember::Type,
                        _ => SchemaMember::TypeName,
                    }))
                }
                _ => EventMember::TypeName,
            };
            members.push((member.spot(), planned));
        }
        Ok(Ask::Event {
            arguments: self.arguments(chosen)?,
            schema,
            subject,
            event: EventPlan {
                type_name: chosen.type_name(),
                members,
            },
            branches,
        })
    }

    fn schema(&self, id: &str) -> Planned<Arc<Schema>> {
        let id = id.parse::<SchemaId>().ok();
        let schema = id.and_then(|id| self.document.schemas.get(&id).cloned().flatten());
        // The type system had it.
        schema.ok_or_else(|| refused(Reason::RequestMalformed, "there is no such schema"))
    }

    fn arguments(&mut self, chosen: &Chosen<'d>) -> Planned<Arguments> {
        let given = values::arguments(&self.document.types, chosen.field, self.variables)?;
        let size = given.values().map(json_size).sum();
        self.copies_left = self.copies_left.checked_sub(size).ok_or_else(|| {
            let text = "the values of arguments are used too often";
            refused(Reason::RequestTooLarge, text)
        })?;
        Ok(Arguments::new(given))
    }

    fn next_args(&self, chosen: &Chosen<'d>) -> Vec<(Spot, ArgsMember)> {
        self.simple(chosen, |name| match name {
            "logId" => ArgsMember::LogId,
            "seqNum" => ArgsMember::SeqNum,
            "backlink" => ArgsMember::Backlink,
            "skiplink" => ArgsMember::Skiplink,
            _ => ArgsMember::TypeName,
        })
    }

    fn page(&mut self, chosen: &Chosen<'d>, schema: &Arc<Schema>) -> Planned<PagePlan> {
        let mut page = PagePlan {
            type_name: chosen.type_name(),
            members: Vec::new(),
            branches: Vec::new(),
            wants: Wants::default(),
        };
        for member in self.choose(&chosen.selections) {
            let planned = match member.name() {
                "totalCount" => PageMember::TotalCount,
                "startCursor" => PageMember::StartCursor,
                "endCursor" => PageMember::EndCursor,
                "hasNextPage" => PageMember::HasNextPage,
                "hasPreviousPage" => PageMember::HasPreviousPage,
                "documents" => {
                    let branches = &mut page.branches;
                    PageMember::Documents(self.document(&member, schema, branches)?)
                }
                _ => PageMember::TypeName,
            };
            page.wants.note(&planned);
            page.members.push((member.spot(), planned));
        }
        Ok(page)
    }

    fn document(
        &mut self,
        chosen: &Chosen<'d>,
        schema: &Arc<Schema>,
        branches: &mut Vec<Branch>,
    ) -> Planned<DocumentPlan> {
        let mut members = Vec::new();
        for member in self.choose(&chosen.selections) {
            let planned = match member.name() {
                "cursor" => DocumentMember::Cursor,
                "meta" => DocumentMember::Meta(self.simple(&member, |name| match name {
                    "documentId" => MetaMember::DocumentId,
                    "viewId" => MetaMember::ViewId,
                    "owner" => MetaMember::Owner,
                    _ => MetaMember::TypeName,
                })),
                "fields" => {
                    let mut fields = Vec::new();
                    for field in self.choose(&member.selections) {
                        let planned = self.field_member(&field, schema, branches)?;
                        fields.push((field.spot(), planned));
                    }
                    DocumentMember::Fields {
                        type_name: member.type_name(),
                        members: fields,
                    }
                }
                _ => DocumentMember::TypeName,
            };
            members.push((member.spot(), planned));
        }
        Ok(DocumentPlan {
            type_name: chosen.type_name(),
            members,
        })
    }

    fn field_member(
        &mut self,
        chosen: &Chosen<'d>,
        schema: &Schema,
        branches: &mut Vec<Branch>,
    ) -> Planned<FieldMember> {
        let name = chosen.name();
        let mut fields = schema.fields().iter();
        let Some((_, field_type)) = fields.find(|(field, _)| field.as_str() == name) else {
            return Ok(FieldMember::TypeName);
        };
        let (target, is_list) = match field_type {
            FieldType::Relation(target) | FieldType::PinnedRelation(target) => (target, false),
            FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
                (target, true)
            }
            _ => return Ok(FieldMember::Value(name.to_owned())),
        };
        let Some(target) = self.document.schemas.get(target).cloned().flatten() else {
            return Ok(FieldMember::Null);
        };
        let leads = if is_list {
            Leads::Many {
                page: self.page(chosen, &target)?,
                arguments: self.arguments(chosen)?,
            }
        } else {
            let mut branches = Vec::new();
            Leads::One {
                document: self.document(chosen, &target, &mut branches)?,
                branches,
            }
        };
        branches.push(Branch {
            name: name.to_owned(),
            schema: target,
            leads,
        });
        Ok(FieldMember::Branch(branches.len() - 1))
    }

    /// Members that have no members of their own.
    fn simple<T>(&self, chosen: &Chosen<'d>, member: impl Fn(&str) -> T) -> Vec<(Spot, T)> {
        let chosen = self.choose(&chosen.selections).into_iter();
        chosen
            .map(|chosen| (chosen.spot(), member(chosen.name())))
            .collect()
    }

    /// The fields of selections, those with one name in the answer together.
    fn choose(&self, selections: &[&'d SelectionSet]) -> Vec<Chosen<'d>> {
        let (mut chosen, mut places) = (Vec::new(), BTreeMap::new());
        for selections in selections {
            self.choose_from(selections, &mut chosen, &mut places);
        }
        chosen
    }

    fn choose_from(
        &self,
        selections: &'d SelectionSet,
        chosen: &mut Vec<Chosen<'d>>,
        places: &mut BTreeMap<&'d str, usize>,
    ) {
        for selection in &selections.selections {
            if !self.is_included(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key().as_str();
                    let place = *places.entry(key).or_insert_with(|| {
                        chosen.push(Chosen {
                            field,
                            selections: Vec::new(),
                        });
                        chosen.len() - 1
                    });
                    chosen[place].selections.push(&field.selection_set);
                }
                // Every type here is an object, so a fragment on another one was refused.
                Selection::InlineFragment(inline) => {
                    self.choose_from(&inline.selection_set, chosen, places);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(&spread.fragment_name) {
                        self.choose_from(&fragment.selection_set, chosen, places);
                    }
                }
            }
        }
    }

    /// Whether `@skip` and `@include` leave a selection in.
    fn is_included(&self, directives: &DirectiveList) -> bool {
        let is_set = |name: &str| {
            let condition = directives.get(name)?.specified_argument_by_name("if")?;
            match &**condition {
                Literal::Boolean(condition) => Some(*condition),
                Literal::Variable(name) => self.variables.get(name.as_str())?.as_bool(),
                _ => None,
            }
        };
        !is_set("skip").unwrap_or(false) && is_set("include").unwrap_or(true)
    }
}

impl Wants {
    /// Takes note of what a member of a page costs.
    fn note(&mut self, member: &PageMember) {
        match member {
            PageMember::TotalCount => self.total_count = true,
            PageMember::HasNextPage => self.next_page = true,
            PageMember::HasPreviousPage => self.previous_page = true,
            PageMember::StartCursor | PageMember::EndCursor => self.cursors = true,
            PageMember::Documents(document) => {
                let mut members = document.members.iter();
                self.cursors |= members.any(|(_, member)| matches!(member, DocumentMember::Cursor));
            }
            PageMember::TypeName => {}
        }
    }
}
