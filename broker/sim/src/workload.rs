//! Seeded clients that do what applications do, through lost connections and crashes: they produce, read, commit offsets,
//! create and delete topics until they are told to stop, and tell the oracle what they were told.

mod admin;
mod consumer;
mod member;
mod producer;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::sim::HostId;
use ringlane_reactor::{Reactor, Rng};
use ringlane_wire::ErrorCode;

use crate::client::{Client, TopicSpec};
use crate::cluster::{BROKER, Cluster};
use crate::oracle::Oracle;

/// What one run's clients do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The topics that they share.
    pub topics: Vec<TopicSpec>,
    /// Producers, every second of them idempotent.
    pub producers: u64,
    /// Consumers without a group.
    pub consumers: u64,
    /// Members of one group.
    pub members: i32,
    /// Whether topics come and go.
    pub administers: bool,
    /// Decides what each client does.
    pub seed: u64,
}

/// What the clients of one run share.
#[derive(Clone)]
pub struct Work {
    /// What they were told.
    pub oracle: Oracle,
    topics: Rc<Vec<TopicSpec>>,
    stopping: Rc<Cell<bool>>,
    unfinished: Rc<RefCell<BTreeSet<String>>>,
}

impl Plan {
    /// A plan drawn from `rng`: at least a producer and a consumer, the rest by chance.
    pub fn draw(rng: &mut Rng) -> Self {
        let topic = |index: u64, rng: &mut Rng| TopicSpec {
            name: format!("topic-{index}"),
            partitions: 1 + rng.below(4) as i32,
            // The first is durable: idempotent producers and groups rely on it.
            durable: index == 0 || !rng.one_in(3),
        };
        let topics: Vec<_> = (0..1 + rng.below(3)).map(|index| topic(index, rng)).collect();
        Self {
            producers: 1 + rng.below(4),
            consumers: 1 + rng.below(2),
            members: rng.below(3).min(topics[0].partitions as u64) as i32,
            administers: rng.one_in(2),
            seed: rng.next_u64(),
            topics,
        }
    }

    /// Starts the clients, each on a host of its own; those hosts.
    pub fn start(&self, cluster: &mut Cluster) -> (Work, Vec<HostId>) {
        let work = Work {
            oracle: Oracle::default(),
            topics: Rc::new(self.topics.clone()),
            stopping: Rc::default(),
            unfinished: Rc::default(),
        };
        let mut seeds = Rng::new(self.seed);
        let mut rng = || Rng::new(seeds.next_u64());
        let mut hosts = vec![work.spawn(cluster, "creator".into(), rng(), |work, client, _rng| {
            admin::create_shared(work, client)
        })];
        for number in 0..self.producers {
            let name = format!("producer-{number}");
            hosts.push(work.spawn(cluster, name, rng(), move |work, client, rng| {
                producer::produce(work, client, rng, number)
            }));
        }
        for number in 0..self.consumers {
            let name = format!("consumer-{number}");
            hosts.push(work.spawn(cluster, name, rng(), consumer::consume));
        }
        for number in 0..self.members {
            let name = format!("member-{number}");
            hosts.push(work.spawn(cluster, name, rng(), move |work, client, rng| {
                member::take_part(work, client, rng, number)
            }));
        }
        if self.administers {
            hosts.push(work.spawn(cluster, "administrator".into(), rng(), admin::administer));
        }
        (work, hosts)
    }
}

impl Work {
    /// Tells the clients to finish what they began and to begin nothing more.
    pub fn stop(&self) {
        self.stopping.set(true);
    }

    /// Whether they were told so.
    fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The names of the clients that are still at work.
    pub fn unfinished(&self) -> Vec<String> {
        self.unfinished.borrow().iter().cloned().collect()
    }

    /// Whether every client is done.
    pub fn is_finished(&self) -> bool {
        self.unfinished.borrow().is_empty()
    }

    fn spawn<F>(
        &self,
        cluster: &mut Cluster,
        name: String,
        rng: Rng,
        act: impl Fn(Self, Client, Rng) -> F + 'static,
    ) -> HostId
    where
        F: Future<Output = ()> + 'static,
    {
        let host = cluster.client_host();
        self.unfinished.borrow_mut().insert(name.clone());
        let work = self.clone();
        cluster.spawn(host, move |reactor: Reactor| {
            let acting = act(work.clone(), Client::new(&reactor, BROKER), rng.clone());
            let (unfinished, name) = (work.unfinished.clone(), name.clone());
            async move {
                acting.await;
                unfinished.borrow_mut().remove(&name);
            }
        });
        host
    }
}

/// Waits for up to `ms`, as an application that has other things to do.
async fn pause(client: &Client, rng: &mut Rng, ms: u64) {
    client.reactor().sleep(Duration::from_micros(rng.below(ms * 1000))).await;
}

/// Whether a client may meet `code` while a broker starts, stops or creates a topic, and is to try again.
fn passes(code: ErrorCode) -> bool {
    code.is_retriable()
}
