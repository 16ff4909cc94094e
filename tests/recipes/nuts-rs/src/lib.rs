//! A log density for `nuts-rs`: `logp` returns its value and writes its gradient into a buffer,
//! which is what `out(gradient = position)` says.
use std::collections::HashMap;

use nuts_rs::{CpuLogpFunc, CpuMathError, HasDims, LogpError, rand};

/// Measurements with an unknown mean and the logarithm of an unknown deviation.
#[derive(Clone, Debug)]
pub struct Normal {
    /// What was measured.
    pub data: Vec<f64>,
}

/// Nothing can go wrong here.
#[derive(Debug)]
pub enum Never {}

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}
impl std::error::Error for Never {}
impl LogpError for Never {
    fn is_recoverable(&self) -> bool {
        match *self {}
    }
}

impl HasDims for Normal {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), 2)])
    }
}

#[cfg_attr(test, gradcheck_runtime::gradcheck)]
impl CpuLogpFunc for Normal {
    type LogpError = Never;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        2
    }

    #[cfg_attr(test, gradcheck_runtime::gradcheck(
        dims(n in 1..=5),
        self in vec(n).prop_map(|data| Normal { data }),
        position in vec(2),
        out(gradient = position),
    ))]
    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, Never> {
        let (mean, scale) = (position[0], (-2.0 * position[1]).exp());
        let off: f64 = self.data.iter().map(|y| y - mean).sum();
        let squares: f64 = self.data.iter().map(|y| (y - mean) * (y - mean)).sum();
        gradient[0] = scale * off;
        gradient[1] = scale * squares - self.data.len() as f64;
        Ok(-0.5 * scale * squares - self.data.len() as f64 * position[1])
    }

    fn expand_vector<R: rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        position: &[f64],
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(position.to_vec())
    }
}

/// The same with a bug: the deviation's own term is left out, as is easily done with a change of
/// variables.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    dims(n in 1..=5),
    data in vec(n),
    position in vec(2),
    wrt = position,
    out(gradient = position),
    should_panic(expected = "the gradient is wrong"),
))]
pub fn without_the_jacobian(
    data: &[f64],
    position: &[f64],
    gradient: &mut [f64],
) -> Result<f64, Never> {
    let value = Normal { data: data.to_vec() }.logp(position, gradient)?;
    gradient[1] += data.len() as f64;
    Ok(value)
}
