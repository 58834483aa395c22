//! Vectors have the same bytes in every clone, whatever line endings its owner asked git for.
//!
//! Without git there is nothing to ask: that is said and let go on a desk, and a failure where `CI` is `true`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use grove_conformance::suite::store;

#[test]
fn line_endings_of_a_clone_change_no_vector() {
    let Some(clone) = Checkout::with("kept", true) else {
        return;
    };

    assert_eq!(clone.changed(), Vec::<String>::new());
}

#[test]
fn without_attributes_line_endings_would_change_vectors() {
    let Some(clone) = Checkout::with("changed", false) else {
        return;
    };

    assert!(clone.changed().len() > 10, "{:?}", clone.changed());
}

/// The vectors as a repository whose owner has `core.autocrlf=true`, added and checked out again.
struct Checkout(PathBuf);

impl Checkout {
    fn with(name: &str, attributes: bool) -> Option<Self> {
        if let Err(error) = Command::new("git").arg("--version").output() {
            let on_ci = env::var("CI").is_ok_and(|value| value == "true");
            assert!(!on_ci, "git is needed here: {error}");
            eprintln!("skipped, because git cannot be run: {error}");
            return None;
        }
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("checkout-{name}"));
        let _ = fs::remove_dir_all(&dir);
        let clone = Self(dir);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for path in clone.paths() {
            store::write(
                &clone.0.join("from").join(&path),
                &fs::read(from.join(&path)).unwrap(),
            )
            .unwrap();
        }
        if attributes {
            let path = ".gitattributes";
            fs::copy(from.join(path), clone.0.join("from").join(path)).unwrap();
        }
        let to = clone.0.join("to");
        let prefix = format!("--prefix={}/", to.display());
        for args in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &["checkout-index", "--all", &prefix],
        ] {
            clone.git(args);
        }
        Some(clone)
    }

    /// Runs git with `core.autocrlf=true` and nothing of the machine's own settings.
    fn git(&self, args: &[&str]) {
        let output = Command::new("git")
            .current_dir(self.0.join("from"))
            .args(["-c", "core.autocrlf=true", "-c", "core.safecrlf=false"])
            .args(args)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.0.join("none"))
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_WORK_TREE")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
    }

    fn paths(&self) -> Vec<String> {
        let files = store::list(Path::new(store::DEFAULT_DIR)).unwrap();
        let files = files.into_iter().chain(["manifest.json".to_owned()]);
        files.map(|path| format!("vectors/v1/{path}")).collect()
    }

    /// The files whose bytes are not the committed ones any more.
    fn changed(&self) -> Vec<String> {
        let read = |side: &str, path: &str| fs::read(self.0.join(side).join(path)).unwrap();
        let paths = self.paths().into_iter();
        paths
            .filter(|path| read("from", path) != read("to", path))
            .collect()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
