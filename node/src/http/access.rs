//! Who may ask at the door: by which names the node is called, from which web pages, and by whom shares are reckoned.
//!
//! A page that a browser shows runs with everything its machine may reach, a node on loopback included. What it
//! may do is bounded in three ways. It must call the node by a name of the node's own: else any page could have its
//! own name resolve to the node, and be taken for the node's own page. It must come from an origin that is let in;
//! that is any unless the operator says otherwise, since applications are pages that somebody else serves, what is
//! read is public, and what is published is signed by keys that the node does not have. And what it posts must say
//! that it is JSON, which no page can send without that the browser asks the node first.
//!
//! Programs that are no browsers name no origin, and are held to the first alone. Nothing that is not signed can be
//! asked for over HTTP: an operator's commands go through a socket in the data directory.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use grove_core::Reason;
use serde_json::json;
use tower_http::cors::{AllowOrigin, Any};

use crate::runtime::{Asking, Client};

/// Where proxies say for whom they ask, the last of several being the nearest.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What browsers say of a request that a page makes.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Types that pages may send without that the browser asks first (Fetch, "CORS-safelisted request-header").
const UNASKED: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Who is let in. By default everybody, by whatever name.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The names by which the node is called, without ports; any when `None`.
    pub hosts: Option<Vec<String>>,
    /// The origins of pages that may ask; any when `None`.
    pub origins: Option<Vec<String>>,
    /// The proxies whose word is taken for whom they ask.
    pub proxies: Vec<Network>,
}

impl Access {
    /// What a node on loopback is called, beside these names.
    pub fn on_loopback(mut self, address: IpAddr, names: &[String]) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let own = own.into_iter().chain([address.to_string()]);
        self.hosts = Some(own.chain(names.iter().cloned()).collect());
        self
    }

    /// Which origins are told to browsers as let in.
    pub(super) fn allowed(&self) -> AllowOrigin {
        match &self.origins {
            None => Any.into(),
            Some(origins) => {
                AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok()))
            }
        }
    }

    /// Why a request is not let in, if it is not.
    fn refusal(&self, request: &Request) -> Option<Reason> {
        let headers = request.headers();
        if !self.is_host(host_of(request)) {
            return Some(Reason::HostUnknown);
        }
        let page = page_of(request)?;
        if !self.is_origin(page) && !is_own(page, host_of(request)) {
            return Some(Reason::OriginRefused);
        }
        let changes = *request.method() == Method::POST;
        (changes && !is_asked_for(headers)).then_some(Reason::ContentType)
    }

    fn is_host(&self, host: Option<&str>) -> bool {
        let Some(hosts) = &self.hosts else {
            return true;
        };
        let name = host.map(without_port);
        name.is_some_and(|name| hosts.iter().any(|host| host.eq_ignore_ascii_case(name)))
    }

    fn is_origin(&self, origin: &str) -> bool {
        let Some(origins) = &self.origins else {
            return true;
        };
        origins.iter().any(|known| known == origin)
    }

    /// Who asks: the other end of the connection, or the one for whom a proxy asks that is trusted.
    fn client(&self, peer: Option<IpAddr>, request: &Request) -> Client {
        let Some(peer) = peer else {
            return Client::default();
        };
        let mut address = peer;
        let values = request.headers().get_all(FORWARDED_FOR).iter();
        let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        let named = values.iter().flat_map(|value| value.split(','));
        for name in named.rev() {
            if !self.proxies.iter().any(|proxy| proxy.holds(address)) {
                break;
            }
            match address_in(name.trim()) {
                Some(named) => address = named,
                None => break,
            }
        }
        let client = Client::at(address);
        match page_of(request) {
            Some(page) => client.by_page(page),
            None => client,
        }
    }
}

/// The address of the other end of a connection, as an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

/// Lets a request in, and has it answered on behalf of who asks.
pub(super) async fn admit(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(reason) = access.refusal(&request) {
        return refused(reason);
    }
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0);
    let asking = Asking::from(access.client(peer, &request));
    asking.scope(next.run(request)).await
}

fn refused(reason: Reason) -> Response {
    let (status, hint) = match reason {
        Reason::HostUnknown => (
            StatusCode::MISDIRECTED_REQUEST,
            "call it localhost, or let it know by --http-name how else it is called",
        ),
        Reason::ContentType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "say that it is JSON: Content-Type: application/json",
        ),
        _ => (
            StatusCode::FORBIDDEN,
            "its operator says by --cors which pages may ask",
        ),
    };
    let message = format!("{}; {hint}", reason.description());
    let details =
        json!({ "code": reason.code(), "phase": reason.phase().name(), "message": message });
    (status, Json(json!({ "error": details }))).into_response()
}

/// By which name the node is called.
fn host_of(request: &Request) -> Option<&str> {
    let named = request.headers().get(header::HOST);
    match named {
        Some(host) => host.to_str().ok(),
        None => request
            .uri()
            .authority()
            .map(|authority| authority.as_str()),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The origin of the page that makes a request, `null` for one that hides it; `None` for what is no browser.
fn page_of(request: &Request) -> Option<&str> {
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        return Some(origin.to_str().unwrap_or("null"));
    }
    // Without an origin browsers send what their users typed, and what a page does on its own site.
    let site = headers.get(FETCH_SITE)?.to_str().ok()?;
    matches!(site, "cross-site" | "same-site").then_some("null")
}

/// Whether a page is the node's own.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

/// Whether a browser asks before it sends this for a page.
fn is_asked_for(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    !essence.is_empty()
        && !UNASKED
            .iter()
            .any(|name| name.eq_ignore_ascii_case(essence))
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address_in(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Addresses that begin alike: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let alike = |own: u128, other: u128, size: u32| {
            let rest = size - u32::from(self.bits);
            (own ^ other).checked_shr(rest).unwrap_or(0) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                alike(own.to_bits().into(), other.to_bits().into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => alike(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

/// Why a text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address, or a network such as 10.0.0.0/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let size = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| NetworkError)?,
            None => size,
        };
        match bits <= size {
            true => Ok(Self { address, bits }),
            false => Err(NetworkError),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        let holds = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.holds(address.parse().unwrap())
        };

        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        for wrong in ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }

    #[test]
    fn only_the_word_of_trusted_proxies_is_taken() {
        let access = Access {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Access::default()
        };
        let who = |peer: &str, forwarded: &str| {
            let request = request(&[("x-forwarded-for", forwarded)]);
            access.client(Some(peer.parse().unwrap()), &request)
        };
        let at = |address: &str| Client::at(address.parse().unwrap());

        assert_eq!(who("10.0.0.1", "1.2.3.4"), at("1.2.3.4"));
        assert_eq!(who("10.0.0.1", "6.6.6.6, 1.2.3.4"), at("1.2.3.4"));
        assert_eq!(who("10.0.0.1", "1.2.3.4, 10.0.0.2"), at("1.2.3.4"));
        assert_eq!(who("10.0.0.1", "[2001:db8::7]:80"), at("2001:db8::"));
        assert_eq!(who("9.9.9.9", "1.2.3.4"), at("9.9.9.9"));
        assert_eq!(who("10.0.0.1", "nonsense"), at("10.0.0.1"));
    }

    #[test]
    fn pages_send_nothing_that_the_browser_has_not_asked_for() {
        let access = Access::default();
        let refusal = |headers: &[(&str, &str)]| access.refusal(&request(headers));
        let page = ("origin", "https://a.example");
        let of = |kind| ("content-type", kind);

        assert_eq!(refusal(&[]), None);
        assert_eq!(refusal(&[of("text/plain")]), None, "no page sends it");
        assert_eq!(refusal(&[page, of("application/json")]), None);
        assert_eq!(
            refusal(&[page, of("application/json; charset=utf-8")]),
            None
        );
        for unasked in ["text/plain", "TEXT/plain;x=y", "multipart/form-data", ""] {
            let refused = Some(Reason::ContentType);
            assert_eq!(refusal(&[page, of(unasked)]), refused, "{unasked}");
        }
        assert_eq!(refusal(&[page]), Some(Reason::ContentType));
        let hidden = ("sec-fetch-site", "cross-site");
        assert_eq!(refusal(&[hidden]), Some(Reason::ContentType));
    }
}
