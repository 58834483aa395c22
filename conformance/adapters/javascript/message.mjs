// Decides which bytes are a replication message, and which bytes a message is.
//
// Schema ids have one order; heights may come in any, as deployed nodes write them, but name each log once.

import { decodeCbor, encodeCbor } from "./cbor.mjs";
import { publicKeyPoint } from "./ed25519.mjs";
import { bytesFromHex, hashFromBytes, hexFromBytes, parseHash } from "./ids.mjs";
import { refuse } from "./refusal.mjs";
import { SYSTEM_NAMES, parseSchemaId } from "./schema.mjs";
import { parseU64 } from "./varu64.mjs";

// A number inside a tip inside the tips of a log inside the logs of an author inside all inside the message.
const DEPTH = { max: 8, phase: "message", reason: "message_malformed" };
const TYPES = new Map([
  [0n, "announce"], [1n, "sync_request"], [2n, "entry"], [3n, "sync_done"], [10n, "have"], [12n, "skeleton"],
  [13n, "tips"], [14n, "ranges"], [15n, "want"], [16n, "refusal"],
]);
const NUMBERS = new Map([...TYPES].map(([number, type]) => [type, number]));

export function decodeMessage(bytes) {
  const [head, ...rest] = itemOf(decodeCbor(bytes, DEPTH), "array");
  if (head === undefined) refuse("message", "message_item_count", "an array of nothing");
  const type = TYPES.get(numberOf(head));
  if (type === undefined) refuse("message", "message_type", `type ${head.value}`);
  const members = Object.entries(MEMBERS[type]);
  // Some peers leave out the operation they have lost; that is read, and never written.
  const lost = type === "entry" && rest.length === 2;
  if (!lost && rest.length !== members.length) refuse("message", "message_item_count", `${rest.length + 1} items`);
  const message = { type };
  members.forEach(([name, { read }], i) => { message[name] = i < rest.length ? read(rest[i]) : null; });
  requireTarget(message);
  return message;
}

export function encodeMessage(message) {
  if (!NUMBERS.has(message.type)) refuse("message", "message_type", message.type);
  const members = Object.entries(MEMBERS[message.type]).map(([name, { write }]) => write(message[name]));
  requireTarget(message);
  const items = [{ type: "int", value: NUMBERS.get(message.type) }, ...members];
  return Uint8Array.from(encodeCbor({ type: "array", value: items }));
}

function requireTarget({ type, schemas }) {
  if (type === "sync_request" && schemas.length === 0) refuse("message", "message_set", "a request for nothing");
}

function itemOf({ type, value }, wanted) {
  if (type !== wanted) refuse("message", "message_malformed", `${type} where ${wanted} belongs`);
  return value;
}

function numberOf(item) {
  const value = itemOf(item, "int");
  if (value < 0n) refuse("message", "message_malformed", "a number below zero");
  return value;
}

function pairOf(item) {
  const items = itemOf(item, "array");
  if (items.length !== 2) refuse("message", "message_item_count", `${items.length} items instead of two`);
  return items;
}

/** System schemas in their own order, then the others by name, then by view id. */
function compareSchemas(a, b) {
  const [left, right] = [a, b].map(parseSchemaId);
  const rank = ({ name, version }) => (version === undefined ? SYSTEM_NAMES.length : SYSTEM_NAMES.indexOf(name));
  const keys = ({ name, view_id = [] }) => [name, ...view_id];
  if (rank(left) !== rank(right)) return rank(left) - rank(right);
  return compareTexts(keys(left), keys(right));
}

function compareTexts(left, right) {
  for (const [i, text] of left.entries()) {
    if (right[i] === undefined || text > right[i]) return 1;
    if (text < right[i]) return -1;
  }
  return left.length - right.length;
}

function readSchemas(item) {
  const ids = itemOf(item, "array").map((id) => itemOf(id, "str"));
  ids.forEach(parseSchemaId);
  for (let i = 1; i < ids.length; i += 1) {
    if (compareSchemas(ids[i - 1], ids[i]) >= 0) refuse("message", "message_set", `${ids[i]} comes too late`);
  }
  return ids;
}

function writeSchemas(ids) {
  ids.forEach(parseSchemaId);
  const sorted = [...new Set(ids)].sort(compareSchemas);
  return { type: "array", value: sorted.map((value) => ({ type: "str", value })) };
}

function readHeights(item) {
  const authors = itemOf(item, "array").map((author) => {
    const [key, logs] = pairOf(author);
    const bytes = itemOf(key, "bytes");
    publicKeyPoint(bytes);
    const heights = itemOf(logs, "array").map((log) => pairOf(log).map(numberOf));
    if (heights.some(([, seqNum]) => seqNum === 0n)) refuse("message", "message_malformed", "a log without entries");
    return [hexFromBytes(bytes), sortedOnce(heights, ([logId]) => logId)];
  });
  return sortedOnce(authors, ([key]) => key).map(([key, logs]) => ({
    public_key: key,
    logs: logs.map(([logId, seqNum]) => ({ log_id: String(logId), seq_num: String(seqNum) })),
  }));
}

function sortedOnce(items, keyOf) {
  if (new Set(items.map(keyOf)).size < items.length) refuse("message", "message_malformed", "named twice");
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function writeHeights(heights) {
  const int = (value) => ({ type: "int", value });
  const authors = heights.map(({ public_key, logs }) => {
    const key = bytesFromHex(public_key);
    publicKeyPoint(key);
    const pairs = logs.map(({ log_id, seq_num }) => [parseU64(log_id), parseU64(seq_num)]);
    if (pairs.some(([, seqNum]) => seqNum === 0n)) refuse("entry", "seq_num_zero");
    const sorted = sortedOnce(pairs, ([logId]) => logId);
    return [key, sorted.map((pair) => ({ type: "array", value: pair.map(int) }))];
  });
  const value = sortedOnce(authors, ([key]) => hexFromBytes(key)).map(([key, logs]) => ({
    type: "array",
    value: [{ type: "bytes", value: key }, { type: "array", value: logs }],
  }));
  return { type: "array", value };
}

// Only grove sends tips, in one order: authors by key, logs by number, tips by number and hash.
function readTips(item) {
  return ascending(itemOf(item, "array").map((author) => {
    const [key, logs] = pairOf(author);
    const bytes = itemOf(key, "bytes");
    publicKeyPoint(bytes);
    return { public_key: hexFromBytes(bytes), logs: ascending(itemOf(logs, "array").map(readLogTips), byLog) };
  }), byKey);
}

function readLogTips(item) {
  const [logId, list] = pairOf(item);
  const tips = itemOf(list, "array").map((tip) => {
    const [seqNum, hash] = pairOf(tip);
    if (numberOf(seqNum) === 0n) refuse("message", "message_malformed", "numbers start at 1");
    return { seq_num: String(seqNum.value), hash: hashFromBytes(itemOf(hash, "bytes")) };
  });
  if (tips.length === 0) refuse("message", "message_malformed", "a log without tips");
  return { log_id: String(numberOf(logId)), tips: ascending(tips, byTip) };
}

const byKey = (a, b) => (a.public_key < b.public_key ? -1 : Number(a.public_key > b.public_key));
const byLog = (a, b) => Number(BigInt(a.log_id) - BigInt(b.log_id));
const byTip = (a, b) => Number(BigInt(a.seq_num) - BigInt(b.seq_num)) || (a.hash < b.hash ? -1 : Number(a.hash > b.hash));

function ascending(items, compare) {
  for (let i = 1; i < items.length; i += 1) {
    if (compare(items[i - 1], items[i]) >= 0) refuse("message", "message_malformed", "out of order, or named twice");
  }
  return items;
}

function writeTips(authors) {
  const array = (value) => ({ type: "array", value });
  const int = (text) => ({ type: "int", value: parseU64(text) });
  const tipOf = ({ seq_num, hash }) => {
    if (parseU64(seq_num) === 0n) refuse("entry", "seq_num_zero");
    return array([int(seq_num), { type: "bytes", value: bytesFromHex(parseHash(hash)) }]);
  };
  const logOf = ({ log_id, tips }) => {
    if (tips.length === 0) refuse("message", "message_malformed", "a log without tips");
    const once = tips.toSorted(byTip).filter((tip, i, all) => i === 0 || byTip(all[i - 1], tip) !== 0);
    return array([int(log_id), array(once.map(tipOf))]);
  };
  return array(authors.toSorted(byKey).map(({ public_key, logs }) => {
    const key = bytesFromHex(public_key);
    publicKeyPoint(key);
    return array([{ type: "bytes", value: key }, array(logs.toSorted(byLog).map(logOf))]);
  }));
}

const NUMBER = {
  read: (item) => String(numberOf(item)),
  write: (text) => ({ type: "int", value: parseU64(text) }),
};
const BYTES = {
  read: (item) => hexFromBytes(itemOf(item, "bytes")),
  write: (text) => ({ type: "bytes", value: bytesFromHex(text) }),
};
const FLAG = { read: (item) => itemOf(item, "bool"), write: (value) => ({ type: "bool", value }) };
const SCHEMAS = { read: readSchemas, write: writeSchemas };
const SCHEMA_ID = {
  read: (item) => readSchemas({ type: "array", value: [item] })[0],
  write: (id) => writeSchemas([id]).value[0],
};
const ID = {
  read: (item) => hashFromBytes(itemOf(item, "bytes")),
  write: (text) => ({ type: "bytes", value: bytesFromHex(parseHash(text)) }),
};

// Hashes that ascend, each once.
const HASHES = {
  read: (item) => ascending(itemOf(item, "array").map(ID.read), byText),
  write: (hashes) => {
    const sorted = [...new Set(hashes.map(parseHash))].sort();
    return { type: "array", value: sorted.map(ID.write) };
  },
};
const byText = (a, b) => (a < b ? -1 : Number(a > b));
// A view id as a list of its operations, which is empty where there is none.
const PREVIOUS = {
  read: (item) => HASHES.read(item).join("_") || null,
  write: (viewId) => HASHES.write(viewId === null ? [] : viewId.split("_")),
};
const CODE = {
  read: (item) => codeOf(itemOf(item, "str")),
  write: (value) => ({ type: "str", value: codeOf(value) }),
};

function codeOf(text) {
  if (!/^[a-z0-9_]{0,64}$/.test(text)) refuse("message", "message_malformed", "no code of a reason");
  return text;
}

// In the order of the array, after the type.
const MEMBERS = {
  announce: { version: NUMBER, timestamp: NUMBER, schemas: SCHEMAS },
  sync_request: { session: NUMBER, mode: NUMBER, schemas: SCHEMAS },
  entry: { session: NUMBER, entry: BYTES, operation: BYTES },
  sync_done: { session: NUMBER, live: FLAG },
  have: { session: NUMBER, heights: { read: readHeights, write: writeHeights } },
  // Messages only grove's own kind speaks: the ends of all branches, an entry whose payload was deleted (R31), and what it
  // takes to find out which entries differ.
  tips: { session: NUMBER, tips: { read: readTips, write: writeTips } },
  skeleton: { session: NUMBER, entry: BYTES, schema_id: SCHEMA_ID, document_id: ID, previous: PREVIOUS },
  ranges: { session: NUMBER, ranges: BYTES },
  want: { session: NUMBER, entries: HASHES, last: FLAG },
  refusal: { session: NUMBER, reason: CODE },
};
