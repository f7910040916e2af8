//! The broker, whole, in the deterministic simulation: virtual time, a disk, a network and clocks with faults, and one seed
//! that replays one run.

pub mod audit;
pub mod client;
pub mod cluster;
pub mod invariants;
pub mod oracle;
pub mod seeds;
pub mod workload;

#[cfg(test)]
mod tests {
    use ringlane_batch::Codec;

    use crate::client::{Acks, ProduceSpec, TopicSpec, batch_of};
    use crate::cluster::Cluster;

    #[test]
    fn some_seeds() {
        for seed in 0..20 {
            println!("{:?}", crate::seeds::run(seed));
        }
    }

    #[test]
    fn a_simulated_broker_serves_a_client() {
        let mut cluster = Cluster::serving(1);
        let fetched = cluster.client(|mut client| async move {
            client.create_topic(&TopicSpec::durable("orders", 2)).await?;
            let batch = batch_of(&[b"one".to_vec()], Codec::None, None);
            let spec = ProduceSpec { topic: "orders", partition: 1, acks: Acks::All, batch };
            assert_eq!(client.produce(&spec).await?, 0);
            client.fetch("orders", 1, 0, 100).await
        });
        assert_eq!(fetched.expect("no faults").records[0].value, b"one");
    }
}
