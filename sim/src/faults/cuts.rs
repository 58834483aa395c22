//! Links that are down for a while: when, between whom, and what becomes of the bytes.
//!
//! Decides from the seed which links are cut. Leaves out how a link is cut, which is the engine's work.
//!
//! Always true: cuts end within the workload, and each names its ends in order.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::hosts::{client_name, node_name};

const CUTS_MAX: u64 = 4;
const CUT_MS: RangeInclusive<u64> = 500..=9_000;
/// About as long as the requests of one step take.
const STEP_MS: u64 = 700;

/// One link that is down for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Down from this moment …
    pub from_ms: u64,
    /// … until this one.
    pub until_ms: u64,
    /// What becomes of the bytes.
    pub kind: CutKind,
    /// One end, the one whose name sorts first.
    pub a: String,
    /// The other end.
    pub b: String,
    /// Whether only what `a` sends to `b` is concerned; the fast engine alone can do that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_way: bool,
}

/// What becomes of bytes on a link that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutKind {
    /// They arrive once the link is up again, as when TCP sends them again in time.
    Stall,
    /// They are lost, and with them the connections they belonged to.
    Loss,
}

/// What cuts are drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub draw: Draw,
    pub nodes: usize,
    pub clients: usize,
    /// When which client begins a step.
    pub busy: &'a [(u64, usize)],
    pub workload_ms: u64,
}

impl Scene<'_> {
    /// All cuts of the seed; each class of them is on or off for the whole seed.
    pub(crate) fn cuts(self) -> Vec<Cut> {
        let Self { draw, nodes, .. } = self;
        let mut cuts = Vec::new();
        if draw.chance(75, "cuts between nodes", 0, 0) {
            for nth in 0..1 + draw.below(CUTS_MAX, "node cuts", 0, 0) {
                let a = draw.pick(nodes, "cut end", 0, nth);
                let b = (a + 1 + draw.pick(nodes - 1, "cut end", 1, nth)) % nodes;
                cuts.push(self.cut("node cut", nth, node_name(a), node_name(b)));
            }
        }
        if draw.chance(50, "cuts of clients", 0, 0) {
            for nth in 0..1 + draw.below(CUTS_MAX, "client cuts", 0, 0) {
                let client = draw.pick(self.clients, "cut client", 0, nth);
                let (a, b) = (client_name(client), node_name(client % nodes));
                cuts.push(self.cut("client cut", nth, a, b));
            }
        }
        if draw.chance(60, "unknown outcomes", 0, 0) {
            for nth in 0..1 + draw.below(CUTS_MAX, "unknown outcomes", 1, 0) {
                let step = draw.pick(self.busy.len(), "unknown outcome", 0, nth);
                cuts.push(self.cut_of_step(nth, self.busy[step]));
            }
        }
        if draw.chance(30, "isolation", 0, 0) {
            let alone = draw.pick(nodes, "isolated", 0, 0);
            for other in (0..nodes).filter(|other| *other != alone) {
                // One purpose and counter for all of them: the links go down and up together.
                let (a, b) = (node_name(alone), node_name(other));
                cuts.push(self.cut("isolation cut", 0, a, b));
            }
        }
        cuts.sort_by(|left, right| {
            (left.from_ms, &left.a, &left.b).cmp(&(right.from_ms, &right.a, &right.b))
        });
        cuts
    }

    /// A cut in the middle of a client's step, so that its request or the answer to it is on the way.
    fn cut_of_step(self, nth: u64, (at_ms, client): (u64, usize)) -> Cut {
        let Self {
            draw, workload_ms, ..
        } = self;
        let (a, b) = (client_name(client), node_name(client % self.nodes));
        let mut cut = self.cut("step cut", nth, a, b);
        // The last steps may begin just before the workload ends.
        let from_ms = at_ms + draw.below(STEP_MS, "step cut", 3, nth);
        let length_ms = draw.within(&CUT_MS, "step cut", 0, nth);
        cut.from_ms = from_ms.min(workload_ms - 1);
        cut.until_ms = workload_ms.min(cut.from_ms + length_ms);
        cut
    }

    fn cut(self, purpose: &str, nth: u64, a: String, b: String) -> Cut {
        let draw = self.draw;
        let length_ms = draw.within(&CUT_MS, purpose, 0, nth);
        let from_ms = draw.below(self.workload_ms - length_ms, purpose, 1, nth);
        let stalls = draw.chance(50, purpose, 2, nth);
        let kind = if stalls {
            CutKind::Stall
        } else {
            CutKind::Loss
        };
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        Cut {
            from_ms,
            until_ms: from_ms + length_ms,
            kind,
            a,
            b,
            one_way: false,
        }
    }
}
