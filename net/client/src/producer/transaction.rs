//! Where a producer's transaction stands (KIP-98), and what an error means for it. Pure.
//!
//! ```text
//! Uninitialized ─initialized─► Ready ─begin─► Open ─commit, abort─► Ending ─ended─► Ready
//!                                              └──failed──► Failed ─abort─┘
//! ```
//!
//! How a coordinator learns which partitions are in a transaction depends on the cluster's `transaction.version`. Below 2 it
//! is told of each before the first produce, by AddPartitionsToTxn; every broker with transactions since Kafka 0.11 takes
//! that. From 2 on (a new cluster of Kafka 4.0 or later) the produce itself adds its partition, and the end of a transaction
//! gives the producer its next epoch (KIP-890): what Kafka's own client does there, without the round trip and without the
//! wait until the transaction before is written out. Both are here, so that each cluster is measured as its clients use it.

use std::collections::BTreeSet;

use ringlane_wire::ErrorCode;

use super::state::QueueIndex;
use crate::error::Error;

/// The highest versions that do not mean transaction version 2 (KIP-890): above, a produce adds its partition.
pub(super) const EXPLICIT_PRODUCE_VERSION_MAX: i16 = 11;
/// Above, the end of a transaction gives out an epoch.
pub(super) const EXPLICIT_END_TXN_VERSION_MAX: i16 = 4;
/// The feature, and from which level on a produce adds its partition.
pub(super) const IMPLICIT_FROM: i16 = 2;

/// See the file's head.
#[derive(Default)]
pub(super) struct Transaction {
    phase: Phase,
    /// Whether a produce adds its partition.
    is_implicit: bool,
    /// Partitions that are in the transaction.
    added: BTreeSet<QueueIndex>,
    /// Partitions with something to send, of which the coordinator has to be told first.
    wanted: BTreeSet<QueueIndex>,
    /// Partitions of which it is being told.
    adding: BTreeSet<QueueIndex>,
}

#[derive(Default, Debug)]
enum Phase {
    #[default]
    Uninitialized,
    Ready,
    Open,
    /// It can only be aborted.
    Failed(Error),
    /// A commit that waits for acknowledgements, and then for the coordinator; or an abort.
    Ending {
        commits: bool,
    },
}

impl Transaction {
    pub(super) fn is_implicit(&self) -> bool {
        self.is_implicit
    }

    /// Whether it may be initialized: once.
    pub(super) fn check_uninitialized(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Uninitialized => Ok(()),
            _ => Err(Error::Invalid("the producer's transactions are initialized already".into())),
        }
    }

    /// The producer has its identity.
    pub(super) fn initialized(&mut self, is_implicit: bool) {
        self.is_implicit = is_implicit;
        self.phase = Phase::Ready;
    }

    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let problem = match &self.phase {
            Phase::Ready => {
                assert!(self.added.is_empty(), "what was added before has ended");
                self.phase = Phase::Open;
                return Ok(());
            }
            Phase::Uninitialized => "init_transactions comes before the first transaction",
            Phase::Open => "a transaction is open already",
            Phase::Failed(_) => "the transaction has failed: abort it before the next",
            Phase::Ending { .. } => "the transaction before has not ended yet",
        };
        Err(Error::Invalid(problem.into()))
    }

    /// Whether a record may be sent.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Failed(error) => Err(error.clone()),
            _ => {
                Err(Error::Invalid("no transaction is open: begin_transaction comes first".into()))
            }
        }
    }

    /// Whether what this partition has may be sent now. If not, the coordinator is told of it first, or nothing is sent any
    /// more.
    pub(super) fn admits(&mut self, index: QueueIndex) -> bool {
        if !matches!(self.phase, Phase::Open | Phase::Ending { commits: true }) {
            return false;
        }
        if self.is_implicit {
            self.added.insert(index);
        } else if !self.added.contains(&index) && !self.adding.contains(&index) {
            self.wanted.insert(index);
        }
        self.added.contains(&index)
    }

    /// The partitions of which the coordinator is to be told now: one request at a time.
    pub(super) fn start_adding(&mut self) -> Vec<QueueIndex> {
        if self.is_adding() {
            return Vec::new();
        }
        self.adding = std::mem::take(&mut self.wanted);
        self.adding.iter().copied().collect()
    }

    /// The coordinator knows them, or it was not told.
    pub(super) fn finish_adding(&mut self, outcome: Result<(), Error>) {
        assert!(self.is_adding(), "what was begun is finished");
        let asked = std::mem::take(&mut self.adding);
        match outcome {
            Ok(()) => self.added.extend(asked),
            Err(error) => self.failed(&error),
        }
    }

    /// Something of it failed: it can only be aborted now.
    pub(super) fn failed(&mut self, error: &Error) {
        if matches!(self.phase, Phase::Open | Phase::Ending { commits: true }) {
            self.phase = Phase::Failed(error.clone());
        }
    }

    /// A commit begins: what is under way is still sent.
    pub(super) fn begin_commit(&mut self) -> Result<(), Error> {
        self.check_open()?;
        self.phase = Phase::Ending { commits: true };
        Ok(())
    }

    /// Whether a commit can still be: an error of what it waits for ends that.
    pub(super) fn check_commit(&self) -> Result<(), Error> {
        match &self.phase {
            Phase::Failed(error) => Err(error.clone()),
            phase => {
                assert!(matches!(phase, Phase::Ending { commits: true }), "a commit began");
                Ok(())
            }
        }
    }

    /// An abort begins: nothing is sent any more.
    pub(super) fn begin_abort(&mut self) -> Result<(), Error> {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.check_open()?;
        }
        self.phase = Phase::Ending { commits: false };
        self.wanted.clear();
        Ok(())
    }

    /// Whether the coordinator is being told of partitions: the end has to come behind that.
    pub(super) fn is_adding(&self) -> bool {
        !self.adding.is_empty()
    }

    /// Whether the coordinator has a transaction to end.
    pub(super) fn has_partitions(&self) -> bool {
        !self.added.is_empty()
    }

    /// It has ended.
    pub(super) fn ended(&mut self) {
        assert!(matches!(self.phase, Phase::Ending { .. }), "what ends was ending");
        assert!(!self.is_adding() && self.wanted.is_empty(), "nothing is left of it");
        self.added.clear();
        self.phase = Phase::Ready;
    }
}

/// Whether an error of a produce means that this producer can do nothing any more; any other ends its transaction alone.
pub(super) fn ends_producer(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::PRODUCER_FENCED
                // The transaction ran into its timeout, or another producer has the id. Kafka's own client may go on
                // after the first (KIP-588); here both end it.
                | ErrorCode::INVALID_PRODUCER_EPOCH
                | ErrorCode::INVALID_PRODUCER_ID_MAPPING
                | ErrorCode::INVALID_TXN_STATE
                | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        )
    )
}

/// Whether a coordinator's error leaves the transaction to be aborted. Any other ends the producer; also one that passes
/// and has not for as long as calls are tried: whether it was done is unknown then, and a new producer finds out.
pub(super) fn is_abortable(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::TRANSACTION_ABORTABLE | ErrorCode::TOPIC_AUTHORIZATION_FAILED)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(is_implicit: bool) -> Transaction {
        let mut transaction = Transaction::default();
        transaction.initialized(is_implicit);
        transaction.begin().expect("it is ready");
        transaction
    }

    fn broken() -> Error {
        Error::Invalid("broken".into())
    }

    #[test]
    fn a_partition_waits_until_the_coordinator_knows_it() {
        let mut transaction = open(false);
        assert!(!transaction.admits(3) && !transaction.admits(5));
        assert_eq!(transaction.start_adding(), [3, 5]);
        assert!(!transaction.admits(7) && !transaction.admits(3));
        assert!(transaction.start_adding().is_empty(), "one request at a time");
        transaction.finish_adding(Ok(()));
        assert!(transaction.admits(3) && transaction.admits(5) && !transaction.admits(7));
        assert_eq!(transaction.start_adding(), [7], "each is told once");
        transaction.finish_adding(Ok(()));
        transaction.begin_commit().expect("it is open");
        assert!(transaction.admits(7), "what is under way is still sent");
        transaction.ended();
        transaction.begin().expect("it is ready again");
        assert!(!transaction.has_partitions() && !transaction.admits(3), "each has its own");
    }

    #[test]
    fn a_produce_adds_its_partition_where_the_cluster_can() {
        let mut transaction = open(true);
        assert!(!transaction.has_partitions());
        assert!(transaction.admits(3));
        assert!(transaction.start_adding().is_empty() && transaction.has_partitions());
    }

    #[test]
    fn what_failed_can_only_be_aborted() {
        let mut transaction = open(false);
        transaction.failed(&broken());
        transaction.failed(&Error::Invalid("later".into()));
        assert_eq!(transaction.check_open(), Err(broken()), "the first error counts");
        assert_eq!(transaction.begin_commit(), Err(broken()));
        assert!(transaction.begin().is_err() && !transaction.admits(1));
        transaction.begin_abort().expect("it can be aborted");
        transaction.failed(&broken());
        assert!(!transaction.admits(1) && transaction.check_open() != Err(broken()));
        transaction.ended();
        assert_eq!(transaction.begin(), Ok(()));
    }

    #[test]
    fn an_error_on_the_way_ends_a_commit() {
        let mut transaction = open(false);
        assert!(!transaction.admits(1));
        assert_eq!(transaction.start_adding(), [1]);
        transaction.begin_commit().expect("it is open");
        assert_eq!(transaction.check_commit(), Ok(()));
        transaction.finish_adding(Err(broken()));
        assert_eq!(transaction.check_commit(), Err(broken()));
        assert_eq!(transaction.begin_abort(), Ok(()));
    }

    #[test]
    fn each_call_has_its_time() {
        let mut transaction = Transaction::default();
        assert!(transaction.begin().is_err() && transaction.check_open().is_err());
        assert_eq!(transaction.check_uninitialized(), Ok(()));
        transaction.initialized(false);
        assert!(transaction.check_uninitialized().is_err());
        assert!(transaction.check_open().is_err(), "nothing is open");
        assert!(transaction.begin_commit().is_err() && transaction.begin_abort().is_err());
        transaction.begin().expect("it is ready");
        assert!(transaction.begin().is_err(), "one at a time");
        transaction.begin_abort().expect("it is open");
        assert!(transaction.begin().is_err() && transaction.begin_commit().is_err());
    }
}
