//! A run to look at: a page that needs nothing beside it, and the formats of other tools.
//!
//! The page shows a lane per host with what happened on it, messages with their fate, bands where something was
//! wrong, and the moment of the failure; of each event what it followed from and what its host held, and of each
//! document its graph. Decides nothing about runs: it only tells what their trace says.

use std::fmt::Write;

use serde_json::json;

use crate::evidence::{Drawn, Finding};
use crate::plan::Plan;
use crate::trace::{Event, Record};

/// The page, with a place for the data.
const PAGE: &str = include_str!("timeline.html");
const PLACE: &str = "/*DATA*/";

/// The records of a trace; lines that are none are left out.
pub fn records(trace: &[u8]) -> Vec<Record> {
    let lines = trace.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The page of a run.
pub fn page(plan: &Plan, finding: Option<&Finding>, trace: &[u8], drawn: &[Drawn]) -> String {
    let data = json!({
        "plan": plan,
        "finding": finding,
        "events": records(trace),
        "operations": drawn,
    });
    // Nothing in the data can end the element it stands in.
    let data = data.to_string().replace('<', "\\u003c");
    PAGE.replace(PLACE, &data)
}

/// Who talks to whom as a sequence diagram for Mermaid; the first so many messages.
pub fn mermaid(plan: &Plan, trace: &[u8], messages_max: usize) -> String {
    let mut out = "sequenceDiagram\n".to_owned();
    for node in 0..plan.nodes {
        let _ = writeln!(out, "  participant node-{node}");
    }
    let mut count = 0;
    for record in records(trace) {
        match record.event {
            Event::Message { peer, kind, .. } if count < messages_max => {
                count += 1;
                let _ = writeln!(out, "  {}->>{peer}: {kind}", record.host);
            }
            Event::Accepted { operation, .. } if count < messages_max => {
                let id = &operation[4..12];
                let _ = writeln!(out, "  Note over {}: accepts {id}", record.host);
            }
            _ => {}
        }
    }
    out
}

/// The events in the form of Chrome's traces, which Perfetto reads: a process, and a thread per host.
pub fn perfetto(trace: &[u8]) -> String {
    let mut hosts: Vec<String> = Vec::new();
    let mut events = Vec::new();
    for record in records(trace) {
        let known = hosts.iter().position(|host| *host == record.host);
        let thread = known.unwrap_or_else(|| {
            hosts.push(record.host.clone());
            hosts.len() - 1
        });
        let told = serde_json::to_value(&record.event).unwrap_or_default();
        events.push(json!({
            "name": told["event"],
            "ph": "i",
            "s": "t",
            "ts": record.at_us,
            "pid": 1,
            "tid": thread + 1,
            "args": told,
        }));
    }
    for (thread, host) in hosts.iter().enumerate() {
        events.push(json!({
            "name": "thread_name", "ph": "M", "pid": 1, "tid": thread + 1, "args": {"name": host},
        }));
    }
    json!({ "traceEvents": events }).to_string()
}

/// The events with vector clocks, as ShiViz reads them with
/// `(?<host>\S*) (?<clock>{.*})\n(?<event>.*)` as its expression.
pub fn shiviz(trace: &[u8]) -> String {
    use std::collections::{BTreeMap, VecDeque};
    type Clock = BTreeMap<String, u64>;
    let mut clocks: BTreeMap<String, Clock> = BTreeMap::new();
    let mut on_the_way: BTreeMap<(String, String, usize), VecDeque<Clock>> = BTreeMap::new();
    let mut out = String::new();
    for record in records(trace) {
        let host = record.host.clone();
        let received = match &record.event {
            Event::Read { peer, size, .. } => on_the_way
                .get_mut(&(peer.clone(), host.clone(), *size))
                .and_then(VecDeque::pop_front),
            _ => None,
        };
        let clock = clocks.entry(host.clone()).or_default();
        for (other, time) in received.into_iter().flatten() {
            let known = clock.entry(other).or_default();
            *known = time.max(*known);
        }
        *clock.entry(host.clone()).or_default() += 1;
        if let Event::Message { peer, size, .. } = &record.event {
            let key = (host.clone(), peer.clone(), *size);
            on_the_way.entry(key).or_default().push_back(clock.clone());
        }
        let clock = serde_json::to_string(clock).unwrap_or_default();
        let told = serde_json::to_string(&record.event).unwrap_or_default();
        let _ = writeln!(out, "{host} {clock}\n{told}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Profile;
    use crate::play::play;

    fn run() -> (Plan, Vec<u8>) {
        let plan = Plan::swarm(1, Some(Profile::Calm));
        let lines = play(&plan, true).lines.expect("they were asked for");
        (plan, lines)
    }

    #[test]
    fn the_page_holds_the_run_and_nothing_breaks_out_of_it() {
        let (plan, lines) = run();
        let finding = Finding {
            invariant: "made_up".to_owned(),
            difference: "</script><b>".to_owned(),
            event: 3,
            at_us: 5,
        };

        let page = page(&plan, Some(&finding), &lines, &[]);

        assert!(!page.contains(PLACE) && !page.contains("</script><b>"));
        assert_eq!(page.matches("</script>").count(), 2);
        let begin = page.find("id=\"data\">").expect("the data") + 10;
        let end = begin + page[begin..].find("</script>").expect("its end");
        let data: serde_json::Value = serde_json::from_str(&page[begin..end]).expect("JSON");
        assert_eq!(data["finding"]["difference"], "</script><b>");
        assert_eq!(
            data["events"].as_array().map(Vec::len),
            Some(records(&lines).len())
        );
        assert!(
            !page.contains("http://") && !page.contains("https://"),
            "needs nothing"
        );
    }

    #[test]
    fn other_tools_are_told_the_same_events() {
        let (plan, lines) = run();
        let count = records(&lines).len();

        let trace: serde_json::Value = serde_json::from_str(&perfetto(&lines)).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("a list").iter();
        assert_eq!(events.filter(|event| event["ph"] == "i").count(), count);
        assert_eq!(shiviz(&lines).lines().count(), 2 * count);
        assert!(mermaid(&plan, &lines, 10).lines().count() > 10);
    }

    #[test]
    fn vector_clocks_know_what_was_received() {
        let (_, lines) = run();

        let joined = shiviz(&lines).lines().step_by(2).any(|line| {
            let (_, clock) = line.split_once(' ').expect("a host");
            let clock: serde_json::Map<_, _> = serde_json::from_str(clock).expect("JSON");
            clock.len() > 1
        });

        assert!(joined, "nobody heard of anybody");
    }
}
