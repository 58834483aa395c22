//! Bounds on everything that arrives from outside.
//!
//! Only numbers the protocol itself does not fix but an implementation needs, and those it does fix.
//! Limits on requests, connections and queues belong to the shells that own them.

/// Largest encoded entry: every variable part at its longest (tag, key, two varu64, two links, varu64,
/// payload hash, signature).
pub const ENTRY_SIZE_MAX: usize = 226;

/// Largest operation a grove node takes. The protocol names no bound; a blob piece needs 256 kB and
/// applications put base64 images into strings.
pub const PAYLOAD_SIZE_MAX: usize = 4 * 1024 * 1024;

/// Largest `data` of a `blob_piece_v1` (R19).
pub const BLOB_PIECE_SIZE_MAX: usize = 256_000;

/// Most fields a schema may have (SC3).
pub const SCHEMA_FIELDS_MAX: usize = 1024;

/// Longest schema description in Unicode scalar values (SC2).
pub const DESCRIPTION_CHARS_MAX: usize = 256;

/// Longest schema or field name (SC1, SC4).
pub const NAME_LEN_MAX: usize = 64;

/// Most operation ids in one view id that is not yet known to be real. A view id has one id per
/// unmerged branch; honest documents have a handful.
pub const VIEW_IDS_MAX: usize = 16_384;

/// Largest replication message, including a whole `Have` of a very large node.
pub const MESSAGE_SIZE_MAX: usize = 16 * 1024 * 1024;

/// Most keys of authors that are kept ready for checking signatures, 240 bytes each.
pub const KEYRING_SIZE_MAX: usize = 4096;

/// Most sessions one peer may hold open at once.
pub const SESSIONS_PER_PEER_MAX: usize = 8;

/// Largest message about ranges of entries. Ours have a quarter of it.
pub const RANGES_SIZE_MAX: usize = 1024 * 1024;

/// Longest code of a reason that a peer may give.
pub const REASON_LEN_MAX: usize = 64;

/// How many entries that were refused are remembered of a peer, not to be asked for again.
pub const REFUSED_PER_PEER_MAX: usize = 4096;
