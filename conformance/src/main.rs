//! The command line: arguments in, exit code out; everything else is the library's.

mod embedded;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `check` starts this very program once per simulated seed.
    grove_sim::batch::run_child_if_asked()
        .unwrap_or_else(|| grove_conformance::cli::main(embedded::VECTORS))
}
