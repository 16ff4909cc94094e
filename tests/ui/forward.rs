//! Forwards that cannot be expanded, or cannot be called.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = { let y = f(&x)?; if y < 0.0 { return 0.0; } y })]
fn leaves(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = x.iter().map(|x| -> Option<f64> { return Some(Some(x)?) }).sum(), gradient = g(&x)?)]
fn only_the_gradient_leaves(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = { loss(&x); })]
fn no_tail(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = {})]
fn empty(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), y in normal(3), forward = |x| x)]
fn other_arguments(x: f64, y: f64) -> f64 {
    x + y
}

fn main() {}
