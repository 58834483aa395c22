//! What it costs two nodes to find out by which entries they differ: all messages of a session, from the request to
//! the last `SyncDone`, without a network and without stores.
//!
//! Prints how many messages and bytes that takes, which is the same on every machine.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use grove_core::session::{Action, Comparison, EntrySet, Logs, Peer, PeerId};
use grove_core::time::Instant;
use grove_core::types::{Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::{Heights, Message, SchemaSet, Tips};

/// How many entries both sides have.
const COMMON: [u64; 3] = [10_000, 100_000, 1_000_000];

/// How many each side has alone.
const DIFFERENT: u64 = 5;

/// A node that has nothing but the set of its entries.
struct Held(EntrySet);

impl Held {
    fn new(common: u64, own: u64) -> Self {
        let mut entries = EntrySet::default();
        let numbers = (0..common).chain(own..own + DIFFERENT);
        for (position, number) in numbers.enumerate() {
            let hash = Hash::of(&number.to_be_bytes());
            entries.insert(&SchemaId::BLOB, hash, position as i64);
        }
        Self(entries)
    }
}

impl Logs for Held {
    type Error = Infallible;

    fn heights(&self, _: &SchemaSet) -> Result<Heights, Infallible> {
        Ok(Heights::new())
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
        Some(&self.0)
    }
}

/// Messages of a session by direction changes, and their bytes; entries are not sent, only told of.
fn session(sides: &[Held; 2]) -> (usize, usize, usize) {
    let ids = [PeerId([1; 32]), PeerId([2; 32])];
    let schemas = SchemaSet::from([SchemaId::BLOB]);
    let mut peers = [0, 1].map(|side: usize| Peer::new(ids[side], ids[1 - side]));
    let announcement = peers[1].announce(Instant::ZERO, schemas.clone());
    handle(&mut peers[0], &sides[0], announcement);
    let request = peers[0].initiate_by(Instant::ZERO, &schemas, Comparison::Ranges);
    let mut wire = VecDeque::from([(1, request.expect("both are interested"))]);
    let (mut turns, mut messages, mut bytes, mut last) = (0, 0, 0, None);
    while let Some((to, message)) = wire.pop_front() {
        turns += usize::from(last != Some(to));
        last = Some(to);
        messages += 1;
        bytes += message.encode().len();
        let said = handle(&mut peers[to], &sides[to], message);
        wire.extend(said.into_iter().map(|message| (1 - to, message)));
    }
    (turns.div_ceil(2), messages, bytes)
}

fn handle(peer: &mut Peer, held: &Held, message: Message) -> Vec<Message> {
    let Ok(actions) = peer.handle(Instant::ZERO, message, held) else {
        panic!("a message of ours was refused");
    };
    let mut said = Vec::new();
    for action in actions {
        match action {
            Action::Send(message) => said.push(message),
            Action::Give { session, .. } => {
                said.push(Message::SyncDone {
                    session,
                    live: true,
                });
                let _ = peer.transferred(Instant::ZERO, session, true);
            }
            _ => {}
        }
    }
    said
}

fn comparing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sessions by ranges, 10 of them different");
    group.sample_size(10);
    for common in COMMON {
        let sides = [1 << 40, 1 << 41].map(|own| Held::new(common, own));
        let (round_trips, messages, bytes) = session(&sides);
        println!("{common} entries: {round_trips} round trips, {messages} messages, {bytes} bytes");
        group.bench_with_input(
            BenchmarkId::from_parameter(common),
            &sides,
            |bencher, sides| {
                bencher.iter(|| session(sides));
            },
        );
    }
    group.finish();
}

fn keeping(criterion: &mut Criterion) {
    let mut held = Held::new(1_000_000, 1 << 40);
    let mut number = 1u64 << 50;
    criterion.bench_function("an entry more in a set of 1,000,000", |bencher| {
        bencher.iter(|| {
            number += 1;
            let hash = Hash::of(&number.to_be_bytes());
            held.0.insert(&SchemaId::BLOB, hash, number as i64);
        });
    });
}

criterion_group!(benches, comparing, keeping);
criterion_main!(benches);
