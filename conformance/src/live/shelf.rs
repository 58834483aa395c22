//! Documents that questions are asked about: published once a run, read by many cases, changed by none.
//!
//! Here is what a run remembers of them; `profiles/shelf` publishes them.

use serde_json::Value;

use crate::forge::Hash;

/// Which document of the shelf; what is asked for is compared as these.
pub(crate) type Place = usize;

/// The documents that are shown, by their places.
pub(crate) const SHOWN: [Place; 5] = [0, 1, 2, 3, 4];

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    pub schema_id: String,
    pub tag_schema_id: String,
    /// The shown documents, then the deleted one.
    pub ids: Vec<Hash>,
    /// The current view of each of those that are shown.
    pub views: Vec<String>,
    /// The three that they point at: red, green and blue.
    pub tags: [Hash; 3],
    /// The owner of places 0, 1 and 3, and that of the others.
    pub owners: [String; 2],
}

/// The place of the document that was deleted.
pub(crate) const DELETED: Place = 5;

/// The place of the document that was updated: its name became `beta2`.
pub(crate) const EDITED: Place = 1;

impl Shelf {
    /// The text with names in braces replaced by what they stand for here.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in [
            ("{red}", self.tags[0].hex()),
            ("{green}", self.tags[1].hex()),
            ("{blue}", self.tags[2].hex()),
            ("{a}", self.owners[0].clone()),
            ("{b}", self.owners[1].clone()),
            ("{A}", self.owners[0].to_uppercase()),
            ("{old-view}", self.ids[EDITED].hex()),
            ("{view}", self.views[EDITED].clone()),
            ("{nowhere}", Hash::of("nowhere").hex()),
            ("{deleted}", self.ids[DELETED].hex()),
            ("{S}", self.schema_id.clone()),
            ("{T}", self.tag_schema_id.clone()),
        ] {
            text = text.replace(name, &value);
        }
        for place in SHOWN {
            text = text.replace(&format!("{{{place}}}"), &self.ids[place].hex());
        }
        text
    }

    /// The place of a document in an answer.
    pub(crate) fn place_of(&self, document: &Value) -> Option<Place> {
        let id = document["meta"]["documentId"].as_str()?;
        self.ids.iter().position(|it| it.hex() == id)
    }

    /// The places on a page, in its order.
    pub(crate) fn places(&self, page: &Value) -> Vec<Option<Place>> {
        let documents = page["documents"].as_array().into_iter().flatten();
        documents.map(|document| self.place_of(document)).collect()
    }
}
