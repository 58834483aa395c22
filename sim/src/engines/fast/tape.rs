//! The rolling hashes of a run: what happened, with every byte on the wire, and what it meant.
//!
//! Two runs are the same run exactly when their wire hashes are equal. The semantic hash covers only what was
//! accepted, answered and decided, so that it stays when no more than an encoding changes. Events are kept as
//! text only where somebody wants to read them.

use serde::Serialize;

use crate::trace::{CHECKPOINT_EVENTS, Checkpoint, Digest, Event, Record};

/// What an event is about: the kind in the hash, and whether it has a meaning beyond the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Arrived = 1,
    Sent,
    Peer,
    Accepted,
    Answered,
    Stepped,
    Fault,
    Refused,
    Phase,
}

impl Kind {
    const fn is_semantic(self) -> bool {
        matches!(
            self,
            Self::Accepted | Self::Stepped | Self::Fault | Self::Phase
        )
    }
}

/// The hashes so far, and the events where they are kept.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    wire: blake3::Hasher,
    meaning: blake3::Hasher,
    events: u64,
    checkpoints: Vec<Checkpoint>,
    lines: Option<Vec<u8>>,
}

impl Tape {
    pub(super) fn new(keep: bool) -> Self {
        Self {
            wire: blake3::Hasher::new(),
            meaning: blake3::Hasher::new(),
            events: 0,
            checkpoints: Vec::new(),
            lines: keep.then(Vec::new),
        }
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Adds an event; `told` is only called when events are kept.
    pub(super) fn add(
        &mut self,
        at: u64,
        host: usize,
        kind: Kind,
        bytes: &[u8],
        told: impl FnOnce() -> (String, Event),
    ) {
        let mut head = [0; 24];
        head[..8].copy_from_slice(&at.to_le_bytes());
        head[8..12].copy_from_slice(&(host as u32).to_le_bytes());
        head[12] = kind as u8;
        head[16..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.wire.update(&head).update(bytes);
        if kind.is_semantic() {
            self.meaning.update(&head[8..]).update(bytes);
        }
        let number = self.events;
        self.events += 1;
        if self.events.is_multiple_of(CHECKPOINT_EVENTS) {
            self.checkpoints.push(Checkpoint {
                events: self.events,
                hash: self.wire.finalize().to_hex().to_string(),
            });
        }
        if let Some(lines) = &mut self.lines {
            let (host, event) = told();
            let record = Record {
                number,
                at_us: at,
                host,
                event,
            };
            append(lines, &record);
        }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest {
            hash: self.wire.finalize().to_hex().to_string(),
            events: self.events,
            checkpoints: self.checkpoints.clone(),
        }
    }

    /// The hash over what has a meaning.
    pub(super) fn meaning(&self) -> String {
        self.meaning.finalize().to_hex().to_string()
    }

    pub(super) fn take_lines(&mut self) -> Option<Vec<u8>> {
        self.lines.take()
    }
}

fn append(lines: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *lines, value).expect("plain strings and numbers serialise");
    lines.push(b'\n');
}
