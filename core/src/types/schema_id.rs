//! Schema ids and the names in them (SC1, SC4, SC9).
//!
//! A schema id is text: `<system name>_v<version>`, or a name with the view id of the
//! `schema_definition_v1` document it was made from. Whether a node knows the schema is its own matter.

use std::fmt;
use std::str::FromStr;

use super::{DocumentViewId, Hash, HashError, OperationId, ViewIdError};
use crate::limits::NAME_LEN_MAX;
use crate::mutant::{altered, bound, fault, holds};
use crate::reason::{Reason, Refusal};

/// Length of a hash as text.
const HASH_TEXT_LEN: usize = 2 * Hash::SIZE;

/// The four schemas every node knows.
///
/// Their order is that of replication messages, which is not the alphabet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum SystemSchema {
    SchemaDefinition,
    SchemaFieldDefinition,
    Blob,
    BlobPiece,
}

impl SystemSchema {
    /// All of them, ascending.
    pub const ALL: [Self; 4] = [
        Self::SchemaDefinition,
        Self::SchemaFieldDefinition,
        Self::Blob,
        Self::BlobPiece,
    ];

    /// The name without its version.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SchemaDefinition => "schema_definition",
            Self::SchemaFieldDefinition => "schema_field_definition",
            Self::Blob => "blob",
            Self::BlobPiece => "blob_piece",
        }
    }
}

/// Id of a schema.
///
/// System schemas sort first, then application schemas by name and view id, as replication asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaId {
    /// A system schema; only version 1 exists.
    System(SystemSchema),
    /// A schema that somebody published.
    Application {
        /// Its name.
        name: SchemaName,
        /// The view of its definition.
        view_id: DocumentViewId,
    },
}

impl SchemaId {
    /// `schema_definition_v1`
    pub const SCHEMA_DEFINITION: Self = Self::System(SystemSchema::SchemaDefinition);
    /// `schema_field_definition_v1`
    pub const SCHEMA_FIELD_DEFINITION: Self = Self::System(SystemSchema::SchemaFieldDefinition);
    /// `blob_v1`
    pub const BLOB: Self = Self::System(SystemSchema::Blob);
    /// `blob_piece_v1`
    pub const BLOB_PIECE: Self = Self::System(SystemSchema::BlobPiece);

    /// The short form: name and view hash, or name and version, joined by two underscores.
    pub fn hash_id(&self) -> String {
        match self {
            Self::System(schema) => format!("{}__1", schema.name()),
            Self::Application { name, view_id } => {
                let view = altered!(HashIdOfView, view_id.hash(), view_id.ids()[0].hash());
                format!("{name}__{view}")
            }
        }
    }

    /// The name without version or view id.
    pub fn name(&self) -> &str {
        match self {
            Self::System(schema) => schema.name(),
            Self::Application { name, .. } => name.as_str(),
        }
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(schema) => write!(f, "{}_v1", schema.name()),
            Self::Application { name, view_id } => write!(f, "{name}_{view_id}"),
        }
    }
}

impl fmt::Debug for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaId({self})")
    }
}

impl FromStr for SchemaId {
    type Err = SchemaIdError;

    fn from_str(text: &str) -> Result<Self, SchemaIdError> {
        //= SC9: a system schema with its version, or a name with a view id
        let (head, tail) = text.rsplit_once('_').ok_or(SchemaIdError::Malformed)?;
        // A version is short; a name part that happens to start with "v" is followed by a hash.
        if tail.starts_with('v') && tail.len() < HASH_TEXT_LEN {
            return parse_system(head, tail);
        }
        parse_application(text)
    }
}

fn parse_system(name: &str, version: &str) -> Result<SchemaId, SchemaIdError> {
    let known = SystemSchema::ALL
        .into_iter()
        .find(|schema| holds!(SystemName, schema.name() == name));
    match known {
        Some(schema) if holds!(SystemVersion, version == "v1") => Ok(SchemaId::System(schema)),
        _ => Err(SchemaIdError::UnknownSystem(format!("{name}_{version}"))),
    }
}

fn parse_application(text: &str) -> Result<SchemaId, SchemaIdError> {
    let mut rest = text;
    let mut ids: Vec<OperationId> = Vec::new();
    while let Some((head, tail)) = rest.rsplit_once('_') {
        // What is shorter than a hash belongs to the name, which may hold underscores itself.
        let too_short = rest.len() < HASH_TEXT_LEN;
        if altered!(SchemaIdNameInWords, too_short, false) {
            break;
        }
        ids.push(tail.parse().map_err(SchemaIdError::Id)?);
        rest = head;
    }
    if fault!(SchemaIdIds, ids.is_empty()) {
        return Err(SchemaIdError::Malformed);
    }
    altered!(SchemaIdOrder, ids.reverse(), ());

    Ok(SchemaId::Application {
        name: rest.parse()?,
        view_id: DocumentViewId::from_sorted(ids).map_err(SchemaIdError::ViewId)?,
    })
}

/// Name of a schema: 2 to 64 ASCII letters, digits and underscores, starting with a letter, not
/// ending in an underscore (SC1, R15).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaName(Box<str>);

impl FromStr for SchemaName {
    type Err = SchemaIdError;

    fn from_str(text: &str) -> Result<Self, SchemaIdError> {
        //= SC1: the expression of the handbook, which asks for two characters at least
        let long_enough = text.len() >= bound!(SchemaNameMin, 2);
        let ends_well = holds!(SchemaNameEnd, !text.ends_with('_'));
        if holds!(SchemaName, is_identifier(text)) && long_enough && ends_well {
            Ok(Self(text.into()))
        } else {
            Err(SchemaIdError::Name)
        }
    }
}

/// Name of a field: 1 to 64 ASCII letters, digits and underscores, starting with a letter (SC4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Box<str>);

impl FromStr for FieldName {
    type Err = SchemaIdError;

    fn from_str(text: &str) -> Result<Self, SchemaIdError> {
        //= SC4: like schema names, but one character is enough and it may end in an underscore
        if holds!(FieldName, is_identifier(text)) {
            Ok(Self(text.into()))
        } else {
            Err(SchemaIdError::FieldName)
        }
    }
}

//= R15: names have at most 64 characters, those of schemas at least 2
fn is_identifier(text: &str) -> bool {
    let letter_first = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    text.len() <= bound!(NameMax, NAME_LEN_MAX)
        && holds!(NameLetterFirst, letter_first)
        && holds!(NamePlain, plain)
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

name!(SchemaName);
name!(FieldName);

/// Why text is no schema id or name. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaIdError {
    /// Neither a version nor a view id follows the name.
    #[error("a schema id is a system name with its version, or a name with a view id")]
    Malformed,
    /// Looks like a system schema, but none of the four at version 1.
    #[error("there is no system schema {0:?}")]
    UnknownSystem(String),
    /// One of the operation ids is malformed.
    #[error("schema id holds a malformed operation id: {0}")]
    Id(HashError),
    /// The operation ids do not ascend strictly.
    #[error("schema id holds a malformed view id: {0}")]
    ViewId(ViewIdError),
    /// The schema name breaks SC1.
    #[error("a schema name has 2 to 64 letters, digits and inner underscores, a letter first")]
    Name,
    /// The field name breaks SC4.
    #[error("a field name has 1 to 64 letters, digits and underscores, a letter first")]
    FieldName,
}

impl Refusal for SchemaIdError {
    fn reason(&self) -> Reason {
        match self {
            Self::Malformed => Reason::SchemaIdMalformed,
            Self::UnknownSystem(_) => Reason::SchemaIdUnknownSystem,
            Self::Id(error) => error.reason(),
            Self::ViewId(error) => error.reason(),
            Self::Name => Reason::SchemaName,
            Self::FieldName => Reason::FieldName,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAFE: &str = "cafe_0020c88cc25a7df9869c07335191f24edda75097196a4ee8b9826e2562eeb8904454";

    fn reason(text: &str) -> Reason {
        text.parse::<SchemaId>().unwrap_err().reason()
    }

    #[test]
    fn ids_of_both_forms_round_trip() {
        for text in ["schema_definition_v1", "blob_piece_v1", CAFE] {
            assert_eq!(text.parse::<SchemaId>().unwrap().to_string(), text);
        }
        let id: SchemaId = CAFE.parse().unwrap();
        assert_eq!(
            id.hash_id(),
            "cafe__00202ac7fa24b3769ee501a2bdbb01cbb864e9ed5bbf113288dd25423368fa44356e"
        );
    }

    #[test]
    fn names_may_look_like_versions_and_hold_underscores() {
        for name in ["a__b", "some_v1", "schema_definition_v1"] {
            let text = CAFE.replacen("cafe", name, 1);
            assert_eq!(text.parse::<SchemaId>().unwrap().name(), name);
        }
    }

    #[test]
    fn malformed_ids_are_refused_with_their_cause() {
        assert_eq!(reason("nope"), Reason::SchemaIdMalformed);
        assert_eq!(reason("blob_v2"), Reason::SchemaIdUnknownSystem);
        assert_eq!(reason("blob_v01"), Reason::SchemaIdUnknownSystem);
        assert_eq!(reason("Blob_v1"), Reason::SchemaIdUnknownSystem);
        assert_eq!(reason(&CAFE.replacen("cafe", "c", 1)), Reason::SchemaName);
        assert_eq!(reason(&CAFE[4..]), Reason::SchemaName);
        assert_eq!(reason(&CAFE[5..]), Reason::SchemaIdMalformed);
        assert_eq!(
            reason(&CAFE.replacen("cafe", "caf\u{e9}", 1)),
            Reason::SchemaName
        );
        assert_eq!(
            reason(&CAFE.replacen("c88c", "C88C", 1)),
            Reason::UppercaseHex
        );
        assert_eq!(
            reason(&CAFE.replacen("cafe_", "cafe__", 1)),
            Reason::SchemaName
        );
    }

    #[test]
    fn system_schemas_sort_before_application_schemas() {
        let application: SchemaId = CAFE.parse().unwrap();
        assert!(SchemaId::SCHEMA_DEFINITION < SchemaId::SCHEMA_FIELD_DEFINITION);
        assert!(SchemaId::BLOB_PIECE < application);
    }
}
