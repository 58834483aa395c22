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
