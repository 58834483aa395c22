//! What nothing needs goes; what anything needs stays, whatever arrives later.

use std::collections::BTreeMap;

use grove_core::types::{DocumentViewId, LogId, OperationId, PlainValue, SchemaId, Value};
use grove_core::validate::Submission;
use grove_core::wire::Fields;
use grove_node::engine::{
    Candidates, Command, Purge, Reclaimed, Sweep, SweepKind, document_at_view,
};
use grove_node::store::Read;
use proptest::prelude::*;

use super::support::*;

/// What a sweep finds, and how much it spares.
fn sweep(engine: &TestEngine, kind: SweepKind) -> (Candidates, Reclaimed, u64) {
    let mut sweep = Sweep::new(engine.store(), kind).unwrap();
    let (mut candidates, mut reclaimed, mut spared) =
        (Candidates::default(), Reclaimed::default(), 0);
    while let Some(weighed) = sweep.step(engine.store()).unwrap() {
        let found = weighed.candidates;
        candidates = Candidates {
            documents: [candidates.documents, found.documents].concat(),
            pinned: &candidates.pinned | &found.pinned,
            as_of: found.as_of,
        };
        reclaimed += weighed.reclaimed;
        spared += weighed.spared;
    }
    (candidates, reclaimed, spared)
}

/// Collects history; what was said before must be what happens.
fn collect_history(engine: &mut TestEngine) -> Reclaimed {
    let (candidates, promised, _) = sweep(engine, SweepKind::History);
    let done = command(engine, Command::CollectHistory(candidates));
    assert_eq!(done, promised);
    done
}

const ALL_PIECES: SweepKind = SweepKind::Pieces { up_to: i64::MAX };

fn collect_pieces(engine: &mut TestEngine, kind: SweepKind) -> Reclaimed {
    let (candidates, promised, _) = sweep(engine, kind);
    let done = command(engine, Command::CollectPieces(candidates));
    assert_eq!(done, promised);
    done
}

fn long(label: &str) -> Fields<PlainValue> {
    fields(&[("text", text(&label.repeat(50)))])
}

fn shown(engine: &TestEngine, view_id: &DocumentViewId) -> Option<String> {
    let row = document_at_view(engine.store(), view_id).unwrap()?;
    match &row.fields.unwrap()["text"].0 {
        Value::Str(text) => Some(text[..1].to_owned()),
        other => panic!("{other:?}"),
    }
}

/// A schema `card { note: pinned_relation(note) }`.
fn card_schema(author: &mut Author, engine: &mut TestEngine, note: &SchemaId) -> SchemaId {
    let field = author.create(
        &SchemaId::SCHEMA_FIELD_DEFINITION,
        fields(&[
            ("name", text("note")),
            ("type", text(&format!("pinned_relation({note})"))),
        ]),
    );
    let definition = author.create(
        &SchemaId::SCHEMA_DEFINITION,
        fields(&[
            ("name", text("card")),
            ("description", text("")),
            ("fields", PlainValue::ViewIds(vec![id(&field).into()])),
        ]),
    );
    publish(engine, &field).unwrap();
    publish(engine, &definition).unwrap();
    SchemaId::Application {
        name: "card".parse().unwrap(),
        view_id: id(&definition).into(),
    }
}

#[test]
fn superseded_operations_go_unless_their_view_is_pinned() {
    let mut a = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut a);
    let card = card_schema(&mut a, &mut engine, &note);
    let mut history = vec![a.create(&note, long("a"))];
    let note_id = document(&history[0]);
    publish(&mut engine, &history[0]).unwrap();
    for label in ["b", "c", "d"] {
        let last = id(history.last().unwrap());
        history.push(a.update(&note, note_id, &[last], long(label)));
        publish(&mut engine, history.last().unwrap()).unwrap();
    }
    let pinned: DocumentViewId = id(&history[1]).into();
    let pin = a.create(
        &card,
        fields(&[(
            "note",
            PlainValue::Ids(pinned.ids().iter().map(|id| id.hash()).collect()),
        )]),
    );
    publish(&mut engine, &pin).unwrap();
    let before = engine.store().document(note_id).unwrap();

    let reclaimed = collect_history(&mut engine);

    assert_eq!((reclaimed.documents, reclaimed.items), (1, 2));
    assert!(reclaimed.bytes > 0);
    assert_eq!(engine.store().document(note_id).unwrap(), before);
    let views: Vec<_> = history
        .iter()
        .map(|submission| shown(&engine, &id(submission).into()))
        .collect();
    let letter = |letter: &str| Some(letter.to_owned());
    assert_eq!(views, [None, letter("b"), None, letter("d")]);
    assert_eq!(collect_history(&mut engine), Reclaimed::default());

    // Publishing it again brings a collected operation back.
    publish(&mut engine, &history[0]).unwrap();
    assert_eq!(shown(&engine, &id(&history[0]).into()), letter("a"));
}

#[test]
fn a_purge_behind_collected_history_shows_nothing_rather_than_something_wrong() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let one = a.create(&note, long("a"));
    let two = b.update(&note, document(&one), &[id(&one)], long("b"));
    for submission in [&one, &two] {
        publish(&mut engine, submission).unwrap();
    }
    assert_eq!(collect_history(&mut engine).items, 1);

    let log = (b.key_pair.public_key(), LogId::new(0));
    command(&mut engine, Command::Purge(Purge::Logs(vec![log])));

    assert_eq!(engine.store().document(document(&one)).unwrap(), None);
}

fn piece(author: &mut Author, data: &[u8]) -> Submission {
    let data = PlainValue::Bytes(data.to_vec());
    author.create(&SchemaId::BLOB_PIECE, fields(&[("data", data)]))
}

fn blob(author: &mut Author, pieces: &[&Submission], length: i64) -> Submission {
    let pieces = pieces.iter().map(|piece| id(piece).into()).collect();
    author.create(
        &SchemaId::BLOB,
        fields(&[
            ("length", PlainValue::Int(length)),
            ("mime_type", text("text/plain")),
            ("pieces", PlainValue::ViewIds(pieces)),
        ]),
    )
}

#[test]
fn pieces_stay_while_a_blob_lists_them() {
    let mut a = Author::new(1);
    let mut engine = engine(1);
    let pieces = [b"one", b"two", b"six"].map(|data| piece(&mut a, data));
    let kept = blob(&mut a, &[&pieces[0]], 3);
    let gone = blob(&mut a, &[&pieces[0], &pieces[1]], 6);
    for submission in pieces.iter().chain([&kept, &gone]) {
        publish(&mut engine, submission).unwrap();
    }
    let end = a.delete(&SchemaId::BLOB, document(&gone), &[id(&gone)]);
    publish(&mut engine, &end).unwrap();
    let young = engine
        .store()
        .operation(id(&pieces[2]))
        .unwrap()
        .unwrap()
        .position;
    let (_, _, spared) = sweep(&engine, SweepKind::Pieces { up_to: young - 1 });
    assert_eq!(spared, 1);

    // The third may wait for its blob.
    let reclaimed = collect_pieces(&mut engine, SweepKind::Pieces { up_to: young - 1 });
    assert_eq!((reclaimed.documents, reclaimed.items), (1, 1));
    assert_eq!(reclaimed.bytes, pieces[1].payload().len() as u64);
    let there = |engine: &TestEngine| {
        let there =
            |piece: &Submission| engine.store().document(document(piece)).unwrap().is_some();
        pieces.iter().map(there).collect::<Vec<_>>()
    };
    assert_eq!(there(&engine), [true, false, true]);

    assert_eq!(collect_pieces(&mut engine, ALL_PIECES).items, 1);
    assert_eq!(there(&engine), [true, false, false]);

    publish(&mut engine, &pieces[1]).unwrap();
    assert_eq!(there(&engine), [true, true, false]);
}

#[test]
fn a_pin_that_comes_between_finding_and_collecting_holds() {
    let mut a = Author::new(1);
    let mut engine = engine(1);
    let piece = piece(&mut a, b"one");
    publish(&mut engine, &piece).unwrap();
    let (candidates, _, _) = sweep(&engine, ALL_PIECES);
    assert_eq!(candidates.documents, [document(&piece)]);
    let late = blob(&mut a, &[&piece], 3);
    publish(&mut engine, &late).unwrap();

    let done = command(&mut engine, Command::CollectPieces(candidates));

    assert_eq!(done, Reclaimed::default());
    assert!(engine.store().document(document(&piece)).unwrap().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A node that collects in the middle of a history shows the same current views as one that never
    /// does, and of earlier views the same or nothing.
    #[test]
    fn collecting_never_changes_what_is_shown(
        plan in prop::collection::vec((0usize..3, prop::collection::vec(any::<prop::sample::Index>(), 1..3)), 4..24),
        at in any::<prop::sample::Index>(),
    ) {
        let mut authors: Vec<_> = (1..=3).map(Author::new).collect();
        let (mut plain, note) = with_notes(1, &mut authors[0]);
        let mut collecting = engine(2);
        for submission in note_schema(&mut Author::new(1)).0 {
            publish(&mut collecting, &submission).unwrap();
        }
        let create = authors[0].create(&note, long("0"));
        let note_id = document(&create);
        let mut all = vec![create];
        for (number, (who, previous)) in plan.iter().enumerate() {
            let previous: Vec<OperationId> = previous.iter().map(|index| id(&all[index.index(all.len())])).collect();
            let label = (number % 10).to_string();
            all.push(authors[*who].update(&note, note_id, &previous, long(&label)));
        }
        let middle = at.index(all.len());
        for (number, submission) in all.iter().enumerate() {
            publish(&mut plain, submission).unwrap();
            publish(&mut collecting, submission).unwrap();
            if number == middle {
                collect_history(&mut collecting);
            }
        }
        prop_assert_eq!(plain.store().document(note_id).unwrap(), collecting.store().document(note_id).unwrap());
        let seen: BTreeMap<OperationId, Option<String>> = all.iter().map(|submission| (id(submission), shown(&plain, &id(submission).into()))).collect();
        for (operation_id, expected) in seen {
            let actual = shown(&collecting, &operation_id.into());
            prop_assert!(actual.is_none() || actual == expected);
        }
    }
}
