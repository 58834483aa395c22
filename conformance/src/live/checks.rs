//! What a node must do with honest requests, and how it says no to requests that make no sense.
//!
//! Hostile entries are in [`super::refusals`].

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::api::{self, Answer, Door};
use super::world::{Document, World, eventually};
use super::{Wrong, author::Author};
use crate::forge::{Hash, Item, hash, hex, operation};

/// One check.
pub struct Check {
    pub id: &'static str,
    pub title: &'static str,
    pub run: fn(&mut World) -> Result<(), Wrong>,
}

const fn check(
    id: &'static str,
    title: &'static str,
    run: fn(&mut World) -> Result<(), Wrong>,
) -> Check {
    Check { id, title, run }
}

/// All of them, in the order in which they run.
pub const ALL: &[Check] = &[
    check(
        "next-args-of-new-key",
        "a new key begins with log 0, entry 1, no links",
        next_args_of_new_key,
    ),
    check(
        "publish-over-graphql",
        "GraphQL takes a CREATE and tells the next arguments",
        |world| one_log(world, Door::GraphQl),
    ),
    check(
        "publish-over-json-rpc",
        "JSON-RPC takes a CREATE and tells the next arguments",
        |world| one_log(world, Door::JsonRpc),
    ),
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
    ),
    check(
        "query-entries",
        "JSON-RPC lists the entries of a schema with their bytes",
        query_entries,
    ),
    check(
        "document-by-id",
        "a document shows every field with its value",
        document_by_id,
    ),
    check(
        "document-by-view",
        "a document can be asked for by its view",
        document_by_view,
    ),
    check(
        "unknown-document",
        "an unknown document is null, without an error",
        unknown_document,
    ),
    check(
        "collection",
        "a collection lists the documents of its schema",
        collection,
    ),
    check(
        "collection-paging",
        "pages of two visit every document once",
        collection_paging,
    ),
    check(
        "optional-null",
        "null for an optional argument means absent",
        optional_null,
    ),
    check(
        "relations",
        "relations are followed, lists keep their duplicates",
        relations,
    ),
    check(
        "update",
        "an UPDATE changes its field alone and moves the view",
        update,
    ),
    check(
        "update-by-other-author",
        "another author may update, in a log of its own",
        update_by_other_author,
    ),
    check(
        "concurrent-updates",
        "concurrent UPDATEs merge in the order of the handbook",
        concurrent_updates,
    ),
    check("merge", "an UPDATE on both tips settles a conflict", merge),
    check(
        "delete",
        "a deleted document is gone from queries and collections",
        delete,
    ),
    check(
        "concurrent-delete",
        "a DELETE beats an UPDATE it did not know of",
        concurrent_delete,
    ),
    check(
        "next-args-of-unknown-view",
        "nextArgs for an unknown view is an error",
        next_args_of_unknown_view,
    ),
    check(
        "next-args-of-deleted",
        "nextArgs for a deleted document is an error",
        next_args_of_deleted,
    ),
    check(
        "malformed-arguments",
        "malformed keys and ids are refused",
        malformed_arguments,
    ),
    check(
        "json-rpc-errors",
        "JSON-RPC answers nonsense with the codes of its standard",
        json_rpc_errors,
    ),
    check(
        "graphql-errors",
        "GraphQL answers nonsense with errors and stays up",
        graphql_errors,
    ),
    check(
        "cross-origin",
        "web pages of any origin may ask",
        cross_origin,
    ),
];

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds {
        Ok(())
    } else {
        Err(Wrong::Behaviour(what()))
    }
}

fn must_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), Wrong> {
    must(found == expected, || {
        format!("{what} is {found:?}, expected {expected:?}")
    })
}

fn must_refuse(what: &str, answer: &Answer) -> Result<(), Wrong> {
    must(matches!(answer, Answer::Refused { .. }), || {
        format!("{what} was taken: {answer:?}")
    })
}

//= PB9: asks for a key without logs
fn next_args_of_new_key(world: &mut World) -> Result<(), Wrong> {
    // A node may propose another log to a second asker, so each door is asked for a key of its own.
    for (door, name) in [(Door::GraphQl, "a"), (Door::JsonRpc, "b")] {
        let mut author = world.author(name);
        author.open_log();
        let answer = api::next_args(&world.client, door, &author.public_key(), None)?;
        let args = api::read_args(door, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs", args, author.next_args(0))?;
    }
    Ok(())
}

fn one_log(world: &mut World, door: Door) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "one", door)?;
    let answer = api::next_args(
        &world.client,
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
fn log_of_fourteen(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 0, "log", Door::GraphQl)?;
    let mut tip = document.id;
    for hour in 1..14 {
        // Both doors by turns: they lead into one node.
        let door = if hour % 2 == 0 {
            Door::GraphQl
        } else {
            Door::JsonRpc
        };
        tip = world.publish(
            &mut author,
            document.log,
            world.update_operation(&[tip], hour),
            door,
        )?;
    }
    world
        .document_until(
            document.id,
            "the last of fourteen operations shows",
            |document| document["fields"]["hour"] == 13,
        )
        .map(drop)
}

fn log_ids_grow(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    for title in ["first", "second", "third"] {
        let log = author.open_log();
        let answer = api::next_args(&world.client, Door::GraphQl, &author.public_key(), None)?;
        let args = api::read_args(Door::GraphQl, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs for a new document", args, author.next_args(log))?;
        world.publish(
            &mut author,
            log,
            world.create_operation(1, title),
            Door::GraphQl,
        )?;
    }
    Ok(())
}

//= BA3: hands entries and operations in as hex
fn publish_uppercase_hex(world: &mut World) -> Result<(), Wrong> {
    for door in [Door::GraphQl, Door::JsonRpc] {
        let mut author = world.author(&format!("{door:?}"));
        let log = author.open_log();
        let operation = world.create_operation(1, "upper");
        let entry = author.draft(log, &operation).sign(author.key());
        let upper = |bytes: &[u8]| hex(bytes).to_uppercase();
        api::publish_text(&world.client, door, &upper(&entry), &upper(&operation))?
            .expect("an entry in uppercase hex")?;
    }
    Ok(())
}

//= PB7: retries the same entry
fn publish_twice(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "twice", Door::GraphQl)?;
    let log = author.log(document.log);
    for door in [Door::GraphQl, Door::JsonRpc] {
        let answer = api::publish(&world.client, door, &log.entries[0], &log.payloads[0])?;
        let args = api::read_args(door, &answer.expect("a repeated entry")?)?;
        must_equal(
            "the answer to the repetition",
            args,
            author.next_args(document.log),
        )?;
    }
    Ok(())
}

fn query_entries(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "entries", Door::JsonRpc)?;
    let log = author.log(document.log);
    let params = json!({"schema": world.schema_id});
    let result = api::rpc(&world.client, "panda_queryEntries", params)?.expect("queryEntries")?;
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

fn document_by_id(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 3_000_000_000, "Panda 🐼", Door::GraphQl)?;
    let shown =
        world.document_until(document.id, "the document shows", |shown| !shown.is_null())?;
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

fn document_by_view(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "view", Door::GraphQl)?;
    let tip = world.publish(
        &mut author,
        document.log,
        world.update_operation(&[document.id], 2),
        Door::GraphQl,
    )?;
    world.document_until(document.id, "the update shows", |shown| {
        shown["fields"]["hour"] == 2
    })?;
    let shown = world.view(&tip.hex())?;
    must_equal("the view's hour", &shown["fields"]["hour"], &json!(2))?;
    must_equal(
        "the view's documentId",
        &shown["meta"]["documentId"],
        &json!(document.id.hex()),
    )
}

//= QU2: asks for a document nobody has
fn unknown_document(world: &mut World) -> Result<(), Wrong> {
    let nowhere = Hash::of(format!("nowhere {}", world.seed)).hex();
    must_equal(
        "an unknown document",
        world.document(&nowhere)?,
        Value::Null,
    )?;
    must_equal("an unknown view", world.view(&nowhere)?, Value::Null)
}

/// Members of a page of the run's collection.
fn page(world: &World, arguments: &str) -> Result<Value, Wrong> {
    let arguments = if arguments.is_empty() {
        String::new()
    } else {
        format!("({arguments})")
    };
    let query = format!(
        "{{ it: all_{}{arguments} {{ totalCount hasNextPage endCursor \
         documents {{ cursor meta {{ documentId }} fields {{ hour }} }} }} }}",
        world.schema_id
    );
    let data = api::graphql(&world.client, &query, json!({}))?.expect("a collection")?;
    Ok(data["it"].clone())
}

fn ids_of(page: &Value) -> Vec<String> {
    let documents = page["documents"].as_array().cloned().unwrap_or_default();
    let id = |document: &Value| {
        document["meta"]["documentId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    documents.iter().map(id).collect()
}

/// Waits until the collection, in pages as large as it takes, holds the document.
fn listed(world: &World, id: Hash, wanted: bool) -> Result<Value, Wrong> {
    let what = if wanted {
        "the document is listed"
    } else {
        "the document is no longer listed"
    };
    eventually(what, || {
        let page = page(world, "first: 10000")?;
        Ok(if ids_of(&page).contains(&id.hex()) == wanted {
            Ok(page)
        } else {
            Err(page)
        })
    })
}

fn collection(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    for title in ["one", "two"] {
        let document = world.create(&mut author, 1, title, Door::GraphQl)?;
        let page = listed(world, document.id, true)?;
        must_equal(
            "totalCount",
            page["totalCount"].as_u64(),
            Some(ids_of(&page).len() as u64),
        )?;
    }
    Ok(())
}

//= QU4: goes through a collection in pages of two
fn collection_paging(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    for hour in 0..5 {
        let document = world.create(&mut author, hour, "paging", Door::GraphQl)?;
        listed(world, document.id, true)?;
    }
    let all: BTreeSet<_> = ids_of(&page(world, "first: 10000")?).into_iter().collect();
    let mut seen = Vec::new();
    let mut arguments = "first: 2".to_owned();
    loop {
        let page = page(world, &arguments)?;
        let ids = ids_of(&page);
        must(ids.len() <= 2, || {
            format!("a page of two has {} documents", ids.len())
        })?;
        seen.extend(ids);
        if page["hasNextPage"] != true {
            break;
        }
        must(seen.len() <= all.len(), || {
            "paging does not come to an end".to_owned()
        })?;
        let cursor = page["endCursor"].as_str();
        let cursor = cursor
            .ok_or_else(|| Wrong::Behaviour("a page goes on without endCursor".to_owned()))?;
        arguments = format!("first: 2, after: {}", Value::from(cursor));
    }
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    must_equal("documents visited twice", seen.len() - distinct.len(), 0)?;
    must_equal("the documents visited", distinct, all)
}

//= QU9: gives null for an optional argument
fn optional_null(world: &mut World) -> Result<(), Wrong> {
    page(world, "first: null, after: null").map(drop)?;
    let nowhere = Hash::of("nowhere").hex();
    let query = format!(
        "{{ it: {}(id: \"{nowhere}\", viewId: null) {{ meta {{ viewId }} }} }}",
        world.schema_id
    );
    api::graphql(&world.client, &query, json!({}))?.expect("an unused viewId of null")?;
    Ok(())
}

fn relations(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "relations", Door::GraphQl)?;
    let shown =
        world.document_until(document.id, "the document shows", |shown| !shown.is_null())?;
    let related = world.related.hex();
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

fn update(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "kept", Door::GraphQl)?;
    let tip = world.publish(
        &mut author,
        document.log,
        world.update_operation(&[document.id], 2),
        Door::GraphQl,
    )?;
    let shown = world.document_until(document.id, "the update shows", |shown| {
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
fn update_by_other_author(world: &mut World) -> Result<(), Wrong> {
    let (mut author, mut other) = (world.author("a"), world.author("b"));
    let document = world.create(&mut author, 1, "shared", Door::GraphQl)?;
    let log = other.open_log();
    let view = document.id.hex();
    let answer = api::next_args(
        &world.client,
        Door::GraphQl,
        &other.public_key(),
        Some(&view),
    )?;
    let args = api::read_args(Door::GraphQl, &answer.expect("nextArgs")?)?;
    must_equal(
        "nextArgs of an author new to the document",
        args,
        other.next_args(log),
    )?;
    world.publish(
        &mut other,
        log,
        world.update_operation(&[document.id], 2),
        Door::GraphQl,
    )?;
    let shown = world.document_until(document.id, "the update shows", |shown| {
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
    world: &World,
    authors: [&mut Author; 2],
) -> Result<(Document, [(Hash, i128); 2]), Wrong> {
    let [author, other] = authors;
    let document = world.create(author, 1, "conflict", Door::GraphQl)?;
    let ours = world.publish(
        author,
        document.log,
        world.update_operation(&[document.id], 2),
        Door::GraphQl,
    )?;
    let log = other.open_log();
    let theirs = world.publish(
        other,
        log,
        world.update_operation(&[document.id], 3),
        Door::JsonRpc,
    )?;
    Ok((document, [(ours, 2), (theirs, 3)]))
}

fn concurrent_updates(world: &mut World) -> Result<(), Wrong> {
    let (mut author, mut other) = (world.author("a"), world.author("b"));
    let (document, tips) = conflict(world, [&mut author, &mut other])?;
    let view_id = hash::view_id(&tips.map(|(id, _)| id));
    let shown = world.document_until(document.id, "both updates are in the view", |shown| {
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

fn merge(world: &mut World) -> Result<(), Wrong> {
    let (mut author, mut other) = (world.author("a"), world.author("b"));
    let (document, tips) = conflict(world, [&mut author, &mut other])?;
    let mut previous = tips.map(|(id, _)| id);
    previous.sort_unstable();
    let merged = world.publish(
        &mut author,
        document.log,
        world.update_operation(&previous, 9),
        Door::GraphQl,
    )?;
    let shown = world.document_until(document.id, "the merge shows", |shown| {
        shown["meta"]["viewId"] == merged.hex().as_str()
    })?;
    must_equal("the merged field", &shown["fields"]["hour"], &json!(9))
}

fn delete(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "doomed", Door::GraphQl)?;
    listed(world, document.id, true)?;
    world.publish(
        &mut author,
        document.log,
        world.delete_operation(&[document.id]),
        Door::GraphQl,
    )?;
    world.document_until(document.id, "the document is gone", Value::is_null)?;
    listed(world, document.id, false).map(drop)
}

fn concurrent_delete(world: &mut World) -> Result<(), Wrong> {
    let (mut author, mut other) = (world.author("a"), world.author("b"));
    let document = world.create(&mut author, 1, "contested", Door::GraphQl)?;
    let log = other.open_log();
    world.publish(
        &mut other,
        log,
        world.update_operation(&[document.id], 2),
        Door::GraphQl,
    )?;
    world.publish(
        &mut author,
        document.log,
        world.delete_operation(&[document.id]),
        Door::GraphQl,
    )?;
    world
        .document_until(document.id, "the document is gone", Value::is_null)
        .map(drop)
}

//= PB11: asks for a view nobody knows
fn next_args_of_unknown_view(world: &mut World) -> Result<(), Wrong> {
    let nowhere = Hash::of(format!("nowhere {}", world.seed)).hex();
    let key = world.author("a").public_key();
    let answer = api::next_args(&world.client, Door::GraphQl, &key, Some(&nowhere))?;
    must_refuse("nextArgs for an unknown view", &answer)
}

fn next_args_of_deleted(world: &mut World) -> Result<(), Wrong> {
    let mut author = world.author("a");
    let document = world.create(&mut author, 1, "deleted", Door::GraphQl)?;
    world.publish(
        &mut author,
        document.log,
        world.delete_operation(&[document.id]),
        Door::GraphQl,
    )?;
    let view = document.id.hex();
    let answer = api::next_args(
        &world.client,
        Door::GraphQl,
        &author.public_key(),
        Some(&view),
    )?;
    must_refuse("nextArgs for a deleted document", &answer)
}

fn malformed_arguments(world: &mut World) -> Result<(), Wrong> {
    world.control("before")?;
    let key = world.author("a").public_key();
    for door in [Door::GraphQl, Door::JsonRpc] {
        for (what, key) in [
            ("an empty key", ""),
            ("a short key", &key[2..]),
            ("a key that is not hex", &format!("zz{}", &key[2..])),
        ] {
            must_refuse(what, &api::next_args(&world.client, door, key, None)?)?;
        }
        for (what, view) in [("a short id", "0020ab"), ("an id that is not hex", "panda")] {
            must_refuse(
                what,
                &api::next_args(&world.client, door, &key, Some(view))?,
            )?;
        }
    }
    world.control("after")
}

//= RC4: compares the codes of errors
fn json_rpc_errors(world: &mut World) -> Result<(), Wrong> {
    world.control("before")?;
    let requests = [
        (
            "an unknown method",
            r#"{"jsonrpc":"2.0","method":"panda_unknown","params":{},"id":1}"#,
            -32601,
        ),
        (
            "missing params",
            r#"{"jsonrpc":"2.0","method":"panda_publishEntry","params":{},"id":1}"#,
            -32602,
        ),
        ("broken JSON", r#"{"jsonrpc":"2.0","method":"#, -32700),
        (
            "a request that is none",
            r#"{"jsonrpc":"2.0","id":1}"#,
            -32600,
        ),
    ];
    for (what, body, code) in requests {
        let response = world.client.post("/", body).map_err(Wrong::Behaviour)?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        must_equal(what, answer["error"]["code"].as_i64(), Some(code))?;
    }
    world.control("after")
}

fn graphql_errors(world: &mut World) -> Result<(), Wrong> {
    world.control("before")?;
    for (what, query) in [
        ("a syntax error", "{ nextArgs("),
        ("an unknown field", "{ doesNotExist }"),
        ("an empty document", ""),
        ("a missing argument", "{ nextArgs { logId } }"),
        (
            "a query of great depth",
            &format!("{}a{}", "{a".repeat(500), "}".repeat(500)),
        ),
    ] {
        must_refuse(what, &api::graphql(&world.client, query, json!({}))?)?;
    }
    let response = world
        .client
        .post("/graphql", "{\"query\":")
        .map_err(Wrong::Behaviour)?;
    must(response.status.is_client_error(), || {
        format!("broken JSON got status {}", response.status)
    })?;
    world.control("after")
}

fn cross_origin(world: &mut World) -> Result<(), Wrong> {
    let response = world
        .client
        .post("/graphql", r#"{"query":"{ __typename }"}"#)
        .map_err(Wrong::Behaviour)?;
    let allowed = response.headers.get("access-control-allow-origin");
    let allowed = allowed
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    must(
        allowed == "*" || allowed == "http://conformance.invalid",
        || format!("access-control-allow-origin is {allowed:?}"),
    )
}

/// Fields of a CREATE with one replaced; shared with the refusals.
pub(super) fn create_with(world: &World, name: &str, value: Item) -> Vec<u8> {
    let mut fields = world.fields(1, "refused");
    for field in &mut fields {
        if field.0 == name {
            field.1 = value.clone();
        }
    }
    operation::create(&world.schema_id, fields).encode()
}
