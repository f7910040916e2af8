//! The first block of a file of kept entries. Groups in the journal's own format follow it.
//!
//! ```text
//! magic "RLKEPT" (6) · version u16 · CRC-32C u32 of the rest of the block · groups u32 · is lossy u8 · 0 (3) · reason bytes u32
//! · reason, UTF-8 · zeros up to 4,096
//! ```

use std::path::Path;

use ringlane_reactor::File;

use crate::error::StorageError;
use crate::journal::BLOCK_BYTES;

const MAGIC: [u8; 6] = *b"RLKEPT";
const VERSION: u16 = 1;
const CRC_AT: usize = 8;
const GROUPS_AT: usize = 12;
const LOSSY_AT: usize = 16;
const REASON_BYTES_AT: usize = 20;
const REASON_AT: usize = 24;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many groups follow.
    pub(super) groups: u32,
    /// Whether entries of the log are lost, besides those in the file.
    pub(super) is_lossy: bool,
    /// Why the log was offline when the file was written.
    pub(super) reason: String,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK_BYTES];
        let room = BLOCK_BYTES - REASON_AT;
        let fits = (0..=self.reason.len().min(room)).rev();
        let reason = fits.filter_map(|len| self.reason.get(..len)).next().unwrap_or_default();
        block[..6].copy_from_slice(&MAGIC);
        block[6..CRC_AT].copy_from_slice(&VERSION.to_be_bytes());
        block[GROUPS_AT..GROUPS_AT + 4].copy_from_slice(&self.groups.to_be_bytes());
        block[LOSSY_AT] = u8::from(self.is_lossy);
        let len = u32::try_from(reason.len()).expect("it fits a block");
        block[REASON_BYTES_AT..REASON_AT].copy_from_slice(&len.to_be_bytes());
        block[REASON_AT..REASON_AT + reason.len()].copy_from_slice(reason.as_bytes());
        let crc = crc32c::crc32c(&block[GROUPS_AT..]);
        block[CRC_AT..GROUPS_AT].copy_from_slice(&crc.to_be_bytes());
        block
    }

    pub(super) fn decode(block: &[u8]) -> Result<Self, &'static str> {
        if block.len() != BLOCK_BYTES {
            return Err("the file is too short");
        }
        if block[..6] != MAGIC {
            return Err("this is no file of kept entries");
        }
        if block[6..CRC_AT] != VERSION.to_be_bytes() {
            return Err("the version of the file is not known: a newer ringlane wrote it");
        }
        let number = |at: usize| u32::from_be_bytes(block[at..at + 4].try_into().expect("4 bytes"));
        if crc32c::crc32c(&block[GROUPS_AT..]) != number(CRC_AT) {
            return Err("the checksum does not match");
        }
        let len = number(REASON_BYTES_AT) as usize;
        let reason = block.get(REASON_AT..REASON_AT + len).ok_or("the reason is cut short")?;
        Ok(Self {
            groups: number(GROUPS_AT),
            is_lossy: block[LOSSY_AT] != 0,
            reason: String::from_utf8_lossy(reason).into_owned(),
        })
    }

    /// Reads it; the inner error says what is wrong with the file.
    pub(super) async fn read(
        file: &File,
        path: &Path,
    ) -> Result<Result<Self, &'static str>, StorageError> {
        let block = file.read_at(vec![0; BLOCK_BYTES], 0).await;
        Ok(Self::decode(&block.map_err(StorageError::io("read", path))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_damage_is_refused() {
        let head = Head { groups: 3, is_lossy: true, reason: "a group is missing".into() };
        let block = head.encode();
        assert_eq!(Head::decode(&block), Ok(head));
        for at in 0..BLOCK_BYTES {
            let mut damaged = block.clone();
            damaged[at] ^= 1;
            assert!(Head::decode(&damaged).is_err(), "bit flipped at {at}");
        }
        let long = Head { groups: 0, is_lossy: false, reason: "ü".repeat(4000) };
        let read = Head::decode(&long.encode()).expect("cut to fit");
        assert!(long.reason.starts_with(&read.reason) && read.reason.len() > 4000);
    }
}
