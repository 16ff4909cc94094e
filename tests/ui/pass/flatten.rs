//! The derive meets names and generics of all kinds.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]
use gradcheck_runtime::Flatten;
use gradcheck_runtime::flatten::{Flatten as _, FlattenMut as _, Scalars, Step, Visitor};

// names that generated code might lean on
struct Option;
struct Some;
struct Result;
struct Box;
struct str;
struct bool;

#[derive(Flatten)]
struct Layer<'a, T, const N: usize>
where
    T: Copy,
{
    r#type: [T; N],
    #[flatten(rename = "b")]
    bias: &'a T,
    #[flatten(skip)]
    activation: fn(T) -> T,
    below: Vec<Layer<'a, T, N>>,
}

#[derive(Flatten)]
struct Pair(f64, #[flatten(skip)] Option, f64);

#[derive(Flatten)]
struct Borrowed<'a> {
    weight: &'a [f64],
    bias: &'a f64,
}

#[derive(Flatten)]
struct Nothing;

#[derive(gradcheck_macros::Flatten)]
struct Tested {
    a: f64,
    #[flatten(skip)]
    b: Option,
}

struct Paths(String, Vec<String>);

impl Visitor for Paths {
    fn enter(&mut self, step: Step<'_>) {
        if let Step::Field(name) = step {
            self.0.push('.');
            self.0.push_str(name);
        }
    }
    fn leave(&mut self) {
        self.0.truncate(self.0.rfind('.').unwrap_or(0));
    }
    fn block(&mut self, _: &[usize], _: &dyn Scalars) {
        self.1.push(self.0.clone());
    }
}

fn main() {
    let pair = Pair(1.0, Option, 2.0);
    let mut paths = Paths(String::new(), Vec::new());
    pair.flatten(&mut paths);
    assert_eq!(paths.1, [".0", ".2"]);
    let layer = Layer { r#type: [1.0, 2.0], bias: &3.0, activation: |x: f64| x, below: Vec::new() };
    let mut paths = Paths(String::new(), Vec::new());
    layer.flatten(&mut paths);
    assert_eq!(paths.1, [".type", ".b"]);
    let _ = Pair::flatten_mut;
    Borrowed { weight: &[1.0], bias: &2.0 }.flatten(&mut paths);
    Nothing.flatten(&mut paths);
}
