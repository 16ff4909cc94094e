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
