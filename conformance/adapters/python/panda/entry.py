"""Entries: their bytes, their signature, and what an entry must be to join a log. Operations are only hashed here."""

from dataclasses import dataclass

from . import ed25519, varu64
from .ids import SIZE, check_hash, hash_of
from .lipmaa import has_skiplink, lipmaa
from .refusal import Refused
from .text import U64_MAX


@dataclass
class Entry:
    end_of_log: bool
    public_key: bytes
    log_id: int
    seq_num: int
    skiplink: bytes | None
    backlink: bytes | None
    payload_size: int
    payload_hash: bytes
    signature: bytes
    hash: bytes


class _Reader:
    """Takes the fields off the front of an entry."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) < size:
            raise Refused("entry_truncated", f"{size} bytes expected at byte {self.at}")
        self.at += size
        return part

    def number(self) -> int:
        try:
            value, size = varu64.decode(self.data[self.at : self.at + 9])
        except Refused as refusal:
            if refusal.reason == "varint_truncated":
                raise Refused("entry_truncated", str(refusal)) from None
            raise
        self.at += size
        return value

    def hash(self) -> bytes:
        return check_hash(self.take(SIZE))


def decode(data: bytes) -> Entry:
    reader = _Reader(data)
    tag = reader.take(1)[0]
    if tag > 1:
        raise Refused("entry_tag", f"the tag is 00 or 01, not {tag:02x}")
    public_key = reader.take(32)
    ed25519.check_public_key(public_key)
    log_id = reader.number()
    seq_num = reader.number()
    skiplink = reader.hash() if has_skiplink(seq_num) else None
    backlink = reader.hash() if seq_num > 1 else None
    payload_size = reader.number()
    payload_hash = reader.hash()
    signed = data[: reader.at]
    signature = reader.take(64)
    if reader.at != len(data):
        raise Refused("entry_trailing_bytes", "bytes follow the signature")
    if skiplink is not None and skiplink == backlink:
        raise Refused("links_identical", "both links name the same entry")
    ed25519.verify(public_key, signed, signature)
    return Entry(
        tag == 1,
        public_key,
        log_id,
        seq_num,
        skiplink,
        backlink,
        payload_size,
        payload_hash,
        signature,
        hash_of(data),
    )


def encode(seed: bytes, log_id: int, seq_num: int, skiplink, backlink, operation: bytes) -> bytes:
    if len(seed) != 32:
        raise Refused("key_length", f"a private key has 32 bytes, not {len(seed)}")
    if has_skiplink(seq_num) != (skiplink is not None):
        raise Refused("skiplink_mismatch", f"entry {seq_num} asks for another skiplink")
    if (seq_num > 1) != (backlink is not None):
        raise Refused("backlink_mismatch", f"entry {seq_num} asks for another backlink")
    if skiplink is not None and skiplink == backlink:
        raise Refused("links_identical", "both links name the same entry")
    fields = b"".join(
        (
            b"\x00",
            ed25519.public_key_of(seed),
            varu64.encode(log_id),
            varu64.encode(seq_num),
            skiplink or b"",
            backlink or b"",
            varu64.encode(len(operation)),
            hash_of(operation),
        )
    )
    return fields + ed25519.sign(seed, fields)


def append(known: list[Entry], entry: Entry, operation: bytes):
    """Judges an entry with its operation against what is known; returns the next (log id, seq num, backlink, skiplink)."""
    if entry.payload_hash != hash_of(operation):
        raise Refused("payload_hash_mismatch", "the operation has another hash")
    if entry.payload_size != len(operation):
        raise Refused("payload_size_mismatch", "the operation has another size")
    log = {
        other.seq_num: other
        for other in known
        if (other.public_key, other.log_id) == (entry.public_key, entry.log_id)
    }
    there = log.get(entry.seq_num)
    if there is None:
        _check_position(log, entry)
        _check_links(log, entry)
        log[entry.seq_num] = entry
    elif there.hash != entry.hash:
        raise Refused("log_forked", f"another entry {entry.seq_num} is there")
    # The same entry again is a retry, answered as it was the first time (R23).
    return _next_arguments(log, entry)


def _check_position(log: dict, entry: Entry) -> None:
    latest = max(log, default=0)
    if latest and log[latest].end_of_log:
        raise Refused("log_ended", f"entry {latest} has ended the log")
    if entry.seq_num != latest + 1:
        raise Refused("seq_num_mismatch", f"entry {latest + 1} comes next, not {entry.seq_num}")


def _check_links(log: dict, entry: Entry) -> None:
    if entry.skiplink is not None:
        target = log.get(lipmaa(entry.seq_num))
        if target is None:
            raise Refused("skiplink_not_found", "the lipmaa entry is not known")
        if target.hash != entry.skiplink:
            raise Refused("skiplink_mismatch", "not the hash of the lipmaa entry")
    if entry.backlink is not None and log[entry.seq_num - 1].hash != entry.backlink:
        raise Refused("backlink_mismatch", "not the hash of the entry before")


def _next_arguments(log: dict, entry: Entry):
    if entry.seq_num == U64_MAX:
        raise Refused("seq_num_max", "the log is full")
    seq_num = entry.seq_num + 1
    skiplink = None
    if has_skiplink(seq_num):
        target = log.get(lipmaa(seq_num))
        if target is None:
            raise Refused("skiplink_not_found", "the next lipmaa entry is not known")
        skiplink = target.hash
    return entry.log_id, seq_num, entry.hash, skiplink
