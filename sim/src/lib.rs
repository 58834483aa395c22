//! Runs real p2panda nodes and clients through a simulated network, deterministically from a seed.
//!
//! Real: the node's engine, SQLite, JSON-RPC and GraphQL over HTTP, replication sessions, the client
//! library. Simulated: TCP, clocks and randomness. Then invariants judge what the nodes hold and show.
//!
//! | module | holds |
//! | --- | --- |
//! | [`plan`] | what one simulation will do, as data; every choice in it a hash of seed and purpose |
//! | [`run`] | one plan to its verdict |
//! | [`batch`] | many seeds, each in a process of its own, some of them twice |
//! | [`report`], [`trace`] | what a run hands back, and the hash over all that happened |
//! | [`cli`] | the command line |
//! | `world`, `host`, `replicate`, `workload`, `door`, `board`, `wire` | the simulated world and what runs in it |
//! | `invariants`, `fold`, `plant` | what must hold at the end, a second opinion, and bugs that must be seen |
//! | `determinism`, `draw` | control over clocks and randomness |

pub mod batch;
mod board;
pub mod cli;
mod determinism;
mod door;
mod draw;
mod fold;
mod host;
mod invariants;
pub mod plan;
mod plant;
mod replicate;
pub mod report;
pub mod run;
pub mod trace;
mod wire;
mod workload;
mod world;

pub use determinism::ControlError;
pub use plant::Plant;
