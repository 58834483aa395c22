//! Other nodes in words for their operator: a line for each, and what went wrong last below it.

use std::fmt::Write;

use super::date;
use crate::runtime::{PeerState, PeerStatus};

/// The list in words.
pub(super) fn to_text(peers: &[PeerStatus]) -> String {
    if peers.is_empty() {
        return "no other nodes\n".to_owned();
    }
    let mut text = String::new();
    for peer in peers {
        // Writing into a text never fails.
        let _ = add(peer, &mut text);
    }
    text
}

fn add(peer: &PeerStatus, text: &mut String) -> std::fmt::Result {
    let name = peer.peer.as_deref().unwrap_or("(never met)");
    let state = match peer.state {
        PeerState::Connected => "connected",
        PeerState::Greeting => "greeting",
        PeerState::Disconnected => "disconnected",
    };
    let details = [&peer.direction, &peer.transport, &peer.protocol];
    let details: Vec<&str> = details.into_iter().flatten().map(String::as_str).collect();
    let at = peer.address.as_deref().unwrap_or("nowhere");
    writeln!(text, "{name}  {state}  {}  {at}", details.join(" "))?;
    let last_sync = peer.last_sync.and_then(|at| i64::try_from(at).ok());
    let last_sync = last_sync.map_or_else(|| "never".to_owned(), date);
    writeln!(
        text,
        "    entries sent {}, received {}, refused {}; last sync {last_sync}; lag {} s",
        peer.entries_sent, peer.entries_received, peer.refused, peer.lag
    )?;
    match &peer.last_error {
        Some(error) => writeln!(text, "    last error: {error}"),
        None => Ok(()),
    }
}
