//! The JSON-RPC 2.0 API of a node, by HTTP POST to `/`.
//!
//! One request per call, no batches. Entries are handed out as the node sent them; checking and
//! reducing them is [`read`](crate::read)'s work.

use bytes::Bytes;
use grove_core::author::NextArgs;
use grove_core::types::{PublicKey, SchemaId};
use grove_core::validate::Submission;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::api::{Api, ApiError, DocumentRef, NextArgsText, NodeRefusal, json_body};
use crate::transport::Transport;

const PATH: &str = "/";

/// A client of a node's JSON-RPC API.
#[derive(Debug, Clone)]
pub struct RpcClient<T> {
    transport: T,
}

impl<T: Transport> RpcClient<T> {
    /// A client that speaks through `transport`.
    pub fn new(transport: T) -> Self {
        Self { transport }
    }

    /// All entries the node has of documents of a schema, with the operations it still has
    /// (`panda_queryEntries`).
    pub async fn query_entries(&self, schema_id: &SchemaId) -> Result<Vec<RawEntry>, ApiError> {
        #[derive(Deserialize)]
        struct QueryEntriesAnswer {
            entries: Vec<EntryAnswer>,
        }
        let params = json!({ "schema": schema_id.to_string() });
        let answer: QueryEntriesAnswer = self.call("panda_queryEntries", params).await?;
        answer.entries.into_iter().map(EntryAnswer::parse).collect()
    }

    /// Calls any method and reads its result.
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: Json,
    ) -> Result<R, ApiError> {
        // Each request travels alone on its own HTTP exchange, so all of them may have one id.
        let request = json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 1 });
        let response = self
            .transport
            .post(PATH, Bytes::from(request.to_string()))
            .await?;
        let mut answer = json_body(&response)?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(ApiError::Refused(refusal(error)?));
        }
        match answer.get_mut("result") {
            Some(result) => serde_json::from_value(result.take()).map_err(ApiError::answer),
            None => Err(ApiError::answer("neither result nor error")),
        }
    }
}

impl<T: Transport> Api for RpcClient<T> {
    async fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> Result<NextArgs, ApiError> {
        let mut params = json!({ "author": author.to_string() });
        if let Some(document) = document {
            params["document"] = document.document_id.to_string().into();
        }
        let answer: NextArgsAnswer = self.call("panda_getEntryArguments", params).await?;
        answer.parse()
    }

    async fn publish(&self, submission: &Submission) -> Result<NextArgs, ApiError> {
        let params = json!({
            "entryEncoded": hex::encode(submission.entry().bytes()),
            "operationEncoded": hex::encode(submission.payload()),
        });
        let answer: NextArgsAnswer = self.call("panda_publishEntry", params).await?;
        answer.parse()
    }
}

/// An entry as `panda_queryEntries` gives it, not yet checked. The members beside the bytes repeat
/// what the bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// The signed entry.
    pub entry: Vec<u8>,
    /// The operation; `None` when the node does not have it, or deleted it.
    pub payload: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NextArgsAnswer {
    entry_hash_backlink: Option<String>,
    entry_hash_skiplink: Option<String>,
    seq_num: String,
    log_id: String,
}

impl NextArgsAnswer {
    fn parse(&self) -> Result<NextArgs, ApiError> {
        NextArgsText {
            log_id: &self.log_id,
            seq_num: &self.seq_num,
            backlink: self.entry_hash_backlink.as_deref(),
            skiplink: self.entry_hash_skiplink.as_deref(),
        }
        .parse()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryAnswer {
    entry_bytes: String,
    payload_bytes: Option<String>,
}

impl EntryAnswer {
    fn parse(self) -> Result<RawEntry, ApiError> {
        let decode = |text: String| hex::decode(text).map_err(ApiError::answer);
        Ok(RawEntry {
            entry: decode(self.entry_bytes)?,
            payload: self.payload_bytes.map(decode).transpose()?,
        })
    }
}

/// Reads an error object; `data.code` is the stable code.
fn refusal(error: &Json) -> Result<NodeRefusal, ApiError> {
    let (Some(number), Some(message)) = (error["code"].as_i64(), error["message"].as_str()) else {
        return Err(ApiError::answer("an error object without code and message"));
    };
    Ok(NodeRefusal {
        code: error["data"]["code"].as_str().map(str::to_owned),
        number: Some(number),
        message: message.to_owned(),
        next_args: args_of_refusal(&error["data"]),
    })
}

/// The next args that come with a refusal, unless they are missing or broken; then they can be asked for.
fn args_of_refusal(data: &Json) -> Option<Box<NextArgs>> {
    let args = NextArgsAnswer::deserialize(data.get("nextArgs")?).ok()?;
    args.parse().ok().map(Box::new)
}
