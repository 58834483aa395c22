//! Two peers talking to each other, message by message.

use std::collections::VecDeque;
use std::convert::Infallible;

use super::*;
use crate::types::{Hash, KeyPair, LogId, PublicKey, SchemaId, SeqNum};
use crate::wire::Tips;
use proptest::prelude::*;
use std::collections::BTreeSet;

const NOW: Instant = Instant::ZERO;

fn schemas() -> SchemaSet {
    SchemaSet::from([SchemaId::BLOB, SchemaId::BLOB_PIECE])
}

fn heights(logs: &[(u8, u64, u64)]) -> Heights {
    let mut heights = Heights::new();
    for (author, log, seq_num) in logs {
        let key = KeyPair::from_seed(&[*author; 32]).public_key();
        heights
            .entry(key)
            .or_default()
            .insert(LogId::new(*log), SeqNum::new(*seq_num).unwrap());
    }
    heights
}

/// The hash of an entry of a log that has but one branch, the same on all nodes.
fn entry(author: PublicKey, log_id: LogId, seq_num: SeqNum) -> Hash {
    let place = (author.as_bytes(), log_id.as_u64(), seq_num.as_u64());
    Hash::of(format!("{place:?}").as_bytes())
}

/// Logs with one branch.
impl Logs for Heights {
    type Error = Infallible;

    fn heights(&self, _: &SchemaSet) -> Result<Heights, Infallible> {
        Ok(self.clone())
    }

    fn tips(&self, _: &SchemaSet) -> Result<Tips, Infallible> {
        let mut tips = Tips::new();
        for (author, logs) in self {
            for (log_id, seq_num) in logs {
                let tip = (*seq_num, entry(*author, *log_id, *seq_num));
                let of_author = tips.entry(*author).or_default();
                of_author.insert(*log_id, BTreeSet::from([tip]));
            }
        }
        Ok(tips)
    }

    fn known(&self, hashes: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, Infallible> {
        let mut known = BTreeSet::new();
        for (author, logs) in self {
            for (log_id, height) in logs {
                let numbers = (1..=height.as_u64()).filter_map(SeqNum::new);
                known.extend(numbers.map(|seq_num| entry(*author, *log_id, seq_num)));
            }
        }
        Ok(known.intersection(hashes).copied().collect())
    }

    fn forked_at(&self, _: PublicKey, _: LogId) -> Result<Option<SeqNum>, Infallible> {
        Ok(None)
    }
}

/// One side: its peer state, its heights, and what it was told to transfer.
struct Side {
    peer: Peer,
    heights: Heights,
    transfers: Vec<Heights>,
    finished: usize,
    gave_way: usize,
}

impl Side {
    fn pair(left: Heights, right: Heights) -> [Self; 2] {
        let [small, large] = [PeerId([1; 32]), PeerId([2; 32])];
        let side = |local, remote, heights| Self {
            peer: Peer::new(local, remote),
            heights,
            transfers: Vec::new(),
            finished: 0,
            gave_way: 0,
        };
        [side(small, large, left), side(large, small, right)]
    }

    fn handle(&mut self, message: Message) -> Vec<Message> {
        let heights = self.heights.clone();
        let actions = self.peer.handle(NOW, message, &heights).unwrap();
        let mut messages = Vec::new();
        for action in actions {
            match action {
                Action::Send(message) => messages.push(message),
                Action::Transfer { session, starts } => {
                    self.transfers.push(starts);
                    messages.push(done(session));
                    let ended = self.peer.transferred(NOW, session, true);
                    self.finished += ended.len();
                }
                Action::Finished { .. } => self.finished += 1,
                Action::GaveWay => self.gave_way += 1,
                Action::Announced(_) | Action::Declined | Action::Give { .. } => {}
            }
        }
        messages
    }

    fn announce_and_initiate(&mut self, other: &mut Self) -> Message {
        let announcement = other.peer.announce(NOW, schemas());
        self.handle(announcement);
        self.peer.initiate(NOW, &schemas()).unwrap()
    }
}

fn done(session: u64) -> Message {
    let live = false;
    Message::SyncDone { session, live }
}

fn request(session: u64, schemas: SchemaSet) -> Message {
    Message::SyncRequest {
        session,
        mode: MODE_LOG_HEIGHT,
        schemas,
    }
}

/// Delivers messages alternately until nobody has anything to say.
fn run(sides: &mut [Side; 2], mut inboxes: [VecDeque<Message>; 2]) {
    while inboxes.iter().any(|inbox| !inbox.is_empty()) {
        for to in 0..2 {
            if let Some(message) = inboxes[to].pop_front() {
                inboxes[1 - to].extend(sides[to].handle(message));
            }
        }
    }
}

#[test]
fn both_sides_send_exactly_what_the_other_lacks() {
    let left = heights(&[(1, 0, 5), (1, 1, 2), (2, 0, 3)]);
    let right = heights(&[(1, 0, 7), (2, 0, 1)]);
    let mut sides = Side::pair(left, right);
    let [a, b] = &mut sides;
    let request = a.announce_and_initiate(b);

    run(&mut sides, [VecDeque::new(), VecDeque::from([request])]);

    assert_eq!(sides[0].transfers, [heights(&[(1, 1, 1), (2, 0, 2)])]);
    assert_eq!(sides[1].transfers, [heights(&[(1, 0, 6)])]);
    assert!(
        sides
            .iter()
            .all(|side| side.finished == 1 && !side.peer.is_syncing())
    );
}

#[test]
fn a_peer_of_the_deployed_protocol_is_told_heights_and_nothing_else() {
    let held = heights(&[(1, 0, 5), (1, 1, 2)]);
    let [small, large] = [PeerId([1; 32]), PeerId([2; 32])];
    let mut peer = Peer::new(large, small).speaking(Dialect::Deployed);
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas: schemas(),
    };

    let told = peer.handle(NOW, request, &held).unwrap();
    let theirs = Message::Have {
        session: 0,
        heights: heights(&[(1, 0, 3)]),
    };
    let transfer = peer.handle(NOW, theirs, &held).unwrap();

    let have = Message::Have {
        session: 0,
        heights: held,
    };
    assert_eq!(told, [Action::Send(have)]);
    let starts = heights(&[(1, 0, 4), (1, 1, 1)]);
    assert_eq!(transfer, [Action::Transfer { session: 0, starts }]);
}

#[test]
fn who_tells_heights_is_answered_with_heights() {
    let held = heights(&[(1, 0, 5)]);
    let mut sides = Side::pair(held.clone(), Heights::new());
    let [a, b] = &mut sides;
    let Message::SyncRequest { session, .. } = a.announce_and_initiate(b) else {
        panic!("no request");
    };
    let theirs = Message::Have {
        session,
        heights: Heights::new(),
    };

    let told = a.handle(theirs);

    let ours = Message::Have {
        session,
        heights: held,
    };
    assert_eq!(told[0], ours);
    assert_eq!(a.transfers, [heights(&[(1, 0, 1)])]);
}

#[test]
fn a_side_without_data_still_finishes() {
    let mut sides = Side::pair(heights(&[(1, 0, 1)]), Heights::new());
    let [a, b] = &mut sides;
    let request = a.announce_and_initiate(b);

    run(&mut sides, [VecDeque::new(), VecDeque::from([request])]);

    assert!(
        sides
            .iter()
            .all(|side| side.finished == 1 && !side.peer.is_syncing())
    );
}

//= RP8 test
#[test]
fn of_crossing_requests_the_greater_peer_wins() {
    let mut sides = Side::pair(heights(&[(1, 0, 1)]), heights(&[(2, 0, 1)]));
    let [a, b] = &mut sides;
    let from_a = a.announce_and_initiate(b);
    let from_b = b.announce_and_initiate(a);

    run(
        &mut sides,
        [VecDeque::from([from_b]), VecDeque::from([from_a])],
    );

    assert_eq!(sides[0].transfers.len(), 1);
    assert_eq!(sides[1].transfers.len(), 1);
    assert!(
        sides
            .iter()
            .all(|side| side.finished == 1 && !side.peer.is_syncing())
    );
}

#[test]
fn messages_out_of_place_are_refused_with_their_cause() {
    let mut sides = Side::pair(Heights::new(), Heights::new());
    let peer = &mut sides[0].peer;
    let mut reason = |message| match peer.handle(NOW, message, &Heights::new()) {
        Err(HandleError::Session(error)) => Some(error.reason()),
        other => {
            assert!(other.is_ok());
            None
        }
    };
    let request = |mode| Message::SyncRequest {
        session: 4,
        mode,
        schemas: schemas(),
    };
    let have = || Message::Have {
        session: 4,
        heights: Heights::new(),
    };

    assert_eq!(reason(have()), Some(Reason::SessionUnknown));
    assert_eq!(reason(request(1)), Some(Reason::SessionMode));
    assert_eq!(reason(request(0)), None);
    assert_eq!(reason(request(0)), Some(Reason::SessionDuplicate));
    assert_eq!(reason(have()), None);
    assert_eq!(reason(have()), Some(Reason::SessionUnexpected));
    assert_eq!(reason(have()), Some(Reason::SessionUnknown));
}

//= RP9 test
#[test]
fn an_unanswered_session_is_given_up_at_the_deadline() {
    let mut sides = Side::pair(Heights::new(), Heights::new());
    let [a, b] = &mut sides;
    a.announce_and_initiate(b);

    let expire = |peer: &mut Peer, at| peer.expire(at).sessions;
    assert_eq!(expire(&mut a.peer, Instant(SESSION_TIMEOUT.0 - 1)), 0);
    assert_eq!(expire(&mut a.peer, NOW.after(SESSION_TIMEOUT)), 1);
}

//= RP9 test
#[test]
fn a_session_lives_as_long_as_something_is_heard_or_sent() {
    let held = heights(&[(1, 0, 5)]);
    let [small, large] = [PeerId([1; 32]), PeerId([2; 32])];
    let mut peer = Peer::new(large, small);
    let half = Instant(SESSION_TIMEOUT.0 / 2);
    peer.handle(NOW, request(0, schemas()), &held).unwrap();

    peer.expect_entry(half, 0).unwrap();
    assert_eq!(peer.expire(NOW.after(SESSION_TIMEOUT)).sessions, 0);
    let theirs = Message::Have {
        session: 0,
        heights: Heights::new(),
    };
    let late = half.after(SESSION_TIMEOUT);
    peer.handle(half, theirs, &held).unwrap();
    assert_eq!(peer.expire(late.after(SESSION_TIMEOUT)).sessions, 0);
    assert_eq!(peer.transferred(late, 0, true), [], "the peer is not done");
    assert_eq!(peer.expire(late.after(SESSION_TIMEOUT)).sessions, 1);
}

#[test]
fn no_session_begins_while_entries_of_the_last_are_on_their_way() {
    let held = heights(&[(1, 0, 5)]);
    let mut sides = Side::pair(held.clone(), Heights::new());
    let [a, b] = &mut sides;
    a.announce_and_initiate(b);
    let have = Message::Have {
        session: 0,
        heights: Heights::new(),
    };

    a.peer.handle(NOW, have, &held).unwrap();
    a.peer.handle(NOW, done(0), &held).unwrap();
    assert_eq!(a.peer.initiate(NOW, &schemas()), None);

    let ended = a.peer.transferred(NOW, 0, true);
    assert_eq!(ended, [Action::Finished { session: 0 }]);
    assert!(a.peer.initiate(NOW, &schemas()).is_some());
}

#[test]
fn a_deployed_peer_is_told_the_end_of_a_session_that_was_given_up() {
    let held = heights(&[(1, 0, 5)]);
    let [small, large] = [PeerId([1; 32]), PeerId([2; 32])];
    let mut peer = Peer::new(large, small).speaking(Dialect::Deployed);
    let late = NOW.after(SESSION_TIMEOUT);

    peer.handle(NOW, request(0, schemas()), &held).unwrap();
    assert_eq!(peer.expire(late).messages, [done(0)]);

    peer.handle(NOW, request(0, schemas()), &held).unwrap();
    let theirs = Message::Have {
        session: 0,
        heights: Heights::new(),
    };
    peer.handle(NOW, theirs, &held).unwrap();
    let told = peer.transferred(NOW, 0, false);
    assert_eq!(told, [Action::Send(done(0))]);
    assert_eq!(peer.expire(late).messages, [], "it was told already");
}

//= RP8 test
#[test]
fn a_request_that_gives_way_to_other_schemas_is_made_again() {
    let mut sides = Side::pair(heights(&[(1, 0, 1)]), heights(&[(2, 0, 1)]));
    let [a, b] = &mut sides;
    a.announce_and_initiate(b);
    let blobs = SchemaSet::from([SchemaId::BLOB]);

    // From the greater peer, with the same id: ours gives way.
    let answer = a.handle(request(0, blobs.clone()));
    assert!(matches!(answer[0], Message::Tips { session: 0, .. }));
    assert_eq!(a.gave_way, 1);

    // From the smaller peer: it has to ask again itself.
    b.announce_and_initiate(a);
    assert_eq!(b.handle(request(0, blobs)), []);
    assert_eq!(b.gave_way, 0);
}

#[test]
fn an_answer_labelled_with_a_request_that_gave_way_is_understood() {
    let mut sides = Side::pair(heights(&[(1, 0, 2)]), heights(&[(2, 0, 1)]));
    let [a, b] = &mut sides;
    let ours = b.announce_and_initiate(a);
    assert_eq!(ours, request(0, schemas()));
    let labelled = |session| Message::Have {
        session,
        heights: heights(&[(1, 0, 2)]),
    };

    assert_eq!(b.handle(request(7, schemas())), [], "it gives way to ours");
    let told = b.handle(labelled(7));

    assert!(matches!(told[0], Message::Have { session: 0, .. }));
    assert_eq!(b.transfers, [heights(&[(2, 0, 1)])]);
    let again = b.peer.handle(NOW, labelled(7), &Heights::new());
    assert!(again.is_err(), "only one answer is expected");
    b.handle(done(0));
    assert_eq!(b.finished, 1);
}

#[test]
fn abandoned_sessions_leave_room_for_new_ones() {
    let mut sides = Side::pair(heights(&[(1, 0, 2)]), Heights::new());
    let [a, b] = &mut sides;
    let lost = a.announce_and_initiate(b);
    assert_eq!(a.peer.initiate(NOW, &schemas()), None, "one is open");

    a.peer.abandon();
    let request = a.peer.initiate(NOW, &schemas()).unwrap();
    assert_ne!(request, lost);
    run(&mut sides, [VecDeque::new(), VecDeque::from([request])]);

    assert_eq!(sides[0].transfers, [heights(&[(1, 0, 1)])]);
    assert!(sides.iter().all(|side| side.finished == 1));
}

#[test]
fn announcements_only_replace_older_ones() {
    let mut sides = Side::pair(Heights::new(), Heights::new());
    let [a, b] = &mut sides;
    let first = b.peer.announce(NOW, SchemaSet::from([SchemaId::BLOB]));
    let second = b.peer.announce(NOW, schemas());
    assert_ne!(first, second);

    let mut announced = |message| a.peer.handle(NOW, message, &Heights::new()).unwrap();
    assert_eq!(announced(second), [Action::Announced(schemas())]);
    assert_eq!(announced(first), []);
}

//= NW3 test
#[test]
fn a_peer_has_only_so_many_sessions_open() {
    let mut sides = Side::pair(Heights::new(), Heights::new());
    let peer = &mut sides[0].peer;
    let request = |session: u64| Message::SyncRequest {
        session,
        mode: 0,
        schemas: (0..=session)
            .map(|number| format!("cafe_{}", Hash::of(&number.to_be_bytes())))
            .map(|id| id.parse().unwrap())
            .collect(),
    };
    let mut handle = |session| peer.handle(NOW, request(session), &Heights::new());

    let most = SESSIONS_PER_PEER_MAX as u64;
    assert!((0..most).all(|session| handle(session).is_ok()));
    match handle(most) {
        Err(HandleError::Session(error)) => assert_eq!(error.reason(), Reason::SessionLimit),
        _ => panic!("one more session was let in"),
    }
}

proptest! {
    /// Whoever asks when, in whatever order messages arrive: every request is answered, every session finished,
    /// and after a last one both sides were sent what they lack.
    #[test]
    fn any_order_of_requests_and_messages_ends_with_both_equal(
        held in prop::collection::vec((1u8..4, 0u64..3, 1u64..6, any::<bool>(), any::<bool>()), 0..8),
        steps in prop::collection::vec((0usize..2, any::<bool>()), 0..40),
        dialects in prop::sample::select(vec![Dialect::Grove, Dialect::Deployed]),
    ) {
        let of = |is_left: bool| {
            let held = held.iter().filter(|(.., left, right)| if is_left { *left } else { *right });
            heights(&held.map(|(author, log, seq, ..)| (*author, *log, *seq)).collect::<Vec<_>>())
        };
        let mut sides = Side::pair(of(true), of(false)).map(|side| Side {
            peer: side.peer.speaking(dialects),
            ..side
        });
        let mut inboxes = [VecDeque::new(), VecDeque::new()];
        for from in 0..2 {
            let announcement = sides[from].peer.announce(NOW, schemas());
            sides[1 - from].handle(announcement);
        }
        let deliver = |sides: &mut [Side; 2], inboxes: &mut [VecDeque<Message>; 2], to: usize| {
            let Some(message) = inboxes[to].pop_front() else {
                return;
            };
            let answers = sides[to].take(message);
            inboxes[1 - to].extend(answers);
        };

        for (side, asks) in steps {
            if asks {
                inboxes[1 - side].extend(sides[side].peer.initiate(NOW, &schemas()));
            } else {
                deliver(&mut sides, &mut inboxes, side);
            }
        }
        for last in [false, true] {
            if last {
                inboxes[1].extend(sides[0].peer.initiate(NOW, &schemas()));
            }
            while inboxes.iter().any(|inbox| !inbox.is_empty()) {
                (0..2).for_each(|to| deliver(&mut sides, &mut inboxes, to));
            }
            prop_assert!(sides.iter().all(|side| !side.peer.is_syncing()));
        }

        let [left, right] = &sides;
        prop_assert_eq!(&left.heights, &right.heights);
    }
}

impl Side {
    /// Takes a message; what was transferred is there on the other side, which is told with `SyncDone` here.
    fn take(&mut self, message: Message) -> Vec<Message> {
        if let Message::Entry { entry, .. } = &message {
            let height: Vec<u64> = entry
                .chunks(8)
                .map(|number| u64::from_be_bytes(number.try_into().unwrap()))
                .collect();
            let key = KeyPair::from_seed(&[height[0] as u8; 32]).public_key();
            let logs = self.heights.entry(key).or_default();
            let seq_num = SeqNum::new(height[2]).unwrap();
            let known = logs.entry(LogId::new(height[1])).or_insert(seq_num);
            *known = (*known).max(seq_num);
            return Vec::new();
        }
        let before = self.transfers.len();
        let mut messages = self.handle(message);
        for starts in &self.transfers[before..] {
            let at = messages
                .iter()
                .position(|message| matches!(message, Message::SyncDone { .. }))
                .unwrap();
            let Message::SyncDone { session, .. } = messages[at] else {
                unreachable!()
            };
            let lacked = starts
                .iter()
                .flat_map(|(key, logs)| logs.keys().map(move |log_id| (*key, *log_id)));
            for (key, log_id) in lacked {
                let author = (1u8..4)
                    .find(|seed| KeyPair::from_seed(&[*seed; 32]).public_key() == key)
                    .unwrap();
                let height = self.heights[&key][&log_id];
                let entry = [u64::from(author), log_id.as_u64(), height.as_u64()]
                    .map(u64::to_be_bytes)
                    .concat();
                messages.insert(
                    at,
                    Message::Entry {
                        session,
                        entry,
                        payload: None,
                    },
                );
            }
        }
        messages
    }
}
