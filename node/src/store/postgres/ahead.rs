//! Reads at once what many entries are going to ask.
//!
//! Takes one statement for each kind of question, and one for the views of each schema among the documents.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SeqNum};

use super::codec::{digest, get};
use super::database::Database;
use crate::store::codec::{from_log_id, from_seq_num};
use crate::store::outside::Extent;
use crate::store::sql::ahead::{Answers, PLACES_MAX, Places, Trees};
use crate::store::sql::rows::{is_doubted, operation, placed, select_operations, tree};
use crate::store::sql::{Param, Sql, hash};
use crate::store::{Expected, StoreError, TreeRow};

/// The trees that end in these entries.
const TREES: &str = "
    SELECT l.author, l.log_id, document, schema, tip, tip_hash, ended, branched, purged FROM logs l
    JOIN unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS asked (author, log_id, tip_hash)
    USING (author, log_id, tip_hash)";

/// Of the trees in which authors write documents those to continue.
const TREES_OF_DOCUMENTS: &str = concat!(
    "SELECT DISTINCT ON (author, document)
        author, log_id, document, schema, tip, tip_hash, ended, branched, purged
    FROM logs JOIN unnest($1::bigint[], $2::bytea[]) AS asked (author, document)
    USING (author, document)
    WHERE NOT ",
    is_doubted!("$3"),
    " ORDER BY author, document, purged, ended, tip DESC, tip_hash"
);

/// The first few entries at these positions.
const PLACES: &str = "
    SELECT found.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (author, log_id, seq_num)
    CROSS JOIN LATERAL (
        SELECT l.author, l.log_id, e.seq_num, e.hash, e.entry, l.document, l.schema, l.purged
        FROM logs l JOIN entries e ON e.log = l.id
        WHERE l.author = asked.author AND l.log_id = asked.log_id AND e.seq_num = asked.seq_num
        ORDER BY e.hash LIMIT $4
    ) found";

/// What some entries are going to ask.
#[derive(Default)]
struct Questions {
    tips: BTreeSet<(PublicKey, LogId, Hash)>,
    places: BTreeSet<(PublicKey, LogId, SeqNum)>,
    operations: BTreeSet<OperationId>,
    /// The documents that CREATEs among them begin.
    begun: BTreeSet<(PublicKey, DocumentId)>,
}

impl Questions {
    fn of(entries: &[Expected]) -> Self {
        let mut questions = Self::default();
        for entry in entries {
            let log = (entry.public_key, entry.log_id);
            match entry.backlink {
                Some(backlink) => {
                    questions.tips.insert((log.0, log.1, backlink));
                }
                None => {
                    questions.places.insert((log.0, log.1, SeqNum::FIRST));
                }
            }
            // Its own skiplink is checked, and that of the next one told.
            let next = entry.seq_num.next();
            let targets = [Some(entry.seq_num), next].into_iter().flatten();
            let targets = targets.filter_map(SeqNum::skiplink);
            questions
                .places
                .extend(targets.map(|target| (log.0, log.1, target)));
            questions.operations.extend(&entry.previous);
            if entry.previous.is_empty() {
                let document = entry.hash.into();
                questions.begun.insert((entry.public_key, document));
            }
        }
        // What the batch itself brings is learnt when it is stored.
        let brought: BTreeSet<_> = entries.iter().map(|entry| entry.hash).collect();
        questions.tips.retain(|(_, _, tip)| !brought.contains(tip));
        questions
            .operations
            .retain(|id| !brought.contains(&id.hash()));
        questions
    }
}

impl Database {
    /// Reads what these entries are going to ask.
    pub fn read_ahead(&self, entries: &[Expected]) -> Result<(), StoreError> {
        let questions = Questions::of(entries);
        let keys: BTreeSet<_> = entries.iter().map(|entry| entry.public_key).collect();
        let authors = self.authors(&keys)?;
        let mut answers = Answers {
            trees: self.trees(&questions, &authors)?,
            places: self.places(&questions, &authors)?,
            ..Answers::default()
        };
        let operations: Vec<_> = questions.operations.iter().map(|id| id.hash()).collect();
        if !operations.is_empty() {
            let unknown = questions.operations.iter().map(|id| (*id, None));
            answers.operations = unknown.collect();
            let found = self.ask_all(
                select_operations!("WHERE e.hash IN rarray(?1)"),
                &[Param::Hashes(&operations)],
                |row| Ok((hash(row, 4)?.into(), Some(operation(self, row)?))),
            )?;
            answers.operations.extend(found);
        }

        let mut documents: BTreeSet<DocumentId> =
            questions.begun.iter().map(|(_, id)| *id).collect();
        let changed = answers.operations.values().flatten();
        documents.extend(changed.map(|row| row.document));
        let documents: Vec<_> = documents.into_iter().collect();
        let mut found = self.documents(&documents, Extent::Outline)?;
        for id in documents {
            answers.documents.insert(id, found.remove(&id));
        }
        let mut written = questions.begun;
        for entry in entries.iter().filter(|entry| entry.backlink.is_none()) {
            let operations = entry.previous.iter();
            let rows = operations.filter_map(|id| answers.operations.get(id)?.as_ref());
            written.extend(rows.map(|row| (entry.public_key, row.document)));
        }
        answers.trees_of_documents = self.trees_of_documents(&written, &authors)?;
        if let Some(ahead) = self.ahead() {
            ahead.add(answers);
        }
        Ok(())
    }

    /// The numbers of these authors, as far as the database has any.
    fn authors(&self, keys: &BTreeSet<PublicKey>) -> Result<BTreeMap<PublicKey, i64>, StoreError> {
        let mut authors = BTreeMap::new();
        let mut unknown = Vec::new();
        for key in keys {
            match self.names().remembered(*key) {
                Some(row) => {
                    authors.insert(*key, row);
                }
                None => unknown.push(key.as_bytes().to_vec()),
            }
        }
        if !unknown.is_empty() {
            let sql = "SELECT id, public_key FROM authors WHERE public_key = ANY($1)";
            for (row, key) in self.all(sql, &[&unknown], |row| {
                let key = PublicKey::from_bytes(&digest(row, 1)?);
                Ok((
                    get(row, 0)?,
                    key.map_err(|_| StoreError::Corrupt("author"))?,
                ))
            })? {
                self.names().remember(row, key);
                authors.insert(key, row);
            }
        }
        Ok(authors)
    }

    fn trees(
        &self,
        questions: &Questions,
        authors: &BTreeMap<PublicKey, i64>,
    ) -> Result<Trees, StoreError> {
        let mut found: BTreeMap<_, _> = questions.tips.iter().map(|tip| (*tip, None)).collect();
        let (mut of, mut log_ids, mut tips) = (Vec::new(), Vec::new(), Vec::new());
        for (key, log_id, tip) in &questions.tips {
            if let Some(author) = authors.get(key) {
                of.push(*author);
                log_ids.push(from_log_id(*log_id));
                tips.push(tip.digest().to_vec());
            }
        }
        if !of.is_empty() {
            for tree in self.all(TREES, &[&of, &log_ids, &tips], |row| tree(self, row))? {
                let tip = (tree.public_key, tree.log_id, tree.tip.hash);
                found.insert(tip, Some(tree));
            }
        }
        Ok(found)
    }

    fn places(
        &self,
        questions: &Questions,
        authors: &BTreeMap<PublicKey, i64>,
    ) -> Result<Places, StoreError> {
        let places = questions.places.iter();
        let mut found: BTreeMap<_, Vec<_>> = places.map(|place| (*place, Vec::new())).collect();
        let (mut of, mut log_ids, mut seq_nums) = (Vec::new(), Vec::new(), Vec::new());
        for (key, log_id, seq_num) in &questions.places {
            if let Some(author) = authors.get(key) {
                of.push(*author);
                log_ids.push(from_log_id(*log_id));
                seq_nums.push(from_seq_num(*seq_num));
            }
        }
        if !of.is_empty() {
            let limit = i64::from(PLACES_MAX);
            for entry in self.all(PLACES, &[&of, &log_ids, &seq_nums, &limit], |row| {
                placed(self, row)
            })? {
                let place = (entry.public_key, entry.log_id, entry.seq_num);
                found.entry(place).or_default().push(entry);
            }
        }
        for entries in found.values_mut() {
            entries.sort_by_key(|entry| entry.hash);
        }
        Ok(found)
    }

    fn trees_of_documents(
        &self,
        written: &BTreeSet<(PublicKey, DocumentId)>,
        authors: &BTreeMap<PublicKey, i64>,
    ) -> Result<BTreeMap<(PublicKey, DocumentId), Option<TreeRow>>, StoreError> {
        let mut found: BTreeMap<_, _> = written.iter().map(|of| (*of, None)).collect();
        let (mut of, mut documents) = (Vec::new(), Vec::new());
        for (key, document) in written {
            if let Some(author) = authors.get(key) {
                of.push(*author);
                documents.push(document.hash().digest().to_vec());
            }
        }
        if !of.is_empty() {
            let first = from_seq_num(SeqNum::FIRST);
            for tree in self.all(TREES_OF_DOCUMENTS, &[&of, &documents, &first], |row| {
                tree(self, row)
            })? {
                found.insert((tree.public_key, tree.document), Some(tree));
            }
        }
        Ok(found)
    }
}
