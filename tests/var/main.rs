//! The tape scalar `Var`: values, derivatives, error bounds and counters, against closed forms in
//! twice the precision, against another kind of automatic differentiation (num-dual), and against
//! twins that are wrong on purpose.
#![allow(clippy::type_complexity)] // Tables of functions.

mod arrays;
mod bounds;
mod counters;
mod dd;
mod functions;
mod operators;

use gradcheck_runtime::var::{Sweep, Tape, Var};

/// A value computed on the tape, and what the sweep says of it.
#[derive(Clone, Debug)]
struct Taped {
    value: f64,
    sweep: Sweep,
}

impl Taped {
    /// Derivative with respect to the only variable.
    fn derivative(&self) -> f64 {
        assert_eq!(self.sweep.gradient.len(), 1);
        self.sweep.gradient[0]
    }
}

/// Runs `f` on a new tape at the point `x`.
fn taped(f: impl FnOnce(&[Var]) -> Var, x: &[f64]) -> Taped {
    Tape::reset();
    let variables: Vec<Var> = x.iter().map(|&x| Var::variable(x)).collect();
    let y = f(&variables);
    // A result that depends on nothing has no place on the tape.
    let outputs: Vec<(u32, f64)> = y.tape_id().map(|id| (id, 1.0)).into_iter().collect();
    Taped { value: y.value(), sweep: Tape::sweep(&outputs) }
}

/// `taped` of one variable.
fn taped1(f: impl FnOnce(Var) -> Var, x: f64) -> Taped {
    taped(|x| f(x[0]), &[x])
}

/// Distance of `a` from `b` in units in the last place of `b`; none between two NaN.
fn ulps(a: f64, b: f64) -> f64 {
    if a == b || a.is_nan() && b.is_nan() {
        return 0.0;
    }
    if !a.is_finite() || !b.is_finite() {
        return f64::INFINITY;
    }
    let ulp = f64::from_bits(b.abs().to_bits() + 1) - b.abs();
    (a - b).abs() / ulp
}

/// SplitMix64: points that are the same on every machine.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[low, high)`.
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Magnitude uniform in its exponent.
    fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        self.uniform(low.ln(), high.ln()).exp()
    }

    /// As `magnitude`, of either sign.
    fn signed(&mut self, low: f64, high: f64) -> f64 {
        let x = self.magnitude(low, high);
        if self.bits().is_multiple_of(2) { x } else { -x }
    }
}
