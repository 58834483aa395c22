//! Hashes: of bytes, and as text.

use serde_json::json;

use super::super::set::Set;
use crate::forge::{Hash, hex};

pub(super) fn hash_of() -> Set {
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

/// What is made of the hash of abc so that it is none.
struct Malformed {
    name: &'static str,
    comment: &'static str,
    change: fn(&str) -> String,
    reason: &'static str,
}

const MALFORMED: &[Malformed] = &[
    Malformed {
        name: "one-byte-short",
        comment: "33 bytes.",
        change: |text| text[..66].to_owned(),
        reason: "hash_length",
    },
    Malformed {
        name: "one-byte-long",
        comment: "35 bytes.",
        change: |text| format!("{text}00"),
        reason: "hash_length",
    },
    Malformed {
        name: "empty",
        comment: "Nothing.",
        change: |_| String::new(),
        reason: "hash_length",
    },
    Malformed {
        name: "digest-alone",
        comment: "The digest without its two bytes in front.",
        change: |text| text[4..].to_owned(),
        reason: "hash_length",
    },
    Malformed {
        name: "odd-digits",
        comment: "67 digits.",
        change: |text| text[..67].to_owned(),
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
        change: |text| text.replacen("6437", "g437", 1),
        reason: "invalid_hex",
    },
    Malformed {
        name: "line-feed-after",
        comment: "A line feed after the digits.",
        change: |text| format!("{text}\n"),
        reason: "invalid_hex",
    },
    Malformed {
        name: "not-ascii",
        comment: "A digit of another script.",
        change: |text| text.replacen("0020", "00２0", 1),
        reason: "invalid_hex",
    },
    Malformed {
        name: "algorithm-01",
        comment: "Another algorithm.",
        change: |_| Hash::of("abc").with_byte(0, 1).hex(),
        reason: "hash_algorithm",
    },
    Malformed {
        name: "algorithm-40",
        comment: "A one-byte number that is no algorithm.",
        change: |_| Hash::of("abc").with_byte(0, 0x40).hex(),
        reason: "hash_algorithm",
    },
    Malformed {
        name: "algorithm-f8",
        comment: "A varu64 that is not minimal.",
        change: |_| Hash::of("abc").with_byte(0, 0xf8).hex(),
        reason: "hash_algorithm",
    },
];

pub(super) fn hash_parse() -> Set {
    let mut set = Set::new("hash.parse", "text", &["BA2"]);
    let abc = Hash::of("abc");
    let sound = [
        ("abc", "The hash of abc.", abc),
        ("empty-input", "The hash of nothing.", Hash::of("")),
        ("all-zero", "Any 32 bytes are a digest.", Hash::repeating(0)),
        (
            "all-ones",
            "Any 32 bytes are a digest.",
            Hash::repeating(0xff),
        ),
    ];
    for (name, comment, hash) in sound {
        set.valid(name, comment, hash.hex(), json!({"hash": hash.hex()}));
    }
    let text = abc.hex();
    for &Malformed {
        name,
        comment,
        change,
        reason,
    } in MALFORMED
    {
        set.invalid(name, comment, "abc", change(&text), reason)
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
