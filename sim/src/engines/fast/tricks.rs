//! What hostile nodes do: they run the same engine as the others, and lie about what it says.
//!
//! A hostile node has a key of its own, with which it can sign whatever it likes; what others signed it can keep
//! back, spoil and send again.

use std::rc::Rc;

use grove_core::author::{NextArgs, forge, sign_entry};
use grove_core::session::PeerId;
use grove_core::types::{DocumentId, DocumentViewId, Hash, LogId, OperationId, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_core::wire::{Message, Operation, SchemaSet};
use grove_node::engine::{Input, Output, RequestId};
use grove_node::store::Read;

use super::dice::Purpose;
use super::event::Event;
use super::forger::Forger;
use super::probes::Probe;
use super::time::MS;
use super::world::World;
use crate::faults::mishaps::Trick;
use crate::notes::{blank, changed, text_fields};
use crate::plan::Change;

/// How often a hostile node does something of its own accord.
const SCHEME_MS: u64 = 700;
/// Messages of a flood.
const FLOOD: u64 = 40;
/// Who brings a hostile node what its own engine would not take from a client.
const ACCOMPLICE: PeerId = PeerId([0xee; 32]);
/// Requests of hostile nodes to themselves; no client waits for them.
const REQUEST: RequestId = RequestId(u64::MAX);

impl World {
    fn forger(&mut self, node: usize) -> &mut Forger {
        let seed = self.plan.seed;
        let forgers = &mut self.forgers;
        forgers
            .entry(node)
            .or_insert_with(|| Forger::new(seed, node))
    }

    /// Whether a hostile node plays a trick now.
    fn plays(&mut self, node: usize, trick: Trick) -> bool {
        let hostile = self.nodes[node].hostile.as_ref();
        let Some(percent) = hostile
            .filter(|hostile| hostile.does(trick))
            .map(|hostile| hostile.percent)
        else {
            return false;
        };
        let forger = self.forger(node);
        forger.acts += 1;
        let acts = forger.acts;
        let entity = ((node as u64) << 8) | trick as u64;
        self.dice.chance(percent, Purpose::Trick, entity, acts)
    }

    /// A hostile node does something of its own accord, until the workload is over.
    pub(super) fn scheme(&mut self, node: usize) {
        if self.healed {
            return;
        }
        let number = self.now / MS;
        let pause = self
            .dice
            .below(SCHEME_MS, Purpose::Scheme, node as u64, number);
        self.queue
            .plan(self.now + (1 + pause) * MS, Event::Scheme { node });
        if self.nodes[node].driver.is_none() {
            return;
        }
        let Some(schema) = self.schema.as_ref().map(|schema| schema.id().clone()) else {
            return;
        };
        if self.plays(node, Trick::Equivocate) {
            self.equivocate(node, &schema);
        }
        if self.plays(node, Trick::DeleteOthers) {
            self.delete_others(node, &schema);
        }
    }

    /// Two documents in one place of a log: its own engine gets both.
    fn equivocate(&mut self, node: usize, schema_id: &SchemaId) {
        let forger = self.forger(node);
        let args = NextArgs::first(LogId::new(forger.next_log));
        forger.next_log += 1;
        let both = [0, 1].map(|nth| {
            let fields = match nth {
                0 => blank(usize::MAX),
                _ => blank(usize::MAX - 1),
            };
            let fields = fields.into_iter().map(|(name, value)| (name, value.into()));
            let operation = Operation::Create {
                schema_id: schema_id.clone(),
                fields: fields.collect(),
            };
            let key = &self.forgers[&node].key;
            forge(key, &args, &operation).expect("the arguments are consistent")
        });
        let ids = [&both[0], &both[1]].map(|made| made.entry().operation_id());
        self.forger(node).pairs.push(ids);
        self.hit(Probe::TrickForged);
        for submission in &both {
            self.slip_in(node, submission);
        }
        // One of the branches grows, so that the other is behind.
        let args = NextArgs::after(args.log_id, args.seq_num, both[0].entry().hash(), |_| None);
        let operation = Operation::Update {
            schema_id: schema_id.clone(),
            previous: ids[0].into(),
            fields: changed(&Change::Count(7))
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
        };
        let key = &self.forgers[&node].key;
        let grown = args.and_then(|args| forge(key, &args, &operation));
        if let Some(grown) = grown {
            self.slip_in(node, &grown);
        }
    }

    /// Deletes a document of somebody else, as anybody may.
    fn delete_others(&mut self, node: usize, schema_id: &SchemaId) {
        let live: Vec<DocumentId> = self.documents.values().copied().collect();
        if live.is_empty() {
            return;
        }
        let nth = self.forger(node).acts;
        let chosen = self
            .dice
            .below(live.len() as u64, Purpose::Scheme, node as u64, nth);
        let document = live[chosen as usize];
        let driver = self.nodes[node].driver.as_ref();
        let row = driver.and_then(|driver| driver.store().document(document).ok().flatten());
        let Some(row) = row.filter(|row| !row.is_deleted()) else {
            return;
        };
        self.hit(Probe::TrickDeleted);
        self.publish_own(node, schema_id, row.view_id);
    }

    fn publish_own(&mut self, node: usize, schema_id: &SchemaId, previous: DocumentViewId) {
        let forger = self.forger(node);
        let args = NextArgs::first(LogId::new(forger.next_log));
        forger.next_log += 1;
        let operation = Operation::Delete {
            schema_id: schema_id.clone(),
            previous,
        };
        let made = forge(&self.forgers[&node].key, &args, &operation);
        let submission = made.expect("the arguments are consistent");
        self.note_signed(&submission, None);
        let input = Input::Publish {
            request: REQUEST,
            submission: Box::new(submission),
        };
        self.turn(node, vec![input]);
    }

    /// Brings an engine an entry as a peer does, so that it takes branches too.
    fn slip_in(&mut self, node: usize, submission: &Submission) {
        self.note_signed(submission, None);
        let schemas = match submission.operation() {
            Ok(operation) => SchemaSet::from([operation.schema_id().clone()]),
            Err(_) => return,
        };
        let session = 1;
        let messages = [
            Message::Announce {
                version: 1,
                timestamp: u64::MAX / 2,
                schemas: schemas.clone(),
            },
            Message::SyncRequest {
                session,
                mode: 0,
                schemas,
            },
            Message::Entry {
                session,
                entry: submission.entry().bytes().to_vec(),
                payload: Some(submission.payload().to_vec()),
            },
        ];
        let received = messages.map(|message| Input::received(ACCOMPLICE, message));
        let mut inputs = vec![Input::PeerConnected(ACCOMPLICE)];
        inputs.extend(received);
        inputs.push(Input::PeerDisconnected(ACCOMPLICE));
        if let Some(mut turn) = self.take_turn(node, inputs) {
            // Nobody is there to hear what it says to the accomplice.
            turn.outputs.retain(|output| {
                let to = match output {
                    Output::Send { peer, .. }
                    | Output::Transfer { peer, .. }
                    | Output::Refused { peer, .. } => Some(*peer),
                    Output::Synced(peer) => Some(*peer),
                    _ => None,
                };
                to != Some(ACCOMPLICE)
            });
            self.heed(node, turn);
        }
    }

    /// What a hostile node says in place of what its engine says.
    pub(super) fn say_falsely(&mut self, node: usize, peer: usize, message: Message) {
        let message = match message {
            Message::Entry {
                session,
                entry,
                payload,
            } => {
                self.piggyback(node, peer, session);
                match self.spoiled(node, peer, (session, entry, payload)) {
                    Some(message) => message,
                    None => return,
                }
            }
            Message::SyncDone { .. } if self.plays(node, Trick::NeverDone) => {
                self.hit(Probe::TrickWithheld);
                return;
            }
            Message::Tips { session, tips } => {
                let mut tips = tips;
                if self.plays(node, Trick::StaleHeads) {
                    self.hit(Probe::TrickSpoiled);
                    tips.pop_first();
                }
                if self.plays(node, Trick::PhantomHeads) {
                    self.hit(Probe::TrickSpoiled);
                    if let Some(tip) = tips.values_mut().next().and_then(|logs| {
                        let (_, tips) = logs.iter_mut().next()?;
                        Some(tips)
                    }) {
                        let far = SeqNum::new(1_000_000).expect("not zero");
                        tip.insert((far, Hash::of(b"phantom")));
                    }
                }
                Message::Tips { session, tips }
            }
            message => message,
        };
        self.send(node, peer, &message);
    }

    /// An entry, spoiled in one way or another; `None` when it is kept back.
    fn spoiled(
        &mut self,
        node: usize,
        peer: usize,
        (session, mut entry, mut payload): (u64, Vec<u8>, Option<Vec<u8>>),
    ) -> Option<Message> {
        let hash = Hash::of(&entry);
        let id = OperationId::from(hash);
        // Of two entries for one place each neighbour is told one.
        let pairs = &self.forger(node).pairs;
        let other = pairs.iter().any(|pair| pair[peer % 2] == id);
        if other || self.plays(node, Trick::Withhold) {
            self.hit(Probe::TrickWithheld);
            return None;
        }
        if self.plays(node, Trick::BadSignature) {
            self.hit(Probe::TrickSpoiled);
            let last = entry.len() - 1;
            entry[last / 2 + 20] ^= 1;
            entry[last] ^= 1;
        }
        if self.plays(node, Trick::BadPayload) {
            self.hit(Probe::TrickSpoiled);
            if let Some(last) = payload.as_mut().and_then(|payload| payload.last_mut()) {
                *last ^= 1;
            }
        }
        if self.plays(node, Trick::FalseSkeleton) {
            let driver = self.nodes[node].driver.as_ref();
            let placed = driver.and_then(|driver| driver.store().placed(hash).ok().flatten());
            if let Some(placed) = placed {
                self.hit(Probe::TrickSpoiled);
                return Some(Message::Skeleton {
                    session,
                    entry,
                    schema: placed.schema_id,
                    document: placed.document,
                    previous: None,
                });
            }
        }
        Some(Message::Entry {
            session,
            entry,
            payload,
        })
    }

    /// What comes along with an entry.
    fn piggyback(&mut self, node: usize, peer: usize, session: u64) {
        if self.plays(node, Trick::BadLink)
            && let Some(schema) = self.schema.as_ref().map(|schema| schema.id().clone())
        {
            self.hit(Probe::TrickForged);
            let message = self.bad_link(node, session, schema);
            self.send(node, peer, &message);
        }
        if self.plays(node, Trick::Resurrect) {
            let deleted = &self.nodes[node].ledger.deleted;
            let dead = self.known.iter().find(|(_, signed)| {
                let operation = signed.operation.as_ref();
                let previous = operation.and_then(|operation| operation.previous());
                let document = previous.map(|view| DocumentId::from(view.ids()[0]));
                document.is_some_and(|document| deleted.contains(&document))
            });
            if let Some((_, signed)) = dead {
                let signed = Rc::clone(signed);
                self.hit(Probe::TrickResurrected);
                let message = Message::Entry {
                    session,
                    entry: signed.entry.clone(),
                    payload: Some(signed.payload.clone()),
                };
                self.send(node, peer, &message);
            }
        }
        if self.plays(node, Trick::Flood) {
            self.hit(Probe::TrickFlooded);
            let schemas: SchemaSet = self
                .schema
                .iter()
                .map(|schema| schema.id().clone())
                .collect();
            for nth in 0..FLOOD {
                let schemas = schemas.clone();
                let message = match nth % 3 {
                    0 if !schemas.is_empty() => Message::SyncRequest {
                        session: 1_000 + nth,
                        mode: 0,
                        schemas,
                    },
                    1 => Message::SyncDone {
                        session: nth,
                        live: true,
                    },
                    _ => Message::Announce {
                        version: 1,
                        timestamp: self.now + nth,
                        schemas: SchemaSet::new(),
                    },
                };
                self.send(node, peer, &message);
            }
        }
    }

    /// An entry behind another one that does not exist.
    fn bad_link(&mut self, node: usize, session: u64, schema_id: SchemaId) -> Message {
        let forger = self.forger(node);
        let acts = forger.acts;
        let nowhere = Hash::of(&acts.to_le_bytes());
        let args = NextArgs {
            log_id: LogId::new(1_000_000 + acts),
            seq_num: SeqNum::new(2).expect("not zero"),
            backlink: Some(nowhere),
            skiplink: None,
        };
        let fields = text_fields([("title", "from nowhere")]).into_iter();
        let operation = Operation::Update {
            schema_id,
            previous: OperationId::from(nowhere).into(),
            fields: fields.map(|(name, value)| (name, value.into())).collect(),
        };
        let payload = operation.encode();
        let signed = sign_entry(&forger.key, &args, &payload).expect("consistent");
        Message::Entry {
            session,
            entry: signed.bytes().to_vec(),
            payload: Some(payload),
        }
    }
}
