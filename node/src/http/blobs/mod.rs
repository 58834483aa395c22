//! Blobs by GET and HEAD: `/blobs/<document>` as it is now, `/blobs/<document>/<view>` as it was.
//!
//! Whether a blob may be served is [`crate::api`]'s to tell. Its bytes are sent piece by piece, the
//! next one read when the client took the one before, so a blob of any size takes the memory of a
//! piece, and a slow client holds no connection to the database.
//!
//! Anybody may publish a blob of any type, so nothing in it is to be trusted: no page, script or style
//! in it gets to run at the origin of the node, and what a browser could take for one is saved
//! instead of shown.

mod range;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use grove_core::Refusal;
use grove_core::types::DocumentViewId;

use crate::api::{self, ApiError, Blob};
use crate::runtime::Node;
use range::{Part, Wanted, wanted};

/// Types that do nothing but show themselves. SVG and PDF may hold scripts, HTML and XML are pages.
const INERT: [&str; 8] = [
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
];

/// What is played is never run.
const INERT_KINDS: [&str; 2] = ["audio/", "video/"];

/// For how long a view may be kept by those it passes through: a year, for it never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The current view is kept only to be asked about.
const REVALIDATE: &str = "no-cache";

/// The routes of blobs.
pub(super) fn routes(node: Node) -> Router {
    Router::new()
        .route("/blobs/{document}", get(current))
        .route("/blobs/{document}/{view}", get(at_view))
        .with_state(node)
}

async fn current(
    State(node): State<Node>,
    Path(document): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    serve(&node, &document, None, &method, &headers).await
}

async fn at_view(
    State(node): State<Node>,
    Path((document, view)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    serve(&node, &document, Some(&view), &method, &headers).await
}

async fn serve(
    node: &Node,
    document: &str,
    view: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let blob = match find(node, document, view).await {
        Ok(blob) => blob,
        Err(error) => return refusal(&error),
    };
    let tag = format!("\"{}\"", blob.view_id);
    let cached = if view.is_some() {
        IMMUTABLE
    } else {
        REVALIDATE
    };
    let wanted = wanted(headers, method == Method::GET, &tag, blob.length);
    let mut response = match answer(node, blob, wanted, method).await {
        Ok(response) => response,
        Err(error) => return refusal(&error),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    harmless(headers);
    response
}

async fn find(node: &Node, document: &str, view: Option<&str>) -> Result<Blob, ApiError> {
    //= R13: ids are lowercase wherever they are text
    let id = api::parse("document", document)?;
    let view_id: Option<DocumentViewId> = view.map(|text| api::parse("view", text)).transpose()?;
    node.read(move |store| api::blob(store, id, view_id.as_ref()))
        .await
}

/// The status, the bytes, and what tells of them.
async fn answer(
    node: &Node,
    blob: Blob,
    wanted: Wanted,
    method: &Method,
) -> Result<Response, ApiError> {
    let length = blob.length;
    let (status, part) = match wanted {
        Wanted::Nothing => return Ok(StatusCode::NOT_MODIFIED.into_response()),
        Wanted::Changed => return Ok(StatusCode::PRECONDITION_FAILED.into_response()),
        Wanted::Beyond => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
        Wanted::Whole => (StatusCode::OK, 0..length),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
    };
    //= BL4: a blob goes out under its MIME type
    let content_type = HeaderValue::try_from(&blob.mime_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let shown = is_inert(&blob.mime_type);
    let size = part.end - part.start;
    let range = format!(
        "bytes {}-{}/{length}",
        part.start,
        part.end.saturating_sub(1)
    );
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        body(node.clone(), blob, part).await?
    };

    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, size.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if !shown {
        headers.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        );
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::try_from(range)
    {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

fn is_inert(mime_type: &str) -> bool {
    INERT.contains(&mime_type) || INERT_KINDS.iter().any(|kind| mime_type.starts_with(kind))
}

/// Keeps browsers from guessing at types and from running what they get.
fn harmless(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'",
        ),
        // Pages of other origins may embed it, which is what blobs are for.
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Why there is nothing to send: the code, then the cause in words.
fn refusal(error: &ApiError) -> Response {
    let status = match error {
        ApiError::Argument { .. } => StatusCode::BAD_REQUEST,
        ApiError::Blob(_) => StatusCode::NOT_FOUND,
        ApiError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = format!("{}: {error}\n", error.reason());
    let uncached = [(header::CACHE_CONTROL, REVALIDATE)];
    let mut response = (status, uncached, text).into_response();
    harmless(response.headers_mut());
    response
}

/// The bytes of a part, piece by piece. The first is read before anything is answered, so that a piece
/// whose bytes were lost is told of as such where it can be.
//= BL4: the bytes are those of the pieces in their order
async fn body(node: Node, blob: Blob, part: Part) -> Result<Body, ApiError> {
    let mut start = 0;
    let slices = blob.pieces.into_iter().filter_map(move |(piece, size)| {
        let place = start..start + u64::from(size);
        start = place.end;
        let from = part.start.max(place.start);
        let to = part.end.min(place.end);
        // Both lie within the piece, whose size has 32 bits.
        (from < to).then(|| {
            (
                piece,
                (from - place.start) as usize..(to - place.start) as usize,
            )
        })
    });
    let mut slices = slices.collect::<Vec<_>>().into_iter();
    let Some(first) = slices.next() else {
        return Ok(Body::empty());
    };
    let first = read(&node, first).await?;
    let rest = stream::try_unfold((node, slices), |(node, mut slices)| async {
        let Some(next) = slices.next() else {
            return Ok(None);
        };
        // Should it be gone by now, ending the connection is all there is left to tell.
        Ok(Some((read(&node, next).await?, (node, slices))))
    });
    Ok(Body::from_stream(
        stream::once(std::future::ready(Ok::<_, ApiError>(first))).chain(rest),
    ))
}

/// The bytes of a slice of a piece.
async fn read(
    node: &Node,
    (piece, slice): (DocumentViewId, std::ops::Range<usize>),
) -> Result<Bytes, ApiError> {
    let data = node.read(move |store| api::piece(store, &piece)).await?;
    let data = data.map(Bytes::from).filter(|data| slice.end <= data.len());
    let data = data.ok_or(ApiError::Blob(api::BlobRefusal::Vanished))?;
    Ok(data.slice(slice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_hold_scripts_is_shown() {
        for mime_type in ["image/png", "text/plain", "audio/ogg", "video/mp4"] {
            assert!(is_inert(mime_type), "{mime_type}");
        }
        for mime_type in [
            "text/html",
            "image/svg+xml",
            "application/pdf",
            "application/xhtml+xml",
            "text/xml",
            "text/plain+x",
            "audio",
        ] {
            assert!(!is_inert(mime_type), "{mime_type}");
        }
    }
}
