//! What the gradient is taken with respect to.
use gradcheck_macros::gradcheck;

#[gradcheck(weights in normal(3), forward = loss(&weights), wrt = weihgts)]
fn misspelt(weights: f64) -> f64 {
    weights
}

#[gradcheck(dims(n in 1..=3), x in normal(n), forward = loss, wrt = (x, n, y.z, x))]
fn not_draws(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = { let y = x.exp(); y.sum() }, wrt = (y, &x, f(x)))]
fn not_places(y: f64) -> f64 {
    y
}

#[gradcheck(x in normal(3), forward = loss, wrt = ())]
fn none(x: f64) -> f64 {
    x
}

#[gradcheck(w in normal([2, 3]), b in normal(2), forward = loss)]
fn only_one(w: &Array2<f64>, b: &Array1<f64>) -> (Array2<f64>, Array1<f64>) {
    (w.clone(), b.clone())
}

fn main() {}
