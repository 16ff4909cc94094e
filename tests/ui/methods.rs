//! Methods, and their impl blocks.
#![allow(unused_variables)]
use gradcheck_macros::gradcheck;

struct Dense<T> {
    weight: T,
}

impl Dense<f64> {
    #[gradcheck(self in dense(), x in 0.0..1.0, forward = self.forward(x))]
    fn no_attribute_outside(&self, x: f64) -> f64 {
        self.weight * x
    }

    #[gradcheck(x in 0.0..1.0, forward = x)]
    fn constructor(x: f64) -> Self {
        Dense { weight: x }
    }
}

#[gradcheck]
impl Dense<f64> {
    #[gradcheck(x in 0.0..1.0, forward = x)]
    fn self_not_drawn(&self, x: f64) -> f64 {
        self.weight * x
    }

    #[gradcheck(self: Dense<f64> in dense(), self in dense(), x in 0.0..1.0, forward = x)]
    fn self_twice(&self, x: f64) -> f64 {
        self.weight * x
    }

    #[gradcheck(x in 0.0..1.0)]
    const NOT_A_METHOD: f64 = 0.0;
}

#[gradcheck]
impl<T: Copy> Dense<T> {
    #[gradcheck(self in Just(Self { weight: 1.0 }), x in 0.0..1.0, wrt = x, forward = x)]
    fn open(&self, x: f64) -> T {
        self.weight
    }
}

fn main() {
    // the items are there whatever is wrong with their attributes
    let dense = Dense::constructor(1.0);
    let sum = dense.no_attribute_outside(1.0) + dense.self_not_drawn(1.0) + dense.self_twice(1.0);
    let _: f64 = sum + dense.open(1.0) + Dense::NOT_A_METHOD;
}
