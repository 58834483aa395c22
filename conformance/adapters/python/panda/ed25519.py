"""Ed25519 of RFC 8032: signing, and verification by R11 and R12.

Cofactorless, S below the group order, R compared byte for byte. A public key whose y is not reduced is taken and hashed
as it came; keys of small order are refused. Nothing here runs in constant time: this is for test keys.
"""

import hashlib

from .refusal import Refused

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
# Extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z.
_IDENTITY = (0, 1, 1, 0)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(p):
    a = p[0] * p[0] % _P
    b = p[1] * p[1] % _P
    h = a + b
    e = h - (p[0] + p[1]) ** 2 % _P
    g = a - b
    f = 2 * p[2] * p[2] % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _negate(p):
    return -p[0] % _P, p[1], p[2], -p[3] % _P


def _multiply_two(a: int, p, b: int, q):
    """a·p + b·q with one run of doublings."""
    both = _add(p, q)
    result = _IDENTITY
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        result = _double(result)
        match (a >> bit & 1, b >> bit & 1):
            case (1, 1):
                result = _add(result, both)
            case (1, 0):
                result = _add(result, p)
            case (0, 1):
                result = _add(result, q)
    return result


def _multiply(a: int, p):
    return _multiply_two(a, p, 0, _IDENTITY)


def _is_identity(p) -> bool:
    return p[0] == 0 and p[1] == p[2]


def _compress(p) -> bytes:
    inverse = pow(p[2], -1, _P)
    x, y = p[0] * inverse % _P, p[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompress(data: bytes):
    """The point, or `None` when no x belongs to this y."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (1 << 255) - 1) % _P
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P != u:
        x = x * _ROOT_OF_MINUS_ONE % _P
        if v * x * x % _P != u:
            return None
    if x & 1 != sign:
        x = -x % _P
    return x, y, 1, x * y % _P


_BASE = _decompress((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def _hash_to_scalar(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % _L


def _expand(seed: bytes):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def check_public_key(key: bytes):
    """The point of a key that may write entries."""
    if len(key) != 32:
        raise Refused("key_length", f"a public key has 32 bytes, not {len(key)}")
    point = _decompress(key)
    if point is None:
        raise Refused("key_not_on_curve", "the public key is no point of the curve")
    if _is_identity(_double(_double(_double(point)))):
        raise Refused("key_small_order", "anybody can sign for a key of small order")
    return point


def public_key_of(seed: bytes) -> bytes:
    return _compress(_multiply(_expand(seed)[0], _BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expand(seed)
    key = _compress(_multiply(scalar, _BASE))
    nonce = _hash_to_scalar(prefix, message)
    commitment = _compress(_multiply(nonce, _BASE))
    s = (nonce + _hash_to_scalar(commitment, key, message) * scalar) % _L
    return commitment + s.to_bytes(32, "little")


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    point = check_public_key(key)
    commitment, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= _L:
        raise Refused("signature_malformed", "S is not below the order of the group")
    k = _hash_to_scalar(commitment, key, message)
    if _compress(_multiply_two(s, _BASE, k, _negate(point))) != commitment:
        raise Refused("signature_invalid", "the signature does not belong to key and entry")
