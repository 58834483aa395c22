//! Holds our own encoder against the protocol's worked examples, byte for byte.
//!
//! The examples were produced by the deployed library and rebuilt by a third encoder, so agreement here
//! means the vectors stand on more than one leg.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use ed25519_dalek::{Verifier, VerifyingKey};
use grove_conformance::forge::{
    Hash, Item, Key, Log, graph, hash, hex, lipmaa, torsion, unhex, varu64,
};
use rstest::rstest;
use serde_json::Value;

#[test]
fn varu64_matches_the_examples() {
    for example in list("varu64") {
        let value = text(&example, "value").parse().unwrap();

        assert_eq!(hex(varu64::encode(value)), text(&example, "hex"));
    }
}

#[test]
fn lipmaa_matches_the_examples() {
    for example in list("lipmaa") {
        let seq_num = example["seq_num"].as_u64().unwrap();

        assert_eq!(
            lipmaa::lipmaa(seq_num),
            example["lipmaa"].as_u64().unwrap(),
            "{seq_num}"
        );
        assert_eq!(
            lipmaa::is_encoded(seq_num),
            example["skiplink_encoded"].as_bool().unwrap()
        );
    }
    assert_eq!(lipmaa::lipmaa(u64::MAX), 18_446_744_073_709_551_611);
}

#[test]
fn numbered_hashes_ascend_and_are_hard_to_compare_wrongly() {
    let row: Vec<_> = (0..=255).map(Hash::numbered).collect();

    assert!(row.is_sorted_by(|one, other| one < other));
    let sixteen = &row[..16];
    let signed = |hash: &Hash| hash.0.map(|byte| byte as i8);
    let backwards = |hash: &Hash| hash.0.into_iter().rev().collect::<Vec<_>>();
    assert!(!sixteen.is_sorted_by_key(signed));
    assert!(!sixteen[..4].is_sorted_by_key(signed));
    assert!(!sixteen[..4].is_sorted_by_key(backwards));
    assert!(sixteen.iter().all(|hash| hash.0[..5] == sixteen[0].0[..5]));
    assert_eq!(sixteen[4].0[..33], sixteen[5].0[..33]);
}

#[test]
fn hashes_and_signatures_match_the_examples() {
    for example in list("yasmf") {
        assert_eq!(
            Hash::of(bytes(&example, "input_hex")).hex(),
            text(&example, "hash")
        );
    }
    for example in list("keys") {
        let key = Key::new(bytes(&example, "private_key").try_into().unwrap());

        assert_eq!(hex(key.public()), text(&example, "public_key"));
        assert_eq!(
            hex(key.sign(b"test")),
            text(&example, "signature_of_ascii_test")
        );
    }
}

#[test]
fn view_hashes_match_the_examples() {
    for example in list("document_view_ids") {
        let ids: Vec<_> = text(&example, "view_id")
            .split('_')
            .map(parse_hash)
            .collect();

        assert_eq!(hash::view_id(&ids), text(&example, "view_id"));
        assert_eq!(hash::view_hash(&ids).hex(), text(&example, "view_hash"));
    }
}

#[test]
fn operations_match_the_examples() {
    for example in list("operations") {
        let item = Diagnostic::parse(text(&example, "diagnostic"));

        assert_eq!(
            hex(item.encode()),
            text(&example, "cbor_hex"),
            "{}",
            example["name"]
        );
    }
}

#[test]
fn a_log_of_fourteen_entries_matches_the_examples() {
    let mut log = Log::new(Key::repeating(1), 0);

    for example in list("log") {
        let payload = Diagnostic::parse(text(&example, "payload_diagnostic")).encode();
        let id = log.push(payload);

        assert_eq!(
            hex(log.payloads.last().unwrap()),
            text(&example, "payload_hex")
        );
        assert_eq!(
            hex(log.entries.last().unwrap()),
            text(&example, "entry_hex")
        );
        assert_eq!(id.hex(), text(&example, "entry_hash"));
    }
    assert_eq!(log.entries.len(), 14);
}

#[test]
fn document_orders_match_the_examples() {
    for document in list("documents") {
        let labels = document["labels"].as_object().unwrap();
        let id = |label: &Value| parse_hash(labels[label.as_str().unwrap()].as_str().unwrap());
        let edges = document["edges_child_to_previous"].as_object().unwrap();
        let graph: graph::Graph = edges
            .iter()
            .map(|(child, previous)| {
                let previous = previous.as_array().unwrap().iter().map(id).collect();
                (parse_hash(labels[child].as_str().unwrap()), previous)
            })
            .collect();
        let ids = |labels: &Value| {
            labels
                .as_array()
                .unwrap()
                .iter()
                .map(id)
                .collect::<Vec<_>>()
        };
        let root = id(&"create".into());

        assert_eq!(
            graph::handbook_order(&graph, root),
            ids(&document["handbook_order"])
        );
        if let Some(sorted) = document["p2panda_rs_result"].get("sorted") {
            assert_eq!(graph::deployed_order(&graph, root), Some(ids(sorted)));
        }
    }
}

#[test]
fn small_order_has_fourteen_spellings() {
    let spellings: BTreeMap<_, _> = torsion::small_order_encodings()
        .into_iter()
        .map(|(part, bytes)| (bytes, part))
        .collect();

    assert_eq!(spellings.len(), 14);
    for (bytes, part) in spellings {
        let key = VerifyingKey::from_bytes(&bytes).unwrap();
        assert!(key.is_weak(), "{part}");
    }
}

#[rstest]
fn a_part_left_over_decides_the_signature(
    #[values(0, 1, 2, 4)] key_part: u8,
    #[values(0, 1, 2, 4)] r_part: u8,
) {
    let signer = torsion::Signer::mixed(&Key::repeating(1), key_part);
    let key = VerifyingKey::from_bytes(&signer.public()).unwrap();
    let holds = |signature: [u8; 64]| key.verify(b"test", &signature.into()).is_ok();

    // Parts that cannot cancel each other would be searched for without end.
    if r_part.is_multiple_of(key_part) {
        assert!(holds(signer.sign(b"test", r_part, |left| left == 0)));
    }
    if (key_part, r_part) != (0, 0) {
        assert!(!holds(signer.sign(b"test", r_part, |left| left != 0)));
    }
}

#[rstest]
#[case(1.5, "f93e00")]
#[case(100_000.0, "fa47c35000")]
#[case(65_505.0, "fa477fe100")]
#[case(0.1, "fb3fb999999999999a")]
#[case(-0.0, "f98000")]
#[case(f64::NEG_INFINITY, "f9fc00")]
#[case(f64::NAN, "f97e00")]
#[case(5.960_464_477_539_063e-8, "f90001")]
fn floats_take_the_shortest_lossless_width(#[case] value: f64, #[case] expected: &str) {
    assert_eq!(hex(Item::Float(value).encode()), expected);
}

#[test]
fn a_broken_form_differs_from_the_canonical_one_as_asked() {
    let item = Item::Array(vec![Item::Int(1), Item::text("a")]);

    assert_eq!(hex(item.encode()), "82016161");
    assert_eq!(hex(item.clone().indefinite().encode()), "9f016161ff");
    assert_eq!(hex(item.clone().wide(2).encode()), "990002016161");
    assert_eq!(hex(item.tagged(55799).encode()), "d9d9f782016161");
}

fn examples() -> Value {
    serde_json::from_str(include_str!("../../core/tests/data/worked-examples.json")).unwrap()
}

fn list(name: &str) -> Vec<Value> {
    examples()[name].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

fn bytes(value: &Value, member: &str) -> Vec<u8> {
    unhex(text(value, member)).unwrap()
}

fn parse_hash(text: &str) -> Hash {
    Hash(unhex(text).unwrap().try_into().unwrap())
}

/// Reads the diagnostic notation of the examples: the items our encoder is then asked to write.
struct Diagnostic<'a>(&'a str);

impl<'a> Diagnostic<'a> {
    fn parse(text: &'a str) -> Item {
        let mut parser = Self(text);
        let item = parser.item();
        assert_eq!(parser.0, "", "something left after the item");
        item
    }

    fn item(&mut self) -> Item {
        if self.eat("[") {
            return Item::Array(self.until("]", Self::item));
        }
        if self.eat("{") {
            return Item::Map(self.until("}", |parser| {
                let key = parser.item();
                assert!(parser.eat(":"));
                (key, parser.item())
            }));
        }
        if self.eat("h'") {
            return Item::Bytes(unhex(self.take('\'')).unwrap());
        }
        if self.eat("\"") {
            return Item::text(self.take('"'));
        }
        let end = self.0.find([',', ']', '}']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word {
            "true" | "false" => Item::Bool(word == "true"),
            _ => word
                .parse()
                .map(Item::Int)
                .unwrap_or_else(|_| Item::Float(word.parse().unwrap())),
        }
    }

    fn until<T>(&mut self, end: &str, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        while !self.eat(end) {
            items.push(each(self));
            self.eat(",");
        }
        items
    }

    fn eat(&mut self, word: &str) -> bool {
        self.0 = self.0.trim_start();
        let Some(rest) = self.0.strip_prefix(word) else {
            return false;
        };
        self.0 = rest.trim_start();
        true
    }

    fn take(&mut self, end: char) -> &'a str {
        let (taken, rest) = self.0.split_once(end).unwrap();
        self.0 = rest;
        taken
    }
}

/// The ways of certificate pools against a search of all ways.
#[test]
fn certificate_ways_are_the_shortest() {
    for seq_num in 1..=364 {
        let back = lipmaa::way_to_first(seq_num);
        let down = lipmaa::way_from_block_end(seq_num).unwrap();

        assert_eq!(back.len(), entries_between(seq_num, 1));
        assert_eq!(down.len(), entries_between(down[0], seq_num));
        assert!([1, 4, 13, 40, 121, 364].contains(&down[0]));
    }
    assert_eq!(lipmaa::way_from_block_end(u64::MAX), None);
}

/// How many entries the shortest way from one entry down to another has, both included.
fn entries_between(from: u64, to: u64) -> usize {
    let mut reached = BTreeMap::from([(from, 1)]);
    for at in (to + 1..=from).rev() {
        let Some(&entries) = reached.get(&at) else {
            continue;
        };
        for link in [at - 1, lipmaa::lipmaa(at)] {
            let best = reached.entry(link).or_insert(usize::MAX);
            *best = (*best).min(entries + 1);
        }
    }
    reached[&to]
}
