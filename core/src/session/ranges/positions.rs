//! Sets of positions in the order in which a node accepted its entries, kept as runs.
//!
//! What a peer lacks is nearly always a stretch of what came lately, or everything: then a set takes as much
//! room as a number, however many entries it stands for.

/// A set of positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    /// First and last position of each run, ascending, with a gap between any two.
    runs: Vec<(i64, i64)>,
}

impl Positions {
    /// Those in a list, which may be in any order.
    pub fn of(mut positions: Vec<i64>) -> Self {
        positions.sort_unstable();
        let mut set = Self::default();
        for position in positions {
            set.push((position, position));
        }
        set
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Runs of positions, ascending: the first and the last of each.
    pub fn runs(&self) -> &[(i64, i64)] {
        &self.runs
    }

    /// Adds a position that is higher than all others, or is there already as the last one.
    pub fn append(&mut self, position: i64) {
        self.push((position, position));
    }

    /// Adds those of another set.
    pub fn extend(&mut self, other: &Self) {
        if self.is_empty() {
            self.runs.clone_from(&other.runs);
            return;
        }
        let mut runs = std::mem::take(&mut self.runs);
        runs.extend_from_slice(&other.runs);
        // Two ascending halves: sorting notices that.
        runs.sort();
        for run in runs {
            self.push(run);
        }
    }

    /// Takes out all up to a position.
    pub fn drop_until(&mut self, position: i64) {
        let gone = self.runs.partition_point(|(_, last)| *last <= position);
        self.runs.drain(..gone);
        if let Some((first, _)) = self.runs.first_mut() {
            *first = (*first).max(position.saturating_add(1));
        }
    }

    /// Makes it no more than so many runs, by closing gaps: it may hold more positions then, and none less.
    pub fn coarsen(&mut self, runs_max: usize) {
        while self.runs.len() > runs_max.max(1) {
            let runs = std::mem::take(&mut self.runs);
            let pairs = runs.chunks(2);
            self.runs = pairs
                .filter_map(|pair| Some((pair.first()?.0, pair.last()?.1)))
                .collect();
        }
    }

    /// Adds a run that begins no earlier than any other.
    fn push(&mut self, (first, last): (i64, i64)) {
        match self.runs.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.runs.push((first, last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn all(set: &Positions) -> BTreeSet<i64> {
        set.runs()
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .collect()
    }

    proptest! {
        #[test]
        fn runs_hold_what_a_set_holds(
            left in prop::collection::vec(0i64..60, 0..30),
            right in prop::collection::vec(0i64..60, 0..30),
            until in 0i64..60,
        ) {
            let mut set = Positions::of(left.clone());
            set.extend(&Positions::of(right.clone()));
            let mut expected: BTreeSet<i64> = left.into_iter().chain(right).collect();

            prop_assert_eq!(&all(&set), &expected);
            let gaps = set.runs().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
            prop_assert!(gaps, "{:?}", set);

            let mut coarse = set.clone();
            coarse.coarsen(3);
            prop_assert!(coarse.runs().len() <= 3);
            prop_assert!(all(&coarse).is_superset(&expected));

            set.drop_until(until);
            expected.retain(|position| *position > until);
            prop_assert_eq!(all(&set), expected);
        }
    }
}
