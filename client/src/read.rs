//! Documents reduced here from the entries of a node's JSON-RPC API.
//!
//! Trusts the node with nothing but completeness: every signature, payload and value is checked
//! again. Entries without payload (deleted data), operations whose ancestors are missing, and
//! everything from a fork on leave no trace, as in a node (R24).

use std::collections::BTreeMap;

use grove_core::document::{Document, GraphError};
use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SeqNum, Value};
use grove_core::validate::{
    PayloadError, SignedEntry, ValidationError, VerifyError, validate_operation,
};
use grove_core::wire::{Operation, OperationError};

use crate::api::ApiError;
use crate::rpc::{RawEntry, RpcClient};
use crate::transport::Transport;

impl<T: Transport> RpcClient<T> {
    /// The documents of a schema, deleted ones included where the node still tells, ascending by id.
    pub async fn documents(&self, schema: &Schema) -> Result<Vec<Document<Value>>, ReadError> {
        reduce_entries(&self.query_entries(schema.id()).await?, schema)
    }
}

/// Checks entries in any order and reduces the documents they make up, ascending by id.
pub fn reduce_entries(
    entries: &[RawEntry],
    schema: &Schema,
) -> Result<Vec<Document<Value>>, ReadError> {
    let signed = entries
        .iter()
        .map(|raw| SignedEntry::verify(&raw.entry).map(|signed| (signed, &raw.payload)))
        .collect::<Result<Vec<_>, _>>()?;
    let forks = find_forks(signed.iter().map(|(signed, _)| signed));

    let mut operations = BTreeMap::new();
    for (signed, payload) in signed {
        let log = (signed.entry().public_key, signed.entry().log_id);
        let counts = forks
            .get(&log)
            .is_none_or(|fork| signed.entry().seq_num < *fork);
        if let (true, Some(payload)) = (counts, payload) {
            let submission = signed.attach(payload.clone())?;
            let operation = validate_operation(submission.operation()?, schema)?;
            operations.insert(submission.entry().operation_id(), operation);
        }
    }
    documents_of(&operations)
        .into_values()
        .map(|document| Ok(Document::reduce(document)?))
        .collect()
}

/// The first position of each log that two different entries claim.
fn find_forks<'a>(
    entries: impl Iterator<Item = &'a SignedEntry>,
) -> BTreeMap<(PublicKey, LogId), SeqNum> {
    let mut seen: BTreeMap<_, Hash> = BTreeMap::new();
    let mut forks = BTreeMap::new();
    for signed in entries {
        let entry = signed.entry();
        let log = (entry.public_key, entry.log_id);
        let first = *seen.entry((log, entry.seq_num)).or_insert(signed.hash());
        if first != signed.hash() {
            let fork = forks.entry(log).or_insert(entry.seq_num);
            *fork = entry.seq_num.min(*fork);
        }
    }
    forks
}

type Operations<'a> = Vec<(OperationId, &'a Operation<Value>)>;

/// Sorts operations by the document they connect to. Each is reached from the last of those it was
/// made on top of, and left out when those are of several documents.
fn documents_of(
    operations: &BTreeMap<OperationId, Operation<Value>>,
) -> BTreeMap<DocumentId, Operations<'_>> {
    let mut children: BTreeMap<OperationId, Vec<OperationId>> = BTreeMap::new();
    let mut waiting_for: BTreeMap<OperationId, usize> = BTreeMap::new();
    let mut reached = Vec::new();
    for (id, operation) in operations {
        match operation.previous() {
            None => reached.push((*id, DocumentId::from(*id))),
            Some(previous) => {
                waiting_for.insert(*id, previous.ids().len());
                for parent in previous.ids() {
                    children.entry(*parent).or_default().push(*id);
                }
            }
        }
    }

    let mut document_of: BTreeMap<OperationId, DocumentId> = BTreeMap::new();
    let mut documents: BTreeMap<DocumentId, Operations<'_>> = BTreeMap::new();
    while let Some((id, document_id)) = reached.pop() {
        document_of.insert(id, document_id);
        let operation = &operations[&id];
        documents
            .entry(document_id)
            .or_default()
            .push((id, operation));
        for child in children.get(&id).into_iter().flatten() {
            let left = waiting_for.get_mut(child).expect("children wait");
            *left -= 1;
            let previous = operations[child].previous().expect("children have parents");
            let alike = |parent| document_of.get(parent) == Some(&document_id);
            if *left == 0 && previous.ids().iter().all(alike) {
                reached.push((*child, document_id));
            }
        }
    }
    documents
}

/// Why a node's entries could not be read. (Peer)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The node was not reached or said no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An entry is malformed or not signed by its author.
    #[error("the node gave out a bad entry: {0}")]
    Entry(#[from] VerifyError),
    /// A payload is not that of its entry.
    #[error("the node gave out a bad payload: {0}")]
    Payload(#[from] PayloadError),
    /// A payload is no operation.
    #[error("the node gave out a bad operation: {0}")]
    Operation(#[from] OperationError),
    /// An operation does not fit the schema.
    #[error("the node gave out an operation of another schema: {0}")]
    Schema(#[from] ValidationError),
    /// The operations make up no document.
    #[error("the node gave out a bad document: {0}")]
    Document(#[from] GraphError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use grove_core::author::{NextArgs, forge};
    use grove_core::types::{DocumentViewId, KeyPair, PlainValue, SchemaId, SystemSchema};
    use grove_core::validate::Submission;

    #[test]
    fn concurrent_updates_meet_in_one_document() {
        let [alice, bob] = [1, 2].map(|seed| KeyPair::from_seed(&[seed; 32]));
        let create = publish(&alice, 0, &create(b"a"));
        let id = create.entry().operation_id();
        let ours = publish_after(&alice, &create, &update(id, b"b"));
        let theirs = publish(&bob, 0, &update(id, b"c"));
        let entries = [&theirs, &create, &ours].map(raw);

        let documents = reduce_entries(&entries, &schema()).unwrap();

        let tips = [&ours, &theirs].map(|tip| tip.entry().operation_id());
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].id, id.into());
        assert_eq!(
            Some(&documents[0].view_id),
            DocumentViewId::from_tips(tips).as_ref()
        );
    }

    #[test]
    fn what_does_not_connect_is_left_out() {
        let alice = KeyPair::from_seed(&[1; 32]);
        let first = publish(&alice, 0, &create(b"a"));
        let second = publish_after(&alice, &first, &update(first.entry().operation_id(), b"b"));
        let mut deleted = raw(&first);
        deleted.payload = None;

        assert_eq!(
            reduce_entries(&[deleted, raw(&second)], &schema()).unwrap(),
            []
        );
    }

    #[test]
    fn nothing_counts_from_a_fork_on() {
        let alice = KeyPair::from_seed(&[1; 32]);
        let first = publish(&alice, 0, &create(b"a"));
        let id = first.entry().operation_id();
        let left = publish_after(&alice, &first, &update(id, b"b"));
        let right = publish_after(&alice, &first, &update(id, b"c"));

        let documents = reduce_entries(&[&first, &left, &right].map(raw), &schema()).unwrap();

        assert_eq!(documents[0].view_id, id.into());
    }

    #[test]
    fn a_changed_byte_is_found() {
        let alice = KeyPair::from_seed(&[1; 32]);
        let good = raw(&publish(&alice, 0, &create(b"a")));
        let mut entry = good.clone();
        *entry.entry.last_mut().unwrap() ^= 1;
        let mut payload = good.clone();
        payload.payload.as_mut().unwrap()[0] ^= 1;

        assert!(reduce_entries(&[good], &schema()).is_ok());
        assert!(matches!(
            reduce_entries(&[entry], &schema()),
            Err(ReadError::Entry(_))
        ));
        assert!(matches!(
            reduce_entries(&[payload], &schema()),
            Err(ReadError::Payload(_))
        ));
    }

    fn schema() -> Schema {
        Schema::system(SystemSchema::BlobPiece)
    }

    fn data(bytes: &[u8]) -> BTreeMap<String, PlainValue> {
        [("data".to_owned(), PlainValue::Bytes(bytes.to_vec()))].into()
    }

    fn create(bytes: &[u8]) -> Operation {
        Operation::Create {
            schema_id: SchemaId::BLOB_PIECE,
            fields: data(bytes),
        }
    }

    fn update(previous: OperationId, bytes: &[u8]) -> Operation {
        Operation::Update {
            schema_id: SchemaId::BLOB_PIECE,
            previous: previous.into(),
            fields: data(bytes),
        }
    }

    fn publish(key_pair: &KeyPair, log_id: u64, operation: &Operation) -> Submission {
        forge(key_pair, &NextArgs::first(LogId::new(log_id)), operation).unwrap()
    }

    fn publish_after(key_pair: &KeyPair, last: &Submission, operation: &Operation) -> Submission {
        let (log_id, seq_num) = (last.entry().entry().log_id, last.entry().entry().seq_num);
        let args = NextArgs::after(log_id, seq_num, last.entry().hash(), |_| None).unwrap();
        forge(key_pair, &args, operation).unwrap()
    }

    fn raw(submission: &Submission) -> RawEntry {
        RawEntry {
            entry: submission.entry().bytes().to_vec(),
            payload: Some(submission.payload().to_vec()),
        }
    }
}
