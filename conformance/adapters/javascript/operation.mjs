// Decides which bytes are an operation, and which bytes an operation is (OP1 to OP8, EN1, EN2).
//
// In memory: { action, schema_id, previous: [id] | null, fields: Map(name → value) | null }. A value is an
// object with one member that names its type; without a schema a relation is only `bytes`, a list only `ids`.

import { decodeCbor, encodeCbor } from "./cbor.mjs";
import { bytesFromHex, hashFromBytes, hexFromBytes, parseHash, requireViewId } from "./ids.mjs";
import { refuse } from "./refusal.mjs";
import { parseSchemaId } from "./schema.mjs";

const VERSION = 1n;
const ACTIONS = ["create", "update", "delete"];
const HAS_PREVIOUS = { create: false, update: true, delete: true };
const HAS_FIELDS = { create: true, update: true, delete: false };

export function decodeOperation(bytes) {
  const outer = decodeCbor(bytes);
  if (outer.type !== "array") refuse("operation", "operation_shape", "not an array");
  const items = outer.value;

  const version = itemOf(items[0], "int", "version");
  if (version !== VERSION) refuse("operation", "operation_version", `version ${version}`);
  const number = itemOf(items[1], "int", "action");
  const action = number >= 0n ? ACTIONS[number] : undefined;
  if (action === undefined) refuse("operation", "operation_action", `action ${number}`);
  if (items.length !== 3 + HAS_PREVIOUS[action] + HAS_FIELDS[action]) {
    refuse("operation", "operation_item_count", `${items.length} items in ${action}`);
  }

  const schema_id = itemOf(items[2], "str", "schema id");
  parseSchemaId(schema_id);
  const rest = items.slice(3);
  const previous = HAS_PREVIOUS[action] ? decodePrevious(rest.shift()) : null;
  const fields = HAS_FIELDS[action] ? decodeFields(rest.shift()) : null;
  return { action, schema_id, previous, fields };
}

function itemOf(item, type, name) {
  if (item === undefined) refuse("operation", "operation_item_count", `no ${name}`);
  if (item.type !== type) refuse("operation", "operation_item_type", `${name} is ${item.type}`);
  return item.value;
}

function decodePrevious(item) {
  return requireViewId(itemOf(item, "array", "previous").map(idOfItem));
}

function idOfItem(item) {
  if (item.type !== "bytes") refuse("operation", "list_item_type", `${item.type} where an id belongs`);
  return hashFromBytes(item.value);
}

function decodeFields(item) {
  const fields = new Map();
  let before = null;
  for (const [key, value] of itemOf(item, "map", "fields")) {
    const name = itemOf(key, "str", "field name");
    const bytes = Buffer.from(name);
    const order = before === null ? -1 : Buffer.compare(before, bytes);
    if (order === 0) refuse("operation", "fields_duplicate", name);
    if (order > 0) refuse("operation", "fields_unsorted", name);
    fields.set(name, valueOfItem(value));
    before = bytes;
  }
  return fields;
}

function valueOfItem({ type, value }) {
  switch (type) {
    case "bool": return { bool: value };
    case "str": return { str: value };
    case "bytes": return { bytes: hexFromBytes(value) };
    case "float": return { float: floatBits(value) };
    case "int": return { int: String(requireI64(value)) };
    case "array": return listOfItems(value);
    default: return refuse("operation", "value_type", `no field type holds ${type}`);
  }
}

function listOfItems(items) {
  const isNested = items.length > 0 && items[0].type === "array";
  if (!isNested) return { ids: items.map(idOfItem) };
  if (items.some(({ type }) => type !== "array")) refuse("operation", "list_item_type", "ids and lists mixed");
  return { id_lists: items.map(({ value }) => value.map(idOfItem)) };
}

function requireI64(value) {
  if (BigInt.asIntN(64, value) !== value) refuse("operation", "integer_out_of_range", String(value));
  return value;
}

function floatBits(value) {
  if (Number.isNaN(value)) return "7ff8000000000000";
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return hexFromBytes(new Uint8Array(view.buffer));
}

/** The canonical bytes of an operation whose members come in any order. */
export function encodeOperation({ action, schema_id, previous, fields }) {
  const number = ACTIONS.indexOf(action);
  if (number < 0) refuse("operation", "operation_action", `no action ${action}`);
  const hasPrevious = (previous ?? null) !== null;
  const hasFields = (fields ?? null) !== null;
  if (hasPrevious !== HAS_PREVIOUS[action] || hasFields !== HAS_FIELDS[action]) {
    refuse("operation", "operation_item_count", `previous or fields do not belong to ${action}`);
  }
  parseSchemaId(schema_id);

  const items = [int(VERSION), int(BigInt(number)), { type: "str", value: schema_id }];
  if (hasPrevious) items.push(idItems(sortedSet(previous)));
  if (hasFields) items.push({ type: "map", value: fieldItems(fields) });
  return Uint8Array.from(encodeCbor({ type: "array", value: items }));
}

function int(value) {
  return { type: "int", value };
}

function sortedSet(ids) {
  return requireViewId([...new Set(ids.map(parseHash))].sort());
}

function idItems(ids) {
  return { type: "array", value: ids.map((id) => ({ type: "bytes", value: bytesFromHex(id) })) };
}

// JavaScript compares text by UTF-16 units, which is another order than that of UTF-8 beyond U+FFFF.
function fieldItems(fields) {
  return Object.entries(fields)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => [{ type: "str", value: name }, itemOfValue(value)]);
}

function itemOfValue(value) {
  const [[kind, content]] = Object.entries(value);
  switch (kind) {
    case "bool":
    case "str": return { type: kind, value: content };
    case "int": return int(requireI64(BigInt(content)));
    case "float": return { type: "float", value: Buffer.from(content, "hex").readDoubleBE() };
    case "bytes": return { type: "bytes", value: bytesFromHex(content) };
    case "relation": return { type: "bytes", value: bytesFromHex(parseHash(content)) };
    case "ids":
    case "relation_list": return idItems(content.map(parseHash));
    case "pinned_relation": return idItems(sortedSet(content));
    case "id_lists": return { type: "array", value: content.map((ids) => idItems(ids.map(parseHash))) };
    case "pinned_relation_list":
      return { type: "array", value: content.map((ids) => idItems(sortedSet(ids))) };
    default: return refuse("operation", "value_type", `no field type ${kind}`);
  }
}

/** The operation as an answer shows it: a plain object instead of the map. */
export function showOperation(operation) {
  const fields = operation.fields === null ? null : Object.fromEntries(operation.fields);
  return { ...operation, fields };
}
