//! Arguments that nothing gives.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss)]
fn unbound(x: f64, y: f64) -> f64 {
    x + y
}

#[gradcheck(x in normal(3), forward = { let (out, cahce) = f(&x); out }, cotangent = dout)]
fn misspelt(dout: f64, cache: f64) -> f64 {
    dout + cache
}

#[gradcheck(x in normal(3), forward = loss(&x))]
fn patterns((a, b): (f64, f64), _: f64, [x, ..]: [f64; 3]) -> f64 {
    a + b + x
}

#[gradcheck(x in normal(3), forward = loss, gradient = forward_needs_it(&x, 1.0))]
fn forward_needs_it(x: f64, y: f64) -> f64 {
    x + y
}

fn main() {}
