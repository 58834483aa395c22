//! What the service says of itself: the answer of `rpc.discover`, an OpenRPC document.
//!
//! A method is described where it is registered, so that none is missing here.

use serde_json::{Map, Value, json};

/// Version of the OpenRPC specification.
const OPENRPC: &str = "1.3.2";

/// A method as others are told of it.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) name: &'static str,
    summary: &'static str,
    params: Vec<Value>,
    result: Value,
}

/// Begins the description of a method, with what it answers.
pub(super) const fn method(name: &'static str, summary: &'static str, result: Value) -> Method {
    Method {
        name,
        summary,
        params: Vec::new(),
        result,
    }
}

impl Method {
    /// Adds a parameter that must be given.
    pub(super) fn needs(self, name: &str, schema: Value) -> Self {
        self.param(name, true, schema)
    }

    /// Adds a parameter that may be left out.
    pub(super) fn takes(self, name: &str, schema: Value) -> Self {
        self.param(name, false, or_null(schema))
    }

    fn param(mut self, name: &str, required: bool, schema: Value) -> Self {
        let param = json!({ "name": name, "required": required, "schema": schema });
        self.params.push(param);
        self
    }

    pub(super) fn describe(self) -> Value {
        json!({
            "name": self.name,
            "summary": self.summary,
            "paramStructure": "either",
            "params": self.params,
            "result": { "name": "result", "schema": self.result },
            "errors": [{
                "code": super::REFUSED,
                "message": "refused; data holds the stable code of the cause and its phase",
            }],
        })
    }
}

/// The method that ends a subscription, which takes its id by position.
pub(super) fn unsubscribing(name: &str) -> Value {
    json!({
        "name": name,
        "summary": "Ends a subscription; false when there was none of this id.",
        "paramStructure": "by-position",
        "params": [{ "name": "subscription", "required": true, "schema": subscription() }],
        "result": { "name": "result", "schema": boolean() },
    })
}

/// What comes to those who subscribed. OpenRPC has no word for it.
pub(super) fn notification(name: &str, begun_by: &str, ended_by: &str, notice: Value) -> Value {
    json!({
        "name": name,
        "begunBy": begun_by,
        "endedBy": ended_by,
        "params": object([("subscription", subscription()), ("result", notice)]),
    })
}

/// The id of a subscription.
pub(super) fn subscription() -> Value {
    text()
}

/// The document of these methods, and of the notifications over WebSocket.
pub(super) fn document(methods: &[Value], notifications: &[Value]) -> Value {
    json!({
        "openrpc": OPENRPC,
        "info": {
            "title": "p2panda node",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "methods": methods,
        "x-notifications": notifications,
    })
}

/// Bytes in hex of either case.
pub(super) fn hex() -> Value {
    json!({ "type": "string", "pattern": "^([0-9a-fA-F]{2})*$" })
}

/// An Ed25519 public key.
pub(super) fn public_key() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
}

/// A YASMF hash: of an entry, and thus the id of an operation or a document.
pub(super) fn hash() -> Value {
    json!({ "type": "string", "pattern": "^0020[0-9a-f]{64}$" })
}

/// The id of a document view.
pub(super) fn view_id() -> Value {
    json!({ "type": "string", "pattern": "^0020[0-9a-f]{64}(_0020[0-9a-f]{64})*$" })
}

/// A number of 64 bits as decimal digits.
pub(super) fn number() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,20}$" })
}

/// Any text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// How many.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// Yes or no.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// An object whose members are not told one by one.
pub(super) fn any_object() -> Value {
    json!({ "type": "object" })
}

/// A list of these.
pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// This, or null.
pub(super) fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// One of these.
pub(super) fn one_of<const N: usize>(schemas: [Value; N]) -> Value {
    json!({ "anyOf": schemas.to_vec() })
}

/// An object with exactly these members.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let names: Vec<_> = members.iter().map(|(name, _)| (*name).to_owned()).collect();
    let members = members.into_iter();
    let properties: Map<String, Value> = members
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}
