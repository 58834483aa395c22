// Decides what some entries prove without the rest of their log: that one belongs to it, and that it was forked.

import { ancestorAt, hasSkiplink, isSameLog, lipmaa } from "./entry.mjs";
import { refuse } from "./refusal.mjs";

/** The way from the entry of a hash to the first of its branch; the others may be of other branches. */
export function verifyBranch(entries, hash) {
  if (entries.some((entry) => !isSameLog(entry, entries[0]))) refuse("log", "log_owner_mismatch");
  const log = new Map(entries.map((entry) => [entry.hash, entry]));
  entries.forEach((entry) => checkLinks(log, entry));
  const path = [];
  let at = log.get(hash);
  while (at !== undefined) {
    path.push(String(at.seqNum));
    if (at.seqNum === 1n) return { seq_num: path[0], path };
    at = log.get(at.skiplink ?? at.backlink);
  }
  return refuse("links", "certificate_incomplete", `after ${path.at(-1) ?? "nothing"}`);
}

// A link to an entry that is not at hand says nothing; one that is at hand must be the right one.
function checkLinks(log, { seqNum, skiplink, backlink }) {
  const previous = log.get(backlink);
  if (hasSkiplink(seqNum)) {
    const far = lipmaa(seqNum);
    requireAt(log.get(skiplink), far, "skiplink_mismatch");
    const along = previous && ancestorAt(log, previous, far);
    if (along !== undefined && along.hash !== skiplink) refuse("links", "skiplink_mismatch", "into another branch");
  }
  requireAt(previous, seqNum - 1n, "backlink_mismatch");
}

function requireAt(target, seqNum, reason) {
  if (target === undefined) return;
  if (target.seqNum !== seqNum) refuse("links", reason, `${target.seqNum} instead of ${seqNum}`);
  if (target.endOfLog) refuse("log", "log_ended");
}

/** Two different entries at one position, in either order. */
export function verifyFork(first, second) {
  if (first.hash === second.hash) refuse("log", "fork_identical");
  if (!isSameLog(first, second) || first.seqNum !== second.seqNum) refuse("log", "fork_position");
  return [first.hash, second.hash].sort();
}
