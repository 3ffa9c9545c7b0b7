//! `lyceum plan`: what would change, and why.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Instant;

use lyceum_aws::Aws;

use super::args::{AgentArgs, PlanArgs, PlanFormat};
use super::failure::Failed;
use super::{Exit, output};
use crate::render::{Paint, RunStats, View, json, markdown, text};
use crate::road::{AgentFile, DeclaredManifests, Look, Road, Wanted, declared};

pub(super) async fn run(args: PlanArgs) -> Result<Exit, Failed> {
    let begun = Instant::now();
    let (declared, agent) = given(&args.repo.repo, args.rev.as_deref(), &args.agent)?;
    let clusters = args.clusters.into_iter().collect();
    let wanted = Wanted { clusters, ..Wanted::default() };
    let road = Road::to_aws(declared, agent, wanted).await?;
    let look = road.look().await?;
    let stats = args.stats.then(|| stats(&road.cloud, begun));
    let revision = &road.declared.manifests.revision;
    let view = View { revision, plan: &look.plan, stats: stats.as_ref() };
    output::print(&match args.format {
        PlanFormat::Text => text::plan(&view, Paint::of_stdout()),
        PlanFormat::Json => json::plan(&view),
        PlanFormat::Markdown => markdown::plan(&view),
    })?;
    let changes = args.detailed_exitcode && !look.plan.is_empty();
    Ok(if changes { Exit::Changes } else { Exit::Well })
}

/// The manifests and the node agent: each keeps a core busy for a moment.
pub(super) fn given(
    repo: &Path,
    revision: Option<&str>,
    args: &AgentArgs,
) -> Result<(DeclaredManifests, Option<AgentFile>), Failed> {
    thread::scope(|scope| {
        let agent = scope.spawn(|| AgentFile::find(args.agent.as_deref()));
        let declared = declared(repo, revision)?;
        output::warn_of(&declared);
        let agent = agent.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        note_a_missing(agent.as_ref());
        Ok((declared, agent))
    })
}

/// The node agent; says so when there is none.
pub(super) fn agent(args: &AgentArgs) -> Result<Option<AgentFile>, Failed> {
    let agent = AgentFile::find(args.agent.as_deref())?;
    note_a_missing(agent.as_ref());
    Ok(agent)
}

fn note_a_missing(agent: Option<&AgentFile>) {
    if agent.is_none() {
        output::note("no lyceum-agent beside this program: clusters keep the agent they have");
    }
}

/// Shows a plan before it is carried out.
pub(super) fn show(road: &Road<Aws>, look: &Look) -> Result<(), Failed> {
    let revision = &road.declared.manifests.revision;
    let view = View { revision, plan: &look.plan, stats: None };
    output::print(&text::plan(&view, Paint::of_stdout()))
}

/// What it cost up to now.
pub(super) fn stats(aws: &Aws, begun: Instant) -> RunStats {
    RunStats::new(aws.stats().by_operation, begun.elapsed())
}
