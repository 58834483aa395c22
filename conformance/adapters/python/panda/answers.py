"""From the questions of the vectors to this package and back: one function per kind, from input to output."""

import struct

from . import blob, definition, document, entry, message, operation, proofs, schema, varu64
from .ed25519 import check_public_key
from .ids import hash_of, parse_hash, parse_view_id, view_hash, view_text
from .lipmaa import has_skiplink, lipmaa, path_from_block_end, path_to_first
from .operation import Operation
from .refusal import Refused
from .schema_id import parse_schema_id
from .text import parse_i64, parse_u64, unhex


def _public_key(text: str, _context) -> dict:
    key = unhex(text)
    check_public_key(key)
    return {"public_key": key.hex()}


def _lipmaa(text: str, _context) -> dict:
    seq_num = parse_u64(text)
    return {"lipmaa": str(lipmaa(seq_num)), "encoded": has_skiplink(seq_num)}


def _schema_id(text: str, _context) -> dict:
    parsed = parse_schema_id(text)
    answer = {"name": parsed.name, "hash_id": parsed.hash_id()}
    if parsed.version is not None:
        return answer | {"version": parsed.version}
    return answer | {"view_id": [part.hex() for part in parsed.view_id]}


def _hex_or_none(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def _entry_decode(text: str, _context) -> dict:
    decoded = entry.decode(unhex(text))
    return {
        "end_of_log": decoded.end_of_log,
        "public_key": decoded.public_key.hex(),
        "log_id": str(decoded.log_id),
        "seq_num": str(decoded.seq_num),
        "skiplink": _hex_or_none(decoded.skiplink),
        "backlink": _hex_or_none(decoded.backlink),
        "payload_size": str(decoded.payload_size),
        "payload_hash": decoded.payload_hash.hex(),
        "signature": decoded.signature.hex(),
        "hash": decoded.hash.hex(),
    }


def _entry_encode(fields: dict, _context) -> dict:
    links = [link and parse_hash(link) for link in (fields["skiplink"], fields["backlink"])]
    data = entry.encode(
        unhex(fields["private_key"]),
        parse_u64(fields["log_id"]),
        parse_u64(fields["seq_num"]),
        *links,
        unhex(fields["operation"]),
    )
    return {"entry": data.hex(), "hash": hash_of(data).hex()}


def _log_append(question: dict, context: dict) -> dict:
    known = [entry.decode(unhex(text)) for text in context["log"]]
    new = entry.decode(unhex(question["entry"]))
    following = entry.append(known, new, unhex(question["operation"]))
    log_id, seq_num, backlink, skiplink = following
    return {
        "log_id": str(log_id),
        "seq_num": str(seq_num),
        "backlink": backlink.hex(),
        "skiplink": _hex_or_none(skiplink),
    }


def _value_to_json(value: tuple) -> dict:
    kind, content = value
    match kind:
        case "int":
            content = str(content)
        case "float":
            nan = content != content
            content = "7ff8000000000000" if nan else struct.pack(">d", content).hex()
        case "bytes" | "relation":
            content = content.hex()
        case "ids" | "relation_list" | "pinned_relation":
            content = [part.hex() for part in content]
        case "id_lists" | "pinned_relation_list":
            content = [[part.hex() for part in view_id] for view_id in content]
    return {kind: content}


def _value_from_json(value: dict) -> tuple:
    ((kind, content),) = value.items()
    match kind:
        case "int":
            content = parse_i64(content)
        case "float":
            (content,) = struct.unpack(">d", bytes.fromhex(content))
        case "bytes":
            content = unhex(content)
        case "ids":
            content = [parse_hash(part) for part in content]
        case "id_lists":
            content = [[parse_hash(part) for part in view_id] for view_id in content]
    return kind, content


def _operation_to_json(decoded: Operation) -> dict:
    previous, fields = decoded.previous, decoded.fields
    if previous is not None:
        previous = [part.hex() for part in previous]
    if fields is not None:
        fields = {name: _value_to_json(value) for name, value in fields.items()}
    return {
        "action": decoded.action,
        "schema_id": decoded.schema_id,
        "previous": previous,
        "fields": fields,
    }


def _operation_encode(given: dict, _context) -> dict:
    previous, fields = given["previous"], given["fields"]
    if previous is not None:
        previous = [parse_hash(part) for part in previous]
    if fields is not None:
        fields = {name: _value_from_json(value) for name, value in fields.items()}
    data = operation.encode(Operation(given["action"], given["schema_id"], previous, fields))
    return {"operation": data.hex()}


def _operation_validate(text: str, context: dict) -> dict:
    wanted = context["schema"]
    return _operation_to_json(schema.decode(unhex(text), wanted["id"], wanted["fields"]))


def _operations(question: dict, wanted: dict) -> list[tuple[bytes, Operation]]:
    return [
        (parse_hash(item["id"]), _of_document(unhex(item["operation"]), wanted))
        for item in question["operations"]
    ]


def _document_reduce(question: dict, context: dict) -> dict:
    wanted = context["schema"]
    return _document_to_json(document.reduce(_operations(question, wanted), wanted["id"]))


def _document_view(question: dict, context: dict) -> dict:
    wanted = context["schema"]
    view_id = parse_view_id(question["view_id"])
    given = _operations(question, wanted)
    return _document_to_json(document.at_view(given, wanted["id"], view_id))


def _document_to_json(result: document.Document) -> dict:
    fields = result.fields
    if fields is not None:
        fields = {
            name: {"value": _value_to_json(value), "set_by": key.hex()}
            for name, (value, key) in fields.items()
        }
    return {
        "view_id": view_text(result.view_id),
        "deleted": result.deleted,
        "order": [key.hex() for key in result.order],
        "fields": fields,
    }


def _of_document(data: bytes, wanted: dict) -> Operation:
    try:
        return schema.decode(data, wanted["id"], wanted["fields"])
    except Refused as refusal:
        # Another schema is the document's own matter, told with its own reason.
        if refusal.reason == "schema_mismatch":
            return operation.decode(data)
        raise


def _certificate(text: str, _context) -> dict:
    seq_num = parse_u64(text)
    to_first = _numbers(path_to_first(seq_num))
    from_block_end = path_from_block_end(seq_num)
    if from_block_end is not None:
        from_block_end = _numbers(from_block_end)
    return {"to_first": to_first, "from_block_end": from_block_end}


def _numbers(path: list[int]) -> list[str]:
    return [str(number) for number in path]


def _branch_verify(question: dict, _context) -> dict:
    entries = [entry.decode(unhex(text)) for text in question["entries"]]
    proved, path = proofs.verify_branch(entries, parse_hash(question["entry"]))
    return {"seq_num": str(proved.seq_num), "path": _numbers(path)}


def _fork_verify(question: dict, _context) -> dict:
    first, second = (entry.decode(unhex(question[name])) for name in ("first", "second"))
    hashes = proofs.verify_fork(first, second)
    return {
        "public_key": first.public_key.hex(),
        "log_id": str(first.log_id),
        "seq_num": str(first.seq_num),
        "hashes": [part.hex() for part in hashes],
    }


def _schema_build(question: dict, _context) -> dict:
    schema_id, description, fields = definition.build(
        question["view_id"], question["definition"], question["fields"]
    )
    return {
        "id": f"{schema_id.name}_{view_text(schema_id.view_id)}",
        "name": schema_id.name,
        "hash_id": schema_id.hash_id(),
        "description": description,
        "fields": [{"name": name, "type": kind} for name, kind in fields],
    }


def _message_decode(text: str, _context) -> dict:
    answer = {}
    for name, item in message.decode(unhex(text)).items():
        match item:
            case list() if name == "previous":
                answer[name] = "_".join(entry.hex() for entry in item) or None
            case list() if name == "entries":
                answer[name] = [entry.hex() for entry in item]
            case bool() | str() | list() | None:
                answer[name] = item
            case int():
                answer[name] = str(item)
            case bytes():
                answer[name] = item.hex()
            case dict() if name == "tips":
                answer[name] = [_tips_to_json(*pair) for pair in item.items()]
            case dict():
                answer[name] = [_heights_to_json(*pair) for pair in sorted(item.items())]
    return answer


def _heights_to_json(key: bytes, logs: dict[int, int]) -> dict:
    heights = [{"log_id": str(log_id), "seq_num": str(seq_num)} for log_id, seq_num in sorted(logs.items())]
    return {"public_key": key.hex(), "logs": heights}


def _tips_to_json(key: bytes, logs: dict[int, list]) -> dict:
    return {
        "public_key": key.hex(),
        "logs": [
            {
                "log_id": str(log_id),
                "tips": [{"seq_num": str(seq_num), "hash": tip.hex()} for seq_num, tip in tips],
            }
            for log_id, tips in logs.items()
        ],
    }


def _message_encode(given: dict, _context) -> dict:
    members = dict(given)
    for name, item in given.items():
        match name:
            case "version" | "timestamp" | "session" | "mode":
                members[name] = parse_u64(item)
            case "entry" | "operation" | "ranges":
                members[name] = unhex(item)
            case "document_id":
                members[name] = parse_hash(item)
            case "entries":
                members[name] = [parse_hash(entry) for entry in item]
            case "previous":
                members[name] = [] if item is None else [parse_hash(entry) for entry in item.split("_")]
            case "heights":
                members[name] = {
                    unhex(author["public_key"]): {
                        parse_u64(log["log_id"]): parse_u64(log["seq_num"]) for log in author["logs"]
                    }
                    for author in item
                }
            case "tips":
                members[name] = {
                    unhex(author["public_key"]): {
                        parse_u64(log["log_id"]): [
                            (parse_u64(tip["seq_num"]), parse_hash(tip["hash"])) for tip in log["tips"]
                        ]
                        for log in author["logs"]
                    }
                    for author in item
                }
    return {"message": message.encode(members).hex()}


def _blob_check(question: dict, _context) -> dict:
    fields = {name: next(iter(value.items())) for name, value in question["blob"].items()}
    values = {
        name: parse_i64(content) if kind == "int" else content
        for name, (kind, content) in fields.items()
    }
    pieces = {key: unhex(data) for key, data in question["pieces"].items()}
    return {"length": str(blob.check(values, pieces))}


KINDS = {
    "varu64.decode": lambda text, _: {"value": str(varu64.decode_all(unhex(text)))},
    "varu64.encode": lambda text, _: {"bytes": varu64.encode(parse_u64(text)).hex()},
    "lipmaa": _lipmaa,
    "key.public": _public_key,
    "hash.of": lambda text, _: {"hash": hash_of(unhex(text)).hex()},
    "hash.parse": lambda text, _: {"hash": parse_hash(text).hex()},
    "view.parse": lambda text, _: {"ids": [part.hex() for part in parse_view_id(text)]},
    "view.hash": lambda text, _: {"hash": view_hash(parse_view_id(text)).hex()},
    "schema.parse": _schema_id,
    "entry.decode": _entry_decode,
    "entry.encode": _entry_encode,
    "log.append": _log_append,
    "operation.decode": lambda text, _: _operation_to_json(operation.decode(unhex(text))),
    "operation.encode": _operation_encode,
    "operation.validate": _operation_validate,
    "document.reduce": _document_reduce,
    "document.view": _document_view,
    "schema.build": _schema_build,
    "certificate": _certificate,
    "branch.verify": _branch_verify,
    "fork.verify": _fork_verify,
    "blob.check": _blob_check,
    "message.decode": _message_decode,
    "message.encode": _message_encode,
}
