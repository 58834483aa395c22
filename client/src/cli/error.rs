//! Errors as the command line tells them: a text, a stable code, an exit code.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use grove_client::keys::KeyFileError;
use grove_client::transport::TransportError;
use grove_client::turn::TurnError;
use grove_client::{ApiError, NodeRefusal, SessionError};
use grove_core::types::OperationId;
use grove_core::{Reason, Refusal};
use serde_json::json;

use super::output::printable;

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const LOCAL: u8 = 3;

/// Why a command did not succeed.
#[derive(Debug)]
pub(super) struct CliError {
    exit_code: u8,
    code: String,
    message: String,
}

impl CliError {
    /// The node said no, or has not what was asked for.
    pub(super) fn refused(code: impl Into<String>, message: String) -> Self {
        Self {
            exit_code: REFUSED,
            code: code.into(),
            message,
        }
    }

    /// The request itself is wrong.
    pub(super) fn usage(code: impl Into<String>, message: String) -> Self {
        Self {
            exit_code: USAGE,
            code: code.into(),
            message,
        }
    }

    /// The node cannot be reached, or a file cannot be used.
    pub(super) fn local(code: impl Into<String>, message: String) -> Self {
        Self {
            exit_code: LOCAL,
            code: code.into(),
            message,
        }
    }

    /// The input breaks a rule of the protocol.
    pub(super) fn input(error: &impl Refusal) -> Self {
        Self::usage(error.reason().code(), error.to_string())
    }

    /// The session failed; `pending` is the operation whose fate it left open.
    pub(super) fn session(error: SessionError, pending: Option<OperationId>) -> Self {
        let mut told = Self::from(error);
        if let Some(id) = pending {
            let open = format!("; whether operation {id} was published is unknown");
            told.message.push_str(&open);
        }
        told
    }

    /// Writes the error to stderr.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        let line = if json {
            json!({ "error": { "code": self.code, "message": self.message } }).to_string()
        } else {
            let (message, code) = (printable(&self.message), printable(&self.code));
            format!("error: {message} ({code})")
        };
        // When stderr is gone, the exit code still tells.
        let _ = writeln!(std::io::stderr(), "{line}");
        ExitCode::from(self.exit_code)
    }
}

impl From<NodeRefusal> for CliError {
    fn from(refusal: NodeRefusal) -> Self {
        let code = refusal.code.unwrap_or_else(|| "refused".to_owned());
        Self::refused(code, refusal.message)
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Refused(refusal) => refusal.into(),
            ApiError::Transport(error) => {
                let code = match error {
                    TransportError::Timeout(_) => "node_timeout",
                    _ => "node_unreachable",
                };
                Self::local(code, with_sources(&error))
            }
            other => Self::local("node_answer", with_sources(&other)),
        }
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Refused(refusal) => refusal.into(),
            SessionError::Unanswered(error) => error.into(),
            SessionError::Invalid(error) => Self::input(&error),
            SessionError::TooLarge => {
                Self::usage(Reason::PayloadTooLarge.code(), error.to_string())
            }
            other => Self::refused("refused", other.to_string()),
        }
    }
}

impl From<KeyFileError> for CliError {
    fn from(error: KeyFileError) -> Self {
        Self::local(error.code(), error.to_string())
    }
}

impl From<TurnError> for CliError {
    fn from(error: TurnError) -> Self {
        Self::local(error.code(), error.to_string())
    }
}

/// Says on stderr what went well, but perhaps not as intended.
pub(super) fn warn(json: bool, message: &str) {
    let line = if json {
        json!({ "warning": message }).to_string()
    } else {
        format!("warning: {}", printable(message))
    };
    // The command goes on whether it is read or not.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The error with what it comes from, as far as that says something new.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
