//! The protocol graphql-transport-ws, as the server speaks it: messages in, what to do out.
//!
//! Knows which operations are under way and what may be said when; executing, sending and waiting are
//! the caller's. After a `Close` nothing else comes out.

use std::collections::BTreeSet;

use grove_core::Reason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::graphql::Posted;
use crate::http::graphql::error::{QueryError, refused};

/// The subprotocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Most bytes of the id of an operation, which clients choose.
const ID_SIZE_MAX: usize = 256;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Do {
    /// Send this text.
    Send(String),
    /// Execute an operation, and hand in its pieces under this id.
    Start(String, Box<Posted>),
    /// Stop executing an operation.
    Stop(String),
    /// Close with this code, and why.
    Close(u16, &'static str),
}

/// The close codes of the protocol, and those of WebSocket itself that are used.
pub(super) mod close {
    use super::Do;

    pub(crate) const GOING_AWAY: Do = Do::Close(1001, "the node stops");
    pub(crate) const TOO_LARGE: Do = Do::Close(1009, "the message is too large");
    pub(crate) const NOT_TEXT: Do = Do::Close(4400, "messages are text");
    pub(crate) const MALFORMED: Do = Do::Close(4400, "the message is none of the protocol");
    pub(crate) const UNAUTHORIZED: Do = Do::Close(4401, "Unauthorized");
    pub(crate) const SUBPROTOCOL: Do = Do::Close(4406, "Subprotocol not acceptable");
    pub(crate) const INIT_TIMEOUT: Do = Do::Close(4408, "Connection initialisation timeout");
    pub(crate) const TWICE: Do = Do::Close(4409, "Subscriber already exists");
    pub(crate) const INIT_TWICE: Do = Do::Close(4429, "Too many initialisation requests");
}

/// One connection.
#[derive(Debug)]
pub(super) struct Protocol {
    state: State,
    operations_max: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing was said yet.
    New,
    /// These operations are under way.
    Ready(BTreeSet<String>),
    Closed,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    ConnectionInit,
    Ping {
        #[serde(default)]
        payload: Option<Value>,
    },
    Pong,
    Subscribe {
        id: String,
        payload: Box<Posted>,
    },
    Complete {
        id: String,
    },
}

impl Protocol {
    /// A connection on which so many operations may be under way.
    pub(super) fn new(operations_max: u32) -> Self {
        Self {
            state: State::New,
            operations_max: operations_max as usize,
        }
    }

    /// Whether the client has still to begin.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    /// Takes a text from the client.
    pub(super) fn receive(&mut self, text: &str) -> Vec<Do> {
        if let State::Closed = self.state {
            return Vec::new();
        }
        let message = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(_) => return vec![self.close(close::MALFORMED)],
        };
        match (&mut self.state, message) {
            (State::Closed, _) | (_, Message::Pong) => Vec::new(),
            (_, Message::Ping { payload }) => {
                let mut pong = json!({ "type": "pong" });
                if let Some(payload) = payload {
                    pong["payload"] = payload;
                }
                vec![Do::Send(pong.to_string())]
            }
            (State::New, Message::ConnectionInit) => {
                self.state = State::Ready(BTreeSet::new());
                vec![Do::Send(json!({ "type": "connection_ack" }).to_string())]
            }
            (State::Ready(_), Message::ConnectionInit) => vec![self.close(close::INIT_TWICE)],
            (State::New, Message::Subscribe { .. }) => vec![self.close(close::UNAUTHORIZED)],
            // Completing what has ended already is no mistake: the two messages crossed.
            (State::New, Message::Complete { .. }) => Vec::new(),
            (State::Ready(operations), Message::Complete { id }) => {
                let was_known = operations.remove(&id);
                was_known.then_some(Do::Stop(id)).into_iter().collect()
            }
            (State::Ready(operations), Message::Subscribe { id, mut payload }) => {
                if id.len() > ID_SIZE_MAX {
                    return vec![self.close(close::MALFORMED)];
                }
                if operations.contains(&id) {
                    return vec![self.close(close::TWICE)];
                }
                if operations.len() >= self.operations_max {
                    let text = "too many operations are under way on this connection";
                    let errors = refused(Reason::RequestTooLarge, text);
                    return vec![Do::Send(error_message(&id, &errors))];
                }
                operations.insert(id.clone());
                payload.size = text.len();
                vec![Do::Start(id, payload)]
            }
        }
    }

    /// An answer of an operation, which is JSON; what to send, if it is still under way.
    pub(super) fn next(&self, id: &str, answer: &str) -> Option<String> {
        let message = || format!(r#"{{"id":{},"type":"next","payload":{answer}}}"#, json!(id));
        self.is_running(id).then(message)
    }

    /// An operation failed, and is under way no more.
    pub(super) fn refused(&mut self, id: &str, errors: &[QueryError]) -> Option<String> {
        self.end(id).then(|| error_message(id, errors))
    }

    /// An operation came to its end.
    pub(super) fn done(&mut self, id: &str) -> Option<String> {
        let message = json!({ "id": id, "type": "complete" });
        self.end(id).then(|| message.to_string())
    }

    /// The connection is to be closed.
    pub(super) fn close(&mut self, with: Do) -> Do {
        self.state = State::Closed;
        with
    }

    fn is_running(&self, id: &str) -> bool {
        matches!(&self.state, State::Ready(operations) if operations.contains(id))
    }

    fn end(&mut self, id: &str) -> bool {
        match &mut self.state {
            State::Ready(operations) => operations.remove(id),
            State::New | State::Closed => false,
        }
    }
}

fn error_message(id: &str, errors: &[QueryError]) -> String {
    json!({ "id": id, "type": "error", "payload": errors }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: &str = r#"{"type":"connection_init","payload":{"any":1}}"#;

    fn ready(operations_max: u32) -> Protocol {
        let mut protocol = Protocol::new(operations_max);
        protocol.receive(INIT);
        protocol
    }

    fn subscribe(id: &str) -> String {
        json!({ "type": "subscribe", "id": id, "payload": { "query": "{ a }" } }).to_string()
    }

    fn said(todo: Vec<Do>) -> String {
        let word = |todo: Do| match todo {
            Do::Send(text) => text,
            Do::Start(id, posted) => format!("start {id} {}", posted.query),
            Do::Stop(id) => format!("stop {id}"),
            Do::Close(code, _) => format!("close {code}"),
        };
        todo.into_iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn operations_run_between_init_and_complete() {
        let mut protocol = Protocol::new(9);

        assert_eq!(said(protocol.receive(INIT)), r#"{"type":"connection_ack"}"#);
        assert_eq!(said(protocol.receive(&subscribe("a"))), "start a { a }");
        assert_eq!(said(protocol.receive(&subscribe("b"))), "start b { a }");
        assert_eq!(
            said(protocol.receive(r#"{"type":"complete","id":"a"}"#)),
            "stop a"
        );
        assert_eq!(
            said(protocol.receive(r#"{"type":"complete","id":"a"}"#)),
            ""
        );

        let answer = "{}";
        assert_eq!(protocol.next("a", answer), None);
        assert!(protocol.next("b", answer).is_some());
        assert_eq!(
            protocol.done("b").unwrap(),
            r#"{"id":"b","type":"complete"}"#
        );
        assert_eq!(protocol.done("b"), None);
        // Its id can be used again.
        assert_eq!(said(protocol.receive(&subscribe("b"))), "start b { a }");
    }

    #[test]
    fn pings_are_answered_at_any_time() {
        let mut protocol = Protocol::new(1);

        let pong = said(protocol.receive(r#"{"type":"ping","payload":{"x":1}}"#));

        assert_eq!(pong, r#"{"type":"pong","payload":{"x":1}}"#);
        assert_eq!(said(protocol.receive(r#"{"type":"pong"}"#)), "");
        assert!(protocol.is_new());
    }

    #[test]
    fn every_fault_has_its_close_code() {
        let faults = [
            (Protocol::new(1), subscribe("a"), 4401),
            (ready(1), INIT.to_owned(), 4429),
            (ready(1), "no json".to_owned(), 4400),
            (ready(1), r#"{"type":"next"}"#.to_owned(), 4400),
            (
                ready(1),
                r#"{"type":"subscribe","id":"a"}"#.to_owned(),
                4400,
            ),
            (ready(1), subscribe(&"a".repeat(ID_SIZE_MAX + 1)), 4400),
        ];
        for (mut protocol, text, code) in faults {
            assert_eq!(
                said(protocol.receive(&text)),
                format!("close {code}"),
                "{text}"
            );
            assert_eq!(said(protocol.receive(INIT)), "", "nothing follows");
        }

        let mut protocol = ready(2);
        protocol.receive(&subscribe("a"));
        assert_eq!(said(protocol.receive(&subscribe("a"))), "close 4409");
    }

    #[test]
    fn too_many_operations_cost_only_the_last() {
        let mut protocol = ready(1);
        protocol.receive(&subscribe("a"));

        let refused = said(protocol.receive(&subscribe("b")));

        assert!(refused.contains(r#""type":"error""#), "{refused}");
        assert!(refused.contains("request_too_large"), "{refused}");
        assert!(protocol.next("a", "{}").is_some());
        assert!(protocol.refused("a", &[]).is_some());
        assert_eq!(said(protocol.receive(&subscribe("b"))), "start b { a }");
    }
}
