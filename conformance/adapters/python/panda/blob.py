"""Blobs: whether a blob's pieces are there, and as long together as it says (R19)."""

from .refusal import Refused
from .schema import SYSTEM_RULES, check_blob_pieces

_FIELDS = ("length", "mime_type", "pieces")


def check(fields: dict, pieces: dict[str, bytes]) -> int:
    """The length of a blob; `fields` are its values by name, `pieces` the data by the text of their view id."""
    for name in _FIELDS:
        if name not in fields:
            raise Refused("field_missing", f"{name!r} is missing")
        rule = SYSTEM_RULES.get(("blob_v1", name))
        if rule:
            rule(fields[name])
    check_blob_pieces(fields)
    listed = ["_".join(ids) for ids in fields["pieces"]]
    for key in listed:
        if key not in pieces:
            raise Refused("blob_pieces_missing", f"piece {key} is not there")
        SYSTEM_RULES["blob_piece_v1", "data"](pieces[key])
    total = sum(len(pieces[key]) for key in listed)
    if total != fields["length"]:
        raise Refused("blob_length_mismatch", f"{total} bytes, not {fields['length']}")
    return total
