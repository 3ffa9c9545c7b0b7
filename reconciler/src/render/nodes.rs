//! Nodes and roll-outs, as lines for people.

use lyceum_core::node::rollout::{NodeState, Phase, RolloutState, Standing, Trouble};

use super::difference::{clean, shorten};
use super::lines::{Line, Sign};
use super::text::short;

/// Longest cause of a trouble, in characters: programs answer with pages.
const LONGEST: usize = 300;
/// Nodes told of one by one; the rest is counted.
const NODES: usize = 20;

/// A roll-out that is not through: where it stands, and on whom it waits.
pub(crate) fn of_rollout(rollout: &RolloutState) -> Vec<Line> {
    let RolloutState { group, done, of, .. } = rollout;
    let (sign, what) = match rollout.phase {
        Phase::Settled => return Vec::new(),
        Phase::Rolling => (Sign::Note, format!("* roll-out to {group}: {done} of {of} nodes")),
        Phase::GoingBack => (Sign::Note, format!("* roll-out to {group} is taken back")),
        Phase::Stopped => {
            (Sign::Blocked, format!("! roll-out to {group} stopped: {done} of {of} nodes"))
        }
        Phase::Held => {
            let first = rollout.held_until.as_deref().unwrap_or("the others");
            (Sign::Note, format!("* roll-out to {group} waits until {first} has it"))
        }
        Phase::Unknown => {
            (Sign::Gap, format!("? roll-out to {group}: its nodes could not be read"))
        }
    };
    let roles = match rollout.roles.as_slice() {
        [] => String::new(),
        roles => format!(" ({})", clean(&roles.join(", "))),
    };
    let mut lines = vec![Line::new(sign, 0, format!("{what}{roles}"))];
    if rollout.phase == Phase::Stopped {
        rollout.stopped.iter().for_each(|trouble| of_trouble(trouble, &mut lines));
        let hint = "hint: commit a change that mends it or a revert; it goes on by itself once the \
                    node is well";
        lines.push(Line::new(Sign::Plain, 2, hint));
    } else {
        let waiting = rollout.waiting.iter().take(NODES);
        let waits = waiting.map(|it| format!("waits for {}: {}", clean(&it.node), clean(&it.why)));
        lines.extend(waits.map(|text| Line::new(Sign::Plain, 2, shorten(&text, LONGEST))));
    }
    lines
}

/// The nodes that something is wrong with.
pub(crate) fn of_nodes(nodes: &[NodeState]) -> Vec<Line> {
    let ill: Vec<&NodeState> = nodes.iter().filter(|node| is_ill(node)).collect();
    let mut lines = Vec::new();
    for node in ill.iter().take(NODES) {
        let text = format!("! node {} ({}): {}", clean(&node.id), node.group, standing(node));
        lines.push(Line::new(Sign::Blocked, 0, text));
        node.troubles.iter().for_each(|trouble| of_trouble(trouble, &mut lines));
    }
    if ill.len() > NODES {
        let text = format!("! and {} more nodes", ill.len() - NODES);
        lines.push(Line::new(Sign::Blocked, 0, text));
    }
    lines
}

/// Something is wrong with a node that is to stay.
pub(crate) fn is_ill(node: &NodeState) -> bool {
    let said = matches!(node.standing, Standing::Silent | Standing::Unreadable);
    !node.leaving && (said || !node.troubles.is_empty())
}

/// All nodes, a row each: group, id, state, what it is, roles, sessions, report.
pub(crate) fn table(nodes: &[NodeState]) -> Vec<Line> {
    let rows: Vec<[String; 7]> = nodes.iter().map(row).collect();
    let width = |column: usize| {
        rows.iter().map(|row: &[String; 7]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let text = cells.collect::<Vec<_>>().join("  ");
        Line::new(Sign::Plain, 0, text.trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(node: &NodeState) -> [String; 7] {
    let sessions = match node.sessions {
        0 => String::new(),
        1 => "1 session".into(),
        count => format!("{count} sessions"),
    };
    let report = node.report_age_seconds.map(|age| format!("reported {} ago", age_text(age)));
    [
        node.group.clone(),
        clean(&node.id),
        standing(node).into(),
        node.applied.as_deref().map_or("-".into(), |revision| short(&clean(revision))),
        clean(&node.roles.join(",")),
        sessions,
        report.unwrap_or_default(),
    ]
}

/// How a node stands, in words.
pub(crate) fn standing(node: &NodeState) -> &'static str {
    if node.leaving {
        return "leaving";
    }
    match node.standing {
        Standing::Good if node.behind => "ready, behind",
        Standing::Good => "ready",
        Standing::Elsewhere => "converging",
        Standing::Failing => "failing",
        Standing::Silent => "silent",
        Standing::Unreadable => "report unreadable",
        Standing::New => "not heard of yet",
    }
}

fn of_trouble(trouble: &Trouble, lines: &mut Vec<Line>) {
    let text = format!("{}: {}: {}", trouble.node, trouble.what, trouble.cause);
    lines.push(Line::new(Sign::Plain, 2, shorten(&clean(&text), LONGEST)));
    if !trouble.hint.is_empty() {
        lines.push(Line::new(Sign::Plain, 2, format!("hint: {}", clean(&trouble.hint))));
    }
}

/// How long ago, in the unit that tells most.
fn age_text(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_tells_most() {
        let told = [5, 119, 120, 7199, 7200, 200_000].map(age_text);
        assert_eq!(told, ["5 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }
}
