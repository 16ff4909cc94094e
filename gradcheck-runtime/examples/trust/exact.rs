//! The same functions, states and faults without differences: `exact = F`.
//!
//! A tape scalar runs every forward as it stands. The states of the class `f32` are left out: an
//! exact check compares `f64` gradients.
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradcheck_runtime::var::Var;
use gradcheck_runtime::{Settings, StateReport, check_exact_at};
use num_traits::ToPrimitive;

use super::examine::{self, Job, Plan};
use super::faults::{Fault, Site};
use super::oracle::{Floors, visible};
use super::subjects::{Bug, Case, Class, Params, Real, SUBJECTS};

impl Real for Var {
    /// As generic code has it, which leaves the tape; the check then takes differences.
    fn single(self) -> Var {
        Var::from(self.to_f32().expect("a number in the range of `f32`"))
    }
    /// As generic code has it: a staircase, whose derivative on the tape is zero.
    fn grid(self, step: f64) -> Var {
        if step > 0.0 { num_traits::Float::round(self / step) * step } else { self }
    }
}

/// A tolerance that no difference holds.
const TIGHT: f64 = 1e-12;

/// What a correct gradient was told.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) job: Job,
    pub(crate) components: usize,
    pub(crate) undecided: usize,
    pub(crate) undecided_tight: usize,
    pub(crate) kinks: usize,
    /// Relative difference of what was decided.
    pub(crate) residual: f64,
    /// Differences had to be taken.
    pub(crate) fell_back: bool,
    pub(crate) accused: Option<String>,
    /// The same under a tolerance of 1e-12.
    pub(crate) accused_tight: Option<String>,
}

/// What a visible fault was told.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) job: Job,
    pub(crate) fault: usize,
    pub(crate) margin: f64,
    /// Of a miss: what the component that shows it best looks like to both sides.
    pub(crate) miss: Option<String>,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) seen: Vec<Seen>,
    pub(crate) planted: Vec<Planted>,
}

fn check(
    case: &Case<f64>,
    on_tape: &Case<Var>,
    settings: &Settings,
    gradient: impl Fn(&Params<f64>) -> Params<f64>,
) -> StateReport {
    let (mut params, mut vars) = (case.params.clone(), on_tape.params.clone());
    let forwards = (|p: &Params<f64>| case.forward(p), |p: &Params<Var>| on_tape.forward(p));
    check_exact_at(&mut params, &mut vars, settings, forwards, gradient)
}

fn fell_back(report: &StateReport) -> bool {
    report.notes.iter().any(|note| note.contains("differences in place"))
}

/// The correct gradient of a state, and the visible faults planted in it.
fn examine(job: Job, case: &Case<f64>, plan: &Plan, results: &Mutex<Results>) {
    let on_tape = case.cast::<Var>();
    let base = case.gradient(&case.params, Bug::None);
    let correct = base.flat();
    if plan.fault.is_none() {
        let right = |p: &Params<f64>| case.gradient(p, Bug::None);
        let report = check(case, &on_tape, &Settings::new(), right);
        let tight = check(case, &on_tape, &Settings::new().tolerance(TIGHT), right);
        let seen = Seen {
            job,
            components: correct.len(),
            undecided: report.counts().undecided,
            undecided_tight: tight.counts().undecided,
            kinks: report.counts().kinks,
            residual: report.relative_difference(),
            fell_back: fell_back(&report),
            accused: examine::accusation(case, &report),
            accused_tight: examine::accusation(case, &tight).filter(|_| !fell_back(&tight)),
        };
        results.lock().expect("no panic elsewhere").seen.push(seen);
    }
    if !job.faulty {
        return;
    }
    let site = Site { case, class: job.class, base: &base, fixed: None };
    let mut floors = Floors::without_differences(case);
    let mut planted = Vec::new();
    for (number, fault) in examine::planted_in(job, case, plan) {
        let wrong = |p: &Params<f64>| examine::wrong(case, &site, fault, plan, job, p);
        let Some(here) = wrong(&case.params) else { continue };
        let here = here.flat();
        let own = examine::own_rounding(job, case, &here, &base, fault, plan);
        let floor = |i| floors.under(i, own.as_deref());
        let Some(witness) = visible(&correct, &here, 2e-7, floor) else {
            continue;
        };
        let report = check(case, &on_tape, &Settings::new(), |p| {
            wrong(p).unwrap_or_else(|| case.gradient(p, Bug::None))
        });
        planted.push(Planted {
            job,
            fault: number,
            margin: witness.margin,
            miss: (!report.is_wrong()).then(|| examine::missed(&report, &correct, witness)),
        });
    }
    results.lock().expect("no panic elsewhere").planted.extend(planted);
}

/// Examines the states of a plan.
pub(crate) fn run(plan: &Plan) -> Results {
    let jobs = examine::jobs(plan);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| {
                while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if job.class == Class::Single {
                        continue;
                    }
                    let state = SUBJECTS[job.subject].state(job.class, plan.seed, job.index);
                    if let Some(case) = state {
                        examine(job, &case, plan, &results);
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

/// One row of the table.
#[derive(Default)]
struct Row {
    states: usize,
    components: usize,
    accused: usize,
    accused_tight: usize,
    undecided: usize,
    undecided_tight: usize,
    kinks: usize,
    fell_back: usize,
    residual: f64,
    visible: usize,
    caught: usize,
}

impl Row {
    fn add(&mut self, seen: &Seen) {
        self.states += 1;
        self.components += seen.components;
        self.accused += usize::from(seen.accused.is_some());
        self.accused_tight += usize::from(seen.accused_tight.is_some());
        self.undecided += seen.undecided;
        self.undecided_tight += seen.undecided_tight;
        self.kinks += seen.kinks;
        self.fell_back += usize::from(seen.fell_back);
        if !seen.fell_back {
            self.residual = self.residual.max(seen.residual);
        }
    }
    fn plant(&mut self, planted: &Planted) {
        self.visible += 1;
        self.caught += usize::from(planted.miss.is_none());
    }
    fn print(&self, name: &str) {
        let percent = |n: usize| 100.0 * n as f64 / self.components.max(1) as f64;
        println!(
            "{name:<28}{:>7}{:>7}{:>9}{:>9.2}%{:>9.2}%{:>7.2}%{:>10}{:>10.1e}{:>9}{:>9}",
            self.states,
            self.accused,
            self.accused_tight,
            percent(self.undecided),
            percent(self.undecided_tight),
            percent(self.kinks),
            self.fell_back,
            self.residual,
            self.visible,
            self.caught,
        );
    }
}

/// Prints the results and returns what they come to; false alarms at either tolerance.
pub(crate) fn table(results: &Results, plan: &Plan) -> examine::Total {
    println!(
        "\n{:<28}{:>7}{:>16}{:>20}{:>8}{:>10}{:>10}{:>18}",
        "without differences",
        "states",
        "false alarms",
        "undecided",
        "kinks",
        "by diff-",
        "largest",
        "visible faults"
    );
    println!(
        "{:<28}{:>7}{:>7}{:>9}{:>10}{:>10}{:>8}{:>10}{:>10}{:>9}{:>9}",
        "", "", "2e-7", "1e-12", "2e-7", "1e-12", "", "erences", "residual", "", "caught"
    );
    let mut classes: BTreeMap<Class, Row> = BTreeMap::new();
    let mut subjects: BTreeMap<usize, Row> = BTreeMap::new();
    let mut total = Row::default();
    for seen in &results.seen {
        if !SUBJECTS[seen.job.subject].is_rounded() {
            classes.entry(seen.job.class).or_default().add(seen);
            total.add(seen);
        }
        subjects.entry(seen.job.subject).or_default().add(seen);
    }
    for planted in &results.planted {
        if !SUBJECTS[planted.job.subject].is_rounded() {
            classes.entry(planted.job.class).or_default().plant(planted);
            total.plant(planted);
        }
        subjects.entry(planted.job.subject).or_default().plant(planted);
    }
    for (class, row) in &classes {
        row.print(&format!("  {}", class.name()));
    }
    println!();
    for (&subject, row) in &subjects {
        row.print(&format!("  {}", SUBJECTS[subject].name));
    }
    println!();
    total.print("all *");
    println!(
        "* without the two functions that round inside, which are differenced; so the classes"
    );
    complaints(results, plan);
    examine::Total {
        states: total.states,
        accused: total.accused + total.accused_tight,
        visible: total.visible,
        caught: total.caught,
    }
}

fn complaints(results: &Results, plan: &Plan) {
    const SHOWN: usize = 40;
    // What is differenced is the other table's.
    let on_tape = |job: Job| !SUBJECTS[job.subject].is_rounded();
    let mut accusations = Vec::new();
    for seen in results.seen.iter().filter(|seen| on_tape(seen.job)) {
        let both = [("2e-7", &seen.accused), ("1e-12", &seen.accused_tight)];
        for (tolerance, accused) in both {
            accusations.extend(accused.as_ref().map(|words| (seen.job, tolerance, words)));
        }
    }
    if !accusations.is_empty() {
        println!("\nfalsely accused without differences: {}", accusations.len());
    }
    for (job, tolerance, words) in accusations.iter().take(SHOWN) {
        println!("  {} at {tolerance}\n      {words}", examine::address(*job, plan));
    }
    let mut missed: Vec<(&Planted, &String)> = (results.planted.iter())
        .filter(|planted| on_tape(planted.job))
        .filter_map(|planted| Some((planted, planted.miss.as_ref()?)))
        .collect();
    missed.sort_by(|a, b| b.0.margin.total_cmp(&a.0.margin));
    if !missed.is_empty() {
        println!("\nmissed without differences, the clearest first: {}", missed.len());
    }
    let faults: Vec<Fault> = Fault::all().collect();
    for (planted, words) in missed.iter().take(SHOWN) {
        let name = faults[planted.fault].name();
        println!("  {} --fault \"{name}\"\n      {words}", examine::address(planted.job, plan));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small run: no correct gradient is accused, at a tolerance that no difference holds
    /// either, and hardly a visible fault is missed. Not one of the states outside the functions that
    /// round inside needs differences.
    #[test]
    fn correct_gradients_pass_and_faults_are_caught_without_differences() {
        let (mut states, mut visible, mut missed) = (0, 0, Vec::new());
        // The two large networks take too long without optimisation.
        for (number, subject) in SUBJECTS.iter().enumerate().filter(|(_, s)| s.weight > 0.3) {
            let plan = Plan {
                states: 800,
                faults: u64::from(number % 3 == 0),
                seed: 4,
                subject: Some(subject.name.to_owned()),
                ..Plan::default()
            };
            let results = run(&plan);
            for seen in &results.seen {
                let address = examine::address(seen.job, &plan);
                assert_eq!(seen.fell_back, subject.is_rounded(), "{address}");
                if !subject.is_rounded() {
                    assert_eq!(seen.accused, None, "{address}");
                    assert_eq!(seen.accused_tight, None, "{address}");
                    states += 1;
                }
            }
            for planted in results.planted.iter().filter(|_| !subject.is_rounded()) {
                visible += 1;
                let miss = planted.miss.as_ref();
                missed
                    .extend(miss.map(|m| format!("{}: {m}", examine::address(planted.job, &plan))));
            }
        }
        println!("{states} states; {} of {visible} missed", missed.len());
        assert!(states > 500 && visible > 5000, "{states} states, {visible} faults");
        assert!(1000 * missed.len() <= visible, "of {visible}:\n{}", missed.join("\n"));
    }
}
