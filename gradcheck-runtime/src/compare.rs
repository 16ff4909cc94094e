//! The verdict on one state: analytic against numeric, component by component.
use std::sync::Arc;

use crate::evidence::{Column, Evidence, Slope, Verdict, norm};
use crate::failure::Failure;
use crate::numeric::{self, Estimate, Finding, Kernel, Noise, Target};
use crate::random;
use crate::ray::Ray;
use crate::settings::{Method, Settings};
use crate::state::{Form, State};

mod directional;
pub(crate) mod exact;
mod kinks;
#[cfg(test)]
mod tests;

/// Wrong components that are confirmed one by one; beyond them the first steps must do.
const CONFIRMED: usize = 24;
/// Components up to which a state's small ones are fitted as well.
const FITTED_ALL: usize = 256;
/// Forwards that fits may cost in one state, and never more than twice its parameters beyond.
const FITS: usize = 10_000;
/// Roundings of the forward that a coordinate may hide which does not move it at all: over the
/// widest of steps, and as many as are allowed for elsewhere.
const STILL: f64 = 128.0;
/// Slopes that are none, in smallest normal numbers.
const UNDERFLOW: f64 = 1e4;
/// Half widths, in scales of the parameter, over which a gradient's mean is compared with the
/// difference of the forward.
const WIDTHS: [f64; 3] = [0.004, NARROW, 0.25];
/// The narrowest of them that is compared whatever the rounding.
const NARROW: f64 = 0.0625;
/// Components whose mean does not bear them out; beyond them no other is asked.
const REFUTED: usize = 8;
/// Wrong components next to a kink that are looked at again off the kink.
const ASIDE: usize = 24;

impl Bench {
    /// The size of the gradient around the state.
    fn around(&mut self, state: &mut State<'_>) -> &[f64] {
        self.around.get_or_insert_with(|| state.around(None))
    }

    /// The same of some components.
    fn around_at(&self, state: &mut State<'_>, asked: &[usize]) -> Vec<f64> {
        match &self.around {
            Some(around) => asked.iter().map(|&i| around[i]).collect(),
            None => state.around(Some(asked)),
        }
    }

    /// One component of a gradient, measured by itself.
    fn component(
        &mut self,
        state: &mut State<'_>,
        i: usize,
        analytic: f64,
        tolerance: f64,
    ) -> Estimate {
        let target = Target { analytic, tolerance, noise: self.noise[0] };
        let mut estimates = Vec::new();
        let epsilon = self.epsilon;
        self.kernel.differentiate(&mut state.coordinate(i), epsilon, &[target], &mut estimates);
        estimates[0]
    }
}

/// Judges a state by the method that the settings ask for.
///
/// # Errors
/// Only where the user's code fails in a way that the state had not shown before.
pub(crate) fn judge(
    state: &mut State<'_>,
    settings: &Settings,
    analytic: Vec<f64>,
    steps: usize,
    cases: usize,
) -> Result<Evidence, Failure> {
    let probes = match settings.method {
        Method::Exhaustive => None,
        Method::Directional { probes } => Some((probes.max(1), 0)),
        Method::Auto => {
            let forwards = 2 * state.primal.values.len() * cases;
            (forwards > Method::AUTO_FORWARDS).then_some((AUTO_PROBES, AUTO_SAMPLE))
        }
    };
    match probes {
        // A Jacobian's outputs are judged one by one, and a tangent is a direction already.
        Some((probes, sample)) if state.form == Form::Gradient => {
            directional::directional(state, settings, analytic, steps, probes, sample)
        }
        _ => exhaustive(state, settings, analytic, steps),
    }
}

/// Directions for each block, and components of each that are also measured by themselves, where
/// [`Method::Auto`] takes directions.
const AUTO_PROBES: u32 = 2;
const AUTO_SAMPLE: usize = 2;

/// What every component of a state is judged against.
struct Bench {
    noise: Vec<Noise>,
    epsilon: f64,
    kernel: Kernel,
    /// See [`State::around`]; not needed for most states.
    around: Option<Vec<f64>>,
    /// Height of the stairs that the forward moves in, see [`numeric::stairs`], once asked for.
    stairs: Option<f64>,
}

/// The numeric derivative of every component, and the verdict on each.
///
/// # Errors
/// Only where the user's code fails in a way that the state had not shown before.
fn exhaustive(
    state: &mut State<'_>,
    settings: &Settings,
    analytic: Vec<f64>,
    steps: usize,
) -> Result<Evidence, Failure> {
    let unknown = [f64::NAN, f64::INFINITY].map(|value| vec![value; analytic.len()].into());
    let mut evidence = unjudged(state, settings, analytic, steps, unknown);
    let mut bench = bench(state, settings);
    let mut suspects = Vec::new();
    match state.form {
        Form::Tangent => {
            along_tangent(state, &mut evidence, &mut bench, &mut suspects);
        }
        Form::Gradient | Form::Jacobian => {
            let all = 0..state.primal.values.len();
            exhaustive_over(state, &mut evidence, &mut bench, all, &mut suspects);
        }
    }
    if evidence.verdict.contains(&Verdict::Undecided) {
        // All of it, which the suspects may need as well.
        bench.around(state);
        lenient(&mut evidence, |open| bench.around_at(state, open));
        refine(state, &mut evidence, &mut bench, &mut suspects);
    }
    acquit(state, &mut evidence, &mut bench, &suspects)?;
    lenient(&mut evidence, |open| bench.around_at(state, open));
    level(state, &mut evidence);
    kinks::judge(state, &mut evidence);
    Ok(evidence)
}

/// Measures again, with fits allowed, what differences left open and is not negligible.
fn refine(
    state: &mut State<'_>,
    evidence: &mut Evidence,
    bench: &mut Bench,
    suspects: &mut Vec<Suspect>,
) {
    bench.kernel.allow_fits(FITS.max(2 * state.primal.values.len()));
    let open = worth_a_fit(evidence);
    match state.form {
        Form::Gradient => {
            for i in (0..open.len()).filter(|&i| open[i]) {
                if bench.kernel.may_fit() {
                    let g = evidence.analytic[i];
                    let estimate = bench.component(state, i, g, evidence.tolerance_of(i));
                    record(evidence, i, &estimate, suspects);
                }
            }
        }
        // Outputs share their line: a line is measured again as a whole, unless one is wrong on it.
        Form::Jacobian => {
            let outputs = bench.noise.len();
            for i in 0..state.primal.values.len() {
                let components: Vec<usize> = (0..outputs).map(|j| state.component(i, j)).collect();
                let wrong = |&c: &usize| evidence.verdict[c] == Verdict::Wrong;
                if bench.kernel.may_fit()
                    && components.iter().any(|&c| open[c])
                    && !components.iter().any(wrong)
                {
                    exhaustive_over(state, evidence, bench, i..i + 1, suspects);
                }
            }
        }
        Form::Tangent => {
            if open.contains(&true) && !evidence.verdict.contains(&Verdict::Wrong) {
                along_tangent(state, evidence, bench, suspects);
            }
        }
    }
    bench.kernel.allow_fits(0);
}

/// Components that are open; in a large state those alone that are so by more than the tolerance
/// of their block's root mean square.
fn worth_a_fit(evidence: &Evidence) -> Vec<bool> {
    let mut open = vec![false; evidence.analytic.len()];
    let large = open.len() > FITTED_ALL;
    for (block, &tolerance) in evidence.blocks.iter().zip(&evidence.tolerance) {
        let own = &evidence.analytic[block.range.clone()];
        let size = tolerance * norm(own.iter().copied()) / (own.len() as f64).sqrt();
        for i in block.range.clone() {
            let difference = (evidence.analytic[i] - evidence.numeric[i]).abs();
            let negligible = large && difference <= size && evidence.bound[i] <= size;
            open[i] = evidence.verdict[i] == Verdict::Undecided && !negligible;
        }
    }
    open
}

/// Measures every output along the tangent.
fn along_tangent(
    state: &mut State<'_>,
    evidence: &mut Evidence,
    bench: &mut Bench,
    suspects: &mut Vec<Suspect>,
) {
    let tangent = state.along_tangent();
    let targets: Vec<Target> = (bench.noise.iter().enumerate())
        .map(|(j, &noise)| Target {
            analytic: evidence.analytic[j],
            tolerance: evidence.tolerance_of(j),
            noise,
        })
        .collect();
    let mut estimates = Vec::new();
    let epsilon = bench.epsilon;
    bench.kernel.differentiate(&mut state.along(&tangent), epsilon, &targets, &mut estimates);
    for (j, estimate) in estimates.iter().enumerate() {
        record(evidence, j, estimate, suspects);
    }
}

/// Measures every component of the parameters in `range`, one after another.
fn exhaustive_over(
    state: &mut State<'_>,
    evidence: &mut Evidence,
    bench: &mut Bench,
    range: std::ops::Range<usize>,
    suspects: &mut Vec<Suspect>,
) {
    let mut estimates = Vec::new();
    let mut targets = Vec::new();
    for i in range {
        targets.clear();
        // A Jacobian's blocks are those of the parameters: all outputs have one tolerance.
        let tolerance = evidence.tolerance_of(state.component(i, 0));
        for (j, &noise) in bench.noise.iter().enumerate() {
            let analytic = evidence.analytic[state.component(i, j)];
            targets.push(Target { analytic, tolerance, noise });
        }
        bench.kernel.brief(suspects.len() >= CONFIRMED);
        let epsilon = bench.epsilon;
        bench.kernel.differentiate(&mut state.coordinate(i), epsilon, &targets, &mut estimates);
        for (j, estimate) in estimates.iter().enumerate() {
            record(evidence, state.component(i, j), estimate, suspects);
        }
    }
    bench.kernel.brief(false);
}

/// A component that is called wrong, and whether its line has a kink at the state.
#[derive(Clone, Copy)]
struct Suspect {
    component: usize,
    near_kink: bool,
}

fn unjudged(
    state: &State<'_>,
    settings: &Settings,
    analytic: impl Into<Arc<Vec<f64>>>,
    steps: usize,
    [numeric, bound]: [Column; 2],
) -> Evidence {
    let analytic = analytic.into();
    let count = analytic.len();
    let roundoff = state.output_roundoff();
    let tolerance =
        state.blocks.iter().map(|b| settings.tolerance_at(b.roundoff.max(roundoff))).collect();
    Evidence {
        blocks: state.blocks.clone(),
        dims: state.dims.iter().map(|d| (d.name.clone(), d.value)).collect(),
        steps,
        primal: Vec::new(),
        analytic,
        numeric,
        bound,
        verdict: vec![Verdict::Undecided; count],
        tolerance,
        directions: Vec::new(),
    }
}

fn bench(state: &mut State<'_>, settings: &Settings) -> Bench {
    let direction = state.noise_direction();
    let noise = numeric::estimate_noise(&mut state.along(&direction));
    let roundoff = state.primal.roundoff().max(state.output_roundoff());
    Bench {
        noise,
        epsilon: settings.epsilon_at(roundoff),
        kernel: Kernel::default(),
        around: None,
        stairs: None,
    }
}

fn record(
    evidence: &mut Evidence,
    component: usize,
    estimate: &Estimate,
    suspects: &mut Vec<Suspect>,
) {
    evidence.numeric[component] = estimate.numeric;
    evidence.bound[component] = estimate.bound;
    evidence.verdict[component] = match estimate.finding {
        Finding::Agrees => Verdict::Agrees,
        Finding::Kink => Verdict::Kink,
        Finding::Undecided => Verdict::Undecided,
        Finding::Wrong { near_kink } => {
            suspects.push(Suspect { component, near_kink });
            Verdict::Wrong
        }
    };
}

/// Takes back what the user's own rounding explains, and what is right off the kink.
fn acquit(
    state: &mut State<'_>,
    evidence: &mut Evidence,
    bench: &mut Bench,
    suspects: &[Suspect],
) -> Result<(), Failure> {
    if suspects.is_empty() {
        return Ok(());
    }
    let asked: Vec<usize> = suspects.iter().map(|s| s.component).collect();
    let direction = state.noise_direction();
    let inner = state.output_roundoff();
    let inner = numeric::inner_roundoff(&mut state.along(&direction), inner);
    let gradients = [&evidence.analytic[..], bench.around(state)];
    let effect = state.effect(gradients);
    let sizes = state.sizes(gradients, effect, &asked);
    let own = state.analytic_bound(&asked, &sizes, effect, inner);
    let rounding = 1e4 * state.primal.roundoff().max(inner);
    let mut unseen = Unseen::of(&direction, bench);
    let scalar = state.form == Form::Gradient;
    let coarse = scalar && state.is_coarse();
    // Exponentials underflow on the way to numbers that do not.
    let single = state.primal.roundoff() > 1e-10;
    let least = if single { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    let underflow = UNDERFLOW * least;
    let (mut aside, mut borne_out, mut refuted) = (Vec::new(), Vec::new(), 0);
    // A gradient that is wrong all over is not wrong because of a tie.
    let around = match scalar && !coarse && asked.len() <= ASIDE {
        true => kinks::jumps(state, &asked),
        false => Vec::new(),
    };
    let mut saturated = Saturated::new(scalar, state.primal.roundoff());
    for (k, ((suspect, (floor, seen)), size)) in suspects.iter().zip(own).zip(sizes).enumerate() {
        let i = suspect.component;
        let floor = floor.max(underflow);
        let own = floor.max(seen);
        let (g, d) = (evidence.analytic[i], evidence.numeric[i]);
        let allowed = evidence.tolerance_of(i) * (g.abs() + d.abs());
        let excused = |own: f64| (g - d).abs() <= allowed + evidence.bound[i] + own;
        let hidden = if scalar {
            unseen.slope(state, i, [g, d], |hidden| excused(own.max(hidden)))
        } else {
            0.0
        };
        let jumps = seen > hidden.max(floor) && seen > rounding * size;
        let own = own.max(hidden);
        let lost = saturated
            .rounding(state, &mut unseen, &asked, k, (g - d).abs(), |lost| excused(own.max(lost)));
        let own = own.max(lost);
        let excused = excused(own);
        if excused {
            evidence.verdict[i] = Verdict::Undecided;
        }
        evidence.bound[i] += own;
        if excused && lost > 0.0 {
            continue;
        }
        if coarse && refuted < REFUTED {
            if is_borne_out(state, i, (g - d).abs(), 2.0 * numeric::CERTAIN * bench.noise[0].level)
            {
                let kink = suspect.near_kink && !excused;
                evidence.verdict[i] = if kink { Verdict::Kink } else { Verdict::Undecided };
                evidence.bound[i] -= own;
                borne_out.push((i, own));
                continue;
            }
            refuted += 1;
        }
        // Along its own line a component of an order statistic has no kink at a tie.
        let size = 1e-3 * (g.abs() + d.abs());
        let jumps_aside = around.get(k).is_some_and(|&jump| jump > size.max(0.3 * (g - d).abs()));
        if suspect.near_kink || (excused && jumps) || (!excused && jumps_aside) {
            // A gradient that jumps from one neighbour to the next is on a kink, or excuses
            // itself: it is judged where it does not.
            aside.push((i, own));
        }
    }
    // The mean says nothing of a value that the gradient has at the state alone.
    let components: Vec<usize> = borne_out.iter().map(|&(i, _)| i).collect();
    let strange = kinks::strange(state, evidence, &components);
    for (i, own) in borne_out {
        match strange.contains(&i) {
            true => evidence.verdict[i] = Verdict::Wrong,
            false => evidence.bound[i] += own,
        }
    }
    if state.form != Form::Gradient || aside.is_empty() {
        return Ok(());
    }
    // Where one-sided derivatives differ, a program's derivative need not lie between them:
    // several kinks may meet. A gradient that is right all around is right there too.
    let mut wrong_aside = vec![false; aside.len()];
    let mut right_aside = vec![false; aside.len()];
    for trial in 0..2 {
        let Ok((home, gradient)) = state.move_aside(trial) else { continue };
        for (k, &(i, _)) in aside.iter().enumerate().take(ASIDE) {
            match bench.component(state, i, gradient[i], evidence.tolerance_of(i)).finding {
                Finding::Wrong { .. } => wrong_aside[k] = true,
                Finding::Agrees => right_aside[k] = true,
                Finding::Kink | Finding::Undecided => {}
            }
        }
        state.move_back(home)?;
    }
    let none_wrong = !wrong_aside.contains(&true);
    for (k, &(i, own)) in aside.iter().enumerate() {
        evidence.verdict[i] = match k < ASIDE {
            true if wrong_aside[k] => Verdict::Wrong,
            true if right_aside[k] => Verdict::Kink,
            true => Verdict::Undecided,
            false if none_wrong => Verdict::Kink,
            false => Verdict::Wrong,
        };
        if evidence.verdict[i] != Verdict::Undecided {
            // Judged by what was seen aside, where its own jumps have no part.
            evidence.bound[i] -= own;
        }
    }
    Ok(())
}

/// Whether the forward does not move at all, beside what the gradient says.
fn stands_still(analytic: f64, numeric: f64) -> bool {
    numeric.abs() <= 1e-9 * analytic.abs()
}

/// What the forward may do without its showing on the steps along one parameter.
struct Unseen<'a> {
    direction: &'a Ray,
    /// Rounding of what the forward is made of, which shows once all parameters have moved, once
    /// it is asked for: that far away a forward may not end.
    reach: Option<f64>,
    /// Deviation of the noise around the state.
    noise: f64,
    /// Height of the stairs that it moves in, once it is asked for.
    stairs: Option<f64>,
    /// Components that have no other slope across them.
    refuted: usize,
}

impl<'a> Unseen<'a> {
    fn of(direction: &'a Ray, bench: &Bench) -> Unseen<'a> {
        Unseen {
            direction,
            reach: None,
            noise: bench.noise[0].level,
            stairs: bench.stairs,
            refuted: 0,
        }
    }

    fn reach(&mut self, state: &mut State<'_>) -> f64 {
        let look = || numeric::reach(&mut state.along(self.direction), 0);
        *self.reach.get_or_insert_with(look)
    }

    /// How large a slope may be missing from the numeric one of parameter `i`; no more is asked
    /// for than it takes to be excused.
    fn slope(
        &mut self,
        state: &mut State<'_>,
        i: usize,
        [analytic, numeric]: [f64; 2],
        excused: impl Fn(f64) -> bool,
    ) -> f64 {
        let still = match stands_still(analytic, numeric) {
            true => STILL * self.reach(state) / state.scale_of(i),
            false => 0.0,
        };
        if excused(still) {
            return still;
        }
        // Others may move in stairs that no step along this one has met. Those that are no higher
        // than the noise are in the bound.
        let height = || numeric::stairs(&mut state.along(self.direction), self.noise);
        let height = *self.stairs.get_or_insert_with(height);
        if height == 0.0 {
            return still;
        }
        let met = still.max(2.0 * height / numeric::widest_step(&mut state.coordinate(i)));
        let off = (analytic - numeric).abs();
        if excused(met) || self.refuted >= REFUTED {
            return met;
        }
        // A step between two stairs has not their slope.
        if numeric::fits_across(&mut state.coordinate(i), height, analytic, off) {
            return off;
        }
        self.refuted += 1;
        met
    }
}

/// What a saturated gradient has lost: `p - 1` rounds as one does, however small it is itself.
struct Saturated {
    /// Unit roundoff; `None` where no gradient is looked at.
    roundoff: Option<f64>,
    /// How large each component is where it is not saturated.
    sizes: Option<Vec<f64>>,
    /// Components whose stairs were looked for in vain.
    refuted: usize,
    /// What the forward has lost, once asked for.
    forward: Option<f64>,
}

impl Saturated {
    /// Components that move in no stairs; beyond them no other is asked.
    const REFUTED: usize = 4;
    /// Roundings of its unsaturated size that a component may be off by.
    const MOST: f64 = 256.0;
    /// Roundings of the forward, or of one, that a component may do to it over its parameter's
    /// scale for its being off: what is more is no rounding, and looks for it go far away.
    const SLIGHT: f64 = 1e6;
    /// Heights of stairs that are roundings, in units of that size's: of one of the terms of a
    /// mean they may be far smaller, and larger where unsaturated terms cancel.
    const STAIRS: std::ops::Range<f64> = 1e-5..64.0;

    fn new(scalar: bool, roundoff: f64) -> Saturated {
        let roundoff = scalar.then_some(roundoff);
        Saturated { roundoff, sizes: None, refuted: 0, forward: None }
    }

    /// The rounding of the component that stands at `k` among those `asked` about, which is off by
    /// so much: some of the stairs in which it moves, where these are roundings of what it is
    /// unsaturated, or of those of the forward over its parameter's scale. 0 where it is `excused`
    /// already, or by far too much off.
    fn rounding(
        &mut self,
        state: &mut State<'_>,
        unseen: &mut Unseen<'_>,
        asked: &[usize],
        k: usize,
        off: f64,
        excused: impl Fn(f64) -> bool,
    ) -> f64 {
        let Some(roundoff) = self.roundoff.filter(|_| !excused(0.0)) else { return 0.0 };
        let scale = state.scale_of(asked[k]);
        if off * scale > Saturated::SLIGHT * roundoff * state.output_size().max(1.0) {
            return 0.0;
        }
        let sizes = self.sizes.get_or_insert_with(|| state.sizes_shrunk(asked));
        let heights = |one: f64| Saturated::STAIRS.start * one..Saturated::STAIRS.end * one;
        let (i, one) = (asked[k], roundoff * sizes[k]);
        if off <= Saturated::MOST * one && self.refuted < Saturated::REFUTED {
            let lost = state.lost_in_stairs(i, heights(one));
            self.refuted += usize::from(lost == 0.0);
            if excused(lost) {
                return lost;
            }
        }
        let reach = unseen.reach(state);
        if off * scale > Saturated::MOST * reach {
            return 0.0;
        }
        let look = || state.forward_lost_in_stairs(heights(reach));
        *self.forward.get_or_insert_with(look) / scale
    }
}

/// Whether the means of component `i` of the user's gradient over steps to both sides are the
/// differences of the forward over those steps, far nearer than what is `missing` at the state.
/// Then kinks within the steps explain that: in single precision none is narrow enough to be free
/// of them. A narrow step on which `rounding` alone may be of that size says nothing.
fn is_borne_out(state: &mut State<'_>, i: usize, missing: f64, rounding: f64) -> bool {
    let scale = state.scale_of(i);
    WIDTHS.into_iter().all(|width| {
        let width = width * scale;
        let close = 0.3 * missing;
        if width < NARROW * scale && rounding / width > close {
            return true;
        }
        let Some(sides) = state.means_and_slopes(i, width) else { return false };
        sides.into_iter().all(|(mean, slope)| (mean - slope).abs() <= close)
    })
}

/// A measured component that cannot be resolved beside itself agrees if both its difference and
/// its bound are under the tolerance beside what it is where the state would be half its scale
/// away, which `around` tells of the open ones. At a stationary point every gradient is rounding,
/// and agrees if it is no more.
fn lenient(evidence: &mut Evidence, around: impl FnOnce(&[usize]) -> Vec<f64>) {
    let mut open: Vec<usize> = evidence.numeric.own(0..evidence.analytic.len()).collect();
    open.retain(|&i| evidence.verdict[i] == Verdict::Undecided);
    if open.is_empty() {
        return;
    }
    for (&i, around) in open.iter().zip(around(&open)) {
        let allowed = evidence.tolerance_of(i) * evidence.analytic[i].abs().max(around);
        let difference = (evidence.analytic[i] - evidence.numeric[i]).abs();
        if difference <= allowed && evidence.bound[i] <= allowed {
            evidence.verdict[i] = Verdict::Agrees;
        }
    }
}

/// Where the gradient claims that the forward is level (a bias before a normalisation), being zero
/// but for the rounding of its own largest component, a measured component agrees if the forward
/// does not move on its parameter's scale by more than its own rounding, and by nothing beside what
/// the tolerance is of that largest component. Beside itself a zero has no digits to agree in.
fn level(state: &State<'_>, evidence: &mut Evidence) {
    let mut open: Vec<usize> = evidence.numeric.own(0..evidence.analytic.len()).collect();
    open.retain(|&i| evidence.verdict[i] == Verdict::Undecided);
    if state.form != Form::Gradient || open.is_empty() {
        return;
    }
    let gradients = [&evidence.analytic[..]; 2];
    let sizes = state.sizes(gradients, state.effect(gradients), &open);
    let rounding = STILL * state.output_roundoff() * state.output_size();
    for (&i, size) in open.iter().zip(sizes) {
        let moves = evidence.numeric[i].abs() + evidence.bound[i];
        let is_zero = evidence.analytic[i].abs() <= 16.0 * state.roundoff_of(i) * size;
        let is_level = moves * state.scale_of(i) <= rounding;
        if is_zero && is_level && moves <= evidence.tolerance_of(i) * size {
            evidence.verdict[i] = Verdict::Agrees;
        }
    }
}

/// Faults planted in a gradient that was judged, and how many would have been caught: a check
/// that cannot fail is no check. No forward is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// Faults that change the gradient at all.
    pub planted: usize,
    /// Those that the evidence would have shown to be wrong.
    pub caught: usize,
    /// The same by kind, in the order of [`Planted::KINDS`]: planted, and caught.
    pub by_kind: [(usize, usize); Planted::KINDS.len()],
    /// For each block: a zero or a flipped sign in its place would have been wrong.
    pub exercised: Vec<bool>,
}

impl Planted {
    /// What is planted in each block, in words.
    pub const KINDS: [&'static str; 5] =
        ["zero block", "flipped sign", "scaled by 1.01", "transposed", "one component doubled"];
}

/// Whether the evidence would have shown `value` in the place of component `i` to be wrong.
fn would_be_wrong(evidence: &Evidence, tolerance: f64, i: usize, value: f64) -> bool {
    let numeric = evidence.numeric[i];
    let difference = (value - numeric).abs();
    difference > tolerance * (value.abs() + numeric.abs()) + evidence.bound[i]
}

/// A fault of one block, and what it comes to along a direction through the block.
struct Fault<'a> {
    changes: bool,
    /// What stands in the place of component `k`, counted within the block.
    value: &'a dyn Fn(usize) -> f64,
    /// By how much the analytic slope moves.
    moves: &'a dyn Fn(&Slope) -> f64,
}

/// Plants signs, scales, transpositions, zeros and single components in every block.
pub(crate) fn plant(evidence: &Evidence) -> Planted {
    let mut result = Planted::default();
    for (block, &tolerance) in evidence.blocks.iter().zip(&evidence.tolerance) {
        let start = block.range.start;
        let g = &evidence.analytic[block.range.clone()];
        let rows = if block.shape.len() == 2 && block.shape[0] == block.shape[1] {
            block.shape[0]
        } else {
            0
        };
        let turned = |k: usize| if rows > 1 { g[(k % rows) * rows + k / rows] } else { g[k] };
        let alone = random::hash_text(g.len() as u64, &block.name) as usize % g.len().max(1);
        let entry = |slope: &Slope, k| slope.scale * directional::entry(slope.tag, start + k);
        let any = g.iter().any(|&g| g != 0.0);
        let faults = [
            Fault { changes: any, value: &|_| 0.0, moves: &|slope| -slope.analytic },
            Fault { changes: any, value: &|k| -g[k], moves: &|slope| -2.0 * slope.analytic },
            Fault { changes: any, value: &|k| 1.01 * g[k], moves: &|slope| 0.01 * slope.analytic },
            Fault {
                changes: (0..g.len()).any(|k| turned(k) != g[k]),
                value: &turned,
                moves: &|slope| (0..g.len()).map(|k| (turned(k) - g[k]) * entry(slope, k)).sum(),
            },
            Fault {
                changes: g.get(alone).is_some_and(|&g| g != 0.0),
                value: &|k| if k == alone { 2.0 * g[k] } else { g[k] },
                moves: &|slope| g[alone] * entry(slope, alone),
            },
        ];
        let slopes = || {
            let own = |s: &&Slope| s.range == block.range && s.verdict == Verdict::Agrees;
            evidence.directions.iter().filter(own)
        };
        let mut exercised = false;
        for (number, fault) in faults.iter().enumerate().filter(|(_, fault)| fault.changes) {
            let shows = |i| would_be_wrong(evidence, tolerance, i, (fault.value)(i - start));
            let off = |slope: &Slope| slope.analytic + (fault.moves)(slope) - slope.numeric;
            let caught = evidence.bound.own(block.range.clone()).any(shows)
                || slopes().any(|slope| off(slope).abs() > slope.bound);
            result.planted += 1;
            result.caught += usize::from(caught);
            result.by_kind[number].0 += 1;
            result.by_kind[number].1 += usize::from(caught);
            exercised |= caught && number < 2;
        }
        result.exercised.push(exercised);
    }
    result
}
