//! What an operator can set, the directory a node keeps its data in, and why a node does not start.
//!
//! | file | holds |
//! | --- | --- |
//! | `settings` | what the command line and the environment say |
//! | `data_dir` | the one directory that holds everything, readable by its owner alone, for one node at a time |
//! | `error` | why a node did not start, and what to do about it |

mod data_dir;
mod error;
mod settings;

pub use data_dir::DataDir;
pub(crate) use data_dir::{is_passing, lock};
pub use error::StartError;
pub use settings::{Config, DatabaseUrl, LogLevel, SchemaChoice};
