//! An operation with a backward of one's own for `burn`'s autodiff, checked on the CPU backend.
//!
//! The gradient is had as a user of the operation has it, from a backward pass through a graph that
//! holds it. Tensors are in `f64`, where a check sees the most.
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_backend::Backend;
use burn_backend::tensor::FloatTensor;

/// `x / sqrt(1 + x^2)`, an activation. Its derivative is `(1 + x^2)^(-3/2)`; with `BUG` the root is
/// left out.
#[derive(Debug)]
pub struct Squash<const BUG: bool>;

impl<B: Backend, const BUG: bool> Backward<B, 1> for Squash<BUG> {
    /// The input.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let x = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            let inside = one_and_square::<B>(x);
            let power = if BUG { inside.clone() } else { B::float_sqrt(inside.clone()) };
            B::float_div(grad, B::float_mul(inside, power))
        });
    }
}

fn one_and_square<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_mul(x.clone(), x), 1.0.into())
}

/// The activation of a tensor on any backend.
pub fn squash<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_div(x.clone(), B::float_sqrt(one_and_square::<B>(x)))
}

impl<const BUG: bool> Squash<BUG> {
    /// The activation in a graph.
    pub fn apply<B: Backend, C: CheckpointStrategy>(
        self,
        x: FloatTensor<Autodiff<B, C>>,
    ) -> FloatTensor<Autodiff<B, C>> {
        let (x, node) = x.into_parts();
        match self.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), squash::<B>(x)),
            OpsKind::UnTracked(prep) => prep.finish(squash::<B>(x)),
        }
    }
}

#[cfg(test)]
#[allow(deprecated, reason = "burn-ndarray has a successor, and builds in the least time")]
mod tests {
    use burn_autodiff::checkpoint::strategy::NoCheckpointing;
    use burn_backend::ops::FloatTensorOps;
    use burn_backend::{AutodiffBackend, TensorData, read_sync};
    use burn_ndarray::NdArray;
    use gradcheck_runtime::gradcheck;

    use super::*;

    type Graph = Autodiff<NdArray>;

    fn tensor<B: Backend>(values: &[f64]) -> FloatTensor<B> {
        B::float_from_data(TensorData::from(values), &Default::default())
    }

    fn values<B: Backend>(tensor: FloatTensor<B>) -> Vec<f64> {
        read_sync(B::float_into_data(tensor)).unwrap().try_to_vec().unwrap()
    }

    /// What a backward pass leaves at `x`, the operation's output having been weighted by `c`.
    fn pulled_back<const BUG: bool>(x: &[f64], c: &[f64]) -> Vec<f64> {
        let x = Graph::float_set_require_grad(tensor::<Graph>(x), true);
        let weighted = Graph::float_mul(
            Squash::<BUG>.apply::<NdArray, NoCheckpointing>(x.clone()),
            tensor::<Graph>(c),
        );
        let grads = Graph::backward(Graph::float_sum(weighted));
        values::<NdArray>(Graph::grad(&x, &grads).expect("x is tracked"))
    }

    #[gradcheck(
        dims(n in 1..=5),
        x in vec(n),
        forward = values::<NdArray>(squash::<NdArray>(tensor::<NdArray>(&x))),
        cotangent = c,
    )]
    fn backward(x: &[f64], c: &[f64]) -> Vec<f64> {
        pulled_back::<false>(x, c)
    }

    #[gradcheck(
        dims(n in 1..=5),
        x in vec(n),
        forward = values::<NdArray>(squash::<NdArray>(tensor::<NdArray>(&x))),
        cotangent = c,
        should_panic(expected = "the gradient is wrong"),
    )]
    fn backward_without_the_root(x: &[f64], c: &[f64]) -> Vec<f64> {
        pulled_back::<true>(x, c)
    }
}
