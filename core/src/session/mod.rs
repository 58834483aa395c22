//! Replication with one peer: announcements and sessions, as a state machine.
//!
//! Decides what to answer to each message and when a session begins and ends; what a peer lacks by what
//! both sides told is decided in `offer`, where they compare logs, and in `ranges`, where they compare entries.
//! Sees only messages, the time it is handed, and what it asks
//! [`Logs`] for. Sending, storing and judging entries are the
//! caller's, who also carries out the [`Action`]s in their order.
//!
//! Always true:
//! - A session that is over takes no further message.
//! - At most [`SESSIONS_PER_PEER_MAX`] sessions are open, and none outlives [`SESSION_TIMEOUT`] without a
//!   message or a transfer under way.
//! - Each side sends one `Tips` (or `Have`), or as many `Ranges` as it takes, and one `SyncDone` per session. A
//!   deployed peer is sent `SyncDone`
//!   even where a session is given up, for it never gives one up itself.
//! - No session is given the id of an open one.
//!
//! Deployed nodes answer what does not fit with silence, and keep a session that is never finished until the
//! connection ends, with no other about the same schemas beside it. So every request is answered, every session
//! finished, and none is asked for while another one may be open on the other side.

pub mod links;

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{REFUSED_PER_PEER_MAX, SESSIONS_PER_PEER_MAX};
use crate::reason::{Reason, Refusal};
use crate::time::{Duration, Instant};
use crate::types::{Hash, SchemaId};
use crate::wire::{Heights, Message, SchemaSet};

mod name;
mod offer;
mod ranges;
mod ranging;

use offer::{Offer, lacking};

pub use name::PeerIdError;
pub use offer::Logs;
pub use ranges::{EntrySet, Positions};

/// The protocol version that announcements carry.
const VERSION: u64 = 1;

/// The session mode in which the heights of logs are compared, or the tips of their branches.
const MODE_LOG_HEIGHT: u64 = 0;

/// The session mode in which entries are compared by ranges. Mode 1 is taken, and spoken by nobody.
pub const MODE_RANGES: u64 = 2;

/// How long a session may be silent before it is given up.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Who a node is to its peers: the public key of its network identity.
///
/// Of two crossing requests, that of the greater id wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 32]);

/// What a peer understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The messages of grove: branches of logs, and entries whose operation was deleted.
    #[default]
    Grove,
    /// The deployed protocol, in which a log has one height: that of the branch to be continued.
    Deployed,
}

/// How two sides find out what they lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// By what each has of every log.
    Logs,
    /// By fingerprints of ranges of entries, at a cost that follows the difference.
    Ranges,
}

/// What the caller has to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this message to the peer.
    Send(Message),
    /// Send all entries of these logs from the given numbers on, then `SyncDone`. Its end, or that it was given
    /// up, is to be told with [`Peer::transferred`].
    Transfer {
        /// Session id.
        session: u64,
        /// Per log the first number to send.
        starts: Heights,
    },
    /// Send the entries at these positions, then `SyncDone`. Its end is to be told like that of a `Transfer`.
    Give {
        /// Session id.
        session: u64,
        /// Where the entries stand.
        positions: Positions,
    },
    /// The peer does not take part in a session. It may be tried again later.
    Declined,
    /// The peer is interested in these schemas now.
    Announced(SchemaSet),
    /// A request of ours gave way to another one of the peer, about other schemas. It is to be made again.
    GaveWay,
    /// A session came to its end on both sides.
    Finished {
        /// Session id.
        session: u64,
    },
}

/// Everything known about one peer on one connection.
#[derive(Debug, Clone)]
pub struct Peer {
    local: PeerId,
    remote: PeerId,
    sessions: BTreeMap<u64, PeerSession>,
    next_session: u64,
    announced: Option<(u64, SchemaSet)>,
    last_announcement: u64,
    dialect: Dialect,
    /// A session after whose end both sides tell what is new.
    live: Option<Live>,
    /// Whether the peer compares by ranges, as far as is known.
    has_ranges: bool,
    /// Entries of the peer that were refused: some of them, not to be asked for again.
    refused: BTreeSet<Hash>,
}

#[derive(Debug, Clone)]
struct PeerSession {
    schemas: SchemaSet,
    /// When something of it was last heard or sent.
    alive: Instant,
    comparison: Comparison,
    /// Entries that the peer turned out to lack, where they are compared by ranges.
    lacked: Positions,
    /// Whether the peer goes on to tell what is new.
    is_remote_live: bool,
    state: State,
}

impl PeerSession {
    fn new(now: Instant, schemas: SchemaSet, comparison: Comparison, state: State) -> Self {
        Self {
            schemas,
            alive: now,
            comparison,
            lacked: Positions::default(),
            is_remote_live: false,
            state,
        }
    }

    /// What ends our part of the session.
    fn done(&self, session: u64) -> Message {
        Message::SyncDone {
            session,
            live: self.comparison == Comparison::Ranges,
        }
    }
}

#[derive(Debug, Clone)]
struct Live {
    session: u64,
    schemas: SchemaSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// We asked and have no answer yet.
    Requested {
        remote_done: bool,
        /// The id of a request of the peer that crossed ours and gave way to it. Deployed nodes label their
        /// answer to ours with it.
        crossed: Option<u64>,
    },
    /// Ranges go to and fro. The side that asks learns what differs; it is the one that was asked for the session.
    Ranging { asks: bool },
    /// We told what we have and wait for the peer to do so.
    Offered { local_done: bool, remote_done: bool },
    /// What both have is compared; one side or both are still sending.
    Compared { local_done: bool, remote_done: bool },
}

impl State {
    /// Whether we said that we are done.
    fn is_local_done(self) -> bool {
        match self {
            Self::Requested { .. } | Self::Ranging { .. } => false,
            Self::Offered { local_done, .. } | Self::Compared { local_done, .. } => local_done,
        }
    }

    /// Whether entries of ours are on their way.
    fn is_sending(self) -> bool {
        matches!(
            self,
            Self::Compared {
                local_done: false,
                ..
            }
        )
    }
}

/// Sessions that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    /// How many.
    pub sessions: usize,
    /// What is to be sent about them.
    pub messages: Vec<Message>,
}

impl Peer {
    /// A peer just connected.
    pub fn new(local: PeerId, remote: PeerId) -> Self {
        Self {
            local,
            remote,
            sessions: BTreeMap::new(),
            next_session: 0,
            announced: None,
            last_announcement: 0,
            dialect: Dialect::Grove,
            live: None,
            has_ranges: true,
            refused: BTreeSet::new(),
        }
    }

    /// The same peer, known to understand only this.
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// What the peer understands.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The announcement of these schemas. Its timestamp is greater than that of the one before, even
    /// within one second.
    pub fn announce(&mut self, now: Instant, schemas: SchemaSet) -> Message {
        self.last_announcement = now.as_secs().max(self.last_announcement.saturating_add(1));
        Message::Announce {
            version: VERSION,
            timestamp: self.last_announcement,
            schemas,
        }
    }

    /// Opens a session about what both sides are interested in, in which logs are compared; `None` when there is
    /// nothing, or when one is open already.
    pub fn initiate(&mut self, now: Instant, interested: &SchemaSet) -> Option<Message> {
        self.initiate_by(now, interested, Comparison::Logs)
    }

    /// The same with a way to compare; logs are compared with peers that know nothing else.
    pub fn initiate_by(
        &mut self,
        now: Instant,
        interested: &SchemaSet,
        comparison: Comparison,
    ) -> Option<Message> {
        let (_, announced) = self.announced.as_ref()?;
        let schemas: SchemaSet = interested.intersection(announced).cloned().collect();
        if schemas.is_empty() || !self.sessions.is_empty() {
            return None;
        }
        let (comparison, mode) = match comparison {
            Comparison::Ranges if self.has_ranges && self.dialect == Dialect::Grove => {
                (Comparison::Ranges, MODE_RANGES)
            }
            _ => (Comparison::Logs, MODE_LOG_HEIGHT),
        };
        let session = self.next_session;
        self.next_session = self.next_session.wrapping_add(1);
        let state = State::Requested {
            remote_done: false,
            crossed: None,
        };
        let opened = PeerSession::new(now, schemas.clone(), comparison, state);
        let taken = self.sessions.insert(session, opened);
        assert!(taken.is_none(), "no session is open beside it");
        Some(Message::SyncRequest {
            session,
            mode,
            schemas,
        })
    }

    /// The session in which what is new goes to the peer by itself, and the schemas it is about.
    pub fn live(&self) -> Option<(u64, &SchemaSet)> {
        let live = self.live.as_ref()?;
        Some((live.session, &live.schemas))
    }

    /// Whether the peer is to hear of new entries of this schema without another session.
    pub fn follows(&self, schema: &SchemaId) -> bool {
        let live = self.live.as_ref().map(|live| &live.schemas);
        let open = self.sessions.values();
        let open = open.filter(|session| session.comparison == Comparison::Ranges);
        let mut followed = open.map(|session| &session.schemas).chain(live);
        followed.any(|schemas| schemas.contains(schema))
    }

    /// Remembers that an entry of the peer is not wanted.
    pub fn refuse(&mut self, hash: Hash) {
        if self.refused.len() >= REFUSED_PER_PEER_MAX {
            self.refused.pop_first();
        }
        self.refused.insert(hash);
    }

    /// Whether a session is open.
    pub fn is_syncing(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Gives up sessions of which nothing was heard for too long.
    pub fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        let must_finish = self.dialect == Dialect::Deployed;
        self.sessions.retain(|id, session| {
            let state = session.state;
            //= RP9: a session that takes too long is given up
            let is_alive = now < session.alive.after(SESSION_TIMEOUT) || state.is_sending();
            if !is_alive {
                expired.sessions += 1;
                if must_finish && !state.is_local_done() {
                    expired.messages.push(session.done(*id));
                }
            }
            is_alive
        });
        expired
    }

    /// Learns that a transfer came to its end: `SyncDone` was the last of it. Where it was given up instead, a
    /// peer that waits for `SyncDone` is sent that now.
    pub fn transferred(&mut self, now: Instant, session: u64, is_whole: bool) -> Vec<Action> {
        let dialect = self.dialect;
        let Some(open) = self.sessions.get_mut(&session) else {
            return Vec::new();
        };
        open.alive = now;
        let done = open.done(session);
        let mut actions = Vec::new();
        if let State::Compared {
            local_done,
            remote_done,
        } = &mut open.state
        {
            *local_done = true;
            if !is_whole && dialect == Dialect::Deployed {
                actions.push(Action::Send(done));
            }
            if *remote_done {
                actions.push(self.finish(session));
            }
        }
        actions
    }

    /// Gives up all open sessions, as after a failure of our own. What either side announced stays.
    pub fn abandon(&mut self) {
        self.sessions.clear();
        self.live = None;
    }

    /// Whether an entry may come now in this session. Judging it is the caller's, and does not touch the
    /// session. What is new comes in the session that was finished last, also while another one is open.
    pub fn expect_entry(&mut self, now: Instant, session: u64) -> Result<(), SessionError> {
        let is_live = self
            .live
            .as_ref()
            .is_some_and(|live| live.session == session);
        match self.session(session) {
            Ok(open) => open.alive = now,
            Err(_) if is_live => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Answers a message; `logs` is asked for what we have, when needed.
    ///
    /// After an error the session it concerns is closed; others go on.
    pub fn handle<L: Logs>(
        &mut self,
        now: Instant,
        message: Message,
        logs: &L,
    ) -> Result<Vec<Action>, HandleError<L::Error>> {
        match message {
            Message::Announce {
                version,
                timestamp,
                schemas,
            } => Ok(self.announced(version, timestamp, schemas)),
            Message::SyncRequest {
                session,
                mode,
                schemas,
            } => {
                let comparison = self.comparison_of(mode, logs)?;
                let mut actions = match self.admit(session, &schemas)? {
                    Admission::Refused => return Ok(Vec::new()),
                    Admission::Granted => Vec::new(),
                    Admission::GrantedInstead => vec![Action::GaveWay],
                };
                if comparison == Comparison::Ranges {
                    actions.push(self.accept_ranges(now, session, schemas, logs));
                    return Ok(actions);
                }
                let understands_tips = self.dialect == Dialect::Grove;
                let local = Offer::of(logs, &schemas, understands_tips)
                    .and_then(|local| local.fitting(logs, &schemas))
                    .map_err(HandleError::Logs)?;
                actions.extend(self.accept(now, session, schemas, local));
                Ok(actions)
            }
            Message::Have { session, heights } => {
                self.take_offer(now, session, &Offer::Heights(heights), logs)
            }
            Message::Tips { session, tips } => {
                self.take_offer(now, session, &Offer::Tips(tips), logs)
            }
            Message::Ranges { session, ranges } => {
                Ok(self.take_ranges(now, session, &ranges, logs)?)
            }
            Message::Want {
                session,
                entries,
                is_last,
            } => Ok(self.take_want(now, session, &entries, is_last, logs)?),
            Message::Refusal { session, reason } => Ok(self.declined(session, &reason)),
            Message::SyncDone { session, live } => Ok(self.remote_done(now, session, live)?),
            Message::Entry { session, .. } | Message::Skeleton { session, .. } => {
                self.expect_entry(now, session)?;
                Ok(Vec::new())
            }
        }
    }

    /// Answers what a peer has. One that tells heights is told heights.
    fn take_offer<L: Logs>(
        &mut self,
        now: Instant,
        session: u64,
        remote: &Offer,
        logs: &L,
    ) -> Result<Vec<Action>, HandleError<L::Error>> {
        let session = self.meant(session);
        let (schemas, told) = self.expects_offer(session)?;
        let local = Offer::of(logs, schemas, remote.has_tips()).map_err(HandleError::Logs)?;
        let starts = lacking(logs, &local, remote).map_err(HandleError::Logs)?;
        let local = match told {
            true => None,
            false => Some(local.fitting(logs, schemas).map_err(HandleError::Logs)?),
        };
        Ok(self.compared(now, session, local, starts))
    }

    /// The session that an answer is meant for, which deployed nodes label with the id of a request of their own
    /// that gave way.
    fn meant(&self, id: u64) -> u64 {
        if self.sessions.contains_key(&id) {
            return id;
        }
        let mut sessions = self.sessions.iter();
        let meant = sessions.find(|(_, session)| {
            matches!(session.state, State::Requested { crossed: Some(crossed), .. } if crossed == id)
        });
        meant.map_or(id, |(meant, _)| *meant)
    }

    fn announced(&mut self, version: u64, timestamp: u64, schemas: SchemaSet) -> Vec<Action> {
        let newer = self
            .announced
            .as_ref()
            .is_none_or(|(last, _)| timestamp > *last);
        if version != VERSION || !newer {
            return Vec::new();
        }
        self.announced = Some((timestamp, schemas.clone()));
        vec![Action::Announced(schemas)]
    }

    fn comparison_of<L: Logs>(&self, mode: u64, logs: &L) -> Result<Comparison, SessionError> {
        match mode {
            MODE_LOG_HEIGHT => Ok(Comparison::Logs),
            MODE_RANGES if self.dialect == Dialect::Grove && logs.entries().is_some() => {
                Ok(Comparison::Ranges)
            }
            _ => Err(SessionError::Mode(mode)),
        }
    }

    /// Decides whether a requested session may begin. Of two requests that cross, both sides keep
    /// the one of the greater peer id.
    fn admit(&mut self, id: u64, schemas: &SchemaSet) -> Result<Admission, SessionError> {
        let keeps_own = self.local > self.remote;
        let mut admission = Admission::Granted;
        let crossing = self.sessions.iter_mut().find(|(own, session)| {
            let requested = matches!(session.state, State::Requested { .. });
            requested && (**own == id || session.schemas == *schemas)
        });
        if let Some((&own, session)) = crossing {
            let is_same = session.schemas == *schemas;
            //= RP8: the greater peer id keeps its own request
            if keeps_own {
                if let State::Requested { crossed, .. } = &mut session.state
                    && is_same
                {
                    *crossed = Some(id);
                }
                return Ok(Admission::Refused);
            }
            self.sessions.remove(&own);
            if !is_same {
                admission = Admission::GrantedInstead;
            }
        }
        let taken = self
            .sessions
            .iter()
            .any(|(own, session)| *own == id || session.schemas == *schemas);
        if taken {
            return Err(SessionError::Duplicate(id));
        }
        //= NW3: a peer has only so many sessions
        if self.sessions.len() >= SESSIONS_PER_PEER_MAX {
            return Err(SessionError::Limit);
        }
        Ok(admission)
    }

    fn accept(
        &mut self,
        now: Instant,
        session: u64,
        schemas: SchemaSet,
        local: Offer,
    ) -> Vec<Action> {
        let local_done = local.is_empty();
        let state = State::Offered {
            local_done,
            remote_done: false,
        };
        let opened = PeerSession::new(now, schemas, Comparison::Logs, state);
        let done = opened.done(session);
        self.open(session, opened);

        let mut actions = vec![Action::Send(local.into_message(session))];
        if local_done {
            actions.push(Action::Send(done));
        }
        actions
    }

    fn open(&mut self, id: u64, session: PeerSession) {
        self.sessions.insert(id, session);
        self.next_session = self.next_session.max(id.wrapping_add(1));
    }

    /// What the session is about, and whether we have told what we have already.
    fn expects_offer(&mut self, id: u64) -> Result<(&SchemaSet, bool), SessionError> {
        let session = self.session(id)?;
        let is_compared = matches!(session.state, State::Compared { .. });
        if is_compared || session.comparison == Comparison::Ranges {
            self.sessions.remove(&id);
            return Err(SessionError::Unexpected(id));
        }
        let session = self.session(id)?;
        let told = matches!(session.state, State::Offered { .. });
        Ok((&session.schemas, told))
    }

    /// What the peer lacks is sent; who has not told yet first tells what it has itself.
    fn compared(
        &mut self,
        now: Instant,
        id: u64,
        local: Option<Offer>,
        starts: Heights,
    ) -> Vec<Action> {
        let session = self
            .sessions
            .get_mut(&id)
            .expect("checked before the logs were read");
        let (local_done, remote_done) = match session.state {
            State::Requested { remote_done, .. } => (false, remote_done),
            State::Offered {
                local_done,
                remote_done,
            } => (local_done, remote_done),
            State::Compared { .. } | State::Ranging { .. } => {
                unreachable!("refused before the logs were read")
            }
        };
        session.alive = now;
        let done = session.done(id);
        let mut state = State::Compared {
            local_done,
            remote_done,
        };

        let mut actions = Vec::new();
        if let Some(local) = local {
            actions.push(Action::Send(local.into_message(id)));
        }
        if !local_done && starts.is_empty() {
            actions.push(Action::Send(done));
            state = State::Compared {
                local_done: true,
                remote_done,
            };
        } else if !local_done {
            actions.push(Action::Transfer {
                session: id,
                starts,
            });
        }
        session.state = state;
        if remote_done && state.is_local_done() {
            actions.push(self.finish(id));
        }
        actions
    }

    fn remote_done(
        &mut self,
        now: Instant,
        id: u64,
        is_live: bool,
    ) -> Result<Vec<Action>, SessionError> {
        let session = self.session(id)?;
        session.alive = now;
        session.is_remote_live = is_live;
        match &mut session.state {
            State::Requested {
                remote_done: done @ false,
                ..
            }
            | State::Offered {
                remote_done: done @ false,
                ..
            } => {
                *done = true;
                Ok(Vec::new())
            }
            State::Compared {
                local_done,
                remote_done: done @ false,
            } => {
                *done = true;
                match *local_done {
                    true => Ok(vec![self.finish(id)]),
                    false => Ok(Vec::new()),
                }
            }
            State::Requested { .. }
            | State::Ranging { .. }
            | State::Offered { .. }
            | State::Compared { .. } => {
                self.sessions.remove(&id);
                Err(SessionError::Unexpected(id))
            }
        }
    }

    fn finish(&mut self, session: u64) -> Action {
        let over = self.sessions.remove(&session);
        if let Some(over) = over
            && over.comparison == Comparison::Ranges
        {
            let schemas = over.schemas;
            let live = Live { session, schemas };
            self.live = over.is_remote_live.then_some(live);
        }
        Action::Finished { session }
    }

    fn session(&mut self, id: u64) -> Result<&mut PeerSession, SessionError> {
        self.sessions.get_mut(&id).ok_or(SessionError::Unknown(id))
    }
}

/// Whether a requested session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    /// It does.
    Granted,
    /// It does, in place of one that we asked for, about other schemas.
    GrantedInstead,
    /// It does not, one that we asked for does.
    Refused,
}

/// Why a message could not be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError<E> {
    /// The message does not fit. (Peer)
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Our own logs could not be read. (Local)
    #[error("could not read the logs")]
    Logs(E),
}

/// Why a message does not fit the state of its session. (Peer)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No such session, or it is over.
    #[error("session {0} is not open")]
    Unknown(u64),
    /// The id or the set of schemas is taken by an open session.
    #[error("session {0}, or one about the same schemas, is open already")]
    Duplicate(u64),
    /// A mode that is not known here.
    #[error("session mode {0} is not supported")]
    Mode(u64),
    /// A message that may come once came twice.
    #[error("session {0} got a message that does not belong into its state")]
    Unexpected(u64),
    /// Too many open sessions.
    #[error("the peer has too many open sessions")]
    Limit,
    /// What is told of ranges makes no sense.
    #[error("session {0} got ranges that make no sense")]
    Ranges(u64),
}

impl Refusal for SessionError {
    fn reason(&self) -> Reason {
        match self {
            Self::Unknown(_) => Reason::SessionUnknown,
            Self::Duplicate(_) => Reason::SessionDuplicate,
            Self::Mode(_) => Reason::SessionMode,
            Self::Unexpected(_) => Reason::SessionUnexpected,
            Self::Limit => Reason::SessionLimit,
            Self::Ranges(_) => Reason::MessageMalformed,
        }
    }
}

#[cfg(test)]
mod tests;
