//! Files: what is written is read, lengths, modes of opening.

use std::io::ErrorKind;
use std::rc::Rc;

use ringlane_reactor::{File, OpenOptions, Queue};

use crate::setting::{Setting, contract};

contract!(on 1:
    what_is_written_is_read,
    what_is_written_behind_is_read,
    a_read_is_short_only_at_the_end,
    a_gap_reads_as_zeros,
    a_later_write_wins,
    a_cut_file_grows_again_with_zeros,
    a_reservation_changes_no_length,
    clones_share_the_file,
    each_mode_opens_as_it_says,
    a_file_opened_to_read_refuses_writes,
    a_resident_read_is_right_or_refused,
    a_large_file_is_read_in_one_piece,
    reads_and_writes_of_several_tasks_do_not_mix,
    an_open_file_outlives_its_name,
);

async fn create(setting: &Setting, content: &[u8]) -> File {
    let path = setting.path("file");
    let file = setting.disk().open(&path, OpenOptions::CREATE_NEW).await.expect("is created");
    file.write_at(content, 0).expect("is written");
    file
}

async fn read(file: &File, offset: u64, len: usize) -> Vec<u8> {
    file.read_at(vec![0xee; len], offset).await.expect("is read")
}

async fn what_is_written_is_read(setting: Setting) {
    let file = create(&setting, b"some bytes").await;
    assert_eq!(read(&file, 0, 10).await, b"some bytes");
    assert_eq!(read(&file, 5, 3).await, b"byt");
    assert_eq!(file.len().expect("has a length"), 10);
    file.sync_data().await.expect("is synced");
    assert_eq!(read(&file, 0, 10).await, b"some bytes");
}

async fn what_is_written_behind_is_read(setting: Setting) {
    let file = create(&setting, b"some bytes").await;
    file.write_behind(Rc::new(b"more".to_vec()), 8).await.expect("is written");
    file.write_behind(Rc::new(vec![7; 1 << 20]), 12).await.expect("is written");
    file.write_behind(Rc::default(), 1 << 30).await.expect("nothing is written");
    assert_eq!(file.len().expect("has a length"), 12 + (1 << 20));
    assert_eq!(read(&file, 0, 13).await, b"some bytmore\x07");
    let path = setting.path("file");
    let to_read = setting.disk().open(&path, OpenOptions::READ).await.expect("is there");
    let refused = to_read.write_behind(Rc::new(b"x".to_vec()), 0).await;
    assert_eq!(refused.expect_err("is refused").raw_os_error(), Some(libc::EBADF));
}

async fn a_read_is_short_only_at_the_end(setting: Setting) {
    let file = create(&setting, &[1; 5000]).await;
    assert_eq!(read(&file, 4000, 4096).await, [1; 1000]);
    assert_eq!(read(&file, 0, 5000).await.len(), 5000);
    assert!(read(&file, 5000, 10).await.is_empty());
    assert!(read(&file, 1 << 40, 10).await.is_empty());
    assert!(read(&file, 0, 0).await.is_empty());
}

async fn a_gap_reads_as_zeros(setting: Setting) {
    let file = create(&setting, b"start").await;
    file.write_at(b"end", 10_000).expect("is written");
    assert_eq!(file.len().expect("has a length"), 10_003);
    let content = read(&file, 0, 20_000).await;
    assert_eq!(&content[..5], b"start");
    assert!(content[5..10_000].iter().all(|&byte| byte == 0));
    assert_eq!(&content[10_000..], b"end");
}

async fn a_later_write_wins(setting: Setting) {
    let file = create(&setting, &[1; 9000]).await;
    file.write_at(&[2; 100], 4050).expect("is written");
    file.write_at(&[3; 10], 4090).expect("is written");
    file.write_at(&[], 0).expect("nothing is written");
    let expected = [[1; 4050].as_slice(), &[2; 40], &[3; 10], &[2; 50], &[1; 4850]].concat();
    assert_eq!(read(&file, 0, 9000).await, expected);
}

async fn a_cut_file_grows_again_with_zeros(setting: Setting) {
    let file = create(&setting, &[1; 10_000]).await;
    file.set_len(100).expect("is cut");
    assert_eq!(file.len().expect("has a length"), 100);
    assert_eq!(read(&file, 0, 200).await, [1; 100]);
    file.set_len(6000).expect("is extended");
    let expected = [[1; 100].as_slice(), &[0; 5900]].concat();
    assert_eq!(read(&file, 0, 10_000).await, expected);
}

async fn a_reservation_changes_no_length(setting: Setting) {
    let file = create(&setting, b"x").await;
    file.reserve(1 << 20).await.expect("is reserved");
    assert_eq!(file.len().expect("has a length"), 1);
    file.write_at(b"y", 1).expect("is written");
    assert_eq!(read(&file, 0, 10).await, b"xy");
}

async fn clones_share_the_file(setting: Setting) {
    let file = create(&setting, b"one").await;
    let clone = file.clone();
    drop(file);
    clone.write_at(b"two", 3).expect("is written");
    let path = setting.path("file");
    let other = setting.disk().open(&path, OpenOptions::READ).await.expect("opens");
    assert_eq!(read(&other, 0, 10).await, b"onetwo");
}

async fn each_mode_opens_as_it_says(setting: Setting) {
    let (disk, path) = (setting.disk(), setting.path("file"));
    for options in [OpenOptions::READ, OpenOptions::WRITE] {
        let error = disk.open(&path, options).await.err().expect("there is nothing yet");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    let below_nothing = setting.path("missing").join("file");
    let error = disk.open(&below_nothing, OpenOptions::CREATE).await.err().expect("no directory");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    create(&setting, b"content").await;
    let error = disk.open(&path, OpenOptions::CREATE_NEW).await.err().expect("it exists");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    for options in [OpenOptions::READ, OpenOptions::WRITE, OpenOptions::CREATE] {
        let file = disk.open(&path, options).await.expect("opens");
        assert_eq!(file.len().expect("has a length"), 7);
    }
    let file = disk.open(&path, OpenOptions::CREATE_EMPTY).await.expect("opens");
    assert_eq!(file.len().expect("has a length"), 0);
}

async fn a_file_opened_to_read_refuses_writes(setting: Setting) {
    create(&setting, b"content").await;
    let path = setting.path("file");
    let file = setting.disk().open(&path, OpenOptions::READ).await.expect("opens");
    file.write_at(b"x", 0).expect_err("is refused");
    file.set_len(0).expect_err("is refused");
    assert_eq!(read(&file, 0, 10).await, b"content");
}

async fn a_resident_read_is_right_or_refused(setting: Setting) {
    let file = create(&setting, &[5; 3000]).await;
    for (offset, expected) in [(0, 1000), (2500, 500), (3000, 0)] {
        let mut buffer = [0; 1000];
        if let Some(count) = file.read_resident(&mut buffer, offset).expect("no error") {
            assert_eq!(count, expected);
            assert!(buffer[..count].iter().all(|&byte| byte == 5));
        }
    }
}

async fn a_large_file_is_read_in_one_piece(setting: Setting) {
    let content: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 251) as u8).collect();
    let file = create(&setting, &content).await;
    file.sync_data().await.expect("is synced");
    assert!(read(&file, 0, 4_000_000).await == content);
    assert!(read(&file, 1_234_567, 1_000_000).await == content[1_234_567..2_234_567]);
}

async fn reads_and_writes_of_several_tasks_do_not_mix(setting: Setting) {
    let file = create(&setting, &[]).await;
    let start = |number: u8| {
        let file = file.clone();
        setting.reactor.spawn(Queue::Client, async move {
            let offset = u64::from(number) * 1500;
            for round in 0..5 {
                file.write_at(&[number + round; 1500], offset).expect("is written");
                file.sync_data().await.expect("is synced");
                let content = file.read_at(vec![0; 1500], offset).await.expect("is read");
                assert_eq!(content, [number + round; 1500]);
            }
        })
    };
    let tasks: Vec<_> = (0..20).map(start).collect();
    for task in tasks {
        task.await;
    }
}

async fn an_open_file_outlives_its_name(setting: Setting) {
    let file = create(&setting, b"content").await;
    setting.disk().remove_file(&setting.path("file")).await.expect("is removed");
    file.write_at(b"C", 0).expect("is written");
    assert_eq!(read(&file, 0, 10).await, b"Content");
    let new = create(&setting, b"new").await;
    assert_eq!(read(&new, 0, 10).await, b"new");
}
