//! A terminal without anybody at it: a command runs on one of its own, and what
//! is written to standard input is typed there.

use std::process::Command;

const ON_ITS_OWN: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

/// The same command with a terminal, which shows both of its streams as one. It
/// has the same exit code.
pub fn at_terminal(own: &Command) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", ON_ITS_OWN]).arg(own.get_program()).args(own.get_args());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
