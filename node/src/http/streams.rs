//! What outlives its request: how much of it there may be, and its end when the node stops.

use std::sync::Arc;

use grove_core::limits::PAYLOAD_SIZE_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Limits;
use crate::api::ApiError;

/// The hold on all subscriptions and WebSockets. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
    rpc_sockets: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// The place of one subscription or socket. The node does not end before it is given back.
#[derive(Debug)]
pub(super) struct SubscriptionPlace {
    _permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.subscriptions_max)),
            sockets: Arc::new(Semaphore::new(limits.sockets_max)),
            rpc_sockets: Arc::new(Semaphore::new(limits.sockets_max)),
            stop: watch::Sender::new(false),
        }
    }

    /// A place for a subscription, if there is one left.
    pub(super) fn place(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(&self.places)
    }

    /// A place for a WebSocket of GraphQL, if there is one left.
    pub(super) fn socket(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(&self.sockets)
    }

    /// A place for a WebSocket of JSON-RPC, if there is one left.
    pub(super) fn rpc_socket(&self) -> Result<SubscriptionPlace, ApiError> {
        self.place_of(&self.rpc_sockets)
    }

    fn place_of(&self, places: &Arc<Semaphore>) -> Result<SubscriptionPlace, ApiError> {
        let permit = Arc::clone(places).try_acquire_owned();
        Ok(SubscriptionPlace {
            _permit: permit.map_err(|_| ApiError::Busy)?,
            stopping: self.stop.subscribe(),
        })
    }

    /// Ends all of it, and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

impl SubscriptionPlace {
    /// Waits until the node stops.
    pub(super) async fn stopping(&mut self) {
        // Without the other side there is nobody who could stop.
        if self.stopping.wait_for(|stopping| *stopping).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The largest message taken over any WebSocket: it needs no more than an entry with the largest
/// operation, in hex.
pub(super) fn message_size_max(limits: &Limits) -> usize {
    limits.body_size_max.min(2 * PAYLOAD_SIZE_MAX + (64 << 10))
}
