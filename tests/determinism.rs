//! The same seed gives the same report to the byte, whatever the number of threads, and failing
//! cases are kept in a file for each test.
//!
//! Each generated test is run in a process of its own, whose environment a test may choose.
use std::path::{Path, PathBuf};
use std::process::Command;

use gradcheck_runtime::gradcheck;
use gradcheck_runtime::strategy::normal;
use ndarray::{Array1, Array2};

/// Writes down which threads run a forward, in the file that a test asks for.
fn note_thread() {
    use std::cell::Cell;
    use std::io::Write as _;
    thread_local!(static NOTED: Cell<bool> = const { Cell::new(false) });
    if NOTED.replace(true) {
        return;
    }
    if let Some(path) = std::env::var_os("DETERMINISM_THREADS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{:?}\n", std::thread::current().id());
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file to write to");
    }
}

fn tanh(w: &Array2<f64>, x: &Array2<f64>) -> f64 {
    note_thread();
    w.dot(x).mapv(f64::tanh).sum()
}

/// Where threads are counted, so slow that a check of it is worth several.
fn derivative(w: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
    if std::env::var_os("DETERMINISM_THREADS").is_some() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    w.dot(x).mapv(|z| 1.0 - z.tanh().powi(2)).dot(&x.t())
}

#[gradcheck(
    dims(n in 2..=4, h in 3..=5, m in 3..=6),
    w in normal([h, n]),
    x in normal([n, m]),
    forward = tanh,
)]
fn right(w: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
    derivative(w, x)
}

/// Wrong in the last row, in states of more than three samples.
#[gradcheck(
    dims(n in 2..=4, h in 3..=5, m in 3..=6),
    w in normal([h, n]),
    x in normal([n, m]),
    forward = tanh,
    ignore = "wrong on purpose",
)]
fn wrong(w: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
    let mut g = derivative(w, x);
    if x.ncols() > 3 {
        g.row_mut(w.nrows() - 1).mapv_inplace(|g| 1.5 * g);
    }
    g
}

/// The same by directions.
#[gradcheck(
    dims(n in 2..=4, h in 3..=5, m in 3..=6),
    w in normal([h, n]),
    x in normal([n, m]),
    forward = tanh,
    method = Method::Directional { probes: 3 },
    ignore = "wrong on purpose",
)]
fn wrong_by_directions(w: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
    wrong(w, x)
}

fn squares(w: &Array1<f64>) -> f64 {
    w.dot(w)
}

/// Nine states in ten are right.
#[gradcheck(
    dims(n in 1..=10),
    w in normal(n),
    forward = squares,
    ignore = "wrong on purpose",
)]
fn seldom_wrong(w: &Array1<f64>) -> Array1<f64> {
    if w.len() == 10 { 3.0 * w } else { 2.0 * w }
}

/// A seed of its own.
#[gradcheck(w in normal(3), forward = squares, seed = 12, ignore = "run in a process of its own")]
fn with_a_seed(w: &Array1<f64>) -> Array1<f64> {
    -2.0 * w
}

#[gradcheck(w in normal(3), forward = squares, cases = 5)]
fn five_cases(w: &Array1<f64>) -> Array1<f64> {
    2.0 * w
}

/// What a generated test printed, and whether it passed.
struct Outcome {
    passed: bool,
    text: String,
}

/// How a generated test is run: which, behind what command, and in what environment.
struct Run<'a> {
    test: &'a str,
    behind: &'a [&'a str],
    arguments: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
}

impl Run<'_> {
    #[track_caller]
    fn outcome(&self) -> Outcome {
        let binary = std::env::current_exe().expect("a running test has a path");
        let mut command = match self.behind {
            [] => Command::new(binary),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary);
                command
            }
        };
        command.args([self.test, "--exact", "--include-ignored", "--nocapture"]);
        command.args(self.arguments);
        let inherited = ["CASES", "SEED", "REPORT"].map(|name| format!("GRADCHECK_{name}"));
        for name in inherited.iter().map(String::as_str).chain([
            "COLUMNS",
            "RUST_TEST_THREADS",
            "DETERMINISM_THREADS",
        ]) {
            command.env_remove(name);
        }
        command.env("GRADCHECK_REGRESSIONS", "off").env("NO_COLOR", "1").env("RUST_BACKTRACE", "0");
        command.envs(self.variables.iter().copied());
        let output = command.output().expect("the test binary starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        let text = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.contains("running 1 test\n"), "no test {}:\n{text}", self.test);
        Outcome { passed: output.status.success(), text }
    }
}

#[track_caller]
fn run(test: &str, variables: &[(&str, &str)]) -> Outcome {
    Run { test, behind: &[], arguments: &[], variables }.outcome()
}

/// The report of a test that failed, or the line of one that passed without its time.
#[track_caller]
fn report(outcome: &Outcome) -> String {
    if outcome.passed {
        let line = outcome.text.lines().find(|line| line.contains("gradcheck "));
        let line = &line.expect("a passing check prints a line");
        let line = &line[line.find("gradcheck ").expect("found above")..];
        let (before, _seconds) = line.rsplit_once(", ").expect("the time comes last");
        return before.to_owned();
    }
    // What the harness prints goes to the other stream, and stands before the report.
    let stop = outcome.text.find("test result: ").expect("the harness ends");
    let report = outcome.text[stop..].split_once("\n\n").expect("a report").1;
    assert!(report.contains("run again: GRADCHECK_SEED="), "{}", outcome.text);
    report.to_owned()
}

#[track_caller]
fn printed_seed(outcome: &Outcome) -> &str {
    let seed = outcome.text.split("GRADCHECK_SEED=").nth(1).expect("a seed is printed");
    seed.split_whitespace().next().expect("a number")
}

/// An empty folder of this name for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("determinism-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Names of the files in a folder, sorted; none where there is no folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Whether a process can be kept on one processor here.
fn has_taskset() -> bool {
    let tried = Command::new("taskset").args(["-c", "0", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

const FAILING: [&str; 3] = [
    "gradcheck_wrong::random_init",
    "gradcheck_wrong::after_training",
    "gradcheck_wrong_by_directions::random_init",
];

#[test]
fn the_report_is_the_same_whatever_the_threads() {
    let single: &[&str] = if has_taskset() {
        &["taskset", "-c", "0"]
    } else {
        println!("no taskset here: only the test threads differ");
        &[]
    };
    for test in FAILING.into_iter().chain(["gradcheck_right::random_init"]) {
        let threads = folder(&test.replace("::", "-"));
        std::fs::create_dir_all(&threads).expect("a folder");
        let (free, alone) = (threads.join("free"), threads.join("alone"));
        let variables = [("DETERMINISM_THREADS", free.to_str().expect("a readable path"))];
        let first = run(test, &variables);
        assert_eq!(first.passed, test.contains("right"), "{test}:\n{}", first.text);
        let variables = [
            ("DETERMINISM_THREADS", alone.to_str().expect("a readable path")),
            ("RUST_TEST_THREADS", "1"),
        ];
        let second = Run { test, behind: single, arguments: &[], variables: &variables }.outcome();
        assert_eq!(first.passed, second.passed, "{}", second.text);
        assert_eq!(report(&first), report(&second), "{test}");
        assert_eq!(report(&first), report(&run(test, &[])), "{test}, once more");

        // The two runs did go different ways.
        let lines =
            |path| std::fs::read_to_string(path).expect("a list of threads").lines().count();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        if processors > 1 {
            assert!(lines(&free) > 1, "{test} ran on one thread only");
        }
        if !single.is_empty() {
            assert_eq!(lines(&alone), 1, "{test} ran on several threads");
        }
        std::fs::remove_dir_all(threads).expect("the folder can go");
    }
}

#[test]
fn the_printed_seed_gives_the_same_report() {
    for test in FAILING {
        // A run of another seed than the default prints that seed.
        for given in ["", "99"] {
            let variables = [("GRADCHECK_SEED", given)];
            let first = run(test, if given.is_empty() { &[] } else { &variables });
            assert!(!first.passed, "{test}:\n{}", first.text);
            let seed = printed_seed(&first);
            assert!(given.is_empty() || seed == given, "{}", first.text);
            let again = run(test, &[("GRADCHECK_SEED", seed)]);
            assert_eq!(report(&first), report(&again), "{test}");
        }
        let (one, other) = (run(test, &[]), run(test, &[("GRADCHECK_SEED", "99")]));
        assert_ne!(report(&one), report(&other), "{test} does not draw by its seed");
    }
}

#[test]
fn the_seed_of_the_environment_comes_first() {
    let test = "gradcheck_with_a_seed::random_init";
    assert_eq!(printed_seed(&run(test, &[])), "12");
    assert_eq!(printed_seed(&run(test, &[("GRADCHECK_SEED", "13")])), "13");
}

#[test]
fn the_number_of_cases_is_respected() {
    let says = |variables: &[(&str, &str)], words: &str, passed: bool| {
        let outcome = run("gradcheck_five_cases::random_init", variables);
        assert!(outcome.text.contains(words), "{words} not in:\n{}", outcome.text);
        assert_eq!(outcome.passed, passed, "{}", outcome.text);
    };
    says(&[], "five_cases: 5 random initialisations, 15 components", true);
    let cases = |cases| [("GRADCHECK_CASES", cases)];
    says(&cases("7"), "five_cases: 7 random initialisations, 21 components", true);
    says(&cases("100"), "five_cases: 100 random initialisations, 300 components", true);
    // None, or no number, is no way to pass.
    says(&cases("0"), "no state was checked", false);
    says(&cases("many"), "GRADCHECK_CASES=many is not a number", false);
    says(&cases("-1"), "GRADCHECK_CASES=-1 is not a number", false);
    let outcome = run("gradcheck_five_cases::after_training", &cases("3"));
    assert!(
        outcome.text.contains("five_cases: 3 trained states, 9 components"),
        "{}",
        outcome.text
    );
}

#[test]
fn a_seed_that_is_no_number_is_refused() {
    let outcome = run("gradcheck_five_cases::random_init", &[("GRADCHECK_SEED", "twelve")]);
    assert!(!outcome.passed, "{}", outcome.text);
    assert!(outcome.text.contains("GRADCHECK_SEED=twelve is not a number"), "{}", outcome.text);
}

#[test]
fn a_failing_case_is_kept_and_tried_first() {
    let test = "gradcheck_seldom_wrong::random_init";
    let folder = folder("kept");
    let kept = ("GRADCHECK_REGRESSIONS", folder.to_str().expect("a readable path"));

    let first = run(test, &[kept]);
    assert!(!first.passed, "{}", first.text);
    let names = files(&folder);
    let [name] = &names[..] else { panic!("not one file: {names:?}") };
    assert!(name.contains("gradcheck_seldom_wrong") && name.contains("random_init"), "{name}");
    assert!(first.text.contains(name.as_str()), "{name} is not named:\n{}", first.text);
    let content = std::fs::read_to_string(folder.join(name)).expect("the file can be read");
    assert_eq!(content.lines().filter(|line| line.starts_with("cc ")).count(), 1, "{content}");

    // One state of another seed, which is right by itself.
    let fewer = [("GRADCHECK_CASES", "1"), ("GRADCHECK_SEED", "1")];
    let alone = run(test, &fewer);
    assert!(alone.passed, "the seed for this test is to be a right one:\n{}", alone.text);
    let replayed = run(test, &[kept, fewer[0], fewer[1]]);
    assert!(!replayed.passed, "{}", replayed.text);
    let case = |outcome: &Outcome| {
        let lines = outcome.text.lines().filter(|line| line.starts_with("    w = "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(case(&replayed), case(&first));
    assert_eq!(case(&first).len(), 1, "{}", first.text);
    assert!(replayed.text.contains("1 of the 2 states"), "{}", replayed.text);

    // Known already: nothing is added.
    let after = std::fs::read_to_string(folder.join(name)).expect("the file can be read");
    assert_eq!(after, content);

    // Without its file the case is forgotten.
    std::fs::remove_file(folder.join(name)).expect("the file can go");
    assert!(run(test, &[kept, fewer[0], fewer[1]]).passed);
    std::fs::remove_dir_all(folder).expect("the folder can go");
}

#[test]
fn each_failing_test_has_a_file_of_its_own() {
    let folder = folder("each");
    let kept = ("GRADCHECK_REGRESSIONS", folder.to_str().expect("a readable path"));
    let contents = |name: &String| std::fs::read_to_string(folder.join(name)).expect("a file");

    assert!(!run("gradcheck_wrong::random_init", &[kept]).passed);
    let one = files(&folder);
    assert_eq!(one.len(), 1, "{one:?}");
    let before = contents(&one[0]);
    assert!(!run("gradcheck_wrong::after_training", &[kept]).passed);
    assert!(!run("gradcheck_seldom_wrong::random_init", &[kept]).passed);
    let all = files(&folder);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(contents(&one[0]), before);
    for name in &all {
        let trained = name.contains("after_training");
        assert_ne!(contents(name).contains(" steps=0"), trained, "{name}: {}", contents(name));
    }
    std::fs::remove_dir_all(folder).expect("the folder can go");
}

#[test]
fn a_passing_test_keeps_nothing() {
    let folder = folder("passing");
    let kept = ("GRADCHECK_REGRESSIONS", folder.to_str().expect("a readable path"));
    for kind in ["random_init", "after_training"] {
        assert!(run(&format!("gradcheck_five_cases::{kind}"), &[kept]).passed);
    }
    assert!(!folder.exists(), "{:?}", files(&folder));
}

#[test]
fn nothing_is_kept_where_that_is_switched_off() {
    // Where the cases of this package's own tests would be kept.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proptest-regressions");
    let mine = || -> Vec<String> {
        files(&folder).into_iter().filter(|name| name.contains("determinism")).collect()
    };
    assert!(!run("gradcheck_wrong::random_init", &[]).passed);
    assert_eq!(mine(), Vec::<String>::new());
}
