//! What a transactional producer asks the coordinator of its transactional id (KIP-98): who it is, which partitions join its
//! transaction, and that the transaction ends. Asked again while what it answers may pass; looked for anew when it moved.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{ProducerEpoch, ProducerId};
use ringlane_wire::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use ringlane_wire::messages::{AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest};
use ringlane_wire::{ApiKey, ErrorCode, Request};

use super::batch::Identity;
use super::transaction::{EXPLICIT_END_TXN_VERSION_MAX, IMPLICIT_FROM};
use crate::answer::Answer;
use crate::client::{Client, CoordinatorType};
use crate::connection::Connection;
use crate::error::Error;

/// See the file's head.
pub(super) struct Coordinator {
    client: Client,
    transactional_id: Rc<str>,
    connection: RefCell<Option<Connection>>,
}

impl Coordinator {
    pub(super) fn new(client: Client, transactional_id: &str) -> Self {
        Self { client, transactional_id: transactional_id.into(), connection: RefCell::default() }
    }

    /// Gives the producer an identity that fences every earlier one with its transactional id, and ends what that left
    /// open. Also whether a produce adds its partition to a transaction.
    pub(super) async fn init(&self, timeout: Duration) -> Result<(Identity, bool), Error> {
        let identity = self.init_as(timeout, None).await?;
        let connection = self.connection().await?;
        let ends_with_an_epoch = connection
            .version(ApiKey::EndTxn)
            .is_ok_and(|version| version > EXPLICIT_END_TXN_VERSION_MAX);
        Ok((identity, ends_with_an_epoch && connection.transaction_version() >= IMPLICIT_FROM))
    }

    /// Gives the producer that `current` is its next epoch, unless another has the transactional id now (KIP-360).
    pub(super) async fn init_as(
        &self,
        timeout: Duration,
        current: Option<Identity>,
    ) -> Result<Identity, Error> {
        let current = current.unwrap_or(Identity::NONE);
        let request = InitProducerIdRequest {
            transactional_id: Some(&self.transactional_id),
            transaction_timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            producer_id: current.id.0,
            producer_epoch: current.epoch.0,
        };
        let call = self.call(&request, i16::MAX, |answer| {
            let response = answer.decode::<InitProducerIdRequest<'_>>()?;
            answer.check(response.error_code, &self.transactional_id, None)?;
            let (id, epoch) = (response.producer_id, response.producer_epoch);
            Ok(Identity { id: ProducerId(id), epoch: ProducerEpoch(epoch) })
        });
        call.await
    }

    /// Adds partitions to the transaction: all of them, or an error.
    pub(super) async fn add_partitions(
        &self,
        identity: Identity,
        partitions: &[(Rc<str>, i32)],
    ) -> Result<(), Error> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let topics = topics.into_iter();
        let topics = topics.map(|(name, partitions)| AddPartitionsToTxnTopic { name, partitions });
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: &self.transactional_id,
            v3_and_below_producer_id: identity.id.0,
            v3_and_below_producer_epoch: identity.epoch.0,
            v3_and_below_topics: topics.collect(),
            ..Default::default()
        };
        let call = self.call(&request, i16::MAX, |answer| {
            let response = answer.decode::<AddPartitionsToTxnRequest<'_>>()?;
            let mut outcome = Ok(());
            for topic in &response.results_by_topic_v3_and_below {
                for result in &topic.results_by_partition {
                    let place = format!("{}-{}", topic.name, result.partition_index);
                    let checked = answer.check(result.partition_error_code, &place, None);
                    // With one error in a request none of its partitions is added; the others have this code.
                    let is_echo = result.partition_error_code == ErrorCode::OPERATION_NOT_ATTEMPTED;
                    outcome = if is_echo { outcome.and(checked) } else { checked.and(outcome) };
                }
            }
            outcome
        });
        call.await
    }

    /// Commits or aborts the transaction. The answer is the producer's next identity, where the cluster gives it one.
    pub(super) async fn end(
        &self,
        identity: Identity,
        commits: bool,
        is_implicit: bool,
    ) -> Result<Option<Identity>, Error> {
        let request = EndTxnRequest {
            transactional_id: &self.transactional_id,
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            committed: commits,
        };
        let version_max = if is_implicit { i16::MAX } else { EXPLICIT_END_TXN_VERSION_MAX };
        let call = self.call(&request, version_max, |answer| {
            let response = answer.decode::<EndTxnRequest<'_>>()?;
            answer.check(response.error_code, &self.transactional_id, None)?;
            let (id, epoch) = (response.producer_id, response.producer_epoch);
            let next = Identity { id: ProducerId(id), epoch: ProducerEpoch(epoch) };
            Ok(is_implicit.then_some(next))
        });
        call.await
    }

    async fn call<R: Request, T>(
        &self,
        request: &R,
        version_max: i16,
        check: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut retry = self.client.call_retry();
        loop {
            let attempt = async {
                let connection = self.connection().await?;
                check(&connection.start_at_most(request, version_max)?.await?)
            };
            let error = match attempt.await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !is_still_coordinator(&error) {
                self.connection.take();
            }
            retry.after(error).await?;
        }
    }

    /// The connection to it, which is kept: a transaction asks several times.
    async fn connection(&self) -> Result<Connection, Error> {
        let known = self.connection.borrow().clone();
        if let Some(connection) = known.filter(|connection| !connection.is_closed()) {
            return Ok(connection);
        }
        let id = &self.transactional_id;
        let found = self.client.coordinator(CoordinatorType::Transaction, id).await?;
        *self.connection.borrow_mut() = Some(found.clone());
        Ok(found)
    }
}

/// Whether an error leaves the coordinator where it is.
fn is_still_coordinator(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        code != ErrorCode::NOT_COORDINATOR && code != ErrorCode::COORDINATOR_NOT_AVAILABLE
    })
}
