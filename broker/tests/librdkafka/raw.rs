//! A connection of bytes: frames written by hand, answers read with a deadline. For what no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringlane_wire::{Request, frame};

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const METADATA: i16 = 3;
pub(crate) const API_VERSIONS: i16 = 18;

/// A request frame with a version-1 header: length, API key, version, correlation id, no client id.
pub(crate) fn frame(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(api_key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(correlation_id.to_be_bytes());
    request.extend((-1i16).to_be_bytes());
    request.extend(body);
    [&(request.len() as i32).to_be_bytes()[..], &request].concat()
}

/// A connection to the broker.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the broker accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket option");
        Self(stream)
    }

    /// Connects and sends these bytes.
    pub(crate) fn send(address: &str, bytes: &[u8]) -> Self {
        let mut connection = Self::connect(address);
        connection.write(bytes);
        connection
    }

    /// Our end of the connection, which is the broker's peer.
    pub(crate) fn local_address(&self) -> String {
        self.0.local_addr().expect("connected").to_string()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the broker takes the bytes");
    }

    /// Writes frames until the broker takes no more; the bytes it took, at most `limit`.
    pub(crate) fn write_until_blocked(&mut self, frames: &[u8], limit: usize) -> usize {
        self.0.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket option");
        let mut written = 0;
        while written < limit {
            match self.0.write(&frames[written % frames.len()..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the broker closed instead of pushing back: {error}"),
            }
        }
        written
    }

    /// The next answer without its length, or none when the broker closed. No answer within the deadline fails the test.
    pub(crate) fn answer(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        assert!(self.fill(&mut answer), "the broker closed inside an answer");
        Some(answer)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self.0.read_exact(bytes) {
            Ok(()) => true,
            Err(error) if is_closed(error.kind()) => false,
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }
}

/// The answer to `request`, handed to `look`; the connection must not close.
pub(crate) fn ask<R: Request, T>(
    connection: &mut Raw,
    version: i16,
    request: &R,
    look: impl FnOnce(R::Response<'_>) -> T,
) -> T {
    let parts = frame::encode_request(version, 7, Some("edges"), request).expect("a request");
    connection.write(&parts.concat());
    let answer = connection.answer().expect("an answer, not a closed connection");
    let (_, answer) = frame::decode_response::<R>(&answer, version).expect("the answer decodes");
    look(answer)
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// The broker answers an ordinary request on a connection of its own.
pub(crate) fn assert_serves(address: &str) {
    let mut connection = Raw::send(address, &frame(API_VERSIONS, 0, 77, &[]));
    let answer = connection.answer().expect("others are still served");
    assert_eq!(answer[..6], [0, 0, 0, 77, 0, 0], "correlation id, no error");
}
