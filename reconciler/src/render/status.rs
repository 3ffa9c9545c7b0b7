//! How the clusters are, in one table or one document.

use std::fmt::Write;

use lyceum_core::node::rollout::{NodeState, Phase, RolloutState};
use serde::Serialize;

use super::lines::{Line, Sign};
use super::text::short;
use super::{Paint, json, nodes};

/// How all clusters are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What they were compared with.
    pub revision: String,
    /// Every cluster declared or found, and `@region` for what a region shares.
    pub clusters: Vec<ClusterStatus>,
}

/// How one cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub region: String,
    /// The manifest says to leave it as it is.
    pub suspended: bool,
    /// A manifest declares it.
    pub declared: bool,
    /// The commit last applied in full; none before the first.
    pub applied: Option<String>,
    /// Nothing is left to do for the revision it was compared with.
    pub current: bool,
    /// Changes to be made, drift included.
    pub changes: usize,
    /// Objects changed or removed outside the repository, repaired or reported.
    pub drift: usize,
    /// What is held back.
    pub blocked: usize,
    /// What is unknown.
    pub gaps: usize,
    /// Where users find the hub; none before it has an address.
    pub hub: Option<String>,
    /// Fewest workers.
    pub workers_min: Option<i32>,
    /// Most workers.
    pub workers_max: Option<i32>,
    /// How the roll-out to each group of nodes stands.
    pub rollouts: Vec<RolloutState>,
    /// How its nodes are.
    pub nodes: Vec<NodeState>,
}

/// As one JSON document.
pub fn as_json(status: &Status) -> String {
    json::pretty(status)
}

/// As a table.
pub fn as_text(status: &Status, paint: Paint) -> String {
    let head = ["cluster", "region", "state", "applied", "drift", "hub", "workers"];
    let mut rows = vec![head.map(String::from)];
    rows.extend(status.clusters.iter().map(row));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let sign = if place == 0 { Sign::Title } else { Sign::Plain };
        push(&mut text, &paint.sign(sign, line.trim_end()));
    }
    push(&mut text, &format!("revision {}", short(&status.revision)));
    for cluster in &status.clusters {
        of_nodes(cluster, paint, &mut text);
    }
    text
}

/// A cluster's nodes, what is wrong with them, and where a roll-out stands.
fn of_nodes(cluster: &ClusterStatus, paint: Paint, text: &mut String) {
    let lines = nodes::table(&cluster.nodes).into_iter();
    let lines = lines.chain(nodes::of_nodes(&cluster.nodes));
    let lines: Vec<Line> =
        lines.chain(cluster.rollouts.iter().flat_map(nodes::of_rollout)).collect();
    if lines.is_empty() {
        return;
    }
    push(text, "");
    push(text, &paint.sign(Sign::Title, &format!("nodes of {}", cluster.name)));
    for line in lines {
        let indented = format!("{}{}", "  ".repeat(line.depth + 1), line.text);
        push(text, &paint.sign(line.sign, &indented));
    }
}

fn row(cluster: &ClusterStatus) -> [String; 7] {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_string();
    let workers = cluster.workers_min.zip(cluster.workers_max);
    [
        cluster.name.clone(),
        cluster.region.clone(),
        state(cluster),
        cluster.applied.as_deref().map_or("-".into(), short),
        cluster.drift.to_string(),
        or_none(cluster.hub.as_deref()),
        workers.map_or("-".into(), |(min, max)| format!("{min}..{max}")),
    ]
}

fn state(cluster: &ClusterStatus) -> String {
    if cluster.suspended {
        return "suspended".into();
    }
    let mut parts = Vec::new();
    let mut count = |number: usize, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    count(cluster.changes, "to change");
    count(cluster.blocked, "blocked");
    count(cluster.gaps, "unknown");
    let phases = || cluster.rollouts.iter().map(|rollout| rollout.phase);
    if phases().any(|phase| phase == Phase::Stopped) {
        parts.push("roll-out stopped".into());
    } else if phases().any(|phase| phase != Phase::Settled) {
        parts.push("rolling out".into());
    }
    match (parts.is_empty(), cluster.declared) {
        (true, true) => "as declared".into(),
        (true, false) => "not declared".into(),
        (false, _) => parts.join(", "),
    }
}

fn push(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").ok();
}
