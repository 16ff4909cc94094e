//! Random directions in place of coordinates.
//!
//! The slope of the forward along a random direction through a block is off by as much as the
//! block's gradient is, in two forwards instead of two for each parameter. It is held against
//! its error bound, not against the tolerance: one wrong component among many thousands is far
//! below the tolerance of the whole, and far above the rounding of a slope. Where a slope is
//! off, the set of components is halved until the wrong ones are found: the half that was not
//! measured is off by the rest.
use std::ops::Range;

use super::{Bench, acquit, bench, exhaustive_over, lenient, record, unjudged};
use crate::evidence::{Evidence, Slope, Verdict, norm};
use crate::failure::Failure;
use crate::numeric::{Estimate, Finding, Line, Noise, Target};
use crate::random;
use crate::settings::Settings;
use crate::state::State;

/// Forwards that finding the wrong components of one state may take.
const SEARCH: usize = 1_500;
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
    evidence.numeric.clone_from(&evidence.analytic);
    let mut search = Search {
        bench: bench(state, settings, &evidence),
        scales: evidence.blocks.iter().map(|b| state.block_scale(b.range.clone())).collect(),
        direction: vec![0.0; evidence.analytic.len()],
        suspects: Vec::new(),
        spent: 0,
    };
    let blocks = evidence.blocks.clone();
    for (b, block) in blocks.iter().enumerate() {
        let mut worst: Option<Slope> = None;
        let mut clear = true;
        for probe in 0..probes {
            let tag =
                random::hash(state.seed(), 0x6469_7200 + (b as u64) * 1024 + u64::from(probe));
            let slope = search.slope(state, &evidence, b..b + 1, block.range.clone(), tag);
            clear &= slope.verdict == Verdict::Agrees;
            let off = |s: &Slope| (s.analytic - s.numeric).abs() / s.bound;
            if slope.verdict == Verdict::Wrong
                && worst.as_ref().is_none_or(|w| off(w) < off(&slope))
            {
                worst = Some(slope.clone());
            }
            evidence.directions.push(slope);
        }
        let verdict = if clear { Verdict::Agrees } else { Verdict::Undecided };
        evidence.verdict[block.range.clone()].fill(verdict);
        if let Some(slope) = worst {
            search.find(state, &mut evidence, b, &slope);
            let off = (slope.analytic - slope.numeric).abs();
            let named = evidence.verdict[block.range.clone()].contains(&Verdict::Wrong);
            if !named && off > evidence.tolerance[b] * slope.reference + slope.bound {
                search.measure_block(state, &mut evidence, b);
            }
        }
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
    scales: Vec<f64>,
    direction: Vec<f64>,
    suspects: Vec<super::Suspect>,
    spent: usize,
}

/// Components whose slope is off, and by how much.
struct Off {
    range: Range<usize>,
    by: f64,
    bound: f64,
}

impl Search {
    fn point(&mut self, evidence: &Evidence, blocks: Range<usize>, range: Range<usize>, tag: u64) {
        self.direction.fill(0.0);
        for b in blocks {
            let own = &evidence.blocks[b].range;
            for i in own.start.max(range.start)..own.end.min(range.end) {
                self.direction[i] = self.scales[b] * entry(tag, i);
            }
        }
    }

    fn analytic(&self, evidence: &Evidence, range: Range<usize>) -> f64 {
        range.map(|i| evidence.analytic[i] * self.direction[i]).sum()
    }

    /// The slope along a direction through `range`, judged against its own error bound.
    fn slope(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        blocks: Range<usize>,
        range: Range<usize>,
        tag: u64,
    ) -> Slope {
        self.point(evidence, blocks.clone(), range.clone(), tag);
        let analytic = self.analytic(evidence, range.clone());
        let products = range.clone().map(|i| evidence.analytic[i] * self.direction[i]);
        let reference = 2.0 * norm(products);
        let target = Target {
            analytic,
            tolerance: self.bench.tolerance[range.start],
            noise: self.bench.noise[0],
            reference: Some(reference),
        };
        let mut estimates = Vec::new();
        let mut line = state.along(&self.direction);
        let epsilon = self.bench.epsilon;
        self.bench.kernel.differentiate(&mut line, epsilon, &[target], &mut estimates);
        let Estimate { numeric, bound, finding } = estimates[0];
        // The user's own rounding, summed along the direction.
        let own = 16.0 * state.primal.roundoff() * reference;
        let off = (analytic - numeric).abs();
        let verdict = match finding {
            Finding::Agrees => Verdict::Agrees,
            Finding::Kink => Verdict::Kink,
            Finding::Wrong { .. } if off > bound + own => Verdict::Wrong,
            // Nothing moves and nothing should.
            Finding::Undecided if reference == 0.0 && numeric == 0.0 => Verdict::Agrees,
            _ => Verdict::Undecided,
        };
        let scale = if blocks.len() == 1 { self.scales[blocks.start] } else { f64::NAN };
        Slope { range, tag, scale, analytic, numeric, bound: bound + own, reference, verdict }
    }

    /// A quick slope through part of a block: one central difference.
    fn part(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        block: usize,
        range: Range<usize>,
        tag: u64,
    ) -> Option<(f64, f64)> {
        self.point(evidence, block..block + 1, range.clone(), tag);
        let analytic = self.analytic(evidence, range);
        let step = state.primal.roundoff().cbrt();
        let (mut y, mut floor) = ([0.0], [0.0]);
        self.spent += 2;
        let mut line = state.along(&self.direction);
        line.sample(step, &mut y, &mut floor)?;
        let plus = y[0];
        line.sample(-step, &mut y, &mut floor)?;
        let Noise { level, ratio } = self.bench.noise[0];
        let noise = level.max(ratio * floor[0]);
        Some((analytic - (plus - y[0]) / (2.0 * step), 6.0 * noise / step))
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
            let dense = open.len() > 24
                && open.iter().map(|o| o.range.len()).sum::<usize>() * 2 > range.len();
            if dense || named > NAMED || self.spent - begun > SEARCH {
                self.measure_block(state, evidence, block);
                return;
            }
            let Off { range, by, bound } = open.swap_remove(at);
            if range.len() == 1 {
                named += usize::from(self.component(state, evidence, range.start));
                continue;
            }
            let middle = range.start + range.len() / 2;
            let halves = [range.start..middle, middle..range.end];
            let Some((left, noise)) =
                self.part(state, evidence, block, halves[0].clone(), slope.tag)
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

    /// Measures one component by itself; true if it is wrong.
    fn component(&mut self, state: &mut State<'_>, evidence: &mut Evidence, i: usize) -> bool {
        let before = state.forwards;
        let target = Target {
            analytic: evidence.analytic[i],
            tolerance: self.bench.tolerance[i],
            noise: self.bench.noise[0],
            reference: None,
        };
        let mut estimates = Vec::new();
        let epsilon = self.bench.epsilon;
        self.bench.kernel.differentiate(
            &mut state.coordinate(i),
            epsilon,
            &[target],
            &mut estimates,
        );
        record(evidence, i, &estimates[0], &mut self.suspects);
        self.spent += state.forwards - before;
        matches!(estimates[0].finding, Finding::Wrong { .. })
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
