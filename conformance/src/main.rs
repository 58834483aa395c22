//! The command line: arguments in, exit code out; everything else is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    grove_conformance::cli::main()
}
