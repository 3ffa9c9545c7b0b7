//! `lyceum destroy`: a cluster goes, but for what is protected.

use std::time::Instant;

use lyceum_core::observed::ObservedState;

use super::args::DestroyArgs;
use super::failure::{Failed, Refused};
use super::{Exit, apply, ask, output, plan};
use crate::road::{DeclaredManifests, Road, Wanted, declared};

pub(super) async fn run(args: DestroyArgs) -> Result<Exit, Failed> {
    let begun = Instant::now();
    let declared = declared(&args.repo.repo, Some("HEAD"))?;
    output::warn_of(&declared);
    if !(args.yes && args.force) {
        refuse_what_is_declared(&declared, &args.clusters)?;
    }
    let wanted = Wanted {
        destroy: args.clusters.iter().cloned().collect(),
        regions: args.regions.into_iter().collect(),
        ..Wanted::default()
    };
    let road = Road::to_aws(declared, None, wanted).await?;
    let first = road.look().await?;
    plan::show(&road, &first)?;
    output::print(&nobodys(&first.observed, &args.clusters))?;
    let exit = if first.plan.is_empty() {
        output::note("nothing is left that may be removed");
        Exit::Well
    } else if args.yes || asked(&args.clusters)? {
        apply::execute(&road, first, &args.execution).await?
    } else {
        output::note("nothing was removed");
        Exit::Error
    };
    if args.execution.stats {
        output::print(&plan::stats(&road.cloud, begun).to_string())?;
    }
    Ok(exit)
}

/// What is below a cluster's prefix and not the reconciler's, so not its to remove.
fn nobodys(observed: &ObservedState, clusters: &[String]) -> String {
    let mut text = String::new();
    for (region, strange) in &observed.surroundings.strange_parameters {
        for name in clusters.iter().flat_map(|cluster| strange.get(cluster)).flatten() {
            text += &format!("  {name} in {region}\n");
        }
    }
    if !text.is_empty() {
        text = format!(
            "Parameters that stay, put there by roles of nodes or by an operator:\n{text}\
             Remove them with `aws ssm delete-parameter` once nobody needs them.\n\n"
        );
    }
    for gap in observed.gaps.iter().filter(|gap| gap.kind == "parameter") {
        let region = &gap.region;
        text += &format!("Whether parameters stay in {region} is not known: {}\n\n", gap.cause);
    }
    text
}

/// The next apply, or a running service, would make it again.
fn refuse_what_is_declared(
    declared: &DeclaredManifests,
    clusters: &[String],
) -> Result<(), Failed> {
    for name in clusters {
        let Some(cluster) = declared.manifests.clusters.get(name) else { continue };
        if !cluster.cluster.spec.suspend {
            let what = format!("HEAD still declares {name}, in {}", cluster.path);
            let hint = "remove its folder or set spec.suspend and commit; \
                        for a trial: --yes --force";
            return Err(Refused::new(what, hint).into());
        }
    }
    Ok(())
}

fn asked(clusters: &[String]) -> Result<bool, Failed> {
    ask::exactly("This removes what is listed above.", &clusters.join(" "))
}
