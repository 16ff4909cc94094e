//! Can the verdict be trusted? Correct gradients of many functions in every kind of state, which
//! must not be accused, and more than a hundred kinds of faults, every visible one of which must
//! be caught; beside it what the classical check says (central difference, h = 1e-7, relative
//! difference of the whole gradient against 2e-7; in `f32` 1e-3 and 1e-3).
//!
//! ```text
//! cargo run --release --example trust                       # a few minutes
//! cargo run --release --example trust -- --states 100000    # the long run
//!     --faults N       states of each function and class that faults are planted in
//!     --class NAME     only states of this class
//!     --subject NAME   only functions whose name contains this
//!     --fault NAME     only faults whose name contains this
//!     --seed N         another set of states
//!     --state I        only state I of each function and class
//!     --full           a row for each function in each class
//!     --threads N      2 by default
//! ```
//!
//! Exit code 1 if a correct gradient was accused or a visible fault missed.
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gradcheck_runtime::evidence::{Verdict, relative_difference};
use gradcheck_runtime::flatten::{Flatten, Scalar};
use gradcheck_runtime::{Settings, StateReport, check_at};

use faults::{Fault, Site};
use oracle::{Derivatives, Floors, Witness, visible};
use subjects::{Bug, Case, Class, Params, Real, SUBJECTS, Subject};

mod faults;
mod oracle;
mod subjects;

/// What the command line asks for.
struct Options {
    states: f64,
    faults: u64,
    class: Option<String>,
    subject: Option<String>,
    fault: Option<String>,
    seed: u64,
    state: Option<u64>,
    full: bool,
    threads: usize,
}

impl Options {
    fn read() -> Result<Options, String> {
        let mut options = Options {
            states: 6000.0,
            faults: 2,
            class: None,
            subject: None,
            fault: None,
            seed: 1,
            state: None,
            full: false,
            threads: 2,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--full" {
                options.full = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
            match name.as_str() {
                "--states" => options.states = number()? as f64,
                "--faults" => options.faults = number()?,
                "--seed" => options.seed = number()?,
                "--state" => options.state = Some(number()?),
                "--threads" => options.threads = number()?.max(1) as usize,
                "--class" => options.class = Some(value),
                "--subject" => options.subject = Some(value),
                "--fault" => options.fault = Some(value),
                _ => return Err(format!("unknown option `{name}`; see the head of main.rs")),
            }
        }
        Ok(options)
    }
}

/// A state to examine.
#[derive(Clone, Copy)]
struct Job {
    subject: usize,
    class: Class,
    index: u64,
    /// Whether faults are planted there.
    faulty: bool,
}

/// What a correct gradient was told.
struct Seen {
    job: Job,
    components: usize,
    undecided: usize,
    kinks: usize,
    /// Forward calls, those inside gradient calls included, by component.
    forwards: f64,
    classical: bool,
    accused: Option<String>,
}

/// What a wrong one was told.
struct Planted {
    job: Job,
    fault: usize,
    visible: bool,
    classical: bool,
    caught: bool,
    /// Of a miss: what the component that shows it best looks like to both sides.
    miss: String,
}

#[derive(Default)]
struct Results {
    seen: Vec<Seen>,
    planted: Vec<Planted>,
}

/// Central differences at one step, as they are usually written.
fn classical_derivative<F: Real + Scalar>(case: &Case<F>) -> Vec<f64> {
    let h = if F::ROUNDOFF < 1e-10 { 1e-7 } else { 1e-3 };
    let mut p = case.params.clone();
    (0..p.len())
        .map(|i| {
            let (block, place) = p.locate(i);
            let x = Scalar::to_f64(p[block][place]);
            p[block][place] = F::from_f64(x + h);
            let above = Scalar::to_f64(case.forward(&p));
            p[block][place] = F::from_f64(x - h);
            let below = Scalar::to_f64(case.forward(&p));
            p[block][place] = F::from_f64(x);
            (above - below) / (2.0 * h)
        })
        .collect()
}

/// The tolerance of both checks, for scalars of a kind.
fn tolerance<F: Scalar>() -> f64 {
    if F::ROUNDOFF < 1e-10 { 2e-7 } else { 1e-3 }
}

fn ours<F: Real + Scalar + Flatten>(
    case: &Case<F>,
    gradient: impl Fn(&Params<F>) -> Params<F>,
) -> StateReport {
    let mut params = case.params.clone();
    check_at(&mut params, &Settings::default(), |p: &Params<F>| case.forward(p), gradient)
}

/// Names the worst component of a report, with its numbers.
fn accusation<F: Real>(case: &Case<F>, report: &StateReport) -> Option<String> {
    if !report.is_wrong() {
        return None;
    }
    if let Some(failure) = &report.failure {
        return Some(format!("{failure:?}"));
    }
    let e = &report.evidence;
    let excess = |i: usize| (e.analytic[i] - e.numeric[i]).abs() / e.bound[i].max(1e-300);
    let worst = (0..e.verdict.len())
        .filter(|&i| e.verdict[i] == Verdict::Wrong)
        .max_by(|&a, &b| excess(a).total_cmp(&excess(b)));
    let Some(i) = worst else { return Some("a whole block".to_owned()) };
    let name = e
        .blocks
        .iter()
        .find(|b| b.range.contains(&i))
        .map_or_else(|| format!("component {i}"), |b| b.component(i - b.range.start));
    let (exact, kink) = Derivatives::new(case).at(i, 0.0);
    Some(format!(
        "{name}: analytic {:e}, numeric {:e}, bound {:.1e}, exact {exact:e}, \
         kink at {kink:.1e}; {} wrong of {}",
        e.analytic[i],
        e.numeric[i],
        e.bound[i],
        e.verdict.iter().filter(|&&v| v == Verdict::Wrong).count(),
        e.verdict.len()
    ))
}

fn missed(report: &StateReport, correct: &[f64], witness: Witness) -> String {
    let (e, i) = (&report.evidence, witness.component);
    let name = e.blocks.iter().find(|b| b.range.contains(&i)).map_or_else(
        || format!("component {i}"),
        |b| b.component(i - b.range.start),
    );
    format!(
        "{name}: correct {:e}, wrong {:e}, floor {:.1e} (margin {:.1}); \
         numeric {:e}, bound {:.1e}, {:?}",
        correct[i],
        e.analytic[i],
        witness.floor,
        witness.margin,
        e.numeric[i],
        e.bound[i],
        e.verdict[i]
    )
}

/// The correct gradient of a state, and the faults planted in it.
fn examine<F: Real + Scalar + Flatten>(
    job: Job,
    wide: &Case<f64>,
    options: &Options,
    results: &Mutex<Results>,
) {
    let case = wide.cast::<F>();
    let base = case.gradient(&case.params, Bug::None);
    let correct = base.flat();
    let classical = classical_derivative(&case);
    let limit = tolerance::<F>();

    if options.fault.is_none() {
        let report = ours(&case, |p| case.gradient(p, Bug::None));
        let counts = report.counts();
        let components = correct.len();
        let seen = Seen {
            job,
            components,
            undecided: counts.undecided,
            kinks: counts.kinks,
            forwards: (report.forward_calls + report.gradient_calls) as f64 / components as f64,
            classical: relative_difference(&correct, &classical) > limit,
            accused: accusation(&case, &report),
        };
        results.lock().expect("no panic elsewhere").seen.push(seen);
    }

    if !job.faulty {
        return;
    }
    let wide_base = base.cast::<f64>();
    let site = Site { case: wide, class: job.class, base: &wide_base };
    let mut floors = Floors::new(&case);
    let mut planted = Vec::new();
    for (number, fault) in Fault::all().enumerate() {
        if options.fault.as_ref().is_some_and(|name| !fault.name().contains(name.as_str()))
            || !fault.fits(wide)
        {
            continue;
        }
        // The largest functions take a sample of the kinds.
        if correct.len() > 2000 && !(number as u64 + job.index).is_multiple_of(9) {
            continue;
        }
        let seed = options.seed.wrapping_mul(1000).wrapping_add(job.index);
        let wrong = |p: &Params<F>| -> Option<Params<F>> {
            if let Fault::Bug(bug) = fault {
                return Some(case.gradient(p, bug));
            }
            let mut g = case.gradient(p, Bug::None).cast::<f64>();
            fault.change(&site, &p.cast(), &mut g, seed)?;
            Some(g.map(|g| F::from_f64(g)))
        };
        let Some(here) = wrong(&case.params) else { continue };
        let here = here.flat();
        let shows = visible(&correct, &here, limit, |i| floors.at(i));
        let report = ours(&case, |p| wrong(p).unwrap_or_else(|| case.gradient(p, Bug::None)));
        let caught = report.is_wrong();
        planted.push(Planted {
            job,
            fault: number,
            visible: shows.is_some(),
            miss: match shows {
                Some(witness) if !caught => missed(&report, &correct, witness),
                _ => String::new(),
            },
            classical: relative_difference(&here, &classical) > limit,
            caught,
        });
    }
    results.lock().expect("no panic elsewhere").planted.extend(planted);
}

/// The states of a run, the largest first.
fn jobs(options: &Options) -> Vec<Job> {
    let chosen = |filter: &Option<String>, name: &str| {
        filter.as_ref().is_none_or(|f| name.contains(f.as_str()))
    };
    let all: f64 = SUBJECTS.iter().map(|s| s.weight).sum::<f64>() * Class::ALL.len() as f64;
    let mut jobs = Vec::new();
    for (number, subject) in SUBJECTS.iter().enumerate() {
        if !chosen(&options.subject, subject.name) {
            continue;
        }
        for &class in Class::ALL {
            // By its whole name: "f32" is no part of another, "random" might be.
            if options.class.as_ref().is_some_and(|c| c != class.name()) {
                continue;
            }
            // Somewhat more than a third of all pairs have no such state.
            let share = 1.5 * options.states * subject.weight / all;
            let states = share.round().max(1.0) as u64;
            let faulty = match subject.weight {
                w if w < 0.1 => u64::from(class == Class::Trained).min(options.faults),
                w if w < 0.4 => options.faults.min(1),
                w if w > 1.0 => 2 * options.faults,
                _ => options.faults,
            };
            for index in 0..states.max(options.state.map_or(0, |s| s + 1)) {
                if options.state.is_none_or(|state| state == index) {
                    let faulty = index < faulty || options.state.is_some();
                    jobs.push(Job { subject: number, class, index, faulty });
                }
            }
        }
    }
    jobs.sort_by(|a, b| SUBJECTS[a.subject].weight.total_cmp(&SUBJECTS[b.subject].weight));
    jobs
}

fn run(options: &Options) -> Results {
    let jobs = jobs(options);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let subject: &Subject = &SUBJECTS[job.subject];
                    let Some(case) = subject.state(job.class, options.seed, job.index) else {
                        continue;
                    };
                    if job.class == Class::Single {
                        examine::<f32>(job, &case, options, &results);
                    } else {
                        examine::<f64>(job, &case, options, &results);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic elsewhere");
    results.seen.sort_by_key(|s| (s.job.subject, s.job.class, s.job.index));
    results.planted.sort_by_key(|p| (p.fault, p.job.subject, p.job.class, p.job.index));
    results
}

/// One row of the table of correct gradients.
#[derive(Default)]
struct Row {
    states: usize,
    components: usize,
    classical: usize,
    accused: usize,
    undecided: usize,
    kinks: usize,
    forwards: Vec<f64>,
}

impl Row {
    fn add(&mut self, seen: &Seen) {
        self.states += 1;
        self.components += seen.components;
        self.classical += usize::from(seen.classical);
        self.accused += usize::from(seen.accused.is_some());
        self.undecided += seen.undecided;
        self.kinks += seen.kinks;
        self.forwards.push(seen.forwards);
    }
    fn print(&mut self, name: &str) {
        self.forwards.sort_by(f64::total_cmp);
        let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
        println!(
            "{name:<28}{:>7}{:>7}{:>6.1}%{:>7}{:>10.2}%{:>7.2}%{:>9.2}",
            self.states,
            self.classical,
            percent(self.classical, self.states),
            self.accused,
            percent(self.undecided, self.components),
            percent(self.kinks, self.components),
            self.forwards.get(self.forwards.len() / 2).copied().unwrap_or(f64::NAN),
        );
    }
}

fn correct_table(results: &Results, options: &Options) {
    println!(
        "{:<28}{:>7}{:>14}{:>7}{:>11}{:>8}{:>9}",
        "correct gradients", "states", "classical", "ours", "undecided", "kinks", "forwards"
    );
    println!(
        "{:<28}{:>7}{:>14}{:>7}{:>11}{:>8}{:>9}",
        "", "", "false alarms", "", "comp.", "comp.", "a coord."
    );
    let mut classes: BTreeMap<Class, Row> = BTreeMap::new();
    let mut subjects: BTreeMap<usize, Row> = BTreeMap::new();
    let mut pairs: BTreeMap<(usize, Class), Row> = BTreeMap::new();
    let (mut total, mut ordinary) = (Row::default(), Row::default());
    for seen in &results.seen {
        classes.entry(seen.job.class).or_default().add(seen);
        subjects.entry(seen.job.subject).or_default().add(seen);
        pairs.entry((seen.job.subject, seen.job.class)).or_default().add(seen);
        total.add(seen);
        if seen.job.class.is_ordinary() {
            ordinary.add(seen);
        }
    }
    for (class, row) in &mut classes {
        row.print(&format!("  {}", class.name()));
    }
    println!();
    for (&subject, row) in &mut subjects {
        row.print(&format!("  {}", SUBJECTS[subject].name));
        if options.full {
            for ((_, class), row) in pairs.iter_mut().filter(|((s, _), _)| *s == subject) {
                row.print(&format!("    {}", class.name()));
            }
        }
    }
    println!();
    ordinary.print("ordinary classes");
    total.print("all");
}

fn fault_table(results: &Results) -> (usize, usize) {
    println!("\n{:<48}{:>8}{:>9}{:>10}{:>9}", "faults", "planted", "visible", "classical", "ours");
    let (mut visible, mut caught, mut kinds) = (0, 0, 0);
    let mut classical_all = 0;
    for (number, fault) in Fault::all().enumerate() {
        let of_kind: Vec<&Planted> = results.planted.iter().filter(|p| p.fault == number).collect();
        if of_kind.is_empty() {
            continue;
        }
        let shown: Vec<&&Planted> = of_kind.iter().filter(|p| p.visible).collect();
        let classical = shown.iter().filter(|p| p.classical).count();
        let ours = shown.iter().filter(|p| p.caught).count();
        let mark = if ours < shown.len() { "  <" } else { "" };
        println!(
            "  {:<46}{:>8}{:>9}{:>10}{:>9}{mark}",
            fault.name(),
            of_kind.len(),
            shown.len(),
            classical,
            ours
        );
        kinds += usize::from(!shown.is_empty());
        visible += shown.len();
        caught += ours;
        classical_all += classical;
    }
    println!(
        "  {:<46}{:>8}{:>9}{:>10}{:>9}",
        format!("{kinds} kinds"),
        results.planted.len(),
        visible,
        classical_all,
        caught
    );
    (visible, caught)
}

fn address(job: Job, options: &Options) -> String {
    format!(
        "--subject \"{}\" --class \"{}\" --seed {} --state {}",
        SUBJECTS[job.subject].name,
        job.class.name(),
        options.seed,
        job.index
    )
}

fn complaints(results: &Results, options: &Options) {
    const SHOWN: usize = 60;
    let accused: Vec<&Seen> = results.seen.iter().filter(|s| s.accused.is_some()).collect();
    let missed: Vec<&Planted> = results.planted.iter().filter(|p| p.visible && !p.caught).collect();
    if !accused.is_empty() {
        println!("\nfalsely accused:");
    }
    for seen in accused.iter().take(SHOWN) {
        println!("  {}", address(seen.job, options));
        println!("      {}", seen.accused.as_deref().unwrap_or_default());
    }
    if !missed.is_empty() {
        println!("\nmissed:");
    }
    let faults: Vec<Fault> = Fault::all().collect();
    for planted in missed.iter().take(SHOWN) {
        let name = faults[planted.fault].name();
        println!("  {} --fault \"{name}\"", address(planted.job, options));
        println!("      {}", planted.miss);
    }
    for (what, n) in [("accused", accused.len()), ("missed", missed.len())] {
        if n > SHOWN {
            println!("  .. and {} more {what}", n - SHOWN);
        }
    }
}

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let results = run(&options);
    correct_table(&results, &options);
    let (visible, caught) = fault_table(&results);
    complaints(&results, &options);
    println!("\n{:.0} s", start.elapsed().as_secs_f64());
    let accused = results.seen.iter().filter(|s| s.accused.is_some()).count();
    println!(
        "false alarms: {accused} of {} states; caught: {caught} of {visible} faults",
        results.seen.len()
    );
    if accused > 0 || caught < visible { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
