//! An adapter as a child process: lines out, lines in, and an end that always comes.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest line taken from an adapter.
const LINE_SIZE_MAX: u64 = 16 * 1024 * 1024;

/// Lines read ahead; an adapter that floods its output has to wait.
const LINES_WAITING_MAX: usize = 256;

/// How long to wait for the last words of a process that was killed. Its own children may live on and
/// hold the stream open for ever.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(200);

/// Lines of stderr kept as evidence.
const STDERR_LINES_MAX: usize = 40;

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A command line, for the shell to take apart.
    Shell(String),
    /// A program and its arguments.
    Program(std::path::PathBuf, Vec<String>),
}

/// What came, if anything did.
#[derive(Debug)]
pub enum Reply {
    /// A JSON line.
    Line(Value),
    /// A line that is not JSON.
    Noise(String),
    /// The process closed its output.
    Ended,
    /// Nothing in time.
    Silence,
}

/// A running adapter. Dropping it ends the process.
#[derive(Debug)]
pub struct Adapter {
    child: Child,
    stdin: Option<Sender<String>>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<Vec<String>>>,
}

impl Adapter {
    /// Starts the process with all three streams piped.
    pub fn start(command: &Command) -> io::Result<Self> {
        let mut command = match command {
            Command::Shell(line) => {
                let mut shell = std::process::Command::new("sh");
                shell.arg("-c").arg(format!("exec {line}"));
                shell
            }
            Command::Program(path, args) => {
                let mut program = std::process::Command::new(path);
                program.args(args);
                program
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("piped above");
        let stdout = child.stdout.take().expect("piped above");
        let stderr = child.stderr.take().expect("piped above");
        Ok(Self {
            child,
            stdin: Some(writer(stdin)),
            lines: reader(stdout),
            stderr: Some(thread::spawn(move || last_lines(stderr))),
        })
    }

    /// Hands a line to the process. A process that is gone shows when its answer is waited for.
    pub fn send(&mut self, line: &Value) {
        if let Some(stdin) = &self.stdin {
            let _ = stdin.send(format!("{line}\n"));
        }
    }

    /// Waits for the next line.
    pub fn receive(&mut self, timeout: Duration) -> Reply {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => match serde_json::from_str(&line) {
                Ok(value) => Reply::Line(value),
                Err(_) => Reply::Noise(line),
            },
            Err(RecvTimeoutError::Disconnected) => Reply::Ended,
            Err(RecvTimeoutError::Timeout) => Reply::Silence,
        }
    }

    /// Ends the process and returns what it last wrote to stderr.
    pub fn end(mut self) -> Vec<String> {
        self.kill();
        let Some(stderr) = self.stderr.take() else {
            return Vec::new();
        };
        let killed = Instant::now();
        while !stderr.is_finished() && killed.elapsed() < LAST_WORDS_TIME_MAX {
            thread::sleep(Duration::from_millis(1));
        }
        if stderr.is_finished() {
            stderr.join().unwrap_or_default()
        } else {
            Vec::new()
        }
    }

    fn kill(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writing has a thread of its own: a process that does not read must not stop the runner.
fn writer(mut stdin: ChildStdin) -> Sender<String> {
    let (sender, lines) = mpsc::channel::<String>();
    thread::spawn(move || {
        for line in lines {
            if stdin
                .write_all(line.as_bytes())
                .and_then(|()| stdin.flush())
                .is_err()
            {
                break;
            }
        }
    });
    sender
}

fn reader(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = stdout
                .by_ref()
                .take(LINE_SIZE_MAX)
                .read_until(b'\n', &mut line);
            let Ok(1..) = read else { break };
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() && sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn last_lines(stderr: impl Read) -> Vec<String> {
    let mut last = VecDeque::new();
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        let read = stderr.by_ref().take(4096).read_until(b'\n', &mut line);
        let Ok(1..) = read else { break };
        if last.len() == STDERR_LINES_MAX {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    last.into()
}
