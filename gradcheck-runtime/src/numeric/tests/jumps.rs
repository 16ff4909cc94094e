//! Looks for a jump: how long they go on, and what they take for one.
use super::*;

const QUIET: Noise = Noise { level: 1e-15, ratio: 1.0 };

/// What a look between two places finds, and the forwards that it took.
fn look(
    f: impl Fn(f64) -> f64,
    between: [f64; 2],
    patience: usize,
    find: impl Fn(&mut dyn Line, usize, [f64; 2], f64, Noise, usize) -> f64,
) -> (f64, usize) {
    let mut line = Synthetic { f, at: 0.0, calls: 0 };
    let height = find(&mut line, 0, between, 0.0, QUIET, patience);
    (height, line.calls)
}

#[test]
fn what_is_spread_over_the_way_is_given_up_after_so_many_halvings() {
    for size in [1.0, 1e3] {
        for patience in [8, 12, 16] {
            let (height, calls) = look(|x| size * x, [0.0, 1.0], patience, jump);
            assert_eq!((height, calls), (0.0, 2 + patience), "{size}");
        }
    }
    // A jump beside a slope is followed to where nothing is left of the slope.
    let (height, _) = look(|x| x + 4e-3 * step(x > 0.3), [0.0, 1.0], 12, jump);
    close(height, 4e-3, 1e-9);
}

#[test]
fn a_steep_root_is_no_jump() {
    // It falls by less than a half each time that it is halved, but it falls.
    let (height, _) = look(|x| x.signum() * x.abs().powf(0.4), [0.0, 1.0], 12, jump);
    assert_eq!(height, 0.0);
}

#[test]
fn places_that_are_the_same_show_no_jump() {
    // Four numbers apart: nothing stays, for nothing can be halved so often.
    let between = [1.0, 1.0 + 4.0 * f64::EPSILON];
    assert_eq!(look(|x| 1e3 * x, between, HALVINGS, jump).0, 0.0);
}

/// A parameter that is rounded to thousandths.
struct Coarse(usize);

impl Line for Coarse {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.0 += 1;
        (y[0], floor[0]) = (2.0 * (t * 1e3).round() / 1e3, 0.0);
        Some(t)
    }
    fn scale(&self) -> f64 {
        1.0
    }
    fn roundoff(&self) -> f64 {
        1e-3 / 16.0
    }
    fn magnitude(&self) -> f64 {
        1.0
    }
}

#[test]
fn roundings_of_the_parameters_are_no_jumps() {
    let height = |between| jump(&mut Coarse(0), 0, between, 0.0, QUIET, HALVINGS);
    assert_eq!(height([0.5, 0.9]), 0.0);
    assert_eq!(height([-0.9, -0.5]), 0.0);
}

#[test]
fn where_halving_finds_a_jump_curves_are_not_asked() {
    let stair = |x: f64| step(x > 0.3);
    let (height, calls) = look(stair, [0.0, 1.0], 12, jump);
    assert_eq!(height, 1.0);
    assert_eq!(look(stair, [0.0, 1.0], 12, jump_on_curve), (height, calls));
}

#[test]
fn the_least_smooth_piece_has_the_jump_and_the_slope_of_the_rest() {
    // A high one bends the polynomial, but by far less than it rises itself.
    for (at, height, within) in [(0.31, 1e-6, 1e-3), (0.64, -1e-5, 1e-3), (0.5, 1e-2, 0.15)] {
        let f = |x: f64| 3.0 * x + x * x - 2.0 * x.powi(4) + height * step(x > at);
        let mut line = Synthetic { f, at: 0.0, calls: 0 };
        let (piece, slope) = least_smooth(&mut line, 0, [0.1, 0.9]).expect("finite");
        assert!(piece[0] < at && at <= piece[1] && piece[1] - piece[0] < 0.1, "{piece:?}");
        let slopes = piece.map(|x| 3.0 + 2.0 * x - 8.0 * x.powi(3));
        let (low, high) = (slopes[0].min(slopes[1]), slopes[0].max(slopes[1]));
        assert!(low - within < slope && slope < high + within, "{slope} {slopes:?}");
    }
    let mut line = along(|x: f64| if x > 0.3 { f64::NAN } else { x }, 0.0);
    assert!(least_smooth(&mut line, 0, [0.1, 0.9]).is_none());
}

#[test]
fn the_widest_step_is_the_first_within_the_domain() {
    let widest = |f: fn(f64) -> f64| widest_step(&mut along(f, 0.0));
    assert_eq!(widest(|x| x), 1.0 / 32.0);
    // A hundredth away it ends: on one side or the other, a quarter of that step is within.
    assert_eq!(widest(|x| (0.01 - x).ln()), 1.0 / 128.0);
    assert_eq!(widest(|x| (0.01 + x).ln()), 1.0 / 128.0);
    assert_eq!(widest(|x| if x == 0.0 { 0.0 } else { f64::NAN }), 0.0);
}

#[test]
fn short_steps_are_short_beside_the_scale() {
    // A value of one, that changes by so much; a hundred thousandth of it is a step.
    let step = |scale: f64, slope: f64| {
        let line = Plain { scale, roundoff: 1e-16, magnitude: 1e-3 };
        let noise = Noise { level: f64::EPSILON, ratio: 1.0 };
        short_step(&line, &[Target { analytic: slope, tolerance: 1e-7, noise }])
    };
    for scale in [0.01, 1.0, 100.0] {
        let most = 1e-9 * scale;
        close(step(scale, 1e-5 / (0.5 * most)).expect("short"), 0.5 * most, 1e-9 * most);
        assert_eq!(step(scale, 1e-5 / (2.0 * most)), None);
    }
    // From there on to the ladder they widen.
    let further: Vec<f64> = further(1e-12).collect();
    assert!(further[0] > 1e-12 && further.windows(2).all(|pair| pair[1] > pair[0]), "{further:?}");
    assert!(further.iter().all(|&step| step < 1e-6));
}

#[test]
fn wide_steps_of_a_wave_do_not_agree_on_no_slope() {
    // Even, so that every central difference is zero, near to a small value; but it has come by
    // far more than that.
    let kernel = levels(|x: f64| 0.05 * (1e3 * x).cos(), &[0.1, 0.4]);
    assert!(!kernel.two_agree(0, 0.0..f64::INFINITY, 0.01, 0.1));
    // A slope of that size has come as far as it says.
    let kernel = levels(|x: f64| 0.01 * x, &[0.1, 0.4]);
    assert!(kernel.two_agree(0, 0.0..f64::INFINITY, 0.01, 0.1));
}

#[test]
fn a_jump_anywhere_among_the_samples_is_noise() {
    let (start, spacing) = (0.5, 1e-5);
    let level = |f: &dyn Fn(f64) -> f64| {
        let found = scatter_at(&mut along(f, 0.0), start, spacing, FINE.ratio);
        found[0].expect("it moves").level
    };
    // A single one, in each part of the way from the first sample on.
    for part in 1..8 {
        let at = start + 10.0 * spacing * (f64::from(part) + 0.5) / 8.0;
        let found = level(&move |x: f64| x + 1e-6 * step(x > at));
        assert!(found > 1e-8, "{part}: {found:e}");
    }
    // What oscillates as far has none, and is as fine as rounding.
    let found = level(&|x: f64| x + 1e-6 * (2e5 * x).sin());
    assert!(found < 1e-10, "{found:e}");
}

#[test]
fn stairs_have_a_height_and_a_scatter() {
    // A thousand stairs on a way of one, beside a slope.
    let found = |slope: f64, height: f64, from: f64| {
        let f = move |x: f64| slope * x + height * (1e3 * x).floor();
        jump_and_scatter(&mut Synthetic { f, at: 0.0, calls: 0 }, [from, from + 0.02])
    };
    for (slope, height) in [(0.0, 1e-6), (0.0, -1e-6), (1.0, 1e-6), (-1e-3, 1e-6)] {
        let (high, scatter) = found(slope, height, 0.1).expect("stairs");
        close(high, 1e-6, 1e-9);
        // Evenly distributed between them.
        let even = 1e-6 / 12_f64.sqrt();
        assert!((0.6 * even..1.5 * even).contains(&scatter), "{slope}: {scatter:e}");
    }
    // A tenth of half the digits of the larger value is what they must be.
    let least = 0.1 * (0.5 * f64::EPSILON).sqrt() * 0.12;
    assert!(found(1.0, 1.1 * least, 0.1).is_some() && found(1.0, 0.9 * least, 0.1).is_none());
    // What is the same at both ends, or smooth, has none.
    let on =
        |f: fn(f64) -> f64| jump_and_scatter(&mut Synthetic { f, at: 0.0, calls: 0 }, [0.1, 0.2]);
    assert_eq!(on(|_| 1.0), None);
    assert_eq!(on(|x| x.sin()), None);
    assert_eq!(on(|x| if x > 0.15 { f64::NAN } else { x }), None);
}
