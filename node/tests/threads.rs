//! The threads of a deployed node: many publishers at once, questions nobody waits for, stopping.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use grove_core::{Reason, Refusal};
use grove_node::api::ApiError;
use grove_node::engine::EngineSettings;
use grove_node::runtime::{FORGOTTEN_WITHIN, Node};
use grove_node::store::query::{Condition, Test};
use grove_node::store::{DocumentQuery, Read};
use support::Folder;

/// Whether any file of a folder holds these bytes.
fn holds(folder: &Folder, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .any(|content| content.windows(bytes.len()).any(|part| part == bytes))
}

/// Waits until no file of a folder holds these bytes any more.
async fn forgets(folder: &Folder, bytes: &[u8]) {
    let began = Instant::now();
    while holds(folder, bytes) {
        let late = began.elapsed() > FORGOTTEN_WITHIN;
        assert!(!late, "still in a file");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Bytes that nothing else in a database looks like.
fn canary(author: u8) -> Vec<u8> {
    [b"grove-canary-".as_slice(), &[b'0' + author; 8]].concat()
}

fn piece(author: u8, log_id: u64) -> Submission {
    let data = PlainValue::Bytes(canary(author));
    let fields = Fields::from([("data".to_owned(), data)]);
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields,
    };
    let key_pair = KeyPair::from_seed(&[author; 32]);
    forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap()
}

async fn publish(node: &Node, submission: &Submission) -> Result<NextArgs, Reason> {
    let entry = submission.entry().bytes().to_vec();
    let answer = node.publish(entry, submission.payload().to_vec()).await;
    answer.map_err(|error| error.reason())
}

async fn count(node: &Node) -> u64 {
    node.read(|store| Ok(store.count(&SchemaId::BLOB_PIECE, &DocumentQuery::default())?))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_at_once_lose_nothing_across_a_restart() {
    let folder = Folder::new("many");
    let (node, stop) = folder.start();
    let publishers: Vec<_> = (1..=16)
        .map(|author| {
            let node = node.clone();
            tokio::spawn(async move {
                for log_id in 0..8 {
                    publish(&node, &piece(author, log_id)).await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert_eq!(count(&node).await, 128);
    stop.stop().await;
    assert!(!node.is_accepting());
    assert_eq!(publish(&node, &piece(1, 99)).await, Err(Reason::NodeBusy));
    drop(node);

    let (node, stop) = folder.start();
    assert!(node.is_accepting());
    assert_eq!(count(&node).await, 128);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_nobody_waits_for_and_those_that_panic_take_no_reader_away() {
    let folder = Folder::new("readers");
    let (node, stop) = folder.start();
    for _ in 0..20 {
        let slow = node.read(|store| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(store.count(&SchemaId::BLOB, &DocumentQuery::default())?)
        });
        // Dropped while the question is being answered.
        let _ = tokio::time::timeout(Duration::from_millis(1), slow).await;
        let broken = node
            .read(|_| -> Result<(), _> { panic!("a broken question") })
            .await;
        assert_eq!(broken.unwrap_err().reason(), Reason::NodeBusy);
    }
    for _ in 0..20 {
        assert_eq!(count(&node).await, 0);
    }
    stop.stop().await;
}

/// The end of the document that a piece began.
fn deletion(author: u8, create: &Submission, args: &NextArgs) -> Submission {
    let operation = Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous: create.entry().operation_id().into(),
    };
    forge(&KeyPair::from_seed(&[author; 32]), args, &operation).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_bytes_leave_all_files_within_the_deadline() {
    let folder = Folder::new("canary");
    let (node, stop) = folder.start();
    let create = piece(1, 0);
    let after_create = publish(&node, &create).await.unwrap();
    publish(&node, &piece(2, 0)).await.unwrap();
    assert!(holds(&folder, &canary(1)));

    publish(&node, &deletion(1, &create, &after_create))
        .await
        .unwrap();

    forgets(&folder, &canary(1)).await;
    assert!(holds(&folder, &canary(2)), "what was not deleted stays");
    stop.stop().await;
}

//= DL1 test
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_bytes_leave_all_files_though_a_question_is_in_the_way() {
    let folder = Folder::new("slow-reader");
    let (node, stop) = folder.start();
    let schema_id = with_long_texts(&node).await;
    let create = piece(1, 0);
    let after_create = publish(&node, &create).await.unwrap();
    let began = Instant::now();
    let slow = tokio::spawn({
        let node = node.clone();
        async move {
            let words = |number| Test::Contains(false, format!("no such words {number}"));
            let query = DocumentQuery {
                conditions: (0..400)
                    .map(|number| Condition::Field("text".to_owned(), words(number)))
                    .collect(),
                ..DocumentQuery::default()
            };
            let question = node.read(move |store| Ok(store.count(&schema_id, &query)?));
            question.await.map_err(|error| error.reason())
        }
    });
    // A second question answered means that the first is being answered, too.
    tokio::task::yield_now().await;
    count(&node).await;

    publish(&node, &deletion(1, &create, &after_create))
        .await
        .unwrap();

    forgets(&folder, &canary(1)).await;
    assert_eq!(slow.await.unwrap(), Err(Reason::NodeBusy));
    assert!(began.elapsed() < FORGOTTEN_WITHIN * 4);
    assert_eq!(
        count(&node).await,
        0,
        "the reader goes on with other questions"
    );
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_tries_again_once_other_programs_are_out_of_the_way() {
    let folder = Folder::new("backup");
    let (node, stop) = folder.start();
    let create = piece(1, 0);
    let after_create = publish(&node, &create).await.unwrap();
    let backup = rusqlite::Connection::open(folder.path().join("node.sqlite")).unwrap();
    backup.execute_batch("BEGIN").unwrap();
    let entries: i64 = backup
        .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
        .unwrap();
    publish(&node, &deletion(1, &create, &after_create))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(entries == 1 && holds(&folder, &canary(1)));

    backup.execute_batch("COMMIT").unwrap();

    forgets(&folder, &canary(1)).await;
    stop.stop().await;
}

/// Publishes a schema with a text and documents of a megabyte each, so that searching them takes long.
async fn with_long_texts(node: &Node) -> SchemaId {
    let text = |text: &str| PlainValue::Str(text.to_owned());
    let create = async |log_id: u64, schema_id: SchemaId, fields: Vec<(&str, PlainValue)>| {
        let fields = fields.into_iter();
        let operation = Operation::Create {
            schema_id,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        };
        let args = NextArgs::first(LogId::new(log_id));
        let submission = forge(&KeyPair::from_seed(&[9; 32]), &args, &operation).unwrap();
        publish(node, &submission).await.unwrap();
        submission.entry().operation_id()
    };
    let field = vec![("name", text("text")), ("type", text("str"))];
    let field = create(0, SchemaId::SCHEMA_FIELD_DEFINITION, field).await;
    let definition = vec![
        ("name", text("note")),
        ("description", text("")),
        ("fields", PlainValue::ViewIds(vec![field.into()])),
    ];
    let view_id = create(1, SchemaId::SCHEMA_DEFINITION, definition).await;
    let schema_id = SchemaId::Application {
        name: "note".parse().unwrap(),
        view_id: view_id.into(),
    };
    let long = "lorem ipsum ".repeat(1 << 16);
    for log_id in 2..18 {
        create(log_id, schema_id.clone(), vec![("text", text(&long))]).await;
    }
    schema_id
}

/// A question that works on until it is told to end, or is ended.
fn endless(
    goes_on: &Arc<AtomicBool>,
    ended: &Arc<AtomicUsize>,
) -> impl FnOnce(&dyn Read) -> Result<(), ApiError> + Send + 'static {
    let (goes_on, ended) = (Arc::clone(goes_on), Arc::clone(ended));
    move |store| {
        let mut result = Ok(());
        while goes_on.load(Ordering::Relaxed) && result.is_ok() {
            result = store.spend(1000);
            std::thread::yield_now();
        }
        ended.fetch_add(1, Ordering::Relaxed);
        Ok(result?)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_questions_do_not_wait_for_long_ones() {
    let folder = Folder::new("long");
    let mut settings = EngineSettings::new(PeerId([0; 32]));
    settings.limits.questions.work_max = u64::MAX;
    let (node, stop) = folder.start_with(settings);
    let (goes_on, ended) = (Arc::new(AtomicBool::new(true)), Arc::default());
    let long: Vec<_> = (0..40)
        .map(|_| {
            let (node, question) = (node.clone(), endless(&goes_on, &ended));
            tokio::spawn(async move { node.read(question).await })
        })
        .collect();

    // Most are told to come back; a few hold their connections to the end.
    while ended.load(Ordering::Relaxed) < 32 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(count(&node).await, 0);
    }
    assert_eq!(ended.load(Ordering::Relaxed), 32);

    goes_on.store(false, Ordering::Relaxed);
    let mut answered = 0;
    for question in long {
        match question.await.unwrap() {
            Ok(()) => answered += 1,
            Err(error) => assert_eq!(error.reason(), Reason::NodeBusy),
        }
    }
    assert_eq!(answered, 8);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_nobody_waits_for_is_given_up() {
    let folder = Folder::new("unheard");
    let mut settings = EngineSettings::new(PeerId([0; 32]));
    settings.limits.questions.work_max = u64::MAX;
    let (node, stop) = folder.start_with(settings);
    let (goes_on, ended) = (Arc::new(AtomicBool::new(true)), Arc::default());

    let asked = node.read(endless(&goes_on, &ended));
    let _ = tokio::time::timeout(Duration::from_millis(50), asked).await;

    while ended.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    stop.stop().await;
}
