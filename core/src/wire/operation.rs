//! Operations: the CBOR payload of an entry (OP1–OP8).
//!
//! Decides whether bytes have the one canonical form of an operation and builds that form. Values
//! keep the form their bytes tell; which of them fit the schema is decided in `validate`.
//!
//! ```text
//! CREATE [1, 0, schema_id, fields]
//! UPDATE [1, 1, schema_id, previous, fields]
//! DELETE [1, 2, schema_id, previous]
//! ```

use std::collections::BTreeMap;

use super::cbor::{CborError, Decoder, Encoder, Item};
use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{
    DocumentViewId, Hash, HashError, PlainValue, SchemaId, SchemaIdError, ViewIdError,
};

const VERSION: u64 = 1;

/// What an operation does to its document (OP3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Begins a document.
    Create,
    /// Changes fields of a document.
    Update,
    /// Ends a document.
    Delete,
}

impl Action {
    /// The number on the wire.
    pub const fn as_u64(self) -> u64 {
        match self {
            Self::Create => 0,
            Self::Update => 1,
            Self::Delete => 2,
        }
    }

    /// The action of this number.
    pub const fn from_u64(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Create),
            1 => Some(Self::Update),
            2 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Field values by name, in byte order of the names.
pub type Fields<V> = BTreeMap<String, V>;

/// An operation. `V` is [`PlainValue`] as decoded, or [`Value`](crate::types::Value) once a schema
/// was applied.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Operation<V = PlainValue> {
    Create {
        schema_id: SchemaId,
        fields: Fields<V>,
    },
    Update {
        schema_id: SchemaId,
        previous: DocumentViewId,
        fields: Fields<V>,
    },
    Delete {
        schema_id: SchemaId,
        previous: DocumentViewId,
    },
}

impl<V> Operation<V> {
    /// What the operation does.
    pub fn action(&self) -> Action {
        match self {
            Self::Create { .. } => Action::Create,
            Self::Update { .. } => Action::Update,
            Self::Delete { .. } => Action::Delete,
        }
    }

    /// The schema the operation claims to follow.
    pub fn schema_id(&self) -> &SchemaId {
        match self {
            Self::Create { schema_id, .. }
            | Self::Update { schema_id, .. }
            | Self::Delete { schema_id, .. } => schema_id,
        }
    }

    /// The operations this one was made on top of; `None` for a CREATE.
    pub fn previous(&self) -> Option<&DocumentViewId> {
        match self {
            Self::Create { .. } => None,
            Self::Update { previous, .. } | Self::Delete { previous, .. } => Some(previous),
        }
    }

    /// The field values; `None` for a DELETE.
    pub fn fields(&self) -> Option<&Fields<V>> {
        match self {
            Self::Create { fields, .. } | Self::Update { fields, .. } => Some(fields),
            Self::Delete { .. } => None,
        }
    }
}

impl Operation {
    /// Reads an operation from all of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, OperationError> {
        //= EN1: one canonical CBOR item and nothing after it
        //= OP1: an operation is an array of four or five items
        let mut decoder = Decoder::new(bytes);
        let count = match decoder.item()? {
            Item::Array(count) => count,
            _ => altered!(OperationShape, return Err(OperationError::Shape), 4),
        };
        if fault!(OperationItems, !(4..=5).contains(&count)) {
            return Err(OperationError::ItemCount(count));
        }
        //= OP2: the version is told and is the known one
        //= R14: version 1 is the only one
        match decoder.item()? {
            Item::Unsigned(version) if fault!(OperationVersion, version != VERSION) => {
                return Err(OperationError::Version(version));
            }
            Item::Unsigned(_) => {}
            _ => altered!(
                OperationVersionType,
                return Err(OperationError::ItemType("version")),
                ()
            ),
        }
        //= OP3: the action is one of three
        let action = match decoder.item()? {
            Item::Unsigned(number) => {
                let number = altered!(OperationAction, number, number % 3);
                Action::from_u64(number).ok_or(OperationError::Action(number))?
            }
            _ => return Err(OperationError::ItemType("action")),
        };
        //= OP5: an UPDATE has both previous and fields, the others one of them
        let fits = (count == 5) == (action == Action::Update);
        if fault!(OperationItemsOfAction, !fits) {
            return Err(OperationError::ItemCount(count));
        }
        //= OP4: every operation names its schema
        let schema_id = match decoder.item()? {
            Item::Text(text) => text.parse()?,
            _ => return Err(OperationError::ItemType("schema id")),
        };
        let operation = match action {
            Action::Create => Self::Create {
                schema_id,
                fields: decode_fields(&mut decoder)?,
            },
            Action::Update => Self::Update {
                schema_id,
                previous: decode_previous(&mut decoder)?,
                fields: decode_fields(&mut decoder)?,
            },
            Action::Delete => Self::Delete {
                schema_id,
                previous: decode_previous(&mut decoder)?,
            },
        };
        decoder.finish()?;
        Ok(operation)
    }

    /// The operation's canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        let count = if self.action() == Action::Update {
            5
        } else {
            4
        };
        encoder
            .array(count)
            .unsigned(VERSION)
            .unsigned(self.action().as_u64());
        encoder.text(&self.schema_id().to_string());
        if let Some(previous) = self.previous() {
            encode_view_id(previous, &mut encoder);
        }
        if let Some(fields) = self.fields() {
            encoder.map(fields.len());
            for (name, value) in fields {
                encoder.text(name);
                encode_value(value, &mut encoder);
            }
        }
        encoder.into_bytes()
    }
}

fn decode_previous(decoder: &mut Decoder<'_>) -> Result<DocumentViewId, OperationError> {
    match decoder.item()? {
        Item::Array(count) => decode_view_id(decoder, count),
        _ => Err(OperationError::ItemType("previous")),
    }
}

//= R3: ids inside operations are 34-byte byte strings
/// Reads the `count` ids of a view id.
fn decode_view_id(decoder: &mut Decoder<'_>, count: u64) -> Result<DocumentViewId, OperationError> {
    let mut ids = Vec::with_capacity(bounded(count, decoder));
    for _ in 0..count {
        let Item::Bytes(bytes) = decoder.item()? else {
            altered!(PreviousItem, return Err(OperationError::ListItem), continue)
        };
        ids.push(Hash::from_bytes(bytes)?.into());
    }
    Ok(DocumentViewId::from_sorted(ids)?)
}

fn decode_fields(decoder: &mut Decoder<'_>) -> Result<Fields<PlainValue>, OperationError> {
    let count = match decoder.item()? {
        Item::Map(count) => count,
        _ => altered!(
            OperationFieldsType,
            return Err(OperationError::ItemType("fields")),
            0
        ),
    };
    let mut fields = Fields::new();
    let mut last: Option<&str> = None;
    for _ in 0..count {
        let Item::Text(name) = decoder.item()? else {
            return Err(OperationError::ItemType("field name"));
        };
        //= R1: names ascend in plain byte order, so each is greater than the last
        if fault!(FieldsDuplicate, last == Some(name)) {
            return Err(OperationError::DuplicateField(name.to_owned()));
        }
        let ascends = altered!(
            FieldsByteOrder,
            last <= Some(name),
            last.map(|last| (last.len(), last)) <= Some((name.len(), name))
        );
        if fault!(FieldsUnsorted, !ascends) {
            return Err(OperationError::UnsortedField(name.to_owned()));
        }
        fields.insert(name.to_owned(), decode_value(decoder)?);
        last = Some(name);
    }
    Ok(fields)
}

//= OP7: a value has one of the known forms
fn decode_value(decoder: &mut Decoder<'_>) -> Result<PlainValue, OperationError> {
    Ok(match decoder.item()? {
        Item::Bool(bool) => PlainValue::Bool(bool),
        Item::Float(float) => PlainValue::Float(float),
        Item::Text(text) => PlainValue::Str(text.to_owned()),
        Item::Bytes(bytes) => PlainValue::Bytes(bytes.to_vec()),
        Item::Unsigned(number) => PlainValue::Int(signed(number)?),
        Item::Negative(number) => {
            let number = signed(number)?;
            PlainValue::Int(altered!(NegativeRead, -1 - number, -number))
        }
        Item::Array(count) => decode_list(decoder, count)?,
        Item::Map(_) => altered!(
            ValueMap,
            return Err(OperationError::ValueType),
            PlainValue::Ids(Vec::new())
        ),
    })
}

/// The number, if it has 63 bits and so room for a sign.
fn signed(number: u64) -> Result<i64, OperationError> {
    altered!(
        IntegerRange,
        i64::try_from(number).map_err(|_| OperationError::IntegerRange),
        Ok(number as i64)
    )
}

/// Reads a list of ids, or of lists of ids; nothing is nested deeper.
fn decode_list(decoder: &mut Decoder<'_>, count: u64) -> Result<PlainValue, OperationError> {
    let mut ids: Vec<Hash> = Vec::new();
    let mut view_ids: Vec<DocumentViewId> = Vec::new();
    for _ in 0..count {
        match decoder.item()? {
            Item::Bytes(bytes) if holds!(ListOfIds, view_ids.is_empty()) => {
                ids.push(Hash::from_bytes(bytes)?)
            }
            Item::Array(count) if holds!(ListOfLists, ids.is_empty()) => {
                view_ids.push(decode_view_id(decoder, count)?);
            }
            _ => altered!(ListItem, return Err(OperationError::ListItem), ()),
        }
    }
    Ok(if view_ids.is_empty() {
        PlainValue::Ids(ids)
    } else {
        PlainValue::ViewIds(view_ids)
    })
}

/// A capacity for `count` announced items that the rest of the input can hold.
fn bounded(count: u64, decoder: &Decoder<'_>) -> usize {
    usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(decoder.remaining() / Hash::SIZE)
}

fn encode_value(value: &PlainValue, encoder: &mut Encoder) {
    match value {
        PlainValue::Bool(bool) => encoder.bool(*bool),
        PlainValue::Int(int) => encoder.int(*int),
        PlainValue::Float(float) => encoder.float(*float),
        PlainValue::Str(text) => encoder.text(text),
        PlainValue::Bytes(bytes) => encoder.bytes(bytes),
        PlainValue::Ids(ids) => {
            encoder.array(ids.len());
            for id in ids {
                encoder.bytes(&id.to_bytes());
            }
            encoder
        }
        PlainValue::ViewIds(views) => {
            encoder.array(views.len());
            for view in views {
                encode_view_id(view, encoder);
            }
            encoder
        }
    };
}

fn encode_view_id(view_id: &DocumentViewId, encoder: &mut Encoder) {
    encoder.array(view_id.ids().len());
    for id in view_id.ids() {
        encoder.bytes(&id.hash().to_bytes());
    }
}

/// Why bytes are no operation. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// Not canonical CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The outermost item is no array.
    #[error("an operation is a CBOR array")]
    Shape,
    /// Too many or too few items for the action.
    #[error("an operation of this action does not have {0} items")]
    ItemCount(u64),
    /// The named item has the wrong type.
    #[error("the {0} has the wrong type")]
    ItemType(&'static str),
    /// A version other than 1.
    #[error("operation version {0} is not supported")]
    Version(u64),
    /// An action other than CREATE, UPDATE and DELETE.
    #[error("operation action {0} is unknown")]
    Action(u64),
    /// The schema id is malformed.
    #[error(transparent)]
    SchemaId(#[from] SchemaIdError),
    /// An id is malformed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A view id is malformed.
    #[error(transparent)]
    ViewId(#[from] ViewIdError),
    /// A field name is smaller than the one before it.
    #[error("field {0:?} stands after a greater name")]
    UnsortedField(String),
    /// A field name stands twice.
    #[error("field {0:?} stands twice")]
    DuplicateField(String),
    /// An integer does not fit 64 bits with sign.
    #[error("an integer is outside the signed 64-bit range")]
    IntegerRange,
    /// A value no field type has.
    #[error("a field value is a map")]
    ValueType,
    /// A list item is neither an id nor a list of ids, or both kinds are mixed.
    #[error("a list holds anything but ids, or ids and lists mixed")]
    ListItem,
}

impl Refusal for OperationError {
    fn reason(&self) -> Reason {
        match self {
            Self::Cbor(error) => error.reason(),
            Self::Shape => Reason::OperationShape,
            Self::ItemCount(_) => Reason::OperationItemCount,
            Self::ItemType(_) => Reason::OperationItemType,
            Self::Version(_) => Reason::OperationVersion,
            Self::Action(_) => Reason::OperationAction,
            Self::SchemaId(error) => error.reason(),
            Self::Hash(error) => error.reason(),
            Self::ViewId(error) => error.reason(),
            Self::UnsortedField(_) => Reason::FieldsUnsorted,
            Self::DuplicateField(_) => Reason::FieldsDuplicate,
            Self::IntegerRange => Reason::IntegerOutOfRange,
            Self::ValueType => Reason::ValueType,
            Self::ListItem => Reason::ListItemType,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: &str = "8401006d626c6f625f70696563655f7631a164646174614568656c6c6f";

    fn any_hash() -> impl Strategy<Value = Hash> {
        any::<[u8; 32]>().prop_map(Hash::from_digest)
    }

    fn any_view_id() -> impl Strategy<Value = DocumentViewId> {
        prop::collection::vec(any_hash().prop_map_into(), 1..4)
            .prop_map(|ids| DocumentViewId::from_tips(ids).unwrap())
    }

    fn any_value() -> impl Strategy<Value = PlainValue> {
        prop_oneof![
            any::<bool>().prop_map(PlainValue::Bool),
            any::<i64>().prop_map(PlainValue::Int),
            any::<f64>().prop_map(PlainValue::Float),
            any::<String>().prop_map(PlainValue::Str),
            any::<Vec<u8>>().prop_map(PlainValue::Bytes),
            prop::collection::vec(any_hash(), 0..4).prop_map(PlainValue::Ids),
            prop::collection::vec(any_view_id(), 1..3).prop_map(PlainValue::ViewIds),
        ]
    }

    fn any_operation() -> impl Strategy<Value = Operation> {
        let schema_id = prop_oneof![
            Just(SchemaId::BLOB),
            any_view_id().prop_map(|view_id| SchemaId::Application {
                name: "a_b".parse().unwrap(),
                view_id
            }),
        ];
        let fields = prop::collection::btree_map("[a-z]{1,4}", any_value(), 0..5);
        (schema_id, any_view_id(), fields, 0..3u64).prop_map(
            |(schema_id, previous, fields, action)| match Action::from_u64(action).unwrap() {
                Action::Create => Operation::Create { schema_id, fields },
                Action::Update => Operation::Update {
                    schema_id,
                    previous,
                    fields,
                },
                Action::Delete => Operation::Delete {
                    schema_id,
                    previous,
                },
            },
        )
    }

    proptest! {
        #[test]
        fn operations_round_trip(operation in any_operation()) {
            let bytes = operation.encode();
            let again = Operation::decode(&bytes).unwrap();
            prop_assert_eq!(again.encode(), bytes);
            prop_assert_eq!(again.action(), operation.action());
        }

        #[test]
        fn a_changed_byte_is_refused_or_decodes_to_itself(
            operation in any_operation(),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = operation.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(other) = Operation::decode(&bytes) {
                prop_assert_eq!(other.encode(), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Operation::decode(&bytes);
        }
    }

    #[test]
    fn smallest_example_decodes_and_encodes() {
        let bytes = hex::decode(PIECE).unwrap();

        let operation = Operation::decode(&bytes).unwrap();

        assert_eq!(operation.schema_id(), &SchemaId::BLOB_PIECE);
        assert_eq!(
            operation.fields().unwrap()["data"],
            PlainValue::Bytes(b"hello".to_vec())
        );
        assert_eq!(operation.encode(), bytes);
    }

    #[test]
    fn a_huge_count_costs_nothing_and_is_refused() {
        let bytes = hex::decode(PIECE.replace("4568656c6c6f", "9bffffffffffffffff")).unwrap();
        assert_eq!(Operation::decode(&bytes), Err(CborError::Truncated.into()));
    }
}
