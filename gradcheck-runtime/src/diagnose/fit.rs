//! Whether a shape fits the evidence, and how many bits speak for it.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::part::{Comp, Part};
use super::{CAP_BITS, Follows, Kind, MIN_BITS};

/// Predicts the analytic component, and how far off it may be; `None`: cannot say.
pub(super) type Predict = Box<dyn Fn(&Part<'_>, &Comp) -> Option<(f64, f64)>>;

/// How often the free number of a shape is chosen anew.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Free {
    Never,
    Once,
    EachState,
    /// For each slice along this axis, in each state.
    EachSlice(usize),
}

pub(super) struct Candidate {
    pub(super) kind: Kind,
    /// Bits that the choice among rivals costs.
    pub(super) cost: f64,
    pub(super) free: Free,
    pub(super) predict: Predict,
}

pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) bits: f64,
    pub(super) cost: f64,
    /// The same prediction holds in the states in which these blocks are right.
    pub(super) contrast: bool,
}

pub(super) fn bits(d: f64, tol: f64) -> f64 {
    if tol <= 0.0 {
        return if d > 0.0 { CAP_BITS } else { 0.0 };
    }
    let b = (d / tol).log2();
    if b.is_nan() { 0.0 } else { b.clamp(0.0, CAP_BITS) }
}

/// Components that may miss a prediction, where so many are wrong.
pub(super) fn allowed(wrong: usize) -> usize {
    wrong / 50
}

/// Bits of evidence for a prediction, less what its free numbers use up; `None` when it does
/// not fit.
pub(super) fn test(parts: &[&Part<'_>], free: Free, predict: &Predict) -> Option<f64> {
    let mut total = 0.0;
    let mut used: HashMap<(usize, usize), f64> = HashMap::new();
    let mut counted: HashSet<usize> = HashSet::new();
    // Of each block, over the states: its wrong components, those that are explained, and those
    // that miss the prediction.
    let mut blocks: HashMap<&str, (usize, usize, usize)> = HashMap::new();
    for part in parts {
        let wrong = part.comps.iter().filter(|c| c.wrong).count();
        blocks.entry(part.id()).or_insert((0, 0, 0)).0 += wrong;
    }
    for (p, part) in parts.iter().enumerate() {
        let of_block = blocks.entry(part.id()).or_insert((0, 0, 0));
        for c in &part.comps {
            match predict(part, c) {
                None => {}
                Some((h, tol)) if (c.g - h).abs() <= tol => {
                    of_block.1 += usize::from(c.wrong);
                    if c.like > 0 && !counted.insert(c.like) {
                        continue;
                    }
                    let b = bits(c.d, tol);
                    total += b;
                    let key = match free {
                        Free::Never => continue,
                        Free::Once => (0, 0),
                        Free::EachState => (part.state, 0),
                        Free::EachSlice(axis) => (p, part.index(c.i, axis)),
                    };
                    let most = used.entry(key).or_insert(0.0);
                    *most = most.max(b);
                }
                Some(_) => {
                    of_block.2 += 1;
                    if of_block.2 > allowed(of_block.0) {
                        return None;
                    }
                }
            }
        }
    }
    // Kinks among the partners leave components without a prediction, but not most of them.
    if blocks.values().any(|(wrong, explained, _)| 4 * explained < *wrong) {
        return None;
    }
    Some(total - used.values().sum::<f64>())
}

/// `k` and its uncertainty in `y = k x`: a weighted median, refined by least squares over what
/// lies near it. Samples are `(y, x, tolerance of y)`.
pub(super) fn slope(samples: impl Iterator<Item = (f64, f64, f64)>) -> Option<(f64, f64)> {
    let mut all: Vec<(f64, f64, f64, f64)> = samples
        .map(|(y, x, t)| (y / x, y, x, t.max(f64::MIN_POSITIVE)))
        .filter(|s| s.0.is_finite())
        .collect();
    if all.is_empty() {
        return None;
    }
    let weight = |s: &(f64, f64, f64, f64)| (s.2.abs() / s.3).clamp(1e-12, 1e4);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = all.iter().map(weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let median = all
        .iter()
        .find(|s| {
            sum += weight(s);
            sum >= half
        })
        .map_or(all[0].0, |s| s.0);
    let (mut pq, mut pp) = (0.0, 0.0);
    for &(_, y, x, t) in &all {
        if (y - median * x).abs() <= 2.0 * t * median.abs().max(1.0) {
            pq += (y / t) * (x / t);
            pp += (x / t) * (x / t);
        }
    }
    let k = pq / pp;
    // The bounds are three times what is taken for one standard uncertainty.
    let uncertainty = median.abs().max(1.0) / (3.0 * pp.sqrt());
    if k.is_finite() && uncertainty.is_finite() {
        Some((k, uncertainty))
    } else {
        Some((median, f64::EPSILON * median.abs()))
    }
}

/// `k` of each state, and over all of them.
pub(super) struct Slopes {
    pub(super) each: BTreeMap<usize, f64>,
    pub(super) all: (f64, f64),
}

pub(super) fn slopes(
    parts: &[&Part<'_>],
    sample: &dyn Fn(&Comp) -> (f64, f64, f64),
) -> Option<Slopes> {
    let all = slope(parts.iter().flat_map(|p| p.comps.iter().map(sample)))?;
    let states: BTreeSet<usize> = parts.iter().map(|p| p.state).collect();
    let each = states
        .into_iter()
        .filter_map(|s| {
            let own = parts.iter().filter(|p| p.state == s);
            slope(own.flat_map(|p| p.comps.iter().map(sample))).map(|k| (s, k.0))
        })
        .collect();
    Some(Slopes { each, all })
}

pub(super) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.01 * b.abs()
}

pub(super) fn choose(
    parts: &[&Part<'_>],
    contrast: &[&Part<'_>],
    all: Vec<Candidate>,
) -> Option<Found> {
    let mut fits: Vec<Found> = all
        .into_iter()
        .filter_map(|c| {
            let mut left = test(parts, c.free, &c.predict)?;
            let of_other_states = matches!(c.kind, Kind::PartOfSum { .. });
            if c.kind.moves_values() || of_other_states {
                let elsewhere = of_other_states || matches!(c.kind, Kind::CopyOf(_));
                left = left.min(distinct_bits(parts, elsewhere, &c.predict));
            }
            left -= c.cost;
            // States in which the blocks are right speak against a shape that would show there.
            let contrast =
                c.free == Free::EachState || test(contrast, Free::Never, &c.predict).is_some();
            (left >= MIN_BITS).then_some(Found { kind: c.kind, bits: left, cost: c.cost, contrast })
        })
        .collect();
    let rank = |f: &Found| f.bits - if f.contrast { 0.0 } else { 6.0 };
    // Of equals the first.
    let at = (0..fits.len()).rev().max_by(|&a, &b| rank(&fits[a]).total_cmp(&rank(&fits[b])))?;
    let mut found = fits.remove(at);
    // States of two slices cannot tell the last one from all but the first: say both.
    if let Kind::PartOfSum { part, or, .. } = &mut found.kind {
        *or = fits.iter().find_map(|other| match &other.kind {
            Kind::PartOfSum { part: rival, .. } if rival != part => {
                (other.bits > found.bits - 1.0).then_some(*rival)
            }
            _ => None,
        });
    }
    // A single state cannot tell m from n where both are 5: say both.
    if let Kind::Scaled { factor, follows, range: None, .. } = &mut found.kind {
        for other in &fits {
            if let Kind::Scaled { factor: f, follows: more, range: None, .. } = &other.kind
                && near(*f, *factor)
                && other.contrast >= found.contrast
                && other.cost <= found.cost + 2.5
                && (follows.is_empty() || other.cost <= found.cost + 0.5)
                && follows.len() < 3
            {
                // The same product with a number that was fitted says nothing more.
                let known = |f: &&Follows| follows.iter().all(|k| k.terms != f.terms);
                let new: Vec<Follows> = more.iter().filter(known).cloned().collect();
                follows.extend(new);
            }
        }
    }
    Some(found)
}

/// Bits of evidence for values that were found in other places. Each value counts once; one that
/// the block holds many times, as where all derivatives are 0 or 1, is met by chance.
pub(super) fn distinct_bits(parts: &[&Part<'_>], elsewhere: bool, predict: &Predict) -> f64 {
    let (mut total, mut most, mut repeats) = (0.0, 0.0_f64, false);
    let mut counted: HashSet<usize> = HashSet::new();
    for part in parts {
        let mut fits: Vec<(&Comp, f64, f64)> = part
            .comps
            .iter()
            .filter_map(|c| predict(part, c).map(|(h, tol)| (c, h, tol)))
            .filter(|(c, h, tol)| (c.g - h).abs() <= *tol)
            .collect();
        fits.sort_by(|a, b| a.0.g.total_cmp(&b.0.g));
        // Where the values are taken from.
        let mut values: Vec<f64> = if elsewhere {
            fits.iter().map(|f| f.1).collect()
        } else {
            part.comps.iter().map(|c| c.n).collect()
        };
        values.sort_by(f64::total_cmp);
        let mut noisy: Vec<(f64, f64)> = part.comps.iter().map(|c| (c.n, c.noise)).collect();
        noisy.sort_by(|a, b| a.0.total_cmp(&b.0));
        repeats |= noisy.windows(2).any(|w| w[1].0 - w[0].0 <= w[0].1 + w[1].1);
        let mut last = f64::NAN;
        for (c, h, tol) in fits.into_iter().filter(|f| f.0.wrong) {
            let below = values.partition_point(|v| *v < h - tol);
            let same = values.partition_point(|v| *v <= h + tol).saturating_sub(below);
            let again = (c.g - last).abs() <= tol;
            repeats |= again || same > 1;
            last = c.g;
            if again || c.g == 0.0 || (c.like > 0 && !counted.insert(c.like)) {
                continue;
            }
            let by_chance = (values.len() as f64 / same.max(1) as f64).log2().max(0.0);
            let full = bits(c.d, tol);
            let own = if same > 1 { full.min(by_chance) } else { full };
            total += own;
            most = most.max(own);
        }
    }
    // Among values that repeat, one alone may have met its like by chance.
    if repeats { total - most } else { total }
}
