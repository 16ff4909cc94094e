//! One state after another: the correct gradient, and faults planted in it.
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradcheck_runtime::evidence::{Verdict, relative_difference};
use gradcheck_runtime::flatten::{Flatten, Scalar};
use gradcheck_runtime::{Method, Settings, StateReport, check_at};

use super::faults::{Fault, Site};
use super::oracle::{Derivatives, Floors, Witness, rounding_of_change, visible};
use super::subjects::{Bug, Case, Class, Params, Real, SUBJECTS, Subject};

/// Which states to examine.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Correct gradients, about.
    pub(crate) states: u64,
    /// States of each function and class that faults are planted in.
    pub(crate) faults: u64,
    /// Only this class.
    pub(crate) class: Option<String>,
    /// Only functions whose name contains this.
    pub(crate) subject: Option<String>,
    /// Only faults whose name contains this; no correct gradients then.
    pub(crate) fault: Option<String>,
    pub(crate) seed: u64,
    /// Only this state of each function and class.
    pub(crate) state: Option<u64>,
    pub(crate) threads: usize,
    /// How the numeric side of ours is had.
    pub(crate) method: Method,
    /// Only with differences, or only without.
    pub(crate) only: Option<String>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            states: 20_000,
            faults: 3,
            class: None,
            subject: None,
            fault: None,
            seed: 1,
            state: None,
            threads: 2,
            method: Method::Auto,
            only: None,
        }
    }
}

/// A state to examine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) subject: usize,
    pub(crate) class: Class,
    pub(crate) index: u64,
    /// Whether faults are planted there.
    pub(crate) faulty: bool,
}

/// What a correct gradient was told.
pub(crate) struct Seen {
    pub(crate) job: Job,
    pub(crate) components: usize,
    pub(crate) undecided: usize,
    pub(crate) kinks: usize,
    /// Forward calls, those inside gradient calls included, by component.
    pub(crate) forwards: f64,
    pub(crate) classical: bool,
    pub(crate) accused: Option<String>,
}

/// What a wrong one was told.
pub(crate) struct Planted {
    pub(crate) job: Job,
    pub(crate) fault: usize,
    pub(crate) visible: bool,
    pub(crate) classical: bool,
    pub(crate) caught: bool,
    /// How far above the floor the fault is; 0 where it is not visible.
    pub(crate) margin: f64,
    /// Of a miss: what the component that shows it best looks like to both sides.
    pub(crate) miss: String,
}

/// What came of a plan.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) seen: Vec<Seen>,
    pub(crate) planted: Vec<Planted>,
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

pub(super) fn ours<F: Real + Scalar + Flatten>(
    case: &Case<F>,
    gradient: impl Fn(&Params<F>) -> Params<F>,
    method: Method,
) -> StateReport {
    let mut params = case.params.clone();
    let settings = Settings::default().method(method);
    check_at(&mut params, &settings, |p: &Params<F>| case.forward(p), gradient)
}

/// Names the worst component of a report, with its numbers.
pub(crate) fn accusation<F: Real>(case: &Case<F>, report: &StateReport) -> Option<String> {
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

/// What the component that shows a missed fault best looks like to both sides.
pub(crate) fn missed(report: &StateReport, correct: &[f64], witness: Witness) -> String {
    let (e, i) = (&report.evidence, witness.component);
    let name = e
        .blocks
        .iter()
        .find(|b| b.range.contains(&i))
        .map_or_else(|| format!("component {i}"), |b| b.component(i - b.range.start));
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

/// The faults that a plan has for a state, with their numbers.
pub(crate) fn planted_in(
    job: Job,
    case: &Case<f64>,
    plan: &Plan,
) -> impl Iterator<Item = (usize, Fault)> {
    let named =
        |fault: Fault| plan.fault.as_ref().is_none_or(|n| fault.name().contains(n.as_str()));
    // The largest functions take a sample of the kinds.
    let sampled = plan.fault.is_none() && case.params.len() > 2000;
    Fault::all()
        .enumerate()
        .filter(move |&(number, _)| !sampled || (number as u64 + job.index).is_multiple_of(9))
        .filter(move |&(_, fault)| named(fault) && fault.fits(case))
}

/// The gradient of a case with a fault; `None` where it has no place there.
pub(crate) fn wrong<F: Real + Scalar>(
    case: &Case<F>,
    site: &Site<'_>,
    fault: Fault,
    plan: &Plan,
    job: Job,
    p: &Params<F>,
) -> Option<Params<F>> {
    if let Fault::Bug(bug) = fault {
        return Some(case.gradient(p, bug));
    }
    let mut g = case.gradient(p, Bug::None).cast::<f64>();
    let seed = plan.seed.wrapping_mul(1000).wrapping_add(job.index);
    fault.change(site, &p.cast(), &mut g, seed)?;
    Some(g.map(|g| F::from_f64(g)))
}

/// What rounding makes of a gradient that is a changed correct one. A mistake inside the backward
/// function has the rounding of the correct one as it is: where it jumps from one state to the next
/// that is no rounding, but may be the mistake.
pub(crate) fn own_rounding<F: Real + Scalar>(
    job: Job,
    case: &Case<F>,
    here: &[f64],
    base: &Params<f64>,
    fault: Fault,
    plan: &Plan,
) -> Option<Vec<f64>> {
    if matches!(fault, Fault::Bug(_)) {
        return None;
    }
    let value = Scalar::to_f64(case.forward(&case.params));
    // Half a unit of the value over the step, which a quotient that stands still does not show.
    let least = fault.step().map_or(0.0, |h| F::ROUNDOFF * value.abs() / h);
    let changed = |case: &Case<F>| {
        let wide = case.cast::<f64>();
        let site = Site { case: &wide, class: job.class, base, fixed: None };
        Some(wrong(case, &site, fault, plan, job, &case.params)?.flat())
    };
    Some(rounding_of_change(case, here, least, changed))
}

/// The correct gradient of a state, and the faults planted in it.
fn examine<F: Real + Scalar + Flatten>(
    job: Job,
    wide: &Case<f64>,
    plan: &Plan,
    results: &Mutex<Results>,
) {
    let case = wide.cast::<F>();
    let base = case.gradient(&case.params, Bug::None);
    let correct = base.flat();
    let classical = classical_derivative(&case);
    let limit = tolerance::<F>();

    if plan.fault.is_none() {
        let report = ours(&case, |p| case.gradient(p, Bug::None), plan.method);
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
    let site = Site { case: wide, class: job.class, base: &wide_base, fixed: None };
    let mut floors = Floors::new(&case);
    let mut planted = Vec::new();
    for (number, fault) in planted_in(job, wide, plan) {
        let wrong = |p: &Params<F>| wrong(&case, &site, fault, plan, job, p);
        let Some(here) = wrong(&case.params) else { continue };
        let here = here.flat();
        let own = own_rounding(job, &case, &here, &wide_base, fault, plan);
        let shows = visible(&correct, &here, limit, |i| floors.under(i, own.as_deref()));
        let or_right = |p: &_| wrong(p).unwrap_or_else(|| case.gradient(p, Bug::None));
        let report = ours(&case, or_right, plan.method);
        let caught = report.is_wrong();
        planted.push(Planted {
            job,
            fault: number,
            visible: shows.is_some(),
            margin: shows.map_or(0.0, |witness| witness.margin),
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

/// The options that choose a state.
pub(crate) fn address(job: Job, plan: &Plan) -> String {
    format!(
        "--subject \"{}\" --class \"{}\" --seed {} --state {}",
        SUBJECTS[job.subject].name,
        job.class.name(),
        plan.seed,
        job.index
    )
}

/// The states of a run, the largest first.
pub(crate) fn jobs(plan: &Plan) -> Vec<Job> {
    let chosen = |filter: &Option<String>, name: &str| {
        filter.as_ref().is_none_or(|f| name.contains(f.as_str()))
    };
    let all: f64 = SUBJECTS.iter().map(|s| s.weight).sum::<f64>() * Class::ALL.len() as f64;
    let mut jobs = Vec::new();
    for (number, subject) in SUBJECTS.iter().enumerate() {
        // One too large for every run must be asked for.
        if !chosen(&plan.subject, subject.name)
            || (subject.weight == 0.0 && plan.subject.as_deref() != Some(subject.name))
        {
            continue;
        }
        for &class in Class::ALL {
            // By its whole name: "f32" is no part of another, "random" might be.
            if plan.class.as_ref().is_some_and(|c| c != class.name()) {
                continue;
            }
            // Somewhat more than a third of all pairs have no such state.
            let share = 1.5 * plan.states as f64 * subject.weight / all;
            let states = share.round().max(1.0) as u64;
            let faulty = match subject.weight {
                0.0 => 0,
                w if w < 0.1 => u64::from(class == Class::Trained).min(plan.faults),
                w if w < 0.4 => plan.faults.min(1),
                w if w > 1.0 => 2 * plan.faults,
                _ => plan.faults,
            };
            for index in 0..states.max(plan.state.map_or(0, |s| s + 1)) {
                if plan.state.is_none_or(|state| state == index) {
                    let faulty = index < faulty || plan.state.is_some();
                    jobs.push(Job { subject: number, class, index, faulty });
                }
            }
        }
    }
    jobs.sort_by(|a, b| SUBJECTS[a.subject].weight.total_cmp(&SUBJECTS[b.subject].weight));
    jobs
}

/// Examines the states of a plan.
pub(crate) fn run(plan: &Plan) -> Results {
    let jobs = jobs(plan);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| {
                while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let subject: &Subject = &SUBJECTS[job.subject];
                    let Some(case) = subject.state(job.class, plan.seed, job.index) else {
                        continue;
                    };
                    if job.class == Class::Single {
                        examine::<f32>(job, &case, plan, &results);
                    } else {
                        examine::<f64>(job, &case, plan, &results);
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

/// What a table comes to.
pub(crate) struct Total {
    pub(crate) states: usize,
    pub(crate) accused: usize,
    pub(crate) visible: usize,
    pub(crate) caught: usize,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// States and faults that one promise is made for.
    #[derive(Debug, Default)]
    struct Tally {
        states: usize,
        accused: Vec<String>,
        visible: usize,
        missed: Vec<String>,
    }

    /// Which promise holds for a state. Where the forward itself keeps few digits (rounded
    /// inside, or small beside a constant of 1e6) what the oracle's best of many steps sees is
    /// often within the noise that the check must allow for.
    fn kind(subject: &Subject, class: Class) -> &'static str {
        if subject.is_rounded() {
            "rounded inside"
        } else if class == Class::LargeConstant {
            "large constant"
        } else if class.is_ordinary() {
            "ordinary"
        } else {
            "other"
        }
    }

    /// A small run of everything. Outside the two functions that round inside nobody is accused,
    /// in any class. At least 99 % of all visible faults are caught, and a share that is stated
    /// for each kind of state. Much of what is missed is a few floors high, where the bound of
    /// the check is wider than the oracle's floor. Not all of it: the oracle knows how far away a
    /// kink is, and how steep the function, where the check has to allow for both. Errors of
    /// 1e-6 to 1e-4 in one state of the leaky network near a kink, and in a converged
    /// `rosenbrock` or `exp(50 x)`, stay undecided far above the floor; a gradient sent to every
    /// tie of a max pool is taken for a kink.
    #[test]
    fn correct_gradients_pass_and_faults_are_caught() {
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        // The two large networks take too long without optimisation.
        for subject in SUBJECTS.iter().filter(|s| s.weight > 0.3) {
            let plan = Plan {
                states: 2000,
                faults: 1,
                seed: 3,
                subject: Some(subject.name.to_owned()),
                ..Plan::default()
            };
            let results = run(&plan);
            assert!(results.seen.len() >= 6, "{}", subject.name);
            assert!(results.planted.iter().filter(|p| p.visible).count() >= 100);
            for seen in &results.seen {
                let (class, index) = (seen.job.class, seen.job.index);
                let tally = tallies.entry(kind(subject, class)).or_default();
                tally.states += 1;
                if let Some(accused) = &seen.accused {
                    tally.accused.push(format!("{} in {class:?} {index}: {accused}", subject.name));
                }
            }
            for planted in results.planted.iter().filter(|p| p.visible) {
                let (class, index) = (planted.job.class, planted.job.index);
                let tally = tallies.entry(kind(subject, class)).or_default();
                tally.visible += 1;
                if !planted.caught {
                    let fault = Fault::all().nth(planted.fault).map_or("", Fault::name);
                    let (name, miss) = (subject.name, &planted.miss);
                    tally.missed.push(format!("{name} in {class:?} {index}, {fault}: {miss}"));
                }
            }
        }
        // Largest share of states accused, and of visible faults missed.
        let promises = [
            ("ordinary", 0.0, 0.002),
            ("other", 0.0, 0.01),
            ("large constant", 0.0, 0.03),
            ("rounded inside", 0.02, 0.08),
        ];
        for (kind, accused, missed) in promises {
            let tally = &tallies[kind];
            println!(
                "{kind}: {} of {} accused, {} of {} missed",
                tally.accused.len(),
                tally.states,
                tally.missed.len(),
                tally.visible
            );
            let share = |n: usize, of: usize| n as f64 / of as f64;
            let all = (tally.accused.len(), tally.states, tally.missed.len(), tally.visible);
            assert!(tally.states >= 20 && tally.visible >= 500, "{kind}: {all:?}");
            assert!(
                share(all.0, all.1) <= accused,
                "{kind}: {all:?}\n{}",
                tally.accused.join("\n")
            );
            assert!(share(all.2, all.3) <= missed, "{kind}: {all:?}\n{}", tally.missed.join("\n"));
        }
        let (missed, visible) = tallies
            .values()
            .fold((0, 0), |(m, v), tally| (m + tally.missed.len(), v + tally.visible));
        println!("{missed} of {visible} missed in all");
        assert!(missed * 100 <= visible, "{missed} of {visible} missed");
    }
}
