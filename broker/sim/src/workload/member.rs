//! A member of a consumer group: joins, keeps alive, commits rising offsets of the partition that has its number, and looks
//! whether what was committed is there. It commits whatever the assignment says, as any member of the generation may.

use ringlane_reactor::Rng;
use ringlane_wire::ErrorCode;

use super::{Work, passes, pause};
use crate::client::{Client, Failure, Member};
use crate::invariants::committed_offsets_survive;
use crate::oracle::CommitName;

const GROUP: &str = "group";
/// What a member does in one generation before it leaves or joins again by itself.
const STEPS_MAX: u64 = 40;

struct Committer {
    work: Work,
    client: Client,
    rng: Rng,
    name: CommitName,
    /// Empty for someone new.
    member_id: String,
}

/// Takes part until it is told to stop.
pub(super) async fn take_part(work: Work, client: Client, rng: Rng, number: i32) {
    let name = (GROUP.to_owned(), (work.topics[0].name.clone(), number));
    let mut committer = Committer { work, client, rng, name, member_id: String::new() };
    while !committer.work.is_stopping() {
        match committer.generation().await {
            Ok(()) => {}
            // A commit that is still under way must not come after a later one: someone new makes a new generation, in
            // which it is refused.
            Err(Failure::Io(_)) => committer.member_id.clear(),
            Err(Failure::Code(code)) => committer.judge(code),
        }
        committer.client.back_off().await;
    }
}

impl Committer {
    fn judge(&mut self, code: ErrorCode) {
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => self.member_id.clear(),
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS => {}
            code => assert!(passes(code), "taking part in a group: {code}"),
        }
    }

    /// One generation of the group, as long as it lasts.
    async fn generation(&mut self) -> Result<(), Failure> {
        self.client.find_coordinator(GROUP).await?;
        let joined = self.client.join_group(GROUP, &self.member_id).await?;
        self.member_id.clone_from(&joined.member.id);
        let assignment = self.client.sync_group(&joined).await?;
        assert_eq!(assignment, joined.member.id.as_bytes(), "each member gets its own assignment");
        for _ in 0..self.rng.below(STEPS_MAX) {
            if self.work.is_stopping() {
                break;
            }
            match self.rng.below(10) {
                0..5 => self.commit(&joined.member).await?,
                5..7 => self.look().await?,
                _ => self.client.heartbeat(&joined.member).await?,
            }
            pause(&self.client, &mut self.rng, 100).await;
        }
        if self.rng.one_in(2) || self.work.is_stopping() {
            self.client.leave_group(&joined.member).await?;
            self.member_id.clear();
        }
        Ok(())
    }

    async fn commit(&mut self, member: &Member) -> Result<(), Failure> {
        let oracle = &self.work.oracle;
        let next = oracle.commit_facts(&self.name).sent.unwrap_or(0) + 1;
        oracle.committing(&self.name, next);
        let (topic, partition) = &self.name.1;
        match self.client.commit(member, topic, *partition, next).await {
            Ok(()) => oracle.committed(&self.name, next),
            // What was not acknowledged may be there all the same, and is not sent again.
            Err(Failure::Code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let known = self.work.oracle.commit_facts(&self.name);
        let (topic, partition) = &self.name.1;
        let found = self.client.committed(GROUP, topic, *partition).await?;
        let sent = self.work.oracle.commit_facts(&self.name).sent;
        let agreed = committed_offsets_survive::agrees(&self.name, known, sent, found);
        agreed.unwrap_or_else(|violation| panic!("{violation}"));
        Ok(())
    }
}
