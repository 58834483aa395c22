"""Replication messages: one canonical CBOR array each, `[type, …]`.

Sets of schemas have one order in the bytes. Heights may come in any, as deployed nodes write them, but name each log
once; they are handed on sorted.
"""

import re

from . import cbor
from .ed25519 import check_public_key
from .ids import check_hash
from .refusal import Refused
from .schema_id import SYSTEM_NAMES, parse_schema_id
from .text import U64_MAX

NUMBERS = {"announce": 0, "sync_request": 1, "entry": 2, "sync_done": 3, "have": 10, "skeleton": 12, "tips": 13}
NUMBERS |= {"ranges": 14, "want": 15, "refusal": 16}
TYPES = {number: name for name, number in NUMBERS.items()}


def decode(data: bytes) -> dict:
    items = cbor.decode(data, too_deep="message_malformed")
    if type(items) is not list:
        raise Refused("message_malformed", "a message is an array")
    if not items:
        raise Refused("message_item_count", "an array of nothing has no type")
    kind = TYPES.get(_u64(items[0]))
    if kind is None:
        raise Refused("message_type", f"type {items[0]}")
    forms = _FORMS[kind]
    if kind == "entry" and len(items) == 3:
        # Some peers leave out the operation they have lost; that is read, and never written.
        forms = {name: form for name, form in forms.items() if name != "operation"}
    if len(items) - 1 != len(forms):
        raise Refused("message_item_count", f"{len(items)} items for {kind}")
    members = {name: form(item) for (name, form), item in zip(forms.items(), items[1:])}
    if kind == "sync_request" and not members["schemas"]:
        raise Refused("message_set", "a request names at least one schema")
    missing = {name: None for name in _FORMS[kind] if name not in members}
    return {"type": kind} | members | missing


def encode(message: dict) -> bytes:
    """The canonical bytes; sets may come in any order."""
    kind = message["type"]
    if kind not in NUMBERS:
        raise Refused("message_type", f"type {kind!r}")
    items = [NUMBERS[kind]]
    for name in _FORMS[kind]:
        item = message[name]
        match name:
            case "schemas":
                item = sorted(set(item), key=_schema_order)
            case "previous" | "entries":
                item = sorted(set(item))
            case "reason":
                _code(item)
            case "schema_id":
                parse_schema_id(item)
            case "heights":
                item = [
                    [key, [list(pair) for pair in sorted(logs.items())]]
                    for key, logs in sorted(_checked(item).items())
                ]
            case "tips":
                item = [
                    [key, [[log_id, [list(tip) for tip in sorted(set(tips))]] for log_id, tips in sorted(logs.items())]]
                    for key, logs in sorted(_checked_tips(item).items())
                ]
        items.append(item)
    if kind == "sync_request" and not message["schemas"]:
        raise Refused("message_set", "a request names at least one schema")
    return cbor.encode(items)


def _checked(heights: dict) -> dict:
    for key, logs in heights.items():
        check_public_key(key)
        if 0 in logs.values():
            raise Refused("seq_num_zero", "sequence numbers start at 1")
    return heights


def _checked_tips(authors: dict) -> dict:
    for key, logs in authors.items():
        check_public_key(key)
        for tips in logs.values():
            if not tips:
                raise Refused("message_malformed", "a log without tips")
            if any(seq_num == 0 for seq_num, _ in tips):
                raise Refused("seq_num_zero", "sequence numbers start at 1")
    return authors


def _typed(item, wanted: type):
    if type(item) is not wanted:
        raise Refused("message_malformed", f"{wanted.__name__} expected")
    return item


def _u64(item) -> int:
    if type(item) is not int or not 0 <= item <= U64_MAX:
        raise Refused("message_malformed", "an unsigned number expected")
    return item


def _pair(item) -> list:
    if len(_typed(item, list)) != 2:
        raise Refused("message_item_count", f"{len(item)} items where two are expected")
    return item


def _schema_order(text: str) -> tuple:
    schema_id = parse_schema_id(text)
    if schema_id.view_id is None:
        return 0, SYSTEM_NAMES.index(schema_id.name)
    return 1, schema_id.name.encode(), schema_id.view_id


def _schema_set(item) -> list[str]:
    texts = [_typed(text, str) for text in _typed(item, list)]
    order = [_schema_order(text) for text in texts]
    if any(before >= after for before, after in zip(order, order[1:])):
        raise Refused("message_set", "schema ids ascend, each named once")
    return texts


def _schema_id(item) -> str:
    parse_schema_id(_typed(item, str))
    return item


def _heights(item) -> dict[bytes, dict[int, int]]:
    heights = {}
    for author in _typed(item, list):
        key, logs = _pair(author)
        check_public_key(_typed(key, bytes))
        if key in heights:
            raise Refused("message_malformed", "an author is named twice")
        heights[key] = {}
        for log in _typed(logs, list):
            log_id, seq_num = map(_u64, _pair(log))
            if seq_num == 0 or log_id in heights[key]:
                raise Refused("message_malformed", "a log without entries, or named twice")
            heights[key][log_id] = seq_num
    return heights


def _tips(item) -> dict[bytes, dict[int, list]]:
    """The last entries of all branches. Only grove speaks of them, so there is one order in the bytes."""
    authors = {}
    for author in _typed(item, list):
        key, logs = _pair(author)
        check_public_key(_typed(key, bytes))
        authors[key] = {}
        for log in _typed(logs, list):
            log_id, tips = _pair(log)
            _ascending(_u64(log_id), authors[key])
            authors[key][log_id] = []
            for tip in _typed(tips, list):
                seq_num, entry_hash = _pair(tip)
                if _u64(seq_num) == 0:
                    raise Refused("message_malformed", "sequence numbers start at 1")
                place = (seq_num, check_hash(_typed(entry_hash, bytes)))
                _ascending(place, authors[key][log_id])
                authors[key][log_id].append(place)
            if not authors[key][log_id]:
                raise Refused("message_malformed", "a log without tips")
    if list(authors) != sorted(authors) or len(authors) != len(item):
        raise Refused("message_malformed", "authors ascend, each named once")
    return authors


def _ascending(new, before) -> None:
    last = next(reversed(before), None)
    if last is not None and new <= last:
        raise Refused("message_malformed", "logs and tips ascend, each named once")


def _hashes(item) -> list[bytes]:
    hashes = []
    for entry_hash in _typed(item, list):
        _ascending(check_hash(_typed(entry_hash, bytes)), hashes)
        hashes.append(entry_hash)
    return hashes


def _code(item) -> str:
    if not re.fullmatch("[a-z0-9_]{0,64}", _typed(item, str)):
        raise Refused("message_malformed", "no code of a reason")
    return item


_FORMS = {
    "announce": {"version": _u64, "timestamp": _u64, "schemas": _schema_set},
    "sync_request": {"session": _u64, "mode": _u64, "schemas": _schema_set},
    "entry": {
        "session": _u64,
        "entry": lambda item: _typed(item, bytes),
        "operation": lambda item: _typed(item, bytes),
    },
    "sync_done": {"session": _u64, "live": lambda item: _typed(item, bool)},
    "have": {"session": _u64, "heights": _heights},
    # Messages only grove's own kind speaks: the ends of all branches of a log (FK7), an entry whose payload was deleted
    # (R31), and what it takes to find out which entries differ.
    "tips": {"session": _u64, "tips": _tips},
    "skeleton": {
        "session": _u64,
        "entry": lambda item: _typed(item, bytes),
        "schema_id": _schema_id,
        "document_id": lambda item: check_hash(_typed(item, bytes)),
        "previous": _hashes,
    },
    "ranges": {"session": _u64, "ranges": lambda item: _typed(item, bytes)},
    "want": {"session": _u64, "entries": _hashes, "last": lambda item: _typed(item, bool)},
    "refusal": {"session": _u64, "reason": _code},
}
