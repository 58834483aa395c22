//! The table of every refusal code, with the phase in which it arises.
//!
//! One spelling everywhere: API errors, adapter answers, vectors, simulator and logs. Codes are
//! stable; messages are for people. Each module keeps its own error enum with data and text and maps
//! each variant to one [`Reason`] here; this file decides nothing else.

use std::fmt;

/// Where in the judgement of an input a refusal arises, in the order in which checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Phase {
    Text,
    Key,
    Hash,
    Entry,
    Signature,
    Payload,
    Links,
    Log,
    Cbor,
    Operation,
    Schema,
    Graph,
    Store,
    Message,
    Session,
    Api,
}

impl Phase {
    /// The stable lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Key => "key",
            Self::Hash => "hash",
            Self::Entry => "entry",
            Self::Signature => "signature",
            Self::Payload => "payload",
            Self::Links => "links",
            Self::Log => "log",
            Self::Cbor => "cbor",
            Self::Operation => "operation",
            Self::Schema => "schema",
            Self::Graph => "graph",
            Self::Store => "store",
            Self::Message => "message",
            Self::Session => "session",
            Self::Api => "api",
        }
    }
}

macro_rules! reasons {
    ($($phase:ident { $($variant:ident $code:literal $text:literal,)+ })+) => {
        /// Why an input was refused: one stable code per cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $text] $variant,)+)+
        }

        impl Reason {
            /// Every reason, in the order of their phases.
            pub const ALL: &'static [Reason] = &[$($(Reason::$variant,)+)+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $($(Self::$variant => $code,)+)+ }
            }

            /// The phase this reason belongs to.
            pub const fn phase(self) -> Phase {
                match self { $($(Self::$variant => Phase::$phase,)+)+ }
            }

            /// What the code means, in one sentence.
            pub const fn description(self) -> &'static str {
                match self { $($(Self::$variant => $text,)+)+ }
            }
        }
    };
}

reasons! {
    Text {
        InvalidHex "invalid_hex" "the text is not an even number of hex digits",
        UppercaseHex "uppercase_hex" "ids are written in lowercase hex",
        InvalidNumber "invalid_number" "the text is not a decimal number in range",
        NotUtf8 "not_utf8" "the text is not valid UTF-8",
    }
    Key {
        KeyLength "key_length" "a public key has 32 bytes",
        KeyNotOnCurve "key_not_on_curve" "the bytes are no point of the curve",
        KeySmallOrder "key_small_order" "anybody can sign for a key of small order",
        AuthorNotAllowed "author_not_allowed" "the operator of the node does not take entries of this key",
    }
    Hash {
        HashLength "hash_length" "a YASMF hash has 34 bytes",
        HashAlgorithm "hash_algorithm" "the hash does not name BLAKE3 by a leading 00",
        HashDigestLength "hash_digest_length" "the digest length byte is not 20",
        ViewIdEmpty "view_id_empty" "a view id names at least one operation",
        ViewIdUnsorted "view_id_unsorted" "the operation ids of a view id ascend",
        ViewIdDuplicate "view_id_duplicate" "a view id names each operation once",
        ViewIdTooLong "view_id_too_long" "the view id names more operations than allowed",
    }
    Entry {
        EntryTruncated "entry_truncated" "the entry ends too early",
        EntryTag "entry_tag" "the tag byte is neither 00 nor 01",
        EntryTrailingBytes "entry_trailing_bytes" "there are bytes after the signature",
        VarintTruncated "varint_truncated" "the varu64 ends too early",
        VarintNotMinimal "varint_not_minimal" "the varu64 is not in its shortest form",
        VarintTrailingBytes "varint_trailing_bytes" "there are bytes after the varu64",
        SeqNumZero "seq_num_zero" "sequence numbers start at 1",
        LinksIdentical "links_identical" "skiplink and backlink name the same entry",
    }
    Signature {
        SignatureMalformed "signature_malformed" "the scalar S of the signature is not reduced",
        SignatureInvalid "signature_invalid" "the signature does not belong to key and entry",
    }
    Payload {
        PayloadMissing "payload_missing" "the entry came without its operation",
        PayloadHashMismatch "payload_hash_mismatch" "the operation has another hash than the entry claims",
        PayloadSizeMismatch "payload_size_mismatch" "the operation has another size than the entry claims",
        PayloadTooLarge "payload_too_large" "the operation is larger than this node takes",
    }
    Links {
        BacklinkMismatch "backlink_mismatch" "the backlink is not the hash of the entry before",
        SkiplinkMismatch "skiplink_mismatch" "the skiplink is not the hash of the lipmaa entry",
        SkiplinkNotFound "skiplink_not_found" "the lipmaa entry is not known",
        CertificateIncomplete "certificate_incomplete" "an entry on the way back to the first is not there",
    }
    Log {
        SeqNumMismatch "seq_num_mismatch" "the sequence number is not the next one of the log",
        SeqNumMax "seq_num_max" "the log is full",
        LogEnded "log_ended" "nothing may follow an end-of-log entry",
        WouldFork "would_fork" "another entry has this place in the log; sign anew with the fresh arguments",
        ForkPosition "fork_position" "the two entries do not claim one position of one log",
        ForkIdentical "fork_identical" "the two entries are one and the same",
        LogIdMax "log_id_max" "the key has used the highest log id",
        LogIdMismatch "log_id_mismatch" "the key writes this document in another log",
        LogIdInUse "log_id_in_use" "the log belongs to another document",
        LogOwnerMismatch "log_owner_mismatch" "the entries are not of one key and log",
        AuthorLimit "author_limit" "the key has as many entries, logs or branches as the node takes of one",
        LogPurged "log_purged" "the operator of the node had the log purged",
    }
    Cbor {
        CborTruncated "cbor_truncated" "the CBOR data ends too early",
        CborTrailingBytes "cbor_trailing_bytes" "there are bytes after the CBOR item",
        CborNotMinimal "cbor_not_minimal" "a number, length or float is not in its shortest form",
        CborIndefinite "cbor_indefinite" "lengths must be definite",
        CborReserved "cbor_reserved" "a reserved CBOR head",
        CborTag "cbor_tag" "tags are not allowed",
        CborSimple "cbor_simple" "only true, false and floats are allowed of the simple values",
        CborNan "cbor_nan" "the one NaN is f97e00",
        CborUtf8 "cbor_utf8" "a text is not valid UTF-8",
    }
    Operation {
        OperationShape "operation_shape" "an operation is an array",
        OperationItemCount "operation_item_count" "the array has another number of items than the action asks",
        OperationItemType "operation_item_type" "an item of the operation has the wrong type",
        OperationVersion "operation_version" "the only operation version is 1",
        OperationAction "operation_action" "the action is not 0, 1 or 2",
        FieldsUnsorted "fields_unsorted" "field names ascend in byte order",
        FieldsDuplicate "fields_duplicate" "a field is named twice",
        IntegerOutOfRange "integer_out_of_range" "integers have 64 bits with sign",
        ValueType "value_type" "no field type has values of this form",
        ListItemType "list_item_type" "a list holds anything but ids, or ids and lists mixed",
    }
    Schema {
        SchemaIdMalformed "schema_id_malformed" "the schema id has neither of the two forms",
        SchemaIdUnknownSystem "schema_id_unknown_system" "there is no such system schema",
        SchemaName "schema_name" "the schema name breaks SC1",
        SchemaDescription "schema_description" "the description is longer than 256 characters",
        SchemaNotFound "schema_not_found" "this node does not know the schema",
        SchemaNotAllowed "schema_not_allowed" "the operator of the node does not take documents of this schema",
        SchemaMismatch "schema_mismatch" "the operation names another schema",
        SchemaFieldCount "schema_field_count" "a schema has 1 to 1024 fields",
        SchemaFieldDuplicate "schema_field_duplicate" "a schema has two fields of one name",
        SchemaDefinition "schema_definition" "the views do not make up a schema",
        FieldName "field_name" "the field name breaks SC4",
        FieldType "field_type" "the type string is none of the grammar",
        FieldMissing "field_missing" "a CREATE gives every field of the schema",
        FieldUnexpected "field_unexpected" "the schema has no such field",
        FieldTypeMismatch "field_type_mismatch" "the value does not fit the type of the field",
        BlobLength "blob_length" "the length of a blob is not negative",
        BlobMimeType "blob_mime_type" "the MIME type is malformed",
        BlobPieces "blob_pieces" "a blob has no pieces if and only if its length is 0",
        BlobPieceSize "blob_piece_size" "a blob piece has at most 256000 bytes",
    }
    Graph {
        PreviousNotFound "previous_not_found" "an operation named by previous is not known",
        PreviousMixed "previous_mixed" "previous names operations of several documents",
        DocumentSchemaMismatch "document_schema_mismatch" "the document follows another schema",
        DocumentDeleted "document_deleted" "the document has been deleted",
        DocumentNotFound "document_not_found" "the document is not known",
        DocumentPurged "document_purged" "the operator of the node had the document purged",
        CreateMissing "create_missing" "a document starts with a CREATE",
        CreateDuplicate "create_duplicate" "a document has one CREATE",
        OperationDuplicate "operation_duplicate" "an operation is given twice",
        GraphCycle "graph_cycle" "operations refer to each other in a circle",
        ViewNotFound "view_not_found" "an operation of the view id is not part of the document",
        BlobLengthMismatch "blob_length_mismatch" "the length of the blob is not that of its pieces",
        BlobPiecesMissing "blob_pieces_missing" "the pieces of a blob are published before it",
    }
    Store {
        StoreFailed "store_failed" "the database failed; nothing was stored",
        StoreDamaged "store_damaged" "what the database holds of it is damaged; nothing was served or stored",
    }
    Message {
        MessageMalformed "message_malformed" "the bytes are no replication message",
        MessageTooLarge "message_too_large" "the message is larger than allowed",
        MessageType "message_type" "there is no such message type",
        MessageItemCount "message_item_count" "the message has another number of items",
        MessageSet "message_set" "a set of schema ids is empty, unsorted or has duplicates",
    }
    Session {
        SessionUnknown "session_unknown" "there is no session of this id",
        SessionDuplicate "session_duplicate" "the session id or its schemas are taken",
        SessionMode "session_mode" "the only session mode is log height",
        SessionUnexpected "session_unexpected" "the message does not belong into this state",
        SessionLimit "session_limit" "the peer has too many open sessions",
    }
    Api {
        RequestMalformed "request_malformed" "the request is not well formed",
        RequestTooLarge "request_too_large" "the request is larger than this node takes",
        ArgumentInvalid "argument_invalid" "an argument has the wrong form",
        ArgumentMissing "argument_missing" "a required argument is absent",
        CursorInvalid "cursor_invalid" "the cursor does not come from this collection",
        HostUnknown "host_unknown" "the node is not called so",
        OriginRefused "origin_refused" "the node does not let pages of this origin ask",
        ContentType "content_type" "what a page sends must say that it is JSON",
        BudgetExceeded "budget_exceeded" "answering takes more work than this node does at once",
        NodeBusy "node_busy" "the node has too much to do or is stopping; try again",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An error that carries one stable [`Reason`].
pub trait Refusal: std::error::Error {
    /// The stable code of this error.
    fn reason(&self) -> Reason;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_grouped_by_phase() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());

        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.phase()));
    }
}
