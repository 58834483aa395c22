//! Bytes: varu64, strict CBOR, entries, operations and replication messages.
//!
//! Every decoder is total and bounded, and accepts exactly one encoding of each value (R2, R8–R10):
//! what decodes re-encodes to itself. Whether a decoded thing is true (signed, linked, known) is for
//! `validate` to say.

pub mod cbor;
mod entry;
mod message;
mod operation;
mod stream;
pub mod varint;

pub use entry::{Entry, EntryError};
pub use message::{Heights, LogTips, Message, MessageError, SchemaSet, Tips};
pub use operation::{Action, Fields, Operation, OperationError};
pub use stream::MessageReader;
