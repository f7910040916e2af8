//! Disks that lie: syncs that write nothing, pages that go astray, bits that flip. A single replica may lose records to
//! them. It must notice: every record that was acknowledged is served as it was appended, or refused with an error.

use std::cell::Cell;
use std::rc::Rc;

use ringlane_batch::{Offset, batches};
use ringlane_reactor::Rng;
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_storage::{Log, ReadError, StorageError};

use crate::common::{durable, each_seed, seeds};
use crate::found::rows_of;
use crate::process::{Process, data};
use crate::roles::Role;
use crate::told::Told;
use crate::world::World;

const SEEDS: u64 = 200;

/// What a checksum does not cover, as the leader stamps it: base offset and leader epoch (decision 7 has the limits).
fn is_covered(byte: usize) -> bool {
    !matches!(byte, 0..8 | 12..16)
}

/// Some honest work, some on a disk with `faults`, and some that is honest again: what was lost lies in the middle.
fn live(world: &mut World, faults: DiskFaults, rng: &mut Rng) {
    let (host, seed) = (world.host, rng.next_u64());
    let mut process = world.boot(1, seed, |start| async move {
        let mut process = Process::start(start).await;
        process.work(20).await;
        process
    });
    for (faults, steps) in [(faults, 40), (DiskFaults::default(), 12)] {
        world.simulation.set_disk_faults(host, faults);
        let mut before = process.take().expect("nothing interrupts it");
        process = world
            .simulation
            .try_block_on(host, move |_| async move {
                before.work(steps).await;
                before
            })
            .ok();
    }
    let last = process.take().expect("nothing interrupts it");
    world.simulation.block_on(host, move |_| async move {
        let mut process = last;
        // Two groups with each log behind all lies: the end of the journal is true.
        for _ in 0..2 {
            for number in 0..process.logs.len() {
                process.append(number).await;
                durable(&process.logs[number]).await;
                process.look(number);
            }
        }
    });
    world.simulation.crash(host, CrashKind::Power);
}

/// Reads every acknowledged record. How many are refused.
async fn audit(log: &Log, told: &Told) -> u64 {
    let (mut at, mut refused) = (0, 0);
    while at < told.acknowledged_end {
        let read = match log.read(Offset(at), 1, Offset(i64::MAX), true).await {
            Ok(read) => read,
            Err(ReadError::Damaged(_) | ReadError::Disk(_)) => {
                (at, refused) = (at + 1, refused + 1);
                continue;
            }
            Err(error) => panic!("offset {at} was acknowledged, and passes for none: {error}"),
        };
        let bytes = read.batches.concat();
        let batch = batches(&bytes).next().expect("an acknowledged record").expect("a batch");
        let (first, end) = (batch.base_offset().0, batch.next_offset().0);
        assert!(first <= at, "a read from {at}, which was acknowledged, begins at {first}");
        for (offset, row) in rows_of(&batch) {
            assert_eq!(Some(&row), told.rows.get(offset as usize), "what is at {offset}");
        }
        at = end;
    }
    refused
}

/// Whether a flip hit a byte of a log that no checksum covers.
fn has_unchecked_damage(world: &World, number: usize) -> bool {
    let (told, host) = (&world.told.borrow()[number], world.host);
    let dir = format!("{}/orders-{number}/", data().display());
    let files = world.simulation.files(host).into_iter();
    let segments = files.filter(|path| path.starts_with(&dir) && path.ends_with(".log"));
    segments.into_iter().any(|path| {
        let name = path[dir.len()..].strip_suffix(".log").expect("a segment");
        let base: i64 = name.parse().expect("an offset");
        let bytes = world.simulation.read_file(host, &path).expect("it is there");
        let mut at = 0;
        told.batches.iter().filter(|batch| batch.base >= base).any(|batch| {
            let header = bytes.get(at..at + 16).unwrap_or_default();
            let wanted: Vec<u8> = header_of(batch.base, batch.epoch);
            let len = header.get(8..12).map_or(0, |len| {
                12 + u32::from_be_bytes(len.try_into().expect("four bytes")) as usize
            });
            at = at.saturating_add(len.max(12));
            let differs = |byte: &usize| header[*byte] != wanted[*byte];
            (0..header.len()).filter(|byte| !is_covered(*byte)).any(|byte| differs(&byte))
        })
    })
}

/// The uncovered bytes of a batch's header, the length between them left out.
fn header_of(base: i64, epoch: i32) -> Vec<u8> {
    let mut header = base.to_be_bytes().to_vec();
    header.extend([0; 4]);
    header.extend(epoch.to_be_bytes());
    header
}

/// How many records, logs and whole starts were refused.
#[expect(clippy::await_holding_refcell_ref, reason = "one task; nobody else looks meanwhile")]
fn run(seed: u64, faults: DiskFaults) -> u64 {
    let mut rng = Rng::new(seed ^ 0x11e5);
    let mut world = World::new(Options::seed(seed), vec![Role::Kept; 3], 3);
    live(&mut world, faults, &mut rng);
    let skipped: Vec<bool> = (0..3).map(|number| has_unchecked_damage(&world, number)).collect();
    world.simulation.set_disk_faults(world.host, DiskFaults::default());
    let told = world.told.clone();
    let refused = world.boot(1, 0, move |start| async move {
        let (process, refused) = match Process::try_start(start).await {
            Ok(started) => started,
            Err(StorageError::Corrupt { .. }) => return 1,
            Err(error) => panic!("{error}"),
        };
        let mut count = refused.len() as u64;
        let numbers = (0..3).filter(|number| !refused.contains_key(number));
        for (log, number) in process.logs.iter().zip(numbers) {
            if !skipped[number] {
                let told = &told.borrow()[number];
                count += audit(log, told).await;
            }
        }
        count
    });
    refused.expect("nothing interrupts it")
}

fn lies_are_noticed(test: &str, faults: DiskFaults) {
    let refused = Rc::new(Cell::new(0));
    each_seed(test, seeds(SEEDS), |seed| refused.set(refused.get() + run(seed, faults)));
    assert!(refused.get() > 0 || seeds(SEEDS).count() < 20, "the faults have to do something");
}

#[test]
fn a_lost_sync_is_noticed() {
    lies_are_noticed("crash", DiskFaults { sync_lost_one_in: 4, ..DiskFaults::default() });
}

#[test]
fn a_flipped_bit_is_noticed() {
    lies_are_noticed("crash", DiskFaults { page_flip_one_in: 8, ..DiskFaults::default() });
}

#[test]
fn a_misdirected_page_is_noticed() {
    lies_are_noticed("crash", DiskFaults { page_astray_one_in: 3, ..DiskFaults::default() });
}
