// What the page does: publishes with p2panda-js and with shirokuma's bundle, which brings a p2panda-js
// of its own, and collects what it was allowed to see.

import { KeyPair, initWebAssembly } from 'p2panda-js';
import * as shirokuma from '/node_modules/shirokuma/lib/esm-bundle/index.js';
import { PandaClient, publishSchema, query } from './client.js';

export async function publish(node) {
  const endpoint = `${node}/graphql`;
  await initWebAssembly();
  const client = new PandaClient(endpoint, new KeyPair());

  const schemaId = await publishSchema(client, 'note', { text: 'str', stars: 'int' });
  const documentId = await client.create({ text: 'first', stars: 5 }, { schemaId });
  const viewId = await client.update({ text: 'second' }, documentId, { schemaId });

  return {
    origin: location.origin,
    publicKey: client.keyPair.publicKey(),
    schemaId,
    documentId,
    viewId,
    seen: await query(endpoint, `{ note: ${schemaId}(id: "${documentId}") {
      meta { documentId viewId owner } fields { text stars } } }`),
    blobId: await publishBlob(endpoint),
    refusal: await refusal(endpoint),
    nextArgs: await nextArgsOverJsonRpc(node, client.keyPair.publicKey()),
  };
}

async function publishBlob(endpoint) {
  await shirokuma.initWebAssembly();
  const session = new shirokuma.Session(endpoint).setKeyPair(new shirokuma.KeyPair());
  return session.createBlob(new Blob(['from a browser'], { type: 'text/plain' }));
}

// Other origins may read errors as well.
async function refusal(endpoint) {
  const headers = { 'Content-Type': 'application/json', 'X-Of-The-Page': 'any' };
  const response = await fetch(endpoint, { method: 'POST', headers, body: 'nonsense' });
  const { errors } = await response.json();
  return { status: response.status, code: errors[0].extensions.code };
}

async function nextArgsOverJsonRpc(node, author) {
  const call = { jsonrpc: '2.0', id: 1, method: 'panda_getEntryArguments', params: { author } };
  const response = await fetch(node, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(call),
  });
  return (await response.json()).result;
}
