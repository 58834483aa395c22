//! Runs the live suite against our own node, against nodes that are none, and against proxies that lie.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use grove_conformance::check::OwnNode;
use grove_conformance::live::lifecycle;
use grove_conformance::live::manifest::{Manifest, ManifestError, Started};
use grove_conformance::live::{
    self, LiveOutcome, LiveRecord, LiveRun, Options, PROFILES, SetUpError, Wrong, evidence,
};
use grove_conformance::report::{Section, State};
use grove_conformance::suite::{Ruleset, Suite, store};

#[test]
fn our_node_passes_every_case() {
    let node = OwnNode::start().unwrap();

    let everything = Options {
        hazardous: true,
        ..Options::new(1)
    };
    let run = live::run(&node.url(), &suite(), &everything, &|_, _| {}).unwrap();
    node.stop();

    let not_passed: Vec<_> = run
        .records
        .iter()
        .filter(|record| record.outcome != LiveOutcome::Passed)
        .map(|record| (&record.id, &record.outcome))
        .collect();
    assert!(not_passed.is_empty(), "{not_passed:#?}");
    assert!(run.records.len() >= 1000, "{} cases", run.records.len());
    assert_eq!(run.ruleset, Ruleset::Spec);
    assert_eq!(run.records.len(), run.of);
}

#[test]
fn cases_have_ids_of_their_own_and_say_what_they_turn_on() {
    let suite = suite();
    let cases = live::all_cases(&suite);

    let mut ids = BTreeSet::new();
    for case in &cases {
        assert!(ids.insert(case.id.clone()), "{} stands twice", case.id);
        assert!(PROFILES.contains(&case.profile), "{}", case.profile);
        assert!(!case.needs.is_empty(), "{}", case.id);
        for id in &case.requires {
            assert!(suite.requirements.contains_key(id), "{}: {id}", case.id);
        }
        if let Some(id) = &case.ruling {
            assert!(suite.rulings.contains_key(id), "{}: {id}", case.id);
        }
    }
}

#[test]
fn a_seed_can_be_used_again_at_the_same_node() {
    let node = OwnNode::start().unwrap();

    let rounds = [0, 1].map(|_| judged(&node.url(), &["deletion", "forks", "query"]));
    let one = Options {
        only: Some("delete-relation".to_owned()),
        ..Options::new(1)
    };
    let alone = live::run(&node.url(), &suite(), &one, &|_, _| {}).unwrap();
    node.stop();

    for (round, run) in rounds.iter().enumerate() {
        assert_eq!(run.round, round as u64);
        assert_eq!(failed(run), Vec::<&str>::new());
    }
    assert_eq!(alone.records.len(), 1);
    assert_eq!(alone.records[0].outcome, LiveOutcome::Passed);
}

#[test]
fn a_node_that_never_says_no_fails_every_refusal() {
    let node = OwnNode::start().unwrap();
    let liar = proxy(&node, |_, body| {
        let args = r#"{"logId":"0","seqNum":"1","backlink":null,"skiplink":null}"#;
        if body.contains("\"errors\":") {
            format!(r#"{{"data":{{"publish":{args},"nextArgs":{args}}}}}"#)
        } else if body.contains("\"error\":") {
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{args}}}"#)
        } else {
            body
        }
    });
    let refusals = Options {
        ruleset: Some(Ruleset::Spec),
        only: Some("refuse-*".to_owned()),
        ..Options::new(4)
    };

    let run = live::run(&liar, &suite(), &refusals, &|_, _| {}).unwrap();
    node.stop();

    assert!(run.records.len() > 30);
    for record in &run.records {
        let failed = matches!(record.outcome, LiveOutcome::Failed(_));
        assert!(failed, "{record:#?}");
        assert!(
            !record.transcript.is_empty(),
            "no evidence for {}",
            record.id
        );
    }
}

#[test]
fn a_node_that_refuses_everything_is_one_failed_set_up() {
    let node = OwnNode::start().unwrap();
    let liar = proxy(&node, |request, body| {
        if request.contains("publish(") || request.contains("panda_publish") {
            return r#"{"data":null,"errors":[{"message":"no"}]}"#.to_owned();
        }
        body
    });

    let result = live::run(&liar, &suite(), &Options::new(5), &|_, _| {});
    node.stop();

    assert!(matches!(result, Err(SetUpError::Schema(_))), "{result:?}");
}

#[test]
fn a_node_that_forgets_is_one_failed_set_up() {
    let node = OwnNode::start().unwrap();
    let liar = proxy(&node, |request, body| {
        // Nothing that was published ever shows.
        if request.contains("{ all_") {
            return r#"{"data":null,"errors":[{"message":"no such schema"}]}"#.to_owned();
        }
        body
    });

    let result = live::run(&liar, &suite(), &Options::new(6), &|_, _| {});
    node.stop();

    assert!(matches!(result, Err(SetUpError::Schema(_))), "{result:?}");
}

#[test]
fn a_node_that_shows_nothing_of_its_documents_fails() {
    let node = OwnNode::start().unwrap();
    let liar = proxy(&node, |request, body| {
        if request.contains("{ it: ") && !request.contains("nextArgs") {
            return r#"{"data":{"it":null}}"#.to_owned();
        }
        body
    });

    let run = judged(&liar, &["deletion"]);
    node.stop();

    let not_passed = run
        .records
        .iter()
        .filter(|it| it.outcome != LiveOutcome::Passed);
    assert!(not_passed.count() > 8);
    let section = Section::of_live(&run, 0.0);
    assert!(section.state >= State::SetUpFailed);
}

#[test]
fn a_node_that_stops_midway_is_one_result() {
    let node = OwnNode::start().unwrap();
    let left = Arc::new(AtomicUsize::new(400));
    let liar = proxy(&node, move |_, body| {
        // Counts down to nothing and stays there.
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        if before.is_ok() { body } else { String::new() }
    });

    let run = judged(&liar, &["core"]);
    node.stop();

    assert!(run.stopped.is_some());
    let not_passed: Vec<_> = run
        .records
        .iter()
        .filter(|it| !matches!(it.outcome, LiveOutcome::Passed | LiveOutcome::Weak(_)))
        .collect();
    assert_eq!(not_passed.len(), 1, "{not_passed:#?}");
    assert!(run.records.len() < run.of / 2);
    let section = Section::of_live(&run, 0.0);
    let stopped = section
        .findings
        .iter()
        .filter(|finding| finding.id == "stopped");
    assert_eq!(stopped.count(), 1);
}

#[test]
fn servers_that_are_no_nodes_are_one_failed_set_up() {
    let always_200 = server(|_| http("{}"));
    let always_null = server(|_| http(r#"{"data":null}"#));
    let echo = server(|request| request.to_vec());
    let echo_body = server(|request| {
        let text = String::from_utf8_lossy(request).into_owned();
        http(text.split_once("\r\n\r\n").unwrap_or_default().1)
    });
    let other_protocol = server(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let silent = server(|_| Vec::new());

    for (what, url) in [
        ("always 200", always_200),
        ("always null", always_null),
        ("echo", echo),
        ("echo of bodies", echo_body),
        ("another protocol", other_protocol),
        ("silence", silent),
        // Nobody listens on a port below those that the system gives to whoever asks for any.
        ("nobody", "http://127.0.0.1:1".to_owned()),
    ] {
        let result = live::run(&url, &suite(), &Options::new(7), &|_, _| {});

        let set_up = matches!(result, Err(SetUpError::NoDoor | SetUpError::Schema(_)));
        assert!(set_up, "{what}: {result:?}");
    }
}

#[test]
fn a_node_without_json_rpc_fails_nothing_for_it() {
    let node = OwnNode::start().unwrap();
    let half = proxy(&node, |request, body| {
        if request.starts_with("POST / ") || request.starts_with("GET / ") {
            return "not found".to_owned();
        }
        body
    });

    let everything = judged(&half, &["jsonrpc", "forks", "deletion"]);
    let by_default = Options {
        only: Some("rpc-*".to_owned()),
        ..Options::new(9)
    };
    let by_default = live::run(&half, &suite(), &by_default, &|_, _| {}).unwrap();
    node.stop();

    assert_eq!(failed(&everything), Vec::<&str>::new());
    // Asked for by name and missing: one result, not one for each case.
    assert_eq!(everything.missing, ["jsonrpc"]);
    assert!(
        everything
            .records
            .iter()
            .all(|record| record.profile != "jsonrpc")
    );
    let section = Section::of_live(&everything, 0.0);
    assert_eq!(section.state, State::Partial);
    assert_eq!(
        everything.ruleset,
        Ruleset::Wire09,
        "who is not of our kind is judged by what deployed nodes do"
    );
    let not_applicable =
        |record: &LiveRecord| matches!(record.outcome, LiveOutcome::NotApplicable(_));
    assert!(by_default.records.iter().all(not_applicable));
}

#[test]
fn failures_leave_evidence_that_can_be_sent_again() {
    let node = OwnNode::start().unwrap();
    let liar = proxy(&node, |_, body| body.replace("\"hour\":2", "\"hour\":3"));
    let only = Options {
        only: Some("update".to_owned()),
        ..Options::new(10)
    };
    let folder = tempfile::tempdir().unwrap();

    let run = live::run(&liar, &suite(), &only, &|_, _| {}).unwrap();
    let folders = evidence::write(&run, "digest", folder.path()).unwrap();
    let replayed = evidence::replay(&folders[0], &node.url()).unwrap();
    node.stop();

    let case: serde_json::Value = read(&folders[0].join("case.json"));
    assert_eq!(case["case"], "update");
    assert_eq!(case["seed"], 10);
    let repeat = case["repeat"].as_str().unwrap();
    assert_eq!(
        repeat,
        format!("grove-conformance case update --http {liar} --seed 10 --ruleset spec")
    );
    let words = std::fs::read_to_string(folders[0].join("transcript.txt")).unwrap();
    assert!(words.contains("action 1: UPDATE"), "{words}");
    assert!(words.contains("public key"), "{words}");
    // The node itself says what it said, but where the proxy lied.
    assert!(replayed.iter().any(|one| one.is_same()));
    assert!(replayed.iter().any(|one| !one.is_same()));
}

#[test]
fn what_is_no_address_is_said_so() {
    for url in ["", "localhost:2020", "https://localhost", "http://"] {
        let result = live::run(url, &suite(), &Options::new(1), &|_, _| {});

        assert!(matches!(result, Err(SetUpError::Address(_))), "{url:?}");
    }
}

#[test]
fn set_up_failures_are_told_apart_from_failures() {
    let wrong = Wrong::SetUp("no".to_owned());

    assert_eq!(wrong.to_string(), "set-up failed: no");
}

fn suite() -> Suite {
    Suite::load(Path::new(store::DEFAULT_DIR)).unwrap()
}

fn judged(url: &str, profiles: &[&str]) -> LiveRun {
    let options = Options {
        profiles: profiles.iter().map(|&name| name.to_owned()).collect(),
        ..Options::new(8)
    };
    live::run(url, &suite(), &options, &|_, _| {}).unwrap()
}

fn failed(run: &LiveRun) -> Vec<&str> {
    let bad = |record: &&LiveRecord| {
        matches!(
            record.outcome,
            LiveOutcome::Failed(_) | LiveOutcome::SetUpFailed(_)
        )
    };
    run.records
        .iter()
        .filter(bad)
        .map(|record| record.id.as_str())
        .collect()
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn http(body: &str) -> Vec<u8> {
    let size = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n{body}")
        .into_bytes()
}

/// A server that answers each request by what `answer` makes of its bytes, and its address.
fn server(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let request = message(&mut client)?;
                // Whoever hangs up has what it came for.
                client.write_all(&answer(&request))
            });
        }
    });
    url
}

/// A proxy before the node that makes of each request and its answer's body another body, and its address.
/// Nothing at all is sent where that is empty.
fn proxy(
    node: &OwnNode,
    change: impl Fn(&str, String) -> String + Send + Sync + 'static,
) -> String {
    let node: SocketAddr = node.url().trim_start_matches("http://").parse().unwrap();
    server(move |request| {
        let text = String::from_utf8_lossy(request).into_owned();
        let status_and_body = behind(node, &text).unwrap_or_default();
        let (head, body) = status_and_body.split_once("\r\n\r\n").unwrap_or_default();
        let before = body.to_owned();
        let body = change(&text, before.clone());
        if body.is_empty() && !before.is_empty() {
            return Vec::new();
        }
        let status = head.lines().next().unwrap_or("HTTP/1.1 502 Bad Gateway");
        let status = if body == before {
            status
        } else {
            "HTTP/1.1 200 OK"
        };
        let size = body.len();
        format!("{status}\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n{body}")
            .into_bytes()
    })
}

fn behind(node: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(node)?;
    let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(request.as_bytes())?;
    Ok(String::from_utf8_lossy(&message(&mut stream)?).into_owned())
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

#[test]
fn a_node_that_a_manifest_starts_is_stopped_and_killed() {
    let node = Path::new(env!("CARGO_BIN_EXE_grove-conformance")).with_file_name("grove-node");
    if !node.exists() && std::env::var_os("CI").is_none() {
        eprintln!("skipped: {} is not built", node.display());
        return;
    }
    let manifest = Manifest::load(&targets().join("grove-node.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest.with_programs_of(node.parent().unwrap());

    let mut started = Started::start(&manifest, folder.path()).unwrap();
    let records = lifecycle::run(&mut started, &Options::new(11));
    started.stop();

    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record.outcome, LiveOutcome::Passed, "{record:#?}");
    }
}

#[test]
fn a_program_that_is_no_node_is_never_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-node.toml");
    let text = "name = \"sleeper\"\nstart = [\"sleep\", \"60\"]\nhttp = \"http://127.0.0.1:{port}\"\nready_seconds = 1\n";
    std::fs::write(&path, text).unwrap();

    let result = Started::start(&Manifest::load(&path).unwrap(), &folder.path().join("data"));

    assert!(
        matches!(result, Err(ManifestError::NotReady(1, _))),
        "{result:?}"
    );
}

#[test]
fn manifests_explain_what_fails_in_the_same_words() {
    let manifest = Manifest::load(&targets().join("aquadoggo.toml")).unwrap();

    assert!(manifest.alone, "it listens on all addresses");
    assert!(
        manifest
            .explains("filter-null", "internal: not a list")
            .is_some()
    );
    assert!(
        manifest
            .explains(
                "blob-head",
                "not within 5 s: the blob is served; last seen: 404"
            )
            .is_some()
    );
    assert_eq!(
        manifest.explains("blob-head", "the ETag is another one"),
        None
    );
    assert_eq!(
        manifest.explains("delete", "the document is still there"),
        None
    );
}

fn targets() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("targets")
}
