//! What can be told of a node's peers: who is connected, over what, and how replication with them goes.
//!
//! Kept by the network, read by whoever asks. Decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use grove_core::session::{Dialect, PeerId};
use grove_core::wire::Message;
use grove_core::{Phase, Reason};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Events that wait for one who listens to them.
const EVENTS_MAX: usize = 256;

/// Peers without a connection that are remembered.
const REMEMBERED_MAX: usize = 1024;

/// How it stands with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Messages go to and fro.
    Connected,
    /// A connection stands, and it is being settled what is spoken on it.
    Greeting,
    /// There is no connection; one is tried again and again where the peer's address is known.
    Disconnected,
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its peer id; of an address that was never reached there is none.
    pub peer: Option<String>,
    /// How it stands.
    pub state: PeerState,
    /// Whether it was dialled by this node: `outbound`, or `inbound`.
    pub direction: Option<String>,
    /// `quic`, `tcp` or `relay`.
    pub transport: Option<String>,
    /// Where it is, or is looked for.
    pub address: Option<String>,
    /// What is spoken: `grove`, or `p2panda` with nodes of the deployed kind.
    pub protocol: Option<String>,
    /// Since when it is connected, in seconds since 1970.
    pub connected_since: Option<u64>,
    /// When both sides last told all they had, in seconds since 1970.
    pub last_sync: Option<u64>,
    /// Seconds for which there is something that the peer was not told yet; 0 when there is nothing.
    pub lag: u64,
    /// Entries sent to it and received from it since the node started.
    pub entries_sent: u64,
    /// See `entries_sent`.
    pub entries_received: u64,
    /// How much of what it sent was refused.
    pub refused: u64,
    /// The latest thing that went wrong.
    pub last_error: Option<String>,
}

/// What is counted of a peer while messages go to and fro.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    refused: AtomicU64,
    bad: AtomicU64,
    out_of_place: AtomicU64,
    synced: AtomicU64,
    /// Since when a session is under way, in seconds since 1970; 0 when none is.
    syncing: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Counts {
    pub(crate) fn sent(&self, message: &Message) {
        match message {
            Message::Entry { .. } | Message::Skeleton { .. } => {
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            Message::SyncRequest { .. } => self.begun(),
            _ => {}
        }
    }

    pub(crate) fn received(&self, message: &Message) {
        match message {
            Message::Entry { .. } | Message::Skeleton { .. } => {
                self.received.fetch_add(1, Ordering::Relaxed);
            }
            Message::SyncRequest { .. } => self.begun(),
            _ => {}
        }
    }

    fn begun(&self) {
        let _ = self
            .syncing
            .compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self) {
        self.synced.store(now(), Ordering::Relaxed);
        self.syncing.store(0, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, reason: Reason) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.bad
            .fetch_add(u64::from(is_bad(reason)), Ordering::Relaxed);
        self.out_of_place
            .fetch_add(u64::from(!is_bad(reason)), Ordering::Relaxed);
        self.failed(reason.code().to_owned());
    }

    pub(crate) fn bad_entries(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    /// How much came that belongs to no session.
    pub(crate) fn out_of_place(&self) -> u64 {
        self.out_of_place.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self, why: String) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// The connection is gone, and what was under way on it.
    fn interrupted(&self) {
        self.syncing.store(0, Ordering::Relaxed);
        self.bad.store(0, Ordering::Relaxed);
        self.out_of_place.store(0, Ordering::Relaxed);
    }
}

/// How a connection was made and where it leads.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) is_outbound: bool,
    pub(crate) transport: &'static str,
    pub(crate) address: String,
}

#[derive(Debug, Default)]
struct Entry {
    counts: Arc<Counts>,
    path: Option<Path>,
    protocol: Option<&'static str>,
    since: Option<u64>,
    /// Where it is looked for.
    place: Option<String>,
    /// Nobody was ever met there: the id stands for the address.
    is_place_only: bool,
}

/// Something happened to a connection with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerEvent {
    /// Which peer.
    pub peer: PeerId,
    /// What.
    pub what: PeerEventKind,
}

/// What happened to a connection with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEventKind {
    /// A connection stands, and what is spoken on it is settled.
    Connected(Dialect),
    /// Both sides told all they had.
    Synced,
    /// Something the peer sent was not accepted.
    Refused(Reason),
    /// An attempt to connect, or a connection, came to a bad end.
    Failed(String),
    /// There is no connection any more.
    Disconnected,
}

/// All that is known of peers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KnownPeers {
    entries: Arc<Mutex<BTreeMap<PeerId, Entry>>>,
    events: broadcast::Sender<PeerEvent>,
}

impl Default for KnownPeers {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            events: broadcast::channel(EVENTS_MAX).0,
        }
    }
}

impl KnownPeers {
    /// Hears from now on what happens to connections. Who does not listen misses the oldest events, and is told how
    /// many.
    pub fn events(&self) -> broadcast::Receiver<PeerEvent> {
        self.events.subscribe()
    }

    pub(crate) fn tell(&self, peer: PeerId, what: PeerEventKind) {
        // Nobody listens.
        let _ = self.events.send(PeerEvent { peer, what });
    }

    /// What is known of each peer, those that are connected first.
    pub fn list(&self) -> Vec<PeerStatus> {
        let entries = self.lock();
        let mut list: Vec<_> = entries
            .iter()
            .map(|(peer, entry)| entry.status(*peer))
            .collect();
        list.sort_by_key(|status| status.state as u8);
        list
    }

    pub(crate) fn looked_for(&self, peer: PeerId, place: String, is_place_only: bool) {
        let mut entries = self.lock();
        let entry = entries.entry(peer).or_default();
        entry.place = Some(place);
        entry.is_place_only = is_place_only;
    }

    /// Nobody of this name is looked for any more.
    pub(crate) fn forget(&self, peer: PeerId) {
        let mut entries = self.lock();
        if entries.get(&peer).is_some_and(|entry| entry.path.is_none()) {
            entries.remove(&peer);
        }
    }

    /// A connection lives.
    pub(crate) fn connected(&self, peer: PeerId, path: Path) {
        let mut entries = self.lock();
        let entry = entries.entry(peer).or_default();
        entry.path = Some(path);
        entry.protocol = None;
        entry.since = Some(now());
        entry.counts.interrupted();
    }

    /// It is settled what is spoken; where to count what is said.
    pub(crate) fn speaks(&self, peer: PeerId, dialect: Dialect) -> Arc<Counts> {
        let mut entries = self.lock();
        let entry = entries.entry(peer).or_default();
        entry.protocol = Some(match dialect {
            Dialect::Grove => "grove",
            Dialect::Deployed => "p2panda",
        });
        self.tell(peer, PeerEventKind::Connected(dialect));
        Arc::clone(&entry.counts)
    }

    pub(crate) fn disconnected(&self, peer: PeerId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&peer) {
            entry.path = None;
            entry.since = None;
            entry.counts.interrupted();
            self.tell(peer, PeerEventKind::Disconnected);
        }
        if entries.len() > REMEMBERED_MAX {
            let is_idle = |entry: &Entry| entry.path.is_none() && entry.place.is_none();
            entries.retain(|_, entry| !is_idle(entry));
        }
    }

    pub(crate) fn failed(&self, peer: PeerId, why: String) {
        if let Some(entry) = self.lock().get(&peer) {
            self.tell(peer, PeerEventKind::Failed(why.clone()));
            entry.counts.failed(why);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn status(&self, peer: PeerId) -> PeerStatus {
        let counts = &self.counts;
        let some = |time: u64| (time > 0).then_some(time);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let state = match (&self.path, self.protocol) {
            (None, _) => PeerState::Disconnected,
            (Some(_), None) => PeerState::Greeting,
            (Some(_), Some(_)) => PeerState::Connected,
        };
        let path = self.path.as_ref();
        let direction = path.map(|path| match path.is_outbound {
            true => "outbound".to_owned(),
            false => "inbound".to_owned(),
        });
        let error = counts.error.lock();
        PeerStatus {
            peer: (!self.is_place_only).then(|| peer.to_string()),
            state,
            direction,
            transport: path.map(|path| path.transport.to_owned()),
            address: path
                .map(|path| path.address.clone())
                .or_else(|| self.place.clone()),
            protocol: path.and(self.protocol).map(str::to_owned),
            connected_since: self.since,
            last_sync: some(count(&counts.synced)),
            lag: some(count(&counts.syncing)).map_or(0, |since| now().saturating_sub(since)),
            entries_sent: count(&counts.sent),
            entries_received: count(&counts.received),
            refused: count(&counts.refused),
            last_error: error.unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Whether a refusal says that an entry is bad, and not merely that it came at the wrong time.
pub(crate) fn is_bad(reason: Reason) -> bool {
    !matches!(reason.phase(), Phase::Session | Phase::Message)
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(all(test, feature = "net"))]
mod tests {
    use super::*;

    #[test]
    fn whoever_embeds_a_node_hears_of_its_connections() {
        let known = KnownPeers::default();
        let peer = PeerId([1; 32]);
        known.tell(peer, PeerEventKind::Synced);
        let mut events = known.events();
        known.connected(
            peer,
            Path {
                is_outbound: true,
                transport: "quic",
                address: "here".to_owned(),
            },
        );

        known.speaks(peer, Dialect::Grove);
        known.failed(peer, "the cable broke".to_owned());
        known.disconnected(peer);

        let heard: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| event.what)
            .collect();
        let failed = PeerEventKind::Failed("the cable broke".to_owned());
        let connected = PeerEventKind::Connected(Dialect::Grove);
        assert_eq!(heard, [connected, failed, PeerEventKind::Disconnected]);
    }
}
