//! Messages out of a stream of bytes, which arrive in pieces of any size.
//!
//! Follows the outline of a message item by item as the bytes come: what cannot become a message by its
//! form is refused at the item that breaks it, a string at its head, before its content is there. What
//! the items say (keys, ids, the order of sets) is judged by [`Message::decode`] once a message is whole.
//!
//! Always true:
//! - Any split of the same bytes gives the same messages and the same refusal.
//! - Each byte is looked at a bounded number of times, however small the pieces.
//! - What is kept is at most one message of [`MESSAGE_SIZE_MAX`] bytes and the latest piece.
//! - After a refusal nothing more comes out, as nobody can say where the next message would begin.

use super::cbor::{self, CborError, Decoder, Item};
use super::message::{
    ANNOUNCE, ENTRY, HAVE, RANGES, REFUSAL, SKELETON, SYNC_DONE, SYNC_REQUEST, TIPS, WANT,
};
use super::message::{Message, MessageError};
use crate::limits::MESSAGE_SIZE_MAX;

/// Reads messages that stand back to back in a stream.
#[derive(Debug, Default)]
pub struct MessageReader {
    /// What arrived and was not given out before the latest piece.
    buffer: Vec<u8>,
    /// Where in the buffer the message begins that is being read.
    start: usize,
    /// Where its next item begins.
    at: usize,
    /// How many bytes from there on are needed before it is worth another look.
    wanted: usize,
    outline: Outline,
    refusal: Option<MessageError>,
    /// How often the next item was looked at.
    #[cfg(test)]
    looks: usize,
}

impl MessageReader {
    /// Waits for the first byte of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream. Whole messages are to be taken out before more is pushed.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.refusal.is_some() {
            return;
        }
        // Bytes are moved only here, and only when a message before them was given out: once at most.
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the beginning of a message came and its end did not.
    pub fn is_within(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// How many bytes of a message are there whose end is not.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next whole message; `None` until more bytes come.
    pub fn next_message(&mut self) -> Result<Option<Message>, MessageError> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        self.read().inspect_err(|refusal| {
            *self = Self {
                refusal: Some(refusal.clone()),
                ..Self::default()
            };
        })
    }

    fn read(&mut self) -> Result<Option<Message>, MessageError> {
        while self.buffer.len() - self.at >= self.wanted.max(1) {
            #[cfg(test)]
            (self.looks += 1);
            let rest = &self.buffer[self.at..];
            self.outline.expect(rest[0])?;
            let mut decoder = Decoder::new(rest);
            self.wanted = self.within_bounds(decoder.size_at_least())?;
            if rest.len() < self.wanted {
                continue;
            }
            let item = decoder.item()?;
            let size = rest.len() - decoder.remaining();
            if let Item::Array(count) = item {
                self.within_bounds(count.saturating_add(size as u64))?;
            }
            let whole = self.outline.take(&item)?;
            self.at += size;
            self.wanted = 0;
            if whole {
                let message = Message::decode(&self.buffer[self.start..self.at])?;
                self.start = self.at;
                self.outline = Outline::default();
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Refuses what would make the message larger than any may be.
    fn within_bounds(&self, more: u64) -> Result<usize, MessageError> {
        let left = MESSAGE_SIZE_MAX - (self.at - self.start);
        let more = usize::try_from(more).ok().filter(|more| *more <= left);
        more.ok_or(MessageError::TooLarge)
    }
}

/// What a message is made of, as far as the heads of its items tell.
#[derive(Debug)]
enum Form {
    Number,
    Bool,
    Bytes,
    Text,
    /// An array of exactly these.
    Tuple(&'static [Form]),
    /// An array of any number of these.
    Many(&'static [Form; 1]),
}

const HASHES: Form = Form::Many(&[Form::Bytes]);
const SCHEMAS: Form = Form::Many(&[Form::Text]);
const LOGS: Form = Form::Many(&[Form::Tuple(&[Form::Number, Form::Number])]);
const HEIGHTS: Form = Form::Many(&[Form::Tuple(&[Form::Bytes, LOGS])]);
const TIP: Form = Form::Tuple(&[Form::Number, Form::Bytes]);
const TIPS_OF_LOGS: Form = Form::Many(&[Form::Tuple(&[Form::Number, Form::Many(&[TIP])])]);
const ALL_TIPS: Form = Form::Many(&[Form::Tuple(&[Form::Bytes, TIPS_OF_LOGS])]);

/// What follows the type of a message.
fn items_of(kind: u64, count: u64) -> Result<&'static [Form], MessageError> {
    match (kind, count) {
        (ANNOUNCE | SYNC_REQUEST, 4) => Ok(&[Form::Number, Form::Number, SCHEMAS]),
        (ENTRY, 3) => Ok(&[Form::Number, Form::Bytes]),
        (ENTRY, 4) => Ok(&[Form::Number, Form::Bytes, Form::Bytes]),
        (SYNC_DONE, 3) => Ok(&[Form::Number, Form::Bool]),
        (HAVE, 3) => Ok(&[Form::Number, HEIGHTS]),
        (SKELETON, 6) => Ok(&[Form::Number, Form::Bytes, Form::Text, Form::Bytes, HASHES]),
        (TIPS, 3) => Ok(&[Form::Number, ALL_TIPS]),
        (RANGES, 3) => Ok(&[Form::Number, Form::Bytes]),
        (WANT, 4) => Ok(&[Form::Number, HASHES, Form::Bool]),
        (REFUSAL, 3) => Ok(&[Form::Number, Form::Text]),
        (ANNOUNCE | SYNC_REQUEST | ENTRY | SYNC_DONE | HAVE, _)
        | (SKELETON | TIPS | RANGES | WANT | REFUSAL, _) => Err(MessageError::ItemCount(count)),
        _ => Err(MessageError::Kind(kind)),
    }
}

/// How far the outline of a message was followed.
#[derive(Debug, Default)]
enum Outline {
    /// The array around everything comes next.
    #[default]
    Start,
    /// The message type comes next.
    Kind { count: u64 },
    /// The items of these arrays come next, innermost last. Never deeper than [`Form`]s are nested.
    Within(Vec<Level>),
}

/// What is still to come of an array: `forms`, from `at` on, and after that so many times from the
/// beginning.
#[derive(Debug)]
struct Level {
    forms: &'static [Form],
    at: usize,
    times: u64,
}

impl Outline {
    fn next(&self) -> &Form {
        match self {
            Self::Start => &Form::Tuple(&[]),
            Self::Kind { .. } => &Form::Number,
            Self::Within(levels) => {
                let level = levels.last().expect("levels without items are left");
                &level.forms[level.at]
            }
        }
    }

    /// Refuses an item whose first byte tells that it is of another type than the next one must be.
    fn expect(&self, first: u8) -> Result<(), MessageError> {
        let fits = match self.next() {
            Form::Number => first >> 5 == cbor::UNSIGNED,
            Form::Bool => matches!(first, cbor::FALSE | cbor::TRUE),
            Form::Bytes => first >> 5 == cbor::BYTES,
            Form::Text => first >> 5 == cbor::TEXT,
            Form::Tuple(_) | Form::Many(_) => first >> 5 == cbor::ARRAY,
        };
        if fits {
            return Ok(());
        }
        // What is not even CBOR is told as that.
        match Decoder::new(&[first]).item() {
            Err(CborError::Truncated) | Ok(_) => Err(MessageError::Malformed),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes an item of the expected type; says whether it was the last of the message.
    fn take(&mut self, item: &Item<'_>) -> Result<bool, MessageError> {
        match (&mut *self, item) {
            (Self::Start, Item::Array(count)) => *self = Self::Kind { count: *count },
            (Self::Kind { count }, Item::Unsigned(kind)) => {
                let forms = items_of(*kind, *count)?;
                *self = Self::Within(vec![Level::new(forms, 1)]);
            }
            (Self::Within(levels), _) => return advance(levels, item),
            _ => return Err(MessageError::Malformed),
        }
        Ok(false)
    }
}

impl Level {
    const fn new(forms: &'static [Form], times: u64) -> Self {
        Self {
            forms,
            at: 0,
            times,
        }
    }
}

/// Goes one item on, into an array or behind what is done; says whether nothing is left.
fn advance(levels: &mut Vec<Level>, item: &Item<'_>) -> Result<bool, MessageError> {
    let level = levels.last_mut().expect("levels without items are left");
    let form = &level.forms[level.at];
    level.at += 1;
    if level.at == level.forms.len() {
        level.at = 0;
        level.times -= 1;
    }
    match (form, item) {
        (Form::Tuple(forms), Item::Array(count)) if forms.len() as u64 == *count => {
            levels.push(Level::new(forms, 1));
        }
        (Form::Tuple(_), Item::Array(count)) => return Err(MessageError::ItemCount(*count)),
        (Form::Many(form), Item::Array(count)) => levels.push(Level::new(*form, *count)),
        _ => {}
    }
    while levels.last().is_some_and(|level| level.times == 0) {
        levels.pop();
    }
    Ok(levels.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::any_message;
    use super::*;
    use crate::reason::{Reason, Refusal};
    use crate::types::{KeyPair, LogId, SeqNum};
    use crate::wire::Heights;
    use proptest::prelude::*;

    /// All messages of these pieces, and the refusal that ended them.
    fn read(
        reader: &mut MessageReader,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> (Vec<Message>, Option<MessageError>) {
        let mut messages = Vec::new();
        for piece in pieces {
            reader.push(piece.as_ref());
            loop {
                match reader.next_message() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(refusal) => return (messages, Some(refusal)),
                }
            }
        }
        (messages, None)
    }

    /// Cuts bytes into pieces of these sizes, again and again.
    fn split<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(*size));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// After how many bytes a stream is refused, and why.
    fn refusal(bytes: &str) -> (usize, Reason) {
        let bytes = hex::decode(bytes.replace(' ', "")).unwrap();
        let mut reader = MessageReader::new();
        for (index, byte) in bytes.iter().enumerate() {
            if let (_, Some(refusal)) = read(&mut reader, [[*byte]]) {
                return (index + 1, refusal.reason());
            }
        }
        panic!("not refused");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_split_gives_the_same_messages(
            messages in prop::collection::vec(any_message(), 1..5),
            sizes in prop::collection::vec(1usize..80, 1..6),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
            let mut reader = MessageReader::new();
            prop_assert_eq!(read(&mut reader, split(&bytes, &sizes)), (messages, None));
        }

        #[test]
        fn a_changed_byte_is_judged_as_in_the_whole_message(
            message in any_message(),
            at: prop::sample::Index,
            value: u8,
            sizes in prop::collection::vec(1usize..40, 1..6),
        ) {
            let mut bytes = message.encode();
            let at = at.index(bytes.len());
            bytes[at] = value;

            let in_pieces = read(&mut MessageReader::new(), split(&bytes, &sizes));
            let at_once = read(&mut MessageReader::new(), [&bytes]);

            prop_assert_eq!(&in_pieces, &at_once);
            match Message::decode(&bytes) {
                Ok(message) => prop_assert_eq!(in_pieces, (vec![message], None)),
                // The rest of the message may come yet, or what is left over may be another.
                Err(MessageError::Cbor(CborError::Truncated | CborError::TrailingBytes(_))) => {}
                Err(_) => prop_assert!(in_pieces.0.is_empty()),
            }
        }

        #[test]
        fn random_bytes_are_judged_alike_in_any_split(
            bytes: Vec<u8>,
            sizes in prop::collection::vec(1usize..9, 1..4),
        ) {
            let in_pieces = read(&mut MessageReader::new(), split(&bytes, &sizes));
            prop_assert_eq!(in_pieces, read(&mut MessageReader::new(), [&bytes]));
        }
    }

    #[test]
    fn every_item_is_looked_at_a_few_times_only() {
        let author = KeyPair::from_seed(&[1; 32]).public_key();
        let logs = (0..10_000u64).map(|id| (LogId::new(id << 20), SeqNum::new(id + 1).unwrap()));
        let have = Message::Have {
            session: 0,
            heights: Heights::from([(author, logs.collect())]),
        };
        let entry = Message::Entry {
            session: 0,
            entry: vec![0; 226],
            payload: Some(vec![0; 100_000]),
        };
        let bytes: Vec<u8> = [&have, &entry, &have]
            .into_iter()
            .flat_map(Message::encode)
            .collect();
        let items = 2 * (4 + 3 + 3 * 10_000) + 5;

        let mut reader = MessageReader::new();
        let (messages, refusal) = read(&mut reader, split(&bytes, &[1]));

        assert_eq!((messages.len(), refusal), (3, None));
        // Whole, with its head cut, with its content cut.
        assert!(reader.looks <= 3 * items, "{} of {items}", reader.looks);
    }

    #[test]
    fn what_cannot_become_a_message_is_refused_at_once() {
        assert_eq!(refusal("00"), (1, Reason::MessageMalformed));
        assert_eq!(refusal("a1"), (1, Reason::MessageMalformed));
        assert_eq!(refusal("83 04"), (2, Reason::MessageType));
        assert_eq!(refusal("82 03"), (2, Reason::MessageItemCount));
        assert_eq!(refusal("83 0a 00 40"), (4, Reason::MessageMalformed));
        assert_eq!(refusal("83 0a 00 81 83"), (5, Reason::MessageItemCount));
        assert_eq!(refusal("83 03 00 f9"), (4, Reason::MessageMalformed));
        assert_eq!(
            refusal("83 02 00 7a 00000001"),
            (4, Reason::MessageMalformed)
        );
        assert_eq!(refusal("83 02 18 17"), (4, Reason::CborNotMinimal));
        assert_eq!(refusal("9f"), (1, Reason::CborIndefinite));
        assert_eq!(refusal("83 02 00 c0"), (4, Reason::CborTag));
    }

    #[test]
    fn what_would_be_too_large_is_refused_at_its_head() {
        assert_eq!(
            refusal("84 02 00 5a 01000000"),
            (8, Reason::MessageTooLarge)
        );
        assert_eq!(
            refusal("84 00 01 00 9a 01000000"),
            (9, Reason::MessageTooLarge)
        );
        assert_eq!(refusal("9b ffffffffffffffff"), (9, Reason::MessageTooLarge));

        let entry = |size| Message::Entry {
            session: 0,
            entry: vec![0; size],
            payload: None,
        };
        let largest = entry(MESSAGE_SIZE_MAX - 8);
        let bytes = largest.encode();
        assert_eq!(bytes.len(), MESSAGE_SIZE_MAX);
        assert_eq!(
            read(&mut MessageReader::new(), [&bytes]),
            (vec![largest], None)
        );
        let (_, refusal) = read(
            &mut MessageReader::new(),
            [entry(MESSAGE_SIZE_MAX - 7).encode()],
        );
        assert_eq!(refusal, Some(MessageError::TooLarge));
    }

    #[test]
    fn nothing_comes_out_after_a_refusal() {
        let done = Message::SyncDone {
            session: 0,
            live: false,
        }
        .encode();
        let mut reader = MessageReader::new();

        let (messages, refusal) = read(&mut reader, [&done[..], &[0], &done]);

        assert_eq!(
            (messages.len(), refusal),
            (1, Some(MessageError::Malformed))
        );
        assert_eq!(
            read(&mut reader, [&done]),
            (vec![], Some(MessageError::Malformed))
        );
    }
}
