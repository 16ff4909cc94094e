//! Matrices, columns, rows and views of faer as parameters, gradients and Jacobians, each form
//! with a twin that is wrong on purpose.
#[path = "../../tests/support/mod.rs"]
mod support;

use faer::{Col, ColRef, Mat, MatRef, Row, mat};
use gradcheck_runtime::flatten::{Flatten, FlattenMut, Scalars, ScalarsMut, Step};
use gradcheck_runtime::flatten::{Visitor, VisitorMut};
use gradcheck_runtime::gradcheck;
use gradcheck_runtime::strategy::FromArray;
use ndarray::array;

use support::fails;

/// Shape and scalars of the only block.
#[derive(Default)]
struct Only(Option<(Vec<usize>, Vec<f64>)>);

impl Visitor for Only {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        let mut values = Vec::new();
        scalars.append_to(&mut values);
        assert!((0..values.len()).all(|i| scalars.get(i) == values[i]));
        assert!(self.0.replace((shape.to_vec(), values)).is_none(), "one block");
    }
}

/// Stores one scalar.
struct Set(usize, f64);

impl VisitorMut for Set {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        scalars.set(self.0, self.1);
        let values: Vec<f64> = (0..scalars.len()).map(|i| scalars.get(i)).collect();
        scalars.set_all(&vec![0.0; values.len()]);
        scalars.set_all(&values);
    }
}

fn block(value: &impl Flatten) -> (Vec<usize>, Vec<f64>) {
    let mut only = Only::default();
    value.flatten(&mut only);
    only.0.expect("a block")
}

#[test]
fn memory_runs_down_the_columns_and_indices_along_the_rows() {
    let mut m = mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    assert_eq!(block(&m), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert_eq!(block(&m.transpose()), (vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    m.flatten_mut(&mut Set(2, 30.0));
    m.as_mut().transpose_mut().flatten_mut(&mut Set(1, 40.0));
    assert_eq!(m, mat![[1.0, 2.0, 30.0], [40.0, 5.0, 6.0]]);
    assert_eq!(block(&m.col(2)), (vec![2], vec![30.0, 6.0]));
    assert_eq!(block(&m.row(1)), (vec![3], vec![40.0, 5.0, 6.0]));
    m.col_mut(1).flatten_mut(&mut Set(1, 50.0));
    m.row_mut(0).flatten_mut(&mut Set(1, 20.0));
    assert_eq!(m, mat![[1.0, 20.0, 30.0], [40.0, 50.0, 6.0]]);
}

#[test]
fn arrays_are_poured_by_their_indices() {
    let m = Mat::from_array(array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(m, mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let (mut column, mut row) = (Col::from_array(array![1.0, 2.0]), Row::from_array(array![3.0]));
    column.flatten_mut(&mut Set(1, 5.0));
    row.flatten_mut(&mut Set(0, 6.0));
    assert_eq!((block(&column), block(&row)), ((vec![2], vec![1.0, 5.0]), (vec![1], vec![6.0])));
}

fn quadratic(a: MatRef<'_, f64>, x: ColRef<'_, f64>) -> f64 {
    0.5 * (x.transpose() * a * x)
}

#[gradcheck(
    dims(n in 1..=4),
    a in normal([n, n]).to::<Mat<f64>>(),
    x in normal(n).to::<Col<f64>>(),
    wrt = (a, x),
    forward = quadratic,
)]
fn quadratic_gradient(a: MatRef<'_, f64>, x: ColRef<'_, f64>) -> (Mat<f64>, Col<f64>) {
    let da = Mat::from_fn(x.nrows(), x.nrows(), |i, j| 0.5 * x[i] * x[j]);
    let both = a * x + a.transpose() * x;
    (da, Col::from_fn(x.nrows(), |i| 0.5 * both[i]))
}

#[gradcheck(
    a in normal([3, 3]).to::<Mat<f64>>(),
    x in normal(3).to::<Col<f64>>(),
    wrt = x,
    forward = quadratic(a.as_ref(), x.as_ref()),
    ignore = "wrong on purpose",
)]
fn taken_for_symmetric(a: &Mat<f64>, x: &Col<f64>) -> Col<f64> {
    a * x
}

fn products(w: &Mat<f64>, x: &Col<f64>) -> Col<f64> {
    w * x
}

#[gradcheck(
    dims(n in 1..=3, m in 1..=3),
    w in normal([m, n]).to(),
    x in normal(n).to(),
    wrt = (w, x),
    forward = products,
    cotangent = dout,
)]
fn products_backward(w: &Mat<f64>, x: &Col<f64>, dout: &Col<f64>) -> (Mat<f64>, Col<f64>) {
    (dout * x.transpose(), w.transpose() * dout)
}

#[gradcheck(
    w in normal([2, 3]).to(),
    x in normal(3).to(),
    forward = products,
    cotangent = dout,
    ignore = "wrong on purpose",
)]
fn one_is_wrong(w: &Mat<f64>, x: &Col<f64>, dout: &Col<f64>) -> Mat<f64> {
    let mut dw = products_backward(w, x, dout).0;
    dw[(1, 0)] *= 1.5;
    dw
}

#[gradcheck(
    dims(n in 1..=4),
    x in normal(n).to(),
    forward = |x: &Col<f64>| Col::from_fn(2, |i| if i == 0 { x.transpose() * x } else { x[0] }),
    out(jacobian = x),
)]
fn into_buffer(x: &Col<f64>, jacobian: &mut Mat<f64>) {
    jacobian.fill(0.0);
    jacobian[(1, 0)] = 1.0;
    (0..x.nrows()).for_each(|j| jacobian[(0, j)] = 2.0 * x[j]);
}

#[gradcheck(
    x in normal(2).to(),
    forward = |x: &Col<f64>| Col::from_fn(3, |i| x[0] * (i as f64 + x[1]).sin()),
    ignore = "wrong on purpose",
)]
fn inputs_by_outputs(x: &Col<f64>) -> Mat<f64> {
    Mat::from_fn(2, 3, |j, i| {
        let angle = i as f64 + x[1];
        if j == 0 { angle.sin() } else { x[0] * angle.cos() }
    })
}

#[gradcheck(
    dims(n in 1..=4),
    x in normal::<f32, _>(n).to(),
    forward = x.iter().map(|x: &f32| x.cosh().ln()).sum::<f32>(),
)]
fn single(x: &Row<f32>) -> Row<f32> {
    Row::from_fn(x.ncols(), |j| x[j].tanh())
}

#[test]
fn a_component_is_named_by_row_and_column() {
    let outcome = fails("gradcheck_one_is_wrong::random_init", &["w[1, 0]", "scaled by 1.5"]);
    assert_eq!(outcome.row("w").expect("a row")[1], "[2, 3]");
    fails("gradcheck_taken_for_symmetric::random_init", &["x[0]", "the gradient is wrong"]);
}

#[test]
fn a_jacobian_has_outputs_by_inputs() {
    fails(
        "gradcheck_inputs_by_outputs::random_init",
        &["has shape [2, 3], and should have shape [3, 2], outputs by inputs"],
    );
}
