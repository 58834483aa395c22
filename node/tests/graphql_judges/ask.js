// Asks over GraphQL by POST; the answer as it came.

export const OPTIONS = { descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true };

export async function ask(endpoint, query, variables) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  return response.json();
}
