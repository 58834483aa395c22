//! What a node keeps when it is stopped or killed, judged with a node that the harness starts.
//!
//! What was acknowledged is there afterwards, and its author can go on; of what was not acknowledged, at most the one
//! entry that was under way is there, whole.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::author::Author;
use super::manifest::Started;
use super::under_test::{NodeUnderTest, set_up};
use super::{LiveOutcome, LiveRecord, Options, Wrong, api};
use crate::forge::Hash;

/// How long entries are published before the node is killed, in milliseconds: one kill for each.
const MOMENTS: [u64; 10] = [5, 11, 17, 29, 41, 53, 71, 97, 131, 173];

type Check = fn(&mut Started, &mut NodeUnderTest) -> Result<(), Wrong>;

const CHECKS: [(&str, &str, Check); 3] = [
    (
        "stopped-and-started",
        "what was published is there after a stop and a start",
        |node, target| kept(node, target, Started::stop),
    ),
    (
        "killed-after-publishing",
        "what was acknowledged is there after the node was killed",
        |node, target| kept(node, target, Started::kill),
    ),
    (
        "killed-while-publishing",
        "killed at whatever moment, a node keeps what it acknowledged and its author can go on",
        killed_midway,
    ),
];

/// Judges a node that was started for this.
pub fn run(node: &mut Started, options: &Options) -> Vec<LiveRecord> {
    let check = |(id, title, check): &(&str, &str, Check)| {
        let began = Instant::now();
        let mut transcript = Vec::new();
        let result = NodeUnderTest::set_up(&node.url(), options)
            .map_err(|error| Wrong::SetUp(error.to_string()));
        let result = result.and_then(|mut target| {
            target.begin(id);
            let result = check(node, &mut target);
            transcript = target.end();
            result
        });
        let outcome = match result {
            Ok(()) => LiveOutcome::Passed,
            Err(Wrong::SetUp(what)) => LiveOutcome::SetUpFailed(what),
            Err(wrong) => LiveOutcome::Failed(wrong.to_string()),
        };
        if outcome == LiveOutcome::Passed {
            transcript.clear();
        }
        LiveRecord {
            id: (*id).to_owned(),
            profile: "core".to_owned(),
            title: (*title).to_owned(),
            requires: Vec::new(),
            ruling: None,
            outcome,
            transcript,
            millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    };
    CHECKS.iter().map(check).collect()
}

/// Starts it again, and makes a client that knows no old connection.
fn again(node: &mut Started, target: &mut NodeUnderTest) -> Result<(), Wrong> {
    node.again()
        .map_err(|error| Wrong::Behaviour(format!("it does not start again: {error}")))?;
    target
        .reconnect(&node.url())
        .map_err(|error| Wrong::SetUp(error.to_string()))
}

fn kept(
    node: &mut Started,
    target: &mut NodeUnderTest,
    end: fn(&mut Started),
) -> Result<(), Wrong> {
    let door = target.door();
    let mut author = target.author("kept");
    let document = set_up(target.create(&mut author, 1, "kept", door))?;
    let update = target.update_operation(&[document.id], 2);
    set_up(target.publish(&mut author, document.log, update, door))?;
    let doomed = set_up(target.create(&mut author, 1, "doomed", door))?;
    let delete = target.delete_operation(&[doomed.id]);
    set_up(target.publish(&mut author, doomed.log, delete, door))?;
    end(node);
    again(node, target)?;
    must_go_on(target, &author, document.log, document.id)?;
    target.document_until(document.id, "the document shows as it was", |shown| {
        shown["fields"]["hour"] == 2
    })?;
    target.document_until(
        doomed.id,
        "the deleted document is gone",
        serde_json::Value::is_null,
    )?;
    let update = target.update_operation(&[document.id], 3);
    target
        .publish(&mut author, document.log, update, door)
        .map(drop)
}

fn must_go_on(target: &NodeUnderTest, author: &Author, log: usize, id: Hash) -> Result<(), Wrong> {
    let door = target.door();
    let answer = api::next_args(&target.client, door, &author.public_key(), Some(&id.hex()))?;
    let args = api::read_args(door, &answer.expect("nextArgs")?)?;
    let expected = author.next_args(log);
    if args == expected {
        return Ok(());
    }
    Err(Wrong::Behaviour(format!(
        "nextArgs are {args:?}, expected {expected:?}"
    )))
}

fn killed_midway(node: &mut Started, target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for moment in MOMENTS {
        let door = target.door();
        let mut author = target.author(&format!("at {moment} ms"));
        let document = set_up(target.create(&mut author, 0, "killed", door))?;
        let over = AtomicBool::new(false);
        let under_way = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(moment));
                node.kill();
                over.store(true, Ordering::SeqCst);
            });
            let mut tip = document.id;
            for hour in 1.. {
                let operation = target.update_operation(&[tip], hour);
                let entry = author.draft(document.log, &operation).sign(author.key());
                match api::publish(&target.client, door, &entry, &operation) {
                    Ok(api::Answer::Result(_)) => tip = author.keep(document.log, entry, operation),
                    Ok(refused) => return Err(refused.expect("a sound entry").err()),
                    Err(_) if over.load(Ordering::SeqCst) || hour > 0 => {
                        return Ok((entry, operation));
                    }
                    Err(wrong) => return Err(Some(wrong)),
                }
            }
            Err(None)
        });
        let (entry, operation) = under_way
            .map_err(|wrong| wrong.unwrap_or(Wrong::SetUp("nothing was under way".to_owned())))?;
        again(node, target)?;
        if must_go_on(target, &author, document.log, document.id).is_err() {
            // Then what was under way is there, and whole.
            author.keep(document.log, entry, operation);
            must_go_on(target, &author, document.log, document.id)?;
        } else {
            let answer = api::publish(&target.client, door, &entry, &operation)?;
            answer.expect("the entry that was under way, once more")?;
            author.keep(document.log, entry, operation);
        }
        let log = author.log(document.log);
        let last = log.entries.last().map(Hash::of).unwrap_or(document.id);
        let hour = log.entries.len();
        let operation = target.update_operation(&[last], hour as i128);
        target.publish(&mut author, document.log, operation, door)?;
        target.document_until(
            document.id,
            "the document shows all that was acknowledged",
            |shown| shown["fields"]["hour"].as_u64() == Some(hour as u64),
        )?;
    }
    Ok(())
}
