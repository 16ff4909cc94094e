//! A check under a time limit: it works on a thread of its own, and the test waits no longer than
//! the limit for it.
//!
//! A call that never returns cannot be ended from outside, only left behind: the test fails with
//! what is known of it, and the thread ends with the process.
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, park};
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::turn::Turn;

/// How long a check may take where nobody says otherwise: longer than anyone waits for a test,
/// shorter than machines that run tests are left alone.
const DEFAULT: Duration = Duration::from_secs(600);
/// Stack of the threads that call user code: that of a process's first thread on most systems,
/// and more than that of a test's.
const STACK: usize = 8 << 20;

/// The limit of a check: `GRADCHECK_TIMEOUT` in seconds, else the setting, else ten minutes.
/// `None` is no limit, which a zero asks for.
pub(crate) fn limit(environment: Option<f64>, setting: Option<Duration>) -> Option<Duration> {
    let asked = match environment {
        Some(seconds) => Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        None => setting,
    };
    Some(asked.unwrap_or(DEFAULT)).filter(|limit| !limit.is_zero())
}

/// Bytes of stack for a thread that calls user code; `RUST_MIN_STACK` may ask for more.
pub(crate) fn stack_size() -> usize {
    let asked = std::env::var("RUST_MIN_STACK").ok().and_then(|text| text.trim().parse().ok());
    asked.unwrap_or(0).max(STACK)
}

/// Where one thread of a check stands.
#[derive(Debug, Default)]
struct Desk {
    at: Mutex<At>,
}

#[derive(Clone, Debug, Default)]
struct At {
    case: Option<Case>,
    /// The call under way, and since when somebody who looks has seen it: no clock is read at
    /// each of what may be millions of calls.
    during: Option<&'static str>,
    seen: Option<Instant>,
    /// Calls of the forward and the gradient that have come back.
    returned: usize,
}

impl At {
    fn running(&self) -> Duration {
        self.seen.map_or(Duration::ZERO, |seen| seen.elapsed())
    }
}

/// How far a check has come, for the one who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// States to be judged.
    pub(crate) cases: AtomicUsize,
    judged: AtomicUsize,
    failing: AtomicUsize,
    abandoned: AtomicBool,
    desks: Mutex<Desks>,
    /// Turns that the check has had, and may still hold.
    turns: Mutex<Vec<Weak<Turn>>>,
}

#[derive(Debug, Default)]
struct Desks {
    taken: Vec<Arc<Desk>>,
    /// Calls of the threads that have ended.
    returned: usize,
}

/// What was under way when the limit was reached.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The limit.
    pub limit: Duration,
    /// What was being called; none between two calls.
    pub during: Option<&'static str>,
    /// How long that call had been running, to a twentieth of the limit, or a second.
    pub running: Duration,
    pub(crate) case: Option<Case>,
    /// The state's dimensions by name.
    pub dims: Vec<(String, usize)>,
    /// The state's draws in a few words each.
    pub draws: Vec<(String, String)>,
    /// States that had been judged.
    pub judged: usize,
    /// Those of them whose gradient is wrong, or that failed otherwise.
    pub failing: usize,
    /// States that were to be judged.
    pub cases: usize,
    /// Calls of the forward and the gradient that had come back.
    pub returned: usize,
    /// What those calls took on all threads together.
    pub spent: Duration,
}

thread_local! {
    static DESK: RefCell<Option<(Arc<Desk>, Arc<Watch>)>> = const { RefCell::new(None) };
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// The running thread turns to a case.
    pub(crate) fn turn_to(self: &Arc<Watch>, case: &Case) {
        let desk = DESK.with_borrow_mut(|desk| match desk {
            Some((desk, watch)) if Arc::ptr_eq(watch, self) => Arc::clone(desk),
            _ => {
                let new = Arc::new(Desk::default());
                *desk = Some((Arc::clone(&new), Arc::clone(self)));
                held(&self.desks).take(&new);
                new
            }
        });
        held(&desk.at).case = Some(case.clone());
    }

    /// The check holds a turn, for no longer than somebody waits for the check: what never
    /// returns would keep it from all others.
    pub(crate) fn hold(&self, turn: &Arc<Turn>) {
        let mut turns = held(&self.turns);
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Arc::downgrade(turn));
        if self.abandoned.load(Ordering::SeqCst) {
            turn.give_back();
        }
    }

    /// A state has been judged.
    pub(crate) fn judged(&self, failing: bool) {
        self.judged.fetch_add(1, Ordering::Relaxed);
        self.failing.fetch_add(usize::from(failing), Ordering::Relaxed);
    }

    /// Notes since when the calls under way have been seen.
    fn look(&self) {
        let now = Instant::now();
        for desk in &held(&self.desks).taken {
            let mut at = held(&desk.at);
            if at.during.is_some() {
                at.seen.get_or_insert(now);
            }
        }
    }

    /// No call is begun any more; what is under way is left to itself.
    fn abandon(&self, limit: Duration) -> Stopped {
        self.abandoned.store(true, Ordering::SeqCst);
        held(&self.turns).iter().filter_map(Weak::upgrade).for_each(|turn| turn.give_back());
        let desks = held(&self.desks);
        let all: Vec<At> = desks.taken.iter().map(|desk| held(&desk.at).clone()).collect();
        let calling: Vec<&At> = all.iter().filter(|at| at.during.is_some()).collect();
        let longest = calling.iter().max_by_key(|at| at.running());
        Stopped {
            limit,
            during: longest.and_then(|at| at.during),
            running: longest.map_or(Duration::ZERO, |at| at.running()),
            case: longest.or(all.last().as_ref()).and_then(|at| at.case.clone()),
            dims: Vec::new(),
            draws: Vec::new(),
            judged: self.judged.load(Ordering::Relaxed),
            failing: self.failing.load(Ordering::Relaxed),
            cases: self.cases.load(Ordering::Relaxed),
            returned: desks.returned + all.iter().map(|at| at.returned).sum::<usize>(),
            spent: match calling.is_empty() {
                true => limit,
                false => calling.iter().map(|at| limit.saturating_sub(at.running())).sum(),
            },
        }
    }
}

impl Desks {
    /// Adds a desk, and clears those whose threads have ended.
    fn take(&mut self, desk: &Arc<Desk>) {
        let Desks { taken, returned } = self;
        taken.retain(|desk| {
            let alive = Arc::strong_count(desk) > 1;
            if !alive {
                *returned += held(&desk.at).returned;
            }
            alive
        });
        taken.push(Arc::clone(desk));
    }
}

/// Runs a call of the user's code where the one who waits can see it.
pub(crate) fn call<T>(during: &'static str, run: impl FnOnce() -> T) -> T {
    let Some(desk) = DESK.with_borrow(|desk| {
        desk.as_ref().map(|(desk, watch)| {
            while watch.abandoned.load(Ordering::Relaxed) {
                // Unwinding would run the user's destructors, for nobody.
                park();
            }
            Arc::clone(desk)
        })
    }) else {
        return run();
    };
    let _under_way = UnderWay::begin(&desk, during);
    run()
}

/// A call under way, until it is dropped.
struct UnderWay<'a> {
    desk: &'a Desk,
    during: &'static str,
    outer: Option<&'static str>,
}

impl<'a> UnderWay<'a> {
    fn begin(desk: &'a Desk, during: &'static str) -> Self {
        let mut at = held(&desk.at);
        at.seen = None;
        UnderWay { desk, during, outer: at.during.replace(during) }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut at = held(&self.desk.at);
        at.seen = None;
        at.during = self.outer;
        // "the forward", "the gradient, ..", but not "setting a parameter"
        at.returned += usize::from(self.during.starts_with("the "));
    }
}

/// Runs `work` on a thread of its own, for no longer than the limit.
///
/// # Errors
/// What was under way at the limit. The thread is left behind: it begins no call any more, and
/// ends with the process.
///
/// # Panics
/// With what `work` panics with.
pub(crate) fn within<T: Send + 'static>(
    limit: Option<Duration>,
    name: &str,
    watch: &Arc<Watch>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Box<Stopped>> {
    let begun = Instant::now();
    let (sender, receiver) = sync_channel(1);
    let worker = Builder::new().name(name.to_owned()).stack_size(stack_size());
    let worker = worker.spawn(move || {
        // Nobody listens after the limit.
        let _ = sender.send(work());
    });
    let worker = worker.expect("a thread for the check");
    let limit = limit.unwrap_or(Duration::MAX);
    let tick = (limit / 20).clamp(Duration::from_millis(1), Duration::from_secs(1));
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        match receiver.recv_timeout(tick.min(left)) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(payload) => resume_unwind(payload),
                Ok(()) => unreachable!("the result is sent before the end"),
            },
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < limit => watch.look(),
            Err(RecvTimeoutError::Timeout) => return Err(Box::new(watch.abandon(limit))),
        }
    }
}

impl Stopped {
    /// Whether the call under way had been running out of all proportion to those before.
    pub fn is_stuck(&self) -> bool {
        self.during.is_some() && (self.returned == 0 || self.running > 10 * self.pace())
    }

    /// How long a call took that came back.
    pub fn pace(&self) -> Duration {
        self.spent / u32::try_from(self.returned.max(1)).unwrap_or(u32::MAX)
    }

    /// How long all states would have taken at this pace.
    pub fn whole(&self) -> Option<Duration> {
        (self.judged > 0).then(|| self.limit.mul_f64(self.cases as f64 / self.judged as f64))
    }
}

/// A span of time to three digits.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 && s.fract() != 0.0 => format!("{s:.1} s"),
        s if s < 600.0 => format!("{s:.0} s"),
        s if s < 36_000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the check is given up while it holds the turn or while it waits for it.
    #[test]
    fn a_check_that_is_given_up_keeps_no_turn() {
        for late in [false, true] {
            let (watch, turn) = (Watch::default(), Arc::new(Turn::of_nothing()));
            if !late {
                watch.hold(&turn);
                assert!(!turn.is_over());
            }
            watch.abandon(Duration::ZERO);
            if late {
                watch.hold(&turn);
            }
            assert!(turn.is_over());
        }
    }
}
