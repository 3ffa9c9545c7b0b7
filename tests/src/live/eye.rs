//! Boto3 that stays: a look costs a request, not a start of Python. It sees the
//! emulator itself, past everything that is in the nodes' way.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::emulator::python;

/// A question a line, an answer a line. `aws(service)` is a client, `args` what
/// came along; what a script prints is its answer.
const ANSWERING: &str = "
import contextlib, functools, io, json, sys, traceback
import boto3

@functools.cache
def aws(service):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name='us-east-1',
        aws_access_key_id='test', aws_secret_access_key='test')

for line in sys.stdin:
    asked, printed, failed = json.loads(line), io.StringIO(), ''
    try:
        with contextlib.redirect_stdout(printed):
            exec(asked['script'], {'aws': aws, 'json': json, 'args': asked['args']})
    except Exception:
        failed = traceback.format_exc()
    print(json.dumps({'printed': printed.getvalue(), 'failed': failed}), flush=True)
";

/// What looks.
#[derive(Debug)]
pub struct Eye(Mutex<Looking>);

#[derive(Debug)]
struct Looking {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    printed: String,
    failed: String,
}

impl Eye {
    /// One that looks at the emulator at this URL.
    pub fn open(url: &str) -> Result<Self> {
        let mut child = Command::new(python()?)
            .args(["-c", ANSWERING, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("boto3 does not start")?;
        let asks = child.stdin.take().context("it has no input")?;
        let answers = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self(Mutex::new(Looking { child, asks, answers })))
    }

    /// What a script prints.
    pub fn look(&self, script: &str, args: &[&str]) -> Result<String> {
        let mut looking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(looking.asks, "{}", json!({"script": script, "args": args}))?;
        looking.asks.flush()?;
        let mut line = String::new();
        looking.answers.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line).context("boto3 ended")?;
        if !answer.failed.is_empty() {
            bail!("{script}: {}", answer.failed);
        }
        Ok(answer.printed)
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        let looking = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = looking.child.kill();
        let _ = looking.child.wait();
    }
}
