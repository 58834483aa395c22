// Serves a page, opens it in a headless browser, and checks what the page published to the node and
// what it could see of it. The node has another origin than the page, so CORS has to allow it all.
//
// node browser.js BROWSER NODE_URL

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { query } from './client.js';

const TIMEOUT_MS = 60_000;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

const [browser, node] = process.argv.slice(2);
const result = await visit();
console.log(result);

const { origin, publicKey, schemaId, documentId, viewId } = result;
assert.equal(result.error, undefined);
assert.notEqual(origin, new URL(node).origin);

const note = {
  meta: { documentId, viewId, owner: publicKey },
  fields: { text: 'second', stars: 5 },
};
assert.notEqual(viewId, documentId);
assert.deepEqual(result.seen, { note });
assert.deepEqual(result.refusal, { status: 400, code: 'request_malformed' });
assert.deepEqual(result.nextArgs, {
  entryHashBacklink: null,
  entryHashSkiplink: null,
  seqNum: '1',
  // Two fields, the definition, the note.
  logId: '4',
});

// What the page saw is what everybody sees.
const all = await query(
  `${node}/graphql`,
  `{
    notes: all_${schemaId} { documents { meta { documentId viewId owner } fields { text stars } } }
    blob: blob_v1(id: "${result.blobId}") {
      fields { length mime_type pieces { documents { fields { data } } } }
    }
  }`,
);
assert.deepEqual(all.notes.documents, [note]);
assert.deepEqual(all.blob.fields, {
  length: 14,
  mime_type: 'text/plain',
  pieces: { documents: [{ fields: { data: Buffer.from('from a browser').toString('hex') } }] },
});

// Serves the page to a browser until it reports; what it reports.
async function visit() {
  const { promise, resolve, reject } = deferred();
  const server = createServer((request, response) => answer(request, response, resolve));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const profile = await mkdtemp(join(tmpdir(), 'grove-browser-'));
  const page = `http://localhost:${server.address().port}/page.html?node=${node}`;
  const child = open(page, profile);
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  child.on('error', reject);
  child.on('close', (code) => reject(new Error(`the browser ended with ${code}: ${said}`)));
  const timer = setTimeout(() => reject(new Error(`no report in time: ${said}`)), TIMEOUT_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    if (child.exitCode === null && child.kill('SIGKILL')) {
      await once(child, 'close');
    }
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

function deferred() {
  const handles = {};
  const promise = new Promise((resolve, reject) => Object.assign(handles, { resolve, reject }));
  return { promise, ...handles };
}

function open(page, profile) {
  const flags = [
    '--headless',
    '--no-sandbox',
    '--no-first-run',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--user-data-dir=${profile}`,
  ];
  return spawn(browser, [...flags, page], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function answer(request, response, report) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST' && pathname === '/result') {
    const result = await json(request);
    response.end();
    report(result);
    return;
  }
  try {
    const body = await readFile(join(import.meta.dirname, pathname));
    response.writeHead(200, { 'Content-Type': TYPES[extname(pathname)] }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}
