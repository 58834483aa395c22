// Decides what a schema id and a field type are, and whether an operation keeps to a schema.

import { parseHash, requireViewId, viewHash, hashFromBytes } from "./ids.mjs";
import { Refusal, refuse } from "./refusal.mjs";

export const SYSTEM_NAMES = ["schema_definition", "schema_field_definition", "blob", "blob_piece"];
export const SCHEMA_NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}[A-Za-z0-9]$/;
export const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const MIME_TYPE = /^[a-z-]{1,12}\/(?:[a-z0-9]{1,18}[.|+-]){0,6}[a-z0-9]{1,16}$/;
const SCALARS = ["bool", "int", "float", "str", "bytes"];
const RELATION = /^(relation|relation_list|pinned_relation|pinned_relation_list)\(([^()]*)\)$/;
const ID_TEXT_LENGTH = 68;
export const DESCRIPTION_MAX = 256;
export const FIELD_COUNT_MAX = 1024;
const PIECE_SIZE_MAX = 256_000;

/** Parses a schema id (SC9): `name_v1` of a system schema, or a name and the ids of a view. */
export function parseSchemaId(text) {
  const parts = text.split("_");
  if (parts.length < 2) refuse("schema", "schema_id_malformed", "there is no underscore");
  const last = parts.at(-1);
  if (last.startsWith("v") && last.length < ID_TEXT_LENGTH) return systemSchema(text, parts);

  // The name may hold underscores itself, so ids are taken off the end while what is left is long enough.
  const ids = [];
  do ids.unshift(parseHash(parts.pop()));
  while (parts.length > 0 && parts.join("_").length >= ID_TEXT_LENGTH);
  const name = parts.join("_");
  if (!SCHEMA_NAME.test(name)) refuse("schema", "schema_name", "the name breaks SC1");
  requireViewId(ids);
  return { name, view_id: ids, hash_id: `${name}__${viewHash(ids)}` };
}

function systemSchema(text, parts) {
  const name = parts.slice(0, -1).join("_");
  // Only version 1 of each has a definition.
  if (parts.at(-1) !== "v1" || !SYSTEM_NAMES.includes(name)) {
    refuse("schema", "schema_id_unknown_system", `${text} is none of the system schemas`);
  }
  return { name, version: 1, hash_id: `${name}__1` };
}

/** The kind of a field, from the whole of its type string (R16). */
export function parseFieldType(text) {
  if (SCALARS.includes(text)) return text;
  const match = RELATION.exec(text);
  if (match === null) refuse("schema", "field_type", "a type of no such form");
  try {
    parseSchemaId(match[2]);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse("schema", "field_type", `the relation leads to no schema: ${error.message}`);
  }
  return match[1];
}

/** The operation with values as the schema reads them; checks in the order of the specification. */
export function validateOperation(operation, schema) {
  if (operation.schema_id !== schema.id) refuse("schema", "schema_mismatch");
  if (operation.fields === null) return operation;

  const types = new Map(Object.entries(schema.fields));
  const fields = new Map();
  const unexpected = [];
  if (operation.action === "create") requireAllFields(operation.fields, types);
  for (const [name, value] of operation.fields) {
    if (types.has(name)) fields.set(name, typedValue(name, value, parseFieldType(types.get(name))));
    else unexpected.push(name);
  }
  requireSystemRules(schema.id, fields);
  if (unexpected.length > 0) refuse("schema", "field_unexpected", unexpected.join(", "));
  return { ...operation, fields };
}

export function requireAllFields(fields, types) {
  for (const name of types.keys()) {
    if (!fields.has(name)) refuse("schema", "field_missing", name);
  }
}

/** What a system schema asks of the given fields beyond their types; other schemas ask nothing. */
export function requireSystemRules(schemaId, fields) {
  SYSTEM_RULES[schemaId]?.(fields);
}

function typedValue(name, value, type) {
  const [[kind, content]] = Object.entries(value);
  const mismatch = () => refuse("schema", "field_type_mismatch", `${name} is ${kind}, not ${type}`);
  switch (type) {
    case "relation":
      if (kind !== "bytes") mismatch();
      return { relation: hashFromBytes(Buffer.from(content, "hex")) };
    case "relation_list":
      if (kind !== "ids") mismatch();
      return { relation_list: content };
    case "pinned_relation":
      if (kind !== "ids") mismatch();
      return { pinned_relation: requireViewId(content) };
    case "pinned_relation_list":
      // R18: deployed software reads any flat list here as an empty one.
      if (kind !== "id_lists" && !(kind === "ids" && content.length === 0)) mismatch();
      return { pinned_relation_list: content.map(requireViewId) };
    default:
      if (kind !== type) mismatch();
      return value;
  }
}

// What system schemas ask beyond the types, of whichever fields are given.
const SYSTEM_RULES = {
  schema_definition_v1(fields) {
    given(fields, "name", ({ str }) => SCHEMA_NAME.test(str), "schema_name");
    given(fields, "description", ({ str }) => [...str].length <= DESCRIPTION_MAX, "schema_description");
    given(fields, "fields", (value) => value.pinned_relation_list.length <= FIELD_COUNT_MAX, "schema_field_count");
  },
  schema_field_definition_v1(fields) {
    given(fields, "name", ({ str }) => FIELD_NAME.test(str), "field_name");
    given(fields, "type", ({ str }) => parseFieldType(str) !== null, "field_type");
  },
  blob_v1(fields) {
    given(fields, "mime_type", ({ str }) => MIME_TYPE.test(str), "blob_mime_type");
    given(fields, "length", ({ int }) => BigInt(int) >= 0n, "blob_length");
    // R19: no bytes and no pieces come together. An UPDATE of one of the two leaves the other open.
    if (!fields.has("length")) return;
    const isOfNothing = BigInt(fields.get("length").int) === 0n;
    const fits = ({ pinned_relation_list: pieces }) => (pieces.length === 0) === isOfNothing;
    given(fields, "pieces", fits, "blob_pieces");
  },
  blob_piece_v1(fields) {
    given(fields, "data", ({ bytes }) => bytes.length / 2 <= PIECE_SIZE_MAX, "blob_piece_size");
  },
};

function given(fields, name, isRight, reason) {
  if (fields.has(name) && !isRight(fields.get(name))) refuse("schema", reason, `the field ${name}`);
}
