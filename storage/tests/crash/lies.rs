//! Disks that lie.
