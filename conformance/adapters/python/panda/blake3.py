"""BLAKE3, hash mode with 32 bytes of output, as in its specification. No keys, no derivation, no longer output."""

import struct

_MASK = 0xFFFFFFFF
_BLOCK = 64
_CHUNK = 1024
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
# Columns, then diagonals.
_LANES = (
    (0, 4, 8, 12),
    (1, 5, 9, 13),
    (2, 6, 10, 14),
    (3, 7, 11, 15),
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)


def _schedule() -> tuple:
    rounds = [tuple(range(16))]
    while len(rounds) < 7:
        rounds.append(tuple(rounds[-1][i] for i in _PERMUTATION))
    return tuple(rounds)


_ROUNDS = _schedule()


def _compress(chaining, block: bytes, counter: int, length: int, flags: int) -> tuple:
    """The first half of the compression function's output, which is all that hash mode needs."""
    words = struct.unpack("<16I", block)
    v = [*chaining, *_IV[:4], counter & _MASK, counter >> 32, length, flags]
    for order in _ROUNDS:
        for lane, (a, b, c, d) in enumerate(_LANES):
            x, y = words[order[2 * lane]], words[order[2 * lane + 1]]
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + x) & _MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & _MASK
            vc = (vc + vd) & _MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & _MASK
            va = (va + vb + y) & _MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & _MASK
            vc = (vc + vd) & _MASK
            vb ^= vc
            vb = (vb >> 7 | vb << 25) & _MASK
            v[a], v[b], v[c], v[d] = va, vb, vc, vd
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def _chunk(data: bytes, counter: int, root: int) -> tuple:
    chaining = _IV
    last = max(0, (len(data) - 1) // _BLOCK)
    for index in range(last + 1):
        block = data[index * _BLOCK : (index + 1) * _BLOCK]
        flags = _CHUNK_START if index == 0 else 0
        if index == last:
            flags |= _CHUNK_END | root
        chaining = _compress(chaining, block.ljust(_BLOCK, b"\0"), counter, len(block), flags)
    return chaining


def _parent(left, right, root: int) -> tuple:
    return _compress(_IV, struct.pack("<16I", *left, *right), 0, _BLOCK, _PARENT | root)


def blake3(data: bytes) -> bytes:
    count = max(1, -(-len(data) // _CHUNK))
    if count == 1:
        return struct.pack("<8I", *_chunk(data, 0, _ROOT))
    # Complete subtrees wait here; they are joined as soon as their right sibling is complete, which the trailing zeros
    # of the number of chunks tell. The last chunk waits, because the root is joined with a flag of its own.
    waiting = []
    for index in range(count - 1):
        tree = _chunk(data[index * _CHUNK : (index + 1) * _CHUNK], index, 0)
        done = index + 1
        while done % 2 == 0:
            tree = _parent(waiting.pop(), tree, 0)
            done //= 2
        waiting.append(tree)
    tree = _chunk(data[(count - 1) * _CHUNK :], count - 1, 0)
    while waiting:
        left = waiting.pop()
        tree = _parent(left, tree, 0 if waiting else _ROOT)
    return struct.pack("<8I", *tree)
