//! JSON-RPC over WebSocket: carries messages between a connection and the door.
//!
//! Calls of one connection are worked on side by side and answered as they are done. Nothing more is read
//! while too many are, or while the client takes nothing.

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jsonrpsee::core::server::{BoundedSubscriptions, MethodSink};
use jsonrpsee::server::http;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Rpc;
use super::door::{Caller, restore, too_busy, too_large};
use crate::http::connections::Bulk;
use crate::http::pulse::{Pulse, Pulsed};
use crate::http::streams::SubscriptionPlace;
use crate::runtime::Asking;

/// Messages of one WebSocket being worked on, and as many waiting to be sent.
const MESSAGES_MAX: usize = 32;

/// Takes the request for a WebSocket.
pub(super) async fn upgrade(rpc: Rpc, request: Request) -> Response {
    let upgrade = match WebSocketUpgrade::from_request(request, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    // Taken now, so that a node that stops meanwhile waits for it.
    let Ok(place) = rpc.streams.rpc_socket() else {
        return http::response::too_many_requests().map(Body::new);
    };
    let asking = Asking::current().on_socket(place.number());
    upgrade
        .max_message_size(rpc.message_size_max)
        .max_frame_size(rpc.message_size_max)
        .on_upgrade(move |socket| asking.scope(run(rpc, socket, place)))
}

/// Serves one connection to its end. What it has begun to publish is published all the same; its
/// subscriptions end with it.
async fn run(rpc: Rpc, mut socket: WebSocket, mut place: SubscriptionPlace) {
    let (outbox, mut sent) = mpsc::channel(MESSAGES_MAX);
    let places = BoundedSubscriptions::new(rpc.limits.subscriptions_per_socket_max);
    let caller = Caller {
        connection: rpc.connections.next(),
        subscriptions: Some((MethodSink::new(outbox), places)),
    };
    let mut calls = FuturesUnordered::new();
    let mut pulse = Pulse::new(&rpc.limits);
    loop {
        let message = tokio::select! {
            received = socket.recv(), if calls.len() < MESSAGES_MAX => {
                pulse.felt();
                place.heard();
                let text = match received {
                    Some(Ok(Message::Text(text))) => text,
                    // Answered by the library.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Ok(Message::Binary(_))) => break close(&mut socket, NOT_TEXT).await,
                    // Too large, or broken off; the former should know why.
                    Some(Err(_)) => break close(&mut socket, TOO_LARGE).await,
                };
                let (rpc, caller) = (&rpc, &caller);
                calls.push(async move {
                    let values_max = rpc.limits.json_values_max;
                    let _reading = match rpc.memory.reading(text.as_bytes(), values_max) {
                        Ok(reading) => reading,
                        Err(Bulk::Refused) => return Some(too_large(rpc.message_size_max)),
                        Err(Bulk::Busy) => return Some(too_busy()),
                    };
                    rpc.sockets.answer(text.as_bytes(), caller).await
                });
                continue;
            }
            Some(answer) = calls.next(), if !calls.is_empty() => match answer {
                Some(answer) => Message::Text(answer.into()),
                None => continue,
            },
            Some(notice) = sent.recv() => Message::Text(restore(notice.into()).into()),
            () = sleep_until(pulse.due()) => match pulse.wake(Instant::now()) {
                Pulsed::Early => continue,
                Pulsed::Ask => Message::Ping(Vec::new().into()),
                Pulsed::Silent => return,
            },
            () = place.stopping() => break close(&mut socket, GOING_AWAY).await,
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Why a connection is closed.
type Cause = (u16, &'static str);
const NOT_TEXT: Cause = (close_code::UNSUPPORTED, "JSON-RPC comes as text");
const TOO_LARGE: Cause = (close_code::SIZE, "the message is too large");
const GOING_AWAY: Cause = (close_code::AWAY, "the node stops");

async fn close(socket: &mut WebSocket, (code, reason): Cause) {
    let reason = reason.into();
    // It ends either way.
    let _ = socket
        .send(Message::Close(Some(CloseFrame { code, reason })))
        .await;
}
