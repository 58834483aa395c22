//! The node under attack as its honest clients meet it: the built `grove-node`, an attacker, and clients beside it who
//! publish, ask for a document and look at its health. Prints one row for each attack.
//!
//! `cargo bench -p grove-node --bench attacks [-- NAME]`. Goals on two cores: 99 of 100 honest requests answered within
//! 250 ms, no more than 500 MB at the peak, and an end within 5 s of SIGTERM.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use grove_core::author::{NextArgs, forge};
use grove_core::types::{KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use serde_json::{Value, json};
use support::{Author, Connection, NodeProcess, schema, text, venue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// How long each attack goes on.
const LASTS: Duration = Duration::from_secs(10);

/// How often an honest client asks.
const PAUSE: Duration = Duration::from_millis(25);

/// How long an attacker waits for an answer before it begins anew.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the attacker does over and over.
#[derive(Clone)]
enum Blow {
    Post(&'static str, String),
    /// Opens a WebSocket at this path with this subprotocol, sends these messages and holds it.
    Socket(&'static str, &'static str, Vec<String>),
}

struct Attack {
    name: &'static str,
    attackers: usize,
    /// What is published before, in calls of this many entries.
    entries: Vec<Submission>,
    call: usize,
    blow: Blow,
}

fn main() {
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let runtime = Runtime::new().expect("a runtime");
    println!(
        "| attack | honest requests, slowest 1 %, slowest | peak memory | end |\n| --- | --- | --- | --- |"
    );
    for make in ATTACKS {
        let attack = make();
        if only
            .as_ref()
            .is_none_or(|only| attack.name.contains(only.as_str()))
        {
            runtime.block_on(measure(attack));
        }
    }
}

const ATTACKS: [fn() -> Attack; 8] = [
    || {
        query(
            "brackets behind a string",
            8,
            format!("{{ a(x: [\"\"\" \"{}]) }}", "[".repeat(3000)),
        )
    },
    || query("chained fragments", 8, chained()),
    unused_logs,
    || query("16 MB of words", 4, "a ".repeat(7 << 20)),
    large_documents,
    subscriptions,
    heavy_queries,
    bulky_messages,
];

fn query(name: &'static str, attackers: usize, query: String) -> Attack {
    let body = json!({ "query": query }).to_string();
    Attack {
        name,
        attackers,
        entries: Vec::new(),
        call: 1,
        blow: Blow::Post("/graphql", body),
    }
}

fn chained() -> String {
    let mut text = "{ ...f0 }".to_owned();
    for number in 0..30 {
        let next = number + 1..(number + 10).min(31);
        let spreads: String = next.map(|n| format!(" ...f{n}")).collect();
        text += &format!(" fragment f{number} on Query {{{spreads} }}");
    }
    text + " fragment f30 on Query { __typename }"
}

fn unused_logs() -> Attack {
    let key_pair = KeyPair::from_seed(&[66; 32]);
    let piece = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(vec![7]))]),
    };
    let logs = (0..20_000).chain([u64::MAX]);
    let entries = logs.map(|log_id| {
        let args = NextArgs::first(LogId::new(log_id));
        forge(&key_pair, &args, &piece).expect("an entry")
    });
    let params = json!({
        "author": key_pair.public_key().to_string(),
        "documents": vec![Value::Null; 10_000],
    });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getManyEntryArguments", "params": params });
    Attack {
        name: "an unused log, 10 000 times",
        attackers: 8,
        entries: entries.collect(),
        call: 500,
        blow: Blow::Post("/", call.to_string()),
    }
}

fn large_documents() -> Attack {
    let mut author = Author::new(66);
    let (mut entries, schema_id) = schema(&mut author);
    for number in 0..40 {
        let mut fields = venue(number);
        fields[0].1 = text(&"x".repeat(3_900_000));
        entries.push(author.create(&schema_id, &fields));
    }
    let params = json!({ "schema": schema_id.to_string(), "first": 100 });
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_queryDocuments", "params": params });
    Attack {
        name: "pages of documents of 3.9 MB",
        attackers: 8,
        entries,
        call: 1,
        blow: Blow::Post("/", call.to_string()),
    }
}

fn heavy_queries() -> Attack {
    let mut author = Author::new(66);
    let (mut entries, schema_id) = schema(&mut author);
    entries.extend((0..30_000).map(|number| author.create(&schema_id, &venue(number))));
    let filters: String = (0..40)
        .map(|n| format!("a{n}: all_{schema_id}(first: 1, filter: {{ name: {{ contains: \"{n}z\" }} }}) {{ totalCount }} "))
        .collect();
    let body = json!({ "query": format!("{{ {filters} }}") }).to_string();
    Attack {
        name: "24 heavy queries at once",
        attackers: 24,
        entries,
        call: 500,
        blow: Blow::Post("/graphql", body),
    }
}

fn subscriptions() -> Attack {
    let mut messages = vec![json!({ "type": "connection_init" }).to_string()];
    let payload = json!({ "query": "subscription { all_blob_v1 { cursor } }" });
    messages.extend((0..64).map(|id| {
        json!({ "type": "subscribe", "id": id.to_string(), "payload": payload }).to_string()
    }));
    Attack {
        name: "600 sockets of 64 subscriptions",
        attackers: 600,
        entries: Vec::new(),
        call: 1,
        blow: Blow::Socket("/graphql", "graphql-transport-ws", messages),
    }
}

fn bulky_messages() -> Attack {
    let values = format!("[{}0]", "0,".repeat(190_000));
    let params = json!({ "author": "x" }).to_string();
    let params = format!("{},\"documents\":{values}}}", params.trim_end_matches('}'));
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"panda_getManyEntryArguments","params":{params}}}"#
    );
    Attack {
        name: "bulky messages over 8 sockets",
        attackers: 8,
        entries: Vec::new(),
        call: 1,
        blow: Blow::Socket("/", "", vec![call; 200]),
    }
}

async fn measure(attack: Attack) {
    let mut node = NodeProcess::start();
    let mut connection = Connection::open(&node.address).await;
    for entries in attack.entries.chunks(attack.call) {
        connection.publish_all(entries).await;
    }
    let goes_on = Arc::new(AtomicBool::new(true));
    let attackers: Vec<_> = (0..attack.attackers)
        .map(|_| {
            let (address, blow) = (node.address.clone(), attack.blow.clone());
            let goes_on = Arc::clone(&goes_on);
            tokio::spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let _ = tokio::time::timeout(PATIENCE, strike(&address, &blow)).await;
                }
            })
        })
        .collect();
    let mut waits = honest(&node.address).await;
    waits.sort_unstable();
    let (_, peak) = node.memory();
    let began = Instant::now();
    node.stop();
    let end = began.elapsed();
    goes_on.store(false, Ordering::Relaxed);
    attackers.iter().for_each(tokio::task::JoinHandle::abort);
    let (slow, slowest) = (waits[waits.len() * 99 / 100], waits[waits.len() - 1]);
    println!(
        "| {} | {}, {} ms, {} ms | {} MB | {:.1} s |",
        attack.name,
        waits.len(),
        slow.as_millis(),
        slowest.as_millis(),
        peak / 1024,
        end.as_secs_f64()
    );
}

/// What honest clients wait, each request on a connection of its own.
async fn honest(address: &str) -> Vec<Duration> {
    let (began, mut waits, mut author) = (Instant::now(), Vec::new(), Author::new(1));
    let mut last = None;
    while began.elapsed() < LASTS {
        let piece = [("data", PlainValue::Bytes(vec![1; 100]))];
        let entry = author.create(&SchemaId::BLOB_PIECE, &piece);
        let id = entry.entry().operation_id();
        let asked = Instant::now();
        Connection::open(address).await.publish(&entry).await;
        waits.push(asked.elapsed());
        let query = format!(
            "{{ blob_piece_v1(id: \"{}\") {{ fields {{ data }} }} }}",
            last.unwrap_or(id)
        );
        let asked = Instant::now();
        Connection::open(address).await.query(&query).await;
        waits.push(asked.elapsed());
        let asked = Instant::now();
        let answer = exchange(address, "GET /healthz HTTP/1.1", "").await;
        assert!(
            answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200")),
            "it is healthy"
        );
        waits.push(asked.elapsed());
        last = Some(id);
        tokio::time::sleep(PAUSE).await;
    }
    waits
}

/// Sends a request and takes the whole answer.
async fn exchange(address: &str, line: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{line}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn strike(address: &str, blow: &Blow) -> std::io::Result<()> {
    match blow {
        Blow::Post(path, body) => {
            exchange(address, &format!("POST {path} HTTP/1.1"), body).await?;
        }
        Blow::Socket(path, protocol, messages) => {
            let mut stream = TcpStream::connect(address).await?;
            let protocol = match *protocol {
                "" => String::new(),
                name => format!("Sec-WebSocket-Protocol: {name}\r\n"),
            };
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\n{protocol}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            let mut answer = vec![0; 4096];
            if stream.read(&mut answer).await? == 0 {
                return Ok(());
            }
            for message in messages {
                stream.write_all(&frame(message.as_bytes())).await?;
            }
            while stream.read(&mut answer).await? > 0 {}
        }
    }
    Ok(())
}

/// A text frame, masked with zeros.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
