//! A node with the schemas of a small events site, and documents for it.

use grove_core::types::{DocumentViewId, OperationId, PlainValue, SchemaId};

use super::{Author, TestNode, str};

/// A node with the schemas of a small events site.
pub(crate) struct Site {
    pub node: TestNode,
    pub author: Author,
    pub venue: SchemaId,
    pub event: SchemaId,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let node = TestNode::start().await;
        let author = Author::new(1);
        let fields = [
            ("logo", "bytes"),
            ("name", "str"),
            ("open", "bool"),
            ("rating", "float"),
            ("seats", "int"),
        ];
        let venue = author.schema(&node, "venue", &fields).await;
        let fields = [
            ("main", format!("relation({venue})")),
            ("pinned", format!("pinned_relation({venue})")),
            ("tour", format!("relation_list({venue})")),
            ("tour_pinned", format!("pinned_relation_list({venue})")),
        ];
        let fields = fields
            .each_ref()
            .map(|(name, field_type)| (*name, field_type.as_str()));
        let event = author.schema(&node, "event", &fields).await;
        Self {
            node,
            author,
            venue,
            event,
        }
    }

    pub(crate) async fn venue(&self, name: &str, seats: i64, rating: f64) -> OperationId {
        let fields = vec![
            ("logo", PlainValue::Bytes(vec![0x00, 0xff])),
            ("name", str(name)),
            ("open", PlainValue::Bool(true)),
            ("rating", PlainValue::Float(rating)),
            ("seats", PlainValue::Int(seats)),
        ];
        self.author.create(&self.node, &self.venue, fields).await
    }

    pub(crate) async fn rename(&self, venue: OperationId, name: &str) -> OperationId {
        self.author
            .update(&self.node, &self.venue, venue, vec![("name", str(name))])
            .await
    }

    pub(crate) async fn event(&self, venue: OperationId, tour: &[OperationId]) -> OperationId {
        let fields = vec![
            ("main", PlainValue::Bytes(venue.hash().to_bytes().to_vec())),
            ("pinned", PlainValue::Ids(vec![venue.hash()])),
            (
                "tour",
                PlainValue::Ids(tour.iter().map(|id| id.hash()).collect()),
            ),
            ("tour_pinned", view_list(tour)),
        ];
        self.author.create(&self.node, &self.event, fields).await
    }
}

fn view_list(ids: &[OperationId]) -> PlainValue {
    match ids {
        [] => PlainValue::Ids(Vec::new()),
        ids => PlainValue::ViewIds(ids.iter().map(|id| DocumentViewId::from(*id)).collect()),
    }
}
