//! What was deleted is in no file any more: once the store dropped its copies, and after a crash likewise.

use std::path::Path;

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, OperationId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Fields;
use grove_node::engine::{Engine, EngineSettings, Input, Output, RequestId};
use grove_node::store::query::{Order, OrderBy};
use grove_node::store::{DocumentQuery, Read, SqliteStore};

use super::ordering::session;
use super::support::*;

/// What every text begins with that has to be gone.
const CANARY: &str = "canary-in-a-coal-mine";

/// Documents written and deleted; `GROVE_DELETED_DOCUMENTS` says otherwise.
fn documents() -> usize {
    let wanted = std::env::var("GROVE_DELETED_DOCUMENTS");
    wanted.map_or(1_500, |wanted| wanted.parse().unwrap())
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Most values are short, some fill pages.
    fn text(&mut self, number: usize) -> Fields<PlainValue> {
        let len = match self.below(20) {
            0 => self.below(6_000),
            1..4 => self.below(1_500),
            _ => self.below(300),
        };
        let filler = CANARY.repeat(len / CANARY.len());
        fields(&[("text", text(&format!("{CANARY} {number} {filler}")))])
    }
}

fn publish_all(engine: &mut TestEngine, submissions: Vec<Submission>) {
    let inputs = submissions.into_iter().map(|submission| Input::Publish {
        request: RequestId(7),
        submission: Box::new(submission),
    });
    engine.handle(Instant::ZERO, inputs.collect()).unwrap();
    while let Some(output) = engine.poll() {
        if let Output::Published { result, .. } = output {
            result.unwrap();
        }
    }
}

/// The files of a folder in which there is a canary.
fn canaries(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes())
    };
    files
        .filter(holds)
        .map(|path| path.display().to_string())
        .collect()
}

fn open(folder: &Path) -> TestEngine {
    let store = SqliteStore::open(&folder.join("node.sqlite")).unwrap();
    Engine::new(store, EngineSettings::new(PeerId([1; 32]))).unwrap()
}

/// Asks in an order that takes an index, and has it made.
fn index(engine: &mut TestEngine, note: &SchemaId) {
    let query = DocumentQuery {
        order: Order {
            by: OrderBy::Field("text".to_owned()),
            descending: false,
        },
        limit: 1,
        ..DocumentQuery::default()
    };
    engine.store().list(note, &query).unwrap();
    assert!(engine.upkeep().create_index().unwrap());
}

/// A document and the operations on top of which it is deleted.
struct Written {
    author: usize,
    document: DocumentId,
    tip: OperationId,
}

/// Writes documents and updates of all sizes, in between each other.
fn write(
    engine: &mut TestEngine,
    note: &SchemaId,
    authors: &mut [Author],
    numbers: &mut Numbers,
) -> Vec<Written> {
    let mut written: Vec<Written> = Vec::new();
    let mut batch = Vec::new();
    for number in 0..documents() {
        let author = numbers.below(authors.len());
        let create = authors[author].create(note, numbers.text(number));
        written.push(Written {
            author,
            document: document(&create),
            tip: id(&create),
        });
        batch.push(create);
        for _ in 0..numbers.below(4) {
            let at = numbers.below(written.len());
            let Written {
                author,
                document,
                tip,
            } = written[at];
            let update = authors[author].update(note, document, &[tip], numbers.text(at));
            written[at].tip = id(&update);
            batch.push(update);
        }
        if batch.len() >= 200 {
            publish_all(engine, std::mem::take(&mut batch));
        }
        if number == documents() / 2 {
            index(engine, note);
        }
    }
    publish_all(engine, batch);
    written
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

//= OP9 test
//= R7 test
#[test]
fn no_file_holds_anything_of_what_was_deleted() {
    let (place, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut authors: Vec<_> = (1..9).map(Author::new).collect();
    let mut engine = open(place.path());
    let (definitions, note) = note_schema(&mut authors[0]);
    publish_all(&mut engine, definitions);
    let mut written = write(&mut engine, &note, &mut authors, &mut numbers);
    assert!(!canaries(place.path()).is_empty());

    let mut count = 0;
    while !written.is_empty() {
        let some = 1 + numbers.below(100);
        let deletes = (0..some.min(written.len())).map(|_| {
            let gone = written.swap_remove(numbers.below(written.len()));
            authors[gone.author].delete(&note, gone.document, &[gone.tip])
        });
        let deletes: Vec<_> = deletes.collect();
        publish_all(&mut engine, deletes);
        count += 1;
        if count % 5 == 0 {
            assert!(engine.upkeep().drop_deleted_copies().unwrap());
        }
    }
    // As a crash leaves the files: the last transactions are in the write-ahead log alone.
    copy(place.path(), crashed.path());
    assert!(engine.upkeep().drop_deleted_copies().unwrap());

    assert_eq!(canaries(place.path()), Vec::<String>::new());
    let mut again = open(crashed.path());
    assert!(again.upkeep().drop_deleted_copies().unwrap());
    assert_eq!(canaries(crashed.path()), Vec::<String>::new());
    // What is written into the same pages afterwards brings nothing back.
    let more: Vec<_> = (0..200)
        .map(|_| authors[0].create(&note, fields(&[("text", text("new"))])))
        .collect();
    publish_all(&mut engine, more);
    assert_eq!(canaries(place.path()), Vec::<String>::new());
}

//= R7 test
#[test]
fn what_waited_for_a_document_goes_with_it() {
    let place = tempfile::tempdir().unwrap();
    let mut author = Author::new(1);
    let mut engine = open(place.path());
    let (definitions, note) = note_schema(&mut author);
    publish_all(&mut engine, definitions);
    let say = |words: &str| fields(&[("text", text(words))]);
    let create = author.create(&note, say("a note"));
    let missing = author.update(&note, document(&create), &[id(&create)], say("missing"));
    let waits = author.update(&note, document(&create), &[id(&missing)], say(CANARY));
    publish_all(&mut engine, vec![create.clone()]);
    let peer = PeerId([9; 32]);
    let send = |engine: &mut TestEngine, submission: &Submission| {
        for input in session(peer, &[submission], &note) {
            engine.handle(Instant::ZERO, vec![input]).unwrap();
        }
        while engine.poll().is_some() {}
    };
    send(&mut engine, &waits);
    assert_eq!(engine.store().counts().unwrap().parked, 1);
    assert!(!canaries(place.path()).is_empty());

    let mut other = Author::new(2);
    let delete = other.delete(&note, document(&create), &[id(&create)]);
    publish_all(&mut engine, vec![delete]);
    // Now it turns out to what it belongs.
    send(&mut engine, &missing);

    assert_eq!(engine.store().counts().unwrap().parked, 0);
    assert!(engine.upkeep().drop_deleted_copies().unwrap());
    assert_eq!(canaries(place.path()), Vec::<String>::new());
}
