//! A broker's files of one topic, dropped from the page cache of this host: what is read of them next comes from the disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Drops the `.log` files of `topic` in the log directories of the process `pid`, synced before: what is dirty stays.
///
/// # Errors
/// A sentence: the process is not on this host or not ours to look at, or a file could not be dropped.
pub(crate) fn drop_from_page_cache(pid: Option<u32>, topic: &str) -> Result<(), String> {
    let advice = "run it on the target's host and as its user, or leave `cold` out";
    let pid = pid.ok_or_else(|| {
        format!("the page cache is the target's, and it is not on this host: {advice}")
    })?;
    let files: Vec<PathBuf> =
        directories(pid).iter().flat_map(|directory| logs(directory, topic)).collect();
    if files.is_empty() {
        return Err(format!("no file of {topic} is found in the target's directories: {advice}"));
    }
    let synced = Command::new("sync").args(&files).stdin(Stdio::null()).output();
    for file in &files {
        // dd(1): iflag=nocache with count=0 drops the cache of the whole file.
        let mut dd = Command::new("dd");
        dd.arg(format!("if={}", file.display())).args(["iflag=nocache", "count=0", "status=none"]);
        let dropped = dd.stdin(Stdio::null()).output();
        let failed = match (&synced, dropped) {
            (Ok(synced), Ok(dropped)) if synced.status.success() && dropped.status.success() => {
                continue;
            }
            (Err(error), _) => error.to_string(),
            (_, Err(error)) => error.to_string(),
            (Ok(synced), Ok(dropped)) => {
                let said = [&synced.stderr[..], &dropped.stderr[..]].concat();
                String::from_utf8_lossy(&said).trim().to_owned()
            }
        };
        return Err(format!("{} cannot be dropped from the page cache: {failed}", file.display()));
    }
    Ok(())
}

/// Directories in which the process has files open, and those above them: its log directories are among them.
fn directories(pid: u32) -> BTreeSet<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let files = targets.filter(|target| target.is_absolute() && target.exists());
    files
        .flat_map(|file| file.ancestors().skip(1).take(2).map(Path::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The segments of a topic below a log directory.
fn logs(directory: &Path, topic: &str) -> Vec<PathBuf> {
    let is_partition = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let index = name.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-'));
        index.is_some_and(|index| index.parse::<u32>().is_ok())
    };
    let inside = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let partitions = inside(directory).map(|entry| entry.path()).filter(is_partition);
    let files = partitions.flat_map(|partition| inside(&partition).collect::<Vec<_>>());
    let files = files.map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_an_open_directory_are_found_and_dropped() {
        let root = std::env::temp_dir().join(format!("ringlane-page-cache-{}", std::process::id()));
        let partition = root.join("history-3");
        fs::create_dir_all(&partition).expect("a directory");
        let segment = partition.join("00000000000000000000.log");
        fs::write(&segment, vec![1; 1 << 16]).expect("a file");
        fs::write(partition.join("leader-epoch-checkpoint"), b"0").expect("a file");
        fs::create_dir_all(root.join("history-of-others-3")).expect("a directory");
        assert_eq!(logs(&root, "history"), std::slice::from_ref(&segment));
        let lock = fs::File::create(root.join(".lock")).expect("a file");
        let own = Some(std::process::id());
        assert_eq!(drop_from_page_cache(own, "history"), Ok(()));
        assert_eq!(fs::read(&segment).expect("still there").len(), 1 << 16);
        let missing = drop_from_page_cache(own, "nothing").expect_err("no such topic");
        assert!(missing.contains("no file of nothing"), "{missing}");
        assert!(drop_from_page_cache(None, "history").is_err());
        drop(lock);
        fs::remove_dir_all(&root).expect("ours");
    }
}
