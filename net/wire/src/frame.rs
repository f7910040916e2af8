//! Frames: a four-byte big-endian length and that many bytes. Cuts them out of a received stream, and builds them.

use std::fmt;

use bytes::Bytes;

use crate::error::{DecodeError, EncodeError};
use crate::header::{RequestHeader, ResponseHeader};
use crate::message::{Decode, Message, Request};
use crate::reader::Reader;
use crate::writer::Writer;

/// A frame's buffer starts with at most this, whatever length is claimed, and then grows with what has arrived.
const FIRST_ALLOCATION_BYTES_MAX: usize = 64 * 1024;

/// Room that a frame of ours starts with.
const FRAME_BYTES_INITIAL: usize = 512;

/// Cuts a stream of bytes into frames. Contract: after an error the stream has no frame boundaries any more; the
/// connection must be closed and the assembler dropped.
#[derive(Debug)]
pub struct FrameAssembler {
    max_bytes: usize,
    /// The bytes of the length that arrived, while it is incomplete.
    length_bytes: [u8; 4],
    length_filled: usize,
    /// The frame being received, once its length is known.
    frame: Option<PartialFrame>,
}

#[derive(Debug)]
struct PartialFrame {
    length: usize,
    bytes: Vec<u8>,
}

/// Why a stream is not a sequence of frames; the peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A length below zero.
    Negative(i32),
    /// A length over the limit.
    TooLong {
        /// Length claimed in bytes.
        claimed: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The first bytes of a TLS handshake.
    LooksLikeTls,
    /// The first bytes of an HTTP request.
    LooksLikeHttp,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(length) => {
                write!(f, "the peer sent a frame of negative length {length}")
            }
            Self::TooLong { claimed, max } => {
                write!(f, "the peer sent a frame of {claimed} bytes, over the limit of {max}")
            }
            Self::LooksLikeTls => {
                write!(
                    f,
                    "the peer started a TLS handshake, but this port speaks Kafka in plaintext"
                )
            }
            Self::LooksLikeHttp => {
                write!(f, "the peer sent an HTTP request, but this port speaks the Kafka protocol")
            }
        }
    }
}

impl std::error::Error for FrameError {}

impl FrameAssembler {
    /// An assembler for a new stream, which refuses frames of more than `max_bytes` (without the length).
    #[must_use]
    pub fn new(max_bytes: usize) -> FrameAssembler {
        FrameAssembler { max_bytes, length_bytes: [0; 4], length_filled: 0, frame: None }
    }

    /// Takes the next bytes of the stream and hands every frame that they complete, without its length, to `out`.
    ///
    /// Each frame is one contiguous buffer of its own, so that slices of it can outlive the others.
    ///
    /// # Errors
    /// When a length is negative or over the limit. Frames completed before it were handed out.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        out: &mut impl FnMut(Bytes),
    ) -> Result<(), FrameError> {
        loop {
            if self.frame.is_none() && !self.read_length(&mut chunk)? {
                return Ok(());
            }
            let frame = self.frame.as_mut().expect("its length was read above");
            frame.append(&mut chunk);
            if frame.bytes.len() < frame.length {
                return Ok(());
            }
            assert_eq!(
                frame.bytes.len(),
                frame.length,
                "a frame never takes its successor's bytes"
            );
            out(Bytes::from(self.frame.take().expect("it is there").bytes));
        }
    }

    /// Bytes held for a frame that is not complete yet, allocated or not filled.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.length_filled + self.frame.as_ref().map_or(0, |frame| frame.bytes.capacity())
    }

    /// Whether the stream stands between two frames: where a peer may end it without losing anything.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.length_filled == 0 && self.frame.is_none()
    }

    /// Takes bytes of the length; whether it is complete, and `frame` thus there.
    fn read_length(&mut self, chunk: &mut &[u8]) -> Result<bool, FrameError> {
        let missing = self.length_bytes.len() - self.length_filled;
        let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
        self.length_bytes[self.length_filled..][..taken.len()].copy_from_slice(taken);
        self.length_filled += taken.len();
        *chunk = rest;
        if self.length_filled < self.length_bytes.len() {
            return Ok(false);
        }
        let length = self.check_length()?;
        let bytes = Vec::with_capacity(length.min(FIRST_ALLOCATION_BYTES_MAX));
        self.frame = Some(PartialFrame { length, bytes });
        self.length_filled = 0;
        Ok(true)
    }

    fn check_length(&self) -> Result<usize, FrameError> {
        let length = i32::from_be_bytes(self.length_bytes);
        match usize::try_from(length) {
            Ok(length) if length <= self.max_bytes => Ok(length),
            // A TLS record starts with its type (22, handshake) and version (3.x); as a length it is 352 MiB and up.
            Ok(_) if self.length_bytes[..2] == [0x16, 0x03] => Err(FrameError::LooksLikeTls),
            Ok(_) if HTTP_METHODS.contains(&&self.length_bytes) => Err(FrameError::LooksLikeHttp),
            Ok(claimed) => Err(FrameError::TooLong { claimed, max: self.max_bytes }),
            Err(_) => Err(FrameError::Negative(length)),
        }
    }
}

/// The first four bytes of an HTTP request; as a length each is over 1 GiB.
const HTTP_METHODS: [&[u8; 4]; 9] =
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"PATC", b"DELE", b"OPTI", b"CONN", b"PRI "];

impl PartialFrame {
    /// Moves what the frame lacks, as far as it is there, from the front of `chunk`.
    fn append(&mut self, chunk: &mut &[u8]) {
        let missing = self.length - self.bytes.len();
        let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
        let needed = self.bytes.len() + taken.len();
        if needed > self.bytes.capacity() {
            // Double what has arrived, but never beyond the frame: memory follows what the peer really sent.
            let capacity = (2 * needed).min(self.length);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(taken);
        *chunk = rest;
    }
}

/// A request frame, its length included, as the parts of one vectored send.
///
/// # Errors
/// As [`Message::encode`].
pub fn encode_request<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    request: &R,
) -> Result<Vec<Bytes>, EncodeError> {
    let api_key = R::API_KEY.code();
    let header = RequestHeader { api_key, api_version: version, correlation_id, client_id };
    let frame = encode_frame(|w| {
        header.encode(w, R::API_KEY.request_header_version(version))?;
        request.encode(w, version)
    })?;
    Ok(frame.finish())
}

/// A response frame, its length included, as the parts of one vectored send.
///
/// # Errors
/// As [`Message::encode`].
pub fn encode_response<M: Message>(
    version: i16,
    correlation_id: i32,
    response: &M,
) -> Result<Vec<Bytes>, EncodeError> {
    Ok(response_frame(version, correlation_id, response)?.finish())
}

/// The same of a response whose records are elsewhere in part: `elsewhere` gives them in order, each with the length that
/// [`crate::Records::Elsewhere`] said.
///
/// # Errors
/// As [`Message::encode`].
pub fn encode_response_around<M: Message, T: From<Bytes>>(
    version: i16,
    correlation_id: i32,
    response: &M,
    elsewhere: impl FnMut(usize) -> T,
) -> Result<Vec<T>, EncodeError> {
    Ok(response_frame(version, correlation_id, response)?.finish_around(elsewhere))
}

fn response_frame<M: Message>(
    version: i16,
    correlation_id: i32,
    response: &M,
) -> Result<Writer, EncodeError> {
    encode_frame(|w| {
        let header_version = M::API_KEY.response_header_version(version);
        ResponseHeader { correlation_id }.encode(w, header_version);
        response.encode(w, version)
    })
}

/// The response to a request of type `R` and `version`, and its correlation id, from a frame (without its length).
///
/// # Errors
/// When the frame is not that response, or has bytes left over.
pub fn decode_response<'a, R: Request>(
    frame: &'a [u8],
    version: i16,
) -> Result<(i32, R::Response<'a>), DecodeError> {
    let mut r = Reader::new(frame);
    let header_version = R::API_KEY.response_header_version(version);
    let header = ResponseHeader::decode(&mut r, header_version)?;
    Ok((header.correlation_id, R::Response::decode_to_end(&mut r, version)?))
}

/// The correlation id of a response frame (without its length): tells which request, hence which type and version, it
/// answers.
///
/// # Errors
/// When the frame has less than four bytes.
pub fn correlation_id(frame: &[u8]) -> Result<i32, DecodeError> {
    Reader::new(frame).take_array().map(i32::from_be_bytes)
}

fn encode_frame(
    write: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Writer, EncodeError> {
    let mut w = Writer::with_capacity(FRAME_BYTES_INITIAL);
    w.put_slice(&[0; 4]);
    write(&mut w)?;
    let length = w.len() - 4;
    let max = i32::MAX as usize;
    w.patch_front(i32::try_from(length).map_err(|_| EncodeError::TooLong { length, max })?);
    Ok(w)
}
