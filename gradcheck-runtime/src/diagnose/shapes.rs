//! The shapes that are tried, each a prediction of the analytic gradient from the numeric one.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fit::{Candidate, Found, Free, Predict, Slopes, choose, near, slope, slopes};
use super::formula::formulas;
use super::part::{Comp, Part};
use super::{Follows, Function, Kind, SEARCHED_OUT, Slice, SumPart};
use crate::evidence::{Block, Evidence, Verdict, norm};

/// Numbers that a factor is known by even in a single component.
pub(super) const NUMBERS: [(f64, f64); 10] = [
    (2.0, 2.0),
    (0.5, 2.0),
    (-2.0, 3.0),
    (-0.5, 3.0),
    (4.0, 4.0),
    (0.25, 4.0),
    (3.0, 4.0),
    (1.0 / 3.0, 4.0),
    (10.0, 5.0),
    (0.1, 5.0),
];

pub(super) fn scaled(factor: f64, uncertainty: f64, follows: Vec<Follows>) -> Kind {
    Kind::Scaled { factor, uncertainty, follows, range: None }
}

pub(super) fn times(k: f64) -> Predict {
    Box::new(move |_, c| Some(c.times(k)))
}

/// `g = K g~`, with K a known number, a product of dimensions, any number, or one that differs
/// between states.
pub(super) fn scale_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    out.push(Candidate {
        kind: Kind::SignFlipped,
        cost: 0.1,
        free: Free::Never,
        predict: times(-1.0),
    });
    let sample = |c: &Comp| (c.g, c.n, c.tol);
    let Some(Slopes { each, all: (k, uncertainty) }) = slopes(parts, &sample) else { return };
    let Some(&first) = each.values().next() else { return };
    for (number, cost) in NUMBERS {
        if near(k, number) {
            let kind = scaled(number, 0.0, Vec::new());
            out.push(Candidate { kind, cost, free: Free::Never, predict: times(number) });
        }
    }
    if k != 0.0 {
        let kind = scaled(k, uncertainty, Vec::new());
        out.push(Candidate { kind, cost: 1.0, free: Free::Once, predict: times(k) });
    }
    let formulas = formulas(parts);
    for (formula, cost) in &formulas {
        let signed = [1.0, -1.0].into_iter().find_map(|sign| {
            let f = formula.times(sign);
            let fits = parts.iter().all(|p| match (f.value(p), each.get(&p.state)) {
                (Some(v), Some(&k)) => near(k, v),
                (Some(_), None) => true,
                (None, _) => false,
            });
            fits.then_some((f, sign))
        });
        if let Some((f, sign)) = signed {
            let cost = cost + if sign < 0.0 { 1.0 } else { 0.0 };
            let kind = scaled(f.value(parts[0]).unwrap_or(first), 0.0, vec![f.clone()]);
            let predict: Predict = Box::new(move |p, c| {
                let k = f.value(p)?;
                Some(c.times(k))
            });
            out.push(Candidate { kind, cost, free: Free::Never, predict });
        } else if let Some(c) = common_factor(parts, formula, &each, 3) {
            let f = formula.clone();
            let x = slope(parts.iter().flat_map(|p| {
                let v = formula.value(p).unwrap_or(f64::NAN);
                p.comps.iter().map(move |c| (c.g, v * c.n, c.tol))
            }));
            let k = x.map_or(c, |x| x.0);
            let follows = formula.times(k);
            let kind = scaled(follows.value(parts[0]).unwrap_or(first), 0.0, vec![follows]);
            let predict: Predict = Box::new(move |p, c| {
                let k = k * f.value(p)?;
                Some(c.times(k))
            });
            out.push(Candidate { kind, cost: cost + 1.0, free: Free::Once, predict });
        }
    }
    if each.len() > 1 && !each.values().all(|&k| k == 0.0) {
        let (low, high) = extremes(each.values());
        let kind = Kind::Scaled {
            factor: first,
            uncertainty: 0.0,
            follows: Vec::new(),
            range: Some((low, high)),
        };
        let predict: Predict = Box::new(move |p, c| {
            let k = *each.get(&p.state)?;
            Some(c.times(k))
        });
        out.push(Candidate { kind, cost: 2.0, free: Free::EachState, predict });
    }
}

pub(super) fn extremes<'v>(values: impl Iterator<Item = &'v f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)))
}

/// `c` when `k = c f` in every state, over `least` states or more with differing `f`.
pub(super) fn common_factor(
    parts: &[&Part<'_>],
    formula: &Follows,
    each: &BTreeMap<usize, f64>,
    least: usize,
) -> Option<f64> {
    let mut pairs: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for p in parts {
        let (Some(f), Some(&k)) = (formula.value(p), each.get(&p.state)) else { continue };
        pairs.insert(p.state, (k, f));
    }
    let &(k, f) = pairs.values().next()?;
    let c = k / f;
    let distinct: BTreeSet<u64> = pairs.values().map(|(_, f)| f.to_bits()).collect();
    (pairs.len() >= least
        && distinct.len() >= 2
        && c.is_finite()
        && c != 0.0
        && pairs.values().all(|(k, f)| near(*k, c * f)))
    .then_some(c)
}

/// `g = g~ + k x` with x the parameter, its sign or 1.
pub(super) fn term_candidates(parts: &[&Part<'_>], offsets: bool, out: &mut Vec<Candidate>) {
    type X = fn(f64) -> f64;
    let one: X = |_| 1.0;
    let itself: X = |w| w;
    let sign: X = f64::signum;
    let mut of: Vec<(X, f64)> = Vec::new();
    if parts.iter().all(|p| p.has_primal) {
        of.push((itself, 1.5));
        // Where all parameters have one sign, it is a constant like any other.
        let any =
            |is: fn(f64) -> bool| parts.iter().flat_map(|p| &p.comps).any(|c| c.wrong && is(c.w));
        if any(|w| w > 0.0) && any(|w| w < 0.0) {
            of.push((sign, 3.0));
        }
    }
    if offsets {
        of.push((one, 2.0));
    }
    for (x, cost) in of {
        let is_offset = x(3.0) == x(-3.0);
        let is_sign = x(3.0) == 1.0;
        let of_sign = is_sign && !is_offset;
        let kind = |factor, uncertainty, follows, range| {
            if is_offset {
                Kind::ConstantOffset { offset: factor, uncertainty, follows, range }
            } else {
                Kind::MissingTermProportionalToParameter {
                    factor,
                    uncertainty,
                    follows,
                    range,
                    sign: of_sign,
                }
            }
        };
        let sample = move |c: &Comp| (c.g - c.n, x(c.w), c.tol);
        let Some(Slopes { each, all: (k, uncertainty) }) = slopes(parts, &sample) else { continue };
        let Some(&first) = each.values().next() else { continue };
        if each.values().all(|&k| k == 0.0) {
            continue;
        }
        let predict: Predict = Box::new(move |_, c| Some((c.n + k * x(c.w), c.tol)));
        out.push(Candidate {
            kind: kind(k, uncertainty, None, None),
            cost,
            free: Free::Once,
            predict,
        });
        for (formula, extra) in formulas(parts) {
            let Some(c) = common_factor(parts, &formula, &each, 2) else { continue };
            let k = slope(parts.iter().flat_map(|p| {
                let v = formula.value(p).unwrap_or(f64::NAN);
                p.comps.iter().map(move |c| (c.g - c.n, v * x(c.w), c.tol))
            }))
            .map_or(c, |k| k.0);
            let follows = formula.times(k);
            let predict: Predict =
                Box::new(move |p, c| Some((c.n + k * formula.value(p)? * x(c.w), c.tol)));
            out.push(Candidate {
                kind: kind(first, 0.0, Some(follows), None),
                cost: cost + extra,
                free: Free::Once,
                predict,
            });
        }
        if each.len() > 1 {
            let range = extremes(each.values());
            let predict: Predict =
                Box::new(move |p, c| Some((c.n + each.get(&p.state)? * x(c.w), c.tol)));
            out.push(Candidate {
                kind: kind(first, 0.0, None, Some(range)),
                cost: cost + 1.0,
                free: Free::EachState,
                predict,
            });
        }
    }
}

/// The gradient is zero, or the forward does not depend on the parameters.
pub(super) fn zero_candidates(out: &mut Vec<Candidate>) {
    let predict: Predict =
        Box::new(|_, c| if c.g == 0.0 { Some((0.0, c.noise)) } else { Some((f64::NAN, 0.0)) });
    out.push(Candidate { kind: Kind::Zero, cost: 0.0, free: Free::Never, predict });
    let predict: Predict =
        Box::new(
            |_, c| {
                if c.n.abs() <= c.noise { Some((c.g, c.noise)) } else { Some((f64::NAN, 0.0)) }
            },
        );
    out.push(Candidate { kind: Kind::ForwardIgnores, cost: 1.0, free: Free::Never, predict });
}

/// The other sign of the imaginary parts.
fn complex_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    if parts.iter().all(|p| p.block.complex) {
        let predict: Predict =
            Box::new(|_, c| Some(if c.i % 2 == 1 { c.times(-1.0) } else { c.times(1.0) }));
        out.push(Candidate { kind: Kind::Conjugated, cost: 1.0, free: Free::Never, predict });
    }
}

/// The right numbers in the wrong places of one block.
pub(super) fn order_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let rank = parts[0].shape.len();
    if parts.iter().any(|p| p.shape.len() != rank) || rank > 8 {
        return;
    }
    for a in 0..rank {
        for b in 0..a {
            let reshaped = parts.iter().any(|p| p.shape[a] != p.shape[b]);
            let predict: Predict = Box::new(move |p, c| p.partner(c, p.transposed(c.i, (b, a))));
            let kind = Kind::Transposed { axes: (b, a), reshaped };
            let cost = 3.0 + rank as f64;
            out.push(Candidate { kind, cost, free: Free::Never, predict });
        }
        let cost = 4.0 + (rank as f64).log2();
        let push = |out: &mut Vec<Candidate>, kind, extra, predict| {
            out.push(Candidate { kind, cost: cost + extra, free: Free::Never, predict });
        };
        push(
            out,
            Kind::ReversedAlongAxis { axis: a },
            0.0,
            Box::new(move |p, c| p.partner(c, p.moved(c.i, a, p.extent(a) - 1 - p.index(c.i, a)))),
        );
        if parts.iter().any(|p| p.shape[a] > 2) {
            // What falls off one end comes in at the other, or something else does.
            for (late, around) in [(true, true), (false, true), (true, false), (false, false)] {
                push(
                    out,
                    Kind::ShiftedByOne { axis: a, late },
                    1.0,
                    Box::new(move |p, c| {
                        let (i, n) = (p.index(c.i, a), p.extent(a));
                        let from = if late { (i + n - 1) % n } else { (i + 1) % n };
                        let falls = from != if late { i.wrapping_sub(1) } else { i + 1 };
                        let known = around || !falls;
                        known.then(|| p.partner(c, p.moved(c.i, a, from))).flatten()
                    }),
                );
            }
        }
        if parts.iter().all(|p| p.shape[a] <= 4096) {
            for slice in [Slice::First, Slice::Last, Slice::Mean, Slice::Sum] {
                push(
                    out,
                    Kind::OneSliceForAll { axis: a, slice },
                    2.0,
                    Box::new(move |p, c| one_slice(p, c, a, slice)),
                );
            }
        }
        if rank >= 2 {
            along_axis_candidates(parts, a, out);
        }
    }
}

pub(super) fn one_slice(p: &Part<'_>, c: &Comp, axis: usize, slice: Slice) -> Option<(f64, f64)> {
    let extent = p.extent(axis);
    match slice {
        Slice::First => p.partner(c, p.moved(c.i, axis, 0)),
        Slice::Last => p.partner(c, p.moved(c.i, axis, extent - 1)),
        Slice::Mean | Slice::Sum => {
            let (mut sum, mut tol) = (0.0, c.tol);
            for i in 0..extent {
                let other = p.comp(p.moved(c.i, axis, i))?;
                sum += other.n;
                tol += other.noise;
            }
            let divide = if slice == Slice::Mean { extent as f64 } else { 1.0 };
            Some((sum / divide, tol))
        }
    }
}

/// A factor, or an offset, for each slice along an axis.
pub(super) fn along_axis_candidates(parts: &[&Part<'_>], axis: usize, out: &mut Vec<Candidate>) {
    let mut groups: HashMap<(usize, usize), Vec<Comp>> = HashMap::new();
    for p in parts {
        for c in &p.comps {
            groups.entry((p.state, p.index(c.i, axis))).or_default().push(*c);
        }
    }
    let solve = |sample: fn(&Comp) -> (f64, f64, f64)| -> HashMap<(usize, usize), f64> {
        let all = groups.iter();
        all.filter_map(|(key, g)| Some((*key, slope(g.iter().map(sample))?.0))).collect()
    };
    // One factor for some slices and none for the others is a matter of some components.
    let differ = |k: &HashMap<(usize, usize), f64>, neutral: f64| {
        let mut other = k.values().filter(|k| (*k - neutral).abs() > 1e-3);
        other.next().is_some_and(|first| other.any(|k| !near(*k, *first)))
    };
    let scales = solve(|c| (c.g, c.n, c.tol));
    let offsets = solve(|c| (c.g - c.n, 1.0, c.tol));
    if differ(&scales, 1.0) {
        out.push(Candidate {
            kind: Kind::ScaledAlongAxis { axis },
            cost: 6.0,
            free: Free::EachSlice(axis),
            predict: Box::new(move |p, c| {
                // A slice whose numeric derivative is zero stays zero.
                let k = scales.get(&(p.state, p.index(c.i, axis))).copied();
                Some(c.times(k.unwrap_or(0.0)))
            }),
        });
    }
    if differ(&offsets, 0.0) {
        out.push(Candidate {
            kind: Kind::OffsetAlongAxis { axis },
            cost: 7.0,
            free: Free::EachSlice(axis),
            predict: Box::new(move |p, c| {
                Some((c.n + offsets.get(&(p.state, p.index(c.i, axis)))?, c.tol))
            }),
        });
    }
}

/// The numeric derivative at a place of the flattened vector, and its noise.
pub(super) fn numeric(e: &Evidence, at: usize, roundoff: f64) -> Option<(f64, f64)> {
    let (n, bound) = (*e.numeric.get(at)?, *e.bound.get(at)?);
    let decided = matches!(e.verdict.get(at)?, Verdict::Agrees | Verdict::Wrong);
    let usable = n.is_finite() && bound.is_finite() && decided;
    usable.then(|| (n, 3.0 * bound.abs() + 4.0 * roundoff * n.abs()))
}

/// The block holds another block's gradient.
pub(super) fn copy_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let blocks = &parts[0].evidence.blocks;
    if blocks.len() > 256 {
        return;
    }
    let cost = 3.0 + (blocks.len() as f64).log2();
    for other in blocks.iter().filter(|b| b.full_name != parts[0].id()) {
        let at: HashMap<usize, usize> = parts
            .iter()
            .filter_map(|p| {
                let same = |b: &&Block| b.full_name == other.full_name && b.range.len() == p.len;
                Some((p.state, p.evidence.blocks.iter().find(same)?.range.start))
            })
            .collect();
        if at.len() < parts.len() {
            continue;
        }
        let predict: Predict = Box::new(move |p, c| {
            let (n, noise) = numeric(p.evidence, at.get(&p.state)? + c.i, p.block.roundoff)?;
            Some((n, c.tol + noise))
        });
        let kind = Kind::CopyOf(other.name.clone());
        out.push(Candidate { kind, cost, free: Free::Never, predict });
    }
}

impl Function {
    pub(super) const ALL: [Function; 6] = [
        Function::Itself,
        Function::Inverse,
        Function::Square,
        Function::InverseSquare,
        Function::Exp,
        Function::InverseExp,
    ];

    /// Its value at `p`.
    pub fn value(self, p: f64) -> f64 {
        match self {
            Function::Itself => p,
            Function::Inverse => 1.0 / p,
            Function::Square => p * p,
            Function::InverseSquare => 1.0 / (p * p),
            Function::Exp => p.exp(),
            Function::InverseExp => (-p).exp(),
        }
    }
}

/// Each component is off by a function of its parameter, or of another block's.
pub(super) fn factor_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    if !parts.iter().all(|p| p.has_primal) {
        return;
    }
    let own = parts[0].block;
    let mut of: Vec<(&Block, Function)> = Function::ALL.map(|f| (own, f)).to_vec();
    for other in parts[0].evidence.blocks.iter().take(64) {
        if other.full_name != own.full_name {
            of.extend([(other, Function::Itself), (other, Function::Inverse)]);
        }
    }
    let cost = 3.0 + (of.len() as f64).log2();
    for (block, function) in of {
        let name = block.full_name.clone();
        let predict: Predict = Box::new(move |p, c| {
            let values = p.primal_of(&name)?;
            let v = if values.len() == p.len {
                values[c.i]
            } else if let [v] = values {
                *v
            } else {
                let axis = p.shape.iter().rposition(|&e| e == values.len())?;
                values[p.index(c.i, axis)]
            };
            let k = function.value(v);
            Some(c.times(k))
        });
        let kind = Kind::ParameterFactor { parameter: block.name.clone(), function };
        out.push(Candidate { kind, cost, free: Free::Never, predict });
    }
}

pub(super) fn clip_candidates(parts: &[&Part<'_>], out: &mut Vec<Candidate>) {
    let at = parts.iter().flat_map(|p| &p.comps).fold(0.0_f64, |m, c| m.max(c.g.abs()));
    let predict: Predict = Box::new(move |_, c| Some((c.n.clamp(-at, at), c.tol)));
    let kind = Kind::Clipped { at };
    out.push(Candidate { kind, cost: 3.0, free: Free::Once, predict });
}

/// Part of the sum over a dimension that component `c` would be, and its noise: from the
/// states with one slice and with all but the last.
fn sum_of(
    c: &Comp,
    (one, fewer): (Option<&Part<'_>>, Option<&Part<'_>>),
    part: SumPart,
    count: Option<f64>,
) -> Option<(f64, f64)> {
    // Where the forward is a mean, each slice counts for less the more there are.
    let (of_one, of_fewer) = count.map_or((1.0, 1.0), |n| (1.0 / n, 1.0 - 1.0 / n));
    let scaled = |of: Option<&Part<'_>>, k: f64| {
        let other = of?.comp(c.i)?;
        Some((k * other.n, k * other.noise))
    };
    let without = |(n, noise): (f64, f64)| (c.n - n, noise);
    let (n, noise) = match part {
        SumPart::First => scaled(one, of_one)?,
        SumPart::Last => without(scaled(fewer, of_fewer)?),
        SumPart::AllButFirst => without(scaled(one, of_one)?),
        SumPart::AllButLast => scaled(fewer, of_fewer)?,
    };
    Some((n, noise + c.tol))
}

/// A part of the sum over a dimension in place of all of it. Only states that others with fewer
/// slices stand beside can show it.
pub(super) fn part_of_sum<'a>(wrong: &[&Part<'a>], all: &[Part<'a>]) -> Option<Found> {
    let dims: Vec<String> = wrong.first()?.evidence.dims.iter().map(|d| d.0.clone()).collect();
    let cost = 2.0 + (8.0 * dims.len() as f64).log2();
    for dim in dims {
        let beside = |p: &Part<'a>| {
            let count = p.dim(&dim).filter(|&n| n >= 2.0)?;
            let of = (p.with_dim(all, &dim, 1), p.with_dim(all, &dim, count as usize - 1));
            (of.0.is_some() || of.1.is_some()).then_some((of, count))
        };
        let showing: Vec<&Part<'a>> =
            wrong.iter().filter(|p| beside(p).is_some()).copied().collect();
        if showing.is_empty() {
            continue;
        }
        let parts = [SumPart::First, SumPart::Last, SumPart::AllButFirst, SumPart::AllButLast];
        let mut candidates = Vec::new();
        for (part, mean) in parts.into_iter().flat_map(|part| [(part, true), (part, false)]) {
            let mut sums: HashMap<(usize, usize), (f64, f64)> = HashMap::new();
            for p in &showing {
                let Some((of, count)) = beside(p) else { continue };
                let count = mean.then_some(count);
                sums.extend(
                    p.comps.iter().filter_map(|c| {
                        Some(((p.state, p.start + c.i), sum_of(c, of, part, count)?))
                    }),
                );
            }
            candidates.push(Candidate {
                kind: Kind::PartOfSum { dim: dim.clone(), part, or: None },
                cost,
                free: Free::Never,
                predict: Box::new(move |p, c| sums.get(&(p.state, p.start + c.i)).copied()),
            });
        }
        let found = choose(&showing, &[], candidates);
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The best shape of a set of blocks. Several blocks share only what no single block's axes
/// or neighbours are needed for.
pub(super) fn best(parts: &[&Part<'_>], contrast: &[&Part<'_>]) -> Option<Found> {
    // Where most components are unmeasured, and those that are were searched out for being
    // wrong, nothing holds for the whole of a block. Many measured ones are a sample.
    let unseen = |p: &&&Part<'_>| p.wrong && 4 * p.covered > p.len && p.comps.len() < SEARCHED_OUT;
    if parts.iter().all(|p| p.comps.is_empty()) || parts.iter().find(unseen).is_some() {
        return None;
    }
    let single = parts.iter().all(|p| p.id() == parts[0].id());
    let mut candidates = Vec::new();
    zero_candidates(&mut candidates);
    complex_candidates(parts, &mut candidates);
    scale_candidates(parts, &mut candidates);
    term_candidates(parts, true, &mut candidates);
    clip_candidates(parts, &mut candidates);
    if single {
        order_candidates(parts, &mut candidates);
        copy_candidates(parts, &mut candidates);
        factor_candidates(parts, &mut candidates);
    }
    choose(parts, contrast, candidates).or_else(|| single_precision(parts))
}

/// Errors of the size of single-precision rounding where the parameters are in double.
pub(super) fn single_precision(parts: &[&Part<'_>]) -> Option<Found> {
    if parts.iter().any(|p| p.block.roundoff > 1e-12) {
        return None;
    }
    let comps = || parts.iter().flat_map(|p| &p.comps).filter(|c| c.n != 0.0);
    let found = |bits| {
        let kind = Kind::SinglePrecision;
        Some(Found { kind, bits, cost: 2.0, contrast: true })
    };
    // Block by block: in one that is small beside the others 1e-5 of the others is not rounding.
    let size = |p: &Part<'_>| norm(p.comps.iter().map(|c| c.n));
    let small = |p: &&Part<'_>| {
        let (d, size) = (norm(p.comps.iter().map(|c| c.d)), size(p));
        d <= 1e-5 * size || p.comps.iter().all(|c| !c.wrong)
    };
    if !parts.iter().all(small) {
        return None;
    }
    // Every number is one of single precision, and not for being simple.
    let single = |g: f64| f64::from(g as f32) == g;
    let simple = |g: f64| g.to_bits().trailing_zeros() > 40;
    let rich = comps().filter(|c| !simple(c.g)).count();
    if rich >= 3 && comps().all(|c| single(c.g)) {
        return found(29.0 * rich as f64);
    }
    // Or their errors are all about that large, of either sign, and none stands out.
    let mut relative: Vec<f64> = parts
        .iter()
        .flat_map(|p| {
            let least = 1e-3 * size(p);
            p.comps.iter().filter(move |c| c.n.abs() >= least)
        })
        .map(|c| (c.g - c.n) / c.n)
        .collect();
    let n = relative.len();
    if n < 10 || comps().filter(|c| c.d > c.noise).count() * 10 < 6 * comps().count() {
        return None;
    }
    let positive = relative.iter().filter(|r| **r > 0.0).count();
    relative.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (median, most) = (relative[n / 2].abs(), relative[n - 1].abs());
    let random = 4 * positive >= n && 4 * positive <= 3 * n;
    (random && median > 3e-9 && median < 1e-6 && most < 30.0 * median)
        .then(|| found(n as f64))
        .flatten()
}
