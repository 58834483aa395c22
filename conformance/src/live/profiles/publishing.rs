//! Publishing: the arguments of the next entry, logs, and what publishing answers.

use super::super::Wrong;
use super::super::api::{self, Answer};
use super::super::doors::{Door, Need};
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, must_equal, must_refuse};
use crate::forge::{Draft, Hash, hex};
use crate::suite::Ruleset;

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "next-args-of-new-key",
        "a new key begins with log 0, entry 1, no links",
        next_args_of_new_key,
    ),
    check(
        "publish-over-graphql",
        "GraphQL takes a CREATE and tells the next arguments",
        |target| one_log(target, Door::GraphQl),
    )
    .needs(&[Need::GraphQl])
    .requires(&["PB8", "PB10"]),
    check(
        "publish-over-json-rpc",
        "JSON-RPC takes a CREATE and tells the next arguments",
        |target| one_log(target, Door::JsonRpc),
    )
    .needs(&[Need::JsonRpc])
    .requires(&["RC2", "RC3", "PB8"]),
    check(
        "log-of-fourteen",
        "fourteen entries in one log, with the skiplinks of 4, 8, 12 and 13",
        log_of_fourteen,
    ),
    check(
        "log-ids-grow",
        "each new document of an author gets the next log",
        log_ids_grow,
    ),
    check(
        "publish-uppercase-hex",
        "entry and operation may be hex of either case",
        publish_uppercase_hex,
    ),
    check(
        "publish-twice",
        "the same entry twice is a success with the same arguments",
        publish_twice,
    )
    .ruled("R23"),
    check(
        "next-args-of-unknown-view",
        "nextArgs for an unknown view is an error",
        next_args_of_unknown_view,
    ),
    check(
        "log-of-greatest-id",
        "the log of the greatest id is as good as any",
        greatest_log,
    )
    .requires(&["PB14"])
    .ruled("R22"),
];

//= PB9: asks for a key without logs
fn next_args_of_new_key(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    // A node may propose another log to a second asker, so each door is asked for a key of its own.
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        author.open_log();
        let answer = api::next_args(&target.client, door, &author.public_key(), None)?;
        let args = api::read_args(door, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs", args, author.next_args(0))?;
    }
    Ok(())
}

fn one_log(target: &mut NodeUnderTest, door: Door) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "one", door)?;
    let answer = api::next_args(
        &target.client,
        door,
        &author.public_key(),
        Some(&document.id.hex()),
    )?;
    let args = api::read_args(door, &answer.expect("nextArgs")?)?;
    must_equal(
        "nextArgs of the document",
        args,
        author.next_args(document.log),
    )
}

//= PB1: fills a log with links of both kinds
//= PB8: compares what publishing answers with what comes next
fn log_of_fourteen(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 0, "log", target.door())?;
    let mut tip = document.id;
    for hour in 1..14 {
        // Both doors by turns: they lead into one node.
        let door = if hour % 2 == 0 {
            target.door()
        } else {
            target.other_door()
        };
        tip = target.publish(
            &mut author,
            document.log,
            target.update_operation(&[tip], hour),
            door,
        )?;
    }
    target
        .document_until(
            document.id,
            "the last of fourteen operations shows",
            |document| document["fields"]["hour"] == 13,
        )
        .map(drop)
}

fn log_ids_grow(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    for title in ["first", "second", "third"] {
        let log = author.open_log();
        let answer = api::next_args(&target.client, target.door(), &author.public_key(), None)?;
        let args = api::read_args(target.door(), &answer.expect("nextArgs")?)?;
        must_equal("nextArgs for a new document", args, author.next_args(log))?;
        target.publish(
            &mut author,
            log,
            target.create_operation(1, title),
            target.door(),
        )?;
    }
    Ok(())
}

//= BA3: hands entries and operations in as hex
fn publish_uppercase_hex(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let log = author.open_log();
        let operation = target.create_operation(1, "upper");
        let entry = author.draft(log, &operation).sign(author.key());
        let upper = |bytes: &[u8]| hex(bytes).to_uppercase();
        api::publish_text(&target.client, door, &upper(&entry), &upper(&operation))?
            .expect("an entry in uppercase hex")?;
    }
    Ok(())
}

//= PB7: retries the same entry
fn publish_twice(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "twice", target.door())?;
    let log = author.log(document.log);
    for door in target.doors.publishing() {
        let answer = api::publish(&target.client, door, &log.entries[0], &log.payloads[0])?;
        if target.ruleset == Ruleset::Wire09 && matches!(answer, Answer::Refused { .. }) {
            continue;
        }
        let args = api::read_args(door, &answer.expect("a repeated entry")?)?;
        must_equal(
            "the answer to the repetition",
            args,
            author.next_args(document.log),
        )?;
    }
    Ok(())
}

//= PB11: asks for a view nobody knows
fn next_args_of_unknown_view(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let nowhere = Hash::of(format!("nowhere {}", target.seed)).hex();
    let key = target.author("a").public_key();
    let answer = api::next_args(&target.client, target.door(), &key, Some(&nowhere))?;
    must_refuse("nextArgs for an unknown view", &answer)
}

fn greatest_log(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let author = target.author(&format!("{door:?}"));
        let operation = target.create_operation(1, "greatest");
        let draft = Draft::first(author.key(), u64::MAX, &operation);
        let entry = draft.sign(author.key());
        let answer = api::publish(&target.client, door, &entry, &operation)?;
        let args = api::read_args(
            door,
            &answer.expect("an entry in the log of the greatest id")?,
        )?;
        must_equal("logId", args.log_id, u64::MAX.to_string())?;
        must_equal("seqNum", args.seq_num.as_str(), "2")?;
    }
    Ok(())
}
