//! Those who subscribe: over graphql-transport-ws, and by server-sent events.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::socket::Socket;

pub(crate) const PROTOCOL: &str = "graphql-transport-ws";

/// A WebSocket of GraphQL.
pub(crate) struct GraphSocket(pub Socket);

impl GraphSocket {
    /// Opens the connection, without a word.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(Socket::open_at(address, "/graphql", Some(PROTOCOL)).await)
    }

    /// Opens the connection and begins the protocol.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut socket = Self::open(address).await;
        socket
            .0
            .send_json(&json!({ "type": "connection_init" }))
            .await;
        assert_eq!(socket.0.json().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub(crate) async fn start(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        let message = json!({ "type": "subscribe", "id": id, "payload": payload });
        self.0.send_json(&message).await;
    }

    pub(crate) async fn complete(&mut self, id: &str) {
        self.0
            .send_json(&json!({ "type": "complete", "id": id }))
            .await;
    }

    /// Waits until the node has taken everything said so far: it takes messages in their order, and a
    /// node in this process begins a subscription without waiting for anything.
    pub(crate) async fn settled(&mut self) {
        self.start("settle", "{ __typename }").await;
        assert_eq!(self.next("settle").await, json!({ "__typename": "Query" }));
        let done = json!({ "type": "complete", "id": "settle" });
        assert_eq!(self.0.json().await, done);
    }

    /// The data of the next answer, which is of this operation and has no errors.
    pub(crate) async fn next(&mut self, id: &str) -> Value {
        let message = self.0.json().await;
        let is_next = message["type"] == "next" && message["id"] == id;
        assert!(
            is_next && message["payload"]["errors"].is_null(),
            "{message}"
        );
        message["payload"]["data"].clone()
    }

    /// The event in the next answer of a subscription to `events`.
    pub(crate) async fn event(&mut self, id: &str) -> Value {
        self.next(id).await["events"].clone()
    }

    /// The code of the error with which an operation ends.
    pub(crate) async fn error(&mut self, id: &str) -> String {
        let message = self.0.json().await;
        let is_error = message["type"] == "error" && message["id"] == id;
        let code = &message["payload"][0]["extensions"]["code"];
        assert!(is_error && code.is_string(), "{message}");
        code.as_str().unwrap().to_owned()
    }
}

/// A stream of server-sent events.
pub(crate) struct EventStream {
    body: Incoming,
    received: String,
    /// Comments that came between events.
    pub comments: usize,
}

impl EventStream {
    /// Subscribes by POST.
    pub(crate) async fn post(address: SocketAddr, query: &str) -> Self {
        let body = json!({ "query": query }).to_string();
        Self::open(address, Method::POST, "/graphql", body).await
    }

    pub(crate) async fn open(
        address: SocketAddr,
        method: Method,
        path: &str,
        body: String,
    ) -> Self {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address.to_string())
            .header("accept", "text/event-stream");
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response: Response<Incoming> = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            received: String::new(),
            comments: 0,
        }
    }

    /// The next event's name and data; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            };
            match field("event") {
                Some(name) => {
                    let data = field("data").unwrap().trim();
                    let data = serde_json::from_str(data).unwrap_or(Value::Null);
                    return Some((name.trim().to_owned(), data));
                }
                None => self.comments += 1,
            }
        }
    }

    /// The data of the next event, which is an answer without errors.
    pub(crate) async fn answer(&mut self) -> Value {
        let (name, answer) = self.next().await.unwrap();
        assert!(
            name == "next" && answer["errors"].is_null(),
            "{name} {answer}"
        );
        answer["data"].clone()
    }

    /// The event in the next answer of a subscription to `events`.
    pub(crate) async fn event(&mut self) -> Value {
        self.answer().await["events"].clone()
    }

    /// What stands before the next empty line.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.received.split_once("\n\n") {
                let block = block.to_owned();
                self.received = rest.to_owned();
                return Some(block);
            }
            let frame = self.body.frame().await?.ok()?;
            let data = frame.into_data().unwrap();
            self.received += std::str::from_utf8(&data).unwrap();
        }
    }

    /// Waits for a comment, as the node sends when it has nothing to tell.
    pub(crate) async fn comment(&mut self) {
        let block = self.block().await.unwrap();
        assert!(block.starts_with(':'), "{block}");
    }
}
