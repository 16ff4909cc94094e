//! What a user reads: whole reports of wrong functions, each beside its correct twin.
//!
//! The twins' generated tests run with all others. The wrong ones are ignored; [`read`] runs them
//! in processes of their own, holds what they print against the files in `snapshots/`, and asks
//! for the words of the diagnosis as well.
use std::collections::BTreeMap;

use gradcheck_runtime::gradcheck;
use ndarray::{Array1, Array2};

mod support;

/// Half the mean square of an affine map's residuals.
mod affine {
    use super::*;
    use ndarray::Axis;

    /// Samples in the columns of `x`, (n, m), and of `y`, (k, m).
    fn loss(w: &Array2<f64>, b: &Array1<f64>, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
        let r = w.dot(x) + b.view().insert_axis(Axis(1)) - y;
        0.5 * (&r * &r).sum() / x.ncols() as f64
    }

    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
    )]
    fn gradient(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        let r = (w.dot(x) + b.view().insert_axis(Axis(1)) - y) / x.ncols() as f64;
        (r.dot(&x.t()), r.sum_axis(Axis(1)))
    }

    /// The mean over the samples is forgotten.
    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn without_the_mean(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        let (dw, db) = gradient(w, b, x, y);
        (dw * x.ncols() as f64, db * x.ncols() as f64)
    }

    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn flips_the_bias(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        let (dw, db) = gradient(w, b, x, y);
        (dw, -db)
    }

    /// The weights' gradient is allocated, and never filled in.
    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn never_filled_in(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        (Array2::zeros(w.dim()), gradient(w, b, x, y).1)
    }

    /// The shape of a row, where the parameter is a vector.
    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn keeps_an_axis(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array2<f64>) {
        let (dw, db) = gradient(w, b, x, y);
        (dw, db.insert_axis(Axis(0)))
    }

    /// What only a batch of five or more shows.
    #[gradcheck(
        dims(n in 1..=4, k in 1..=3, m in 2..=6),
        w in normal([k, n]),
        b in normal(k),
        x in normal([n, m]),
        y in normal([k, m]),
        wrt = (w, b),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn holds_four_samples(
        w: &Array2<f64>,
        b: &Array1<f64>,
        x: &Array2<f64>,
        y: &Array2<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        assert!(x.ncols() <= 4, "the buffer holds 4 samples, not {}", x.ncols());
        gradient(w, b, x, y)
    }
}

/// `|w x|^2 / 2` of a square matrix.
mod square {
    use super::*;

    fn energy(w: &Array2<f64>, x: &Array1<f64>) -> f64 {
        let z = w.dot(x);
        0.5 * z.dot(&z)
    }

    fn outer(a: &Array1<f64>, b: &Array1<f64>) -> Array2<f64> {
        Array2::from_shape_fn((a.len(), b.len()), |(i, j)| a[i] * b[j])
    }

    #[gradcheck(dims(n in 2..=4), w in normal([n, n]), x in normal(n), forward = energy)]
    fn gradient(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        outer(&w.dot(x), x)
    }

    #[gradcheck(
        dims(n in 2..=4),
        w in normal([n, n]),
        x in normal(n),
        forward = energy,
        ignore = "wrong on purpose",
    )]
    fn transposed(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        outer(x, &w.dot(x))
    }
}

/// A fit with a penalty on the weights.
mod ridge {
    use super::*;
    use gradcheck_runtime::proptest::strategy::Just;

    /// Samples in the rows of `x`, (m, n).
    fn cost(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> f64 {
        let r = x.dot(w) - y;
        0.5 * r.dot(&r) + 0.35 * w.dot(w)
    }

    #[gradcheck(
        dims(n in 2..=4, m in 2..=5),
        w in normal(n),
        x in normal([m, n]),
        y in normal(m),
        forward = cost,
    )]
    fn gradient(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> Array1<f64> {
        x.t().dot(&(x.dot(w) - y)) + 0.7 * w
    }

    #[gradcheck(
        dims(n in 2..=4, m in 2..=5),
        w in normal(n),
        x in normal([m, n]),
        y in normal(m),
        forward = cost,
        ignore = "wrong on purpose",
    )]
    fn without_the_penalty(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> Array1<f64> {
        x.t().dot(&(x.dot(w) - y))
    }

    /// At the start of all training runs there is no penalty yet.
    #[gradcheck(
        dims(n in 2..=4, m in 2..=5),
        w in Just(Array1::zeros(n)),
        x in normal([m, n]),
        y in normal(m),
        forward = cost,
    )]
    fn from_zero(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> Array1<f64> {
        gradient(w, x, y)
    }

    /// The gradient of the loss without weights: right as long as they are zero.
    #[gradcheck(
        dims(n in 2..=4, m in 2..=5),
        w in Just(Array1::zeros(n)),
        x in normal([m, n]),
        y in normal(m),
        forward = cost,
        train(steps = 1..=4, learning_rate = 0.01),
        ignore = "wrong on purpose",
    )]
    fn right_at_zero(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> Array1<f64> {
        gradient(w, x, y) + 0.5 * w * w
    }
}

/// 400 parameters in one vector.
mod many {
    use super::*;

    fn energy(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        (k * w * w).sum()
    }

    #[gradcheck(w in normal(400), k in uniform(400, 1.0..2.0), forward = energy, cases = 4)]
    fn gradient(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        2.0 * k * w
    }

    #[gradcheck(
        w in normal(400),
        k in uniform(400, 1.0..2.0),
        forward = energy,
        cases = 4,
        ignore = "wrong on purpose",
    )]
    fn one_is_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        let mut g = gradient(w, k);
        g[137] *= 1.5;
        g
    }

    #[gradcheck(
        w in normal(400),
        k in uniform(400, 1.0..2.0),
        forward = energy,
        cases = 4,
        method = Method::Directional { probes: 3 },
    )]
    fn by_directions(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        gradient(w, k)
    }

    /// Two entries, which halving must find.
    #[gradcheck(
        w in normal(400),
        k in uniform(400, 1.0..2.0),
        forward = energy,
        cases = 4,
        method = Method::Directional { probes: 3 },
        ignore = "wrong on purpose",
    )]
    fn two_are_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        let mut g = gradient(w, k);
        g[41] += 2.0;
        g[305] -= 3.0;
        g
    }
}

/// Dropout whose mask is another at each call.
mod dropout {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }

    /// Keeps all components but one, the next at each call.
    fn loss_with_dropout(w: &Array1<f64>, x: &Array1<f64>) -> f64 {
        let dropped = CALLS.replace(CALLS.get() + 1) % w.len();
        let kept = w * x;
        let kept = kept.iter().enumerate().filter(|&(i, _)| i != dropped);
        kept.map(|(_, z)| z * z).sum::<f64>()
    }

    /// The same with the dropped component drawn, and passed in.
    #[gradcheck(
        dims(n in 3..=5, dropped in 0..=2),
        w in normal(n),
        x in normal(n),
        forward = w.iter().zip(&x).enumerate().filter(|&(i, _)| i != dropped)
            .map(|(_, (w, x))| (w * x) * (w * x)).sum::<f64>(),
    )]
    fn mask_passed_in(w: &Array1<f64>, x: &Array1<f64>, dropped: usize) -> Array1<f64> {
        let mut g = 2.0 * w * x * x;
        g[dropped] = 0.0;
        g
    }

    #[gradcheck(
        dims(n in 3..=5),
        w in uniform(n, 0.5..1.5),
        x in uniform(n, 0.5..1.5),
        forward = loss_with_dropout,
        ignore = "wrong on purpose",
    )]
    fn mask_of_each_call(w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
        2.0 * w * x * x
    }
}

/// A forward that keeps to one value when it is called twice, and then does not.
mod counter {
    use super::*;
    use gradcheck_runtime::proptest::strategy::Strategy;
    use std::cell::Cell;

    thread_local! {
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }

    /// Another value at every other call, once a few have been made.
    fn counted(w: &Array1<f64>) -> f64 {
        let call = CALLS.replace(CALLS.get() + 1);
        w.dot(w) + if call > 4 && call % 2 == 1 { 100.0 } else { 0.0 }
    }

    fn from_one() -> impl Strategy<Value = Array1<f64>> {
        gradcheck_runtime::strategy::normal(4).prop_map(|w: Array1<f64>| {
            CALLS.set(0);
            w
        })
    }

    #[gradcheck(w in from_one(), forward = counted, ignore = "wrong on purpose")]
    fn now_and_then(w: &Array1<f64>) -> Array1<f64> {
        CALLS.set(0);
        2.0 * w
    }

    #[gradcheck(w in normal(4), forward = |w: &Array1<f64>| w.dot(w))]
    fn the_same_each_call(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// A sum over samples of which one part is taken.
mod slices {
    use super::*;
    use ndarray::Axis;

    fn loss(b: &Array1<f64>, x: &Array2<f64>) -> f64 {
        (x + b).mapv(f64::sin).sum() / x.nrows() as f64
    }

    #[gradcheck(dims(n in 1..=3, m in 1..=6), b in normal(n), x in normal([m, n]), forward = loss)]
    fn all_samples(b: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        (x + b).mapv(f64::cos).mean_axis(Axis(0)).expect("a sample")
    }

    #[gradcheck(
        dims(n in 1..=3, m in 1..=6),
        b in normal(n),
        x in normal([m, n]),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn first_sample(b: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        (x + b).mapv(f64::cos).index_axis(Axis(0), 0).mapv(|d| d / x.nrows() as f64)
    }

    #[gradcheck(
        dims(n in 1..=3, m in 1..=6),
        b in normal(n),
        x in normal([m, n]),
        forward = loss,
        ignore = "wrong on purpose",
    )]
    fn last_sample(b: &Array1<f64>, x: &Array2<f64>) -> Array1<f64> {
        let d = (x + b).mapv(f64::cos);
        d.index_axis(Axis(0), x.nrows() - 1).mapv(|d| d / x.nrows() as f64)
    }
}

/// A block that the forward never reads.
mod unused {
    use super::*;

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Parameters {
        weight: Array1<f64>,
        gate: Array1<f64>,
    }

    fn parameters(n: usize) -> impl Strategy<Value = Parameters> + use<> {
        (normal(n), normal(n)).prop_map(|(weight, gate)| Parameters { weight, gate })
    }

    use gradcheck_runtime::proptest::strategy::Strategy;
    use gradcheck_runtime::strategy::normal;

    fn ungated(p: &Parameters) -> f64 {
        p.weight.dot(&p.weight)
    }

    #[gradcheck(
        dims(n in 1..=3),
        p in parameters(n),
        forward = ungated,
        allow_zero(p.gate),
    )]
    fn zero_by_design(p: &Parameters) -> Parameters {
        Parameters { weight: 2.0 * &p.weight, gate: 0.0 * &p.gate }
    }

    #[gradcheck(
        dims(n in 1..=3),
        p in parameters(n),
        forward = ungated,
        ignore = "wrong on purpose",
    )]
    fn gate_forgotten(p: &Parameters) -> Parameters {
        zero_by_design(p)
    }
}

/// A gradient that is to be added to a buffer.
mod buffers {
    use super::*;

    fn product(x: &[f64], w: &[f64]) -> f64 {
        x.iter().zip(w).map(|(x, w)| x * w).sum()
    }

    #[gradcheck(dims(n in 1..=4), x in vec(n), w in vec(n), forward = product(&x, &w), out(dx += x))]
    fn adds(w: &[f64], dx: &mut [f64]) {
        dx.iter_mut().zip(w).for_each(|(d, w)| *d += w);
    }

    #[gradcheck(
        dims(n in 1..=4),
        x in vec(n),
        w in vec(n),
        forward = product(&x, &w),
        out(dx += x),
        ignore = "wrong on purpose",
    )]
    fn overwrites(w: &[f64], dx: &mut [f64]) {
        dx.copy_from_slice(w);
    }

    /// A hundredth of what was there is gone.
    #[gradcheck(
        dims(n in 1..=4),
        x in vec(n),
        w in vec(n),
        forward = product(&x, &w),
        out(dx += x),
        ignore = "wrong on purpose",
    )]
    fn decays(w: &[f64], dx: &mut [f64]) {
        dx.iter_mut().zip(w).for_each(|(d, w)| *d = 0.99 * *d + w);
    }

    fn positive(x: &[f64], w: &[f64]) -> f64 {
        x.iter().zip(w).map(|(x, w)| x * w.max(0.0)).sum()
    }

    #[gradcheck(dims(n in 1..=4), x in vec(n), w in vec(n), forward = positive(&x, &w), out(dx = x))]
    fn writes(w: &[f64], dx: &mut [f64]) {
        dx.iter_mut().zip(w).for_each(|(d, w)| *d = w.max(0.0));
    }

    /// Zeros are left to whoever made the buffer.
    #[gradcheck(
        dims(n in 1..=4),
        x in vec(n),
        w in vec(n),
        forward = positive(&x, &w),
        out(dx = x),
        ignore = "wrong on purpose",
    )]
    fn leaves_zeros_out(w: &[f64], dx: &mut [f64]) {
        dx.iter_mut().zip(w).filter(|(_, w)| **w > 0.0).for_each(|(d, w)| *d = *w);
    }

    #[gradcheck(
        dims(n in 1..=4),
        x in vec(n),
        w in vec(n),
        forward = product(&x, &w),
        out(dx = x),
        ignore = "wrong on purpose",
    )]
    fn adds_all_the_same(w: &[f64], dx: &mut [f64]) {
        dx.iter_mut().zip(w).for_each(|(d, w)| *d += w);
    }
}

/// Three outputs of a pose of three numbers.
mod jacobian {
    use super::*;
    use ndarray::array;

    fn point(pose: &Array1<f64>) -> Array1<f64> {
        let (x, y, t) = (pose[0], pose[1], pose[2]);
        array![x * t, y * t * t, x + y]
    }

    #[gradcheck(pose in uniform(3, 1.0..2.0), forward = point)]
    fn derivative(pose: &Array1<f64>) -> Array2<f64> {
        let (x, y, t) = (pose[0], pose[1], pose[2]);
        array![[t, 0.0, x], [0.0, t * t, 2.0 * y * t], [1.0, 1.0, 0.0]]
    }

    #[gradcheck(pose in uniform(3, 1.0..2.0), forward = point, ignore = "wrong on purpose")]
    fn one_entry_wrong(pose: &Array1<f64>) -> Array2<f64> {
        let mut j = derivative(pose);
        j[[1, 2]] *= 0.5;
        j
    }
}

/// A forward that is generic over its scalar, for an exact check.
mod exact {
    use super::*;
    use num_traits::Float;

    fn chain<F: Float>(x: &Array1<F>) -> F {
        x.windows(2).into_iter().fold(F::zero(), |sum, pair| {
            let gap = pair[1] - pair[0] * pair[0];
            sum + gap * gap + pair[0] * pair[1]
        })
    }

    #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 2..=5), x in normal::<F, _>(n), forward = chain)]
    fn gradient(x: &Array1<f64>) -> Array1<f64> {
        let mut g = Array1::zeros(x.len());
        for i in 0..x.len() - 1 {
            let gap = x[i + 1] - x[i] * x[i];
            g[i] += x[i + 1] - 4.0 * gap * x[i];
            g[i + 1] += 2.0 * gap + x[i];
        }
        g
    }

    #[gradcheck(
        exact = F,
        tolerance = 1e-12,
        dims(n in 2..=5),
        x in normal::<F, _>(n),
        forward = chain,
        ignore = "wrong on purpose",
    )]
    fn first_is_off(x: &Array1<f64>) -> Array1<f64> {
        let mut g = gradient(x);
        g[0] += 0.001;
        g
    }
}

/// A sum of rectifiers and a linear part.
mod rectifier {
    use super::*;

    fn forward(w: &Array1<f64>) -> f64 {
        w.mapv(|w| w.max(0.0) + w).sum()
    }

    /// Every random state is on the kink, where what lies between the slopes passes.
    #[gradcheck(
        w in Just(()).prop_map(|()| Array1::zeros(1)),
        forward = forward,
        ignore = "its line is read",
    )]
    fn on_the_kink(w: &Array1<f64>) -> Array1<f64> {
        w.mapv(|w| if w == 0.0 { 1.3 } else { 1.0 + f64::from(w > 0.0) })
    }

    #[gradcheck(w in normal(2), forward = forward, ignore = "its line is read")]
    fn off_the_kink(w: &Array1<f64>) -> Array1<f64> {
        on_the_kink(w)
    }
}

/// A dictionary of a thousand keys.
mod dictionaries {
    use super::*;

    type Dictionary = BTreeMap<String, Array1<f64>>;

    fn squares(p: &Dictionary) -> f64 {
        p.values().map(|p| p.dot(p) + p.sum()).sum()
    }

    #[gradcheck(
        p in dictionary((0..1000).map(|i| (format!("layer_{i:03}"), normal(2)))),
        forward = squares,
        cases = 1,
        train(steps = 1, learning_rate = 0.125),
    )]
    fn gradient(p: &Dictionary) -> Dictionary {
        p.iter().map(|(name, p)| (name.clone(), 2.0 * p + 1.0)).collect()
    }

    /// Fifty of the thousand are right.
    #[gradcheck(
        p in dictionary((0..1000).map(|i| (format!("layer_{i:03}"), normal(2)))),
        forward = squares,
        cases = 1,
        train(steps = 1, learning_rate = 0.125),
        ignore = "wrong on purpose",
    )]
    fn most_are_doubled(p: &Dictionary) -> Dictionary {
        let mut g = gradient(p);
        g.values_mut().skip(50).for_each(|g| *g *= 2.0);
        g
    }
}

/// The reports, whole.
mod read {
    use super::support::{fails, run_with};

    /// Every generated test whose report is read: the test, the first words, the diagnosis.
    const REPORTS: &[(&str, &str, &[&str])] = &[
        (
            "affine::gradcheck_without_the_mean::random_init",
            "the gradient is wrong at a random initialisation",
            &["= m in the whole gradient", "is a mean's 1/m missing?"],
        ),
        (
            "affine::gradcheck_flips_the_bias::random_init",
            "the gradient is wrong at a random initialisation",
            &["sign flipped in b"],
        ),
        (
            "affine::gradcheck_never_filled_in::random_init",
            "the gradient is wrong at a random initialisation",
            &["zero gradient in w", "is it ever filled in?"],
        ),
        (
            "affine::gradcheck_keeps_an_axis::random_init",
            "wrong shape at a random initialisation",
            &["the gradient does not fit the parameters", "`b` has shape [1, 1]"],
        ),
        (
            "affine::gradcheck_holds_four_samples::random_init",
            "panicked at a random initialisation",
            &["the gradient panicked: the buffer holds 4 samples, not 5"],
        ),
        (
            "square::gradcheck_transposed::random_init",
            "the gradient is wrong at a random initialisation",
            &["transposed in w"],
        ),
        (
            "ridge::gradcheck_without_the_penalty::random_init",
            "the gradient is wrong at a random initialisation",
            &["missing term proportional to the parameter w (+0.7 w)", "penalty on one side only"],
        ),
        (
            "ridge::gradcheck_right_at_zero::after_training",
            "the gradient is wrong after",
            &["wrong only after training"],
        ),
        (
            "many::gradcheck_one_is_wrong::random_init",
            "the gradient is wrong at a random initialisation",
            &["one component of 400: w[137] (scaled by 1.5)"],
        ),
        (
            "many::gradcheck_two_are_wrong::random_init",
            "the gradient is wrong at a random initialisation",
            &["2 components of 400: w[41], w[305]"],
        ),
        (
            "dropout::gradcheck_mask_of_each_call::random_init",
            "not deterministic at a random initialisation",
            &["the forward is not deterministic", "keep_prob = 1.0"],
        ),
        (
            "counter::gradcheck_now_and_then::random_init",
            "not deterministic at a random initialisation",
            &["the forward is not deterministic"],
        ),
        (
            "slices::gradcheck_first_sample::random_init",
            "the gradient is wrong at a random initialisation",
            &["first slice in place of the sum over m in b"],
        ),
        (
            "slices::gradcheck_last_sample::random_init",
            "the gradient is wrong at a random initialisation",
            &["last slice in place of the sum over m in b", "is it overwritten, not added to?"],
        ),
        (
            "unused::gradcheck_gate_forgotten::random_init",
            "never exercised: gate",
            &["its gradient is zero in every state", "allow_zero(gate)"],
        ),
        (
            "buffers::gradcheck_overwrites::random_init",
            "overwritten, not accumulated at a random initialisation",
            &["the buffer is overwritten, not accumulated", "write `out(buffer = place)`"],
        ),
        (
            "buffers::gradcheck_decays::random_init",
            "accumulates something else at a random initialisation",
            &["the call adds something else to the buffer", "does the call scale what is there"],
        ),
        (
            "buffers::gradcheck_leaves_zeros_out::random_init",
            "never written, or accumulated at a random initialisation",
            &["x[0] what it held before the call", "also where it is zero"],
        ),
        (
            "buffers::gradcheck_adds_all_the_same::random_init",
            "accumulated, not overwritten at a random initialisation",
            &["the buffer is accumulated into, not overwritten", "write `out(buffer += place)`"],
        ),
        (
            "jacobian::gradcheck_one_entry_wrong::random_init",
            "the gradient is wrong at a random initialisation",
            &["one component of 9: d out[1] / d pose[2] (scaled by 0.5)"],
        ),
        (
            "exact::gradcheck_first_is_off::random_init",
            "the gradient is wrong at a random initialisation",
            &["one component of 2: x[0] (off by 0.001 each)"],
        ),
        (
            "dictionaries::gradcheck_most_are_doubled::random_init",
            "the gradient is wrong at a random initialisation",
            &["scaled by 2", "more blocks", "more wrong components"],
        ),
    ];

    /// The function's name in a test's.
    fn function(test: &str) -> &str {
        let (_, rest) = test.split_once("::gradcheck_").expect("a generated test");
        rest.split_once("::").expect("a generated test").0
    }

    /// The report alone, from its headline to the command that repeats the run.
    fn report<'a>(test: &str, text: &'a str) -> &'a str {
        let start = text.find(&format!("{}: ", function(test))).expect("a headline");
        let command = text[start..].find("run again:").expect("a command");
        let end = text[start + command..].find('\n').expect("a line") + 1;
        &text[start..start + command + end]
    }

    /// Leaves out what is not the same in every run and on every machine: line numbers, what a
    /// forward that changes from call to call gave, what shrinking took, and numbers that are
    /// rounding alone.
    fn masked(report: &str) -> String {
        let mut masked = String::new();
        for line in report.lines() {
            // Which of a thousand equally wrong components come first, rounding decides.
            if line.starts_with("  layer_")
                && line.split("  ").nth(1).is_some_and(|path| path.contains('['))
            {
                masked += "  layer_NNN[I]  ..\n";
                continue;
            }
            if line.starts_with("    found in ") {
                masked += "    found in ..\n";
                continue;
            }
            for word in line.split_inclusive(' ') {
                let bare = word.trim_end();
                let exponent = bare.split_once("e-").and_then(|(_, e)| e.parse::<u32>().ok());
                if let Some((file, _)) = bare.split_once(".rs:") {
                    masked += &format!("{file}.rs:LINE");
                } else if exponent.is_some_and(|e| e >= 8) {
                    masked += &format!("{:>1$}", "tiny", bare.len());
                } else {
                    masked += bare;
                }
                masked += &word[bare.len()..];
            }
            masked.push('\n');
        }
        masked
    }

    #[test]
    fn whole_reports() {
        for (test, headline, words) in REPORTS {
            let name = function(test);
            let mut all = vec![format!("{name}: {headline}"), "tests/reports.rs:".to_owned()];
            all.extend(words.iter().map(|&words| words.to_owned()));
            all.push("run again: GRADCHECK_SEED=".to_owned());
            all.push(format!("cargo test {test}"));
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let outcome = fails(test, &all);
            let settings = {
                let mut settings = insta::Settings::clone_current();
                settings.set_prepend_module_to_snapshot(false);
                settings.set_omit_expression(true);
                settings
            };
            let report = report(test, &outcome.text);
            if let Some((_, pairs)) = report.split_once(" trials, ") {
                let pairs = pairs.split_once(" pairs").and_then(|(n, _)| n.parse::<usize>().ok());
                assert!(pairs.is_some_and(|n| n > 0 && n <= 200), "{report}");
            }
            settings.bind(|| insta::assert_snapshot!(name, masked(report)));
        }
    }

    /// At 80 columns no line is longer, and nothing but a terminal gets escape codes.
    #[test]
    fn lines_fit_and_are_plain() {
        let mut long = Vec::new();
        for (test, ..) in REPORTS {
            // Unset is not the same as empty, and both are no wish for colour here: the output
            // goes into a pipe.
            let outcome = run_with(test, &[("COLUMNS", "80"), ("NO_COLOR", "")]);
            assert!(!outcome.passed, "{}", outcome.text);
            assert!(!outcome.text.contains('\u{1b}'), "{}", outcome.text);
            // The command to run again is one line whatever its length.
            let report = report(test, &outcome.text);
            for line in report.lines().filter(|line| !line.contains("run again: ")) {
                if line.chars().count() > 80 {
                    long.push(format!("{test}: {line}"));
                }
            }
        }
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    /// What a passing check says in its one line.
    #[test]
    fn one_line_for_a_pass() {
        let test = "ridge::gradcheck_right_at_zero::random_init";
        let outcome = run_with(test, &[("GRADCHECK_CASES", "9")]);
        assert!(outcome.passed, "{}", outcome.text);
        let mut lines =
            outcome.text.lines().filter(|line| line.contains("gradcheck right_at_zero:"));
        let line = lines.next().expect("a summary");
        assert_eq!(lines.next(), None);
        let number = |after: &str, before: &str| -> usize {
            let (_, rest) =
                line.split_once(after).unwrap_or_else(|| panic!("no {after:?}: {line}"));
            let (number, _) =
                rest.split_once(before).unwrap_or_else(|| panic!("no {before:?}: {line}"));
            number.parse().unwrap_or_else(|_| panic!("{number:?} is no number: {line}"))
        };
        assert_eq!(number("right_at_zero: ", " random initialisations, "), 9, "{line}");
        let components = number("random initialisations, ", " components: ");
        let agreed = number("components: ", " agree, ");
        let (kinks, undecided) = (number(" agree, ", " kink, "), number(" kink, ", " undecided;"));
        // Two to four in each state.
        assert!((18..=36).contains(&components), "{line}");
        assert_eq!(agreed + kinks + undecided, components, "{line}");
        assert_eq!((kinks, undecided), (0, 0), "{line}");
        assert!(line.contains("; largest difference "), "{line}");
        let (caught, planted) = (number("planted faults caught: ", " of "), number(" of ", "; "));
        assert!(planted > 9 && caught == planted, "{line}");
        // More than two for each component, or nothing was differenced.
        assert!(number(&format!(" of {planted}; "), " forward calls, ") > 2 * components, "{line}");
    }

    /// A check that passes, and in whose states nothing could agree, says so.
    #[test]
    fn nothing_agreed() {
        for (name, untested) in [("on_the_kink", true), ("off_the_kink", false)] {
            let outcome = run_with(&format!("rectifier::gradcheck_{name}::random_init"), &[]);
            assert!(outcome.passed, "{}", outcome.text);
            for words in ["NOT TESTED at random: w (", "; largest difference none;"] {
                assert_eq!(outcome.text.contains(words), untested, "{}", outcome.text);
            }
        }
    }

    #[test]
    fn masks_leave_what_matters() {
        let line = "  w  [2]  3.4e-11  2e-7  1.000e0  tests/reports.rs:12:34: x";
        assert_eq!(masked(line), "  w  [2]     tiny  2e-7  1.000e0  tests/reports.rs:LINE x\n");
    }
}
