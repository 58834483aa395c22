// Answers test vectors on standard input and output: the protocol `p2c/1`.
//
// Begin with one kind, then add functions to KINDS until nothing comes back as unsupported any more.

import { createInterface } from "node:readline";

/** The input is invalid: where that shows, and which rule it breaks. */
class Refused extends Error {
  constructor(phase, reason, message = "") {
    super(message);
    this.phase = phase;
    this.reason = reason;
  }
}

function fromHex(text) {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new Refused("text", "invalid_hex");
  return Buffer.from(text, "hex");
}

/** 0 to 247 stand for themselves; from 248 on the first byte tells how many follow, 1 to 8. */
function decodeVaru64(text) {
  const bytes = fromHex(text);
  if (bytes.length === 0) throw new Refused("entry", "varint_truncated", "there is no byte");
  const following = Math.max(bytes[0] - 247, 0);
  const size = 1 + following;
  if (bytes.length < size) throw new Refused("entry", "varint_truncated", `${bytes.length} of ${size} bytes`);
  // Numbers go up to 2^64, further than a JavaScript number is exact.
  const value = following === 0 ? BigInt(bytes[0]) : BigInt(`0x${bytes.toString("hex", 1, size)}`);
  const shortest = value < 248n ? 0 : Math.ceil(value.toString(16).length / 2);
  if (following !== shortest) throw new Refused("entry", "varint_not_minimal", `${value} in ${size} bytes`);
  if (bytes.length > size) throw new Refused("entry", "varint_trailing_bytes", `${bytes.length - size} bytes left`);
  return { value: String(value) };
}

const KINDS = {
  "varu64.decode": (input, context) => decodeVaru64(input),
};

const HELLO = {
  ok: true,
  protocol: 1,
  implementation: { name: "my-library", version: "0.1.0", language: "javascript" },
  kinds: Object.keys(KINDS),
  features: [],
  ruleset: "spec",
};

function answer({ op, seq, kind, ruleset, context, input }) {
  if (op !== "case" || !Object.hasOwn(KINDS, kind)) return { seq, unsupported: true };
  if (ruleset !== "spec") return { seq, skip: { reason: "implements the ruleset spec alone" } };
  try {
    return { seq, verdict: "valid", output: KINDS[kind](input, context) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { phase, reason, message } = error;
    return { seq, verdict: "invalid", phase, reason, message };
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function reply(question) {
  if (typeof question !== "object" || question === null || Array.isArray(question)) {
    return { error: "the line is not a JSON object" };
  }
  return question.op === "hello" ? HELLO : answer(question);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const question = parse(line);
  if (question?.op === "stop") break;
  process.stdout.write(JSON.stringify(reply(question)) + "\n");
}
// An open input would keep the process alive.
process.stdin.destroy();
