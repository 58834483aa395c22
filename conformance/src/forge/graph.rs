//! Orders the operations of a document, by the handbook's walk and as deployed nodes do it.
//!
//! Works on labels and edges alone. Both orders are written from their descriptions, so that the
//! vectors of `document.reduce` do not rest on the library they judge.

use std::collections::{BTreeMap, BTreeSet};

use super::Hash;

/// Every operation with its `previous`.
pub type Graph = BTreeMap<Hash, Vec<Hash>>;

/// Operations without children.
pub fn tips(graph: &Graph) -> Vec<Hash> {
    let named: BTreeSet<_> = graph.values().flatten().collect();
    graph
        .keys()
        .filter(|id| !named.contains(id))
        .copied()
        .collect()
}

/// Emit; then for each child in ascending order, if it is new and all it builds on is emitted, visit it.
pub fn handbook_order(graph: &Graph, root: Hash) -> Vec<Hash> {
    let mut out = Vec::new();
    visit(graph, root, &mut out);
    out
}

fn visit(graph: &Graph, id: Hash, out: &mut Vec<Hash>) {
    out.push(id);
    for child in children(graph, id) {
        if !out.contains(&child) && graph[&child].iter().all(|parent| out.contains(parent)) {
            visit(graph, child, out);
        }
    }
}

/// The order of the deployed library: lowest sibling first, then the rest from the highest down.
/// `None` where that library fails.
pub fn deployed_order(graph: &Graph, root: Hash) -> Option<Vec<Hash>> {
    let (mut stack, mut out) = (vec![root], Vec::new());
    while let Some(mut current) = stack.pop() {
        if out.len() > graph.len() {
            return None;
        }
        out.push(current);
        loop {
            let mut open = children(graph, current);
            open.retain(|child| !out.contains(child));
            let Some((&first, rest)) = open.split_first() else {
                break;
            };
            stack.extend(rest);
            let parents = &graph[&first];
            if parents.len() > 1 {
                if parents.iter().all(|parent| out.contains(parent)) {
                    stack.push(first);
                } else if stack.is_empty() {
                    return None;
                }
                break;
            }
            out.push(first);
            current = first;
        }
    }
    Some(out)
}

/// Whether some operation names an ancestor together with a descendant of it.
pub fn names_ancestor_beside_descendant(graph: &Graph) -> bool {
    graph.values().any(|previous| {
        previous
            .iter()
            .any(|one| previous.iter().any(|other| is_below(graph, *one, *other)))
    })
}

/// Whether `ancestor` can be reached from `id` by way of `previous`.
fn is_below(graph: &Graph, id: Hash, ancestor: Hash) -> bool {
    let previous = graph.get(&id).into_iter().flatten();
    previous
        .copied()
        .any(|parent| parent == ancestor || is_below(graph, parent, ancestor))
}

fn children(graph: &Graph, id: Hash) -> Vec<Hash> {
    graph
        .iter()
        .filter(|(_, previous)| previous.contains(&id))
        .map(|(child, _)| *child)
        .collect()
}
