//! What an implementation must be able to answer before it is said to conform.
//!
//! Without this, whoever passes on everything difficult would pass. Optional features stay optional: a case
//! that needs one is asked only of those who have it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::str::FromStr;

use super::{Implementation, Outcome, Record};
use crate::suite::Suite;

/// What reading and writing documents takes; no blobs, no replication, no node.
const CORE: &[&str] = &[
    "document.reduce",
    "entry.decode",
    "entry.encode",
    "hash.of",
    "hash.parse",
    "key.public",
    "lipmaa",
    "log.append",
    "operation.decode",
    "operation.encode",
    "operation.validate",
    "schema.build",
    "schema.parse",
    "varu64.decode",
    "varu64.encode",
    "view.hash",
    "view.parse",
];

/// Which kinds may not be passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Required {
    /// Those the implementation says it knows.
    #[default]
    Offered,
    /// What reading and writing documents takes.
    Core,
    /// Every kind there is.
    All,
    /// These.
    List(Vec<String>),
}

impl FromStr for Required {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "offered" => Self::Offered,
            "core" => Self::Core,
            "all" => Self::All,
            list => Self::List(list.split(',').map(|kind| kind.trim().to_owned()).collect()),
        })
    }
}

impl Required {
    /// Names in the list that are no kinds of the suite.
    pub fn unknown<'a>(&'a self, suite: &Suite) -> Vec<&'a str> {
        let Self::List(list) = self else {
            return Vec::new();
        };
        let known = |name: &str| suite.files.values().any(|file| file.kind == name);
        let names = list.iter().map(String::as_str);
        names.filter(|name| !known(name)).collect()
    }

    /// The records of required kinds that were passed on.
    pub fn left_out<'a>(
        &self,
        implementation: &Implementation,
        records: &'a [Record],
    ) -> Vec<&'a Record> {
        let offered: BTreeSet<&str> = implementation.kinds.iter().map(String::as_str).collect();
        let is_required = |kind: &str| match self {
            Self::Offered => offered.contains(kind),
            Self::Core => CORE.contains(&kind),
            Self::All => true,
            Self::List(list) => list.iter().any(|name| name == kind),
        };
        let passed_on =
            |record: &&Record| matches!(record.outcome, Outcome::Skipped(_) | Outcome::Unsupported);
        let records = records.iter().filter(passed_on);
        records.filter(|record| is_required(&record.kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on_counts_where_it_is_required() {
        let record = |kind: &str, outcome| Record {
            id: kind.to_owned(),
            kind: kind.to_owned(),
            outcome,
            answer: None,
            stderr: Vec::new(),
        };
        let records = [
            record("lipmaa", Outcome::Skipped("later".to_owned())),
            record("hash.of", Outcome::Strong),
            record("entry.decode", Outcome::Unsupported),
            record("scenario", Outcome::Unsupported),
            record("key.public", Outcome::WithoutFeature("torsion".to_owned())),
        ];
        let implementation = Implementation {
            kinds: ["lipmaa", "hash.of", "key.public"]
                .map(str::to_owned)
                .into(),
            ..Implementation::default()
        };
        let left_out = |required: &str| {
            let required: Required = required.parse().unwrap();
            let records = required.left_out(&implementation, &records);
            let kinds = records.iter().map(|record| record.kind.as_str());
            kinds.collect::<Vec<_>>().join(" ")
        };

        assert_eq!(left_out("offered"), "lipmaa");
        assert_eq!(left_out("core"), "lipmaa entry.decode");
        assert_eq!(left_out("all"), "lipmaa entry.decode scenario");
        assert_eq!(left_out("scenario,hash.of"), "scenario");
    }
}
