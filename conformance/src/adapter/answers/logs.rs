//! Entries and logs: one entry, its place among others, and what proves where it stands.

use std::collections::BTreeMap;

use grove_core::Reason;
use grove_core::author::{NextArgs, sign_entry};
use grove_core::publish::{Source, place};
use grove_core::types::{DocumentId, Hash, KeyPair, SeqNum};
use grove_core::validate::{
    ForkEvidence, SignedEntry, path_from_block_end, path_to_first, verify_partial_log,
};
use grove_core::wire::Entry;
use serde_json::{Value, json};

use super::super::Answer;
use super::form::{bytes, failed, link, list, next_args_out, refuse, seq_num, text};
use super::world::World;
use crate::forge::hex;

pub(super) fn entry_decode(_: &Value, input: &Value) -> Answer {
    let signed = SignedEntry::verify(&bytes(input)?)?;
    let entry = signed.entry();
    Ok(json!({
        "end_of_log": entry.end_of_log,
        "public_key": entry.public_key.to_string(),
        "log_id": entry.log_id.to_string(),
        "seq_num": entry.seq_num.to_string(),
        "skiplink": entry.skiplink.map(|link| link.to_string()),
        "backlink": entry.backlink.map(|link| link.to_string()),
        "payload_size": entry.payload_size.to_string(),
        "payload_hash": entry.payload_hash.to_string(),
        "signature": hex(entry.signature.to_bytes()),
        "hash": signed.hash().to_string(),
    }))
}

pub(super) fn entry_encode(_: &Value, input: &Value) -> Answer {
    let seed = bytes(&input["private_key"])?;
    let seed = seed.as_slice().try_into();
    let key_pair = KeyPair::from_seed(seed.map_err(|_| failed(Reason::KeyLength))?);
    let args = NextArgs {
        log_id: text(&input["log_id"])?.parse()?,
        seq_num: seq_num(&input["seq_num"])?,
        backlink: link(&input["backlink"])?,
        skiplink: link(&input["skiplink"])?,
    };
    let payload = bytes(&input["operation"])?;
    let Some(signed) = sign_entry(&key_pair, &args, &payload) else {
        // The library only says that the links do not fit; which one is told by the number.
        let backlink_fits = args.backlink.is_some() == args.seq_num.backlink().is_some();
        return refuse(if backlink_fits {
            Reason::SkiplinkMismatch
        } else {
            Reason::BacklinkMismatch
        });
    };
    // What the library signs, it must also take.
    let signed = SignedEntry::verify(signed.bytes())?;
    Ok(json!({"entry": hex(signed.bytes()), "hash": signed.hash().to_string()}))
}

pub(super) fn log_append(context: &Value, input: &Value) -> Answer {
    let submission =
        SignedEntry::verify(&bytes(&input["entry"])?)?.attach(bytes(&input["operation"])?)?;
    let signed = submission.entry();
    let entry = signed.entry();
    let mut world = World::default();
    for stored in list(&context["log"])? {
        let stored = SignedEntry::verify(&bytes(stored)?)?;
        // Which document they belong to is no matter here.
        world.add_entry(&stored, entry_document(entry));
    }
    match place(&world, signed, Source::Client)? {
        //= R23: the same entry once more is answered as the first time
        None => {}
        Some(placed) => {
            //= R24: a client begins no branch
            if placed.taken_by.is_some() {
                return refuse(Reason::WouldFork);
            }
            world.add_entry(signed, entry_document(entry));
        }
    }
    Ok(next_args_out(&world.next_args_after(signed)?))
}

/// One document for all entries of a log.
fn entry_document(entry: &Entry) -> DocumentId {
    Hash::of(entry.public_key.as_bytes()).into()
}

pub(super) fn certificate(_: &Value, input: &Value) -> Answer {
    let seq_num = seq_num(input)?;
    let block = path_from_block_end(seq_num);
    Ok(json!({
        "to_first": numbers(path_to_first(seq_num)),
        "from_block_end": block.map(numbers),
    }))
}

pub(super) fn branch_verify(_: &Value, input: &Value) -> Answer {
    let mut entries = BTreeMap::new();
    for given in list(&input["entries"])? {
        let signed = SignedEntry::verify(&bytes(given)?)?;
        entries.insert(signed.hash(), signed);
    }
    let proved: Hash = text(&input["entry"])?.parse()?;
    verify_partial_log(&entries, proved)?;
    // A broken library may prove what is not there.
    let proved = entries.get(&proved).map(|signed| signed.entry().seq_num);
    let seq_num = proved.ok_or(failed(Reason::CertificateIncomplete))?;
    Ok(json!({"seq_num": seq_num.to_string(), "path": numbers(path_to_first(seq_num))}))
}

pub(super) fn fork_verify(_: &Value, input: &Value) -> Answer {
    let fork = ForkEvidence::verify(&bytes(&input["first"])?, &bytes(&input["second"])?)?;
    Ok(json!({
        "public_key": fork.public_key().to_string(),
        "log_id": fork.log_id().to_string(),
        "seq_num": fork.seq_num().to_string(),
        "hashes": fork.hashes().map(|hash| hash.to_string()),
    }))
}

fn numbers(path: impl Iterator<Item = SeqNum>) -> Vec<String> {
    path.map(|seq_num| seq_num.to_string()).collect()
}
