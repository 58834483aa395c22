//! The signals that reach a node: those that end it in good order, and those that must not end it at all.
//!
//! | signal | what happens |
//! | --- | --- |
//! | TERM, INT, QUIT, XCPU, and HUP unless it was started by `nohup` | it ends; a second one ends it at once |
//! | XFSZ: a file grew beyond what the system allows | the write fails, as on a full disk |
//!
//! Ended by any other signal a node leaves its files as they are, and an ephemeral one its directory.

use std::io;

/// Exit code after a second signal: 128 and the number of SIGINT, as shells have it.
const FORCED: i32 = 130;

/// The signals that end a node.
pub(crate) struct Signals {
    #[cfg(unix)]
    ending: Vec<tokio::signal::unix::Signal>,
    /// Heard, since the system ends who does not hear it, and not heeded.
    #[cfg(unix)]
    _file_size: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Hears them from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kinds = vec![
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::from_raw(libc::SIGXCPU),
        ];
        if !is_ignored(libc::SIGHUP) {
            kinds.push(SignalKind::hangup());
        }
        Ok(Self {
            ending: kinds.into_iter().map(signal).collect::<Result<_, _>>()?,
            _file_size: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut heard = self.ending.iter_mut();
            match heard.any(|signal| signal.poll_recv(context).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

/// Whether this process was started to ignore a signal, as `nohup` does. Only Linux tells it in a file.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
impl Signals {
    /// Hears them from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Signals {
    /// Waits for the first signal; from then on the next one ends the process at once.
    pub(crate) async fn wait(mut self) {
        self.next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(FORCED);
        });
    }
}
