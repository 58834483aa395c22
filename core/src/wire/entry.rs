//! Bamboo entries: the bytes of one position in a log (BA1).
//!
//! Decides whether bytes have the one form of an entry and builds that form. Whether the signature
//! holds and the links name the right entries is decided in `validate`.
//!
//! ```text
//! tag 1 ‖ public key 32 ‖ log id varu64 ‖ seq num varu64 ‖ [skiplink 34] ‖ [backlink 34]
//!       ‖ payload size varu64 ‖ payload hash 34 ‖ signature 64
//! ```

use ed25519_dalek::VerifyingKey;

use super::varint::{self, VarintError};
use crate::limits::ENTRY_SIZE_MAX;
use crate::mutant::{altered, fault, swapped};
use crate::reason::{Reason, Refusal};
use crate::types::{
    Hash, HashError, KeyError, KeyPair, Keyring, LogId, PublicKey, SeqNum, Signature,
};

const TAG_REGULAR: u8 = 0x00;
const TAG_END_OF_LOG: u8 = 0x01;

/// A well-formed entry. Its links are present exactly where its sequence number asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whether nothing may follow in this log (R8).
    pub end_of_log: bool,
    /// Who signed.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// Which position in the log.
    pub seq_num: SeqNum,
    /// Hash of the lipmaa entry, where the backlink does not name it already.
    pub skiplink: Option<Hash>,
    /// Hash of the entry before.
    pub backlink: Option<Hash>,
    /// Size of the operation in bytes.
    pub payload_size: u64,
    /// Hash of the operation.
    pub payload_hash: Hash,
    /// Signature over all fields above.
    pub signature: Signature,
}

impl Entry {
    /// Reads an entry; the signature is not checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        Self::decode_with(bytes, &Keyring::new(0)).map(|(entry, _)| entry)
    }

    /// Reads an entry, and gives the point of its key for checking the signature.
    pub(crate) fn decode_with(
        bytes: &[u8],
        keyring: &Keyring,
    ) -> Result<(Self, VerifyingKey), EntryError> {
        let mut reader = Reader { rest: bytes };
        //= BA1: the fields of an entry stand in the order of Bamboo
        //= R8: the tag is 00, or 01 for the end of a log
        let tag = reader.take(1)?[0];
        if fault!(EntryTag, !matches!(tag, TAG_REGULAR | TAG_END_OF_LOG)) {
            return Err(EntryError::Tag(tag));
        }
        let end_of_log = altered!(EntryEndOfLog, tag == TAG_END_OF_LOG, false);
        let (public_key, point) = keyring.decompress(reader.take(PublicKey::SIZE)?)?;
        let log_id = LogId::new(reader.varint()?);
        let number = reader.varint()?;
        let number = altered!(SeqNumZero, number, number.max(1));
        let seq_num = SeqNum::new(number).ok_or(EntryError::SeqNumZero)?;
        let skiplink = seq_num.skiplink().map(|_| reader.hash()).transpose()?;
        let backlink = seq_num.backlink().map(|_| reader.hash()).transpose()?;
        let (skiplink, backlink) = swapped!(LinksRead, skiplink, backlink);
        if fault!(LinksIdentical, skiplink.is_some() && skiplink == backlink) {
            return Err(EntryError::LinksIdentical);
        }
        let payload_size = reader.varint()?;
        let payload_hash = reader.hash()?;
        let signature = reader
            .take(Signature::SIZE)?
            .try_into()
            .expect("took 64 bytes");
        //= R9: an entry ends with its signature
        if fault!(EntryTrailing, !reader.rest.is_empty()) {
            return Err(EntryError::TrailingBytes(reader.rest.len()));
        }
        let entry = Self {
            end_of_log,
            public_key,
            log_id,
            seq_num,
            skiplink,
            backlink,
            payload_size,
            payload_hash,
            signature: Signature::from_bytes(signature),
        };
        Ok((entry, point))
    }

    /// The entry's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// The bytes the signature covers: everything before it.
    fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENTRY_SIZE_MAX);
        out.push(if self.end_of_log {
            TAG_END_OF_LOG
        } else {
            TAG_REGULAR
        });
        out.extend_from_slice(self.public_key.as_bytes());
        varint::encode(self.log_id.as_u64(), &mut out);
        varint::encode(self.seq_num.as_u64(), &mut out);
        let (first, second) = swapped!(LinksWritten, self.skiplink, self.backlink);
        for link in [first, second].into_iter().flatten() {
            out.extend_from_slice(&link.to_bytes());
        }
        varint::encode(self.payload_size, &mut out);
        out.extend_from_slice(&self.payload_hash.to_bytes());
        out
    }

    /// Signs the entry in place, over all other fields.
    pub(crate) fn sign(&mut self, key_pair: &KeyPair) {
        assert_eq!(
            self.public_key,
            key_pair.public_key(),
            "signed with a foreign key"
        );
        self.signature = key_pair.sign(&self.encode_unsigned());
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], EntryError> {
        let size = altered!(EntryWhole, size, size.min(self.rest.len()));
        let (taken, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(EntryError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, EntryError> {
        let (value, rest) = varint::decode(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    fn hash(&mut self) -> Result<Hash, EntryError> {
        Ok(Hash::from_bytes(self.take(Hash::SIZE)?)?)
    }
}

/// Why bytes are no entry. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A field is cut short.
    #[error("the entry ends too early")]
    Truncated,
    /// Neither a regular entry nor an end of log.
    #[error("tag byte {0:#04x} is unknown")]
    Tag(u8),
    /// The author's key is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A varu64 is malformed.
    #[error(transparent)]
    Varint(#[from] VarintError),
    /// Sequence numbers start at 1.
    #[error("the sequence number is 0, the first is 1")]
    SeqNumZero,
    /// A link or the payload hash is malformed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Both links name one entry, where they must name two.
    #[error("skiplink and backlink name the same entry")]
    LinksIdentical,
    /// Bytes follow the signature.
    #[error("{0} bytes follow the signature")]
    TrailingBytes(usize),
}

impl Refusal for EntryError {
    fn reason(&self) -> Reason {
        match self {
            Self::Truncated => Reason::EntryTruncated,
            Self::Tag(_) => Reason::EntryTag,
            Self::Key(error) => error.reason(),
            Self::Varint(error) => error.reason(),
            Self::SeqNumZero => Reason::SeqNumZero,
            Self::Hash(error) => error.reason(),
            Self::LinksIdentical => Reason::LinksIdentical,
            Self::TrailingBytes(_) => Reason::EntryTrailingBytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_entry() -> impl Strategy<Value = Entry> {
        let digest = any::<[u8; 32]>();
        (
            any::<bool>(),
            any::<[u8; 32]>(),
            any::<u64>(),
            1u64..,
            any::<u64>(),
            [digest; 3],
        )
            .prop_map(
                |(end_of_log, seed, log_id, seq_num, payload_size, [skip, back, payload])| {
                    let key_pair = KeyPair::from_seed(&seed);
                    let seq_num = SeqNum::new(seq_num).unwrap();
                    let mut entry = Entry {
                        end_of_log,
                        public_key: key_pair.public_key(),
                        log_id: LogId::new(log_id),
                        seq_num,
                        skiplink: seq_num.skiplink().map(|_| Hash::from_digest(skip)),
                        backlink: seq_num.backlink().map(|_| Hash::from_digest(back)),
                        payload_size,
                        payload_hash: Hash::from_digest(payload),
                        signature: Signature::from_bytes([0; 64]),
                    };
                    entry.sign(&key_pair);
                    entry
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn entries_round_trip(entry in any_entry()) {
            let bytes = entry.encode();
            prop_assert!(bytes.len() <= ENTRY_SIZE_MAX);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
        }

        #[test]
        fn every_truncation_and_every_extra_byte_is_refused(entry in any_entry()) {
            let mut bytes = entry.encode();
            for end in 0..bytes.len() {
                prop_assert!(Entry::decode(&bytes[..end]).is_err());
            }
            bytes.push(0);
            prop_assert_eq!(Entry::decode(&bytes), Err(EntryError::TrailingBytes(1)));
        }

        #[test]
        fn a_changed_byte_is_refused_or_decodes_to_itself(
            entry in any_entry(),
            at: prop::sample::Index,
            bit in 0..8u8,
        ) {
            let mut bytes = entry.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(other) = Entry::decode(&bytes) {
                prop_assert_eq!(other.encode(), bytes);
            }
        }
    }
}
