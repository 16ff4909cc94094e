//! Complex parameters, outputs and derivatives in each convention, alone and in the containers of
//! other libraries, each form with a twin that is wrong on purpose.
#[path = "../../tests/support/mod.rs"]
mod support;

use faer::{Mat, c64};
use gradcheck_runtime::{Convention, Settings, check_at, gradcheck};
use nalgebra::{DMatrix, DVector, Matrix2};
use ndarray::{Array1, Array2};
use num_complex::{Complex, Complex64};
use num_traits::Float;

use support::fails;

const CONVENTIONS: [Convention; 4] = [
    Convention::Ascent,
    Convention::Conjugate,
    Convention::WirtingerConjugate,
    Convention::Wirtinger,
];

/// `dL/dx` and `dL/dy` in a convention, by its formula.
fn written(convention: Convention, x: f64, y: f64) -> Complex64 {
    let by_conjugate = Complex64::new(x, y) / 2.0; // dL/d(conj z)
    match convention {
        Convention::Ascent => 2.0 * by_conjugate,
        Convention::Conjugate => 2.0 * by_conjugate.conj(),
        Convention::WirtingerConjugate => by_conjugate,
        Convention::Wirtinger => by_conjugate.conj(),
    }
}

/// A real function of complex numbers that depends on real and imaginary parts each in its own way.
fn energy(z: &Array1<Complex64>) -> f64 {
    z.iter().map(|z| z.re * z.re * z.im + (2.0 * z.im).sin()).sum()
}

fn energy_in(convention: Convention, z: &Array1<Complex64>) -> Array1<Complex64> {
    z.mapv(|z| written(convention, 2.0 * z.re * z.im, z.re * z.re + 2.0 * (2.0 * z.im).cos()))
}

#[test]
fn a_gradient_passes_in_its_own_convention_alone() {
    let mut z = Array1::from(vec![Complex64::new(0.7, -0.4), Complex64::new(-1.1, 0.9)]);
    for asked in CONVENTIONS {
        for given in CONVENTIONS {
            let settings = Settings::new().complex(asked);
            let report = check_at(&mut z, &settings, energy, |z| energy_in(given, z));
            assert_eq!(report.is_wrong(), asked != given, "{given:?} for {asked:?}:\n{report}");
        }
    }
}

#[gradcheck(dims(n in 1..=4), z in normal(n).complex(), forward = energy)]
fn ascent(z: &Array1<Complex64>) -> Array1<Complex64> {
    energy_in(Convention::Ascent, z)
}

#[gradcheck(
    dims(n in 1..=4), z in normal(n).complex(), forward = energy,
    complex = Convention::Wirtinger,
)]
fn wirtinger(z: &Array1<Complex64>) -> Array1<Complex64> {
    energy_in(Convention::Wirtinger, z)
}

#[gradcheck(
    dims(n in 2..=4), z in normal(n).complex(), forward = energy,
    ignore = "wrong on purpose",
)]
fn conjugated(z: &Array1<Complex64>) -> Array1<Complex64> {
    energy_in(Convention::Conjugate, z)
}

#[gradcheck(
    dims(n in 2..=4), z in normal(n).complex(), forward = energy,
    ignore = "wrong on purpose",
)]
fn halved(z: &Array1<Complex64>) -> Array1<Complex64> {
    energy_in(Convention::WirtingerConjugate, z)
}

#[gradcheck(
    z in normal(4).complex(), forward = energy,
    ignore = "wrong on purpose",
)]
fn third_is_off(z: &Array1<Complex64>) -> Array1<Complex64> {
    let mut gradient = ascent(z);
    gradient[3].im *= 1.5;
    gradient
}

/// The real partial derivatives by themselves need no convention.
#[gradcheck(
    dims(n in 1..=4), z in normal(n).complex(), forward = energy,
    complex = Convention::Wirtinger,
)]
fn as_partials(z: &Array1<Complex64>) -> Array2<f64> {
    let both = energy_in(Convention::Ascent, z);
    Array2::from_shape_fn((z.len(), 2), |(i, part)| [both[i].re, both[i].im][part])
}

/// A filter `out = h * z` with complex taps: holomorphic in both.
fn filter(h: &Array1<Complex64>, z: &Array1<Complex64>) -> Array1<Complex64> {
    h * z
}

/// In the gradient's convention the cotangent is multiplied by the conjugate derivative.
#[gradcheck(
    dims(n in 1..=4),
    h in normal(n).complex(),
    z in normal(n).complex(),
    wrt = (h, z),
    forward = filter,
    cotangent = dout,
)]
fn filter_ascent(
    h: &Array1<Complex64>,
    z: &Array1<Complex64>,
    dout: &Array1<Complex64>,
) -> (Array1<Complex64>, Array1<Complex64>) {
    (dout * &z.mapv(|z| z.conj()), dout * &h.mapv(|h| h.conj()))
}

/// In the conjugate one, by the derivative itself; so too with Wirtinger's, the factor 1/2 being
/// in the cotangent already.
#[gradcheck(
    dims(n in 1..=4),
    h in normal(n).complex(),
    z in normal(n).complex(),
    wrt = (h, z),
    forward = filter,
    cotangent = dout,
    complex = Convention::Wirtinger,
)]
fn filter_wirtinger(
    h: &Array1<Complex64>,
    z: &Array1<Complex64>,
    dout: &Array1<Complex64>,
) -> (Array1<Complex64>, Array1<Complex64>) {
    (dout * z, dout * h)
}

#[gradcheck(
    dims(n in 2..=4),
    h in normal(n).complex(),
    z in normal(n).complex(),
    wrt = (h, z),
    forward = filter,
    cotangent = dout,
    ignore = "wrong on purpose",
)]
fn filter_forgets_to_conjugate(
    h: &Array1<Complex64>,
    z: &Array1<Complex64>,
    dout: &Array1<Complex64>,
) -> (Array1<Complex64>, Array1<Complex64>) {
    (dout * z, dout * h)
}

/// A real output has a real cotangent: here Wirtinger's factor 1/2 is the gradient's own.
#[gradcheck(
    dims(n in 1..=4),
    z in normal(n).complex(),
    forward = z.mapv(|z: Complex64| z.norm_sqr()),
    cotangent = dout,
    complex = Convention::WirtingerConjugate,
)]
fn power_backward(z: &Array1<Complex64>, dout: &Array1<f64>) -> Array1<Complex64> {
    z * dout
}

/// Along a tangent there is no convention.
#[gradcheck(
    dims(n in 1..=4),
    z in normal(n).complex(),
    forward = z.mapv(|z: Complex64| z * z.conj() * z),
    tangent = dz,
    complex = Convention::Conjugate,
)]
fn along(z: &Array1<Complex64>, dz: &Array1<Complex64>) -> Array1<Complex64> {
    z.mapv(|z| Complex64::from(2.0 * z.norm_sqr())) * dz + z * z * dz.mapv(|dz| dz.conj())
}

/// The Jacobian of a holomorphic forward, complex by complex.
#[gradcheck(
    z in normal(2).complex(),
    forward = |z: &Array1<Complex64>| ndarray::array![z[0] * z[1], z[1].exp(), z[0]],
)]
fn jacobian(z: &Array1<Complex64>) -> Array2<Complex64> {
    let (zero, one) = (Complex::ZERO, Complex::ONE);
    ndarray::array![[z[1], z[0]], [zero, z[1].exp()], [one, zero]]
}

#[gradcheck(
    z in normal(2).complex(),
    forward = |z: &Array1<Complex64>| ndarray::array![z[0] * z[1], z[1].exp(), z[0]],
    ignore = "wrong on purpose",
)]
fn jacobian_is_off(z: &Array1<Complex64>) -> Array2<Complex64> {
    let mut jacobian = jacobian(z);
    jacobian[[1, 1]] *= 2.0;
    jacobian
}

/// Not holomorphic: no complex number is its derivative.
#[gradcheck(
    z in normal(2).complex(),
    forward = z.mapv(|z: Complex64| z * z.norm_sqr()),
    ignore = "wrong on purpose",
)]
fn has_no_jacobian(z: &Array1<Complex64>) -> Array2<Complex64> {
    Array2::from_diag(&z.mapv(|z| Complex64::from(2.0 * z.norm_sqr())))
}

/// Real parameters of complex outputs.
#[gradcheck(
    phase in normal(3),
    forward = phase.mapv(Complex64::cis),
)]
fn phases(phase: &Array1<f64>) -> Array2<Complex64> {
    Array2::from_diag(&phase.mapv(|p| Complex64::i() * Complex64::cis(p)))
}

#[gradcheck(
    phase in normal(3),
    forward = phase.mapv(Complex64::cis),
    ignore = "wrong on purpose",
)]
fn phases_lack_i(phase: &Array1<f64>) -> Array2<Complex64> {
    Array2::from_diag(&phase.mapv(Complex64::cis))
}

/// Complex parameters of real outputs: each row a gradient.
#[gradcheck(
    z in normal(2).complex(),
    forward = |z: &Array1<Complex64>| ndarray::array![z[0].norm_sqr(), (z[0] * z[1]).re],
    complex = Convention::Wirtinger,
)]
fn rows(z: &Array1<Complex64>) -> Array2<Complex64> {
    ndarray::array![[z[0].conj(), Complex::ZERO], [z[1] / 2.0, z[0] / 2.0]]
}

/// One complex number of one.
#[gradcheck(z in (-2.0..2.0, -2.0..2.0).prop_map(|(re, im)| Complex64 { re, im }), forward = z.exp())]
fn scalar(z: Complex64) -> Complex64 {
    z.exp()
}

#[gradcheck(
    z in normal(3).complex().to::<Vec<_>>(),
    out(gradient += z),
    complex = Convention::Conjugate,
)]
fn into_buffer(z: &[Complex64], gradient: &mut [Complex64]) -> f64 {
    gradient.iter_mut().zip(z).for_each(|(g, z)| *g += 2.0 * z.conj());
    z.iter().map(|z| z.norm_sqr()).sum()
}

#[gradcheck(
    z in normal(3).complex().to::<Vec<_>>(),
    out(gradient += z),
    complex = Convention::Conjugate,
    ignore = "wrong on purpose",
)]
fn overwrites_buffer(z: &[Complex64], gradient: &mut [Complex64]) -> f64 {
    gradient.iter_mut().zip(z).for_each(|(g, z)| *g = 2.0 * z.conj());
    z.iter().map(|z| z.norm_sqr()).sum()
}

#[gradcheck(
    dims(n in 1..=3),
    a in normal([n, n]).complex().to(),
    x in normal(n).complex().to(),
    wrt = (a, x),
    forward = |a: &DMatrix<Complex64>, x: &DVector<Complex64>| (a * x).norm_squared(),
)]
fn in_nalgebra(
    a: &DMatrix<Complex64>,
    x: &DVector<Complex64>,
) -> (DMatrix<Complex64>, DVector<Complex64>) {
    let residual = a * x * Complex64::from(2.0);
    (&residual * x.adjoint(), a.adjoint() * residual)
}

#[gradcheck(
    a in normal([2, 2]).complex().to(),
    forward = |a: &Matrix2<Complex64>| a.norm_squared(),
    ignore = "wrong on purpose",
)]
fn in_nalgebra_one_off(a: &Matrix2<Complex64>) -> Matrix2<Complex64> {
    let mut gradient = a * Complex64::from(2.0);
    gradient[(0, 1)].re *= 3.0;
    gradient
}

#[gradcheck(
    a in normal([2, 3]).complex().to(),
    forward = |a: &Mat<c64>| a.squared_norm_l2(),
)]
fn in_faer(a: &Mat<c64>) -> Mat<c64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| 2.0 * a[(i, j)])
}

/// Single precision, and the tape.
#[gradcheck(
    types(T = [f32, f64]),
    z in normal::<T, _>(3).complex(),
    forward = z.iter().map(|z: &Complex<T>| z.norm_sqr()).sum::<T>(),
)]
fn of_any_float<T: Float>(z: &Array1<Complex<T>>) -> Array1<Complex<T>> {
    z.mapv(|z| z.scale(T::one() + T::one()))
}

#[gradcheck(
    exact = F,
    tolerance = 1e-12,
    z in normal::<F, _>(3).complex(),
    forward = z.iter().map(|z: &Complex<F>| z.exp()).fold(Complex::<F>::new(F::zero(), F::zero()), |a, b| a + b).norm_sqr(),
)]
fn on_the_tape(z: &Array1<Complex64>) -> Array1<Complex64> {
    let sum: Complex64 = z.iter().map(|z| z.exp()).sum();
    z.mapv(|z| 2.0 * sum * z.exp().conj())
}

#[gradcheck(
    exact = F,
    tolerance = 1e-12,
    z in normal::<F, _>(3).complex(),
    forward = z.iter().map(|z: &Complex<F>| z.norm_sqr()).fold(F::zero(), |a, b| a + b),
    ignore = "wrong on purpose",
)]
fn on_the_tape_conjugated(z: &Array1<Complex64>) -> Array1<Complex64> {
    z.mapv(|z| 2.0 * z.conj())
}

#[test]
fn a_component_is_named_by_its_part() {
    let outcome = fails("gradcheck_third_is_off::random_init", &["z[3].im", "scaled by 1.5"]);
    assert_eq!(outcome.row("z").expect("a row")[1], "[4] complex");
    assert_eq!(outcome.wrong_in("z"), 1);
    fails("gradcheck_in_nalgebra_one_off::random_init", &["a[0, 1].re", "scaled by 3"]);
    let outcome = fails("gradcheck_jacobian_is_off::random_init", &["d out[1].re / d z[1].im"]);
    assert!(!outcome.says("d out[0].re / d z[0].re"));
}

#[test]
fn another_convention_is_told_by_its_signature() {
    fails("gradcheck_conjugated::random_init", &["conjugated in z", "Convention::Conjugate"]);
    fails("gradcheck_halved::random_init", &["scaled by 0.5 in z"]);
    fails("gradcheck_filter_forgets_to_conjugate::random_init", &["the gradient is wrong"]);
    fails("gradcheck_on_the_tape_conjugated::random_init", &["conjugated in z"]);
}

#[test]
fn what_is_not_holomorphic_has_no_complex_jacobian() {
    fails("gradcheck_has_no_jacobian::random_init", &["d out[0].re / d z[0].im"]);
    fails("gradcheck_phases_lack_i::random_init", &["d out[0].re / d phase[0]"]);
}

#[test]
fn buffers_of_complex_numbers_are_filled_and_read_in_the_convention() {
    fails("gradcheck_overwrites_buffer::random_init", &["overwritten, not accumulated"]);
}
