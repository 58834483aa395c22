//! What carries a plan out.
//!
//! | module | runs |
//! | --- | --- |
//! | [`full`] | the real shells on a simulated network: HTTP, JSON-RPC, GraphQL, framing, SQLite |

pub(crate) mod full;
