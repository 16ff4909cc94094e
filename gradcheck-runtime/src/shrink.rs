//! The smallest failing case.
//!
//! A case is redrawn at each trial with smaller dimensions, fewer steps or simpler values, and
//! kept only while the same block is wrong in the same way, clearly. A trial costs one gradient
//! and a few forwards: it looks along one direction through the block, not at every component.
use crate::case::Case;
use crate::check::Checker;
use crate::evidence::Verdict;
use crate::failure::Failure;
use crate::report::Found;
use crate::state::State;

/// Pairs of forward and gradient calls that shrinking may take, all training included.
const BUDGET: usize = 200;
/// Training steps that make each trial so dear that they go first.
const MANY_STEPS: usize = 8;
/// How often the draws of a case are simplified at most, each.
const SIMPLEST: u32 = 12;

/// What must stay as it is for a smaller case to count.
enum Symptom {
    /// This block is wrong.
    Wrong(String),
    /// The state fails in this way, shown by the same title.
    Failed(&'static str),
}

struct Shrinker<'a, 'b> {
    checker: &'a Checker<'b>,
    symptom: Symptom,
    /// Parameters that were zero in the failing state.
    zeros: usize,
    /// Pairs of calls so far.
    pairs: usize,
    /// Those of the dearest trial, training aside.
    dearest: usize,
    trials: usize,
}

/// Makes a failing case smaller, and judges the smallest one as a whole.
pub(crate) fn shrink(checker: &Checker<'_>, found: &mut Found) {
    let symptom = match (&found.state.failure, most_wrong(found)) {
        // Random numbers and lost states do not fail alike twice.
        (Some(Failure::NotDeterministic { .. }), _) => return,
        (Some(failure), _) => Symptom::Failed(failure.title()),
        (None, Some(block)) => Symptom::Wrong(block),
        (None, None) => return,
    };
    let zeros = found.state.evidence.primal.iter().filter(|&&v| v == 0.0).count();
    let mut shrinker = Shrinker { checker, symptom, zeros, pairs: 0, dearest: 8, trials: 0 };
    let mut best = found.case.clone();
    if best.steps > MANY_STEPS {
        shrinker.steps(&mut best);
    }
    shrinker.dims(&mut best);
    shrinker.steps(&mut best);
    shrinker.dims(&mut best);
    shrinker.values(&mut best);
    found.trials = shrinker.trials;
    found.pairs = shrinker.pairs;
    if best == found.case {
        return;
    }
    // The verdict of the smallest case is the whole one; a case that fails it is not smaller.
    let state = checker.case(&best);
    let kept = match &shrinker.symptom {
        Symptom::Failed(title) => state.failure.as_ref().is_some_and(|f| f.title() == *title),
        Symptom::Wrong(_) => state.failure.is_none() && state.is_wrong(),
    };
    if kept {
        found.case = best;
        found.state = state;
    }
}

/// The block with the largest share of wrong components.
fn most_wrong(found: &Found) -> Option<String> {
    let evidence = &found.state.evidence;
    evidence
        .blocks
        .iter()
        .filter(|b| evidence.verdict[b.range.clone()].contains(&Verdict::Wrong))
        .max_by(|a, b| {
            let share = |b: &crate::evidence::Block| {
                evidence.counts(b.range.clone()).wrong as f64 / b.range.len() as f64
            };
            share(a).total_cmp(&share(b))
        })
        .map(|b| b.full_name.clone())
}

impl Shrinker<'_, '_> {
    /// Whether a case still shows the symptom.
    fn try_case(&mut self, case: &Case) -> bool {
        // A step is a pair, or two where the default descent looks for its rate.
        let training = 2 * case.steps;
        if self.pairs + training + self.dearest > BUDGET {
            return false;
        }
        self.trials += 1;
        let (shown, calls) = match self.checker.reach(case) {
            Err(report) => {
                let calls = (report.forward_calls, report.gradient_calls);
                (self.shown_by_failure(report.failure.as_ref()), calls)
            }
            Ok(mut state) => {
                let shown = self.shown_by(&mut state);
                (shown, (state.forwards, state.gradients))
            }
        };
        // A gradient call has a forward of its own; forwards alone make a pair by twos.
        let pairs = calls.1 + calls.0.div_ceil(2);
        self.pairs += pairs;
        self.dearest = self.dearest.max(pairs.saturating_sub(training));
        shown
    }

    fn shown_by_failure(&self, failure: Option<&Failure>) -> bool {
        match &self.symptom {
            Symptom::Failed(title) => failure.is_some_and(|failure| failure.title() == *title),
            Symptom::Wrong(_) => false,
        }
    }

    fn shown_by(&self, state: &mut State<'_>) -> bool {
        match &self.symptom {
            // A zero is a kink or a dead unit: simpler to read, and another case.
            Symptom::Wrong(_) if state.zeros() > self.zeros => false,
            Symptom::Wrong(block) => match state.examine(&self.checker.places) {
                Ok(analytic) => clearly_wrong(state, &analytic, block),
                Err(_) => false,
            },
            Symptom::Failed(_) => {
                self.shown_by_failure(state.examine(&self.checker.places).err().as_ref())
            }
        }
    }

    /// Each dimension: its least value, then half-way down, then one less.
    fn dims(&mut self, best: &mut Case) {
        for dim in self.checker.dims(best) {
            let mut value = dim.value;
            while value > dim.low {
                let half = dim.low + (value - dim.low) / 2;
                let smaller = [dim.low, half, value - 1].into_iter().filter(|&v| v < value);
                let Some(found) = smaller.map(|v| with_dim(best, &dim.name, v)).find(|case| {
                    // Candidates may repeat when the range is short.
                    self.try_case(case)
                }) else {
                    break;
                };
                value = found.dims.iter().find(|(n, _)| *n == dim.name).map_or(dim.low, |d| d.1);
                *best = found;
            }
        }
    }

    fn steps(&mut self, best: &mut Case) {
        while best.steps > 1 {
            let smaller = [1, best.steps / 2, best.steps - 1].into_iter();
            let cases = smaller.filter(|&s| s > 0 && s < best.steps).map(|steps| {
                let mut case = best.clone();
                case.steps = steps;
                case
            });
            match cases.collect::<Vec<_>>().into_iter().find(|case| self.try_case(case)) {
                Some(case) => *best = case,
                None => break,
            }
        }
    }

    /// Each draw as simple as it goes, then step by step.
    fn values(&mut self, best: &mut Case) {
        let draws = self.checker.draws(best);
        best.simplified.resize(draws, 0);
        for draw in 0..draws {
            let (mut low, mut high) = (0, SIMPLEST);
            // Simplifications of a draw undo one another rarely: halve for the last good one.
            while low < high {
                let middle = (low + high).div_ceil(2);
                let mut case = best.clone();
                case.simplified[draw] = middle;
                if self.try_case(&case) {
                    low = middle;
                    *best = case;
                } else {
                    high = middle - 1;
                }
            }
        }
    }
}

pub(crate) fn with_dim(case: &Case, name: &str, value: usize) -> Case {
    let mut case = case.clone();
    case.dims.retain(|(n, _)| n != name);
    case.dims.push((name.to_owned(), value));
    case
}

/// Along one random direction through the block, the analytic slope is off by more than ten
/// times what two steps leave open.
fn clearly_wrong(state: &mut State<'_>, analytic: &[f64], block: &str) -> bool {
    state.block_probe(analytic, block).is_some_and(|probe| probe.off > 10.0 * probe.bound)
}
