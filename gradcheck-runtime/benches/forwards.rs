//! Forward calls and wall time of one check against a plain classical loop.
//!
//! `cargo bench --bench forwards` prints the table of the README: a network with ReLU hidden
//! layers and a sigmoid output, at four sizes, checked by the classical loop (which copies the
//! vector of parameters for each coordinate, h = 1e-7), exhaustively and along directions; then
//! the forwards of passing checks along directions; then with 1, 5 and 50 wrong entries to be
//! named; then without differences (`exact = F`), in multiples of one plain forward. Each of
//! `cargo bench --bench forwards -- exact`, `-- named` and `-- passing` prints one of these alone,
//! `-- threads` the wall time of whole checks on one processor and on all, `-- million` the peak
//! memory of a check with 1.2 million parameters, `-- million-alone` that of a forward and a
//! gradient.
//!
//! What the exhaustive check takes over the forwards alone is CPU time, of the best of some runs in
//! turn: other work on the machine has no part in it.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

use gradcheck_runtime::__private::{Draw, Kind, Meta, Places, Probe, check, problem};
use gradcheck_runtime::evidence::Verdict;
use gradcheck_runtime::proptest::strategy::{Just, Strategy, ValueTree};
use gradcheck_runtime::proptest::test_runner::TestRunner;
use gradcheck_runtime::strategy::{dictionary, he_normal, labels, normal};
use gradcheck_runtime::var::Var;
use gradcheck_runtime::{Method, Settings, StateReport, check_at, check_exact_at};
use ndarray::{Array2, Axis, NdFloat};

type Dictionary<F = f64> = BTreeMap<String, Array2<F>>;

/// Sizes of the layers, inputs first: 47, 951, 7,521 and 79,521 parameters.
const NETWORKS: [&[usize]; 4] =
    [&[4, 5, 3, 1], &[10, 25, 25, 1], &[11, 80, 80, 1], &[15, 224, 336, 1]];
const EXAMPLES: usize = 16;
/// Sets of wrong entries that are to be named, for each number of them, and networks of a size.
const PLANTINGS: u64 = 20;
/// Shifts of a parameter, relative to it, that the noise estimate alone makes along all of them.
const NOISE_SHIFT: f64 = 2.5e-7;

struct Network {
    parameters: Dictionary,
    x: Array2<f64>,
    y: Array2<f64>,
}

fn drawn<S: Strategy>(strategy: S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).expect("a strategy without a filter").current()
}

impl Network {
    fn new(sizes: &[usize]) -> Network {
        Network::drawn(sizes, &mut TestRunner::deterministic())
    }

    fn drawn(sizes: &[usize], runner: &mut TestRunner) -> Network {
        let layers = sizes.windows(2).zip(1..);
        let mut strategy =
            dictionary(layers.clone().map(|(p, l)| (format!("W{l}"), he_normal([p[1], p[0]]))));
        for (pair, l) in layers {
            strategy = strategy.with(format!("b{l}"), Just(Array2::from_elem((pair[1], 1), 0.05)));
        }
        Network {
            parameters: drawn(strategy, runner),
            x: drawn(normal([sizes[0], EXAMPLES]), runner),
            y: drawn(labels([1, EXAMPLES]), runner),
        }
    }

    fn len(&self) -> usize {
        self.parameters.values().map(Array2::len).sum()
    }

    fn cost(&self, parameters: &Dictionary) -> f64 {
        cost(parameters, &self.x, &self.y)
    }

    fn gradient(&self, parameters: &Dictionary) -> Dictionary {
        let trace = trace(parameters, &self.x);
        let mut gradient = Dictionary::new();
        let z = &trace.last().expect("a layer").0;
        let mut dz = (z.mapv(|z| 1.0 / (1.0 + (-z).exp())) - &self.y) / EXAMPLES as f64;
        for (l, (_, below)) in trace.iter().enumerate().rev() {
            gradient.insert(format!("dW{}", l + 1), dz.dot(&below.t()));
            gradient.insert(format!("db{}", l + 1), dz.sum_axis(Axis(1)).insert_axis(Axis(1)));
            if l > 0 {
                let open = trace[l - 1].0.mapv(|z| if z > 0.0 { 1.0 } else { 0.0 });
                dz = parameters[&format!("W{}", l + 1)].t().dot(&dz) * open;
            }
        }
        gradient
    }
}

/// Pre-activations and inputs of every layer.
fn trace<F: NdFloat>(parameters: &Dictionary<F>, x: &Array2<F>) -> Vec<(Array2<F>, Array2<F>)> {
    let layers = parameters.len() / 2;
    let mut trace = Vec::with_capacity(layers);
    let mut a = x.clone();
    for l in 1..=layers {
        let z = parameters[&format!("W{l}")].dot(&a) + &parameters[&format!("b{l}")];
        let next = z.mapv(|z| z.max(F::zero()));
        trace.push((z, a));
        a = next;
    }
    trace
}

/// Mean cross-entropy from the logits.
fn cost<F: NdFloat>(parameters: &Dictionary<F>, x: &Array2<F>, y: &Array2<F>) -> F {
    let trace = trace(parameters, x);
    let z = &trace.last().expect("a layer").0;
    let terms = z.iter().zip(y);
    let term = |z: F, y: F| z.max(F::zero()) - z * y + (-z.abs()).exp().ln_1p();
    let sum = terms.fold(F::zero(), |sum, (&z, &y)| sum + term(z, y));
    sum / F::from(EXAMPLES).expect("a small number")
}

/// The shortest of some runs, in milliseconds.
fn shortest<T>(runs: usize, mut run: impl FnMut() -> T) -> f64 {
    let timed = |_| {
        let begun = Instant::now();
        std::hint::black_box(run());
        begun.elapsed().as_secs_f64() * 1e3
    };
    (0..runs).map(timed).fold(f64::INFINITY, f64::min)
}

/// One check on the tape against one plain forward, with a right gradient and a wrong one.
fn without_differences() {
    println!("\nwithout differences:");
    println!(
        "parameters | forward ms | check ms | forwards' | largest difference | wrong: ms | forwards'"
    );
    for sizes in &NETWORKS[1..] {
        let network = Network::new(sizes);
        let mut parameters = network.parameters.clone();
        let lift = |a: &Array2<f64>| a.mapv(Var::from);
        let mut on_tape: Dictionary<Var> =
            parameters.iter().map(|(name, a)| (name.clone(), lift(a))).collect();
        let (x, y) = (lift(&network.x), lift(&network.y));
        let forward = shortest(50, || network.cost(&network.parameters));
        let settings = Settings::default().tolerance(1e-12);
        let mut largest = 0.0_f64;
        let mut check = |wrong: usize| {
            let forwards =
                (|p: &Dictionary| network.cost(p), |p: &Dictionary<Var>| cost(p, &x, &y));
            let report = check_exact_at(&mut parameters, &mut on_tape, &settings, forwards, |p| {
                let mut gradient = network.gradient(p);
                plant(&mut gradient, wrong, 0);
                gradient
            });
            assert_eq!(report.is_wrong(), wrong > 0, "{report}");
            if wrong == 0 {
                largest = largest.max(report.relative_difference());
            }
        };
        let right = shortest(25, || check(0));
        let wrong = shortest(3, || check(5));
        println!(
            "{:>10} | {forward:>10.3} | {right:>8.2} | {:>9.0} | {largest:>18.1e} | {wrong:>9.2} | {:>9.0}",
            network.len(),
            right / forward,
            wrong / forward
        );
    }
}

/// Wall time in milliseconds, number of forwards (those inside a gradient included), result.
fn timed<T>(
    network: &mut Network,
    run: impl FnOnce(&Network, &mut Dictionary, &Cell<usize>) -> T,
) -> (f64, usize, T) {
    let mut parameters = network.parameters.clone();
    let calls = Cell::new(0);
    let begun = Instant::now();
    let result = run(network, &mut parameters, &calls);
    (begun.elapsed().as_secs_f64() * 1e3, calls.get(), result)
}

/// CPU time of this thread in milliseconds; where the system does not tell it, wall time.
fn cpu() -> f64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| BEGUN.elapsed().as_secs_f64() * 1e3, |ns| ns * 1e-6)
}

/// CPU time of an exhaustive check over that of as many forwards alone.
fn overhead(network: &mut Network, calls: usize) -> f64 {
    // The system's count moves on with its clock, some milliseconds at a time.
    let (runs, batch) = match network.len() {
        ..1_000 => (9, 200_000 / network.len().pow(2) + 20),
        1_000..10_000 => (9, 1),
        _ => (2, 1),
    };
    let mut least = [f64::INFINITY; 2];
    for _ in 0..runs {
        let begun = cpu();
        for _ in 0..batch {
            checked(network, Method::Exhaustive, (0, 0));
        }
        let between = cpu();
        for _ in 0..batch {
            timed(network, |network, parameters, count| {
                (0..calls).map(|_| counted(network, parameters, count)).sum::<f64>()
            });
        }
        let spent = [between - begun, cpu() - between];
        least = [0, 1].map(|k| f64::min(least[k], spent[k]));
    }
    least[0] / least[1]
}

/// Forwards of passing checks along directions, and those of them that are not the noise estimate.
fn passing() {
    println!("\nright gradients along directions, {PLANTINGS} networks of each size:");
    println!("           | forwards         | beyond the noise estimate");
    println!("parameters |   median    most |   median    most");
    for sizes in NETWORKS {
        let mut runner = TestRunner::deterministic();
        let (mut all, mut beyond) = (Vec::new(), Vec::new());
        for _ in 0..PLANTINGS {
            let network = Network::drawn(sizes, &mut runner);
            let mut parameters = network.parameters.clone();
            let first = |p: &Dictionary| [p["W1"][[0, 0]], p["W2"][[0, 0]]];
            let home = first(&parameters);
            let (calls, noise) = (Cell::new(0), Cell::new(0));
            let forward = |p: &Dictionary| {
                let mut shifts =
                    first(p).into_iter().zip(home).map(|(now, home)| (now / home - 1.0).abs());
                noise.set(
                    noise.get()
                        + usize::from(shifts.all(|shift| shift > 0.0 && shift < NOISE_SHIFT)),
                );
                counted(&network, p, &calls)
            };
            let settings = Settings::default().method(Method::Directional { probes: 2 });
            let report = check_at(&mut parameters, &settings, forward, |p| network.gradient(p));
            assert!(!report.is_wrong(), "{report}");
            all.push(calls.get());
            beyond.push(calls.get() - noise.get());
        }
        let [all, beyond] = [all, beyond].map(|mut counts: Vec<usize>| {
            counts.sort_unstable();
            (counts[counts.len() / 2], counts[counts.len() - 1])
        });
        let parameters = sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum::<usize>();
        println!("{parameters:>10} | {:>8} {:>7} | {:>8} {:>7}", all.0, all.1, beyond.0, beyond.1);
    }
}

fn counted(network: &Network, parameters: &Dictionary, calls: &Cell<usize>) -> f64 {
    calls.set(calls.get() + 1);
    network.cost(parameters)
}

fn classical(network: &mut Network) -> (f64, usize) {
    let (time, calls, _) = timed(network, |network, parameters, calls| {
        let analytic = network.gradient(parameters);
        let keys: Vec<String> = parameters.keys().cloned().collect();
        let mut difference = 0.0;
        for key in keys {
            for i in 0..parameters[&key].len() {
                let side = |h: f64| {
                    let mut moved = parameters.clone();
                    let entry = moved.get_mut(&key).and_then(|p| p.iter_mut().nth(i));
                    *entry.expect("an entry") += h;
                    counted(network, &moved, calls)
                };
                let numeric = (side(1e-7) - side(-1e-7)) / 2e-7;
                let own = analytic[&format!("d{key}")].iter().nth(i).expect("an entry");
                difference += (numeric - own) * (numeric - own);
            }
        }
        difference
    });
    (time, calls)
}

fn checked(
    network: &mut Network,
    method: Method,
    (wrong, planting): (usize, u64),
) -> (f64, usize, StateReport) {
    timed(network, |network, parameters, calls| {
        let settings = Settings::default().method(method);
        let gradient = |p: &Dictionary| {
            let mut gradient = network.gradient(p);
            plant(&mut gradient, wrong, planting);
            gradient
        };
        check_at(parameters, &settings, |p| counted(network, p, calls), gradient)
    })
}

/// Doubles `wrong` entries of the largest block's gradient, drawn from those that are not small.
/// Their places within the block.
fn plant(gradient: &mut Dictionary, wrong: usize, planting: u64) -> Vec<usize> {
    let largest = gradient.values_mut().max_by_key(|block| block.len());
    let block = largest.expect("a block");
    let most = block.fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut places: Vec<usize> = (0..block.len()).collect();
    let entries: Vec<f64> = block.iter().copied().collect();
    places.retain(|&i| entries[i].abs() > 1e-3 * most);
    let wrong = wrong.min(places.len());
    for k in 0..wrong {
        let odd = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * k as u64 + 1);
        let drawn = (planting + 1).wrapping_mul(odd) >> 32;
        let other = k + drawn as usize % (places.len() - k);
        places.swap(k, other);
    }
    places.truncate(wrong);
    for &i in &places {
        *block.iter_mut().nth(i).expect("an entry") *= 2.0;
    }
    places
}

/// Peak memory of one check with 1.2 million parameters, or of one forward and one gradient alone.
fn million(alone: bool) {
    let mut network = Network::new(&[1000, 1100, 90, 1]);
    let gradient = network.gradient(&network.parameters);
    assert!(network.cost(&network.parameters).is_finite() && gradient.len() == 6);
    drop(gradient);
    if !alone {
        // The network's own parameters, not a second copy of them.
        let mut parameters = std::mem::take(&mut network.parameters);
        let report = check_at(
            &mut parameters,
            &Settings::default().method(Method::Directional { probes: 2 }),
            |p| network.cost(p),
            |p| network.gradient(p),
        );
        assert!(!report.is_wrong(), "{report}");
        println!("{} components, {} forwards", report.counts().total(), report.forward_calls);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("no /proc here: peak memory unknown"));
}

/// Wall time of whole checks, 32 states each, on the processors that this process may use.
fn whole() {
    for (sizes, method) in
        [(NETWORKS[1], Method::Exhaustive), (NETWORKS[2], Method::Directional { probes: 2 })]
    {
        let network = Network::new(sizes);
        let (mut least, states) = (f64::INFINITY, 32); // as many as there are by default
        for _ in 0..5 {
            let begun = Instant::now();
            check(
                Meta {
                    function: "network",
                    type_name: None,
                    module: module_path!(),
                    file: file!(),
                    line: line!(),
                    manifest_dir: env!("CARGO_MANIFEST_DIR"),
                    test: "threads",
                    places: &["parameters"],
                    allow_zero: &[],
                    shards: 1,
                },
                Kind::RandomInit,
                0,
                Settings::default().method(method),
                problem(
                    move |_: &mut Draw| Network::new(sizes),
                    |network: &mut Network, places: &mut Places<'_>| {
                        places.place("parameters", &mut network.parameters);
                    },
                    |network: Network, probe: &mut Probe| {
                        if probe.value(network.cost(&network.parameters)) {
                            probe.gradient(network.gradient(&network.parameters));
                        }
                        network
                    },
                ),
            );
            least = least.min(begun.elapsed().as_secs_f64() * 1e3);
        }
        eprintln!("{:>10} | {states:>6} | {least:.1}", network.len());
    }
}

/// [`whole`] on one processor and on all.
fn threads() {
    let this = std::env::current_exe().expect("a path of this program");
    for (name, mut command) in [
        ("one processor", {
            let mut bound = Command::new("taskset");
            bound.args(["-c", "0"]).arg(&this);
            bound
        }),
        ("all processors", Command::new(&this)),
    ] {
        println!("\n{name}:\nparameters | states | ms");
        let ran = command.arg("whole").stdout(Stdio::null()).status();
        if !ran.is_ok_and(|status| status.success()) {
            println!("not to be had here: it takes the program `taskset`");
        }
    }
}

/// Wrong entries of the largest block, by how many of them directions name.
fn named() {
    println!("\nwrong entries found along directions, {PLANTINGS} sets of each size:");
    println!("                   |      named | false | forwards beyond a passing check | ms");
    println!("parameters | wrong | least of all | names |          median           most | median");
    for sizes in NETWORKS {
        let mut network = Network::new(sizes);
        let directional = Method::Directional { probes: 2 };
        let (_, passing, _) = checked(&mut network, directional, (0, 0));
        for wrong in [1, 5, 50] {
            let (mut least, mut planted, mut false_names) = (usize::MAX, 0, 0);
            let (mut forwards, mut times) = (Vec::new(), Vec::new());
            for planting in 0..PLANTINGS {
                let mut places = plant(&mut network.gradient(&network.parameters), wrong, planting);
                places.sort_unstable();
                let (ms, calls, report) = checked(&mut network, directional, (wrong, planting));
                let evidence = &report.evidence;
                let block = evidence.blocks.iter().max_by_key(|block| block.range.len());
                let start = block.expect("a block").range.start;
                let was_planted = |&i: &usize| {
                    i.checked_sub(start).is_some_and(|i| places.binary_search(&i).is_ok())
                };
                let verdicts = evidence.verdict.iter().enumerate();
                let is_wrong = verdicts.filter(|(_, verdict)| **verdict == Verdict::Wrong);
                let (right, wrongly): (Vec<usize>, Vec<usize>) =
                    is_wrong.map(|(i, _)| i).partition(was_planted);
                (least, planted) = (least.min(right.len()), places.len());
                false_names += wrongly.len();
                forwards.push(calls.saturating_sub(passing));
                times.push(ms);
            }
            forwards.sort_unstable();
            times.sort_by(f64::total_cmp);
            println!(
                "{:>10} | {planted:>5} | {least:>12} | {false_names:>5} | {:>15} {:>14} | {:.1}",
                network.len(),
                forwards[forwards.len() / 2],
                forwards[forwards.len() - 1],
                times[times.len() / 2]
            );
        }
    }
}

fn main() {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    if asked("million") || asked("million-alone") {
        return million(asked("million-alone"));
    }
    if asked("named") {
        return named();
    }
    if asked("passing") {
        return passing();
    }
    if asked("threads") {
        return threads();
    }
    if asked("whole") {
        return whole();
    }
    if asked("exact") {
        return without_differences();
    }
    let directional = Method::Directional { probes: 2 };
    println!("parameters | classical         | exhaustive                         | directional");
    println!(
        "           | forwards       ms | forwards       ms  CPU / forwards' | forwards       ms"
    );
    for sizes in NETWORKS {
        let mut network = Network::new(sizes);
        let len = network.len();
        let (classical_ms, classical_calls) = classical(&mut network);
        let (ms, calls, report) = checked(&mut network, Method::Exhaustive, (0, 0));
        assert!(!report.is_wrong(), "{report}");
        let over = overhead(&mut network, calls);
        let (few_ms, few, report) = checked(&mut network, directional, (0, 0));
        assert!(!report.is_wrong(), "{report}");
        println!(
            "{len:>10} | {classical_calls:>8} {classical_ms:>8.1} | {calls:>8} {ms:>8.1} {over:>16.2} | {few:>8} {few_ms:>8.1}"
        );
    }
    passing();
    named();
    without_differences();
}
