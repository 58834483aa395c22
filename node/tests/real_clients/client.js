// What a web page needs to talk to a p2panda node with p2panda-js, which encodes and signs but knows
// no network. Runs in Node.js and in browsers. `PandaClient` has the methods of shirokuma's `Session`.

import {
  KeyPair,
  OperationFields,
  encodeOperation,
  generateHash,
  signAndEncodeEntry,
} from 'p2panda-js';

const NEXT_ARGS = `query NextArgs($publicKey: String!, $viewId: String) {
  nextArgs(publicKey: $publicKey, viewId: $viewId) { logId seqNum backlink skiplink }
}`;

const PUBLISH = `mutation Publish($entry: String!, $operation: String!) {
  publish(entry: $entry, operation: $operation) { logId seqNum backlink skiplink }
}`;

// Asks over GraphQL; the `data` of the answer. Throws with the `code` of the first error.
export async function query(endpoint, text, variables) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: text, variables }),
  });
  const { data, errors } = parseExactly(await response.text());
  if (response.status !== 200 || errors) {
    const error = errors?.[0];
    throw Object.assign(new Error(error?.message ?? `status ${response.status}`), {
      code: error?.extensions?.code,
    });
  }
  return data;
}

// Reads JSON with long integers as BigInt, since a Number would round them.
function parseExactly(text) {
  const quoted = text.replace(/([[,:])(-?\d{16,})(?=[,}\]])/g, '$1"$2n"');
  return JSON.parse(quoted, (_, value) =>
    /^-?\d{16,}n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  );
}

export class PandaClient {
  constructor(endpoint, keyPair = new KeyPair()) {
    this.endpoint = endpoint;
    this.keyPair = keyPair;
  }

  create(fields, { schemaId }) {
    return this.#publish({ action: 'create', schemaId, fields });
  }

  update(fields, previous, { schemaId }) {
    return this.#publish({ action: 'update', schemaId, previous, fields });
  }

  delete(previous, { schemaId }) {
    return this.#publish({ action: 'delete', schemaId, previous });
  }

  // The id of the operation, which is the hash of its entry.
  async #publish(plain) {
    const publicKey = this.keyPair.publicKey();
    const { nextArgs } = await query(this.endpoint, NEXT_ARGS, {
      publicKey,
      viewId: plain.previous ?? null,
    });
    const operation = encodeOperation(plain);
    const entry = signAndEncodeEntry({ ...nextArgs, operation }, this.keyPair);
    await query(this.endpoint, PUBLISH, { entry, operation });
    return generateHash(entry);
  }
}

// Fields whose types can't be guessed from their values, as `{ name: [type, value] }`.
export function typed(fields) {
  const result = new OperationFields();
  for (const [name, [type, value]] of Object.entries(fields)) {
    result.insert(name, type, value);
  }
  return result;
}

// Publishes a schema with these fields, `{ name: type }`; its id.
export async function publishSchema(client, name, fields) {
  const definitions = [];
  for (const [name, type] of Object.entries(fields)) {
    const schemaId = 'schema_field_definition_v1';
    definitions.push([await client.create({ name, type }, { schemaId })]);
  }
  const definition = typed({
    name: ['str', name],
    description: ['str', `Documents named ${name}`],
    fields: ['pinned_relation_list', definitions],
  });
  const id = await client.create(definition, { schemaId: 'schema_definition_v1' });
  return `${name}_${id}`;
}
