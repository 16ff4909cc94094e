//! One line on a terminal, rewritten while a long check runs.
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a check runs before it says how far it is, and how long a line stands.
const PATIENCE: Duration = Duration::from_secs(2);
const STANDS: Duration = Duration::from_millis(200);

/// How far a check is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Far {
    states: usize,
    wrong: usize,
    calls: usize,
    worst: f64,
}

impl Far {
    fn line(&self, function: &str, of: usize) -> String {
        let Far { states, wrong, calls, worst } = self;
        let wrong = if *wrong > 0 { format!(", {wrong} wrong") } else { String::new() };
        format!(
            "gradcheck {function}: {states} of {of} states, {calls} forward calls, largest \
             difference {worst:.1e}{wrong}"
        )
    }
}

/// Says how far a check is, where somebody is watching.
pub(crate) struct Progress {
    function: String,
    begun: Instant,
    watched: bool,
    far: Mutex<(Far, Option<Instant>)>,
}

impl Progress {
    /// For a terminal, and where the test's output is shown as it comes.
    pub(crate) fn new(function: &str) -> Progress {
        let arguments: Vec<String> = std::env::args().collect();
        let asked = std::env::var("RUST_TEST_NOCAPTURE").ok();
        Progress {
            function: function.to_owned(),
            begun: Instant::now(),
            watched: is_shown(&arguments, asked.as_deref()) && std::io::stderr().is_terminal(),
            far: Mutex::default(),
        }
    }

    /// Another state is done, of so many.
    pub(crate) fn add(&self, of: usize, wrong: bool, calls: usize, difference: f64) {
        let mut held = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        let (far, last) = &mut *held;
        far.states += 1;
        far.wrong += usize::from(wrong);
        far.calls += calls;
        far.worst = far.worst.max(difference);
        let stands = last.is_some_and(|last| last.elapsed() < STANDS);
        if self.watched && self.begun.elapsed() > PATIENCE && !stands {
            write(&far.line(&self.function, of));
            *last = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let held = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        if held.1.is_some() {
            write("");
        }
    }
}

/// To the line's beginning, the text, and nothing of what stood there.
fn write(line: &str) {
    // A terminal that is gone is no reason to fail.
    let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
    let _ = std::io::stderr().flush();
}

/// Whether the test harness hands output on as it comes.
fn is_shown(arguments: &[String], asked: Option<&str>) -> bool {
    let told = arguments.iter().any(|a| matches!(a.as_str(), "--nocapture" | "--no-capture"));
    told || asked.is_some_and(|asked| asked != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_output_is_shown() {
        let arguments = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_shown(&arguments("test --nocapture"), None));
        assert!(is_shown(&arguments("test name --no-capture"), None));
        assert!(is_shown(&arguments("test"), Some("1")));
        assert!(!is_shown(&arguments("test nocapture"), None));
        assert!(!is_shown(&arguments("test"), Some("0")));
        // The tests' own output is captured, or no terminal: never both otherwise.
        let progress = Progress::new("f");
        assert!(!progress.watched || std::io::stderr().is_terminal());
    }

    #[test]
    fn the_line_says_how_far() {
        let mut progress = Progress::new("loss");
        progress.watched = false;
        progress.add(32, false, 100, 1e-9);
        progress.add(32, true, 50, 0.5);
        let far = progress.far.lock().unwrap();
        assert_eq!(
            far.0.line("loss", 32),
            "gradcheck loss: 2 of 32 states, 150 forward calls, largest difference 5.0e-1, 1 wrong"
        );
        assert_eq!(far.1, None, "nobody watches");
    }
}
