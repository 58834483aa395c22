//! Every random choice of a simulation: a hash of the seed and of what the choice is for.
//!
//! A choice depends on its purpose, the entity it concerns and a counter, never on how many choices came
//! before it. So an item taken out of a plan leaves the rest of the schedule as it was.

use std::ops::RangeInclusive;

/// The source of all choices of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    seed: u64,
}

impl Draw {
    /// The choices that belong to `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A uniform number.
    pub(crate) fn number(self, purpose: &str, entity: u64, counter: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(purpose, entity, counter, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`; the bias of at most `bound / 2^64` is of no account here.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    pub(crate) fn below(self, bound: u64, purpose: &str, entity: u64, counter: u64) -> u64 {
        assert!(bound > 0, "nothing to choose from");
        let wide = u128::from(self.number(purpose, entity, counter)) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// `true` in `percent` of 100 cases.
    pub(crate) fn chance(self, percent: u64, purpose: &str, entity: u64, counter: u64) -> bool {
        self.below(100, purpose, entity, counter) < percent
    }

    /// A number within `range`, both ends included.
    pub(crate) fn within(
        self,
        range: &RangeInclusive<u64>,
        purpose: &str,
        entity: u64,
        counter: u64,
    ) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1, purpose, entity, counter)
    }

    /// An index below `count`.
    pub(crate) fn pick(self, count: usize, purpose: &str, entity: u64, counter: u64) -> usize {
        let choice = self.below(count as u64, purpose, entity, counter);
        usize::try_from(choice).expect("below a usize")
    }

    /// Fills `buffer` with bytes of any length.
    pub(crate) fn fill(self, purpose: &str, entity: u64, counter: u64, buffer: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_derive_key("grove-sim 2026 random choice");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&entity.to_le_bytes());
        hasher.update(&counter.to_le_bytes());
        // Last, so that no length is needed to keep the parts apart.
        hasher.update(purpose.as_bytes());
        hasher.finalize_xof().fill(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_part_of_the_name_changes_the_choice() {
        let choices = [
            Draw::new(1).number("cut", 1, 1),
            Draw::new(2).number("cut", 1, 1),
            Draw::new(1).number("heal", 1, 1),
            Draw::new(1).number("cut", 2, 1),
            Draw::new(1).number("cut", 1, 2),
        ];

        assert_eq!(choices.iter().collect::<BTreeSet<_>>().len(), choices.len());
        assert_eq!(choices[0], Draw::new(1).number("cut", 1, 1));
    }

    #[test]
    fn small_bounds_are_filled_evenly() {
        let mut counts = [0_u32; 5];

        for counter in 0..5_000 {
            let choice = Draw::new(7).below(5, "die", 0, counter);
            counts[usize::try_from(choice).expect("below five")] += 1;
        }

        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}
