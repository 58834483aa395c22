//! The shared p2panda library: data types, encodings, rules and replication sessions.
//!
//! Everything here is synchronous and pure: no clock, file, socket, environment, thread or random
//! source is read; whatever of those a rule needs is handed in. Nodes, clients, the simulator and the
//! conformance adapter all stand on this crate, so a rule exists once.
//!
//! Layers, each using only those above it:
//!
//! | module | holds |
//! | --- | --- |
//! | [`limits`], [`time`], [`reason`] | bounds, the clock value, the table of all refusal codes |
//! | [`types`] | hashes, keys, ids, log positions, schemas, values: newtypes that cannot hold a bad value |
//! | [`wire`] | varu64, strict CBOR, entries, operations, replication messages |
//! | [`validate`] | checks; each returns the proof type the next step demands |
//! | [`document`] | operation graph, walk, reduction, views |
//! | [`author`] | next arguments and forging of the next entry |
//! | [`publish`] | whether an entry may be taken, by what is known of logs and documents |
//! | [`session`] | replication between two peers as a state machine |
//! | [`mutant`] | the rules of all of these, broken on purpose, to measure tests; off in what ships |

pub mod author;
pub mod document;
pub mod limits;
pub mod mutant;
pub mod publish;
pub mod reason;
pub mod session;
pub mod time;
pub mod types;
pub mod validate;
pub mod wire;

pub use reason::{Phase, Reason, Refusal};
