//! A p2panda node: it validates and stores what clients and peers send, materialises documents, and
//! answers queries.
//!
//! | module | holds |
//! | --- | --- |
//! | [`engine`] | everything that decides: synchronous, no clock, socket, thread or random source |
//! | [`store`] | the trait the engine stores through, and SQLite and PostgreSQL behind it |
//! | [`api`] | answers to clients, free of any syntax |
//! | [`admin`] | what an operator does to a node's data: purging, collecting garbage |
//! | [`budget`] | how much work may be done at once |
//! | [`runtime`] | the threads around the engine, or none under simulation |
//! | [`http`] | JSON-RPC, GraphQL and health over HTTP |
//! | [`net`] | the network between nodes: QUIC and TCP, bytes in and bytes out |
//! | [`config`] | where a node keeps its data and listens |
//! | [`database`] | which database that is |
//! | [`daemon`] | a whole node as a value: what `grove-node`, embedders and tests start |
//! | [`terminal`] | how a command line is heard: used by all our programs |

pub mod admin;
pub mod api;
pub mod budget;
pub mod config;
pub mod daemon;
pub mod database;
pub mod engine;
pub mod http;
#[cfg(feature = "net")]
pub mod net;
pub mod runtime;
pub mod store;
pub mod terminal;
