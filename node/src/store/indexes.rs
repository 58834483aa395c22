//! Which indexes questions for documents are worth, beyond those every database has.
//!
//! Nobody knows beforehand by which fields documents will be sought and ordered, and an index on each
//! would cost more than all the rest. So a question that has to go through a large table says which index
//! it would have used, and the writer makes it when it has time. Answers do not depend on any of this.
//!
//! Strangers choose what they ask, so a schema has few such indexes at a time: a new one takes the place
//! of one that nobody has used for long, or has to wait.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use grove_core::types::{FieldType, Schema, Value};

use super::query::{Condition, DocumentQuery, OrderBy, Standing, Test};

/// Tables of fewer documents are gone through faster than an index is worth.
pub(super) const TABLE_SIZE_MIN: u64 = 500;

/// Indexes of a schema at a time.
const INDEXES_MAX: usize = 8;

/// After how many questions without any use of it an index may give way.
const UNUSED_MAX: u64 = 1_000;

/// Up to how many documents, of so many there are, are sought by a condition and then ordered for a page.
///
/// Of more, so many meet the condition that going through all in their order finds the page sooner: of
/// those, one for each document of the page times all over those that meet it.
pub(super) fn few(documents: u64, page: u32) -> u32 {
    let few = documents.saturating_mul(page.clamp(1, 100).into()).isqrt();
    u32::try_from(few).unwrap_or(u32::MAX - 1).max(1_000)
}

/// What an index orders documents by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The value of a field, by the field's number in its schema.
    Value(usize),
    /// What of a field's value decides about the order of documents, where that is something else.
    Key(usize),
    /// The author of the CREATE.
    Owner,
    /// Whether the document was changed.
    Edited,
    /// The id of the current view.
    View,
    /// What of the view id decides about the order of documents.
    ViewKey,
}

impl Part {
    /// Whether it stands in the table of the schema's fields; the others are kept for all documents
    /// alike.
    pub fn is_field(self) -> bool {
        matches!(self, Self::Value(_) | Self::Key(_))
    }
}

/// An index: the parts, then the document's id. All parts stand in one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index(Vec<Part>);

impl Index {
    /// The index on this alone.
    pub fn on(part: Part) -> Self {
        Self(vec![part])
    }

    /// The parts in their order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The name among those of a schema, for instance `_v0_k3`.
    pub fn name(&self) -> String {
        let part = |part: &Part| match part {
            Part::Value(field) => format!("_v{field}"),
            Part::Key(field) => format!("_k{field}"),
            Part::Owner => "_owner".to_owned(),
            Part::Edited => "_edited".to_owned(),
            Part::View => "_view".to_owned(),
            Part::ViewKey => "_viewkey".to_owned(),
        };
        self.0.iter().map(part).collect()
    }

    /// The name among all indexes of a database, for instance `asked_7_v0_k3`.
    pub fn full_name(&self, schema: i64) -> String {
        format!("asked_{schema}{}", self.name())
    }

    /// The schema and the index of such a name.
    pub fn from_full_name(name: &str) -> Option<(i64, Self)> {
        let rest = name.strip_prefix("asked_")?;
        let (schema, _) = rest.split_once('_')?;
        let index = Self::from_name(&rest[schema.len()..])?;
        Some((schema.parse().ok()?, index))
    }

    /// The index of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let part = |part: &str| {
            Some(match part {
                "owner" => Part::Owner,
                "edited" => Part::Edited,
                "view" => Part::View,
                "viewkey" => Part::ViewKey,
                _ => match part.split_at_checked(1)? {
                    ("v", field) => Part::Value(field.parse().ok()?),
                    ("k", field) => Part::Key(field.parse().ok()?),
                    _ => return None,
                },
            })
        };
        let parts: Option<Vec<_>> = name.strip_prefix('_')?.split('_').map(part).collect();
        parts.map(Self)
    }
}

/// What leads to the documents of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessPath {
    /// All documents in their order, the conditions asked of each.
    Order,
    /// The authors in their order, and the documents of each.
    Owners,
    /// The documents that the question names, ordered afterwards.
    Ids,
    /// Those that meet the conditions on this, ordered afterwards.
    Condition(Part),
    /// Those that meet the conditions on this, which are in order already.
    Both(Part),
}

impl AccessPath {
    /// Whether conditions on this are what documents are found by.
    pub fn finds_by(self, part: Part) -> bool {
        matches!(self, Self::Condition(path) | Self::Both(path) if path == part)
    }
}

/// How documents of a question may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccessPaths {
    /// Whether the question names the documents it may find.
    named: bool,
    /// What the most telling condition is on, and whether it leaves one value only.
    narrow: Option<(Part, bool)>,
    /// What decides about the order; the id alone when `None`.
    order: Option<Part>,
}

impl AccessPaths {
    /// The paths to the live documents of a question; deleted ones are not sought often enough.
    pub(super) fn of(schema: &Schema, query: &DocumentQuery) -> Option<Self> {
        if query.standing == Standing::Deleted {
            return None;
        }
        let named = |condition: &Condition| matches!(condition, Condition::Document(true, _));
        let narrow = query
            .conditions
            .iter()
            .enumerate()
            .filter_map(|(at, condition)| {
                let (rank, part, single) = telling(schema, condition)?;
                Some((rank, at, part, single))
            })
            .min_by_key(|(rank, at, ..)| (*rank, *at))
            .map(|(_, _, part, single)| (part, single));
        let order = match &query.order.by {
            OrderBy::DocumentId => None,
            OrderBy::ViewId => Some(Part::ViewKey),
            OrderBy::Owner => Some(Part::Owner),
            OrderBy::Edited => Some(Part::Edited),
            OrderBy::Field(name) => Some(key_part(field(schema, name)?)),
        };
        Some(Self {
            named: query.conditions.iter().any(named),
            narrow,
            order,
        })
    }

    /// The most telling condition, for counting; `None` when there is a shorter path.
    pub(super) fn narrow(&self) -> Option<Part> {
        self.narrow.filter(|_| !self.named).map(|(part, _)| part)
    }

    /// Which path to take, as far as there are indexes. `has` tells of each whether there is, `is_few`
    /// whether few documents meet the conditions on a part.
    pub(super) fn choose<E>(
        &self,
        mut has: impl FnMut(Index) -> Result<bool, E>,
        is_few: impl FnOnce(Part) -> Result<bool, E>,
    ) -> Result<AccessPath, E> {
        if self.named {
            return Ok(AccessPath::Ids);
        }
        let Some((part, single)) = self.narrow else {
            return self.in_order(&mut has);
        };
        if self.order == Some(part) && part != Part::Owner {
            has(Index::on(part))?;
            return Ok(AccessPath::Both(part));
        }
        let composable = self
            .order
            .is_none_or(|order| order.is_field() == part.is_field() && order != Part::Owner);
        if single && composable {
            let parts = [part].into_iter().chain(self.order).collect();
            let found = has(Index(parts))?;
            return Ok(if found {
                AccessPath::Both(part)
            } else {
                AccessPath::Order
            });
        }
        let in_order = self.in_order(&mut has)?;
        let found = has(Index::on(part))? && is_few(part)?;
        Ok(if found {
            AccessPath::Condition(part)
        } else {
            in_order
        })
    }

    fn in_order<E>(&self, has: &mut impl FnMut(Index) -> Result<bool, E>) -> Result<AccessPath, E> {
        let Some(order) = self.order else {
            return Ok(AccessPath::Order);
        };
        let found = has(Index::on(order))?;
        Ok(if found && order == Part::Owner {
            AccessPath::Owners
        } else {
            AccessPath::Order
        })
    }
}

/// What a condition is on, when few documents may meet it and an index would find them: how telling it is
/// likely to be, lower being better, and whether it leaves one value only.
fn telling(schema: &Schema, condition: &Condition) -> Option<(u8, Part, bool)> {
    Some(match condition {
        Condition::View(true, ids) => (0, Part::View, ids.len() == 1),
        Condition::Field(name, Test::Among(true, values)) => {
            let (number, field_type) = field(schema, name)?;
            let single = values.len() == 1;
            match field_type {
                FieldType::Bool => (5, Part::Value(number), single),
                _ if single => (1, Part::Value(number), true),
                _ => (2, Part::Value(number), false),
            }
        }
        Condition::Owner(true, keys) => (3, Part::Owner, keys.len() == 1),
        Condition::Field(name, Test::Compared(_, value)) if !is_nan(value) => {
            (4, Part::Value(field(schema, name)?.0), false)
        }
        Condition::Edited(_) => (6, Part::Edited, true),
        _ => return None,
    })
}

/// What a condition is on, if an index could help with it.
pub(super) fn part_of(schema: &Schema, condition: &Condition) -> Option<Part> {
    telling(schema, condition).map(|(_, part, _)| part)
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(float) if float.is_nan())
}

/// What decides about the order by a field. Of numbers it is the value itself.
fn key_part((number, field_type): (usize, &FieldType)) -> Part {
    match is_ordered_by_key(field_type) {
        true => Part::Key(number),
        false => Part::Value(number),
    }
}

/// Whether something else than the value itself decides about the order by a field of this type.
pub(super) fn is_ordered_by_key(field_type: &FieldType) -> bool {
    !matches!(
        field_type,
        FieldType::Bool | FieldType::Int | FieldType::Float
    )
}

/// The number and the type of a field.
pub(super) fn field<'s>(schema: &'s Schema, name: &str) -> Option<(usize, &'s FieldType)> {
    let mut fields = schema.fields().iter().enumerate();
    let (number, (_, field_type)) = fields.find(|(_, (field, _))| field.as_str() == name)?;
    Some((number, field_type))
}

/// Tells that there is something to be made.
type Tell = Box<dyn Fn() + Send + Sync>;

/// What all connections to a database know of its indexes, and what they would like.
#[derive(Clone, Default)]
pub struct IndexAdvisor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    schemas: Mutex<BTreeMap<i64, SchemaUsage>>,
    tell: OnceLock<Tell>,
}

impl fmt::Debug for IndexAdvisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IndexAdvisor").field(&self.lock()).finish()
    }
}

/// What questions ask of the documents of a schema.
#[derive(Debug, Default)]
struct SchemaUsage {
    questions: u64,
    /// The indexes there are, with the question that used each last.
    made: BTreeMap<Index, u64>,
    /// The index to be made next.
    wanted: Option<Index>,
}

/// Something to do for the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexAdvice {
    /// The number of the schema.
    pub schema: i64,
    /// The index to make.
    pub make: Index,
    /// The index that gives way to it.
    pub drop: Option<Index>,
}

impl IndexAdvisor {
    /// Whom to tell that an index is wanted. Only the first is told.
    pub fn on_advice(&self, tell: Tell) {
        let _ = self.0.tell.set(tell);
    }

    /// Whether there is this index; if so, it is going to be used.
    pub fn has(&self, schema: i64, index: &Index) -> bool {
        let mut schemas = self.lock();
        let usage = schemas.entry(schema).or_default();
        usage.questions += 1;
        let questions = usage.questions;
        let used = usage.made.get_mut(index);
        used.map(|used| *used = questions).is_some()
    }

    /// Whether there is an index that begins with this part.
    pub fn begins(&self, schema: i64, part: Part) -> bool {
        let schemas = self.lock();
        let usage = schemas.get(&schema);
        usage.is_some_and(|usage| usage.made.keys().any(|index| index.0[0] == part))
    }

    /// Asks for an index.
    pub fn advise(&self, schema: i64, index: Index) {
        let mut schemas = self.lock();
        let usage = schemas.entry(schema).or_default();
        let has_room = usage.made.len() < INDEXES_MAX || usage.unused().is_some();
        if has_room && !usage.made.contains_key(&index) {
            usage.wanted.get_or_insert(index);
            drop(schemas);
            if let Some(tell) = self.0.tell.get() {
                tell();
            }
        }
    }

    /// What to make next.
    pub fn next(&self) -> Option<IndexAdvice> {
        let mut schemas = self.lock();
        schemas.iter_mut().find_map(|(schema, usage)| {
            let make = usage.wanted.take()?;
            let is_full = usage.made.len() >= INDEXES_MAX;
            let drop = is_full.then(|| usage.unused().cloned()).flatten();
            if is_full && drop.is_none() {
                return None;
            }
            // Nothing else is wanted until this is done.
            usage.wanted = Some(make.clone());
            Some(IndexAdvice {
                schema: *schema,
                make,
                drop,
            })
        })
    }

    /// Notes that an index was made, or (`false`) can't be.
    pub fn done(&self, advice: &IndexAdvice, made: bool) {
        let mut schemas = self.lock();
        let usage = schemas.entry(advice.schema).or_default();
        usage.wanted = None;
        if made {
            if let Some(index) = &advice.drop {
                usage.made.remove(index);
            }
            usage.made.insert(advice.make.clone(), usage.questions);
        }
    }

    /// Whether anything was asked for that is not there.
    pub fn waits(&self) -> bool {
        self.lock().values().any(|usage| usage.wanted.is_some())
    }

    /// Notes which indexes there are, whoever made them, by their full names.
    pub fn are(&self, names: &[String]) {
        let mut found: BTreeMap<i64, BTreeSet<Index>> = BTreeMap::new();
        for (schema, index) in names.iter().filter_map(|name| Index::from_full_name(name)) {
            found.entry(schema).or_default().insert(index);
        }
        let mut schemas = self.lock();
        for (schema, usage) in schemas.iter_mut() {
            let there = found.get(schema);
            let is_there = |index: &Index| there.is_some_and(|there| there.contains(index));
            usage.made.retain(|index, _| is_there(index));
            usage.wanted.take_if(|index| is_there(index));
        }
        for (schema, there) in found {
            let usage = schemas.entry(schema).or_default();
            for index in there {
                usage.made.entry(index).or_insert(usage.questions);
            }
        }
    }

    /// Forgets which indexes there are.
    #[cfg(test)]
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// A panic while the lock was held left at worst a number behind.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, SchemaUsage>> {
        self.0
            .schemas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl SchemaUsage {
    /// The index that nobody has used for longest, if that is long enough.
    fn unused(&self) -> Option<&Index> {
        let (index, used) = self.made.iter().min_by_key(|(_, used)| **used)?;
        (self.questions - used > UNUSED_MAX).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_indexes() {
        let parts = [
            Part::Value(0),
            Part::Key(12),
            Part::Owner,
            Part::Edited,
            Part::View,
            Part::ViewKey,
        ];
        for first in parts {
            let one = Index(vec![first]);
            assert_eq!(Index::from_name(&one.name()), Some(one));
            for second in parts {
                let two = Index(vec![first, second]);
                assert_eq!(Index::from_name(&two.name()), Some(two));
            }
        }
        for foreign in ["", "_", "_x1", "_v", "_v1_", "v1", "_ownerx"] {
            assert_eq!(Index::from_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_index_in_use_is_not_given_up_for_a_new_one() {
        let advisor = IndexAdvisor::default();
        let index = |number| Index(vec![Part::Value(number)]);
        for number in 0..INDEXES_MAX {
            advisor.advise(1, index(number));
            let advice = advisor.next().unwrap();
            assert_eq!(advice.drop, None);
            advisor.done(&advice, true);
        }

        advisor.advise(1, index(100));
        assert_eq!(advisor.next(), None, "all were made just now");
        for _ in 0..=UNUSED_MAX {
            assert!(advisor.has(1, &index(0)));
        }
        advisor.advise(1, index(100));
        let advice = advisor.next().unwrap();
        assert_eq!(advice.drop, Some(index(1)), "the one used is kept");
        advisor.done(&advice, true);

        assert!(advisor.has(1, &index(100)) && !advisor.has(1, &index(1)));
        assert_eq!(advisor.next(), None);
    }
}
