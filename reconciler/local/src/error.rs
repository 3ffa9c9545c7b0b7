//! What can go wrong, with what was being done and where.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// An error of the local cloud.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not there, or cannot be started.
    #[error("cannot run `{what}`")]
    Start {
        /// The command.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program ended with something other than 0.
    #[error("`{what}` failed ({}): {said}", code.map_or("killed".to_owned(), |code| format!("exit code {code}")))]
    Failed {
        /// The command.
        what: String,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The end of its output.
        said: String,
    },
    /// Something did not happen in time.
    #[error("`{what}` took longer than {} s. {said}", within.as_secs_f32())]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// What is known about it.
        said: String,
    },
    /// A file or a folder.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// read, write, lock …
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A local cloud of this name is in use.
    #[error("a local cloud named `{name}` is already running")]
    Taken {
        /// The name.
        name: String,
    },
    /// No free range of addresses.
    #[error("no range of addresses is free for the nodes' network; tried {tried}")]
    NoSubnet {
        /// How many.
        tried: usize,
    },
    /// A name or a number that cannot be used.
    #[error("{what} `{value}` cannot be used: {why}")]
    Invalid {
        /// What it is for.
        what: &'static str,
        /// As given.
        value: String,
        /// What is expected.
        why: &'static str,
    },
    /// Docker's answer is not as it should be.
    #[error("cannot read Docker's answer to `{what}`")]
    Answer {
        /// The question.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody's answer is not as it should be.
    #[error("{what} is not as it should be: {said}")]
    Unexpected {
        /// Whose, or which.
        what: String,
        /// What is there, or what is wrong with it.
        said: String,
    },
    /// Somebody does not answer.
    #[error("no answer to {what}")]
    Ask {
        /// The request.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The machine lacks something.
    #[error("{what} is missing")]
    Missing {
        /// What.
        what: &'static str,
        /// How to get it.
        get: &'static str,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { get, .. } => Some((*get).to_owned()),
            Self::Taken { .. } => Some("end it, or choose another name".to_owned()),
            Self::Start { what, .. } => Some(format!(
                "is `{}` installed? `make setup` installs what a local cloud needs",
                what.split(' ').next().unwrap_or(what)
            )),
            Self::NoSubnet { .. } => Some("name one with a subnet of its own".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn starting(what: &str) -> impl Fn(std::io::Error) -> Self + use<> {
        let what = what.to_owned();
        move |source| Self::Start { what: what.clone(), source }
    }

    pub(crate) fn file(
        doing: &'static str,
        path: &Path,
    ) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { doing, path: path.clone(), source }
    }
}
