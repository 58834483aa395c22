"""The far link of a log. T(k) = (3^k - 1)/2 are the numbers where the path back to the first entry is shortest."""

from .refusal import Refused
from .text import U64_MAX


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


def path_to_first(seq_num: int) -> list[int]:
    """The shortest way back to the first entry, which far links are made for."""
    path = [seq_num]
    while path[-1] != 1:
        path.append(lipmaa(path[-1]))
    return path


def path_from_block_end(seq_num: int) -> list[int] | None:
    """From the next T(k) back to an entry; `None` where that T(k) is no number a log can have."""
    k = 1
    while _t(k) < seq_num:
        k += 1
    path = [_t(k)]
    if path[0] > U64_MAX:
        return None
    while path[-1] != seq_num:
        far = lipmaa(path[-1])
        path.append(far if far >= seq_num else path[-1] - 1)
    return path
