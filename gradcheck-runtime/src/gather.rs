//! What a page shows beyond the verdict: gathered only where one is asked for, after the verdict
//! is in, with calls of its own that no report counts.
use crate::case::Case;
use crate::check::{Checker, Kind, StateReport};
use crate::compare;
use crate::evidence::{Evidence, Verdict};
use crate::numeric::{self, Sweep};
use crate::panics::caught;
use crate::report::relative;
use crate::state::Form;

/// States of a training run that are looked at, first and last included.
const LOOKS: usize = 16;

/// One state of the check in a few numbers.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) steps: usize,
    pub(crate) components: usize,
    /// NaN where there was nothing to compare.
    pub(crate) difference: f64,
    pub(crate) wrong: bool,
}

/// The forward and the difference after some steps of training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) step: usize,
    /// The scalar forward, or half the squared output.
    pub(crate) cost: f64,
    pub(crate) difference: f64,
}

/// The sweep of one component.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    pub(crate) component: usize,
    pub(crate) sweep: Sweep,
}

/// All that is gathered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    /// Every state, in the order of the check.
    pub(crate) points: Vec<Point>,
    /// The state that is shown: the largest of those that fail, else the one that differs most.
    pub(crate) shown: Option<(Case, Evidence)>,
    shown_fails: bool,
    pub(crate) swept: Option<Swept>,
    pub(crate) training: Vec<Look>,
    /// Whether the forward is a scalar, and its own cost.
    pub(crate) scalar: bool,
    /// Calls of the forward and of the gradient that all this took.
    pub(crate) calls: usize,
}

impl Gathered {
    /// Takes notice of one state.
    pub(crate) fn see(&mut self, case: &Case, state: &StateReport) {
        let components = state.evidence.analytic.len();
        let comparable = state.failure.is_none();
        let difference = if comparable { state.relative_difference() } else { f64::NAN };
        let wrong = state.is_wrong();
        self.points.push(Point { steps: state.steps, components, difference, wrong });
        let better = comparable
            && match &self.shown {
                None => true,
                Some(_) if wrong != self.shown_fails => wrong,
                Some((_, shown)) if wrong => components > shown.analytic.len(),
                Some((_, shown)) => difference > shown.relative_difference(0..shown.analytic.len()),
            };
        if better {
            self.shown = Some((case.clone(), state.evidence.clone()));
            self.shown_fails = wrong;
        }
    }

    /// Looks again at the state that is shown. `failing` is the case that the report is about.
    pub(crate) fn finish(&mut self, checker: &Checker<'_>, failing: Option<&Case>) {
        // Whatever the user's code does here, the verdict has been spoken.
        let _ = caught("gathering a page", || {
            self.sweep(checker);
            self.train(checker, failing);
        });
    }

    fn sweep(&mut self, checker: &Checker<'_>) {
        let Some((case, evidence)) = &self.shown else { return };
        let Some(component) = worst(evidence) else { return };
        let Some(block) = evidence.blocks.iter().find(|b| b.range.contains(&component)) else {
            return;
        };
        let Ok(mut state) = checker.reach(case) else { return };
        if state.examine(&checker.places).is_err() {
            return;
        }
        let sweep = match (state.form, &block.jacobian) {
            (Form::Tangent, _) => {
                let tangent = state.along_tangent();
                numeric::sweep(&mut state.along(&tangent), component)
            }
            (Form::Jacobian, Some(parts)) => {
                let (within, columns) = (component - block.range.start, parts.1.range.len());
                let parameter = parts.1.range.start + within % columns;
                numeric::sweep(&mut state.coordinate(parameter), within / columns)
            }
            _ => numeric::sweep(&mut state.coordinate(component), 0),
        };
        self.calls += state.forwards + state.gradients;
        self.swept = Some(Swept { component, sweep });
    }

    /// Cost and difference along the run that leads to the state shown.
    fn train(&mut self, checker: &Checker<'_>, failing: Option<&Case>) {
        let shown = self.shown.as_ref().map(|(case, _)| case);
        let Some(case) = shown.or(failing).filter(|case| case.steps > 0) else { return };
        if checker.kind != Kind::AfterTraining {
            return;
        }
        let looks = case.steps.min(LOOKS - 1);
        for k in 0..=looks {
            let step = case.steps * k / looks;
            let Ok(mut state) = checker.reach(&Case { steps: step, ..case.clone() }) else { break };
            let Ok(analytic) = state.examine(&checker.places) else { break };
            let (cost, scalar) = state.cost();
            let settings = checker.settings;
            let judged = match checker.on_tape {
                Some(tape) => {
                    let (tape, cases) = (tape.session(), checker.cases);
                    compare::exact::judge(&mut state, settings, analytic, step, cases, tape)
                }
                None => compare::judge(&mut state, settings, analytic, step, checker.cases),
            };
            self.calls += state.forwards + state.gradients;
            let difference = judged.map_or(f64::NAN, |evidence| {
                evidence.relative_difference(0..evidence.verdict.len())
            });
            self.training.push(Look { step, cost, difference });
            self.scalar = scalar;
        }
    }
}

/// The component that stands out most: the wrong one that is furthest off, else any that was
/// measured by itself.
fn worst(evidence: &Evidence) -> Option<usize> {
    let measured = |&i: &usize| evidence.bound[i].is_finite();
    let wrong = |i: usize| evidence.verdict[i] == Verdict::Wrong;
    let rank = |i: usize| {
        let off = relative(evidence, i);
        let agrees = evidence.verdict[i] == Verdict::Agrees;
        (wrong(i), agrees, if off.is_nan() { 0.0 } else { off })
    };
    (0..evidence.verdict.len()).filter(measured).reduce(|best, i| {
        let (a, b) = (rank(best), rank(i));
        if (b.0, b.1).cmp(&(a.0, a.1)).then(b.2.total_cmp(&a.2)).is_gt() { i } else { best }
    })
}
