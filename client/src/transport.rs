//! How bytes get to a node and back: one trait, so that the same client speaks over real sockets and
//! over a simulated network.
//!
//! Decides bounds of size and time. What the bytes say is for [`rpc`](crate::rpc) and
//! [`graphql`](crate::graphql); whether a failed call is tried again is for [`session`](crate::session).

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;

/// Largest answer read unless told otherwise.
pub const RESPONSE_SIZE_MAX: usize = 64 * 1024 * 1024;

/// How long one call may take unless told otherwise, connecting and reading included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Carries one JSON request to a path of a node and brings the answer back.
///
/// The future need not be `Send`: whoever spawns it asks for that where the concrete type is known.
pub trait Transport {
    /// Sends `body` by POST to `path` (`/`, `/graphql`) and waits for the whole answer.
    fn post(
        &self,
        path: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<Response, TransportError>>;
}

impl<T: Transport> Transport for &T {
    fn post(
        &self,
        path: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<Response, TransportError>> {
        T::post(self, path, body)
    }
}

/// A node's answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why no answer came back. Whether the node acted on the request is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is no http or https URL. (Caller)
    #[error("{0:?} is no http or https address of a node")]
    Address(String),
    /// The connection failed or broke. (Peer)
    #[error("the connection to the node failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is longer than allowed. (Peer)
    #[error("the node's answer is longer than {0} bytes")]
    TooLarge(usize),
    /// No whole answer in time. (Peer)
    #[error("the node did not answer within {0:?}")]
    Timeout(Duration),
}

/// A [`Transport`] over HTTP/1.1 and whatever streams the connector `C` makes.
#[derive(Debug, Clone)]
pub struct HttpTransport<C> {
    client: Client<C, Full<Bytes>>,
    node: Uri,
    timeout: Duration,
    response_size_max: usize,
}

impl HttpTransport<HttpsConnector<HttpConnector>> {
    /// A transport over TCP, with TLS where the address asks for it.
    ///
    /// Certificates are checked against the system's roots, or those of Mozilla where the system
    /// has none.
    pub fn connect(node: &str) -> Result<Self, TransportError> {
        let uri = parse_address(node)?;
        // Named, because a program may bring a second provider, between which nothing would choose.
        let provider = rustls::crypto::ring::default_provider;
        let builder = HttpsConnectorBuilder::new;
        let mozilla = || builder().with_provider_and_webpki_roots(provider());
        let builder = if uri.scheme() == Some(&Scheme::HTTPS) {
            builder()
                .with_provider_and_native_roots(provider())
                .or_else(|_| mozilla())
        } else {
            mozilla()
        };
        let builder = builder.expect("the provider has the versions of TLS it was built with");
        Self::with_connector(builder.https_or_http().enable_http1().build(), node)
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpTransport<C> {
    /// A transport over the connector's streams, to the node at `node` (`http://host:port`, perhaps
    /// with a path in front of the node's own).
    pub fn with_connector(connector: C, node: &str) -> Result<Self, TransportError> {
        let client = Client::builder(TokioExecutor::new())
            // Idle connections would otherwise be timed by a clock of the library's own.
            .pool_idle_timeout(None)
            .build(connector);
        Ok(Self {
            client,
            node: parse_address(node)?,
            timeout: CALL_TIMEOUT,
            response_size_max: RESPONSE_SIZE_MAX,
        })
    }

    /// The same with other bounds.
    pub fn with_bounds(mut self, timeout: Duration, response_size_max: usize) -> Self {
        self.timeout = timeout;
        self.response_size_max = response_size_max;
        self
    }

    async fn exchange(&self, path: &str, body: Bytes) -> Result<Response, TransportError> {
        let request = Request::post(join(&self.node, path)?)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| TransportError::Connection(error.into()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| TransportError::Connection(error.into()))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), self.response_size_max)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    TransportError::TooLarge(self.response_size_max)
                } else {
                    TransportError::Connection(error)
                }
            })?
            .to_bytes();
        Ok(Response { status, body })
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Transport for HttpTransport<C> {
    async fn post(&self, path: &str, body: Bytes) -> Result<Response, TransportError> {
        tokio::time::timeout(self.timeout, self.exchange(path, body))
            .await
            .map_err(|_| TransportError::Timeout(self.timeout))?
    }
}

fn parse_address(node: &str) -> Result<Uri, TransportError> {
    let refuse = || TransportError::Address(node.to_owned());
    let uri: Uri = node.parse().map_err(|_| refuse())?;
    let scheme_fits = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    if scheme_fits && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(refuse())
    }
}

/// The address of `path` under the node's own, which may be served behind a prefix.
fn join(node: &Uri, path: &str) -> Result<Uri, TransportError> {
    let refuse = || TransportError::Address(format!("{node}{path}"));
    let full = format!("{}{path}", node.path().trim_end_matches('/'));
    let mut parts = node.clone().into_parts();
    parts.path_and_query = Some(full.parse::<PathAndQuery>().map_err(|_| refuse())?);
    Uri::from_parts(parts).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_with_and_without_a_prefix() {
        let join = |node: &str, path| {
            join(&parse_address(node).unwrap(), path)
                .unwrap()
                .to_string()
        };

        assert_eq!(join("http://a:2020", "/"), "http://a:2020/");
        assert_eq!(join("http://a:2020/", "/graphql"), "http://a:2020/graphql");
        assert_eq!(join("https://a/x/", "/graphql"), "https://a/x/graphql");
    }

    #[test]
    fn only_http_addresses_are_taken() {
        for address in [
            "",
            "a:2020",
            "ftp://a",
            "http://",
            "/graphql",
            "http://a/?q",
        ] {
            assert!(parse_address(address).is_err(), "{address:?}");
        }
    }
}
