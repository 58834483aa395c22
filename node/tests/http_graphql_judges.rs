//! What others hold of the node's GraphQL: the audit of graphql-http, graphql-js as the specification's
//! voice, and published clients, each through one scenario.
//!
//! What they ask for is in `graphql_judges/` and `graphql_codegen/`. Where Node.js, npm or Python is not installed, the tests say so and
//! pass; with `CI=true` they fail.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use http_support::Author;
use http_support::scripts::Scripts;
use http_support::site::Site;
use rstest::rstest;

const SCRIPTS: Scripts = Scripts("graphql_judges");

/// A folder of its own, since it brings many packages along.
const CODEGEN: Scripts = Scripts("graphql_codegen");

/// A site with a schema whose fields are called like values of GraphQL.
async fn site() -> Site {
    let site = Site::start().await;
    let unknown = format!("relation(nothing_0020{})", "ab".repeat(32));
    let lists = format!("relation_list(nothing_0020{})", "ab".repeat(32));
    let fields = [
        ("a", unknown.as_str()),
        ("b", lists.as_str()),
        ("false", "bool"),
        ("null", "str"),
        ("true", "int"),
    ];
    let stranger = Author::new(9);
    stranger.schema(&site.node, "words", &fields).await;
    site
}

/// Runs a script against a node, which goes on meanwhile.
async fn judge(site: &Site, before: &[&str], after: &[&str]) {
    judge_by(Scripts::run, site, before, after).await;
}

async fn judge_by(run: fn(&Scripts, &[&str]), site: &Site, before: &[&str], after: &[&str]) {
    let endpoint = format!("http://{}/graphql", site.node.address);
    let arguments = [before, &[&endpoint], after].concat();
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let script = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&SCRIPTS, &arguments);
    });
    script.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_over_http_is_met() {
    if SCRIPTS.are_ready() {
        judge(&site().await, &["audit.js"], &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_js_understands_the_schema() {
    if SCRIPTS.are_ready() {
        judge(&site().await, &["schema.js"], &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_js_takes_the_same_values() {
    if SCRIPTS.are_ready() {
        judge(&site().await, &["coercion.js"], &["600", "1"]).await;
    }
}

#[rstest]
#[case("urql")]
#[case("apollo")]
#[case("graphql-request")]
#[case("graphql-ws")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_clients_are_content(#[case] client: &str) {
    if SCRIPTS.are_ready() {
        let site = site().await;
        site.venue("Alpha", 100, 4.5).await;
        site.venue("beta", 50, 3.25).await;
        let schema_id = site.venue.to_string();
        judge(&site, &["clients.js", client], &[&schema_id]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_codegen_writes_types_that_hold() {
    if CODEGEN.are_ready() {
        let site = site().await;
        site.venue("Alpha", 100, 4.5).await;
        site.venue("beta", 50, 3.25).await;
        let folder = tempfile::tempdir().unwrap();
        let arguments = [site.venue.to_string(), folder.path().display().to_string()];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let generate = |_: &Scripts, arguments: &[&str]| CODEGEN.run(arguments);
        judge_by(generate, &site, &["codegen.js"], &arguments).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gql_for_python_is_content() {
    let site = site().await;
    site.venue("Alpha", 100, 4.5).await;
    site.venue("beta", 50, 3.25).await;
    let schema_id = site.venue.to_string();
    judge_by(
        Scripts::run_python,
        &site,
        &["gql_client.py"],
        &[&schema_id],
    )
    .await;
}
