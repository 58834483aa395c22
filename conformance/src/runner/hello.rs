//! How an adapter introduces itself, and what is refused as nonsense.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::suite::SUITE_VERSION;

/// Oldest and newest version of the protocol that the runner speaks.
const PROTOCOLS: [u64; 2] = [1, 1];

/// Longest name, version or kind; they are shown in every report.
const NAME_LEN_MAX: usize = 100;

/// Most kinds or features an adapter may name.
const NAMES_MAX: usize = 1000;

/// What an adapter says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Implementation {
    pub name: String,
    pub version: String,
    pub language: String,
    /// What it can be asked.
    pub kinds: Vec<String>,
    /// What it has of that which not everybody needs to have.
    pub features: Vec<String>,
}

/// Why an introduction is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum HelloError {
    /// It does not say that it is ready.
    #[error("`ok` is {found}, not true")]
    NotReady { found: String },
    /// It speaks no version that was offered.
    #[error("it speaks protocol {found}, offered were 1 to 1")]
    Protocol { found: String },
    /// A member is missing or of another form.
    #[error("`{member}` is not {form}")]
    Member {
        member: &'static str,
        form: &'static str,
    },
    /// A list names something twice.
    #[error("`{member}` names {name:?} twice")]
    Twice { member: &'static str, name: String },
}

/// The line that greets an adapter.
pub fn greeting() -> Value {
    json!({"op": "hello", "protocol": PROTOCOLS, "suite": SUITE_VERSION})
}

/// Reads an introduction.
pub fn read(hello: &Value) -> Result<Implementation, HelloError> {
    if hello["ok"] != true {
        let found = hello["ok"].to_string();
        return Err(HelloError::NotReady { found });
    }
    let [oldest, newest] = PROTOCOLS;
    let protocol = hello["protocol"].as_u64();
    if !protocol.is_some_and(|version| (oldest..=newest).contains(&version)) {
        let found = hello["protocol"].to_string();
        return Err(HelloError::Protocol { found });
    }
    if !matches!(
        hello.get("ruleset").map(Value::as_str),
        None | Some(Some("spec" | "wire-0.9"))
    ) {
        return Err(HelloError::Member {
            member: "ruleset",
            form: "`spec` or `wire-0.9`",
        });
    }
    let told = &hello["implementation"];
    Ok(Implementation {
        name: text("implementation.name", &told["name"])?,
        version: text("implementation.version", &told["version"])?,
        language: text("implementation.language", &told["language"])?,
        kinds: names("kinds", hello.get("kinds"))?,
        features: match hello.get("features") {
            None => Vec::new(),
            given => names("features", given)?,
        },
    })
}

fn text(member: &'static str, value: &Value) -> Result<String, HelloError> {
    value
        .as_str()
        .filter(|text| (1..=NAME_LEN_MAX).contains(&text.len()))
        .map(str::to_owned)
        .ok_or(HelloError::Member {
            member,
            form: "a text of 1 to 100 bytes",
        })
}

fn names(member: &'static str, value: Option<&Value>) -> Result<Vec<String>, HelloError> {
    let list = value
        .and_then(Value::as_array)
        .filter(|list| list.len() <= NAMES_MAX)
        .ok_or(HelloError::Member {
            member,
            form: "a list of texts",
        })?;
    let mut seen = BTreeSet::new();
    list.iter()
        .map(|name| {
            let name = text(member, name)?;
            if seen.insert(name.clone()) {
                Ok(name)
            } else {
                Err(HelloError::Twice { member, name })
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_is_read() {
        let read = read(&hello()).unwrap();

        assert_eq!(read.name, "panda");
        assert_eq!(read.kinds, ["lipmaa"]);
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        let refused = |path: &str, value: Value| {
            let mut hello = hello();
            *hello.pointer_mut(path).unwrap() = value;
            read(&hello).unwrap_err().to_string()
        };

        assert_eq!(refused("/ok", json!(1)), "`ok` is 1, not true");
        assert!(refused("/protocol", json!(2)).starts_with("it speaks protocol 2"));
        assert!(refused("/protocol", json!("1")).starts_with("it speaks protocol \"1\""));
        assert!(refused("/kinds", json!("lipmaa")).contains("`kinds`"));
        assert!(refused("/kinds", json!([7])).contains("`kinds`"));
        assert!(refused("/kinds", json!(["a", "a"])).contains("twice"));
        assert!(refused("/features", json!({})).contains("`features`"));
        assert!(refused("/ruleset", json!("loose")).contains("`ruleset`"));
        assert!(refused("/implementation", json!([])).contains("implementation.name"));
        assert!(refused("/implementation/name", json!("x".repeat(101))).contains("name"));
    }

    fn hello() -> Value {
        json!({
            "ok": true,
            "protocol": 1,
            "implementation": {"name": "panda", "version": "1", "language": "c"},
            "kinds": ["lipmaa"],
            "features": [],
            "ruleset": "spec",
        })
    }
}
