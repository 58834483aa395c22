//! The tables the cases refer to: reasons, flags, requirements, rulings.
//!
//! Reasons are the library's own table, so that one spelling rules; everything else is kept here.

use std::collections::BTreeMap;

use grove_core::Reason;

use crate::suite::store::{ReasonInfo, Requirement};
use crate::suite::{Importance, Level, Note};

/// Every refusal code with its phase.
pub fn reasons() -> BTreeMap<String, ReasonInfo> {
    Reason::ALL
        .iter()
        .map(|reason| {
            let info = ReasonInfo {
                phase: reason.phase().name().to_owned(),
                description: reason.description().to_owned(),
            };
            (reason.code().to_owned(), info)
        })
        .collect()
}

/// What makes an input special.
pub fn flags() -> BTreeMap<String, Note> {
    use Importance::{High, Low, Medium};
    const FLAGS: &[(&str, &str, &str, Importance)] = &[
        (
            "Boundary",
            "a value at the edge of its range",
            "off-by-one errors split the network",
            High,
        ),
        (
            "NonMinimal",
            "a number or length in a longer form than needed",
            "two encodings of one thing have two ids",
            Medium,
        ),
        (
            "Truncated",
            "the input ends early",
            "reading past the end",
            High,
        ),
        (
            "Trailing",
            "something follows the end",
            "unsigned or unhashed bytes ride along",
            Medium,
        ),
        (
            "Uppercase",
            "hex in the wrong case",
            "one id in two spellings compares as two",
            Medium,
        ),
        (
            "SmallOrder",
            "a key anybody can sign for",
            "forged authorship",
            Medium,
        ),
        (
            "Malleable",
            "a second signature made from the first without the key",
            "one entry under two ids",
            High,
        ),
        (
            "SignedByKeyHolder",
            "broken on purpose by the holder of the key, so the signature holds",
            "only the structural check is left to refuse it",
            Medium,
        ),
        (
            "Links",
            "a missing, surplus or wrong link",
            "a log that does not verify",
            High,
        ),
        (
            "Fork",
            "a second entry for a taken position",
            "nodes show different views",
            High,
        ),
        (
            "EndOfLog",
            "about the end-of-log tag",
            "writing to a closed log",
            Medium,
        ),
        (
            "Indefinite",
            "an indefinite-length CBOR item",
            "operations that do not re-encode to themselves",
            Medium,
        ),
        (
            "Tag",
            "a tagged CBOR item",
            "operations that do not re-encode to themselves",
            Medium,
        ),
        (
            "FloatWidth",
            "a float wider than its value needs",
            "operations that do not re-encode to themselves",
            Medium,
        ),
        (
            "Nan",
            "not a number",
            "values that do not equal themselves",
            Medium,
        ),
        (
            "Unsorted",
            "a set out of order",
            "one set in several encodings",
            High,
        ),
        (
            "Duplicate",
            "a member given twice",
            "implementations keep the first or the last",
            High,
        ),
        (
            "Unicode",
            "text beyond ASCII",
            "lengths counted in bytes, wrong normalisation",
            Medium,
        ),
        (
            "Order",
            "the order of concurrent operations decides the result",
            "nodes show different views",
            High,
        ),
        (
            "Delete",
            "about a deleted document",
            "deleted data shows again",
            High,
        ),
        (
            "Text",
            "a text form with something in it that does not belong",
            "lenient parsers disagree",
            Low,
        ),
    ];
    FLAGS
        .iter()
        .map(|(flag, description, effect, severity)| {
            let note = Note {
                description: (*description).to_owned(),
                effect: (*effect).to_owned(),
                severity: *severity,
            };
            ((*flag).to_owned(), note)
        })
        .collect()
}

/// Handbook requirements in our words. A third member says why a case is missing, where one is.
pub fn requirements() -> BTreeMap<String, Requirement> {
    use Level::{Must, Should};
    const API: &str = "a rule of publishing and next args, judged by the live suite";
    const CONDUCT: &str = "conduct of an implementation that no input shows";
    const REQUIREMENTS: &[(&str, Level, &str, Option<&str>)] = &[
        (
            "BA1",
            Must,
            "entries are encoded as the Bamboo specification says",
            None,
        ),
        (
            "BA2",
            Must,
            "entries are hashed with BLAKE3 in YASMF form",
            None,
        ),
        (
            "BA3",
            Must,
            "entries and operations travel as hex in text interfaces",
            None,
        ),
        (
            "BA4",
            Should,
            "log ids of one author grow by one",
            Some(API),
        ),
        ("KY1", Must, "keys are Ed25519 key pairs", None),
        (
            "KY2",
            Should,
            "a fresh key pair is used per context",
            Some(CONDUCT),
        ),
        (
            "KY3",
            Should,
            "private keys are kept unreadable for others",
            Some(CONDUCT),
        ),
        (
            "KY4",
            Should,
            "private keys need not leave their context",
            Some(CONDUCT),
        ),
        ("EN1", Must, "operations are canonical, strict CBOR", None),
        (
            "EN2",
            Must,
            "field names and sets of ids are sorted and without duplicates",
            None,
        ),
        (
            "OP1",
            Must,
            "an operation is the array its action prescribes",
            None,
        ),
        ("OP2", Must, "an operation names its version", None),
        ("OP3", Must, "the action is CREATE, UPDATE or DELETE", None),
        ("OP4", Must, "an operation names its schema", None),
        (
            "OP5",
            Must,
            "UPDATE and DELETE name previous operations, CREATE none",
            None,
        ),
        (
            "OP6",
            Must,
            "a CREATE gives every field, an UPDATE some, a DELETE none",
            None,
        ),
        (
            "OP7",
            Must,
            "field values have one of the known forms",
            None,
        ),
        (
            "OP8",
            Must,
            "values fit the types of the schema's fields",
            None,
        ),
        (
            "OP9",
            Should,
            "operations of deleted documents are removed",
            Some("what a node keeps, judged by storage tests"),
        ),
        (
            "SC1",
            Must,
            "schema names have 2 to 64 letters, digits and inner underscores",
            None,
        ),
        (
            "SC2",
            Must,
            "schema descriptions have at most 256 characters",
            None,
        ),
        ("SC3", Must, "a schema has at most 1024 fields", None),
        (
            "SC4",
            Must,
            "field names have 1 to 64 letters, digits and underscores",
            None,
        ),
        ("SC5", Must, "field types are those of the list", None),
        ("SC6", Must, "strings are UTF-8", None),
        (
            "SC7",
            Should,
            "relations follow the schema they name",
            Some("needs other documents, judged by the live suite"),
        ),
        (
            "SC8",
            Should,
            "relations may point at the own schema",
            Some("a published schema cannot contain its own id"),
        ),
        (
            "SC9",
            Must,
            "schema ids are system ids, or a name and a view id",
            None,
        ),
        ("SC10", Must, "field type strings follow the grammar", None),
        ("DO1", Must, "a document has exactly one CREATE", None),
        ("DO2", Must, "the graph of a document has no cycle", None),
        (
            "DO3",
            Must,
            "every previous operation is part of the document",
            None,
        ),
        ("DO4", Must, "a document with a DELETE has no view", None),
        (
            "DO5",
            Must,
            "a log holds one author's contributions to one document",
            Some(API),
        ),
        ("DO6", Must, "the walk starts at the CREATE", None),
        (
            "DO7",
            Must,
            "an operation that refers to the last one comes next",
            Some("an order is computed, nothing can be refused"),
        ),
        (
            "DO8",
            Must,
            "of several, the one with the lowest id comes first",
            Some("an order is computed, nothing can be refused"),
        ),
        (
            "DO9",
            Must,
            "a branch is finished before the next one",
            Some("an order is computed, nothing can be refused"),
        ),
        (
            "D10",
            Must,
            "each operation is visited exactly once",
            Some("an order is computed, nothing can be refused"),
        ),
        (
            "D11",
            Must,
            "the walk stops at a DELETE, whose id is the view id",
            None,
        ),
        (
            "DV1",
            Must,
            "a view id is the sorted set of the graph's tips",
            None,
        ),
        (
            "DV2",
            Must,
            "the operations of a view id are of one document",
            Some(API),
        ),
        (
            "NO1",
            Must,
            "nodes check entries wherever they come from",
            None,
        ),
        (
            "NO2",
            Must,
            "nodes check operations wherever they come from",
            Some(API),
        ),
        (
            "NO3",
            Should,
            "nodes check documents when operations are published",
            Some(API),
        ),
        (
            "FK1",
            Must,
            "a second entry for a taken position is a fork, not a success",
            None,
        ),
        ("FK2", Must, "nothing follows an end-of-log entry", None),
        (
            "BL1",
            Must,
            "blobs and their pieces obey the rules of their schemas",
            None,
        ),
    ];
    REQUIREMENTS
        .iter()
        .map(|(id, level, text, gap)| {
            let requirement = Requirement {
                text: (*text).to_owned(),
                level: *level,
                gap: gap.map(str::to_owned),
            };
            ((*id).to_owned(), requirement)
        })
        .collect()
}

/// One line per ruling the cases may name.
pub fn rulings() -> BTreeMap<String, String> {
    const RULINGS: &[(&str, &str)] = &[
        (
            "R1",
            "map keys are in plain byte order of their UTF-8, without duplicates; length-first is refused",
        ),
        (
            "R2",
            "received CBOR must be fully canonical; deployed software takes much else",
        ),
        ("R3", "ids inside operations are 34-byte byte strings"),
        (
            "R4",
            "concurrent operations are ordered by the handbook's walk; deployed software visits the lowest sibling first, then the rest descending",
        ),
        (
            "R5",
            "any DELETE connected to the CREATE deletes the document; its view id is the first DELETE the walk meets",
        ),
        (
            "R8",
            "the tag byte is 00, or 01 for the end of the log; deployed software reads any",
        ),
        (
            "R9",
            "nothing follows the signature; deployed software passes up to 32 crafted bytes",
        ),
        (
            "R10",
            "the YASMF length byte is 20; deployed software does not look",
        ),
        (
            "R11",
            "signatures are checked by RFC 8032 without cofactor, S canonical; deployed software panics on high bits of S",
        ),
        (
            "R12",
            "keys of small order are refused by grove and open for others; deployed software takes them",
        ),
        (
            "R13",
            "hashes, ids, view ids and schema ids are lowercase; keys may be either case; deployed software keeps uppercase ids",
        ),
        ("R14", "the operation version is 1"),
        (
            "R15",
            "schema names have 2 to 64 characters, field names 1 to 64",
        ),
        (
            "R16",
            "type strings are exactly the grammar; deployed software lets junk pass around it",
        ),
        (
            "R18",
            "a flat id list is no pinned_relation_list unless empty; deployed software reads it as empty",
        ),
        (
            "R19",
            "a blob has pieces and a length of at least 0; deployed software checks neither",
        ),
        (
            "R20",
            "NaN is f97e00 and infinities are values; deployed software takes other NaNs",
        ),
        (
            "R21",
            "previous may name an ancestor beside its descendant; each operation counts once; deployed software applies it twice",
        ),
        (
            "R23",
            "the same entry once more is a success, answered as the first time; deployed software refuses it",
        ),
        ("R24", "a different entry at a taken position is a fork"),
        (
            "R26",
            "a log ends at 2^64-2, since nothing could be told to follow 2^64-1",
        ),
    ];
    RULINGS
        .iter()
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}
