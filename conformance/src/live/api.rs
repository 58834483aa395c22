//! The two client APIs of a node, reduced to what the checks ask.

use serde_json::{Value, json};

use super::Wrong;
use super::doors::Door;
use super::http::{Client, Response};
use crate::forge::hex;

/// How a node took a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// It did what was asked.
    Result(Value),
    /// It said no.
    Refused {
        /// The stable code, when the node tells one.
        code: Option<String>,
        /// What it tells people.
        message: String,
        /// What else it tells programs, beside the code.
        data: Value,
    },
}

impl Answer {
    /// The result, or the refusal as a fault of the node.
    pub(super) fn expect(self, what: &str) -> Result<Value, Wrong> {
        match self {
            Self::Result(value) => Ok(value),
            Self::Refused { code, message, .. } => {
                let code = code.unwrap_or_default();
                Err(Wrong::Behaviour(format!(
                    "{what} was refused: {message} {code}"
                )))
            }
        }
    }
}

/// Where an author's next entry goes, in the words of either API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NextArgs {
    pub log_id: String,
    pub seq_num: String,
    pub backlink: Option<String>,
    pub skiplink: Option<String>,
}

/// Asks GraphQL. An answer without `errors` is a result; HTTP must say 200 either way.
pub(super) fn graphql(client: &Client, query: &str, variables: Value) -> Result<Answer, Wrong> {
    let body = json!({"query": query, "variables": variables}).to_string();
    let response = client.post("/graphql", &body).map_err(Wrong::Behaviour)?;
    if response.status != 200 {
        let status = response.status;
        return Err(Wrong::Behaviour(format!(
            "a well-formed GraphQL request got status {status}"
        )));
    }
    let body = json_body(&response)?;
    match body["errors"].as_array().and_then(|errors| errors.first()) {
        None => Ok(Answer::Result(body["data"].clone())),
        Some(error) => Ok(Answer::Refused {
            code: error["extensions"]["code"].as_str().map(str::to_owned),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error["extensions"].clone(),
        }),
    }
}

/// Calls a JSON-RPC method.
pub(super) fn rpc(client: &Client, method: &str, params: Value) -> Result<Answer, Wrong> {
    let body = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 7}).to_string();
    let response = client.post("/", &body).map_err(Wrong::Behaviour)?;
    let answer = json_body(&response)?;
    if answer["jsonrpc"] != "2.0" || answer["id"] != 7 {
        return Err(Wrong::Behaviour(
            "the answer is no JSON-RPC 2.0 response to the request".to_owned(),
        ));
    }
    match answer.get("error") {
        None => Ok(Answer::Result(answer["result"].clone())),
        Some(error) => Ok(Answer::Refused {
            code: error["data"]["code"].as_str().map(str::to_owned),
            message: format!(
                "{} ({})",
                error["message"].as_str().unwrap_or_default(),
                error["code"]
            ),
            data: error["data"].clone(),
        }),
    }
}

/// Publishes an entry through either door.
pub(super) fn publish(
    client: &Client,
    door: Door,
    entry: &[u8],
    operation: &[u8],
) -> Result<Answer, Wrong> {
    publish_text(client, door, &hex(entry), &hex(operation))
}

/// As [`publish`], with whatever text in place of the hex.
pub(super) fn publish_text(
    client: &Client,
    door: Door,
    entry: &str,
    operation: &str,
) -> Result<Answer, Wrong> {
    match door {
        Door::GraphQl => {
            let query = "mutation Publish($entry: String!, $operation: String!) { \
                         publish(entry: $entry, operation: $operation) { logId seqNum backlink skiplink } }";
            let answer = graphql(
                client,
                query,
                json!({"entry": entry, "operation": operation}),
            )?;
            Ok(within(answer, "publish"))
        }
        Door::JsonRpc => {
            let params = json!({"entryEncoded": entry, "operationEncoded": operation});
            rpc(client, "panda_publishEntry", params)
        }
    }
}

/// Asks for the arguments of the next entry.
pub(super) fn next_args(
    client: &Client,
    door: Door,
    key: &str,
    view: Option<&str>,
) -> Result<Answer, Wrong> {
    match door {
        Door::GraphQl => {
            let query = "query NextArgs($publicKey: String!, $viewId: String) { \
                         nextArgs(publicKey: $publicKey, viewId: $viewId) { logId seqNum backlink skiplink } }";
            let answer = graphql(client, query, json!({"publicKey": key, "viewId": view}))?;
            Ok(within(answer, "nextArgs"))
        }
        Door::JsonRpc => {
            let params = match view {
                Some(view) => json!({"author": key, "document": view}),
                None => json!({"author": key}),
            };
            rpc(client, "panda_getEntryArguments", params)
        }
    }
}

/// Reads next arguments in the words of `door`; integers must be decimal strings.
pub(super) fn read_args(door: Door, value: &Value) -> Result<NextArgs, Wrong> {
    let names = match door {
        Door::GraphQl => ["logId", "seqNum", "backlink", "skiplink"],
        Door::JsonRpc => ["logId", "seqNum", "entryHashBacklink", "entryHashSkiplink"],
    };
    let [log_id, seq_num, backlink, skiplink] = names.map(|name| value.get(name).cloned());
    let text = |value: Option<Value>, what: &str| match value {
        Some(Value::String(text)) => Ok(text),
        other => Err(Wrong::Behaviour(format!(
            "{what} is {other:?}, not a decimal string"
        ))),
    };
    let link = |value: Option<Value>, what: &str| match value {
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        other => Err(Wrong::Behaviour(format!(
            "{what} is {other:?}, neither null nor a hash"
        ))),
    };
    Ok(NextArgs {
        log_id: text(log_id, names[0])?,
        seq_num: text(seq_num, names[1])?,
        backlink: link(backlink, names[2])?,
        skiplink: link(skiplink, names[3])?,
    })
}

fn within(answer: Answer, field: &str) -> Answer {
    match answer {
        Answer::Result(data) => Answer::Result(data[field].clone()),
        refused => refused,
    }
}

fn json_body(response: &Response) -> Result<Value, Wrong> {
    serde_json::from_slice(&response.body)
        .map_err(|error| Wrong::Behaviour(format!("the answer is not JSON: {error}")))
}
