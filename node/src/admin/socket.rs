//! The door through which the operator reaches a running node: a socket in its data directory.
//!
//! Only the owner of the directory gets to it. One connection carries one command as a line of JSON, and
//! its outcome as another. That lines are short and take no longer than they must is all it asks of
//! them: whoever gets here may do anything anyhow.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::{AdminCommand, Refused, Report, perform};
use crate::runtime::Node;

/// Size of a command in words.
const LINE_SIZE_MAX: u64 = 64 * 1024;

/// How long somebody who connected may take to say what is to be done.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);

/// The outcome as it travels.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done(Report),
    Refused(Refused),
}

/// Listens at this path, which nobody else may be listening at; what an earlier node left there is
/// removed.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Does what operators say, one command after the other, for as long as it is polled. `now` tells the
/// seconds since 1970.
pub async fn serve(listener: UnixListener, node: Node, now: impl Fn() -> i64) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = answer(stream, &node, now()).await {
                    tracing::debug!(%error, "the operator went before the answer");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not listen to the operator");
                tokio::time::sleep(LINE_TIMEOUT).await;
            }
        }
    }
}

async fn answer(mut stream: tokio::net::UnixStream, node: &Node, now: i64) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut lines = tokio::io::BufReader::new(read.take(LINE_SIZE_MAX));
    tokio::time::timeout(LINE_TIMEOUT, lines.read_line(&mut line)).await??;
    let outcome = match serde_json::from_str::<AdminCommand>(&line) {
        Ok(command) => match perform(node, now, &command).await {
            Ok(report) => Outcome::Done(report),
            Err(error) => Outcome::Refused(Refused::from(&error)),
        },
        Err(error) => Outcome::Refused(Refused {
            code: grove_core::Reason::RequestMalformed.code().to_owned(),
            message: error.to_string(),
        }),
    };
    let mut line = serde_json::to_vec(&outcome).map_err(io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Has the node that listens at this path do something. `None` when none does.
pub fn ask(path: &Path, command: &AdminCommand) -> io::Result<Option<Result<Report, Refused>>> {
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut line = serde_json::to_vec(command).map_err(io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(Some(match serde_json::from_str(&answer)? {
        Outcome::Done(report) => Ok(report),
        Outcome::Refused(refused) => Err(refused),
    }))
}
