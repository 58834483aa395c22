//! What makes an input special, and what follows from getting it wrong.

use std::collections::BTreeMap;

use crate::suite::{Importance, Note};

/// Every flag a case may carry.
pub(crate) fn flags() -> BTreeMap<String, Note> {
    use Importance::{High, Low, Medium};
    [
        flag(
            "Boundary",
            High,
            "a value at the edge of its range",
            "off-by-one errors split the network",
        ),
        flag(
            "NonMinimal",
            Medium,
            "a number or length in a longer form than needed",
            "two encodings of one thing have two ids",
        ),
        flag(
            "Truncated",
            High,
            "the input ends early",
            "reading past the end",
        ),
        flag(
            "Trailing",
            Medium,
            "something follows the end",
            "unsigned or unhashed bytes ride along",
        ),
        flag(
            "Uppercase",
            Medium,
            "hex in the wrong case",
            "one id in two spellings compares as two",
        ),
        flag(
            "SmallOrder",
            Medium,
            "a key anybody can sign for",
            "forged authorship",
        ),
        flag(
            "Malleable",
            High,
            "a second signature made from the first without the key",
            "one entry under two ids",
        ),
        flag(
            "SignedByKeyHolder",
            Medium,
            "broken on purpose by the holder of the key, so the signature holds",
            "only the structural check is left to refuse it",
        ),
        flag(
            "Links",
            High,
            "a missing, surplus or wrong link",
            "a log that does not verify",
        ),
        flag(
            "Fork",
            High,
            "a second entry for a taken position",
            "nodes show different views",
        ),
        flag(
            "EndOfLog",
            Medium,
            "about the end-of-log tag",
            "writing to a closed log",
        ),
        flag(
            "Indefinite",
            Medium,
            "an indefinite-length CBOR item",
            "operations that do not re-encode to themselves",
        ),
        flag(
            "Tag",
            Medium,
            "a tagged CBOR item",
            "operations that do not re-encode to themselves",
        ),
        flag(
            "FloatWidth",
            Medium,
            "a float wider than its value needs",
            "operations that do not re-encode to themselves",
        ),
        flag(
            "Nan",
            Medium,
            "not a number",
            "values that do not equal themselves",
        ),
        flag(
            "Unsorted",
            High,
            "a set out of order",
            "one set in several encodings",
        ),
        flag(
            "Duplicate",
            High,
            "a member given twice",
            "implementations keep the first or the last",
        ),
        flag(
            "Unicode",
            Medium,
            "text beyond ASCII",
            "lengths counted in bytes, wrong normalisation",
        ),
        flag(
            "Order",
            High,
            "the order of concurrent operations decides the result",
            "nodes show different views",
        ),
        flag(
            "Delete",
            High,
            "about a deleted document",
            "deleted data shows again",
        ),
        flag(
            "Text",
            Low,
            "a text form with something in it that does not belong",
            "lenient parsers disagree",
        ),
    ]
    .into_iter()
    .collect()
}

fn flag(name: &str, severity: Importance, description: &str, effect: &str) -> (String, Note) {
    let note = Note {
        description: description.to_owned(),
        effect: effect.to_owned(),
        severity,
    };
    (name.to_owned(), note)
}
