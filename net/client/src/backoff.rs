//! How long to wait before trying again, and when to give up.

use std::time::Duration;

use ringlane_reactor::{Instant, Reactor};

use ringlane_wire::ErrorCode;

use crate::config::ClientConfig;
use crate::error::Error;

/// The pause after CONCURRENT_TRANSACTIONS: what is in the way is the end of the transaction before, which takes
/// milliseconds. Kafka's own client waits as long.
const CONCURRENT_PAUSE: Duration = Duration::from_millis(20);

/// The pause before the retry number `attempt` (from 0): doubling from `min` to `max`, less up to a fifth by chance, so that
/// clients that failed together do not come back together (KIP-580).
pub(crate) fn pause(attempt: u32, min: Duration, max: Duration, random: u64) -> Duration {
    let doubled = min.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX));
    let pause = doubled.min(max);
    pause.saturating_sub(pause / 5 * (random % 1024) as u32 / 1024)
}

/// The retries of one call.
pub(crate) struct Retry {
    reactor: Reactor,
    deadline: Instant,
    min: Duration,
    max: Duration,
    attempt: u32,
}

impl Retry {
    /// Retries until `timeout` from now.
    pub(crate) fn new(reactor: &Reactor, config: &ClientConfig, timeout: Duration) -> Self {
        Self {
            reactor: reactor.clone(),
            deadline: reactor.now() + timeout,
            min: config.backoff_min,
            max: config.backoff_max,
            attempt: 0,
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` itself when it will not pass, or the time is over.
    pub(crate) async fn after(&mut self, error: Error) -> Result<(), Error> {
        let now = self.reactor.now();
        if !error.is_retriable() || now >= self.deadline {
            return Err(error);
        }
        if error.code() == Some(ErrorCode::CONCURRENT_TRANSACTIONS) {
            self.reactor.sleep_until((now + CONCURRENT_PAUSE).min(self.deadline)).await;
            return Ok(());
        }
        let pause = pause(self.attempt, self.min, self.max, self.reactor.random_u64());
        self.attempt += 1;
        self.reactor.sleep_until((now + pause).min(self.deadline)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let pauses: Vec<_> = (0..6).map(|n| pause(n, ms(50), ms(1000), 0)).collect();
        assert_eq!(pauses, [ms(50), ms(100), ms(200), ms(400), ms(800), ms(1000)]);
        assert_eq!(pause(u32::MAX, ms(50), ms(1000), 0), ms(1000));
        for random in [1, 512, 1023, u64::MAX] {
            let pause = pause(1, ms(50), ms(1000), random);
            assert!((ms(80)..=ms(100)).contains(&pause), "{pause:?}");
        }
    }
}
