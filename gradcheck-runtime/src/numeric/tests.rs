//! The kernel on lines whose derivative is known: right values are never accused, wrong ones are
//! never said to agree, whatever the forward does to its digits.
use super::*;
use crate::random;

/// A function of one variable around a point.
struct Synthetic<F: Fn(f64) -> f64> {
    f: F,
    at: f64,
    calls: usize,
}

impl<F: Fn(f64) -> f64> Line for Synthetic<F> {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.calls += 1;
        let x = self.at + t;
        let (here, there) = ((self.f)(self.at), (self.f)(x));
        y[0] = there - here;
        floor[0] = 0.5 * f64::EPSILON * there.abs().max(here.abs());
        there.is_finite().then_some(x - self.at)
    }
    fn scale(&self) -> f64 {
        if self.at == 0.0 { 1.0 } else { self.at.abs() }
    }
    fn roundoff(&self) -> f64 {
        0.5 * f64::EPSILON
    }
    fn magnitude(&self) -> f64 {
        self.at.abs()
    }
}

const TOLERANCE: f64 = 2e-7;

fn judge(f: impl Fn(f64) -> f64, at: f64, analytic: f64) -> (Finding, usize) {
    let mut line = Synthetic { f, at, calls: 0 };
    let noise = estimate_noise(&mut line)[0];
    line.calls = 0;
    let target = Target { analytic, tolerance: TOLERANCE, noise };
    let mut estimates = Vec::new();
    let mut kernel = Kernel::default();
    kernel.allow_fits(1000);
    kernel.differentiate(&mut line, 1e-7, &[target], &mut estimates);
    (estimates[0].finding, line.calls)
}

/// Points of a class, and how often the right value, and one off by `fault`, met each finding.
fn tally(
    fault: f64,
    function: impl Fn(u64) -> (Box<dyn Fn(f64) -> f64>, f64, f64),
) -> (Tally, Tally) {
    let (mut right, mut wrong) = (Tally::default(), Tally::default());
    for seed in 0..400 {
        let (f, at, derivative) = function(seed);
        right.add(judge(&f, at, derivative).0);
        wrong.add(judge(&f, at, derivative * (1.0 + fault)).0);
    }
    (right, wrong)
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    agrees: usize,
    kink: usize,
    undecided: usize,
    wrong: usize,
    /// Wrong beside a kink, which the state is to look at again off the kink.
    suspect: usize,
}

impl Tally {
    fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Agrees => self.agrees += 1,
            Finding::Kink => self.kink += 1,
            Finding::Undecided => self.undecided += 1,
            Finding::Wrong { near_kink: false } => self.wrong += 1,
            Finding::Wrong { near_kink: true } => self.suspect += 1,
        }
    }
}

fn uniform(seed: u64, index: u64, low: f64, high: f64) -> f64 {
    low + (high - low) * random::unit(seed, index)
}

#[test]
fn smooth_functions_are_settled_by_two_forwards() {
    let (right, wrong) = tally(1e-6, |seed| {
        let a = uniform(seed, 0, 0.5, 2.0);
        let x = uniform(seed, 1, -2.0, 2.0);
        (Box::new(move |x: f64| (a * x).sin() + 3.0), x, a * (a * x).cos())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(right.agrees >= 398 && wrong.wrong >= 398, "{right:?} {wrong:?}");
    let (finding, calls) = judge(|x: f64| x.exp(), 0.3, 0.3_f64.exp());
    assert_eq!((finding, calls), (Finding::Agrees, 2));
}

#[test]
fn strong_curvature_is_no_excuse_and_no_crime() {
    let (right, wrong) = tally(1e-5, |seed| {
        let k = uniform(seed, 0, 20.0, 60.0);
        let x = uniform(seed, 1, -0.3, 0.3);
        (Box::new(move |x: f64| (k * x).exp()), x, k * (k * x).exp())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(right.agrees >= 390 && wrong.wrong >= 390, "{right:?} {wrong:?}");
    let (right, wrong) = tally(1e-5, |seed| {
        let x = uniform(seed, 1, 0.005, 0.05);
        (Box::new(move |x: f64| 1.0 / x), x, -1.0 / (x * x))
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(right.agrees >= 390 && wrong.wrong >= 390, "{right:?} {wrong:?}");
}

#[test]
fn a_kink_anywhere_accuses_nobody() {
    for distance in [1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-11] {
        let (right, wrong) = tally(0.1, |seed| {
            let sign = if seed % 2 == 0 { 1.0 } else { -1.0 };
            let slope = uniform(seed, 0, 0.5, 2.0);
            let kink = 0.7 + sign * distance * uniform(seed, 1, 0.5, 2.0);
            let f = move |x: f64| x.sin() + slope * (x - kink).abs();
            (Box::new(f), 0.7, 0.7_f64.cos() - slope * sign)
        });
        assert_eq!((right.wrong, wrong.agrees), (0, 0), "{distance:e} {right:?} {wrong:?}");
        if distance > 1e-8 {
            assert!(wrong.wrong + wrong.suspect >= 350, "{distance:e} {wrong:?}");
        }
    }
}

#[test]
fn on_a_kink_only_what_lies_between_the_sides_is_excused() {
    let relu = |x: f64| 2.0 * x.max(0.0) + 0.5 * x;
    for inside in [0.5, 1.0, 2.5] {
        assert_eq!(judge(relu, 0.0, inside).0, Finding::Kink, "{inside}");
    }
    for outside in [0.4, 2.6, -1.0] {
        assert_eq!(judge(relu, 0.0, outside).0, Finding::Wrong { near_kink: true }, "{outside}");
    }
}

#[test]
fn a_corner_in_the_second_derivative_is_smooth_enough() {
    let (right, wrong) = tally(1e-3, |seed| {
        let c = uniform(seed, 0, 0.1, 10.0);
        let f = move |x: f64| 0.3 * x + c * x.max(0.0).powi(2);
        (Box::new(f), 0.0, 0.3)
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(wrong.wrong >= 390, "{wrong:?}");
    // The derivative is zero there, and no tolerance is relative to zero.
    assert_ne!(judge(|x: f64| x.max(0.0).powi(2), 0.0, 0.0).0, Finding::Wrong { near_kink: false });
    assert_eq!(judge(|x: f64| x.max(0.0).powi(2), 0.0, 0.1).0, Finding::Wrong { near_kink: false });
}

#[test]
fn single_precision_inside_is_neither_flat_nor_a_kink() {
    let (right, wrong) = tally(0.05, |seed| {
        let k = uniform(seed, 0, 0.5, 2.0);
        let x = uniform(seed, 1, 0.5, 2.0);
        (Box::new(move |x: f64| f64::from(((k * x) as f32).exp())), x, k * (k * x).exp())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert_eq!((right.kink, wrong.kink), (0, 0), "{right:?} {wrong:?}");
    assert!(wrong.wrong >= 390, "{wrong:?}");
}

#[test]
fn quantised_values_are_undecided_or_caught() {
    let (right, wrong) = tally(0.2, |seed| {
        let quantum = 10_f64.powf(uniform(seed, 0, -10.0, -5.0));
        let x = uniform(seed, 1, 0.5, 2.0);
        (Box::new(move |x: f64| (x.sin() / quantum).round() * quantum), x, x.cos())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(wrong.wrong >= 300, "{wrong:?}");
}

#[test]
fn random_last_digits_are_noise() {
    let (right, wrong) = tally(0.05, |seed| {
        let noise = 10_f64.powf(uniform(seed, 0, -14.0, -8.0));
        let x = uniform(seed, 1, 0.2, 1.0);
        let f = move |x: f64| x.exp() + noise * (random::unit(seed, x.to_bits()) - 0.5);
        (Box::new(f), x, x.exp())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    assert!(wrong.wrong >= 390, "{wrong:?}");
}

#[test]
fn dense_kinks_and_fast_oscillation_certify_nothing_wrong() {
    let (right, wrong) = tally(0.2, |seed| {
        // A slope of 1 with a triangular wave of small amplitude and period on it.
        let period = 10_f64.powf(uniform(seed, 0, -6.0, -2.0));
        let x = uniform(seed, 1, 0.5, 2.0);
        let wave = move |x: f64| {
            let phase = (x / period).rem_euclid(1.0);
            period * 0.1 * (phase - 0.5).abs()
        };
        let slope = if (x / period).rem_euclid(1.0) < 0.5 { -0.1 } else { 0.1 };
        (Box::new(move |x: f64| x + wave(x)), x, 1.0 + slope)
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
    let (right, wrong) = tally(0.2, |seed| {
        let k = 10_f64.powf(uniform(seed, 0, 2.0, 6.0));
        let x = uniform(seed, 1, 0.5, 2.0);
        (Box::new(move |x: f64| x + (k * x).sin() / k), x, 1.0 + (k * x).cos())
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
}

#[test]
fn lost_digits_are_undecided() {
    // ln(1 - s(z)) near saturation: the forward is a staircase.
    let (right, wrong) = tally(0.3, |seed| {
        let z = uniform(seed, 0, 12.0, 33.0);
        let s = |z: f64| 1.0 / (1.0 + (-z).exp());
        (Box::new(move |z: f64| -(1.0 - s(z)).ln()), z, s(z))
    });
    assert_eq!((right.wrong, wrong.agrees), (0, 0), "{right:?} {wrong:?}");
}

#[test]
fn a_large_constant_hides_and_does_not_lie() {
    for (constant, caught) in [(1e6, 390), (1e10, 100)] {
        let (right, wrong) = tally(0.01, |seed| {
            let x = uniform(seed, 1, 0.5, 2.0);
            (Box::new(move |x: f64| constant + x * x), x, 2.0 * x)
        });
        assert_eq!((right.wrong, wrong.agrees), (0, 0), "{constant:e} {right:?} {wrong:?}");
        assert!(wrong.wrong >= caught, "{constant:e} {wrong:?}");
    }
}

#[test]
fn tiny_slopes_beside_a_large_value_are_found() {
    // 1e-7 of slope beside a value of 400.
    assert_eq!(judge(|x: f64| 400.0 + 1e-7 * x, 0.3, 0.0).0, Finding::Wrong { near_kink: false });
    assert_ne!(judge(|x: f64| 400.0 + 1e-7 * x, 0.3, 1e-7).0, Finding::Wrong { near_kink: false });
    assert_eq!(judge(|_| 400.0, 0.3, 0.0).0, Finding::Agrees);
}

#[test]
fn noise_is_measured_within_a_small_factor() {
    for amplitude in [1e-14, 1e-11, 1e-8] {
        let f = move |x: f64| x.exp() + amplitude * (random::unit(5, x.to_bits()) - 0.5);
        let noise = estimate_noise(&mut Synthetic { f, at: 0.5, calls: 0 })[0];
        let deviation = amplitude / 12_f64.sqrt();
        assert!(
            (0.3..3.0).contains(&(noise.level / deviation)),
            "{amplitude:e}: {} of {deviation}",
            noise.level
        );
    }
}
