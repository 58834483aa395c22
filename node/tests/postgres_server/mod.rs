//! A PostgreSQL server for the tests of one binary, and a database of its own for each that asks.
//!
//! Started from Debian's package on a free port when it is first needed. A shell holds it and watches a
//! pipe that ends with this process, however it ends: then the server stops and its files go.
#![allow(dead_code, reason = "each test binary needs another part")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use grove_node::store::Server;
use postgres::{Client, NoTls};

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's language is Turkish, which folds letters in its own way. Its certificate is signed by an
/// authority of its own.
const SCRIPT: &str = r#"
    programs=$1 port=$2 dir=$3
    mkdir -m 755 "$dir" && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 1
    {
        "$programs/initdb" --pgdata=data --auth=trust --username=grove --encoding=UTF8 --no-sync \
            --locale=C.UTF-8 --locale-provider=icu --icu-locale=tr &&
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -subj /CN=authority -keyout authority.key -out authority.crt &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=localhost -keyout server.key -out server.csr &&
        printf 'subjectAltName=DNS:localhost' >names &&
        openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial \
            -days 2 -extfile names -out server.crt
    } >log 2>&1 || { cat log >&2; exit 1; }
    "$programs/pg_ctl" start --silent --wait --pgdata=data --log=log --options="-p $port -c fsync=off \
        -c listen_addresses=localhost -c unix_socket_directories='$dir' -c autovacuum=off \
        -c ssl=on -c ssl_cert_file='$dir/server.crt' -c ssl_key_file='$dir/server.key'" \
        || { cat log >&2; exit 1; }
    cat >/dev/null
    "$programs/pg_ctl" stop --silent --wait --mode=fast --pgdata=data
"#;

struct Running {
    /// Ends when its standard input does.
    _shell: Child,
    port: u16,
    directory: PathBuf,
}

/// The server; why there is none.
fn running() -> Result<&'static Running, &'static String> {
    static RUNNING: OnceLock<Result<Running, String>> = OnceLock::new();
    // A client must not be driven from within an asynchronous test.
    let started = || {
        std::thread::spawn(start)
            .join()
            .expect("starting never panics")
    };
    RUNNING.get_or_init(started).as_ref()
}

fn start() -> Result<Running, String> {
    let programs = programs().ok_or("there is no /usr/lib/postgresql: install postgresql")?;
    let mut why = String::new();
    // Somebody else may take the port between our letting go of it and the server's taking hold.
    for _ in 0..3 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.map_err(|error| error.to_string())?.port();
        let name = format!("grove-postgres-{}-{port}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let mut shell = hold(&programs, port, &directory)?;
        let since = Instant::now();
        why = format!("no server came up on port {port}");
        while since.elapsed() < PATIENCE {
            if is_ours(port, &directory) {
                let _shell = shell;
                return Ok(Running {
                    _shell,
                    port,
                    directory,
                });
            }
            if let Ok(Some(status)) = shell.try_wait() {
                why = format!("the server or its making ended: {status}");
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
    Err(why)
}

/// The newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.filter_map(|version| version.ok()?.file_name().into_string().ok());
    let newest = versions.filter_map(|name| name.parse::<u32>().ok()).max()?;
    let programs = Path::new("/usr/lib/postgresql").join(format!("{newest}/bin"));
    programs.join("initdb").exists().then_some(programs)
}

/// Starts the shell that holds the server, which does not run for root.
fn hold(programs: &Path, port: u16, directory: &Path) -> Result<Child, String> {
    let user = Command::new("id").arg("-u").output();
    let root = user.is_ok_and(|user| user.stdout.trim_ascii() == b"0");
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command
        .args(["-c", SCRIPT, "sh"])
        .arg(programs)
        .arg(port.to_string())
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // An interrupt is for the tests; the server goes when they are gone.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("can't start a shell: {error}"))
}

/// Whether our server answers on the port, not one of somebody who was faster.
fn is_ours(port: u16, directory: &Path) -> bool {
    let Ok(mut client) = connect(port, "postgres") else {
        return false;
    };
    let place = client.query_one("SELECT current_setting('data_directory')", &[]);
    place.is_ok_and(|row| directory.join("data") == Path::new(row.get::<_, &str>(0)))
}

fn connect(port: u16, database: &str) -> Result<Client, postgres::Error> {
    let url = format!("postgres://grove@127.0.0.1:{port}/{database}");
    Client::connect(&url, NoTls)
}

/// Whether there is a server. Where there must be one, its absence fails the test.
pub(crate) fn is_there() -> bool {
    match running() {
        Ok(_) => true,
        Err(why) => {
            assert!(std::env::var("CI").is_err(), "{why}");
            let _ = writeln!(std::io::stderr(), "skipped: {why}");
            false
        }
    }
}

/// An empty database, dropped at the end.
pub(crate) struct Database {
    port: u16,
    name: String,
}

impl Database {
    /// A new one; `None` when there is no server and need not be.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let port = running().ok().filter(|_| is_there())?.port;
        let name = format!("grove_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Self { port, name };
        database.administer(format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// The URL, with a password that nobody asks for and nobody may see.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://grove:hidden@127.0.0.1:{}/{}",
            self.port, self.name
        )
    }

    /// The URL by which the connection is encrypted, and the certificate of who vouches for the server.
    pub(crate) fn encrypted(&self) -> (String, PathBuf) {
        let url = self.url().replace("127.0.0.1", "localhost") + "?sslmode=require";
        let running = running().expect("it has this database");
        (url, running.directory.join("authority.crt"))
    }

    pub(crate) fn server(&self) -> Server {
        self.url().parse().unwrap()
    }

    /// Runs statements in the database, as its owner may at any time.
    pub(crate) fn run(&self, sql: &str) {
        self.client(|client| client.batch_execute(sql).unwrap(), sql);
    }

    /// The one number that a statement answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.client(|client| client.query_one(sql, &[]).unwrap().get(0), sql)
    }

    /// Ends all sessions of the database but this one, as a server does that goes down.
    pub(crate) fn cut_all(&self) {
        self.administer(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        ));
    }

    /// Ends all sessions and lets no other begin, or lets them again.
    pub(crate) fn close(&self, closed: bool) {
        let name = &self.name;
        self.administer(format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS {}",
            !closed
        ));
        if closed {
            self.cut_all();
        }
    }

    fn client<T: Send>(&self, ask: impl FnOnce(&mut Client) -> T + Send, why: &str) -> T {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&mut connect(self.port, &self.name).unwrap()));
            asked.join().unwrap_or_else(|_| panic!("failed: {why}"))
        })
    }

    fn administer(&self, sql: String) {
        let port = self.port;
        let run = move || {
            connect(port, "postgres")
                .unwrap()
                .batch_execute(&sql)
                .unwrap()
        };
        std::thread::spawn(run).join().unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (port, sql) = (
            self.port,
            format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
        // What is left of it goes with the server.
        let drop = move || connect(port, "postgres").map(|mut client| client.batch_execute(&sql));
        let _ = std::thread::spawn(drop).join();
    }
}
