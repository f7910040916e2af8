//! A response as it arrived, and the future of one. The frame is kept, so that what is decoded from it borrows and records
//! can be shared slices of it.

use std::rc::Rc;

use bytes::Bytes;
use ringlane_wire::frame::decode_response;
use ringlane_wire::{ApiKey, ErrorCode, Request};

use crate::error::{Error, Refusal};

/// A response frame, of known API and version.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) address: Rc<str>,
    pub(crate) api_key: ApiKey,
    pub(crate) version: i16,
    pub(crate) frame: Bytes,
}

impl Answer {
    /// The response, borrowed from the frame.
    ///
    /// # Errors
    /// `Protocol` when the frame is not one.
    ///
    /// # Panics
    /// When the request was of another API.
    pub fn decode<R: Request>(&self) -> Result<R::Response<'_>, Error> {
        assert_eq!(R::API_KEY, self.api_key, "an answer is decoded as what was asked");
        let decoded = decode_response::<R>(&self.frame, self.version);
        decoded.map(|(_, response)| response).map_err(|error| self.not_the_protocol(&error))
    }

    /// The whole frame: `Bytes::slice_ref` turns records borrowed from it into shared slices.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Which version of the API it is.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// `host:port` of the broker that answered.
    pub fn address(&self) -> &Rc<str> {
        &self.address
    }

    /// Nothing, or the error of `code` about `subject`.
    ///
    /// # Errors
    /// `Refused` when `code` is one.
    pub fn check(
        &self,
        code: ErrorCode,
        subject: &str,
        message: Option<&str>,
    ) -> Result<(), Error> {
        if code.is_none() { Ok(()) } else { Err(self.refusal(code, subject, message)) }
    }

    pub(crate) fn refusal(&self, code: ErrorCode, subject: &str, message: Option<&str>) -> Error {
        Error::Refused(Refusal {
            address: self.address.clone(),
            api_key: self.api_key,
            subject: subject.to_owned(),
            code,
            message: message.map(str::to_owned),
        })
    }

    /// The response lacks what was asked for.
    pub(crate) fn lacks(&self, subject: &str) -> Error {
        let reason = format!("its {} response says nothing of {subject}", self.api_key.name());
        Error::Protocol { address: self.address.clone(), reason }
    }

    fn not_the_protocol(&self, error: &dyn std::fmt::Display) -> Error {
        let reason = format!("its {} response does not decode: {error}", self.api_key.name());
        Error::Protocol { address: self.address.clone(), reason }
    }
}
