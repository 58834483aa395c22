//! The GraphQL API of a node, by HTTP POST to `/graphql`: writing, schemas and documents.
//!
//! Queries are built from schema ids and field names alone, which cannot hold anything but letters,
//! digits and underscores; all other input travels as variables. Arguments that are not given are
//! left out, since some nodes refuse `null`.

mod documents;
mod schema;

use bytes::Bytes;
use grove_core::author::NextArgs;
use grove_core::types::PublicKey;
use grove_core::validate::Submission;
use serde_json::{Value as Json, json};

pub use documents::{DocumentView, Lookup, Page};

use crate::api::{
    Api, ApiError, DocumentRef, NodeRefusal, PlainNextArgs, args_of_refusal, json_body,
};
use crate::transport::Transport;

const PATH: &str = "/graphql";

/// A client of a node's GraphQL API.
#[derive(Debug, Clone)]
pub struct GraphqlClient<T> {
    transport: T,
}

impl<T: Transport> GraphqlClient<T> {
    /// A client that speaks through `transport`.
    pub fn new(transport: T) -> Self {
        Self { transport }
    }

    /// Runs any query and hands out its `data`.
    pub async fn query(&self, query: &str, variables: Json) -> Result<Json, ApiError> {
        let request = json!({ "query": query, "variables": variables });
        let response = self
            .transport
            .post(PATH, Bytes::from(request.to_string()))
            .await?;
        let mut answer = json_body(&response)?;
        if let Some(error) = answer["errors"].get(0) {
            return Err(ApiError::Refused(refusal(error)?));
        }
        match answer.get_mut("data") {
            Some(data) if data.is_object() => Ok(data.take()),
            _ => Err(ApiError::answer("neither data nor errors")),
        }
    }
}

impl<T: Transport> Api for GraphqlClient<T> {
    async fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> Result<NextArgs, ApiError> {
        let query = "query NextArgs($publicKey: PublicKey!, $viewId: DocumentViewId) { \
             answer: nextArgs(publicKey: $publicKey, viewId: $viewId) \
             { logId seqNum backlink skiplink } }";
        let variables = json!({
            "publicKey": author.to_string(),
            "viewId": document.map(|document| document.view_id.to_string()),
        });
        parse_next_args(self.query(query, variables).await?)
    }

    async fn publish(&self, submission: &Submission) -> Result<NextArgs, ApiError> {
        let query = "mutation Publish($entry: EncodedEntry!, $operation: EncodedOperation!) { \
             answer: publish(entry: $entry, operation: $operation) \
             { logId seqNum backlink skiplink } }";
        let variables = json!({
            "entry": hex::encode(submission.entry().bytes()),
            "operation": hex::encode(submission.payload()),
        });
        parse_next_args(self.query(query, variables).await?)
    }
}

fn parse_next_args(mut data: Json) -> Result<NextArgs, ApiError> {
    let answer: PlainNextArgs =
        serde_json::from_value(data["answer"].take()).map_err(ApiError::answer)?;
    answer.parse()
}

/// Reads the first error; `extensions.code` is the stable code.
fn refusal(error: &Json) -> Result<NodeRefusal, ApiError> {
    let message = error["message"]
        .as_str()
        .ok_or_else(|| ApiError::answer("an error without message"))?;
    Ok(NodeRefusal {
        code: error["extensions"]["code"].as_str().map(str::to_owned),
        number: None,
        message: message.to_owned(),
        next_args: args_of_refusal(&error["extensions"]),
    })
}
