//! Connections between nodes as data, and what the plan says of links.

use std::collections::VecDeque;
use std::rc::Rc;

use grove_core::session::links::LinkId;
use grove_core::wire::Message;

use super::time::MS;
use crate::faults::cuts::CutKind;
use crate::hosts::{client_name, node_name};
use crate::plan::{Plan, Topology};

/// A message on its way: its bytes, and what they mean where nobody meddled with them, so that it need not be
/// read again by everybody who gets the same. That reading gives what was written is shown by tests of the codec.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub bytes: Rc<[u8]>,
    pub message: Option<Rc<Message>>,
}

/// A connection between two nodes, or an attempt at one.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Who dialled, and who was dialled.
    pub ends: [usize; 2],
    pub links: [Option<LinkId>; 2],
    /// In which lives of the nodes.
    pub boots: [u32; 2],
    pub open: [bool; 2],
    pub ended: [bool; 2],
    /// What arrived before the side opened its end.
    pub waiting: [VecDeque<Packet>; 2],
    /// When the last message arrives at each side.
    pub last_arrival: [u64; 2],
    pub sent: [u64; 2],
    /// Whether something was lost, so that it breaks once the link is whole.
    pub is_lossy: bool,
}

/// A cut, with hosts as numbers: nodes first, then clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct FastCut {
    pub from: u64,
    pub until: u64,
    pub kind: CutKind,
    pub a: usize,
    pub b: usize,
    pub one_way: bool,
}

impl FastCut {
    pub(super) fn of(plan: &Plan) -> Vec<Self> {
        let number = |name: &str| {
            let node = (0..plan.nodes).find(|node| node_name(*node) == name);
            let client = || {
                let client = (0..plan.clients).find(|client| client_name(*client) == name);
                client.map(|client| plan.nodes + client)
            };
            node.or_else(client).expect("checked with the plan")
        };
        let cuts = plan.cuts.iter().map(|cut| Self {
            from: cut.from_ms * MS,
            until: cut.until_ms * MS,
            kind: cut.kind,
            a: number(&cut.a),
            b: number(&cut.b),
            one_way: cut.one_way,
        });
        cuts.collect()
    }
}

/// Who is connected to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wiring {
    topology: Topology,
    nodes: usize,
    pub latency_max: u64,
}

impl Wiring {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            topology: plan.topology,
            nodes: plan.nodes,
            latency_max: plan.latency_max_ms,
        }
    }

    pub(super) fn joins(self, a: usize, b: usize) -> bool {
        self.topology.joins(self.nodes, a, b)
    }
}
