//! Publishing through GraphQL as clients do it: the built `grove-node` over a SQLite file with
//! `synchronous=FULL`, and this process beside it as the load, one keep-alive connection a publisher.
//!
//! Entries are signed before the clock runs. Every answer is checked.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grove_core::author::{NextArgs, forge};
use grove_core::types::{KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A node process in a data directory of its own; both end with it.
struct NodeProcess {
    child: Child,
    data: PathBuf,
    address: String,
}

impl NodeProcess {
    fn start() -> Self {
        let data = std::env::temp_dir().join(format!("grove-bench-{}", std::process::id()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_grove-node"))
            .args(["--http-port", "0", "--data-dir"])
            .arg(&data)
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
        Self {
            child,
            data,
            address,
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Nothing is left to do when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// One author with a connection of its own, who writes every document into a new log.
struct Publisher {
    key_pair: KeyPair,
    next_log: u64,
    connection: SendRequest<Full<Bytes>>,
}

impl Publisher {
    async fn connect(address: &str, seed: u8) -> Self {
        let stream = TcpStream::connect(address).await.expect("the node listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP");
        tokio::spawn(driver);
        Self {
            key_pair: KeyPair::from_seed(&[seed; 32]),
            next_log: 0,
            connection,
        }
    }

    fn write(&mut self, schema_id: &SchemaId, fields: &[(&str, PlainValue)]) -> Submission {
        let fields: Fields<PlainValue> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields,
        };
        let args = NextArgs::first(LogId::new(self.next_log));
        self.next_log += 1;
        forge(&self.key_pair, &args, &operation).expect("consistent arguments")
    }

    async fn publish(&mut self, submission: &Submission) {
        let body = format!(
            r#"{{"query":"mutation {{ publish(entry: \"{}\", operation: \"{}\") {{ logId seqNum backlink skiplink }} }}"}}"#,
            hex::encode(submission.entry().bytes()),
            hex::encode(submission.payload()),
        );
        let request = Request::post("/graphql")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        self.connection
            .ready()
            .await
            .expect("the connection stands");
        let response = self
            .connection
            .send_request(request)
            .await
            .expect("an answer");
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert!(
            !body.windows(8).any(|part| part == b"\"errors\""),
            "{body:?}"
        );
    }
}

fn text(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

/// Publishes a schema of five fields and returns its id.
async fn publish_schema(publisher: &mut Publisher) -> SchemaId {
    let mut fields = Vec::new();
    for (name, kind) in FIELDS {
        let definition = [("name", text(name)), ("type", text(kind))];
        let field = publisher.write(&SchemaId::SCHEMA_FIELD_DEFINITION, &definition);
        publisher.publish(&field).await;
        fields.push(field.entry().operation_id().into());
    }
    let definition = publisher.write(
        &SchemaId::SCHEMA_DEFINITION,
        &[
            ("name", text("venue")),
            ("description", text("Places")),
            ("fields", PlainValue::ViewIds(fields)),
        ],
    );
    publisher.publish(&definition).await;
    let view_id = definition.entry().operation_id().into();
    SchemaId::Application {
        name: "venue".parse().expect("a name"),
        view_id,
    }
}

const FIELDS: [(&str, &str); 5] = [
    ("name", "str"),
    ("seats", "int"),
    ("rating", "float"),
    ("open", "bool"),
    ("logo", "bytes"),
];

fn venue(number: u64) -> [(&'static str, PlainValue); 5] {
    [
        ("name", PlainValue::Str(format!("venue {number}"))),
        ("seats", PlainValue::Int(number as i64)),
        ("rating", PlainValue::Float(number as f64 / 3.0)),
        ("open", PlainValue::Bool(number.is_multiple_of(2))),
        ("logo", PlainValue::Bytes(vec![1, 2, 3, 4])),
    ]
}

/// Publishes `entries` with all publishers at once and returns how long it took.
async fn publish_all(publishers: &mut [Publisher], schema_id: &SchemaId, entries: u64) -> Duration {
    let share = entries.div_ceil(publishers.len() as u64);
    let work: Vec<Vec<Submission>> = publishers
        .iter_mut()
        .map(|publisher| {
            (0..share)
                .map(|n| publisher.write(schema_id, &venue(n)))
                .collect()
        })
        .collect();

    let started = Instant::now();
    let runs = publishers
        .iter_mut()
        .zip(&work)
        .map(|(publisher, work)| async move {
            for submission in work {
                publisher.publish(submission).await;
            }
        });
    join_all(runs).await;
    started.elapsed()
}

/// Runs futures side by side on this thread.
async fn join_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

fn publish(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("publish through GraphQL");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for concurrency in [1, 8, 32] {
        let node = NodeProcess::start();
        let (publishers, schema_id) = runtime.block_on(async {
            let mut publishers = Vec::new();
            for seed in 0..concurrency {
                publishers.push(Publisher::connect(&node.address, seed + 1).await);
            }
            let schema_id = publish_schema(&mut publishers[0]).await;
            (publishers, schema_id)
        });
        let publishers = RefCell::new(publishers);
        group.bench_function(BenchmarkId::from_parameter(concurrency), |bencher| {
            bencher.iter_custom(|entries| {
                let mut publishers = publishers.borrow_mut();
                runtime.block_on(publish_all(&mut publishers, &schema_id, entries))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
