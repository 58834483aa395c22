//! Holds the committed vectors to the generator, the linter and the library's table of reasons, and the
//! linter to faults put in on purpose.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use grove_conformance::generate;
use grove_conformance::suite::store::Manifest;
use grove_conformance::suite::{
    Suite, lint,
    stats::{Stats, Verdicts},
    store,
};
use grove_core::Reason;
use rstest::rstest;
use tempfile::TempDir;

#[test]
fn committed_vectors_are_what_the_generator_makes() {
    assert_eq!(
        generate::differences(vectors()).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn committed_vectors_have_nothing_to_complain_about() {
    assert_eq!(lint::lint(vectors()).unwrap(), Vec::<String>::new());
}

#[test]
fn reasons_are_those_of_the_library() {
    let suite = Suite::load(vectors()).unwrap();

    let given = suite.reasons.values().filter(|info| info.retired.is_none());
    assert_eq!(given.count(), Reason::ALL.len());
    for reason in Reason::ALL {
        let info = &suite.reasons[reason.code()];
        assert_eq!(info.phase, reason.phase().name());
        assert_eq!(info.description, reason.description());
    }
}

#[test]
fn close_to_half_of_the_cases_are_negative() {
    let stats = Stats::of(&Suite::load(vectors()).unwrap());

    assert!(stats.spec.all() >= 1_500, "{stats}");
    assert!(stats.spec.invalid * 100 >= stats.spec.all() * 45, "{stats}");
}

#[test]
fn counts_tell_every_case_once_per_ruleset() {
    let suite = Suite::load(vectors()).unwrap();

    let stats = Stats::of(&suite);

    let kinds = stats.kinds.values().map(Verdicts::all);
    assert_eq!(kinds.sum::<usize>(), suite.cases().count());
    assert_eq!(stats.spec.all(), stats.wire.all());
    let ruled = suite.cases().filter(|(_, case)| case.ruling.is_some());
    assert_eq!(stats.rulings.values().sum::<usize>(), ruled.count());
    let refused = suite.cases().filter(|(_, case)| case.fails_at.is_some());
    let first = stats.reasons.values().map(|(first, _)| first);
    assert_eq!(first.sum::<usize>(), refused.count());
    assert!(stats.to_string().contains("api cursor_invalid"), "{stats}");
}

#[test]
fn a_changed_byte_is_a_difference() {
    let copy = Copy::of_vectors();
    copy.replace(
        "lipmaa/lipmaa__links.json",
        "\"lipmaa\": \"4\"",
        "\"lipmaa\": \"5\"",
    );

    let wrong = generate::differences(copy.0.path()).unwrap();

    assert_eq!(wrong, ["lipmaa/lipmaa__links.json"]);
}

#[rstest]
#[case::edit_that_leads_elsewhere(
    "varu64/varu64.decode__boundaries.json",
    "\"insert\": \"f8\"",
    "\"insert\": \"f9\"",
    "the edit leads to another input"
)]
#[case::unknown_requirement(
    "lipmaa/lipmaa__links.json",
    "\"BA1\"",
    "\"ZZ9\"",
    "unknown requirement ZZ9"
)]
#[case::unknown_reason(
    "hash/hash.parse__text.json",
    "\"hash_length\"",
    "\"hash_lenght\"",
    "unknown reason hash_lenght"
)]
#[case::cause_named_twice(
    "entry/entry.decode__bytes.json",
    "\"varint_truncated\"",
    "\"entry_truncated\"",
    "entry_truncated is named twice"
)]
#[case::reason_of_another_phase(
    "hash/hash.parse__text.json",
    "\"phase\": \"hash\"",
    "\"phase\": \"cbor\"",
    "belongs to phase hash"
)]
#[case::unnamed_ruling(
    "hash/hash.parse__text.json",
    "\"ruling\": \"R10\",",
    "",
    "no ruling is named"
)]
#[case::unknown_flag(
    "hash/hash.parse__text.json",
    "[\"Uppercase\"]",
    "[\"Lowercase\"]",
    "unknown flag Lowercase"
)]
#[case::member_nobody_knows(
    "lipmaa/lipmaa__links.json",
    "\"encoded\": true",
    "\"endocded\": true",
    "endocded"
)]
#[case::id_used_twice(
    "lipmaa/lipmaa__links.json",
    "\"id\": \"lipmaa-2\"",
    "\"id\": \"lipmaa-3\"",
    "the id stands twice"
)]
#[case::retired_id(
    "retired-ids.json",
    "[",
    "[\"lipmaa-2\",",
    "a retired id is used again"
)]
#[case::ruling_without_case(
    "rulings/rulings.json",
    "\"R1\": {",
    "\"R99\": { \"text\": \"nothing\" }, \"R1\": {",
    "R99: no case turns on the ruling"
)]
#[case::gap_that_is_filled(
    "rulings/rulings.json",
    "\"R1\": {",
    "\"R1\": { \"gap\": \"nobody asks\",",
    "R1: is used, yet names a gap"
)]
#[case::released_id_that_is_gone(
    "released-ids.json",
    "\"lipmaa-2\"",
    "\"lipmaa-zwei\"",
    "lipmaa-zwei: a released id is gone and not retired"
)]
#[case::id_nobody_released(
    "released-ids.json",
    "\"lipmaa-2\"",
    "\"lipmaa-zwei\"",
    "lipmaa-2: not in the list of released ids"
)]
#[case::kind_without_cases(
    "log/log.append__links.json",
    "\"entry.decode\"",
    "\"entry.decipher\"",
    "depends on entry.decipher, of which there are no cases"
)]
#[case::wrong_limits(
    "operation/operation.validate__blobs.json",
    "\"bytes\": 256028",
    "\"bytes\": 256027",
    "limits do not tell what the input takes"
)]
#[case::meaning_of_other_bytes(
    "entry/entry.encode__fields.json",
    "\"log_id\": \"247\"",
    "\"log_id\": \"246\"",
    "is made otherwise by an encoder"
)]
#[case::other_hash(
    "hash/hash.of__bytes.json",
    "\"hash\": \"0020af",
    "\"hash\": \"0020ae",
    "is made otherwise by an encoder"
)]
#[case::file_too_large(
    "flags.json",
    "{",
    &format!("{{{}", " ".repeat(1_000_000)),
    "more than a megabyte"
)]
#[case::digest("flags.json", "about", "about ", "digest differs from the manifest")]
fn the_linter_finds_what_is_broken(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] complaint: &str,
) {
    let copy = Copy::of_part(file);
    copy.replace(file, from, to);

    let found = lint::lint(copy.0.path()).unwrap();

    assert!(
        found.iter().any(|line| line.contains(complaint)),
        "{found:#?}"
    );
}

fn vectors() -> &'static Path {
    Path::new(store::DEFAULT_DIR)
}

/// A copy of the vectors that may be broken; removed in the end.
struct Copy(TempDir);

impl Copy {
    fn of_vectors() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for path in store::list(vectors())
            .unwrap()
            .iter()
            .map(String::as_str)
            .chain(["manifest.json"])
        {
            store::write(
                &dir.path().join(path),
                &fs::read(vectors().join(path)).unwrap(),
            )
            .unwrap();
        }
        Self(dir)
    }

    /// Little enough to be looked through once for every fault: `file`, and cases that the others turn on.
    fn of_part(file: &str) -> Self {
        const ENOUGH: [&str; 2] = [
            "lipmaa/lipmaa__links.json",
            "operation/operation.decode__shape.json",
        ];
        let copy = Self::of_vectors();
        let path = copy.0.path().join("manifest.json");
        let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest.files.retain(|path, line| {
            line.kind.is_none() || path == file || ENOUGH.contains(&path.as_str())
        });
        fs::write(&path, store::to_bytes(&manifest)).unwrap();
        copy
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not hold {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
}
