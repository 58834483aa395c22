//! Cases of `certificate`: the numbers of the entries that prove one of them.

use serde_json::json;

use super::super::set::Set;
use crate::forge::lipmaa;

pub(super) fn certificates() -> Set {
    let mut set = Set::new("certificate", "paths", &["BA1"]);
    let small = (1..=5).chain([
        8, 12, 13, 14, 23, 26, 39, 40, 41, 120, 121, 122, 364, 365, 1000,
    ]);
    // The blocks end at (3^k − 1) / 2; the last two ends below 2^64 are those of k = 40 and 41.
    let last_block = 18_236_498_188_585_393_201;
    let huge = [
        1 << 32,
        (1 << 53) + 1,
        6_078_832_729_528_464_399,
        6_078_832_729_528_464_400,
        6_078_832_729_528_464_401,
        1 << 63,
        last_block - 1,
        last_block,
        last_block + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    for seq_num in small.chain(huge) {
        let told = json!({
            "to_first": numbers(&lipmaa::way_to_first(seq_num)),
            "from_block_end": lipmaa::way_from_block_end(seq_num).as_deref().map(numbers),
        });
        let comment = if seq_num > last_block {
            format!("Entry {seq_num}, whose block ends beyond the greatest number.")
        } else {
            format!("The certificate pool of entry {seq_num}.")
        };
        let case = set.valid(&seq_num.to_string(), &comment, seq_num.to_string(), told);
        if seq_num > 1000 {
            case.flag("Boundary");
        }
    }
    let malformed = [
        (
            "zero",
            "Sequence numbers start at 1.",
            "1",
            "0",
            "seq_num_zero",
        ),
        (
            "past-the-end",
            "2^64 does not fit.",
            "18446744073709551615",
            "18446744073709551616",
            "invalid_number",
        ),
        (
            "negative",
            "There are no negative positions.",
            "1",
            "-1",
            "invalid_number",
        ),
        (
            "fraction",
            "There is nothing between two entries.",
            "1",
            "1.5",
            "invalid_number",
        ),
        (
            "empty",
            "Nothing is not a number.",
            "1",
            "",
            "invalid_number",
        ),
    ];
    for (name, comment, near, input, reason) in malformed {
        set.invalid(name, comment, near, input, reason)
            .flag("Boundary");
    }
    set
}

pub(super) fn numbers(path: &[u64]) -> Vec<String> {
    path.iter().map(u64::to_string).collect()
}
