//! Cases of `next_args` and `publish`: what a node tells authors, and what it takes from them.
//!
//! Both are asked in a world: what was published to a node before, in order. The worlds are few and
//! small, and what is in them is all there is.

mod blobs;
mod branches;
mod misplaced;
mod next_args;
mod publish;
mod refused;

use serde_json::{Value, json};

use super::fixtures::{
    CAFE, author, cafe_create, cafe_schema, cafe_update, id, log, next_args as args_after,
    other_author,
};
use super::set::Set;
use crate::forge::{Draft, Hash, Item, Key, Log, hex, operation};
use crate::suite::{Case, Step};

pub(super) fn sets() -> Vec<Set> {
    vec![
        next_args::next_args(),
        branches::next_args(),
        publish::published(),
        refused::refused(),
        branches::publish(),
        blobs::blobs(),
    ]
}

/// An author nobody in any world has heard of.
fn third_author() -> Key {
    Key::repeating(3)
}

/// The schema of [`CAFE`] under another id.
fn cave() -> String {
    CAFE.replacen("cafe", "cave", 1)
}

/// A CREATE that is in no world yet.
fn create() -> Vec<u8> {
    cafe_create(12, "New")
}

/// Ids as a view names them: ascending.
fn view<const N: usize>(mut ids: [Hash; N]) -> [Hash; N] {
    ids.sort_unstable();
    ids
}

/// What was published to a node.
#[derive(Debug, Default)]
struct World {
    schemas: Vec<Value>,
    published: Vec<Value>,
}

impl World {
    /// A node that knows of caves and cafes.
    fn of_places() -> Self {
        let cave = json!({"id": cave(), "fields": cafe_schema()["fields"]});
        Self {
            schemas: vec![cafe_schema(), cave],
            published: Vec::new(),
        }
    }

    fn publish(&mut self, log: &mut Log, payload: Vec<u8>) -> Hash {
        let id = log.push(payload);
        self.take_last(log, false);
        id
    }

    /// A peer brings the entry, which need not be where the client's are.
    fn receive(&mut self, log: &mut Log, payload: Vec<u8>) -> Hash {
        let id = log.push(payload);
        self.take_last(log, true);
        id
    }

    fn take_last(&mut self, log: &Log, from_peer: bool) {
        let last = log.entries.last().zip(log.payloads.last());
        self.take(last.expect("a log with entries"));
        if from_peer {
            let published = self.published.last_mut().expect("taken above");
            published["from"] = "peer".into();
        }
    }

    fn take(&mut self, (entry, payload): (&Vec<u8>, &Vec<u8>)) {
        let published = json!({"entry": hex(entry), "operation": hex(payload)});
        self.published.push(published);
    }

    fn value(&self) -> Value {
        json!({"schemas": self.schemas, "published": self.published})
    }
}

/// Two cafes, a cave and a deleted cafe, by two authors.
///
/// The first cafe has three operations by its author and one, on top of the first of them, by the
/// other; so it has two tips.
struct Places {
    world: World,
    /// The author's logs 0, 1 and 2.
    cafe: Log,
    bar: Log,
    closed: Log,
    /// The other author's logs 0, 1 and 2.
    visit: Log,
    cave: Log,
    visit_closed: Log,
    /// The ids of the first cafe's operations, the other author's last.
    ids: [Hash; 4],
    bar_id: Hash,
    cave_id: Hash,
    /// The CREATE and the DELETE of the deleted cafe.
    closed_ids: [Hash; 2],
}

fn places() -> Places {
    let mut world = World::of_places();
    let [mut cafe, mut bar, mut closed] = [0, 1, 2].map(|log_id| Log::new(author(), log_id));
    let [mut visit, mut cave_log, mut visit_closed] =
        [0, 1, 2].map(|log_id| Log::new(other_author(), log_id));
    let first = world.publish(&mut cafe, cafe_create(8, "Panda"));
    let second = world.publish(&mut cafe, cafe_update(&[first], 9));
    let beside = world.publish(&mut visit, cafe_update(&[first], 10));
    let third = world.publish(&mut cafe, cafe_update(&[second], 11));
    let bar_id = world.publish(&mut bar, cafe_create(20, "Bar"));
    let cave_create = operation::create(
        &cave(),
        [
            ("opening_hour", Item::Int(0)),
            ("title", Item::text("Cave")),
        ],
    );
    let cave_id = world.publish(&mut cave_log, cave_create.encode());
    let created = world.publish(&mut closed, cafe_create(7, "Closed"));
    world.publish(&mut visit_closed, cafe_update(&[created], 8));
    let deleted = world.publish(&mut closed, operation::delete(CAFE, &[created]).encode());
    Places {
        world,
        cafe,
        bar,
        closed,
        visit,
        cave: cave_log,
        visit_closed,
        ids: [first, second, third, beside],
        bar_id,
        cave_id,
        closed_ids: [created, deleted],
    }
}

/// A cafe of three operations whose author tried to publish another second one, after somebody had built
/// on the first. That one was refused.
struct Refused {
    world: World,
    log: Log,
    visit: Log,
    ids: [Hash; 3],
}

fn refused_fork() -> Refused {
    let mut world = World::of_places();
    let (mut log, mut visit) = (Log::new(author(), 0), Log::new(other_author(), 0));
    let first = world.publish(&mut log, cafe_create(8, "Panda"));
    let second = world.publish(&mut log, cafe_update(&[first], 9));
    let third = world.publish(&mut log, cafe_update(&[second], 10));
    world.publish(&mut visit, cafe_update(&[first], 11));
    world.publish(&mut log.until(1), cafe_update(&[first], 12));
    Refused {
        world,
        log,
        visit,
        ids: [first, second, third],
    }
}

/// A cafe whose log was ended by its second entry.
fn ended() -> (World, Log, [Hash; 2]) {
    let mut world = World::of_places();
    let mut log = Log::new(author(), 0);
    let first = world.publish(&mut log, cafe_create(8, "Panda"));
    let payload = cafe_update(&[first], 9);
    let last = Draft {
        tag: 1,
        ..log.draft(&payload)
    }
    .sign(&author());
    let second = log.push_signed(last, payload);
    world.take((&log.entries[1], &log.payloads[1]));
    (world, log, [first, second])
}

/// A log of `len` entries on one cafe.
fn long(len: usize) -> (World, Log) {
    let mut world = World::of_places();
    let log = log(author(), 0, len);
    log.entries
        .iter()
        .zip(&log.payloads)
        .for_each(|one| world.take(one));
    (world, log)
}

/// A cafe in this log alone.
fn only_log(log_id: u64) -> World {
    let mut world = World::of_places();
    world.publish(&mut Log::new(author(), log_id), cafe_create(8, "Panda"));
    world
}

fn set_of(kind: &'static str, topic: &'static str, requirements: &'static [&'static str]) -> Set {
    let mut set = Set::new(kind, topic, requirements);
    set.key("author", &author());
    set.key("other", &other_author());
    set.key("third", &third_author());
    set
}

/// The question whether `payload` may come next in `log`.
fn next(log: &Log, payload: &[u8]) -> Value {
    submission(&log.draft(payload).sign(&log.key), payload)
}

fn submission(entry: &[u8], payload: &[u8]) -> Value {
    json!({"entry": hex(entry), "operation": hex(payload)})
}

/// What is told after `payload` came next in `log`.
fn after(log: &Log, payload: &[u8]) -> Value {
    let mut after = log.clone();
    after.push(payload.to_vec());
    args_after(&after)
}

/// What is told after entry number `seq_num` of `log`, as the first time.
fn after_again(log: &Log, seq_num: usize) -> Value {
    let mut before = log.clone();
    before.entries.truncate(seq_num);
    args_after(&before)
}

/// Entry number `seq_num` of `log` once more.
fn again(log: &Log, seq_num: usize) -> Value {
    submission(&log.entries[seq_num - 1], &log.payloads[seq_num - 1])
}

/// Adds an entry that is taken next.
fn taken<'a>(
    set: &'a mut Set,
    name: &str,
    comment: &str,
    log: &Log,
    payload: &[u8],
) -> &'a mut Case {
    set.valid(name, comment, next(log, payload), after(log, payload))
}

/// Adds a refusal. That the entry is another one follows from its operation being another one.
fn not_taken<'a>(
    set: &'a mut Set,
    (name, comment): (&str, &str),
    near: &str,
    question: Value,
    reason: &str,
) -> &'a mut Case {
    let case = set.invalid(name, comment, near, question, reason);
    let edit = &mut case.near.as_mut().expect("an invalid case").edit;
    let other_operation = edit
        .iter()
        .any(|step| matches!(step, Step::Splice { path, .. } if path == "/operation"));
    for step in edit.iter_mut() {
        if let Step::Splice { path, follows, .. } = step {
            *follows = other_operation && path == "/entry";
        }
    }
    case
}
