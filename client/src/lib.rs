//! A p2panda client: keys, signing, publishing and queries.
//!
//! | module | holds |
//! | --- | --- |
//! | [`transport`] | bytes to a node and back, over any stream |
//! | [`api`] | what writing asks of a node, and how a node refuses |
//! | [`rpc`], [`graphql`] | the two APIs of a node |
//! | [`session`] | creating, updating and deleting, with safe retries |
//! | [`read`] | documents reduced here from a node's entries |
//! | [`values`] | field values from JSON and text, and back |
//! | [`definition`] | schemas written as TOML, and their publication |
//! | [`keys`] | private keys in files |

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod definition;
pub mod graphql;
pub mod keys;
pub mod read;
pub mod rpc;
pub mod session;
pub mod transport;
pub mod values;

pub use api::{Api, ApiError, DocumentRef, NodeRefusal};
pub use definition::Definition;
pub use graphql::GraphqlClient;
pub use rpc::RpcClient;
pub use session::{Session, SessionError};
pub use transport::{HttpTransport, Transport};
