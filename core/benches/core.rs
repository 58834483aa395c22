//! What a node does for every entry: decode, verify, reduce; with the bare signature check beside it,
//! which is the floor.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use grove_core::author::{NextArgs, forge};
use grove_core::document::Document;
use grove_core::types::{
    DocumentViewId, Hash, KeyPair, Keyring, LogId, OperationId, PlainValue, SchemaId,
};
use grove_core::validate::{SignedEntry, Submission};
use grove_core::wire::{Entry, Fields, Operation};

fn create() -> Operation {
    Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(b"hello".to_vec()))]),
    }
}

fn submission() -> Submission {
    let key_pair = KeyPair::from_seed(&[1; 32]);
    forge(&key_pair, &NextArgs::first(LogId::new(0)), &create()).expect("consistent arguments")
}

fn entries(criterion: &mut Criterion) {
    let submission = submission();
    let bytes = submission.entry().bytes();
    let entry = submission.entry().entry();
    let (message, signature) = bytes.split_at(bytes.len() - 64);
    let signature = Signature::from_slice(signature).expect("64 bytes");
    let key = VerifyingKey::from_bytes(entry.public_key.as_bytes()).expect("a key");

    let mut group = criterion.benchmark_group("entry");
    group.bench_function("bare ed25519-dalek verify", |bencher| {
        bencher.iter(|| key.verify(black_box(message), &signature).is_ok());
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Entry::decode(black_box(bytes)).is_ok());
    });
    group.bench_function("decode and verify", |bencher| {
        bencher.iter(|| SignedEntry::verify(black_box(bytes)).is_ok());
    });
    group.bench_function("decode and verify, author known", |bencher| {
        let mut keyring = Keyring::default();
        bencher.iter(|| SignedEntry::verify_with(black_box(bytes), &mut keyring).is_ok());
    });
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    let bytes = create().encode();
    let mut group = criterion.benchmark_group("operation");
    group.bench_function("decode, small", |bencher| {
        bencher.iter(|| Operation::decode(black_box(&bytes)).is_ok());
    });
    group.finish();
}

/// A document of `count` operations: two people edit at once, the next operation merges, and so on.
fn document(count: usize) -> Vec<(OperationId, Operation)> {
    let id = |n: usize| OperationId::from(Hash::of(&n.to_be_bytes()));
    let mut operations = vec![(id(0), create())];
    for n in 1..count {
        let parents = match n % 3 {
            1 => vec![n - 1],
            2 => vec![n - 2],
            _ => vec![n - 1, n - 2],
        };
        let previous = DocumentViewId::from_tips(parents.into_iter().map(id)).expect("a parent");
        let fields = Fields::from([(format!("f{}", n % 5), PlainValue::Int(n as i64))]);
        let operation = Operation::Update {
            schema_id: SchemaId::BLOB_PIECE,
            previous,
            fields,
        };
        operations.push((id(n), operation));
    }
    operations
}

fn documents(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("document");
    group.sample_size(10);
    for count in [1_000, 10_000, 100_000] {
        let operations = document(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(
            BenchmarkId::new("build", count),
            &operations,
            |bencher, nodes| {
                bencher.iter_batched(
                    || nodes.iter().map(|(id, operation)| (*id, operation)),
                    |nodes| Document::reduce(nodes).is_ok(),
                    BatchSize::SmallInput,
                );
            },
        );
    }
    group.finish();
}

criterion_group!(benches, entries, operations, documents);
criterion_main!(benches);
