//! What a host offers a broker, and what of it can be made better: its cores and devices (`host/`), its settings, one file
//! each (`knobs/`), what is wrong with them (`check`), how they are changed and changed back (`apply`, `revert`), and how
//! fast its disk is (`disk/`). Reads and writes /proc, /sys and /etc under a [`Root`], so that a recorded tree stands in
//! for a machine. Knows nothing of topics, partitions or requests.

mod apply;
mod block_devices;
mod change;
mod check;
mod cpu_set;
pub mod disk;
mod group;
mod host;
mod knob;
mod knobs;
mod limits;
mod machine;
mod mounts;
mod numbers;
mod revert;
mod root;
mod saved;
mod sysctl;
mod systemd;

pub use apply::{Applied, Outcome, Planned, apply, plan};
pub use change::Change;
pub use check::{Checked, Report, check};
pub use cpu_set::CpuSet;
pub use host::{Core, Host, Interrupt, InterruptPlace, Nic, Node, Nvme, Placement, ShardPlace};
pub use knob::{Knob, Remedy, Row, Verdict};
pub use knobs::KNOBS;
pub use machine::Machine;
pub use revert::{Reverted, revert};
pub use root::{Root, Unread};
pub use saved::{FILE as SAVED_FILE, SavedError};
