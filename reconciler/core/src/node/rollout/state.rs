//! How a roll-out and its nodes stand, for people.

use serde::Serialize;

use super::super::pointer::Body;
use super::super::report::{CheckReport, NodeReport, StepOutcome, StepReport};
use super::{Group, Node, Situation, Standing};

/// How long after a wave was told a failure may pass by itself.
const GRACE_SECONDS: i64 = 120;
/// Failing steps and checks named of one node; the rest is counted.
const NAMED: usize = 10;

/// What a group's roll-out is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing: its pointer says what is wanted, and nothing else.
    #[default]
    Settled,
    /// Wave by wave to the target.
    Rolling,
    /// Back to what the others have, some at a time.
    GoingBack,
    /// A node fails the target: nobody else gets it.
    Stopped,
    /// Another group comes first.
    Held,
    /// The nodes could not be read: everything stays.
    Unknown,
}

impl Phase {
    /// As it stands in the JSON forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Rolling => "rolling",
            Self::GoingBack => "going-back",
            Self::Stopped => "stopped",
            Self::Held => "held",
            Self::Unknown => "unknown",
        }
    }
}

/// How the roll-out of a group stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RolloutState {
    /// The cluster.
    pub cluster: String,
    /// The group.
    pub group: String,
    /// What it is doing.
    pub phase: Phase,
    /// Digest of what its nodes are to be in the end.
    pub target: String,
    /// Roles that are not what those nodes have that are behind.
    pub roles: Vec<String>,
    /// Nodes that are what they are to be in the end.
    pub done: usize,
    /// Its nodes.
    pub of: usize,
    /// Nodes told to take the pointer's target before the others.
    pub wave: Vec<String>,
    /// Whom the next wave waits for.
    pub waiting: Vec<Waiting>,
    /// What stopped it, node by node.
    pub stopped: Vec<Trouble>,
    /// The group that comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
}

/// A node that a wave waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Which.
    pub node: String,
    /// What it is doing, as far as it is known.
    pub why: String,
}

/// A step or a check that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// On which node.
    pub node: String,
    /// `role/name` of the step or check; a word where it is neither.
    pub what: String,
    /// What went wrong.
    pub cause: String,
    /// The way out; empty where nothing more can be said.
    pub hint: String,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeState {
    /// `i-0123456789abcdef0`.
    pub id: String,
    /// The group.
    pub group: String,
    /// What it is to be made of.
    pub roles: Vec<String>,
    /// How it stands to what its pointer asks of it now.
    pub standing: Standing,
    /// It is not yet what its group is to be in the end.
    pub behind: bool,
    /// It is on its way out.
    pub leaving: bool,
    /// The commit it last was, all of it.
    pub applied: Option<String>,
    /// The commit it last tried to be.
    pub attempted: Option<String>,
    /// Seconds since its report came; none where none ever did.
    pub report_age_seconds: Option<i64>,
    /// Seconds since the pointer it goes by was last seen to be current.
    pub pointer_age_seconds: Option<i64>,
    /// Notebook servers on it.
    pub sessions: u64,
    /// The agent's version; empty where it is not known.
    pub agent: String,
    /// What is not as it should be.
    pub troubles: Vec<Trouble>,
}

/// How a group's roll-out stands once its pointer says `body`.
pub(super) fn of(
    situation: &Situation,
    (name, group): (&str, &Group),
    (body, phase): (&Body, Phase),
) -> RolloutState {
    let wanted = group.wanted.digest();
    let target = body.target.digest();
    let mut stays: Vec<&Node> = group.nodes.iter().filter(|node| !node.leaving).collect();
    stays.sort_by_key(|node| &node.id);
    let told = || stays.iter().filter(|node| body.wave.contains(&node.id));
    let open = told().filter(|node| node.standing(&target, situation.now) != Standing::Good);
    let fails = |node: &&&Node| node.standing(&target, situation.now) == Standing::Failing;
    let mut state = RolloutState {
        cluster: situation.cluster.clone(),
        group: name.into(),
        phase,
        target: wanted.clone(),
        roles: group.changed_roles(),
        done: stays
            .iter()
            .filter(|node| node.standing(&wanted, situation.now) == Standing::Good)
            .count(),
        of: stays.len(),
        wave: body.wave.clone(),
        ..RolloutState::default()
    };
    if !matches!(phase, Phase::Rolling | Phase::GoingBack) {
        return state;
    }
    state.waiting = open.map(|node| waiting(node, &target, situation.now)).collect();
    if body.wave.is_empty() {
        state.waiting = stays.iter().map(|node| waiting(node, &target, situation.now)).collect();
    }
    let since = group.written.unwrap_or(0);
    let says = |body: &Body| (body.target.clone(), body.previous.clone(), body.wave.clone());
    let stays_so = group.pointer.as_ref().map(says) == Some(says(body));
    let goes_on = !stays_so || phase == Phase::GoingBack;
    if !goes_on && told().any(|node| fails(&node)) && situation.now - since >= GRACE_SECONDS {
        state.phase = Phase::Stopped;
        state.stopped = told().filter(fails).flat_map(|node| troubles(node)).collect();
    }
    state
}

/// How the nodes of a group are once its pointer says `body`.
pub(super) fn nodes(
    situation: &Situation,
    (name, group): (&str, &Group),
    body: &Body,
) -> Vec<NodeState> {
    let wanted = group.wanted.digest();
    let one = |node: &Node| {
        let target = body.target_of(&node.id);
        let report = node.report.as_ref().map(|reported| &reported.report);
        let seen = report.map(|report| report.pointer.seen).filter(|seen| *seen > 0);
        let revision = |target: &Option<super::super::report::TargetReport>| {
            target.as_ref().map(|target| target.revision.clone())
        };
        NodeState {
            id: node.id.clone(),
            group: name.into(),
            roles: target.roles.clone(),
            standing: node.standing(&target.digest(), situation.now),
            behind: node.standing(&wanted, situation.now) != Standing::Good,
            leaving: node.leaving,
            applied: report.and_then(|report| revision(&report.applied)),
            attempted: report.and_then(|report| revision(&report.attempted)),
            report_age_seconds: node.report.as_ref().map(|it| (situation.now - it.at).max(0)),
            pointer_age_seconds: seen.map(|seen| (situation.now - seen).max(0)),
            sessions: report.map_or(0, |report| report.sessions),
            agent: report.map(|report| report.agent.version.clone()).unwrap_or_default(),
            troubles: troubles(node),
        }
    };
    group.nodes.iter().map(one).collect()
}

fn waiting(node: &Node, target: &str, now: i64) -> Waiting {
    let refused = node.report.as_ref().map(|it| it.report.pointer.refused.as_str());
    let age = node.report.as_ref().map_or(0, |reported| (now - reported.at) / 60);
    let why = match (node.standing(target, now), refused) {
        (_, Some(why)) if !why.is_empty() => format!("it refuses its pointer: {why}"),
        (Standing::Good, _) => "it is ready".into(),
        (Standing::Elsewhere, _) => "it has not taken it yet".into(),
        (Standing::Failing, _) => first_trouble(node),
        (Standing::Silent, _) => format!("its last report is {age} min old"),
        (Standing::Unreadable, _) => "its report cannot be read".into(),
        (Standing::New, _) => "it has not reported yet".into(),
    };
    Waiting { node: node.id.clone(), why }
}

fn first_trouble(node: &Node) -> String {
    let trouble = troubles(node).into_iter().next();
    trouble.map_or("it is not ready".into(), |it| format!("{}: {}", it.what, it.cause))
}

/// What is not as it should be on a node, most telling first.
fn troubles(node: &Node) -> Vec<Trouble> {
    let Some(reported) = &node.report else { return Vec::new() };
    let trouble = |what: &str, cause: &str, hint: &str| Trouble {
        node: node.id.clone(),
        what: what.into(),
        cause: cause.into(),
        hint: hint.into(),
    };
    if let Some(why) = &reported.unreadable {
        return vec![trouble("report", why, "look at the agent's version and its log")];
    }
    let NodeReport { steps, checks, pointer, ready, attempted, .. } = &reported.report;
    let mut all = Vec::new();
    if !pointer.refused.is_empty() {
        let hint = "somebody else wrote it, or the node has another key; it is written anew";
        all.push(trouble("pointer", &pointer.refused, hint));
    }
    for StepReport { id, outcome, .. } in steps {
        if let StepOutcome::Failed { error, hint, .. } = outcome {
            all.push(trouble(id, error, hint));
        }
    }
    for CheckReport { id, holds, seen } in checks {
        if !holds {
            all.push(trouble(id, seen, ""));
        }
    }
    for StepReport { id, outcome, .. } in steps {
        if let StepOutcome::Blocked { on } = outcome {
            all.push(trouble(id, &format!("waits for {on}"), ""));
        }
    }
    if all.is_empty() && attempted.is_some() && !ready {
        all.push(trouble("node", "it is not ready", ""));
    }
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(trouble("more", &format!("{more} more"), ""));
    }
    all
}
