//! What was ruled where texts and deployed software disagree or say nothing, one line each.
//!
//! The second column says why no case turns on a ruling, where none does.

use std::collections::BTreeMap;

use super::gap;
use crate::suite::store::Ruling;

const RULINGS: &str = "
R1  -          map keys are in plain byte order of their UTF-8, without duplicates; length-first is refused
R2  -          received CBOR must be fully canonical; deployed software takes much else
R3  -          ids inside operations are 34-byte byte strings
R4  -          concurrent operations are ordered by the handbook's walk; deployed software visits the lowest sibling first, then the rest descending
R5  -          any DELETE connected to the CREATE deletes the document; its view id is the first DELETE the walk meets
R6  -          an UPDATE after the DELETE is refused from a client; from a peer it joins its log without effect
R7  -          of a deleted document, only entries and the payloads of DELETEs are kept; deployed software keeps everything
R8  -          the tag byte is 00, or 01 for the end of a branch; deployed software reads any
R9  -          nothing follows the signature; deployed software passes up to 32 crafted bytes
R10 -          the YASMF length byte is 20; deployed software does not look
R11 -          signatures are checked by RFC 8032 without cofactor, S canonical; deployed software panics on high bits of S
R12 -          keys of small order are refused by grove and open for others; deployed software takes them
R13 -          hashes, ids, view ids and schema ids are lowercase; keys may be either case; deployed software keeps uppercase ids
R14 -          the operation version is 1
R15 -          schema names have 2 to 64 characters, field names 1 to 64
R16 -          type strings are exactly the grammar; deployed software lets junk pass around it
R17 -          field names of a schema are unique wherever they stand; deployed software sees adjacent ones only
R18 -          a flat id list is no pinned_relation_list unless empty; deployed software reads it as empty
R19 -          a blob has no pieces if and only if its length is 0, and no negative length; deployed software checks neither
R20 -          NaN is f97e00 and infinities are values; deployed software takes other NaNs
R21 -          previous may name an ancestor beside its descendant; each operation counts once; deployed software applies it twice
R22 -          any log id that is not taken is accepted; the next one is proposed
R23 -          the same entry once more is a success, answered as the first time; deployed software refuses it
R24 -          a different entry at a taken place is a fork: refused from a client, a branch from a peer, and nothing is taken back; deployed software knows one branch
R25 -          anybody may update or delete what nobody restricted
R26 -          a log ends at 2^64-2, since nothing could be told to follow 2^64-1
R27 -          heights are nested per author, keys are byte strings
R28 -          what lacks its inputs is kept within bounds and judged when they arrive; deployed software drops it
R29 -          an operation of a schema that is not known cannot be published
R30 -          the target of a relation need not exist; of another schema, it reads as null
R31 -          peers of grove's own kind are told that a payload was deleted; others are not sent its entry
R32 simulator  a node that never saw the document needs no DELETE of it
";

/// Every ruling.
pub(crate) fn rulings() -> BTreeMap<String, Ruling> {
    let lines = RULINGS.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (id, rest) = line.split_once(' ').expect("a line has three columns");
            let (missing, text) = rest
                .trim_start()
                .split_once(' ')
                .expect("a line has three columns");
            let ruling = Ruling {
                text: text.trim_start().to_owned(),
                gap: gap(missing),
            };
            (id.to_owned(), ruling)
        })
        .collect()
}
