//! The shard's io_uring: submissions, completions, and who waits for each.
//!
//! The rule that keeps memory safe: whatever the kernel may touch belongs to the operation's slot, or to a future that
//! hands it to the slot when dropped, until the last completion of the operation has been taken.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Submitter, cqueue, opcode, squeue};

use super::buffers::Buffers;
use super::fixed::FixedTable;
use super::receive::Receiving;
use super::slab::{Key, Slab};
use super::{Shard, ShardConfig};

/// `user_data` of operations whose completion nobody waits for: cancellations, and the poll of the bell.
const NOBODY: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;

/// One completion: `user_data`, result, flags.
type Completion = (u64, i32, u32);

/// Takes the completions of an operation that has many.
pub(super) trait Multishot {
    /// One more completion; the last one unless `flags` say that more follow.
    fn completed(self: Rc<Self>, shard: &Rc<Shard>, result: i32, flags: u32);
}

pub(super) enum Slot {
    /// One completion, for an [`super::op::Op`].
    Waiting(Option<Waker>),
    Done(i32),
    /// Its future is gone: what the kernel may still touch, and whether the result is a descriptor to close.
    Abandoned {
        _resources: Box<dyn Any>,
        yields_descriptor: bool,
    },
    Multishot(Rc<dyn Multishot>),
}

/// See the module.
pub(super) struct Ring {
    uring: RefCell<IoUring>,
    /// Completions taken from the kernel and not yet handed out: what one reap finds, at most.
    taken: RefCell<VecDeque<Completion>>,
    pub(super) slots: RefCell<Slab<Slot>>,
    pub(super) buffers: Rc<Buffers>,
    /// The table of registered buffers for direct writes.
    fixed: RefCell<FixedTable>,
    /// Operations without their last completion; the bell and cancellations, which own nothing, not counted.
    in_flight: Cell<usize>,
    ending: Cell<bool>,
    /// Receives that found no free buffer. Each stream is here once at most.
    pub(super) starved: RefCell<Vec<Weak<Receiving>>>,
}

/// The kernel gives a ring's workers every CPU of the host (of the control group, to be exact), whatever taskset(1) or
/// CPUAffinity= in a systemd unit said to the process.
fn keep_workers_on(submitter: &Submitter<'_>, cpus: &[usize]) {
    // SAFETY: a set of CPUs is bits, and empty without any.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET checks the bounds of the set.
    cpus.iter().for_each(|cpu| unsafe { libc::CPU_SET(*cpu, &mut set) });
    // Everything works wherever they run: a CPU that the control group took away a moment ago is no reason to refuse the start.
    let _ = submitter.register_iowq_aff(&set);
}

impl Ring {
    /// A ring of the calling thread, which alone may use it.
    pub(super) fn new(config: &ShardConfig) -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(config.ring_entries * 4)
            .build(config.ring_entries)?;
        keep_workers_on(&uring.submitter(), &config.worker_cpus);
        let buffers = Buffers::register(&uring.submitter(), config)?;
        let fixed = RefCell::new(FixedTable::register(&uring.submitter()));
        let (uring, slots) = (RefCell::new(uring), RefCell::new(Slab::new()));
        let (buffers, in_flight, ending) = (Rc::new(buffers), Cell::new(0), Cell::new(false));
        let starved = RefCell::new(Vec::new());
        let taken = RefCell::new(VecDeque::with_capacity(config.ring_entries as usize));
        Ok(Self { uring, taken, slots, buffers, fixed, in_flight, ending, starved })
    }

    /// Lets `bell` end a wait of this ring. Edge-triggered: nobody has to read the bell.
    pub(super) fn poll_bell(&self, bell: &OwnedFd) {
        let poll = opcode::PollAdd::new(Fd(bell.as_raw_fd()), libc::POLLIN as u32).multi(true);
        // SAFETY: polls touch no memory, and the bell lives as long as the shard's inbox.
        unsafe { self.push(&poll.build().user_data(BELL)) };
    }

    /// Queues an operation for the next submit; with a full queue submits at once to make room.
    ///
    /// # Safety
    /// What `entry` points to must stay until its last completion.
    unsafe fn push(&self, entry: &squeue::Entry) {
        let mut uring = self.uring.borrow_mut();
        // SAFETY: as our caller promises.
        while unsafe { uring.submission().push(entry) }.is_err() {
            // The kernel may refuse while it has no room for completions, which cannot be handed out from within a task.
            take_completions(&mut uring, &mut self.taken.borrow_mut());
            tolerate(uring.submit());
        }
    }

    /// Starts an operation for `slot` and gives its key.
    ///
    /// # Safety
    /// As [`Ring::push`].
    pub(super) unsafe fn start(&self, entry: squeue::Entry, slot: Slot) -> Key {
        let key = self.slots.borrow_mut().insert(slot);
        self.in_flight.set(self.in_flight.get() + 1);
        // SAFETY: as our caller promises.
        unsafe { self.push(&entry.user_data(key.as_u64())) };
        key
    }

    /// Starts an operation whose end interests nobody, with what it needs until then.
    ///
    /// # Safety
    /// As [`super::Shard::start`].
    pub(super) unsafe fn start_detached<R: 'static>(&self, entry: squeue::Entry, resources: R) {
        let _resources: Box<dyn Any> = Box::new(resources);
        // SAFETY: as our caller promises; the slot holds the resources until the completion.
        unsafe { self.start(entry, Slot::Abandoned { _resources, yields_descriptor: false }) };
    }

    /// Puts memory into the table of registered buffers, or has no place for it.
    ///
    /// # Safety
    /// The memory must stay until [`Ring::unregister_buffer`].
    pub(super) unsafe fn register_buffer(&self, start: *mut u8, len: usize) -> Option<u16> {
        let uring = self.uring.borrow();
        // SAFETY: as our caller promises.
        unsafe { self.fixed.borrow_mut().add(&uring.submitter(), start, len) }
    }

    /// Takes memory out of the table again. No operation may use it any more.
    pub(super) fn unregister_buffer(&self, index: u16) {
        self.fixed.borrow_mut().remove(&self.uring.borrow().submitter(), index);
    }

    /// Asks the kernel to end an operation early. It still completes.
    pub(super) fn cancel(&self, key: Key) {
        let cancel = opcode::AsyncCancel::new(key.as_u64()).build().user_data(NOBODY);
        // SAFETY: a cancellation points to nothing.
        unsafe { self.push(&cancel) };
    }

    /// Asks the kernel to end everything, for the end of the shard.
    pub(super) fn cancel_all(&self) {
        self.ending.set(true);
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(NOBODY);
        // SAFETY: a cancellation points to nothing.
        unsafe { self.push(&cancel) };
    }

    /// Whether no operation may follow one that has ended.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Submits what is queued, and lets the kernel finish deferred work, if there is either.
    pub(super) fn submit(&self) {
        let mut uring = self.uring.borrow_mut();
        let queue = uring.submission();
        let needed = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
        drop(queue);
        if needed {
            tolerate(uring.submit());
        }
    }

    /// Submits what is queued and waits for a completion, at most `timeout`. Deferred completions (DEFER_TASKRUN) appear
    /// in here.
    pub(super) fn submit_and_wait(&self, timeout: Option<Duration>) {
        let uring = self.uring.borrow();
        match timeout {
            None => tolerate(uring.submit_and_wait(1)),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                let args = SubmitArgs::new().timespec(&timeout);
                tolerate(uring.submitter().submit_with_args(1, &args));
            }
        }
    }

    /// Whether completions were taken and not yet handed out.
    pub(super) fn has_taken(&self) -> bool {
        !self.taken.borrow().is_empty()
    }

    /// Whether completions wait to be taken, or for the kernel to be let.
    pub(super) fn has_completions(&self) -> bool {
        let mut uring = self.uring.borrow_mut();
        self.has_taken() || !uring.completion().is_empty() || uring.submission().taskrun()
    }

    /// The next completion, in order.
    pub(super) fn next_completion(&self) -> Option<Completion> {
        let mut taken = self.taken.borrow_mut();
        if taken.is_empty() {
            take_completions(&mut self.uring.borrow_mut(), &mut taken);
        }
        taken.pop_front()
    }

    /// Hands a completion to who waits for it.
    pub(super) fn complete(&self, shard: &Rc<Shard>, (user_data, result, flags): Completion) {
        match user_data {
            NOBODY => return,
            BELL if cqueue::more(flags) => return,
            BELL if self.is_ending() => return,
            BELL => return self.poll_bell(shard.inbox.bell()),
            _ => {}
        }
        let key = Key::from_u64(user_data);
        let last = !cqueue::more(flags);
        if last {
            let in_flight = self.in_flight.get();
            assert!(in_flight > 0, "each operation has one last completion");
            self.in_flight.set(in_flight - 1);
        }
        let mut slots = self.slots.borrow_mut();
        let slot =
            slots.get_mut(key).expect("an operation keeps its slot until its last completion");
        match slot {
            Slot::Waiting(waker) => {
                let waker = waker.take();
                *slot = Slot::Done(result);
                drop(slots);
                waker.into_iter().for_each(Waker::wake);
            }
            Slot::Done(_) => unreachable!("a single operation completes once"),
            Slot::Abandoned { .. } => {
                let abandoned = slots.remove(key);
                drop(slots);
                discard(abandoned, result);
            }
            Slot::Multishot(receiver) => {
                let receiver = receiver.clone();
                if last {
                    drop(slots.remove(key));
                }
                drop(slots);
                receiver.completed(shard, result, flags);
            }
        }
    }
}

/// Moves every completion there is to `taken`.
fn take_completions(uring: &mut IoUring, taken: &mut VecDeque<Completion>) {
    let completions = uring.completion();
    taken.extend(completions.map(|entry| (entry.user_data(), entry.result(), entry.flags())));
}

/// Lets go of what an abandoned operation owned, among it a descriptor that it opened for nobody.
fn discard(slot: Option<Slot>, result: i32) {
    if let Some(Slot::Abandoned { yields_descriptor: true, .. }) = slot
        && result >= 0
    {
        // SAFETY: the kernel just gave this descriptor to us, and nobody else knows it.
        drop(unsafe { OwnedFd::from_raw_fd(result) });
    }
}

/// A wait may end without a completion (timeout, signal), and a submit may be refused for now (completions must be taken
/// first, or memory is short): the loop comes back in each case. Anything else is a misuse of the ring by us.
fn tolerate(entered: io::Result<usize>) {
    const PASSING: [i32; 4] = [libc::ETIME, libc::EINTR, libc::EBUSY, libc::EAGAIN];
    if let Err(error) = entered {
        let passing = error.raw_os_error().is_some_and(|code| PASSING.contains(&code));
        assert!(passing, "io_uring_enter: {error}");
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Only when the kernel did not end an operation in time: its memory must then stay, for good.
        if self.in_flight.get() > 0 {
            tracing::error!("{} operations did not end with their shard", self.in_flight.get());
            std::mem::forget(self.slots.replace(Slab::new()));
            std::mem::forget(self.buffers.clone());
        }
    }
}
