//! A field that holds no scalars is the compiler's error, at its type.
use gradcheck_runtime::Flatten;

enum Activation {
    Relu,
}

#[derive(Flatten)]
struct Layer {
    weight: f64,
    activation: Activation,
}

fn main() {}
