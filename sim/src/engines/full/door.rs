//! A client's way to its node: the client library over the simulated wire, with every success noted.
//!
//! Odd clients write over GraphQL, even ones over JSON-RPC, so that both doors see the same history. Leaves
//! out what is written and when to give up; that is the workload's and the library's.

use std::time::Duration;

use bytes::Bytes;
use grove_client::api::{Api, ApiError, DocumentRef};
use grove_client::transport::{Response, Transport, TransportError};
use grove_client::{GraphqlClient, RpcClient};
use grove_core::author::NextArgs;
use grove_core::types::PublicKey;
use grove_core::validate::Submission;
use http::{Request, header};
use http_body_util::Full;

use super::host::HTTP_PORT;
use super::shared::SharedState;
use super::wire::{self, CallError};
use crate::evidence::Published;
use crate::trace::Trace;

/// How long a client waits for one answer. Two round trips at the worst latency take half a second.
const CALL_LIMIT: Duration = Duration::from_secs(2);

/// HTTP from one simulated host to another.
#[derive(Clone, Debug)]
pub(crate) struct SimTransport {
    host: String,
    node: String,
    trace: Trace,
}

impl SimTransport {
    pub(crate) fn new(host: String, node: String, trace: Trace) -> Self {
        Self { host, node, trace }
    }
}

impl Transport for SimTransport {
    async fn post(&self, path: &str, body: Bytes) -> Result<Response, TransportError> {
        let request = Request::post(path)
            .header(header::HOST, &self.node)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| TransportError::Connection(error.into()))?;
        let place = (self.host.as_str(), self.node.as_str(), HTTP_PORT);
        let answer = wire::call(place, request, &self.trace, CALL_LIMIT).await;
        let response = answer.map_err(|error| match error {
            CallError::Timeout { deadline } => TransportError::Timeout(deadline),
            other => TransportError::Connection(other.into()),
        })?;
        Ok(Response {
            status: response.status().as_u16(),
            body: response.into_body(),
        })
    }
}

/// The API a client writes through.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    client: usize,
    node: usize,
    api: Either,
    shared: SharedState,
}

#[derive(Clone, Debug)]
enum Either {
    Rpc(RpcClient<SimTransport>),
    Graphql(GraphqlClient<SimTransport>),
}

impl Door {
    pub(crate) fn new(
        client: usize,
        node: usize,
        transport: SimTransport,
        shared: SharedState,
    ) -> Self {
        let api = if client.is_multiple_of(2) {
            Either::Rpc(RpcClient::new(transport))
        } else {
            Either::Graphql(GraphqlClient::new(transport))
        };
        Self {
            client,
            node,
            api,
            shared,
        }
    }

    fn note(&self, submission: &Submission) {
        let signed = submission.entry();
        let entry = signed.entry();
        self.shared.acknowledge(Published {
            client: self.client,
            node: self.node,
            operation_id: signed.operation_id(),
            position: (entry.public_key, entry.log_id, entry.seq_num),
            entry: signed.bytes().to_vec(),
            operation: submission.payload().to_vec(),
        });
    }
}

impl Api for Door {
    async fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> Result<NextArgs, ApiError> {
        match &self.api {
            Either::Rpc(api) => api.next_args(author, document).await,
            Either::Graphql(api) => api.next_args(author, document).await,
        }
    }

    async fn publish(&self, submission: &Submission) -> Result<NextArgs, ApiError> {
        let answer = match &self.api {
            Either::Rpc(api) => api.publish(submission).await,
            Either::Graphql(api) => api.publish(submission).await,
        };
        if let Err(ApiError::Refused(refusal)) = &answer
            && refusal.is_would_fork()
        {
            self.shared.count(|counts| counts.outrun += 1);
        }
        let next = answer?;
        self.note(submission);
        Ok(next)
    }
}
