//! The envelope of everything that the controller writes to disk:
//!
//! ```text
//! byte  0        4          8         9      10         16
//!       length   CRC-32C    version   kind   zeros      archive, padded with zeros to a multiple of 16 bytes
//!       u32 LE   u32 LE     u8        u8
//! ```
//!
//! `length` is that of the archive without its padding; the checksum covers everything else. Frames start at multiples of 16,
//! so that an archive is aligned for rkyv and a search for frames behind a bad one need not look elsewhere. A change of
//! an archive's shape is a new version; a file is read if its version is known and refused by name if it is newer.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

/// The version of the archives written here.
pub(super) const FORMAT_VERSION: u8 = 1;

/// Bytes before the archive; also what frames are aligned to.
pub(super) const HEADER_LEN: usize = 16;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Log = 1,
    Vote = 2,
    Snapshot = 3,
}

/// Why bytes are no frame of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FrameError {
    /// Fewer bytes than the frame says it has, or a checksum that does not fit: torn or damaged.
    Broken,
    /// Whole, and written by a newer version.
    Newer(u8),
    /// Whole, but not what was expected: somebody else's file, or our fault.
    Foreign(String),
}

/// A frame that holds `record`.
///
/// # Panics
/// When the archive takes 2 GiB or more: commands and images are bounded far below.
pub(super) fn encode<T>(kind: Kind, record: &T) -> Vec<u8>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, rancor::Error>>,
{
    let archive = rkyv::to_bytes::<rancor::Error>(record).expect("an archive fits the memory");
    let length = u32::try_from(archive.len()).expect("an archive is shorter than 2 GiB");
    let mut frame = vec![0; HEADER_LEN + archive.len().next_multiple_of(HEADER_LEN)];
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[8] = FORMAT_VERSION;
    frame[9] = kind as u8;
    frame[HEADER_LEN..][..archive.len()].copy_from_slice(&archive);
    let checksum = checksum(&frame);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    frame
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// The length of the frame at the start of `bytes`, its padding included, if it is whole.
pub(super) fn whole(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER_LEN)?;
    let length = u32::from_le_bytes(header[..4].try_into().expect("4 bytes"));
    let expected = u32::from_le_bytes(header[4..8].try_into().expect("4 bytes"));
    let end = usize::try_from(length).ok()?.checked_next_multiple_of(HEADER_LEN)?;
    let frame = bytes.get(..end.checked_add(HEADER_LEN)?)?;
    (length > 0 && checksum(frame) == expected).then_some(frame.len())
}

/// The record in the frame at the start of `bytes`, and the frame's length.
pub(super) fn decode<T>(kind: Kind, bytes: &[u8]) -> Result<(T, usize), FrameError>
where
    T: Archive,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
        + Deserialize<T, HighDeserializer<rancor::Error>>,
{
    let len = whole(bytes).ok_or(FrameError::Broken)?;
    match bytes[8] {
        FORMAT_VERSION => {}
        newer if newer > FORMAT_VERSION => return Err(FrameError::Newer(newer)),
        unknown => return Err(FrameError::Foreign(format!("format version {unknown}"))),
    }
    if bytes[9] != kind as u8 {
        return Err(FrameError::Foreign(format!("a frame of kind {} for {kind:?}", bytes[9])));
    }
    let length = u32::from_le_bytes(bytes[..4].try_into().expect("4 bytes")) as usize;
    let mut archive = AlignedVec::<16>::with_capacity(length);
    archive.extend_from_slice(&bytes[HEADER_LEN..][..length]);
    let record = rkyv::from_bytes::<T, rancor::Error>(&archive)
        .map_err(|error| FrameError::Foreign(format!("no valid archive: {error}")))?;
    Ok((record, len))
}

#[cfg(test)]
mod tests;
