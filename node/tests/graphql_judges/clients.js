// Published clients of GraphQL, each through the same scenario: a typed page by a filter in a variable, an
// error with its code and place, a mutation that is refused.
//
// node clients.js urql|apollo|graphql-request|graphql-ws ENDPOINT SCHEMA_ID
//
// The schema has the fields `name: str` and `seats: int`, and two documents: Alpha with 100 seats, beta
// with 50.

import assert from 'node:assert/strict';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { GraphQLClient } from 'graphql-request';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [name, endpoint, schemaId] = process.argv.slice(2);

const PAGE = `query Page($filter: ${schemaId}Filter, $order: ${schemaId}OrderBy, $first: Int!) {
  page: all_${schemaId}(filter: $filter, orderBy: $order, first: $first) {
    totalCount hasNextPage documents { cursor fields { name seats } meta { documentId viewId owner } }
  }
}`;
const NEXT = 'query Next($key: PublicKey!) { nextArgs(publicKey: $key) { logId } __typename }';
const PUBLISH = `mutation Publish($entry: EncodedEntry!, $operation: EncodedOperation!) {
  publish(entry: $entry, operation: $operation) { logId }
}`;
const EVENTS = `subscription Events { schemas { id name fields { name type } } }`;

// Each gives `{ data, errors }` as the node answered.
const CLIENTS = {
  urql() {
    const client = new Client({
      url: endpoint,
      exchanges: [fetchExchange],
      preferGetMethod: true,
      requestPolicy: 'network-only',
    });
    const read = ({ data, error }) => ({ data, errors: error?.graphQLErrors });
    return {
      query: async (text, variables) => read(await client.query(text, variables).toPromise()),
      mutation: async (text, variables) => read(await client.mutation(text, variables).toPromise()),
    };
  },
  apollo() {
    const client = new ApolloClient({ link: new HttpLink({ uri: endpoint }), cache: new InMemoryCache() });
    const options = { errorPolicy: 'all', fetchPolicy: 'network-only' };
    const read = ({ data, error }) => ({ data, errors: error?.errors });
    return {
      query: async (text, variables) => read(await client.query({ query: gql(text), variables, ...options })),
      mutation: async (text, variables) =>
        read(await client.mutate({ mutation: gql(text), variables, errorPolicy: 'all' })),
    };
  },
  'graphql-request'() {
    const client = new GraphQLClient(endpoint, { errorPolicy: 'all' });
    const ask = async (text, variables) => {
      // It throws at what was not executed, whatever its policy.
      const { data, errors } = await client.rawRequest(text, variables).catch(({ response }) => response);
      return { data, errors };
    };
    return { query: ask, mutation: ask };
  },
  'graphql-ws'() {
    const client = createClient({ url: endpoint.replace('http', 'ws'), webSocketImpl: WebSocket });
    const first = async (query, variables) => {
      try {
        for await (const answer of client.iterate({ query, variables })) return answer;
      } catch (errors) {
        if (Array.isArray(errors)) return { errors };
        throw errors;
      }
    };
    return { query: first, mutation: first, subscription: first, close: () => client.dispose() };
  },
};

const client = CLIENTS[name]();
const named = (documents) => documents.map(({ fields }) => fields.name);

const filter = { seats: { gte: 50, in: [50, 100] } };
const page = await client.query(PAGE, { filter, order: 'seats', first: 10 });
assert.equal(page.errors?.length ?? 0, 0, JSON.stringify(page.errors));
assert.deepEqual(named(page.data.page.documents), ['beta', 'Alpha']);
assert.equal(page.data.page.totalCount, 2);

// One value is as good as a list of it.
const one = await client.query(PAGE, { filter: { seats: { in: 100 } }, order: null, first: 1 });
assert.deepEqual(named(one.data.page.documents), ['Alpha']);

// A field that must not be null fails: nothing is answered.
const wrong = await client.query(PAGE, { filter: {}, order: 'name', first: 0 });
assert.equal(wrong.data ?? null, null);
assert.equal(wrong.errors[0].extensions.code, 'argument_invalid');
assert.deepEqual(wrong.errors[0].path, ['page']);

// One that may be null does: the others are answered.
const partial = await client.query(NEXT, { key: 'ab' });
assert.equal(partial.data.nextArgs, null);
assert.equal(partial.errors[0].extensions.code, 'key_length');

// What is no query of this schema.
const invalid = await client.query('{ nothing }', {});
assert.equal(invalid.errors[0].extensions.code, 'request_malformed');

const refused = await client.mutation(PUBLISH, { entry: '00', operation: '00' });
assert.equal(refused.data ?? null, null);
assert.equal(refused.errors[0].extensions.phase, 'entry', JSON.stringify(refused.errors));
assert.deepEqual(refused.errors[0].path, ['publish']);

if (client.subscription) {
  const event = await client.subscription(EVENTS, {});
  assert.equal(event.errors, undefined);
  assert.ok(event.data.schemas.fields.length > 0);
}
await client.close?.();
console.log(`${name} is content`);
