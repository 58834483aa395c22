//! What an operator can set, on the command line or in the environment. A node needs no settings.
//!
//! A URL may hold a password. It is shown to nobody, not even in what is said about a wrong one.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use grove_core::types::{PublicKey, SchemaId, SchemaIdError};

use super::network::PeerSettings;
use crate::admin::AdminCommand;
use crate::engine::{AuthorLimits, ENTRY_WORK_MAX, Policy, QuestionLimits, SchemaLimits};
use crate::http::{Access, Network};

/// Room for some hours of publishing, in which somebody may come to help.
const DISK_FREE_MIN: u64 = 256 << 20;

/// Port on which clients look for a node.
const HTTP_PORT: u16 = 2020;

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

    /// What concerns other nodes
    #[command(flatten)]
    pub peers: PeerSettings,

    /// Another name by which clients call a node that listens on loopback, as behind a proxy that passes names on;
    /// may be given several times
    #[arg(
        long,
        env = "GROVE_HTTP_NAMES",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub http_name: Vec<String>,

    /// Origins of web pages that may ask, "*" for any (which is the default) or "none"; may be given several times
    #[arg(long, env = "GROVE_CORS", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors: Option<Vec<String>>,

    /// A proxy whose X-Forwarded-For is believed, by its address or network; may be given several times
    #[arg(
        long,
        env = "GROVE_TRUSTED_PROXIES",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<Network>,

    /// Most work for one question, in units of about a microsecond: a row read, a KiB handed over
    #[arg(
        long,
        env = "GROVE_QUESTION_WORK_MAX",
        value_name = "UNITS",
        default_value_t = QuestionLimits::default().work_max
    )]
    pub question_work_max: u64,

    /// Most bytes of operations and values read for one question
    #[arg(
        long,
        env = "GROVE_QUESTION_SIZE_MAX",
        value_name = "BYTES",
        default_value_t = QuestionLimits::default().size_max
    )]
    pub question_size_max: u64,

    /// Most work to judge one entry by what its document, or the fields of its definition, have gone through
    #[arg(
        long,
        env = "GROVE_ENTRY_WORK_MAX",
        value_name = "UNITS",
        default_value_t = ENTRY_WORK_MAX
    )]
    pub entry_work_max: u64,

    /// How much room the disk of the database is to have left; with less, /healthz says so
    #[arg(
        long,
        env = "GROVE_DISK_FREE_MIN",
        value_name = "BYTES",
        default_value_t = DISK_FREE_MIN
    )]
    pub disk_free_min: u64,

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

    /// Most entries of one key [default: any number]
    #[arg(long, env = "GROVE_AUTHOR_ENTRIES_MAX", value_name = "COUNT")]
    pub author_entries_max: Option<u64>,

    /// Most logs of one key [default: any number]
    #[arg(long, env = "GROVE_AUTHOR_LOGS_MAX", value_name = "COUNT")]
    pub author_logs_max: Option<u64>,

    /// Most branches of one log, which only a key that contradicts itself has
    #[arg(
        long,
        env = "GROVE_LOG_BRANCHES_MAX",
        value_name = "COUNT",
        default_value_t = AuthorLimits::default().branches
    )]
    pub log_branches_max: u32,

    /// Most schemas of one key; every sixteen fields count as one
    #[arg(
        long,
        env = "GROVE_AUTHOR_SCHEMAS_MAX",
        value_name = "COUNT",
        default_value_t = SchemaLimits::default().per_author
    )]
    pub author_schemas_max: u64,

    /// Most schemas of all keys together; those that came last are not known
    #[arg(
        long,
        env = "GROVE_SCHEMAS_MAX",
        value_name = "COUNT",
        default_value_t = SchemaLimits::default().total
    )]
    pub schemas_max: u64,

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
    pub command: Option<AdminCommand>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped by a signal, all data safe; or the command did what it should
  1  failed while running; or verify found something damaged
  2  wrong arguments
  3  could not listen on the address
  4  could not use the data directory or the database";

/// The URL as it was given; what it says is looked at later, by those who know not to repeat it.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) String);

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

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
            http_name: Vec::new(),
            cors: None,
            trusted_proxy: Vec::new(),
            question_work_max: QuestionLimits::default().work_max,
            question_size_max: QuestionLimits::default().size_max,
            entry_work_max: ENTRY_WORK_MAX,
            disk_free_min: DISK_FREE_MIN,
            peers: PeerSettings::quiet(),
            allow_author: None,
            deny_author: Vec::new(),
            author_entries_max: None,
            author_logs_max: None,
            log_branches_max: AuthorLimits::default().branches,
            author_schemas_max: SchemaLimits::default().per_author,
            schemas_max: SchemaLimits::default().total,
            allow_schema: None,
            log_level: LogLevel::Off,
            json: false,
            command: None,
        }
    }

    /// How much one author may have.
    pub fn author_limits(&self) -> AuthorLimits {
        AuthorLimits {
            entries: self.author_entries_max,
            logs: self.author_logs_max,
            branches: self.log_branches_max,
        }
    }

    /// How many schemas are known.
    pub fn schema_limits(&self) -> SchemaLimits {
        SchemaLimits {
            per_author: self.author_schemas_max,
            total: self.schemas_max,
        }
    }

    /// How much may be done for one question.
    pub fn question_limits(&self) -> QuestionLimits {
        QuestionLimits {
            work_max: self.question_work_max,
            size_max: self.question_size_max,
        }
    }

    /// Who may ask over HTTP.
    pub fn access(&self) -> Access {
        let origins = self.cors.as_ref();
        let origins = origins.filter(|origins| !origins.iter().any(|origin| origin == "*"));
        let access = Access {
            hosts: None,
            origins: origins.map(|origins| {
                let named = origins.iter().filter(|origin| *origin != "none");
                named.cloned().collect()
            }),
            proxies: self.trusted_proxy.clone(),
        };
        match self.http_host.is_loopback() {
            true => access.on_loopback(self.http_host, &self.http_name),
            false => access,
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
