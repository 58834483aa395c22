//! Links of one node as its network changes, and of two nodes that dial each other.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: PeerId = PeerId([1; 32]);
const B: PeerId = PeerId([2; 32]);

fn at(secs: u64) -> Instant {
    Instant::ZERO.after(Duration::from_secs(secs))
}

fn outputs(links: &mut Links) -> Vec<LinkOutput> {
    let mut all = Vec::new();
    loop {
        match links.poll() {
            LinkOutput::Wait(_) => return all,
            output => all.push(output),
        }
    }
}

/// What is done, ticks left out.
fn done(links: &mut Links, now: Instant, input: LinkInput) -> Vec<LinkOutput> {
    links.handle(now, input, u64::MAX);
    let all = outputs(links).into_iter();
    all.filter(|output| *output != LinkOutput::Tick).collect()
}

fn waits_until(links: &mut Links) -> Option<Instant> {
    match links.poll() {
        LinkOutput::Wait(until) => until,
        other => panic!("{other:?}"),
    }
}

fn dial(peer: PeerId, link: u64) -> LinkOutput {
    let link = LinkId(link);
    LinkOutput::Dial { peer, link }
}

fn open(peer: PeerId, link: u64) -> LinkOutput {
    let link = LinkId(link);
    LinkOutput::Open { peer, link }
}

fn close(link: u64) -> LinkOutput {
    LinkOutput::Close(LinkId(link))
}

fn accept(links: &mut Links, now: Instant, peer: PeerId) -> Vec<LinkOutput> {
    let link = links.name();
    done(links, now, LinkInput::Accepted(peer, link))
}

#[test]
fn pauses_between_attempts_double_up_to_the_longest() {
    let mut links = Links::new(A, LinkTimes::default());
    assert_eq!(done(&mut links, at(0), LinkInput::Want(B)), [dial(B, 0)]);

    let mut now = at(0);
    let mut pauses = Vec::new();
    for attempt in 0..12 {
        assert!(done(&mut links, now, LinkInput::Failed(LinkId(attempt))).is_empty());
        let next = waits_until(&mut links).unwrap();
        pauses.push((next.0 - now.0).div_ceil(1_000_000));
        assert!(done(&mut links, Instant(next.0 - 1), LinkInput::Time).is_empty());
        now = next;
        let dialled = done(&mut links, now, LinkInput::Time);
        assert_eq!(dialled, [dial(B, attempt + 1)]);
    }

    // The greatest random number stays below the longest pause by at most half of it.
    let longest = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300];
    for (pause, longest) in pauses.iter().zip(longest) {
        assert!((longest / 2..=longest).contains(pause), "{pauses:?}");
    }
}

#[test]
fn an_attempt_that_takes_too_long_has_failed() {
    let mut links = Links::new(A, LinkTimes::default());
    done(&mut links, at(0), LinkInput::Want(B));

    assert!(done(&mut links, at(10), LinkInput::Time).is_empty());
    assert_eq!(done(&mut links, at(12), LinkInput::Time), [dial(B, 1)]);
    let late = done(&mut links, at(12), LinkInput::Dialled(LinkId(0)));

    assert_eq!(late, [close(0)]);
    let second = done(&mut links, at(13), LinkInput::Dialled(LinkId(1)));
    assert_eq!(second, [open(B, 1)]);
}

#[test]
fn the_end_of_a_replaced_connection_is_no_news() {
    let mut links = Links::new(A, LinkTimes::default());
    assert_eq!(accept(&mut links, at(0), B), [open(B, 0)]);

    let replaced = accept(&mut links, at(60), B);
    assert_eq!(replaced, [close(0), open(B, 1)]);
    assert!(done(&mut links, at(61), LinkInput::Lost(LinkId(0))).is_empty());

    assert_eq!(links.alive(B), Some(LinkId(1)));
}

#[test]
fn a_connection_lost_after_a_while_is_made_again_soon() {
    let mut links = Links::new(A, LinkTimes::default());
    done(&mut links, at(0), LinkInput::Want(B));
    for failed in 0..5 {
        done(
            &mut links,
            at(100 * failed),
            LinkInput::Failed(LinkId(failed)),
        );
        let next = waits_until(&mut links).unwrap();
        assert_eq!(done(&mut links, next, LinkInput::Time).len(), 1);
    }
    done(&mut links, at(1000), LinkInput::Dialled(LinkId(5)));
    outputs(&mut links);
    let short = done(&mut links, at(1001), LinkInput::Lost(LinkId(5)));
    assert!(short.is_empty());
    assert!(
        waits_until(&mut links).unwrap() > at(1005),
        "it did not last"
    );

    assert_eq!(done(&mut links, at(1100), LinkInput::Time), [dial(B, 6)]);
    done(&mut links, at(1100), LinkInput::Dialled(LinkId(6)));
    done(&mut links, at(1200), LinkInput::Lost(LinkId(6)));
    assert!(waits_until(&mut links).unwrap() <= at(1201));
}

#[test]
fn whom_nobody_wants_is_not_dialled_and_not_remembered() {
    let mut links = Links::new(A, LinkTimes::default());
    accept(&mut links, at(0), B);
    assert!(done(&mut links, at(1), LinkInput::Lost(LinkId(0))).is_empty());
    assert_eq!(waits_until(&mut links), None);
    assert!(links.peers.is_empty() && links.names.is_empty());

    done(&mut links, at(2), LinkInput::Want(B));
    let forgotten = done(&mut links, at(2), LinkInput::Forget(B));
    assert!(forgotten.is_empty());
    assert_eq!(
        done(&mut links, at(3), LinkInput::Dialled(LinkId(1))),
        [close(1)]
    );
    assert!(
        done(&mut links, at(0), LinkInput::Want(A)).is_empty(),
        "itself"
    );
}

#[test]
fn ticks_come_while_somebody_is_there_and_once_after_a_pause() {
    let mut links = Links::new(A, LinkTimes::default());
    let link = links.name();
    links.handle(at(0), LinkInput::Accepted(B, link), 0);
    assert!(outputs(&mut links).contains(&LinkOutput::Tick));
    assert_eq!(waits_until(&mut links), Some(Instant(250_000)));

    links.handle(at(9), LinkInput::Time, 0);
    assert_eq!(outputs(&mut links), [LinkOutput::Tick]);

    links.handle(at(10), LinkInput::Lost(LinkId(0)), 0);
    links.handle(at(11), LinkInput::Time, 0);
    assert_eq!(outputs(&mut links), []);
}

/// Two nodes and the connections between them. Either side learns of everything late, and in any order.
struct Pair {
    links: [Links; 2],
    /// Attempts on their way: who dialled, and as what.
    dialling: Vec<(usize, LinkId)>,
    /// What a side has not learnt yet of connections that were made.
    untold: Vec<(usize, LinkInput, LinkId)>,
    /// Connections by the names of both ends; `None` for an end that was closed.
    standing: Vec<[Option<LinkId>; 2]>,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let links = [A, B].map(|local| Links::new(local, LinkTimes::default()));
        Self {
            links,
            dialling: Vec::new(),
            untold: Vec::new(),
            standing: Vec::new(),
            now: at(1),
        }
    }

    fn tell(&mut self, side: usize, input: LinkInput) {
        self.links[side].handle(self.now, input, 0);
        for output in outputs(&mut self.links[side]) {
            match output {
                LinkOutput::Dial { link, .. } => self.dialling.push((side, link)),
                LinkOutput::Close(link) => {
                    for ends in &mut self.standing {
                        if ends[side] == Some(link) {
                            ends[side] = None;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// An attempt succeeds; neither side knows yet.
    fn arrive(&mut self, index: usize) {
        let (side, link) = self.dialling.remove(index % self.dialling.len());
        let (local, other) = ([A, B][side], 1 - side);
        let accepted = self.links[other].name();
        let mut ends = [Some(link); 2];
        ends[other] = Some(accepted);
        self.standing.push(ends);
        self.untold.push((side, LinkInput::Dialled(link), link));
        let input = LinkInput::Accepted(local, accepted);
        self.untold.push((other, input, accepted));
    }

    /// A side learns of a connection that was made.
    fn learn(&mut self, index: usize) {
        let (side, input, _) = self.untold.remove(index % self.untold.len());
        self.tell(side, input);
    }

    /// Sides learn that the other end of a connection they know was closed.
    fn notice(&mut self) {
        let is_untold = |side: usize, link: LinkId, untold: &[(usize, LinkInput, LinkId)]| {
            let mut untold = untold.iter();
            untold.any(|(other, _, name)| (*other, *name) == (side, link))
        };
        for index in 0..self.standing.len() {
            for side in 0..2 {
                let ends = self.standing[index];
                if let (Some(link), None) = (ends[side], ends[1 - side])
                    && !is_untold(side, link, &self.untold)
                {
                    self.standing[index][side] = None;
                    self.tell(side, LinkInput::Lost(link));
                }
            }
        }
        self.standing.retain(|ends| *ends != [None, None]);
    }
}

proptest! {
    /// However two nodes that dial each other learn of their connections, they end with one, and the same.
    #[test]
    fn crossing_connections_end_as_one(order in prop::collection::vec((0u8..3, any::<usize>()), 0..40)) {
        let mut pair = Pair::new();
        pair.tell(0, LinkInput::Want(B));
        pair.tell(1, LinkInput::Want(A));

        for (kind, index) in order {
            match kind {
                0 if !pair.dialling.is_empty() => pair.arrive(index),
                1 if !pair.untold.is_empty() => pair.learn(index),
                _ => pair.notice(),
            }
            pair.now = pair.now.after(Duration(1_000));
        }
        for _ in 0..100 {
            while !pair.dialling.is_empty() {
                pair.arrive(0);
            }
            while !pair.untold.is_empty() {
                pair.learn(0);
            }
            pair.notice();
            pair.now = pair.now.after(Duration::from_secs(1));
            for side in 0..2 {
                pair.tell(side, LinkInput::Time);
            }
        }

        let alive = [pair.links[0].alive(B), pair.links[1].alive(A)];
        prop_assert!(alive.iter().all(Option::is_some));
        prop_assert_eq!(pair.standing, vec![alive]);
    }

    /// Whatever is told, names stay unique, one connection per peer lives, all others are closed, and whoever
    /// is wanted is dialled again.
    #[test]
    fn links_are_bounded_and_never_give_up(
        told in prop::collection::vec((0u8..8, 1u8..5, 0u64..40, 0u64..20, any::<u64>()), 0..200),
    ) {
        let times = LinkTimes::default();
        let mut links = Links::new(A, times);
        let (mut now, mut named, mut open) = (at(1), BTreeSet::new(), BTreeSet::new());
        for (kind, peer, link, secs, random) in told {
            now = now.after(Duration::from_secs(secs));
            let (peer, link) = (PeerId([peer; 32]), LinkId(link));
            let input = match kind {
                0 => LinkInput::Want(peer),
                1 => LinkInput::Forget(peer),
                2 => LinkInput::Dialled(link),
                3 => LinkInput::Failed(link),
                4 => LinkInput::Accepted(peer, links.name()),
                5 => LinkInput::Lost(link),
                6 => LinkInput::Met(peer, links.name()),
                _ => LinkInput::Time,
            };
            links.handle(now, input, random);
            if kind == 5 {
                open.remove(&link);
            }
            for output in outputs(&mut links) {
                match output {
                    LinkOutput::Dial { link, .. } => prop_assert!(named.insert(link)),
                    LinkOutput::Open { link, .. } => prop_assert!(open.insert(link)),
                    LinkOutput::Close(link) => { open.remove(&link); }
                    LinkOutput::Tick | LinkOutput::Wait(_) => {}
                }
            }
            prop_assert_eq!(open.len(), links.count());
            for (peer, link) in &links.peers {
                let has_attempt = !matches!(link.attempt, Attempt::None);
                prop_assert!(!link.wanted || link.alive.is_some() || has_attempt, "{:?}", peer);
            }
            if let LinkOutput::Wait(Some(until)) = links.poll() {
                prop_assert!(until <= now.after(times.redial_max));
            }
            prop_assert!(links.names.len() <= 2 * links.peers.len());
        }
    }
}
