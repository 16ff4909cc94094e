//! `shards = 4`: each test becomes four, every one with a quarter of the states, which
//! `cargo nextest run --partition` spreads over machines.
//!
//! The forwards write down which states they see, so that the tests can tell whose they were.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradcheck_runtime::gradcheck;
use ndarray::Array1;

/// Names the file that the forwards write their states to.
const SEEN: &str = "SHARDS_SEEN";

/// `w` times the squares of `x`. What is written is `x`, which no check perturbs: a line for each
/// state, with the function's name.
fn forward(name: &str, w: &Array1<f64>, x: &Array1<f64>) -> f64 {
    use std::cell::RefCell;
    use std::io::Write as _;
    thread_local!(static LAST: RefCell<String> = const { RefCell::new(String::new()) });
    if let Some(path) = std::env::var_os(SEEN) {
        let bits: Vec<String> = x.iter().map(|x| format!("{:016x}", x.to_bits())).collect();
        let line = format!("{name} {}\n", bits.join(","));
        LAST.with_borrow_mut(|last| {
            if *last != line {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
                file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file");
                *last = line;
            }
        });
    }
    (w * x * x).mapv(f64::sin).sum()
}

fn gradient(w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
    let squares = x * x;
    (w * &squares).mapv(f64::cos) * squares
}

#[gradcheck(
    dims(n in 1..=5),
    w in normal(n),
    x in uniform(n, 0.5..2.0),
    forward = forward("sharded", &w, &x),
    seed = 7,
    shards = 4,
)]
fn sharded(w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
    gradient(w, x)
}

/// The same states in one test.
#[gradcheck(
    dims(n in 1..=5),
    w in normal(n),
    x in uniform(n, 0.5..2.0),
    forward = forward("whole", &w, &x),
    seed = 7,
)]
fn whole(w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
    gradient(w, x)
}

/// Wrong where there are five components: in some of the states.
#[gradcheck(
    dims(n in 1..=5),
    w in normal(n),
    x in uniform(n, 0.5..2.0),
    forward = forward("sharded_wrong", &w, &x),
    seed = 7,
    shards = 4,
    ignore = "wrong on purpose",
)]
fn sharded_wrong(w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
    if w.len() == 5 { -gradient(w, x) } else { gradient(w, x) }
}

const SHARDS: usize = 4;
const KINDS: [(&str, usize); 2] = [("random_init", 32), ("after_training", 16)];

/// A path for a file of this name that does not exist yet, and that no other call has: tests that
/// look at the same shard run side by side.
fn fresh(name: &str) -> PathBuf {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shards-{name}-{call}"));
    let _ = std::fs::remove_file(&path);
    path
}

/// The states that a function has seen, by what `forward` wrote.
fn seen(path: &Path, function: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(name, _)| *name == function).map(|(_, x)| x.to_owned()).collect()
}

/// Cleans the environment of what a developer's shell may hold.
fn clean(command: &mut Command) -> &mut Command {
    for name in ["GRADCHECK_CASES", "GRADCHECK_SEED", "GRADCHECK_REPORT", SEEN] {
        command.env_remove(name);
    }
    command.env("GRADCHECK_REGRESSIONS", "off").env("NO_COLOR", "1").env("RUST_BACKTRACE", "0")
}

/// Runs one generated test in a process of its own; whether it passed, and what it printed.
#[track_caller]
fn run(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().expect("a running test has a path"));
    command.args([test, "--exact", "--include-ignored", "--nocapture"]);
    let output = clean(&mut command).envs(variables.iter().copied()).output();
    let output = output.expect("the test binary starts");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("running 1 test\n"), "no test {test}:\n{text}");
    (output.status.success(), text)
}

/// The states that one generated test of a function sees.
#[track_caller]
fn states_of(function: &str, test: &str, variables: &[(&str, &str)]) -> BTreeSet<String> {
    let path = fresh(&format!("{function}-{test}-{}", variables.len()));
    let mut all = vec![(SEEN, path.to_str().expect("a readable path"))];
    all.extend(variables);
    let (passed, text) = run(&format!("gradcheck_{function}::{test}"), &all);
    assert!(passed, "{text}");
    let states = seen(&path, function);
    let printed = text.split("gradcheck ").nth(1).and_then(|rest| rest.split(' ').nth(1));
    assert_eq!(printed, Some(states.len().to_string().as_str()), "{text}");
    let _ = std::fs::remove_file(path);
    states
}

/// Names of the generated tests of this binary that are not ignored, or of the ignored ones.
fn generated(ignored: bool) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().expect("a running test has a path"));
    command.args(["gradcheck_", "--list", "--format", "terse"]);
    if ignored {
        command.arg("--ignored");
    }
    let output = command.output().expect("the test binary starts");
    let text = String::from_utf8(output.stdout).expect("test names are text");
    let mut names: BTreeSet<String> =
        text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    if !ignored {
        // A list without `--ignored` is one of all tests.
        for name in generated(true) {
            names.remove(&name);
        }
    }
    names
}

#[test]
fn each_test_becomes_four() {
    let of = |function: &'static str| {
        KINDS.iter().flat_map(move |(kind, _)| {
            (0..SHARDS).map(move |shard| format!("gradcheck_{function}::{kind}_{shard}"))
        })
    };
    let whole = KINDS.map(|(kind, _)| format!("gradcheck_whole::{kind}"));
    let wanted: BTreeSet<String> = of("sharded").chain(whole).collect();
    assert_eq!(generated(false), wanted);
    let wanted: BTreeSet<String> = of("sharded_wrong").collect();
    assert_eq!(generated(true), wanted);
}

#[test]
fn the_shards_are_the_whole_and_share_nothing() {
    for (kind, count) in KINDS {
        let whole = states_of("whole", kind, &[]);
        assert_eq!(whole.len(), count);
        let mut union = BTreeSet::new();
        for shard in 0..SHARDS {
            let part = states_of("sharded", &format!("{kind}_{shard}"), &[]);
            assert_eq!(part.len(), count / SHARDS, "{kind}_{shard}");
            assert!(union.is_disjoint(&part), "{kind}_{shard} repeats states of another");
            union.extend(part);
        }
        assert_eq!(union, whole, "{kind}");
    }
}

#[test]
fn states_that_do_not_divide_evenly_are_all_checked() {
    let cases = [("GRADCHECK_CASES", "6")];
    let whole = states_of("whole", "random_init", &cases);
    assert_eq!(whole.len(), 6);
    let parts: Vec<_> =
        (0..SHARDS).map(|i| states_of("sharded", &format!("random_init_{i}"), &cases)).collect();
    assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), 6);
    assert!(parts.iter().all(|part| (1..=2).contains(&part.len())), "{parts:?}");
    assert_eq!(parts.into_iter().flatten().collect::<BTreeSet<_>>(), whole);
}

/// A fault is found by the shards that hold a state of it, and by no other; each says which test
/// it was, and its seed shows the same again.
#[test]
fn a_fault_is_found_by_the_shards_that_have_it() {
    let five = |states: &BTreeSet<String>| states.iter().any(|x| x.split(',').count() == 5);
    let mut found = 0;
    for shard in 0..SHARDS {
        let has_it = five(&states_of("sharded", &format!("random_init_{shard}"), &[]));
        let test = format!("gradcheck_sharded_wrong::random_init_{shard}");
        let (passed, text) = run(&test, &[]);
        assert_eq!(passed, !has_it, "{text}");
        if has_it {
            found += 1;
            assert!(text.contains("the gradient is wrong at a random initialisation"), "{text}");
            assert!(text.contains(&test) && text.contains("GRADCHECK_SEED=7 "), "{text}");
        }
    }
    assert!(found > 0, "no state has five components");
}

/// What nextest is told in place of a build: the test binary that is running now.
fn binaries(folder: &Path) -> PathBuf {
    let binary = std::env::current_exe().expect("a running test has a path");
    let deps = binary.parent().expect("a folder");
    let profile = deps.parent().expect("a folder");
    let target = profile.parent().expect("a folder");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let quoted = |path: &Path| format!("{:?}", path.to_str().expect("a readable path"));
    let package = format!(
        "path+file://{}#{}@{}",
        manifest.display(),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION")
    );
    let text = format!(
        r#"{{
  "rust-build-meta": {{
    "target-directory": {},
    "base-output-directories": ["{}"],
    "non-test-binaries": {{}},
    "build-script-out-dirs": {{}},
    "linked-paths": [],
    "target-platforms": [],
    "target-platform": null
  }},
  "rust-binaries": {{
    "{name}::shards": {{
      "binary-id": "{name}::shards",
      "binary-name": "shards",
      "package-id": "{package}",
      "kind": "test",
      "binary-path": {},
      "build-platform": "target"
    }}
  }}
}}"#,
        quoted(target),
        profile.file_name().and_then(|name| name.to_str()).expect("a name"),
        quoted(&binary),
        name = env!("CARGO_PKG_NAME"),
    );
    let path = folder.join("binaries.json");
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn two_partitions_are_the_whole() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).args(["nextest", "--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("skipped: cargo-nextest is not installed");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shards-nextest");
    std::fs::create_dir_all(&folder).expect("a folder");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");

    // Nothing is built: nextest is given what cargo would tell it of the workspace.
    let mut metadata = Command::new(&cargo);
    metadata.args(["metadata", "--format-version", "1", "--offline", "--manifest-path"]);
    let metadata = metadata.arg(&manifest).output().expect("cargo starts");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let cargo_metadata = folder.join("cargo.json");
    std::fs::write(&cargo_metadata, metadata.stdout).expect("a file");
    let binaries = binaries(&folder);

    let nextest = |partition: &str, states: &Path| -> BTreeSet<String> {
        let mut command = Command::new(&cargo);
        command.args(["nextest", "run", "--color", "never", "--status-level", "pass"]);
        command.arg("--binaries-metadata").arg(&binaries);
        command.arg("--cargo-metadata").arg(&cargo_metadata);
        command.args(["--partition", partition, "--no-fail-fast", "-E", "test(/^gradcheck_/)"]);
        // This test may itself be one of a nextest run.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NEXTEST") {
                command.env_remove(name);
            }
        }
        let output = clean(&mut command).env(SEEN, states).output().expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let passed = text.lines().filter(|line| line.trim_start().starts_with("PASS "));
        passed.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
    };
    let halves = [fresh("half-1"), fresh("half-2")];
    let first = nextest("hash:1/2", &halves[0]);
    let second = nextest("hash:2/2", &halves[1]);
    assert!(!first.is_empty() && !second.is_empty(), "{first:?} {second:?}");
    assert!(first.is_disjoint(&second), "{first:?} {second:?}");
    assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), generated(false));

    // And so are the states that they checked: those of the tests that are not spread.
    let states = halves.each_ref().map(|half| seen(half, "sharded"));
    assert!(states.iter().all(|half| !half.is_empty()), "one half has all the shards");
    let both: BTreeSet<String> = states.iter().flatten().cloned().collect();
    let whole: BTreeSet<String> = halves.iter().flat_map(|half| seen(half, "whole")).collect();
    assert_eq!(both, whole);
    assert_eq!(whole.len(), 32, "trained states start from the first of the drawn ones");
    std::fs::remove_dir_all(folder).expect("the folder can go");
    for half in halves {
        std::fs::remove_file(half).expect("the file can go");
    }
}
