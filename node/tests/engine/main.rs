//! The engine through its own door: publishing, peers, forks, deletion, any order of arrival.

mod network;
mod ordering;
mod publishing;
mod support;
