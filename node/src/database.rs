//! Which database a node keeps its data in: the file in its data directory, or what a URL names.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Config, DataDir, DatabaseUrl, StartError, is_passing, lock};
use crate::engine::EngineSettings;
use crate::runtime::{Node, Stop, ThreadedNode};
use crate::store::SqliteStore;
use crate::store::objects::Objects;
#[cfg(feature = "postgres")]
use crate::store::{PostgresStore, Server, StoreError};

/// A database that was chosen, not yet opened.
#[derive(Debug)]
pub enum ChosenDatabase {
    /// An SQLite file, which belongs to one process at a time.
    File {
        /// Where it is.
        path: PathBuf,
        /// Held as long as the file is used; `None` when the data directory is held already.
        lock: Option<File>,
        /// Where its large bytes are.
        objects: Arc<Objects>,
        /// How much room its disk is to have.
        free_min: u64,
    },
    /// A database on a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server {
        /// Which one.
        server: Box<Server>,
        /// Where its large bytes are. Without a place that all its nodes know they are in it.
        objects: Option<Arc<Objects>>,
    },
}

impl ChosenDatabase {
    /// The database that the operator wants.
    pub fn chosen(config: &Config, data: &DataDir) -> Result<Self, StartError> {
        let objects = |lasting| data.objects(config, lasting).map(Arc::new);
        let Some(DatabaseUrl(url)) = &config.database_url else {
            return Ok(Self::File {
                path: data.database(),
                lock: None,
                objects: objects(!is_passing(data.path()))?,
                free_min: config.disk_free_min,
            });
        };
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            if path.file_name().is_none() {
                return Err(StartError::DatabaseUrl);
            }
            return Ok(Self::File {
                lock: Some(lock(&path.with_added_extension("lock"), &path)?),
                objects: objects(!is_passing(&path))?,
                free_min: config.disk_free_min,
                path,
            });
        }
        #[cfg(not(feature = "postgres"))]
        return Err(StartError::NoServers);
        #[cfg(feature = "postgres")]
        {
            let server = url.parse().map_err(|_| StartError::DatabaseUrl)?;
            let objects = match &config.blobs_url {
                Some(_) => Some(objects(true)?),
                None => None,
            };
            Ok(Self::Server {
                server: Box::new(server),
                objects,
            })
        }
    }

    /// Starts a node over it. Blocks, and must not be called by an asynchronous task.
    pub fn start(&self, settings: EngineSettings) -> Result<(Node, Stop), StartError> {
        let started = match self {
            Self::File {
                path,
                objects,
                free_min,
                ..
            } => SqliteStore::open_with(path, Some(Arc::clone(objects)))
                .and_then(|store| ThreadedNode::start(store.with_free_min(*free_min), settings)),
            #[cfg(feature = "postgres")]
            Self::Server { server, objects } => PostgresStore::open_with(server, objects.clone())
                .and_then(|store| ThreadedNode::start(store, settings)),
        };
        started.map_err(|source| match self {
            Self::File { path, .. } => StartError::Database {
                path: path.clone(),
                source,
            },
            #[cfg(feature = "postgres")]
            Self::Server { .. } if is_misplaced(&source) => StartError::BlobsElsewhere,
            #[cfg(feature = "postgres")]
            Self::Server { server, .. } => StartError::Server {
                server: server.to_string(),
                source,
            },
        })
    }
}

/// Whether nothing is wrong but where blobs are said to be.
#[cfg(feature = "postgres")]
fn is_misplaced(error: &StoreError) -> bool {
    matches!(error, StoreError::OtherObjects | StoreError::NoObjects)
}
