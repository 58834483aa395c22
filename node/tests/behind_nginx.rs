//! The node behind nginx as Debian has it, with its documented settings for a proxy and no others: buffering is
//! on, as it is by default.
//!
//! Where nginx is not installed, the test says so and passes; with `CI=true` it fails.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_support::follow::{EventStream, GraphSocket};
use http_support::pieces::{PIECE, fetch, noise, upload};
use http_support::scripts::skip;
use http_support::site::Site;
use http_support::socket::Socket;
use http_support::{build, send};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Ports are taken by chance, so that a second one may be needed.
const STARTS_MAX: usize = 5;

/// How long an event may take through a proxy that does not hold it back. nginx holds back for as long as its
/// buffer has room.
const PROMPT: Duration = Duration::from_secs(5);

/// A proxy in front of a node; ends with the test.
struct Nginx {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Nginx {
    async fn before(node: SocketAddr) -> Self {
        for _ in 0..STARTS_MAX {
            let folder = tempfile::tempdir().unwrap();
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            let config = folder.path().join("nginx.conf");
            std::fs::write(
                &config,
                settings(folder.path().to_str().unwrap(), port, node),
            )
            .unwrap();
            let mut command = Command::new("nginx");
            command.arg("-c").arg(config).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(port).await.is_ok() {
                    return Self {
                        child,
                        address: port,
                        folder,
                    };
                }
                tokio::task::yield_now().await;
            }
        }
        panic!("nginx does not start");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("error.log"));
            eprintln!("nginx said:\n{}", log.unwrap_or_default());
        }
        // In one process: there are no workers that could be left over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What nginx's own guide to WebSockets has, in a folder of its own.
fn settings(folder: &str, here: SocketAddr, node: SocketAddr) -> String {
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .concat();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
         events {{}}
         http {{
             access_log off; {places}
             map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
             server {{
                 listen {here};
                 client_max_body_size 32m;
                 location / {{
                     proxy_pass http://{node};
                     proxy_http_version 1.1;
                     proxy_set_header Host $host;
                     proxy_set_header Upgrade $http_upgrade;
                     proxy_set_header Connection $connection_upgrade;
                 }}
             }}
         }}"
    )
}

fn is_installed() -> bool {
    let version = Command::new("nginx").arg("-v").output();
    version.is_ok_and(|output| output.status.success())
}

async fn posted(address: SocketAddr, path: &str, body: Value) -> Value {
    let response = send(address, build(Method::POST, path, body.to_string())).await;
    assert_eq!(response.status(), 200, "{}", response.body());
    serde_json::from_str(response.body()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_nginx_passes_on_all_that_the_node_offers() {
    if !is_installed() {
        return skip("no nginx");
    }
    let site = Site::start().await;
    let nginx = Nginx::before(site.node.address).await;
    let (front, venue) = (nginx.address, &site.venue);

    let query =
        format!("subscription {{ events: all_{venue} {{ document {{ fields {{ name }} }} }} }}");
    let mut events = EventStream::post(front, &query).await;
    let mut socket = GraphSocket::connect(front).await;
    socket.start("1", &query).await;
    socket.settled().await;
    for name in ["Alpha", "beta"] {
        site.venue(name, 1, 1.0).await;
        let told = async { [events.event().await, socket.event("1").await] };
        let told = tokio::time::timeout(PROMPT, told).await;
        for event in told.expect("an event was held back") {
            assert_eq!(event["document"]["fields"]["name"], name);
        }
    }

    let status = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getStatus" });
    let answer = posted(front, "/", status.clone()).await;
    assert!(answer["result"]["position"].is_string(), "{answer}");
    let mut socket = Socket::open(front).await;
    socket.send_json(&status).await;
    assert_eq!(socket.json().await["result"], answer["result"]);
    let query = json!({ "query": format!("{{ c: all_{venue} {{ totalCount }} }}") });
    let answer = posted(front, "/graphql", query).await;
    assert_eq!(answer, json!({ "data": { "c": { "totalCount": 2 } } }));

    // Larger than all of nginx's buffers, up and down.
    let data = noise(1, 3 * PIECE + 5);
    let (blob, _) = upload(front, 100, &data).await;
    let whole = fetch(front, blob, None).await;
    assert_eq!(
        (whole.status().as_u16(), whole.body().as_ref()),
        (200, data.as_slice())
    );
    let part = fetch(front, blob, Some("bytes=255990-256010")).await;
    assert_eq!(
        (part.status().as_u16(), part.body().as_ref()),
        (206, &data[255_990..=256_010])
    );
    let etag = whole.headers()["etag"].to_str().unwrap();
    let mut again = build(Method::GET, &format!("/blobs/{blob}"), "");
    again
        .headers_mut()
        .insert("if-none-match", etag.parse().unwrap());
    assert_eq!(send(front, again).await.status(), 304);
}
