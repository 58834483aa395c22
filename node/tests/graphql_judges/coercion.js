// Which values are taken, by the node and by graphql-js with the schema that the node describes: both have
// to agree, whether values stand in the text or come as variables.
//
// node coercion.js ENDPOINT [CASES [SEED]]
//
// Left out is what the node takes beyond the specification: integers of 64 bits, texts for enums in the
// text of a query, and variables of another scalar than their place has.

import assert from 'node:assert/strict';
import {
  buildClientSchema,
  getIntrospectionQuery,
  getNamedType,
  GraphQLError,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isScalarType,
  isSpecifiedScalarType,
  parse,
  validate,
} from 'graphql';
import { getArgumentValues, getVariableValues } from 'graphql/execution/values.js';
import { ask, OPTIONS } from './ask.js';

const [endpoint, cases = '600', seed = '1'] = process.argv.slice(2);

// What the node finds wrong with a request; what it finds wrong with the values of its own scalars comes
// later and has other codes.
const REFUSALS = new Set(['request_malformed', 'request_too_large', 'argument_missing']);

let state = BigInt(seed);
function random(below) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(below));
}
const pick = (list) => list[random(list.length)];

const { data } = await ask(endpoint, getIntrospectionQuery(OPTIONS));
const schema = buildClientSchema(data);
const roots = Object.values(schema.getQueryType().getFields()).filter(({ args }) => args.length > 0);

// A value that is often of the type and often not.
function value(type, depth) {
  if (random(12) === 0) return null;
  if (isNonNullType(type)) return value(type.ofType, depth);
  if (isListType(type)) {
    if (random(4) === 0) return value(type.ofType, depth);
    return Array.from({ length: random(3) }, () => value(type.ofType, depth + 1));
  }
  const wild = random(6) === 0;
  // What its own scalars hold, a node tells later.
  if (isScalarType(type) && !isSpecifiedScalarType(type)) return pick(['00', 'a', `0020${'ab'.repeat(32)}`, 5, true, 1.5]);
  if (isInputObjectType(type) && !wild) {
    const members = {};
    const fields = Object.values(type.getFields());
    for (let count = random(3); count > 0; count -= 1) {
      const field = pick(fields);
      members[field.name] = value(field.type, depth + 1);
    }
    if (random(10) === 0) members.nothing = 1;
    return members;
  }
  if (isEnumType(type) && !wild) return { enum: pick(type.getValues()).name };
  switch (wild ? 'any' : type.name) {
    case 'Int':
      return pick([0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 7, 25]);
    case 'Float':
      return pick([0, 0.5, -1.5, 1e300, 3]);
    case 'Boolean':
      return pick([true, false]);
    case 'String':
      return pick(['', 'a', '"', '\\', '😀', 'line\nline', '\u0000']);
    case 'any':
      return pick([1, 1.5, true, 'a', [], {}, { eq: 1 }, [[1]], [null], { enum: 'NOTHING' }]);
  }
}

// The same in the text of a query.
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if ('enum' in value) return value.enum;
  const members = Object.entries(value).map(([name, value]) => `${name}: ${literal(value)}`);
  return `{${members.join(', ')}}`;
}

// The same as JSON.
function json(value) {
  if (Array.isArray(value)) return value.map(json);
  if (value === null || typeof value !== 'object') return value;
  if ('enum' in value) return value.enum;
  return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, json(value)]));
}

function holdsText(type, value) {
  if (value === null) return false;
  if (isNonNullType(type) || isListType(type)) {
    return Array.isArray(value)
      ? value.some((item) => holdsText(type.ofType, item))
      : holdsText(type.ofType, value);
  }
  return isEnumType(type) && typeof value === 'string';
}

function judge(text, variables) {
  const document = parse(text);
  const errors = validate(schema, document);
  if (errors.length > 0) return errors[0];
  const [operation] = document.definitions;
  const { coerced, errors: wrong } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (wrong) return wrong[0];
  const [field] = operation.selectionSet.selections;
  try {
    getArgumentValues(schema.getQueryType().getFields()[field.name.value], field, coerced);
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
  return null;
}

let [taken, refused] = [0, 0];
for (let number = 0; number < Number(cases); number += 1) {
  const root = pick(roots);
  const selected = getNamedType(root.type).getFields();
  const shown = 'logId' in selected ? 'logId' : '__typename';
  const given = root.args.filter((arg) => random(3) === 0 || (isNonNullType(arg.type) && random(8) > 0));
  const values = given.map((arg) => [arg, value(arg.type, 0)]);
  const asVariables = random(2) === 0;
  if (!asVariables && values.some(([arg, value]) => holdsText(arg.type, value))) continue;

  const [declared, used, variables] = [[], [], {}];
  for (const [arg, value] of values) {
    if (asVariables) {
      declared.push(`$${arg.name}: ${arg.type}`);
      used.push(`${arg.name}: $${arg.name}`);
      if (random(10) > 0) variables[arg.name] = json(value);
    } else {
      used.push(`${arg.name}: ${literal(value)}`);
    }
  }
  const head = declared.length > 0 ? `query Q(${declared.join(', ')}) ` : '';
  const text = `${head}{ ${root.name}${used.length > 0 ? `(${used.join(', ')})` : ''} { ${shown} } }`;

  const expected = judge(text, variables);
  const { errors = [] } = await ask(endpoint, text, variables);

  const found = errors.find(({ extensions }) => REFUSALS.has(extensions?.code));
  const said = `${text}\n${JSON.stringify(variables)}\ngraphql-js: ${expected?.message}\nnode: ${JSON.stringify(errors)}`;
  // Which of several ids is wanted is not told by types.
  const isOurs = found?.extensions.code === 'argument_missing' && !found.message.startsWith('variable');
  assert.equal(found !== undefined && !isOurs, expected !== null, said);
  if (expected) refused += 1;
  else taken += 1;
}
console.log(`${taken} taken, ${refused} refused`);
assert.ok(taken > 50 && refused > 50);
