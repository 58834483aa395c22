"""Schema ids as text: `blob_v1`, or a name with the view id of the definition."""

import re
from dataclasses import dataclass

from .ids import SIZE, check_view_id, parse_hash, view_hash
from .refusal import Refused

SYSTEM_NAMES = ("schema_definition", "schema_field_definition", "blob", "blob_piece")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}[A-Za-z0-9]")
_ID_DIGITS = 2 * SIZE


@dataclass
class SchemaId:
    name: str
    version: int | None
    view_id: list[bytes] | None

    def hash_id(self) -> str:
        if self.version is not None:
            return f"{self.name}__{self.version}"
        return f"{self.name}__{view_hash(self.view_id).hex()}"


def check_schema_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("schema_name", "2 to 64 letters, digits and underscores (SC1)")


def parse_schema_id(text: str) -> SchemaId:
    name, underscore, last = text.rpartition("_")
    if not underscore:
        raise Refused("schema_id_malformed", "no underscore")
    if last.startswith("v") and len(last) < _ID_DIGITS:
        return _parse_system(name, last[1:])
    view_id = []
    name = text
    # What is left is a name as soon as no id fits into it.
    while not view_id or (len(name) >= _ID_DIGITS and "_" in name):
        name, _, last = name.rpartition("_")
        view_id.insert(0, parse_hash(last))
    check_schema_name(name)
    return SchemaId(name, None, check_view_id(view_id))


def _parse_system(name: str, version: str) -> SchemaId:
    if name not in SYSTEM_NAMES:
        raise Refused("schema_id_unknown_system", f"no system schema {name!r}")
    # Only the first versions were ever defined, and they have one spelling (R16).
    if version != "1":
        raise Refused("schema_id_unknown_system", f"no version {version!r}")
    return SchemaId(name, 1, None)
