//! JavaScript programs beside the tests, with packages from npm at their locked versions.
//!
//! Where Node.js or npm is not installed, the tests say so and pass; with `CI=true` they fail.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Beyond the minute that the scripts allow a browser, so that they can tell what kept it.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(90);

/// Longer, since it may have to fetch packages.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long to wait for the last words of a killed program, whose children may still hold the line.
const KILLED_TIMEOUT: Duration = Duration::from_secs(1);

/// Programs in a folder of the tests.
pub(crate) struct Scripts(pub &'static str);

impl Scripts {
    /// Runs a script to a good end. Fails with all it said when it ends badly or not in time.
    pub(crate) fn run(&self, arguments: &[&str]) {
        self.run_by("node", arguments);
    }

    /// The same by another program than Node.js.
    pub(crate) fn run_by(&self, program: &str, arguments: &[&str]) {
        run(program, arguments, &self.folder(), SCRIPT_TIMEOUT);
    }

    /// Whether the locked packages can be used, after installing them if need be.
    pub(crate) fn are_ready(&self) -> bool {
        for tool in ["node", "npm"] {
            if !is_installed(tool) {
                skip(&format!("no {tool}"));
                return false;
            }
        }
        // Other tests, maybe of other processes, want the same.
        let lock_path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.lock", self.0));
        let lock = File::create(lock_path).unwrap();
        lock.lock().unwrap();

        let wanted = fs::read(self.folder().join("package-lock.json")).unwrap();
        let installed = self.folder().join("node_modules/.installed-lock.json");
        if fs::read(&installed).ok().as_ref() != Some(&wanted) {
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            run("npm", &arguments, &self.folder(), INSTALL_TIMEOUT);
            fs::write(installed, wanted).unwrap();
        }
        true
    }

    /// Runs a program of Python to a good end, with the packages that the folder asks for. Where there is no
    /// Python, it says so and does nothing.
    pub(crate) fn run_python(&self, arguments: &[&str]) {
        if !is_installed("python3") {
            return skip("no python3");
        }
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.python", self.0));
        let python = place.join("bin/python");
        let wanted = fs::read(self.folder().join("requirements.txt")).unwrap();
        let installed = place.join("installed.txt");
        if fs::read(&installed).ok().as_ref() != Some(&wanted) {
            let place = place.to_str().unwrap();
            let new = ["-m", "venv", "--clear", place];
            run("python3", &new, &self.folder(), INSTALL_TIMEOUT);
            let install = ["-m", "pip", "install", "-q", "-r", "requirements.txt"];
            let python = python.to_str().unwrap();
            run(python, &install, &self.folder(), INSTALL_TIMEOUT);
            fs::write(installed, wanted).unwrap();
        }
        let python = python.to_str().unwrap();
        run(python, arguments, &self.folder(), SCRIPT_TIMEOUT);
    }

    fn folder(&self) -> PathBuf {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        tests.join(self.0)
    }
}

pub(crate) fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

pub(crate) fn skip(reason: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{reason}, which CI must have");
    eprintln!("skipped: {reason} on this machine");
}

/// Runs a program to a good end. Fails with all it said when it ends badly or not in time.
fn run(program: &str, arguments: &[&str], folder: &Path, timeout: Duration) {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let (done, output) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });

    // A program that says no more is about to end.
    let said = output.recv_timeout(timeout);
    if said.is_err() {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let in_time = if said.is_ok() { "" } else { ", not in time" };
    let said = said.or_else(|_| output.recv_timeout(KILLED_TIMEOUT));
    assert!(
        status.success(),
        "{program} {arguments:?}: {status}{in_time}\n{}",
        said.unwrap_or_default(),
    );
}
