//! Where groups and zeros meet in a new file.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ringlane_reactor::sim::{Options, Simulation};

use super::*;

const KIB: u64 = 1024;

fn block(room: Room) -> Option<(u32, u32)> {
    match room {
        Room::At(place, _) => Some((place.file, place.block)),
        Room::AfterZeros => None,
        Room::None => panic!("there is room"),
    }
}

fn begin(files: &mut Files) -> Option<(usize, Range<u64>)> {
    let index = files.wants_zeros()?;
    let (_, zeros) = files.begin_zeros(index, 16 * KIB);
    Some((index, zeros.start / KIB..zeros.end / KIB))
}

#[test]
fn zeros_run_ahead_of_the_groups() {
    let mut simulation = Simulation::new(Options::seed(1));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, |reactor| async move {
        let config = JournalConfig { file_bytes: 64 * KIB, files: 2, group_bytes_max: 16 << 10 };
        let dir = Path::new("/journal");
        let mut files =
            Files::open(&reactor.disk(), dir, (1, 0), &config).await.expect("a good disk");
        assert_eq!(begin(&mut files), Some((0, 0..16)));
        assert_eq!(block(files.place(4 * KIB, 1)), None, "zeros are on their way");
        files.end_zeros(0);
        assert_eq!(block(files.place(4 * KIB, 1)), Some((0, 0)), "behind them it goes");
        assert_eq!(begin(&mut files), Some((0, 16..32)), "they go on in the file of the groups");
        assert_eq!(block(files.place(12 * KIB, 2)), Some((0, 1)), "as far as zeros are written");
        assert_eq!(block(files.place(4 * KIB, 3)), None, "and not farther");
        files.end_zeros(0);
        assert_eq!(block(files.place(32 * KIB, 3)), Some((0, 4)), "a quicker group passes them");
        assert_eq!(begin(&mut files), Some((0, 48..64)), "and they go on behind it");
        files.end_zeros(0);
        assert_eq!(begin(&mut files), Some((1, 0..16)), "then in the next file");
        files.end_zeros(1);
        assert_eq!(block(files.place(32 * KIB, 4)), Some((1, 0)), "the first file is full");
        assert_eq!(begin(&mut files), Some((1, 32..48)));
        files.give_up_zeros(1);
        assert_eq!(begin(&mut files), None, "what cannot be filled is used as it is");
    });
}

#[test]
fn zeros_are_written_to_one_file_ahead() {
    let mut simulation = Simulation::new(Options::seed(1));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, |reactor| async move {
        let config = JournalConfig { file_bytes: 16 * KIB, files: 4, group_bytes_max: 4 << 10 };
        let open =
            async || Files::open(&reactor.disk(), Path::new("/journal"), (1, 0), &config).await;
        let mut files = open().await.expect("a good disk");
        let fill = async |files: &mut Files| {
            let index = files.wants_zeros()?;
            let (file, zeros) = files.begin_zeros(index, 16 * KIB);
            let buffer = reactor.direct_buffer(16 << 10);
            file.write(buffer, 16 << 10, zeros.start).await.0.expect("a good disk");
            files.end_zeros(index);
            Some(index)
        };
        assert_eq!(fill(&mut files).await, Some(0));
        // A group that fills its file, where it goes, whether all groups before it are trimmed then, and where zeros go next.
        let steps = [(1, 0, false, Some(1)), (2, 1, true, None), (3, 0, false, Some(2))];
        for (sequence, file, trims, zeros) in steps {
            assert_eq!(block(files.place(16 * KIB, sequence)), Some((file, 0)), "group {sequence}");
            if trims {
                files.trim(sequence);
            }
            assert_eq!(fill(&mut files).await, zeros, "behind group {sequence}");
            assert_eq!(files.wants_zeros(), None, "one is enough");
        }
        files.let_go();
        let files = open().await.expect("a good disk");
        let written: Vec<u64> = files.files.iter().map(|file| file.written_once / KIB).collect();
        assert_eq!(written, [16, 16, 16, 0], "found again");
    });
}

#[test]
fn trimming_is_wanted_when_half_of_the_files_are_full() {
    let mut simulation = Simulation::new(Options::seed(1));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, |reactor| async move {
        for (files, expected) in [(2, 1), (3, 1), (4, 2), (6, 3)] {
            let config = JournalConfig { file_bytes: 64 * KIB, files, group_bytes_max: 16 << 10 };
            let dir = PathBuf::from(format!("/journal-{files}"));
            let mut files =
                Files::open(&reactor.disk(), &dir, (1, 0), &config).await.expect("a good disk");
            let mut sequence = 0;
            while !files.want_trimming() {
                sequence += 1;
                block(files.place(32 * KIB, sequence)).expect("no zeros are on their way");
            }
            assert_eq!(files.full_count(), expected);
        }
    });
}

/// A start that found no group as new as one that was acknowledged would take the journal for emptied.
#[test]
fn the_newest_group_is_not_written_over() {
    let mut simulation = Simulation::new(Options::seed(1));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, |reactor| async move {
        let config = JournalConfig { file_bytes: 64 * KIB, files: 3, group_bytes_max: 16 << 10 };
        let dir = Path::new("/journal");
        let mut files =
            Files::open(&reactor.disk(), dir, (1, 0), &config).await.expect("a good disk");
        let mut newest = None;
        for sequence in 1..20 {
            let place = block(files.place(64 * KIB, sequence)).expect("no zeros are on their way");
            assert_ne!(newest, Some(place.0), "of group {}", sequence - 1);
            newest = Some(place.0);
            files.trim(sequence + 1);
        }
    });
}
