//! Products of dimensions that a factor may equal.
use super::part::Part;
use super::{Follows, Term};

impl Follows {
    pub(super) fn of(number: f64, terms: &[(&str, i64, i32)]) -> Self {
        let term =
            |&(dim, shift, halves): &(&str, i64, i32)| Term { dim: dim.to_owned(), shift, halves };
        Follows { number, terms: terms.iter().map(term).collect() }
    }

    /// The same with `k` times the number in front.
    pub(super) fn times(&self, k: f64) -> Self {
        Follows { number: k * self.number, terms: self.terms.clone() }
    }

    pub(super) fn value(&self, part: &Part<'_>) -> Option<f64> {
        let mut v = self.number;
        for t in &self.terms {
            let base = part.dim(&t.dim)? + t.shift as f64;
            v *= if t.halves % 2 == 0 {
                base.powi(t.halves / 2)
            } else {
                base.sqrt().powi(t.halves)
            };
        }
        (v.is_finite() && v != 0.0).then_some(v)
    }
}

/// The products that are tried, each with its cost in bits.
pub(super) fn formulas(parts: &[&Part<'_>]) -> Vec<(Follows, f64)> {
    let Some(first) = parts.first() else { return Vec::new() };
    let everywhere = |name: &str| parts.iter().all(|p| p.dim(name).is_some());
    let mut dims: Vec<String> =
        first.evidence.dims.iter().map(|d| d.0.clone()).filter(|d| everywhere(d)).collect();
    dims.truncate(8);
    let drawn = dims.len();
    if parts.iter().all(|p| p.id() == first.id()) {
        let name = &first.block.name;
        let rank = first.shape.len();
        let own: &[&str] = if rank == 2 { &["len", "rows", "columns"] } else { &["len"] };
        for extent in own.iter().map(|o| format!("{o}({name})")) {
            // An extent that is one of the drawn dimensions is better known by that name.
            let known =
                dims[..drawn].iter().any(|d| parts.iter().all(|p| p.dim(d) == p.dim(&extent)));
            if everywhere(&extent) && !known {
                dims.push(extent);
            }
        }
    }
    let simple = 1.0 + (2.0 * dims.len() as f64).log2();
    let mut all: Vec<(Follows, f64)> = Vec::new();
    for (at, d) in dims.iter().enumerate() {
        let cost = simple + if at < drawn { 0.0 } else { 2.0 };
        all.push((Follows::of(1.0, &[(d, 0, 2)]), cost));
        all.push((Follows::of(1.0, &[(d, 0, -2)]), cost));
    }
    let mut rest: Vec<Follows> = Vec::new();
    for d in &dims[..drawn] {
        rest.extend([
            Follows::of(1.0, &[(d, 0, 4)]),
            Follows::of(1.0, &[(d, 0, -4)]),
            Follows::of(1.0, &[(d, 0, 1)]),
            Follows::of(1.0, &[(d, 0, -1)]),
            Follows::of(2.0, &[(d, 0, 2)]),
            Follows::of(2.0, &[(d, 0, -2)]),
            Follows::of(0.5, &[(d, 0, 2)]),
            Follows::of(0.5, &[(d, 0, -2)]),
            Follows::of(1.0, &[(d, 0, 2), (d, -1, -2)]),
            Follows::of(1.0, &[(d, -1, 2), (d, 0, -2)]),
            Follows::of(1.0, &[(d, -1, 2)]),
            Follows::of(1.0, &[(d, -1, -2)]),
        ]);
    }
    for (i, a) in dims[..drawn].iter().enumerate() {
        for (j, b) in dims[..drawn].iter().enumerate().skip(i + 1) {
            rest.extend([
                Follows::of(1.0, &[(a, 0, 2), (b, 0, 2)]),
                Follows::of(1.0, &[(a, 0, -2), (b, 0, -2)]),
                Follows::of(1.0, &[(a, 0, 2), (b, 0, -2)]),
                Follows::of(1.0, &[(b, 0, 2), (a, 0, -2)]),
            ]);
            for c in &dims[j + 1..drawn] {
                rest.extend([
                    Follows::of(1.0, &[(a, 0, 2), (b, 0, 2), (c, 0, 2)]),
                    Follows::of(1.0, &[(a, 0, -2), (b, 0, -2), (c, 0, -2)]),
                ]);
            }
        }
    }
    let cost = 1.0 + ((all.len() + rest.len()) as f64).log2();
    all.extend(rest.into_iter().map(|f| (f, cost)));
    // Where a product is 1 in every state it explains nothing.
    all.retain(|(f, _)| parts.iter().any(|p| f.value(p).is_some_and(|v| v != 1.0)));
    all
}
