//! Who asks: by whom fair shares are reckoned.
//!
//! Travels with the task that answers, so that whatever it comes to on the way may know. Who asks from within
//! the process is nobody, and has no share to keep to.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

tokio::task_local! {
    static ASKING: Asking;
}

/// A client, as far as clients are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    network: Option<IpAddr>,
    page: Option<Arc<str>>,
}

/// A client, and the WebSocket it asks over, if it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    client: Client,
    socket: Option<u64>,
}

impl Client {
    /// A client at an address; of IPv6 the first half, since a household is given a whole /64.
    pub fn at(address: IpAddr) -> Self {
        let network = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            },
        };
        Self {
            network: Some(network),
            page: None,
        }
    }

    /// The same client by way of a page of this origin, which no page can choose: on a machine of one's own, all
    /// clients have one address.
    pub(crate) fn by_page(mut self, origin: &str) -> Self {
        self.page = Some(origin.into());
        self
    }

    /// Whether it is somebody.
    pub(crate) fn is_known(&self) -> bool {
        self.network.is_some()
    }

    /// The one on whose behalf the current task works.
    pub(crate) fn current() -> Self {
        Asking::current().client
    }
}

impl From<Client> for Asking {
    fn from(client: Client) -> Self {
        Self {
            client,
            socket: None,
        }
    }
}

impl Asking {
    /// How many parts its path has.
    pub(crate) const DEPTH: usize = 3;

    /// The same client over this WebSocket.
    pub(crate) fn on_socket(mut self, number: u64) -> Self {
        self.socket = Some(number);
        self
    }

    /// The WebSocket.
    pub(crate) fn socket(&self) -> Option<u64> {
        self.socket
    }

    /// Its network, page and socket, the first so many of them.
    pub(crate) fn path(&self, depth: usize) -> Vec<String> {
        let network = self.client.network.map(|network| network.to_string());
        let page = self.client.page.as_deref().map(str::to_owned);
        let socket = self.socket.map(|socket| socket.to_string());
        let parts = [network, page, socket].into_iter().take(depth);
        parts.map(Option::unwrap_or_default).collect()
    }

    /// The one on whose behalf the current task works.
    pub(crate) fn current() -> Self {
        ASKING.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does something on behalf of it.
    pub(crate) async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        ASKING.scope(self, work).await
    }
}
