//! CPUs, cores and NUMA nodes (kernel: Documentation/ABI/stable/sysfs-devices-system-cpu, admin-guide/cputopology).

use std::collections::BTreeMap;

use crate::cpu_set::CpuSet;
use crate::numbers;
use crate::root::Root;

/// A physical core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Core {
    /// The package (socket) that it is in.
    pub package: usize,
    /// Its number in the package.
    pub number: usize,
    /// Its NUMA node, where it is known.
    pub node: Option<usize>,
    /// The CPUs that it runs: more than one with SMT.
    pub cpus: CpuSet,
}

/// A NUMA node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its number.
    pub number: usize,
    /// Its CPUs.
    pub cpus: CpuSet,
    /// Its memory, where it is known.
    pub memory_bytes: Option<u64>,
}

const CPUS: &str = "/sys/devices/system/cpu";

/// The CPUs that run; at least one, since somebody asks.
pub(super) fn online(root: &Root) -> CpuSet {
    let list = |path: &str| CpuSet::parse_list(&root.setting(path).ok()?);
    let known = list(&format!("{CPUS}/online")).or_else(|| from_folders(root));
    let known = known.or_else(|| from_cpuinfo(root));
    let known = known.or_else(|| status_list(root)).filter(|cpus| !cpus.is_empty());
    known.unwrap_or_else(|| [0].into_iter().collect())
}

fn from_folders(root: &Root) -> Option<CpuSet> {
    let names = root.names(CPUS);
    let cpus = names.iter().filter_map(|name| name.strip_prefix("cpu")?.parse().ok());
    Some(cpus.collect::<CpuSet>()).filter(|cpus| !cpus.is_empty())
}

fn from_cpuinfo(root: &Root) -> Option<CpuSet> {
    let text = root.text("/proc/cpuinfo").ok()?;
    let rows = text.lines().filter_map(|line| line.split_once(':'));
    let cpus = rows.filter(|(key, _)| key.trim() == "processor");
    let cpus: CpuSet = cpus.filter_map(|(_, cpu)| cpu.trim().parse().ok()).collect();
    Some(cpus).filter(|cpus| !cpus.is_empty())
}

fn status_list(root: &Root) -> Option<CpuSet> {
    let text = root.text("/proc/self/status").ok()?;
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    CpuSet::parse_list(list)
}

/// The running CPUs that this process may use.
pub(super) fn allowed(root: &Root, online: &CpuSet) -> CpuSet {
    let allowed = status_list(root).map(|allowed| allowed.and(online));
    allowed.filter(|allowed| !allowed.is_empty()).unwrap_or_else(|| online.clone())
}

/// The physical cores. A CPU whose topology is not known counts as a core.
pub(super) fn cores(root: &Root, online: &CpuSet) -> Vec<Core> {
    let node_of: BTreeMap<usize, usize> = nodes(root, online)
        .iter()
        .flat_map(|node| node.cpus.iter().map(|cpu| (cpu, node.number)).collect::<Vec<_>>())
        .collect();
    let mut cores = BTreeMap::<(usize, usize, usize), Vec<usize>>::new();
    for cpu in online.iter() {
        let read = |file: &str| {
            numbers::first(&root.setting(&format!("{CPUS}/cpu{cpu}/topology/{file}")).ok()?)
        };
        let package = read("physical_package_id").unwrap_or(0) as usize;
        let siblings = root.setting(&format!("{CPUS}/cpu{cpu}/topology/thread_siblings_list"));
        let siblings = siblings.ok().and_then(|list| CpuSet::parse_list(&list));
        // Core numbers repeat between the dies of some packages; the first sibling does not.
        let first = siblings.filter(|set| set.contains(cpu)).and_then(|set| set.first());
        let number = read("core_id").unwrap_or(cpu as u64) as usize;
        cores.entry((package, number, first.unwrap_or(cpu))).or_default().push(cpu);
    }
    let core = |((package, number, _), cpus): ((usize, usize, usize), Vec<usize>)| {
        let node = cpus.first().and_then(|cpu| node_of.get(cpu)).copied();
        Core { package, number, node, cpus: cpus.into_iter().collect() }
    };
    cores.into_iter().map(core).collect()
}

/// The NUMA nodes that have CPUs.
pub(super) fn nodes(root: &Root, online: &CpuSet) -> Vec<Node> {
    const NODES: &str = "/sys/devices/system/node";
    let mut nodes = Vec::new();
    for name in root.names(NODES) {
        let Some(number) = name.strip_prefix("node").and_then(|n| n.parse().ok()) else { continue };
        let list = root.setting(&format!("{NODES}/{name}/cpulist")).unwrap_or_default();
        let cpus = CpuSet::parse_list(&list).unwrap_or_default().and(online);
        let meminfo = root.text(&format!("{NODES}/{name}/meminfo")).unwrap_or_default();
        let total = meminfo.split_once("MemTotal:").and_then(|(_, rest)| numbers::first(rest));
        if !cpus.is_empty() {
            nodes.push(Node {
                number,
                cpus,
                memory_bytes: total.and_then(|kib| kib.checked_mul(1024)),
            });
        }
    }
    nodes
}

/// The memory of the host.
pub(super) fn memory_bytes(root: &Root) -> Option<u64> {
    let text = root.text("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    numbers::first(total)?.checked_mul(1024)
}
