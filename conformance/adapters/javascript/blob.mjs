// Decides whether a blob is whole: its pieces at hand, and as long together as it says (R19).

import { refuse } from "./refusal.mjs";
import { requireAllFields, requireSystemRules } from "./schema.mjs";

const FIELDS = ["length", "mime_type", "pieces"];

/** The length of a blob: its fields, and the data of pieces by the text of their view id. */
export function checkBlob({ blob, pieces }) {
  const fields = new Map(Object.entries(blob));
  requireAllFields(fields, new Map(FIELDS.map((name) => [name, null])));
  requireSystemRules("blob_v1", fields);
  let total = 0;
  for (const tips of blob.pieces.pinned_relation_list) {
    const key = tips.join("_");
    if (!Object.hasOwn(pieces, key)) refuse("graph", "blob_pieces_missing", key);
    requireSystemRules("blob_piece_v1", new Map([["data", { bytes: pieces[key] }]]));
    total += pieces[key].length / 2;
  }
  if (BigInt(blob.length.int) !== BigInt(total)) refuse("graph", "blob_length_mismatch", `${total} bytes`);
  return { length: String(total) };
}
