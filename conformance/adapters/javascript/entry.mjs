// Decides which bytes are an entry, and whether an entry may stand next in its log (BA1, NO1).

import { publicKeyOf, publicKeyPoint, sign, verify } from "./ed25519.mjs";
import { bytesFromHex, hashFromBytes, hashOf, hexFromBytes, parseHash } from "./ids.mjs";
import { refuse } from "./refusal.mjs";
import { decodeVaru64, encodeVaru64, parseU64, U64_MAX } from "./varu64.mjs";

const KEY_SIZE = 32;
const HASH_SIZE = 34;
const SIGNATURE_SIZE = 64;
const REGULAR = 0x00;
const END_OF_LOG = 0x01;

/** The number of the entry a skiplink names; 0 for the first entry, which has none. */
export function lipmaa(seq) {
  requireSeqNum(seq);
  // Take full subtrees of sizes T(k) = 1, 4, 13, 40, … off until one is left whose last entry this is.
  let rest = seq;
  for (;;) {
    let [size, power] = [1n, 1n];
    while (size * 3n + 1n <= rest) [size, power] = [size * 3n + 1n, power * 3n];
    if (rest !== size) {
      rest -= size;
      continue;
    }
    return rest === seq ? seq - power : seq - size;
  }
}

/** The numbers from an entry back to the first, by far links. */
export function pathToFirst(seq) {
  const path = [seq];
  while (path.at(-1) !== 1n) path.push(lipmaa(path.at(-1)));
  return path;
}

/** The numbers from the end of its block, the next of 1, 4, 13, 40, …, back to an entry; null where that has no number. */
export function pathFromBlockEnd(seq) {
  let end = 1n;
  while (end < seq) end = end * 3n + 1n;
  if (end > U64_MAX) return null;
  const path = [end];
  while (path.at(-1) !== seq) {
    const far = lipmaa(path.at(-1));
    path.push(far >= seq ? far : path.at(-1) - 1n);
  }
  return path;
}

/** A skiplink that would equal the backlink is left out. */
export function hasSkiplink(seq) {
  return seq > 1n && lipmaa(seq) !== seq - 1n;
}

function requireSeqNum(seq) {
  if (seq === 0n) refuse("entry", "seq_num_zero");
}

/** Structure and signature of an entry. */
export function decodeEntry(bytes) {
  const entry = readEntry(bytes);
  verify(entry.publicKey, bytes.subarray(0, -SIGNATURE_SIZE), entry.signature);
  return entry;
}

function readEntry(bytes) {
  let at = 0;
  const take = (size) => {
    if (at + size > bytes.length) refuse("entry", "entry_truncated", `${bytes.length} bytes`);
    at += size;
    return bytes.subarray(at - size, at);
  };
  const number = () => {
    // A number cut off is an entry cut off: only the entry knows that it is the end of all.
    const size = bytes[at] >= 0xf8 ? bytes[at] - 0xf6 : 1;
    if (at + size > bytes.length) refuse("entry", "entry_truncated", `${bytes.length} bytes`);
    const { value, end } = decodeVaru64(bytes, at);
    at = end;
    return value;
  };
  const hash = () => hashFromBytes(take(HASH_SIZE));

  const tag = take(1)[0];
  if (tag !== REGULAR && tag !== END_OF_LOG) refuse("entry", "entry_tag", `tag ${tag}`);
  const publicKey = take(KEY_SIZE);
  publicKeyPoint(publicKey);
  const logId = number();
  const seqNum = number();
  requireSeqNum(seqNum);
  const skiplink = hasSkiplink(seqNum) ? hash() : null;
  const backlink = seqNum > 1n ? hash() : null;
  if (skiplink !== null && skiplink === backlink) refuse("entry", "links_identical");
  const payloadSize = number();
  const payloadHash = hash();
  const signature = take(SIGNATURE_SIZE);
  // R9: deployed software lets up to 32 crafted bytes ride along.
  if (at < bytes.length) refuse("entry", "entry_trailing_bytes", `${bytes.length - at} bytes left`);
  return {
    endOfLog: tag === END_OF_LOG, publicKey, logId, seqNum, skiplink, backlink, payloadSize, payloadHash,
    signature, hash: hashOf(bytes),
  };
}

/** The entry as an answer shows it. */
export function showEntry(entry) {
  return {
    end_of_log: entry.endOfLog,
    public_key: hexFromBytes(entry.publicKey),
    log_id: String(entry.logId),
    seq_num: String(entry.seqNum),
    skiplink: entry.skiplink,
    backlink: entry.backlink,
    payload_size: String(entry.payloadSize),
    payload_hash: entry.payloadHash,
    signature: hexFromBytes(entry.signature),
    hash: entry.hash,
  };
}

/** Signs an entry; links that its position does not have, or lacks, are refused. */
export function encodeEntry(input) {
  const seed = bytesFromHex(input.private_key);
  if (seed.length !== KEY_SIZE) refuse("key", "key_length", `${seed.length} bytes instead of ${KEY_SIZE}`);
  const logId = parseU64(input.log_id);
  const seqNum = parseU64(input.seq_num);
  requireSeqNum(seqNum);
  const skiplink = input.skiplink === null ? null : parseHash(input.skiplink);
  const backlink = input.backlink === null ? null : parseHash(input.backlink);
  if ((backlink !== null) !== seqNum > 1n) refuse("links", "backlink_mismatch", "missing or surplus");
  if ((skiplink !== null) !== hasSkiplink(seqNum)) refuse("links", "skiplink_mismatch", "missing or surplus");
  if (skiplink !== null && skiplink === backlink) refuse("entry", "links_identical");

  const operation = bytesFromHex(input.operation);
  const unsigned = Uint8Array.of(
    REGULAR,
    ...publicKeyOf(seed),
    ...encodeVaru64(logId),
    ...encodeVaru64(seqNum),
    ...bytesFromHex((skiplink ?? "") + (backlink ?? "")),
    ...encodeVaru64(BigInt(operation.length)),
    ...bytesFromHex(hashOf(operation)),
  );
  const bytes = Uint8Array.of(...unsigned, ...sign(seed, unsigned));
  return { entry: hexFromBytes(bytes), hash: hashOf(bytes) };
}

/** Appends an entry to a log, of which all entries are at hand; what may follow it. */
export function appendToLog(logEntries, entryBytes, operation) {
  const entry = decodeEntry(entryBytes);
  checkPayload(entry, operation);
  // An entry of another key or log stands in a log of which nothing is known yet.
  const log = new Map(
    logEntries.map(readEntry).filter((other) => isSameLog(other, entry)).map((other) => [other.seqNum, other]),
  );

  const taken = log.get(entry.seqNum);
  if (taken === undefined) checkPosition(log, entry);
  else if (taken.hash !== entry.hash) refuse("log", "log_forked", `another entry is at ${entry.seqNum}`);
  // R23: the same bytes once more change nothing, and are answered as the first time.
  log.set(entry.seqNum, entry);
  return nextArguments(log, entry);
}

function isSameLog(a, b) {
  return a.logId === b.logId && Buffer.compare(a.publicKey, b.publicKey) === 0;
}

function checkPayload(entry, operation) {
  if (hashOf(operation) !== entry.payloadHash) refuse("payload", "payload_hash_mismatch");
  if (BigInt(operation.length) !== entry.payloadSize) refuse("payload", "payload_size_mismatch");
}

function checkPosition(log, entry) {
  const height = [...log.keys()].reduce((a, b) => (a > b ? a : b), 0n);
  const last = log.get(height);
  if (last?.endOfLog) refuse("log", "log_ended", "nothing follows an end-of-log entry");
  if (entry.seqNum !== height + 1n) {
    refuse("log", "seq_num_mismatch", `${entry.seqNum} after ${height}`);
  }
  if (entry.skiplink !== null && entry.skiplink !== farHash(log, entry.seqNum)) {
    refuse("links", "skiplink_mismatch");
  }
  if (entry.backlink !== (last?.hash ?? null)) refuse("links", "backlink_mismatch");
}

// The hash of the entry a skiplink of this number names; of a log held in part, it may not be there.
function farHash(log, seqNum) {
  const far = log.get(lipmaa(seqNum));
  if (far === undefined) refuse("links", "skiplink_not_found", `entry ${lipmaa(seqNum)} is not known`);
  return far.hash;
}

function nextArguments(log, entry) {
  // R26: there is no number after the last.
  if (entry.seqNum === U64_MAX) refuse("log", "seq_num_max");
  const next = entry.seqNum + 1n;
  return {
    log_id: String(entry.logId),
    seq_num: String(next),
    backlink: entry.hash,
    skiplink: hasSkiplink(next) ? farHash(log, next) : null,
  };
}
