//! The derivative without a difference: the forward run once on a tape, and swept back.
//!
//! The state is drawn a second time from the same seeds with the tape scalar, so that nothing
//! need be converted; its `wrt` places then receive the values of the state as independent
//! variables. One forward and one sweep give every component to rounding, each with a running
//! error bound. There is no threshold but the tolerance: a component that is off by more than the
//! tolerance and the tape's bound is held against what rounding the user's own formula may have
//! cost, then against a difference, and near a tie against the tape at states aside.
use std::sync::Arc;

use super::{Bench, unjudged};
use crate::case::Draw;
use crate::evidence::{Column, Evidence, Verdict, norm};
use crate::failure::Failure;
use crate::flatten::Scalar as _;
use crate::layout::{SetAll, Tree};
use crate::numeric::{Estimate, Finding, Line as _, Target};
use crate::panics::caught;
use crate::probe::Probe;
use crate::problem::Session;
use crate::random;
use crate::ray::Ray;
use crate::settings::Settings;
use crate::state::{Form, State};
use crate::var::{Event, Note, Tape, Var};

/// Lines along which a disagreement is confirmed by a difference; beyond them the tape must do.
const CONFIRMED: usize = 24;
/// The tolerance of differences here: none need see what only the tape can.
const LEAST_SEEN: f64 = 2e-7;
/// Changes of the parameters under which a gradient shows its own rounding, in units of rounding.
const REACHES: [f64; 3] = [4.0, 1e3, 1e6];
/// Runs of the forward with random roundings, which show what the tape's own come to.
const SHAKEN: u64 = 6;
/// Room above the largest change that they show.
const SHAKEN_ROOM: f64 = 4.0;
/// States aside at which a component next to a tie is judged: on either side of it, most likely.
const ASIDE: u64 = 6;

const REFUTED: &str = "a difference refutes the derivative on the tape";
const ROUNDS: &str = "the forward rounds, and its slope is not that of the tape";

/// The forward of one check, drawn with the tape scalar.
struct OnTape<'s> {
    session: Box<dyn Session + 's>,
    /// Whether it was seen to draw the same state.
    same_draw: bool,
}

/// What the tape says of one state.
struct Recorded {
    /// Derivative and error bound of each component.
    derivative: Vec<f64>,
    bound: Vec<f64>,
    /// Where each output stands on the tape.
    ids: Vec<Option<u32>>,
    /// The first operation that is not smooth there, or may have taken another branch.
    doubt: Option<Note>,
    /// A step function was taken, whose small steps may stand for a slope.
    stepped: bool,
}

/// What the tape has shown to be off by more than the tolerance and its own bound.
struct Suspects {
    /// Components off by more than rounding of the user's formula, too.
    wrong: Vec<usize>,
    /// Components that only this rounding excuses, though it is large.
    excused: Vec<usize>,
    /// The rounding of the user's formula, for each component.
    own: Vec<f64>,
}

/// Judges a gradient against the tape, and by differences where the tape does not hold.
///
/// # Errors
/// Only where the user's code fails in a way that the state had not shown before.
pub(crate) fn judge(
    state: &mut State<'_>,
    settings: &Settings,
    analytic: Vec<f64>,
    steps: usize,
    cases: usize,
    session: Box<dyn Session + '_>,
) -> Result<Evidence, Failure> {
    let mut on_tape = OnTape { session, same_draw: false };
    let recorded = match on_tape.record(state)? {
        Ok(recorded) => recorded,
        Err(reason) => {
            state.notes.push(format!("differences in place of the tape: {reason}"));
            return super::judge(state, settings, analytic, steps, cases);
        }
    };
    let told = [&recorded.derivative, &recorded.bound].map(|column| column.clone().into());
    let mut evidence = unjudged(state, settings, analytic, steps, told);
    if let Some(reason) = reason_to_doubt(state, settings, &recorded) {
        state.notes.push(format!("differences in place of the tape: {reason}"));
        return super::judge(state, settings, analytic_of(evidence), steps, cases);
    }
    let open = agree(&mut evidence);
    if !open.is_empty() {
        let suspects = allow_for_rounding(state, &mut on_tape, &recorded, &mut evidence, &open);
        let Some(near) = confirm(state, settings, &recorded, &mut evidence, &suspects) else {
            state.notes.push(format!("differences in place of the tape: {REFUTED}"));
            return super::judge(state, settings, analytic_of(evidence), steps, cases);
        };
        let own = vec![0.0; evidence.analytic.len()];
        let aside = Aside { settings, on_tape: &mut on_tape, home: &recorded, suspects, near, own };
        if !aside.judge(state, &mut evidence)? {
            state.notes.push(format!("differences in place of the tape: {REFUTED}"));
            return super::judge(state, settings, analytic_of(evidence), steps, cases);
        }
    }
    if let Some(note) = recorded.doubt
        && evidence.verdict.contains(&Verdict::Kink)
    {
        state.notes.push(format!("a kink of the forward: {}", describe(note)));
    }
    super::lenient(&mut evidence, |open| state.around(Some(open)));
    super::kinks::judge(state, &mut evidence);
    Ok(evidence)
}

/// The gradient that was to be judged, which nobody else holds.
fn analytic_of(evidence: Evidence) -> Vec<f64> {
    Arc::unwrap_or_clone(evidence.analytic)
}

/// What was noticed, in words.
fn describe(Note { event, operation, .. }: Note) -> String {
    match event {
        Event::Tie => format!("a tie in `{operation}`"),
        Event::NearTie => format!("a tie, but for rounding, in `{operation}`"),
        Event::Kink => format!("`{operation}` where it has no derivative"),
        Event::Singular => format!("`{operation}` where its derivative is infinite"),
        Event::Dropped | Event::Discretised | Event::Foreign => format!("`{operation}`"),
    }
}

/// What a difference along a random direction has to say against the tape: a few forwards beside
/// the hundreds that a recorded one takes, and what the tape does not see (an iteration that
/// started at its root) does not pass for agreement with a gradient that does not see it either.
fn reason_to_doubt(
    state: &mut State<'_>,
    settings: &Settings,
    recorded: &Recorded,
) -> Option<&'static str> {
    let direction = match state.form {
        Form::Tangent => state.along_tangent(),
        Form::Gradient | Form::Jacobian => state.random_direction(0x736c_6f70),
    };
    let outputs = if state.form == Form::Gradient { 1 } else { state.outputs_count() };
    let home = state.home();
    let (mut slopes, mut bounds) = (Vec::new(), Vec::new());
    for j in 0..outputs {
        let (mut slope, mut bound) = (0.0, 0.0);
        if state.form == Form::Tangent {
            (slope, bound) = (recorded.derivative[j], recorded.bound[j]);
        } else {
            for i in direction.range.clone() {
                let (entry, component) = (direction.entry(home, i), state.component(i, j));
                slope += entry * recorded.derivative[component];
                bound += (entry * recorded.bound[component]).abs();
            }
        }
        slopes.push(slope);
        bounds.push(bound);
    }
    if !recorded.stepped && is_slope(state, &direction, &slopes) {
        return None;
    }
    let mut bench = super::bench(state, settings);
    let tolerance = if recorded.stepped { 1e-3 } else { LEAST_SEEN };
    let targets: Vec<Target> = (bench.noise.iter().zip(&slopes))
        .map(|(&noise, &analytic)| Target { analytic, tolerance, noise })
        .collect();
    let mut estimates = Vec::new();
    let line = &mut state.along(&direction);
    bench.kernel.differentiate(line, bench.epsilon, &targets, &mut estimates);
    if recorded.stepped {
        // Nothing is known of a forward that stands still on the tape and off it.
        let holds = |(e, &slope): (&Estimate, &f64)| e.finding == Finding::Agrees && slope != 0.0;
        return (!estimates.iter().zip(&slopes).all(holds)).then_some(ROUNDS);
    }
    // A tie shows as a kink along the line, or as none: then the tape took the wrong side of it.
    let refuted = |((e, &slope), &bound): ((&Estimate, &f64), &f64)| {
        e.finding == (Finding::Wrong { near_kink: false })
            && is_known(slope, bound)
            && is_at_odds(slope, bound, e)
    };
    let refuted = estimates.iter().zip(&slopes).zip(&bounds).any(refuted);
    refuted.then_some(REFUTED)
}

/// Whether a plain central difference has some digits of every slope, which settles it.
fn is_slope(state: &mut State<'_>, direction: &Ray, slopes: &[f64]) -> bool {
    const STEP: f64 = 1e-5;
    let mut sides = [vec![0.0; slopes.len()], vec![0.0; slopes.len()]];
    let mut floor = vec![0.0; slopes.len()];
    let line = &mut state.along(direction);
    for (side, step) in sides.iter_mut().zip([STEP, -STEP]) {
        if line.sample(step, side, &mut floor).is_none() {
            return false;
        }
    }
    let [above, below] = sides;
    let close = |(&slope, (a, b)): (&f64, (&f64, &f64))| {
        ((a - b) / (2.0 * STEP) - slope).abs() <= 1e-5 * slope.abs()
    };
    slopes.iter().zip(above.iter().zip(&below)).all(close)
}

/// Whether a derivative on the tape is outside the bounds of a difference.
fn is_at_odds(derivative: f64, bound: f64, estimate: &Estimate) -> bool {
    let numeric = estimate.numeric;
    let open = 2.0 * estimate.bound + bound + 1e-6 * (derivative.abs() + numeric.abs());
    (derivative - numeric).abs() > open
}

/// Settles the components that the tape alone settles, and returns the others.
fn agree(evidence: &mut Evidence) -> Vec<usize> {
    let mut open = Vec::new();
    for i in 0..evidence.analytic.len() {
        let (g, d, bound) = (evidence.analytic[i], evidence.numeric[i], evidence.bound[i]);
        let allowed = evidence.tolerance_of(i) * (g.abs() + d.abs());
        if (g - d).abs() <= allowed && bound <= allowed {
            evidence.verdict[i] = Verdict::Agrees;
        } else {
            open.push(i);
        }
    }
    open
}

/// Whether the tape knows a component at all.
fn is_known(derivative: f64, bound: f64) -> bool {
    derivative.is_finite() && bound.is_finite()
}

/// Widens the bounds of the open components by what rounding may have cost the user's formula.
/// Those that are still too far off are suspects; the others stay undecided.
///
/// The tape's bound is of the worst that its roundings could do together. Where nothing else is in
/// the way of a suspicion, it gives place to what they are seen to do.
fn allow_for_rounding(
    state: &mut State<'_>,
    on_tape: &mut OnTape<'_>,
    recorded: &Recorded,
    evidence: &mut Evidence,
    open: &[usize],
) -> Suspects {
    let off = |evidence: &Evidence, i: usize| {
        let (g, d) = (evidence.analytic[i], evidence.numeric[i]);
        (g - d).abs() - evidence.tolerance_of(i) * (g.abs() + d.abs())
    };
    let known = |evidence: &Evidence, i: usize| is_known(evidence.numeric[i], evidence.bound[i]);
    let mut suspects = Suspects { wrong: Vec::new(), excused: Vec::new(), own: Vec::new() };
    let far = |&i: &usize| !known(evidence, i) || off(evidence, i) > 0.0;
    let mut beyond: Vec<usize> = open.iter().copied().filter(far).collect();
    if beyond.is_empty() {
        return suspects;
    }
    suspects.own = own_rounding(state, recorded, &evidence.analytic, &beyond);
    let hidden =
        |evidence: &Evidence, i: usize| known(evidence, i) && off(evidence, i) <= evidence.bound[i];
    let by_bound_alone =
        |&i: &usize| hidden(evidence, i) && off(evidence, i) > 2.0 * suspects.own[i];
    let narrow: Vec<usize> = beyond.iter().copied().filter(by_bound_alone).collect();
    if recorded.doubt.is_none() && !narrow.is_empty() {
        let seen = on_tape.rounding(state, recorded);
        narrow.iter().for_each(|&i| evidence.bound[i] = evidence.bound[i].min(seen[i]));
    }
    // Within the tape's own bound nothing speaks against a component, whatever its rounding.
    beyond.retain(|&i| !hidden(evidence, i));
    let large = 1e4 * state.primal.roundoff() * norm(evidence.analytic.iter().copied());
    for i in beyond {
        let own = suspects.own[i];
        let excess = off(evidence, i) - evidence.bound[i];
        evidence.bound[i] += own;
        if is_known(evidence.numeric[i], evidence.bound[i]) && excess <= own {
            if own > large || recorded.doubt.is_some() {
                suspects.excused.push(i);
            }
        } else {
            suspects.wrong.push(i);
        }
    }
    suspects
}

/// What rounding may have cost the user's own formula, for the components asked about.
///
/// How far small changes of the parameters move it; but a formula that has lost all its digits
/// (`p - 1` where p is 1 but for its last one) stands still. So at least the rounding of the same
/// steps taken by hand, and some units of the largest component: what a forward that leaves
/// out terms below its own rounding cannot show.
fn own_rounding(
    state: &mut State<'_>,
    recorded: &Recorded,
    analytic: &[f64],
    asked: &[usize],
) -> Vec<f64> {
    // The tape is still that of this state: no forward on it since.
    let by_hand = recorded.roundings(state);
    let spread = state.spread(asked, REACHES, false);
    let largest = analytic.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    let least = 16.0 * state.primal.roundoff() * largest;
    let mut own = vec![0.0; analytic.len()];
    asked.iter().zip(spread).for_each(|(&i, seen)| own[i] = seen.max(by_hand[i]).max(least));
    own
}

/// Components to be judged aside.
struct Near {
    components: Vec<usize>,
    /// Those of them where a difference speaks against the tape.
    disputed: Vec<usize>,
}

/// One difference along each suspect's line, or along some where there are many. Returns the
/// components to be judged aside, or `None` where a difference refutes the tape.
fn confirm(
    state: &mut State<'_>,
    settings: &Settings,
    recorded: &Recorded,
    evidence: &mut Evidence,
    suspects: &Suspects,
) -> Option<Near> {
    let mut found = Near { components: suspects.excused.clone(), disputed: Vec::new() };
    if suspects.wrong.is_empty() {
        return Some(found);
    }
    let Near { components: near, disputed } = &mut found;
    let mut bench = super::bench(state, settings);
    let mut is_suspect = vec![false; evidence.analytic.len()];
    suspects.wrong.iter().for_each(|&i| is_suspect[i] = true);
    let lines = lines(state, &is_suspect);
    let unknown =
        |&i: &usize| is_suspect[i] && !is_known(recorded.derivative[i], recorded.bound[i]);
    let stride = lines.len().div_ceil(CONFIRMED);
    for (number, line) in lines.iter().enumerate() {
        let components = line.components(state);
        // What the tape does not know is for differences alone to judge.
        if number % stride != 0 && !components.iter().any(unknown) {
            for i in components.into_iter().filter(|&i| is_suspect[i]) {
                evidence.verdict[i] = Verdict::Wrong;
                if recorded.doubt.is_some() {
                    near.push(i);
                }
            }
            continue;
        }
        let estimates = line.measure(state, &mut bench, evidence, &evidence.analytic, &components);
        for (k, (&i, estimate)) in components.iter().zip(&estimates).enumerate() {
            if !is_suspect[i] {
                continue;
            }
            if unknown(&i) {
                by_difference(evidence, i, estimate, suspects.own[i]);
                if estimate.finding == (Finding::Wrong { near_kink: true }) {
                    near.push(i);
                }
                continue;
            }
            evidence.verdict[i] = Verdict::Wrong;
            if matches!(estimate.finding, Finding::Kink | Finding::Wrong { near_kink: true }) {
                near.push(i);
            } else if recorded.is_at_odds(i, estimate) {
                // The same question about the tape: a difference that was only to agree with
                // the gradient may have done so by chance.
                let again =
                    line.measure(state, &mut bench, evidence, &recorded.derivative, &components);
                let refuted = again[k].finding == (Finding::Wrong { near_kink: false });
                // On a kink a difference shows the mean of both sides.
                if recorded.doubt.is_some() || again[k].finding == Finding::Kink {
                    near.push(i);
                    if refuted {
                        disputed.push(i);
                    }
                } else if refuted {
                    return None;
                }
            }
        }
    }
    Some(found)
}

/// The verdict on a component that the tape does not know.
fn by_difference(evidence: &mut Evidence, i: usize, estimate: &Estimate, own: f64) {
    evidence.numeric[i] = estimate.numeric;
    evidence.bound[i] = estimate.bound + own;
    evidence.verdict[i] = match estimate.finding {
        Finding::Agrees => Verdict::Agrees,
        Finding::Undecided => Verdict::Undecided,
        Finding::Kink => Verdict::Kink,
        Finding::Wrong { .. } => Verdict::Wrong,
    };
}

/// A line through the state that a difference is taken along.
enum Line {
    /// Along one parameter.
    Coordinate(usize),
    /// Along the tangent.
    Tangent,
}

/// The lines that suspects lie on.
fn lines(state: &State<'_>, is_suspect: &[bool]) -> Vec<Line> {
    if state.form == Form::Tangent {
        return vec![Line::Tangent];
    }
    (0..state.primal.values.len())
        .map(Line::Coordinate)
        .filter(|line| line.components(state).iter().any(|&i| is_suspect[i]))
        .collect()
}

impl Line {
    /// The components that it measures, one for each output.
    fn components(&self, state: &State<'_>) -> Vec<usize> {
        match *self {
            Line::Tangent => (0..state.components()).collect(),
            Line::Coordinate(i) if state.form == Form::Gradient => vec![i],
            Line::Coordinate(i) => {
                (0..state.outputs_count()).map(|j| state.component(i, j)).collect()
            }
        }
    }

    /// Differences of the components, judging `values` of all of them by the tolerances of the
    /// evidence.
    fn measure(
        &self,
        state: &mut State<'_>,
        bench: &mut Bench,
        evidence: &Evidence,
        values: &[f64],
        components: &[usize],
    ) -> Vec<Estimate> {
        let targets: Vec<Target> = (components.iter().zip(&bench.noise))
            .map(|(&i, &noise)| {
                let tolerance = evidence.tolerance_of(i).max(LEAST_SEEN);
                Target { analytic: values[i], tolerance, noise }
            })
            .collect();
        let mut estimates = Vec::new();
        let (kernel, epsilon) = (&mut bench.kernel, bench.epsilon);
        match *self {
            Line::Tangent => {
                let tangent = state.along_tangent();
                let line = &mut state.along(&tangent);
                kernel.differentiate(line, epsilon, &targets, &mut estimates);
            }
            Line::Coordinate(i) => {
                let line = &mut state.coordinate(i);
                kernel.differentiate(line, epsilon, &targets, &mut estimates);
            }
        }
        estimates
    }
}

/// Components judged at states aside, where nothing ties and a formula that jumps cannot excuse
/// itself: a gradient that is right all around is right at a kink too, where a program's
/// derivative need not even lie between the one-sided ones.
struct Aside<'a, 't> {
    settings: &'a Settings,
    on_tape: &'a mut OnTape<'t>,
    /// What the tape says at the state itself.
    home: &'a Recorded,
    suspects: Suspects,
    near: Near,
    /// The largest rounding of the user's formula that was seen aside of a tie.
    own: Vec<f64>,
}

impl Aside<'_, '_> {
    /// Gives the components their verdicts; false where a difference refutes the tape.
    fn judge(mut self, state: &mut State<'_>, evidence: &mut Evidence) -> Result<bool, Failure> {
        let on_kink = self.home.doubt.is_some();
        if self.near.components.is_empty() {
            return Ok(true);
        }
        let mut wrong = vec![false; evidence.analytic.len()];
        let mut right = vec![false; evidence.analytic.len()];
        let mut confirmed = false;
        for trial in 0..ASIDE {
            let Ok((home, gradient)) = state.move_aside(trial) else { continue };
            let far = self.look(state, evidence, &gradient, &mut right);
            let refuted = match &far {
                Some((there, far)) if !far.is_empty() => {
                    far.iter().for_each(|&i| wrong[i] = true);
                    !std::mem::replace(&mut confirmed, true)
                        && self.is_refuted(state, there, &gradient, far[0])
                }
                _ => false,
            };
            state.move_back(home)?;
            if refuted {
                return Ok(false);
            }
        }
        // No kink, if a difference there agrees with what is right all around.
        if self.near.disputed.iter().any(|&i| right[i] && !wrong[i]) {
            return Ok(false);
        }
        for &i in &self.near.components {
            let on_kink = on_kink || evidence.verdict[i] == Verdict::Wrong;
            evidence.verdict[i] = match (wrong[i], right[i]) {
                (true, _) => Verdict::Wrong,
                (false, true) if on_kink => Verdict::Kink,
                (false, _) => Verdict::Undecided,
            };
            if wrong[i] {
                // By what was seen aside, where its own jumps have no part.
                evidence.bound[i] -= self.suspects.own[i];
            }
        }
        if on_kink {
            self.judge_smooth(state, evidence);
        }
        Ok(true)
    }

    /// Along a parameter that moves both sides of a tie alike (the bias of a max pool) the forward
    /// has a derivative after all. Where the tape and a difference that sees no kink both have it,
    /// a gradient that has another is wrong at the tie, if right beside it.
    fn judge_smooth(&self, state: &mut State<'_>, evidence: &mut Evidence) {
        let home = self.home;
        let is_other = |&i: &usize| {
            let (g, d) = (evidence.analytic[i], home.derivative[i]);
            evidence.verdict[i] == Verdict::Kink
                && self.suspects.excused.contains(&i)
                && is_known(d, home.bound[i])
                && (g - d).abs()
                    > evidence.tolerance_of(i) * (g.abs() + d.abs()) + home.bound[i] + self.own[i]
        };
        let other: Vec<usize> = self.near.components.iter().copied().filter(is_other).collect();
        let mut bench = super::bench(state, self.settings);
        for i in other.into_iter().take(CONFIRMED) {
            let mut asked = vec![false; evidence.analytic.len()];
            asked[i] = true;
            let line = &lines(state, &asked)[0];
            let components = line.components(state);
            let estimates =
                line.measure(state, &mut bench, evidence, &evidence.analytic, &components);
            let own = components.iter().zip(&estimates).find(|&(&component, _)| component == i);
            if let Some((_, estimate)) = own
                && estimate.finding == (Finding::Wrong { near_kink: false })
                && !home.is_at_odds(i, estimate)
            {
                evidence.verdict[i] = Verdict::Wrong;
                evidence.bound[i] = home.bound[i] + self.own[i];
            }
        }
    }

    /// The components that are wrong at the parameters as they stand, with what the tape says
    /// there; notes those that are right.
    fn look(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        gradient: &[f64],
        right: &mut [bool],
    ) -> Option<(Recorded, Vec<usize>)> {
        let there = self.on_tape.record(state).ok()?.ok()?;
        let off = |i: usize| (gradient[i] - there.derivative[i]).abs();
        let allowed =
            |i: usize| evidence.tolerance_of(i) * (gradient[i].abs() + there.derivative[i].abs());
        let (close, mut far): (Vec<usize>, Vec<usize>) = (self.near.components.iter().copied())
            .filter(|&i| is_known(there.derivative[i], there.bound[i]))
            .partition(|&i| off(i) <= allowed(i) + there.bound[i]);
        let tied = self.home.doubt.is_some();
        let asked = if tied { &self.near.components } else { &far };
        if !asked.is_empty() {
            let own = own_rounding(state, &there, gradient, asked);
            far.retain(|&i| off(i) > allowed(i) + there.bound[i] + own[i]);
            if tied && there.doubt.is_none() {
                self.own.iter_mut().zip(own).for_each(|(most, own)| *most = most.max(own));
            }
        }
        close.into_iter().for_each(|i| right[i] |= there.bound[i] <= allowed(i));
        Some((there, far))
    }

    /// Whether a difference at the parameters as they stand excludes what the tape says there.
    fn is_refuted(
        &self,
        state: &mut State<'_>,
        there: &Recorded,
        gradient: &[f64],
        component: usize,
    ) -> bool {
        let mut asked = vec![false; gradient.len()];
        asked[component] = true;
        let line = &lines(state, &asked)[0];
        let unknown = [Column::like(&Arc::default()), Column::like(&Arc::default())];
        let evidence = unjudged(state, self.settings, gradient.to_vec(), 0, unknown);
        let mut bench = super::bench(state, self.settings);
        let components = line.components(state);
        let estimates = line.measure(state, &mut bench, &evidence, &there.derivative, &components);
        let wrong = Finding::Wrong { near_kink: false };
        components.iter().zip(&estimates).any(|(&i, e)| i == component && e.finding == wrong)
    }
}

impl OnTape<'_> {
    /// Runs the forward on the tape, at the parameters of the state. The inner error is a reason
    /// to take differences instead.
    fn record(&mut self, state: &mut State<'_>) -> Result<Result<Recorded, String>, Failure> {
        let probe = match self.run(state)? {
            Ok(probe) => probe,
            Err(reason) => return Ok(Err(reason)),
        };
        let ids = probe.tape_ids.unwrap_or_default();
        let notes = Tape::notes();
        for (event, what) in [
            (Event::Dropped, "the forward converts a variable out of its scalar type"),
            (Event::Foreign, "the forward uses a value of another tape"),
        ] {
            if let Some(note) = notes.iter().find(|note| note.event == event) {
                return Ok(Err(format!("{what} (`{}`)", note.operation)));
            }
        }
        let errors: Vec<f64> = ids.iter().map(|id| id.map_or(0.0, Tape::error_of)).collect();
        if !state.outputs_match(&probe.outputs, &errors) {
            return Ok(Err("the forward has another value on the tape".to_owned()));
        }
        let doubtful = [Event::Tie, Event::Kink, Event::Singular, Event::NearTie];
        let doubt = doubtful.iter().find_map(|event| notes.iter().find(|n| n.event == *event));
        let (derivative, bound) = sweep(state, &ids);
        let stepped = Tape::counts().of(Event::Discretised) > 0;
        Ok(Ok(Recorded { derivative, bound, ids, doubt: doubt.copied(), stepped }))
    }

    /// Draws the state with the tape scalar, and runs the forward.
    fn run(&mut self, state: &mut State<'_>) -> Result<Result<Probe, String>, Failure> {
        let session = &mut self.session;
        Tape::reset();
        let mut draw = Draw::new(state.case());
        caught("drawing the state with the tape scalar", || session.draw(&mut draw))?;
        if !self.same_draw {
            let mut drawn = Tree::default();
            caught("reaching the `wrt` places", || session.places(&mut drawn))?;
            same_draw(state, &drawn)?;
            self.same_draw = true;
        }
        Tape::reset();
        let values = &state.primal.values;
        caught("setting the parameters", || session.places(&mut SetAll(values)))?;
        if Tape::variables() != values.len() {
            return Ok(Err("the `wrt` places are not all of the exact scalar type".to_owned()));
        }
        let mut probe = Probe::new(state.seed());
        probe.tape_ids = Some(Vec::new());
        state.forwards += 1;
        match caught("the forward on the tape", || session.eval(&mut probe)) {
            // The tape's own panic, at its cap.
            Err(_) if Tape::is_full() => {
                return Ok(Err("the forward outgrows the tape".to_owned()));
            }
            called => called?,
        }
        match probe.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(Ok(probe)),
        }
    }

    /// What rounding does to each component of the derivative on the tape, seen where every
    /// operation is rounded at random; infinite where it is not known.
    fn rounding(&mut self, state: &mut State<'_>, recorded: &Recorded) -> Vec<f64> {
        let mut seen = vec![0.0_f64; recorded.derivative.len()];
        for number in 0..SHAKEN {
            let own = random::hash(random::hash(state.seed(), 0x7368_616b), number);
            Tape::shake(own.max(1));
            let run = self.run(state);
            let ids = run.ok().and_then(Result::ok).and_then(|probe| probe.tape_ids);
            let ids = ids.filter(|ids| ids.len() == recorded.ids.len());
            let swept = ids.map(|ids| sweep(state, &ids));
            Tape::shake(0);
            let Some((derivative, bound)) = swept else {
                return vec![f64::INFINITY; seen.len()];
            };
            for (i, seen) in seen.iter_mut().enumerate() {
                let moved = (derivative[i] - recorded.derivative[i]).abs();
                let moved = if moved.is_nan() { f64::INFINITY } else { moved };
                *seen = seen.max(SHAKEN_ROOM * moved + bound[i]);
            }
        }
        seen
    }
}

/// Both scalar types drew the same state.
fn same_draw(state: &State<'_>, drawn: &Tree) -> Result<(), Failure> {
    let blocks = state.primal.blocks();
    let first = state.drawn();
    let differs = |i: usize| first.get(i) != drawn.values.get(i);
    let count = first.len().max(drawn.values.len());
    match (0..count).find(|&i| differs(i)) {
        None => Ok(()),
        Some(i) => Err(Failure::DrawsDiffer {
            component: blocks
                .iter()
                .find(|b| b.range.contains(&i))
                .map_or_else(|| format!("component {i}"), |b| b.component(i - b.range.start)),
            values: (
                first.get(i).copied().unwrap_or(f64::NAN),
                drawn.values.get(i).copied().unwrap_or(f64::NAN),
            ),
        }),
    }
}

/// What is swept back for output `j`, or for all of them where they are contracted.
fn seeds(state: &State<'_>, ids: &[Option<u32>], output: Option<usize>) -> Vec<(u32, f64)> {
    match output {
        Some(j) => ids[j].map(|id| (id, 1.0)).into_iter().collect(),
        None => (ids.iter().zip(state.weights()))
            .filter_map(|(id, &weight)| id.map(|id| (id, weight)))
            .collect(),
    }
}

/// Derivative and bound of every component: one sweep for the contracted outputs, or one for each
/// output.
fn sweep(state: &State<'_>, ids: &[Option<u32>]) -> (Vec<f64>, Vec<f64>) {
    if state.form == Form::Gradient {
        let sweep = Tape::sweep(&seeds(state, ids, None));
        return (sweep.gradient, sweep.bounds);
    }
    let components = state.components();
    let (mut derivative, mut bound) = (vec![0.0; components], vec![0.0; components]);
    let tangent = state.tangent();
    for j in 0..ids.len() {
        let row = Tape::sweep(&seeds(state, ids, Some(j)));
        if state.form == Form::Tangent {
            let terms = || row.gradient.iter().zip(tangent).map(|(d, t)| d * t);
            derivative[j] = terms().sum();
            let rounding = terms().map(f64::abs).sum::<f64>() * Var::ROUNDOFF;
            let known = row.bounds.iter().zip(tangent).map(|(b, t)| b * t.abs());
            // A rounding for each product and each sum.
            bound[j] = known.sum::<f64>() + (tangent.len() + 1) as f64 * rounding;
        } else {
            for (i, (&d, &b)) in row.gradient.iter().zip(&row.bounds).enumerate() {
                let component = state.component(i, j);
                (derivative[component], bound[component]) = (d, b);
            }
        }
    }
    (derivative, bound)
}

impl Recorded {
    fn is_at_odds(&self, i: usize, estimate: &Estimate) -> bool {
        is_at_odds(self.derivative[i], self.bound[i], estimate)
    }

    /// [`Tape::roundings`] of every component.
    fn roundings(&self, state: &State<'_>) -> Vec<f64> {
        if state.form == Form::Gradient {
            return Tape::roundings(&seeds(state, &self.ids, None));
        }
        let mut roundings = vec![0.0; state.components()];
        let tangent = state.tangent();
        for j in 0..self.ids.len() {
            let row = Tape::roundings(&seeds(state, &self.ids, Some(j)));
            if state.form == Form::Tangent {
                roundings[j] = row.iter().zip(tangent).map(|(r, t)| r * t.abs()).sum();
            } else {
                for (i, &rounding) in row.iter().enumerate() {
                    roundings[state.component(i, j)] = rounding;
                }
            }
        }
        roundings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Block;

    /// One block with a tolerance of a thousandth.
    fn evidence(analytic: &[f64], numeric: &[f64], bound: &[f64]) -> Evidence {
        let block = Block::doubles("w", "w".to_owned(), &[analytic.len()], 0);
        Evidence {
            blocks: vec![block].into(),
            tolerance: vec![1e-3],
            analytic: Arc::new(analytic.to_vec()),
            numeric: numeric.to_vec().into(),
            bound: bound.to_vec().into(),
            verdict: vec![Verdict::Undecided; analytic.len()],
            ..Evidence::empty()
        }
    }

    #[test]
    fn the_tape_settles_what_is_within_the_tolerance_of_both() {
        // Allowed is a thousandth of the sum.
        let g = [1.0, 1.0, -1.0, 1.0, 1.0, 0.0, f64::NAN];
        let d = [1.0019, 1.0021, -1.0019, 1.0, 1.0, 0.0, 1.0];
        let bounds = [1e-3, 1e-3, 1e-3, 2.1e-3, 1.9e-3, 0.0, 0.0];
        let mut evidence = evidence(&g, &d, &bounds);
        assert_eq!(agree(&mut evidence), [1, 3, 6]);
        let agreed = |i: &usize| evidence.verdict[*i] == Verdict::Agrees;
        assert_eq!((0..7).filter(agreed).collect::<Vec<_>>(), [0, 2, 4, 5]);
    }

    #[test]
    fn a_derivative_without_a_number_or_a_bound_is_not_known() {
        assert!(is_known(1.0, 0.1));
        assert!(!is_known(f64::NAN, 0.1) && !is_known(1.0, f64::INFINITY));
    }

    #[test]
    fn what_the_tape_does_not_know_is_for_the_difference_to_judge() {
        let findings = [
            (Finding::Agrees, Verdict::Agrees),
            (Finding::Undecided, Verdict::Undecided),
            (Finding::Kink, Verdict::Kink),
            (Finding::Wrong { near_kink: true }, Verdict::Wrong),
        ];
        for (finding, verdict) in findings {
            let mut evidence = evidence(&[1.0, 1.0], &[f64::NAN, 1.0], &[0.0, 0.0]);
            let estimate = Estimate { numeric: 3.0, bound: 0.25, finding };
            by_difference(&mut evidence, 0, &estimate, 0.5);
            assert_eq!((evidence.numeric[0], evidence.bound[0]), (3.0, 0.75));
            assert_eq!(evidence.verdict, [verdict, Verdict::Undecided]);
        }
    }

    #[test]
    fn a_difference_is_at_odds_beyond_both_bounds() {
        let at_odds = |derivative: f64, bound: f64, numeric: f64, of_difference: f64| {
            let recorded = Recorded {
                derivative: vec![0.0, derivative],
                bound: vec![0.0, bound],
                ids: Vec::new(),
                doubt: None,
                stepped: false,
            };
            let finding = Finding::Undecided;
            recorded.is_at_odds(1, &Estimate { numeric, bound: of_difference, finding })
        };
        // Twice the bound of the difference, that of the tape, and a millionth of the sum.
        assert!(!at_odds(1.0, 0.1, 1.29, 0.1) && at_odds(1.0, 0.1, 1.31, 0.1));
        assert!(!at_odds(1.0, 0.1, 0.71, 0.1) && at_odds(1.0, 0.1, 0.69, 0.1));
        assert!(!at_odds(-1.0, 0.1, -1.29, 0.1) && at_odds(-1.0, 0.1, 1.0, 0.1));
        assert!(!at_odds(100.0, 0.0, 100.000_19, 0.0) && at_odds(100.0, 0.0, 100.000_21, 0.0));
    }

    use crate::check::{StateReport, check_exact_at};
    use crate::probe::{Places, Probe};
    use crate::problem::{Here, Problem, problem};
    use crate::settings::Convention;

    /// `sum w^2` with a gradient that is given.
    fn squares(
        at: &[f64],
        tolerance: f64,
        gradient: impl Fn(usize, f64) -> f64,
    ) -> (StateReport, usize) {
        let mut w = at.to_vec();
        let mut on_tape: Vec<Var> = at.iter().map(|&w| Var::from(w)).collect();
        let forwards = (
            |w: &Vec<f64>| w.iter().map(|w| w * w).sum::<f64>(),
            |w: &Vec<Var>| w.iter().fold(Var::from(0.0), |sum, &w| sum + w * w),
        );
        let settings = Settings::new().tolerance(tolerance);
        let gradient =
            |w: &Vec<f64>| w.iter().enumerate().map(|(i, &w)| gradient(i, w)).collect::<Vec<f64>>();
        let report = check_exact_at(&mut w, &mut on_tape, &settings, forwards, gradient);
        let calls = report.forward_calls;
        (report, calls)
    }

    /// A gradient with noise of its own, as of roundings, is off by `off` at the state; further away
    /// it is off by `aside`.
    #[test]
    fn a_large_rounding_of_the_formula_is_looked_at_aside() {
        const HOME: f64 = 1.25;
        let verdict = |tolerance: f64, off: f64, noise: f64, aside: f64| {
            let gradient = move |_: usize, w: f64| {
                let by = match (w - HOME).abs() {
                    0.0 => off,
                    d if d < 1e-6 => noise * random::signed_magnitude(9, w.to_bits()) / 1.5,
                    _ => aside,
                };
                2.0 * w + by
            };
            let (report, _) = squares(&[HOME], tolerance, gradient);
            (report.evidence.verdict[0], report.evidence.bound[0])
        };
        // Beyond what is allowed by some four times the noise: its own rounding, and no more.
        let allowed = 5.0;
        for (tolerance, noise, is_large) in [(1e-9, 8e-10, true), (1e-13, 1e-13, false)] {
            let off = tolerance * allowed + 3.5 * noise;
            let (open, bound) = verdict(tolerance, off, noise, 0.0);
            assert_eq!(open, Verdict::Undecided, "{tolerance:e}");
            assert!(bound > 3.5 * noise && bound < 20.0 * noise, "{bound:e}");
            let wrong = tolerance * allowed + 20.0 * noise;
            assert_eq!(verdict(tolerance, wrong, noise, 0.0).0, Verdict::Wrong, "{tolerance:e}");
            // What is large beside a rounding must be right all around.
            let expected = if is_large { Verdict::Wrong } else { Verdict::Undecided };
            assert_eq!(verdict(tolerance, off, noise, 1e-3).0, expected, "{tolerance:e}");
        }
    }

    #[test]
    fn of_many_wrong_components_some_are_confirmed_by_differences() {
        let calls = |count: usize| {
            let at: Vec<f64> = (0..count).map(|k| 0.5 + 0.01 * k as f64).collect();
            let (report, calls) = squares(&at, 1e-9, |_, w| 3.0 * w);
            assert!(report.evidence.verdict.iter().all(|v| *v == Verdict::Wrong));
            calls
        };
        let (few, all, twice, many) =
            (calls(1), calls(CONFIRMED), calls(2 * CONFIRMED), calls(4 * CONFIRMED));
        // As many lines, however many are wrong; the rest is the tape's word.
        let each = (all - few) / (CONFIRMED - 1);
        assert!(each >= 2, "{few} {all}");
        assert!(
            twice.abs_diff(all) <= 2 * each && many.abs_diff(all) <= 2 * each,
            "{all} {twice} {many}"
        );
    }

    #[test]
    fn the_component_that_was_drawn_otherwise_is_named() {
        let mut w = (vec![1.0, 2.0], vec![3.0, 4.0, 6.0]);
        let on_tape = |w: &[f64]| w.iter().map(|&w| Var::from(w)).collect::<Vec<Var>>();
        let mut on_tape = (on_tape(&[1.0, 2.0]), on_tape(&[3.0, 5.0, 6.0]));
        let forwards = (|_: &(Vec<f64>, Vec<f64>)| 1.0, |_: &(Vec<Var>, Vec<Var>)| Var::from(1.0));
        let settings = Settings::new();
        let report = check_exact_at(&mut w, &mut on_tape, &settings, forwards, |w| w.clone());
        let Some(Failure::DrawsDiffer { component, values }) = &report.failure else {
            panic!("{report}")
        };
        assert_eq!((component.as_str(), *values), ("theta.1[1]", (4.0, 5.0)));
    }

    #[test]
    fn along_a_tangent_the_bounds_of_all_parts_add_up() {
        fn outputs<F: num_traits::Float>(w: &[F]) -> Vec<F> {
            vec![w[0] + w[1], w[0] * w[1] * w[1] / (w[0] + w[1]), w[1].exp()]
        }
        let draw = |_: &mut Draw| vec![0.7, 1.9];
        let eval = |w: Vec<f64>, probe: &mut Probe| {
            let tangent = probe.tangent(0, &w);
            if probe.value(outputs(&w)) {
                probe.gradient(vec![tangent[0] + tangent[1]; 3]);
            }
            w
        };
        let wrt = |w: &mut Vec<f64>, places: &mut Places<'_>| places.place("w", w);
        let plain = problem(draw, wrt, eval);
        let taped = problem(
            |_: &mut Draw| vec![Var::from(0.7), Var::from(1.9)],
            |w: &mut Vec<Var>, places: &mut Places<'_>| places.place("w", w),
            |w: Vec<Var>, probe: &mut Probe| {
                probe.value(outputs(&w));
                w
            },
        );
        let case = crate::case::Case::new(0, 0);
        let mut state =
            State::draw(plain.session(), &case, Convention::default()).expect("a state");
        state.examine("w").expect("a function");
        assert_eq!(state.form, Form::Tangent);
        let mut on_tape = OnTape { session: taped.session(), same_draw: false };
        let recorded = on_tape.record(&mut state).expect("it runs").expect("on the tape");
        let roundings = recorded.roundings(&state);
        let tangent = state.tangent().to_vec();
        for (j, id) in recorded.ids.iter().enumerate() {
            let seed = [(id.expect("a variable"), 1.0)];
            let (row, rounded) = (Tape::sweep(&seed), Tape::roundings(&seed));
            let along = |values: &[f64]| -> f64 {
                values.iter().zip(&tangent).map(|(v, t)| v.abs() * t.abs()).sum()
            };
            let sum: f64 = row.gradient.iter().zip(&tangent).map(|(d, t)| d * t).sum();
            let close = |a: f64, b: f64| {
                assert!((a - b).abs() <= 1e-12 * a.abs().max(b.abs()), "{j}: {a:e} is not {b:e}");
            };
            close(recorded.derivative[j], sum);
            // Of the two products and their sum a rounding each, beside what the row has itself.
            close(
                recorded.bound[j],
                along(&row.bounds) + 3.0 * Var::ROUNDOFF * along(&row.gradient),
            );
            close(roundings[j], along(&rounded));
        }
        // A product is rounded, and a sum of two variables is not.
        assert!(recorded.bound[1] > recorded.bound[0] && roundings[1] > 0.0);
    }

    /// The square of a max pool, and a bias that moves all of it, at inputs that tie.
    #[test]
    fn where_a_tie_moves_as_one_there_is_a_derivative() {
        fn pooled<F: num_traits::Float>(x: &[F], b: F) -> F {
            let most = x.iter().fold(F::neg_infinity(), |most, &x| most.max(x + b));
            most * most + b
        }
        type Parameters<F> = (Vec<F>, F);
        let check = |of_bias: &dyn Fn(f64, usize) -> f64| {
            let mut w: Parameters<f64> = (vec![0.3; 4], 0.8);
            let mut on_tape: Parameters<Var> = (vec![Var::from(0.3); 4], Var::from(0.8));
            let forwards =
                (|w: &Parameters<f64>| pooled(&w.0, w.1), |w: &Parameters<Var>| pooled(&w.0, w.1));
            // To the last of the largest; the tape takes the first.
            let gradient = |(x, b): &Parameters<f64>| -> Parameters<f64> {
                let most = x.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x + b));
                let last = x.iter().rposition(|&x| x + b == most).expect("one is the largest");
                let ties = x.iter().filter(|&&x| x + b == most).count();
                let mut dx = vec![0.0; x.len()];
                dx[last] = 2.0 * most;
                (dx, of_bias(2.0 * most, ties))
            };
            let settings = Settings::new().tolerance(1e-12);
            let report = check_exact_at(&mut w, &mut on_tape, &settings, forwards, gradient);
            assert!(report.failure.is_none(), "{report}");
            report.evidence
        };
        let right = check(&|slope, _| slope + 1.0);
        assert_eq!(right.verdict[4], Verdict::Agrees);
        assert!(!right.verdict.contains(&Verdict::Wrong), "{:?}", right.verdict);
        // To every one of them, which is right wherever they are apart.
        let wrong = check(&|slope, ties| slope * ties as f64 + 1.0);
        assert_eq!(wrong.verdict[4], Verdict::Wrong);
        assert_eq!(wrong.verdict[..4], right.verdict[..4]);
        assert!((wrong.numeric[4] - 3.2).abs() < 1e-12);
        assert!((1e-18..1e-10).contains(&wrong.bound[4]), "{:e}", wrong.bound[4]);
    }

    #[test]
    fn every_call_is_counted_and_few_are_made() {
        let calls = std::cell::Cell::new(0);
        let mut w = vec![0.5, -1.25, 2.0];
        let mut on_tape: Vec<Var> = w.iter().map(|&w| Var::from(w)).collect();
        let forwards = (
            |w: &Vec<f64>| {
                calls.set(calls.get() + 1);
                w.iter().map(|w| w * w * w).sum::<f64>()
            },
            |w: &Vec<Var>| {
                calls.set(calls.get() + 1);
                w.iter().fold(Var::from(0.0), |sum, &w| sum + w * w * w)
            },
        );
        let gradient = |w: &Vec<f64>| w.iter().map(|w| 3.0 * w * w).collect::<Vec<f64>>();
        let settings = Settings::new().tolerance(1e-12);
        let report = check_exact_at(&mut w, &mut on_tape, &settings, forwards, gradient);
        assert_eq!(report.counts().agreed, 3);
        assert_eq!(report.forward_calls + report.gradient_calls, calls.get());
        // The state's own, one on the tape, and a plain difference that settles the rest.
        assert!(report.forward_calls <= 8, "{}", report.forward_calls);
    }

    /// A forward that is constant but for a slope that only the numbers have, not the tape.
    #[test]
    fn a_slope_that_the_tape_does_not_see_refutes_it() {
        let check = |slope: f64, seen: f64| {
            let mut w = vec![0.7, -1.1];
            let mut on_tape: Vec<Var> = w.iter().map(|&w| Var::from(w)).collect();
            // The value is the same; the derivative on the tape is that of `seen`.
            let forwards = (
                move |w: &Vec<f64>| w.iter().map(|w| slope * (w.sin())).sum::<f64>(),
                move |w: &Vec<Var>| {
                    w.iter().fold(Var::from(0.0), |sum, &w| {
                        let own = num_traits::Float::sin(w);
                        let still = slope * own.value() - seen * own.value();
                        sum + own * Var::from(seen) + Var::from(still)
                    })
                },
            );
            let gradient =
                move |w: &Vec<f64>| w.iter().map(|w| slope * w.cos()).collect::<Vec<_>>();
            let settings = Settings::new().tolerance(1e-7);
            check_exact_at(&mut w, &mut on_tape, &settings, forwards, gradient)
        };
        let refuted = |report: &StateReport| report.notes.iter().any(|note| note.contains(REFUTED));
        for slope in [1.0, 1e-3, 30.0] {
            let right = check(slope, slope);
            assert!(!refuted(&right) && !right.is_wrong(), "{slope}: {right}");
            // Off by a thousandth: the difference is believed, and the gradient with it.
            let blind = check(slope, 1.001 * slope);
            assert!(refuted(&blind) && !blind.is_wrong(), "{slope}: {blind} {:?}", blind.notes);
        }
    }

    // ---- Aside ----------------------------------------------------------------------------------

    /// What [`Aside`] is asked about: `sum w^2` at these parameters, with this gradient.
    struct Scene {
        at: Vec<f64>,
        /// Derivatives on the tape are so many times too large.
        tape: f64,
        /// A term that comes and goes on the tape: of its rounding the bounds are made.
        blur: f64,
        /// Whether the tape met a tie at the state.
        tied: bool,
        verdict: Verdict,
        excused: Vec<usize>,
        disputed: Vec<usize>,
    }

    impl Scene {
        fn new(at: &[f64]) -> Scene {
            Scene {
                at: at.to_vec(),
                tape: 1.0,
                blur: 0.0,
                tied: false,
                verdict: Verdict::Undecided,
                excused: Vec::new(),
                disputed: Vec::new(),
            }
        }

        /// Bounds of a quarter, roundings of the formula of an eighth, a tolerance of a thousandth.
        fn play<T>(
            &self,
            gradient: impl Fn(usize, f64) -> f64,
            act: impl FnOnce(Aside<'_, '_>, &mut State<'_>, &mut Evidence) -> T,
        ) -> (T, Evidence) {
            let (mut w, tape, blur) = (self.at.clone(), self.tape, self.blur);
            let mut on_tape: Vec<Var> = w.iter().map(|&w| Var::from(w)).collect();
            let count = w.len();
            let session = Box::new(Here {
                parameters: &mut w,
                forward: |w: &Vec<f64>| w.iter().map(|w| w * w).sum::<f64>(),
                gradient: |w: &Vec<f64>| {
                    let own = w.iter().enumerate().map(|(i, &w)| gradient(i, w));
                    own.collect::<Vec<f64>>()
                },
            });
            let taped = Here {
                parameters: &mut on_tape,
                forward: move |w: &Vec<Var>| {
                    w.iter().fold(Var::from(0.0), |sum, &w| {
                        let (own, value) = (w * w, w.value() * w.value());
                        let own = own * Var::from(tape) + Var::from(value - tape * value);
                        sum + (own + w * Var::from(blur) - w * Var::from(blur))
                    })
                },
                gradient: |_: &Vec<Var>| 0.0,
            };
            let case = crate::case::Case::new(0, 0);
            let mut state = State::draw(session, &case, Convention::default()).expect("a state");
            let analytic = state.examine("w").expect("a function");
            let settings = Settings::new().tolerance(1e-3);
            let note = Note { event: Event::Tie, operation: "max", value: 0.0 };
            let home = Recorded {
                derivative: self.at.iter().map(|w| 2.0 * w).collect(),
                bound: vec![0.25; count],
                ids: Vec::new(),
                doubt: self.tied.then_some(note),
                stepped: false,
            };
            let told = [home.derivative.clone().into(), vec![0.5; count].into()];
            let mut evidence = unjudged(&state, &settings, analytic, 0, told);
            evidence.verdict = vec![self.verdict; count];
            let suspects = Suspects {
                wrong: Vec::new(),
                excused: self.excused.clone(),
                own: vec![0.125; count],
            };
            let near = Near { components: (0..count).collect(), disputed: self.disputed.clone() };
            let mut on_tape = OnTape { session: Box::new(taped), same_draw: true };
            let aside = Aside {
                settings: &settings,
                on_tape: &mut on_tape,
                home: &home,
                suspects,
                near,
                own: vec![0.125; count],
            };
            let result = act(aside, &mut state, &mut evidence);
            (result, evidence)
        }

        fn judged(&self, gradient: impl Fn(usize, f64) -> f64) -> (bool, Evidence) {
            self.play(gradient, |aside, state, evidence| {
                aside.judge(state, evidence).expect("it runs everywhere")
            })
        }
    }

    fn noise(w: f64) -> f64 {
        random::signed_magnitude(9, w.to_bits()) / 1.5
    }

    #[test]
    fn aside_a_component_is_right_wrong_or_neither() {
        let look = |scene: &Scene, factor: f64, by: f64| {
            let gradient = move |_: usize, w: f64| factor * 2.0 * w + by * noise(w);
            let act = |mut aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
                let mut right = vec![false; 2];
                let analytic = evidence.analytic.to_vec();
                let found = aside.look(state, evidence, &analytic, &mut right);
                (right, found.expect("on the tape").1, aside.own[0])
            };
            scene.play(gradient, act).0
        };
        // Derivatives of 5 and -0.5; a thousandth of the sum is allowed.
        let scene = Scene::new(&[2.5, -0.25]);
        let still = 0.125;
        assert_eq!(look(&scene, 1.0019, 0.0), (vec![true; 2], Vec::new(), still));
        assert_eq!(look(&scene, 1.0021, 0.0), (vec![false; 2], vec![0, 1], still));
        assert_eq!(look(&scene, 0.9979, 0.0), (vec![false; 2], vec![0, 1], still));
        // Its own rounding is no fault, and no proof.
        assert_eq!(look(&scene, 1.0021, 0.5), (vec![false; 2], Vec::new(), still));
        // That is noted where the state itself ties, and here nothing does.
        let tied = Scene { tied: true, ..Scene::new(&[2.5, -0.25]) };
        let (_, _, own) = look(&tied, 1.0, 0.5);
        assert!(own > 1.0 && own < 5.0, "{own}");
    }

    #[test]
    fn a_difference_aside_refutes_a_tape_that_is_off() {
        let refuted = |tape: f64, component: usize| {
            let scene = Scene { tape, ..Scene::new(&[2.5, -0.25]) };
            let act = |aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
                let there = Recorded {
                    derivative: vec![tape * 5.0, tape * -0.5],
                    bound: vec![0.0; 2],
                    ids: Vec::new(),
                    doubt: None,
                    stepped: false,
                };
                let analytic = evidence.analytic.to_vec();
                aside.is_refuted(state, &there, &analytic, component)
            };
            scene.play(|_, w| 2.0 * w, act).0
        };
        for component in [0, 1] {
            assert!(!refuted(1.0, component) && refuted(1.1, component), "{component}");
        }
    }

    #[test]
    fn what_was_seen_aside_is_the_verdict() {
        let at = [2.5, -0.25];
        let wrong = |_: usize, w: f64| 3.0 * w;
        let right = |_: usize, w: f64| 2.0 * w;
        // Wrong all around: by what was seen there, without the rounding at the state.
        let (holds, evidence) = Scene::new(&at).judged(wrong);
        assert_eq!((holds, evidence.verdict), (true, vec![Verdict::Wrong; 2]));
        assert_eq!([evidence.bound[0], evidence.bound[1]], [0.375; 2]);
        // Right all around: on a kink, if the state ties or a difference called it wrong there.
        let (_, evidence) = Scene::new(&at).judged(right);
        assert_eq!(evidence.verdict, [Verdict::Undecided; 2]);
        assert_eq!([evidence.bound[0], evidence.bound[1]], [0.5; 2]);
        let accused = Scene { verdict: Verdict::Wrong, ..Scene::new(&at) };
        assert_eq!(accused.judged(right).1.verdict, [Verdict::Kink; 2]);
        let tied = Scene { tied: true, ..Scene::new(&at) };
        assert_eq!(tied.judged(right).1.verdict, [Verdict::Kink; 2]);
        // Neither: nothing is known, on a kink or off it.
        let noisy = |_: usize, w: f64| 2.0 * w * 1.0021 + 0.5 * noise(w);
        assert_eq!(accused.judged(noisy).1.verdict, [Verdict::Undecided; 2]);
        // The tape is off: it may not accuse.
        let blind = Scene { tape: 1.1, ..Scene::new(&at) };
        assert!(!blind.judged(right).0);
        // A difference disputes the tape, and the gradient is right beside it: no kink.
        let disputed = Scene { disputed: vec![1], ..Scene::new(&at) };
        assert!(!disputed.judged(right).0);
        assert!(disputed.judged(wrong).0 && disputed.judged(noisy).0);
    }

    #[test]
    fn a_smooth_line_through_a_tie_has_one_derivative() {
        let smooth = |scene: &Scene, by: f64| {
            let gradient = move |i: usize, w: f64| 2.0 * w + if i == 0 { by } else { 0.0 };
            let (_, evidence) = scene.play(gradient, |aside, state, evidence| {
                aside.judge_smooth(state, evidence);
            });
            (evidence.verdict[0], evidence.bound[0])
        };
        let scene = || Scene {
            tied: true,
            verdict: Verdict::Kink,
            excused: vec![0],
            ..Scene::new(&[2.5, -0.25])
        };
        // Beyond a thousandth of the sum of both, the tape's bound and the formula's rounding.
        let limit = |by: f64| 1e-3 * (10.0 + by) + 0.25 + 0.125;
        let kink = (Verdict::Kink, 0.5);
        assert_eq!(smooth(&scene(), 0.384), kink);
        assert!(limit(0.384) > 0.384 && limit(0.387) < 0.387);
        assert_eq!(smooth(&scene(), 0.387), (Verdict::Wrong, 0.375));
        assert_eq!(smooth(&scene(), -0.4), (Verdict::Wrong, 0.375));
        assert_eq!(smooth(&scene(), -6.0), (Verdict::Wrong, 0.375));
        // Where it was called something else, or was never excused, it stays that.
        let undecided = Scene { verdict: Verdict::Undecided, ..scene() };
        assert_eq!(smooth(&undecided, 1.0).0, Verdict::Undecided);
        assert_eq!(smooth(&Scene { excused: vec![1], ..scene() }, 1.0), kink);
    }

    // ---- Rounding -------------------------------------------------------------------------------

    /// What is suspected of the first of two components, whose derivatives are 5 and -0.5: it is
    /// off by `by`, with noise of its own, and the tape knows it to `bound`. With its rounding, its
    /// bound in the end, and the forwards that it took.
    fn suspected(
        by: f64,
        own: f64,
        bound: f64,
        tied: bool,
    ) -> (Vec<usize>, Vec<usize>, f64, f64, usize) {
        let gradient = move |i: usize, w: f64| {
            let noise = if w == 2.5 { 0.0 } else { own * noise(w) };
            2.0 * w + if i == 0 { by + noise } else { 0.0 }
        };
        let scene = Scene { tied, ..Scene::new(&[2.5, -0.25]) };
        let act = |aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
            let mut recorded = aside.on_tape.record(state).expect("it runs").expect("on the tape");
            recorded.doubt = aside.home.doubt;
            evidence.bound = vec![bound, 0.0].into();
            let open = agree(evidence);
            let before = state.forwards;
            let found = allow_for_rounding(state, aside.on_tape, &recorded, evidence, &open);
            let own = found.own.first().copied().unwrap_or(0.0);
            (found.wrong, found.excused, own, state.forwards - before)
        };
        let ((wrong, excused, own, forwards), evidence) = scene.play(gradient, act);
        (wrong, excused, own, evidence.bound[0], forwards)
    }

    #[test]
    fn a_bound_of_the_tape_gives_place_to_what_roundings_do() {
        let shaken = SHAKEN as usize;
        // Within the tolerance of both, and open for the tape's bound alone: no suspect.
        let (wrong, excused, own, bound, forwards) = suspected(0.009, 0.0, 0.5, false);
        assert_eq!((wrong, excused, own, bound, forwards), (Vec::new(), Vec::new(), 0.0, 0.5, 0));
        // A thousandth of the sum, not of the product.
        assert_eq!(suspected(0.015, 0.0, 1e-9, false).0, [0]);
        // Far off within a wide bound, which roundings at random show to be idle.
        let (wrong, _, _, bound, forwards) = suspected(0.3, 0.0, 0.5, false);
        assert_eq!((wrong, forwards), (vec![0], shaken));
        assert!(bound < 1e-12, "{bound:e}");
        // Not beside a tie, where a rounding may take another branch.
        let (wrong, excused, _, bound, forwards) = suspected(0.3, 0.0, 0.5, true);
        assert_eq!((wrong, excused, bound, forwards), (Vec::new(), Vec::new(), 0.5, 0));
        // Nor where the formula's own rounding is in the way as well.
        let (wrong, excused, own, bound, forwards) = suspected(0.3, 0.06, 0.5, false);
        assert!(2.0 * own > 0.3 && own < 0.5, "{own}");
        assert_eq!((wrong, excused, bound, forwards), (Vec::new(), Vec::new(), 0.5, 0));
        // What is beyond the bound needs no other.
        let (wrong, _, own, bound, forwards) = suspected(0.3, 0.0, 0.1, false);
        assert_eq!((wrong, forwards), (vec![0], 0));
        assert_eq!(bound, 0.1 + own);
        // Beyond it by no more than the formula's rounding: excused, and looked at aside.
        let own = suspected(0.3, 0.03, 0.1, false).2;
        let off = 0.3 - 1e-3 * 10.3;
        for (part, is_excused) in [(0.8, true), (1.2, false)] {
            let (wrong, excused, _, bound, _) = suspected(0.3, 0.03, off - part * own, false);
            assert_eq!((wrong.is_empty(), excused.is_empty()), (is_excused, !is_excused), "{part}");
            assert!((bound - (off - part * own) - own).abs() < 1e-12);
        }
    }

    #[test]
    fn roundings_at_random_show_what_they_do() {
        let scene = Scene::new(&[2.5, -0.25]);
        let act = |aside: Aside<'_, '_>, state: &mut State<'_>, _: &mut Evidence| {
            let recorded = aside.on_tape.record(state).expect("it runs").expect("on the tape");
            let seen = aside.on_tape.rounding(state, &recorded);
            (recorded.bound, seen)
        };
        let (bound, seen) = scene.play(|_, w| 2.0 * w, act).0;
        for (bound, seen) in bound.iter().zip(&seen) {
            assert!(*seen > 0.0 && *seen < 1e-13, "{bound:e} {seen:e}");
        }
        // Where the tape is another one, nothing is known.
        let act = |aside: Aside<'_, '_>, state: &mut State<'_>, _: &mut Evidence| {
            let mut recorded = aside.on_tape.record(state).expect("it runs").expect("on the tape");
            recorded.ids.push(None);
            aside.on_tape.rounding(state, &recorded)
        };
        assert_eq!(scene.play(|_, w| 2.0 * w, act).0, [f64::INFINITY; 2]);
    }

    // ---- Doubt, and what differences confirm ----------------------------------------------------

    /// What the tape is said to have recorded of two components.
    fn recorded(derivative: [f64; 2], bound: f64) -> Recorded {
        Recorded {
            derivative: derivative.to_vec(),
            bound: vec![bound; 2],
            ids: Vec::new(),
            doubt: None,
            stepped: false,
        }
    }

    const TIE: Note = Note { event: Event::Tie, operation: "max", value: 0.0 };

    #[test]
    fn a_slope_is_held_against_a_plain_difference_to_five_digits() {
        let scene = Scene::new(&[2.5, -0.25]);
        for size in [1e-2, 1.0, 1e2] {
            let act = |_: Aside<'_, '_>, state: &mut State<'_>, _: &mut Evidence| {
                // A direction along which the slope is of such a size.
                let direction = Ray::listed(vec![size / 5.0, 0.0]);
                [0.99, 1.01, -0.99, -1.01].map(|part| {
                    let slope = size * (1.0 + 1e-5 * part);
                    is_slope(state, &direction, &[slope])
                })
            };
            assert_eq!(scene.play(|_, w| 2.0 * w, act).0, [true, false, true, false], "{size}");
        }
    }

    #[test]
    fn a_difference_refutes_what_the_tape_claims_to_know() {
        let doubt = |recorded: &Recorded| {
            Scene::new(&[2.5, -0.25])
                .play(
                    |_, w| 2.0 * w,
                    |aside, state, _| reason_to_doubt(state, aside.settings, recorded),
                )
                .0
        };
        assert_eq!(doubt(&recorded([5.0, -0.5], 1e-9)), None);
        assert_eq!(doubt(&recorded([5.5, -0.5], 1e-9)), Some(REFUTED));
        // Within its own bounds it is not refuted, nor where it knows nothing.
        assert_eq!(doubt(&recorded([5.5, -0.5], 1.0)), None);
        assert_eq!(doubt(&recorded([f64::NAN, -0.5], 1e-9)), None);
        assert_eq!(doubt(&recorded([5.5, -0.5], f64::INFINITY)), None);
    }

    #[test]
    fn a_forward_that_takes_steps_must_have_the_slope_of_its_tape() {
        let doubt = |at: [f64; 2], derivative: [f64; 2]| {
            let recorded = Recorded { stepped: true, ..recorded(derivative, 0.0) };
            Scene::new(&at)
                .play(
                    |_, w| 2.0 * w,
                    |aside, state, _| reason_to_doubt(state, aside.settings, &recorded),
                )
                .0
        };
        assert_eq!(doubt([2.5, -0.25], [5.0, -0.5]), None);
        assert_eq!(doubt([2.5, -0.25], [5.5, -0.5]), Some(ROUNDS));
        // One that stands still has none, on the tape or off it.
        assert_eq!(doubt([0.0, 0.0], [0.0, 0.0]), Some(ROUNDS));
    }

    /// Components to be judged aside, and those disputed.
    type Asked = (Vec<usize>, Vec<usize>);

    /// What is to be judged aside, or nothing if the tape is refuted, where
    /// both are suspects of a gradient that is three halves of the right one.
    fn confirmed(recorded: &Recorded) -> (Option<Asked>, Vec<Verdict>) {
        let scene = Scene::new(&[2.5, -0.25]);
        let act = |aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
            let suspects = Suspects { wrong: vec![0, 1], excused: Vec::new(), own: vec![0.0; 2] };
            confirm(state, aside.settings, recorded, evidence, &suspects)
                .map(|near| (near.components, near.disputed))
        };
        let (near, evidence) = scene.play(|_, w| 3.0 * w, act);
        (near, evidence.verdict)
    }

    #[test]
    fn a_suspect_is_wrong_unless_a_difference_refutes_the_tape() {
        let none = || Some((Vec::new(), Vec::new()));
        assert_eq!(confirmed(&recorded([5.0, -0.5], 1e-9)), (none(), vec![Verdict::Wrong; 2]));
        assert_eq!(confirmed(&recorded([5.5, -0.5], 1e-9)).0, None);
        // At a tie the tape may have taken another side: that is judged aside.
        let tied = Recorded { doubt: Some(TIE), ..recorded([5.5, -0.5], 1e-9) };
        assert_eq!(confirmed(&tied).0, Some((vec![0], vec![0])));
        // What the tape does not know is what the difference says, away from kinks.
        let unknown = recorded([f64::NAN, -0.5], 1e-9);
        assert_eq!(confirmed(&unknown), (none(), vec![Verdict::Wrong; 2]));
    }

    #[test]
    fn one_difference_aside_is_enough() {
        let forwards = |factor: f64| {
            let act = |aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
                let before = state.forwards;
                assert!(aside.judge(state, evidence).expect("it runs everywhere"));
                state.forwards - before
            };
            Scene::new(&[2.5, -0.25]).play(move |_, w| factor * w, act).0
        };
        let (right, wrong) = (forwards(2.0), forwards(3.0));
        let act = |aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
            let before = state.forwards;
            let there = recorded([5.0, -0.5], 0.0);
            let analytic = evidence.analytic.to_vec();
            assert!(!aside.is_refuted(state, &there, &analytic, 0));
            state.forwards - before
        };
        let once = Scene::new(&[2.5, -0.25]).play(|_, w| 2.0 * w, act).0;
        assert!(wrong > right && wrong - right < 2 * once, "{right} {wrong} {once}");
    }

    /// A problem and its forward on the tape, both at these parameters.
    fn on_tape<T>(
        at: &[f64],
        forwards: (impl Fn(&Vec<f64>) -> f64, impl Fn(&Vec<Var>) -> Var),
        act: impl FnOnce(&mut OnTape<'_>, &mut State<'_>) -> T,
    ) -> T {
        let mut w = at.to_vec();
        let mut taped: Vec<Var> = w.iter().map(|&w| Var::from(w)).collect();
        let session = Box::new(Here {
            parameters: &mut w,
            forward: forwards.0,
            gradient: |w: &Vec<f64>| vec![0.0; w.len()],
        });
        let taped =
            Here { parameters: &mut taped, forward: forwards.1, gradient: |_: &Vec<Var>| 0.0 };
        let case = crate::case::Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        state.examine("w").expect("a function");
        act(&mut OnTape { session: Box::new(taped), same_draw: true }, &mut state)
    }

    #[test]
    fn a_step_is_no_doubt_and_a_tie_is_one() {
        use num_traits::Float as _;
        type Forwards = (fn(&Vec<f64>) -> f64, fn(&Vec<Var>) -> Var);
        let noticed = |forwards: Forwards| {
            on_tape(&[2.5, 2.5], forwards, |on_tape, state| {
                let recorded = on_tape.record(state).expect("it runs").expect("on the tape");
                (recorded.stepped, recorded.doubt.map(|note| note.event))
            })
        };
        assert_eq!(noticed((|w| w[0] * w[1], |w| w[0] * w[1])), (false, None));
        assert_eq!(noticed((|w| w[0] + w[1].floor(), |w| w[0] + w[1].floor())), (true, None));
        let tied = noticed((|w| w[0].max(w[1]), |w| w[0].max(w[1])));
        assert_eq!(tied, (false, Some(Event::Tie)));
        // Of several the one that says most.
        let both = noticed((
            |w| (w[0] - 2.5).abs() + w[0].max(w[1]),
            |w| (w[0] - 2.5).abs() + w[0].max(w[1]),
        ));
        assert_eq!(both, (false, Some(Event::Tie)));
    }

    #[test]
    fn a_tape_that_is_full_says_so_and_another_panic_is_the_users() {
        let run = |cap: usize, falls: bool| {
            let many = |w: &Vec<f64>| (0..5_000).fold(w[0], |sum, _| sum + w[1]);
            let taped = move |w: &Vec<Var>| {
                assert!(!falls, "on the tape alone");
                (0..5_000).fold(w[0], |sum, _| sum + w[1])
            };
            on_tape(&[2.5, 1.5], (many, taped), |on_tape, state| {
                Tape::reset();
                let before = Tape::set_cap(cap);
                let run = on_tape.run(state);
                Tape::set_cap(before);
                run.map(|run| run.err())
            })
        };
        assert!(matches!(run(Tape::DEFAULT_CAP, false), Ok(None)));
        let Ok(Some(reason)) = run(1 << 10, false) else { panic!("it does not fit") };
        assert!(reason.contains("outgrows"), "{reason}");
        let Err(failure) = run(Tape::DEFAULT_CAP, true) else { panic!("it panics") };
        assert!(failure.to_string().contains("on the tape alone"), "{failure}");
    }

    #[test]
    fn a_line_has_one_component_where_outputs_are_contracted() {
        let eval = |w: Vec<f64>, probe: &mut Probe| {
            if let Some(dy) = probe.cotangent(vec![w[0] + w[1], w[0] * w[1], w[1]]) {
                probe.gradient(vec![dy[0] + dy[1] * w[1], dy[0] + dy[1] * w[0] + dy[2]]);
            }
            w
        };
        let wrt = |w: &mut Vec<f64>, places: &mut Places<'_>| places.place("w", w);
        let contracted = problem(|_: &mut Draw| vec![0.7, 1.9], wrt, eval);
        let case = crate::case::Case::new(0, 0);
        let mut state =
            State::draw(contracted.session(), &case, Convention::default()).expect("a state");
        state.examine("w").expect("a function");
        assert_eq!((state.form, state.outputs_count()), (Form::Gradient, 3));
        assert_eq!(Line::Coordinate(1).components(&state), [1]);
    }

    #[test]
    fn aside_the_bound_of_the_tape_is_allowed_for() {
        // Whether it is far off, and right, where it is off by so many bounds of the tape, and so
        // many roundings of the formula, more than a thousandth of the sum.
        let look = |blur: f64, bounds: f64, roundings: f64| {
            let scene = Scene { blur, ..Scene::new(&[2.5]) };
            let act = |mut aside: Aside<'_, '_>, state: &mut State<'_>, evidence: &mut Evidence| {
                let there = aside.on_tape.record(state).expect("it runs").expect("on the tape");
                let own = own_rounding(state, &there, &evidence.analytic, &[0])[0];
                let off = (10e-3 + bounds * there.bound[0] + roundings * own) / (1.0 - 1e-3);
                let mut right = vec![false];
                let (_, far) =
                    aside.look(state, evidence, &[5.0 + off], &mut right).expect("on the tape");
                (!far.is_empty(), right[0])
            };
            scene.play(|_, w| 2.0 * w, act).0
        };
        // A bound below what is allowed: right up to both.
        assert_eq!(look(1e13, 0.9, 0.0), (false, true));
        assert_eq!(look(1e13, 1.1, 0.0), (false, false));
        // A bound above it: neither right nor far up to both and the rounding.
        assert_eq!(look(1e14, 0.0, 0.0), (false, false));
        assert_eq!(look(1e14, 0.5, 1.0), (false, false));
        assert_eq!(look(1e14, 1.5, 1.0), (true, false));
    }
}
