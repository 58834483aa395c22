//! Who asks: by whom fair shares are reckoned.
//!
//! Travels with the task that answers, so that whatever it comes to on the way may know. Who asks from within
//! the process is nobody, and has no share to keep to.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

tokio::task_local! {
    static ASKING: Client;
}

/// A client, as far as clients are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// Its network.
    pub(crate) network: Option<IpAddr>,
    /// The web page in its name, which a page cannot choose: on a machine of one's own, all clients have one
    /// address.
    pub(crate) page: Option<Arc<str>>,
}

#[allow(dead_code, reason = "the doors tell who asks next")]
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

    /// The same client by way of a page of this origin.
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
        ASKING.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does something on behalf of this client.
    pub(crate) async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        ASKING.scope(self, work).await
    }
}
