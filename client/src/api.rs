//! What a session asks of a node, whichever of its two APIs answers, and how a node refuses.
//!
//! Decides which failures are a definite "no" and which leave open whether the node acted.

use std::future::Future;
use std::time::Duration;

use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId, Hash, LogId, NumberError, PublicKey, SeqNum};
use grove_core::validate::Submission;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::transport::{Response, TransportError};

/// A document as its writer last saw it: what an update or delete is made on top of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentRef {
    /// Id of the document.
    pub document_id: DocumentId,
    /// The view that was seen.
    pub view_id: DocumentViewId,
}

/// The two calls that writing needs.
pub trait Api {
    /// Asks for the arguments of the author's next entry on `document`, or on a new document.
    fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> impl Future<Output = Result<NextArgs, ApiError>>;

    /// Publishes an entry with its operation; the answer is for the next entry of the same log.
    fn publish(&self, submission: &Submission) -> impl Future<Output = Result<NextArgs, ApiError>>;

    /// Waits before the next call. Where time is simulated, by its clock.
    fn pause(&self, pause: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(pause)
    }
}

impl<A: Api> Api for &A {
    fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> impl Future<Output = Result<NextArgs, ApiError>> {
        A::next_args(self, author, document)
    }

    fn publish(&self, submission: &Submission) -> impl Future<Output = Result<NextArgs, ApiError>> {
        A::publish(self, submission)
    }

    fn pause(&self, pause: Duration) -> impl Future<Output = ()> {
        A::pause(self, pause)
    }
}

/// Why a call to a node did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The node said no. (Caller)
    #[error("{0}")]
    Refused(NodeRefusal),
    /// No answer came back. (Peer)
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The HTTP status is not one of success. (Peer)
    #[error("the node answered with HTTP status {0}")]
    Status(u16),
    /// What came back is not an answer to the question. (Peer)
    #[error("the node's answer makes no sense: {0}")]
    Answer(String),
}

impl ApiError {
    /// Whether the node may have acted on the request, or would if asked again.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_uncertain(),
            Self::Status(status) => !(400..500).contains(status) || matches!(status, 408 | 429),
            Self::Transport(TransportError::Address(_)) => false,
            Self::Transport(_) | Self::Answer(_) => true,
        }
    }

    /// The node's refusal, when it is one.
    pub fn refusal(&self) -> Option<&NodeRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    pub(crate) fn answer(text: impl ToString) -> Self {
        Self::Answer(text.to_string())
    }
}

/// A node's "no", as it said it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NodeRefusal {
    /// The stable code; `None` from nodes that have no codes, or for faults of the request itself.
    pub code: Option<String>,
    /// The JSON-RPC error number; `None` over GraphQL.
    pub number: Option<i64>,
    /// The node's text, for people.
    pub message: String,
    /// The arguments to sign the operation anew with, where the node tells them.
    pub next_args: Option<Box<NextArgs>>,
}

impl NodeRefusal {
    /// Whether another entry has the place that this one was signed for, so that it takes no more than to
    /// sign anew.
    pub fn is_would_fork(&self) -> bool {
        self.reason() == Some(Reason::WouldFork)
    }

    /// The reason behind the code, when it is one of the shared table.
    pub fn reason(&self) -> Option<Reason> {
        let code = self.code.as_deref()?;
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == code)
    }

    /// Whether the refusal leaves open what happened, or asks to try again.
    fn is_uncertain(&self) -> bool {
        match (&self.code, self.number) {
            (Some(_), _) => self.reason() == Some(Reason::NodeBusy),
            // Internal and server errors of JSON-RPC 2.0 say nothing about the request.
            (None, Some(number)) => number == -32603 || (-32099..=-32000).contains(&number),
            (None, None) => false,
        }
    }
}

/// The JSON body of an answer.
///
/// A status other than success is an error, unless the body itself tells which one.
pub(crate) fn json_body(response: &Response) -> Result<Json, ApiError> {
    let success = (200..300).contains(&response.status);
    match serde_json::from_slice::<Json>(&response.body) {
        Ok(body) if success || body.get("error").or(body.get("errors")).is_some() => Ok(body),
        Err(error) if success => Err(ApiError::answer(error)),
        _ => Err(ApiError::Status(response.status)),
    }
}

/// The next args that come with a refusal, unless they are missing or broken; then they can be asked for.
pub(crate) fn args_of_refusal(details: &Json) -> Option<Box<NextArgs>> {
    let args = PlainNextArgs::deserialize(details.get("nextArgs")?).ok()?;
    args.parse().ok().map(Box::new)
}

/// Next args by the names that GraphQL has for them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlainNextArgs {
    log_id: String,
    seq_num: String,
    backlink: Option<String>,
    skiplink: Option<String>,
}

impl PlainNextArgs {
    pub(crate) fn parse(&self) -> Result<NextArgs, ApiError> {
        NextArgsText {
            log_id: &self.log_id,
            seq_num: &self.seq_num,
            backlink: self.backlink.as_deref(),
            skiplink: self.skiplink.as_deref(),
        }
        .parse()
    }
}

/// Next args as both APIs write them: decimal strings and hashes, absent links `null`.
pub(crate) struct NextArgsText<'a> {
    pub log_id: &'a str,
    pub seq_num: &'a str,
    pub backlink: Option<&'a str>,
    pub skiplink: Option<&'a str>,
}

impl NextArgsText<'_> {
    /// Reads the texts, and refuses links that do not fit the sequence number.
    pub(crate) fn parse(&self) -> Result<NextArgs, ApiError> {
        let number = |error: NumberError| ApiError::answer(error);
        let link = |text: Option<&str>| {
            text.map(|text| text.parse::<Hash>().map_err(ApiError::answer))
                .transpose()
        };
        let args = NextArgs {
            log_id: self.log_id.parse::<LogId>().map_err(number)?,
            seq_num: self.seq_num.parse::<SeqNum>().map_err(number)?,
            backlink: link(self.backlink)?,
            skiplink: link(self.skiplink)?,
        };
        if args.is_consistent() {
            Ok(args)
        } else {
            Err(ApiError::answer("links do not fit the sequence number"))
        }
    }
}
