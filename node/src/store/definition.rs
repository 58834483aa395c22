//! How what is known of a schema beyond its id becomes bytes that any database can keep: what it says, and
//! where it comes from.
//!
//! `[description, {name: type}, [author, position, operations, withheld]]`. An earlier version kept the first
//! two only.

use grove_core::types::{OperationId, PublicKey, Schema, SchemaId};
use grove_core::wire::cbor::{Decoder, Encoder, Item};

use super::codec::{from_hashes, to_hashes};
use super::{SchemaOrigin, SchemaRow, StoreError};

pub(super) fn from_definition(row: &SchemaRow) -> Vec<u8> {
    assert!(
        row.origin.is_some() || !row.withheld,
        "what is withheld has an origin"
    );
    let (schema, mut encoder) = (&row.schema, Encoder::new());
    encoder.array(2 + usize::from(row.origin.is_some()));
    encoder.text(schema.description());
    encoder.map(schema.fields().len());
    for (name, field_type) in schema.fields() {
        encoder.text(name.as_str()).text(&field_type.to_string());
    }
    if let Some(origin) = &row.origin {
        encoder.array(4).bytes(origin.author.as_bytes());
        encoder.unsigned(origin.known_since.unsigned_abs());
        encoder.bytes(&from_hashes(origin.parts.iter().map(|id| id.hash())));
        encoder.bool(row.withheld);
    }
    encoder.into_bytes()
}

pub(super) fn to_definition(id: SchemaId, bytes: &[u8]) -> Result<SchemaRow, StoreError> {
    read(id, bytes).ok_or(StoreError::Corrupt("schema definition"))
}

fn read(id: SchemaId, bytes: &[u8]) -> Option<SchemaRow> {
    let mut decoder = Decoder::new(bytes);
    let Item::Array(members @ 2..=3) = decoder.item().ok()? else {
        return None;
    };
    let (Item::Text(description), Item::Map(count)) = (decoder.item().ok()?, decoder.item().ok()?)
    else {
        return None;
    };
    let mut fields = Vec::new();
    for _ in 0..count {
        let (Item::Text(name), Item::Text(field_type)) =
            (decoder.item().ok()?, decoder.item().ok()?)
        else {
            return None;
        };
        fields.push((name.parse().ok()?, field_type.parse().ok()?));
    }
    let (origin, withheld) = match members {
        3 => read_origin(&mut decoder).map(|(origin, withheld)| (Some(origin), withheld))?,
        _ => (None, false),
    };
    decoder.finish().ok()?;
    Some(SchemaRow {
        schema: Schema::new(id, description.to_owned(), fields).ok()?,
        origin,
        withheld,
    })
}

fn read_origin(decoder: &mut Decoder<'_>) -> Option<(SchemaOrigin, bool)> {
    let Item::Array(4) = decoder.item().ok()? else {
        return None;
    };
    let (Item::Bytes(author), Item::Unsigned(position), Item::Bytes(parts), Item::Bool(withheld)) = (
        decoder.item().ok()?,
        decoder.item().ok()?,
        decoder.item().ok()?,
        decoder.item().ok()?,
    ) else {
        return None;
    };
    let parts = to_hashes(parts).ok()?.into_iter();
    let origin = SchemaOrigin {
        author: PublicKey::from_bytes(author).ok()?,
        known_since: i64::try_from(position).ok()?,
        parts: parts.map(OperationId::from).collect(),
    };
    Some((origin, withheld))
}
