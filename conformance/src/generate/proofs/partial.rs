//! Part of a log, in any order, and one of its entries: is it proved to belong to the log?

use serde_json::{Value, json};

use super::super::fixtures::{author, cafe_create, id, log, other_author};
use super::super::set::Set;
use super::{consequences, entry, only_change, part, proof};
use crate::forge::{Draft, Hash, Key, Log, hex, lipmaa};
use crate::suite::Case;

pub(super) fn partial() -> Set {
    let mut set = Set::new("branch.verify", "partial", &["BA1", "NO1"]);
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

/// The numbers of the entries that are given, and of the one to be proved.
struct Given {
    name: &'static str,
    comment: &'static str,
    given: &'static [u64],
    seq_num: u64,
}

const MORE: &[Given] = &[
    Given {
        name: "ascending",
        comment: "The order means nothing: from the first on.",
        given: &[1, 4, 13],
        seq_num: 13,
    },
    Given {
        name: "shuffled",
        comment: "The order means nothing.",
        given: &[17, 1, 22, 4, 23, 13, 21],
        seq_num: 23,
    },
    Given {
        name: "whole-log",
        comment: "All entries there are.",
        given: &[1, 2, 3, 4, 5, 6, 7, 8],
        seq_num: 8,
    },
    Given {
        name: "later-ones-too",
        comment: "Later entries do no harm.",
        given: &[1, 4, 13, 14],
        seq_num: 4,
    },
    Given {
        name: "unconnected-ones-too",
        comment: "An entry whose links lead to none of the others.",
        given: &[1, 4, 6, 13],
        seq_num: 13,
    },
    Given {
        name: "two-ways",
        comment: "Both the far links and a way beside them.",
        given: &[1, 4, 8, 12, 13],
        seq_num: 13,
    },
    Given {
        name: "twice",
        comment: "An entry given twice.",
        given: &[1, 4, 13, 4],
        seq_num: 13,
    },
];

fn sound(set: &mut Set, whole: &Log) {
    for seq_num in [1, 2, 3, 4, 8, 12, 13, 14, 23] {
        let way = lipmaa::way_to_first(seq_num);
        let comment = format!("Entry {seq_num}, with no more than it takes.");
        set.valid(
            &format!("entry-{seq_num}"),
            &comment,
            part(whole, &way, seq_num),
            proof(seq_num),
        );
    }
    for &Given {
        name,
        comment,
        given,
        seq_num,
    } in MORE
    {
        set.valid(name, comment, part(whole, given, seq_num), proof(seq_num));
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
        proof(4),
    );
}

/// The numbers of the entries that are given, which leave out one that it takes.
struct Missing {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    given: &'static [u64],
    seq_num: u64,
}

const MISSING: &[Missing] = &[
    Missing {
        name: "itself",
        near: "entry-13",
        comment: "The entry itself is not there.",
        given: &[4, 1],
        seq_num: 13,
    },
    Missing {
        name: "far-link",
        near: "entry-13",
        comment: "The entry its far link leads to.",
        given: &[13, 1],
        seq_num: 13,
    },
    Missing {
        name: "first",
        near: "entry-13",
        comment: "The first entry.",
        given: &[13, 4],
        seq_num: 13,
    },
    Missing {
        name: "backlink",
        near: "entry-3",
        comment: "The entry before it, where that is the far link too.",
        given: &[3, 1],
        seq_num: 3,
    },
    Missing {
        name: "in-the-middle",
        near: "entry-23",
        comment: "One of seven.",
        given: &[23, 22, 21, 13, 4, 1],
        seq_num: 23,
    },
    Missing {
        name: "near-the-end",
        near: "entry-23",
        comment: "The last step but one.",
        given: &[23, 22, 21, 17, 13, 1],
        seq_num: 23,
    },
    Missing {
        name: "replaced-by-neighbour",
        near: "entry-13",
        comment: "The entry next to the one it takes.",
        given: &[13, 5, 1],
        seq_num: 13,
    },
    Missing {
        name: "everything",
        near: "entry-1",
        comment: "No entry at all.",
        given: &[],
        seq_num: 1,
    },
];

fn missing(set: &mut Set, whole: &Log) {
    for &Missing {
        name,
        near,
        comment,
        given,
        seq_num,
    } in MISSING
    {
        set.invalid(
            &format!("missing-{name}"),
            comment,
            near,
            part(whole, given, seq_num),
            "certificate_incomplete",
        );
    }
    let proved =
        |hash: &str| json!({"entries": part(whole, &[13, 4, 1], 13)["entries"], "entry": hash});
    let malformed = [
        (
            "other-entry",
            "The hash of an entry that is not among those given.",
            Hash::of(entry(whole, 14)).hex(),
            "certificate_incomplete",
        ),
        (
            "operation",
            "The hash of the operation in place of the entry's.",
            Hash::of(&whole.payloads[12]).hex(),
            "certificate_incomplete",
        ),
        (
            "hash-short",
            "A hash of 33 bytes.",
            Hash::of(entry(whole, 13)).hex()[..66].to_owned(),
            "hash_length",
        ),
    ];
    for (name, comment, hash, reason) in malformed {
        set.invalid(
            &format!("proved-{name}"),
            comment,
            "entry-13",
            proved(&hash),
            reason,
        );
    }
}

/// The entries `13, 4, 1`, the one at `index` replaced. Where it is the one to be proved, its hash follows.
fn replaced(whole: &Log, index: usize, entry: &[u8]) -> Value {
    let mut question = part(whole, &[13, 4, 1], 13);
    question["entries"][index] = hex(entry).into();
    if index == 0 {
        question["entry"] = Hash::of(entry).hex().into();
    }
    question
}

/// The one change is that of the entries; the hash to be proved follows.
fn follows(case: &mut Case) -> &mut Case {
    consequences(case, |path| path == "/entry")
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
        follows(set.invalid(
            &format!("foreign-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &foreign),
            "log_owner_mismatch",
        ))
        .or(&["certificate_incomplete"]);
        let other_log = altered(whole, seq_num, &author(), |draft| draft.log_id = 1);
        let comment = format!("Entry {seq_num} is of another log of the author.");
        follows(set.invalid(
            &format!("other-log-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &other_log),
            "log_owner_mismatch",
        ))
        .or(&["certificate_incomplete"]);
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

/// Another entry put in the place of one that a link names.
struct Exchanged {
    name: &'static str,
    comment: &'static str,
    near: &'static str,
    given: &'static [u64],
    index: usize,
    seq_num: u64,
}

/// Another entry of the number is of another branch: the one that the link names is not there.
const EXCHANGED: [Exchanged; 3] = [
    Exchanged {
        name: "other-under-far-link",
        comment: "Another entry 4 than the far link of 13 names.",
        near: "entry-13",
        given: &[13, 4, 1],
        index: 1,
        seq_num: 4,
    },
    Exchanged {
        name: "other-first",
        comment: "Another first entry than the far link of 4 names.",
        near: "entry-13",
        given: &[13, 4, 1],
        index: 2,
        seq_num: 1,
    },
    Exchanged {
        name: "other-under-backlink",
        comment: "Another entry 2 than the backlink of 3 names.",
        near: "entry-3",
        given: &[3, 2, 1],
        index: 1,
        seq_num: 2,
    },
];

fn links(set: &mut Set, whole: &Log) {
    let another = |draft: &mut Draft| draft.payload_hash = id(7);
    for row in EXCHANGED {
        let mut question = part(whole, row.given, row.given[0]);
        let other = altered(whole, row.seq_num, &author(), another);
        question["entries"][row.index] = hex(other).into();
        set.invalid(
            row.name,
            row.comment,
            row.near,
            question,
            "certificate_incomplete",
        )
        .or(&["skiplink_mismatch", "backlink_mismatch"])
        .flag("Links");
    }
    let nowhere = altered(whole, 13, &author(), |draft| draft.skiplink = Some(id(7)));
    follows(set.invalid(
        "far-link-nowhere",
        "A far link that leads nowhere.",
        "entry-13",
        replaced(whole, 0, &nowhere),
        "certificate_incomplete",
    ))
    .or(&["skiplink_mismatch"])
    .flag("Links");
    misled(set, whole);
}

/// Links to entries that are there, and have another number than the link should lead to.
fn misled(set: &mut Set, whole: &Log) {
    let hash = |seq_num: u64| Some(Hash::of(entry(whole, seq_num)));
    let first = altered(whole, 13, &author(), |draft| draft.skiplink = hash(1));
    follows(set.invalid(
        "far-link-too-far",
        "The far link of 13 names the first entry in place of the fourth.",
        "entry-13",
        replaced(whole, 0, &first),
        "skiplink_mismatch",
    ))
    .flag("Links");
    let near = altered(whole, 4, &author(), |draft| draft.skiplink = hash(2));
    let mut question = part(whole, &[4, 3, 2, 1], 4);
    set.valid(
        "whole-log-of-4",
        "All of four entries.",
        question.clone(),
        proof(4),
    );
    question["entries"][0] = hex(&near).into();
    question["entry"] = Hash::of(&near).hex().into();
    follows(set.invalid(
        "far-link-too-near",
        "The far link of 4 names the second entry in place of the first.",
        "whole-log-of-4",
        question,
        "skiplink_mismatch",
    ))
    .flag("Links");
    let jumping = altered(whole, 3, &author(), |draft| draft.backlink = hash(1));
    let mut question = part(whole, &[3, 2, 1], 3);
    set.valid(
        "whole-log-of-3",
        "All of three entries; none of them has a far link.",
        question.clone(),
        proof(3),
    );
    question["entries"][0] = hex(&jumping).into();
    question["entry"] = Hash::of(&jumping).hex().into();
    follows(set.invalid(
        "backlink-past-one",
        "The backlink of 3 names the first entry; there is no far link that could tell.",
        "whole-log-of-3",
        question,
        "backlink_mismatch",
    ))
    .flag("Links");
    let older = altered(whole, 13, &author(), |draft| draft.backlink = hash(8));
    let mut question = part(whole, &[13, 12, 8, 4, 1], 13);
    set.valid(
        "two-ways-descending",
        "Both the far links and a way beside them, from the last on.",
        question.clone(),
        proof(13),
    );
    question["entries"][0] = hex(&older).into();
    question["entry"] = Hash::of(&older).hex().into();
    follows(set.invalid(
        "backlink-to-older",
        "The backlink of 13 names the eighth entry, which is there.",
        "two-ways-descending",
        question,
        "backlink_mismatch",
    ))
    .or(&["skiplink_mismatch"])
    .flag("Links");
}

fn broken(set: &mut Set, whole: &Log) {
    for (index, seq_num) in [(0usize, 13u64), (1, 4), (2, 1)] {
        let mut entry = whole.entries[seq_num as usize - 1].clone();
        let at = entry.len() - 40;
        entry[at] ^= 1;
        let comment = format!("A bit of the signature of entry {seq_num} is flipped.");
        follows(set.invalid(
            &format!("signature-{seq_num}"),
            &comment,
            "entry-13",
            replaced(whole, index, &entry),
            "signature_invalid",
        ))
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
    follows(set.invalid(
        "tag-02",
        "A tag that means nothing.",
        "entry-13",
        replaced(whole, 0, &tagged),
        "entry_tag",
    ))
    .wire_reads("R8", proof(13));
}

/// Nothing follows an end-of-log entry on its branch.
fn ended(set: &mut Set) {
    let before = log(author(), 0, 2);
    let operation = cafe_create(1, "end");
    let end = |tag: u8| {
        let mut log = before.clone();
        let draft = Draft {
            tag,
            ..log.draft(&operation)
        };
        log.push_signed(draft.sign(&author()), operation.clone());
        log.push(cafe_create(2, "after"));
        log
    };
    let (open, over) = (end(0), end(1));
    set.valid(
        "ended",
        "The entry that ends its log.",
        part(&over, &[3, 2, 1], 3),
        proof(3),
    )
    .requires(&["FK2", "BA1"])
    .flag("EndOfLog");
    set.valid(
        "not-ended",
        "An entry after one that ended nothing.",
        part(&open, &[4, 3, 2, 1], 4),
        proof(4),
    )
    .requires(&["FK2", "BA1"]);
    let case = set.invalid(
        "after-the-end",
        "An entry after the one that ended the log; its far link leads past it.",
        "not-ended",
        part(&over, &[4, 3, 2, 1], 4),
        "log_ended",
    );
    case.requires(&["FK2", "BA1"])
        .flag("EndOfLog")
        .wire_reads("R8", proof(4));
    only_change(case, "/entries/1");
}
