//! Random directions in place of coordinates.
//!
//! The slope of the forward along a random direction through a block is off by as much as the
//! block's gradient is, in two forwards instead of two for each parameter. It is held against
//! its error bound, not against the tolerance: one wrong component among many thousands is far
//! below the tolerance of the whole, and far above the rounding of a slope. Where a slope is
//! off, the set of components is halved until the wrong ones are found: the half that was not
//! measured is off by the rest. What a name is given to has been measured by itself, as the
//! exhaustive method measures it: a slope alone accuses nobody of less than the tolerance.
//!
//! Steps go from wide to narrow. On a wide one, extrapolated with its neighbour, rounding hides
//! least: some 1e5 times the forward's noise, where a plain difference at the usual step leaves
//! a million times as much. But a direction through thousands of parameters meets kinks
//! everywhere, and only narrow steps are clear of them. A slope that agrees on any step agrees;
//! one that is off by the same on several is off.
use std::ops::Range;
use std::sync::Arc;

use super::{Bench, acquit, bench, kinks, lenient, level, record, unjudged};
use crate::evidence::{Column, Evidence, Slope, Verdict, block_of};
use crate::failure::Failure;
use crate::numeric::{Estimate, Finding, INNER, Line, Noise};
use crate::random;
use crate::ray::Ray;
use crate::settings::Settings;
use crate::state::State;

#[cfg(test)]
mod parts;
#[cfg(test)]
mod rungs;

/// Forwards that a search for wrong components may take; beyond them it is the block that is wrong.
const SEARCH: usize = 2_500;
/// Wrong components that are named; more are a fault of the whole block.
const NAMED: usize = 64;
/// Blocks up to this size are measured component by component once they are known to be wrong
/// as a whole; of larger ones a sample is.
const WHOLE: usize = 4_000;
const SAMPLE_OF_WRONG: usize = 96;
/// Components of these that are measured however dear they are: as many as say what is wrong with
/// all of a block.
const ENOUGH: usize = 160;
/// Parts of a block that are off before it is asked whether all are.
const FEW: usize = 8;
/// Single components that are asked whether the whole block is wrong, and how many of these must
/// be off.
const ASKED: usize = 8;
const OF_ASKED: usize = 6;
/// Steps of a part that is not faint over the usual one: the narrower ones where a kink is within.
const NARROWER: [f64; 3] = [1.0, 0.0625, 0.003_906_25];
/// The second step that shows what a component is off by, over the first.
const AGAIN: f64 = 16.0;

/// Gap of the one-sided slopes, over what a slope is off by, beyond which kinks may have made it:
/// those of several at the state have both signs.
const CLEAN: f64 = 1e-3;

/// The steps of a slope over the widest one: two halvings to extrapolate with, then narrower by
/// a quarter at a time.
const RUNGS: [f64; 7] = [1.0, 0.5, 0.25, 0.0625, 0.015_625, 0.003_906_25, 0.000_976_562_5];

/// Entry of a direction at a component: random sign, 0.5 to 1.5.
pub(super) fn entry(tag: u64, component: usize) -> f64 {
    crate::ray::unit_entry(tag, component)
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
    let bound = Column::of_one(f64::INFINITY, analytic.len());
    let analytic = Arc::new(analytic);
    let unknown = [Column::like(&analytic), bound];
    let mut evidence = unjudged(state, settings, analytic, steps, unknown);
    let mut search = Search {
        // Directions meet the stairs themselves.
        bench: Bench { stairs: Some(0.0), ..bench(state, settings) },
        scales: state.block_scales(),
        suspects: Vec::new(),
        clear: 0,
        narrowest: 0,
        spent: 0,
        allowed: SEARCH,
        known: Vec::new(),
        is_steady: true,
        curvature: f64::INFINITY,
    };
    let blocks = evidence.blocks.clone();
    for (b, block) in blocks.iter().enumerate() {
        // An empty array: there is no direction through it.
        if block.range.is_empty() {
            continue;
        }
        let (mut agreed, mut kinked, mut wrong) = (false, false, false);
        search.clear = search.clear.saturating_sub(2);
        search.curvature = f64::INFINITY;
        let (mut probe, mut wanted) = (0, probes);
        while probe < wanted {
            let tag =
                random::hash(state.seed(), 0x6469_7200 + (b as u64) * 1024 + u64::from(probe));
            let mut slope = search.slope(state, &evidence, block.range.clone(), tag);
            probe += 1;
            let mut named = false;
            if slope.verdict == Verdict::Wrong {
                // What is left is to find where; other directions show the same block.
                (slope, named) = search.accuse(state, &mut evidence, b, slope);
            }
            agreed |= slope.verdict == Verdict::Agrees;
            wrong |= slope.verdict == Verdict::Wrong;
            evidence.directions.push(slope.clone());
            if slope.verdict == Verdict::Undecided && slope.numeric == 0.0 {
                search.flat(state, &mut evidence, b);
                break;
            }
            if slope.verdict == Verdict::Undecided {
                // A kink close by, as a rule: another direction need not meet it.
                wanted = (wanted + 1).min(2 * probes);
            }
            if slope.verdict == Verdict::Kink {
                // Off the kink the direction tells; there the block is judged.
                kinked |= search.aside(state, &mut evidence, b, tag)? == Verdict::Agrees;
                break;
            }
            let off = (slope.analytic - slope.numeric).abs();
            let is_slight = off <= evidence.tolerance[b] * slope.reference;
            if named || (slope.verdict == Verdict::Wrong && is_slight) {
                break;
            }
        }
        let unseen = match agreed && !wrong {
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
        if unseen == Verdict::Kink {
            let apart = kinks::apart(state, &evidence.analytic, block.range.clone());
            for i in apart.into_iter().take(APART) {
                search.component(state, &mut evidence, i);
            }
        }
    }
    if blocks.len() > 1 {
        search.clear = search.narrowest.saturating_sub(1);
        let all = 0..evidence.analytic.len();
        let tag = random::hash(state.seed(), 0x6469_7261);
        let slope = search.slope(state, &evidence, all, tag);
        evidence.directions.push(slope);
    }
    let suspects = std::mem::take(&mut search.suspects);
    acquit(state, &mut evidence, &mut search.bench, &suspects)?;
    lenient(&mut evidence, |open| search.bench.around_at(state, open));
    level(state, &mut evidence);
    kinks::judge(state, &mut evidence);
    Ok(evidence)
}

struct Search {
    bench: Bench,
    /// Length on which each block's parameters are of order one.
    scales: Arc<[f64]>,
    suspects: Vec<super::Suspect>,
    /// The step from which on the last slope was clear of kinks: the next one begins there.
    clear: usize,
    /// The narrowest of these.
    narrowest: usize,
    spent: usize,
    /// Forwards that one search for wrong components may take.
    allowed: usize,
    /// Components that were found to be off: slopes are taken without that.
    known: Vec<Known>,
    /// No slope has shown more noise than was estimated.
    is_steady: bool,
    /// Second derivative along the slopes through the block: the least seen, free of kinks.
    curvature: f64,
}

/// A component that is off.
struct Known {
    component: usize,
    error: f64,
    /// What is not known of the error.
    bound: f64,
}

/// By how much a slope is off, and the bound of the rounding in that.
#[derive(Clone, Copy)]
struct Gauged {
    off: f64,
    bound: f64,
}

impl Gauged {
    fn is_off(&self) -> bool {
        self.off.abs() > self.bound
    }

    /// The rest of a slope of which part was measured; errors of independent evaluations.
    fn without(self, part: Gauged) -> Gauged {
        Gauged { off: self.off - part.off, bound: self.bound.hypot(part.bound) }
    }
}

/// Components whose slopes are off along each of two directions.
struct Off {
    range: Range<usize>,
    by: [Gauged; 2],
}

impl Off {
    /// One slope is clearly off and the other is not: so is no component, but a kink in a step.
    fn is_of_one_direction(&self) -> bool {
        let [a, b] = self.by;
        let far = 10.0 * (a.bound + b.bound);
        (a.off.abs() > far && !b.is_off()) || (b.off.abs() > far && !a.is_off())
    }
}

/// How the search for wrong components ended.
enum Ended {
    /// Whoever could be found has been measured, and it is or is not all that the slopes are
    /// off by.
    Found { is_all: bool },
    /// There are too many: the block is wrong as a whole.
    Dense,
}

impl Search {
    fn clear_from(&mut self, rung: usize) {
        (self.clear, self.narrowest) = (rung, self.narrowest.max(rung));
    }

    /// The slope along a direction through `range`, judged against its own error bound.
    fn slope(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        range: Range<usize>,
        tag: u64,
    ) -> Slope {
        let ray = Ray::random(tag, &self.scales, range.clone());
        let (analytic, open, size) = self.product(state, evidence, &ray);
        let reference = 2.0 * size;
        let own = self.own(state, reference) + open;
        let precision = evidence.tolerance_of(range.start) * reference;
        let block = block_of(&evidence.blocks, range.start);
        let is_within = range.end <= evidence.blocks[block].range.end;
        let scale = if is_within { self.scales[block] } else { f64::NAN };
        let found = |verdict, read: Read| Slope {
            range: range.clone(),
            tag,
            scale,
            analytic,
            numeric: read.slope,
            bound: read.bound + own,
            reference,
            verdict,
        };
        let mut before: Option<(Rung, Option<Read>)> = None;
        let mut seen: Vec<Read> = Vec::new();
        let widest = widest_step(state);
        let first = self.clear.min(RUNGS.len() - 3);
        // About as good as a plain difference at the usual step.
        let fine = 4.0 * self.plain_noise(state);
        let flat = |read: &Read| reference == 0.0 && read.slope == 0.0;
        let agreed = |read: &Read| match read.bound <= precision || flat(read) {
            true => Verdict::Agrees,
            false => Verdict::Undecided,
        };
        let by_bound = |a: &Read, b: &Read| a.bound.total_cmp(&b.bound);
        let mut loose: Option<Read> = None;
        let (mut flat_steps, mut unsteady) = (0, 0.0_f64);
        let mut crowded = false;
        for (k, &ratio) in RUNGS.iter().enumerate().skip(first) {
            // Kinks that two steps next to each other see differently are many: go well below.
            if std::mem::take(&mut crowded) {
                continue;
            }
            // Out of the domain: a narrower step may be within.
            let Some(mut rung) = self.rung(state, &ray, widest * ratio) else {
                before = None;
                continue;
            };
            if rung.is_flat && analytic != 0.0 {
                // A dead block, or a stair of the forward's rounding.
                (flat_steps, before) = (flat_steps + 1, None);
                continue;
            }
            if let Some((wider, _)) = &before {
                // The values on both sides close in on the one between them, by the square of the
                // step, or on a kink by the step itself; what does not is noise.
                let (far, near) = (wider.gap * wider.step, rung.gap * rung.step);
                if near.abs() > 0.6 * far.abs() && near.abs() > 2.0 * rung.noise * rung.step {
                    unsteady = unsteady.max(near.abs());
                    self.is_steady = false;
                } else if (near * rung.square_of(wider) - far).abs() <= 0.05 * far.abs() {
                    // Smooth after all; kinks in a wide step had cancelled.
                    unsteady = 0.0;
                }
            }
            rung.noise = rung.noise.max(unsteady / rung.step);
            let curvature = (rung.gap.abs() + 2.0 * rung.noise) / rung.step;
            self.curvature = self.curvature.min(curvature);
            let plain = Read { slope: rung.slope, bound: rung.noise, jump: 0.0, unsure: 0.0 };
            let read = before.as_ref().map(|(wider, _)| rung.extrapolated(wider));
            let agrees = |read: &Read| (analytic - read.slope).abs() <= read.bound + own;
            let agreeing = [Some(plain), read].into_iter().flatten().filter(agrees);
            if let Some(agreeing) = agreeing.min_by(by_bound) {
                // A bound that a kink has widened hides what a narrower step will show.
                if agreeing.bound <= fine || k + 1 == RUNGS.len() {
                    let needs_wider = agreeing.slope != rung.slope;
                    self.clear_from(k - usize::from(needs_wider));
                    return found(agreed(&agreeing), agreeing);
                }
                loose = loose.into_iter().chain([agreeing]).min_by(by_bound);
            }
            if let (Some(read), Some((wider, earlier))) = (read, &before) {
                let off = analytic - read.slope;
                // The same by plain differences of two steps, far beyond their noise.
                let plainly = {
                    let (a, b) = (analytic - wider.slope, analytic - rung.slope);
                    (a - b).abs() <= 0.05 * a.abs()
                        && b.abs() > 20.0 * (rung.noise + own)
                        && read.jump <= CLEAN * b.abs() + read.unsure
                };
                let spread = earlier.map(|earlier| (read.slope - earlier.slope).abs());
                let again = earlier.zip(spread).is_some_and(|(earlier, spread)| {
                    spread <= 0.1 * off.abs() + earlier.bound + read.bound
                        && off.abs() > 2.0 * (read.bound + own)
                        && read.jump <= CLEAN * off.abs() + read.unsure
                });
                // Less far, but on a smooth piece, where truncation is extrapolated away. A jump
                // that noise hides shifts a difference by half, which is reason to search, and
                // none to accuse.
                let noise = wider.noise + rung.noise;
                let crooked = (rung.gap - wider.gap * rung.step / wider.step).abs();
                let steadily = crooked <= 0.1 * rung.gap.abs() + 2.0 * noise
                    && (wider.slope - rung.slope).abs() <= noise + 0.5 * off.abs()
                    && off.abs() > 1.2 * (read.bound + own)
                    // At a kink it is off by half the jump at most.
                    && off.abs() > read.jump;
                let hidden = if plainly { 0.0 } else { 0.5 * crooked + noise };
                let plainly = plainly || steadily;
                if plainly || again {
                    self.clear_from(k - 1);
                    let apart = (wider.slope - rung.slope).abs();
                    let spread = spread.unwrap_or(apart);
                    let hidden = if again { 0.0 } else { hidden };
                    let extrapolated = Read { bound: read.bound + spread + hidden, ..read };
                    // A kink that an earlier step contained is in what was extrapolated from it.
                    let steady = Read { slope: wider.slope, bound: wider.noise + hidden, ..plain };
                    let alone = match apart <= wider.noise + rung.noise {
                        true => steady,
                        false => Read { bound: rung.noise + apart + hidden, ..plain },
                    };
                    let best = match plainly && alone.bound < extrapolated.bound {
                        true => alone,
                        false => extrapolated,
                    };
                    return found(Verdict::Wrong, best);
                }
                // One-sided slopes that stay apart by the same: the state is on a kink.
                if let Some(earlier) = earlier
                    && rung.step < 1.5 * usual_step(state)
                    && read.jump > CLEAN * off.abs()
                    && read.jump > 4.0 * read.unsure
                    && (read.jump - earlier.jump).abs() <= 0.2 * read.jump
                {
                    let bound = read.bound + read.jump;
                    return found(Verdict::Kink, Read { bound, ..read });
                }
            }
            crowded = k == 1 && before.is_some();
            let (jump, unsure) = read.map_or((0.0, 0.0), |read| (read.jump, read.unsure));
            seen.push(Read { jump, unsure, ..plain });
            before = Some((rung, read));
        }
        if let Some(agreeing) = loose {
            return found(agreed(&agreeing), agreeing);
        }
        if flat_steps > 0 || seen.len() < 2 {
            let slope = if flat_steps > 0 { 0.0 } else { f64::NAN };
            let unknown = Read { slope, bound: f64::INFINITY, jump: 0.0, unsure: f64::INFINITY };
            return found(Verdict::Undecided, unknown);
        }
        // The same difference at every narrow step is the gradient's; one that changes is
        // truncation's, or a kink's.
        let narrow = &seen[seen.len().saturating_sub(3)..];
        let last = narrow[0];
        let (low, high) =
            narrow.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| {
                let off = analytic - s.slope;
                (low.min(off), high.max(off))
            });
        let spread = high - low;
        let off = low.abs().max(high.abs());
        let persists = low.signum() == high.signum() && spread <= 0.5 * off;
        let kinked = narrow.iter().any(|read| read.jump > CLEAN * off + read.unsure);
        let verdict = match persists {
            true if kinked => Verdict::Kink,
            true => Verdict::Wrong,
            false => Verdict::Undecided,
        };
        found(verdict, Read { bound: last.bound + spread, ..last })
    }

    /// What becomes of a block's slope that is off, and whether components were found that are.
    ///
    /// Where none is, the slope alone would speak: it must then be off at every step.
    fn accuse(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        block: usize,
        slope: Slope,
    ) -> (Slope, bool) {
        self.find(state, evidence, block, &slope);
        if evidence.verdict[slope.range.clone()].contains(&Verdict::Wrong) {
            return (slope, true);
        }
        let seen = match self.excused(state, evidence, &slope) {
            Some(excused) => excused,
            // Near stairs, and nothing but a slope across them.
            None if !self.is_steady => Slope { verdict: Verdict::Undecided, ..slope },
            None => slope,
        };
        (seen, false)
    }

    /// A slope that is off, at all steps: what is off at some and not at others is off by kinks,
    /// or by the stairs of a forward that rounds inside. `None` if it stays.
    fn excused(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        slope: &Slope,
    ) -> Option<Slope> {
        let ray = Ray::random(slope.tag, &self.scales, slope.range.clone());
        let off = slope.analytic - slope.numeric;
        let own = self.own(state, slope.reference);
        let precision = evidence.tolerance_of(slope.range.start) * slope.reference;
        let excused = RUNGS.iter().filter_map(|ratio| {
            let rung = self.rung(state, &ray, widest_step(state) * ratio)?;
            let here = slope.analytic - rung.slope;
            if here.abs().max(rung.noise) >= 0.5 * off.abs() || rung.is_flat {
                return None;
            }
            let bound = rung.noise + own;
            Some(match here.abs() <= bound && bound <= precision {
                true => {
                    Slope { numeric: rung.slope, bound, verdict: Verdict::Agrees, ..slope.clone() }
                }
                false => Slope { bound: off.abs(), verdict: Verdict::Undecided, ..slope.clone() },
            })
        });
        excused.min_by(|a, b| a.bound.total_cmp(&b.bound))
    }

    /// The user's own rounding, summed along a direction on which slopes have such a size.
    fn own(&self, state: &State<'_>, reference: f64) -> f64 {
        16.0 * state.primal.roundoff() * reference
    }

    /// A block's direction a little off the state, with the gradient there. What is found to be
    /// wrong there is judged here as what stands next to a kink is.
    fn aside(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        block: usize,
        tag: u64,
    ) -> Result<Verdict, Failure> {
        let range = evidence.blocks[block].range.clone();
        let mut verdict = Verdict::Undecided;
        for trial in 0..3 {
            let Ok((home, gradient)) = state.move_aside(trial) else { continue };
            let mut there = Evidence { analytic: Arc::new(gradient), ..evidence.clone() };
            let slope = self.slope(state, &there, range.clone(), tag);
            verdict = slope.verdict;
            let mut named = Vec::new();
            if verdict == Verdict::Wrong {
                let before = self.suspects.len();
                self.find(state, &mut there, block, &slope);
                named.extend(self.suspects.drain(before..).map(|suspect| suspect.component));
            }
            state.move_back(home)?;
            let are_many = named.len() > NAMED;
            for i in named {
                let is_wrong = match are_many && self.glance(state, evidence, i, tag) {
                    true => evidence.verdict[i] == Verdict::Wrong,
                    false => self.component(state, evidence, i),
                };
                if !is_wrong {
                    let off = there.analytic[i] - there.numeric[i];
                    let numeric = evidence.analytic[i] - off;
                    let finding = Finding::Wrong { near_kink: true };
                    let estimate = Estimate { numeric, bound: there.bound[i], finding };
                    record(evidence, i, &estimate, &mut self.suspects);
                }
            }
            if matches!(verdict, Verdict::Agrees | Verdict::Wrong) {
                break;
            }
        }
        Ok(verdict)
    }

    /// A block that the forward does not seem to depend on, and the gradient does: some of its
    /// largest components are measured by themselves, where a stair is told from a dead unit.
    fn flat(&mut self, state: &mut State<'_>, evidence: &mut Evidence, block: usize) {
        let range = evidence.blocks[block].range.clone();
        let mut largest: Vec<usize> = range.collect();
        largest.sort_by(|&i, &j| evidence.analytic[j].abs().total_cmp(&evidence.analytic[i].abs()));
        largest.truncate(ASKED);
        let wrong = largest.iter().filter(|&&i| self.component(state, evidence, i)).count();
        if wrong >= OF_ASKED {
            self.measure_block(state, evidence, block);
        }
    }

    /// The noise of a central difference at the usual step.
    fn plain_noise(&self, state: &State<'_>) -> f64 {
        6.0 * self.bench.noise[0].level / usual_step(state)
    }

    /// One central difference along a direction.
    fn rung(&mut self, state: &mut State<'_>, ray: &Ray, step: f64) -> Option<Rung> {
        let (mut y, mut floor) = ([0.0], [0.0]);
        self.spent += 2;
        let mut line = state.along(ray);
        line.sample(step, &mut y, &mut floor)?;
        let (plus, ahead) = (y[0], floor[0]);
        line.sample(-step, &mut y, &mut floor)?;
        let Noise { level, ratio } = self.bench.noise[0];
        let noise = level.max(ratio * ahead.max(floor[0]));
        Some(Rung {
            step,
            slope: (plus - y[0]) / (2.0 * step),
            noise: 6.0 * noise / step,
            gap: (plus + y[0]) / step,
            is_flat: plus == 0.0 && y[0] == 0.0,
        })
    }

    /// By how much the slope through part of a block is off: by one central difference, or, where
    /// so little is off that it would drown in its noise, by as wide steps as are clear of kinks.
    fn part(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        range: Range<usize>,
        tag: u64,
        faint: bool,
    ) -> Option<Gauged> {
        let ray = Ray::random(tag, &self.scales, range);
        let (analytic, open, _) = self.product(state, evidence, &ray);
        let widest = widest_step(state);
        if faint && self.clear <= 1 {
            let wide = self.rung(state, &ray, widest * RUNGS[1])?;
            let read = self.rung(state, &ray, widest * RUNGS[2])?.extrapolated(&wide);
            return Some(Gauged { off: analytic - read.slope, bound: read.bound + open });
        }
        let (first, narrower): (f64, &[f64]) = match faint {
            true => (widest * RUNGS[self.clear], &[1.0]),
            false => (usual_step(state), &NARROWER),
        };
        let mut kinked = None;
        for ratio in narrower {
            let step = first * ratio;
            let rung = self.rung(state, &ray, step)?;
            let smooth = 30.0 * self.curvature * step + 4.0 * rung.noise;
            let (off, bound) = (analytic - rung.slope, rung.noise + open);
            if rung.gap.abs() <= smooth {
                return Some(Gauged { off, bound });
            }
            // A kink within the step, which shifts the difference by up to half the gap.
            kinked = Some(Gauged { off, bound: bound + 0.5 * rung.gap.abs() });
        }
        kinked
    }

    /// The analytic slope along a direction without what is known to be off, the bound of what is
    /// not known of that, and the size of such a slope.
    fn product(&self, state: &State<'_>, evidence: &Evidence, ray: &Ray) -> (f64, f64, f64) {
        let (mut slope, size) = ray.product(state.home(), &evidence.analytic);
        let mut open = 0.0_f64;
        for known in self.known.iter().filter(|known| ray.range.contains(&known.component)) {
            let entry = ray.entry(state.home(), known.component);
            slope -= known.error * entry;
            open = open.hypot(known.bound * entry);
        }
        (slope, open, size)
    }

    /// Finds the components of a block that are off, until what is left of its slope agrees.
    fn find(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        block: usize,
        slope: &Slope,
    ) {
        self.known.clear();
        let mut left = slope.clone();
        while left.verdict == Verdict::Wrong {
            let before = self.known.len();
            match self.split(state, evidence, &left) {
                Ended::Found { is_all } if !is_all && self.known.len() > before => {}
                Ended::Found { .. } => break,
                Ended::Dense => {
                    self.measure_block(state, evidence, block);
                    break;
                }
            }
            // Large ones hide faint ones: the same slope without what has a name.
            left = self.slope(state, evidence, slope.range.clone(), slope.tag);
        }
        self.known.clear();
    }

    /// Splits the components that a slope runs through until the wrong ones stand alone.
    ///
    /// A set that holds one wrong component need not be split down to it: slopes along two
    /// directions through the set are then its error times its two entries, and their ratio is
    /// that of no other component, as far as the slopes are known. Whoever is found so is measured
    /// by itself like all others.
    fn split(&mut self, state: &mut State<'_>, evidence: &mut Evidence, slope: &Slope) -> Ended {
        let (range, begun) = (slope.range.clone(), self.spent);
        let faint = (slope.analytic - slope.numeric).abs() < 50.0 * self.plain_noise(state);
        let tags = [slope.tag, random::hash(slope.tag, 0x6f74_6865)];
        let block = block_of(&evidence.blocks, range.start);
        let second = self.slope(state, evidence, range.clone(), tags[1]);
        let [first, second] =
            [slope, &second].map(|slope| self.sharp(state, evidence, slope, faint));
        let whole = Off { range: range.clone(), by: [first, second] };
        let mut open = vec![whole];
        let mut asked = false;
        let before = self.known.len();
        while let Some(at) = widest(&open) {
            // Every set has one that is wrong, at least.
            if self.known.len() + open.len() > NAMED || self.spent - begun > self.allowed {
                return Ended::Dense;
            }
            let mut off = open.swap_remove(at);
            if off.is_of_one_direction() {
                continue;
            }
            if let Some(i) = self.alone(&off, tags) {
                if let Some(error) = self.measure(state, evidence, i, slope.tag, faint) {
                    for (by, tag) in off.by.iter_mut().zip(tags) {
                        by.off -= error * self.scales[block] * entry(tag, i);
                    }
                    if !off.by[0].is_off() {
                        continue;
                    }
                }
                if off.range.len() == 1 {
                    continue;
                }
            }
            // Few are found for less than it costs to ask.
            if !asked && open.len() + 1 >= FEW {
                if self.is_dense(state, evidence, slope.range.clone(), slope.tag, faint) {
                    return Ended::Dense;
                }
                asked = true;
            }
            let Off { range, by } = off;
            let middle = range.start + range.len() / 2;
            let halves = [range.start..middle, middle..range.end];
            let Some(left) = self.part(state, evidence, halves[0].clone(), tags[0], faint) else {
                continue;
            };
            let sides = [left, by[0].without(left)];
            // The other direction is needed where both halves are off; one alone has it all.
            let mut others = [by[1]; 2];
            if sides.iter().all(Gauged::is_off)
                && let Some(left) = self.part(state, evidence, halves[0].clone(), tags[1], faint)
            {
                others = [left, by[1].without(left)];
            }
            if !sides.iter().any(Gauged::is_off) && range.len() <= 64 {
                // Off together and neither alone: too small to follow further this way.
                for i in range {
                    self.component(state, evidence, i);
                }
                continue;
            }
            for ((range, side), other) in halves.into_iter().zip(sides).zip(others) {
                if side.is_off() {
                    open.push(Off { range, by: [side, other] });
                }
            }
        }
        let found = &self.known[before..];
        let is_all = [first, second].iter().zip(tags).all(|(by, tag)| {
            let part =
                |known: &Known| known.error * self.scales[block] * entry(tag, known.component);
            (by.off - found.iter().map(part).sum::<f64>()).abs() <= 2.0 * by.bound
        });
        Ended::Found { is_all }
    }

    /// By how much a slope is off; measured once more where that is known to few digits only.
    fn sharp(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        slope: &Slope,
        faint: bool,
    ) -> Gauged {
        let seen = Gauged { off: slope.analytic - slope.numeric, bound: slope.bound };
        if seen.bound <= 1e-5 * seen.off.abs() {
            return seen;
        }
        let again = self.part(state, evidence, slope.range.clone(), slope.tag, faint);
        again.filter(|again| again.bound < seen.bound || seen.bound.is_nan()).unwrap_or(seen)
    }

    /// The component that a set is off by, if one alone explains both of its slopes.
    fn alone(&self, set: &Off, tags: [u64; 2]) -> Option<usize> {
        if set.range.len() == 1 {
            return Some(set.range.start);
        }
        let [first, second] = set.by;
        let mut fits = set.range.clone().filter(|&i| {
            let (a, b) = (entry(tags[0], i), entry(tags[1], i));
            let open = first.bound * b.abs() + second.bound * a.abs();
            let apart = (first.off * b - second.off * a).abs();
            apart <= open + 1e-6 * (first.off * b).abs()
                && self.known.iter().all(|known| known.component != i)
        });
        // Where many would fit, none is said.
        fits.next().filter(|_| fits.next().is_none())
    }

    /// Whether most components of a block are off, by a few of them.
    fn is_dense(
        &mut self,
        state: &mut State<'_>,
        evidence: &Evidence,
        range: Range<usize>,
        tag: u64,
        faint: bool,
    ) -> bool {
        let mut off = 0;
        for k in 0..ASKED.min(range.len()) {
            let i = drawn(state, range.clone(), 0x6465_6e73, k);
            if let Some(gauged) = self.part(state, evidence, i..i + 1, tag, faint) {
                off += usize::from(gauged.is_off());
            }
            // So many can no longer be off.
            if k + 1 - off > ASKED - OF_ASKED {
                return false;
            }
        }
        true
    }

    /// Measures one component by itself, briefly where two steps show the same difference far
    /// beyond its bound. What it is off by, if it is.
    fn measure(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        i: usize,
        tag: u64,
        faint: bool,
    ) -> Option<f64> {
        let ray = Ray::random(tag, &self.scales, i..i + 1);
        let entry = ray.entry(state.home(), i);
        let g = evidence.analytic[i];
        let rung = self.rung(state, &ray, usual_step(state))?;
        let first = g - rung.slope / entry;
        if !faint && (first * entry).abs() <= rung.noise {
            return None;
        }
        if self.is_plain(state) && self.seen_again(state, evidence, i, &ray, &rung) {
            let bound = rung.noise / entry.abs() + 1e-7 * first.abs();
            self.known.push(Known { component: i, error: first, bound });
            return Some(first);
        }
        self.component(state, evidence, i);
        let (error, bound) = (g - evidence.numeric[i], evidence.bound[i]);
        // Not so if it is NaN.
        Gauged { off: error, bound }.is_off().then(|| {
            self.known.push(Known { component: i, error, bound });
            error
        })
    }

    /// Whether the forward rounds as most do. Where it rounds to fewer digits, two steps are too
    /// few to say anything: it may be on a staircase.
    fn is_plain(&self, state: &State<'_>) -> bool {
        !state.is_coarse() && self.bench.noise[0].ratio <= INNER && self.is_steady
    }

    /// A second step that shows the same difference as the first makes the component wrong.
    fn seen_again(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        i: usize,
        ray: &Ray,
        rung: &Rung,
    ) -> bool {
        let entry = ray.entry(state.home(), i);
        // One side will do: its curvature is known from the first step. A much wider one, for the
        // first may lie within a stair.
        let step = AGAIN * rung.step;
        let (mut y, mut floor) = ([0.0], [0.0]);
        self.spent += 1;
        let mut line = state.along(ray);
        if line.sample(step, &mut y, &mut floor).is_none() {
            return false;
        }
        // Of the first step's curvature, over the wider one; its own is a hundredth of that.
        let noise = AGAIN * rung.noise / entry.abs();
        let curved = 0.5 * step * rung.gap / rung.step;
        if y[0] == 0.0 {
            // Flat, or a stair of the forward's rounding.
            return false;
        }
        let g = evidence.analytic[i];
        let (first, second) = (g - rung.slope / entry, g - (y[0] / step - curved) / entry);
        let numeric = g - first;
        let allowed = evidence.tolerance_of(i) * (g.abs() + numeric.abs());
        // Where rounding makes the difference, it makes the sides differ as well.
        let same = (first - second).abs() <= 0.01 * second.abs() + noise
            && (rung.gap / entry).abs() <= 0.1 * first.abs();
        // Far beyond the bound, for two steps are few.
        if !same || first.abs() <= 10.0 * (allowed + noise) {
            return false;
        }
        let finding = Finding::Wrong { near_kink: false };
        let estimate = Estimate { numeric, bound: noise + (first - second).abs(), finding };
        record(evidence, i, &estimate, &mut self.suspects);
        true
    }

    /// One central difference of a component of a block that is wrong as a whole, or two wide ones
    /// more where it is hardly off: enough if it is clear of kinks, and the first ones are
    /// confirmed. False if it is not enough.
    fn glance(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        i: usize,
        tag: u64,
    ) -> bool {
        let ray = Ray::random(tag, &self.scales, i..i + 1);
        let Some(rung) = self.rung(state, &ray, usual_step(state)) else { return false };
        if rung.is_flat || !self.is_plain(state) {
            return false;
        }
        let (entry, g) = (ray.entry(state.home(), i), evidence.analytic[i]);
        let gap = (rung.gap / entry).abs();
        let plain = rung.noise / entry.abs() + gap * rung.step;
        let tolerance = evidence.tolerance_of(i);
        let judged = |slope: f64, noise: f64| {
            let numeric = slope / entry;
            let off = (g - numeric).abs();
            (numeric, off, noise + 1e-7 * off, tolerance * (g.abs() + numeric.abs()))
        };
        let (mut numeric, mut off, mut bound, allowed) = judged(rung.slope, plain);
        let mut finding = Finding::Wrong { near_kink: false };
        // A kink within the step shifts the difference by half the gap.
        if off > 4.0 * (allowed + bound) && gap <= 0.1 * off {
            if self.suspects.len() < super::CONFIRMED {
                return self.seen_again(state, evidence, i, &ray, &rung);
            }
        } else if bound + 0.5 * gap <= allowed && off <= allowed {
            finding = Finding::Agrees;
        } else {
            let widest = widest_step(state);
            let Some(wide) = self.rung(state, &ray, widest * RUNGS[1]) else { return false };
            let Some(rung) = self.rung(state, &ray, widest * RUNGS[2]) else { return false };
            let read = rung.extrapolated(&wide);
            let (jump, unsure) = ((read.jump / entry).abs(), (read.unsure / entry).abs());
            (numeric, off, bound, _) = judged(read.slope, read.bound / entry.abs());
            let is_smooth = jump <= 0.05 * off.max(allowed) + unsure;
            if is_smooth && bound + unsure <= allowed && off + bound <= allowed {
                finding = Finding::Agrees;
            } else if !is_smooth
                || unsure > 0.5 * off
                || off <= 1.5 * (allowed + bound)
                || self.suspects.len() < ASKED
            {
                return false;
            }
        }
        record(evidence, i, &Estimate { numeric, bound, finding }, &mut self.suspects);
        true
    }

    /// Measures one component by itself; true if it is wrong.
    fn component(&mut self, state: &mut State<'_>, evidence: &mut Evidence, i: usize) -> bool {
        self.component_after(state, evidence, i, super::CONFIRMED)
    }

    /// The same, briefly after so many that were found to be wrong.
    fn component_after(
        &mut self,
        state: &mut State<'_>,
        evidence: &mut Evidence,
        i: usize,
        confirmed: usize,
    ) -> bool {
        let before = state.forwards;
        let tolerance = evidence.tolerance_of(i);
        self.bench.kernel.brief(self.suspects.len() >= confirmed);
        let estimate = self.bench.component(state, i, evidence.analytic[i], tolerance);
        self.bench.kernel.brief(false);
        record(evidence, i, &estimate, &mut self.suspects);
        self.spent += state.forwards - before;
        matches!(estimate.finding, Finding::Wrong { .. })
    }

    /// A block that is wrong as a whole: every component, or a sample of a large one.
    fn measure_block(&mut self, state: &mut State<'_>, evidence: &mut Evidence, block: usize) {
        let range = evidence.blocks[block].range.clone();
        let tag = random::hash(state.seed(), 0x7768_6f6c);
        if range.len() <= WHOLE {
            // No more than plain differences of the whole block take, and spread evenly where that
            // is not enough for all.
            let limit = self.spent + SEARCH.max(2 * range.len());
            let count = range.len();
            let step = (1..count).rev().find(|&k| 5 * k <= 3 * count && gcd(k, count) == 1);
            for measured in 0..count {
                let i = range.start + measured * step.unwrap_or(1) % count;
                if self.spent > limit && measured >= ENOUGH {
                    return;
                }
                if evidence.bound[i].is_infinite() && !self.glance(state, evidence, i, tag) {
                    self.component_after(state, evidence, i, ASKED);
                }
            }
            return;
        }
        // In a square block with the component across the diagonal: so a transposition shows.
        let rows = match evidence.blocks[block].shape[..] {
            [rows, columns] if rows == columns => rows,
            _ => 0,
        };
        for k in 0..SAMPLE_OF_WRONG {
            let mut i = drawn(state, range.clone(), sampled(block), k);
            if rows > 0 && k % 2 == 1 {
                let pair = drawn(state, range.clone(), sampled(block), k - 1);
                let (row, column) = ((pair - range.start) / rows, (pair - range.start) % rows);
                i = range.start + column * rows + row;
            }
            if evidence.bound[i].is_finite() {
                continue;
            }
            self.measure(state, evidence, i, tag, false);
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
            let i = drawn(state, range.clone(), sampled(block), k);
            if evidence.bound[i].is_infinite() {
                self.component(state, evidence, i);
            }
        }
    }
}

/// Components of a block on a kink that are measured because their values stand apart.
const APART: usize = 4;

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Tag of the components of a block that are drawn for a sample.
fn sampled(block: usize) -> u64 {
    random::hash(0x7361_6d70, block as u64)
}

/// A component of a range, drawn at random.
fn drawn(state: &State<'_>, range: Range<usize>, tag: u64, k: usize) -> usize {
    let draw = random::unit(random::hash(state.seed(), tag), k as u64);
    range.start + (draw * range.len() as f64) as usize
}

/// The step at which rounding and truncation of a plain central difference balance.
fn usual_step(state: &State<'_>) -> f64 {
    state.primal.roundoff().cbrt()
}

/// The same for one that is extrapolated.
fn widest_step(state: &State<'_>) -> f64 {
    0.5 * state.primal.roundoff().powf(0.2)
}

/// One central difference.
#[derive(Clone, Copy)]
struct Rung {
    step: f64,
    slope: f64,
    /// Bound of the rounding in the slope.
    noise: f64,
    /// By how much the one-sided slopes differ.
    gap: f64,
    /// The forward does not change at all.
    is_flat: bool,
}

/// What one or two central differences say.
#[derive(Clone, Copy)]
struct Read {
    slope: f64,
    bound: f64,
    /// What is left of the gap between the one-sided slopes at step 0, in magnitude.
    jump: f64,
    /// The rounding in it.
    unsure: f64,
}

impl Rung {
    /// Square of how much wider another step is.
    fn square_of(&self, wider: &Rung) -> f64 {
        (wider.step / self.step) * (wider.step / self.step)
    }

    /// Richardson's extrapolation with a wider step.
    fn extrapolated(&self, wider: &Rung) -> Read {
        let (ratio, square) = (wider.step / self.step, self.square_of(wider));
        let correction = (self.slope - wider.slope) / (square - 1.0);
        let rounding = (square * self.noise + wider.noise) / (square - 1.0);
        Read {
            slope: self.slope + correction,
            // What is left is smaller by the square of the step once more.
            bound: rounding + 0.02 * correction.abs(),
            jump: ((ratio * self.gap - wider.gap) / (ratio - 1.0)).abs(),
            unsure: 2.0 * (ratio * self.noise + wider.noise) / (ratio - 1.0),
        }
    }
}

/// The largest open set: halving in breadth shows early whether a fault is dense.
fn widest(open: &[Off]) -> Option<usize> {
    (0..open.len()).max_by_key(|&k| open[k].range.len())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::check::{StateReport, check_at};
    use crate::settings::Method;

    /// `tanh(z) + |w|^2 / (2 n)` with `z = a . w`; one coefficient is a thousandth of the others.
    const SMALL: (usize, usize) = (37, 11);

    fn weights(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, n), |(i, j)| {
            let size = random::signed_magnitude(5, (i * n + j) as u64) / n as f64;
            if (i, j) == SMALL { 1e-3 * size } else { size }
        })
    }

    fn check(n: usize, fault: impl Fn(&mut Array2<f64>)) -> StateReport {
        let a = weights(n);
        let mut w =
            Array2::from_shape_fn((n, n), |(i, j)| random::signed_magnitude(6, (i * n + j) as u64));
        let count = (n * n) as f64;
        let forward =
            |w: &Array2<f64>| (&a * w).sum().tanh() + w.mapv(|w| w * w).sum() / (2.0 * count);
        let gradient = |w: &Array2<f64>| {
            let z = (&a * w).sum();
            let mut g = &a * (1.0 - z.tanh().powi(2)) + w / count;
            fault(&mut g);
            g
        };
        let settings = Settings::default().method(Method::Directional { probes: 2 });
        check_at(&mut w, &settings, forward, gradient)
    }

    fn wrong(report: &StateReport) -> Vec<usize> {
        let verdicts = report.evidence.verdict.iter().enumerate();
        verdicts.filter(|(_, v)| **v == Verdict::Wrong).map(|(i, _)| i).collect()
    }

    /// The error is some 1e-9 of the forward: beyond a plain difference at the usual step.
    #[test]
    fn a_faint_entry_among_many_has_a_name() {
        let right = check(70, |_| {});
        assert!(!right.is_wrong(), "{right}");
        assert_eq!(right.counts().agreed, 4900);
        let report = check(70, |g| g[SMALL] += 1e-9);
        assert_eq!(wrong(&report), [SMALL.0 * 70 + SMALL.1], "{report}");
    }

    /// A fault of the whole block is measured on a sample, and no component of it is halved for.
    #[test]
    fn a_dense_fault_is_not_hunted_down() {
        let report = check(70, |g| *g *= 1.5);
        assert!(report.is_wrong());
        let named = wrong(&report).len();
        assert!(named >= SAMPLE_OF_WRONG / 2, "{named}");
        assert!(report.forward_calls < 800, "{}", report.forward_calls);
        let few = check(70, |g| (0..5).for_each(|k| g[(7 * k, 13 * k)] *= 2.0));
        assert_eq!(wrong(&few), [0, 503, 1006, 1509, 2012], "{few}");
    }

    /// One entry is found by the ratio of two slopes, not by halving down to it.
    #[test]
    fn few_entries_cost_few_forwards() {
        let passing = check(70, |_| {}).forward_calls;
        for (count, most) in [(1, 40), (5, 100)] {
            let places: Vec<usize> = (0..count).map(|k| 97 + 811 * k).collect();
            let report = check(70, |g| {
                places.iter().for_each(|&i| g[(i / 70, i % 70)] *= -1.0);
            });
            assert_eq!(wrong(&report), places, "{report}");
            let beyond = report.forward_calls - passing;
            assert!(beyond <= most, "{count}: {beyond}");
        }
    }

    fn along(w: &mut Vec<f64>, forward: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) -> bool {
        let settings = Settings::default().method(Method::Directional { probes: 2 });
        let value = |w: &Vec<f64>| w.iter().enumerate().map(|(i, &w)| sign(i) * forward(w)).sum();
        let gradient = |w: &Vec<f64>| -> Vec<f64> {
            w.iter().enumerate().map(|(i, &w)| sign(i) * slope(w)).collect()
        };
        let value: &dyn Fn(&Vec<f64>) -> f64 = &value;
        check_at(w, &settings, value, gradient).is_wrong()
    }

    fn sign(i: usize) -> f64 {
        if i.is_multiple_of(3) { -1.0 } else { 1.0 }
    }

    /// Their gaps take each other away, their halves do not.
    #[test]
    fn kinks_of_both_signs_accuse_nobody() {
        let at =
            |i: i32| if i < 20 { 1e-13 * f64::from(i + 1) } else { 0.1 * f64::from(i - 40) + 0.05 };
        let mut w: Vec<f64> = (0..60).map(at).collect();
        assert!(!along(&mut w, |w| w.max(0.0) + 0.1 * w, |w| if w > 0.0 { 1.1 } else { 0.1 }));
        assert!(along(&mut w, |w| w.max(0.0) + 0.1 * w, |w| if w > 0.0 { 1.6 } else { 0.6 }));
    }

    /// A value that is rounded inside stands still on narrow steps, and the slope with it.
    #[test]
    fn a_staircase_accuses_nobody() {
        let stairs = |w: f64| f64::from((w * w) as f32) * 1e-6;
        let mut w: Vec<f64> = (0..40).map(|i| 1.0 + 0.01 * f64::from(i)).collect();
        assert!(!along(&mut w, stairs, |w| 2e-6 * w));
        assert!(along(&mut w, stairs, |w| -2e-6 * w));
    }

    /// Within a stair the slope is another, at all steps that fit there; a wider one shows the
    /// gradient's.
    #[test]
    fn a_slope_within_a_stair_accuses_nobody() {
        let settings = Settings::default().method(Method::Directional { probes: 2 });
        let sum = |w: &Vec<f64>| w.iter().enumerate().map(|(i, &w)| sign(i) * w).sum::<f64>();
        let stairs = |w: &Vec<f64>| {
            let z = sum(w);
            0.3 * z + 1.2 * (z * 2e4).floor() / 2e4 + z * z
        };
        let (mut caught, states) = (0, 24);
        for k in 0..states {
            let drawn = |i: u64| random::signed_magnitude(k, i);
            let mut w: Vec<f64> = (0..7).map(drawn).collect();
            let mut wrong = |factor: f64| {
                let slope = |w: &Vec<f64>| {
                    let slope = factor * (1.5 + 2.0 * sum(w));
                    (0..w.len()).map(|i| sign(i) * slope).collect::<Vec<f64>>()
                };
                check_at(&mut w, &settings, stairs, slope).is_wrong()
            };
            assert!(!wrong(1.0), "{k}");
            caught += u64::from(wrong(-1.0));
        }
        assert!(caught >= states - 2, "{caught} of {states}");
    }

    /// A kink that is faint beside the curvature.
    #[test]
    fn a_faint_kink_at_the_state_accuses_nobody() {
        let drawn: Vec<f64> = (0..9).map(|i| random::signed_magnitude(4, i)).collect();
        let settings = Settings::default().method(Method::Directional { probes: 2 });
        for (kink, fault, is_wrong) in [(1e-3, 0.0, false), (1e-3, 1e-1, true), (0.0, 1e-4, true)] {
            let home = drawn[0];
            let value = |w: &Vec<f64>| {
                kink * (w[0] - home).max(0.0) + 8.0 * w.iter().map(|w| w * w).sum::<f64>()
            };
            let gradient = |w: &Vec<f64>| -> Vec<f64> {
                let mut gradient: Vec<f64> = w.iter().map(|w| fault + 16.0 * w).collect();
                gradient[0] += if w[0] > home { kink } else { 0.0 };
                gradient
            };
            let report = check_at(&mut drawn.clone(), &settings, value, gradient);
            assert_eq!(report.is_wrong(), is_wrong, "{kink}, {fault}: {report}");
        }
    }

    #[test]
    fn rungs_are_extrapolated_with_a_wider_one() {
        // 3 t + |t| / 2 + 5 t^2 + 7 t^3, at 0.1 and 0.4.
        let rung = |step: f64| Rung {
            step,
            slope: 3.0 + 7.0 * step * step,
            noise: 1e-3 / step,
            gap: 1.0 + 10.0 * step,
            is_flat: false,
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        let read = rung(0.1).extrapolated(&rung(0.4));
        close(read.slope, 3.0);
        close(read.jump, 1.0);
        // Richardson's weights, and a part of what was taken out.
        close(read.bound, (16.0 * 1e-2 + 2.5e-3) / 15.0 + 0.02 * 7.0 * 0.01);
        close(read.unsure, 2.0 * (4.0 * 1e-2 + 2.5e-3) / 3.0);
        let smooth = |step: f64| Rung { gap: 10.0 * step, ..rung(step) };
        close(smooth(0.1).extrapolated(&smooth(0.4)).jump, 0.0);
    }

    #[test]
    fn the_widest_open_set_comes_first() {
        let off = |range: Range<usize>| Off { range, by: [Gauged { off: 1.0, bound: 0.0 }; 2] };
        assert_eq!(widest(&[]), None);
        assert_eq!(widest(&[off(0..3), off(3..10), off(10..12)]), Some(1));
    }

    type Pair = (Vec<f64>, Vec<f64>);

    /// Two blocks of these sizes at random parameters, judged along two directions each. The
    /// forward is the sum of `f(i, w)` over all parameters, `g(i, w)` the gradient that is judged.
    fn judged(
        sizes: (usize, usize),
        f: impl Fn(usize, f64) -> f64,
        g: impl Fn(usize, f64) -> f64,
    ) -> StateReport {
        let drawn = |k: usize| random::signed_magnitude(9, k as u64);
        let (n, m) = sizes;
        let mut w: Pair = ((0..n).map(drawn).collect(), (n..n + m).map(drawn).collect());
        let forward =
            |w: &Pair| w.0.iter().chain(&w.1).enumerate().map(|(i, &w)| f(i, w)).sum::<f64>();
        let gradient = |w: &Pair| {
            let all: Vec<f64> = w.0.iter().chain(&w.1).enumerate().map(|(i, &w)| g(i, w)).collect();
            (all[..n].to_vec(), all[n..].to_vec())
        };
        let settings = Settings::default().method(Method::Directional { probes: 2 });
        check_at(&mut w, &settings, forward, gradient)
    }

    #[test]
    fn slopes_are_those_of_their_directions() {
        let report = judged((300, 200), |_, w| w.sin(), |_, w| w.cos());
        let evidence = &report.evidence;
        assert_eq!(report.counts().agreed, 500, "{report}");
        // Two for each block, and one through both.
        let ranges: Vec<Range<usize>> =
            evidence.directions.iter().map(|s| s.range.clone()).collect();
        assert_eq!(ranges, [0..300, 0..300, 300..500, 300..500, 0..500]);
        let mut tags: Vec<u64> = evidence.directions.iter().map(|s| s.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), 5, "each is another direction");
        assert!(evidence.directions[4].scale.is_nan());
        for slope in &evidence.directions[..4] {
            let entry = |i: usize| slope.scale * entry(slope.tag, i);
            let terms = || slope.range.clone().map(|i| evidence.analytic[i] * entry(i));
            let (sum, size) = (terms().sum::<f64>(), terms().map(|x| x * x).sum::<f64>().sqrt());
            assert!((slope.analytic - sum).abs() < 1e-9 * size, "{slope:?}");
            assert!((slope.reference - 2.0 * size).abs() < 1e-9 * size, "{slope:?}");
        }
        for slope in &evidence.directions {
            assert_eq!(slope.verdict, Verdict::Agrees);
            assert!((slope.analytic - slope.numeric).abs() <= slope.bound, "{slope:?}");
            assert!(slope.bound <= 1e-7 * slope.reference && slope.bound > 0.0, "{slope:?}");
        }
        // Two forwards where one step settles it, four where it takes two.
        assert!(report.forward_calls < 100, "{}", report.forward_calls);
        // A block without components is passed over.
        for sizes in [(300, 0), (0, 300)] {
            let report = judged(sizes, |_, w| w.sin(), |_, w| w.cos());
            assert_eq!(report.counts().agreed, 300, "{report}");
            assert!(report.evidence.directions.iter().all(|slope| slope.range == (0..300)));
        }
    }

    #[test]
    fn a_wrong_block_is_off_by_what_it_is_off() {
        for factor in [1.5, -1.0, 0.0, 1.0001] {
            let wrong_block = move |i: usize, w: f64| w.cos() * if i < 300 { factor } else { 1.0 };
            let report = judged((300, 200), |_, w| w.sin(), wrong_block);
            assert!(report.is_wrong(), "{factor}: {report}");
            let named = wrong(&report);
            assert!(!named.is_empty() && named.iter().all(|&i| i < 300), "{factor}: {named:?}");
            let slope = &report.evidence.directions[0];
            assert_eq!(slope.verdict, Verdict::Wrong);
            let entry = |i: usize| slope.scale * entry(slope.tag, i);
            let w = |i: usize| random::signed_magnitude(9, i as u64);
            let truth: f64 = (0..300).map(|i| entry(i) * w(i).cos()).sum();
            assert!((slope.numeric - truth).abs() <= slope.bound, "{factor}: {slope:?} {truth}");
            let off = (slope.analytic - slope.numeric).abs();
            assert!(slope.bound < 0.2 * off, "{factor}: {slope:?}");
            let other = report.evidence.directions.iter().filter(|s| s.range == (300..500));
            assert!(
                other.clone().count() == 2 && other.clone().all(|s| s.verdict == Verdict::Agrees)
            );
            // What is known of the other block is that it agrees.
            assert!(report.evidence.verdict[300..].iter().all(|v| *v == Verdict::Agrees));
        }
    }

    #[test]
    fn single_wrong_entries_have_their_names() {
        for at in [0, 7, 299, 300, 499] {
            let report = judged(
                (300, 200),
                |_, w| w.sin(),
                |i, w| {
                    if i == at { 1.01 * w.cos() } else { w.cos() }
                },
            );
            assert_eq!(wrong(&report), [at], "{report}");
            assert!(report.forward_calls < 200, "{}", report.forward_calls);
            let evidence = &report.evidence;
            let w = random::signed_magnitude(9, at as u64);
            assert!((evidence.numeric[at] - w.cos()).abs() <= evidence.bound[at]);
            assert!(evidence.bound[at] < 1e-3, "{}", evidence.bound[at]);
        }
        // One at a hundred times the others' size, and one at a hundredth.
        for size in [100.0, 0.01] {
            let of = move |i: usize| if i == 41 { size } else { 1.0 };
            let report = judged(
                (300, 200),
                move |i, w| of(i) * w.sin(),
                move |i, w| of(i) * w.cos() * if i == 41 { 1.1 } else { 1.0 },
            );
            assert_eq!(wrong(&report), [41], "{size}: {report}");
        }
    }

    #[test]
    fn kinks_on_and_beside_the_state_accuse_nobody() {
        // At the state: every parameter of the first block on its own kink.
        let home = |i: usize| random::signed_magnitude(9, i as u64);
        let on = move |i: usize, w: f64| if i < 300 { (w - home(i)).abs() } else { w.sin() };
        for g in [0.0, 1.0, -1.0, 0.3] {
            // Right all around, and anything between the sides at the kink itself.
            let side =
                move |i: usize, w: f64| if w == home(i) { g } else { (w - home(i)).signum() };
            let right = move |i: usize, w: f64| if i < 300 { side(i, w) } else { w.cos() };
            let report = judged((300, 200), on, right);
            assert!(!report.is_wrong(), "{g}: {report}");
            assert!(report.evidence.verdict[300..].iter().all(|v| *v == Verdict::Agrees));
        }
        // Beside it, at any distance: right is right, and a flipped sign is not.
        for distance in [1e-1, 1e-2, 1e-4, 1e-5, 1e-6] {
            let kinked = move |i: usize, w: f64| w.sin() + (w - home(i) - distance).abs();
            let slope = move |i: usize, w: f64| w.cos() + (w - home(i) - distance).signum();
            let report = judged((300, 200), kinked, slope);
            assert!(!report.is_wrong(), "{distance}: {report}");
            let flipped = move |i: usize, w: f64| slope(i, w) * if i < 300 { -1.0 } else { 1.0 };
            let report = judged((300, 200), kinked, flipped);
            let named = wrong(&report);
            assert!(named.iter().all(|&i| i < 300), "{distance}: {named:?}");
            assert!(report.is_wrong() || distance < 2e-5, "{distance}: {report}");
        }
    }

    #[test]
    fn noise_and_narrow_domains_accuse_nobody_and_hide_no_large_fault() {
        let single = |_: usize, w: f64| f64::from((w as f32).sin());
        let report = judged((300, 200), single, |_, w| w.cos());
        assert!(!report.is_wrong(), "{report}");
        let report = judged((300, 200), single, |i, w| if i < 300 { -w.cos() } else { w.cos() });
        assert!(report.is_wrong() && wrong(&report).iter().all(|&i| i < 300), "{report}");
        // Wide steps leave the domain; narrow ones do not.
        let home = |i: usize| random::signed_magnitude(9, i as u64);
        let narrow = move |i: usize, w: f64| (w - home(i) + 1e-4).ln();
        let report = judged((300, 200), narrow, |_, _| 1e4);
        assert!(!report.is_wrong(), "{report}");
        let report = judged((300, 200), narrow, |i, _| if i == 5 { 2e4 } else { 1e4 });
        assert_eq!(wrong(&report), [5], "{report}");
        // Nothing depends on anything, and nothing is said to.
        let report = judged((300, 200), |_, _| 1.0, |_, _| 0.0);
        assert_eq!(report.counts().agreed, 500, "{report}");
        let report = judged((300, 200), |_, _| 1.0, |i, _| if i == 5 { 1e-3 } else { 0.0 });
        assert_eq!(wrong(&report), [5], "{report}");
    }
}
