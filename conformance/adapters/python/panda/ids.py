"""YASMF hashes and the view ids made of them. As bytes inside, as lowercase hex in text (R13)."""

from .blake3 import blake3
from .refusal import Refused
from .text import unhex

SIZE = 34


def hash_of(data: bytes) -> bytes:
    return b"\x00\x20" + blake3(data)


def check_hash(data: bytes) -> bytes:
    if len(data) != SIZE:
        raise Refused("hash_length", f"a hash has {SIZE} bytes, not {len(data)}")
    if data[0] != 0x00:
        raise Refused("hash_algorithm", "the first byte is not 00, BLAKE3")
    if data[1] != 0x20:
        raise Refused("hash_digest_length", "the second byte is not 20, the length")
    return data


def parse_hash(text: str) -> bytes:
    data = unhex(text)
    if text != text.lower():
        raise Refused("uppercase_hex", "ids are written in lowercase")
    return check_hash(data)


def check_view_id(ids: list[bytes]) -> list[bytes]:
    if not ids:
        raise Refused("view_id_empty", "a view id names at least one operation")
    for before, after in zip(ids, ids[1:]):
        if before == after:
            raise Refused("view_id_duplicate", "an operation is named twice")
        if before > after:
            raise Refused("view_id_unsorted", "operation ids ascend")
    return ids


def parse_view_id(text: str) -> list[bytes]:
    if not text:
        raise Refused("view_id_empty", "a view id names at least one operation")
    return check_view_id([parse_hash(part) for part in text.split("_")])


def view_text(ids: list[bytes]) -> str:
    return "_".join(part.hex() for part in ids)


def view_hash(ids: list[bytes]) -> bytes:
    return hash_of(b"".join(ids))
