//! Answers as server-sent events, in the "distinct connections mode" of graphql-sse: one request, one
//! stream of `next` events, then `complete`.
//!
//! A stream that the node ends because it stops has no `complete`: its client is to come again, with the
//! cursor of the last event.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::timeout;

use super::accept::Json;
use super::errors_only;
use crate::http::graphql::running::Piece;

/// A response that goes on as long as there are pieces, with a comment whenever there is nothing to say
/// for this long: so those between see that it lives, and the node that somebody listens.
pub(super) fn stream_of(
    pieces: BoxStream<'static, Piece>,
    quiet_max: Option<Duration>,
) -> Response {
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
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // Proxies are told not to wait for more: nginx's own word, which others understand.
        (HeaderName::from_static("x-accel-buffering"), "no"),
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
        Piece::Refused(errors) => next(&errors_only(errors, Json::Plain)) + COMPLETE,
        Piece::Done => COMPLETE.to_owned(),
    }
}
