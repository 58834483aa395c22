//! What happened in a run, in order: a rolling hash of all events, and on demand the events themselves.
//!
//! Decides how events are written and hashed, nothing about what they mean. Two runs are the same run
//! exactly when their hashes are equal; checkpoints narrow a difference down to a stretch of events, the
//! written events name the first one.
//!
//! Always true: an event's bytes depend on the simulated time, the host and the event, on nothing else.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grove_core::wire::Message;
use serde::{Deserialize, Serialize};

use crate::faults::cuts::CutKind;

/// A checkpoint is taken after this many events.
pub const CHECKPOINT_EVENTS: u64 = 1_024;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Bytes left this host on a connection.
    Wrote {
        peer: String,
        size: usize,
        hash: String,
    },
    /// Bytes arrived at this host on a connection.
    Read {
        peer: String,
        size: usize,
        hash: String,
    },
    /// A connection between two nodes was opened or lost.
    Peer { peer: String, connected: bool },
    /// A replication message was handed to the connection; with the hash of the entry in it, which is the
    /// id of its operation.
    Message {
        peer: String,
        kind: String,
        size: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<String>,
    },
    /// A node accepted an entry of a peer.
    Accepted { operation: String, document: String },
    /// A client finished, or gave up, one step of the workload; with what it published, and where.
    Step {
        step: usize,
        outcome: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<String>,
    },
    /// A client was answered, or waits no more.
    Answered { node: String, answer: String },
    /// Something goes wrong, or is well again.
    Fault { what: String },
    /// A client goes on from a copy, and talks to this node.
    Copy { of: String, node: String },
    /// A client did not learn what became of a request and asks again.
    Retry { step: usize, cause: String },
    /// The link between two hosts is in another state now.
    Link {
        a: String,
        b: String,
        down: Option<CutKind>,
    },
    /// The engine refused what a peer sent.
    Refused { peer: String, reason: String },
    /// The run moved to its next phase.
    Phase { name: String },
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the event, from 0.
    pub number: u64,
    /// Simulated microseconds since the start.
    pub at_us: u64,
    /// The host where it happened; `network` for links and phases.
    pub host: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The hash over all events up to a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many events the hash covers.
    pub events: u64,
    /// Lowercase hex.
    pub hash: String,
}

/// Handle to the one trace of a run; clones write to the same trace.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    hasher: blake3::Hasher,
    events: u64,
    clock: Duration,
    checkpoints: Vec<Checkpoint>,
    /// `Some` keeps every event as a JSON line.
    lines: Option<Vec<u8>>,
}

/// The trace's result, part of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Hash over all events, lowercase hex.
    pub hash: String,
    /// How many events there were.
    pub events: u64,
    /// Every [`CHECKPOINT_EVENTS`] events.
    pub checkpoints: Vec<Checkpoint>,
}

impl Trace {
    /// An empty trace; `keep` also keeps the events themselves.
    pub fn new(keep: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            hasher: blake3::Hasher::new(),
            events: 0,
            clock: Duration::ZERO,
            checkpoints: Vec::new(),
            lines: keep.then(Vec::new),
        })))
    }

    /// Sets the time of events that happen outside every host.
    pub fn set_clock(&self, now: Duration) {
        self.inner().clock = now;
    }

    /// Adds an event at the host's present moment.
    pub fn record(&self, host: &str, event: Event) {
        let mut inner = self.inner();
        let now = turmoil::sim_elapsed().unwrap_or(inner.clock);
        let number = inner.events;
        let at_us = u64::try_from(now.as_micros()).expect("runs last minutes, not millennia");
        let record = Record {
            number,
            at_us,
            host: host.to_owned(),
            event,
        };
        let mut line = serde_json::to_vec(&record).expect("plain strings and numbers serialise");
        line.push(b'\n');
        inner.hasher.update(&line);
        inner.events += 1;
        if inner.events.is_multiple_of(CHECKPOINT_EVENTS) {
            let checkpoint = Checkpoint {
                events: inner.events,
                hash: inner.hash(),
            };
            inner.checkpoints.push(checkpoint);
        }
        if let Some(lines) = &mut inner.lines {
            lines.extend_from_slice(&line);
        }
    }

    /// Hash, count and checkpoints so far.
    pub fn digest(&self) -> Digest {
        let inner = self.inner();
        Digest {
            hash: inner.hash(),
            events: inner.events,
            checkpoints: inner.checkpoints.clone(),
        }
    }

    /// The events as JSON lines, when they were kept.
    pub fn take_lines(&self) -> Option<Vec<u8>> {
        self.inner().lines.take()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A task that panicked is reported by the run; its trace up to there is still wanted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("events", &self.inner().events)
            .finish_non_exhaustive()
    }
}

/// The name of a message's kind.
pub(crate) fn kind(message: &Message) -> &'static str {
    match message {
        Message::Announce { .. } => "announce",
        Message::SyncRequest { .. } => "sync request",
        Message::Entry { .. } => "entry",
        Message::SyncDone { .. } => "sync done",
        Message::Have { .. } => "have",
        Message::Skeleton { .. } => "skeleton",
        Message::Tips { .. } => "tips",
        Message::Ranges { .. } => "ranges",
        Message::Want { .. } => "want",
        Message::Refusal { .. } => "refusal",
    }
}

/// The first line in which two written traces differ, both versions of it, or `None` when equal.
pub fn first_difference(left: &[u8], right: &[u8]) -> Option<(usize, String, String)> {
    let lines = |bytes: &[u8]| {
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let (left, right) = (lines(left), lines(right));
    let len = left.len().max(right.len());
    (0..len)
        .find(|at| left.get(*at) != right.get(*at))
        .map(|at| {
            let text = |side: &[Vec<u8>]| {
                side.get(at).map_or_else(String::new, |line| {
                    String::from_utf8_lossy(line).into_owned()
                })
            };
            (at, text(&left), text(&right))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str) -> Event {
        Event::Phase {
            name: name.to_owned(),
        }
    }

    #[test]
    fn hash_depends_on_time_host_event_and_order() {
        let run = |events: &[(u64, &str, &str)]| {
            let trace = Trace::new(false);
            for (at, host, name) in events {
                trace.set_clock(Duration::from_millis(*at));
                trace.record(host, phase(name));
            }
            trace.digest().hash
        };
        let base = run(&[(1, "a", "x"), (1, "a", "y")]);

        assert_eq!(run(&[(1, "a", "x"), (1, "a", "y")]), base);
        assert_ne!(run(&[(1, "a", "y"), (1, "a", "x")]), base);
        assert_ne!(run(&[(1, "b", "x"), (1, "a", "y")]), base);
        assert_ne!(run(&[(0, "a", "x"), (1, "a", "y")]), base);
    }

    #[test]
    fn kept_lines_read_back_and_name_the_first_difference() {
        let write = |names: &[&str]| {
            let trace = Trace::new(true);
            names
                .iter()
                .for_each(|name| trace.record("network", phase(name)));
            trace.take_lines().expect("kept")
        };
        let (left, right) = (write(&["one", "two"]), write(&["one", "other"]));

        let first: Record =
            serde_json::from_slice(left.split(|b| *b == b'\n').next().expect("a line"))
                .expect("JSON");
        let (at, _, text) = first_difference(&left, &right).expect("they differ");

        assert_eq!(first.event, phase("one"));
        assert_eq!(at, 1);
        assert!(text.contains("other"));
        assert_eq!(first_difference(&left, &left), None);
    }

    #[test]
    fn checkpoints_narrow_a_difference_down() {
        let run = |odd: u64| {
            let trace = Trace::new(false);
            for number in 0..3 * CHECKPOINT_EVENTS {
                trace.record("network", phase(if number == odd { "odd" } else { "even" }));
            }
            trace.digest().checkpoints
        };
        let (left, right) = (run(u64::MAX), run(CHECKPOINT_EVENTS + 5));

        assert_eq!(left[0], right[0]);
        assert_ne!(left[1], right[1]);
        assert_ne!(left[2], right[2]);
    }
}
