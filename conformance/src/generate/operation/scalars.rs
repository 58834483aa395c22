//! Numbers, texts, names and ids where languages go their own ways: doubles for integers, UTF-16 for
//! texts, signed bytes for ids.

use serde_json::json;

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::{refuse, update, update_result};
use crate::forge::cbor::float_wide;
use crate::forge::{Hash, Item, hex, operation};

/// Floats whose shortest width is easily got wrong, beside those of the other files.
pub(super) const FLOATS: &[(&str, f64)] = &[
    ("minus-1.5", -1.5),
    ("2048", 2048.0),
    ("2049", 2049.0),
    ("65519", 65_519.0),
    ("65520", 65_520.0),
    ("65536", 65_536.0),
    ("third-in-half", 0.333_251_953_125),
    ("largest-subnormal-half", 6.097_555_160_522_461e-5),
    ("one-and-a-half-smallest-halves", 8.940_696_716_308_594e-8),
    ("half-of-smallest-half", 2.980_232_238_769_531_2e-8),
    ("16777216", 16_777_216.0),
    ("16777217", 16_777_217.0),
    ("one-and-a-single-step", 1.000_000_119_209_289_6),
    ("one-and-half-a-single-step", 1.000_000_059_604_644_8),
    ("greatest-single", f32::MAX as f64),
    ("beyond-greatest-single", 3.402_823_669_209_385e38),
    ("smallest-normal-single", f32::MIN_POSITIVE as f64),
    ("largest-subnormal-single", 1.175_494_210_692_441_1e-38),
    ("half-of-smallest-single", 7.006_492_321_624_085e-46),
    ("smallest-normal-double", f64::MIN_POSITIVE),
];

pub(super) fn scalars() -> Set {
    let mut set = Set::new("operation.decode", "scalars", &["OP7", "EN1"]);
    integers(&mut set);
    floats(&mut set);
    not_numbers(&mut set);
    texts(&mut set);
    names(&mut set);
    ids(&mut set);
    set
}

fn integers(set: &mut Set) {
    let edges: [i128; 10] = [
        (1 << 31) - 1,
        1 << 31,
        -(1 << 31),
        -(1 << 31) - 1,
        (1 << 53) - 1,
        -(1 << 53) - 1,
        -65_536,
        -65_537,
        -(1 << 32),
        -(1 << 32) - 1,
    ];
    for n in edges {
        let name = format!("int-{n}").replace("--", "-minus-");
        let comment = format!("The integer {n}.");
        let input = hex(update("c_int", Item::Int(n)).encode());
        let result = update_result("c_int", json!({"int": n.to_string()}));
        set.valid(&name, &comment, input, result).flag("Boundary");
    }
    refuse(
        set,
        "int-minus-4294967297",
        ("int-least-there-is", "−2^64, the least integer of CBOR."),
        update("c_int", Item::Int(-(1 << 64))),
        "integer_out_of_range",
    )
    .flag("Boundary");
    for (n, width) in [
        (1i128 << 31, 8),
        (-65_536, 4),
        (-65_537, 8),
        (-(1 << 32), 8),
    ] {
        let near = format!("int-{n}").replace("--", "-minus-");
        refuse(
            set,
            &near,
            (
                &format!("{near}-in-{width}"),
                "An integer in a longer form than needed.",
            ),
            update("c_int", Item::Int(n).wide(width)),
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("NonMinimal");
    }
}

fn floats(set: &mut Set) {
    for &(name, n) in FLOATS {
        let result = update_result("d_float", json!({"float": format!("{:016x}", n.to_bits())}));
        set.valid(
            &format!("float-{name}"),
            "A float in the shortest width that keeps its bits.",
            hex(update("d_float", Item::Float(n)).encode()),
            result,
        )
        .flag("Boundary");
    }
    for (name, n, width) in [
        ("65519", 65_519.0, 8),
        ("third-in-half", 0.333_251_953_125, 4),
        ("largest-subnormal-half", 6.097_555_160_522_461e-5, 4),
        ("half-of-smallest-half", 2.980_232_238_769_531_2e-8, 8),
        ("largest-subnormal-single", 1.175_494_210_692_441_1e-38, 8),
        ("greatest-single", f64::from(f32::MAX), 8),
        ("2048", 2048.0, 8),
        ("16777216", 16_777_216.0, 8),
    ] {
        let item = update("d_float", Item::raw(float_wide(n, width)));
        refuse(
            set,
            &format!("float-{name}"),
            (
                &format!("float-{name}-in-{width}"),
                "A float in more bytes than its value needs.",
            ),
            item,
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("FloatWidth");
    }
}

/// Every other way to say that something is not a number.
fn not_numbers(set: &mut Set) {
    let nan = update_result("d_float", json!({"float": "7ff8000000000000"}));
    let one = update("d_float", Item::Float(f64::NAN));
    set.valid("nan", "The one NaN.", hex(one.encode()), nan)
        .ruled("R20")
        .flag("Nan");
    let others: [(&str, &[u8]); 6] = [
        ("signalling-half", &[0xf9, 0x7d, 0x00]),
        ("least-half", &[0xf9, 0x7c, 0x01]),
        ("negative-single", &[0xfa, 0xff, 0xc0, 0, 0]),
        ("signalling-single", &[0xfa, 0x7f, 0x80, 0, 1]),
        ("negative-double", &[0xfb, 0xff, 0xf8, 0, 0, 0, 0, 0, 0]),
        ("payload-double", &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1]),
    ];
    for (name, bytes) in others {
        refuse(
            set,
            "nan",
            (&format!("nan-{name}"), "Another NaN than f97e00."),
            update("d_float", Item::raw(bytes)),
            "cbor_nan",
        )
        .or(&["cbor_not_minimal"])
        .wire_takes("R20")
        .flag("Nan");
    }
}

fn texts(set: &mut Set) {
    for (name, text) in [
        ("byte-order-mark", "\u{feff}panda".to_owned()),
        ("nul-alone", "\0".to_owned()),
        ("last-before-surrogates", "\u{d7ff}".to_owned()),
        ("first-after-surrogates", "\u{e000}".to_owned()),
        ("no-character", "\u{ffff}".to_owned()),
        ("beyond-the-first-plane", "\u{10000}".to_owned()),
        ("greatest-character", "\u{10ffff}".to_owned()),
        ("joined", "👩\u{200d}👩\u{200d}👧".to_owned()),
        ("right-to-left", "\u{202e}abc".to_owned()),
        ("composed-differently", "\u{1e69}s\u{323}\u{307}".to_owned()),
        ("line-feeds", "a\r\nb\n".to_owned()),
        ("of-255-bytes", "p".repeat(255)),
        ("of-256-bytes", "p".repeat(256)),
    ] {
        set.valid(
            &format!("text-{name}"),
            "A text comes out as it went in, byte for byte.",
            hex(update("e_str", Item::text(text.clone())).encode()),
            update_result("e_str", json!({"str": text})),
        )
        .requires(&["SC6", "OP7"])
        .flag("Unicode");
    }
    let sequences: [(&str, &[u8]); 12] = [
        ("surrogate-pair", &[0xed, 0xa0, 0xbc, 0xed, 0xb0, 0xbc]),
        ("low-surrogate", &[0xed, 0xb0, 0x80]),
        ("overlong-nul", &[0xc0, 0x80]),
        ("overlong-three", &[0xe0, 0x82, 0xac]),
        ("overlong-four", &[0xf0, 0x82, 0x82, 0xac]),
        ("five-bytes", &[0xf8, 0x88, 0x80, 0x80, 0x80]),
        ("byte-fe", &[0xfe]),
        ("byte-f5", &[0xf5, 0x80, 0x80, 0x80]),
        ("cut-after-two-of-three", &[0xe2, 0x82]),
        ("cut-after-three-of-four", &[0xf0, 0x9f, 0x90]),
        ("lead-before-ascii", &[0xc3, 0x28]),
        ("latin-1", &[0x70, 0xe4, 0x6e]),
    ];
    for (name, bytes) in sequences {
        let head = 0x60 | bytes.len() as u8;
        refuse(
            set,
            "text-nul-alone",
            (&format!("text-{name}"), "A text that is not UTF-8."),
            update("e_str", Item::raw([&[head], bytes].concat())),
            "cbor_utf8",
        )
        .requires(&["SC6"])
        .flag("Unicode");
    }
}

/// Names ascend as bytes: not as UTF-16, not without regard to case, not by length.
fn names(set: &mut Set) {
    let with = |names: [&str; 2]| {
        let fields = names.map(|name| (name, Item::Bool(true)));
        operation::update(CAFE, &[id(1)], fields)
    };
    let long = ["b".repeat(24), "c".to_owned()];
    for (case, comment, [first, second]) in [
        (
            "beyond-utf-16",
            "A character of two UTF-16 units comes last.",
            ["\u{ffff}", "\u{10000}"],
        ),
        ("capital", "Capitals come before small letters.", ["B", "a"]),
        (
            "prefix",
            "A name comes before those it begins.",
            ["a", "aa"],
        ),
        (
            "underscore",
            "The underscore stands between capitals and small letters.",
            ["A_", "Aa"],
        ),
        ("digits", "Digits are not read as numbers.", ["a10", "a9"]),
        (
            "longer-head",
            "The length in the head plays no part.",
            [&long[0], &long[1]],
        ),
        (
            "composed",
            "Nothing is normalised before names are compared.",
            ["e\u{301}", "\u{e9}"],
        ),
    ] {
        let sound = format!("names-{case}");
        let result = json!({
            "action": "update", "schema_id": CAFE, "previous": [id(1).hex()],
            "fields": {first: {"bool": true}, second: {"bool": true}},
        });
        set.valid(&sound, comment, hex(with([first, second]).encode()), result)
            .requires(&["EN2"])
            .ruled("R1");
        refuse(
            set,
            &sound,
            (
                &format!("{sound}-reversed"),
                "The same names the other way around.",
            ),
            with([second, first]),
            "fields_unsorted",
        )
        .requires(&["EN2"])
        .ruled("R1")
        .flag("Unsorted");
    }
}

/// Ids ascend as unsigned bytes, to the last one.
fn ids(set: &mut Set) {
    let delete = |ids: &[Hash]| operation::delete(CAFE, ids);
    for (case, comment, ids) in [
        (
            "sign-bit",
            "Bytes have no sign.",
            vec![Hash::repeating(0x7f), Hash::repeating(0x80)],
        ),
        ("last-byte", "Ids that differ in the last byte only.", {
            vec![id(5).with_byte(33, 5), id(5).with_byte(33, 6)]
        }),
        (
            "third",
            "The third id is the greatest.",
            vec![id(1), id(2), id(3)],
        ),
    ] {
        let sound = format!("ids-{case}");
        let result = json!({
            "action": "delete", "schema_id": CAFE,
            "previous": ids.iter().map(Hash::hex).collect::<Vec<_>>(), "fields": null,
        });
        set.valid(&sound, comment, hex(delete(&ids).encode()), result)
            .requires(&["EN2", "DV1", "OP5"]);
        let mut wrong = ids.clone();
        let last = wrong.len() - 1;
        wrong.swap(last - 1, last);
        refuse(
            set,
            &sound,
            (
                &format!("{sound}-reversed"),
                "The last two the other way around.",
            ),
            delete(&wrong),
            "view_id_unsorted",
        )
        .requires(&["EN2", "DV1", "OP5"])
        .flag("Unsorted");
        wrong[last] = ids[last];
        wrong[last - 1] = ids[last];
        refuse(
            set,
            &sound,
            (&format!("{sound}-twice"), "The last one twice."),
            delete(&wrong),
            "view_id_duplicate",
        )
        .requires(&["EN2", "DV1", "OP5"])
        .flag("Duplicate");
    }
}
