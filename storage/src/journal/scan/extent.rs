//! What a shard's checkpoint says of the journal beside it, and what a start finds missing of that. Groups that are not there
//! look like groups that were never written: without the word of the checkpoint, lost files would pass for an idle shard.

use super::super::names::file_path;
use super::Reader;

/// What there was of a shard's journal when its checkpoint was written. All zero: nothing that is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// As many files were there, numbered from 0.
    pub files: u32,
    /// The length of each.
    pub file_bytes: u64,
    /// A group that was acknowledged: a group is only ever overwritten by a newer one, and the newest by none, so it or a later one
    /// is in the files. 0: none is known.
    pub last_group: u64,
}

impl Reader {
    /// Why its files are not all that `extent` says there was, or not each other's: files were removed, cut short, emptied, or
    /// exchanged.
    pub fn lacks(&self, extent: &Extent) -> Option<String> {
        self.missing_file(extent).or_else(|| self.exchanged_file()).or_else(|| self.no_end(extent))
    }

    fn missing_file(&self, extent: &Extent) -> Option<String> {
        (0..extent.files).find_map(|number| {
            let path = file_path(&self.dir, self.shard, number);
            match self.files.get(&number) {
                None => Some(format!("{} is missing", path.display())),
                Some((_, len)) if *len < extent.file_bytes => {
                    let (path, whole) = (path.display(), extent.file_bytes);
                    Some(format!("{path} has {len} bytes, and had {whole}"))
                }
                Some(_) => None,
            }
        })
    }

    fn exchanged_file(&self) -> Option<String> {
        let (number, (shard, file)) = self.exchanged.first_key_value()?;
        let path = file_path(&self.dir, self.shard, *number);
        let other = file_path(&self.dir, *shard, *file);
        Some(format!("{} holds what was written to {}", path.display(), other.display()))
    }

    fn no_end(&self, extent: &Extent) -> Option<String> {
        let (found, last) = (self.last_group, extent.last_group);
        // Where it is covered by the checkpoint and some group is there, it may be the only one that is damaged.
        let is_needed = last >= self.from || !self.has_own_groups;
        (found < last && is_needed).then(|| {
            let shard = self.shard;
            format!("the journal of shard {shard} went on to group {last}, which is not there")
        })
    }
}
