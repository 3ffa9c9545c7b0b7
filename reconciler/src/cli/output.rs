//! Standard output and standard error.

use std::io::{self, ErrorKind, Write};

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

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
    let lines = fmt::layer().with_writer(io::stderr);
    // A second start, as in a test, keeps the first.
    match cli.log_format {
        LogFormat::Text => {
            filtered(filter).with(lines.with_ansi(false).with_target(false)).try_init().ok()
        }
        LogFormat::Json => filtered(filter).with(lines.json().flatten_event(true)).try_init().ok(),
    };
}

/// What carries requests: in detail its words hold what is in them, secrets and
/// credentials as well.
const CARRIERS: &[&str] = &["aws_", "hyper", "h2", "rustls"];

/// What the filter lets pass, but no details of what carries requests, however
/// they are asked for.
fn filtered(filter: EnvFilter) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync {
    let tellable = filter_fn(|event| {
        *event.level() <= Level::INFO
            || !CARRIERS.iter().any(|carrier| event.target().starts_with(carrier))
    });
    registry().with(filter).with(tellable)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_filter_lets_the_content_of_requests_into_the_log() {
        let written = Written::default();
        let sink = written.clone();
        let filter = EnvFilter::new("trace,aws_smithy_runtime::client=trace,hyper_util=trace");
        let log = filtered(filter).with(fmt::layer().with_writer(move || sink.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "hidden");
            tracing::debug!(target: "aws_sigv4::http_request", "hidden");
            tracing::debug!(target: "hyper_util::client", "hidden");
            tracing::warn!(target: "aws_config::profile", "a warning");
            tracing::trace!(target: "lyceum_aws::calls", "a step");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("a warning") && text.contains("a step"), "{text}");
    }
}
