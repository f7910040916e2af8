//! A machine as the knobs see it: its files, its topology, and where the broker's data is to be.

use std::path::Path;

use crate::block_devices;
use crate::host::Host;
use crate::mounts::{self, Mount};
use crate::root::{Root, Unread};

/// What a check looks at.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its files.
    pub root: Root,
    /// Its cores and devices.
    pub host: Host,
    /// The broker's data directory on it, an absolute path.
    pub data: String,
}

impl Machine {
    /// Reads the topology of the machine whose file system is `root`; `data` is an absolute path on it.
    pub fn read(root: Root, data: &Path) -> Self {
        let host = Host::read(&root);
        let data = data.to_string_lossy().into_owned();
        // Where it is there, mounts are told by where it really is.
        let data = match root.exists(&data) {
            true => format!("/{}", root.real_names(&data).join("/")),
            false => data,
        };
        Self { root, host, data }
    }

    /// What the device that holds the data says of its write cache (`write back`, `write through`), where one device does.
    pub fn write_cache(&self) -> Option<String> {
        let devices = block_devices::holding_data(self);
        let [device] = devices.as_slice() else { return None };
        self.root.setting(&device.queue_file("write_cache")).ok()
    }

    /// The mount that holds the data directory.
    pub(crate) fn data_mount(&self) -> Result<Mount, Unread> {
        let text =
            self.root.text("/proc/self/mounts").or_else(|_| self.root.text("/proc/mounts"))?;
        mounts::of(&text, &self.data).ok_or(Unread::Missing)
    }
}
