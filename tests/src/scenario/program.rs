//! The program as a process: started, waited for, killed; what it said, kept.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::terminal::at_terminal;

/// A command may take this long before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(180);
const GLANCE: Duration = Duration::from_millis(5);

/// The program, pointed at an endpoint and a repository.
#[derive(Clone, Debug)]
pub struct Lyceum {
    binary: PathBuf,
    endpoint: String,
    repository: PathBuf,
    environment: Vec<(String, String)>,
    terminal: bool,
}

/// A process that another thread may kill: once it runs, and as often as it is
/// started anew.
#[derive(Clone, Debug, Default)]
pub struct Victim(Arc<Mutex<Option<Child>>>);

/// A command under way.
#[derive(Debug)]
pub struct Running {
    victim: Victim,
    folder: TempDir,
    line: String,
    /// What is typed at its terminal, where it has one.
    keyboard: Option<ChildStdin>,
}

/// A command that ended.
#[derive(Debug)]
pub struct Ended {
    /// The command line.
    pub line: String,
    /// Its exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Lyceum {
    /// `LYCEUM_BIN`, or the program that was built beside this one.
    pub fn new(endpoint: &str, repository: &Path) -> Result<Self> {
        Ok(Self {
            binary: binary()?,
            endpoint: endpoint.into(),
            repository: repository.into(),
            environment: Vec::new(),
            terminal: false,
        })
    }

    /// The program's file.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// With a variable in its environment, which is otherwise empty.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// At a terminal of its own, which shows both of its streams as one.
    pub fn at_terminal(self) -> Self {
        Self { terminal: true, ..self }
    }

    /// Starts a command: `["plan", "--format", "json"]`.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        self.start_as(arguments, &Victim::default())
    }

    /// Starts a command as somebody's victim.
    pub fn start_as(&self, arguments: &[&str], victim: &Victim) -> Result<Running> {
        let input = if self.terminal { Stdio::piped() } else { Stdio::null() };
        self.start_with(arguments, input, victim)
    }

    /// Runs a command to its end with a text on its standard input.
    pub fn run_reading(&self, arguments: &[&str], input: &str) -> Result<Ended> {
        let mut file = tempfile::tempfile()?;
        file.write_all(input.as_bytes())?;
        file.rewind()?;
        self.start_with(arguments, file.into(), &Victim::default())?.wait()
    }

    fn start_with(&self, arguments: &[&str], input: Stdio, victim: &Victim) -> Result<Running> {
        let folder = TempDir::new()?;
        let mut slot = victim.held();
        let mut child = self
            .command(arguments, folder.path())
            .stdin(input)
            .stdout(File::create(folder.path().join("stdout"))?)
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("{} does not start", self.binary.display()))?;
        let keyboard = child.stdin.take();
        *slot = Some(child);
        drop(slot);
        let line = format!("lyceum {}", arguments.join(" "));
        Ok(Running { victim: victim.clone(), folder, line, keyboard })
    }

    /// A command that is not started yet, for who keeps its output elsewhere.
    /// Its environment is its own; `home` is where it finds its home.
    pub fn command(&self, arguments: &[&str], home: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        if self.terminal {
            command = at_terminal(&command);
        }
        command
            .args(arguments)
            .arg("--repo")
            .arg(&self.repository)
            .env_clear()
            .envs(self.base(home))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Ended> {
        self.start(arguments)?.wait()
    }

    /// Applies HEAD; fails where the program does.
    pub fn apply(&self) -> Result<Ended> {
        self.run(&["apply", "--yes"])?.succeeded()
    }

    /// The plan as JSON.
    pub fn plan(&self) -> Result<Value> {
        self.run(&["plan", "--format", "json"])?.succeeded()?.json()
    }

    /// Whether there is nothing to do. Blocked changes and gaps do not count.
    pub fn settled(&self) -> Result<bool> {
        let ended = self.run(&["plan", "--detailed-exitcode"])?;
        match ended.code {
            Some(0) => Ok(true),
            Some(2) => Ok(false),
            _ => bail!("{ended}"),
        }
    }

    fn base(&self, home: &Path) -> Vec<(&'static str, String)> {
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", home.display().to_string()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "lyceum".into()),
            ("AWS_SECRET_ACCESS_KEY", "lyceum".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }
}

impl Victim {
    /// SIGKILL, and returns when it is gone. Nothing where nothing runs.
    pub fn kill(&self) {
        if let Some(child) = self.held().as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The process id, while there is one.
    pub fn id(&self) -> Option<u32> {
        self.held().as_ref().map(Child::id)
    }

    fn ended(&self) -> Result<Option<ExitStatus>> {
        match self.held().as_mut() {
            Some(child) => Ok(child.try_wait()?),
            None => bail!("nothing was started"),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Waits for its end; kills it and fails where that takes too long.
    pub fn wait(self) -> Result<Ended> {
        self.wait_at_most(PATIENCE)
    }

    /// Waits for its end this long.
    pub fn wait_at_most(self, patience: Duration) -> Result<Ended> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.victim.ended()? {
                return Ok(self.told(status.code()));
            }
            std::thread::sleep(GLANCE);
        }
        self.victim.kill();
        bail!("not done after {patience:?}: {}", self.told(None))
    }

    /// What it has written so far, standard output and standard error.
    pub fn so_far(&self) -> (String, String) {
        let read = |name: &str| {
            let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        (read("stdout"), read("stderr"))
    }

    /// Types a line at its terminal.
    pub fn types(&mut self, line: &str) -> Result<()> {
        let keyboard = self.keyboard.as_mut().context("it is not at a terminal")?;
        Ok(writeln!(keyboard, "{line}")?)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        matches!(self.victim.ended(), Ok(Some(_)))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        terminate(self.victim.id().context("nothing was started")?)
    }

    /// Sends SIGINT.
    pub fn interrupt(&self) -> Result<()> {
        signal(self.victim.id().context("nothing was started")?, "INT")
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.victim.kill();
    }

    fn told(&self, code: Option<i32>) -> Ended {
        let (stdout, stderr) = self.so_far();
        Ended { line: self.line.clone(), code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.victim.kill();
    }
}

impl Ended {
    /// Itself where it exited with 0.
    pub fn succeeded(self) -> Result<Self> {
        self.exited(0)
    }

    /// Itself where it exited with this code.
    pub fn exited(self, code: i32) -> Result<Self> {
        if self.code == Some(code) { Ok(self) } else { bail!("expected {code}: {self}") }
    }

    /// All it said, standard output first.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        let code = code.map_or("was killed".into(), |code| format!("exited with {code}"));
        write!(f, "`{line}` {code}\n{stdout}\n{stderr}")
    }
}

/// Sends SIGTERM to a process.
pub fn terminate(id: u32) -> Result<()> {
    signal(id, "TERM")
}

/// The shell has it built in, where there is no program of that name.
fn signal(id: u32, name: &str) -> Result<()> {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status()?;
    if !status.success() {
        bail!("process {id} cannot be sent {name}");
    }
    Ok(())
}

/// The agent that the program finds beside itself, where there is one.
pub(super) fn agent() -> Result<Option<PathBuf>> {
    let beside = binary()?.with_file_name("lyceum-agent");
    Ok(Some(beside).filter(|path| path.is_file()))
}

fn binary() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("LYCEUM_BIN") {
        return Ok(binary.into());
    }
    // target/debug/deps/<test> or target/debug/<program>.
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("lyceum"));
    found
        .into_iter()
        .find(|path| path.is_file())
        .context("the program is not built; `cargo build -p lyceum` builds it")
}
