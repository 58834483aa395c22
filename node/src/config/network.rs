//! What an operator can set about other nodes: where to listen for them, whom to connect to, who is let in.
//!
//! Everything is understood before anything is started. The key of a closed network is shown to nobody.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use clap::Args;
use grove_core::session::PeerId;

/// Port on which nodes look for each other.
const NODE_PORT: u16 = 2022;

/// Settings about other nodes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Other nodes")]
pub struct PeerSettings {
    /// Port for other nodes, over QUIC (UDP) and TCP; 0 picks a free one [default: 2022, or a free one where that
    /// is taken]
    #[arg(long, env = "GROVE_NODE_PORT", value_name = "PORT")]
    pub node_port: Option<u16>,

    /// Address to listen on for other nodes; 0.0.0.0 and :: let other machines in. May be given several times
    #[arg(
        long,
        env = "GROVE_NODE_HOST",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1"
    )]
    pub node_host: Vec<IpAddr>,

    /// Node to stay connected with; may be given several times. The name is looked up at each attempt
    #[arg(
        long,
        env = "GROVE_DIRECT_NODES",
        value_name = "HOST:PORT",
        value_delimiter = ','
    )]
    pub direct_node: Vec<NodeAddress>,

    /// Relay to be found and reached by; may be given several times
    #[arg(
        long,
        env = "GROVE_RELAYS",
        value_name = "HOST:PORT",
        value_delimiter = ','
    )]
    pub relay: Vec<NodeAddress>,

    /// Be a relay: others find and reach each other by this node, which must be reachable itself
    #[arg(long, env = "GROVE_RELAY_MODE")]
    pub relay_mode: bool,

    /// Connect with these nodes only; may be given several times
    #[arg(
        long,
        env = "GROVE_ALLOW_PEERS",
        value_name = "PEER_ID",
        value_delimiter = ','
    )]
    pub allow_peer: Option<Vec<PeerId>>,

    /// Do not connect with these nodes
    #[arg(
        long,
        env = "GROVE_BLOCK_PEERS",
        value_name = "PEER_ID",
        value_delimiter = ','
    )]
    pub block_peer: Vec<PeerId>,

    /// Key that all nodes of a closed network share, 64 hexadecimal digits. Such a network uses TCP alone
    #[arg(long, env = "GROVE_PSK", value_name = "KEY", hide_env_values = true)]
    pub psk: Option<SharedKey>,

    /// Do not look for nodes in the local network (mDNS). A node that listens on loopback alone never does
    #[arg(long, env = "GROVE_NO_MDNS")]
    pub no_mdns: bool,

    /// Connect with no other node
    #[arg(long, env = "GROVE_OFFLINE")]
    pub offline: bool,
}

impl PeerSettings {
    /// A node of its own port that looks for nobody.
    pub fn quiet() -> Self {
        Self {
            node_port: Some(0),
            node_host: vec![Ipv4Addr::LOCALHOST.into()],
            direct_node: Vec::new(),
            relay: Vec::new(),
            relay_mode: false,
            allow_peer: None,
            block_peer: Vec::new(),
            psk: None,
            no_mdns: true,
            offline: false,
        }
    }

    /// The port to listen on, and whether another one will do.
    pub fn port(&self) -> (u16, bool) {
        match self.node_port {
            Some(port) => (port, false),
            None => (NODE_PORT, true),
        }
    }

    /// Whether nodes in the local network are looked for. Nobody there could reach a node on loopback.
    pub fn has_mdns(&self) -> bool {
        !self.no_mdns && self.node_host.iter().any(|host| !host.is_loopback())
    }
}

/// Where a node is: a name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddress {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What is no address of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write it as HOST:PORT, an IPv6 address in brackets")]
pub struct NodeAddressError;

impl FromStr for NodeAddress {
    type Err = NodeAddressError;

    fn from_str(text: &str) -> Result<Self, NodeAddressError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(NodeAddressError)?;
                (host, port.strip_prefix(':').unwrap_or(port))
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
        let port = match port {
            "" => NODE_PORT,
            port => port.parse().map_err(|_| NodeAddressError)?,
        };
        match is_host && port != 0 {
            true => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            false => Err(NodeAddressError),
        }
    }
}

/// The key that all nodes of a closed network share.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey([u8; 32]);

impl SharedKey {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(…)")
    }
}

/// What is no key of a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 hexadecimal digits")]
pub struct SharedKeyError;

impl FromStr for SharedKey {
    type Err = SharedKeyError;

    fn from_str(text: &str) -> Result<Self, SharedKeyError> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(|_| SharedKeyError)?;
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nodes_are_names_or_numbers_with_a_port() {
        let shown = |text: &str| {
            text.parse::<NodeAddress>()
                .map(|address| address.to_string())
        };

        assert_eq!(
            shown("node.example:2022"),
            Ok("node.example:2022".to_owned())
        );
        assert_eq!(shown("127.0.0.1"), Ok("127.0.0.1:2022".to_owned()));
        assert_eq!(shown("[::1]:9"), Ok("[::1]:9".to_owned()));
        assert_eq!(shown("[::1]"), Ok("[::1]:2022".to_owned()));
        for wrong in [
            "", ":2022", "a:b", "a:0", "::1:2022", "[::1", "a b:1", "a:70000",
        ] {
            assert_eq!(shown(wrong), Err(NodeAddressError), "{wrong}");
        }
    }

    #[test]
    fn a_shared_key_is_never_printed() {
        let key: SharedKey = "ab".repeat(32).parse().unwrap();
        assert_eq!(key.bytes(), [0xab; 32]);
        assert!(!format!("{key:?}").contains("ab"));
        assert!("abc".parse::<SharedKey>().is_err());
    }

    #[test]
    fn only_nodes_that_others_can_reach_look_for_them() {
        let on = |hosts: &[&str], no_mdns| {
            let settings = PeerSettings {
                node_host: hosts.iter().map(|host| host.parse().unwrap()).collect(),
                no_mdns,
                ..PeerSettings::quiet()
            };
            settings.has_mdns()
        };

        assert!(!on(&["127.0.0.1", "::1"], false));
        assert!(on(&["127.0.0.1", "0.0.0.0"], false));
        assert!(!on(&["0.0.0.0"], true));
    }
}
