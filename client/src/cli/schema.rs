//! `grove schema`: publishing a schema from a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use grove_client::Definition;
use grove_client::definition::PublishedSchema;
use grove_core::types::SchemaId;
use serde_json::{Value as Json, json};

use super::error::CliError;
use super::output::Output;
use super::{Client, Common};

/// Largest file read. A schema has at most 1024 fields.
const FILE_SIZE_MAX: u64 = 1024 * 1024;

/// How long `--wait` waits, and how often it looks.
const WAIT_MAX: Duration = Duration::from_secs(30);
const WAIT_PAUSE: Duration = Duration::from_millis(250);

/// What the file looks like.
pub(super) const FORMAT: &str = "\
The file names the schema, and its fields with their types in the order in which they are published:

  name = \"venue\"
  description = \"Places to meet\"
  [fields]
  name = \"str\"
  seats = \"int\"
  owner = \"relation(person_0020…)\"

Types are bool, int, float, str, bytes, and with the id of another schema relation, relation_list,
pinned_relation, pinned_relation_list.";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The schema as TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Wait until the node answers queries for the new schema
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(common: &Common, arguments: &Arguments) -> Result<Output, CliError> {
    let text = read_file(&arguments.file)?;
    let definition = Definition::parse(&text).map_err(|error| CliError::input(&error))?;
    let client = common.client()?;
    let mut writer = common.writer(client.clone()).await?;
    let answer = definition.publish(&mut writer.session).await;
    let published = writer.end(answer)?;
    if arguments.wait {
        wait_for(&client, published.schema.id()).await?;
    }
    Ok(describe(&published))
}

fn read_file(path: &Path) -> Result<String, CliError> {
    let fail =
        |error: std::io::Error| CliError::local("file", format!("{}: {error}", path.display()));
    let mut text = String::new();
    File::open(path)
        .map_err(fail)?
        .take(FILE_SIZE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(fail)?;
    if text.len() as u64 > FILE_SIZE_MAX {
        let message = format!("{} is larger than {FILE_SIZE_MAX} bytes", path.display());
        return Err(CliError::usage("file_too_large", message));
    }
    Ok(text)
}

async fn wait_for(client: &Client, schema_id: &SchemaId) -> Result<(), CliError> {
    let wait = async {
        while !client.serves(schema_id).await? {
            tokio::time::sleep(WAIT_PAUSE).await;
        }
        Ok(())
    };
    tokio::time::timeout(WAIT_MAX, wait)
        .await
        .unwrap_or_else(|_| {
            let message =
                format!("{schema_id} is published, but the node does not answer for it yet");
            Err(CliError::refused("schema_not_ready", message))
        })
}

fn describe(published: &PublishedSchema) -> Output {
    let schema_id = published.schema.id();
    let mut lines = vec![
        format!("schema      {schema_id}"),
        format!("definition  {}", published.definition.document_id),
    ];
    let width = published.fields.iter().map(|(name, _)| name.as_str().len());
    let width = width.max().unwrap_or(0);
    for (name, field) in &published.fields {
        lines.push(format!(
            "  {:<width$}  {}",
            name.as_str(),
            field.document_id
        ));
    }
    let fields: Vec<Json> = published
        .fields
        .iter()
        .map(|(name, field)| {
            json!({ "name": name.as_str(), "documentId": field.document_id.to_string() })
        })
        .collect();
    Output {
        json: json!({
            "schemaId": schema_id.to_string(),
            "documentId": published.definition.document_id.to_string(),
            "fields": fields,
        }),
        text: lines.join("\n"),
    }
}
