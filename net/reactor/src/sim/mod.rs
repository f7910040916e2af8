//! The simulation (skeleton: signatures only).
#![expect(clippy::unimplemented, dead_code, unused_variables, reason = "being written")]
use crate::file::{DirEntry, Metadata, OpenOptions};
use crate::{Instant, Queue, ShardId};
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub(crate) struct Shard;
impl Shard {
    pub(crate) fn id(&self) -> ShardId { unimplemented!() }
    pub(crate) fn shard_count(&self) -> u16 { unimplemented!() }
    pub(crate) fn now(&self) -> Instant { unimplemented!() }
    pub(crate) fn wall_clock_ms(&self) -> i64 { unimplemented!() }
    pub(crate) fn random_u64(&self) -> u64 { unimplemented!() }
    pub(crate) fn sleep_until(self: &Rc<Self>, deadline: Instant) -> Sleep { unimplemented!() }
    pub(crate) fn spawn(self: &Rc<Self>, queue: Queue, body: Pin<Box<dyn Future<Output = ()>>>) -> TaskHandle { unimplemented!() }
    pub(crate) async fn terminated(&self) { unimplemented!() }
    pub(crate) async fn create_dir_all(&self, path: &Path) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn remove_file(&self, path: &Path) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn remove_dir_all(&self, path: &Path) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> { unimplemented!() }
    pub(crate) async fn metadata(&self, path: &Path) -> io::Result<Metadata> { unimplemented!() }
    pub(crate) async fn sync_dir(&self, path: &Path) -> io::Result<()> { unimplemented!() }
}
pub(crate) struct TaskHandle;
impl TaskHandle { pub(crate) fn detach(self) { unimplemented!() } }
pub(crate) struct Sleep;
impl Future for Sleep { type Output = (); fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> { unimplemented!() } }
#[derive(Clone)]
pub(crate) struct File;
impl File {
    pub(crate) async fn open(shard: &Rc<Shard>, path: &Path, options: OpenOptions) -> io::Result<Self> { unimplemented!() }
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn read_at(&self, buffer: Vec<u8>, offset: u64) -> io::Result<Vec<u8>> { unimplemented!() }
    pub(crate) fn read_resident(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> { unimplemented!() }
    pub(crate) async fn sync_data(&self) -> io::Result<()> { unimplemented!() }
    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> { unimplemented!() }
    pub(crate) async fn reserve(&self, len: u64) -> io::Result<()> { unimplemented!() }
    pub(crate) fn len(&self) -> io::Result<u64> { unimplemented!() }
}
pub(crate) struct FileLock;
impl FileLock { pub(crate) async fn take(shard: &Rc<Shard>, path: &Path) -> io::Result<Self> { unimplemented!() } }
#[derive(Clone)]
pub(crate) struct Stream;
impl Stream {
    pub(crate) async fn connect(shard: &Rc<Shard>, address: SocketAddr) -> io::Result<Self> { unimplemented!() }
    pub(crate) fn peer(&self) -> SocketAddr { unimplemented!() }
    pub(crate) fn local(&self) -> SocketAddr { unimplemented!() }
    pub(crate) async fn read(&self) -> io::Result<Vec<u8>> { unimplemented!() }
    pub(crate) async fn write_all(&self, parts: Vec<Bytes>) -> io::Result<()> { unimplemented!() }
    pub(crate) fn shutdown(&self) { unimplemented!() }
}
pub(crate) struct Listener;
impl Listener {
    pub(crate) fn open(shard: &Rc<Shard>, address: SocketAddr, backlog: u32) -> io::Result<Self> { unimplemented!() }
    pub(crate) async fn accept(&self) -> io::Result<Stream> { unimplemented!() }
}
