//! Keyed randomness for what happens millions of times: a mix of seed, purpose, entity and counter.
//!
//! As [`Draw`](crate::draw::Draw) is, but a hundred times cheaper and for nothing that anybody could want to
//! predict. A choice never depends on how many choices came before it.

/// What a choice is for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(super) enum Purpose {
    Latency = 1,
    Jitter,
    Link,
    Meddle,
    Garble,
    Silence,
    Sync,
    Pump,
    Trick,
    Scheme,
}

/// The source of all such choices of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice {
    seed: u64,
}

/// The finaliser of SplitMix64: every bit of the input changes half the bits of the result.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) const fn number(self, purpose: Purpose, entity: u64, counter: u64) -> u64 {
        mix(mix(mix(self.seed ^ ((purpose as u64) << 56)) ^ entity) ^ counter)
    }

    /// A number below `bound`.
    pub(super) const fn below(
        self,
        bound: u64,
        purpose: Purpose,
        entity: u64,
        counter: u64,
    ) -> u64 {
        let wide = self.number(purpose, entity, counter) as u128 * bound as u128;
        (wide >> 64) as u64
    }

    pub(super) const fn chance(
        self,
        percent: u64,
        purpose: Purpose,
        entity: u64,
        counter: u64,
    ) -> bool {
        self.below(100, purpose, entity, counter) < percent
    }
}
