//! Virtual time: it stands still while any task is ready and then leaps to the next event. Timers, and the wall clocks that
//! disagree with it.
//!
//! Fault rules of the clocks: the monotonic clock is always right and the same on every host. A host's wall clock starts up
//! to `skew_ms_max` away from the true time; once in `jump_one_in` readings it first jumps by up to `jump_ms_max`, forwards
//! or backwards, and stays there.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::network::NetworkEvent;
use super::shard::Shard;
use crate::{Instant, Rng};

/// How the wall clocks of the hosts err. Zeros: they do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockFaults {
    /// How far a host's wall clock may be off from its start, in milliseconds.
    pub skew_ms_max: u64,
    /// A jump once in so many readings; 0: never.
    pub jump_one_in: u64,
    /// How far a jump may go, in milliseconds.
    pub jump_ms_max: u64,
}

/// The true wall-clock time at the simulation's start: 2025-01-01T00:00:00Z.
const WALL_CLOCK_START_MS: i64 = 1_735_689_600_000;

/// A host's wall clock.
pub(super) struct WallClock {
    offset_ms: i64,
    faults: ClockFaults,
    rng: Rng,
}

impl WallClock {
    pub(super) fn new(faults: ClockFaults, mut rng: Rng) -> Self {
        let offset_ms = either_way(&mut rng, faults.skew_ms_max);
        Self { offset_ms, faults, rng }
    }

    pub(super) fn jump(&mut self, by_ms: i64) {
        self.offset_ms += by_ms;
    }

    pub(super) fn set_faults(&mut self, faults: ClockFaults) {
        self.faults = faults;
    }

    pub(super) fn read_ms(&mut self, now: Instant) -> i64 {
        if self.rng.one_in(self.faults.jump_one_in) {
            self.offset_ms += either_way(&mut self.rng, self.faults.jump_ms_max);
        }
        WALL_CLOCK_START_MS + (now.as_nanos() / 1_000_000) as i64 + self.offset_ms
    }
}

fn either_way(rng: &mut Rng, max: u64) -> i64 {
    rng.below(max.saturating_mul(2).saturating_add(1)) as i64 - max as i64
}

/// What happens at a moment.
pub(super) enum Event {
    Wake(Waker),
    Network(NetworkEvent),
}

/// When, and in which order of being scheduled.
pub(super) type EventKey = (Instant, u64);

/// Now, and everything that is going to happen by itself.
#[derive(Default)]
pub(super) struct Timeline {
    now: Instant,
    events: BTreeMap<EventKey, Event>,
    next: u64,
}

impl Timeline {
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn schedule(&mut self, at: Instant, event: Event) -> EventKey {
        let key = (at.max(self.now), self.next);
        self.next += 1;
        self.events.insert(key, event);
        key
    }

    pub(super) fn cancel(&mut self, key: EventKey) {
        self.events.remove(&key);
    }

    /// When the next event is.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.events.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Moves time to the next event and takes it.
    pub(super) fn leap(&mut self) -> Option<Event> {
        let ((at, _), event) = self.events.pop_first()?;
        assert!(at >= self.now, "time goes forwards");
        self.now = at;
        Some(event)
    }

    /// Takes an event that is due now, if there is another.
    pub(super) fn take_due(&mut self) -> Option<Event> {
        (self.next_at()? <= self.now).then(|| self.leap()).flatten()
    }

    /// Moves time to `at`, before which nothing happens.
    pub(super) fn pass_to(&mut self, at: Instant) {
        assert!(self.next_at().is_none_or(|next| next > at), "no event is skipped");
        self.now = self.now.max(at);
    }

    /// Replaces the waker of a timer that has not fired.
    fn rewake(&mut self, key: EventKey, waker: &Waker) {
        if let Some(Event::Wake(held)) = self.events.get_mut(&key) {
            held.clone_from(waker);
        }
    }
}

/// Ready at its deadline; dropping it takes the timer off the timeline.
pub(crate) struct Sleep {
    shard: Rc<Shard>,
    deadline: Instant,
    timer: Option<EventKey>,
}

impl Sleep {
    pub(super) fn new(shard: Rc<Shard>, deadline: Instant) -> Self {
        Self { shard, deadline, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut timeline = this.shard.world().timeline.borrow_mut();
        if timeline.now() >= this.deadline {
            return Poll::Ready(());
        }
        match this.timer {
            Some(key) => timeline.rewake(key, cx.waker()),
            None => {
                let event = Event::Wake(cx.waker().clone());
                this.timer = Some(timeline.schedule(this.deadline, event));
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            self.shard.world().timeline.borrow_mut().cancel(key);
        }
    }
}
