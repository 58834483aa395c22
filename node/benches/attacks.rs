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
use grove_core::types::{DocumentViewId, KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use serde_json::{Value, json};
use support::{Author, Connection, Log, NodeProcess, owned, publishing, schema, text, venue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

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
    /// Sends the next of these bodies to JSON-RPC, one at a time however many attackers there are; begins anew
    /// behind the last.
    InTurn(Arc<Vec<String>>),
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

const ATTACKS: [fn() -> Attack; 13] = [
    || {
        query(
            "brackets behind a string",
            8,
            format!("{{ a(x: [\"\"\" \"{}]) }}", "[".repeat(3000)),
        )
    },
    || query("chained fragments", 8, chained()),
    unused_logs,
    definitions_of_many_views,
    many_schemas,
    subscriptions_to_many_schemas,
    || query("16 MB of words", 4, "a ".repeat(7 << 20)),
    large_documents,
    further_branches,
    old_views,
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

/// The operation ids of these entries as views.
fn views(entries: &[Submission]) -> Vec<DocumentViewId> {
    let ids = entries.iter().map(|entry| entry.entry().operation_id());
    ids.map(DocumentViewId::from).collect()
}

fn update(schema_id: &SchemaId, previous: &DocumentViewId, value: &str) -> Operation<PlainValue> {
    Operation::Update {
        schema_id: schema_id.clone(),
        previous: previous.clone(),
        fields: owned(&[("name", text(value))]),
    }
}

/// A document with so many updates, each on top of what `previous` says of those before it.
fn long_document(
    log: &mut Log,
    create: &Operation<PlainValue>,
    count: usize,
    previous: impl Fn(&[DocumentViewId]) -> DocumentViewId,
) -> Vec<Submission> {
    let mut entries = vec![log.append(create)];
    let mut ids = views(&entries);
    for number in 0..count {
        let update = update(
            create.schema_id(),
            &previous(&ids),
            &format!("name{number}"),
        );
        entries.push(log.append(&update));
        ids.push(entries[number + 1].entry().operation_id().into());
    }
    entries
}

fn create(schema_id: &SchemaId, fields: &[(&str, PlainValue)]) -> Operation<PlainValue> {
    Operation::Create {
        schema_id: schema_id.clone(),
        fields: owned(fields),
    }
}

/// Calls that publish definitions, so many each, which list these fields.
fn definitions(
    author: &mut Author,
    count: usize,
    call: usize,
    fields: &[DocumentViewId],
) -> Vec<Vec<Submission>> {
    let define = |number: usize| {
        author.create(
            &SchemaId::SCHEMA_DEFINITION,
            &[
                ("name", text(&format!("many{number}x"))),
                ("description", text("One of many")),
                ("fields", PlainValue::ViewIds(fields.to_vec())),
            ],
        )
    };
    let all: Vec<_> = (0..count).map(define).collect();
    all.chunks(call).map(<[_]>::to_vec).collect()
}

fn definitions_of_many_views() -> Attack {
    let field = create(
        &SchemaId::SCHEMA_FIELD_DEFINITION,
        &[("name", text("a")), ("type", text("int"))],
    );
    let latest = |ids: &[DocumentViewId]| ids[ids.len() - 1].clone();
    let entries = long_document(&mut Log::new(66, 0), &field, 6_000, latest);
    let listed = &views(&entries)[2_000..3_000];
    let calls = definitions(&mut Author::new(67), 200, 1, listed);
    Attack {
        name: "definitions of 1 000 views of a field of 6 000",
        attackers: 4,
        entries,
        call: 500,
        blow: Blow::InTurn(Arc::new(
            calls.iter().map(|call| publishing(call)).collect(),
        )),
    }
}

fn one_field(author: &mut Author) -> Submission {
    let field = [("name", text("a")), ("type", text("int"))];
    author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &field)
}

fn many_schemas() -> Attack {
    let field = one_field(&mut Author::new(66));
    let listed = views(std::slice::from_ref(&field));
    let mut calls = Vec::new();
    for seed in 67..77 {
        let mut author = Author::new(seed);
        for mut call in definitions(&mut author, 1_000, 50, &listed) {
            // Each with its first document, so that there is something to keep.
            for definition in call.clone() {
                let id = schema_of(&definition);
                call.push(author.create(&id, &[("a", PlainValue::Int(1))]));
            }
            calls.push(publishing(&call));
        }
    }
    Attack {
        name: "10 000 schemas",
        attackers: 4,
        entries: vec![field],
        call: 1,
        blow: Blow::InTurn(Arc::new(calls)),
    }
}

/// The schema that one of [`definitions`] makes.
fn schema_of(definition: &Submission) -> SchemaId {
    let operation = Operation::<PlainValue>::decode(definition.payload()).expect("an operation");
    let name = operation.fields().and_then(|fields| fields.get("name"));
    let Some(PlainValue::Str(name)) = name else {
        unreachable!("a definition has a name");
    };
    SchemaId::Application {
        name: name.parse().expect("a name"),
        view_id: definition.entry().operation_id().into(),
    }
}

fn subscriptions_to_many_schemas() -> Attack {
    let field = one_field(&mut Author::new(66));
    let listed = views(std::slice::from_ref(&field));
    let all = definitions(&mut Author::new(67), 1_000, 1_000, &listed).remove(0);
    let mut messages = vec![json!({ "type": "connection_init" }).to_string()];
    messages.extend(all.iter().take(64).enumerate().map(|(id, definition)| {
        let schema = schema_of(definition);
        let query =
            format!("subscription {{ all_{schema} {{ cursor document {{ fields {{ a }} }} }} }}");
        let payload = json!({ "query": query });
        json!({ "type": "subscribe", "id": id.to_string(), "payload": payload }).to_string()
    }));
    Attack {
        name: "subscriptions among 1 000 schemas",
        attackers: 8,
        entries: [field].into_iter().chain(all).collect(),
        call: 500,
        blow: Blow::Socket("/graphql", "graphql-transport-ws", messages),
    }
}

/// The entries of a schema, and of a document of it with so many updates on top of its CREATE, all in one log.
fn branched(updates: usize) -> (Vec<Submission>, SchemaId, Vec<Submission>) {
    let mut author = Author::new(66);
    let (entries, schema_id) = schema(&mut author);
    let first = |ids: &[DocumentViewId]| ids[0].clone();
    let create = create(&schema_id, &venue(0));
    let document = long_document(&mut Log::new(67, 0), &create, updates, first);
    (entries, schema_id, document)
}

fn further_branches() -> Attack {
    const BEFORE: usize = 6_751;
    let (mut entries, _, mut document) = branched(12_000);
    let further = document.split_off(BEFORE);
    entries.extend(document);
    Attack {
        name: "further branches of a document that has 6 750",
        attackers: 4,
        entries,
        call: 500,
        blow: Blow::InTurn(Arc::new(further.chunks(20).map(publishing).collect())),
    }
}

fn old_views() -> Attack {
    let (mut entries, schema_id, document) = branched(8_000);
    let listed = views(&document)[1..].to_vec();
    entries.extend(document);
    let mut author = Author::new(68);
    let field = [
        ("name", text("venues")),
        ("type", text(&format!("pinned_relation_list({schema_id})"))),
    ];
    let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &field);
    let fields = views(std::slice::from_ref(&field));
    let definition = definitions(&mut author, 1, 1, &fields).remove(0).remove(0);
    let tour = schema_of(&definition);
    let list = author.create(&tour, &[("venues", PlainValue::ViewIds(listed))]);
    entries.extend([field, definition, list]);
    let text = format!(
        "{{ all_{tour} {{ documents {{ fields {{ venues(first: 8000) {{ documents {{ fields {{ name }} }} }} }} }} }} }}"
    );
    let attack = query("8 000 old views in a pinned list", 8, text);
    Attack {
        entries,
        call: 500,
        ..attack
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
    let turn = Arc::new(Mutex::new(0));
    let attackers: Vec<_> = (0..attack.attackers)
        .map(|_| {
            let (address, blow) = (node.address.clone(), attack.blow.clone());
            let (goes_on, turn) = (Arc::clone(&goes_on), Arc::clone(&turn));
            tokio::spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let _ = tokio::time::timeout(PATIENCE, strike(&address, &blow, &turn)).await;
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

async fn strike(address: &str, blow: &Blow, turn: &Mutex<usize>) -> std::io::Result<()> {
    match blow {
        Blow::Post(path, body) => {
            exchange(address, &format!("POST {path} HTTP/1.1"), body).await?;
        }
        Blow::InTurn(bodies) => {
            let mut turn = turn.lock().await;
            exchange(address, "POST / HTTP/1.1", &bodies[*turn % bodies.len()]).await?;
            *turn += 1;
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
