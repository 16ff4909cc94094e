//! An operation of one's own for `candle`, whose `bwd` is checked against its `cpu_fwd`.
//!
//! Tensors share their storage, and are made anew of a drawn `Vec` for each forward; in `f64`,
//! where a check sees the most.
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

/// `x sigmoid(beta x)`
#[derive(Clone, Debug)]
pub struct Swish {
    /// Steepness.
    pub beta: f64,
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

#[cfg_attr(test, gradcheck_runtime::gradcheck)]
impl CustomOp1 for Swish {
    fn name(&self) -> &'static str {
        "swish"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("not contiguous") };
        let CpuStorage::F64(values) = storage else { bail!("not of f64") };
        let swish = |x: &f64| x / (1.0 + (-self.beta * x).exp());
        Ok((
            CpuStorage::F64(values[start..end].iter().map(swish).collect()),
            layout.shape().clone(),
        ))
    }

    #[cfg_attr(test, gradcheck_runtime::gradcheck(
        dims(n in 1..=5),
        self in (0.5..2.0).prop_map(|beta| Swish { beta }),
        x in vec(n),
        wrt = x,
        forward = {
            let arg = tensor(&x);
            let res = arg.apply_op1(self.clone()).unwrap();
            values(&res)
        },
        cotangent = c,
        gradient = self.bwd(&arg, &res, &tensor(&c)).map(|g| values(&g.expect("a gradient"))),
    ))]
    fn bwd(&self, arg: &Tensor, res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let s = sigmoid(&(arg * self.beta)?)?;
        let slope = (&s + ((res * self.beta)? * (1.0 - &s)?)?)?;
        Ok(Some((grad_res * slope)?))
    }
}

/// The same with a bug: an inner derivative is left out, which is right where beta is 1.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    dims(n in 1..=5),
    op in (0.5..2.0).prop_map(|beta| Swish { beta }),
    x in vec(n),
    wrt = x,
    forward = {
        let arg = tensor(&x);
        let res = arg.apply_op1(op.clone()).unwrap();
        values(&res)
    },
    cotangent = c,
    gradient = without_beta(&op, &arg, &res, &tensor(&c)).map(|g| values(&g)),
    should_panic(expected = "the gradient is wrong"),
))]
pub fn without_beta(op: &Swish, arg: &Tensor, res: &Tensor, grad_res: &Tensor) -> Result<Tensor> {
    let s = sigmoid(&(arg * op.beta)?)?;
    let slope = (&s + (res * (1.0 - &s)?)?)?;
    grad_res * slope
}

/// A vector as a tensor.
pub fn tensor(values: &[f64]) -> Tensor {
    Tensor::new(values, &candle_core::Device::Cpu).expect("a tensor of some numbers")
}

/// And back.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    assert_eq!(tensor.dtype(), DType::F64);
    tensor.to_vec1().expect("a vector")
}
