//! The timing of direct writes and of the sync of a file system, whose effects are in `disk/`.

use std::future::pending;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::disk::Disk;
use super::file::{File, Op};
use super::shard::Shard;
use crate::direct::DirectBuffer;
use crate::{Queue, Space, oneshot};

impl Shard {
    pub(crate) fn space(self: &Rc<Self>, path: &Path) -> io::Result<Space> {
        self.disk(Op::Names, [0; 3], |disk| disk.space(path))
    }

    /// A failed sync tells everybody here.
    pub(crate) async fn watch_file_system(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.metadata(path).await.map(drop)
    }

    /// It covers what came before it began, whatever is written while it runs.
    pub(crate) async fn sync_file_system(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.alive().await;
        let started = self.disk(Op::Sync, [5, 0, 0], |disk| disk.start_sync_file_system(path))?;
        let Some(sync) = started else { return pending().await };
        let (latency, _) = self.world().with_host(self.host(), |host| host.disk.latency());
        self.pause(latency).await;
        self.disk(Op::Sync, [6, 0, 0], |disk| disk.end_sync_file_system(&sync))
    }
}

impl File {
    pub(crate) fn writes_in_place(&self) -> io::Result<bool> {
        let copies = self.disk(Op::Direct, [0, 1], |disk| disk.faults().copies_on_write);
        Ok(!copies)
    }

    pub(crate) async fn write_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
        durable: bool,
    ) -> (io::Result<()>, DirectBuffer) {
        (self.write_in_time(&buffer[..len], offset, durable).await, buffer)
    }

    pub(crate) async fn read_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<usize>, DirectBuffer) {
        let (shard, inode) = (&self.0.shard, self.0.inode);
        let mut buffer = buffer;
        let target = &mut buffer[..len];
        let read = |disk: &mut Disk| disk.read(inode, offset, target);
        let read = shard.device(Op::Read, [inode, offset, len as u64], read).await;
        (read, buffer)
    }

    pub(crate) async fn write_behind(&self, bytes: Rc<Vec<u8>>, offset: u64) -> io::Result<()> {
        self.write_in_time(&bytes, offset, false).await
    }

    /// The write is the device's from its start: it completes in a task of its own, also when nobody waits any more.
    async fn write_in_time(&self, bytes: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        let (shard, inode) = (&self.0.shard, self.0.inode);
        shard.alive().await;
        if bytes.is_empty() {
            return Ok(());
        }
        self.may_write()?;
        let started = self.disk(Op::Direct, [offset, bytes.len() as u64], |disk| {
            disk.start_direct_write(inode, offset, bytes, durable)
        })?;
        let Some(number) = started else { return pending().await };
        let (latency, _) = shard.world().with_host(shard.host(), |host| host.disk.latency());
        let (sender, receiver) = oneshot();
        let file = self.clone();
        let completes = async move {
            file.0.shard.pause(latency).await;
            file.0.shard.alive().await;
            let abandoned = sender.is_closed();
            let result = file.disk(Op::Direct, [number, u64::from(abandoned)], |disk| {
                disk.end_direct_write(number, abandoned)
            });
            let _ = sender.send(result);
        };
        shard.spawn(Queue::Background, Box::pin(completes)).detach();
        match receiver.await {
            Some(result) => result,
            // Its shard ends, and this task with it.
            None => pending().await,
        }
    }

    /// A write on its way holds the file, and with it the lock.
    pub(crate) fn try_lock(&self) -> io::Result<()> {
        if self.0.lock.get().is_none() {
            let locked = self.disk(Op::Lock, [0, 1], |disk| disk.lock_open(self.0.inode))?;
            self.0.lock.set(Some(locked));
        }
        Ok(())
    }

    pub(crate) async fn allocate(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        let (shard, inode) = (&self.0.shard, self.0.inode);
        shard.device(Op::SetLen, [inode, len, 2], |disk| disk.allocate(inode, len)).await
    }

    pub(crate) fn start_write_back(&self, offset: u64, len: u64) {
        if self.0.shard.is_alive() {
            self.disk(Op::WriteBack, [offset, len], |disk| {
                disk.write_back(self.0.inode, offset, len);
            });
        }
    }
}
