//! Reads of the journal's files, past the page cache: a start reads each of them once, and memory that the cache had to find for them, gigabytes
//! of it, would cost more than the reading (`docs/benchmarks.md`, starts). What is read ahead is kept for the groups that follow.

use std::io;

use ringlane_reactor::{DirectBuffer, DirectFile};

/// What is read ahead at first, and at most where one read follows the other.
const AHEAD_BYTES: [usize; 2] = [64 << 10, 1 << 20];

/// A stretch of one file.
pub(super) struct Window {
    buffer: DirectBuffer,
    /// The number of the file.
    file: u32,
    at: u64,
    len: usize,
    /// It goes to the file's end.
    is_last: bool,
    ahead: usize,
}

impl Window {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        let [least, _] = AHEAD_BYTES;
        let buffer = DirectBuffer::unregistered(least);
        Self { buffer, file: 0, at: 0, len: 0, is_last: false, ahead: least }
    }

    /// `len` bytes from `at`, where a block begins; fewer at the end of the file.
    pub(super) async fn read(
        &mut self,
        number: u32,
        file: &DirectFile,
        at: u64,
        len: usize,
    ) -> io::Result<&[u8]> {
        let end = self.at + self.len as u64;
        let begins_here = number == self.file && (self.at..=end).contains(&at);
        if !begins_here || at + len as u64 > end && !self.is_last {
            let [least, most] = AHEAD_BYTES;
            self.ahead = if begins_here { (self.ahead * 2).min(most) } else { least };
            self.fill(number, file, at, len).await?;
        }
        let from = (at - self.at) as usize;
        Ok(&self.buffer[from..self.len.min(from + len)])
    }

    async fn fill(
        &mut self,
        number: u32,
        file: &DirectFile,
        at: u64,
        len: usize,
    ) -> io::Result<()> {
        let wanted = len.max(self.ahead).next_multiple_of(DirectFile::BLOCK_BYTES);
        // Of nothing, should the read fail or never end.
        self.len = 0;
        let mut buffer = std::mem::replace(&mut self.buffer, DirectBuffer::unregistered(1));
        if buffer.len() < wanted {
            buffer = DirectBuffer::unregistered(wanted);
        }
        let (read, buffer) = file.read(buffer, wanted, at).await;
        self.buffer = buffer;
        (self.file, self.at, self.len) = (number, at, read?);
        self.is_last = self.len < wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::Path;

    use ringlane_reactor::sim::{Options, Simulation};
    use ringlane_reactor::{OpenOptions, Rng};

    use super::*;

    const BLOCK: u64 = DirectFile::BLOCK_BYTES as u64;
    /// Of two files: one of whole blocks, one that is cut within one.
    const LENS: [usize; 2] = [700 << 12, (90 << 12) + 77];

    fn byte(file: usize, at: usize) -> u8 {
        (at / 1000 + at + file) as u8
    }

    #[test]
    fn what_is_read_is_what_lies_there() {
        let mut simulation = Simulation::new(Options::seed(1));
        let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
        let contents: Vec<Vec<u8>> =
            (0..2).map(|file| (0..LENS[file]).map(|at| byte(file, at)).collect()).collect();
        for (file, content) in contents.iter().enumerate() {
            simulation.write_file(host, format!("/{file}"), content).expect("room");
        }
        simulation.block_on(host, |reactor| async move {
            let mut files = Vec::new();
            for file in 0..2 {
                let path = format!("/{file}");
                let opened = reactor.disk().open_direct(Path::new(&path), OpenOptions::READ).await;
                files.push(opened.expect("it is there"));
            }
            let (mut window, mut rng, mut next) = (Window::new(), Rng::new(7), (0, 0));
            for _ in 0..3000 {
                // One behind the other for the most part, as groups lie.
                let (file, at) = match rng.below(4) {
                    0 => (rng.below(2) as usize, rng.below(720) * BLOCK),
                    _ => next,
                };
                let bits = rng.below(22);
                let len = 1 + rng.below(1 << bits) as usize;
                let found =
                    window.read(file as u32, &files[file], at, len).await.expect("it reads");
                let content = &contents[file];
                let (from, to) = (at as usize, content.len().min(at as usize + len));
                assert_eq!(found, content.get(from..to).unwrap_or_default(), "{len} at {at}");
                next = (file, at + (len as u64).next_multiple_of(BLOCK));
            }
        });
    }
}
