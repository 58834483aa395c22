//! The published worked examples, byte for byte: logs, operations, schemas, documents, view ids.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use grove_core::author::{NextArgs, forge};
use grove_core::document::{Document, Graph};
use grove_core::types::{
    DocumentViewId, Hash, KeyPair, LogId, OperationId, Schema, SchemaId, SeqNum, SystemSchema,
    Value,
};
use grove_core::validate::{
    LogTip, Submission, build_schema, check_position, path_from_block_end, path_to_first,
    validate_operation,
};
use grove_core::wire::{Operation, varint};
use serde_json::Value as Json;

fn examples() -> Json {
    let text = include_str!("data/worked-examples.json");
    serde_json::from_str(text).unwrap()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {json}"))
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json[key].as_array().unwrap()
}

fn bytes(json: &Json, key: &str) -> Vec<u8> {
    hex::decode(text(json, key)).unwrap()
}

/// An entry of the examples, verified, decoded and forged again from its parts.
fn submission(entry: &Json) -> Submission {
    let submission =
        Submission::verify(&bytes(entry, "entry_hex"), bytes(entry, "payload_hex")).unwrap();
    assert_eq!(
        submission.entry().hash().to_string(),
        text(entry, "entry_hash")
    );
    assert_eq!(
        submission.entry().entry().public_key.to_string(),
        text(entry, "public_key")
    );

    let link = |key: &str| {
        entry[key]
            .as_str()
            .map(|text| text.parse::<Hash>().unwrap())
    };
    let args = NextArgs {
        log_id: LogId::new(entry["log_id"].as_u64().unwrap()),
        seq_num: SeqNum::new(entry["seq_num"].as_u64().unwrap()).unwrap(),
        backlink: link("backlink"),
        skiplink: link("skiplink"),
    };
    let seed = bytes(entry, "author_seed").try_into().unwrap();
    let forged = forge(
        &KeyPair::from_seed(&seed),
        &args,
        submission.operation().unwrap(),
    )
    .unwrap();
    assert_eq!(forged.entry().bytes(), submission.entry().bytes());
    assert_eq!(forged.payload(), submission.payload());
    submission
}

#[test]
fn varints_and_hashes_are_those_of_the_examples() {
    let examples = examples();
    for case in list(&examples, "varu64") {
        let mut out = Vec::new();
        let value = case["value"]
            .as_u64()
            .or_else(|| case["value"].as_str()?.parse().ok());
        varint::encode(value.unwrap(), &mut out);
        assert_eq!(hex::encode(out), text(case, "hex"));
    }
    for case in list(&examples, "yasmf") {
        assert_eq!(
            Hash::of(&bytes(case, "input_hex")).to_string(),
            text(case, "hash")
        );
    }
    for case in list(&examples, "document_view_ids") {
        let view_id: DocumentViewId = text(case, "view_id").parse().unwrap();
        assert_eq!(view_id.hash().to_string(), text(case, "view_hash"));
    }
}

#[test]
fn links_and_certificate_pools_are_those_of_the_examples() {
    for case in list(&examples(), "lipmaa") {
        let seq_num = SeqNum::new(case["seq_num"].as_u64().unwrap()).unwrap();
        let target = seq_num.lipmaa().map_or(0, SeqNum::as_u64);
        assert_eq!(target, case["lipmaa"].as_u64().unwrap());
        assert_eq!(
            seq_num.skiplink().is_some(),
            case["skiplink_encoded"].as_bool().unwrap()
        );
        let path = |key: &str| -> Vec<u64> {
            list(case, key)
                .iter()
                .map(|number| number.as_u64().unwrap())
                .collect()
        };
        let back: Vec<_> = path_to_first(seq_num).map(SeqNum::as_u64).collect();
        assert_eq!(back, path("path_to_1"));
        let later = path_from_block_end(seq_num).unwrap();
        assert_eq!(
            later.map(SeqNum::as_u64).collect::<Vec<_>>(),
            path("path_from_z")
        );
    }
}

#[test]
fn the_log_verifies_links_and_answers_as_recorded() {
    let examples = examples();
    let mut hashes: BTreeMap<SeqNum, Hash> = BTreeMap::new();
    let mut tip: Option<LogTip> = None;
    for json in list(&examples, "log") {
        let submission = submission(json);
        let entry = submission.entry().entry();
        let lipmaa = entry.seq_num.skiplink().map(|target| hashes[&target]);
        check_position(entry, tip.as_ref(), lipmaa).unwrap();

        let hash = submission.entry().hash();
        hashes.insert(entry.seq_num, hash);
        tip = Some(LogTip {
            seq_num: entry.seq_num,
            hash,
            ended: entry.end_of_log,
        });
        let next = NextArgs::after(entry.log_id, entry.seq_num, hash, |at| {
            hashes.get(&at).copied()
        });
        let (next, reply) = (next.unwrap(), &json["publish_reply"]);
        assert_eq!(next.seq_num.as_u64(), reply["seq_num"].as_u64().unwrap());
        assert_eq!(
            next.backlink.map(|hash| hash.to_string()).as_deref(),
            reply["backlink"].as_str()
        );
        assert_eq!(
            next.skiplink.map(|hash| hash.to_string()).as_deref(),
            reply["skiplink"].as_str()
        );
    }
}

#[test]
fn every_operation_decodes_and_encodes_to_itself() {
    for case in list(&examples(), "operations") {
        let bytes = bytes(case, "cbor_hex");
        let operation = Operation::decode(&bytes).unwrap();
        assert_eq!(operation.encode(), bytes, "{}", text(case, "name"));
        assert_eq!(Hash::of(&bytes).to_string(), text(case, "payload_hash"));
    }
}

#[test]
fn schemas_are_built_from_their_published_views() {
    let examples = examples();
    let schemas = &examples["schemas"];
    let operations: Vec<(OperationId, Operation<Value>)> = list(schemas, "entries")
        .iter()
        .map(|json| {
            let submission = submission(json);
            let operation = submission.operation().unwrap();
            let SchemaId::System(system) = *operation.schema_id() else {
                panic!("not a system schema")
            };
            let typed = validate_operation(operation, &Schema::system(system)).unwrap();
            (submission.entry().operation_id(), typed)
        })
        .collect();
    let fields: BTreeMap<_, _> = operations
        .iter()
        .filter(|(_, op)| *op.schema_id() == SchemaId::System(SystemSchema::SchemaFieldDefinition))
        .map(|(id, op)| (DocumentViewId::from(*id), op.fields().unwrap().clone()))
        .collect();
    let definition: Vec<_> = operations
        .iter()
        .filter(|(_, op)| *op.schema_id() == SchemaId::SCHEMA_DEFINITION)
        .map(|(id, op)| (*id, op))
        .collect();
    let build = |document: &Document<Value>| {
        let fields_of = document.fields.as_ref().unwrap().iter();
        let values = fields_of
            .map(|(name, field)| (name.clone(), field.value.clone()))
            .collect();
        build_schema(&document.view_id, &values, &fields).unwrap()
    };

    let first = build(&Document::reduce(definition[..1].iter().copied()).unwrap());
    assert_eq!(first.id().to_string(), text(schemas, "schema_id"));
    assert_eq!(first.id().hash_id(), text(schemas, "schema_hash_id"));
    let types: Vec<_> = first
        .fields()
        .iter()
        .map(|(n, t)| (n.to_string(), t.to_string()))
        .collect();
    let expected: Vec<(String, String)> =
        serde_json::from_value(schemas["schema_fields"].clone()).unwrap();
    assert_eq!(types, expected);

    let merged = build(&Document::reduce(definition.iter().copied()).unwrap());
    assert_eq!(
        merged.id().to_string(),
        text(&schemas["merged"], "schema_id")
    );
    assert_eq!(
        merged.id().hash_id(),
        text(&schemas["merged"], "schema_hash_id")
    );
    assert_eq!(
        merged.description(),
        text(&schemas["merged"], "description_after_reduction")
    );
}

#[test]
fn documents_follow_the_handbook_walk() {
    for document in list(&examples(), "documents") {
        let operations: Vec<(OperationId, Operation)> = list(document, "entries")
            .iter()
            .map(|json| {
                let submission = submission(json);
                (
                    submission.entry().operation_id(),
                    submission.operation().unwrap().clone(),
                )
            })
            .collect();
        let labels: BTreeMap<String, String> =
            serde_json::from_value(document["labels"].clone()).unwrap();
        let labels: BTreeMap<_, _> = labels.into_iter().map(|(label, id)| (id, label)).collect();

        let graph = Graph::build(operations.iter().map(|(id, op)| (*id, op))).unwrap();
        let walked: Vec<_> = graph
            .walk()
            .unwrap()
            .iter()
            .map(|(id, _)| labels[&id.to_string()].as_str())
            .collect();
        let expected: Vec<_> = list(document, "handbook_order")
            .iter()
            .map(|label| label.as_str().unwrap())
            .collect();
        assert_eq!(walked, expected, "{}", text(document, "name"));

        let reduced = Document::from_graph(&graph).unwrap();
        let deleted = operations.iter().find(|(_, op)| op.fields().is_none());
        assert_eq!(reduced.is_deleted(), deleted.is_some());
        if let Some((delete, _)) = deleted {
            assert_eq!(reduced.view_id, DocumentViewId::from(*delete), "ruling R5");
        }
    }
}
