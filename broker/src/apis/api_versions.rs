//! ApiVersions (KIP-35, KIP-511): what this broker serves.

use bytes::Bytes;
use ringlane_wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use ringlane_wire::{ApiKey, EncodeError, ErrorCode, frame};

use super::{Handled, Request, TABLE};

pub(super) async fn handle(request: Request) -> Handled {
    let ApiVersionsRequest { client_software_name, client_software_version } = request.decode()?;
    let valid = is_printable(client_software_name) && is_printable(client_software_version);
    let error_code = if request.version >= 3 && !valid {
        ErrorCode::INVALID_REQUEST
    } else {
        ErrorCode::NONE
    };
    request.answer(&ApiVersionsResponse { error_code, api_keys: served(), ..Default::default() })
}

/// KIP-511: a client's name and version can be logged and label a metric. Kafka's pattern is
/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_printable(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || "-.".contains(c))
}

/// The answer to a version that is not served: in version 0, with the versions of ApiVersions alone.
pub(super) fn unsupported(correlation_id: i32) -> Result<Vec<Bytes>, EncodeError> {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![row(ApiKey::ApiVersions)],
        ..Default::default()
    };
    frame::encode_response(0, correlation_id, &response)
}

fn served() -> Vec<ApiVersion> {
    TABLE.iter().map(|api| row(api.key)).collect()
}

fn row(key: ApiKey) -> ApiVersion {
    let versions = key.versions();
    // librdkafka takes a Produce that starts above 0 for a broker without compression, so Kafka lists it from 0 and
    // closes the connection on versions 0 to 2 (KIP-896).
    let min_version = if key == ApiKey::Produce { 0 } else { *versions.start() };
    ApiVersion { api_key: key.code(), min_version, max_version: *versions.end() }
}
