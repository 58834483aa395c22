"""What entries prove without the rest of their log: that one of them belongs to it, and that it was forked (R24)."""

from .entry import Entry
from .lipmaa import has_skiplink, lipmaa, path_to_first
from .refusal import Refused


def verify_partial_log(entries: list[Entry], seq_num: int) -> tuple[Entry, list[int]]:
    """The entry of this number, with the numbers of those that lead from it back to the first."""
    path = path_to_first(seq_num)
    log = {}
    for entry in entries:
        first = next(iter(log.values()), entry)
        if (entry.public_key, entry.log_id) != (first.public_key, first.log_id):
            raise Refused("log_owner_mismatch", "the entries are of several logs")
        if log.setdefault(entry.seq_num, entry).hash != entry.hash:
            raise Refused("log_forked", f"two entries {entry.seq_num}")
    if any(entry.end_of_log and entry.seq_num < max(log) for entry in log.values()):
        raise Refused("log_ended", "an entry follows the one that ended the log")
    for at in path:
        if at not in log:
            raise Refused("certificate_incomplete", f"entry {at} is not there")
    for at, entry in log.items():
        if has_skiplink(at) and not _names(entry.skiplink, log.get(lipmaa(at))):
            raise Refused("skiplink_mismatch", f"entry {at} names another entry {lipmaa(at)}")
        if at > 1 and not _names(entry.backlink, log.get(at - 1)):
            raise Refused("backlink_mismatch", f"entry {at} names another entry {at - 1}")
    return log[seq_num], path


def _names(link: bytes, target: Entry | None) -> bool:
    return target is None or link == target.hash


def verify_fork(first: Entry, second: Entry) -> list[bytes]:
    """The hashes of both, ascending, so that one pair is one piece of evidence."""
    if first.hash == second.hash:
        raise Refused("fork_identical", "both are one entry")
    places = {(entry.public_key, entry.log_id, entry.seq_num) for entry in (first, second)}
    if len(places) > 1:
        raise Refused("fork_position", "the entries claim different positions")
    return sorted((first.hash, second.hash))
