//! The one list of APIs: key, versions, messages. Everything that exists once an API is derived from its row.

use std::ops::RangeInclusive;

use crate::message::{Message, Request};
use crate::messages::*;

/// Calls the macro named with the rows `Name = key, versions, first flexible version, request => response;`. Versions are
/// those of Kafka 4.3's schemas less the unstable ones.
macro_rules! for_each_api {
    ($callback:ident) => {
        $callback! {
            Produce = 0, 3..=13, flexible 9: ProduceRequest<'_> => ProduceResponse<'a>;
            Fetch = 1, 4..=18, flexible 12: FetchRequest<'_> => FetchResponse<'a>;
            ListOffsets = 2, 1..=11, flexible 6: ListOffsetsRequest<'_> => ListOffsetsResponse<'a>;
            Metadata = 3, 0..=13, flexible 9: MetadataRequest<'_> => MetadataResponse<'a>;
            OffsetCommit = 8, 2..=10, flexible 8: OffsetCommitRequest<'_> => OffsetCommitResponse<'a>;
            OffsetFetch = 9, 1..=10, flexible 6: OffsetFetchRequest<'_> => OffsetFetchResponse<'a>;
            FindCoordinator = 10, 0..=6, flexible 3:
                FindCoordinatorRequest<'_> => FindCoordinatorResponse<'a>;
            JoinGroup = 11, 0..=9, flexible 6: JoinGroupRequest<'_> => JoinGroupResponse<'a>;
            Heartbeat = 12, 0..=4, flexible 4: HeartbeatRequest<'_> => HeartbeatResponse;
            LeaveGroup = 13, 0..=5, flexible 4: LeaveGroupRequest<'_> => LeaveGroupResponse<'a>;
            SyncGroup = 14, 0..=5, flexible 4: SyncGroupRequest<'_> => SyncGroupResponse<'a>;
            DescribeGroups = 15, 0..=6, flexible 5:
                DescribeGroupsRequest<'_> => DescribeGroupsResponse<'a>;
            ListGroups = 16, 0..=5, flexible 3: ListGroupsRequest<'_> => ListGroupsResponse<'a>;
            ApiVersions = 18, 0..=4, flexible 3: ApiVersionsRequest<'_> => ApiVersionsResponse<'a>;
            CreateTopics = 19, 2..=7, flexible 5: CreateTopicsRequest<'_> => CreateTopicsResponse<'a>;
            DeleteTopics = 20, 1..=6, flexible 4: DeleteTopicsRequest<'_> => DeleteTopicsResponse<'a>;
            DeleteRecords = 21, 0..=2, flexible 2:
                DeleteRecordsRequest<'_> => DeleteRecordsResponse<'a>;
            InitProducerId = 22, 0..=5, flexible 2:
                InitProducerIdRequest<'_> => InitProducerIdResponse;
            OffsetForLeaderEpoch = 23, 2..=4, flexible 4:
                OffsetForLeaderEpochRequest<'_> => OffsetForLeaderEpochResponse<'a>;
            AddPartitionsToTxn = 24, 0..=5, flexible 3:
                AddPartitionsToTxnRequest<'_> => AddPartitionsToTxnResponse<'a>;
            EndTxn = 26, 0..=5, flexible 3: EndTxnRequest<'_> => EndTxnResponse;
            DescribeConfigs = 32, 1..=4, flexible 4:
                DescribeConfigsRequest<'_> => DescribeConfigsResponse<'a>;
            DescribeLogDirs = 35, 1..=5, flexible 2:
                DescribeLogDirsRequest<'_> => DescribeLogDirsResponse<'a>;
            CreatePartitions = 37, 0..=3, flexible 2:
                CreatePartitionsRequest<'_> => CreatePartitionsResponse<'a>;
            DeleteGroups = 42, 0..=2, flexible 2: DeleteGroupsRequest<'_> => DeleteGroupsResponse<'a>;
            IncrementalAlterConfigs = 44, 0..=1, flexible 1:
                IncrementalAlterConfigsRequest<'_> => IncrementalAlterConfigsResponse<'a>;
            DescribeCluster = 60, 0..=2, flexible 0: DescribeClusterRequest => DescribeClusterResponse<'a>;
            DescribeTopicPartitions = 75, 0..=0, flexible 0:
                DescribeTopicPartitionsRequest<'_> => DescribeTopicPartitionsResponse<'a>;
        }
    };
}

macro_rules! define_apis {
    ($(
        $name:ident = $key:literal, $versions:expr, flexible $flexible:literal:
            $request:ty => $response:ty;
    )+) => {
        /// An API of the Kafka protocol that has a codec here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("`", stringify!($name), "`, key ", stringify!($key), ".")]
                $name = $key,
            )+
        }

        impl ApiKey {
            /// All of them, by ascending key.
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name),+];

            /// The API with this key on the wire, if there is one.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $($key => Some(ApiKey::$name),)+
                    _ => None,
                }
            }

            /// Its name in Kafka's protocol guide.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$name => stringify!($name),)+
                }
            }

            /// The versions with a wire form here, both ends included.
            #[must_use]
            pub const fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $versions,)+
                }
            }

            /// The first version with compact lengths and tagged fields (KIP-482).
            #[must_use]
            pub const fn flexible_from(self) -> i16 {
                match self {
                    $(ApiKey::$name => $flexible,)+
                }
            }
        }

        $(
            impl Message for $request {
                const API_KEY: ApiKey = ApiKey::$name;
            }

            impl<'a> Message for $response {
                const API_KEY: ApiKey = ApiKey::$name;
            }

            impl Request for $request {
                type Response<'a> = $response;
            }
        )+
    };
}

for_each_api!(define_apis);

impl ApiKey {
    /// Its key on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether `version` has compact lengths and tagged fields (KIP-482).
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible_from()
    }

    /// Version of the request header that a request of `version` has: 2 adds tagged fields (KIP-482).
    #[must_use]
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// Version of the response header that a response of `version` has: 1 adds tagged fields (KIP-482). ApiVersions
    /// always has 0, as its client does not know yet which versions the broker understands (KIP-511).
    #[must_use]
    pub const fn response_header_version(self, version: i16) -> i16 {
        match self {
            ApiKey::ApiVersions => 0,
            _ => self.is_flexible(version) as i16,
        }
    }
}
