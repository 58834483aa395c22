//! Nodes with threads over databases in files.

use std::path::Path;

use grove_core::session::PeerId;
use grove_node::engine::EngineSettings;
use grove_node::runtime::{Node, Stop, ThreadedNode};
use grove_node::store::SqliteStore;
use tempfile::TempDir;

/// A folder for one node after the other, removed at the end.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(tempfile::Builder::new().prefix(name).tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn start(&self) -> (Node, Stop) {
        self.start_with(EngineSettings::new(PeerId([0; 32])))
    }

    pub(crate) fn start_with(&self, settings: EngineSettings) -> (Node, Stop) {
        let store = SqliteStore::open(&self.path().join("node.sqlite")).unwrap();
        ThreadedNode::start(store, settings).unwrap()
    }
}
