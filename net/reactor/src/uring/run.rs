//! Starting the shards of a process and waiting for their end.

use std::any::Any;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use super::driver::Driver;
use super::give_way::give_way;
use super::shard::set_local;
use super::waker::Inbox;
use super::{Shard, ShardConfig};
use crate::reactor::{Side, set_current};
use crate::{Queue, Reactor, ShardId};

/// Address space of a shard's stack, of which only what is used costs memory.
const STACK_BYTES: usize = 2 << 20;

/// Allocations from this size on are mappings of their own, which go when they are freed.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: libc::c_int = 4 << 20;

/// Freed memory that each shard keeps for its next allocations.
#[cfg(target_env = "gnu")]
const FREED_BYTES_MAX: libc::c_int = 16 << 20;

/// glommio's own rings see no I/O of ours: the least it accepts.
const EXECUTOR_RING_DEPTH: usize = 8;
const EXECUTOR_IO_BYTES: usize = 64 << 10;

/// glommio's preemption timer must never fire. The driver bounds the turns; and glommio 0.9 goes to sleep with tasks in its
/// queues when the timer fires between being armed and the first task.
const EXECUTOR_PREEMPT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Runs one shard on each CPU of `config` and waits for all of them. `main` runs on every shard, with its reactor; when it
/// returns, its shard drops the tasks that are left and ends.
///
/// # Errors
/// When a thread, a ring or an executor cannot be had; a shard's own error ends the call once every shard has ended.
///
/// # Panics
/// With the panic of any task, once every shard has been stopped: a task that panicked may have left shared state half
/// changed, so a process must neither go on nor lose a shard silently.
pub fn run_shards<M, F>(config: &ShardConfig, main: M) -> io::Result<()>
where
    M: Fn(Reactor) -> F + Send + Clone + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let count = u16::try_from(config.cpus.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    keep_freed_memory();
    let inboxes = (0..count).map(|_| Inbox::new().map(Arc::new)).collect::<io::Result<Vec<_>>>()?;
    let inboxes: Arc<[Arc<Inbox>]> = inboxes.into();
    let start = |number: u16| {
        let (config, main, inboxes) = (config.clone(), main.clone(), inboxes.clone());
        let thread = std::thread::Builder::new().name(format!("shard-{number}"));
        thread.stack_size(STACK_BYTES).spawn(move || {
            let guard = StopOthers(inboxes);
            let ended = run_shard(&config, ShardId(number), &guard.0, main);
            if matches!(ended, Ok(End::Main(_))) {
                std::mem::forget(guard);
            }
            ended
        })
    };
    let mut result = Ok(());
    let mut threads = Vec::new();
    for number in 0..count {
        match start(number) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                result = Err(error);
                drop(StopOthers(inboxes.clone()));
                break;
            }
        }
    }
    let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
    for end in ended {
        match end {
            Ok(Ok(End::Panicked(panic))) | Err(panic) => std::panic::resume_unwind(panic),
            Ok(Ok(End::Main(end))) => result = result.and(end),
            Ok(Ok(End::Stopped)) => {}
            Ok(Err(error)) => result = result.and(Err(error)),
        }
    }
    result
}

/// Lets glibc keep what a shard frees, up to a bound, instead of giving it back to the kernel at once: a fetch of a few MiB
/// otherwise pays for fresh zeroed pages each time, which was half of its CPU (docs/benchmarks.md). See mallopt(3).
fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers and changes how the allocator sizes its own memory.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_TRIM_THRESHOLD, FREED_BYTES_MAX);
    }
}

/// How a shard came to its end.
enum End {
    Main(io::Result<()>),
    Panicked(Box<dyn Any + Send>),
    /// Another shard could not start, or panicked.
    Stopped,
}

/// Stops every shard when dropped: on every way out of a shard's thread but the end of its main.
struct StopOthers(Arc<[Arc<Inbox>]>);

impl Drop for StopOthers {
    fn drop(&mut self) {
        self.0.iter().for_each(|inbox| inbox.stop());
    }
}

/// Runs one shard on this thread.
fn run_shard<M, F>(
    config: &ShardConfig,
    id: ShardId,
    inboxes: &[Arc<Inbox>],
    main: M,
) -> io::Result<End>
where
    M: FnOnce(Reactor) -> F,
    F: Future<Output = io::Result<()>> + 'static,
{
    if config.gives_way {
        give_way();
    }
    let inbox = inboxes[usize::from(id.0)].clone();
    let count = inboxes.len() as u16;
    let executor = executor(config, id)?;
    let ended = executor.run(async {
        let shard = Shard::new(id, count, config.clone(), inbox)?;
        shard.ring.poll_bell(shard.inbox.bell());
        set_local(Some(shard.clone()));
        let reactor = Reactor(Side::Uring(shard.clone()));
        set_current(Some(reactor.clone()));
        let result = start_main(&shard, main(reactor));
        Driver(shard.clone()).await;
        let panic = shard.loop_state.panic.take();
        Ok::<_, io::Error>(match (panic, result.take()) {
            (Some(panic), _) => End::Panicked(panic),
            (None, Some(result)) => End::Main(result),
            (None, None) => End::Stopped,
        })
    });
    drop(set_current(None));
    // The executor goes first: the last tasks hold the shard.
    drop(executor);
    set_local(None);
    ended
}

/// Starts the main task; its result appears in the cell.
fn start_main(
    shard: &Rc<Shard>,
    main: impl Future<Output = io::Result<()>> + 'static,
) -> Rc<std::cell::Cell<Option<io::Result<()>>>> {
    let result = Rc::new(std::cell::Cell::new(None));
    let (ended, of) = (result.clone(), shard.clone());
    let main = async move {
        ended.set(Some(main.await));
        of.loop_state.main_ended.set(true);
    };
    shard.spawn(Queue::Client, Box::pin(main)).detach();
    result
}

/// glommio's executor for this thread, pinned if asked and possible.
fn executor(config: &ShardConfig, id: ShardId) -> io::Result<LocalExecutor> {
    let make = |placement| {
        LocalExecutorBuilder::new(placement)
            .name(&format!("shard-{}", id.0))
            .io_memory(EXECUTOR_IO_BYTES)
            .ring_depth(EXECUTOR_RING_DEPTH)
            .preempt_timer(EXECUTOR_PREEMPT)
            .make()
            .map_err(|error| io::Error::other(error.to_string()))
    };
    if !config.pinned {
        return make(Placement::Unbound);
    }
    let cpu = config.cpus[usize::from(id.0)];
    make(Placement::Fixed(cpu)).or_else(|error| {
        tracing::warn!("shard {} is not pinned to CPU {cpu}: {error}", id.0);
        make(Placement::Unbound)
    })
}
