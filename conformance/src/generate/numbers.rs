//! Cases of `varu64.decode`, `varu64.encode` and `lipmaa`.

use serde_json::json;

use super::set::Set;
use crate::forge::{hex, lipmaa, varu64};
use crate::suite::Importance;

/// Values on both sides of every change of length.
const BOUNDARIES: [u64; 25] = [
    0,
    1,
    23,
    127,
    247,
    248,
    255,
    256,
    65_535,
    65_536,
    (1 << 24) - 1,
    1 << 24,
    (1 << 32) - 1,
    1 << 32,
    (1 << 40) - 1,
    1 << 40,
    (1 << 48) - 1,
    1 << 48,
    // Where numbers kept as doubles begin to lose bits, and where signed ones end.
    (1 << 53) - 1,
    (1 << 53) + 1,
    (1 << 56) - 1,
    1 << 56,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

pub(super) fn sets() -> Vec<Set> {
    vec![decode(), encode(), lipmaa_links()]
}

fn decode() -> Set {
    let mut set = Set::new("varu64.decode", "boundaries", &["BA1"]);
    for value in BOUNDARIES {
        let bytes = hex(varu64::encode(value));
        let case = set.valid(
            &value.to_string(),
            &format!("{value} in its shortest form."),
            bytes.clone(),
            json!({"value": value.to_string()}),
        );
        case.flag("Boundary");
    }
    for (value, len) in [(0, 1), (1, 1), (247, 1), (255, 2), (65_535, 3), (65_536, 8)] {
        set.invalid(
            &format!("{value}-in-{len}-bytes"),
            &format!("{value} in {len} bytes after the first, which is longer than needed."),
            &value.to_string(),
            hex(varu64::encode_wide(value, len)),
            "varint_not_minimal",
        )
        .flag("NonMinimal");
    }
    for (value, len) in [(1 << 24, 7), (1 << 32, 6), (1 << 40, 8), (1 << 56, 8)] {
        let shortest = varu64::encode(value).len() - 1;
        if len > shortest {
            set.invalid(
                &format!("{value}-in-{len}-bytes"),
                &format!("{value} in {len} bytes after the first, which is longer than needed."),
                &value.to_string(),
                hex(varu64::encode_wide(value, len)),
                "varint_not_minimal",
            )
            .flag("NonMinimal");
        }
    }
    not_minimal(&mut set);
    truncated(&mut set);
    trailing(&mut set);
    set
}

fn truncated(set: &mut Set) {
    for value in [
        248,
        256,
        65_536,
        1 << 24,
        1 << 32,
        1 << 40,
        1 << 48,
        1 << 56,
        u64::MAX,
    ] {
        let bytes = varu64::encode(value);
        set.invalid(
            &format!("{value}-truncated"),
            &format!("{value} without its last byte."),
            &value.to_string(),
            hex(&bytes[..bytes.len() - 1]),
            "varint_truncated",
        )
        .flag("Truncated");
        if bytes.len() > 2 {
            set.invalid(
                &format!("{value}-first-byte-alone"),
                &format!("The first byte of {value}, and none of those it announces."),
                &value.to_string(),
                hex(&bytes[..1]),
                "varint_truncated",
            )
            .flag("Truncated");
        }
    }
    set.invalid("empty", "No byte at all.", "0", "", "varint_truncated")
        .flag("Truncated");
    set.invalid(
        "first-byte-alone",
        "A first byte that announces one more.",
        "248",
        "f8",
        "varint_truncated",
    )
    .flag("Truncated");
}

fn trailing(set: &mut Set) {
    for (value, tail) in [(0u64, "00"), (248, "00"), (u64::MAX, "ff")] {
        set.invalid(
            &format!("{value}-and-more"),
            &format!("{value} with a byte after it."),
            &value.to_string(),
            hex(varu64::encode(value)) + tail,
            "varint_trailing_bytes",
        )
        .flag("Trailing");
    }
}

/// Every length with the greatest number that would do with a byte less, and with zero.
fn not_minimal(set: &mut Set) {
    let greatest_below = (4..=8).map(|len| ((1u64 << (8 * (len - 1))) - 1, len));
    for (value, len) in greatest_below.chain((2..=8).map(|len| (0, len))) {
        set.invalid(
            &format!("{value}-in-{len}-bytes"),
            &format!("{value} in {len} bytes after the first, which is longer than needed."),
            &value.to_string(),
            hex(varu64::encode_wide(value, len)),
            "varint_not_minimal",
        )
        .flag("NonMinimal");
    }
}

fn encode() -> Set {
    let mut set = Set::new("varu64.encode", "boundaries", &["BA1"]);
    for value in BOUNDARIES {
        let expected = json!({"bytes": hex(varu64::encode(value))});
        set.valid(
            &value.to_string(),
            &format!("{value}."),
            value.to_string(),
            expected,
        )
        .flag("Boundary");
    }
    let malformed = [
        (
            "past-the-end",
            "2^64 does not fit.",
            "18446744073709551615",
            "18446744073709551616",
        ),
        ("negative", "There are no negative numbers.", "1", "-1"),
        ("fraction", "There are no fractions.", "1", "1.0"),
        ("empty", "Nothing is not a number.", "1", ""),
        ("space", "A space before the digits.", "1", " 1"),
        ("letters", "Hex digits are not decimal digits.", "1", "1f"),
        ("exponent", "An exponent is not a digit.", "1", "1e3"),
        ("prefix", "Hex is not decimal.", "1", "0x1"),
        ("plus", "A plus sign before the digits.", "1", "+1"),
        (
            "padded",
            "A zero before the digits: each number has one spelling.",
            "1",
            "01",
        ),
        ("separator", "Digits are not grouped.", "1", "1_000"),
        ("line-feed", "A line feed after the digits.", "1", "1\n"),
        ("other-digits", "Digits of another script.", "1", "١"),
    ];
    for (name, comment, near, input) in malformed {
        let case = set.invalid(name, comment, near, input, "invalid_number");
        case.flag("Text")
            .requires(&["BA3"])
            .importance(Importance::Low);
        if matches!(name, "plus" | "padded") {
            case.wire_is_open();
        }
    }
    set
}

/// T(k) = (3^k − 1) / 2 with its neighbours, where links reach farthest, and 2·T(k) + 1, where the next
/// of the smaller ranges begins; from T(35) on, no double tells neighbours apart.
fn around_powers() -> impl Iterator<Item = u64> {
    let triangle = |k: u32| ((3u128.pow(k) - 1) / 2) as u64;
    [8, 20, 33, 34, 35, 36, 39, 40]
        .into_iter()
        .map(triangle)
        .flat_map(|t| [t - 1, t, t + 1, 2 * t, 2 * t + 1])
}

/// A text that is no sequence number.
struct NoNumber {
    name: &'static str,
    comment: &'static str,
    near: &'static str,
    input: &'static str,
    reason: &'static str,
}

const NO_NUMBERS: &[NoNumber] = &[
    NoNumber {
        name: "zero",
        comment: "Sequence numbers start at 1.",
        near: "1",
        input: "0",
        reason: "seq_num_zero",
    },
    NoNumber {
        name: "past-the-end",
        comment: "2^64 does not fit.",
        near: "18446744073709551615",
        input: "18446744073709551616",
        reason: "invalid_number",
    },
    NoNumber {
        name: "negative",
        comment: "There are no negative positions.",
        near: "1",
        input: "-1",
        reason: "invalid_number",
    },
];

fn lipmaa_links() -> Set {
    let mut set = Set::new("lipmaa", "links", &["BA1"]);
    let few = (1..=14).chain([
        17, 21, 25, 26, 39, 40, 41, 120, 121, 122, 363, 364, 365, 1093,
    ]);
    // The powers of three run past 2^64 before the sequence numbers do.
    let huge = [
        (1 << 32) - 1,
        1 << 53,
        (1 << 53) + 1,
        i64::MAX as u64,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    for seq_num in few.chain(around_powers()).chain(huge) {
        let expected = json!({
            "lipmaa": lipmaa::lipmaa(seq_num).to_string(),
            "encoded": lipmaa::is_encoded(seq_num),
        });
        let comment = format!("The far link of sequence number {seq_num}.");
        let case = set.valid(
            &seq_num.to_string(),
            &comment,
            seq_num.to_string(),
            expected,
        );
        if seq_num > 2000 {
            case.flag("Boundary");
        }
    }
    for &NoNumber {
        name,
        comment,
        near,
        input,
        reason,
    } in NO_NUMBERS
    {
        set.invalid(name, comment, near, input, reason)
            .flag("Boundary");
    }
    set
}
