// Publishes with one of the published clients, as two people would, and reads back what the node
// makes of it. Ends with an exit code other than 0 at the first difference.
//
// node scenario.js p2panda-js|shirokuma ENDPOINT

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { KeyPair } from 'p2panda-js';
import { Session } from 'shirokuma';
import { PandaClient, publishSchema, query, typed } from './client.js';

const CONNECT = {
  'p2panda-js': (endpoint, keyPair) => new PandaClient(endpoint, keyPair),
  shirokuma: (endpoint, keyPair) => new Session(endpoint).setKeyPair(keyPair),
};

// Node.js has no FileReader. This is as much of it as shirokuma uses.
globalThis.FileReader ??= class {
  readAsArrayBuffer(blob) {
    blob.arrayBuffer().then((result) => this.onload({ target: { result } }), this.onerror);
  }
};

const INT_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2n ** 63n);

const [name, endpoint] = process.argv.slice(2);
const keys = { alice: new KeyPair(), bob: new KeyPair() };
const alice = CONNECT[name](endpoint, keys.alice);
const bob = CONNECT[name](endpoint, keys.bob);

const place = await publishSchema(alice, 'place', { name: 'str' });
const event = await publishSchema(alice, 'event', {
  cancelled: 'bool',
  visitors: 'int',
  rating: 'float',
  title: 'str',
  poster: 'bytes',
  place: `relation(${place})`,
  tour: `relation_list(${place})`,
  place_then: `pinned_relation(${place})`,
  tour_then: `pinned_relation_list(${place})`,
});

const steps = [
  schemasAreDocuments,
  everyTypeReadsBack,
  numbersAreExact,
  concurrentUpdatesMerge,
  relationsAreFollowed,
  deletionIsFinal,
  refusalsAreErrors,
  // Only shirokuma knows how to cut blobs.
  ...(name === 'shirokuma' ? [blobsReadBack, emptyFilesAreBlobs] : []),
];
for (const step of steps) {
  console.log(step.name);
  await step();
}

async function schemasAreDocuments() {
  const id = event.replace('event_', '');

  const { definition } = await query(
    endpoint,
    `{ definition: schema_definition_v1(id: "${id}") {
      meta { viewId }
      fields { name description fields { totalCount documents { fields { name type } } } }
    } }`,
  );

  const { fields, ...rest } = definition.fields;
  assert.deepEqual(definition.meta, { viewId: id });
  assert.deepEqual(rest, { name: 'event', description: 'Documents named event' });
  assert.equal(fields.totalCount, 9);
  assert.deepEqual(fields.documents[5].fields, { name: 'place', type: `relation(${place})` });
}

async function everyTypeReadsBack() {
  const hall = await createPlace('Hall');
  const id = await createEvent(hall, [hall]);

  const found = await readEvent(id);

  const there = { fields: { name: 'Hall' }, meta: { viewId: hall } };
  assert.deepEqual(found, {
    meta: { documentId: id, viewId: id, owner: keys.alice.publicKey() },
    fields: {
      cancelled: false,
      visitors: INT_MAX,
      rating: 4,
      title: 'Fête "\\" 🐼\n',
      poster: '00ff10',
      place: there,
      tour: { totalCount: 1, documents: [there] },
      place_then: there,
      tour_then: { totalCount: 1, documents: [there] },
    },
  });
}

// Also takes the log past the sequence numbers with a skiplink.
async function numbersAreExact() {
  const hall = await createPlace('Hall');
  const id = await createEvent(hall, []);
  const ints = [INT_MIN, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 32n, 24n, 0n, -1n, INT_MAX];
  const floats = [0.1, -0, 5e-324, 1.7976931348623157e308, 65504, 1e-7, -1.5, 2 ** 53];

  let viewId = id;
  for (const [index, visitors] of ints.entries()) {
    const rating = floats[index];
    const fields = typed({ visitors: ['int', visitors], rating: ['float', rating] });
    viewId = await alice.update(fields, viewId, { schemaId: event });

    const found = await readEvent(id);

    assert.equal(found.meta.viewId, viewId);
    assert.equal(BigInt(found.fields.visitors), visitors);
    assert.equal(found.fields.rating, rating);
    assert.equal(found.fields.cancelled, false);
  }
}

async function concurrentUpdatesMerge() {
  const hall = await createPlace('Hall');
  const id = await createEvent(hall, []);

  const [byAlice, byBob] = await Promise.all([
    alice.update({ title: 'by Alice', cancelled: true }, id, { schemaId: event }),
    bob.update({ title: 'by Bob', visitors: 7n }, id, { schemaId: event }),
  ]);
  const merged = await readEvent(id);

  // Of two concurrent operations the one with the greater id comes later and wins.
  const winner = byAlice > byBob ? 'by Alice' : 'by Bob';
  assert.equal(merged.meta.viewId, [byAlice, byBob].sort().join('_'));
  assert.equal(merged.meta.owner, keys.alice.publicKey());
  assert.equal(merged.fields.title, winner);
  assert.equal(merged.fields.cancelled, true);
  assert.equal(merged.fields.visitors, 7);
  assert.deepEqual(await readEventView(merged.meta.viewId), merged);

  const next = await bob.update({ title: 'settled' }, merged.meta.viewId, { schemaId: event });
  const settled = await readEvent(id);
  assert.equal(settled.meta.viewId, next);
  assert.equal(settled.fields.title, 'settled');
  assert.equal(settled.fields.cancelled, true);

  // View ids are given as lists, too.
  const [left, right] = await Promise.all([
    alice.update({ visitors: 1n }, [next], { schemaId: event }),
    bob.update({ visitors: 2n }, [next], { schemaId: event }),
  ]);
  const last = await alice.update({ visitors: 3n }, [left, right].sort(), { schemaId: event });
  const final = await readEvent(id);
  assert.equal(final.meta.viewId, last);
  assert.equal(final.fields.visitors, 3);
}

async function relationsAreFollowed() {
  const hall = await createPlace('Hall');
  const barn = await createPlace('Barn');
  const id = await createEvent(hall, [barn, hall, barn]);
  const [left, right] = await Promise.all([
    alice.update({ name: 'Old hall' }, hall, { schemaId: place }),
    bob.update({ name: 'New hall' }, hall, { schemaId: place }),
  ]);
  const mergedView = [left, right].sort();

  const { fields } = await readEvent(id);

  const name = left > right ? 'Old hall' : 'New hall';
  const now = { fields: { name }, meta: { viewId: mergedView.join('_') } };
  const then = { fields: { name: 'Hall' }, meta: { viewId: hall } };
  const other = { fields: { name: 'Barn' }, meta: { viewId: barn } };
  assert.deepEqual(fields.place, now);
  assert.deepEqual(fields.place_then, then);
  assert.deepEqual(fields.tour, { totalCount: 3, documents: [other, now, other] });
  assert.deepEqual(fields.tour_then, { totalCount: 3, documents: [other, then, other] });

  // A pinned relation can hold a view of several operations.
  const pins = typed({
    place_then: ['pinned_relation', mergedView],
    tour_then: ['pinned_relation_list', [[hall], mergedView]],
  });
  await bob.update(pins, id, { schemaId: event });
  const pinned = await readEvent(id);
  assert.deepEqual(pinned.fields.place_then, now);
  assert.deepEqual(pinned.fields.tour_then, { totalCount: 2, documents: [then, now] });
}

async function deletionIsFinal() {
  const hall = await createPlace('Hall');
  const barn = await createPlace('Barn');
  const id = await createEvent(hall, [hall, barn]);
  const before = await countEvents();

  await bob.delete(hall, { schemaId: place });
  const homeless = await readEvent(id);
  await alice.delete(id, { schemaId: event });

  assert.equal(homeless.fields.place, null);
  assert.equal(homeless.fields.tour.totalCount, 1);
  assert.equal(homeless.fields.tour.documents[0].meta.viewId, barn);
  assert.equal(await readEvent(id), null);
  assert.equal(await readEventView(id), null);
  assert.equal(await countEvents(), before - 1);
  const late = alice.update({ title: 'late' }, id, { schemaId: event });
  assert.equal(await codeOf(late), 'document_deleted');
}

async function refusalsAreErrors() {
  const nowhere = `place_0020${'00'.repeat(32)}`;
  const before = await countEvents();

  const unknownSchema = alice.create({ name: 'Hall' }, { schemaId: nowhere });
  const missingFields = alice.create({ title: 'Alone' }, { schemaId: event });
  const unknownView = alice.update({ title: 'Lost' }, `0020${'00'.repeat(32)}`, {
    schemaId: event,
  });

  const codes = await Promise.all([unknownSchema, missingFields, unknownView].map(codeOf));
  assert.deepEqual(codes, ['schema_not_found', 'field_missing', 'previous_not_found']);
  assert.equal(await countEvents(), before);
}

async function blobsReadBack() {
  const bytes = randomBytes(2 * 256_000 + 1);

  const id = await alice.createBlob(new Blob([bytes], { type: 'image/png' }));

  const { blob } = await query(
    endpoint,
    `{ blob: blob_v1(id: "${id}") {
      meta { documentId owner }
      fields { length mime_type pieces { totalCount documents { fields { data } } } }
    } }`,
  );
  const { pieces, ...fields } = blob.fields;
  const data = pieces.documents.map((piece) => Buffer.from(piece.fields.data, 'hex'));
  assert.deepEqual(blob.meta, { documentId: id, owner: keys.alice.publicKey() });
  assert.deepEqual(fields, { length: bytes.length, mime_type: 'image/png' });
  assert.equal(pieces.totalCount, 3);
  assert.deepEqual(
    data.map((piece) => piece.length),
    [256_000, 256_000, 1],
  );
  assert(Buffer.concat(data).equals(bytes), 'the pieces make up the blob');
}

async function emptyFilesAreBlobs() {
  const id = await alice.createBlob(new Blob([], { type: 'text/plain' }));

  const served = await fetch(new URL(`/blobs/${id}`, endpoint));
  assert.equal(served.status, 200);
  assert.equal(served.headers.get('content-type'), 'text/plain');
  assert.equal((await served.arrayBuffer()).byteLength, 0);
}

function createPlace(name) {
  return alice.create({ name }, { schemaId: place });
}

function createEvent(where, tour) {
  const fields = typed({
    cancelled: ['bool', false],
    visitors: ['int', INT_MAX],
    rating: ['float', 4],
    title: ['str', 'Fête "\\" 🐼\n'],
    poster: ['bytes', new Uint8Array([0x00, 0xff, 0x10])],
    place: ['relation', where],
    tour: ['relation_list', tour],
    place_then: ['pinned_relation', [where]],
    tour_then: ['pinned_relation_list', tour.map((id) => [id])],
  });
  return alice.create(fields, { schemaId: event });
}

function readEvent(id) {
  return read(`id: "${id}"`);
}

function readEventView(viewId) {
  return read(`viewId: "${viewId}"`);
}

async function read(argument) {
  const place = '{ fields { name } meta { viewId } }';
  const { found } = await query(
    endpoint,
    `{ found: ${event}(${argument}) {
      meta { documentId viewId owner }
      fields {
        cancelled visitors rating title poster
        place ${place} tour { totalCount documents ${place} }
        place_then ${place} tour_then { totalCount documents ${place} }
      }
    } }`,
  );
  return found;
}

async function countEvents() {
  return (await query(endpoint, `{ all: all_${event} { totalCount } }`)).all.totalCount;
}

// The code with which the node refused. Shirokuma passes on the whole response.
async function codeOf(refused) {
  const error = await refused.then(
    () => assert.fail('was not refused'),
    (error) => error,
  );
  return error.code ?? error.response?.errors[0].extensions.code ?? error;
}
