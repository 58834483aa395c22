//! What a query asks for, read from its text once: which documents, and which of their members.
//!
//! A plan has fragments expanded, selections merged and directives obeyed. It is made of any query but
//! those that want the schema described, and says nothing about whether the query is a valid one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned, Value};
use async_graphql_value::Value as QueryValue;
use grove_core::types::{FieldType, Schema, SchemaId};

use super::arguments::Arguments;

/// The schemas a query may ask for.
pub(super) type Schemas = BTreeMap<SchemaId, Arc<Schema>>;

/// A query.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) roots: Vec<Root>,
    /// How many fields it has, those of fragments counted wherever they are used.
    pub(super) fields: usize,
}

/// Where something stands in a query and in the answer to it.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The name in the answer.
    pub(super) key: Name,
    pub(super) pos: Pos,
}

/// A field of the query itself.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) spot: Spot,
    pub(super) ask: Ask,
}

#[derive(Debug)]
pub(super) enum Ask {
    TypeName,
    NextArgs {
        arguments: Arguments,
        members: Vec<(Spot, ArgsMember)>,
    },
    Document {
        schema: Arc<Schema>,
        arguments: Arguments,
        document: DocumentPlan,
        branches: Vec<Branch>,
    },
    Collection {
        schema: Arc<Schema>,
        arguments: Arguments,
        page: PagePlan,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ArgsMember {
    TypeName,
    LogId,
    SeqNum,
    Backlink,
    Skiplink,
}

/// What is shown of a document.
#[derive(Debug)]
pub(super) struct DocumentPlan {
    pub(super) type_name: String,
    pub(super) members: Vec<(Spot, DocumentMember)>,
}

#[derive(Debug)]
pub(super) enum DocumentMember {
    TypeName,
    Cursor,
    Meta(Vec<(Spot, MetaMember)>),
    Fields {
        type_name: String,
        members: Vec<(Spot, FieldMember)>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum MetaMember {
    TypeName,
    DocumentId,
    ViewId,
    Owner,
}

#[derive(Debug)]
pub(super) enum FieldMember {
    TypeName,
    /// A value of its own, by the field's name.
    Value(String),
    /// A relation, by its number among the branches of the documents it is a field of.
    Branch(usize),
    /// A relation to a schema nobody knows.
    Null,
}

impl DocumentPlan {
    /// Whether it shows values that documents have of their own.
    fn shows_values(&self) -> bool {
        let is_value = |(_, member): &(Spot, FieldMember)| matches!(member, FieldMember::Value(_));
        self.members.iter().any(|(_, member)| match member {
            DocumentMember::Fields { members, .. } => members.iter().any(is_value),
            _ => false,
        })
    }
}

impl PagePlan {
    /// Whether the bytes of pieces of blobs are wanted, to be shown or to be judged by. They are kept
    /// outside of the database, so that it is worth a thought.
    pub(super) fn wants_bytes(&self, schema: &Schema, arguments: &Arguments) -> bool {
        let shown = self.members.iter().any(|(_, member)| match member {
            PageMember::Documents(document) => document.shows_values(),
            _ => false,
        });
        *schema.id() != SchemaId::BLOB_PIECE
            || shown
            || arguments.get("filter").is_some()
            || arguments.get("orderBy").is_some()
    }
}

impl Branch {
    /// The relations to be followed further.
    pub(super) fn branches(&self) -> &[Branch] {
        match &self.leads {
            Leads::One { branches, .. } => branches,
            Leads::Many { page, .. } => &page.branches,
        }
    }

    /// As [`PagePlan::wants_bytes`].
    pub(super) fn wants_bytes(&self) -> bool {
        match &self.leads {
            Leads::One { document, .. } => {
                *self.schema.id() != SchemaId::BLOB_PIECE || document.shows_values()
            }
            Leads::Many { arguments, page } => page.wants_bytes(&self.schema, arguments),
        }
    }
}

/// A relation to be followed from documents.
#[derive(Debug)]
pub(super) struct Branch {
    /// The name of the field.
    pub(super) name: String,
    /// The schema of the documents it leads to.
    pub(super) schema: Arc<Schema>,
    pub(super) leads: Leads,
}

#[derive(Debug)]
pub(super) enum Leads {
    One {
        document: DocumentPlan,
        branches: Vec<Branch>,
    },
    Many {
        arguments: Arguments,
        page: PagePlan,
    },
}

/// What is shown of a page.
#[derive(Debug, Default)]
pub(super) struct PagePlan {
    pub(super) type_name: String,
    pub(super) members: Vec<(Spot, PageMember)>,
    /// The relations to be followed from its documents, however they are shown.
    pub(super) branches: Vec<Branch>,
    /// What has to be found out about it.
    pub(super) wants: Wants,
}

#[derive(Debug)]
pub(super) enum PageMember {
    TypeName,
    TotalCount,
    StartCursor,
    EndCursor,
    HasNextPage,
    HasPreviousPage,
    Documents(DocumentPlan),
}

/// What a page is asked for that costs something.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wants {
    pub(super) total_count: bool,
    pub(super) next_page: bool,
    pub(super) previous_page: bool,
    pub(super) cursors: bool,
}

/// Fields with one name in the answer.
struct Chosen<'d> {
    spot: Spot,
    field: &'d Field,
    selections: Vec<&'d SelectionSet>,
}

impl<'d> Chosen<'d> {
    fn name(&self) -> &'d str {
        self.field.name.node.as_str()
    }
}

/// Makes plans. `None` wherever a query asks for what is not there, which the library tells better.
pub(super) struct Planner<'d> {
    pub(super) schemas: &'d Schemas,
    pub(super) fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
}

impl<'d> Planner<'d> {
    /// The plan of a query of so many fields.
    pub(super) fn plan(&self, selections: &'d SelectionSet, fields: usize) -> Option<Plan> {
        let chosen = self.choose(&[selections]).into_iter();
        let roots = chosen.map(|chosen| self.root(chosen));
        Some(Plan {
            roots: roots.collect::<Option<_>>()?,
            fields,
        })
    }

    /// The plan of one field of the query itself.
    pub(super) fn field(&self, field: &'d Positioned<Field>) -> Option<Root> {
        self.root(Chosen {
            spot: spot(field),
            field: &field.node,
            selections: vec![&field.node.selection_set.node],
        })
    }

    /// The plan of a field that shows a document at hand.
    pub(super) fn shown(&self, field: &'d Positioned<Field>, schema: Arc<Schema>) -> Option<Root> {
        let chosen = Chosen {
            spot: spot(field),
            field: &field.node,
            selections: vec![&field.node.selection_set.node],
        };
        let mut branches = Vec::new();
        let document = self.document(&chosen, &schema, "", &mut branches)?;
        let arguments = Arguments::of(chosen.field);
        Some(Root {
            spot: chosen.spot,
            ask: Ask::Document {
                schema,
                arguments,
                document,
                branches,
            },
        })
    }

    fn root(&self, chosen: Chosen<'d>) -> Option<Root> {
        let arguments = Arguments::of(chosen.field);
        let ask = match chosen.name() {
            "__typename" => Ask::TypeName,
            "nextArgs" => Ask::NextArgs {
                arguments,
                members: self.simple(&chosen, |name| match name {
                    "logId" => Some(ArgsMember::LogId),
                    "seqNum" => Some(ArgsMember::SeqNum),
                    "backlink" => Some(ArgsMember::Backlink),
                    "skiplink" => Some(ArgsMember::Skiplink),
                    "__typename" => Some(ArgsMember::TypeName),
                    _ => None,
                })?,
            },
            name => match name.strip_prefix("all_") {
                // No schema is called `all`: its name would end in no hash.
                Some(id) => {
                    let schema = self.schema(id)?;
                    Ask::Collection {
                        page: self.page(&chosen, &schema)?,
                        schema,
                        arguments,
                    }
                }
                None => {
                    let schema = self.schema(name)?;
                    let mut branches = Vec::new();
                    let document = self.document(&chosen, &schema, "", &mut branches)?;
                    Ask::Document {
                        schema,
                        arguments,
                        document,
                        branches,
                    }
                }
            },
        };
        Some(Root {
            spot: chosen.spot,
            ask,
        })
    }

    fn schema(&self, id: &str) -> Option<Arc<Schema>> {
        self.schemas.get(&id.parse().ok()?).cloned()
    }

    fn page(&self, chosen: &Chosen<'d>, schema: &Arc<Schema>) -> Option<PagePlan> {
        let mut page = PagePlan {
            type_name: format!("{}Collection", schema.id()),
            ..PagePlan::default()
        };
        for member in self.choose(&chosen.selections) {
            let planned = match member.name() {
                "__typename" => PageMember::TypeName,
                "totalCount" => PageMember::TotalCount,
                "startCursor" => PageMember::StartCursor,
                "endCursor" => PageMember::EndCursor,
                "hasNextPage" => PageMember::HasNextPage,
                "hasPreviousPage" => PageMember::HasPreviousPage,
                "documents" => {
                    let branches = &mut page.branches;
                    PageMember::Documents(self.document(&member, schema, "Item", branches)?)
                }
                _ => return None,
            };
            let wants = &mut page.wants;
            match &planned {
                PageMember::TotalCount => wants.total_count = true,
                PageMember::HasNextPage => wants.next_page = true,
                PageMember::HasPreviousPage => wants.previous_page = true,
                PageMember::StartCursor | PageMember::EndCursor => wants.cursors = true,
                PageMember::Documents(document) => {
                    let mut members = document.members.iter();
                    wants.cursors |=
                        members.any(|(_, member)| matches!(member, DocumentMember::Cursor));
                }
                PageMember::TypeName => {}
            }
            page.members.push((member.spot, planned));
        }
        Some(page)
    }

    /// `suffix` tells an item of a page from a document by itself.
    fn document(
        &self,
        chosen: &Chosen<'d>,
        schema: &Arc<Schema>,
        suffix: &str,
        branches: &mut Vec<Branch>,
    ) -> Option<DocumentPlan> {
        let mut members = Vec::new();
        for member in self.choose(&chosen.selections) {
            let planned = match member.name() {
                "__typename" => DocumentMember::TypeName,
                "cursor" => DocumentMember::Cursor,
                "meta" => DocumentMember::Meta(self.simple(&member, |name| match name {
                    "documentId" => Some(MetaMember::DocumentId),
                    "viewId" => Some(MetaMember::ViewId),
                    "owner" => Some(MetaMember::Owner),
                    "__typename" => Some(MetaMember::TypeName),
                    _ => None,
                })?),
                "fields" => {
                    let fields = self.choose(&member.selections).into_iter();
                    let fields = fields.map(|field| {
                        let planned = self.field_member(&field, schema, branches)?;
                        Some((field.spot, planned))
                    });
                    DocumentMember::Fields {
                        type_name: format!("{}Fields", schema.id()),
                        members: fields.collect::<Option<_>>()?,
                    }
                }
                _ => return None,
            };
            members.push((member.spot, planned));
        }
        Some(DocumentPlan {
            type_name: format!("{}{suffix}", schema.id()),
            members,
        })
    }

    fn field_member(
        &self,
        chosen: &Chosen<'d>,
        schema: &Schema,
        branches: &mut Vec<Branch>,
    ) -> Option<FieldMember> {
        let name = chosen.name();
        if name == "__typename" {
            return Some(FieldMember::TypeName);
        }
        let mut fields = schema.fields().iter();
        let (_, field_type) = fields.find(|(field, _)| field.as_str() == name)?;
        let (target, is_list) = match field_type {
            FieldType::Relation(target) | FieldType::PinnedRelation(target) => (target, false),
            FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
                (target, true)
            }
            _ => return Some(FieldMember::Value(name.to_owned())),
        };
        let Some(target) = self.schemas.get(target) else {
            return Some(FieldMember::Null);
        };
        let leads = if is_list {
            Leads::Many {
                arguments: Arguments::of(chosen.field),
                page: self.page(chosen, target)?,
            }
        } else {
            let mut branches = Vec::new();
            Leads::One {
                document: self.document(chosen, target, "", &mut branches)?,
                branches,
            }
        };
        branches.push(Branch {
            name: name.to_owned(),
            schema: Arc::clone(target),
            leads,
        });
        Some(FieldMember::Branch(branches.len() - 1))
    }

    /// Members that have no members of their own.
    fn simple<T>(
        &self,
        chosen: &Chosen<'d>,
        member: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<(Spot, T)>> {
        let chosen = self.choose(&chosen.selections).into_iter();
        chosen
            .map(|chosen| Some((chosen.spot.clone(), member(chosen.name())?)))
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
        for selection in &selections.items {
            if !is_included(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    let place = *places.entry(key).or_insert_with(|| {
                        chosen.push(Chosen {
                            spot: spot(field),
                            field: &field.node,
                            selections: Vec::new(),
                        });
                        chosen.len() - 1
                    });
                    let selections = &field.node.selection_set.node;
                    chosen[place].selections.push(selections);
                }
                // Every type here is an object, so a fragment on another one was refused.
                Selection::InlineFragment(inline) => {
                    self.choose_from(&inline.node.selection_set.node, chosen, places);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) {
                        self.choose_from(&fragment.node.selection_set.node, chosen, places);
                    }
                }
            }
        }
    }
}

fn spot(field: &Positioned<Field>) -> Spot {
    Spot {
        key: field.node.response_key().node.clone(),
        pos: field.pos,
    }
}

/// Whether `@skip` and `@include` leave a selection in.
fn is_included(directives: &[Positioned<Directive>]) -> bool {
    directives.iter().all(|directive| {
        let condition = directive.node.get_argument("if");
        let condition = match condition.map(|value| &value.node) {
            Some(QueryValue::Boolean(condition)) => *condition,
            _ => return true,
        };
        match directive.node.name.node.as_str() {
            "skip" => !condition,
            "include" => condition,
            _ => true,
        }
    })
}

/// A constant, as every argument is once variables have values.
pub(super) fn constant(value: &QueryValue) -> Option<Value> {
    value.clone().into_const()
}
