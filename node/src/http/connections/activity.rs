//! What a connection waits for, and when that has lasted too long.
//!
//! Sees only what was read, written and answered, with the time of it. Reading, writing and closing are
//! the caller's.
//!
//! Always true:
//! - A connection whose request is being answered by the node alone is never overdue, nor idle.
//! - Whoever moves less than [`Limits::progress_min`] while the node waited for
//!   [`Limits::stall_timeout`] is overdue, however evenly the bytes trickle.

use std::time::Duration;

use tokio::time::Instant;

use crate::http::Limits;

/// After how long without a byte an answer counts as a stream of events, which is quiet by nature.
const QUIET_STREAM_MIN: Duration = Duration::from_secs(1);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between requests: nothing of the next one has come.
    Quiet { since: Instant },
    /// The head of a request is awaited.
    Head { since: Instant },
    /// A request is being read or answered.
    Request,
    /// The connection went over to another protocol.
    Upgraded { read: Instant },
}

/// What a connection waits for.
#[derive(Debug)]
pub(super) struct Activity {
    phase: Phase,
    /// The body of the request.
    body: Stall,
    /// What the client has not taken yet.
    answer: Stall,
    /// Since when there is nothing to send in an answer that goes on.
    silent_since: Option<Instant>,
    limits: Limits,
}

impl Activity {
    /// A connection from which nothing has come yet.
    pub(super) fn new(now: Instant, limits: Limits) -> Self {
        Self {
            phase: Phase::Head { since: now },
            body: Stall::default(),
            answer: Stall::default(),
            silent_since: None,
            limits,
        }
    }

    /// Bytes came.
    pub(super) fn read(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Quiet { .. } => self.phase = Phase::Head { since: now },
            Phase::Upgraded { read } => *read = now,
            Phase::Head { .. } | Phase::Request => {}
        }
    }

    /// The head of a request is complete.
    pub(super) fn request_began(&mut self) {
        self.phase = Phase::Request;
        self.body = Stall::default();
    }

    /// A part of the request's body is awaited.
    pub(super) fn body_awaited(&mut self, now: Instant) {
        self.body.wait(now);
    }

    /// A part of the request's body came, or its end.
    pub(super) fn body_came(&mut self, now: Instant, size: usize) {
        self.body.moved(now, size, self.limits.progress_min);
    }

    /// The client has to take something before more can be written.
    pub(super) fn write_awaited(&mut self, now: Instant) {
        self.answer.wait(now);
    }

    /// The client's side took something.
    pub(super) fn written(&mut self, now: Instant, size: usize) {
        self.answer.moved(now, size, self.limits.progress_min);
        if let Phase::Quiet { since } = &mut self.phase {
            *since = now;
        }
    }

    /// There is nothing more to send for now, though the answer is not at its end.
    pub(super) fn answer_paused(&mut self, now: Instant) {
        self.silent_since.get_or_insert(now);
    }

    /// A part of the answer is there.
    pub(super) fn answer_flowed(&mut self) {
        self.silent_since = None;
    }

    /// The answer is made, though perhaps not yet taken.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.phase == Phase::Request {
            self.phase = Phase::Quiet { since: now };
        }
        self.body = Stall::default();
        self.silent_since = None;
    }

    /// The connection speaks another protocol from now on.
    pub(super) fn upgraded(&mut self, now: Instant) {
        self.phase = Phase::Upgraded { read: now };
        self.body = Stall::default();
    }

    /// Whether the connection speaks another protocol.
    pub(super) fn is_upgraded(&self) -> bool {
        matches!(self.phase, Phase::Upgraded { .. })
    }

    /// When the connection has to be closed unless something happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let taken = self.answer.deadline(self.limits.stall_timeout);
        let sent = match self.phase {
            // What is still being taken is no silence.
            Phase::Quiet { .. } if taken.is_some() => None,
            Phase::Quiet { since } => Some(since + self.limits.idle_timeout),
            Phase::Head { since } => Some(since + self.limits.head_timeout),
            Phase::Request => self.body.deadline(self.limits.stall_timeout),
            Phase::Upgraded { .. } => None,
        };
        [taken, sent].into_iter().flatten().min()
    }

    /// How dispensable the connection is, the most dispensable being the lowest: who has kept the node
    /// waiting for longest. Those that went over to another protocol or answer with a stream of events are quiet by nature
    /// and come last. `None` while a request is being answered.
    pub(super) fn idle(&self, now: Instant) -> Option<(bool, Instant)> {
        if let Some(since) = self.answer.pending_since {
            return Some((false, since));
        }
        match self.phase {
            Phase::Quiet { since } | Phase::Head { since } => Some((false, since)),
            Phase::Request if self.body.pending_since.is_some() => {
                Some((false, self.body.pending_since?))
            }
            Phase::Request => {
                let since = self.silent_since?;
                (now.saturating_duration_since(since) >= QUIET_STREAM_MIN).then_some((true, since))
            }
            Phase::Upgraded { read } => Some((true, read)),
        }
    }

    /// Since when the client takes nothing of what was written to it.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.answer.pending_since
    }
}

/// How long the other side was waited for since it last moved enough.
#[derive(Debug, Default)]
struct Stall {
    pending_since: Option<Instant>,
    waited: Duration,
    moved: usize,
}

impl Stall {
    fn wait(&mut self, now: Instant) {
        self.pending_since.get_or_insert(now);
    }

    fn moved(&mut self, now: Instant, size: usize, progress_min: usize) {
        if let Some(since) = self.pending_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.moved = self.moved.saturating_add(size);
        if self.moved >= progress_min {
            *self = Self::default();
        }
    }

    fn deadline(&self, timeout: Duration) -> Option<Instant> {
        Some(self.pending_since? + timeout.saturating_sub(self.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> (Activity, Instant) {
        let now = Instant::now();
        (Activity::new(now, Limits::default()), now)
    }

    #[tokio::test]
    async fn heads_have_a_deadline_that_trickling_does_not_move() {
        let (mut activity, now) = activity();
        let limits = Limits::default();

        for second in 0..10 {
            activity.read(now + SECOND * second);
        }

        assert_eq!(activity.deadline(), Some(now + limits.head_timeout));
        assert_eq!(activity.idle(now), Some((false, now)));
    }

    #[tokio::test]
    async fn trickling_bodies_are_overdue_and_flowing_ones_are_not() {
        let (mut trickle, now) = activity();
        let (mut flow, _) = activity();
        let limits = Limits::default();
        for (activity, size) in [(&mut trickle, 1), (&mut flow, limits.progress_min)] {
            activity.request_began();
            for second in 0..10 {
                activity.body_awaited(now + SECOND * second);
                activity.body_came(now + SECOND * (second + 1), size);
            }
            activity.body_awaited(now + SECOND * 10);
        }

        assert_eq!(trickle.deadline(), Some(now + limits.stall_timeout));
        let later = now + SECOND * 10 + limits.stall_timeout;
        assert_eq!(flow.deadline(), Some(later));
    }

    #[tokio::test]
    async fn the_nodes_own_work_is_no_fault_of_the_client() {
        let (mut activity, now) = activity();

        activity.request_began();

        assert_eq!((activity.deadline(), activity.idle(now)), (None, None));
        activity.write_awaited(now + SECOND);
        activity.answered(now + SECOND);
        let stall = Limits::default().stall_timeout;
        assert_eq!(activity.deadline(), Some(now + SECOND + stall));
        activity.written(now + SECOND * 2, 1);
        let idle = Limits::default().idle_timeout;
        assert_eq!(activity.deadline(), Some(now + SECOND * 2 + idle));
    }

    #[tokio::test]
    async fn answers_that_wait_for_news_are_idle_but_never_overdue() {
        let (mut activity, now) = activity();
        activity.request_began();
        activity.answer_flowed();
        activity.answer_paused(now);
        activity.answer_paused(now + SECOND);

        assert_eq!(activity.idle(now + SECOND / 2), None);
        assert_eq!(activity.idle(now + SECOND), Some((true, now)));
        assert_eq!(activity.deadline(), None);
        activity.answer_flowed();
        assert_eq!(activity.idle(now + SECOND), None);
    }

    #[tokio::test]
    async fn sockets_may_be_silent_but_must_take_what_they_get() {
        let (mut activity, now) = activity();

        activity.request_began();
        activity.upgraded(now);

        assert_eq!(activity.deadline(), None);
        assert_eq!(activity.idle(now), Some((true, now)));
        activity.write_awaited(now);
        assert!(activity.deadline().is_some());
    }
}
