//! Checks. Each returns the proof type that the next step demands, so none can be left out.
//!
//! ```text
//! bytes ─SignedEntry::verify→ SignedEntry ─attach→ Submission ─(log, schema, graph)→ stored
//! ```
//!
//! What a check needs from a store is handed in; looking it up is the engine's work.

mod blob;
mod certificate;
mod entry;
mod error;
mod fork;
mod log;
mod operation;
mod schema;
mod system;

pub use blob::{BlobError, blob_length};
pub use certificate::{
    CertificateError, certificate_pool, path_from_block_end, path_to_first, verify_partial_log,
};
pub use entry::{PayloadError, SignedEntry, Submission, VerifyError};
pub use error::ValidationError;
pub use fork::{ForkError, ForkEvidence};
pub use log::{Links, LogError, LogTip, ancestor, check_position, prefers};
pub use operation::validate_operation;
pub use schema::build_schema;
