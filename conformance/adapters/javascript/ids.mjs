// Decides what a hash, an operation id and a view id look like, as bytes and as text.
//
// Inside this adapter an id is its lowercase hex: its order is that of the bytes.

import { blake3 } from "./blake3.mjs";
import { refuse } from "./refusal.mjs";

const HASH_SIZE = 34;
const HASH_ALGORITHM = 0x00;
const DIGEST_SIZE = 0x20;

/** Hex in either case, for what is only bytes (R13). */
export function bytesFromHex(text) {
  // A repeated group would take stack for every repetition.
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    refuse("text", "invalid_hex", "not an even number of hex digits");
  }
  return Uint8Array.from(Buffer.from(text, "hex"));
}

export function hexFromBytes(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** YASMF hash (BA2): algorithm, length, digest. */
export function hashOf(bytes) {
  return "0020" + hexFromBytes(blake3(bytes));
}

/** The hash these bytes are, or a refusal. */
export function hashFromBytes(bytes) {
  if (bytes.length !== HASH_SIZE) {
    refuse("hash", "hash_length", `${bytes.length} bytes instead of ${HASH_SIZE}`);
  }
  if (bytes[0] !== HASH_ALGORITHM) refuse("hash", "hash_algorithm");
  // R10: deployed software does not look at this byte.
  if (bytes[1] !== DIGEST_SIZE) refuse("hash", "hash_digest_length");
  return hexFromBytes(bytes);
}

/** An id in text is lowercase (R13): two spellings would compare as two ids. */
export function parseHash(text) {
  const bytes = bytesFromHex(text);
  if (/[A-F]/.test(text)) refuse("text", "uppercase_hex");
  return hashFromBytes(bytes);
}

/** A set of operation ids is written once, in one order (EN2, DV1). */
export function requireViewId(ids) {
  if (ids.length === 0) refuse("hash", "view_id_empty");
  for (let i = 1; i < ids.length; i += 1) {
    if (ids[i - 1] === ids[i]) refuse("hash", "view_id_duplicate", `${ids[i]} twice`);
    if (ids[i - 1] > ids[i]) refuse("hash", "view_id_unsorted", `${ids[i]} comes too late`);
  }
  return ids;
}

export function parseViewId(text) {
  if (text === "") refuse("hash", "view_id_empty");
  return requireViewId(text.split("_").map(parseHash));
}

/** The hash of the ids' bytes, one after the other. */
export function viewHash(ids) {
  return hashOf(bytesFromHex(ids.join("")));
}
