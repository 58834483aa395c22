//! Collections by filter and order, as GraphQL tells them. That the database finds what a question
//! means is the store contract's matter; here is what clients write and get.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::types::OperationId;
use http_support::site::Site;
use rstest::rstest;
use serde_json::{Value, json};

/// Five venues; Gamma was renamed from Delta, Epsilon is deleted.
async fn venues() -> (Site, Vec<OperationId>) {
    let site = Site::start().await;
    let mut ids = vec![
        site.venue("Alpha", 100, 4.5).await,
        site.venue("beta", 50, 3.25).await,
        site.venue("Delta", -5, 4.5).await,
        site.venue("100% zoo", 3_000_000_000, f64::NAN).await,
        site.venue("Epsilon", 7, 1.0).await,
    ];
    site.rename(ids[2], "Gamma").await;
    let gone = ids.pop().unwrap();
    site.author.delete(&site.node, &site.venue, gone).await;
    ids.push(gone);
    (site, ids)
}

async fn ask(site: &Site, arguments: &str) -> Value {
    let query = format!(
        "{{ c: all_{}({arguments}) {{ totalCount documents {{ fields {{ name }} }} }} }}",
        site.venue
    );
    site.node.graphql(&query, Value::Null).await
}

/// The names found, ascending when `sorted`.
fn names(answer: &Value, sorted: bool) -> Vec<String> {
    let collection = &answer["data"]["c"];
    let documents = collection["documents"].as_array();
    let documents = documents.unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(collection["totalCount"], documents.len(), "{answer}");
    let name = |document: &Value| document["fields"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = documents.iter().map(name).collect();
    if sorted {
        names.sort();
    }
    names
}

//= QU5 test
//= QU9 test
#[rstest]
#[case("filter: {name: {eq: \"Alpha\"}}", &["Alpha"])]
#[case("filter: {name: {eq: \"alpha\"}}", &[])]
#[case("filter: {name: {notEq: \"Alpha\"}}", &["100% zoo", "Gamma", "beta"])]
#[case("filter: {name: {in: [\"Alpha\", \"beta\"]}}", &["Alpha", "beta"])]
#[case("filter: {name: {in: []}}", &[])]
#[case("filter: {name: {notIn: []}}", &["100% zoo", "Alpha", "Gamma", "beta"])]
#[case("filter: {name: {contains: \"AL\"}}", &["Alpha"])]
#[case("filter: {name: {contains: \"%\"}}", &["100% zoo"])]
#[case("filter: {name: {contains: \"_\"}}", &[])]
#[case("filter: {name: {notContains: \"a\"}}", &["100% zoo"])]
#[case("filter: {name: {eq: \"Alpha\", in: [\"beta\"]}}", &[])]
#[case("filter: {name: {gte: \"Alpha\", lt: \"H\"}}", &["Alpha", "Gamma"])]
#[case("filter: {name: {eq: \"x' OR '1'='1\"}}", &[])]
#[case("filter: {seats: {gt: 60, gte: 10}}", &["100% zoo", "Alpha"])]
#[case("filter: {seats: {eq: 3000000000}}", &["100% zoo"])]
#[case("filter: {seats: {lt: 0}}", &["Gamma"])]
#[case("filter: {rating: {gt: 3}}", &["Alpha", "Gamma", "beta"])]
#[case("filter: {rating: {notEq: 4.5}}", &["100% zoo", "beta"])]
#[case("filter: {open: {notEq: true}}", &[])]
#[case("filter: {logo: {eq: \"00FF\"}, seats: {eq: 50}}", &["beta"])]
#[case("meta: {edited: {eq: true}}", &["Gamma"])]
#[case("meta: {edited: {notEq: true}}", &["100% zoo", "Alpha", "beta"])]
#[case("meta: {deleted: {eq: false}}", &["100% zoo", "Alpha", "Gamma", "beta"])]
#[case("meta: {deleted: {eq: false, notEq: false}}", &[])]
#[case("filter: null, meta: null, orderBy: null, orderDirection: null", &["100% zoo", "Alpha", "Gamma", "beta"])]
#[case("filter: {name: null, seats: {eq: null}}, meta: {edited: null}", &["100% zoo", "Alpha", "Gamma", "beta"])]
#[tokio::test]
async fn filters_select(#[case] arguments: &str, #[case] expected: &[&str]) {
    let (site, _) = venues().await;
    let answer = ask(&site, arguments).await;
    assert_eq!(names(&answer, true), expected, "{arguments}");
}

#[rstest]
#[case("orderBy: name", &["100% zoo", "Alpha", "beta", "Gamma"])]
#[case("orderBy: \"name\", orderDirection: \"DESC\"", &["Gamma", "beta", "Alpha", "100% zoo"])]
#[case("orderBy: seats", &["Gamma", "beta", "Alpha", "100% zoo"])]
#[case("orderBy: rating, filter: {name: {notEq: \"Gamma\"}}", &["beta", "Alpha", "100% zoo"])]
#[tokio::test]
async fn orders_order(#[case] arguments: &str, #[case] expected: &[&str]) {
    let (site, _) = venues().await;
    let answer = ask(&site, arguments).await;
    assert_eq!(names(&answer, false), expected, "{arguments}");
}

//= QU10 test
#[rstest]
#[case("filter: {nope: {eq: 1}}", "request_malformed")]
#[case("filter: {name: {like: \"x\"}}", "request_malformed")]
#[case("filter: {seats: {eq: \"1\"}}", "request_malformed")]
#[case("filter: {open: {in: [true]}}", "request_malformed")]
#[case("filter: {logo: {eq: \"0\"}}", "invalid_hex")]
#[case("meta: {documentId: {eq: \"0020\"}}", "hash_length")]
#[case("meta: {author: {eq: \"x\"}}", "request_malformed")]
#[case("orderBy: AUTHOR", "request_malformed")]
#[case("first: 1, last: 1", "argument_invalid")]
#[case("last: 0", "argument_invalid")]
#[case("before: \"00\"", "cursor_invalid")]
#[case("orderBy: name, after: \"00\"", "cursor_invalid")]
#[tokio::test]
async fn what_makes_no_sense_is_refused(#[case] arguments: &str, #[case] code: &str) {
    let (site, _) = venues().await;
    let answer = ask(&site, arguments).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
}

#[tokio::test]
async fn too_many_values_to_compare_with_are_refused() {
    let (site, _) = venues().await;
    let many = vec!["1"; 1001].join(",");
    let answer = ask(&site, &format!("filter: {{seats: {{in: [{many}]}}}}")).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "request_too_large"
    );
}

#[tokio::test]
async fn deleted_documents_are_listed_without_fields() {
    let (site, ids) = venues().await;
    let query = format!(
        "{{ c: all_{}(meta: {{deleted: {{eq: true}}}}, orderBy: name) {{
            totalCount hasNextPage documents {{ fields {{ name }} meta {{ documentId }} }} }} }}",
        site.venue
    );
    let answer = site.node.graphql(&query, Value::Null).await;
    assert_eq!(
        answer["data"]["c"],
        json!({
            "totalCount": 1,
            "hasNextPage": false,
            "documents": [{ "fields": null, "meta": { "documentId": ids[4].to_string() } }],
        })
    );
}

#[tokio::test]
async fn meta_filters_take_variables_as_clients_declare_them() {
    let (site, ids) = venues().await;
    let query = format!(
        "query ($view: String!, $owner: PublicKey) {{
            c: all_{}(meta: {{viewId: {{eq: $view}}, owner: {{in: [$owner]}}}}) {{ totalCount }} }}",
        site.venue
    );
    let owner = site.author.public_key().to_uppercase();
    for (view, found) in [(ids[0], 1), (ids[2], 0), (ids[4], 0)] {
        let variables = json!({ "view": view.to_string(), "owner": owner });
        let answer = site.node.graphql(&query, variables).await;
        assert_eq!(answer["data"]["c"]["totalCount"], found, "{answer}");
    }
}

#[rstest]
#[case("orderBy: rating", 1)]
#[case("orderBy: name, orderDirection: DESC", 2)]
#[case("orderBy: open", 1)]
#[case("orderBy: DOCUMENT_VIEW_ID, orderDirection: DESC", 3)]
#[tokio::test]
async fn ordered_walks_visit_each_document_once(#[case] order: &str, #[case] first: usize) {
    let (site, ids) = venues().await;
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let query = format!(
            "query ($after: Cursor) {{ c: all_{}({order}, first: {first}, after: $after) {{
                endCursor hasNextPage documents {{ meta {{ documentId }} }} }} }}",
            site.venue
        );
        let answer = site.node.graphql(&query, json!({ "after": after })).await;
        let page = &answer["data"]["c"];
        let documents = page["documents"].as_array().unwrap();
        found.extend(documents.iter().map(|it| it["meta"]["documentId"].clone()));
        after = page["endCursor"].clone();
        if page["hasNextPage"] == false {
            break;
        }
        // What is new or changes meanwhile moves nobody else.
        site.rename(ids[3], "100% zoo, renamed").await;
    }
    let mut distinct: Vec<_> = found.iter().map(|id| id.as_str().unwrap()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((found.len(), distinct.len()), (4, 4), "{order}: {found:?}");
}

#[tokio::test]
async fn relation_lists_take_the_same_arguments() {
    let (site, ids) = venues().await;
    let [alpha, beta, gamma, zoo, gone] = ids[..] else {
        panic!("five venues");
    };
    let event = site
        .event(alpha, &[gamma, zoo, gone, alpha, beta, alpha])
        .await;
    let list = async |field: &str, arguments: &str| {
        let query = format!(
            "{{ e: {}(id: \"{event}\") {{ fields {{ c: {field}({arguments}) {{
                totalCount endCursor hasNextPage documents {{ fields {{ name }} }} }} }} }} }}",
            site.event
        );
        let answer = site.node.graphql(&query, Value::Null).await;
        json!({ "data": { "c": answer["data"]["e"]["fields"]["c"] } })
    };

    let own_order = list("tour", "first: 9").await;
    assert_eq!(
        names(&own_order, false),
        ["Gamma", "100% zoo", "Alpha", "beta", "Alpha"]
    );
    let ordered = list("tour", "orderBy: name, filter: {seats: {gte: 50}}").await;
    assert_eq!(
        names(&ordered, false),
        ["100% zoo", "Alpha", "Alpha", "beta"]
    );
    let pinned = list("tour_pinned", "orderBy: name, orderDirection: DESC").await;
    assert_eq!(
        names(&pinned, false),
        ["Delta", "beta", "Alpha", "Alpha", "100% zoo"],
        "a pinned view is as it was"
    );

    let page = list("tour", "orderBy: name, first: 2").await;
    let cursor = page["data"]["c"]["endCursor"].as_str().unwrap();
    assert_eq!(page["data"]["c"]["hasNextPage"], true);
    let rest = list("tour", &format!("orderBy: name, after: \"{cursor}\"")).await;
    let rest = rest["data"]["c"]["documents"].as_array().unwrap();
    let rest: Vec<_> = rest.iter().map(|it| &it["fields"]["name"]).collect();
    assert_eq!(rest, ["Alpha", "beta", "Gamma"]);
}
