//! IncrementalAlterConfigs (key 44): changes single settings of topics and brokers (KIP-339).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct IncrementalAlterConfigsRequest<'a> {
        resources: Vec<AlterConfigsResource<'a>> => since(0);
        validate_only: bool => since(0);
    }

    /// An element of `resources` of [`IncrementalAlterConfigsRequest`].
    struct AlterConfigsResource<'a> {
        resource_type: i8 => since(0);
        resource_name: &'a str => since(0);
        configs: Vec<AlterableConfig<'a>> => since(0);
    }

    /// An element of `configs` of [`AlterConfigsResource`].
    struct AlterableConfig<'a> {
        name: &'a str => since(0);
        config_operation: i8 => since(0);
        value: Option<&'a str> = Some("") => since(0).nullable_since(0);
    }

    /// What the broker answers.
    struct IncrementalAlterConfigsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        responses: Vec<AlterConfigsResourceResponse<'a>> => since(0);
    }

    /// An element of `responses` of [`IncrementalAlterConfigsResponse`].
    struct AlterConfigsResourceResponse<'a> {
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> = Some("") => since(0).nullable_since(0);
        resource_type: i8 => since(0);
        resource_name: &'a str => since(0);
    }
}
