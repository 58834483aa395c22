//! Clients that hold, trickle, flood, smuggle and never take: each is given up, and others are served.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use grove_node::http::Limits;
use http_support::socket::{CLOSE, PING, PONG, Socket, TEXT};
use http_support::{Author, TestNode, build, piece, send};
use hyper::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything here may take at most, so that what never happens fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that show in a test's time.
fn hasty() -> Limits {
    let mut limits = Limits::default();
    limits.head_timeout = Duration::from_millis(400);
    limits.idle_timeout = Duration::from_millis(400);
    limits.stall_timeout = Duration::from_millis(400);
    limits
}

async fn open(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the other side closes; a reset ends it, too.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all))
        .await
        .expect("the connection is closed in time");
    all
}

/// How many answers of each status there are in what came over a connection.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let starts = text.split("HTTP/1.1 ").skip(1);
    starts.map(|answer| answer[..3].parse().unwrap()).collect()
}

async fn is_served(address: SocketAddr) {
    let asked = send(address, build(Method::GET, "/healthz", ""));
    let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[rstest]
#[case::silent("")]
#[case::half_a_head("POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-")]
#[case::no_body("POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")]
#[case::half_a_body("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")]
#[case::half_a_chunk(
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
)]
#[case::answered("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")]
#[tokio::test]
async fn who_keeps_the_node_waiting_is_given_up(#[case] text: &str) {
    let node = TestNode::with(hasty()).await;
    let mut stream = open(node.address, text).await;

    rest(&mut stream).await;

    is_served(node.address).await;
}

#[rstest]
#[case::head("GET / HTTP/1.1\r\n", "X-A: b\r\n")]
#[case::body(
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    " "
)]
#[tokio::test]
async fn trickling_bytes_do_not_count_as_progress(#[case] start: &str, #[case] drop: &str) {
    let node = TestNode::with(hasty()).await;
    let mut stream = open(node.address, start).await;
    let began = Instant::now();

    while stream.write_all(drop.as_bytes()).await.is_ok() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    is_served(node.address).await;
}

#[tokio::test]
async fn an_answer_nobody_takes_is_given_up() {
    let node = TestNode::with(hasty()).await;
    let author = Author::new(1);
    for number in 0..60 {
        author.publish(&node, &piece(&[number; 200_000])).await;
    }
    let query = "{ all_blob_piece_v1(first: 60) { documents { fields { data } } } }";
    let body = json!({ "query": query }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = open(node.address, &(head + &body)).await;
    stream.readable().await.unwrap();
    let whole = 60 * 400_000;

    // Nothing is read for longer than the node waits; what it had sent before lies in the system.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let taken = rest(&mut stream).await;

    assert!(taken.len() < whole, "{} bytes came", taken.len());
    is_served(node.address).await;
}

#[tokio::test]
async fn a_crowd_of_open_connections_keeps_nobody_out() {
    let mut limits = Limits::default();
    limits.connections_max = 32;
    let node = TestNode::with(limits).await;
    let author = Author::new(1);
    let heads = [
        "",
        "POST / HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    ];
    let mut crowd = Vec::new();
    for round in 0..100u8 {
        for head in heads {
            crowd.push(open(node.address, head).await);
        }
        let operation = piece(&[round]);
        let publishing = author.publish(&node, &operation);
        tokio::time::timeout(PATIENCE, publishing).await.unwrap();
    }

    let counted = node.query("{ all_blob_piece_v1 { totalCount } }").await;
    assert_eq!(counted["all_blob_piece_v1"]["totalCount"], 100);
}

/// All places are taken by requests that the node works on, and more of them wait at the door.
#[tokio::test]
async fn who_asks_for_its_health_needs_no_place() {
    let mut limits = Limits::default();
    limits.connections_max = 4;
    let node = TestNode::with(limits).await;
    // An event stream is being answered for as long as its client stays.
    let body = r#"{"query":"subscription { all_blob_piece_v1 { cursor } }"}"#;
    let follow = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = open(node.address, &follow).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let request = "GET /blobs/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut waits = open(node.address, request).await;

    for _ in 0..40 {
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut honest = open(node.address, request).await;
        let answer = tokio::time::timeout(PATIENCE, rest(&mut honest)).await;
        assert_eq!(statuses(&answer.unwrap()), [200]);
    }

    // Who wants anything else waits until somebody leaves.
    let early = tokio::time::timeout(Duration::from_millis(100), waits.readable()).await;
    assert!(early.is_err(), "there was a place");
    drop(streams.pop());
    let answer = tokio::time::timeout(PATIENCE, rest(&mut waits))
        .await
        .unwrap();
    assert_eq!(statuses(&answer).len(), 1);
}

#[tokio::test]
async fn a_crowd_does_not_push_out_open_sockets() {
    let mut limits = Limits::default();
    limits.connections_max = 16;
    let node = TestNode::with(limits).await;
    let mut socket = Socket::open(node.address).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(open(node.address, "GET ").await);
    }
    is_served(node.address).await;

    socket
        .send(
            TEXT,
            br#"{"jsonrpc":"2.0","id":1,"method":"panda_getStatus"}"#,
        )
        .await;

    assert!(socket.json().await["result"].is_object());
}

#[tokio::test]
async fn open_sockets_do_not_take_the_room_of_requests() {
    let mut limits = Limits::default();
    limits.connections_max = 8;
    let node = TestNode::with(limits).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(Socket::open(node.address).await);
    }
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut honest = open(node.address, request).await;
    let mut answer = [0; 12];
    honest.read_exact(&mut answer).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(open(node.address, "").await);
    }
    is_served(node.address).await;

    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    honest.write_all(last.as_bytes()).await.unwrap();

    let rest = rest(&mut honest).await;
    assert_eq!(statuses(&rest), [200], "the sockets gave way");
}

#[rstest]
#[case::declared("Content-Length: 104857600")]
#[case::in_chunks("Transfer-Encoding: chunked")]
#[tokio::test]
async fn a_hundred_megabytes_are_refused_early(#[case] framing: &str) {
    let node = TestNode::start().await;
    for path in ["/", "/graphql"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        let mut stream = open(node.address, &head).await;
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        let mut sent = 0;
        while sent < 104_857_600 && stream.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }

        assert!(sent < 64 << 20, "{path} took {sent} bytes");
    }
    is_served(node.address).await;
}

#[tokio::test]
async fn bodies_beyond_the_common_memory_are_told_to_come_back() {
    let mut limits = Limits::default();
    limits.bodies_size_max = 256 << 10;
    let node = TestNode::with(limits).await;
    let padding = " ".repeat(200 << 10);
    let query = format!("{{\"query\":\"{{__typename}}\"{padding}}}");
    let mut holding = Vec::new();
    for _ in 0..2 {
        let head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n";
        holding.push(open(node.address, &(head.to_owned() + &padding)).await);
    }

    let began = Instant::now();
    let refused = loop {
        let answer = node.post("/graphql", query.clone()).await;
        if answer.status() != 200 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "the memory is never used up");
    };
    let small = node.query("{ __typename }").await;
    drop(holding);
    while node.post("/graphql", query.clone()).await.status() != 200 {
        assert!(began.elapsed() < PATIENCE, "the memory is never given back");
    }

    assert_eq!(refused.status(), 503);
    let body: Value = serde_json::from_str(refused.body()).unwrap();
    assert_eq!(body["error"]["code"], "node_busy");
    assert_eq!(small["__typename"], "Query");
}

#[tokio::test]
async fn answers_nobody_takes_give_way_to_others() {
    let mut limits = Limits::default();
    limits.answers_size_max = 32 << 20;
    let node = TestNode::with(limits).await;
    let author = Author::new(1);
    for number in 0..40 {
        author.publish(&node, &piece(&[number; 250_000])).await;
    }
    let query = "{ all_blob_piece_v1(first: 40) { documents { fields { data } } } }";
    let body = json!({ "query": query }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = head + &body;
    let stuck = open(node.address, &request).await;
    stuck.readable().await.unwrap();

    let began = Instant::now();
    for _ in 0..3 {
        while node.post("/graphql", body.clone()).await.status() != 200 {
            assert!(began.elapsed() < PATIENCE, "the answer holds its memory");
        }
    }
}

#[rstest]
#[case::two_lengths(
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
)]
#[case::negative_length("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n")]
#[case::signed_length("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}")]
#[case::huge_length(
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"
)]
#[case::unknown_coding(
    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
)]
#[case::coding_in_1_0("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case::space_before_colon("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}")]
#[case::folded("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n")]
#[case::nul_in_head("GET /healthz HTTP/1.1\r\nHost: x\0\r\n\r\n")]
#[case::bare_text("hello\r\n\r\n")]
#[case::tls("\u{16}\u{3}\u{1}\u{0}\u{a5}\u{1}\u{0}\u{0}\r\n\r\n")]
#[case::http_2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
#[tokio::test]
async fn broken_requests_end_the_connection(#[case] text: &str) {
    let node = TestNode::start().await;
    // Taken for a second request only by who has lost count.
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = open(node.address, &format!("{text}{smuggled}")).await;

    let answers = statuses(&rest(&mut stream).await);

    assert!(
        !answers.contains(&200) && answers.len() <= 1,
        "{text:?}: {answers:?}"
    );
    is_served(node.address).await;
}

#[rstest]
#[case("Content-Length: 4\r\nTransfer-Encoding: chunked")]
#[case("Transfer-Encoding: chunked\r\nContent-Length: 4")]
#[tokio::test]
async fn nothing_follows_a_body_of_two_lengths(#[case] framing: &str) {
    let node = TestNode::start().await;
    let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let text = format!("POST /graphql HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{smuggled}");
    let mut stream = open(node.address, &text).await;

    let answers = statuses(&rest(&mut stream).await);

    assert_eq!(answers, [400]);
}

#[tokio::test]
async fn pipelined_garbage_spoils_only_its_own_connection() {
    let node = TestNode::start().await;
    let good = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let text = format!("{}\0\0\0\0garbage\r\n\r\n{good}", good.repeat(50));
    let mut stream = open(node.address, &text).await;

    let answers = statuses(&rest(&mut stream).await);

    assert_eq!(answers[..50], [200; 50]);
    assert!(answers.len() <= 51 && !answers[50..].contains(&200));
    is_served(node.address).await;
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let node = TestNode::start().await;
    let mut stream = open(node.address, "GET /healthz HTTP/1.1\r\n").await;
    let mut sent = 0;

    let line = format!("X-A: {}\r\n", "a".repeat(1000));
    while sent < 8 << 20 && stream.write_all(line.as_bytes()).await.is_ok() {
        sent += line.len();
    }

    assert!(sent < 4 << 20, "{sent} bytes of a head were taken");
    is_served(node.address).await;
}

#[tokio::test]
async fn sockets_survive_pings_and_refuse_endless_messages() {
    let node = TestNode::start().await;
    let mut socket = Socket::open(node.address).await;
    for _ in 0..1000 {
        socket.send(PING, b"x").await;
    }
    socket
        .send(TEXT, br#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#)
        .await;
    let mut pongs = 0;
    let answered = loop {
        match socket.receive().await.unwrap() {
            (PONG, _) => pongs += 1,
            (kind, _) => break kind,
        }
    };

    assert_eq!((pongs > 0, answered), (true, TEXT));

    // One frame that claims 16 EiB, and fragments that never end.
    let endless = [vec![0x01, 0xff], vec![0x7f; 8], vec![0; 4]].concat();
    let fragment = [vec![0x00, 0xfe, 0xff, 0xff], vec![0; 4 + 0xffff]].concat();
    for frames in [vec![endless], vec![fragment; 400]] {
        let mut socket = Socket::open(node.address).await;
        socket.send_fragment(TEXT, b"{").await;
        let mut sent = 0;
        for frame in &frames {
            if socket.write(frame).await.is_err() {
                break;
            }
            sent += frame.len();
        }
        let ended = tokio::time::timeout(PATIENCE, socket.receive()).await;
        let ended = ended.expect("the socket is closed in time");
        assert!(
            ended.is_none_or(|(kind, _)| kind != PONG),
            "the socket goes on after {sent} bytes"
        );
    }
    is_served(node.address).await;
}

#[tokio::test]
async fn sockets_beyond_their_number_are_refused() {
    let mut limits = Limits::default();
    limits.sockets_max = 2;
    let node = TestNode::with(limits).await;
    let _open = [
        Socket::open(node.address).await,
        Socket::open(node.address).await,
    ];
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut third = open(node.address, head).await;
    let mut answer = [0; 12];
    third.read_exact(&mut answer).await.unwrap();

    assert_eq!(&answer, b"HTTP/1.1 429");
    is_served(node.address).await;
}

#[tokio::test]
async fn values_that_multiply_are_refused() {
    let mut limits = Limits::default();
    limits.json_values_max = 1000;
    limits.body_size_max = 1 << 20;
    let node = TestNode::with(limits).await;
    let aliases: String = (0..500)
        .map(|n| format!("a{n}: all_blob_v1(after: $x) {{ totalCount }} "))
        .collect();
    let query = format!("query ($x: Cursor) {{ {aliases} }}");
    let copies = node
        .graphql(&query, json!({ "x": "x".repeat(10_000) }))
        .await;
    let values = format!(
        "{{\"query\":\"x\",\"variables\":{{\"x\":[{}0]}}}}",
        "0,".repeat(2000)
    );
    let graphql = node.post("/graphql", values.clone()).await;
    let rpc = node.post("/", values).await;

    let code = &copies["errors"][0]["extensions"]["code"];
    assert_eq!(code, "request_too_large", "{copies}");
    assert_eq!(
        (graphql.status(), rpc.status()),
        (413.try_into().unwrap(), 413.try_into().unwrap())
    );
}

/// The same over WebSockets, which read their messages by a way of their own.
#[tokio::test]
async fn values_that_multiply_are_refused_over_sockets() {
    let mut limits = Limits::default();
    limits.json_values_max = 1000;
    let node = TestNode::with(limits).await;
    let values = format!("[{}0]", "0,".repeat(2000));
    let call = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"panda_getStatus","params":{params}}}"#)
    };
    let mut socket = Socket::open(node.address).await;

    socket.send(TEXT, call(&values).as_bytes()).await;
    let refused = socket.json().await;
    socket.send(TEXT, call("null").as_bytes()).await;
    let answered = socket.json().await;

    let posted = node.post("/", call(&values)).await;
    let posted: Value = serde_json::from_str(posted.body()).unwrap();
    assert_eq!(
        refused["error"]["code"], posted["error"]["code"],
        "{refused}"
    );
    assert!(answered["result"].is_object(), "{answered}");

    let protocol = Some("graphql-transport-ws");
    let mut socket = Socket::open_at(node.address, "/graphql", protocol).await;
    let init = format!(r#"{{"type":"connection_init","payload":{{"x":{values}}}}}"#);
    socket.send(TEXT, init.as_bytes()).await;
    assert_eq!(socket.close_code().await, Some(1009));
}

#[tokio::test]
async fn closing_a_socket_frees_its_place() {
    let mut limits = Limits::default();
    limits.sockets_max = 1;
    let node = TestNode::with(limits).await;
    for _ in 0..20 {
        let mut socket = Socket::open(node.address).await;
        socket.send(CLOSE, &[]).await;
        while socket.receive().await.is_some() {}
    }
}
