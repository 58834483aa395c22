//! S1: nothing invalid is accepted. A second, small reading of what an entry is, which shares no code with core.
//!
//! What a client of this run signed itself is known to be good and only compared. Of everything else the bytes
//! are read and the signature is checked. Does not check: operations, which the reference reads; the order in the
//! log, see `whole`.

use ed25519_dalek::{Signature, VerifyingKey};
use grove_core::types::OperationId;

use crate::evidence::Violation;
use crate::ledger::{Known, Link};

const NAME: &str = "nothing_invalid_accepted";
const HASH_SIZE: usize = 34;

/// What an entry says of itself.
#[derive(Debug)]
struct Parsed<'a> {
    key: &'a [u8],
    seq_num: u64,
    skiplink: Option<&'a [u8]>,
    backlink: Option<&'a [u8]>,
    size: u64,
    hash: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

/// Judges an entry that a node accepted, with its operation where that is kept.
pub(crate) fn check(
    id: OperationId,
    (entry, payload): (&[u8], Option<&[u8]>),
    link: &Link,
    known: &Known,
) -> Result<(), Violation> {
    let fault = match known.get(&id).filter(|signed| signed.client.is_some()) {
        Some(signed) if signed.entry == entry => match payload {
            Some(payload) if payload != signed.payload => Some("another operation is kept with it"),
            _ => None,
        },
        Some(_) => Some("other bytes have the hash of an entry that a client signed"),
        None => fault(entry, payload).err(),
    };
    match fault {
        None => Ok(()),
        Some(fault) => {
            let (_, log_id, seq_num) = link.position;
            Err(Violation {
                invariant: NAME,
                difference: format!("entry {id}, number {seq_num} of log {log_id}: {fault}"),
            })
        }
    }
}

fn fault(entry: &[u8], payload: Option<&[u8]>) -> Result<(), &'static str> {
    let parsed = parse(entry).ok_or("it is no entry")?;
    let wants_back = parsed.seq_num > 1;
    let wants_skip = wants_back && lipmaa(parsed.seq_num) != parsed.seq_num - 1;
    assert_eq!(
        (parsed.backlink.is_some(), parsed.skiplink.is_some()),
        (wants_back, wants_skip)
    );
    if let Some(payload) = payload {
        let digest = blake3::hash(payload);
        if parsed.size != payload.len() as u64 || parsed.hash[2..] != *digest.as_bytes() {
            return Err("its operation is not the one it was signed for");
        }
    }
    let key = <[u8; 32]>::try_from(parsed.key).map_err(|_| "its key is too short")?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| "its key is none")?;
    let signature = Signature::from_slice(parsed.signature).map_err(|_| "its signature is none")?;
    key.verify_strict(parsed.signed, &signature)
        .map_err(|_| "its signature does not hold")
}

fn parse(entry: &[u8]) -> Option<Parsed<'_>> {
    let signed_size = entry.len().checked_sub(64)?;
    let (signed, signature) = entry.split_at(signed_size);
    let (tag, rest) = signed.split_first()?;
    let (key, rest) = rest.split_at_checked(32)?;
    let (_, rest) = number(rest)?;
    let (seq_num, rest) = number(rest)?;
    let has_back = seq_num > 1;
    let has_skip = has_back && lipmaa(seq_num) != seq_num - 1;
    let (skiplink, rest) = hash(rest, has_skip)?;
    let (backlink, rest) = hash(rest, has_back)?;
    let (size, rest) = number(rest)?;
    let (payload_hash, rest) = hash(rest, true)?;
    let is_whole = *tag <= 1 && seq_num > 0 && rest.is_empty();
    let differ = skiplink.is_none() || skiplink != backlink;
    (is_whole && differ).then_some(Parsed {
        key,
        seq_num,
        skiplink,
        backlink,
        size,
        hash: payload_hash?,
        signed,
        signature,
    })
}

/// One byte up to 247; above, one that says how many more follow, the highest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 248 {
        return Some((first.into(), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first - 247))?;
    let value = digits
        .iter()
        .fold(0_u64, |value, digit| (value << 8) + u64::from(*digit));
    (digits[0] != 0 && value > 247).then_some((value, rest))
}

fn hash(bytes: &[u8], is_there: bool) -> Option<(Option<&[u8]>, &[u8])> {
    if !is_there {
        return Some((None, bytes));
    }
    let (hash, rest) = bytes.split_at_checked(HASH_SIZE)?;
    (hash[..2] == [0x00, 0x20]).then_some((Some(hash), rest))
}

/// The target of the second link of entry `n` > 1, as Buldas and Lipmaa define it.
pub(super) fn lipmaa(n: u64) -> u64 {
    let end = |block: u32| (3_u64.pow(block) - 1) / 2;
    let block = (1..40)
        .find(|block| end(*block) >= n)
        .expect("logs of a simulation are short");
    if end(block) == n {
        return n - 3_u64.pow(block - 1);
    }
    // The smallest block that ends in it, counted from the beginning of the block around it.
    let (mut rest, mut around) = (n, block);
    while end(around) != rest {
        rest -= end(around - 1);
        around = (1..=around)
            .find(|block| end(*block) >= rest)
            .expect("smaller than before");
    }
    n - end(around)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grove_core::author::{NextArgs, forge};
    use grove_core::types::{Hash, KeyPair, LogId, SchemaId, SeqNum};
    use grove_core::wire::{Fields, Operation};

    fn entry() -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::from_seed(&[7; 32]);
        let operation = Operation::Create {
            schema_id: SchemaId::SCHEMA_DEFINITION,
            fields: Fields::new(),
        };
        let hash = |byte: u8| Some(Hash::of(&[byte]));
        let args = NextArgs {
            log_id: LogId::new(1_000),
            seq_num: SeqNum::new(8).expect("not zero"),
            backlink: hash(1),
            skiplink: hash(2),
        };
        let made = forge(&key, &args, &operation).expect("fits");
        (made.entry().bytes().to_vec(), made.payload().to_vec())
    }

    #[test]
    fn every_flipped_bit_of_an_entry_is_seen() {
        let (entry, payload) = entry();
        assert_eq!(fault(&entry, Some(&payload)), Ok(()));

        for at in 0..entry.len() * 8 {
            let mut broken = entry.clone();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(fault(&broken, Some(&payload)).is_err(), "bit {at}");
        }
        assert!(fault(&entry, Some(b"other")).is_err());
    }

    #[test]
    fn second_links_are_those_of_the_library() {
        for n in 2..10_000 {
            let target = grove_core::types::SeqNum::new(n)
                .expect("not zero")
                .lipmaa();
            assert_eq!(Some(lipmaa(n)), target.map(SeqNum::as_u64), "{n}");
        }
    }
}
