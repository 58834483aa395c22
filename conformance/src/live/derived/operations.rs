//! Operations that are decoded or held against a schema, published in an honest entry.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Wrong;
use super::super::api;
use super::super::author::Author;
use super::super::case::Case;
use super::super::doors::Door;
use super::super::judge::{Legal, judge, same_args};
use super::super::under_test::{NodeUnderTest, set_up};
use super::of_vector;
use super::rewrite::{Rewrite, ids_in};
use crate::forge::{Hash, Item, operation, unhex};
use crate::suite::{self, File, Hazard, Suite, Verdict};

/// Most operations that one may build on, and most pieces of a blob.
const IDS_MAX: usize = 8;

/// Largest operation that is published.
const SIZE_MAX: usize = 300_000;

/// Id → name and type of each field, of every schema the vectors know.
pub(crate) type Schemas = BTreeMap<String, Vec<(String, String)>>;

/// The schemas of all files that hold operations against them.
pub(crate) fn schemas(suite: &Suite) -> Schemas {
    let files = suite
        .files
        .values()
        .filter(|file| file.kind == "operation.validate");
    files
        .flat_map(|file| file.context.schemas.values())
        .filter_map(|schema| Some((schema["id"].as_str()?.to_owned(), fields_of(schema))))
        .collect()
}

/// Name and type of each field of a schema in a context.
pub(crate) fn fields_of(schema: &Value) -> Vec<(String, String)> {
    let fields = schema["fields"].as_object().into_iter().flatten();
    fields
        .map(|(name, field_type)| {
            (
                name.clone(),
                field_type.as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// A vector with what is needed to publish it.
struct Vector<'s> {
    case: &'s suite::Case,
    input: Vec<u8>,
    /// What the input, or the valid one it is near to, builds on.
    previous: Vec<Hash>,
    schema_id: String,
    fields: Vec<(String, String)>,
}

impl Vector<'_> {
    /// Where the fields begin: at the name of the first one.
    fn fields_at(&self) -> usize {
        let find = |name: &String| {
            let mut windows = self.input.windows(name.len());
            windows.position(|window| window == name.as_bytes())
        };
        let names = self.fields.iter().map(|(name, _)| name);
        names.filter_map(find).min().unwrap_or(self.input.len())
    }

    /// Deployed nodes lose a worker to an UPDATE without fields, to a blob without pieces, and to an UPDATE of
    /// a blob that nothing refers to.
    fn hazard(&self) -> Hazard {
        let is_update = !self.previous.is_empty();
        let without_fields = is_update && self.fields_at() == self.input.len();
        let is_blob = self.schema_id == "blob_v1";
        let without_pieces = is_blob && ids_in(&self.input[self.fields_at()..]).is_empty();
        let harms = without_fields || without_pieces || is_blob && is_update;
        if harms && self.case.verdict.wire != Verdict::Invalid {
            Hazard::State
        } else {
            Hazard::None
        }
    }
}

/// The case of a vector, where it can be published.
pub(crate) fn case<'s>(
    file: &'s File,
    case: &'s suite::Case,
    schemas: &Schemas,
) -> Option<Case<'s>> {
    let input = unhex(case.input.as_str()?)?;
    let near = case.near.as_ref().map(|near| near.case.as_str());
    let valid = match near {
        Some(id) => file.cases.iter().find(|case| case.id == id)?,
        None => case,
    };
    let read = valid.expected.as_ref()?;
    let previous = read["previous"].as_array().into_iter().flatten();
    let hash = |id: &Value| unhex(id.as_str()?)?.try_into().ok().map(Hash);
    let mut previous: Vec<_> = previous.filter_map(hash).collect();
    previous.sort_unstable();
    previous.dedup();
    let named = case
        .context
        .get("schema")
        .and_then(|name| file.context.schemas.get(name));
    let named = named.and_then(|schema| schema["id"].as_str());
    let schema_id = named.or(read["schema_id"].as_str())?.to_owned();
    let fields = schemas.get(&schema_id)?.clone();
    // What is decoded well, and refused by the schema alone, is no question of decoding.
    if file.kind == "operation.decode" && !fits(read, &fields) {
        return None;
    }
    let ids = ids_in(&input).len();
    if input.len() > SIZE_MAX || previous.len() > IDS_MAX || ids > IDS_MAX {
        return None;
    }
    let vector = Vector {
        case,
        input,
        previous,
        schema_id,
        fields,
    };
    let hazard = vector.hazard();
    let run = move |target: &mut NodeUnderTest| run(target, &vector);
    Some(of_vector(case, Box::new(run), hazard))
}

/// Whether the values that were read are of the types of the schema's fields.
fn fits(read: &Value, fields: &[(String, String)]) -> bool {
    let given = read["fields"].as_object();
    let is_create = read["action"] == "create";
    let type_of = |name: &str| {
        fields
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, of)| of.as_str())
    };
    let all_known = given.into_iter().flatten().all(|(name, value)| {
        let tag = value.as_object().and_then(|value| value.keys().next());
        let is = |tag: &str, of: &str| match tag {
            "int" | "float" | "str" | "bool" | "bytes" => tag == of,
            "ids" => of.starts_with("relation_list("),
            "id_lists" => of.starts_with("pinned_relation_list("),
            _ => false,
        };
        matches!((tag, type_of(name)), (Some(tag), Some(of)) if is(tag, of))
    });
    let count = given.map_or(0, serde_json::Map::len);
    all_known && (!is_create || count == fields.len())
}

fn run(target: &NodeUnderTest, vector: &Vector<'_>) -> Result<(), Wrong> {
    let legal = Legal::of(vector.case, target.ruleset);
    let mut causes: Vec<&str> = vector.case.causes().map(|cause| &*cause.reason).collect();
    // A node is told of no schema beside the operation, so it can only say that it knows none of this id.
    if causes.contains(&"schema_mismatch") {
        causes.push("schema_not_found");
    }
    let mut weakness = None;
    for door in target.doors.publishing() {
        let mut scene = set_up(Scene::set_up(target, vector, door))?;
        let payload = scene.payload.clone();
        let entry = scene
            .author
            .draft(scene.log, &payload)
            .sign(scene.author.key());
        target.control("before")?;
        let answer = api::publish(&target.client, door, &entry, &payload)?;
        let taken = matches!(answer, api::Answer::Result(_));
        if taken {
            scene.author.keep(scene.log, entry, payload);
            same_args(door, &answer, &scene.author.next_args(scene.log))?;
        }
        match judge(target, door, answer, legal, &causes) {
            Err(Wrong::Weakly(what)) => weakness = Some(what),
            other => other?,
        }
        target.control("after")?;
        if let Some(view) = scene.view.filter(|_| !taken) {
            let key = scene.author.public_key();
            let answer = api::next_args(&target.client, door, &key, Some(&view.hex()))?;
            let answer = answer.expect("nextArgs after the refusal")?;
            same_args(
                door,
                &api::Answer::Result(answer),
                &scene.author.next_args(scene.log),
            )?;
        }
    }
    weakness.map_or(Ok(()), |weakness| Err(Wrong::Weakly(weakness)))
}

/// An author about to publish the operation.
struct Scene {
    author: Author,
    log: usize,
    /// The CREATE of the document that is built on.
    view: Option<Hash>,
    /// The operation with ids that this node has.
    payload: Vec<u8>,
}

impl Scene {
    fn set_up(target: &NodeUnderTest, vector: &Vector<'_>, door: Door) -> Result<Self, Wrong> {
        let mut rewrite = Rewrite::default();
        let schema_id = published_schema(target, &vector.schema_id, &vector.fields, &mut rewrite)?;
        let mut author = target.author(&format!("{door:?}"));
        let log = author.open_log();
        // What is built on stands before the fields; the same id may mean something else in one of them.
        let (head, fields) = vector.input.split_at(vector.fields_at());
        let mut view = None;
        let mut of_head = rewrite.clone();
        if !vector.previous.is_empty() {
            let create = base(target, &schema_id, &vector.fields, door)?;
            let root = target.publish(&mut author, log, create.encode(), door)?;
            view = Some(root);
            let mut tips = vec![root];
            if vector.previous.len() > 1 {
                let beside = |number| beside(target, vector, &schema_id, root, number, door);
                tips = (0..vector.previous.len())
                    .map(beside)
                    .collect::<Result<_, _>>()?;
            }
            tips.sort_unstable();
            for (old, new) in vector.previous.iter().zip(tips) {
                of_head.hash(*old, new);
            }
        }
        if vector.schema_id == "blob_v1" {
            let mut ids = ids_in(fields);
            ids.sort_unstable();
            ids.dedup();
            let piece = |number| piece(target, number, door);
            let mut pieces = (0..ids.len()).map(piece).collect::<Result<Vec<_>, _>>()?;
            pieces.sort_unstable();
            for (old, new) in ids.iter().zip(pieces) {
                rewrite.hash(*old, new);
            }
        }
        let payload = [of_head.apply(head), rewrite.apply(fields)].concat();
        Ok(Self {
            author,
            log,
            view,
            payload,
        })
    }
}

/// A piece of five bytes by somebody new.
fn piece(target: &NodeUnderTest, number: usize, door: Door) -> Result<Hash, Wrong> {
    let fields = [("data", Item::bytes([number as u8; 5]))];
    let operation = operation::create("blob_piece_v1", fields).encode();
    let mut other = target.author(&format!("{door:?} piece {number}"));
    let log = other.open_log();
    target.publish(&mut other, log, operation, door)
}

/// An UPDATE of the CREATE by somebody else, one of several beside each other.
fn beside(
    target: &NodeUnderTest,
    vector: &Vector<'_>,
    schema_id: &str,
    root: Hash,
    number: usize,
    door: Door,
) -> Result<Hash, Wrong> {
    let mut other = target.author(&format!("{door:?} beside {number}"));
    let log = other.open_log();
    let field = vector
        .fields
        .first()
        .map(|(name, of)| (name.as_str(), value_of(schema_id, name, of)));
    let operation = operation::update(schema_id, &[root], field).encode();
    target.publish(&mut other, log, operation, door)
}

/// The id that stands for a schema of the vectors, once it is published; system schemas stand for themselves.
pub(crate) fn published_schema(
    target: &NodeUnderTest,
    schema_id: &str,
    fields: &[(String, String)],
    rewrite: &mut Rewrite,
) -> Result<String, Wrong> {
    let Some((name, _)) = schema_id.split_once("_0020") else {
        return Ok(schema_id.to_owned());
    };
    // What the relations point at is of no matter here, as long as it is known.
    let known = |of: &str| match of.split_once('(') {
        Some((kind, to)) if to.contains("_0020") => format!("{kind}(schema_definition_v1)"),
        _ => of.to_owned(),
    };
    let types: Vec<_> = fields
        .iter()
        .map(|(name, of)| (name.as_str(), known(of)))
        .collect();
    let types: Vec<_> = types
        .iter()
        .map(|(name, of)| (*name, of.as_str()))
        .collect();
    let published = target.schema(name, &types)?;
    rewrite.bytes(schema_id.as_bytes(), published.as_bytes());
    Ok(published)
}

/// A CREATE that any node takes.
fn base(
    target: &NodeUnderTest,
    schema_id: &str,
    fields: &[(String, String)],
    door: Door,
) -> Result<Item, Wrong> {
    if schema_id == "blob_v1" {
        let piece = piece(target, 99, door)?;
        let fields = [
            ("length", Item::Int(5)),
            ("mime_type", Item::text("text/plain")),
            ("pieces", Item::Array(vec![Item::ids(&[piece])])),
        ];
        return Ok(operation::create(schema_id, fields));
    }
    let fields = fields
        .iter()
        .map(|(name, of)| (name.as_str(), value_of(schema_id, name, of)));
    Ok(operation::create(schema_id, fields))
}

fn value_of(schema_id: &str, name: &str, field_type: &str) -> Item {
    let somewhere = Hash::of("somewhere");
    match (schema_id, name) {
        ("schema_definition_v1", "fields") => return Item::Array(vec![Item::ids(&[somewhere])]),
        (_, "type") => return Item::text("str"),
        (_, "mime_type") => return Item::text("text/plain"),
        _ => {}
    }
    match field_type {
        "bool" => Item::Bool(true),
        "int" => Item::Int(1),
        "float" => Item::Float(1.5),
        "str" => Item::text("base"),
        "bytes" => Item::bytes([1]),
        of if of.starts_with("relation(") => Item::id(somewhere),
        of if of.starts_with("pinned_relation(") => Item::ids(&[somewhere]),
        _ => Item::Array(Vec::new()),
    }
}
