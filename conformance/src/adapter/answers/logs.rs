//! Entries and logs: one entry, its place among others, and what proves where it stands.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use grove_core::Reason;
use grove_core::author::{NextArgs, sign_entry};
use grove_core::types::{KeyPair, SeqNum};
use grove_core::validate::{
    ForkError, ForkEvidence, LogTip, SignedEntry, check_position, path_from_block_end,
    path_to_first, verify_partial_log,
};
use serde_json::{Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, failed, link, list, next_args_out, refuse, seq_num, text};
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
    let mut log = Vec::new();
    for stored in list(&context["log"])? {
        let stored = SignedEntry::verify(&bytes(stored)?)?;
        let decoded = stored.entry();
        if (decoded.public_key, decoded.log_id) == (entry.public_key, entry.log_id) {
            log.push(stored);
        }
    }
    let tip = log.last().map(|last| LogTip {
        seq_num: last.entry().seq_num,
        hash: last.hash(),
        ended: last.entry().end_of_log,
    });
    let hash_at = |target: SeqNum| {
        log.iter()
            .find(|stored| stored.entry().seq_num == target)
            .map(SignedEntry::hash)
    };
    // The library leaves taken positions to whoever has the entries; here that is us.
    match hash_at(entry.seq_num) {
        //= R24: another entry for a taken position is a fork
        Some(stored) if stored != signed.hash() => return refuse(Reason::LogForked),
        //= R23: the same entry once more is answered as the first time
        Some(_) => {}
        None => {
            let lipmaa = entry.seq_num.skiplink().and_then(hash_at);
            check_position(entry, tip.as_ref(), lipmaa)?;
        }
    }
    let next = NextArgs::after(entry.log_id, entry.seq_num, signed.hash(), hash_at);
    let Some(next) = next else {
        return refuse(match entry.seq_num.next() {
            None => Reason::SeqNumMax,
            Some(_) => Reason::SkiplinkNotFound,
        });
    };
    Ok(next_args_out(&next))
}

pub(super) fn certificate(_: &Value, input: &Value) -> Answer {
    let seq_num = seq_num(input)?;
    let block = path_from_block_end(seq_num);
    Ok(json!({
        "to_first": numbers(path_to_first(seq_num)),
        "from_block_end": block.map(numbers),
    }))
}

pub(super) fn log_verify(_: &Value, input: &Value) -> Answer {
    let mut entries = BTreeMap::new();
    for given in list(&input["entries"])? {
        let signed = SignedEntry::verify(&bytes(given)?)?;
        match entries.entry(signed.entry().seq_num) {
            Place::Vacant(place) => {
                place.insert(signed);
            }
            Place::Occupied(place) => check_same(place.get(), signed)?,
        }
    }
    let seq_num = seq_num(&input["seq_num"])?;
    verify_partial_log(&entries, seq_num)?;
    Ok(json!({
        "hash": entries.get(&seq_num).map(|signed| signed.hash().to_string()),
        "path": numbers(path_to_first(seq_num)),
    }))
}

/// Two entries of one number: the same twice, a fork, or of two logs.
fn check_same(first: &SignedEntry, second: SignedEntry) -> Result<(), Failed> {
    match ForkEvidence::of(first.clone(), second) {
        Err(ForkError::Identical) => Ok(()),
        Err(_) => Err(failed(Reason::LogOwnerMismatch)),
        Ok(_) => Err(failed(Reason::LogForked)),
    }
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
