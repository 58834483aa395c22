//! What an operator keeps out stays out, whoever brings it.

use grove_core::types::SchemaId;
use grove_core::{Reason, Refusal};
use grove_node::engine::Policy;
use grove_node::store::{DocumentQuery, Read};

use super::network::converge;
use super::support::*;

#[test]
fn authors_are_let_in_by_list_and_kept_out_by_list() {
    let [mut welcome, mut denied, mut stranger] = [1, 2, 3].map(Author::new);
    let key = |author: &Author| author.key_pair.public_key();
    let mut engine = engine_with(
        1,
        Policy {
            allowed_authors: Some([key(&welcome), key(&denied)].into()),
            denied_authors: [key(&denied)].into(),
            ..Policy::default()
        },
    );
    let (definitions, note) = note_schema(&mut welcome);
    for submission in &definitions {
        publish(&mut engine, submission).unwrap();
    }

    for author in [&mut denied, &mut stranger] {
        let create = author.create(&note, fields(&[("text", text("hello"))]));
        let refused = publish(&mut engine, &create).unwrap_err();
        assert_eq!(refused.reason(), Reason::AuthorNotAllowed);
    }
    let create = welcome.create(&note, fields(&[("text", text("hello"))]));
    assert!(publish(&mut engine, &create).is_ok());
}

#[test]
fn only_listed_schemas_arrive_from_clients_and_peers() {
    let mut author = Author::new(1);
    let (mut open, note) = with_notes(1, &mut author);
    let create = author.create(&note, fields(&[("text", text("hello"))]));
    let piece = author.create(
        &SchemaId::BLOB_PIECE,
        fields(&[("data", grove_core::types::PlainValue::Bytes(vec![1]))]),
    );
    publish(&mut open, &create).unwrap();
    publish(&mut open, &piece).unwrap();
    let listed = |schemas: &[SchemaId]| Policy {
        allowed_schemas: Some(schemas.iter().cloned().collect()),
        ..Policy::default()
    };

    let mut engines = [open, engine_with(2, listed(std::slice::from_ref(&note)))];
    converge(&mut engines);

    let count = |engine: &TestEngine, id| engine.store().count(id, &DocumentQuery::default());
    assert_eq!(count(&engines[1], &note).unwrap(), 1);
    assert_eq!(count(&engines[1], &SchemaId::BLOB_PIECE).unwrap(), 0);
    let refused = publish(&mut engines[1], &piece).unwrap_err();
    assert_eq!(refused.reason(), Reason::SchemaNotAllowed);

    let [open, _] = engines;
    let mut engines = [open, engine_with(2, listed(&[]))];
    converge(&mut engines);
    assert_eq!(engines[1].store().counts().unwrap().entries, 0);
}
