// BLAKE3 in its plain hash mode with 32 bytes of output, from the paper. No keys, no longer output.

const IV = Uint32Array.of(
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
);
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const ROUNDS = 7;
const BLOCK_SIZE = 64;
const CHUNK_SIZE = 1024;

const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

// Which message words each round mixes: the permutation, applied once more every round.
const SCHEDULE = [[...Array(16).keys()]];
while (SCHEDULE.length < ROUNDS) {
  SCHEDULE.push(PERMUTATION.map((i) => SCHEDULE.at(-1)[i]));
}

const LANES = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];

/** The 32 bytes of the digest. */
export function blake3(bytes) {
  const words = treeNode(bytes, 0, ROOT);
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return digest;
}

/** The chaining value of a subtree whose first chunk has the given number. */
function treeNode(bytes, chunk, flags) {
  if (bytes.length <= CHUNK_SIZE) return chunkNode(bytes, chunk, flags);
  // The left subtree is the largest full one that leaves something for the right.
  let left = CHUNK_SIZE;
  while (left * 2 < bytes.length) left *= 2;
  const block = new Uint32Array(16);
  block.set(treeNode(bytes.subarray(0, left), chunk, 0), 0);
  block.set(treeNode(bytes.subarray(left), chunk + left / CHUNK_SIZE, 0), 8);
  return compress(IV, block, 0, BLOCK_SIZE, PARENT | flags);
}

function chunkNode(bytes, chunk, flags) {
  let chaining = IV;
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_SIZE));
  for (let i = 0; i < blocks; i += 1) {
    const part = bytes.subarray(i * BLOCK_SIZE, (i + 1) * BLOCK_SIZE);
    let blockFlags = i === 0 ? CHUNK_START : 0;
    if (i === blocks - 1) blockFlags |= CHUNK_END | flags;
    chaining = compress(chaining, blockWords(part), chunk, part.length, blockFlags);
  }
  return chaining;
}

function blockWords(part) {
  const padded = new Uint8Array(BLOCK_SIZE);
  padded.set(part);
  const view = new DataView(padded.buffer);
  return Uint32Array.from({ length: 16 }, (_, i) => view.getUint32(4 * i, true));
}

function compress(chaining, message, counter, size, flags) {
  const state = new Uint32Array(16);
  state.set(chaining, 0);
  state.set(IV.subarray(0, 4), 8);
  // Uint32Array keeps the low 32 bits; the high ones of the counter go into the next word.
  state.set([counter, Math.floor(counter / 2 ** 32), size, flags], 12);
  for (const order of SCHEDULE) {
    LANES.forEach((lane, i) => mix(state, lane, message[order[2 * i]], message[order[2 * i + 1]]));
  }
  return Uint32Array.from({ length: 8 }, (_, i) => state[i] ^ state[i + 8]);
}

function mix(state, [a, b, c, d], x, y) {
  state[a] += state[b] + x;
  state[d] = rotate(state[d] ^ state[a], 16);
  state[c] += state[d];
  state[b] = rotate(state[b] ^ state[c], 12);
  state[a] += state[b] + y;
  state[d] = rotate(state[d] ^ state[a], 8);
  state[c] += state[d];
  state[b] = rotate(state[b] ^ state[c], 7);
}

function rotate(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}
