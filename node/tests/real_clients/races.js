// One key that writes in several places at once, as two tabs of a page do: nothing that was acknowledged
// may be missing, and the author can go on. Ends with an exit code other than 0 at the first difference.
//
// node races.js p2panda-js|shirokuma creates|updates ENDPOINT

import assert from 'node:assert/strict';
import { KeyPair } from 'p2panda-js';
import { Session } from 'shirokuma';
import { PandaClient, publishSchema, query } from './client.js';

const CONNECT = {
  'p2panda-js': (endpoint, keyPair) => new PandaClient(endpoint, keyPair),
  shirokuma: (endpoint, keyPair) => new Session(endpoint).setKeyPair(keyPair),
};
const COUNT = 20;

const STEPS = {
  creates: [createsBySession, createsByTabs],
  updates: [updatesOfOne, updatesOfAnothersOne],
};

const [name, steps, endpoint] = process.argv.slice(2);
const connect = (keyPair) => CONNECT[name](endpoint, keyPair);
const keyPair = new KeyPair();
const alice = connect(keyPair);
const venue = await publishSchema(alice, 'venue', { name: 'str', seats: 'int' });
const options = { schemaId: venue };

for (const step of STEPS[steps]) {
  console.log(step.name);
  await step();
}

async function createsBySession() {
  await allCreated(Array(COUNT).fill(alice));
}

async function createsByTabs() {
  await allCreated(Array.from({ length: COUNT }, () => connect(keyPair)));
}

async function allCreated(writers) {
  const before = await allVenues();

  const created = await Promise.all(
    writers.map((writer, seats) => writer.create({ name: 'Kiosk', seats }, options)),
  );

  const shown = await allVenues();
  assert.equal(new Set(created).size, COUNT);
  assert.deepEqual([...shown].sort(), [...before, ...created].sort());
}

async function updatesOfOne() {
  const id = await alice.create({ name: 'Kiosk', seats: 0 }, options);
  await raceOver(id, [alice, connect(keyPair)]);
}

// The key has no log for the document yet: all of them want to begin the same one.
async function updatesOfAnothersOne() {
  const bob = connect(new KeyPair());
  const id = await bob.create({ name: 'Kiosk', seats: 0 }, options);
  await raceOver(id, [alice, connect(keyPair)]);
}

async function raceOver(id, writers) {
  const attempts = Array.from({ length: COUNT }, (_, seats) =>
    writers[seats % writers.length].update({ seats: seats + 1 }, id, options),
  );

  const settled = await Promise.allSettled(attempts);

  const taken = settled.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
  const refused = settled.filter(({ status }) => status === 'rejected');
  assert.ok(taken.length > 0, String(refused[0]?.reason));
  for (const { reason } of refused) {
    const extensions = reason.response?.errors[0].extensions;
    assert.equal(reason.code ?? extensions?.code, 'would_fork', String(reason));
  }
  // Each acknowledged one is in the document's history: its view can be shown.
  for (const view of taken) {
    const { then } = await query(
      endpoint,
      `{ then: ${venue}(viewId: "${view}") { meta { documentId } fields { seats } } }`,
    );
    assert.equal(then?.meta.documentId, id, view);
  }
  const now = await readVenue(id);
  for (const view of now.meta.viewId.split('_')) {
    assert.ok(taken.includes(view), `${view} is nobody's`);
  }

  // The author goes on, on what there is.
  const last = await alice.update({ seats: 100 }, now.meta.viewId, options);
  const after = await readVenue(id);
  assert.deepEqual([after.meta.viewId, after.fields.seats], [last, 100]);
  await alice.delete(last, options);
  assert.equal(await readVenue(id), null);
}

async function readVenue(id) {
  const { one } = await query(
    endpoint,
    `{ one: ${venue}(id: "${id}") { meta { viewId } fields { seats } } }`,
  );
  return one;
}

async function allVenues() {
  const { all } = await query(
    endpoint,
    `{ all: all_${venue}(first: 1000) { documents { meta { documentId } } } }`,
  );
  return all.documents.map(({ meta }) => meta.documentId);
}
