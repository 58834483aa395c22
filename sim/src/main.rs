//! The binary `grove-sim`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    grove_sim::batch::run_child_if_asked().unwrap_or_else(grove_sim::cli::main)
}
