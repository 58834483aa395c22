//! A small HTTP client that keeps a transcript.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::SetUpError;

/// How long any answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Largest answer that is read.
const ANSWER_SIZE_MAX: usize = 32 * 1024 * 1024;

/// Characters of a body kept in the transcript: the largest that the cases send, and then some.
const EXCERPT_LEN_MAX: usize = 1024 * 1024;

/// One request and what came back, enough to send it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// Method.
    pub method: String,
    /// Path with its question.
    pub path: String,
    /// Headers beside those of every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// What was sent.
    pub body: String,
    /// Status; none where no answer came.
    pub status: Option<u16>,
    /// Body of the answer, or what went wrong.
    pub answer: String,
    /// When the request was sent, in milliseconds since the case began.
    pub at: u64,
    /// Duration.
    pub millis: u64,
}

impl Exchange {
    /// Both directions in two paragraphs, each body as far as `len` characters.
    pub fn told(&self, len: usize) -> String {
        let (body, answer) = (excerpt(&self.body, len), excerpt(&self.answer, len));
        let status = self
            .status
            .map_or("no answer".to_owned(), |it| it.to_string());
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        format!(
            "{} {}\n{headers}{body}\n→ {status} ({} ms)\n{answer}",
            self.method, self.path, self.millis
        )
    }
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
    began: Cell<Instant>,
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
            began: Cell::new(Instant::now()),
        })
    }

    /// Sends JSON to `path`, as a web page of another origin would.
    pub(super) fn post(&self, path: &str, body: &str) -> Result<Response, String> {
        let headers = [
            (CONTENT_TYPE.as_str(), "application/json"),
            ("origin", "http://conformance.invalid"),
        ];
        self.send("POST", path, &headers, body)
    }

    /// Asks for `path`.
    pub(super) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response, String> {
        self.send("GET", path, headers, "")
    }

    /// Sends whatever request.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Response, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let started = Instant::now();
        let result = match request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))) {
            Ok(request) => self.runtime.block_on(self.exchange(request)),
            Err(error) => Err(error.to_string()),
        };
        let kept = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.transcript.borrow_mut().push(Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(kept).collect(),
            body: excerpt(body, EXCERPT_LEN_MAX),
            status: result.as_ref().ok().map(|answer| answer.status.as_u16()),
            answer: match &result {
                Ok(answer) => excerpt(&String::from_utf8_lossy(&answer.body), EXCERPT_LEN_MAX),
                Err(error) => error.clone(),
            },
            at: millis(started.duration_since(self.began.get())),
            millis: millis(started.elapsed()),
        });
        result
    }

    /// What was said since this was last asked.
    pub(super) fn take_transcript(&self) -> Vec<Exchange> {
        self.began.set(Instant::now());
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn excerpt(text: &str, len: usize) -> String {
    match text.char_indices().nth(len) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
