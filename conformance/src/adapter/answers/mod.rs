//! One function per kind: question in, library called, result or refusal out.
//!
//! Shapes of inputs and results are those of `vectors/FORMAT.md`.

mod documents;
mod form;
mod logs;
mod messages;
mod operations;
mod publishing;
mod scenario;
mod session;
mod text;
mod world;

use serde_json::Value;

use super::Answer;

type Question = fn(&Value, &Value) -> Answer;

/// Every kind with its function of context and input.
pub(super) const KINDS: &[(&str, Question)] = &[
    ("varu64.decode", text::varu64_decode),
    ("varu64.encode", text::varu64_encode),
    ("lipmaa", text::lipmaa_link),
    ("key.public", text::key_public),
    ("hash.of", text::hash_of),
    ("hash.parse", text::hash_parse),
    ("view.parse", text::view_parse),
    ("view.hash", text::view_hash),
    ("schema.parse", text::schema_parse),
    ("entry.decode", logs::entry_decode),
    ("entry.encode", logs::entry_encode),
    ("log.append", logs::log_append),
    ("operation.decode", operations::operation_decode),
    ("operation.encode", operations::operation_encode),
    ("operation.validate", operations::operation_validate),
    ("document.reduce", documents::document_reduce),
    ("document.view", documents::document_view),
    ("schema.build", documents::schema_build),
    ("blob.check", documents::blob_check),
    ("certificate", logs::certificate),
    ("branch.verify", logs::branch_verify),
    ("fork.verify", logs::fork_verify),
    ("message.decode", messages::message_decode),
    ("message.encode", messages::message_encode),
    ("next_args", publishing::next_args),
    ("publish", publishing::publish),
    ("scenario", scenario::scenario),
    ("session", session::session),
];
