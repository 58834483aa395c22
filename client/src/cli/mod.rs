//! The command line: what may be asked, and what comes out where.
//!
//! Answers go to stdout, as text or with `--json` as one JSON value; errors go to stderr. Exit codes:
//! 0 done, 1 the node refused or has no such document, 2 the request itself is wrong, 3 the node
//! cannot be reached or a file cannot be used.

mod error;
mod key;
mod output;
mod read;
mod schema;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use grove_client::transport::RESPONSE_SIZE_MAX;
use grove_client::{GraphqlClient, HttpTransport, Session, SessionError, Turn, keys};
use grove_core::types::{Schema, SchemaId};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;

use error::CliError;
use output::Output;

/// How long the node may take for one answer. Shorter than the library's, because somebody waits.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for other processes that write with the same key.
const TURN_PATIENCE: Duration = Duration::from_secs(60);

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the node refused, or has no such document
  2  the request itself is wrong
  3  the node cannot be reached, or a file cannot be used";

type Client = GraphqlClient<HttpTransport<HttpsConnector<HttpConnector>>>;

/// A p2panda client: publishes and reads documents through a node.
#[derive(Debug, Parser)]
#[command(name = "grove", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Address of the node
    #[arg(long, global = true, env = "GROVE_NODE", value_name = "URL")]
    #[arg(default_value = "http://127.0.0.1:2020")]
    node: String,
    /// File of the private key [default: in the platform's data directory]
    #[arg(long, global = true, env = "GROVE_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print one JSON value
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a private key, or show its public key
    #[command(subcommand)]
    Key(key::Command),
    /// Publish a schema from a TOML file
    #[command(after_help = schema::FORMAT)]
    Schema(schema::Arguments),
    /// Create a document
    Create(write::Create),
    /// Change fields of a document
    Update(write::Update),
    /// Delete a document
    Delete(write::Delete),
    /// Show one document
    Get(read::Get),
    /// Show the documents of a schema
    List(read::List),
}

/// Parses the arguments, does what they ask and tells how it went.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.common.json;
    let told = execute(arguments).and_then(|output| {
        let printed = output.print(json);
        printed.map_err(|error| CliError::local("stdout", error.to_string()))
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

fn execute(arguments: Arguments) -> Result<Output, CliError> {
    let common = arguments.common;
    let work = async {
        match arguments.command {
            Command::Key(command) => key::run(&common, &command),
            Command::Schema(arguments) => schema::run(&common, &arguments).await,
            Command::Create(arguments) => write::create(&common, &arguments).await,
            Command::Update(arguments) => write::update(&common, &arguments).await,
            Command::Delete(arguments) => write::delete(&common, &arguments).await,
            Command::Get(arguments) => read::get(&common, &arguments).await,
            Command::List(arguments) => read::list(&common, &arguments).await,
        }
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::local("runtime", error.to_string()))?
        .block_on(work)
}

impl Common {
    fn client(&self) -> Result<Client, CliError> {
        let transport = HttpTransport::connect(&self.node)
            .map_err(|error| CliError::usage("node_address", error.to_string()))?;
        Ok(GraphqlClient::new(
            transport.with_bounds(CALL_TIMEOUT, RESPONSE_SIZE_MAX),
        ))
    }

    /// The turn to write with the key, once other processes have had theirs.
    async fn writer(&self, client: Client) -> Result<Writer, CliError> {
        let path = self.key_path()?;
        let key_pair = keys::load(&path)?;
        let turn = Turn::wait(&path, TURN_PATIENCE).await?;
        let session = Session::new(key_pair, client).with_heads(turn.heads()?);
        Ok(Writer {
            session,
            turn,
            json: self.json,
        })
    }

    /// The file of the key: the one that is named, or that in its place, or that in the place where it was
    /// before.
    fn key_path(&self) -> Result<PathBuf, CliError> {
        let path = self.key.clone().or_else(keys::default_path);
        let path = path.ok_or_else(|| {
            CliError::usage("key_file_missing", "name a key file with --key".to_owned())
        })?;
        let former = keys::former_path().filter(|_| self.key.is_none());
        match former.filter(|former| !path.exists() && former.is_file()) {
            None => Ok(path),
            Some(former) => {
                let message = format!(
                    "the key is read from {}, in the data directory of a node, which may be reset or copied; \
                     move it to {}",
                    former.display(),
                    path.display(),
                );
                error::warn(self.json, &message);
                Ok(former)
            }
        }
    }
}

/// A session that has the turn to write with its key.
struct Writer {
    session: Session<Client>,
    turn: Turn,
    json: bool,
}

impl Writer {
    /// Ends the turn, and leaves word of what was written for the next.
    fn end<T>(self, answer: Result<T, SessionError>) -> Result<T, CliError> {
        if let Err(error) = self.turn.save(self.session.heads()) {
            // What was published stays published.
            error::warn(self.json, &error.to_string());
        }
        answer.map_err(|error| CliError::session(error, self.session.pending()))
    }
}

/// The schema of this id as the node knows it.
async fn look_up_schema(client: &Client, schema_id: &SchemaId) -> Result<Schema, CliError> {
    client.schema(schema_id).await?.ok_or_else(|| {
        CliError::refused(
            "schema_not_found",
            format!("the node does not know the schema {schema_id}"),
        )
    })
}
