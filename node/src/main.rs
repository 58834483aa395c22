//! The daemon `grove-node`: settings in, a served node out, until a signal ends it.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use grove_core::session::PeerId;
use grove_node::config::{Config, DataDir, StartError};
use grove_node::engine::EngineLimits;
use grove_node::http::{Http, Limits, serve};
use grove_node::runtime::ThreadedNode;
use grove_node::store::SqliteStore;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

/// Exit code after a second signal: 128 and the number of SIGINT, as shells have it.
const FORCED: i32 = 130;

/// The name under which peers would meet this node. It has no network to peers, so none does.
const UNNAMED: PeerId = PeerId([0; 32]);

fn main() -> ExitCode {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(config.log_level))
        .with_writer(io::stderr)
        .init();
    match start(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grove-node: {error}\n  hint: {}", error.hint());
            error.exit_code()
        }
    }
}

fn start(config: &Config) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(config))
}

/// Runs a node from its first to its last breath.
async fn run(config: &Config) -> Result<(), StartError> {
    let signal = Signals::listen()?;
    // Before anything is created, so that a second start by mistake leaves no trace.
    let listener = listen(config.address()).await?;
    let address = listener.local_addr()?;
    let data = DataDir::open(config)?;
    let limits = EngineLimits {
        policy: config.policy(),
        ..EngineLimits::default()
    };
    let (node, stop) = SqliteStore::open(&data.database())
        .and_then(|store| ThreadedNode::start(store, UNNAMED, limits))
        .map_err(|source| StartError::Database {
            path: data.path().to_owned(),
            source,
        })?;

    announce(&data, address);
    serve(listener, Http::new(node, http_limits()), signal.wait()).await;
    stop.stop().await;
    Ok(())
}

/// File descriptors that are kept from connections: those of the database, its readers and the system.
#[cfg(unix)]
const FILES_KEPT: u64 = 128;

/// As many connections as by default, as far as the system allows that many open files at once.
fn http_limits() -> Limits {
    let mut limits = Limits::default();
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => {
            let most = usize::try_from(files.saturating_sub(FILES_KEPT).max(1));
            limits.connections_max = limits.connections_max.min(most.unwrap_or(usize::MAX));
        }
        Err(error) => tracing::warn!(%error, "could not raise the number of open files"),
    }
    limits
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => StartError::PortTaken(address),
            _ => StartError::Listen { address, source },
        })
}

/// Tells that the node can be used from now on, and where.
fn announce(data: &DataDir, address: SocketAddr) {
    let mut out = io::stdout().lock();
    let kept = if data.is_ephemeral() {
        " (removed at the end)"
    } else {
        ""
    };
    // Nobody reading is no reason to stop.
    let _ = writeln!(
        out,
        "grove-node {}\n  data      {}{kept}\n  GraphQL   http://{address}/graphql\n  JSON-RPC  http://{address}/",
        env!("CARGO_PKG_VERSION"),
        data.path().display(),
    );
    let _ = out.flush();
}

/// The signals that end a node.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
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
    async fn wait(mut self) {
        self.next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(FORCED);
        });
    }
}
