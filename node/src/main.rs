//! The daemon `grove-node`: settings in, a served node out, until a signal ends it. Or, with a command,
//! one thing done to a node's data.

mod signals;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use grove_core::session::PeerId;
use grove_node::admin::{self, Deed, Refused, Report};
use grove_node::config::{Config, DataDir, StartError};
use grove_node::database::Database;
use grove_node::engine::{Command, EngineSettings};
use grove_node::http::{Http, Limits, serve};
use grove_node::runtime::{Node, Stop};
use serde_json::json;
use signals::Signals;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

/// How often it is noted how far the node is, which tells the age of entries.
const TIMES_NOTED: Duration = Duration::from_secs(600);

/// The name under which peers would meet this node. It has no network to peers, so none does.
const UNNAMED: PeerId = PeerId([0; 32]);

fn main() -> ExitCode {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(config.log_level))
        .with_writer(io::stderr)
        .with_ansi(is_colourful())
        .init();
    match start(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Refused { code, message }) if config.json => {
            let error = json!({ "error": { "code": code, "message": message } });
            println!("{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("grove-node: {error}\n  hint: {}", error.hint());
            error.exit_code()
        }
    }
}

/// Whether somebody looks at the log and has not said that colours are unwanted (`NO_COLOR`). In files their
/// codes would stand as they are.
fn is_colourful() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !unwanted
}

fn start(config: &Config) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match &config.deed {
        Some(deed) => runtime.block_on(administer(config, deed)),
        None => runtime.block_on(run(config)),
    }
}

/// Does one thing to a node's data: by way of the node that runs over it, or without one.
async fn administer(config: &Config, deed: &Deed) -> Result<(), StartError> {
    let socket = DataDir::admin_socket(&DataDir::lasting(config)?);
    let answer = match ask_running(&socket, deed)? {
        Some(answer) => answer,
        None => {
            let data = DataDir::open(config)?;
            let (node, stop, _database) = open(config, &data).await?;
            let done = admin::perform(&node, now(), deed).await;
            stop.stop().await;
            done.map_err(|error| Refused::from(&error))
        }
    };
    let report = answer.map_err(|refused| StartError::Refused {
        code: refused.code,
        message: refused.message,
    })?;
    if config.json {
        println!("{}", serde_json::to_value(&report).unwrap_or_default());
    } else {
        print!("{}", report.to_text());
    }
    Ok(())
}

#[cfg(unix)]
fn ask_running(socket: &Path, deed: &Deed) -> Result<Option<Result<Report, Refused>>, StartError> {
    Ok(admin::socket::ask(socket, deed)?)
}

#[cfg(not(unix))]
fn ask_running(_: &Path, _: &Deed) -> Result<Option<Result<Report, Refused>>, StartError> {
    Ok(None)
}

/// The time in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Runs a node from its first to its last breath.
async fn run(config: &Config) -> Result<(), StartError> {
    let signal = Signals::listen()?;
    // Before anything is created, so that a second start by mistake leaves no trace.
    let listener = listen(config.address()).await?;
    let address = listener.local_addr()?;
    let data = DataDir::open(config)?;
    let (node, stop, database) = open(config, &data).await?;
    let beside = tokio::spawn(beside(node.clone(), DataDir::admin_socket(data.path())));

    announce(&kept(&data, &database), address);
    serve(listener, Http::new(node, http_limits()), signal.wait()).await;
    beside.abort();
    stop.stop().await;
    Ok(())
}

/// Starts a node over what the settings name. The database is to be kept for as long as the node runs.
async fn open(config: &Config, data: &DataDir) -> Result<(Node, Stop, Database), StartError> {
    let settings = EngineSettings {
        policy: config.policy(),
        ..EngineSettings::new(UNNAMED)
    };
    let database = Database::chosen(config, data)?;
    let opened = tokio::task::spawn_blocking(move || {
        let (node, stop) = database.start(settings)?;
        Ok((node, stop, database))
    });
    opened.await.map_err(io::Error::other)?
}

/// What a node does beside serving clients: it listens to its operator, and remembers now and then how
/// far it was.
async fn beside(node: Node, socket: PathBuf) {
    let remember = async {
        let mut ticks = tokio::time::interval(TIMES_NOTED);
        loop {
            ticks.tick().await;
            if let Err(error) = node.command(Command::NoteTime).await {
                tracing::debug!(%error, "could not note the time");
            }
        }
    };
    tokio::join!(remember, listen_to_operator(&node, &socket));
}

#[cfg(unix)]
async fn listen_to_operator(node: &Node, socket: &Path) {
    match admin::socket::listen(socket) {
        Ok(listener) => admin::socket::serve(listener, node.clone(), now).await,
        Err(error) => {
            let path = socket.display();
            tracing::warn!(%error, %path, "commands will not reach this node while it runs");
        }
    }
}

#[cfg(not(unix))]
async fn listen_to_operator(_: &Node, _: &Path) {}

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

/// Where the node keeps its data.
fn kept(data: &DataDir, database: &Database) -> String {
    match database {
        Database::Server { server, .. } => server.to_string(),
        Database::File {
            lock: Some(_),
            path,
            ..
        } => path.display().to_string(),
        Database::File { lock: None, .. } if data.is_ephemeral() => {
            format!("{} (removed at the end)", data.path().display())
        }
        Database::File { lock: None, .. } => data.path().display().to_string(),
    }
}

/// Tells that the node can be used from now on, and where.
fn announce(kept: &str, address: SocketAddr) {
    let mut out = io::stdout().lock();
    // Nobody reading is no reason to stop.
    let _ = writeln!(
        out,
        "grove-node {}\n  data      {kept}\n  GraphQL   http://{address}/graphql\n  JSON-RPC  http://{address}/",
        env!("CARGO_PKG_VERSION"),
    );
    let _ = out.flush();
}
