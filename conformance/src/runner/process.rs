//! An adapter as a child process: lines out, lines in, and an end that always comes.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest line taken from an adapter, several times the longest right answer.
pub(super) const LINE_SIZE_MAX: usize = 4 * 1024 * 1024;

/// Lines read ahead; an adapter that floods its output has to wait.
const LINES_WAITING_MAX: usize = 16;

/// Characters shown of a line that means nothing.
const NOISE_LEN_MAX: usize = 80;

/// How long a process that closed its output may take to end, so that it can be told how it did.
const EXIT_TIME_MAX: Duration = Duration::from_millis(500);

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
    /// The beginning of a line that is not JSON.
    Noise(String),
    /// A line longer than any answer.
    TooLong,
    /// The process closed its output; how it ended, in words.
    Ended(String),
    /// Nothing in time.
    Silence,
}

/// A running adapter. Dropping it ends the process.
#[derive(Debug)]
pub struct Adapter {
    child: Child,
    stdin: Option<Sender<String>>,
    lines: Receiver<Line>,
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

    /// Hands bytes to the process as they are, whatever they mean to it.
    pub fn send_raw(&mut self, bytes: &str) {
        if let Some(stdin) = &self.stdin {
            let _ = stdin.send(bytes.to_owned());
        }
    }

    /// Closes the input of the process once everything handed over is written.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line.
    pub fn receive(&mut self, timeout: Duration) -> Reply {
        match self.lines.recv_timeout(timeout) {
            Ok(Line::Whole(line)) => match serde_json::from_slice(&line) {
                Ok(value) => Reply::Line(value),
                Err(_) => {
                    let text = String::from_utf8_lossy(&line);
                    Reply::Noise(text.trim_end().chars().take(NOISE_LEN_MAX).collect())
                }
            },
            Ok(Line::TooLong) => Reply::TooLong,
            Ok(Line::End) | Err(RecvTimeoutError::Disconnected) => {
                let status = self.wait(EXIT_TIME_MAX);
                Reply::Ended(status.map_or_else(
                    || "it closed its output".to_owned(),
                    |status| format!("it ended with {status}"),
                ))
            }
            Err(RecvTimeoutError::Timeout) => Reply::Silence,
        }
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if began.elapsed() < timeout => thread::sleep(Duration::from_millis(1)),
                _ => return None,
            }
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

fn reader(stdout: impl Read + Send + 'static) -> Receiver<Line> {
    let (sender, lines) = mpsc::sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        while let Ok(line) = read_line(&mut stdout) {
            if matches!(&line, Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace)) {
                continue;
            }
            // After a line without an end nothing can be told apart any more.
            let last = !matches!(line, Line::Whole(_));
            if sender.send(line).is_err() || last {
                break;
            }
        }
    });
    lines
}

/// What a reader comes upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The bytes up to the next line feed or the end.
    Whole(Vec<u8>),
    /// More bytes than any answer has.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads the next line, but never more than a line may have.
pub(super) fn read_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    let max = LINE_SIZE_MAX as u64 + 1;
    let size = input.take(max).read_until(b'\n', &mut line)?;
    Ok(match size {
        0 => Line::End,
        _ if size > LINE_SIZE_MAX => Line::TooLong,
        _ => Line::Whole(line),
    })
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
