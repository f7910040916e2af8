//! Looks for the headers of groups at every block of a journal's file. Behind a good header it goes on at the group's end.

use std::path::Path;

use ringlane_reactor::DirectFile;

use super::super::format::{BLOCK_BYTES, Fault, GROUP_HEADER_BYTES, GroupHeader, Place};
use super::window::Window;
use crate::error::StorageError;

/// The headers in a file.
#[derive(Default)]
pub(super) struct Located {
    /// Of the groups that were written there, in the order of the file.
    pub(super) groups: Vec<GroupHeader>,
    /// The shard and the number of another file in whose place the file's first block was written.
    pub(super) elsewhere: Option<(u16, u32)>,
}

/// All groups of `shard` in its file number `file`, by their headers alone. A group that is not
/// where it was written, or longer than its file, is none.
///
/// Groups are written one behind the other from the file's start, so whatever lies inside a group's length is older than
/// its header: nothing is missed by stepping over it.
pub(super) async fn locate(
    (file, len): (&DirectFile, u64),
    path: &Path,
    (shard, number): (u16, u32),
    window: &mut Window,
) -> Result<Located, StorageError> {
    let mut found = Located::default();
    let mut at = 0;
    while at + (GROUP_HEADER_BYTES as u64) <= len {
        let head = window.read(number, file, at, GROUP_HEADER_BYTES).await;
        let head = head.map_err(StorageError::io("read", path))?;
        if head.len() < GROUP_HEADER_BYTES {
            break;
        }
        let Ok(block) = u32::try_from(at / BLOCK_BYTES as u64) else { break };
        let place = Place { file: number, block };
        at = match GroupHeader::parse(head) {
            Ok(header) if is_here(&header, shard, place, len - at) => {
                found.groups.push(header);
                at + header.padded_bytes()
            }
            Ok(header) if at == 0 && header.place.block == 0 => {
                found.elsewhere = Some((header.shard, header.place.file));
                at + BLOCK_BYTES as u64
            }
            Err(fault @ Fault::Version(_)) => {
                let reason =
                    format!("{fault}: start the version that wrote it, and stop it cleanly");
                return Err(StorageError::Foreign { path: path.to_path_buf(), reason });
            }
            _ => at + BLOCK_BYTES as u64,
        };
    }
    Ok(found)
}

fn is_here(header: &GroupHeader, shard: u16, place: Place, rest_of_file: u64) -> bool {
    header.shard == shard && header.place == place && header.padded_bytes() <= rest_of_file
}
