//! How bytes get to other nodes: QUIC, and TCP with noise and yamux, both at once. In a network with a key of its own
//! TCP alone, since QUIC has no place for that key.

use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::swarm::{Config, Swarm};
use libp2p::{
    BehaviourBuilderError as BehaviourError, SwarmBuilder, Transport, noise, relay, tcp, yamux,
};

use super::NetworkError;
use super::behaviour::Behaviour;
use crate::config::SharedKey;

/// How long a connection may be idle that no link wants. Deployed nodes with more than the default settings
/// need a moment until they say something.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the handshake of a connection may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What makes the behaviour, given the part of it that goes with the transport of circuits.
type Make<'m> = &'m dyn Fn(&Keypair, relay::client::Behaviour) -> std::io::Result<Behaviour>;

pub(super) fn swarm(
    key: Keypair,
    make: Make<'_>,
    shared_key: Option<&SharedKey>,
) -> Result<Swarm<Behaviour>, NetworkError> {
    match shared_key {
        None => open(key, make),
        Some(shared_key) => closed(key, make, shared_key),
    }
}

fn open(key: Keypair, make: Make<'_>) -> Result<Swarm<Behaviour>, NetworkError> {
    let builder = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp_config(), noise::Config::new, yamux::Config::default)
        .map_err(|_| NetworkError::Key)?
        .with_quic()
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|_| NetworkError::Key)?
        .with_behaviour(|key, relayed| Ok(make(key, relayed)?))
        .map_err(no_behaviour)?
        .with_swarm_config(config);
    Ok(builder.with_connection_timeout(HANDSHAKE_TIMEOUT).build())
}

/// Whoever does not have the key gets nowhere: every byte is encrypted by it before anything else.
fn closed(
    key: Keypair,
    make: Make<'_>,
    shared_key: &SharedKey,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let shared_key = PreSharedKey::new(shared_key.bytes());
    let builder = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_other_transport(|key| {
            let noise = noise::Config::new(key)?;
            let tcp = tcp::tokio::Transport::new(tcp_config());
            let closed =
                tcp.and_then(move |socket, _| PnetConfig::new(shared_key).handshake(socket));
            let upgraded = closed.upgrade(Version::V1Lazy).authenticate(noise);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                upgraded.multiplex(yamux::Config::default()),
            )
        })
        .map_err(|_| NetworkError::Key)?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|_| NetworkError::Key)?
        .with_behaviour(|key, relayed| Ok(make(key, relayed)?))
        .map_err(no_behaviour)?
        .with_swarm_config(config);
    Ok(builder.with_connection_timeout(HANDSHAKE_TIMEOUT).build())
}

fn no_behaviour(error: BehaviourError) -> NetworkError {
    NetworkError::System(std::io::Error::other(error))
}

fn tcp_config() -> tcp::Config {
    tcp::Config::default().nodelay(true)
}

fn config(config: Config) -> Config {
    config
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_smart_dial()
}
