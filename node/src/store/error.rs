//! Why a store fails, in terms that are the same for every database.
//!
//! No type of a driver is in here, only codes and texts: a failure can be compared, written down and read
//! again, and a driver can be exchanged without anybody else noticing.

use crate::budget::Exhausted;

/// The database failed; the one who asked is not to blame. (Local)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The embedded database reported an error.
    #[error("database: {0}")]
    Database(String),
    /// The disk or the service that keeps large bytes failed.
    #[error("blob storage: {0}")]
    Objects(String),
    /// Nobody said where the large bytes are that the database refers to.
    #[error("the database refers to blobs outside of it, and it was not said where they are")]
    NoObjects,
    /// The database was used with another place for large bytes.
    #[error("the blobs of this database are kept elsewhere")]
    OtherObjects,
    /// A database server refused, or could not be talked to.
    #[error("database server: {0}")]
    Server(String),
    /// The URL of a database says nothing this program understands. It may hold a password.
    #[error("the URL of the database can't be understood")]
    Url,
    /// The question would take more work than is allowed. (Caller)
    #[error(
        "answering takes more work than this node does at once; ask for less, or by a narrower filter"
    )]
    BudgetExceeded,
    /// Nobody waits for the answer, or others go first.
    #[error("the question was given up")]
    GivenUp,
    /// An earlier failure in the same transaction.
    #[error("{0}")]
    Failed(String),
    /// The file can't be opened or created.
    #[error("database file: {0}")]
    Io(String),
    /// Somebody moved, deleted or replaced the file while the node runs.
    #[error("the file of the database is no longer where it was opened")]
    Moved,
    /// The disk has less room than the operator wants left. Entries are still taken.
    #[error("the disk of the database has {0} bytes of room left")]
    Full(u64),
    /// The file belongs to another program.
    #[error("this is no database of this program")]
    Foreign,
    /// A database in memory has one connection.
    #[error("a database in memory has no other readers")]
    InMemory,
    /// A change does not fit what is stored: our own mistake, nothing was changed.
    #[error("the change does not fit the stored {0}")]
    Misfit(&'static str),
    /// What the database holds is not what was written.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// The database itself says that what it holds is not what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database was written by a newer version.
    #[error("the database has version {found}, this program knows {known}; use a newer program")]
    TooNew {
        /// Version in the database.
        found: i64,
        /// Version this program writes.
        known: i64,
    },
}

impl StoreError {
    /// Whether what was asked for is not what was written, while other things may be.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Damaged(_))
    }

    /// A name of the cause that stays the same across databases and versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Database(_) => "database_failed",
            Self::Objects(_) => "objects_failed",
            Self::NoObjects => "objects_not_given",
            Self::OtherObjects => "objects_elsewhere",
            Self::Server(_) => "server_failed",
            Self::Url => "url_malformed",
            Self::BudgetExceeded => "budget_exceeded",
            Self::GivenUp => "given_up",
            Self::Failed(_) => "transaction_failed",
            Self::Io(_) => "file_failed",
            Self::Moved => "file_moved",
            Self::Full(_) => "disk_full",
            Self::Foreign => "file_foreign",
            Self::InMemory => "no_readers",
            Self::Misfit(_) => "change_misfit",
            Self::Corrupt(_) => "database_corrupt",
            Self::Damaged(_) => "database_damaged",
            Self::TooNew { .. } => "database_too_new",
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl grove_core::Refusal for StoreError {
    fn reason(&self) -> grove_core::Reason {
        match self {
            Self::BudgetExceeded => grove_core::Reason::BudgetExceeded,
            Self::GivenUp => grove_core::Reason::NodeBusy,
            Self::Corrupt(_) | Self::Damaged(_) => grove_core::Reason::StoreDamaged,
            _ => grove_core::Reason::StoreFailed,
        }
    }
}

impl From<Exhausted> for StoreError {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Spent => Self::BudgetExceeded,
            Exhausted::GivenUp => Self::GivenUp,
        }
    }
}
