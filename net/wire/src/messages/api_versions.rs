//! ApiVersions (key 18): which APIs and versions a broker serves.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct ApiVersionsRequest<'a> {
        client_software_name: &'a str => since(3).ignorable();
        client_software_version: &'a str => since(3).ignorable();
    }

    /// What the broker answers.
    struct ApiVersionsResponse<'a> {
        error_code: ErrorCode => since(0);
        api_keys: Vec<ApiVersion> => since(0);
        throttle_time_ms: i32 => since(1).ignorable();
        supported_features: Vec<SupportedFeatureKey<'a>> => since(3).ignorable().tag(0);
        finalized_features_epoch: i64 = -1 => since(3).ignorable().tag(1);
        finalized_features: Vec<FinalizedFeatureKey<'a>> => since(3).ignorable().tag(2);
        zk_migration_ready: bool => since(3).ignorable().tag(3);
    }

    /// An element of `api_keys` of [`ApiVersionsResponse`].
    struct ApiVersion {
        api_key: i16 => since(0);
        min_version: i16 => since(0);
        max_version: i16 => since(0);
    }

    /// An element of `supported_features` of [`ApiVersionsResponse`].
    struct SupportedFeatureKey<'a> {
        name: &'a str => since(3);
        min_version: i16 => since(3);
        max_version: i16 => since(3);
    }

    /// An element of `finalized_features` of [`ApiVersionsResponse`].
    struct FinalizedFeatureKey<'a> {
        name: &'a str => since(3);
        max_version_level: i16 => since(3);
        min_version_level: i16 => since(3);
    }
}
