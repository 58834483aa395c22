//! Publications whose entry and operation stand in the text of the mutation: thousands of texts that differ
//! in two strings of hex. The document is remembered without them, and they are read like variables.
//!
//! A text is taken apart only where nobody can read it otherwise than the parser does: its strings hold
//! letters and digits and nothing else, and there is no sign that begins a comment, a block string or an
//! escape. Whatever is more than that is parsed each time.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::{OperationType, Selection};
use apollo_compiler::validation::Valid;
use serde_json::{Map, Value};

use super::Document;

/// Strings in a text that is taken apart.
const STRINGS_MAX: usize = 2;

/// A text without what stands in its strings.
pub(in crate::http::graphql) struct Outline<'t> {
    /// No text is like it: it begins with a sign that none has.
    pub(in crate::http::graphql) key: String,
    strings: Vec<&'t str>,
}

impl<'t> Outline<'t> {
    /// Takes the text of a mutation apart.
    pub(in crate::http::graphql) fn of(text: &'t str) -> Option<Self> {
        if !text.starts_with("mutation") {
            return None;
        }
        let mut key = String::from("\0");
        let mut strings = Vec::new();
        let mut parts = text.split('"');
        key.push_str(parts.next()?);
        while let Some(string) = parts.next() {
            let is_plain = string.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if string.is_empty() || !is_plain || strings.len() == STRINGS_MAX {
                return None;
            }
            strings.push(string);
            key.push('"');
            // What begins a string has to end it.
            key.push_str(parts.next()?);
        }
        let is_clear = !strings.is_empty() && !key.contains(['#', '\\']);
        is_clear.then_some(Self { key, strings })
    }

    /// The strings as the variables that a document names in their place.
    pub(in crate::http::graphql) fn variables(&self) -> Map<String, Value> {
        let strings = self.strings.iter().enumerate();
        strings
            .map(|(index, string)| (name(index), Value::from(*string)))
            .collect()
    }

    /// The document of the text with variables in the place of its strings, which stand for any others.
    /// `None` when it is more than one publication with these strings as its arguments.
    pub(in crate::http::graphql) fn document(&self, document: &Document) -> Option<Document> {
        let mut executable = ExecutableDocument::clone(&document.executable);
        let is_one = executable.operations.len() == 1 && executable.fragments.is_empty();
        let is_plain = document.executable.operations.iter().all(|operation| {
            operation.operation_type == OperationType::Mutation
                && operation.variables.is_empty()
                && operation.directives.is_empty()
        });
        if !is_one || !is_plain {
            return None;
        }
        let anonymous = executable.operations.anonymous.iter_mut();
        let operation = anonymous
            .chain(executable.operations.named.values_mut())
            .next()?;
        let selections = &mut operation.make_mut().selection_set.selections;
        let [Selection::Field(field)] = selections.as_mut_slice() else {
            return None;
        };
        if field.name != "publish" || !field.directives.is_empty() {
            return None;
        }
        let mut found = 0;
        for argument in &mut field.make_mut().arguments {
            let Literal::String(text) = &*argument.value else {
                continue;
            };
            if self.strings.get(found) != Some(&text.as_str()) {
                return None;
            }
            let variable = apollo_compiler::Name::new(&name(found)).ok()?;
            let value = argument.value.same_location(Literal::Variable(variable));
            argument.make_mut().value = value;
            found += 1;
        }
        (found == self.strings.len()).then(|| Document {
            // Arguments of types of ours, which hold any string.
            executable: Valid::assume_valid(executable),
            types: document.types.clone(),
            schemas: document.schemas.clone(),
            ..*document
        })
    }
}

fn name(index: usize) -> String {
    format!("string{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_strings_are_taken_out() {
        let text = r#"mutation { publish(entry: "00ff", operation: "AB") { logId } }"#;

        let outline = Outline::of(text).expect("a plain text");

        assert_eq!(
            outline.key,
            "\0mutation { publish(entry: \", operation: \") { logId } }"
        );
        assert_eq!(outline.strings, ["00ff", "AB"]);
        for text in [
            r#"{ publish(entry: "00") }"#,
            r#"mutation { publish(entry: "") }"#,
            r#"mutation { publish(entry: """00""") }"#,
            r#"mutation { publish(entry: "0\u0030") }"#,
            r#"mutation { publish(entry: "00" # "
            operation: "11") }"#,
            r#"mutation { publish(entry: "00" operation: "11" a: "22") }"#,
            r#"mutation { publish(entry: "00) }"#,
            "mutation { publish(entry: \"0\n0\") }",
            "mutation { __typename }",
        ] {
            assert!(Outline::of(text).is_none(), "{text}");
        }
    }
}
