//! The deciding part of a node over a SQLite file: what an entry costs, what a page costs.
//!
//! `valgrind --tool=callgrind` on `--bench engine -- --profile-time 1 NAME` counts instructions where
//! the machine is too noisy for times.

mod support;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grove_core::author::NextArgs;
use grove_core::session::PeerId;
use grove_core::time::Instant as EngineInstant;
use grove_core::types::{DocumentId, LogId, PlainValue, SchemaId, SeqNum, Value};
use grove_core::validate::Submission;
use grove_node::engine::{Engine, EngineSettings, Input, Output, RequestId};
use grove_node::store::query::{Comparison, Condition, Order, OrderBy, PagePosition, Test};
use grove_node::store::{DocumentQuery, Read, SharedStore, SqliteReader, SqliteStore};
use support::{Author, schema, venue};
use tempfile::TempDir;

/// Documents in the collections that are paged through.
const DOCUMENTS: u64 = 100_000;

/// Entries in one transaction.
const BATCH: u64 = 512;

/// An engine over a file that goes with it.
struct Node {
    engine: Engine<SqliteStore>,
    author: Author,
    schema_id: SchemaId,
    documents: u64,
    _folder: TempDir,
}

impl Node {
    fn start(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir();
        let folder = folder.expect("a folder");
        let store = SqliteStore::open(&folder.path().join("node.sqlite")).expect("a store");
        let engine = Engine::new(store, EngineSettings::new(PeerId([0; 32])));
        let mut author = Author::new(1);
        let (entries, schema_id) = schema(&mut author);
        let mut node = Self {
            engine: engine.expect("an engine"),
            author,
            schema_id,
            documents: 0,
            _folder: folder,
        };
        node.publish(entries);
        node
    }

    /// Signs the next documents.
    fn sign(&mut self, count: u64) -> Vec<Submission> {
        let numbers = self.documents..self.documents + count;
        self.documents += count;
        numbers
            .map(|number| self.author.create(&self.schema_id, &venue(number)))
            .collect()
    }

    /// Publishes entries in one transaction.
    fn publish(&mut self, entries: Vec<Submission>) {
        let inputs = entries.into_iter().map(|submission| Input::Publish {
            request: RequestId(0),
            submission: Box::new(submission),
        });
        let inputs = inputs.collect();
        self.engine
            .handle(EngineInstant(0), inputs)
            .expect("a store");
        while let Some(output) = self.engine.poll() {
            if let Output::Published { result, .. } = output {
                result.expect("accepted");
            }
        }
    }

    fn fill(&mut self, documents: u64) {
        while self.documents < documents {
            let entries = self.sign(BATCH);
            self.publish(entries);
        }
    }
}

/// New documents, many in one transaction, on a small and on a large database.
fn creates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("create, 512 in a transaction");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for documents in [0, DOCUMENTS] {
        let mut node = Node::start("creates");
        node.fill(documents);
        group.bench_function(BenchmarkId::from_parameter(documents), |bencher| {
            bencher.iter_custom(|entries| {
                let mut took = Duration::ZERO;
                for _ in 0..entries.div_ceil(BATCH) {
                    let batch = node.sign(BATCH);
                    let started = Instant::now();
                    node.publish(batch);
                    took += started.elapsed();
                }
                took.mul_f64(entries as f64 / (entries.div_ceil(BATCH) * BATCH) as f64)
            });
        });
    }
    group.finish();
}

/// Updates of one document in a row, or all of its CREATE.
struct Chain {
    /// What all of them are made on top of; `None` when each is of the one before.
    below: Option<grove_core::types::OperationId>,
    node: Node,
    log_id: LogId,
    tip: Submission,
    /// The latest entries: position `n` of a log links back to one at a third or so of its way.
    hashes: Vec<grove_core::types::Hash>,
}

impl Chain {
    fn start(name: &str, operations: u64, are_branches: bool) -> Self {
        let mut node = Node::start(name);
        let create = node.author.create(&node.schema_id.clone(), &venue(0));
        let mut chain = Self {
            below: are_branches.then(|| create.entry().operation_id()),
            log_id: create.entry().entry().log_id,
            hashes: vec![create.entry().hash()],
            tip: create.clone(),
            node,
        };
        chain.node.publish(vec![create]);
        while (chain.hashes.len() as u64) < operations {
            let updates = (0..BATCH.min(operations)).map(|_| chain.sign()).collect();
            chain.node.publish(updates);
        }
        chain
    }

    /// Signs the next update.
    fn sign(&mut self) -> Submission {
        let seq_num = SeqNum::new(self.hashes.len() as u64 + 1).expect("not zero");
        let at = |seq_num: SeqNum| self.hashes[seq_num.as_u64() as usize - 1];
        let args = NextArgs {
            log_id: self.log_id,
            seq_num,
            backlink: seq_num.backlink().map(at),
            skiplink: seq_num.skiplink().map(at),
        };
        let seats = [("seats", PlainValue::Int(seq_num.as_u64() as i64))];
        let tip = self.tip.entry().operation_id();
        let previous = self.below.unwrap_or(tip).into();
        let schema_id = self.node.schema_id.clone();
        self.tip = self.node.author.update(&args, &schema_id, previous, &seats);
        self.hashes.push(self.tip.entry().hash());
        self.tip.clone()
    }
}

/// An update on a short and on a long document, one in a transaction.
fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update of a document of");
    group.sample_size(20);
    for operations in [10, 10_000] {
        let chain = RefCell::new(Chain::start("updates", operations, false));
        group.bench_function(BenchmarkId::from_parameter(operations), |bencher| {
            bencher.iter_batched(
                || chain.borrow_mut().sign(),
                |update| chain.borrow_mut().node.publish(vec![update]),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A further branch of a document that has few or many, one in a transaction.
fn branches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("further branch of a document with");
    group.sample_size(20);
    for operations in [10, 1_000, 10_000] {
        let chain = RefCell::new(Chain::start("branches", operations, true));
        group.bench_function(BenchmarkId::from_parameter(operations), |bencher| {
            bencher.iter_batched(
                || chain.borrow_mut().sign(),
                |update| chain.borrow_mut().node.publish(vec![update]),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Pages of 25 over many documents.
fn pages(criterion: &mut Criterion) {
    let mut node = Node::start("pages");
    node.fill(DOCUMENTS);
    let reader = node.engine.store().reader().expect("a reader");
    let mut group = criterion.benchmark_group("page of 25 over 100000");
    for (name, query) in questions() {
        for depth in ["first", "deep"] {
            let query = match depth {
                "deep" => deep(&reader, &node.schema_id, &query),
                _ => query.clone(),
            };
            group.bench_function(BenchmarkId::new(name, depth), |bencher| {
                bencher.iter(|| reader.list(&node.schema_id, &query).expect("a page"));
            });
        }
    }
    group.finish();
}

fn questions() -> Vec<(&'static str, DocumentQuery)> {
    let page = DocumentQuery {
        limit: 26,
        ..DocumentQuery::default()
    };
    let by = |name: &str, descending| Order {
        by: OrderBy::Field(name.to_owned()),
        descending,
    };
    let above = |rating| {
        let test = Test::Compared(Comparison::Above, Value::Float(rating));
        vec![Condition::Field("rating".to_owned(), test)]
    };
    let seats = Test::Among(true, vec![Value::Int(7)]);
    let named = Test::Among(true, vec![Value::Str("Venue 00042".to_owned())]);
    vec![
        ("plain", page.clone()),
        (
            "by name",
            DocumentQuery {
                order: by("name", false),
                ..page.clone()
            },
        ),
        (
            "rating above, by seats descending",
            DocumentQuery {
                conditions: above(4e6),
                order: by("seats", true),
                ..page.clone()
            },
        ),
        (
            "seats equal, by name",
            DocumentQuery {
                conditions: vec![Condition::Field("seats".to_owned(), seats)],
                order: by("name", false),
                ..page.clone()
            },
        ),
        (
            "name equal",
            DocumentQuery {
                conditions: vec![Condition::Field("name".to_owned(), named)],
                ..page
            },
        ),
    ]
}

/// The same question from half-way through its answer on.
fn deep(reader: &SqliteReader, schema_id: &SchemaId, query: &DocumentQuery) -> DocumentQuery {
    let everything = DocumentQuery {
        limit: u32::MAX,
        ..query.clone()
    };
    let found = reader.list(schema_id, &everything).expect("all pages");
    let middle = found.get(found.len() / 2).map(|row| query.order.place(row));
    DocumentQuery {
        after: middle.or(Some(PagePosition::behind(DocumentId::from(
            grove_core::types::Hash::from_digest([0; 32]),
        )))),
        ..query.clone()
    }
}

criterion_group!(benches, creates, updates, branches, pages);
criterion_main!(benches);
