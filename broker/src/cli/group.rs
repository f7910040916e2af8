//! `ringlane group`: consumer groups are listed, described and deleted.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use ringlane_client::{
    Admin, Client, GroupDescription, GroupListing, GroupMember, GroupOffset, Position,
};
use serde_json::json;

use super::connect::Connect;
use super::failure::Failure;
use super::output::{Table, print, print_json};

/// List, describe and delete consumer groups.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane group list
  ringlane group describe billing
  ringlane group describe billing --json
  ringlane group delete billing")]
pub(crate) struct Group {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Describe(Describe),
    Delete(Delete),
}

/// List the groups.
#[derive(Args, Clone)]
struct List {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Show a group: its state, and for each partition what is committed, how far behind the end that is, and who reads it.
#[derive(Args, Clone)]
struct Describe {
    /// The group's id.
    group: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Delete groups that have no members, with what they committed.
#[derive(Args, Clone)]
struct Delete {
    /// The ids of the groups.
    #[arg(required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Group {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::List(args) => args.connect.clone().run(move |c| list(c, args.clone())),
            Command::Describe(args) => args.connect.clone().run(move |c| describe(c, args.clone())),
            Command::Delete(args) => args.connect.clone().run(move |c| delete(c, args.clone())),
        }
    }
}

fn listing_json(group: &GroupListing) -> serde_json::Value {
    json!({ "group": group.id, "state": group.state, "protocol": group.protocol_type })
}

async fn list(client: Client, args: List) -> Result<(), Failure> {
    let groups = Admin::new(&client).list_groups().await?;
    if args.json {
        return print_json(&groups.iter().map(listing_json).collect());
    }
    let mut table = Table::new(&["GROUP", "STATE", "PROTOCOL"]);
    for group in groups {
        table.row(vec![group.id, group.state, group.protocol_type]);
    }
    print(table.text())
}

/// A partition that a group has committed in, or reads.
struct Row {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    member: Option<String>,
}

impl Row {
    fn lag(&self) -> Option<i64> {
        Some((self.end? - self.committed?).max(0))
    }
}

async fn describe(client: Client, args: Describe) -> Result<(), Failure> {
    let admin = Admin::new(&client);
    let group = admin.describe_group(&args.group).await?;
    let offsets = admin.group_offsets(&args.group).await?;
    if group.state == "Dead" && offsets.is_empty() {
        let name = &args.group;
        return Err(Failure::Failed(format!(
            "the group {name} does not exist; `ringlane group list` shows the groups"
        )));
    }
    let mut rows = rows(&group, offsets);
    find_ends(&client, &mut rows).await?;
    if args.json {
        return print_json(&as_json(&group, &rows));
    }
    let mut table = Table::new(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"]);
    let number = |number: Option<i64>| number.map_or("-".into(), |number| number.to_string());
    for row in &rows {
        let lag = row.lag();
        table.row(vec![
            row.topic.clone(),
            row.partition.to_string(),
            number(row.committed),
            number(row.end),
            number(lag),
            row.member.clone().unwrap_or("-".into()),
        ]);
    }
    let members = match group.members.len() {
        1 => "1 member".to_owned(),
        count => format!("{count} members"),
    };
    print(format!("{}, {}, {members}\n\n{}", group.id, group.state, table.text()))
}

/// The partitions of the group's commits and of its members, in order.
fn rows(group: &GroupDescription, offsets: Vec<GroupOffset>) -> Vec<Row> {
    let mut rows: BTreeMap<(String, i32), (Option<i64>, Option<String>)> = BTreeMap::new();
    for GroupOffset { topic, partition, offset } in offsets {
        rows.entry((topic, partition)).or_default().0 = Some(offset);
    }
    for member in &group.members {
        for (topic, partitions) in &member.assigned {
            for &partition in partitions {
                let row = rows.entry((topic.clone(), partition)).or_default();
                row.1 = Some(format!("{} ({})", member.id, member.host));
            }
        }
    }
    let row = |((topic, partition), (committed, member))| Row {
        topic,
        partition,
        committed,
        end: None,
        member,
    };
    rows.into_iter().map(row).collect()
}

/// Where the partitions end. A topic that was deleted since has no end.
async fn find_ends(client: &Client, rows: &mut [Row]) -> Result<(), Failure> {
    let mut topics: BTreeMap<String, Vec<(i32, Position)>> = BTreeMap::new();
    for row in &*rows {
        topics.entry(row.topic.clone()).or_default().push((row.partition, Position::Latest));
    }
    for (topic, wanted) in topics {
        if client.topic(&topic).await.is_err() {
            continue;
        }
        for at in client.list_offsets(&topic, &wanted).await? {
            let same = |row: &&mut Row| row.topic == topic && row.partition == at.partition;
            rows.iter_mut().filter(same).for_each(|row| row.end = Some(at.offset));
        }
    }
    Ok(())
}

fn member_json(member: &GroupMember) -> serde_json::Value {
    json!({ "id": member.id, "client_id": member.client_id, "host": member.host })
}

fn as_json(group: &GroupDescription, rows: &[Row]) -> serde_json::Value {
    let row = |row: &Row| {
        json!({
            "topic": row.topic, "partition": row.partition, "committed": row.committed,
            "end": row.end, "lag": row.lag(), "member": row.member,
        })
    };
    json!({
        "group": group.id, "state": group.state, "assignor": group.assignor,
        "members": group.members.iter().map(member_json).collect::<Vec<_>>(),
        "partitions": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

async fn delete(client: Client, args: Delete) -> Result<(), Failure> {
    let admin = Admin::new(&client);
    for group in &args.groups {
        admin.delete_group(group).await?;
        print(format!("deleted {group}\n"))?;
    }
    Ok(())
}
