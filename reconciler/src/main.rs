//! The program `lyceum`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lyceum::cli::main()
}
