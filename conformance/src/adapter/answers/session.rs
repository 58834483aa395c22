//! Sessions with one peer, step by step: what is said to it, without a network and without a store.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use grove_core::Refusal;
use grove_core::session::{
    Action, Comparison, Dialect, EntrySet, HandleError, Logs, Peer, PeerId, Positions,
};
use grove_core::time::{Duration, Instant};
use grove_core::types::{Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::{Heights, Message, SchemaSet, Tips};
use serde_json::{Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, list, number, text};
use super::messages::{heights_in, heights_out, schemas_in};
use crate::forge::hex;

pub(super) fn session(_: &Value, input: &Value) -> Answer {
    let id = |name: &str| -> Result<PeerId, Failed> {
        let key = bytes(&input[name])?.try_into();
        key.map(PeerId)
            .map_err(|_| Failed::Question("a key has 32 bytes"))
    };
    let dialect = match text(&input["dialect"])? {
        "deployed" => Dialect::Deployed,
        _ => Dialect::Grove,
    };
    let mut side = Side {
        peer: Peer::new(id("local")?, id("remote")?).speaking(dialect),
        interested: schemas_in(&input["schemas"])?,
        held: Held::read(input)?,
        now: Instant::ZERO,
    };
    let steps = list(&input["steps"])?.iter();
    let outcomes: Result<Vec<_>, Failed> = steps.map(|step| side.step(step)).collect();
    Ok(json!({"steps": outcomes?}))
}

struct Side {
    peer: Peer,
    interested: SchemaSet,
    held: Held,
    now: Instant,
}

/// What is said, and what is to be sent.
#[derive(Default)]
struct Said {
    messages: Vec<Message>,
    logs: Option<Heights>,
    entries: Option<Positions>,
    refused: Option<&'static str>,
}

impl Side {
    fn step(&mut self, step: &Value) -> Answer {
        let mut said = Said::default();
        match text(&step["do"])? {
            "announce" => {
                let message = self.peer.announce(self.now, self.interested.clone());
                said.messages.push(message);
            }
            "ask" => {
                let comparison = match text(&step["by"])? {
                    "ranges" => Comparison::Ranges,
                    _ => Comparison::Logs,
                };
                let asked = self
                    .peer
                    .initiate_by(self.now, &self.interested, comparison);
                said.messages.extend(asked);
            }
            "receive" => self.receive(&bytes(&step["message"])?, &mut said)?,
            "sent" => {
                let session = number(&step["session"])?;
                let actions = self.peer.transferred(self.now, session, true);
                act(actions, &mut said);
            }
            "wait" => {
                let seconds = number(&step["seconds"])?;
                self.now = self.now.after(Duration::from_secs(seconds));
                said.messages.extend(self.peer.expire(self.now).messages);
            }
            _ => return Err(Failed::Question("a step of no known kind")),
        }
        Ok(self.told(said))
    }

    fn receive(&mut self, message: &[u8], said: &mut Said) -> Result<(), Failed> {
        let message = Message::decode(message)?;
        let asked = Peer::session_asked(&message);
        match self.peer.handle(self.now, message, &self.held) {
            Ok(actions) => act(actions, said),
            Err(HandleError::Session(error)) => {
                said.refused = Some(error.reason().code());
                let refusal = asked.and_then(|session| self.peer.refusal(session, error));
                said.messages.extend(refusal);
            }
            Err(HandleError::Logs(never)) => match never {},
        }
        Ok(())
    }

    fn told(&self, said: Said) -> Value {
        let messages: Vec<_> = said
            .messages
            .iter()
            .map(|message| hex(message.encode()))
            .collect();
        let mut told = json!({"messages": messages});
        if let Some(logs) = said.logs {
            told["logs"] = heights_out(&logs).into();
        }
        if let Some(entries) = said.entries {
            told["entries"] = self.held.at(&entries).into();
        }
        if let Some(refused) = said.refused {
            told["refused"] = refused.into();
        }
        told
    }
}

fn act(actions: Vec<Action>, said: &mut Said) {
    for action in actions {
        match action {
            Action::Send(message) => said.messages.push(message),
            Action::Transfer { starts, .. } => said.logs = Some(starts),
            Action::Give { positions, .. } => said.entries = Some(positions),
            _ => {}
        }
    }
}

/// What a node has: heights for those who compare logs, entries for those who compare ranges.
struct Held {
    heights: Heights,
    entries: EntrySet,
    hashes: BTreeMap<i64, Hash>,
}

impl Held {
    fn read(input: &Value) -> Result<Self, Failed> {
        let (mut entries, mut hashes) = (EntrySet::default(), BTreeMap::new());
        for (position, entry) in list(&input["entries"])?.iter().enumerate() {
            let schema: SchemaId = text(&entry["schema_id"])?.parse()?;
            let hash: Hash = text(&entry["hash"])?.parse()?;
            entries.insert(&schema, hash, position as i64);
            hashes.insert(position as i64, hash);
        }
        Ok(Self {
            heights: heights_in(&input["heights"])?,
            entries,
            hashes,
        })
    }

    fn at(&self, positions: &Positions) -> Vec<String> {
        let runs = positions.runs().iter();
        let found = runs.flat_map(|(first, last)| self.hashes.range(first..=last));
        found.map(|(_, hash)| hash.to_string()).collect()
    }
}

impl Logs for Held {
    type Error = Infallible;

    fn heights(&self, _: &SchemaSet) -> Result<Heights, Infallible> {
        Ok(self.heights.clone())
    }

    fn tips(&self, _: &SchemaSet) -> Result<Tips, Infallible> {
        Ok(Tips::new())
    }

    fn known(&self, _: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, Infallible> {
        Ok(BTreeSet::new())
    }

    fn forked_at(&self, _: PublicKey, _: LogId) -> Result<Option<SeqNum>, Infallible> {
        Ok(None)
    }

    fn entries(&self) -> Option<&EntrySet> {
        Some(&self.entries)
    }
}
