// Ed25519 by RFC 8032: keys, signing, and the one verification equation all nodes must share (R11).
//
// Plain BigInt arithmetic, for clearness; it is neither fast nor constant in time, so never sign with a
// key that matters. Points are extended coordinates [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z.

import { createHash } from "node:crypto";
import { refuse } from "./refusal.mjs";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * invert(121666n));
const SQRT_MINUS_ONE = power(2n, (P - 1n) / 4n);
const IDENTITY = [0n, 1n, 1n, 0n];
const BASE = decompress(encodePoint(4n * invert(5n), 0n));

/** The point of a public key. Small order is refused (R12): anybody can sign for such a key. */
export function publicKeyPoint(bytes) {
  if (bytes.length !== 32) refuse("key", "key_length", `${bytes.length} bytes instead of 32`);
  const point = decompress(bytes);
  if (point === null) refuse("key", "key_not_on_curve");
  if (isIdentity(multiply(8n, point))) refuse("key", "key_small_order");
  return point;
}

/** Refuses unless R' = S·B − k·A compresses to R, byte for byte: no cofactor, S below L. */
export function verify(publicKey, message, signature) {
  const point = publicKeyPoint(publicKey);
  const r = signature.subarray(0, 32);
  const s = integer(signature.subarray(32));
  if (s >= L) refuse("signature", "signature_malformed", "S is not reduced");
  const k = hashToScalar(r, publicKey, message);
  // Not (L − k)·A: for a key of mixed order that differs from −(k·A) by a point of small order.
  const expected = compress(add(multiply(s, BASE), multiply(k, negate(point))));
  if (Buffer.compare(expected, r) !== 0) refuse("signature", "signature_invalid");
}

export function publicKeyOf(seed) {
  return compress(multiply(secretScalar(seed).scalar, BASE));
}

export function sign(seed, message) {
  const { scalar, prefix } = secretScalar(seed);
  const nonce = hashToScalar(prefix, message);
  const r = compress(multiply(nonce, BASE));
  const k = hashToScalar(r, publicKeyOf(seed), message);
  return Uint8Array.of(...r, ...littleEndian((nonce + k * scalar) % L));
}

function secretScalar(seed) {
  const digest = createHash("sha512").update(seed).digest();
  const low = Uint8Array.from(digest.subarray(0, 32));
  low[0] &= 0xf8;
  low[31] = (low[31] & 0x7f) | 0x40;
  return { scalar: integer(low), prefix: digest.subarray(32) };
}

function hashToScalar(...parts) {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return integer(hash.digest()) % L;
}

/** The point of an encoding, or null. As deployed, y is reduced modulo p, not refused when it is larger. */
function decompress(bytes) {
  const encoded = integer(bytes);
  const y = mod(encoded & ((1n << 255n) - 1n));
  const sign = encoded >> 255n;

  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  let x = mod(u * v ** 3n * power(mod(u * v ** 7n), (P - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * SQRT_MINUS_ONE);
  if (mod(v * x * x) !== u) return null;
  if ((x & 1n) !== sign) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

function compress([x, y, z]) {
  const inverse = invert(z);
  return encodePoint(mod(y * inverse), mod(x * inverse) & 1n);
}

function encodePoint(y, sign) {
  return littleEndian(mod(y) | (sign << 255n));
}

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * D * t1 * t2);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function negate([x, y, z, t]) {
  return [mod(-x), y, z, mod(-t)];
}

function multiply(scalar, point) {
  let sum = IDENTITY;
  let double = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = add(sum, double);
    double = add(double, double);
  }
  return sum;
}

function isIdentity([x, y, z]) {
  return x === 0n && y === z;
}

function mod(value) {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base, exponent) {
  let product = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) product = (product * square) % P;
    square = (square * square) % P;
  }
  return product;
}

function invert(value) {
  return power(value, P - 2n);
}

function integer(littleEndianBytes) {
  const bytes = Buffer.from(littleEndianBytes).reverse();
  return BigInt("0x" + bytes.toString("hex"));
}

function littleEndian(value) {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}
