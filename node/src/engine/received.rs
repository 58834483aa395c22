//! Messages of peers as the engine takes them: what they bring was checked before.
//!
//! Signatures and hashes need nothing but the bytes, so whoever receives messages checks them, in parallel
//! to the engine. A check always says the same of the same bytes; what it said may be remembered.

use grove_core::session::MODE_RANGES;
use grove_core::types::{DocumentId, DocumentViewId, Keyring, SchemaId};
use grove_core::validate::{SignedEntry, Submission, VerifyError};
use grove_core::wire::Message;
use grove_core::{Reason, Refusal};

/// A message of a peer, and what came of checking the entry it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received(pub(super) Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything but an entry.
    Plain(Message),
    /// An entry with its operation.
    Entry {
        session: u64,
        proof: Result<Box<Submission>, Reason>,
    },
    /// An entry whose operation was deleted with its document.
    Skeleton {
        session: u64,
        proof: Result<Box<SignedEntry>, Reason>,
        schema: SchemaId,
        document: DocumentId,
        previous: Option<DocumentViewId>,
    },
}

impl Received {
    /// The entry that it brings with its operation, if that is good so far.
    pub(super) fn submission(&self) -> Option<&Submission> {
        match &self.0 {
            Kind::Entry { proof, .. } => proof.as_deref().ok(),
            Kind::Plain(_) | Kind::Skeleton { .. } => None,
        }
    }

    /// Whether it can be answered only by who has all entries at hand that peers are told of.
    pub(super) fn compares_ranges(&self) -> bool {
        let Kind::Plain(message) = &self.0 else {
            return false;
        };
        match message {
            Message::Ranges { .. } | Message::Want { .. } => true,
            Message::SyncRequest { mode, .. } => *mode == MODE_RANGES,
            _ => false,
        }
    }

    /// Checks what a message brings: about 60 µs for an entry.
    pub fn check(message: Message, keyring: &mut Keyring) -> Self {
        Self::check_with(message, |bytes| SignedEntry::verify_with(bytes, keyring))
    }

    /// As [`check`](Self::check), with a check of signatures that may remember what it said.
    pub fn check_with(
        message: Message,
        verify: impl FnOnce(&[u8]) -> Result<SignedEntry, VerifyError>,
    ) -> Self {
        Self(match message {
            Message::Entry {
                session,
                entry,
                payload,
            } => {
                let proof = match payload {
                    //= RP7: an entry without its operation is refused
                    None => Err(Reason::PayloadMissing),
                    Some(payload) => verify(&entry)
                        .and_then(|signed| Ok(signed.attach(payload)?))
                        .map(Box::new)
                        .map_err(|error| error.reason()),
                };
                Kind::Entry { session, proof }
            }
            Message::Skeleton {
                session,
                entry,
                schema,
                document,
                previous,
            } => Kind::Skeleton {
                session,
                proof: verify(&entry).map(Box::new).map_err(|error| error.reason()),
                schema,
                document,
                previous,
            },
            message => Kind::Plain(message),
        })
    }

    /// The entry it brings, if its signature holds.
    pub fn entry(&self) -> Option<&SignedEntry> {
        match &self.0 {
            Kind::Entry { proof, .. } => proof.as_ref().ok().map(|submission| submission.entry()),
            Kind::Skeleton { proof, .. } => proof.as_deref().ok(),
            Kind::Plain(_) => None,
        }
    }
}
