// Decides in which order the operations of a document count, and what they make of it (DO1 to D11).

import { refuse } from "./refusal.mjs";
import { validateOperation } from "./schema.mjs";

/** Order and state of a document, from its operations in any order: a list of { id, operation }. */
export function reduceDocument(operations, schema) {
  const { nodes, root } = graphOf(operations, schema);
  return stateOf(walk(nodes, root));
}

/** The same of what a view names and builds on, and of nothing beside it. */
export function documentAtView(operations, schema, viewId) {
  const { nodes, root } = graphOf(operations, schema);
  walk(nodes, root);
  const kept = new Map();
  const open = [...viewId];
  while (open.length > 0) {
    const id = open.pop();
    if (!nodes.has(id)) refuse("graph", "view_not_found", id);
    if (kept.has(id)) continue;
    kept.set(id, nodes.get(id));
    open.push(...(nodes.get(id).operation.previous ?? []));
  }
  for (const node of kept.values()) node.children = node.children.filter(({ id }) => kept.has(id));
  return stateOf(walk(kept, root));
}

function graphOf(operations, schema) {
  const nodes = new Map();
  for (const { id, operation } of operations) {
    if (nodes.has(id)) refuse("graph", "operation_duplicate", id);
    nodes.set(id, { id, operation, children: [] });
  }
  const root = rootOf(nodes);
  for (const node of nodes.values()) {
    if (node.operation.schema_id !== root.operation.schema_id) {
      refuse("graph", "document_schema_mismatch", node.id);
    }
    node.operation = validateOperation(node.operation, schema);
  }
  connect(nodes);
  return { nodes, root };
}

function rootOf(nodes) {
  const creates = [...nodes.values()].filter(({ operation }) => operation.action === "create");
  if (creates.length === 0) refuse("graph", "create_missing");
  if (creates.length > 1) refuse("graph", "create_duplicate");
  return creates[0];
}

function connect(nodes) {
  for (const node of nodes.values()) {
    for (const id of node.operation.previous ?? []) {
      if (!nodes.has(id)) refuse("graph", "previous_not_found", id);
      nodes.get(id).children.push(node);
    }
  }
  for (const node of nodes.values()) node.children.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** R4: an operation comes when all it refers to has come, lowest id first, a branch to its end. */
function walk(nodes, root) {
  const order = [];
  const waiting = new Map([...nodes.values()].map(({ id, operation }) => [id, operation.previous?.length ?? 0]));
  const emit = (node) => {
    order.push(node);
    for (const { id } of node.children) waiting.set(id, waiting.get(id) - 1);
    return { node, nextChild: 0 };
  };

  // An own stack instead of recursion: a document may be deeper than the stack of the language.
  const emitted = new Set([root.id]);
  const path = [emit(root)];
  while (path.length > 0) {
    const place = path.at(-1);
    const child = place.node.children[place.nextChild];
    place.nextChild += 1;
    if (child === undefined) path.pop();
    else if (!emitted.has(child.id) && waiting.get(child.id) === 0) {
      emitted.add(child.id);
      path.push(emit(child));
    }
  }
  if (order.length < nodes.size) refuse("graph", "graph_cycle", "operations refer to each other in a circle");
  return order;
}

function stateOf(walked) {
  const end = walked.findIndex(({ operation }) => operation.action === "delete");
  if (end >= 0) {
    // R5: the first DELETE ends the document, whatever is beside or above it.
    const order = walked.slice(0, end + 1).map(({ id }) => id);
    return { view_id: order.at(-1), deleted: true, order, fields: null };
  }

  const fields = new Map();
  for (const { id, operation } of walked) {
    for (const [name, value] of operation.fields) fields.set(name, { value, set_by: id });
  }
  const tips = walked.filter(({ children }) => children.length === 0).map(({ id }) => id);
  return {
    view_id: tips.sort().join("_"),
    deleted: false,
    order: walked.map(({ id }) => id),
    fields: Object.fromEntries(fields),
  };
}
