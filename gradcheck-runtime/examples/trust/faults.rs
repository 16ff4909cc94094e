//! Faults: what is done to a correct gradient, beside the mistakes inside the backward
//! functions ([`Bug`]).
use std::cell::Cell;

use super::subjects::{Bug, Case, Class, Known, Model, Params, Rng, Samples};

/// Where a fault happens.
pub(crate) struct Site<'a> {
    /// The function, as `f64` sees it.
    pub(crate) case: &'a Case<f64>,
    pub(crate) class: Class,
    /// The correct gradient at the state itself. What a fault picks by size it picks by this
    /// one, so that nudged parameters meet the same fault.
    pub(crate) base: &'a Params<f64>,
    /// For one fault over states of several sizes, as a function that has it would show it: the
    /// block, or pair of blocks, where the first of them had it. `None`: anywhere, each time.
    pub(crate) fixed: Option<&'a Cell<Option<usize>>>,
}

/// Indices that a fault in one place stands at, where it must be the same place at all sizes.
const FIXED_PLACES: usize = 3;

impl Site<'_> {
    fn m(&self) -> usize {
        self.case.dim("m").unwrap_or(1)
    }
    fn blocks_where(&self, fits: impl Fn(&[usize]) -> bool) -> Vec<usize> {
        (0..self.base.blocks()).filter(|&b| fits(self.base.shape(b))).collect()
    }
    /// Components in the order of their size, smallest first, exact zeros left out.
    fn by_size(&self) -> Vec<usize> {
        let flat = self.base.flat();
        let mut order: Vec<usize> = (0..flat.len()).filter(|&i| flat[i] != 0.0).collect();
        order.sort_by(|&a, &b| flat[a].abs().total_cmp(&flat[b].abs()));
        order
    }
    /// The block with the smallest gradient that is not zero.
    fn smallest_block(&self) -> Option<usize> {
        let size = |b: usize| self.base[b].iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        let smallest = (0..self.base.blocks())
            .filter(|&b| size(b) > 0.0)
            .min_by(|&a, &b| size(a).total_cmp(&size(b)))
            .filter(|_| self.base.blocks() > 1);
        match self.fixed.and_then(Cell::get) {
            Some(block) => Some(block),
            None => self.settle(smallest),
        }
    }
    fn settle(&self, picked: Option<usize>) -> Option<usize> {
        if let Some(fixed) = self.fixed {
            fixed.set(picked);
        }
        picked
    }
    /// One of some blocks.
    fn pick(&self, candidates: &[usize], rng: &mut Rng) -> Option<usize> {
        let drawn = (!candidates.is_empty()).then(|| candidates[rng.below(candidates.len())]);
        match self.fixed.and_then(Cell::get) {
            Some(block) => candidates.contains(&block).then_some(block),
            None => self.settle(drawn),
        }
    }
    /// An index below `n`.
    fn place(&self, n: usize, rng: &mut Rng) -> Option<usize> {
        match self.fixed {
            Some(_) => Some(rng.below(FIXED_PLACES)).filter(|&i| i < n),
            None => Some(rng.below(n)),
        }
    }
    /// Two indices below `n`, of two or more.
    fn two_places(&self, n: usize, rng: &mut Rng) -> Option<(usize, usize)> {
        let a = self.place(n, rng)?;
        let b = match self.fixed {
            Some(_) => a + 1,
            None => (a + 1 + rng.below(n - 1)) % n,
        };
        (b < n).then_some((a, b))
    }
    /// One component of a block.
    fn place_in(&self, block: usize, rng: &mut Rng) -> Option<usize> {
        if self.fixed.is_none() {
            return Some(rng.below(self.base[block].len()));
        }
        let shape = self.base.shape(block);
        shape.iter().try_fold(0, |k, &extent| Some(k * extent + self.place(extent, rng)?))
    }
}

/// Changes the gradient at given parameters; `None` where it does not apply.
type Change = fn(&Site<'_>, &Params<f64>, &mut Params<f64>, &mut Rng) -> Option<()>;

/// A kind of fault.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// A mistake inside the backward function.
    Bug(Bug),
    /// Something done to a correct gradient.
    Change(usize),
}

impl Fault {
    /// Every kind.
    pub(crate) fn all() -> impl Iterator<Item = Fault> {
        let bugs = Bug::ALL.iter().map(|&bug| Fault::Bug(bug));
        bugs.chain((0..CHANGES.len()).map(Fault::Change))
    }
    /// The step of a fault that puts a difference of the forward in the gradient's place.
    pub(crate) fn step(self) -> Option<f64> {
        match self.name() {
            "forward difference of 1e-3 as gradient" => Some(1e-3),
            "forward difference of 1e-6 as gradient" => Some(1e-6),
            _ => None,
        }
    }
    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::Bug(bug) => bug.name(),
            Fault::Change(i) => CHANGES[i].0,
        }
    }
    /// The shape a diagnosis could know it by.
    pub(crate) fn known(self) -> Option<Known> {
        match self {
            Fault::Bug(bug) => bug.known(),
            Fault::Change(i) => CHANGES[i].1,
        }
    }
    /// Whether a backward function of the case can have it; a change may still not apply.
    pub(crate) fn fits(self, case: &Case<f64>) -> bool {
        match self {
            Fault::Bug(bug) => case.model.bugs().contains(&bug),
            Fault::Change(_) => true,
        }
    }
    /// Does it to the correct gradient `g` at `p`; `None` where it does not apply.
    pub(crate) fn change(
        self,
        site: &Site<'_>,
        p: &Params<f64>,
        g: &mut Params<f64>,
        seed: u64,
    ) -> Option<()> {
        match self {
            Fault::Bug(_) => None,
            Fault::Change(i) => CHANGES[i].2(site, p, g, &mut Rng::new(&[seed, i as u64])),
        }
    }
}

fn scale_all(g: &mut Params<f64>, factor: f64) -> Option<()> {
    g.iter_mut().for_each(|g| *g *= factor);
    Some(())
}

fn scale_block(g: &mut Params<f64>, block: usize, factor: f64) -> Option<()> {
    g[block].iter_mut().for_each(|g| *g *= factor);
    Some(())
}

/// One component, evenly among those whose correct value is not zero.
fn component(site: &Site<'_>, rng: &mut Rng) -> Option<(usize, usize)> {
    if site.fixed.is_some() {
        return any_component(site, rng);
    }
    let candidates = site.by_size();
    (!candidates.is_empty()).then(|| site.base.locate(candidates[rng.below(candidates.len())]))
}

/// One component, evenly among all.
fn any_component(site: &Site<'_>, rng: &mut Rng) -> Option<(usize, usize)> {
    if site.fixed.is_none() {
        return Some(site.base.locate(rng.below(site.base.len())));
    }
    let block = any_block(site, rng)?;
    Some((block, site.place_in(block, rng)?))
}

fn scale_one(site: &Site<'_>, g: &mut Params<f64>, rng: &mut Rng, factor: f64) -> Option<()> {
    let (block, place) = component(site, rng)?;
    g[block][place] *= factor;
    Some(())
}

fn norm(g: &Params<f64>) -> f64 {
    g.iter().map(|g| g * g).sum::<f64>().sqrt()
}

fn any_block(site: &Site<'_>, rng: &mut Rng) -> Option<usize> {
    site.pick(&site.blocks_where(|_| true), rng)
}

/// A matrix with more than one row and column, as `(block, rows, columns)`.
fn matrix(site: &Site<'_>, rng: &mut Rng) -> Option<(usize, usize, usize)> {
    let several = |s: &[usize]| s.len() >= 2 && s[0] > 1 && s[1..].iter().product::<usize>() > 1;
    let block = site.pick(&site.blocks_where(several), rng)?;
    let rows = site.base.shape(block)[0];
    Some((block, rows, site.base[block].len() / rows))
}

fn square(site: &Site<'_>, rng: &mut Rng) -> Option<(usize, usize)> {
    let square = |s: &[usize]| s.len() == 2 && s[0] == s[1] && s[0] > 1;
    let block = site.pick(&site.blocks_where(square), rng)?;
    Some((block, site.base.shape(block)[0]))
}

/// Two blocks of equal shape.
fn twins(site: &Site<'_>, rng: &mut Rng) -> Option<(usize, usize)> {
    let n = site.base.blocks();
    let pairs: Vec<usize> = (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .filter(|&(a, b)| site.base.shape(a) == site.base.shape(b))
        .map(|(a, b)| a * n + b)
        .collect();
    site.pick(&pairs, rng).map(|pair| (pair / n, pair % n))
}

/// The gradient of another function in place of this one's.
fn replace(g: &mut Params<f64>, other: &Params<f64>) -> Option<()> {
    if !other.is_finite() {
        return None;
    }
    g.iter_mut().zip(other.iter()).for_each(|(g, o)| *g = o);
    Some(())
}

/// Moves the samples of an array by one.
fn roll_samples(values: &mut [f64], m: usize, samples: Samples) {
    match samples {
        Samples::Last => values.chunks_exact_mut(m).for_each(|row| row.rotate_right(1)),
        Samples::First => values.rotate_right(values.len() / m),
    }
}

fn in_single(site: &Site<'_>) -> bool {
    site.class == Class::Single
}

/// Rounded to `bits` of mantissa.
fn rounded(value: f64, bits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let step = (value.abs().log2().floor() - f64::from(bits)).exp2();
    (value / step).round() * step
}

const CHANGES: &[(&str, Option<Known>, Change)] = &[
    ("times m", Some(Known::TimesBatch), |s, _, g, _| {
        (s.m() > 1).then(|| scale_all(g, s.m() as f64))?
    }),
    ("over m", Some(Known::OverBatch), |s, _, g, _| {
        (s.m() > 1).then(|| scale_all(g, 1.0 / s.m() as f64))?
    }),
    ("times (m - 1) / m", Some(Known::Scaled), |s, _, g, _| {
        (s.m() > 1).then(|| scale_all(g, (s.m() - 1) as f64 / s.m() as f64))?
    }),
    ("times m in one block", Some(Known::TimesBatch), |s, _, g, rng| {
        (s.m() > 1).then(|| scale_block(g, any_block(s, rng)?, s.m() as f64))?
    }),
    ("times 2", Some(Known::Scaled), |_, _, g, _| scale_all(g, 2.0)),
    ("times 1/2", Some(Known::Scaled), |_, _, g, _| scale_all(g, 0.5)),
    ("times 1.01", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.01)),
    ("times 1 + 1e-3", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.0 + 1e-3)),
    ("times 1 + 1e-5", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.0 + 1e-5)),
    ("times 1 + 1e-6", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.0 + 1e-6)),
    ("times 1 - 1e-6", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.0 - 1e-6)),
    ("times 1/(1 - p) of a dropout", Some(Known::Scaled), |_, _, g, _| scale_all(g, 1.25)),
    ("block times 2", Some(Known::Scaled), |s, _, g, rng| scale_block(g, any_block(s, rng)?, 2.0)),
    ("block times 1 + 1e-4", Some(Known::Scaled), |s, _, g, rng| {
        scale_block(g, any_block(s, rng)?, 1.0 + 1e-4)
    }),
    ("block times 1 + 1e-6", Some(Known::Scaled), |s, _, g, rng| {
        scale_block(g, any_block(s, rng)?, 1.0 + 1e-6)
    }),
    ("sign of all", Some(Known::Sign), |_, _, g, _| scale_all(g, -1.0)),
    ("sign of one block", Some(Known::Sign), |s, _, g, rng| {
        scale_block(g, any_block(s, rng)?, -1.0)
    }),
    ("sign of one component", Some(Known::OneComponent), |s, _, g, rng| scale_one(s, g, rng, -1.0)),
    ("sign lost (absolute values)", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = g.abs());
        Some(())
    }),
    ("all zero", Some(Known::Zero), |_, _, g, _| scale_all(g, 0.0)),
    ("block zero", Some(Known::Zero), |s, _, g, rng| scale_block(g, any_block(s, rng)?, 0.0)),
    ("component zero", Some(Known::OneComponent), |s, _, g, rng| scale_one(s, g, rng, 0.0)),
    ("row zero", Some(Known::FewComponents), |s, _, g, rng| {
        let (block, rows, columns) = matrix(s, rng)?;
        let row = s.place(rows, rng)?;
        g[block][row * columns..(row + 1) * columns].fill(0.0);
        Some(())
    }),
    ("column zero", Some(Known::FewComponents), |s, _, g, rng| {
        let (block, rows, columns) = matrix(s, rng)?;
        let column = s.place(columns, rng)?;
        (0..rows).for_each(|row| g[block][row * columns + column] = 0.0);
        Some(())
    }),
    ("last of a block missing", Some(Known::OneComponent), |s, _, g, rng| {
        let block = any_block(s, rng)?;
        *g[block].last_mut()? = 0.0;
        (g[block].len() > 1).then_some(())
    }),
    ("first of a block missing", Some(Known::OneComponent), |s, _, g, rng| {
        let block = any_block(s, rng)?;
        *g[block].first_mut()? = 0.0;
        (g[block].len() > 1).then_some(())
    }),
    ("a tenth of the components dropped", None, |_, _, g, rng| {
        let mut dropped = false;
        for g in g.iter_mut() {
            if rng.below(10) == 0 {
                *g = 0.0;
                dropped = true;
            }
        }
        dropped.then_some(())
    }),
    ("diagonal of a square zero", Some(Known::FewComponents), |s, _, g, rng| {
        let (block, n) = square(s, rng)?;
        (0..n).for_each(|i| g[block][i * n + i] = 0.0);
        Some(())
    }),
    ("upper triangle of a square zero", None, |s, _, g, rng| {
        let (block, n) = square(s, rng)?;
        for i in 0..n {
            g[block][i * n + i + 1..(i + 1) * n].fill(0.0);
        }
        Some(())
    }),
    ("transposed", Some(Known::Transposed), |s, _, g, rng| {
        let (block, n) = square(s, rng)?;
        for i in 0..n {
            for j in 0..i {
                g[block].swap(i * n + j, j * n + i);
            }
        }
        Some(())
    }),
    ("stored column by column", Some(Known::Transposed), |s, _, g, rng| {
        let (block, rows, columns) = matrix(s, rng)?;
        if rows == columns {
            return None;
        }
        let before = g[block].to_vec();
        for i in 0..rows {
            for j in 0..columns {
                g[block][j * rows + i] = before[i * columns + j];
            }
        }
        Some(())
    }),
    ("blocks of equal shape swapped", Some(Known::Swapped), |s, _, g, rng| {
        let (a, b) = twins(s, rng)?;
        let before = g[a].to_vec();
        let other = g[b].to_vec();
        g[a].copy_from_slice(&other);
        g[b].copy_from_slice(&before);
        Some(())
    }),
    ("block copied from another", None, |s, _, g, rng| {
        let (a, b) = twins(s, rng)?;
        let other = g[a].to_vec();
        g[b].copy_from_slice(&other);
        Some(())
    }),
    ("shifted by one along the first axis", Some(Known::Shifted), |s, _, g, rng| {
        let (block, _, columns) = matrix(s, rng)?;
        g[block].rotate_right(columns);
        Some(())
    }),
    ("shifted by one along the last axis", Some(Known::Shifted), |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.last().is_some_and(|&n| n > 2)), rng)?;
        let n = *s.base.shape(block).last()?;
        g[block].chunks_exact_mut(n).for_each(|row| row.rotate_right(1));
        Some(())
    }),
    ("shifted by one, a zero moved in", Some(Known::Shifted), |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.len() == 1 && s[0] > 2), rng)?;
        g[block].rotate_right(1);
        g[block][0] = 0.0;
        Some(())
    }),
    ("axis reversed", None, |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.iter().product::<usize>() > 1), rng)?;
        g[block].reverse();
        Some(())
    }),
    ("two components swapped", Some(Known::Exchanged), |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.iter().product::<usize>() > 1), rng)?;
        let n = g[block].len();
        let (a, b) = s.two_places(n, rng)?;
        g[block].swap(a, b);
        Some(())
    }),
    ("two rows swapped", Some(Known::Exchanged), |s, _, g, rng| {
        let (block, rows, columns) = matrix(s, rng)?;
        let row = s.place(rows - 1, rng)?;
        for column in 0..columns {
            g[block].swap(row * columns + column, (row + 1) * columns + column);
        }
        Some(())
    }),
    ("first row in every row", None, |s, _, g, rng| {
        let (block, rows, columns) = matrix(s, rng)?;
        (1..rows).for_each(|row| g[block].copy_within(0..columns, row * columns));
        Some(())
    }),
    ("mean of a block everywhere in it", None, |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.iter().product::<usize>() > 1), rng)?;
        let mean = g[block].iter().sum::<f64>() / g[block].len() as f64;
        g[block].fill(mean);
        Some(())
    }),
    ("sum of a block everywhere in it", None, |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.iter().product::<usize>() > 1), rng)?;
        let sum = g[block].iter().sum::<f64>();
        g[block].fill(sum);
        Some(())
    }),
    ("penalty 0.01 too much", Some(Known::Proportional), |_, p, g, _| {
        g.iter_mut().zip(p.iter()).for_each(|(g, p)| *g += 0.01 * p);
        Some(())
    }),
    ("penalty 1e-4 too much in one block", Some(Known::Proportional), |s, p, g, rng| {
        let block = any_block(s, rng)?;
        g[block].iter_mut().zip(&p[block]).for_each(|(g, p)| *g += 1e-4 * p);
        Some(())
    }),
    ("penalty with its sign", Some(Known::Proportional), |_, p, g, _| {
        g.iter_mut().zip(p.iter()).for_each(|(g, p)| *g -= 0.1 * p);
        Some(())
    }),
    ("gradient across the parameters only", None, |_, p, g, _| {
        let square: f64 = p.iter().map(|p| p * p).sum();
        let along: f64 = p.iter().zip(g.iter()).map(|(p, g)| p * g).sum::<f64>() / square;
        g.iter_mut().zip(p.iter()).for_each(|(g, p)| *g -= along * p);
        along.is_finite().then_some(())
    }),
    ("component times 1 + 1e-2", Some(Known::OneComponent), |s, _, g, rng| {
        scale_one(s, g, rng, 1.01)
    }),
    ("component times 1 + 1e-4", Some(Known::OneComponent), |s, _, g, rng| {
        scale_one(s, g, rng, 1.0 + 1e-4)
    }),
    ("component times 1 + 1e-6", Some(Known::OneComponent), |s, _, g, rng| {
        scale_one(s, g, rng, 1.0 + 1e-6)
    }),
    ("component times 10", Some(Known::OneComponent), |s, _, g, rng| scale_one(s, g, rng, 10.0)),
    ("component off by 1e-6 of the norm", Some(Known::OneComponent), |s, _, g, rng| {
        let by = 1e-6 * norm(g);
        let (block, place) = any_component(s, rng)?;
        g[block][place] += by;
        Some(())
    }),
    ("component off by 1e-3", Some(Known::OneComponent), |s, _, g, rng| {
        let (block, place) = any_component(s, rng)?;
        g[block][place] += 1e-3;
        Some(())
    }),
    ("three components off by 1 %", Some(Known::FewComponents), |s, _, g, rng| {
        if s.base.len() < 9 {
            return None;
        }
        (0..3).try_for_each(|_| scale_one(s, g, rng, 1.01))
    }),
    ("smallest component zero", Some(Known::OneComponent), |s, _, g, _| {
        let (block, place) = s.base.locate(*s.by_size().first()?);
        g[block][place] = 0.0;
        Some(())
    }),
    ("smallest component doubled", Some(Known::OneComponent), |s, _, g, _| {
        let (block, place) = s.base.locate(*s.by_size().first()?);
        g[block][place] *= 2.0;
        Some(())
    }),
    ("smallest component's sign", Some(Known::OneComponent), |s, _, g, _| {
        let (block, place) = s.base.locate(*s.by_size().first()?);
        g[block][place] *= -1.0;
        Some(())
    }),
    ("smallest block doubled", Some(Known::Scaled), |s, _, g, _| {
        scale_block(g, s.smallest_block()?, 2.0)
    }),
    ("smallest block zero", Some(Known::Zero), |s, _, g, _| {
        scale_block(g, s.smallest_block()?, 0.0)
    }),
    ("smallest block's sign", Some(Known::Sign), |s, _, g, _| {
        scale_block(g, s.smallest_block()?, -1.0)
    }),
    ("largest component 1 + 1e-6", Some(Known::OneComponent), |s, _, g, _| {
        let (block, place) = s.base.locate(*s.by_size().last()?);
        g[block][place] *= 1.0 + 1e-6;
        Some(())
    }),
    ("backward in f32", Some(Known::SinglePrecision), |s, p, g, _| {
        if in_single(s) {
            return None;
        }
        let narrow = s.case.cast::<f32>();
        replace(g, &narrow.gradient(&p.cast(), Bug::None).cast())
    }),
    ("one block of a backward in f32", Some(Known::SinglePrecision), |s, p, g, rng| {
        if in_single(s) {
            return None;
        }
        let narrow: Params<f64> = s.case.cast::<f32>().gradient(&p.cast(), Bug::None).cast();
        let block = any_block(s, rng)?;
        g[block].copy_from_slice(&narrow[block]);
        narrow.is_finite().then_some(())
    }),
    ("gradient rounded to 11 bits (f16)", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = rounded(*g, 10));
        Some(())
    }),
    ("gradient rounded to 8 bits (bf16)", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = rounded(*g, 7));
        Some(())
    }),
    ("cut to 3 decimals", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = (*g * 1e3).trunc() / 1e3);
        Some(())
    }),
    ("cut to 6 decimals", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = (*g * 1e6).trunc() / 1e6);
        Some(())
    }),
    ("clipped at 1", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = g.clamp(-1.0, 1.0));
        Some(())
    }),
    ("clipped at 0.1", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = g.clamp(-0.1, 0.1));
        Some(())
    }),
    ("norm clipped at 1", Some(Known::Scaled), |_, _, g, _| {
        let norm = norm(g);
        (norm > 1.0).then(|| scale_all(g, 1.0 / norm))?
    }),
    ("normalised", Some(Known::Scaled), |_, _, g, _| {
        let norm = norm(g);
        (norm > 0.0).then(|| scale_all(g, 1.0 / norm))?
    }),
    ("small entries flushed to zero", None, |_, _, g, _| {
        let largest = g.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        g.iter_mut().for_each(|g| {
            if g.abs() < 1e-3 * largest {
                *g = 0.0;
            }
        });
        Some(())
    }),
    ("constant 1e-3 added", Some(Known::Constant), |_, _, g, _| {
        g.iter_mut().for_each(|g| *g += 1e-3);
        Some(())
    }),
    ("constant 1e-6 added", Some(Known::Constant), |_, _, g, _| {
        g.iter_mut().for_each(|g| *g += 1e-6);
        Some(())
    }),
    ("noise of 1e-3", None, |_, _, g, rng| {
        g.iter_mut().for_each(|g| *g *= 1.0 + 1e-3 * rng.normal());
        Some(())
    }),
    ("noise of 1e-5", None, |_, _, g, rng| {
        g.iter_mut().for_each(|g| *g *= 1.0 + 1e-5 * rng.normal());
        Some(())
    }),
    ("one NaN", Some(Known::NotFinite), |s, _, g, rng| {
        let (block, place) = any_component(s, rng)?;
        g[block][place] = f64::NAN;
        Some(())
    }),
    ("all NaN", Some(Known::NotFinite), |_, _, g, _| scale_all(g, f64::NAN)),
    ("one infinity", Some(Known::NotFinite), |s, _, g, rng| {
        let (block, place) = any_component(s, rng)?;
        g[block][place] = f64::INFINITY;
        Some(())
    }),
    ("signs in place of values", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g = if *g == 0.0 { 0.0 } else { g.signum() });
        Some(())
    }),
    ("squared", None, |_, _, g, _| {
        g.iter_mut().for_each(|g| *g *= *g);
        Some(())
    }),
    ("gradient of the squared value", Some(Known::Scaled), |s, p, g, _| {
        scale_all(g, 2.0 * s.case.forward(p))
    }),
    ("gradient of the logarithm", Some(Known::Scaled), |s, p, g, _| {
        let value = s.case.forward(p);
        (value.abs() > 1e-12).then(|| scale_all(g, 1.0 / value))?
    }),
    ("parameters of the step before", None, |s, p, g, _| {
        let mut before = p.clone();
        before.iter_mut().zip(s.base.iter()).for_each(|(p, g)| *p += 0.01 * g);
        replace(g, &s.case.gradient(&before, Bug::None))
    }),
    ("parameters off by 1e-5", None, |s, p, g, rng| {
        let mut moved = p.clone();
        moved.iter_mut().for_each(|p| *p *= 1.0 + 1e-5 * rng.normal());
        replace(g, &s.case.gradient(&moved, Bug::None))
    }),
    ("features of the sample before", None, |s, p, g, _| {
        let samples = s.case.model.features().filter(|_| s.m() > 1)?;
        if s.case.data[0].len() % s.m() != 0 {
            return None;
        }
        let mut case = s.case.clone();
        roll_samples(&mut case.data.arrays[0], s.m(), samples);
        replace(g, &case.gradient(p, Bug::None))
    }),
    ("one feature stale", None, |s, p, g, rng| {
        s.case.model.features()?;
        let mut case = s.case.clone();
        let n = case.data[0].len();
        let place = rng.below(n);
        case.data.arrays[0][place] += 0.1;
        replace(g, &case.gradient(p, Bug::None))
    }),
    ("targets of the sample before", None, |s, p, g, _| {
        let samples = s.case.model.features().filter(|_| s.m() > 1)?;
        let mut case = s.case.clone();
        let targets = case.data.arrays.get_mut(1)?;
        if targets.is_empty() || targets.len() % s.m() != 0 {
            return None;
        }
        roll_samples(targets, s.m(), samples);
        replace(g, &case.gradient(p, Bug::None))
    }),
    ("forward difference of 1e-3 as gradient", None, |s, p, g, _| {
        (s.base.len() <= 60).then(|| difference(s, p, g, 1e-3))
    }),
    ("forward difference of 1e-6 as gradient", None, |s, p, g, _| {
        (s.base.len() <= 60).then(|| difference(s, p, g, 1e-6))
    }),
    ("accumulated twice in one block", Some(Known::Scaled), |s, _, g, rng| {
        let biases = s.case.model.biases();
        let blocks: Vec<usize> = biases.iter().filter_map(|name| s.base.find(name)).collect();
        scale_block(g, s.pick(&blocks, rng)?, 2.0)
    }),
    ("two components mixed", Some(Known::FewComponents), |s, _, g, rng| {
        let block = s.pick(&s.blocks_where(|s| s.iter().product::<usize>() > 2), rng)?;
        let n = g[block].len();
        let (a, b) = s.two_places(n, rng)?;
        let (x, y) = (g[block][a], g[block][b]);
        g[block][a] = 0.8 * x - 0.6 * y;
        g[block][b] = 0.6 * x + 0.8 * y;
        Some(())
    }),
    ("wrong only when saturated", Some(Known::OnlyThere), |s, _, g, rng| {
        (s.class == Class::Saturated).then(|| scale_block(g, any_block(s, rng)?, 1.001))?
    }),
    ("wrong only after training", Some(Known::OnlyThere), |s, _, g, rng| {
        (s.case.steps > 0).then(|| scale_one(s, g, rng, 1.001))?
    }),
    ("wrong only with a batch of one", Some(Known::OnlyThere), |s, _, g, rng| {
        (s.class == Class::BatchOfOne).then(|| scale_block(g, any_block(s, rng)?, 0.0))?
    }),
    ("wrong only with zero biases", Some(Known::OnlyThere), |s, _, g, rng| {
        (s.class == Class::ZeroBiases).then(|| scale_one(s, g, rng, 1.001))?
    }),
    ("wrong only with large inputs", Some(Known::OnlyThere), |s, _, g, rng| {
        (s.class == Class::LargeInputs).then(|| scale_block(g, any_block(s, rng)?, 1.001))?
    }),
];

fn difference(s: &Site<'_>, p: &Params<f64>, g: &mut Params<f64>, h: f64) {
    let here = s.case.forward(p);
    let mut moved = p.clone();
    for i in 0..p.len() {
        let (block, place) = p.locate(i);
        let before = moved[block][place];
        moved[block][place] = before + h;
        g[block][place] = (s.case.forward(&moved) - here) / h;
        moved[block][place] = before;
    }
}
