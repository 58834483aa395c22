//! What is checked, in profiles: each a room of checks about one thing.
//!
//! Here is what several of them share: ways to say what must hold, and pages of the run's collection.

pub(super) mod documents;
pub(super) mod doors;
pub(super) mod forks;
pub(super) mod publishing;
pub(super) mod query;
pub(super) mod refusals;

use serde_json::{Value, json};

use super::Wrong;
use super::api::{self, Answer};
use super::under_test::{NodeUnderTest, eventually};
use crate::forge::Hash;

/// One check.
pub(super) struct LiveCheck {
    pub id: &'static str,
    pub title: &'static str,
    pub run: fn(&mut NodeUnderTest) -> Result<(), Wrong>,
}

/// All checks but the refusals, by the name of their profile, in the order in which they run.
pub(super) const PROFILES: [(&str, &[LiveCheck]); 5] = [
    ("publishing", publishing::ALL),
    ("query", query::ALL),
    ("documents", documents::ALL),
    ("forks", forks::ALL),
    ("doors", doors::ALL),
];

const fn check(
    id: &'static str,
    title: &'static str,
    run: fn(&mut NodeUnderTest) -> Result<(), Wrong>,
) -> LiveCheck {
    LiveCheck { id, title, run }
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

/// Waits until the collection, in pages as large as it takes, holds the document.
fn listed(target: &NodeUnderTest, id: Hash, wanted: bool) -> Result<Value, Wrong> {
    let what = if wanted {
        "the document is listed"
    } else {
        "the document is no longer listed"
    };
    eventually(what, || {
        let page = page(target, "first: 10000")?;
        Ok(if ids_of(&page).contains(&id.hex()) == wanted {
            Ok(page)
        } else {
            Err(page)
        })
    })
}
