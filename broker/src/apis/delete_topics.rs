//! DeleteTopics (KIP-4, KIP-516).

use ringlane_batch::TopicId;
use ringlane_controller::{ClusterImage, Command, Outcome};
use ringlane_wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::{Handled, Request, errors};
use crate::cluster;

/// A topic as the request names it, and what becomes of it.
struct Asked {
    name: Option<String>,
    id: Uuid,
    fate: Result<TopicId, (ErrorCode, String)>,
}

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: DeleteTopicsRequest = request.decode()?;
    let image = shard.image.current();
    let by_name = message.topic_names.iter().map(|name| (Some(*name), Uuid::ZERO));
    let by_state = message.topics.iter().map(|topic| (topic.name, topic.topic_id));
    let mut asked: Vec<Asked> =
        by_name.chain(by_state).map(|(name, id)| find(&image, name, id)).collect();
    if !shard.config.delete_topic_enable {
        let text = "Topic deletion is disabled.";
        asked.iter_mut().for_each(|asked| {
            asked.fate = Err((ErrorCode::TOPIC_DELETION_DISABLED, text.to_owned()));
        });
    }
    delete(&request, &mut asked).await;
    let responses = asked.iter().map(|asked| {
        let (error_code, error_message) = match &asked.fate {
            Ok(_) => (ErrorCode::NONE, None),
            Err((code, text)) => (*code, Some(text.as_str())),
        };
        let name = asked.name.as_deref();
        DeletableTopicResult { name, topic_id: asked.id, error_code, error_message }
    });
    request.answer(&DeleteTopicsResponse { responses: responses.collect(), ..Default::default() })
}

fn find(image: &ClusterImage, name: Option<&str>, id: Uuid) -> Asked {
    let named = name.map(str::to_owned);
    let refuse = |code: ErrorCode, text: &str| Err((code, text.to_owned()));
    let topic = match (name, id.is_zero()) {
        (Some(name), true) => image.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (None, false) => image.topic_by_id(TopicId(id.0)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        _ => Err(ErrorCode::INVALID_REQUEST),
    };
    match topic {
        Ok(topic) => {
            Asked { name: Some(topic.name.clone()), id: Uuid(topic.id.0), fate: Ok(topic.id) }
        }
        Err(code) => Asked { name: named, id, fate: refuse(code, code.message()) },
    }
}

async fn delete(request: &Request, asked: &mut [Asked]) {
    let ids: Vec<TopicId> = asked.iter().filter_map(|asked| asked.fate.as_ref().ok().copied()).collect();
    if ids.is_empty() {
        return;
    }
    let outcome = cluster::submit(&request.shard, Command::DeleteTopics(ids)).await;
    let mut results = match outcome {
        Ok(Outcome::TopicsDeleted(results)) => results.into_iter(),
        _ => Vec::new().into_iter(),
    };
    for asked in asked.iter_mut().filter(|asked| asked.fate.is_ok()) {
        asked.fate = match results.next() {
            Some(Ok(_name)) => continue,
            Some(Err(error)) => Err((errors::of_command(&error), error.to_string())),
            None => Err((ErrorCode::COORDINATOR_NOT_AVAILABLE, "the controller cannot decide".into())),
        };
    }
}
