//! The L-layer network as it is usually taught: ReLU hidden layers, a sigmoid output,
//! cross-entropy, and parameters in a dictionary "W1", "b1", .., "WL", "bL".
use std::collections::BTreeMap;

use gradcheck_runtime::proptest::{
    strategy::{Just, Strategy, ValueTree},
    test_runner::TestRunner,
};
use gradcheck_runtime::strategy::{dictionary, he_normal};
use ndarray::{Array2, Axis, Zip};

pub(crate) type Dictionary = BTreeMap<String, Array2<f64>>;

/// What a layer's forward pass keeps for the backward pass.
pub(crate) struct Cache {
    /// Pre-activation, (units, m).
    z: Array2<f64>,
    /// Activation of the layer below, (inputs, m).
    below: Array2<f64>,
    /// The layer's weights, (units, inputs).
    w: Array2<f64>,
}

/// He-initialised weights and zero biases for layers of these sizes, inputs first; the same
/// ones at every call.
pub(crate) fn initialise(sizes: &[usize]) -> Result<Dictionary, String> {
    let weights =
        sizes.windows(2).zip(1..).map(|(pair, l)| (format!("W{l}"), he_normal([pair[1], pair[0]])));
    let mut parameters = dictionary(weights);
    for (&size, l) in sizes[1..].iter().zip(1..) {
        parameters = parameters.with(format!("b{l}"), Just(Array2::zeros((size, 1))));
    }
    let tree = parameters.new_tree(&mut TestRunner::deterministic());
    Ok(tree.map_err(|e| e.to_string())?.current())
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Activations `al` of the last layer, (1, m), for the features `x`, (n, m), and a cache for
/// each layer.
pub(crate) fn forward(x: &Array2<f64>, parameters: &Dictionary) -> (Array2<f64>, Vec<Cache>) {
    let layers = parameters.len() / 2;
    let mut caches = Vec::with_capacity(layers);
    let mut a = x.clone();
    for l in 1..=layers {
        let w = &parameters[&format!("W{l}")];
        let z = w.dot(&a) + &parameters[&format!("b{l}")];
        let above = if l < layers { z.mapv(|z| z.max(0.0)) } else { z.mapv(sigmoid) };
        caches.push(Cache { z, below: a, w: w.clone() });
        a = above;
    }
    (a, caches)
}

/// Mean cross-entropy of `al`, (1, m), against the labels `y`, (1, m), in nats.
///
/// The form of the classical course, `-(y ln(al) + (1 - y) ln(1 - al))`, is
/// kept on purpose, not the stabler one from the logits: its rounding is part of what a check
/// has to live with. Only the logarithm that the label picks is taken, since the other, times
/// zero, is NaN as soon as `al` rounds to 0 or 1; and the smallest positive number keeps the
/// cost finite should the network ever be certain of the wrong label (a logit beyond 37).
pub(crate) fn cost(al: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let mut sum = 0.0;
    Zip::from(al).and(y).for_each(|&al, &y| {
        let of_the_label = if y > 0.5 { al } else { 1.0 - al };
        sum -= of_the_label.max(f64::MIN_POSITIVE).ln();
    });
    sum / y.len() as f64
}

/// The gradient of [`cost`] by hand: dW1, db1, .., dWL, dbL.
pub(crate) fn backward(al: &Array2<f64>, y: &Array2<f64>, caches: &[Cache]) -> Dictionary {
    let m = y.ncols() as f64;
    let mut gradients = Dictionary::new();
    // Cross-entropy and sigmoid in one: written apart, -y/al + (1-y)/(1-al) times al (1-al)
    // is 0/0 where al rounds to 0 or 1.
    let mut dz = al - y;
    for (l, cache) in caches.iter().enumerate().rev() {
        gradients.insert(format!("dW{}", l + 1), dz.dot(&cache.below.t()) / m);
        gradients.insert(format!("db{}", l + 1), dz.sum_axis(Axis(1)).insert_axis(Axis(1)) / m);
        if l > 0 {
            let open = caches[l - 1].z.mapv(|z| if z > 0.0 { 1.0 } else { 0.0 });
            dz = cache.w.t().dot(&dz) * open;
        }
    }
    gradients
}

/// One step of gradient descent.
pub(crate) fn step(parameters: &mut Dictionary, gradients: &Dictionary, learning_rate: f64) {
    for (name, parameter) in parameters {
        parameter.scaled_add(-learning_rate, &gradients[&format!("d{name}")]);
    }
}

/// Share of the labels that `al` is on the right side of.
pub(crate) fn accuracy(al: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let right = al.iter().zip(y).filter(|&(&al, &y)| (al > 0.5) == (y > 0.5)).count();
    right as f64 / y.len() as f64
}
