//! `grove`: a p2panda client on the command line.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
