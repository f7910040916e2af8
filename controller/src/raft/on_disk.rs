//! The image that a start would come to, read from the files of a controller that does not run. Nothing is changed.

use std::path::Path;

use openraft::EntryPayload;
use ringlane_reactor::Disk;

use super::log::State;
use super::{log_file, snapshot};
use crate::controller::ControllerError;
use crate::image::ClusterImage;

/// The image in `dir`; `None` where there is no controller's data. Every entry of the log counts: a single voter commits what it
/// has when it elects itself.
///
/// # Errors
/// Those of a start, but for a broker's id.
pub async fn image_on_disk(
    disk: &Disk,
    dir: &Path,
) -> Result<Option<ClusterImage>, ControllerError> {
    let loaded = snapshot::load(disk, &dir.join("snapshot")).await?;
    let path = dir.join("log");
    let groups = log_file::read(disk, &path).await?;
    if loaded.is_none() && groups.is_empty() {
        return Ok(None);
    }
    let state = State::of(groups, &path)?;
    let (meta, mut image) = loaded.map(|(meta, image, _)| (meta, image)).unwrap_or_default();
    for entry in state.into_entries().filter(|entry| Some(entry.log_id) > meta.last_log_id) {
        if let EntryPayload::Normal(command) = entry.payload {
            image = crate::apply(image, entry.log_id.index, &command).0;
        }
    }
    Ok(Some(image))
}
