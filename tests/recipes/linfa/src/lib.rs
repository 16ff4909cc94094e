//! An estimator of one's own for `linfa`, whose gradient is checked with `linfa`'s own `ndarray`,
//! 0.16.
use linfa::Dataset;
use linfa::traits::Fit;
use ndarray::{Array1, ArrayView1, ArrayView2, Ix1};

/// Poisson regression with an L2 penalty.
#[derive(Clone, Debug)]
pub struct Poisson {
    /// Weight of the penalty.
    pub alpha: f64,
    /// Steps of descent.
    pub steps: usize,
    /// Length of a step.
    pub rate: f64,
}

/// Mean negative log likelihood of the counts `y` at the rates `exp(x w)`, and the penalty.
pub fn cost(x: ArrayView2<f64>, y: ArrayView1<f64>, w: &Array1<f64>, alpha: f64) -> f64 {
    let z = x.dot(w);
    (z.mapv(f64::exp).sum() - z.dot(&y)) / y.len() as f64 + 0.5 * alpha * w.dot(w)
}

/// Of the cost, with respect to `w`.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    dims(m in 1..=6, n in 1..=4),
    x in normal([m, n]),
    y in labels(m),
    w in normal(n),
    alpha in 0.0..2.0,
    wrt = w,
    forward = cost,
))]
pub fn gradient(
    x: ArrayView2<f64>,
    y: ArrayView1<f64>,
    w: &Array1<f64>,
    alpha: f64,
) -> Array1<f64> {
    x.t().dot(&(x.dot(w).mapv(f64::exp) - y)) / y.len() as f64 + alpha * w
}

/// The gradient with a bug: it forgets the penalty.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    dims(m in 1..=6, n in 1..=4),
    x in normal([m, n]),
    y in labels(m),
    w in normal(n),
    alpha in 0.5..2.0,
    wrt = w,
    forward = cost,
    should_panic(expected = "the gradient is wrong"),
))]
pub fn without_the_penalty(
    x: ArrayView2<f64>,
    y: ArrayView1<f64>,
    w: &Array1<f64>,
    alpha: f64,
) -> Array1<f64> {
    gradient(x, y, w, alpha) - alpha * w
}

impl Fit<ndarray::Array2<f64>, Array1<f64>, linfa::Error> for Poisson {
    type Object = Array1<f64>;

    fn fit(&self, data: &Dataset<f64, f64, Ix1>) -> Result<Array1<f64>, linfa::Error> {
        let (x, y) = (data.records().view(), data.targets().view());
        let mut w = Array1::zeros(x.ncols());
        for _ in 0..self.steps {
            w.scaled_add(-self.rate, &gradient(x, y, &w, self.alpha));
        }
        Ok(w)
    }
}
