//! A block in which some components are wrong and others right.
use std::collections::{BTreeMap, HashSet};

use super::fit::{Found, Free, bits, choose};
use super::part::{Comp, Part};
use super::shapes::{extremes, scale_candidates, term_candidates, zero_candidates};
use super::{Kind, LISTED, MIN_BITS, Region};

/// Wrong components of a block that are called few, however small the block.
const FEW: usize = 2;

/// `log2` of the chance that `wrong` of `all` fall among `inside` of them.
pub(super) fn chance_bits(wrong: usize, inside: usize, all: usize) -> f64 {
    (0..wrong.min(10_000))
        .map(|i| ((all - i) as f64 / (inside.saturating_sub(i)).max(1) as f64).log2())
        .sum()
}

/// The components of each part, without those that repeat what an earlier part shows.
fn once<'p>(parts: &[&'p Part<'_>]) -> Vec<Vec<&'p Comp>> {
    let mut counted: HashSet<usize> = HashSet::new();
    let mut new = |c: &&Comp| c.like == 0 || counted.insert(c.like);
    parts.iter().map(|p| p.comps.iter().filter(&mut new).collect()).collect()
}

/// A block in which some components are wrong and others right.
pub(super) fn some_components(parts: &[&Part<'_>]) -> Option<(Kind, Region, Vec<String>, f64)> {
    let agree = |p: &Part<'_>| p.comps.iter().filter(|c| !c.wrong).count() + p.covered;
    let wrong_in = |p: &Part<'_>| p.comps.len() + p.covered - agree(p);
    let mixed = |p: &Part<'_>| agree(p) > 0 && wrong_in(p) > 0;
    // At another size the same components may be all that there are.
    let most = parts.iter().filter(|p| mixed(p)).map(|p| wrong_in(p)).max()?;
    let few = |p: &Part<'_>| wrong_in(p) <= FEW.max(p.len / 2);
    // Elsewhere rounding may hide the others.
    let fits =
        |p: &&Part<'_>| mixed(p) || wrong_in(p) > 0 && (p.len <= most || agree(p) == 0 && few(p));
    if !parts.iter().all(fits) {
        return None;
    }
    let wrong: Vec<Part<'_>> = parts.iter().map(|p| p.only_wrong()).collect();
    let wrong: Vec<&Part<'_>> = wrong.iter().collect();
    let how = how(&wrong);
    if let Some(paths) = listed(parts) {
        let bits = how.as_ref().map_or(0.0, |h| h.bits);
        let how = how.map(|h| Box::new(h.kind));
        return Some((Kind::Components { how }, Region::Listed, paths, bits));
    }
    let region = region(parts);
    let found = region.unwrap_or(Region::Scattered);
    let paths = wrong[0].comps.iter().take(LISTED).map(|c| wrong[0].path(c.i)).collect();
    let count = once(&wrong).iter().map(Vec::len).sum::<usize>();
    let right = parts.iter().map(|p| agree(p)).sum::<usize>();
    match how {
        Some(h) if region.is_some() || (count >= 3 && right >= 2) => {
            let kind = match h.kind {
                Kind::Zero => Kind::ZeroOnSubset { analytic: true },
                Kind::ForwardIgnores => Kind::ZeroOnSubset { analytic: false },
                other => Kind::Components { how: Some(Box::new(other)) },
            };
            Some((kind, found, paths, h.bits))
        }
        None if region.is_some() => Some((Kind::Components { how: None }, found, paths, 0.0)),
        // Few are a fact, whatever they have in common.
        how if parts.iter().all(|p| few(p)) => {
            let bits = how.as_ref().map_or(0.0, |h| h.bits);
            let kind = Kind::Components { how: how.map(|h| Box::new(h.kind)) };
            let places = |p: &Part<'_>| p.comps.iter().map(|c| p.path(c.i)).collect::<Vec<_>>();
            let same = wrong.iter().all(|p| places(p) == places(wrong[0]));
            let region = if same && paths.len() < LISTED { Region::Listed } else { found };
            Some((kind, region, paths, bits))
        }
        _ => None,
    }
}

/// What is wrong with components that are wrong among others that are right.
pub(super) fn how(wrong: &[&Part<'_>]) -> Option<Found> {
    let mut candidates = Vec::new();
    zero_candidates(&mut candidates);
    scale_candidates(wrong, &mut candidates);
    term_candidates(wrong, true, &mut candidates);
    // With a choice of components, only the plainest of all is said of few.
    candidates.retain(|c| {
        c.free != Free::EachState
            && match &c.kind {
                Kind::Scaled { follows, .. } => follows.is_empty(),
                Kind::MissingTermProportionalToParameter { sign, follows, .. } => {
                    !sign && follows.is_none()
                }
                Kind::ConstantOffset { follows, .. } => follows.is_none(),
                _ => true,
            }
    });
    choose(wrong, &[], candidates).or_else(|| {
        permuted(wrong).map(|bits| Found { kind: Kind::Permuted, bits, cost: 0.0, contrast: true })
    })
}

/// Paths of the same one or few components, when the wrong ones are always those.
pub(super) fn listed(parts: &[&Part<'_>]) -> Option<Vec<String>> {
    let mut union: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for p in parts {
        for c in p.comps.iter().filter(|c| c.wrong) {
            let entry = union.entry(p.path(c.i)).or_insert((c.i, 0));
            entry.1 += 1;
            if union.len() > 20 {
                return None;
            }
        }
    }
    let least = parts.iter().map(|p| p.comps.len() + p.covered).min()?;
    let always = union.values().all(|(_, times)| *times == parts.len());
    let showing = once(parts).iter().filter(|comps| comps.iter().any(|c| c.wrong)).count();
    let few = union.len() <= (least / 4).max(1);
    let clear = least >= 8 && (always || union.len() * 10 <= least) || always && showing >= 3;
    (few && clear).then(|| {
        let mut paths: Vec<(usize, String)> = union.into_iter().map(|(p, (i, _))| (i, p)).collect();
        paths.sort();
        paths.into_iter().map(|p| p.1).collect()
    })
}

/// The region that all wrong components and (nearly) no others stand in.
pub(super) fn region(parts: &[&Part<'_>]) -> Option<Region> {
    type Inside = Box<dyn Fn(&Part<'_>, &Comp) -> bool>;
    let mut regions: Vec<(Region, f64, Inside)> = Vec::new();
    let rank = parts[0].shape.len();
    if parts.iter().all(|p| p.shape.len() == rank) {
        for axis in 0..rank {
            let first: Inside = Box::new(move |p, c| p.index(c.i, axis) == 0);
            let last: Inside = Box::new(move |p, c| p.index(c.i, axis) + 1 == p.shape[axis]);
            regions.push((Region::FirstSlice { axis }, 0.5, first));
            regions.push((Region::LastSlice { axis }, 0.5, last));
        }
        if rank == 2 && parts.iter().all(|p| p.shape[0] == p.shape[1]) {
            let place = |p: &Part<'_>, c: &Comp| p.index(c.i, 0).cmp(&p.index(c.i, 1));
            regions.push((Region::Diagonal, 0.7, Box::new(move |p, c| place(p, c).is_eq())));
            regions.push((Region::UpperTriangle, 0.7, Box::new(move |p, c| place(p, c).is_lt())));
            regions.push((Region::LowerTriangle, 0.7, Box::new(move |p, c| place(p, c).is_gt())));
            regions.push((Region::OffDiagonal, 0.7, Box::new(move |p, c| place(p, c).is_ne())));
        }
    }
    if parts.iter().all(|p| p.has_primal) {
        regions.push((Region::NegativeParameter, 0.9, Box::new(|_, c| c.w < 0.0)));
        regions.push((Region::PositiveParameter, 0.9, Box::new(|_, c| c.w > 0.0)));
    }
    regions.push((Region::NegativeNumeric, 0.9, Box::new(|_, c| c.n < 0.0)));
    regions.push((Region::PositiveNumeric, 0.9, Box::new(|_, c| c.n > 0.0)));
    let price = 5.0 + (regions.len() as f64).log2();
    let once = once(parts);
    let mut best: Option<(f64, Region)> = None;
    for (region, share, inside) in regions {
        let mut total = -price;
        let (mut wrong_all, mut inside_all) = (0, 0);
        let mut holds = true;
        for (p, comps) in parts.iter().zip(&once) {
            let within = comps.iter().filter(|c| inside(p, c)).count();
            let wrong = comps.iter().filter(|c| c.wrong).count();
            holds &= p.comps.iter().all(|c| !c.wrong || inside(p, c));
            if !holds {
                break;
            }
            total += chance_bits(wrong, within, comps.len());
            wrong_all += wrong;
            inside_all += within;
        }
        if holds
            && total > 0.0
            && wrong_all as f64 >= share * inside_all as f64
            && best.as_ref().is_none_or(|b| total > b.0)
        {
            best = Some((total, region));
        }
    }
    best.map(|b| b.1).or_else(|| between(parts))
}

/// The wrong components are those with parameters in an interval.
pub(super) fn between(parts: &[&Part<'_>]) -> Option<Region> {
    if !parts.iter().all(|p| p.has_primal) {
        return None;
    }
    let once = once(parts);
    let comps = || once.iter().flatten();
    let wrong: Vec<f64> = comps().filter(|c| c.wrong).map(|c| c.w).collect();
    let (low, high) = extremes(wrong.iter());
    let outside = comps().filter(|c| !c.wrong).all(|c| c.w < low || c.w > high);
    let all = comps().count();
    let evidence = chance_bits(wrong.len(), wrong.len(), all);
    (outside && low.is_finite() && high.is_finite() && evidence - 2.0 * (all as f64).log2() > 5.0)
        .then_some(Region::Between { low, high })
}

/// The same numbers in another order: bits of evidence.
pub(super) fn permuted(parts: &[&Part<'_>]) -> Option<f64> {
    let (mut total, mut most) = (0.0, 0.0_f64);
    for p in parts {
        let mut g: Vec<&Comp> = p.comps.iter().collect();
        let mut n: Vec<&Comp> = p.comps.iter().collect();
        g.sort_by(|a, b| a.g.total_cmp(&b.g));
        n.sort_by(|a, b| a.n.total_cmp(&b.n));
        for (to, from) in g.into_iter().zip(n) {
            let tol = if to.i == from.i { to.tol } else { to.tol + from.noise };
            if (to.g - from.n).abs() > tol {
                return None;
            }
            let same = p.comps.iter().filter(|c| (c.n - from.n).abs() <= tol).count();
            let own = if same > 1 || to.g == 0.0 { 0.0 } else { bits(to.d, tol) };
            total += own;
            most = most.max(own);
        }
        // The order itself is what was free to choose.
        total -= (1..=p.comps.len()).map(|i| (i as f64).log2()).sum::<f64>();
    }
    // One value alone may have met its like by chance.
    let left = total - most - 6.0;
    (left >= MIN_BITS).then_some(left)
}
