//! Entries: fixed fields, numbers and links, read up to where they end.

use serde_json::{Map, Value, json};

use super::{Dissection, Part, rest, varu64};
use crate::forge::{Hash, hex, lipmaa};

const KEY_SIZE: usize = 32;
const HASH_SIZE: usize = 34;
const SIGNATURE_SIZE: usize = 64;

/// Bytes of a key that tell it from others in a line.
const SHORT_SIZE: usize = 4;

/// The bytes ended, and a part says so.
struct Stopped;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    parts: Vec<Part>,
    value: Map<String, Value>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Stopped> {
        let tag = self.take(1, "tag")?[0];
        let meaning = match tag {
            0 => "tag 00: the log may go on",
            1 => "tag 01: the log ends here",
            _ => "a tag nobody defined",
        };
        self.part(1, meaning);
        self.set("end_of_log", tag == 1);
        let key = hex(self.take(KEY_SIZE, "public key")?);
        self.part(KEY_SIZE, "public key");
        self.set("public_key", key);
        let log_id = self.number("log id")?;
        self.set("log_id", log_id.to_string());
        let seq_num = self.number("seq num")?;
        self.set("seq_num", seq_num.to_string());
        let skiplink = lipmaa::is_encoded(seq_num).then(|| lipmaa::lipmaa(seq_num));
        self.link("skiplink", skiplink)?;
        self.link("backlink", seq_num.checked_sub(1).filter(|to| *to > 0))?;
        let payload_size = self.number("payload size")?;
        self.set("payload_size", payload_size.to_string());
        let payload_hash = self.hash("payload hash")?;
        self.set("payload_hash", payload_hash);
        let signature = hex(self.take(SIGNATURE_SIZE, "signature")?);
        self.part(SIGNATURE_SIZE, "signature");
        self.set("signature", signature);
        self.set("hash", Hash::of(self.bytes).hex());
        Ok(())
    }

    fn number(&mut self, name: &str) -> Result<u64, Stopped> {
        let Some(number) = varu64::read(&self.bytes[self.at..]) else {
            return Err(self.stop(name));
        };
        self.part(number.size, format!("{name} {}", number.text()));
        Ok(number.value)
    }

    /// The link to an entry, where there is one to be expected.
    fn link(&mut self, name: &str, to: Option<u64>) -> Result<(), Stopped> {
        let link = match to {
            Some(to) => Some(self.hash(&format!("{name} to {to}"))?),
            None => None,
        };
        self.set(name, json!(link));
        Ok(())
    }

    fn hash(&mut self, name: &str) -> Result<String, Stopped> {
        let bytes = self.take(HASH_SIZE, name)?;
        let [algorithm, size] = [bytes[0], bytes[1]];
        let text = hex(bytes);
        if [algorithm, size] == [0, 32] {
            self.part(HASH_SIZE, name);
        } else {
            self.part(
                HASH_SIZE,
                format!("{name}, of algorithm {algorithm} and length {size}"),
            );
        }
        Ok(text)
    }

    /// The next bytes, without going on behind them yet.
    fn take(&mut self, size: usize, name: &str) -> Result<&[u8], Stopped> {
        if self.bytes.len() - self.at < size {
            return Err(self.stop(name));
        }
        Ok(&self.bytes[self.at..self.at + size])
    }

    fn part(&mut self, size: usize, text: impl Into<String>) {
        self.parts.push(Part::new(self.at, self.at + size, text));
        self.at += size;
    }

    fn stop(&mut self, name: &str) -> Stopped {
        let end = self.bytes.len();
        if self.at < end {
            self.part(end - self.at, format!("stops: not all of the {name}"));
        }
        Stopped
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.value.insert(name.to_owned(), value.into());
    }
}

pub(super) fn dissect(bytes: &[u8]) -> Dissection {
    let (mut reader, read) = read(bytes);
    reader.parts.extend(rest(reader.at, bytes));
    Dissection {
        parts: reader.parts,
        value: read.then_some(Value::Object(reader.value)),
    }
}

/// What tells an entry from others.
pub(super) fn in_a_line(bytes: &[u8]) -> String {
    let (reader, read) = read(bytes);
    let member = |name: &str| {
        reader
            .value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("?")
    };
    let author: String = member("public_key").chars().take(2 * SHORT_SIZE).collect();
    let broken = if read { "" } else { ", not all there" };
    format!(
        "entry of {author}…, log id {}, seq num {}{broken}",
        member("log_id"),
        member("seq_num")
    )
}

fn read(bytes: &[u8]) -> (Reader<'_>, bool) {
    let mut reader = Reader {
        bytes,
        at: 0,
        parts: Vec::new(),
        value: Map::new(),
    };
    let read = reader.read().is_ok();
    (reader, read)
}
