//! Signature and payload of an entry.
//!
//! Needs nothing but the bytes, so it can run anywhere and in parallel. The place in the log, the
//! schema and the document are judged later, by those who know them.

use crate::limits::PAYLOAD_SIZE_MAX;
use crate::mutant::{altered, bound, fault};
use crate::reason::{Reason, Refusal};
use crate::types::{Hash, Keyring, OperationId, SignatureError};
use crate::wire::{Entry, EntryError, Operation, OperationError};

/// An entry whose signature holds, with its bytes as received and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    entry: Entry,
    bytes: Box<[u8]>,
    hash: Hash,
}

impl SignedEntry {
    /// Decodes `bytes` and checks the signature over all but the last 64 of them (R11).
    pub fn verify(bytes: &[u8]) -> Result<Self, VerifyError> {
        Self::verify_with(bytes, &mut Keyring::new(0))
    }

    /// As [`SignedEntry::verify`], faster for authors whose key is in the keyring; it is afterwards.
    pub fn verify_with(bytes: &[u8], keyring: &mut Keyring) -> Result<Self, VerifyError> {
        let (entry, point) = Entry::decode_with(bytes, keyring)?;
        let message = &bytes[..bytes.len() - crate::types::Signature::SIZE];
        let message = altered!(SignedBytes, message, &message[1..]);
        //= KY1: an entry is signed with the Ed25519 key it names
        entry.signature.verify(&point, message)?;
        keyring.keep(entry.public_key, point);
        Ok(Self {
            entry,
            hash: Hash::of(bytes),
            bytes: bytes.into(),
        })
    }

    /// Takes an entry just signed with its author's own key.
    pub(crate) fn from_own(entry: Entry) -> Self {
        let bytes = entry.encode().into_boxed_slice();
        Self {
            entry,
            hash: Hash::of(&bytes),
            bytes,
        }
    }

    /// The decoded fields.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Hash of the bytes, which other entries link to.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Id of the operation this entry carries.
    pub fn operation_id(&self) -> OperationId {
        self.hash.into()
    }

    /// Joins the entry with its operation's bytes, after comparing size and hash.
    pub fn attach(self, payload: Vec<u8>) -> Result<Submission, PayloadError> {
        if payload.len() > bound!(PayloadMax, PAYLOAD_SIZE_MAX) {
            return Err(PayloadError::TooLarge(payload.len()));
        }
        //= PB2: the operation is the one the entry was signed for
        if fault!(PayloadHash, Hash::of(&payload) != self.entry.payload_hash) {
            return Err(PayloadError::Hash);
        }
        if fault!(PayloadSize, payload.len() as u64 != self.entry.payload_size) {
            return Err(PayloadError::Size {
                claimed: self.entry.payload_size,
                actual: payload.len(),
            });
        }
        let operation = Operation::decode(&payload);
        Ok(Submission {
            entry: self,
            payload,
            operation,
        })
    }
}

/// A signed entry with the operation that belongs to it.
///
/// The operation is decoded already, but whether that succeeded is only asked after the entry's
/// place in the log was judged: faults are reported in the order of their phases.
#[derive(Debug, Clone)]
pub struct Submission {
    entry: SignedEntry,
    payload: Vec<u8>,
    operation: Result<Operation, OperationError>,
}

/// The operation is read from its bytes.
impl PartialEq for Submission {
    fn eq(&self, other: &Self) -> bool {
        self.entry == other.entry && self.payload == other.payload
    }
}

impl Eq for Submission {}

impl Submission {
    /// Verifies an entry and joins it with its operation's bytes.
    pub fn verify(entry: &[u8], payload: Vec<u8>) -> Result<Self, VerifyError> {
        Self::verify_with(entry, payload, &mut Keyring::new(0))
    }

    /// As [`Submission::verify`], faster for authors whose key is in the keyring.
    pub fn verify_with(
        entry: &[u8],
        payload: Vec<u8>,
        keyring: &mut Keyring,
    ) -> Result<Self, VerifyError> {
        Ok(SignedEntry::verify_with(entry, keyring)?.attach(payload)?)
    }

    /// The signed entry.
    pub fn entry(&self) -> &SignedEntry {
        &self.entry
    }

    /// The operation's bytes as received.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The decoded operation.
    pub fn operation(&self) -> Result<&Operation, OperationError> {
        self.operation.as_ref().map_err(Clone::clone)
    }
}

/// Why bytes are no signed entry with its operation. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Not signed by its author.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The operation is not the one the entry names.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl Refusal for VerifyError {
    fn reason(&self) -> Reason {
        match self {
            Self::Entry(error) => error.reason(),
            Self::Signature(error) => error.reason(),
            Self::Payload(error) => error.reason(),
        }
    }
}

/// Why an operation does not belong to an entry. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// More bytes than a node takes.
    #[error("the operation has {0} bytes, {PAYLOAD_SIZE_MAX} are allowed")]
    TooLarge(usize),
    /// Another hash.
    #[error("the operation's hash is not the one in the entry")]
    Hash,
    /// Another size.
    #[error("the operation has {actual} bytes, the entry claims {claimed}")]
    Size {
        /// Size in the entry.
        claimed: u64,
        /// Size of the operation.
        actual: usize,
    },
}

impl Refusal for PayloadError {
    fn reason(&self) -> Reason {
        match self {
            Self::TooLarge(_) => Reason::PayloadTooLarge,
            Self::Hash => Reason::PayloadHashMismatch,
            Self::Size { .. } => Reason::PayloadSizeMismatch,
        }
    }
}
