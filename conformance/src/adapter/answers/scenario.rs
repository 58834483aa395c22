//! Several steps at one node: our own node's engine, over a store in memory.

use grove_core::author::NextArgs;
use grove_core::publish::PublishError;
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Heights, Message};
use grove_core::{Reason, Refusal};
use grove_node::api;
use grove_node::engine::{EngineSettings, Input, Output, Rejection, RequestId};
use grove_node::runtime::InlineNode;
use grove_node::store::SqliteStore;
use serde_json::{Map, Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, list, next_args_out, optional, text, typed_out};

/// The session in which a peer hands over one entry.
const SESSION: u64 = 0;

pub(super) fn scenario(_: &Value, input: &Value) -> Answer {
    let broken = |_| Failed::Question("the store in memory failed");
    let store = SqliteStore::in_memory().map_err(broken)?;
    let node = InlineNode::new(store, EngineSettings::new(PeerId([0; 32])));
    let (node, _) = node.map_err(broken)?;
    let mut outcomes = Vec::new();
    for (index, step) in list(&input["steps"])?.iter().enumerate() {
        outcomes.push(match text(&step["do"])? {
            "publish" => publish(&node, step)?,
            "receive" => receive(&node, step, index as u8)?,
            "next_args" => next_args(&node, step)?,
            "document" => document(&node, step)?,
            "kept" => kept(&node, step)?,
            _ => return Err(Failed::Question("a step of no known kind")),
        });
    }
    Ok(json!({"steps": outcomes}))
}

fn submission(step: &Value) -> Result<Submission, Failed> {
    let operation = bytes(&step["operation"])?;
    Ok(Submission::verify(&bytes(&step["entry"])?, operation)?)
}

/// A client publishes.
fn publish(node: &InlineNode, step: &Value) -> Answer {
    let input = Input::Publish {
        request: RequestId(0),
        submission: Box::new(submission(step)?),
    };
    let published = run(node, vec![input])?
        .into_iter()
        .find_map(|output| match output {
            Output::Published { result, .. } => Some(result),
            _ => None,
        });
    let result = published.ok_or(Failed::Question("publishing was not answered"))?;
    Ok(match result {
        Ok(next) => next_args_out(&next),
        Err(error) => rejection(&error),
    })
}

/// A refusal, with what is told beside it to whoever would fork a log.
fn rejection(error: &Rejection) -> Value {
    let mut told = refusal(error.reason());
    if let Rejection::Refused(PublishError::WouldFork { existing, next }) = error {
        told["existing"] = existing.to_string().into();
        told["next"] = next.as_deref().map_or(Value::Null, next_args_out);
    }
    told
}

/// A peer, another one each time, hands over an entry in a session of its own.
fn receive(node: &InlineNode, step: &Value, number: u8) -> Answer {
    let id = submission(step)?.entry().operation_id();
    let peer = PeerId([number + 1; 32]);
    let said = |message| Input::received(peer, message);
    let inputs = vec![
        Input::PeerConnected(peer),
        said(Message::SyncRequest {
            session: SESSION,
            mode: 0,
            schemas: [SchemaId::BLOB_PIECE].into(),
        }),
        said(Message::Have {
            session: SESSION,
            heights: Heights::new(),
        }),
        said(Message::Entry {
            session: SESSION,
            entry: bytes(&step["entry"])?,
            payload: Some(bytes(&step["operation"])?),
        }),
        Input::PeerDisconnected(peer),
    ];
    let outputs = run(node, inputs)?;
    let is_accepted = |output: &Output| matches!(output, Output::Accepted { operation_id, .. } if *operation_id == id);
    let refused = outputs.iter().find_map(|output| match output {
        Output::Refused { reason, .. } => Some(*reason),
        _ => None,
    });
    Ok(match refused {
        Some(reason) => refusal(reason),
        None if outputs.iter().any(is_accepted) => json!("accepted"),
        None => json!("waits"),
    })
}

fn next_args(node: &InlineNode, step: &Value) -> Answer {
    let author = text(&step["public_key"])?.parse()?;
    let view_id = optional(&step["view_id"], |view_id| Ok(text(view_id)?.parse()?))?;
    let result = node.read(|store| api::next_args(store, author, view_id.as_ref()));
    Ok(told(result.map_err(|error| error.reason())))
}

fn document(node: &InlineNode, step: &Value) -> Answer {
    let id: DocumentId = text(&step["document_id"])?.parse()?;
    let row = node.read(|store| Ok(store.document(id)?))?;
    Ok(row.map_or(Value::Null, |row| {
        let fields = row.values().map(|fields| {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), typed_out(value)));
            fields.collect::<Map<_, _>>()
        });
        json!({"view_id": row.view_id.to_string(), "deleted": row.is_deleted(), "fields": fields})
    }))
}

/// What is left of a document: its entries, and those whose operations are there too.
fn kept(node: &InlineNode, step: &Value) -> Answer {
    let id: DocumentId = text(&step["document_id"])?.parse()?;
    let mut rows = node.read(|store| Ok(store.document_entries(id)?))?;
    rows.sort_unstable_by_key(|row| row.hash);
    let entries: Vec<_> = rows.iter().map(|row| row.hash.to_string()).collect();
    let with_payload = rows.iter().filter(|row| row.payload.is_some());
    let operations: Vec<_> = with_payload.map(|row| row.hash.to_string()).collect();
    Ok(json!({"entries": entries, "operations": operations}))
}

fn run(node: &InlineNode, inputs: Vec<Input>) -> Result<Vec<Output>, Failed> {
    let outputs = node.handle(Instant::ZERO, inputs);
    outputs.map_err(|_| Failed::Question("the store in memory failed"))
}

fn told(result: Result<NextArgs, Reason>) -> Value {
    match result {
        Ok(next) => next_args_out(&next),
        Err(reason) => refusal(reason),
    }
}

fn refusal(reason: Reason) -> Value {
    json!({"phase": reason.phase().name(), "reason": reason.code()})
}
