//! Two short lives, the second of which finds what the first left, cut at every single operation that writes or syncs.

use ringlane_reactor::Rng;
use ringlane_reactor::sim::{CrashKind, Options};

use crate::common::{each_seed, seeds};
use crate::roles::Role;
use crate::world::{Life, World};

const SEEDS: u64 = 4;
const LIVES: usize = 2;
const STEPS: usize = 10;

struct Plan {
    seed: u64,
    roles: Vec<Role>,
    lives: Vec<Life>,
}

impl Plan {
    fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xe5e7);
        let roles = Role::draw(&mut rng);
        let lives = (0..LIVES).map(|_| Life::draw(&mut rng, STEPS)).collect();
        Self { seed, roles, lives }
    }

    /// Lives up to the one that is cut, if one is; how many operations each had.
    fn run(&self, cut: Option<(usize, u64, CrashKind)>) -> Vec<u64> {
        let mut world = World::new(Options::seed(self.seed), self.roles.clone(), 2);
        let mut operations = Vec::new();
        for (number, life) in self.lives.iter().enumerate() {
            match cut {
                Some((cut_life, at, kind)) if cut_life == number => {
                    world.live(Life { kind, ..*life }, Some(at));
                    break;
                }
                _ => operations.push(world.live(*life, None)),
            }
        }
        world.finish(1 + self.seed as u16 % 2);
        operations
    }
}

#[test]
fn a_cut_at_any_operation_takes_nothing_that_was_told() {
    each_seed("crash", seeds(SEEDS), |seed| {
        let plan = Plan::draw(seed);
        let operations = plan.run(None);
        for (life, count) in operations.into_iter().enumerate() {
            for at in 0..count {
                for kind in [CrashKind::Process, CrashKind::Power] {
                    plan.run(Some((life, at, kind)));
                }
            }
        }
    });
}
