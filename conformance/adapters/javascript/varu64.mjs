// Decides how 64-bit numbers are written in entries, and how they come as text.

import { refuse } from "./refusal.mjs";

export const U64_MAX = (1n << 64n) - 1n;

// First bytes below this are the number itself; above, they count the bytes that follow.
const WIDE = 0xf8;

/** A decimal number of 64 bits. Leading zeros would give one number two spellings. */
export function parseU64(text) {
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text) || BigInt(text) > U64_MAX) {
    refuse("text", "invalid_number", "not a decimal number of 64 bits");
  }
  return BigInt(text);
}

/** Reads one number at `offset`; what follows it is the caller's. */
export function decodeVaru64(bytes, offset = 0) {
  if (offset >= bytes.length) refuse("entry", "varint_truncated");
  const first = bytes[offset];
  if (first < WIDE) return { value: BigInt(first), end: offset + 1 };

  const end = offset + 2 + first - WIDE;
  if (end > bytes.length) refuse("entry", "varint_truncated");
  let value = 0n;
  for (const byte of bytes.subarray(offset + 1, end)) value = (value << 8n) | BigInt(byte);
  if (encodeVaru64(value).length !== end - offset) refuse("entry", "varint_not_minimal");
  return { value, end };
}

export function encodeVaru64(value) {
  if (value < BigInt(WIDE)) return [Number(value)];
  const bytes = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return [WIDE + bytes.length - 1, ...bytes];
}
