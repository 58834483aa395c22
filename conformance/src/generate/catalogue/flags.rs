//! What makes an input special, and what follows from getting it wrong.

use std::collections::BTreeMap;

use crate::suite::Importance::{High, Low, Medium};
use crate::suite::{Importance, Note};

/// What a flag says of a case.
struct Flag {
    name: &'static str,
    severity: Importance,
    description: &'static str,
    effect: &'static str,
}

const FLAGS: &[Flag] = &[
    Flag {
        name: "Boundary",
        severity: High,
        description: "a value at the edge of its range",
        effect: "off-by-one errors split the network",
    },
    Flag {
        name: "NonMinimal",
        severity: Medium,
        description: "a number or length in a longer form than needed",
        effect: "two encodings of one thing have two ids",
    },
    Flag {
        name: "Truncated",
        severity: High,
        description: "the input ends early",
        effect: "reading past the end",
    },
    Flag {
        name: "Trailing",
        severity: Medium,
        description: "something follows the end",
        effect: "unsigned or unhashed bytes ride along",
    },
    Flag {
        name: "Uppercase",
        severity: Medium,
        description: "hex in the wrong case",
        effect: "one id in two spellings compares as two",
    },
    Flag {
        name: "SmallOrder",
        severity: Medium,
        description: "a key anybody can sign for",
        effect: "forged authorship",
    },
    Flag {
        name: "Malleable",
        severity: High,
        description: "a second signature made from the first without the key",
        effect: "one entry under two ids",
    },
    Flag {
        name: "SignedByKeyHolder",
        severity: Medium,
        description: "broken on purpose by the holder of the key, so the signature holds",
        effect: "only the structural check is left to refuse it",
    },
    Flag {
        name: "Links",
        severity: High,
        description: "a missing, surplus or wrong link",
        effect: "a log that does not verify",
    },
    Flag {
        name: "Fork",
        severity: High,
        description: "a second entry for a taken position",
        effect: "nodes show different views",
    },
    Flag {
        name: "EndOfLog",
        severity: Medium,
        description: "about the end-of-log tag",
        effect: "writing to a closed log",
    },
    Flag {
        name: "Indefinite",
        severity: Medium,
        description: "an indefinite-length CBOR item",
        effect: "operations that do not re-encode to themselves",
    },
    Flag {
        name: "Tag",
        severity: Medium,
        description: "a tagged CBOR item",
        effect: "operations that do not re-encode to themselves",
    },
    Flag {
        name: "FloatWidth",
        severity: Medium,
        description: "a float wider than its value needs",
        effect: "operations that do not re-encode to themselves",
    },
    Flag {
        name: "Nan",
        severity: Medium,
        description: "not a number",
        effect: "values that do not equal themselves",
    },
    Flag {
        name: "Unsorted",
        severity: High,
        description: "a set out of order",
        effect: "one set in several encodings",
    },
    Flag {
        name: "Duplicate",
        severity: High,
        description: "a member given twice",
        effect: "implementations keep the first or the last",
    },
    Flag {
        name: "Unicode",
        severity: Medium,
        description: "text beyond ASCII",
        effect: "lengths counted in bytes, wrong normalisation",
    },
    Flag {
        name: "Order",
        severity: High,
        description: "the order of concurrent operations decides the result",
        effect: "nodes show different views",
    },
    Flag {
        name: "Delete",
        severity: High,
        description: "about a deleted document",
        effect: "deleted data shows again",
    },
    Flag {
        name: "Text",
        severity: Low,
        description: "a text form with something in it that does not belong",
        effect: "lenient parsers disagree",
    },
];

/// Every flag a case may carry.
pub(crate) fn flags() -> BTreeMap<String, Note> {
    let note = |flag: &Flag| Note {
        description: flag.description.to_owned(),
        effect: flag.effect.to_owned(),
        severity: flag.severity,
    };
    let notes = FLAGS.iter().map(|flag| (flag.name.to_owned(), note(flag)));
    notes.collect()
}
