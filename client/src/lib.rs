//! A p2panda client: keys, signing, publishing and queries.
//!
//! ```no_run
//! use grove_client::{Definition, GraphqlClient, HttpTransport, Session, keys, values};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let node = GraphqlClient::new(HttpTransport::connect("http://127.0.0.1:2020")?);
//! let mut session = Session::new(keys::generate()?, node);
//!
//! let definition = Definition::parse("name = 'venue'\n[fields]\nname = 'str'\nseats = 'int'")?;
//! let schema = definition.publish(&mut session).await?.schema;
//!
//! let fields = values::fields_from_text([("name", "Chapel"), ("seats", "120")], &schema)?;
//! let venue = session.create(&schema, fields).await?;
//! let fields = values::fields_from_text([("seats", "80")], &schema)?;
//! let venue = session.update(&schema, &venue, fields).await?;
//! session.delete(&schema, &venue).await?;
//! # Ok(())
//! # }
//! ```
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
//! | [`turn`], [`heads`] | processes that share a key: one at a time, and what each has written |

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod definition;
pub mod graphql;
pub mod heads;
pub mod keys;
pub mod read;
pub mod rpc;
pub mod session;
pub mod transport;
pub mod turn;
pub mod values;

pub use api::{Api, ApiError, DocumentRef, NodeRefusal};
pub use definition::Definition;
pub use graphql::GraphqlClient;
pub use heads::Heads;
pub use rpc::RpcClient;
pub use session::{Session, SessionError};
pub use transport::{HttpTransport, Transport};
pub use turn::Turn;
