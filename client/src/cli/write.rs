//! `grove create`, `update` and `delete`.

use grove_client::DocumentRef;
use grove_client::graphql::Lookup;
use grove_client::values::{fields_from_json, fields_from_text};
use grove_core::types::{DocumentViewId, Schema, SchemaId, Value};
use grove_core::wire::Fields;

use super::error::CliError;
use super::output::Output;
use super::{Client, Common, look_up_schema};

#[derive(Debug, clap::Args)]
pub struct Create {
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    #[command(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    /// View of the document that the change is made on top of
    #[arg(value_name = "VIEW_ID")]
    view: DocumentViewId,
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    #[command(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, clap::Args)]
pub struct Delete {
    /// View of the document that is deleted
    #[arg(value_name = "VIEW_ID")]
    view: DocumentViewId,
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
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

pub async fn create(common: &Common, arguments: &Create) -> Result<Output, CliError> {
    let mut session = common.session()?;
    let schema = look_up_schema(session.api(), &arguments.schema).await?;
    let fields = arguments.fields.read(&schema)?;
    match session.create(&schema, fields).await {
        Ok(document) => Ok(describe(&document)),
        Err(error) => Err(CliError::session(error, session.pending())),
    }
}

pub async fn update(common: &Common, arguments: &Update) -> Result<Output, CliError> {
    let mut session = common.session()?;
    let schema = look_up_schema(session.api(), &arguments.schema).await?;
    let fields = arguments.fields.read(&schema)?;
    let document = look_up_document(session.api(), &schema, &arguments.view).await?;
    match session.update(&schema, &document, fields).await {
        Ok(document) => Ok(describe(&document)),
        Err(error) => Err(CliError::session(error, session.pending())),
    }
}

pub async fn delete(common: &Common, arguments: &Delete) -> Result<Output, CliError> {
    let mut session = common.session()?;
    let schema = look_up_schema(session.api(), &arguments.schema).await?;
    let document = look_up_document(session.api(), &schema, &arguments.view).await?;
    match session.delete(&schema, &document).await {
        Ok(id) => Ok(Output::pairs(&[
            ("documentId", &document.document_id),
            ("operationId", &id),
        ])),
        Err(error) => Err(CliError::session(error, session.pending())),
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

/// The document that a view belongs to.
async fn look_up_document(
    client: &Client,
    schema: &Schema,
    view_id: &DocumentViewId,
) -> Result<DocumentRef, CliError> {
    let found = client
        .document(schema, &Lookup::View(view_id.clone()))
        .await?;
    found.map(|document| document.to_ref()).ok_or_else(|| {
        let message = format!("the node has no document of this schema with view {view_id}");
        CliError::refused("document_not_found", message)
    })
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
