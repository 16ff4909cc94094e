//! A check from its first state to its report.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::case::{Case, Dim, Draw};
use crate::compare::{self, Planted};
use crate::deadline::{self, Stopped, Watch};
use crate::evidence::{Counts, Evidence, Verdict};
use crate::failure::Failure;
use crate::flatten::FlattenMut;
use crate::panics::{Hush, caught};
use crate::persist;
use crate::picture;
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
    let _hush = Hush::new();
    let session = Box::new(Here { parameters, forward, gradient });
    let case = Case::new(settings.seed.unwrap_or(0), 0);
    match State::draw(session, &case, settings.complex) {
        Ok(state) => judge(state, settings, "the parameters", 0, 1, None),
        Err(failure) => StateReport::undrawn(failure),
    }
}

/// [`check_at`] without differences, for a forward that is generic over its scalar.
///
/// It is given twice: with the parameters' own scalar, and with the tape scalar
/// [`Var`](crate::var::Var) and the same parameters made of it. One run on the tape gives every
/// component to rounding, at any state, so that a tolerance of 1e-12 holds.
///
/// ```
/// use gradcheck_runtime::var::Var;
/// use gradcheck_runtime::{Settings, check_exact_at};
/// use ndarray::{Array1, array};
/// use num_traits::Float;
///
/// fn log_sum_exp<F: Float>(x: &Array1<F>) -> F {
///     x.iter().fold(F::zero(), |sum, x| sum + x.exp()).ln()
/// }
///
/// let softmax = |x: &Array1<f64>| x.mapv(f64::exp) / x.mapv(f64::exp).sum();
/// let mut x = array![0.5, -1.5, 2.0];
/// let mut on_tape = x.mapv(Var::from);
/// let settings = Settings::new().tolerance(1e-12);
/// let forwards = (log_sum_exp::<f64>, log_sum_exp::<Var>);
/// let mut check = |gradient: fn(&Array1<f64>) -> Array1<f64>| {
///     check_exact_at(&mut x, &mut on_tape, &settings, forwards, gradient)
/// };
/// assert_eq!(check(softmax).counts().agreed, 3);
/// assert!(check(|x| (1.0 + 1e-11) * x.mapv(f64::exp) / x.mapv(f64::exp).sum()).is_wrong());
/// ```
pub fn check_exact_at<P, Q, V, W, G>(
    parameters: &mut P,
    on_tape: &mut Q,
    settings: &Settings,
    forwards: (impl Fn(&P) -> V, impl Fn(&Q) -> W),
    gradient: impl Fn(&P) -> G,
) -> StateReport
where
    P: FlattenMut,
    Q: FlattenMut,
    V: Outcome,
    W: Outcome,
    G: Outcome,
{
    let (forward, forward_on_tape) = forwards;
    let session = Box::new(Here { parameters, forward, gradient });
    let unused = |_: &Q| 0.0;
    let tape = Here { parameters: on_tape, forward: forward_on_tape, gradient: unused };
    let case = Case::new(settings.seed.unwrap_or(0), 0);
    match State::draw(session, &case, settings.complex) {
        Ok(state) => judge(state, settings, "the parameters", 0, 1, Some(Box::new(tape))),
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
    on_tape: Option<Box<dyn Session + '_>>,
) -> StateReport {
    let judged = state.examine(places).and_then(|analytic| match on_tape {
        Some(tape) => compare::exact::judge(&mut state, settings, analytic, steps, cases, tape),
        None => compare::judge(&mut state, settings, analytic, steps, cases),
    });
    let judged = judged.map(|evidence| Evidence { primal: state.take_primal(), ..evidence });
    let mut report = StateReport::new(&state, judged, steps);
    // The user's types may have a `Drop` that panics.
    if let Err(failure) = state.discard() {
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
    /// Where the one who waits for the check looks.
    watch: &'a Arc<Watch>,
    /// A page is to show the states' numbers.
    gathers: bool,
}

/// The default number of states, less where there are very many parameters: with a million four
/// random initialisations and two trained states.
fn affordable(parameters: usize, default: u32) -> u32 {
    let share = AFFORDED as f64 / parameters.max(1) as f64;
    default.min((share * f64::from(default)) as u32).max(default / 8)
}

impl Checker<'_> {
    /// The state of a case, trained as the case says, or the report of how that failed.
    pub(crate) fn reach(&self, case: &Case) -> Result<State<'_>, Box<StateReport>> {
        self.watch.turn_to(case);
        let session: Box<dyn Session + '_> = self.problem.session();
        let mut state = State::draw(session, case, self.settings.complex)
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
        let judged = match self.reach(case) {
            Ok(state) => {
                let tape = self.on_tape.map(Problem::session);
                judge(state, self.settings, &self.places, case.steps, self.cases, tape)
            }
            Err(report) => *report,
        };
        self.watch.judged(judged.is_wrong());
        judged
    }

    /// The draws of a case in a few words each.
    pub(crate) fn describe(&self, case: &Case) -> Vec<(String, String)> {
        let mut draw = Draw::describing(case);
        let mut session = self.problem.session();
        let _ = caught("drawing the state", || session.draw(&mut draw));
        draw.described
    }

    /// Number of parameters of the first state; 0 where it cannot be drawn.
    fn parameters(&self, seed: u64) -> usize {
        // Of its size nothing is known yet.
        self.in_turn(usize::MAX, || {
            let case = Case::new(seed, 0);
            self.watch.turn_to(&case);
            let Some(state) = self.drawn(&case) else { return 0 };
            let parameters = state.primal.values.len();
            // The user's types may have a `Drop` that panics.
            let _ = state.discard();
            parameters
        })
    }

    /// Does what needs a state of so many parameters, when it may be examined.
    ///
    /// A large one gets a thread of its own: memory allocators keep what was freed for the thread
    /// that had it, and one such store is to do for all states.
    fn in_turn<T: Send>(&self, parameters: usize, work: impl FnOnce() -> T + Send) -> T {
        let turn = Arc::new(turn::take(parameters));
        self.watch.hold(&turn);
        if !turn.is_large() {
            return work();
        }
        let done = std::thread::scope(|scope| {
            let thread = Builder::new().stack_size(deadline::stack_size());
            thread.spawn_scoped(scope, work).expect("a thread for the check").join()
        });
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A case as it is drawn; nothing of the user's but the strategies is called.
    fn drawn(&self, case: &Case) -> Option<State<'_>> {
        let case = Case { steps: 0, ..case.clone() };
        State::draw(self.problem.session(), &case, self.settings.complex).ok()
    }

    /// The dimensions of a case, none where it cannot be drawn.
    pub(crate) fn dims(&self, case: &Case) -> Vec<Dim> {
        self.drawn(case).map_or_else(Vec::new, |state| state.dims.clone())
    }

    /// How many values a case draws.
    pub(crate) fn draws(&self, case: &Case) -> usize {
        self.drawn(case).map_or(0, |state| state.draws.len())
    }

    /// Whether the forward keeps to one value when it is called often with the same arguments;
    /// two calls may agree where the seventh does not.
    pub(crate) fn wavers(&self, case: &Case) -> Option<StateReport> {
        let mut state = self.reach(case).ok()?;
        let failure =
            state.examine(&self.places).and_then(|_| state.stands_still(REPEATS)).err()?;
        Some(StateReport::new(&state, Err(failure), case.steps))
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
    if text.trim().is_empty() {
        return None;
    }
    match text.trim().parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name}={text} is not a number"),
    }
}

/// Equal calls of a forward whose noise hides a block.
const REPEATS: usize = 64;
/// States that are checked between two looks at the results: the same whatever the number of
/// threads, so that the report is the same too.
const CHUNK: usize = 8;
/// Parameters of a state beyond which fewer states are checked by default.
const AFFORDED: usize = 125_000;
/// Below this much work left, threads cost more than they save.
const WORTH_A_THREAD: Duration = Duration::from_millis(4);

/// Runs a check to its report.
fn run(run: &Run) -> Report {
    let begun = Instant::now();
    let Run { meta, kind, settings, seed, watch, .. } = run;
    let (kind, seed) = (*kind, *seed);
    watch.turn_to(&Case::new(seed, 0));
    let default = if kind == Kind::RandomInit { 32 } else { 16 };
    let asked = environment("GRADCHECK_CASES").or(settings.cases);
    let places = meta.places.join(", ");
    let (problem, on_tape) = (&*run.problem, run.on_tape.as_deref());
    let progress = Progress::new(meta.function);
    let mut checker = Checker {
        kind,
        settings,
        problem,
        on_tape,
        places,
        cases: 0,
        parameters: 0,
        progress,
        watch,
        gathers: picture::folder().is_some(),
    };
    checker.parameters = checker.parameters(seed);
    let cases: u32 = asked.unwrap_or_else(|| affordable(checker.parameters, default));
    let shards = meta.shards.max(1);
    let indices: Vec<u64> =
        (0..u64::from(cases)).filter(|i| i % u64::from(shards) == u64::from(run.shard)).collect();
    checker.cases = indices.len();
    let mut report = Report::new(meta, kind, seed);
    report.gathered = checker.gathers.then(Box::default);
    let known = persist::load(meta);
    watch.cases.store(known.len() + indices.len(), Ordering::Relaxed);
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
    if report.trouble.is_some() {
        // What follows calls the user's code again, which may be slow.
        *run.failing.lock().expect("no holder panics") = Some(report.clone());
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
    report.gather(&checker);
    report
}

/// Judges all cases; on several threads where `left`, the time still to go, pays for them. Where
/// that is not known yet, others join once the first has been at it for a while.
fn evaluate(checker: &Checker<'_>, cases: &[Case], left: Option<Duration>) -> Vec<Judged> {
    let mut results: Vec<Option<Judged>> = cases.iter().map(|_| None).collect();
    let judged = |case: &Case| {
        let judge = || Judged::new(checker.case(case), checker.gathers);
        let judged = checker.in_turn(checker.parameters, judge);
        checker.progress.add(
            checker.cases,
            judged.is_wrong(),
            judged.calls(),
            judged.relative_difference(),
        );
        judged
    };
    let threads = match left {
        Some(left) if left < WORTH_A_THREAD => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    // Those who would only wait for their turn are not even begun.
    let threads = threads.min(cases.len()).min(turn::side_by_side(checker.parameters));
    let (next, shared) = (AtomicUsize::new(0), Mutex::new(&mut results));
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(i) else { break };
            let result = judged(case);
            shared.lock().expect("no holder panics")[i] = Some(result);
        }
    };
    let (is_over, over) = (Mutex::new(false), Condvar::new());
    let join = || {
        let waits = is_over.lock().expect("no holder panics");
        let patience = if left.is_some() { Duration::ZERO } else { WORTH_A_THREAD / 8 };
        let waited = over.wait_timeout_while(waits, patience, |is_over| !*is_over);
        drop(waited.expect("no holder panics"));
        work();
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let thread = Builder::new().stack_size(deadline::stack_size());
            thread.spawn_scoped(scope, join).expect("a thread for the check");
        }
        work();
        *is_over.lock().expect("no holder panics") = true;
        over.notify_all();
    });
    results.into_iter().map(|result| result.expect("every case was judged")).collect()
}

/// A check that a generated test asks for.
struct Run {
    meta: Meta,
    kind: Kind,
    shard: u32,
    settings: Settings,
    seed: u64,
    problem: Box<dyn Problem>,
    /// The same with the tape scalar, forward only.
    on_tape: Option<Box<dyn Problem>>,
    watch: Arc<Watch>,
    /// The report once a state has failed, before that is made smaller.
    failing: Mutex<Option<Report>>,
}

impl Run {
    fn new(
        meta: Meta,
        kind: Kind,
        shard: u32,
        settings: Settings,
        problem: Box<dyn Problem>,
    ) -> Run {
        let seed = environment("GRADCHECK_SEED").or(settings.seed).unwrap_or_else(|| {
            let Meta { module, function, .. } = meta;
            let name = format!("{module}::{function}{}", meta.type_name.unwrap_or(""));
            random::hash_text(0, &name)
        });
        let (watch, failing) = (Arc::default(), Mutex::default());
        Run { meta, kind, shard, settings, seed, problem, on_tape: None, watch, failing }
    }

    /// Runs the check for no longer than its limit, prints one line if it passes, and fails the
    /// test with the report if it does not.
    fn finish(self) {
        let _hush = Hush::new();
        let limit = deadline::limit(environment("GRADCHECK_TIMEOUT"), self.settings.timeout);
        let (this, name) = (Arc::new(self), self_name());
        let worker = Arc::clone(&this);
        let report = deadline::within(limit, &name, &this.watch, move || run(&worker))
            .unwrap_or_else(|stopped| this.given_up(*stopped));
        let page = picture::publish(&report);
        if report.trouble.is_some() {
            // The report is the message; the panic only ends the test.
            eprintln!("{report}{page}");
            crate::panics::end_test(report.headline());
        }
        println!("{}{page}", report.summary());
    }

    /// The report of a check that did not come to its end.
    fn given_up(self: &Arc<Run>, mut stopped: Stopped) -> Report {
        let found = self.failing.lock().expect("no holder panics").take();
        let mut report = found.unwrap_or_else(|| Report::new(&self.meta, self.kind, self.seed));
        if let Some(case) = report.failing_case().or(stopped.case.as_ref()).cloned() {
            let this = Arc::clone(self);
            // Drawing may be what does not return.
            let redrawn = deadline::within(REDRAW, &self_name(), &Arc::default(), move || {
                let mut draw = Draw::describing(&case);
                let mut session = this.problem.session();
                let _ = caught("drawing the state", || session.draw(&mut draw));
                draw
            });
            if let Ok(draw) = redrawn {
                stopped.dims = draw.dims.into_iter().map(|dim| (dim.name, dim.value)).collect();
                stopped.draws = draw.described;
            }
        }
        report.stop(stopped);
        report
    }
}

/// How long the state that a check stopped at may take to be drawn again.
const REDRAW: Option<Duration> = Some(Duration::from_secs(1));

/// The running test's name, for the thread that works for it.
fn self_name() -> String {
    std::thread::current().name().unwrap_or("gradcheck").to_owned()
}

/// Runs a check, prints one line if it passes, and fails the test with the report if it does not.
pub fn check(
    meta: Meta,
    kind: Kind,
    shard: u32,
    settings: Settings,
    problem: impl Problem + 'static,
) {
    Run::new(meta, kind, shard, settings, Box::new(problem)).finish();
}

/// The same where the forward can also be run on the tape.
pub fn check_exact(
    meta: Meta,
    kind: Kind,
    shard: u32,
    settings: Settings,
    problem: impl Problem + 'static,
    on_tape: impl Problem + 'static,
) {
    let run = Run::new(meta, kind, shard, settings, Box::new(problem));
    Run { on_tape: Some(Box::new(on_tape)), ..run }.finish();
}

#[cfg(test)]
mod tests {
    use super::affordable;

    #[test]
    fn large_states_are_fewer_and_never_none() {
        assert_eq!(
            [affordable(0, 32), affordable(125_000, 32), affordable(125_000, 16)],
            [32, 32, 16]
        );
        assert_eq!([affordable(250_000, 32), affordable(250_000, 16)], [16, 8]);
        assert_eq!([affordable(1_200_000, 32), affordable(1_200_000, 16)], [4, 2]);
    }
}
