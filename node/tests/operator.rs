//! What an operator does to a node's data: through the running daemon, and without one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::os::unix::fs::PermissionsExt;

use grove_core::author::{NextArgs, forge};
use grove_core::types::{DocumentId, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use http_support::daemon::{Daemon, Directory, run};
use http_support::{Author, build, create, encoded, piece, send, str};
use hyper::Method;
use serde_json::{Value, json};

const PUBLISH: &str = "mutation P($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { seqNum } }";

/// Carries out a command; its answer as JSON.
fn operate(directory: &Directory, words: &[&str]) -> Result<Value, Value> {
    let place = ["--json", "--data-dir", directory.0.to_str().unwrap()];
    let output = run(&[words, &place].concat());
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    });
    if output.status.success() {
        Ok(answer)
    } else {
        Err(answer)
    }
}

/// Writes one entry to a log of its own.
fn write(author: &Author, log_id: u64, operation: &Operation) -> Submission {
    let args = NextArgs::first(LogId::new(log_id));
    forge(&author.0, &args, operation).unwrap()
}

fn blob(pieces: &[&Submission], length: i64) -> Operation {
    let pieces = pieces
        .iter()
        .map(|piece| piece.entry().operation_id().into());
    let fields = [
        ("length", PlainValue::Int(length)),
        ("mime_type", PlainValue::Str("text/plain".into())),
        ("pieces", PlainValue::ViewIds(pieces.collect())),
    ];
    Operation::Create {
        schema_id: SchemaId::BLOB,
        fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

async fn publish(daemon: &Daemon, submission: &Submission) {
    let answer = daemon.graphql(PUBLISH, encoded(submission)).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
}

async fn pieces_there(daemon: &Daemon) -> u64 {
    let answer = daemon
        .graphql("{ all_blob_piece_v1 { totalCount } }", Value::Null)
        .await;
    answer["data"]["all_blob_piece_v1"]["totalCount"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_running_node_collects_and_purges_at_a_word() {
    let directory = Directory::new("operator");
    let author = Author::new(1);
    let pieces: Vec<_> = [&b"one"[..], b"two", b"three"]
        .iter()
        .enumerate()
        .map(|(number, data)| write(&author, number as u64, &piece(data)))
        .collect();
    let listing = write(&author, 3, &blob(&[&pieces[0]], 3));
    let mut daemon = Daemon::start(&directory.arguments());
    for submission in pieces.iter().chain([&listing]) {
        publish(&daemon, submission).await;
    }
    let mode = std::fs::metadata(directory.0.join("admin.sock")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    // Young pieces may still wait for their blob.
    let spared = operate(&directory, &["gc"]).unwrap();
    assert_eq!(spared["pieces_spared"], 2, "{spared}");
    let told = operate(&directory, &["gc", "--grace", "0", "--dry-run"]).unwrap();
    assert_eq!(told["removed"][0]["count"], 2, "{told}");
    assert_eq!(pieces_there(&daemon).await, 3);
    let bytes = pieces[1].payload().len() + pieces[2].payload().len();
    let done = operate(&directory, &["gc", "--grace", "0"]).unwrap();
    assert_eq!(done["removed"], told["removed"]);
    assert_eq!(done["removed"][0]["bytes"], json!(bytes));
    assert_eq!(pieces_there(&daemon).await, 1);

    let id = DocumentId::from(listing.entry().operation_id()).to_string();
    let purged = operate(&directory, &["purge", "document", &id]).unwrap();
    assert_eq!(purged["removed"][0]["count"], 1, "{purged}");
    let query = format!("{{ blob_v1(id: \"{id}\") {{ meta {{ documentId }} }} }}");
    let found = daemon.graphql(&query, Value::Null).await;
    assert_eq!(found["data"]["blob_v1"], Value::Null);
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));

    // The record outlives the node, and can be read without it.
    let record = operate(&directory, &["audit-log"]).unwrap();
    let records = record["audit_log"].as_array().unwrap();
    assert_eq!(records.len(), 2, "{record}");
    assert!(records[0][1].as_str().unwrap().contains(&id));
}

#[tokio::test]
async fn purging_works_without_a_running_node() {
    let directory = Directory::new("operator-offline");
    let author = Author::new(1);
    let submissions: Vec<_> = (0..3)
        .map(|number| write(&author, number, &piece(&[number as u8; 30])))
        .collect();
    let mut daemon = Daemon::start(&directory.arguments());
    for submission in &submissions {
        publish(&daemon, submission).await;
    }
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let key = author.0.public_key().to_string();

    let log = operate(&directory, &["purge", "log", &key, "1"]).unwrap();
    assert_eq!(log["removed"][0]["count"], 1, "{log}");
    let all = operate(&directory, &["purge", "author", &key]).unwrap();
    assert_eq!(all["removed"][0]["count"], 2, "{all}");

    let daemon = Daemon::start(&directory.arguments());
    assert_eq!(pieces_there(&daemon).await, 0);
    let again = daemon.graphql(PUBLISH, encoded(&submissions[0])).await;
    assert_eq!(again["errors"][0]["extensions"]["code"], "log_purged");
}

#[tokio::test]
async fn what_is_not_there_is_not_purged() {
    let directory = Directory::new("operator-refused");
    let key = Author::new(1).0.public_key().to_string();
    let unknown = format!("0020{}", "aa".repeat(32));

    for (words, code) in [
        (vec!["purge", "document", &unknown], "document_not_found"),
        (vec!["purge", "document", "nonsense"], "invalid_hex"),
        (vec!["purge", "log", &key, "7"], "argument_invalid"),
        (vec!["purge", "log", &key, "x"], "invalid_number"),
    ] {
        let refused = operate(&directory, &words).unwrap_err();
        assert_eq!(refused["error"]["code"], code, "{words:?}: {refused}");
    }
    let nothing = operate(&directory, &["purge", "author", &key]).unwrap();
    assert_eq!(nothing["removed"][0]["count"], 0);
    assert_eq!(
        operate(&directory, &["audit-log"]).unwrap()["audit_log"],
        json!([])
    );
}

/// All schemas that clients can learn of: by JSON-RPC, by a query for its documents, and by its description.
async fn schemas_served(daemon: &Daemon, id: &SchemaId) -> [bool; 3] {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getSchemas" });
    let response = send(daemon.address, build(Method::POST, "/", call.to_string())).await;
    let listed = response.body().contains(&id.to_string());
    let query = format!("{{ all_{id} {{ totalCount }} }}");
    let asked = daemon.graphql(&query, Value::Null).await;
    let query = format!("{{ __type(name: \"{id}\") {{ name }} }}");
    let described = daemon.graphql(&query, Value::Null).await;
    [
        listed,
        asked["errors"].is_null(),
        !described["data"]["__type"].is_null(),
    ]
}

#[tokio::test]
async fn a_schema_that_is_deleted_or_not_wanted_is_served_to_nobody() {
    let directory = Directory::new("operator-schemas");
    let (author, reader) = (Author::new(1), Author::new(2));
    let field = create(
        &SchemaId::SCHEMA_FIELD_DEFINITION,
        vec![("name", str("text")), ("type", str("str"))],
    );
    let field = write(&author, 0, &field);
    let fields = vec![field.entry().operation_id().into()];
    let definition = create(
        &SchemaId::SCHEMA_DEFINITION,
        vec![
            ("name", str("secret")),
            ("description", str("not for everybody")),
            ("fields", PlainValue::ViewIds(fields)),
        ],
    );
    let definition = write(&author, 1, &definition);
    let view_id = definition.entry().operation_id();
    let id = SchemaId::Application {
        name: "secret".parse().unwrap(),
        view_id: view_id.into(),
    };
    let start = |more: &[&str]| Daemon::start(&[&directory.arguments()[..], more].concat());
    let stop = |mut daemon: Daemon| {
        daemon.signal("-TERM");
        assert_eq!(daemon.exit_code(), Some(0));
    };

    let daemon = start(&[]);
    publish(&daemon, &field).await;
    publish(&daemon, &definition).await;
    assert_eq!(schemas_served(&daemon, &id).await, [true; 3]);
    stop(daemon);

    let key = author.public_key();
    for settings in [
        ["--deny-author", key.as_str()],
        ["--allow-schema", "blob_v1"],
        ["--schemas-max", "0"],
        ["--author-schemas-max", "0"],
    ] {
        let daemon = start(&settings);
        assert_eq!(
            schemas_served(&daemon, &id).await,
            [false; 3],
            "{settings:?}"
        );
        stop(daemon);
    }
    let daemon = start(&[]);
    assert_eq!(schemas_served(&daemon, &id).await, [true; 3]);

    // Anybody may delete it.
    let delete = Operation::Delete {
        schema_id: SchemaId::SCHEMA_DEFINITION,
        previous: view_id.into(),
    };
    publish(&daemon, &write(&reader, 0, &delete)).await;
    assert_eq!(schemas_served(&daemon, &id).await, [false; 3]);
    stop(daemon);
    assert_eq!(schemas_served(&start(&[]), &id).await, [false; 3]);
}

#[tokio::test]
async fn verify_tells_what_is_damaged_whether_the_node_runs_or_not() {
    let directory = Directory::new("verified");
    let author = Author::new(1);
    let mut daemon = Daemon::start(&directory.arguments());
    for number in 0..60 {
        let data = vec![number as u8; 3_000];
        publish(&daemon, &write(&author, number, &piece(&data))).await;
    }

    let sound = operate(&directory, &["verify"]).unwrap();
    assert_eq!(
        sound["verified"],
        json!({ "documents": 60, "entries": 60, "damage": [] })
    );
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let path = directory.0.join("grove.sqlite3");
    let mut bytes = std::fs::read(&path).unwrap();
    let needle = [33_u8; 1_000];
    let at = bytes
        .windows(1_000)
        .position(|part| part == needle)
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let damage = |answer: Result<Value, Value>| answer.unwrap_err()["verified"]["damage"].clone();
    let without = damage(operate(&directory, &["verify"]));
    let daemon = Daemon::start(&directory.arguments());
    let online = damage(operate(&directory, &["verify"]));

    assert!(
        without[0].as_str().unwrap().starts_with("page "),
        "{without}"
    );
    assert!(without.as_array().unwrap().len() > 1, "{without}");
    assert_eq!(online, without);
    // Whatever lies elsewhere is served.
    assert!(pieces_there(&daemon).await == 60);
    publish(&daemon, &write(&author, 60, &piece(b"more"))).await;
}
