//! The program `lyceum-agent`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lyceum_agent::cli::main()
}
