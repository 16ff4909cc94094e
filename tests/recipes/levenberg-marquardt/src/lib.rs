//! A `levenberg-marquardt` problem: its Jacobian, residuals by parameters, is checked against its
//! residuals. The parameters are a field of the problem, which `wrt = self.parameters` names.
use levenberg_marquardt::LeastSquaresProblem;
use nalgebra::storage::Owned;
use nalgebra::{DVector, Dyn, Matrix, OMatrix, U3, Vector3};

/// Fits `a exp(-b t) + c`.
#[derive(Clone, Debug)]
pub struct Decay {
    /// a, b and c.
    pub parameters: Vector3<f64>,
    /// When it was measured.
    pub times: DVector<f64>,
    /// What was measured.
    pub values: DVector<f64>,
}

#[cfg_attr(test, gradcheck_runtime::gradcheck)]
impl LeastSquaresProblem<f64, Dyn, U3> for Decay {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, U3>;
    type ParameterStorage = Owned<f64, U3>;

    fn set_params(&mut self, parameters: &Vector3<f64>) {
        self.parameters = *parameters;
    }

    fn params(&self) -> Vector3<f64> {
        self.parameters
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let [a, b, c] = self.parameters.into();
        Some(self.times.map(|t| a * (-b * t).exp() + c) - &self.values)
    }

    #[cfg_attr(test, gradcheck_runtime::gradcheck(
        dims(n in 1..=6),
        self in decay(n),
        wrt = self.parameters,
        forward = self.residuals(),
    ))]
    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, U3>> {
        let [a, b, _] = self.parameters.into();
        Some(Matrix::from_fn_generic(Dyn(self.times.len()), U3, |i, j| {
            let t = self.times[i];
            [(-b * t).exp(), -a * t * (-b * t).exp(), 1.0][j]
        }))
    }
}

/// The derivatives with a bug: an inner one is missing.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    dims(n in 1..=6),
    problem in decay(n),
    wrt = problem.parameters,
    forward = problem.residuals(),
    should_panic(expected = "the gradient is wrong"),
))]
pub fn without_the_inner(problem: &Decay) -> Option<OMatrix<f64, Dyn, U3>> {
    let mut jacobian = problem.jacobian()?;
    for i in 0..problem.times.len() {
        jacobian[(i, 1)] /= problem.times[i];
    }
    Some(jacobian)
}

/// Problems of `n` measurements.
#[cfg(test)]
fn decay(n: usize) -> impl gradcheck_runtime::proptest::strategy::Strategy<Value = Decay> {
    use gradcheck_runtime::proptest::strategy::Strategy as _;
    use gradcheck_runtime::strategy::{ToContainer as _, normal, uniform};
    (uniform(3, 0.2..2.0).to(), uniform(n, 0.1..3.0).to(), normal(n).to())
        .prop_map(|(parameters, times, values)| Decay { parameters, times, values })
}
