//! `ringlane topic`: topics are created, listed, described, altered and deleted.

use clap::{ArgGroup, Args, Subcommand};
use ringlane_client::{
    Admin, Client, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, NewTopic, Position,
    TopicInfo,
};
use serde_json::json;

use super::connect::Connect;
use super::failure::Failure;
use super::output::{Table, list, print, print_json};

/// Create, list, describe, alter and delete topics.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane topic create orders --partitions 12
  ringlane topic create audit --config max.message.bytes=10485760
  ringlane topic list
  ringlane topic describe orders --json
  ringlane topic alter orders --partitions 24 --set max.message.bytes=10485760
  ringlane topic alter orders --unset max.message.bytes
  ringlane topic delete orders audit")]
pub(crate) struct Topic {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Describe(Describe),
    Alter(Alter),
    Delete(Delete),
}

/// Create a topic.
#[derive(Args, Clone)]
struct Create {
    /// The topic's name: letters, digits, '.', '_' and '-'.
    name: String,
    /// How many partitions it has; the broker's num.partitions if not said.
    #[arg(long, short, value_name = "COUNT")]
    partitions: Option<i32>,
    /// How many brokers hold each partition; the broker's default.replication.factor if not said.
    #[arg(long, short, value_name = "COUNT")]
    replication_factor: Option<i16>,
    /// A setting of its own. May be given more than once.
    #[arg(long = "config", short, value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    #[command(flatten)]
    connect: Connect,
}

/// List the topics.
#[derive(Args, Clone)]
struct List {
    /// Also the broker's own, as __consumer_offsets.
    #[arg(long)]
    internal: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Show a topic: its partitions with leader, replicas and offsets, and its settings.
#[derive(Args, Clone)]
struct Describe {
    /// The topic's name.
    name: String,
    /// Also the settings that have their default value.
    #[arg(long)]
    defaults: bool,
    /// As JSON, with all settings.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Give a topic more partitions, or change its settings.
#[derive(Args, Clone)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["partitions", "set", "unset"])))]
struct Alter {
    /// The topic's name.
    name: String,
    /// How many partitions it is to have, more than now. Records with a key may then go to other partitions than before.
    #[arg(long, short, value_name = "COUNT")]
    partitions: Option<i32>,
    /// Give a setting a value. May be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Give a setting back its default. May be given more than once.
    #[arg(long, alias = "delete-config", value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    connect: Connect,
}

/// Delete topics with all their records.
#[derive(Args, Clone)]
struct Delete {
    /// The names of the topics.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    connect: Connect,
}

/// `key=value`, cut at the first `=`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

impl Topic {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Create(args) => {
                args.connect.clone().run(move |client| create(client, args.clone()))
            }
            Command::List(args) => args.connect.clone().run(move |c| list_all(c, args.clone())),
            Command::Describe(args) => {
                args.connect.clone().run(move |client| describe(client, args.clone()))
            }
            Command::Alter(args) => args.connect.clone().run(move |c| alter(c, args.clone())),
            Command::Delete(args) => args.connect.clone().run(move |c| delete(c, args.clone())),
        }
    }
}

async fn create(client: Client, args: Create) -> Result<(), Failure> {
    let topic = NewTopic {
        name: args.name,
        partition_count: args.partitions,
        replication_factor: args.replication_factor,
        configs: args.configs,
    };
    let created = Admin::new(&client).create_topic(&topic).await?;
    let count = created.partition_count;
    let partitions = if count == 1 { "partition" } else { "partitions" };
    print(format!("created {} with {count} {partitions}, id {}\n", topic.name, created.id))
}

async fn list_all(client: Client, args: List) -> Result<(), Failure> {
    let topics = client.all_topics().await?;
    let topics = topics.iter().filter(|topic| args.internal || !topic.is_internal);
    let replicas = |topic: &TopicInfo| topic.partitions.first().map_or(0, |p| p.replicas.len());
    if args.json {
        let topic = |topic: &std::rc::Rc<TopicInfo>| {
            json!({
                "name": &*topic.name,
                "id": topic.id.to_string(),
                "partitions": topic.partitions.len(),
                "replication_factor": replicas(topic),
                "internal": topic.is_internal,
            })
        };
        return print_json(&topics.map(topic).collect());
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS"]);
    for topic in topics {
        let counts = [topic.partitions.len().to_string(), replicas(topic).to_string()];
        table.row([vec![topic.name.to_string()], counts.to_vec()].concat());
    }
    print(table.text())
}

async fn describe(client: Client, args: Describe) -> Result<(), Failure> {
    let topic = client.topic(&args.name).await?;
    let led = topic.partitions.iter().enumerate().filter(|(_, info)| info.leader.is_some());
    let led: Vec<i32> = led.map(|(index, _)| index as i32).collect();
    let wanted = |position| led.iter().map(move |&index| (index, position)).collect::<Vec<_>>();
    let starts = client.list_offsets(&args.name, &wanted(Position::Earliest)).await?;
    let ends = client.list_offsets(&args.name, &wanted(Position::Latest)).await?;
    let offset = |list: &[ringlane_client::OffsetAt], index: usize| {
        list.iter().find(|at| at.partition == index as i32).map(|at| at.offset)
    };
    let resource = ConfigResource::Topic(args.name.clone());
    let configs = Admin::new(&client).describe_configs(&resource).await?;
    let partitions = topic.partitions.iter().enumerate();
    if args.json {
        let partitions = partitions.map(|(index, info)| {
            json!({
                "partition": index, "leader": info.leader, "leader_epoch": info.leader_epoch,
                "replicas": info.replicas, "isr": info.isr,
                "start_offset": offset(&starts, index), "end_offset": offset(&ends, index),
            })
        });
        return print_json(&json!({
            "name": &*topic.name, "id": topic.id.to_string(), "internal": topic.is_internal,
            "partitions": partitions.collect::<Vec<_>>(),
            "configs": configs.iter().map(config_json).collect::<Vec<_>>(),
        }));
    }
    let mut table = Table::new(&["PARTITION", "LEADER", "REPLICAS", "ISR", "START", "END"]);
    let or_none = |number: Option<i64>| number.map_or("none".into(), |n: i64| n.to_string());
    for (index, info) in partitions {
        table.row(vec![
            index.to_string(),
            or_none(info.leader.map(i64::from)),
            list(&info.replicas),
            list(&info.isr),
            or_none(offset(&starts, index)),
            or_none(offset(&ends, index)),
        ]);
    }
    print(format!("{}, id {}\n\n{}", topic.name, topic.id, table.text()))?;
    print_configs(&configs, args.defaults)
}

fn source(entry: &ConfigEntry) -> &'static str {
    match entry.source {
        ConfigSource::Topic => "topic",
        ConfigSource::DynamicBroker | ConfigSource::StaticBroker => "broker",
        ConfigSource::Default => "default",
        ConfigSource::Other(_) => "other",
    }
}

fn config_json(entry: &ConfigEntry) -> serde_json::Value {
    json!({ "name": entry.name, "value": entry.value, "source": source(entry) })
}

fn print_configs(configs: &[ConfigEntry], defaults: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["SETTING", "VALUE", "SET BY"]);
    let mut shown =
        configs.iter().filter(|e| defaults || e.source != ConfigSource::Default).peekable();
    if shown.peek().is_none() {
        return print("\nall settings have their defaults (--defaults shows them)\n");
    }
    for entry in shown {
        let value = entry.value.clone().unwrap_or_default();
        table.row(vec![entry.name.clone(), value, source(entry).to_owned()]);
    }
    print(format!("\n{}", table.text()))
}

async fn alter(client: Client, args: Alter) -> Result<(), Failure> {
    let admin = Admin::new(&client);
    let set = args.set.into_iter().map(|(key, value)| ConfigChange::Set(key, value));
    let changes: Vec<_> = set.chain(args.unset.into_iter().map(ConfigChange::Delete)).collect();
    if !changes.is_empty() {
        admin.alter_configs(&ConfigResource::Topic(args.name.clone()), &changes).await?;
    }
    if let Some(count) = args.partitions {
        admin.create_partitions(&args.name, count).await?;
    }
    print(format!("altered {}\n", args.name))
}

async fn delete(client: Client, args: Delete) -> Result<(), Failure> {
    let admin = Admin::new(&client);
    for name in &args.names {
        admin.delete_topic(name).await?;
        print(format!("deleted {name}\n"))?;
    }
    Ok(())
}
