//! Translates what became of the rule mutants into two sections: one by one, and by requirement.

use super::{Finding, Row, Score, Section, State, Test};
use crate::mutants::{Fate, Measurement};

impl Section {
    /// Every mutant with the number of cases that noticed it. The section fails when less than
    /// `percent_min` of them are killed; `again` is the command that repeats one, less its name.
    pub fn of_mutants(
        measurement: &Measurement,
        percent_min: u8,
        seconds: f64,
        again: &str,
    ) -> Self {
        let fates = &measurement.fates;
        let (killed, all) = (measurement.killed(), fates.len());
        let count = |is: &dyn Fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        let by_reason = count(&Fate::is_killed_by_reason_only);
        let excused = count(&|fate| !fate.is_killed() && fate.excuse.is_some());
        let unexplained = all - killed - excused;
        let mut findings: Vec<_> = fates
            .iter()
            .filter_map(|fate| finding(fate, again))
            .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        if killed * 100 < all * usize::from(percent_min) {
            findings.insert(0, too_few(percent_min, again));
        }
        let worst = findings.iter().map(|finding| finding.state).max();
        Self {
            title: "Rule mutants".to_owned(),
            state: worst.unwrap_or_default().max(State::Passed),
            summary: format!(
                "{killed} of {all} broken rules noticed ({}), {by_reason} of them by the reason \
                 alone; {excused} excused, {unexplained} unexplained ({} cases)",
                percent(killed, all),
                measurement.cases
            ),
            score: Some(Score {
                points: killed,
                of: all,
            }),
            share: None,
            seconds,
            columns: [
                "mutant",
                "guards",
                "by answer",
                "by reason",
                "by breakdown",
                "first noticed by",
            ]
            .map(str::to_owned)
            .into(),
            rows: fates.iter().map(row).collect(),
            tests: fates.iter().map(test).collect(),
            findings,
        }
    }

    /// How many of the mutants that guard a requirement or ruling are killed.
    pub fn of_guarded_requirements(measurement: &Measurement) -> Self {
        let scores = measurement.by_requirement();
        let whole = scores.values().filter(|(killed, all)| killed == all);
        let rows = scores.iter().map(|(id, (killed, all))| Row {
            state: if killed == all {
                State::Passed
            } else {
                State::Skipped
            },
            cells: vec![
                (*id).to_owned(),
                all.to_string(),
                killed.to_string(),
                percent(*killed, *all),
            ],
        });
        Self {
            title: "Rule mutants by requirement".to_owned(),
            state: State::Passed,
            summary: format!(
                "all mutants of {} of {} requirements and rulings noticed",
                whole.count(),
                scores.len()
            ),
            columns: ["requirement", "mutants", "noticed", "share"]
                .map(str::to_owned)
                .into(),
            rows: rows.collect(),
            ..Self::default()
        }
    }
}

fn percent(killed: usize, all: usize) -> String {
    format!("{:.1} %", killed as f64 * 100.0 / all.max(1) as f64)
}

/// A survivor with an excuse is nobody's fault; one without, or an excuse without a survivor, is.
fn state(fate: &Fate) -> State {
    match (fate.is_killed(), fate.excuse) {
        (true, None) => State::Passed,
        (false, Some(_)) => State::Skipped,
        (true, Some(_)) | (false, None) => State::Weak,
    }
}

fn row(fate: &Fate) -> Row {
    Row {
        state: state(fate),
        cells: vec![
            fate.mutant.to_string(),
            fate.mutant.point.guards().join(" "),
            fate.by_answer.to_string(),
            fate.by_reason.to_string(),
            fate.by_breakdown.to_string(),
            fate.killers.join(" "),
        ],
    }
}

fn test(fate: &Fate) -> Test {
    Test {
        id: fate.mutant.to_string(),
        group: fate.mutant.point.guards()[0].to_owned(),
        state: state(fate),
    }
}

fn finding(fate: &Fate, again: &str) -> Option<Finding> {
    let what = match (fate.is_killed(), fate.excuse) {
        (true, None) => return None,
        (false, Some(why)) => format!("survives, excused: {why}"),
        (false, None) => "survives, and nothing says why".to_owned(),
        (true, Some(_)) => "is killed, and need not be excused".to_owned(),
    };
    let name = fate.mutant.to_string();
    Some(Finding {
        repeat: format!("{again} --only {name}"),
        id: name,
        state: state(fate),
        what,
        evidence: vec![fate.mutant.point.breaks().to_owned()],
    })
}

fn too_few(percent_min: u8, again: &str) -> Finding {
    Finding {
        id: "share".to_owned(),
        state: State::Failed,
        what: format!("less than {percent_min} % of the broken rules are noticed"),
        evidence: Vec::new(),
        repeat: again.to_owned(),
    }
}
