//! Documents: what updates and conflicts make of them.

use serde_json::json;

use super::super::Wrong;
use super::super::api;
use super::super::author::Author;
use super::super::doors::Need;
use super::super::under_test::{Document, NodeUnderTest};
use super::{LiveCheck, check, must_equal};
use crate::forge::{Hash, hash};

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "update",
        "an UPDATE changes its field alone and moves the view",
        update,
    )
    .needs(&[Need::GraphQl]),
    check(
        "update-by-other-author",
        "another author may update, in a log of its own",
        update_by_other_author,
    )
    .needs(&[Need::GraphQl]),
    check(
        "concurrent-updates",
        "concurrent UPDATEs merge in the order of the handbook",
        concurrent_updates,
    )
    .needs(&[Need::GraphQl])
    .ruled("R4"),
    check("merge", "an UPDATE on both tips settles a conflict", merge).needs(&[Need::GraphQl]),
];

fn update(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "kept", target.door())?;
    let tip = target.publish(
        &mut author,
        document.log,
        target.update_operation(&[document.id], 2),
        target.door(),
    )?;
    let shown = target.document_until(document.id, "the update shows", |shown| {
        shown["fields"]["hour"] == 2
    })?;
    must_equal(
        "the untouched title",
        &shown["fields"]["title"],
        &json!("kept"),
    )?;
    must_equal("viewId", &shown["meta"]["viewId"], &json!(tip.hex()))?;
    must_equal(
        "documentId",
        &shown["meta"]["documentId"],
        &json!(document.id.hex()),
    )
}

//= PB13: another author updates the document
fn update_by_other_author(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let document = target.create(&mut author, 1, "shared", target.door())?;
    let log = other.open_log();
    let view = document.id.hex();
    let answer = api::next_args(
        &target.client,
        target.door(),
        &other.public_key(),
        Some(&view),
    )?;
    let args = api::read_args(target.door(), &answer.expect("nextArgs")?)?;
    must_equal(
        "nextArgs of an author new to the document",
        args,
        other.next_args(log),
    )?;
    target.publish(
        &mut other,
        log,
        target.update_operation(&[document.id], 2),
        target.door(),
    )?;
    let shown = target.document_until(document.id, "the update shows", |shown| {
        shown["fields"]["hour"] == 2
    })?;
    must_equal(
        "the owner",
        &shown["meta"]["owner"],
        &json!(author.public_key()),
    )
}

/// A document with two concurrent updates of one field, and the hour each sets.
fn conflict(
    target: &NodeUnderTest,
    authors: [&mut Author; 2],
) -> Result<(Document, [(Hash, i128); 2]), Wrong> {
    let [author, other] = authors;
    let document = target.create(author, 1, "conflict", target.door())?;
    let ours = target.publish(
        author,
        document.log,
        target.update_operation(&[document.id], 2),
        target.door(),
    )?;
    let log = other.open_log();
    let theirs = target.publish(
        other,
        log,
        target.update_operation(&[document.id], 3),
        target.other_door(),
    )?;
    Ok((document, [(ours, 2), (theirs, 3)]))
}

fn concurrent_updates(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let (document, tips) = conflict(target, [&mut author, &mut other])?;
    let view_id = hash::view_id(&tips.map(|(id, _)| id));
    let shown = target.document_until(document.id, "both updates are in the view", |shown| {
        shown["meta"]["viewId"] == view_id.as_str()
    })?;
    // The walk applies the lower id first, so the greater one is seen.
    let last = if tips[0].0 > tips[1].0 {
        tips[0].1
    } else {
        tips[1].1
    };
    must_equal(
        "the field both set",
        shown["fields"]["hour"].as_i64(),
        i64::try_from(last).ok(),
    )
}

fn merge(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let (document, tips) = conflict(target, [&mut author, &mut other])?;
    let mut previous = tips.map(|(id, _)| id);
    previous.sort_unstable();
    let merged = target.publish(
        &mut author,
        document.log,
        target.update_operation(&previous, 9),
        target.door(),
    )?;
    let shown = target.document_until(document.id, "the merge shows", |shown| {
        shown["meta"]["viewId"] == merged.hex().as_str()
    })?;
    must_equal("the merged field", &shown["fields"]["hour"], &json!(9))
}
