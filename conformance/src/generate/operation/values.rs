//! Field values as the bytes tell them, without a schema.

use serde_json::{Value, json};

use super::super::set::Set;
use super::{previous, refuse, update, update_result};
use crate::forge::cbor::float_wide;
use crate::forge::{Hash, Item, hex};
use crate::suite::{Case, Importance};

pub(super) fn values() -> Set {
    let mut set = Set::new("operation.decode", "values", &["OP7", "EN1"]);
    integers(&mut set);
    floats(&mut set);
    strings(&mut set);
    lists(&mut set);
    set
}

fn value<'a>(set: &'a mut Set, name: &str, field: &str, item: Item, value: Value) -> &'a mut Case {
    let comment = format!("The field {field} with a value of its kind.");
    set.valid(
        name,
        &comment,
        hex(update(field, item).encode()),
        update_result(field, value),
    )
}

/// Where the head of an integer grows, and the ends of the range.
const INTEGERS: &[i128] = &[
    0,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) + 1,
    i64::MAX as i128,
    -1,
    -24,
    -25,
    -256,
    -257,
    i64::MIN as i128,
];

fn integers(set: &mut Set) {
    let int = |n: i128| json!({"int": n.to_string()});
    for &n in INTEGERS {
        value(
            set,
            &format!("int-{n}").replace("--", "-minus-"),
            "c_int",
            Item::Int(n),
            int(n),
        )
        .flag("Boundary");
    }
    beyond_range(set);
    wide_integers(set);
    bignums(set);
    booleans(set);
    simple_values(set);
}

fn beyond_range(set: &mut Set) {
    for (name, near, n) in [
        ("int-past-the-end", "int-9223372036854775807", 1i128 << 63),
        (
            "int-greatest-unsigned",
            "int-9223372036854775807",
            u64::MAX.into(),
        ),
        (
            "int-before-the-start",
            "int-minus-9223372036854775808",
            -(1i128 << 63) - 1,
        ),
    ] {
        refuse(
            set,
            near,
            (name, "An integer beyond 64 bits with sign."),
            update("c_int", Item::Int(n)),
            "integer_out_of_range",
        )
        .flag("Boundary");
    }
}

fn wide_integers(set: &mut Set) {
    for width in [1, 2, 4, 8] {
        let item = update("c_int", Item::Int(23).wide(width));
        refuse(
            set,
            "int-23",
            (
                &format!("int-23-in-{width}"),
                "An integer in a longer form than needed.",
            ),
            item,
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("NonMinimal");
    }
    let item = update("c_int", Item::Int(-25).wide(2));
    refuse(
        set,
        "int-minus-25",
        (
            "int-minus-25-in-2",
            "A negative integer in a longer form than needed.",
        ),
        item,
        "cbor_not_minimal",
    )
    .wire_takes("R2")
    .flag("NonMinimal");
}

fn bignums(set: &mut Set) {
    for (name, near, tag, bytes) in [
        ("bignum", "int-24", 2, [24]),
        ("negative-bignum", "int-minus-25", 3, [24]),
    ] {
        let item = update("c_int", Item::bytes(bytes).tagged(tag));
        refuse(
            set,
            near,
            (name, "An integer as a bignum."),
            item,
            "cbor_tag",
        )
        .wire_takes("R2")
        .flag("Tag");
    }
    let huge = update("c_int", Item::bytes([1; 17]).tagged(2));
    refuse(
        set,
        "int-24",
        ("bignum-of-17-bytes", "A bignum beyond any integer."),
        huge,
        "cbor_tag",
    )
    .flag("Tag")
    .or(&["integer_out_of_range"]);
    refuse(
        set,
        "int-24",
        ("int-tagged", "A tag before a value."),
        update("c_int", Item::Int(24).tagged(99)),
        "cbor_tag",
    )
    .flag("Tag");
}

fn booleans(set: &mut Set) {
    value(
        set,
        "bool-true",
        "a_bool",
        Item::Bool(true),
        json!({"bool": true}),
    );
    value(
        set,
        "bool-false",
        "a_bool",
        Item::Bool(false),
        json!({"bool": false}),
    );
    refuse(
        set,
        "bool-true",
        ("bool-in-two-bytes", "True as a simple value of two bytes."),
        update("a_bool", Item::raw([0xf8, 0x15])),
        "cbor_simple",
    )
    .or(&["cbor_not_minimal"])
    .wire_takes("R2")
    .flag("NonMinimal");
}

/// Simple values that are no boolean, and heads that begin nothing.
fn simple_values(set: &mut Set) {
    for (name, byte) in [("null", 0xf6), ("undefined", 0xf7), ("simple-0", 0xe0)] {
        refuse(
            set,
            "bool-true",
            (name, "A simple value that is no boolean."),
            update("a_bool", Item::raw([byte])),
            "cbor_simple",
        )
        .or(&["value_type"]);
    }
    refuse(
        set,
        "bool-true",
        ("reserved-head", "A head with a reserved length."),
        update("a_bool", Item::raw([0x1c])),
        "cbor_reserved",
    )
    .or(&["cbor_truncated"]);
    refuse(
        set,
        "bool-true",
        ("break-alone", "A break outside of anything."),
        update("a_bool", Item::raw([0xff])),
        "cbor_indefinite",
    )
    .or(&["value_type"]);
}

/// Floats whose shortest form differs in width.
const FLOATS: &[(&str, f64)] = &[
    ("0", 0.0),
    ("minus-0", -0.0),
    ("1", 1.0),
    ("1.5", 1.5),
    ("65504", 65_504.0),
    ("65505", 65_505.0),
    ("100000", 100_000.0),
    ("0.1", 0.1),
    ("1e300", 1e300),
    ("smallest-half", 5.960_464_477_539_063e-8),
    ("smallest-single", 1.401_298_464_324_817e-45),
    ("smallest-double", 5e-324),
    ("greatest", f64::MAX),
    ("infinity", f64::INFINITY),
    ("minus-infinity", f64::NEG_INFINITY),
];

fn floats(set: &mut Set) {
    let float = |n: f64| json!({"float": format!("{:016x}", n.to_bits())});
    for &(name, n) in FLOATS {
        let case = value(
            set,
            &format!("float-{name}"),
            "d_float",
            Item::Float(n),
            float(n),
        );
        if n.is_infinite() {
            case.ruled("R20");
        }
    }
    let nan = json!({"float": "7ff8000000000000"});
    value(set, "float-nan", "d_float", Item::Float(f64::NAN), nan)
        .ruled("R20")
        .flag("Nan");
    wide_floats(set);
    other_nans(set);
}

/// Floats in more bytes than they need, by the name of the sound sibling.
const WIDE_FLOATS: &[(&str, f64, u8)] = &[
    ("1.5", 1.5, 4),
    ("1.5", 1.5, 8),
    ("100000", 100_000.0, 8),
    ("infinity", f64::INFINITY, 4),
    ("minus-0", -0.0, 8),
    ("smallest-half", 5.960_464_477_539_063e-8, 4),
];

fn wide_floats(set: &mut Set) {
    for &(name, n, width) in WIDE_FLOATS {
        let item = update("d_float", Item::raw(float_wide(n, width)));
        let id = format!("float-{name}-in-{width}");
        refuse(
            set,
            &format!("float-{name}"),
            (&id, "A float in more bytes than its value needs."),
            item,
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("FloatWidth");
    }
}

const OTHER_NANS: &[(&str, &[u8])] = &[
    ("payload", &[0xf9, 0x7e, 0x01]),
    ("negative", &[0xf9, 0xfe, 0x00]),
    ("single", &[0xfa, 0x7f, 0xc0, 0, 0]),
    ("double", &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
];

fn other_nans(set: &mut Set) {
    for &(name, bytes) in OTHER_NANS {
        let item = update("d_float", Item::raw(bytes));
        // Which NaN comes out of a lenient decoder is nobody's promise; that it is one, is.
        refuse(
            set,
            "float-nan",
            (&format!("float-nan-{name}"), "Another NaN than f97e00."),
            item,
            "cbor_nan",
        )
        .or(&["cbor_not_minimal"])
        .wire_takes("R20")
        .flag("Nan");
    }
}

const STRINGS: &[(&str, &str)] = &[
    ("empty", ""),
    ("panda", "panda"),
    ("emoji", "pän🐼"),
    ("not-normalised", "a\u{308}"),
    ("with-nul", "a\0b"),
    ("of-23", "abcdefghijklmnopqrstuvw"),
    ("of-24", "abcdefghijklmnopqrstuvwx"),
];

fn strings(set: &mut Set) {
    let text = |text: &str| json!({"str": text});
    for &(name, string) in STRINGS {
        value(
            set,
            &format!("str-{name}"),
            "e_str",
            Item::text(string),
            text(string),
        )
        .requires(&["OP7", "SC6"]);
    }
    let long = "p".repeat(300);
    value(
        set,
        "str-of-300",
        "e_str",
        Item::text(long.clone()),
        text(&long),
    )
    .requires(&["OP7", "SC6"]);
    broken_strings(set);
    bytes(set);
}

/// Texts that are not UTF-8, with their head.
const NOT_UTF8: &[(&str, &[u8])] = &[
    ("lone-continuation", &[0x61, 0x80]),
    ("overlong", &[0x62, 0xc0, 0xaf]),
    ("surrogate", &[0x63, 0xed, 0xa0, 0x80]),
    ("beyond-unicode", &[0x64, 0xf4, 0x90, 0x80, 0x80]),
];

fn broken_strings(set: &mut Set) {
    for &(name, bytes) in NOT_UTF8 {
        refuse(
            set,
            "str-panda",
            (&format!("str-{name}"), "A text that is not UTF-8."),
            update("e_str", Item::raw(bytes)),
            "cbor_utf8",
        )
        .requires(&["SC6"])
        .flag("Unicode");
    }
    refuse(
        set,
        "str-panda",
        ("str-indefinite", "A text in pieces."),
        update("e_str", Item::text("panda").indefinite()),
        "cbor_indefinite",
    )
    .wire_takes("R2")
    .flag("Indefinite");
    refuse(
        set,
        "str-panda",
        ("str-length-wide", "A text's length in a byte of its own."),
        update("e_str", Item::text("panda").wide(1)),
        "cbor_not_minimal",
    )
    .wire_takes("R2")
    .flag("NonMinimal");
    refuse(
        set,
        "str-panda",
        (
            "str-longer-than-input",
            "A text that claims more than there is.",
        ),
        update(
            "e_str",
            Item::raw([0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        "cbor_truncated",
    )
    .flag("Truncated");
}

fn bytes(set: &mut Set) {
    value(
        set,
        "bytes-empty",
        "b_bytes",
        Item::bytes([]),
        json!({"bytes": ""}),
    );
    value(
        set,
        "bytes-deadbeef",
        "b_bytes",
        Item::bytes([0xde, 0xad, 0xbe, 0xef]),
        json!({"bytes": "deadbeef"}),
    );
    refuse(
        set,
        "bytes-deadbeef",
        ("bytes-as-numbers", "Bytes as a list of numbers."),
        update("b_bytes", Item::Array(vec![Item::Int(0xde)])),
        "list_item_type",
    );
    refuse(
        set,
        "bytes-deadbeef",
        ("map-value", "A map as a value."),
        update("b_bytes", Item::Map(vec![])),
        "value_type",
    );
}

fn lists(set: &mut Set) {
    let [a, b] = previous();
    let ids = |ids: &[Hash]| json!({"ids": ids.iter().map(Hash::hex).collect::<Vec<_>>()});
    value(
        set,
        "relation",
        "f_relation",
        Item::id(a),
        json!({"bytes": a.hex()}),
    );
    value(
        set,
        "list-empty",
        "g_relation_list",
        Item::ids(&[]),
        ids(&[]),
    );
    value(
        set,
        "list-unsorted-with-duplicate",
        "g_relation_list",
        Item::ids(&[b, a, b]),
        ids(&[b, a, b]),
    );
    value(
        set,
        "list-of-one",
        "g_relation_list",
        Item::ids(&[a]),
        ids(&[a]),
    );
    let nested = |lists: &[&[Hash]]| Item::Array(lists.iter().map(|ids| Item::ids(ids)).collect());
    let views = json!({"id_lists": [[b.hex()], [a.hex(), b.hex()]]});
    value(
        set,
        "list-of-views",
        "i_pinned_relation_list",
        nested(&[&[b], &[a, b]]),
        views,
    );

    broken_lists(set);
    loose_lists(set);
}

/// A value that is a list, and not of ids.
struct BrokenList {
    name: &'static str,
    near: &'static str,
    item: fn(Hash, Hash) -> Item,
}

/// Lists of anything but ids, made of two ids.
const BROKEN_LISTS: &[BrokenList] = &[
    BrokenList {
        name: "list-of-numbers",
        near: "list-of-one",
        item: |_, _| Item::Array(vec![Item::Int(1)]),
    },
    BrokenList {
        name: "list-of-texts",
        near: "list-of-one",
        item: |a, _| Item::Array(vec![Item::text(a.hex())]),
    },
    BrokenList {
        name: "list-of-bools",
        near: "list-of-one",
        item: |_, _| Item::Array(vec![Item::Bool(true)]),
    },
    BrokenList {
        name: "list-mixed",
        near: "list-of-views",
        item: |a, b| Item::Array(vec![Item::id(a), Item::ids(&[b])]),
    },
    BrokenList {
        name: "list-mixed-the-other-way",
        near: "list-of-views",
        item: |a, b| Item::Array(vec![Item::ids(&[b]), Item::id(a)]),
    },
    BrokenList {
        name: "list-three-deep",
        near: "list-of-views",
        item: |a, _| Item::Array(vec![Item::Array(vec![Item::ids(&[a])])]),
    },
];

fn broken_lists(set: &mut Set) {
    let [a, b] = previous();
    for &BrokenList { name, near, item } in BROKEN_LISTS {
        refuse(
            set,
            near,
            (name, "A list of anything but ids."),
            update("g_relation_list", item(a, b)),
            "list_item_type",
        )
        .or(&["hash_length", "value_type"])
        .importance(Importance::Medium);
    }
}

/// Lists that are refused for how they are written.
fn loose_lists(set: &mut Set) {
    let [a, _] = previous();
    let item = update("g_relation_list", Item::Array(vec![Item::id(a).tagged(99)]));
    refuse(
        set,
        "list-of-one",
        ("list-item-tagged", "A tag before an id in a list."),
        item,
        "cbor_tag",
    )
    .flag("Tag");
    let item = update("g_relation_list", Item::ids(&[a]).indefinite());
    refuse(
        set,
        "list-of-one",
        ("list-indefinite", "A list without a length."),
        item,
        "cbor_indefinite",
    )
    .wire_takes("R2")
    .flag("Indefinite");
    let item = update(
        "g_relation_list",
        Item::raw([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    );
    refuse(
        set,
        "list-of-one",
        (
            "list-longer-than-input",
            "A list that claims 2^64 − 1 items.",
        ),
        item,
        "cbor_truncated",
    )
    .flag("Truncated");
    let deep = [vec![0x81; 5000], vec![0x80]].concat();
    refuse(
        set,
        "list-of-one",
        ("list-5000-deep", "Lists within lists, 5000 of them."),
        update("g_relation_list", Item::raw(deep)),
        "list_item_type",
    )
    .or(&["value_type", "cbor_truncated"]);
}
