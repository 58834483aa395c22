//! Holds `vectors/PROTOCOL.md`, from which a stranger writes a library, to the vectors and to our own.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use grove_conformance::adapter;
use grove_conformance::suite::{Suite, store};
use serde_json::{Value, json};

#[test]
fn every_requirement_reason_and_kind_is_told() {
    let (page, suite) = (page(), suite());

    let anchors = suite.requirements.keys();
    let missing: Vec<_> = anchors
        .filter(|id| {
            page.matches(&format!("<a id=\"{id}\"></a>**{id}**"))
                .count()
                != 1
        })
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
    for (_, case) in suite.cases() {
        for failure in case.causes() {
            let reason = &failure.reason;
            assert!(page.contains(&format!("`{reason}`")), "{reason}");
        }
    }
    for file in suite.files.values() {
        assert!(page.contains(&format!("`{}`", file.kind)), "{}", file.kind);
    }
}

#[test]
fn the_table_of_reasons_is_that_of_the_vectors() {
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in suite().files.values() {
        for failure in file.cases.iter().flat_map(|case| case.causes()) {
            let told = reasons.entry(file.kind.clone()).or_default();
            told.insert(failure.reason.clone());
        }
    }
    let page = page();

    for (kind, reasons) in reasons {
        let reasons: Vec<_> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
        let line = format!("| `{kind}` | {} |", reasons.join(" "));
        assert!(page.contains(&line), "{line}");
    }
}

#[test]
fn the_examples_are_what_our_library_answers() {
    let examples = examples();
    assert!(examples.len() > 20, "{}", examples.len());
    for example in examples {
        let answer = answered(&example);

        match &example["reason"] {
            Value::Null => {
                assert_eq!(answer["verdict"], "valid", "{example}\n{answer}");
                assert_eq!(answer["output"], example["output"], "{example}");
            }
            reason => assert_eq!(&answer["reason"], reason, "{example}\n{answer}"),
        }
    }
}

/// What our adapter says to the question of an example.
fn answered(example: &Value) -> Value {
    let context = example.get("context").cloned().unwrap_or(json!({}));
    let question = json!({
        "op": "case", "seq": 1, "ruleset": "spec",
        "kind": example["kind"], "context": context, "input": example["input"],
    });
    let mut output = Vec::new();
    adapter::serve(question.to_string().as_bytes(), &mut output).unwrap();
    serde_json::from_slice(&output).unwrap()
}

/// The lines of all blocks called `example`.
fn examples() -> Vec<Value> {
    let page = page();
    let blocks = page.split("```example\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/PROTOCOL.md");
    fs::read_to_string(path).unwrap()
}

fn suite() -> Suite {
    Suite::load(&PathBuf::from(store::DEFAULT_DIR)).unwrap()
}
