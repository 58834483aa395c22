//! CBOR as a tree with offsets, and its diagnostic notation (RFC 8949, section 8).
//!
//! Everything well formed is read, canonical or not; a head wider than it needs to be shows as `_0` to
//! `_3`, an indefinite length as `_`. Where the bytes make no sense, a broken node takes all that is left.

use crate::forge::{Item, hex};

/// Deepest nesting read.
const DEPTH_MAX: usize = 24;

/// Bytes, characters and items shown of long ones.
const BYTES_MAX: usize = 8;
const CHARS_MAX: usize = 40;
const ITEMS_MAX: usize = 6;

/// A data item and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub at: usize,
    /// Where its content begins.
    pub content: usize,
    pub end: usize,
    pub what: What,
    /// How the head differs from the canonical one.
    mark: &'static str,
}

#[derive(Debug)]
pub(super) enum What {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Tag(u64, Box<Node>),
    Float(f64),
    Bool(bool),
    Simple(u8),
    /// The end of an indefinite length.
    Break,
    Broken(&'static str),
}

/// The head of an item.
struct Head {
    major: u8,
    low: u8,
    argument: u64,
    size: usize,
}

impl Node {
    /// Whether the bytes stop making sense somewhere inside.
    pub(super) fn is_broken(&self) -> bool {
        match &self.what {
            What::Broken(_) => true,
            What::Array(items) => items.last().is_some_and(Self::is_broken),
            What::Map(pairs) => pairs
                .last()
                .is_some_and(|(key, value)| key.is_broken() || value.is_broken()),
            What::Tag(_, inner) => inner.is_broken(),
            _ => false,
        }
    }

    /// The item in diagnostic notation, long ones cut short.
    pub(super) fn diagnostic(&self) -> String {
        let mark = self.mark;
        match &self.what {
            What::Int(value) => format!("{value}{mark}"),
            What::Bytes(bytes) if bytes.len() > BYTES_MAX => {
                format!("h'{}…'{mark}", hex(&bytes[..BYTES_MAX - 2]))
            }
            What::Bytes(bytes) => format!("h'{}'{mark}", hex(bytes)),
            What::Text(text) => format!("{}{mark}", quoted(text)),
            What::Array(items) => format!("[{}]", listed(mark, items.iter().map(Self::diagnostic))),
            What::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| pair(key, value));
                format!("{{{}}}", listed(mark, pairs))
            }
            What::Tag(tag, inner) => format!("{tag}{mark}({})", inner.diagnostic()),
            What::Float(value) if value.is_nan() => format!("NaN{mark}"),
            What::Float(value) if value.is_infinite() => {
                format!("{}Infinity{mark}", if *value < 0.0 { "-" } else { "" })
            }
            What::Float(value) => format!("{value:?}{mark}"),
            What::Bool(value) => value.to_string(),
            What::Simple(22) => "null".to_owned(),
            What::Simple(23) => "undefined".to_owned(),
            What::Simple(value) => format!("simple({value})"),
            What::Break => "a break without a beginning".to_owned(),
            What::Broken(why) => format!("stops: {why}"),
        }
    }
}

/// A key with its value.
pub(super) fn pair(key: &Node, value: &Node) -> String {
    if key.is_broken() {
        return key.diagnostic();
    }
    format!("{}: {}", key.diagnostic(), value.diagnostic())
}

fn listed(mark: &str, items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(ITEMS_MAX);
    let mut shown: Vec<_> = items.take(ITEMS_MAX).collect();
    if more > 0 {
        shown.push(format!("… {more} more"));
    }
    let gap = if mark.is_empty() { "" } else { " " };
    format!("{mark}{gap}{}", shown.join(", "))
}

fn quoted(text: &str) -> String {
    let short = match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    };
    serde_json::Value::from(short).to_string()
}

/// Reads the item that begins at `at`.
pub(super) fn read(bytes: &[u8], at: usize) -> Node {
    item(bytes, at, 0)
}

fn item(bytes: &[u8], at: usize, depth: usize) -> Node {
    let Some(head) = head(bytes, at) else {
        return broken(bytes, at, "the bytes end within a head");
    };
    let content = at + head.size;
    if depth > DEPTH_MAX {
        return broken(bytes, at, "nested too deeply to be shown");
    }
    if head.low == 31 {
        return indefinite(bytes, at, head.major, depth);
    }
    if head.low > 27 {
        return broken(bytes, at, "a head nobody defined");
    }
    let node = |end, what| Node {
        at,
        content,
        end,
        what,
        mark: mark(&head),
    };
    match head.major {
        0 => node(content, What::Int(head.argument.into())),
        1 => node(content, What::Int(-1 - i128::from(head.argument))),
        2 | 3 => {
            let size = usize::try_from(head.argument).unwrap_or(usize::MAX);
            let end = content.saturating_add(size);
            match bytes.get(content..end) {
                Some(string) => match string_of(head.major, string.to_vec()) {
                    Ok(what) => node(end, what),
                    Err(why) => broken(bytes, at, why),
                },
                None => broken(bytes, at, "the bytes end within a string"),
            }
        }
        4 => {
            let (items, end) = items(bytes, content, depth, Some(head.argument));
            node(end, What::Array(items))
        }
        5 => {
            let count = head.argument.saturating_mul(2);
            let (items, end) = items(bytes, content, depth, Some(count));
            node(end, What::Map(pairs(items)))
        }
        6 => {
            let inner = item(bytes, content, depth + 1);
            node(inner.end, What::Tag(head.argument, Box::new(inner)))
        }
        _ => simple(bytes, at, &head),
    }
}

fn string_of(major: u8, bytes: Vec<u8>) -> Result<What, &'static str> {
    if major == 2 {
        return Ok(What::Bytes(bytes));
    }
    String::from_utf8(bytes)
        .map(What::Text)
        .map_err(|_| "the text is not UTF-8")
}

/// Items up to `count`, or to the break when there is none; ends at the first broken one.
fn items(bytes: &[u8], mut at: usize, depth: usize, count: Option<u64>) -> (Vec<Node>, usize) {
    let mut items = Vec::new();
    while count.is_none_or(|count| (items.len() as u64) < count) {
        let next = item(bytes, at, depth + 1);
        at = next.end;
        if count.is_none() && matches!(next.what, What::Break) {
            break;
        }
        let stop = next.is_broken();
        items.push(next);
        if stop {
            break;
        }
    }
    (items, at)
}

fn pairs(items: Vec<Node>) -> Vec<(Node, Node)> {
    let mut pairs = Vec::new();
    let mut items = items.into_iter();
    while let Some(key) = items.next() {
        let end = key.end;
        // A last key without a value: broken itself, or a map that ends after an odd number of items.
        let value = items.next().unwrap_or(Node {
            at: end,
            content: end,
            end,
            what: What::Broken("a key without a value"),
            mark: "",
        });
        pairs.push((key, value));
    }
    pairs
}

fn indefinite(bytes: &[u8], at: usize, major: u8, depth: usize) -> Node {
    let content = at + 1;
    let node = |end, what| Node {
        at,
        content,
        end,
        what,
        mark: "_",
    };
    match major {
        2 | 3 => {
            let (chunks, end) = items(bytes, content, depth, None);
            if let Some(last) = chunks.last().filter(|last| last.is_broken()) {
                return broken(bytes, at, why(last));
            }
            let mut string = Vec::new();
            for chunk in chunks {
                match (major, chunk.what) {
                    (2, What::Bytes(bytes)) => string.extend(bytes),
                    (3, What::Text(text)) => string.extend(text.into_bytes()),
                    _ => return broken(bytes, at, "a chunk is of another type"),
                }
            }
            match string_of(major, string) {
                Ok(what) => node(end, what),
                Err(why) => broken(bytes, at, why),
            }
        }
        4 => {
            let (items, end) = items(bytes, content, depth, None);
            node(end, What::Array(items))
        }
        5 => {
            let (items, end) = items(bytes, content, depth, None);
            node(end, What::Map(pairs(items)))
        }
        7 => Node {
            mark: "",
            ..node(content, What::Break)
        },
        _ => broken(bytes, at, "a head nobody defined"),
    }
}

fn why(node: &Node) -> &'static str {
    match node.what {
        What::Broken(why) => why,
        _ => "a chunk makes no sense",
    }
}

fn simple(bytes: &[u8], at: usize, head: &Head) -> Node {
    let content = at + head.size;
    let float = |value: f64| {
        let shortest = Item::Float(value).encode();
        let mark = if bytes[at..content] == shortest {
            ""
        } else {
            MARKS[usize::from(head.low - 24)]
        };
        (What::Float(value), mark)
    };
    let (what, mark) = match head.low {
        20 => (What::Bool(false), ""),
        21 => (What::Bool(true), ""),
        25 => float(half(head.argument as u16)),
        26 => float(f32::from_bits(head.argument as u32).into()),
        27 => float(f64::from_bits(head.argument)),
        _ => (What::Simple(head.argument as u8), ""),
    };
    Node {
        at,
        content,
        end: content,
        what,
        mark,
    }
}

fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, steps) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    match exponent {
        31 if steps == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        0 => sign * steps * 2f64.powi(-24),
        _ => sign * (1024.0 + steps) * 2f64.powi(exponent - 25),
    }
}

/// How RFC 8949 tells the width of a head: 1, 2, 4 or 8 bytes.
const MARKS: [&str; 4] = ["_0", "_1", "_2", "_3"];

fn mark(head: &Head) -> &'static str {
    let shortest = match head.argument {
        0..24 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    };
    if head.size == shortest || head.major == 7 {
        ""
    } else {
        MARKS[usize::from(head.low - 24)]
    }
}

fn head(bytes: &[u8], at: usize) -> Option<Head> {
    let first = *bytes.get(at)?;
    let low = first & 0x1f;
    let width = match low {
        24..=27 => 1 << (low - 24),
        _ => 0,
    };
    let argument = bytes.get(at + 1..at + 1 + width)?;
    Some(Head {
        major: first >> 5,
        low,
        argument: match width {
            0 => low.into(),
            _ => argument
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        },
        size: 1 + width,
    })
}

fn broken(bytes: &[u8], at: usize, why: &'static str) -> Node {
    Node {
        at,
        content: at,
        end: bytes.len(),
        what: What::Broken(why),
        mark: "",
    }
}
