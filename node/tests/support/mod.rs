//! Nodes with threads over databases in files.

use std::path::PathBuf;

use grove_core::session::PeerId;
use grove_node::engine::EngineSettings;
use grove_node::runtime::{Node, Stop, ThreadedNode};
use grove_node::store::SqliteStore;

/// A folder for one node after the other, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grove-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn start(&self) -> (Node, Stop) {
        let store = SqliteStore::open(&self.0.join("node.sqlite")).unwrap();
        ThreadedNode::start(store, EngineSettings::new(PeerId([0; 32]))).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
