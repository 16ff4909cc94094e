//! The central difference at many steps: how its error falls and rises again with the step.
//!
//! The error of a central difference with step h is about `c h^2` of truncation, `c` a sixth of the
//! third derivative, and `level / h` of noise (Press et al., "Numerical Recipes", section 5.7).
//! Nothing is judged here: the sweep is for people to look at.
use super::{Kernel, Line, estimate_noise};

/// Steps of a sweep in a decade.
const IN_A_DECADE: i32 = 3;

/// Central differences of one output along a line, at steps from its scale down to rounding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweep {
    /// Step and central difference, in the order of the step, smallest first.
    pub(crate) points: Vec<(f64, f64)>,
    /// The best derivative that these steps give, and its error bound.
    pub(crate) best: (f64, f64),
    /// Standard deviation of the forward's noise.
    pub(crate) noise: f64,
}

/// Sweeps output `j` of a line.
pub(crate) fn sweep(line: &mut dyn Line, j: usize) -> Sweep {
    let noise = estimate_noise(line).get(j).copied().unwrap_or_default();
    let mut kernel = Kernel::default();
    let least = 2.0 * line.roundoff() * line.magnitude().max(line.scale());
    let steps = (0..).map(|k| line.scale() * 10.0_f64.powf(-f64::from(k) / f64::from(IN_A_DECADE)));
    let steps: Vec<f64> = steps.take_while(|&step| step > least).collect();
    for step in steps {
        kernel.sample(line, step);
    }
    let best = kernel.read(j, noise).map(|reading| (reading.central.value, reading.central.bound));
    Sweep {
        points: kernel.usable().map(|level| (level.step, level.central(j))).collect(),
        best: best.unwrap_or((f64::NAN, f64::INFINITY)),
        noise: noise.level,
    }
}

impl Sweep {
    /// The error of each difference, against `truth`.
    pub(crate) fn errors(&self, truth: f64) -> Vec<(f64, f64)> {
        self.points.iter().map(|&(step, slope)| (step, (slope - truth).abs())).collect()
    }

    /// The factor `c` of the truncation error `c h^2`, where it stands clear of the noise and
    /// falls with the square of the step over a decade or more.
    pub(crate) fn truncation(&self, truth: f64) -> Option<f64> {
        let errors = self.errors(truth);
        let clear = |&(step, error): &(f64, f64)| error > 10.0 * self.noise / step;
        let mut factors: Vec<f64> = errors
            .windows(2)
            .filter(|pair| pair.iter().all(clear))
            .filter(|pair| {
                let slope = (pair[1].1 / pair[0].1).ln() / (pair[1].0 / pair[0].0).ln();
                (1.5..2.5).contains(&slope)
            })
            .map(|pair| pair[0].1 / (pair[0].0 * pair[0].0))
            .collect();
        if factors.len() < IN_A_DECADE as usize {
            return None;
        }
        let half = factors.len() / 2;
        Some(*factors.select_nth_unstable_by(half, f64::total_cmp).1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Around;
    use super::*;

    #[test]
    fn truncation_is_a_sixth_of_the_third_derivative() {
        let swept = sweep(&mut Around(|x: f64| 5.0 * x.powi(3), 0.7), 0);
        let slope = 15.0 * 0.49;
        assert!((swept.best.0 - slope).abs() <= swept.best.1 && swept.best.1 < 1e-9, "{swept:?}");
        let c = swept.truncation(slope).expect("a cubic has one");
        assert!((c - 5.0).abs() < 0.05, "{c}");
        // The errors themselves: falling with the step, then rising again as the noise over h.
        let errors = swept.errors(slope);
        let at = |h: f64| errors.iter().filter(|(s, _)| (0.4..2.5).contains(&(s / h))).count();
        assert!(at(1e-15) > 0 && at(1.0) > 0, "{errors:?}");
        let least = errors.iter().map(|e| e.1).fold(f64::INFINITY, f64::min);
        assert!(errors[0].1 > 1e3 * least && errors[errors.len() - 1].1 > 1e3 * least);
    }

    #[test]
    fn a_kink_and_a_parabola_have_none() {
        let kink = sweep(&mut Around(|x: f64| (x - 0.7).abs() + x, 0.7 + 1e-3), 0);
        assert_eq!(kink.truncation(2.0), None, "{:?}", kink.errors(2.0));
        let parabola = sweep(&mut Around(|x: f64| x * x, 0.7), 0);
        assert_eq!(parabola.truncation(1.4), None, "{:?}", parabola.errors(1.4));
    }

    #[test]
    fn steps_outside_the_domain_are_left_out() {
        let swept = sweep(&mut Around(f64::ln, 0.1), 0);
        assert!(swept.points.iter().all(|(step, slope)| *step < 0.1 && slope.is_finite()));
        assert!((swept.best.0 - 10.0).abs() <= swept.best.1.max(1e-12), "{swept:?}");
    }

    #[test]
    fn the_narrowest_step_is_one_that_the_parameters_can_take() {
        let swept = sweep(&mut Around(|x: f64| x, 1e6), 0);
        // Twice the unit of rounding of a million.
        let least = 2.0 * 1.1e-16 * 1e6;
        assert!(swept.points[0].0 > least && swept.points[0].0 < 3.0 * least, "{swept:?}");
    }

    #[test]
    fn truncation_is_the_median_of_what_stands_clear_of_the_noise() {
        let of = |factors: &[f64], noise: f64| {
            let step = |k: usize| 10.0_f64.powf(k as f64 / f64::from(IN_A_DECADE)) * 1e-3;
            let points = factors.iter().enumerate().map(|(k, c)| (step(k), c * step(k) * step(k)));
            Sweep { points: points.collect(), best: (0.0, 0.0), noise }.truncation(0.0)
        };
        // One factor for each pair: a decade is three, and two are too few.
        assert_eq!(of(&[1.0; 3], 0.0), None);
        let c = of(&[1.0; 4], 0.0).expect("a decade");
        assert!((c - 1.0).abs() < 1e-9);
        let c = of(&[1.2, 1.0, 1.3, 1.1, 0.9, 0.9], 0.0).expect("more than a decade");
        assert!((c - 1.1).abs() < 1e-9, "{c}");
        // Errors of ten times the noise over the step are clear of it, smaller ones are not: here
        // the first four have other factors, and are not.
        let c = of(&[0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0], 1e-8).expect("a decade");
        assert!((c - 1.0).abs() < 1e-9, "{c}");
    }
}
