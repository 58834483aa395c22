"""Answers the vectors' questions over standard input and output, protocol `p2c/1` (`vectors/FORMAT.md`).

An error that is no refusal is a defect of the package: it ends the adapter with its traceback on standard error, which the
runner keeps, rather than passing for an answer.
"""

import json
import sys

from panda.answers import KINDS
from panda.refusal import Refused

RULESET = "spec"

HELLO = {
    "ok": True,
    "protocol": 1,
    "implementation": {"name": "grove-panda-py", "version": "0.1.0", "language": "python"},
    "kinds": list(KINDS),
    "features": ["partial-log", "ranges", "skeleton", "tips"],
    "ruleset": RULESET,
}


def answer(question: dict) -> dict:
    seq = question.get("seq")
    solve = KINDS.get(question.get("kind"))
    if question.get("op") != "case" or solve is None:
        return {"seq": seq, "unsupported": True}
    if question["ruleset"] != RULESET:
        return {"seq": seq, "skip": {"reason": f"implements the ruleset {RULESET} alone"}}
    try:
        output = solve(question["input"], question["context"])
    except Refused as refusal:
        return {
            "seq": seq,
            "verdict": "invalid",
            "phase": refusal.phase,
            "reason": refusal.reason,
            "message": str(refusal),
        }
    return {"seq": seq, "verdict": "valid", "output": output}


def main() -> None:
    for line in sys.stdin:
        try:
            question = json.loads(line)
        except ValueError:
            question = None
        if not isinstance(question, dict):
            reply = {"error": "the line is not a JSON object"}
        elif question.get("op") == "stop":
            return
        else:
            reply = HELLO if question.get("op") == "hello" else answer(question)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
