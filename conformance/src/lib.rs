//! Judges p2panda libraries and nodes: vectors, the adapter protocol, live suites, reports.

pub mod forge;
