"""Operations against their schema, and the rules of the system schemas on their own values.

A schema is its id and a map from field names to type strings. What a relation points to is not looked up.
"""

import re

from . import operation as operations
from .ids import check_hash, check_view_id
from .operation import Operation
from .refusal import Refused
from .schema_id import check_schema_name, parse_schema_id

SCALARS = ("bool", "int", "float", "str", "bytes")
MAX_DESCRIPTION = 256
MAX_FIELDS = 1024
MAX_PIECE = 256_000

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_RELATION = re.compile(r"(relation|relation_list|pinned_relation|pinned_relation_list)\(([^()]*)\)")
# The class between the parts holds a literal `|`: a slip of the deployed software that data may rely on.
_MIME_TYPE = re.compile(r"[a-z-]{1,12}/(?:[a-z0-9]{1,18}[.|+-]){0,6}[a-z0-9]{1,16}")


def parse_field_type(text: str) -> str:
    """The part of a type string that says what values look like."""
    if text in SCALARS:
        return text
    found = _RELATION.fullmatch(text)
    if not found:
        raise Refused("field_type", f"{text!r} is none of the grammar")
    try:
        parse_schema_id(found[2])
    except Refused as refusal:
        raise Refused("field_type", f"{found[2]!r}: {refusal}") from None
    return found[1]


def decode(data: bytes, schema_id: str, types: dict[str, str]) -> Operation:
    """Decodes an operation and gives its values the types of the schema."""
    operation = operations.decode(data)
    if operation.schema_id != schema_id:
        raise Refused("schema_mismatch", f"the operation is of {operation.schema_id}")
    if operation.fields is None:
        return operation
    if operation.action == "create":
        for name in types:
            if name not in operation.fields:
                raise Refused("field_missing", f"{name!r} is missing")
    fields = {
        name: _typed(name, value, parse_field_type(types[name]))
        for name, value in operation.fields.items()
        if name in types
    }
    for name, (_, value) in fields.items():
        rule = SYSTEM_RULES.get((schema_id, name))
        if rule:
            rule(value)
    if schema_id == "blob_v1":
        check_blob_pieces({name: value for name, (_, value) in fields.items()})
    if len(fields) != len(operation.fields):
        raise Refused("field_unexpected", "the schema has fewer fields")
    return Operation(operation.action, operation.schema_id, operation.previous, fields)


def _typed(name: str, value: tuple, wanted: str) -> tuple:
    kind, content = value
    match wanted, kind:
        case _, _ if wanted == kind:
            return value
        case "relation", "bytes":
            return wanted, check_hash(content)
        case "relation_list", "ids":
            return wanted, content
        case "pinned_relation", "ids":
            return wanted, check_view_id(content)
        case "pinned_relation_list", "id_lists":
            return wanted, [check_view_id(view_id) for view_id in content]
        case "pinned_relation_list", "ids" if not content:
            return wanted, []
    raise Refused("field_type_mismatch", f"{name!r} is {wanted}, not {kind}")


def check_description(text: str) -> None:
    if len(text) > MAX_DESCRIPTION:
        raise Refused("schema_description", f"{len(text)} characters")


def _definition_fields(view_ids: list) -> None:
    # None at all is in order here: the fields may come with a later update.
    if len(view_ids) > MAX_FIELDS:
        raise Refused("schema_field_count", f"{len(view_ids)} fields")


def check_field_name(text: str) -> None:
    if not _FIELD_NAME.fullmatch(text):
        raise Refused("field_name", "1 to 64 letters, digits and underscores (SC4)")


def _blob_length(number: int) -> None:
    if number < 0:
        raise Refused("blob_length", f"length {number}")


def _blob_mime_type(text: str) -> None:
    if not _MIME_TYPE.fullmatch(text):
        raise Refused("blob_mime_type", "the MIME type is malformed")


def check_blob_pieces(values: dict) -> None:
    """No length and no pieces go together (R19). An UPDATE of one of the two says nothing of the other."""
    if {"length", "pieces"} <= values.keys() and (values["length"] == 0) != (not values["pieces"]):
        raise Refused("blob_pieces", f"{len(values['pieces'])} pieces for {values['length']} bytes")


def _piece_data(data: bytes) -> None:
    if len(data) > MAX_PIECE:
        raise Refused("blob_piece_size", f"{len(data)} bytes")


SYSTEM_RULES = {
    ("schema_definition_v1", "name"): check_schema_name,
    ("schema_definition_v1", "description"): check_description,
    ("schema_definition_v1", "fields"): _definition_fields,
    ("schema_field_definition_v1", "name"): check_field_name,
    ("schema_field_definition_v1", "type"): parse_field_type,
    ("blob_v1", "length"): _blob_length,
    ("blob_v1", "mime_type"): _blob_mime_type,
    ("blob_piece_v1", "data"): _piece_data,
}
