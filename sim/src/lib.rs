//! Runs real p2panda nodes and clients through a simulated network, deterministically from a seed.
//!
//! Real: the node's engine, SQLite, JSON-RPC and GraphQL over HTTP, replication sessions, the client
//! library. Simulated: TCP, clocks and randomness. Then invariants judge what the nodes hold and show.
//!
//! | module | holds |
//! | --- | --- |
//! | [`determinism`] | control over clocks and randomness of one thread |
//! | [`draw`] | every choice as a hash of the seed and its purpose |
//! | [`plan`] | what one simulation will do, as data |
//! | [`trace`] | what happened, as a rolling hash and as JSON lines |
//! | [`wire`] | HTTP over simulated TCP |

pub mod batch;
mod board;
pub mod cli;
pub mod determinism;
mod door;
pub mod draw;
mod fold;
mod host;
pub mod invariants;
pub mod plan;
mod plant;
mod replicate;
pub mod report;
pub mod run;
pub mod trace;
mod wire;
mod workload;
