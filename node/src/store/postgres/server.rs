//! Which server and database a URL names, and how to reach it.
//!
//! The password is part of the URL and of nothing else: not of what is displayed, logged or reported. With
//! `sslmode=require` the server must show a certificate that this system trusts, for its own name.

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{CancelToken, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure;
use crate::store::StoreError;

/// Port of a server whose URL names none.
const PORT: u16 = 5432;

/// How long one address of the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many times as long all of connecting may take, signing in included.
const READY_FACTOR: u32 = 3;

/// When a silent connection is first asked whether it still stands, and for how long what was sent may
/// stay unconfirmed.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Settings of every session. A statement ends in time, a node that stopped in the middle of a transaction
/// does not keep the others waiting for ever, and what is committed is on the disk.
const SET_UP: &str = "
    SET search_path TO grove, pg_temp;
    SET client_min_messages TO warning;
    SET statement_timeout TO '30s';
    SET idle_in_transaction_session_timeout TO '60s';
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

/// A database on a PostgreSQL server.
#[derive(Clone)]
pub struct Server {
    config: Config,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.to_string()).finish()
    }
}

/// Where the server is, without the name and password of who signs in.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let ports = self.config.get_ports();
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "/{}", self.config.get_dbname().unwrap_or(user))
    }
}

impl FromStr for Server {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let is_url = ["postgres://", "postgresql://"].map(|scheme| url.starts_with(scheme));
        if is_url == [false, false] {
            return Err(StoreError::Url);
        }
        // What the parser says may quote a part of the URL, and with it a part of the password.
        let mut config: Config = url.parse().map_err(|_| StoreError::Url)?;
        if config.get_hosts().is_empty() {
            return Err(StoreError::Url);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("grove-node");
        }
        config
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX)
            .keepalives_interval(SILENCE_MAX / 4)
            .keepalives_retries(4);
        Ok(Self { config })
    }
}

impl Server {
    /// A new session. Takes a bounded time, whatever the server does.
    pub fn connect(&self) -> Result<ServerSession, StoreError> {
        let (sender, ready) = mpsc::sync_channel(1);
        let server = self.clone();
        // On a thread of its own because signing in has no time limit, and because a client must not be
        // driven from within an asynchronous task.
        std::thread::Builder::new()
            .name("grove-connect".to_owned())
            .spawn(move || {
                // Who waited may have given up.
                let _ = sender.send(server.sign_in());
            })?;
        let patience = self.config.get_connect_timeout();
        let patience = patience.copied().unwrap_or(CONNECT_TIMEOUT);
        match ready.recv_timeout(patience.saturating_mul(READY_FACTOR)) {
            Ok(session) => session,
            Err(_) => Err(StoreError::Server("it does not answer".to_owned())),
        }
    }

    /// Asks for a statement to be cancelled; nobody waits for it.
    pub fn cancel(&self, token: CancelToken) {
        let encrypted = self.config.get_ssl_mode() == SslMode::Require;
        let ask = move || {
            let asked = if encrypted {
                trusted().map(|tls| token.cancel_query(tls))
            } else {
                Ok(token.cancel_query(NoTls))
            };
            tracing::debug!(?asked, "cancelled a statement that took too long");
        };
        // Whoever can't be asked now is asked again soon, and has a time limit of its own.
        let _ = std::thread::Builder::new()
            .name("grove-cancel".to_owned())
            .spawn(ask);
    }

    fn sign_in(&self) -> Result<ServerSession, StoreError> {
        let client = match self.config.get_ssl_mode() {
            SslMode::Require => self.config.connect(trusted()?),
            _ => self.config.connect(NoTls),
        };
        let mut session = ServerSession(Some(client.map_err(|error| failure(&error))?));
        let client = session.client();
        client
            .batch_execute(SET_UP)
            .map_err(|error| failure(&error))?;
        Ok(session)
    }
}

/// TLS with the certificates that this system trusts (or those that `SSL_CERT_FILE` names).
fn trusted() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Server(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A client that can be let go of anywhere.
pub struct ServerSession(Option<Client>);

impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSession")
    }
}

impl ServerSession {
    pub fn client(&mut self) -> &mut Client {
        self.0.as_mut().expect("taken only on drop")
    }
}

impl Drop for ServerSession {
    fn drop(&mut self) {
        let client = self.0.take();
        // Saying goodbye drives the connection, which an asynchronous task must not do.
        let farewell = std::thread::Builder::new().spawn(move || drop(client));
        if let Ok(farewell) = farewell {
            let _ = farewell.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn no_text_about_a_server_holds_its_password() {
        let server: Server = "postgresql://me:hidden@db.example:5433/grove?sslmode=require"
            .parse()
            .unwrap();

        assert_eq!(server.to_string(), "postgres://db.example:5433/grove");
        assert!(!format!("{server:?}").contains("hidden"));
        for wrong in [
            "postgres://me:hidden@db.example:port/grove",
            "host=db.example user=me password=hidden dbname=grove",
            "postgres://me:hidden@db.example/grove?sslmode=verify-full",
            "postgres:///grove",
        ] {
            let error = wrong.parse::<Server>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hid"), "{wrong}");
        }
    }
}
