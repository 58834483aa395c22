//! Connections of clients: who may have one, for how long, and how much memory what moves on them takes.
//!
//! Knows HTTP/1.1 and the frames of WebSockets, and nothing of what is asked on them: the routes are
//! handed in. Each file uses only those above it:
//!
//! | file | holds |
//! | --- | --- |
//! | `activity` | what a connection waits for, and when that has lasted too long |
//! | `frames` | how many messages of a WebSocket are unanswered |
//! | `memory` | the memory that large bodies and messages share |
//! | `slots` | all open connections, and who gives way when they run out |
//! | `bodies` | bodies on their way, which tell what they wait for and lease memory |
//! | `serve` | accepting and serving |

mod activity;
mod bodies;
mod frames;
mod memory;
mod serve;
mod slots;

pub(super) use bodies::{account, busy};
pub(super) use memory::{Bulk, Memory};
pub use serve::{Listener, serve};
