//! What a run hands back: counts, trace, verdict, and the command that repeats it.
//!
//! Data and its two written forms, JSON by serde and a few lines for people. Decides nothing.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::planted::PlantedBug;
use crate::trace::Digest;

/// The result of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The seed of every choice.
    #[serde(with = "crate::decimal")]
    pub seed: u64,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of clients.
    pub clients: usize,
    /// Whether every invariant held.
    pub outcome: Outcome,
    /// What was done.
    pub counts: Counts,
    /// Length of the run on the simulated clock.
    pub simulated_ms: u64,
    /// Length of the run on the wall clock; the one member that differs between equal runs.
    pub wall_ms: u64,
    /// Hash over all events.
    pub trace: Digest,
    /// The command that repeats this run.
    pub repeat: String,
}

/// Whether the invariants held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// All of them.
    Ok,
    /// One did not.
    Failed {
        /// Its name.
        invariant: String,
        /// The first difference, for people.
        difference: String,
    },
}

/// How much happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries a node acknowledged to a client.
    pub published: u64,
    /// Steps a node refused with a code, such as an edit of a deleted document.
    pub refused: u64,
    /// Steps given up because the client's node never learnt of their document.
    pub skipped: u64,
    /// Requests repeated because their outcome was unknown.
    pub retried: u64,
    /// Cuts of a link.
    pub cuts: u64,
    /// Copies that clients went on from.
    pub copies: u64,
    /// Entries that came too late for their place and were signed anew.
    pub outrun: u64,
    /// Logs with branches on the first node at the end.
    pub forks: u64,
    /// Published operations that joined two or more branches of a document.
    pub merges: u64,
    /// Replication messages handed to connections.
    pub messages: u64,
    /// Those of them that stood for an entry whose operation was deleted.
    pub skeletons: u64,
    /// Entries the first node holds at the end; in a run that is ok, every node.
    pub entries: u64,
    /// Documents that were created and not deleted.
    pub documents: u64,
    /// Documents that were deleted.
    pub deleted: u64,
    /// Mishaps beside cuts; of the fast engine.
    #[serde(default)]
    pub faults: u64,
    /// Nodes that started again; of the fast engine.
    #[serde(default)]
    pub restarts: u64,
}

/// The command that repeats the run of a seed, with the bug that was put in if there was one.
pub fn repeat_command(
    seed: u64,
    nodes: usize,
    clients: usize,
    planted: Option<PlantedBug>,
) -> String {
    let bug = planted.map_or_else(String::new, |bug| format!(" {}", bug.argument()));
    format!("grove-sim run --seed {seed} --nodes {nodes} --clients {clients}{bug}")
}

/// Whole milliseconds; runs last minutes, not millennia.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            published,
            merges,
            refused,
            skipped,
            retried,
            cuts,
            copies,
            outrun,
            forks,
            messages,
            skeletons,
            entries,
            documents,
            deleted,
            faults,
            restarts,
        } = self.counts;
        let [simulated, wall] =
            [self.simulated_ms, self.wall_ms].map(|ms| Duration::from_millis(ms).as_secs_f64());
        writeln!(
            f,
            "seed {}: {} nodes, {} clients",
            self.seed, self.nodes, self.clients
        )?;
        writeln!(
            f,
            "  clients   {published} entries published, {merges} of them merges"
        )?;
        writeln!(
            f,
            "            {retried} requests retried, {refused} steps refused, {skipped} skipped"
        )?;
        writeln!(
            f,
            "  forks     {copies} copies of clients, {outrun} entries outrun, {forks} logs with branches"
        )?;
        writeln!(
            f,
            "  network   {cuts} cuts, {messages} replication messages, {skeletons} without payload"
        )?;
        if faults > 0 {
            writeln!(f, "  faults    {faults} others, {restarts} restarts")?;
        }
        writeln!(
            f,
            "  at rest   {entries} entries, {documents} documents shown, {deleted} deleted"
        )?;
        writeln!(f, "  time      {simulated:.1} s simulated in {wall:.2} s")?;
        writeln!(
            f,
            "  trace     {} over {} events",
            self.trace.hash, self.trace.events
        )?;
        match &self.outcome {
            Outcome::Ok => {
                write!(
                    f,
                    "  ok        all nodes hold the same entries and show the same views"
                )
            }
            Outcome::Failed {
                invariant,
                difference,
            } => {
                writeln!(f, "  FAILED    {invariant}: {difference}")?;
                write!(f, "  repeat    {}", self.repeat)
            }
        }
    }
}
