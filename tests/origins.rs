//! The functions that it all started from: the exercises of a well-known course on neural
//! networks, right and with the faults that the course plants, and every kind of input that a
//! check must refuse.
//!
//! Functions that are wrong on purpose are ignored; `must_fail` at the end runs them in
//! processes of their own and reads what they print.
use std::collections::BTreeMap;

use gradcheck_runtime::gradcheck;
use ndarray::{Array1, Array2};

mod support;

type Dictionary = BTreeMap<String, Array2<f64>>;

/// J(theta) = theta x.
mod one_dimension {
    use super::*;

    fn forward_propagation(x: f64, theta: f64) -> f64 {
        theta * x
    }

    #[gradcheck(theta in -3.0..3.0, x in -3.0..3.0, forward = forward_propagation)]
    fn backward_propagation(x: f64, _theta: f64) -> f64 {
        x
    }

    /// The derivative by the other factor.
    #[gradcheck(
        theta in -3.0..3.0,
        x in -3.0..3.0,
        forward = forward_propagation,
        ignore = "wrong on purpose",
    )]
    fn backward_by_x(_x: f64, theta: f64) -> f64 {
        theta
    }
}

/// The L-layer network: parameters in a dictionary, `al` and `caches`.
mod network {
    use super::*;
    use gradcheck_runtime::proptest::strategy::{Just, Strategy};
    use gradcheck_runtime::strategy::{dictionary, he_normal, normal};
    use ndarray::Axis;

    /// A layer's pre-activation, the activation below it, and its weights.
    pub(crate) type Cache = (Array2<f64>, Array2<f64>, Array2<f64>);

    /// He-initialised weights and small random biases.
    pub(crate) fn parameters(sizes: &[usize]) -> impl Strategy<Value = Dictionary> + use<> {
        let weights = sizes.windows(2).zip(1..);
        let mut all =
            dictionary(weights.map(|(pair, l)| (format!("W{l}"), he_normal([pair[1], pair[0]]))));
        for (&size, l) in sizes[1..].iter().zip(1..) {
            all = all.with(format!("b{l}"), normal([size, 1]).prop_map(|b: Array2<f64>| b * 0.1));
        }
        all
    }

    /// The course's own start: He-initialised weights and zero biases.
    fn zero_biases(sizes: &[usize]) -> impl Strategy<Value = Dictionary> + use<> {
        let weights = sizes.windows(2).zip(1..);
        let mut all =
            dictionary(weights.map(|(pair, l)| (format!("W{l}"), he_normal([pair[1], pair[0]]))));
        for (&size, l) in sizes[1..].iter().zip(1..) {
            all = all.with(format!("b{l}"), Just(Array2::zeros((size, 1))));
        }
        all
    }

    pub(crate) fn sigmoid(z: &Array2<f64>) -> Array2<f64> {
        z.mapv(|z| 1.0 / (1.0 + (-z).exp()))
    }

    pub(crate) fn relu_backward(da: &Array2<f64>, z: &Array2<f64>) -> Array2<f64> {
        da * &z.mapv(|z| if z > 0.0 { 1.0 } else { 0.0 })
    }

    /// Cross-entropy of `al`, (1, m), against the labels `y`, (1, m).
    pub(crate) fn compute_cost(al: &Array2<f64>, y: &Array2<f64>) -> f64 {
        let m = y.ncols() as f64;
        let likelihood = y * &al.mapv(f64::ln) + (1.0 - y) * (1.0 - al).mapv(f64::ln);
        -likelihood.sum() / m
    }

    pub(crate) fn forward_propagation(
        x: &Array2<f64>,
        parameters: &Dictionary,
    ) -> (Array2<f64>, Vec<Cache>) {
        let layers = parameters.len() / 2;
        let mut caches = Vec::new();
        let mut a = x.clone();
        for l in 1..=layers {
            let w = &parameters[&format!("W{l}")];
            let z = w.dot(&a) + &parameters[&format!("b{l}")];
            let above = if l < layers { z.mapv(|z| z.max(0.0)) } else { sigmoid(&z) };
            caches.push((z, a, w.clone()));
            a = above;
        }
        (a, caches)
    }

    #[gradcheck(
        dims(n in 1..=4, h1 in 1..=5, h2 in 1..=3, m in 1..=5),
        parameters in parameters(&[n, h1, h2, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost(&al, &y)
        },
    )]
    pub(crate) fn backward_propagation(
        al: &Array2<f64>,
        y: &Array2<f64>,
        caches: &[Cache],
    ) -> Dictionary {
        let m = y.ncols() as f64;
        let mut grads = Dictionary::new();
        let mut da = -(y / al - (1.0 - y) / (1.0 - al));
        for (l, (z, a_prev, w)) in caches.iter().enumerate().rev() {
            let dz = if l + 1 == caches.len() {
                let s = sigmoid(z);
                da * &s * &(1.0 - &s)
            } else {
                relu_backward(&da, z)
            };
            grads.insert(format!("dW{}", l + 1), dz.dot(&a_prev.t()) / m);
            grads.insert(format!("db{}", l + 1), dz.sum_axis(Axis(1)).insert_axis(Axis(1)) / m);
            da = w.t().dot(&dz);
        }
        grads
    }

    /// With zero biases a sample that no unit of a layer answers to puts the whole next layer
    /// on its kinks.
    #[gradcheck(
        dims(n in 1..=4, h1 in 1..=3, h2 in 1..=3, m in 1..=5),
        parameters in zero_biases(&[n, h1, h2, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost(&al, &y)
        },
    )]
    fn backward_from_zero_biases(
        al: &Array2<f64>,
        y: &Array2<f64>,
        caches: &[Cache],
    ) -> Dictionary {
        backward_propagation(al, y, caches)
    }
}

/// The same network in structs.
mod structs {
    use super::*;
    use gradcheck_runtime::proptest::strategy::Strategy;
    use gradcheck_runtime::strategy::{he_normal, normal};
    use ndarray::Axis;

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Layer {
        weight: Array2<f64>,
        bias: Array1<f64>,
    }

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Network {
        layers: Vec<Layer>,
        /// Not a parameter.
        #[flatten(skip)]
        slope: f64,
    }

    fn parameters(sizes: &[usize], slope: f64) -> impl Strategy<Value = Network> + use<> {
        let layers: Vec<_> = sizes
            .windows(2)
            .map(|pair| {
                (he_normal([pair[1], pair[0]]), normal(pair[1]))
                    .prop_map(|(weight, bias)| Layer { weight, bias })
            })
            .collect();
        layers.prop_map(move |layers| Network { layers, slope })
    }

    /// Each layer's input and pre-activation, samples in rows.
    fn forward(network: &Network, x: &Array2<f64>) -> Vec<(Array2<f64>, Array2<f64>)> {
        let mut a = x.clone();
        let mut trace = Vec::new();
        for layer in &network.layers {
            let z = a.dot(&layer.weight.t()) + &layer.bias;
            let above = z.mapv(|z| if z > 0.0 { z } else { network.slope * z });
            trace.push((a, z));
            a = above;
        }
        trace
    }

    /// Cross-entropy from the logits in the last layer's only unit.
    fn loss(network: &Network, x: &Array2<f64>, y: &Array1<f64>) -> f64 {
        let trace = forward(network, x);
        let logits = trace[trace.len() - 1].1.column(0);
        let terms =
            logits.iter().zip(y).map(|(&z, &y)| z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z);
        terms.sum::<f64>() / y.len() as f64
    }

    #[gradcheck(
        dims(n in 1..=4, h1 in 1..=5, h2 in 1..=3, m in 1..=5),
        network in parameters(&[n, h1, h2, 1], 0.01),
        x in normal([m, n]),
        y in labels(m),
        forward = loss,
    )]
    fn gradient(network: &Network, x: &Array2<f64>, y: &Array1<f64>) -> Network {
        let trace = forward(network, x);
        let logits = trace[trace.len() - 1].1.column(0);
        let p = logits.mapv(|z| 1.0 / (1.0 + (-z).exp()));
        let mut dz = ((p - y) / y.len() as f64).insert_axis(Axis(1));
        let mut layers = Vec::new();
        for (l, (a, _)) in trace.iter().enumerate().rev() {
            layers.push(Layer { weight: dz.t().dot(a), bias: dz.sum_axis(Axis(0)) });
            if l > 0 {
                let slope = trace[l - 1].1.mapv(|z| if z > 0.0 { 1.0 } else { network.slope });
                dz = dz.dot(&network.layers[l].weight) * slope;
            }
        }
        layers.reverse();
        Network { layers, slope: network.slope }
    }

    /// The second layer's bias is corrected twice.
    #[gradcheck(
        dims(n in 1..=4, h1 in 1..=5, h2 in 1..=3, m in 1..=5),
        network in parameters(&[n, h1, h2, 1], 0.01),
        x in normal([m, n]),
        y in labels(m),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn doubles_a_bias(network: &Network, x: &Array2<f64>, y: &Array1<f64>) -> Network {
        let mut gradient = gradient(network, x, y);
        gradient.layers[1].bias *= 2.0;
        gradient
    }
}

/// Cross-entropy plus `lambda / (2 m)` times the squared weights.
mod regularised {
    use super::network::{
        Cache, backward_propagation, compute_cost, forward_propagation, parameters,
    };
    use super::*;

    fn compute_cost_with_penalty(
        al: &Array2<f64>,
        y: &Array2<f64>,
        parameters: &Dictionary,
        lambda: f64,
    ) -> f64 {
        let weights = parameters.iter().filter(|(name, _)| name.starts_with('W'));
        let squares: f64 = weights.map(|(_, w)| w.iter().map(|w| w * w).sum::<f64>()).sum();
        compute_cost(al, y) + lambda / (2.0 * y.ncols() as f64) * squares
    }

    #[gradcheck(
        dims(n in 1..=3, h in 1..=4, m in 1..=5),
        parameters in parameters(&[n, h, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        lambda in 0.1..2.0,
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost_with_penalty(&al, &y, &parameters, lambda)
        },
    )]
    fn on_both_sides(
        al: &Array2<f64>,
        y: &Array2<f64>,
        caches: &[Cache],
        lambda: f64,
    ) -> Dictionary {
        let mut grads = backward_propagation(al, y, caches);
        for (l, (_, _, w)) in caches.iter().enumerate() {
            grads
                .entry(format!("dW{}", l + 1))
                .and_modify(|dw| dw.scaled_add(lambda / y.ncols() as f64, w));
        }
        grads
    }

    #[gradcheck(
        dims(n in 1..=3, h in 1..=4, m in 1..=5),
        parameters in parameters(&[n, h, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        lambda in 0.1..2.0,
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost_with_penalty(&al, &y, &parameters, lambda)
        },
        ignore = "wrong on purpose",
    )]
    fn in_the_cost_alone(al: &Array2<f64>, y: &Array2<f64>, caches: &[Cache]) -> Dictionary {
        backward_propagation(al, y, caches)
    }
}

/// Inverted dropout on the hidden layer, its masks from a stream of random numbers of its own.
mod dropout {
    use super::network::{compute_cost, parameters, relu_backward, sigmoid};
    use super::*;
    use ndarray::Axis;
    use std::sync::atomic::{AtomicU64, Ordering};

    static STREAM: AtomicU64 = AtomicU64::new(1);

    /// Uniform in [0, 1); another number at each call (SplitMix64).
    fn random() -> f64 {
        let mut z = STREAM.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Hidden pre-activation, mask over `keep_prob`, and hidden activation after it.
    type Cache = (Array2<f64>, Array2<f64>, Array2<f64>);

    fn forward_with_dropout(
        x: &Array2<f64>,
        parameters: &Dictionary,
        keep_prob: f64,
    ) -> (Array2<f64>, Cache) {
        let z1 = parameters["W1"].dot(x) + &parameters["b1"];
        let d1 = z1.mapv(|_| if random() < keep_prob { 1.0 / keep_prob } else { 0.0 });
        let a1 = z1.mapv(|z| z.max(0.0)) * &d1;
        let al = sigmoid(&(parameters["W2"].dot(&a1) + &parameters["b2"]));
        (al, (z1, d1, a1))
    }

    fn backward(
        al: &Array2<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
        parameters: &Dictionary,
        (z1, d1, a1): &Cache,
    ) -> Dictionary {
        let m = y.ncols() as f64;
        let dz2 = al - y;
        let dz1 = relu_backward(&(parameters["W2"].t().dot(&dz2) * d1), z1);
        let sum = |dz: &Array2<f64>| dz.sum_axis(Axis(1)).insert_axis(Axis(1)) / m;
        Dictionary::from([
            ("dW1".to_owned(), dz1.dot(&x.t()) / m),
            ("db1".to_owned(), sum(&dz1)),
            ("dW2".to_owned(), dz2.dot(&a1.t()) / m),
            ("db2".to_owned(), sum(&dz2)),
        ])
    }

    #[gradcheck(
        dims(n in 1..=3, h in 1..=4, m in 1..=5),
        parameters in parameters(&[n, h, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, cache) = forward_with_dropout(&x, &parameters, 1.0);
            compute_cost(&al, &y)
        },
    )]
    fn keeps_all(
        al: &Array2<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
        parameters: &Dictionary,
        cache: &Cache,
    ) -> Dictionary {
        backward(al, x, y, parameters, cache)
    }

    /// Large enough that two masks hardly ever agree where it matters.
    #[gradcheck(
        dims(n in 2..=3, h in 4..=6, m in 4..=6),
        parameters in parameters(&[n, h, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, cache) = forward_with_dropout(&x, &parameters, 0.8);
            compute_cost(&al, &y)
        },
        ignore = "wrong on purpose",
    )]
    fn keeps_four_fifths(
        al: &Array2<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
        parameters: &Dictionary,
        cache: &Cache,
    ) -> Dictionary {
        backward(al, x, y, parameters, cache)
    }
}

/// The three-layer network of the course's exercise, with the two faults that it plants.
mod planted {
    use super::network::{Cache, compute_cost, forward_propagation, parameters, relu_backward};
    use super::*;
    use ndarray::Axis;

    /// With `double` in dW2 and `four / m` in db1: 1 and 1 are right, 2 and 4 the exercise.
    fn backward(
        y: &Array2<f64>,
        al: &Array2<f64>,
        caches: &[Cache],
        double: f64,
        four: f64,
    ) -> Dictionary {
        let m = y.ncols() as f64;
        let [(z1, x, _), (z2, a1, w2), (_, a2, w3)] = caches else { panic!("three layers") };
        let sum = |dz: &Array2<f64>| dz.sum_axis(Axis(1)).insert_axis(Axis(1));
        let dz3 = al - y;
        let dz2 = relu_backward(&w3.t().dot(&dz3), z2);
        let dz1 = relu_backward(&w2.t().dot(&dz2), z1);
        Dictionary::from([
            ("dW3".to_owned(), 1. / m * dz3.dot(&a2.t())),
            ("db3".to_owned(), 1. / m * sum(&dz3)),
            ("dW2".to_owned(), 1. / m * dz2.dot(&a1.t()) * double),
            ("db2".to_owned(), 1. / m * sum(&dz2)),
            ("dW1".to_owned(), 1. / m * dz1.dot(&x.t())),
            ("db1".to_owned(), four / m * sum(&dz1)),
        ])
    }

    #[gradcheck(
        dims(n in 1..=4, h1 in 2..=5, h2 in 2..=3, m in 1..=5),
        parameters in parameters(&[n, h1, h2, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost(&al, &y)
        },
    )]
    fn repaired(y: &Array2<f64>, al: &Array2<f64>, caches: &[Cache]) -> Dictionary {
        backward(y, al, caches, 1., 1.)
    }

    #[gradcheck(
        dims(n in 1..=4, h1 in 2..=5, h2 in 2..=3, m in 1..=5),
        parameters in parameters(&[n, h1, h2, 1]),
        x in normal([n, m]),
        y in labels([1, m]),
        forward = {
            let (al, caches) = forward_propagation(&x, &parameters);
            compute_cost(&al, &y)
        },
        ignore = "wrong on purpose",
    )]
    fn as_given(y: &Array2<f64>, al: &Array2<f64>, caches: &[Cache]) -> Dictionary {
        backward(y, al, caches, 2., 4.)
    }
}

/// Whatever cannot be checked is a failure that says so, never a pass.
mod refused {
    use super::*;

    fn squares(w: &Array1<f64>) -> f64 {
        w.dot(w)
    }

    #[gradcheck(parameters in Just(Dictionary::new()), forward = |_: &Dictionary| 1.0, ignore = "wrong on purpose")]
    fn no_parameters(parameters: &Dictionary) -> Dictionary {
        parameters.clone()
    }

    #[gradcheck(dims(n in 0..=0), w in normal(n), forward = squares, ignore = "wrong on purpose")]
    fn no_length(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// Some of the states have no component.
    #[gradcheck(dims(n in 0..=3), w in normal(n), forward = squares, ignore = "wrong on purpose")]
    fn sometimes_no_length(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    fn mean(w: &Array1<f64>, x: &Array2<f64>) -> f64 {
        x.dot(w).mapv(|z| z * z).sum() / x.nrows() as f64
    }

    /// A mean over no samples.
    #[gradcheck(
        dims(n in 2..=3, m in 0..=0),
        w in normal(n),
        x in normal([m, n]),
        forward = mean,
        ignore = "wrong on purpose",
    )]
    fn no_samples(w: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        2.0 * x.t().dot(&x.dot(w)) / x.nrows() as f64
    }

    #[gradcheck(w in normal(3), forward = |w: &Array1<f64>| (-squares(w)).sqrt(), ignore = "wrong on purpose")]
    fn forward_not_a_number(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    #[gradcheck(w in normal(3), forward = |w: &Array1<f64>| squares(w) / 0.0, ignore = "wrong on purpose")]
    fn forward_infinite(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn gradient_not_a_number(w: &Array1<f64>) -> Array1<f64> {
        let mut g = 2.0 * w;
        g[1] = f64::NAN;
        g
    }

    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn gradient_infinite(w: &Array1<f64>) -> Array1<f64> {
        let mut g = 2.0 * w;
        g[2] = f64::NEG_INFINITY;
        g
    }

    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn another_length(w: &Array1<f64>) -> Array1<f64> {
        Array1::zeros(w.len() + 1)
    }

    fn weighted(w: &Array2<f64>, k: &Array2<f64>) -> f64 {
        (w * w * k).sum()
    }

    /// As many components, in another shape.
    #[gradcheck(w in normal([2, 3]), k in normal([2, 3]), forward = weighted, ignore = "wrong on purpose")]
    fn another_shape(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        (2.0 * w * k).t().to_owned()
    }

    fn both(parameters: &Dictionary) -> f64 {
        parameters.values().map(|p| p.iter().map(|p| p * p).sum::<f64>()).sum()
    }

    #[gradcheck(
        parameters in dictionary([("W1", normal([2, 2])), ("b1", normal([2, 1]))]),
        forward = both,
        ignore = "wrong on purpose",
    )]
    fn a_missing_key(parameters: &Dictionary) -> Dictionary {
        Dictionary::from([("dW1".to_owned(), 2.0 * &parameters["W1"])])
    }

    #[gradcheck(w in normal(3), forward = |w: &Array1<f64>| w[3], ignore = "wrong on purpose")]
    fn forward_panics(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn gradient_panics(w: &Array1<f64>) -> Array1<f64> {
        assert!(w.is_empty(), "what the author asserts");
        2.0 * w
    }

    /// Descent at this rate multiplies `w` by two million, with the other sign, at every step.
    #[gradcheck(
        w in normal(3),
        forward = squares,
        train(steps = 60, learning_rate = 1e6),
        ignore = "wrong on purpose",
    )]
    fn overflows(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// The same by an update rule of the author's.
    #[gradcheck(
        w in normal(3),
        forward = squares,
        train(steps = 60, update = |w: &mut Array1<f64>, g: &Array1<f64>| w.scaled_add(-1e6, g)),
        ignore = "wrong on purpose",
    )]
    fn overflows_by_an_update(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// Each wrong function's generated tests fail, for the right reason and in these words.
mod must_fail {
    use super::support::{Outcome, fails, passes, run_with};

    /// The generated tests of `module::function`. Both must fail, name the function, say all of
    /// these, show the state and how to reach it again. First the random initialisation's.
    #[track_caller]
    fn both_fail(function: &str, words: &[&str]) -> [Outcome; 2] {
        let (module, name) = function.split_once("::").expect("a function in a module");
        // What fails before the first step is not blamed on training.
        let trained = if words[0] == "the gradient is wrong" { "after" } else { "at a random" };
        let kinds = [("random_init", "at a random initialisation"), ("after_training", trained)];
        kinds.map(|(kind, state)| {
            let headline = format!("{name}: {} {state}", words[0]);
            let mut all = vec![headline.as_str(), "tests/origins.rs:", "case:", "GRADCHECK_SEED="];
            all.extend(words);
            fails(&format!("{module}::gradcheck_{name}::{kind}"), &all)
        })
    }

    /// Components of exactly these blocks are wrong.
    #[track_caller]
    fn only(outcome: &Outcome, wrong: &[&str], right: &[&str]) {
        for block in wrong {
            assert_ne!(outcome.wrong_in(block), 0, "{block} is right:\n{}", outcome.text);
        }
        for block in right {
            assert_eq!(outcome.wrong_in(block), 0, "{block} is wrong:\n{}", outcome.text);
        }
    }

    #[test]
    fn the_derivative_by_another_argument() {
        for outcome in both_fail("one_dimension::backward_by_x", &["the gradient is wrong"]) {
            only(&outcome, &["theta"], &[]);
            assert!(outcome.says("worry: probably a bug"), "{}", outcome.text);
        }
    }

    #[test]
    fn a_block_of_a_struct() {
        let words = ["the gradient is wrong", "scaled by 2 in layers[1].bias"];
        for outcome in both_fail("structs::doubles_a_bias", &words) {
            let right =
                ["layers[0].weight", "layers[0].bias", "layers[1].weight", "layers[2].bias"];
            only(&outcome, &["layers[1].bias"], &right);
            // What is skipped is no parameter.
            assert!(outcome.row("slope").is_none(), "{}", outcome.text);
        }
    }

    #[test]
    fn a_penalty_on_one_side() {
        let words = [
            "the gradient is wrong",
            "missing term proportional to the parameter in W1, W2",
            "penalty on one side only",
        ];
        for outcome in both_fail("regularised::in_the_cost_alone", &words) {
            only(&outcome, &["W1", "W2"], &["b1", "b2"]);
        }
    }

    #[test]
    fn dropout() {
        let words = ["not deterministic", "the forward is not deterministic", "keep_prob = 1.0"];
        both_fail("dropout::keeps_four_fifths", &words);
    }

    #[test]
    fn the_two_planted_faults() {
        let words = ["the gradient is wrong", "scaled by 2 in W2", "scaled by 4 in b1"];
        for outcome in both_fail("planted::as_given", &words) {
            only(&outcome, &["W2", "b1"], &["W1", "W3", "b2", "b3"]);
        }
    }

    #[test]
    fn the_printed_seed_shows_the_same_failure() {
        let test = "planted::gradcheck_as_given::random_init";
        let first = fails(test, &[]);
        let seed =
            first.text.split("GRADCHECK_SEED=").nth(1).and_then(|rest| rest.split(' ').next());
        let report = |outcome: &Outcome| {
            let at = outcome.text.find("as_given: ").expect("a headline");
            outcome.text[at..].to_owned()
        };
        let again = run_with(test, &[("GRADCHECK_SEED", seed.expect("a seed is printed"))]);
        assert_eq!(report(&first), report(&again));
        let other = run_with(test, &[("GRADCHECK_SEED", "7")]);
        assert_ne!(report(&first), report(&other));
    }

    #[test]
    fn nothing_to_perturb() {
        let words = ["nothing to perturb", "`parameters` holds no scalar", "parameters = {}"];
        both_fail("refused::no_parameters", &words);
        let words = ["nothing to perturb", "`w` holds no scalar", "w = []"];
        both_fail("refused::no_length", &words);
        both_fail("refused::sometimes_no_length", &words);
    }

    #[test]
    fn not_finite() {
        both_fail("refused::no_samples", &["not finite", "the forward is not finite: out is NaN"]);
        let words = ["not finite", "the forward is not finite: out is NaN", "w = ["];
        both_fail("refused::forward_not_a_number", &words);
        let words = ["not finite", "the forward is not finite: out is inf", "w = ["];
        both_fail("refused::forward_infinite", &words);
        let words = ["not finite", "the gradient is not finite: w[1] is NaN", "w = ["];
        both_fail("refused::gradient_not_a_number", &words);
        let words = ["not finite", "the gradient is not finite: w[2] is -inf", "w = ["];
        both_fail("refused::gradient_infinite", &words);
    }

    #[test]
    fn another_structure() {
        let words = ["wrong shape", "`w` has shape [4], and should have shape [3]"];
        both_fail("refused::another_length", &words);
        let words = ["wrong shape", "`w` has shape [3, 2], and should have shape [2, 3]"];
        both_fail("refused::another_shape", &words);
        let words = ["wrong shape", "nothing for `parameters.b1`", "(dW1)"];
        both_fail("refused::a_missing_key", &words);
    }

    #[test]
    fn a_panic() {
        let words = ["panicked", "the forward panicked", "index 3 is out of bounds", "w = ["];
        both_fail("refused::forward_panics", &words);
        let words = ["panicked", "the gradient panicked: what the author asserts", "w = ["];
        both_fail("refused::gradient_panics", &words);
    }

    #[test]
    fn a_training_run_that_overflows() {
        for function in ["overflows", "overflows_by_an_update"] {
            passes(&format!("refused::gradcheck_{function}::random_init"));
            let words = [
                &format!("{function}: the training run diverged after "),
                "training steps",
                "the forward is not finite",
                "Lower the learning rate",
                "w = [",
            ];
            fails(&format!("refused::gradcheck_{function}::after_training"), &words);
        }
    }

    #[test]
    #[should_panic(expected = "no ignored test")]
    fn a_test_that_does_not_exist_is_no_failure() {
        fails("refused::gradcheck_nothing::random_init", &[]);
    }

    #[test]
    #[should_panic(expected = "does not say \"transposed\"")]
    fn a_failure_in_other_words_is_not_taken() {
        fails("planted::gradcheck_as_given::random_init", &["transposed"]);
    }

    #[test]
    #[should_panic(expected = "passed:")]
    fn a_pass_is_not_taken() {
        fails("refused::gradcheck_overflows::random_init", &[]);
    }
}
