//! The bodies of requests and answers on their way: what they wait for, and whose memory they take.
//!
//! Small bodies are free, as many as there may be connections; larger ones take from a store of memory
//! that all requests share, and who finds it empty is told to come back. A client that does not take
//! its answer loses it to one who asks.
//!
//! Passes every byte on as it is.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use bytes::{Buf, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::slots::{Connection, Slots};
use super::{Limits, details};
use crate::api::ApiError;

/// What any body may take without being counted.
const FREE_SIZE: usize = 64 << 10;

/// What memory is counted in.
const UNIT: usize = 1 << 10;

/// How often, and for how long each time, room for an answer is waited for.
const ROOM_ATTEMPTS: usize = 10;
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// The body of a request, noting what is waited for.
#[derive(Debug)]
pub(super) struct Asked {
    body: Incoming,
    connection: Arc<Connection>,
}

impl Asked {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let result = Pin::new(&mut self.body).poll_frame(cx);
        let mut activity = self.connection.activity();
        match &result {
            Poll::Pending => activity.body_awaited(Instant::now()),
            Poll::Ready(Some(Ok(frame))) => {
                activity.body_came(Instant::now(), frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(_) => activity.body_came(Instant::now(), 0),
        }
        drop(activity);
        result
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Asked {
    /// Nobody waits for the rest of it.
    fn drop(&mut self) {
        self.connection.activity().body_came(Instant::now(), 0);
    }
}

/// The body of an answer, noting its end.
#[derive(Debug)]
pub(super) struct Told {
    body: Body,
    connection: Arc<Connection>,
}

impl Told {
    pub(super) fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for Told {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let result = Pin::new(&mut self.body).poll_frame(cx);
        let mut activity = self.connection.activity();
        match &result {
            Poll::Pending => activity.told_nothing(Instant::now()),
            Poll::Ready(_) => activity.told(),
        }
        drop(activity);
        result
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.connection.activity().answered(Instant::now());
    }
}

/// The memory that large requests and answers share.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    answers_units: u32,
}

impl Memory {
    pub(super) fn new(limits: &Limits) -> Self {
        let answers_units = units(limits.answers_size_max);
        Self {
            requests: Arc::new(Semaphore::new(units(limits.bodies_size_max) as usize)),
            answers: Arc::new(Semaphore::new(answers_units as usize)),
            answers_units,
        }
    }

    /// Makes room for an answer; `None` when there is none to be had for a while.
    async fn room(&self, size: u64, slots: Option<&Slots>) -> Option<Option<OwnedSemaphorePermit>> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size <= FREE_SIZE {
            return Some(None);
        }
        let units = units(size).min(self.answers_units);
        for _ in 0..ROOM_ATTEMPTS {
            if let Ok(permit) = Arc::clone(&self.answers).try_acquire_many_owned(units) {
                return Some(Some(permit));
            }
            slots.map(Slots::close_blocked);
            let room = Arc::clone(&self.answers).acquire_many_owned(units);
            if let Ok(Ok(permit)) = tokio::time::timeout(ROOM_PAUSE, room).await {
                return Some(Some(permit));
            }
        }
        None
    }
}

fn units(size: usize) -> u32 {
    u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// Counts what the bodies of a request and its answer take. Those must be made as a whole: what is
/// streamed takes no memory worth counting.
pub(super) async fn account(
    State(memory): State<Memory>,
    request: Request,
    next: Next,
) -> Response {
    let slots = request.extensions().get::<Arc<Slots>>().cloned();
    let tab = Arc::new(Tab::new(&memory));
    let on = Arc::clone(&tab);
    let request = request.map(|body| Body::new(Charged { body, tab: on }));
    let response = next.run(request).await;
    if tab.short.load(Ordering::Relaxed) {
        return busy();
    }
    let size = response.body().size_hint().lower();
    match memory.room(size, slots.as_deref()).await {
        None => busy(),
        Some(None) => response,
        Some(Some(permit)) => response.map(|body| {
            Body::new(Kept {
                body,
                _permit: permit,
            })
        }),
    }
}

/// Tells to come back later.
pub(super) fn busy() -> Response {
    let body = json!({ "error": details(&ApiError::Busy) });
    let close = [("connection", "close"), ("retry-after", "1")];
    (StatusCode::SERVICE_UNAVAILABLE, close, Json(body)).into_response()
}

/// What one request or WebSocket has taken of the common memory.
#[derive(Debug)]
pub(super) struct Tab {
    memory: Arc<Semaphore>,
    taken: Mutex<Taken>,
    /// Whether there was too little.
    short: AtomicBool,
}

#[derive(Debug, Default)]
struct Taken {
    size: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Tab {
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            memory: Arc::clone(&memory.requests),
            taken: Mutex::default(),
            short: AtomicBool::new(false),
        }
    }

    /// Takes memory for a part of a body; `false` when there is too little.
    fn charge(&self, size: usize) -> bool {
        let mut taken = self.lock();
        taken.size = taken.size.saturating_add(size);
        let size = taken.size;
        let held = self.adjust(&mut taken, size);
        if !held {
            taken.permit = None;
            self.short.store(true, Ordering::Relaxed);
        }
        held
    }

    /// Holds memory for so much and no more; `false` when there is too little.
    pub(super) fn hold(&self, size: usize) -> bool {
        self.adjust(&mut self.lock(), size)
    }

    fn adjust(&self, taken: &mut Taken, size: usize) -> bool {
        let wanted = units(size.saturating_sub(FREE_SIZE)) as usize;
        let held = taken.permit.as_ref();
        let held = held.map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            let rest = taken.permit.as_mut();
            drop(rest.and_then(|permit| permit.split(held - wanted)));
            return true;
        }
        let more = u32::try_from(wanted - held).unwrap_or(u32::MAX);
        match Arc::clone(&self.memory).try_acquire_many_owned(more) {
            Ok(permit) => match &mut taken.permit {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            },
            Err(_) => return false,
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request that takes memory.
#[derive(Debug)]
struct Charged {
    body: Body,
    tab: Arc<Tab>,
}

impl HttpBody for Charged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let size = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref().map(Buf::remaining));
        Poll::Ready(if self.tab.charge(size.unwrap_or_default()) {
            frame.map(|frame| frame.map_err(BoxError::from))
        } else {
            Some(Err(ApiError::Busy.into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer that holds memory until it was taken.
#[derive(Debug)]
struct Kept {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
