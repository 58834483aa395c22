// Reads and writes the CBOR that operations are made of, in the one form there is of each item (R2):
// shortest heads, definite lengths, shortest floats, no tags. What an operation is, operation.mjs decides.
//
// Items: { type: "int", value: BigInt } | "float", value: Number | "bool" | "bytes" | "str"
//        | "array", value: [item] | "map", value: [[key item, value item]]

import { refuse } from "./refusal.mjs";

// An id inside a list of lists inside the fields inside the operation. Bounds the recursion.
const OPERATION_DEPTH = { max: 5, phase: "operation", reason: "list_item_type" };
const INDEFINITE = 31;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The one item these bytes are; `depth` says how deep it may be, and what is told where it is deeper. */
export function decodeCbor(bytes, depth = OPERATION_DEPTH) {
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at: 0, depth };
  const item = readItem(reader, 1);
  if (reader.at < bytes.length) {
    refuse("cbor", "cbor_trailing_bytes", `${bytes.length - reader.at} bytes left`);
  }
  return item;
}

function readItem(reader, depth) {
  const { max, phase, reason } = reader.depth;
  if (depth > max) refuse(phase, reason, "lists nested too deeply");
  const head = take(reader, 1)[0];
  const [major, info] = [head >> 5, head & 0x1f];
  if (major === 7) return readSimple(reader, info);

  const argument = readArgument(reader, major, info);
  switch (major) {
    case 0: return { type: "int", value: argument };
    case 1: return { type: "int", value: -1n - argument };
    case 2: return { type: "bytes", value: take(reader, argument) };
    case 3: return { type: "str", value: textOf(take(reader, argument)) };
    case 4: return { type: "array", value: readList(reader, argument, () => readItem(reader, depth + 1)) };
    case 5: return {
      type: "map",
      value: readList(reader, argument, () => [readItem(reader, depth + 1), readItem(reader, depth + 1)]),
    };
    default: return refuse("cbor", "cbor_tag");
  }
}

function readArgument(reader, major, info) {
  if (info < 24) return BigInt(info);
  if (info === INDEFINITE && major >= 2 && major <= 5) refuse("cbor", "cbor_indefinite");
  if (info > 27) refuse("cbor", "cbor_reserved");
  let value = 0n;
  for (const byte of take(reader, 1 << (info - 24))) value = (value << 8n) | BigInt(byte);
  // Even a tag that needs no width is a tag first.
  if (major !== 6 && encodeHead(0, value).length !== 1 + (1 << (info - 24))) refuse("cbor", "cbor_not_minimal");
  return value;
}

function readList(reader, count, readOne) {
  const items = [];
  // Every item takes a byte at least, so a false count ends with the data.
  for (let i = 0n; i < count; i += 1n) items.push(readOne());
  return items;
}

function readSimple(reader, info) {
  if (info === 20 || info === 21) return { type: "bool", value: info === 21 };
  if (info >= 25 && info <= 27) return { type: "float", value: readFloat(reader, info) };
  if (info === INDEFINITE) refuse("cbor", "cbor_indefinite", "a break that ends nothing");
  if (info >= 28) refuse("cbor", "cbor_reserved");
  return refuse("cbor", "cbor_simple");
}

function readFloat(reader, info) {
  const start = reader.at;
  const raw = take(reader, 1 << (info - 24));
  const value = { 25: readHalf, 26: readSingle, 27: readDouble }[info](reader.view, start);
  const shortest = encodeFloat(value);
  const same = shortest.length === raw.length + 1 && raw.every((byte, i) => byte === shortest[i + 1]);
  if (!same) refuse("cbor", Number.isNaN(value) ? "cbor_nan" : "cbor_not_minimal");
  return value;
}

function readHalf(view, at) {
  const bits = view.getUint16(at);
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function readSingle(view, at) {
  return view.getFloat32(at);
}

function readDouble(view, at) {
  return view.getFloat64(at);
}

function take(reader, count) {
  const left = reader.bytes.length - reader.at;
  if (BigInt(count) > BigInt(left)) refuse("cbor", "cbor_truncated", `${count} bytes wanted, ${left} left`);
  const start = reader.at;
  reader.at += Number(count);
  return reader.bytes.subarray(start, reader.at);
}

function textOf(bytes) {
  try {
    return UTF8.decode(bytes);
  } catch {
    return refuse("cbor", "cbor_utf8");
  }
}

/** The bytes of an item, as a list of numbers. */
export function encodeCbor({ type, value }) {
  switch (type) {
    case "int": return value < 0n ? encodeHead(1, -1n - value) : encodeHead(0, value);
    case "bytes": return [...encodeHead(2, BigInt(value.length)), ...value];
    case "str": return encodeText(value);
    case "array": return [...encodeHead(4, BigInt(value.length)), ...value.flatMap(encodeCbor)];
    case "map": return [...encodeHead(5, BigInt(value.length)), ...value.flat().flatMap(encodeCbor)];
    case "bool": return [value ? 0xf5 : 0xf4];
    case "float": return encodeFloat(value);
    default: throw new TypeError(`no CBOR item of type ${type}`);
  }
}

function encodeText(text) {
  if (!text.isWellFormed()) refuse("text", "not_utf8", "half of a surrogate pair");
  const bytes = new TextEncoder().encode(text);
  return [...encodeHead(3, BigInt(bytes.length)), ...bytes];
}

function encodeHead(major, argument) {
  if (argument < 24n) return [(major << 5) | Number(argument)];
  const width = [1, 2, 4, 8].findIndex((size) => argument < 1n << BigInt(8 * size));
  const digits = argument.toString(16).padStart(2 << width, "0");
  return [(major << 5) | (24 + width), ...Buffer.from(digits, "hex")];
}

/** The shortest of the three widths that gives every bit back; one NaN for all (R20). */
function encodeFloat(value) {
  if (Number.isNaN(value)) return [0xf9, 0x7e, 0x00];
  const view = new DataView(new ArrayBuffer(8));
  if (Math.fround(value) !== value) {
    view.setFloat64(0, value);
    return [0xfb, ...new Uint8Array(view.buffer)];
  }
  view.setFloat32(0, value);
  const half = halfOfSingle(view.getUint32(0));
  if (half === null) return [0xfa, ...new Uint8Array(view.buffer, 0, 4)];
  return [0xf9, half >> 8, half & 0xff];
}

/** The bits of the half float equal to a single float, or null where it would lose some. */
function halfOfSingle(bits) {
  const sign = (bits >>> 16) & 0x8000;
  const [biased, fraction] = [(bits >>> 23) & 0xff, bits & 0x7fffff];
  if (biased === 0xff) return sign | 0x7c00;
  if (biased === 0) return fraction === 0 ? sign : null;
  const exponent = biased - 127;
  if (exponent >= -14 && exponent <= 15) {
    return fraction & 0x1fff ? null : sign | ((exponent + 15) << 10) | (fraction >> 13);
  }
  if (exponent >= -24 && exponent < -14) {
    const shift = -1 - exponent;
    const whole = fraction | 0x800000;
    return whole & ((1 << shift) - 1) ? null : sign | (whole >> shift);
  }
  return null;
}
