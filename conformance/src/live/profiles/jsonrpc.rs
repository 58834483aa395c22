//! JSON-RPC: the envelope of its standard, and the three methods of the first nodes.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api::{self, Answer};
use super::super::doors::{Door, Need};
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, must, must_equal, must_refuse};

const RPC: &[Need] = &[Need::JsonRpc];

/// All of them.
pub(crate) const ALL: &[LiveCheck] = &[
    check("rpc-unknown-method", "an unknown method is -32601", |it| {
        code(
            it,
            r#"{"jsonrpc":"2.0","method":"panda_unknown","params":{},"id":1}"#,
            -32601,
        )
    })
    .needs(RPC)
    .requires(&["RC4"]),
    check(
        "rpc-missing-params",
        "missing parameters are -32602",
        |it| {
            code(
                it,
                r#"{"jsonrpc":"2.0","method":"panda_publishEntry","params":{},"id":1}"#,
                -32602,
            )
        },
    )
    .needs(RPC)
    .requires(&["RC4"]),
    check("rpc-no-params", "no parameters at all are -32602", |it| {
        code(
            it,
            r#"{"jsonrpc":"2.0","method":"panda_getEntryArguments","id":1}"#,
            -32602,
        )
    })
    .needs(RPC)
    .requires(&["RC4"]),
    check(
        "rpc-params-text",
        "parameters that are a text are refused",
        |it| {
            code_of(
                it,
                r#"{"jsonrpc":"2.0","method":"panda_getEntryArguments","params":"x","id":1}"#,
                &[-32600, -32602, -32700],
            )
        },
    )
    .needs(RPC)
    .requires(&["RC4"]),
    check("rpc-broken-json", "broken JSON is -32700", |it| {
        code(it, r#"{"jsonrpc":"2.0","method":"#, -32700)
    })
    .needs(RPC)
    .requires(&["RC4"]),
    check(
        "rpc-no-request",
        "an object without a method is -32600",
        |it| code(it, r#"{"jsonrpc":"2.0","id":1}"#, -32600),
    )
    .needs(RPC)
    .requires(&["RC4"]),
    check(
        "rpc-method-number",
        "a method that is a number is -32600",
        |it| code(it, r#"{"jsonrpc":"2.0","method":1,"id":1}"#, -32600),
    )
    .needs(RPC)
    .requires(&["RC4"]),
    check("rpc-empty-batch", "an empty batch is -32600", |it| {
        code(it, "[]", -32600)
    })
    .needs(RPC)
    .requires(&["RC1", "RC4"]),
    check("rpc-text", "a text is -32600", |it| {
        code(it, r#""panda""#, -32600)
    })
    .needs(RPC)
    .requires(&["RC4"]),
    check("rpc-id-text", "an id that is a text comes back", |it| {
        id_comes_back(it, &json!("seven"))
    })
    .needs(RPC)
    .requires(&["RC1"]),
    check("rpc-id-number", "an id that is a number comes back", |it| {
        id_comes_back(it, &json!(70_000))
    })
    .needs(RPC)
    .requires(&["RC1"]),
    check("rpc-batch", "a batch is answered call by call", batch)
        .needs(RPC)
        .requires(&["RC1"]),
    check(
        "rpc-batch-with-fault",
        "a fault in a batch harms no other call",
        batch_with_fault,
    )
    .needs(RPC)
    .requires(&["RC1"]),
    check(
        "rpc-notification",
        "a notification is not answered",
        notification,
    )
    .needs(RPC)
    .requires(&["RC1"]),
    check(
        "rpc-content-type",
        "what a program posts needs no content type",
        content_type,
    )
    .needs(RPC),
    check(
        "rpc-next-args-members",
        "arguments have the members and the form of the first nodes",
        members,
    )
    .needs(RPC)
    .requires(&["RC2", "RC3"]),
    check(
        "rpc-next-args-uppercase-key",
        "a key may be hex of either case",
        uppercase_key,
    )
    .needs(RPC)
    .requires(&["BA3"])
    .ruled("R13"),
    check(
        "rpc-both-doors",
        "what one door takes the other one counts",
        both_doors,
    )
    .needs(&[Need::JsonRpc, Need::GraphQl])
    .requires(&["PB10"]),
    check(
        "rpc-query-entries-unknown",
        "entries of an unknown schema are none",
        entries_of_unknown,
    )
    .needs(RPC)
    .requires(&["RC2"]),
    check(
        "rpc-query-entries-bad-schema",
        "entries of something that is no schema id are refused",
        entries_of_nonsense,
    )
    .needs(RPC)
    .requires(&["RC2"]),
    check(
        "rpc-discover",
        "rpc.discover tells of the three methods",
        discover,
    )
    .needs(&[Need::RpcDiscover])
    .requires(&["RC2"]),
    check(
        "rpc-publish-many",
        "many entries are published by one call",
        publish_many,
    )
    .needs(&[Need::RpcBatches]),
    check(
        "rpc-query-documents",
        "documents are told over JSON-RPC as over GraphQL",
        query_documents,
    )
    .needs(&[Need::RpcDocuments, Need::GraphQl])
    .requires(&["QU1"]),
];

fn call(target: &NodeUnderTest, body: &str) -> Result<Value, Wrong> {
    let response = target.client.post("/", body).map_err(Wrong::Behaviour)?;
    serde_json::from_slice(&response.body)
        .map_err(|error| Wrong::Behaviour(format!("the answer is not JSON: {error}")))
}

fn code(target: &mut NodeUnderTest, body: &str, expected: i64) -> Result<(), Wrong> {
    code_of(target, body, &[expected])
}

//= RC4: compares the codes of errors
fn code_of(target: &mut NodeUnderTest, body: &str, expected: &[i64]) -> Result<(), Wrong> {
    target.control("before")?;
    let code = call(target, body)?["error"]["code"].as_i64();
    must(code.is_some_and(|code| expected.contains(&code)), || {
        format!("the code is {code:?}, expected {expected:?}")
    })?;
    target.control("after")
}

fn asking(target: &NodeUnderTest, purpose: &str, id: &Value) -> Value {
    let author = target.author(purpose).public_key();
    let params = json!({"author": author});
    json!({"jsonrpc": "2.0", "method": "panda_getEntryArguments", "params": params, "id": id})
}

fn id_comes_back(target: &mut NodeUnderTest, id: &Value) -> Result<(), Wrong> {
    let answer = call(target, &asking(target, "a", id).to_string())?;
    must_equal("the id", &answer["id"], id)?;
    must(answer["result"].is_object(), || {
        format!("no result: {answer}")
    })
}

//= RC1: sends several calls at once
fn batch(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let calls = [1, 2, 3].map(|id| asking(target, &id.to_string(), &json!(id)));
    let answers = call(target, &json!(calls).to_string())?;
    let mut ids: Vec<_> = answers.as_array().into_iter().flatten().collect();
    ids.sort_by_key(|answer| answer["id"].as_i64());
    let told: Vec<_> = ids.iter().map(|answer| answer["id"].as_i64()).collect();
    must_equal(
        "the ids of the answers",
        told,
        vec![Some(1), Some(2), Some(3)],
    )?;
    must(
        ids.iter().all(|answer| answer["result"]["seqNum"] == "1"),
        || format!("not every call has its result: {answers}"),
    )
}

fn batch_with_fault(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let bad = json!({"jsonrpc": "2.0", "method": "panda_unknown", "id": 2});
    let calls = json!([asking(target, "a", &json!(1)), bad]);
    let answers = call(target, &calls.to_string())?;
    let answers = answers.as_array().cloned().unwrap_or_default();
    let of = |id: i64| {
        answers
            .iter()
            .find(|answer| answer["id"] == id)
            .cloned()
            .unwrap_or_default()
    };
    must_equal("the good call", &of(1)["result"]["seqNum"], &json!("1"))?;
    must_equal(
        "the bad call",
        of(2)["error"]["code"].as_i64(),
        Some(-32601),
    )
}

fn notification(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut request = asking(target, "a", &json!(1));
    if let Some(members) = request.as_object_mut() {
        members.remove("id");
    }
    let response = target
        .client
        .post("/", &request.to_string())
        .map_err(Wrong::Behaviour)?;
    // By HTTP some answer is due; a response of JSON-RPC is none.
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_response = answer.get("result").is_some() || answer.get("error").is_some();
    must(!is_response, || {
        format!("a notification was answered: {answer}")
    })?;
    target.control("after")
}

fn content_type(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let body = asking(target, "a", &json!(1)).to_string();
    let response = target
        .client
        .send("POST", "/", &[], &body)
        .map_err(Wrong::Behaviour)?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    must_equal("seqNum", &answer["result"]["seqNum"], &json!("1"))
}

//= RC2: compares members with those of the first nodes
//= RC3: compares numbers with decimal strings
fn members(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let answer = call(target, &asking(target, "a", &json!(1)).to_string())?;
    let expected = json!({
        "entryHashBacklink": null,
        "entryHashSkiplink": null,
        "logId": "0",
        "seqNum": "1",
    });
    must_equal("the arguments of a new key", &answer["result"], &expected)
}

fn uppercase_key(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "upper", target.door())?;
    let key = author.public_key().to_uppercase();
    for door in target.doors.publishing() {
        let answer = api::next_args(&target.client, door, &key, Some(&document.id.hex()))?;
        let args = api::read_args(door, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs", args, author.next_args(document.log))?;
    }
    Ok(())
}

fn both_doors(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for (first, second) in [
        (Door::GraphQl, Door::JsonRpc),
        (Door::JsonRpc, Door::GraphQl),
    ] {
        let mut author = target.author(&format!("{first:?}"));
        let document = target.create(&mut author, 1, "both", first)?;
        let (key, view) = (author.public_key(), document.id.hex());
        let answer = api::next_args(&target.client, second, &key, Some(&view))?;
        let args = api::read_args(second, &answer.expect("nextArgs")?)?;
        must_equal("nextArgs", args, author.next_args(document.log))?;
        let operation = target.update_operation(&[document.id], 2);
        target.publish(&mut author, document.log, operation, second)?;
    }
    Ok(())
}

fn entries_of_unknown(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let schema = format!("nowhere_{}", crate::forge::Hash::of("nowhere").hex());
    match api::rpc(
        &target.client,
        "panda_queryEntries",
        json!({"schema": schema}),
    )? {
        Answer::Result(result) => must_equal("entries", &result["entries"], &json!([])),
        // A node may as well say that there is no such schema.
        Answer::Refused { .. } => target.control("after"),
    }
}

fn entries_of_nonsense(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let answer = api::rpc(
        &target.client,
        "panda_queryEntries",
        json!({"schema": "no schema"}),
    )?;
    must_refuse("a schema id that is none", &answer)?;
    target.control("after")
}

fn discover(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for name in [
        "panda_getEntryArguments",
        "panda_publishEntry",
        "panda_queryEntries",
    ] {
        let told = target.doors.rpc_methods.iter().any(|it| it == name);
        must(told, || format!("{name} is not told of"))?;
    }
    Ok(())
}

fn publish_many(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let mut entries = Vec::new();
    let log = author.open_log();
    let mut operation = target.create_operation(1, "many");
    for hour in 2..6 {
        let entry = author.draft(log, &operation).sign(author.key());
        let sent = json!({"entryEncoded": crate::forge::hex(&entry), "operationEncoded": crate::forge::hex(&operation)});
        entries.push(sent);
        let id = author.keep(log, entry, operation);
        operation = target.update_operation(&[id], hour);
    }
    let answer = api::rpc(
        &target.client,
        "panda_publishEntries",
        json!({"entries": entries}),
    )?;
    answer.expect("four entries at once")?;
    let door = target.door();
    let id = crate::forge::Hash::of(&author.log(log).entries[0]).hex();
    let answer = api::next_args(&target.client, door, &author.public_key(), Some(&id))?;
    let args = api::read_args(door, &answer.expect("nextArgs")?)?;
    must_equal("nextArgs after four entries", args, author.next_args(log))
}

fn query_documents(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 41, "rpc", target.door())?;
    target.document_until(document.id, "the document shows", |it| !it.is_null())?;
    let meta = json!({"documentId": {"eq": document.id.hex()}});
    let params = json!({"schema": target.schema_id, "meta": meta});
    let result = api::rpc(&target.client, "panda_queryDocuments", params)?.expect("documents")?;
    let shown = result["documents"].as_array().cloned().unwrap_or_default();
    must_equal("documents", shown.len(), 1)?;
    must(shown[0].to_string().contains("\"hour\":41"), || {
        format!("the document has not its hour: {}", shown[0])
    })
}
