//! How a client of the library talks to the simulated world: it asks, and is polled again when it was answered.
//!
//! The futures of the client library wait for nothing but this. A task is a value although a future is none: it
//! keeps how it began and what it was answered, and so can be brought to the same point again.
//!
//! Always true: a task waits for exactly one answer, unless it is over.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use grove_client::api::{Api, ApiError, DocumentRef, NodeRefusal};
use grove_client::session::Session;
use grove_client::transport::TransportError;
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId, PublicKey, Schema};
use grove_core::validate::Submission;

/// How long a client waits for one answer.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(2);

/// What a task wants to know, or wants to happen.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    NextArgs {
        author: PublicKey,
        view_id: Option<DocumentViewId>,
    },
    Publish(Box<Submission>),
    /// Whether the node serves the schema of the workload.
    Serves,
    /// A document as the node shows it.
    Find(DocumentId),
    /// As [`Find`](Self::Find), and what it shows is remembered.
    Pin(DocumentId),
    /// What all clients know of the schema, without asking any node.
    Schema,
    /// What all clients know of a document of the plan, without asking any node.
    Document(usize),
    Pause(Duration),
}

/// The answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Args(NextArgs),
    Refused(NodeRefusal),
    /// Nothing came back.
    Silence,
    Serves(bool),
    Found(Option<DocumentViewId>),
    /// The schema, and whether nobody waits for it any more.
    Schema(Option<Schema>, bool),
    /// The document's id, and whether somebody deleted it, or nobody waits for it any more.
    Document(Option<DocumentId>, bool),
    Paused,
}

#[derive(Debug, Default)]
struct Line {
    ask: Option<Ask>,
    reply: Option<Reply>,
}

/// The client's end of the line.
#[derive(Clone, Debug, Default)]
pub(super) struct FastApi(Rc<RefCell<Line>>);

impl FastApi {
    pub(super) async fn ask(&self, ask: Ask) -> Reply {
        self.0.borrow_mut().ask = Some(ask);
        poll_fn(|_| match self.0.borrow_mut().reply.take() {
            Some(reply) => Poll::Ready(reply),
            None => Poll::Pending,
        })
        .await
    }
}

fn args(reply: Reply) -> Result<NextArgs, ApiError> {
    match reply {
        Reply::Args(args) => Ok(args),
        Reply::Refused(refusal) => Err(ApiError::Refused(refusal)),
        _ => Err(ApiError::Transport(TransportError::Timeout(CALL_LIMIT))),
    }
}

impl Api for FastApi {
    async fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> Result<NextArgs, ApiError> {
        let view_id = document.map(|document| document.view_id.clone());
        let author = *author;
        args(self.ask(Ask::NextArgs { author, view_id }).await)
    }

    async fn publish(&self, submission: &Submission) -> Result<NextArgs, ApiError> {
        args(self.ask(Ask::Publish(Box::new(submission.clone()))).await)
    }

    async fn pause(&self, pause: Duration) {
        self.ask(Ask::Pause(pause)).await;
    }
}

/// A client's key and what it remembers.
pub(super) type Writer = Session<FastApi>;

/// What a task does: a function, so that it can be begun again.
pub(super) type Work<T> = Rc<dyn Fn(Writer) -> Pin<Box<dyn Future<Output = (Writer, T)>>>>;

/// Something a client is about.
pub(super) struct Task<T> {
    work: Work<T>,
    begun: Writer,
    line: FastApi,
    answers: Vec<Reply>,
    future: Pin<Box<dyn Future<Output = (Writer, T)>>>,
}

/// How far a task came.
pub(super) enum Progress<T> {
    Asks(Ask),
    Done(Box<Writer>, T),
}

impl<T> Task<T> {
    pub(super) fn begin(work: Work<T>, writer: Writer) -> Self {
        let line = FastApi::default();
        Self {
            future: work(writer.clone().over(line.clone())),
            work,
            begun: writer,
            line,
            answers: Vec::new(),
        }
    }

    /// Goes on, with an answer if one was waited for.
    pub(super) fn go_on(&mut self, reply: Option<Reply>) -> Progress<T> {
        if let Some(reply) = reply {
            self.answers.push(reply.clone());
            self.line.0.borrow_mut().reply = Some(reply);
        }
        let context = &mut Context::from_waker(Waker::noop());
        match self.future.as_mut().poll(context) {
            Poll::Ready((writer, done)) => Progress::Done(Box::new(writer), done),
            Poll::Pending => {
                let ask = self.line.0.borrow_mut().ask.take();
                Progress::Asks(ask.expect("a task waits for nothing but an answer"))
            }
        }
    }
}

/// The same task at the same point, by what it was answered.
impl<T> Clone for Task<T> {
    fn clone(&self) -> Self {
        let mut task = Self::begin(Rc::clone(&self.work), self.begun.clone());
        let mut progress = task.go_on(None);
        for reply in &self.answers {
            assert!(
                matches!(progress, Progress::Asks(_)),
                "it was not over then"
            );
            progress = task.go_on(Some(reply.clone()));
        }
        assert!(matches!(progress, Progress::Asks(_)), "nor is it now");
        task
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}
