//! Reads bytes for people: what stands at which offset, and where it stops making sense.
//!
//! A third reading of the encodings beside the library's and [`crate::forge`]'s writing. It is lenient
//! on purpose: broken input is read as far as it goes. Refusing is not its business, but what it reads
//! from a valid input must be what the vectors expect; the linter compares.
//!
//! Always true:
//! - The parts of an input follow each other without a gap and cover every byte.
//! - No input panics or takes more than linear time.

mod cbor;
mod entry;
mod message;
mod operation;
mod varu64;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::forge::unhex;

/// A piece of the bytes and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset in bytes.
    pub at: usize,
    /// Length in bytes.
    pub size: usize,
    /// What it means.
    pub text: String,
}

impl Part {
    fn new(at: usize, end: usize, text: impl Into<String>) -> Self {
        Self {
            at,
            size: end - at,
            text: text.into(),
        }
    }

    /// The form in a case: offset, size and meaning.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.at, self.size, self.text)
    }

    /// Reads [`Self::line`] back.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        Some(Self {
            at: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
            text: words.next()?.to_owned(),
        })
    }
}

/// What bytes are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number, and nothing else.
    Varu64,
    /// An entry.
    Entry,
    /// An operation.
    Operation,
    /// A message between nodes.
    Message,
    /// Bytes without a form of their own.
    Any,
}

/// From this many byte strings in one input on, each is told in a line.
const DETAILED_MAX: usize = 3;

/// With more than this in one input, none is told.
const TOLD_MAX: usize = 200;

/// Bytes read: their parts, and what they say when nothing stands in the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dissection {
    /// What stands where.
    pub parts: Vec<Part>,
    /// What is read, in the form in which cases expect it.
    pub value: Option<Value>,
}

/// Takes `bytes` apart as `form`.
pub fn dissect(form: Form, bytes: &[u8]) -> Dissection {
    match form {
        Form::Varu64 => varu64::dissect(bytes),
        Form::Entry => entry::dissect(bytes),
        Form::Operation => operation::dissect(bytes),
        Form::Message => message::dissect(bytes),
        Form::Any => Dissection {
            parts: whole(bytes, "any bytes"),
            value: None,
        },
    }
}

/// The byte strings in the input of a case, by their JSON pointers.
pub fn byte_strings(kind: &str, input: &Value) -> BTreeMap<String, (Form, Vec<u8>)> {
    let mut found = BTreeMap::new();
    collect(kind, input, String::new(), &mut found);
    found
}

/// The annotation of a case: the parts of each byte string of its input, as lines.
pub fn annotate(kind: &str, input: &Value) -> BTreeMap<String, Vec<String>> {
    let strings = byte_strings(kind, input);
    if strings.len() > TOLD_MAX {
        return BTreeMap::new();
    }
    let brief = strings.len() > DETAILED_MAX;
    let lines = |(form, bytes): (Form, Vec<u8>)| -> Vec<String> {
        let parts = if brief {
            whole(&bytes, &in_a_line(form, &bytes))
        } else {
            dissect(form, &bytes).parts
        };
        parts.iter().map(Part::line).collect()
    };
    strings
        .into_iter()
        .map(|(path, string)| (path, lines(string)))
        .filter(|(_, lines)| !lines.is_empty())
        .collect()
}

/// Whether what was read from a valid input is the result the case expects. Of kinds whose result is
/// more than a reading, the members that both have are compared.
pub fn agrees(kind: &str, dissection: &Dissection, expected: &Value) -> bool {
    let Some(value) = &dissection.value else {
        return !matches!(kind, "varu64.decode" | "entry.decode" | "operation.decode");
    };
    match kind {
        "operation.validate" => {
            let names = |value: &Value| -> Option<Vec<String>> {
                let fields = value["fields"].as_object()?;
                Some(fields.keys().cloned().collect())
            };
            ["action", "schema_id", "previous"]
                .iter()
                .all(|member| value[*member] == expected[*member])
                && names(value) == names(expected)
        }
        _ => value == expected,
    }
}

fn in_a_line(form: Form, bytes: &[u8]) -> String {
    match form {
        Form::Entry => entry::in_a_line(bytes),
        Form::Operation | Form::Message => cbor::read(bytes, 0).diagnostic(),
        Form::Varu64 | Form::Any => format!("{} bytes", bytes.len()),
    }
}

fn collect(kind: &str, value: &Value, path: String, found: &mut BTreeMap<String, (Form, Vec<u8>)>) {
    match value {
        Value::String(text) => {
            if let (Some(form), Some(bytes)) = (form_at(kind, &path), unhex(text)) {
                found.insert(path, (form, bytes));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(kind, item, format!("{path}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                collect(kind, member, format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// What stands at a place of an input, told by the kind at the root and by the member's name elsewhere.
fn form_at(kind: &str, path: &str) -> Option<Form> {
    let names = path.split('/').rev();
    let name = names
        .filter(|name| name.parse::<usize>().is_err())
        .find(|name| !name.is_empty());
    match (kind, name) {
        ("varu64.decode", None) => Some(Form::Varu64),
        ("hash.of", None) => Some(Form::Any),
        ("entry.decode", None) => Some(Form::Entry),
        ("operation.decode" | "operation.validate", None) => Some(Form::Operation),
        ("message.decode", None) => Some(Form::Message),
        // An entry signs any bytes; whether they are an operation is not asked there.
        ("entry.encode", Some("operation")) => Some(Form::Any),
        // The hash of the one to be proved.
        ("branch.verify", Some("entry")) | ("message.encode", _) => None,
        (_, Some("entry" | "entries" | "first" | "second")) => Some(Form::Entry),
        (_, Some("operation" | "operations" | "payload")) => Some(Form::Operation),
        (_, Some("pieces")) => Some(Form::Any),
        _ => None,
    }
}

fn whole(bytes: &[u8], text: &str) -> Vec<Part> {
    match bytes.len() {
        0 => Vec::new(),
        end => vec![Part::new(0, end, text)],
    }
}

/// What is left at the end, when anything is.
fn rest(at: usize, bytes: &[u8]) -> Option<Part> {
    (at < bytes.len()).then(|| Part::new(at, bytes.len(), "after the end"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FORMS: [Form; 5] = [
        Form::Varu64,
        Form::Entry,
        Form::Operation,
        Form::Message,
        Form::Any,
    ];

    proptest! {
        #[test]
        fn the_parts_of_anything_cover_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for form in FORMS {
                assert_covers(&dissect(form, &bytes).parts, bytes.len());
            }
        }

        #[test]
        fn an_array_that_goes_wrong_is_covered(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            // Random bytes seldom begin like an operation or a message.
            for beginning in ["8401", "850101", "9f0100", "83020a", "9f020a", "840200"] {
                let mut input = unhex(beginning).unwrap();
                input.extend(&bytes);
                for form in [Form::Operation, Form::Message] {
                    assert_covers(&dissect(form, &input).parts, input.len());
                }
            }
        }
    }

    #[test]
    fn an_operation_is_told_item_by_item() {
        let bytes = unhex(
            "84011800 6d626c6f625f70696563655f7631 bf6464617461 f93c00ff00"
                .replace(' ', "")
                .as_str(),
        )
        .unwrap();

        let parts = dissect(Form::Operation, &bytes).parts;

        let told: Vec<_> = parts.iter().map(Part::line).collect();
        assert_eq!(
            told,
            [
                "0 1 operation of 4 items",
                "1 1 version 1",
                "2 2 action 0_0: CREATE",
                "4 14 schema id \"blob_piece_v1\"",
                "18 1 fields: 1",
                "19 8 \"data\": 1.0",
                "27 1 break",
                "28 1 after the end",
            ]
        );
    }

    #[test]
    fn broken_bytes_are_told_up_to_where_they_stop() {
        let truncated = dissect(Form::Operation, &unhex("8401006d626c6f").unwrap());
        let entry = dissect(Form::Entry, &[0; 20]);

        let last = |dissection: &Dissection| dissection.parts.last().unwrap().line();
        assert_eq!(
            last(&truncated),
            "3 4 schema id stops: the bytes end within a string"
        );
        assert_eq!(last(&entry), "1 19 stops: not all of the public key");
        assert_eq!((truncated.value, entry.value), (None, None));
    }

    #[test]
    fn a_line_is_read_back() {
        let part = Part::new(3, 9, "log id 7 and more");

        assert_eq!(Part::parse(&part.line()), Some(part));
        assert_eq!(Part::parse("3 x"), None);
    }

    #[test]
    fn many_operations_take_a_line_each() {
        let operation = "8401006d626c6f625f70696563655f7631a164646174614568656c6c6f";
        let many: Vec<_> = (0..4)
            .map(|_| json!({"id": "00", "operation": operation}))
            .collect();

        let annotation = annotate("document.reduce", &json!({"operations": many}));

        assert_eq!(
            annotation["/operations/3/operation"],
            ["0 29 [1, 0, \"blob_piece_v1\", {\"data\": h'68656c6c6f'}]"]
        );
    }

    fn assert_covers(parts: &[Part], size: usize) {
        let mut end = 0;
        for part in parts {
            assert_eq!(part.at, end, "{parts:?}");
            assert!(part.size > 0, "{parts:?}");
            end += part.size;
        }
        assert_eq!(end, size, "{parts:?}");
    }
}
