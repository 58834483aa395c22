//! The operation graph of one document and the handbook's walk over it (DO1–D10, R4).
//!
//! Nodes are kept in ascending order of their ids, so a node's rank stands for its id, and lists of
//! children ascend by themselves. Which operations belong to the document is the caller's to know.

use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{DocumentViewId, OperationId};
use crate::wire::Operation;

/// Operations of one document, connected to its CREATE.
#[derive(Debug)]
pub struct Graph<'a, V> {
    /// Ascending by id.
    nodes: Vec<(OperationId, &'a Operation<V>)>,
    /// The first bytes of the ids, so that a search stays within little memory.
    heads: Vec<u64>,
    /// Ranks of the operations made on top of each, ascending.
    children: Vec<Vec<usize>>,
    /// How many operations each was made on top of.
    parents: Vec<usize>,
    root: usize,
}

impl<'a, V> Graph<'a, V> {
    /// Connects the operations of one document, given in any order.
    pub fn build(
        operations: impl IntoIterator<Item = (OperationId, &'a Operation<V>)>,
    ) -> Result<Self, GraphError> {
        let mut nodes: Vec<_> = operations.into_iter().collect();
        nodes.sort_unstable_by_key(|(id, _)| *id);
        let twins = |pair: &&[(OperationId, _)]| fault!(OperationOnce, pair[0].0 == pair[1].0);
        if let Some(pair) = nodes.windows(2).find(twins) {
            return Err(GraphError::OperationDuplicate(pair[0].0));
        }
        //= DO1: one CREATE, and only one
        let root = find_root(&nodes)?;
        let schema_id = nodes[root].1.schema_id();

        let heads: Vec<u64> = nodes.iter().map(|(id, _)| id.hash().head()).collect();
        let mut children = vec![Vec::new(); nodes.len()];
        let mut parents = vec![0; nodes.len()];
        for (rank, (id, operation)) in nodes.iter().enumerate() {
            if fault!(DocumentSchema, operation.schema_id() != schema_id) {
                return Err(GraphError::SchemaMismatch(*id));
            }
            let previous = operation.previous().map_or(&[][..], DocumentViewId::ids);
            parents[rank] = previous.len();
            for parent in previous {
                //= DO3: an operation refers only to operations of the same graph
                let found = rank_of(&nodes, &heads, *parent).ok_or(GraphError::PreviousNotFound {
                    operation: *id,
                    previous: *parent,
                });
                children[altered!(PreviousFound, found?, found.unwrap_or(root))].push(rank);
            }
        }
        Ok(Self {
            nodes,
            heads,
            children,
            parents,
            root,
        })
    }

    /// The operations in the order in which they apply: depth first from the CREATE, the child with
    /// the lowest id first, each once and after everything it was made on top of.
    pub fn walk(&self) -> Result<Vec<(OperationId, &'a Operation<V>)>, GraphError> {
        let mut waiting_for = self.parents.clone();
        let mut sorted = Vec::with_capacity(self.nodes.len());
        // Each level remembers which of its node's children comes next.
        //= DO6: the CREATE comes first
        let mut stack = vec![(self.root, 0)];
        self.emit(self.root, &mut waiting_for, &mut sorted);
        while let Some((rank, next)) = stack.last_mut() {
            let children = &self.children[*rank];
            //= DO8: children are kept in ascending order of their ids
            let turn = altered!(LowestFirst, *next, children.len().wrapping_sub(*next + 1));
            let Some(&child) = children.get(turn) else {
                stack.pop();
                continue;
            };
            *next += 1;
            //= R4: a child is visited once all its previous are; the last of them gets to it
            let ready = altered!(
                AllPrevious,
                waiting_for[child] == 0,
                waiting_for[child] <= self.parents[child]
            );
            if ready {
                self.emit(child, &mut waiting_for, &mut sorted);
                //= DO7: what refers to the last one is looked at next
                //= DO9: a branch is followed to its end before the next one
                altered!(
                    DepthFirst,
                    stack.push((child, 0)),
                    stack.insert(0, (child, 0))
                );
            }
        }
        //= DO2: no operation refers to itself, directly or indirectly
        if fault!(GraphCycle, sorted.len() < self.nodes.len()) {
            Err(GraphError::Cycle)
        } else {
            Ok(sorted)
        }
    }

    //= R21: once, also when an operation names an ancestor beside its descendant
    /// Marks a node as visited. It then waits for more than there is, so that it is visited once.
    fn emit(
        &self,
        rank: usize,
        waiting_for: &mut [usize],
        sorted: &mut Vec<(OperationId, &'a Operation<V>)>,
    ) {
        //= D10: what was visited once is never ready again
        waiting_for[rank] = usize::MAX;
        for child in &self.children[rank] {
            waiting_for[*child] = waiting_for[*child].saturating_sub(1);
        }
        sorted.push(self.nodes[rank]);
    }

    /// The operations that nothing was made on top of, as view id (DV1).
    pub fn tips(&self) -> Option<DocumentViewId> {
        //= DV1: a view id is the set of operations nothing was made on top of
        let tips = self
            .nodes
            .iter()
            .zip(&self.children)
            .filter(|(_, children)| holds!(TipsOnly, children.is_empty()));
        DocumentViewId::from_tips(tips.map(|((id, _), _)| *id))
    }

    /// The part of the graph that an earlier view saw: its operations and all their ancestors.
    ///
    /// Each operation is looked at once, however many paths lead to it.
    pub fn at_view(&self, view_id: &DocumentViewId) -> Result<Self, GraphError> {
        let mut kept = vec![false; self.nodes.len()];
        let mut open = view_id.ids().to_vec();
        while let Some(id) = open.pop() {
            let Some(rank) = rank_of(&self.nodes, &self.heads, id) else {
                altered!(
                    ViewFound,
                    return Err(GraphError::ViewNotFound(id)),
                    continue
                )
            };
            let seen = std::mem::replace(&mut kept[rank], true);
            if holds!(LookedAtOnce, !seen) {
                open.extend(
                    self.nodes[rank]
                        .1
                        .previous()
                        .map_or(&[][..], DocumentViewId::ids),
                );
            }
        }
        let kept = self
            .nodes
            .iter()
            .zip(kept)
            .filter_map(|(node, kept)| kept.then_some(*node));
        Self::build(kept)
    }
}

fn rank_of<V>(
    nodes: &[(OperationId, &Operation<V>)],
    heads: &[u64],
    id: OperationId,
) -> Option<usize> {
    let head = id.hash().head();
    let start = heads.partition_point(|other| *other < head);
    // Two ids that begin alike are next to impossible, but nothing may become slow by them.
    let alike = match heads.get(start + 1) {
        Some(next) if *next == head => heads[start..].partition_point(|other| *other == head),
        _ => nodes.len().min(start + 1) - start,
    };
    let found = nodes[start..start + alike].binary_search_by(|(other, _)| other.cmp(&id));
    found.ok().map(|rank| start + rank)
}

/// Finds the one CREATE (DO1).
fn find_root<V>(nodes: &[(OperationId, &Operation<V>)]) -> Result<usize, GraphError> {
    let mut creates = nodes
        .iter()
        .enumerate()
        .filter(|(_, (_, op))| op.previous().is_none());
    let root = creates.next().map(|(rank, _)| rank);
    let root = altered!(
        CreateFound,
        root.ok_or(GraphError::CreateMissing)?,
        root.unwrap_or(0)
    );
    match creates.next() {
        Some((_, (id, _))) => altered!(CreateOnce, Err(GraphError::CreateDuplicate(*id)), Ok(root)),
        None => Ok(root),
    }
}

/// Why operations do not make up a document. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// No CREATE among the operations.
    #[error("no CREATE begins the document")]
    CreateMissing,
    /// A second CREATE.
    #[error("{0} is a second CREATE")]
    CreateDuplicate(OperationId),
    /// An operation was given twice.
    #[error("{0} is given twice")]
    OperationDuplicate(OperationId),
    /// An operation refers to one that is not there.
    #[error("{operation} refers to {previous}, which is not part of the document")]
    PreviousNotFound {
        /// The referring operation.
        operation: OperationId,
        /// The operation it refers to.
        previous: OperationId,
    },
    /// An operation follows another schema than the CREATE.
    #[error("{0} follows another schema than its document")]
    SchemaMismatch(OperationId),
    /// Operations refer to each other in a circle.
    #[error("operations refer to each other in a circle")]
    Cycle,
    /// A view names an operation that is not there.
    #[error("{0} is not part of the document")]
    ViewNotFound(OperationId),
}

impl Refusal for GraphError {
    fn reason(&self) -> Reason {
        match self {
            Self::CreateMissing => Reason::CreateMissing,
            Self::CreateDuplicate(_) => Reason::CreateDuplicate,
            Self::OperationDuplicate(_) => Reason::OperationDuplicate,
            Self::PreviousNotFound { .. } => Reason::PreviousNotFound,
            Self::SchemaMismatch(_) => Reason::DocumentSchemaMismatch,
            Self::Cycle => Reason::GraphCycle,
            Self::ViewNotFound(_) => Reason::ViewNotFound,
        }
    }
}
