//! The bound on open descriptors: logs open the files of their active segment when they are appended to, and those of another
//! when it is read, and close them when they were not used for a while, or when others need the room (a clock: who was used
//! since the hand came by gets a second chance).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use ringlane_reactor::Reactor;

use crate::log::{Log, Shared};
use crate::turnstile::{Turn, Turnstile};

/// So many logs are looked at before other tasks get their turn.
const LOOKS_PER_TURN: usize = 32;

/// So many logs open their files at the same time.
const OPENING_MAX: usize = 64;

/// The logs that have open files, each once.
pub(super) struct OpenFiles {
    max: usize,
    /// A log counts once its files are open. Each of these is passed by one log after the other that opens its own, so that a
    /// request for many does not have them all open before any is counted.
    lanes: Vec<Turnstile>,
    next_lane: Cell<usize>,
    logs: RefCell<VecDeque<Weak<Shared>>>,
}

impl OpenFiles {
    pub(super) fn new(max: usize) -> Self {
        assert!(max > 0, "a log that is appended to has open files");
        let lanes = (0..(max / 4).clamp(1, OPENING_MAX)).map(|_| Turnstile::default()).collect();
        Self { max, lanes, next_lane: Cell::new(0), logs: RefCell::default() }
    }

    /// Takes note of a log that has just opened files, and closes others where they are too many: never this one's, which
    /// may be about to write.
    pub(super) fn opened(&self, log: &Log) {
        if !log.watch_files() {
            return;
        }
        let mut looks = 2 * self.logs.borrow().len();
        while self.logs.borrow().len() >= self.max && looks > 0 {
            self.pass();
            looks -= 1;
        }
        self.logs.borrow_mut().push_back(Rc::downgrade(&log.0));
    }

    /// The hand passes over every log once, and others get their turn on its way.
    pub(super) async fn close_idle(&self, reactor: &Reactor) {
        let looks = self.logs.borrow().len();
        for look in 1..=looks {
            self.pass();
            if look % LOOKS_PER_TURN == 0 {
                reactor.yield_now().await;
            }
        }
    }

    fn pass(&self) {
        let next = self.logs.borrow_mut().pop_front();
        let Some(log) = next.and_then(|log| log.upgrade()) else { return };
        if !Log(log.clone()).close_files_if_unused() {
            self.logs.borrow_mut().push_back(Rc::downgrade(&log));
        }
    }
}

impl super::LogManager {
    /// Of `wanted` logs, how many may be worked on at the same time where that opens their files.
    pub fn at_a_time(&self, wanted: usize) -> usize {
        wanted.min(self.0.open_files.max)
    }

    /// How many logs have open files.
    pub fn open_log_count(&self) -> usize {
        self.0.open_files.logs.borrow().len()
    }

    /// Waits until it is a log's turn to open its files.
    pub(crate) async fn turn_to_open(&self) -> Turn<'_> {
        let files = &self.0.open_files;
        let lane = files.next_lane.replace((files.next_lane.get() + 1) % files.lanes.len());
        files.lanes[lane].enter().await
    }

    /// A log has opened the files of a segment.
    pub(crate) fn opened_files(&self, log: &Log) {
        self.0.open_files.opened(log);
    }
}
