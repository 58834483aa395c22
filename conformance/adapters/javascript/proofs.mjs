// Decides what some entries prove without the rest of their log: that one belongs to it, and that it was forked.

import { hasSkiplink, lipmaa, pathToFirst } from "./entry.mjs";
import { refuse } from "./refusal.mjs";

/** The entry of a number and the way from it to the first, all of it among `entries`. */
export function verifyPartialLog(entries, seqNum) {
  const path = pathToFirst(seqNum);
  const log = new Map();
  for (const entry of entries) {
    if (!isSameLog(entry, entries[0])) refuse("log", "log_owner_mismatch");
    const there = log.get(entry.seqNum) ?? entry;
    if (there.hash !== entry.hash) refuse("log", "log_forked", `two entries ${entry.seqNum}`);
    log.set(entry.seqNum, entry);
  }
  for (const { endOfLog, seqNum: end } of entries) {
    if (endOfLog && entries.some((entry) => entry.seqNum > end)) refuse("log", "log_ended");
  }
  const gap = path.find((at) => !log.has(at));
  if (gap !== undefined) refuse("links", "certificate_incomplete", `entry ${gap} is not there`);
  for (const [at, { skiplink, backlink }] of log) {
    if (hasSkiplink(at) && !leadsTo(skiplink, log.get(lipmaa(at)))) refuse("links", "skiplink_mismatch");
    if (at > 1n && !leadsTo(backlink, log.get(at - 1n))) refuse("links", "backlink_mismatch");
  }
  return { hash: log.get(seqNum).hash, path: path.map(String) };
}

/** Two different entries at one position, in either order. */
export function verifyFork(first, second) {
  if (first.hash === second.hash) refuse("log", "fork_identical");
  if (!isSameLog(first, second) || first.seqNum !== second.seqNum) refuse("log", "fork_position");
  return [first.hash, second.hash].sort();
}

function isSameLog(a, b) {
  return a.logId === b.logId && Buffer.compare(a.publicKey, b.publicKey) === 0;
}

// An entry that is not at hand contradicts no link.
function leadsTo(link, target) {
  return target === undefined || target.hash === link;
}
