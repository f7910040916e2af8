//! `ringlane topic`.

use serde_json::json;

use crate::broker::Broker;
use crate::command::{json, run, run_with};

#[test]
fn a_topic_is_created_described_altered_and_deleted() {
    let broker = Broker::start(&[]);
    let created =
        ["topic", "create", "t", "--partitions", "3", "--config", "segment.bytes=2000000"];
    assert!(run(&broker, &created).starts_with("created t with 3 partitions, id "));
    assert!(run(&broker, &["topic", "list"]).contains("t      3           1"));

    run_with(&broker, &["produce", "t", "--partition", "1"], b"a\nb\n");
    let setting = |topic: &serde_json::Value, name: &str| {
        let configs = topic["configs"].as_array().expect("an array");
        configs.iter().find(|config| config["name"] == name).expect("a setting").clone()
    };
    let topic = json(&broker, &["topic", "describe", "t"]);
    assert_eq!(topic["partitions"].as_array().map(Vec::len), Some(3));
    assert_eq!(topic["partitions"][1]["end_offset"], json!(2));
    let expected = json!({"name": "segment.bytes", "value": "2000000", "source": "topic"});
    assert_eq!(setting(&topic, "segment.bytes"), expected);

    let changes =
        ["--partitions", "5", "--set", "max.message.bytes=70000", "--unset", "segment.bytes"];
    run(&broker, &[&["topic", "alter", "t"], &changes[..]].concat());
    let topic = json(&broker, &["topic", "describe", "t"]);
    assert_eq!(topic["partitions"].as_array().map(Vec::len), Some(5));
    assert_eq!(setting(&topic, "max.message.bytes")["value"], json!("70000"));
    assert_eq!(setting(&topic, "segment.bytes")["source"], json!("default"));

    assert_eq!(run(&broker, &["topic", "delete", "t"]), "deleted t\n");
    assert_eq!(json(&broker, &["topic", "list"]), json!([]));
}
