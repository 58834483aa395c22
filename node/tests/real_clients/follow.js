// Subscribes with the published clients of the two protocols, graphql-ws and graphql-sse, while others
// publish, and over a restart of the node. Ends with an exit code other than 0 at the first difference.
//
// node follow.js BINARY

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';
import { PandaClient, publishSchema, query } from './client.js';

const EVENT =
  'cursor documentId deleted matches document { meta { viewId } fields { name seats } }';

const [binary] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'grove-follow-'));
let node = await start('0');
const { endpoint } = node;
const clients = connect();
const author = new PandaClient(endpoint);
const schemaId = await publishSchema(author, 'venue', { name: 'str', seats: 'int' });

try {
  for (const [name, client] of Object.entries(clients)) {
    for (const step of [documentsAreTold, filtersHold, cursorsGoOn, refusalsHaveCodes]) {
      console.log(name, step.name);
      await step(client);
    }
  }
  for (const step of [oneSocketCarriesAll, schemasAreTold, restartsAreSurvived]) {
    console.log(step.name);
    await step();
  }
} finally {
  await clients.ws.dispose();
  clients.sse.dispose();
  await stop();
  await rm(folder, { recursive: true, force: true });
}

async function documentsAreTold(client) {
  const id = await create('Alpha', 1);
  const events = follow(client, `${schemaId}(id: "${id}")`);

  const now = await events.next();
  const viewId = await author.update({ name: 'Beta' }, id, { schemaId });
  const changed = await events.next();
  const deletion = await author.delete(viewId, { schemaId });
  const gone = await events.next();
  await events.end();

  assert.deepEqual(now.document.fields, { name: 'Alpha', seats: 1 });
  assert.deepEqual(changed.document, { meta: { viewId }, fields: { name: 'Beta', seats: 1 } });
  assert.deepEqual(gone.document, { meta: { viewId: deletion }, fields: null });
  assert.equal(gone.deleted, true);
  assert.equal(gone.documentId, id);
}

async function filtersHold(client) {
  const after = await cursorOfNow();
  const events = follow(client, `all_${schemaId}(filter: { seats: { gt: 10 } }, after: "${after}")`);

  await create('small', 1);
  const large = await create('large', 11);

  const told = await events.next();
  await events.end();
  assert.equal(told.documentId, large);
  assert.equal(told.matches, true);
}

async function cursorsGoOn(client) {
  const after = await cursorOfNow();
  const ids = [];
  for (let number = 0; number < 20; number += 1) {
    ids.push(await create(`number ${number}`, number));
  }

  const events = follow(client, `all_${schemaId}(after: "${after}")`);
  const told = [];
  for (const _ of ids) {
    told.push(await events.next());
  }
  await events.end();
  const rest = follow(client, `all_${schemaId}(after: "${told[9].cursor}")`);
  const resumed = await rest.next();
  await rest.end();

  assert.deepEqual(
    told.map(({ documentId }) => documentId),
    ids,
  );
  assert.equal(resumed.documentId, ids[10]);
}

async function refusalsHaveCodes(client) {
  const code = await new Promise((resolve, reject) => {
    const codeOf = (errors) => resolve(errors[0].extensions.code);
    client.subscribe(
      { query: `subscription { all_${schemaId}(after: "elsewhere") { cursor } }` },
      {
        next: ({ errors }) => codeOf(errors),
        error: (error) => (Array.isArray(error) ? codeOf(error) : reject(error)),
        complete: () => reject(new Error('completed without a word')),
      },
    );
  });
  assert.equal(code, 'cursor_invalid');
}

async function oneSocketCarriesAll() {
  const after = await cursorOfNow();
  const all = Array.from({ length: 10 }, () =>
    follow(clients.ws, `all_${schemaId}(after: "${after}")`),
  );
  const name = answer(clients.ws, { query: '{ __typename }' });
  assert.deepEqual(await name, { __typename: 'Query' });

  const id = await create('for all', 1);

  for (const events of all) {
    assert.equal((await events.next()).documentId, id);
    await events.end();
  }
}

async function schemasAreTold() {
  const events = follow(clients.ws, 'schemas', 'cursor id name fields { name type }');
  const known = await events.next();
  const id = await publishSchema(author, 'later', { name: 'str' });
  const later = await events.next();
  await events.end();

  assert.equal(known.id, schemaId);
  assert.deepEqual(known.fields[1], { name: 'seats', type: 'int' });
  assert.equal(later.id, id);
}

async function restartsAreSurvived() {
  const after = await cursorOfNow();
  const all = Object.values(clients).map((client) =>
    follow(client, `all_${schemaId}(after: "${after}")`),
  );
  const before = await create('before', 1);
  for (const events of all) {
    assert.equal((await events.next()).documentId, before);
  }

  await stop();
  node = await start(new URL(endpoint).port);
  const later = await create('later', 1);

  // The clients come again with the cursor they began with, and hear some of it twice.
  for (const events of all) {
    let told;
    do {
      told = await events.next();
    } while (told.documentId === before);
    assert.equal(told.documentId, later);
    await events.end();
  }
}

function connect() {
  const retry = { retryAttempts: 50, retryWait: () => new Promise((done) => setTimeout(done, 100)) };
  const url = endpoint.replace('http', 'ws');
  return {
    ws: createWsClient({ url, webSocketImpl: WebSocket, shouldRetry: () => true, ...retry }),
    sse: createSseClient({ url: endpoint, ...retry }),
  };
}

// The events of a subscription, one after the other.
function follow(client, field, selection = EVENT) {
  const results = client.iterate({ query: `subscription { event: ${field} { ${selection} } }` });
  return {
    async next() {
      const { value, done } = await results.next();
      assert(!done, 'the subscription ended');
      assert.equal(value.errors, undefined);
      return value.data.event;
    },
    end: () => results.return(),
  };
}

// The data of an operation with one answer.
async function answer(client, operation) {
  for await (const { data } of client.iterate(operation)) {
    return data;
  }
  return undefined;
}

async function cursorOfNow() {
  return (await query(endpoint, '{ eventCursor }')).eventCursor;
}

function create(name, seats) {
  return author.create({ name, seats }, { schemaId });
}

async function start(port) {
  const arguments_ = ['--data-dir', folder, '--http-port', port];
  const child = spawn(binary, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /GraphQL\s+(\S+)/.exec(line);
    if (found) {
      return { child, endpoint: found[1] };
    }
  }
  throw new Error('the node did not start');
}

async function stop() {
  if (node.child.exitCode === null) {
    node.child.kill('SIGTERM');
    await once(node.child, 'exit');
  }
  assert.equal(node.child.exitCode, 0);
}
