//! The command line as a process: what it prints, what it refuses, how it exits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::{Value as Json, json};
use support::{Memory, Reply};
use tempfile::TempDir;

const SCHEMA: &str = "venue_0020b177ec1bf26dfb3b7010d473e6d44713b29b765b99c6e60ecbfae742de496543";
const DOCUMENT: &str = "0020c65567ae37efea293e34a9c7d13f8f2bf23dbdc3b5c7b9ab46293111c48fc78b";

#[test]
fn a_key_is_made_once_and_its_seed_never_shown() {
    let folder = folder();
    let file = folder.path().join("deep/er/key");

    let made = grove(&["key", "new", "--key", file.to_str().unwrap()]);
    let again = grove(&["key", "new", "--key", file.to_str().unwrap()]);
    let shown = grove(&["key", "show", "--json", "--key", file.to_str().unwrap()]);

    assert!(made.status.success(), "{made:?}");
    let seed = fs::read_to_string(&file).unwrap();
    assert_eq!(seed.len(), 65);
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&again.stderr).contains("(key_file_exists)"));
    assert_eq!(fs::read_to_string(&file).unwrap(), seed);
    let key = json(&shown)["publicKey"].as_str().unwrap().to_owned();
    assert!(text(&made.stdout).contains(&key));
    for output in [made, again, shown] {
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains(seed.trim()), "{all}");
    }
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

/// Opening a pipe waits for who writes into it, and a device gives bytes without end.
#[cfg(unix)]
#[test]
fn a_pipe_or_device_for_a_key_is_refused_at_once() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());

    for path in [pipe.to_str().unwrap(), "/dev/zero", "/dev/null"] {
        let shown = grove(&["key", "show", "--key", path]);

        assert_eq!(shown.status.code(), Some(3), "{path}: {shown:?}");
        assert!(
            text(&shown.stderr).contains("(key_file_malformed)"),
            "{path}"
        );
    }
}

/// Resetting a node must not delete an identity, nor copying it hand one out.
#[cfg(target_os = "linux")]
#[test]
fn a_key_in_the_directory_of_a_node_is_still_read_and_said_so() {
    let folder = folder();
    let data = folder.path().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).env("XDG_DATA_HOME", &data);
        command.output().unwrap()
    };

    let fresh = run(&["key", "new", "--json"]);
    let new = data.join("grove-client/key");
    assert_eq!(json(&fresh)["file"], new.to_str().unwrap());
    let former = data.join("grove/key");
    fs::create_dir(data.join("grove")).unwrap();
    fs::rename(&new, &former).unwrap();
    let shown = run(&["key", "show", "--json"]);
    let again = run(&["key", "new"]);

    assert_eq!(json(&shown)["file"], former.to_str().unwrap());
    assert_eq!(json(&shown)["publicKey"], json(&fresh)["publicKey"]);
    assert!(text(&shown.stderr).contains(&format!("move it to {}", new.display())));
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&again.stderr).contains("(key_file_exists)"));
    fs::rename(&former, &new).unwrap();
    assert!(run(&["key", "show"]).stderr.is_empty());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_beside_the_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let memory = memory();
    let node = serve(memory, documents).await;
    let folder = folder();
    let key = folder.path().join("key");
    let key = key.to_str().unwrap().to_owned();
    grove(&["key", "new", "--key", &key]);
    let create = ["create", "--key", &key, "--schema", SCHEMA];
    let create = [&create[..], &["--field", "name=a", "--field", "seats=1"]].concat();

    assert!(run(&node, &create).await.status.success());

    for ending in [".lock", ".heads"] {
        let metadata = fs::metadata(format!("{key}{ending}")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{ending}");
    }
    // What a crash of an earlier version or a hand left there is told, not guessed around.
    fs::write(format!("{key}.heads"), "{}").unwrap();
    let output = run(&node, &[&create[..], &["--json"]].concat()).await;
    assert_eq!(code(&output), (Some(3), "key_heads_malformed".to_owned()));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let file = folder.path().join("key");
    grove(&["key", "new", "--key", file.to_str().unwrap()]);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let shown = grove(&["key", "show", "--key", file.to_str().unwrap()]);

    assert_eq!(shown.status.code(), Some(3));
    assert!(text(&shown.stderr).contains("(key_file_exposed)"));
}

#[test]
fn a_file_that_holds_no_key_is_refused() {
    let folder = folder();
    let file = folder.path().join("key");
    let path = file.to_str().unwrap();
    for content in [
        "",
        "zz",
        &"0".repeat(63),
        &"0".repeat(66),
        &format!("{}\n\n", "0".repeat(64)),
    ] {
        write_private(&file, content);

        let shown = grove(&["key", "show", "--key", path]);

        assert!(
            text(&shown.stderr).contains("(key_file_malformed)"),
            "{content:?}"
        );
    }
    fs::remove_file(&file).unwrap();
    let shown = grove(&["key", "show", "--key", path]);
    assert!(text(&shown.stderr).contains("(key_file_missing)"));
}

#[test]
fn wrong_requests_exit_with_two() {
    let folder = folder();
    let schema = folder.path().join("schema.toml");
    fs::write(&schema, "name = \"a-b\"\n[fields]\na = \"int\"").unwrap();

    for arguments in [
        &["create", "--schema", "nonsense", "--field", "a=1"][..],
        &["create", "--schema", SCHEMA],
        &[
            "create", "--schema", SCHEMA, "--field", "a=1", "--fields", "{}",
        ],
        &["get", "--schema", SCHEMA],
        &["list", "--schema", SCHEMA, "--first", "0"],
        &["list", "--schema", SCHEMA, "--node", "ftp://x"],
        &["schema", schema.to_str().unwrap()],
    ] {
        assert_eq!(grove(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_node_that_is_not_there_exits_with_three() {
    let output = grove(&[
        "list",
        "--schema",
        "blob_v1",
        "--node",
        "http://127.0.0.1:1",
        "--json",
    ]);

    assert_eq!(output.status.code(), Some(3));
    let error: Json = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "node_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_published_field_by_field() {
    let memory = memory();
    let node = serve(memory, |_| None).await;
    let folder = folder();
    let (key, file) = (folder.path().join("key"), folder.path().join("venue.toml"));
    fs::write(
        &file,
        "name = \"venue\"\n[fields]\nname = \"str\"\nage = \"int\"",
    )
    .unwrap();
    let key = key.to_str().unwrap().to_owned();
    grove(&["key", "new", "--key", &key]);

    let file = file.to_str().unwrap();
    let output = run(&node, &["schema", file, "--wait", "--key", &key, "--json"]).await;

    let answer = json(&output);
    let definition = answer["documentId"].as_str().unwrap();
    assert_eq!(answer["schemaId"], format!("venue_{definition}"));
    assert_eq!(answer["fields"][0]["name"], "name");
    assert_eq!(answer["fields"][1]["name"], "age");
    assert_eq!(memory.lock().unwrap().stored().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_written_by_the_types_the_node_tells() {
    let memory = memory();
    let node = serve(memory, documents).await;
    let folder = folder();
    let key = folder.path().join("key");
    let key = key.to_str().unwrap().to_owned();
    grove(&["key", "new", "--key", &key]);
    let create = async |fields: &[&str]| {
        let start = ["create", "--json", "--key", &key, "--schema", SCHEMA];
        run(&node, &[&start, fields].concat()).await
    };

    let typed = create(&["--field", "name=Chapel", "--field", "seats=12"]).await;
    let mistyped = create(&["--field", "name=Chapel", "--field", "seats=many"]).await;
    let incomplete = create(&["--fields", "{\"name\":\"Chapel\"}"]).await;
    let unknown = create(&["--field", "colour=red"]).await;

    let created = json(&typed);
    assert_eq!(created["documentId"], created["viewId"]);
    assert_eq!(memory.lock().unwrap().stored().len(), 1);
    assert_eq!(
        code(&mistyped),
        (Some(2), "integer_out_of_range".to_owned())
    );
    assert_eq!(code(&incomplete), (Some(2), "field_missing".to_owned()));
    assert_eq!(code(&unknown), (Some(2), "field_unexpected".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_read_page_by_page() {
    let memory = memory();
    let node = serve(memory, documents).await;

    let one = run(&node, &["list", "--schema", SCHEMA, "--json"]).await;
    let all = run(&node, &["list", "--schema", SCHEMA, "--json", "--all"]).await;
    let text_of = run(&node, &["get", "--schema", SCHEMA, "--id", DOCUMENT]).await;
    let missing = run(
        &node,
        &["get", "--schema", SCHEMA, "--view", DOCUMENT, "--json"],
    )
    .await;

    assert_eq!(json(&one)["documents"].as_array().unwrap().len(), 1);
    assert_eq!(json(&one)["endCursor"], "next");
    assert_eq!(json(&all)["documents"].as_array().unwrap().len(), 2);
    assert_eq!(json(&all)["documents"][1]["fields"]["seats"], 12);
    assert!(
        text(&text_of.stdout).contains("  name   Cha\\u{1b}pel\n"),
        "{text_of:?}"
    );
    assert_eq!(code(&missing), (Some(1), "document_not_found".to_owned()));
}

/// Answers for one schema with two documents on two pages.
fn documents(body: &Json) -> Option<Json> {
    let query = body["query"].as_str().unwrap();
    let document = json!({
        "meta": { "documentId": DOCUMENT, "viewId": DOCUMENT, "owner": null },
        "fields": { "name": "Cha\u{1b}pel", "seats": 12 },
    });
    let fields = json!([
        { "fields": { "name": "name", "type": "str" } },
        { "fields": { "name": "seats", "type": "int" } },
    ]);
    Some(if query.contains("list: fields") {
        json!({ "fields": { "list": { "hasNextPage": false, "documents": fields } } })
    } else if query.contains("schema_definition_v1(") {
        json!({ "fields": { "name": "venue", "description": "" } })
    } else if query.contains("all_venue") {
        let last = body["variables"]["after"] == "next";
        json!({
            "totalCount": 2, "hasNextPage": !last, "documents": [document],
            "endCursor": if last { "end" } else { "next" },
        })
    } else if query.contains("(id: $id)") {
        document
    } else {
        Json::Null
    })
}

fn memory() -> &'static Mutex<Memory> {
    Box::leak(Box::default())
}

async fn serve(memory: &'static Mutex<Memory>, documents: fn(&Json) -> Option<Json>) -> String {
    support::serve(move |path, body| {
        support::answer(memory, path, &body).unwrap_or_else(|| {
            Reply::Answer(200, json!({ "data": { "answer": documents(&body) } }))
        })
    })
    .await
}

/// Runs the program beside the node it talks to.
async fn run(node: &str, arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments).env("GROVE_NODE", node);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn grove(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
    command.env_remove("GROVE_NODE").env_remove("GROVE_KEY");
    command
}

fn json(output: &Output) -> Json {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and error code.
fn code(output: &Output) -> (Option<i32>, String) {
    let error: Json = serde_json::from_slice(&output.stderr).unwrap();
    let code = error["error"]["code"].as_str().unwrap().to_owned();
    (output.status.code(), code)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write_private(file: &PathBuf, content: &str) {
    fs::write(file, content).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// An empty folder of this test's own, removed at its end.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
