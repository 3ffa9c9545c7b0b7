//! `lyceum local down`: the end of a cloud, and nothing of it left: no container,
//! volume, network, rule, mount or process, also where its keeper was killed, and
//! when there was nothing to begin with.

use std::thread;
use std::time::{Duration, Instant};

use lyceum_local::{Alive, Daemon, Place, known, remove};

use super::example;
use super::home::{Home, place};
use super::state::State;
use crate::cli::args::LocalDownArgs;
use crate::cli::failure::Failed;
use crate::cli::{Exit, output};

/// A keeper ends its nodes in order; what it does not end in time, others do.
const ENDS_WITHIN: Duration = Duration::from_secs(300);
const GLANCE: Duration = Duration::from_millis(50);

pub(super) fn run(args: &LocalDownArgs) -> Result<Exit, Failed> {
    let place = place()?;
    let homes = match args.all {
        false => vec![Home::of(&args.cloud.name)?],
        true => every(&place)?,
    };
    for home in homes {
        end(&home, &place)?;
    }
    Ok(Exit::Well)
}

fn end(home: &Home, place: &Place) -> Result<(), Failed> {
    let state = home.state()?;
    let was = state.is_some();
    end_keeper(&state.unwrap_or_default());
    remove(place, home.name())?;
    std::fs::remove_file(home.socket(place)).ok();
    let kept = home.clear(example::is_worked_in(&home.repository()))?;
    let name = home.name();
    match (was, kept) {
        (true, Some(kept)) => {
            output::note(&format!("`{name}` is gone, but for your work in {}", kept.display()));
        }
        (true, None) => output::note(&format!("`{name}` is gone")),
        (false, _) => output::note(&format!("there is no cloud `{name}`; nothing is left of one")),
    }
    Ok(())
}

/// In order; where that does not come about, at once. The service ends with its
/// parent; one that does not is ended here.
fn end_keeper(state: &State) {
    if let Some(keeper) = state.keeper.as_ref().filter(|keeper| keeper.is_running()) {
        output::note("ending the service, the nodes and what is around them");
        keeper.signal_group("TERM");
        if !ends(keeper, ENDS_WITHIN) {
            keeper.signal_group("KILL");
            ends(keeper, ENDS_WITHIN);
        }
    }
    if let Some(service) = &state.service.alive
        && !ends(service, Duration::from_secs(15))
    {
        service.signal("KILL");
        ends(service, ENDS_WITHIN);
    }
}

fn ends(one: &Alive, within: Duration) -> bool {
    let asked = Instant::now();
    while one.is_running() && asked.elapsed() < within {
        thread::sleep(GLANCE);
    }
    !one.is_running()
}

/// Those that have a folder or anything in Docker.
fn every(place: &Place) -> Result<Vec<Home>, Failed> {
    let mut homes = Home::every()?;
    if let Some(docker) = Daemon::find(place) {
        let named = known(&docker, place)?;
        let lost = named.iter().filter(|name| homes.iter().all(|home| home.name() != *name));
        let lost: Vec<Home> = lost.filter_map(|name| Home::of(name).ok()).collect();
        // Of a test or an example that runs, the lock is held: it is not ours.
        homes.extend(lost.into_iter().filter(|home| remove(place, home.name()).is_ok()));
    }
    Ok(homes)
}
