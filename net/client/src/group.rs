//! A member of a classic consumer group: shares the partitions of its topics with the other members, goes on where the group
//! has committed, and commits what was used.
//!
//! Contract: what [`GroupConsumer::poll`] handed out counts as used once it is called again; only that is committed, so a
//! member that dies leaves what it had not finished to another (at least once).

mod assignor;
mod committed;
mod membership;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Instant, Notify, Queue, Task};
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::leave_group::MemberIdentity;
use ringlane_wire::messages::{HeartbeatRequest, LeaveGroupRequest};

use crate::client::Client;
use crate::consumer::{Consumer, ConsumerConfig, Fetched};
use crate::error::Error;
use crate::offsets::Position;
use crate::race::{Either, race};
use committed::Offsets;
use membership::Membership;

pub(crate) use committed::fetch_offsets;

/// The settings of a group's member. Kafka's name of each stands beside it.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// The group's id (`group.id`).
    pub group: String,
    /// What it reads.
    pub topics: Vec<String>,
    /// Where a partition starts in which the group has committed nothing (`auto.offset.reset`).
    pub start: Position,
    /// Without a heartbeat for this long the member is out (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// How often it tells that it lives (`heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// How long members have to come back when the group changes (`max.poll.interval.ms`).
    pub rebalance_timeout: Duration,
    /// How often what was used is committed; only when asked if `None` (`auto.commit.interval.ms`).
    pub commit_interval: Option<Duration>,
    /// How it fetches.
    pub consumer: ConsumerConfig,
}

impl GroupConfig {
    /// A member of `group` that reads `topics`, each from its start where nothing is committed.
    pub fn new(group: &str, topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            group: group.to_owned(),
            topics: topics.into_iter().map(Into::into).collect(),
            start: Position::Earliest,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(60),
            commit_interval: Some(Duration::from_secs(5)),
            consumer: ConsumerConfig::default(),
        }
    }
}

/// See the file's head.
pub struct GroupConsumer {
    client: Client,
    config: Rc<GroupConfig>,
    consumer: Consumer,
    pulse: Rc<Pulse>,
    member: Option<Member>,
    /// Its id from an earlier generation: it keeps its place with it.
    member_id: String,
    /// The end of what was handed out last: used once the next is asked for.
    handed_out: Option<((String, i32), i64)>,
    /// What was used since the last commit.
    used: Offsets,
    commit_at: Option<Instant>,
}

struct Member {
    membership: Membership,
    _heartbeat: Task<()>,
}

/// What the heartbeats found.
#[derive(Default)]
struct Pulse {
    verdict: RefCell<Verdict>,
    bell: Notify,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
enum Verdict {
    #[default]
    Stays,
    /// The group changes: join again.
    Rebalances,
    /// The coordinator does not know the member any more: join as a new one.
    Lost,
    /// It cannot go on.
    Failed(Error),
}

impl GroupConsumer {
    /// A member on `client`; it joins with the first [`Self::poll`].
    pub fn new(client: &Client, config: GroupConfig) -> Self {
        Self {
            client: client.clone(),
            consumer: Consumer::new(client, config.consumer.clone()),
            config: Rc::new(config),
            pulse: Rc::default(),
            member: None,
            member_id: String::new(),
            handed_out: None,
            used: Offsets::new(),
            commit_at: None,
        }
    }

    /// The next piece of a partition that the group has given to this member. Joins, joins again and commits as needed.
    /// It can be dropped at any await.
    ///
    /// # Errors
    /// What does not pass.
    pub async fn poll(&mut self) -> Result<Fetched, Error> {
        loop {
            if let Some(fetched) = self.poll_within(Duration::MAX).await? {
                return Ok(fetched);
            }
        }
    }

    /// [`Self::poll`] that, once it is a member, waits for records no longer than `patience`.
    ///
    /// # Errors
    /// As [`Self::poll`].
    pub async fn poll_within(&mut self, patience: Duration) -> Result<Option<Fetched>, Error> {
        if let Some((place, offset)) = self.handed_out.take() {
            self.used.insert(place, offset);
        }
        let reactor = self.client.reactor().clone();
        loop {
            self.keep_membership().await?;
            self.commit_in_time().await?;
            let bell = self.pulse.bell.notified();
            if *self.pulse.verdict.borrow() != Verdict::Stays {
                continue;
            }
            let now = reactor.now();
            let due = self.commit_at.filter(|_| !self.used.is_empty());
            let wait = due.map_or(patience, |due| patience.min(due - now));
            let gives_up = wait == patience;
            let interrupted = reactor.timeout(wait, bell);
            match race(self.consumer.poll(), interrupted).await {
                Either::Left(fetched) => {
                    let fetched = fetched?;
                    let place = (fetched.topic.to_string(), fetched.partition);
                    self.handed_out = Some((place, fetched.next_offset()));
                    return Ok(Some(fetched));
                }
                Either::Right(Err(_)) if gives_up => return Ok(None),
                Either::Right(_) => {}
            }
        }
    }

    /// Of the piece handed out last, only what lies before `offset` was used.
    pub fn used_before(&mut self, offset: i64) {
        if let Some((_, end)) = &mut self.handed_out {
            assert!(offset <= *end, "only what was handed out is used");
            *end = offset;
        }
    }

    /// The partitions that the member has now (none before it joined), with the position in each.
    pub fn positions(&self) -> Vec<(Rc<str>, i32, Option<i64>)> {
        self.consumer.positions()
    }

    /// Commits what was used, the piece handed out last included.
    ///
    /// # Errors
    /// What does not pass; REBALANCE_IN_PROGRESS and its like when the group has moved on without the member.
    pub async fn commit(&mut self) -> Result<(), Error> {
        if let Some((place, offset)) = &self.handed_out {
            self.used.insert(place.clone(), *offset);
        }
        self.commit_used().await
    }

    async fn commit_used(&mut self) -> Result<(), Error> {
        let Some(member) = &self.member else { return Ok(()) };
        let who = (member.membership.generation, member.membership.member_id.as_str());
        committed::commit(&self.client, &self.config.group, who, &self.used).await?;
        self.used.clear();
        let now = self.client.reactor().now();
        self.commit_at = self.config.commit_interval.map(|interval| now + interval);
        Ok(())
    }

    async fn commit_in_time(&mut self) -> Result<(), Error> {
        let now = self.client.reactor().now();
        if self.commit_at.is_none_or(|at| now < at) {
            return Ok(());
        }
        match self.commit_used().await {
            Err(error) if moved_on(&error) => {
                *self.pulse.verdict.borrow_mut() = Verdict::Rebalances;
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Commits what was used and leaves, so that the others need not wait for the session to time out.
    ///
    /// # Errors
    /// What keeps it from committing or leaving; the group goes on without it in any case.
    pub async fn leave(mut self) -> Result<(), Error> {
        let outcome = match self.config.commit_interval {
            Some(_) => self.commit().await,
            None => Ok(()),
        };
        // Also in the middle of joining: the coordinator knows it from the moment it has an id.
        self.member = None;
        if self.member_id.is_empty() {
            return outcome;
        }
        let member_id = self.member_id.as_str();
        let request = LeaveGroupRequest {
            group_id: &self.config.group,
            members: vec![MemberIdentity { member_id, ..Default::default() }],
            ..Default::default()
        };
        let left = self.client.call_coordinator(&self.config.group, &request, |answer| {
            let response = answer.decode::<LeaveGroupRequest<'_>>()?;
            let code = response.members.first().map_or(ErrorCode::NONE, |member| member.error_code);
            let code = if response.error_code.is_none() { code } else { response.error_code };
            // The coordinator has put it out already.
            let code = if code == ErrorCode::UNKNOWN_MEMBER_ID { ErrorCode::NONE } else { code };
            answer.check(code, &self.config.group, None)
        });
        outcome.and(left.await)
    }

    /// Joins if it is no member, or no longer.
    async fn keep_membership(&mut self) -> Result<(), Error> {
        let verdict = self.pulse.verdict.borrow().clone();
        match verdict {
            Verdict::Stays if self.member.is_some() => return Ok(()),
            Verdict::Stays => {}
            Verdict::Failed(error) => return Err(error),
            Verdict::Rebalances => {
                // While it still is a member; what comes too late is read again by whoever gets the partition.
                if let Err(error) = self.commit_used().await
                    && !moved_on(&error)
                {
                    return Err(error);
                }
            }
            Verdict::Lost => self.member_id.clear(),
        }
        self.member = None;
        self.used.clear();
        let (membership, assigned) =
            membership::join(&self.client, &self.config, &mut self.member_id).await?;
        *self.pulse.verdict.borrow_mut() = Verdict::Stays;
        let beat = heartbeat(
            self.client.clone(),
            self.config.clone(),
            membership.clone(),
            self.pulse.clone(),
        );
        let heartbeat = self.client.reactor().spawn(Queue::Client, beat);
        self.member = Some(Member { membership, _heartbeat: heartbeat });
        let now = self.client.reactor().now();
        self.commit_at = self.config.commit_interval.map(|interval| now + interval);
        self.start(&assigned).await
    }

    /// Reads the assigned partitions from where the group is.
    async fn start(&mut self, assigned: &BTreeMap<String, Vec<i32>>) -> Result<(), Error> {
        let committed = match assigned.is_empty() {
            true => Offsets::new(),
            false => fetch_offsets(&self.client, &self.config.group, Some(assigned)).await?,
        };
        let places = assigned.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |&partition| (topic, partition))
        });
        let positions = places.map(|(topic, partition)| {
            let offset = committed.get(&(topic.clone(), partition));
            let position = offset.map_or(self.config.start, |&offset| Position::Offset(offset));
            (topic.as_str(), partition, position)
        });
        self.consumer.assign(positions);
        Ok(())
    }
}

/// The group has gone on without what was asked: joining again is the answer.
fn moved_on(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::REBALANCE_IN_PROGRESS
                | ErrorCode::ILLEGAL_GENERATION
                | ErrorCode::UNKNOWN_MEMBER_ID
        )
    )
}

/// Tells the coordinator that the member lives, until that finds that it has to join again.
async fn heartbeat(
    client: Client,
    config: Rc<GroupConfig>,
    membership: Membership,
    pulse: Rc<Pulse>,
) {
    loop {
        client.reactor().sleep(config.heartbeat_interval).await;
        let request = HeartbeatRequest {
            group_id: &config.group,
            generation_id: membership.generation,
            member_id: &membership.member_id,
            group_instance_id: None,
        };
        let beat = client.call_coordinator(&config.group, &request, |answer| {
            let response = answer.decode::<HeartbeatRequest<'_>>()?;
            answer.check(response.error_code, &config.group, None)
        });
        let Err(error) = beat.await else { continue };
        let verdict = match error.code() {
            Some(ErrorCode::REBALANCE_IN_PROGRESS) => Verdict::Rebalances,
            Some(ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID) => Verdict::Lost,
            _ if error.is_retriable() => continue,
            _ => Verdict::Failed(error),
        };
        *pulse.verdict.borrow_mut() = verdict;
        pulse.bell.notify_all();
        return;
    }
}
