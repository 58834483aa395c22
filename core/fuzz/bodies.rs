//! What must hold of any bytes whatever: the bodies of the fuzz targets.
//!
//! Shared by the targets, which search for inputs, and by a test that replays those that were found.
//! A body panics where a law is broken; refusing its input is always right.

// Each target uses its own body alone.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use grove_core::document::{Document, Graph};
use grove_core::limits::ENTRY_SIZE_MAX;
use grove_core::types::{
    DocumentId, DocumentViewId, FieldName, FieldType, Hash, Keyring, LogId, OperationId,
    PlainValue, PublicKey, Schema, SchemaId, SchemaName, SeqNum, SystemSchema,
};
use grove_core::validate::{SignedEntry, validate_operation};
use grove_core::wire::{Entry, Fields, Message, MessageError, MessageReader, Operation, varint};

/// What must hold of any bytes.
pub(crate) type Body = fn(&[u8]);

/// All bodies by the name of their target.
pub(crate) const BODIES: [(&str, Body); 8] = [
    ("varu64", varu64),
    ("entry", entry),
    ("operation", operation),
    ("messages", messages),
    ("text", text),
    ("schema_id", schema_id),
    ("field_type", field_type),
    ("document", document),
];

/// A number has one encoding, and what follows it is left over.
pub(crate) fn varu64(bytes: &[u8]) {
    let Ok((value, rest)) = varint::decode(bytes) else {
        return;
    };
    let mut again = Vec::new();
    varint::encode(value, &mut again);
    assert!(again.len() <= varint::SIZE_MAX);
    assert_eq!([&again[..], rest].concat(), bytes);
}

/// An entry has one encoding, and a keyring changes nothing about what is said of it.
pub(crate) fn entry(bytes: &[u8]) {
    let decoded = Entry::decode(bytes);
    if let Ok(entry) = &decoded {
        assert_eq!(entry.encode(), bytes);
        assert!(bytes.len() <= ENTRY_SIZE_MAX);
        assert_eq!(entry.skiplink.is_some(), entry.seq_num.skiplink().is_some());
        assert_eq!(entry.backlink.is_some(), entry.seq_num.backlink().is_some());
    }
    let mut keyring = Keyring::default();
    let signed = SignedEntry::verify_with(bytes, &mut keyring);
    assert_eq!(SignedEntry::verify_with(bytes, &mut keyring), signed);
    if let Ok(signed) = signed {
        assert_eq!(Ok(signed.entry()), decoded.as_ref());
        assert_eq!((signed.bytes(), signed.hash()), (bytes, Hash::of(bytes)));
    }
}

/// An operation has one encoding, before and after it is read with a schema.
pub(crate) fn operation(bytes: &[u8]) {
    let Ok(operation) = Operation::decode(bytes) else {
        return;
    };
    assert_eq!(operation.encode(), bytes);
    for schema in SystemSchema::ALL {
        if let Ok(typed) = validate_operation(&operation, &Schema::system(schema)) {
            assert_eq!(*typed.schema_id(), SchemaId::System(schema));
            assert_eq!(typed.previous(), operation.previous());
            let names = |fields: Option<Vec<String>>| fields.unwrap_or_default();
            let typed = typed
                .fields()
                .map(|fields| fields.keys().cloned().collect());
            let plain = operation
                .fields()
                .map(|fields| fields.keys().cloned().collect());
            assert_eq!(names(typed), names(plain));
        }
    }
}

/// Messages come out of a stream alike however it is cut, and each reads back as itself. The first
/// byte says how large the pieces are.
pub(crate) fn messages(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    let at_once = read_messages([bytes]);
    assert_eq!(read_messages(bytes.chunks(1 + usize::from(size))), at_once);
    for message in &at_once.0 {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(message));
    }
    if let Ok(message) = Message::decode(bytes) {
        assert_eq!(at_once, (vec![message], None));
    }
}

fn read_messages<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<MessageError>) {
    let mut reader = MessageReader::new();
    let mut messages = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// What reads as text is written as the same text.
fn same_text<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// What reads as text reads the same once it was written.
fn same_value<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
    }
}

/// Ids, hashes and names have one spelling; numbers and keys, which have more, keep their value.
pub(crate) fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    same_text::<Hash>(text);
    same_text::<OperationId>(text);
    same_text::<DocumentId>(text);
    same_text::<DocumentViewId>(text);
    same_text::<SchemaName>(text);
    same_text::<FieldName>(text);
    same_value::<PublicKey>(text);
    same_value::<LogId>(text);
    same_value::<SeqNum>(text);
}

/// A schema id has one spelling.
pub(crate) fn schema_id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    same_text::<SchemaId>(text);
    if let Ok(id) = text.parse::<SchemaId>() {
        assert!(text.starts_with(id.name()));
        assert!(id.hash_id().starts_with(&format!("{}__", id.name())));
    }
}

/// A field type has one spelling, and a relation is to a schema.
pub(crate) fn field_type(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    same_text::<FieldType>(text);
    if let Ok(field_type) = text.parse::<FieldType>() {
        let target = field_type.target().map(SchemaId::to_string);
        assert_eq!(text.contains('('), target.is_some());
        assert!(target.is_none_or(|target| text.ends_with(&format!("({target})"))));
    }
}

type Node = (OperationId, Operation);

fn node_id(byte: u8) -> OperationId {
    Hash::from_digest([byte; 32]).into()
}

/// Operations out of bytes: an id, what it does, how many it is made on top of, and those.
fn nodes(mut bytes: &[u8]) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let [id, what, rest @ ..] = bytes {
        let (parents, rest) = rest.split_at(rest.len().min(usize::from(what >> 4) % 5));
        bytes = rest;
        let schema_id = match what & 0x0f {
            0x0f => SchemaId::BLOB,
            _ => SchemaId::BLOB_PIECE,
        };
        let fields = Fields::from([(
            format!("f{}", what & 0x03),
            PlainValue::Int(nodes.len() as i64),
        )]);
        let operation = match DocumentViewId::from_tips(parents.iter().copied().map(node_id)) {
            None => Operation::Create { schema_id, fields },
            Some(previous) if what & 0x0c == 0x0c => Operation::Delete {
                schema_id,
                previous,
            },
            Some(previous) => Operation::Update {
                schema_id,
                previous,
                fields,
            },
        };
        nodes.push((node_id(*id), operation));
    }
    nodes
}

fn refs(nodes: &[Node]) -> impl DoubleEndedIterator<Item = (OperationId, &Operation)> {
    nodes.iter().map(|(id, operation)| (*id, operation))
}

/// Any graph is refused or walked: each operation once, after all it was made on top of, whatever the
/// order of arrival; every beginning of the walk is a document that the next operation extends.
pub(crate) fn document(bytes: &[u8]) {
    let nodes = nodes(bytes);
    let reduced = Document::reduce(refs(&nodes));
    let backwards = Document::reduce(refs(&nodes).rev());
    let (Ok(graph), Ok(reduced)) = (Graph::build(refs(&nodes)), reduced) else {
        assert!(backwards.is_err());
        return;
    };
    assert_eq!(backwards.as_ref(), Ok(&reduced));

    let walk = graph.walk().expect("it was reduced");
    assert_eq!(walk.len(), nodes.len());
    let place: BTreeMap<_, _> = walk
        .iter()
        .enumerate()
        .map(|(at, (id, _))| (*id, at))
        .collect();
    assert_eq!(place.len(), nodes.len());
    for (at, (id, operation)) in walk.iter().enumerate() {
        let previous = operation.previous().map_or(&[][..], DocumentViewId::ids);
        assert!(previous.iter().all(|id| place[id] < at));
        let view = graph
            .at_view(&(*id).into())
            .expect("the operation is there");
        let seen = view.walk().expect("part of a graph without circles");
        assert!(seen.iter().all(|(id, _)| place[id] <= at));
        assert_eq!(view.tips(), Some((*id).into()));

        let mut before = Document::reduce(walk[..at].iter().copied());
        if let Ok(before) = &mut before
            && before.apply(*id, operation)
        {
            let after = Document::reduce(walk[..=at].iter().copied());
            assert_eq!(after.as_ref(), Ok(&*before));
        }
    }
}
