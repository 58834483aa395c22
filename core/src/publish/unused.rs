//! A log id that an author has not used, found without looking at all logs.
//!
//! Log ids grow by one, so that normally the one after the highest is unused. That fails once the highest
//! possible one is used; then a lower one is looked for as one looks for a word in a dictionary, by steps that
//! grow and then halve. How many logs there are does not matter.
//!
//! Always true:
//! - What is found is unused, and where ids follow one another without a gap it is the lowest.
//! - At most [`LOOKS_MAX`] ids are looked at. Who has used all of these for logs has none to be proposed.

use crate::types::LogId;

/// Steps that double reach the end of 64 bits, as many halve what lies between, and further ids are tried when
/// all of the former are used.
pub const LOOKS_MAX: u32 = 1 + 64 + 64 + STRAYS_MAX;

/// Ids that are tried when none is found by steps.
const STRAYS_MAX: u32 = 64;

/// Spreads consecutive numbers evenly over 64 bits: the golden ratio's share of them.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// An unused log id, searched from this one on; of ids without a gap the first one behind them.
pub fn unused_log_id<E>(
    from: LogId,
    mut is_used: impl FnMut(LogId) -> Result<bool, E>,
) -> Result<Option<LogId>, E> {
    let mut used = from.as_u64();
    if !is_used(from)? {
        return Ok(Some(from));
    }
    let mut step = 1_u64;
    while let Some(next) = used.checked_add(step) {
        if is_used(LogId::new(next))? {
            used = next;
            step = step.saturating_mul(2);
        } else {
            return lowest_between(used, next, is_used).map(Some);
        }
    }
    for number in 0..u64::from(STRAYS_MAX) {
        let stray = LogId::new(number.wrapping_mul(SPREAD));
        if !is_used(stray)? {
            return Ok(Some(stray));
        }
    }
    Ok(None)
}

/// An unused id whose predecessor is used, between a used one and an unused one.
fn lowest_between<E>(
    mut used: u64,
    mut unused: u64,
    mut is_used: impl FnMut(LogId) -> Result<bool, E>,
) -> Result<LogId, E> {
    while unused - used > 1 {
        let middle = used + (unused - used) / 2;
        if is_used(LogId::new(middle))? {
            used = middle;
        } else {
            unused = middle;
        }
    }
    Ok(LogId::new(unused))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// What is found, and how many ids were looked at.
    fn found(from: u64, used: &BTreeSet<u64>) -> (Option<u64>, u32) {
        let mut looks = 0;
        let found = unused_log_id(LogId::new(from), |id| {
            looks += 1;
            Ok::<_, Infallible>(used.contains(&id.as_u64()))
        });
        (found.unwrap().map(LogId::as_u64), looks)
    }

    #[test]
    fn behind_ids_without_a_gap_comes_the_next() {
        for count in [0, 1, 2, 3, 7, 8, 1000, 20_000] {
            let mut used: BTreeSet<u64> = (0..count).collect();
            used.insert(u64::MAX);

            let (next, looks) = found(0, &used);

            assert_eq!(next, Some(count));
            assert!(looks <= 40, "{looks} for {count}");
        }
    }

    #[test]
    fn who_uses_every_id_that_is_looked_at_is_proposed_none() {
        let mut used = BTreeSet::new();
        for _ in 0..LOOKS_MAX * 64 {
            match found(0, &used) {
                (Some(id), _) => used.insert(id),
                (None, looks) => return assert!(looks <= LOOKS_MAX),
            };
        }
        // Or it never comes to that: each log of his costs him an entry.
    }

    proptest! {
        #[test]
        fn what_is_found_is_unused_and_found_soon(
            from: u64,
            near in prop::collection::btree_set(0..64_u64, 0..64),
            far in prop::collection::btree_set(any::<u64>(), 0..64),
            powers in 0..64_u32,
        ) {
            let mut used = near;
            used.extend(far);
            used.extend((0..powers).map(|power| (1_u64 << power) - 1));
            used.insert(u64::MAX);
            for from in [0, from] {
                let (found, looks) = found(from, &used);

                prop_assert!(found.is_some_and(|id| !used.contains(&id)));
                prop_assert!(looks <= LOOKS_MAX, "{}", looks);
            }
        }
    }
}
