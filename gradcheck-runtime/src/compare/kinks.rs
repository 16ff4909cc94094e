//! On a kink: whether the value that a gradient has there is made of those that it has around it.
//!
//! Where one-sided derivatives differ, the derivative of a program is one of many: which side a
//! comparison takes where its arguments are the same is a convention. But each of them is put
//! together from derivatives of the pieces that meet there (Clarke's generalised gradient is their
//! convex hull), and these are what the user's own gradient is right beside the state. What is far
//! outside of them belongs to no convention, and what a tie shares out has one sum.
use std::ops::Range;

use crate::evidence::{Evidence, Verdict};
use crate::random;
use crate::state::{Form, State};

/// Components on a kink that are looked at around it.
const LOOKED_AT: usize = 4096;
/// Directions drawn, each there and back: both sides of any kink.
const DRAWN: u64 = 16;
/// How far beyond all that is seen around a kink a convention may lead, in jumps: where several kinks
/// meet, none of them taken for on or off is what no place around combines, nor are all of them.
const BEYOND: f64 = 1.0;
/// How far from the state one looks, in scales of each parameter.
const NEAR: f64 = 1e-5;
/// What is no jump: a share of the largest jump, or of the largest value.
const SLIGHT: f64 = 1e-3;

/// The user's gradient at places around a state.
pub(super) struct Around {
    /// Each look has a value for each component asked about.
    pub(super) looks: Vec<Vec<f64>>,
}

impl Around {
    /// `None` where the gradient is not finite all around.
    pub(super) fn look(state: &mut State<'_>, asked: &[usize]) -> Option<Around> {
        let mut around = Around { looks: Vec::new() };
        let seed = |look: u64| random::hash(look, 0x6b69_6e6b);
        for look in 0..DRAWN {
            let seed = random::hash(state.seed(), seed(look));
            around.there_and_back(state, asked, |i| random::signed_magnitude(seed, i as u64))?;
        }
        // All upwards: what no direction drawn turned off together is turned off.
        let seed = random::hash(state.seed(), seed(DRAWN));
        let magnitude = |i: usize| random::signed_magnitude(seed, i as u64).abs();
        around.there_and_back(state, asked, magnitude)?;
        // Uphill and downhill, as far as the looks so far tell which way that is.
        let count = around.looks.len() as f64;
        let mean = |k: usize| around.looks.iter().map(|look| look[k]).sum::<f64>() / count;
        let mut uphill = vec![0.0; asked.iter().max().map_or(0, |last| last + 1)];
        for (k, &i) in asked.iter().enumerate() {
            uphill[i] = mean(k).signum() * magnitude(i);
        }
        around.there_and_back(state, asked, |i| uphill.get(i).copied().unwrap_or(0.0))?;
        Some(around)
    }

    fn there_and_back(
        &mut self,
        state: &mut State<'_>,
        asked: &[usize],
        entry: impl Fn(usize) -> f64,
    ) -> Option<()> {
        // Back by another length: which of several values is the middle one turns out otherwise.
        let back = random::hash(state.seed(), self.looks.len() as u64);
        let length = |i: usize| random::signed_magnitude(back, i as u64).abs();
        for returns in [false, true] {
            let beside = |i: usize, v: f64, scale: f64| {
                let along = if returns { -entry(i) * length(i) } else { entry(i) };
                v + NEAR * scale * along
            };
            let look = state.gradient_where(Some(asked), beside).ok()?;
            if !look.iter().all(|g| g.is_finite()) {
                return None;
            }
            self.looks.push(look);
        }
        Some(())
    }

    /// The smallest and the largest of what each look comes to.
    pub(super) fn span(&self, of: impl Fn(&[f64]) -> f64) -> [f64; 2] {
        let values = self.looks.iter().map(|look| of(look));
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
            [low.min(value), high.max(value)]
        })
    }

    /// By how much component `k` changes from one look to another.
    fn jump(&self, k: usize) -> f64 {
        let [low, high] = self.span(|look| look[k]);
        high - low
    }

    /// Whether `g`, as component `k`, may be put together from what is seen around the state and
    /// the one-sided derivatives at it, which lie within `sides`.
    pub(super) fn explains(&self, k: usize, g: f64, sides: [f64; 2], slight: f64) -> bool {
        let [low, high] = self.span(|look| look[k]);
        let [low, high] = [low.min(sides[0]), high.max(sides[1])];
        let slack = BEYOND * (high - low) + 0.1 * slight * low.abs().max(high.abs());
        (low - slack..=high + slack).contains(&g)
    }

    /// Those of the components `asked` about that nothing explains, where the one-sided derivatives
    /// of each lie within its `sides`.
    fn strange(
        &self,
        state: &State<'_>,
        analytic: &[f64],
        asked: &[usize],
        sides: impl Fn(usize) -> [f64; 2],
    ) -> Vec<usize> {
        // What counts for no jump, beside the values around.
        let slight = if state.is_coarse() { 10.0 * SLIGHT } else { SLIGHT };
        let is_strange =
            |&(k, &i): &(usize, &usize)| !self.explains(k, analytic[i], sides(i), slight);
        asked.iter().enumerate().filter(is_strange).map(|(_, &i)| i).collect()
    }

    /// Those of the components that share out a whole to which `gradient` does not add up, by more
    /// than is `open` of it: from one look to the next they have other shares, and one sum. Empty
    /// where they have none.
    pub(super) fn unevenly_shared(
        &self,
        gradient: &[f64],
        asked: &[usize],
        open: f64,
    ) -> Vec<usize> {
        let components = 0..asked.len();
        let jumps: Vec<f64> = components.clone().map(|k| self.jump(k)).collect();
        let slack = SLIGHT * jumps.iter().sum::<f64>();
        let [low, high] = self.span(|look| look.iter().sum());
        let whole: f64 = asked.iter().map(|&i| gradient[i]).sum();
        let largest = jumps.iter().fold(0.0_f64, |most, &jump| most.max(jump));
        let shared = components.filter(|&k| jumps[k] > SLIGHT * largest);
        let shared: Vec<usize> = shared.map(|k| asked[k]).collect();
        let adds_up = (low - slack - open..=high + slack + open).contains(&whole);
        if shared.len() > 1 && high - low <= slack && !adds_up { shared } else { Vec::new() }
    }
}

/// By how much each of the components that are `asked` about changes around the state; none where
/// the gradient is not finite there.
pub(super) fn jumps(state: &mut State<'_>, asked: &[usize]) -> Vec<f64> {
    match Around::look(state, asked) {
        Some(around) => (0..asked.len()).map(|k| around.jump(k)).collect(),
        None => Vec::new(),
    }
}

/// Which of the components that are `asked` about have a value that is far from all that the
/// gradient is around the state.
pub(super) fn strange(state: &mut State<'_>, evidence: &Evidence, asked: &[usize]) -> Vec<usize> {
    let asked = &asked[..asked.len().min(LOOKED_AT)];
    if asked.is_empty() {
        return Vec::new();
    }
    match Around::look(state, asked) {
        Some(around) => around.strange(state, &evidence.analytic, asked, |i| sides(evidence, i)),
        None => Vec::new(),
    }
}

/// Components of a range whose values are far from all that the gradient is around the state; the
/// one-sided derivatives at it, which nobody has measured, may still explain them.
pub(super) fn apart(state: &mut State<'_>, analytic: &[f64], range: Range<usize>) -> Vec<usize> {
    let asked: Vec<usize> = range.take(LOOKED_AT).collect();
    let Some(around) = Around::look(state, &asked) else { return Vec::new() };
    around.strange(state, analytic, &asked, |_| [f64::INFINITY, f64::NEG_INFINITY])
}

/// Where the one-sided derivatives of a measured component are.
fn sides(evidence: &Evidence, i: usize) -> [f64; 2] {
    let (numeric, bound) = (evidence.numeric[i], evidence.bound[i]);
    [numeric - bound, numeric + bound]
}

/// Accuses values on a kink that no convention has: far from all that the gradient is around it,
/// or shares of a tie that do not add up.
pub(super) fn judge(state: &mut State<'_>, evidence: &mut Evidence) {
    let measured = evidence.numeric.own(0..evidence.analytic.len());
    // What is open may have a share of a tie as well.
    let undecided = |&i: &usize| evidence.verdict[i] == Verdict::Undecided;
    let is_kink = |&i: &usize| evidence.verdict[i] == Verdict::Kink;
    let asked: Vec<usize> =
        measured.filter(|i| is_kink(i) || undecided(i)).take(LOOKED_AT).collect();
    if state.form != Form::Gradient || !asked.iter().any(is_kink) {
        return;
    }
    let Some(around) = Around::look(state, &asked) else { return };
    let mut wrong = around.strange(state, &evidence.analytic, &asked, |i| sides(evidence, i));
    wrong.retain(is_kink);
    // In single precision the sides of a kink are not told from rounding.
    if wrong.is_empty() && !state.is_coarse() {
        // What is open may itself be what does not add up.
        let open = |&&i: &&usize| evidence.verdict[i] == Verdict::Undecided;
        let off = |&i: &usize| (evidence.analytic[i] - evidence.numeric[i]).abs();
        let open = asked.iter().filter(open).map(off).filter(|off| off.is_finite()).sum();
        wrong = around.unevenly_shared(&evidence.analytic, &asked, open);
        wrong.retain(is_kink);
    }
    for i in wrong {
        evidence.verdict[i] = Verdict::Wrong;
    }
}
