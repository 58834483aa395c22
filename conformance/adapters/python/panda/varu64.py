"""varu64: one byte up to 247; above, the first byte says how many big-endian bytes follow."""

from .refusal import Refused


def encode(value: int) -> bytes:
    if value < 0xF8:
        return bytes([value])
    size = (value.bit_length() + 7) // 8
    return bytes([0xF7 + size]) + value.to_bytes(size, "big")


def decode(data: bytes) -> tuple[int, int]:
    """The number at the start of `data`, and how many bytes it takes."""
    if not data:
        raise Refused("varint_truncated", "no byte of the number is there")
    if data[0] < 0xF8:
        return data[0], 1
    size = data[0] - 0xF7
    rest = data[1 : 1 + size]
    if len(rest) < size:
        raise Refused("varint_truncated", f"{size} bytes announced, {len(rest)} are there")
    value = int.from_bytes(rest, "big")
    if len(encode(value)) != 1 + size:
        raise Refused("varint_not_minimal", f"{value} fits fewer bytes")
    return value, 1 + size


def decode_all(data: bytes) -> int:
    value, size = decode(data)
    if size != len(data):
        raise Refused("varint_trailing_bytes", f"{len(data) - size} bytes after the number")
    return value
