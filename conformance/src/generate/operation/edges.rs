//! Sizes and steps: strings at each length of a head, hundreds of fields, floats one step apart, names that
//! differ in case, and ids that are malformed where they stand inside lists.
//!
//! Asked of whoever reads and of whoever writes.

use serde_json::{Map, Value, json};

use super::super::fixtures::{CAFE, EVERY, id};
use super::super::set::Set;
use super::{cafe_fields, create_result, previous, refuse, update, update_result};
use crate::forge::{Hash, Item, hex, operation};

/// An UPDATE: name, comment, fields as CBOR, and as they are told.
type Update = (String, String, Vec<(String, Item)>, Map<String, Value>);

pub(super) fn edges() -> Vec<Set> {
    let mut read = Set::new("operation.decode", "edges", &["EN1", "OP7"]);
    let mut written = Set::new("operation.encode", "edges", &["EN1", "OP7"]);
    for (name, comment, fields, told) in sizes().chain(steps()).chain([names()]).chain(many()) {
        let fields = fields.iter().map(|(name, item)| (&**name, item.clone()));
        let bytes = hex(operation::update(EVERY, &[id(1)], fields).encode());
        let told = json!({
            "action": "update", "schema_id": EVERY, "previous": [id(1).hex()], "fields": told,
        });
        read.valid(&name, &comment, bytes.clone(), told.clone())
            .flag("Boundary");
        // A text that long stands in full in every file.
        if name != "text-of-65536" {
            written
                .valid(&name, &comment, told, json!({"operation": bytes}))
                .flag("Boundary");
        }
    }
    many_previous(&mut written);
    unsorted(&mut read);
    ids_in_lists(&mut read);
    heads(&mut read);
    nested(&mut read);
    items(&mut read);
    vec![read, written]
}

fn one(name: String, comment: String, field: &str, item: Item, told: Value) -> Update {
    let fields = vec![(field.to_owned(), item)];
    (
        name,
        comment,
        fields,
        [(field.to_owned(), told)].into_iter().collect(),
    )
}

/// The head of a string takes 1, 2, 3 or 5 bytes.
fn sizes() -> impl Iterator<Item = Update> {
    const SIZES: [usize; 8] = [22, 23, 24, 255, 256, 1000, 65_535, 65_536];
    let texts = SIZES
        .into_iter()
        .filter(|size| *size != 65_535)
        .map(|size| {
            let text = "p".repeat(size);
            let comment = format!("A text of {size} bytes.");
            let told = json!({"str": text});
            one(
                format!("text-of-{size}"),
                comment,
                "e_str",
                Item::text(text),
                told,
            )
        });
    let bytes = SIZES.into_iter().map(|size| {
        let bytes = vec![0x61; size];
        let comment = format!("A byte string of {size} bytes.");
        let told = json!({"bytes": hex(&bytes)});
        one(
            format!("bytes-of-{size}"),
            comment,
            "b_bytes",
            Item::bytes(bytes),
            told,
        )
    });
    let wide = [("umlauts", "ä".repeat(128)), ("pandas", "🐼".repeat(64))];
    let wide = wide.into_iter().map(|(name, text)| {
        let comment = format!("A text of {} bytes and fewer characters.", text.len());
        let told = json!({"str": text});
        one(
            format!("text-of-{name}"),
            comment,
            "e_str",
            Item::text(text),
            told,
        )
    });
    texts.chain(bytes).chain(wide)
}

/// One step of a wider float from one that fits a narrower.
fn steps() -> impl Iterator<Item = Update> {
    let doubles = [
        ("above-1-as-single", 0x3ff0_0000_0000_0001),
        ("below-1-as-single", 0x3fef_ffff_ffff_ffff),
        ("above-a-single", 0x3ff0_0000_2000_0001),
        ("below-a-single", 0x3ff0_0000_1fff_ffff),
        ("above-greatest-single", 0x47ef_ffff_e000_0001),
        ("below-greatest-single", 0x47ef_ffff_dfff_ffff),
        ("above-smallest-single", 0x36a0_0000_0000_0001),
        ("below-smallest-single", 0x369f_ffff_ffff_ffff),
        ("half-of-a-single-step", 0x3ff0_0000_1000_0000),
        ("single-above-1", 0x3ff0_0000_2000_0000),
        ("single-below-1", 0x3fef_ffff_e000_0000),
        ("single-above-a-half", 0x3ff0_0400_0000_0000 + 0x2000_0000),
        ("single-below-a-half", 0x3ff0_0400_0000_0000 - 0x2000_0000),
        ("single-above-greatest-half", 0x40ef_fc00_2000_0000),
        ("half-above-1", 0x3ff0_0400_0000_0000),
        ("greatest-half-negative", 0xc0ef_fc00_0000_0000),
        ("single-above-smallest-half", 0x3e70_0000_2000_0000),
        ("three-smallest-halves", 0x3e88_0000_0000_0000),
    ];
    doubles.into_iter().map(|(name, bits): (_, u64)| {
        let told = json!({"float": format!("{bits:016x}")});
        let comment = "A float one step from one that a narrower form holds, or that form's own.";
        let item = Item::Float(f64::from_bits(bits));
        one(
            format!("float-{name}"),
            comment.to_owned(),
            "d_float",
            item,
            told,
        )
    })
}

/// Capitals come before small letters, and the underscore between them.
fn names() -> Update {
    let names = ["A", "B", "Z", "Za", "ZA", "_", "a", "aA", "aa", "b", "z"];
    let mut names = names.map(str::to_owned);
    names.sort_unstable();
    of_names("names-in-both-cases", "Names that differ in case.", &names)
}

/// The head of a map takes 1, 2 or 3 bytes.
fn many() -> impl Iterator<Item = Update> {
    [23, 24, 256].into_iter().map(|count| {
        let names: Vec<_> = (1..=count).map(|n| format!("f{n:04x}")).collect();
        let name = format!("fields-{count}");
        of_names(&name, &format!("An operation of {count} fields."), &names)
    })
}

fn of_names(name: &str, comment: &str, names: &[String]) -> Update {
    let fields = names.iter().map(|name| (name.clone(), Item::Int(7)));
    let told = names.iter().map(|name| (name.clone(), json!({"int": "7"})));
    (
        name.to_owned(),
        comment.to_owned(),
        fields.collect(),
        told.collect(),
    )
}

/// Twenty ids come out ascending, whatever order a set has.
fn many_previous(set: &mut Set) {
    let ids: Vec<_> = (1..=20).map(id).collect();
    let given: Vec<_> = ids.iter().rev().chain(&ids[3..9]).map(Hash::hex).collect();
    let told = json!({
        "action": "update", "schema_id": EVERY, "previous": given, "fields": {},
    });
    let bytes = hex(operation::update(EVERY, &ids, []).encode());
    set.valid(
        "previous-of-20",
        "Twenty previous, given descending and some of them twice.",
        told,
        json!({"operation": bytes}),
    )
    .requires(&["EN2", "OP5"]);
}

fn unsorted(set: &mut Set) {
    let cases = [
        ("small-before-capital", ["a", "B"], "fields_unsorted"),
        ("small-before-underscore", ["a", "_"], "fields_unsorted"),
        ("underscore-before-capital", ["_", "Z"], "fields_unsorted"),
        ("same-letter-small-first", ["a", "A"], "fields_unsorted"),
    ];
    for (name, names, reason) in cases {
        let fields = |order: [&'static str; 2]| order.map(|name| (name, Item::Int(1)));
        let of = |order| operation::update(EVERY, &[id(1)], fields(order));
        let told: Map<_, _> = names
            .iter()
            .rev()
            .map(|name| ((*name).to_owned(), json!({"int": "1"})))
            .collect();
        let mut result = update_result("a", json!({}));
        result["fields"] = told.into();
        let near = format!("not-{name}");
        set.valid(
            &near,
            "Two names in the order of their bytes.",
            hex(of([names[1], names[0]]).encode()),
            result,
        )
        .requires(&["EN2"]);
        refuse(
            set,
            &near,
            (name, "Two names in the order of their letters."),
            of(names),
            reason,
        )
        .requires(&["EN2"]);
    }
}

/// Each id of a list is held to the form of an id.
fn ids_in_lists(set: &mut Set) {
    let [a, b] = previous();
    let told = |value: Value| update_result("g_relation_list", value);
    let list = |items: Vec<Item>| update("g_relation_list", Item::Array(items));
    let views = |items: Vec<Item>| list(vec![Item::ids(&[b]), Item::Array(items)]);
    set.valid(
        "ids",
        "A list of two ids.",
        hex(list(vec![Item::id(b), Item::id(a)]).encode()),
        told(json!({"ids": [b.hex(), a.hex()]})),
    );
    set.valid(
        "views",
        "A list of two lists of ids.",
        hex(views(vec![Item::id(a), Item::id(b)]).encode()),
        told(json!({"id_lists": [[b.hex()], [a.hex(), b.hex()]]})),
    );
    let cut: Vec<u8> = b.0[..33].to_vec();
    let longer = [&b.0[..], &[0]].concat();
    let broken = [
        ("short", cut, "hash_length"),
        ("long", longer, "hash_length"),
        ("empty", Vec::new(), "hash_length"),
        (
            "of-other-algorithm",
            b.with_byte(0, 1).0.to_vec(),
            "hash_algorithm",
        ),
        (
            "of-other-length",
            b.with_byte(1, 0x21).0.to_vec(),
            "hash_digest_length",
        ),
    ];
    for (name, bytes, reason) in broken {
        let odd = || Item::bytes(bytes.clone());
        let forms = [
            (
                "ids",
                list(vec![odd(), Item::id(a)]),
                json!({"ids": [hex(&bytes), a.hex()]}),
            ),
            (
                "ids",
                list(vec![Item::id(b), odd()]),
                json!({"ids": [b.hex(), hex(&bytes)]}),
            ),
            (
                "views",
                views(vec![Item::id(a), odd()]),
                json!({"id_lists": [[b.hex()], [a.hex(), hex(&bytes)]]}),
            ),
        ];
        for (place, (near, item, read)) in ["first", "last", "in-view"].into_iter().zip(forms) {
            let case = refuse(
                set,
                near,
                (
                    &format!("id-{name}-{place}"),
                    "An id inside a list that is none.",
                ),
                item,
                reason,
            );
            case.requires(&["OP7", "BA2"]);
            if reason == "hash_digest_length" {
                case.wire_reads("R10", told(read));
            }
        }
    }
}

/// Heads that mean nothing, each refused for what it is.
fn heads(set: &mut Set) {
    let heads = [
        ("unsigned-1c", 0x1c, "cbor_reserved"),
        ("unsigned-1d", 0x1d, "cbor_reserved"),
        ("unsigned-1e", 0x1e, "cbor_reserved"),
        ("unsigned-1f", 0x1f, "cbor_reserved"),
        ("negative-3f", 0x3f, "cbor_reserved"),
        ("simple-fc", 0xfc, "cbor_reserved"),
        ("simple-fd", 0xfd, "cbor_reserved"),
        ("simple-fe", 0xfe, "cbor_reserved"),
        ("bytes-5f", 0x5f, "cbor_indefinite"),
        ("text-7f", 0x7f, "cbor_indefinite"),
        ("array-9f", 0x9f, "cbor_indefinite"),
        ("map-bf", 0xbf, "cbor_indefinite"),
    ];
    for (name, head, reason) in heads {
        let case = refuse(
            set,
            "text-of-23",
            (
                &format!("head-{name}"),
                "A head whose additional information has no number.",
            ),
            update("e_str", Item::raw([head])),
            reason,
        );
        case.requires(&["EN1"]);
        if reason == "cbor_reserved" && head & 0x1f == 0x1f {
            case.or(&["cbor_indefinite"]);
        }
    }
    for (name, bytes) in [
        ("f97e02", [0xf9, 0x7e, 0x02]),
        ("f9fe00", [0xf9, 0xfe, 0x00]),
    ] {
        refuse(
            set,
            "float-half-above-1",
            (
                &format!("nan-{name}"),
                "A NaN of 16 bits, which is short enough, and not the one.",
            ),
            update("d_float", Item::raw(bytes)),
            "cbor_nan",
        )
        .requires(&["EN1"])
        .wire_takes("R20")
        .wire_is_open()
        .flag("Nan");
    }
}

/// Depth that no value has, wherever it is sought.
fn nested(set: &mut Set) {
    let deep = |opening: &[u8]| [opening.repeat(1500), vec![0xa0]].concat();
    let maps = [
        (
            "map-in-map-1500-deep",
            "Maps as values of maps, 1500 of them.",
            deep(&[0xa1, 0x61, 0x61]),
        ),
        (
            "map-in-name-1500-deep",
            "Maps as names of maps, 1500 of them.",
            deep(&[0xa1]),
        ),
        (
            "map-in-list-1500-deep",
            "Maps and lists in turn, 1500 of each.",
            deep(&[0x81, 0xa1, 0x61, 0x61]),
        ),
    ];
    for (name, comment, bytes) in maps {
        refuse(
            set,
            "ids",
            (name, comment),
            update("g_relation_list", Item::raw(bytes)),
            "value_type",
        )
        .or(&["list_item_type", "cbor_truncated", "operation_item_type"])
        .requires(&["OP7"])
        .flag("Boundary");
    }
    let [a, b] = previous();
    let list = |items: Vec<Item>| update("g_relation_list", Item::Array(items));
    let mixed = [
        (
            "view-of-number",
            "A list of ids beside a list of a number.",
            list(vec![Item::ids(&[b]), Item::Array(vec![Item::Int(5)])]),
        ),
        (
            "view-of-id-and-number",
            "A number beside an id in an inner list.",
            list(vec![
                Item::ids(&[b]),
                Item::Array(vec![Item::id(a), Item::Int(5)]),
            ]),
        ),
        (
            "view-of-text",
            "An id as text in an inner list.",
            list(vec![
                Item::ids(&[b]),
                Item::Array(vec![Item::text(a.hex())]),
            ]),
        ),
    ];
    for (name, comment, item) in mixed {
        refuse(set, "views", (name, comment), item, "list_item_type").requires(&["OP7"]);
    }
}

/// Arrays that end before they say what they are.
fn items(set: &mut Set) {
    let create = operation::create(CAFE, cafe_fields());
    set.valid(
        "whole-create",
        "A CREATE.",
        hex(create.encode()),
        create_result(),
    )
    .requires(&["OP1"]);
    let all = super::items(create);
    for count in 0..3 {
        refuse(
            set,
            "whole-create",
            (
                &format!("array-of-{count}"),
                "The first items of a CREATE alone.",
            ),
            Item::Array(all[..count].to_vec()),
            "operation_item_count",
        )
        .requires(&["OP1"]);
    }
}
