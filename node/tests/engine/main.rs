//! The engine through its own door: publishing, peers, forks, deletion, any order of arrival.

#![allow(clippy::unwrap_used)]

mod claims;
mod collect;
mod deletion;
mod deployed;
mod failures;
mod forks;
mod locks;
mod network;
mod ordering;
mod policy;
#[path = "../postgres_server/mod.rs"]
mod postgres_server;
mod publishing;
mod purge;
mod schemas;
mod support;
mod tombstones;
mod views;
mod work;
