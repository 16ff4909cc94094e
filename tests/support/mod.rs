//! Generated tests that must fail, run and read.
//!
//! A function that is wrong on purpose carries `ignore = "wrong on purpose"` in its attribute,
//! so that its generated tests do not run with the others. [`run`] starts the running test
//! binary again for one of them alone, in a process of its own: what comes back is what a user
//! sees, and whether the test passed.
#![allow(dead_code, reason = "no test file needs all of it")]

use std::process::Command;

/// What became of one generated test.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether the test passed.
    pub(crate) passed: bool,
    /// What it printed to both streams, its report included, without colour.
    pub(crate) text: String,
}

impl Outcome {
    /// Whether the words stand in what was printed, wherever its lines are broken.
    pub(crate) fn says(&self, words: &str) -> bool {
        flowing(&self.text).contains(&flowing(words))
    }

    /// The cells of the first printed table row that begins with this one.
    pub(crate) fn row(&self, first: &str) -> Option<Vec<&str>> {
        self.text.lines().find_map(|line| {
            let cells: Vec<&str> =
                line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            (cells.len() > 1 && cells[0] == first).then_some(cells)
        })
    }

    /// The number of wrong components that the report gives for a block.
    #[track_caller]
    pub(crate) fn wrong_in(&self, block: &str) -> usize {
        let wrong = self.row(block).and_then(|row| row.last().and_then(|n| n.parse().ok()));
        wrong.unwrap_or_else(|| panic!("no row for the block {block}:\n{}", self.text))
    }
}

fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the ignored test of this full name, `module::gradcheck_f::random_init`, with further
/// environment variables.
///
/// # Panics
/// Where there is no such test, or it is not ignored.
#[track_caller]
pub(crate) fn run_with(test: &str, variables: &[(&str, &str)]) -> Outcome {
    let binary = std::env::current_exe().expect("a running test has a path");
    let mut command = Command::new(binary);
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    for inherited in
        ["GRADCHECK_CASES", "GRADCHECK_SEED", "GRADCHECK_REPORT", "GRADCHECK_TIMEOUT", "COLUMNS"]
    {
        command.env_remove(inherited);
    }
    // What fails on purpose is not to be kept for the next time.
    command.env("GRADCHECK_REGRESSIONS", "off").env("NO_COLOR", "1").env("RUST_BACKTRACE", "0");
    command.envs(variables.iter().copied());
    let output = command.output().expect("the test binary starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let text = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("running 1 test\n"), "no ignored test {test}:\n{text}");
    Outcome { passed: output.status.success(), text }
}

/// Runs the ignored test of this full name.
#[track_caller]
pub(crate) fn run(test: &str) -> Outcome {
    run_with(test, &[])
}

/// Runs the ignored test of this full name, which must fail and say all of these.
#[track_caller]
pub(crate) fn fails(test: &str, words: &[&str]) -> Outcome {
    let outcome = run(test);
    assert!(!outcome.passed, "{test} passed:\n{}", outcome.text);
    for words in words {
        assert!(outcome.says(words), "{test} does not say {words:?}:\n{}", outcome.text);
    }
    outcome
}

/// Runs the ignored test of this full name, which must pass.
#[track_caller]
pub(crate) fn passes(test: &str) -> Outcome {
    let outcome = run(test);
    assert!(outcome.passed, "{test} failed:\n{}", outcome.text);
    outcome
}
