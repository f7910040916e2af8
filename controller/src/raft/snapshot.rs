//! Snapshots: the image and the Raft position it reflects, one file, replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openraft::RaftSnapshotBuilder;
use openraft::storage::Snapshot;
use openraft::type_config::alias::SnapshotOf;
use ringlane_reactor::Disk;

use super::frame::{self, FrameError, Kind};
use super::records::SnapshotRecord;
use super::space::Space;
use super::types::{SnapshotMeta, TypeConfig};
use super::{frame_error, io_error};
use crate::controller::ControllerError;
use crate::image::ClusterImage;

/// More than an image can take.
const MAX_BYTES: u64 = 1 << 30;

/// The snapshot at `path`, if there is one: the position, the image, and the bytes as they are on disk.
pub(super) async fn load(
    disk: &Disk,
    path: &Path,
) -> Result<Option<(SnapshotMeta, ClusterImage, Vec<u8>)>, ControllerError> {
    let bytes = match disk.read(path, MAX_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let (meta, image) = decode(&bytes).map_err(|error| frame_error(path, error))?;
    Ok(Some((meta, image, bytes)))
}

/// What the bytes of a snapshot say.
pub(super) fn decode(bytes: &[u8]) -> Result<(SnapshotMeta, ClusterImage), FrameError> {
    let (record, len) = frame::decode::<SnapshotRecord>(Kind::Snapshot, bytes)?;
    if len != bytes.len() {
        return Err(FrameError::Foreign("bytes behind its end".to_owned()));
    }
    record.into_parts().map_err(FrameError::Foreign)
}

/// Takes the snapshot of one image.
pub(super) struct Builder {
    pub(super) space: Space,
    pub(super) path: PathBuf,
    pub(super) meta: SnapshotMeta,
    pub(super) image: Arc<ClusterImage>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, Vec<u8>>, io::Error> {
        let record = SnapshotRecord::new(&self.meta, &self.image);
        let bytes = frame::encode(Kind::Snapshot, &record);
        self.space.replace(&self.path, &bytes).await?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot: bytes })
    }
}
