//! Second derivatives: a dual number over any scalar, the tape's own included.
//!
//! [`slope_of`] is the derivative of a generic function along a direction, [`gradient_of`] its whole
//! gradient, each as a function that is itself generic over the scalar. On the tape their
//! derivative is a Hessian-vector product and the Hessian: forward mode inside, reverse outside.
use std::cmp::Ordering;
use std::fmt;
use std::iter::{Product, Sum};
use std::num::FpCategory;
use std::ops::{
    Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign,
};

use ndarray::{Array, Dimension, NdFloat, ScalarOperand};
use num_traits::{Float, FloatConst, FromPrimitive, Num, NumCast, One, ToPrimitive, Zero};

use super::Var;

/// `re + du e` with `e^2 = 0`: a value, and its derivative along one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<F> {
    /// The value.
    pub re: F,
    /// Its derivative.
    pub du: F,
}

/// Parameters whose scalars can be given a direction.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be given a direction",
    note = "`slope_of` and `gradient_of` take scalars, arrays of ndarray, vectors and `[F; N]`"
)]
pub trait Lift: Clone {
    /// The scalar.
    type Scalar: Float;
    /// The same of dual numbers.
    type Dual;
    /// Its scalars, in order.
    fn scalars(&self) -> Vec<Self::Scalar>;
    /// With `direction(i)` beside scalar i.
    fn lift(&self, direction: impl FnMut(usize) -> Self::Scalar) -> Self::Dual;
    /// `f(i)` in place of scalar i.
    fn with(&self, f: impl FnMut(usize) -> Self::Scalar) -> Self;
}

macro_rules! lift_scalars {
    ($($scalar:ty),*) => {$(
        impl Lift for $scalar {
            type Scalar = $scalar;
            type Dual = Dual<$scalar>;
            fn scalars(&self) -> Vec<$scalar> {
                vec![*self]
            }
            fn lift(&self, mut direction: impl FnMut(usize) -> $scalar) -> Dual<$scalar> {
                Dual { re: *self, du: direction(0) }
            }
            fn with(&self, mut f: impl FnMut(usize) -> $scalar) -> $scalar {
                f(0)
            }
        }
    )*};
}

lift_scalars!(f32, f64, Var);

impl<F: Float, D: Dimension> Lift for Array<F, D> {
    type Scalar = F;
    type Dual = Array<Dual<F>, D>;
    fn scalars(&self) -> Vec<F> {
        self.iter().copied().collect()
    }
    fn lift(&self, mut direction: impl FnMut(usize) -> F) -> Array<Dual<F>, D> {
        // In logical order, whatever the layout.
        let numbered = self.iter().enumerate();
        let values = numbered.map(|(i, &re)| Dual { re, du: direction(i) }).collect();
        Array::from_shape_vec(self.raw_dim(), values).expect("as many as there were")
    }
    fn with(&self, f: impl FnMut(usize) -> F) -> Self {
        let values = (0..self.len()).map(f).collect();
        Array::from_shape_vec(self.raw_dim(), values).expect("as many as there were")
    }
}

impl<F: Float> Lift for Vec<F> {
    type Scalar = F;
    type Dual = Vec<Dual<F>>;
    fn scalars(&self) -> Vec<F> {
        self.clone()
    }
    fn lift(&self, mut direction: impl FnMut(usize) -> F) -> Vec<Dual<F>> {
        self.iter().enumerate().map(|(i, &re)| Dual { re, du: direction(i) }).collect()
    }
    fn with(&self, f: impl FnMut(usize) -> F) -> Self {
        (0..self.len()).map(f).collect()
    }
}

impl<F: Float, const N: usize> Lift for [F; N] {
    type Scalar = F;
    type Dual = [Dual<F>; N];
    fn scalars(&self) -> Vec<F> {
        self.to_vec()
    }
    fn lift(&self, mut direction: impl FnMut(usize) -> F) -> [Dual<F>; N] {
        std::array::from_fn(|i| Dual { re: self[i], du: direction(i) })
    }
    fn with(&self, f: impl FnMut(usize) -> F) -> Self {
        std::array::from_fn(f)
    }
}

/// The derivative of `f` at `x` along `v`, of the shape of `x`: `v . grad f`.
///
/// Its gradient with respect to `x` is the Hessian times `v`, which makes it the forward of a
/// Hessian-vector product:
///
/// ```
/// use gradcheck_runtime::var::slope_of;
/// use ndarray::{Array1, array};
/// use num_traits::Float;
///
/// fn cost<F: Float>(x: &Array1<F>) -> F {
///     x[0] * x[0] * x[1] + x[1].exp()
/// }
///
/// let (x, v) = (array![2.0, 0.0], array![1.0, 10.0]);
/// assert_eq!(slope_of(&x, &v, cost), 2.0 * 2.0 * 0.0 * 1.0 + (4.0 + 1.0) * 10.0);
/// ```
///
/// # Panics
/// When `x` and `v` have not the same number of scalars.
pub fn slope_of<X: Lift>(x: &X, v: &X, f: impl FnOnce(&X::Dual) -> Dual<X::Scalar>) -> X::Scalar {
    let (count, v) = (x.scalars().len(), v.scalars());
    assert_eq!(count, v.len(), "a direction has a scalar for each of the parameters'");
    f(&x.lift(|i| v[i])).du
}

/// The gradient of `f` at `x`, in the shape of `x`: one run of `f` for each scalar.
///
/// Its Jacobian is the Hessian of `f`, which makes it the forward of a Hessian.
pub fn gradient_of<X: Lift>(x: &X, f: impl Fn(&X::Dual) -> Dual<X::Scalar>) -> X {
    let one_of = |i: usize| {
        let along = |j| if i == j { X::Scalar::one() } else { X::Scalar::zero() };
        f(&x.lift(along)).du
    };
    x.with(one_of)
}

impl<F: Float> Dual<F> {
    /// A number that does not depend on the direction.
    pub fn constant(re: F) -> Dual<F> {
        Dual { re, du: F::zero() }
    }

    /// `re` = f(self), whose derivative is `slope`.
    fn chain(self, re: F, slope: F) -> Dual<F> {
        Dual { re, du: slope * self.du }
    }
}

fn number<F: Float>(value: f64) -> F {
    F::from(value).expect("a small number, which every float holds")
}

macro_rules! operators {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident |$a:ident, $b:ident| $e:expr;)*) => {$(
        impl<F: Float> $trait for Dual<F> {
            type Output = Dual<F>;
            fn $method(self, other: Dual<F>) -> Dual<F> {
                let ($a, $b) = (self, other);
                $e
            }
        }
        impl<F: Float> $trait<&Dual<F>> for Dual<F> {
            type Output = Dual<F>;
            fn $method(self, other: &Dual<F>) -> Dual<F> {
                self.$method(*other)
            }
        }
        impl<F: Float> $trait<Dual<F>> for &Dual<F> {
            type Output = Dual<F>;
            fn $method(self, other: Dual<F>) -> Dual<F> {
                (*self).$method(other)
            }
        }
        impl<F: Float> $trait for &Dual<F> {
            type Output = Dual<F>;
            fn $method(self, other: &Dual<F>) -> Dual<F> {
                (*self).$method(*other)
            }
        }
        impl<F: Float> $assign for Dual<F> {
            fn $assign_method(&mut self, other: Dual<F>) {
                *self = $trait::$method(*self, other);
            }
        }
        impl<F: Float> $assign<&Dual<F>> for Dual<F> {
            fn $assign_method(&mut self, other: &Dual<F>) {
                *self = $trait::$method(*self, *other);
            }
        }
    )*};
}

operators! {
    Add add AddAssign add_assign |a, b| Dual { re: a.re + b.re, du: a.du + b.du };
    Sub sub SubAssign sub_assign |a, b| Dual { re: a.re - b.re, du: a.du - b.du };
    Mul mul MulAssign mul_assign |a, b| Dual { re: a.re * b.re, du: a.du * b.re + a.re * b.du };
    Div div DivAssign div_assign |a, b| {
        let re = a.re / b.re;
        Dual { re, du: (a.du - re * b.du) / b.re }
    };
    Rem rem RemAssign rem_assign |a, b| {
        Dual { re: a.re % b.re, du: a.du - (a.re / b.re).trunc() * b.du }
    };
}

impl<F: Float> Neg for Dual<F> {
    type Output = Dual<F>;
    fn neg(self) -> Dual<F> {
        Dual { re: -self.re, du: -self.du }
    }
}

impl<F: Float> PartialEq for Dual<F> {
    fn eq(&self, other: &Dual<F>) -> bool {
        self.re == other.re
    }
}

impl<F: Float> PartialOrd for Dual<F> {
    fn partial_cmp(&self, other: &Dual<F>) -> Option<Ordering> {
        self.re.partial_cmp(&other.re)
    }
}

impl<F: Float> Sum for Dual<F> {
    fn sum<I: Iterator<Item = Dual<F>>>(terms: I) -> Dual<F> {
        terms.fold(Dual::zero(), |sum, term| sum + term)
    }
}

impl<'a, F: Float + 'a> Sum<&'a Dual<F>> for Dual<F> {
    fn sum<I: Iterator<Item = &'a Dual<F>>>(terms: I) -> Dual<F> {
        terms.copied().sum()
    }
}

impl<F: Float> Product for Dual<F> {
    fn product<I: Iterator<Item = Dual<F>>>(factors: I) -> Dual<F> {
        factors.fold(Dual::one(), |product, factor| product * factor)
    }
}

impl<F: Float> Zero for Dual<F> {
    fn zero() -> Dual<F> {
        Dual::constant(F::zero())
    }
    fn is_zero(&self) -> bool {
        self.re.is_zero()
    }
}

impl<F: Float> One for Dual<F> {
    fn one() -> Dual<F> {
        Dual::constant(F::one())
    }
}

impl<F: Float> Num for Dual<F> {
    type FromStrRadixErr = F::FromStrRadixErr;
    fn from_str_radix(text: &str, radix: u32) -> Result<Dual<F>, F::FromStrRadixErr> {
        F::from_str_radix(text, radix).map(Dual::constant)
    }
}

/// A conversion drops the derivative, on a tape counted.
impl<F: Float> ToPrimitive for Dual<F> {
    fn to_i64(&self) -> Option<i64> {
        self.re.to_i64()
    }
    fn to_u64(&self) -> Option<u64> {
        self.re.to_u64()
    }
    fn to_f64(&self) -> Option<f64> {
        self.re.to_f64()
    }
}

impl<F: Float> NumCast for Dual<F> {
    fn from<T: ToPrimitive>(number: T) -> Option<Dual<F>> {
        <F as NumCast>::from(number).map(Dual::constant)
    }
}

impl<F: Float + FromPrimitive> FromPrimitive for Dual<F> {
    fn from_i64(value: i64) -> Option<Dual<F>> {
        F::from_i64(value).map(Dual::constant)
    }
    fn from_u64(value: u64) -> Option<Dual<F>> {
        F::from_u64(value).map(Dual::constant)
    }
    fn from_f64(value: f64) -> Option<Dual<F>> {
        F::from_f64(value).map(Dual::constant)
    }
}

impl<F: Float> From<f64> for Dual<F> {
    fn from(value: f64) -> Dual<F> {
        Dual::constant(number(value))
    }
}

macro_rules! constants {
    ($($name:ident)*) => {
        #[allow(non_snake_case)]
        impl<F: Float + FloatConst> FloatConst for Dual<F> {
            $(fn $name() -> Dual<F> {
                Dual::constant(F::$name())
            })*
        }
    };
}

constants!(
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6
    FRAC_PI_8 LN_10 LN_2 LOG10_E LOG2_E PI SQRT_2
);

macro_rules! formats {
    ($($format:ident),*) => {$(
        impl<F: fmt::$format> fmt::$format for Dual<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::$format::fmt(&self.re, f)
            }
        }
    )*};
}

formats!(Display, LowerExp, UpperExp);

impl<F: Float + 'static> ScalarOperand for Dual<F> {}
impl<F: NdFloat> NdFloat for Dual<F> {}

macro_rules! constant_values {
    ($($name:ident)*) => {$(
        fn $name() -> Dual<F> {
            Dual::constant(F::$name())
        }
    )*};
}

macro_rules! questions {
    ($($name:ident)*) => {$(
        fn $name(self) -> bool {
            self.re.$name()
        }
    )*};
}

macro_rules! steps {
    ($($name:ident)*) => {$(
        fn $name(self) -> Dual<F> {
            Dual::constant(self.re.$name())
        }
    )*};
}

/// A function of one argument x and its value y, with its derivative.
macro_rules! functions {
    ($($name:ident |$x:ident, $y:ident| $slope:expr;)*) => {$(
        fn $name(self) -> Dual<F> {
            let $x = self.re;
            let $y = $x.$name();
            self.chain($y, $slope)
        }
    )*};
}

/// Derivatives of `Float`'s functions, in the scalar's own arithmetic.
impl<F: Float> Float for Dual<F> {
    constant_values! {
        nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon
    }
    questions! { is_nan is_infinite is_finite is_normal is_sign_positive is_sign_negative }
    steps! { floor ceil round trunc signum }
    functions! {
        fract |_x, _y| F::one();
        recip |_x, y| -(y * y);
        sqrt |_x, y| number::<F>(0.5) / y;
        cbrt |_x, y| (number::<F>(3.0) * y * y).recip();
        exp |_x, y| y;
        exp2 |_x, y| y * number::<F>(2.0).ln();
        exp_m1 |x, _y| x.exp();
        ln |x, _y| x.recip();
        ln_1p |x, _y| (F::one() + x).recip();
        log2 |x, _y| (x * number::<F>(2.0).ln()).recip();
        log10 |x, _y| (x * number::<F>(10.0).ln()).recip();
        sin |x, _y| x.cos();
        cos |x, _y| -x.sin();
        tan |_x, y| F::one() + y * y;
        asin |x, _y| ((F::one() - x) * (F::one() + x)).sqrt().recip();
        acos |x, _y| -((F::one() - x) * (F::one() + x)).sqrt().recip();
        atan |x, _y| (F::one() + x * x).recip();
        sinh |x, _y| x.cosh();
        cosh |x, _y| x.sinh();
        // Not 1 - tanh^2, which is all rounding from 19 on.
        tanh |x, _y| { let c = x.cosh().recip(); c * c };
        asinh |x, _y| (x * x + F::one()).sqrt().recip();
        acosh |x, _y| ((x - F::one()) * (x + F::one())).sqrt().recip();
        atanh |x, _y| ((F::one() - x) * (F::one() + x)).recip();
        to_degrees |_x, _y| F::one().to_degrees();
        to_radians |_x, _y| F::one().to_radians();
    }
    fn classify(self) -> FpCategory {
        self.re.classify()
    }
    fn abs(self) -> Dual<F> {
        // At zero 0, as the tape has it.
        let slope = if self.re > F::zero() {
            F::one()
        } else if self.re < F::zero() {
            -F::one()
        } else {
            F::zero()
        };
        self.chain(self.re.abs(), slope)
    }
    fn copysign(self, sign: Dual<F>) -> Dual<F> {
        if self.re.is_sign_negative() == sign.re.is_sign_negative() { self } else { -self }
    }
    fn mul_add(self, a: Dual<F>, b: Dual<F>) -> Dual<F> {
        let du = self.du * a.re + self.re * a.du + b.du;
        Dual { re: self.re.mul_add(a.re, b.re), du }
    }
    fn powi(self, n: i32) -> Dual<F> {
        if n == 0 {
            return Dual::one();
        }
        self.chain(self.re.powi(n), number::<F>(n.into()) * self.re.powi(n - 1))
    }
    fn powf(self, n: Dual<F>) -> Dual<F> {
        let re = self.re.powf(n.re);
        let by_base = n.re * self.re.powf(n.re - F::one()) * self.du;
        // No power of a negative number but the integers is real.
        let du = if n.du == F::zero() { by_base } else { by_base + re * self.re.ln() * n.du };
        Dual { re, du }
    }
    fn log(self, base: Dual<F>) -> Dual<F> {
        self.ln() / base.ln()
    }
    fn max(self, other: Dual<F>) -> Dual<F> {
        if self.re > other.re || other.re.is_nan() { self } else { other }
    }
    fn min(self, other: Dual<F>) -> Dual<F> {
        if self.re < other.re || other.re.is_nan() { self } else { other }
    }
    fn abs_sub(self, other: Dual<F>) -> Dual<F> {
        if self.re <= other.re { Dual::zero() } else { self - other }
    }
    fn hypot(self, other: Dual<F>) -> Dual<F> {
        let re = self.re.hypot(other.re);
        Dual { re, du: self.re / re * self.du + other.re / re * other.du }
    }
    fn atan2(self, other: Dual<F>) -> Dual<F> {
        let (y, x) = (self, other);
        let r = y.re.hypot(x.re);
        Dual { re: y.re.atan2(x.re), du: (x.re / r * y.du - y.re / r * x.du) / r }
    }
    fn sin_cos(self) -> (Dual<F>, Dual<F>) {
        (self.sin(), self.cos())
    }
    fn integer_decode(self) -> (u64, i16, i8) {
        self.re.integer_decode()
    }
}
