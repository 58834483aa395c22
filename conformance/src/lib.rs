//! Judges p2panda libraries and nodes: vectors, the adapter protocol, live suites, reports.

pub mod adapter;
pub mod check;
pub mod cli;
pub mod coverage;
pub mod dissect;
pub mod exit;
pub mod explain;
pub mod forge;
pub mod generate;
pub mod live;
pub mod mutants;
mod progress;
pub mod report;
pub mod runner;
pub mod suite;
