//! The mutants that may live, and why no vector kills them.

/// What no vector holds, since it is a limit of our own and large.
const OWN_LIMIT: &str = "a limit of grove's own, larger than what a vector may hold";

/// What numbers and links of well-formed branches leave no room for.
const NEVER_MET: &str = "on well-formed branches the way back to an entry's far link never meets a link \
                         that jumps over it";

/// What is refused in another place as well, by a cause the vectors let pass.
const GUARDED_TWICE: &str = "what is let through here is refused by the next check";

/// What the way to an entry's parent leaves no room for.
const FOUND_BY_LINK: &str = "the entry before is looked up by the backlink, which a first entry alone \
                             lacks, so it cannot be another one";

/// Name of a mutant, and the reason. One that is killed after all is reported, as is a survivor that
/// is missing here.
pub const EXCUSES: &[(&str, &str)] = &[
    ("ViewIdsMax.less", OWN_LIMIT),
    ("ViewIdsMax.more", OWN_LIMIT),
    (
        "KeySmallOrder.dropped",
        "the vectors leave keys of small order open, as R12 asks",
    ),
    ("PayloadMax.less", OWN_LIMIT),
    ("PayloadMax.more", OWN_LIMIT),
    ("LogBegins.altered", FOUND_BY_LINK),
    ("BacklinkMismatch.dropped", FOUND_BY_LINK),
    ("LogFull.dropped", GUARDED_TWICE),
    ("AncestorStaysAbove.dropped", NEVER_MET),
    ("DocumentSchema.dropped", GUARDED_TWICE),
    ("MessageNothing.dropped", GUARDED_TWICE),
];
