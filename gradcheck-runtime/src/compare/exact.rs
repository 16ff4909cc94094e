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
    let spread = state.spread(asked, REACHES);
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
            Tape::shake(random::hash(state.seed(), 0x7368_616b + number).max(1));
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
}
