//! A simulated node: the real engine, SQLite in memory and the real HTTP side, on one host's thread.
//!
//! Decides nothing of what a node decides. Leaves out the network between nodes, see `replicate`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, Hash, KeyPair, OperationId, PublicKey, Schema, SchemaId};
use grove_node::api::ApiError;
use grove_node::engine::{EngineSettings, Output};
use grove_node::http::{self, Http, Limits};
use grove_node::runtime::{InlineNode, PeerConnection};
use grove_node::store::{Read, SqliteStore, StoreError};
use tokio::sync::watch;
use turmoil::net::TcpListener;

use super::determinism::EPOCH;
use super::shared::SharedState;
use super::wire::TappedListener;
use crate::draw::Draw;
use crate::evidence::{Forks, Held, NodeState, Shown};
use crate::faults::planted::PlantedBug;
use crate::hosts::node_name;
use crate::plan::Plan;
use crate::trace::Trace;

/// Where nodes answer clients.
pub(crate) const HTTP_PORT: u16 = 2020;

/// A node and what the harness keeps beside it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Node(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    number: usize,
    name: String,
    nodes: usize,
    seed: u64,
    inline: InlineNode,
    handle: grove_node::runtime::Node,
    http: Http,
    trace: Trace,
    shared: SharedState,
    /// Per node: connections to it break when this moves.
    resets: Vec<watch::Sender<()>>,
    deaf_to: Option<PublicKey>,
}

impl Node {
    /// An empty node.
    pub(crate) fn build(
        number: usize,
        plan: &Plan,
        planted: Option<PlantedBug>,
        trace: &Trace,
        shared: &SharedState,
    ) -> Result<Self, StoreError> {
        let store = SqliteStore::in_memory()?;
        let settings = EngineSettings::new(peer_id(number));
        let (inline, handle) = InlineNode::new(store, settings)?;
        let deaf = planted == Some(PlantedBug::DropEntries) && number == plan.nodes - 1;
        Ok(Self(Rc::new(Inner {
            number,
            name: node_name(number),
            nodes: plan.nodes,
            seed: plan.seed,
            inline,
            http: Http::new(handle.clone(), Limits::simulated()),
            handle,
            trace: trace.clone(),
            shared: shared.clone(),
            resets: (0..plan.nodes).map(|_| watch::Sender::new(())).collect(),
            deaf_to: deaf.then(|| client_key(plan, plan.clients - 1).public_key()),
        })))
    }

    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.0.nodes
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.0.trace
    }

    pub(crate) fn shared(&self) -> &SharedState {
        &self.0.shared
    }

    /// Whose entries a planted bug keeps from this node.
    pub(crate) fn deaf_to(&self) -> Option<PublicKey> {
        self.0.deaf_to
    }

    /// Breaks the connections to node `other`.
    pub(crate) fn reset(&self, other: usize) {
        self.0.resets[other].send_replace(());
    }

    /// Moves when connections to node `other` break.
    pub(crate) fn resets(&self, other: usize) -> watch::Receiver<()> {
        self.0.resets[other].subscribe()
    }

    /// The seed of the run, for what the node draws at random.
    pub(crate) fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Tells the engine what time it is.
    pub(crate) fn keep_time(&self) {
        self.0.inline.keep_time(now());
    }

    /// Begins a connection to a peer.
    pub(crate) async fn connect(&self, peer: PeerId) -> Option<PeerConnection> {
        self.keep_time();
        let connected = self.0.handle.connect(peer).await;
        let failed = |error: ApiError| self.store_failed(&error.to_string());
        connected.map_err(failed).ok()
    }

    /// Has the engine look after its sessions.
    pub(crate) async fn tick(&self) {
        self.keep_time();
        if let Err(error) = self.0.handle.tick().await {
            self.store_failed(&error.to_string());
        }
    }

    /// What the engine did that concerns neither a peer nor a client who waits.
    pub(crate) fn take_outputs(&self) -> Vec<Output> {
        self.0.inline.take_outputs()
    }

    pub(crate) fn store_failed(&self, error: &str) {
        let difference = format!("{}: {error}", self.0.name);
        self.0.shared.violate("stores_work", difference);
    }

    /// What the node holds, next to what it was seen to show.
    pub(crate) fn observe(
        &self,
        shown: BTreeMap<DocumentId, Shown>,
    ) -> Result<NodeState, ApiError> {
        let (entries, forks) = self.0.inline.read(|store| {
            let entries = entries(store)?;
            let forks = forks(store, &entries)?;
            Ok((entries, forks))
        })?;
        Ok(NodeState {
            name: self.0.name.clone(),
            entries,
            shown,
            forks,
        })
    }
}

/// Every entry of every schema the store knows.
fn entries(store: &dyn Read) -> Result<BTreeMap<OperationId, Held>, StoreError> {
    let application = store.schemas()?;
    let application = application.iter().map(Schema::id);
    let system = [
        SchemaId::SCHEMA_DEFINITION,
        SchemaId::SCHEMA_FIELD_DEFINITION,
    ];
    let mut entries = BTreeMap::new();
    for schema in system.iter().chain(application) {
        for row in store.schema_entries(schema)? {
            let held = Held {
                position: (row.public_key, row.log_id, row.seq_num),
                entry: row.entry,
                operation: row.payload,
            };
            entries.insert(row.hash.into(), held);
        }
    }
    Ok(entries)
}

/// The evidence of forks in the logs of these entries.
fn forks(store: &dyn Read, entries: &BTreeMap<OperationId, Held>) -> Result<Forks, StoreError> {
    let logs: BTreeSet<_> = entries
        .values()
        .map(|held| (held.position.0, held.position.1))
        .collect();
    let mut forks = Forks::new();
    for (public_key, log_id) in logs {
        if let Some(fork) = store.fork(public_key, log_id)? {
            let pair = [fork.first, fork.second].map(|entry| Hash::of(&entry).into());
            forks.insert((public_key, log_id), pair);
        }
    }
    Ok(forks)
}

/// The time on a simulated host.
pub(crate) fn now() -> Instant {
    let since_epoch = EPOCH + turmoil::sim_elapsed().expect("called on the node's host");
    Instant(u64::try_from(since_epoch.as_micros()).expect("within the next millennia"))
}

/// The key of a simulated client.
pub(crate) fn client_key(plan: &Plan, client: usize) -> KeyPair {
    let mut seed = [0; 32];
    Draw::new(plan.seed).fill("key", client as u64, 0, &mut seed);
    KeyPair::from_seed(&seed)
}

/// The name a node has among its peers; greater numbers have greater names.
pub(crate) fn peer_id(number: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    PeerId(id)
}

/// The number of the node with this name.
pub(crate) fn number_of(peer: PeerId) -> usize {
    let mut number = [0; 8];
    number.copy_from_slice(&peer.0[..8]);
    usize::try_from(u64::from_be_bytes(number)).expect("made from a usize")
}

/// Answers clients for as long as the host lives.
pub(crate) async fn serve(node: &Node) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", HTTP_PORT)).await?;
    let listener = TappedListener::new(listener, node.trace().clone(), node.name());
    let served = http::serve(listener, node.0.http.clone(), std::future::pending());
    tokio::task::spawn_local(served);
    Ok(())
}
