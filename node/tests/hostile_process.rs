//! The daemon under crowds, aborted requests and kill -9: it stays up, and nothing is half-stored.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grove_core::author::{NextArgs, forge};
use grove_core::types::{DocumentViewId, Hash, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use grove_node::engine::verify;
use grove_node::runtime::FORGOTTEN_WITHIN;
use grove_node::store::{Read, SqliteStore};
use http_support::daemon::{Daemon, Directory};
use http_support::socket::Socket;
use http_support::{Author, encoded, piece};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What any honest request may take while the node is under attack, on a machine with work of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// Memory of the node with a crowd at its door.
const MEMORY_MAX_KB: u64 = 150 * 1024;

const PUBLISH: &str = "mutation P($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { logId seqNum backlink skiplink } }";

/// The text of a POST.
fn post(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request on a connection of its own; the JSON of the answer.
async fn ask(address: SocketAddr, request: &str) -> io::Result<Value> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    serde_json::from_str(body.unwrap_or_default()).map_err(io::Error::other)
}

fn by_graphql(submission: &Submission) -> String {
    let body = json!({ "query": PUBLISH, "variables": encoded(submission) });
    post("/graphql", &body)
}

fn rpc_params(submission: &Submission) -> Value {
    json!({
        "entryEncoded": hex::encode(submission.entry().bytes()),
        "operationEncoded": hex::encode(submission.payload()),
    })
}

fn call(method: &str, params: &Value) -> String {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    post("/", &call)
}

/// Asks a daemon's process for its largest memory so far.
fn peak_kb(daemon: &Daemon) -> u64 {
    let path = format!("/proc/{}/status", daemon.child.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_connections_keep_nobody_out() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let crowd_size = usize::try_from(files.saturating_sub(512).min(10_000)).unwrap();
    let daemon = Daemon::start(&["--ephemeral", "--http-port=0"]);
    let address = daemon.address;
    let crowd = tokio::spawn(async move {
        let mut open = Vec::new();
        for number in 0..crowd_size {
            // A full backlog drops who knocks; whoever comes is let in later.
            let mut stream = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(b"POST /graphql HTTP/1.1\r\nHost: ").await;
            }
            open.push(stream);
        }
        open
    });
    let author = Author::new(1);
    let (mut rounds, mut slowest) = (0, Duration::ZERO);
    let mut honest = async || {
        let args = NextArgs::first(LogId::new(rounds));
        let submission = forge(&author.0, &args, &piece(&rounds.to_be_bytes())).unwrap();
        let began = Instant::now();
        let published = ask(address, &by_graphql(&submission)).await.unwrap();
        let query = json!({ "query": "{ all_blob_piece_v1 { totalCount } }" });
        let counted = ask(address, &post("/graphql", &query)).await.unwrap();
        slowest = slowest.max(began.elapsed());
        rounds += 1;
        assert_eq!(published["data"]["publish"]["seqNum"], "2", "{published}");
        assert_eq!(
            counted["data"]["all_blob_piece_v1"]["totalCount"], rounds,
            "{counted}"
        );
    };
    while !crowd.is_finished() {
        honest().await;
    }
    let open = crowd.await.unwrap();
    for _ in 0..50 {
        honest().await;
    }

    let peak = peak_kb(&daemon);
    println!(
        "{} half-open connections: {rounds} publishes and queries beside them, slowest {slowest:?}, \
         peak memory {peak} kB",
        open.len()
    );
    assert!(slowest < PATIENCE, "an honest client waited {slowest:?}");
    assert!(peak < MEMORY_MAX_KB, "the node took {peak} kB");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_by_the_hundred_do_not_fill_the_memory() {
    let daemon = Daemon::start(&["--ephemeral", "--http-port=0"]);
    let address = daemon.address;
    let senders: Vec<_> = (0..200)
        .map(|number| {
            tokio::spawn(async move {
                let path = ["/", "/graphql"][number % 2];
                let framing =
                    ["Content-Length: 104857600", "Content-Length: 16000000"][number / 100];
                let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                // All but the last byte, so that what was taken stays taken.
                let part = vec![b' '; 999_999];
                for _ in 0..16 {
                    if stream.write_all(&part).await.is_err() {
                        break;
                    }
                }
                stream
            })
        })
        .collect();
    let mut held = Vec::new();
    for sender in senders {
        held.push(sender.await.unwrap());
    }

    let query = json!({ "query": "{ all_blob_piece_v1 { totalCount } }" });
    let counted = ask(address, &post("/graphql", &query)).await.unwrap();

    let peak = peak_kb(&daemon);
    println!("200 large bodies: peak memory {peak} kB");
    assert_eq!(counted["data"]["all_blob_piece_v1"]["totalCount"], 0);
    assert!(peak < 300 * 1024, "the node took {peak} kB");
}

/// Opens the database of a node that has ended and checks all of it.
fn open_whole(directory: &Directory) -> SqliteStore {
    let store = SqliteStore::open(&directory.0.join("grove.sqlite3")).unwrap();
    assert_eq!(verify(&store).unwrap(), []);
    store
}

/// Whether an entry is there with all that follows from it; it must not be there without.
fn is_stored(store: &impl Read, submission: &Submission) -> bool {
    let hash: Hash = submission.entry().hash();
    let entry = store.entry(hash).unwrap();
    let document = store.document(hash.into()).unwrap();
    let (key, log_id) = {
        let entry = submission.entry().entry();
        (entry.public_key, entry.log_id)
    };
    let trees = store.trees(key, log_id).unwrap();
    assert_eq!(entry.is_some(), document.is_some());
    assert_eq!(entry.is_some(), !trees.is_empty());
    entry.is_some_and(|entry| entry.payload.as_deref() == Some(submission.payload()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_cut_off_half_way_are_whole_or_not_there() {
    let directory = Directory::new("cut-off");
    let mut daemon = Daemon::start(&directory.arguments());
    let author = Author::new(1);
    let create = |log_id: u64| {
        let args = NextArgs::first(LogId::new(log_id));
        forge(&author.0, &args, &piece(&log_id.to_be_bytes())).unwrap()
    };
    let mut submissions: Vec<Submission> = (0..400).map(create).collect();
    let mut requests: Vec<String> = Vec::new();
    for (number, submission) in submissions.iter().enumerate() {
        requests.push(match number % 2 {
            0 => by_graphql(submission),
            _ => call("panda_publishEntry", &rpc_params(submission)),
        });
    }
    for batch in 0..60 {
        let batched: Vec<_> = (0..10).map(|n| create(1000 + batch * 10 + n)).collect();
        let entries: Vec<_> = batched.iter().map(rpc_params).collect();
        requests.push(if batch % 2 == 0 {
            call("panda_publishEntries", &json!({ "entries": entries }))
        } else {
            let calls = entries.iter().enumerate().map(|(id, params)| {
                json!({ "jsonrpc": "2.0", "id": id, "method": "panda_publishEntry",
                        "params": params })
            });
            post("/", &calls.collect())
        });
        submissions.extend(batched);
    }
    for (number, request) in requests.iter().enumerate() {
        let mut stream = TcpStream::connect(daemon.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(number as u64 % 13 * 500)).await;
        drop(stream);
    }
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let store = open_whole(&directory);
    let stored = submissions.iter().filter(|one| is_stored(&store, one));
    println!(
        "{} of {} cut off publishes are stored",
        stored.count(),
        submissions.len()
    );
    drop(store);

    let daemon = Daemon::start(&directory.arguments());
    for submission in &submissions {
        let request = call("panda_publishEntry", &rpc_params(submission));
        let answer = ask(daemon.address, &request).await.unwrap();
        assert_eq!(answer["result"]["seqNum"], "2", "{answer}");
    }
    drop(daemon);
    let store = open_whole(&directory);

    assert!(submissions.iter().all(|one| is_stored(&store, one)));
    assert_eq!(store.counts().unwrap().entries, submissions.len() as u64);
}

/// Publishes documents, changes and deletions until the node is gone; notes what was answered.
async fn publish_until_gone(
    address: SocketAddr,
    seed: u8,
    round: u64,
    done: Arc<Mutex<Vec<Hash>>>,
) {
    let author = Author::new(seed);
    for number in 0.. {
        let log_id = LogId::new(round * 100_000 + number);
        let mut args = NextArgs::first(log_id);
        let mut tips: Option<DocumentViewId> = None;
        for step in 0..4u8 {
            let data = PlainValue::Bytes(vec![seed, step, number as u8]);
            let fields = [("data".to_owned(), data)].into();
            let schema_id = SchemaId::BLOB_PIECE;
            let operation = match tips.take() {
                None => Operation::Create { schema_id, fields },
                Some(previous) if step == 3 => Operation::Delete {
                    schema_id,
                    previous,
                },
                Some(previous) => Operation::Update {
                    schema_id,
                    previous,
                    fields,
                },
            };
            let submission = forge(&author.0, &args, &operation).unwrap();
            let Ok(answer) = ask(address, &by_graphql(&submission)).await else {
                return;
            };
            let next = &answer["data"]["publish"];
            let link = |name: &str| next[name].as_str().map(|hash| hash.parse().unwrap());
            args = NextArgs {
                log_id,
                seq_num: next["seqNum"].as_str().unwrap().parse().unwrap(),
                backlink: link("backlink"),
                skiplink: link("skiplink"),
            };
            tips = Some(submission.entry().operation_id().into());
            done.lock().unwrap().push(submission.entry().hash());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_while_publishing_has_all_it_answered_for() {
    let directory = Directory::new("killed");
    let done: Arc<Mutex<Vec<Hash>>> = Arc::default();
    for round in 0..5 {
        let mut daemon = Daemon::start(&directory.arguments());
        let before = done.lock().unwrap().len();
        let publishers: Vec<_> = (1..=6)
            .map(|seed| {
                let done = Arc::clone(&done);
                tokio::spawn(publish_until_gone(daemon.address, seed, round, done))
            })
            .collect();
        let began = Instant::now();
        while done.lock().unwrap().len() < before + 100 {
            assert!(began.elapsed() < PATIENCE * 6, "nothing is published");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        daemon.child.kill().unwrap();
        daemon.exit_code();
        for publisher in publishers {
            publisher.await.unwrap();
        }

        let store = open_whole(&directory);
        for hash in done.lock().unwrap().iter() {
            assert!(store.entry(*hash).unwrap().is_some(), "{hash} is lost");
        }
    }
    println!("{} entries answered for", done.lock().unwrap().len());
}

/// Whether any file in a directory holds these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let mut entries = std::fs::read_dir(directory).unwrap();
    entries.any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, bytes),
            // What is gone by now holds nothing.
            false => std::fs::read(&path)
                .is_ok_and(|content| content.windows(bytes.len()).any(|part| part == bytes)),
        }
    })
}

/// What has to be gone in all its forms: a piece in the database and one beside it, a field and a definition.
fn with_canary(canary: &str) -> [Operation; 4] {
    let mut large = canary.as_bytes().to_vec();
    large.resize(24 << 10, 7);
    let text = http_support::str;
    let field = http_support::create(
        &SchemaId::SCHEMA_FIELD_DEFINITION,
        vec![("name", text(canary)), ("type", text("str"))],
    );
    let fields = vec![
        ("name", text("gone")),
        ("description", text(&format!("says {canary}"))),
        ("fields", PlainValue::ViewIds(Vec::new())),
    ];
    let definition = http_support::create(&SchemaId::SCHEMA_DEFINITION, fields);
    [piece(canary.as_bytes()), piece(&large), field, definition]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_outlives_a_kill_with_all_its_consequences() {
    let directory = Directory::new("deletion-killed");
    let author = Author::new(1);
    let publish = async |daemon: &Daemon, args: &NextArgs, operation: &Operation| {
        let submission = forge(&author.0, args, operation).unwrap();
        let answer = ask(daemon.address, &by_graphql(&submission)).await.unwrap();
        let next = args.seq_num.next().unwrap().to_string();
        assert_eq!(answer["data"]["publish"]["seqNum"], next, "{answer}");
        submission.entry().hash()
    };
    for round in 0..3 {
        let canary = format!("grove_canary_of_round_{round}");
        let mut daemon = Daemon::start(&directory.arguments());
        let mut written = Vec::new();
        for (number, mut operation) in (0..).zip(with_canary(&canary)) {
            let args = NextArgs::first(LogId::new(10 * round + number));
            if let (Operation::Create { fields, .. }, Some((field, _))) =
                (&mut operation, written.last())
                && fields.contains_key("description")
            {
                let view = grove_core::types::OperationId::from(*field).into();
                fields.insert("fields".to_owned(), PlainValue::ViewIds(vec![view]));
            }
            let id = publish(&daemon, &args, &operation).await;
            written.push((id, (args, operation.schema_id().clone())));
        }
        assert!(holds(&directory.0, canary.as_bytes()));
        // A question that has the schema described, so that whatever is kept of it is kept.
        let described = json!({ "query": "{ __schema { types { name description } } }" });
        let described = ask(daemon.address, &post("/graphql", &described))
            .await
            .unwrap();
        assert!(described.to_string().contains(&canary));
        for (id, (args, schema_id)) in written {
            let next = NextArgs::after(args.log_id, args.seq_num, id, |_| Some(id)).unwrap();
            let previous = grove_core::types::OperationId::from(id).into();
            let delete = Operation::Delete {
                schema_id,
                previous,
            };
            publish(&daemon, &next, &delete).await;
        }
        let described = json!({ "query": "{ __schema { types { name description } } }" });
        let described = ask(daemon.address, &post("/graphql", &described))
            .await
            .unwrap();
        assert!(!described.to_string().contains(&canary));
        daemon.child.kill().unwrap();
        daemon.exit_code();

        let _daemon = Daemon::start(&directory.arguments());
        let began = Instant::now();
        while holds(&directory.0, canary.as_bytes()) {
            assert!(began.elapsed() < FORGOTTEN_WITHIN, "still in a file");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_ask_and_never_take_do_not_fill_the_memory() {
    let daemon = Daemon::start(&["--ephemeral", "--http-port=0"]);
    let address = daemon.address;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "rpc.discover" }).to_string();
    let frame = [
        &[0x81, 0x80 | call.len() as u8, 0, 0, 0, 0],
        call.as_bytes(),
    ]
    .concat();
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let frames = frame.repeat(500);
            tokio::spawn(async move {
                let mut socket = Socket::open(address).await;
                let mut sent = 0;
                // Until the node takes no more, or has answered thousands of times what it may hold.
                while sent < 4 << 20 {
                    let write = socket.write(&frames);
                    match tokio::time::timeout(Duration::from_secs(2), write).await {
                        Ok(Ok(())) => sent += frames.len(),
                        _ => break,
                    }
                }
                (socket, sent)
            })
        })
        .collect();
    let mut held = Vec::new();
    for flood in floods {
        held.push(flood.await.unwrap());
    }

    let query = json!({ "query": "{ all_blob_piece_v1 { totalCount } }" });
    let counted = ask(address, &post("/graphql", &query)).await.unwrap();

    let peak = peak_kb(&daemon);
    let sent: usize = held.iter().map(|(_, sent)| sent).sum();
    println!(
        "{} calls over sockets that take nothing: peak memory {peak} kB",
        sent / frame.len()
    );
    assert_eq!(counted["data"]["all_blob_piece_v1"]["totalCount"], 0);
    assert!(peak < MEMORY_MAX_KB, "the node took {peak} kB");
}
