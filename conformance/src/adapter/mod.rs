//! The adapter over our own library: `grove-conformance adapter serve`.
//!
//! Translates between the lines of `p2c/1` and the library's types and decides nothing itself: every
//! refusal is one the library made. Reads until `stop` or the end of the input.

mod answers;
pub mod checklist;
pub mod impostor;
pub mod template;

use std::io::{self, BufRead, Write};

use grove_core::{Reason, Refusal};
use serde_json::{Value, json};

/// Version of the protocol between runner and adapter.
pub const PROTOCOL: u64 = 1;

/// What a question comes to.
type Answer = Result<Value, Failed>;

/// Why there is no result.
#[derive(Debug)]
enum Failed {
    /// The library refused the input.
    Refused(Reason, String),
    /// The question itself is not of its kind's form.
    Question(&'static str),
}

impl<E: Refusal> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Refused(error.reason(), error.to_string())
    }
}

/// Answers questions line by line.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = serde_json::from_str::<Value>(&line).ok();
        let Some(question) = parsed.filter(Value::is_object) else {
            let error = json!({"error": "the line is not a JSON object"});
            respond(&mut output, &error)?;
            continue;
        };
        match question["op"].as_str() {
            Some("hello") => respond(&mut output, &hello())?,
            Some("case") => respond(&mut output, &case(&question))?,
            Some("stop") => return Ok(()),
            _ => respond(
                &mut output,
                &json!({"seq": question["seq"], "unsupported": true}),
            )?,
        }
    }
    Ok(())
}

fn respond(output: &mut impl Write, line: &Value) -> io::Result<()> {
    writeln!(output, "{line}")?;
    output.flush()
}

fn hello() -> Value {
    let kinds: Vec<_> = answers::KINDS.iter().map(|(kind, _)| kind).collect();
    json!({
        "ok": true,
        "protocol": PROTOCOL,
        "implementation": {
            "name": "grove-core",
            "version": env!("CARGO_PKG_VERSION"),
            "language": "rust",
        },
        "kinds": kinds,
        "features": ["partial-log", "ranges", "skeleton", "tips"],
        "ruleset": "spec",
    })
}

fn case(question: &Value) -> Value {
    let seq = &question["seq"];
    let kind = question["kind"].as_str().unwrap_or_default();
    let Some((_, answer)) = answers::KINDS.iter().find(|(known, _)| *known == kind) else {
        return json!({"seq": seq, "unsupported": true});
    };
    match answer(&question["context"], &question["input"]) {
        Ok(output) => json!({"seq": seq, "verdict": "valid", "output": output}),
        Err(Failed::Refused(reason, message)) => json!({
            "seq": seq,
            "verdict": "invalid",
            "phase": reason.phase().name(),
            "reason": reason.code(),
            "message": message,
        }),
        Err(Failed::Question(message)) => json!({"seq": seq, "error": message}),
    }
}
