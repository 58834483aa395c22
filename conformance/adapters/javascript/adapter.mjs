// Speaks `p2c/1`: one JSON question a line on standard input, one answer a line on standard output.
//
// Decides nothing about the protocol itself; each kind is a function from the input to the result, which
// throws a Refusal where the answer is no. Any other error is a bug and ends the adapter.

import { createInterface } from "node:readline";
import { checkBlob } from "./blob.mjs";
import { buildSchema } from "./definition.mjs";
import { documentAtView, reduceDocument } from "./document.mjs";
import { publicKeyPoint } from "./ed25519.mjs";
import {
  appendToLog, decodeEntry, encodeEntry, hasSkiplink, lipmaa, pathFromBlockEnd, pathToFirst, showEntry,
} from "./entry.mjs";
import { bytesFromHex, hashOf, hexFromBytes, parseHash, parseViewId, viewHash } from "./ids.mjs";
import { decodeMessage, encodeMessage } from "./message.mjs";
import { decodeOperation, encodeOperation, showOperation } from "./operation.mjs";
import { verifyBranch, verifyFork } from "./proofs.mjs";
import { Refusal, refuse } from "./refusal.mjs";
import { parseSchemaId, validateOperation } from "./schema.mjs";
import { decodeVaru64, encodeVaru64, parseU64 } from "./varu64.mjs";

const PROTOCOL = 1;
const RULESET = "spec";

const KINDS = {
  "varu64.decode": (input) => ({ value: String(wholeVaru64(bytesFromHex(input))) }),
  "varu64.encode": (input) => ({ bytes: hexFromBytes(Uint8Array.from(encodeVaru64(parseU64(input)))) }),
  lipmaa(input) {
    const seq = parseU64(input);
    return { lipmaa: String(lipmaa(seq)), encoded: hasSkiplink(seq) };
  },
  "key.public"(input) {
    const bytes = bytesFromHex(input);
    publicKeyPoint(bytes);
    return { public_key: hexFromBytes(bytes) };
  },
  "hash.of": (input) => ({ hash: hashOf(bytesFromHex(input)) }),
  "hash.parse": (input) => ({ hash: parseHash(input) }),
  "view.parse": (input) => ({ ids: parseViewId(input) }),
  "view.hash": (input) => ({ hash: viewHash(parseViewId(input)) }),
  "schema.parse": (input) => parseSchemaId(input),
  "entry.decode": (input) => showEntry(decodeEntry(bytesFromHex(input))),
  "entry.encode": (input) => encodeEntry(input),
  "log.append": ({ entry, operation }, { log }) =>
    appendToLog(log.map(bytesFromHex), bytesFromHex(entry), bytesFromHex(operation)),
  "operation.decode": (input) => showOperation(decodeOperation(bytesFromHex(input))),
  "operation.encode": (input) => ({ operation: hexFromBytes(encodeOperation(input)) }),
  "operation.validate": (input, { schema }) =>
    showOperation(validateOperation(decodeOperation(bytesFromHex(input)), schema)),
  "document.reduce": ({ operations }, { schema }) => reduceDocument(decodedAll(operations), schema),
  "document.view": ({ operations, view_id }, { schema }) =>
    documentAtView(decodedAll(operations), schema, parseViewId(view_id)),
  "schema.build": (input) => buildSchema(input),
  certificate(input) {
    const seq = parseU64(input);
    const [toFirst, fromBlockEnd] = [pathToFirst(seq), pathFromBlockEnd(seq)];
    return { to_first: toFirst.map(String), from_block_end: fromBlockEnd && fromBlockEnd.map(String) };
  },
  "branch.verify": ({ entries, entry }) =>
    verifyBranch(entries.map((given) => decodeEntry(bytesFromHex(given))), parseHash(entry)),
  "fork.verify"(input) {
    const [first, second] = [input.first, input.second].map((entry) => decodeEntry(bytesFromHex(entry)));
    const hashes = verifyFork(first, second);
    const { public_key, log_id, seq_num } = showEntry(first);
    return { public_key, log_id, seq_num, hashes };
  },
  "blob.check": (input) => checkBlob(input),
  "message.decode": (input) => decodeMessage(bytesFromHex(input)),
  "message.encode": (input) => ({ message: hexFromBytes(encodeMessage(input)) }),
};

const HELLO = {
  ok: true,
  protocol: PROTOCOL,
  implementation: { name: "grove-second-opinion-javascript", version: "1.0.0", language: "javascript" },
  kinds: Object.keys(KINDS),
  features: ["partial-log", "ranges", "skeleton", "tips"],
  ruleset: RULESET,
};

function decodedAll(operations) {
  return operations.map(({ id, operation }) => ({
    id: parseHash(id),
    operation: decodeOperation(bytesFromHex(operation)),
  }));
}

function wholeVaru64(bytes) {
  const { value, end } = decodeVaru64(bytes);
  if (end < bytes.length) refuse("entry", "varint_trailing_bytes", `${bytes.length - end} bytes left`);
  return value;
}

function answer({ op, seq, kind, ruleset, input, context }) {
  if (op === "hello") return HELLO;
  if (op !== "case" || !Object.hasOwn(KINDS, kind)) return { seq, unsupported: true };
  if (ruleset !== RULESET) return { seq, skip: { reason: `only the ruleset ${RULESET}` } };
  try {
    return { seq, verdict: "valid", output: KINDS[kind](input, context) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { phase, reason, message } = error;
    return { seq, verdict: "invalid", phase, reason, message };
  }
}

function objectFrom(line) {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const question = objectFrom(line);
  if (question?.op === "stop") break;
  const reply = question === undefined ? { error: "the line is not a JSON object" } : answer(question);
  process.stdout.write(JSON.stringify(reply) + "\n");
}
// An open input would keep the process alive.
process.stdin.destroy();
