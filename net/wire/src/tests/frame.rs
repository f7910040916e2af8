//! Cutting frames out of a stream, however it arrives; refusing what is none; headers around a message.

use bytes::Bytes;
use proptest::prelude::*;

use crate::frame::{correlation_id, decode_response, encode_request, encode_response};
use crate::header::decode_request_header;
use crate::messages::{
    ApiVersionsRequest, ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse,
};
use crate::{ApiKey, Decode, ErrorCode, FrameAssembler, FrameError, RequestHeader};

/// Pushes `stream` in chunks that end at `cuts`.
fn assemble(stream: &[u8], cuts: &[usize], max_bytes: usize) -> Result<Vec<Bytes>, FrameError> {
    let mut assembler = FrameAssembler::new(max_bytes);
    let mut frames = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let mut start = 0;
    for end in cuts {
        assembler.push(&stream[start..end], &mut |frame| frames.push(frame))?;
        start = end;
    }
    assert!(assembler.is_at_boundary(), "the stream ends with a frame");
    assert_eq!(assembler.buffered_bytes(), 0);
    Ok(frames)
}

fn framed(frames: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |frame: &Vec<u8>| [&(frame.len() as i32).to_be_bytes(), &frame[..]].concat();
    frames.iter().flat_map(with_length).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_come_out_however_the_stream_is_cut(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let assembled = assemble(&framed(&frames), &cuts, 200).expect("all within the limit");
        prop_assert_eq!(assembled, frames);
    }
}

#[test]
fn a_frame_larger_than_the_first_allocation_comes_out_whole() {
    let frame: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    let stream = framed(&[frame.clone(), vec![1, 2, 3]]);
    let cuts: Vec<usize> = (0..stream.len()).step_by(4099).collect();
    assert_eq!(assemble(&stream, &cuts, 300_000), Ok(vec![frame.into(), vec![1, 2, 3].into()]));
}

#[test]
fn memory_follows_what_arrived_not_what_was_claimed() {
    let mut assembler = FrameAssembler::new(100 << 20);
    let mut no_frame = |_| panic!("the frame is not complete");
    assembler.push(&(100i32 << 20).to_be_bytes(), &mut no_frame).expect("at the limit");
    for arrived in 1..=1000usize {
        assembler.push(&[0; 1000], &mut no_frame).expect("within the frame");
        let buffered = assembler.buffered_bytes();
        assert!(buffered <= (2 * 1000 * arrived).max(64 * 1024), "{buffered} for {arrived} KB");
    }
}

#[test]
fn what_is_no_kafka_stream_is_refused_with_its_reason() {
    let refused = |stream: &[u8]| {
        let error = assemble(stream, &[], 100 << 20).expect_err("no Kafka stream");
        (error, error.to_string())
    };
    let (error, text) = refused(&[0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(error, FrameError::Negative(-2));
    assert_eq!(text, "the peer sent a frame of negative length -2");
    let (error, text) = refused(&[0x7f, 0, 0, 0]);
    assert_eq!(error, FrameError::TooLong { claimed: 0x7f00_0000, max: 100 << 20 });
    assert_eq!(text, "the peer sent a frame of 2130706432 bytes, over the limit of 104857600");
    // TLS 1.3's first record: handshake, legacy version 3.1, its length, ClientHello.
    assert_eq!(refused(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).0, FrameError::LooksLikeTls);
    assert_eq!(refused(b"GET / HTTP/1.1\r\n").0, FrameError::LooksLikeHttp);
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n").0, FrameError::LooksLikeHttp);
}

#[test]
fn frames_before_a_bad_one_come_out() {
    let mut frames = Vec::new();
    let stream = [&framed(&[vec![1]])[..], &[0x80, 0, 0, 0]].concat();
    let result = FrameAssembler::new(10).push(&stream, &mut |frame| frames.push(frame));
    assert_eq!(result, Err(FrameError::Negative(i32::MIN)));
    assert_eq!(frames, [vec![1]]);
}

#[test]
fn a_request_frame_comes_back() {
    let request = HeartbeatRequest { group_id: "g", member_id: "m", ..Default::default() };
    for version in ApiKey::Heartbeat.versions() {
        let parts = encode_request(version, 7, Some("me"), &request).expect("it has an encoding");
        let frames = assemble(&parts.concat(), &[], 1000).expect("one frame");
        let (header, mut r) = decode_request_header(&frames[0]).expect("it has a header");
        let expected = RequestHeader {
            api_key: 12,
            api_version: version,
            correlation_id: 7,
            client_id: Some("me"),
        };
        assert_eq!(header, expected);
        assert_eq!(HeartbeatRequest::decode_to_end(&mut r, version), Ok(request.clone()));
    }
}

#[test]
fn a_response_frame_comes_back() {
    let error_code = ErrorCode::REBALANCE_IN_PROGRESS;
    let response = HeartbeatResponse { error_code, ..Default::default() };
    for version in ApiKey::Heartbeat.versions() {
        let parts = encode_response(version, 7, &response).expect("it has an encoding");
        let frame = &parts.concat()[4..];
        assert_eq!(correlation_id(frame), Ok(7));
        let decoded = decode_response::<HeartbeatRequest>(frame, version);
        assert_eq!(decoded, Ok((7, response.clone())));
    }
}

/// KIP-511: the header of an ApiVersions response has version 0 whatever the version of its body.
#[test]
fn an_api_versions_response_has_the_old_header() {
    for version in ApiKey::ApiVersions.versions() {
        let response = ApiVersionsResponse::default();
        let frame = encode_response(version, 7, &response).expect("it has an encoding").concat();
        assert_eq!(frame[4..10], [0, 0, 0, 7, 0, 0], "correlation id, error code");
        let decoded = decode_response::<ApiVersionsRequest>(&frame[4..], version);
        assert_eq!(decoded, Ok((7, response)));
    }
}

/// Enough of the header is read to answer a version we do not serve, or to name a key we do not know.
#[test]
fn headers_of_unknown_requests_are_read() {
    let rest_of_header = [0, 0, 0, 9, 0, 1, b'c', 0xff, 0xff];
    for (key, version) in [(18, 99), (999, 0), (-1, -1), (0, 2)] {
        let (key, version): (i16, i16) = (key, version);
        let frame = [&key.to_be_bytes()[..], &version.to_be_bytes(), &rest_of_header].concat();
        let (header, _) = decode_request_header(&frame).expect("it has a header");
        assert_eq!((header.api_key, header.api_version), (key, version));
        assert_eq!((header.correlation_id, header.client_id), (9, Some("c")));
        for length in 0..frame.len() - 2 {
            assert!(decode_request_header(&frame[..length]).is_err(), "{length} bytes");
        }
    }
}
