//! Directions through the parameters, made entry by entry: of a million parameters none is kept.
use std::ops::Range;
use std::sync::Arc;

use crate::evidence::{Block, block_of, norm};
use crate::random;

/// A direction, one entry for each parameter; zero outside a range.
#[derive(Clone, Debug)]
pub(crate) struct Ray {
    pub(crate) range: Range<usize>,
    entries: Entries,
}

#[derive(Clone, Debug)]
enum Entries {
    Listed(Arc<Vec<f64>>),
    /// Random sign and magnitude, in units of each parameter's own scale.
    Scaled {
        seed: u64,
    },
    /// The same in units of one length for each block.
    Random {
        tag: u64,
        lengths: Arc<[f64]>,
    },
}

/// What the parameters' scales are made from.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    pub(crate) blocks: &'a [Block],
    pub(crate) values: &'a [f64],
    /// Typical size of the parameters of each block; 0 where all are zero.
    pub(crate) typical: &'a [f64],
}

impl Home<'_> {
    /// The length on which parameter `i` is of order one: its own size, or the typical one of
    /// its block where it is smaller, or 1 where the whole block is zero.
    pub(crate) fn scale(&self, i: usize) -> f64 {
        scale(self.values[i], self.typical[block_of(self.blocks, i)])
    }
}

#[inline]
pub(crate) fn scale(value: f64, typical: f64) -> f64 {
    let own = value.abs().max(typical);
    if own > 0.0 && own.is_finite() { own } else { 1.0 }
}

/// Entry of a random direction: random sign, 0.5 to 1.5. Neighbours share a hash, which is
/// worked out once where both are asked for.
#[inline]
pub(crate) fn unit_entry(tag: u64, i: usize) -> f64 {
    let pair = random::hash(tag, (i / 2) as u64);
    let bits = if i.is_multiple_of(2) { pair >> 32 } else { pair & 0xffff_ffff };
    let magnitude = 0.5 + (bits >> 1) as f64 / (1_u64 << 31) as f64;
    if bits & 1 == 0 { magnitude } else { -magnitude }
}

/// Entries that are made at a time.
const PIECE: usize = 128;

impl Ray {
    /// A direction with given entries.
    pub(crate) fn listed(entries: Vec<f64>) -> Ray {
        Ray { range: 0..entries.len(), entries: Entries::Listed(Arc::new(entries)) }
    }

    /// Random sign and 0.5 to 1.5 times each parameter's own scale.
    pub(crate) fn scaled(seed: u64, range: Range<usize>) -> Ray {
        Ray { range, entries: Entries::Scaled { seed } }
    }

    /// Random sign and 0.5 to 1.5 times the length of the parameter's block.
    pub(crate) fn random(tag: u64, lengths: &Arc<[f64]>, range: Range<usize>) -> Ray {
        Ray { range, entries: Entries::Random { tag, lengths: lengths.clone() } }
    }

    /// The same direction, through part of its range only.
    pub(crate) fn within(&self, range: Range<usize>) -> Ray {
        Ray { range, entries: self.entries.clone() }
    }

    /// Entries from `first` on; none of them outside the range, all of one block.
    pub(crate) fn fill(&self, home: Home<'_>, first: usize, out: &mut [f64]) {
        match &self.entries {
            Entries::Listed(entries) => out.copy_from_slice(&entries[first..first + out.len()]),
            Entries::Scaled { seed } => {
                let typical = home.typical[block_of(home.blocks, first)];
                for (i, entry) in (first..).zip(out) {
                    let scale = scale(home.values[i], typical);
                    *entry = random::signed_magnitude(*seed, i as u64) * scale;
                }
            }
            Entries::Random { tag, lengths } => {
                let length = lengths[block_of(home.blocks, first)];
                let lone = (first % 2).min(out.len());
                let (lone, pairs) = out.split_at_mut(lone);
                lone.iter_mut().for_each(|entry| *entry = length * unit_entry(*tag, first));
                for (i, pair) in (first + lone.len()..).step_by(2).zip(pairs.chunks_mut(2)) {
                    for (i, entry) in (i..).zip(pair) {
                        *entry = length * unit_entry(*tag, i);
                    }
                }
            }
        }
    }

    /// One entry.
    pub(crate) fn entry(&self, home: Home<'_>, i: usize) -> f64 {
        let mut entry = [0.0];
        self.fill(home, i, &mut entry);
        entry[0]
    }

    /// The inner product with a gradient, and the Euclidean norm of the products one by one.
    pub(crate) fn product(&self, home: Home<'_>, gradient: &[f64]) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut products = [0.0; PIECE];
        self.each_piece(home, &mut products, |first, products| {
            let (mut own, mut own_squares) = (0.0, 0.0);
            for (product, g) in products.iter().zip(&gradient[first..]) {
                let product = product * g;
                own += product;
                own_squares += product * product;
            }
            sum += own;
            squares += own_squares;
        });
        if squares > 1e-200 && squares < 1e200 {
            return (sum, f64::sqrt(squares));
        }
        // Squares of the largest and smallest numbers are none.
        let mut sizes = Vec::new();
        self.each_piece(home, &mut products, |first, products| {
            let sized: Vec<f64> =
                products.iter().zip(&gradient[first..]).map(|(p, g)| p * g).collect();
            sizes.push(norm(sized.iter().copied()));
        });
        (sum, norm(sizes.iter().copied()))
    }

    fn each_piece(
        &self,
        home: Home<'_>,
        entries: &mut [f64; PIECE],
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        let mut first = self.range.start;
        while first < self.range.end {
            let block = &home.blocks[block_of(home.blocks, first)];
            let end = self.range.end.min(block.range.end).min(first + PIECE);
            let entries = &mut entries[..end - first];
            self.fill(home, first, entries);
            visit(first, entries);
            first = end;
        }
    }
}

/// Typical size of the values of a block: the median of those that are not next to zero. One huge
/// entry must not set the step of all others, and zeros have no say.
pub(crate) fn typical(values: &[f64]) -> f64 {
    // Of very many, a sample will do.
    let stride = values.len() / 65_536 + 1;
    let mut sizes: Vec<f64> =
        values.iter().step_by(stride).map(|v| v.abs()).filter(|&v| v > 1e-100).collect();
    if sizes.is_empty() {
        return values.iter().fold(0.0, |most, v| v.abs().max(most));
    }
    let half = sizes.len() / 2;
    *sizes.select_nth_unstable_by(half, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a direction is cut into pieces, its entries are the same.
    #[test]
    fn pieces_make_up_the_direction() {
        let block = |range: Range<usize>| Block {
            name: String::new(),
            full_name: String::new(),
            shape: vec![range.len()],
            complex: false,
            range,
            roundoff: f64::EPSILON,
            jacobian: None,
        };
        let blocks = [block(0..301), block(301..302), block(302..700)];
        let values: Vec<f64> = (0..700).map(|i| f64::from(i) - 350.0).collect();
        let home = Home { blocks: &blocks, values: &values, typical: &[1.0, 0.0, 3.0] };
        let lengths: Arc<[f64]> = [2.0, 3.0, 5.0].into();
        for ray in [Ray::random(7, &lengths, 3..690), Ray::scaled(7, 3..690)] {
            let entries: Vec<f64> = (3..690).map(|i| ray.entry(home, i)).collect();
            for size in [1, 2, 3, 127] {
                let mut pieces = vec![0.0; 687];
                for block in &blocks {
                    let own = block.range.start.max(3)..block.range.end.min(690);
                    for first in own.clone().step_by(size) {
                        let end = own.end.min(first + size);
                        ray.fill(home, first, &mut pieces[first - 3..end - 3]);
                    }
                }
                assert_eq!(pieces, entries);
            }
            let gradient: Vec<f64> = (0..700).map(|i| 1.0 / (1.0 + f64::from(i))).collect();
            let products: Vec<f64> =
                entries.iter().zip(&gradient[3..]).map(|(e, g)| e * g).collect();
            let (sum, size) = ray.product(home, &gradient);
            assert!((sum - products.iter().sum::<f64>()).abs() < 1e-12 * size);
            assert!((size - norm(products.iter().copied())).abs() < 1e-12 * size);
            // Squares overflow; the norm does not.
            let huge: Vec<f64> = gradient.iter().map(|g| g * 1e200).collect();
            let huge = ray.product(home, &huge).1;
            assert!((huge / 1e200 - size).abs() < 1e-12 * size);
        }
        let signs = (0..1000).filter(|&i| unit_entry(3, i) > 0.0).count();
        assert!((420..580).contains(&signs), "{signs}");
        assert!((0..1000).all(|i| (0.5..1.5).contains(&unit_entry(3, i).abs())));
    }
}
