//! Single scenarios, one a file: how a broker meets one misfortune, told in a few lines.

mod bad_input;
mod client_is_cut_off;
mod clients_leave_a_slow_disk;
mod clock_jumps_back;
mod cores_come_and_go;
mod crash_during_topic_creation;
mod disk_full;
mod disk_lies;
mod few_descriptors;
mod moved_after_a_crash;
mod offline_log_is_kept;
mod one_directory_fails;
mod same_log_twice;
mod same_name_again;
mod slow_disk;
mod sync_error;
mod torn_tail;
mod wrong_name;

use ringlane_batch::Codec;
use ringlane_wire::ErrorCode;

use crate::client::{Acks, Client, Failure, ProduceSpec, TopicSpec, batch_of};
use crate::cluster::Cluster;

/// Every story is told for this many seeds.
const SEEDS: std::ops::Range<u64> = 0..10;

impl Client {
    /// Produces one value to partition 0.
    async fn put(&mut self, topic: &str, value: &str) -> Result<i64, Failure> {
        let batch = batch_of(&[value.as_bytes().to_vec()], Codec::None, None);
        self.produce(&ProduceSpec { topic, partition: 0, acks: Acks::All, batch }).await
    }

    /// Everything in partition 0.
    ///
    /// # Panics
    /// When there is a hole in it.
    async fn all(&mut self, topic: &str) -> Result<Vec<String>, Failure> {
        let mut values = Vec::new();
        loop {
            let fetched = self.fetch(topic, 0, values.len() as i64, 0).await?;
            if fetched.records.is_empty() {
                return Ok(values);
            }
            for record in fetched.records {
                assert_eq!(record.offset, values.len() as i64, "offsets are dense");
                values.push(String::from_utf8(record.value).expect("text"));
            }
        }
    }
}

/// A refusal's code.
fn code<T>(result: Result<T, Failure>) -> Option<ErrorCode> {
    result.err().and_then(|failure| failure.code())
}

fn create(cluster: &mut Cluster, topic: &'static str) {
    let created = cluster.client(move |mut client| async move {
        client.create_topic(&TopicSpec::durable(topic, 1)).await
    });
    created.expect("nothing keeps it from being created");
}

fn put(cluster: &mut Cluster, topic: &'static str, value: &'static str) -> Result<i64, Failure> {
    cluster.client(move |mut client| async move { client.put(topic, value).await })
}

fn all(cluster: &mut Cluster, topic: &'static str) -> Vec<String> {
    let all = cluster.client(move |mut client| async move { client.all(topic).await });
    all.expect("a broker that serves")
}
