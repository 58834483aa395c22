//! Answers as server-sent events, in the "distinct connections mode" of graphql-sse: one request, one
//! stream of `next` events, then `complete`.
//!
//! A stream that the node ends because it stops has no `complete`: its client is to come again, with the
//! cursor of the last event.

use std::convert::Infallible;
use std::time::Duration;

use async_graphql::{Response as Answer, ServerError};
use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, StreamExt};
use grove_core::Reason;
use serde::Deserialize;
use tokio::time::timeout;

use super::running::{Mutations, Piece, Running, pieces};
use super::{Posted, Service, refusal};

const EVENT_STREAM: &str = "text/event-stream";

/// How a client wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// By an answer, as ever.
    Answer,
    /// By an answer, or by events if there can be several.
    Either,
    /// By events, even when there is but one.
    Events,
}

/// What a client says that it accepts.
pub(super) fn wish(headers: &HeaderMap) -> Wish {
    let accepted = headers.get_all(header::ACCEPT);
    let accepted = accepted.iter().filter_map(|value| value.to_str().ok());
    let mut types = Vec::new();
    for value in accepted.flat_map(|value| value.split(',')) {
        let name = value.split(';').next().unwrap_or_default();
        types.push(name.trim().to_ascii_lowercase());
    }
    if !types.iter().any(|name| name == EVENT_STREAM) {
        return Wish::Answer;
    }
    let is_answer = |name: &String| name == "*/*" || name.ends_with("json");
    if types.iter().any(is_answer) {
        Wish::Either
    } else {
        Wish::Events
    }
}

/// Answers a request that was begun.
pub(super) fn respond(
    service: &Service,
    running: Result<Running, Vec<ServerError>>,
    wish: Wish,
) -> Response {
    let running = match (running, wish) {
        (Ok(Running::Events(_)), Wish::Answer) => {
            let text = "a subscription has many answers: ask over a WebSocket, or accept \
                        text/event-stream";
            Err(vec![refusal(Reason::RequestMalformed, text)])
        }
        (running, _) => running,
    };
    match (running, wish) {
        (running, Wish::Events) | (running @ Ok(Running::Events(_)), _) => {
            stream_of(pieces(running), service.limits.ping_interval)
        }
        (Ok(Running::Once(paid)), _) => {
            ([(header::CONTENT_TYPE, "application/json")], paid.json).into_response()
        }
        (Err(errors), _) => Json(Answer::from_errors(errors)).into_response(),
    }
}

/// Answers what stands in the query of an address, as browsers ask who follow events.
pub(super) async fn by_get(service: &Service, uri: &Uri) -> Response {
    let posted = Query::<Address>::try_from_uri(uri)
        .map_err(|error| error.to_string())
        .and_then(|Query(address)| address.posted(uri));
    match posted {
        Ok(posted) => {
            let running = service.start(posted, Mutations::Refused).await;
            respond(service, running, Wish::Events)
        }
        Err(text) => {
            let error = refusal(Reason::RequestMalformed, text);
            let answer = Answer::from_errors(vec![error]);
            (StatusCode::BAD_REQUEST, Json(answer)).into_response()
        }
    }
}

/// A request as the query of an address.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<String>,
}

impl Address {
    fn posted(self, uri: &Uri) -> Result<Posted, String> {
        let variables = self.variables.filter(|text| !text.is_empty());
        let variables = variables.map(|text| {
            serde_json::from_str(&text).map_err(|error| format!("variables are no object: {error}"))
        });
        Ok(Posted {
            query: self.query,
            operation_name: self.operation_name,
            variables: variables.transpose()?,
            size: uri.query().map_or(0, str::len),
        })
    }
}

/// A response that goes on as long as there are pieces, with a comment whenever there is nothing to say
/// for this long: so those between see that it lives, and the node that somebody listens.
fn stream_of(pieces: BoxStream<'static, Piece>, quiet_max: Option<Duration>) -> Response {
    // The memory of a piece is kept until the next one is asked for: so long it may not have been sent.
    let begun = (pieces, None);
    let events = stream::unfold(begun, move |(mut pieces, sent)| async move {
        drop::<Option<Piece>>(sent);
        let piece = match quiet_max {
            Some(quiet_max) => match timeout(quiet_max, pieces.next()).await {
                Ok(piece) => piece?,
                Err(_) => return Some((Ok(":\n\n".to_owned()), (pieces, None))),
            },
            None => pieces.next().await?,
        };
        Some((Ok::<_, Infallible>(events(&piece)), (pieces, Some(piece))))
    });
    let headers = [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

/// A piece as events.
fn events(piece: &Piece) -> String {
    // Browsers pass on no event without a line of data.
    const COMPLETE: &str = "event: complete\ndata:\n\n";
    // JSON has no line ends but in strings, where they are escaped.
    let next = |json: &str| format!("event: next\ndata: {json}\n\n");
    match piece {
        Piece::Next(paid) => next(&paid.json),
        Piece::Refused(errors) => {
            let answer = Answer::from_errors(errors.clone());
            next(&serde_json::to_string(&answer).expect("answers are JSON")) + COMPLETE
        }
        Piece::Done => COMPLETE.to_owned(),
    }
}
