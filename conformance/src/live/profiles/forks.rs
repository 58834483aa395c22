//! Forks at a client's door (R24): of two entries for one place the second is told what to do instead, does it and
//! succeeds, and nothing that was accepted is taken back.

use super::super::Wrong;
use super::super::api::{self, Answer, NextArgs};
use super::super::author::Author;
use super::super::doors::{Door, Need};
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, must, must_equal};
use crate::forge::{Draft, Hash, hash, unhex};
use crate::suite::Ruleset;

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "would-fork-at-the-tip",
        "of two updates with the same arguments the second succeeds with fresh ones",
        at_the_tip,
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24"),
    check(
        "would-fork-first-entry",
        "of two first entries of a log the second gets a log of its own",
        first_entry,
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24"),
    check(
        "would-fork-in-the-middle",
        "an entry behind one that was followed is told where its log ends",
        in_the_middle,
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24"),
    check(
        "would-fork-retried",
        "an entry that was outrun stays refused, the one that was faster stays a success",
        retried,
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24"),
];

/// A node's refusal of an entry for a place that is taken.
struct WouldFork {
    /// Id of the entry that is there, where the node has to tell it.
    existing: Option<String>,
    next_args: NextArgs,
}

//= R24: sends a second entry for a taken place
fn refused(
    target: &NodeUnderTest,
    door: Door,
    answer: Answer,
    (author, view): (&Author, Option<Hash>),
) -> Result<WouldFork, Wrong> {
    let Answer::Refused {
        code,
        message,
        data,
    } = answer
    else {
        let what = "a second entry for a place that is taken was accepted".to_owned();
        return Err(Wrong::Behaviour(what));
    };
    if target.ruleset == Ruleset::Wire09 {
        // Deployed nodes say no more than no; what comes next has to be asked for.
        let (key, view) = (author.public_key(), view.map(|id| id.hex()));
        let answer = api::next_args(&target.client, door, &key, view.as_deref())?;
        return Ok(WouldFork {
            existing: None,
            next_args: api::read_args(door, &answer.expect("nextArgs")?)?,
        });
    }
    if code.as_deref() != Some("would_fork") {
        let code = code.unwrap_or_else(|| "no code".to_owned());
        let what = format!("{door:?} refused with {code}, expected would_fork: {message}");
        return Err(Wrong::Weakly(what));
    }
    Ok(WouldFork {
        existing: Some(data["existing"].as_str().unwrap_or_default().to_owned()),
        next_args: api::read_args(door, &data["nextArgs"])?,
    })
}

impl WouldFork {
    fn must_name(&self, existing: Hash) -> Result<(), Wrong> {
        let named = self.existing.as_deref();
        let expected = existing.hex();
        must(named.is_none_or(|named| named == expected), || {
            format!("the entry that is there is told as {named:?}, expected {expected}")
        })
    }
}

/// An entry on the arguments a node told, with an operation that was outrun.
fn signed_anew(author: &Author, args: &NextArgs, operation: &[u8]) -> Result<Vec<u8>, Wrong> {
    let number = |text: &str| {
        let number = text.parse::<u64>();
        number.map_err(|_| Wrong::Behaviour(format!("{text:?} is no number")))
    };
    let link = |text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        let hash = bytes.map(Hash);
        hash.map(Some)
            .ok_or_else(|| Wrong::Behaviour(format!("{text:?} is no hash")))
    };
    let draft = Draft {
        log_id: number(&args.log_id)?,
        seq_num: number(&args.seq_num)?,
        backlink: link(&args.backlink)?,
        skiplink: link(&args.skiplink)?,
        ..Draft::first(author.key(), 0, operation)
    };
    Ok(draft.sign(author.key()))
}

fn at_the_tip(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let document = target.create(&mut author, 1, "two at once", door)?;
        let first = target.update_operation(&[document.id], 2);
        let second = target.update_operation(&[document.id], 3);
        let outrun = author.draft(document.log, &second).sign(author.key());
        let kept = target.publish(&mut author, document.log, first, door)?;

        let answer = api::publish(&target.client, door, &outrun, &second)?;
        let told = refused(target, door, answer, (&author, Some(document.id)))?;
        told.must_name(kept)?;
        let expected = author.next_args(document.log);
        must_equal("the fresh arguments", &told.next_args, &expected)?;
        let entry = signed_anew(&author, &told.next_args, &second)?;
        let answer = api::publish(&target.client, door, &entry, &second)?;
        answer.expect("the outrun operation with fresh arguments")?;

        if !target.doors.has(Need::GraphQl) {
            continue;
        }
        // Both build on the same view, so both are tips, and neither was taken back.
        let view_id = hash::view_id(&[kept, Hash::of(&entry)]);
        target.document_until(document.id, "both updates are in the view", |shown| {
            shown["meta"]["viewId"] == view_id.as_str()
        })?;
    }
    Ok(())
}

fn first_entry(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let second = target.create_operation(2, "second");
        let mut twin = author.clone();
        let log = twin.open_log();
        let outrun = twin.draft(log, &second).sign(twin.key());
        let kept = target.create(&mut author, 1, "first", door)?;

        let answer = api::publish(&target.client, door, &outrun, &second)?;
        let told = refused(target, door, answer, (&author, None))?;
        told.must_name(kept.id)?;
        let args = &told.next_args;
        let is_new = args.seq_num == "1" && args.log_id != "0";
        let is_new = is_new && args.backlink.is_none() && args.skiplink.is_none();
        must(is_new, || format!("{args:?} do not begin another log"))?;
        let entry = signed_anew(&author, args, &second)?;
        let answer = api::publish(&target.client, door, &entry, &second)?;
        answer.expect("the outrun CREATE in a log of its own")?;

        for (id, hour) in [(kept.id, 1), (Hash::of(&entry), 2)] {
            if !target.doors.has(Need::GraphQl) {
                break;
            }
            target.document_until(id, "both documents show", |shown| {
                shown["fields"]["hour"] == hour
            })?;
        }
    }
    Ok(())
}

fn in_the_middle(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let document = target.create(&mut author, 1, "followed", door)?;
        let late = target.update_operation(&[document.id], 9);
        let outrun = author.draft(document.log, &late).sign(author.key());
        let mut tip = document.id;
        let mut followed = None;
        for hour in 2..5 {
            let operation = target.update_operation(&[tip], hour);
            tip = target.publish(&mut author, document.log, operation, door)?;
            followed.get_or_insert(tip);
        }

        let answer = api::publish(&target.client, door, &outrun, &late)?;
        let told = refused(target, door, answer, (&author, Some(document.id)))?;
        told.must_name(followed.unwrap_or(tip))?;
        let expected = author.next_args(document.log);
        must_equal("the fresh arguments", told.next_args, expected)?;
    }
    Ok(())
}

//= PB7: retries an entry after another one for its place was refused
fn retried(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let document = target.create(&mut author, 1, "retried", door)?;
        let second = target.update_operation(&[document.id], 3);
        let outrun = author.draft(document.log, &second).sign(author.key());
        let first = target.update_operation(&[document.id], 2);
        target.publish(&mut author, document.log, first, door)?;

        for _ in 0..2 {
            let answer = api::publish(&target.client, door, &outrun, &second)?;
            refused(target, door, answer, (&author, Some(document.id)))?;
            let log = author.log(document.log);
            let (entry, operation) = (&log.entries[1], &log.payloads[1]);
            let answer = api::publish(&target.client, door, entry, operation)?;
            if target.ruleset == Ruleset::Wire09 && matches!(answer, Answer::Refused { .. }) {
                continue;
            }
            let args = api::read_args(door, &answer.expect("a repeated entry")?)?;
            let expected = author.next_args(document.log);
            must_equal("the answer to the repetition", args, expected)?;
        }
        // What was refused left no trace.
        let key = author.public_key();
        let view = document.id.hex();
        let answer = api::next_args(&target.client, door, &key, Some(&view))?;
        let args = api::read_args(door, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs", args, author.next_args(document.log))?;
    }
    Ok(())
}
