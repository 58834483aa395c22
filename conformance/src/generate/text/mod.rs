//! Cases of the text forms: `key.public`, `hash.parse`, `hash.of`, `view.parse`, `view.hash`,
//! `schema.parse`.

mod hashes;
mod keys;
mod schema_ids;
mod views;

use super::set::Set;

pub(super) use keys::off_the_curve;

pub(super) fn sets() -> Vec<Set> {
    vec![
        keys::keys(),
        hashes::hash_of(),
        hashes::hash_parse(),
        views::view_parse(),
        views::view_hash(),
        schema_ids::schema_parse(),
    ]
}
