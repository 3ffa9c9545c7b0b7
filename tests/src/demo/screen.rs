//! What the demo shows: short lines, with a time in front where one matters.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;

/// Longest line, in characters.
const WIDTH: usize = 78;
/// Before a line with a time.
const MARGIN: usize = 9;

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    colour: bool,
    stage: usize,
}

impl Screen {
    /// In colour on a terminal, unless `NO_COLOR` says otherwise.
    pub(super) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stdout().is_terminal() && !refused, stage: 0 }
    }

    /// A stage begins.
    pub(super) fn stage(&mut self, title: &str) -> Result<()> {
        self.stage += 1;
        let head = format!("{}  {title}", self.stage);
        self.write(&format!("\n{}\n", self.bold(&head)))
    }

    /// A head without a number.
    pub(super) fn head(&self, title: &str) -> Result<()> {
        self.write(&format!("\n{}\n", self.bold(title)))
    }

    /// A line.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        self.write(&format!("   {}\n", cut(text, WIDTH - 3)))
    }

    /// A line that must be copied whole.
    pub(super) fn quote(&self, text: &str) -> Result<()> {
        self.write(&format!("   {text}\n"))
    }

    /// A line with the time at which it became true.
    pub(super) fn at(&self, time: Duration, text: &str) -> Result<()> {
        let time = format!("{:.1} s", time.as_secs_f64());
        self.write(&format!("{time:>MARGIN$}  {}\n", cut(text, WIDTH - MARGIN - 2)))
    }

    /// Text as it is.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.into() }
    }
}

/// At most so many characters, on one line.
fn cut(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let indent: String = text.chars().take_while(|letter| *letter == ' ').collect();
    let line = indent + &line;
    match line.char_indices().nth(most) {
        None => line,
        Some(_) => line.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_and_keeps_its_indent() {
        assert_eq!(cut("  a\nb  c", 20), "  a b c");
        assert_eq!(cut("  abcdef", 6), "  abc…");
        assert_eq!(cut("abcdef", 6), "abcdef");
    }
}
