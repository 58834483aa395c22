//! Runs real p2panda nodes and clients through a simulated network, deterministically from a seed.
//!
//! Real: the node's engine, SQLite, JSON-RPC and GraphQL over HTTP, replication sessions, the client
//! library. Simulated: TCP, clocks and randomness. Then invariants judge what the nodes hold and show.
//!
//! | module | holds |
//! | --- | --- |
//! | [`plan`] | what one simulation will do, as data; every choice in it a hash of seed and purpose |
//! | [`faults`] | what goes wrong: cut links, and bugs planted to try the invariants |
//! | [`play`], [`run`] | one plan to its verdict, on the fast and on the full engine |
//! | [`sweep`], [`explore`] | many seeds on the fast engine; other futures of worlds that were worth keeping |
//! | [`shrink`], [`bundle`] | failures made small, and as files that can be run again |
//! | [`engines`] | what carries a plan out |
//! | [`ledger`] | what was signed and accepted so far, as the harness saw it |
//! | [`evidence`], [`observe`], [`invariants`], [`reference`] | what a run leaves, what must hold of it, a second opinion on documents |
//! | [`batch`] | many seeds on the full engine, each in a process of its own, some of them twice |
//! | [`view`] | runs to look at, and as other tools read them |
//! | [`report`], [`trace`] | what a run hands back, and the hash over all that happened |
//! | [`cli`] | the command line |
//! | [`hosts`], [`notes`], [`draw`], [`decimal`] | names and numbers of hosts; what clients write; the source of all choices; long numbers in JSON |

pub mod batch;
pub mod bundle;
pub mod cli;
mod decimal;
mod draw;
mod engines;
mod evidence;
pub mod explore;
pub mod faults;
pub mod hosts;
mod invariants;
mod ledger;
mod notes;
mod observe;
pub mod plan;
pub mod play;
mod reference;
pub mod report;
pub mod run;
pub mod shrink;
pub mod sweep;
pub mod trace;
pub mod view;

pub use engines::fast::{Probe, Probes};
pub use engines::full::determinism::ControlError;
pub use faults::planted::PlantedBug;
