//! Replication with one peer: announcements and sessions, as a state machine.
//!
//! Decides what to answer to each message and when a session begins and ends; what a peer lacks by what
//! both sides told is decided in `offer`. Sees only messages, the time it is handed, and what it asks
//! [`Logs`] for. Sending, storing and judging entries are the
//! caller's, who also carries out the [`Action`]s in their order.
//!
//! Always true:
//! - A session that is over takes no further message.
//! - At most [`SESSIONS_PER_PEER_MAX`] sessions are open, and none outlives [`SESSION_TIMEOUT`] without a
//!   message or a transfer under way.
//! - Each side sends one `Tips` (or `Have`) and one `SyncDone` per session. A deployed peer is sent `SyncDone`
//!   even where a session is given up, for it never gives one up itself.
//! - No session is given the id of an open one.
//!
//! Deployed nodes answer what does not fit with silence, and keep a session that is never finished until the
//! connection ends, with no other about the same schemas beside it. So every request is answered, every session
//! finished, and none is asked for while another one may be open on the other side.

pub mod links;

use std::collections::BTreeMap;

use crate::limits::SESSIONS_PER_PEER_MAX;
use crate::reason::{Reason, Refusal};
use crate::time::{Duration, Instant};
use crate::wire::{Heights, Message, SchemaSet};

mod name;
mod offer;

use offer::{Offer, lacking};

pub use name::PeerIdError;
pub use offer::Logs;

/// The protocol version that announcements carry.
const VERSION: u64 = 1;

/// The one session mode: comparing log heights.
const MODE_LOG_HEIGHT: u64 = 0;

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
#[derive(Debug)]
pub struct Peer {
    local: PeerId,
    remote: PeerId,
    sessions: BTreeMap<u64, PeerSession>,
    next_session: u64,
    announced: Option<(u64, SchemaSet)>,
    last_announcement: u64,
    dialect: Dialect,
}

#[derive(Debug)]
struct PeerSession {
    schemas: SchemaSet,
    /// When something of it was last heard or sent.
    alive: Instant,
    state: State,
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
    /// We told what we have and wait for the peer to do so.
    Offered { local_done: bool, remote_done: bool },
    /// What both have is compared; one side or both are still sending.
    Compared { local_done: bool, remote_done: bool },
}

impl State {
    /// Whether we said that we are done.
    fn is_local_done(self) -> bool {
        match self {
            Self::Requested { .. } => false,
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

    /// Opens a session about what both sides are interested in; `None` when there is nothing, or
    /// when one is open already.
    pub fn initiate(&mut self, now: Instant, interested: &SchemaSet) -> Option<Message> {
        let (_, announced) = self.announced.as_ref()?;
        let schemas: SchemaSet = interested.intersection(announced).cloned().collect();
        if schemas.is_empty() || !self.sessions.is_empty() {
            return None;
        }
        let session = self.next_session;
        self.next_session = self.next_session.wrapping_add(1);
        let state = State::Requested {
            remote_done: false,
            crossed: None,
        };
        let alive = now;
        let opened = PeerSession {
            schemas: schemas.clone(),
            alive,
            state,
        };
        let taken = self.sessions.insert(session, opened);
        assert!(taken.is_none(), "no session is open beside it");
        Some(Message::SyncRequest {
            session,
            mode: MODE_LOG_HEIGHT,
            schemas,
        })
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
                    expired.messages.push(done(*id));
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
        let mut actions = Vec::new();
        if let State::Compared {
            local_done,
            remote_done,
        } = &mut open.state
        {
            *local_done = true;
            if !is_whole && dialect == Dialect::Deployed {
                actions.push(Action::Send(done(session)));
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
    }

    /// Whether an entry may come now in this session. Judging it is the caller's, and does not touch the
    /// session.
    pub fn expect_entry(&mut self, now: Instant, session: u64) -> Result<(), SessionError> {
        self.session(session)?.alive = now;
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
                let mut actions = match self.admit(session, mode, &schemas)? {
                    Admission::Refused => return Ok(Vec::new()),
                    Admission::Granted => Vec::new(),
                    Admission::GrantedInstead => vec![Action::GaveWay],
                };
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
            Message::SyncDone { session, .. } => Ok(self.remote_done(now, session)?),
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

    /// Decides whether a requested session may begin. Of two requests that cross, both sides keep
    /// the one of the greater peer id.
    fn admit(
        &mut self,
        id: u64,
        mode: u64,
        schemas: &SchemaSet,
    ) -> Result<Admission, SessionError> {
        if mode != MODE_LOG_HEIGHT {
            return Err(SessionError::Mode(mode));
        }
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
        self.sessions.insert(
            session,
            PeerSession {
                schemas,
                alive: now,
                state,
            },
        );
        self.next_session = self.next_session.max(session.wrapping_add(1));

        let mut actions = vec![Action::Send(local.into_message(session))];
        if local_done {
            actions.push(Action::Send(done(session)));
        }
        actions
    }

    /// What the session is about, and whether we have told what we have already.
    fn expects_offer(&mut self, id: u64) -> Result<(&SchemaSet, bool), SessionError> {
        if matches!(self.session(id)?.state, State::Compared { .. }) {
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
            State::Compared { .. } => unreachable!("refused before the logs were read"),
        };
        session.alive = now;
        let mut state = State::Compared {
            local_done,
            remote_done,
        };

        let mut actions = Vec::new();
        if let Some(local) = local {
            actions.push(Action::Send(local.into_message(id)));
        }
        if !local_done && starts.is_empty() {
            actions.push(Action::Send(done(id)));
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

    fn remote_done(&mut self, now: Instant, id: u64) -> Result<Vec<Action>, SessionError> {
        let session = self.session(id)?;
        session.alive = now;
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
            State::Requested { .. } | State::Offered { .. } | State::Compared { .. } => {
                self.sessions.remove(&id);
                Err(SessionError::Unexpected(id))
            }
        }
    }

    fn finish(&mut self, session: u64) -> Action {
        self.sessions.remove(&session);
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

fn done(session: u64) -> Message {
    Message::SyncDone {
        session,
        live: false,
    }
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
    /// A mode other than log height.
    #[error("session mode {0} is not supported")]
    Mode(u64),
    /// A message that may come once came twice.
    #[error("session {0} got a message that does not belong into its state")]
    Unexpected(u64),
    /// Too many open sessions.
    #[error("the peer has too many open sessions")]
    Limit,
}

impl Refusal for SessionError {
    fn reason(&self) -> Reason {
        match self {
            Self::Unknown(_) => Reason::SessionUnknown,
            Self::Duplicate(_) => Reason::SessionDuplicate,
            Self::Mode(_) => Reason::SessionMode,
            Self::Unexpected(_) => Reason::SessionUnexpected,
            Self::Limit => Reason::SessionLimit,
        }
    }
}

#[cfg(test)]
mod tests;
