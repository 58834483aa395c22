//! The bodies of requests and answers on their way: what they wait for, and whose memory they take.
//!
//! Large ones lease the memory that all connections share, and who finds too little is told to come back.
//! A client that does not take its answer loses it to one who asks.
//!
//! Passes every byte on as it is.

use std::pin::Pin;
use std::sync::Arc;
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
use tokio::time::Instant;

use super::memory::{AnswerLease, Memory, MemoryLease};
use super::slots::{Connection, Slots};
use crate::api::ApiError;
use crate::http::details;

/// How often, and for how long each time, room for an answer is waited for.
const ROOM_ATTEMPTS: usize = 10;
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// The body of a request, noting what is waited for.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Incoming,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for RequestBody {
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

impl Drop for RequestBody {
    /// Nobody waits for the rest of it.
    fn drop(&mut self) {
        self.connection.activity().body_came(Instant::now(), 0);
    }
}

/// The body of an answer, noting its end.
#[derive(Debug)]
pub(super) struct ResponseBody {
    body: Body,
    connection: Arc<Connection>,
}

impl ResponseBody {
    pub(super) fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let result = Pin::new(&mut self.body).poll_frame(cx);
        let mut activity = self.connection.activity();
        match &result {
            Poll::Pending => activity.answer_paused(Instant::now()),
            Poll::Ready(_) => activity.answer_flowed(),
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

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.connection.activity().answered(Instant::now());
    }
}

/// Counts what the bodies of a request and its answer take. Those must be made as a whole: what is
/// streamed takes no memory worth counting.
pub(in crate::http) async fn account(
    State(memory): State<Memory>,
    request: Request,
    next: Next,
) -> Response {
    let slots = request.extensions().get::<Arc<Slots>>().cloned();
    let lease = Arc::new(MemoryLease::new(&memory));
    let charged = Arc::clone(&lease);
    let request = request.map(|body| {
        Body::new(LeasingBody {
            body,
            lease: charged,
        })
    });
    let response = next.run(request).await;
    if lease.was_short() {
        return busy();
    }
    let size = response.body().size_hint().lower();
    match room(&memory, size, slots.as_deref()).await {
        None => busy(),
        Some(lease) if lease.is_free() => response,
        Some(lease) => response.map(|body| {
            Body::new(LeasedBody {
                body,
                _lease: lease,
            })
        }),
    }
}

/// Room for an answer, at the expense of clients that take nothing of theirs; `None` when there is none to
/// be had for a while.
async fn room(memory: &Memory, size: u64, slots: Option<&Slots>) -> Option<AnswerLease> {
    let mut lease = memory.answer(size, Duration::ZERO).await;
    for _ in 0..ROOM_ATTEMPTS {
        if lease.is_some() {
            break;
        }
        slots.map(Slots::close_blocked);
        lease = memory.answer(size, ROOM_PAUSE).await;
    }
    lease
}

/// Tells to come back later.
pub(in crate::http) fn busy() -> Response {
    let body = json!({ "error": details(&ApiError::Busy) });
    let close = [("connection", "close"), ("retry-after", "1")];
    (StatusCode::SERVICE_UNAVAILABLE, close, Json(body)).into_response()
}

/// The body of a request that takes memory.
#[derive(Debug)]
struct LeasingBody {
    body: Body,
    lease: Arc<MemoryLease>,
}

impl HttpBody for LeasingBody {
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
        Poll::Ready(if self.lease.charge(size.unwrap_or_default()) {
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
struct LeasedBody {
    body: Body,
    _lease: AnswerLease,
}

impl HttpBody for LeasedBody {
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
