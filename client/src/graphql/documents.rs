//! Documents as the node shows them: one by one, and page by page.
//!
//! Values are JSON in the form [`values`](crate::values) reads and writes: a relation is its id, a
//! list of relations a list of ids. A relation the node cannot follow reads as `null`, and list items
//! it cannot follow are left out, because that is what its API tells.

use grove_core::types::{DocumentId, DocumentViewId, FieldType, PublicKey, Schema, SchemaId};
use serde_json::{Map, Value as Json, json};

use super::GraphqlClient;
use crate::api::{ApiError, DocumentRef};
use crate::transport::Transport;

/// Items of a relation list asked for at once.
const LIST_PAGE: usize = 100;

/// Most items one relation list or one collection is followed to.
const ITEMS_MAX: usize = 1_000_000;

/// A document at one view, as a node answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentView {
    /// Id of the document.
    pub document_id: DocumentId,
    /// The view.
    pub view_id: DocumentViewId,
    /// Who created the document, where the node tells.
    pub owner: Option<PublicKey>,
    /// The values by field name.
    pub fields: Map<String, Json>,
}

impl DocumentView {
    /// What an update or delete of this document is made on top of.
    pub fn to_ref(&self) -> DocumentRef {
        DocumentRef {
            document_id: self.document_id,
            view_id: self.view_id.clone(),
        }
    }
}

/// Which document, or which of its states, is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The latest view of a document.
    Document(DocumentId),
    /// One view, current or not.
    View(DocumentViewId),
}

/// One page of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The documents of this page.
    pub documents: Vec<DocumentView>,
    /// How many documents the whole collection has.
    pub total_count: u64,
    /// Whether more follow.
    pub has_next_page: bool,
    /// Where the next page starts; `None` on an empty page.
    pub end_cursor: Option<String>,
}

impl<T: Transport> GraphqlClient<T> {
    /// One document; `None` when the node has it not, not yet or no longer.
    pub async fn document(
        &self,
        schema: &Schema,
        lookup: &Lookup,
    ) -> Result<Option<DocumentView>, ApiError> {
        let (argument, scalar, value) = match lookup {
            Lookup::Document(id) => ("id", "DocumentId", id.to_string()),
            Lookup::View(id) => ("viewId", "DocumentViewId", id.to_string()),
        };
        let query = format!(
            "query($id: {scalar}) {{ answer: {}({argument}: $id) {} }}",
            schema.id(),
            selection(schema),
        );
        let mut data = self.query(&query, json!({ "id": value })).await?;
        self.read_view(schema, data["answer"].take()).await
    }

    /// The documents of a schema in the node's order: `first` of them, starting behind `after`.
    pub async fn collection(
        &self,
        schema: &Schema,
        first: u32,
        after: Option<&str>,
    ) -> Result<Page, ApiError> {
        let (declare, pass) = after_argument(after);
        let query = format!(
            "query($first: Int{declare}) {{ answer: all_{}(first: $first{pass}) {{ \
             totalCount hasNextPage endCursor documents {} }} }}",
            schema.id(),
            selection(schema),
        );
        let variables = json!({ "first": first, "after": after });
        let mut data = self.query(&query, variables).await?;
        let mut answer = data["answer"].take();
        let mut documents = Vec::new();
        for item in take_array(&mut answer["documents"])? {
            documents.extend(self.read_view(schema, item).await?);
        }
        Ok(Page {
            documents,
            total_count: answer["totalCount"]
                .as_u64()
                .ok_or_else(|| ApiError::answer("a collection without totalCount"))?,
            has_next_page: answer["hasNextPage"].as_bool().unwrap_or(false),
            end_cursor: answer["endCursor"].as_str().map(str::to_owned),
        })
    }

    /// All documents of a schema from `after` on, asked for `page_size` at a time.
    pub async fn collection_from(
        &self,
        schema: &Schema,
        page_size: u32,
        after: Option<&str>,
    ) -> Result<Page, ApiError> {
        let mut all = self.collection(schema, page_size, after).await?;
        while all.has_next_page {
            let page = self
                .collection(schema, page_size, all.end_cursor.as_deref())
                .await?;
            check_progress(all.documents.len(), &all.end_cursor, &page.end_cursor)?;
            all.documents.extend(page.documents);
            all.has_next_page = page.has_next_page;
            all.end_cursor = page.end_cursor;
        }
        Ok(all)
    }

    /// All items of the list `field` of one view, from behind `after` on.
    pub(super) async fn list(
        &self,
        schema_id: &SchemaId,
        view_id: &DocumentViewId,
        field: &str,
        item: &str,
        mut after: Option<String>,
    ) -> Result<Vec<Json>, ApiError> {
        let mut items = Vec::new();
        loop {
            let (declare, pass) = after_argument(after.as_deref());
            let query = format!(
                "query($viewId: DocumentViewId{declare}) {{ answer: {schema_id}(viewId: $viewId) {{ \
                 fields {{ list: {field}(first: {LIST_PAGE}{pass}) {{ \
                 hasNextPage endCursor documents {item} }} }} }} }}"
            );
            let variables = json!({ "viewId": view_id.to_string(), "after": after });
            let mut data = self.query(&query, variables).await?;
            let mut list = data["answer"]["fields"]["list"].take();
            items.extend(take_array(&mut list["documents"])?);
            if list["hasNextPage"] != true {
                return Ok(items);
            }
            let cursor = list["endCursor"].as_str().map(str::to_owned);
            check_progress(items.len(), &after, &cursor)?;
            after = cursor;
        }
    }

    /// Reads one item of an answer; `None` for the `null` of an absent or deleted document.
    async fn read_view(
        &self,
        schema: &Schema,
        mut item: Json,
    ) -> Result<Option<DocumentView>, ApiError> {
        let mut answered = item["fields"].take();
        if item.is_null() || answered.is_null() {
            return Ok(None);
        }
        let meta = &item["meta"];
        let text = |name: &str| {
            meta[name]
                .as_str()
                .ok_or_else(|| ApiError::answer(format!("a document without {name}")))
        };
        let view_id = text("viewId")?.parse().map_err(ApiError::answer)?;
        let mut fields = Map::new();
        for (name, field_type) in schema.fields() {
            let value = answered[name.as_str()].take();
            let value = self
                .read_value(schema, &view_id, name.as_str(), field_type, value)
                .await?;
            fields.insert(name.to_string(), value);
        }
        Ok(Some(DocumentView {
            document_id: text("documentId")?.parse().map_err(ApiError::answer)?,
            view_id,
            owner: meta["owner"].as_str().and_then(|key| key.parse().ok()),
            fields,
        }))
    }

    /// Turns nested documents into their ids, and fetches the rest of a list longer than a page.
    async fn read_value(
        &self,
        schema: &Schema,
        view_id: &DocumentViewId,
        name: &str,
        field_type: &FieldType,
        mut value: Json,
    ) -> Result<Json, ApiError> {
        let Some(id) = id_member(field_type) else {
            return Ok(value);
        };
        if !is_list(field_type) {
            return Ok(value["meta"][id].take());
        }
        let mut items = take_array(&mut value["documents"])?;
        if value["hasNextPage"] == true {
            let after = value["endCursor"].as_str().map(str::to_owned);
            check_progress(items.len(), &None, &after)?;
            let item = format!("{{ meta {{ {id} }} }}");
            items.extend(self.list(schema.id(), view_id, name, &item, after).await?);
        }
        let ids = items.iter_mut().map(|item| item["meta"][id].take());
        Ok(Json::Array(ids.collect()))
    }
}

/// What is asked of each document.
fn selection(schema: &Schema) -> String {
    let fields: Vec<String> = schema
        .fields()
        .iter()
        .map(|(name, field_type)| match id_member(field_type) {
            None => name.to_string(),
            Some(id) if is_list(field_type) => format!(
                "{name}(first: {LIST_PAGE}) \
                 {{ hasNextPage endCursor documents {{ meta {{ {id} }} }} }}"
            ),
            Some(id) => format!("{name} {{ meta {{ {id} }} }}"),
        })
        .collect();
    format!(
        "{{ meta {{ documentId viewId owner }} fields {{ {} }} }}",
        fields.join(" ")
    )
}

/// Which id stands for a related document; `None` for fields that are no relation.
fn id_member(field_type: &FieldType) -> Option<&'static str> {
    match field_type {
        FieldType::Relation(_) | FieldType::RelationList(_) => Some("documentId"),
        FieldType::PinnedRelation(_) | FieldType::PinnedRelationList(_) => Some("viewId"),
        _ => None,
    }
}

fn is_list(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::RelationList(_) | FieldType::PinnedRelationList(_)
    )
}

/// How `after` is declared and passed, when there is one.
fn after_argument(after: Option<&str>) -> (&'static str, &'static str) {
    match after {
        Some(_) => (", $after: Cursor", ", after: $after"),
        None => ("", ""),
    }
}

fn take_array(value: &mut Json) -> Result<Vec<Json>, ApiError> {
    match value.take() {
        Json::Array(items) => Ok(items),
        _ => Err(ApiError::answer("a collection without documents")),
    }
}

/// Ends a walk that would never end: the node must name another place to go on from.
fn check_progress(
    count: usize,
    before: &Option<String>,
    after: &Option<String>,
) -> Result<(), ApiError> {
    if after.is_none() || after == before || count > ITEMS_MAX {
        return Err(ApiError::answer("the pages of a collection do not end"));
    }
    Ok(())
}
