//! Checks of gradients that were written by hand: each parameter is moved a little, the forward
//! function is differenced, and the result is compared with what the backward function says.
//!
//! # A backward function to check
//!
//! Say that there is a cost, and a function that ought to be its gradient with respect to `w`:
//!
//! ```rust,test_harness
//! use ndarray::{Array1, Array2};
//!
//! fn cost(w: &Array1<f64>, x: &Array2<f64>) -> f64 {
//!     x.dot(w).mapv(|z| z * z).sum() / x.nrows() as f64
//! }
//!
//! #[cfg_attr(test, gradcheck_runtime::gradcheck(
//!     dims(n in 1..=4, m in 1..=6), // sizes
//!     w in normal(n),               // an argument of that name, and how it is drawn
//!     x in normal([m, n]),
//!     forward = cost,
//! ))]
//! fn gradient(w: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
//!     2.0 * x.t().dot(&x.dot(w)) / x.nrows() as f64
//! }
//! ```
//!
//! `cargo test` now has two tests more. `gradcheck_gradient::random_init` draws 32 states (sizes,
//! parameters and inputs) and judges every component of the gradient in each.
//! `gradcheck_gradient::after_training` draws 16 more, goes some steps downhill along the
//! gradient, and judges where it arrives: saturated and dead units are met there, and not
//! before. A test fails if a component is wrong, and prints which, by how much, what the fault
//! looks like, the smallest case that shows it and how to run it again;
//! [When a check fails](guide::when_a_check_fails) goes through that. With `-- --nocapture` a
//! test that passes prints one line on what it did.
//!
//! The function stands as it was, and a build without tests holds nothing of this crate, which
//! belongs in `[dev-dependencies]`. With `gradcheck-macros` in `[dependencies]` the attribute may
//! also be written bare, as in the examples below.
//!
//! # Draws
//!
//! `NAME in STRATEGY` draws a value with any proptest [`Strategy`](proptest::strategy::Strategy);
//! those of [`strategy`] and proptest's prelude are in scope, and an item of your own with the same
//! name wins. Later draws see earlier ones. `dims(..)` draws `usize`s before all else, and a failure
//! is shrunk to small ones first. A plain range draws what the parameter's type says, `(x, y) in
//! ..` draws a pair, and `x: TYPE in ..` names a type that nothing else fixes. The function is
//! called with its arguments **by name**, by `&`, `&mut` or value as each parameter asks.
//!
//! `wrt` says what the gradient is taken with respect to; without it, the first draw. With
//! several places the gradient is a tuple in their order.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::{Array1, Array2};
//!
//! #[gradcheck(
//!     dims(n in 1..=3, rows in n..=6),
//!     (x, y) in (normal([rows, n]), normal(rows)),
//!     w in normal(n),
//!     lambda in 0.1..2.0,
//!     wrt = (w, lambda),
//!     forward = (x.dot(&w) - &y).mapv(|e| e * e).sum() + lambda * w.dot(&w),
//! )]
//! fn ridge(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>, lambda: f64) -> (Array1<f64>, f64) {
//!     (2.0 * x.t().dot(&(x.dot(w) - y)) + 2.0 * lambda * w, w.dot(w))
//! }
//! ```
//!
//! # Parameters in dictionaries and structs
//!
//! Parameters may be scalars, ndarray arrays, `Vec`s, slices, arrays, tuples, `Option`, `Box`,
//! maps with string keys, and structs of these that derive [`Flatten`]. Each scalar has a path, such
//! as `layers[1].weight[3, 2]`, which is how a report names it. A dictionary of gradients may call
//! `W1` `W1`, `dW1`, `d_W1` or `grad_W1`. `#[flatten(skip)]` leaves a field out,
//! `#[flatten(rename = "..")]` names it otherwise.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::{Flatten, gradcheck};
//! use ndarray::{Array2, Axis};
//! use std::collections::BTreeMap;
//!
//! type Dictionary = BTreeMap<String, Array2<f64>>;
//!
//! #[gradcheck(
//!     dims(n in 1..=4, h in 1..=3),
//!     p in dictionary([("W1", he_normal([h, n])), ("b1", normal([h, 1]))]),
//!     x in normal([n, 5]),
//!     forward = (p["W1"].dot(&x) + &p["b1"]).mapv(f64::cosh).sum(),
//! )]
//! fn backward(p: &Dictionary, x: &Array2<f64>) -> Dictionary {
//!     let dz = (p["W1"].dot(x) + &p["b1"]).mapv(f64::sinh);
//!     let db = dz.sum_axis(Axis(1)).insert_axis(Axis(1));
//!     BTreeMap::from([("dW1".into(), dz.dot(&x.t())), ("db1".into(), db)])
//! }
//!
//! #[derive(Clone, Debug, Flatten)] // or #[cfg_attr(test, derive(gradcheck_runtime::Flatten))]
//! struct Line {
//!     slope: f64,
//!     offset: f64,
//!     #[flatten(skip)]
//!     power: i32,
//! }
//!
//! #[gradcheck(
//!     line in (-2.0..2.0, -2.0..2.0)
//!         .prop_map(|(slope, offset)| Line { slope, offset, power: 3 }),
//!     x in 0.5..2.0,
//!     forward = (line.slope * x + line.offset).powi(line.power),
//! )]
//! fn line_gradient(line: &Line, x: f64) -> Line {
//!     let outer = f64::from(line.power) * (line.slope * x + line.offset).powi(line.power - 1);
//!     Line { slope: outer * x, offset: outer, power: line.power }
//! }
//! ```
//!
//! # The forward: a path, a closure, a block
//!
//! A path or closure is called with the annotated function's own arguments. Any other
//! expression is evaluated with the draws in scope, and what a block binds with `let` may be
//! passed on to the backward function: the caches of a forward pass.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::Array1;
//!
//! #[gradcheck(theta in -3.0..3.0, x in -3.0..3.0, forward = model)]
//! fn by_path(x: f64, theta: f64) -> f64 {
//!     2.0 * theta * x
//! }
//! fn model(x: f64, theta: f64) -> f64 {
//!     theta * theta * x
//! }
//!
//! #[gradcheck(dims(n in 1..=4), w in normal(n), forward = |w| w.dot(w))]
//! fn by_closure(w: &Array1<f64>) -> Array1<f64> {
//!     2.0 * w
//! }
//!
//! #[gradcheck(
//!     dims(n in 1..=4),
//!     w in normal(n),
//!     x in normal(n),
//!     forward = {
//!         let activation = w.dot(&x).tanh(); // the cache, passed on by its name
//!         activation * activation
//!     },
//! )]
//! fn by_block(x: &Array1<f64>, activation: f64) -> Array1<f64> {
//!     2.0 * activation * (1.0 - activation * activation) * x
//! }
//! ```
//!
//! # Value and gradient from one call
//!
//! Leave `forward` out: the pair is the function's value and its gradient. A `Result` or
//! `Option` of it, and of anything else that a check calls, is unwrapped.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::Array1;
//!
//! #[gradcheck(dims(n in 1..=5), scores in normal(n))]
//! fn log_sum_exp(scores: &Array1<f64>) -> Result<(f64, Array1<f64>), String> {
//!     let sum = scores.mapv(f64::exp).sum();
//!     if !sum.is_finite() {
//!         return Err("overflow".into());
//!     }
//!     Ok((sum.ln(), scores.mapv(f64::exp) / sum))
//! }
//! ```
//!
//! # Vector-Jacobian and Jacobian-vector products
//!
//! With `cotangent = NAME` the name gets random values of the output's shape, and what is
//! differentiated is the inner product of the output with them (a pattern such as `(dh, dc)` for a
//! forward that returns a pair). With `tangent = NAME` it gets random values of the parameters'
//! shape, and the result is held against the derivative of the output along them; such a check
//! has no test after training.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::{Array1, Array2};
//!
//! #[gradcheck(
//!     dims(n in 1..=4, d in 1..=4, k in 1..=3),
//!     x in normal([n, d]),
//!     w in normal([d, k]),
//!     wrt = (x, w),
//!     forward = x.dot(&w),
//!     cotangent = dout,
//! )]
//! fn backward(
//!     dout: &Array2<f64>,
//!     x: &Array2<f64>,
//!     w: &Array2<f64>,
//! ) -> (Array2<f64>, Array2<f64>) {
//!     (dout.dot(&w.t()), x.t().dot(dout))
//! }
//!
//! #[gradcheck(dims(n in 1..=6), x in normal(n), forward = x.mapv(f64::tanh), tangent = dx)]
//! fn forward_mode(x: &Array1<f64>, dx: &Array1<f64>) -> Array1<f64> {
//!     x.mapv(|x| 1.0 - x.tanh() * x.tanh()) * dx
//! }
//! ```
//!
//! # Jacobians and Hessians
//!
//! An array-valued forward with neither means that the function returns the Jacobian, outputs by
//! inputs; a tuple of them for several `wrt`. A Hessian is the Jacobian of the gradient.
//! Components are named `d out[1] / d pose[2]`.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::{Array1, Array2, array};
//!
//! #[gradcheck(
//!     pose in uniform(2, 1.0..3.0),
//!     forward = |p: &Array1<f64>| array![p[0].hypot(p[1]), p[1].atan2(p[0])],
//! )]
//! fn polar_jacobian(pose: &Array1<f64>) -> Array2<f64> {
//!     let (x, y, r) = (pose[0], pose[1], pose[0].hypot(pose[1]));
//!     array![[x / r, y / r], [-y / (r * r), x / (r * r)]]
//! }
//!
//! #[gradcheck(p in [-2.0..2.0, -1.0..3.0], forward = p[0] * p[0] * p[1])]
//! fn gradient(p: &[f64; 2]) -> [f64; 2] {
//!     [2.0 * p[0] * p[1], p[0] * p[0]]
//! }
//!
//! #[gradcheck(p in [-2.0..2.0, -1.0..3.0], forward = gradient)]
//! fn hessian(p: &[f64; 2]) -> [[f64; 2]; 2] {
//!     [[2.0 * p[1], 2.0 * p[0]], [2.0 * p[0], 0.0]]
//! }
//! ```
//!
//! # Buffers, overwritten or added to
//!
//! `out(g = x)` says that the argument `g` is overwritten with the gradient with respect to
//! `x`, `out(g += x)` that the gradient is added to it; which of the two the function really does is
//! checked as well. Without `forward` the function returns its own value.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//!
//! #[gradcheck(dims(n in 1..=4), x in vec(n), out(gradient = x))]
//! fn log_density(x: &[f64], gradient: &mut [f64]) -> f64 {
//!     gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
//!     -0.5 * x.iter().map(|x| x * x).sum::<f64>()
//! }
//!
//! #[gradcheck(
//!     dims(n in 1..=4),
//!     x in vec(n),
//!     w in vec(n),
//!     forward = x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>(),
//!     out(dx += x, dw += w),
//! )]
//! fn add_gradients(x: &[f64], w: &[f64], dx: &mut [f64], dw: &mut [f64]) {
//!     dx.iter_mut().zip(w).for_each(|(d, w)| *d += w);
//!     dw.iter_mut().zip(x).for_each(|(d, x)| *d += x);
//! }
//! ```
//!
//! # Methods, and gradients that are more than a call
//!
//! A method needs a bare `#[gradcheck]` on its `impl` block, and a draw of `self`, whose fields may
//! be named in `wrt`. Its tests stand in `gradcheck_<type>_<method>`. Where the gradient is not
//! simply what the call returns, `gradient = EXPR` says how it is had.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::Array1;
//!
//! #[derive(Clone, Debug)]
//! struct Gate {
//!     weight: Array1<f64>,
//!     grad_weight: Array1<f64>,
//!     input: Array1<f64>, // kept by `forward` for `backward`
//! }
//!
//! #[gradcheck]
//! impl Gate {
//!     fn new(weight: Array1<f64>) -> Self {
//!         Gate { grad_weight: weight.clone(), input: weight.clone(), weight }
//!     }
//!     fn forward(&mut self, x: &Array1<f64>) -> Array1<f64> {
//!         self.input = x.clone();
//!         x * &self.weight
//!     }
//!
//!     #[gradcheck(
//!         dims(n in 1..=4),
//!         self in normal(n).prop_map(Gate::new),
//!         x in normal(n),
//!         wrt = (x, self.weight),
//!         forward = self.forward(&x),
//!         cotangent = dout,
//!         gradient = {
//!             let dx = self.backward(&dout);
//!             (dx, self.grad_weight.clone())
//!         },
//!     )]
//!     fn backward(&mut self, dout: &Array1<f64>) -> Array1<f64> {
//!         self.grad_weight = dout * &self.input;
//!         dout * &self.weight
//!     }
//! }
//! ```
//!
//! # States after training
//!
//! By default 1 to 10 steps of descent, each halved until the forward decreases, and together no
//! further than three times the size of the parameters: a log-density has no minimum. `train(..)` sets
//! the number of steps with a rate, or with your own rule: an `FnMut` that gets `&mut` of each
//! `wrt` place and then `&gradient`, made afresh for each run, so that it may keep moments. With a
//! cotangent, training is on half the squared output.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::Array1;
//!
//! fn cost(w: &Array1<f64>) -> f64 {
//!     w.mapv(|w| w.cosh().ln()).sum()
//! }
//!
//! #[gradcheck(
//!     dims(n in 1..=4), w in normal(n), forward = cost,
//!     train(steps = 1..=20, learning_rate = 0.1),
//! )]
//! fn plain(w: &Array1<f64>) -> Array1<f64> {
//!     w.mapv(f64::tanh)
//! }
//!
//! #[gradcheck(
//!     dims(n in 1..=4), w in normal(n), forward = cost,
//!     train(steps = 5, update = momentum(0.1, 0.9)),
//! )]
//! fn with_momentum(w: &Array1<f64>) -> Array1<f64> {
//!     w.mapv(f64::tanh)
//! }
//!
//! fn momentum(rate: f64, keep: f64) -> impl FnMut(&mut Array1<f64>, &Array1<f64>) {
//!     let mut speed: Option<Array1<f64>> = None;
//!     move |w, g| {
//!         let next = speed.take().map_or_else(|| g.clone(), |old| keep * old + g);
//!         w.scaled_add(-rate, &next);
//!         speed = Some(next);
//!     }
//! }
//! ```
//!
//! # Generic functions, and checks without differences
//!
//! `types(F = [f32, f64])` makes a set of tests for each type: `gradcheck_square::f32::random_init`.
//! `exact = F` says that the *forward* is generic over its scalar: it is then run once on a tape
//! ([`var`]), which gives every component to rounding, without a step, so that a tolerance
//! of 1e-12 holds. Draws that the forward uses name the scalar, `normal::<F, _>(n)`; the gradient
//! stays an ordinary `f64` function. A forward that converts a variable out of its scalar
//! (`to_f64`) is differenced after all, and the test's output says so. What to change in a forward,
//! how the verdict is had and what it cannot see is told [here](guide::exact_derivative), and how a
//! Hessian or its product with a vector is checked against a plain cost.
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::{Array1, ScalarOperand};
//! use num_traits::Float;
//!
//! fn cost<F: Float + ScalarOperand>(x: &Array1<F>) -> F {
//!     x.mapv(|x| (F::one() + x * x).ln()).sum()
//! }
//!
//! #[gradcheck(types(F = [f32, f64]), dims(n in 1..=6), x in normal::<F, _>(n), forward = cost)]
//! fn generic<F: Float>(x: &Array1<F>) -> Array1<F> {
//!     x.mapv(|x| (x + x) / (F::one() + x * x))
//! }
//!
//! #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=6), x in normal::<F, _>(n), forward = cost)]
//! fn exactly(x: &Array1<f64>) -> Array1<f64> {
//!     x.mapv(|x| 2.0 * x / (1.0 + x * x))
//! }
//! ```
//!
//! # nalgebra, faer, complex numbers
//!
//! With the features `nalgebra` and `faer` their matrices, vectors and views may stand wherever an
//! array may, and `.to()` behind a strategy draws the type that the parameter asks for. With
//! `num-complex`, numbers may be complex: `.complex()` draws them, a component is named
//! `z[3].re`, and `complex = ..` says what the gradient holds, one of four [`Convention`]s. A complex
//! Jacobian is that of a holomorphic forward.
//!
#![cfg_attr(all(feature = "nalgebra", feature = "num-complex"), doc = "```rust,test_harness")]
#![cfg_attr(not(all(feature = "nalgebra", feature = "num-complex")), doc = "```rust,ignore")]
//! use gradcheck_runtime::gradcheck;
//! use nalgebra::{DMatrix, DVector, Matrix2, Vector2};
//! use num_complex::Complex64;
//!
//! #[gradcheck(
//!     p in normal(2).to(),
//!     forward = |p: &Vector2<f64>| Vector2::new(p.x * p.y, p.x.sin()),
//! )]
//! fn jacobian(p: &Vector2<f64>) -> Matrix2<f64> {
//!     Matrix2::new(p.y, p.x, p.x.cos(), 0.0)
//! }
//!
//! #[gradcheck(
//!     dims(n in 1..=3),
//!     a in normal([n, n]).complex().to(),
//!     x in normal(n).complex().to(),
//!     wrt = x,
//!     forward = |a: &DMatrix<Complex64>, x: &DVector<Complex64>| (a * x).norm_squared(),
//!     complex = Convention::WirtingerConjugate,
//! )]
//! fn gradient(a: &DMatrix<Complex64>, x: &DVector<Complex64>) -> DVector<Complex64> {
//!     a.adjoint() * (a * x)
//! }
//! ```
//!
//! # Settings
//!
//! Each is a Rust expression. `#[ignore]` and `#[should_panic]` on the function go to the tests.
//!
//! | option | meaning | when left out |
//! | --- | --- | --- |
//! | `tolerance = 1e-6` | largest `\|g - g~\| / (\|g\| + \|g~\|)`, for the whole, each block and each component | 2e-7; 1e-3 where `f32` has a part |
//! | `epsilon = 1e-6` | smallest first step, relative to the coordinate | 1e-7; 1e-3 in `f32` |
//! | `cases = 64` | states of each of the two tests | 32 random, 16 trained; fewer beyond 125,000 parameters, 4 with a million |
//! | `seed = 1` | seed of the draws | a hash of the function's path: every run is the same |
//! | `method = ..` | [`Method`]: `Exhaustive`, `Directional { probes }` or `Auto` | `Auto`: every component, up to [`Method::AUTO_FORWARDS`] (30,000) forwards for a test, or some 470 parameters in 32 states; beyond, directions and a sample of components |
//! | `complex = ..` | what a complex gradient holds: a [`Convention`] | `Convention::Ascent`, `dL/dx + i dL/dy` |
//! | `timeout = Duration::from_secs(60)` | how long a test may take; zero is no limit | ten minutes |
//! | `shards = 8` | eight tests, each with an eighth of the states | 1 |
//! | `allow_zero(b, self.gamma)` | these blocks may have a zero gradient in every state | a block that no state exercises fails the check |
//! | `name = "x"` | the tests stand in a module `gradcheck_x` | `gradcheck_<function>`, for a method `gradcheck_<type>_<method>` |
//! | `crate = path` | where this crate is found | `::gradcheck_runtime` |
//!
//! ```rust,test_harness
//! use gradcheck_runtime::gradcheck;
//! use ndarray::Array1;
//!
//! #[gradcheck(
//!     dims(n in 1..=4),
//!     w in normal(n),
//!     shift in normal(()).prop_map(|s| s[()]),
//!     wrt = (w, shift),
//!     forward = { let v = &w + shift; v.dot(&v) - v.sum() * v.sum() / v.len() as f64 },
//!     allow_zero(shift), // which a variance does not see
//!     tolerance = 1e-6,
//!     epsilon = 1e-6,
//!     cases = 8,
//!     seed = 1,
//!     method = Method::Directional { probes: 4 },
//!     timeout = Duration::from_secs(60),
//!     shards = 2, // random_init_0, random_init_1, ..
//!     name = "variance",
//! )]
//! fn gradient(w: &Array1<f64>) -> (Array1<f64>, f64) {
//!     (2.0 * (w - w.mean().unwrap()), 0.0)
//! }
//!
//! #[gradcheck(x in -1.0..1.0, forward = x.exp(), cases = 100_000)]
//! #[ignore = "slow"]
//! fn thorough(x: f64) -> f64 {
//!     x.exp()
//! }
//! ```
//!
//! # Environment
//!
//! | variable | meaning |
//! | --- | --- |
//! | `GRADCHECK_CASES` | number of states, over what the attribute says |
//! | `GRADCHECK_SEED` | seed, over what the attribute says; a failure prints the one to use |
//! | `GRADCHECK_TIMEOUT` | seconds that a test may take, over what the attribute says; 0 is no limit |
//! | `GRADCHECK_REGRESSIONS` | another folder than `proptest-regressions` of the crate for failing cases, which are tried first the next time; `off` keeps none |
//! | `GRADCHECK_REPORT` | a folder for a page of each check and a list of all, `index.html`; with the feature `serde` also [JSON](record). Relative to the crate's folder, where `cargo test` runs tests |
//! | `NO_COLOR` | no colours, on a terminal either |
//! | `COLUMNS` | width of the report, up to 120; else 100 |
//!
//! # Outside a generated test
//!
//! [`check_at`] checks one state and returns a [`StateReport`], [`check_exact_at`] the same on a tape:
//!
//! ```
//! use gradcheck_runtime::{Settings, check_at};
//!
//! let mut theta = 0.5;
//! let settings = Settings::new().tolerance(1e-8);
//! let report = check_at(&mut theta, &settings, |t: &f64| t.exp(), |t| -t.exp());
//! assert!(report.is_wrong());
//! assert!(report.to_string().contains("sign flipped"));
//! ```
//!
//! [`StateReport::record`] gives the same as plain data, and its page:
//! `std::fs::write("exp.html", report.record("exp").page())`.
//!
//! # More
//!
//! - [When a check fails](guide::when_a_check_fails): verdicts, diagnoses, and what to do;
//! - [The numeric derivative](guide::numeric_derivative): how it is had, and what it cannot know;
//! - [The exact derivative](guide::exact_derivative): the same without differences;
//! - [`record`]: a check as data, as a page, and as JSON;
//! - [`strategy`]: shapes, draws and how they shrink; [`flatten`]: parameters of your own types.
#![cfg_attr(docsrs, feature(doc_cfg))]
extern crate self as gradcheck_runtime;
mod case;
mod check;
mod compare;
mod deadline;
pub mod diagnose;
pub mod evidence;
mod failure;
pub mod flatten;
mod gather;
pub mod guide;
mod layout;
mod numeric;
mod panics;
mod persist;
mod picture;
mod pin;
mod probe;
mod problem;
mod progress;
mod random;
mod ray;
pub mod record;
mod report;
pub mod settings;
mod shrink;
mod state;
pub mod strategy;
mod style;
mod turn;
pub mod var;

pub use crate::check::{StateReport, check_at, check_exact_at};
pub use crate::compare::Planted;
pub use crate::deadline::Stopped;
pub use crate::failure::Failure;
pub use crate::report::{Found, Grade, Report, Trouble, Unexercised};
pub use crate::settings::{Convention, Method, Settings};

pub use gradcheck_macros::{FlattenAlways as Flatten, gradcheck};
pub use proptest;

/// What is in scope of the expressions inside the attribute.
pub mod prelude {
    pub use crate::settings::{Convention, Method};
    pub use crate::strategy::{
        ToContainer as _, dictionary, he_normal, labels, normal, one_hot, signs, uniform, vec,
        xavier_uniform,
    };
    pub use crate::var::{gradient_of, slope_of};
    // A forward generic over its scalar, written inline, says `F::zero()`.
    pub use num_traits::{One as _, Zero as _};
    // For `timeout = Duration::from_secs(60)`.
    pub use proptest;
    pub use proptest::prelude::*;
    pub use std::time::Duration;
}

/// Everything
#[doc(hidden)]
pub mod __private {
    pub use crate::case::{Draw, RangeOf};
    pub use crate::check::{Kind, Meta, check, check_exact};
    pub use crate::pin::{like, view_mut};
    pub use crate::probe::{BufferLike, Fill, Outcome, Places, Probe};
    pub use crate::problem::{
        NoUpdate, call0, call1, call2, call3, call4, call5, call6, call7, call8, problem, train1,
        train2, train3, train4, train5, train6, train7, train8,
    };
    pub use crate::settings::{Settings, steps};
    pub use crate::var::Var;
}
