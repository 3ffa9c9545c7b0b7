//! `lyceum local status`: the clouds of this machine, as their keepers wrote them
//! down, and how ready their nodes are, as the service would say.

use std::fmt::Write;

use lyceum_core::node::rollout::{NodeState, Standing};
use serde::Serialize;

use super::home::Home;
use super::service::environment;
use super::state::{Login, Node, State};
use super::{runtime, up};
use crate::cli::args::{Format, LocalStatusArgs};
use crate::cli::failure::Failed;
use crate::cli::{Exit, output};
use crate::render::{json, nodes};
use crate::road::{Road, Wanted, declared, status};

pub(super) fn run(args: &LocalStatusArgs) -> Result<Exit, Failed> {
    let homes = match &args.name {
        Some(name) => vec![Home::of(name)?],
        None => Home::every()?,
    };
    let mut clouds = Vec::new();
    for home in homes {
        clouds.extend(home.state()?.map(Cloud::of));
    }
    output::print(&match args.format {
        Format::Json => json::pretty(&clouds),
        Format::Text if clouds.is_empty() => "no cloud is up on this machine\n".into(),
        Format::Text => clouds.iter().map(as_text).collect::<Vec<_>>().join("\n"),
    })?;
    let missing = args.name.is_some() && clouds.is_empty();
    Ok(if missing { Exit::Error } else { Exit::Well })
}

/// A cloud, and what can be asked of it now.
#[derive(Debug, Serialize)]
struct Cloud {
    #[serde(flatten)]
    state: State,
    /// Its keeper runs.
    kept: bool,
    /// The service runs.
    served: bool,
    /// How its nodes are; empty where AWS does not answer.
    standings: Vec<NodeState>,
}

impl Cloud {
    fn of(state: State) -> Self {
        let kept = state.is_kept();
        let alive = state.service.alive.as_ref();
        let served = alive.is_some_and(lyceum_local::Alive::is_running);
        let standings = if kept { standings(&state).unwrap_or_default() } else { Vec::new() };
        Self { state, kept, served, standings }
    }
}

/// What the nodes report.
fn standings(state: &State) -> Result<Vec<NodeState>, Failed> {
    let Some(endpoint) = state.endpoint.clone() else { return Ok(Vec::new()) };
    let read = declared(&state.repository, Some("HEAD"))?;
    let only = Wanted { clusters: [state.cluster.clone()].into(), ..Wanted::default() };
    let found = runtime()?.block_on(async {
        let road = Road::to_emulator(read, None, only, endpoint).await?;
        let look = road.look().await?;
        Ok::<_, Failed>(status(&road.declared, &look))
    })?;
    let cluster = found.clusters.into_iter().find(|one| one.name == state.cluster);
    Ok(cluster.map(|one| one.nodes).unwrap_or_default())
}

fn as_text(cloud: &Cloud) -> String {
    let state = &cloud.state;
    let how = match (cloud.kept, state.up, &state.now) {
        (false, ..) if state.failed.is_some() => "failed; `lyceum local logs keeper` says why",
        (false, ..) => "its keeper was killed; `lyceum local down` removes what is left",
        (true, true, _) => "up",
        (true, false, Some(now)) => now.as_str(),
        (true, false, None) => "coming up",
    };
    let mut text = format!("{}: {how}\n", state.name);
    if !cloud.kept {
        return text;
    }
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        writeln!(text, "  {name:<12} {value}").ok();
    };
    line("cluster", &format!("{} of {}", state.cluster, state.repository.display()));
    let service = match (cloud.served, state.service.starts) {
        (true, 1) => "runs".to_string(),
        (true, starts) => format!("runs, started {starts} times"),
        (false, _) => "does not run".to_string(),
    };
    line("service", &service);
    if let Some(address) = &state.hub.address {
        line("hub", address);
    }
    for (what, why) in &state.failures {
        line("failing", &format!("{what}: {why}"));
    }
    if let Some(endpoint) = &state.endpoint {
        let variables = environment(endpoint).map(|(name, value)| format!("{name}={value}"));
        line("AWS", &format!("export {}", variables.join(" ")));
    }
    for row in rows(cloud) {
        text.push_str(&row);
    }
    text
}

/// A line a node: name, instance, address, how it is.
fn rows(cloud: &Cloud) -> Vec<String> {
    let row = |node: &Node| {
        let told = cloud.standings.iter().find(|one| one.id == node.id);
        let sessions = told.map_or(0, |one| one.sessions);
        let mut text = format!(
            "  {:<12} {}  {:<15}  {}",
            node.name,
            node.id,
            node.address,
            told.map_or_else(|| node.state.clone(), |one| standing(one).into())
        );
        if sessions > 0 {
            write!(text, ", {sessions} sessions").ok();
        }
        text.push('\n');
        for trouble in told.iter().flat_map(|one| &one.troubles).take(3) {
            writeln!(text, "  {:<12}   {}: {}", "", trouble.what, first_line(&trouble.cause)).ok();
        }
        text
    };
    cloud.state.nodes.iter().map(row).collect()
}

/// Here a node that was not heard of is seen to boot.
fn standing(node: &NodeState) -> &'static str {
    match node.standing {
        Standing::New if !node.leaving => "booting",
        _ => nodes::standing(node),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

/// What a person needs once it is up.
pub(super) fn summary(state: &State) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<13} {value}").ok();
    };
    line("hub", &or_none(&state.hub.address));
    if let Some(inside) = &state.hub.inside {
        line("", &format!("{inside} on this machine, without a port"));
    }
    line("certificate", &format!("SHA-256 {}", or_none(&state.hub.fingerprint)));
    let Login { user, password, note } = &state.login;
    if let (Some(user), Some(password)) = (user, password) {
        line("sign in as", &format!("{user}, password {password}"));
    }
    if let Some(note) = note {
        line("", note);
    }
    line("repository", &format!("{}: edit, commit, watch", state.repository.display()));
    let name = &state.name;
    line("look around", &format!("lyceum local status|logs hub|shell workers-1 --name {name}"));
    line("end it", &format!("lyceum local down --name {name}"));
    line("it took", "");
    for stage in &state.stages {
        text.push_str(&up::line(stage));
        text.push('\n');
    }
    text
}
