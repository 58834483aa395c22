//! What carries a plan out.
//!
//! | module | runs | for |
//! | --- | --- | --- |
//! | `fast` | engines and client sessions; messages are events in a queue | search, shrinking, exploration |
//! | `full` | the real shells on simulated TCP | what the fast engine leaves out |

pub(crate) mod fast;
pub(crate) mod full;
