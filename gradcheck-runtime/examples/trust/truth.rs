//! Whether words about a wrong gradient are true of it, by the exact gradients.
use gradcheck_runtime::diagnose::{Follows, Kind, Place, Slice, SumPart};
use gradcheck_runtime::evidence::{Block, Evidence, Verdict};

use super::subjects::Known;

/// One state: what the check saw, and the correct gradient.
pub(crate) struct Shown {
    pub(crate) evidence: Evidence,
    pub(crate) correct: Vec<f64>,
}

/// Differences that a true prediction may leave, relative to the fault: what is below the
/// tolerance of the check beside it.
const LEFT: f64 = 0.02;

/// One block of one state, with its wrong and its correct gradient.
struct View<'a> {
    state: &'a Shown,
    block: &'a Block,
    wrong: &'a [f64],
    correct: &'a [f64],
    verdict: &'a [Verdict],
}

impl<'a> View<'a> {
    fn new(state: &'a Shown, block: &'a Block) -> View<'a> {
        let range = block.range.clone();
        View {
            state,
            block,
            wrong: &state.evidence.analytic[range.clone()],
            correct: &state.correct[range.clone()],
            verdict: &state.evidence.verdict[range],
        }
    }
    fn fails(&self) -> bool {
        self.verdict.contains(&Verdict::Wrong)
    }
    fn primal(&self) -> &'a [f64] {
        &self.state.evidence.primal[self.block.range.clone()]
    }
    /// Components that the check has decided; all of them, or the wrong ones only.
    fn decided(&self, only_wrong: bool) -> impl Iterator<Item = usize> + '_ {
        (0..self.wrong.len()).filter(move |&i| match self.verdict[i] {
            Verdict::Wrong => true,
            Verdict::Agrees => !only_wrong,
            Verdict::Kink | Verdict::Undecided => false,
        })
    }
    /// What rounding may make of component `i`.
    fn noise(&self, i: usize) -> f64 {
        let bound = self.state.evidence.bound[self.block.range.start + i];
        let largest = self.correct.iter().chain(self.wrong).fold(0.0_f64, |m, g| m.max(g.abs()));
        4.0 * bound + 16.0 * self.block.roundoff * largest
    }
    fn close(&self, i: usize, predicted: f64) -> bool {
        let fault = (self.wrong[i] - self.correct[i]).abs();
        (self.wrong[i] - predicted).abs() <= self.noise(i) + LEFT * fault
    }
    /// Whether a prediction of all decided components holds; one in fifty may stray.
    fn all(&self, only_wrong: bool, predict: impl Fn(usize) -> Option<f64>) -> bool {
        let off = |&i: &usize| predict(i).is_some_and(|predicted| !self.close(i, predicted));
        let count = self.decided(only_wrong).count();
        self.decided(only_wrong).filter(off).count() <= count / 50
    }
    fn extent(&self, axis: usize) -> usize {
        self.block.shape.get(axis).copied().unwrap_or(1)
    }
    fn stride(&self, axis: usize) -> usize {
        self.block.shape.iter().skip(axis + 1).product()
    }
    fn index(&self, i: usize, axis: usize) -> usize {
        i / self.stride(axis) % self.extent(axis)
    }
    fn moved(&self, i: usize, axis: usize, to: usize) -> usize {
        i - self.index(i, axis) * self.stride(axis) + to * self.stride(axis)
    }
    /// Place in the array with two axes exchanged, in row-major order, that `i` is read from.
    fn transposed(&self, i: usize, axes: (usize, usize)) -> usize {
        let mut shape = self.block.shape.clone();
        shape.swap(axes.0, axes.1);
        let mut rest = i;
        let mut index: Vec<usize> = shape
            .iter()
            .rev()
            .map(|extent| {
                let k = rest % extent;
                rest /= extent;
                k
            })
            .collect();
        index.reverse();
        index.swap(axes.0, axes.1);
        index.iter().zip(&self.block.shape).fold(0, |k, (i, extent)| k * extent + i)
    }
    fn value(&self, follows: &Follows) -> Option<f64> {
        follows.terms.iter().try_fold(follows.number, |v, term| {
            let name = &term.dim;
            let drawn = self.state.evidence.dims.iter().find(|(n, _)| n == name);
            let size = match drawn {
                Some(&(_, size)) => size,
                None if name.starts_with("rows(") => self.extent(0),
                None if name.starts_with("columns(") => self.extent(1),
                None => self.wrong.len(),
            };
            Some(v * (size as f64 + term.shift as f64).powf(f64::from(term.halves) / 2.0))
        })
    }
    /// `k` of `y = k x` over these components, by least squares over the relative errors.
    fn factor(&self, of: &[usize], y: impl Fn(usize) -> f64, x: impl Fn(usize) -> f64) -> f64 {
        let weight = |i: usize| 1.0 / self.noise(i).max(1e-300).max(LEFT * y(i).abs()).powi(2);
        let (mut xy, mut xx) = (0.0, 0.0);
        for &i in of {
            xy += weight(i) * x(i) * y(i);
            xx += weight(i) * x(i) * x(i);
        }
        if xx > 0.0 { xy / xx } else { 0.0 }
    }
}

impl Shown {
    fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.evidence.blocks.iter().map(|block| View::new(self, block))
    }
    fn view(&self, name: &str) -> Option<View<'_>> {
        self.views().find(|view| view.block.name == name)
    }
}

fn sign(p: f64) -> f64 {
    if p > 0.0 { 1.0 } else { -1.0 }
}

/// Whether a kind of fault at a place, as a diagnosis names it, gives the wrong gradient from
/// the correct one in every failing state.
pub(crate) fn holds(kind: &Kind, place: &Place, shown: &[Shown]) -> bool {
    let failing = shown.iter().filter(|s| s.fails());
    let mut views: Vec<View<'_>> = Vec::new();
    for state in failing {
        let inside = |name: &str| match place {
            Place::Whole => true,
            Place::Blocks(names) => names.iter().any(|n| n == name),
            Place::Components { block, .. } => block == name,
        };
        views.extend(state.views().filter(|view| inside(&view.block.name)));
    }
    // Of the whole it is said of all blocks; of some, of those that are wrong.
    if !matches!(place, Place::Whole) {
        views.retain(View::fails);
    }
    let only_wrong = matches!(place, Place::Components { .. });
    // Some are wrong and others right.
    if matches!(kind, Kind::Components { .. }) {
        let right = |view: &View<'_>| view.verdict.contains(&Verdict::Agrees);
        return views.iter().any(right)
            && views.iter().all(|view| holds_in(kind, place, view, true, shown));
    }
    !views.is_empty() && views.iter().all(|view| holds_in(kind, place, view, only_wrong, shown))
}

fn holds_in(kind: &Kind, place: &Place, v: &View<'_>, only_wrong: bool, shown: &[Shown]) -> bool {
    let c = v.correct;
    let all = |predict: &dyn Fn(usize) -> Option<f64>| v.all(only_wrong, predict);
    let fitted = |y: &dyn Fn(usize) -> f64, x: &dyn Fn(usize) -> f64| {
        v.factor(&v.decided(only_wrong).collect::<Vec<_>>(), y, x)
    };
    match kind {
        Kind::SignFlipped => all(&|i| Some(-c[i])),
        Kind::Conjugated => all(&|i| Some(if i % 2 == 1 { -c[i] } else { c[i] })),
        Kind::Scaled { factor, follows, range, .. } => {
            let k = match (range, follows.first()) {
                (Some(_), _) => fitted(&|i| v.wrong[i], &|i| c[i]),
                (None, Some(follows)) => v.value(follows).unwrap_or(f64::NAN),
                (None, None) => *factor,
            };
            all(&|i| Some(k * c[i]))
        }
        Kind::Zero => all(&|_| Some(0.0)),
        Kind::ForwardIgnores => v.decided(only_wrong).all(|i| c[i].abs() <= v.noise(i)),
        Kind::MissingTermProportionalToParameter {
            factor, follows, range, sign: of_sign, ..
        } => {
            let p = v.primal();
            let x = |i: usize| if *of_sign { sign(p[i]) } else { p[i] };
            let k = match (range, follows) {
                (Some(_), _) => fitted(&|i| v.wrong[i] - c[i], &x),
                (None, Some(follows)) => v.value(follows).unwrap_or(f64::NAN),
                (None, None) => *factor,
            };
            all(&|i| Some(c[i] + k * x(i)))
        }
        Kind::ConstantOffset { offset, follows, range, .. } => {
            let k = match (range, follows) {
                (Some(_), _) => fitted(&|i| v.wrong[i] - c[i], &|_| 1.0),
                (None, Some(follows)) => v.value(follows).unwrap_or(f64::NAN),
                (None, None) => *offset,
            };
            all(&|i| Some(c[i] + k))
        }
        Kind::Transposed { axes, .. } if axes.1 >= v.block.shape.len() => false,
        Kind::ShiftedByOne { axis, .. } if *axis >= v.block.shape.len() => false,
        Kind::Transposed { axes, .. } => all(&|i| Some(c[v.transposed(i, *axes)])),
        Kind::ReversedAlongAxis { axis } => {
            all(&|i| Some(c[v.moved(i, *axis, v.extent(*axis) - 1 - v.index(i, *axis))]))
        }
        Kind::ShiftedByOne { axis, late } => all(&|i| {
            let at = v.index(i, *axis);
            let from = if *late { at.checked_sub(1)? } else { at + 1 };
            (from < v.extent(*axis)).then(|| c[v.moved(i, *axis, from)])
        }),
        Kind::OneSliceForAll { axis, slice } => all(&|i| {
            let n = v.extent(*axis);
            let sum = || (0..n).map(|k| c[v.moved(i, *axis, k)]).sum::<f64>();
            Some(match slice {
                Slice::First => c[v.moved(i, *axis, 0)],
                Slice::Last => c[v.moved(i, *axis, n - 1)],
                Slice::Mean => sum() / n as f64,
                Slice::Sum => sum(),
            })
        }),
        Kind::Permuted => {
            let sorted = |values: &mut dyn Iterator<Item = f64>| {
                let mut values: Vec<f64> = values.collect();
                values.sort_by(f64::total_cmp);
                values
            };
            let wrong = sorted(&mut v.decided(only_wrong).map(|i| v.wrong[i]));
            let correct = sorted(&mut v.decided(only_wrong).map(|i| c[i]));
            let noise = v.decided(only_wrong).map(|i| v.noise(i)).fold(0.0, f64::max);
            wrong.iter().zip(&correct).all(|(w, c)| (w - c).abs() <= noise + 1e-6 * c.abs())
        }
        Kind::CopyOf(other) => copied(v, other),
        Kind::SwappedWith(_) => match place {
            Place::Blocks(names) => {
                let other = names.iter().find(|n| **n != v.block.name);
                names.len() == 2 && other.is_some_and(|other| copied(v, other))
            }
            _ => false,
        },
        Kind::ScaledAlongAxis { axis } => along(v, *axis, &|i| v.wrong[i], &|i| c[i], &|_| 0.0),
        Kind::OffsetAlongAxis { axis } => {
            along(v, *axis, &|i| v.wrong[i] - c[i], &|_| 1.0, &|i| c[i])
        }
        Kind::ParameterFactor { parameter, function } => {
            let Some(of) = v.state.view(parameter) else { return false };
            let p = of.primal();
            all(&|i| {
                let value = if p.len() == c.len() {
                    p[i]
                } else if let [value] = p {
                    *value
                } else {
                    let axis = v.block.shape.iter().rposition(|&e| e == p.len())?;
                    p[v.index(i, axis)]
                };
                Some(function.value(value) * c[i])
            })
        }
        Kind::ZeroOnSubset { analytic: true } => v.decided(true).all(|i| v.wrong[i] == 0.0),
        Kind::ZeroOnSubset { analytic: false } => v.decided(true).all(|i| c[i].abs() <= v.noise(i)),
        Kind::Clipped { at } => all(&|i| Some(c[i].clamp(-at, *at))),
        Kind::SinglePrecision => {
            let largest = v.state.correct.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
            v.decided(false).all(|i| (v.wrong[i] - c[i]).abs() <= v.noise(i) + 1e-5 * largest)
        }
        Kind::PartOfSum { dim, part, .. } => {
            let Some(&(_, count)) = v.state.evidence.dims.iter().find(|d| d.0 == *dim) else {
                return false;
            };
            // Of the states that others with fewer slices stand beside.
            let of = |m: usize| shown.iter().find(|s| beside(v.state, s, dim, m));
            let (Some(one), Some(fewer)) = (of(1), of(count.saturating_sub(1))) else {
                return true;
            };
            let range = v.block.range.clone();
            let (one, fewer) = (&one.correct[range.clone()], &fewer.correct[range]);
            let n = count as f64;
            [(1.0 / n, 1.0 - 1.0 / n), (1.0, 1.0)].into_iter().any(|(of_one, of_fewer)| {
                all(&|i| {
                    Some(match part {
                        SumPart::First => of_one * one[i],
                        SumPart::Last => c[i] - of_fewer * fewer[i],
                        SumPart::AllButFirst => c[i] - of_one * one[i],
                        SumPart::AllButLast => of_fewer * fewer[i],
                    })
                })
            })
        }
        Kind::Components { how } => {
            how.as_ref().is_none_or(|how| holds_in(how, place, v, true, shown))
        }
        Kind::NotFinite => v.wrong.iter().any(|g| !g.is_finite()),
        Kind::OnlyAfterTraining => shown.iter().all(|s| s.evidence.steps > 0 || !s.fails()),
        Kind::OnlyAtSize { dim, values, .. } => shown.iter().all(|s| {
            let size = s.evidence.dims.iter().find(|(name, _)| name == dim).map(|d| d.1);
            !s.fails() || size.is_some_and(|size| values.contains(size))
        }),
        Kind::Unknown => true,
    }
}

/// Whether two states differ in nothing but a size.
fn beside(a: &Shown, b: &Shown, dim: &str, size: usize) -> bool {
    let (x, y) = (&a.evidence, &b.evidence);
    x.primal == y.primal
        && x.dims.iter().zip(&y.dims).all(|(p, q)| if p.0 == dim { q.1 == size } else { p == q })
}

fn copied(v: &View<'_>, other: &str) -> bool {
    let Some(other) = v.state.view(other) else { return false };
    other.correct.len() == v.wrong.len() && v.all(false, |i| Some(other.correct[i]))
}

/// `y = k x` with a `k` for each slice along an axis; the prediction is `k x + rest`.
fn along(
    v: &View<'_>,
    axis: usize,
    y: &dyn Fn(usize) -> f64,
    x: &dyn Fn(usize) -> f64,
    rest: &dyn Fn(usize) -> f64,
) -> bool {
    let factors: Vec<f64> = (0..v.extent(axis))
        .map(|slice| {
            let of: Vec<usize> = v.decided(false).filter(|&i| v.index(i, axis) == slice).collect();
            v.factor(&of, y, x)
        })
        .collect();
    v.all(false, |i| Some(factors[v.index(i, axis)] * x(i) + rest(i)))
}

/// Whether the failing states show a shape at all: what was planted as `sum of squares scaled`
/// is no factor where a penalty stands beside it, and nothing but zeros cannot be swapped.
pub(crate) fn shows(known: Known, shown: &[Shown]) -> bool {
    let failing = || shown.iter().filter(|s| s.fails());
    let wrong = || failing().flat_map(Shown::views).filter(View::fails);
    let every = |kind: &Kind| {
        wrong().all(|v| {
            let place = Place::Blocks(vec![v.block.name.clone()]);
            holds_in(kind, &place, &v, false, shown)
        })
    };
    let scaled = |range| Kind::Scaled {
        factor: 1.0,
        uncertainty: 0.0,
        follows: Vec::new(),
        range: Some(range),
    };
    let term = |sign| Kind::MissingTermProportionalToParameter {
        factor: 0.0,
        uncertainty: 0.0,
        follows: None,
        range: Some((0.0, 0.0)),
        sign,
    };
    let axes = |kind: &dyn Fn(usize) -> Kind| (0..4).any(|axis| every(&kind(axis)));
    match known {
        Known::TimesBatch | Known::OverBatch | Known::Scaled => every(&scaled((0.0, 0.0))),
        Known::Sign => every(&Kind::SignFlipped),
        Known::Zero => every(&Kind::Zero),
        Known::Proportional => every(&term(false)) || every(&term(true)),
        Known::Transposed => every(&Kind::Transposed { axes: (0, 1), reshaped: false }),
        Known::Shifted => axes(&|axis| Kind::ShiftedByOne { axis, late: true }),
        Known::OneComponent => failing().all(|s| s.different() == 1),
        Known::FewComponents => failing().all(|s| 2 * s.different() <= s.correct.len()),
        // Only states with fewer slices tell what a slice is.
        Known::FirstSlice | Known::LastSlice => failing().any(|s| {
            let beside_it = |t: &Shown| (1..8).any(|m| beside(s, t, "m", m));
            shown.iter().any(|t| !std::ptr::eq(s, t) && beside_it(t))
        }),
        // As the fault was planted: nothing else is different.
        Known::Swapped
        | Known::Exchanged
        | Known::SinglePrecision
        | Known::Constant
        | Known::NotFinite
        | Known::OnlyThere => true,
    }
}

impl Shown {
    /// Number of components that the fault has changed.
    fn different(&self) -> usize {
        self.evidence.analytic.iter().zip(&self.correct).filter(|(w, c)| w != c).count()
    }
}
