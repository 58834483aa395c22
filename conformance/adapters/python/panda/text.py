"""Hex and decimal numbers as text. Which case hex may have is the caller's affair (R13)."""

import re

from .refusal import Refused

U64_MAX = 2**64 - 1

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,19}")


def unhex(text: str) -> bytes:
    # `bytes.fromhex` skips spaces, so the digits are looked at first.
    if not _HEX.fullmatch(text):
        raise Refused("invalid_hex", "not an even number of hex digits")
    return bytes.fromhex(text)


def parse_u64(text: str) -> int:
    number = _parse(text)
    if text.startswith("-") or number > U64_MAX:
        raise Refused("invalid_number", "outside 0 to 2^64-1")
    return number


def parse_i64(text: str) -> int:
    number = _parse(text)
    if not is_i64(number):
        raise Refused("integer_out_of_range", "outside -2^63 to 2^63-1")
    return number


def is_i64(number: int) -> bool:
    return -(2**63) <= number < 2**63


def _parse(text: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise Refused("invalid_number", "not a decimal number")
    return int(text)
