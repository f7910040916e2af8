//! The steps of a producer's transactions (KIP-98) around the state in `transaction.rs`: what is waited for, what the
//! coordinator is asked, and what its answers change.

use std::rc::Rc;

use ringlane_reactor::Queue;

use super::batch::Identity;
use super::coordinator::Coordinator;
use super::sender::Shared;
use super::transaction::{Transaction, ends_producer, is_abortable};
use crate::error::Error;

impl Shared {
    /// Gives the producer its identity.
    pub(super) async fn init_transactions(&self) -> Result<(), Error> {
        self.with_transaction(|transaction| transaction.check_uninitialized())?;
        let (identity, is_implicit) =
            self.coordinator()?.init(self.config.transaction_timeout).await?;
        self.state.borrow_mut().become_identity(identity);
        self.with_transaction(|transaction| {
            transaction.initialized(is_implicit);
            Ok(())
        })
    }

    /// Waits until everything is acknowledged, and commits.
    pub(super) async fn commit_transaction(&self) -> Result<(), Error> {
        self.with_transaction(Transaction::begin_commit)?;
        self.state.borrow_mut().flushes += 1;
        self.wake.notify_all();
        let outcome = self.acknowledged().await;
        self.state.borrow_mut().flushes -= 1;
        outcome?;
        self.end_transaction(true).await
    }

    /// Until nothing of the transaction is on its way, or it has failed.
    async fn acknowledged(&self) -> Result<(), Error> {
        loop {
            let ended = self.ended.notified();
            self.with_transaction(|transaction| transaction.check_commit())?;
            if self.state.borrow().batch_count == 0 {
                return Ok(());
            }
            ended.await;
        }
    }

    /// Gives up what was not sent yet, waits for what was, and aborts.
    pub(super) async fn abort_transaction(&self) -> Result<(), Error> {
        self.with_transaction(Transaction::begin_abort)?;
        loop {
            let ended = self.ended.notified();
            let is_adding = {
                let mut state = self.state.borrow_mut();
                state.give_up(&Error::Invalid("its transaction was aborted".into()));
                state.batch_count > 0
                    || state.transaction.as_ref().is_some_and(Transaction::is_adding)
            };
            if !is_adding {
                break;
            }
            ended.await;
        }
        self.end_transaction(false).await
    }

    /// Nothing is on its way any more: has the coordinator end the transaction, if it has one.
    async fn end_transaction(&self, commits: bool) -> Result<(), Error> {
        let ended = self.ask_to_end(commits).await;
        let mut state = self.state.borrow_mut();
        let transaction = state.transaction.as_mut().expect("a transaction ends");
        match ended {
            Ok(()) => {
                transaction.ended();
                state.first_error = None;
                Ok(())
            }
            Err(error) if commits && is_abortable(&error) => {
                transaction.failed(&error);
                Err(error)
            }
            Err(error) => {
                state.fail(error.clone());
                Err(error)
            }
        }
    }

    async fn ask_to_end(&self, commits: bool) -> Result<(), Error> {
        let (identity, is_implicit, has_partitions, has_gap) = {
            let state = self.state.borrow();
            assert_eq!(state.batch_count, 0, "what is in a transaction goes before its end");
            let transaction = state.transaction.as_ref().expect("a transaction ends");
            let identity = state.identity.expect("a transaction has a producer");
            let (is_implicit, has_partitions) =
                (transaction.is_implicit(), transaction.has_partitions());
            (identity, is_implicit, has_partitions, state.has_gap())
        };
        let coordinator = self.coordinator()?;
        let mut next = None;
        if has_partitions {
            next = coordinator.end(identity, commits, is_implicit).await?;
        }
        if has_gap && next.is_none() {
            // KIP-360: a broker may wait for a sequence that will never come. The next epoch starts from 0.
            let timeout = self.config.transaction_timeout;
            next = Some(coordinator.init_as(timeout, Some(identity)).await?);
        }
        if let Some(next) = next {
            self.state.borrow_mut().become_identity(next);
        }
        Ok(())
    }

    /// Runs `change` on the transaction, if this producer has them and can still do something.
    pub(super) fn with_transaction(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        if let Some(fatal) = state.fatal() {
            return Err(fatal);
        }
        change(state.transaction.as_mut().ok_or_else(not_transactional)?)
    }

    fn coordinator(&self) -> Result<Rc<Coordinator>, Error> {
        self.coordinator.clone().ok_or_else(not_transactional)
    }
}

fn not_transactional() -> Error {
    Error::Invalid("the producer has no transactional_id, hence no transactions".into())
}

/// Tells the coordinator of the partitions that join the transaction, in a task of its own.
pub(super) fn add_partitions(shared: &Rc<Shared>) {
    let Some(coordinator) = shared.coordinator.clone() else { return };
    let (identity, wanted) = {
        let mut state = shared.state.borrow_mut();
        let wanted = state.transaction.as_mut().map_or_else(Vec::new, Transaction::start_adding);
        (state.identity, wanted)
    };
    if wanted.is_empty() {
        return;
    }
    let identity: Identity = identity.expect("a transaction has a producer");
    let shared = shared.clone();
    let reactor = shared.client.reactor().clone();
    let ask = async move {
        let places: Vec<(Rc<str>, i32)> = {
            let state = shared.state.borrow();
            let place =
                |&index: &usize| (state.queues[index].topic.clone(), state.queues[index].index);
            wanted.iter().map(place).collect()
        };
        let outcome = coordinator.add_partitions(identity, &places).await;
        {
            let mut state = shared.state.borrow_mut();
            let fatal = outcome.as_ref().err().filter(|error| !is_abortable(error)).cloned();
            let transaction = state.transaction.as_mut().expect("partitions were wanted for it");
            transaction.finish_adding(outcome);
            if let Some(fatal) = fatal {
                state.fail(fatal);
            }
        }
        shared.ended.notify_all();
        shared.wake.notify_all();
    };
    reactor.spawn(Queue::Client, ask).detach();
}

/// What a batch that was given up means for the producer: `true` when it can do nothing any more.
pub(super) fn batch_failed(transaction: &mut Transaction, error: &Error) -> bool {
    transaction.failed(error);
    ends_producer(error)
}
