//! Large states take turns: what a state needs is a few times its parameters, and the tests of a
//! crate run side by side.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Parameters of all states that are examined at the same time by one process; a larger state
/// is examined alone.
const AT_ONCE: usize = 1_000_000;
/// States below this size do not wait.
const LARGE: usize = 50_000;

/// Parameters under examination.
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// The right to examine a state, until it is dropped.
struct Turn(usize);

/// How many states of so many parameters may be examined at the same time.
pub(crate) fn side_by_side(parameters: usize) -> usize {
    if parameters < LARGE { usize::MAX } else { (AT_ONCE / parameters).max(1) }
}

fn taken() -> MutexGuard<'static, usize> {
    // A number is whole whatever happened to its last holder.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a state of so many parameters may be examined.
fn take(parameters: usize) -> Turn {
    let share = if parameters < LARGE { 0 } else { parameters.min(AT_ONCE) };
    let waits = |taken: &mut usize| share > 0 && *taken + share > AT_ONCE;
    let held = GIVEN_BACK.wait_while(taken(), waits);
    *held.unwrap_or_else(PoisonError::into_inner) += share;
    Turn(share)
}

/// Does what needs a state of so many parameters, in its turn.
///
/// A large one gets a thread of its own: memory allocators keep what was freed for the thread
/// that had it, and one such store is to do for all states.
pub(crate) fn with<T: Send>(parameters: usize, work: impl FnOnce() -> T + Send) -> T {
    let turn = take(parameters);
    if turn.0 == 0 {
        return work();
    }
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0 > 0 {
            *taken() -= self.0;
            GIVEN_BACK.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Two halves go together, a third waits; small ones never do.
    #[test]
    fn no_more_than_so_many_at_once() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _turn = take(AT_ONCE / 2);
                        let others = now.fetch_add(1, Ordering::SeqCst);
                        most.fetch_max(others + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
            let _all = take(usize::MAX);
            assert_eq!(now.load(Ordering::SeqCst), 0);
            let _small = take(LARGE - 1);
        });
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    }
}
