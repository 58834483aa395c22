//! Which doors a node has, found out before anything is judged.
//!
//! What a node lacks is no fault of it: a case that needs a door which is not there is not applicable. Only
//! what cannot be told apart from a fault is asked of everybody: that entries can be published somewhere.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::http::Client;

/// A way to publish and to ask for next arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    GraphQl,
    JsonRpc,
}

/// What a case cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Any door that entries go through.
    Publishing,
    /// GraphQL with `nextArgs`, `publish` and the queries of schemas.
    GraphQl,
    /// JSON-RPC by POST.
    JsonRpc,
    /// JSON-RPC by WebSocket.
    RpcSocket,
    /// Blobs by HTTP.
    Blobs,
    /// GraphQL subscriptions.
    Subscriptions,
    /// `last` and `before`, which came after aquadoggo.
    PagesBackwards,
    /// `panda_queryDocuments` and its kin.
    RpcDocuments,
    /// `panda_publishEntries`.
    RpcBatches,
    /// `rpc.discover`.
    RpcDiscover,
    /// `panda_getFork`.
    RpcForks,
}

impl Need {
    /// The words for what is not there.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Publishing => "a door to publish through",
            Self::GraphQl => "GraphQL",
            Self::JsonRpc => "JSON-RPC",
            Self::RpcSocket => "JSON-RPC over WebSocket",
            Self::Blobs => "blobs over HTTP",
            Self::Subscriptions => "GraphQL subscriptions",
            Self::PagesBackwards => "pages backwards",
            Self::RpcDocuments => "documents over JSON-RPC",
            Self::RpcBatches => "publishing of many entries over JSON-RPC",
            Self::RpcDiscover => "rpc.discover",
            Self::RpcForks => "proofs of forks over JSON-RPC",
        }
    }
}

/// The doors of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Doors {
    /// Everything that was found.
    pub found: Vec<Need>,
    /// Methods of JSON-RPC beside the three of the first nodes, as far as the node tells of them.
    pub rpc_methods: Vec<String>,
    /// What the node calls itself, where it does.
    pub name: Option<String>,
}

impl Doors {
    /// Knocks at each.
    pub(super) fn probe(client: &Client) -> Self {
        let mut doors = Self::default();
        doors.probe_graphql(client);
        doors.probe_rpc(client);
        if doors.has(Need::GraphQl) || doors.has(Need::JsonRpc) {
            doors.found.push(Need::Publishing);
        }
        if has_blobs(client) {
            doors.found.push(Need::Blobs);
        }
        doors.found.sort_unstable();
        doors
    }

    pub(crate) fn has(&self, need: Need) -> bool {
        self.found.contains(&need)
    }

    /// The first of `needs` that is not met.
    pub(crate) fn lacks(&self, needs: &[Need]) -> Option<Need> {
        needs.iter().copied().find(|need| !self.has(*need))
    }

    /// The doors that entries go through.
    pub(crate) fn publishing(&self) -> Vec<Door> {
        let all = [
            (Need::GraphQl, Door::GraphQl),
            (Need::JsonRpc, Door::JsonRpc),
        ];
        let there = all.into_iter().filter(|(need, _)| self.has(*need));
        there.map(|(_, door)| door).collect()
    }

    /// Whether a foreign node is before us, which is judged by what deployed nodes promise.
    pub(crate) fn is_foreign(&self) -> bool {
        // A method that only our nodes have.
        !self.rpc_methods.iter().any(|name| name == "panda_getFork")
    }

    fn probe_graphql(&mut self, client: &Client) {
        let fields = "{ fields { name args { name } } }";
        let query = format!(
            "{{ __schema {{ queryType {fields} mutationType {fields} subscriptionType {{ name }} }} }}"
        );
        let schema = ask(client, "/graphql", &json!({"query": query}));
        let schema = &schema["data"]["__schema"];
        let names = |root: &str| -> Vec<String> {
            let fields = schema[root]["fields"].as_array().into_iter().flatten();
            fields
                .filter_map(|field| field["name"].as_str().map(str::to_owned))
                .collect()
        };
        let queries = names("queryType");
        let has = |names: &[String], name: &str| names.iter().any(|it| it == name);
        if has(&queries, "nextArgs") && has(&names("mutationType"), "publish") {
            self.found.push(Need::GraphQl);
        }
        if !schema["subscriptionType"].is_null() {
            self.found.push(Need::Subscriptions);
        }
        let fields = schema["queryType"]["fields"]
            .as_array()
            .into_iter()
            .flatten();
        let arguments = fields
            .filter_map(|field| field["args"].as_array())
            .flatten();
        if arguments
            .into_iter()
            .any(|argument| argument["name"] == "before")
        {
            self.found.push(Need::PagesBackwards);
        }
    }

    fn probe_rpc(&mut self, client: &Client) {
        let call = |method: &str, params: Value| {
            let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
            ask(client, "/", &request)
        };
        // The parameters are wrong on purpose: whoever says so speaks the language.
        let answer = call("panda_getEntryArguments", json!({"author": "probe"}));
        if answer["jsonrpc"] != "2.0" || answer["error"]["code"] == -32601 {
            return;
        }
        self.found.push(Need::JsonRpc);
        if opens_socket(client, "/") {
            self.found.push(Need::RpcSocket);
        }
        let described = &call("rpc.discover", json!([]))["result"];
        if let Some(methods) = described["methods"].as_array() {
            self.found.push(Need::RpcDiscover);
            let names = methods.iter().filter_map(|method| method["name"].as_str());
            self.rpc_methods = names.map(str::to_owned).collect();
            self.name = described["info"]["title"].as_str().map(str::to_owned);
        }
        for (method, need) in [
            ("panda_queryDocuments", Need::RpcDocuments),
            ("panda_publishEntries", Need::RpcBatches),
            ("panda_getFork", Need::RpcForks),
        ] {
            if self.rpc_methods.iter().any(|name| name == method) {
                self.found.push(need);
            }
        }
    }
}

impl fmt::Display for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.found.iter().map(|need| need.words()).collect();
        f.write_str(&if words.is_empty() {
            "no door".to_owned()
        } else {
            words.join(", ")
        })
    }
}

/// What is answered, or null where that is no JSON.
fn ask(client: &Client, path: &str, body: &Value) -> Value {
    let response = client.post(path, &body.to_string());
    let body = response.ok().map(|response| response.body);
    body.and_then(|body| serde_json::from_slice(&body).ok())
        .unwrap_or_default()
}

/// Whether a path under `/blobs/` is looked at: an id that is none is told apart from a path that is not there.
fn has_blobs(client: &Client) -> bool {
    let told = |path: &str| {
        let response = client.get(path, &[]);
        response
            .map(|response| (response.status, response.body))
            .ok()
    };
    let (id, nowhere) = (told("/blobs/no-id"), told("/no-such-path/no-id"));
    id.as_ref()
        .is_some_and(|(status, _)| status.is_client_error())
        && id != nowhere
}

/// Whether a WebSocket opens at `path`.
fn opens_socket(client: &Client, path: &str) -> bool {
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "Z3JvdmUgY29uZm9ybWFuYw=="),
    ];
    let response = client.get(path, &headers);
    response.is_ok_and(|response| response.status.as_u16() == 101)
}
