//! What is published, and what is asked for, in a world of the vectors: the same entries by other keys.

use serde_json::Value;

use super::super::Wrong;
use super::super::api::{self, NextArgs};
use super::super::case::Case;
use super::super::doors::Door;
use super::super::judge::{Legal, judge, same_args};
use super::super::under_test::{NodeUnderTest, set_up};
use super::of_vector;
use super::operations::{fields_of, published_schema};
use super::rewrite::{Rewrite, ids_in, ids_of_view, same_order};
use crate::forge::{Key, unhex};
use crate::suite::{self, File, Hazard};

/// Sets of keys that are tried until the ids that come of them are in the order of the vector's.
const KEYS_MAX: usize = 4096;

/// A vector of `publish`, where clients alone can bring its world about.
pub(crate) fn publish<'s>(file: &'s File, case: &'s suite::Case) -> Option<Case<'s>> {
    let world = world_of(file, case)?;
    let (entry, operation) = sent(&case.input)?;
    let near = case.near.as_ref().and_then(|near| {
        let valid = file.cases.iter().find(|it| it.id == near.case)?;
        sent(&valid.input)
    });
    let run = move |target: &mut NodeUnderTest| {
        let legal = Legal::of(case, target.ruleset);
        let causes: Vec<&str> = case.causes().map(|cause| &*cause.reason).collect();
        let mut weakness = None;
        for door in target.doors.publishing() {
            let mut plan = set_up(Plan::of(target, file, &world, door, |rewrite| {
                if let Some((_, operation)) = &near {
                    rewrite.operation(operation);
                }
                let new = rewrite.operation(&operation);
                same_order(&ids_in(&operation), &ids_in(&new))
            }))?;
            let new_operation = plan.rewrite.apply(&operation);
            let whole = near.as_ref().map(|(entry, _)| entry.as_slice());
            let new_entry = plan.rewrite.entry(&entry, whole);
            set_up(plan.publish(target, door))?;
            target.control("before")?;
            let answer = api::publish(&target.client, door, &new_entry, &new_operation)?;
            if let Some(expected) = case.expected(target.ruleset) {
                let expected = plan.args(expected);
                same_args(door, &answer, &expected)?;
            }
            match judge(target, door, answer, legal, &causes) {
                Err(Wrong::Weakly(what)) => weakness = Some(what),
                other => other?,
            }
            target.control("after")?;
        }
        weakness.map_or(Ok(()), |weakness| Err(Wrong::Weakly(weakness)))
    };
    Some(of_vector(case, Box::new(run), Hazard::None))
}

/// A vector of `next_args`, where clients alone can bring its world about.
pub(crate) fn next_args<'s>(file: &'s File, case: &'s suite::Case) -> Option<Case<'s>> {
    let world = world_of(file, case)?;
    let key = case.input["public_key"].as_str()?;
    let view = case.input["view_id"].as_str();
    let run = move |target: &mut NodeUnderTest| {
        let legal = Legal::of(case, target.ruleset);
        let causes: Vec<&str> = case.causes().map(|cause| &*cause.reason).collect();
        let mut weakness = None;
        for door in target.doors.publishing() {
            // The first nodes' method takes one id.
            if door == Door::JsonRpc && view.is_some_and(|view| view.contains('_')) {
                continue;
            }
            let plan = set_up(Plan::of(target, file, &world, door, |rewrite| {
                let old = ids_of_view(view.unwrap_or_default());
                let new = rewrite.text(view.unwrap_or_default());
                same_order(&old, &ids_of_view(&new))
            }))?;
            set_up(plan.publish(target, door))?;
            target.control("before")?;
            let view = view.map(|view| plan.rewrite.text(view));
            let key = plan.rewrite.text(key);
            let answer = api::next_args(&target.client, door, &key, view.as_deref())?;
            if let Some(expected) = case.expected(target.ruleset) {
                let expected = plan.args(expected);
                same_args(door, &answer, &expected)?;
            }
            match judge(target, door, answer, legal, &causes) {
                Err(Wrong::Weakly(what)) => weakness = Some(what),
                other => other?,
            }
            target.control("after")?;
        }
        weakness.map_or(Ok(()), |weakness| Err(Wrong::Weakly(weakness)))
    };
    Some(of_vector(case, Box::new(run), Hazard::None))
}

/// What a node knows before the case, unless only a peer could have brought it.
fn world_of(file: &File, case: &suite::Case) -> Option<Value> {
    let world = file.context_of(case)["world"].clone();
    let published = world["published"].as_array()?;
    let by_clients = published.iter().all(|step| step["from"].is_null());
    by_clients.then_some(world)
}

fn sent(input: &Value) -> Option<(Vec<u8>, Vec<u8>)> {
    let bytes = |name: &str| unhex(input[name].as_str()?);
    Some((bytes("entry")?, bytes("operation")?))
}

/// An entry with its operation, and whether its place is taken by then.
type Published = (Vec<u8>, Vec<u8>, bool);

/// What is published before the case, and what stands for what.
struct Plan {
    rewrite: Rewrite,
    steps: Vec<Published>,
}

impl Plan {
    /// The world by keys that nobody has met; `fits` tells whether the case can be asked with their ids.
    fn of(
        target: &NodeUnderTest,
        file: &File,
        world: &Value,
        door: Door,
        fits: impl Fn(&mut Rewrite) -> bool,
    ) -> Result<Self, Wrong> {
        let mut schemas = Rewrite::default();
        for schema in world["schemas"].as_array().into_iter().flatten() {
            let id = schema["id"].as_str().unwrap_or_default();
            published_schema(target, id, &fields_of(schema), &mut schemas)?;
        }
        for salt in 0..KEYS_MAX {
            let mut rewrite = schemas.clone();
            for (name, key) in &file.context.keys {
                let Some(seed) = unhex(&key.seed).and_then(|seed| seed.try_into().ok()) else {
                    continue;
                };
                let new = target.author(&format!("{door:?} {salt} {name}"));
                rewrite.key(Key::new(seed), new.key().clone());
            }
            let Some(steps) = steps(&mut rewrite, world) else {
                continue;
            };
            if fits(&mut rewrite) {
                return Ok(Self { rewrite, steps });
            }
        }
        Err(Wrong::SetUp(
            "no keys were found whose ids are in the order of the vector's".to_owned(),
        ))
    }

    fn publish(&self, target: &NodeUnderTest, door: Door) -> Result<(), Wrong> {
        for (entry, operation, place_taken) in &self.steps {
            let answer = api::publish(&target.client, door, entry, operation)?;
            if !place_taken {
                answer.expect("an entry of the world")?;
            }
        }
        Ok(())
    }

    fn args(&self, expected: &Value) -> NextArgs {
        let text = |name: &str| expected[name].as_str().map(str::to_owned);
        let link = |name: &str| text(name).map(|hash| self.rewrite.text(&hash));
        NextArgs {
            log_id: text("log_id").unwrap_or_default(),
            seq_num: text("seq_num").unwrap_or_default(),
            backlink: link("backlink"),
            skiplink: link("skiplink"),
        }
    }
}

/// The steps of a world, or nothing where ids came out in another order.
fn steps(rewrite: &mut Rewrite, world: &Value) -> Option<Vec<Published>> {
    let mut places: Vec<Vec<u8>> = Vec::new();
    let mut steps = Vec::new();
    for step in world["published"].as_array().into_iter().flatten() {
        let (entry, operation) = sent(step)?;
        let new = rewrite.operation(&operation);
        if !same_order(&ids_in(&operation), &ids_in(&new)) {
            return None;
        }
        // Author, log and number stand before the links and have few bytes in all worlds.
        let place = entry.get(1..35)?.to_vec();
        let taken = places.contains(&place);
        places.push(place);
        steps.push((rewrite.entry(&entry, None), new, taken));
    }
    Some(steps)
}
