//! What happens to nodes, their disks, their clocks and the messages between them, and nodes that are hostile.
//!
//! Data only: what each of them does to a network is for the engine that carries a plan out. Cut links and copied
//! clients are elsewhere.
//!
//! Always true: a mishap names nodes of its plan and ends within the workload.

use serde::{Deserialize, Serialize};

/// Longest storm, and how far a clock may be off.
const STORM_MAX: u64 = 50;
const OFFSET_MS_MAX: u64 = 3_600_000;
const DRIFT_PPM_MAX: u64 = 100_000;
/// Most kinds of hostility of one node.
const TRICKS_MAX: usize = 16;

/// Something that goes wrong, beside cut links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mishap {
    /// A node is stopped and started again: what it was asked before is answered.
    Stop {
        node: usize,
        at_ms: u64,
        until_ms: u64,
    },
    /// A node loses power: what it committed stays, what it was about to say is lost.
    Crash {
        node: usize,
        at_ms: u64,
        until_ms: u64,
    },
    /// A node does nothing for a while, and then everything that came meanwhile.
    Pause {
        node: usize,
        at_ms: u64,
        until_ms: u64,
    },
    /// A node loses power several times in a row.
    Storm {
        node: usize,
        at_ms: u64,
        times: u64,
        gap_ms: u64,
    },
    /// A node goes on from an old backup of its own disk.
    Backup {
        node: usize,
        from_ms: u64,
        at_ms: u64,
    },
    /// A node goes on from a copy of the disk of another one that lives.
    CloneDisk { node: usize, of: usize, at_ms: u64 },
    /// Nothing can be stored on a node.
    DiskFull {
        node: usize,
        at_ms: u64,
        until_ms: u64,
    },
    /// A node's clock is set to another time, and runs too fast (or slow) from then on.
    Clock {
        node: usize,
        at_ms: u64,
        offset_ms: i64,
        drift_ppm: i64,
    },
    /// The connection between two nodes breaks.
    Reset { a: usize, b: usize, at_ms: u64 },
    /// Something is done to some of the messages that one node sends to another.
    Messages {
        from: usize,
        to: usize,
        what: Meddling,
        percent: u64,
        at_ms: u64,
        until_ms: u64,
    },
    /// A node is hostile from the beginning to the end.
    Hostile {
        node: usize,
        tricks: Vec<Trick>,
        percent: u64,
    },
}

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meddling {
    /// It never arrives, and the connection goes on.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It arrives after those sent later.
    Delay,
    /// One bit of it is another.
    Garble,
}

/// What a hostile node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trick {
    /// Writes two entries for each place of its log, and tells each neighbour another one.
    Equivocate,
    /// Keeps entries back.
    Withhold,
    /// Tells less than it has.
    StaleHeads,
    /// Tells of entries that it has not.
    PhantomHeads,
    /// Spoils signatures.
    BadSignature,
    /// Writes entries whose links lead nowhere.
    BadLink,
    /// Sends an operation that is not the one that was signed for.
    BadPayload,
    /// Sends more than anybody asked for.
    Flood,
    /// Sends what was deleted.
    Resurrect,
    /// Says of what lives that it was deleted.
    FalseSkeleton,
    /// Deletes documents of others, which anybody may.
    DeleteOthers,
    /// Never says that it is done.
    NeverDone,
}

impl Trick {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Equivocate,
        Self::Withhold,
        Self::StaleHeads,
        Self::PhantomHeads,
        Self::BadSignature,
        Self::BadLink,
        Self::BadPayload,
        Self::Flood,
        Self::Resurrect,
        Self::FalseSkeleton,
        Self::DeleteOthers,
        Self::NeverDone,
    ];
}

impl Mishap {
    /// Whether it names nodes below `nodes` and ends within the workload.
    pub(crate) fn fits(&self, nodes: usize, workload_ms: u64) -> bool {
        let span = |at: &u64, until: &u64| at < until && *until <= workload_ms;
        let two = |a: &usize, b: &usize| a != b && a.max(b) < &nodes;
        match self {
            Self::Stop {
                node,
                at_ms,
                until_ms,
            }
            | Self::Crash {
                node,
                at_ms,
                until_ms,
            }
            | Self::Pause {
                node,
                at_ms,
                until_ms,
            }
            | Self::DiskFull {
                node,
                at_ms,
                until_ms,
            } => *node < nodes && span(at_ms, until_ms),
            Self::Storm {
                node,
                at_ms,
                times,
                gap_ms,
            } => {
                let end = gap_ms
                    .checked_mul(*times)
                    .and_then(|long| long.checked_add(*at_ms));
                let fits = end.is_some_and(|end| end <= workload_ms);
                *node < nodes && (1..=STORM_MAX).contains(times) && *gap_ms > 0 && fits
            }
            Self::Backup {
                node,
                from_ms,
                at_ms,
            } => *node < nodes && from_ms <= at_ms && *at_ms < workload_ms,
            Self::CloneDisk { node, of, at_ms } => two(node, of) && *at_ms < workload_ms,
            Self::Clock {
                node,
                at_ms,
                offset_ms,
                drift_ppm,
            } => {
                let bounded = offset_ms.unsigned_abs() <= OFFSET_MS_MAX
                    && drift_ppm.unsigned_abs() <= DRIFT_PPM_MAX;
                *node < nodes && bounded && *at_ms < workload_ms
            }
            Self::Reset { a, b, at_ms } => two(a, b) && *at_ms < workload_ms,
            Self::Messages {
                from,
                to,
                percent,
                at_ms,
                until_ms,
                ..
            } => two(from, to) && *percent <= 100 && span(at_ms, until_ms),
            Self::Hostile {
                node,
                tricks,
                percent,
            } => *node < nodes && *percent <= 100 && tricks.len() <= TRICKS_MAX,
        }
    }

    /// The node that is hostile.
    pub fn hostile(&self) -> Option<usize> {
        match self {
            Self::Hostile { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// The name of its class, by which classes are counted and switched off.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Stop { .. } => "stop",
            Self::Crash { .. } => "crash",
            Self::Pause { .. } => "pause",
            Self::Storm { .. } => "storm",
            Self::Backup { .. } => "backup",
            Self::CloneDisk { .. } => "clone disk",
            Self::DiskFull { .. } => "disk full",
            Self::Clock { .. } => "clock",
            Self::Reset { .. } => "reset",
            Self::Messages { .. } => "messages",
            Self::Hostile { .. } => "hostile",
        }
    }
}
