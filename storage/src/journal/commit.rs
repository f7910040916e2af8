//! The group commit: closes the open group, writes it, tells its logs, and again, while there is something to write.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use ringlane_reactor::{DirectFile, Queue};

use super::files::Room;
use super::format::Place;
use super::group::{ClosedGroup, Member};
use super::names::file_path;
use super::{BLOCK_BYTES, Journal, State};

/// So many logs at a time have their memory fetched before it is their turn: with more, that of the first would have left the
/// nearest caches again.
pub const LOGS_PREFETCHED: usize = 16;

/// What is to be done next.
enum Step {
    /// Nothing is in the open group.
    Rest,
    /// The group needs a file and none is free, or zeros are on their way to its place.
    Wait,
    Write(Write),
}

/// A group on its way to its place.
struct Write {
    group: ClosedGroup,
    bytes: usize,
    place: Place,
    file: DirectFile,
}

impl Journal {
    /// Runs until there is nothing to write. Runs once at a time.
    pub(super) fn start_commit(&self) {
        let this = self.clone();
        self.0.reactor.spawn(Queue::Journal, async move { this.commit().await }).detach();
    }

    async fn commit(&self) {
        // Those of the group that completed last: told when the next write is on its way, so that the device does not wait
        // for what they do.
        let mut waiting = Vec::new();
        loop {
            match self.next_step() {
                Step::Rest => {
                    tell(&waiting);
                    self.0.rested.notify_all();
                    return self.0.changed.notify_all();
                }
                Step::Wait => {
                    tell(&std::mem::take(&mut waiting));
                    self.0.changed.notified().await;
                }
                Step::Write(write) => waiting = self.write(write, waiting).await,
            }
        }
    }

    fn next_step(&self) -> Step {
        let (step, ring) = {
            let mut state = self.0.state.borrow_mut();
            let full_before = state.files.full_count();
            let step = state.next_step(&self.0.reactor);
            let has_filled_one = state.files.full_count() > full_before;
            (step, has_filled_one && state.files.want_trimming())
        };
        if ring {
            self.0.checkpoint_wanted.notify_all();
        }
        if let Step::Write(write) = &step {
            if write.place.block == 0 {
                self.fill_with_zeros();
            }
            // The next group has opened: whoever waited for room has it.
            self.0.changed.notify_all();
        }
        step
    }

    /// Writes a group, and tells `before` meanwhile. Answers who is to be told of this one.
    async fn write(&self, write: Write, before: Vec<Member>) -> Vec<Member> {
        let Write { group, bytes, place, file } = write;
        let ClosedGroup { buffer, builder, members } = group;
        let at = u64::from(place.block) * BLOCK_BYTES as u64;
        let mut writing = pin!(file.write_durable(buffer, bytes, at));
        let begun = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await;
        tell(&before);
        let (written, buffer) = match begun {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => writing.await,
        };
        if let Err(error) = written {
            self.fail(members, place, &error);
            return Vec::new();
        }
        let mut state = self.0.state.borrow_mut();
        state.acknowledge(builder.sequence());
        state.open.recycle(buffer);
        state.stats.groups += 1;
        state.stats.entries += u64::from(builder.entries());
        state.stats.bytes += bytes as u64;
        members
    }

    /// Ends the journal: nothing in flight or waiting is acknowledged, and nothing more is taken. Not repeated: after an
    /// error the kernel may call a second write good whose bytes it has lost.
    fn fail(&self, in_flight: Vec<Member>, place: Place, error: &io::Error) {
        let path = file_path(&self.0.dir, self.0.shard, place.file);
        let reason = format!("cannot write the journal {}: {error}", path.display());
        let waiting = {
            let mut state = self.0.state.borrow_mut();
            state.failed = Some(reason.clone());
            state.in_flight = None;
            state.open.abandon()
        };
        let mut told = BTreeSet::new();
        for member in in_flight.iter().chain(&waiting) {
            if told.insert((member.log.topic_id, member.log.partition)) {
                member.client.journal_failed(&reason);
            }
        }
        self.0.checkpoint_wanted.notify_all();
    }
}

/// All entries that these have in their group are durable.
fn tell(members: &[Member]) {
    for some in members.chunks(LOGS_PREFETCHED) {
        some.iter().for_each(|member| member.client.prefetch());
        some.iter().for_each(|member| member.client.durable(member.log.last_log_sequence));
    }
}

impl State {
    fn next_step(&mut self, reactor: &ringlane_reactor::Reactor) -> Step {
        assert_eq!(self.in_flight, None, "one group is in flight at a time");
        if self.failed.is_some() || self.open.is_empty() {
            self.committing = false;
            return Step::Rest;
        }
        let bytes = self.open.padded_bytes();
        let (place, file) = match self.files.place(bytes as u64, self.open.sequence()) {
            Room::At(place, file) => (place, file),
            Room::AfterZeros => return Step::Wait,
            Room::None => {
                if !std::mem::replace(&mut self.waiting_for_file, true) {
                    self.stats.waits_full += 1;
                }
                return Step::Wait;
            }
        };
        self.waiting_for_file = false;
        let mut group = self.open.close(reactor);
        let written = group.builder.finish(&mut group.buffer, place);
        assert_eq!(written, bytes, "a group takes the place that was found for it");
        self.in_flight = Some(group.builder.sequence());
        Step::Write(Write { group, bytes, place, file })
    }

    /// The write of the group `sequence` has completed.
    fn acknowledge(&mut self, sequence: u64) {
        assert_eq!(self.in_flight.take(), Some(sequence), "only what is in flight completes");
        assert_eq!(self.acknowledged + 1, sequence, "groups complete in order, once each");
        self.acknowledged = sequence;
    }
}
