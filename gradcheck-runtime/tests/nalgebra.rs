//! Matrices, vectors, points and views of nalgebra as parameters, gradients and Jacobians, each
//! form with a twin that is wrong on purpose.
#[path = "../../tests/support/mod.rs"]
mod support;

use gradcheck_runtime::flatten::{Flatten, FlattenMut, Scalars, ScalarsMut, Step};
use gradcheck_runtime::flatten::{Visitor, VisitorMut};
use gradcheck_runtime::gradcheck;
use gradcheck_runtime::strategy::FromArray;
use nalgebra::{
    DMatrix, DVector, DVectorView, Matrix2, Matrix2x3, Point2, RowVector3, SMatrix, Vector1,
    Vector2, Vector3,
};
use ndarray::array;
use num_traits::Float;

use support::fails;

/// Shape and scalars of the only block, read and, if there is a `set`, written first.
#[derive(Default)]
struct Only {
    set: Option<(usize, f64)>,
    seen: Option<(Vec<usize>, Vec<f64>)>,
}

impl Only {
    fn see(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        let values: Vec<f64> = (0..scalars.len()).map(|i| scalars.get(i)).collect();
        let mut appended = Vec::new();
        scalars.append_to(&mut appended);
        assert_eq!(appended, values);
        assert!(self.seen.replace((shape.to_vec(), values)).is_none(), "one block");
    }
}

impl Visitor for Only {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        self.see(shape, scalars);
    }
}

impl VisitorMut for Only {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &mut dyn ScalarsMut) {
        if let Some((i, value)) = self.set {
            scalars.set(i, value);
            let mut all: Vec<f64> = (0..scalars.len()).map(|i| scalars.get(i)).collect();
            all.reverse();
            scalars.set_all(&all);
            all.reverse();
            scalars.set_all(&all);
        }
        self.see(shape, scalars);
    }
}

fn block(value: &impl Flatten) -> (Vec<usize>, Vec<f64>) {
    let mut only = Only::default();
    value.flatten(&mut only);
    only.seen.expect("a block")
}

fn write(value: &mut impl FlattenMut, i: usize, scalar: f64) {
    let mut only = Only { set: Some((i, scalar)), seen: None };
    value.flatten_mut(&mut only);
    only.seen.expect("a block");
}

#[test]
fn memory_runs_down_the_columns_and_indices_along_the_rows() {
    let rows = (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut dynamic = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(block(&dynamic), rows);
    let mut fixed = Matrix2x3::new(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
    assert_eq!(block(&fixed), rows);
    assert_eq!(block(&dynamic.view((0, 1), (2, 2))), (vec![2, 2], vec![2.0, 3.0, 5.0, 6.0]));
    write(&mut dynamic, 2, 30.0);
    assert_eq!(dynamic, DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 30.0, 4.0, 5.0, 6.0]));
    write(&mut fixed, 3, 40.0);
    assert_eq!(fixed, Matrix2x3::new(1.0, 2.0, 3.0, 40.0, 5.0, 6.0));
    write(&mut dynamic.view_mut((0, 1), (2, 2)), 2, 50.0);
    assert_eq!(dynamic, DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 30.0, 4.0, 50.0, 6.0]));
}

#[test]
fn vectors_by_their_type_have_one_axis() {
    assert_eq!(block(&DVector::from_vec(vec![1.0, 2.0])), (vec![2], vec![1.0, 2.0]));
    assert_eq!(block(&Vector3::new(1.0_f32, 2.0, 3.0)), (vec![3], vec![1.0, 2.0, 3.0]));
    assert_eq!(block(&RowVector3::new(1.0, 2.0, 3.0)).0, [3]);
    assert_eq!(block(&Point2::new(1.0, 2.0)), (vec![2], vec![1.0, 2.0]));
    assert_eq!(
        block(&DMatrix::from_row_slice(2, 1, &[1.0, 2.0])).0,
        [2, 1],
        "a matrix that happens to have a column"
    );
    let mut point = Point2::new(1.0, 2.0);
    write(&mut point, 1, 3.0);
    assert_eq!(point, Point2::new(1.0, 3.0));
}

#[test]
fn arrays_are_poured_by_their_indices() {
    let fixed = Matrix2x3::from_array(array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(fixed, Matrix2x3::new(1.0, 2.0, 3.0, 4.0, 5.0, 6.0));
    assert_eq!(
        DMatrix::from_array(array![[1.0], [2.0]]),
        DMatrix::from_row_slice(2, 1, &[1.0, 2.0])
    );
    assert_eq!(Vector2::from_array(array![1.0, 2.0]), Vector2::new(1.0, 2.0));
    assert_eq!(RowVector3::from_array(array![1.0, 2.0, 3.0]), RowVector3::new(1.0, 2.0, 3.0));
    assert_eq!(Point2::from_array(array![1.0, 2.0]), Point2::new(1.0, 2.0));
}

#[test]
#[should_panic(expected = "elements drawn, and by the type")]
fn a_size_that_the_type_does_not_have_is_refused() {
    Vector3::from_array(array![1.0, 2.0]);
}

/// A layer, dynamic.
fn layer(w: &DMatrix<f64>, b: &DVector<f64>, x: &DVector<f64>) -> DVector<f64> {
    (w * x + b).map(f64::tanh)
}

#[gradcheck(
    dims(n in 1..=3, m in 1..=4),
    w in normal([m, n]).to(),
    b in normal(m).to(),
    x in normal(n).to(),
    wrt = (w, b, x),
    forward = layer,
    cotangent = dout,
)]
fn layer_backward(
    w: &DMatrix<f64>,
    b: &DVector<f64>,
    x: &DVector<f64>,
    dout: &DVector<f64>,
) -> (DMatrix<f64>, DVector<f64>, DVector<f64>) {
    let dz = layer(w, b, x).zip_map(dout, |y, c| (1.0 - y * y) * c);
    (&dz * x.transpose(), dz.clone(), w.transpose() * dz)
}

#[gradcheck(
    w in normal([2, 3]).to::<DMatrix<f64>>(),
    b in normal(2).to(),
    x in normal(3).to(),
    forward = layer,
    cotangent = dout,
    ignore = "wrong on purpose",
)]
fn one_is_wrong(
    w: &DMatrix<f64>,
    b: &DVector<f64>,
    x: &DVector<f64>,
    dout: &DVector<f64>,
) -> DMatrix<f64> {
    let mut dw = layer_backward(w, b, x, dout).0;
    dw[(1, 0)] *= 1.5;
    dw
}

#[gradcheck(
    w in normal([3, 3]).to::<DMatrix<f64>>(),
    b in normal(3).to(),
    x in normal(3).to(),
    forward = layer,
    cotangent = dout,
    ignore = "wrong on purpose",
)]
fn in_the_order_of_memory(
    w: &DMatrix<f64>,
    b: &DVector<f64>,
    x: &DVector<f64>,
    dout: &DVector<f64>,
) -> Vec<f64> {
    layer_backward(w, b, x, dout).0.as_slice().to_vec()
}

/// Range and bearing of a landmark, static.
fn measure(pose: &Vector3<f64>, landmark: &Point2<f64>) -> Vector2<f64> {
    let d = landmark.coords - pose.xy();
    Vector2::new(d.norm(), d.y.atan2(d.x) - pose.z)
}

#[gradcheck(
    pose in normal(3).to(),
    landmark in uniform(2, 3.0..9.0).to(),
    wrt = (pose, landmark),
    forward = measure,
)]
fn measure_jacobian(pose: &Vector3<f64>, landmark: &Point2<f64>) -> (Matrix2x3<f64>, Matrix2<f64>) {
    let d = landmark.coords - pose.xy();
    let (q, r) = (d.norm_squared(), d.norm());
    (
        Matrix2x3::new(-d.x / r, -d.y / r, 0.0, d.y / q, -d.x / q, -1.0),
        Matrix2::new(d.x / r, d.y / r, -d.y / q, d.x / q),
    )
}

#[gradcheck(
    pose in normal(3).to(),
    landmark in uniform(2, 3.0..9.0).to(),
    forward = measure,
    ignore = "wrong on purpose",
)]
fn bearing_is_flipped(pose: &Vector3<f64>, landmark: &Point2<f64>) -> Matrix2x3<f64> {
    let mut jacobian = measure_jacobian(pose, landmark).0;
    jacobian[(1, 0)] = -jacobian[(1, 0)];
    jacobian
}

#[gradcheck(
    pose in normal(3).to(),
    landmark in uniform(2, 3.0..9.0).to(),
    forward = measure,
    ignore = "wrong on purpose",
)]
fn inputs_by_outputs(pose: &Vector3<f64>, landmark: &Point2<f64>) -> SMatrix<f64, 3, 2> {
    measure_jacobian(pose, landmark).0.transpose()
}

/// A single output and a single input keep their one axis.
#[gradcheck(pose in normal(3).to(), forward = Vector1::new(pose.norm_squared()))]
fn one_output(pose: &Vector3<f64>) -> RowVector3<f64> {
    2.0 * pose.transpose()
}

#[gradcheck(t in -2.0..2.0, forward = Vector3::new(t, t * t, t.sin()))]
fn one_input(t: f64) -> Vector3<f64> {
    Vector3::new(1.0, 2.0 * t, t.cos())
}

#[gradcheck(
    dims(n in 1..=4),
    x in normal(n).to(),
    forward = |x: &DVector<f64>| DVector::from_vec(vec![x.norm_squared(), x.sum()]),
    out(jacobian = x),
)]
fn into_buffer(x: &DVector<f64>, jacobian: &mut DMatrix<f64>) {
    for j in 0..x.len() {
        jacobian[(0, j)] = 2.0 * x[j];
        jacobian[(1, j)] = 1.0;
    }
}

#[gradcheck(dims(n in 1..=4), x in normal(n).to::<DVector<f64>>(), out(gradient += x))]
fn of_a_view(x: DVectorView<'_, f64>, gradient: &mut DVector<f64>) -> f64 {
    gradient.axpy(2.0, &x, 1.0);
    x.norm_squared()
}

#[gradcheck(
    dims(n in 1..=4),
    x in normal(n).to::<DVector<f64>>(),
    out(gradient += x),
    ignore = "wrong on purpose",
)]
fn overwrites(x: DVectorView<'_, f64>, gradient: &mut DVector<f64>) -> f64 {
    gradient.axpy(2.0, &x, 0.0);
    x.norm_squared()
}

#[gradcheck(
    w in normal([2, 2]).to(),
    forward = w.determinant(),
    tangent = dw,
)]
fn determinant_along(w: &Matrix2<f64>, dw: &Matrix2<f64>) -> f64 {
    w.m22 * dw.m11 - w.m21 * dw.m12 - w.m12 * dw.m21 + w.m11 * dw.m22
}

#[gradcheck(
    dims(n in 1..=4),
    x in normal::<f32, _>(n).to(),
    forward = x.iter().map(|x: &f32| x.cosh().ln()).sum::<f32>(),
    train(steps = 5, update = |x: &mut DVector<f32>, g: &DVector<f32>| x.axpy(-0.1, g, 1.0)),
)]
fn single_and_trained(x: &DVector<f32>) -> DVector<f32> {
    x.map(f32::tanh)
}

fn rows_of_tanh<F: Float + nalgebra::Scalar>(w: &DMatrix<F>, x: &DVector<F>) -> F {
    let products =
        w.row_iter().map(|row| row.iter().zip(x).fold(F::zero(), |a, (w, x)| a + *w * *x));
    products.fold(F::zero(), |sum, z| sum + z.tanh())
}

#[gradcheck(
    exact = F,
    tolerance = 1e-12,
    dims(n in 1..=4, m in 1..=3),
    w in normal::<F, _>([m, n]).to::<DMatrix<F>>(),
    x in normal::<F, _>(n).to::<DVector<F>>(),
    forward = rows_of_tanh(&w, &x),
)]
fn on_the_tape(w: &DMatrix<f64>, x: &DVector<f64>) -> DMatrix<f64> {
    (w * x).map(|z| 1.0 - z.tanh() * z.tanh()) * x.transpose()
}

#[test]
fn a_component_is_named_by_row_and_column() {
    let outcome = fails(
        "gradcheck_one_is_wrong::random_init",
        &["w[1, 0]", "one component", "scaled by 1.5"],
    );
    assert_eq!(outcome.row("w").expect("a row")[1], "[2, 3]");
    fails("gradcheck_one_is_wrong::after_training", &["w[1, 0]"]);
}

#[test]
fn memory_taken_for_rows_is_a_transposition() {
    let outcome =
        fails("gradcheck_in_the_order_of_memory::random_init", &["transposed in w", "w = [["]);
    assert!(!outcome.says("VecStorage"), "{}", outcome.text);
}

#[test]
fn a_jacobian_has_outputs_by_inputs() {
    fails("gradcheck_bearing_is_flipped::random_init", &["d out[1] / d pose[0]", "sign flipped"]);
    fails(
        "gradcheck_inputs_by_outputs::random_init",
        &["has shape [3, 2], and should have shape [2, 3], outputs by inputs"],
    );
}

#[test]
fn a_buffer_that_is_overwritten_is_told_from_one_that_is_added_to() {
    fails("gradcheck_overwrites::random_init", &["overwritten, not accumulated"]);
}
