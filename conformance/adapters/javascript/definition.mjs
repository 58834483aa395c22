// Decides whether the views of a definition and of its fields' definitions make up a schema.

import { parseViewId, viewHash } from "./ids.mjs";
import { refuse } from "./refusal.mjs";
import { DESCRIPTION_MAX, FIELD_COUNT_MAX, FIELD_NAME, SCHEMA_NAME, parseFieldType } from "./schema.mjs";

/** The schema, its fields ascending; `fields` are views by the text of their id. */
export function buildSchema({ view_id, definition, fields }) {
  const ids = parseViewId(view_id);
  const { name, description, fields: listed } = valuesOf(definition, {
    name: "str",
    description: "str",
    fields: "pinned_relation_list",
  });
  const keys = listed.map((tips) => tips.join("_"));
  const surplus = Object.keys(fields).some((key) => !keys.includes(key));
  if (surplus || !keys.every((key) => Object.hasOwn(fields, key))) {
    refuse("schema", "schema_definition", "other field definitions than the definition lists");
  }
  const views = keys.map((key) => valuesOf(fields[key], { name: "str", type: "str" }));

  if (!SCHEMA_NAME.test(name)) refuse("schema", "schema_name");
  if ([...description].length > DESCRIPTION_MAX) refuse("schema", "schema_description");
  if (views.length < 1 || views.length > FIELD_COUNT_MAX) refuse("schema", "schema_field_count");
  const types = new Map();
  for (const view of views) {
    if (!FIELD_NAME.test(view.name)) refuse("schema", "field_name");
    parseFieldType(view.type);
    // R17: deployed software sees two of one name only side by side.
    if (types.has(view.name)) refuse("schema", "schema_field_duplicate", view.name);
    types.set(view.name, view.type);
  }
  // Field names are ASCII, so the order of JavaScript's texts is that of the bytes.
  const names = [...types.keys()].sort();
  return {
    id: `${name}_${ids.join("_")}`,
    name,
    hash_id: `${name}__${viewHash(ids)}`,
    description,
    fields: names.map((one) => ({ name: one, type: types.get(one) })),
  };
}

/** The contents of a view that has exactly the wanted fields, each with a value of its kind. */
function valuesOf(view, wanted) {
  const names = Object.keys(view);
  const fits = (name) => Object.hasOwn(wanted, name) && Object.hasOwn(view[name], wanted[name]);
  if (names.length !== Object.keys(wanted).length || !names.every(fits)) {
    refuse("schema", "schema_definition", `fields ${names}`);
  }
  return Object.fromEntries(names.map((name) => [name, view[name][wanted[name]]]));
}
