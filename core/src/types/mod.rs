//! The domain's nouns as newtypes that cannot hold a bad value.
//!
//! Ids and hashes are small `Copy` values; hex exists only where text is read or written.

mod hash;
mod ids;
mod key;
mod keyring;
mod log;
mod schema;
mod schema_id;
mod value;

pub use hash::{Hash, HashError};
pub use ids::{DocumentId, DocumentViewId, OperationId, ViewIdError};
pub use key::{KeyError, KeyPair, PublicKey, Signature, SignatureError};
pub use keyring::Keyring;
pub(crate) use log::lipmaa_block_end;
pub use log::{LogId, NumberError, SeqNum};
pub(crate) use schema::check_description;
pub use schema::{FieldType, FieldTypeError, Schema, SchemaError};
pub use schema_id::{FieldName, SchemaId, SchemaIdError, SchemaName, SystemSchema};
pub use value::{PlainValue, Value};

use crate::mutant::{altered, fault};
use crate::reason::Reason;

//= R13: ids are lowercase at every text boundary
/// Decodes lowercase hex, as ids are written.
pub(crate) fn decode_lowercase_hex(text: &str) -> Result<Vec<u8>, Reason> {
    let text = altered!(HexEven, text, text.get(..text.len() & !1).unwrap_or(text));
    let bytes = hex::decode(text).map_err(|_| Reason::InvalidHex)?;
    let uppercase = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if fault!(UppercaseHex, uppercase) {
        return Err(Reason::UppercaseHex);
    }
    Ok(bytes)
}
