//! Options that are misspelt, misshapen or given twice.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forwrd = loss)]
fn misspelt(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), loss = |x| x, tol = 1e-6)]
fn of_another_trade(x: f64) -> f64 {
    x
}

#[gradcheck(x in 0.0..1.0, y = normal(3), frobnicate(x), zzz, forward = loss)]
fn unknown(x: f64) -> f64 {
    x
}

#[gradcheck(x in 0.0..1.0, forward = loss, forward = other, seed = 1, seed = 2, ignore, ignore)]
fn twice(x: f64) -> f64 {
    x
}

#[gradcheck(x in 0.0..1.0, forward(loss), dims = 3, wrt, train(), learning_rate = 0.1)]
fn misshapen(x: f64) -> f64 {
    x
}

#[gradcheck(x in 0.0..1.0, forward =, tolerance = , ignore = 3)]
fn unfinished(x: f64) -> f64 {
    x
}

#[gradcheck(x in 0.0..1.0 forward = loss)]
fn without_comma(x: f64) -> f64 {
    x
}

fn main() {}
