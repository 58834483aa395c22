//! L2: once the network is whole again, every client gets its answers and comes to the end of its steps.
//!
//! Does not check: how long it took while something was wrong.

use crate::evidence::Violation;

const NAME: &str = "clients_finish";

/// Clients that are still waiting when nobody should.
pub(crate) fn check(waiting: &[usize], seconds: u64) -> Result<(), Violation> {
    match waiting.first() {
        None => Ok(()),
        Some(client) => Err(Violation {
            invariant: NAME,
            difference: format!("client-{client} still waits after {seconds} quiet seconds"),
        }),
    }
}
