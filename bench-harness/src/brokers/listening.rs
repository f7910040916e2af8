//! Which process listens on a port of this host: its socket is in /proc/net/tcp (proc_pid_net(5)), and the process that has
//! it open names it below /proc/PID/fd.

use std::fs;
use std::net::IpAddr;

/// The process that listens on `port` of `address`; none where that is another host, or the process is not ours to look at.
pub(crate) fn listening_pid(address: IpAddr, port: u16) -> Option<u32> {
    if !is_local(address) {
        return None;
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    let inodes: Vec<u64> = tables.flat_map(|table| listening_inodes(&table, port)).collect();
    let names: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?;
    let mut pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.find(|pid| has_open(*pid, &names))
}

/// Whether packets to `address` stay on this host: a socket can be bound to it.
fn is_local(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// The inodes of the sockets in /proc/net/tcp that listen on `port`.
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let is_it =
            u16::from_str_radix(local_port, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        is_it.then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().skip(1).filter_map(row).collect()
}

fn has_open(pid: u32, names: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|t| names.iter().any(|name| name == t)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_table_names_the_listening_socket() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 100 0 0 10 0
   1: 0100007F:2384 0100007F:9000 01 00000000:00000000 00:00000000 00000000     0        0 1235 1 0 20 4 30 10 -1
   2: 0100007F:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1236 1 0 100 0 0 10 0
";
        assert_eq!(listening_inodes(table, 9092), [1234]);
        assert_eq!(listening_inodes(table, 9094), [0u64; 0]);
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(listening_pid(here, port), Some(std::process::id()));
        drop(listener);
        assert_eq!(listening_pid(here, port), None);
        assert_eq!(listening_pid(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port), None);
    }
}
