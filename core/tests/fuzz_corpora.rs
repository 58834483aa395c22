//! Replays the inputs that fuzzing found worth keeping, so that what held for them goes on to hold.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    fuzz.join("corpus").join(target)
}

#[test]
fn every_kept_input_obeys_the_laws_of_its_target() {
    for (target, body) in bodies::BODIES {
        let mut replayed = 0;
        for file in fs::read_dir(corpus(target)).unwrap() {
            body(&fs::read(file.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "no inputs for {target}");
    }
}

#[test]
fn every_body_has_a_target_and_inputs() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (target, _) in bodies::BODIES {
        let source = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("bodies::{target}(bytes)")));
        assert!(manifest.contains(&format!("name = \"{target}\"")));
    }
    assert_eq!(manifest.matches("[[bin]]").count(), bodies::BODIES.len());
}
