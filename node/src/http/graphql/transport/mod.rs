//! How requests come and answers go: by POST and GET here, as events (`sse`), over WebSocket (`socket`).
//!
//! What a client accepts decides the form of its answer (`accept`). Which status an answer has depends on
//! that form: published clients, which accept `application/json` or say nothing, get 200 for whatever could
//! be read as a request of GraphQL; who names `application/graphql-response+json` gets 4xx for what was
//! not executed, as GraphQL over HTTP has it.

mod accept;
mod protocol;
mod socket;
mod sse;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use grove_core::Reason;
use serde::Deserialize;
use serde_json::json;

use super::error::{QueryError, refused};
use super::running::{Running, pieces};
use super::{Posted, Service};
use crate::http::connections::{Bulk, busy};
use accept::{Accepted, Json};

/// A page to write queries in. It loads nothing from anywhere.
const PLAYGROUND: &str = include_str!("../playground.html");

/// The route.
pub(super) fn routes(service: Service) -> Router {
    Router::new()
        .route("/graphql", get(by_get).post(by_post))
        .with_state(service)
}

async fn by_get(State(service): State<Service>, request: Request) -> Response {
    if is_websocket(request.headers()) {
        return socket::upgrade(service, request).await;
    }
    let accepted = Accepted::of(request.headers());
    let posted = Address::read(request.uri());
    let has_query = !matches!(posted, Ok(None));
    if accepted.prefers_page() || (!has_query && accepted.is_any()) {
        return playground();
    }
    match posted {
        Ok(Some(posted)) => {
            let may_change = *request.method() == Method::POST;
            respond(&service, posted, accepted, may_change).await
        }
        Ok(None) => malformed(accepted, "the address has no query"),
        Err(text) => malformed(accepted, &text),
    }
}

/// Whether a WebSocket is wanted. Any other upgrade may be passed over, and is.
fn is_websocket(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::UPGRADE).iter();
    let mut names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("websocket"))
}

fn playground() -> Response {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                  connect-src 'self'; img-src data:";
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(PLAYGROUND),
    )
        .into_response()
}

async fn by_post(State(service): State<Service>, headers: HeaderMap, body: Body) -> Response {
    let accepted = Accepted::of(&headers);
    let bytes = to_bytes(body, service.limits.body_size_max).await;
    let bytes = bytes.map_err(|_| Bulk::Refused);
    let bytes = bytes.and_then(|bytes| {
        let reading = service
            .memory
            .reading(&bytes, service.limits.json_values_max)?;
        Ok((bytes, reading))
    });
    let (bytes, _reading) = match bytes {
        Ok(bytes) => bytes,
        Err(Bulk::Busy) => return busy(),
        Err(Bulk::Refused) => {
            let reason = Reason::RequestTooLarge;
            let errors = refused(reason, reason.description());
            return answer_of_errors(StatusCode::PAYLOAD_TOO_LARGE, accepted.json(), &errors);
        }
    };
    match Posted::read(&bytes) {
        //= QU8: what went wrong with a request that could be read stands in its answer
        Ok(posted) => respond(&service, posted, accepted, true).await,
        Err(error) => {
            let text = format!("the body is not a GraphQL request: {error}");
            malformed(accepted, &text)
        }
    }
}

/// Answers a request that could be read.
async fn respond(
    service: &Service,
    posted: Posted,
    accepted: Accepted,
    may_change: bool,
) -> Response {
    use apollo_compiler::ast::OperationType;

    let request = service.read(posted).await;
    let running = match request {
        Ok(request) if request.kind() == OperationType::Mutation && !may_change => {
            return changes_nothing(accepted);
        }
        Ok(request) if request.kind() == OperationType::Subscription && !accepted.events() => {
            let text = "a subscription has many answers: ask over a WebSocket, or accept \
                        text/event-stream";
            Err(refused(Reason::RequestMalformed, text))
        }
        Ok(request) => service.start(request).await,
        Err(errors) => Err(errors),
    };
    match running {
        running if accepted.prefers_events() => as_events(service, running),
        Ok(Running::Events(answers)) => as_events(service, Ok(Running::Events(answers))),
        Ok(Running::Once(paid)) => answer(StatusCode::OK, accepted.json(), paid.json),
        Err(errors) => {
            let status = match accepted.json() {
                Json::Plain => StatusCode::OK,
                Json::Response => status(&errors),
            };
            answer_of_errors(status, accepted.json(), &errors)
        }
    }
}

fn as_events(service: &Service, running: Result<Running, Vec<QueryError>>) -> Response {
    sse::stream_of(pieces(running), service.limits.ping_interval)
}

/// The status of what was not executed.
fn status(errors: &[QueryError]) -> StatusCode {
    match errors.first().map(QueryError::reason) {
        Some(Reason::NodeBusy | Reason::StoreFailed) => StatusCode::SERVICE_UNAVAILABLE,
        Some(Reason::StoreDamaged) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The refusal of a mutation by GET, which pages of any origin can make a browser send.
fn changes_nothing(accepted: Accepted) -> Response {
    let text = "a GET changes nothing, mutations come by POST";
    let errors = refused(Reason::RequestMalformed, text);
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = answer_of_errors(status, accepted.json(), &errors);
    let allow = HeaderValue::from_static("POST");
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

fn malformed(accepted: Accepted, text: &str) -> Response {
    let errors = refused(Reason::RequestMalformed, text);
    answer_of_errors(StatusCode::BAD_REQUEST, accepted.json(), &errors)
}

fn answer_of_errors(status: StatusCode, json: Json, errors: &[QueryError]) -> Response {
    answer(status, json, errors_only(errors, json))
}

/// The answer to what was not executed. Published clients have known it with `data` all along.
fn errors_only(errors: &[QueryError], json: Json) -> String {
    match json {
        Json::Plain => json!({ "data": null, "errors": errors }).to_string(),
        Json::Response => json!({ "errors": errors }).to_string(),
    }
}

fn answer(status: StatusCode, json: Json, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, json.content_type())], text).into_response()
}

/// A request as the query of an address.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<String>,
    #[serde(default)]
    extensions: Option<String>,
}

impl Address {
    /// What an address asks; `None` when it asks nothing.
    fn read(uri: &Uri) -> Result<Option<Posted>, String> {
        let Query(address) = Query::<Self>::try_from_uri(uri).map_err(|error| error.to_string())?;
        let Some(query) = address.query else {
            return Ok(None);
        };
        let object = |name: &str, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty());
            let read = |text: String| {
                serde_json::from_str(&text).map_err(|error| format!("{name} is no object: {error}"))
            };
            text.map(read).transpose().map(Option::flatten)
        };
        Ok(Some(Posted {
            query,
            operation_name: address.operation_name.filter(|name| !name.is_empty()),
            variables: object("variables", address.variables)?,
            _extensions: object("extensions", address.extensions)?,
            size: uri.query().map_or(0, str::len),
        }))
    }
}
