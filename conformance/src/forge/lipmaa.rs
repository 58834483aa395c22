//! Computes the far link of a sequence number, by the recursive definition of the Bamboo paper.
//!
//! 128-bit numbers, because the powers of three run past 2^64 before the sequence numbers do.

/// The sequence number the skiplink of `seq_num` points at; 0 for the first entry, which has none.
pub fn lipmaa(seq_num: u64) -> u64 {
    let n = u128::from(seq_num);
    let exact = (1..).map(|k| (k, triangle(k))).find(|(_, t)| *t >= n);
    match exact {
        Some((k, t)) if t == n => (n - 3u128.pow(k - 1)) as u64,
        _ => (n - triangle(generation(n))) as u64,
    }
}

/// Whether an entry carries the skiplink: only when it says something the backlink does not.
pub fn is_encoded(seq_num: u64) -> bool {
    seq_num > 1 && lipmaa(seq_num) != seq_num - 1
}

/// The entries on the way from one back to the first, both included: far links all the way.
pub fn way_to_first(seq_num: u64) -> Vec<u64> {
    let mut way = vec![seq_num];
    while way[way.len() - 1] > 1 {
        way.push(lipmaa(way[way.len() - 1]));
    }
    way
}

/// The entries on the way from the end of the block around one back to it, both included. `None`
/// where the block ends beyond the greatest number.
pub fn way_from_block_end(seq_num: u64) -> Option<Vec<u64>> {
    let end = (1..).map(triangle).find(|t| *t >= u128::from(seq_num));
    let mut way = vec![u64::try_from(end?).ok()?];
    while way[way.len() - 1] > seq_num {
        let at = way[way.len() - 1];
        let far = lipmaa(at);
        way.push(if far >= seq_num { far } else { at - 1 });
    }
    Some(way)
}

fn triangle(k: u32) -> u128 {
    (3u128.pow(k) - 1) / 2
}

fn generation(n: u128) -> u32 {
    let mut k = 1;
    while triangle(k) < n {
        k += 1;
    }
    if triangle(k) == n {
        k
    } else {
        generation(n - triangle(k - 1))
    }
}
