//! Goals: our figure against a limit, which is a number or a multiple of somebody else's figure.

use crate::figures::Figures;
use crate::rows::{Key, Outcome};
use crate::server::Kind;

/// One comparison of a row's goal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What was compared, with its figures.
    pub(crate) text: String,
    /// Nothing when a figure is missing for a reason that is not ours.
    pub(crate) met: Option<bool>,
}

/// The figures of `kind`, if it has any.
pub(crate) fn figures(outcome: &Outcome, kind: Kind) -> Option<&Figures> {
    outcome.iter().find(|(known, _)| *known == kind).and_then(|(_, result)| result.as_ref().ok())
}

/// A figure of one server.
pub(crate) fn figure(outcome: &Outcome, kind: Kind, key: Key) -> Option<f64> {
    key.of(figures(outcome, kind)?)
}

/// Our `key` is at most `limit`.
pub(crate) fn at_most(outcome: &Outcome, key: Key, limit: Option<f64>) -> Check {
    compare(outcome, Kind::Ours, key, limit, "<=", |value, limit| value <= limit)
}

/// The `key` of one of ours is at most `limit`; it is named.
pub(crate) fn at_most_of(outcome: &Outcome, kind: Kind, key: Key, limit: Option<f64>) -> Check {
    let check = compare(outcome, kind, key, limit, "<=", |value, limit| value <= limit);
    Check { text: format!("{} {}", kind.name(), check.text), ..check }
}

/// Our `key` is at least `limit`.
pub(crate) fn at_least(outcome: &Outcome, key: Key, limit: Option<f64>) -> Check {
    compare(outcome, Kind::Ours, key, limit, ">=", |value, limit| value >= limit)
}

fn compare(
    outcome: &Outcome,
    kind: Kind,
    key: Key,
    limit: Option<f64>,
    sign: &str,
    holds: fn(f64, f64) -> bool,
) -> Check {
    let value = figure(outcome, kind, key);
    let show = |figure: Option<f64>| figure.map_or_else(|| "?".to_owned(), short);
    // A figure that we do not have misses the goal; one that a peer does not have leaves it open.
    let met = match (value, limit) {
        (Some(value), Some(limit)) => Some(holds(value, limit)),
        (None, _) => Some(false),
        (Some(_), None) => None,
    };
    Check { text: format!("{} {} {sign} {}", key.name(), show(value), show(limit)), met }
}

/// A figure in few digits: three that count, all before the point, thousands as `k`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        format!("{:.2}M", value / 1e6)
    } else if size >= 1e4 {
        format!("{:.1}k", value / 1e3)
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::Trouble;

    fn ours(cpu: f64) -> Vec<(Kind, Result<Figures, Trouble>)> {
        vec![(Kind::Ours, Ok(Figures { cpu_us: Some(cpu), ..Figures::default() }))]
    }

    #[test]
    fn a_goal_is_met_missed_or_open() {
        let outcome = ours(1.5);
        assert_eq!(at_most(&outcome, Key::Cpu, Some(1.5)).met, Some(true));
        assert_eq!(at_most(&outcome, Key::Cpu, Some(1.2)).met, Some(false));
        assert_eq!(at_most(&outcome, Key::Cpu, None).met, None);
        assert_eq!(at_least(&outcome, Key::Cpu, Some(1.2)).met, Some(true));
        assert_eq!(at_most(&outcome, Key::Cpu, Some(1.2)).text, "cpu 1.50 <= 1.20");
    }

    #[test]
    fn a_figure_we_failed_to_give_misses_the_goal() {
        let outcome = vec![(Kind::Ours, Err(Trouble::Closed { what: "testing" }))];
        assert_eq!(at_most(&outcome, Key::Cpu, Some(1.0)).met, Some(false));
        assert_eq!(at_least(&outcome, Key::Rate, None).met, Some(false));
    }

    #[test]
    fn figures_are_short() {
        let shown: Vec<String> =
            [0.1834, 7.912, 53.26, 881.4, 35_120.0, 1_234_567.0].into_iter().map(short).collect();
        assert_eq!(shown, ["0.18", "7.91", "53.3", "881", "35.1k", "1.23M"]);
    }
}
