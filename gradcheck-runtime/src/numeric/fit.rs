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
        let rest = self.rest(degree, values);
        norm(rest.iter().copied()) / ((values.len() - degree - 1) as f64).sqrt()
    }

    /// What the best polynomial of a degree leaves of `values`.
    pub(super) fn rest(&self, degree: usize, values: &[f64]) -> Vec<f64> {
        self.without(degree + 1, values.to_vec()).0
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

#[cfg(test)]
mod tests {
    use super::super::tests::Around;
    use super::*;

    fn places(count: usize) -> Vec<f64> {
        (0..count)
            .map(|k| -(std::f64::consts::PI * (k as f64 + 0.5) / count as f64).cos())
            .collect()
    }

    #[test]
    fn the_columns_are_orthonormal_and_know_their_slope() {
        let places = places(POINTS);
        let basis = Basis::powers(&places, DEGREES);
        assert_eq!(basis.columns.len(), DEGREES + 1);
        for (k, a) in basis.columns.iter().enumerate() {
            for (l, b) in basis.columns.iter().enumerate() {
                let expected = f64::from(u8::from(k == l));
                assert!((dot(a, b) - expected).abs() < 1e-12, "{k} {l}");
            }
        }
        // A polynomial is its shares of the columns, and its slope at 0 theirs.
        let coefficients: Vec<f64> =
            (0..=DEGREES).map(|k| random::signed_magnitude(3, k as u64)).collect();
        let value = |t: f64| coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c);
        let row: Vec<f64> = places.iter().map(|&t| value(t)).collect();
        let shares = basis.columns.iter().map(|column| dot(column, &row));
        let slope: f64 = shares.zip(&basis.slopes).map(|(share, slope)| share * slope).sum();
        assert!((slope - coefficients[1]).abs() < 1e-9, "{slope} is not {}", coefficients[1]);
        // Nothing is left of it beyond its degree, and its last power short of it.
        let size = norm(row.iter().copied());
        assert!(basis.deviation(DEGREES, &row) < 1e-12 * size);
        assert!(basis.deviation(DEGREES - 1, &row) > 1e-6 * size);
    }

    #[test]
    fn a_deviation_is_that_of_the_noise() {
        let places = places(POINTS);
        let basis = Basis::powers(&places, 5);
        let mut squares = 0.0;
        for seed in 0..400 {
            let noise = |k: usize| random::unit(seed, k as u64) - 0.5;
            let row: Vec<f64> =
                places.iter().enumerate().map(|(k, t)| 3.0 + t - 2.0 * t * t + noise(k)).collect();
            squares += basis.deviation(2, &row).powi(2) / 400.0;
        }
        // A twelfth, the variance of what is uniform, whatever the polynomial takes up.
        assert!((squares * 12.0 - 1.0).abs() < 0.05, "{squares}");
    }

    #[test]
    fn a_fit_finds_the_slope_beneath_the_noise() {
        let (mut found, mut bounds, mut errors) = (0, 0.0, 0.0);
        for seed in 0..200 {
            let noise = move |x: f64| 1e-4 * (random::unit(seed, x.to_bits()) - 0.5);
            let mut line = Around(move |x: f64| (2.0 * x).sin() + noise(x), 0.3);
            let Some(fit) = fit(&mut line, 0.5, &[0.0])[0] else { continue };
            let error = (fit.value - 2.0 * 0.6_f64.cos()).abs();
            assert!(error <= fit.bound, "{seed}: {fit:?} is off by {error}");
            found += 1;
            bounds += fit.bound;
            errors += error;
        }
        assert!(found >= 190, "{found}");
        // Six deviations beside an average error of 0.8 of one.
        assert!((4.0..14.0).contains(&(bounds / errors)), "{}", bounds / errors);
        // Far better than one difference of so noisy values at the same width.
        assert!(errors / f64::from(found) < 1e-4, "{errors}");
    }

    #[test]
    fn the_width_is_that_of_the_window() {
        for width in [1e-3, 0.1, 1.0] {
            let noise = |x: f64| 1e-9 * (random::unit(2, x.to_bits()) - 0.5);
            let fit =
                fit(&mut Around(move |x: f64| 3.0 * x + x * x + noise(x), 0.5), width, &[0.0])[0];
            let fit = fit.expect("a parabola and noise");
            assert!((fit.value - 4.0).abs() <= fit.bound, "{width}: {fit:?}");
            assert!((1e-9..1e-7).contains(&(fit.bound * width)), "{width}: {fit:?}");
        }
    }

    #[test]
    fn what_is_no_polynomial_with_noise_on_it_is_not_fitted() {
        let at = |f: fn(f64) -> f64, width: f64| fit(&mut Around(f, 0.5), width, &[0.0])[0];
        // A kink, a wave too short for the powers, the edge of the domain.
        assert_eq!(at(|x| (x - 0.55).abs(), 0.5), None);
        assert_eq!(at(|x| (25.0 * x).sin(), 0.5), None);
        assert_eq!(at(|x| x.ln(), 0.6), None);
        // Steps that the scalar cannot take.
        assert_eq!(at(|x| x, 0.0), None);
        assert!(at(f64::exp, 0.1).is_some());
        // What scatters less than it must is on one stair: noise known of is in the bound.
        let quiet = |known: f64| {
            fit(&mut Around(|x: f64| 2.0 * x, 0.5), 0.1, &[known])[0].expect("a line").bound
        };
        assert!((0.5..2.0).contains(&(quiet(1e-3) / quiet(1e-6) / 1e3)));
        assert!(quiet(1e-3) > 1e-3 && quiet(1e-3) < 1.0, "{}", quiet(1e-3));
    }

    #[test]
    fn a_kink_that_the_noise_hides_is_said() {
        // Noise far above the kink: the slope is that of neither side, by no more than is hidden.
        for seed in 0..100 {
            let noise = move |x: f64| 1e-2 * (random::unit(seed, x.to_bits()) - 0.5);
            let f = move |x: f64| x + 3e-3 * (x - 0.5).abs() + noise(x);
            let Some(fit) = fit(&mut Around(f, 0.5), 0.5, &[0.0])[0] else { continue };
            assert!(3e-3 <= fit.hidden && fit.hidden < 0.5, "{seed}: {fit:?}");
        }
    }

    #[test]
    fn a_deviation_is_per_degree_of_freedom() {
        // Of eight values a parabola takes three up: five are left.
        let places = places(8);
        let basis = Basis::powers(&places, 2);
        let squares: f64 = (0..4000)
            .map(|seed| {
                let row: Vec<f64> = (0..8).map(|k| random::unit(seed, k) - 0.5).collect();
                basis.deviation(2, &row).powi(2) / 4000.0
            })
            .sum();
        assert!((squares * 12.0 - 1.0).abs() < 0.05, "{squares}");
    }

    #[test]
    fn samples_lie_apart_and_in_the_window() {
        struct Asked(Vec<f64>);
        impl Line for Asked {
            fn outputs(&self) -> usize {
                1
            }
            fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
                self.0.push(t);
                (y[0], floor[0]) = (t, 0.0);
                Some(t)
            }
            fn scale(&self) -> f64 {
                1.0
            }
            fn roundoff(&self) -> f64 {
                1e-16
            }
            fn magnitude(&self) -> f64 {
                1.0
            }
        }
        let mut line = Asked(Vec::new());
        fit(&mut line, 0.5, &[0.0]);
        assert_eq!(line.0.len(), POINTS);
        // Seen on a half circle: one in each of as many parts, off their edges by a tenth.
        for (k, t) in line.0.iter().enumerate() {
            let part = (-t / 0.5).acos() / std::f64::consts::PI * POINTS as f64 - k as f64;
            assert!((0.1 - 1e-6..0.9 + 1e-6).contains(&part), "{k}: {part}");
        }
    }

    #[test]
    fn a_fit_has_the_error_that_its_scatter_makes() {
        let places = places(POINTS);
        let basis = Basis::powers(&places, DEGREES);
        let kink: Vec<f64> = places.iter().map(|t| t.abs()).collect();
        let row: Vec<f64> = places
            .iter()
            .enumerate()
            .map(|(k, t)| 3.0 * t + 0.01 * t * t.abs() + random::unit(17, k as u64) - 0.5)
            .collect();
        let width = 0.25;
        for least in [0.0, 2.0] {
            let fit = slope(&basis, &kink, &row, least, width).expect("a line and noise");
            // Powers up to the fourth are taken out, the last two of which must be noise.
            let shares: Vec<f64> = basis.columns.iter().map(|c| dot(c, &row)).collect();
            let part = |from: usize| -> f64 {
                (from..=4).map(|k| shares[k] * basis.slopes[k]).sum::<f64>() / width
            };
            let noise = basis.deviation(4, &row).max(least);
            let error = noise * norm(basis.slopes[..=4].iter().copied()) / width;
            let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} is not {b}");
            close(fit.value, part(0));
            close(fit.bound, CERTAIN * error + part(3).abs());
            // What a kink of one leaves beside these powers is told from noise or it is not.
            let (bent, _, size) = basis.without(5, kink.clone());
            let share = dot(&bent, &row).abs() / size;
            close(fit.hidden, (share + SILENT * noise) / size / width);
        }
    }

    #[test]
    fn a_small_wave_is_no_noise() {
        let wave = |x: f64| 0.01 * (25.0 * x).sin();
        assert_eq!(fit(&mut Around(wave, 0.5), 0.5, &[0.0])[0], None);
        // Unless there must be more than three times as much.
        assert!(fit(&mut Around(wave, 0.5), 0.5, &[0.1])[0].is_some());
    }
}
