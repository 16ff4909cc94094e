//! Random directions in place of coordinates.
//!
//! The slope of the forward along a random direction through a block is off by as much as the
//! block's gradient is, in two forwards instead of two for each parameter. It is held against
//! its error bound, not against the tolerance: one wrong component among many thousands is far
//! below the tolerance of the whole, and far above the rounding of a slope. Where a slope is
//! off, the set of components is halved until the wrong ones are found: the half that was not
//! measured is off by the rest.
use std::ops::Range;
use std::sync::Arc;

use super::{Bench, acquit, bench, exhaustive_over, lenient, record, unjudged};
use crate::evidence::{Column, Evidence, Slope, Verdict};
use crate::failure::Failure;
use crate::numeric::{Estimate, Finding, Line, Noise};
use crate::random;
use crate::ray::Ray;
use crate::settings::Settings;
use crate::state::State;

/// Forwards that finding the wrong components of one state may take.
const SEARCH: usize = 2_500;
/// Wrong components that are named; more are a fault of the whole block.
const NAMED: usize = 64;
/// Blocks up to this size are measured component by component once they are known to be wrong
/// as a whole; of larger ones a sample is.
const WHOLE: usize = 20_000;
const SAMPLE_OF_WRONG: usize = 512;

/// Entry of a direction at a component: random sign, 0.5 to 1.5.
pub(super) fn entry(tag: u64, component: usize) -> f64 {
    random::signed_magnitude(tag, component as u64)
}

/// Judges a gradient by `probes` directions through each block and through all of them, and by
/// `sample` components of each block.
pub(super) fn directional(
    state: &mut State<'_>,
    settings: &Settings,
    analytic: Vec<f64>,
    steps: usize,
    probes: u32,
    sample: usize,
) -> Result<Evidence, Failure> {
    let mut evidence = unjudged(state, settings, analytic, steps);
    evidence.numeric = Column::like(&evidence.analytic);
    evidence.bound = Column::of_one(f64::INFINITY, evidence.analytic.len());
    let mut search = Search {
        bench: bench(state, settings),
        scales: state.block_scales(),
        suspects: Vec::new(),
        gap: 0.0,
        spent: 0,
    };
    let blocks = evidence.blocks.clone();
    for (b, block) in blocks.iter().enumerate() {
        let (mut clear, mut kinked) = (true, false);
        for probe in 0..probes {
            let tag =
                random::hash(state.seed(), 0x6469_7200 + (b as u64) * 1024 + u64::from(probe));
            let slope = search.slope(state, &evidence, b..b + 1, block.range.clone(), tag);
            clear &= slope.verdict == Verdict::Agrees;
            evidence.directions.push(slope.clone());
            if slope.verdict == Verdict::Kink {
                // Off the kink the direction tells; there the block is judged.
                let (b, range) = (b..b + 1, block.range.clone());
                match search.aside(state, &evidence, b.clone(), range.clone(), tag)? {
                    Verdict::Wrong => search.measure_block(state, &mut evidence, b.start),
                    Verdict::Agrees => evidence.verdict[range].fill(Verdict::Kink),
                    Verdict::Kink | Verdict::Undecided => {}
                }
                kinked |= evidence.verdict[block.range.start] == Verdict::Kink;
                break;
            }
            if slope.verdict == Verdict::Wrong {
                // What is left is to find where; other directions show the same block.
                evidence.verdict[block.range.clone()].fill(Verdict::Undecided);
                search.find(state, &mut evidence, b, &slope);
                let named = evidence.verdict[block.range.clone()].contains(&Verdict::Wrong);
                let off = (slope.analytic - slope.numeric).abs();
                if named || off <= evidence.tolerance[b] * slope.reference + slope.bound {
                    break;
                }
            }
        }
        let unseen = match clear {
            true => Verdict::Agrees,
            false if kinked => Verdict::Kink,
            false => Verdict::Undecided,
        };
        let measured = evidence.bound.own(block.range.clone());
        let measured: Vec<usize> = measured.filter(|&i| evidence.bound[i].is_finite()).collect();
        let own: Vec<Verdict> = measured.iter().map(|&i| evidence.verdict[i]).collect();
        evidence.verdict[block.range.clone()].fill(unseen);
        measured.iter().zip(own).for_each(|(&i, own)| evidence.verdict[i] = own);
        search.sample(state, &mut evidence, b, sample);
    }
    if blocks.len() > 1 {
        let all = 0..evidence.analytic.len();
        let tag = random::hash(state.seed(), 0x6469_7261);
        let slope = search.slope(state, &evidence, 0..blocks.len(), all, tag);
        evidence.directions.push(slope);
    }
    let suspects = std::mem::take(&mut search.suspects);
    acquit(state, &mut evidence, &mut search.bench, &suspects)?;
    lenient(&mut evidence);
    Ok(evidence)
}

struct Search {
    bench: Bench,
    /// Length on which each block's parameters are of order one.
    scales: Arc<[f64]>,
    suspects: Vec<super::Suspect>,
    /// By how much the one-sided slopes of the last central difference differ.
    gap: f64,
    spent: usize,
}

/// Components whose slope is off, and by how much.
struct Off {
    range: Range<usize>,
    by: f64,
    bound: f64,
}

impl Search {
    /// The slope along a direction through `range`, judged against its own error bound.
    fn slope(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        blocks: Range<usize>,
        range: Range<usize>,
        tag: u64,
    ) -> Slope {
        let ray = Ray::random(tag, &self.scales, range.clone());
        let (analytic, size) = ray.product(state.home(), &evidence.analytic);
        let reference = 2.0 * size;
        // The user's own rounding, summed along the direction.
        let own = 16.0 * state.primal.roundoff() * reference;
        let precision = evidence.tolerance_of(range.start) * reference;
        let scale = if blocks.len() == 1 { self.scales[blocks.start] } else { f64::NAN };
        let found = |verdict, numeric: f64, bound: f64| Slope {
            range: range.clone(),
            tag,
            scale,
            analytic,
            numeric,
            bound: bound + own,
            reference,
            verdict,
        };
        // From the step where rounding and truncation balance down, by a quarter at a time: a
        // direction through thousands of parameters meets kinks everywhere, and only narrow
        // steps are clear of them.
        let mut step = state.primal.roundoff().cbrt();
        let mut seen: Vec<(f64, f64)> = Vec::new();
        for _ in 0..4 {
            let gap = self.gap;
            let Some((numeric, noise)) = self.central(state, &ray, step) else {
                return found(Verdict::Undecided, f64::NAN, f64::INFINITY);
            };
            let off = (analytic - numeric).abs();
            if off <= noise + own {
                let sure = noise <= precision || (reference == 0.0 && numeric == 0.0);
                let verdict = if sure { Verdict::Agrees } else { Verdict::Undecided };
                return found(verdict, numeric, noise);
            }
            seen.push((numeric, noise));
            if let [.., a, b] = seen[..] {
                let (a, b) = (analytic - a.0, analytic - b.0);
                let same = (a - b).abs() <= 0.05 * a.abs();
                // One-sided slopes that stay apart: the state is on a kink.
                if self.gap > 0.5 * gap && self.gap > 0.02 * b.abs() && self.gap > 8.0 * noise {
                    return found(Verdict::Kink, numeric, noise + self.gap);
                }
                if same && b.abs() > 20.0 * (noise + own) {
                    let spread = (a - b).abs();
                    return found(Verdict::Wrong, numeric, noise + spread);
                }
            }
            step *= 0.25;
        }
        // The same difference at every step is the gradient's; one that changes is truncation's,
        // or a kink's.
        let (low, high) = seen.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| {
            let off = analytic - s.0;
            (low.min(off), high.max(off))
        });
        let (numeric, noise) = seen[1];
        let spread = high - low;
        let persists = low * high > 0.0 && spread <= 0.5 * low.abs().max(high.abs());
        let kinked = self.gap > 0.1 * low.abs().max(high.abs());
        let verdict = match persists {
            true if kinked => Verdict::Kink,
            true => Verdict::Wrong,
            false => Verdict::Undecided,
        };
        found(verdict, numeric, noise + spread)
    }

    /// The same direction's verdict a little off the state, with the gradient there.
    fn aside(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        blocks: Range<usize>,
        range: Range<usize>,
        tag: u64,
    ) -> Result<Verdict, Failure> {
        let mut verdict = Verdict::Undecided;
        for trial in 0..3 {
            let Ok((home, gradient)) = state.move_aside(trial) else { continue };
            let there = Evidence { analytic: Arc::new(gradient), ..evidence.clone() };
            verdict = self.slope(state, &there, blocks.clone(), range.clone(), tag).verdict;
            state.move_back(home)?;
            if matches!(verdict, Verdict::Agrees | Verdict::Wrong) {
                break;
            }
        }
        Ok(verdict)
    }

    /// Central difference along the direction at hand, and the bound of its noise.
    fn central(&mut self, state: &mut State<'_>, ray: &Ray, step: f64) -> Option<(f64, f64)> {
        let (mut y, mut floor) = ([0.0], [0.0]);
        self.spent += 2;
        let mut line = state.along(ray);
        line.sample(step, &mut y, &mut floor)?;
        let (plus, ahead) = (y[0], floor[0]);
        line.sample(-step, &mut y, &mut floor)?;
        let Noise { level, ratio } = self.bench.noise[0];
        let noise = level.max(ratio * ahead.max(floor[0]));
        self.gap = (plus + y[0]).abs() / step;
        Some(((plus - y[0]) / (2.0 * step), 6.0 * noise / step))
    }

    /// A quick slope through part of a block: one central difference.
    fn part(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        range: Range<usize>,
        tag: u64,
    ) -> Option<(f64, f64)> {
        let ray = Ray::random(tag, &self.scales, range);
        let (analytic, _) = ray.product(state.home(), &evidence.analytic);
        let step = state.primal.roundoff().cbrt();
        self.central(state, &ray, step).map(|(numeric, noise)| (analytic - numeric, noise))
    }

    /// Halves the components of a block that is off until the wrong ones stand alone.
    fn find(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        block: usize,
        slope: &Slope,
    ) {
        let range = slope.range.clone();
        let mut open = vec![Off {
            range: range.clone(),
            by: slope.analytic - slope.numeric,
            bound: slope.bound,
        }];
        let mut named = 0;
        let begun = self.spent;
        while let Some(at) = widest(&open) {
            // Off nearly everywhere: a fault of the block, not of some components.
            let covered: usize = open.iter().map(|o| o.range.len()).sum();
            let dense = open.len() > 2 * NAMED && 2 * covered > range.len();
            if dense || named > NAMED || self.spent - begun > SEARCH {
                self.measure_block(state, evidence, block);
                return;
            }
            let Off { range, by, bound } = open.swap_remove(at);
            if range.len() == 1 {
                let i = range.start;
                let wrong = self.seen_twice(state, evidence, i, by, slope.tag)
                    || self.component(state, evidence, i);
                named += usize::from(wrong);
                continue;
            }
            let middle = range.start + range.len() / 2;
            let halves = [range.start..middle, middle..range.end];
            let Some((left, noise)) = self.part(state, evidence, halves[0].clone(), slope.tag)
            else {
                continue;
            };
            let offs = [(left, noise), (by - left, bound + noise)];
            let before = open.len();
            for (half, (by, bound)) in halves.into_iter().zip(offs) {
                if by.abs() > bound {
                    open.push(Off { range: half, by, bound });
                }
            }
            // Off together and neither alone: too small to follow further this way.
            if open.len() == before && range.len() <= 64 {
                for i in range {
                    self.component(state, evidence, i);
                }
            }
        }
    }

    /// Halving has measured the component once; a second step that shows the same difference
    /// makes it wrong.
    fn seen_twice(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        i: usize,
        by: f64,
        tag: u64,
    ) -> bool {
        let ray = Ray::random(tag, &self.scales, i..i + 1);
        let entry = ray.entry(state.home(), i);
        // One side will do: it need only show the same difference once more.
        let step = 4.0 * state.primal.roundoff().cbrt();
        let (mut y, mut floor) = ([0.0], [0.0]);
        self.spent += 1;
        let mut line = state.along(&ray);
        if line.sample(step, &mut y, &mut floor).is_none() {
            return false;
        }
        let Noise { level, ratio } = self.bench.noise[0];
        let noise = 12.0 * level.max(ratio * floor[0]) / (step * entry.abs());
        let g = evidence.analytic[i];
        let (first, second) = (by / entry, g - y[0] / (step * entry));
        let numeric = g - first;
        let allowed = evidence.tolerance_of(i) * (g.abs() + numeric.abs());
        let same = (first - second).abs() <= 0.1 * second.abs();
        // Far beyond the bound, for two steps are few.
        if !same || first.abs() <= 10.0 * (allowed + noise) {
            return false;
        }
        let finding = Finding::Wrong { near_kink: false };
        let estimate = Estimate { numeric, bound: noise + (first - second).abs(), finding };
        record(evidence, i, &estimate, &mut self.suspects);
        true
    }

    /// Measures one component by itself; true if it is wrong.
    fn component(&mut self, state: &mut State<'_>, evidence: &mut Evidence, i: usize) -> bool {
        let before = state.forwards;
        let tolerance = evidence.tolerance_of(i);
        let estimate = self.bench.component(state, i, evidence.analytic[i], tolerance);
        record(evidence, i, &estimate, &mut self.suspects);
        self.spent += state.forwards - before;
        matches!(estimate.finding, Finding::Wrong { .. })
    }

    /// A block that is wrong as a whole: every component, or a sample of a large one.
    fn measure_block(&mut self, state: &mut State<'_>, evidence: &mut Evidence, block: usize) {
        let range = evidence.blocks[block].range.clone();
        if range.len() <= WHOLE {
            exhaustive_over(state, evidence, &mut self.bench, range, &mut self.suspects);
        } else {
            self.sample(state, evidence, block, SAMPLE_OF_WRONG);
        }
    }

    /// Some components of a block, drawn at random, each measured by itself.
    fn sample(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        block: usize,
        count: usize,
    ) {
        let range = evidence.blocks[block].range.clone();
        for k in 0..count.min(range.len()) {
            let draw =
                random::unit(random::hash(state.seed(), 0x7361_6d70 + block as u64), k as u64);
            let i = range.start + (draw * range.len() as f64) as usize;
            if evidence.bound[i].is_infinite() {
                self.component(state, evidence, i);
            }
        }
    }
}

/// The largest open set: halving in breadth shows early whether a fault is dense.
fn widest(open: &[Off]) -> Option<usize> {
    (0..open.len()).max_by_key(|&k| open[k].range.len())
}
