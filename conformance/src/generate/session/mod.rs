//! Cases of `session`: what one side says to its peer, step by step, with nothing between them.
//!
//! What is expected is made with nothing but the forms of messages: sets are small enough that the negentropy
//! protocol lists them.

use serde_json::{Value, json};

use super::fixtures::{author, id};
use super::set::Set;
use crate::forge::message::{Logs, announce, done, have, ranges, refusal, request, want};
use crate::forge::{Hash, Item, Key, hex};
use crate::suite::Case;

const PIECE: &str = "blob_piece_v1";

/// What implementations may lack that speak no dialect of grove's.
const FEATURE: &str = "ranges";

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("session", "peer", &["RP1"]);
    deployed(&mut set);
    crossing(&mut set);
    by_ranges(&mut set);
    refusals(&mut set);
    vec![set]
}

/// One side, and what it says.
struct Talk {
    input: Value,
    steps: Vec<Value>,
    told: Vec<Value>,
}

impl Talk {
    /// A node with the lower key, which holds three entries of one log.
    fn new(dialect: &str) -> Self {
        Self {
            input: json!({
                "local": "11".repeat(32),
                "remote": "22".repeat(32),
                "dialect": dialect,
                "schemas": [PIECE],
                "heights": [{"public_key": hex(author().public()), "logs": [{"log_id": "0", "seq_num": "3"}]}],
                "entries": held().map(|hash| json!({"schema_id": PIECE, "hash": hash.hex()})),
            }),
            steps: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The same node with nothing.
    fn empty(dialect: &str) -> Self {
        let mut talk = Self::new(dialect);
        talk.input["heights"] = json!([]);
        talk.input["entries"] = json!([]);
        talk
    }

    /// The same node with the higher key.
    fn greater(mut self) -> Self {
        self.input["local"] = "33".repeat(32).into();
        self
    }

    fn step(mut self, step: Value, told: Value) -> Self {
        self.steps.push(step);
        self.told.push(told);
        self
    }

    /// Does something, and says this.
    fn does(self, step: Value, says: &[Vec<Item>]) -> Self {
        self.step(step, said(says))
    }

    /// Hears something, and says this.
    fn hears(self, message: Vec<Item>, says: &[Vec<Item>]) -> Self {
        self.does(received(message), says)
    }

    /// Hears of the peer's interest.
    fn greeted(self) -> Self {
        self.hears(announce(1, 1_795_219_862, &[PIECE]), &[])
    }

    fn end<'a>(mut self, set: &'a mut Set, name: &str, comment: &str) -> &'a mut Case {
        self.input["steps"] = self.steps.into();
        let case = set.valid(name, comment, self.input, json!({"steps": self.told}));
        case.wire_is_open()
    }
}

fn received(message: Vec<Item>) -> Value {
    json!({"do": "receive", "message": bytes(message)})
}

fn bytes(message: Vec<Item>) -> String {
    hex(Item::Array(message).encode())
}

fn said(messages: &[Vec<Item>]) -> Value {
    let messages: Vec<_> = messages.iter().cloned().map(bytes).collect();
    json!({"messages": messages})
}

fn asks(by: &str) -> Value {
    json!({"do": "ask", "by": by})
}

fn waits(seconds: u64) -> Value {
    json!({"do": "wait", "seconds": seconds.to_string()})
}

fn sent(session: u64) -> Value {
    json!({"do": "sent", "session": session.to_string()})
}

/// Of one log of the author's, how far it goes.
fn heights(seq_num: u64) -> [(Key, Logs<'static>); 1] {
    let logs: Logs<'static> = match seq_num {
        1 => &[(0, 1)],
        _ => &[(0, 3)],
    };
    [(author(), logs)]
}

/// The entries that the node holds, in the order in which it got them.
fn held() -> [Hash; 3] {
    [id(30), id(10), id(20)]
}

/// A message of the negentropy protocol that lists all entries.
fn listed(hashes: &[Hash]) -> Vec<u8> {
    let mut digests: Vec<_> = hashes.iter().map(|hash| &hash.0[2..]).collect();
    digests.sort_unstable();
    let mut message = vec![0x61, 0, 0, 2, digests.len() as u8];
    message.extend(digests.concat());
    message
}

/// One that says of everything that no more is to be told.
const ALL_SAID: [u8; 1] = [0x61];

fn ids(hashes: &[Hash]) -> Vec<Hash> {
    let mut hashes = hashes.to_vec();
    hashes.sort();
    hashes
}

fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::hex).collect()
}

/// Sessions with deployed nodes.
fn deployed(set: &mut Set) {
    let mut gives = said(&[]);
    gives["logs"] =
        json!([{"public_key": hex(author().public()), "logs": [{"log_id": "0", "seq_num": "2"}]}]);
    Talk::new("deployed")
        .hears(request(7, 0, &[PIECE]), &[have(7, &heights(3))])
        .step(received(have(7, &heights(1))), gives)
        .hears(done(7, false), &[])
        .does(sent(7), &[])
        .end(
            set,
            "asked",
            "Who is asked tells its heights first, and sends what is behind those of the peer.",
        );
    Talk::empty("deployed")
        .hears(request(7, 0, &[PIECE]), &[have(7, &[]), done(7, false)])
        .hears(have(7, &heights(1)), &[])
        .hears(done(7, false), &[])
        .end(
            set,
            "asked-for-nothing",
            "Who has nothing says so and is done.",
        );
    Talk::new("deployed")
        .greeted()
        .does(asks("logs"), &[request(0, 0, &[PIECE])])
        .hears(
            have(0, &heights(3)),
            &[have(0, &heights(3)), done(0, false)],
        )
        .hears(done(0, false), &[])
        .does(asks("logs"), &[request(1, 0, &[PIECE])])
        .end(
            set,
            "asks",
            "Who asks tells its heights second; once the session is over another may begin.",
        );
    Talk::new("deployed")
        .greeted()
        .does(asks("logs"), &[request(0, 0, &[PIECE])])
        .does(asks("logs"), &[])
        .does(waits(59), &[])
        .does(waits(1), &[done(0, false)])
        .does(asks("logs"), &[request(1, 0, &[PIECE])])
        .end(set, "given-up", "After a minute of silence a session is given up, and finished for a peer that never gives up.");
    let [first, second] = [0, 0].map(|_| json!({"do": "announce"}));
    Talk::new("deployed")
        .does(first, &[announce(1, 1, &[PIECE])])
        .does(second, &[announce(1, 2, &[PIECE])])
        .does(waits(30), &[])
        .does(json!({"do": "announce"}), &[announce(1, 30, &[PIECE])])
        .end(
            set,
            "announces",
            "Of two announcements within one second the later has the greater time.",
        );
}

/// Requests that cross.
fn crossing(set: &mut Set) {
    Talk::new("deployed")
        .greeted()
        .does(asks("logs"), &[request(0, 0, &[PIECE])])
        .hears(request(0, 0, &[PIECE]), &[have(0, &heights(3))])
        .end(
            set,
            "crossing-gives-way",
            "Of two requests that cross, that of the lower key gives way.",
        )
        .requires(&["RP8"]);
    Talk::new("deployed")
        .greater()
        .greeted()
        .does(asks("logs"), &[request(0, 0, &[PIECE])])
        .hears(request(0, 0, &[PIECE]), &[])
        .hears(have(0, &heights(3)), &[have(0, &heights(3)), done(0, false)])
        .end(set, "crossing-stands", "Of two requests that cross, that of the greater key stands, and the other one is not answered.")
        .requires(&["RP8"]);
}

/// Sessions in which entries are compared.
fn by_ranges(set: &mut Set) {
    let [third, first, second] = held();
    let foreign = id(40);
    let mut gives = said(&[want(5, &[foreign], true)]);
    gives["entries"] = json!(hexes(&[third, second]));
    asked(
        Talk::new("grove")
            .hears(request(5, 2, &[PIECE]), &[ranges(5, &listed(&held()))])
            .step(received(ranges(5, &listed(&[first, foreign]))), gives)
            .does(sent(5), &[])
            .hears(done(5, true), &[])
            .end(set, "ranges-asked", "Who is asked asks for ranges, names what it lacks, and sends what the peer lacks in the order in which it got it."),
    );
    let mut gives = said(&[]);
    gives["entries"] = json!(hexes(&[third, first]));
    asked(
        Talk::new("grove")
            .greeted()
            .does(asks("ranges"), &[request(0, 2, &[PIECE])])
            .hears(
                ranges(0, &listed(&[second])),
                &[ranges(0, &listed(&held()))],
            )
            .step(
                received(want(0, &ids(&[first, third, foreign]), true)),
                gives,
            )
            .hears(done(0, true), &[])
            .does(sent(0), &[])
            .end(
                set,
                "ranges-asks",
                "Who asks answers with ranges, and sends what is wanted and there.",
            ),
    );
    let mut gives = said(&[]);
    gives["entries"] = json!(hexes(&[first]));
    asked(
        Talk::new("grove")
            .greeted()
            .does(asks("ranges"), &[request(0, 2, &[PIECE])])
            .hears(ranges(0, &listed(&[])), &[ranges(0, &listed(&held()))])
            .hears(want(0, &[first], false), &[])
            .step(received(want(0, &[], true)), gives)
            .end(
                set,
                "ranges-wanted-twice",
                "What is wanted may be named in several messages.",
            ),
    );
    asked(
        Talk::empty("grove")
            .hears(request(5, 2, &[PIECE]), &[ranges(5, &listed(&[]))])
            .hears(ranges(5, &ALL_SAID), &[want(5, &[], true), done(5, true)])
            .hears(done(5, true), &[])
            .end(
                set,
                "ranges-of-nothing",
                "Two that have nothing end at once.",
            ),
    );
}

/// What does not fit.
fn refusals(set: &mut Set) {
    let refused = |reason: &str, messages: &[Vec<Item>]| {
        let mut told = said(messages);
        told["refused"] = reason.into();
        told
    };
    asked(
        Talk::new("grove")
            .step(received(request(3, 1, &[PIECE])), refused("session_mode", &[refusal(3, "session_mode")]))
            .step(received(ranges(4, &ALL_SAID)), refused("session_unknown", &[refusal(4, "session_unknown")]))
            .step(received(done(4, true)), refused("session_unknown", &[]))
            .hears(refusal(4, "session_unknown"), &[])
            .end(set, "refused", "A peer is told why its question is not answered; ends and refusals are not answered."),
    );
    asked(
        Talk::new("grove")
            .hears(request(5, 2, &[PIECE]), &[ranges(5, &listed(&held()))])
            .step(
                received(ranges(5, &[0x61, 0])),
                refused("message_malformed", &[refusal(5, "message_malformed")]),
            )
            .step(
                received(ranges(5, &ALL_SAID)),
                refused("session_unknown", &[refusal(5, "session_unknown")]),
            )
            .end(
                set,
                "refused-ranges",
                "Ranges that make no sense end their session.",
            ),
    );
    asked(
        Talk::new("grove")
            .greeted()
            .does(asks("ranges"), &[request(0, 2, &[PIECE])])
            .hears(refusal(0, "session_mode"), &[])
            .does(asks("ranges"), &[request(1, 0, &[PIECE])])
            .end(
                set,
                "refused-by-peer",
                "A peer that does not compare by ranges is asked by logs.",
            ),
    );
    Talk::new("deployed")
        .step(
            received(request(3, 2, &[PIECE])),
            refused("session_mode", &[]),
        )
        .step(received(have(4, &[])), refused("session_unknown", &[]))
        .end(
            set,
            "refused-in-silence",
            "Deployed nodes know no refusals.",
        );
}

fn asked(case: &mut Case) -> &mut Case {
    case.feature(FEATURE)
}
