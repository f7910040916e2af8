//! The bound on open descriptors: logs open the files of their active segment when they are appended to, and close them when
//! they were not between two rounds, or when others need the room (a clock: who was used since the hand came by gets a
//! second chance).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::log::{Log, Shared};

/// The logs whose active segment is open.
pub(super) struct OpenFiles {
    max: usize,
    logs: RefCell<VecDeque<Weak<Shared>>>,
}

impl OpenFiles {
    pub(super) fn new(max: usize) -> Self {
        assert!(max > 0, "a log that is appended to has open files");
        Self { max, logs: RefCell::default() }
    }

    /// Takes note of a log that has just opened its files, and closes others where they are too many: never this one's,
    /// which is about to write.
    pub(super) fn opened(&self, log: &Log) {
        let opened = Rc::downgrade(&log.0);
        // A log that completed a segment is here already.
        self.logs.borrow_mut().retain(|other| !other.ptr_eq(&opened));
        let mut looks = 2 * self.logs.borrow().len();
        while self.logs.borrow().len() >= self.max && looks > 0 {
            self.pass();
            looks -= 1;
        }
        self.logs.borrow_mut().push_back(opened);
    }

    /// The hand passes over every log once.
    pub(super) fn close_idle(&self) {
        let looks = self.logs.borrow().len();
        (0..looks).for_each(|_| self.pass());
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
    /// A log has opened the files of its active segment.
    pub(crate) fn opened_files(&self, log: &Log) {
        self.0.open_files.opened(log);
    }
}
