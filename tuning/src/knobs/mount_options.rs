//! The mount options of the data directory.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::mounts::Mount;

pub(super) const KNOB: Knob = Knob {
    name: "mount_options",
    title: "mount options of the data",
    wanted: "`noatime` or `relatime`; barriers on; neither `sync`, `dirsync`, `data=journal`, `wsync` nor `discard`",
    why: "strictatime writes metadata for each read; without barriers a durable write is not durable; the synchronous ones and data=journal write everything twice, as the journal does already; discard erases blocks while others wait, which fstrim does once a week instead",
    source: "mount(8); ext4(5); xfs(5); fstrim(8)",
    read,
};

/// An option that is not wanted, and what to mount with instead.
const UNWANTED: [(&str, &str); 8] = [
    ("nobarrier", "barrier"),
    ("barrier=0", "barrier=1"),
    ("strictatime", "noatime"),
    ("sync", "async"),
    ("dirsync", "no dirsync"),
    ("wsync", "no wsync"),
    ("data=journal", "data=ordered"),
    ("discard", "nodiscard"),
];

fn read(machine: &Machine) -> Vec<Row> {
    let mount = match machine.data_mount() {
        Err(unread) => return vec![Row::unread(&machine.data, &unread)],
        Ok(mount) => mount,
    };
    let found = UNWANTED.iter().filter(|(option, _)| mount.has(option));
    let rows: Vec<Row> = found.map(|(option, instead)| row(&mount, option, instead)).collect();
    if !rows.is_empty() {
        return rows;
    }
    if mount.has("ro") {
        let remedy = format!("`mount -o remount,rw {}`", mount.point);
        return vec![Row::person(mount.point, "ro", "rw", remedy)];
    }
    let atime = ["noatime", "relatime"].into_iter().find(|option| mount.has(option));
    vec![Row::well(mount.point, atime.unwrap_or("nothing unwanted"))]
}

fn row(mount: &Mount, option: &str, instead: &str) -> Row {
    let sentence = match option {
        // ext4 and XFS take these only with a new mount.
        "data=journal" | "wsync" => {
            "change the options in /etc/fstab, unmount and mount it again".into()
        }
        "discard" => format!(
            "change /etc/fstab, run `mount -o remount,nodiscard {}` and `systemctl enable --now fstrim.timer`",
            mount.point
        ),
        "dirsync" => "take it out of /etc/fstab, unmount and mount it again".into(),
        _ => format!("change /etc/fstab and run `mount -o remount,{instead} {}`", mount.point),
    };
    Row::person(&mount.point, option, instead, sentence)
}
