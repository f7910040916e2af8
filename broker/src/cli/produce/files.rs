//! Whole files as records, one each; of a directory every file below it, in the order of their paths.

use std::path::{Path, PathBuf};

use ringlane_reactor::Reactor;

use super::Sink;
use crate::cli::failure::Failure;

/// No record can be longer than the length of a batch says.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Puts each file into `sink`, with its path as key if `key_is_path`.
pub(super) async fn produce(
    reactor: &Reactor,
    sink: &Sink<'_>,
    paths: &[PathBuf],
    key_is_path: bool,
) -> Result<(), Failure> {
    let disk = reactor.disk();
    // Still to be looked at, the next one last.
    let mut open: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = open.pop() {
        let failed = |error| Failure::Failed(format!("cannot read {}: {error}", path.display()));
        if disk.metadata(&path).await.map_err(failed)?.is_dir {
            let entries = disk.list(&path).await.map_err(failed)?;
            open.extend(entries.into_iter().rev().map(|entry| path.join(entry.name)));
            continue;
        }
        let content = disk.read(&path, FILE_BYTES_MAX).await.map_err(failed)?;
        let key = key(&path);
        let key = match (key_is_path, &key) {
            (false, _) => None,
            (true, Some(key)) => Some(key.as_bytes()),
            (true, None) => {
                let sentence =
                    format!("the path {} is not UTF-8: it cannot be a key", path.display());
                return Err(Failure::Failed(sentence));
            }
        };
        sink.put(key, &content).await?;
    }
    Ok(())
}

/// The path as it was given, without `.` in it.
fn key(path: &Path) -> Option<String> {
    path.components()
        .collect::<PathBuf>()
        .to_str()
        .map(|path| path.trim_start_matches("./").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_path_without_dots() {
        assert_eq!(key(Path::new("./a/./b.txt")).as_deref(), Some("a/b.txt"));
        assert_eq!(key(Path::new("/tmp/b.txt")).as_deref(), Some("/tmp/b.txt"));
    }
}
