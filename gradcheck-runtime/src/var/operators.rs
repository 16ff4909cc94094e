//! Arithmetic and comparison.
use std::cmp::Ordering;
use std::iter::{Product, Sum};
use std::ops::{
    Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign,
};

use ndarray::{Array, ArrayBase, Data, DataMut, DataOwned, Dimension};

use super::tape::{self, Event, bound_of_product};
use super::{CONSTANT, U, Var};

/// Error of one rounding to `re`. Below the smallest normal number roundings are absolute.
#[inline]
pub(super) fn rounding(re: f64, units: f64) -> f64 {
    let error = units * U * re.abs();
    if re.abs() < f64::MIN_POSITIVE && re != 0.0 { error + units * TINY } else { error }
}

/// [`rounding`] of a result whose zero may be an underflow.
#[inline]
pub(super) fn rounding_or_underflow(re: f64, units: f64) -> f64 {
    if re == 0.0 { units * TINY } else { rounding(re, units) }
}

/// The smallest positive number.
const TINY: f64 = f64::from_bits(1);

/// What rounding took from `a + b`, exactly (Knuth's TwoSum).
#[inline]
fn lost(a: f64, b: f64, sum: f64) -> f64 {
    let b_kept = sum - a;
    let a_kept = sum - b_kept;
    ((a - a_kept) + (b - b_kept)).abs()
}

impl Var {
    /// A sum or difference: `b` is the second operand as it enters, `sign` the derivative by it.
    #[inline]
    fn added(self, other: Var, b: f64, sign: f64) -> Var {
        let re = self.re + b;
        if other.is_exactly(0.0) {
            return Var { re, ..self };
        }
        if self.is_exactly(0.0) && (sign == 1.0 || other.tape == CONSTANT) {
            return Var { re, ..other };
        }
        let error = self.error + other.error + lost(self.re, b, re);
        if self.tape | other.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        tape::record2(re, error, self.edge(1.0, 0.0), other.edge(sign, 0.0))
    }

    #[inline]
    fn plus(self, other: Var) -> Var {
        self.added(other, other.re, 1.0)
    }

    #[inline]
    fn minus(self, other: Var) -> Var {
        self.added(other, -other.re, -1.0)
    }

    #[inline]
    fn negated(self) -> Var {
        if self.tape == CONSTANT {
            return Var { re: -self.re, ..self };
        }
        tape::record1(-self.re, self.error, self.edge(-1.0, 0.0), false)
    }

    #[inline]
    fn times(self, other: Var) -> Var {
        let (a, b) = (self, other);
        let re = a.re * b.re;
        if b.is_exactly(1.0) {
            return a;
        }
        if a.is_exactly(1.0) {
            return b;
        }
        if a.is_exactly(0.0) || b.is_exactly(0.0) {
            return Var::constant(re);
        }
        let mut error = if a.re != 0.0 && b.re != 0.0 {
            rounding_or_underflow(re, 1.0)
        } else {
            // Exact.
            0.0
        };
        error += bound_of_product(a.error, b.re.abs() + b.error) + bound_of_product(a.re, b.error);
        if a.tape | b.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        tape::record2(re, error, a.edge(b.re, b.error), b.edge(a.re, a.error))
    }

    #[inline]
    fn over(self, other: Var) -> Var {
        let (a, b) = (self, other);
        let re = a.re / b.re;
        if b.is_exactly(1.0) {
            return a;
        }
        if a.is_exactly(0.0) && b.re != 0.0 {
            return Var::constant(re);
        }
        let inverse = 1.0 / b.re;
        let size = inverse.abs();
        // Relative error of the divisor.
        let relative = bound_of_product(b.error, size);
        let by_b = re.abs() * relative;
        let by_a = bound_of_product(a.error, size);
        let mut error = if a.re == 0.0 { 0.0 } else { rounding_or_underflow(re, 1.0) };
        error += (by_a + by_b) * (1.0 + relative);
        if a.tape | b.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        let partial = -re * inverse;
        tape::record2(
            re,
            error,
            a.edge(inverse, size * relative + U * size),
            b.edge(partial, (by_a + 2.0 * by_b) * size + 3.0 * U * partial.abs()),
        )
    }

    /// The remainder towards zero: `a - trunc(a / b) b`, which has no rounding error of its own.
    fn modulo(self, other: Var) -> Var {
        let (a, b) = (self, other);
        let re = a.re % b.re;
        let quotient = ((a.re - re) / b.re).round();
        let error = a.error + bound_of_product(quotient, b.error);
        if a.tape | b.tape == CONSTANT {
            return Var::inexact(re, error);
        }
        if re == 0.0 && a.re != 0.0 {
            tape::note(Event::Kink, "%", a.re);
        } else if quotient != 0.0 && re.abs() <= error || b.re.abs() - re.abs() <= error {
            tape::note(Event::NearTie, "%", a.re);
        }
        // Beyond 2^53 the quotient is a rounded one.
        let slack = if quotient.abs() < 1.0 / U { 0.0 } else { 2.0 * U * quotient.abs() };
        tape::record2(re, error, a.edge(1.0, 0.0), b.edge(-quotient, slack))
    }

    /// Counts a comparison that the values do not settle. A value beside itself is no tie.
    #[inline]
    pub(super) fn compared(self, other: Var, operation: &'static str) {
        if self.tape | other.tape == CONSTANT {
            return;
        }
        if self.re == other.re {
            if (self.tape, self.id) != (other.tape, other.id) {
                tape::note(Event::Tie, operation, self.re);
            }
        } else if (self.re - other.re).abs() <= self.error + other.error {
            tape::note(Event::NearTie, operation, self.re);
        }
    }
}

// Not `#[inline]`: they run in test builds, where the user's crate is seldom optimised and its
// dependencies often are. Inlined they take four times as long there.
macro_rules! operator {
    ($trait:ident $method:ident $assign:ident $assign_method:ident $name:ident) => {
        impl $trait for Var {
            type Output = Var;
            fn $method(self, other: Var) -> Var {
                self.$name(other)
            }
        }
        operator!(@binary $trait $method $name: [] Var, [*] &Var);
        operator!(@binary $trait $method $name: [*] &Var, [] Var);
        operator!(@binary $trait $method $name: [*] &Var, [*] &Var);
        operator!(@binary $trait $method $name: [] Var, [] f64);
        operator!(@binary $trait $method $name: [] Var, [*] &f64);
        operator!(@binary $trait $method $name: [*] &Var, [] f64);
        operator!(@binary $trait $method $name: [*] &Var, [*] &f64);
        operator!(@binary $trait $method $name: [] f64, [] Var);
        operator!(@binary $trait $method $name: [] f64, [*] &Var);
        operator!(@binary $trait $method $name: [*] &f64, [] Var);
        operator!(@binary $trait $method $name: [*] &f64, [*] &Var);
        operator!(@assign $assign $assign_method $name: [] Var);
        operator!(@assign $assign $assign_method $name: [*] &Var);
        operator!(@assign $assign $assign_method $name: [] f64);
        operator!(@assign $assign $assign_method $name: [*] &f64);

        /// As `ndarray` has it for `f64`: a scalar on the left of an array.
        impl<S: DataOwned<Elem = Var> + DataMut, D: Dimension> $trait<ArrayBase<S, D>> for Var {
            type Output = ArrayBase<S, D>;
            fn $method(self, mut other: ArrayBase<S, D>) -> ArrayBase<S, D> {
                other.map_inplace(|x| *x = self.$name(*x));
                other
            }
        }
        impl<S: Data<Elem = Var>, D: Dimension> $trait<&ArrayBase<S, D>> for Var {
            type Output = Array<Var, D>;
            fn $method(self, other: &ArrayBase<S, D>) -> Array<Var, D> {
                other.map(|&x| self.$name(x))
            }
        }
    };
    (@binary $trait:ident $method:ident $name:ident: [$($a:tt)?] $A:ty, [$($b:tt)?] $B:ty) => {
        impl $trait<$B> for $A {
            type Output = Var;
            fn $method(self, other: $B) -> Var {
                Var::from($($a)? self).$name(Var::from($($b)? other))
            }
        }
    };
    (@assign $assign:ident $method:ident $name:ident: [$($b:tt)?] $B:ty) => {
        impl $assign<$B> for Var {
            fn $method(&mut self, other: $B) {
                *self = self.$name(Var::from($($b)? other));
            }
        }
    };
}

operator!(Add add AddAssign add_assign plus);
operator!(Sub sub SubAssign sub_assign minus);
operator!(Mul mul MulAssign mul_assign times);
operator!(Div div DivAssign div_assign over);
operator!(Rem rem RemAssign rem_assign modulo);

impl Neg for Var {
    type Output = Var;
    fn neg(self) -> Var {
        self.negated()
    }
}

impl Neg for &Var {
    type Output = Var;
    fn neg(self) -> Var {
        self.negated()
    }
}

impl Sum for Var {
    fn sum<I: Iterator<Item = Var>>(terms: I) -> Var {
        terms.fold(Var::constant(0.0), |sum, term| sum + term)
    }
}

impl<'a> Sum<&'a Var> for Var {
    fn sum<I: Iterator<Item = &'a Var>>(terms: I) -> Var {
        terms.copied().sum()
    }
}

impl Product for Var {
    fn product<I: Iterator<Item = Var>>(factors: I) -> Var {
        factors.fold(Var::constant(1.0), |product, factor| product * factor)
    }
}

impl<'a> Product<&'a Var> for Var {
    fn product<I: Iterator<Item = &'a Var>>(factors: I) -> Var {
        factors.copied().product()
    }
}

impl PartialEq for Var {
    fn eq(&self, other: &Var) -> bool {
        self.compared(*other, "==");
        self.re == other.re
    }
}

impl PartialOrd for Var {
    fn partial_cmp(&self, other: &Var) -> Option<Ordering> {
        self.compared(*other, "partial_cmp");
        self.re.partial_cmp(&other.re)
    }
    fn lt(&self, other: &Var) -> bool {
        self.compared(*other, "<");
        self.re < other.re
    }
    fn le(&self, other: &Var) -> bool {
        self.compared(*other, "<=");
        self.re <= other.re
    }
    fn gt(&self, other: &Var) -> bool {
        self.compared(*other, ">");
        self.re > other.re
    }
    fn ge(&self, other: &Var) -> bool {
        self.compared(*other, ">=");
        self.re >= other.re
    }
}

// The other way round, `f64 == Var`, would be a second type that an `f64` compares with, and
// `assert_eq!(x, "1".parse().unwrap())` in a user's own tests would no longer be inferred.
impl PartialEq<f64> for Var {
    fn eq(&self, other: &f64) -> bool {
        *self == Var::constant(*other)
    }
}

impl PartialOrd<f64> for Var {
    fn partial_cmp(&self, other: &f64) -> Option<Ordering> {
        self.partial_cmp(&Var::constant(*other))
    }
}
