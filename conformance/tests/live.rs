//! Runs the live suite against our own node, against one that never says no, and against none at all.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use grove_conformance::check::OwnNode;
use grove_conformance::live::{self, LiveOutcome, LiveRun, SetUpError};

#[test]
fn our_node_passes_every_check() {
    let node = OwnNode::start().unwrap();

    let run = live::run(&node.url(), 1, &|_, _| {}).unwrap();
    node.stop();

    let not_passed: Vec<_> = run
        .records
        .iter()
        .filter(|record| record.outcome != LiveOutcome::Passed)
        .collect();
    assert!(not_passed.is_empty(), "{not_passed:#?}");
    assert!(run.records.len() > 60);
}

#[test]
fn a_shared_node_can_be_checked_again() {
    let node = OwnNode::start().unwrap();

    let runs = [2, 3].map(|seed| live::run(&node.url(), seed, &|_, _| {}).unwrap());
    node.stop();

    assert_eq!(failed(&runs[0]), failed(&runs[1]));
}

#[test]
fn a_node_that_never_says_no_fails_every_refusal() {
    let node = OwnNode::start().unwrap();
    let address = node.url().trim_start_matches("http://").parse().unwrap();

    let run = live::run(&yes_man(address), 4, &|_, _| {}).unwrap();
    node.stop();

    let refusals = run
        .records
        .iter()
        .filter(|record| record.id.starts_with("refuse-"));
    for record in refusals {
        assert!(
            matches!(record.outcome, LiveOutcome::Failed(_)),
            "{record:#?}"
        );
        assert!(
            !record.transcript.is_empty(),
            "no evidence for {}",
            record.id
        );
    }
}

#[test]
fn nobody_at_the_address_is_a_failed_set_up() {
    // Nobody listens on a port below those that the system gives to whoever asks for any.
    assert!(matches!(
        live::run("http://127.0.0.1:1", 1, &|_, _| {}),
        Err(SetUpError::Schema(_))
    ));
}

#[test]
fn what_is_no_address_is_said_so() {
    for url in ["", "localhost:2020", "https://localhost", "http://"] {
        let result = live::run(url, 1, &|_, _| {});

        assert!(matches!(result, Err(SetUpError::Address(_))), "{url:?}");
    }
}

fn failed(run: &LiveRun) -> Vec<&str> {
    let failed = run
        .records
        .iter()
        .filter(|r| matches!(r.outcome, LiveOutcome::Failed(_)));
    failed.map(|record| record.id.as_str()).collect()
}

/// A proxy that turns every error of the node behind it into a result, and its address.
fn yes_man(node: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Whoever hangs up has what it came for.
            thread::spawn(move || drop(answer(client, node)));
        }
    });
    url
}

fn answer(mut client: TcpStream, node: SocketAddr) -> std::io::Result<()> {
    let request = message(&mut client)?;
    let mut behind = TcpStream::connect(node)?;
    let text = String::from_utf8_lossy(&request);
    behind.write_all(
        text.replacen("\r\n", "\r\nconnection: close\r\n", 1)
            .as_bytes(),
    )?;
    let response = String::from_utf8_lossy(&message(&mut behind)?).into_owned();
    let (_, body) = response.split_once("\r\n\r\n").unwrap_or_default();

    let args = r#"{"logId":"0","seqNum":"1","backlink":null,"skiplink":null}"#;
    let body = if body.contains("\"errors\":") {
        format!(r#"{{"data":{{"publish":{args},"nextArgs":{args}}}}}"#)
    } else if body.contains("\"error\":") {
        format!(r#"{{"jsonrpc":"2.0","id":7,"result":{args}}}"#)
    } else {
        body.to_owned()
    };
    write!(
        client,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Head and body of one HTTP message with a content length.
fn message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let whole = text.find("\r\n\r\n").is_some_and(|end| {
            let length = text
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next());
            bytes.len() >= end + 4 + length.and_then(|text| text.parse().ok()).unwrap_or(0)
        });
        if whole || read == 0 {
            return Ok(bytes);
        }
    }
}
