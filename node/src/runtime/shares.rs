//! What each client may have in the queue of the writer.
//!
//! Entries of one client that are more than its share wait outside, so that others are never more than a few
//! transactions away. Who asks from within the process has no share to keep to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::Client;

/// Entries of one client that wait for the writer: those of two transactions, so that it never runs dry.
const ENTRIES_MAX: usize = 1024;

/// What they may have in bytes together, in KiB.
const SIZE_MAX: u32 = 16 << 10;

/// The shares of all clients.
#[derive(Debug, Clone, Default)]
pub(super) struct WriterShares(Arc<Mutex<BTreeMap<Client, Share>>>);

#[derive(Debug, Clone)]
struct Share {
    entries: Arc<Semaphore>,
    size: Arc<Semaphore>,
    /// How many of its entries wait, within the share or outside.
    waiting: usize,
}

/// The part of one entry, given back on drop.
#[derive(Debug)]
pub(super) struct WriterShare {
    shares: WriterShares,
    client: Client,
    /// None until there is room for it.
    _permits: Option<[OwnedSemaphorePermit; 2]>,
}

impl WriterShares {
    /// Waits until there is room for an entry of so many KiB in the client's share.
    pub(super) async fn take(&self, client: Client, size: u32) -> Option<WriterShare> {
        if !client.is_known() {
            return None;
        }
        let share = {
            let mut shares = self.lock();
            let share = shares.entry(client.clone()).or_insert_with(|| Share {
                entries: Arc::new(Semaphore::new(ENTRIES_MAX)),
                size: Arc::new(Semaphore::new(SIZE_MAX as usize)),
                waiting: 0,
            });
            share.waiting += 1;
            share.clone()
        };
        // Counted from now on, also if it is given up while it waits.
        let mut taken = WriterShare {
            shares: self.clone(),
            client,
            _permits: None,
        };
        let entry = share.entries.acquire_owned().await.ok()?;
        let size = share
            .size
            .acquire_many_owned(size.min(SIZE_MAX))
            .await
            .ok()?;
        taken._permits = Some([entry, size]);
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Client, Share>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WriterShare {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        let Some(share) = shares.get_mut(&self.client) else {
            return;
        };
        assert!(share.waiting > 0, "a share is given back once");
        share.waiting -= 1;
        if share.waiting == 0 {
            shares.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn client(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[tokio::test]
    async fn one_client_fills_its_share_and_no_more() {
        let shares = WriterShares::default();
        let take = async |address: &str, size: u32| {
            let taken = shares.take(client(address), size);
            tokio::time::timeout(Duration::from_millis(1), taken).await
        };
        let mut held = Vec::new();
        for _ in 0..ENTRIES_MAX {
            held.push(take("10.0.0.1", 1).await.unwrap());
        }

        assert!(take("10.0.0.1", 1).await.is_err());
        assert!(take("10.0.0.2", SIZE_MAX).await.is_ok());
        assert!(shares.take(Client::default(), 1).await.is_none());
        held.pop();
        assert!(take("10.0.0.1", 1).await.is_ok());

        drop(held);
        assert!(shares.lock().is_empty(), "nobody is remembered");
    }
}
