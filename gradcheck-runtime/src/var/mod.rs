//! [`Var`], a scalar that remembers how it was computed: reverse-mode differentiation of any
//! function that is generic over [`num_traits::Float`].
//!
//! Every operation on a variable appends a node to the thread's [`Tape`]; one sweep back over the
//! tape gives the derivative with respect to every variable, to rounding and without a step.
//!
//! # How much of it is rounding
//!
//! A derivative is only as good as the values it is formed from: after `ln(exp(z) + 1) - z` at
//! z = 40, or `1 - sigmoid(z)`, little is left of it. So each value carries a running bound on its
//! own rounding error, and [`Tape::sweep`] returns a bound with every component. With u the unit
//! roundoff (2^-53), e the errors of the operands and p the partial derivatives,
//!
//! - the value of an operation is off by `sum |p| e + c u |value|`, where c covers the operation's
//!   own rounding: what a sum really lost (found by an error-free transformation), 1 for products
//!   and roots, 4 for library functions (measured: 2.1 at most);
//! - a partial derivative is off by what the operands' errors change in it, `sum |p'| e` with the
//!   second derivatives p', and by the roundings of its formula;
//! - the sweep carries an error beside each adjoint.
//!
//! This is running error analysis (Wilkinson; Higham, *Accuracy and Stability of Numerical
//! Algorithms*, section 3.3) carried over to the reverse sweep: first order in the errors, except
//! where a second-order term costs nothing. Variables and constants count as exact.
//!
//! # Second derivatives
//!
//! [`gradient_of`] and [`slope_of`] run a function on [`Dual`] numbers over any scalar. Over this one,
//! the sweep gives the derivative of a derivative.
//!
//! # Where there is no derivative
//!
//! Comparisons are decided by the values. What that may hide is counted, see [`Event`]: none of
//! it makes a derivative wrong, but one that disagrees may then be no error. At a tie `max` and `min`
//! choose the constant, so that `z.max(0)` and `0.max(z)` both have the derivative 0 at zero; `abs`
//! has it too. Rounding functions are constants; so is a product with a constant zero.
mod convert;
mod dual;
mod float;
mod operators;
mod tape;

use std::fmt;

pub use dual::{Dual, Lift, gradient_of, slope_of};
pub use tape::{Counts, Event, Note, Sweep, Tape};

use crate::flatten::{self, flatten_scalars};
use tape::Edge;

/// Unit roundoff.
const U: f64 = f64::EPSILON / 2.0;

/// Tag of a value that depends on no variable.
const CONSTANT: u32 = 0;

/// Tag of a value that depends on variables of some other tape.
const ELSEWHERE: u32 = u32::MAX;

/// A real number on the thread's [`Tape`], or a constant.
///
/// It stands in for `f64` wherever code is generic: all of [`num_traits::Float`] and its
/// relations, operators with itself and with `f64` on either side, and `ndarray`'s linear algebra.
/// Its values are those of `f64`, bit for bit. Comparing with `==` compares values.
///
/// A `Var` may be sent to another thread, where constants compute as they do here; what depends on
/// a variable is counted there as [`Event::Foreign`], and again when it comes back.
#[derive(Clone, Copy)]
pub struct Var {
    re: f64,
    /// Bound on the rounding error of `re`.
    error: f64,
    id: u32,
    /// Tag of the tape that `id` is a position on.
    tape: u32,
}

impl Var {
    /// A number that no derivative is taken of.
    #[inline]
    pub const fn constant(value: f64) -> Var {
        Var { re: value, error: 0.0, id: u32::MAX, tape: CONSTANT }
    }

    /// A new independent variable on the thread's tape.
    pub fn variable(value: f64) -> Var {
        tape::variable(value)
    }

    /// The value. Unlike `to_f64`, reading it is not counted as a dropped derivative.
    #[inline]
    pub const fn value(self) -> f64 {
        self.re
    }

    /// Bound on the rounding error of the value.
    pub fn error(self) -> f64 {
        tape::known(self.error)
    }

    /// Whether the value depends on no variable.
    #[inline]
    pub const fn is_constant(self) -> bool {
        self.tape == CONSTANT
    }

    /// Position on the thread's tape; `None` for a constant, and, counted as [`Event::Foreign`],
    /// for a value of another tape.
    pub fn tape_id(self) -> Option<u32> {
        tape::position(self)
    }

    /// The constant `value`, known to within `error`.
    #[inline]
    fn inexact(value: f64, error: f64) -> Var {
        Var { re: value, error, id: u32::MAX, tape: CONSTANT }
    }

    /// Whether this is the constant `value`, without an error.
    #[inline]
    fn is_exactly(self, value: f64) -> bool {
        self.tape == CONSTANT && self.error == 0.0 && self.re == value
    }

    /// As an operand.
    #[inline]
    fn edge(self, partial: f64, slack: f64) -> Edge {
        Edge { operand: self, partial, slack }
    }
}

impl flatten::Scalar for Var {
    const ROUNDOFF: f64 = U;
    fn to_f64(self) -> f64 {
        self.re
    }
    /// A new independent variable.
    fn from_f64(value: f64) -> Var {
        Var::variable(value)
    }
    fn tape_id(self) -> Option<u32> {
        tape::position(self)
    }
}

flatten_scalars!(Var);

impl ndarray::ScalarOperand for Var {}
impl ndarray::NdFloat for Var {}

macro_rules! formats {
    ($($format:ident),*) => {$(
        impl fmt::$format for Var {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::$format::fmt(&self.re, f)
            }
        }
    )*};
}

formats!(Display, Debug, LowerExp, UpperExp);
