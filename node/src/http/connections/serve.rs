//! Accepting connections and serving HTTP/1.1 on them.
//!
//! What listens is a trait, so that simulated networks serve the same way as real ones.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tower::ServiceExt;

use super::bodies::{RequestBody, ResponseBody};
use super::slots::{Connection, Slot, Slots, Watched};
use crate::http::access::Peer;
use crate::http::{Http, Limits};

/// How long to wait after the system refused to accept, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections for which there is no place are listened to for what they begin with, so that somebody who
/// looks after the node is heard while all its places are taken by those whom it answers.
const GUESTS_MAX: usize = 16;

/// How long such a connection may take to say it.
const GUEST_PATIENCE: Duration = Duration::from_secs(2);

/// What a question for the node's health begins with.
const HEALTH_HEAD: &[u8; 13] = b"GET /healthz ";

/// Where connections come from.
pub trait Listener: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// Who is at the other end, where that can be told: clients are given their share by it.
    fn address(_: &Self::Io) -> Option<IpAddr> {
        None
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn address(stream: &TcpStream) -> Option<IpAddr> {
        Some(stream.peer_addr().ok()?.ip())
    }
}

/// Serves until `shutdown` ends; then accepts nothing more, ends streams and WebSockets and waits a bounded
/// time for open requests.
pub async fn serve<L: Listener>(mut listener: L, http: Http, shutdown: impl Future<Output = ()>) {
    let Http {
        router,
        streams,
        limits,
        memory,
    } = http;
    let slots = Slots::new(limits.clone(), memory);
    let guests = Arc::new(Semaphore::new(GUESTS_MAX));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let io = listener.accept().await?;
            // A place is looked for only once somebody is there to take it.
            let address = L::address(&io);
            let place = match (slots.try_take(address), guests.clone().try_acquire_owned()) {
                (Some(slot), _) => Place::Taken(slot),
                (None, Ok(guest)) => Place::Guest(guest),
                (None, Err(_)) => Place::Taken(slots.take(address).await),
            };
            Ok::<_, io::Error>((io, place, Peer(address)))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((io, Place::Taken(slot), peer)) => {
                let routes = (router.clone(), peer);
                tokio::spawn(connection(io, slot, routes, &limits, stopping.clone()));
            }
            Ok((io, Place::Guest(place), peer)) => {
                let routes = (router.clone(), peer);
                let (slots, limits) = (Arc::clone(&slots), limits.clone());
                tokio::spawn(guest(io, place, slots, routes, limits, stopping.clone()));
            }
            Err(error) => {
                tracing::debug!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, router, stopping));
    stop.send_replace(());
    let drained = async {
        streams.stop().await;
        stop.closed().await;
    };
    if tokio::time::timeout(limits.drain_timeout, drained)
        .await
        .is_err()
    {
        tracing::warn!("gave up waiting for open requests");
    }
}

/// Where an accepted connection is.
enum Place {
    Taken(Slot),
    /// At the door: there is none for it.
    Guest(OwnedSemaphorePermit),
}

/// Serves a connection for which there is no place, if it asks whether the node is well; otherwise once there is one.
async fn guest<Io>(
    mut io: Io,
    place: OwnedSemaphorePermit,
    slots: Arc<Slots>,
    routes: (Router, Peer),
    limits: Limits,
    stopping: watch::Receiver<()>,
) where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut head = [0; HEALTH_HEAD.len()];
    let read = tokio::time::timeout(GUEST_PATIENCE, io.read_exact(&mut head));
    let Ok(Ok(_)) = read.await else { return };
    let Peer(address) = routes.1;
    let (slot, _beyond) = match head == *HEALTH_HEAD {
        true => (slots.take_beyond(address), Some(place)),
        false => {
            drop(place);
            (slots.take(address).await, None)
        }
    };
    let (rest, answers) = tokio::io::split(io);
    let io = tokio::io::join(io::Cursor::new(head).chain(rest), answers);
    connection(io, slot, routes, &limits, stopping).await;
}

/// Serves one connection to its end.
fn connection<Io>(
    io: Io,
    slot: Slot,
    routes: (Router, Peer),
    limits: &Limits,
    mut stopping: watch::Receiver<()>,
) -> impl Future<Output = ()> + Send + use<Io>
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = limits.clone();
    let watched = Arc::clone(slot.connection());
    let answering = Arc::clone(&watched);
    let slots = Arc::clone(slot.slots());
    let service = service_fn(move |request| {
        answer(request, routes.clone(), answering.clone(), slots.clone())
    });
    let connection = http1::Builder::new()
        .auto_date_header(limits.date_header)
        // Names mean the same in any case, but some clients compare them as they were written first.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Watched::new(io, slot)), service)
        .with_upgrades();
    async move {
        let mut watch = pin!(watched.watch(&limits));
        {
            let mut connection = pin!(connection);
            let result = tokio::select! {
                result = &mut connection => result,
                () = &mut watch => Ok(()),
                _ = stopping.changed() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        result = &mut connection => result,
                        () = &mut watch => Ok(()),
                    }
                }
            };
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended badly");
            }
        }
        drop(stopping);
        // What the connection became when it was upgraded is still to be watched.
        if !watched.is_closed() {
            watch.await;
        }
    }
}

/// Has the routes answer a request, and notes what is waited for meanwhile.
async fn answer(
    mut request: Request<Incoming>,
    (router, peer): (Router, Peer),
    connection: Arc<Connection>,
    slots: Arc<Slots>,
) -> Result<Response<ResponseBody>, Infallible> {
    connection.activity().request_began();
    request.extensions_mut().insert(slots);
    request.extensions_mut().insert(peer);
    only_known_upgrade(&mut request);
    // Whoever sits between may have believed a length that stood beside it, and takes what follows for
    // something else: nothing follows.
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let request = request.map(|body| Body::new(RequestBody::new(body, connection.clone())));
    let mut response = router.oneshot(request).await?;
    if is_last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.activity().upgraded(Instant::now());
    }
    Ok(response.map(|body| ResponseBody::new(body, connection)))
}

/// Leaves of the protocols that a client would rather speak, where it names some, WebSocket alone. The others
/// are ignored, as they may be (RFC 9110, section 7.8): clients that offer HTTP/2 go on in HTTP/1.1.
fn only_known_upgrade<B>(request: &mut Request<B>) {
    let headers = request.headers();
    let is_websocket = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket");
    let headers = request.headers_mut();
    if is_websocket {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    } else {
        headers.remove(UPGRADE);
    }
}

/// Whether a header lists this word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(','));
    words.any(|listed| listed.trim().eq_ignore_ascii_case(word))
}
