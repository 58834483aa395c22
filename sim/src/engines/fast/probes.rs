//! Rare states that a long run must meet, and which of them were met.
//!
//! A probe fires where the harness sees such a state from outside: in what a node was told and says, in what
//! clients ask and are answered, in what a store holds. A probe that a long sweep never hit names a place that
//! the simulator does not reach.

use serde::{Serialize, Serializer};

macro_rules! probes {
    ($($probe:ident $what:literal)+) => {
        /// A rare state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Probe {
            $(#[doc = $what] $probe,)+
        }

        impl Probe {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$probe,)+];

            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$probe => stringify!($probe),)+ }
            }

            /// What was met.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$probe => $what,)+ }
            }
        }
    };
}

probes! {
    // Connections.
    DialFails "nobody answers a dial"
    DialRefused "a node that is off is dialled"
    Crossing "two nodes dial each other at once"
    Replaced "a connection takes the place of another"
    HangupUnopened "a connection ends before it was used"
    BytesBeforeOpen "a message arrives before the connection is used"
    BytesAfterEnd "a message arrives after its connection ended"
    LostOnCut "a message is lost on a cut link"
    StalledOnCut "a message waits for a cut link to heal"
    OneWay "a link is cut in one direction alone"
    Garbled "a message that was garbled is still a message"
    Unreadable "a message that was garbled is none any more"
    // Sessions.
    SessionDuplicate "a session is asked for twice"
    SessionUnknown "a message belongs to no session"
    SessionLate "a message comes too late for its session"
    SessionLimit "a peer asks for more sessions than it may have"
    SessionSynced "a session comes to its end"
    CutMidSession "a connection ends while entries are on their way"
    CrashMidTransfer "a node loses power while it sends entries"
    TransferSteps "a transfer takes more than one step"
    TransferGivenUp "a transfer is given up"
    TwoTransfers "two transfers to one peer are under way"
    SkeletonSent "an entry is sent whose operation was deleted"
    TipsForked "tips are told of a log with branches"
    AnnouncedLate "a schema is announced after the first announcement"
    // Entries.
    AcceptedFromPeer "an entry of a peer is accepted"
    AcceptedTwiceOver "one turn accepts several entries"
    Parked "an entry waits for something"
    ParkedMany "ten entries wait"
    Unparked "entries that waited are accepted"
    Forked "a log turns out to be forked"
    ForkAtFirst "a log is forked at its first entry"
    ForkThreeWays "a place of a log is taken three times"
    ForkKeptGrowing "both branches of a fork grow"
    RefusedEntry "an entry of a peer is refused"
    // Documents.
    Merge "an operation joins branches of a document"
    MergeOfThree "an operation joins three branches"
    ConcurrentTips "a document has several tips"
    ManyTips "a document has four tips and more"
    LongDocument "a document has twenty operations"
    Deleted "a document is deleted"
    DeletedTwice "a document is deleted by two operations"
    UpdateAfterDelete "an operation comes after its document was deleted"
    DeletedElsewhere "a deletion arrives from a peer"
    DeletedWithPin "a document is deleted that somebody remembers"
    ChangedWithoutEntry "a document changes without an entry of its own"
    SchemaLast "a schema becomes known after its documents"
    SchemaKnown "a schema becomes known"
    // Nodes.
    Restarted "a node starts again"
    RestartedWithParked "a node starts again while entries wait"
    RestartedOften "a node starts for the fifth time"
    Paused "a node pauses"
    DiskFull "nothing can be stored"
    FullOnPublish "a client is refused because nothing can be stored"
    FullOnReceive "an entry of a peer can't be stored"
    OldBackup "a node goes on from an old backup"
    BackupLostEntries "a backup lacks what was acknowledged"
    ClonedDisk "a node goes on from the disk of another"
    ClockStepsBack "a clock is set back"
    ClockFarAhead "a clock is a minute ahead"
    AllOff "half the nodes are off at once"
    // Clients.
    Retried "a client asks again"
    AnswerLost "an answer is lost, and the entry is there"
    PublishedAgain "an entry that is there already is published again"
    WouldFork "an entry would fork its log"
    OutrunTwice "a client is outrun twice for one step"
    RefusedDeleted "a client edits a document that was deleted"
    SkippedStep "a document never reaches a client's node"
    Together "one key writes several times at once"
    CopyTaken "a client goes on from a copy"
    NodeOff "a client asks a node that is off"
    AnsweredLate "an answer comes after the client gave up waiting"
    Pinned "a view is remembered"
    // Hostile nodes.
    TrickWithheld "a hostile node keeps an entry back"
    TrickForged "a hostile node forges an entry"
    TrickSpoiled "a hostile node spoils a message"
    TrickResurrected "a hostile node sends what was deleted"
    TrickDeleted "a hostile node deletes what is not its own"
    TrickFlooded "a hostile node sends what nobody asked for"
}

/// Which probes fired how often. Counts of the probes of one run, or of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes([u32; Probe::ALL.len()]);

impl Default for Probes {
    fn default() -> Self {
        Self([0; Probe::ALL.len()])
    }
}

impl Probes {
    /// A probe fires; whether for the first time.
    pub fn hit(&mut self, probe: Probe) -> bool {
        let count = &mut self.0[probe as usize];
        *count = count.saturating_add(1);
        *count == 1
    }

    /// How often it fired.
    pub fn count(&self, probe: Probe) -> u32 {
        self.0[probe as usize]
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// Those that fired.
    pub fn met(&self) -> impl Iterator<Item = Probe> + '_ {
        let all = Probe::ALL.iter().copied();
        all.filter(|probe| self.count(*probe) > 0)
    }

    /// Those that never fired.
    pub fn missed(&self) -> impl Iterator<Item = Probe> + '_ {
        let all = Probe::ALL.iter().copied();
        all.filter(|probe| self.count(*probe) == 0)
    }
}

impl Serialize for Probes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            Probe::ALL
                .iter()
                .map(|probe| (probe.name(), self.count(*probe))),
        )
    }
}
