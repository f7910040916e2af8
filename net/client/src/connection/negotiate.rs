//! The first exchange on a connection: which versions the broker has (KIP-35, KIP-511).

use std::rc::Rc;

use ringlane_wire::messages::ApiVersionsRequest;
use ringlane_wire::{ApiKey, ErrorCode};

use super::Shared;
use crate::answer::Answer;
use crate::error::Error;
use crate::versions::{Versions, spoken};

/// Asks in the newest version; a broker that does not have it answers in version 0 and names those it has.
pub(super) async fn versions(shared: &Rc<Shared>) -> Result<Versions, Error> {
    let newest = *spoken(ApiKey::ApiVersions).end();
    let answer = ask(shared, newest).await?;
    if error_code(&answer) != ErrorCode::UNSUPPORTED_VERSION {
        return decode(&answer);
    }
    let listed = decode(&Answer { version: 0, ..answer }).unwrap_or_default();
    let version = listed.highest_common(ApiKey::ApiVersions).unwrap_or(0);
    decode(&ask(shared, version).await?)
}

async fn ask(shared: &Rc<Shared>, version: i16) -> Result<Answer, Error> {
    let request = ApiVersionsRequest {
        client_software_name: "ringlane",
        client_software_version: env!("CARGO_PKG_VERSION"),
    };
    shared.start(version, &request, shared.request_timeout)?.await
}

/// The error code stands behind the correlation id in every version, so it can be read before the version is known.
fn error_code(answer: &Answer) -> ErrorCode {
    let bytes = answer.frame().get(4..6).and_then(|bytes| bytes.try_into().ok());
    ErrorCode(bytes.map_or(0, i16::from_be_bytes))
}

fn decode(answer: &Answer) -> Result<Versions, Error> {
    let response = answer.decode::<ApiVersionsRequest<'_>>()?;
    if !response.error_code.is_none() && response.api_keys.is_empty() {
        return Err(answer.refusal(response.error_code, "", None));
    }
    Ok(Versions::of(&response))
}
