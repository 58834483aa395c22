// Says no: a refusal carries the phase and the stable code of `reasons.json`.
//
// A bug of this adapter is any other error, and is never turned into a verdict.

export class Refusal extends Error {
  constructor(phase, reason, message) {
    super(message);
    this.phase = phase;
    this.reason = reason;
  }
}

/** Ends the case at hand as invalid. */
export function refuse(phase, reason, message = reason) {
  throw new Refusal(phase, reason, message);
}
