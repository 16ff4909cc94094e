//! Settings that the macro itself needs to understand.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss, shards = 0)]
fn no_shards(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss, shards = COUNT, name = 3)]
fn not_literal(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss, shards = 5000, name = "two words", crate = "path")]
fn not_names(x: f64) -> f64 {
    x
}

fn main() {}
