//! Operators in every form, conversions, formats, and the traits that generic code asks for.
use std::fmt::{Debug, Display, LowerExp, UpperExp};
use std::iter::{Product, Sum};

use gradcheck_runtime::flatten::{FlattenMut, Scalar, ScalarsMut, Step, VisitorMut};
use gradcheck_runtime::var::{Tape, Var};
use num_traits::{
    AsPrimitive, Bounded, Euclid, Float, FloatConst, FromPrimitive, Inv, MulAdd, MulAddAssign, Num,
    NumAssignRef, NumRef, One, Pow, RefNum, Signed, ToPrimitive, Zero, cast,
};

use crate::{taped, taped1};

/// Value and gradient of `a op b` at a = 7, b = 2.
type Expected = (f64, [f64; 2]);

macro_rules! forms {
    ($name:ident, $op:tt, $assign:tt, $expected:expr) => {
        #[test]
        #[allow(clippy::op_ref)]
        fn $name() {
            let (value, gradient): Expected = $expected;
            let (p, q) = (7.0, 2.0);
            let both = |f: fn(Var, Var) -> Var| {
                let found = taped(|x| f(x[0], x[1]), &[p, q]);
                assert_eq!((found.value, found.sweep.gradient), (value, gradient.to_vec()));
            };
            both(|a, b| a $op b);
            both(|a, b| &a $op b);
            both(|a, b| a $op &b);
            both(|a, b| &a $op &b);
            both(|mut a, b| { a $assign b; a });
            both(|mut a, b| { a $assign &b; a });
            let left = |f: fn(Var, f64) -> Var| {
                let found = taped1(|a| f(a, q), p);
                assert_eq!((found.value, found.derivative()), (value, gradient[0]));
            };
            left(|a, b| a $op b);
            left(|a, b| &a $op b);
            left(|a, b| a $op &b);
            left(|a, b| &a $op &b);
            left(|mut a, b| { a $assign b; a });
            left(|mut a, b| { a $assign &b; a });
            left(|a, b| a $op Var::from(b));
            let right = |f: fn(f64, Var) -> Var| {
                let found = taped1(|b| f(p, b), q);
                assert_eq!((found.value, found.derivative()), (value, gradient[1]));
            };
            right(|a, b| a $op b);
            right(|a, b| &a $op b);
            right(|a, b| a $op &b);
            right(|a, b| &a $op &b);
            right(|a, b| Var::from(a) $op b);
            let neither = Var::from(p) $op Var::from(q);
            assert!(neither.is_constant() && neither.value() == value);
        }
    };
}

forms!(plus, +, +=, (9.0, [1.0, 1.0]));
forms!(minus, -, -=, (5.0, [1.0, -1.0]));
forms!(times, *, *=, (14.0, [2.0, 7.0]));
forms!(over, /, /=, (3.5, [0.5, -1.75]));
forms!(modulo, %, %=, (1.0, [1.0, -3.0]));

#[test]
fn negation() {
    let found = taped1(|x| -x + -&x, 3.0);
    assert_eq!((found.value, found.derivative()), (-6.0, -2.0));
}

#[test]
fn an_operand_may_appear_twice() {
    let square = taped1(|x| x * x, 3.0);
    assert_eq!((square.value, square.derivative()), (9.0, 6.0));
    let nothing = taped1(|x| x - x, 3.0);
    assert_eq!((nothing.value, nothing.derivative()), (0.0, 0.0));
    let one = taped1(|x| x / x, 3.0);
    assert!(one.derivative().abs() <= one.sweep.bounds[0]);
}

#[test]
fn neutral_elements_cost_no_node() {
    Tape::reset();
    let x = Var::variable(3.0);
    for y in [x + 0.0, 0.0 + x, x - 0.0, x * 1.0, 1.0 * x, x / 1.0, x.powi(1)] {
        assert_eq!((y.value(), y.tape_id()), (3.0, x.tape_id()));
    }
    for y in [x * 0.0, 0.0 * x, 0.0 / x, x.powi(0)] {
        assert!(y.is_constant());
    }
    assert_eq!((0.0 - x).value(), -3.0);
    assert!((x * f64::NAN).is_nan() && (Var::variable(f64::INFINITY) * 0.0).is_nan());
    assert!((-0.0 + Var::variable(-0.0)).value().is_sign_negative());
    assert!((0.0 + Var::variable(-0.0)).value().is_sign_positive());
}

#[test]
fn sums_and_products() {
    let x = [2.0, 3.0, 5.0];
    let sums: [fn(&[Var]) -> Var; 2] =
        [|x| x.iter().sum(), |x| x.iter().copied().map(|x| 1.0 * x).sum()];
    for sum in sums {
        let found = taped(sum, &x);
        assert_eq!((found.value, found.sweep.gradient), (10.0, vec![1.0; 3]));
    }
    let products: [fn(&[Var]) -> Var; 2] =
        [|x| x.iter().product(), |x| x.iter().copied().product()];
    for product in products {
        let found = taped(product, &x);
        assert_eq!((found.value, found.sweep.gradient), (30.0, vec![15.0, 10.0, 6.0]));
    }
    assert_eq!(std::iter::empty::<Var>().sum::<Var>().value(), 0.0);
    assert_eq!(std::iter::empty::<Var>().product::<Var>().value(), 1.0);
}

/// What generic numerical code asks of its scalar, all at once.
trait Everything:
    Float
    + FloatConst
    + FromPrimitive
    + Signed
    + NumRef
    + NumAssignRef
    + Bounded
    + Euclid
    + Inv<Output = Self>
    + MulAdd<Output = Self>
    + MulAddAssign
    + Pow<Self, Output = Self>
    + Pow<i32, Output = Self>
    + Pow<f64, Output = Self>
    + AsPrimitive<f64>
    + AsPrimitive<usize>
    + Sum
    + for<'a> Sum<&'a Self>
    + Product
    + for<'a> Product<&'a Self>
    + From<f64>
    + From<f32>
    + From<i32>
    + From<u8>
    + Into<f64>
    + ndarray::ScalarOperand
    + ndarray::LinalgScalar
    + ndarray::NdFloat
    + Default
    + Display
    + Debug
    + LowerExp
    + UpperExp
    + Send
    + Sync
{
}

impl Everything for f64 {}
impl Everything for Var {}

/// x^2 + 3x + pi / n, by every detour that generic code takes.
fn polynomial<F: Everything>(x: F, n: usize) -> F
where
    for<'a> &'a F: RefNum<F>,
{
    let three = F::from_f64(1.0).unwrap() + <F as From<f32>>::from(1.0) + F::one();
    let square = |x: &F| x * x;
    let mut y = square(&x);
    y += &(three * x);
    y += F::PI() / cast::<_, F>(n).unwrap();
    cast::<_, F>(y).unwrap() + [F::zero(), F::default()].iter().sum::<F>()
}

#[test]
fn generic_code_runs_on_both() {
    let found = taped1(|x| polynomial(x, 2), 1.5);
    assert_eq!(found.value, polynomial(1.5, 2));
    assert_eq!(found.derivative(), 6.0);
    assert!(Tape::counts().is_clear(), "{:?}", Tape::notes());
}

#[test]
fn conversions() {
    assert_eq!(Var::from(1.5f32).value(), 1.5);
    assert_eq!(Var::from(-3i32).value(), -3.0);
    assert_eq!(cast::<_, Var>(7usize).map(Var::value), Some(7.0));
    assert_eq!(Var::from_u64(7).map(Var::value), Some(7.0));
    assert_eq!(Var::from_str_radix("1.5", 10).ok().map(Var::value), Some(1.5));
    assert_eq!("2.5".parse::<Var>().map(Var::value), Ok(2.5));
    assert_eq!(Var::from(2.9).to_usize(), Some(2));
    assert_eq!(Var::from(-2.9).to_usize(), None);
    assert_eq!(Var::from(2.9).to_f32(), Some(2.9f32));
    let three: Var = 3usize.as_();
    let back: f64 = three.as_();
    assert_eq!(back, 3.0);
    assert_eq!(f64::from(three), 3.0);
}

#[test]
fn comparisons_are_those_of_the_values() {
    let (a, b, nan) = (Var::from(1.0), Var::from(2.0), Var::nan());
    assert!(a < b && a <= b && a != b && a == a.abs());
    assert!(b > a && b >= a);
    assert!(a == 1.0 && a < 1.5 && b >= 1.0);
    assert!(nan != nan.abs() && nan.partial_cmp(&a).is_none());
    let below = nan < a;
    assert!(!below);
    assert!(Var::zero().is_zero() && Var::one().is_one());
}

#[test]
fn formats_are_those_of_the_values() {
    let (x, v) = (1234.5678, Var::from(1234.5678));
    assert_eq!(format!("{v} {v:8.2} {v:?} {v:e} {v:.3E}"), {
        format!("{x} {x:8.2} {x:?} {x:e} {x:.3E}")
    });
}

/// Writes 10, 20, .. into every scalar.
#[derive(Default)]
struct Fill {
    next: f64,
    ids: Vec<Option<u32>>,
}

impl VisitorMut for Fill {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        for i in 0..scalars.len() {
            self.next += 10.0;
            scalars.set(i, self.next);
            self.ids.push(scalars.tape_id(i));
        }
    }
}

#[test]
fn writing_a_scalar_makes_a_variable() {
    Tape::reset();
    let mut state = (Var::from(1.0), vec![Var::from(2.0), Var::from(3.0)]);
    assert_eq!(Scalar::tape_id(state.0), None);
    let mut fill = Fill::default();
    state.flatten_mut(&mut fill);
    assert_eq!(fill.ids, [Some(0), Some(1), Some(2)]);
    assert_eq!(Tape::variables(), 3);
    let y = state.0 * state.1[1];
    assert_eq!(Scalar::to_f64(y), 300.0);
    let sweep = Tape::sweep(&[(y.tape_id().unwrap(), 2.0), (y.tape_id().unwrap(), 1.0)]);
    assert_eq!(sweep.gradient, [90.0, 0.0, 30.0]);
    assert!(Tape::counts().is_clear());
}
