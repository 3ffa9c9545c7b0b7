//! `lyceum apply`: show, ask, do.

use std::time::Instant;

use lyceum_aws::Aws;

use super::args::{ApplyArgs, ExecutionArgs};
use super::failure::Failed;
use super::{Exit, ask, output, plan, progress, stop};
use crate::render::{Counts, Paint, outcomes, text};
use crate::road::{Done, Look, Passes, Road, Wanted};
use crate::source::Git;

pub(super) async fn run(args: ApplyArgs) -> Result<Exit, Failed> {
    let begun = Instant::now();
    let (declared, agent) = plan::given(&args.repo.repo, Some(&args.rev), &args.agent)?;
    if Git::open(&declared.root)?.is_dirty()? {
        output::note("the working tree has changes that are not committed and not applied");
    }
    let clusters = args.clusters.into_iter().collect();
    let wanted = Wanted { clusters, ..Wanted::default() };
    let road = Road::to_aws(declared, agent, wanted).await?;
    let first = road.look().await?;
    plan::show(&road, &first)?;
    let exit = match first.plan.is_empty() {
        true => settled(&road, &first).await,
        false if !args.yes && !ask::yes("Make these changes?")? => refused(),
        false => execute(&road, first, &args.execution).await?,
    };
    if args.execution.stats {
        output::print(&plan::stats(&road.cloud, begun).to_string())?;
    }
    Ok(exit)
}

/// Executes what was shown and says what came of it.
pub(super) async fn execute(
    road: &Road<Aws>,
    first: Look,
    args: &ExecutionArgs,
) -> Result<Exit, Failed> {
    let stop = stop::on_signal()?;
    let display = progress::display(first.plan.changes().count());
    let passes = Passes { progress: &*display, stop: stop.clone(), consistency: args.consistency };
    let done = passes.run(road, first).await;
    drop(display);
    let done = done?;
    let paint = Paint::of_stdout();
    output::print(&text::remaining(&done.last.plan, paint))?;
    output::print(&outcomes(&done.report, paint))?;
    record(road, &done.last).await;
    Ok(exit(&done, *stop.borrow()))
}

/// Nothing to do: what was applied may still have to be written down.
async fn settled(road: &Road<Aws>, look: &Look) -> Exit {
    record(road, look).await;
    Exit::Well
}

fn refused() -> Exit {
    output::note("nothing was changed");
    Exit::Error
}

/// What was applied stands in the clusters themselves. Not being able to write
/// it costs only the reasons of the next plan.
async fn record(road: &Road<Aws>, look: &Look) {
    for (cluster, error) in road.record(look).await {
        output::note(&format!("the revision of {cluster} could not be recorded: {error}"));
    }
}

fn exit(done: &Done, stopped: bool) -> Exit {
    if done.report.failures().next().is_some() {
        return Exit::Error;
    }
    if stopped && !done.report.all_applied() {
        return Exit::Stopped;
    }
    let further = Counts::of(&done.last.plan).changes();
    if further > 0 {
        output::note(&format!("{further} changes are left or turned up meanwhile: apply again"));
    }
    Exit::Well
}
