//! The doors themselves: how a node says no to requests that make no sense, and to whom it answers.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api::{self, Door};
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, must, must_equal, must_refuse};

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[
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

fn malformed_arguments(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    target.control("before")?;
    let key = target.author("a").public_key();
    for door in [Door::GraphQl, Door::JsonRpc] {
        for (what, key) in [
            ("an empty key", ""),
            ("a short key", &key[2..]),
            ("a key that is not hex", &format!("zz{}", &key[2..])),
        ] {
            must_refuse(what, &api::next_args(&target.client, door, key, None)?)?;
        }
        for (what, view) in [("a short id", "0020ab"), ("an id that is not hex", "panda")] {
            must_refuse(
                what,
                &api::next_args(&target.client, door, &key, Some(view))?,
            )?;
        }
    }
    target.control("after")
}

//= RC4: compares the codes of errors
fn json_rpc_errors(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    target.control("before")?;
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
        let response = target.client.post("/", body).map_err(Wrong::Behaviour)?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        must_equal(what, answer["error"]["code"].as_i64(), Some(code))?;
    }
    target.control("after")
}

fn graphql_errors(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    target.control("before")?;
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
        must_refuse(what, &api::graphql(&target.client, query, json!({}))?)?;
    }
    let response = target
        .client
        .post("/graphql", "{\"query\":")
        .map_err(Wrong::Behaviour)?;
    must(response.status.is_client_error(), || {
        format!("broken JSON got status {}", response.status)
    })?;
    target.control("after")
}

fn cross_origin(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let response = target
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
