//! A p2panda client: keys, signing, publishing and queries.
//!
//! | module | holds |
//! | --- | --- |
//! | [`transport`] | bytes to a node and back, over any stream |
//! | [`api`] | what writing asks of a node, and how a node refuses |
//! | [`rpc`], [`graphql`] | the two APIs of a node |
//! | [`session`] | creating, updating and deleting, with safe retries |

pub mod api;
pub mod graphql;
pub mod rpc;
pub mod session;
pub mod transport;

pub use api::{Api, ApiError, DocumentRef, NodeRefusal};
pub use graphql::GraphqlClient;
pub use rpc::RpcClient;
pub use session::{Session, SessionError};
pub use transport::{HttpTransport, Transport};
