//! The full engine: real nodes and clients on one thread, over simulated TCP, clocks and randomness.
//!
//! | module | holds |
//! | --- | --- |
//! | [`world`] | hosts and links, stepped through the phases of a run |
//! | [`host`], [`replicate`] | a node, and its connections to the others |
//! | [`workload`], [`door`] | the clients, and their way to a node |
//! | [`memories`] | what clients remember, for others to go on from |
//! | [`shared`] | what clients know together and the run wants to know of them |
//! | [`wire`] | TCP streams that write into the trace, and HTTP over them |
//! | [`determinism`] | control over clocks and randomness |

pub(crate) mod determinism;
mod door;
mod host;
mod memories;
mod replicate;
mod shared;
mod wire;
mod workload;
pub(crate) mod world;
