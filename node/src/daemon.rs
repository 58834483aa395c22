//! A whole node as a value: its directory, its database, its threads, its operator's socket and its HTTP side.
//!
//! What `grove-node` runs, and what embedders and tests start when they want that very node. Leaves out the
//! command line, and how a process learns that it has to end.
//!
//! Always true:
//! - Nothing is created before the addresses are known to be free, so that a second start by mistake leaves no
//!   trace.
//! - When [`Daemon::run`] returns, all that was answered is durable and the directory is free.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grove_core::session::PeerId;
use grove_core::types::KeyPair;
use tokio::net::TcpListener;

use crate::admin::{self, AdminCommand, Refused, Report};
#[cfg(feature = "net")]
use crate::config::PeerSettings;
use crate::config::{Config, DataDir, StartError};
use crate::database::ChosenDatabase;
use crate::engine::{Command, EngineSettings};
use crate::http::{Access, Http, Limits, serve};
#[cfg(feature = "net")]
use crate::net::{Network, NetworkError, NetworkSettings, free_port};
use crate::runtime::{Node, Stop};

/// How often it is noted how far the node is, which tells the age of entries.
const TIMES_NOTED: Duration = Duration::from_secs(600);

/// A node that is ready to serve.
#[derive(Debug)]
pub struct Daemon {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
    #[cfg(feature = "net")]
    network: Option<Network>,
    opened: Opened,
}

/// A node over its data, which it holds for as long as it runs.
#[derive(Debug)]
struct Opened {
    node: Node,
    stop: Stop,
    database: ChosenDatabase,
    data: DataDir,
    key: KeyPair,
}

impl Daemon {
    /// Gets a node ready: from now on clients that connect wait for [`run`](Self::run).
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let listener = listen(config.address()).await?;
        let address = listener.local_addr()?;
        #[cfg(feature = "net")]
        let port = node_port(&config.peers)?;
        let opened = Opened::open(config).await?;
        Ok(Self {
            listener,
            address,
            access: config.access(),
            #[cfg(feature = "net")]
            network: match port {
                Some(port) => Some(opened.connect(&config.peers, port).await?),
                None => None,
            },
            opened,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What other nodes know this one by.
    pub fn peer_id(&self) -> PeerId {
        peer_id(&self.opened.key)
    }

    /// Where other nodes find it; nowhere, when it does without them.
    pub fn peer_addresses(&self) -> &[SocketAddr] {
        #[cfg(feature = "net")]
        if let Some(network) = &self.network {
            return network.addresses();
        }
        &[]
    }

    /// The node itself, for those in the same process.
    pub fn node(&self) -> &Node {
        &self.opened.node
    }

    /// Where it keeps its data, in words for its operator.
    pub fn kept(&self) -> String {
        let data = &self.opened.data;
        match &self.opened.database {
            #[cfg(feature = "postgres")]
            ChosenDatabase::Server { server, .. } => server.to_string(),
            ChosenDatabase::File {
                lock: Some(_),
                path,
                ..
            } => path.display().to_string(),
            ChosenDatabase::File { lock: None, .. } if data.is_ephemeral() => {
                format!("{} (removed at the end)", data.path().display())
            }
            ChosenDatabase::File { lock: None, .. } => data.path().display().to_string(),
        }
    }

    /// Serves clients and the operator until it is told to end, and ends.
    pub async fn run(self, end: impl Future<Output = ()> + Send + 'static) {
        let Opened {
            node,
            stop,
            database,
            data,
            ..
        } = self.opened;
        let socket = DataDir::admin_socket(data.path());
        let beside = tokio::spawn(beside(node.clone(), socket));
        let http = Http::with_access(node, http_limits(), self.access);
        serve(self.listener, http, end).await;
        beside.abort();
        #[cfg(feature = "net")]
        drop(self.network);
        stop.stop().await;
        // The database is used until here, and the directory with it.
        drop((database, data));
    }
}

impl Opened {
    /// Starts a node over what the settings name.
    async fn open(config: &Config) -> Result<Self, StartError> {
        let data = DataDir::open(config)?;
        let key = data.node_key()?;
        let mut settings = EngineSettings::new(peer_id(&key));
        settings.policy = config.policy();
        settings.limits.authors = config.author_limits();
        settings.limits.schemas = config.schema_limits();
        settings.limits.questions = config.question_limits();
        settings.limits.entry_work_max = config.entry_work_max;
        let database = ChosenDatabase::chosen(config, &data)?;
        let opened = tokio::task::spawn_blocking(move || {
            let (node, stop) = database.start(settings)?;
            Ok(Self {
                node,
                stop,
                database,
                data,
                key,
            })
        });
        opened.await.map_err(io::Error::other)?
    }
}

#[cfg(feature = "net")]
impl Opened {
    /// Connects the node with others.
    async fn connect(&self, settings: &PeerSettings, port: u16) -> Result<Network, StartError> {
        let (wanted, may_be_another) = settings.port();
        let mut settings = NetworkSettings {
            hosts: settings.node_host.clone(),
            port,
            direct_nodes: settings.direct_node.clone(),
            allowed: settings
                .allow_peer
                .as_ref()
                .map(|peers| peers.iter().copied().collect()),
            blocked: settings.block_peer.iter().copied().collect(),
            shared_key: settings.psk.clone(),
            mdns: settings.has_mdns(),
            relay_mode: settings.relay_mode,
            relays: settings.relay.clone(),
        };
        // Somebody may have been quicker since it was looked whether the port is free.
        let mut tried = 0;
        loop {
            tried += 1;
            let may_try = (may_be_another || wanted == 0) && tried < PORTS_TRIED_MAX;
            match Network::start(&self.node, &self.key, &settings).await {
                Err(NetworkError::Listen(..)) if may_try => {}
                started => return started.map_err(|error| StartError::Network(error.into())),
            }
            settings.port = free_port(&settings.hosts, 0)?;
        }
    }
}

/// How many ports are tried where any will do.
#[cfg(feature = "net")]
const PORTS_TRIED_MAX: u32 = 8;

/// The port for other nodes, which is free just now; none where the node does without them.
#[cfg(feature = "net")]
fn node_port(settings: &PeerSettings) -> Result<Option<u16>, StartError> {
    if settings.offline {
        return Ok(None);
    }
    let (port, may_be_another) = settings.port();
    let free = match free_port(&settings.node_host, port) {
        Err(_) if may_be_another => free_port(&settings.node_host, 0),
        free => free,
    };
    free.map(Some)
        .map_err(|source| StartError::NodePort { port, source })
}

/// What other nodes know the owner of this key by.
fn peer_id(key: &KeyPair) -> PeerId {
    PeerId(*key.public_key().as_bytes())
}

/// Does one thing to a node's data: by way of the node that runs over it, or without one.
pub async fn administer(config: &Config, command: &AdminCommand) -> Result<Report, StartError> {
    let socket = DataDir::admin_socket(&DataDir::lasting(config)?);
    let answer = match ask_running(&socket, command)? {
        Some(answer) => answer,
        None => {
            let opened = Opened::open(config).await?;
            let done = admin::perform(&opened.node, now(), command).await;
            opened.stop.stop().await;
            done.map_err(|error| Refused::from(&error))
        }
    };
    answer.map_err(|refused| StartError::Refused {
        code: refused.code,
        message: refused.message,
    })
}

#[cfg(unix)]
fn ask_running(
    socket: &Path,
    command: &AdminCommand,
) -> Result<Option<Result<Report, Refused>>, StartError> {
    Ok(admin::socket::ask(socket, command)?)
}

#[cfg(not(unix))]
fn ask_running(_: &Path, _: &AdminCommand) -> Result<Option<Result<Report, Refused>>, StartError> {
    Ok(None)
}

/// The time in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
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
