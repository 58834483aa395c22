//! The daemon over the database that its operator chose: on a server, or a file somewhere else.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;
mod postgres_server;

use http_support::daemon::{Daemon, Directory, command, run, temporary};
use http_support::{Author, encoded, piece};
use postgres_server::Database;
use serde_json::{Value, json};

#[tokio::test]
async fn nodes_share_a_database_that_outlives_them() {
    let Some(database) = Database::new() else {
        return;
    };
    let directories = [Directory::new("server-one"), Directory::new("server-two")];
    let (encrypted, authority) = database.encrypted();
    let place = format!("file://{}", directories[0].0.join("blobs").display());
    let with = |number: usize, place: &str| {
        let mut command = command(&directories[number].arguments());
        // One by an encrypted connection, with what it trusts named; the other by a plain one.
        let url = [&encrypted, &database.url()][number].clone();
        command.env("SSL_CERT_FILE", &authority);
        command.env("GROVE_DATABASE_URL", url);
        command.env("GROVE_BLOBS_URL", place);
        command
    };
    let start = |number: usize| Daemon::spawn(with(number, &place));
    let publish = "mutation P($entry: EncodedEntry!, $operation: EncodedOperation!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    let query = "{ all_blob_piece_v1 { totalCount documents { fields { data } } } }";

    let mut nodes = [start(0), start(1)];
    for (node, author) in nodes.iter().zip([1, 2]) {
        let submission = Author::new(author).first(&piece(&[b'1'; 20_000]));
        let published = node.graphql(publish, encoded(&submission)).await;
        assert_eq!(published["data"]["publish"]["seqNum"], "2", "{published}");
    }
    for node in &mut nodes {
        let found = node.graphql(query, Value::Null).await;
        assert_eq!(
            found["data"]["all_blob_piece_v1"]["totalCount"], 2,
            "{found}"
        );
        assert!(!node.banner.concat().contains("hidden"));
        assert!(node.banner[1].contains("postgres://"), "{:?}", node.banner);
        node.signal("-TERM");
        assert_eq!(node.exit_code(), Some(0));
    }
    let node = start(1);
    let found = node.graphql(query, Value::Null).await;

    let one = json!({ "fields": { "data": "31".repeat(20_000) } });
    let documents = &found["data"]["all_blob_piece_v1"]["documents"];
    assert_eq!(*documents, json!([one, one]));
    let other = format!("file://{}", directories[1].0.join("blobs").display());
    let mut without = with(0, &place);
    without.env_remove("GROVE_BLOBS_URL");
    for mut elsewhere in [with(0, &other), without] {
        let refused = elsewhere.output().unwrap();
        assert_eq!(refused.status.code(), Some(4));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(
            text.contains("another place") && text.contains("--blobs-url"),
            "{text}"
        );
    }
}

/// Where nobody listens: a port below those that the system gives to whoever asks for any.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let directory = Directory::new("no-server");
    for (url, expected) in [
        (format!("postgres://me:hidden@{NOBODY}/grove"), "refused"),
        (
            "postgres://me:hidden@127.0.0.1/grove?sslmode=verify-full".to_owned(),
            "sslmode",
        ),
        (
            "mysql://me:hidden@127.0.0.1/grove".to_owned(),
            "sqlite:PATH",
        ),
        ("sqlite:".to_owned(), "sqlite:PATH"),
    ] {
        let [by_argument, by_variable] = [true, false].map(|argument| {
            let mut command = command(&directory.arguments());
            if argument {
                command.args(["--log-level", "trace", "--database-url", &url]);
            } else {
                command.env("GROVE_DATABASE_URL", &url);
            }
            command.output().unwrap()
        });
        for output in [by_argument, by_variable] {
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(4), "{text}");
            assert!(text.contains(expected) && text.contains("hint:"), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }
    let passing = format!("file://{}", temporary().join("blobs").display());
    let output = command(&directory.arguments())
        .env("GROVE_DATABASE_URL", "postgres://h/n")
        .env("GROVE_BLOBS_URL", passing)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("temporary files"), "{text}");
    let help = command(&["--help"])
        .env("GROVE_DATABASE_URL", "postgres://me:hidden@h/n")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--database-url") && !help.contains("hidden"));
}

#[tokio::test]
async fn an_sqlite_file_elsewhere_belongs_to_one_node() {
    let directories = [Directory::new("file-one"), Directory::new("file-two")];
    std::fs::create_dir_all(&directories[0].0).unwrap();
    let file = directories[0].0.join("elsewhere.sqlite3");
    let url = format!("sqlite:{}", file.display());
    let arguments = |number: usize| {
        let mut arguments = directories[number].arguments().to_vec();
        arguments.extend(["--database-url", &url]);
        arguments
    };
    let node = Daemon::start(&arguments(0));
    let second = run(&arguments(1));

    assert!(node.banner[1].contains("elsewhere.sqlite3") && file.exists());
    assert_eq!(second.status.code(), Some(4));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another node is using"), "{text}");
}
