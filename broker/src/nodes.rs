//! The nodes that clients see. With one address a broker is one node. With an address for each core
//! (`ringlane.core.endpoints`) every core is a node besides, and partitions name the core that owns them, so that an
//! ordinary client connects to it directly. A core's node id is computed from broker and core and never stored.

use std::sync::Arc;

use ringlane_controller::{Broker, BrokerId, ClusterImage, CoreIndex, Endpoint, Partition};

/// Core node ids lie this far apart, above every `node.id` (at most 999,999).
const CORE_STRIDE: i32 = 1_000_000;

/// One node, as Metadata names it.
pub(crate) struct Node<'a> {
    /// Its id.
    pub(crate) id: i32,
    /// Where it listens.
    pub(crate) endpoint: &'a Endpoint,
    /// The broker's rack.
    pub(crate) rack: Option<&'a str>,
}

/// The id of `core` of `broker` as a node of its own.
pub(crate) fn core_node_id(broker: BrokerId, core: CoreIndex) -> i32 {
    (i32::from(core.0) + 1) * CORE_STRIDE + broker.0
}

/// Every node of the cluster: each live broker, then each of its cores that has an address.
pub(crate) fn all(image: &ClusterImage) -> Vec<Node<'_>> {
    let mut nodes = Vec::new();
    for broker in image.brokers().filter(|broker| !broker.fenced) {
        let rack = broker.rack.as_deref();
        nodes.extend(main_node(broker));
        nodes.extend(broker.core_endpoints.iter().map(|core| Node {
            id: core_node_id(broker.id, core.core),
            endpoint: &core.endpoint,
            rack,
        }));
    }
    nodes
}

/// The broker as a whole.
pub(crate) fn main_node(broker: &Broker) -> Option<Node<'_>> {
    let endpoint = broker.endpoints.first()?;
    Some(Node { id: broker.id.0, endpoint, rack: broker.rack.as_deref() })
}

/// The node that serves `partition`'s replica on `broker`: its core where that has an address, else the broker.
pub(crate) fn replica_node_id(
    image: &ClusterImage,
    partition: &Partition,
    broker: BrokerId,
) -> i32 {
    let has_core_addresses =
        image.broker(broker).is_some_and(|broker| !broker.core_endpoints.is_empty());
    match partition.core_on(broker) {
        Some(core) if has_core_addresses => core_node_id(broker, core),
        _ => broker.0,
    }
}

/// The broker that leads the partition, if it lives.
pub(crate) fn leader_broker<'a>(
    image: &'a ClusterImage,
    partition: &Partition,
) -> Option<&'a Broker> {
    image.broker(partition.leader_core()?.broker).map(Arc::as_ref).filter(|broker| !broker.fenced)
}

/// The node that serves the partition's leader.
pub(crate) fn leader_node<'a>(image: &'a ClusterImage, partition: &Partition) -> Option<Node<'a>> {
    let leader = partition.leader_core()?;
    let broker = leader_broker(image, partition)?;
    let core = broker.core_endpoints.iter().find(|core| core.core == leader.core);
    match core {
        Some(core) => Some(Node {
            id: core_node_id(broker.id, core.core),
            endpoint: &core.endpoint,
            rack: broker.rack.as_deref(),
        }),
        None => main_node(broker),
    }
}
