//! The daemon as an operator meets it: banner, exit codes, signals, and data that outlives it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser as _;
use grove_core::author::{NextArgs, forge};
use grove_core::types::{LogId, PlainValue, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use grove_node::config::Config;
use grove_node::engine::AuthorLimits;
use http_support::daemon::{Daemon, Directory, command, run, temporary};
use http_support::{Author, build, create, encoded, piece, send};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn data_outlives_a_clean_stop() {
    let directory = Directory::new("outlives");
    let author = Author::new(1);
    let args = grove_core::author::NextArgs::first(Default::default());
    let submission = grove_core::author::forge(&author.0, &args, &piece(b"one")).unwrap();
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";

    let mut daemon = Daemon::start(&directory.arguments());
    let published = daemon.graphql(publish, encoded(&submission)).await;
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let mode = std::fs::metadata(&directory.0)
        .unwrap()
        .permissions()
        .mode();
    let mut daemon = Daemon::start(&directory.arguments());
    let query = "{ all_blob_piece_v1 { documents { fields { data } } } }";
    let found = daemon.graphql(query, Value::Null).await;
    daemon.signal("-INT");

    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(published["data"]["publish"]["seqNum"], "2");
    assert_eq!(
        found["data"]["all_blob_piece_v1"]["documents"],
        json!([{ "fields": { "data": "6f6e65" } }])
    );
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_taken_port_is_named_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = Directory::new("taken");
    let path = directory.0.to_str().unwrap();

    let output = run(&["--http-port", &port, "--data-dir", path]);

    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text.contains(&format!("port {port} on 127.0.0.1 is taken")),
        "{text}"
    );
    assert!(text.contains("--http-port"), "{text}");
    assert!(output.stdout.is_empty() && !directory.0.exists());
}

#[test]
fn two_nodes_do_not_share_a_directory() {
    let directory = Directory::new("shared");
    let _first = Daemon::start(&directory.arguments());

    let second = run(&directory.arguments());

    assert_eq!(second.status.code(), Some(4));
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another node is using")
    );
}

#[test]
fn a_directory_that_is_a_file_is_refused() {
    let directory = Directory::new("file");
    std::fs::write(&directory.0, "not a directory").unwrap();

    let output = run(&directory.arguments());
    std::fs::remove_file(&directory.0).unwrap();

    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let directory = Directory::new("foreign");
    std::fs::create_dir_all(&directory.0).unwrap();
    let database = directory.0.join("grove.sqlite3");
    std::fs::write(&database, "something else, long enough to be looked at").unwrap();

    let output = run(&directory.arguments());

    assert_eq!(output.status.code(), Some(4));
    assert!(
        std::fs::read_to_string(&database)
            .unwrap()
            .starts_with("something else")
    );
}

#[test]
fn an_ephemeral_node_leaves_nothing_behind_however_it_is_ended() {
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT", "-XCPU"] {
        let mut daemon = Daemon::start(&["--http-port", "0", "--ephemeral"]);
        let path = data_of(&daemon);
        assert!(path.is_dir());

        daemon.signal(signal);

        assert_eq!(daemon.exit_code(), Some(0), "{signal}");
        assert!(!path.exists(), "{signal}");
    }
}

/// Where a daemon says that it keeps its data.
fn data_of(daemon: &Daemon) -> PathBuf {
    let line = daemon.banner[1].trim().strip_prefix("data").unwrap().trim();
    // A path may hold spaces; what is said of it stands in brackets.
    PathBuf::from(line.split(" (").next().unwrap())
}

/// `nohup grove-node &`: who started it goes, and the node stays.
#[tokio::test]
async fn a_node_that_is_to_outlive_its_terminal_does() {
    let daemon = command(&["--http-port", "0", "--ephemeral"]);
    let mut nohup = Command::new("nohup");
    nohup.arg(daemon.get_program()).args(daemon.get_args());
    for (name, value) in daemon.get_envs() {
        match value {
            Some(value) => nohup.env(name, value),
            None => nohup.env_remove(name),
        };
    }
    let mut daemon = Daemon::spawn(nohup);

    daemon.signal("-HUP");
    let answer = daemon.graphql("{ __typename }", Value::Null).await;

    assert_eq!(answer["data"]["__typename"], "Query", "{answer}");
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
}

/// As when `ulimit -f` is lower than the database is large.
#[tokio::test]
async fn a_file_that_may_not_grow_ends_no_node() {
    let limited = command(&["--http-port", "0", "--ephemeral"]);
    let mut shell = Command::new("sh");
    let program = limited.get_program().to_str().unwrap();
    shell.args([
        "-c",
        &format!("ulimit -f 4000 && exec '{program}' --http-port 0 --ephemeral"),
    ]);
    shell.env("TMPDIR", temporary());
    let mut daemon = Daemon::spawn(shell);
    let path = data_of(&daemon);
    let author = Author::new(1);
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";

    let mut refused = None;
    for log_id in 0..200 {
        let args = NextArgs::first(LogId::new(log_id));
        let submission = forge(&author.0, &args, &piece(&[0; 200_000])).unwrap();
        let answer = daemon.graphql(publish, encoded(&submission)).await;
        if answer["data"]["publish"].is_null() {
            refused = Some(answer);
            break;
        }
    }

    let refused = refused.expect("there was no room for all of it");
    assert_eq!(
        refused["errors"][0]["extensions"]["phase"], "store",
        "{refused}"
    );
    assert_eq!(daemon.child.try_wait().unwrap(), None, "it lives");
    daemon.signal("-TERM");
    assert!(daemon.exit_code().is_some());
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_refused_stands_in_the_log_and_colours_do_not() {
    let author = Author::new(1);
    let daemon = Daemon::start(&["--http-port=0", "--ephemeral", "--log-level=debug"]);
    // A blob without any of its fields.
    let submission = author.first(&create(&SchemaId::BLOB, vec![]));
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";

    let answer = daemon.graphql(publish, encoded(&submission)).await;

    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
    let hash = submission.entry().hash().to_string();
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains(&hash));
    let line = line.unwrap_or_else(|| panic!("no line of {hash} in\n{log}"));
    assert!(line.contains("DEBUG") && line.contains(code), "{line}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
}

/// As when the disk with the log is full: what can't be written is lost, and nothing else is.
#[tokio::test]
async fn a_log_that_can_not_be_written_ends_nothing() {
    let author = Author::new(1);
    let plain = command(&[]);
    let program = plain.get_program().to_str().unwrap();
    let mut shell = Command::new("sh");
    shell.env("TMPDIR", temporary()).args([
        "-c",
        &format!("exec '{program}' --http-port 0 --ephemeral --log-level trace 2>/dev/full"),
    ]);
    let mut daemon = Daemon::spawn(shell);
    let submission = author.first(&create(&SchemaId::BLOB, vec![]));
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";

    for _ in 0..2 {
        let answer = daemon.graphql(publish, encoded(&submission)).await;
        assert!(
            answer["errors"][0]["extensions"]["code"].is_string(),
            "{answer}"
        );
    }

    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn a_command_whose_answer_nobody_can_read_does_not_panic() {
    let directory = Directory::new("unheard");
    for json in [&["--json"][..], &[]] {
        let arguments = [&directory.arguments()[..], json, &["gc", "--dry-run"]].concat();
        let mut command = command(&arguments);
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();

        let output = command.stdout(full).output().unwrap();

        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("standard output") && !said.contains("panicked"),
            "{said}"
        );
    }
}

/// What one key may have, as the operator says; of branches, which only peers bring, there is a test of the engine.
#[tokio::test]
async fn an_operator_bounds_the_entries_and_logs_of_a_key() {
    let [entries, logs] = ["--author-entries-max=2", "--author-logs-max=2"].map(|bound| {
        Daemon::start(&[
            "--ephemeral",
            "--http-port=0",
            "--log-branches-max=5",
            bound,
        ])
    });
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    let author = Author::new(1);
    let first = |log: u64| {
        let args = NextArgs::first(LogId::new(log));
        forge(&author.0, &args, &piece(&log.to_be_bytes())).unwrap()
    };
    let update = |on: &Submission| {
        let operation = Operation::Update {
            schema_id: SchemaId::BLOB_PIECE,
            previous: on.entry().operation_id().into(),
            fields: [("data".to_owned(), PlainValue::Bytes(b"more".to_vec()))].into(),
        };
        let args = NextArgs::after(LogId::new(0), SeqNum::FIRST, on.entry().hash(), |_| None);
        forge(&author.0, &args.unwrap(), &operation).unwrap()
    };
    let code = async |daemon: &Daemon, submission: &Submission| {
        let answer = daemon.graphql(publish, encoded(submission)).await;
        answer["errors"][0]["extensions"]["code"].clone()
    };

    for daemon in [&entries, &logs] {
        assert_eq!(code(daemon, &first(0)).await, Value::Null);
        assert_eq!(code(daemon, &first(1)).await, Value::Null);
        assert_eq!(code(daemon, &first(2)).await, "author_limit");
    }
    assert_eq!(code(&entries, &update(&first(0))).await, "author_limit");
    assert_eq!(code(&logs, &update(&first(0))).await, Value::Null);
    let other = Author::new(2);
    let theirs = forge(&other.0, &NextArgs::first(LogId::new(0)), &piece(b"theirs")).unwrap();
    assert_eq!(code(&entries, &theirs).await, Value::Null, "another key");

    let limits = |arguments: &[&str]| {
        let program = ["grove-node"].into_iter().chain(arguments.iter().copied());
        Config::try_parse_from(program).map(|config| config.author_limits())
    };
    let all = [
        "--author-entries-max=7",
        "--author-logs-max=3",
        "--log-branches-max=5",
    ];
    let expected = AuthorLimits {
        entries: Some(7),
        logs: Some(3),
        branches: 5,
    };
    assert_eq!(limits(&all).unwrap(), expected);
    assert_eq!(limits(&[]).unwrap(), AuthorLimits::default());
    assert!(limits(&["--log-branches-max=many"]).is_err());
}

#[test]
fn wrong_arguments_and_help_tell_what_is_right() {
    let wrong = run(&["--http-port", "70000"]);
    let help = run(&["--help"]);
    let version = run(&["--version"]);

    assert_eq!(wrong.status.code(), Some(2));
    let help = String::from_utf8(help.stdout).unwrap();
    for word in [
        "--data-dir",
        "--ephemeral",
        "GROVE_HTTP_PORT",
        "2020",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
    let expected = format!("grove-node {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut daemon = Daemon::start(&["--http-port", "0", "--ephemeral"]);
    // A request that does not come to its end keeps the node from stopping for a while.
    let mut stream = std::net::TcpStream::connect(daemon.address).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    )
    .unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();

    daemon.signal("-TERM");
    wait_until_closed(daemon.address);
    daemon.signal("-INT");

    assert_eq!(daemon.exit_code(), Some(130));
}

/// Returns once nobody listens there any more.
fn wait_until_closed(address: SocketAddr) {
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn operators_say_whom_they_let_in() {
    let [welcome, stranger] = [Author::new(1), Author::new(2)];
    let node = Daemon::start(&[
        "--ephemeral",
        "--http-port=0",
        "--allow-author",
        &welcome.public_key(),
        "--allow-schema=blob_piece_v1",
    ]);
    let publish = async |author: &Author| {
        let mutation = "mutation ($entry: EncodedEntry!, $operation: EncodedOperation!) {
            publish(entry: $entry, operation: $operation) { seqNum } }";
        node.graphql(mutation, encoded(&author.first(&piece(b"one"))))
            .await
    };

    assert_eq!(publish(&welcome).await["data"]["publish"]["seqNum"], "2");
    let refused = publish(&stranger).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"],
        "author_not_allowed"
    );
    let wrong = run(&["--ephemeral", "--allow-author=nobody"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test]
async fn a_disk_without_the_room_that_is_wanted_is_told_of_before_it_is_full() {
    let directory = Directory::new("disk");
    let roomy = Daemon::start(&directory.arguments());
    let health = send(roomy.address, build(Method::GET, "/healthz", "")).await;
    assert_eq!(health.status(), 200, "{}", health.body());
    drop(roomy);
    let never = format!("--disk-free-min={}", u64::MAX);
    let arguments = [&directory.arguments()[..], &[&never]].concat();

    let daemon = Daemon::start(&arguments);

    let health = send(daemon.address, build(Method::GET, "/healthz", "")).await;
    assert_eq!(health.status(), 503);
    let told: Value = serde_json::from_str(health.body()).unwrap();
    assert_eq!(told["error"]["cause"], "disk_full", "{told}");
    // Entries are taken for as long as there is room.
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    let entry = encoded(&Author::new(1).first(&piece(b"one")));
    let published = daemon.graphql(publish, entry).await;
    assert_eq!(published["data"]["publish"]["seqNum"], "2", "{published}");
}

/// A backup program, or somebody at a console, who keeps a transaction open: the node can't end that.
#[tokio::test]
async fn who_keeps_deleted_bytes_in_the_file_is_told_of() {
    let directory = Directory::new("outsider");
    let author = Author::new(1);
    let mut daemon = Daemon::start(&directory.arguments());
    let create = author.first(&piece(b"bytes that are to go"));
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { logId seqNum backlink skiplink } }";
    let created = daemon.graphql(publish, encoded(&create)).await;
    assert_eq!(created["data"]["publish"]["seqNum"], "2", "{created}");
    let outsider = rusqlite::Connection::open(directory.0.join("grove.sqlite3")).unwrap();
    outsider.execute_batch("BEGIN").unwrap();
    let _: i64 = outsider
        .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
        .unwrap();

    let delete = Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous: create.entry().operation_id().into(),
    };
    let hash = create.entry().hash();
    let args = NextArgs::after(LogId::default(), SeqNum::FIRST, hash, |_| None).unwrap();
    let delete = forge(&author.0, &args, &delete).unwrap();
    let deleted = daemon.graphql(publish, encoded(&delete)).await;
    assert_eq!(deleted["data"]["publish"]["seqNum"], "3", "{deleted}");
    while !daemon.log().contains("are kept for longer than 10 seconds") {
        assert_eq!(daemon.child.try_wait().unwrap(), None);
        tokio::task::yield_now().await;
    }
    let status = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getStatus" });
    let status = send(daemon.address, build(Method::POST, "/", status.to_string())).await;
    let status: Value = serde_json::from_str(status.body()).unwrap();

    assert_eq!(status["result"]["overdueDeletions"], 1, "{status}");
    outsider.execute_batch("COMMIT").unwrap();
    while !daemon.log().contains("are gone at last") {
        assert_eq!(daemon.child.try_wait().unwrap(), None);
        tokio::task::yield_now().await;
    }
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
}
