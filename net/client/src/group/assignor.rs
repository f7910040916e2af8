//! Kafka's range assignor: of each topic, members in the order of their ids get consecutive partitions, the first ones one
//! more where they do not divide evenly. Pure: every leader of a group computes the same.

use std::collections::BTreeMap;

/// For each member: topics with the partitions that it gets, in order.
pub(super) type Assignment = BTreeMap<String, BTreeMap<String, Vec<i32>>>;

/// Deals the partitions of `counts` (topic and number) to `members` (id and topics that it wants).
pub(super) fn range(
    members: &BTreeMap<String, Vec<String>>,
    counts: &BTreeMap<String, usize>,
) -> Assignment {
    let mut assignment: Assignment =
        members.keys().map(|member| (member.clone(), BTreeMap::new())).collect();
    for (topic, &count) in counts {
        let wants = |topics: &Vec<String>| topics.contains(topic);
        let takers = members.iter().filter(|(_, topics)| wants(topics)).map(|(member, _)| member);
        let takers: Vec<&String> = takers.collect();
        let mut next = 0;
        for (place, member) in takers.iter().enumerate() {
            let share = count / takers.len() + usize::from(place < count % takers.len());
            if share > 0 {
                let partitions = (next..next + share).map(|partition| partition as i32).collect();
                let topics = assignment.get_mut(*member).expect("every member is there");
                topics.insert(topic.clone(), partitions);
            }
            next += share;
        }
        assert!(takers.is_empty() || next == count, "every partition is dealt once");
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dealt(members: &[(&str, &[&str])], counts: &[(&str, usize)]) -> Vec<String> {
        let wants = |topics: &[&str]| topics.iter().map(|topic| topic.to_string()).collect();
        let members = members.iter().map(|(id, topics)| (id.to_string(), wants(topics))).collect();
        let counts = counts.iter().map(|(topic, count)| (topic.to_string(), *count)).collect();
        let show = |(id, topics): (String, BTreeMap<String, Vec<i32>>)| format!("{id} {topics:?}");
        range(&members, &counts).into_iter().map(show).collect()
    }

    #[test]
    fn the_first_members_get_one_more() {
        let members: [(&str, &[&str]); 3] = [("a", &["t"]), ("b", &["t"]), ("c", &["t"])];
        assert_eq!(
            dealt(&members, &[("t", 5)]),
            ["a {\"t\": [0, 1]}", "b {\"t\": [2, 3]}", "c {\"t\": [4]}"]
        );
        assert_eq!(dealt(&members, &[("t", 1)]), ["a {\"t\": [0]}", "b {}", "c {}"]);
    }

    #[test]
    fn a_topic_goes_to_those_who_want_it() {
        let members: [(&str, &[&str]); 2] = [("a", &["t", "u"]), ("b", &["u"])];
        assert_eq!(
            dealt(&members, &[("t", 2), ("u", 3), ("v", 9)]),
            ["a {\"t\": [0, 1], \"u\": [0, 1]}", "b {\"u\": [2]}"]
        );
    }
}
