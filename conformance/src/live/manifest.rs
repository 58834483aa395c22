//! A node that the harness may start, kill and start again: how, as its manifest says.
//!
//! A manifest is TOML: a name, the command that starts the node, and where it answers then. `{dir}` stands for a folder
//! that is kept from one start to the next, `{port}` for a free port, `{here}` for the manifest's folder and `{bin}` for
//! that of this program. `alone` asks for a network of its own, for nodes that listen on all addresses.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::SetUpError;
use super::doors::Doors;
use super::http::Client;
use crate::runner::matches;

/// Set in the process that runs in a network of its own.
const ALONE: &str = "GROVE_CONFORMANCE_ALONE";

/// How long a node may take to end when it is asked to.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// What a manifest says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name for people.
    pub name: String,
    /// Program and arguments.
    start: Vec<String>,
    /// Where the node answers.
    http: String,
    /// Seconds until it does.
    #[serde(default = "ready_seconds")]
    ready_seconds: u64,
    /// Whether it must not be reached, nor reach anybody.
    #[serde(default)]
    pub alone: bool,
    /// What is known to be wrong with it.
    #[serde(default)]
    pub known: Vec<Known>,
    #[serde(skip)]
    here: PathBuf,
    #[serde(skip)]
    bin: Option<PathBuf>,
}

/// Failures that are explained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Globs over ids of cases.
    cases: Vec<String>,
    /// Words that stand in what goes wrong.
    #[serde(default)]
    fails: String,
    /// What is wrong, in a sentence.
    pub why: String,
}

const fn ready_seconds() -> u64 {
    30
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// There is no such file, or a process could not be started.
    #[error("{what}: {source}")]
    Io {
        /// Path or program.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// It is no manifest.
    #[error("the manifest is none: {0}")]
    Toml(#[from] toml::de::Error),
    /// There is nothing to start.
    #[error("the manifest names no program")]
    NoProgram,
    /// It never answered.
    #[error("the node does not answer within {0} s; its log is in {1}")]
    NotReady(u64, PathBuf),
    /// It can't be asked.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
}

fn io_error(what: &Path, source: io::Error) -> ManifestError {
    let what = what.display().to_string();
    ManifestError::Io { what, source }
}

impl Manifest {
    /// Reads a manifest.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let text = fs::read_to_string(path).map_err(|error| io_error(path, error))?;
        let mut manifest: Self = toml::from_str(&text)?;
        let here = path.parent().unwrap_or(Path::new("."));
        here.clone_into(&mut manifest.here);
        Ok(manifest)
    }

    /// The manifest with another folder for `{bin}`.
    #[must_use]
    pub fn with_programs_of(mut self, bin: &Path) -> Self {
        self.bin = Some(bin.to_owned());
        self
    }

    /// What is known to be wrong where a case fails in these words.
    pub fn explains(&self, case: &str, fails: &str) -> Option<&str> {
        let meant = |known: &&Known| {
            let named = known.cases.iter().any(|glob| matches(glob, case));
            named && fails.contains(&known.fails)
        };
        self.known
            .iter()
            .find(meant)
            .map(|known| known.why.as_str())
    }
}

/// Runs this program again in a network of its own where the manifest asks for it; its exit code, if it did.
pub fn again_alone(manifest: &Manifest) -> io::Result<Option<i32>> {
    if !manifest.alone || std::env::var_os(ALONE).is_some() {
        return Ok(None);
    }
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c"])
        .args(["ip link set lo up && exec \"$@\"", "sh"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(ALONE, "1")
        .status()?;
    Ok(Some(status.code().unwrap_or(3)))
}

/// A node that runs, or did.
#[derive(Debug)]
pub struct Started {
    manifest: Manifest,
    dir: PathBuf,
    port: u16,
    child: Child,
}

impl Started {
    /// Starts the node with an empty folder in `dir`, and waits until it answers.
    pub fn start(manifest: &Manifest, dir: &Path) -> Result<Self, ManifestError> {
        fs::create_dir_all(dir).map_err(|error| io_error(dir, error))?;
        // Free a moment ago; whoever takes it in between makes the node fail to start, which is told.
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| io_error(dir, error))?;
        let port = listener
            .local_addr()
            .map_err(|error| io_error(dir, error))?
            .port();
        drop(listener);
        let child = spawn(manifest, dir, port)?;
        let mut started = Self {
            manifest: manifest.clone(),
            dir: dir.to_owned(),
            port,
            child,
        };
        started.await_ready()?;
        Ok(started)
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        filled(&self.manifest, &self.manifest.http, &self.dir, self.port)
    }

    /// What it has written.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) {
        // One that has ended by itself is as dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the process to end, and ends it where it does not.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        let started = Instant::now();
        while asked.is_ok() && started.elapsed() < STOP_TIME_MAX {
            if self.child.try_wait().ok().flatten().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Starts it again with the folder as it is.
    pub fn again(&mut self) -> Result<(), ManifestError> {
        self.child = spawn(&self.manifest, &self.dir, self.port)?;
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<(), ManifestError> {
        let client = Client::new(&self.url())?;
        let started = Instant::now();
        while started.elapsed().as_secs() < self.manifest.ready_seconds {
            if !Doors::probe(&client).publishing().is_empty() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.kill();
        Err(ManifestError::NotReady(
            self.manifest.ready_seconds,
            self.log(),
        ))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(manifest: &Manifest, dir: &Path, port: u16) -> Result<Child, ManifestError> {
    let mut words = manifest
        .start
        .iter()
        .map(|word| filled(manifest, word, dir, port));
    let program = words.next().ok_or(ManifestError::NoProgram)?;
    let log = dir.join("log");
    let open = || File::options().create(true).append(true).open(&log);
    let (out, err) = (open(), open());
    let (out, err) = (
        out.map_err(|error| io_error(&log, error))?,
        err.map_err(|error| io_error(&log, error))?,
    );
    Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|source| ManifestError::Io {
            what: program,
            source,
        })
}

fn filled(manifest: &Manifest, word: &str, dir: &Path, port: u16) -> String {
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent);
    let bin = manifest.bin.as_deref().or(own).unwrap_or(Path::new("."));
    word.replace("{dir}", &dir.to_string_lossy())
        .replace("{port}", &port.to_string())
        .replace("{here}", &manifest.here.to_string_lossy())
        .replace("{bin}", &bin.to_string_lossy())
}
