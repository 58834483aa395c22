//! Whether an adapter speaks the protocol, point by point, whatever its library makes of the vectors.
//!
//! Each point talks to an adapter of its own, so that one that dies over a point can still show the
//! others. An adapter that knows nothing fails here already: the last point asks for right and wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::report::{Finding, Row, Section, State, Test};
use crate::runner::{
    Adapter, Command, Implementation, Reply, greeting, judge, question_line, read_hello,
};
use crate::suite::{Case, File, Ruleset, Suite, Verdict};

/// How long the run time of a language may take to be loaded.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// Questions sent at once; as many as a run has under way.
const WINDOW: u64 = 32;

/// Hex digits of the longest line asked.
const LONG_LINE_SIZE: usize = 1_000_000;

/// Cases an adapter must tell from their siblings, of one kind it offers.
const PAIRS: usize = 4;

/// A point of the list.
type Point = (
    &'static str,
    &'static str,
    fn(&ChecklistItem<'_>) -> Checked,
);

/// What is wrong, if anything.
type Checked = Result<(), String>;

const POINTS: [Point; 12] = [
    ("hello", "introduces itself as the protocol asks", hello),
    (
        "unknown-operation",
        "an unknown operation comes back as unsupported",
        unknown_operation,
    ),
    (
        "unknown-kind",
        "an unknown kind comes back as unsupported",
        unknown_kind,
    ),
    (
        "seq",
        "`seq` comes back as it was, whatever JSON it is",
        seq,
    ),
    (
        "window",
        "answers each of many questions sent at once, once",
        window,
    ),
    (
        "repetition",
        "gives the same answer to the same question",
        repetition,
    ),
    (
        "malformed-line",
        "survives a line that is not JSON",
        malformed_line,
    ),
    ("long-line", "takes a line of a megabyte", long_line),
    ("quiet", "writes nothing but answers", quiet),
    ("stop", "ends when it is told to", stop),
    (
        "end-of-input",
        "ends when there is nothing more to read",
        end_of_input,
    ),
    (
        "right-and-wrong",
        "tells right from wrong, for one kind at least",
        right_and_wrong,
    ),
];

/// Goes down the list; `again` is the command that does it once more.
pub fn checklist(suite: &Suite, command: &Command, timeout: Duration, again: &str) -> Section {
    let started = Instant::now();
    let check = ChecklistItem {
        suite,
        command,
        timeout,
    };
    let results: Vec<_> = POINTS
        .iter()
        .map(|(id, claim, point)| (*id, *claim, point(&check)))
        .collect();
    let state = |result: &Checked| match result {
        Ok(()) => State::Passed,
        Err(_) => State::Failed,
    };
    let failed = results
        .iter()
        .filter(|(.., result)| result.is_err())
        .count();
    Section {
        title: "Adapter".to_owned(),
        state: if failed == 0 {
            State::Passed
        } else {
            State::Failed
        },
        summary: format!(
            "{} of {} points hold",
            results.len() - failed,
            results.len()
        ),
        seconds: started.elapsed().as_secs_f64(),
        columns: ["the adapter", "result"].map(str::to_owned).into(),
        rows: results
            .iter()
            .map(|(_, claim, result)| Row {
                state: state(result),
                cells: vec![
                    (*claim).to_owned(),
                    if result.is_ok() { "✓" } else { "✗" }.to_owned(),
                ],
            })
            .collect(),
        tests: results
            .iter()
            .map(|(id, _, result)| Test {
                id: (*id).to_owned(),
                group: "adapter".to_owned(),
                state: state(result),
            })
            .collect(),
        findings: results
            .iter()
            .filter_map(|(id, claim, result)| {
                let cause = result.as_ref().err()?;
                Some(Finding {
                    id: (*id).to_owned(),
                    state: State::Failed,
                    what: format!("{claim}: it does not, {cause}"),
                    evidence: Vec::new(),
                    repeat: again.to_owned(),
                })
            })
            .collect(),
        ..Section::default()
    }
}

/// What all points share.
struct ChecklistItem<'a> {
    suite: &'a Suite,
    command: &'a Command,
    timeout: Duration,
}

impl<'a> ChecklistItem<'a> {
    /// An adapter that has said hello.
    fn talk(&self) -> Result<(Talk, Implementation), String> {
        let adapter = Adapter::start(self.command)
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let mut talk = Talk {
            adapter,
            timeout: self.timeout,
        };
        talk.adapter.send(&greeting());
        let told = talk.line_within(self.timeout.max(START_TIME_MAX))?;
        let implementation = read_hello(&told).map_err(|error| error.to_string())?;
        Ok((talk, implementation))
    }

    /// Files of the kinds offered, in the order of the suite.
    fn files(&self, implementation: &Implementation) -> Vec<&'a File> {
        let offered: BTreeSet<_> = implementation.kinds.iter().collect();
        let files = self.suite.files.values();
        files.filter(|file| offered.contains(&file.kind)).collect()
    }

    /// A question it can be expected to answer one way or another.
    fn question(&self, implementation: &Implementation, seq: impl Into<Value>) -> Value {
        match self.files(implementation).first() {
            Some(file) => question_line(file, &file.cases[0], seq.into(), Ruleset::Spec),
            None => unknown_kind_line(seq),
        }
    }
}

/// A conversation with one adapter.
struct Talk {
    adapter: Adapter,
    timeout: Duration,
}

impl Talk {
    fn line(&mut self) -> Result<Value, String> {
        self.line_within(self.timeout)
    }

    fn line_within(&mut self, time: Duration) -> Result<Value, String> {
        match self.adapter.receive(time) {
            Reply::Line(line) => Ok(line),
            Reply::Noise(text) => Err(format!("it writes {text:?}, which is not JSON")),
            Reply::TooLong => Err("it writes a line without an end".to_owned()),
            Reply::Ended(how) => Err(how),
            Reply::Silence => Err("it is silent".to_owned()),
        }
    }

    /// The answer to `question`, with the right `seq`.
    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        self.adapter.send(question);
        let answer = self.line()?;
        if answer.get("seq") == question.get("seq") {
            Ok(answer)
        } else {
            let [asked, given] = [&question["seq"], &answer["seq"]].map(short);
            Err(format!("seq {asked} comes back as {given}"))
        }
    }

    /// Nothing more may come before it ends, and it must end.
    fn ends(mut self) -> Checked {
        match self.adapter.receive(self.timeout) {
            Reply::Ended(_) => {}
            Reply::Line(line) => return Err(format!("it still writes {}", short(&line))),
            Reply::Noise(text) => return Err(format!("it still writes {text:?}")),
            Reply::TooLong => return Err("it still writes, without an end".to_owned()),
            Reply::Silence => return Err("it runs on".to_owned()),
        }
        match self.adapter.wait(self.timeout) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("it ends with {status}")),
            None => Err("it runs on after its output is closed".to_owned()),
        }
    }
}

fn hello(check: &ChecklistItem<'_>) -> Checked {
    check.talk().map(drop)
}

fn unknown_operation(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, _) = check.talk()?;
    let answer = talk.ask(&json!({"op": "zq7-never-defined", "seq": 1}))?;
    is_unsupported(&answer)
}

fn unknown_kind(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, _) = check.talk()?;
    let answer = talk.ask(&unknown_kind_line(1))?;
    is_unsupported(&answer)
}

fn seq(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    for seq in [
        json!("a \"seq\"\nof text: α"),
        json!(0),
        json!(-7),
        json!(1.5),
        json!(9_007_199_254_740_991_i64),
        json!(true),
        json!(null),
        json!([1, {"a": []}]),
        json!({"b": 1, "a": "2"}),
    ] {
        talk.ask(&check.question(&implementation, seq))?;
    }
    Ok(())
}

fn window(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    for seq in 0..WINDOW {
        talk.adapter.send(&check.question(&implementation, seq));
    }
    let mut open: BTreeSet<u64> = (0..WINDOW).collect();
    while !open.is_empty() {
        let answer = talk.line()?;
        let seq = answer["seq"].as_u64();
        if !seq.is_some_and(|seq| open.remove(&seq)) {
            let seq = short(&answer["seq"]);
            return Err(format!("it answers seq {seq}, which is not open"));
        }
    }
    Ok(())
}

fn repetition(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    let first = talk.ask(&check.question(&implementation, 1))?;
    let second = talk.ask(&check.question(&implementation, 1))?;
    if first == second {
        Ok(())
    } else {
        let [first, second] = [&first, &second].map(short);
        Err(format!("first {first}, then {second}"))
    }
}

fn malformed_line(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    for line in ["%!PS\n", "{\"op\":\n", "[]\n", "7\n"] {
        talk.adapter.send_raw(line);
        talk.adapter.send(&check.question(&implementation, "after"));
        // It may say what it thinks of the line.
        let mut answer = talk.line()?;
        if answer.get("seq").is_none_or(Value::is_null) {
            answer = talk.line()?;
        }
        if answer["seq"] != "after" {
            return Err(format!("{line:?} is followed by {}", short(&answer)));
        }
    }
    Ok(())
}

fn long_line(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, _) = check.talk()?;
    // What a kind makes of such an input is the vectors' question.
    let mut question = unknown_kind_line(1);
    question["input"] = "0".repeat(LONG_LINE_SIZE).into();
    talk.ask(&question).map(drop)
}

fn quiet(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    for seq in 0..3 {
        talk.ask(&check.question(&implementation, seq))?;
    }
    talk.adapter.send(&json!({"op": "stop"}));
    talk.ends()
}

fn stop(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, _) = check.talk()?;
    talk.adapter.send(&json!({"op": "stop"}));
    talk.ends()
}

fn end_of_input(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, _) = check.talk()?;
    talk.adapter.close();
    talk.ends()
}

fn right_and_wrong(check: &ChecklistItem<'_>) -> Checked {
    let (mut talk, implementation) = check.talk()?;
    let files = check.files(&implementation);
    if files.is_empty() {
        return Err("it offers no kind of these vectors".to_owned());
    }
    let mut mistakes = Vec::new();
    for file in files {
        match pairs_hold(&mut talk, file) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    match mistakes.first() {
        Some(first) => Err(format!("no kind is right; the first: {first}")),
        None => Err("its kinds have no case with a valid sibling".to_owned()),
    }
}

/// Whether some invalid cases and the valid ones they are near to are all judged right; false when the
/// file has none.
fn pairs_hold(talk: &mut Talk, file: &File) -> Result<bool, String> {
    let by_id: BTreeMap<&str, &Case> = file
        .cases
        .iter()
        .map(|case| (case.id.as_str(), case))
        .collect();
    let sibling = |case: &&Case| by_id.get(case.near.as_ref()?.case.as_str()).copied();
    let pairs = file
        .cases
        .iter()
        .filter(|case| case.verdict.spec == Verdict::Invalid && case.features.is_empty())
        .filter_map(|case| Some([sibling(&case)?, case]))
        .take(PAIRS);
    let mut any = false;
    for (seq, case) in (0..).zip(pairs.flatten()) {
        any = true;
        let answer = talk.ask(&question_line(file, case, seq.into(), Ruleset::Spec))?;
        let outcome = judge::judge(case, Ruleset::Spec, &answer);
        if !outcome.is_pass() {
            return Err(format!("{}: {}", case.id, outcome.headline()));
        }
    }
    Ok(any)
}

fn unknown_kind_line(seq: impl Into<Value>) -> Value {
    json!({
        "op": "case",
        "seq": seq.into(),
        "kind": "zq7.never.defined",
        "ruleset": "spec",
        "context": {},
        "input": "00",
    })
}

fn is_unsupported(answer: &Value) -> Checked {
    if answer["unsupported"] == true {
        Ok(())
    } else {
        Err(format!("it says {}", short(answer)))
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
