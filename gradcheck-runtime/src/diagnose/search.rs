//! From blocks to findings.
use std::collections::{BTreeMap, BTreeSet};

use super::fit::Found;
use super::part::Part;
use super::shapes::{best, part_of_sum};
use super::some::{chance_bits, permuted, some_components};
use super::{Facts, Finding, Kind, LISTED, Only, Place, Region, Sizes};
use crate::evidence::{Evidence, norm};

/// Bits for a state beside a failing one that differs in a size only, and passes.
const CONTROLLED_BITS: f64 = 4.0;

/// Blocks that are wrong in the same way.
pub(super) struct Group<'s> {
    pub(super) names: Vec<&'s str>,
    pub(super) kind: Kind,
    pub(super) bits: f64,
    /// The kind also says why the blocks are right where they are.
    pub(super) contrast: bool,
    /// It is known of blocks that are right, too.
    pub(super) whole: bool,
    /// What the wrong components of the one block have in common, and their paths.
    pub(super) some: Option<(Region, Vec<String>)>,
}

impl<'s> Group<'s> {
    pub(super) fn new(names: Vec<&'s str>, found: Found) -> Self {
        let Found { kind, bits, contrast, .. } = found;
        Group { names, kind, bits, contrast, whole: false, some: None }
    }

    pub(super) fn unknown(names: Vec<&'s str>) -> Self {
        Group { names, kind: Kind::Unknown, bits: 0.0, contrast: true, whole: false, some: None }
    }
}

pub(super) struct Search<'s, 'a> {
    pub(super) parts: &'s [Part<'a>],
    pub(super) failing: &'s BTreeSet<usize>,
    /// Names of the first few blocks that are right in every state.
    pub(super) right: &'s [String],
}

impl<'s, 'a> Search<'s, 'a> {
    /// The parts of these blocks that are wrong.
    pub(super) fn wrong(&self, names: &[&str]) -> Vec<&'s Part<'a>> {
        self.parts.iter().filter(|p| p.wrong && names.contains(&p.id())).collect()
    }

    pub(super) fn right(&self, names: &[&str]) -> Vec<&'s Part<'a>> {
        let right = |p: &&Part<'_>| !p.wrong && !p.comps.is_empty() && names.contains(&p.id());
        self.parts.iter().filter(right).collect()
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut names: Vec<&'s str> = Vec::new();
        for p in self.parts.iter().filter(|p| p.wrong) {
            if !names.contains(&p.id()) {
                names.push(p.id());
            }
        }
        if names.is_empty() {
            return Vec::new();
        }
        let mut out = self.not_finite(&names);
        names.retain(|n| {
            let shows = |p: &Part<'_>| p.comps.iter().any(|c| c.wrong);
            let infinite = |p: &Part<'_>| !p.not_finite.is_empty();
            let wrong = self.wrong(&[n]);
            wrong.iter().any(|p| shows(p)) || !wrong.iter().any(|p| infinite(p))
        });
        if names.is_empty() {
            return out;
        }
        for group in self.groups(&names) {
            out.push(self.finding(group));
        }
        out
    }

    /// Blocks gathered by what is wrong with them: all of the gradient, else all wrong blocks,
    /// else block by block.
    pub(super) fn groups(&self, names: &[&'s str]) -> Vec<Group<'s>> {
        let everything: Vec<&Part<'_>> = self
            .parts
            .iter()
            .filter(|p| self.failing.contains(&p.state) && !p.comps.is_empty())
            .collect();
        let passing: Vec<&Part<'_>> =
            self.parts.iter().filter(|p| !self.failing.contains(&p.state)).collect();
        let of_wrong = best(&self.wrong(names), &self.right(names));
        // What holds for the right blocks too need not be what is wrong with the others.
        let simpler = |whole: &Found| of_wrong.as_ref().is_some_and(|f| f.cost < whole.cost);
        if everything.iter().any(|p| !p.wrong)
            && let Some(found) = best(&everything, &passing).filter(|found| !simpler(found))
        {
            // Of a block that is right in every state nothing is said.
            return vec![Group { whole: true, ..Group::new(names.to_vec(), found) }];
        }
        if names.len() > 1
            && let Some(found) = of_wrong.or_else(|| part_of_sum(&self.wrong(names), self.parts))
        {
            return vec![Group::new(names.to_vec(), found)];
        }
        let mut groups: Vec<Group<'s>> = Vec::new();
        for name in names {
            let group = self.block(name);
            let same = groups.iter_mut().find(|g| {
                g.some.is_none()
                    && group.some.is_none()
                    && g.contrast == group.contrast
                    && same_kind(&g.kind, &group.kind)
            });
            match same {
                Some(home) => {
                    home.names.push(name);
                    home.bits = home.bits.max(group.bits);
                }
                None => groups.push(group),
            }
        }
        self.absorb(&mut groups);
        self.pair_swaps(&mut groups);
        groups
    }

    pub(super) fn finding(&self, group: Group<'s>) -> Finding {
        let Group { names, kind, bits, contrast, whole, some } = group;
        // Blocks that are wrong in different states are not the whole of any.
        let seen = |p: &&Part<'_>| self.failing.contains(&p.state) && !p.comps.is_empty();
        let whole = whole || self.parts.iter().filter(seen).all(|p| p.wrong);
        let facts = self.facts(&names, bits);
        let explained = contrast && !matches!(kind, Kind::Unknown | Kind::Components { .. });
        let only = if explained { None } else { self.only(&names) };
        let all: BTreeSet<&str> = self.parts.iter().filter(|p| p.len > 0).map(|p| p.id()).collect();
        let place = match some {
            Some((region, paths)) => {
                Place::Components { block: self.short(names[0]), paths, region }
            }
            None if whole
                && names.len() >= 2
                && names.len() == all.len()
                && !matches!(kind, Kind::SwappedWith(_)) =>
            {
                Place::Whole
            }
            None => Place::Blocks(names.iter().map(|n| self.short(n)).collect()),
        };
        let (kind, only) = match (kind, only) {
            (Kind::Unknown, Some(Only::AfterTraining)) => (Kind::OnlyAfterTraining, None),
            (Kind::Unknown, Some(Only::AtSize { dim, values })) => {
                (Kind::OnlyAtSize { dim, values }, None)
            }
            other => other,
        };
        Finding { place, kind, only, facts }
    }

    /// Name of the block as the report prints it.
    pub(super) fn short(&self, name: &str) -> String {
        let block = self.parts.iter().find(|p| p.id() == name).map(|p| p.block.name.clone());
        block.unwrap_or_else(|| name.to_owned())
    }

    /// What is wrong with one block.
    pub(super) fn block(&self, name: &'s str) -> Group<'s> {
        let wrong: Vec<&Part<'_>> =
            self.wrong(&[name]).into_iter().filter(|p| !p.comps.is_empty()).collect();
        if wrong.is_empty() {
            return Group::unknown(vec![name]);
        }
        let right = self.right(&[name]);
        let found = best(&wrong, &right).or_else(|| part_of_sum(&wrong, self.parts));
        let whole = wrong.iter().all(|p| p.comps.len() == p.len);
        let permuted = if whole { permuted(&wrong) } else { None };
        // Another order may explain more than an order with a name does.
        let more = |f: &Found| f.kind.moves_values() && permuted.is_some_and(|bits| bits > f.bits);
        if let Some(found) = found.filter(|found| !more(found)) {
            return Group::new(vec![name], found);
        }
        if let Some(bits) = permuted {
            return Group { kind: Kind::Permuted, bits, ..Group::unknown(vec![name]) };
        }
        match some_components(&wrong) {
            Some((kind, region, paths, bits)) => Group {
                names: vec![name],
                kind,
                bits,
                contrast: right.is_empty(),
                whole: false,
                some: Some((region, paths)),
            },
            None => Group::unknown(vec![name]),
        }
    }

    /// Blocks too small to show a kind by themselves join one that they fit.
    pub(super) fn absorb(&self, groups: &mut Vec<Group<'s>>) {
        let Some(at) = groups.iter().position(|g| matches!(g.kind, Kind::Unknown)) else { return };
        if groups[at].names.len() > 32 || groups.len() > 32 {
            return;
        }
        let unknown = groups.remove(at);
        let mut left = Vec::new();
        for name in unknown.names {
            let home = groups.iter_mut().find(|g| {
                let scalable = matches!(
                    g.kind,
                    Kind::Scaled { .. } | Kind::MissingTermProportionalToParameter { .. }
                );
                let names: Vec<&str> = g.names.iter().copied().chain([name]).collect();
                scalable
                    && best(&self.wrong(&names), &[]).is_some_and(|f| same_kind(&f.kind, &g.kind))
            });
            match home {
                Some(group) => group.names.push(name),
                None => left.push(name),
            }
        }
        if !left.is_empty() {
            groups.push(Group::unknown(left));
        }
    }

    /// Two blocks that each hold the other's gradient are swapped.
    pub(super) fn pair_swaps(&self, groups: &mut Vec<Group<'s>>) {
        let mut i = 0;
        while i < groups.len() {
            let mine = self.short(groups[i].names[0]);
            let partner = groups.iter().position(|g| {
                matches!((&g.kind, &groups[i].kind), (Kind::CopyOf(a), Kind::CopyOf(b))
                    if *a == mine && *b == self.short(g.names[0]))
            });
            if let Some(j) = partner {
                let other = groups.remove(j);
                groups[i].kind = Kind::SwappedWith(self.short(other.names[0]));
                groups[i].names.extend(other.names);
                groups[i].bits += other.bits;
            }
            i += 1;
        }
    }

    pub(super) fn not_finite(&self, names: &[&str]) -> Vec<Finding> {
        let mut out = Vec::new();
        for name in names {
            let wrong = self.wrong(&[name]);
            let Some(p) = wrong.iter().find(|p| !p.not_finite.is_empty()) else { continue };
            let paths = p.not_finite.iter().take(LISTED).map(|&j| p.path(j)).collect();
            let mut facts = self.facts(&[name], 0.0);
            (facts.analytic, facts.numeric, _) = p.raw(p.not_finite[0]);
            facts.worst = p.path(p.not_finite[0]);
            facts.wrong = p.not_finite.len();
            let block = p.block.name.clone();
            let place = if p.not_finite.len() == p.len {
                Place::Blocks(vec![block])
            } else {
                Place::Components { block, paths, region: Region::Scattered }
            };
            out.push(Finding { place, kind: Kind::NotFinite, only: None, facts });
        }
        out
    }

    pub(super) fn facts(&self, names: &[&str], bits: f64) -> Facts {
        let wrong = self.wrong(names);
        let states: BTreeSet<usize> = wrong.iter().map(|p| p.state).collect();
        let first: Vec<&Part<'_>> =
            wrong.iter().filter(|p| Some(&p.state) == states.first()).copied().collect();
        let comps = || first.iter().flat_map(|p| p.comps.iter().map(move |c| (*p, c)));
        let worst = comps().max_by(|a, b| a.1.d.total_cmp(&b.1.d));
        let g = norm(comps().map(|c| c.1.g));
        let n = norm(comps().map(|c| c.1.n));
        let cosine = comps().map(|(_, c)| (c.g / g) * (c.n / n)).sum::<f64>().clamp(-1.0, 1.0);
        let sizes: Vec<(f64, f64)> =
            comps().filter(|c| c.1.wrong).map(|(_, c)| (c.d, c.w.abs())).collect();
        Facts {
            states: states.len(),
            failing: self.failing.len(),
            state: states.first().copied().unwrap_or(0),
            dims: first.first().map_or_else(Vec::new, |p| p.evidence.dims.clone()),
            worst: worst.map_or_else(String::new, |(p, c)| p.path(c.i)),
            analytic: worst.map_or(f64::NAN, |w| w.1.g),
            numeric: worst.map_or(f64::NAN, |w| w.1.n),
            wrong: first.iter().map(|p| p.wrong_count).sum(),
            at_least: wrong.iter().any(|p| p.more),
            components: first.iter().map(|p| p.len).sum(),
            cosine,
            norm_ratio: g / n,
            grows_with_parameter: sizes.len() >= 10 && rank_correlation(&sizes) > 0.8,
            right_blocks: self.right.to_vec(),
            bits,
        }
    }

    /// What sets the states apart in which these blocks are wrong.
    pub(super) fn only(&self, names: &[&str]) -> Option<Only> {
        let wrong = self.wrong(names);
        let failing: BTreeMap<usize, &Evidence> =
            wrong.iter().map(|p| (p.state, p.evidence)).collect();
        let right: BTreeMap<usize, &Evidence> = self
            .right(names)
            .into_iter()
            .filter(|p| !failing.contains_key(&p.state))
            .map(|p| (p.state, p.evidence))
            .collect();
        let all = failing.len() + right.len();
        let mut best: Option<(f64, Only)> = None;
        let trained = right.values().filter(|e| e.steps > 0).count() + failing.len();
        if failing.values().all(|e| e.steps > 0) {
            let evidence = chance_bits(failing.len(), trained, all);
            if evidence > 4.1 {
                best = Some((evidence, Only::AfterTraining));
            }
        }
        let dims = &failing.values().next()?.dims;
        for (dim, _) in dims {
            let value = |e: &&Evidence| e.dims.iter().find(|d| d.0 == *dim).map(|d| d.1);
            let (f, r): (Option<Vec<usize>>, Option<Vec<usize>>) =
                (failing.values().map(value).collect(), right.values().map(value).collect());
            let (Some(f), Some(r)) = (f, r) else { continue };
            let (f_low, f_high) = (*f.iter().min()?, *f.iter().max()?);
            let (r_low, r_high) = (*r.iter().min()?, *r.iter().max()?);
            // At 1 and above 1 are what faults care for; other limits are free to choose.
            let (values, price) = if f_low == f_high && !r.contains(&f_low) {
                (Sizes::Equal(f_low), if f_low == 1 { 0.0 } else { 3.0 })
            } else if r_high < f_low {
                // Of sizes between that were not drawn nothing is known; above 1 is natural.
                if r_high == 1 { (Sizes::AtLeast(2), 0.0) } else { (Sizes::AtLeast(f_low), 3.0) }
            } else if f_high < r_low {
                (Sizes::AtMost(f_high), 3.0)
            } else {
                continue;
            };
            // The same parameters at another size, and it is right: no accident.
            let controlled = self.wrong(names).iter().any(|p| {
                let value = p.dim(dim).map_or(0, |v| v as usize);
                let others = [1, value.wrapping_sub(1), value + 1];
                let other = |v| p.with_dim(self.parts, dim, v).is_some_and(|other| !other.wrong);
                others.into_iter().any(other)
            });
            let evidence = chance_bits(f.len(), f.len(), all) - price - (dims.len() as f64).log2()
                + if controlled { CONTROLLED_BITS } else { 0.0 };
            let least = if price == 0.0 { 3.0 } else { 4.0 };
            if evidence > least && best.as_ref().is_none_or(|b| evidence > b.0) {
                best = Some((evidence, Only::AtSize { dim: dim.clone(), values }));
            }
        }
        best.map(|b| b.1)
    }
}

/// The same kind, factors and all: blocks of the same kind share a finding.
pub(super) fn same_kind(a: &Kind, b: &Kind) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (a - 1.0).abs().min(a.abs());
    match (a, b) {
        (
            Kind::Scaled { factor: f, range: None, .. },
            Kind::Scaled { factor: g, range: None, .. },
        ) => close(*f, *g),
        (
            Kind::MissingTermProportionalToParameter { factor: f, sign: s, range: None, .. },
            Kind::MissingTermProportionalToParameter { factor: g, sign: t, range: None, .. },
        ) => s == t && (f - g).abs() <= 1e-4 * f.abs(),
        (Kind::Scaled { range: Some(_), .. }, Kind::Scaled { range: Some(_), .. }) => true,
        (
            Kind::ConstantOffset { offset: f, uncertainty: s, range: None, .. },
            Kind::ConstantOffset { offset: g, uncertainty: t, range: None, .. },
        ) => (f - g).abs() <= 3.0 * (s + t) + 1e-4 * f.abs(),
        (Kind::Permuted, _) | (Kind::CopyOf(_), _) => false,
        _ => a == b,
    }
}

/// Spearman's correlation of pairs; 0 when one side holds no order.
pub(super) fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |value: fn(&(f64, f64)) -> f64| {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|&a, &b| value(&pairs[a]).total_cmp(&value(&pairs[b])));
        let mut rank = vec![0.0; pairs.len()];
        for (r, &i) in order.iter().enumerate() {
            rank[i] = r as f64;
        }
        rank
    };
    if pairs.iter().any(|p| !p.0.is_finite() || !p.1.is_finite()) {
        return 0.0;
    }
    let (a, b) = (ranks(|p| p.0), ranks(|p| p.1));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let product: f64 = a.iter().zip(&b).map(|(a, b)| a * (b - mean)).sum();
    let square: f64 = a.iter().map(|a| a * (a - mean)).sum();
    if square > 0.0 { product / square } else { 0.0 }
}
