//! Requests of every API and version, written from the tables of the wire crate: well-formed, with values that no client
//! would send beside values that make the request reach the broker's inside.

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use ringlane_wire::ApiKey;
use ringlane_wire::field::{Field, Kind, WriteField};
use ringlane_wire::messages as m;

use crate::random::Random;

const INT8: [i8; 8] = [0, 0, 1, 2, 4, -1, i8::MIN, i8::MAX];
const INT16: [i16; 8] = [0, 1, 1, -1, -2, 2, i16::MIN, i16::MAX];
const INT32: [i32; 12] = [0, 0, 1, 1, -1, -2, 2, 1000, 10_000, i32::MIN, i32::MAX, i32::MAX - 1];
const INT64: [i64; 10] = [0, 0, 1, -1, -2, -3, -5, 1_000_000, i64::MIN, i64::MAX];
const NAMES: [&str; 12] = [
    "hostile",
    "hostile",
    "hostile",
    "hostile",
    "__consumer_offsets",
    "__cluster_metadata",
    "",
    "..",
    "no such topic/",
    "range",
    "consumer",
    "retention.ms",
];

/// The table of an API's request.
pub(crate) fn kind_of(key: ApiKey) -> Kind {
    match key {
        ApiKey::Produce => m::produce::ProduceRequest::KIND,
        ApiKey::Fetch => m::fetch::FetchRequest::KIND,
        ApiKey::ListOffsets => m::list_offsets::ListOffsetsRequest::KIND,
        ApiKey::Metadata => m::metadata::MetadataRequest::KIND,
        ApiKey::OffsetCommit => m::offset_commit::OffsetCommitRequest::KIND,
        ApiKey::OffsetFetch => m::offset_fetch::OffsetFetchRequest::KIND,
        ApiKey::FindCoordinator => m::find_coordinator::FindCoordinatorRequest::KIND,
        ApiKey::JoinGroup => m::join_group::JoinGroupRequest::KIND,
        ApiKey::Heartbeat => m::heartbeat::HeartbeatRequest::KIND,
        ApiKey::LeaveGroup => m::leave_group::LeaveGroupRequest::KIND,
        ApiKey::SyncGroup => m::sync_group::SyncGroupRequest::KIND,
        ApiKey::DescribeGroups => m::describe_groups::DescribeGroupsRequest::KIND,
        ApiKey::ListGroups => m::list_groups::ListGroupsRequest::KIND,
        ApiKey::ApiVersions => m::api_versions::ApiVersionsRequest::KIND,
        ApiKey::CreateTopics => m::create_topics::CreateTopicsRequest::KIND,
        ApiKey::DeleteTopics => m::delete_topics::DeleteTopicsRequest::KIND,
        ApiKey::DeleteRecords => m::delete_records::DeleteRecordsRequest::KIND,
        ApiKey::InitProducerId => m::init_producer_id::InitProducerIdRequest::KIND,
        ApiKey::AddPartitionsToTxn => m::add_partitions_to_txn::AddPartitionsToTxnRequest::KIND,
        ApiKey::EndTxn => m::end_txn::EndTxnRequest::KIND,
        ApiKey::OffsetForLeaderEpoch => {
            m::offset_for_leader_epoch::OffsetForLeaderEpochRequest::KIND
        }
        ApiKey::DescribeConfigs => m::describe_configs::DescribeConfigsRequest::KIND,
        ApiKey::DescribeLogDirs => m::describe_log_dirs::DescribeLogDirsRequest::KIND,
        ApiKey::CreatePartitions => m::create_partitions::CreatePartitionsRequest::KIND,
        ApiKey::DeleteGroups => m::delete_groups::DeleteGroupsRequest::KIND,
        ApiKey::IncrementalAlterConfigs => {
            m::incremental_alter_configs::IncrementalAlterConfigsRequest::KIND
        }
        ApiKey::DescribeCluster => m::describe_cluster::DescribeClusterRequest::KIND,
        ApiKey::DescribeTopicPartitions => {
            m::describe_topic_partitions::DescribeTopicPartitionsRequest::KIND
        }
    }
}

/// A request frame, its length included, and where its body begins.
pub(crate) fn request(
    random: &mut Random,
    key: ApiKey,
    version: i16,
    topic_id: [u8; 16],
) -> (Vec<u8>, usize) {
    let flexible = key.is_flexible(version);
    let mut writer = Writer { bytes: vec![0; 4], random, version, flexible, topic_id };
    writer.bytes.extend(key.code().to_be_bytes());
    writer.bytes.extend(version.to_be_bytes());
    writer.bytes.extend([0, 0, 0, 7, 0, 1, b'c']);
    if key.request_header_version(version) == 2 {
        writer.bytes.push(0);
    }
    let body = writer.bytes.len();
    writer.value("", kind_of(key), false);
    let mut frame = writer.bytes;
    set_length(&mut frame);
    (frame, body)
}

/// Makes the frame's length true.
pub(crate) fn set_length(frame: &mut [u8]) {
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

/// Writes values of one version by the tables.
struct Writer<'a> {
    bytes: Vec<u8>,
    random: &'a mut Random,
    version: i16,
    flexible: bool,
    topic_id: [u8; 16],
}

impl Writer<'_> {
    fn value(&mut self, field: &str, kind: Kind, nullable: bool) {
        match kind {
            Kind::Struct { .. } if nullable && self.random.once_in(3) => self.bytes.push(0xff),
            Kind::Struct { fields, .. } => {
                if nullable {
                    self.bytes.push(1);
                }
                self.fields(fields);
            }
            Kind::Array(element) => match nullable && self.random.once_in(6) {
                true => self.length(None, 4),
                false => {
                    let count = *self.random.pick(&[0, 1, 1, 1, 2, 3]);
                    self.length(Some(count), 4);
                    (0..count).for_each(|_| self.value(field, *element, false));
                }
            },
            Kind::Primitive(name) => self.primitive(field, name, nullable),
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        let present = |field: &&Field| field.spec.versions.contains(self.version);
        let body: Vec<_> = fields.iter().filter(present).filter(|f| f.spec.tag.is_none()).collect();
        for field in body {
            let nullable = field.spec.nullable.is_some_and(|them| them.contains(self.version));
            self.value(field.name, field.kind, nullable);
        }
        if self.flexible {
            // Tagged fields are left out, or unknown.
            match self.random.once_in(8) {
                true => self.bytes.extend([1, 99, 2, 0xff, 0xff]),
                false => self.bytes.push(0),
            }
        }
    }

    fn primitive(&mut self, field: &str, name: &str, nullable: bool) {
        match name {
            "bool" => self.bytes.push(self.random.below(2) as u8),
            "int8" => self.bytes.extend(self.random.pick(&INT8).to_be_bytes()),
            "int16" => self.bytes.extend(self.random.pick(&INT16).to_be_bytes()),
            "int32" => self.int32(field),
            "int64" => self.bytes.extend(self.random.pick(&INT64).to_be_bytes()),
            "uuid" => {
                let known = if self.random.once_in(3) { [7; 16] } else { self.topic_id };
                self.bytes.extend(known);
            }
            _ if nullable && self.random.once_in(5) => {
                self.length(None, if name == "string" { 2 } else { 4 });
            }
            "string" => self.string(),
            "records" => {
                let batch = self.batch();
                self.length(Some(batch.len()), 4);
                self.bytes.extend(batch);
            }
            "bytes" => {
                let bytes = vec![*self.random.pick(&[0, 1, 0xff]); self.random.below(40)];
                self.length(Some(bytes.len()), 4);
                self.bytes.extend(bytes);
            }
            other => panic!("a new kind of field: {other}"),
        }
    }

    fn int32(&mut self, field: &str) {
        // Ten thousand partitions are allowed, and take their time.
        let is_count = matches!(field, "num_partitions" | "count");
        let value = match is_count {
            true => *self.random.pick(&[-1, 0, 1, 3, i32::MIN, i32::MAX]),
            false => *self.random.pick(&INT32),
        };
        self.bytes.extend(value.to_be_bytes());
    }

    fn string(&mut self) {
        let text = match self.random.below(20) {
            0 => "x".repeat(32_767),
            1 => "x".repeat(249),
            2 => "\u{0}\u{202e}é".to_string(),
            _ => self.random.pick(&NAMES).to_string(),
        };
        self.length(Some(text.len()), 2);
        self.bytes.extend(text.as_bytes());
    }

    /// A length of `width` bytes, or its compact form; `None` is null.
    fn length(&mut self, length: Option<usize>, width: usize) {
        if self.flexible {
            let mut rest = length.map_or(0, |length| length + 1);
            while rest >= 0x80 {
                self.bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            return self.bytes.push(rest as u8);
        }
        let value = length.map_or(-1i32, |length| length as i32);
        self.bytes.extend(&value.to_be_bytes()[4 - width..]);
    }

    /// A record batch, most often valid, with odd identities and times.
    fn batch(&mut self) -> Vec<u8> {
        let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
        let mut builder = BatchBuilder::new(*self.random.pick(&codecs));
        for _ in 0..=self.random.below(3) {
            let time = TimestampMs(*self.random.pick(&INT64));
            builder.append(time, Some(b"k"), Some(b"hostile"), &[]);
        }
        let producer = (
            ProducerId(*self.random.pick(&[0, 5, -1, i64::MAX])),
            ProducerEpoch(*self.random.pick(&[0, -1, i16::MAX])),
            Sequence(*self.random.pick(&[0, 1, -1, i32::MAX])),
        );
        let fields = BatchFields {
            producer: self.random.once_in(2).then_some(producer),
            is_transactional: self.random.once_in(8),
            ..BatchFields::default()
        };
        let mut batch = builder.finish(&fields).to_vec();
        if self.random.once_in(3) {
            let at = self.random.below(batch.len());
            batch[at] ^= *self.random.pick(&[1, 0x80, 0xff]);
        }
        batch
    }
}
