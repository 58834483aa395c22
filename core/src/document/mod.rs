//! Documents: the graph of operations, the order in which they apply, and the state they lead to.
//!
//! A pure function of the set of operations; in which order they arrived never matters.

mod graph;
mod history;
mod reduce;

pub use graph::{Graph, GraphError};
pub use history::{History, ViewState};
pub use reduce::{Document, Field};
