//! Reduction: applying operations in order until the state of the document stands (D11, R5).
//!
//! Generic over the values, which are typed in a node and plain in tools that have no schema.

use std::collections::BTreeMap;

use super::{Graph, GraphError};
use crate::mutant::{altered, fault};
use crate::types::{DocumentId, DocumentViewId, OperationId, SchemaId};
use crate::wire::Operation;

/// The state of a document at one view.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<V> {
    /// Id of the document.
    pub id: DocumentId,
    /// The schema all its operations follow.
    pub schema_id: SchemaId,
    /// The view this state is of: the graph's tips, or the first DELETE of the walk.
    pub view_id: DocumentViewId,
    /// The fields; `None` once the document is deleted.
    pub fields: Option<BTreeMap<String, Field<V>>>,
}

/// The value of one field and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<V> {
    /// The value.
    pub value: V,
    /// The operation that set it last.
    pub operation_id: OperationId,
}

impl<V: Clone> Document<V> {
    /// Reduces all operations of a document, given in any order.
    pub fn reduce<'a>(
        operations: impl IntoIterator<Item = (OperationId, &'a Operation<V>)>,
    ) -> Result<Self, GraphError>
    where
        V: 'a,
    {
        Self::from_graph(&Graph::build(operations)?)
    }

    /// Reduces all operations of a graph.
    pub fn from_graph(graph: &Graph<'_, V>) -> Result<Self, GraphError> {
        let sorted = graph.walk()?;
        let ((id, create), changes) = sorted.split_first().expect("a graph has a root");
        let tips = graph.tips().ok_or(GraphError::Cycle)?;
        let mut document = Self::created(*id, create);
        for (id, operation) in changes {
            document.change(*id, operation);
            //= D11: the walk ends at a DELETE, which names the view
            //= R5: any DELETE ends the document, and the first one met names the view
            if fault!(DeleteEnds, document.is_deleted()) {
                document.view_id = (*id).into();
                return Ok(document);
            }
        }
        document.view_id = altered!(ViewOfTips, tips, document.view_id);
        Ok(document)
    }

    /// Applies an operation made on top of exactly the current view; returns false, and changes
    /// nothing, when it was made on top of another one or the document is deleted.
    ///
    /// Such an operation comes last in the walk, so the result is that of reducing from scratch, at
    /// the cost of its own fields.
    pub fn apply(&mut self, id: OperationId, operation: &Operation<V>) -> bool {
        let extends = operation.previous() == Some(&self.view_id)
            && *operation.schema_id() == self.schema_id
            && !self.is_deleted();
        if extends {
            self.change(id, operation);
            self.view_id = id.into();
        }
        extends
    }

    fn created(id: OperationId, create: &Operation<V>) -> Self {
        let fields = create.fields().into_iter().flatten();
        Self {
            id: id.into(),
            schema_id: create.schema_id().clone(),
            view_id: id.into(),
            fields: Some(
                fields
                    .map(|(name, value)| {
                        (
                            name.clone(),
                            Field {
                                value: value.clone(),
                                operation_id: id,
                            },
                        )
                    })
                    .collect(),
            ),
        }
    }

    fn change(&mut self, id: OperationId, operation: &Operation<V>) {
        match operation.fields() {
            //= DO4: with a DELETE the document has no view
            None => self.fields = None,
            Some(changed) => {
                altered!(UpdateKeepsOthers, (), self.fields = None);
                let fields = self.fields.get_or_insert_default();
                for (name, value) in changed {
                    let field = Field {
                        value: value.clone(),
                        operation_id: id,
                    };
                    match fields.get_mut(name) {
                        Some(earlier) => altered!(LastWriter, *earlier = field, drop(field)),
                        None => drop(fields.insert(name.clone(), field)),
                    }
                }
            }
        }
    }
}

impl<V> Document<V> {
    /// Whether a DELETE ended the document.
    pub fn is_deleted(&self) -> bool {
        self.fields.is_none()
    }

    /// Whether the state is another than the CREATE gave it: the document is deleted, or an UPDATE
    /// set one of its fields.
    pub fn is_edited(&self) -> bool {
        let create = OperationId::from(self.id);
        self.fields
            .as_ref()
            .is_none_or(|fields| fields.values().any(|field| field.operation_id != create))
    }
}
