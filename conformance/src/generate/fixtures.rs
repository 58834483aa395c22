//! Keys, schemas and values that many cases share.

use serde_json::{Value, json};

use crate::forge::{Hash, Item, Key, Log, lipmaa, operation};

/// The worked example's schema: `opening_hour` int, `title` str.
pub(super) const CAFE: &str =
    "cafe_0020c88cc25a7df9869c07335191f24edda75097196a4ee8b9826e2562eeb8904454";

/// A schema with a field of each type.
pub(super) const EVERY: &str =
    "every_0020c65567ae37efea293e34a9c7d13f8f2bf23dbdc3b5c7b9ab46293111c48fc78b";

pub(super) fn author() -> Key {
    Key::repeating(1)
}

pub(super) fn other_author() -> Key {
    Key::repeating(2)
}

/// Id number `n` of a row of ascending ids, which look random.
pub(super) fn id(n: u8) -> Hash {
    Hash::numbered(n)
}

pub(super) fn cafe_schema() -> Value {
    json!({"id": CAFE, "fields": {"opening_hour": "int", "title": "str"}})
}

pub(super) fn every_schema() -> Value {
    let relation = |kind: &str| format!("{kind}({CAFE})");
    json!({"id": EVERY, "fields": {
        "a_bool": "bool",
        "b_bytes": "bytes",
        "c_int": "int",
        "d_float": "float",
        "e_str": "str",
        "f_relation": relation("relation"),
        "g_relation_list": relation("relation_list"),
        "h_pinned_relation": relation("pinned_relation"),
        "i_pinned_relation_list": relation("pinned_relation_list"),
    }})
}

/// A CREATE of the worked example's schema.
pub(super) fn cafe_create(opening_hour: i128, title: &str) -> Vec<u8> {
    let fields = [
        ("opening_hour", Item::Int(opening_hour)),
        ("title", Item::text(title)),
    ];
    operation::create(CAFE, fields).encode()
}

/// An UPDATE of the opening hour.
pub(super) fn cafe_update(previous: &[Hash], opening_hour: i128) -> Vec<u8> {
    operation::update(CAFE, previous, [("opening_hour", Item::Int(opening_hour))]).encode()
}

/// A log of `len` entries on one document, each building on the one before.
pub(super) fn log(key: Key, log_id: u64, len: usize) -> Log {
    let mut log = Log::new(key, log_id);
    let mut tip = None;
    for n in 0..len {
        let payload = match tip {
            None => cafe_create(8, "Panda"),
            Some(tip) => cafe_update(&[tip], n as i128),
        };
        tip = Some(log.push(payload));
    }
    log
}

/// The arguments of the entry after the last of a log.
pub(super) fn next_args(log: &Log) -> Value {
    let link = |seq_num: u64| {
        let entry = (seq_num as usize)
            .checked_sub(1)
            .map(|index| &log.entries[index]);
        entry.map(|entry| Hash::of(entry).hex())
    };
    let seq_num = log.entries.len() as u64 + 1;
    let far = lipmaa::is_encoded(seq_num).then(|| lipmaa::lipmaa(seq_num));
    json!({
        "log_id": log.log_id.to_string(),
        "seq_num": seq_num.to_string(),
        "backlink": link(seq_num - 1),
        "skiplink": far.and_then(link),
    })
}
