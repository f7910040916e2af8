//! What a story does to a world from outside: faults, partitions, clocks, and the disks as an oracle sees them.

use std::io;
use std::path::Path;

use super::{ClockFaults, DiskFaults, HostId, NetworkFaults, Simulation};

impl Simulation {
    /// Holds everything between two hosts, both ways.
    pub fn partition(&mut self, a: HostId, b: HostId) {
        self.partition_one_way(a, b);
        self.partition_one_way(b, a);
    }

    /// Holds everything that `from` sends to `to`.
    pub fn partition_one_way(&mut self, from: HostId, to: HostId) {
        self.world.network.borrow_mut().partition(from, to);
    }

    /// Ends a partition of two hosts, either way.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        let mut network = self.world.network.borrow_mut();
        let timeline = &mut self.world.timeline.borrow_mut();
        network.heal(a, b, timeline);
        network.heal(b, a, timeline);
    }

    /// From now on the network fails like this.
    pub fn set_network_faults(&mut self, faults: NetworkFaults) {
        self.world.network.borrow_mut().set_faults(faults);
    }

    /// From now on the disk of `host` fails like this.
    pub fn set_disk_faults(&mut self, host: HostId, faults: DiskFaults) {
        self.world.with_host(host, |host| host.disk.set_faults(faults));
    }

    /// How the disk of `host` fails now.
    pub fn disk_faults(&self, host: HostId) -> DiskFaults {
        self.world.with_host(host, |host| host.disk.faults())
    }

    /// The device fails on which `directory` of `host` lies: from now on everything in there is EIO, until
    /// [`Simulation::mend_directories`].
    ///
    /// # Errors
    /// `NotFound`.
    pub fn fail_directory(&self, host: HostId, directory: impl AsRef<Path>) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.fail_below(directory.as_ref()))
    }

    /// The file or directory `path` of `host` may not be changed from now on (`chattr +i`): EPERM, until
    /// [`Simulation::mend_directories`].
    ///
    /// # Errors
    /// `NotFound`.
    pub fn seal(&self, host: HostId, path: impl AsRef<Path>) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.seal(path.as_ref()))
    }

    /// All devices of `host` work again, and everything may be changed.
    pub fn mend_directories(&mut self, host: HostId) {
        self.world.with_host(host, |host| host.disk.mend());
    }

    /// From now on the wall clock of `host` errs like this.
    pub fn set_clock_faults(&mut self, host: HostId, faults: ClockFaults) {
        self.world.with_host(host, |host| host.wall_clock.set_faults(faults));
    }

    /// Moves the wall clock of `host` by `by_ms`, forwards or backwards.
    pub fn jump_wall_clock(&mut self, host: HostId, by_ms: i64) {
        self.world.with_host(host, |host| host.wall_clock.jump(by_ms));
    }

    /// From its next start on `host` runs `shards` shards: another number of cores.
    ///
    /// # Panics
    /// When it is to have none.
    pub fn set_shards(&mut self, host: HostId, shards: u16) {
        assert!(shards > 0, "a host has at least one shard");
        self.world.with_host(host, |host| host.shard_count = shards);
    }

    // The disk from outside, past all faults and at once: for stories and oracles.

    /// The paths of all files on the disk of `host`, in order.
    pub fn files(&self, host: HostId) -> Vec<String> {
        self.world.with_host(host, |host| host.disk.paths())
    }

    /// The bytes that the files on the disk of `host` take or have reserved.
    pub fn disk_bytes(&self, host: HostId) -> u64 {
        self.world.with_host(host, |host| host.disk.used_bytes())
    }

    /// A file as processes see it.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    pub fn read_file(&self, host: HostId, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.world.with_host(host, |host| host.disk.content(path.as_ref()))
    }

    /// Puts a file there, with its directories, all durable.
    ///
    /// # Errors
    /// `IsADirectory`, `NotADirectory`.
    pub fn write_file(
        &mut self,
        host: HostId,
        path: impl AsRef<Path>,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.put(path.as_ref(), bytes))
    }

    /// Puts a directory there, durable, as a mount point is.
    ///
    /// # Errors
    /// `NotADirectory`.
    pub fn create_dir(&mut self, host: HostId, path: impl AsRef<Path>) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.put_directory(path.as_ref()))
    }

    /// Removes a file, durably.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    pub fn remove_file(&mut self, host: HostId, path: impl AsRef<Path>) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.remove(path.as_ref()))
    }

    /// Flips one bit of the byte at `offset`, in the cache and on the device.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` behind the end of the file.
    pub fn corrupt(&mut self, host: HostId, path: impl AsRef<Path>, offset: u64) -> io::Result<()> {
        self.world.with_host(host, |host| host.disk.decay(path.as_ref(), offset))
    }
}
