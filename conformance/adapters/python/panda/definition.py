"""Builds a schema from the views of its definition and of its fields' definitions (SC1–SC4, SC9, SC10, R17)."""

from .ids import parse_view_id
from .refusal import Refused
from .schema import MAX_FIELDS, check_description, check_field_name, parse_field_type
from .schema_id import SchemaId, check_schema_name

_DEFINITION = {"description": "str", "fields": "pinned_relation_list", "name": "str"}
_FIELD = {"name": "str", "type": "str"}


def build(view_id: str, definition: dict, fields: dict) -> tuple[SchemaId, str, list[tuple[str, str]]]:
    """Id, description, and names with types ascending; `fields` are views by the text of their id."""
    tips = parse_view_id(view_id)
    values = _values(definition, _DEFINITION)
    listed = ["_".join(ids) for ids in values["fields"]]
    if set(listed) != set(fields):
        raise Refused("schema_definition", "the field definitions are not those the definition lists")
    views = {key: _values(view, _FIELD) for key, view in fields.items()}

    check_schema_name(values["name"])
    check_description(values["description"])
    if not 1 <= len(listed) <= MAX_FIELDS:
        raise Refused("schema_field_count", f"{len(listed)} fields")
    types = {}
    for key in listed:
        name, kind = views[key]["name"], views[key]["type"]
        check_field_name(name)
        parse_field_type(kind)
        if name in types:
            raise Refused("schema_field_duplicate", f"two fields are called {name!r}")
        types[name] = kind
    return SchemaId(values["name"], None, tips), values["description"], sorted(types.items())


def _values(view: dict, wanted: dict[str, str]) -> dict:
    kinds = {name: next(iter(value)) for name, value in view.items()}
    if kinds != wanted:
        raise Refused("schema_definition", f"fields {kinds}, expected {wanted}")
    return {name: value[wanted[name]] for name, value in view.items()}
