//! The engine through its own door: publishing, peers, forks, deletion, any order of arrival.

#![allow(clippy::unwrap_used)]

mod collect;
mod failures;
mod network;
mod ordering;
mod policy;
mod publishing;
mod purge;
mod support;
