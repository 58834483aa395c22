//! The mutants that may live, and why no vector kills them.

/// What no vector holds, since it is a limit of our own and large.
const OWN_LIMIT: &str = "a limit of grove's own, larger than what a vector may hold";

/// What a whole schema of the greatest size would take.
const TOO_MANY: &str = "1024 definitions of fields take half a megabyte; core's and the node's tests \
                        build such a schema";

/// What is refused in another place as well, by a cause the vectors let pass.
const GUARDED_TWICE: &str = "what is let through here is refused by the next check";

/// Name of a mutant, and the reason. One that is killed after all is reported, as is a survivor that
/// is missing here.
pub const EXCUSES: &[(&str, &str)] = &[
    ("ViewIdsMax.less", OWN_LIMIT),
    ("ViewIdsMax.more", OWN_LIMIT),
    ("OperationItems.dropped", GUARDED_TWICE),
    (
        "KeySmallOrder.dropped",
        "the vectors leave keys of small order open, as R12 asks",
    ),
    ("SchemaFieldsMax.less", TOO_MANY),
    ("SchemaFieldsMax.more", TOO_MANY),
    ("PayloadMax.less", OWN_LIMIT),
    ("PayloadMax.more", OWN_LIMIT),
    ("LogFull.dropped", GUARDED_TWICE),
    ("DocumentSchema.dropped", GUARDED_TWICE),
    ("MessageNothing.dropped", GUARDED_TWICE),
];
