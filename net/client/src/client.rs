//! A client of one cluster: connections, what is known of the cluster, and the retries that hide its changes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::Reactor;
use ringlane_wire::messages::{FindCoordinatorRequest, MetadataRequest};
use ringlane_wire::{ApiKey, ErrorCode, Request};

use crate::answer::Answer;
use crate::backoff::Retry;
use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::error::Error;
use crate::metadata::{self, BrokerInfo, Metadata, NodeId, TopicInfo, join_address};
use crate::pool::{Pool, Purpose};

/// What a broker may coordinate, by its key type in FindCoordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CoordinatorType {
    /// A consumer group.
    Group = 0,
    /// A transactional id.
    Transaction = 1,
}

/// A client of one cluster. Cheap to clone: clones share connections and what is known. Stays on its shard.
#[derive(Clone)]
pub struct Client(Rc<Hub>);

struct Hub {
    reactor: Reactor,
    config: Rc<ClientConfig>,
    pool: Pool,
    metadata: RefCell<Metadata>,
}

impl Client {
    /// A client that has reached a broker and knows the cluster's brokers.
    ///
    /// # Errors
    /// `Invalid` for a bad address; `Connect` and what else a first exchange ends in, once every bootstrap address was
    /// tried, and again until the bootstrap timeout.
    pub async fn connect(reactor: &Reactor, config: ClientConfig) -> Result<Self, Error> {
        let client = Self::new(reactor, config);
        let mut retry = client.retry(client.config().bootstrap_timeout);
        loop {
            match client.refresh(&[]).await {
                Ok(()) => return Ok(client),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// A client that connects when it is first used.
    pub fn new(reactor: &Reactor, config: ClientConfig) -> Self {
        let config = Rc::new(config);
        let pool = Pool::new(reactor, config.clone());
        let metadata = RefCell::default();
        Self(Rc::new(Hub { reactor: reactor.clone(), config, pool, metadata }))
    }

    /// The reactor it lives on.
    pub fn reactor(&self) -> &Reactor {
        &self.0.reactor
    }

    /// Its settings.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    pub(crate) fn retry(&self, timeout: Duration) -> Retry {
        Retry::new(self.reactor(), self.config(), timeout)
    }

    /// [`Self::retry`] for as long as a call may take.
    pub(crate) fn call_retry(&self) -> Retry {
        self.retry(self.config().retry_timeout)
    }

    // What is known of the cluster.

    /// The brokers, as last told, by id.
    pub fn brokers(&self) -> Vec<BrokerInfo> {
        self.0.metadata.borrow().brokers.values().cloned().collect()
    }

    /// The cluster's id, as last told.
    pub fn cluster_id(&self) -> Option<String> {
        self.0.metadata.borrow().cluster_id.clone()
    }

    /// The controller, as last told.
    pub fn controller(&self) -> Option<NodeId> {
        self.0.metadata.borrow().controller
    }

    /// What is known of `topic`, without asking.
    pub fn known_topic(&self, topic: &str) -> Option<Rc<TopicInfo>> {
        self.0.metadata.borrow().topic(topic).cloned()
    }

    /// Whether what is known of `topic` is due to be asked for anew.
    pub(crate) fn is_stale(&self, topic: &str) -> bool {
        let since = self.0.metadata.borrow().topic_since(topic);
        since.is_none_or(|since| self.reactor().now() - since > self.config().metadata_max_age)
    }

    /// The name of the topic with `id`, or `name` where the version has names.
    pub(crate) fn topic_name(&self, name: &str, id: ringlane_wire::Uuid) -> Option<Rc<str>> {
        let metadata = self.0.metadata.borrow();
        if name.is_empty() { metadata.name_of(id) } else { Some(name.into()) }
    }

    /// Who leads a partition, as last told.
    pub fn known_leader(&self, topic: &str, partition: i32) -> Option<NodeId> {
        self.0.metadata.borrow().leader(topic, partition)
    }

    /// Asks for `topics` once (for the brokers alone when there are none).
    ///
    /// # Errors
    /// What kept it from asking; else the refusal about the first topic of which nothing can be told. What was told of the
    /// others is known then.
    pub async fn refresh(&self, topics: &[&str]) -> Result<(), Error> {
        let allow = self.config().allow_auto_topic_creation;
        self.ask_metadata(&metadata::request(Some(topics), allow)).await
    }

    /// Every topic of the cluster, by name.
    ///
    /// # Errors
    /// What kept it from asking.
    pub async fn all_topics(&self) -> Result<Vec<Rc<TopicInfo>>, Error> {
        let mut retry = self.call_retry();
        loop {
            match self.ask_metadata(&metadata::request(None, false)).await {
                Ok(()) => return Ok(self.0.metadata.borrow().topics().cloned().collect()),
                // One topic in error is one that was deleted meanwhile.
                Err(error) => retry.after(error).await?,
            }
        }
    }

    async fn ask_metadata(&self, request: &MetadataRequest<'_>) -> Result<(), Error> {
        let answer = self.any_broker().await?.call(request).await?;
        let response = answer.decode::<MetadataRequest<'_>>()?;
        let now = self.reactor().now();
        self.0.metadata.borrow_mut().update(&answer, &response, request.topics.is_none(), now)
    }

    /// The topic, asked for until it is there or nothing can be expected any more.
    ///
    /// # Errors
    /// `Refused` with UNKNOWN_TOPIC_OR_PARTITION when it does not exist; whatever else does not pass.
    pub async fn topic(&self, name: &str) -> Result<Rc<TopicInfo>, Error> {
        let mut retry = self.call_retry();
        let patience = match self.config().allow_auto_topic_creation {
            true => self.config().retry_timeout,
            false => self.config().unknown_topic_timeout,
        };
        let give_up = self.reactor().now() + patience;
        loop {
            if let Some(topic) = self.known_topic(name).filter(|_| !self.is_stale(name)) {
                return Ok(topic);
            }
            let error = match self.refresh(&[name]).await {
                Ok(()) if self.is_stale(name) => {
                    return Err(Error::Invalid(format!(
                        "no broker says anything of the topic {name:?}"
                    )));
                }
                Ok(()) => continue,
                Err(error) => error,
            };
            let is_unknown = error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            if is_unknown && self.reactor().now() >= give_up {
                return Err(error);
            }
            retry.after(error).await?;
        }
    }

    // Connections.

    /// A connection to some broker: one that is there, else a known one, else a bootstrap address.
    pub(crate) async fn any_broker(&self) -> Result<Connection, Error> {
        let mut addresses: Vec<Rc<str>> = {
            let metadata = self.0.metadata.borrow();
            metadata.brokers.values().map(|broker| broker.address.clone()).collect()
        };
        addresses.extend(self.config().bootstrap.iter().map(|address| address.as_str().into()));
        let existing =
            addresses.iter().find_map(|address| self.0.pool.existing(Purpose::Control, address));
        if let Some(connection) = existing {
            return Ok(connection);
        }
        let mut outcome = Err(Error::Invalid("no bootstrap address is given".into()));
        for address in &addresses {
            outcome = self.0.pool.connection(Purpose::Control, address).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Whether some broker of the cluster serves an API in a version that this client speaks.
    ///
    /// # Errors
    /// What kept it from finding out.
    pub async fn supports(&self, api_key: ApiKey) -> Result<bool, Error> {
        Ok(self.any_broker().await?.version(api_key).is_ok())
    }

    fn address_of(&self, node: NodeId) -> Result<Rc<str>, Error> {
        let metadata = self.0.metadata.borrow();
        let broker = metadata.brokers.get(&node);
        broker.map(|broker| broker.address.clone()).ok_or_else(|| Error::Connect {
            address: format!("node {node}").into(),
            reason: "the cluster no longer lists it".into(),
        })
    }

    /// The connection for produce and fetch to `node` that is there and alive.
    pub fn existing_connection(&self, node: NodeId) -> Option<Connection> {
        self.0.pool.existing(Purpose::Data, &self.address_of(node).ok()?)
    }

    /// The connection for produce and fetch to `node`, made if need be.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn connection(&self, node: NodeId) -> Result<Connection, Error> {
        self.0.pool.connection(Purpose::Data, &self.address_of(node)?).await
    }

    /// Closes its connections. They are made again when it is used again.
    pub fn disconnect(&self) {
        self.0.pool.clear();
    }

    // Calls.

    /// Asks any broker, again while that fails in ways that may pass. `check` finds the refusals in the answer.
    ///
    /// # Errors
    /// Those of the last attempt, and of `check`.
    pub(crate) async fn call_any<R: Request, T>(
        &self,
        request: &R,
        check: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut retry = self.call_retry();
        loop {
            let attempt = async { check(&self.any_broker().await?.call(request).await?) };
            match attempt.await {
                Ok(value) => return Ok(value),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// A connection to the coordinator of `key`, asked for once.
    pub(crate) async fn coordinator(
        &self,
        key_type: CoordinatorType,
        key: &str,
    ) -> Result<Connection, Error> {
        let request = FindCoordinatorRequest {
            key_type: key_type as i8,
            coordinator_keys: vec![key],
            ..Default::default()
        };
        let answer = self.any_broker().await?.call(&request).await?;
        let response = answer.decode::<FindCoordinatorRequest<'_>>()?;
        let found = response.coordinators.iter().find(|coordinator| coordinator.key == key);
        let found = found.ok_or_else(|| answer.lacks(key))?;
        answer.check(found.error_code, key, found.error_message)?;
        let address = join_address(found.host, found.port);
        let purpose = match key_type {
            CoordinatorType::Group => Purpose::Group,
            CoordinatorType::Transaction => Purpose::Transaction,
        };
        self.0.pool.connection(purpose, &address).await
    }

    /// [`Self::coordinator`] of a group.
    pub(crate) async fn group_coordinator(&self, group: &str) -> Result<Connection, Error> {
        self.coordinator(CoordinatorType::Group, group).await
    }

    /// [`Self::call_any`] at the coordinator of `group`, which is looked for anew before each attempt.
    pub(crate) async fn call_coordinator<R: Request, T>(
        &self,
        group: &str,
        request: &R,
        check: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut retry = self.call_retry();
        loop {
            let attempt =
                async { check(&self.group_coordinator(group).await?.call(request).await?) };
            match attempt.await {
                Ok(value) => return Ok(value),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}
