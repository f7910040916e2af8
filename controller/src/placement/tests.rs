//! Placement, alone: even, stable, and no two replicas on one broker.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::image::Broker;

fn brokers(live: i32, fenced: i32) -> ClusterImage {
    let broker = |id: i32| {
        let broker = Broker {
            id: BrokerId(id),
            epoch: 1,
            fenced: id >= live,
            core_count: 2,
            endpoints: Vec::new(),
            core_endpoints: Vec::new(),
            rack: None,
        };
        (broker.id, Arc::new(broker))
    };
    ClusterImage { brokers: (0..live + fenced).map(broker).collect(), ..ClusterImage::default() }
}

#[test]
fn the_least_loaded_core_takes_the_next_replica_and_the_lowest_of_equals() {
    let mut loads = CoreLoads::of(&brokers(1, 0));
    let cores: Vec<u16> = (0..4).map(|_| loads.place(BrokerId(0)).core.0).collect();
    assert_eq!(cores, [0, 1, 0, 1]);
}

#[test]
fn a_lost_core_moves_only_what_it_held() {
    let mut cores = [0, 1, 2, 0, 1, 2].map(CoreIndex);
    spread(&mut cores, 2);
    assert_eq!(cores, [0, 1, 0, 0, 1, 1].map(CoreIndex));
}

#[test]
fn a_new_core_takes_its_share() {
    let mut cores = [0, 0, 0, 1, 1, 1].map(CoreIndex);
    spread(&mut cores, 3);
    assert_eq!(cores, [0, 0, 2, 1, 1, 2].map(CoreIndex));
}

#[test]
fn leaders_go_round_the_brokers() {
    let chosen = choose_brokers(&brokers(3, 0), TopicId([0; 16]), 0, 3, 2).expect("enough");
    let leaders: Vec<i32> = chosen.iter().map(|brokers| brokers[0].0).collect();
    assert_eq!(leaders, [0, 1, 2]);
}

#[test]
fn too_few_brokers_are_refused_in_kafkas_words() {
    let of = |image, replicas| choose_brokers(&image, TopicId([7; 16]), 0, 1, replicas);
    let message = "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered.";
    assert_eq!(of(brokers(1, 1), 3), Err(message.to_owned()));
    assert_eq!(of(brokers(0, 2), 1), Err("All brokers are currently fenced.".to_owned()));
    // A fenced broker is taken only where the live ones do not suffice, and never first.
    let chosen = of(brokers(1, 1), 2).expect("enough");
    assert_eq!(chosen, [[BrokerId(0), BrokerId(1)]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spreading_is_even_and_moves_as_little_as_it_can(
        before in proptest::collection::vec(0u16..8, 0..60),
        core_count in 1u16..8,
    ) {
        let before: Vec<CoreIndex> = before.into_iter().map(CoreIndex).collect();
        let mut after = before.clone();
        spread(&mut after, core_count);
        let load = |cores: &[CoreIndex], core| cores.iter().filter(|at| at.0 == core).count();
        let share = before.len() / usize::from(core_count);
        let mut stay = 0;
        for core in 0..core_count {
            prop_assert!((share..=share + 1).contains(&load(&after, core)));
            stay += load(&before, core).min(share + 1);
        }
        // What stays is at least what an even share of each core allows, but for the cores that may not keep one more.
        let surplus = before.len() % usize::from(core_count);
        let full = (0..core_count).filter(|&core| load(&before, core) > share).count();
        let kept = before.iter().zip(&after).filter(|(before, after)| before == after).count();
        prop_assert_eq!(kept, stay - full.saturating_sub(surplus));
    }

    #[test]
    fn no_broker_holds_two_replicas_of_a_partition(
        live in 1i32..7, fenced in 0i32..4, id in any::<[u8; 16]>(), first in 0usize..20,
        replicas in 1usize..10,
    ) {
        let image = brokers(live, fenced);
        prop_assume!(replicas <= (live + fenced) as usize);
        for mut chosen in choose_brokers(&image, TopicId(id), first, 12, replicas).expect("enough") {
            prop_assert!(image.is_live(chosen[0]));
            prop_assert_eq!(chosen.len(), replicas);
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert_eq!(chosen.len(), replicas);
        }
    }
}
