//! The places of open connections, and who gives way when they run out.
//!
//! Holds every connection with what it waits for. Accepting and serving are done elsewhere; here a
//! connection is only told to end, which it does at its next turn.
//!
//! Always true:
//! - A connection holds its place for as long as its socket is open, whatever protocol it speaks.
//! - Whoever is being answered by the node keeps its place.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::Activity;
use super::frames::Frames;
use super::memory::{Memory, MemoryLease};
use crate::http::Limits;

/// For how long a client may take nothing of an answer before others may have its memory.
const BLOCKED_MIN: Duration = Duration::from_secs(1);

/// How often a connection is looked at within the shortest of its timeouts.
const LOOKS_PER_TIMEOUT: u32 = 4;

/// Which part of all connections may be closed at once when room is needed.
const CLOSED_SHARE: usize = 32;

/// All open connections.
#[derive(Debug)]
pub(super) struct Slots {
    limits: Limits,
    memory: Memory,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
    /// How many connections each address has.
    shares: BTreeMap<Option<IpAddr>, usize>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: Option<IpAddr>,
    activity: Mutex<Activity>,
    closed: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

/// The place of a connection, given back on drop.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    id: u64,
    connection: Arc<Connection>,
}

impl Slots {
    pub(super) fn new(limits: Limits, memory: Memory) -> Arc<Self> {
        Arc::new(Self {
            limits,
            memory,
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Takes a place for a connection from this address. When there is none, the connection that has
    /// kept the node waiting for longest gives way; of those of the address that holds most, so that
    /// nobody is crowded out by one who opens many. Waits while all are being answered.
    pub(super) async fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Slot {
        loop {
            let freed = self.freed.notified();
            if let Some(slot) = self.try_take(address) {
                return slot;
            }
            // Whoever is done with an answer becomes dispensable without telling.
            let _ = tokio::time::timeout(Duration::from_millis(50), freed).await;
        }
    }

    /// As [`take`](Self::take), but `None` while all are being answered.
    pub(super) fn try_take(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Slot> {
        let address = address.map(network);
        let mut open = self.lock();
        let is_full = open.connections.len() >= self.limits.connections_max;
        if is_full && !open.make_room(self.limits.connections_max) {
            return None;
        }
        Some(self.place(&mut open, address))
    }

    /// A place beyond those that there are, for who asks whether the node is well.
    pub(super) fn take_beyond(self: &Arc<Self>, address: Option<IpAddr>) -> Slot {
        self.place(&mut self.lock(), address.map(network))
    }

    fn place(self: &Arc<Self>, open: &mut Open, address: Option<IpAddr>) -> Slot {
        let connection = Arc::new(Connection {
            address,
            activity: Mutex::new(Activity::new(Instant::now(), self.limits.clone())),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        let id = open.next;
        open.next += 1;
        open.connections.insert(id, Arc::clone(&connection));
        *open.shares.entry(address).or_default() += 1;
        Slot {
            slots: Arc::clone(self),
            id,
            connection,
        }
    }

    /// Closes the connection whose client has for longest taken nothing of an answer, so that the
    /// answer's memory can be had. Returns whether there was one.
    pub(super) fn close_blocked(&self) -> bool {
        let connections = self
            .lock()
            .connections
            .values()
            .cloned()
            .collect::<Vec<_>>();
        let blocked = connections.iter().filter_map(|connection| {
            let since = connection.activity().blocked_since()?;
            (!connection.is_closed() && since.elapsed() >= BLOCKED_MIN)
                .then_some((since, connection))
        });
        let longest = blocked.min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, connection)| {
            connection.close();
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the most dispensable connections; `false` when there are none. Looking at all of them takes
    /// its time, so that some more than one are closed at once, but sockets only where it must be.
    fn make_room(&mut self, connections_max: usize) -> bool {
        let now = Instant::now();
        let shares = &self.shares;
        let candidates = self.connections.iter().filter_map(|(id, connection)| {
            let (lasting, since) = connection.activity().idle(now)?;
            let share = shares.get(&connection.address).copied().unwrap_or_default();
            Some((lasting, Reverse(share), since, *id))
        });
        let mut candidates: Vec<_> = candidates.collect();
        // What lasts by nature is spared, but not when it takes the room that others need to be heard.
        if candidates.iter().filter(|(lasting, ..)| *lasting).count() > connections_max / 2 {
            candidates
                .iter_mut()
                .for_each(|(lasting, ..)| *lasting = false);
        }
        candidates.sort_unstable();
        let rest = candidates.iter().skip(1);
        let rest = rest.take_while(|(lasting, ..)| !lasting);
        let count = rest.take(connections_max / CLOSED_SHARE).count() + 1;
        candidates.truncate(count);
        for (.., id) in &candidates {
            if let Some(connection) = self.remove(*id) {
                connection.close();
            }
        }
        !candidates.is_empty()
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(&id)?;
        if let Some(share) = self.shares.get_mut(&connection.address) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&connection.address);
            }
        }
        Some(connection)
    }
}

/// Whose addresses are told apart: a household is given a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        },
    }
}

impl Connection {
    pub(super) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the connection end at its next turn, and gives it that turn.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn check_open(&self) -> io::Result<()> {
        if self.is_closed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Closes the connection once its client has kept the node waiting for too long; returns when the
    /// connection is closed. Looks now and then, so that what happens costs no timer.
    pub(super) async fn watch(&self, limits: &Limits) {
        let timeouts = [
            limits.head_timeout,
            limits.idle_timeout,
            limits.stall_timeout,
        ];
        let pause = timeouts.into_iter().min().unwrap_or_default() / LOOKS_PER_TIMEOUT;
        while !self.is_closed() {
            let deadline = self.activity().deadline();
            let look = Instant::now() + pause;
            match deadline {
                Some(deadline) if deadline <= Instant::now() => self.close(),
                _ => tokio::time::sleep_until(deadline.unwrap_or(look).min(look)).await,
            }
            // A WebSocket held back may be read on after a while.
            if self.activity().is_upgraded() {
                self.reader.wake();
            }
        }
    }
}

impl Slot {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(super) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().remove(self.id);
        self.connection.close();
        self.slots.freed.notify_one();
    }
}

/// A socket that tells what is read from and written to it, and ends when told to.
#[derive(Debug)]
pub(super) struct Watched<Io> {
    io: Io,
    slot: Slot,
    /// The last bytes that came before the connection was upgraded.
    last_read: [u8; 4],
    socket: Option<Box<Socket>>,
}

/// What is known of a WebSocket.
#[derive(Debug)]
struct Socket {
    frames: Frames,
    lease: MemoryLease,
}

impl<Io> Watched<Io> {
    pub(super) fn new(io: Io, slot: Slot) -> Self {
        Self {
            io,
            slot,
            last_read: [0; 4],
            socket: None,
        }
    }

    /// Notes how much of these bytes was written, or that the client has to take something first.
    fn note_written(&mut self, result: &Poll<io::Result<usize>>, bufs: &[io::IoSlice<'_>]) {
        let mut activity = self.slot.connection.activity();
        let mut written = match result {
            Poll::Pending => return activity.write_awaited(Instant::now()),
            Poll::Ready(Ok(size)) => *size,
            Poll::Ready(Err(_)) => return,
        };
        activity.written(Instant::now(), written);
        if !activity.is_upgraded() {
            return;
        }
        drop(activity);
        let socket = Self::socket(&mut self.socket, &self.slot);
        for buf in bufs {
            let part = written.min(buf.len());
            socket.frames.written(&buf[..part]);
            written -= part;
        }
        // What was in the way of reading may be so no longer.
        self.slot.connection.reader.wake();
    }

    fn socket<'s>(socket: &'s mut Option<Box<Socket>>, slot: &Slot) -> &'s mut Socket {
        socket.get_or_insert_with(|| {
            Box::new(Socket {
                frames: Frames::default(),
                lease: MemoryLease::new(&slot.slots.memory),
            })
        })
    }

    /// Whether nothing may be read of a WebSocket for now. Fails when it was begun with more than its
    /// request: what comes before the answer is against the protocol, and would pass by uncounted.
    fn is_held_back(&mut self) -> io::Result<bool> {
        let activity = self.slot.connection.activity();
        if !activity.is_upgraded() {
            return Ok(false);
        }
        let is_blocked = activity.blocked_since().is_some();
        drop(activity);
        if self.last_read != *b"\r\n\r\n" {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let socket = Self::socket(&mut self.socket, &self.slot);
        Ok(is_blocked || !socket.frames.admits_more(Instant::now()))
    }

    /// Notes what was read. Fails when it is more than there is memory for.
    fn note_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        let mut activity = self.slot.connection.activity();
        activity.read(now);
        if !activity.is_upgraded() {
            drop(activity);
            for byte in &bytes[bytes.len().saturating_sub(4)..] {
                self.last_read.rotate_left(1);
                self.last_read[3] = *byte;
            }
            return Ok(());
        }
        drop(activity);
        let socket = Self::socket(&mut self.socket, &self.slot);
        socket.frames.read(now, bytes);
        if socket.lease.hold(socket.frames.size()) {
            Ok(())
        } else {
            Err(io::ErrorKind::OutOfMemory.into())
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.slot.connection.reader.register(cx.waker());
        self.slot.connection.check_open()?;
        if self.is_held_back()? {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.note_read(&buf.filled()[before..]))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.slot.connection.writer.register(cx.waker());
        self.slot.connection.check_open()?;
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_written(&result, &[io::IoSlice::new(buf)]);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.slot.connection.writer.register(cx.waker());
        self.slot.connection.check_open()?;
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_written(&result, bufs);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
