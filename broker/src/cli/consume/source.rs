//! Where records come from: partitions of one's own choice, or those that a group gives.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlane_client::{
    Client, Consumer, ConsumerConfig, Fetched, GroupConfig, GroupConsumer, OffsetReset, Position,
};

use super::Consume;
use crate::cli::failure::Failure;

/// How often a member of a group looks whether it is at the end.
const LOOK: Duration = Duration::from_millis(200);

pub(super) struct Source {
    reader: Reader,
    /// Where each partition ended at the start, if that is where to end.
    ends: Option<BTreeMap<i32, i64>>,
}

enum Reader {
    Alone(Consumer),
    Member(Box<GroupConsumer>),
}

impl Source {
    pub(super) async fn open(client: &Client, args: &Consume) -> Result<Self, Failure> {
        let topic = client.topic(&args.topic).await?;
        let all = 0..topic.partitions.len() as i32;
        let partitions =
            if args.partitions.is_empty() { all.collect() } else { args.partitions.clone() };
        let at = |position| partitions.iter().map(move |&p| (p, position)).collect::<Vec<_>>();
        let mut ends = None;
        if args.until_end {
            let found = client.list_offsets(&args.topic, &at(Position::Latest)).await?;
            ends = Some(found.into_iter().map(|end| (end.partition, end.offset)).collect());
        }
        if let Some(group) = &args.group {
            let config = GroupConfig { start: args.from, ..GroupConfig::new(group, [&args.topic]) };
            let member = GroupConsumer::new(client, config);
            return Ok(Self { reader: Reader::Member(Box::new(member)), ends });
        }
        // Looked up first: whoever starts at the end of a partition is done with it at once.
        let starts = client.list_offsets(&args.topic, &at(args.from)).await?;
        let reset = match args.from {
            // Retention may delete what is about to be read: then it goes on with what is left.
            Position::Earliest | Position::Timestamp(_) => OffsetReset::Earliest,
            Position::Latest => OffsetReset::Latest,
            Position::Offset(_) => OffsetReset::Fail,
        };
        let mut consumer = Consumer::new(client, ConsumerConfig { reset, ..Default::default() });
        let start = |start: &ringlane_client::OffsetAt| {
            (args.topic.as_str(), start.partition, Position::Offset(start.offset))
        };
        consumer.assign(starts.iter().map(start));
        Ok(Self { reader: Reader::Alone(consumer), ends })
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Fetched>, Failure> {
        loop {
            if self.is_at_end() {
                return Ok(None);
            }
            let fetched = match &mut self.reader {
                Reader::Alone(consumer) => Some(consumer.poll().await?),
                Reader::Member(member) => {
                    let patience = if self.ends.is_some() { LOOK } else { Duration::MAX };
                    member.poll_within(patience).await?
                }
            };
            if fetched.is_some() {
                return Ok(fetched);
            }
        }
    }

    fn is_at_end(&self) -> bool {
        let Some(ends) = &self.ends else { return false };
        let positions = match &self.reader {
            Reader::Alone(consumer) => consumer.positions(),
            Reader::Member(member) => member.positions(),
        };
        let is_over = |partition: &i32, position: &Option<i64>| {
            let end = ends.get(partition).copied().unwrap_or(0);
            position.is_some_and(|position| position >= end)
        };
        // A member that has no partition yet, or none to itself, is not at the end of anything.
        !positions.is_empty()
            && positions.iter().all(|(_, partition, position)| is_over(partition, position))
    }

    /// Of the last piece, only what lies before `offset` was used.
    pub(super) fn used_before(&mut self, offset: i64) {
        if let Reader::Member(member) = &mut self.reader {
            member.used_before(offset);
        }
    }

    /// Commits and leaves the group, if it is in one.
    pub(super) async fn close(self) -> Result<(), Failure> {
        match self.reader {
            Reader::Alone(_) => Ok(()),
            Reader::Member(member) => Ok(member.leave().await?),
        }
    }
}
