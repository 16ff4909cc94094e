//! What the diagnosis says first of each fault, and whether that is true.
//!
//! A fault is judged as a test would meet it: one function, the same fault in the same place, in
//! eight states of several sizes. A diagnosis is *true* when what it says maps the correct
//! gradient to the wrong one in every failing state, to within bounds ([`truth::holds`]); that is
//! asked of the exact gradients, not of the differences that the diagnosis was made from.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradcheck_runtime::Method;
use gradcheck_runtime::diagnose::{Finding, Kind, Place, diagnose};
use gradcheck_runtime::evidence::Verdict;
use gradcheck_runtime::flatten::{Flatten, Scalar};

use super::examine::{Plan, ours};
use super::faults::{Fault, Site};
use super::subjects::{Bug, Case, Class, Known, Model, Params, Real, SUBJECTS, Subject};
use super::truth::{self, Shown};

/// States that a diagnosis is made from, as in the first round of a test.
const STATES: usize = 8;
/// Draws among which so many with the same blocks are looked for.
const DRAWS: u64 = 40;

/// States of one function, each with its class.
type States = Vec<(Class, Case<f64>)>;

/// What is to be said of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// The shape that the fault was planted as.
    Right,
    /// Another shape, which is true too: both give the same numbers in every failing state.
    AlsoTrue,
    /// No shape.
    Silent,
    /// A shape that does not give the wrong gradient.
    False,
}

/// The diagnosis of one fault of one function.
pub(crate) struct Told {
    pub(crate) subject: usize,
    pub(crate) class: Class,
    pub(crate) fault: usize,
    /// The shape it was planted as, where the failing states show that shape.
    pub(crate) known: Option<Known>,
    pub(crate) answer: Answer,
    /// The first finding in words.
    pub(crate) words: String,
}

/// The kinds that rightly name a shape, by their labels.
fn right_labels(known: Known) -> &'static [&'static str] {
    match known {
        Known::TimesBatch | Known::OverBatch | Known::Scaled => &["scaled"],
        Known::Sign => &["sign flipped"],
        Known::Zero => &["zero gradient"],
        Known::Transposed => &["transposed"],
        Known::Swapped => &["swapped"],
        Known::Shifted => &["shifted by one"],
        Known::Proportional => &[
            "term proportional to the parameter",
            "term proportional to the sign of the parameter",
        ],
        Known::OneComponent => &["some components"],
        Known::FewComponents => &["some components", "zero on a subset"],
        Known::Exchanged => &["in another order", "some components"],
        Known::SinglePrecision => &["single precision"],
        // Which slice it is only states of other sizes can tell.
        Known::FirstSlice => &["first slice of a sum", "wrong only at a size"],
        Known::LastSlice => &["last slice of a sum", "wrong only at a size"],
        Known::Constant => &["constant offset"],
        Known::NotFinite => &["not finite"],
        Known::OnlyThere => &["wrong only after training", "wrong only at a size"],
    }
}

/// Whether the finding names the shape that the fault was planted as.
fn names(known: Known, finding: &Finding) -> bool {
    let label = finding.kind.label();
    let few = matches!(known, Known::OneComponent | Known::FewComponents);
    right_labels(known).contains(&label)
        || (few && matches!(finding.place, Place::Components { .. }))
        || (known == Known::OnlyThere && finding.only.is_some())
}

/// Kinds of states that a test of a class meets: its own, and others for contrast.
fn mixture(class: Class) -> [Class; STATES] {
    let mut classes = [class; STATES];
    match class {
        // Sizes from one up are ordinary in a test.
        Class::Random => classes[6..].fill(Class::BatchOfOne),
        Class::BatchOfOne => classes[4..].fill(Class::Random),
        // Failing trained states are looked at before training too.
        Class::Trained => classes[5..].fill(Class::Random),
        _ => {}
    }
    classes
}

/// States with the same blocks, at several sizes.
fn states(subject: &Subject, class: Class, seed: u64) -> States {
    let mut found: States = Vec::new();
    let mut next: BTreeMap<Class, u64> = BTreeMap::new();
    for class in mixture(class) {
        let index = next.entry(class).or_default();
        let fits = |case: &Case<f64>| {
            found.first().is_none_or(|(_, first)| first.params.names() == case.params.names())
        };
        while *index < DRAWS {
            *index += 1;
            if let Some(case) = subject.state(class, seed, *index - 1).filter(&fits) {
                found.push((class, case));
                break;
            }
        }
    }
    found
}

/// One state with a fault, or without where the fault does not apply.
fn show<F: Real + Scalar + Flatten>(
    wide: &Case<f64>,
    class: Class,
    fault: Fault,
    seed: u64,
    fixed: &Cell<Option<usize>>,
) -> Option<Shown> {
    let case = wide.cast::<F>();
    let base = case.gradient(&case.params, Bug::None);
    let wide_base = base.cast::<f64>();
    let site = Site { case: wide, class, base: &wide_base, fixed: Some(fixed) };
    let wrong = |p: &Params<F>| -> Params<F> {
        let correct = || case.gradient(p, Bug::None);
        if !fault.fits(wide) {
            return correct();
        }
        if let Fault::Bug(bug) = fault {
            return case.gradient(p, bug);
        }
        let mut g = correct().cast::<f64>();
        match fault.change(&site, &p.cast(), &mut g, seed) {
            Some(()) => g.map(|g| F::from_f64(g)),
            None => correct(),
        }
    };
    let report = ours(&case, wrong, Method::Auto);
    if report.failure.is_some() {
        return None;
    }
    let mut evidence = report.evidence;
    evidence.dims =
        case.model.dims().into_iter().map(|(name, size)| (name.to_owned(), size)).collect();
    evidence.steps = case.steps;
    Some(Shown { evidence, correct: base.flat() })
}

fn show_any(
    wide: &Case<f64>,
    class: Class,
    fault: Fault,
    seed: u64,
    fixed: &Cell<Option<usize>>,
) -> Option<Shown> {
    if class == Class::Single {
        show::<f32>(wide, class, fault, seed, fixed)
    } else {
        show::<f64>(wide, class, fault, seed, fixed)
    }
}

/// What a test would have to make a diagnosis from: failing states first, then the first of
/// them with fewer samples, then those that pass. `None` when nothing fails.
pub(crate) fn shown(
    states: &[(Class, Case<f64>)],
    fault: Fault,
    seed: u64,
) -> Option<(Vec<Shown>, bool)> {
    let fixed = Cell::new(None);
    let all: Vec<(usize, Shown)> = states
        .iter()
        .enumerate()
        .filter_map(|(i, (class, case))| Some((i, show_any(case, *class, fault, seed, &fixed)?)))
        .collect();
    let (mut failing, passing): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, shown)| shown.fails());
    let first = failing.first()?.0;
    let (class, case) = &states[first];
    let m = case.dim("m").unwrap_or(1);
    let fewer = if m > 2 { vec![1, m - 1] } else { vec![1] };
    for case in fewer.into_iter().filter_map(|m| case.first_samples(m)) {
        failing.extend(show_any(&case, *class, fault, seed, &fixed).map(|shown| (first, shown)));
    }
    failing.extend(passing);
    let shown: Vec<Shown> = failing.into_iter().map(|(_, shown)| shown).collect();
    let finite = shown.iter().all(|s| s.evidence.analytic.iter().all(|g| g.is_finite()));
    Some((shown, finite))
}

/// What the diagnosis says of these states, and whether it is true.
pub(crate) fn judge(fault: Fault, shown: &[Shown]) -> (Option<Known>, Answer, String) {
    let evidence: Vec<_> = shown.iter().map(|s| &s.evidence).collect();
    let diagnosis = diagnose(&evidence);
    let known = fault.known().filter(|&known| truth::shows(known, shown));
    let Some(first) = diagnosis.findings.first() else {
        return (known, Answer::Silent, "nothing".to_owned());
    };
    let right = known.is_some_and(|known| names(known, first));
    let answer = match &first.kind {
        Kind::Unknown => Answer::Silent,
        kind if !truth::holds(kind, &first.place, shown) => Answer::False,
        _ if right => Answer::Right,
        Kind::Components { how: None } => Answer::Silent,
        _ => Answer::AlsoTrue,
    };
    (known, answer, first.to_string())
}

/// Whether a fault is diagnosed in the states of a class: each in three classes of each function,
/// the random states first, unless a class is asked for.
fn is_chosen(plan: &Plan, subject: usize, fault: usize, class: usize, classes: usize) -> bool {
    let turn = |k: usize| (subject * 5 + fault + k * (classes / 2).max(1)) % classes == class;
    plan.class.is_some() || class == 0 || turn(0) || turn(1)
}

fn of_subject(number: usize, subject: &Subject, plan: &Plan, out: &Mutex<Vec<Told>>) {
    let classes: Vec<(Class, States)> = Class::ALL
        .iter()
        .filter(|class| plan.class.as_ref().is_none_or(|name| name == class.name()))
        .map(|&class| (class, states(subject, class, plan.seed)))
        .filter(|(_, states)| states.len() == STATES)
        .collect();
    for (fault_number, fault) in Fault::all().enumerate() {
        if plan.fault.as_ref().is_some_and(|name| !fault.name().contains(name.as_str())) {
            continue;
        }
        for (c, (class, states)) in classes.iter().enumerate() {
            if !is_chosen(plan, number, fault_number, c, classes.len()) {
                continue;
            }
            let seed = plan.seed.wrapping_mul(1000).wrapping_add(fault_number as u64);
            let Some((shown, finite)) = shown(states, fault, seed) else { continue };
            if !finite {
                continue;
            }
            let (known, answer, words) = judge(fault, &shown);
            let told =
                Told { subject: number, class: *class, fault: fault_number, known, answer, words };
            out.lock().expect("no panic elsewhere").push(told);
        }
    }
}

/// The diagnosis of every fault, in the order of subjects and faults.
pub(crate) fn run(plan: &Plan) -> Vec<Told> {
    let chosen: Vec<(usize, &Subject)> = SUBJECTS
        .iter()
        .enumerate()
        .filter(|(_, s)| s.weight > 0.3)
        .filter(|(_, s)| plan.subject.as_ref().is_none_or(|name| s.name.contains(name.as_str())))
        .collect();
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| {
                while let Some(&(number, subject)) =
                    chosen.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    of_subject(number, subject, plan, &told);
                }
            });
        }
    });
    let mut told = told.into_inner().expect("no panic elsewhere");
    told.sort_by_key(|t| (t.fault, t.subject, t.class));
    told
}

impl Shown {
    /// Whether a component is wrong, or the whole of a block.
    pub(crate) fn fails(&self) -> bool {
        self.evidence.verdict.contains(&Verdict::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of faults that show a known shape, at least 95 % are named by it first, where no other shape
    /// gives the same numbers; of all faults at most 1 % are given a shape that they do not have.
    #[test]
    fn the_first_words_are_right() {
        let mut told = Vec::new();
        for name in ["affine, squares", "network, tanh", "softmax cross-entropy", "attention"] {
            let plan = Plan {
                seed: 5,
                subject: Some(name.to_owned()),
                class: Some("random".to_owned()),
                ..Plan::default()
            };
            told.extend(run(&plan));
        }
        let of = |answer| told.iter().filter(move |t| t.answer == answer);
        let clear = |t: &&Told| t.known.is_some() && t.answer != Answer::AlsoTrue;
        let (known, right) = (told.iter().filter(clear).count(), of(Answer::Right).count());
        let wrong: Vec<&str> = of(Answer::False).map(|t| t.words.as_str()).collect();
        println!("{right} of {known} right, {} of {} false", wrong.len(), told.len());
        assert!(known > 200 && told.len() > 350, "{known} of {}", told.len());
        assert!(right * 100 >= known * 95, "{right} of {known}");
        assert!(wrong.len() * 100 <= told.len(), "{wrong:?}");
    }

    /// The oracle of words knows a wrong word: every diagnosis is false of the other faults.
    #[test]
    fn words_of_another_fault_are_false() {
        let subject = SUBJECTS.iter().find(|s| s.name == "affine, squares").expect("a subject");
        let states = states(subject, Class::Random, 5);
        let faults =
            ["times 2", "sign of all", "all zero", "constant 1e-3 added", "penalty 0.01 too much"];
        let of = |name: &str| Fault::all().find(|f| f.name() == name).expect("a fault");
        let shown: Vec<Vec<Shown>> =
            faults.iter().map(|name| shown(&states, of(name), 5).expect("it shows").0).collect();
        for (i, mine) in shown.iter().enumerate() {
            let evidence: Vec<_> = mine.iter().map(|s| &s.evidence).collect();
            let finding = diagnose(&evidence).findings.swap_remove(0);
            for (j, other) in shown.iter().enumerate() {
                let holds = truth::holds(&finding.kind, &finding.place, other);
                assert_eq!(holds, i == j, "{finding} of {}", faults[j]);
            }
        }
    }
}
