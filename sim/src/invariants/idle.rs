//! L5: nodes that agree and are left alone have nothing to say to each other.
//!
//! Does not check: what hostile nodes say, and what is said to them.

use crate::evidence::Violation;

const NAME: &str = "quiet_nodes_are_silent";

/// Messages between honest nodes during a time without news.
pub(crate) fn check(messages: u64, seconds: u64) -> Result<(), Violation> {
    if messages == 0 {
        return Ok(());
    }
    Err(Violation {
        invariant: NAME,
        difference: format!("{messages} replication messages in {seconds} s without any news"),
    })
}
