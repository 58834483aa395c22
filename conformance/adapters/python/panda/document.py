"""Documents: the graph of operations, the order of the walk (R4), and the state it leads to (R5).

The whole graph is walked even where a DELETE ends the document, since an operation no walk reaches is an error of the graph.
"""

from collections import defaultdict
from dataclasses import dataclass

from .operation import Operation
from .refusal import Refused


@dataclass
class Document:
    view_id: list[bytes]
    deleted: bool
    order: list[bytes]
    fields: dict[str, tuple] | None
    """name → (value, id of the operation that set it); `None` once deleted"""


def reduce(given: list[tuple[bytes, Operation]], schema_id: str) -> Document:
    operations, root = _graph(given, schema_id)
    return _state(root, operations)


def at_view(given: list[tuple[bytes, Operation]], schema_id: str, view_id: list[bytes]) -> Document:
    """The document as it was at a view: what that names and builds on, and nothing beside it."""
    operations, root = _graph(given, schema_id)
    for key in view_id:
        if key not in operations:
            raise Refused("view_not_found", f"{key.hex()} is not part of the document")
    kept = {}
    open_ends = list(view_id)
    while open_ends:
        key = open_ends.pop()
        if key not in kept:
            kept[key] = operations[key]
            open_ends.extend(operations[key].previous or ())
    return _state(root, kept)


def _graph(given: list[tuple[bytes, Operation]], schema_id: str) -> tuple[dict, bytes]:
    """The operations by their ids and the CREATE, once all of them are known to make up one document."""
    operations = dict(given)
    if len(operations) != len(given):
        raise Refused("operation_duplicate", "an operation is given twice")
    root = _find_create(operations)
    for key, operation in operations.items():
        if operation.schema_id != operations[root].schema_id:
            raise Refused("document_schema_mismatch", f"{key.hex()} is of another schema")
    if operations[root].schema_id != schema_id:
        raise Refused("schema_mismatch", f"the document is of {operations[root].schema_id}")
    if len(_walk(root, operations, _children(operations))) != len(operations):
        raise Refused("graph_cycle", "operations refer to each other in a circle")
    return operations, root


def _state(root: bytes, operations: dict) -> Document:
    children = _children(operations)
    walked = _walk(root, operations, children)
    fields = {}
    for at, key in enumerate(walked):
        if operations[key].action == "delete":
            return Document([key], True, walked[: at + 1], None)
        for name, value in operations[key].fields.items():
            fields[name] = (value, key)
    tips = sorted(key for key in operations if not children[key])
    return Document(tips, False, walked, fields)


def _find_create(operations: dict) -> bytes:
    creates = [key for key, operation in operations.items() if operation.action == "create"]
    if not creates:
        raise Refused("create_missing", "a document starts with a CREATE")
    if len(creates) > 1:
        raise Refused("create_duplicate", "a document has one CREATE")
    return creates[0]


def _children(operations: dict) -> dict:
    """The operations that name a key in `previous`, ascending."""
    children = defaultdict(list)
    for key in sorted(operations):
        for previous in operations[key].previous or ():
            if previous not in operations:
                raise Refused("previous_not_found", f"{previous.hex()} is not there")
            children[previous].append(key)
    return children


def _walk(root: bytes, operations: dict, children: dict) -> list[bytes]:
    """Depth first, the lowest id first, and never before all of `previous`. A stack of its own, as graphs may be deep."""
    missing = {key: len(operation.previous or ()) for key, operation in operations.items()}
    emitted = []
    branches = []

    def emit(key: bytes) -> None:
        emitted.append(key)
        for child in children[key]:
            missing[child] -= 1
        branches.append(iter(children[key]))

    seen = {root}
    emit(root)
    while branches:
        child = next(branches[-1], None)
        if child is None:
            branches.pop()
        elif child not in seen and missing[child] == 0:
            seen.add(child)
            emit(child)
    return emitted
