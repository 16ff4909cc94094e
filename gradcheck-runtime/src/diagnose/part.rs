//! The evidence, made ready: one block of one state, and its usable components.
use std::collections::HashMap;

use super::{SAMPLE, SAMPLE_WRONG};
use crate::evidence::{Block, Evidence, Slope, Verdict, norm};
use crate::ray::unit_entry;

/// One usable component: finite, bounded, not on a kink, decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comp {
    /// Position in the block.
    pub(super) i: usize,
    /// Analytic.
    pub(super) g: f64,
    /// Numeric.
    pub(super) n: f64,
    /// Parameter; NaN when there is none.
    pub(super) w: f64,
    /// `|g - n|`
    pub(super) d: f64,
    /// What rounding and truncation may make of it.
    pub(super) noise: f64,
    /// What a prediction may miss it by.
    pub(super) tol: f64,
    /// Relative tolerance of the block.
    pub(super) tolerance: f64,
    pub(super) wrong: bool,
    /// Components that are one piece of evidence share a number; 0 for all others.
    pub(super) like: usize,
}

impl Comp {
    /// The prediction `k n`. What the tolerance lets pass is a part of the prediction: a factor
    /// of 1e-9 is not zero.
    pub(super) fn times(&self, k: f64) -> (f64, f64) {
        let h = k * self.n;
        let passes = (self.tolerance * h.abs().max(self.g.abs())).min(0.01 * self.d);
        (h, self.noise * k.abs().max(1.0) + passes)
    }
}

/// One block of one state.
pub(super) struct Part<'a> {
    pub(super) state: usize,
    pub(super) evidence: &'a Evidence,
    pub(super) block: &'a Block,
    /// The block's shape, or its length when the shape does not fit it.
    pub(super) shape: Vec<usize>,
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) tolerance: f64,
    /// Largest finite component of either gradient.
    pub(super) largest: f64,
    pub(super) has_primal: bool,
    pub(super) wrong: bool,
    /// The block as a whole exceeds its tolerance, and no component does.
    pub(super) exceeds: bool,
    pub(super) wrong_count: usize,
    /// Components without a measurement of their own: only slopes along directions have looked
    /// at them, and where those were off, the search has found the wrong ones.
    pub(super) covered: usize,
    /// A slope is off by more than the wrong components make it, and others were not measured:
    /// more are wrong than were found.
    pub(super) more: bool,
    pub(super) not_finite: Vec<usize>,
    pub(super) comps: Vec<Comp>,
}

impl<'a> Part<'a> {
    pub(super) fn new(state: usize, evidence: &'a Evidence, b: usize) -> Self {
        let block = &evidence.blocks[b];
        let total = evidence
            .analytic
            .len()
            .min(evidence.numeric.len())
            .min(evidence.bound.len())
            .min(evidence.verdict.len());
        let start = block.range.start.min(total);
        let len = block.range.end.min(total).saturating_sub(start);
        let product = block.shape.iter().try_fold(1usize, |p, &e| p.checked_mul(e));
        let shape = if product == Some(len) { block.shape.clone() } else { vec![len] };
        let tolerance = evidence.tolerance.get(b).copied().filter(|t| t.is_finite() && *t > 0.0);
        let mut part = Part {
            state,
            evidence,
            block,
            shape,
            start,
            len,
            tolerance: tolerance.unwrap_or(0.0),
            largest: 0.0,
            has_primal: evidence.primal.len() >= start + len && len > 0,
            wrong: false,
            exceeds: false,
            wrong_count: 0,
            covered: 0,
            more: false,
            not_finite: Vec::new(),
            comps: Vec::new(),
        };
        let passed_by = part.count();
        part.more = part.wrong_count > 0 && passed_by > 0 && !part.explains_slopes();
        part.sample();
        part
    }

    /// Takes stock; the number of components that no slope has cleared and nobody has measured.
    pub(super) fn count(&mut self) -> usize {
        let mut passed_by = 0;
        for j in 0..self.len {
            let (g, n, verdict) = self.raw(j);
            for x in [g.abs(), n.abs()] {
                if x.is_finite() && x > self.largest {
                    self.largest = x;
                }
            }
            let unmeasured = self.evidence.bound[self.start + j].is_infinite() && g == n;
            match verdict {
                Verdict::Undecided => {
                    self.covered += usize::from(unmeasured);
                    passed_by += usize::from(unmeasured);
                }
                Verdict::Wrong => {
                    self.wrong_count += 1;
                    if !g.is_finite() || !n.is_finite() {
                        self.not_finite.push(j);
                    }
                }
                Verdict::Agrees => self.covered += usize::from(!self.usable(j)),
                Verdict::Kink => passed_by += usize::from(unmeasured),
            }
        }
        self.wrong = self.wrong_count > 0;
        if !self.wrong {
            let usable = || (0..self.len).filter(|&j| self.usable(j));
            let d = norm(usable().map(|j| self.raw(j).0 - self.raw(j).1));
            let scale =
                norm(usable().map(|j| self.raw(j).0)) + norm(usable().map(|j| self.raw(j).1));
            let bound = norm(usable().map(|j| self.evidence.bound[self.start + j].max(0.0)));
            self.exceeds = self.tolerance > 0.0 && d > self.tolerance * scale && d > 2.0 * bound;
            self.wrong = self.exceeds;
        }
        passed_by
    }

    /// Whether the wrong components are all that the slopes through the block are off by.
    fn explains_slopes(&self) -> bool {
        let evidence = self.evidence;
        let mut off = evidence
            .directions
            .iter()
            .filter(|s| s.range == self.block.range && s.verdict == Verdict::Wrong)
            .peekable();
        let explains = |slope: &Slope| {
            // Errors of independent evaluations.
            let (mut left, mut open) = (slope.analytic - slope.numeric, 3.0 * slope.bound);
            for k in evidence.bound.own(slope.range.clone()) {
                if evidence.verdict[k] == Verdict::Wrong {
                    let entry = slope.scale * unit_entry(slope.tag, k);
                    left -= (evidence.analytic[k] - evidence.numeric[k]) * entry;
                    open = open.hypot(evidence.bound[k] * entry);
                }
            }
            left.abs() <= open + self.tolerance * slope.reference
        };
        off.peek().is_some() && off.all(explains)
    }

    pub(super) fn sample(&mut self) {
        let stride = self.len / SAMPLE + 1;
        let mut extra = 0;
        for j in 0..self.len {
            let spread = j % stride == 0;
            let wrong = self.raw(j).2 == Verdict::Wrong;
            let taken = spread || (wrong && extra < SAMPLE_WRONG);
            if taken && let Some(c) = self.comp(j) {
                extra += usize::from(!spread);
                self.comps.push(c);
            }
        }
    }

    pub(super) fn raw(&self, j: usize) -> (f64, f64, Verdict) {
        let k = self.start + j;
        (self.evidence.analytic[k], self.evidence.numeric[k], self.evidence.verdict[k])
    }

    /// Decided, finite and not on a kink.
    pub(super) fn usable(&self, j: usize) -> bool {
        let (g, n, verdict) = self.raw(j);
        let bound = self.evidence.bound[self.start + j];
        (g - n).is_finite()
            && bound.is_finite()
            && matches!(verdict, Verdict::Agrees | Verdict::Wrong)
    }

    /// The component at `j`; `None` when nothing can be predicted from it.
    pub(super) fn comp(&self, j: usize) -> Option<Comp> {
        if j >= self.len {
            return None;
        }
        let (g, n, verdict) = self.raw(j);
        let bound = self.evidence.bound[self.start + j];
        let d = (g - n).abs();
        let undecided = matches!(verdict, Verdict::Kink | Verdict::Undecided);
        if !d.is_finite() || !bound.is_finite() || bound < 0.0 || undecided {
            return None;
        }
        // The bounds are estimates: a prediction is not refuted by less than three of them.
        let u = self.block.roundoff.abs().min(1e-3);
        let noise = 3.0 * bound + 4.0 * u * (g.abs() + n.abs() + self.largest);
        // What the tolerance lets pass may be off beside the fault, up to a part of the fault.
        let tol = noise + (self.tolerance * g.abs().max(n.abs())).min(0.01 * d);
        let w = if self.has_primal { self.evidence.primal[self.start + j] } else { f64::NAN };
        let wrong = verdict == Verdict::Wrong || (self.exceeds && d > noise);
        let tolerance = self.tolerance;
        Some(Comp { i: j, g, n, w, d, noise, tol, tolerance, wrong, like: 0 })
    }

    /// The numeric derivative at `j` and its noise, as a prediction for component `c`.
    pub(super) fn partner(&self, c: &Comp, j: usize) -> Option<(f64, f64)> {
        if j == c.i { Some((c.n, c.tol)) } else { self.comp(j).map(|p| (p.n, c.tol + p.noise)) }
    }

    /// What blocks of different states are matched by.
    pub(super) fn id(&self) -> &'a str {
        &self.block.full_name
    }

    pub(super) fn path(&self, j: usize) -> String {
        if self.shape == self.block.shape {
            self.block.component(j)
        } else {
            format!("{}[{j}]", self.block.name)
        }
    }

    /// Extent of an axis; 1 for one that this state's block does not have.
    pub(super) fn extent(&self, axis: usize) -> usize {
        self.shape.get(axis).copied().unwrap_or(1).max(1)
    }

    /// Distance in the block between neighbours along an axis.
    pub(super) fn stride(&self, axis: usize) -> usize {
        self.shape.iter().skip(axis + 1).product::<usize>().max(1)
    }

    pub(super) fn index(&self, j: usize, axis: usize) -> usize {
        (j / self.stride(axis)) % self.extent(axis)
    }

    /// Position of the component whose index along `axis` is `to` instead.
    pub(super) fn moved(&self, j: usize, axis: usize, to: usize) -> usize {
        j - self.index(j, axis) * self.stride(axis) + to * self.stride(axis)
    }

    /// Where the array with two axes exchanged has its component `j` from.
    pub(super) fn transposed(&self, j: usize, axes: (usize, usize)) -> usize {
        if axes.0.max(axes.1) >= self.shape.len() {
            return j;
        }
        let mut shape = self.shape.clone();
        shape.swap(axes.0, axes.1);
        let mut index = vec![0; shape.len()];
        let mut rest = j;
        for (axis, &extent) in shape.iter().enumerate().rev() {
            index[axis] = rest % extent.max(1);
            rest /= extent.max(1);
        }
        index.swap(axes.0, axes.1);
        index.iter().zip(&self.shape).fold(0, |k, (i, e)| k * e + i)
    }

    /// Parameters of another block of the same state.
    pub(super) fn primal_of(&self, name: &str) -> Option<&'a [f64]> {
        let block = self.evidence.blocks.iter().find(|b| b.full_name == name)?;
        self.evidence.primal.get(block.range.clone())
    }

    /// The state with the same parameters in which only this dimension is another.
    pub(super) fn with_dim<'p>(
        &self,
        parts: &'p [Part<'a>],
        dim: &str,
        value: usize,
    ) -> Option<&'p Part<'a>> {
        let mine = self.evidence;
        parts.iter().find(|other| {
            let theirs = other.evidence;
            let same = |(a, b): (&(String, usize), &(String, usize))| {
                a.0 == b.0 && if a.0 == dim { b.1 == value } else { a.1 == b.1 }
            };
            other.id() == self.id()
                && other.state != self.state
                && other.shape == self.shape
                && mine.steps == theirs.steps
                && mine.dims.len() == theirs.dims.len()
                && mine.dims.iter().zip(&theirs.dims).all(same)
                && same_parameters(mine, theirs)
        })
    }

    pub(super) fn dim(&self, name: &str) -> Option<f64> {
        if let Some((_, value)) = self.evidence.dims.iter().find(|(n, _)| n == name) {
            return Some(*value as f64);
        }
        if name.starts_with("len(") {
            return Some(self.len as f64);
        }
        if name.starts_with("rows(") && self.shape.len() == 2 {
            return Some(self.shape[0] as f64);
        }
        if name.starts_with("columns(") && self.shape.len() == 2 {
            return Some(self.shape[1] as f64);
        }
        None
    }

    /// Whether a component shows what one of another state does, up to the ratio of their sizes:
    /// also a little later in training.
    fn repeats(&self, c: &Comp, other: &Part<'_>, o: &Comp) -> bool {
        let near = |a: f64, b: f64| a == b || (a - b).abs() <= 0.01 * a.abs() || a.is_nan();
        let same = |k: f64| {
            let within = |a: f64, b: f64| (a - b).abs() <= c.noise + k * o.noise || near(a, b);
            near(c.g, k * o.g) && within(c.n, k * o.n) && within(c.g - c.n, k * (o.g - o.n))
        };
        let of = |dim: &(String, usize)| Some(other.dim(&dim.0)? / dim.1.max(1) as f64);
        c.wrong == o.wrong
            && near(c.w, o.w)
            && (same(1.0) || self.evidence.dims.iter().filter_map(of).any(same))
    }

    /// The same block with only the wrong components.
    pub(super) fn only_wrong(&self) -> Part<'a> {
        Part {
            shape: self.shape.clone(),
            not_finite: Vec::new(),
            comps: self.comps.iter().filter(|c| c.wrong).copied().collect(),
            ..*self
        }
    }
}

/// Finds the components that show nearly the same numbers at nearly the same parameter: a state
/// that was made simpler, or stands beside another, repeats those of the first where elements do
/// not depend on each other, and says nothing new. The sizes of two states may divide them: of a mean over m
/// the same element is 1/m.
pub(super) fn mark_repeats<'a>(parts: &mut [Part<'a>]) {
    // By block and position: the parts, and where in them.
    type Seen<'a> = HashMap<(&'a str, usize), Vec<(usize, usize)>>;
    let mut seen = Seen::<'a>::new();
    let mut classes = 0;
    for p in 0..parts.len() {
        for k in 0..parts[p].comps.len() {
            let c = parts[p].comps[k];
            let earlier = seen.entry((parts[p].id(), c.i)).or_default();
            let like = earlier
                .iter()
                .copied()
                .find(|&(q, l)| parts[p].repeats(&c, &parts[q], &parts[q].comps[l]));
            match like {
                None => earlier.push((p, k)),
                Some((q, l)) => {
                    if parts[q].comps[l].like == 0 {
                        classes += 1;
                        parts[q].comps[l].like = classes;
                    }
                    parts[p].comps[k].like = parts[q].comps[l].like;
                }
            }
        }
    }
}

/// Whether the blocks of the same size hold the same parameters.
fn same_parameters(a: &Evidence, b: &Evidence) -> bool {
    let values =
        |e: &Evidence, block: &Block| e.primal.get(block.range.clone()).map(<[f64]>::to_vec);
    !a.primal.is_empty()
        && a.blocks.iter().zip(b.blocks.iter()).all(|(x, y)| {
            x.full_name == y.full_name && (x.shape != y.shape || values(a, x) == values(b, y))
        })
}
