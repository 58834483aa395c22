//! The frames of a WebSocket as they pass by, and how many of its messages are still unanswered.
//!
//! Whoever speaks the protocol reads on while it answers, so that a client who asks without taking the
//! answers would have them pile up. Here it is decided when to read no more. Understands lengths and ends
//! of messages, nothing of what they say; who breaks the protocol is left to who speaks it.
//!
//! Always true:
//! - Nothing is read while the client takes nothing of what was written to it.
//! - No more than [`UNANSWERED_MAX`] messages wait for their answers, but for what needs none.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Most messages of one client being worked on.
const UNANSWERED_MAX: usize = 64;

/// After how long without any answer those messages are taken to need none.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Both directions of a WebSocket.
#[derive(Debug)]
pub(super) struct Frames {
    requests: Direction,
    responses: Direction,
    /// Whether the head of the answer that began the WebSocket is still to pass by.
    head: Option<[u8; 4]>,
    /// Sizes of the messages not yet answered, oldest first.
    unanswered: VecDeque<usize>,
    full_since: Option<Instant>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            requests: Direction::default(),
            responses: Direction::default(),
            head: Some([0; 4]),
            unanswered: VecDeque::new(),
            full_since: None,
        }
    }
}

impl Frames {
    /// Bytes of the client came.
    pub(super) fn read(&mut self, now: Instant, bytes: &[u8]) {
        let unanswered = &mut self.unanswered;
        self.requests.pass(bytes, |size| unanswered.push_back(size));
        if unanswered.len() >= UNANSWERED_MAX {
            self.full_since.get_or_insert(now);
        }
    }

    /// Bytes for the client went.
    pub(super) fn written(&mut self, mut bytes: &[u8]) {
        while let Some(last) = &mut self.head {
            let [first, rest @ ..] = bytes else { return };
            last.rotate_left(1);
            last[3] = *first;
            bytes = rest;
            if last == b"\r\n\r\n" {
                self.head = None;
            }
        }
        let (unanswered, full_since) = (&mut self.unanswered, &mut self.full_since);
        self.responses.pass(bytes, |_| {
            unanswered.pop_front();
            *full_since = None;
        });
    }

    /// Whether more may be read of a client who takes what is sent to it.
    pub(super) fn admits_more(&mut self, now: Instant) -> bool {
        if self.unanswered.len() < UNANSWERED_MAX {
            return true;
        }
        let since = *self.full_since.get_or_insert(now);
        if now.saturating_duration_since(since) < ANSWER_PATIENCE {
            return false;
        }
        self.unanswered.clear();
        self.full_since = None;
        true
    }

    /// How many bytes all messages have that are being read or worked on.
    pub(super) fn size(&self) -> usize {
        self.requests.message + self.unanswered.iter().sum::<usize>()
    }
}

/// Frames in one direction.
#[derive(Debug, Default)]
struct Direction {
    /// What has come of a frame's head.
    head: Vec<u8>,
    /// What is still to come of its payload.
    left: u64,
    /// Whether the frame ends a message, and is no control frame.
    ends: bool,
    /// What has come of the message.
    message: usize,
}

impl Direction {
    /// Lets bytes pass; tells the size of each message that ends.
    fn pass(&mut self, mut bytes: &[u8], mut ended: impl FnMut(usize)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let size =
                    usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                bytes = &bytes[size..];
                self.left -= size as u64;
                self.message += size;
            } else {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                let Some((payload, is_control)) = payload_of(&self.head) else {
                    continue;
                };
                self.left = payload;
                self.ends = self.head[0] & 0x80 != 0 && !is_control;
                self.head.clear();
            }
            if self.left == 0 && self.head.is_empty() && std::mem::take(&mut self.ends) {
                ended(std::mem::take(&mut self.message));
            }
        }
    }
}

/// The size of a frame's payload, and whether it is a control frame, once its head is complete.
fn payload_of(head: &[u8]) -> Option<(u64, bool)> {
    let [first, second, rest @ ..] = head else {
        return None;
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (size, length) = match second & 0x7f {
        126 => (
            2,
            rest.get(..2)?
                .try_into()
                .map(u16::from_be_bytes)
                .ok()?
                .into(),
        ),
        127 => (8, rest.get(..8)?.try_into().map(u64::from_be_bytes).ok()?),
        short => (0, short.into()),
    };
    (rest.len() == size + mask).then_some((length, first & 0x08 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, size: u16, masked: bool) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut frame = vec![first, bit | 126];
        frame.extend(size.to_be_bytes());
        frame.extend(vec![0; usize::from(size) + if masked { 4 } else { 0 }]);
        frame
    }

    #[tokio::test]
    async fn messages_are_told_apart_however_their_bytes_come() {
        let mut bytes = Vec::new();
        bytes.extend(frame(0x01, 200, true));
        bytes.extend([0x89, 0x80, 0, 0, 0, 0]);
        bytes.extend(frame(0x80, 300, true));
        bytes.extend([0x81, 0x80, 0, 0, 0, 0]);
        bytes.extend(frame(0x82, 1000, true));

        for step in [1, 2, 7, 100, bytes.len()] {
            let mut direction = Direction::default();
            let mut sizes = Vec::new();
            for part in bytes.chunks(step) {
                direction.pass(part, |size| sizes.push(size));
            }
            assert_eq!(sizes, [500, 0, 1000], "in parts of {step}");
        }
    }

    #[tokio::test]
    async fn reading_goes_on_with_answers_or_after_a_while() {
        let now = Instant::now();
        let mut frames = Frames::default();
        let ask = frame(0x81, 10, true);
        frames.written(b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n");

        for _ in 0..UNANSWERED_MAX {
            assert!(frames.admits_more(now));
            frames.read(now, &ask);
        }

        assert!(!frames.admits_more(now));
        assert_eq!(frames.size(), 10 * UNANSWERED_MAX);
        frames.written(&frame(0x8a, 5, false));
        assert!(!frames.admits_more(now), "a pong is no answer");
        frames.written(&frame(0x81, 5, false));
        assert!(frames.admits_more(now));
        frames.read(now, &ask);
        assert!(!frames.admits_more(now));
        assert!(frames.admits_more(now + ANSWER_PATIENCE));
        assert_eq!(frames.size(), 0);
    }

    #[tokio::test]
    async fn a_message_in_parts_is_counted_before_it_ends() {
        let mut frames = Frames::default();
        for _ in 0..3 {
            frames.read(Instant::now(), &frame(0x01, 1000, true));
        }
        frames.read(
            Instant::now(),
            &[0x80, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        );

        assert_eq!(frames.size(), 3001);
    }
}
