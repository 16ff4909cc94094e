//! Functions that vary on other lengths than their parameters' sizes suggest, and forwards that
//! keep nothing of what moves them. Each right gradient is left in peace, and each has a wrong
//! twin that is not.
use gradcheck_runtime::evidence::Counts;
use gradcheck_runtime::{Settings, check_at};

fn counts(
    at: &[f64],
    forward: impl Fn(&Vec<f64>) -> f64,
    gradient: impl Fn(&Vec<f64>) -> Vec<f64>,
) -> Counts {
    let report = check_at(&mut at.to_vec(), &Settings::new(), forward, gradient);
    assert!(report.failure.is_none(), "{:?}", report.failure);
    report.counts()
}

/// A phase at a time that is counted from long ago.
#[test]
fn short_lengths_are_seen() {
    for at in [0.3, 1e4 + 0.3, 1e5 + 0.3, 1e6 + 0.3] {
        let told = |factor: f64| counts(&[at], |x| x[0].sin(), |x| vec![factor * x[0].cos()]);
        assert_eq!(told(1.0).wrong, 0, "at {at}");
        for factor in [0.0, 1.001, 1.1, 2.0, -1.0] {
            assert_eq!(told(factor).wrong, 1, "{factor} at {at}");
        }
    }
}

fn pair_counts(
    at: (f64, f64),
    forward: impl Fn(&(f64, f64)) -> f64,
    gradient: impl Fn(&(f64, f64)) -> (f64, f64),
) -> Counts {
    let report = check_at(&mut { at }, &Settings::new(), forward, gradient);
    assert!(report.failure.is_none(), "{:?}", report.failure);
    report.counts()
}

/// An amplitude and a decay time in seconds. In one array the time's own length is not known:
/// nobody is accused there, and by itself it is.
#[test]
fn an_amplitude_and_a_time_are_not_measured_alike() {
    let decay = |p0: f64, p1: f64| p0 * (-3e-9 / p1).exp();
    let slopes = |p0: f64, p1: f64| {
        let left = (-3e-9 / p1).exp();
        (left, p0 * left * 3e-9 / (p1 * p1))
    };
    let in_one = |p: &Vec<f64>| <[f64; 2]>::from(slopes(p[0], p[1])).to_vec();
    assert_eq!(counts(&[2.0, 2e-9], |p| decay(p[0], p[1]), in_one).wrong, 0);
    let apart = |factor: f64| {
        pair_counts(
            (2.0, 2e-9),
            |p| decay(p.0, p.1),
            |p| {
                let (amplitude, time) = slopes(p.0, p.1);
                (amplitude, factor * time)
            },
        )
    };
    assert_eq!(apart(1.0), Counts { agreed: 2, ..Counts::default() });
    for factor in [1.001, 1.5, -1.0] {
        assert_eq!(apart(factor).wrong, 1, "{factor}");
    }
}

/// The energy of a spring by its stiffness and its length, whose gradients are of sizes that say
/// nothing of each other.
#[test]
fn rounding_is_not_compared_across_units() {
    for length in [1e-10, 1e-12, 1e-13] {
        let told = |factor: f64| {
            pair_counts(
                (300.0, length),
                |p| 0.5 * p.0 * p.1 * p.1,
                |p| (factor * 0.5 * p.1 * p.1, p.0 * p.1),
            )
        };
        assert_eq!(told(1.0).wrong, 0, "{length}");
        for factor in [1.01, 2.0, 0.0, -1.0] {
            assert_eq!(told(factor).wrong, 1, "{factor} at {length}");
        }
    }
}

fn log_sum_exp(z: &[f64]) -> f64 {
    let most = z.iter().copied().fold(f64::MIN, f64::max);
    most + z.iter().map(|z| (z - most).exp()).sum::<f64>().ln()
}

/// A cross-entropy of logits so far apart that the forward is exactly zero, wherever one looks.
#[test]
fn a_forward_that_does_not_move_hides_the_rounding_of_its_parts() {
    let told = |z: &[f64], factor: f64| {
        counts(
            z,
            |z| log_sum_exp(z) - z[0],
            |z| {
                let all = log_sum_exp(z);
                let mut g: Vec<f64> = z.iter().map(|z| factor * (z - all).exp()).collect();
                g[0] -= factor;
                g
            },
        )
    };
    for saturated in [[50.0, 1.0, 2.0], [39.0, 1.5, -1.3], [38.6, -11.6, -12.0]] {
        assert_eq!(told(&saturated, 1.0).wrong, 0, "{saturated:?}");
    }
    // A gradient that would have moved it is wrong.
    let still = counts(&[50.0, 1.0, 2.0], |z| log_sum_exp(z) - z[0], |_| vec![-1e-3, 5e-4, 5e-4]);
    assert_eq!(still.wrong, 3);
    assert_eq!(told(&[2.0, 1.0, 0.5], 1.0).agreed, 3);
    assert_eq!(told(&[2.0, 1.0, 0.5], 1.001).wrong, 3);
}

/// `-ln(1 - a)` has a handful of values left where `a` is nearly one: its stairs are no slope.
#[test]
fn stairs_of_lost_digits_accuse_nobody() {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    // One sample is ordinary, the other saturated.
    let told = |saturated: f64, factor: f64| {
        counts(
            &[saturated, 0.3],
            |z| 0.1 * z[1] * z[1] + 1e-4 * z[0] - (1.0 - sigmoid(z[0])).ln() / 3.0,
            |z| vec![factor * (sigmoid(z[0]) / 3.0 + 1e-4), 0.2 * z[1]],
        )
    };
    for saturated in [33.0, 34.0, 34.7, 35.0, 35.4, 36.0] {
        assert_eq!(told(saturated, 1.0).wrong, 0, "{saturated}");
    }
    assert_eq!(told(3.0, 1.0).agreed, 2);
    assert_eq!(told(3.0, 1.001).wrong, 1);
}

/// Kinks to both sides, nearer than the narrowest step of the ladder.
#[test]
fn kinks_nearer_than_the_narrowest_step_accuse_nobody() {
    let forward = |x: &Vec<f64>| {
        0.3 * x[0] + 0.5 * (x[0] - 1.0 - 6e-10).max(0.0) - 0.4 * (x[0] - 1.0 + 1.3e-9).max(0.0)
    };
    let told = |slope: f64| counts(&[1.0], forward, |_| vec![slope]);
    assert_eq!(told(-0.1).wrong, 0);
    assert_eq!(told(0.9).wrong, 1);
    assert_eq!(told(-0.9).wrong, 1);
}

fn single_counts(
    at: &[f32],
    forward: impl Fn(&Vec<f32>) -> f32,
    gradient: impl Fn(&Vec<f32>) -> Vec<f32>,
) -> Counts {
    let report = check_at(&mut at.to_vec(), &Settings::new(), forward, gradient);
    assert!(report.failure.is_none(), "{:?}", report.failure);
    report.counts()
}

/// Kinks of both signs, nearer than what single precision can step: they leave no gap between
/// the one-sided slopes, but the gradient's mean over the steps is the forward's difference.
#[test]
fn kinks_that_cancel_accuse_nobody_in_single_precision() {
    for (near, far) in [(3e-4, 3e-4), (2e-4, 5e-4), (6e-4, 1e-4)] {
        let forward = |x: &Vec<f32>| {
            250.0 + 0.5 * x[0] + 0.3 * (x[0] - 1.0 - near).max(0.0)
                - 0.3 * (x[0] - 1.0 + far).max(0.0)
        };
        let right = |x: &Vec<f32>| {
            0.5 + if x[0] > 1.0 + near { 0.3 } else { 0.0 }
                - if x[0] > 1.0 - far { 0.3 } else { 0.0 }
        };
        let told = |gradient: &dyn Fn(&Vec<f32>) -> f32| {
            single_counts(&[1.0], forward, |x| vec![gradient(x)]).wrong
        };
        assert_eq!(told(&right), 0, "{near} {far}");
        // What is right at the state alone is not borne out around it, and what is off by a
        // factor is so everywhere.
        assert_eq!(told(&|_| 0.2), 1, "{near} {far}");
        for factor in [4.0, -1.0] {
            assert_eq!(told(&|x| factor * right(x)), 1, "{factor} of {near} {far}");
        }
    }
}

/// A parameter whose own steps are too narrow to meet the stairs that another one moves in, on a
/// sum of squares that bends more than the stairs are high.
#[test]
fn stairs_of_one_parameter_excuse_another() {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for weight in [1.0, 0.3, 0.05, 0.01, 1e-3] {
        let unit = |z: &[f64]| sigmoid(z[0] + weight * z[1]);
        let forward = |z: &Vec<f64>| 0.1 * z[1] * z[1] - (1.0 - unit(z)).ln() / 3.0;
        let gradient = |z: &Vec<f64>, factor: f64| {
            let p = unit(z) / 3.0;
            vec![p, factor * (0.2 * z[1] + weight * p)]
        };
        for k in 0..30 {
            for b in [2.0, -1.5, 0.7] {
                let z = [28.0 + 0.3 * f64::from(k), b];
                if forward(&z.to_vec()).is_finite() {
                    let told = |factor: f64| counts(&z, forward, |z| gradient(z, factor)).wrong;
                    assert_eq!(told(1.0), 0, "{weight} at {z:?}");
                    if weight < 0.3 && z[0] < 34.0 {
                        assert_eq!(told(3.0), 1, "{weight} at {z:?}");
                    }
                }
            }
        }
        assert_eq!(counts(&[2.0, 2.0], forward, |z| gradient(z, 1.0)).agreed, 2);
        assert_eq!(counts(&[2.0, 2.0], forward, |z| gradient(z, 1.001)).wrong, 1);
    }
}

/// The same in single precision.
#[test]
fn stairs_excuse_another_parameter_in_single_precision() {
    let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
    let unit = |z: &[f32]| sigmoid(z[0] + 0.05 * z[1]);
    let told = |z: [f32; 2], factor: f32| {
        single_counts(
            &z,
            |z| 0.1 * z[1] * z[1] - (1.0 - unit(z)).ln() / 3.0,
            |z| vec![unit(z) / 3.0, factor * (0.2 * z[1] + unit(z) * 0.05 / 3.0)],
        )
    };
    for k in 0_u8..22 {
        for b in [2.0, -1.5] {
            let z = [10.0 + 0.2 * f32::from(k), b];
            assert_eq!(told(z, 1.0).wrong, 0, "{z:?}");
            assert_eq!(told(z, 3.0).wrong, 1, "{z:?}");
        }
    }
    assert_eq!(told([2.0, 2.0], 1.0).agreed, 2);
    assert_eq!(told([2.0, 2.0], 1.05).wrong, 1);
}

/// `p - 1` rounds as one does. Where the loss keeps its digits and the textbook's gradient loses
/// them, the gradient is not accused; others that are as small are.
#[test]
fn a_saturated_logistic_gradient_has_its_rounding() {
    let loss = |z: &f64| z.max(0.0) - z + (-z.abs()).exp().ln_1p();
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let told = |at: f64, gradient: &dyn Fn(f64) -> f64| {
        let report = check_at(&mut { at }, &Settings::new(), loss, |z| gradient(*z));
        assert!(report.failure.is_none(), "{:?}", report.failure);
        report.counts().wrong
    };
    for at in [20.0, 25.0, 28.0, 30.0, 33.0, 35.0, 36.0, 40.0, 100.0, 500.0] {
        assert_eq!(told(at, &|z| sigmoid(z) - 1.0), 0, "textbook at {at}");
        assert_eq!(told(at, &|z| -sigmoid(-z)), 0, "stable at {at}");
        assert_eq!(told(at, &|_| 0.0), 1, "zero at {at}");
        assert_eq!(told(at, &|z| -2.0 * sigmoid(-z)), 1, "stable, doubled at {at}");
        assert_eq!(told(at, &|z| sigmoid(z)), 1, "no label at {at}");
        if at < 33.0 {
            assert_eq!(told(at, &|z| 2.0 * (sigmoid(z) - 1.0)), 1, "textbook, doubled at {at}");
            let in_single = |z: f64| f64::from(1.0 / (1.0 + (-z as f32).exp()) - 1.0);
            assert_eq!(told(at, &in_single), 1, "in single precision at {at}");
        }
    }
}

/// The same of a linear model, whose bias does not saturate it alone, and in single precision.
#[test]
fn a_saturated_linear_model_has_its_rounding() {
    let (x, y) = ([[300.0, -80.0], [410.0, 25.0], [-220.0, 60.0]], [1.0, 1.0, 0.0]);
    let logit = |w: &[f64], x: &[f64; 2]| w[0] * x[0] + w[1] * x[1] + w[2];
    let loss = |w: &Vec<f64>| {
        let term = |(x, y): (&[f64; 2], &f64)| {
            let z = logit(w, x);
            z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
        };
        x.iter().zip(&y).map(term).sum::<f64>() / 3.0
    };
    let gradient = |w: &Vec<f64>| {
        let mut g = vec![0.0; 3];
        for (x, y) in x.iter().zip(&y) {
            let dz = (1.0 / (1.0 + (-logit(w, x)).exp()) - y) / 3.0;
            g[0] += dz * x[0];
            g[1] += dz * x[1];
            g[2] += dz;
        }
        g
    };
    for size in [0.05, 0.08, 0.1, 0.13, 0.15, 0.2, 0.5, 3.0] {
        let w = [size, 0.1 * size, 0.01];
        assert_eq!(counts(&w, loss, gradient).wrong, 0, "weights {size}");
        let half = |w: &Vec<f64>| gradient(w).into_iter().map(|g| 0.5 * g).collect();
        if size < 0.13 {
            assert_eq!(counts(&w, loss, half).wrong, 3, "half, weights {size}");
        }
        assert!(counts(&w, loss, |_| vec![0.0; 3]).wrong > 0, "zero, weights {size}");
    }
}

/// Where two values tie, a gradient may take either, or share itself out between them; what does
/// not add up to one is wrong, even if it is right everywhere else.
#[test]
fn shares_of_a_tie_add_up() {
    let larger = |at_tie: [f64; 2]| {
        let gradient = move |x: &Vec<f64>| match x[0].total_cmp(&x[1]) {
            std::cmp::Ordering::Greater => vec![1.0, 0.0, x[2]],
            std::cmp::Ordering::Less => vec![0.0, 1.0, x[2]],
            std::cmp::Ordering::Equal => vec![at_tie[0], at_tie[1], x[2]],
        };
        counts(&[1.0, 1.0, 0.3], |x| x[0].max(x[1]) + 0.5 * x[2] * x[2], gradient).wrong
    };
    for at_tie in [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.25, 0.75]] {
        assert_eq!(larger(at_tie), 0, "{at_tie:?}");
    }
    for at_tie in [[1.0, 1.0], [0.0, 0.0], [0.9, 0.9], [2.0, 2.0]] {
        assert_eq!(larger(at_tie), 2, "{at_tie:?}");
    }
    // Several units that open at zero, as zero weights have them: none is open, or all are.
    let (x, c) = ([0.7, -1.3, 2.1, -0.4, 1.9], [1.0, 0.8, -1.7, 0.3, -0.6]);
    let units = |w: &Vec<f64>| x.iter().zip(c).map(|(x, c)| c * (w[0] * x).max(0.0)).sum::<f64>();
    for open_at_zero in [false, true] {
        let gradient = |w: &Vec<f64>| {
            let is_open = |z: f64| z > 0.0 || (open_at_zero && z == 0.0);
            vec![x.iter().zip(c).filter(|(x, _)| is_open(w[0] * **x)).map(|(x, c)| c * x).sum()]
        };
        assert_eq!(counts(&[0.0], units, gradient).wrong, 0, "{open_at_zero}");
    }
}

/// Signs in place of values, next to where they turn: over a way to both sides their mean is that
/// of the right ones, over a way to one side it is not.
#[test]
fn signs_that_turn_nearby_are_no_kinks_in_single_precision() {
    let centre = [0.7_f32, -1.3, 0.4];
    let off = |x: &Vec<f32>| x.iter().zip(centre).map(|(x, c)| x - c).collect::<Vec<f32>>();
    let forward = |x: &Vec<f32>| 0.5 * off(x).iter().map(|d| d * d).sum::<f32>();
    for by in [0.001, 0.002, 0.004, 0.01] {
        let mut x = vec![centre[0] + by, centre[1] - by, centre[2] + 0.5 * by];
        let mut told = |gradient: &dyn Fn(&Vec<f32>) -> Vec<f32>| {
            let report = check_at(&mut x, &Settings::new(), forward, gradient);
            assert!(report.failure.is_none(), "{:?}", report.failure);
            report.counts().wrong
        };
        assert_eq!(told(&off), 0, "{by}");
        let signs = |x: &Vec<f32>| off(x).into_iter().map(f32::signum).collect();
        assert_eq!(told(&signs), 3, "{by}");
    }
}

/// Parameters that are zero but for rounding, where a fit ends: beside the constants that the
/// forward adds and takes away they are no length to step by.
#[test]
fn what_is_converged_to_zero_has_a_longer_scale() {
    type Function = (fn(f64) -> f64, fn(f64) -> f64);
    let functions: [Function; 4] = [
        (|x| 1.0 - x.cos(), f64::sin),
        (|x| (1.0 + x * x).ln(), |x| 2.0 * x / (1.0 + x * x)),
        (|x| x.cosh() - 1.0, f64::sinh),
        (|x| (1.0 + x * x).sqrt() - 1.0, |x| x / (1.0 + x * x).sqrt()),
    ];
    for (k, (f, d)) in functions.into_iter().enumerate() {
        for at in [1e-7, 3e-9, -1e-12, 1e-20] {
            let told = |off: f64| counts(&[at], |x| f(x[0]), |x| vec![d(x[0]) + off]);
            assert_eq!(told(0.0).wrong, 0, "{k} at {at}");
            assert_eq!(told(1e-5).wrong, 1, "{k} at {at}");
        }
    }
    // In small units a parameter does move the forward.
    let told = |factor: f64| {
        counts(&[3e-12], |x| (1e12 * x[0]).sin(), |x| vec![factor * 1e12 * (1e12 * x[0]).cos()])
    };
    assert_eq!((told(1.0).agreed, told(1.0001).wrong), (1, 1));
}

/// A unit that is dead for one parameter, beside others on which a step is much longer.
#[test]
fn a_dead_parameter_beside_larger_ones() {
    let forward = |p: &Vec<f64>| p[1] + 0.11 + p[0] * (-0.11 / p[0]).exp().ln_1p();
    let told = |off: f64| {
        counts(&[1e-3, 1.0], forward, |p| {
            let z = 0.11 / p[0];
            let e = (-z).exp();
            vec![e.ln_1p() + z * e / (1.0 + e) + off, 1.0]
        })
    };
    assert_eq!(told(0.0).wrong, 0);
    assert_eq!(told(0.3).wrong, 1);
}

/// A bias before a normalisation: nothing depends on it, and that is known.
#[test]
fn a_level_forward_bears_a_zero_out() {
    let centred = |w: &Vec<f64>| {
        let z = [w[0] + w[2], 2.0 * w[1] + w[2], w[0] * w[1] + w[2]];
        let mean = z.iter().sum::<f64>() / 3.0;
        z.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>()
    };
    let told = |bias: f64| {
        counts(&[0.7, -1.3, 0.4], centred, |w| {
            let z = [w[0], 2.0 * w[1], w[0] * w[1]];
            let mean = z.iter().sum::<f64>() / 3.0;
            let d = z.map(|z| 2.0 * (z - mean));
            vec![d[0] + w[1] * d[2], 2.0 * d[1] + w[0] * d[2], bias]
        })
    };
    // What rounding leaves of a sum that is zero.
    for bias in [0.0, 1e-16, -3e-16] {
        assert_eq!((told(bias).agreed, told(bias).undecided), (3, 0), "{bias}");
    }
    assert_eq!(told(1e-6).wrong, 1);
}
