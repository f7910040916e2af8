//! CreatePartitions (KIP-195): more partitions for topics that exist.

use ringlane_controller::{BrokerId, Command, NewPartitions, Outcome};
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};

use super::{Handled, Request, errors};
use crate::cluster::{self, Mode};

pub(super) async fn handle(request: Request) -> Handled {
    let message: CreatePartitionsRequest = request.decode()?;
    let mode = if message.validate_only { Mode::Validate } else { Mode::Carry };
    let wanted: Vec<NewPartitions> = message.topics.iter().map(new_partitions).collect();
    let outcome =
        cluster::decide(&request.shard, mode, move |_| Command::CreatePartitions(wanted)).await;
    let results = match outcome {
        Ok(Outcome::PartitionsCreated(results)) => results,
        _ => Vec::new(),
    };
    let texts: Vec<(ErrorCode, Option<String>)> = results
        .iter()
        .map(|result| match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err(error) => (errors::of_command(error), Some(error.to_string())),
        })
        .chain(std::iter::repeat((ErrorCode::COORDINATOR_NOT_AVAILABLE, None)))
        .take(message.topics.len())
        .collect();
    let results = message.topics.iter().zip(&texts).map(|(topic, (error_code, text))| {
        let (name, error_message) = (topic.name, text.as_deref());
        CreatePartitionsTopicResult { name, error_code: *error_code, error_message }
    });
    request.answer(&CreatePartitionsResponse { results: results.collect(), ..Default::default() })
}

fn new_partitions(topic: &CreatePartitionsTopic) -> NewPartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        let brokers = |ids: &Vec<i32>| ids.iter().copied().map(BrokerId).collect();
        assignments.iter().map(|assignment| brokers(&assignment.broker_ids)).collect()
    });
    NewPartitions { topic: topic.name.to_owned(), total_count: topic.count, assignments }
}
