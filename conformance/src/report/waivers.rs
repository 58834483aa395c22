//! Failures somebody has taken note of, for a time and for a reason.
//!
//! A waived case still runs and must fail the way the waiver says; then it does not count. A waiver that
//! has run out, or whose case no longer fails, is stale, and stale waivers are a failure of their own: a
//! list nobody prunes hides the next fault.

use serde::Deserialize;

use super::{Report, Section, State};

/// One line of a waiver file, which is a JSON list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Id of the case or check.
    pub case: String,
    /// Why it is let go.
    pub reason: String,
    /// Where it is being dealt with.
    pub link: String,
    /// Last day on which it holds, as `2027-01-31`.
    pub expires: String,
    /// Words that stand in what goes wrong.
    pub fails: String,
}

impl Report {
    /// Applies `waivers` on the day `today`, written like their expiry.
    pub fn waive(&mut self, waivers: &[Waiver], today: &str) {
        for waiver in waivers {
            let mut used = false;
            for section in &mut self.sections {
                used |= apply(section, waiver, today);
            }
            let case = &waiver.case;
            if today > waiver.expires.as_str() {
                self.stale_waivers
                    .push(format!("{case}: ran out on {}", waiver.expires));
            } else if !used {
                self.stale_waivers
                    .push(format!("{case}: does not fail with {:?}", waiver.fails));
            }
        }
    }
}

fn apply(section: &mut Section, waiver: &Waiver, today: &str) -> bool {
    let mut used = false;
    for finding in &mut section.findings {
        let meant = finding.id == waiver.case && finding.what.contains(&waiver.fails);
        if meant && today <= waiver.expires.as_str() {
            finding.state = State::Skipped;
            finding.what = format!(
                "waived, {} ({}): {}",
                waiver.reason, waiver.link, finding.what
            );
            let waived = section.tests.iter_mut();
            waived
                .filter(|test| test.id == waiver.case)
                .for_each(|test| test.state = State::Skipped);
            used = true;
        }
    }
    if used {
        let left = section.findings.iter().map(|finding| finding.state).max();
        section.state = left
            .filter(|state| *state != State::Skipped)
            .unwrap_or(State::Passed);
    }
    used
}

/// The civil date, `days` after the first of January 1970, as `2027-01-31`.
pub fn date(days: u64) -> String {
    // Years are counted from March, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_819, "2027-01-01"),
        ] {
            assert_eq!(date(days), text);
        }
    }
}
