//! What the strategies draw, and how it shrinks.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::panic::catch_unwind;

use gradcheck_runtime::strategy::{
    Dictionary, Elements, dictionary, he_normal, labels, normal, one_hot, signs, uniform, vec,
    xavier_uniform,
};
use ndarray::{
    Array, Array0, Array1, Array2, Array3, ArrayD, Axis, Dimension, Ix1, Ix2, IxDyn, Slice,
};
use num_traits::Float;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

/// A runner whose randomness is fixed by `seed`.
fn runner(seed: u64) -> TestRunner {
    let bytes: Vec<u8> = (0..4).flat_map(|i| (seed * 4 + i).to_le_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, rng)
}

fn tree<S: Strategy>(strategy: S, seed: u64) -> S::Tree {
    strategy.new_tree(&mut runner(seed)).expect("nothing is rejected")
}

fn draw<S: Strategy>(strategy: S, seed: u64) -> S::Value {
    tree(strategy, seed).current()
}

/// The first elements along each axis, as many as `shape` says.
fn corner<F: Copy, D: Dimension>(array: &Array<F, D>, shape: &[usize]) -> Array<F, D> {
    array.slice_each_axis(|axis| Slice::from(..shape[axis.axis.index()])).to_owned()
}

// What users write, where the compiler is the test.

#[test]
fn shapes_are_those_of_ndarray() {
    let _: Array0<f64> = draw(normal(()), 1);
    let x: Array1<f64> = draw(normal(4), 1);
    assert_eq!(x.dim(), 4);
    let x: Array2<f32> = draw(normal([2, 3]), 1);
    assert_eq!(x.dim(), (2, 3));
    assert_eq!(draw(normal::<f32, _>((2, 3)), 1), x);
    assert_eq!(draw(normal::<f32, _>(x.raw_dim()), 1), x);
    let x: Array3<f64> = draw(normal([2, 3, 4]), 1);
    assert_eq!(x.dim(), (2, 3, 4));
    let sizes = [2, 3];
    let x: ArrayD<f64> = draw(normal(&sizes[..]), 1);
    assert_eq!(x.shape(), [2, 3]);
    assert_eq!(draw(normal::<f64, _>(vec![2, 3]), 1), x);
    assert_eq!(draw(normal::<f64, _>(x.raw_dim()), 1), x);
    assert_eq!(draw(normal::<f64, _>(IxDyn(&[2, 3])), 1), x);
    let x = draw(normal::<f64, _>([1, 2, 1, 2, 1, 2]), 1);
    assert_eq!(x.shape(), [1, 2, 1, 2, 1, 2]);

    assert_eq!(draw(uniform([2, 3, 4], 0.0..1.0), 1).dim(), (2, 3, 4));
    assert_eq!(draw(he_normal::<f64, _>([2, 3, 4]), 1).dim(), (2, 3, 4));
    assert_eq!(draw(xavier_uniform::<f64, _>([2, 3, 4]), 1).dim(), (2, 3, 4));
    assert_eq!(draw(labels::<f64, _>([2, 3, 4]), 1).dim(), (2, 3, 4));
    assert_eq!(draw(signs::<f64, _>([2, 3, 4]), 1).dim(), (2, 3, 4));
    assert_eq!(draw(one_hot::<f64, _>([2, 3, 4]), 1).dim(), (2, 3, 4));
    assert_eq!(draw(vec::<f32>(3), 1).len(), 3);
}

/// Arrays are row-major, in memory too.
#[test]
fn arrays_are_in_standard_layout() {
    assert!(draw(normal::<f64, _>([3, 4, 5]), 1).is_standard_layout());
}

fn weights_and_bias<F: Float + Debug + 'static>(
    sizes: &[usize],
) -> impl Strategy<Value = Vec<(Array2<F>, Array1<F>, Vec<F>)>> + use<F> {
    sizes
        .windows(2)
        .map(|pair| {
            (
                he_normal::<F, _>([pair[1], pair[0]]),
                uniform(pair[1], F::zero()..F::one()),
                vec::<F>(pair[0]),
            )
                .prop_map(|layer| layer)
        })
        .collect::<Vec<_>>()
}

#[test]
fn generic_functions_need_no_further_bounds() {
    let layers = draw(weights_and_bias::<f32>(&[2, 3, 1]), 1);
    assert_eq!(layers[0].0.dim(), (3, 2));
    assert_eq!(layers[1].1.dim(), 1);
    assert_eq!(layers[1].2.len(), 3);
}

/// Nothing names the float before `b * 0.1` and `w + 4.0` are typed.
#[test]
fn the_float_is_inferred_from_a_later_use() {
    let sizes = [2, 3, 1];
    let layers: Vec<_> = sizes
        .windows(2)
        .map(|pair| (he_normal([pair[1], pair[0]]), normal([pair[1], 1])))
        .collect();
    let strategy = layers.prop_map(|layers| {
        let mut parameters: BTreeMap<String, Array2<f64>> = BTreeMap::new();
        for (l, (w, b)) in layers.into_iter().enumerate() {
            parameters.insert(format!("W{}", l + 1), w);
            parameters.insert(format!("b{}", l + 1), b * 0.1);
        }
        parameters
    });
    assert_eq!(draw(strategy, 1)["b1"].dim(), (3, 1));

    let w = draw(normal(3).prop_map(|w| w + 4.0), 1);
    let _: &Array1<f32> = &w;
    let (mean, precision) = draw((vec(3), 0.1..4.0), 1);
    let _: (&[f64], f64) = (&mean, precision);
}

/// Strategies outlive the sizes they were made from, and can be shared by threads.
#[test]
fn strategies_own_themselves() {
    fn check<S: Strategy + Clone + Send + Sync + 'static>(_: &S) {}
    let made = {
        let sizes = [2, 3];
        normal::<f64, _>(&sizes[..])
    };
    check(&made);
    check(&vec::<f64>(3));
    assert_eq!(draw(made.clone(), 1), draw(&made, 1));
    assert!(format!("{made:?}").contains("[2, 3]"), "{made:?}");
    assert!(format!("{:?}", dictionary([("W", made)])).contains("\"W\""));
}

// Distributions.

fn moment(x: &[f64], centre: f64, power: i32) -> f64 {
    x.iter().map(|x| (x - centre).powi(power)).sum::<f64>() / x.len() as f64
}

/// Whether `x` may be a standard normal sample: five standard errors for each statistic.
fn standard_normal(x: &[f64]) -> Result<(), String> {
    let n = x.len() as f64;
    let mean = moment(x, 0.0, 1);
    let variance = moment(x, mean, 2);
    let share = |inside: fn(f64) -> bool| x.iter().filter(|&&x| inside(x)).count() as f64 / n;
    let statistics = [
        ("mean", mean, 0.0, 1.0),
        ("variance", variance, 1.0, 2.0),
        ("skewness", moment(x, mean, 3) / variance.powf(1.5), 0.0, 6.0),
        ("kurtosis", moment(x, mean, 4) / variance.powi(2), 3.0, 24.0),
        ("median magnitude", share(|x| x.abs() < 0.674_489_750_196), 0.5, 0.25),
        ("beyond two", share(|x| x.abs() > 2.0), 0.045_500_263_896, 0.0434),
        ("beyond three", share(|x| x.abs() > 3.0), 0.002_699_796_063, 0.002_69),
    ];
    for (name, measured, expected, variance) in statistics {
        let plausible = (measured - expected).abs() < 5.0 * f64::sqrt(variance / n);
        if !plausible {
            return Err(format!("{name}: {measured} for {expected}"));
        }
    }
    Ok(())
}

/// Correlation of pairs, which must not be distinguishable from zero.
fn uncorrelated(pairs: impl Iterator<Item = (f64, f64)>) -> Result<(), String> {
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let n = pairs.len() as f64;
    let (ma, mb) =
        (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|p| f(p.0 - ma, p.1 - mb)).sum::<f64>();
    let correlation = sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if correlation.abs() < 5.0 / n.sqrt() { Ok(()) } else { Err(format!("{correlation}")) }
}

/// Whether `x` may be uniform on 0..1: Kolmogorov and Smirnov's distance, at one in a million.
fn standard_uniform(x: &[f64]) -> Result<(), String> {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    let distance = x
        .iter()
        .enumerate()
        .map(|(i, &x)| (x - i as f64 / n).abs().max((x - (i + 1) as f64 / n).abs()))
        .fold(0.0, f64::max);
    if distance < 2.7 / n.sqrt() { Ok(()) } else { Err(format!("distance {distance}")) }
}

#[test]
fn normals_are_normal() {
    for seed in 0..4 {
        let x: Array1<f64> = draw(normal(100_000), seed);
        standard_normal(x.as_slice().unwrap()).unwrap();
        let x: Array2<f32> = draw(normal([100, 1000]), seed);
        standard_normal(&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()).unwrap();
    }
    // One element each of many draws.
    let mut runner = runner(5);
    let x: Vec<f64> = (0..100_000)
        .map(|_| normal(()).new_tree(&mut runner).unwrap().current().into_scalar())
        .collect();
    standard_normal(&x).unwrap();
    uncorrelated(x.iter().copied().zip(x[1..].iter().copied())).unwrap();
}

#[test]
fn what_is_not_normal_is_seen() {
    let x: Vec<f64> = draw(vec(100_000), 1);
    let twin = |f: fn(f64) -> f64| {
        standard_normal(&x.iter().map(|&x| f(x)).collect::<Vec<_>>()).unwrap_err()
    };
    assert!(twin(|x| x + 0.02).starts_with("mean"));
    assert!(twin(|x| x * 1.03).starts_with("variance"));
    assert!(twin(|x| x.abs() * 2.0 - 1.6).contains("variance"));
    let flat = draw(uniform(100_000, -(3_f64.sqrt())..3_f64.sqrt()), 1);
    assert!(standard_normal(flat.as_slice().unwrap()).unwrap_err().starts_with("kurtosis"));
    let sum = |i: usize| flat.iter().skip(i * 1000).take(1000);
    let triangular: Vec<f64> =
        (0..99).flat_map(|i| sum(i).zip(sum(i + 1)).map(|(a, b)| (a + b) / 2_f64.sqrt())).collect();
    assert!(standard_normal(&triangular).unwrap_err().starts_with("kurtosis"));
}

#[test]
fn neighbours_are_uncorrelated() {
    let x: Array3<f64> = draw(normal([40, 50, 60]), 3);
    for axis in 0..3 {
        for lag in 1..4 {
            let a = x.slice_axis(Axis(axis), (..-lag).into());
            let b = x.slice_axis(Axis(axis), (lag..).into());
            uncorrelated(a.iter().copied().zip(b.iter().copied())).unwrap();
            // Magnitudes too: a dependence need not be linear.
            uncorrelated(a.iter().map(|a| a * a).zip(b.iter().map(|b| b * b))).unwrap();
        }
    }
    let x: Array2<f64> = draw(normal([300, 300]), 3);
    let transposed =
        x.indexed_iter().filter(|((i, j), _)| i < j).map(|((i, j), &v)| (v, x[[j, i]]));
    uncorrelated(transposed).unwrap();
    // Two draws of one runner, one after the other.
    let (a, b): (Array1<f64>, Array1<f64>) = draw((normal(100_000), normal(100_000)), 3);
    uncorrelated(a.iter().copied().zip(b.iter().copied())).unwrap();
    // The twin: neighbours that share a twentieth of their variance.
    let mixed: Vec<f64> = a.iter().zip(a.iter().skip(1)).map(|(a, b)| a + 0.05 * b).collect();
    uncorrelated(mixed.iter().copied().zip(mixed[1..].iter().copied())).unwrap_err();
}

/// Consecutive seeds, which differ in a bit or two, give unrelated arrays.
#[test]
fn every_bit_of_the_seed_matters() {
    let columns: Vec<Array1<f64>> = (0..300).map(|seed| draw(normal(300), seed)).collect();
    let pairs = columns
        .windows(2)
        .flat_map(|pair| pair[0].iter().copied().zip(pair[1].iter().copied()).collect::<Vec<_>>());
    uncorrelated(pairs).unwrap();
}

#[test]
fn uniforms_are_uniform() {
    let x = draw(uniform(100_000, 0.0..1.0), 1);
    standard_uniform(x.as_slice().unwrap()).unwrap();
    uncorrelated(x.iter().copied().zip(x.iter().copied().skip(1))).unwrap();
    let x = draw(uniform([100, 1000], -3.0_f32..5.0), 1);
    let x: Vec<f64> = x.iter().map(|&x| (f64::from(x) + 3.0) / 8.0).collect();
    standard_uniform(&x).unwrap();
    // Twins: a little bent, a little short of the end.
    standard_uniform(&x.iter().map(|x| x.powf(1.03)).collect::<Vec<_>>()).unwrap_err();
    standard_uniform(&x.iter().map(|x| x * 0.98).collect::<Vec<_>>()).unwrap_err();
}

#[test]
fn uniforms_stay_inside_their_range() {
    fn check<F: Float + Debug + 'static>(range: std::ops::Range<F>) {
        for seed in 0..40 {
            let mut tree = tree(uniform(500, range.clone()), seed);
            loop {
                let x = tree.current();
                assert!(x.iter().all(|x| range.contains(x)), "{range:?} {x:?}");
                if !tree.simplify() {
                    break;
                }
            }
        }
    }
    check(-1.0..1.0);
    check(3.0_f32..9.0);
    check(-9.0_f32..-3.0);
    check(1e-3_f32..1.0009e-3);
    check(1.0..1.0 + f64::EPSILON);
    check(1.0_f32..1.0 + f32::EPSILON);
    check(1.0_f32..1.0 + 2.0 * f32::EPSILON);
    check(16_777_216.0_f32..16_777_220.0);
    check(f64::MIN..f64::MAX);
    check(f32::MIN..f32::MAX);
    check(0.0..f64::MIN_POSITIVE);
    check(-123.456..-0.001);
}

/// The range just above is one that plain rounding leaves: this shows that it would.
#[test]
fn rounding_alone_would_leave_the_range() {
    let (start, end) = (1.0_f32, 1.0 + f32::EPSILON);
    let wide = draw(uniform(500, f64::from(start)..f64::from(end)), 1);
    assert!(wide.iter().any(|&x| x as f32 == end));
}

#[test]
fn tight_and_vast_ranges_are_covered() {
    let x = draw(uniform(500, 1.0_f32..1.0 + 2.0 * f32::EPSILON), 1);
    let low = x.iter().filter(|&&x| x == 1.0).count();
    assert!((120..215).contains(&low), "{low}"); // a third, the numbers beyond the end drawn again
    let x = draw(uniform(500, f64::MIN..f64::MAX), 1);
    let high = x.iter().filter(|&&x| x > f64::MAX / 2.0).count();
    assert!((80..170).contains(&high), "{high}");
}

#[test]
fn empty_and_infinite_ranges_are_refused() {
    let refused = |range: std::ops::Range<f64>| {
        let shown = format!("{range:?}");
        let panic = catch_unwind(|| uniform(3, range)).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert_eq!(*message, format!("uniform: {shown} is empty or not finite"));
    };
    refused(1.0..1.0);
    refused(1.0..0.0);
    refused(0.0..f64::INFINITY);
    refused(f64::NAN..1.0);
}

fn deviation<D: Dimension>(strategy: Elements<f64, D>) -> f64 {
    let mut runner = runner(8);
    let x: Vec<f64> = (0..400)
        .flat_map(|_| strategy.new_tree(&mut runner).unwrap().current().into_raw_vec_and_offset().0)
        .collect();
    moment(&x, 0.0, 2).sqrt()
}

#[track_caller]
fn near(measured: f64, expected: f64) {
    assert!((measured / expected - 1.0).abs() < 0.08, "{measured} for {expected}");
}

/// The expected values are far enough apart for a fan taken from the wrong axis to show.
#[test]
fn he_takes_the_fan_of_each_rank() {
    near(deviation(he_normal(())), 2_f64.sqrt());
    near(deviation(he_normal(8)), (2.0_f64 / 8.0).sqrt());
    near(deviation(he_normal([2, 50])), (2.0_f64 / 50.0).sqrt());
    near(deviation(he_normal([50, 2])), (2.0_f64 / 2.0).sqrt());
    near(deviation(he_normal([2, 5, 3])), (2.0_f64 / 15.0).sqrt());
    near(deviation(he_normal([2, 5, 3, 7])), (2.0_f64 / 105.0).sqrt());
    near(deviation(he_normal(vec![2, 5, 3, 7])), (2.0_f64 / 105.0).sqrt());
    near(deviation(he_normal([2, 50]).into_dyn()), (2.0_f64 / 50.0).sqrt());
}

#[test]
fn xavier_takes_both_fans() {
    fn check<D: Dimension>(strategy: Elements<f64, D>, fan_sum: f64) {
        let limit = (6.0 / fan_sum).sqrt();
        near(deviation(strategy.clone()), limit / 3_f64.sqrt());
        let mut runner = runner(9);
        let largest = (0..400)
            .flat_map(|_| strategy.new_tree(&mut runner).unwrap().current().into_iter())
            .fold(0.0, |m: f64, x| m.max(x.abs()));
        assert!((0.98 * limit..=limit).contains(&largest), "{largest} for {limit}");
    }
    check(xavier_uniform(()), 2.0);
    check(xavier_uniform(8), 9.0);
    check(xavier_uniform([2, 50]), 52.0);
    check(xavier_uniform([50, 2]), 52.0);
    check(xavier_uniform([2, 5, 3]), 21.0);
    check(xavier_uniform([2, 5, 3, 4]), 84.0);
}

#[test]
fn choices_are_legal_and_even() {
    for seed in 0..4 {
        let y: Array1<f64> = draw(labels(10_000), seed);
        assert!(y.iter().all(|&y| y == 0.0 || y == 1.0));
        assert!((y.sum() - 5000.0).abs() < 250.0, "{}", y.sum());
        let y: Array1<f32> = draw(signs(10_000), seed);
        assert!(y.iter().all(|&y| y == -1.0 || y == 1.0));
        assert!(y.sum().abs() < 500.0, "{}", y.sum());
        let pairs = y.iter().zip(y.iter().skip(1)).map(|(&a, &b)| (a.into(), b.into()));
        uncorrelated(pairs).unwrap();
        let y: Array2<f64> = draw(one_hot([5000, 5]), seed);
        assert!(y.rows().into_iter().all(|row| one(row.iter().copied())));
        assert!(y.sum_axis(Axis(0)).iter().all(|n| (n - 1000.0).abs() < 150.0));
    }
}

/// Whether one element is 1 and all others are 0.
fn one(row: impl IntoIterator<Item = f64>) -> bool {
    let (ones, others): (Vec<f64>, Vec<f64>) = row.into_iter().partition(|&x| x == 1.0);
    ones.len() == 1 && others.iter().all(|&x| x == 0.0)
}

#[test]
fn one_hot_is_along_the_last_axis() {
    let y: Array3<f64> = draw(one_hot([20, 30, 4]), 1);
    assert!(y.lanes(Axis(2)).into_iter().all(|row| one(row.iter().copied())));
    assert!(!y.lanes(Axis(1)).into_iter().all(|row| one(row.iter().copied())));
    assert!(one(draw(one_hot::<f64, _>(6), 1)));
    assert_eq!(draw(one_hot::<f64, _>(()), 1).into_scalar(), 1.0);
    assert_eq!(draw(one_hot::<f64, _>([3, 1]), 1), Array2::ones((3, 1)));
}

#[test]
fn nothing_is_drawn_for_an_axis_of_length_0() {
    fn check<D: Dimension>(strategy: Elements<f64, D>, shape: &[usize]) {
        let mut tree = tree(strategy, 1);
        assert_eq!(tree.current().shape(), shape);
        assert_eq!(tree.current().len(), 0);
        assert!(!tree.simplify());
        assert!(!tree.complicate());
    }
    check(normal(0), &[0]);
    check(normal([0, 3]), &[0, 3]);
    check(normal([3, 0]), &[3, 0]);
    check(normal([usize::MAX / 4, 0]), &[usize::MAX / 4, 0]);
    check(uniform([2, 0, 3], 0.0..1.0), &[2, 0, 3]);
    check(he_normal([0, 0]), &[0, 0]);
    check(he_normal([3, 0]), &[3, 0]);
    check(xavier_uniform([0, 0]), &[0, 0]);
    check(xavier_uniform(0), &[0]);
    check(labels(0), &[0]);
    check(signs([0, 1]), &[0, 1]);
    check(one_hot([3, 0]), &[3, 0]);
    check(one_hot([0, 3]), &[0, 3]);
    assert!(draw(vec::<f32>(0), 1).is_empty());
    // A fan of zero is no division by zero.
    let strategies = [he_normal::<f64, _>([3, 0]), xavier_uniform([0, 0])];
    assert!(!format!("{strategies:?}").contains("inf"), "{strategies:?}");
}

// Corners.

#[test]
fn a_smaller_array_is_a_corner_of_the_larger() {
    fn check(of: impl Fn([usize; 2]) -> Elements<f64, Ix2>) {
        for seed in 0..20 {
            let large = draw(of([14, 15]), seed);
            for (n, m) in [(12, 13), (14, 1), (1, 15), (14, 15)] {
                assert_eq!(draw(of([n, m]), seed), corner(&large, &[n, m]));
            }
            // Twins: another seed; the first elements in memory; the other way round.
            assert_ne!(draw(of([14, 15]), seed + 1), large);
            let first = Array1::from_iter(large.iter().copied().take(12 * 13));
            assert_ne!(draw(of([12, 13]), seed), first.into_shape_with_order((12, 13)).unwrap());
            assert_ne!(draw(of([15, 14]), seed).reversed_axes(), large);
        }
    }
    check(normal);
    check(|shape| uniform(shape, -2.0..3.0));
    check(labels);
    check(signs);

    let large: Array3<f32> = draw(normal([3, 4, 5]), 7);
    assert_eq!(draw(normal::<f32, _>([2, 3, 4]), 7), corner(&large, &[2, 3, 4]));
    assert_eq!(draw(vec::<f64>(3), 7), draw(vec::<f64>(9), 7)[..3]);
    // Another index is another element, whichever axis it differs in.
    let x: Array2<f64> = draw(normal([6, 6]), 7);
    let mut all = x.into_raw_vec_and_offset().0;
    all.sort_by(f64::total_cmp);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn weights_are_corners_up_to_their_scale() {
    let (large, small): (Array2<f64>, Array2<f64>) =
        (draw(he_normal([4, 8]), 2), draw(he_normal([3, 2]), 2));
    let ratio = &small / &corner(&large, &[3, 2]);
    assert!(ratio.iter().all(|r| (r - 2.0).abs() < 1e-12), "{ratio}");
    let (large, small): (Array2<f64>, Array2<f64>) =
        (draw(xavier_uniform([8, 8]), 2), draw(xavier_uniform([2, 2]), 2));
    let ratio = &small / &corner(&large, &[2, 2]);
    assert!(ratio.iter().all(|r| (r - 2.0).abs() < 1e-12), "{ratio}");
}

#[test]
fn rows_keep_their_class() {
    let large: Array2<f64> = draw(one_hot([50, 5]), 2);
    assert_eq!(draw(one_hot::<f64, _>([20, 5]), 2), corner(&large, &[20, 5]));
    let small: Array2<f64> = draw(one_hot([50, 3]), 2);
    let mut kept = 0;
    for (large, small) in corner(&large, &[50, 3]).rows().into_iter().zip(small.rows()) {
        if large.sum() == 1.0 {
            assert_eq!(small, large);
            kept += 1;
        }
        assert!(one(small.iter().copied()));
    }
    assert!((15..50).contains(&kept), "{kept}");
}

/// What a later draw sees of the runner after a first one.
fn next_after<S: Strategy>(strategy: S) -> u64 {
    let mut runner = runner(4);
    strategy.new_tree(&mut runner).unwrap();
    any::<u64>().new_tree(&mut runner).unwrap().current()
}

#[test]
fn every_shape_takes_the_same_randomness() {
    let expected = next_after(any::<u64>());
    assert_eq!(next_after(normal::<f64, _>(())), expected);
    assert_eq!(next_after(normal::<f64, _>(0)), expected);
    assert_eq!(next_after(normal::<f64, _>([7, 9])), expected);
    assert_eq!(next_after(uniform([7, 9], 1.0..1.0 + f64::EPSILON)), expected);
    assert_eq!(next_after(he_normal::<f32, _>([7, 9, 2])), expected);
    assert_eq!(next_after(xavier_uniform::<f32, _>(vec![7, 9])), expected);
    assert_eq!(next_after(labels::<f64, _>(3)), expected);
    assert_eq!(next_after(signs::<f64, _>(4)), expected);
    assert_eq!(next_after(one_hot::<f64, _>([4, 0])), expected);
    assert_eq!(next_after(vec::<f64>(100)), expected);
    // The twin: a strategy that draws element by element.
    let sized = |n: usize| next_after(proptest::collection::vec(0.0..1.0, n));
    assert_ne!(sized(3), sized(4));
}

#[test]
fn every_float_draws_the_same_numbers() {
    let wide: Array2<f64> = draw(he_normal([6, 7]), 3);
    let narrow: Array2<f32> = draw(he_normal([6, 7]), 3);
    assert_eq!(wide.mapv(|x| x as f32), narrow);
    let wide = draw(uniform(100, -2.0..2.0), 3);
    let narrow = draw(uniform(100, -2.0_f32..2.0), 3);
    assert_eq!(wide.mapv(|x| x as f32), narrow);
    assert_eq!(draw(labels::<f64, _>(90), 3), draw(labels::<f32, _>(90), 3).mapv(f64::from));
}

// Shrinking.

/// All values on the way down, the drawn one first.
fn descent<S: Strategy>(strategy: S, seed: u64) -> Vec<S::Value> {
    let mut tree = tree(strategy, seed);
    let mut values = vec![tree.current()];
    while tree.simplify() {
        values.push(tree.current());
        assert!(values.len() <= 7, "a short ladder");
    }
    assert!(!tree.simplify(), "the end stays the end");
    values
}

/// Significant decimal digits of the shortest text that reads back as `x`.
fn digits<F: std::fmt::LowerExp>(x: F) -> usize {
    let text = format!("{x:e}");
    text.split('e').next().unwrap().chars().filter(char::is_ascii_digit).count()
}

fn sound_descent<F, D>(strategy: &Elements<F, D>, seed: u64) -> Vec<Array<F, D>>
where
    F: Float + Debug + std::fmt::LowerExp + 'static,
    D: Dimension,
{
    let values = descent(strategy, seed);
    for (before, after) in values.iter().zip(&values[1..]) {
        assert_ne!(before, after, "a step changes something");
    }
    for value in &values {
        for (&x, &drawn) in value.iter().zip(&values[0]) {
            assert!(x != F::zero() && x.signum() == drawn.signum(), "{drawn:?} became {x:?}");
        }
    }
    let again = descent(strategy.clone(), seed);
    assert_eq!(again, values, "k simplifications are the same k simplifications");
    values
}

#[test]
fn normals_shrink_to_one_digit_of_order_one() {
    for seed in 0..50 {
        for x in sound_descent(&normal::<f64, _>([3, 4]), seed).pop().unwrap() {
            assert!(x.abs() <= 1.0 && digits(x) == 1, "{x}");
        }
        for x in sound_descent(&he_normal::<f32, _>([3, 400]), seed).pop().unwrap() {
            assert!(x.abs() <= 1.0 && digits(x) == 1, "{x}");
        }
    }
}

/// Scale before digits; digits three, two, one.
#[test]
fn the_ladder_is_scale_then_digits() {
    let values = sound_descent(&uniform(200, -100.0..100.0), 3);
    assert_eq!(values.len(), 7);
    let largest = |k: usize| values[k].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let longest = |k: usize| values[k].iter().map(|&x| digits(x)).max().unwrap();
    assert!(largest(0) > 90.0);
    assert!((4.0..=8.0).contains(&largest(1)), "{}", largest(1));
    assert!((1.0..=2.0).contains(&largest(2)), "{}", largest(2));
    assert!((0.5..=1.0).contains(&largest(3)), "{}", largest(3));
    assert!((0..4).all(|k| longest(k) > 10), "scaling by two leaves the digits");
    assert_eq!((4..7).map(longest).collect::<Vec<_>>(), [3, 2, 1]);
    // Halvings, and no others.
    for (drawn, scaled) in values[0].iter().zip(&values[3]) {
        assert_eq!((drawn / scaled).log2().fract(), 0.0);
    }
    for (drawn, rounded) in values[3].iter().zip(&values[4]) {
        assert!((drawn / rounded - 1.0).abs() <= 0.005 + 1e-12, "{drawn} {rounded}");
    }
}

#[test]
fn shrinking_respects_the_range() {
    for seed in 0..50 {
        let values = sound_descent(&uniform(20, 3.0..9.0), seed);
        assert!(values.iter().flatten().all(|x| (3.0..9.0).contains(x)));
        assert!(values.last().unwrap().iter().all(|&x| digits(x) == 1), "{values:?}");
        // Where one digit leads out of the range there are more, and where none helps, all.
        let values = sound_descent(&uniform(20, 0.96..0.99), seed);
        assert!(values.last().unwrap().iter().all(|&x| digits(x) == 2), "{values:?}");
        let values = descent(uniform(20, 0.123_41..0.123_42), seed);
        assert_eq!(values.len(), 1);
        // Up against the excluded end of a range, digits are cut off rather than rounded.
        let values = sound_descent(&uniform(20, 1e-9_f32..1e-8), seed);
        assert!(values.last().unwrap().iter().all(|&x| digits(x) == 1), "{values:?}");
        sound_descent(&uniform(20, -0.98..2.0), seed);
        sound_descent(&xavier_uniform::<f32, _>([3, 2]), seed);
    }
}

#[test]
fn a_step_that_changes_nothing_is_skipped() {
    // No element above 1: digits at once.
    let values = descent(uniform(20, 0.1..0.9), 1);
    assert_eq!(values.len(), 4);
    assert_eq!(digits(values[1][0]), 3);
}

#[test]
fn choices_do_not_shrink() {
    assert_eq!(descent(labels::<f64, _>(40), 1).len(), 1);
    assert_eq!(descent(signs::<f64, _>(40), 1).len(), 1);
    assert_eq!(descent(one_hot::<f64, _>([40, 3]), 1).len(), 1);
}

#[test]
fn complicate_undoes_the_last_step() {
    let strategy = uniform(200, -100.0..100.5);
    let values = descent(&strategy, 3);
    for undone in 1..values.len() {
        let mut tree = tree(&strategy, 3);
        assert!(!tree.complicate(), "nothing to undo");
        for _ in 0..undone {
            assert!(tree.simplify());
        }
        assert_eq!(tree.current(), values[undone]);
        assert!(tree.complicate());
        assert_eq!(tree.current(), values[undone - 1]);
        assert!(!tree.complicate(), "one step is undone, not two");
        assert_eq!(tree.current(), values[undone - 1]);
        // What was refused is not tried again: scaling gives way to digits, digits end.
        let scale = values[undone - 1].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if undone <= 3 {
            for count in [3, 2, 1] {
                assert!(tree.simplify());
                assert_eq!(tree.current().iter().map(|&x| digits(x)).max(), Some(count));
                let now = tree.current().iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                assert!((now / scale - 1.0).abs() < 0.2, "{now} {scale}");
            }
        }
        assert!(!tree.simplify());
    }
}

/// proptest's own loop ends, at a state that still fails and is simpler.
#[test]
fn proptest_shrinks_to_a_simple_failing_state() {
    let fails = |x: &Array1<f64>| x[0].abs() > 0.76;
    for seed in 0..20 {
        let strategy = (normal(3), normal(2)).prop_map(|(x, y): (Array1<f64>, Array1<f64>)| (x, y));
        let result = runner(seed).run(&strategy, |(x, _)| {
            if fails(&x) { Err(TestCaseError::fail("large")) } else { Ok(()) }
        });
        let Err(TestError::Fail(_, (x, y))) = result else { panic!("{result:?}") };
        assert!(fails(&x), "{x}");
        assert!(x.iter().all(|&x| x.abs() < 4.0 && digits(x) <= 3), "{x}");
        assert!(y.iter().all(|&y| y.abs() <= 1.0 && digits(y) == 1), "{y}");
    }
}

// Dictionaries.

#[test]
fn dictionaries_are_ordered_or_hashed() {
    let blocks = || dictionary([("W1", he_normal([3, 2])), ("b1", normal([3, 1]))]);
    let ordered: BTreeMap<String, Array2<f64>> = draw(blocks(), 5);
    assert_eq!(ordered.keys().collect::<Vec<_>>(), ["W1", "b1"]);
    assert_eq!(ordered["W1"].dim(), (3, 2));
    assert_eq!(ordered["b1"].dim(), (3, 1));
    let hashed: HashMap<String, Array2<f64>> = draw(blocks().hashed(), 5);
    assert_eq!(hashed.into_iter().collect::<BTreeMap<_, _>>(), ordered);
    // Block for block what a tuple of the same strategies draws.
    let (w, b) = draw((he_normal([3, 2]), normal([3, 1])), 5);
    assert_eq!(ordered["W1"], w);
    assert_eq!(ordered["b1"], b);
}

#[test]
fn dictionaries_mix_ranks_and_strategies() {
    let strategy = dictionary([("W", he_normal([3, 2]).into_dyn()), ("b", normal(3).into_dyn())])
        .with("scale", (0.5..2.0).prop_map(|scale| ndarray::arr0(scale).into_dyn()))
        .with(String::from("small"), normal(2).prop_map(|b| (b * 1e-3).into_dyn()));
    let p: BTreeMap<String, ArrayD<f64>> = draw(strategy.clone(), 5);
    let shapes: Vec<(&str, &[usize])> = p.iter().map(|(k, v)| (&k[..], v.shape())).collect();
    assert_eq!(
        shapes,
        [("W", &[3, 2][..]), ("b", &[3][..]), ("scale", &[][..]), ("small", &[2][..])]
    );
    assert!(p["small"].iter().all(|x| x.abs() < 0.01));
    assert_eq!(draw(strategy.hashed(), 5)["W"], p["W"]);

    let scalars: BTreeMap<String, f64> =
        draw(dictionary([("curvature", -1.0..1.0), ("offset", 2.0..3.0)]), 5);
    assert!((2.0..3.0).contains(&scalars["offset"]));
    let none: [(&str, Elements<f64, Ix1>); 0] = [];
    assert!(draw(dictionary(none), 5).is_empty());
    let twice: BTreeMap<String, Array1<f64>> =
        draw(dictionary([("a", normal(1)), ("a", normal(2))]), 5);
    assert_eq!(twice["a"].len(), 2);
}

#[test]
fn dictionaries_borrow_nothing() {
    fn layers(sizes: &[usize]) -> Dictionary<Array2<f64>> {
        dictionary(sizes.windows(2).zip(1..).flat_map(|(pair, l)| {
            [
                (format!("W{l}"), he_normal([pair[1], pair[0]])),
                (format!("b{l}"), normal([pair[1], 1])),
            ]
        }))
    }
    let p = draw(layers(&[4, 3, 1]), 1);
    assert_eq!(p.keys().collect::<Vec<_>>(), ["W1", "W2", "b1", "b2"]);
    assert_eq!(p["W2"].dim(), (1, 3));
}

#[test]
fn dictionaries_shrink_block_by_block() {
    let strategy = dictionary([("a", normal(3)), ("b", normal(3))]);
    let mut tree = tree(&strategy, 5);
    let drawn: BTreeMap<String, Array1<f64>> = tree.current();
    assert!(tree.simplify());
    assert_ne!(tree.current()["a"], drawn["a"]);
    assert_eq!(tree.current()["b"], drawn["b"]);
    assert!(tree.complicate());
    assert_eq!(tree.current(), drawn);

    let mut tree = self::tree(strategy, 5);
    let mut steps = 0;
    while tree.simplify() {
        steps += 1;
        assert!(steps <= 12);
    }
    assert!(tree.current().values().flatten().all(|&x| digits(x) == 1));
}
