//! A simulated node: the real engine, SQLite in memory and the real HTTP side, on one host's thread.
//!
//! Decides nothing of what a node decides. Leaves out the network between nodes, see `replicate`.

use std::collections::BTreeMap;
use std::rc::Rc;

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, PublicKey};
use grove_node::api::ApiError;
use grove_node::engine::{EngineSettings, Output};
use grove_node::http::{self, Http, Limits};
use grove_node::runtime::{InlineNode, PeerConnection};
use grove_node::store::{SqliteStore, StoreError};
use tokio::sync::watch;
use turmoil::net::TcpListener;

use super::determinism::EPOCH;
use super::shared::SharedState;
use super::wire::TappedListener;
use crate::evidence::{NodeState, Shown};
use crate::faults::planted::PlantedBug;
use crate::hosts::{client_key, node_name, peer_id};
use crate::observe;
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
            deaf_to: deaf.then(|| client_key(plan.seed, plan.clients - 1).public_key()),
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
            let entries = observe::entries(store)?;
            let forks = observe::forks(store, &entries)?;
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

/// The time on a simulated host.
pub(crate) fn now() -> Instant {
    let since_epoch = EPOCH + turmoil::sim_elapsed().expect("called on the node's host");
    Instant(u64::try_from(since_epoch.as_micros()).expect("within the next millennia"))
}

/// Answers clients for as long as the host lives.
pub(crate) async fn serve(node: &Node) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", HTTP_PORT)).await?;
    let listener = TappedListener::new(listener, node.trace().clone(), node.name());
    let served = http::serve(listener, node.0.http.clone(), std::future::pending());
    tokio::task::spawn_local(served);
    Ok(())
}
