//! The extra rules of the four system schemas, checked for whichever fields an operation gives.
//!
//! Whether the pieces of a blob exist and add up is for the node to see.

use super::ValidationError;
use crate::limits::{BLOB_PIECE_SIZE_MAX, SCHEMA_FIELDS_MAX};
use crate::mutant::{bound, fault, holds};
use crate::types::{
    FieldName, FieldType, SchemaError, SchemaName, SystemSchema, Value, check_description,
};
use crate::wire::Fields;

/// Checks the fields of an operation that already have the right types.
pub(super) fn check_fields(
    schema: SystemSchema,
    fields: &Fields<Value>,
) -> Result<(), ValidationError> {
    fields
        .iter()
        .try_for_each(|(name, value)| check_field(schema, name, value))?;
    if schema == SystemSchema::Blob {
        check_blob_pieces(fields)?;
    }
    Ok(())
}

/// No bytes and no pieces come together. An UPDATE of one of the two says nothing of the other: whether
/// a blob is whole is seen when it is served.
fn check_blob_pieces(fields: &Fields<Value>) -> Result<(), ValidationError> {
    let (Some(Value::Int(length)), Some(Value::PinnedRelationList(pieces))) =
        (fields.get("length"), fields.get("pieces"))
    else {
        return Ok(());
    };
    //= R19: a blob has no pieces if and only if its length is 0
    if fault!(BlobPieces, pieces.is_empty() && *length != 0)
        || fault!(BlobPiecesOfNothing, !pieces.is_empty() && *length == 0)
    {
        return Err(ValidationError::BlobPieces);
    }
    Ok(())
}

fn check_field(schema: SystemSchema, name: &str, value: &Value) -> Result<(), ValidationError> {
    use SystemSchema::{Blob, BlobPiece, SchemaDefinition, SchemaFieldDefinition};
    match (schema, name, value) {
        (SchemaDefinition, "name", Value::Str(name)) => {
            name.parse::<SchemaName>()?;
        }
        (SchemaDefinition, "description", Value::Str(text)) => check_description(text)?,
        //= SC3: at most 1024 fields; none yet is allowed while the definition is being written
        (SchemaDefinition, "fields", Value::PinnedRelationList(views))
            if views.len() > bound!(DefinitionFieldsMax, SCHEMA_FIELDS_MAX) =>
        {
            return Err(SchemaError::FieldCount(views.len()).into());
        }
        (SchemaFieldDefinition, "name", Value::Str(name)) => {
            name.parse::<FieldName>()?;
        }
        (SchemaFieldDefinition, "type", Value::Str(text)) => {
            text.parse::<FieldType>()
                .map_err(|_| ValidationError::FieldType)?;
        }
        //= BL1: a blob names its pieces and its length
        //= R19: the length of a blob is not negative
        (Blob, "length", Value::Int(length))
            if fault!(BlobLength, *length < bound!(BlobLengthMin, 0)) =>
        {
            return Err(ValidationError::BlobLength(*length));
        }
        (Blob, "mime_type", Value::Str(text)) if fault!(BlobMimeType, !is_mime_type(text)) => {
            return Err(ValidationError::BlobMimeType);
        }
        (BlobPiece, "data", Value::Bytes(data))
            if data.len() > bound!(BlobPieceMax, BLOB_PIECE_SIZE_MAX) =>
        {
            return Err(ValidationError::BlobPieceSize(data.len()));
        }
        _ => {}
    }
    Ok(())
}

/// Whether the handbook's expression for MIME types matches:
/// `^[a-z-]{1,12}/(([a-z0-9]{1,18})[.|+|-]){0,6}[a-z0-9]{1,16}$`.
fn is_mime_type(text: &str) -> bool {
    let Some((kind, subtype)) = text.split_once('/') else {
        return false;
    };
    let kind_plain = kind
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let kind_fits =
        (1..=bound!(MimeKindMax, 12)).contains(&kind.len()) && holds!(MimeKindPlain, kind_plain);

    let mut parts: Vec<&str> = subtype.split(['.', '|', '+', '-']).collect();
    let last = parts.pop().unwrap_or_default();
    let part_fits = |part: &str, max: usize| {
        let plain = part
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (1..=max).contains(&part.len()) && holds!(MimePartPlain, plain)
    };
    kind_fits
        && parts.len() <= bound!(MimePartsMax, 6)
        && parts
            .iter()
            .all(|part| part_fits(part, bound!(MimePartMax, 18)))
        && part_fits(last, bound!(MimeLastMax, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_types_follow_the_expression() {
        for good in [
            "text/plain",
            "image/svg+xml",
            "application/vnd.a.b-c",
            "text/a|b",
        ] {
            assert!(is_mime_type(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "/plain",
            "text/",
            "Text/plain",
            "text/plain; charset=utf-8",
        ] {
            assert!(!is_mime_type(bad), "{bad}");
        }
        assert!(!is_mime_type("text/x_y"));
        assert!(!is_mime_type("text/plain."));
        assert!(!is_mime_type("text/a.b.c.d.e.f.g.h"));
    }
}
