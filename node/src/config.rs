//! What an operator can set, and the directory a node keeps its data in.
//!
//! A node needs no arguments. One directory holds everything, readable by its owner alone, and one
//! node at a time holds the directory.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use directories::ProjectDirs;
use grove_core::types::{PublicKey, SchemaId, SchemaIdError};

use crate::admin::Deed;
use crate::database::DatabaseUrl;
use crate::engine::Policy;
use crate::store::StoreError;
use crate::store::objects::{Location, LocationError, Objects};

/// Port on which clients look for a node.
const HTTP_PORT: u16 = 2020;

/// How many names for a temporary directory are tried.
const ATTEMPTS_MAX: u32 = 1000;

/// Keeps and serves p2panda data: clients publish and query over GraphQL and JSON-RPC.
#[derive(Debug, Parser)]
#[command(name = "grove-node", version, after_help = EXIT_CODES)]
pub struct Config {
    /// Directory for everything the node keeps [default: that of the platform for application data]
    #[arg(long, env = "GROVE_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Where the bytes of blobs are kept, file:///folder or s3://bucket/prefix [default: the folder
    /// "blobs" in the data directory]
    ///
    /// A service that speaks S3 is described by the usual variables: AWS_ENDPOINT_URL, AWS_REGION,
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_ALLOW_HTTP=true for one without TLS.
    #[arg(
        long,
        env = "GROVE_BLOBS_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub blobs_url: Option<String>,

    /// Keep nothing: work in a temporary directory that is removed at the end
    #[arg(
        long,
        env = "GROVE_EPHEMERAL",
        conflicts_with_all = ["data_dir", "blobs_url", "database_url"]
    )]
    pub ephemeral: bool,

    /// Database for entries and documents: postgres://USER:PASSWORD@HOST/NAME, which several nodes may
    /// share, or sqlite:PATH [default: a file in the data directory]
    // Its value may hold a password.
    #[arg(
        long,
        env = "GROVE_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        global = true
    )]
    pub database_url: Option<DatabaseUrl>,

    /// Port for GraphQL and JSON-RPC; 0 picks a free one
    #[arg(long, env = "GROVE_HTTP_PORT", value_name = "PORT", default_value_t = HTTP_PORT)]
    pub http_port: u16,

    /// Address to listen on; 0.0.0.0 lets other machines in
    #[arg(long, env = "GROVE_HTTP_HOST", value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub http_host: IpAddr,

    /// Take entries of these keys only; may be given several times
    #[arg(
        long,
        env = "GROVE_ALLOW_AUTHORS",
        value_name = "KEY",
        value_delimiter = ','
    )]
    pub allow_author: Option<Vec<PublicKey>>,

    /// Take no entries of these keys
    #[arg(
        long,
        env = "GROVE_DENY_AUTHORS",
        value_name = "KEY",
        value_delimiter = ','
    )]
    pub deny_author: Vec<PublicKey>,

    /// Take documents of these schemas only (and what defines them), of all with "*" (which is the
    /// default), or "none" at all; may be given several times
    #[arg(
        long,
        env = "GROVE_ALLOW_SCHEMAS",
        value_name = "SCHEMA",
        value_delimiter = ','
    )]
    pub allow_schema: Option<Vec<SchemaChoice>>,

    /// How much is written to the standard error stream
    #[arg(
        long,
        env = "GROVE_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "warn",
        global = true
    )]
    pub log_level: LogLevel,

    /// Tell what a command did as JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do instead of serving: done by the node that runs over the directory, or without one
    #[command(subcommand)]
    pub deed: Option<Deed>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped by a signal, all data safe; or the command did what it should
  1  failed while running
  2  wrong arguments
  3  could not listen on the address
  4  could not use the data directory or the database";

/// A schema, or the word that stands for all or for no schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaChoice {
    /// Documents of every schema.
    All,
    /// No documents at all.
    None,
    /// Documents of this schema.
    Only(SchemaId),
}

impl FromStr for SchemaChoice {
    type Err = SchemaIdError;

    fn from_str(text: &str) -> Result<Self, SchemaIdError> {
        match text {
            "*" => Ok(Self::All),
            "none" => Ok(Self::None),
            id => id.parse().map(Self::Only),
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for tracing_subscriber::filter::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl Config {
    /// Everything as by default, but a port of its own and nothing kept: a node for a while.
    pub fn ephemeral() -> Self {
        Self {
            data_dir: None,
            blobs_url: None,
            ephemeral: true,
            database_url: None,
            http_port: 0,
            http_host: Ipv4Addr::LOCALHOST.into(),
            allow_author: None,
            deny_author: Vec::new(),
            allow_schema: None,
            log_level: LogLevel::Off,
            json: false,
            deed: None,
        }
    }

    /// Whose entries and which schemas are let in.
    pub fn policy(&self) -> Policy {
        let schemas = self.allow_schema.as_ref();
        let schemas = schemas.filter(|choices| !choices.contains(&SchemaChoice::All));
        Policy {
            allowed_authors: self
                .allow_author
                .as_ref()
                .map(|keys| keys.iter().copied().collect()),
            denied_authors: self.deny_author.iter().copied().collect(),
            allowed_schemas: schemas.map(|choices| {
                let only = |choice: &SchemaChoice| match choice {
                    SchemaChoice::All | SchemaChoice::None => None,
                    SchemaChoice::Only(id) => Some(id.clone()),
                };
                choices.iter().filter_map(only).collect()
            }),
        }
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.http_host, self.http_port)
    }
}

/// The directory of a node, held by this process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    ephemeral: bool,
    /// The lock ends with the file.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes hold of it.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let path = match config.ephemeral && config.data_dir.is_none() {
            true => temporary()?,
            false => Self::lasting(config)?,
        };
        let failed = |source| StartError::DataDir {
            path: path.clone(),
            source,
        };
        private().recursive(true).create(&path).map_err(failed)?;
        Ok(Self {
            _lock: lock(&path.join("lock"), &path)?,
            path,
            // Only what was made here is ever removed, never a directory somebody named.
            ephemeral: config.ephemeral && config.data_dir.is_none(),
        })
    }

    /// Where a node that keeps its data has its directory.
    pub fn lasting(config: &Config) -> Result<PathBuf, StartError> {
        if let Some(path) = &config.data_dir {
            return Ok(path.clone());
        }
        let directories = ProjectDirs::from("", "", "grove").ok_or(StartError::NoHome)?;
        Ok(directories.data_dir().to_owned())
    }

    /// Where the node that runs over a directory listens to its operator.
    pub fn admin_socket(path: &Path) -> PathBuf {
        path.join("admin.sock")
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join("grove.sqlite3")
    }

    /// Where large bytes are kept, in the data directory unless the operator wants it otherwise. What
    /// the database remembers is of no use without them, so those of one that lasts have to last, too.
    pub fn objects(&self, config: &Config, lasting: bool) -> Result<Objects, StartError> {
        let location = match &config.blobs_url {
            None => Location::Folder(self.path.join("blobs")),
            Some(url) => url.parse().map_err(StartError::BlobsUrl)?,
        };
        if let Location::Folder(path) = &location
            && lasting
            && is_passing(path)
        {
            return Err(StartError::BlobsPassing { path: path.clone() });
        }
        Objects::open(&location).map_err(StartError::Blobs)
    }

    /// Whether the data goes when the node ends.
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.ephemeral {
            // What cannot be removed is left to the system, which clears its temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Whether what is kept there goes by itself.
pub(crate) fn is_passing(path: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path.starts_with(std::env::temp_dir()))
}

/// Takes hold of what one process may use at a time, by a file beside or within it.
pub(crate) fn lock(file: &Path, held: &Path) -> Result<File, StartError> {
    let path = held.to_owned();
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file);
    let lock = match lock {
        Ok(lock) => lock,
        Err(source) => return Err(StartError::DataDir { path, source }),
    };
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StartError::DataDir { path, source }),
    }
}

/// Creates directories that only their owner can look into.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a temporary directory. One that exists may be somebody else's trap and is never taken.
fn temporary() -> Result<PathBuf, StartError> {
    let mut attempt = 0;
    loop {
        let name = format!("grove-node-{}-{attempt}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match private().create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX => {
                attempt += 1;
            }
            Err(source) => return Err(StartError::DataDir { path, source }),
        }
    }
}

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
    /// The database on a server cannot be used.
    #[error("cannot use the database {server}: {source}")]
    Server {
        /// Where it is, without user and password.
        server: String,
        /// What the store said.
        source: StoreError,
    },
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
            Self::NoHome => "say where with --data-dir, or keep nothing with --ephemeral",
            Self::InUse { .. } => "stop the other node, or choose another place with --data-dir",
            Self::DataDir { .. } => "check its permissions, or choose another with --data-dir",
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
            Self::Server { .. } => {
                "make sure the server runs and lets this user in, and that the database exists and \
                 the user may create a schema in it"
            }
            Self::System(_) => "check how many threads and open files this user may have",
        }
    }

    /// The exit code that tells a script what kind of failure it was.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::System(_) | Self::Refused { .. } => 1,
            Self::BlobsUrl(_) => 2,
            Self::PortTaken(_) | Self::Listen { .. } => 3,
            Self::NoHome
            | Self::InUse { .. }
            | Self::DataDir { .. }
            | Self::BlobsElsewhere
            | Self::Database { .. }
            | Self::BlobsPassing { .. }
            | Self::Blobs(_)
            | Self::DatabaseUrl
            | Self::Server { .. } => 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(data_dir: Option<PathBuf>) -> Config {
        Config {
            data_dir,
            ..Config::ephemeral()
        }
    }

    #[test]
    fn schemas_are_let_in_by_list_wildcard_or_not_at_all() {
        let blob = SchemaId::BLOB;
        let policy = |choices: &[&str]| {
            let choices = choices.iter().map(|choice| choice.parse().unwrap());
            let config = Config {
                allow_schema: Some(choices.collect()),
                ..Config::ephemeral()
            };
            config.policy()
        };

        assert!(Config::ephemeral().policy().wants(&blob));
        assert!(policy(&["*"]).wants(&blob));
        assert!(policy(&["blob_piece_v1", "*"]).wants(&blob));
        assert!(policy(&["blob_v1"]).wants(&blob));
        assert!(!policy(&["blob_piece_v1"]).wants(&blob));
        assert!(!policy(&["none"]).wants(&blob));
        assert!("nonsense".parse::<SchemaChoice>().is_err());
    }

    #[test]
    fn only_directories_made_here_are_removed() {
        let made = DataDir::open(&config(None)).unwrap();
        let path = made.path().to_owned();
        assert!(path.is_dir());
        drop(made);
        assert!(!path.exists());

        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("named");
        drop(DataDir::open(&config(Some(named.clone()))).unwrap());
        assert!(named.is_dir());
    }
}
