//! Holds the table of mutation points to the code and to the reasons of refusal.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use grove_core::mutant::{Form, Mutant, Point};
use grove_core::{Phase, Reason};

/// Reasons between text and message that no point guards, and why.
const ELSEWHERE: [(Reason, &str); 11] = [
    (Reason::NotUtf8, "texts are handed in as texts"),
    (
        Reason::VarintTrailingBytes,
        "what follows a varu64 is its caller's matter",
    ),
    (
        Reason::PayloadMissing,
        "the engine of a node sees what came with an entry",
    ),
    (Reason::DocumentNotFound, "a store knows its documents"),
    (Reason::AuthorNotAllowed, "the operator of a node says so"),
    (Reason::SchemaNotAllowed, "the operator of a node says so"),
    (Reason::AuthorLimit, "the operator of a node says so"),
    (Reason::LogPurged, "the operator of a node says so"),
    (Reason::DocumentPurged, "the operator of a node says so"),
    (
        Reason::LogIdMax,
        "takes more logs of one author than any test writes",
    ),
    (
        Reason::MessageTooLarge,
        "takes more bytes than any test holds",
    ),
];

/// Which macros stand at a point of each form.
fn form_of(name: &str) -> Option<Form> {
    Some(match name {
        "fault" | "holds" => Form::Check,
        "bound" => Form::Bound,
        "swapped" => Form::Order,
        "altered" => Form::Value,
        _ => return None,
    })
}

/// Every point marked in the code of the crate, with the form of its macro.
fn marked() -> BTreeMap<String, BTreeSet<String>> {
    let mut points: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("mutant") {
                    folders.push(path);
                }
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            for (at, _) in source.match_indices("!(") {
                let name = source[..at].rsplit(|c: char| !c.is_alphanumeric());
                let name = name.take(1).collect::<String>();
                let point = source[at + 2..].trim_start();
                let point = point.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                if form_of(&name).is_some() {
                    points.entry(point.to_owned()).or_default().insert(name);
                }
            }
        }
    }
    points
}

#[test]
fn every_point_is_marked_in_the_code_with_its_form() {
    let marked = marked();
    for point in Point::ALL {
        let macros = marked.get(point.name());
        let macros = macros.unwrap_or_else(|| panic!("{} stands nowhere", point.name()));
        for name in macros {
            assert_eq!(form_of(name), Some(point.form()), "{}", point.name());
        }
    }
    assert_eq!(marked.len(), Point::ALL.len());
}

#[test]
fn every_reason_of_this_crate_is_guarded_by_a_point() {
    let guarded: BTreeSet<_> = Point::ALL
        .iter()
        .flat_map(|point| point.reasons())
        .collect();
    for reason in Reason::ALL {
        let ours = reason.phase() <= Phase::Message && reason.phase() != Phase::Store;
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| other == reason);
        assert_eq!(guarded.contains(reason), ours && !elsewhere, "{reason}");
    }
}

#[test]
fn mutants_are_found_by_their_names() {
    let all: Vec<_> = Mutant::all().collect();
    assert!(all.len() > 200, "only {} mutants", all.len());
    for mutant in all {
        assert_eq!(Mutant::named(&mutant.to_string()), Some(mutant));
    }
    assert_eq!(Mutant::named("HashLength"), None);
}

/// What ships has no rule that can be broken; a build for measuring is never tested here.
#[test]
#[cfg(not(feature = "mutants"))]
fn no_rule_is_broken_without_the_feature() {
    use grove_core::mutant::is_active;
    assert!(Mutant::all().all(|mutant| !is_active(mutant.point, mutant.change)));
}
