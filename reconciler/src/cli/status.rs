//! `lyceum status`: how the clusters are.

use super::args::{Format, StatusArgs};
use super::failure::Failed;
use super::{Exit, output};
use crate::render::Paint;
use crate::render::status::{as_json, as_text};
use crate::road::{Road, Wanted, declared, status};

pub(super) async fn run(args: StatusArgs) -> Result<Exit, Failed> {
    let declared = declared(&args.repo.repo, Some(&args.rev))?;
    output::warn_of(&declared);
    let wanted = Wanted { clusters: args.clusters.into_iter().collect(), ..Wanted::default() };
    // Nobody's nodes are changed: they are compared with the agent they have.
    let road = Road::to_aws(declared, None, wanted).await?;
    let look = road.look().await?;
    let status = status(&road.declared, &look);
    output::print(&match args.format {
        Format::Text => as_text(&status, Paint::of_stdout()),
        Format::Json => as_json(&status),
    })?;
    Ok(Exit::Well)
}
