//! `grove create`, `update` and `delete`.

use grove_client::DocumentRef;
use grove_client::graphql::Lookup;
use grove_client::values::{fields_from_json, fields_from_text};
use grove_core::types::{DocumentId, DocumentViewId, Schema, SchemaId, Value};
use grove_core::wire::Fields;

use super::error::{CliError, warn};
use super::output::Output;
use super::{Common, Writer, look_up_schema};

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    #[command(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, clap::Args)]
pub(super) struct Update {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    target: Target,
}

/// The document to change, and what the change is made on top of.
#[derive(Debug, clap::Args)]
struct Target {
    /// The document
    #[arg(value_name = "DOCUMENT_ID")]
    document: DocumentId,
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    /// View that the change is made on top of, instead of the document as it is now
    #[arg(long, value_name = "VIEW_ID")]
    on: Option<DocumentViewId>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct FieldArguments {
    /// A field and its value: bytes as hex, relations as ids, lists as ids joined by commas
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pairs: Vec<(String, String)>,
    /// All fields as one JSON object
    #[arg(long = "fields", value_name = "JSON")]
    object: Option<String>,
}

pub(super) async fn create(common: &Common, arguments: &Create) -> Result<Output, CliError> {
    let client = common.client()?;
    let schema = look_up_schema(&client, &arguments.schema).await?;
    let fields = arguments.fields.read(&schema)?;
    let mut writer = common.writer(client).await?;
    let answer = writer.session.create(&schema, fields).await;
    Ok(describe(&writer.end(answer)?))
}

pub(super) async fn update(common: &Common, arguments: &Update) -> Result<Output, CliError> {
    let client = common.client()?;
    let schema = look_up_schema(&client, &arguments.target.schema).await?;
    let fields = arguments.fields.read(&schema)?;
    // Looked up within the turn, so that changes made by others with this key are built upon.
    let mut writer = common.writer(client).await?;
    let document = arguments.target.look_up(&writer, &schema).await?;
    let answer = writer.session.update(&schema, &document, fields).await;
    Ok(describe(&writer.end(answer)?))
}

pub(super) async fn delete(common: &Common, arguments: &Delete) -> Result<Output, CliError> {
    let client = common.client()?;
    let schema = look_up_schema(&client, &arguments.target.schema).await?;
    let mut writer = common.writer(client).await?;
    let document = arguments.target.look_up(&writer, &schema).await?;
    let answer = writer.session.delete(&schema, &document).await;
    let id = writer.end(answer)?;
    Ok(Output::pairs(&[
        ("documentId", &document.document_id),
        ("operationId", &id),
    ]))
}

impl Target {
    /// The document with the view to build on: the current one, unless another is named.
    async fn look_up(&self, writer: &Writer, schema: &Schema) -> Result<DocumentRef, CliError> {
        let client = writer.session.api();
        let current = client
            .document(schema, &Lookup::Document(self.document))
            .await?;
        let Some(current) = current else {
            let message = format!(
                "the node has no document {} of this schema; to build on a view, name its document and \
                 give the view by --on",
                self.document
            );
            return Err(CliError::refused("document_not_found", message));
        };
        let Some(view_id) = &self.on else {
            return Ok(current.to_ref());
        };
        let found = client
            .document(schema, &Lookup::View(view_id.clone()))
            .await?;
        let found = found.filter(|found| found.document_id == self.document);
        let Some(found) = found else {
            let message = format!("document {} has no view {view_id}", self.document);
            return Err(CliError::refused("document_not_found", message));
        };
        if found.view_id != current.view_id {
            let message = format!(
                "{view_id} is not how the document is now; the change stands beside those made since. \
                 Its current view is {}",
                current.view_id
            );
            warn(writer.json, &message);
        }
        Ok(found.to_ref())
    }
}

impl FieldArguments {
    fn read(&self, schema: &Schema) -> Result<Fields<Value>, CliError> {
        let fields = match &self.object {
            Some(text) => {
                let object = serde_json::from_str(text)
                    .map_err(|error| CliError::usage("fields_json", error.to_string()))?;
                fields_from_json(&object, schema)
            }
            None => {
                let pairs = self.pairs.iter();
                fields_from_text(pairs.map(|(name, text)| (&**name, &**text)), schema)
            }
        };
        fields.map_err(|error| CliError::input(&error))
    }
}

fn describe(document: &DocumentRef) -> Output {
    Output::pairs(&[
        ("documentId", &document.document_id),
        ("viewId", &document.view_id),
    ])
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
