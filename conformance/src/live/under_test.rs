//! What the checks share: the node's address, a schema of the run's own, and honest publishing.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Door};
use super::author::Author;
use super::http::{Client, Exchange};
use super::{SHOW_TIME_MAX, SetUpError, Wrong};
use crate::forge::{Hash, Item, operation};

/// A run against one node.
#[derive(Debug)]
pub(super) struct NodeUnderTest {
    pub client: Client,
    pub seed: u64,
    /// Id of the schema all documents of the run follow.
    pub schema_id: String,
    /// A document the relations may point at.
    pub related: Hash,
    check: usize,
}

/// A published document with the log its author writes it in.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub id: Hash,
    pub log: usize,
}

/// Name and type of each field of the run's schema.
const FIELDS: [(&str, &str); 7] = [
    ("about", "relation(schema_field_definition_v1)"),
    ("abouts", "relation_list(schema_field_definition_v1)"),
    ("hour", "int"),
    ("logo", "bytes"),
    ("open", "bool"),
    ("rating", "float"),
    ("title", "str"),
];

impl NodeUnderTest {
    /// Connects and publishes the schema.
    pub(super) fn set_up(url: &str, seed: u64) -> Result<Self, SetUpError> {
        let mut target = Self {
            client: Client::new(url)?,
            seed,
            schema_id: String::new(),
            related: Hash::repeating(0),
            check: 0,
        };
        target.publish_schema().map_err(SetUpError::Schema)?;
        target.client.take_transcript();
        Ok(target)
    }

    /// Starts the transcript of a check.
    pub(super) fn begin(&mut self, check: usize) {
        self.check = check;
        self.client.take_transcript();
    }

    /// Ends it.
    pub(super) fn end(&self) -> Vec<Exchange> {
        self.client.take_transcript()
    }

    /// An author nobody has met, the same for the same check, purpose and seed.
    pub(super) fn author(&self, purpose: &str) -> Author {
        Author::new(self.seed, &format!("{} {purpose}", self.check))
    }

    /// The fields of a CREATE, each of its own type.
    pub(super) fn fields(&self, hour: i128, title: &str) -> Vec<(&'static str, Item)> {
        vec![
            ("about", Item::id(self.related)),
            ("abouts", Item::ids(&[self.related, self.related])),
            ("hour", Item::Int(hour)),
            ("logo", Item::bytes([0xde, 0xad])),
            ("open", Item::Bool(true)),
            ("rating", Item::Float(4.5)),
            ("title", Item::text(title)),
        ]
    }

    pub(super) fn create_operation(&self, hour: i128, title: &str) -> Vec<u8> {
        operation::create(&self.schema_id, self.fields(hour, title)).encode()
    }

    pub(super) fn update_operation(&self, previous: &[Hash], hour: i128) -> Vec<u8> {
        operation::update(&self.schema_id, previous, [("hour", Item::Int(hour))]).encode()
    }

    pub(super) fn delete_operation(&self, previous: &[Hash]) -> Vec<u8> {
        operation::delete(&self.schema_id, previous).encode()
    }

    /// Publishes the honest next entry of a log and checks the arguments that come back.
    pub(super) fn publish(
        &self,
        author: &mut Author,
        log: usize,
        operation: Vec<u8>,
        door: Door,
    ) -> Result<Hash, Wrong> {
        let entry = author.draft(log, &operation).sign(author.key());
        let answer =
            api::publish(&self.client, door, &entry, &operation)?.expect("a sound entry")?;
        let id = author.keep(log, entry, operation);
        let (told, expected) = (api::read_args(door, &answer)?, author.next_args(log));
        if told != expected {
            return Err(Wrong::Behaviour(format!(
                "publish answered {told:?}, expected {expected:?}"
            )));
        }
        Ok(id)
    }

    /// Publishes a CREATE into a new log.
    pub(super) fn create(
        &self,
        author: &mut Author,
        hour: i128,
        title: &str,
        door: Door,
    ) -> Result<Document, Wrong> {
        let log = author.open_log();
        let id = self.publish(author, log, self.create_operation(hour, title), door)?;
        Ok(Document { id, log })
    }

    /// An honest publish by somebody new, as the control around hostile requests.
    pub(super) fn control(&self, when: &'static str) -> Result<(), Wrong> {
        let mut author = self.author(when);
        self.create(&mut author, 1, "control", Door::GraphQl)
            .map(drop)
            .map_err(|wrong| Wrong::Control {
                when,
                what: wrong.to_string(),
            })
    }

    /// Fields and meta of a document by its id; null when the node shows none.
    pub(super) fn document(&self, id: &str) -> Result<Value, Wrong> {
        self.ask_document("id", id)
    }

    /// Fields and meta of a view.
    pub(super) fn view(&self, view_id: &str) -> Result<Value, Wrong> {
        self.ask_document("viewId", view_id)
    }

    /// Asks until `holds`, or the budget is spent.
    pub(super) fn document_until(
        &self,
        id: Hash,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, Wrong> {
        let id = id.hex();
        eventually(what, || {
            let document = self.document(&id)?;
            Ok(if holds(&document) {
                Ok(document)
            } else {
                Err(document)
            })
        })
    }

    fn ask_document(&self, argument: &str, id: &str) -> Result<Value, Wrong> {
        let query = format!(
            "{{ it: {}({argument}: \"{id}\") {{ meta {{ documentId viewId owner }} \
             fields {{ hour logo open rating title \
             about {{ meta {{ documentId }} fields {{ name type }} }} \
             abouts {{ totalCount documents {{ meta {{ documentId }} }} }} }} }} }}",
            self.schema_id
        );
        let data = api::graphql(&self.client, &query, json!({}))?.expect("a query")?;
        Ok(data["it"].clone())
    }

    fn publish_schema(&mut self) -> Result<(), Wrong> {
        let mut author = Author::new(self.seed, "schema");
        let mut views = Vec::new();
        for (name, field_type) in FIELDS {
            let fields = [("name", Item::text(name)), ("type", Item::text(field_type))];
            let operation = operation::create("schema_field_definition_v1", fields).encode();
            let log = author.open_log();
            let id = self.publish(&mut author, log, operation, Door::GraphQl)?;
            views.push(Item::ids(&[id]));
            self.related = id;
        }
        let name = format!("conformance_{:x}", self.seed);
        let fields = [
            ("description", Item::text("Made by the conformance suite")),
            ("fields", Item::Array(views)),
            ("name", Item::text(name.clone())),
        ];
        let operation = operation::create("schema_definition_v1", fields).encode();
        let log = author.open_log();
        let id = self.publish(&mut author, log, operation, Door::GraphQl)?;
        self.schema_id = format!("{name}_{}", id.hex());
        let query = format!("{{ all_{} {{ totalCount }} }}", self.schema_id);
        eventually("the new schema can be queried", || {
            Ok(match api::graphql(&self.client, &query, json!({}))? {
                api::Answer::Result(value) => Ok(value),
                api::Answer::Refused { message, .. } => Err(Value::from(message)),
            })
        })
        .map(drop)
    }
}

/// Asks again and again until there is an `Ok`, or the budget is spent.
pub(super) fn eventually(
    what: &str,
    mut ask: impl FnMut() -> Result<Result<Value, Value>, Wrong>,
) -> Result<Value, Wrong> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match ask()? {
            Ok(value) => return Ok(value),
            Err(last) if started.elapsed() > SHOW_TIME_MAX => {
                let seconds = SHOW_TIME_MAX.as_secs();
                return Err(Wrong::Behaviour(format!(
                    "not within {seconds} s: {what}; last seen: {last}"
                )));
            }
            Err(_) => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(200));
            }
        }
    }
}
