"""gql, the client for Python, through the scenario of clients.js: it reads the schema and judges by it
first. Then it follows the schemas over a WebSocket.

python gql_client.py ENDPOINT SCHEMA_ID
"""

import asyncio
import sys

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from graphql import GraphQLError

endpoint, schema_id = sys.argv[1:]

PAGE = f"""query Page($filter: {schema_id}Filter, $order: {schema_id}OrderBy, $first: Int!) {{
  page: all_{schema_id}(filter: $filter, orderBy: $order, first: $first) {{
    totalCount documents {{ fields {{ name seats }} }}
  }}
}}"""


async def main():
    transport = AIOHTTPTransport(url=endpoint)
    client = Client(transport=transport, fetch_schema_from_transport=True)
    async with client as session:
        assert f"{schema_id}Event" in client.schema.type_map

        def ask(text, **variables):
            query = gql(text)
            query.variable_values = variables
            return session.execute(query)

        found = await ask(PAGE, filter={"seats": {"gte": 50}}, order="seats", first=10)
        names = [document["fields"]["name"] for document in found["page"]["documents"]]
        assert names == ["beta", "Alpha"], found

        # Python writes what lies beyond the first plane as two escapes.
        escaped = '{ page: all_%s(filter: {name: {eq: "\\ud83d\\ude00"}}) { totalCount } }' % schema_id
        found = await ask(escaped)
        assert found["page"]["totalCount"] == 0, found

        try:
            await ask(PAGE, filter=None, order=None, first=0)
            raise AssertionError("a page of nothing is answered")
        except TransportQueryError as error:
            assert error.errors[0]["extensions"]["code"] == "argument_invalid", error.errors
            assert error.errors[0]["path"] == ["page"], error.errors
            assert error.data is None

        try:
            await ask("{ nothing }")
            raise AssertionError("what is no query is asked")
        except GraphQLError:
            pass
    socket = AIOHTTPWebsocketsTransport(
        url=endpoint.replace("http", "ws", 1),
        subprotocols=[AIOHTTPWebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    async with Client(transport=socket) as session:
        # One question over it, and what is followed beside.
        found = await session.execute(gql("{ all_%s { totalCount } }" % schema_id))
        assert found == {f"all_{schema_id}": {"totalCount": 2}}, found
        told = set()
        async for event in session.subscribe(gql("subscription { schemas { id name } }")):
            told.add(event["schemas"]["id"])
            if schema_id in told:
                break
        try:
            async for event in session.subscribe(gql("subscription { nothing }")):
                raise AssertionError("what is not there is followed")
        except TransportQueryError as error:
            assert error.errors[0]["extensions"]["code"] == "request_malformed", error.errors
    print("gql is content")


asyncio.run(main())
