//! DescribeConfigs (key 32): the settings of topics and brokers, and where their values come from.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DescribeConfigsRequest<'a> {
        resources: Vec<DescribeConfigsResource<'a>> => since(0);
        include_synonyms: bool => since(1);
        include_documentation: bool => since(3);
    }

    /// An element of `resources` of [`DescribeConfigsRequest`].
    struct DescribeConfigsResource<'a> {
        resource_type: i8 => since(0);
        resource_name: &'a str => since(0);
        configuration_keys: Option<Vec<&'a str>> = Some(Vec::new()) => since(0).nullable_since(0);
    }

    /// What the broker answers.
    struct DescribeConfigsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        results: Vec<DescribeConfigsResult<'a>> => since(0);
    }

    /// An element of `results` of [`DescribeConfigsResponse`].
    struct DescribeConfigsResult<'a> {
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> = Some("") => since(0).nullable_since(0);
        resource_type: i8 => since(0);
        resource_name: &'a str => since(0);
        configs: Vec<DescribeConfigsResourceResult<'a>> => since(0);
    }

    /// An element of `configs` of [`DescribeConfigsResult`].
    struct DescribeConfigsResourceResult<'a> {
        name: &'a str => since(0);
        value: Option<&'a str> = Some("") => since(0).nullable_since(0);
        read_only: bool => since(0);
        config_source: i8 = -1 => since(1).ignorable();
        is_sensitive: bool => since(0);
        synonyms: Vec<DescribeConfigsSynonym<'a>> => since(1).ignorable();
        config_type: i8 => since(3).ignorable();
        documentation: Option<&'a str> = Some("") => since(3).nullable_since(0).ignorable();
    }

    /// An element of `synonyms` of [`DescribeConfigsResourceResult`].
    struct DescribeConfigsSynonym<'a> {
        name: &'a str => since(1);
        value: Option<&'a str> = Some("") => since(1).nullable_since(0);
        source: i8 => since(1);
    }
}
