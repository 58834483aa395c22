//! The store in memory: for the simulator, tests, and whoever wants a node that forgets.
//!
//! It is held to the same contract as the databases, and keeps the same promises, but for one: what is
//! committed lasts as long as its [`MemoryDisk`], of which a store and its readers have a share.
//!
//! A clone is a store of its own that goes on from the state of the original, as if both had been so ever since.
//! It costs three counted references, however much it holds, and the first change after it a few pointers per
//! hundred rows of what is changed: so a simulation can be branched at every step.

mod map;
mod read;
mod state;
mod write;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::meter::Meter;
use super::{SharedStore, StoreError, Upkeep};
use state::State;

/// Where committed states lie, as a disk would hold them: a store that is opened over it again goes on from
/// there. One store at a time writes to it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Committed>>);

#[derive(Debug, Clone, Default)]
struct Committed {
    state: Arc<State>,
    is_full: bool,
}

impl MemoryDisk {
    /// Another disk that holds the same from now on, as a backup or a cloned machine does.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Whether nothing can be committed any more.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    fn read(&self) -> Arc<State> {
        Arc::clone(&self.lock().state)
    }

    fn write(&self, state: Arc<State>) -> Result<(), StoreError> {
        let mut committed = self.lock();
        // What changes nothing needs no room.
        if committed.is_full && !Arc::ptr_eq(&committed.state, &state) {
            return Err(StoreError::Failed("the disk is full".to_owned()));
        }
        committed.state = state;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Committed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A view of what is stored, of a store that writes or of a reader.
#[derive(Debug)]
pub struct Memory<S> {
    source: S,
    meter: Meter,
}

/// The store that writes.
pub type MemoryStore = Memory<Writer>;

/// A reader of the last committed state.
pub type MemoryReader = Memory<Snapshots>;

/// Where the answers come from.
pub trait Source {
    /// The state to answer from.
    fn state(&self) -> Arc<State>;

    /// Asks questions that are all to be answered from one state.
    fn hold(&self, questions: &mut dyn FnMut() -> Result<(), StoreError>)
    -> Result<(), StoreError>;
}

impl<S: Source> Memory<S> {
    fn state(&self) -> Arc<State> {
        self.source.state()
    }
}

/// The one who writes: its transaction, and the state to go back to.
#[derive(Debug)]
pub struct Writer {
    disk: MemoryDisk,
    state: Arc<State>,
    in_transaction: bool,
}

impl Writer {
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.in_transaction {
            let text = "a transaction within a transaction".to_owned();
            return Err(StoreError::Failed(text));
        }
        self.state = self.disk.read();
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.in_transaction) {
            return Err(StoreError::Failed("no transaction".to_owned()));
        }
        self.state.expect_whole();
        self.disk.write(Arc::clone(&self.state))
    }

    fn rollback(&mut self) {
        self.in_transaction = false;
        self.state = self.disk.read();
        self.state.expect_whole();
    }

    /// The state, to be changed.
    fn change(&mut self) -> &mut State {
        assert!(self.in_transaction, "a change outside of a transaction");
        Arc::make_mut(&mut self.state)
    }
}

impl Source for Writer {
    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    fn hold(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        questions()
    }
}

/// Reads what was committed last.
#[derive(Debug)]
pub struct Snapshots {
    disk: MemoryDisk,
    /// The state that several questions see.
    held: RefCell<Option<Arc<State>>>,
}

impl Source for Snapshots {
    fn state(&self) -> Arc<State> {
        match &*self.held.borrow() {
            Some(state) => Arc::clone(state),
            None => self.disk.read(),
        }
    }

    fn hold(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let before = self.held.replace(Some(self.state()));
        let done = questions();
        self.held.replace(before);
        done
    }
}

impl MemoryStore {
    /// A store that goes on from what is on this disk.
    pub fn open(disk: &MemoryDisk) -> Self {
        let source = Writer {
            disk: disk.clone(),
            state: disk.read(),
            in_transaction: false,
        };
        Self {
            source,
            meter: Meter::default(),
        }
    }

    /// Where this store commits to.
    pub fn disk(&self) -> &MemoryDisk {
        &self.source.disk
    }

    /// A store that is empty, and gone with its last reader.
    pub fn new() -> Self {
        Self::open(&MemoryDisk::default())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self {
            source: Writer {
                disk: self.source.disk.copy(),
                state: Arc::clone(&self.source.state),
                in_transaction: self.source.in_transaction,
            },
            meter: Meter::default(),
        }
    }
}

impl Upkeep for MemoryStore {
    fn drop_deleted_copies(&mut self) -> Result<bool, StoreError> {
        // What was dropped is gone with the last state that had it.
        Ok(true)
    }
}

impl SharedStore for MemoryStore {
    type Reader = MemoryReader;

    fn reader(&self) -> Result<MemoryReader, StoreError> {
        let disk = self.source.disk.clone();
        let held = RefCell::default();
        let source = Snapshots { disk, held };
        Ok(Memory {
            source,
            meter: Meter::default(),
        })
    }
}
