//! Numbers, links, keys, hashes and ids: the smallest questions.

use grove_core::Reason;
use grove_core::types::{DocumentViewId, Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::varint;
use serde_json::{Value, json};

use super::super::Answer;
use super::form::{bytes, ids, refuse, seq_num, text};
use crate::forge::hex;

pub(super) fn varu64_decode(_: &Value, input: &Value) -> Answer {
    let bytes = bytes(input)?;
    let (value, rest) = varint::decode(&bytes)?;
    if !rest.is_empty() {
        return refuse(Reason::VarintTrailingBytes);
    }
    Ok(json!({"value": value.to_string()}))
}

pub(super) fn varu64_encode(_: &Value, input: &Value) -> Answer {
    let value: LogId = text(input)?.parse()?;
    let mut out = Vec::new();
    varint::encode(value.as_u64(), &mut out);
    Ok(json!({"bytes": hex(out)}))
}

pub(super) fn lipmaa_link(_: &Value, input: &Value) -> Answer {
    let seq_num = seq_num(input)?;
    Ok(json!({
        "lipmaa": seq_num.lipmaa().map_or(0, SeqNum::as_u64).to_string(),
        "encoded": seq_num.skiplink().is_some(),
    }))
}

pub(super) fn key_public(_: &Value, input: &Value) -> Answer {
    let key: PublicKey = text(input)?.parse()?;
    Ok(json!({"public_key": key.to_string()}))
}

pub(super) fn hash_of(_: &Value, input: &Value) -> Answer {
    Ok(json!({"hash": Hash::of(&bytes(input)?).to_string()}))
}

pub(super) fn hash_parse(_: &Value, input: &Value) -> Answer {
    let hash: Hash = text(input)?.parse()?;
    Ok(json!({"hash": hash.to_string()}))
}

pub(super) fn view_parse(_: &Value, input: &Value) -> Answer {
    let view: DocumentViewId = text(input)?.parse()?;
    Ok(json!({"ids": ids(&view)}))
}

pub(super) fn view_hash(_: &Value, input: &Value) -> Answer {
    let view: DocumentViewId = text(input)?.parse()?;
    Ok(json!({"hash": view.hash().to_string()}))
}

pub(super) fn schema_parse(_: &Value, input: &Value) -> Answer {
    let id: SchemaId = text(input)?.parse()?;
    Ok(match &id {
        SchemaId::System(_) => json!({"name": id.name(), "version": 1, "hash_id": id.hash_id()}),
        SchemaId::Application { view_id, .. } => {
            json!({"name": id.name(), "view_id": ids(view_id), "hash_id": id.hash_id()})
        }
    })
}
