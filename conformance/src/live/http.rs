//! A small HTTP client that keeps a transcript.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::SetUpError;

/// How long any answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Largest answer that is read.
const ANSWER_SIZE_MAX: usize = 32 * 1024 * 1024;

/// Characters of a body kept in the transcript.
const EXCERPT_LEN_MAX: usize = 2000;

/// One request and what came back.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Method, path and body.
    pub request: String,
    /// Status and body, or what went wrong.
    pub response: String,
    /// Duration.
    pub millis: u64,
}

/// An answer of whatever status.
#[derive(Debug)]
pub(super) struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Speaks to one node, one request at a time.
#[derive(Debug)]
pub(super) struct Client {
    runtime: Runtime,
    inner: HyperClient<HttpConnector, Full<Bytes>>,
    base: String,
    transcript: RefCell<Vec<Exchange>>,
}

impl Client {
    /// A client for the node at `url`, which is `http://host:port` with or without a path after it.
    pub(super) fn new(url: &str) -> Result<Self, SetUpError> {
        let base = url
            .trim_end_matches('/')
            .trim_end_matches("/graphql")
            .to_owned();
        let uri: Result<Uri, _> = base.parse();
        if !uri.is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some()) {
            return Err(SetUpError::Address(url.to_owned()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let inner = HyperClient::builder(TokioExecutor::new()).build_http();
        Ok(Self {
            runtime,
            inner,
            base,
            transcript: RefCell::default(),
        })
    }

    /// Sends a body to `path`.
    pub(super) fn post(&self, path: &str, body: &str) -> Result<Response, String> {
        let request = Request::post(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .header("origin", "http://conformance.invalid")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        let started = Instant::now();
        let result = match request {
            Ok(request) => self.runtime.block_on(self.exchange(request)),
            Err(error) => Err(error.to_string()),
        };
        self.transcript.borrow_mut().push(Exchange {
            request: format!("POST {path}\n{}", excerpt(body)),
            response: match &result {
                Ok(answer) => {
                    let body = String::from_utf8_lossy(&answer.body);
                    format!("{}\n{}", answer.status, excerpt(&body))
                }
                Err(error) => error.clone(),
            },
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        result
    }

    /// What was said since this was last asked.
    pub(super) fn take_transcript(&self) -> Vec<Exchange> {
        self.transcript.take()
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, String> {
        let answer = async {
            let response = self.inner.request(request).await.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!(
                    "no answer: {error}{}",
                    cause.map_or(String::new(), |text| format!(" ({text})"))
                )
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_SIZE_MAX).collect().await;
            let body = body
                .map_err(|error| format!("the answer breaks off: {error}"))?
                .to_bytes();
            Ok(Response {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        match tokio::time::timeout(ANSWER_TIME_MAX, answer).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())),
        }
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_LEN_MAX) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
