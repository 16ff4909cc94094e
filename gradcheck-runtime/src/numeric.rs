//! The numeric derivative of the forward along one direction, with its error bound.
//!
//! One kernel serves every form of check: [`Line`] is the forward restricted to a straight line
//! through the state, and [`Kernel::differentiate`] finds the derivative of each of its outputs
//! at 0, only as precisely as the analytic value at hand asks for.
//!
//! The first central difference takes the smallest step at which the forward's noise is small
//! beside `tolerance * |analytic|`; nothing narrower could settle the question, and anything
//! wider only meets more kinks. Where it does not settle the component, a ladder of steps is
//! climbed until one of its extrapolated differences does.
//!
//! Sources: that noise is to be estimated from nearby values, and from a wider spacing where they
//! do not move, is More and Wild's ("Estimating computational noise", SIAM J. Sci. Comput. 33,
//! 2011); here it is the scatter around a parabola at irregular points, which a regular grid of
//! rounded values does not fool as it does a table of differences. The ladder is Richardson's
//! extrapolation as Ridders uses it ("Accurate computation of F'(x) and F'(x) F''(x)", Adv. Eng.
//! Softw. 4, 1982), with the choice of the step whose truncation and rounding together are least.

use std::ops::Range;
use std::sync::LazyLock;

use crate::evidence::norm;
use crate::random;
use fit::{Basis, Fit, fit};

mod fit;

/// The forward along a line: `y(t) = f(theta + t u) - f(theta)`, one value for each output.
pub(crate) trait Line {
    /// Number of outputs.
    fn outputs(&self) -> usize;
    /// Evaluates at `t` as nearly as the scalar type can represent it. `y` receives the change
    /// of each output, `floor` the rounding that each cannot be without. Returns the step
    /// really taken, or `None` where the forward has no finite value.
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64>;
    /// The length on which the line's coordinates are of order one.
    fn scale(&self) -> f64;
    /// Unit roundoff of the coordinates.
    fn roundoff(&self) -> f64;
    /// `|theta|` along the line; below `roundoff * magnitude` no step exists.
    fn magnitude(&self) -> f64;
}

/// The forward's noise at the state, for one output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Noise {
    /// Standard deviation of the rounding in one evaluation.
    pub(crate) level: f64,
    /// That level, over the unit roundoff of the value: how many roundings show.
    pub(crate) ratio: f64,
}

/// No higher than this, noise is rounding of the values themselves.
const FINE: Noise = Noise { level: 0.0, ratio: 16.0 };

impl Noise {
    /// More than rounding of the values themselves makes.
    fn is_coarse(&self) -> bool {
        self.ratio > FINE.ratio
    }
}

/// What is asked about one output of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The user's value.
    pub(crate) analytic: f64,
    pub(crate) tolerance: f64,
    pub(crate) noise: Noise,
}

impl Target {
    /// The difference that the tolerance allows.
    fn allowed(&self, numeric: f64) -> f64 {
        self.tolerance * (self.analytic.abs() + numeric.abs())
    }

    /// A difference under the tolerance, with a bound small enough to say so.
    fn agrees(&self, numeric: f64, bound: f64) -> bool {
        let allowed = self.allowed(numeric);
        (self.analytic - numeric).abs() <= allowed && bound * (LIKELY / CERTAIN) <= allowed
    }
}

/// What the differences said about one output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finding {
    /// The analytic value is the derivative, to the tolerance.
    Agrees,
    /// The analytic value lies between two different one-sided derivatives.
    Kink,
    /// The bound is too wide to tell.
    Undecided,
    /// The analytic value lies outside the bound, at more than one step.
    Wrong {
        /// The one-sided derivatives differ there: look again off the kink.
        near_kink: bool,
    },
}

/// A derivative and what it is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) numeric: f64,
    pub(crate) bound: f64,
    pub(crate) finding: Finding,
}

impl Estimate {
    /// Worth a second look: wrong, or excused by a kink.
    fn is_grave(&self) -> bool {
        matches!(self.finding, Finding::Wrong { .. } | Finding::Kink)
    }
}

/// Roundings that a difference is trusted beyond, for saying that a value is wrong.
pub(crate) const CERTAIN: f64 = 6.0;
/// The same, for saying that it agrees: agreement within the tolerance is itself evidence.
const LIKELY: f64 = 2.0;

/// Roundings of the value that a difference must show beyond over the narrowest steps.
const CLOSER: f64 = 30.0;

/// Half widths of the windows that are fitted, in units of the coordinate's scale.
const WINDOWS: [f64; 5] = [2.0, 0.6, 0.18, 0.05, 0.015];

/// One pair of samples at `+t` and `-t`.
#[derive(Clone, Debug, Default)]
struct Level {
    step: f64,
    plus: f64,
    minus: f64,
    y_plus: Vec<f64>,
    y_minus: Vec<f64>,
    floor_plus: Vec<f64>,
    floor_minus: Vec<f64>,
    usable: bool,
}

impl Level {
    /// Takes the samples.
    fn take(&mut self, line: &mut dyn Line, step: f64) {
        let outputs = line.outputs();
        for values in
            [&mut self.y_plus, &mut self.y_minus, &mut self.floor_plus, &mut self.floor_minus]
        {
            values.resize(outputs, 0.0);
        }
        let plus = line.sample(step, &mut self.y_plus, &mut self.floor_plus);
        let minus = match plus {
            Some(_) => line.sample(-step, &mut self.y_minus, &mut self.floor_minus),
            None => None,
        };
        (self.step, self.usable) = (step, false);
        if let (Some(plus), Some(minus)) = (plus, minus)
            && plus > 0.0
            && minus < 0.0
        {
            (self.plus, self.minus, self.usable) = (plus, -minus, true);
            self.step = 0.5 * (plus - minus);
        }
    }
    fn central(&self, output: usize) -> f64 {
        (self.y_plus[output] - self.y_minus[output]) / (self.plus + self.minus)
    }
    fn forward(&self, output: usize) -> f64 {
        self.y_plus[output] / self.plus
    }
    fn backward(&self, output: usize) -> f64 {
        -self.y_minus[output] / self.minus
    }
    /// By how much the one-sided slopes differ.
    fn gap(&self, output: usize) -> f64 {
        self.forward(output) - self.backward(output)
    }
    /// Standard deviation of the noise in one of the two samples.
    fn noise(&self, output: usize, noise: Noise) -> f64 {
        let floor = self.floor_plus[output].max(self.floor_minus[output]);
        noise.level.max(noise.ratio * floor)
    }
    /// Bound of the noise in the central difference.
    fn central_noise(&self, output: usize, noise: Noise) -> f64 {
        CERTAIN * self.noise(output, noise) / self.step
    }
    /// The most that the output moves.
    fn height(&self, output: usize) -> f64 {
        self.y_plus[output].abs().max(self.y_minus[output].abs())
    }
    fn unchanged(&self, output: usize) -> bool {
        self.y_plus[output] == 0.0 && self.y_minus[output] == 0.0
    }
}

/// Buffers for the samples of one line, kept from one coordinate to the next.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    /// In the order of the step, smallest first; only the first `used` belong to this line.
    levels: Vec<Level>,
    used: usize,
    brief: bool,
    /// Forwards that may still be spent on fits.
    fits: usize,
}

/// A value with the bound of its error.
#[derive(Clone, Copy, Debug)]
struct Bounded {
    value: f64,
    bound: f64,
}

/// What the levels sampled so far say about one output.
#[derive(Clone, Copy, Debug)]
struct Reading {
    central: Bounded,
    right: Bounded,
    left: Bounded,
    /// The share of rounding in the bound of `central`.
    rounding: f64,
    /// The steps that `central` rests on.
    steps: [f64; 2],
}

impl Reading {
    /// The one-sided derivatives differ by more than their errors.
    fn has_gap(&self) -> bool {
        (self.right.value - self.left.value).abs() > self.right.bound + self.left.bound
    }
    /// `x` is one of the one-sided derivatives, or between them.
    fn spans(&self, x: f64) -> bool {
        let low = (self.left.value - self.left.bound).min(self.right.value - self.right.bound);
        let high = (self.left.value + self.left.bound).max(self.right.value + self.right.bound);
        (low..=high).contains(&x)
    }
}

impl Kernel {
    /// Whether wrong values are to be believed without a second look: enough others have been
    /// confirmed.
    pub(crate) fn brief(&mut self, brief: bool) {
        self.brief = brief;
    }

    /// Lets outputs that rounding leaves open be fitted, for as many forwards in all.
    pub(crate) fn allow_fits(&mut self, forwards: usize) {
        self.fits = forwards;
    }

    /// Whether a fit is still allowed.
    pub(crate) fn may_fit(&self) -> bool {
        self.fits >= fit::POINTS
    }

    /// The derivative of each output along `line`, judged against `targets`.
    pub(crate) fn differentiate(
        &mut self,
        line: &mut dyn Line,
        epsilon: f64,
        targets: &[Target],
        estimates: &mut Vec<Estimate>,
    ) {
        self.used = 0;
        estimates.clear();
        let first = first_step(line, epsilon, targets);
        let level = self.sample(line, first);
        estimates
            .extend(targets.iter().enumerate().map(|(j, t)| settle(&self.levels[level], j, t)));
        if estimates.iter().all(|e| e.finding == Finding::Agrees) {
            return;
        }
        let short = short_step(line, targets);
        for step in ladder(line).chain(short.into_iter().flat_map(further)) {
            self.sample(line, step);
            if self.judge(targets, estimates, false) {
                return;
            }
        }
        self.widen(line, targets, estimates);
        self.judge(targets, estimates, true);
        let mut known: Vec<f64> = targets.iter().map(|target| target.noise.level).collect();
        if !self.brief && estimates.iter().any(Estimate::is_grave) {
            self.confirm(line, targets, estimates, &mut known);
        }
        if estimates.iter().any(|e| e.finding == Finding::Undecided) {
            self.average(line, targets, estimates, &known);
        }
    }

    /// Where rounding left an output open: its slope from many samples, of which each is `known`
    /// to be uncertain by so much.
    fn average(
        &mut self,
        line: &mut dyn Line,
        targets: &[Target],
        estimates: &mut [Estimate],
        known: &[f64],
    ) {
        let scale = line.scale();
        let mut wider: Vec<Option<Fit>> = vec![None; targets.len()];
        for width in WINDOWS.map(|width| width * scale) {
            let open = |e: &Estimate| e.finding == Finding::Undecided;
            if !self.may_fit() || !estimates.iter().any(open) {
                return;
            }
            self.fits -= fit::POINTS;
            for (j, found) in fit(line, width, known).into_iter().enumerate() {
                let (Some(found), true) = (found, open(&estimates[j])) else { continue };
                let (target, before) = (&targets[j], estimates[j]);
                estimates[j] = self.weigh(j, target, before, found, wider[j]);
                if estimates[j].is_grave()
                    && self.is_refuted_closer(line, j, target, estimates[j].numeric, width)
                {
                    estimates[j] = before;
                }
                wider[j] = wider[j].or(Some(found));
            }
        }
    }

    /// An open estimate in the light of a fit; `wider` is the one of a wider window. Wrong is
    /// said only where both are far from the analytic value and not from each other, and no
    /// narrow step comes closer to it.
    fn weigh(
        &self,
        j: usize,
        target: &Target,
        now: Estimate,
        fit: Fit,
        wider: Option<Fit>,
    ) -> Estimate {
        let g = target.analytic;
        if target.agrees(fit.value, fit.bound) {
            return Estimate { numeric: fit.value, bound: fit.bound, finding: Finding::Agrees };
        }
        let allowed = target.allowed(fit.value);
        if let Some(wider) = wider
            && (g - wider.value).abs() > allowed + wider.bound + wider.hidden
            && (g - fit.value).abs() > allowed + fit.bound
            && (fit.value - wider.value).abs() <= fit.bound + wider.bound
        {
            let apart = (g - wider.value).abs();
            let vetoed = self.usable().any(|level| {
                !level.unchanged(j)
                    && level.central_noise(j, target.noise) < apart
                    && (g - level.central(j)).abs() < 0.5 * apart
            });
            if !vetoed && !self.narrower_ones_agree(j, target, wider.value) {
                let finding = Finding::Wrong { near_kink: false };
                return Estimate {
                    numeric: wider.value,
                    bound: wider.bound + wider.hidden,
                    finding,
                };
            }
        }
        if fit.bound + fit.hidden < now.bound {
            let bound = fit.bound + fit.hidden;
            return Estimate { numeric: fit.value, bound, finding: Finding::Undecided };
        }
        now
    }

    /// Takes the pair of samples at `step`; returns its place among the levels.
    fn sample(&mut self, line: &mut dyn Line, step: f64) -> usize {
        if self.levels.len() == self.used {
            self.levels.push(Level::default());
        }
        self.levels[self.used].take(line, step);
        let mut place = self.used;
        self.used += 1;
        while place > 0 && self.levels[place - 1].step > self.levels[place].step {
            self.levels.swap(place - 1, place);
            place -= 1;
        }
        place
    }

    fn usable(&self) -> impl Iterator<Item = &Level> + Clone {
        self.levels[..self.used].iter().filter(|level| level.usable)
    }

    /// Reads the levels for every output that is still open; true when none is left open.
    fn judge(&self, targets: &[Target], estimates: &mut [Estimate], last: bool) -> bool {
        let mut done = true;
        for (j, (target, estimate)) in targets.iter().zip(estimates.iter_mut()).enumerate() {
            if estimate.finding != Finding::Agrees {
                *estimate = conclude(self.read(j, target.noise), target, last);
                done &= estimate.finding == Finding::Agrees;
            }
        }
        done
    }

    /// While rounding is what limits the answer, wider steps than the coordinate's own scale.
    fn widen(&mut self, line: &mut dyn Line, targets: &[Target], estimates: &mut [Estimate]) {
        let limit = line.scale().max(1.0) / 16.0;
        loop {
            let Some(widest) = self.usable().map(|level| level.step).reduce(f64::max) else {
                return;
            };
            let open = |(j, e): (usize, &Estimate)| {
                let noise = self.levels[self.used - 1].central_noise(j, targets[j].noise);
                e.finding == Finding::Undecided && e.bound <= 4.0 * noise
            };
            if widest * 16.0 > limit || !estimates.iter().enumerate().any(open) {
                return;
            }
            let added = self.sample(line, widest * 16.0);
            // Out of the function's domain: no wider step will do either.
            if !self.levels[added].usable {
                return;
            }
            if self.judge(targets, estimates, false) {
                return;
            }
        }
    }

    /// Best central and one-sided derivatives of output `j` from the levels at hand.
    fn read(&self, j: usize, noise: Noise) -> Option<Reading> {
        let levels = self.usable();
        let count = levels.clone().count();
        if count < 2 {
            return None;
        }
        let unknown = Bounded { value: f64::NAN, bound: f64::INFINITY };
        let mut best = Reading {
            central: unknown,
            right: unknown,
            left: unknown,
            rounding: f64::INFINITY,
            steps: [f64::NAN; 2],
        };
        let mut sides = [f64::NAN; 2];
        for (k, level) in levels.clone().enumerate() {
            let mut wider = levels.clone().skip(k + 1);
            let (next, after) = (wider.next(), wider.next());
            let mut central = central(level, next, after, j, noise);
            // A bias that wider steps share, from a kink that they all contain, shows in the
            // narrower ones.
            for narrower in levels.clone().take(k) {
                let apart = (narrower.central(j) - central.value).abs();
                let rounding = narrower.central_noise(j, noise);
                central.bound = central.bound.max(apart - rounding);
                // So does a kink at the state itself, where wider steps see only its average.
                let smooth = level.gap(j).abs() * narrower.step / level.step;
                let jump = narrower.gap(j).abs() - 2.0 * smooth - 4.0 * rounding;
                central.bound = central.bound.max(0.5 * jump);
            }
            let seen_narrower = |side: &mut Bounded, slope: fn(&Level, usize) -> f64| {
                let curved = (slope(level, j) - side.value).abs() / level.step;
                for narrower in levels.clone().take(k) {
                    let apart = (slope(narrower, j) - side.value).abs();
                    let open = 2.0 * (narrower.central_noise(j, noise) + curved * narrower.step);
                    side.bound = side.bound.max(apart - open);
                }
            };
            if central.bound < best.central.bound {
                best.central = central;
                best.steps = [level.step, f64::NAN];
                best.rounding = level.central_noise(j, noise);
            }
            let mut right = one_sided(level, next, after, j, noise, Level::forward);
            seen_narrower(&mut right, Level::forward);
            if right.bound < best.right.bound {
                best.right = right;
                sides[0] = level.step;
            }
            let mut left = one_sided(level, next, after, j, noise, Level::backward);
            seen_narrower(&mut left, Level::backward);
            if left.bound < best.left.bound {
                best.left = left;
                sides[1] = level.step;
            }
        }
        // Two one-sided derivatives that meet are the derivative.
        let Reading { right, left, .. } = best;
        let apart = 0.5 * (right.value - left.value).abs();
        let met = Bounded {
            value: 0.5 * (right.value + left.value),
            bound: right.bound.max(left.bound) + apart,
        };
        if met.bound < best.central.bound && !best.has_gap() {
            best.central = met;
            best.rounding = met.bound;
            best.steps = sides;
        }
        if let Some((value, hidden)) = self.beside_a_kink(&best, j, noise)
            && value.bound < best.central.bound
        {
            best.central = value;
            best.rounding = hidden;
        }
        Some(best)
    }

    /// The derivative where a kink is near, on one side, and the state is not on it: that of the
    /// other side, which reaches through the state. Narrow steps tell, if they see the jump
    /// beyond their noise and show none of it. The second value is what they could not see.
    fn beside_a_kink(&self, reading: &Reading, j: usize, noise: Noise) -> Option<(Bounded, f64)> {
        let side = match reading.right.bound < reading.left.bound {
            true => reading.right,
            false => reading.left,
        };
        let jump = self.usable().map(|level| level.gap(j).abs()).fold(0.0, f64::max);
        self.usable()
            .filter_map(|level| {
                let rounding = level.central_noise(j, noise);
                let hidden = rounding + level.gap(j).abs();
                let apart = (level.central(j) - side.value).abs();
                let clear = 8.0 * hidden < jump && apart <= rounding + side.bound;
                clear.then_some((side, hidden))
            })
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Before a value is called wrong, or a kink: is the forward noisier at the stencil's own width than it
    /// was near the state, and does a step of another size show the same difference?
    /// The jumps found are added to the noise that is `known`.
    fn confirm(
        &mut self,
        line: &mut dyn Line,
        targets: &[Target],
        estimates: &mut [Estimate],
        known: &mut [f64],
    ) {
        let Some(narrowest) = self.usable().map(|level| level.step).next() else { return };
        let widest = self.usable().map(|level| level.step).last().unwrap_or(narrowest);
        let before: Vec<Noise> = targets.iter().map(|target| target.noise).collect();
        let mut targets = targets.to_vec();
        for step in [(narrowest * widest).sqrt(), widest / 4.0] {
            let local = scatter_at(line, step, step / 2048.0, FINE.ratio);
            for (target, local) in targets.iter_mut().zip(&local) {
                // Relative to the value there: far out it may be another by orders.
                let ratio = local.map_or(0.0, |local| local.ratio);
                target.noise.ratio = target.noise.ratio.max(ratio);
            }
        }
        let mut on_stairs = vec![false; targets.len()];
        for (j, target) in targets.iter_mut().enumerate() {
            if estimates[j].is_grave() {
                on_stairs[j] = self.hides_jumps(line, j, target, estimates[j].numeric);
            }
        }
        for (j, target) in targets.iter_mut().enumerate() {
            if estimates[j].is_grave() && self.usable().all(|level| level.unchanged(j)) {
                let reach = reach(line, j);
                target.noise.level = target.noise.level.max(reach);
            }
        }
        // Steps around those that the estimate rests on: a kink just inside the stencil moves
        // these differences by much more than the ladder's wide ratios show.
        let mut around = Vec::new();
        for (j, estimate) in estimates.iter().enumerate() {
            if estimate.is_grave()
                && let Some(reading) = self.read(j, targets[j].noise)
            {
                for step in reading.steps {
                    around.extend([0.37 * step, 2.7 * step]);
                }
            }
        }
        around.sort_by(f64::total_cmp);
        around.dedup_by(|a, b| *a < 1.2 * *b);
        for step in around.into_iter().filter(|step| step.is_finite()).take(8) {
            self.sample(line, step);
        }
        self.narrow(line, &targets, estimates);
        for (j, (target, estimate)) in targets.iter_mut().zip(estimates.iter_mut()).enumerate() {
            if estimate.is_grave() {
                *estimate = conclude(self.read(j, target.noise), target, true);
                // Off the stairs that it saw first it may rest on others.
                if estimate.is_grave() && self.hides_jumps(line, j, target, estimate.numeric) {
                    on_stairs[j] = true;
                    *estimate = conclude(self.read(j, target.noise), target, true);
                }
                if on_stairs[j] {
                    known[j] = known[j].max(target.noise.level);
                }
                // Noise that only wide steps show may be a forward that oscillates: what was
                // known near the state must not speak for the value either, unless it was the
                // silence of a staircase.
                let near = if on_stairs[j] { target.noise } else { before[j] };
                let closer = conclude(self.read(j, near), target, true);
                let doubted = !matches!(closer.finding, Finding::Wrong { .. })
                    || self.wider_ones_agree(j, target, estimate.numeric)
                    || self.narrower_ones_agree(j, target, estimate.numeric)
                    || !self.shows_twice(j, target, near)
                    || self.read(j, target.noise).is_some_and(|reading| {
                        let rests_on = reading.steps[0].min(reading.steps[1]);
                        self.is_refuted_closer(line, j, target, estimate.numeric, rests_on)
                    });
                if doubted {
                    estimate.finding = match estimate.finding {
                        Finding::Wrong { .. } => Finding::Undecided,
                        other => other,
                    };
                }
            }
        }
    }

    /// Whether jumps beyond the steps that `numeric` rests on may carry what it misses of the
    /// analytic value; their height is the noise then. A forward that has lost its digits moves
    /// in stairs, and between two of them its slope is that of what is left.
    fn hides_jumps(
        &self,
        line: &mut dyn Line,
        j: usize,
        target: &mut Target,
        numeric: f64,
    ) -> bool {
        let height = self.jump_height(line, j, target, numeric);
        let higher = height > target.noise.level;
        if higher {
            target.noise.level = height;
        }
        higher
    }

    /// The height of those jumps, 0 if there are none. Where a wider step comes to another slope,
    /// the values between it and the narrower one are halved again and again: what changes at one
    /// place is a jump, what changes all the way, as a dead unit that comes alive, is none.
    fn jump_height(&self, line: &mut dyn Line, j: usize, target: &Target, numeric: f64) -> f64 {
        let Some(reading) = self.read(j, target.noise) else { return 0.0 };
        let rests_on = reading.steps[0].max(reading.steps[1]);
        let missing = (target.analytic - numeric).abs();
        // A kink explains another slope without a jump.
        let is_bent = !reading.has_gap();
        let mut before = 0.0;
        for level in self.usable() {
            let told = (level.central(j) - numeric).abs() >= 0.3 * missing;
            if level.step > rests_on && !level.unchanged(j) && told {
                return jump_between(line, j, before, level.step, numeric, target.noise, is_bent);
            }
            before = level.step;
        }
        // Stairs wider than any step so far can only be where nothing moves on this one.
        if numeric.abs() > 0.01 * target.analytic.abs() {
            return 0.0;
        }
        for far in [0.125, 0.5, 2.0].map(|far| far * line.scale()) {
            if far <= before {
                continue;
            }
            let height = jump_between(line, j, before, far, numeric, target.noise, is_bent);
            if height > 0.0 {
                return height;
            }
        }
        0.0
    }

    /// Steps narrower than those of the ladder, while the one-sided slopes at the narrowest still
    /// differ by more than noise: a kink is nearer than that.
    fn narrow(&mut self, line: &mut dyn Line, targets: &[Target], estimates: &[Estimate]) {
        const RATIO: f64 = 4.0;
        let least = least_step(line);
        for _ in 0..4 {
            let Some(narrowest) = self.usable().next() else { return };
            let shows = |j: usize| {
                let noise = narrowest.central_noise(j, targets[j].noise);
                let missing = (targets[j].analytic - estimates[j].numeric).abs();
                narrowest.gap(j).abs() > 4.0 * noise && RATIO * noise < missing
            };
            let step = narrowest.step / RATIO;
            if step < least || !(0..targets.len()).any(|j| estimates[j].is_grave() && shows(j)) {
                return;
            }
            let added = self.sample(line, step);
            if !self.levels[added].usable {
                return;
            }
        }
    }

    /// Whether two wider steps come ten times closer to the analytic value than the estimate
    /// does: a forward of which a part moves in stairs shows its other part alone to narrow steps.
    fn wider_ones_agree(&self, j: usize, target: &Target, numeric: f64) -> bool {
        let Some(reading) = self.read(j, target.noise) else { return false };
        // A kink explains that the wider ones are different: its gap is the same at any width.
        let gaps: Vec<f64> = self.usable().map(|level| level.gap(j)).collect();
        let alike = |a: f64, b: f64| (a - b).abs() <= 0.1 * a.abs();
        if gaps.windows(3).any(|w| w[0] != 0.0 && alike(w[0], w[1]) && alike(w[1], w[2])) {
            return false;
        }
        let rests_on = reading.steps[0].max(reading.steps[1]);
        let beyond = rests_on.next_up()..f64::INFINITY;
        self.two_agree(j, beyond, target.analytic, 0.1 * (target.analytic - numeric).abs())
    }

    /// Whether two narrow steps, which no noise known of would let speak, come a hundred times
    /// closer to the analytic value than the estimate does: no noise does that twice, but a smooth
    /// piece between two kinks, taken for noise, does.
    fn narrower_ones_agree(&self, j: usize, target: &Target, numeric: f64) -> bool {
        let Some(reading) = self.read(j, target.noise) else { return false };
        let rests_on = reading.steps[0].min(reading.steps[1]);
        self.two_agree(j, 0.0..rests_on, target.analytic, 0.01 * (target.analytic - numeric).abs())
    }

    /// Whether the narrowest steps that could show the difference between the analytic value and
    /// `numeric` above rounding show the analytic value: then the forward varies within the steps
    /// that `numeric` rests on, as one with dense kinks or fast waves does, and the limit of
    /// differences is the narrower one. Noise does not agree three times; and between stairs the
    /// slope is not the forward's.
    fn is_refuted_closer(
        &self,
        line: &mut dyn Line,
        j: usize,
        target: &Target,
        numeric: f64,
        rests_on: f64,
    ) -> bool {
        let g = target.analytic;
        let missing = (g - numeric).abs();
        let Some(narrowest) = self.usable().next() else { return false };
        let rounding = narrowest.floor_plus[j].max(narrowest.floor_minus[j]);
        let first = (CLOSER * rounding / missing).max(least_step(line));
        let (mut level, mut agree) = (Level::default(), 0);
        for step in std::iter::successors(Some(first), |step| Some(1.5 * step)).take(16) {
            if step * 16.0 >= rests_on {
                return false;
            }
            level.take(line, step);
            let shows = |value: f64| (value - level.central(j)).abs() <= 0.2 * missing;
            let claims_to_move = g.abs() * level.step > 4.0 * rounding;
            if !level.usable || claims_to_move && level.unchanged(j) || shows(numeric) {
                return false;
            }
            agree = if shows(g) { agree + 1 } else { 0 };
            if agree == 3 {
                // Where the parameter changes its sign, a jump need be no stair.
                let own = if line.magnitude() > 0.0 { 0.5 * line.magnitude() } else { rests_on };
                let (mut near, limit) = (step, rests_on.min(own));
                // How far that goes: stairs end with a jump, a change of slope with none.
                while 2.0 * near < limit {
                    level.take(line, 2.0 * near);
                    if !level.usable || (g - level.central(j)).abs() > 0.5 * missing {
                        break;
                    }
                    near *= 2.0;
                }
                // Lower ones would have been met by the narrowest steps, or are the parameter's
                // own rounding.
                let stair = (first * missing).max(least_step(line) * g.abs());
                let noise = Noise { level: 0.0, ratio: 1.0 };
                return jump_between(line, j, 0.5 * near, limit.min(2.0 * near), g, noise, true)
                    < stair;
            }
        }
        false
    }

    /// Whether two steps of different size are `within` a distance of `value`, and have come
    /// about as far as it says: a bounded function has no slope at all over steps that are wide
    /// enough.
    fn two_agree(&self, j: usize, among: Range<f64>, value: f64, within: f64) -> bool {
        let close = |level: &&Level| {
            among.contains(&level.step)
                && !level.unchanged(j)
                && (value - level.central(j)).abs() < within
                && value.abs() * level.step >= 0.3 * level.height(j)
        };
        let steps: Vec<f64> = self.usable().filter(close).map(|level| level.step).collect();
        steps.iter().any(|a| steps.iter().any(|b| *b >= 2.5 * a))
    }

    /// Whether two steps of different size, each by itself, show the same difference from the
    /// analytic value. A kink that narrower steps cannot resolve shows another one at each step.
    /// `near` is the noise close to the state, which more kinks further out do not raise.
    fn shows_twice(&self, j: usize, target: &Target, near: Noise) -> bool {
        let g = target.analytic;
        // Not yet small at the narrowest step: the forward varies on shorter lengths than these
        // steps can follow.
        let most = self.usable().map(|level| level.height(j)).fold(0.0, f64::max);
        let follows = self.usable().next().is_some_and(|level| {
            let height = level.height(j);
            height <= 0.2 * most || height <= 20.0 * level.noise(j, near)
        });
        if !follows {
            return false;
        }
        // Each by itself: a level alone, or extrapolated with the next, for strong curvature.
        let levels: Vec<&Level> = self.usable().collect();
        let mut showing = Vec::new();
        for (k, level) in levels.iter().enumerate() {
            let next = levels.get(k + 1);
            let extrapolated = next.map(|next| extrapolated(level, next, j));
            for (value, last) in [(Some(level.central(j)), k), (extrapolated, k + 1)] {
                let Some(value) = value else { continue };
                let noise = 1.2 * level.central_noise(j, target.noise);
                if (g - value).abs() > target.allowed(value) + noise {
                    showing.push((k, last, g - value));
                }
            }
        }
        showing.iter().any(|&(first, last, a)| {
            showing.iter().any(|&(other, _, b)| {
                let (narrow, wide) = (levels[first].step, levels[other].step);
                let shown = a.abs().max(b.abs());
                // A narrower step that could see the difference, and does not, knows better.
                let vetoed = || {
                    levels[..first].iter().any(|level| {
                        !level.unchanged(j)
                            && level.central_noise(j, near) < shown
                            && (g - level.central(j)).abs() < 0.5 * shown
                    })
                };
                other > last && wide >= 2.5 * narrow && (a - b).abs() <= 0.3 * shown && !vetoed()
            })
        })
    }
}

/// The first step: as narrow as the noise lets it be for the largest analytic value asked about.
/// For a zero, wide: a forward that does not change at all on a wide step is flat.
fn first_step(line: &dyn Line, epsilon: f64, targets: &[Target]) -> f64 {
    let scale = line.scale();
    let wide = scale / 128.0;
    let Some(most) = targets.iter().max_by(|a, b| a.analytic.abs().total_cmp(&b.analytic.abs()))
    else {
        return wide;
    };
    let level = targets.iter().map(|t| t.noise.level).fold(0.0, f64::max);
    let needed = 4.0 * LIKELY * level / (2.0 * most.tolerance * most.analytic.abs());
    let least = least_step(line);
    // NaN (0 / 0) means that nothing is known to be needed: a wide step.
    if needed.is_nan() {
        return wide.max(least);
    }
    let short = short_step(line, targets).unwrap_or(f64::INFINITY);
    needed.max((epsilon * scale).min(short)).min(wide).max(least)
}

/// Where the analytic values speak of a function that varies on much shorter lengths than the
/// coordinate's scale, a step on which it would change by little of its value.
fn short_step(line: &dyn Line, targets: &[Target]) -> Option<f64> {
    let change = |target: &Target| {
        let value = target.noise.level / (target.noise.ratio * f64::EPSILON);
        1e-5 * value / target.analytic.abs()
    };
    let step = targets.iter().map(change).fold(f64::INFINITY, f64::min);
    (line.roundoff() < 1e-10 && step < 1e-9 * line.scale()).then_some(step.max(least_step(line)))
}

/// The narrowest step that is worth its rounding.
fn least_step(line: &dyn Line) -> f64 {
    64.0 * line.roundoff() * line.magnitude()
}

/// The steps of the ladder, the most useful first: the middle, a wider one to extrapolate with,
/// then narrower ones to get below kinks, then the widest against noise.
fn ladder(line: &dyn Line) -> impl Iterator<Item = f64> + use<> {
    let (top, ratio, order): (f64, f64, &[i32]) = if line.roundoff() < 1e-10 {
        (1.0 / 32.0, 16.0, &[2, 1, 3, 0, 4, 5, 6])
    } else {
        (1.0 / 4.0, 4.0, &[2, 1, 3, 0, 4, 5])
    };
    let scale = line.scale();
    let least = 16.0 * line.roundoff() * line.magnitude();
    order.iter().map(move |&k| scale * top / ratio.powi(k)).filter(move |&step| step > least)
}

/// The widest step of the ladder, or the widest below it that stays within the function's domain.
pub(crate) fn widest_step(line: &mut dyn Line) -> f64 {
    let (mut y, mut floor) = (vec![0.0; line.outputs()], vec![0.0; line.outputs()]);
    let widest = ladder(line).fold(0.0, f64::max);
    let within = |step: &f64| {
        [*step, -step].into_iter().all(|t| line.sample(t, &mut y, &mut floor).is_some())
    };
    std::iter::successors(Some(widest), |step| Some(step / 4.0)).take(8).find(within).unwrap_or(0.0)
}

/// Whether the first output has the slope `expected`, rather than one that is off by so much, over
/// ways of two widths on which stairs of such a `height` are no more than scatter.
pub(crate) fn fits_across(line: &mut dyn Line, height: f64, expected: f64, off: f64) -> bool {
    let scale = line.scale();
    let is_near = |width: &f64| {
        let found = fit(line, width * scale, &[height]).first().copied().flatten();
        found.is_some_and(|f| f.bound <= 2.0 * off && (f.value - expected).abs() <= 0.1 * off)
    };
    WINDOWS.iter().copied().filter(is_near).take(2).count() == 2
}

/// Steps between a short one and the ladder.
fn further(short: f64) -> impl Iterator<Item = f64> {
    [16.0, 256.0, 4096.0, 65536.0].into_iter().map(move |times| short * times)
}

/// What the first level alone can settle.
fn settle(level: &Level, j: usize, target: &Target) -> Estimate {
    if !level.usable {
        return Estimate { numeric: f64::NAN, bound: f64::INFINITY, finding: Finding::Undecided };
    }
    let numeric = level.central(j);
    let bound = level.central_noise(j, target.noise);
    let flat = target.analytic == 0.0 && level.unchanged(j);
    let agrees = flat || target.agrees(numeric, bound);
    let finding = if agrees { Finding::Agrees } else { Finding::Undecided };
    Estimate { numeric, bound, finding }
}

/// Turns a reading into a finding. Kinks and wrong values are only called when all levels are in.
fn conclude(reading: Option<Reading>, target: &Target, last: bool) -> Estimate {
    let g = target.analytic;
    let Some(reading) = reading else {
        return Estimate { numeric: f64::NAN, bound: f64::INFINITY, finding: Finding::Undecided };
    };
    let Bounded { value: numeric, bound } = reading.central;
    let allowed = target.allowed(numeric);
    let difference = (g - numeric).abs();
    if target.agrees(numeric, bound) {
        return Estimate { numeric, bound, finding: Finding::Agrees };
    }
    let mut estimate = Estimate { numeric, bound, finding: Finding::Undecided };
    if !last {
        return estimate;
    }
    // A narrower central difference may be clear of the kink that the one-sided ones see.
    let jump = (reading.right.value - reading.left.value).abs();
    let gap = reading.has_gap() && bound > 0.25 * jump;
    // A kink that noise hides may shift the difference by as much as the noise itself.
    if difference > allowed + bound + reading.rounding && !(gap && reading.spans(g)) {
        estimate.finding = Finding::Wrong { near_kink: gap };
    } else if gap && bound > allowed && reading.spans(g) {
        estimate.numeric = 0.5 * (reading.left.value + reading.right.value);
        estimate.bound = 0.5 * (reading.left.value - reading.right.value).abs()
            + reading.left.bound.max(reading.right.bound);
        estimate.finding = Finding::Kink;
    }
    estimate
}

/// The central difference of `level`, extrapolated with one or two wider levels.
fn central(
    level: &Level,
    next: Option<&Level>,
    after: Option<&Level>,
    j: usize,
    noise: Noise,
) -> Bounded {
    let value = level.central(j);
    let rounding = level.central_noise(j, noise);
    let Some(next) = next else {
        return Bounded { value, bound: f64::INFINITY };
    };
    let square = |a: &Level, b: &Level| (b.step / a.step) * (b.step / a.step);
    let r = square(level, next);
    let correction = (value - next.central(j)) / (r - 1.0);
    // The one-sided slopes part as h f'' where the forward is smooth; what is left of their
    // difference at h = 0 is a kink within both steps, and shifts the central difference by half.
    let ratio = next.step / level.step;
    let jump = (ratio * level.gap(j) - next.gap(j)) / (ratio - 1.0);
    let common = rounding * r / (r - 1.0) + 0.5 * jump.abs();
    let fine = (value - next.central(j)).abs();
    // Without a second derivative at the state the difference converges as h, not as h^2.
    let linear = Bounded { value: value + correction, bound: 2.0 * fine / (ratio - 1.0) + common };
    let Some(after) = after else { return linear };
    let s = square(next, after);
    let coarse = (next.central(j) - after.central(j)).abs();
    if fine * s.powf(0.75) > coarse + rounding {
        return linear;
    }
    let fourth = Bounded { value: value + correction, bound: 2.0 * correction.abs() + common };
    let next_fourth = next.central(j) + (next.central(j) - after.central(j)) / (s - 1.0);
    let sixth = (fourth.value - next_fourth) / (square(level, after) - 1.0);
    let bound = 8.0 * sixth.abs() + common;
    if bound < fourth.bound { Bounded { value: fourth.value + sixth, bound } } else { fourth }
}

/// The central difference of `level` with the error in `h^2` taken out by a wider one.
fn extrapolated(level: &Level, next: &Level, j: usize) -> f64 {
    let ratio = next.step / level.step;
    level.central(j) + (level.central(j) - next.central(j)) / (ratio * ratio - 1.0)
}

/// A one-sided derivative, extrapolated with one or two wider levels.
fn one_sided(
    level: &Level,
    next: Option<&Level>,
    after: Option<&Level>,
    j: usize,
    noise: Noise,
    slope: impl Fn(&Level, usize) -> f64,
) -> Bounded {
    let Some(next) = next else { return Bounded { value: f64::NAN, bound: f64::INFINITY } };
    let extrapolate = |near: &Level, far: &Level| {
        let ratio = far.step / near.step;
        (ratio * slope(near, j) - slope(far, j)) / (ratio - 1.0)
    };
    let value = extrapolate(level, next);
    let mut truncation = (value - slope(level, j)).abs();
    if let Some(after) = after {
        let ratio = next.step / level.step;
        let coarse = extrapolate(next, after);
        truncation = truncation.min(4.0 * (value - coarse).abs() / ratio);
    }
    let rounding = 2.0 * level.central_noise(j, noise) * 1.2;
    Bounded { value, bound: truncation + rounding }
}

/// Noise of each output: the scatter of samples around a parabola through them.
///
/// The samples begin at `start` and lie about `spacing` apart, at irregular distances: where noise
/// is rounding to a grid, regular ones may all meet the grid alike. `None` where the samples
/// hardly move (the spacing is too small to show anything) or are not finite.
fn scatter(line: &mut dyn Line, start: f64, spacing: f64) -> Vec<Option<Noise>> {
    const POINTS: usize = 10;
    static PLACES: LazyLock<Vec<f64>> = LazyLock::new(|| {
        (0..POINTS).map(|k| 0.5 + k as f64 + random::unit(0x7363_6174, k as u64)).collect()
    });
    static QUINTIC: LazyLock<Basis> = LazyLock::new(|| {
        let places: Vec<f64> = PLACES.iter().map(|place| place / POINTS as f64).collect();
        Basis::powers(&places, 5)
    });
    let outputs = line.outputs();
    let steps = PLACES.iter().map(|place| start + spacing * place);
    let Some(Samples { rows, floors, .. }) = Samples::take(line, steps) else {
        return vec![None; outputs];
    };
    rows.into_iter()
        .zip(floors)
        .map(|(row, floor)| {
            let moving = row.windows(2).filter(|pair| pair[0] != pair[1]).count();
            if 2 * moving < POINTS - 1 {
                return None;
            }
            // What a few more powers explain is curvature, not noise.
            let (level, curved) = (QUINTIC.deviation(2, &row), QUINTIC.deviation(5, &row));
            let level = if curved < 0.1 * level { curved } else { level };
            let level = level.max(floor);
            Some(Noise { level, ratio: if floor > 0.0 { level / floor } else { 1.0 } })
        })
        .collect()
}

/// The same, away from the state, where what oscillates over the spacing is not taken for noise:
/// that has jumps, however near one looks.
fn scatter_at(line: &mut dyn Line, start: f64, spacing: f64, coarse: f64) -> Vec<Option<Noise>> {
    let mut found = scatter(line, start, spacing);
    let mut width = 10.0 * spacing;
    if !found.iter().flatten().any(|found| found.ratio > coarse) {
        return found;
    }
    for _ in 0..3 {
        let slopes = slopes(line, start, width / 262_144.0);
        let smooth: Vec<usize> = (0..found.len())
            .filter(|&j| found[j].as_ref().is_some_and(Noise::is_coarse))
            .filter(|&j| {
                // Between two stairs there may be a slope that is as high as they are: not one
                // look for a jump but several.
                (0..8).all(|part| {
                    let from = start + 0.125 * width * f64::from(part);
                    let between = [from, from + 0.125 * width];
                    jump(line, j, between, slopes[j], FINE, HALVINGS) == 0.0
                })
            })
            .collect();
        if smooth.is_empty() {
            break;
        }
        width /= 64.0;
        let narrower = scatter(line, start, width / 10.0);
        for j in smooth {
            if let (Some(found), Some(narrower)) = (&mut found[j], narrower[j])
                && 8.0 * narrower.level < found.level
            {
                *found = narrower;
            }
        }
    }
    found
}

/// The slope of each output between two places; 0 where there is none.
fn slopes(line: &mut dyn Line, start: f64, width: f64) -> Vec<f64> {
    let Some(Samples { taken, rows, .. }) = Samples::take(line, [start, start + width].into_iter())
    else {
        return vec![0.0; line.outputs()];
    };
    let slope = |row: &Vec<f64>| (row[1] - row[0]) / (taken[1] - taken[0]);
    rows.iter().map(slope).map(|slope| if slope.is_finite() { slope } else { 0.0 }).collect()
}

/// Values of a line at many steps.
struct Samples {
    /// The steps really taken.
    taken: Vec<f64>,
    /// For each output, its changes from the state.
    rows: Vec<Vec<f64>>,
    /// For each output, the largest rounding that a value cannot be without.
    floors: Vec<f64>,
}

impl Samples {
    /// `None` where the forward has no finite value.
    fn take(line: &mut dyn Line, steps: impl Iterator<Item = f64>) -> Option<Samples> {
        let outputs = line.outputs();
        let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
        let (mut taken, mut rows) = (Vec::new(), vec![Vec::new(); outputs]);
        let mut floors = vec![0.0_f64; outputs];
        for step in steps {
            taken.push(line.sample(step, &mut y, &mut floor)?);
            for j in 0..outputs {
                rows[j].push(y[j]);
                floors[j] = floors[j].max(floor[j]);
            }
        }
        Some(Samples { taken, rows, floors })
    }
}

/// The largest jump of output `j` between two distances from the state, to either side.
fn jump_between(
    line: &mut dyn Line,
    j: usize,
    near: f64,
    far: f64,
    slope: f64,
    noise: Noise,
    is_bent: bool,
) -> f64 {
    const PATIENCE: usize = 16;
    let find = if is_bent { jump_on_curve } else { jump };
    let side = |line: &mut dyn Line, side: f64| {
        find(line, j, [side * near, side * far], slope, noise, PATIENCE)
    };
    side(line, 1.0).max(side(line, -1.0))
}

/// The height of the stairs in which the first output moves around the state; 0 where it moves in
/// none that the `level` of the noise does not explain. One jump is the function's own: stairs are
/// met to both sides, at one distance or another.
pub(crate) fn stairs(line: &mut dyn Line, level: f64) -> f64 {
    const PATIENCE: usize = 12;
    let noise = Noise { level: 3.0 * level, ..FINE };
    // Between the stairs; a few places may be on the edge of one.
    let near = 1e-9_f64.max(256.0 * line.roundoff());
    let mut slopes = [0.0, 0.7, -1.1, 1.9, -2.3].map(|at| slopes(line, 1e-3 * at, near)[0]);
    slopes.sort_by(f64::total_cmp);
    let slope = slopes[2];
    let mut height = 0.0_f64;
    for width in [0.25, 0.08, 0.025, 8e-3, 1e-3, 1e-4] {
        let (mut met, mut highest) = (0, 0.0_f64);
        for far in [-2.0, -1.0, 1.0, 2.0_f64] {
            let between = [0.5 * width * (far - far.signum()), 0.5 * width * far];
            let here = match line.sample(between[1], &mut [0.0], &mut [0.0]) {
                Some(_) => jump_on_curve(line, 0, between, slope, noise, PATIENCE),
                // Digits are lost until none is left.
                None => f64::MIN_POSITIVE,
            };
            met += usize::from(here > 0.0);
            highest = highest.max(here);
        }
        if met >= 3 {
            height = highest;
        }
    }
    height
}

/// The height of a jump of the first output between two places, whatever its slope, and the
/// deviation of its scatter around a polynomial there, in which many such jumps add up. `None`
/// where there is none by which a good part of its digits is lost.
pub(crate) fn jump_and_scatter(line: &mut dyn Line, between: [f64; 2]) -> Option<(f64, f64)> {
    const PATIENCE: usize = 16;
    let (mut y, mut floor) = ([0.0], [0.0]);
    let mut at = |t: f64| line.sample(t, &mut y, &mut floor).map(|taken| (taken, y[0]));
    let [from, to] = [at(between[0])?, at(between[1])?];
    if from.1 == to.1 {
        return None;
    }
    let slope = (to.1 - from.1) / (to.0 - from.0);
    let height = jump_on_curve(line, 0, between, slope, FINE, PATIENCE);
    if height <= 0.1 * line.roundoff().sqrt() * from.1.abs().max(to.1.abs()) {
        return None;
    }
    let rest = remainder(line, 0, between)?.1;
    let free = (rest.len() - 6) as f64;
    Some((height, norm(rest.into_iter()) / free.sqrt()))
}

/// Halvings after which two places lie side by side.
const HALVINGS: usize = 40;

/// The height of a jump, as [`jump`] finds it, also where curvature changes the output by more than
/// jumps do: there it is looked for where the output is least like a polynomial.
fn jump_on_curve(
    line: &mut dyn Line,
    j: usize,
    between: [f64; 2],
    slope: f64,
    noise: Noise,
    patience: usize,
) -> f64 {
    let (mut piece, mut slope) = (between, slope);
    for _ in 0..3 {
        let height = jump(line, j, piece, slope, noise, patience);
        if height > 0.0 {
            return height;
        }
        match least_smooth(line, j, piece) {
            Some(found) => (piece, slope) = found,
            None => return 0.0,
        }
    }
    jump(line, j, piece, slope, noise, patience)
}

/// The piece between two places on which an output strays furthest from a polynomial through the
/// whole, and the polynomial's slope there.
fn least_smooth(line: &mut dyn Line, j: usize, between: [f64; 2]) -> Option<([f64; 2], f64)> {
    let (Samples { taken, rows, .. }, rest) = remainder(line, j, between)?;
    let row = &rows[j];
    let strays = |k: &usize| (rest[k + 1] - rest[*k]).abs();
    let k = (0..rest.len() - 1).max_by(|a, b| strays(a).total_cmp(&strays(b)))?;
    let smooth = (row[k + 1] - rest[k + 1]) - (row[k] - rest[k]);
    Some(([taken[k], taken[k + 1]], smooth / (taken[k + 1] - taken[k])))
}

/// Samples between two places, and what a polynomial of degree five leaves of an output there.
fn remainder(line: &mut dyn Line, j: usize, between: [f64; 2]) -> Option<(Samples, Vec<f64>)> {
    const POINTS: usize = 24;
    static PLACES: LazyLock<Vec<f64>> = LazyLock::new(|| {
        let place = |k: usize| k as f64 + random::unit(0x6a75_6d70, k as u64);
        (0..POINTS).map(|k| place(k) / POINTS as f64).collect()
    });
    static POWERS: LazyLock<Basis> = LazyLock::new(|| Basis::powers(&PLACES, 5));
    let [from, to] = between;
    let steps = PLACES.iter().map(|place| from + (to - from) * place);
    let samples = Samples::take(line, steps)?;
    let rest = POWERS.rest(5, &samples.rows[j]);
    Some((samples, rest))
}

/// The height of a jump of output `j` between two places; 0 if what it changes by there, beyond
/// its `slope`, is spread over the way after so many halvings, or within the noise.
fn jump(
    line: &mut dyn Line,
    j: usize,
    between: [f64; 2],
    slope: f64,
    noise: Noise,
    patience: usize,
) -> f64 {
    // Halvings over which a slope falls to a thirtieth, and a jump stays what it is.
    const LAST: usize = 5;
    // Nearer together the parameters' own rounding makes jumps of any slope.
    let least = least_step(line);
    let outputs = line.outputs();
    let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
    let mut beyond = |t: f64| {
        let taken = line.sample(t, &mut y, &mut floor)?;
        Some((taken, y[j] - slope * taken, floor[j]))
    };
    let (Some(mut a), Some(mut b)) = (beyond(between[0]), beyond(between[1])) else { return 0.0 };
    let mut left = vec![(b.1 - a.1).abs()];
    let hidden = |rounding: f64| 10.0 * noise.level.max(noise.ratio * rounding);
    while left.len() <= HALVINGS {
        let Some(middle) = beyond(0.5 * (a.0 + b.0)) else { break };
        if middle.0 == a.0 || middle.0 == b.0 || (b.0 - a.0).abs() < least {
            break;
        }
        let first = (middle.1 - a.1).abs() > (b.1 - middle.1).abs();
        (a, b) = if first { (a, middle) } else { (middle, b) };
        let now = (b.1 - a.1).abs();
        left.push(now);
        let spread_out =
            left.len() > patience && now * 2.0_f64.powi(left.len() as i32) < 8.0 * left[0];
        if spread_out || now <= hidden(b.2) {
            break;
        }
    }
    let now = left[left.len() - 1];
    let stays = left.len() > LAST && now > 0.3 * left[left.len() - 1 - LAST];
    if stays && now > hidden(b.2) { now } else { 0.0 }
}

/// Rounding of an output where a coordinate has moved by all its scale and more. A value that is
/// zero at the state because large ones cancel does not tell their rounding; far away it may.
pub(crate) fn reach(line: &mut dyn Line, j: usize) -> f64 {
    let outputs = line.outputs();
    let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
    let mut level = 0.0_f64;
    for far in [-1.0, 1.0, -2.0, 2.0] {
        if line.sample(far * line.scale(), &mut y, &mut floor).is_some() {
            level = level.max(floor[j]);
        }
    }
    level
}

/// Whether an output moves over `width` by so many `times` its scatter there.
pub(crate) fn moves_visibly(line: &mut dyn Line, width: f64, times: f64) -> bool {
    let noise = scatter(line, 0.0, 0.1 * width);
    let outputs = line.outputs();
    let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
    line.sample(width, &mut y, &mut floor).is_some()
        && noise.iter().zip(y).any(|(noise, y)| noise.is_some_and(|n| y.abs() > times * n.level))
}

/// Noise, in units of rounding, that tells of fewer digits inside.
pub(crate) const INNER: f64 = 1e3;

/// The unit roundoff that the forward seems to be computed with: `roundoff`, that of its type, or
/// more where it rounds to fewer digits inside.
///
/// A small value of large parts has their rounding, a small square has less than its root, and a
/// saturated unit has none; half a scale away, to at least one side, the values are ordinary.
pub(crate) fn inner_roundoff(line: &mut dyn Line, roundoff: f64) -> f64 {
    let mut least = vec![f64::INFINITY; line.outputs()];
    for side in [0.5, -0.5] {
        for (ratio, there) in least.iter_mut().zip(scatter_at(line, side, side * 1e-5, INNER)) {
            *ratio = ratio.min(there.map_or(1.0, |there| there.ratio));
        }
        // The other side cannot make it more.
        if least.iter().all(|&ratio| ratio <= INNER) {
            break;
        }
    }
    let coarse = least.into_iter().filter(|&ratio| ratio > INNER);
    roundoff * coarse.fold(1.0, f64::max)
}

/// The forward's noise near the state: the spacing grows until the outputs move.
pub(crate) fn estimate_noise(line: &mut dyn Line) -> Vec<Noise> {
    let outputs = line.outputs();
    let mut noise: Vec<Option<Noise>> = vec![None; outputs];
    let mut spacing = 1e-8_f64.max(64.0 * line.roundoff());
    while spacing < 0.5 && noise.iter().any(Option::is_none) {
        let mut found = scatter(line, 0.0, spacing);
        // More than rounding. Noise is on both sides of the state, a kink may be on one.
        if found.iter().flatten().any(Noise::is_coarse) {
            for (found, other) in found.iter_mut().zip(scatter(line, 0.0, -spacing)) {
                if let (Some(found), Some(other)) = (found, other)
                    && 30.0 * other.level < found.level
                {
                    *found = other;
                }
            }
        }
        // The height of noise is the same at every width; what kinks leave grows with it, and
        // narrower samples pass between them.
        if found.iter().flatten().any(Noise::is_coarse) {
            let wider = scatter(line, 0.0, 16.0 * spacing);
            for narrower in [spacing / 64.0, spacing / 4096.0] {
                let narrower = scatter(line, 0.0, narrower);
                for ((found, wider), narrower) in found.iter_mut().zip(&wider).zip(narrower) {
                    if let (Some(found), Some(wider), Some(narrower)) = (found, wider, narrower)
                        && found.is_coarse()
                        && wider.level > 6.0 * found.level
                        && 8.0 * narrower.level < found.level
                    {
                        *found = narrower;
                    }
                }
            }
        }
        for (known, found) in noise.iter_mut().zip(found) {
            *known = known.or(found);
        }
        spacing *= 32.0;
    }
    // An output that never moves: the rounding of its value.
    let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
    let needs = noise.iter().any(Option::is_none);
    if needs && line.sample(0.0, &mut y, &mut floor).is_none() {
        floor.fill(0.0);
    }
    noise
        .into_iter()
        .zip(floor)
        .map(|(noise, floor)| noise.unwrap_or(Noise { level: floor, ratio: 1.0 }))
        .collect()
}

mod sweep;
pub(crate) use sweep::{Sweep, sweep};

#[cfg(test)]
mod tests;
