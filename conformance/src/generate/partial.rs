//! Cases of `certificate` and `log.verify`: which entries prove one of them, and whether these do.

use serde_json::{Value, json};

use super::fixtures::{author, cafe_create, id, log, other_author};
use super::set::Set;
use crate::forge::{Draft, Hash, Key, Log, hex, lipmaa};

pub fn sets() -> Vec<Set> {
    vec![certificates(), partial_logs()]
}

fn certificates() -> Set {
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

fn numbers(path: &[u64]) -> Vec<String> {
    path.iter().map(u64::to_string).collect()
}

fn partial_logs() -> Set {
    let mut set = Set::new("log.verify", "partial", &["BA1", "NO1"]);
    set.key("author", &author());
    set.key("other", &other_author());
    let whole = log(author(), 0, 23);
    sound(&mut set, &whole);
    missing(&mut set, &whole);
    owners(&mut set, &whole);
    links(&mut set, &whole);
    broken(&mut set, &whole);
    ended(&mut set);
    set
}

/// The entries of these numbers, to prove the one of `seq_num`.
fn part(log: &Log, given: &[u64], seq_num: u64) -> Value {
    let entries = given.iter().map(|at| entry(log, *at)).collect();
    question(entries, seq_num)
}

fn entry(log: &Log, seq_num: u64) -> String {
    hex(&log.entries[seq_num as usize - 1])
}

fn question(entries: Vec<String>, seq_num: u64) -> Value {
    json!({"entries": entries, "seq_num": seq_num.to_string()})
}

fn proof(log: &Log, seq_num: u64) -> Value {
    json!({
        "hash": Hash::of(&log.entries[seq_num as usize - 1]).hex(),
        "path": numbers(&lipmaa::way_to_first(seq_num)),
    })
}

fn sound(set: &mut Set, whole: &Log) {
    for seq_num in [1, 2, 3, 4, 8, 12, 13, 14, 23] {
        let way = lipmaa::way_to_first(seq_num);
        let comment = format!("Entry {seq_num}, with no more than it takes.");
        set.valid(
            &format!("entry-{seq_num}"),
            &comment,
            part(whole, &way, seq_num),
            proof(whole, seq_num),
        );
    }
    let more: [(&str, &str, &[u64], u64); 7] = [
        (
            "ascending",
            "The order means nothing: from the first on.",
            &[1, 4, 13],
            13,
        ),
        (
            "shuffled",
            "The order means nothing.",
            &[17, 1, 22, 4, 23, 13, 21],
            23,
        ),
        (
            "whole-log",
            "All entries there are.",
            &[1, 2, 3, 4, 5, 6, 7, 8],
            8,
        ),
        (
            "later-ones-too",
            "Later entries do no harm.",
            &[1, 4, 13, 14],
            4,
        ),
        (
            "unconnected-ones-too",
            "An entry whose links lead to none of the others.",
            &[1, 4, 6, 13],
            13,
        ),
        (
            "two-ways",
            "Both the far links and a way beside them.",
            &[1, 4, 8, 12, 13],
            13,
        ),
        ("twice", "An entry given twice.", &[1, 4, 13, 4], 13),
    ];
    for (name, comment, given, seq_num) in more {
        set.valid(
            name,
            comment,
            part(whole, given, seq_num),
            proof(whole, seq_num),
        );
    }
    let other = {
        let mut log = Log::new(other_author(), 7);
        for n in 0..4 {
            log.push(cafe_create(n, "other"));
        }
        log
    };
    set.valid(
        "other-log",
        "Another author's log 7.",
        part(&other, &[4, 1], 4),
        proof(&other, 4),
    );
}

fn missing(set: &mut Set, whole: &Log) {
    let cases: [(&str, &str, &str, &[u64], u64); 8] = [
        (
            "itself",
            "entry-13",
            "The entry itself is not there.",
            &[4, 1],
            13,
        ),
        (
            "far-link",
            "entry-13",
            "The entry its far link leads to.",
            &[13, 1],
            13,
        ),
        ("first", "entry-13", "The first entry.", &[13, 4], 13),
        (
            "backlink",
            "entry-3",
            "The entry before it, where that is the far link too.",
            &[3, 1],
            3,
        ),
        (
            "in-the-middle",
            "entry-23",
            "One of seven.",
            &[23, 22, 21, 13, 4, 1],
            23,
        ),
        (
            "near-the-end",
            "entry-23",
            "The last step but one.",
            &[23, 22, 21, 17, 13, 1],
            23,
        ),
        (
            "replaced-by-neighbour",
            "entry-13",
            "The entry next to the one it takes.",
            &[13, 5, 1],
            13,
        ),
        ("everything", "entry-1", "No entry at all.", &[], 1),
    ];
    for (name, near, comment, given, seq_num) in cases {
        set.invalid(
            &format!("missing-{name}"),
            comment,
            near,
            part(whole, given, seq_num),
            "certificate_incomplete",
        );
    }
    set.invalid(
        "other-number",
        "A number the entries do not reach.",
        "entry-13",
        part(whole, &[13, 4, 1], 14),
        "certificate_incomplete",
    )
    .flag("Boundary");
    let mut zero = part(whole, &[1], 1);
    zero["seq_num"] = "0".into();
    set.invalid(
        "number-0",
        "Sequence numbers start at 1.",
        "entry-1",
        zero,
        "seq_num_zero",
    )
    .or(&["invalid_number"]);
}

/// The entries `13, 4, 1`, the one at `index` replaced.
fn replaced(whole: &Log, index: usize, entry: &[u8]) -> Value {
    let mut question = part(whole, &[13, 4, 1], 13);
    question["entries"][index] = hex(entry).into();
    question
}

/// The entry at `seq_num` of the log, signed by `key` after changing a field.
fn altered(whole: &Log, seq_num: u64, key: &Key, alter: impl Fn(&mut Draft)) -> Vec<u8> {
    let at = seq_num as usize - 1;
    let mut before = whole.clone();
    before.entries.truncate(at);
    let mut draft = before.draft(&whole.payloads[at]);
    alter(&mut draft);
    draft.sign(key)
}

fn owners(set: &mut Set, whole: &Log) {
    let theirs = |draft: &mut Draft| draft.author = other_author().public();
    for (index, seq_num) in [(0, 13), (1, 4), (2, 1)] {
        let foreign = altered(whole, seq_num, &other_author(), theirs);
        let comment = format!("Entry {seq_num} is by somebody else.");
        set.invalid(
            &format!("foreign-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &foreign),
            "log_owner_mismatch",
        )
        .or(&["skiplink_mismatch"]);
        let other_log = altered(whole, seq_num, &author(), |draft| draft.log_id = 1);
        let comment = format!("Entry {seq_num} is of another log of the author.");
        set.invalid(
            &format!("other-log-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &other_log),
            "log_owner_mismatch",
        )
        .or(&["skiplink_mismatch"]);
    }
    let foreign = altered(whole, 8, &other_author(), theirs);
    let mut beside = part(whole, &[13, 4, 1], 13);
    beside["entries"]
        .as_array_mut()
        .expect("a list")
        .push(hex(foreign).into());
    set.invalid(
        "foreign-beside",
        "An entry of somebody else that the proof does not need.",
        "entry-13",
        beside,
        "log_owner_mismatch",
    );
}

fn links(set: &mut Set, whole: &Log) {
    let another = |draft: &mut Draft| draft.payload_hash = id(7);
    let other_4 = altered(whole, 4, &author(), another);
    set.invalid(
        "fork-under-far-link",
        "The far link of 13 leads to another entry 4.",
        "entry-13",
        replaced(whole, 1, &other_4),
        "skiplink_mismatch",
    )
    .flag("Links");
    let other_1 = altered(whole, 1, &author(), another);
    set.invalid(
        "other-first",
        "The far link of 4 leads to another first entry.",
        "entry-13",
        replaced(whole, 2, &other_1),
        "skiplink_mismatch",
    )
    .flag("Links");
    for (name, field) in [("skiplink", 0), ("backlink", 1)] {
        let entry = altered(whole, 13, &author(), |draft| {
            let link = if field == 0 {
                &mut draft.skiplink
            } else {
                &mut draft.backlink
            };
            *link = Some(id(7));
        });
        let question = if field == 0 {
            replaced(whole, 0, &entry)
        } else {
            let mut question = part(whole, &[1, 4, 8, 12, 13], 13);
            question["entries"][4] = hex(&entry).into();
            question
        };
        let (near, reason) = if field == 0 {
            ("entry-13", "skiplink_mismatch")
        } else {
            ("two-ways", "backlink_mismatch")
        };
        set.invalid(
            &format!("wrong-{name}"),
            "A link that leads nowhere.",
            near,
            question,
            reason,
        )
        .flag("Links");
    }
    let mut other_2 = part(whole, &[3, 2, 1], 3);
    other_2["entries"][1] = hex(altered(whole, 2, &author(), another)).into();
    set.invalid(
        "fork-under-backlink",
        "The backlink of 3 leads to another entry 2.",
        "entry-3",
        other_2,
        "backlink_mismatch",
    )
    .flag("Links");
    let mut beside = part(whole, &[1, 4, 8, 12, 13], 13);
    beside["entries"][3] = hex(altered(whole, 12, &author(), another)).into();
    set.invalid(
        "fork-beside",
        "An entry the proof does not need, which is not the one before 13.",
        "two-ways",
        beside,
        "backlink_mismatch",
    )
    .flag("Links");
    let mut both = part(whole, &[13, 4, 1], 13);
    both["entries"]
        .as_array_mut()
        .expect("a list")
        .push(hex(other_4).into());
    set.invalid(
        "forked",
        "Two different entries 4.",
        "entry-13",
        both,
        "log_forked",
    )
    .requires(&["FK1", "BA1"])
    .or(&["skiplink_mismatch", "links_identical"])
    .flag("Fork");
}

fn broken(set: &mut Set, whole: &Log) {
    for (index, seq_num) in [(0usize, 13u64), (1, 4), (2, 1)] {
        let mut entry = whole.entries[seq_num as usize - 1].clone();
        let at = entry.len() - 40;
        entry[at] ^= 1;
        let comment = format!("A bit of the signature of entry {seq_num} is flipped.");
        set.invalid(
            &format!("signature-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &entry),
            "signature_invalid",
        )
        .requires(&["KY1", "NO1"])
        .or(&["signature_malformed"]);
    }
    let cut = &whole.entries[3][..150];
    set.invalid(
        "entry-cut",
        "An entry that breaks off.",
        "entry-13",
        replaced(whole, 1, cut),
        "entry_truncated",
    )
    .or(&["signature_invalid", "varint_truncated"])
    .flag("Truncated");
    let tagged = altered(whole, 13, &author(), |draft| draft.tag = 2);
    let told = json!({"hash": Hash::of(&tagged).hex(), "path": ["13", "4", "1"]});
    set.invalid(
        "tag-02",
        "A tag that means nothing.",
        "entry-13",
        replaced(whole, 0, &tagged),
        "entry_tag",
    )
    .wire_reads("R8", told);
}

fn ended(set: &mut Set) {
    let mut ended = log(author(), 0, 2);
    let last = Draft {
        tag: 1,
        ..ended.draft(&cafe_create(1, "end"))
    }
    .sign(&author());
    ended.push_signed(last, cafe_create(1, "end"));
    set.valid(
        "ended",
        "The entry that ends its log.",
        part(&ended, &[3, 2, 1], 3),
        proof(&ended, 3),
    )
    .requires(&["FK2", "BA1"])
    .flag("EndOfLog");
    let mut on = ended.clone();
    on.push(cafe_create(2, "after"));
    set.invalid(
        "after-the-end",
        "An entry after the one that ended the log.",
        "ended",
        part(&on, &[4, 3, 2, 1], 3),
        "log_ended",
    )
    .requires(&["FK2", "BA1"])
    .flag("EndOfLog")
    .wire_reads("R8", proof(&on, 3));
}
