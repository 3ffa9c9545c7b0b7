//! What `make demo` shows: a cluster on this machine ([`tour`]), or, with
//! `ARGS=--aws`, the AWS half alone at work on all example clusters.
//!
//! Owns: the order of the stages, what is shown, and that nothing is left
//! behind. May not: look into the program. What it tells comes from the
//! service's log, from the calls that pass the proxy, and from boto3.
//! Invariants: every wait is for a condition, bounded, and ends with Ctrl-C.

mod convergence;
mod interrupt;
mod outsider;
mod screen;
mod service;
mod stages;
mod tour;
mod wait;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::proxy::Lent;
use crate::scenario::{Lyceum, Repo, World};

pub use interrupt::{Interrupt, Interrupted};
use outsider::Outsider;
use screen::Screen;
use service::Service;
pub use tour::tour;

const INTERVAL: &str = "5s";

/// Everything on the stage. What is named first goes first.
struct Demo {
    service: Service,
    program: Lyceum,
    outsider: Outsider,
    world: World,
    repo: Repo,
    clusters: Vec<String>,
    screen: Screen,
    interrupt: Interrupt,
    times: Vec<(String, Duration)>,
}

/// Runs it to its end; with `keep` it then stays until it is interrupted.
///
/// Errors: a stage did not come about; the log then stays, and the error says
/// where. [`Interrupted`], where it was before its end.
pub fn run(keep: bool, interrupt: Interrupt) -> Result<()> {
    let folder = TempDir::with_prefix("lyceum-demo-")?;
    match play(keep, interrupt.clone(), &folder) {
        // At a terminal Ctrl-C ends children as well, and what waits for them
        // fails first.
        Err(_) if interrupt.is_set() => Err(Interrupted.into()),
        Err(error) => {
            let kept = folder.keep();
            Err(error.context(format!("the log stays in {}", kept.display())))
        }
        Ok(()) => Ok(()),
    }
}

fn play(keep: bool, interrupt: Interrupt, folder: &TempDir) -> Result<()> {
    let started = Instant::now();
    let mut demo = Demo::set_up(interrupt, folder)?;
    demo.time("emulator and repository ready", started.elapsed());
    demo.converge()?;
    demo.repair()?;
    demo.follow()?;
    demo.hold()?;
    demo.protect()?;
    demo.sum_up(started)?;
    if keep { demo.stay(folder) } else { Ok(()) }
}

impl Demo {
    fn set_up(interrupt: Interrupt, folder: &TempDir) -> Result<Self> {
        let screen = Screen::new();
        screen.head("Lyceum: from a commit to converged AWS, and kept there")?;
        let world = World::lending(Lent::nothing())?;
        interrupt.check()?;
        let repo = Repo::of_examples(&[])?;
        let program = Lyceum::new(&world.endpoint(), repo.path())?;
        let clusters = clusters(&repo)?;
        screen.quote(&format!("AWS         the emulator moto, {}", world.backdoor()))?;
        screen.quote(&format!("repository  {}", repo.path().display()))?;
        screen.quote("            clusters/ and cookbooks/ as they are here; lyceum.yaml")?;
        screen.quote("            raises the call rates, which the emulator does not limit")?;
        screen.quote(&format!("log         {}", folder.path().join("serve.log").display()))?;
        let service = Service::start(&program, INTERVAL, folder.path())?;
        let outsider = Outsider::new(world.backdoor());
        let times = Vec::new();
        Ok(Self { service, program, outsider, world, repo, clusters, screen, interrupt, times })
    }

    fn sum_up(&mut self, started: Instant) -> Result<()> {
        self.screen.head("$ lyceum status")?;
        let status = self.program.run(&["status"])?.succeeded()?;
        self.screen.write(&indented(&status.stdout))?;
        self.time("all of it", started.elapsed());
        self.screen.head("Seconds")?;
        for (what, time) in &self.times {
            self.screen.quote(&format!("{what:<56}{:>6.1}", time.as_secs_f64()))?;
        }
        Ok(())
    }

    /// Stays until it is interrupted, and says what can be done meanwhile.
    fn stay(&mut self, folder: &TempDir) -> Result<()> {
        let screen = &self.screen;
        screen.head("It goes on running. To look around, in another terminal:")?;
        screen.quote(&format!("export AWS_ENDPOINT_URL={}", self.world.backdoor()))?;
        screen.quote("export AWS_ACCESS_KEY_ID=lyceum AWS_SECRET_ACCESS_KEY=lyceum")?;
        screen.quote("export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true")?;
        screen.quote(&format!("alias lyceum={}", self.program.binary().display()))?;
        screen.quote(&format!("cd {}    # edit, commit, watch", self.repo.path().display()))?;
        screen.quote("lyceum status")?;
        screen.quote(&format!("tail -f {}", folder.path().join("serve.log").display()))?;
        screen.head(&format!("To stop it: Ctrl-C here, or kill {}", std::process::id()))?;
        match self.wait(Duration::MAX, "an interruption", |_, _| None::<()>) {
            Err(error) if error.is::<Interrupted>() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => bail!("nobody interrupted it, and yet it ends"),
        }
    }

    /// Notes a time for the summary.
    fn time(&mut self, what: &str, time: Duration) {
        self.times.push((what.into(), time));
    }
}

/// The clusters a repository declares.
fn clusters(repo: &Repo) -> Result<Vec<String>> {
    let files = repo.git(&["ls-files", "clusters"])?;
    let folders = files.lines().filter_map(|file| file.strip_suffix("/cluster.yaml"));
    let mut names: Vec<String> =
        folders.filter_map(|folder| folder.rsplit('/').next()).map(String::from).collect();
    names.sort();
    Ok(names)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_cluster_of_the_demo() {
        let repo = Repo::of_examples(&["geo-101", "camp-astronomy"]).unwrap();
        assert_eq!(clusters(&repo).unwrap(), ["camp-astronomy", "geo-101"]);
    }
}
