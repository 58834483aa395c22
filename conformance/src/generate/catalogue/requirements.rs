//! What is required, in our words, one sentence each.
//!
//! The handbook's ids where it has one; where it has none, an id of our own: PB publishing and next
//! arguments, RP replication, FK forks, DL deletion, BL blobs, QU queries, RC JSON-RPC, NW networking.
//! The third column says why the valid or the invalid case is missing, where one is.

use std::collections::BTreeMap;

use super::gap;
use crate::suite::Level;
use crate::suite::store::Requirement;

/// The handbook.
const HANDBOOK: &str = "
BA1   must    -          entries are encoded as the Bamboo specification says
BA2   must    -          entries are hashed with BLAKE3 in YASMF form
BA3   must    -          entries and operations travel as hex in text interfaces
BA4   should  freedom    log ids of one author grow by one
KY1   must    -          keys are Ed25519 key pairs
KY2   should  conduct    a fresh key pair is used per context
KY3   should  conduct    private keys are kept unreadable for others
KY4   should  conduct    private keys need not leave their context
EN1   must    -          operations are canonical, strict CBOR
EN2   must    -          field names and sets of ids are sorted and without duplicates
OP1   must    -          an operation is the array its action prescribes
OP2   must    -          an operation names its version
OP3   must    -          the action is CREATE, UPDATE or DELETE
OP4   must    -          an operation names its schema
OP5   must    -          UPDATE and DELETE name previous operations, CREATE none
OP6   must    -          a CREATE gives every field, an UPDATE some, a DELETE none
OP7   must    -          field values have one of the known forms
OP8   must    -          values fit the types of the schema's fields
OP9   should  store      operations of deleted documents are removed
SC1   must    -          schema names have 2 to 64 letters, digits and inner underscores
SC2   must    -          schema descriptions have at most 256 characters
SC3   must    -          a schema has at most 1024 fields
SC4   must    -          field names have 1 to 64 letters, digits and underscores
SC5   must    -          field types are those of the list
SC6   must    -          strings are UTF-8
SC7   should  live       relations follow the schema they name
SC8   should  impossible relations may point at the own schema
SC9   must    -          schema ids are system ids, or a name and a view id
SC10  must    -          field type strings follow the grammar
DO1   must    -          a document has exactly one CREATE
DO2   must    -          the graph of a document has no cycle
DO3   must    -          every previous operation is part of the document
DO4   must    computed   a document with a DELETE has no view
DO5   must    -          a log holds one author's contributions to one document
DO6   must    -          the walk starts at the CREATE
DO7   must    computed   an operation that refers to the last one comes next
DO8   must    computed   of several, the one with the lowest id comes first
DO9   must    computed   a branch is finished before the next one
D10   must    -          each operation is visited exactly once
D11   must    computed   the walk stops at a DELETE, whose id is the view id
DV1   must    -          a view id is the sorted set of the graph's tips
DV2   must    -          the operations of a view id are of one document
NO1   must    -          nodes check entries wherever they come from
NO2   must    -          nodes check operations wherever they come from
NO3   should  -          nodes check documents when operations are published
";

/// Publishing and next arguments.
const PUBLISHING: &str = "
PB1   must    -          a published entry is the next one of its log
PB2   must    -          a published operation is the one its entry was signed for
PB3   must    -          an operation is only published under a schema that is known
PB4   must    -          the previous of a published operation are known, of one document and schema
PB5   must    -          nothing is published to a document that was deleted
PB6   must    -          an author writes a document in one log, and no other in it
PB7   must    -          the same entry once more is answered as the first time
PB8   must    answer     publishing answers with the next arguments of the same log
PB9   must    answer     next arguments for a new document name the log after the highest
PB10  must    answer     next arguments for a document name the place after the last entry
PB11  must    -          next arguments are refused for a view that is not of one document
PB12  must    live       a log ends before the greatest sequence number
PB13  must    freedom    anybody may update or delete what nobody restricted
PB14  should  freedom    any log id that is not taken may be the one of a new log
";

/// Replication and forks.
const REPLICATION: &str = "
RP1   must    -          a message is the array its type prescribes
RP2   must    -          messages are canonical CBOR, one after the other
RP3   must    -          numbers of messages have 64 bits, and sequence numbers start at 1
RP4   must    -          sets of schema ids ascend, system schemas first, without duplicates
RP5   must    -          a request names at least one schema
RP6   must    -          heights are given per author and log, keys as 32 bytes
RP7   must    live       an entry travels with its operation
RP8   must    simulator  of two crossing requests, the one of the larger peer id counts
RP9   must    simulator  a session ends when both sides are done, fail or fall silent
RP10  must    simulator  what lacks its inputs waits for them and harms no session
RP11  must    simulator  nodes that meet often enough end with the same entries
RP13  should  live       heights and schema ids are only of what was announced
FK1   must    -          a second entry for a taken place is a fork, not a success
FK2   must    -          nothing follows an end-of-log entry on its branch
FK3   must    -          two validly signed, different entries of one position prove a fork
FK7   must    -          a client lengthens a branch and never begins one; who would is told what is there and how to go on
FK8   must    freedom    every entry that verifies along its own branch counts, and peers may bring any branch
FK9   must    -          next arguments continue the open branch of most entries, of equals that of the lowest hash
FK10  must    -          the links of an entry lead to entries of its own branch
FK11  must    -          a tree of a log belongs to the document of its first entry
FK12  must    -          nodes of grove's kind tell each other the ends of all branches, each once and ascending
";

/// Deletion, and blobs.
const DELETION: &str = "
DL1   must    store      a node drops the payloads of a deleted document's operations
DL2   must    store      entries stay, and so does the payload of a DELETE
DL3   must    store      a payload that was deleted never leaves the node again
DL4   must    simulator  an UPDATE without effect after a DELETE keeps its place in the log
DL5   must    store      views and values of a deleted document are gone
DL6   must    -          a peer of grove's own kind is told that a payload was deleted
DL7   must    simulator  nodes end equal, whichever of UPDATE and DELETE came first
BL1   must    -          blobs and their pieces obey the rules of their schemas
BL2   must    -          a blob whose length is not that of its pieces is not served
BL3   must    -          the pieces of a blob are published before it
BL4   must    live       a blob is served as its pieces in their order, under its MIME type
";

/// What clients and peers meet at a running node.
const INTERFACES: &str = "
QU1   must    live       every known schema can be asked for one document and for all
QU2   must    live       asked for a document it does not show, a node answers null
QU3   must    -          asked for a view id, a node shows the document as it was there
QU4   must    live       going through a collection page by page shows each document once
QU5   must    live       filters and orders follow the types of their fields
QU6   must    live       a relation to a document of another schema reads as null
QU7   must    live       NaN and the infinities read as null
QU8   must    live       a well-formed request is answered with HTTP 200, errors inside
QU9   must    live       null for an optional argument means that it is absent
QU10  must    live       the cursor of another collection is refused
RC1   must    live       requests and answers are JSON-RPC 2.0, single or in batches
RC2   must    live       the three methods of the first nodes keep their names and members
RC3   must    live       log ids and sequence numbers are decimal strings
RC4   must    live       errors carry the codes of JSON-RPC and the reason of the refusal
NW3   must    live       queues, messages and sessions of a peer are bounded
";

/// Every requirement a case, a check or a simulation may name.
pub(crate) fn requirements() -> BTreeMap<String, Requirement> {
    [HANDBOOK, PUBLISHING, REPLICATION, DELETION, INTERFACES]
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| !line.is_empty())
        .map(requirement)
        .collect()
}

fn requirement(line: &str) -> (String, Requirement) {
    let mut rest = line;
    let mut column = || {
        let (word, after) = rest.split_once(' ').expect("a line has four columns");
        rest = after.trim_start();
        word
    };
    let (id, level, missing) = (column(), column(), column());
    let requirement = Requirement {
        text: rest.to_owned(),
        level: match level {
            "must" => Level::Must,
            "should" => Level::Should,
            other => panic!("{id}: no level {other:?}"),
        },
        gap: gap(missing),
    };
    (id.to_owned(), requirement)
}
