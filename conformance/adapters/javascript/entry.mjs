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

/** Lengthens a branch of a log by an entry; what may follow it. The log is what is held of it, of any branches. */
export function appendToLog(logEntries, entryBytes, operation) {
  const entry = decodeEntry(entryBytes);
  checkPayload(entry, operation);
  // An entry of another key or log stands in a log of which nothing is known yet.
  const log = new Map(
    logEntries.map(readEntry).filter((other) => isSameLog(other, entry)).map((other) => [other.hash, other]),
  );

  // R23: the same bytes once more change nothing, and are answered as the first time.
  if (!log.has(entry.hash)) checkPlace(log, entry);
  log.set(entry.hash, entry);
  return nextArguments(log, entry);
}

export function isSameLog(a, b) {
  return a.logId === b.logId && Buffer.compare(a.publicKey, b.publicKey) === 0;
}

function checkPayload(entry, operation) {
  if (hashOf(operation) !== entry.payloadHash) refuse("payload", "payload_hash_mismatch");
  if (BigInt(operation.length) !== entry.payloadSize) refuse("payload", "payload_size_mismatch");
}

// R24: a client goes on where a branch ends, and begins none.
function checkPlace(log, entry) {
  if (entry.seqNum === 1n) {
    if (log.size > 0) refuse("log", "would_fork", "the log has a first entry");
    return;
  }
  const previous = log.get(entry.backlink);
  if (previous === undefined) refuseLost(log, entry);
  if (previous.endOfLog) refuse("log", "log_ended", "nothing follows an end-of-log entry");
  if (previous.seqNum + 1n !== entry.seqNum) refuse("log", "seq_num_mismatch", `${entry.seqNum} after ${previous.seqNum}`);
  if (entry.skiplink !== null && entry.skiplink !== farHash(log, previous)) refuse("links", "skiplink_mismatch");
  for (const other of log.values()) {
    if (other.backlink === entry.backlink) refuse("log", "would_fork", `${other.hash} is there`);
  }
}

// The backlink leads nowhere; the number tells whether the place or only the link is wrong.
function refuseLost(log, { seqNum }) {
  const tip = tipToContinue(log);
  if (tip?.endOfLog && seqNum > tip.seqNum) refuse("log", "log_ended", "no branch is open");
  const next = 1n + (tip?.seqNum ?? 0n);
  if (seqNum !== next) refuse("log", "seq_num_mismatch", `${seqNum} where ${next} is next`);
  refuse("links", "backlink_mismatch");
}

/** The tip of the branch to go on with: not ended before ended, then more entries, then the lower hash. */
function tipToContinue(log) {
  const followed = new Set([...log.values()].map(({ backlink }) => backlink));
  const tips = [...log.values()].filter(({ hash }) => !followed.has(hash));
  const isBetter = (a, b) => {
    if (a.endOfLog !== b.endOfLog) return b.endOfLog;
    return a.seqNum === b.seqNum ? a.hash < b.hash : a.seqNum > b.seqNum;
  };
  return tips.reduce((best, tip) => (best === undefined || isBetter(tip, best) ? tip : best), undefined);
}

/** The entry of a number that an entry builds on, found link by link; undefined where a link leads out of the log. */
export function ancestorAt(log, entry, seqNum) {
  let at = entry;
  while (at !== undefined && at.seqNum > seqNum) {
    const far = lipmaa(at.seqNum);
    const isFar = far >= seqNum;
    const next = log.get(isFar ? at.skiplink ?? at.backlink : at.backlink);
    at = next?.seqNum === (isFar ? far : at.seqNum - 1n) ? next : undefined;
  }
  return at;
}

// The hash that the skiplink after `previous` is: of its branch's entry. Where the log is held in part and no links lead
// there, the one entry of that number has to do.
function farHash(log, previous) {
  const far = lipmaa(previous.seqNum + 1n);
  const found = ancestorAt(log, previous, far);
  if (found !== undefined) return found.hash;
  const held = [...log.values()].filter(({ seqNum }) => seqNum === far);
  if (held.length !== 1) refuse("links", "skiplink_not_found", `entry ${far} is not known`);
  return held[0].hash;
}

function nextArguments(log, entry) {
  // R26: there is no number after the last.
  if (entry.seqNum === U64_MAX) refuse("log", "seq_num_max");
  const next = entry.seqNum + 1n;
  return {
    log_id: String(entry.logId),
    seq_num: String(next),
    backlink: entry.hash,
    skiplink: hasSkiplink(next) ? farHash(log, entry) : null,
  };
}
