//! Fills the shelf: six documents by two authors, one of them updated and one deleted, and three that they point at.
//!
//! The values are chosen so that a filter or an order that treats one type like another comes out wrong.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api;
use super::super::author::Author;
pub(super) use super::super::shelf::{DELETED, EDITED, Place, SHOWN, Shelf};
use super::super::under_test::{NodeUnderTest, eventually, set_up};
use crate::forge::{Hash, Item, hash, operation};

struct Values {
    name: &'static str,
    seats: i128,
    rating: f64,
    open: bool,
    logo: &'static [u8],
    tag: usize,
    tags: &'static [usize],
    owner: usize,
}

/// Values of the documents before anything is updated.
const VALUES: [Values; 6] = [
    Values {
        name: "Alpha",
        seats: 100,
        rating: 4.5,
        open: true,
        logo: &[0x00, 0xff],
        tag: 0,
        tags: &[0, 2],
        owner: 0,
    },
    Values {
        name: "beta",
        seats: 50,
        rating: 3.25,
        open: false,
        logo: &[0xaa, 0xbb],
        tag: 2,
        tags: &[2],
        owner: 0,
    },
    Values {
        name: "Gamma",
        seats: -5,
        rating: -1.5,
        open: true,
        logo: &[],
        tag: 0,
        tags: &[],
        owner: 1,
    },
    Values {
        name: "delta 100%",
        seats: 50,
        rating: 4.5,
        open: true,
        logo: &[0xaa, 0xbb],
        tag: 1,
        tags: &[0, 0],
        owner: 0,
    },
    Values {
        name: "Émile_x",
        seats: 3_000_000_000,
        rating: 1e21,
        open: false,
        logo: &[0xff, 0x00, 0x01],
        tag: 1,
        tags: &[1, 2],
        owner: 1,
    },
    Values {
        name: "zoo",
        seats: 7,
        rating: 0.5,
        open: true,
        logo: &[1],
        tag: 0,
        tags: &[],
        owner: 1,
    },
];

impl Shelf {
    /// The shelf of this run, filled when it is first asked for.
    pub(crate) fn of(target: &mut NodeUnderTest) -> Result<Self, Wrong> {
        if let Some(shelf) = target.shelf.clone() {
            return Ok(shelf);
        }
        let shelf = set_up(Self::fill(target))?;
        target.shelf = Some(shelf.clone());
        Ok(shelf)
    }

    fn fill(target: &NodeUnderTest) -> Result<Self, Wrong> {
        let door = target.door();
        let mut authors =
            [0, 1].map(|n| Author::new(target.seed, &format!("{} shelf {n}", target.round)));
        let tag_schema_id = target.schema("tag", &[("label", "str")])?;
        let mut tags = Vec::new();
        for label in ["red", "green", "blue"] {
            let fields = [("label", Item::text(label))];
            let operation = operation::create(&tag_schema_id, fields).encode();
            let log = authors[0].open_log();
            tags.push(target.publish(&mut authors[0], log, operation, door)?);
        }
        let tags = [tags[0], tags[1], tags[2]];
        let schema_id = schema(target, &tag_schema_id)?;
        let (mut ids, mut logs) = (Vec::new(), Vec::new());
        for values in &VALUES {
            let author = &mut authors[values.owner];
            let operation = operation::create(&schema_id, fields(values, tags)).encode();
            let log = author.open_log();
            ids.push(target.publish(author, log, operation, door)?);
            logs.push(log);
        }
        let renamed = [("name", Item::text("beta2"))];
        let update = operation::update(&schema_id, &[ids[EDITED]], renamed).encode();
        let updated = target.publish(&mut authors[0], logs[EDITED], update, door)?;
        let delete = operation::delete(&schema_id, &[ids[DELETED]]).encode();
        target.publish(&mut authors[1], logs[DELETED], delete, door)?;
        let mut views: Vec<_> = SHOWN.map(|place| ids[place].hex()).into();
        views[EDITED] = hash::view_id(&[updated]);
        let shelf = Self {
            schema_id,
            tag_schema_id,
            ids,
            views,
            tags,
            owners: [authors[0].public_key(), authors[1].public_key()],
        };
        shelf.await_shown(target)?;
        Ok(shelf)
    }

    fn await_shown(&self, target: &NodeUnderTest) -> Result<(), Wrong> {
        let query = format!(
            "{{ it: all_{} {{ totalCount documents {{ fields {{ name tags {{ totalCount }} }} }} }} }}",
            self.schema_id
        );
        let shown = eventually("the documents on the shelf show", || {
            let data = api::graphql(&target.client, &query, json!({}))?.expect("a collection")?;
            let documents = data["it"]["documents"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let edited = documents.iter().any(|it| it["fields"]["name"] == "beta2");
            Ok(if documents.len() == SHOWN.len() && edited {
                Ok(Value::Null)
            } else {
                Err(data)
            })
        });
        shown.map(drop)
    }

    /// A page of the collection.
    pub(crate) fn page(&self, target: &NodeUnderTest, arguments: &str) -> Result<Value, Wrong> {
        let arguments = self.named(arguments);
        let arguments = if arguments.is_empty() {
            arguments
        } else {
            format!("({arguments})")
        };
        let query = format!(
            "{{ it: all_{}{arguments} {{ totalCount hasNextPage endCursor documents {{ cursor meta {{ documentId }} }} }} }}",
            self.schema_id
        );
        let data = api::graphql(&target.client, &query, json!({}))?.expect("a collection")?;
        Ok(data["it"].clone())
    }
}

fn schema(target: &NodeUnderTest, tag: &str) -> Result<String, Wrong> {
    let types = [
        "relation",
        "pinned_relation",
        "relation_list",
        "pinned_relation_list",
    ];
    let types = types.map(|of| format!("{of}({tag})"));
    let fields = [
        ("logo", "bytes"),
        ("name", "str"),
        ("open", "bool"),
        ("pin", types[1].as_str()),
        ("pins", types[3].as_str()),
        ("rating", "float"),
        ("seats", "int"),
        ("tag", types[0].as_str()),
        ("tags", types[2].as_str()),
    ];
    target.schema("shelf", &fields)
}

fn fields(values: &Values, tags: [Hash; 3]) -> Vec<(&'static str, Item)> {
    let of = |places: &[usize]| -> Vec<Hash> { places.iter().map(|&place| tags[place]).collect() };
    let pins = of(values.tags).into_iter().map(|id| Item::ids(&[id]));
    vec![
        ("logo", Item::bytes(values.logo)),
        ("name", Item::text(values.name)),
        ("open", Item::Bool(values.open)),
        ("pin", Item::ids(&[tags[values.tag]])),
        ("pins", Item::Array(pins.collect())),
        ("rating", Item::Float(values.rating)),
        ("seats", Item::Int(values.seats)),
        ("tag", Item::id(tags[values.tag])),
        ("tags", Item::ids(&of(values.tags))),
    ]
}
