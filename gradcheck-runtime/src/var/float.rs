//! The functions of `num_traits::Float`, with their first and second derivatives.
use std::f64::consts::{LN_2, LN_10, LOG2_E, LOG10_E};
use std::num::FpCategory;

use num_traits::float::TotalOrder;
use num_traits::{Euclid, Float, Inv, MulAdd, MulAddAssign, Pow, Signed};

use super::operators::{rounding, rounding_or_underflow};
use super::tape::{self, Edge, Event, bound_of_product};
use super::{CONSTANT, U, Var};

/// Rounding error of a library function in units of u: twice the largest measured (glibc's
/// `tanh`, 2.1), since platforms differ.
const LIBRARY: f64 = 4.0;

/// A derivative and its own.
struct Slope {
    first: f64,
    second: f64,
    /// Roundings of `first`, in units of u.
    units: f64,
    /// Whether the operand is a pure number, and so the result: what is off by 1e-16 of one.
    pure: bool,
}

impl Slope {
    fn new(first: f64, second: f64, units: f64) -> Slope {
        Slope { first, second, units, pure: false }
    }

    fn of_pure_number(first: f64, second: f64, units: f64) -> Slope {
        Slope { first, second, units, pure: true }
    }
}

/// How far a function is off when its operand is off by `error`.
#[inline]
fn spread(first: f64, second: f64, error: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error * (first.abs() + 0.5 * second.abs() * error) }
}

impl Var {
    /// `re` = f(self), computed to within `local`.
    #[inline]
    fn unary(self, name: &'static str, re: f64, local: f64, slope: Slope) -> Var {
        let Slope { first, second, units, pure } = slope;
        let error = spread(first, second, self.error) + local;
        let slack = bound_of_product(second, self.error) + units * U * first.abs();
        self.unary_within(name, re, error, self.edge(first, slack), pure)
    }

    /// `re` = f(self), known to within `error`, with its derivative and what that is off by.
    #[inline]
    fn unary_within(
        self,
        name: &'static str,
        re: f64,
        error: f64,
        edge: Edge,
        of_pure_number: bool,
    ) -> Var {
        if self.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        if !edge.partial.is_finite() && re.is_finite() {
            tape::note(Event::Singular, name, self.re);
        }
        tape::record1(re, error, edge, of_pure_number)
    }

    /// `re` = f(self, other), known to within `error`; derivatives and their bounds by operand.
    fn binary(
        self,
        name: &'static str,
        other: Var,
        re: f64,
        error: f64,
        partials: [f64; 2],
        slacks: [f64; 2],
    ) -> Var {
        if self.tape | other.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        let singular = !self.is_constant() && !partials[0].is_finite()
            || !other.is_constant() && !partials[1].is_finite();
        if singular && re.is_finite() {
            tape::note(Event::Singular, name, self.re);
        }
        tape::record2(
            re,
            error,
            self.edge(partials[0], slacks[0]),
            other.edge(partials[1], slacks[1]),
        )
    }

    /// Counts a kink at `distance` from here.
    #[inline]
    fn kink(self, name: &'static str, distance: f64) {
        if self.tape == CONSTANT {
            return;
        }
        if distance == 0.0 {
            tape::note(Event::Kink, name, self.re);
        } else if distance <= self.error {
            tape::note(Event::NearTie, name, self.re);
        }
    }

    /// Counts a step function at `distance` from its jump.
    fn stepped(self, name: &'static str, distance: f64) {
        self.kink(name, distance);
        self.discretised(name);
    }

    /// Distance to the nearest integer; at zero, where `trunc` is smooth, to the nearest other.
    fn to_jump_of_trunc(self) -> f64 {
        if self.re.abs() < 0.5 { 1.0 } else { (self.re - self.re.round()).abs() }
    }

    fn to_integer(self) -> f64 {
        (self.re - self.re.round()).abs()
    }

    fn extreme(self, other: Var, name: &'static str, takes_self: bool) -> Var {
        if self.re.is_nan() {
            return other;
        }
        if other.re.is_nan() {
            return self;
        }
        self.compared(other, name);
        if self.re == other.re {
            if other.is_constant() { other } else { self }
        } else if takes_self {
            self
        } else {
            other
        }
    }

    /// `self^n` for a real n.
    fn power(self, n: Var) -> Var {
        let (a, b) = (self.re, n.re);
        let re = a.powf(b);
        if n.is_exactly(0.0) {
            return Var::constant(re);
        }
        let log = a.abs().ln();
        // a^(b - 1), without a rounding of b - 1 where possible: it would be magnified by ln a.
        let (reduced, units) = if b == 1.0 {
            (1.0, 0.0)
        } else if re.is_normal() && a.is_finite() {
            (re / a, LIBRARY + 2.0)
        } else {
            (a.powf(b - 1.0), LIBRARY + 2.0 + bound_of_product(log, b - 1.0))
        };
        let by_a = if b == 0.0 { 0.0 } else { b * reduced };
        let by_b = if a < 0.0 {
            // No power of a negative number but the integers is real.
            f64::NAN
        } else if a == 0.0 && b > 0.0 {
            0.0
        } else {
            re * log
        };
        let (by_aa, by_ab, by_bb) = if self.error == 0.0 && n.error == 0.0 {
            (0.0, 0.0, 0.0)
        } else {
            let by_aa = match b {
                0.0 | 1.0 => 0.0,
                _ if a == 0.0 => b * (b - 1.0) * a.powf(b - 2.0),
                _ => by_a * (b - 1.0) / a,
            };
            let by_ab = match b {
                0.0 => 1.0 / a,
                _ => bound_of_product(reduced, 1.0 + b * log),
            };
            (by_aa, by_ab, bound_of_product(by_b, log))
        };
        let (ea, eb) = (self.error, n.error);
        let local = if a == 1.0 || b == 0.0 || b == 1.0 {
            0.0
        } else if a == 0.0 {
            rounding(re, LIBRARY)
        } else {
            rounding_or_underflow(re, LIBRARY)
        };
        let error = spread(by_a, by_aa, ea)
            + spread(by_b, by_bb, eb)
            + bound_of_product(by_ab, ea * eb)
            + local;
        let slacks = [
            bound_of_product(by_aa, ea) + bound_of_product(by_ab, eb) + units * U * by_a.abs(),
            bound_of_product(by_ab, ea)
                + bound_of_product(by_bb, eb)
                + (2.0 * LIBRARY + 1.0) * U * by_b.abs(),
        ];
        self.binary("powf", n, re, error, [by_a, by_b], slacks)
    }

    /// `self - trunc(self / other) other`, moved up by one divisor if negative.
    fn least_remainder(self, other: Var) -> Var {
        let r = self % other;
        if self.re == 0.0 {
            self.kink("rem_euclid", 0.0);
        }
        if r.re < 0.0 { if other.re > 0.0 { r + other } else { r - other } } else { r }
    }

    fn absolute(self) -> Var {
        self.kink("abs", self.re.abs());
        if self.re > 0.0 || self.re.is_nan() {
            self
        } else if self.re < 0.0 {
            -self
        } else {
            Var::inexact(0.0, self.error)
        }
    }
}

/// Derivatives of `Float`'s functions. Values are those of `f64`'s functions, bit for bit.
impl Float for Var {
    fn nan() -> Var {
        Var::constant(f64::NAN)
    }
    fn infinity() -> Var {
        Var::constant(f64::INFINITY)
    }
    fn neg_infinity() -> Var {
        Var::constant(f64::NEG_INFINITY)
    }
    fn neg_zero() -> Var {
        Var::constant(-0.0)
    }
    fn min_value() -> Var {
        Var::constant(f64::MIN)
    }
    fn min_positive_value() -> Var {
        Var::constant(f64::MIN_POSITIVE)
    }
    fn max_value() -> Var {
        Var::constant(f64::MAX)
    }
    fn epsilon() -> Var {
        Var::constant(f64::EPSILON)
    }
    fn is_nan(self) -> bool {
        self.re.is_nan()
    }
    fn is_infinite(self) -> bool {
        self.re.is_infinite()
    }
    fn is_finite(self) -> bool {
        self.re.is_finite()
    }
    fn is_normal(self) -> bool {
        self.re.is_normal()
    }
    fn classify(self) -> FpCategory {
        self.re.classify()
    }

    fn floor(self) -> Var {
        self.stepped("floor", self.to_integer());
        Var::constant(self.re.floor())
    }
    fn ceil(self) -> Var {
        self.stepped("ceil", self.to_integer());
        Var::constant(self.re.ceil())
    }
    fn round(self) -> Var {
        self.stepped("round", (self.re.fract().abs() - 0.5).abs());
        Var::constant(self.re.round())
    }
    fn trunc(self) -> Var {
        self.stepped("trunc", self.to_jump_of_trunc());
        Var::constant(self.re.trunc())
    }
    fn fract(self) -> Var {
        self.kink("fract", self.to_jump_of_trunc());
        // Exact, since what is subtracted shares its leading digits.
        self.unary("fract", self.re.fract(), 0.0, Slope::new(1.0, 0.0, 0.0))
    }
    fn abs(self) -> Var {
        self.absolute()
    }
    fn signum(self) -> Var {
        self.kink("signum", self.re.abs());
        Var::constant(self.re.signum())
    }
    fn is_sign_positive(self) -> bool {
        self.kink("is_sign_positive", self.re.abs());
        self.re.is_sign_positive()
    }
    fn is_sign_negative(self) -> bool {
        self.kink("is_sign_negative", self.re.abs());
        self.re.is_sign_negative()
    }
    fn copysign(self, sign: Var) -> Var {
        self.kink("copysign", self.re.abs());
        sign.kink("copysign", sign.re.abs());
        if self.re.is_sign_negative() == sign.re.is_sign_negative() { self } else { -self }
    }

    fn mul_add(self, a: Var, b: Var) -> Var {
        let re = self.re.mul_add(a.re, b.re);
        let by_factors = bound_of_product(a.re, self.error)
            + bound_of_product(self.re, a.error)
            + bound_of_product(self.error, a.error);
        let error = by_factors + b.error + rounding(re, 1.0);
        if self.tape | a.tape == CONSTANT {
            return b.unary_within("mul_add", re, error, b.edge(1.0, 0.0), false);
        }
        // Two nodes, but one rounding: the product is known better than its value tells.
        let product = self.re * a.re;
        let (first, second) = (self.edge(a.re, a.error), a.edge(self.re, self.error));
        if b.is_constant() {
            return tape::record2(re, error, first, second);
        }
        let product = tape::record2(product, by_factors, first, second);
        tape::record2(re, error, product.edge(1.0, 0.0), b.edge(1.0, 0.0))
    }
    fn recip(self) -> Var {
        let re = self.re.recip();
        let first = -re * re;
        let slope = Slope::new(first, -2.0 * first * re, 3.0);
        self.unary("recip", re, rounding(re, 1.0), slope)
    }
    fn powi(self, n: i32) -> Var {
        let x = self.re;
        let re = x.powi(n);
        let power = f64::from(n);
        // Where n - 1 is no `i32` the rounding of the power is the least of all worries.
        let reduced = |by: i32| x.powi(n.saturating_sub(by));
        let (first, second) = match n {
            0 => return Var::constant(re),
            1 => return self,
            2 => (2.0 * x, 2.0),
            _ => (power * reduced(1), power * (power - 1.0) * reduced(2)),
        };
        let local = if x == 0.0 { 0.0 } else { rounding_or_underflow(re, power.abs()) };
        let units = if n == 2 { 0.0 } else { power.abs() + 2.0 };
        self.unary("powi", re, local, Slope::new(first, second, units))
    }
    fn powf(self, n: Var) -> Var {
        self.power(n)
    }
    fn sqrt(self) -> Var {
        let re = self.re.sqrt();
        let first = 0.5 / re;
        let second = -0.5 * first / self.re;
        // However near to zero, a root moves by no more than the root of the change.
        let error = spread(first, second, self.error).min(self.error.sqrt()) + rounding(re, 1.0);
        let slack = bound_of_product(second, self.error) + 3.0 * U * first;
        self.unary_within("sqrt", re, error, self.edge(first, slack), false)
    }
    fn cbrt(self) -> Var {
        let re = self.re.cbrt();
        let first = 1.0 / (3.0 * re * re);
        let second = -2.0 * first / (3.0 * self.re);
        let local = rounding(re, LIBRARY);
        self.unary("cbrt", re, local, Slope::new(first, second, 2.0 * LIBRARY + 4.0))
    }
    fn exp(self) -> Var {
        let re = self.re.exp();
        let local = rounding_or_underflow(re, LIBRARY);
        self.unary("exp", re, local, Slope::of_pure_number(re, re, LIBRARY))
    }
    fn exp2(self) -> Var {
        let re = self.re.exp2();
        let first = re * LN_2;
        let local = rounding_or_underflow(re, LIBRARY);
        self.unary("exp2", re, local, Slope::of_pure_number(first, first * LN_2, LIBRARY + 2.0))
    }
    fn exp_m1(self) -> Var {
        let re = self.re.exp_m1();
        let first = self.re.exp();
        self.unary(
            "exp_m1",
            re,
            rounding(re, LIBRARY),
            Slope::of_pure_number(first, first, LIBRARY),
        )
    }
    fn ln(self) -> Var {
        let re = self.re.ln();
        let first = 1.0 / self.re;
        self.unary("ln", re, rounding(re, LIBRARY), Slope::new(first, first * first, 1.0))
    }
    fn log2(self) -> Var {
        let re = self.re.log2();
        let first = 1.0 / self.re * LOG2_E;
        let local = rounding(re, LIBRARY);
        self.unary("log2", re, local, Slope::new(first, first * first * LN_2, 3.0))
    }
    fn log10(self) -> Var {
        let re = self.re.log10();
        let first = 1.0 / self.re * LOG10_E;
        let local = rounding(re, LIBRARY);
        self.unary("log10", re, local, Slope::new(first, first * first * LN_10, 3.0))
    }
    fn ln_1p(self) -> Var {
        let re = self.re.ln_1p();
        let first = 1.0 / (1.0 + self.re);
        self.unary(
            "ln_1p",
            re,
            rounding(re, LIBRARY),
            Slope::of_pure_number(first, first * first, 2.0),
        )
    }
    fn log(self, base: Var) -> Var {
        let (x, b) = (self.re, base.re);
        let re = x.log(b);
        let log = b.ln();
        let by_x = 1.0 / log / x;
        // The logarithm to the base 0 is 0, and leaves it steeply.
        let by_b = if b == 0.0 { re.signum() * f64::INFINITY } else { -re / log / b };
        let by_xx = by_x / x;
        let by_xb = by_x / log / b;
        let by_bb = by_b * (log + 2.0) / log / b;
        let (ex, eb) = (self.error, base.error);
        let units = 2.0 * LIBRARY + 1.0;
        let error = spread(by_x, by_xx, ex)
            + spread(by_b, by_bb, eb)
            + bound_of_product(by_xb, ex * eb)
            + rounding(re, units);
        let slacks = [
            bound_of_product(by_xx, ex)
                + bound_of_product(by_xb, eb)
                + (LIBRARY + 2.0) * U * by_x.abs(),
            bound_of_product(by_xb, ex)
                + bound_of_product(by_bb, eb)
                + (units + LIBRARY + 2.0) * U * by_b.abs(),
        ];
        self.binary("log", base, re, error, [by_x, by_b], slacks)
    }
    fn to_degrees(self) -> Var {
        let re = self.re.to_degrees();
        self.unary("to_degrees", re, rounding(re, 2.0), Slope::new(1.0.to_degrees(), 0.0, 2.0))
    }
    fn to_radians(self) -> Var {
        let re = self.re.to_radians();
        self.unary("to_radians", re, rounding(re, 2.0), Slope::new(1.0.to_radians(), 0.0, 2.0))
    }

    fn max(self, other: Var) -> Var {
        self.extreme(other, "max", self.re > other.re)
    }
    fn min(self, other: Var) -> Var {
        self.extreme(other, "min", self.re < other.re)
    }
    /// # Panics
    ///
    /// When `min > max`, or one of them is NaN, as [`f64::clamp`].
    fn clamp(self, min: Var, max: Var) -> Var {
        assert!(min.re <= max.re, "min > max, or either was NaN: {min:?}, {max:?}");
        if self.re.is_nan() {
            return self;
        }
        Float::min(Float::max(self, min), max)
    }
    fn abs_sub(self, other: Var) -> Var {
        self.compared(other, "abs_sub");
        if self.re <= other.re { Var::constant(0.0) } else { self - other }
    }
    fn hypot(self, other: Var) -> Var {
        let (a, b) = (self.re, other.re);
        let re = a.hypot(b);
        if re == 0.0 {
            self.kink("hypot", 0.0);
            other.kink("hypot", 0.0);
            return Var::inexact(0.0, self.error + other.error);
        }
        // An infinite leg leaves nothing to the other.
        let share = |x: f64| {
            if re.is_finite() {
                x / re
            } else if x.is_finite() {
                0.0
            } else {
                x.signum()
            }
        };
        let (by_a, by_b) = (share(a), share(b));
        let (ea, eb) = (self.error, other.error);
        // No triangle's side changes by more than its corners move.
        let error = (spread(by_a, by_b * by_b / re, ea)
            + spread(by_b, by_a * by_a / re, eb)
            + bound_of_product(by_a * by_b, ea * eb / re))
        .min(ea + eb)
            + rounding(re, LIBRARY);
        let turn = (bound_of_product(by_b, ea) + bound_of_product(by_a, eb)) / re;
        let units = (LIBRARY + 1.0) * U;
        let slacks = [
            bound_of_product(by_b, turn) + units * by_a.abs(),
            bound_of_product(by_a, turn) + units * by_b.abs(),
        ];
        self.binary("hypot", other, re, error, [by_a, by_b], slacks)
    }
    fn sin(self) -> Var {
        let (re, first) = (self.re.sin(), self.re.cos());
        self.unary("sin", re, rounding(re, LIBRARY), Slope::of_pure_number(first, re, LIBRARY))
    }
    fn cos(self) -> Var {
        let (re, first) = (self.re.cos(), -self.re.sin());
        self.unary("cos", re, rounding(re, LIBRARY), Slope::of_pure_number(first, re, LIBRARY))
    }
    fn sin_cos(self) -> (Var, Var) {
        (Float::sin(self), Float::cos(self))
    }
    fn tan(self) -> Var {
        let re = self.re.tan();
        let first = 1.0 + re * re;
        let slope = Slope::of_pure_number(first, 2.0 * re * first, 2.0 * LIBRARY + 2.0);
        self.unary("tan", re, rounding(re, LIBRARY), slope)
    }
    fn asin(self) -> Var {
        let (x, re) = (self.re, self.re.asin());
        let first = 1.0 / ((1.0 - x) * (1.0 + x)).sqrt();
        let slope = Slope::of_pure_number(first, x * first * first * first, 4.0);
        self.unary("asin", re, rounding(re, LIBRARY), slope)
    }
    fn acos(self) -> Var {
        let (x, re) = (self.re, self.re.acos());
        let first = -1.0 / ((1.0 - x) * (1.0 + x)).sqrt();
        let slope = Slope::of_pure_number(first, x * first * first * first, 4.0);
        self.unary("acos", re, rounding(re, LIBRARY), slope)
    }
    fn atan(self) -> Var {
        let (x, re) = (self.re, self.re.atan());
        let first = if x.abs() <= 1.0 {
            1.0 / (1.0 + x * x)
        } else {
            // The square of a large x would overflow.
            let r = 1.0 / x;
            r * (r / (1.0 + r * r))
        };
        let slope = Slope::of_pure_number(first, 2.0 * (x * first) * first, 8.0);
        self.unary("atan", re, rounding(re, LIBRARY), slope)
    }
    fn atan2(self, other: Var) -> Var {
        let (y, x) = (self.re, other.re);
        let re = y.atan2(x);
        let r = y.hypot(x);
        if r == 0.0 {
            self.kink("atan2", 0.0);
            other.kink("atan2", 0.0);
            let error = if self.error + other.error == 0.0 { 0.0 } else { f64::INFINITY };
            return Var::inexact(re, error);
        }
        if x < 0.0 {
            self.kink("atan2", y.abs());
        }
        let (cos, sin) = (x / r, y / r);
        let (by_y, by_x) = (cos / r, -sin / r);
        let (ey, ex) = (self.error, other.error);
        // Second derivatives: the cosine and sine of twice the angle over r^2.
        let twice_cos = ((cos - sin) * (cos + sin)).abs() / r / r;
        let twice_sin = (2.0 * cos * sin).abs() / r / r;
        let error = spread(by_y, twice_sin, ey)
            + spread(by_x, twice_sin, ex)
            + bound_of_product(twice_cos, ey * ex)
            + rounding(re, LIBRARY);
        let units = (2.0 * LIBRARY + 2.0) * U;
        let slacks = [
            bound_of_product(twice_sin, ey) + bound_of_product(twice_cos, ex) + units * by_y.abs(),
            bound_of_product(twice_cos, ey) + bound_of_product(twice_sin, ex) + units * by_x.abs(),
        ];
        self.binary("atan2", other, re, error, [by_y, by_x], slacks)
    }
    fn sinh(self) -> Var {
        let (re, first) = (self.re.sinh(), self.re.cosh());
        self.unary("sinh", re, rounding(re, LIBRARY), Slope::of_pure_number(first, re, LIBRARY))
    }
    fn cosh(self) -> Var {
        let (re, first) = (self.re.cosh(), self.re.sinh());
        self.unary("cosh", re, rounding(re, LIBRARY), Slope::of_pure_number(first, re, LIBRARY))
    }
    fn tanh(self) -> Var {
        let re = self.re.tanh();
        // Not 1 - tanh^2, which is all rounding from 19 on.
        let sech = 1.0 / self.re.cosh();
        let first = sech * sech;
        let slope = Slope::of_pure_number(first, 2.0 * re * first, 2.0 * LIBRARY + 3.0);
        self.unary("tanh", re, rounding(re, LIBRARY), slope)
    }
    fn asinh(self) -> Var {
        let (x, re) = (self.re, self.re.asinh());
        let first = 1.0 / 1.0.hypot(x);
        let slope = Slope::of_pure_number(first, x * first * first * first, LIBRARY + 1.0);
        self.unary("asinh", re, rounding(re, LIBRARY), slope)
    }
    fn acosh(self) -> Var {
        let (x, re) = (self.re, self.re.acosh());
        let first = 1.0 / ((x - 1.0).sqrt() * (x + 1.0).sqrt());
        // The standard library takes ln(x + sqrt(x^2 - 1)): near 1 the error is absolute.
        let local = rounding(re, LIBRARY) + if x == 1.0 { 0.0 } else { LIBRARY * U };
        self.unary("acosh", re, local, Slope::of_pure_number(first, x * first * first * first, 6.0))
    }
    fn atanh(self) -> Var {
        let (x, re) = (self.re, self.re.atanh());
        let first = 1.0 / ((1.0 - x) * (1.0 + x));
        // The standard library takes ln(1 + 2x / (1 - x)) / 2, which near -1 magnifies the
        // rounding of the quotient.
        let local = rounding(re, LIBRARY) + LIBRARY * U * (2.0 * x / (1.0 + x)).abs();
        self.unary("atanh", re, local, Slope::of_pure_number(first, 2.0 * x * first * first, 4.0))
    }
    fn integer_decode(self) -> (u64, i16, i8) {
        tape::drop_derivative("integer_decode", self);
        Float::integer_decode(self.re)
    }
}

impl Signed for Var {
    fn abs(&self) -> Var {
        self.absolute()
    }
    fn abs_sub(&self, other: &Var) -> Var {
        Float::abs_sub(*self, *other)
    }
    /// As `f64` has it, zero counts as positive.
    fn signum(&self) -> Var {
        Float::signum(*self)
    }
    fn is_positive(&self) -> bool {
        self.is_sign_positive()
    }
    fn is_negative(&self) -> bool {
        self.is_sign_negative()
    }
}

impl MulAdd for Var {
    type Output = Var;
    fn mul_add(self, a: Var, b: Var) -> Var {
        Float::mul_add(self, a, b)
    }
}

impl MulAddAssign for Var {
    fn mul_add_assign(&mut self, a: Var, b: Var) {
        *self = Float::mul_add(*self, a, b);
    }
}

impl Inv for Var {
    type Output = Var;
    fn inv(self) -> Var {
        self.recip()
    }
}

impl Inv for &Var {
    type Output = Var;
    fn inv(self) -> Var {
        self.recip()
    }
}

impl Euclid for Var {
    fn div_euclid(&self, divisor: &Var) -> Var {
        // Jumps where the remainder does; the remainder counts that.
        let _ = self.least_remainder(*divisor);
        Var::constant(self.re.div_euclid(divisor.re))
    }
    fn rem_euclid(&self, divisor: &Var) -> Var {
        self.least_remainder(*divisor)
    }
}

impl TotalOrder for Var {
    fn total_cmp(&self, other: &Var) -> std::cmp::Ordering {
        self.compared(*other, "total_cmp");
        self.re.total_cmp(&other.re)
    }
}

macro_rules! powers {
    ($($exponent:ty: $method:ident($of:ident) $with:expr;)*) => {$(
        impl Pow<$exponent> for Var {
            type Output = Var;
            fn pow(self, $of: $exponent) -> Var {
                self.$method($with)
            }
        }
        impl Pow<&$exponent> for Var {
            type Output = Var;
            fn pow(self, exponent: &$exponent) -> Var {
                self.pow(*exponent)
            }
        }
        impl Pow<$exponent> for &Var {
            type Output = Var;
            fn pow(self, exponent: $exponent) -> Var {
                (*self).pow(exponent)
            }
        }
        impl Pow<&$exponent> for &Var {
            type Output = Var;
            fn pow(self, exponent: &$exponent) -> Var {
                (*self).pow(*exponent)
            }
        }
    )*};
}

powers! {
    Var: powf(n) n;
    f64: powf(n) n.into();
    f32: powf(n) n.into();
    i8: powi(n) n.into();
    i16: powi(n) n.into();
    i32: powi(n) n;
    u8: powi(n) n.into();
    u16: powi(n) n.into();
}
