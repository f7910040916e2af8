//! `ringlane consume --group` and `ringlane group`.

use std::io::{BufRead, BufReader};
use std::process::Command;

use serde_json::json;

use crate::broker::{Broker, wait_until};
use crate::command::{command, end, json, run, run_with};

#[test]
fn a_group_goes_on_where_it_was() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    run_with(&broker, &["produce", "t"], b"a\nb\nc\nd\n");
    let consume = ["consume", "t", "--group", "g", "--until-end"];
    assert_eq!(run(&broker, &[&consume[..], &["-n", "3"]].concat()), "a\nb\nc\n");
    assert_eq!(run(&broker, &consume), "d\n");
    let group = json(&broker, &["group", "describe", "g"]);
    assert_eq!((&group["state"], &group["members"]), (&json!("Empty"), &json!([])));
    let partition = json!({
        "topic": "t", "partition": 0, "committed": 4, "end": 4, "lag": 0, "member": null
    });
    assert_eq!(group["partitions"], json!([partition]));
    let listed = json!([{"group": "g", "state": "Empty", "protocol": "consumer"}]);
    assert_eq!(json(&broker, &["group", "list"]), listed);

    assert_eq!(run(&broker, &["group", "delete", "g"]), "deleted g\n");
    let ended = end(command(&broker, &["group", "describe", "g"]), b"");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("`ringlane group list`"), "{}", ended.stderr);
}

/// Ctrl-C commits and leaves: nobody waits for a session to time out.
#[test]
fn an_interrupted_member_leaves_its_group() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "2"]);
    run_with(&broker, &["produce", "t", "--partition", "1"], b"a\n");
    let mut member =
        command(&broker, &["consume", "t", "--group", "g"]).spawn().expect("a process");
    let mut lines = BufReader::new(member.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a record").expect("text"), "a");

    let id = member.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().expect("kill");
    assert!(sent.success());
    let status = wait_until("the member ends", || member.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(0));
    let group = json(&broker, &["group", "describe", "g"]);
    assert_eq!(
        (&group["state"], &group["partitions"][0]["committed"]),
        (&json!("Empty"), &json!(1))
    );
}

#[test]
fn members_share_the_partitions() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "4"]);
    let member = || command(&broker, &["consume", "t", "--group", "g"]).spawn().expect("a process");
    let mut members = [member(), member()];
    let shares = || {
        // Until the first of them has joined there is no group.
        let described = end(command(&broker, &["group", "describe", "g", "--json"]), b"");
        let group: serde_json::Value = serde_json::from_slice(&described.stdout).ok()?;
        let partitions = group["partitions"].as_array().expect("an array").clone();
        let of = |partition: &serde_json::Value| partition["member"].as_str().map(str::to_owned);
        let mut owners: Vec<String> = partitions.iter().filter_map(of).collect();
        let count = owners.len();
        owners.sort();
        owners.dedup();
        (count == 4 && owners.len() == 2).then_some(())
    };
    wait_until("two members have two partitions each", shares);
    for member in &mut members {
        member.kill().expect("a child");
        member.wait().expect("a child");
    }
}
