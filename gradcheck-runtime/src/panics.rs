//! Panics of the user's code: caught, kept as text, and not printed once for each trial.
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{
    AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook,
};
use std::sync::{Mutex, Once, PoisonError};

use crate::deadline::call;
use crate::failure::Failure;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// The checks that are running, and where threads that their forwards started have panicked.
static CHECKS: Mutex<Checks> = Mutex::new(Checks { running: 0, seen: Vec::new() });

struct Checks {
    running: usize,
    seen: Vec<(String, u32, u32)>,
}

fn checks<T>(look: impl FnOnce(&mut Checks) -> T) -> T {
    look(&mut CHECKS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// While it lives, threads without a name print their panics once for each place in the code:
/// a forward that starts such threads is called hundreds of times.
pub(crate) struct Hush;

impl Hush {
    pub(crate) fn new() -> Hush {
        install();
        checks(|checks| checks.running += 1);
        Hush
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        checks(|checks| {
            checks.running -= 1;
            if checks.running == 0 {
                checks.seen.clear();
            }
        });
    }
}

/// Whether this is a panic of a thread without a name, at a place that is known already.
fn is_repeated(info: &PanicHookInfo<'_>) -> bool {
    let (None, Some(place)) = (std::thread::current().name(), info.location()) else {
        return false;
    };
    let place = (place.file().to_owned(), place.line(), place.column());
    checks(|checks| {
        let known = checks.running == 0 || checks.seen.contains(&place);
        if !known {
            checks.seen.push(place);
            return false;
        }
        checks.running > 0
    })
}

/// The hook is the process's; it hands on what happens outside [`caught`].
fn install() {
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if QUIET.get() {
                let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
                let text = text(info.payload()) + &place.unwrap_or_default();
                LAST.with(|last| *last.borrow_mut() = Some(text));
            } else if !is_repeated(info) {
                previous(info);
            }
        }));
    });
}

fn text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// Runs the user's code; a panic becomes a [`Failure`], as does one raised by [`raise`].
pub(crate) fn caught<T>(during: &'static str, run: impl FnOnce() -> T) -> Result<T, Failure> {
    install();
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(|| call(during, run)));
    QUIET.set(before);
    result.map_err(|payload| match payload.downcast::<Failure>() {
        Ok(failure) => *failure,
        Err(payload) => {
            let last = LAST.with(|last| last.borrow_mut().take());
            // A payload whose own drop panics must not end the process.
            let message = last.unwrap_or_else(|| text(&*payload));
            std::mem::forget(payload);
            Failure::Panicked { during: during.to_owned(), message }
        }
    })
}

/// Leaves the user's closures with a failure, for [`caught`] to hand on.
pub(crate) fn raise(failure: Failure) -> ! {
    resume_unwind(Box::new(failure))
}

/// Fails the running test without a second message after the report.
pub(crate) fn end_test(headline: String) -> ! {
    resume_unwind(Box::new(headline))
}
