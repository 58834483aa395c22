//! What is going to happen, in order: by time, and of equal times by when it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use grove_core::session::links::LinkId;

use super::connection::Packet;
use super::line::{Ask, Reply};

/// Names a question of a client until it is answered or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub client: usize,
    pub task: usize,
    pub number: u64,
}

/// One of the two ends of a connection: 0 dialled it, 1 was dialled.
pub(super) type Side = usize;

/// Something that happens at a moment.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A node's links are told the time.
    Links { node: usize, boot: u32 },
    /// Somebody dials.
    Knock { connection: usize },
    /// Whoever dialled hears that it worked.
    Admitted { connection: usize },
    /// Whoever dialled hears that it did not.
    DialFailed {
        node: usize,
        boot: u32,
        link: LinkId,
    },
    /// A message arrives at this side.
    Bytes {
        connection: usize,
        side: Side,
        packet: Packet,
    },
    /// This side hears that the connection is gone.
    Hangup { connection: usize, side: Side },
    /// A node reads the next entries for a peer.
    Pump { node: usize, boot: u32, peer: usize },
    /// A question arrives at a node.
    Ask {
        call: Call,
        node: usize,
        ask: Rc<Ask>,
    },
    /// An answer leaves a node, if that still lives.
    Depart {
        call: Call,
        node: usize,
        boot: u32,
        reply: Rc<Reply>,
    },
    /// An answer arrives at a client.
    Reply { call: Call, reply: Rc<Reply> },
    /// A client begins its next step, if it is its time.
    Step { client: usize },
    /// The fault of this number begins (0), goes on, or ends.
    Fault { number: usize, part: u64 },
    /// The cut of this number ends.
    Healed { cut: usize },
    /// A hostile node does something of its own accord.
    Scheme { node: usize },
}

#[derive(Clone, Debug)]
struct Planned {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest comes first out of a heap.
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// All that is going to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Planned>,
    next: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at: u64, event: Event) {
        let number = self.next;
        self.next += 1;
        self.heap.push(Planned { at, number, event });
    }

    /// The next event, unless it is later than this.
    pub(super) fn next(&mut self, until: u64) -> Option<(u64, Event)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|planned| (planned.at, planned.event))
    }
}
