//! Cases of the text forms: `key.public`, `hash.parse`, `hash.of`, `view.parse`, `view.hash`,
//! `schema.parse`.

use curve25519_dalek::edwards::CompressedEdwardsY;
use serde_json::{Value, json};

use super::fixtures::{CAFE, author, id, other_author};
use super::set::Set;
use crate::forge::torsion::{order, small_order_encodings};
use crate::forge::{Hash, Key, hash, hex};
use crate::suite::Importance;

pub fn sets() -> Vec<Set> {
    vec![
        keys(),
        hash_of(),
        hash_parse(),
        view_parse(),
        view_hash(),
        schema_parse(),
    ]
}

fn keys() -> Set {
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

    let malformed = [
        (
            "one-byte-short",
            "31 bytes.",
            text[..62].to_owned(),
            "key_length",
        ),
        (
            "one-byte-long",
            "33 bytes.",
            format!("{text}00"),
            "key_length",
        ),
        ("empty", "Nothing.", String::new(), "key_length"),
        (
            "odd-digits",
            "63 digits.",
            text[..63].to_owned(),
            "invalid_hex",
        ),
        (
            "prefixed",
            "Hex without a prefix is asked.",
            format!("0x{text}"),
            "invalid_hex",
        ),
        (
            "not-hex",
            "A letter that is no digit.",
            format!("g{}", &text[1..]),
            "invalid_hex",
        ),
        (
            "space-before",
            "A space before the digits.",
            format!("  {text}"),
            "invalid_hex",
        ),
        (
            "line-feed-after",
            "A line feed after the digits.",
            format!("{text}\n"),
            "invalid_hex",
        ),
    ];
    for (name, comment, input, reason) in malformed {
        set.invalid(name, comment, "first", input, reason)
            .flag("Text");
    }
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
    let small = [
        ("identity", "01", "00", "00"),
        ("order-two", "ec", "ff", "7f"),
        ("order-four", "00", "00", "00"),
        ("order-four-negative", "00", "00", "80"),
        ("identity-not-canonical", "ee", "ff", "7f"),
        ("identity-with-sign", "01", "00", "80"),
    ];
    let spelled = small.map(|(name, first, middle, last)| {
        let bytes = format!("{first}{}{last}", middle.repeat(30));
        (name.to_owned(), bytes)
    });
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
    set
}

/// The encoding of the smallest y without a point.
pub fn off_the_curve() -> [u8; 32] {
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

fn hash_of() -> Set {
    let mut set = Set::new("hash.of", "bytes", &["BA2"]);
    let counting = |len: usize| (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>();
    // 1024 bytes are a BLAKE3 chunk, where its tree begins.
    let lens = [
        0, 1, 3, 34, 64, 65, 134, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 8193,
    ];
    for len in lens {
        let bytes = counting(len);
        let result = json!({"hash": Hash::of(&bytes).hex()});
        set.valid(
            &format!("{len}-bytes"),
            &format!("{len} bytes counting up."),
            hex(bytes),
            result,
        );
    }
    set.valid(
        "abc",
        "The three letters abc.",
        hex("abc"),
        json!({"hash": Hash::of("abc").hex()}),
    );
    set.invalid(
        "odd-digits",
        "Half a byte.",
        "3-bytes",
        "00010",
        "invalid_hex",
    )
    .flag("Text")
    .requires(&["BA3"]);
    set.invalid(
        "not-hex",
        "A letter that is no digit.",
        "3-bytes",
        "0001zz",
        "invalid_hex",
    )
    .flag("Text")
    .requires(&["BA3"]);
    set
}

fn hash_parse() -> Set {
    let mut set = Set::new("hash.parse", "text", &["BA2"]);
    let abc = Hash::of("abc");
    let sound = [
        ("abc", "The hash of abc.", abc),
        ("empty-input", "The hash of nothing.", Hash::of("")),
        ("all-zero", "Any 32 bytes are a digest.", id(0)),
        ("all-ones", "Any 32 bytes are a digest.", id(0xff)),
    ];
    for (name, comment, hash) in sound {
        set.valid(name, comment, hash.hex(), json!({"hash": hash.hex()}));
    }
    let text = abc.hex();
    let malformed = [
        (
            "one-byte-short",
            "33 bytes.",
            text[..66].to_owned(),
            "hash_length",
        ),
        (
            "one-byte-long",
            "35 bytes.",
            format!("{text}00"),
            "hash_length",
        ),
        ("empty", "Nothing.", String::new(), "hash_length"),
        (
            "digest-alone",
            "The digest without its two bytes in front.",
            text[4..].to_owned(),
            "hash_length",
        ),
        (
            "odd-digits",
            "67 digits.",
            text[..67].to_owned(),
            "invalid_hex",
        ),
        (
            "prefixed",
            "Hex without a prefix is asked.",
            format!("0x{text}"),
            "invalid_hex",
        ),
        (
            "not-hex",
            "A letter that is no digit.",
            text.replacen("6437", "g437", 1),
            "invalid_hex",
        ),
        (
            "line-feed-after",
            "A line feed after the digits.",
            format!("{text}\n"),
            "invalid_hex",
        ),
        (
            "not-ascii",
            "A digit of another script.",
            text.replacen("0020", "00２0", 1),
            "invalid_hex",
        ),
        (
            "algorithm-01",
            "Another algorithm.",
            abc.with_byte(0, 1).hex(),
            "hash_algorithm",
        ),
        (
            "algorithm-40",
            "A one-byte number that is no algorithm.",
            abc.with_byte(0, 0x40).hex(),
            "hash_algorithm",
        ),
        (
            "algorithm-f8",
            "A varu64 that is not minimal.",
            abc.with_byte(0, 0xf8).hex(),
            "hash_algorithm",
        ),
    ];
    for (name, comment, input, reason) in malformed {
        set.invalid(name, comment, "abc", input, reason)
            .flag("Text");
    }
    for byte in [0x00, 0x1f, 0x21, 0x40, 0xff] {
        let odd = abc.with_byte(1, byte).hex();
        set.invalid(
            &format!("length-{byte:02x}"),
            "A digest length that is not 32.",
            "abc",
            odd.clone(),
            "hash_digest_length",
        )
        .wire_reads("R10", json!({"hash": odd}));
    }
    let upper = [
        ("uppercase", text.to_uppercase()),
        ("one-digit-uppercase", text.replacen("b3ac", "B3ac", 1)),
    ];
    for (name, text) in upper {
        set.invalid(
            name,
            "Hashes are written in lowercase.",
            "abc",
            text.clone(),
            "uppercase_hex",
        )
        .wire_reads("R13", json!({"hash": text}))
        .flag("Uppercase");
    }
    set
}

/// View ids that are wrong in a way of their own: name, comment, text, reason.
fn malformed_views(a: &str, b: &str) -> Vec<(&'static str, &'static str, String, &'static str)> {
    vec![
        (
            "unsorted",
            "The greater id first.",
            format!("{b}_{a}"),
            "view_id_unsorted",
        ),
        (
            "duplicate",
            "One id twice.",
            format!("{a}_{a}"),
            "view_id_duplicate",
        ),
        (
            "separator-after",
            "A separator after the last id.",
            format!("{a}_{b}_"),
            "hash_length",
        ),
        (
            "separator-before",
            "A separator before the first id.",
            format!("_{a}_{b}"),
            "hash_length",
        ),
        (
            "separator-doubled",
            "Two separators.",
            format!("{a}__{b}"),
            "hash_length",
        ),
        (
            "other-separator",
            "Ids are joined by an underscore.",
            format!("{a}-{b}"),
            "invalid_hex",
        ),
        (
            "second-short",
            "The second id is a byte short.",
            format!("{a}_{}", &b[..66]),
            "hash_length",
        ),
        (
            "second-algorithm",
            "The second id names another algorithm.",
            format!("{a}_01{}", &b[2..]),
            "hash_algorithm",
        ),
    ]
}

fn view_parse() -> Set {
    let mut set = Set::new("view.parse", "text", &["DV1", "EN2"]);
    let ids: Vec<String> = [1, 2, 3, 0xaa, 0xbb].iter().map(|n| id(*n).hex()).collect();
    let real = hash::view_id(&[Hash::of([1, 2, 3]), Hash::of([3, 2, 1])]);
    for (name, count) in [("one", 1), ("two", 2), ("three", 3), ("five", 5)] {
        let some = &ids[..count];
        set.valid(
            name,
            "Ids in ascending order.",
            some.join("_"),
            json!({"ids": some}),
        );
    }
    let split: Vec<_> = real.split('_').collect();
    set.valid(
        "worked-example",
        "The view id of the handbook's example.",
        real.clone(),
        json!({"ids": split}),
    );

    for (name, comment, text, reason) in malformed_views(&ids[0], &ids[1]) {
        set.invalid(name, comment, "two", text, reason)
            .or(&["view_id_empty"]);
    }
    set.invalid("empty", "Nothing.", "one", "", "view_id_empty")
        .or(&["hash_length"]);
    set.invalid(
        "three-unsorted-at-the-end",
        "Only the last pair is out of order.",
        "three",
        [&ids[0][..], &ids[2], &ids[1]].join("_"),
        "view_id_unsorted",
    )
    .flag("Unsorted");
    let upper = ids[3].to_uppercase();
    set.valid(
        "lowercase-letters",
        "An id with letters.",
        ids[3].clone(),
        json!({"ids": [&ids[3]]}),
    );
    set.invalid(
        "uppercase",
        "Ids are written in lowercase.",
        "lowercase-letters",
        upper.clone(),
        "uppercase_hex",
    )
    .wire_reads("R13", json!({"ids": [upper]}))
    .flag("Uppercase");
    let odd = id(1).with_byte(1, 0x40).hex();
    set.invalid(
        "length-40",
        "A digest length that is not 32.",
        "one",
        odd.clone(),
        "hash_digest_length",
    )
    .wire_reads("R10", json!({"ids": [odd]}));
    set
}

fn view_hash() -> Set {
    let mut set = Set::new("view.hash", "text", &["DV1", "BA2"]);
    let views: [(&str, Vec<Hash>); 5] = [
        ("one", vec![Hash::of([1, 2, 3])]),
        ("two", vec![Hash::of([1, 2, 3]), Hash::of([3, 2, 1])]),
        ("three", vec![id(1), id(2), id(3)]),
        ("all-zero", vec![id(0)]),
        ("eight", (1..=8).map(id).collect()),
    ];
    for (name, ids) in &views {
        let result = json!({"hash": hash::view_hash(ids).hex()});
        set.valid(
            name,
            "The hash of the ids' bytes, one after the other.",
            hash::view_id(ids),
            result,
        );
    }
    let [a, b] = [Hash::of([1, 2, 3]).hex(), Hash::of([3, 2, 1]).hex()];
    for (name, comment, text, reason) in malformed_views(&a, &b) {
        set.invalid(name, comment, "two", text, reason)
            .or(&["view_id_empty"]);
    }
    set
}

fn schema_parse() -> Set {
    let mut set = Set::new("schema.parse", "text", &["SC9", "OP4"]);
    for name in [
        "schema_definition",
        "schema_field_definition",
        "blob",
        "blob_piece",
    ] {
        let result = json!({"name": name, "version": 1, "hash_id": format!("{name}__1")});
        set.valid(
            &name.replace('_', "-"),
            "A system schema.",
            format!("{name}_v1"),
            result,
        );
    }
    let [a, b] = [id(0xaa), id(0xbb)];
    let mut application = |case: &str, comment: &str, name: &str, ids: &[Hash]| {
        let view: Vec<_> = ids.iter().map(Hash::hex).collect();
        let text = format!("{name}_{}", view.join("_"));
        let hash_id = format!("{name}__{}", hash::view_hash(ids).hex());
        let result = json!({"name": name, "view_id": view, "hash_id": hash_id});
        set.valid(case, comment, text, result);
    };
    application("one-id", "A name and a view of one tip.", "cafe", &[a]);
    application("two-ids", "A name and a view of two tips.", "cafe", &[a, b]);
    application("name-of-two", "The shortest name.", "ab", &[a]);
    application("name-of-64", "The longest name.", &"a".repeat(64), &[a]);
    application(
        "name-with-version",
        "A name that ends like a version.",
        "some_v1",
        &[a],
    );
    application(
        "name-with-underscores",
        "Underscores inside the name, two in a row.",
        "a__b",
        &[a],
    );
    application(
        "name-of-a-system-schema",
        "A name like a system schema's.",
        "blob",
        &[a],
    );
    application(
        "name-with-digits",
        "Digits after the first letter.",
        "a1",
        &[a],
    );
    application(
        "name-in-capitals",
        "Names are case-sensitive.",
        "CAFE",
        &[a],
    );
    let worked = json!({
        "name": "cafe",
        "view_id": [&CAFE[5..]],
        "hash_id": "cafe__00202ac7fa24b3769ee501a2bdbb01cbb864e9ed5bbf113288dd25423368fa44356e",
    });
    set.valid(
        "worked-example",
        "The schema of the worked example.",
        CAFE,
        worked,
    );
    schema_parse_negative(&mut set, &a.hex(), &b.hex());
    set
}

/// Other causes a parser of schema ids may name, which differ with where it begins to read.
fn also_right(name: &str, reason: &str) -> &'static [&'static str] {
    match (name, reason) {
        // Without a separator all of it may be taken for the name, or for the one id.
        ("no-underscore", _) => &["schema_name", "hash_length"],
        ("empty" | "hash-alone", _) => &["schema_name"],
        // Two separators have an empty id between them.
        ("underscore-last", _) => &["schema_id_malformed", "hash_length"],
        ("line-feed-after", _) => &["schema_id_malformed", "hash_length"],
        ("short-hash", _) | (_, "schema_name" | "schema_id_unknown_system") => {
            &["schema_id_malformed"]
        }
        _ => &[],
    }
}

fn schema_parse_negative(set: &mut Set, a: &str, b: &str) {
    let malformed = [
        (
            "no-underscore",
            "one-id",
            "A name alone.",
            "cafe".to_owned(),
            "schema_id_malformed",
        ),
        (
            "empty",
            "one-id",
            "Nothing.",
            String::new(),
            "schema_id_malformed",
        ),
        (
            "hash-alone",
            "one-id",
            "A view id alone.",
            a.to_owned(),
            "schema_id_malformed",
        ),
        (
            "unknown-system",
            "blob",
            "A system schema nobody has.",
            "key_group_v1".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "capital-system",
            "blob",
            "System names are lowercase.",
            "Blob_v1".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-256",
            "blob",
            "Versions fit a byte.",
            "blob_v256".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-empty",
            "blob",
            "A version without a number.",
            "blob_v".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-word",
            "blob",
            "A version that is no number.",
            "blob_vone".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "unsorted",
            "two-ids",
            "The greater id first.",
            format!("cafe_{b}_{a}"),
            "view_id_unsorted",
        ),
        (
            "duplicate",
            "two-ids",
            "One id twice.",
            format!("cafe_{a}_{a}"),
            "view_id_duplicate",
        ),
        (
            "name-of-one",
            "one-id",
            "Names have two characters at least.",
            format!("c_{a}"),
            "schema_name",
        ),
        (
            "name-of-65",
            "name-of-64",
            "Names have 64 characters at most.",
            format!("{}_{a}", "a".repeat(65)),
            "schema_name",
        ),
        (
            "name-empty",
            "one-id",
            "No name before the separator.",
            format!("_{a}"),
            "schema_name",
        ),
        (
            "digit-first",
            "one-id",
            "Names begin with a letter.",
            format!("1cafe_{a}"),
            "schema_name",
        ),
        (
            "underscore-last",
            "one-id",
            "Names do not end in an underscore.",
            format!("cafe__{a}"),
            "schema_name",
        ),
        (
            "underscore-first",
            "one-id",
            "Names do not begin with an underscore.",
            format!("_cafe_{a}"),
            "schema_name",
        ),
        (
            "dash",
            "one-id",
            "A dash in the name.",
            format!("ca-fe_{a}"),
            "schema_name",
        ),
        (
            "umlaut",
            "one-id",
            "A letter beyond ASCII in the name.",
            format!("cäfe_{a}"),
            "schema_name",
        ),
        (
            "line-feed",
            "one-id",
            "A line feed in front of the name.",
            format!("\ncafe_{a}"),
            "schema_name",
        ),
        (
            "short-hash",
            "one-id",
            "The operation id is a byte short.",
            format!("cafe_{}", &a[..66]),
            "hash_length",
        ),
        (
            "algorithm-01",
            "one-id",
            "The operation id names another algorithm.",
            format!("cafe_01{}", &a[2..]),
            "hash_algorithm",
        ),
        (
            "line-feed-after",
            "one-id",
            "A line feed at the end.",
            format!("cafe_{a}\n"),
            "invalid_hex",
        ),
    ];
    for (name, near, comment, input, reason) in malformed {
        set.invalid(name, comment, near, input, reason)
            .flag("Text")
            .requires(&["SC1", "SC9", "OP4"])
            .or(also_right(name, reason));
    }
    let upper = a.to_uppercase();
    let ids = [&upper];
    let hash_id = format!("cafe__{}", hash::view_hash(&[id(0xaa)]).hex());
    let read: Value = json!({"name": "cafe", "view_id": ids, "hash_id": hash_id});
    set.invalid(
        "uppercase",
        "Ids are written in lowercase.",
        "one-id",
        format!("cafe_{upper}"),
        "uppercase_hex",
    )
    .wire_reads("R13", read)
    .flag("Uppercase");
}
