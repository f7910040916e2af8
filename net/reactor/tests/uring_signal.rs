//! SIGTERM reaches every shard. A process of its own, because the signal is the whole process's.

use ringlane_reactor::{ShardConfig, allowed_cpus, run_shards};

#[test]
fn every_shard_learns_of_a_signal_also_one_that_asks_late() {
    let cpus = allowed_cpus().into_iter().cycle().take(3).collect();
    run_shards(&ShardConfig::on(cpus), |reactor| async move {
        let mut terminated = Box::pin(reactor.terminated());
        let early = reactor.timeout(std::time::Duration::ZERO, &mut terminated).await;
        if reactor.shard().0 == 0 {
            assert!(early.is_err(), "nobody has asked yet");
            // SAFETY: kill(2) has no memory to violate; the handler is installed.
            unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
        }
        terminated.await;
        reactor.terminated().await;
        Ok(())
    })
    .unwrap();
}
