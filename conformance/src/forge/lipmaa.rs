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
