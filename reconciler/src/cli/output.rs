//! Standard output and standard error.

use std::io::{self, ErrorKind, Write};

use tracing_subscriber::EnvFilter;

use super::args::{Cli, Command, LogFormat};
use super::failure::Failed;
use crate::road::DeclaredManifests;

/// Logs to standard error: what `RUST_LOG` says, else warnings, for a service
/// what happens as well, and more with every `--verbose`.
pub(super) fn start_log(cli: &Cli) {
    let serves = matches!(cli.command, Command::Serve(_));
    // The SDK's own words are of use only to who looks for them: what they lead
    // to is in our errors.
    let level = match cli.verbose + u8::from(serves) {
        0 => "error,lyceum=warn,lyceum_core=warn,lyceum_aws=warn",
        1 => "error,lyceum=info,lyceum_core=info,lyceum_aws=info",
        2 => "warn,lyceum=debug,lyceum_core=debug,lyceum_aws=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start, as in a test, keeps the first.
    match cli.log_format {
        LogFormat::Text => log.with_ansi(false).with_target(false).try_init().ok(),
        LogFormat::Json => log.json().flatten_event(true).try_init().ok(),
    };
}

/// Writes a result. A reader that stopped reading, such as `head`, is no error.
pub(super) fn print(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failed::from),
    }
}

/// Writes a word beside the result.
pub(super) fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Says what is worth a look in manifests that are used.
pub(super) fn warn_of(declared: &DeclaredManifests) {
    declared.manifests.warnings.iter().for_each(|warning| eprintln!("{warning}"));
    declared.ignored.iter().for_each(|ignored| eprintln!("warning: {ignored}"));
}
