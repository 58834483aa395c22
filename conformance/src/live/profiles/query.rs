//! Queries: single documents, collections and their pages, relations.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api;
use super::super::doors::Need;
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, ids_of, listed, must_equal, page};
use crate::forge::{Hash, hex};

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "query-entries",
        "JSON-RPC lists the entries of a schema with their bytes",
        query_entries,
    )
    .needs(&[Need::JsonRpc])
    .requires(&["RC2"]),
    check(
        "document-by-id",
        "a document shows every field with its value",
        document_by_id,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "document-by-view",
        "a document can be asked for by its view",
        document_by_view,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "unknown-document",
        "an unknown document is null, without an error",
        unknown_document,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "collection",
        "a collection lists the documents of its schema",
        collection,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "optional-null",
        "null for an optional argument means absent",
        optional_null,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "relations",
        "relations are followed, lists keep their duplicates",
        relations,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
];

fn query_entries(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "entries", target.other_door())?;
    let log = author.log(document.log);
    let params = json!({"schema": target.schema_id});
    let result = api::rpc(&target.client, "panda_queryEntries", params)?.expect("queryEntries")?;
    let entries = result["entries"].as_array().cloned().unwrap_or_default();
    let ours = entries
        .iter()
        .find(|entry| entry["entryHash"] == document.id.hex());
    let expected = json!({
        "author": author.public_key(),
        "entryBytes": hex(&log.entries[0]),
        "entryHash": document.id.hex(),
        "logId": log.log_id.to_string(),
        "payloadBytes": hex(&log.payloads[0]),
        "payloadHash": Hash::of(&log.payloads[0]).hex(),
        "seqNum": "1",
    });
    must_equal("the entry in queryEntries", ours, Some(&expected))
}

fn document_by_id(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 3_000_000_000, "Panda 🐼", target.door())?;
    let shown =
        target.document_until(document.id, "the document shows", |shown| !shown.is_null())?;
    let id = document.id.hex();
    let meta = json!({"documentId": id, "viewId": id, "owner": author.public_key()});
    must_equal("meta", &shown["meta"], &meta)?;
    for (field, value) in [
        ("hour", json!(3_000_000_000_u64)),
        ("logo", json!("dead")),
        ("open", json!(true)),
        ("rating", json!(4.5)),
        ("title", json!("Panda 🐼")),
    ] {
        must_equal(field, &shown["fields"][field], &value)?;
    }
    Ok(())
}

fn document_by_view(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "view", target.door())?;
    let tip = target.publish(
        &mut author,
        document.log,
        target.update_operation(&[document.id], 2),
        target.door(),
    )?;
    target.document_until(document.id, "the update shows", |shown| {
        shown["fields"]["hour"] == 2
    })?;
    let shown = target.view(&tip.hex())?;
    must_equal("the view's hour", &shown["fields"]["hour"], &json!(2))?;
    must_equal(
        "the view's documentId",
        &shown["meta"]["documentId"],
        &json!(document.id.hex()),
    )
}

//= QU2: asks for a document nobody has
fn unknown_document(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let nowhere = Hash::of(format!("nowhere {}", target.seed)).hex();
    must_equal(
        "an unknown document",
        target.document(&nowhere)?,
        Value::Null,
    )?;
    must_equal("an unknown view", target.view(&nowhere)?, Value::Null)
}

fn collection(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    for title in ["one", "two"] {
        let document = target.create(&mut author, 1, title, target.door())?;
        let page = listed(target, document.id, true)?;
        must_equal(
            "totalCount",
            page["totalCount"].as_u64(),
            Some(ids_of(&page).len() as u64),
        )?;
    }
    Ok(())
}

//= QU9: gives null for an optional argument
fn optional_null(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    page(target, "first: null, after: null").map(drop)?;
    let nowhere = Hash::of("nowhere").hex();
    let query = format!(
        "{{ it: {}(id: \"{nowhere}\", viewId: null) {{ meta {{ viewId }} }} }}",
        target.schema_id
    );
    api::graphql(&target.client, &query, json!({}))?.expect("an unused viewId of null")?;
    Ok(())
}

fn relations(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "relations", target.door())?;
    let shown =
        target.document_until(document.id, "the document shows", |shown| !shown.is_null())?;
    let related = target.related.hex();
    let about = &shown["fields"]["about"];
    must_equal(
        "about/meta/documentId",
        &about["meta"]["documentId"],
        &json!(related),
    )?;
    must_equal(
        "about/fields/name",
        &about["fields"]["name"],
        &json!("title"),
    )?;
    let abouts = &shown["fields"]["abouts"];
    must_equal(
        "the list's documents",
        ids_of(abouts),
        vec![related.clone(), related],
    )?;
    must_equal("the list's totalCount", &abouts["totalCount"], &json!(2))
}
