//! Deletion: what is gone afterwards, what no longer can be done, and what stays.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api;
use super::super::author::Author;
use super::super::doors::Need;
use super::super::under_test::{Document, NodeUnderTest, eventually, set_up};
use super::{LiveCheck, check, listed, must, must_equal, must_refuse};
use crate::forge::{Hash, Item, hex, operation};

/// All of them.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "delete",
        "a deleted document is gone from queries and collections",
        delete,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DO4", "DL5"]),
    check(
        "concurrent-delete",
        "a DELETE beats an UPDATE it did not know of",
        concurrent_delete,
    )
    .needs(&[Need::GraphQl])
    .requires(&["D11"])
    .ruled("R5"),
    check(
        "delete-by-other-author",
        "another author may delete, in a log of its own",
        by_other_author,
    )
    .needs(&[Need::GraphQl])
    .requires(&["PB13"])
    .ruled("R25"),
    check(
        "delete-tells-next-args",
        "a DELETE is answered with what would come next in its log",
        tells_next_args,
    )
    .requires(&["PB8"]),
    check(
        "delete-old-view",
        "no view of a deleted document is shown",
        old_view,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DO4", "DL5"]),
    check(
        "delete-not-counted",
        "a deleted document does not count",
        not_counted,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DL5"]),
    check(
        "delete-relation",
        "a relation to a deleted document reads as null",
        relation,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DL5", "QU2"]),
    check(
        "delete-relation-list",
        "a deleted document is left out of lists and of their counts",
        relation_list,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DL5"]),
    check(
        "delete-pinned",
        "a pinned view goes with its document",
        pinned,
    )
    .needs(&[Need::GraphQl])
    .requires(&["DL5"]),
    check(
        "delete-leaves-others",
        "a DELETE takes no other document along",
        leaves_others,
    )
    .needs(&[Need::GraphQl]),
    check(
        "delete-leaves-log",
        "the author's other logs go on",
        leaves_logs,
    ),
    check(
        "delete-log-id-stays-taken",
        "the log of a deleted document is not given to another one",
        log_stays_taken,
    )
    .requires(&["BA4"]),
    check(
        "delete-payload-gone",
        "the bytes of a deleted operation are not handed out any more",
        payload_gone,
    )
    .needs(&[Need::JsonRpc])
    .requires(&["DL1", "DL3", "OP9"])
    .ruled("R7"),
    check(
        "next-args-of-deleted",
        "nextArgs for a deleted document is an error",
        next_args_of_deleted,
    )
    .requires(&["PB5", "PB11"]),
    check(
        "next-args-of-deleted-view",
        "nextArgs for an older view of a deleted document is an error",
        next_args_of_older_view,
    )
    .requires(&["PB5", "PB11"]),
    check(
        "deleted-found-by-meta",
        "deleted documents can be asked for, and have no fields",
        found_by_meta,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU5"]),
];

/// That a document is gone says nothing where it never was.
fn shown_first(target: &NodeUnderTest, id: Hash) -> Result<(), Wrong> {
    if !target.doors.has(Need::GraphQl) {
        return Ok(());
    }
    let shown = target.document_until(id, "the document shows before it is deleted", |it| {
        !it.is_null()
    });
    set_up(shown).map(drop)
}

/// A document and its DELETE, published.
fn deleted(target: &NodeUnderTest, author: &mut Author) -> Result<(Document, Hash), Wrong> {
    let door = target.door();
    let document = target.create(author, 1, "doomed", door)?;
    shown_first(target, document.id)?;
    let operation = target.delete_operation(&[document.id]);
    let id = target.publish(author, document.log, operation, door)?;
    Ok((document, id))
}

fn delete(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "doomed", target.door())?;
    listed(target, document.id, true)?;
    target.publish(
        &mut author,
        document.log,
        target.delete_operation(&[document.id]),
        target.door(),
    )?;
    target.document_until(document.id, "the document is gone", Value::is_null)?;
    listed(target, document.id, false).map(drop)
}

fn concurrent_delete(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let document = target.create(&mut author, 1, "contested", target.door())?;
    shown_first(target, document.id)?;
    let log = other.open_log();
    target.publish(
        &mut other,
        log,
        target.update_operation(&[document.id], 2),
        target.door(),
    )?;
    target.publish(
        &mut author,
        document.log,
        target.delete_operation(&[document.id]),
        target.door(),
    )?;
    target
        .document_until(document.id, "the document is gone", Value::is_null)
        .map(drop)
}

fn by_other_author(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let door = target.door();
    let document = target.create(&mut author, 1, "shared", door)?;
    shown_first(target, document.id)?;
    let log = other.open_log();
    let operation = target.delete_operation(&[document.id]);
    target.publish(&mut other, log, operation, door)?;
    let gone = target.document_until(document.id, "the document is gone", Value::is_null);
    gone.map(drop)
}

fn tells_next_args(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        let document = target.create(&mut author, 1, "told", door)?;
        let mut tip = document.id;
        for hour in 2..3 {
            let operation = target.update_operation(&[tip], hour);
            tip = target.publish(&mut author, document.log, operation, door)?;
        }
        // The third entry: what follows has a skiplink. Compared by publishing itself.
        let operation = target.delete_operation(&[tip]);
        target.publish(&mut author, document.log, operation, door)?;
    }
    Ok(())
}

fn old_view(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let (document, delete) = deleted(target, &mut author)?;
    target.document_until(document.id, "the document is gone", Value::is_null)?;
    for id in [document.id, delete] {
        must_equal("a view of it", target.view(&id.hex())?, Value::Null)?;
    }
    Ok(())
}

fn not_counted(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let (document, _) = deleted(target, &mut author)?;
    let page = listed(target, document.id, false)?;
    must_equal("totalCount", &page["totalCount"], &json!(0))
}

/// Something that points at a document in every way, under a schema of its own.
struct Pointing {
    schema_id: String,
    id: Hash,
    first: Hash,
    kept: Hash,
}

impl Pointing {
    fn publish(target: &NodeUnderTest) -> Result<Self, Wrong> {
        let (mut author, door) = (target.author("pointing"), target.door());
        let tag = target.schema("tag", &[("label", "str")])?;
        let types = [
            "relation",
            "pinned_relation",
            "relation_list",
            "pinned_relation_list",
        ];
        let types = types.map(|of| format!("{of}({tag})"));
        let fields = [
            ("one", &*types[0]),
            ("pin", &*types[1]),
            ("all", &*types[2]),
            ("pins", &*types[3]),
        ];
        let schema_id = target.schema("pointing", &fields)?;
        let mut tags = Vec::new();
        for label in ["doomed", "kept"] {
            let operation = operation::create(&tag, [("label", Item::text(label))]).encode();
            let log = author.open_log();
            tags.push((log, target.publish(&mut author, log, operation, door)?));
        }
        let [(log, first), (_, kept)] = [tags[0], tags[1]];
        let fields = [
            ("all", Item::ids(&[first, kept])),
            ("one", Item::id(first)),
            ("pin", Item::ids(&[first])),
            (
                "pins",
                Item::Array(vec![Item::ids(&[first]), Item::ids(&[kept])]),
            ),
        ];
        let own = author.open_log();
        let operation = operation::create(&schema_id, fields).encode();
        let id = target.publish(&mut author, own, operation, door)?;
        let pointing = Self {
            schema_id,
            id,
            first,
            kept,
        };
        pointing.until(target, "the document shows what it points at", |fields| {
            fields["one"]["fields"]["label"] == "doomed"
        })?;
        let operation = operation::delete(&tag, &[first]).encode();
        target.publish(&mut author, log, operation, door)?;
        Ok(pointing)
    }

    fn until(
        &self,
        target: &NodeUnderTest,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, Wrong> {
        let list = "{ totalCount documents { meta { documentId } } }";
        let query = format!(
            "{{ it: {}(id: \"{}\") {{ fields {{ one {{ fields {{ label }} }} pin {{ fields {{ label }} }} all {list} pins {list} }} }} }}",
            self.schema_id,
            self.id.hex()
        );
        eventually(what, || {
            let data = api::graphql(&target.client, &query, json!({}))?.expect("a query")?;
            let fields = data["it"]["fields"].clone();
            Ok(if holds(&fields) {
                Ok(fields)
            } else {
                Err(fields)
            })
        })
    }
}

fn relation(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let pointing = set_up(Pointing::publish(target))?;
    pointing
        .until(target, "the relation reads as null", |it| {
            it["one"].is_null()
        })
        .map(drop)
}

fn relation_list(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let pointing = set_up(Pointing::publish(target))?;
    let only = pointing.kept.hex();
    for list in ["all", "pins"] {
        pointing.until(target, &format!("{list} shows what is left"), |it| {
            super::ids_of(&it[list]) == [only.as_str()] && it[list]["totalCount"] == 1
        })?;
    }
    Ok(())
}

fn pinned(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let pointing = set_up(Pointing::publish(target))?;
    pointing.until(target, "the pinned relation reads as null", |it| {
        it["pin"].is_null()
    })?;
    let gone = target.document_until(pointing.first, "the view is gone", Value::is_null);
    gone.map(drop)
}

fn leaves_others(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let kept = target.create(&mut author, 7, "kept", target.door())?;
    let (document, _) = deleted(target, &mut author)?;
    target.document_until(document.id, "the document is gone", Value::is_null)?;
    let shown = target.document_until(kept.id, "the other one stays", |it| !it.is_null())?;
    must_equal("its hour", &shown["fields"]["hour"], &json!(7))
}

fn leaves_logs(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let door = target.door();
    let kept = target.create(&mut author, 7, "kept", door)?;
    deleted(target, &mut author)?;
    let operation = target.update_operation(&[kept.id], 8);
    target
        .publish(&mut author, kept.log, operation, door)
        .map(drop)
}

fn log_stays_taken(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for door in target.doors.publishing() {
        let mut author = target.author(&format!("{door:?}"));
        deleted(target, &mut author)?;
        let log = author.open_log();
        let answer = api::next_args(&target.client, door, &author.public_key(), None)?;
        let args = api::read_args(door, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs for a new document", args, author.next_args(log))?;
    }
    Ok(())
}

//= OP9: asks for the entries of a schema after a deletion
//= DL3: asks for the entries of a schema after a deletion
fn payload_gone(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    if !target.asks_for_codes() {
        // Deployed nodes keep everything, by R7.
        return Ok(());
    }
    let mut author = target.author("a");
    let schema_id = target.schema("secret", &[("text", "str")])?;
    let operation = operation::create(&schema_id, [("text", Item::text("to be gone"))]).encode();
    let payload = hex(&operation);
    let log = author.open_log();
    let id = target.publish(&mut author, log, operation, target.door())?;
    let shown = |target: &NodeUnderTest| -> Result<String, Wrong> {
        let params = json!({"schema": schema_id});
        let answer = api::rpc(&target.client, "panda_queryEntries", params)?;
        Ok(answer.expect("queryEntries")?.to_string())
    };
    must(shown(target)?.contains(&payload), || {
        "the operation is not among the entries of its schema".to_owned()
    })?;
    let delete = operation::delete(&schema_id, &[id]).encode();
    target.publish(&mut author, log, delete, target.door())?;
    eventually("the operation is handed out no more", || {
        Ok(if shown(target)?.contains(&payload) {
            Err(Value::from("the operation is still handed out"))
        } else {
            Ok(Value::Null)
        })
    })
    .map(drop)
}

fn next_args_of_deleted(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    asked_after_deletion(target, |_, delete| delete)
}

fn next_args_of_older_view(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    asked_after_deletion(target, |document, _| document)
}

fn asked_after_deletion(
    target: &NodeUnderTest,
    view: impl Fn(Hash, Hash) -> Hash,
) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let (document, delete) = deleted(target, &mut author)?;
    let (key, view) = (author.public_key(), view(document.id, delete).hex());
    for door in target.doors.publishing() {
        let answer = api::next_args(&target.client, door, &key, Some(&view))?;
        must_refuse("nextArgs for a deleted document", &answer)?;
    }
    target.control("after")
}

fn found_by_meta(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let (document, _) = deleted(target, &mut author)?;
    let id = document.id.hex();
    let query = format!(
        "{{ it: all_{}(meta: {{ documentId: {{ eq: \"{id}\" }}, deleted: {{ eq: true }} }}) {{ totalCount documents {{ meta {{ documentId }} fields {{ hour }} }} }} }}",
        target.schema_id
    );
    let page = eventually("the deleted document is found", || {
        let data = api::graphql(&target.client, &query, json!({}))?.expect("deleted documents")?;
        let page = data["it"].clone();
        Ok(if page["totalCount"] == 1 {
            Ok(page)
        } else {
            Err(page)
        })
    })?;
    must_equal("its fields", &page["documents"][0]["fields"], &Value::Null)
}
