//! Cases of `fork.verify`: do two entries prove that an author forked a log?

use serde_json::{Value, json};

use super::fixtures::{author, cafe_create, cafe_update, id, log, other_author};
use super::set::Set;
use crate::forge::{Draft, Hash, Key, hex};
use crate::suite::Case;

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("fork.verify", "pairs", &["FK3"]);
    set.key("author", &author());
    set.key("other", &other_author());
    sound(&mut set);
    other_positions(&mut set);
    broken(&mut set);
    vec![set]
}

/// A change to an entry before it is signed.
type Alter = fn(&mut Draft);

/// The entry that follows `len` others of log 0, changed and signed.
fn entry(len: usize, alter: impl Fn(&mut Draft)) -> Vec<u8> {
    let mut draft = log(author(), 0, len).draft(&cafe_create(1, "one"));
    alter(&mut draft);
    draft.sign(&author())
}

fn pair(first: &[u8], second: &[u8]) -> Value {
    json!({"first": hex(first), "second": hex(second)})
}

fn proof(log_id: u64, seq_num: u64, entries: [&[u8]; 2]) -> Value {
    let mut hashes = entries.map(Hash::of);
    hashes.sort_unstable();
    json!({
        "public_key": hex(author().public()),
        "log_id": log_id.to_string(),
        "seq_num": seq_num.to_string(),
        "hashes": hashes.map(|hash| hash.hex()),
    })
}

fn other_payload(draft: &mut Draft) {
    draft.payload_hash = Hash::of(cafe_create(2, "two"));
}

/// What one entry has otherwise than the other at its position.
const DIFFERENCES: &[(&str, &str, Alter)] = &[
    ("backlink", "The two differ in what they follow.", |draft| {
        draft.backlink = Some(id(7))
    }),
    ("skiplink", "The two differ in the far link.", |draft| {
        draft.skiplink = Some(id(7))
    }),
    (
        "payload-size",
        "The two differ in the claimed size alone.",
        |draft| draft.payload_size += 1,
    ),
    ("end-of-log", "One of them ends the log.", |draft| {
        draft.tag = 1
    }),
    (
        "payload-hash",
        "Nobody has to have the operations.",
        |draft| draft.payload_hash = id(9),
    ),
];

fn sound(set: &mut Set) {
    for len in [0, 1, 3, 12] {
        let (one, two) = (entry(len, |_| {}), entry(len, other_payload));
        let told = proof(0, len as u64 + 1, [&one, &two]);
        let comment = format!("Two operations at position {}.", len + 1);
        set.valid(
            &format!("at-{}", len + 1),
            &comment,
            pair(&one, &two),
            told.clone(),
        )
        .flag("Fork");
        set.valid(
            &format!("at-{}-swapped", len + 1),
            "The order of the two means nothing.",
            pair(&two, &one),
            told,
        )
        .flag("Fork");
    }
    for &(name, comment, alter) in DIFFERENCES {
        let (one, two) = (entry(3, |_| {}), entry(3, alter));
        set.valid(
            &format!("by-{name}"),
            comment,
            pair(&one, &two),
            proof(0, 4, [&one, &two]),
        )
        .flag("Fork");
    }
    by_signature(set);
    far_ends(set);
}

fn by_signature(set: &mut Set) {
    // Who holds the key can sign the same fields twice, with another R.
    let draft = log(author(), 0, 1).draft(&cafe_create(1, "one"));
    let (one, (signature, _)) = (
        draft.sign(&author()),
        author().sign_with_tail(&draft.unsigned(), 0),
    );
    let two = [draft.unsigned(), signature.to_vec()].concat();
    set.valid(
        "by-signature",
        "The same fields signed twice, with another R: two entries.",
        pair(&one, &two),
        proof(0, 2, [&one, &two]),
    )
    .flag("Fork")
    .flag("SignedByKeyHolder");
}

fn far_ends(set: &mut Set) {
    for (name, log_id, seq_num) in [
        ("greatest-log", u64::MAX, 1),
        ("greatest-number", 0, u64::MAX),
        ("beyond-floats", (1 << 53) + 1, (1 << 63) + 1),
    ] {
        let far = |draft: &mut Draft| {
            (draft.log_id, draft.seq_num) = (log_id, seq_num);
            draft.backlink = (seq_num > 1).then(|| id(3));
            let far = crate::forge::lipmaa::is_encoded(seq_num);
            draft.skiplink = far.then(|| id(4));
        };
        let one = entry(0, far);
        let two = entry(0, |draft| {
            far(draft);
            other_payload(draft);
        });
        set.valid(
            name,
            "At the far ends of the numbers.",
            pair(&one, &two),
            proof(log_id, seq_num, [&one, &two]),
        )
        .flag("Fork")
        .flag("Boundary");
    }
}

fn other_positions(set: &mut Set) {
    let one = entry(1, |_| {});
    set.invalid(
        "identical",
        "One entry twice is no fork.",
        "at-2",
        pair(&one, &one),
        "fork_identical",
    )
    .flag("Duplicate");
    let first = entry(0, |_| {});
    set.invalid(
        "identical-first",
        "The first entry of a log, twice.",
        "at-1",
        pair(&first, &first),
        "fork_identical",
    )
    .flag("Duplicate");
    let cases: [(&str, &str, Vec<u8>); 4] = [
        (
            "other-log",
            "The same position of another log.",
            entry(1, |draft| draft.log_id = 1),
        ),
        ("next-number", "The entry after it.", entry(2, |_| {})),
        ("first-number", "The entry before it.", entry(0, |_| {})),
        (
            "other-author",
            "The same position in somebody else's log.",
            theirs(&other_author()),
        ),
    ];
    for (name, comment, two) in cases {
        set.invalid(name, comment, "at-2", pair(&one, &two), "fork_position");
    }
    let far = entry(1, |draft| draft.log_id = 1 << 32);
    set.invalid(
        "log-cut-to-32-bits",
        "Logs whose numbers agree in their lower half.",
        "at-2",
        pair(&one, &far),
        "fork_position",
    )
    .flag("Boundary");
}

/// The second entry of somebody else's log 0.
fn theirs(key: &Key) -> Vec<u8> {
    let mut log = crate::forge::Log::new(key.clone(), 0);
    let first = log.push(cafe_create(1, "one"));
    log.draft(&cafe_update(&[first], 2)).sign(key)
}

/// A draft at the position of the two that has another operation.
fn forged() -> Draft {
    Draft {
        payload_hash: id(9),
        ..log(author(), 0, 1).draft(&cafe_create(1, "one"))
    }
}

/// A second entry that is none, made of the two of a sound fork.
struct Broken {
    name: &'static str,
    comment: &'static str,
    second: fn(&[u8], &[u8]) -> Vec<u8>,
    reason: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        name: "signed-by-other",
        comment: "The second entry is signed by somebody else.",
        second: |_, _| forged().sign(&other_author()),
        reason: "signature_invalid",
    },
    Broken {
        name: "malleated",
        comment: "The same entry with S + L for S, which takes no key.",
        second: |one, _| malleated(one),
        reason: "signature_malformed",
    },
    Broken {
        name: "cut",
        comment: "The second entry breaks off.",
        second: |_, two| two[..two.len() - 1].to_vec(),
        reason: "entry_truncated",
    },
    Broken {
        name: "trailing",
        comment: "A byte after the second entry.",
        second: |_, two| [two, &[0]].concat(),
        reason: "entry_trailing_bytes",
    },
    Broken {
        name: "empty",
        comment: "No second entry.",
        second: |_, _| Vec::new(),
        reason: "entry_truncated",
    },
    Broken {
        name: "number-0",
        comment: "A position there is not.",
        second: |_, _| entry(0, |draft| draft.seq_num = 0),
        reason: "seq_num_zero",
    },
];

fn broken(set: &mut Set) {
    let (one, two) = (entry(1, |_| {}), entry(1, other_payload));
    for (name, at) in [("in-r", 60), ("in-s", 20)] {
        for which in ["first", "second"] {
            let mut damaged = pair(&one, &two);
            let mut bytes = if which == "first" {
                one.clone()
            } else {
                two.clone()
            };
            let index = bytes.len() - at;
            bytes[index] ^= 1;
            damaged[which] = hex(bytes).into();
            set.invalid(
                &format!("{which}-signature-{name}"),
                "A bit of a signature is flipped.",
                "at-2",
                damaged,
                "signature_invalid",
            )
            .requires(&["FK3", "KY1"])
            .or(&["signature_malformed"]);
        }
    }
    broken_seconds(set, &one, &two);
}

fn broken_seconds(set: &mut Set, one: &[u8], two: &[u8]) {
    for &Broken {
        name,
        comment,
        second,
        reason,
    } in BROKEN
    {
        let case: &mut Case =
            set.invalid(name, comment, "at-2", pair(one, &second(one, two)), reason);
        match name {
            "malleated" => {
                case.flag("Malleable").requires(&["FK3", "KY1"]);
            }
            "cut" => {
                case.flag("Truncated").or(&["signature_invalid"]);
            }
            "trailing" => {
                case.flag("Trailing").or(&["signature_invalid"]);
            }
            _ => {}
        }
    }
    let tagged = entry(1, |draft| draft.tag = 2);
    set.invalid(
        "tag-02",
        "A tag that means nothing.",
        "at-2",
        pair(one, &tagged),
        "entry_tag",
    )
    .wire_reads("R8", proof(0, 2, [one, &tagged]));
}

fn malleated(entry: &[u8]) -> Vec<u8> {
    let (unsigned, signature) = entry.split_at(entry.len() - 64);
    let signature = signature.try_into().expect("64 bytes");
    [unsigned, &crate::forge::key::malleate(signature)].concat()
}
