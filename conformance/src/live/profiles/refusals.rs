//! Entries and operations a node must refuse, each one fault away from an honest one.
//!
//! Every refusal goes through both doors. Before and after it a stranger publishes honestly, and the
//! attacked log must stand where it stood. A refusal without a code, or with another one, is weak.

use super::super::Wrong;
use super::super::api::{self, Answer};
use super::super::author::Author;
use super::super::case::Case;
use super::super::doors::{Door, Need};
use super::super::judge::{Legal, judge};
use super::super::under_test::{Document, NodeUnderTest, set_up};
use crate::forge::entry::seal;
use crate::forge::{Draft, Hash, Item, hex, operation, varu64};
use crate::suite::{Hazard, Level, Ruleset};

/// One fault.
pub(crate) struct Refusal {
    pub id: &'static str,
    pub title: &'static str,
    /// Codes that name the cause.
    reasons: &'static [&'static str],
    forge: fn(&NodeUnderTest, &mut Scene) -> Result<Forged, Wrong>,
    /// Whether the attacked log can be asked for as before.
    leaves_log: bool,
    /// The ruling it turns on.
    ruling: Option<&'static str>,
    /// Whether deployed nodes take it.
    wire_takes: bool,
    /// What it was seen to do to deployed nodes.
    hazard: Hazard,
}

/// An author with a document of three operations, whose next entry has both links.
struct Scene {
    author: Author,
    document: Document,
    tip: Hash,
}

/// What is sent.
struct Forged {
    entry: String,
    operation: String,
}

impl Forged {
    fn new(entry: &[u8], operation: &[u8]) -> Self {
        Self {
            entry: hex(entry),
            operation: hex(operation),
        }
    }
}

impl Scene {
    fn set_up(target: &NodeUnderTest, door: Door) -> Result<Self, Wrong> {
        let mut author = target.author(&format!("{door:?}"));
        let document = target.create(&mut author, 1, "attacked", door)?;
        let mut tip = document.id;
        for hour in 2..4 {
            let operation = target.update_operation(&[tip], hour);
            tip = target.publish(&mut author, document.log, operation, door)?;
        }
        Ok(Self {
            author,
            document,
            tip,
        })
    }

    /// The honest next operation.
    fn operation(&self, target: &NodeUnderTest) -> Vec<u8> {
        target.update_operation(&[self.tip], 4)
    }

    /// The next entry with one field changed, signed by its author.
    fn altered(&self, target: &NodeUnderTest, alter: impl Fn(&mut Draft)) -> Forged {
        let operation = self.operation(target);
        let mut draft = self.author.draft(self.document.log, &operation);
        alter(&mut draft);
        Forged::new(&draft.sign(self.author.key()), &operation)
    }

    /// The next entry with another operation.
    fn carrying(&self, operation: &[u8]) -> Forged {
        let draft = self.author.draft(self.document.log, operation);
        Forged::new(&draft.sign(self.author.key()), operation)
    }

    /// The first entry of a new log with an operation.
    fn opening(&mut self, operation: &[u8]) -> Forged {
        let log = self.author.open_log();
        Forged::new(
            &self.author.draft(log, operation).sign(self.author.key()),
            operation,
        )
    }

    /// The honest next entry, to be damaged as bytes.
    fn honest(&self, target: &NodeUnderTest) -> (Vec<u8>, Vec<u8>) {
        let operation = self.operation(target);
        let draft = self.author.draft(self.document.log, &operation);
        (draft.sign(self.author.key()), operation)
    }
}

/// Tries one refusal through both doors.
fn run(target: &mut NodeUnderTest, refusal: &Refusal) -> Result<(), Wrong> {
    let mut weakness = None;
    for door in target.doors.publishing() {
        let mut scene = set_up(Scene::set_up(target, door))?;
        let forged = set_up((refusal.forge)(target, &mut scene))?;
        target.control(if door == target.door() {
            "before"
        } else {
            "between"
        })?;
        let answer = api::publish_text(&target.client, door, &forged.entry, &forged.operation)?;
        let legal = if refusal.wire_takes && target.ruleset == Ruleset::Wire09 {
            Legal::Either
        } else {
            Legal::Refused
        };
        let taken = matches!(answer, Answer::Result(_));
        match judge(target, door, answer, legal, refusal.reasons) {
            Err(Wrong::Weakly(what)) => weakness = Some(what),
            other => other?,
        }
        if refusal.leaves_log && !taken {
            unchanged(target, &scene, door)?;
        }
    }
    target.control("after")?;
    weakness.map_or(Ok(()), |weakness| Err(Wrong::Weakly(weakness)))
}

fn unchanged(target: &NodeUnderTest, scene: &Scene, door: Door) -> Result<(), Wrong> {
    let (key, view) = (scene.author.public_key(), scene.document.id.hex());
    let answer = api::next_args(&target.client, door, &key, Some(&view))?;
    let args = api::read_args(door, &answer.expect("nextArgs after the refusal")?)?;
    let expected = scene.author.next_args(scene.document.log);
    if args == expected {
        Ok(())
    } else {
        Err(Wrong::Behaviour(format!(
            "the refused entry moved the log: {args:?}, was {expected:?}"
        )))
    }
}

/// A CREATE with one of its fields replaced.
fn create_with(target: &NodeUnderTest, name: &str, value: Item) -> Vec<u8> {
    let mut fields = target.fields(1, "refused");
    for field in &mut fields {
        if field.0 == name {
            field.1 = value.clone();
        }
    }
    operation::create(&target.schema_id, fields).encode()
}

const fn entry(
    id: &'static str,
    title: &'static str,
    reasons: &'static [&'static str],
    forge: fn(&NodeUnderTest, &mut Scene) -> Result<Forged, Wrong>,
) -> Refusal {
    Refusal {
        id,
        title,
        reasons,
        forge,
        leaves_log: true,
        ruling: None,
        wire_takes: false,
        hazard: Hazard::None,
    }
}

impl Refusal {
    /// As deployed nodes take it by a ruling, they may.
    const fn or_taken(mut self, ruling: &'static str) -> Self {
        self.ruling = Some(ruling);
        self.wire_takes = true;
        self
    }

    const fn ruled(mut self, ruling: &'static str) -> Self {
        self.ruling = Some(ruling);
        self
    }

    const fn crashing(mut self) -> Self {
        self.hazard = Hazard::Crash;
        self
    }

    /// The case.
    pub(crate) fn case(&'static self) -> Case<'static> {
        Case {
            id: self.id.to_owned(),
            title: format!("refused: {}", self.title),
            profile: "core",
            requires: vec!["NO1".to_owned(), "NO2".to_owned(), "PB1".to_owned()],
            ruling: self.ruling.map(str::to_owned),
            level: Level::Must,
            needs: vec![Need::Publishing],
            hazard: self.hazard,
            run: Box::new(move |target| run(target, self)),
        }
    }
}

/// As [`entry`], for attacks after which the log cannot be asked for as before.
const fn shutting(
    id: &'static str,
    title: &'static str,
    reasons: &'static [&'static str],
    forge: fn(&NodeUnderTest, &mut Scene) -> Result<Forged, Wrong>,
) -> Refusal {
    Refusal {
        id,
        title,
        reasons,
        forge,
        leaves_log: false,
        ruling: None,
        wire_takes: false,
        hazard: Hazard::None,
    }
}

/// All of them.
pub(crate) const ALL: &[Refusal] = &[
    entry(
        "refuse-entry-not-hex",
        "an entry that is not hex",
        &["invalid_hex"],
        |target, scene| {
            let (_, operation) = scene.honest(target);
            Ok(Forged {
                entry: "zz".to_owned(),
                operation: hex(operation),
            })
        },
    ),
    entry(
        "refuse-operation-not-hex",
        "an operation that is not hex",
        &["invalid_hex"],
        |target, scene| {
            let (entry, _) = scene.honest(target);
            Ok(Forged {
                entry: hex(entry),
                operation: "0".to_owned(),
            })
        },
    ),
    entry(
        "refuse-entry-empty",
        "an empty entry",
        &["entry_truncated"],
        |target, scene| {
            let (_, operation) = scene.honest(target);
            Ok(Forged::new(&[], &operation))
        },
    ),
    entry(
        "refuse-entry-cut",
        "an entry without its last byte",
        &["entry_truncated"],
        |target, scene| {
            let (entry, operation) = scene.honest(target);
            Ok(Forged::new(&entry[..entry.len() - 1], &operation))
        },
    ),
    entry(
        "refuse-entry-trailing",
        "a byte after the signature",
        &["entry_trailing_bytes"],
        |target, scene| {
            let (mut entry, operation) = scene.honest(target);
            entry.push(0);
            Ok(Forged::new(&entry, &operation))
        },
    ),
    entry(
        "refuse-trailing-crafted",
        "a byte after the signature that passes for signed",
        &["entry_trailing_bytes"],
        |target, scene| {
            let operation = scene.operation(target);
            let unsigned = scene
                .author
                .draft(scene.document.log, &operation)
                .unsigned();
            let (signature, tail) = scene.author.key().sign_with_tail(&unsigned, 1);
            Ok(Forged::new(
                &[&unsigned[..], &signature, &tail].concat(),
                &operation,
            ))
        },
    )
    .or_taken("R9"),
    entry(
        "refuse-tag",
        "a tag byte that means nothing",
        &["entry_tag"],
        |target, scene| Ok(scene.altered(target, |draft| draft.tag = 2)),
    )
    .or_taken("R8"),
    entry(
        "refuse-varint",
        "a payload size in a longer form than needed",
        &["varint_not_minimal"],
        |target, scene| {
            let operation = scene.operation(target);
            let draft = scene.author.draft(scene.document.log, &operation);
            let mut unsigned = draft.unsigned();
            let size = varu64::encode(draft.payload_size).len();
            let at = unsigned.len() - 34 - size;
            unsigned.splice(at..at + size, varu64::encode_wide(draft.payload_size, 8));
            Ok(Forged::new(&seal(unsigned, scene.author.key()), &operation))
        },
    ),
    entry(
        "refuse-signature",
        "a flipped bit in the signature",
        &["signature_invalid", "signature_malformed"],
        |target, scene| {
            let (mut entry, operation) = scene.honest(target);
            let at = entry.len() - 40;
            entry[at] ^= 1;
            Ok(Forged::new(&entry, &operation))
        },
    ),
    entry(
        "refuse-signature-high-bit",
        "S with its highest bit set",
        &["signature_malformed", "signature_invalid"],
        |target, scene| {
            let (mut entry, operation) = scene.honest(target);
            let at = entry.len() - 1;
            entry[at] |= 0x80;
            Ok(Forged::new(&entry, &operation))
        },
    )
    .ruled("R11")
    .crashing(),
    entry(
        "refuse-signed-by-other",
        "an entry signed with another key",
        &["signature_invalid"],
        |target, scene| {
            let operation = scene.operation(target);
            let draft = scene.author.draft(scene.document.log, &operation);
            Ok(Forged::new(
                &draft.sign(target.author("forger").key()),
                &operation,
            ))
        },
    ),
    entry(
        "refuse-seq-gap",
        "a sequence number is left out",
        &["seq_num_mismatch"],
        |target, scene| {
            Ok(scene.altered(target, |draft| {
                draft.seq_num = 6;
                draft.skiplink = None;
            }))
        },
    ),
    entry(
        "refuse-backlink",
        "a backlink that names no entry",
        &["backlink_mismatch"],
        |target, scene| Ok(scene.altered(target, |draft| draft.backlink = Some(Hash::repeating(7)))),
    ),
    entry(
        "refuse-skiplink",
        "a skiplink that names no entry",
        &["skiplink_mismatch", "skiplink_not_found"],
        |target, scene| Ok(scene.altered(target, |draft| draft.skiplink = Some(Hash::repeating(7)))),
    ),
    entry(
        "refuse-payload-hash",
        "another operation than the entry was signed for",
        &["payload_hash_mismatch"],
        |target, scene| {
            let (entry, _) = scene.honest(target);
            Ok(Forged::new(
                &entry,
                &target.update_operation(&[scene.tip], 5),
            ))
        },
    ),
    entry(
        "refuse-payload-size",
        "another size than the operation has",
        &["payload_size_mismatch"],
        |target, scene| Ok(scene.altered(target, |draft| draft.payload_size += 1)),
    ),
    entry(
        "refuse-cbor-trailing",
        "a byte after the operation",
        &["cbor_trailing_bytes"],
        |target, scene| {
            let operation = [scene.operation(target), vec![0]].concat();
            Ok(scene.carrying(&operation))
        },
    )
    .or_taken("R2"),
    entry(
        "refuse-cbor-indefinite",
        "an operation of indefinite length",
        &["cbor_indefinite", "operation_shape"],
        |target, scene| {
            let fields = [("hour", Item::Int(4))];
            Ok(scene.carrying(
                &operation::update(&target.schema_id, &[scene.tip], fields)
                    .indefinite()
                    .encode(),
            ))
        },
    )
    .or_taken("R2"),
    entry(
        "refuse-cbor-not-minimal",
        "a number in a longer form than needed",
        &["cbor_not_minimal"],
        |target, scene| {
            let fields = [("hour", Item::Int(4).wide(8))];
            Ok(
                scene
                    .carrying(&operation::update(&target.schema_id, &[scene.tip], fields).encode()),
            )
        },
    )
    .or_taken("R2"),
    entry(
        "refuse-field-twice",
        "a field given twice",
        &["fields_duplicate"],
        |target, scene| {
            let fields = [("hour", Item::Int(4)), ("hour", Item::Int(5))];
            Ok(
                scene
                    .carrying(&operation::update(&target.schema_id, &[scene.tip], fields).encode()),
            )
        },
    ),
    entry(
        "refuse-fields-unsorted",
        "fields out of order",
        &["fields_unsorted"],
        |target, scene| {
            let fields = [("title", Item::text("x")), ("hour", Item::Int(5))];
            Ok(
                scene
                    .carrying(&operation::update(&target.schema_id, &[scene.tip], fields).encode()),
            )
        },
    ),
    entry(
        "refuse-previous-unsorted",
        "previous operations out of order",
        &["view_id_unsorted"],
        |target, scene| {
            let mut previous = [scene.document.id, scene.tip];
            previous.sort_unstable_by(|a, b| b.cmp(a));
            Ok(scene.carrying(&target.update_operation(&previous, 4)))
        },
    ),
    entry(
        "refuse-empty-operation",
        "an operation of no bytes",
        &["cbor_truncated", "payload_missing"],
        |_, scene| Ok(scene.carrying(&[])),
    ),
    entry(
        "refuse-unknown-schema",
        "a schema nobody has published",
        &["schema_not_found"],
        |_, scene| {
            let schema_id = format!("nowhere_{}", Hash::repeating(9).hex());
            Ok(scene.opening(&operation::create(&schema_id, [("hour", Item::Int(1))]).encode()))
        },
    )
    .ruled("R29"),
    entry(
        "refuse-field-missing",
        "a CREATE that leaves a field out",
        &["field_missing"],
        |target, scene| {
            let mut fields = target.fields(1, "refused");
            fields.pop();
            Ok(scene.opening(&operation::create(&target.schema_id, fields).encode()))
        },
    ),
    entry(
        "refuse-field-unexpected",
        "a field the schema does not have",
        &["field_unexpected"],
        |target, scene| {
            let fields = [("zoo", Item::Int(1))];
            Ok(
                scene
                    .carrying(&operation::update(&target.schema_id, &[scene.tip], fields).encode()),
            )
        },
    ),
    entry(
        "refuse-field-type",
        "a text where a number is wanted",
        &["field_type_mismatch"],
        |target, scene| Ok(scene.opening(&create_with(target, "hour", Item::text("eight")))),
    ),
    entry(
        "refuse-whole-number-for-float",
        "a whole number where a float is wanted",
        &["field_type_mismatch"],
        |target, scene| Ok(scene.opening(&create_with(target, "rating", Item::Int(4)))),
    ),
    entry(
        "refuse-schema-name",
        "a schema definition with a bad name",
        &["schema_name"],
        |_, scene| {
            let fields = [
                ("description", Item::text("")),
                ("fields", Item::Array(vec![])),
                ("name", Item::text("1_")),
            ];
            Ok(scene.opening(&operation::create("schema_definition_v1", fields).encode()))
        },
    ),
    entry(
        "refuse-field-definition",
        "a field definition with junk around its type",
        &["field_type"],
        |_, scene| {
            let fields = [
                ("name", Item::text("about")),
                ("type", Item::text("xx relation(blob_v1)")),
            ];
            Ok(scene.opening(&operation::create("schema_field_definition_v1", fields).encode()))
        },
    )
    .or_taken("R16"),
    entry(
        "refuse-piece-too-large",
        "a blob piece of 256001 bytes",
        &["blob_piece_size", "payload_too_large", "request_too_large"],
        |_, scene| {
            let fields = [("data", Item::bytes(vec![7; 256_001]))];
            Ok(scene.opening(&operation::create("blob_piece_v1", fields).encode()))
        },
    ),
    entry(
        "refuse-unknown-previous",
        "an UPDATE on an operation nobody has",
        &["previous_not_found"],
        |target, scene| Ok(scene.carrying(&target.update_operation(&[Hash::repeating(9)], 4))),
    ),
    entry(
        "refuse-mixed-previous",
        "an UPDATE on operations of two documents",
        &["previous_mixed"],
        |target, scene| {
            let mut other = target.author("other document");
            let second = target.create(&mut other, 1, "second", target.door())?;
            let mut previous = [scene.tip, second.id];
            previous.sort_unstable();
            Ok(scene.carrying(&target.update_operation(&previous, 4)))
        },
    ),
    entry(
        "refuse-second-create-in-log",
        "a second CREATE in the log of a document",
        &["log_id_in_use", "log_id_mismatch"],
        |target, scene| Ok(scene.carrying(&target.create_operation(1, "second"))),
    ),
    entry(
        "refuse-other-log-for-document",
        "an UPDATE in another log than the document's",
        &["log_id_mismatch"],
        |target, scene| Ok(scene.opening(&target.update_operation(&[scene.tip], 4))),
    ),
    shutting(
        "refuse-update-after-delete",
        "an UPDATE of a deleted document",
        &["document_deleted"],
        |target, scene| {
            let operation = target.delete_operation(&[scene.tip]);
            let deleted = target.publish(
                &mut scene.author,
                scene.document.log,
                operation,
                target.door(),
            )?;
            Ok(scene.carrying(&target.update_operation(&[deleted], 4)))
        },
    )
    .ruled("R6"),
    shutting(
        "refuse-delete-twice",
        "a second DELETE of a document",
        &["document_deleted"],
        |target, scene| {
            let operation = target.delete_operation(&[scene.tip]);
            let deleted = target.publish(
                &mut scene.author,
                scene.document.log,
                operation,
                target.door(),
            )?;
            Ok(scene.carrying(&target.delete_operation(&[deleted])))
        },
    ),
    shutting(
        "refuse-after-end-of-log",
        "an entry after the one that ended its log",
        &["log_ended"],
        |target, scene| {
            let operation = scene.operation(target);
            let draft = Draft {
                tag: 1,
                ..scene.author.draft(scene.document.log, &operation)
            };
            let last = draft.sign(scene.author.key());
            let answer = api::publish(&target.client, target.door(), &last, &operation)?;
            // Some nodes have nothing to tell about what follows, and say so.
            if let Answer::Refused { code, .. } = &answer
                && code.as_deref() != Some("log_ended")
            {
                answer.expect("an end-of-log entry")?;
            }
            let tip = scene.author.keep(scene.document.log, last, operation);
            Ok(scene.carrying(&target.update_operation(&[tip], 5)))
        },
    )
    .or_taken("R8"),
    entry(
        "refuse-fork",
        "a different entry for a place that is taken",
        &["would_fork", "seq_num_mismatch"],
        |target, scene| {
            let log = scene.author.log(scene.document.log);
            let mut shorter = log.clone();
            shorter.entries.truncate(2);
            shorter.payloads.truncate(2);
            let operation = target.update_operation(&[Hash::of(&log.entries[1])], 77);
            let draft = shorter.draft(&operation);
            Ok(Forged::new(&draft.sign(scene.author.key()), &operation))
        },
    )
    .ruled("R24"),
];
