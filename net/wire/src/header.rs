//! What stands before every request and response in its frame: whose it is, and which answer belongs to which request.

use crate::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::field::{Context, ReadField, WriteField};
use crate::reader::Reader;
use crate::tagged;
use crate::writer::Writer;

/// The header of a request, versions 1 and 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API's key, known or not: see [`ApiKey::from_code`].
    pub api_key: i16,
    /// The version of the API, served or not.
    pub api_version: i16,
    /// Chosen by the client, repeated in the response.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<&'a str>,
}

/// A client id keeps its 16-bit length even in version 2, so that a broker can read it before it knows the version.
const CLIENT_ID: Context = Context { version: 1, flexible: false, nullable: true };

/// Reads the header of a request frame (without its length) and returns a reader at the request's body.
///
/// Key and version need not be served: what precedes the tagged fields has one form in all of them, so that the caller
/// can answer or close. The tagged fields are skipped only where the version is served; else the body is not readable anyway.
///
/// # Errors
/// When the frame ends before the header does, or the client id is not UTF-8.
pub fn decode_request_header(frame: &[u8]) -> Result<(RequestHeader<'_>, Reader<'_>), DecodeError> {
    let mut r = Reader::new(frame);
    let header = RequestHeader {
        api_key: i16::from_be_bytes(r.take_array()?),
        api_version: i16::from_be_bytes(r.take_array()?),
        correlation_id: i32::from_be_bytes(r.take_array()?),
        client_id: ReadField::read(&mut r, CLIENT_ID).map_err(|e| e.in_field("client_id"))?,
    };
    let version = header.api_version;
    if let Some(api_key) = ApiKey::from_code(header.api_key)
        && api_key.versions().contains(&version)
        && api_key.request_header_version(version) == 2
    {
        tagged::skip(&mut r)?;
    }
    Ok((header, r))
}

impl RequestHeader<'_> {
    /// Appends the header in `header_version`, 1 or 2 (see [`ApiKey::request_header_version`]).
    ///
    /// # Errors
    /// When the client id is over 32,767 bytes.
    pub fn encode(&self, w: &mut Writer, header_version: i16) -> Result<(), EncodeError> {
        w.put_slice(&self.api_key.to_be_bytes());
        w.put_slice(&self.api_version.to_be_bytes());
        w.put_slice(&self.correlation_id.to_be_bytes());
        self.client_id.write(w, CLIENT_ID)?;
        if header_version == 2 {
            w.put_unsigned_varint(0);
        }
        Ok(())
    }
}

/// The header of a response, versions 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// That of the request which this answers.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header in `header_version`, 0 or 1 (see [`ApiKey::response_header_version`]).
    ///
    /// # Errors
    /// When the bytes end before the header does.
    pub fn decode(r: &mut Reader<'_>, header_version: i16) -> Result<ResponseHeader, DecodeError> {
        let correlation_id = i32::from_be_bytes(r.take_array()?);
        if header_version == 1 {
            tagged::skip(r)?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    /// Appends the header in `header_version`, 0 or 1.
    pub fn encode(&self, w: &mut Writer, header_version: i16) {
        w.put_slice(&self.correlation_id.to_be_bytes());
        if header_version == 1 {
            w.put_unsigned_varint(0);
        }
    }
}
