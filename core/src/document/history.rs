//! What every view of one document shows, kept up operation by operation (DO1–D11, R4, R5).
//!
//! The handbook's walk is the preorder of a tree: an operation hangs below the one of its `previous` that
//! the walk meets last, for there it is looked at when nothing it waits for is missing; what hangs below
//! one operation ascends by id. An operation that joins is a leaf, so it moves no other, and a view that
//! sees fewer operations walks the same tree without the rest. So of two operations it can be told which
//! comes first without walking anything, and the state of a view is, field by field, the last setter of
//! those its tips inherited.
//!
//! Holds no values: who asks knows the operations. Their order of joining never matters, as long as each
//! joins after what it was made on top of.
//!
//! Always true:
//! - The state of any view is that of [`Graph`](super::Graph) reduced at it.
//! - Joining costs the operation's own fields and `previous`, times the logarithm of the history.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::GraphError;
use crate::types::{DocumentViewId, OperationId, SchemaId};
use crate::wire::Operation;

/// In place of the number of an operation where there is none.
const NONE: u32 = u32::MAX;

/// Fields whose setters are kept together: what an operation does not set it shares with those before it.
const CHUNK_LEN: usize = 16;

/// The operations of one document with the state each of them led to.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// In the order in which they joined.
    nodes: Vec<Node>,
    numbers: BTreeMap<OperationId, u32>,
    /// What each was made on top of, one after the other.
    edges: Vec<u32>,
    schema_id: Option<SchemaId>,
    /// Number of each field, in the order in which they were met.
    fields: BTreeMap<String, usize>,
    tips: BTreeSet<OperationId>,
    /// The state of all of them together.
    whole: State,
    work: Cell<u64>,
}

#[derive(Debug, Clone)]
struct Node {
    id: OperationId,
    /// The operation below which this one hangs; its own number for the CREATE.
    parent: u32,
    /// One far above, so that going up takes few steps.
    jump: u32,
    depth: u32,
    /// Longest way back to the CREATE.
    generation: u32,
    has_children: bool,
    /// Where its part of `edges` begins; it ends where the next one's begins.
    edges_from: usize,
    state: State,
}

/// Who set each field last, as far as some operations tell.
#[derive(Debug, Clone)]
struct State {
    /// The first DELETE of the walk.
    deleted: u32,
    setters: Arc<Vec<Arc<[u32; CHUNK_LEN]>>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            deleted: NONE,
            setters: Arc::default(),
        }
    }
}

impl State {
    fn setter(&self, field: usize) -> u32 {
        let chunk = self.setters.get(field / CHUNK_LEN);
        chunk.map_or(NONE, |chunk| chunk[field % CHUNK_LEN])
    }

    fn set(&mut self, field: usize, setter: u32) {
        let chunks = Arc::make_mut(&mut self.setters);
        while chunks.len() <= field / CHUNK_LEN {
            chunks.push(Arc::new([NONE; CHUNK_LEN]));
        }
        Arc::make_mut(&mut chunks[field / CHUNK_LEN])[field % CHUNK_LEN] = setter;
    }
}

/// What a view shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewState<'h> {
    /// The tips of what the view sees, or the first DELETE among them.
    pub view_id: DocumentViewId,
    /// The operation that set each field last; `None` when the document is deleted.
    pub setters: Option<BTreeMap<&'h str, OperationId>>,
}

impl History {
    /// The history of these operations, each of which comes after what it was made on top of.
    pub fn build<'a, V: 'a>(
        operations: impl IntoIterator<Item = (OperationId, &'a Operation<V>)>,
    ) -> Result<Self, GraphError> {
        let mut history = Self::default();
        for (id, operation) in operations {
            history.join(id, operation)?;
        }
        Ok(history)
    }

    /// How many operations joined.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether none joined.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether this operation joined.
    pub fn contains(&self, id: OperationId) -> bool {
        self.numbers.contains_key(&id)
    }

    /// How many operations and fields were looked at so far.
    pub fn work(&self) -> u64 {
        self.work.get()
    }

    fn spend(&self, work: usize) {
        self.work.set(self.work.get().saturating_add(work as u64));
    }

    /// Adds an operation after everything it was made on top of. One that can't join changes nothing.
    pub fn join<V>(&mut self, id: OperationId, operation: &Operation<V>) -> Result<(), GraphError> {
        if self.numbers.contains_key(&id) {
            return Err(GraphError::OperationDuplicate(id));
        }
        let previous = self.previous_of(id, operation)?;
        let number = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        assert_ne!(number, NONE, "a document has fewer operations");

        let mut node = self.hang(id, number, &previous);
        node.state = self.inherited(&previous);
        for before in &previous {
            let before = &mut self.nodes[*before as usize];
            if !std::mem::replace(&mut before.has_children, true) {
                self.tips.remove(&before.id);
            }
        }
        self.schema_id
            .get_or_insert_with(|| operation.schema_id().clone());
        self.edges.extend(previous);
        self.numbers.insert(id, number);
        self.nodes.push(node);
        //= DV1: a view id is the set of operations nothing was made on top of
        self.tips.insert(id);
        self.apply(number, operation);
        Ok(())
    }

    /// The numbers of what an operation was made on top of.
    fn previous_of<V>(
        &self,
        id: OperationId,
        operation: &Operation<V>,
    ) -> Result<Vec<u32>, GraphError> {
        let is_first = self.nodes.is_empty();
        let Some(previous) = operation.previous() else {
            //= DO1: one CREATE, and only one
            return match is_first {
                true => Ok(Vec::new()),
                false => Err(GraphError::CreateDuplicate(id)),
            };
        };
        if is_first {
            return Err(GraphError::CreateMissing);
        }
        if self.schema_id.as_ref() != Some(operation.schema_id()) {
            return Err(GraphError::SchemaMismatch(id));
        }
        //= DO3: an operation refers only to operations of the same graph
        let number = |previous: &OperationId| {
            let number = self.numbers.get(previous).copied();
            number.ok_or(GraphError::PreviousNotFound {
                operation: id,
                previous: *previous,
            })
        };
        previous.ids().iter().map(number).collect()
    }

    /// Finds the place of an operation in the tree.
    fn hang(&self, id: OperationId, number: u32, previous: &[u32]) -> Node {
        //= R4: a child is visited once all its previous are; the last of them gets to it
        let later = |a: u32, b: u32| if self.is_before(a, b) { b } else { a };
        let parent = previous.iter().copied().reduce(later);
        let parent = parent.unwrap_or(number);
        let (jump, depth) = match self.nodes.get(parent as usize) {
            None => (number, 0),
            Some(above) => {
                // Jumps of jumps of equal length make one of twice that length.
                let far = &self.nodes[above.jump as usize];
                let farther = &self.nodes[far.jump as usize];
                let is_even = above.depth - far.depth == far.depth - farther.depth;
                (if is_even { far.jump } else { parent }, above.depth + 1)
            }
        };
        let generations = previous
            .iter()
            .map(|at| self.nodes[*at as usize].generation);
        Node {
            id,
            parent,
            jump,
            depth,
            generation: generations.max().map_or(0, |highest| highest + 1),
            has_children: false,
            edges_from: self.edges.len(),
            state: State::default(),
        }
    }

    /// The state that several operations lead to together.
    fn inherited(&self, numbers: &[u32]) -> State {
        let Some((first, rest)) = numbers.split_first() else {
            return State::default();
        };
        let mut state = self.nodes[*first as usize].state.clone();
        for other in rest {
            self.merge(&mut state, &self.nodes[*other as usize].state);
        }
        state
    }

    /// Makes a state one of all operations that led to it or to the other one.
    fn merge(&self, state: &mut State, other: &State) {
        state.deleted = self.first(state.deleted, other.deleted);
        self.spend(1);
        if Arc::ptr_eq(&state.setters, &other.setters) {
            return;
        }
        for (chunk, theirs) in other.setters.iter().enumerate() {
            self.spend(1);
            let ours = state.setters.get(chunk);
            if ours.is_some_and(|ours| Arc::ptr_eq(ours, theirs)) {
                continue;
            }
            for (at, setter) in theirs.iter().enumerate() {
                let field = chunk * CHUNK_LEN + at;
                let ours = state.setter(field);
                if *setter != NONE && (ours == NONE || self.is_before(ours, *setter)) {
                    state.set(field, *setter);
                }
            }
        }
    }

    /// Applies the operation that joined last to its own state and to that of all.
    fn apply<V>(&mut self, number: u32, operation: &Operation<V>) {
        let at = number as usize;
        let Some(changed) = operation.fields() else {
            //= R5: any DELETE ends the document, and the first one met names the view
            let own = self.first(self.nodes[at].state.deleted, number);
            let whole = self.first(self.whole.deleted, number);
            self.nodes[at].state.deleted = own;
            self.whole.deleted = whole;
            return;
        };
        for name in changed.keys() {
            let next = self.fields.len();
            let field = match self.fields.get(name) {
                Some(field) => *field,
                None => *self.fields.entry(name.clone()).or_insert(next),
            };
            // It comes after everything that it knows of.
            self.nodes[at].state.set(field, number);
            let earlier = self.whole.setter(field);
            if earlier == NONE || self.is_before(earlier, number) {
                self.whole.set(field, number);
            }
        }
    }

    /// Which of two operations the walk meets first; any comes before none.
    fn first(&self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (NONE, other) | (other, NONE) => other,
            (a, b) if self.is_before(b, a) => b,
            _ => a,
        }
    }

    /// Whether the walk meets an operation before another one.
    fn is_before(&self, a: u32, b: u32) -> bool {
        let depth = |number: u32| self.nodes[number as usize].depth;
        let least = depth(a).min(depth(b));
        let (mut left, mut right) = (self.above(a, least), self.above(b, least));
        if left == right {
            //= DO7: what hangs below an operation comes after it
            return depth(a) < depth(b);
        }
        loop {
            self.spend(1);
            let (one, other) = (&self.nodes[left as usize], &self.nodes[right as usize]);
            if one.parent == other.parent {
                //= DO8: children are kept in ascending order of their ids
                return one.id < other.id;
            }
            // At the same depth, jumps are of the same length.
            (left, right) = match one.jump == other.jump {
                true => (one.parent, other.parent),
                false => (one.jump, other.jump),
            };
        }
    }

    /// The operation at this depth on the way up from another one.
    fn above(&self, mut number: u32, depth: u32) -> u32 {
        loop {
            self.spend(1);
            let node = &self.nodes[number as usize];
            if node.depth <= depth {
                return number;
            }
            let jump = &self.nodes[node.jump as usize];
            number = if jump.depth >= depth {
                node.jump
            } else {
                node.parent
            };
        }
    }

    /// What all operations lead to; `None` when there are none.
    pub fn current(&self) -> Option<ViewState<'_>> {
        let tips = DocumentViewId::from_tips(self.tips.iter().copied())?;
        Some(self.shown(&self.whole, tips))
    }

    /// What a view shows: all it names, and what led to it.
    pub fn at_view(&self, view_id: &DocumentViewId) -> Result<ViewState<'_>, GraphError> {
        let number = |id: &OperationId| {
            let number = self.numbers.get(id).copied();
            number.ok_or(GraphError::ViewNotFound(*id))
        };
        let numbers: Vec<u32> = view_id.ids().iter().map(number).collect::<Result<_, _>>()?;
        let state = self.inherited(&numbers);
        let covered = self.covered(&numbers);
        let tips = view_id.ids().iter().zip(&numbers);
        let tips = tips.filter(|(_, number)| !covered.contains(*number));
        let tips = DocumentViewId::from_tips(tips.map(|(id, _)| *id)).ok_or(GraphError::Cycle)?;
        Ok(self.shown(&state, tips))
    }

    /// Those of some operations on top of which others of them were made, at whatever distance.
    fn covered(&self, numbers: &[u32]) -> BTreeSet<u32> {
        let node = |number: u32| &self.nodes[number as usize];
        let mut found = BTreeSet::new();
        let below = numbers.iter().filter(|number| node(**number).has_children);
        let candidates: BTreeSet<u32> = below.copied().collect();
        let floor = candidates.iter().map(|number| node(*number).generation);
        let (Some(floor), true) = (floor.min(), numbers.len() > 1) else {
            return found;
        };
        // What is made on top of another one is of a later generation.
        let mut seen = BTreeSet::new();
        let mut open: Vec<u32> = numbers.to_vec();
        while let Some(number) = open.pop() {
            for before in self.previous(number) {
                self.spend(1);
                if node(*before).generation < floor || !seen.insert(*before) {
                    continue;
                }
                if candidates.contains(before) {
                    found.insert(*before);
                }
                open.push(*before);
            }
            if found.len() == candidates.len() {
                break;
            }
        }
        found
    }

    fn previous(&self, number: u32) -> &[u32] {
        let at = number as usize;
        let next = self.nodes.get(at + 1);
        let end = next.map_or(self.edges.len(), |next| next.edges_from);
        &self.edges[self.nodes[at].edges_from..end]
    }

    fn shown(&self, state: &State, tips: DocumentViewId) -> ViewState<'_> {
        let id = |number: u32| self.nodes[number as usize].id;
        if state.deleted != NONE {
            //= D11: the walk ends at a DELETE, which names the view
            return ViewState {
                view_id: id(state.deleted).into(),
                setters: None,
            };
        }
        let setters = self.fields.iter().filter_map(|(name, field)| {
            let setter = state.setter(*field);
            (setter != NONE).then(|| (name.as_str(), id(setter)))
        });
        ViewState {
            view_id: tips,
            setters: Some(setters.collect()),
        }
    }
}
