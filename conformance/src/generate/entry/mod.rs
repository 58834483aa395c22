//! Cases of `entry.decode` (structure and signature) and `entry.encode`.

mod positions;
mod signatures;

use serde_json::{Value, json};

use super::fixtures::{author, cafe_create, id, log, other_author};
use super::set::Set;
use super::text::off_the_curve;
use crate::forge::entry::seal;
use crate::forge::{Draft, Hash, Key, hex, key, varu64};

const SIGNED: (&str, &str) = ("", "author");

pub(super) fn sets() -> Vec<Set> {
    vec![
        sound_and_broken(),
        positions::positions(),
        signatures::edges(),
        encode(),
    ]
}

/// What a decoder has to tell of a signed draft.
fn result(draft: &Draft, bytes: &[u8]) -> Value {
    json!({
        "end_of_log": draft.tag == 1,
        "public_key": hex(draft.author),
        "log_id": draft.log_id.to_string(),
        "seq_num": draft.seq_num.to_string(),
        "skiplink": draft.skiplink.map(|link| link.hex()),
        "backlink": draft.backlink.map(|link| link.hex()),
        "payload_size": draft.payload_size.to_string(),
        "payload_hash": draft.payload_hash.hex(),
        "signature": hex(&bytes[bytes.len() - 64..]),
        "hash": Hash::of(bytes).hex(),
    })
}

fn sound_and_broken() -> Set {
    let mut set = Set::new("entry.decode", "bytes", &["BA1"]);
    set.key("author", &author());
    set.key("other", &other_author());
    sound(&mut set);
    structure(&mut set);
    varints(&mut set);
    links(&mut set);
    hashes(&mut set);
    signatures(&mut set);
    crafted(&mut set);
    set
}

fn first() -> Draft {
    Draft::first(&author(), 0, &cafe_create(8, "Panda"))
}

/// The draft at `seq_num` of an honest log.
fn at(seq_num: usize) -> Draft {
    log(author(), 0, seq_num - 1).draft(&cafe_create(8, "Panda"))
}

fn sound(set: &mut Set) {
    let mut add = |name: &str, comment, draft, key| add(set, name, comment, &draft, &key);
    add("first", "The first entry of a log.", first(), author());
    add(
        "other-author",
        "Another author.",
        Draft::first(&other_author(), 0, b"x"),
        other_author(),
    );
    for seq_num in [2, 3, 4, 5, 8, 12, 13] {
        let name = format!("seq-{seq_num}");
        add(
            &name,
            "An entry with the links its number asks for.",
            at(seq_num),
            author(),
        );
    }
    for log_id in [1, 247, 248, 65_536, u64::MAX] {
        let draft = Draft { log_id, ..first() };
        add(
            &format!("log-{log_id}"),
            "A log id at an edge of varu64.",
            draft,
            author(),
        );
    }
    extremes(set);
    end_of_log(set);
}

/// Adds an entry by the author that any node takes by itself.
fn add(set: &mut Set, name: &str, comment: &str, draft: &Draft, key: &Key) {
    let bytes = draft.sign(key);
    set.valid(name, comment, hex(&bytes), result(draft, &bytes))
        .requires(&["BA1", "KY1", "BA2"]);
}

/// The greatest and the least numbers an entry can hold.
fn extremes(set: &mut Set) {
    let mut add = |name, comment, draft| add(set, name, comment, &draft, &author());
    let far = Draft {
        seq_num: (1 << 56) + 2,
        skiplink: Some(id(1)),
        backlink: Some(id(2)),
        log_id: u64::MAX,
        payload_size: u64::MAX,
        ..first()
    };
    add(
        "largest",
        "The longest entry there is: 226 bytes.",
        far.clone(),
    );
    let greatest = Draft {
        seq_num: u64::MAX,
        ..far
    };
    add(
        "seq-greatest",
        "The greatest number: sound by itself, though no log has room for it.",
        greatest,
    );
    add(
        "size-0",
        "A payload size of nothing.",
        Draft {
            payload_size: 0,
            ..first()
        },
    );
    let max = Draft {
        payload_size: u64::MAX,
        ..first()
    };
    add(
        "size-max",
        "The greatest payload size; nothing is allocated for it.",
        max,
    );
}

fn end_of_log(set: &mut Set) {
    let last = Draft { tag: 1, ..first() };
    let bytes = last.sign(&author());
    let mut read = result(&last, &bytes);
    read["end_of_log"] = false.into();
    let case = set.valid(
        "end-of-log",
        "The last entry of its log.",
        hex(&bytes),
        result(&last, &bytes),
    );
    case.ruled("R8").flag("EndOfLog").expected_wire = Some(read);
}

/// Where the first entry is cut, and after what.
const CUTS: &[(usize, &str)] = &[
    (1, "tag"),
    (20, "half-the-key"),
    (33, "key"),
    (34, "log-id"),
    (35, "seq-num"),
    (36, "payload-size"),
    (50, "half-the-payload-hash"),
    (70, "payload-hash"),
    (102, "half-the-signature"),
    (133, "all-but-one-byte"),
];

fn structure(set: &mut Set) {
    let bytes = first().sign(&author());
    set.invalid("empty", "No byte at all.", "first", "", "entry_truncated")
        .flag("Truncated");
    for &(len, name) in CUTS {
        let comment = format!("Cut after {len} bytes: {}.", name.replace('-', " "));
        set.invalid(
            &format!("cut-after-{name}"),
            &comment,
            "first",
            hex(&bytes[..len]),
            "entry_truncated",
        )
        .flag("Truncated")
        .or(&["varint_truncated", "hash_length", "key_length"]);
    }
    tags(set);
    first_fields(set);
}

fn tags(set: &mut Set) {
    for tag in [0x02, 0x7f, 0x80, 0xff] {
        let draft = Draft { tag, ..first() };
        let signed = draft.sign(&author());
        let name = format!("tag-{tag:02x}");
        let wire = result(&draft, &signed);
        set.invalid_signed(
            (
                &name,
                "A tag byte with no meaning, signed by the key holder.",
            ),
            "first",
            hex(&signed),
            SIGNED,
            "entry_tag",
        )
        .wire_reads("R8", wire)
        .flag("SignedByKeyHolder");
    }
}

/// A number and a key that no entry has.
fn first_fields(set: &mut Set) {
    let zero = Draft {
        seq_num: 0,
        ..first()
    };
    set.invalid_signed(
        ("seq-zero", "Sequence numbers start at 1."),
        "first",
        hex(zero.sign(&author())),
        SIGNED,
        "seq_num_zero",
    )
    .flag("Boundary");
    let off = Draft {
        author: off_the_curve(),
        ..first()
    };
    set.invalid_signed(
        (
            "key-off-the-curve",
            "A public key that is no point of the curve.",
        ),
        "first",
        hex(off.sign(&author())),
        SIGNED,
        "key_not_on_curve",
    )
    .requires(&["KY1", "BA1"]);
}

fn varints(set: &mut Set) {
    let draft = first();
    // tag ‖ key, then log id, seq num and payload size as one byte each, but for the size.
    let head = [&[0][..], &draft.author].concat();
    let size = varu64::encode(draft.payload_size);
    let wide = |value: u64| varu64::encode_wide(value, 1);
    let parts = [
        ("log-id", [wide(0), vec![1], size.clone()]),
        ("seq-num", [vec![0], wide(1), size.clone()]),
        ("payload-size", [vec![0], vec![1], wide(draft.payload_size)]),
    ];
    for (name, numbers) in parts {
        let unsigned = [&head[..], &numbers.concat(), &draft.payload_hash.0].concat();
        set.invalid_signed(
            (
                &format!("{name}-not-minimal"),
                "A number in a longer form than needed, signed.",
            ),
            "first",
            hex(seal(unsigned, &author())),
            SIGNED,
            "varint_not_minimal",
        )
        .flag("NonMinimal")
        .flag("SignedByKeyHolder");
    }
}

/// An entry whose links are not those its number asks for.
struct BrokenLinks {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    draft: fn() -> Draft,
}

const LINKS: &[BrokenLinks] = &[
    BrokenLinks {
        name: "first-with-backlink",
        near: "first",
        comment: "The first entry has no backlink.",
        draft: || Draft {
            backlink: Some(id(1)),
            ..first()
        },
    },
    BrokenLinks {
        name: "second-without-backlink",
        near: "seq-2",
        comment: "Every entry but the first has a backlink.",
        draft: || Draft {
            backlink: None,
            ..at(2)
        },
    },
    BrokenLinks {
        name: "second-with-skiplink",
        near: "seq-2",
        comment: "The skiplink would say what the backlink says.",
        draft: || Draft {
            skiplink: Some(id(1)),
            ..at(2)
        },
    },
    BrokenLinks {
        name: "fourth-without-skiplink",
        near: "seq-4",
        comment: "The fourth entry links to the first.",
        draft: || Draft {
            skiplink: None,
            ..at(4)
        },
    },
    BrokenLinks {
        name: "fourth-without-backlink",
        near: "seq-4",
        comment: "The backlink is never left out.",
        draft: || Draft {
            backlink: None,
            ..at(4)
        },
    },
];

fn links(set: &mut Set) {
    for &BrokenLinks {
        name,
        near,
        comment,
        draft,
    } in LINKS
    {
        // Presence follows from the number, so the bytes after the place are read as something else.
        set.invalid_signed(
            (name, comment),
            near,
            hex(draft().sign(&author())),
            SIGNED,
            "hash_algorithm",
        )
        .flag("Links")
        .or(&[
            "hash_digest_length",
            "entry_truncated",
            "entry_trailing_bytes",
            "varint_not_minimal",
        ]);
    }
    let fourth = at(4);
    let identical = Draft {
        skiplink: fourth.backlink,
        ..fourth
    };
    set.invalid_signed(
        (
            "fourth-links-identical",
            "Both links of the fourth entry name the third.",
        ),
        "seq-4",
        hex(identical.sign(&author())),
        SIGNED,
        "links_identical",
    )
    .flag("Links");
}

fn hashes(set: &mut Set) {
    let fourth = at(4);
    type HashField = fn(&mut Draft) -> &mut Hash;
    let places: [(&str, HashField); 3] = [
        ("payload-hash", |draft| &mut draft.payload_hash),
        ("backlink", |draft| {
            draft.backlink.as_mut().expect("the fourth entry has one")
        }),
        ("skiplink", |draft| {
            draft.skiplink.as_mut().expect("the fourth entry has one")
        }),
    ];
    for (name, place) in places {
        for (byte, value, reason) in [(0, 0x01, "hash_algorithm"), (1, 0x21, "hash_digest_length")]
        {
            let mut draft = fourth.clone();
            *place(&mut draft) = place(&mut draft).with_byte(byte, value);
            let signed = draft.sign(&author());
            // The deployed decoder drops the length byte, so it reads the sound hash from it.
            let mut read = result(&fourth, &signed);
            read["hash"] = Hash::of(&signed).hex().into();
            let case = set.invalid_signed(
                (
                    &format!("{name}-{}", reason.replace('_', "-")),
                    "A hash with a wrong byte in front.",
                ),
                "seq-4",
                hex(&signed),
                SIGNED,
                reason,
            );
            case.requires(&["BA2", "BA1"]);
            if byte == 1 {
                case.wire_reads("R10", read);
            }
        }
    }
}

/// The entry with the bits of `mask` flipped in one byte.
fn flipped(entry: &[u8], at: usize, mask: u8) -> String {
    let mut entry = entry.to_vec();
    entry[at] ^= mask;
    hex(entry)
}

/// An entry whose signature does not hold.
struct BrokenSignature {
    name: &'static str,
    comment: &'static str,
    input: fn(&[u8]) -> String,
}

/// What is made of the first entry so that its signature does not hold.
const SIGNATURES: &[BrokenSignature] = &[
    BrokenSignature {
        name: "signature-bit-in-r",
        comment: "A bit of R is flipped.",
        input: |entry| flipped(entry, 70, 1),
    },
    BrokenSignature {
        name: "signature-bit-in-s",
        comment: "A bit of S is flipped.",
        input: |entry| flipped(entry, 102, 1),
    },
    BrokenSignature {
        name: "altered-log-id",
        comment: "The log id was changed after signing.",
        input: |entry| flipped(entry, 33, 1),
    },
    BrokenSignature {
        name: "altered-payload-size",
        comment: "The payload size was changed after signing.",
        input: |entry| flipped(entry, 35, 1),
    },
    BrokenSignature {
        name: "altered-payload-hash",
        comment: "The payload hash was changed after signing.",
        input: |entry| flipped(entry, 60, 1),
    },
    BrokenSignature {
        name: "altered-tag",
        comment: "The tag was changed after signing.",
        input: |entry| flipped(entry, 0, 1),
    },
    BrokenSignature {
        name: "signed-by-other",
        comment: "Signed with another key.",
        input: |_| hex(first().sign(&other_author())),
    },
];

fn signatures(set: &mut Set) {
    let bytes = first().sign(&author());
    for &BrokenSignature {
        name,
        comment,
        input,
    } in SIGNATURES
    {
        set.invalid(name, comment, "first", input(&bytes), "signature_invalid")
            .requires(&["KY1", "BA1"]);
    }
    malformed_signatures(set);
}

/// Signatures whose S is not canonical.
fn malformed_signatures(set: &mut Set) {
    let bytes = first().sign(&author());
    let unsigned = first().unsigned();
    let malleable = key::malleate(author().sign(&unsigned));
    set.invalid(
        "signature-plus-order",
        "S with the group order added: equal in the group, not canonical.",
        "first",
        hex([&unsigned[..], &malleable].concat()),
        "signature_malformed",
    )
    .or(&["signature_invalid"])
    .flag("Malleable")
    .requires(&["KY1"]);
    for bit in [0x20, 0x80] {
        set.invalid(
            &format!("signature-high-bit-{bit:02x}"),
            "One of the three highest bits of S is set.",
            "first",
            flipped(&bytes, 133, bit),
            "signature_malformed",
        )
        .or(&["signature_invalid"])
        .ruled("R11")
        .requires(&["KY1"])
        .kills();
    }
}

/// Entries only the holder of a key, or anybody at all, can make by doing the arithmetic themselves.
fn crafted(set: &mut Set) {
    let draft = first();
    let bytes = draft.sign(&author());
    set.invalid(
        "trailing-byte",
        "A byte after the signature.",
        "first",
        hex(&bytes) + "00",
        "entry_trailing_bytes",
    )
    .or(&["signature_invalid"])
    .flag("Trailing");
    for tail in [1, 32] {
        let unsigned = draft.unsigned();
        let (signature, extra) = author().sign_with_tail(&unsigned, tail);
        let crafted = [&unsigned[..], &signature, &extra].concat();
        let mut read = result(&draft, &bytes);
        read["signature"] = hex(signature).into();
        read["hash"] = Hash::of(&crafted).hex().into();
        set.invalid(
            &format!("trailing-{tail}-crafted"),
            "Bytes after the signature that the key holder made pass for signed ones.",
            "first",
            hex(&crafted),
            "entry_trailing_bytes",
        )
        .wire_reads("R9", read)
        .flag("Trailing")
        .flag("SignedByKeyHolder");
    }
    let mut identity = [0; 32];
    identity[0] = 1;
    let forged = Draft {
        author: identity,
        ..draft
    };
    let signed = [&forged.unsigned()[..], &author().identity_signature()].concat();
    set.valid(
        "author-of-small-order",
        "Signed by nobody: the identity point is the author.",
        hex(&signed),
        result(&forged, &signed),
    )
    .spec_is_open()
    .ruled("R12")
    .flag("SmallOrder");
}

fn encode() -> Set {
    let mut set = Set::new("entry.encode", "fields", &["BA1", "KY1"]);
    set.key("author", &author());
    encoded(&mut set);
    random_keys(&mut set);
    not_encoded(&mut set);
    key_lengths(&mut set);
    any_payload(&mut set);
    set
}

/// What a producer is given to make the entry of.
fn fields(draft: &Draft) -> Value {
    json!({
        "private_key": hex(author().seed()),
        "log_id": draft.log_id.to_string(),
        "seq_num": draft.seq_num.to_string(),
        "skiplink": draft.skiplink.map(|link| link.hex()),
        "backlink": draft.backlink.map(|link| link.hex()),
        "operation": hex(cafe_create(8, "Panda")),
    })
}

fn encoded(set: &mut Set) {
    let mut add = |name: &str, comment: &str, draft: &Draft| {
        let bytes = draft.sign(&author());
        let result = json!({"entry": hex(&bytes), "hash": Hash::of(&bytes).hex()});
        set.valid(name, comment, fields(draft), result);
    };
    add("first", "The first entry of a log.", &first());
    for seq_num in [2, 3, 4, 8, 13] {
        add(
            &format!("seq-{seq_num}"),
            "An entry with its links.",
            &at(seq_num),
        );
    }
    for log_id in [247, 248, u64::MAX] {
        add(
            &format!("log-{log_id}"),
            "A log id at an edge.",
            &Draft { log_id, ..first() },
        );
    }
}

fn random_keys(set: &mut Set) {
    for number in 0..12u8 {
        let key = Key::new(*blake3::hash(&[number]).as_bytes());
        let entry = Draft::first(&key, 0, &cafe_create(8, "Panda")).sign(&key);
        let mut given = fields(&first());
        given["private_key"] = hex(key.seed()).into();
        set.valid(
            &format!("key-{number}"),
            "The first entry of an author whose key looks random.",
            given,
            json!({"entry": hex(&entry), "hash": Hash::of(&entry).hex()}),
        );
    }
}

/// An entry that no producer makes.
struct NotEncoded {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    draft: fn() -> Draft,
    reason: &'static str,
}

const NOT_ENCODED: &[NotEncoded] = &[
    NotEncoded {
        name: "seq-zero",
        near: "first",
        comment: "Sequence numbers start at 1.",
        draft: || Draft {
            seq_num: 0,
            ..first()
        },
        reason: "seq_num_zero",
    },
    NotEncoded {
        name: "first-with-backlink",
        near: "first",
        comment: "The first entry has no backlink.",
        draft: || Draft {
            backlink: Some(id(1)),
            ..first()
        },
        reason: "backlink_mismatch",
    },
    NotEncoded {
        name: "second-without-backlink",
        near: "seq-2",
        comment: "The second entry has a backlink.",
        draft: || Draft {
            backlink: None,
            ..at(2)
        },
        reason: "backlink_mismatch",
    },
    NotEncoded {
        name: "second-with-skiplink",
        near: "seq-2",
        comment: "The second entry has no skiplink.",
        draft: || Draft {
            skiplink: Some(id(1)),
            ..at(2)
        },
        reason: "skiplink_mismatch",
    },
    NotEncoded {
        name: "fourth-without-skiplink",
        near: "seq-4",
        comment: "The fourth entry has a skiplink.",
        draft: || Draft {
            skiplink: None,
            ..at(4)
        },
        reason: "skiplink_mismatch",
    },
    NotEncoded {
        name: "fourth-links-identical",
        near: "seq-4",
        comment: "The links name different entries.",
        draft: || {
            let fourth = at(4);
            Draft {
                skiplink: fourth.backlink,
                ..fourth
            }
        },
        reason: "links_identical",
    },
];

fn not_encoded(set: &mut Set) {
    for &NotEncoded {
        name,
        near,
        comment,
        draft,
        reason,
    } in NOT_ENCODED
    {
        let case = set.invalid(name, comment, near, fields(&draft()), reason);
        case.flag("Links");
        if name == "second-with-skiplink" {
            // The deployed library signs it, and nobody can read what comes out.
            case.wire_is_open();
        }
    }
}

fn key_lengths(set: &mut Set) {
    for (name, len) in [("one-byte-short", 31), ("one-byte-long", 33)] {
        let mut input = fields(&first());
        input["private_key"] = hex([1].repeat(len)).into();
        let comment = format!("A private key of {len} bytes.");
        let name = format!("private-key-{name}");
        set.invalid(&name, &comment, "first", input, "key_length")
            .requires(&["KY1"])
            .flag("Boundary");
    }
}

/// An operation that is none is signed as any bytes are.
fn any_payload(set: &mut Set) {
    let payload = b"no operation";
    let draft = Draft::first(&author(), 0, payload);
    let bytes = draft.sign(&author());
    let mut input = fields(&draft);
    input["operation"] = hex(payload).into();
    set.valid(
        "payload-of-any-bytes",
        "What the bytes mean is no matter of the entry.",
        input,
        json!({"entry": hex(&bytes), "hash": Hash::of(&bytes).hex()}),
    );
}
