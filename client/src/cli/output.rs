//! Answers: the same facts as text for people and as JSON for programs.
//!
//! Text is plain, without colours; control characters from others are shown as escapes, so that no
//! document can play with the terminal.

use std::io::{self, ErrorKind, Write};

use grove_client::graphql::DocumentView;
use serde_json::{Value as Json, json};

/// What a command found out.
#[derive(Debug)]
pub(super) struct Output {
    /// For programs.
    pub json: Json,
    /// For people, without a line feed at the end.
    pub text: String,
}

impl Output {
    /// The same pairs for both; names are those of the JSON members.
    pub(super) fn pairs(pairs: &[(&str, &dyn ToString)]) -> Self {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{:<1$}  {2}", name, width, printable(&value.to_string())))
            .collect();
        Self {
            json: pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Json::from(value.to_string())))
                .collect(),
            text: lines.join("\n"),
        }
    }

    /// Writes the answer to stdout. That a reader has gone is its own affair.
    pub(super) fn print(self, json: bool) -> io::Result<()> {
        let text = if json {
            self.json.to_string()
        } else {
            self.text
        };
        match writeln!(io::stdout(), "{text}") {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// A document as JSON.
pub(super) fn document_json(document: &DocumentView) -> Json {
    json!({
        "documentId": document.document_id.to_string(),
        "viewId": document.view_id.to_string(),
        "owner": document.owner.map(|key| key.to_string()),
        "fields": document.fields,
    })
}

/// A document as lines: its ids, then its fields indented.
pub(super) fn document_text(document: &DocumentView) -> String {
    let mut lines = vec![
        format!("document  {}", document.document_id),
        format!("view      {}", document.view_id),
    ];
    if let Some(owner) = &document.owner {
        lines.push(format!("owner     {owner}"));
    }
    let width = document.fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &document.fields {
        let value = match value {
            Json::String(text) => printable(text),
            other => printable(&other.to_string()),
        };
        lines.push(format!("  {name:<width$}  {value}"));
    }
    lines.join("\n")
}

/// The text with control characters escaped, those included that turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let is_harmful = |char: char| {
        char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_harmful(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[31m\nü\u{202e}"),
            "a\\u{1b}[31m\\nü\\u{202e}"
        );
    }
}
