//! The clients in the world: their steps, the questions they ask and the answers of nodes.
//!
//! Decides when a step begins and how questions travel. What a step does is in `steps`; signing, retrying and
//! remembering logs is the client library's work.

use std::rc::Rc;

use grove_client::api::NodeRefusal;
use grove_core::author::NextArgs;
use grove_core::types::{OperationId, Schema};
use grove_core::validate::Submission;
use grove_core::{Phase, Reason, Refusal};
use grove_node::api;
use grove_node::engine::{Input, Rejection, RequestId};
use grove_node::store::Read;

use super::dice::Purpose;
use super::event::{Call, Event};
use super::line::{Ask, CALL_LIMIT, Progress, Reply, Task, Work, Writer};
use super::probes::Probe;
use super::steps::{Ended, Outcome, work};
use super::tape::Kind;
use super::time::MS;
use super::world::World;
use crate::faults::cuts::CutKind;
use crate::hosts::node_name;
use crate::invariants::pins::Pin;
use crate::ledger::Signed;
use crate::observe::shown;
use crate::plan::{Plan, StepAction};
use crate::trace;

/// How long the disk of a node takes until something is durable, at most.
const SYNC_MAX: u64 = 4_000;
/// So long after the workload nobody waits for documents any more.
const NEVER_AFTER: u64 = 20_000_000;
/// In these phases a node finds that something is not there, or other than it was.
const PHASES_OF_ABSENCE: [Phase; 5] = [
    Phase::Links,
    Phase::Log,
    Phase::Schema,
    Phase::Graph,
    Phase::Store,
];

impl World {
    /// A client begins its next step, if it is its time and it has nothing else to do.
    pub(super) fn next_step(&mut self, client: usize) {
        let plan = Rc::clone(&self.plan);
        let this = &self.clients[client];
        let Some(&nth) = this.steps.get(this.next).filter(|_| !this.is_busy()) else {
            return;
        };
        let step = &plan.steps[nth];
        if self.healed && !self.nodes[this.node].is_honest() {
            // Its node is off for good.
            self.clients[client].give_up();
            return;
        }
        if self.now < step.at_ms * MS {
            self.queue.plan(step.at_ms * MS, Event::Step { client });
            return;
        }
        self.make_and_take_copies(client, &plan, step.at_ms);
        let works: Vec<Work<Outcome>> = match &step.action {
            StepAction::Together { document, changes } => {
                self.hit(Probe::Together);
                let document = *document;
                let changes = changes.iter().map(|change| StepAction::Update {
                    document,
                    change: change.clone(),
                });
                changes.map(work).collect()
            }
            action => vec![work(action.clone())],
        };
        let this = &mut self.clients[client];
        this.ended.clear();
        this.outrun = 0;
        let writer = this.writer.clone();
        this.tasks = works
            .into_iter()
            .map(|work| Some(Task::begin(work, writer.clone())))
            .collect();
        for task in 0..self.clients[client].tasks.len() {
            self.go_on(client, task, None);
        }
    }

    /// Leaves copies of a client behind, and has it go on from copies.
    fn make_and_take_copies(&mut self, client: usize, plan: &Plan, now_ms: u64) {
        for (nth, copy) in plan.copies.iter().enumerate() {
            if copy.of == client && copy.from_ms <= now_ms {
                let writer = self.clients[client].writer.clone();
                self.clients[client].made.entry(nth).or_insert(writer);
            }
            let is_due = copy.client == client && copy.at_ms <= now_ms;
            if is_due && !self.clients[client].taken.contains(&nth) {
                let of = &self.clients[copy.of];
                let made = of.made.get(&nth).unwrap_or(&of.writer).clone();
                let this = &mut self.clients[client];
                this.taken.push(nth);
                this.writer = made;
                if !self.healed || self.nodes[copy.node].is_honest() {
                    this.node = copy.node;
                }
                self.counts.copies += 1;
                self.hit(Probe::CopyTaken);
            }
        }
    }

    /// A task goes on, and asks for something or is over.
    fn go_on(&mut self, client: usize, number: usize, mut reply: Option<Reply>) {
        loop {
            let tasks = &mut self.clients[client].tasks;
            let Some(Some(task)) = tasks.get_mut(number) else {
                return;
            };
            let ask = match task.go_on(reply.take()) {
                Progress::Asks(ask) => ask,
                Progress::Done(writer, outcome) => {
                    self.clients[client].tasks[number] = None;
                    self.task_ends(client, *writer, outcome);
                    return;
                }
            };
            reply = Some(match ask {
                Ask::Schema => Reply::Schema(self.schema.clone(), self.is_late()),
                Ask::Document(document) => {
                    let id = self.documents.get(&document).copied();
                    let is_gone = self.gone.contains(&document) || self.is_late();
                    Reply::Document(id, is_gone)
                }
                ask => {
                    self.call(client, number, ask);
                    return;
                }
            });
        }
    }

    /// What has not come a while after everything is whole never comes: it was deleted or lost.
    fn is_late(&self) -> bool {
        self.now > self.plan.workload_ms * MS + NEVER_AFTER
    }

    /// A question goes out.
    fn call(&mut self, client: usize, task: usize, ask: Ask) {
        let this = &mut self.clients[client];
        this.calls += 1;
        let (number, node) = (this.calls, this.node);
        let call = Call {
            client,
            task,
            number,
        };
        let publishes = match &ask {
            Ask::Publish(submission) => Some(submission.entry().operation_id()),
            _ => None,
        };
        this.waiting.insert(task, (number, publishes));
        if let Ask::Pause(pause) = ask {
            let reply = Rc::new(Reply::Paused);
            let pause = pause.as_micros() as u64;
            self.queue
                .plan(self.now + pause, Event::Reply { call, reply });
            return;
        }
        if let Ask::Publish(submission) = &ask {
            self.note_signed(submission, Some(client));
        }
        let silence = Rc::new(Reply::Silence);
        let limit = self.now + CALL_LIMIT.as_micros() as u64;
        let given_up = Event::Reply {
            call,
            reply: silence,
        };
        self.queue.plan(limit, given_up);
        let ask = Rc::new(ask);
        let host = self.nodes.len() + client;
        if let Some(at) = self.travel(host, node, number) {
            self.queue.plan(at, Event::Ask { call, node, ask });
        }
    }

    /// When what one host sends another arrives, if it does.
    fn travel(&mut self, from: usize, to: usize, nth: u64) -> Option<u64> {
        let latency = self.latency(from, to, nth);
        match self.cut(from, to) {
            None => Some(self.now + latency),
            Some((CutKind::Stall, until)) => Some(until + latency),
            Some((CutKind::Loss, _)) => None,
        }
    }

    /// Notes what somebody signed.
    pub(super) fn note_signed(&mut self, submission: &Submission, client: Option<usize>) {
        let signed = submission.entry();
        let entry = signed.entry();
        let position = (entry.public_key, entry.log_id, entry.seq_num);
        let operation = submission.operation().ok().cloned().map(Rc::new);
        if let Some(operation) = &operation {
            match operation.previous().map_or(0, |view| view.ids().len()) {
                0 | 1 => {}
                2 => self.hit(Probe::Merge),
                _ => self.hit(Probe::MergeOfThree),
            }
        }
        self.known.entry(signed.operation_id()).or_insert_with(|| {
            Rc::new(Signed {
                client,
                position,
                entry: signed.bytes().to_vec(),
                payload: submission.payload().to_vec(),
                operation,
            })
        });
    }

    /// A client was told that an entry is published.
    fn acknowledge(&mut self, client: usize, node: usize, id: OperationId) {
        if self.nodes[node].is_honest() {
            self.acknowledged.entry(id).or_insert((client, node));
        }
    }

    /// A question arrives at a node.
    pub(super) fn asked(&mut self, call: Call, node: usize, ask: &Ask) {
        let boot = self.nodes[node].boot;
        let Some(driver) = &self.nodes[node].driver else {
            self.hit(Probe::NodeOff);
            let host = self.nodes.len() + call.client;
            let at = self.now + self.latency(node, host, call.number);
            let reply = Rc::new(Reply::Silence);
            self.queue.plan(at, Event::Reply { call, reply });
            return;
        };
        let store: &dyn Read = driver.store();
        let reply = match ask {
            Ask::NextArgs { author, view_id } => {
                answer(api::next_args(store, *author, view_id.as_ref()))
            }
            Ask::Serves => {
                let id = self.schema.as_ref().map(Schema::id);
                let known = id.is_some_and(|id| matches!(store.schema(id), Ok(Some(_))));
                Reply::Serves(known)
            }
            Ask::Find(document) => {
                let id = self.schema.as_ref().map(|schema| schema.id().clone());
                let found = id.map(|id| api::document_by_id(store, &id, *document));
                let found = found.and_then(Result::ok).flatten();
                Reply::Found(found.map(|row| row.view_id))
            }
            Ask::Pin(document) => {
                let id = self.schema.as_ref().map(|schema| schema.id().clone());
                let row = store.document(*document).ok().flatten();
                let pin = id.zip(row).and_then(|(schema, row)| {
                    let (document, view_id) = (row.id, row.view_id.clone());
                    Some(Pin {
                        node,
                        schema,
                        document,
                        view_id,
                        shown: shown(&row)?,
                    })
                });
                let view_id = pin.as_ref().map(|pin| pin.view_id.clone());
                if pin.is_some() && self.nodes[node].is_honest() {
                    self.pins.extend(pin);
                    self.hit(Probe::Pinned);
                }
                Reply::Found(view_id)
            }
            Ask::Publish(submission) => {
                self.publish(call, node, submission);
                return;
            }
            Ask::Schema | Ask::Document(_) | Ask::Pause(_) => {
                unreachable!("no node is asked for it")
            }
        };
        let reply = Rc::new(reply);
        self.depart(call, node, boot, reply);
    }

    fn publish(&mut self, call: Call, node: usize, submission: &Submission) {
        let id = submission.entry().operation_id();
        if self.nodes[node].ledger.held.contains_key(&id) {
            self.hit(Probe::PublishedAgain);
        }
        let (entry, payload) = (submission.entry().bytes(), submission.payload().to_vec());
        let signed = self.verify(entry);
        let verified = signed.map(|signed| signed.attach(payload).map(Box::new));
        let request = self.next_request;
        self.next_request += 1;
        self.requests.insert(request, call);
        match verified {
            Ok(Ok(submission)) => {
                let request = RequestId(request);
                let input = Input::Publish {
                    request,
                    submission,
                };
                self.turn(node, vec![input]);
            }
            refused => {
                let difference = format!("node-{node} does not take {id}: {refused:?}");
                self.violate("clients_are_served", difference);
            }
        }
    }

    /// A node has an answer to a publication.
    pub(super) fn published(
        &mut self,
        node: usize,
        request: RequestId,
        result: Result<NextArgs, Rejection>,
    ) {
        let Some(call) = self.requests.remove(&request.0) else {
            return;
        };
        let waiting = self.clients[call.client].waiting.get(&call.task);
        let id = waiting
            .filter(|(number, _)| *number == call.number)
            .and_then(|(_, id)| *id);
        if let (Ok(_), Some(id)) = (&result, id)
            && self.nodes[node].is_honest()
        {
            self.nodes[node].ledger.acknowledged.insert(id);
            let driver = self.nodes[node].driver.as_ref();
            let store = driver.expect("it has just answered").store();
            let held = crate::invariants::readers::own_write(node, store, id);
            self.hold(held);
        }
        let reply = Rc::new(answer(result.map_err(api::ApiError::from)));
        let boot = self.nodes[node].boot;
        let sync = self
            .dice
            .below(SYNC_MAX, Purpose::Sync, node as u64, request.0);
        self.queue.plan(
            self.now + sync,
            Event::Depart {
                call,
                node,
                boot,
                reply,
            },
        );
    }

    /// An answer leaves its node, unless that lost power meanwhile.
    pub(super) fn depart(&mut self, call: Call, node: usize, boot: u32, reply: Rc<Reply>) {
        if self.nodes[node].boot != boot {
            self.hit(Probe::AnswerLost);
            return;
        }
        let host = self.nodes.len() + call.client;
        match self.travel(node, host, call.number) {
            Some(at) => self.queue.plan(at, Event::Reply { call, reply }),
            None => self.hit(Probe::AnswerLost),
        }
    }

    /// An answer arrives at its client, or the client waits no more.
    pub(super) fn replied(&mut self, call: Call, reply: &Reply) {
        let this = &mut self.clients[call.client];
        let waits = this.waiting.get(&call.task).copied();
        let Some((_, publishes)) = waits.filter(|(number, _)| *number == call.number) else {
            if !matches!(reply, Reply::Silence) {
                self.hit(Probe::AnsweredLate);
            }
            return;
        };
        this.waiting.remove(&call.task);
        let (client, node) = (call.client, this.node);
        match (reply, publishes) {
            (Reply::Args(_), Some(id)) => self.acknowledge(client, node, id),
            (Reply::Refused(refusal), Some(_)) if refusal.is_would_fork() => {
                self.counts.outrun += 1;
                self.hit(Probe::WouldFork);
                self.clients[client].outrun += 1;
                if self.clients[client].outrun > 1 {
                    self.hit(Probe::OutrunTwice);
                }
            }
            _ => {}
        }
        let bytes = [u8::from(matches!(reply, Reply::Silence)), call.task as u8];
        self.note_client(client, Kind::Answered, &bytes, || trace::Event::Answered {
            node: node_name(node),
            answer: format!("{reply:?}").chars().take(120).collect(),
        });
        self.go_on(client, call.task, Some(reply.clone()));
    }

    /// Part of a step is over, or all of it.
    fn task_ends(&mut self, client: usize, writer: Writer, outcome: Outcome) {
        self.counts.retried += outcome.retried;
        if outcome.retried > 0 {
            self.hit(Probe::Retried);
        }
        let this = &mut self.clients[client];
        let nth = this.steps[this.next];
        // The writers of a step that is several know nothing of each other, nor does the client of them.
        if this.tasks.len() == 1 {
            this.writer = writer;
        }
        this.ended.push(outcome);
        if this.is_busy() {
            return;
        }
        let ended = std::mem::take(&mut this.ended);
        this.next += 1;
        let action = self.plan.steps[nth].action.clone();
        for outcome in ended {
            self.step_ends(client, nth, &action, outcome);
        }
        self.queue.plan(self.now, Event::Step { client });
    }

    fn step_ends(&mut self, client: usize, step: usize, action: &StepAction, outcome: Outcome) {
        if let Some(schema) = outcome.schema {
            self.schema = Some(schema);
        }
        if let (Some(number), Some(id)) = (action.document(), outcome.document) {
            self.documents.insert(number, id);
        }
        let mut operation = None;
        let told = match outcome.ended {
            Ended::Published(id) => {
                if let StepAction::Delete { document } = action {
                    self.gone.insert(*document);
                }
                operation = Some(id);
                "published".to_owned()
            }
            Ended::Refused(reason) => {
                self.counts.refused += 1;
                self.hit(Probe::RefusedDeleted);
                format!("refused: {}", reason.code())
            }
            Ended::Skipped => {
                self.counts.skipped += 1;
                self.hit(Probe::SkippedStep);
                "skipped".to_owned()
            }
            Ended::Pinned => "pinned".to_owned(),
            Ended::Failed(Some(reason), _) if self.is_excused(reason) => {
                self.counts.refused += 1;
                format!("refused: {}", reason.code())
            }
            Ended::Failed(_, error) => {
                let difference = format!("client-{client}, step {step}: {error}");
                self.violate("clients_are_served", difference);
                format!("failed: {error}")
            }
        };
        let document = action.document();
        let document = document.and_then(|document| self.documents.get(&document).copied());
        let mut bytes = told.clone().into_bytes();
        bytes.extend_from_slice(&(step as u64).to_le_bytes());
        bytes.extend(operation.iter().flat_map(|id| id.hash().to_bytes()));
        self.note_client(client, Kind::Stepped, &bytes, || trace::Event::Step {
            step,
            outcome: told,
            operation: operation.map(|id| id.to_string()),
            document: document.map(|id| id.to_string()),
        });
    }
}

impl World {
    /// Whether a node may refuse an honest client for this reason, for what befell the node.
    fn is_excused(&self, reason: Reason) -> bool {
        let befell = |classes: &[&str]| {
            let mut faults = self.plan.faults.iter();
            faults.any(|mishap| classes.contains(&mishap.class()))
        };
        match reason {
            Reason::StoreFailed => befell(&["disk full"]),
            // A node that goes on from another disk may lack what its clients saw.
            _ => befell(&["backup", "clone disk"]) && PHASES_OF_ABSENCE.contains(&reason.phase()),
        }
    }
}

fn answer(result: Result<NextArgs, api::ApiError>) -> Reply {
    match result {
        Ok(args) => Reply::Args(args),
        Err(error) => Reply::Refused(NodeRefusal {
            code: Some(error.reason().code().to_owned()),
            number: None,
            message: error.to_string(),
            next_args: error
                .would_fork()
                .and_then(|(_, next)| next)
                .map(|next| Box::new(*next)),
        }),
    }
}
