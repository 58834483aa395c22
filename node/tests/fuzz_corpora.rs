//! Replays the inputs that fuzzing found worth keeping, so that what held for them goes on to hold.

#![allow(clippy::unwrap_used)]
#![allow(clippy::expect_used)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_kept_input_obeys_the_laws_of_its_target() {
    for (target, body) in bodies::BODIES {
        let mut replayed = 0;
        for file in fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| body(&bytes)).is_err() {
                panic!("{} breaks a law", path.display());
            }
            replayed += 1;
        }
        assert!(replayed > 0, "no inputs for {target}");
    }
}

#[test]
fn every_body_has_a_target_and_inputs() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for (target, _) in bodies::BODIES {
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("bodies::{target}(bytes)")));
        assert!(manifest.contains(&format!("name = \"{target}\"")));
    }
    assert_eq!(manifest.matches("[[bin]]").count(), bodies::BODIES.len());
}
