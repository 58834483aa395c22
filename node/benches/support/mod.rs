//! What the benchmarks share: authors who sign, the documents they write, and a node process to
//! talk to over connections that stay open.

#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use grove_core::author::{NextArgs, forge};
use grove_core::types::{DocumentViewId, Hash, KeyPair, LogId, PlainValue, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// The fields of the documents written.
pub(crate) const FIELDS: [(&str, &str); 5] = [
    ("name", "str"),
    ("seats", "int"),
    ("rating", "float"),
    ("open", "bool"),
    ("logo", "bytes"),
];

/// Signs entries, each document in a log of its own.
pub(crate) struct Author {
    key_pair: KeyPair,
    next_log: u64,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            key_pair: KeyPair::from_seed(&[seed; 32]),
            next_log: 0,
        }
    }

    /// Creates a document.
    pub(crate) fn create(
        &mut self,
        schema_id: &SchemaId,
        fields: &[(&str, PlainValue)],
    ) -> Submission {
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields: owned(fields),
        };
        let args = NextArgs::first(LogId::new(self.next_log));
        self.next_log += 1;
        self.sign(&args, &operation)
    }

    /// Changes the document last created.
    pub(crate) fn update(
        &self,
        args: &NextArgs,
        schema_id: &SchemaId,
        previous: DocumentViewId,
        fields: &[(&str, PlainValue)],
    ) -> Submission {
        let operation = Operation::Update {
            schema_id: schema_id.clone(),
            previous,
            fields: owned(fields),
        };
        self.sign(args, &operation)
    }

    fn sign(&self, args: &NextArgs, operation: &Operation<PlainValue>) -> Submission {
        forge(&self.key_pair, args, operation).expect("consistent arguments")
    }
}

/// Signs the entries of one log, one behind another.
pub(crate) struct Log {
    key_pair: KeyPair,
    log_id: LogId,
    hashes: Vec<Hash>,
}

impl Log {
    pub(crate) fn new(seed: u8, log_id: u64) -> Self {
        Self {
            key_pair: KeyPair::from_seed(&[seed; 32]),
            log_id: LogId::new(log_id),
            hashes: Vec::new(),
        }
    }

    /// The next entry of the log.
    pub(crate) fn append(&mut self, operation: &Operation<PlainValue>) -> Submission {
        let at = |seq_num: SeqNum| self.hashes.get(seq_num.as_u64() as usize - 1).copied();
        let args = match self.hashes.last() {
            None => NextArgs::first(self.log_id),
            Some(last) => {
                let latest = SeqNum::new(self.hashes.len() as u64).expect("not zero");
                NextArgs::after(self.log_id, latest, *last, at).expect("room in the log")
            }
        };
        let entry = forge(&self.key_pair, &args, operation).expect("consistent arguments");
        self.hashes.push(entry.entry().hash());
        entry
    }
}

/// The call that publishes these entries.
pub(crate) fn publishing(entries: &[Submission]) -> String {
    let entries: Vec<_> = entries.iter().map(encoded).collect();
    let entries: Vec<_> = entries
        .iter()
        .map(|(entry, operation)| {
            serde_json::json!({ "entryEncoded": entry, "operationEncoded": operation })
        })
        .collect();
    let call = serde_json::json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "panda_publishEntries",
        "params": { "entries": entries },
    });
    call.to_string()
}

pub(crate) fn owned(fields: &[(&str, PlainValue)]) -> Fields<PlainValue> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

pub(crate) fn text(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

/// The entries that define a schema of the five fields, and its id.
pub(crate) fn schema(author: &mut Author) -> (Vec<Submission>, SchemaId) {
    let mut entries = Vec::new();
    let mut fields = Vec::new();
    for (name, kind) in FIELDS {
        let definition = [("name", text(name)), ("type", text(kind))];
        let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &definition);
        fields.push(field.entry().operation_id().into());
        entries.push(field);
    }
    let definition = [
        ("name", text("venue")),
        ("description", text("Places")),
        ("fields", PlainValue::ViewIds(fields)),
    ];
    let definition = author.create(&SchemaId::SCHEMA_DEFINITION, &definition);
    let view_id = definition.entry().operation_id().into();
    entries.push(definition);
    let name = "venue".parse().expect("a name");
    (entries, SchemaId::Application { name, view_id })
}

/// The fields of the document of this number. Names and ratings come in no order.
pub(crate) fn venue(number: u64) -> [(&'static str, PlainValue); 5] {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [
        ("name", PlainValue::Str(format!("Venue {:05}", mixed >> 48))),
        ("seats", PlainValue::Int((mixed >> 32 & 0x3ff) as i64)),
        ("rating", PlainValue::Float((mixed >> 40) as f64 / 3.0)),
        ("open", PlainValue::Bool(number.is_multiple_of(2))),
        ("logo", PlainValue::Bytes(vec![1, 2, 3, 4])),
    ]
}

/// A node process in a data directory of its own; both end with it.
pub(crate) struct NodeProcess {
    child: Child,
    data: TempDir,
    settings: Vec<String>,
    pub address: String,
}

impl NodeProcess {
    /// Starts a node over an empty directory.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with settings.
    pub(crate) fn with(settings: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let settings: Vec<_> = settings.iter().map(|word| (*word).to_owned()).collect();
        let (child, address) = launch(data.path(), &settings);
        Self {
            child,
            data,
            settings,
            address,
        }
    }

    /// Ends the node as an operator would and starts it over the same directory.
    pub(crate) fn restart(&mut self) {
        self.stop();
        (self.child, self.address) = launch(self.data.path(), &self.settings);
    }

    /// Ends the node as an operator would.
    pub(crate) fn stop(&mut self) {
        // Whoever is stopped twice has no process any more.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }

    /// Bytes of all files in the data directory.
    pub(crate) fn disk_size(&self) -> u64 {
        let files = std::fs::read_dir(self.data.path()).expect("the directory");
        files
            .map(|file| file.and_then(|file| file.metadata()).expect("a file").len())
            .sum()
    }

    /// Resident memory now and at its highest, in KiB.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process lives");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number
                .and_then(|number| number.parse().ok())
                .expect("a size")
        };
        (figure("VmRSS:"), figure("VmHWM:"))
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(data: &Path, settings: &[String]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_grove-node"))
        .args(["--http-port", "0", "--data-dir"])
        .arg(data)
        .args(settings)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the node starts");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let address = stdout
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, rest) = line.split_once("http://")?;
            Some(rest.split('/').next()?.trim().to_owned())
        })
        .expect("the node tells its address");
    (child, address)
}

/// A keep-alive connection to a node. Every answer is checked.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the node listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP");
        tokio::spawn(driver);
        Self(connection)
    }

    /// Executes a GraphQL request.
    pub(crate) async fn query(&mut self, query: &str) -> Bytes {
        let body = serde_json::json!({ "query": query }).to_string();
        let answer = self.post("/graphql", body).await;
        assert!(!contains(&answer, b"\"errors\""), "{answer:?}");
        answer
    }

    /// Publishes through GraphQL.
    pub(crate) async fn publish(&mut self, entry: &Submission) {
        let (entry, operation) = encoded(entry);
        self.query(&format!(
            r#"mutation {{ publish(entry: "{entry}", operation: "{operation}") {{ logId seqNum backlink skiplink }} }}"#,
        ))
        .await;
    }

    /// Publishes many entries by one JSON-RPC call.
    pub(crate) async fn publish_all(&mut self, entries: &[Submission]) {
        let answer = self.post("/", publishing(entries)).await;
        assert!(!contains(&answer, b"\"error\""), "{answer:?}");
    }

    /// Asks by JSON-RPC, without parameters.
    pub(crate) async fn rpc(&mut self, method: &str) -> Bytes {
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method });
        self.post("/", body.to_string()).await
    }

    async fn post(&mut self, path: &str, body: String) -> Bytes {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        self.0.ready().await.expect("the connection stands");
        let response = self.0.send_request(request).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        body.to_bytes()
    }
}

fn encoded(entry: &Submission) -> (String, String) {
    (
        hex::encode(entry.entry().bytes()),
        hex::encode(entry.payload()),
    )
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
