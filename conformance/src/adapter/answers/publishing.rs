//! Answers about publishing, over a small world of entries published before.

use grove_core::publish::{self, Source};
use grove_core::types::PublicKey;
use grove_core::validate::Submission;
use serde_json::{Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, list, next_args_out, optional, schema_in, text};
use super::world::World;

/// `publish`: may the node of this world take the entry, and what comes after it?
pub(super) fn publish(context: &Value, input: &Value) -> Answer {
    let mut world = world(&context["world"])?;
    let next = world.take(&submission(input)?, Source::Client)?;
    Ok(next_args_out(&next))
}

/// `next_args`: what does the node of this world tell an author?
pub(super) fn next_args(context: &Value, input: &Value) -> Answer {
    let world = world(&context["world"])?;
    let author: PublicKey = text(&input["public_key"])?.parse()?;
    let view_id = optional(&input["view_id"], |view_id| Ok(text(view_id)?.parse()?))?;
    let next = publish::next_args(&world, author, view_id.as_ref())?;
    Ok(next_args_out(&next))
}

/// The world that a context tells of: schemas, and what was published in this order. What a world
/// refuses, as the second entry of a fork, leaves the trace that it would leave in a node.
fn world(given: &Value) -> Result<World, Failed> {
    let mut world = World::default();
    for schema in list(&given["schemas"])? {
        world.add_schema(schema_in(schema)?);
    }
    for published in list(&given["published"])? {
        let from_peer = published["from"] == json!("peer");
        let source = if from_peer {
            Source::Peer
        } else {
            Source::Client
        };
        let _ = world.take(&submission(published)?, source);
    }
    Ok(world)
}

fn submission(given: &Value) -> Result<Submission, Failed> {
    let operation = bytes(&given["operation"])?;
    Ok(Submission::verify(&bytes(&given["entry"])?, operation)?)
}
