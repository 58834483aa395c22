//! The method about other nodes: who is connected, and how replication with them goes.
//!
//! Where other nodes are is told to the operator alone (`grove-node peers`): addresses are nobody else's matter, and
//! neither is what went wrong in words, which may name them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Methods;
use super::documents::Nothing;
use super::openrpc::{count, list, method, object, or_null, text};
use crate::api::ApiError;
use crate::runtime::{Node, PeerState, PeerStatus};

/// Adds the method.
pub(super) fn register(methods: &mut Methods) {
    let summary = "The nodes this one is connected with, or was, and how replication with them goes. Times are in \
                   seconds since 1970.";
    let peer = object([
        ("peer", text()),
        ("state", text()),
        ("direction", or_null(text())),
        ("transport", or_null(text())),
        ("protocol", or_null(text())),
        ("connectedSince", or_null(count())),
        ("lastSync", or_null(count())),
        ("lag", count()),
        ("entriesSent", count()),
        ("entriesReceived", count()),
        ("refused", count()),
    ]);
    let result = object([("peers", list(peer))]);
    methods.add(method("panda_getPeers", summary, result), peers);
}

async fn peers(node: Arc<Node>, _: Option<Nothing>) -> Result<Value, ApiError> {
    let known = node.peers().list();
    let peers: Vec<_> = known.iter().filter_map(peer_out).collect();
    Ok(json!({ "peers": peers }))
}

/// What others are told of a peer; nothing of places where nobody was ever met.
fn peer_out(status: &PeerStatus) -> Option<Value> {
    let state = match status.state {
        PeerState::Connected => "connected",
        PeerState::Greeting => "greeting",
        PeerState::Disconnected => "disconnected",
    };
    Some(json!({
        "peer": status.peer.as_ref()?,
        "state": state,
        "direction": status.direction,
        "transport": status.transport,
        "protocol": status.protocol,
        "connectedSince": status.connected_since,
        "lastSync": status.last_sync,
        "lag": status.lag,
        "entriesSent": status.entries_sent,
        "entriesReceived": status.entries_received,
        "refused": status.refused,
    }))
}
