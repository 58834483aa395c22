//! Orders and pages: which document comes first, and that going page by page shows each once.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api;
use super::super::case::Case;
use super::super::doors::Need;
use super::super::under_test::NodeUnderTest;
use super::shelf::{Place, SHOWN, Shelf};
use super::{LiveCheck, check, must, must_equal, must_refuse};
use crate::suite::{Hazard, Level};

/// Id, order, and the documents in groups: within a group any order is right.
type Row = (&'static str, &'static str, &'static [&'static [Place]]);

/// Every order whose result follows from the values alone.
const ROWS: &[Row] = &[
    ("name", "orderBy: name", &[&[0], &[1], &[3], &[2], &[4]]),
    (
        "name-desc",
        "orderBy: name, orderDirection: DESC",
        &[&[4], &[2], &[3], &[1], &[0]],
    ),
    ("seats", "orderBy: seats", &[&[2], &[1, 3], &[0], &[4]]),
    (
        "seats-desc",
        "orderBy: seats, orderDirection: DESC",
        &[&[4], &[0], &[1, 3], &[2]],
    ),
    ("rating", "orderBy: rating", &[&[2], &[1], &[0, 3], &[4]]),
    (
        "rating-desc",
        "orderBy: rating, orderDirection: DESC",
        &[&[4], &[0, 3], &[1], &[2]],
    ),
    ("open", "orderBy: open", &[&[1, 4], &[0, 2, 3]]),
    (
        "open-desc",
        "orderBy: open, orderDirection: DESC",
        &[&[0, 2, 3], &[1, 4]],
    ),
    ("logo", "orderBy: logo", &[&[2], &[0], &[1, 3], &[4]]),
    (
        "logo-desc",
        "orderBy: logo, orderDirection: DESC",
        &[&[4], &[1, 3], &[0], &[2]],
    ),
    (
        "as-string",
        r#"orderBy: "seats", orderDirection: "DESC""#,
        &[&[4], &[0], &[1, 3], &[2]],
    ),
    (
        "null",
        "orderBy: null, orderDirection: null",
        &[&[0, 1, 2, 3, 4]],
    ),
];

/// Orders by ids, whose result follows from the ids.
const BY_ID: &[(&str, &str)] = &[
    ("default", ""),
    ("default-desc", "orderDirection: DESC"),
    ("document-id", "orderBy: DOCUMENT_ID"),
    (
        "document-id-desc",
        "orderBy: DOCUMENT_ID, orderDirection: DESC",
    ),
    ("view-id", "orderBy: DOCUMENT_VIEW_ID"),
    (
        "view-id-desc",
        "orderBy: DOCUMENT_VIEW_ID, orderDirection: DESC",
    ),
];

/// Sizes of pages that walks are made with.
const PAGES: [usize; 3] = [1, 2, 4];

/// What can't be told by an order.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "page-has-next",
        "a page tells whether there is more",
        has_next,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU4"]),
    check(
        "page-empty",
        "an empty page has no endCursor and no next",
        empty_page,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU4"]),
    check(
        "page-first-zero",
        "a page of none is refused or empty",
        first_zero,
    )
    .needs(&[Need::GraphQl]),
    check(
        "page-first-negative",
        "a negative page size is refused",
        |it| refused_page(it, "first: -1"),
    )
    .needs(&[Need::GraphQl]),
    check(
        "page-first-fraction",
        "a page size that is no whole number is refused",
        |it| refused_page(it, "first: 1.5"),
    )
    .needs(&[Need::GraphQl]),
    check(
        "page-first-text",
        "a page size that is text is refused",
        |it| refused_page(it, "first: \"2\""),
    )
    .needs(&[Need::GraphQl]),
    check(
        "page-first-null",
        "null for the page size means the default",
        |it| whole(it, "first: null"),
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU9"]),
    check(
        "page-first-large",
        "a page may be asked for that is larger than all there is",
        |it| whole(it, "first: 1000000"),
    )
    .needs(&[Need::GraphQl]),
    check(
        "page-after-null",
        "null for the cursor means the beginning",
        |it| whole(it, "after: null"),
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU9"]),
    check(
        "page-after-unknown",
        "a cursor nobody gave is refused, or leads nowhere, without a word of the database",
        unknown_cursor,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU10"]),
    check(
        "page-after-injected",
        "a cursor with SQL in it shows nothing more",
        injected_cursor,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU10"]),
    check(
        "page-item-cursor",
        "the cursor of any item leads on from that item",
        item_cursor,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU4"]),
    check(
        "page-of-filtered",
        "pages of what a filter lets through show that alone",
        filtered_pages,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU4", "QU5"]),
    check(
        "page-backwards",
        "pages from the end show each document once",
        backwards,
    )
    .needs(&[Need::GraphQl, Need::PagesBackwards])
    .requires(&["QU4"]),
    check(
        "order-unknown",
        "an order by a field that is not there is refused",
        |it| refused_page(it, "orderBy: nothing"),
    )
    .needs(&[Need::GraphQl]),
    check(
        "order-direction-unknown",
        "a direction that is none is refused",
        |it| refused_page(it, "orderDirection: SIDEWAYS"),
    )
    .needs(&[Need::GraphQl]),
    check(
        "list-keeps-order",
        "a relation list keeps its order and its duplicates",
        list_order,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "list-pages",
        "a relation list is shown page by page",
        list_pages,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU4"]),
    check(
        "list-ordered",
        "a relation list is put in the order that is asked for",
        list_ordered,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU5"]),
    check(
        "list-filtered",
        "a relation list is filtered",
        list_filtered,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU5"]),
    check(
        "pinned-list",
        "a list of pinned relations shows all of them",
        pinned_list,
    )
    .needs(&[Need::GraphQl])
    .requires(&["QU1"]),
];

/// One case for each order, and one for each walk.
pub(crate) fn cases() -> Vec<Case<'static>> {
    let orders = ROWS.iter().map(|(id, arguments, groups)| {
        case(
            format!("order-{id}"),
            format!("a collection with {arguments}"),
            move |target| {
                let shelf = Shelf::of(target)?;
                let page = shelf.page(target, arguments)?;
                in_groups(&shelf.places(&page), groups)
            },
        )
    });
    let by_id = BY_ID.iter().map(|(id, arguments)| {
        case(
            format!("order-by-{id}"),
            format!("a collection by {id}"),
            move |target| {
                let shelf = Shelf::of(target)?;
                let page = shelf.page(target, arguments)?;
                must_equal("the order", shelf.places(&page), by_id(&shelf, id))
            },
        )
    });
    let all = ROWS
        .iter()
        .map(|(id, arguments, groups)| (*id, *arguments, *groups));
    let any: &'static [&'static [Place]] = &[&SHOWN];
    let all = all.chain(
        BY_ID
            .iter()
            .map(move |(id, arguments)| (*id, *arguments, any)),
    );
    let walks = all.flat_map(|(id, arguments, groups)| {
        PAGES.map(|size| {
            let title = format!("pages of {size} with {arguments}");
            case(format!("walk-{id}-by-{size}"), title, move |target| {
                let shelf = Shelf::of(target)?;
                in_groups(&walk(target, &shelf, arguments, size)?, groups)
            })
        })
    });
    orders.chain(by_id).chain(walks).collect()
}

fn case(
    id: String,
    title: String,
    run: impl Fn(&mut NodeUnderTest) -> Result<(), Wrong> + 'static,
) -> Case<'static> {
    Case {
        id,
        title,
        profile: "query",
        requires: vec!["QU4".to_owned(), "QU5".to_owned()],
        ruling: None,
        level: Level::Must,
        needs: vec![Need::GraphQl],
        hazard: Hazard::None,
        run: Box::new(run),
    }
}

fn by_id(shelf: &Shelf, id: &str) -> Vec<Option<Place>> {
    let mut places: Vec<Place> = SHOWN.into();
    places.sort_by_key(|&place| {
        if id.starts_with("view-id") {
            shelf.views[place].clone()
        } else {
            shelf.ids[place].hex()
        }
    });
    if id.ends_with("desc") {
        places.reverse();
    }
    places.into_iter().map(Some).collect()
}

/// Whether the places come group by group, each once.
fn in_groups(found: &[Option<Place>], groups: &[&[Place]]) -> Result<(), Wrong> {
    let mut left = found;
    let right = groups.iter().all(|group| {
        let Some((head, rest)) = left.split_at_checked(group.len()) else {
            return false;
        };
        left = rest;
        let mut head: Vec<_> = head.iter().flatten().copied().collect();
        head.sort_unstable();
        head == *group
    });
    must(right && left.is_empty(), || {
        format!("documents come as {found:?}, expected {groups:?}")
    })
}

/// Goes through the collection in pages of `size`.
//= QU4: goes through a collection in pages of several sizes
fn walk(
    target: &NodeUnderTest,
    shelf: &Shelf,
    arguments: &str,
    size: usize,
) -> Result<Vec<Option<Place>>, Wrong> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = shelf.page(target, &format!("first: {size}, {after} {arguments}"))?;
        let places = shelf.places(&page);
        must(places.len() <= size, || {
            format!("a page of {size} has {} documents", places.len())
        })?;
        must_equal(
            "totalCount",
            page["totalCount"].as_u64(),
            Some(SHOWN.len() as u64),
        )?;
        seen.extend(places);
        if page["hasNextPage"] != true {
            return Ok(seen);
        }
        must(seen.len() <= SHOWN.len(), || {
            format!("going on does not come to an end: {seen:?}")
        })?;
        let cursor = page["endCursor"].as_str();
        let cursor = cursor
            .ok_or_else(|| Wrong::Behaviour("a page goes on without endCursor".to_owned()))?;
        after = format!("after: {}, ", Value::from(cursor));
    }
}

fn has_next(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    for (arguments, expected) in [("first: 4", true), ("first: 5", false), ("first: 6", false)] {
        let page = shelf.page(target, arguments)?;
        must_equal(arguments, page["hasNextPage"].as_bool(), Some(expected))?;
    }
    Ok(())
}

fn empty_page(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let page = shelf.page(target, r#"filter: { name: { eq: "nobody" } }"#)?;
    must_equal("endCursor", &page["endCursor"], &Value::Null)?;
    must_equal("hasNextPage", &page["hasNextPage"], &json!(false))?;
    must_equal("totalCount", &page["totalCount"], &json!(0))
}

fn ask(target: &mut NodeUnderTest, arguments: &str) -> Result<api::Answer, Wrong> {
    let shelf = Shelf::of(target)?;
    let arguments = shelf.named(arguments);
    let query = format!(
        "{{ it: all_{}({arguments}) {{ totalCount documents {{ meta {{ documentId }} }} }} }}",
        shelf.schema_id
    );
    api::graphql(&target.client, &query, json!({}))
}

fn refused_page(target: &mut NodeUnderTest, arguments: &str) -> Result<(), Wrong> {
    let answer = ask(target, arguments)?;
    must_refuse(arguments, &answer)?;
    target.control("after")
}

fn first_zero(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    if let api::Answer::Result(data) = ask(target, "first: 0")? {
        must_equal(
            "documents of a page of none",
            &data["it"]["documents"],
            &json!([]),
        )?;
    }
    target.control("after")
}

fn whole(target: &mut NodeUnderTest, arguments: &str) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let page = shelf.page(target, arguments)?;
    in_groups(&shelf.places(&page), &[&SHOWN])
}

/// A refusal, or a page of nothing; and the node does not tell how it keeps its data.
fn harmless(target: &mut NodeUnderTest, cursor: &str) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    match ask(target, &format!("after: {}", Value::from(cursor)))? {
        api::Answer::Result(data) => {
            let places = shelf.places(&data["it"]);
            must(places.len() < SHOWN.len(), || {
                "a cursor that is none shows every document".to_owned()
            })?;
        }
        api::Answer::Refused { message, .. } => {
            let words = ["syntax error", "no rows returned", "SELECT", "database"];
            let leak = words.iter().find(|word| message.contains(**word));
            must(leak.is_none(), || {
                format!("the refusal speaks of the database: {message}")
            })?;
        }
    }
    target.control("after")
}

//= QU10: gives a cursor that no page told
fn unknown_cursor(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    harmless(target, "3yQ")
}

/// `x' OR '1'='1` and a quote that is not closed, as base58, which deployed nodes decode and paste into SQL.
fn injected_cursor(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for cursor in ["x' OR '1'='1", "'"] {
        harmless(target, &base58(cursor.as_bytes()))?;
        harmless(target, cursor)?;
    }
    Ok(())
}

/// Bytes in Bitcoin's base58.
fn base58(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u8> = Vec::new();
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    digits.extend(std::iter::repeat_n(0, zeros));
    let text = digits
        .iter()
        .rev()
        .map(|digit| ALPHABET[usize::from(*digit)]);
    text.map(char::from).collect()
}

fn item_cursor(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let page = shelf.page(target, "first: 4")?;
    let all = by_id(&shelf, "default");
    for (index, document) in page["documents"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let cursor = document["cursor"].as_str().map(str::to_owned);
        let cursor =
            cursor.ok_or_else(|| Wrong::Behaviour("a document has no cursor".to_owned()))?;
        let rest = shelf.page(target, &format!("after: {}", Value::from(cursor)))?;
        must_equal(
            "what comes after",
            shelf.places(&rest),
            all[index + 1..].to_vec(),
        )?;
    }
    Ok(())
}

fn filtered_pages(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let filter = "filter: { open: { eq: true } }";
    let first = shelf.page(target, &format!("first: 2, {filter}"))?;
    let cursor = first["endCursor"].as_str().unwrap_or_default().to_owned();
    let second = shelf.page(
        target,
        &format!("first: 2, after: {}, {filter}", Value::from(cursor)),
    )?;
    let mut seen = shelf.places(&first);
    seen.extend(shelf.places(&second));
    in_groups(&seen, &[&[0, 2, 3]])
}

fn backwards(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let (mut seen, mut before) = (Vec::new(), String::new());
    for _ in 0..SHOWN.len() {
        let arguments = shelf.named(&format!("last: 2, {before} orderBy: DOCUMENT_ID"));
        let query = format!(
            "{{ it: all_{}({arguments}) {{ hasPreviousPage startCursor documents {{ meta {{ documentId }} }} }} }}",
            shelf.schema_id
        );
        let data =
            api::graphql(&target.client, &query, json!({}))?.expect("a page from the end")?;
        let mut places = shelf.places(&data["it"]);
        places.extend(seen);
        seen = places;
        if data["it"]["hasPreviousPage"] != true {
            break;
        }
        before = format!("before: {},", data["it"]["startCursor"]);
    }
    must_equal(
        "the documents from the end",
        seen,
        by_id(&shelf, "document-id"),
    )
}

/// Labels of a list of the first document, whose tags are red and blue, or of another one.
fn labels(
    target: &mut NodeUnderTest,
    place: Place,
    list: &str,
    arguments: &str,
) -> Result<Value, Wrong> {
    let shelf = Shelf::of(target)?;
    let query = format!(
        "{{ it: {}(id: \"{}\") {{ fields {{ list: {list}{arguments} {{ totalCount hasNextPage endCursor documents {{ fields {{ label }} }} }} }} }} }}",
        shelf.schema_id,
        shelf.ids[place].hex()
    );
    let data = api::graphql(&target.client, &query, json!({}))?.expect("a relation list")?;
    Ok(data["it"]["fields"]["list"].clone())
}

fn texts(list: &Value) -> Vec<&str> {
    let documents = list["documents"].as_array().into_iter().flatten();
    documents
        .filter_map(|document| document["fields"]["label"].as_str())
        .collect()
}

fn list_order(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    must_equal(
        "tags",
        texts(&labels(target, 0, "tags", "")?),
        vec!["red", "blue"],
    )?;
    let list = labels(target, 3, "tags", "")?;
    must_equal("tags", texts(&list), vec!["red", "red"])?;
    must_equal("totalCount", &list["totalCount"], &json!(2))
}

fn list_pages(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let first = labels(target, 0, "tags", "(first: 1)")?;
    must_equal("the first page", texts(&first), vec!["red"])?;
    must_equal("hasNextPage", &first["hasNextPage"], &json!(true))?;
    let arguments = format!("(first: 1, after: {})", first["endCursor"]);
    let second = labels(target, 0, "tags", &arguments)?;
    must_equal("the second page", texts(&second), vec!["blue"])?;
    must_equal("hasNextPage", &second["hasNextPage"], &json!(false))
}

fn list_ordered(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let list = labels(target, 0, "tags", "(orderBy: label)")?;
    must_equal("tags by label", texts(&list), vec!["blue", "red"])
}

fn list_filtered(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let list = labels(target, 0, "tags", r#"(filter: { label: { eq: "blue" } })"#)?;
    must_equal("the blue tags", texts(&list), vec!["blue"])?;
    must_equal("totalCount", &list["totalCount"], &json!(1))
}

fn pinned_list(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let list = labels(target, 4, "pins", "")?;
    must_equal("pins", texts(&list), vec!["green", "blue"])
}
