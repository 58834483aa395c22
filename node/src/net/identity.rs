//! Who this node is to others, in the terms of libp2p.
//!
//! A peer id holds the public key that it stands for; those of other kinds of keys than ed25519 do not, and nodes
//! with such keys are not spoken to: peers are ordered by their keys.

use grove_core::session::PeerId;
use grove_core::types::KeyPair;
use libp2p::identity::{DecodingError, Keypair};

/// The pair of keys by which a node proves its identity.
pub(super) fn keypair(key: &KeyPair) -> Result<Keypair, DecodingError> {
    let mut seed = key.seed();
    Keypair::ed25519_from_bytes(&mut seed[..])
}

/// The peer behind a peer id of libp2p.
pub(super) fn core_id(id: &libp2p::PeerId) -> Option<PeerId> {
    PeerId::from_bytes(&id.to_bytes())
}

/// The peer id of libp2p. Every peer has one.
pub(super) fn libp2p_id(peer: PeerId) -> libp2p::PeerId {
    libp2p::PeerId::from_bytes(&peer.to_bytes()).expect("an identity multihash of 36 bytes")
}
