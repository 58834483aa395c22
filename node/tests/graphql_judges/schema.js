// What graphql-js makes of the node's description of its schema.
//
// node schema.js ENDPOINT

import assert from 'node:assert/strict';
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  printSchema,
  validateSchema,
} from 'graphql';
import { ask, OPTIONS } from './ask.js';

const [endpoint] = process.argv.slice(2);

const { data, errors } = await ask(endpoint, getIntrospectionQuery(OPTIONS));
assert.equal(errors, undefined);
const schema = buildClientSchema(data);
assert.deepEqual(validateSchema(schema), []);

// Printed and read again it says the same.
const printed = printSchema(schema);
assert.equal(printSchema(buildSchema(printed)), printed);

// What one type is told to be does not depend on how it is asked for.
const query = schema.getQueryType().getFields();
const collections = Object.keys(query).filter((name) => name.startsWith('all_'));
assert.ok(collections.length >= 6, `${collections.length} collections`);
for (const id of collections.map((name) => name.slice('all_'.length))) {
  for (const name of [id, `${id}Fields`, `${id}Item`, `${id}Collection`, `${id}Event`, `${id}Filter`, `${id}OrderBy`]) {
    const text = `query T($name: String!) { __type(name: $name) { name kind
      fields { name type { name kind ofType { name } } args { name defaultValue type { name } } }
      inputFields { name type { name } } enumValues { name } } }`;
    const { data: alone, errors } = await ask(endpoint, text, { name });
    assert.equal(errors, undefined);
    const whole = data.__schema.types.find((type) => type.name === name);
    const names = (list, member = 'name') => list?.map((item) => item[member]) ?? null;
    assert.equal(alone.__type?.name, name);
    assert.equal(alone.__type.kind, whole.kind);
    assert.deepEqual(names(alone.__type.fields), names(whole.fields));
    assert.deepEqual(names(alone.__type.inputFields), names(whole.inputFields));
    assert.deepEqual(names(alone.__type.enumValues), names(whole.enumValues));
    for (const [index, field] of (alone.__type.fields ?? []).entries()) {
      const same = whole.fields[index];
      assert.equal(field.type.name, same.type.name);
      assert.equal(field.type.ofType?.name ?? null, same.type.ofType?.name ?? null);
      assert.deepEqual(names(field.args, 'defaultValue'), names(same.args, 'defaultValue'));
    }
  }
}
console.log(`${data.__schema.types.length} types`);
