//! Large states take turns: what a state needs is a few times its parameters, and the tests of a
//! crate run side by side.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Parameters of all states that are examined at the same time by one process; a larger state
/// is examined alone.
const AT_ONCE: usize = 1_000_000;
/// States below this size do not wait.
const LARGE: usize = 50_000;

/// Parameters under examination.
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// The right to examine a state, until it is given back or dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    share: usize,
    is_over: AtomicBool,
}

/// How many states of so many parameters may be examined at the same time.
pub(crate) fn side_by_side(parameters: usize) -> usize {
    if parameters < LARGE { usize::MAX } else { (AT_ONCE / parameters).max(1) }
}

fn taken() -> MutexGuard<'static, usize> {
    // A number is whole whatever happened to its last holder.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a state of so many parameters may be examined.
pub(crate) fn take(parameters: usize) -> Turn {
    let share = if parameters < LARGE { 0 } else { parameters.min(AT_ONCE) };
    let waits = |taken: &mut usize| share > 0 && *taken + share > AT_ONCE;
    let held = GIVEN_BACK.wait_while(taken(), waits);
    *held.unwrap_or_else(PoisonError::into_inner) += share;
    Turn { share, is_over: AtomicBool::new(false) }
}

impl Turn {
    /// Whether others may have to wait for it.
    pub(crate) fn is_large(&self) -> bool {
        self.share > 0
    }

    /// Lets others go on, though what it was taken for may never come to its end.
    pub(crate) fn give_back(&self) {
        if !self.is_over.swap(true, Ordering::SeqCst) && self.is_large() {
            *taken() -= self.share;
            GIVEN_BACK.notify_all();
        }
    }
}

#[cfg(test)]
impl Turn {
    /// A turn that was taken from nobody.
    pub(crate) fn of_nothing() -> Turn {
        Turn { share: 0, is_over: AtomicBool::new(false) }
    }

    /// Whether it has been given back.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// The turns are the process's.
    static ALONE: Mutex<()> = Mutex::new(());

    /// Only once, however often it is said.
    #[test]
    fn a_turn_given_back_is_nobodys() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck = take(AT_ONCE);
        stuck.give_back();
        let next = take(AT_ONCE);
        stuck.give_back();
        drop(stuck);
        assert_eq!(*taken(), AT_ONCE);
        drop(next);
        assert_eq!(*taken(), 0);
    }

    /// Two halves go together, a third waits; small ones never do.
    #[test]
    fn no_more_than_so_many_at_once() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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
