//! Arguments that make no sense, through whichever door.

use super::super::Wrong;
use super::super::api;
use super::super::under_test::NodeUnderTest;
use super::{LiveCheck, check, must_refuse};

/// All of them, in the order in which they run.
pub(crate) const ALL: &[LiveCheck] = &[check(
    "malformed-arguments",
    "malformed keys and ids are refused",
    malformed_arguments,
)];

fn malformed_arguments(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    target.control("before")?;
    let key = target.author("a").public_key();
    for door in target.doors.publishing() {
        for (what, key) in [
            ("an empty key", ""),
            ("a short key", &key[2..]),
            ("a key that is not hex", &format!("zz{}", &key[2..])),
        ] {
            must_refuse(what, &api::next_args(&target.client, door, key, None)?)?;
        }
        for (what, view) in [("a short id", "0020ab"), ("an id that is not hex", "panda")] {
            must_refuse(
                what,
                &api::next_args(&target.client, door, &key, Some(view))?,
            )?;
        }
    }
    target.control("after")
}
