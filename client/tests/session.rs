//! Sessions against a node that loses requests, loses answers, changes its mind and forgets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use grove_client::session::Retry;
use grove_client::transport::TransportError;
use grove_client::{
    Api, ApiError, DocumentRef, GraphqlClient, Heads, HttpTransport, RpcClient, Session,
    SessionError, Transport,
};
use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{Hash, KeyPair, LogId, PublicKey, Schema, SeqNum, SystemSchema, Value};
use grove_core::validate::Submission;
use grove_core::wire::Fields;
use rstest::rstest;
use support::{Fault, Memory, Protocol, Reply};

#[rstest]
#[tokio::test]
async fn a_document_is_written_with_one_question(
    #[values(Protocol::JsonRpc, Protocol::GraphQl)] protocol: Protocol,
) {
    let (memory, mut session) = start(protocol, []).await;

    let mut document = session.create(&schema(), piece(b"0")).await.unwrap();
    for number in 1..20 {
        document = session
            .update(&schema(), &document, piece(&[number]))
            .await
            .unwrap();
    }
    session.delete(&schema(), &document).await.unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.asked, 1);
    assert_eq!(memory.stored().len(), 21);
}

#[rstest]
#[tokio::test]
async fn lost_messages_lead_to_the_same_bytes_again(
    #[values(Protocol::JsonRpc, Protocol::GraphQl)] protocol: Protocol,
    #[values(Fault::LoseRequest, Fault::LoseAnswer, Fault::Refuse(Reason::NodeBusy))] fault: Fault,
) {
    let (memory, mut session) = start(protocol, [fault, fault]).await;

    let document = session.create(&schema(), piece(b"0")).await.unwrap();
    session
        .update(&schema(), &document, piece(b"1"))
        .await
        .unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.sent.len(), 4);
    assert!(
        memory.sent[..3]
            .iter()
            .all(|hash| *hash == document.document_id.hash())
    );
    assert_eq!(memory.stored().len(), 2);
    assert_eq!(session.pending(), None);
}

#[tokio::test]
async fn a_busy_node_is_asked_again_but_not_for_ever() {
    let (memory, mut session) = start(Protocol::JsonRpc, []).await;

    memory.lock().unwrap().busy = 2;
    session.create(&schema(), piece(b"0")).await.unwrap();
    memory.lock().unwrap().busy = 3;
    let error = session.create(&schema(), piece(b"1")).await.unwrap_err();

    assert!(matches!(error, SessionError::Unanswered(_)), "{error}");
    assert_eq!(memory.lock().unwrap().stored().len(), 1);
}

#[tokio::test]
async fn a_node_that_refuses_known_entries_is_asked_what_it_has() {
    let (memory, mut session) = start(Protocol::GraphQl, [Fault::LoseAnswer]).await;
    memory.lock().unwrap().refuses_known = true;

    let document = session.create(&schema(), piece(b"0")).await.unwrap();
    session
        .update(&schema(), &document, piece(b"1"))
        .await
        .unwrap();

    assert_eq!(memory.lock().unwrap().stored().len(), 2);
}

#[tokio::test]
async fn what_was_stored_in_an_earlier_call_is_found_later() {
    let (memory, mut session) = start(Protocol::GraphQl, [Fault::LoseAnswer; 3]).await;
    memory.lock().unwrap().refuses_known = true;
    session.create(&schema(), piece(b"0")).await.unwrap_err();
    let open = session.pending();

    let settled = session.settle().await.unwrap();

    assert_eq!(settled, open);
    assert_eq!(session.pending(), None);
    assert_eq!(memory.lock().unwrap().stored().len(), 1);
}

#[tokio::test]
async fn an_open_fate_is_settled_before_anything_else_is_signed() {
    let (memory, mut session) = start(Protocol::JsonRpc, [Fault::LoseRequest; 3]).await;

    let error = session.create(&schema(), piece(b"0")).await.unwrap_err();
    assert!(matches!(
        error,
        SessionError::Unanswered(ApiError::Transport(_))
    ));
    let open = session.pending().unwrap();
    let next = session.create(&schema(), piece(b"1")).await.unwrap();

    let stored = memory.lock().unwrap().stored();
    assert_eq!(stored, [open.hash(), next.document_id.hash()].into());
    assert_eq!(session.pending(), None);
}

#[tokio::test]
async fn a_stale_prediction_falls_back_to_the_node() {
    let (memory, mut session) = start(Protocol::JsonRpc, []).await;
    let document = session.create(&schema(), piece(b"0")).await.unwrap();
    memory
        .lock()
        .unwrap()
        .faults
        .push_back(Fault::Refuse(Reason::SeqNumMismatch));

    session
        .update(&schema(), &document, piece(b"1"))
        .await
        .unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.asked, 2);
    assert_eq!(memory.stored().len(), 2);
}

#[rstest]
#[tokio::test]
async fn an_outrun_write_is_signed_anew_with_its_previous_kept(
    #[values(Protocol::JsonRpc, Protocol::GraphQl)] protocol: Protocol,
    #[values(Fault::Outrun, Fault::OutrunSilently)] fault: Fault,
) {
    let (memory, mut session) = start(protocol, [fault; 3]).await;

    let document = session.create(&schema(), piece(b"0")).await.unwrap();
    memory.lock().unwrap().faults.extend([fault; 10]);
    let updated = session
        .update(&schema(), &document, piece(b"1"))
        .await
        .unwrap();
    memory.lock().unwrap().faults.extend([fault; 10]);
    session.delete(&schema(), &updated).await.unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.sent.len(), 4 + 11 + 11);
    assert_eq!(memory.stored().len(), 3);
    let asked = if fault == Fault::Outrun { 1 } else { 24 };
    assert_eq!(memory.asked, asked, "fresh arguments spare a question");
    assert_eq!(session.pending(), None);
    // Each create was outrun in another log, and updates and deletes stay in that of the document.
    assert_eq!(session.heads().highest_log_id(), Some(LogId::new(3)));
}

#[tokio::test]
async fn a_race_that_is_never_won_is_told_in_the_end() {
    let (memory, mut session) = start(Protocol::JsonRpc, [Fault::Outrun; 500]).await;

    let error = session.create(&schema(), piece(b"0")).await.unwrap_err();

    assert!(
        matches!(&error, SessionError::Refused(refusal) if refusal.is_would_fork()),
        "{error}"
    );
    assert_eq!(memory.lock().unwrap().sent.len(), 12);
    assert_eq!(memory.lock().unwrap().stored().len(), 0);
}

#[tokio::test]
async fn a_forgetful_node_is_asked_again_and_then_written_to() {
    let (memory, mut session) = start(Protocol::JsonRpc, []).await;
    let document = session.create(&schema(), piece(b"0")).await.unwrap();
    let updated = session
        .update(&schema(), &document, piece(b"1"))
        .await
        .unwrap();
    let forget = || {
        let mut memory = memory.lock().unwrap();
        memory.forget_last(session.public_key(), LogId::new(0));
        memory.asked
    };
    let asked = forget();

    session
        .update(&schema(), &updated, piece(b"2"))
        .await
        .unwrap();

    assert_eq!(memory.lock().unwrap().asked, asked + 3);
    assert_eq!(memory.lock().unwrap().stored().len(), 2);
}

#[tokio::test]
async fn a_node_that_forgot_a_log_gets_another_one() {
    let (memory, session) = start(Protocol::JsonRpc, []).await;
    let mut heads = Heads::default();
    heads.note(LogId::new(4), SeqNum::FIRST, Hash::of(b"before"));
    let mut session = session.with_heads(heads);

    session.create(&schema(), piece(b"0")).await.unwrap();

    assert_eq!(session.heads().highest_log_id(), Some(LogId::new(5)));
    let args = session.api().next_args(&session.public_key(), None).await;
    assert_eq!(args.unwrap().log_id, LogId::new(6));
    assert_eq!(memory.lock().unwrap().stored().len(), 1);
}

#[tokio::test]
async fn a_lasting_mismatch_is_told() {
    let faults = [Fault::Refuse(Reason::SeqNumMismatch); 9];
    let (memory, mut session) = start(Protocol::JsonRpc, faults).await;

    let error = session.create(&schema(), piece(b"0")).await.unwrap_err();

    let reason = match &error {
        SessionError::Refused(refusal) => refusal.reason(),
        _ => None,
    };
    assert_eq!(reason, Some(Reason::SeqNumMismatch), "{error}");
    assert_eq!(memory.lock().unwrap().sent.len(), 3);
    assert_eq!(session.pending(), None);
}

#[tokio::test]
async fn what_the_schema_forbids_is_never_sent() {
    let (memory, mut session) = start(Protocol::JsonRpc, []).await;

    let error = session.create(&schema(), Fields::new()).await.unwrap_err();

    assert!(matches!(error, SessionError::Invalid(_)));
    assert_eq!(memory.lock().unwrap().asked, 0);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let address = support::serve(|_, _| Reply::Silence).await;
    let deadline = Duration::from_millis(50);
    let transport = HttpTransport::connect(&address)
        .unwrap()
        .with_bounds(deadline, 1024);

    let error = transport.post("/", Bytes::new()).await.unwrap_err();

    assert!(matches!(error, TransportError::Timeout(told) if told == deadline));
}

#[tokio::test]
async fn an_answer_is_read_to_its_bound_and_no_further() {
    let address = support::serve(|_, _| Reply::Answer(200, "0123456789".into())).await;
    let post = async |size_max| {
        let transport = HttpTransport::connect(&address)
            .unwrap()
            .with_bounds(Duration::from_secs(10), size_max);
        transport.post("/", Bytes::new()).await
    };

    assert_eq!(post(12).await.unwrap().body.len(), 12);
    assert!(matches!(post(11).await, Err(TransportError::TooLarge(11))));
}

/// One of the two clients, so that a test can run over both.
enum Client {
    JsonRpc(RpcClient<Http>),
    GraphQl(GraphqlClient<Http>),
}

type Http =
    HttpTransport<hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>>;

impl Api for Client {
    async fn next_args(
        &self,
        author: &PublicKey,
        document: Option<&DocumentRef>,
    ) -> Result<NextArgs, ApiError> {
        match self {
            Self::JsonRpc(client) => client.next_args(author, document).await,
            Self::GraphQl(client) => client.next_args(author, document).await,
        }
    }

    async fn publish(&self, submission: &Submission) -> Result<NextArgs, ApiError> {
        match self {
            Self::JsonRpc(client) => client.publish(submission).await,
            Self::GraphQl(client) => client.publish(submission).await,
        }
    }
}

/// A node with these faults, and a session that calls three times at most.
async fn start(
    protocol: Protocol,
    faults: impl IntoIterator<Item = Fault>,
) -> (Arc<Mutex<Memory>>, Session<Client>) {
    let memory = Arc::new(Mutex::new(Memory::default()));
    memory.lock().unwrap().faults.extend(faults);
    let served = Arc::clone(&memory);
    let address = support::serve(move |path, body| {
        support::answer(&served, path, &body).expect("next args or publish")
    })
    .await;
    let transport = HttpTransport::connect(&address).unwrap();
    let client = match protocol {
        Protocol::JsonRpc => Client::JsonRpc(RpcClient::new(transport)),
        Protocol::GraphQl => Client::GraphQl(GraphqlClient::new(transport)),
    };
    let session = Session::new(key_pair(), client).with_retry(Retry {
        attempts_max: 3,
        pause: Duration::from_millis(1),
        races_max: 12,
    });
    (memory, session)
}

fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn schema() -> Schema {
    Schema::system(SystemSchema::BlobPiece)
}

fn piece(data: &[u8]) -> Fields<Value> {
    [("data".to_owned(), Value::Bytes(data.to_vec()))].into()
}
