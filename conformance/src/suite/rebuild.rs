//! Rebuilds what sound cases hold with two encoders that share no line: ours and the library's.
//!
//! A case that says what its bytes mean must lead back to those bytes. Only cases that `spec` finds
//! valid are looked at, and of them those whose kind ties bytes, ids or hashes to a meaning.

use grove_core::types::Hash as CoreHash;
use grove_core::wire::{Entry, Operation};
use serde_json::{Map, Value};

use super::{Case, Ruleset};
use crate::forge::entry::Draft;
use crate::forge::{Hash, Item, Key, hash, hex, operation, unhex};

/// Reports what one of the encoders makes otherwise.
pub(super) fn check(kind: &str, case: &Case, report: &mut impl FnMut(String)) {
    let Some(expected) = case.expected(Ruleset::Spec) else {
        return;
    };
    let input = &case.input;
    let pairs: Option<Vec<(Vec<u8>, &Value)>> = match kind {
        "hash.of" => bytes(input).map(|bytes| hashed(&bytes, &expected["hash"])),
        "view.hash" => ids_in_text(input).map(|ids| {
            let joined: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
            hashed(&joined, &expected["hash"])
        }),
        "schema.parse" => schema_hash_id(expected),
        "entry.decode" => entry(expected, input),
        "entry.encode" => signed(input, expected),
        "operation.decode" | "operation.validate" => rebuilt(expected, input),
        "operation.encode" => rebuilt(input, &expected["operation"]),
        "document.reduce" => input["operations"].as_array().and_then(|given| {
            let each = given.iter().map(|one| reencoded(&one["operation"]));
            each.collect()
        }),
        _ => return,
    };
    match pairs {
        None => report("the case does not say enough to be built again".to_owned()),
        Some(pairs) => {
            for (made, told) in pairs {
                if Some(hex(&made).as_str()) != told.as_str().map(tail) {
                    report(format!("{told} is made otherwise by an encoder"));
                }
            }
        }
    }
}

/// The hex of a value, or of what follows the name in a hash id.
fn tail(told: &str) -> &str {
    told.rsplit_once("__").map_or(told, |(_, hash)| hash)
}

/// The hash of `data` by both, with what the case says.
fn hashed<'a>(data: &[u8], told: &'a Value) -> Vec<(Vec<u8>, &'a Value)> {
    let core = CoreHash::of(data).to_bytes().to_vec();
    vec![(Hash::of(data).0.to_vec(), told), (core, told)]
}

fn schema_hash_id(expected: &Value) -> Option<Vec<(Vec<u8>, &Value)>> {
    let Some(view) = expected["view_id"].as_array() else {
        // The hash id of a system schema holds no hash.
        return Some(Vec::new());
    };
    let ids: Option<Vec<Hash>> = view.iter().map(one_hash).collect();
    let view_hash = hash::view_hash(&ids?).0.to_vec();
    Some(vec![(view_hash, &expected["hash_id"])])
}

fn entry<'a>(expected: &'a Value, input: &'a Value) -> Option<Vec<(Vec<u8>, &'a Value)>> {
    let told = bytes(input)?;
    let draft = Draft {
        tag: u8::from(expected["end_of_log"] == true),
        author: bytes(&expected["public_key"])?.try_into().ok()?,
        log_id: number(&expected["log_id"])?,
        seq_num: number(&expected["seq_num"])?,
        skiplink: link(&expected["skiplink"])?,
        backlink: link(&expected["backlink"])?,
        payload_size: number(&expected["payload_size"])?,
        payload_hash: one_hash(&expected["payload_hash"])?,
    };
    let ours = [draft.unsigned(), bytes(&expected["signature"])?].concat();
    let core = Entry::decode(&told).ok()?.encode();
    let mut pairs = hashed(&told, &expected["hash"]);
    pairs.extend([(ours, input), (core, input)]);
    Some(pairs)
}

fn signed<'a>(input: &Value, expected: &'a Value) -> Option<Vec<(Vec<u8>, &'a Value)>> {
    let key = Key::new(bytes(&input["private_key"])?.try_into().ok()?);
    let draft = Draft {
        seq_num: number(&input["seq_num"])?,
        skiplink: link(&input["skiplink"])?,
        backlink: link(&input["backlink"])?,
        ..Draft::first(
            &key,
            number(&input["log_id"])?,
            &bytes(&input["operation"])?,
        )
    };
    let told = bytes(&expected["entry"])?;
    let core = Entry::decode(&told).ok()?.encode();
    let mut pairs = hashed(&told, &expected["hash"]);
    pairs.extend([
        (draft.sign(&key), &expected["entry"]),
        (core, &expected["entry"]),
    ]);
    Some(pairs)
}

/// The bytes of an operation from its meaning by our encoder, and from the bytes by the library's.
fn rebuilt<'a>(meaning: &Value, told: &'a Value) -> Option<Vec<(Vec<u8>, &'a Value)>> {
    let ours = operation_item(meaning)?.encode();
    Some(vec![(ours, told), reencoded(told)?])
}

fn reencoded(told: &Value) -> Option<(Vec<u8>, &Value)> {
    let operation = Operation::decode(&bytes(told)?).ok()?;
    Some((operation.encode(), told))
}

fn operation_item(meaning: &Value) -> Option<Item> {
    let schema_id = meaning["schema_id"].as_str()?;
    let mut previous = match &meaning["previous"] {
        Value::Null => Vec::new(),
        ids => ids
            .as_array()?
            .iter()
            .map(one_hash)
            .collect::<Option<_>>()?,
    };
    previous.sort_unstable();
    previous.dedup();
    let fields = || fields(meaning["fields"].as_object()?);
    Some(match meaning["action"].as_str()? {
        "create" => operation::create(schema_id, fields()?),
        "update" => operation::update(schema_id, &previous, fields()?),
        "delete" => operation::delete(schema_id, &previous),
        _ => return None,
    })
}

/// Fields in the order of their names as bytes, whatever order the object has.
fn fields(members: &Map<String, Value>) -> Option<Vec<(&str, Item)>> {
    let mut fields: Vec<_> = members
        .iter()
        .map(|(name, value)| Some((name.as_str(), field(value)?)))
        .collect::<Option<_>>()?;
    fields.sort_by_key(|(name, _)| *name);
    Some(fields)
}

fn field(value: &Value) -> Option<Item> {
    let (form, value) = value.as_object()?.iter().next()?;
    let list = |value: &Value| {
        let ids: Option<Vec<Hash>> = value.as_array()?.iter().map(one_hash).collect();
        Some(Item::ids(&ids?))
    };
    Some(match form.as_str() {
        "bool" => Item::Bool(value.as_bool()?),
        "int" => Item::Int(value.as_str()?.parse().ok()?),
        "float" => Item::Float(f64::from_bits(
            u64::from_str_radix(value.as_str()?, 16).ok()?,
        )),
        "str" => Item::text(value.as_str()?),
        "bytes" | "relation" => Item::bytes(bytes(value)?),
        "ids" | "relation_list" | "pinned_relation" => list(value)?,
        "id_lists" | "pinned_relation_list" => {
            Item::Array(value.as_array()?.iter().map(list).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn ids_in_text(value: &Value) -> Option<Vec<Hash>> {
    let ids = value.as_str()?.split('_');
    ids.map(|id| Some(Hash(unhex(id)?.try_into().ok()?)))
        .collect()
}

fn one_hash(value: &Value) -> Option<Hash> {
    Some(Hash(bytes(value)?.try_into().ok()?))
}

fn link(value: &Value) -> Option<Option<Hash>> {
    match value {
        Value::Null => Some(None),
        value => one_hash(value).map(Some),
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    unhex(value.as_str()?)
}
