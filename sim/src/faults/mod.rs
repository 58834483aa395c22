//! What goes wrong in a simulation: on purpose in every seed, or to try the invariants.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cuts`] | links that are down for a while |
//! | [`copies`] | clients that go on from a copy, so that honest logs get branches |
//! | [`mishaps`] | what happens to nodes, disks, clocks and messages; hostile nodes |
//! | [`planted`] | bugs that an invariant must see, never on in an ordinary run |

pub mod copies;
pub mod cuts;
pub mod mishaps;
pub mod planted;
