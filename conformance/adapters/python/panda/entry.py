"""Entries: their bytes, their signature, and what an entry must be to join a log. Operations are only hashed here."""

from dataclasses import dataclass
from typing import NoReturn

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
    """Judges an entry that would lengthen a branch of its log; returns the next (log id, seq num, backlink, skiplink).

    A log is a tree (FK1): an entry goes on where its backlink leads, not where a number is free.
    """
    if entry.payload_hash != hash_of(operation):
        raise Refused("payload_hash_mismatch", "the operation has another hash")
    if entry.payload_size != len(operation):
        raise Refused("payload_size_mismatch", "the operation has another size")
    place = (entry.public_key, entry.log_id)
    log = {other.hash: other for other in known if (other.public_key, other.log_id) == place}
    # The same entry again is a retry, answered as it was the first time (R23).
    if entry.hash not in log:
        _check_place(log, entry)
        log[entry.hash] = entry
    return _next_arguments(log, entry)


def _check_place(log: dict[bytes, Entry], entry: Entry) -> None:
    if entry.seq_num == 1:
        if log:
            raise Refused("would_fork", "the log has begun already")
        return
    before = log.get(entry.backlink)
    if before is None:
        _refuse_lost(log, entry)
    if before.end_of_log:
        raise Refused("log_ended", f"entry {before.seq_num} has ended its branch")
    if before.seq_num + 1 != entry.seq_num:
        raise Refused("seq_num_mismatch", f"entry {entry.seq_num} on top of entry {before.seq_num}")
    if entry.skiplink is not None and far_hash(log, before, entry.seq_num) != entry.skiplink:
        raise Refused("skiplink_mismatch", "not the lipmaa entry of this branch")
    if any(other.backlink == before.hash for other in log.values()):
        raise Refused("would_fork", f"another entry follows entry {before.seq_num} already")


def _refuse_lost(log: dict[bytes, Entry], entry: Entry) -> NoReturn:
    """Of an entry on top of nothing that is there, the number tells what to say."""
    tip = preferred_tip(log)
    if tip is not None and tip.end_of_log and entry.seq_num > tip.seq_num:
        raise Refused("log_ended", "every branch has ended")
    expected = tip.seq_num + 1 if tip else 1
    if entry.seq_num != expected:
        raise Refused("seq_num_mismatch", f"entry {expected} comes next, not {entry.seq_num}")
    raise Refused("backlink_mismatch", "the backlink names no entry that is there")


def preferred_tip(log: dict[bytes, Entry]) -> Entry | None:
    """The last entry of the branch to go on with: an open one, of these the longest, of these the one of the lowest hash."""
    followed = {entry.backlink for entry in log.values()}
    tips = [entry for entry in log.values() if entry.hash not in followed]
    return min(tips, key=lambda tip: (tip.end_of_log, -tip.seq_num, tip.hash), default=None)


def far_hash(log: dict[bytes, Entry], before: Entry, seq_num: int) -> bytes:
    """What the skiplink of the entry after `before` is: the entry of the lipmaa number on the same branch."""
    far = lipmaa(seq_num)
    found = ancestor(log, before, far)
    if found is not None:
        return found.hash
    # Of a log held in part, the way there may be missing; then the number alone can tell.
    held = [entry for entry in log.values() if entry.seq_num == far]
    if len(held) != 1:
        raise Refused("skiplink_not_found", f"entry {far} of this branch is not known")
    return held[0].hash


def ancestor(log: dict[bytes, Entry], entry: Entry, seq_num: int) -> Entry | None:
    """The entry of a number on the way back from an entry, by the longest links; `None` where the way breaks off."""
    while entry.seq_num > seq_num:
        far = lipmaa(entry.seq_num)
        number, link = entry.seq_num - 1, entry.backlink
        if entry.skiplink is not None and far >= seq_num:
            number, link = far, entry.skiplink
        entry = log.get(link)
        if entry is None or entry.seq_num != number:
            return None
    return entry


def _next_arguments(log: dict[bytes, Entry], entry: Entry):
    if entry.seq_num == U64_MAX:
        raise Refused("seq_num_max", "the log is full")
    seq_num = entry.seq_num + 1
    skiplink = far_hash(log, entry, seq_num) if has_skiplink(seq_num) else None
    return entry.log_id, seq_num, entry.hash, skiplink
