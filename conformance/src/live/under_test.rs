//! What the cases share: the node's address, a schema of the run's own, and honest publishing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Answer};
use super::author::Author;
use super::doors::{Door, Doors, Need};
use super::http::{Client, Exchange};
use super::shelf::Shelf;
use super::{Options, SHOW_TIME_MAX, SetUpError, Wrong};
use crate::forge::{Hash, Item, operation};
use crate::suite::Ruleset;

/// How often a node may have met a seed.
const ROUNDS_MAX: u64 = 1000;

/// Name and type of each field of a schema.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

/// A run against one node.
#[derive(Debug)]
pub(super) struct NodeUnderTest {
    pub client: Client,
    pub doors: Doors,
    pub ruleset: Ruleset,
    pub seed: u64,
    /// How often this node had met the seed before.
    pub round: u64,
    /// Id of the schema most documents of the run follow.
    pub schema_id: String,
    /// A document the relations may point at.
    pub related: Hash,
    case: String,
    /// How many controls the case has had: each is by somebody new.
    controls: Cell<usize>,
    /// Documents that questions are asked about, once they are there.
    pub shelf: Option<Shelf>,
    /// Schemas that were published for cases, by name and fields.
    schemas: RefCell<BTreeMap<String, String>>,
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
    /// Connects, finds out what is there, and publishes the schema.
    pub(crate) fn set_up(url: &str, options: &Options) -> Result<Self, SetUpError> {
        let client = Client::new(url)?;
        let doors = Doors::probe(&client);
        if doors.publishing().is_empty() {
            return Err(SetUpError::NoDoor);
        }
        let ruleset = options.ruleset.unwrap_or(if doors.is_foreign() {
            Ruleset::Wire09
        } else {
            Ruleset::Spec
        });
        let mut target = Self {
            client,
            doors,
            ruleset,
            seed: options.seed,
            round: 0,
            schema_id: String::new(),
            related: Hash::repeating(0),
            case: "set-up".to_owned(),
            controls: Cell::new(0),
            shelf: None,
            schemas: RefCell::default(),
        };
        target.find_round().map_err(SetUpError::Schema)?;
        target.publish_own_schema().map_err(SetUpError::Schema)?;
        target.client.take_transcript();
        Ok(target)
    }

    /// Starts the transcript of a case.
    pub(crate) fn begin(&mut self, case: &str) {
        case.clone_into(&mut self.case);
        self.controls.set(0);
        self.client.take_transcript();
    }

    /// Ends it.
    pub(super) fn end(&self) -> Vec<Exchange> {
        self.client.take_transcript()
    }

    /// Speaks to the node at another address, or to the same one after a start.
    pub(crate) fn reconnect(&mut self, url: &str) -> Result<(), SetUpError> {
        self.client = Client::new(url)?;
        Ok(())
    }

    /// The door that honest requests go through.
    pub(crate) fn door(&self) -> Door {
        self.doors.publishing()[0]
    }

    /// Another door than [`Self::door`], where there is one: both lead into one node.
    pub(crate) fn other_door(&self) -> Door {
        self.doors
            .publishing()
            .last()
            .copied()
            .unwrap_or(self.door())
    }

    /// Whether a refusal has to name its cause: deployed nodes have no codes.
    pub(crate) fn asks_for_codes(&self) -> bool {
        self.ruleset == Ruleset::Spec
    }

    /// An author nobody has met, the same for the same case, purpose, seed and round.
    pub(crate) fn author(&self, purpose: &str) -> Author {
        let round = self.round;
        Author::new(self.seed, &format!("{round} {} {purpose}", self.case))
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
    pub(crate) fn control(&self, when: &'static str) -> Result<(), Wrong> {
        let number = self.controls.get();
        self.controls.set(number + 1);
        let mut author = self.author(&format!("control {number}"));
        self.create(&mut author, 1, "control", self.door())
            .map(drop)
            .map_err(|wrong| Wrong::Control {
                when,
                what: wrong.to_string(),
            })
    }

    /// Whether the node answers an honest question at all.
    pub(crate) fn answers(&self) -> bool {
        let key = self.author("sign of life").public_key();
        api::next_args(&self.client, self.door(), &key, None).is_ok()
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

    /// The first round in which nothing of this seed is at the node yet.
    fn find_round(&mut self) -> Result<(), Wrong> {
        for round in 0..ROUNDS_MAX {
            self.round = round;
            let door = self.door();
            let key = self.author("schema").public_key();
            let answer = api::next_args(&self.client, door, &key, None)?.expect("nextArgs")?;
            if api::read_args(door, &answer)?.log_id == "0" {
                return Ok(());
            }
        }
        let what = format!("this node has met seed {} {ROUNDS_MAX} times", self.seed);
        Err(Wrong::Behaviour(what))
    }

    fn publish_own_schema(&mut self) -> Result<(), Wrong> {
        let name = format!("conformance_{:x}_{}", self.seed, self.round);
        let mut author = self.author("schema");
        (self.schema_id, self.related) = self.publish_schema(&mut author, &name, &FIELDS)?;
        Ok(())
    }

    /// Id of the schema of this name and these fields, which is published when it is first asked for.
    pub(crate) fn schema(&self, name: &str, fields: Fields<'_>) -> Result<String, Wrong> {
        let key = format!("{name} {fields:?}");
        if let Some(id) = self.schemas.borrow().get(&key) {
            return Ok(id.clone());
        }
        let purpose = format!("{} schema {key}", self.round);
        let mut author = Author::new(self.seed, &purpose);
        let published = self.publish_schema(&mut author, name, fields);
        let (id, _) = set_up(published)?;
        self.schemas.borrow_mut().insert(key, id.clone());
        Ok(id)
    }

    /// Publishes a schema and waits until it is there; its id, and the first field's definition.
    fn publish_schema(
        &self,
        author: &mut Author,
        name: &str,
        fields: Fields<'_>,
    ) -> Result<(String, Hash), Wrong> {
        let door = self.door();
        let mut definitions = Vec::new();
        for (name, field_type) in fields {
            let fields = [
                ("name", Item::text(*name)),
                ("type", Item::text(*field_type)),
            ];
            let operation = operation::create("schema_field_definition_v1", fields).encode();
            let log = author.open_log();
            definitions.push(self.publish(author, log, operation, door)?);
        }
        let views = definitions.iter().map(|id| Item::ids(&[*id]));
        let fields = [
            ("description", Item::text("Made by the conformance suite")),
            ("fields", Item::Array(views.collect())),
            ("name", Item::text(name)),
        ];
        let operation = operation::create("schema_definition_v1", fields).encode();
        let log = author.open_log();
        let id = self.publish(author, log, operation, door)?;
        let schema_id = format!("{name}_{}", id.hex());
        self.await_schema(&schema_id)?;
        let last = definitions.last().copied().unwrap_or(id);
        Ok((schema_id, last))
    }

    fn await_schema(&self, schema_id: &str) -> Result<(), Wrong> {
        if !self.doors.has(Need::GraphQl) {
            return Ok(());
        }
        let query = format!("{{ all_{schema_id} {{ totalCount }} }}");
        let asked = eventually("the new schema can be queried", || {
            Ok(match api::graphql(&self.client, &query, json!({}))? {
                Answer::Result(value) => Ok(value),
                Answer::Refused { message, .. } => Err(Value::from(message)),
            })
        });
        asked.map(drop)
    }
}

/// What went wrong on the way to what a case is about is no verdict on that.
pub(crate) fn set_up<T>(result: Result<T, Wrong>) -> Result<T, Wrong> {
    result.map_err(|wrong| match wrong {
        Wrong::Behaviour(what) | Wrong::SetUp(what) => Wrong::SetUp(what),
        Wrong::Control { when, what } => Wrong::SetUp(format!("control {when}: {what}")),
        other => other,
    })
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
