//! The kernel on lines whose derivative is known: right values are never accused, wrong ones are
//! never said to agree, whatever the forward does to its digits.
use super::*;
use crate::random;

mod doubts;
mod jumps;
mod limits;

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

/// `f` around a point, which is moved in units of one.
pub(super) struct Around<F>(pub(super) F, pub(super) f64);

impl<F: Fn(f64) -> f64> Line for Around<F> {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        let (there, here) = ((self.0)(self.1 + t), (self.0)(self.1));
        (y[0], floor[0]) = (there - here, 1.1e-16 * there.abs().max(here.abs()));
        y[0].is_finite().then_some(t)
    }
    fn scale(&self) -> f64 {
        1.0
    }
    fn roundoff(&self) -> f64 {
        1.1e-16
    }
    fn magnitude(&self) -> f64 {
        self.1.abs()
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

// The formulas, on functions for which they are exact or their error is known.

/// The pairs of samples of `f` around 0 at these steps, narrowest first.
fn levels(f: impl Fn(f64) -> f64, steps: &[f64]) -> Kernel {
    let mut kernel = Kernel::default();
    let mut line = Synthetic { f, at: 0.0, calls: 0 };
    for &step in steps {
        kernel.sample(&mut line, step);
    }
    kernel
}

/// Without noise of its own: what is left is truncation.
const SILENT: Noise = Noise { level: 0.0, ratio: 0.0 };

const STEPS: [f64; 3] = [0.015625, 0.0625, 0.5];

fn close(value: f64, truth: f64, within: f64) {
    assert!((value - truth).abs() <= within, "{value} is not {truth} to {within:e}");
}

/// `true` if the bound covers the error, and is not more than `idle` times as wide.
fn covers(estimate: Bounded, truth: f64, idle: f64) {
    let error = (estimate.value - truth).abs();
    assert!(error <= estimate.bound, "{estimate:?} does not cover {truth}");
    assert!(estimate.bound <= idle * error, "{estimate:?} is idle about {truth}: {error:e}");
}

#[test]
fn slopes_of_a_level_are_those_of_its_own_samples() {
    let level = Level {
        step: 0.5,
        plus: 0.25,
        minus: 0.75,
        // 3 t + |t|
        y_plus: vec![1.0, 0.0, 0.0, 1.0],
        y_minus: vec![-1.5, 0.0, 1.0, 0.0],
        floor_plus: vec![1e-3; 4],
        floor_minus: vec![4e-3; 4],
        usable: true,
    };
    assert_eq!((level.central(0), level.forward(0), level.backward(0)), (2.5, 4.0, 2.0));
    assert_eq!(level.gap(0), 2.0);
    assert_eq!([0, 1, 2, 3].map(|j| level.unchanged(j)), [false, true, false, false]);
    // The larger of the level at the state and of the roundings that showed, in units of the floor.
    assert_eq!(level.noise(0, Noise { level: 1e-2, ratio: 2.0 }), 1e-2);
    assert_eq!(level.noise(0, Noise { level: 1e-3, ratio: 2.0 }), 8e-3);
    // Of two samples over twice the step, each with `CERTAIN` deviations.
    assert_eq!(level.central_noise(0, Noise { level: 1e-2, ratio: 0.0 }), CERTAIN * 1e-2 / 0.5);
}

#[test]
fn samples_are_kept_in_the_order_of_their_steps() {
    let kernel = levels(|x: f64| if x > 0.7 { f64::NAN } else { x * x }, &[0.1, 0.9, 0.4, 0.2]);
    let usable: Vec<f64> = kernel.usable().map(|level| level.step).collect();
    assert_eq!(usable, [0.1, 0.2, 0.4]);
    assert_eq!(kernel.used, 4);
    assert!(!kernel.levels[3].usable);
    // The step is what was really taken: half the way from one sample to the other.
    struct Coarse;
    impl Line for Coarse {
        fn outputs(&self) -> usize {
            1
        }
        fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
            let taken = if t > 0.0 { 0.5 } else { -0.25 };
            (y[0], floor[0]) = (3.0 * taken, 0.0);
            Some(taken)
        }
        fn scale(&self) -> f64 {
            1.0
        }
        fn roundoff(&self) -> f64 {
            0.1
        }
        fn magnitude(&self) -> f64 {
            1.0
        }
    }
    let mut kernel = Kernel::default();
    kernel.sample(&mut Coarse, 0.3);
    let level = &kernel.levels[0];
    assert_eq!((level.plus, level.minus, level.step), (0.5, 0.25, 0.375));
    assert_eq!(level.central(0), 3.0);
}

#[test]
fn central_differences_are_extrapolated() {
    let read = |f: fn(f64) -> f64, count: usize| {
        let kernel = levels(f, &STEPS);
        let level = |k: usize| (k < count).then(|| &kernel.levels[k]);
        central(&kernel.levels[0], level(1), level(2), 0, SILENT)
    };
    // With one wider step the cubic term goes, with two the quintic.
    let cubic = |x: f64| 2.0 * x + x * x - 3.0 * x.powi(3);
    close(read(cubic, 2).value, 2.0, 1e-13);
    let kernel = levels(cubic, &STEPS);
    close(extrapolated(&kernel.levels[0], &kernel.levels[1], 0), 2.0, 1e-13);
    close(extrapolated(&kernel.levels[1], &kernel.levels[2], 0), 2.0, 1e-13);
    let quintic = |x: f64| 2.0 * x - x * x + 0.1 * x.powi(3) + 7.0 * x.powi(5);
    close(read(quintic, 3).value, 2.0, 1e-13);
    // Alone a difference is worth nothing.
    let alone = read(cubic, 1);
    assert_eq!(alone.bound, f64::INFINITY);
    close(alone.value, 2.0, 1e-3);
    // The bound covers what is left, and is no excuse.
    covers(read(quintic, 2), 2.0, 2000.0);
    covers(read(|x: f64| (1.5 * x).sin(), 3), 1.5, 5e3);
    covers(read(f64::sinh, 3), 1.0, 5e3);
    assert!(read(f64::sinh, 3).bound < 1e-7);
    assert!(read(f64::sinh, 2).bound < 1e-3);
    // No second derivative at the state: the difference converges as the step, and so does the bound.
    let lipschitz = |x: f64| x + x * x.abs();
    for count in [2, 3] {
        covers(read(lipschitz, count), 1.0, 4.0);
    }
    // A kink at the state: the central difference is off from either side by half the gap.
    let kinked = |x: f64| 2.0 * x + 0.25 * x.abs() + 0.5 * x * x;
    for count in [2, 3] {
        close(read(kinked, count).bound, 0.25, 1e-12);
    }
    // Curvature is none.
    assert!(read(|x: f64| 2.0 * x + 10.0 * x * x, 3).bound < 1e-11);
}

#[test]
fn the_noise_of_an_extrapolated_difference_is_in_its_bound() {
    let kernel = levels(|x: f64| 2.0 * x, &STEPS);
    let [a, b, c] = [0, 1, 2].map(|k| &kernel.levels[k]);
    let noise = Noise { level: 1e-6, ratio: 0.0 };
    let alone = CERTAIN * 1e-6 / STEPS[0];
    // Richardson's weights: r / (r - 1) of the narrow difference, r the square of the ratio.
    close(central(a, Some(b), None, 0, noise).bound, alone * 16.0 / 15.0, 1e-12);
    close(central(a, Some(b), Some(c), 0, noise).bound, alone * 16.0 / 15.0, 1e-12);
    close(central(b, Some(c), None, 0, noise).bound, alone / 4.0 * 64.0 / 63.0, 1e-12);
    // One-sided slopes have twice the noise of a central one, and some for their extrapolation.
    let side = one_sided(a, Some(b), Some(c), 0, noise, Level::forward).bound;
    assert!((2.0..3.0).contains(&(side / alone)), "{side} beside {alone}");
}

#[test]
fn one_sided_slopes_are_extrapolated() {
    let read = |f: fn(f64) -> f64, count: usize, slope: fn(&Level, usize) -> f64| {
        let kernel = levels(f, &[0.015625, 0.03125, 0.125]);
        let level = |k: usize| (k < count).then(|| &kernel.levels[k]);
        one_sided(&kernel.levels[0], level(1), level(2), 0, SILENT, slope)
    };
    let quadratic = |x: f64| 3.0 * x + 5.0 * x * x;
    let kinked = |x: f64| 3.0 * x + x.abs() - 2.0 * x * x;
    for count in [2, 3] {
        close(read(quadratic, count, Level::forward).value, 3.0, 1e-13);
        close(read(quadratic, count, Level::backward).value, 3.0, 1e-13);
        close(read(kinked, count, Level::forward).value, 4.0, 1e-13);
        close(read(kinked, count, Level::backward).value, 2.0, 1e-13);
        covers(read(f64::exp, count, Level::forward), 1.0, 200.0);
        covers(read(f64::exp, count, Level::backward), 1.0, 200.0);
    }
    // A third sample knows that little is left; two alone take all that they took out.
    assert!(read(quadratic, 3, Level::forward).bound < 1e-12);
    close(read(quadratic, 2, Level::forward).bound, 5.0 * 0.015625, 1e-12);
    assert!(
        read(f64::exp, 3, Level::forward).bound < 0.2 * read(f64::exp, 2, Level::forward).bound
    );
    let alone = read(quadratic, 1, Level::forward);
    assert!(alone.value.is_nan() && alone.bound == f64::INFINITY);
}

/// What a line says of itself, for steps: its samples are of no interest.
struct Plain {
    scale: f64,
    roundoff: f64,
    magnitude: f64,
}

impl Line for Plain {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, _: f64, _: &mut [f64], _: &mut [f64]) -> Option<f64> {
        None
    }
    fn scale(&self) -> f64 {
        self.scale
    }
    fn roundoff(&self) -> f64 {
        self.roundoff
    }
    fn magnitude(&self) -> f64 {
        self.magnitude
    }
}

fn wanted(analytic: f64, tolerance: f64, level: f64) -> Target {
    Target { analytic, tolerance, noise: Noise { level, ratio: 1.0 } }
}

#[test]
fn the_first_step_is_as_narrow_as_noise_lets_it_be() {
    let line = Plain { scale: 2.0, roundoff: 1e-16, magnitude: 3.0 };
    // Hardly any noise: as narrow as the setting says, in units of the scale.
    close(first_step(&line, 1e-5, &[wanted(0.3, 1e-4, 1e-16)]), 2e-5, 1e-18);
    // Noise: its bound, for agreement, is a quarter of what the tolerance allows.
    for (analytic, tolerance, level) in [(0.5, 1e-4, 1e-9), (-4.0, 1e-3, 1e-7)] {
        let target = wanted(analytic, tolerance, level);
        let step = first_step(&line, 1e-7, &[target]);
        let noise = LIKELY * level / step;
        close(noise / target.allowed(analytic), 0.25, 1e-12);
    }
    // Never wider than a part of the scale; that for a zero, which no noise is small beside.
    assert_eq!(first_step(&line, 1e-5, &[wanted(1.0, 1e-7, 1e-3)]), 2.0 / 128.0);
    assert_eq!(first_step(&line, 1e-5, &[wanted(0.0, 1e-4, 0.0)]), 2.0 / 128.0);
    assert_eq!(first_step(&line, 1e-5, &[]), 2.0 / 128.0);
    // Of many outputs the largest value asks, and the worst noise answers.
    let (small, large) = (wanted(1e-3, 1e-4, 1e-9), wanted(-2.0, 1e-4, 1e-8));
    let both = first_step(&line, 1e-9, &[small, large]);
    close(both, first_step(&line, 1e-9, &[wanted(-2.0, 1e-4, 1e-8)]), 0.0);
    let noisy = first_step(&line, 1e-9, &[wanted(1e-3, 1e-4, 1e-7), large]);
    close(noisy, first_step(&line, 1e-9, &[wanted(-2.0, 1e-4, 1e-7)]), 0.0);
    // And the parameters must be able to take it.
    let coarse = Plain { scale: 2.0, roundoff: 1e-8, magnitude: 3e3 };
    let step = first_step(&coarse, 1e-9, &[wanted(0.3, 1e-4, 1e-16)]);
    close(step, 64.0 * 3e-5, 1e-15);
}

#[test]
fn the_ladder_spans_from_the_scale_to_the_rounding() {
    for (roundoff, count, top, ratio) in [(1e-16, 7, 32.0, 16.0), (1e-8, 6, 4.0, 4.0)] {
        let line = Plain { scale: 3.0, roundoff, magnitude: 1e-3 };
        let steps: Vec<f64> = ladder(&line).collect();
        assert_eq!(steps.len(), count);
        // The middle settles most; what extrapolates it comes next.
        assert_eq!(steps[1], ratio * steps[0]);
        let mut sorted = steps.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted[count - 1], 3.0 / top);
        assert!(
            sorted.windows(2).all(|pair| (pair[1] / pair[0] - ratio).abs() < 1e-9),
            "{steps:?}"
        );
        // Steps that the parameters cannot take are left out.
        let far = Plain { scale: 3.0, roundoff, magnitude: 3e-3 / roundoff };
        let steps: Vec<f64> = ladder(&far).collect();
        assert!(!steps.is_empty() && steps.len() < count, "{steps:?}");
        assert!(steps.iter().all(|&step| step > 16.0 * 3e-3), "{steps:?}");
        let left_out = sorted.iter().filter(|step| !steps.contains(step));
        assert!(left_out.clone().all(|&step| step <= 16.0 * 3e-3), "{steps:?}");
    }
}

#[test]
fn the_first_level_settles_what_it_can() {
    let level = |f: fn(f64) -> f64| levels(f, &[0.001]).levels[0].clone();
    let at = |f, analytic, noise| settle(&level(f), 0, &wanted(analytic, 1e-4, noise));
    let line = |x: f64| 3.0 * x;
    let agreed = at(line, 3.0, 1e-9);
    assert_eq!(agreed.finding, Finding::Agrees);
    close(agreed.numeric, 3.0, 1e-12);
    close(agreed.bound, CERTAIN * 1e-6, 1e-18);
    // Off, or hidden by noise: more steps are needed, and nobody is accused.
    assert_eq!(at(line, 3.001, 1e-9).finding, Finding::Undecided);
    assert_eq!(at(line, 3.0, 1e-6).finding, Finding::Undecided);
    // Zero agrees with a forward that does not move at all.
    assert_eq!(at(|_| 4.0, 0.0, 1e-3).finding, Finding::Agrees);
    assert_eq!(at(|_| 4.0, 1e-9, 1e-3).finding, Finding::Undecided);
    assert_eq!(at(|x| 1e-9 * x, 0.0, 1e-15).finding, Finding::Undecided);
    let outside = at(|x| if x > 0.0 { f64::NAN } else { x }, 1.0, 0.0);
    assert_eq!((outside.finding, outside.bound), (Finding::Undecided, f64::INFINITY));
    assert!(outside.numeric.is_nan());
}

#[test]
fn agreement_needs_a_difference_and_a_bound_under_the_tolerance() {
    let target = wanted(2.0, 1e-3, 0.0);
    // Relative to the sum of both.
    close(target.allowed(-1.0), 3e-3, 1e-18);
    assert!(target.agrees(2.003, 1e-3) && !target.agrees(2.005, 1e-3));
    assert!(target.agrees(1.997, 1e-3) && !target.agrees(1.995, 1e-3));
    // Bounds are of six deviations; two are enough beside an agreement.
    assert!(target.agrees(2.0, 0.011) && !target.agrees(2.0, 0.013));
}

fn reading(left: (f64, f64), right: (f64, f64), central: (f64, f64)) -> Reading {
    let bounded = |(value, bound)| Bounded { value, bound };
    Reading {
        central: bounded(central),
        right: bounded(right),
        left: bounded(left),
        rounding: 0.01,
        steps: [0.1, f64::NAN],
    }
}

#[test]
fn a_gap_is_more_than_the_bounds_of_its_sides() {
    let apart = reading((1.0, 0.1), (2.0, 0.2), (1.5, 0.5));
    assert!(apart.has_gap());
    assert!(reading((2.0, 0.1), (1.0, 0.2), (1.5, 0.5)).has_gap());
    assert!(!reading((1.0, 0.6), (2.0, 0.5), (1.5, 0.5)).has_gap());
    assert!(!reading((2.0, 0.6), (1.0, 0.5), (1.5, 0.5)).has_gap());
    for (x, within) in [(0.85, false), (0.95, true), (1.5, true), (2.15, true), (2.25, false)] {
        assert_eq!(apart.spans(x), within, "{x}");
        // The other way round, too.
        assert_eq!(reading((2.0, 0.2), (1.0, 0.1), (1.5, 0.5)).spans(x), within, "{x}");
    }
}

#[test]
fn wrong_and_kink_are_said_of_the_last_reading_alone() {
    let finding = |reading: Reading, g: f64, last: bool| {
        conclude(Some(reading), &wanted(g, 1e-3, 0.0), last).finding
    };
    let smooth = || reading((2.0, 0.1), (2.0, 0.1), (2.0, 1e-3));
    assert_eq!(finding(smooth(), 2.001, false), Finding::Agrees);
    assert_eq!(finding(smooth(), 2.1, false), Finding::Undecided);
    assert_eq!(finding(smooth(), 2.1, true), Finding::Wrong { near_kink: false });
    // Beyond what is allowed, the bound, and the rounding once more: 0.004 + 0.001 + 0.01.
    assert_eq!(finding(smooth(), 2.014, true), Finding::Undecided);
    assert_eq!(finding(smooth(), 2.017, true), Finding::Wrong { near_kink: false });
    assert_eq!(finding(smooth(), 1.986, true), Finding::Undecided);
    assert_eq!(finding(smooth(), 1.983, true), Finding::Wrong { near_kink: false });
    // Between one-sided slopes that differ, a value is excused; outside it is not.
    let kink = || reading((1.0, 0.01), (2.0, 0.02), (1.5, 0.5));
    assert_eq!(finding(kink(), 1.2, false), Finding::Undecided);
    assert_eq!(finding(kink(), 1.2, true), Finding::Kink);
    assert_eq!(finding(kink(), 3.0, true), Finding::Wrong { near_kink: true });
    let excused = conclude(Some(kink()), &wanted(1.2, 1e-3, 0.0), true);
    close(excused.numeric, 1.5, 1e-12);
    close(excused.bound, 0.52, 1e-12);
    // A narrow central difference that is clear of the kink is not the kink's.
    let beside = reading((1.0, 0.01), (2.0, 0.02), (1.0, 0.01));
    assert_eq!(finding(beside, 1.5, true), Finding::Wrong { near_kink: false });
    let nothing = conclude(None, &wanted(1.0, 1e-3, 0.0), true);
    assert_eq!((nothing.finding, nothing.bound), (Finding::Undecided, f64::INFINITY));
    assert!(nothing.numeric.is_nan());
}

fn along(f: impl Fn(f64) -> f64, at: f64) -> Synthetic<impl Fn(f64) -> f64> {
    Synthetic { f, at, calls: 0 }
}

#[test]
fn the_scatter_of_samples_is_their_noise() {
    for seed in 0..20 {
        let f = move |x: f64| x.exp() + 1e-9 * (random::unit(seed, x.to_bits()) - 0.5);
        let noise = scatter(&mut along(f, 0.5), 0.0, 1e-6)[0].expect("it moves");
        let deviation = 1e-9 / 12_f64.sqrt();
        assert!((0.3..2.5).contains(&(noise.level / deviation)), "{seed}: {noise:?}");
        let floor = 0.5 * f64::EPSILON * 0.5_f64.exp();
        close(noise.ratio * floor / noise.level, 1.0, 1e-3);
    }
    // Curvature is none, whatever a parabola leaves of it.
    let smooth = scatter(&mut along(|x: f64| (30.0 * x).sin(), 0.5), 0.0, 1e-3)[0];
    assert!(smooth.is_some_and(|noise| noise.level < 1e-8), "{smooth:?}");
    // What does not move at this spacing says nothing; nor does what is not a number.
    let stairs = |x: f64| (x * 1e3).floor();
    assert_eq!(scatter(&mut along(stairs, 0.5), 0.0, 1e-5), [None]);
    assert_eq!(scatter(&mut along(|x: f64| (0.5 - x).sqrt(), 0.5), 0.0, 1e-3), [None]);
    // To the side that was asked for, as far as was asked for.
    let half = |x: f64| if x < 0.5 { 0.0 } else { x.sin() };
    assert_eq!(scatter(&mut along(half, 0.5), 0.0, -1e-3), [None]);
    assert!(scatter(&mut along(half, 0.5), 0.0, 1e-3)[0].is_some());
    assert!(scatter(&mut along(half, 0.4), 0.2, 1e-3)[0].is_some());
}

#[test]
fn roundings_inside_are_seen_from_half_a_scale_away() {
    let roundoff = 0.5 * f64::EPSILON;
    let single = 0.5 * f64::from(f32::EPSILON);
    let inner = |f: fn(f64) -> f64, at: f64| inner_roundoff(&mut along(f, at), roundoff);
    // In double precision, a few roundings more are the type's own.
    assert_eq!(inner(|x| x.exp() + 3.0, 0.7), roundoff);
    for at in [0.0, 0.7, -3.0] {
        let found = inner(|x| f64::from((x as f32).exp()), at);
        assert!((0.1..10.0).contains(&(found / single)), "{at}: {found}");
    }
    // Ordinary to one side alone: the better one counts.
    assert_eq!(
        inner(|x| if x > 0.0 { x.exp() } else { f64::from((x as f32).exp()) }, 0.0),
        roundoff
    );
    assert_eq!(
        inner(|x| if x < 0.0 { x.exp() } else { f64::from((x as f32).exp()) }, 0.0),
        roundoff
    );
}

#[test]
fn a_zero_of_large_parts_has_their_rounding() {
    let rounding = |far: f64| 0.5 * f64::EPSILON * far;
    assert_eq!(reach(&mut along(|x: f64| 1e6 * x.max(0.0), 0.0), 0), rounding(2e6));
    assert_eq!(reach(&mut along(|x: f64| 1e6 * x.min(0.0), 0.0), 0), rounding(2e6));
    // As far as the domain goes.
    let bounded = |x: f64| if x.abs() > 1.5 { f64::NAN } else { 1e6 * x.max(0.0) };
    assert_eq!(reach(&mut along(bounded, 0.0), 0), rounding(1e6));
    let bounded = |x: f64| if x.abs() > 1.5 { f64::NAN } else { 1e6 * x.min(0.0) };
    assert_eq!(reach(&mut along(bounded, 0.0), 0), rounding(1e6));
}

#[test]
fn noise_on_one_side_and_between_kinks_is_no_noise() {
    // Dense kinks to the right alone: the left side tells.
    let zigzag = |x: f64| 1e-6 * ((x / 3e-8).rem_euclid(1.0) - 0.5).abs();
    for side in [1.0, -1.0] {
        let f = move |x: f64| x.exp() + if side * x > 0.0 { zigzag(x) } else { zigzag(0.0) };
        let noise = estimate_noise(&mut along(f, 0.0))[0];
        assert!(noise.level < 1e-14, "{side}: {noise:?}");
    }
    // On both: that is what it looks like.
    let noise = estimate_noise(&mut along(move |x: f64| x.exp() + zigzag(x), 0.0))[0];
    assert!(noise.level > 1e-8, "{noise:?}");
    // What never moves has the rounding of its value, and what has no value none at all.
    let flat = estimate_noise(&mut along(|_| 400.0, 0.3))[0];
    assert_eq!(flat, Noise { level: 0.5 * f64::EPSILON * 400.0, ratio: 1.0 });
    let none = estimate_noise(&mut along(|_| f64::NAN, 0.3))[0];
    assert_eq!(none, Noise { level: 0.0, ratio: 1.0 });
}

fn step(beyond: bool) -> f64 {
    f64::from(u8::from(beyond))
}

#[test]
fn jumps_are_told_from_curvature() {
    let noise = Noise { level: 1e-15, ratio: 1.0 };
    let of = |f: fn(f64) -> f64, bent: bool| {
        jump_between(&mut along(f, 0.0), 0, 0.1, 1.0, 0.0, noise, bent)
    };
    // Where halving follows the curvature past it, the piece least like a polynomial has it.
    let small = |x: f64| x * x + 1e-6 * step(x > 0.3);
    assert_eq!(of(small, false), 0.0);
    close(of(small, true), 1e-6, 1e-10);
    // Neither curvature alone nor a kink is a jump.
    assert_eq!(of(|x| x * x + x.exp(), true), 0.0);
    assert_eq!(of(|x| x * x + 1e-3 * (x - 0.3).max(0.0), true), 0.0);
}

#[test]
fn stairs_are_met_to_both_sides() {
    let of = |f: fn(f64) -> f64| stairs(&mut along(f, 0.0), 1e-15);
    // Beside a parabola, finely and coarsely.
    assert_eq!(of(|x| x * x), 0.0);
    for (found, height) in [
        (of(|x| 0.3 * x * x + 1e-6 * (1e4 * x + 0.3).floor()), 1e-6),
        (of(|x| 0.3 * x * x + 1e-3 * (60.0 * x + 0.3).floor()), 1e-3),
    ] {
        close(found, height, 1e-2 * height);
    }
    close(of(|x| (1.0 + x).ln() + 0.01 * (60.0 * x + 0.3).floor()), 0.01, 1e-4);
    // Down to the last digit on one side, and nothing beyond.
    close(of(|x| if x > 0.02 { f64::NAN } else { 0.01 * (60.0 * x + 0.3).floor() }), 0.01, 1e-4);
    // One jump is the function's own, and so are kinks and waves.
    assert_eq!(of(|x| x * x + 0.1 * step(x > 0.01)), 0.0);
    assert_eq!(of(|x| (x - 0.01).abs() + (x + 0.02).max(0.0)), 0.0);
    assert_eq!(of(|x| (40.0 * x).sin()), 0.0);
}

#[test]
fn jumps_are_told_from_slopes() {
    let of = |f: fn(f64) -> f64, near: f64, far: f64, slope: f64| {
        let noise = Noise { level: 1e-15, ratio: 1.0 };
        jump_between(&mut along(f, 0.0), 0, near, far, slope, noise, false)
    };
    // Stairs of a quarter, ahead or behind.
    close(of(|x| 0.25 * step(x > 0.3), 0.1, 1.0, 0.0), 0.25, 1e-12);
    close(of(|x| 0.25 * step(x < -0.3), 0.1, 1.0, 0.0), 0.25, 1e-12);
    close(of(|x| x - 0.5 * step(x > 0.7), 0.1, 1.0, 1.0), 0.5, 1e-12);
    // The larger of two sides.
    close(
        of(
            |x| {
                if x > 0.3 {
                    0.25
                } else if x < -0.3 {
                    0.75
                } else {
                    0.0
                }
            },
            0.1,
            1.0,
            0.0,
        ),
        0.75,
        1e-12,
    );
    // A unit that comes alive, curvature, a jump nearer or further than asked about.
    assert_eq!(of(|x| (x - 0.3).max(0.0), 0.1, 1.0, 0.0), 0.0);
    assert_eq!(of(|x| x * x, 0.1, 1.0, 0.0), 0.0);
    assert_eq!(of(|x| if x > 0.05 { 1.0 } else { 0.0 }, 0.1, 1.0, 0.0), 0.0);
    assert_eq!(of(|x| if x > 1.05 { 1.0 } else { 0.0 }, 0.1, 1.0, 0.0), 0.0);
    // No higher than the noise, or out of the domain.
    assert_eq!(of(|x| if x > 0.3 { 9e-15 } else { 0.0 }, 0.1, 1.0, 0.0), 0.0);
    assert_eq!(of(|x| if x.abs() > 0.3 { f64::NAN } else { 0.0 }, 0.1, 1.0, 0.0), 0.0);
}

#[test]
fn two_steps_that_agree_are_of_different_size() {
    // The differences are 2 + step^2.
    let kernel = levels(|x: f64| 2.0 * x + x.powi(3), &[0.01, 0.02, 0.04, 0.4]);
    assert!(kernel.two_agree(0, 0.0..f64::INFINITY, 2.0, 0.01));
    assert!(!kernel.two_agree(0, 0.0..f64::INFINITY, 2.0, 5e-4), "only neighbours come so close");
    assert!(kernel.two_agree(0, 0.0..f64::INFINITY, 2.0, 2e-3));
    assert!(
        !kernel.two_agree(0, 0.015..f64::INFINITY, 2.0, 0.01),
        "beyond the narrowest there are neighbours alone"
    );
    assert!(kernel.two_agree(0, 0.015..f64::INFINITY, 2.0, 0.2));
    assert!(!kernel.two_agree(0, 0.0..f64::INFINITY, 2.5, 0.2));
    // Steps on which nothing moves say nothing.
    let flat = levels(|_| 1.0, &[0.01, 0.04]);
    assert!(!flat.two_agree(0, 0.0..f64::INFINITY, 0.0, 0.1));
}

#[test]
fn a_reading_takes_the_best_of_all_steps() {
    let steps = [1e-4, 1e-3, 1e-2, 0.1, 1.0];
    let noise = Noise { level: 1e-13, ratio: 0.0 };
    for (f, slope) in [
        ((|x: f64| (2.0 * x).sin()) as fn(f64) -> f64, 2.0),
        (|x: f64| x.exp() - 3.0 * x, -2.0),
        (|x: f64| 1.0 / (2.0 + x), -0.25),
    ] {
        let reading = levels(f, &steps).read(0, noise).expect("steps enough");
        let error = (reading.central.value - slope).abs();
        assert!(error <= reading.central.bound && reading.central.bound < 1e-8, "{reading:?}");
        assert!(!reading.has_gap(), "{reading:?}");
        for side in [reading.right, reading.left] {
            assert!((side.value - slope).abs() <= side.bound && side.bound < 1e-5, "{reading:?}");
        }
        assert!(reading.rounding <= reading.central.bound && reading.steps[0] > 0.0);
    }
    // On a kink each side has its own, and the bound of the mean reaches to both.
    let reading = levels(|x: f64| x.sin() + 0.5 * x.abs(), &steps).read(0, noise).expect("steps");
    close(reading.right.value, 1.5, 1e-6);
    close(reading.left.value, 0.5, 1e-6);
    assert!(reading.has_gap() && reading.spans(0.7) && reading.spans(1.4) && !reading.spans(1.6));
    assert!((0.49..0.6).contains(&reading.central.bound), "{reading:?}");
    // Beside a kink, on either side: the slope is that of the state.
    for side in [1.0, -1.0] {
        let f = move |x: f64| x.sin() + (side * x - 3e-3).max(0.0);
        let reading = levels(f, &steps).read(0, noise).expect("steps");
        let error = (reading.central.value - 1.0).abs();
        assert!(error <= reading.central.bound && reading.central.bound < 1e-5, "{reading:?}");
    }
    // One step is none.
    assert!(levels(f64::sin, &[0.1]).read(0, noise).is_none());
}

#[test]
fn a_kink_costs_no_more_forwards_than_it_did() {
    let calls = |f: fn(f64) -> f64, at: f64, analytic: f64| judge(f, at, analytic).1;
    // Two where the first step settles it; those of the ladder for a kink and a wrong value, and
    // some to confirm it.
    assert_eq!(calls(|x| x.sin(), 0.7, 0.7_f64.cos()), 2);
    assert_eq!(calls(|_| 4.0, 0.7, 0.0), 2);
    let counts = [
        calls(|x| x.abs(), 0.0, 0.0),
        calls(|x| x.sin(), 0.7, 0.9 * 0.7_f64.cos()),
        calls(|x| (x - 0.701).abs(), 0.7, -1.0),
    ];
    assert!(counts.iter().all(|&count| count <= 120), "{counts:?}");
}

// The rules, at both sides of their limits.

fn estimate(numeric: f64, bound: f64, finding: Finding) -> Estimate {
    Estimate { numeric, bound, finding }
}

#[test]
fn noise_is_coarse_and_findings_are_grave_beyond_their_limits() {
    let coarse = |ratio| Noise { level: 0.0, ratio }.is_coarse();
    assert!(!coarse(16.0) && coarse(17.0));
    let grave = |finding| estimate(0.0, 0.0, finding).is_grave();
    assert!(grave(Finding::Kink) && grave(Finding::Wrong { near_kink: true }));
    assert!(!grave(Finding::Agrees) && !grave(Finding::Undecided));
    let mut kernel = Kernel::default();
    assert!(!kernel.may_fit());
    kernel.allow_fits(fit::POINTS - 1);
    assert!(!kernel.may_fit());
    kernel.allow_fits(fit::POINTS);
    assert!(kernel.may_fit());
}

#[test]
fn a_fit_is_weighed_against_a_wider_one_and_the_steps() {
    let fit = |value, bound, hidden| Fit { value, bound, hidden };
    let open = estimate(5.0, 100.0, Finding::Undecided);
    // The analytic value is 2, of which a thousandth of the sum is allowed.
    let weigh = |kernel: &Kernel, found: Fit, wider: Option<Fit>| {
        let e = kernel.weigh(0, &wanted(2.0, 1e-3, 1e-9), open, found, wider);
        (e.finding, e.numeric, e.bound)
    };
    let none = Kernel::default();
    let undecided = |found: Fit| (Finding::Undecided, found.value, found.bound + found.hidden);
    let wrong =
        |wider: Fit| (Finding::Wrong { near_kink: false }, wider.value, wider.bound + wider.hidden);
    // Close, with a bound that agreement needs.
    assert_eq!(weigh(&none, fit(2.001, 0.01, 9.0), None), (Finding::Agrees, 2.001, 0.01));
    let wide = fit(2.001, 0.02, 9.0);
    assert_eq!(weigh(&none, wide, None), undecided(wide));
    // Far from it, and alone; with a wider one that says the same; with one that does not.
    let far = fit(3.0, 0.5, 0.125);
    assert_eq!(weigh(&none, far, None), undecided(far));
    let wider = fit(3.1, 0.25, 0.125);
    assert_eq!(weigh(&none, far, Some(wider)), wrong(wider));
    assert_eq!(weigh(&none, far, Some(fit(3.8, 0.25, 0.125))), undecided(far));
    assert_eq!(weigh(&none, far, Some(fit(3.74, 0.25, 0.125))), wrong(fit(3.74, 0.25, 0.125)));
    assert_eq!(weigh(&none, far, Some(fit(2.3, 0.25, 0.04))), wrong(fit(2.3, 0.25, 0.04)));
    assert_eq!(weigh(&none, far, Some(fit(2.3, 0.25, 0.06))), undecided(far));
    assert_eq!(
        weigh(&none, fit(1.0, 0.5, 0.0), Some(fit(1.1, 0.25, 0.125))),
        wrong(fit(1.1, 0.25, 0.125))
    );
    // The narrow one must be clear of it, too.
    let unclear = fit(2.4, 0.4, 0.125);
    assert_eq!(weigh(&none, unclear, Some(fit(2.7, 0.25, 0.125))), undecided(unclear));
    let clear = fit(2.41, 0.4, 0.125);
    assert_eq!(weigh(&none, clear, Some(fit(2.7, 0.25, 0.125))), wrong(fit(2.7, 0.25, 0.125)));
    // A step that comes to half the distance vetoes; one that noise or stillness silences does not.
    let slope = |slope: f64| levels(move |x: f64| slope * x, &[0.1]);
    assert_eq!(weigh(&slope(2.5), far, Some(wider)), undecided(far));
    assert_eq!(weigh(&slope(2.6), far, Some(wider)), wrong(wider));
    let e = slope(2.5).weigh(0, &wanted(2.0, 1e-3, 0.05), open, far, Some(wider));
    assert_eq!((e.finding, e.numeric), (Finding::Wrong { near_kink: false }, wider.value));
    assert_eq!(weigh(&slope(0.0), far, Some(wider)), wrong(wider));
    // Two that come very close veto together, whatever their noise.
    let close = levels(|x: f64| 2.001 * x, &[0.1, 0.3]);
    let e = close.weigh(0, &wanted(2.0, 1e-4, 0.05), open, far, Some(wider));
    assert_eq!(e.finding, Finding::Undecided);
    // What is known already better stays.
    let known = |bound: f64| {
        let now = estimate(5.0, bound, Finding::Undecided);
        none.weigh(0, &wanted(2.0, 1e-3, 1e-9), now, far, None).numeric
    };
    assert_eq!((known(0.62), known(0.63)), (5.0, 3.0));
}

#[test]
fn an_open_output_is_fitted_while_there_are_forwards() {
    let noisy = |x: f64| (2.0 * x).sin() + 1e-6 * (random::unit(3, x.to_bits()) - 0.5);
    let slope = 2.0 * 0.6_f64.cos();
    let run = |fits: usize, analytic: f64, finding: Finding| {
        let mut kernel = Kernel::default();
        kernel.allow_fits(fits);
        let mut line = along(noisy, 0.3);
        let mut estimates = [estimate(f64::NAN, f64::INFINITY, finding)];
        kernel.average(&mut line, &[wanted(analytic, 1e-3, 3e-7)], &mut estimates, &[3e-7]);
        (estimates[0].finding, line.calls, kernel.fits)
    };
    let points = fit::POINTS;
    let (finding, calls, left) = run(1000, slope, Finding::Undecided);
    assert_eq!(finding, Finding::Agrees);
    assert!(calls >= points && calls <= WINDOWS.len() * points && left == 1000 - calls, "{calls}");
    let (finding, calls, _) = run(1000, 1.1 * slope, Finding::Undecided);
    assert_eq!(finding, Finding::Wrong { near_kink: false });
    assert!(calls > points, "one fit alone accuses nobody");
    // Nothing is spent on what is settled, nor more than is allowed.
    assert_eq!(run(1000, slope, Finding::Kink), (Finding::Kink, 0, 1000));
    assert_eq!(run(points - 1, slope, Finding::Undecided), (Finding::Undecided, 0, points - 1));
    assert_eq!(run(2 * points - 1, 1.1 * slope, Finding::Undecided).1, points);
}

#[test]
fn steps_narrow_while_a_kink_is_within_the_narrowest() {
    let run = |at: f64, noise: f64, analytic: f64, finding: Finding| {
        let mut kernel = Kernel::default();
        let mut line = along(move |x: f64| x + (x - at).abs(), 1.0);
        for step in [1e-4, 1e-3] {
            kernel.sample(&mut line, step);
        }
        let estimates = [estimate(1.0, 1.0, finding)];
        kernel.narrow(&mut line, &[wanted(analytic, 1e-6, noise)], &estimates);
        kernel.used - 2
    };
    let wrong = Finding::Wrong { near_kink: false };
    // Until the kink is out of reach: 1e-4, 2.5e-5, 6e-6.
    assert_eq!(run(1.0 + 1e-5, 0.0, 3.0, wrong), 2);
    assert_eq!(run(1.0 + 5e-5, 0.0, 3.0, Finding::Kink), 1);
    assert_eq!(run(1.0 + 1.1e-4, 0.0, 3.0, wrong), 0);
    // No more than four times where it is at the state, and not for what is open or agrees.
    assert_eq!(run(1.0, 0.0, 3.0, wrong), 4);
    assert_eq!(run(1.0, 0.0, 3.0, Finding::Undecided), 0);
    // The gap of 2 must show above four times the noise of the narrowest, 6 level / step, and
    // what is missing above four times that of the next.
    assert_eq!((run(1.0, 8.2e-6, 9.0, wrong), run(1.0, 8.5e-6, 9.0, wrong)), (1, 0));
    assert_eq!((run(1.0, 4.1e-6, 2.0, wrong), run(1.0, 4.2e-6, 2.0, wrong)), (1, 0));
}

#[test]
fn the_side_without_the_kink_speaks_for_the_state() {
    let noise = Noise { level: 1e-12, ratio: 0.0 };
    for side in [1.0, -1.0] {
        // A kink at 0.02 to one side; narrow steps are clear of it.
        let f = move |x: f64| 2.0 * x + (side * x - 0.02).max(0.0);
        let kernel = levels(f, &[1e-3, 0.01, 0.1, 0.5]);
        let mut reading = kernel.read(0, noise).expect("steps");
        let clear = |bound| Bounded { value: 2.0, bound };
        (reading.right, reading.left) =
            if side > 0.0 { (clear(0.5), clear(1e-9)) } else { (clear(1e-9), clear(0.5)) };
        let (value, hidden) = kernel.beside_a_kink(&reading, 0, noise).expect("it is beside one");
        assert_eq!((value.value, value.bound), (2.0, 1e-9));
        // The least of what any clear step could not see.
        close(hidden, CERTAIN * 1e-12 / 0.01, 1e-10);
        // A side that these steps contradict is not believed.
        let off = Bounded { value: 2.1, bound: 1e-9 };
        (reading.right, reading.left) = (off, off);
        assert!(kernel.beside_a_kink(&reading, 0, noise).is_none());
        // Its bound may reach to them.
        let reaching = Bounded { value: 2.1, bound: 0.11 };
        (reading.right, reading.left) = (reaching, reaching);
        assert!(kernel.beside_a_kink(&reading, 0, noise).is_some());
        // Noise of an eighth of the jump hides it.
        let loud = Noise { level: 2.5e-4, ratio: 0.0 };
        (reading.right, reading.left) = (clear(1e-9), clear(1e-9));
        assert!(kernel.beside_a_kink(&reading, 0, loud).is_none());
    }
    // On the kink every step shows all of it.
    let kernel = levels(|x: f64| 2.0 * x + x.abs(), &[1e-3, 0.01, 0.1]);
    let reading = kernel.read(0, noise).expect("steps");
    assert!(kernel.beside_a_kink(&reading, 0, noise).is_none());
}

#[test]
fn narrow_steps_bound_what_wide_ones_say() {
    let noise = Noise { level: 1e-12, ratio: 0.0 };
    // A bias of 0.1 that all wide steps share: the central bound reaches to the narrow slope.
    let biased = |x: f64| if x.abs() < 2e-3 { 2.0 * x } else { 2.1 * x };
    let reading = levels(biased, &[1e-3, 0.01, 0.02, 0.04]).read(0, noise).expect("steps");
    assert!((reading.central.value - 2.0).abs() <= reading.central.bound, "{reading:?}");
    assert!((reading.right.value - 2.0).abs() <= reading.right.bound, "{reading:?}");
    assert!((reading.left.value - 2.0).abs() <= reading.left.bound, "{reading:?}");
    assert!(reading.right.bound < 0.3 && reading.left.bound < 0.3, "{reading:?}");
    // A kink at the state that wide, curved steps hide.
    let kinked = |x: f64| 2.0 * x + 0.05 * x.abs() * f64::from(u8::from(x.abs() < 0.2));
    let reading = levels(kinked, &[1e-3, 0.01, 0.4, 1.6]).read(0, noise).expect("steps");
    assert!(reading.has_gap() && reading.central.bound > 0.045, "{reading:?}");
    // Curvature is not taken for either.
    let curved = levels(|x: f64| 2.0 * x + 3.0 * x * x, &[1e-3, 0.01, 0.04, 0.16]);
    let reading = curved.read(0, noise).expect("steps");
    assert!(!reading.has_gap() && reading.central.bound < 1e-7, "{reading:?}");
    assert!(reading.right.bound < 1e-7 && reading.left.bound < 1e-7, "{reading:?}");
}

#[test]
fn a_difference_is_shown_by_two_steps_apart() {
    let quiet = Noise { level: 1e-12, ratio: 0.0 };
    let twice = |kernel: &Kernel, g: f64| kernel.shows_twice(0, &wanted(g, 1e-6, 1e-12), quiet);
    let smooth = levels(|x: f64| x.sin(), &[1e-4, 1e-3, 1e-2, 0.1]);
    assert!(twice(&smooth, 1.1) && twice(&smooth, 0.9) && twice(&smooth, -1.0));
    assert!(!twice(&smooth, 1.0));
    // Neighbours are not two.
    assert!(!twice(&levels(f64::sin, &[1e-3, 2e-3]), 1.1));
    assert!(twice(&levels(f64::sin, &[1e-3, 2e-3, 6e-3]), 1.1));
    // Strong curvature: the differences change from step to step, extrapolated they do not.
    assert!(twice(&levels(|x: f64| (40.0 * x).sin(), &[1e-3, 4e-3, 0.01, 0.03]), 41.0));
    // A kink that each step sees another share of shows no difference twice.
    let kink = levels(|x: f64| (x - 1e-3).max(0.0), &[2e-3, 6e-3]);
    assert!(!twice(&kink, 0.6) && !twice(&kink, 0.05));
    // Not yet small at the narrowest step: too fast to follow.
    let fast = levels(|x: f64| 0.3 * (1e6 * x).sin() + x, &[1e-3, 1e-2, 0.1, 0.2]);
    assert!(!twice(&fast, 30.0));
    // A narrower step that could see the difference and does not knows better.
    let piece = |x: f64| if x.abs() < 2e-4 { 1.1 * x } else { x + 1e-6 * x.signum() };
    assert!(!twice(&levels(piece, &[1e-4, 1e-2, 0.1, 0.4]), 1.1));
    assert!(twice(&levels(piece, &[1e-2, 0.1, 0.4]), 1.1));
    // Noise that hides the difference shows none.
    let loud = Noise { level: 1e-3, ratio: 0.0 };
    assert!(!smooth.shows_twice(0, &wanted(1.01, 1e-6, 1e-3), loud));
    assert!(smooth.shows_twice(0, &wanted(3.0, 1e-6, 1e-3), loud));
}

#[test]
fn wider_steps_may_know_better_than_a_stair() {
    // Flat stairs of a hundredth on a slope of one that only wide steps show.
    let stairs = |x: f64| 0.5 * x + 0.5 * (x * 100.0).round() / 100.0;
    let kernel = levels(stairs, &[1e-4, 1e-3, 0.1, 0.4]);
    let agree = |kernel: &Kernel, g: f64| kernel.wider_ones_agree(0, &wanted(g, 1e-6, 1e-12), 0.5);
    assert!(agree(&kernel, 1.0));
    assert!(!agree(&kernel, 1.3));
    // A kink explains it: the same gap at any width.
    let kinked = levels(|x: f64| x + 0.7 * x.abs(), &[1e-4, 1e-3, 0.1, 0.4]);
    assert!(!agree(&kinked, 1.0));
}

#[test]
fn a_wrong_value_is_confirmed_and_a_stair_is_not() {
    let run = |f: fn(f64) -> f64, at: f64, analytic: f64| {
        let mut line = along(f, at);
        let noise = Noise { level: 1e-16, ratio: 1.0 };
        let mut kernel = Kernel::default();
        for step in ladder(&line) {
            kernel.sample(&mut line, step);
        }
        let targets = [Target { analytic, tolerance: 1e-6, noise }];
        let mut estimates = [estimate(f64::NAN, f64::INFINITY, Finding::Undecided)];
        kernel.judge(&targets, &mut estimates, true);
        let before = estimates[0].finding;
        let mut known = [noise.level];
        let calls = line.calls;
        kernel.confirm(&mut line, &targets, &mut estimates, &mut known);
        (before, estimates[0].finding, known[0] > noise.level, line.calls - calls)
    };
    let wrong = Finding::Wrong { near_kink: false };
    let (before, after, higher, calls) = run(|x| x.sin(), 0.7, 0.8);
    assert_eq!((before, after, higher), (wrong, wrong, false));
    assert!(calls < 80, "{calls}");
    // On a stair the narrow steps are silent, and their silence is no derivative.
    let (before, after, higher, _) = run(|x| (10.0 * x).round() / 10.0, 0.71, 1.0);
    assert_eq!((before, after), (wrong, Finding::Undecided));
    assert!(higher);
    // A dead unit that comes alive further out is one: its derivative is zero.
    let (before, after, _, _) = run(|x| (x - 0.71).max(0.0), 0.7, 1.0);
    assert_eq!((before, after), (wrong, wrong));
    let (_, after, _, _) = run(|x| 2.0 * x.max(0.0), 0.0, 0.5);
    assert_eq!(after, Finding::Kink);
}
