//! Runs a program to its end, within a time and an amount of output.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// What is kept of each stream of a program.
const OUTPUT_KEPT: u64 = 16 * 1024 * 1024;
/// How long to look away from a running program.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// What of a program's output stands in an error.
const SHOWN: usize = 4_000;

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The end of what it said, errors first.
    pub fn said(&self) -> String {
        let both = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        tail(both.trim(), SHOWN).to_owned()
    }
}

/// Runs `command` with `input` on its standard input; kills it when it takes
/// longer than `within`.
pub(crate) fn run(command: &mut Command, input: &[u8], within: Duration) -> Result<Output, Error> {
    let name = described(command);
    let started = Error::starting(&name);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(started)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        let stdout = scope.spawn(move || kept(stdout));
        let stderr = scope.spawn(move || kept(stderr));
        let code = end_of(&mut child, within).map_err(Error::starting(&name))?;
        let (stdout, stderr) =
            (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        match code {
            Some(code) => Ok(Output { code: code.code(), stdout, stderr }),
            None => Err(Error::Late {
                what: name.clone(),
                within,
                said: tail(&stderr, SHOWN).to_owned(),
            }),
        }
    })
}

/// As [`run`], and anything but success is an error. Gives what it printed.
pub(crate) fn succeed(
    command: &mut Command,
    input: &[u8],
    within: Duration,
) -> Result<String, Error> {
    let output = run(command, input, within)?;
    match output.success() {
        true => Ok(output.stdout),
        false => {
            let what = described(command);
            Err(Error::Failed { what, code: output.code, said: output.said() })
        }
    }
}

/// Asks until `is` says yes; the error says what was waited for.
pub fn wait_until(
    what: &str,
    within: Duration,
    mut is: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        if is()? {
            return Ok(());
        }
        if started.elapsed() > within {
            return Err(Error::Late { what: what.to_owned(), within, said: String::new() });
        }
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

/// None when it had to be killed.
fn end_of(
    child: &mut Child,
    within: Duration,
) -> std::io::Result<Option<std::process::ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > within {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Reads to the end, so that the program is never held up, and keeps a part.
fn kept(stream: Option<impl Read>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut stream).take(OUTPUT_KEPT).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn described(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(OsStr::to_string_lossy).map(|word| word.into_owned()));
    let text = words.join(" ");
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    }
}

fn tail(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let started = Instant::now();
        let error =
            run(Command::new("sleep").arg("60"), b"", Duration::from_millis(50)).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(error.to_string().contains("sleep 60"), "{error}");
    }

    #[test]
    fn what_goes_in_comes_out_and_failure_says_what_was_said() {
        let text =
            succeed(&mut Command::new("cat"), b"in and out", Duration::from_secs(20)).unwrap();
        assert_eq!(text, "in and out");
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo reason >&2; exit 3"]);
        let error = succeed(&mut failing, b"", Duration::from_secs(20)).unwrap_err().to_string();
        assert!(error.contains("reason") && error.contains('3'), "{error}");
    }
}
