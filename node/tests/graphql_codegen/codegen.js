// graphql-codegen reads the schema from the node and writes the types of a query; TypeScript checks a program
// that uses them, which then asks the node.
//
// node codegen.js ENDPOINT SCHEMA_ID FOLDER
//
// The schema has the fields `name: str` and `seats: int`, and two documents: Alpha with 100 seats, beta
// with 50. What is written goes to the folder, which is empty.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [endpoint, schemaId, folder] = process.argv.slice(2);
const here = import.meta.dirname;
const write = (name, text) => writeFileSync(join(folder, name), text);
const run = (program, ...words) => {
  try {
    return execFileSync(join(here, 'node_modules/.bin', program), words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${program}: ${error.stdout}\n${error.stderr}`);
  }
};

// What is written imports packages from where it lies.
symlinkSync(join(here, 'node_modules'), join(folder, 'node_modules'));
write('package.json', JSON.stringify({ type: 'module' }));
write(
  'page.graphql',
  `query Page($filter: ${schemaId}Filter, $order: ${schemaId}OrderBy, $first: Int!) {
    page: all_${schemaId}(filter: $filter, orderBy: $order, orderDirection: DESC, first: $first) {
      totalCount documents { meta { documentId } fields { name seats } }
    }
  }`,
);
write(
  'codegen.json',
  JSON.stringify({
    schema: endpoint,
    documents: 'page.graphql',
    generates: { 'page.ts': { plugins: ['typescript', 'typescript-operations', 'typed-document-node'] } },
    config: { useTypeImports: true, enumsAsTypes: true, namingConvention: 'keep' },
  }),
);
run('graphql-codegen', '--config', 'codegen.json');

// A field that is not there, a filter of another type and a text for a number are found before anything runs.
const program = (filter, shown) => `
import { print } from 'graphql';
import { PageDocument, type PageQuery, type PageQueryVariables } from './page.ts';

export async function ask(endpoint: string): Promise<string[]> {
  const variables: PageQueryVariables = { filter: ${filter}, order: 'seats', first: 10 };
  const body = JSON.stringify({ query: print(PageDocument), variables });
  const response = await fetch(endpoint, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  const { data }: { data: PageQuery } = await response.json();
  return data.page.documents.map((document) => \`\${document.fields?.${shown}}\`);
}
`;
const check = (filter, shown) => {
  write('program.ts', program(filter, shown));
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', '--rewriteRelativeImportExtensions'];
  return run('tsc', ...options, 'program.ts');
};
assert.throws(() => check('{ seats: { gte: 50 } }', 'nothing'), /nothing/);
assert.throws(() => check('{ seats: { contains: "5" } }', 'name'), /contains/);
assert.throws(() => check('{ seats: { gte: "50" } }', 'name'), /string/);
check('{ seats: { gte: 50 } }', 'name');

const { ask } = await import(pathToFileURL(join(folder, 'program.js')).href);
assert.deepEqual(await ask(endpoint), ['Alpha', 'beta']);
console.log('graphql-codegen is content');
