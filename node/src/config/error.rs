//! Why a node did not start, or did not go on, and what to do about it.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::store::StoreError;
use crate::store::objects::LocationError;

/// Why a node did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something else listens there.
    #[error("port {} on {} is taken", .0.port(), .0.ip())]
    PortTaken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The platform does not say where data belongs.
    #[error("there is no home directory to keep data in")]
    NoHome,
    /// Another process holds the directory.
    #[error("another node is using {}", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be created or written to.
    #[error("cannot use {}: {source}", .path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node's key can't be read or made.
    #[error("cannot use the node's key in {}: {source}", .path.display())]
    NodeKey {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else listens where other nodes would come in.
    #[error("cannot listen for other nodes on port {port}: {source}")]
    NodePort {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// There is no network to other nodes.
    #[error(transparent)]
    Network(Box<dyn Error + Send + Sync>),
    /// The database cannot be opened.
    #[error("cannot open the database {}: {source}", .path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// What the store said.
        source: StoreError,
    },
    /// A command was not carried out.
    #[error("{message} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// The cause.
        message: String,
    },
    /// The place for blobs is no place. (Caller)
    #[error("--blobs-url can't be used: {0}")]
    BlobsUrl(LocationError),
    /// The database was used with another place for blobs. (Caller)
    #[error("the database was used with blobs in another place")]
    BlobsElsewhere,
    /// The database would outlive its blobs. (Caller)
    #[error("{} is a place for temporary files, and the database is kept", .path.display())]
    BlobsPassing {
        /// The place for blobs.
        path: PathBuf,
    },
    /// The place for blobs can't be used.
    #[error("cannot keep blobs: {0}")]
    Blobs(StoreError),
    /// The URL of the database says nothing this program understands.
    #[error("--database-url can't be understood")]
    DatabaseUrl,
    /// The database is on a server, and this program knows files alone.
    #[error(
        "--database-url names a server, and this program was built without its feature postgres"
    )]
    NoServers,
    /// The database on a server cannot be used.
    #[error("cannot use the database {server}: {source}")]
    Server {
        /// Where it is, without user and password.
        server: String,
        /// What the store said.
        source: StoreError,
    },
    /// A command was carried out, and what it has to tell can't be written to standard output.
    #[error("the answer cannot be written to standard output: {0}")]
    Unheard(io::Error),
    /// The system did not give what any program needs.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::PortTaken(_) => {
                "perhaps another node is running; choose another port with --http-port, \
                 or 0 for any free one"
            }
            Self::Listen { .. } => "check --http-host and --http-port",
            Self::NodePort { .. } => {
                "check --node-host, and choose another port with --node-port, or 0 for any free one; \
                 --offline does without other nodes"
            }
            Self::Network(_) => {
                "check --node-host and --node-port; --offline does without other nodes"
            }
            Self::NodeKey { .. } => {
                "it must hold 64 hexadecimal digits and be readable by its owner alone; \
                 without the file the node makes a new key, and has a new peer id then"
            }
            Self::NoHome => "say where with --data-dir, or keep nothing with --ephemeral",
            Self::InUse { .. } => "stop the other node, or choose another place with --data-dir",
            Self::DataDir { .. } => "check its permissions, or choose another with --data-dir",
            Self::Database { source, .. } if source.is_damage() => {
                "grove-node verify tells what is damaged, if the node can still read it; put back a copy of the \
                 data directory, or start with an empty one, which peers and clients fill again"
            }
            Self::Database { .. } => {
                "make sure the disk is not full and the file is not damaged, \
                 or choose another place with --data-dir"
            }
            Self::Refused { .. } => "grove-node help tells what each command takes",
            Self::BlobsUrl(_) => "file:///folder and s3://bucket/prefix are understood",
            Self::BlobsElsewhere => {
                "nodes that share a database share its blobs: name one place, that all of them reach, \
                 with --blobs-url; to move it, copy everything in it, the folder \"marks\" included"
            }
            Self::BlobsPassing { .. } => {
                "choose another place for blobs, or keep nothing with --ephemeral"
            }
            Self::Blobs(_) => {
                "check --blobs-url, the permissions of the folder and the AWS_ variables"
            }
            Self::DatabaseUrl => {
                "write postgres://USER:PASSWORD@HOST:PORT/NAME, with every special character of the \
                 password as %XX, and sslmode=disable or sslmode=require (which checks the server's \
                 certificate) as its only security; or sqlite:PATH"
            }
            Self::NoServers => {
                "build it with its default features, or name a file with sqlite:PATH"
            }
            Self::Server { .. } => {
                "make sure the server runs and lets this user in, and that the database exists and \
                 the user may create a schema in it"
            }
            Self::Unheard(_) => "the command itself was carried out; send its output elsewhere",
            Self::System(_) => "check how many threads and open files this user may have",
        }
    }

    /// The exit code that tells a script what kind of failure it was.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::System(_) | Self::Refused { .. } | Self::Unheard(_) => 1,
            Self::BlobsUrl(_) => 2,
            Self::PortTaken(_) | Self::Listen { .. } | Self::NodePort { .. } | Self::Network(_) => {
                3
            }
            Self::NoHome
            | Self::NodeKey { .. }
            | Self::InUse { .. }
            | Self::DataDir { .. }
            | Self::BlobsElsewhere
            | Self::Database { .. }
            | Self::BlobsPassing { .. }
            | Self::Blobs(_)
            | Self::DatabaseUrl
            | Self::NoServers
            | Self::Server { .. } => 4,
        })
    }
}
