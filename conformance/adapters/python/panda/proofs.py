"""What entries prove without the rest of their log: that one of them belongs to it, and that it was forked (R24)."""

from .entry import Entry, ancestor
from .lipmaa import has_skiplink, lipmaa
from .refusal import Refused


def verify_branch(entries: list[Entry], proved: bytes) -> tuple[Entry, list[int]]:
    """The entry of this hash, with the numbers of those that lead from it back to a first entry.

    The entries may be of several branches: what is proved is proved along its own.
    """
    log = {entry.hash: entry for entry in entries}
    if len({(entry.public_key, entry.log_id) for entry in entries}) > 1:
        raise Refused("log_owner_mismatch", "the entries are of several logs")
    for entry in log.values():
        _check_links(log, entry)
    path = []
    at = log.get(proved)
    while True:
        if at is None:
            raise Refused("certificate_incomplete", "an entry on the way to the first is not there")
        path.append(at.seq_num)
        if at.seq_num == 1:
            return log[proved], path
        at = log.get(at.backlink if at.skiplink is None else at.skiplink)


def _check_links(log: dict[bytes, Entry], entry: Entry) -> None:
    for reason, link, number in (
        ("skiplink_mismatch", entry.skiplink, has_skiplink(entry.seq_num) and lipmaa(entry.seq_num)),
        ("backlink_mismatch", entry.backlink, entry.seq_num - 1),
    ):
        target = log.get(link)
        if target is None:
            continue
        if target.seq_num != number:
            raise Refused(reason, f"entry {entry.seq_num} names entry {target.seq_num}, not {number}")
        if target.end_of_log:
            raise Refused("log_ended", f"entry {target.seq_num} has ended its branch")
    if entry.skiplink is not None and entry.backlink in log:
        # Where both ways are there, they lead to one entry; else the skiplink is into another branch.
        found = ancestor(log, log[entry.backlink], lipmaa(entry.seq_num))
        if found is not None and found.hash != entry.skiplink:
            raise Refused("skiplink_mismatch", f"the skiplink of entry {entry.seq_num} leads to another branch")


def verify_fork(first: Entry, second: Entry) -> list[bytes]:
    """The hashes of both, ascending, so that one pair is one piece of evidence."""
    if first.hash == second.hash:
        raise Refused("fork_identical", "both are one entry")
    places = {(entry.public_key, entry.log_id, entry.seq_num) for entry in (first, second)}
    if len(places) > 1:
        raise Refused("fork_position", "the entries claim different positions")
    return sorted((first.hash, second.hash))
