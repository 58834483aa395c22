//! The arguments of an author's next entry.
//!
//! Always true:
//! - Whoever signs on these arguments lengthens a branch or begins an unused log, and never forks.

use super::place::ancestor;
use super::{Known, KnownBranch, PublishError, one_document};
use crate::author::NextArgs;
use crate::mutant::{altered, fault};
use crate::types::{DocumentId, DocumentViewId, Hash, LogId, PublicKey};
use crate::validate::{LogError, Submission};

/// A refusal beside failures to answer, so that it can be looked at.
type Refused<T> = Result<T, PublishError>;

/// The arguments of `author`'s next entry: for the document that a view belongs to, or for a new one.
///
/// Any known view of a document names it, current or not. An unknown view is an error, since
/// published tools find out by it whether they have yet to publish.
pub fn next_args<K: Known>(
    known: &K,
    author: PublicKey,
    view_id: Option<&DocumentViewId>,
) -> Result<NextArgs, K::Error> {
    Ok(next_or_refusal(known, author, view_id)??)
}

/// The arguments of the entry after the last one of a branch.
pub fn next_args_after<K: Known>(
    known: &K,
    author: PublicKey,
    branch: &KnownBranch,
) -> Result<NextArgs, K::Error> {
    Ok(after(known, author, branch)??)
}

/// The refusal of an entry whose place another one has, with what is needed to sign anew.
pub(super) fn would_fork<K: Known>(
    known: &K,
    submission: &Submission,
    existing: Hash,
) -> Result<PublishError, K::Error> {
    let author = submission.entry().entry().public_key;
    let next = match submission.operation() {
        Ok(operation) => next_or_refusal(known, author, operation.previous())?.ok(),
        Err(_) => None,
    };
    //= FK7: who would begin a branch is told what is there and how to go on
    Ok(PublishError::WouldFork {
        existing,
        next: altered!(FreshArgs, next.map(Box::new), None),
    })
}

fn next_or_refusal<K: Known>(
    known: &K,
    author: PublicKey,
    view_id: Option<&DocumentViewId>,
) -> Result<Refused<NextArgs>, K::Error> {
    let Some(view_id) = view_id else {
        return new_log(known, author);
    };
    let document = match document_of_view(known, view_id)? {
        Ok(document) => document,
        Err(error) => return Ok(Err(error)),
    };
    if fault!(NextArgsDeleted, known.is_deleted(document)?) {
        return Ok(Err(PublishError::DocumentDeleted(document)));
    }
    let Some(branch) = known.log_of_document(author, document)? else {
        return new_log(known, author);
    };
    //= R8: where no branch is open, nothing follows
    if fault!(NextArgsEnded, branch.tip.ended) {
        return Ok(Err(LogError::Ended.into()));
    }
    //= PB10: the place after the last entry of the branch to continue
    after(known, author, &branch)
}

fn after<K: Known>(
    known: &K,
    author: PublicKey,
    branch: &KnownBranch,
) -> Result<Refused<NextArgs>, K::Error> {
    let Some(seq_num) = branch.tip.seq_num.next() else {
        return Ok(Err(LogError::Full.into()));
    };
    let skiplink = match seq_num.skiplink() {
        Some(target) => ancestor(known, author, branch, target)?,
        None => None,
    };
    if seq_num.skiplink().is_some() && skiplink.is_none() {
        return Ok(Err(LogError::SkiplinkNotFound.into()));
    }
    let tip = &branch.tip;
    let args = NextArgs::after(branch.log_id, tip.seq_num, tip.hash, |_| skiplink);
    Ok(args.ok_or(LogError::Full.into()))
}

/// The document a view belongs to.
fn document_of_view<K: Known>(
    known: &K,
    view_id: &DocumentViewId,
) -> Result<Refused<DocumentId>, K::Error> {
    let mut document = None;
    for id in view_id.ids() {
        //= PB11: next arguments need a view of known operations
        let Some(found) = known.operation(*id)? else {
            return Ok(Err(PublishError::PreviousNotFound(*id)));
        };
        match one_document(document, found.document) {
            Ok(found) => document = Some(found),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(document.expect("a view id is not empty")))
}

/// The first entry of the log after the highest one this author has used.
///
/// Once the highest possible log is used, a lower unused one is proposed instead, so that one
/// outlier does not silence a key for ever.
fn new_log<K: Known>(known: &K, author: PublicKey) -> Result<Refused<NextArgs>, K::Error> {
    //= PB9: a new document gets a new log
    //= BA4: log ids of one author grow by one
    //= R22: proposed is the log after the highest; any other unused one is taken, too
    let log_id = match known.highest_log_id(author)? {
        None => Some(LogId::default()),
        Some(highest) => match highest.next() {
            Some(next) => Some(altered!(LogIdsGrow, next, highest)),
            None => known.unused_log_id(author)?,
        },
    };
    Ok(log_id.map(NextArgs::first).ok_or(PublishError::LogIdMax))
}
