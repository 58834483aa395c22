//! What outlives its request: how much of it there may be, who has it, and its end when the node stops.
//!
//! When all places are taken, somebody gives way: of those who hold more than the newcomer would, the one that holds
//! most, reckoned first by network, then by page, then by socket. Where nobody holds more, a WebSocket that does
//! nothing gives way, the one that has been silent for longest. How many each has is kept up rather than counted:
//! a crowd asks for places again and again when there are none.
//!
//! Always true:
//! - However many places one client takes, another one finds a place for as long as it holds fewer.
//! - Who gives way is told so like at the end of the node, and may come again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grove_core::limits::PAYLOAD_SIZE_MAX;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Limits;
use crate::api::ApiError;
use crate::runtime::Asking;

/// For how long a WebSocket must have been silent to give way.
const SILENT_MIN: Duration = Duration::from_secs(1);

/// The hold on all subscriptions and WebSockets. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    held: Arc<Mutex<Held>>,
    subscriptions_max: usize,
    sockets_max: usize,
    stop: watch::Sender<bool>,
}

/// What there are places for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Subscription,
    GraphSocket,
    RpcSocket,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    places: BTreeMap<u64, Taken>,
    /// How many places of a kind are held by all that agree in their first parts, by these. None is empty.
    groups: BTreeMap<(Kind, Vec<String>), Arc<AtomicUsize>>,
}

/// The groups that a holder belongs to: its network's, its page's and its socket's.
type Groups<G> = [G; Asking::DEPTH];

/// A place that somebody has.
#[derive(Debug)]
struct Taken {
    kind: Kind,
    asking: Asking,
    groups: Groups<Arc<AtomicUsize>>,
    heard: Instant,
    revoked: Arc<Notify>,
}

/// The place of one subscription or socket. The node does not end before it is given back.
#[derive(Debug)]
pub(super) struct SubscriptionPlace {
    held: Arc<Mutex<Held>>,
    number: u64,
    revoked: Arc<Notify>,
    stopping: watch::Receiver<bool>,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            held: Arc::default(),
            subscriptions_max: limits.subscriptions_max,
            sockets_max: limits.sockets_max,
            stop: watch::Sender::new(false),
        }
    }

    /// A place for a subscription, if there is one to be had.
    pub(super) fn place(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(Kind::Subscription, self.subscriptions_max)
    }

    /// A place for a WebSocket of GraphQL, if there is one to be had.
    pub(super) fn socket(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(Kind::GraphSocket, self.sockets_max)
    }

    /// A place for a WebSocket of JSON-RPC, if there is one to be had.
    pub(super) fn rpc_socket(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(Kind::RpcSocket, self.sockets_max)
    }

    fn place_of(&self, kind: Kind, places_max: usize) -> Result<SubscriptionPlace, ApiError> {
        let asking = Asking::current();
        let mut held = lock(&self.held);
        if held.of(kind).count() >= places_max {
            let victim = held.who_gives_way(kind, &asking).ok_or(ApiError::Busy)?;
            if let Some(taken) = held.remove(victim) {
                taken.revoked.notify_one();
            }
        }
        held.next += 1;
        let (number, revoked) = (held.next, Arc::new(Notify::new()));
        let taken = Taken {
            kind,
            groups: held.join(kind, &asking),
            asking,
            heard: Instant::now(),
            revoked: Arc::clone(&revoked),
        };
        held.places.insert(number, taken);
        Ok(SubscriptionPlace {
            held: Arc::clone(&self.held),
            number,
            revoked,
            stopping: self.stop.subscribe(),
        })
    }

    /// Ends all of it, and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
    fn of(&self, kind: Kind) -> impl Iterator<Item = (&u64, &Taken)> {
        let places = self.places.iter();
        places.filter(move |(_, taken)| taken.kind == kind)
    }

    /// Counts a holder in.
    fn join(&mut self, kind: Kind, asking: &Asking) -> Groups<Arc<AtomicUsize>> {
        std::array::from_fn(|at| {
            let group = self.groups.entry((kind, asking.path(at + 1))).or_default();
            group.fetch_add(1, Ordering::Relaxed);
            Arc::clone(group)
        })
    }

    /// Takes a place away from who has it.
    fn remove(&mut self, number: u64) -> Option<Taken> {
        let taken = self.places.remove(&number)?;
        for (at, group) in taken.groups.iter().enumerate() {
            if group.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.groups.remove(&(taken.kind, taken.asking.path(at + 1)));
            }
        }
        Some(taken)
    }

    /// Whose place goes to the newcomer.
    fn who_gives_way(&self, kind: Kind, newcomer: &Asking) -> Option<u64> {
        let own: Groups<_> =
            std::array::from_fn(|at| self.groups.get(&(kind, newcomer.path(at + 1))));
        let share = |group: &Arc<AtomicUsize>| group.load(Ordering::Relaxed);
        let greedy = self.of(kind).filter_map(|(number, taken)| {
            let is_own =
                |at: &usize| own[*at].is_some_and(|own| Arc::ptr_eq(own, &taken.groups[*at]));
            let at = (0..Asking::DEPTH).find(|at| !is_own(at))?;
            let excess = share(&taken.groups[at]).checked_sub(own[at].map_or(0, share) + 2)?;
            let shares = taken.groups.each_ref().map(share);
            Some(((Reverse(at), excess, shares), *number))
        });
        let greediest = greedy.max().map(|(_, number)| number);
        greediest.or_else(|| self.most_silent(kind))
    }

    /// The WebSocket that has done nothing for longest.
    fn most_silent(&self, kind: Kind) -> Option<u64> {
        if kind == Kind::Subscription {
            return None;
        }
        let subscriptions = self.of(Kind::Subscription);
        let follow: BTreeSet<u64> = subscriptions
            .filter_map(|(_, taken)| taken.asking.socket())
            .collect();
        let now = Instant::now();
        let silent = self.of(kind).filter(|(number, taken)| {
            now.saturating_duration_since(taken.heard) >= SILENT_MIN && !follow.contains(number)
        });
        silent
            .min_by_key(|(_, taken)| taken.heard)
            .map(|(number, _)| *number)
    }
}

impl SubscriptionPlace {
    /// What tells it from all others.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Something was heard of who has it.
    pub(super) fn heard(&self) {
        if let Some(taken) = lock(&self.held).places.get_mut(&self.number) {
            taken.heard = Instant::now();
        }
    }

    /// Waits until the node stops, or the place goes to somebody else.
    pub(super) async fn stopping(&mut self) {
        let stops = async {
            // Without the other side there is nobody who could stop.
            if self.stopping.wait_for(|stopping| *stopping).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = stops => {}
            () = self.revoked.notified() => {}
        }
    }
}

impl Drop for SubscriptionPlace {
    fn drop(&mut self) {
        lock(&self.held).remove(self.number);
    }
}

/// The largest message taken over any WebSocket: it needs no more than an entry with the largest
/// operation, in hex.
pub(super) fn message_size_max(limits: &Limits) -> usize {
    limits.body_size_max.min(2 * PAYLOAD_SIZE_MAX + (64 << 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Client;

    fn streams(places_max: usize) -> Streams {
        let limits = Limits {
            subscriptions_max: places_max,
            sockets_max: places_max,
            ..Limits::default()
        };
        Streams::new(&limits)
    }

    fn at(address: &str) -> Asking {
        Client::at(address.parse().unwrap()).into()
    }

    async fn is_revoked(place: &mut SubscriptionPlace) -> bool {
        let revoked = tokio::time::timeout(Duration::from_millis(1), place.stopping());
        revoked.await.is_ok()
    }

    async fn take(streams: &Streams, asking: &Asking) -> Result<SubscriptionPlace, ApiError> {
        asking.clone().scope(async { streams.place() }).await
    }

    #[tokio::test]
    async fn who_holds_most_gives_way_to_who_holds_less() {
        let streams = streams(8);
        let (greedy, modest) = (at("10.0.0.1"), at("10.0.0.2"));
        let mut many = Vec::new();
        for _ in 0..8 {
            many.push(take(&streams, &greedy).await.unwrap());
        }

        assert!(take(&streams, &greedy).await.is_err());
        let mut few = Vec::new();
        for _ in 0..4 {
            few.push(take(&streams, &modest).await.unwrap());
        }

        let mut revoked = 0;
        for place in &mut many {
            revoked += usize::from(is_revoked(place).await);
        }
        assert_eq!(revoked, 4);
        assert!(take(&streams, &modest).await.is_err(), "it holds as many");
        // Two clients, of each of which a network, no page and no socket is known.
        assert_eq!(lock(&streams.held).groups.len(), 6);
        for place in &mut few {
            assert!(!is_revoked(place).await);
        }
        drop((many, few));
        assert!(lock(&streams.held).groups.is_empty(), "nobody is counted");
    }

    #[tokio::test]
    async fn at_one_address_pages_and_sockets_share() {
        let streams = streams(8);
        let local = Client::at("127.0.0.1".parse().unwrap());
        let page: Asking = local.clone().by_page("https://a.example").into();
        let mut greedy = Vec::new();
        for number in 0..8 {
            let asking = page.clone().on_socket(number / 4);
            greedy.push(take(&streams, &asking).await.unwrap());
        }

        let own = take(&streams, &local.clone().into()).await;
        let third = take(&streams, &page.clone().on_socket(9)).await;

        assert!(own.is_ok() && third.is_ok());
        let mut revoked = 0;
        for place in &mut greedy {
            revoked += usize::from(is_revoked(place).await);
        }
        assert_eq!(revoked, 2);
    }

    #[tokio::test]
    async fn sockets_that_do_nothing_give_way() {
        let streams = streams(3);
        let asking = at("127.0.0.1");
        let socket = async || asking.clone().scope(async { streams.rpc_socket() }).await;
        let mut sockets = [
            socket().await.unwrap(),
            socket().await.unwrap(),
            socket().await.unwrap(),
        ];
        assert!(socket().await.is_err(), "all have just come");
        let follows = asking.clone().on_socket(sockets[0].number());
        let _subscription = take(&streams, &follows).await.unwrap();
        for taken in lock(&streams.held).places.values_mut() {
            taken.heard = taken.heard.checked_sub(SILENT_MIN).unwrap();
        }
        sockets[1].heard();

        let next = socket().await;

        assert!(next.is_ok());
        assert!(is_revoked(&mut sockets[2]).await);
        assert!(!is_revoked(&mut sockets[0]).await && !is_revoked(&mut sockets[1]).await);
        assert!(socket().await.is_err());
    }
}
