//! Cases made of the vectors: what a library must refuse, a node must refuse at its doors.
//!
//! A vector's bytes name keys, schemas and operations that no node has, and the same ones for everybody. So each
//! case publishes what its vector builds on by keys of its own, puts the ids that come of it in the places of the
//! vector's, and signs anew; what is wrong with the input stays the one thing that is wrong. Vectors whose world
//! only a peer could bring about are left to other suites.

mod operations;
mod rewrite;
mod worlds;

use super::case::{Case, RunCase};
use crate::suite::{Hazard, Suite};

/// Files of `operation.decode` that are asked at the doors; the others repeat their rules at further numbers.
const DECODING: [&str; 3] = ["__shape", "__strictness", "__values"];

/// Every vector that can be published or asked for.
pub(crate) fn cases(suite: &Suite) -> Vec<Case<'_>> {
    let schemas = operations::schemas(suite);
    let mut cases = Vec::new();
    for (path, file) in &suite.files {
        let decoding = DECODING.iter().any(|topic| path.contains(topic));
        for case in &file.cases {
            let made = match file.kind.as_str() {
                "operation.validate" => operations::case(file, case, &schemas),
                "operation.decode" if decoding => operations::case(file, case, &schemas),
                "publish" => worlds::publish(file, case),
                "next_args" => worlds::next_args(file, case),
                _ => None,
            };
            cases.extend(made);
        }
    }
    cases
}

/// What all of them have in common.
fn of_vector<'s>(case: &crate::suite::Case, run: Box<RunCase<'s>>, hazard: Hazard) -> Case<'s> {
    Case {
        id: format!("live-{}", case.id),
        title: format!("at the doors: {}", case.comment),
        profile: "core",
        requires: case.requirements.clone(),
        ruling: case.ruling.clone(),
        level: case.level,
        needs: vec![super::doors::Need::Publishing],
        hazard: hazard.max(case.hazard),
        run,
    }
}
