//! Cotangents and tangents.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss(&x), cotangent = d, tangent = e)]
fn both(x: f64, d: f64, e: f64) -> f64 {
    x + d + e
}

#[gradcheck(x in normal(3), cotangent = d)]
fn no_forward(x: f64, d: f64) -> f64 {
    x + d
}

#[gradcheck(x in normal(3), tangent = d)]
fn no_forward_either(x: f64, d: f64) -> f64 {
    x + d
}

#[gradcheck(x in normal(3), forward = loss(&x), tangent = d, train(steps = 3))]
fn trained(x: f64, d: f64) -> f64 {
    x + d
}

fn main() {}
