"""The canonical CBOR of operations (R1, R2): shortest heads, definite lengths, shortest floats, no tags.

Items become int, bool, float, bytes, str, list and `Pairs`. The order of map keys is the operation's rule and is checked
there. Nesting is bounded, because an operation has lists of lists and nothing deeper.
"""

import struct

from .refusal import Refused

_MAX_DEPTH = 16
_FLOAT_SIZES = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}
_NAN = b"\xf9\x7e\x00"


class Pairs(list):
    """A map as it came: pairs of name and value, in the order of the bytes."""


def encode(item) -> bytes:
    match item:
        case bool():
            return b"\xf5" if item else b"\xf4"
        case int():
            return _head(0, item) if item >= 0 else _head(1, -1 - item)
        case float():
            return _encode_float(item)
        case bytes():
            return _head(2, len(item)) + item
        case str():
            text = item.encode()
            return _head(3, len(text)) + text
        case Pairs():
            return _head(5, len(item)) + b"".join(encode(k) + encode(v) for k, v in item)
        case list():
            return _head(4, len(item)) + b"".join(map(encode, item))
    raise TypeError(f"no CBOR for {type(item).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    return bytes([major << 5 | 27]) + argument.to_bytes(8, "big")


def _encode_float(number: float) -> bytes:
    if number != number:
        return _NAN
    wanted = struct.pack(">d", number)
    for info, (_, form) in _FLOAT_SIZES.items():
        try:
            short = struct.pack(form, number)
        except OverflowError:
            continue
        # Compared by bits: -0.0 equals 0.0, but is another value.
        if struct.pack(">d", *struct.unpack(form, short)) == wanted:
            return bytes([0xE0 | info]) + short
    raise AssertionError("a double always keeps its own bits")


def decode(data: bytes, too_deep: str = "list_item_type"):
    """The one item of the bytes; `too_deep` is the reason told where nesting has no end."""
    decoder = _Decoder(data, too_deep)
    item = decoder.item(0)
    if decoder.at != len(data):
        raise Refused("cbor_trailing_bytes", f"bytes from {decoder.at} follow the item")
    return item


class _Decoder:
    def __init__(self, data: bytes, too_deep: str):
        self.data = data
        self.at = 0
        self.too_deep = too_deep

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) < size:
            raise Refused("cbor_truncated", f"{size} bytes expected at byte {self.at}")
        self.at += size
        return part

    def item(self, depth: int):
        if depth > _MAX_DEPTH:
            raise Refused(self.too_deep, "deeper than anything this protocol has")
        major, info = divmod(self.take(1)[0], 32)
        if major == 7:
            return self.simple_or_float(info)
        argument = self.argument(major, info)
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self.take(argument)
            case 3:
                return self.text(argument)
            case 4:
                return [self.item(depth + 1) for _ in range(argument)]
            case 5:
                return Pairs((self.item(depth + 1), self.item(depth + 1)) for _ in range(argument))
        raise Refused("cbor_tag", f"tag {argument}")

    def argument(self, major: int, info: int) -> int:
        if info < 24:
            return info
        if info == 31 and major in (2, 3, 4, 5):
            raise Refused("cbor_indefinite", "lengths are definite")
        if info > 27:
            raise Refused("cbor_reserved", f"head with the reserved value {info}")
        size = 1 << info - 24
        argument = int.from_bytes(self.take(size), "big")
        if len(_head(0, argument)) != 1 + size and major != 6:
            raise Refused("cbor_not_minimal", f"{argument} fits a shorter head")
        return argument

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise Refused("cbor_utf8", str(error)) from None

    def simple_or_float(self, info: int):
        if info in (20, 21):
            return info == 21
        if info == 31:
            raise Refused("cbor_indefinite", "a break without a beginning")
        if 28 <= info <= 30:
            raise Refused("cbor_reserved", f"head with the reserved value {info}")
        if info not in _FLOAT_SIZES:
            raise Refused("cbor_simple", "only true, false and floats are allowed")
        size, form = _FLOAT_SIZES[info]
        data = self.take(size)
        (number,) = struct.unpack(form, data)
        encoded = bytes([0xE0 | info]) + data
        if number != number and encoded != _NAN:
            raise Refused("cbor_nan", "the one NaN is f97e00")
        if encoded != _encode_float(number):
            raise Refused("cbor_not_minimal", "the float fits fewer bytes")
        return number
