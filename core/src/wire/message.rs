//! Replication messages: CBOR arrays, back to back on a stream.
//!
//! The five messages of the deployed protocol, and five of grove's own, which are only ever sent to peers
//! that speak grove: one for entries whose payload was deleted (R31), one that tells the tips of all
//! branches of a log where a `Have` tells one height (R24), two to find out which entries differ and to ask for
//! them, one that says why something is not answered. What a message means for a session is decided in
//! `session`.

use std::collections::{BTreeMap, BTreeSet};

use super::cbor::{CborError, Decoder, Encoder, Item};
use crate::limits::{MESSAGE_SIZE_MAX, RANGES_SIZE_MAX, REASON_LEN_MAX};
use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{
    DocumentId, DocumentViewId, Hash, HashError, KeyError, LogId, PublicKey, SchemaId,
    SchemaIdError, SeqNum, ViewIdError,
};

pub(super) const ANNOUNCE: u64 = 0;
pub(super) const SYNC_REQUEST: u64 = 1;
pub(super) const ENTRY: u64 = 2;
pub(super) const SYNC_DONE: u64 = 3;
pub(super) const HAVE: u64 = 10;
pub(super) const SKELETON: u64 = 12;
pub(super) const TIPS: u64 = 13;
pub(super) const RANGES: u64 = 14;
pub(super) const WANT: u64 = 15;
pub(super) const REFUSAL: u64 = 16;

/// Schema ids in the order of replication messages.
pub type SchemaSet = BTreeSet<SchemaId>;

/// Per author and log the highest sequence number held.
pub type Heights = BTreeMap<PublicKey, BTreeMap<LogId, SeqNum>>;

/// The last entries of the branches of a log, each with its sequence number.
pub type LogTips = BTreeSet<(SeqNum, Hash)>;

/// Per author and log the last entries of all branches held.
pub type Tips = BTreeMap<PublicKey, BTreeMap<LogId, LogTips>>;

/// One replication message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Which schemas the sender is interested in; a later timestamp replaces an earlier one.
    Announce {
        /// Protocol version; 1.
        version: u64,
        /// Seconds, strictly greater than in the announcement before.
        timestamp: u64,
        /// The schemas; may be empty.
        schemas: SchemaSet,
    },
    /// Asks for a session about these schemas.
    SyncRequest {
        /// Session id, chosen by the sender.
        session: u64,
        /// 0 is log height, 2 is ranges, between grove nodes alone.
        mode: u64,
        /// The schemas; not empty.
        schemas: SchemaSet,
    },
    /// One entry with its operation.
    Entry {
        /// Session id.
        session: u64,
        /// Bytes of the entry.
        entry: Vec<u8>,
        /// Bytes of the operation; `None` stands for the missing fourth item some peers send.
        payload: Option<Vec<u8>>,
    },
    /// The sender has nothing more to send in this session.
    SyncDone {
        /// Session id.
        session: u64,
        /// Whether new entries will follow by themselves, in this session.
        live: bool,
    },
    /// The heights of the sender's logs.
    Have {
        /// Session id.
        session: u64,
        /// Height per author and log.
        heights: Heights,
    },
    /// grove only: an entry whose operation was deleted with its document.
    Skeleton {
        /// Session id.
        session: u64,
        /// Bytes of the entry.
        entry: Vec<u8>,
        /// Schema of the deleted document.
        schema: SchemaId,
        /// The deleted document.
        document: DocumentId,
        /// What the operation was made on top of, as far as that is known; `None` for a CREATE.
        previous: Option<DocumentViewId>,
    },
    /// grove only, in place of `Have`: the tips of all branches of the sender's logs.
    Tips {
        /// Session id.
        session: u64,
        /// Tips per author and log; no log is without any.
        tips: Tips,
    },
    /// grove only: fingerprints of ranges of entries, or the entries, as the negentropy protocol has it.
    Ranges {
        /// Session id.
        session: u64,
        /// A message of that protocol.
        ranges: Vec<u8>,
    },
    /// grove only: entries that the sender lacks.
    Want {
        /// Session id.
        session: u64,
        /// Hashes of the entries.
        entries: BTreeSet<Hash>,
        /// Whether these are the last ones.
        is_last: bool,
    },
    /// grove only: why a message is not answered. The session is over.
    Refusal {
        /// Session id.
        session: u64,
        /// The stable code of a reason.
        reason: String,
    },
}

impl Message {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Announce {
                version,
                timestamp,
                schemas,
            } => {
                out.array(4)
                    .unsigned(ANNOUNCE)
                    .unsigned(*version)
                    .unsigned(*timestamp);
                encode_schemas(schemas, &mut out);
            }
            Self::SyncRequest {
                session,
                mode,
                schemas,
            } => {
                out.array(4)
                    .unsigned(SYNC_REQUEST)
                    .unsigned(*session)
                    .unsigned(*mode);
                encode_schemas(schemas, &mut out);
            }
            Self::Entry {
                session,
                entry,
                payload,
            } => {
                out.array(3 + usize::from(payload.is_some()));
                out.unsigned(ENTRY).unsigned(*session).bytes(entry);
                if let Some(payload) = payload {
                    out.bytes(payload);
                }
            }
            Self::SyncDone { session, live } => {
                out.array(3)
                    .unsigned(SYNC_DONE)
                    .unsigned(*session)
                    .bool(*live);
            }
            Self::Have { session, heights } => {
                out.array(3).unsigned(HAVE).unsigned(*session);
                encode_heights(heights, &mut out);
            }
            //= R31: an entry whose operation was deleted is told as such
            Self::Skeleton {
                session,
                entry,
                schema,
                document,
                previous,
            } => {
                out.array(6)
                    .unsigned(SKELETON)
                    .unsigned(*session)
                    .bytes(entry);
                out.text(&schema.to_string())
                    .bytes(&document.hash().to_bytes());
                let ids = previous.as_ref().map_or(&[][..], DocumentViewId::ids);
                encode_hashes(ids.iter().map(|id| id.hash()), &mut out);
            }
            //= R24: between grove nodes all branches of a log are compared
            Self::Tips { session, tips } => {
                out.array(3).unsigned(TIPS).unsigned(*session);
                encode_tips(tips, &mut out);
            }
            Self::Ranges { session, ranges } => {
                out.array(3)
                    .unsigned(RANGES)
                    .unsigned(*session)
                    .bytes(ranges);
            }
            Self::Want {
                session,
                entries,
                is_last,
            } => {
                out.array(4).unsigned(WANT).unsigned(*session);
                encode_hashes(entries.iter().copied(), &mut out);
                out.bool(*is_last);
            }
            Self::Refusal { session, reason } => {
                out.array(3)
                    .unsigned(REFUSAL)
                    .unsigned(*session)
                    .text(reason);
            }
        }
        out.into_bytes()
    }

    /// Reads a message from all of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_SIZE_MAX {
            return Err(MessageError::TooLarge);
        }
        //= RP2: canonical CBOR and nothing after it
        let mut reader = Reader {
            decoder: Decoder::new(bytes),
        };
        let message = reader.message()?;
        reader.decoder.finish()?;
        Ok(message)
    }
}

fn encode_schemas(schemas: &SchemaSet, out: &mut Encoder) {
    out.array(schemas.len());
    for schema in schemas {
        out.text(&schema.to_string());
    }
}

fn encode_hashes(hashes: impl ExactSizeIterator<Item = Hash>, out: &mut Encoder) {
    out.array(hashes.len());
    for hash in hashes {
        out.bytes(&hash.to_bytes());
    }
}

fn encode_heights(heights: &Heights, out: &mut Encoder) {
    out.array(heights.len());
    for (public_key, logs) in heights {
        out.array(2).bytes(public_key.as_bytes()).array(logs.len());
        for (log_id, seq_num) in logs {
            out.array(2)
                .unsigned(log_id.as_u64())
                .unsigned(seq_num.as_u64());
        }
    }
}

fn encode_tips(tips: &Tips, out: &mut Encoder) {
    out.array(tips.len());
    for (public_key, logs) in tips {
        out.array(2).bytes(public_key.as_bytes()).array(logs.len());
        for (log_id, tips) in logs {
            out.array(2).unsigned(log_id.as_u64()).array(tips.len());
            for (seq_num, hash) in tips {
                out.array(2)
                    .unsigned(seq_num.as_u64())
                    .bytes(&hash.to_bytes());
            }
        }
    }
}

struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl Reader<'_> {
    fn message(&mut self) -> Result<Message, MessageError> {
        let count = self.array()?;
        if fault!(MessageNothing, count == 0) {
            return Err(MessageError::ItemCount(0));
        }
        let kind = self.unsigned()?;
        let kind = altered!(MessageType, kind, kind.min(REFUSAL));
        let counts = match kind {
            ANNOUNCE | SYNC_REQUEST | WANT => 4..=4,
            ENTRY => 3..=4,
            SYNC_DONE | HAVE | TIPS | RANGES | REFUSAL => 3..=3,
            SKELETON => 6..=6,
            _ => return Err(MessageError::Kind(kind)),
        };
        //= RP1: the type tells how many items there are
        if fault!(MessageItems, !counts.contains(&count)) {
            return Err(MessageError::ItemCount(count));
        }
        match kind {
            ANNOUNCE => Ok(Message::Announce {
                version: self.unsigned()?,
                timestamp: self.unsigned()?,
                schemas: self.schemas()?,
            }),
            SYNC_REQUEST => {
                let (session, mode, schemas) =
                    (self.unsigned()?, self.unsigned()?, self.schemas()?);
                //= RP5: a request is about some schema
                if fault!(MessageSetEmpty, schemas.is_empty()) {
                    return Err(MessageError::Set);
                }
                Ok(Message::SyncRequest {
                    session,
                    mode,
                    schemas,
                })
            }
            ENTRY => Ok(Message::Entry {
                session: self.unsigned()?,
                entry: self.bytes()?,
                payload: if holds!(MessagePayload, count == 4) {
                    Some(self.bytes()?)
                } else {
                    None
                },
            }),
            SYNC_DONE => Ok(Message::SyncDone {
                session: self.unsigned()?,
                live: self.bool()?,
            }),
            HAVE => Ok(Message::Have {
                session: self.unsigned()?,
                heights: self.heights()?,
            }),
            //= DL6: peers of the own kind are told that an operation was deleted
            SKELETON => Ok(Message::Skeleton {
                session: self.unsigned()?,
                entry: self.bytes()?,
                schema: self.schema()?,
                document: Hash::from_bytes(&self.bytes()?)?.into(),
                previous: self.previous()?,
            }),
            RANGES => Ok(Message::Ranges {
                session: self.unsigned()?,
                ranges: self.ranges()?,
            }),
            WANT => Ok(Message::Want {
                session: self.unsigned()?,
                entries: self.hashes()?,
                is_last: self.bool()?,
            }),
            REFUSAL => Ok(Message::Refusal {
                session: self.unsigned()?,
                reason: self.code()?,
            }),
            TIPS => Ok(Message::Tips {
                session: self.unsigned()?,
                tips: self.tips()?,
            }),
            _ => unreachable!("unknown kinds returned above"),
        }
    }

    fn array(&mut self) -> Result<u64, MessageError> {
        match self.decoder.item()? {
            Item::Array(count) => Ok(count),
            _ => Err(MessageError::Malformed),
        }
    }

    fn unsigned(&mut self) -> Result<u64, MessageError> {
        match self.decoder.item()? {
            Item::Unsigned(number) => Ok(number),
            _ => altered!(MessageNumber, Err(MessageError::Malformed), Ok(0)),
        }
    }

    fn bool(&mut self) -> Result<bool, MessageError> {
        match self.decoder.item()? {
            Item::Bool(bool) => Ok(bool),
            _ => altered!(MessageBool, Err(MessageError::Malformed), Ok(false)),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, MessageError> {
        match self.decoder.item()? {
            Item::Bytes(bytes) => Ok(bytes.to_vec()),
            _ => altered!(MessageBytes, Err(MessageError::Malformed), Ok(Vec::new())),
        }
    }

    fn schema(&mut self) -> Result<SchemaId, MessageError> {
        match self.decoder.item()? {
            Item::Text(text) => Ok(text.parse()?),
            _ => Err(MessageError::Malformed),
        }
    }

    fn schemas(&mut self) -> Result<SchemaSet, MessageError> {
        let mut set = SchemaSet::new();
        for _ in 0..self.array()? {
            let schema = self.schema()?;
            //= RP4: schema ids ascend, and none is given twice
            let last = set.last();
            let unsorted = fault!(MessageSetUnsorted, last > Some(&schema));
            let duplicate = fault!(MessageSetDuplicate, last == Some(&schema));
            if unsorted || duplicate {
                return Err(MessageError::Set);
            }
            set.insert(schema);
        }
        Ok(set)
    }

    //= R27: heights are nested per author, keys as byte strings
    /// Reads heights. Deployed nodes send authors in no order, so only duplicates are refused.
    fn heights(&mut self) -> Result<Heights, MessageError> {
        let mut heights = Heights::new();
        for _ in 0..self.array()? {
            self.pair()?;
            //= RP6: heights stand under the 32 bytes of their author's key
            let public_key = PublicKey::from_bytes(&self.bytes()?)?;
            let mut logs = BTreeMap::new();
            for _ in 0..self.array()? {
                self.pair()?;
                let log_id = LogId::new(self.unsigned()?);
                let seq_num = self.seq_num()?;
                let twin = logs.insert(log_id, seq_num);
                if fault!(HeightLogTwice, twin.is_some()) {
                    return Err(MessageError::Malformed);
                }
            }
            let twin = heights.insert(public_key, logs);
            if fault!(HeightAuthorTwice, twin.is_some()) {
                return Err(MessageError::Malformed);
            }
        }
        Ok(heights)
    }

    fn seq_num(&mut self) -> Result<SeqNum, MessageError> {
        let number = self.unsigned()?;
        let number = altered!(HeightZero, number, number.max(1));
        //= RP3: sequence numbers start at one
        SeqNum::new(number).ok_or(MessageError::Malformed)
    }

    /// Reads tips. Only grove nodes send them, so everything has to ascend, and no log is without tips.
    //= FK12: the tips of all branches are told each once, and ascending
    fn tips(&mut self) -> Result<Tips, MessageError> {
        let mut tips = Tips::new();
        for _ in 0..self.array()? {
            self.pair()?;
            let public_key = PublicKey::from_bytes(&self.bytes()?)?;
            let mut logs = BTreeMap::new();
            for _ in 0..self.array()? {
                self.pair()?;
                let log_id = LogId::new(self.unsigned()?);
                let of_log = self.log_tips()?;
                let unsorted = logs.last_key_value().map(|(id, _)| id) >= Some(&log_id);
                if fault!(TipsAscend, unsorted || of_log.is_empty()) {
                    return Err(MessageError::Malformed);
                }
                logs.insert(log_id, of_log);
            }
            let unsorted = tips.last_key_value().map(|(key, _)| key) >= Some(&public_key);
            if fault!(TipsAscend, unsorted) {
                return Err(MessageError::Malformed);
            }
            tips.insert(public_key, logs);
        }
        Ok(tips)
    }

    fn log_tips(&mut self) -> Result<LogTips, MessageError> {
        let mut tips = LogTips::new();
        for _ in 0..self.array()? {
            self.pair()?;
            let tip = (self.seq_num()?, Hash::from_bytes(&self.bytes()?)?);
            if fault!(TipsAscend, tips.last() >= Some(&tip)) {
                return Err(MessageError::Malformed);
            }
            tips.insert(tip);
        }
        Ok(tips)
    }

    fn hashes(&mut self) -> Result<BTreeSet<Hash>, MessageError> {
        let mut hashes = BTreeSet::new();
        for _ in 0..self.array()? {
            let hash = Hash::from_bytes(&self.bytes()?)?;
            if hashes.last() >= Some(&hash) {
                return Err(MessageError::Malformed);
            }
            hashes.insert(hash);
        }
        Ok(hashes)
    }

    fn previous(&mut self) -> Result<Option<DocumentViewId>, MessageError> {
        let ids: Vec<_> = self.hashes()?.into_iter().map(Into::into).collect();
        match ids.is_empty() {
            true => Ok(None),
            false => Ok(Some(DocumentViewId::from_sorted(ids)?)),
        }
    }

    fn ranges(&mut self) -> Result<Vec<u8>, MessageError> {
        let ranges = self.bytes()?;
        match ranges.len() > RANGES_SIZE_MAX {
            true => Err(MessageError::TooLarge),
            false => Ok(ranges),
        }
    }

    /// Reads a code, which may be one that we don't know.
    fn code(&mut self) -> Result<String, MessageError> {
        let Item::Text(code) = self.decoder.item()? else {
            return Err(MessageError::Malformed);
        };
        let is_code = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_';
        match code.len() <= REASON_LEN_MAX && code.bytes().all(is_code) {
            true => Ok(code.to_owned()),
            false => Err(MessageError::Malformed),
        }
    }

    fn pair(&mut self) -> Result<(), MessageError> {
        let count = self.array()?;
        if fault!(MessagePair, count != 2) {
            return Err(MessageError::ItemCount(count));
        }
        Ok(())
    }
}

/// Why bytes are no replication message. (Peer)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not canonical CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// An item has the wrong type or an impossible value.
    #[error("an item of the message has the wrong type or value")]
    Malformed,
    /// More bytes than any message may have.
    #[error("the message is larger than {MESSAGE_SIZE_MAX} bytes")]
    TooLarge,
    /// An unknown message type.
    #[error("message type {0} is unknown")]
    Kind(u64),
    /// Too many or too few items.
    #[error("a message or pair of this type does not have {0} items")]
    ItemCount(u64),
    /// A set is unsorted, has duplicates or is empty where it may not be.
    #[error("the set of schema ids is empty, unsorted or has duplicates")]
    Set,
    /// A schema id is malformed.
    #[error(transparent)]
    SchemaId(#[from] SchemaIdError),
    /// A public key is malformed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A hash is malformed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// What an operation was made on top of can't be that.
    #[error(transparent)]
    ViewId(#[from] ViewIdError),
}

impl Refusal for MessageError {
    fn reason(&self) -> Reason {
        match self {
            Self::Cbor(error) => error.reason(),
            Self::Malformed => Reason::MessageMalformed,
            Self::TooLarge => Reason::MessageTooLarge,
            Self::Kind(_) => Reason::MessageType,
            Self::ItemCount(_) => Reason::MessageItemCount,
            Self::Set => Reason::MessageSet,
            Self::SchemaId(error) => error.reason(),
            Self::Key(error) => error.reason(),
            Self::Hash(error) => error.reason(),
            Self::ViewId(error) => error.reason(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::KeyPair;
    use proptest::prelude::*;

    pub(in crate::wire) fn any_message() -> impl Strategy<Value = Message> {
        let schemas = prop::sample::subsequence(
            vec![
                SchemaId::SCHEMA_DEFINITION,
                SchemaId::BLOB,
                SchemaId::BLOB_PIECE,
            ],
            1..=3,
        )
        .prop_map(|ids| ids.into_iter().collect::<SchemaSet>());
        let logs = prop::collection::btree_map(
            any::<u64>().prop_map(LogId::new),
            (1u64..).prop_map(|n| SeqNum::new(n).unwrap()),
            0..3,
        );
        let author = any::<[u8; 32]>().prop_map(|seed| KeyPair::from_seed(&seed).public_key());
        let heights = prop::collection::btree_map(author.clone(), logs, 0..3);
        let tip = (1u64.., any::<[u8; 32]>());
        let tip = tip.prop_map(|(n, digest)| (SeqNum::new(n).unwrap(), Hash::from_digest(digest)));
        let log_id = any::<u64>().prop_map(LogId::new);
        let of_log = prop::collection::btree_set(tip, 1..3);
        let tips = prop::collection::btree_map(log_id, of_log, 0..3);
        let tips = prop::collection::btree_map(author, tips, 0..3);
        let hashes =
            prop::collection::btree_set(any::<[u8; 32]>().prop_map(Hash::from_digest), 0..3);
        prop_oneof![
            (any::<u64>(), schemas.clone()).prop_map(|(timestamp, schemas)| Message::Announce {
                version: 1,
                timestamp,
                schemas
            }),
            (any::<u64>(), schemas).prop_map(|(session, schemas)| Message::SyncRequest {
                session,
                mode: 0,
                schemas
            }),
            (any::<u64>(), any::<Vec<u8>>(), any::<Option<Vec<u8>>>()).prop_map(
                |(session, entry, payload)| Message::Entry {
                    session,
                    entry,
                    payload
                }
            ),
            (any::<u64>(), any::<bool>())
                .prop_map(|(session, live)| Message::SyncDone { session, live }),
            (any::<u64>(), heights)
                .prop_map(|(session, heights)| Message::Have { session, heights }),
            (
                any::<u64>(),
                any::<Vec<u8>>(),
                any::<[u8; 32]>(),
                hashes.clone()
            )
                .prop_map(|(session, entry, digest, previous)| Message::Skeleton {
                    session,
                    entry,
                    schema: SchemaId::BLOB,
                    document: Hash::from_digest(digest).into(),
                    previous: DocumentViewId::from_tips(previous.into_iter().map(Into::into)),
                }),
            (any::<u64>(), any::<Vec<u8>>())
                .prop_map(|(session, ranges)| Message::Ranges { session, ranges }),
            (any::<u64>(), hashes, any::<bool>()).prop_map(|(session, entries, is_last)| {
                Message::Want {
                    session,
                    entries,
                    is_last,
                }
            }),
            (any::<u64>(), "[a-z_]{0,20}")
                .prop_map(|(session, reason)| Message::Refusal { session, reason }),
            (any::<u64>(), tips).prop_map(|(session, tips)| Message::Tips { session, tips }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn messages_round_trip(message in any_message()) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn a_changed_byte_is_refused_or_decodes_to_itself(
            message in any_message(),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = message.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(other) = Message::decode(&bytes) {
                let again = other.encode();
                // Authors and logs of a `Have` come in any order, and are sent in theirs.
                if !matches!(other, Message::Have { .. }) {
                    prop_assert_eq!(&again, &bytes);
                }
                prop_assert_eq!(again.len(), bytes.len());
                prop_assert_eq!(Message::decode(&again), Ok(other));
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Message::decode(&bytes);
        }
    }

    #[test]
    fn captured_messages_decode() {
        let done = hex::decode("830300f4").unwrap();
        assert_eq!(
            Message::decode(&done),
            Ok(Message::SyncDone {
                session: 0,
                live: false
            })
        );
        let have = hex::decode("830a0080").unwrap();
        assert_eq!(
            Message::decode(&have),
            Ok(Message::Have {
                session: 0,
                heights: Heights::new()
            })
        );
    }

    #[test]
    fn broken_messages_are_refused_with_their_cause() {
        let reason = |bytes: &str| {
            Message::decode(&hex::decode(bytes).unwrap())
                .unwrap_err()
                .reason()
        };
        assert_eq!(reason("8204f4"), Reason::MessageType);
        assert_eq!(reason("82030a"), Reason::MessageItemCount);
        assert_eq!(reason("80"), Reason::MessageItemCount);
        assert_eq!(
            reason("84010000 80".replace(' ', "").as_str()),
            Reason::MessageSet
        );
        assert_eq!(
            reason("830a00818161".replace("8161", "8240").as_str()),
            Reason::KeyLength
        );
        assert_eq!(reason("830300f400"), Reason::CborTrailingBytes);
    }

    #[test]
    fn tips_ascend_and_no_log_is_without() {
        let key = "5820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let hash = |byte: &str| format!("58220020{}", byte.repeat(32));
        let message = |tips: &[(u8, &str)]| {
            let tips = tips
                .iter()
                .map(|(n, byte)| format!("82{n:02x}{}", hash(byte)));
            let tips: Vec<_> = tips.collect();
            let log = format!("8200{:02x}{}", 0x80 + tips.len(), tips.concat());
            format!("830d07818{}{key}81{log}", 2)
        };
        let decode = |tips: &[(u8, &str)]| Message::decode(&hex::decode(message(tips)).unwrap());

        let two = decode(&[(1, "bb"), (2, "aa")]).unwrap();
        let Message::Tips { session: 7, tips } = two else {
            panic!("{two:?}");
        };
        assert_eq!(
            tips.values().flat_map(BTreeMap::values).flatten().count(),
            2
        );
        for wrong in [
            &[][..],
            &[(0, "aa")],
            &[(1, "aa"), (1, "aa")],
            &[(2, "aa"), (1, "bb")],
            &[(1, "bb"), (1, "aa")],
        ] {
            let reason = decode(wrong).unwrap_err().reason();
            assert_eq!(reason, Reason::MessageMalformed, "{wrong:?}");
        }
    }
}
