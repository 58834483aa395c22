#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// Objects in a folder of their own, removed at the end.
struct TestFolder(
    PathBuf,
    #[allow(dead_code, reason = "removed with the place")] TempDir,
);

impl TestFolder {
    fn new() -> (Self, Arc<Objects>) {
        let folder = tempfile::tempdir().unwrap();
        let place = Self(folder.path().join("objects"), folder);
        let objects = Objects::in_folder(&place.0).unwrap();
        (place, Arc::new(objects))
    }

    /// The names of all files, with what belongs to their folder.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for shard in std::fs::read_dir(&self.0).unwrap() {
            let shard = shard.unwrap();
            for file in std::fs::read_dir(shard.path()).unwrap() {
                let [shard, file] = [shard.file_name(), file.unwrap().file_name()];
                files.push(format!("{}/{}", shard.display(), file.display()));
            }
        }
        files.sort();
        files
    }

    /// Waits until the files are these.
    fn comes_to(&self, expected: &[String]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.files() != expected {
            assert!(Instant::now() < deadline, "{:?}", self.files());
            std::thread::yield_now();
        }
    }
}

const BYTES: &[u8] = &[7; 100_000];

fn id(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

fn get(objects: &Objects, name: &str) -> Option<Vec<u8>> {
    let size = BYTES.len() as u64;
    objects.get(name, size, Hash::of(BYTES)).unwrap()
}

#[test]
fn what_is_put_is_read_again_until_erased() {
    let (place, objects) = TestFolder::new();

    let first = objects.take(id("a"), BYTES).unwrap();
    let second = objects.take(id("a"), BYTES).unwrap();

    assert_ne!(first, second, "every put has a name of its own");
    assert_eq!(get(&objects, &first).as_deref(), Some(BYTES));
    objects.erase(vec![first.clone(), first.clone()]).unwrap();
    assert_eq!(get(&objects, &first), None);
    assert_eq!(get(&objects, &second).as_deref(), Some(BYTES));
    assert_eq!(place.files(), [second]);
}

#[test]
fn damaged_bytes_are_as_good_as_none() {
    let (place, objects) = TestFolder::new();
    let name = objects.take(id("a"), BYTES).unwrap();
    let file = place.0.join(&name);
    let mut flipped = BYTES.to_vec();
    flipped[50_000] ^= 1;
    for damaged in [&BYTES[..99_999], &[], &flipped, &[BYTES, b"x"].concat()] {
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(get(&objects, &name), None);
    }
    std::fs::write(&file, BYTES).unwrap();
    assert_eq!(get(&objects, &name).as_deref(), Some(BYTES));
}

#[cfg(unix)]
#[test]
fn objects_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (place, objects) = TestFolder::new();
    let name = objects.take(id("a"), BYTES).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    let file = place.0.join(name);

    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(&place.0), 0o700);
}

#[tokio::test]
async fn staged_bytes_go_unless_they_are_taken() {
    let (place, objects) = TestFolder::new();
    let taken = objects.stage(id("a"), BYTES.to_vec()).await.unwrap();
    let twice = objects.stage(id("a"), BYTES.to_vec()).await.unwrap();
    let refused = objects.stage(id("b"), BYTES.to_vec()).await.unwrap();
    assert_eq!(place.files().len(), 3);

    // Asked from a thread of another runtime, as a simulated node would.
    let name = objects.take(id("a"), b"not looked at").unwrap();
    drop((taken, twice, refused));

    assert_eq!(get(&objects, &name).as_deref(), Some(BYTES));
    place.comes_to(&[name]);
}

#[test]
fn only_what_was_put_here_is_listed() {
    let (place, objects) = TestFolder::new();
    let name = objects.take(id("a"), BYTES).unwrap();
    let shard = &name[..2];
    for other in [
        "notes.txt",
        &name[3..67],
        &format!("{}-0", &name[3..67]),
        &name[3..].to_uppercase(),
    ] {
        std::fs::write(place.0.join(shard).join(other), "mine").unwrap();
    }
    let all = |older_than| -> Vec<_> {
        let shards = 0..=u8::MAX;
        let found = shards.map(|shard| objects.list(shard, older_than).unwrap());
        found.flatten().collect()
    };

    assert_eq!(all(Duration::ZERO), [(name, BYTES.len() as u64)]);
    assert_eq!(all(Duration::from_secs(3600)), []);
}

#[test]
fn unfinished_files_are_swept_and_no_others() {
    let (place, objects) = TestFolder::new();
    let name = objects.take(id("a"), BYTES).unwrap();
    std::fs::write(place.0.join(format!("{name}#1")), &BYTES[..10]).unwrap();
    let foreign = format!("{}/notes#1", &name[..2]);
    std::fs::write(place.0.join(&foreign), "mine").unwrap();
    let expected = Swept {
        objects: 1,
        bytes: 10,
    };
    let hour = Duration::from_secs(3600);
    let sweep = |older_than, dry_run| {
        let shard = id("a").digest()[0];
        let swept = objects.storage.sweep_unfinished(shard, older_than, dry_run);
        swept.unwrap()
    };

    assert_eq!(sweep(hour, false), Swept::default());
    assert_eq!(sweep(Duration::ZERO, true), expected);
    assert_eq!(place.files().len(), 3);
    assert_eq!(sweep(Duration::ZERO, false), expected);
    let mut left = vec![name, foreign];
    left.sort();
    assert_eq!(place.files(), left);
}
