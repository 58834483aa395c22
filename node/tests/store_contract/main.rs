//! What every store promises, told to each implementation alike.
//!
//! An implementation joins by a [`Backend`] and a module like the last one.

#![allow(clippy::unwrap_used)]

mod documents;
mod drafts;
mod logs;
mod pieces;
#[path = "../postgres_server/mod.rs"]
mod postgres_server;
mod queries;
mod transactions;
mod trees;

use grove_node::store::{Read, SharedStore};

/// A kind of store, emptied for every test.
trait Backend {
    type Store: SharedStore;
    type Reader: Read;
    /// What keeps the data while no store is open.
    type Place;

    /// Whether this machine has what the store needs.
    fn is_there() -> bool {
        true
    }

    fn place() -> Self::Place;
    fn open(place: &Self::Place) -> Self::Store;
    fn reader(store: &Self::Store) -> Self::Reader;
}

macro_rules! claims {
    ($backend:ty, $topic:ident { $($claim:ident)+ }) => {
        $(
            #[test]
            fn $claim() {
                if <$backend as crate::Backend>::is_there() {
                    crate::$topic::$claim::<$backend>();
                }
            }
        )+
    };
}

/// All that every store promises.
macro_rules! contract {
    ($backend:ty) => {
        claims!($backend, documents {
            documents_come_back_as_they_were
            documents_are_found_many_at_once
            extreme_values_come_back_bit_for_bit
            documents_that_do_not_fit_are_refused
            documents_of_system_schemas_need_no_introduction
            a_document_may_change_its_schema
            a_place_somebody_made_up_breaks_nothing
            a_schema_may_have_as_many_fields_as_any
            schemas_come_back_sorted_by_id
            schemas_come_back_with_where_they_are_from
            a_schema_that_goes_hides_its_documents
            pages_never_skip_or_repeat
            what_is_handed_over_ends_with_its_budget
        });

        claims!($backend, logs {
            entries_and_logs_are_found_again
            logs_grow_at_their_tips_only
            operations_tell_what_is_there_of_them
            the_latest_evidence_is_kept
            trees_move_to_other_documents
            parked_entries_wait_in_order
            parked_entries_are_bounded_in_bytes
            dropped_payloads_leave_the_tombstone
            entries_from_agrees_with_a_plain_filter
            a_purged_log_counts_for_nothing_and_stays_here
            many_are_found_at_once
            changes_are_told_in_their_order
            a_collected_operation_leaves_its_stub_and_is_withheld
            what_is_dropped_with_a_document_leaves_stubs_and_is_withheld_no_more
            a_doubted_tree_belongs_to_no_document_of_its_author
            times_and_audit_log_are_remembered
            entries_come_in_order_from_a_position
        });

        claims!($backend, trees {
            a_tree_continues_at_its_best_tip
            what_does_not_fit_a_tree_is_refused
            trees_agree_with_a_plain_model_in_any_order
            what_is_read_ahead_is_what_would_be_answered
            authors_are_told_what_they_use
        });

        claims!($backend, pieces {
            pieces_of_any_size_come_back_whole
            pieces_are_found_by_all_of_their_data
            dropped_pieces_are_gone_and_may_come_back
        });

        claims!($backend, queries {
            questions_find_what_their_meaning_admits
            pages_lie_between_their_places
            answers_do_not_depend_on_indexes
            walks_find_what_stays_once
            fields_nobody_knows_are_refused
        });

        claims!($backend, transactions {
            a_rolled_back_transaction_leaves_nothing
            readers_see_committed_state_only
            everything_outlives_a_restart
        });
    };
}

mod sqlite {
    use std::path::Path;
    use std::sync::Arc;

    use grove_node::store::objects::Objects;
    use grove_node::store::{SharedStore, SqliteReader, SqliteStore};

    use tempfile::TempDir;

    use super::Backend;

    /// A folder of its own, removed at the end.
    pub(crate) struct Folder(TempDir);

    impl Folder {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(crate) fn path(&self) -> &Path {
            self.0.path()
        }
    }

    struct Sqlite;

    impl Backend for Sqlite {
        type Store = SqliteStore;
        type Reader = SqliteReader;
        type Place = Folder;

        fn place() -> Folder {
            Folder::new()
        }

        fn open(place: &Folder) -> SqliteStore {
            SqliteStore::open(&place.path().join("node.sqlite")).unwrap()
        }

        fn reader(store: &SqliteStore) -> SqliteReader {
            store.reader().unwrap()
        }
    }

    contract!(Sqlite);

    /// The same with large bytes outside of the database.
    struct WithObjects;

    impl Backend for WithObjects {
        type Store = SqliteStore;
        type Reader = SqliteReader;
        type Place = Folder;

        fn place() -> Folder {
            Sqlite::place()
        }

        fn open(place: &Folder) -> SqliteStore {
            let objects = Objects::in_folder(&place.path().join("blobs")).unwrap();
            let objects = Some(Arc::new(objects));
            SqliteStore::open_with(&place.path().join("node.sqlite"), objects).unwrap()
        }

        fn reader(store: &SqliteStore) -> SqliteReader {
            Sqlite::reader(store)
        }
    }

    mod with_objects {
        use super::WithObjects;

        claims!(WithObjects, pieces {
            pieces_of_any_size_come_back_whole
            pieces_are_found_by_all_of_their_data
            dropped_pieces_are_gone_and_may_come_back
        });
    }
}

mod memory {
    use grove_node::store::{MemoryDisk, MemoryReader, MemoryStore, SharedStore};

    use super::Backend;

    struct Memory;

    #[derive(Default)]
    struct Place(MemoryDisk);

    impl Drop for Place {
        fn drop(&mut self) {}
    }

    impl Backend for Memory {
        type Store = MemoryStore;
        type Reader = MemoryReader;
        type Place = Place;

        fn place() -> Place {
            Place::default()
        }

        fn open(place: &Place) -> MemoryStore {
            MemoryStore::open(&place.0)
        }

        fn reader(store: &MemoryStore) -> MemoryReader {
            store.reader().unwrap()
        }
    }

    contract!(Memory);
}

mod postgres {
    use std::sync::Arc;

    use grove_node::store::objects::Objects;
    use grove_node::store::{PostgresReader, PostgresStore, SharedStore};

    use super::Backend;
    use super::postgres_server::{Database, is_there};
    use super::sqlite::Folder;

    struct Postgres;

    impl Backend for Postgres {
        type Store = PostgresStore;
        type Reader = PostgresReader;
        type Place = Database;

        fn is_there() -> bool {
            is_there()
        }

        fn place() -> Database {
            Database::new().unwrap()
        }

        fn open(place: &Database) -> PostgresStore {
            PostgresStore::open(&place.server()).unwrap()
        }

        fn reader(store: &PostgresStore) -> PostgresReader {
            store.reader().unwrap()
        }
    }

    contract!(Postgres);

    /// The same with large bytes outside of the database.
    struct WithObjects;

    struct Place {
        database: Database,
        folder: Folder,
    }

    impl Backend for WithObjects {
        type Store = PostgresStore;
        type Reader = PostgresReader;
        type Place = Place;

        fn is_there() -> bool {
            is_there()
        }

        fn place() -> Place {
            Place {
                database: Postgres::place(),
                folder: Folder::new(),
            }
        }

        fn open(place: &Place) -> PostgresStore {
            let objects = Some(Arc::new(Objects::in_folder(place.folder.path()).unwrap()));
            PostgresStore::open_with(&place.database.server(), objects).unwrap()
        }

        fn reader(store: &PostgresStore) -> PostgresReader {
            Postgres::reader(store)
        }
    }

    mod with_objects {
        use super::WithObjects;

        claims!(WithObjects, pieces {
            pieces_of_any_size_come_back_whole
            pieces_are_found_by_all_of_their_data
            dropped_pieces_are_gone_and_may_come_back
        });
    }
}
