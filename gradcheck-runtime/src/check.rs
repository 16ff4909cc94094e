//! A check from its first state to its report.
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::case::{Case, Draw};
use crate::compare::{self, Planted};
use crate::evidence::{Counts, Evidence, Verdict};
use crate::failure::Failure;
use crate::flatten::FlattenMut;
use crate::panics::caught;
use crate::persist;
use crate::probe::Outcome;
use crate::problem::{Here, Problem, Session};
use crate::progress::Progress;
use crate::random;
use crate::report::{Judged, Report, Trouble};
use crate::settings::Settings;
use crate::state::State;
use crate::turn;

/// Which of the two generated tests is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// States as they are drawn.
    RandomInit,
    /// States that some training steps lead to.
    AfterTraining,
}

/// What the generated code knows of itself.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Name of the annotated function.
    pub function: &'static str,
    /// Name of the type whose method it is.
    pub type_name: Option<&'static str>,
    /// `module_path!()` of the annotated function.
    pub module: &'static str,
    /// `file!()` of the annotated function.
    pub file: &'static str,
    /// `line!()` of the annotated function.
    pub line: u32,
    /// `CARGO_MANIFEST_DIR` of the user's crate.
    pub manifest_dir: &'static str,
    /// Path of the generated test within `module`.
    pub test: &'static str,
    /// The `wrt` places, as written.
    pub places: &'static [&'static str],
    /// Places whose gradient may be zero in every state.
    pub allow_zero: &'static [&'static str],
    /// Number of tests that the states are spread over.
    pub shards: u32,
}

/// What one state came to.
#[derive(Clone, Debug)]
pub struct StateReport {
    /// Analytic and numeric gradient with the verdict on each component. Empty after a failure.
    pub evidence: Evidence,
    /// Calls of the forward alone.
    pub forward_calls: usize,
    /// Calls of the gradient, each with its own forward.
    pub gradient_calls: usize,
    /// Why there is nothing to judge.
    pub failure: Option<Failure>,
    /// What was odd but harmless.
    pub notes: Vec<String>,
    /// The drawn dimensions, by name, as far as they had been drawn.
    pub dims: Vec<(String, usize)>,
    /// Training steps taken before the state was judged, or failed.
    pub steps: usize,
}

impl StateReport {
    fn new(state: &State<'_>, judged: Result<Evidence, Failure>, steps: usize) -> StateReport {
        let (evidence, failure) = match judged {
            Ok(evidence) => (evidence, None),
            Err(failure) => (Evidence::empty(), Some(failure)),
        };
        StateReport {
            evidence,
            forward_calls: state.forwards,
            gradient_calls: state.gradients,
            failure,
            notes: state.notes.clone(),
            dims: state.dims.iter().map(|dim| (dim.name.clone(), dim.value)).collect(),
            steps,
        }
    }

    /// A state that could not even be drawn.
    fn undrawn(failure: Failure) -> StateReport {
        StateReport {
            evidence: Evidence::empty(),
            forward_calls: 0,
            gradient_calls: 0,
            failure: Some(failure),
            notes: Vec::new(),
            dims: Vec::new(),
            steps: 0,
        }
    }

    /// Whether the gradient is wrong here, or could not be had.
    pub fn is_wrong(&self) -> bool {
        self.failure.is_some()
            || self.evidence.verdict.contains(&Verdict::Wrong)
            || self.evidence.wrong_slopes().next().is_some()
    }

    /// Components by verdict.
    pub fn counts(&self) -> Counts {
        self.evidence.counts(0..self.evidence.verdict.len())
    }

    /// The classical relative difference of the whole vector.
    pub fn relative_difference(&self) -> f64 {
        self.evidence.relative_difference(0..self.evidence.verdict.len())
    }

    /// Faults planted in the gradient, and how many of them this state would have caught.
    pub fn planted(&self) -> Planted {
        compare::plant(&self.evidence)
    }
}

/// Checks `gradient` against differences of `forward` at the parameters as they stand.
///
/// The parameters are perturbed in place and hold their values again afterwards. The forward may
/// return a scalar, or an array, for which `gradient` is its Jacobian, outputs by inputs.
///
/// ```
/// use gradcheck_runtime::{Settings, check_at};
/// use ndarray::{Array1, array};
///
/// let mut w = array![0.5, -1.5];
/// let square = |w: &Array1<f64>| w.dot(w);
/// assert!(!check_at(&mut w, &Settings::default(), square, |w| 2.0 * w).is_wrong());
/// assert!(check_at(&mut w, &Settings::default(), square, |w| 2.1 * w).is_wrong());
/// ```
pub fn check_at<P, V, G>(
    parameters: &mut P,
    settings: &Settings,
    forward: impl Fn(&P) -> V,
    gradient: impl Fn(&P) -> G,
) -> StateReport
where
    P: FlattenMut,
    V: Outcome,
    G: Outcome,
{
    let session = Box::new(Here { parameters, forward, gradient });
    let case = Case::new(settings.seed.unwrap_or(0), 0);
    match State::draw(session, &case) {
        Ok(state) => judge(state, settings, "the parameters", 0, 1, None),
        Err(failure) => StateReport::undrawn(failure),
    }
}

/// Examines a state and judges its gradient.
fn judge(
    mut state: State<'_>,
    settings: &Settings,
    places: &str,
    steps: usize,
    cases: usize,
    on_tape: Option<&dyn Problem>,
) -> StateReport {
    let judged = state.examine(places).and_then(|analytic| match on_tape {
        Some(on_tape) => compare::exact::judge(&mut state, settings, analytic, steps, on_tape),
        None => compare::judge(&mut state, settings, analytic, steps, cases),
    });
    let judged = judged.map(|evidence| Evidence { primal: state.take_primal(), ..evidence });
    let mut report = StateReport::new(&state, judged, steps);
    // The user's types may have a `Drop` that panics.
    if let Err(failure) = caught("dropping the state", || drop(state)) {
        report.failure.get_or_insert(failure);
    }
    report
}

/// A check under way: everything but the state.
pub(crate) struct Checker<'a> {
    pub(crate) kind: Kind,
    pub(crate) settings: &'a Settings,
    pub(crate) problem: &'a dyn Problem,
    /// The same with the tape scalar, forward only.
    pub(crate) on_tape: Option<&'a dyn Problem>,
    pub(crate) places: String,
    /// States of the whole test.
    pub(crate) cases: usize,
    /// Parameters of a state, about.
    pub(crate) parameters: usize,
    progress: Progress,
}

/// The default number of states, less where there are very many parameters: four with a
/// million.
fn affordable(parameters: usize, default: u32) -> u32 {
    let most = PARAMETERS_OF_ALL_STATES / parameters.max(1);
    default.min(u32::try_from(most).unwrap_or(default).max(4))
}

impl Checker<'_> {
    /// The state of a case, trained as the case says, or the report of how that failed.
    pub(crate) fn reach(&self, case: &Case) -> Result<State<'_>, Box<StateReport>> {
        let session: Box<dyn Session + '_> = self.problem.session();
        let mut state = State::draw(session, case)
            .map_err(|failure| Box::new(StateReport::undrawn(failure)))?;
        if case.steps == 0 {
            return Ok(state);
        }
        if self.on_tape.is_some() {
            state.remember_draw();
        }
        // Before the first step, so that a fault that is there already is not blamed on training.
        if !self.problem.has_update()
            && let Err(failure) = state.examine(&self.places)
        {
            return Err(Box::new(StateReport::new(&state, Err(failure), 0)));
        }
        let trained = match self.problem.has_update() {
            true => state.train(case.steps),
            false => state.descend(case.steps, self.settings.learning_rate),
        };
        match trained {
            Ok(()) => Ok(state),
            Err(failure) => Err(Box::new(StateReport::new(&state, Err(failure), case.steps))),
        }
    }

    /// One case, from its draw to its verdict.
    pub(crate) fn case(&self, case: &Case) -> StateReport {
        match self.reach(case) {
            Ok(state) => {
                let places = &self.places;
                judge(state, self.settings, places, case.steps, self.cases, self.on_tape)
            }
            Err(report) => *report,
        }
    }

    /// The draws of a case in a few words each.
    pub(crate) fn describe(&self, case: &Case) -> Vec<(String, String)> {
        let mut draw = Draw::describing(case);
        let mut session = self.problem.session();
        let _ = crate::panics::caught("drawing the state", || session.draw(&mut draw));
        draw.described
    }

    /// Number of parameters of the first state; 0 where it cannot be drawn.
    fn parameters(&self, seed: u64) -> usize {
        // Of its size nothing is known yet.
        turn::with(usize::MAX, || {
            let drawn = State::draw(self.problem.session(), &Case::new(seed, 0));
            let parameters = drawn.as_ref().map_or(0, |state| state.primal.values.len());
            // The user's types may have a `Drop` that panics.
            let _ = caught("dropping the state", || drop(drawn));
            parameters
        })
    }

    fn steps_of(&self, seed: u64, index: u64) -> usize {
        if self.kind == Kind::RandomInit {
            return 0;
        }
        let range = self.settings.steps.clone().unwrap_or(1..=10);
        let (low, high) = (*range.start(), *range.end());
        if high < low {
            return low;
        }
        low + (random::unit(random::hash_text(seed, "steps"), index) * (high - low + 1) as f64)
            as usize
    }

    pub(crate) fn numbered(&self, seed: u64, index: u64) -> Case {
        let mut case = Case::new(seed, index);
        case.steps = self.steps_of(seed, index);
        case
    }
}

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    match text.trim().parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name}={text} is not a number"),
    }
}

/// States that are checked between two looks at the results: the same whatever the number of
/// threads, so that the report is the same too.
const CHUNK: usize = 8;
/// Parameters of all states together beyond which fewer states are checked by default.
const PARAMETERS_OF_ALL_STATES: usize = 4_000_000;
/// Below this much work left, threads cost more than they save.
const WORTH_A_THREAD: Duration = Duration::from_millis(40);

/// Runs a check to its report.
pub(crate) fn run(
    meta: &Meta,
    kind: Kind,
    shard: u32,
    settings: &Settings,
    problem: &dyn Problem,
    on_tape: Option<&dyn Problem>,
) -> Report {
    let begun = Instant::now();
    let name = format!("{}::{}", meta.module, meta.function);
    let seed = environment("GRADCHECK_SEED").or(settings.seed).unwrap_or_else(|| {
        random::hash_text(0, &format!("{name}{}", meta.type_name.unwrap_or("")))
    });
    let default = if kind == Kind::RandomInit { 32 } else { 16 };
    let asked = environment("GRADCHECK_CASES").or(settings.cases);
    let places = meta.places.join(", ");
    let progress = Progress::new(meta.function);
    let mut checker =
        Checker { kind, settings, problem, on_tape, places, cases: 0, parameters: 0, progress };
    checker.parameters = checker.parameters(seed);
    let cases: u32 = asked.unwrap_or_else(|| affordable(checker.parameters, default));
    let shards = meta.shards.max(1);
    let indices: Vec<u64> =
        (0..u64::from(cases)).filter(|i| i % u64::from(shards) == u64::from(shard)).collect();
    checker.cases = indices.len();
    let mut report = Report::new(meta, kind, seed);
    let known = persist::load(meta);
    if !known.is_empty() {
        let results = evaluate(&checker, &known, None);
        report.add(known.into_iter().zip(results).collect());
    }
    if indices.is_empty() {
        if cases == 0 {
            report.trouble = Some(Trouble::NoCases);
        }
        return report;
    }
    let mut done = 0;
    // A case kept from an earlier run fails alone: a few others tell more about the fault.
    while done < indices.len() && (report.trouble.is_none() || done == 0) {
        let chunk = if turn::side_by_side(checker.parameters) > 1 { CHUNK } else { 2 };
        let chunk = &indices[done..(done + chunk).min(indices.len())];
        let cases: Vec<Case> = chunk.iter().map(|&i| checker.numbered(seed, i)).collect();
        let left = indices.len() - done;
        let pace = begun.elapsed().checked_div(done as u32);
        let results = evaluate(&checker, &cases, pace.map(|pace| pace * left as u32));
        done += chunk.len();
        report.add(cases.into_iter().zip(results).collect());
    }
    report.conclude(&checker);
    if let Some(case) = report.failing_case() {
        let root = std::path::Path::new(meta.manifest_dir);
        report.saved = persist::save(meta, case).map(|path| match path.strip_prefix(root) {
            Ok(relative) => relative.to_owned(),
            Err(_) => path,
        });
    }
    report.elapsed = begun.elapsed();
    report
}

/// Judges all cases; on several threads where `left`, the time still to go, pays for them.
fn evaluate(checker: &Checker<'_>, cases: &[Case], left: Option<Duration>) -> Vec<Judged> {
    let mut results: Vec<Option<Judged>> = cases.iter().map(|_| None).collect();
    let begun = Instant::now();
    let judged = |case: &Case| {
        let judged = turn::with(checker.parameters, || Judged::new(checker.case(case)));
        checker.progress.add(
            checker.cases,
            judged.is_wrong(),
            judged.calls(),
            judged.relative_difference(),
        );
        judged
    };
    let first = left.is_none().then(|| judged(&cases[0]));
    let start = usize::from(first.is_some());
    if let Some(first) = first {
        results[0] = Some(first);
    }
    let left = left.unwrap_or(begun.elapsed() * (cases.len() as u32 - start as u32));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Those who would only wait for their turn are not even begun.
    let threads = threads.min(cases.len()).min(turn::side_by_side(checker.parameters));
    let threads = if left < WORTH_A_THREAD { 1 } else { threads };
    if threads == 1 {
        for (result, case) in results.iter_mut().zip(cases).skip(start) {
            *result = Some(judged(case));
        }
    } else {
        let next = AtomicUsize::new(start);
        let shared = Mutex::new(&mut results);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(case) = cases.get(i) else { break };
                        let result = judged(case);
                        shared.lock().expect("no holder panics")[i] = Some(result);
                    }
                });
            }
        });
    }
    results.into_iter().map(|result| result.expect("every case was judged")).collect()
}

/// Runs a check, prints one line if it passes, and fails the test with the report if it does not.
pub fn check(meta: &Meta, kind: Kind, shard: u32, settings: Settings, problem: &dyn Problem) {
    finish(&run(meta, kind, shard, &settings, problem, None));
}

/// The same where the forward can also be run on the tape.
pub fn check_exact(
    meta: &Meta,
    kind: Kind,
    shard: u32,
    settings: Settings,
    problem: &dyn Problem,
    on_tape: &dyn Problem,
) {
    finish(&run(meta, kind, shard, &settings, problem, Some(on_tape)));
}

fn finish(report: &Report) {
    if report.trouble.is_some() {
        // The report is the message; the panic only ends the test.
        eprintln!("{report}");
        crate::panics::end_test(report.headline());
    }
    println!("{}", report.summary());
}
