//! Holds the measuring of rule mutants to what it promises; what needs broken rules, only in a build
//! with the feature `mutants`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use grove_conformance::mutants::{EXCUSES, Fate, MeasureError, Measurement, Options, measure};
use grove_conformance::report::{Report, Section, State};
use grove_conformance::suite::{Suite, store};
use grove_core::mutant::{Mutant, Point};

fn suite() -> Suite {
    Suite::load(Path::new(store::DEFAULT_DIR)).unwrap()
}

fn options(only: &str) -> Options {
    Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_grove-conformance")),
        only: Some(only.to_owned()),
        jobs: 1,
    }
}

#[test]
fn points_guard_requirements_that_exist() {
    let suite = suite();
    for point in Point::ALL {
        for id in point.guards() {
            let known = suite.requirements.contains_key(*id) || suite.rulings.contains_key(*id);
            assert!(known, "{} guards {id}", point.name());
        }
    }
}

#[test]
fn excuses_are_given_once_and_for_mutants_that_exist() {
    for (index, (name, why)) in EXCUSES.iter().enumerate() {
        assert!(Mutant::named(name).is_some(), "{name}");
        assert!(!why.is_empty());
        assert!(EXCUSES[..index].iter().all(|(other, _)| other != name));
    }
}

#[test]
fn what_became_of_the_mutants_is_told_one_by_one() {
    let measurement = Measurement {
        fates: vec![
            fate("HashLength.dropped", 2, 1, None),
            fate("CborTag.altered", 0, 1, None),
            fate("ViewIdsMax.less", 0, 0, Some("a limit of grove's own")),
            fate("SeqNumZero.altered", 0, 0, None),
            fate("NameMax.more", 1, 0, Some("out of date")),
        ],
        cases: 1200,
    };
    let mut report = Report::new("Vectors against rule mutants", "1.1.0");
    report.sections = vec![
        Section::of_mutants(&measurement, 95, 30.0, "grove-conformance mutants"),
        Section::of_guarded_requirements(&measurement),
    ];

    assert_eq!(report.state(), State::Failed);
    insta::assert_snapshot!(report.to_text(false));
}

#[test]
fn a_share_as_large_as_asked_for_is_enough() {
    let measurement = Measurement {
        fates: vec![
            fate("HashLength.dropped", 2, 1, None),
            fate("ViewIdsMax.less", 0, 0, Some("a limit of grove's own")),
        ],
        cases: 1200,
    };
    let state = |min| Section::of_mutants(&measurement, min, 1.0, "").state;

    assert_eq!(state(50), State::Passed);
    assert_eq!(state(51), State::Failed);
}

#[test]
#[cfg(not(feature = "mutants"))]
fn a_build_that_ships_breaks_no_rule() {
    let measured = measure(&suite(), &options("*"), &|_, _| {});
    assert!(matches!(measured, Err(MeasureError::NotBuilt)));
}

#[test]
#[cfg(feature = "mutants")]
fn a_broken_rule_is_noticed_by_the_vectors() {
    let measured = measure(&suite(), &options("HashDigestLength.*"), &|_, _| {});

    let fates = measured.unwrap().fates;
    assert_eq!(fates.len(), 2);
    assert!(fates.iter().all(|fate| fate.by_answer > 0));
    assert!(fates[0].killers.iter().any(|id| id.contains("length")));
}

#[test]
#[cfg(feature = "mutants")]
fn a_name_of_no_mutant_is_refused() {
    let measured = measure(&suite(), &options("HashDigest"), &|_, _| {});
    assert!(matches!(measured, Err(MeasureError::NothingToBreak(_))));
}

fn fate(name: &str, by_answer: usize, by_reason: usize, excuse: Option<&'static str>) -> Fate {
    let killers = ["hash-parse-long", "hash-parse-longer", "cbor-tag"];
    Fate {
        mutant: Mutant::named(name).unwrap(),
        by_answer,
        by_reason,
        by_breakdown: 0,
        killers: killers[..by_answer + by_reason]
            .iter()
            .map(|id| (*id).to_owned())
            .collect(),
        excuse,
    }
}
