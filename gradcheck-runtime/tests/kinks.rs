//! Values on a kink: each convention is left in peace, whatever the seed, and what belongs to none
//! is not.
use gradcheck_runtime::{Method, Settings, check_at};

/// How many of some seeds accuse the gradient.
fn accused(
    at: &[f64],
    forward: impl Fn(&Vec<f64>) -> f64,
    gradient: impl Fn(&Vec<f64>) -> Vec<f64>,
) -> usize {
    let wrong = |seed: &u64| {
        let settings = Settings::new().seed(*seed);
        let report = check_at(&mut at.to_vec(), &settings, &forward, &gradient);
        assert!(report.failure.is_none(), "{:?}", report.failure);
        report.is_wrong()
    };
    (0..SEEDS as u64).filter(wrong).count()
}

const SEEDS: usize = 40;

fn argmax(p: &[f64]) -> usize {
    (0..p.len()).rev().max_by(|&a, &b| p[a].total_cmp(&p[b])).expect("values")
}

#[allow(clippy::ptr_arg, reason = "a forward of the whole parameters")]
fn max(p: &Vec<f64>) -> f64 {
    p[argmax(p)]
}

/// All of it to the first, or to each of the largest so much.
fn share(p: &[f64], each: impl Fn(usize) -> f64) -> Vec<f64> {
    let most = p[argmax(p)];
    let tied = p.iter().filter(|&&v| v == most).count();
    p.iter().map(|&v| if v == most { each(tied) } else { 0.0 }).collect()
}

fn first(p: &[f64]) -> Vec<f64> {
    let mut shares = vec![0.0; p.len()];
    shares[argmax(p)] = 1.0;
    shares
}

#[test]
fn a_tie_is_shared_out_by_any_convention() {
    for n in [2, 3, 4, 8, 16] {
        for value in [0.0, 1.0, -2.5] {
            let at = vec![value; n];
            assert_eq!(accused(&at, max, |p| first(p)), 0, "{n}, the first");
            assert_eq!(accused(&at, max, |p| share(p, |n| 1.0 / n as f64)), 0, "{n}, evenly");
            assert_eq!(accused(&at, max, |p| share(p, |_| 1.0)), SEEDS, "{n}, to each all");
            let none = |p: &Vec<f64>| share(p, |n| if n == 1 { 1.0 } else { 0.0 });
            assert_eq!(accused(&at, max, none), SEEDS, "{n}, to none");
        }
    }
    let uneven = |p: &Vec<f64>| if p[0] == p[1] { vec![5.0, -4.0] } else { first(p) };
    assert_eq!(accused(&[1.0; 2], max, uneven), SEEDS);
}

#[test]
fn independent_kinks_are_no_tie() {
    let relu = |p: &Vec<f64>| p.iter().map(|x| x.max(0.0) + 2.0 * x).sum::<f64>();
    for (n, at_zero) in [(2, 0.0), (2, 1.0), (2, 0.5), (3, 0.0), (6, 1.0)] {
        let gradient = |p: &Vec<f64>| {
            let slope = |&x: &f64| 2.0 + if x == 0.0 { at_zero } else { f64::from(x > 0.0) };
            p.iter().map(slope).collect()
        };
        assert_eq!(accused(&vec![0.0; n], relu, gradient), 0, "{n}, {at_zero}");
    }
    let seven = |p: &Vec<f64>| {
        p.iter().map(|&x| 2.0 + if x == 0.0 { 7.0 } else { f64::from(x > 0.0) }).collect()
    };
    assert_eq!(accused(&[0.0; 2], relu, seven), SEEDS);
}

#[test]
fn a_dead_unit_above_a_tie() {
    let dead = |p: &Vec<f64>| if max(p) > 0.0 { first(p) } else { vec![0.0; p.len()] };
    for n in [2, 3, 6] {
        assert_eq!(accused(&vec![0.0; n], |p| max(p).max(0.0), dead), 0, "{n}");
    }
    let leaky = |x: f64| if x > 0.0 { x } else { 0.1 * x };
    let slope = |p: &Vec<f64>| {
        let sides = if p[0] < 0.0 { 0.1 } else { 0.0 };
        vec![if p[0] > 0.0 { 1.0 } else { sides }]
    };
    assert_eq!(accused(&[0.0], |p| leaky(p[0]), slope), 0);
    let minus = |p: &Vec<f64>| if p[0] == 0.0 { vec![-1.0] } else { slope(p) };
    assert_eq!(accused(&[0.0], |p| leaky(p[0]), minus), SEEDS);
    // Units that open at zero, as zero weights have them: none is taken for open, or all are.
    let (x, c) = ([0.7, -1.3, 2.1, -0.4, 1.9], [1.0, 0.8, -1.7, 0.3, -0.6]);
    let units = |w: &Vec<f64>| x.iter().zip(c).map(|(x, c)| c * (w[0] * x).max(0.0)).sum::<f64>();
    let slope = |at_zero: f64| {
        move |w: &Vec<f64>| {
            let on = |z: f64| if z == 0.0 { at_zero } else { f64::from(z > 0.0) };
            vec![x.iter().zip(c).map(|(x, c)| on(w[0] * x) * c * x).sum()]
        }
    };
    for at_zero in [0.0, 0.5, 1.0] {
        assert_eq!(accused(&[0.0], units, slope(at_zero)), 0, "{at_zero}");
    }
    assert_eq!(accused(&[0.0], units, slope(-2.0)), SEEDS);
}

#[test]
fn order_statistics_of_equal_values() {
    let middle = |p: &[f64]| {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
        order[p.len() / 2]
    };
    for (n, value) in [(3, 0.0), (3, 1.0), (5, 0.0), (9, -2.0)] {
        let gradient = |factor: f64| {
            move |p: &Vec<f64>| {
                let mut shares = vec![0.0; p.len()];
                shares[middle(p)] = factor;
                shares
            }
        };
        let at = vec![value; n];
        assert_eq!(accused(&at, |p| p[middle(p)], gradient(1.0)), 0, "{n} {value}");
        // A wrong share shows where its value is the middle one: of two looks aside one in n.
        let found = accused(&at, |p| p[middle(p)], gradient(2.0));
        assert!(found >= SEEDS / n, "{n} {value}: {found}");
    }
}

/// Least squares with an absolute penalty, some weights zero.
#[test]
fn what_is_lost_beside_a_penalty() {
    let at = [0.0, 0.8, 0.0, -1.1];
    let data = |p: &Vec<f64>| [p[0] - 2.0, 1.5 * p[1] + p[2] - 0.7, p[2] + 3.0, p[3] - p[0]];
    for weight in [10.0, 0.3, 0.01] {
        let forward = |p: &Vec<f64>| {
            let squares = data(p).iter().map(|r| r * r).sum::<f64>();
            squares + weight * p.iter().map(|x| x.abs()).sum::<f64>()
        };
        let slopes = |p: &Vec<f64>| {
            let r = data(p).map(|r| 2.0 * r);
            [r[0] - r[3], 1.5 * r[1], r[1] + r[2], r[3]]
        };
        let gradient = |at_zero: f64| {
            move |p: &Vec<f64>| -> Vec<f64> {
                let sign = |x: f64| if x == 0.0 { at_zero } else { x.signum() };
                slopes(p).iter().zip(p).map(|(d, &x)| d + weight * sign(x)).collect()
            }
        };
        for at_zero in [0.0, 1.0, -1.0] {
            assert_eq!(accused(&at, forward, gradient(at_zero)), 0, "{weight} {at_zero}");
        }
        let forgets = |p: &Vec<f64>| -> Vec<f64> {
            let kept = |(d, &x): (f64, &f64)| if x == 0.0 { 0.0 } else { d + weight * x.signum() };
            slopes(p).into_iter().zip(p).map(kept).collect()
        };
        // A penalty that is larger than the rest hides that it is missing: zero is between.
        let hidden = if weight > 9.0 { 0 } else { SEEDS };
        assert_eq!(accused(&at, forward, forgets), hidden, "{weight}");
    }
}

#[test]
fn along_directions_as_well() {
    let forward = |p: &Vec<f64>| p.iter().map(|x| x.max(0.0) + 3.0 * x).sum::<f64>();
    let settings = Settings::new().method(Method::Directional { probes: 2 });
    let judged = |at_zero: f64| {
        let gradient = |p: &Vec<f64>| {
            let slope = |&x: &f64| 3.0 + if x == 0.0 { at_zero } else { f64::from(x > 0.0) };
            p.iter().map(slope).collect::<Vec<f64>>()
        };
        let mut at: Vec<f64> = (0..600).map(|k| if k % 2 == 0 { 0.0 } else { 1.0 }).collect();
        check_at(&mut at, &settings, forward, gradient).is_wrong()
    };
    assert!(!judged(0.0) && !judged(1.0));
    assert!(judged(-20.0));
}

/// In single precision the gradient's own means speak for kinks within the steps, not for a value
/// that it has at the state alone, nor for one in a band about the state.
#[test]
fn single_precision_excuses_kinks_alone() {
    let targets = [0.3_f32, -1.2, 2.1];
    let forward = |p: &Vec<f32>| p.iter().zip(targets).map(|(w, y)| (w - y) * (w - y)).sum::<f32>();
    let told = |band: f32, factor: f32| {
        let gradient = |p: &Vec<f32>| {
            let slope =
                |(w, y): (&f32, f32)| 2.0 * (w - y) * if w.abs() <= band { factor } else { 1.0 };
            p.iter().zip(targets).map(slope).collect::<Vec<f32>>()
        };
        check_at(&mut vec![0.0_f32; 3], &Settings::new(), forward, gradient).counts()
    };
    assert_eq!(told(0.0, 1.0).wrong, 0);
    for (band, factor) in [(0.0, 2.0), (0.0, -10.0), (0.005, 2.0), (0.01, 0.0), (0.02, 1.5)] {
        assert_eq!(told(band, factor).wrong, 3, "{band} {factor}");
    }
}
