//! Public keys as text, and the points of the curve behind them.

use curve25519_dalek::edwards::CompressedEdwardsY;
use serde_json::json;

use super::super::fixtures::{author, other_author};
use super::super::set::Set;
use crate::forge::torsion::{order, small_order_encodings};
use crate::forge::{Key, hex};
use crate::suite::Importance;

pub(super) fn keys() -> Set {
    let mut set = Set::new("key.public", "text", &["KY1", "BA3"]);
    for (name, key) in [
        ("first", author()),
        ("second", other_author()),
        ("third", Key::repeating(3)),
        ("of-zero-seed", Key::repeating(0)),
        (
            "of-counting-seed",
            Key::new(std::array::from_fn(|n| n as u8)),
        ),
    ] {
        let text = hex(key.public());
        set.valid(
            name,
            "A public key.",
            text.clone(),
            json!({"public_key": text}),
        );
    }
    let text = hex(author().public());
    let upper = text.to_uppercase();
    set.valid(
        "uppercase",
        "Keys are only bytes, so either case is fine.",
        upper,
        json!({"public_key": text}),
    )
    .ruled("R13")
    .flag("Uppercase");

    malformed(&mut set, &text);
    points(&mut set);
    small_orders(&mut set);
    set
}

/// What is made of the text of a key so that it is none.
struct Malformed {
    name: &'static str,
    comment: &'static str,
    change: fn(&str) -> String,
    reason: &'static str,
}

const MALFORMED: &[Malformed] = &[
    Malformed {
        name: "one-byte-short",
        comment: "31 bytes.",
        change: |text| text[..62].to_owned(),
        reason: "key_length",
    },
    Malformed {
        name: "one-byte-long",
        comment: "33 bytes.",
        change: |text| format!("{text}00"),
        reason: "key_length",
    },
    Malformed {
        name: "empty",
        comment: "Nothing.",
        change: |_| String::new(),
        reason: "key_length",
    },
    Malformed {
        name: "odd-digits",
        comment: "63 digits.",
        change: |text| text[..63].to_owned(),
        reason: "invalid_hex",
    },
    Malformed {
        name: "prefixed",
        comment: "Hex without a prefix is asked.",
        change: |text| format!("0x{text}"),
        reason: "invalid_hex",
    },
    Malformed {
        name: "not-hex",
        comment: "A letter that is no digit.",
        change: |text| format!("g{}", &text[1..]),
        reason: "invalid_hex",
    },
    Malformed {
        name: "space-before",
        comment: "A space before the digits.",
        change: |text| format!("  {text}"),
        reason: "invalid_hex",
    },
    Malformed {
        name: "line-feed-after",
        comment: "A line feed after the digits.",
        change: |text| format!("{text}\n"),
        reason: "invalid_hex",
    },
];

fn malformed(set: &mut Set, text: &str) {
    for &Malformed {
        name,
        comment,
        change,
        reason,
    } in MALFORMED
    {
        set.invalid(name, comment, "first", change(text), reason)
            .flag("Text");
    }
}

/// Keys off the curve, and one of two spellings.
fn points(set: &mut Set) {
    set.invalid(
        "off-the-curve",
        "The smallest y that no point of the curve has.",
        "first",
        hex(off_the_curve()),
        "key_not_on_curve",
    );
    let second_spelling = hex(not_reduced(true));
    set.valid(
        "not-reduced",
        "A point of large order whose y is not reduced: one more spelling, and another key.",
        second_spelling.clone(),
        json!({"public_key": second_spelling}),
    )
    .importance(Importance::Medium);
    set.invalid(
        "not-reduced-off-the-curve",
        "A y that is not reduced and has no point.",
        "not-reduced",
        hex(not_reduced(false)),
        "key_not_on_curve",
    );
}

/// Points of small order: the first byte, the 30 between, and the last.
const SMALL_ORDERS: &[(&str, &str, &str, &str)] = &[
    ("identity", "01", "00", "00"),
    ("order-two", "ec", "ff", "7f"),
    ("order-four", "00", "00", "00"),
    ("order-four-negative", "00", "00", "80"),
    ("identity-not-canonical", "ee", "ff", "7f"),
    ("identity-with-sign", "01", "00", "80"),
];

fn small_orders(set: &mut Set) {
    let spelled = SMALL_ORDERS.iter().map(|(name, first, middle, last)| {
        let bytes = format!("{first}{}{last}", middle.repeat(30));
        ((*name).to_owned(), bytes)
    });
    let spelled: Vec<_> = spelled.collect();
    let known: Vec<_> = spelled.iter().map(|(_, bytes)| bytes.clone()).collect();
    let others = small_order_encodings().into_iter().enumerate();
    let others = others.map(|(index, (part, bytes))| {
        let form = if index < 8 { "canonical" } else { "other" };
        (format!("order-{}-{form}-{index}", order(part)), hex(bytes))
    });
    for (name, bytes) in spelled
        .into_iter()
        .chain(others.filter(|(_, bytes)| !known.contains(bytes)))
    {
        let result = json!({"public_key": bytes});
        set.valid(
            &name,
            "A point of small order: anybody can sign for it.",
            bytes,
            result,
        )
        .spec_is_open()
        .ruled("R12")
        .flag("SmallOrder")
        .importance(Importance::Medium);
    }
}

/// The encoding of the smallest y without a point.
pub(crate) fn off_the_curve() -> [u8; 32] {
    let encode = |y: u8| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    };
    (0..=u8::MAX)
        .map(encode)
        .find(|bytes| CompressedEdwardsY(*bytes).decompress().is_none())
        .expect("half of all y have no point")
}

/// Points of large order, or of none, by keys whose y is written as y + p, which still fits 255 bits.
fn not_reduced(is_point: bool) -> [u8; 32] {
    // p ends in ed, and y = 0 and y = 1 are of small order.
    let encode = |first: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (first, 0x7f);
        bytes
    };
    (0xed + 2..=u8::MAX)
        .map(encode)
        .find(|bytes| CompressedEdwardsY(*bytes).decompress().is_some() == is_point)
        .expect("half of all y have a point")
}
