//! The knobs, one a file; this is the one list of them. Checks, the documentation's table and `--only` derive from it.

mod busy_poll;
mod clock_source;
mod cpu_governor;
mod cpu_idle;
mod dirty_pages;
mod file_system;
mod interrupt_affinity;
mod io_completion;
mod io_scheduler;
mod io_uring_disabled;
mod kernel;
mod listen_backlog;
mod locked_memory;
mod mount_options;
mod open_files;
mod packet_steering;
mod pipe_pages;
mod queue_depth;
mod socket_buffers;
mod swappiness;
mod systemd_unit;
mod transparent_huge_pages;
mod write_cache;

use crate::knob::Knob;

/// Every knob, in the order in which they are shown: what a broker cannot run without, then CPU, network, disk, memory.
pub const KNOBS: &[Knob] = &[
    kernel::KNOB,
    io_uring_disabled::KNOB,
    locked_memory::KNOB,
    open_files::KNOB,
    systemd_unit::KNOB,
    cpu_governor::KNOB,
    cpu_idle::KNOB,
    clock_source::KNOB,
    interrupt_affinity::KNOB,
    packet_steering::KNOB,
    listen_backlog::KNOB,
    socket_buffers::KNOB,
    busy_poll::KNOB,
    pipe_pages::KNOB,
    io_scheduler::KNOB,
    queue_depth::KNOB,
    io_completion::KNOB,
    write_cache::KNOB,
    file_system::KNOB,
    mount_options::KNOB,
    transparent_huge_pages::KNOB,
    dirty_pages::KNOB,
    swappiness::KNOB,
];
