//! Checks. Each returns the proof type that the next step demands, so none can be left out.
//!
//! ```text
//! bytes ─SignedEntry::verify→ SignedEntry ─attach→ Submission ─(log, schema, graph)→ stored
//! ```
//!
//! What a check needs from a store is handed in; looking it up is the engine's work.

mod entry;
mod log;
mod operation;
mod schema;
mod system;

pub use entry::{PayloadError, SignedEntry, Submission, VerifyError};
pub use log::{LogError, LogTip, check_position};
pub use operation::{ValidationError, validate_operation};
pub use schema::build_schema;
