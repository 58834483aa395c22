//! The simulated wire: TCP streams that write what passes into the trace, and HTTP calls over them.
//!
//! Leaves out what is said, and serving: routers come from the node, requests from the client. No
//! connection is kept between calls, and a call that stays unanswered ends at its deadline in simulated
//! time: a cut link never closes a stream, so silence is all there is to see.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use grove_node::http::Listener;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use crate::trace::{Event, Trace};

/// Longest answer a simulated client reads.
const RESPONSE_SIZE_MAX: usize = 8 * 1024 * 1024;

/// An HTTP call that brought no answer. Whether the other side acted on it is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CallError {
    /// Nothing listens, or the link is cut. (Peer)
    #[error("the connection was refused")]
    Connect(#[source] io::Error),
    /// The deadline passed. (Peer)
    #[error("no answer within {deadline:?}")]
    Timeout { deadline: Duration },
    /// The connection broke, or what came back is not HTTP. (Peer)
    #[error("the exchange broke off")]
    Broken(#[source] hyper::Error),
    /// The answer's body broke off or is too long. (Peer)
    #[error("the answer is incomplete or longer than {RESPONSE_SIZE_MAX} bytes")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A stream whose every chunk is an event of the trace.
#[derive(Debug)]
pub(super) struct Tapped {
    stream: TcpStream,
    trace: Trace,
    host: String,
    peer: String,
}

impl Tapped {
    /// Taps `stream`, which `host` holds towards `peer`.
    pub(super) fn new(stream: TcpStream, trace: Trace, host: &str, peer: &str) -> Self {
        Self {
            stream,
            trace,
            host: host.to_owned(),
            peer: peer.to_owned(),
        }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let chunk = &buffer.filled()[before..];
        let (peer, size, hash) = (self.peer.clone(), chunk.len(), short_hash(chunk));
        self.trace
            .record(&self.host, Event::Read { peer, size, hash });
        Poll::Ready(result)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let size = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let (peer, hash) = (self.peer.clone(), short_hash(&bytes[..size]));
        self.trace
            .record(&self.host, Event::Wrote { peer, size, hash });
        Poll::Ready(Ok(size))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Eight bytes tell two chunks apart well enough for a trace.
fn short_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// The simulated host behind an address, or the address where it has no name.
pub(super) fn host_name(address: std::net::SocketAddr) -> String {
    turmoil::reverse_lookup(address.ip()).unwrap_or_else(|| address.ip().to_string())
}

/// Accepts HTTP connections on a simulated host.
pub(super) struct TappedListener {
    listener: TcpListener,
    trace: Trace,
    host: String,
}

impl TappedListener {
    /// Taps all connections that `listener`, on `host`, accepts.
    pub(super) fn new(listener: TcpListener, trace: Trace, host: &str) -> Self {
        Self {
            listener,
            trace,
            host: host.to_owned(),
        }
    }
}

impl Listener for TappedListener {
    type Io = Tapped;

    async fn accept(&mut self) -> io::Result<Tapped> {
        let (stream, address) = self.listener.accept().await?;
        Ok(Tapped::new(
            stream,
            self.trace.clone(),
            &self.host,
            &host_name(address),
        ))
    }
}

/// Sends one request from `host` to `peer` over a connection of its own and reads the whole answer.
///
/// # Errors
///
/// When no complete answer came within `deadline`.
pub(super) async fn call(
    (host, peer, port): (&str, &str, u16),
    request: Request<Full<Bytes>>,
    trace: &Trace,
    deadline: Duration,
) -> Result<Response<Bytes>, CallError> {
    tokio::time::timeout(deadline, exchange((host, peer, port), request, trace))
        .await
        .unwrap_or(Err(CallError::Timeout { deadline }))
}

async fn exchange(
    (host, peer, port): (&str, &str, u16),
    request: Request<Full<Bytes>>,
    trace: &Trace,
) -> Result<Response<Bytes>, CallError> {
    let stream = TcpStream::connect((peer, port))
        .await
        .map_err(CallError::Connect)?;
    let stream = Tapped::new(stream, trace.clone(), host, peer);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(CallError::Broken)?;
    let _driver = AbortOnDrop(tokio::task::spawn_local(async move {
        // The sender reports the same error to the caller.
        let _ended = connection.await;
    }));
    let response = sender
        .send_request(request)
        .await
        .map_err(CallError::Broken)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, RESPONSE_SIZE_MAX)
        .collect()
        .await
        .map_err(CallError::Body)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Ends the connection's task with the call, also when the deadline drops the call half-way.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
