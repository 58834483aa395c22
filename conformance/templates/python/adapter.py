"""Answers test vectors on standard input and output: the protocol `p2c/1`.

Begin with one kind, then add functions to KINDS until nothing comes back as unsupported any more.
"""

import json
import re
import sys


class Refused(Exception):
    """The input is invalid: where that shows, and which rule it breaks."""

    def __init__(self, phase, reason, message=""):
        super().__init__(message)
        self.phase = phase
        self.reason = reason


def from_hex(text):
    if not re.fullmatch("([0-9a-fA-F]{2})*", text):
        raise Refused("text", "invalid_hex")
    return bytes.fromhex(text)


def varu64_decode(text, context):
    """0 to 247 stand for themselves; from 248 on the first byte tells how many follow, 1 to 8."""
    data = from_hex(text)
    if not data:
        raise Refused("entry", "varint_truncated", "there is no byte")
    following = max(data[0] - 247, 0)
    size = 1 + following
    if len(data) < size:
        raise Refused("entry", "varint_truncated", f"{len(data)} of {size} bytes")
    value = int.from_bytes(data[1:size], "big") if following else data[0]
    shortest = 0 if value < 248 else (value.bit_length() + 7) // 8
    if following != shortest:
        raise Refused("entry", "varint_not_minimal", f"{value} in {size} bytes")
    if len(data) > size:
        raise Refused("entry", "varint_trailing_bytes", f"{len(data) - size} bytes left")
    return {"value": str(value)}


KINDS = {
    "varu64.decode": varu64_decode,
}

HELLO = {
    "ok": True,
    "protocol": 1,
    "implementation": {"name": "my-library", "version": "0.1.0", "language": "python"},
    "kinds": list(KINDS),
    "features": [],
    "ruleset": "spec",
}


def answer(question):
    seq = question.get("seq")
    solve = KINDS.get(question.get("kind"))
    if question.get("op") != "case" or solve is None:
        return {"seq": seq, "unsupported": True}
    if question.get("ruleset") != "spec":
        return {"seq": seq, "skip": {"reason": "implements the ruleset spec alone"}}
    try:
        return {"seq": seq, "verdict": "valid", "output": solve(question["input"], question["context"])}
    except Refused as refused:
        cause = {"phase": refused.phase, "reason": refused.reason, "message": str(refused)}
        return {"seq": seq, "verdict": "invalid", **cause}


def main():
    for line in sys.stdin:
        try:
            question = json.loads(line)
        except ValueError:
            question = None
        if not isinstance(question, dict):
            reply = {"error": "the line is not a JSON object"}
        elif question.get("op") == "stop":
            return
        elif question.get("op") == "hello":
            reply = HELLO
        else:
            reply = answer(question)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
