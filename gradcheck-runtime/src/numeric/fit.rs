//! The derivative of a forward that has lost digits: the slope of a polynomial through many
//! samples, with the error that their scatter leaves open.
//!
//! A difference rests on two values and bears all of their rounding; a fit over a wide window
//! averages it out. It is believed only where what the polynomial leaves behind looks like
//! rounding: not correlated from one sample to the next, as the rest of a kink, of a staircase or
//! of a higher power is (the ratio of von Neumann, "Distribution of the ratio of the mean square
//! successive difference to the variance", Ann. Math. Statist. 12, 1941).

use super::{CERTAIN, Line, Samples};
use crate::evidence::norm;
use crate::random;

/// Samples of one window.
pub(super) const POINTS: usize = 40;
/// Highest power fitted.
const DEGREES: usize = 11;
/// Mean square difference of neighbouring residuals over their variance: 2 for white noise.
const WHITE: f64 = 1.4;
/// Deviations within which a coefficient is taken for noise.
const SILENT: f64 = 3.0;

/// A slope at the state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    pub(super) value: f64,
    /// Of noise and truncation.
    pub(super) bound: f64,
    /// What a kink at the state could add that the noise hides.
    pub(super) hidden: f64,
}

/// Columns that are orthonormal over the sampled places: powers, one after another.
pub(super) struct Basis {
    columns: Vec<Vec<f64>>,
    /// Share of the slope at 0 that a unit of each column has.
    slopes: Vec<f64>,
}

impl Basis {
    /// Of the powers of `places` up to `degree`.
    pub(super) fn powers(places: &[f64], degree: usize) -> Basis {
        let mut basis = Basis { columns: Vec::new(), slopes: Vec::new() };
        for power in 0..=degree {
            let column: Vec<f64> = places.iter().map(|t| t.powi(power as i32)).collect();
            let (column, shares, size) = basis.without(power, column);
            // The column's own slope at 0 is that of the power, less its earlier parts.
            let taken: f64 = shares.iter().zip(&basis.slopes).map(|(s, slope)| s * slope).sum();
            let slope = (f64::from(u8::from(power == 1)) - taken) / size;
            basis.columns.push(column.iter().map(|c| c / size).collect());
            basis.slopes.push(slope);
        }
        basis
    }

    /// What is left of `values` after the first columns are taken out, their shares, and its size.
    fn without(&self, columns: usize, mut values: Vec<f64>) -> (Vec<f64>, Vec<f64>, f64) {
        let mut shares = vec![0.0; columns];
        // Twice: once leaves rounding behind.
        for _ in 0..2 {
            for (column, share) in self.columns.iter().zip(&mut shares) {
                let part = dot(column, &values);
                *share += part;
                values.iter_mut().zip(column).for_each(|(v, c)| *v -= part * c);
            }
        }
        let size = dot(&values, &values).sqrt();
        (values, shares, size)
    }

    /// What the best polynomial of a degree leaves of `values`: its deviation.
    pub(super) fn deviation(&self, degree: usize, values: &[f64]) -> f64 {
        let (rest, _, _) = self.without(degree + 1, values.to_vec());
        norm(rest.iter().copied()) / ((values.len() - degree - 1) as f64).sqrt()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Slopes of all outputs of `line` from samples up to `width` to both sides. `None` for an output
/// that is no polynomial with rounding on it there, and for all where the forward is not finite.
///
/// `known` is the noise that each output has elsewhere near the state. Samples that scatter less
/// are on one stair of it, or on a coordinate that it does not reach; which of them is not known.
pub(super) fn fit(line: &mut dyn Line, width: f64, known: &[f64]) -> Vec<Option<Fit>> {
    // Denser at the ends, where a polynomial needs it, and irregular, so that the grid of a
    // rounded value is not met alike everywhere.
    let steps = (0..POINTS).map(|k| {
        let part = (k as f64 + 0.1 + 0.8 * random::unit(0x6669_7421, k as u64)) / POINTS as f64;
        -width * (std::f64::consts::PI * part).cos()
    });
    let outputs = line.outputs();
    let Some(Samples { taken, rows, floors }) = Samples::take(line, steps) else {
        return vec![None; outputs];
    };
    let places: Vec<f64> = taken.into_iter().map(|taken| taken / width).collect();
    if places.windows(2).any(|pair| pair[0] >= pair[1]) {
        // Narrower than the scalar type can step.
        return vec![None; outputs];
    }
    let basis = Basis::powers(&places, DEGREES);
    let kink = places.iter().map(|t| t.abs()).collect::<Vec<f64>>();
    rows.iter()
        .zip(floors.iter().zip(known))
        .map(|(row, (floor, known))| slope(&basis, &kink, row, known.max(0.3 * floor), width))
        .collect()
}

/// The slope at 0 of the lowest polynomial that leaves nothing but noise.
fn slope(basis: &Basis, kink: &[f64], row: &[f64], least: f64, width: f64) -> Option<Fit> {
    let shares: Vec<f64> = basis.columns.iter().map(|column| dot(column, row)).collect();
    let mut rest = row.to_vec();
    let take = |k: usize, rest: &mut Vec<f64>| {
        rest.iter_mut().zip(&basis.columns[k]).for_each(|(r, c)| *r -= shares[k] * c);
    };
    (0..=2).for_each(|k| take(k, &mut rest));
    for low in (2..=DEGREES - 2).step_by(2) {
        let high = low + 2;
        (low + 1..=high).for_each(|k| take(k, &mut rest));
        let squares = dot(&rest, &rest);
        let scatter = (squares / (POINTS - high - 1) as f64).sqrt();
        let noise = scatter.max(least);
        let silent = shares[low + 1..=high].iter().all(|share| share.abs() <= SILENT * noise);
        let steps: f64 = rest.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        // What is below the noise that must be there need not look like it.
        let white = steps >= WHITE * squares || scatter <= 0.3 * least;
        if !silent || !white {
            continue;
        }
        let value: f64 = (0..=high).map(|k| shares[k] * basis.slopes[k]).sum();
        let further: f64 = (low + 1..=high).map(|k| shares[k] * basis.slopes[k]).sum();
        let error = noise * (0..=high).map(|k| basis.slopes[k].powi(2)).sum::<f64>().sqrt();
        // The same with a kink at 0.
        let mut bent = kink.to_vec();
        for column in &basis.columns[..=high] {
            let part = dot(column, &bent);
            bent.iter_mut().zip(column).for_each(|(b, c)| *b -= part * c);
        }
        let size = dot(&bent, &bent).sqrt();
        let hidden = (dot(&bent, row) / size).abs() / size + SILENT * noise / size;
        let bound = CERTAIN * error + further.abs();
        return Some(Fit { value: value / width, bound: bound / width, hidden: hidden / width });
    }
    None
}
