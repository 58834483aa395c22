//! Remembers documents that were asked with lately, so that those asked with over and over are parsed and
//! judged once.
//!
//! Whatever is remembered was judged by the node's schemas of one version; with the next it is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Document, Shared};

/// Texts of one generation in bytes. The older of two generations is forgotten when the younger one is full.
/// A document takes some dozen times the memory of its text.
const GENERATION_SIZE: usize = 128 << 10;

/// What a document counts at least: its type system is as large for a short text.
const DOCUMENT_SIZE_MIN: usize = 512;

/// Larger texts are not remembered.
const TEXT_SIZE_MAX: usize = 8 << 10;

/// Nor are those of more fields, to which fragments can make a short text grow.
const FIELDS_MAX: usize = 200;

/// Documents by their text.
#[derive(Default)]
pub(in crate::http::graphql) struct Kept(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    version: u64,
    young: HashMap<String, Shared>,
    young_size: usize,
    old: HashMap<String, Shared>,
}

impl Kept {
    /// The document of a text, by the schemas of a version.
    pub(in crate::http::graphql) fn get(&self, text: &str, version: u64) -> Option<Shared> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version {
            return None;
        }
        if let Some(document) = kept.young.get(text) {
            return Some(Arc::clone(document));
        }
        let (text, document) = kept.old.remove_entry(text)?;
        kept.insert(text, Arc::clone(&document));
        Some(document)
    }

    /// Keeps a document, unless it is large. What is described may depend on variables, and a subscription is
    /// asked for once and goes on.
    pub(in crate::http::graphql) fn insert(&self, text: String, version: u64, document: &Shared) {
        let is_large = text.len() > TEXT_SIZE_MAX || document.fields > FIELDS_MAX;
        let mut operations = document.executable.operations.iter();
        let is_followed = operations.any(|operation| operation.is_subscription());
        if is_large || is_followed || document.is_described {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if version > kept.version {
            *kept = Generations {
                version,
                ..Generations::default()
            };
        }
        if version == kept.version {
            kept.insert(text, Arc::clone(document));
        }
    }
}

impl Generations {
    fn insert(&mut self, text: String, document: Arc<Document>) {
        let size = text.len().max(DOCUMENT_SIZE_MIN);
        if self.young_size + size > GENERATION_SIZE {
            self.old = std::mem::take(&mut self.young);
            self.young_size = 0;
        }
        self.young_size += size;
        self.young.insert(text, document);
    }
}
