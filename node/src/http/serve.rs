//! Accepting connections and serving HTTP/1.1 on them.
//!
//! What listens is a trait, so that simulated networks serve the same way as real ones.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use super::{Http, Limits};

/// How long to wait after the system refused to accept, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub trait Listener: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Serves until `shutdown` ends; then accepts nothing more, closes WebSockets and waits a bounded
/// time for open requests.
pub async fn serve<L: Listener>(mut listener: L, http: Http, shutdown: impl Future<Output = ()>) {
    let Http {
        router,
        sockets,
        limits,
    } = http;
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await.expect("never closed");
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok(io) => {
                let connection = connection(io, router.clone(), &limits, stopping.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, router, stopping));
    stop.send_replace(());
    // An error only says that no WebSocket is left to be told.
    let _ = sockets.stop();
    let drained = async {
        stop.closed().await;
        sockets.stopped().await;
    };
    if tokio::time::timeout(limits.drain_timeout, drained)
        .await
        .is_err()
    {
        tracing::warn!("gave up waiting for open requests");
    }
}

/// Serves one connection to its end.
fn connection<Io>(
    io: Io,
    router: Router,
    limits: &Limits,
    mut stopping: watch::Receiver<()>,
) -> impl Future<Output = ()> + Send + use<Io>
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = router.map_request(|request: Request<Incoming>| request.map(Body::new));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .auto_date_header(limits.date_header)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(service))
        .with_upgrades();
    async move {
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            _ = stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "connection ended badly");
        }
    }
}
