//! An `argmin` problem: its `Gradient` is checked against its `CostFunction`.
//!
//! The attribute stands on the trait's method, with a bare one on the impl block. `Result`s are
//! unwrapped.
use argmin::core::{CostFunction, Error, Gradient};

/// Rosenbrock's function of any number of parameters.
#[derive(Clone, Debug)]
pub struct Rosenbrock {
    /// Weight of the valley.
    pub b: f64,
}

impl CostFunction for Rosenbrock {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        let valley = x.windows(2).map(|p| {
            let off = p[1] - p[0] * p[0];
            self.b * off * off + (1.0 - p[0]) * (1.0 - p[0])
        });
        Ok(valley.sum())
    }
}

#[cfg_attr(test, gradcheck_runtime::gradcheck)]
impl Gradient for Rosenbrock {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    #[cfg_attr(test, gradcheck_runtime::gradcheck(
        dims(n in 2..=5),
        self in (1.0..100.0).prop_map(|b| Rosenbrock { b }),
        x in vec(n),
        wrt = x,
        forward = self.cost(&x),
    ))]
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let mut gradient = vec![0.0; x.len()];
        for i in 1..x.len() {
            let off = x[i] - x[i - 1] * x[i - 1];
            gradient[i] += 2.0 * self.b * off;
            gradient[i - 1] -= 4.0 * self.b * off * x[i - 1] + 2.0 * (1.0 - x[i - 1]);
        }
        Ok(gradient)
    }
}

/// The same with a bug: the neighbour's term overwrites in place of being added.
#[derive(Clone, Debug)]
pub struct Overwriting(pub Rosenbrock);

#[cfg_attr(test, gradcheck_runtime::gradcheck)]
impl Gradient for Overwriting {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    #[cfg_attr(test, gradcheck_runtime::gradcheck(
        dims(n in 2..=5),
        self in (1.0..100.0).prop_map(|b| Overwriting(Rosenbrock { b })),
        x in vec(n),
        wrt = x,
        forward = self.0.cost(&x),
        should_panic(expected = "the gradient is wrong"),
    ))]
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let mut gradient = vec![0.0; x.len()];
        for i in 1..x.len() {
            let off = x[i] - x[i - 1] * x[i - 1];
            gradient[i] = 2.0 * self.0.b * off;
            gradient[i - 1] = -4.0 * self.0.b * off * x[i - 1] - 2.0 * (1.0 - x[i - 1]);
        }
        Ok(gradient)
    }
}
