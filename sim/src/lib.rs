//! Runs real p2panda nodes and clients through a simulated network, deterministically from a seed.
//!
//! Real: the node's engine, SQLite, JSON-RPC and GraphQL over HTTP, replication sessions, the client
//! library. Simulated: TCP, clocks and randomness. Then invariants judge what the nodes hold and show.
//!
//! | module | holds |
//! | --- | --- |
//! | [`plan`] | what one simulation will do, as data; every choice in it a hash of seed and purpose |
//! | [`faults`] | what goes wrong: cut links, and bugs planted to try the invariants |
//! | [`run`] | one plan to its verdict |
//! | [`engines`] | what carries a plan out |
//! | [`evidence`], [`invariants`], [`reference`] | what a run leaves, what must hold of it, a second opinion on documents |
//! | [`batch`] | many seeds, each in a process of its own, some of them twice |
//! | [`report`], [`trace`] | what a run hands back, and the hash over all that happened |
//! | [`cli`] | the command line |
//! | [`hosts`], [`draw`], [`decimal`] | names and numbers of hosts; the source of all choices; long numbers in JSON |

pub mod batch;
pub mod cli;
mod decimal;
mod draw;
mod engines;
mod evidence;
pub mod faults;
pub mod hosts;
mod invariants;
pub mod plan;
mod reference;
pub mod report;
pub mod run;
pub mod trace;

pub use engines::full::determinism::ControlError;
pub use faults::planted::PlantedBug;
