//! What is drawn, and by which name.
use gradcheck_macros::gradcheck;

#[gradcheck]
fn nothing_said(x: f64) -> f64 {
    x
}

#[gradcheck(forward = loss)]
fn nothing_drawn() -> f64 {
    0.0
}

#[gradcheck(dims(n in 1..=3), forward = n as f64)]
fn only_dims() -> f64 {
    0.0
}

#[gradcheck(dims(n, m in), x in normal(n), forward = loss)]
fn dims_without_ranges(x: f64) -> f64 {
    x
}

#[gradcheck(x normal(3), y: Array1<f64>, z in, 5 in 0..6, forward = loss)]
fn not_draws(x: f64) -> f64 {
    x
}

#[gradcheck(x, wrt in, forwrd in 0..6, forward 0..3)]
fn half_a_draw(x: f64) -> f64 {
    x
}

#[gradcheck(dims(n in 1..=3), x in normal(n), (x, n) in pair(), forward = loss(&x), cotangent = x)]
fn bound_twice(x: f64) -> f64 {
    x
}

#[gradcheck(dims(n in 1..=3, m in n..=4), x in normal(3), k in 0..3, _spare in 0..3, forward = loss)]
fn not_used(x: f64) -> f64 {
    x
}

#[gradcheck(self in dense(), x in 0.0..1.0, forward = loss)]
fn no_method(x: f64) -> f64 {
    x
}

fn main() {}
