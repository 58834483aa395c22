//! Adapters that know nothing, to show that the runner cannot be fooled and does not fall over.

use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How an impostor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Impostor {
    /// Says nothing about anything.
    Null,
    /// Calls every input valid.
    Yes,
    /// Calls every input invalid.
    No,
    /// Valid and invalid by turns that have nothing to do with the input.
    Random,
    /// Sends the question back, with the input as result.
    Echo,
    /// Dies at every third question.
    Crash,
    /// Never answers a case.
    Hang,
    /// Answers under a number nobody asked about.
    WrongSeq,
    /// Writes lines that are not JSON.
    Noise,
}

/// Answers questions in the manner of `impostor`.
pub fn serve(impostor: Impostor, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut asked = 0u64;
    for line in input.lines() {
        let question: Value = serde_json::from_str(&line?).unwrap_or_default();
        let answer = match question["op"].as_str() {
            Some("hello") => hello(impostor),
            Some("stop") => return Ok(()),
            _ => {
                asked += 1;
                match answer(impostor, asked, &question) {
                    Some(answer) => answer,
                    None => return Ok(()),
                }
            }
        };
        if impostor == Impostor::Noise && asked > 0 {
            writeln!(output, "%!PS")?;
        } else {
            writeln!(output, "{answer}")?;
        }
        output.flush()?;
    }
    Ok(())
}

fn hello(impostor: Impostor) -> Value {
    json!({
        "ok": true,
        "protocol": super::PROTOCOL,
        "implementation": {"name": format!("impostor {impostor:?}"), "version": "0", "language": "none"},
        "kinds": super::answers::KINDS.iter().map(|(kind, _)| kind).collect::<Vec<_>>(),
        "features": [],
        "ruleset": "spec",
    })
}

fn answer(impostor: Impostor, asked: u64, question: &Value) -> Option<Value> {
    let seq = &question["seq"];
    let valid = json!({"seq": seq, "verdict": "valid", "output": question["input"]});
    let invalid =
        json!({"seq": seq, "verdict": "invalid", "phase": "text", "reason": "invalid_hex"});
    Some(match impostor {
        Impostor::Null => json!({"seq": seq}),
        Impostor::Yes | Impostor::Noise => valid,
        Impostor::No => invalid,
        Impostor::Random if (asked.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 63 == 0 => valid,
        Impostor::Random => invalid,
        Impostor::Echo => question.clone(),
        Impostor::Crash if asked.is_multiple_of(3) => return None,
        Impostor::Crash => invalid,
        Impostor::Hang => {
            thread::sleep(Duration::from_secs(3600));
            return None;
        }
        Impostor::WrongSeq => json!({"seq": -1, "verdict": "valid", "output": {}}),
    })
}
