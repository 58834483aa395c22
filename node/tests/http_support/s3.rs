//! A small service that speaks as much of S3 as a node needs: objects in memory, a bucket without a
//! name of its own, no signatures checked but asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

type Reply = Response<Body>;

/// The service; it ends with the test.
#[derive(Clone)]
pub(crate) struct S3 {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// Each object put takes a permit, for as long as there are fewer than all.
    gate: Semaphore,
    refusing: AtomicBool,
}

impl S3 {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            refusing: AtomicBool::new(false),
        });
        let router = axum::Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// The variables that lead a node here.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "eu-central-1".into()),
            ("AWS_ACCESS_KEY_ID", "test-key".into()),
            ("AWS_SECRET_ACCESS_KEY", super::s3::SECRET.into()),
        ]
    }

    /// All objects, `bucket/key`.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.shared
            .objects
            .lock()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    /// Puts other bytes in place of all objects.
    pub(crate) fn change_all(&self, change: impl Fn(&Bytes) -> Bytes) {
        let mut objects = self.shared.objects.lock().unwrap();
        objects
            .values_mut()
            .for_each(|bytes| *bytes = change(bytes));
    }

    /// From now on whoever puts an object waits.
    pub(crate) fn hold(&self) {
        self.shared.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets them go on.
    pub(crate) fn release(&self) {
        self.shared.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// From now on everything is refused, or nothing.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.shared.refusing.store(refusing, Ordering::SeqCst);
    }
}

/// What must not turn up anywhere.
pub(crate) const SECRET: &str = "never-to-be-seen-in-a-log";

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let signed = headers.get("authorization").is_some_and(|value| {
        let value = value.to_str().unwrap();
        value.starts_with("AWS4-HMAC-SHA256 Credential=test-key/")
    });
    if !signed || shared.refusing.load(Ordering::SeqCst) {
        return status(StatusCode::FORBIDDEN);
    }
    let key = uri.path().trim_start_matches('/').to_owned();
    match method {
        Method::PUT => {
            let _permit = shared.gate.acquire().await.unwrap();
            shared.objects.lock().unwrap().insert(key, body);
            let reply = Response::builder().header("etag", "\"x\"");
            reply.body(Body::empty()).unwrap()
        }
        Method::GET if query.contains_key("list-type") => list(&shared, &key, &query["prefix"]),
        Method::GET | Method::HEAD => get(&shared, &key, &headers),
        Method::DELETE => {
            shared.objects.lock().unwrap().remove(&key);
            status(StatusCode::NO_CONTENT)
        }
        Method::POST if query.contains_key("delete") => delete_all(&shared, &key, &body),
        _ => status(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn status(status: StatusCode) -> Reply {
    Response::builder()
        .status(status)
        .body(Body::empty())
        .unwrap()
}

fn get(shared: &Shared, key: &str, headers: &HeaderMap) -> Reply {
    let Some(bytes) = shared.objects.lock().unwrap().get(key).cloned() else {
        return status(StatusCode::NOT_FOUND);
    };
    let reply = Response::builder()
        .header("etag", "\"x\"")
        .header("last-modified", "Tue, 15 Nov 1994 12:45:26 GMT");
    let Some(range) = headers.get("range") else {
        return reply.body(Body::from(bytes)).unwrap();
    };
    let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let size = bytes.len();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let last = last.min(size - 1);
    reply
        .status(StatusCode::PARTIAL_CONTENT)
        .header("content-range", format!("bytes {first}-{last}/{size}"))
        .body(Body::from(bytes.slice(first..last + 1)))
        .unwrap()
}

fn list(shared: &Shared, bucket: &str, prefix: &str) -> Reply {
    let bucket = bucket.trim_end_matches('/');
    let objects = shared.objects.lock().unwrap();
    let mut xml = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (key, bytes) in objects.iter() {
        let Some(key) = key.strip_prefix(&format!("{bucket}/")) else {
            continue;
        };
        if key.starts_with(prefix) {
            xml += &format!(
                "<Contents><Key>{key}</Key><LastModified>1994-11-15T12:45:26.000Z</LastModified>\
                 <ETag>\"x\"</ETag><Size>{}</Size></Contents>",
                bytes.len()
            );
        }
    }
    xml += "</ListBucketResult>";
    Response::new(Body::from(xml))
}

fn delete_all(shared: &Shared, bucket: &str, body: &[u8]) -> Reply {
    let bucket = bucket.trim_end_matches('/');
    let text = std::str::from_utf8(body).unwrap();
    let mut objects = shared.objects.lock().unwrap();
    let mut xml = String::from("<DeleteResult>");
    for part in text.split("<Key>").skip(1) {
        let key = part.split_once("</Key>").unwrap().0;
        objects.remove(&format!("{bucket}/{key}"));
        xml += &format!("<Deleted><Key>{key}</Key></Deleted>");
    }
    xml += "</DeleteResult>";
    Response::new(Body::from(xml))
}
