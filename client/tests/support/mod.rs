//! A node for tests: a real HTTP server on a free port of 127.0.0.1, with logs in memory and faults
//! on demand.
//!
//! Knows positions in logs and nothing of schemas; what else a test needs it answers itself.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SeqNum};
use grove_core::validate::Submission;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

/// What the server does with a request.
pub(crate) enum Reply {
    Answer(u16, Json),
    /// Closes the connection without a word.
    HangUp,
    /// Keeps the connection open and says nothing.
    Silence,
}

/// Serves every request by `answer` until the runtime ends, and returns the server's address.
pub(crate) async fn serve<F>(answer: F) -> String
where
    F: Fn(&str, Json) -> Reply + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| handle(Arc::clone(&answer), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    format!("http://{address}")
}

async fn handle<F>(
    answer: Arc<F>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error>
where
    F: Fn(&str, Json) -> Reply,
{
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match answer(&path, serde_json::from_slice(&body).unwrap_or_default()) {
        Reply::Answer(status, json) => Ok(Response::builder()
            .status(status)
            .body(Full::new(Bytes::from(json.to_string())))
            .unwrap()),
        Reply::HangUp => Err(std::io::Error::other("hang up")),
        Reply::Silence => std::future::pending().await,
    }
}

/// What goes wrong with the next publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection closes before the node acts.
    LoseRequest,
    /// The connection closes after the node acted.
    LoseAnswer,
    /// The node refuses without looking.
    Refuse(Reason),
    /// Somebody else with the same key is faster, and takes the place that the entry was signed for.
    Outrun,
    /// The same, and the node does not tell where to go on.
    OutrunSilently,
}

/// The logs of a node.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Faults of the coming publish calls, first first.
    pub faults: VecDeque<Fault>,
    /// Whether publishing an entry again is an error, as with old nodes.
    pub refuses_known: bool,
    /// How many of the coming questions for next args are turned away.
    pub busy: usize,
    /// How often next args were asked for.
    pub asked: usize,
    /// Hash of the entry of each publish call.
    pub sent: Vec<Hash>,
    logs: BTreeMap<(PublicKey, LogId), Vec<Hash>>,
    log_of: BTreeMap<(PublicKey, DocumentId), LogId>,
    document_of: BTreeMap<OperationId, DocumentId>,
    /// Entries of somebody else with the same key.
    others: BTreeSet<Hash>,
}

/// Why the node refuses.
#[derive(Debug, Default)]
struct Refusal {
    /// Old nodes have none.
    code: Option<&'static str>,
    next_args: Option<NextArgs>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            code: Some(reason.code()),
            next_args: None,
        }
    }
}

impl Memory {
    /// The entries of all logs.
    pub(crate) fn stored(&self) -> BTreeSet<Hash> {
        let all = self.logs.values().flatten().copied();
        all.filter(|hash| !self.others.contains(hash)).collect()
    }

    /// Forgets the last entry of a log, as a node does that is restored from an old copy.
    pub(crate) fn forget_last(&mut self, author: PublicKey, log_id: LogId) {
        self.logs.get_mut(&(author, log_id)).unwrap().pop();
    }

    fn next_args(&mut self, author: PublicKey, document: Option<DocumentId>) -> NextArgs {
        self.asked += 1;
        let known = document.and_then(|document| self.log_of.get(&(author, document)));
        match known {
            Some(log_id) => self.args_of(author, *log_id),
            None => self.args_of_new(author),
        }
    }

    fn args_of_new(&self, author: PublicKey) -> NextArgs {
        let last = self.logs.keys().filter(|(key, _)| *key == author);
        let free = last.map(|(_, id)| id.next().unwrap()).max();
        NextArgs::first(free.unwrap_or_default())
    }

    fn next_args_unless_busy(
        &mut self,
        author: PublicKey,
        document: Option<DocumentId>,
    ) -> Result<NextArgs, Refusal> {
        if self.busy > 0 {
            self.busy -= 1;
            return Err(Reason::NodeBusy.into());
        }
        Ok(self.next_args(author, document))
    }

    fn args_of(&self, author: PublicKey, log_id: LogId) -> NextArgs {
        let log = &self.logs[&(author, log_id)];
        let hash_at = |seq_num: SeqNum| log.get(seq_num.as_u64() as usize - 1).copied();
        match SeqNum::new(log.len() as u64) {
            Some(latest) => {
                NextArgs::after(log_id, latest, hash_at(latest).unwrap(), hash_at).unwrap()
            }
            None => NextArgs::first(log_id),
        }
    }

    fn publish(&mut self, submission: &Submission) -> Result<NextArgs, Refusal> {
        let signed = submission.entry();
        let entry = signed.entry();
        let key = (entry.public_key, entry.log_id);
        let log = self.logs.entry(key).or_default();
        let place = entry.seq_num.as_u64() as usize - 1;
        match log.get(place) {
            Some(hash) if *hash != signed.hash() => return Err(self.would_fork(submission)),
            Some(_) if self.refuses_known => return Err(Refusal::default()),
            Some(_) => return Ok(self.args_of(key.0, key.1)),
            None if place != log.len() => return Err(Reason::SeqNumMismatch.into()),
            None => log.push(signed.hash()),
        }
        let document = self.document_of(submission);
        self.document_of.insert(signed.operation_id(), document);
        self.log_of.insert((key.0, document), key.1);
        Ok(self.args_of(key.0, key.1))
    }

    fn document_of(&self, submission: &Submission) -> DocumentId {
        match submission.operation().unwrap().previous() {
            None => submission.entry().operation_id().into(),
            Some(previous) => self.document_of[&previous.ids()[0]],
        }
    }

    /// The refusal of an entry whose place is taken, with where its operation may go.
    fn would_fork(&self, submission: &Submission) -> Refusal {
        let author = submission.entry().entry().public_key;
        let document = self.document_of(submission);
        let known = self.log_of.get(&(author, document));
        Refusal {
            code: Some(Reason::WouldFork.code()),
            next_args: Some(match known {
                Some(log_id) => self.args_of(author, *log_id),
                None => self.args_of_new(author),
            }),
        }
    }

    /// Takes the place of an entry for another one of the same author, of the same document.
    fn outrun(&mut self, submission: &Submission) {
        let entry = submission.entry().entry();
        let other = Hash::of(submission.entry().bytes());
        let other = Hash::of(other.digest());
        let key = (entry.public_key, entry.log_id);
        let log = self.logs.entry(key).or_default();
        assert_eq!(
            log.len() as u64 + 1,
            entry.seq_num.as_u64(),
            "it would have fit"
        );
        log.push(other);
        self.others.insert(other);
    }

    fn publish_with_faults(
        &mut self,
        submission: &Submission,
    ) -> Option<Result<NextArgs, Refusal>> {
        self.sent.push(submission.entry().hash());
        match self.faults.pop_front() {
            Some(Fault::LoseRequest) => None,
            Some(Fault::LoseAnswer) => {
                let _ = self.publish(submission);
                None
            }
            Some(Fault::Refuse(reason)) => Some(Err(reason.into())),
            Some(Fault::Outrun) => {
                self.outrun(submission);
                Some(self.publish(submission))
            }
            Some(Fault::OutrunSilently) => {
                self.outrun(submission);
                let refusal = self.publish(submission).expect_err("its place is taken");
                Some(Err(Refusal {
                    next_args: None,
                    ..refusal
                }))
            }
            None => Some(self.publish(submission)),
        }
    }
}

/// Which of its two APIs a client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    JsonRpc,
    GraphQl,
}

/// Answers next args and publish in either protocol; `None` for everything else.
pub(crate) fn answer(memory: &Mutex<Memory>, path: &str, body: &Json) -> Option<Reply> {
    let mut memory = memory.lock().unwrap();
    let rpc = path == "/";
    let params = if rpc {
        &body["params"]
    } else {
        &body["variables"]
    };
    let text = |name: &str| params[name].as_str();
    let query = body["query"].as_str().unwrap_or_default();
    let outcome = if query.contains("nextArgs(") || body["method"] == "panda_getEntryArguments" {
        let author = text("author")
            .or(text("publicKey"))
            .unwrap()
            .parse()
            .unwrap();
        let document = match (text("document"), text("viewId")) {
            (Some(id), _) => Some(id.parse().unwrap()),
            (None, Some(view)) => {
                let first: OperationId = view.split('_').next().unwrap().parse().unwrap();
                memory.document_of.get(&first).copied()
            }
            (None, None) => None,
        };
        Some(memory.next_args_unless_busy(author, document))
    } else if query.contains("publish(") || body["method"] == "panda_publishEntry" {
        let bytes = |a, b| hex::decode(text(a).or(text(b)).unwrap()).unwrap();
        let (entry, payload) = (
            bytes("entry", "entryEncoded"),
            bytes("operation", "operationEncoded"),
        );
        memory.publish_with_faults(&Submission::verify(&entry, payload).unwrap())
    } else {
        return None;
    };
    Some(match outcome {
        None => Reply::HangUp,
        Some(outcome) => Reply::Answer(
            200,
            if rpc {
                to_rpc(outcome)
            } else {
                to_graphql(outcome)
            },
        ),
    })
}

fn to_rpc(outcome: Result<NextArgs, Refusal>) -> Json {
    match outcome {
        Ok(args) => json!({ "jsonrpc": "2.0", "id": 1, "result": arguments(&args) }),
        Err(refusal) => {
            let mut error = json!({ "code": -32000, "message": "refused" });
            match details(&refusal, arguments) {
                Some(details) => error["data"] = details,
                None => error["code"] = 0.into(),
            }
            json!({ "jsonrpc": "2.0", "id": 1, "error": error })
        }
    }
}

/// What programs are told of a refusal, each by the words of its API.
fn details(refusal: &Refusal, spell: fn(&NextArgs) -> Json) -> Option<Json> {
    let mut details = json!({ "code": refusal.code? });
    if let Some(args) = &refusal.next_args {
        details["nextArgs"] = spell(args);
    }
    Some(details)
}

fn arguments(args: &NextArgs) -> Json {
    json!({
        "entryHashBacklink": args.backlink.map(|hash| hash.to_string()),
        "entryHashSkiplink": args.skiplink.map(|hash| hash.to_string()),
        "seqNum": args.seq_num.to_string(),
        "logId": args.log_id.to_string(),
    })
}

fn plain(args: &NextArgs) -> Json {
    json!({
        "logId": args.log_id.to_string(),
        "seqNum": args.seq_num.to_string(),
        "backlink": args.backlink.map(|hash| hash.to_string()),
        "skiplink": args.skiplink.map(|hash| hash.to_string()),
    })
}

fn to_graphql(outcome: Result<NextArgs, Refusal>) -> Json {
    match outcome {
        Ok(args) => json!({ "data": { "answer": plain(&args) } }),
        Err(refusal) => {
            let error = json!({ "message": "refused", "extensions": details(&refusal, plain) });
            json!({ "data": null, "errors": [error] })
        }
    }
}
