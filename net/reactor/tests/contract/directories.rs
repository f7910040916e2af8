//! Names: directories, renames, removals, locks, and small files as a whole.

use std::io::{ErrorKind, Result};

use ringlane_reactor::{DirEntry, OpenOptions};

use crate::setting::{Setting, contract};

contract!(on 1:
    directories_are_made_with_those_above_them,
    a_listing_is_in_order_and_tells_directories,
    a_rename_replaces_a_file,
    a_directory_is_renamed_with_all_in_it,
    what_is_removed_is_gone,
    what_is_missing_is_not_found,
    a_file_is_no_directory,
    a_lock_is_held_by_one,
    a_small_file_is_read_whole_or_refused,
    a_replaced_file_is_new_and_leaves_nothing_beside_it,
);

async fn put(setting: &Setting, name: &str, content: &[u8]) {
    let path = setting.path(name);
    let file = setting.disk().open(&path, OpenOptions::CREATE).await.expect("is created");
    file.write_at(content, 0).expect("is written");
}

async fn read(setting: &Setting, name: &str) -> Vec<u8> {
    setting.disk().read(&setting.path(name), 1000).await.expect("is read")
}

async fn list(setting: &Setting, name: &str) -> Vec<(String, bool)> {
    let entries = setting.disk().list(&setting.path(name)).await.expect("is listed");
    entries.into_iter().map(|DirEntry { name, is_dir, .. }| (name, is_dir)).collect()
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("fails").kind()
}

async fn directories_are_made_with_those_above_them(setting: Setting) {
    let disk = setting.disk();
    for _ in 0..2 {
        disk.create_dir_all(&setting.path("a/b/c")).await.expect("is made, or there already");
    }
    assert!(disk.metadata(&setting.path("a/b/c")).await.expect("is there").is_dir);
    disk.sync_dir(&setting.path("a/b")).await.expect("is synced");
    assert!(list(&setting, "a/b/c").await.is_empty());
}

async fn a_listing_is_in_order_and_tells_directories(setting: Setting) {
    put(&setting, "b", b"").await;
    put(&setting, "a", b"").await;
    setting.disk().create_dir_all(&setting.path("c")).await.expect("is made");
    put(&setting, "c/below", b"").await;
    let names = [("a", false), ("b", false), ("c", true)].map(|(name, is)| (name.to_string(), is));
    assert_eq!(list(&setting, "").await, names);
    let metadata = setting.disk().metadata(&setting.path("a")).await.expect("is there");
    assert!(!metadata.is_dir && metadata.len == 0);
}

async fn a_rename_replaces_a_file(setting: Setting) {
    put(&setting, "old", b"old").await;
    put(&setting, "new", b"new").await;
    let (old, new) = (setting.path("old"), setting.path("new"));
    let held = setting.disk().open(&old, OpenOptions::READ).await.expect("opens");
    setting.disk().rename(&new, &old).await.expect("is renamed");
    assert_eq!(read(&setting, "old").await, b"new");
    assert_eq!(list(&setting, "").await.len(), 1);
    assert_eq!(held.read_at(vec![0; 9], 0).await.expect("is still there"), b"old");
}

async fn a_directory_is_renamed_with_all_in_it(setting: Setting) {
    let disk = setting.disk();
    disk.create_dir_all(&setting.path("a/b")).await.expect("is made");
    put(&setting, "a/b/file", b"content").await;
    disk.rename(&setting.path("a"), &setting.path("z")).await.expect("is renamed");
    assert_eq!(read(&setting, "z/b/file").await, b"content");
    assert_eq!(kind(disk.list(&setting.path("a")).await), ErrorKind::NotFound);
}

async fn what_is_removed_is_gone(setting: Setting) {
    let disk = setting.disk();
    disk.create_dir_all(&setting.path("a/b")).await.expect("is made");
    put(&setting, "a/b/file", b"").await;
    put(&setting, "a/file", b"").await;
    disk.remove_file(&setting.path("a/file")).await.expect("is removed");
    assert_eq!(list(&setting, "a").await, [("b".to_string(), true)]);
    disk.remove_dir_all(&setting.path("a")).await.expect("is removed");
    assert!(list(&setting, "").await.is_empty());
}

async fn what_is_missing_is_not_found(setting: Setting) {
    let (disk, missing) = (setting.disk(), setting.path("missing"));
    assert_eq!(kind(disk.metadata(&missing).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.list(&missing).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.remove_file(&missing).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.remove_dir_all(&missing).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.rename(&missing, &setting.path("x")).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.sync_dir(&missing).await), ErrorKind::NotFound);
    assert_eq!(kind(disk.read(&missing, 10).await), ErrorKind::NotFound);
}

async fn a_file_is_no_directory(setting: Setting) {
    put(&setting, "file", b"").await;
    let (disk, file) = (setting.disk(), setting.path("file"));
    disk.create_dir_all(&file).await.expect_err("a file is in the way");
    disk.create_dir_all(&file.join("below")).await.expect_err("a file is in the way");
    assert_eq!(kind(disk.list(&file).await), ErrorKind::NotADirectory);
    let below = disk.open(&file.join("below"), OpenOptions::CREATE).await;
    assert_eq!(kind(below), ErrorKind::NotADirectory);
    disk.create_dir_all(&setting.path("directory")).await.expect("is made");
    let removed = disk.remove_file(&setting.path("directory")).await;
    assert_eq!(kind(removed), ErrorKind::IsADirectory);
}

async fn a_lock_is_held_by_one(setting: Setting) {
    let (disk, path) = (setting.disk(), setting.path("lock"));
    let lock = disk.lock(&path).await.expect("is free");
    assert_eq!(kind(disk.lock(&path).await), ErrorKind::WouldBlock);
    drop(lock);
    disk.lock(&path).await.expect("is free again");
}

async fn a_small_file_is_read_whole_or_refused(setting: Setting) {
    put(&setting, "file", b"12345").await;
    let (disk, path) = (setting.disk(), setting.path("file"));
    assert_eq!(disk.read(&path, 5).await.expect("is read"), b"12345");
    assert_eq!(kind(disk.read(&path, 4).await), ErrorKind::FileTooLarge);
}

async fn a_replaced_file_is_new_and_leaves_nothing_beside_it(setting: Setting) {
    for content in [b"a longer first content".as_slice(), b"second", b""] {
        setting.disk().replace(&setting.path("file"), content).await.expect("is replaced");
        assert_eq!(read(&setting, "file").await, content);
        assert_eq!(list(&setting, "").await, [("file".to_string(), false)]);
    }
}
