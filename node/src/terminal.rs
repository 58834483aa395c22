//! What is said on the terminal: never a panic when nobody can read it, and words a shell takes as they are.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints to standard output. That its reader has gone, as `head` does, is the reader's own affair.
///
/// # Errors
///
/// When the output cannot be written for another reason, such as a full disk.
pub fn print(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Says something on standard error; where that is closed or full, the exit code has to do.
pub fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// How this program can be called again: by the path it was called by, or by its name where that was found
/// by itself.
pub fn program(name: &str) -> String {
    let called = std::env::args()
        .next()
        .filter(|called| called.contains('/'));
    called.map_or_else(|| name.to_owned(), |called| quote(&called).into_owned())
}

/// A word quoted for a POSIX shell, where it must be.
pub fn quote(word: &str) -> Cow<'_, str> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_@%+=:,./-".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in [
            "plain/path-1.json",
            "",
            "a b",
            "it's",
            "$HOME `id` \"x\"",
            "a\nb",
            "ü*",
            "~",
        ] {
            let script = format!("printf %s {}", quote(word));
            let output = Command::new("sh").args(["-c", &script]).output();

            let output = output.expect("there is a shell").stdout;
            assert_eq!(String::from_utf8_lossy(&output), word);
        }
    }
}
