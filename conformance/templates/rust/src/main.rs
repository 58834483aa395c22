//! Answers test vectors on standard input and output: the protocol `p2c/1`.
//!
//! Begin with one kind, then add functions to `KINDS` until nothing comes back as unsupported any more.

use std::io::{self, BufRead, Write};

use serde_json::{json, Value};

/// The input is invalid: where that shows, which rule it breaks, and a word for people.
struct Refused(&'static str, &'static str, String);

/// A kind's function: input and context in, result out.
type Solve = fn(&Value, &Value) -> Result<Value, Refused>;

const KINDS: [(&str, Solve); 1] = [("varu64.decode", decode_varu64)];

fn from_hex(value: &Value) -> Result<Vec<u8>, Refused> {
    let invalid = || Refused("text", "invalid_hex", String::new());
    let text = value.as_str().unwrap_or_default().as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or_else(invalid)
}

/// 0 to 247 stand for themselves; from 248 on the first byte tells how many follow, 1 to 8.
fn decode_varu64(input: &Value, _: &Value) -> Result<Value, Refused> {
    let refuse = |reason, message: String| Err(Refused("entry", reason, message));
    let bytes = from_hex(input)?;
    let Some(first) = bytes.first() else {
        return refuse("varint_truncated", "there is no byte".to_owned());
    };
    let following = first.saturating_sub(247);
    let size = 1 + usize::from(following);
    let Some(digits) = bytes.get(1..size) else {
        return refuse("varint_truncated", format!("{} of {size} bytes", bytes.len()));
    };
    let value = match following {
        0 => u64::from(*first),
        _ => digits.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    };
    let shortest = match value {
        0..=247 => 0,
        _ => (64 - value.leading_zeros()).div_ceil(8),
    };
    if u32::from(following) != shortest {
        return refuse("varint_not_minimal", format!("{value} in {size} bytes"));
    }
    if bytes.len() > size {
        return refuse("varint_trailing_bytes", format!("{} bytes left", bytes.len() - size));
    }
    Ok(json!({"value": value.to_string()}))
}

fn hello() -> Value {
    json!({
        "ok": true,
        "protocol": 1,
        "implementation": {"name": "my-library", "version": "0.1.0", "language": "rust"},
        "kinds": KINDS.map(|(kind, _)| kind),
        "features": [],
        "ruleset": "spec",
    })
}

fn answer(question: &Value) -> Value {
    let seq = &question["seq"];
    let kind = KINDS.iter().find(|(kind, _)| question["kind"] == *kind);
    let Some((_, solve)) = kind.filter(|_| question["op"] == "case") else {
        return json!({"seq": seq, "unsupported": true});
    };
    if question["ruleset"] != "spec" {
        return json!({"seq": seq, "skip": {"reason": "implements the ruleset spec alone"}});
    }
    match solve(&question["input"], &question["context"]) {
        Ok(output) => json!({"seq": seq, "verdict": "valid", "output": output}),
        Err(Refused(phase, reason, message)) => json!({
            "seq": seq,
            "verdict": "invalid",
            "phase": phase,
            "reason": reason,
            "message": message,
        }),
    }
}

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let reply = match serde_json::from_str::<Value>(&line?) {
            Ok(question) if question["op"] == "stop" => return Ok(()),
            Ok(question) if question["op"] == "hello" => hello(),
            Ok(question) if question.is_object() => answer(&question),
            _ => json!({"error": "the line is not a JSON object"}),
        };
        writeln!(output, "{reply}")?;
        output.flush()?;
    }
    Ok(())
}
