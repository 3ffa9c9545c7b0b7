//! How far each cluster is: one line of a table for every second.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::service::Event;

/// A column of the time, and the narrowest of a cluster.
const TIME: usize = 9;
const NARROW: usize = 8;
/// The column of what whole regions share.
const SHARED: &str = "shared";
/// Between two lines.
const BEAT: Duration = Duration::from_secs(1);

/// Objects made, by cluster.
pub(super) struct Convergence<'a> {
    clusters: &'a [String],
    revision: &'a str,
    started: Instant,
    shown: Option<(Duration, String)>,
}

impl<'a> Convergence<'a> {
    /// Of these clusters towards a revision, from now on.
    pub(super) fn new(clusters: &'a [String], revision: &'a str) -> Self {
        Self { clusters, revision, started: Instant::now(), shown: None }
    }

    /// The head of the table.
    pub(super) fn head(&self) -> String {
        let names = self.columns().map(|name| format!("{name:>width$}", width = width(name)));
        format!("{:TIME$}{}\n", "", names.collect::<String>())
    }

    /// The next line, when it is time for one and it says something new.
    pub(super) fn line(&mut self, events: &[Event]) -> Option<String> {
        let now = self.started.elapsed();
        let cells = self.cells(events);
        let (last, told) = self.shown.as_ref().map_or((None, ""), |(at, told)| (Some(*at), told));
        let soon = last.is_some_and(|last| now < last + BEAT);
        if cells == told || soon && !self.is_done(events) {
            return None;
        }
        self.shown = Some((now, cells.clone()));
        let time = format!("{:.1} s", now.as_secs_f64());
        Some(format!("{time:>TIME$}{cells}\n"))
    }

    /// Every cluster has converged to the revision.
    pub(super) fn is_done(&self, events: &[Event]) -> bool {
        self.clusters.iter().all(|name| has_converged(events, name, self.revision))
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        self.clusters.iter().map(String::as_str).chain([SHARED])
    }

    fn cells(&self, events: &[Event]) -> String {
        let made = made(events);
        let cell = |name: &str| {
            let count = made.get(name).map_or(0, BTreeSet::len);
            let done = if has_converged(events, name, self.revision) { "✓" } else { " " };
            format!("{:>width$}{done}", count, width = width(name) - 1)
        };
        self.columns().map(cell).collect()
    }
}

/// A cluster is as a revision says.
pub(super) fn has_converged(events: &[Event], cluster: &str, revision: &str) -> bool {
    let says = |event: &Event| {
        event.message == "converged" && event.cluster == cluster && event.revision == revision
    };
    events.iter().any(says)
}

/// The objects that were made, by cluster.
pub(super) fn made(events: &[Event]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut made: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        if event.message == "done" && event.action == "Create" {
            let scope = event.address.split('/').next().unwrap_or_default();
            let column = if scope.starts_with('@') { SHARED } else { scope };
            made.entry(column).or_default().insert(&event.address);
        }
    }
    made
}

fn width(name: &str) -> usize {
    name.chars().count().max(NARROW) + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(fields: &str) -> Event {
        serde_json::from_str(&format!("{{{fields}}}")).unwrap()
    }

    #[test]
    fn objects_are_counted_once_and_shared_ones_apart() {
        let create = |address| {
            event(&format!(r#""message": "done", "action": "Create", "address": "{address}""#))
        };
        let events = [create("a/vpc/main"), create("a/vpc/main"), create("@us-east-1/queue/x")];
        let counts: Vec<(&str, usize)> =
            made(&events).into_iter().map(|(name, all)| (name, all.len())).collect();
        assert_eq!(counts, [("a", 1), ("shared", 1)]);
    }

    #[test]
    fn it_is_done_when_the_last_cluster_has_the_revision() {
        let of = |cluster, revision| {
            event(&format!(
                r#""message": "converged", "cluster": "{cluster}", "revision": "{revision}""#
            ))
        };
        let clusters = ["a".to_string(), "b".to_string()];
        let mut convergence = Convergence::new(&clusters, "2");
        let events = [of("a", "2"), of("b", "1"), of("b", "2")];
        assert!(!convergence.is_done(&events[..2]));
        assert!(convergence.is_done(&events));
        assert_eq!(convergence.line(&events).unwrap().matches('✓').count(), 2);
        assert_eq!(convergence.line(&events), None);
    }
}
