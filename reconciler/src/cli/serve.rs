//! `lyceum serve`: the arguments of the service.

use std::path::{Path, PathBuf};

use super::args::ServeArgs;
use super::failure::{Failed, Refused};
use super::{Exit, plan};
use crate::controller::{self, Serve};
use crate::source::{remote, worktree};

pub(super) async fn run(args: ServeArgs) -> Result<Exit, Failed> {
    if args.until_input_ends {
        end_with_input();
    }
    let remote = remote::is_remote(&args.repo);
    let repository = match remote {
        true => args.repo,
        false => worktree::root_of(Path::new(&args.repo)).to_string_lossy().into_owned(),
    };
    let cache = match args.cache.or_else(user_cache) {
        Some(cache) => cache,
        // Of a local repository there is no copy.
        None if !remote => PathBuf::new(),
        None => {
            let what = "there is no folder for the copy of the repository";
            return Err(Refused::new(what, "name one with --cache").into());
        }
    };
    let agent = plan::agent(&args.agent)?.map(|file| (file.path, file.agent));
    let (branch, interval) = (args.branch, args.interval);
    controller::serve(Serve { repository, branch, interval, agent, cache }).await?;
    Ok(Exit::Well)
}

/// Whoever holds the other end of standard input may be killed; its end is then
/// as good as a SIGTERM.
fn end_with_input() {
    std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).ok();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
    });
}

/// The user's cache folder, as the XDG rules have it.
fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = absolute("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".cache"));
    cache.or_else(home).map(|folder| folder.join("lyceum"))
}
