//! The fast engine: the nodes' own engines and the clients' own sessions, with messages as events in a queue.
//!
//! Real: the engine behind its driver, the links that decide about connections, the codec of messages, the
//! sessions of the client library, what answers clients, the store in memory. Simulated: the network, clocks,
//! disks and power. Left out: HTTP, framing, threads, SQLite; those are for the full engine.
//!
//! A world is a value: it can be cloned at any moment, and both go on from there by themselves.
//!
//! | module | holds |
//! | --- | --- |
//! | [`world`] | the state, and one step after the other |
//! | [`event`], [`time`], [`dice`], [`tape`] | what will happen, randomness, and the hash over what happened |
//! | [`node`], [`connection`], [`net`] | nodes, and the connections between them |
//! | [`line`], [`steps`], [`client`], [`clients`] | clients of the library as tasks that are values |
//! | [`trouble`], [`forger`], [`tricks`] | what goes wrong, and what hostile nodes do |
//! | [`watch`], [`verdict`] | what is judged at every event, and in the end |
//! | [`probes`] | which rare states were met |

mod client;
mod clients;
mod connection;
mod dice;
mod event;
mod forger;
mod line;
mod net;
mod node;
mod probes;
mod steps;
mod tape;
mod time;
mod tricks;
mod trouble;
mod verdict;
mod watch;
mod world;

pub use probes::{Probe, Probes};
pub(crate) use world::{Finished, World};
