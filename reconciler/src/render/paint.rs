//! Colour, where it is wanted.

use std::io::IsTerminal;

use super::lines::Sign;

/// Whether and how signs are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colour.
    pub const PLAIN: Self = Self { on: false };
    /// Colour.
    pub const COLOURED: Self = Self { on: true };

    /// Colour on a terminal, unless `NO_COLOR` is set to anything.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: std::io::stdout().is_terminal() && !refused }
    }

    /// `text` in the colour of `sign`.
    pub(crate) fn sign(self, sign: Sign, text: &str) -> String {
        let code = match sign {
            Sign::Create | Sign::Added => "32",
            Sign::Delete | Sign::Removed => "31",
            Sign::Update | Sign::Replace => "33",
            Sign::Blocked => "35",
            Sign::Gap | Sign::Reported => "36",
            Sign::Title => "1",
            Sign::Faint => "2",
            Sign::Note | Sign::Plain => return text.into(),
        };
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.into() }
    }
}
