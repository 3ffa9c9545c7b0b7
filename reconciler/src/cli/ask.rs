//! Questions to the person at the terminal.

use std::io::{self, IsTerminal, Write};

use super::failure::{Failed, Refused};

/// Whether the answer is yes.
///
/// Errors: nobody is there to answer.
pub(super) fn yes(question: &str) -> Result<bool, Failed> {
    let answer = answer(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whether the answer is exactly this text.
pub(super) fn exactly(question: &str, text: &str) -> Result<bool, Failed> {
    Ok(answer(&format!("{question} Type {text} to confirm: "))? == text)
}

fn answer(question: &str) -> Result<String, Failed> {
    if !io::stdin().is_terminal() {
        let hint = "read the plan, then run it again with --yes";
        return Err(Refused::new("nobody is at the terminal to be asked", hint).into());
    }
    let mut error = io::stderr().lock();
    write!(error, "{question}").and_then(|()| error.flush())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_string())
}
