"""Operations without a schema: `[version, action, schema id, previous?, fields?]`.

Values are pairs of a kind and a value. Here the kinds are those the bytes alone can tell: `bool`, `int`, `float`, `str`,
`bytes`, `ids`, `id_lists`; `schema.py` makes relations of the last three.
"""

from dataclasses import dataclass

from . import cbor
from .ids import check_hash, check_view_id
from .refusal import Refused
from .schema_id import parse_schema_id
from .text import is_i64

ACTIONS = ("create", "update", "delete")


@dataclass
class Operation:
    action: str
    schema_id: str
    previous: list[bytes] | None
    fields: dict[str, tuple] | None


def has_previous(action: str) -> bool:
    return action != "create"


def has_fields(action: str) -> bool:
    return action != "delete"


def decode(data: bytes) -> Operation:
    items = cbor.decode(data)
    if type(items) is not list:
        raise Refused("operation_shape", "an operation is an array")
    if len(items) < 2:
        raise Refused("operation_item_count", "version or action is missing")
    version, number = items[0], items[1]
    for item in (version, number):
        if type(item) is not int or item < 0:
            raise Refused("operation_item_type", "version and action are unsigned integers")
    if version != 1:
        raise Refused("operation_version", f"version {version}")
    if number >= len(ACTIONS):
        raise Refused("operation_action", f"action {number}")
    action = ACTIONS[number]
    rest = items[2:]
    if len(rest) != 1 + has_previous(action) + has_fields(action):
        raise Refused("operation_item_count", f"{len(items)} items for {action}")
    schema_id = _typed(rest.pop(0), str)
    parse_schema_id(schema_id)
    previous = _decode_previous(rest.pop(0)) if has_previous(action) else None
    fields = _decode_fields(rest.pop(0)) if has_fields(action) else None
    return Operation(action, schema_id, previous, fields)


def _typed(item, wanted: type):
    if type(item) is not wanted:
        raise Refused("operation_item_type", f"{wanted.__name__} expected")
    return item


def _decode_previous(item) -> list[bytes]:
    ids = _typed(item, list)
    if not all(type(part) is bytes for part in ids):
        raise Refused("list_item_type", "previous holds ids, as byte strings")
    return check_view_id([check_hash(part) for part in ids])


def _decode_fields(item) -> dict[str, tuple]:
    pairs = _typed(item, cbor.Pairs)
    fields = {}
    last = None
    for name, value in pairs:
        key = _typed(name, str).encode()
        if last is not None and key == last:
            raise Refused("fields_duplicate", f"{name!r} is named twice")
        if last is not None and key < last:
            raise Refused("fields_unsorted", f"{name!r} comes too late")
        last = key
        fields[name] = _decode_value(value)
    return fields


def _decode_value(item) -> tuple:
    match item:
        case bool():
            return "bool", item
        case int():
            if not is_i64(item):
                raise Refused("integer_out_of_range", f"{item} has more than 64 bits")
            return "int", item
        case float():
            return "float", item
        case str():
            return "str", item
        case bytes():
            return "bytes", item
        case list() if type(item) is list:
            return _decode_list(item)
    raise Refused("value_type", "no field has values of this form")


def _decode_list(items: list) -> tuple:
    if all(type(item) is bytes for item in items):
        return "ids", [check_hash(item) for item in items]
    if all(type(item) is list for item in items):
        if all(type(part) is bytes for item in items for part in item):
            return "id_lists", [[check_hash(part) for part in item] for item in items]
    raise Refused("list_item_type", "a list holds ids, or lists of ids")


def encode(operation: Operation) -> bytes:
    """The canonical bytes; `previous` and `fields` may come in any order."""
    if operation.action not in ACTIONS:
        raise Refused("operation_action", f"action {operation.action!r}")
    for name, item, wanted in (
        ("previous", operation.previous, has_previous(operation.action)),
        ("fields", operation.fields, has_fields(operation.action)),
    ):
        if (item is not None) != wanted:
            raise Refused("operation_item_count", f"{name} of {operation.action}")
    parse_schema_id(operation.schema_id)
    items = [1, ACTIONS.index(operation.action), operation.schema_id]
    if operation.previous is not None:
        items.append(check_view_id(sorted(set(operation.previous))))
    if operation.fields is not None:
        pairs = ((name, value) for name, (_, value) in operation.fields.items())
        items.append(cbor.Pairs(sorted(pairs, key=lambda pair: pair[0].encode())))
    return cbor.encode(items)
