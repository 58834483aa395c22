//! The client's end of a WebSocket, as little of it as tests need.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Opens a WebSocket on `/`.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_at(address, "/", None).await
    }

    /// Opens a WebSocket of a subprotocol.
    pub(crate) async fn open_at(address: SocketAddr, path: &str, protocol: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{}\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            protocol.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self(stream)
    }

    /// Sends one frame. The mask that clients must apply is all zeros, which changes nothing.
    pub(crate) async fn send(&mut self, kind: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap();
        let mut frame = vec![0x80 | kind];
        if length < 126 {
            frame.push(0x80 | length as u8);
        } else {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// Sends the first of several parts of a message, shorter than 126 bytes.
    pub(crate) async fn send_fragment(&mut self, kind: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        let frame = [&[kind, 0x80 | length, 0, 0, 0, 0], payload].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next frame's kind and payload, pings of the node left out; `None` when the connection ended.
    pub(crate) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let frame = self.frame().await?;
            if frame.0 != PING {
                return Some(frame);
            }
        }
    }

    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let length = match self.0.read_u8().await.ok()? {
            126 => usize::from(self.0.read_u16().await.ok()?),
            127 => usize::try_from(self.0.read_u64().await.ok()?).ok()?,
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((first & 0x0f, payload))
    }

    /// Sends JSON as a text.
    pub(crate) async fn send_json(&mut self, message: &serde_json::Value) {
        self.send(TEXT, message.to_string().as_bytes()).await;
    }

    /// The code with which the other side closes, whatever else it says before.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let (kind, payload) = self.receive().await?;
            if kind == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }

    /// The next frame, which is a text of JSON.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        let (kind, payload) = self.receive().await.unwrap();
        assert_eq!(kind, TEXT);
        serde_json::from_slice(&payload).unwrap()
    }
}
