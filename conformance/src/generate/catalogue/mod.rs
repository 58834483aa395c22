//! The tables the cases refer to: reasons, flags, requirements, rulings.
//!
//! Reasons are the library's own table, so that one spelling rules; everything else is kept here.

mod flags;
mod kinds;
mod requirements;
mod rulings;

use std::collections::BTreeMap;

use grove_core::Reason;

use crate::suite::store::ReasonInfo;

pub(super) use flags::flags;
pub(super) use kinds::depends_on;
pub(super) use requirements::requirements;
pub(super) use rulings::rulings;

/// Codes that were given once and are not any more: code, phase, meaning, and the version without it.
const RETIRED: &[[&str; 4]] = &[[
    "log_forked",
    "log",
    "two different entries claim one position of the log; since forks lose nothing, a client is told would_fork",
    "2.0.0",
]];

/// Every refusal code with its phase.
pub(super) fn reasons() -> BTreeMap<String, ReasonInfo> {
    let given = Reason::ALL.iter().map(|reason| {
        let info = ReasonInfo {
            phase: reason.phase().name().to_owned(),
            description: reason.description().to_owned(),
            retired: None,
        };
        (reason.code().to_owned(), info)
    });
    let retired = RETIRED.iter().map(|[code, phase, meaning, version]| {
        let info = ReasonInfo {
            phase: (*phase).to_owned(),
            description: (*meaning).to_owned(),
            retired: Some((*version).to_owned()),
        };
        ((*code).to_owned(), info)
    });
    given.chain(retired).collect()
}

/// Why something has no case, by the word the tables use for it; `-` where nothing is missing.
fn gap(word: &str) -> Option<String> {
    let reason = match word {
        "-" => return None,
        "answer" => "it is an answer: a wrong one is a wrong result, nothing is refused",
        "freedom" => "it says what may be done; there is nothing to refuse",
        "conduct" => "conduct of an implementation that no input shows",
        "impossible" => "a published schema cannot contain its own id",
        "live" => "shows at a running node only; judged by the live suite",
        "computed" => "an order and a state are computed, nothing can be refused",
        "simulator" => "shows between several nodes only; judged by the simulator",
        "store" => "shows in what a node keeps only; judged by its store tests and the simulator",
        other => panic!("no gap is called {other:?}"),
    };
    Some(reason.to_owned())
}
