//! `lyceum local up`: what is missing said first and at once, then a keeper, then
//! how far it is, until there is an address to open.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use lyceum_core::manifest::cluster::Os;
use lyceum_local::{Place, Subnet, remove};
use tokio::signal::unix::{SignalKind, signal};

use super::home::{Home, place};
use super::lacks::{Machine, lacks};
use super::state::{Stage, State};
use super::{example, keeper, status};
use crate::cli::args::LocalUpArgs;
use crate::cli::failure::{Failed, Refused};
use crate::cli::{Exit, output};
use crate::road::{AgentFile, DeclaredManifests, declared};
use crate::source::worktree;

/// The first time images are built, which takes minutes of that.
const UP_WITHIN: Duration = Duration::from_secs(45 * 60);
const GLANCE: Duration = Duration::from_millis(150);

pub(super) fn run(args: LocalUpArgs) -> Result<Exit, Failed> {
    let home = Home::of(&args.cloud.name)?;
    if let Some(state) = home.state()?.filter(State::is_kept) {
        if state.up {
            output::note(&format!("the cloud `{}` is up already", state.name));
            return output::print(&status::summary(&state)).map(|()| Exit::Well);
        }
        output::note(&format!("the cloud `{}` is coming up already", state.name));
        return follow(&home, None, state.stages.len());
    }
    let place = place()?;
    let agent = AgentFile::find(args.agent.agent.as_deref())?;
    complete(&place, agent.is_some())?;
    // Of a keeper that was killed.
    remove(&place, home.name())?;
    home.make()?;
    let (read, name) = repository(&args, &home)?;
    let range = range(&read, &name)?;
    warn_of(&read, &name, range)?;
    let agent = agent.map(|file| file.path).context("there is no agent")?;
    let begun = start(&args, &home, (&read.root, &name), &agent)?;
    output::note(&format!("{}: the cluster `{name}`", read.root.display()));
    follow(&home, Some(begun), 0)
}

/// All that is missing, at once.
fn complete(place: &Place, agent: bool) -> Result<(), Failed> {
    let all = lacks(&Machine::look(place, agent));
    if all.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        all.iter().map(|lack| format!("\n  - {}: {}", lack.what, lack.get)).collect();
    let what = format!("this machine lacks what a cloud on it needs:{}", lines.concat());
    Err(Refused::new(what, "get all of that, and run it again; nothing was begun").into())
}

/// The repository as it was committed, and which of its clusters gets machines.
fn repository(args: &LocalUpArgs, home: &Home) -> Result<(DeclaredManifests, String), Failed> {
    let root = match &args.repo {
        Some(given) => std::fs::canonicalize(worktree::root_of(given))?,
        None => {
            let taken = taken(home)?;
            let free = Subnet::free(&taken).ok_or_else(|| anyhow!("no 10.x.0.0/16 is free"))?;
            example::make(&home.repository(), free)?;
            home.repository()
        }
    };
    let read = declared(&root, Some("HEAD"))?;
    output::warn_of(&read);
    keeper::branch(&root)?;
    let names: Vec<&String> = read.manifests.clusters.keys().collect();
    let name = match (&args.cluster, names.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => (*only).clone(),
        (None, _) => {
            let some: Vec<&str> = names.iter().take(10).map(|name| name.as_str()).collect();
            let hint = format!("name one with --cluster: {}", some.join(", "));
            return Err(Refused::new("the repository does not have one cluster", hint).into());
        }
    };
    keeper::cluster(&read, &name)?;
    Ok((read, name))
}

/// The ranges of other clouds' clusters, up or not.
fn taken(home: &Home) -> Result<Vec<Subnet>, Failed> {
    let mut taken = Vec::new();
    for other in Home::every()?.iter().filter(|other| other.name() != home.name()) {
        let repository = match other.state()? {
            Some(state) => state.repository,
            None => other.repository(),
        };
        // One that cannot be read has no nodes either.
        let Ok(read) = declared(&repository, Some("HEAD")) else { continue };
        let ranges = read.manifests.clusters.values().map(|one| &one.cluster.spec.network.cidr);
        taken.extend(ranges.filter_map(|range| range.parse::<Subnet>().ok()));
    }
    Ok(taken)
}

/// The nodes' range is the cluster's: their addresses are those that AWS gives.
fn range(read: &DeclaredManifests, name: &str) -> Result<Subnet, Failed> {
    let range: Subnet = keeper::cluster(read, name)?.cluster.spec.network.cidr.parse()?;
    match range.in_use() {
        None => Ok(range),
        Some(other) => {
            let what = format!(
                "the range of the cluster `{name}`, {range}, is in use on this machine: {other}"
            );
            Err(Refused::new(
                what,
                "end what uses it (`lyceum local status`), or change `network.cidr`",
            )
            .into())
        }
    }
}

/// What is not here as it is in AWS.
fn warn_of(read: &DeclaredManifests, name: &str, range: Subnet) -> Result<(), Failed> {
    let spec = &keeper::cluster(read, name)?.cluster.spec;
    if spec.os != Os::Debian12 {
        output::note(&format!(
            "nodes here run debian-12, whatever is declared ({})",
            spec.os.as_str()
        ));
    }
    let nginx = spec.attributes.get("nginx");
    let kind = nginx.and_then(|all| all.get("certificate")?.as_str()).unwrap_or("auto");
    if spec.domain.is_some() && matches!(kind, "auto" | "acme") {
        output::note(
            "no authority gives this machine a certificate for the domain: the hub serves one of its \
             own, and says that it could get no other; `attributes: {nginx: {certificate: self-signed}}` asks for none",
        );
    }
    let others = read.manifests.clusters.len() - 1;
    if others > 0 {
        output::note(&format!(
            "{others} other clusters are made in the emulator alone; machines are for {range}"
        ));
    }
    Ok(())
}

/// A process that outlives this one.
fn start(
    args: &LocalUpArgs,
    home: &Home,
    (repo, cluster): (&Path, &str),
    agent: &Path,
) -> Result<Child, Failed> {
    home.clear(true)?;
    let path = home.keeper_log();
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let errors = log.try_clone()?;
    let port = args.port.to_string();
    let mut keeper = Command::new(std::env::current_exe()?);
    keeper.args(["--verbose", "local", "keep", "--name", home.name(), "--cluster", cluster]);
    keeper.arg("--repo").arg(repo).arg("--agent").arg(absolute(agent)?).args(["--port", &port]);
    let keeper = keeper.current_dir("/").stdin(Stdio::null()).stdout(log).stderr(errors);
    keeper.spawn().context("the keeper does not start")
}

fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    Ok(std::fs::canonicalize(path)?)
}

/// Shows how far it is until it is up; what was there before is not shown again.
fn follow(home: &Home, mut keeper: Option<Child>, before: usize) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let begun = Instant::now();
        let mut shown = Shown::new(before);
        loop {
            let state = home.state()?.unwrap_or_default();
            shown.show(&state);
            if state.up {
                shown.end();
                let took = format!("{:.1} s in all", begun.elapsed().as_secs_f64());
                output::note(&took);
                return output::print(&status::summary(&state)).map(|()| Exit::Well);
            }
            let is_gone = match &mut keeper {
                Some(child) => child.try_wait()?.is_some(),
                None => !state.is_kept(),
            };
            if is_gone {
                shown.end();
                return Err(why(home, &state));
            }
            if begun.elapsed() > UP_WITHIN {
                shown.end();
                let what = format!("it is not up after {} minutes", UP_WITHIN.as_secs() / 60);
                return Err(Refused::new(what, "`lyceum local status` says what is missing").into());
            }
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => {}
                _ = interrupt.recv() => {
                    shown.end();
                    let name = home.name();
                    output::note(&format!(
                        "it goes on coming up; `lyceum local status --name {name}` shows it, \
                         `lyceum local down --name {name}` ends it"
                    ));
                    return Ok(Exit::Stopped);
                }
            }
        }
    })
}

/// The keeper's own words, which it left before it ended.
fn why(home: &Home, state: &State) -> Failed {
    let log = home.keeper_log();
    let hint = format!("its log is {}", log.display());
    match &state.failed {
        Some(text) => {
            Refused::new(format!("the cloud does not come up\n{}", text.trim_end()), hint)
        }
        None => Refused::new("the cloud's keeper has ended", hint),
    }
    .into()
}

/// What is shown of it: a line when something is done; on a terminal, what is
/// being done as well.
struct Shown {
    done: usize,
    spinner: Option<ProgressBar>,
}

impl Shown {
    fn new(done: usize) -> Self {
        let spinner = stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(spinner) = &spinner {
            spinner.enable_steady_tick(Duration::from_millis(120));
        }
        Self { done, spinner }
    }

    fn show(&mut self, state: &State) {
        for stage in state.stages.iter().skip(self.done) {
            self.line(&line(stage));
        }
        self.done = self.done.max(state.stages.len());
        if let (Some(spinner), Some(now)) = (&self.spinner, &state.now) {
            spinner.set_message(now.clone());
        }
    }

    fn line(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn end(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// `   12.3 s  the hub ready`.
pub(super) fn line(stage: &Stage) -> String {
    format!("{:>7.1} s  {}", stage.seconds, stage.name)
}
