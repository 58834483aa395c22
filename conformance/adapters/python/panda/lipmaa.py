"""The far link of a log. T(k) = (3^k - 1)/2 are the numbers where the path back to the first entry is shortest."""

from .refusal import Refused


def _t(k: int) -> int:
    return (3**k - 1) // 2


def lipmaa(seq_num: int) -> int:
    """The sequence number the skiplink names; 0 for the first entry, which has none."""
    if seq_num == 0:
        raise Refused("seq_num_zero", "sequence numbers start at 1")
    rest = seq_num
    while True:
        k = 1
        while _t(k) < rest:
            k += 1
        if _t(k) == rest:
            break
        rest -= _t(k - 1)
    return seq_num - (3 ** (k - 1) if rest == seq_num else _t(k))


def has_skiplink(seq_num: int) -> bool:
    """Whether an entry carries its skiplink: only where it is not the backlink."""
    return lipmaa(seq_num) != seq_num - 1
