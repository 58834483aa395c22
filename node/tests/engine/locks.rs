//! Files of signed entries that lie in public git histories, as `schema.lock` does: whoever has them can hand
//! them in, no key is needed.

use std::collections::BTreeSet;

use grove_core::publish::PublishError;
use grove_core::types::{LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Message;
use grove_node::engine::{Engine, Rejection, verify};
use grove_node::store::{Read, Store};

use super::forks::hand_over;
use super::support::*;

/// Schemas of an application by the key of all locks, each log from the first on. Names start with the
/// application's.
fn lock(application: &str, schemas: usize) -> (Vec<Submission>, BTreeSet<SchemaId>) {
    let mut author = Author::new(7);
    let (mut entries, mut ids) = (Vec::new(), BTreeSet::new());
    for schema in 0..schemas {
        let mut views = Vec::new();
        for field in 0..=schema {
            let name = format!("{application}_{schema}_{field}");
            let values = fields(&[("name", text(&name)), ("type", text("str"))]);
            let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, values);
            views.push(id(&field).into());
            entries.push(field);
        }
        let name = format!("{application}_{schema}");
        let values = fields(&[
            ("name", text(&name)),
            ("description", text("")),
            ("fields", PlainValue::ViewIds(views)),
        ]);
        let definition = author.create(&SchemaId::SCHEMA_DEFINITION, values);
        ids.insert(SchemaId::Application {
            name: name.parse().unwrap(),
            view_id: id(&definition).into(),
        });
        entries.push(definition);
    }
    (entries, ids)
}

fn known<S: Store>(engine: &Engine<S>) -> BTreeSet<SchemaId> {
    let schemas = engine.store().schemas().unwrap();
    let ids = schemas.into_iter().map(|schema| schema.id().clone());
    ids.filter(|id| matches!(id, SchemaId::Application { .. }))
        .collect()
}

/// What a peer has to tell of these entries.
fn told(entries: &[Submission]) -> Vec<Message> {
    let message = |submission: &Submission| Message::Entry {
        session: 0,
        entry: submission.entry().bytes().to_vec(),
        payload: Some(submission.payload().to_vec()),
    };
    entries.iter().map(message).collect()
}

//= FK7 test
//= R24 test
#[test]
fn a_second_lock_of_one_key_takes_nothing_from_the_first() {
    for (first, second) in [("shop", "forum"), ("forum", "shop")] {
        let mut engine = engine(1);
        let (deployed, expected) = lock(first, 4);
        let (other, _) = lock(second, 6);
        for submission in &deployed {
            publish(&mut engine, submission).unwrap();
        }
        let before = engine.store().counts().unwrap();

        for (log, submission) in other.iter().enumerate() {
            let answer = publish(&mut engine, submission);
            let Some(there) = deployed.get(log) else {
                // Logs that the first does not have are free, but its definitions name fields that are not there.
                continue;
            };
            match answer {
                Err(Rejection::Refused(PublishError::WouldFork { existing, next })) => {
                    assert_eq!(existing, there.entry().hash());
                    let fresh = next.expect("a create can always go on");
                    assert!(fresh.log_id >= LogId::new(deployed.len() as u64));
                }
                other => panic!("log {log}: {other:?}"),
            }
            assert_eq!(engine.store().counts().unwrap(), before, "no trace");
        }
        assert!(known(&engine).is_superset(&expected));
        // Deployed once more, as such tools do at each start, nothing changes.
        for submission in &deployed {
            publish(&mut engine, submission).unwrap();
        }
        assert_eq!(verify(engine.store()).unwrap(), []);
    }
}

//= FK8 test
#[test]
fn locks_of_one_key_that_peers_bring_are_all_there_in_any_order() {
    let (shop, mut expected) = lock("shop", 4);
    let (forum, more) = lock("forum", 6);
    expected.extend(more);
    let reversed = |entries: &[Submission]| entries.iter().rev().cloned().collect::<Vec<_>>();
    for (first, second) in [
        (shop.clone(), forum.clone()),
        (forum.clone(), shop.clone()),
        (reversed(&forum), reversed(&shop)),
    ] {
        let mut engine = engine(1);

        let mut refused = hand_over(&mut engine, told(&first));
        refused.extend(hand_over(&mut engine, told(&second)));

        assert_eq!(refused, []);
        assert_eq!(known(&engine), expected);
        let counts = engine.store().counts().unwrap();
        assert_eq!(counts.forks, shop.len() as u64);
        assert_eq!(verify(engine.store()).unwrap(), []);
    }
}
