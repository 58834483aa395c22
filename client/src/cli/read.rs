//! `grove get` and `grove list`.

use grove_client::graphql::{Lookup, Page};
use grove_core::types::{DocumentId, DocumentViewId, SchemaId};
use serde_json::{Value as Json, json};

use super::error::CliError;
use super::output::{Output, document_json, document_text, printable};
use super::{Common, look_up_schema};

#[derive(Debug, clap::Args)]
pub(super) struct Get {
    /// Schema of the document
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The document, as it is now
    #[arg(long, value_name = "DOCUMENT_ID")]
    id: Option<DocumentId>,
    /// One view of a document
    #[arg(long, value_name = "VIEW_ID")]
    view: Option<DocumentViewId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Schema of the documents
    #[arg(long, value_name = "ID")]
    schema: SchemaId,
    /// How many documents to ask for at once
    #[arg(long, value_name = "N", default_value_t = 25)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    first: u32,
    /// Go on behind this place
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Follow the pages to the end
    #[arg(long)]
    all: bool,
}

pub(super) async fn get(common: &Common, arguments: &Get) -> Result<Output, CliError> {
    let client = common.client()?;
    let schema = look_up_schema(&client, &arguments.schema).await?;
    let lookup = match (&arguments.which.id, &arguments.which.view) {
        (Some(id), _) => Lookup::Document(*id),
        (None, Some(view_id)) => Lookup::View(view_id.clone()),
        (None, None) => unreachable!("one of the two is required"),
    };
    let document = client.document(&schema, &lookup).await?.ok_or_else(|| {
        let message = "the node has no such document of this schema, or no longer".to_owned();
        CliError::refused("document_not_found", message)
    })?;
    Ok(Output {
        json: document_json(&document),
        text: document_text(&document),
    })
}

pub(super) async fn list(common: &Common, arguments: &List) -> Result<Output, CliError> {
    let client = common.client()?;
    let schema = look_up_schema(&client, &arguments.schema).await?;
    let (first, after) = (arguments.first, arguments.after.as_deref());
    let page = if arguments.all {
        client.collection_from(&schema, first, after).await?
    } else {
        client.collection(&schema, first, after).await?
    };
    Ok(describe(&page))
}

fn describe(page: &Page) -> Output {
    let documents: Vec<Json> = page.documents.iter().map(document_json).collect();
    let mut blocks: Vec<String> = page.documents.iter().map(document_text).collect();
    let mut summary = format!("{} of {} documents", documents.len(), page.total_count);
    if let (true, Some(cursor)) = (page.has_next_page, &page.end_cursor) {
        summary.push_str(&format!("; more with --after {}", printable(cursor)));
    }
    blocks.push(summary);
    Output {
        json: json!({
            "documents": documents,
            "totalCount": page.total_count,
            "hasNextPage": page.has_next_page,
            "endCursor": page.end_cursor,
        }),
        text: blocks.join("\n\n"),
    }
}
