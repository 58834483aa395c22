//! GraphQL over WebSocket: carries messages between a connection and `protocol`, and executes what it
//! says.
//!
//! A client that does not read holds up its own connection and, after a while, loses it; one event
//! per connection waits for it, the others are not even made.

use std::collections::BTreeMap;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{self, BoxStream, SelectAll, StreamExt};
use grove_core::Reason;
use tokio::time::{Instant, sleep_until, timeout};

use super::protocol::{Do, NAME, Protocol, close};
use crate::http::connections;
use crate::http::graphql::error::refused;
use crate::http::graphql::running::{Piece, pieces};
use crate::http::graphql::{Posted, Service};
use crate::http::pulse::{Pulse, Pulsed};
use crate::http::streams::{SubscriptionPlace, message_size_max};
use crate::runtime::Asking;

/// Takes the request for a WebSocket.
pub(super) async fn upgrade(service: Service, request: Request) -> Response {
    let upgrade = match WebSocketUpgrade::from_request(request, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    // Taken now, so that a node that stops meanwhile waits for it.
    let Ok(place) = service.streams.socket() else {
        return connections::busy();
    };
    let size_max = message_size_max(&service.limits);
    let upgrade = upgrade
        .protocols([NAME])
        .max_message_size(size_max)
        .max_frame_size(size_max);
    let asking = Asking::current().on_socket(place.number());
    upgrade.on_upgrade(move |socket| asking.scope(Connection::new(service, socket).run(place)))
}

struct Connection {
    socket: WebSocket,
    protocol: Protocol,
    service: Service,
    running: SelectAll<BoxStream<'static, (String, Piece)>>,
    aborts: BTreeMap<String, AbortHandle>,
    pulse: Pulse,
}

/// The connection is over.
struct Over;

impl Connection {
    fn new(service: Service, socket: WebSocket) -> Self {
        Self {
            socket,
            protocol: Protocol::new(service.limits.subscriptions_per_socket_max),
            running: SelectAll::new(),
            aborts: BTreeMap::new(),
            pulse: Pulse::new(&service.limits),
            service,
        }
    }

    async fn run(mut self, mut place: SubscriptionPlace) {
        if self.socket.protocol().is_none_or(|name| name != NAME) {
            let _ = self.act(close::SUBPROTOCOL).await;
            return;
        }
        let init_deadline = Instant::now() + self.service.limits.init_timeout;
        loop {
            let deadline = if self.protocol.is_new() {
                init_deadline.min(self.pulse.due())
            } else {
                self.pulse.due()
            };
            let done = tokio::select! {
                received = self.socket.recv() => {
                    place.heard();
                    self.receive(received).await
                }
                Some((id, piece)) = self.running.next(), if !self.running.is_empty() => {
                    self.pass_on(&id, piece).await
                }
                () = sleep_until(deadline) => self.wake(init_deadline).await,
                () = place.stopping() => self.close(close::GOING_AWAY).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn receive(
        &mut self,
        received: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Over> {
        self.pulse.felt();
        match received {
            Some(Ok(Message::Text(text))) => {
                let values_max = self.service.limits.json_values_max;
                let _reading = match self.service.memory.reading(text.as_bytes(), values_max) {
                    Ok(reading) => reading,
                    Err(_) => return self.close(close::TOO_LARGE).await,
                };
                for todo in self.protocol.receive(&text) {
                    self.act(todo).await?;
                }
                Ok(())
            }
            Some(Ok(Message::Binary(_))) => self.close(close::NOT_TEXT).await,
            // Answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(Over),
            // Too large, or broken off; the former should know why.
            Some(Err(_)) => self.close(close::TOO_LARGE).await,
        }
    }

    async fn pass_on(&mut self, id: &str, piece: Piece) -> Result<(), Over> {
        // Kept until the client's side has taken it.
        let mut memory = None;
        let text = match piece {
            Piece::Next(paid) => {
                let text = self.protocol.next(id, &paid.json);
                memory = Some(paid);
                text
            }
            Piece::Refused(errors) => {
                self.aborts.remove(id);
                self.protocol.refused(id, &errors)
            }
            Piece::Done => {
                self.aborts.remove(id);
                self.protocol.done(id)
            }
        };
        let sent = match text {
            Some(text) => self.act(Do::Send(text)).await,
            None => Ok(()),
        };
        drop(memory);
        sent
    }

    /// The time has come to do something, or to give up.
    async fn wake(&mut self, init_deadline: Instant) -> Result<(), Over> {
        let now = Instant::now();
        if self.protocol.is_new() && now >= init_deadline {
            return self.close(close::INIT_TIMEOUT).await;
        }
        match self.pulse.wake(now) {
            Pulsed::Silent => Err(Over),
            Pulsed::Early => Ok(()),
            Pulsed::Ask => self.send(Message::Ping(Vec::new().into())).await,
        }
    }

    async fn close(&mut self, with: Do) -> Result<(), Over> {
        let with = self.protocol.close(with);
        self.act(with).await
    }

    async fn act(&mut self, todo: Do) -> Result<(), Over> {
        match todo {
            Do::Send(text) => self.send(Message::Text(text.into())).await,
            Do::Start(id, posted) => {
                self.start(id, *posted);
                Ok(())
            }
            Do::Stop(id) => {
                if let Some(abort) = self.aborts.remove(&id) {
                    abort.abort();
                }
                Ok(())
            }
            Do::Close(code, reason) => {
                let reason = reason.into();
                self.send(Message::Close(Some(CloseFrame { code, reason })))
                    .await?;
                Err(Over)
            }
        }
    }

    /// Begins an operation; its pieces come out of `running`.
    fn start(&mut self, id: String, posted: Posted) {
        let service = self.service.clone();
        let begun = async move {
            let limit = service.limits.request_timeout;
            let running = async {
                let request = service.read(posted).await?;
                service.start(request).await
            };
            let running = timeout(limit, running).await;
            pieces(running.unwrap_or_else(|_| {
                let text = Reason::NodeBusy.description();
                Err(refused(Reason::NodeBusy, text))
            }))
        };
        let (abort, registration) = AbortHandle::new_pair();
        self.aborts.insert(id.clone(), abort);
        // What it took to begin is not kept for as long as it goes on.
        let named = stream::once(Box::pin(begun))
            .flatten()
            .map(move |piece| (id.clone(), piece));
        self.running
            .push(Abortable::new(named, registration).boxed());
    }

    /// Sends, unless the client does not read.
    async fn send(&mut self, message: Message) -> Result<(), Over> {
        let patience = self.service.limits.request_timeout;
        match timeout(patience, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}
