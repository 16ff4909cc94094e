//! How trained states are reached.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss, train(steps = 3, learning_rate = 0.1, update = adam(0.1)))]
fn both(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss, train(step = 3, lr = 0.1, foo = 2, steps, update =))]
fn misspelt(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss, train(steps = 3, steps = 4))]
fn twice(x: f64) -> f64 {
    x
}

fn main() {}
