//! Messages between nodes: the items of each array, for the caller to alter and encode.

use super::{Hash, Item, Key};

/// Some logs with their heights.
pub type Logs<'a> = &'a [(u64, u64)];

/// Some logs with the ends of their branches: number and hash.
pub type Tips = Vec<(u64, Vec<(u64, Hash)>)>;

pub fn announce(version: u64, timestamp: u64, schemas: &[&str]) -> Vec<Item> {
    vec![int(0), int(version), int(timestamp), texts(schemas)]
}

pub fn request(session: u64, mode: u64, schemas: &[&str]) -> Vec<Item> {
    vec![int(1), int(session), int(mode), texts(schemas)]
}

/// An entry in one byte string, its operation in another.
pub fn entry(session: u64, entry: &[u8], operation: &[u8]) -> Vec<Item> {
    let bytes = [entry, operation].map(Item::bytes);
    [int(2), int(session)].into_iter().chain(bytes).collect()
}

pub fn done(session: u64, live: bool) -> Vec<Item> {
    vec![int(3), int(session), Item::Bool(live)]
}

pub fn have(session: u64, authors: &[(Key, Logs)]) -> Vec<Item> {
    let heights = |logs: &Logs| {
        let log = |(log_id, seq_num): &(u64, u64)| Item::Array(vec![int(*log_id), int(*seq_num)]);
        logs.iter().map(log).collect()
    };
    vec![int(10), int(session), by_author(authors, heights)]
}

/// An entry whose operation was deleted, and what that was made on top of.
pub fn skeleton(
    session: u64,
    entry: &[u8],
    schema_id: &str,
    document: Hash,
    previous: &[Hash],
) -> Vec<Item> {
    vec![
        int(12),
        int(session),
        Item::bytes(entry),
        Item::text(schema_id),
        Item::id(document),
        ids(previous),
    ]
}

/// A message of the negentropy protocol.
pub fn ranges(session: u64, ranges: &[u8]) -> Vec<Item> {
    vec![int(14), int(session), Item::bytes(ranges)]
}

/// Entries that are asked for.
pub fn want(session: u64, entries: &[Hash], is_last: bool) -> Vec<Item> {
    vec![int(15), int(session), ids(entries), Item::Bool(is_last)]
}

/// Why a session does not go on.
pub fn refusal(session: u64, reason: &str) -> Vec<Item> {
    vec![int(16), int(session), Item::text(reason)]
}

fn ids(hashes: &[Hash]) -> Item {
    Item::Array(hashes.iter().copied().map(Item::id).collect())
}

pub fn tips(session: u64, authors: &[(Key, Tips)]) -> Vec<Item> {
    let tip = |(seq_num, hash): &(u64, Hash)| Item::Array(vec![int(*seq_num), Item::id(*hash)]);
    let log = |(log_id, tips): &(u64, Vec<(u64, Hash)>)| {
        Item::Array(vec![
            int(*log_id),
            Item::Array(tips.iter().map(tip).collect()),
        ])
    };
    let logs = |logs: &Tips| logs.iter().map(log).collect();
    vec![int(13), int(session), by_author(authors, logs)]
}

fn by_author<T>(authors: &[(Key, T)], logs: impl Fn(&T) -> Vec<Item>) -> Item {
    let author = |(key, given): &(Key, T)| {
        Item::Array(vec![Item::bytes(key.public()), Item::Array(logs(given))])
    };
    Item::Array(authors.iter().map(author).collect())
}

/// A number of 64 bits, without its sign.
pub fn int(number: u64) -> Item {
    Item::Int(number.into())
}

pub fn texts(schemas: &[&str]) -> Item {
    Item::Array(schemas.iter().map(|id| Item::text(*id)).collect())
}
