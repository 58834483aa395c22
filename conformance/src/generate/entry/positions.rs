//! Entries far along in logs far along, where numbers take more bytes and doubles lose some of them.

use super::super::fixtures::{author, cafe_create, id};
use super::super::set::Set;
use super::{SIGNED, at, first, result};
use crate::forge::entry::seal;
use crate::forge::{Draft, hex, lipmaa, varu64};

/// T(35): the far link reaches back farthest there, and no double tells it from its neighbours.
const T35: u64 = (3u64.pow(35) - 1) / 2;

pub(super) fn positions() -> Set {
    let mut set = Set::new("entry.decode", "positions", &["BA1"]);
    set.key("author", &author());
    numbers(&mut set);
    links(&mut set);
    cuts(&mut set);
    long_numbers(&mut set);
    tails(&mut set);
    set
}

fn sound(set: &mut Set, name: &str, comment: &str, draft: &Draft) {
    let bytes = draft.sign(&author());
    set.valid(name, comment, hex(&bytes), result(draft, &bytes))
        .flag("Boundary");
}

/// An entry of this number, with the links it must have.
fn numbered(seq_num: u64) -> Draft {
    Draft {
        seq_num,
        skiplink: lipmaa::is_encoded(seq_num).then(|| id(1)),
        backlink: (seq_num > 1).then(|| id(2)),
        ..first()
    }
}

fn numbers(set: &mut Set) {
    for log_id in [9, 10, 11, 255, 256, (1 << 53) - 1, (1 << 53) + 1, 1 << 63] {
        let draft = Draft { log_id, ..first() };
        let name = format!("log-id-{log_id}");
        sound(
            set,
            &name,
            "A log id that is more than a digit, or than a double holds.",
            &draft,
        );
    }
    let seq_nums = [
        40,
        41,
        121,
        247,
        248,
        255,
        256,
        1 << 53,
        (1 << 53) + 1,
        T35 - 1,
        T35,
        T35 + 1,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 1,
    ];
    for seq_num in seq_nums {
        let name = format!("seq-num-{seq_num}");
        sound(
            set,
            &name,
            "The number alone says which links there are.",
            &numbered(seq_num),
        );
    }
    for payload_size in [247, 248, (1 << 53) + 1, 1 << 63] {
        let draft = Draft {
            payload_size,
            ..first()
        };
        let name = format!("payload-size-{payload_size}");
        sound(
            set,
            &name,
            "A size is only a number until the payload is there.",
            &draft,
        );
    }
}

/// One skiplink more or less than the number asks for.
fn links(set: &mut Set) {
    for seq_num in [
        40,
        41,
        121,
        (1 << 53) + 1,
        T35 - 1,
        T35,
        T35 + 1,
        1 << 63,
        u64::MAX - 1,
    ] {
        let sound = numbered(seq_num);
        let (name, skiplink) = match sound.skiplink {
            Some(_) => ("without", None),
            None => ("with", Some(id(1))),
        };
        let draft = Draft { skiplink, ..sound };
        set.invalid_signed(
            (
                &format!("seq-num-{seq_num}-{name}-skiplink"),
                "The number asks for another set of links.",
            ),
            &format!("seq-num-{seq_num}"),
            hex(draft.sign(&author())),
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
    let identical = Draft {
        skiplink: Some(id(2)),
        ..numbered(T35)
    };
    set.invalid_signed(
        (
            "seq-num-at-power-with-one-link-twice",
            "Both links name the same entry.",
        ),
        &format!("seq-num-{T35}"),
        hex(identical.sign(&author())),
        SIGNED,
        "links_identical",
    )
    .flag("Links");
}

/// The end in each part of an entry that has all of them.
fn cuts(set: &mut Set) {
    let draft = at(4);
    let bytes = draft.sign(&author());
    set.valid(
        "full",
        "An entry with both links.",
        hex(&bytes),
        result(&draft, &bytes),
    );
    for (len, name) in [
        (35, "before-skiplink"),
        (36, "in-skiplink-algorithm"),
        (37, "in-skiplink-head"),
        (60, "in-skiplink"),
        (69, "before-backlink"),
        (90, "in-backlink"),
        (103, "before-payload-size"),
        (104, "before-payload-hash"),
        (138, "before-signature"),
        (170, "before-s"),
    ] {
        set.invalid(
            &format!("full-cut-{name}"),
            &format!("Cut {}.", name.replace('-', " ")),
            "full",
            hex(&bytes[..len]),
            "entry_truncated",
        )
        .flag("Truncated")
        .or(&["varint_truncated", "hash_length"]);
    }
}

/// Numbers in their longest form, and the end in the middle of one.
fn long_numbers(set: &mut Set) {
    let draft = Draft {
        payload_size: 200,
        ..first()
    };
    sound(set, "short-numbers", "Every number fits a byte.", &draft);
    let head = [&[0][..], &draft.author].concat();
    let (log_id, seq_num, size) = (vec![0], vec![1], vec![200]);
    let parts = [
        (
            "log-id",
            [varu64::encode_wide(0, 8), seq_num.clone(), size.clone()],
        ),
        ("seq-num", [log_id.clone(), varu64::encode_wide(1, 8), size]),
        (
            "payload-size",
            [log_id, seq_num, varu64::encode_wide(200, 8)],
        ),
    ];
    for (name, numbers) in parts {
        let unsigned = [&head[..], &numbers.concat(), &draft.payload_hash.0].concat();
        set.invalid_signed(
            (
                &format!("{name}-in-8-bytes"),
                "A number in the longest form there is, signed.",
            ),
            "short-numbers",
            hex(seal(unsigned, &author())),
            SIGNED,
            "varint_not_minimal",
        )
        .flag("NonMinimal")
        .flag("SignedByKeyHolder");
    }
    let long = Draft {
        log_id: 1 << 63,
        seq_num: 1,
        payload_size: 1 << 63,
        ..first()
    };
    sound(
        set,
        "long-numbers",
        "Two numbers of nine bytes each.",
        &long,
    );
    let bytes = long.sign(&author());
    for (len, name) in [
        (34, "log-id-head"),
        (38, "log-id"),
        (44, "payload-size-head"),
        (50, "payload-size"),
    ] {
        set.invalid(
            &format!("long-cut-in-{name}"),
            "Cut inside of a number.",
            "long-numbers",
            hex(&bytes[..len]),
            "varint_truncated",
        )
        .flag("Truncated")
        .or(&["entry_truncated"]);
    }
}

/// What follows an entry looks like part of it.
fn tails(set: &mut Set) {
    let draft = Draft::first(&author(), 7, &cafe_create(8, "Panda"));
    sound(set, "alone", "An entry alone.", &draft);
    let bytes = draft.sign(&author());
    for (name, comment, tail) in [
        (
            "signature-twice",
            "The signature once more.",
            &bytes[bytes.len() - 64..],
        ),
        ("entry-twice", "The entry once more.", &bytes[..]),
        ("line-feed", "A line feed after the signature.", b"\n"),
    ] {
        let input = hex([&bytes[..], tail].concat());
        set.invalid(name, comment, "alone", input, "entry_trailing_bytes")
            .or(&["signature_invalid"])
            .flag("Trailing");
    }
}
