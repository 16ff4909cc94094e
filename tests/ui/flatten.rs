//! `#[derive(Flatten)]`.
use gradcheck_runtime::Flatten;

#[derive(Flatten)]
enum Either {
    Left(f64),
}

#[derive(Flatten)]
union Overlapping {
    a: f64,
}

#[derive(Flatten)]
#[flatten(skip)]
struct Options {
    #[flatten(skp)]
    a: f64,
    #[flatten(rename = 3)]
    b: f64,
    #[flatten(skip, rename = "d")]
    c: f64,
    #[flatten(crate = other)]
    e: f64,
}

#[derive(Flatten)]
struct SameNames {
    a: f64,
    #[flatten(rename = "a")]
    b: f64,
}

fn main() {}
