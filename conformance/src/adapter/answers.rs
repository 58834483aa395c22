//! One function per kind: question in, library called, result or refusal out.
//!
//! Shapes of inputs and results are those of `vectors/FORMAT.md`.

use grove_core::Reason;
use grove_core::author::{NextArgs, sign_entry};
use grove_core::document::{Document, Graph};
use grove_core::types::{
    DocumentViewId, FieldName, FieldType, Hash, KeyPair, LogId, OperationId, PlainValue, PublicKey,
    Schema, SchemaId, SeqNum, Value as TypedValue,
};
use grove_core::validate::{LogTip, SignedEntry, check_position, validate_operation};
use grove_core::wire::{Action, Fields, Operation, varint};
use serde_json::{Map, Value, json};

use super::{Answer, Failed, publishing};
use crate::forge::{hex, unhex};

type Question = fn(&Value, &Value) -> Answer;

/// Every kind with its function of context and input.
pub const KINDS: &[(&str, Question)] = &[
    ("varu64.decode", varu64_decode),
    ("varu64.encode", varu64_encode),
    ("lipmaa", lipmaa_link),
    ("key.public", key_public),
    ("hash.of", hash_of),
    ("hash.parse", hash_parse),
    ("view.parse", view_parse),
    ("view.hash", view_hash),
    ("schema.parse", schema_parse),
    ("entry.decode", entry_decode),
    ("entry.encode", entry_encode),
    ("log.append", log_append),
    ("operation.decode", operation_decode),
    ("operation.encode", operation_encode),
    ("operation.validate", operation_validate),
    ("document.reduce", document_reduce),
    ("next_args", publishing::next_args),
    ("publish", publishing::publish),
];

fn varu64_decode(_: &Value, input: &Value) -> Answer {
    let bytes = bytes(input)?;
    let (value, rest) = varint::decode(&bytes)?;
    if !rest.is_empty() {
        return refuse(Reason::VarintTrailingBytes);
    }
    Ok(json!({"value": value.to_string()}))
}

fn varu64_encode(_: &Value, input: &Value) -> Answer {
    let value: LogId = text(input)?.parse()?;
    let mut out = Vec::new();
    varint::encode(value.as_u64(), &mut out);
    Ok(json!({"bytes": hex(out)}))
}

fn lipmaa_link(_: &Value, input: &Value) -> Answer {
    let seq_num = seq_num(input)?;
    Ok(json!({
        "lipmaa": seq_num.lipmaa().map_or(0, SeqNum::as_u64).to_string(),
        "encoded": seq_num.skiplink().is_some(),
    }))
}

fn key_public(_: &Value, input: &Value) -> Answer {
    let key: PublicKey = text(input)?.parse()?;
    Ok(json!({"public_key": key.to_string()}))
}

fn hash_of(_: &Value, input: &Value) -> Answer {
    Ok(json!({"hash": Hash::of(&bytes(input)?).to_string()}))
}

fn hash_parse(_: &Value, input: &Value) -> Answer {
    let hash: Hash = text(input)?.parse()?;
    Ok(json!({"hash": hash.to_string()}))
}

fn view_parse(_: &Value, input: &Value) -> Answer {
    let view: DocumentViewId = text(input)?.parse()?;
    Ok(json!({"ids": ids(&view)}))
}

fn view_hash(_: &Value, input: &Value) -> Answer {
    let view: DocumentViewId = text(input)?.parse()?;
    Ok(json!({"hash": view.hash().to_string()}))
}

fn schema_parse(_: &Value, input: &Value) -> Answer {
    let id: SchemaId = text(input)?.parse()?;
    Ok(match &id {
        SchemaId::System(_) => json!({"name": id.name(), "version": 1, "hash_id": id.hash_id()}),
        SchemaId::Application { view_id, .. } => {
            json!({"name": id.name(), "view_id": ids(view_id), "hash_id": id.hash_id()})
        }
    })
}

fn entry_decode(_: &Value, input: &Value) -> Answer {
    let signed = SignedEntry::verify(&bytes(input)?)?;
    let entry = signed.entry();
    Ok(json!({
        "end_of_log": entry.end_of_log,
        "public_key": entry.public_key.to_string(),
        "log_id": entry.log_id.to_string(),
        "seq_num": entry.seq_num.to_string(),
        "skiplink": entry.skiplink.map(|link| link.to_string()),
        "backlink": entry.backlink.map(|link| link.to_string()),
        "payload_size": entry.payload_size.to_string(),
        "payload_hash": entry.payload_hash.to_string(),
        "signature": hex(entry.signature.to_bytes()),
        "hash": signed.hash().to_string(),
    }))
}

fn entry_encode(_: &Value, input: &Value) -> Answer {
    let seed = bytes(&input["private_key"])?;
    let seed = seed
        .as_slice()
        .try_into()
        .map_err(|_| Failed::Refused(Reason::KeyLength, Reason::KeyLength.to_string()))?;
    let key_pair = KeyPair::from_seed(seed);
    let args = NextArgs {
        log_id: text(&input["log_id"])?.parse()?,
        seq_num: seq_num(&input["seq_num"])?,
        backlink: link(&input["backlink"])?,
        skiplink: link(&input["skiplink"])?,
    };
    let payload = bytes(&input["operation"])?;
    let Some(signed) = sign_entry(&key_pair, &args, &payload) else {
        // The library only says that the links do not fit; which one is told by the number.
        let backlink_fits = args.backlink.is_some() == args.seq_num.backlink().is_some();
        return refuse(if backlink_fits {
            Reason::SkiplinkMismatch
        } else {
            Reason::BacklinkMismatch
        });
    };
    // What the library signs, it must also take.
    let signed = SignedEntry::verify(signed.bytes())?;
    Ok(json!({"entry": hex(signed.bytes()), "hash": signed.hash().to_string()}))
}

fn log_append(context: &Value, input: &Value) -> Answer {
    let submission =
        SignedEntry::verify(&bytes(&input["entry"])?)?.attach(bytes(&input["operation"])?)?;
    let signed = submission.entry();
    let entry = signed.entry();
    let mut log = Vec::new();
    for stored in context["log"]
        .as_array()
        .ok_or(Failed::Question("no log"))?
    {
        let stored = SignedEntry::verify(&bytes(stored)?)?;
        let decoded = stored.entry();
        if (decoded.public_key, decoded.log_id) == (entry.public_key, entry.log_id) {
            log.push(stored);
        }
    }
    let tip = log.last().map(|last| LogTip {
        seq_num: last.entry().seq_num,
        hash: last.hash(),
        ended: last.entry().end_of_log,
    });
    let hash_at = |target: SeqNum| {
        log.iter()
            .find(|stored| stored.entry().seq_num == target)
            .map(SignedEntry::hash)
    };
    // The library leaves taken positions to whoever has the entries; here that is us.
    match hash_at(entry.seq_num) {
        //= R24: another entry for a taken position is a fork
        Some(stored) if stored != signed.hash() => return refuse(Reason::LogForked),
        //= R23: the same entry once more is answered as the first time
        Some(_) => {}
        None => {
            let lipmaa = entry.seq_num.skiplink().and_then(hash_at);
            check_position(entry, tip.as_ref(), lipmaa)?;
        }
    }
    let next = NextArgs::after(entry.log_id, entry.seq_num, signed.hash(), hash_at);
    let Some(next) = next else {
        return refuse(match entry.seq_num.next() {
            None => Reason::SeqNumMax,
            Some(_) => Reason::SkiplinkNotFound,
        });
    };
    Ok(next_args_out(&next))
}

/// The arguments of an author's next entry.
pub(super) fn next_args_out(next: &NextArgs) -> Value {
    json!({
        "log_id": next.log_id.to_string(),
        "seq_num": next.seq_num.to_string(),
        "backlink": next.backlink.map(|link| link.to_string()),
        "skiplink": next.skiplink.map(|link| link.to_string()),
    })
}

fn operation_decode(_: &Value, input: &Value) -> Answer {
    Ok(operation_out(
        &Operation::decode(&bytes(input)?)?,
        plain_out,
    ))
}

fn operation_validate(context: &Value, input: &Value) -> Answer {
    let operation = Operation::decode(&bytes(input)?)?;
    Ok(operation_out(
        &validate_operation(&operation, &schema(context)?)?,
        typed_out,
    ))
}

fn operation_encode(_: &Value, input: &Value) -> Answer {
    let schema_id: SchemaId = text(&input["schema_id"])?.parse()?;
    let previous = previous_in(&input["previous"])?;
    let fields = fields_in(&input["fields"])?;
    let operation = match (text(&input["action"])?, previous, fields) {
        ("create", None, Some(fields)) => Operation::Create { schema_id, fields },
        ("update", Some(previous), Some(fields)) => Operation::Update {
            schema_id,
            previous,
            fields,
        },
        ("delete", Some(previous), None) => Operation::Delete {
            schema_id,
            previous,
        },
        ("create" | "update" | "delete", ..) => return refuse(Reason::OperationItemCount),
        _ => return refuse(Reason::OperationAction),
    };
    Ok(json!({"operation": hex(operation.encode())}))
}

fn document_reduce(context: &Value, input: &Value) -> Answer {
    let schema = schema(context)?;
    let given = input["operations"]
        .as_array()
        .ok_or(Failed::Question("no operations"))?;
    let mut operations = Vec::with_capacity(given.len());
    let mut foreign = None;
    for one in given {
        let id: OperationId = text(&one["id"])?.parse()?;
        let operation = Operation::decode(&bytes(&one["operation"])?)?;
        // The graph judges first whether the operations agree with each other.
        let typed = if operation.schema_id() == schema.id() {
            validate_operation(&operation, &schema)?
        } else {
            retyped(foreign.insert(operation))
        };
        operations.push((id, typed));
    }
    let graph = Graph::build(operations.iter().map(|(id, operation)| (*id, operation)))?;
    if let Some(foreign) = foreign {
        validate_operation(&foreign, &schema)?;
    }
    let mut order = Vec::new();
    for (id, operation) in graph.walk()? {
        order.push(id.to_string());
        if operation.action() == Action::Delete {
            break;
        }
    }
    let document = Document::from_graph(&graph)?;
    let field = |field: &grove_core::document::Field<TypedValue>| json!({"value": typed_out(&field.value), "set_by": field.operation_id.to_string()});
    let fields = document.fields.as_ref().map(|fields| {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), field(value)))
            .collect::<Map<_, _>>()
    });
    Ok(json!({
        "view_id": document.view_id.to_string(),
        "deleted": document.is_deleted(),
        "order": order,
        "fields": fields,
    }))
}

/// An operation of another schema, without its values, which nobody will look at.
fn retyped(operation: &Operation) -> Operation<TypedValue> {
    let schema_id = operation.schema_id().clone();
    match operation.previous() {
        None => Operation::Create {
            schema_id,
            fields: Fields::new(),
        },
        Some(previous) => Operation::Update {
            schema_id,
            previous: previous.clone(),
            fields: Fields::new(),
        },
    }
}

fn refuse(reason: Reason) -> Answer {
    Err(Failed::Refused(reason, reason.description().to_owned()))
}

pub(super) fn text(value: &Value) -> Result<&str, Failed> {
    value.as_str().ok_or(Failed::Question("a text is missing"))
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Failed> {
    let invalid = || Failed::Refused(Reason::InvalidHex, Reason::InvalidHex.to_string());
    unhex(text(value)?).ok_or_else(invalid)
}

fn seq_num(value: &Value) -> Result<SeqNum, Failed> {
    let number: LogId = text(value)?.parse()?;
    let zero = || Failed::Refused(Reason::SeqNumZero, Reason::SeqNumZero.to_string());
    SeqNum::new(number.as_u64()).ok_or_else(zero)
}

fn link(value: &Value) -> Result<Option<Hash>, Failed> {
    match value {
        Value::Null => Ok(None),
        value => Ok(Some(text(value)?.parse()?)),
    }
}

fn schema(context: &Value) -> Result<Schema, Failed> {
    schema_in(&context["schema"])
}

/// A schema from its id and field types.
pub(super) fn schema_in(given: &Value) -> Result<Schema, Failed> {
    let id: SchemaId = text(&given["id"])?.parse()?;
    if let SchemaId::System(system) = id {
        return Ok(Schema::system(system));
    }
    let given = given["fields"]
        .as_object()
        .ok_or(Failed::Question("no fields"))?;
    let mut fields = Vec::new();
    for (name, field_type) in given {
        let name: FieldName = name.parse()?;
        let field_type: FieldType = text(field_type)?.parse()?;
        fields.push((name, field_type));
    }
    Ok(Schema::new(id, String::new(), fields)?)
}

fn previous_in(value: &Value) -> Result<Option<DocumentViewId>, Failed> {
    let Some(items) = value.as_array() else {
        return Ok(None);
    };
    let mut ids: Vec<OperationId> = Vec::new();
    for item in items {
        ids.push(text(item)?.parse()?);
    }
    // Producers sort; an empty set is nothing a view can be made from.
    match DocumentViewId::from_tips(ids) {
        Some(view) => Ok(Some(view)),
        None => Err(Failed::Refused(
            Reason::ViewIdEmpty,
            Reason::ViewIdEmpty.to_string(),
        )),
    }
}

fn fields_in(value: &Value) -> Result<Option<Fields<PlainValue>>, Failed> {
    let Some(members) = value.as_object() else {
        return Ok(None);
    };
    let mut fields = Fields::new();
    for (name, value) in members {
        fields.insert(name.clone(), plain_in(value)?);
    }
    Ok(Some(fields))
}

fn plain_in(value: &Value) -> Result<PlainValue, Failed> {
    let unknown = Failed::Question("a value of no known form");
    let (form, value) = value
        .as_object()
        .and_then(|members| members.iter().next())
        .ok_or(unknown)?;
    let hashes = |items: &Value| -> Result<Vec<Hash>, Failed> {
        let items = items
            .as_array()
            .ok_or(Failed::Question("a list is missing"))?;
        items.iter().map(|item| Ok(text(item)?.parse()?)).collect()
    };
    Ok(match form.as_str() {
        "bool" => PlainValue::Bool(value.as_bool().ok_or(Failed::Question("no boolean"))?),
        "int" => {
            let range = |_| {
                Failed::Refused(
                    Reason::IntegerOutOfRange,
                    Reason::IntegerOutOfRange.to_string(),
                )
            };
            PlainValue::Int(text(value)?.parse().map_err(range)?)
        }
        "float" => {
            let bits = u64::from_str_radix(text(value)?, 16);
            PlainValue::Float(f64::from_bits(
                bits.map_err(|_| Failed::Question("no float"))?,
            ))
        }
        "str" => PlainValue::Str(text(value)?.to_owned()),
        "bytes" => PlainValue::Bytes(bytes(value)?),
        "ids" => PlainValue::Ids(hashes(value)?),
        "id_lists" => {
            let lists = value
                .as_array()
                .ok_or(Failed::Question("a list is missing"))?;
            let view = |ids: &Value| {
                let ids = hashes(ids)?.into_iter().map(OperationId::from).collect();
                Ok(DocumentViewId::from_sorted(ids)?)
            };
            PlainValue::ViewIds(lists.iter().map(view).collect::<Result<_, Failed>>()?)
        }
        _ => return Err(Failed::Question("a value of no known form")),
    })
}

fn operation_out<V>(operation: &Operation<V>, value: fn(&V) -> Value) -> Value {
    let action = match operation.action() {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    };
    let fields = operation.fields().map(|fields| {
        fields
            .iter()
            .map(|(name, field)| (name.clone(), value(field)))
            .collect::<Map<_, _>>()
    });
    json!({
        "action": action,
        "schema_id": operation.schema_id().to_string(),
        "previous": operation.previous().map(ids),
        "fields": fields,
    })
}

fn plain_out(value: &PlainValue) -> Value {
    match value {
        PlainValue::Bool(bool) => json!({"bool": bool}),
        PlainValue::Int(int) => json!({"int": int.to_string()}),
        PlainValue::Float(float) => float_out(*float),
        PlainValue::Str(text) => json!({"str": text}),
        PlainValue::Bytes(bytes) => json!({"bytes": hex(bytes)}),
        PlainValue::Ids(ids) => json!({"ids": ids.iter().map(Hash::to_string).collect::<Vec<_>>()}),
        PlainValue::ViewIds(views) => {
            json!({"id_lists": views.iter().map(ids).collect::<Vec<_>>()})
        }
    }
}

fn typed_out(value: &TypedValue) -> Value {
    match value {
        TypedValue::Relation(id) => json!({"relation": id.to_string()}),
        TypedValue::RelationList(ids) => {
            json!({"relation_list": ids.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        TypedValue::PinnedRelation(view) => json!({"pinned_relation": ids(view)}),
        TypedValue::PinnedRelationList(views) => {
            json!({"pinned_relation_list": views.iter().map(ids).collect::<Vec<_>>()})
        }
        scalar => plain_out(&scalar.clone().into()),
    }
}

fn float_out(float: f64) -> Value {
    let bits = if float.is_nan() {
        f64::NAN.to_bits()
    } else {
        float.to_bits()
    };
    json!({"float": format!("{bits:016x}")})
}

fn ids(view: &DocumentViewId) -> Vec<String> {
    view.ids().iter().map(ToString::to_string).collect()
}
