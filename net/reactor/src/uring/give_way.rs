//! A thread that leaves its CPU to whoever becomes ready there. The kernel's scheduler (EEVDF, since Linux 6.12) lets a
//! thread that wakes take the CPU at once from one whose time slice is longer than its own: `sched_setattr(2)`, for ordinary
//! threads `sched_runtime`. An older kernel takes note of it and goes on as before.

use std::time::Duration;

/// Much longer than a thread has by itself, which is a few milliseconds.
const SLICE: Duration = Duration::from_millis(50);

const THIS_THREAD: libc::pid_t = 0;

/// Of this thread and those that it starts. What cannot be had is not needed.
pub(super) fn give_way() {
    if let Some(mut attributes) = attributes()
        && attributes.sched_policy == libc::SCHED_OTHER as u32
    {
        attributes.sched_runtime = SLICE.as_nanos() as u64;
        // SAFETY: `attributes` is a whole structure, which the call reads.
        unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, 0) };
    }
}

/// How this thread is scheduled.
fn attributes() -> Option<libc::sched_attr> {
    let size = size_of::<libc::sched_attr>();
    // SAFETY: zeros are a value of a structure of numbers, and the call fills no more than its size.
    unsafe {
        let mut attributes: libc::sched_attr = std::mem::zeroed();
        let read =
            libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut attributes, size, 0);
        (read == 0).then_some(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_slice_is_another() {
        let schedules = |act: fn()| {
            let thread = std::thread::spawn(move || {
                act();
                attributes().expect("the kernel tells")
            });
            thread.join().expect("a thread")
        };
        let (before, after) = (schedules(|| {}), schedules(give_way));
        assert_eq!(after.sched_policy, before.sched_policy);
        assert_eq!(after.sched_nice, before.sched_nice);
        // Zero before Linux 6.12, which has no slices to tell of.
        assert!([0, SLICE.as_nanos() as u64].contains(&after.sched_runtime));
    }
}
