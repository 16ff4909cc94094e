//! `ndarray` with `Var` elements: the forwards that users write.
use std::ops::{AddAssign, MulAssign};

use gradcheck_runtime::var::{Tape, Var};
use ndarray::{Array1, Array2, ArrayView1, Axis, ScalarOperand, Slice, Zip, array, concatenate};
use num_traits::{Float, FromPrimitive};

/// Gradient of `f` with respect to the elements of `x`, in `x`'s shape.
fn gradient(f: impl Fn(&Array2<Var>) -> Var, x: &Array2<f64>) -> (f64, Array2<f64>) {
    Tape::reset();
    let variables = x.mapv(Var::variable);
    let y = f(&variables);
    let sweep = Tape::sweep(&[(y.tape_id().expect("a result that depends on x"), 1.0)]);
    let gradient = Array2::from_shape_vec(x.raw_dim(), sweep.gradient).unwrap();
    (y.value(), gradient)
}

fn close(a: &Array2<f64>, b: &Array2<f64>) {
    assert_eq!(a.shape(), b.shape());
    let difference = (a - b).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
    assert!(difference < 1e-14, "{a} and {b} differ by {difference:e}");
}

fn x() -> Array2<f64> {
    array![[0.5, -1.25, 2.0], [1.5, 0.25, -0.75]]
}

#[test]
fn products_of_matrices() {
    let b = array![[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0]];
    let var = b.mapv(Var::from);
    let (value, of_a) = gradient(|a| a.dot(&var).sum(), &x());
    assert_eq!(value, x().dot(&b).sum());
    close(&of_a, &array![[3.0, -0.5, 1.0], [3.0, -0.5, 1.0]]);
    // Both sides: the gradient of the sum of squares of A A^T is 4 A A^T A.
    let (_, both) = gradient(|a| a.dot(&a.t()).mapv(|x| x * x).sum(), &x());
    close(&both, &(x().dot(&x().t()).dot(&x()) * 4.0));
    let weights = array![2.0, 3.0].mapv(Var::from);
    let (_, vector) = gradient(|a| a.dot(&var.column(0)).dot(&weights), &x());
    close(&vector, &array![[2.0, -2.0, 6.0], [3.0, -3.0, 9.0]]);
    // Large enough for every blocked path.
    let large = Array2::from_shape_fn((33, 41), |(i, j)| ((i * 7 + j * 5) % 13) as f64 - 6.0);
    let (_, of_large) = gradient(|a| a.dot(&a.t()).sum(), &large);
    let columns = large.sum_axis(Axis(0)) * 2.0;
    close(&of_large, &columns.broadcast((33, 41)).unwrap().to_owned());
}

#[test]
fn elementwise_and_broadcast() {
    let row: Array1<Var> = array![1.0, 2.0, 4.0].mapv(Var::from);
    let x = x();
    let n = 6.0;
    let cases: [(fn(&Array2<Var>, &Array1<Var>) -> Var, Array2<f64>); 8] = [
        (|a, r| (a + r).sum(), Array2::ones((2, 3))),
        (|a, r| (r - a).sum(), -Array2::<f64>::ones((2, 3))),
        (|a, r| (a * r).sum(), array![[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]),
        (|a, r| (a / r).sum(), array![[1.0, 0.5, 0.25], [1.0, 0.5, 0.25]]),
        (|a, _| a.mapv(|x| x * x).mean().unwrap(), &x * 2.0 / n),
        (|a, _| a.mapv(Float::exp).sum_axis(Axis(0)).sum(), x.mapv(f64::exp)),
        (|a, _| a.mean_axis(Axis(1)).unwrap().sum(), Array2::ones((2, 3)) / 3.0),
        (|a, _| a.product(), x.mapv(|e| x.product() / e)),
    ];
    for (f, expected) in cases {
        let (_, found) = gradient(|a| f(a, &row), &x);
        close(&found, &expected);
    }
}

#[test]
fn scalars_on_either_side() {
    let x = x();
    let two = Var::from(2.0);
    let cases: [(fn(&Array2<Var>, Var) -> Array2<Var>, Array2<f64>); 12] = [
        (|a, _| a * 2.0, Array2::from_elem((2, 3), 2.0)),
        (|a, v| a * v, Array2::from_elem((2, 3), 2.0)),
        (|a, v| v * a, Array2::from_elem((2, 3), 2.0)),
        (|a, v| v * a.clone(), Array2::from_elem((2, 3), 2.0)),
        (|a, v| v * &a.view(), Array2::from_elem((2, 3), 2.0)),
        (|a, v| v - a, Array2::from_elem((2, 3), -1.0)),
        (|a, v| v / a, x.mapv(|x| -2.0 / (x * x))),
        (|a, v| v + a, Array2::ones((2, 3))),
        (|a, v| a.clone() / v, Array2::from_elem((2, 3), 0.5)),
        (|a, _| a - 1.0, Array2::ones((2, 3))),
        (|a, _| -a, -Array2::<f64>::ones((2, 3))),
        (|a, _| a % 0.3, Array2::ones((2, 3))),
    ];
    for (f, expected) in cases {
        let (_, found) = gradient(|a| f(a, two).sum(), &x);
        close(&found, &expected);
    }
}

#[test]
fn in_place_and_mixed_with_f64() {
    let x = x();
    let weights = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let (_, found) = gradient(
        |a| {
            let mut b = a.clone();
            b *= Var::from(3.0);
            b += &(a * &weights);
            b -= Var::from(1.0);
            b /= Var::from(2.0);
            b = b + &weights;
            (&weights * b).sum()
        },
        &x,
    );
    close(&found, &((&weights + 3.0) / 2.0 * &weights));
}

#[test]
fn zip_slices_and_concatenation() {
    let x = x();
    let (value, found) = gradient(
        |a| {
            let mut out = Array2::<Var>::zeros((2, 2));
            Zip::from(&mut out)
                .and(a.slice_axis(Axis(1), Slice::from(..2)))
                .and(a.slice_axis(Axis(1), Slice::from(1..)))
                .for_each(|o, &l, &r| *o = l * r);
            let stacked = concatenate![Axis(0), out, out];
            stacked.iter().copied().sum()
        },
        &x,
    );
    assert_eq!(value, 2.0 * (0.5 * -1.25 + -1.25 * 2.0 + 1.5 * 0.25 + 0.25 * -0.75));
    close(&found, &(2.0 * array![[-1.25, 2.5, -1.25], [0.25, 0.75, 0.25]]));
}

#[test]
fn statistics() {
    let x = x();
    let (_, found) = gradient(|a| a.var(Var::from(0.0)), &x);
    close(&found, &((&x - x.mean().unwrap()) * 2.0 / 6.0));
    let (_, found) = gradient(|a| a.std_axis(Axis(1), Var::from(1.0)).sum(), &x);
    let centred = &x - &x.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
    let spread = x.std_axis(Axis(1), 1.0).insert_axis(Axis(1));
    close(&found, &(centred / spread / 2.0));
}

/// The scalar of a user's forward.
trait Real: Float + FromPrimitive + ScalarOperand + AddAssign + MulAssign {}
impl<T: Float + FromPrimitive + ScalarOperand + AddAssign + MulAssign> Real for T {}

fn log_sum_exp<F: Real>(x: ArrayView1<'_, F>) -> F {
    let max = x.fold(F::neg_infinity(), |a, &b| a.max(b));
    max + x.mapv(|x| (x - max).exp()).sum().ln()
}

/// Mean cross-entropy of a softmax, with labels 2 and 0.
fn cross_entropy<F: Real>(x: &Array2<F>) -> F {
    let mut sum = F::zero();
    for (row, label) in x.rows().into_iter().zip([2, 0]) {
        sum += log_sum_exp(row) - row[label];
    }
    sum / F::from(x.nrows()).unwrap()
}

#[test]
fn a_loss_as_users_write_it() {
    let x = x();
    let (value, found) = gradient(cross_entropy, &x);
    assert_eq!(value, cross_entropy(&x));
    let e = x.mapv(f64::exp);
    let mut expected = &e / &e.sum_axis(Axis(1)).insert_axis(Axis(1));
    expected[[0, 2]] -= 1.0;
    expected[[1, 0]] -= 1.0;
    close(&found, &(expected / 2.0));
    assert!(Tape::counts().is_clear(), "{:?}", Tape::notes());
}
