//! What is checked, in profiles: each a room of checks about one thing.
//!
//! Here is what several of them share: ways to say what must hold, and pages of the run's collection.

mod blobs;
mod deletion;
mod documents;
mod doors;
mod filters;
mod forks;
mod graphql;
mod graphs;
mod jsonrpc;
mod orders;
mod publishing;
mod query;
mod refusals;
mod shelf;

use serde_json::{Value, json};

use super::Wrong;
use super::api::{self, Answer};
use super::case::{Case, LiveCheck, check};
use super::under_test::{NodeUnderTest, eventually};
use crate::forge::Hash;

/// The tables of cases by the profile they belong to.
const TABLES: [(&str, &[LiveCheck]); 10] = [
    ("core", publishing::ALL),
    ("core", documents::ALL),
    ("core", doors::ALL),
    ("jsonrpc", jsonrpc::ALL),
    ("graphql", graphql::ALL),
    ("query", query::ALL),
    ("query", orders::ALL),
    ("blobs", blobs::ALL),
    ("deletion", deletion::ALL),
    ("forks", forks::ALL),
];

/// Every case of the tables.
pub(crate) fn cases() -> Vec<Case<'static>> {
    let tables = TABLES
        .iter()
        .flat_map(|(profile, checks)| checks.iter().map(|check| check.in_profile(profile)));
    let mut cases: Vec<_> = tables.collect();
    cases.extend(refusals::ALL.iter().map(refusals::Refusal::case));
    cases.extend(filters::cases());
    cases.extend(graphql::cases());
    cases.extend(graphs::cases());
    cases.extend(orders::cases());
    cases
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds {
        Ok(())
    } else {
        Err(Wrong::Behaviour(what()))
    }
}

fn must_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), Wrong> {
    must(found == expected, || {
        format!("{what} is {found:?}, expected {expected:?}")
    })
}

fn must_refuse(what: &str, answer: &Answer) -> Result<(), Wrong> {
    must(matches!(answer, Answer::Refused { .. }), || {
        format!("{what} was taken: {answer:?}")
    })
}

/// Members of a page of the run's collection.
fn page(target: &NodeUnderTest, arguments: &str) -> Result<Value, Wrong> {
    let arguments = if arguments.is_empty() {
        String::new()
    } else {
        format!("({arguments})")
    };
    let query = format!(
        "{{ it: all_{}{arguments} {{ totalCount hasNextPage endCursor \
         documents {{ cursor meta {{ documentId }} fields {{ hour }} }} }} }}",
        target.schema_id
    );
    let data = api::graphql(&target.client, &query, json!({}))?.expect("a collection")?;
    Ok(data["it"].clone())
}

fn ids_of(page: &Value) -> Vec<String> {
    let documents = page["documents"].as_array().cloned().unwrap_or_default();
    let id = |document: &Value| {
        document["meta"]["documentId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    documents.iter().map(id).collect()
}

/// Waits until the collection holds the document, or no longer.
fn listed(target: &NodeUnderTest, id: Hash, wanted: bool) -> Result<Value, Wrong> {
    let what = if wanted {
        "the document is listed"
    } else {
        "the document is no longer listed"
    };
    eventually(what, || {
        let arguments = format!("meta: {{ documentId: {{ eq: \"{}\" }} }}", id.hex());
        let page = page(target, &arguments)?;
        Ok(if ids_of(&page).contains(&id.hex()) == wanted {
            Ok(page)
        } else {
            Err(page)
        })
    })
}
