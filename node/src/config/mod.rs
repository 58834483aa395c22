//! What an operator can set, the directory a node keeps its data in, and why a node does not start.
//!
//! | file | holds |
//! | --- | --- |
//! | `settings` | what the command line and the environment say |
//! | `network` | those of them that concern other nodes |
//! | `node_key` | the key by which a node proves to others who it is |
//! | `data_dir` | the one directory that holds everything, readable by its owner alone, for one node at a time |
//! | `error` | why a node did not start, and what to do about it |

mod data_dir;
mod error;
mod network;
mod node_key;
mod settings;

pub use data_dir::DataDir;
pub(crate) use data_dir::{is_passing, lock};
pub use error::StartError;
pub use network::{NodeAddress, PeerSettings, SharedKey};
pub use settings::{Config, DatabaseUrl, LogLevel, SchemaChoice};
