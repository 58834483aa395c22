//! S2: logs are whole on every node. An entry is accepted only where the entries stand that it links to.
//!
//! Does not check: whether the links of an entry are the right ones for its number, see `valid`.

use grove_core::types::OperationId;
use grove_core::wire::Entry;

use super::valid::lipmaa;
use crate::evidence::{Violation, place};
use crate::ledger::{Ledger, Link};

const NAME: &str = "logs_are_whole";

/// Judges an entry that a node accepted, by what it had accepted before.
pub(crate) fn check(
    id: OperationId,
    entry: &Entry,
    link: &Link,
    ledger: &Ledger,
) -> Result<(), Violation> {
    let seq_num = entry.seq_num.as_u64();
    let Some(backlink) = link.backlink else {
        return Ok(());
    };
    let on_branch = |target: u64| {
        let (mut at, mut steps) = (backlink, 0);
        loop {
            let held = ledger.held.get(&at)?;
            let (key, log_id, number) = held.position;
            let is_same = (key, log_id) == (link.position.0, link.position.1);
            let expected = seq_num - 1 - steps;
            if !is_same || number.as_u64() != expected {
                return None;
            }
            if expected == target {
                return Some(at);
            }
            at = held.backlink?;
            steps += 1;
        }
    };
    let fault = if on_branch(seq_num - 1).is_none() {
        "without the entry before it"
    } else {
        match entry.skiplink {
            Some(skiplink) if on_branch(lipmaa(seq_num)) != Some(skiplink.into()) => {
                "whose second link leads elsewhere"
            }
            _ => return Ok(()),
        }
    };
    Err(Violation {
        invariant: NAME,
        difference: format!("accepted {}, {fault}", place(id, &link.position)),
    })
}
