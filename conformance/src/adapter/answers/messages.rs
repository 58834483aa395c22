//! Replication messages.

use std::collections::BTreeSet;

use grove_core::Reason;
use grove_core::types::{Hash, LogId, SeqNum};
use grove_core::wire::{Heights, LogTips, Message, SchemaSet, Tips};
use serde_json::{Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, failed, list, number, optional, seq_num, text};
use crate::forge::hex;

pub(super) fn message_decode(_: &Value, input: &Value) -> Answer {
    Ok(message_out(&Message::decode(&bytes(input)?)?))
}

pub(super) fn message_encode(_: &Value, input: &Value) -> Answer {
    let encoded = message_in(input)?.encode();
    // What the library writes, it must also take.
    Message::decode(&encoded)?;
    Ok(json!({"message": hex(encoded)}))
}

fn message_out(message: &Message) -> Value {
    match message {
        Message::Announce {
            version,
            timestamp,
            schemas,
        } => json!({
            "type": "announce",
            "version": version.to_string(),
            "timestamp": timestamp.to_string(),
            "schemas": schemas_out(schemas),
        }),
        Message::SyncRequest {
            session,
            mode,
            schemas,
        } => json!({
            "type": "sync_request",
            "session": session.to_string(),
            "mode": mode.to_string(),
            "schemas": schemas_out(schemas),
        }),
        Message::Entry {
            session,
            entry,
            payload,
        } => json!({
            "type": "entry",
            "session": session.to_string(),
            "entry": hex(entry),
            "operation": payload.as_ref().map(hex),
        }),
        Message::SyncDone { session, live } => json!({
            "type": "sync_done",
            "session": session.to_string(),
            "live": live,
        }),
        Message::Have { session, heights } => json!({
            "type": "have",
            "session": session.to_string(),
            "heights": heights_out(heights),
        }),
        Message::Skeleton {
            session,
            entry,
            schema,
            document,
            previous,
        } => json!({
            "type": "skeleton",
            "session": session.to_string(),
            "entry": hex(entry),
            "schema_id": schema.to_string(),
            "document_id": document.to_string(),
            "previous": previous.as_ref().map(ToString::to_string),
        }),
        Message::Tips { session, tips } => json!({
            "type": "tips",
            "session": session.to_string(),
            "tips": tips_out(tips),
        }),
        Message::Ranges { session, ranges } => json!({
            "type": "ranges",
            "session": session.to_string(),
            "ranges": hex(ranges),
        }),
        Message::Want {
            session,
            entries,
            is_last,
        } => json!({
            "type": "want",
            "session": session.to_string(),
            "entries": entries.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "last": is_last,
        }),
        Message::Refusal { session, reason } => json!({
            "type": "refusal",
            "session": session.to_string(),
            "reason": reason,
        }),
    }
}

fn schemas_out(schemas: &SchemaSet) -> Vec<String> {
    schemas.iter().map(ToString::to_string).collect()
}

pub(super) fn heights_out(heights: &Heights) -> Vec<Value> {
    let mut authors = Vec::new();
    for (public_key, logs) in heights {
        let log = |(log_id, seq_num): (&LogId, &SeqNum)| json!({"log_id": log_id.to_string(), "seq_num": seq_num.to_string()});
        let logs = logs.iter().map(log).collect::<Vec<_>>();
        authors.push(json!({"public_key": public_key.to_string(), "logs": logs}));
    }
    authors
}

fn tips_out(tips: &Tips) -> Vec<Value> {
    let tip = |(seq_num, hash): &(SeqNum, Hash)| json!({"seq_num": seq_num.to_string(), "hash": hash.to_string()});
    let mut authors = Vec::new();
    for (public_key, logs) in tips {
        let log = |(log_id, tips): (&LogId, &LogTips)| json!({"log_id": log_id.to_string(), "tips": tips.iter().map(tip).collect::<Vec<_>>()});
        let logs = logs.iter().map(log).collect::<Vec<_>>();
        authors.push(json!({"public_key": public_key.to_string(), "logs": logs}));
    }
    authors
}

fn message_in(given: &Value) -> Result<Message, Failed> {
    let session = |given: &Value| number(&given["session"]);
    Ok(match text(&given["type"])? {
        "announce" => Message::Announce {
            version: number(&given["version"])?,
            timestamp: number(&given["timestamp"])?,
            schemas: schemas_in(&given["schemas"])?,
        },
        "sync_request" => Message::SyncRequest {
            session: session(given)?,
            mode: number(&given["mode"])?,
            schemas: schemas_in(&given["schemas"])?,
        },
        "entry" => Message::Entry {
            session: session(given)?,
            entry: bytes(&given["entry"])?,
            payload: optional(&given["operation"], bytes)?,
        },
        "sync_done" => Message::SyncDone {
            session: session(given)?,
            live: given["live"] == true,
        },
        "have" => Message::Have {
            session: session(given)?,
            heights: heights_in(&given["heights"])?,
        },
        "skeleton" => Message::Skeleton {
            session: session(given)?,
            entry: bytes(&given["entry"])?,
            schema: text(&given["schema_id"])?.parse()?,
            document: text(&given["document_id"])?.parse()?,
            previous: optional(&given["previous"], |id| Ok(text(id)?.parse()?))?,
        },
        "tips" => Message::Tips {
            session: session(given)?,
            tips: tips_in(&given["tips"])?,
        },
        "ranges" => Message::Ranges {
            session: session(given)?,
            ranges: bytes(&given["ranges"])?,
        },
        "want" => Message::Want {
            session: session(given)?,
            entries: hashes_in(&given["entries"])?,
            is_last: given["last"] == true,
        },
        "refusal" => Message::Refusal {
            session: session(given)?,
            reason: text(&given["reason"])?.to_owned(),
        },
        _ => return Err(failed(Reason::MessageType)),
    })
}

fn hashes_in(given: &Value) -> Result<BTreeSet<Hash>, Failed> {
    let read = |hash: &Value| Ok(text(hash)?.parse()?);
    list(given)?.iter().map(read).collect()
}

/// Producers sort, and say nothing twice.
pub(super) fn schemas_in(given: &Value) -> Result<SchemaSet, Failed> {
    let read = |id: &Value| Ok(text(id)?.parse()?);
    list(given)?.iter().map(read).collect()
}

pub(super) fn heights_in(given: &Value) -> Result<Heights, Failed> {
    let log = |log: &Value| Ok((text(&log["log_id"])?.parse()?, seq_num(&log["seq_num"])?));
    let author = |author: &Value| {
        let public_key = text(&author["public_key"])?.parse()?;
        let logs = list(&author["logs"])?.iter().map(log);
        Ok((public_key, logs.collect::<Result<_, Failed>>()?))
    };
    list(given)?.iter().map(author).collect()
}

fn tips_in(given: &Value) -> Result<Tips, Failed> {
    let tip = |tip: &Value| Ok((seq_num(&tip["seq_num"])?, text(&tip["hash"])?.parse()?));
    let log = |log: &Value| {
        let tips = list(&log["tips"])?.iter().map(tip);
        Ok((
            text(&log["log_id"])?.parse()?,
            tips.collect::<Result<_, Failed>>()?,
        ))
    };
    let author = |author: &Value| {
        let public_key = text(&author["public_key"])?.parse()?;
        let logs = list(&author["logs"])?.iter().map(log);
        Ok((public_key, logs.collect::<Result<_, Failed>>()?))
    };
    list(given)?.iter().map(author).collect()
}
