//! The file system of the data directory.

use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "file_system",
    title: "file system of the data",
    wanted: "ext4 or XFS",
    why: "the journal overwrites blocks in place with direct writes. A copy-on-write file system moves them, and changes its own metadata, with each write; one over the network or in memory keeps no promise of durability",
    source: "decision 8 (docs/decisions/0008-journal.md); Apache Kafka documentation, Filesystem Selection",
    read,
};

const COPY_ON_WRITE: [&str; 4] = ["btrfs", "zfs", "bcachefs", "f2fs"];
const NOT_ON_DISK: [&str; 3] = ["tmpfs", "ramfs", "overlay"];
const ELSEWHERE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "fuse"];

fn read(machine: &Machine) -> Vec<Row> {
    let data = &machine.data;
    let mount = match machine.data_mount() {
        Err(unread) => return vec![Row::unread(data, &unread)],
        Ok(mount) => mount,
    };
    let is = format!("{} ({} on {})", mount.file_system, mount.device, mount.point);
    let name = mount.file_system.as_str();
    let person = |sentence: &str| Row::person(data, &is, "ext4 or XFS", sentence);
    let row = match name {
        "ext4" | "xfs" => Row::well(data, is),
        _ if COPY_ON_WRITE.contains(&name) => {
            person("it writes each block to another place: mount an ext4 or XFS file system there")
        }
        _ if NOT_ON_DISK.contains(&name) => person(
            "it is not a disk: mount an ext4 or XFS file system there (in a container: a volume)",
        ),
        _ if ELSEWHERE.contains(&name.split('.').next().unwrap_or(name)) => {
            person("it is on another host: mount an ext4 or XFS file system of a local disk there")
        }
        _ => Row::unknown(data, is),
    };
    vec![row]
}
