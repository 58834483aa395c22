//! Blobs: that they are served as their pieces, with what browsers and caches ask for, and nothing else is.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api::{self, Answer};
use super::super::author::Author;
use super::super::doors::Need;
use super::super::http::Response;
use super::super::under_test::{NodeUnderTest, eventually, set_up};
use super::{LiveCheck, check, must, must_equal};
use crate::forge::{Hash, Item, operation};
use crate::suite::{Hazard, Ruleset};

const BLOBS: &[Need] = &[Need::Blobs];

/// Bytes a piece may have.
const PIECE_MAX: usize = 256_000;

/// All of them.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "blob-by-document",
        "a blob is served by the id of its document",
        by_document,
    )
    .needs(BLOBS)
    .requires(&["BL4"]),
    check("blob-by-view", "a blob is served by its view", by_view)
        .needs(BLOBS)
        .requires(&["BL4"]),
    check(
        "blob-content-type",
        "a blob has the MIME type it was published with",
        content_type,
    )
    .needs(BLOBS)
    .requires(&["BL4"]),
    check("blob-head", "HEAD tells of a blob without its bytes", head).needs(BLOBS),
    check(
        "blob-pieces-in-order",
        "pieces are served in the order in which the blob lists them",
        pieces_in_order,
    )
    .needs(BLOBS)
    .requires(&["BL4"]),
    check(
        "blob-piece-twice",
        "a piece that is listed twice is served twice",
        piece_twice,
    )
    .needs(BLOBS)
    .requires(&["BL4"]),
    check(
        "blob-of-largest-pieces",
        "pieces of the greatest size are served whole",
        largest,
    )
    .needs(BLOBS)
    .requires(&["BL1", "BL4"]),
    check(
        "blob-empty",
        "a blob of no pieces and no bytes is served, or not found",
        empty,
    )
    .needs(BLOBS)
    .requires(&["BL1"])
    .ruled("R19")
    .hazard(Hazard::State),
    check(
        "blob-etag-names-view",
        "the ETag changes with the view",
        etag_changes,
    )
    .needs(BLOBS),
    check(
        "blob-not-modified",
        "a blob whose ETag is known is not sent again",
        |it| conditional(it, |tag| tag.to_owned(), 304),
    )
    .needs(BLOBS),
    check("blob-not-modified-weak", "a weak ETag is as good", |it| {
        conditional(it, |tag| format!("W/{tag}"), 304)
    })
    .needs(BLOBS),
    check(
        "blob-not-modified-list",
        "the ETag may be one of several",
        |it| conditional(it, |tag| format!("\"other\", {tag}"), 304),
    )
    .needs(BLOBS),
    check(
        "blob-not-modified-any",
        "a star stands for any ETag",
        |it| conditional(it, |_| "*".to_owned(), 304),
    )
    .needs(BLOBS),
    check("blob-modified", "with another ETag a blob is sent", |it| {
        conditional(it, |_| "\"other\"".to_owned(), 200)
    })
    .needs(BLOBS),
    check(
        "blob-range",
        "a part that is asked for comes as that part, or the whole as the whole",
        range,
    )
    .needs(BLOBS),
    check(
        "blob-range-beyond",
        "a part beyond the end is refused, or the whole comes",
        range_beyond,
    )
    .needs(BLOBS),
    check("blob-unknown", "an unknown id is not found", |it| {
        not_found(it, |_| format!("/blobs/{}", Hash::of("nowhere").hex()))
    })
    .needs(BLOBS),
    check(
        "blob-malformed",
        "an id that is none is an error of the client",
        |it| not_found(it, |_| "/blobs/panda".to_owned()),
    )
    .needs(BLOBS),
    check(
        "blob-traversal",
        "a path that leads elsewhere is an error of the client",
        |it| not_found(it, |_| "/blobs/..%2f..%2fetc%2fpasswd".to_owned()),
    )
    .needs(BLOBS),
    check(
        "blob-short-id",
        "a short id is an error of the client",
        |it| not_found(it, |_| "/blobs/0020ab".to_owned()),
    )
    .needs(BLOBS),
    check("blob-piece-is-none", "a piece is no blob", |it| {
        not_found(it, |blob| format!("/blobs/{}", blob.pieces[0].hex()))
    })
    .needs(BLOBS),
    check(
        "blob-document-is-none",
        "another document is no blob",
        other_document,
    )
    .needs(BLOBS),
    check(
        "blob-view-of-another",
        "a view of another document is not found",
        |it| {
            not_found(it, |blob| {
                format!("/blobs/{}/{}", blob.id.hex(), blob.pieces[0].hex())
            })
        },
    )
    .needs(BLOBS),
    check("blob-unknown-view", "an unknown view is not found", |it| {
        not_found(it, |blob| {
            format!("/blobs/{}/{}", blob.id.hex(), Hash::of("nowhere").hex())
        })
    })
    .needs(BLOBS),
    check(
        "blob-trailing-path",
        "more path than there is is not found",
        |it| not_found(it, |blob| format!("/blobs/{0}/{0}/{0}", blob.id.hex())),
    )
    .needs(BLOBS),
    check("blob-post", "nothing can be posted to a blob", post).needs(BLOBS),
    check(
        "blob-length-mismatch",
        "a blob whose length is not that of its pieces is not served",
        length_mismatch,
    )
    .needs(BLOBS)
    .requires(&["BL2"])
    .ruled("R19"),
    check(
        "blob-missing-piece",
        "a blob whose pieces are missing is refused, or not served",
        missing_piece,
    )
    .needs(BLOBS)
    .requires(&["BL3"])
    .ruled("R19"),
    check(
        "blob-piece-too-large",
        "a piece beyond the greatest size is refused",
        too_large,
    )
    .needs(BLOBS)
    .requires(&["BL1"]),
    check("blob-deleted", "a deleted blob is not served", deleted)
        .needs(BLOBS)
        .requires(&["DL5"]),
    check(
        "blob-html-sandboxed",
        "a page that was published as a blob can do nothing in the node's name",
        sandboxed,
    )
    .needs(BLOBS),
    check(
        "blob-svg-sandboxed",
        "neither can a picture with scripts",
        sandboxed_picture,
    )
    .needs(BLOBS),
    check(
        "blob-cross-origin",
        "web pages of any origin may read blobs",
        cross_origin,
    )
    .needs(BLOBS),
    check(
        "blob-in-graphql",
        "a blob is a document like any other",
        in_graphql,
    )
    .needs(&[Need::Blobs, Need::GraphQl])
    .requires(&["QU1"]),
    check(
        "blob-updated",
        "an updated blob is served as it is now, and stays",
        updated,
    )
    .needs(BLOBS)
    .requires(&["BL4"])
    .hazard(Hazard::State),
];

/// A published blob.
struct Blob {
    id: Hash,
    pieces: Vec<Hash>,
    log: usize,
}

fn publish_piece(target: &NodeUnderTest, author: &mut Author, bytes: &[u8]) -> Result<Hash, Wrong> {
    let fields = [("data", Item::bytes(bytes))];
    let operation = operation::create("blob_piece_v1", fields).encode();
    let log = author.open_log();
    target.publish(author, log, operation, target.door())
}

fn blob_operation(pieces: &[Hash], length: usize, mime: &str) -> Vec<u8> {
    let views = pieces.iter().map(|id| Item::ids(&[*id])).collect();
    let fields = [
        ("length", Item::Int(length as i128)),
        ("mime_type", Item::text(mime)),
        ("pieces", Item::Array(views)),
    ];
    operation::create("blob_v1", fields).encode()
}

fn publish_as(
    target: &NodeUnderTest,
    author: &mut Author,
    pieces: &[&[u8]],
    mime: &str,
) -> Result<Blob, Wrong> {
    let ids: Result<Vec<_>, _> = pieces
        .iter()
        .map(|piece| publish_piece(target, author, piece))
        .collect();
    let ids = ids?;
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let log = author.open_log();
    let operation = blob_operation(&ids, length, mime);
    let id = target.publish(author, log, operation, target.door())?;
    Ok(Blob {
        id,
        pieces: ids,
        log,
    })
}

fn publish(target: &NodeUnderTest, pieces: &[&[u8]]) -> Result<Blob, Wrong> {
    set_up(publish_as(
        target,
        &mut target.author("blob"),
        pieces,
        "text/plain",
    ))
}

fn get(target: &NodeUnderTest, path: &str, headers: &[(&str, &str)]) -> Result<Response, Wrong> {
    target.client.get(path, headers).map_err(Wrong::Behaviour)
}

/// The answer once the blob is there.
fn served(target: &NodeUnderTest, path: &str) -> Result<Response, Wrong> {
    eventually("the blob is served", || {
        let response = get(target, path, &[])?;
        Ok(if response.status == 200 {
            Ok(Value::Null)
        } else {
            Err(json!(response.status.as_u16()))
        })
    })?;
    get(target, path, &[])
}

fn path_of(blob: &Blob) -> String {
    format!("/blobs/{}", blob.id.hex())
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

//= BL4: asks for a blob and compares its bytes
fn by_document(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, World!"])?;
    let response = served(target, &path_of(&blob))?;
    must_equal("the bytes", &response.body[..], &b"Hello, World!"[..])
}

fn by_view(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, World!"])?;
    let response = served(target, &format!("/blobs/{0}/{0}", blob.id.hex()))?;
    must_equal("the bytes", &response.body[..], &b"Hello, World!"[..])
}

fn content_type(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let blob = set_up(publish_as(target, &mut author, &[b"GIF89a"], "image/gif"))?;
    let response = served(target, &path_of(&blob))?;
    must_equal(
        "the content type",
        header(&response, "content-type"),
        "image/gif",
    )
}

fn head(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, World!"])?;
    let etag = header(&served(target, &path_of(&blob))?, "etag").to_owned();
    let response = target.client.send("HEAD", &path_of(&blob), &[], "");
    let response = response.map_err(Wrong::Behaviour)?;
    must_equal("the status", response.status.as_u16(), 200)?;
    must_equal("the body", response.body.len(), 0)?;
    must_equal("the ETag", header(&response, "etag"), etag.as_str())
}

fn pieces_in_order(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"three ", b"small ", b"pieces"])?;
    let response = served(target, &path_of(&blob))?;
    must_equal("the bytes", &response.body[..], &b"three small pieces"[..])
}

fn piece_twice(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let piece = set_up(publish_piece(target, &mut author, b"twice "))?;
    let log = author.open_log();
    let operation = blob_operation(&[piece, piece], 12, "text/plain");
    let id = target.publish(&mut author, log, operation, target.door())?;
    let response = served(target, &format!("/blobs/{}", id.hex()))?;
    must_equal("the bytes", &response.body[..], &b"twice twice "[..])
}

fn largest(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let first: Vec<u8> = (0..PIECE_MAX).map(|n| (n % 251) as u8).collect();
    let last = vec![7; 1000];
    let blob = publish(target, &[&first, &last])?;
    let response = served(target, &path_of(&blob))?;
    must(response.body[..] == [first, last].concat(), || {
        format!(
            "{} bytes come back, and they are others",
            response.body.len()
        )
    })
}

fn empty(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let log = author.open_log();
    let operation = blob_operation(&[], 0, "text/plain");
    let id = target.publish(&mut author, log, operation, target.door())?;
    let response = get(target, &format!("/blobs/{}", id.hex()), &[])?;
    let right = response.status == 200 && response.body.is_empty() || response.status == 404;
    must(right, || {
        format!(
            "status {} and {} bytes",
            response.status,
            response.body.len()
        )
    })
}

fn etag_changes(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (one, two) = (publish(target, &[b"one"])?, publish_other(target)?);
    let tags = [one, two].map(|blob| {
        served(target, &path_of(&blob)).map(|response| header(&response, "etag").to_owned())
    });
    let [one, two] = tags;
    let (one, two) = (one?, two?);
    must(one.starts_with('"') && one != two, || {
        format!("ETags {one} and {two}")
    })
}

fn publish_other(target: &NodeUnderTest) -> Result<Blob, Wrong> {
    set_up(publish_as(
        target,
        &mut target.author("other"),
        &[b"two"],
        "text/plain",
    ))
}

fn conditional(
    target: &mut NodeUnderTest,
    tag: fn(&str) -> String,
    expected: u16,
) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, World!"])?;
    let response = served(target, &path_of(&blob))?;
    let asked = tag(header(&response, "etag"));
    let response = get(target, &path_of(&blob), &[("if-none-match", &asked)])?;
    must_equal("the status", response.status.as_u16(), expected)?;
    let size = if expected == 304 { 0 } else { 13 };
    must_equal("the size of the body", response.body.len(), size)
}

fn range(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, ", b"World!"])?;
    served(target, &path_of(&blob))?;
    let response = get(target, &path_of(&blob), &[("range", "bytes=5-8")])?;
    match response.status.as_u16() {
        200 => must_equal("the whole", &response.body[..], &b"Hello, World!"[..]),
        206 => {
            must_equal("the part", &response.body[..], &b", Wo"[..])?;
            must_equal(
                "content-range",
                header(&response, "content-range"),
                "bytes 5-8/13",
            )
        }
        status => Err(Wrong::Behaviour(format!("status {status}"))),
    }
}

fn range_beyond(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"Hello, World!"])?;
    served(target, &path_of(&blob))?;
    let response = get(target, &path_of(&blob), &[("range", "bytes=50-")])?;
    let whole = response.status == 200 && response.body[..] == b"Hello, World!"[..];
    must(whole || response.status == 416, || {
        format!("status {}", response.status)
    })
}

fn not_found(target: &mut NodeUnderTest, path: fn(&Blob) -> String) -> Result<(), Wrong> {
    let blob = publish(target, &[b"there"])?;
    served(target, &path_of(&blob))?;
    let response = get(target, &path(&blob), &[])?;
    must([400, 404].contains(&response.status.as_u16()), || {
        format!(
            "{} is answered with status {}",
            path(&blob),
            response.status
        )
    })?;
    served(target, &path_of(&blob)).map(drop)
}

fn other_document(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = set_up(target.create(&mut author, 1, "no blob", target.door()))?;
    let response = get(target, &format!("/blobs/{}", document.id.hex()), &[])?;
    must_equal("the status", response.status.as_u16(), 404)?;
    target.control("after")
}

fn post(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"there"])?;
    served(target, &path_of(&blob))?;
    let response = target.client.send("POST", &path_of(&blob), &[], "other");
    let status = response.map_err(Wrong::Behaviour)?.status.as_u16();
    must([404, 405].contains(&status), || format!("status {status}"))?;
    let response = served(target, &path_of(&blob))?;
    must_equal("the bytes", &response.body[..], &b"there"[..])
}

//= BL2: publishes a blob that lies about its length
fn length_mismatch(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, door) = (target.author("a"), target.door());
    let piece = set_up(publish_piece(target, &mut author, b"abc"))?;
    let log = author.open_log();
    let operation = blob_operation(&[piece], 7, "text/plain");
    let entry = author.draft(log, &operation).sign(author.key());
    let answer = api::publish(&target.client, door, &entry, &operation)?;
    if matches!(answer, Answer::Refused { .. }) {
        return target.control("after");
    }
    // Time enough for a sound one to be served.
    let sound = publish(target, &[b"sound"])?;
    served(target, &path_of(&sound))?;
    let response = get(target, &format!("/blobs/{}", Hash::of(&entry).hex()), &[])?;
    must(!response.status.is_success(), || {
        format!(
            "{} bytes are served of a blob of seven",
            response.body.len()
        )
    })
}

fn missing_piece(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, door) = (target.author("a"), target.door());
    let log = author.open_log();
    let nowhere = Hash::of(author.public_key());
    let operation = blob_operation(&[nowhere], 3, "text/plain");
    let entry = author.draft(log, &operation).sign(author.key());
    match api::publish(&target.client, door, &entry, &operation)? {
        Answer::Refused { .. } => target.control("after"),
        Answer::Result(_) if target.ruleset == Ruleset::Spec => Err(Wrong::Behaviour(
            "a blob was taken before its pieces".to_owned(),
        )),
        Answer::Result(_) => {
            let response = get(target, &format!("/blobs/{}", Hash::of(&entry).hex()), &[])?;
            must_equal("the status", response.status.as_u16(), 404)
        }
    }
}

fn too_large(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    set_up(publish_piece(target, &mut author, &vec![7; PIECE_MAX]))?;
    let fields = [("data", Item::bytes(vec![7; PIECE_MAX + 1]))];
    let operation = operation::create("blob_piece_v1", fields).encode();
    let log = author.open_log();
    let entry = author.draft(log, &operation).sign(author.key());
    for door in target.doors.publishing() {
        let answer = api::publish(&target.client, door, &entry, &operation)?;
        super::must_refuse("a piece of a byte more", &answer)?;
    }
    target.control("after")
}

fn deleted(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let blob = set_up(publish_as(target, &mut author, &[b"doomed"], "text/plain"))?;
    served(target, &path_of(&blob))?;
    let operation = operation::delete("blob_v1", &[blob.id]).encode();
    target.publish(&mut author, blob.log, operation, target.door())?;
    for path in [path_of(&blob), format!("/blobs/{0}/{0}", blob.id.hex())] {
        eventually("the blob is served no more", || {
            let status = get(target, &path, &[])?.status;
            Ok(if status.is_success() {
                Err(json!(status.as_u16()))
            } else {
                Ok(Value::Null)
            })
        })?;
    }
    Ok(())
}

fn sandboxed(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    harmless(target, b"<script>alert(1)</script>", "text/html")
}

fn sandboxed_picture(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    harmless(
        target,
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        "image/svg+xml",
    )
}

/// Either it is not shown as a page of the node, or it may do nothing there.
fn harmless(target: &mut NodeUnderTest, bytes: &[u8], mime: &str) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let blob = set_up(publish_as(target, &mut author, &[bytes], mime))?;
    let response = served(target, &path_of(&blob))?;
    let policy = header(&response, "content-security-policy");
    let attachment = header(&response, "content-disposition").starts_with("attachment");
    let plain = !["text/html", "image/svg+xml"].contains(&header(&response, "content-type"));
    must(policy.contains("sandbox") || attachment || plain, || {
        format!("it is served inline, with content-security-policy {policy:?}")
    })?;
    must_equal(
        "x-content-type-options",
        header(&response, "x-content-type-options"),
        "nosniff",
    )
}

fn cross_origin(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"there"])?;
    served(target, &path_of(&blob))?;
    let origin = [("origin", "http://conformance.invalid")];
    let response = get(target, &path_of(&blob), &origin)?;
    let allowed = header(&response, "access-control-allow-origin");
    must(allowed == "*" || allowed == origin[0].1, || {
        format!("access-control-allow-origin is {allowed:?}")
    })
}

fn in_graphql(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let blob = publish(target, &[b"ab", b"cd"])?;
    served(target, &path_of(&blob))?;
    let query = format!(
        "{{ it: blob_v1(id: \"{}\") {{ fields {{ length mime_type pieces {{ documents {{ fields {{ data }} }} }} }} }} }}",
        blob.id.hex()
    );
    let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
    let pieces: Vec<_> = ["6162", "6364"]
        .map(|data| json!({"fields": {"data": data}}))
        .into();
    let fields = json!({"length": 4, "mime_type": "text/plain", "pieces": {"documents": pieces}});
    must_equal("the fields", &data["it"]["fields"], &fields)
}

fn updated(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let blob = set_up(publish_as(target, &mut author, &[b"before"], "text/plain"))?;
    served(target, &path_of(&blob))?;
    let piece = set_up(publish_piece(target, &mut author, b"after!"))?;
    let change = [("pieces", Item::Array(vec![Item::ids(&[piece])]))];
    let operation = operation::update("blob_v1", &[blob.id], change).encode();
    target.publish(&mut author, blob.log, operation, target.door())?;
    eventually("the blob is served as it is now", || {
        let response = get(target, &path_of(&blob), &[])?;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        Ok(if body == "after!" {
            Ok(Value::Null)
        } else {
            Err(Value::from(body))
        })
    })
    .map(drop)
}
