"""Plants faults in the package `panda` by machine, one at a time, and counts how many of them the vectors notice.

    python3 conformance/adapters/python/faults.py              # all faults; survivors are listed
    python3 conformance/adapters/python/faults.py --only cbor  # those of one module
    python3 conformance/adapters/python/faults.py --list       # what would be planted

A fault changes one node of the syntax tree: a comparison that is turned or moved by one, a number one off, a check or a
statement left out, an `and` for an `or`, an order given up. It is noticed when a case that the whole package answers as
the vectors expect is answered otherwise, with an error, or not in time. Only the cases that reach the changed function
are asked, the others would be answered as ever.

What survives is a hole in the vectors, or no fault at all: `EXCUSED` tells which of the survivors change nothing that an
answer could show, and why. The exit code is 1 where fewer than 97 of 100 of the others are noticed.
"""

import argparse
import ast
import copy
import functools
import importlib.util
import json
import multiprocessing
import os
import pathlib
import resource
import signal
import sys
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parents[2] / "vectors" / "v1"
RULESET = "spec"
SHARE_MIN = 0.97
# What the whole package takes for its slowest case, and more.
ANSWER_TIME_MAX = 10
# Speak the protocol, or only name codes; nothing is decided there.
LEFT_OUT = {"__init__", "refusal"}
# Their answers are remembered, except while they are broken themselves; then these kinds are enough to tell.
PRIMITIVES = {"blake3", "ed25519"}
ASKED_OF_PRIMITIVES = {"hash.of", "key.public", "entry.encode", "entry.decode"}
MEMORY_MAX = 4 << 30

# Why no answer can show a fault, and those of which that is so: module, function, change.
_EQUAL = {
    "the result is the same": (
        ("answers", "_value_to_json", "always the second"),
        ("blake3", "_schedule", "16 → 17"),
        ("blake3", "_compress", "Add → Sub"),
        ("document", "_find_create", "0 → -1"),
        ("ed25519", "", "Sub → Add"),
        ("ed25519", "", "1 → 0"),
        ("ed25519", "", "32 → 33"),
        ("ed25519", "_multiply_two", "Sub → Add"),
        ("ed25519", "_multiply_two", "1 → 0"),
        ("ed25519", "_decompress", "5 → 4"),
        ("ed25519", "_expand", "32 → 33"),
        ("ed25519", "_expand", "1 → 2"),
        ("ed25519", "_expand", "254 → 255"),
        ("entry", "number", "9 → 10"),
        ("entry", "decode", "0 → -1"),
        ("entry", "_refuse_lost", "1 → 0"),
        ("entry", "far_hash", "0 → -1"),
        ("ids", "check_view_id", "Gt → GtE"),
        ("lipmaa", "_t", "1 → 0"),
        ("lipmaa", "lipmaa", "1 → 0"),
        ("lipmaa", "path_from_block_end", "1 → 0"),
        ("message", "_schema_order", "0 → -1"),
        ("message", "_schema_order", "1 → 2"),
        ("operation", "decode", "0 → -1"),
        ("operation", "_decode_fields", "operand 0 left out"),
        ("operation", "_decode_fields", "Lt → LtE"),
        ("operation", "_decode_list", "all → any"),
        ("proofs", "_check_links", "operand 0 left out"),
    ),
    "the point that is nothing is added to nothing but itself, whatever its last coordinate": (
        ("ed25519", "", "0 → 1"),
        ("ed25519", "", "0 → -1"),
        ("ed25519", "_multiply", "0 → 1"),
        ("ed25519", "_multiply", "0 → -1"),
    ),
    "the vectors leave keys of small order open (R12)": (
        *(("ed25519", "_is_identity", change) for change in (
            "And → Or", "operand 0 left out", "operand 1 left out", "Eq → NotEq", "0 → 1", "0 → -1", "1 → 2", "1 → 0",
            "2 → 3", "2 → 1",
        )),
        ("ed25519", "check_public_key", "if False"),
        ("ed25519", "check_public_key", "Raise left out"),
    ),
    "the next check refuses the same, for a reason that is as right": (
        ("answers", "_of_document", "if False"),
        ("answers", "_of_document", "Eq → NotEq"),
        ("cbor", "argument", "operand 1 left out"),
        ("cbor", "argument", "0 → 1"),
        ("cbor", "argument", "6 → 7"),
        ("ed25519", "verify", "GtE → Gt"),
        ("entry", "number", "if False"),
        ("entry", "number", "Raise left out"),
        ("entry", "decode", "Expr left out"),
        ("ids", "parse_view_id", "if False"),
        ("ids", "parse_view_id", "Raise left out"),
        ("message", "decode", "operand 0 left out"),
        ("operation", "decode", "Lt → LtE"),
        ("operation", "decode", "2 → 3"),
        ("schema_id", "parse_schema_id", "GtE → Gt"),
        ("schema_id", "parse_schema_id", "operand 1 left out"),
    ),
    "nothing valid is nested that deep, and nothing else so deep as to tell these bounds apart": (
        ("cbor", "", "16 → 17"),
        ("cbor", "", "16 → 15"),
        ("cbor", "decode", "0 → 1"),
        ("cbor", "decode", "0 → -1"),
        ("cbor", "item", "Gt → GtE"),
        ("cbor", "item", "1 → 2"),
    ),
    "never reached: it guards against mistakes of the package itself": (
        ("cbor", "encode", "Raise left out"),
        ("cbor", "_encode_float", "Raise left out"),
    ),
    "it would take an input of four thousand gigabytes": (
        ("blake3", "_compress", "32 → 33"),
        ("blake3", "_compress", "32 → 31"),
    ),
    "divmod by 32 of a byte leaves no other case": (
        ("cbor", "item", "0 → -1"),
        ("cbor", "simple_or_float", "30 → 31"),
    ),
    "a NaN is packed as the one NaN anyway": (("cbor", "_encode_float", "if False"),),
    "on well-formed branches the way back never meets a link that jumps over its goal": (
        ("entry", "ancestor", "operand 1 left out"),
    ),
    "the way from the end of a block stops at its goal before it could jump over it": (
        ("lipmaa", "path_from_block_end", "Gt → GtE"),
        ("lipmaa", "path_from_block_end", "0 → -1"),
    ),
}
EXCUSED = {fault: reason for reason, of_it in _EQUAL.items() for fault in of_it}


# --- The vectors ---------------------------------------------------------------------------------------------------


def spelled(value):
    """What the brief forms of the files stand for (`vectors/FORMAT.md`)."""
    if isinstance(value, list):
        items = []
        for item in value:
            items.extend(_row(item["repeat"]) if isinstance(item, dict) and "repeat" in item else [item])
        return [spelled(item) for item in items]
    if not isinstance(value, dict):
        return value
    if set(value) == {"hex"} and isinstance(value["hex"], list):
        return "".join(part if isinstance(part, str) else part[0] * part[1] for part in value["hex"])
    members = {}
    for name, item in value.items():
        members |= dict(_row(item, named=True)) if name == "repeat" else {name: item}
    return {name: spelled(item) for name, item in members.items()}


def _row(row: dict, named: bool = False) -> list:
    template = json.dumps([row["name"], row["item"]] if named else row["item"])
    numbers = range(row["from"], row["from"] + row["count"])
    return [json.loads(template.replace("#", f"{n:04x}").replace("@", f"{n - 1:04x}")) for n in numbers]


def questions() -> list[tuple]:
    """Kind, context, input and right answers of every case, the quick ones first."""
    asked = []
    for path in sorted(VECTORS.glob("*/*.json")):
        if path.parent.name in ("schemas", "rulings"):
            continue
        file = spelled(json.loads(path.read_text()))
        for case in file["cases"]:
            context = {what: file["context"][f"{what}s"][name] for what, name in case.get("context", {}).items()}
            verdict = case["verdict"][RULESET]
            if verdict == "valid":
                right = [case["expected"]]
            elif verdict == "invalid":
                right = [case["fails_at"], *case.get("also_ok", [])]
            else:
                continue
            asked.append((file["kind"], context, case["input"], verdict, right, case["id"]))
    return sorted(asked, key=lambda case: len(str(case[2])))


# --- Asking --------------------------------------------------------------------------------------------------------


def is_right(kinds, refused, case) -> bool:
    kind, context, given, verdict, right, _ = case
    try:
        output = kinds[kind](copy.deepcopy(given), context)
    except refused as refusal:
        return verdict == "invalid" and {"phase": refusal.phase, "reason": refusal.reason} in right
    # Compared as JSON, so that 1 is not taken for true.
    return verdict == "valid" and json.dumps(output, sort_keys=True) == json.dumps(right[0], sort_keys=True)


def reached(kinds, refused, case) -> set:
    """The functions of the package that answering the case runs through, by module and first line."""
    seen = set()

    def note(frame, event, _argument):
        if event == "call" and frame.f_globals.get("__name__", "").startswith("panda."):
            seen.add((frame.f_globals["__name__"], frame.f_code.co_firstlineno))

    sys.setprofile(note)
    try:
        right = is_right(kinds, refused, case)
    finally:
        sys.setprofile(None)
    return seen if right else set()


def loaded(name: str | None = None, tree: ast.Module | None = None):
    """The package, with one module made of `tree`; whatever was imported before is imported anew."""
    for known in [known for known in sys.modules if known == "panda" or known.startswith("panda.")]:
        del sys.modules[known]
    importlib.import_module("panda")
    if name is not None:
        full = f"panda.{name}"
        spec = importlib.util.find_spec(full)
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        setattr(sys.modules["panda"], name, module)
        exec(compile(tree, spec.origin, "exec"), module.__dict__)
    _remember(name)
    answers = importlib.import_module("panda.answers")
    return answers.KINDS, importlib.import_module("panda.refusal").Refused


# Outlives the modules, for the primitives take nearly all the time and are asked the same again and again.
_MEMORY: dict = {}


def _remember(changed: str | None) -> None:
    for name, function in (("blake3", "blake3"), ("ed25519", "verify"), ("ed25519", "check_public_key"), ("ed25519", "sign")):
        if changed in (name, "refusal"):
            continue
        module = importlib.import_module(f"panda.{name}")
        sound = getattr(module, function)
        refused = importlib.import_module("panda.refusal").Refused
        setattr(module, function, _remembering(function, sound, refused))


def _remembering(name, sound, refused):
    @functools.wraps(sound)
    def answer(*arguments):
        key = (name, *map(bytes, arguments))
        if key not in _MEMORY:
            try:
                _MEMORY[key] = (sound(*arguments), None)
            except refused as refusal:
                _MEMORY[key] = (None, (refusal.reason, str(refusal)))
        result, refusal = _MEMORY[key]
        if refusal:
            raise refused(*refusal)
        return result

    return answer


# --- Faults --------------------------------------------------------------------------------------------------------

_TURNED = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}
_OTHER_OPERATOR = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitOr,
    ast.Pow: ast.Mult,
}
_OTHER_CALL = {"sorted": "list", "min": "max", "max": "min", "any": "all", "all": "any", "fullmatch": "match", "set": "list"}


def changes(node):
    """What can be made of a node: a name for the change, and the new node."""
    match node:
        case ast.Compare(ops=[operator]):
            for other in _TURNED[type(operator)]:
                new = copy.deepcopy(node)
                new.ops = [other()]
                yield f"{type(operator).__name__} → {other.__name__}", new
        case ast.Compare(ops=[_, *_]):
            for index, operator in enumerate(node.ops):
                new = copy.deepcopy(node)
                new.ops[index] = _TURNED[type(operator)][0]()
                yield f"{type(operator).__name__} {index} → {type(new.ops[index]).__name__}", new
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{type(node.op).__name__} → {other.__name__}", ast.BoolOp(other(), copy.deepcopy(node.values))
            for index in range(len(node.values)):
                rest = [copy.deepcopy(value) for at, value in enumerate(node.values) if at != index]
                yield f"operand {index} left out", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield f"{type(node.op).__name__} left out", copy.deepcopy(node.operand)
        case ast.BinOp(op=operator) if type(operator) in _OTHER_OPERATOR:
            new = copy.deepcopy(node)
            new.op = _OTHER_OPERATOR[type(operator)]()
            yield f"{type(operator).__name__} → {type(new.op).__name__}", new
        case ast.Constant(value=bool(value)):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
            yield f"{value} → {value - 1}", ast.Constant(value - 1)
        case ast.Constant(value=bytes(value)) if value:
            yield f"{value!r} one off", ast.Constant(value[:-1] + bytes([value[-1] ^ 1]))
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_CALL and node.args:
            new = copy.deepcopy(node)
            new.func.id = _OTHER_CALL[name]
            if name == "sorted":
                new.keywords = []
            yield f"{name} → {_OTHER_CALL[name]}", new
        case ast.Call(func=ast.Attribute(attr=name)) if name in _OTHER_CALL:
            new = copy.deepcopy(node)
            new.func.attr = _OTHER_CALL[name]
            yield f"{name} → {_OTHER_CALL[name]}", new
        case ast.IfExp():
            yield "always the first", copy.deepcopy(node.body)
            yield "always the second", copy.deepcopy(node.orelse)
        case ast.If():
            for value in (True, False):
                new = copy.deepcopy(node)
                new.test = ast.Constant(value)
                yield f"if {value}", new
        case ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Expr(value=ast.Call()):
            yield f"{type(node).__name__} left out", ast.Pass()


@dataclass(frozen=True)
class Fault:
    module: str
    function: str
    """The function around the node, `""` at the top of the module."""
    first: int
    """The first line of that function, by which it is known when it runs."""
    line: int
    change: str
    node: int
    """Which node of the tree, in the order of `nodes`."""
    which: int
    """Which of the changes that can be made of it."""

    def key(self) -> tuple:
        return self.module, self.function, self.change

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line} {self.function or 'module'}: {self.change}"


def parsed(module: str) -> ast.Module:
    return ast.parse((HERE / "panda" / f"{module}.py").read_text())


def nodes(tree: ast.Module) -> list[tuple]:
    """Every node that may be changed, with the function around it and its first line, in one order."""
    found = []

    def walk(node, function, first):
        if isinstance(node, ast.FunctionDef):
            function, first = node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)])
        found.append((node, function, first))
        for name, field in ast.iter_fields(node):
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST) and not _is_said(node, name, child):
                    walk(child, function, first)

    walk(tree, "", 0)
    return found


def _is_said(node, field: str, child) -> bool:
    """Whether a child is for people: docstrings, annotations, and the messages of refusals."""
    if field in ("annotation", "returns", "decorator_list") or isinstance(child, ast.JoinedStr):
        return True
    return isinstance(node, ast.Expr) and isinstance(child, ast.Constant)


def faults(module: str) -> list[Fault]:
    return [
        Fault(module, function, first, node.lineno, change, index, which)
        for index, (node, function, first) in enumerate(nodes(parsed(module)))
        for which, (change, _) in enumerate(changes(node))
    ]


class _Planter(ast.NodeTransformer):
    def __init__(self, target, new):
        self.target, self.new = target, new

    def visit(self, node):
        return ast.copy_location(self.new, node) if node is self.target else self.generic_visit(node)


def planted(fault: Fault) -> ast.Module:
    tree = parsed(fault.module)
    target = nodes(tree)[fault.node][0]
    new = list(changes(target))[fault.which][1]
    return ast.fix_missing_locations(_Planter(target, new).visit(tree))


# --- The work ------------------------------------------------------------------------------------------------------


class TookTooLong(BaseException):
    """Not an `Exception`, so that no fault can catch it."""


def _alarm(_signal, _frame):
    raise TookTooLong


def within(seconds: int, work):
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(seconds)
    try:
        return work()
    finally:
        signal.alarm(0)


def noticed_by(fault: Fault) -> str | None:
    """The first case that notices the fault, or `None`."""
    try:
        kinds, refused = within(ANSWER_TIME_MAX, lambda: loaded(fault.module, planted(fault)))
    except BaseException as error:
        return f"loading: {type(error).__name__}"
    for case in _asked_about(fault):
        try:
            if not within(ANSWER_TIME_MAX, lambda: is_right(kinds, refused, case)):
                return case[-1]
        except BaseException as error:
            return f"{case[-1]}: {type(error).__name__}"
    return None


# Set before the workers are forked: the cases, and for each the functions it runs through.
_CASES: list = []
_REACHED: list = []


def _asked_about(fault: Fault):
    module = f"panda.{fault.module}"
    for case, seen in zip(_CASES, _REACHED):
        if fault.module in PRIMITIVES:
            wanted = bool(seen) and case[0] in ASKED_OF_PRIMITIVES
        elif fault.function:
            wanted = (module, fault.first) in seen
        else:
            wanted = any(name == module for name, _ in seen)
        if wanted:
            yield case


def _noticed(fault: Fault) -> tuple:
    return fault, noticed_by(fault)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default="", help="modules whose names begin so")
    parser.add_argument("--list", action="store_true", help="tell the faults and plant none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many are planted at once")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    names = sorted(path.stem for path in (HERE / "panda").glob("*.py") if path.stem not in LEFT_OUT)
    all_faults = [fault for name in names if name.startswith(arguments.only) for fault in faults(name)]
    if arguments.list:
        print(*all_faults, sep="\n")
        return 0

    begun = time.monotonic()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    kinds, refused = loaded()
    _CASES.extend(case for case in questions() if case[0] in kinds)
    _REACHED.extend(reached(kinds, refused, case) for case in _CASES)
    sound = sum(map(bool, _REACHED))
    print(f"{sound} of {len(_CASES)} cases are answered as the vectors expect", file=sys.stderr)
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        fates = pool.map(_noticed, all_faults, chunksize=1)
    lived = [fault for fault, case in fates if case is None]
    told = [fault for fault in lived if fault.key() not in EXCUSED]
    excused = len(lived) - len(told)
    for fault in told:
        print(f"survived  {fault}")
    for key in EXCUSED.keys() - {fault.key() for fault in lived}:
        if key[0].startswith(arguments.only):
            print(f"excused for nothing  {key}")
    counted = len(fates) - excused
    share = (counted - len(told)) / max(1, counted)
    print(
        f"{len(fates)} faults: {len(fates) - len(lived)} noticed, {excused} change no answer, {len(told)} survived;"
        f" {share:.1%} found in {time.monotonic() - begun:.0f} s"
    )
    return 0 if share >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
