//! The rules at their very limits, where sums are exact, and where it is that samples are taken.
use super::*;

/// A line that writes down where it is asked for values.
struct Written<F> {
    f: F,
    scale: f64,
    magnitude: f64,
    asked: Vec<f64>,
}

fn written<F: Fn(f64) -> f64>(f: F, scale: f64) -> Written<F> {
    Written { f, scale, magnitude: scale, asked: Vec::new() }
}

impl<F: Fn(f64) -> f64> Line for Written<F> {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.asked.push(t);
        (y[0], floor[0]) = ((self.f)(t), 0.0);
        y[0].is_finite().then_some(t)
    }
    fn scale(&self) -> f64 {
        self.scale
    }
    fn roundoff(&self) -> f64 {
        0.5 * f64::EPSILON
    }
    fn magnitude(&self) -> f64 {
        self.magnitude
    }
}

/// A function that has these slopes over steps to either side.
fn of_slopes(slopes: Vec<(f64, f64)>) -> impl Fn(f64) -> f64 {
    move |t: f64| {
        let near = |a: &&(f64, f64), b: &&(f64, f64)| {
            (a.0 - t.abs()).abs().total_cmp(&(b.0 - t.abs()).abs())
        };
        t * slopes.iter().min_by(near).expect("slopes").1
    }
}

fn at_steps(slopes: &[(f64, f64)]) -> Kernel {
    let steps: Vec<f64> = slopes.iter().map(|s| s.0).collect();
    levels(of_slopes(slopes.to_vec()), &steps)
}

const WRONG: Finding = Finding::Wrong { near_kink: false };

// ---- At the limit ---------------------------------------------------------------------------

#[test]
fn bounds_that_touch_leave_no_gap() {
    assert!(!reading((1.0, 0.5), (2.0, 0.5), (1.5, 0.5)).has_gap());
    assert!(reading((1.0, 0.5), (2.0, 0.25), (1.5, 0.5)).has_gap());
}

#[test]
fn a_conclusion_needs_more_than_its_limits() {
    let conclude = |reading: Reading, g: f64, tolerance: f64| {
        conclude(Some(reading), &wanted(g, tolerance, 0.0), true)
    };
    // A bound of a quarter of the jump is clear of the kink.
    let kink = |bound| reading((1.0, 0.01), (2.0, 0.02), (1.5, bound));
    assert_eq!(conclude(kink(0.25), 3.0, 1e-3).finding, WRONG);
    assert_eq!(conclude(kink(0.375), 3.0, 1e-3).finding, Finding::Wrong { near_kink: true });
    // As far as bound and rounding together is not beyond them.
    let mut smooth = reading((2.0, 0.1), (2.0, 0.1), (2.0, 0.25));
    smooth.rounding = 0.25;
    assert_eq!(conclude(smooth, 2.5, 0.0).finding, Finding::Undecided);
    assert_eq!(conclude(smooth, 2.625, 0.0).finding, WRONG);
    // What the tolerance allows is no kink.
    let wide = |bound| reading((1.0, 0.125), (3.0, 0.125), (2.0, bound));
    assert_eq!(conclude(wide(0.75), 1.0, 0.25).finding, Finding::Undecided);
    let kink = conclude(wide(0.875), 1.0, 0.25);
    assert_eq!((kink.finding, kink.numeric, kink.bound), (Finding::Kink, 2.0, 1.125));
}

#[test]
fn a_fit_that_touches_its_limits_accuses_nobody() {
    let fit = |value, bound, hidden| Fit { value, bound, hidden };
    let open = |bound| estimate(5.0, bound, Finding::Undecided);
    let weigh = |kernel: &Kernel, level: f64, now, found, wider| {
        kernel.weigh(0, &wanted(2.0, 0.0, level), now, found, wider).finding
    };
    let none = Kernel::default();
    let (far, wider) = (fit(3.0, 0.5, 0.125), fit(3.0, 0.25, 0.125));
    assert_eq!(weigh(&none, 0.0, open(9.0), far, Some(wider)), WRONG);
    // The wider one within its own bound, the narrow one within its.
    let touching = fit(2.375, 0.25, 0.125);
    assert_eq!(weigh(&none, 0.0, open(9.0), far, Some(touching)), Finding::Undecided);
    let touching = fit(2.5, 0.5, 0.125);
    assert_eq!(weigh(&none, 0.0, open(9.0), touching, Some(wider)), Finding::Undecided);
    // A step vetoes from less than half the distance, its noise being less than all of it.
    let step = |slope: f64| levels(move |x: f64| slope * x, &[0.125]);
    assert_eq!(weigh(&step(2.375), 0.0, open(9.0), far, Some(wider)), Finding::Undecided);
    assert_eq!(weigh(&step(2.5), 0.0, open(9.0), far, Some(wider)), WRONG);
    let level = 0.125 / CERTAIN;
    assert_eq!(weigh(&step(2.375), level, open(9.0), far, Some(wider)), WRONG);
    // As good as what was known is no better.
    let kept = |bound| none.weigh(0, &wanted(2.0, 0.0, 0.0), open(bound), far, None).numeric;
    assert_eq!((kept(0.625), kept(0.75)), (5.0, 3.0));
}

#[test]
fn a_step_not_taken_is_none() {
    struct Stuck {
        plus: f64,
        minus: f64,
    }
    impl Line for Stuck {
        fn outputs(&self) -> usize {
            1
        }
        fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
            (y[0], floor[0]) = (t, 0.0);
            Some(if t > 0.0 { self.plus } else { self.minus })
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
    let usable = |plus, minus| {
        let mut kernel = Kernel::default();
        kernel.sample(&mut Stuck { plus, minus }, 0.5);
        kernel.usable().count()
    };
    assert_eq!([usable(0.5, -0.5), usable(0.0, -0.5), usable(0.5, 0.0)], [1, 0, 0]);
}

#[test]
fn two_steps_make_a_reading() {
    let noise = Noise { level: 1e-12, ratio: 0.0 };
    assert!(levels(f64::sin, &[0.1]).read(0, noise).is_none());
    let reading = levels(f64::sin, &[0.01, 0.02]).read(0, noise).expect("two steps");
    let error = (reading.central.value - 1.0).abs();
    assert!(error <= reading.central.bound && reading.central.bound < 1e-3, "{reading:?}");
}

/// Three times the step, with noise that grows from a step of its own on, as far as a domain.
struct Growing {
    scale: f64,
    noise: f64,
    /// Where the rounding of the values passes the noise near the state; it grows as the square.
    from: f64,
    domain: f64,
    widest: f64,
}

impl Line for Growing {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.widest = self.widest.max(t.abs());
        (y[0], floor[0]) = (3.0 * t, self.noise * (t / self.from).powi(2));
        (t.abs() <= self.domain).then_some(t)
    }
    fn scale(&self) -> f64 {
        self.scale
    }
    fn roundoff(&self) -> f64 {
        0.5 * f64::EPSILON
    }
    fn magnitude(&self) -> f64 {
        self.scale
    }
}

#[test]
fn a_small_coordinate_takes_wider_steps_against_noise() {
    // The widest step of a coordinate of this scale, in units of the ladder's own.
    let widest = |scale: f64, noise: f64, from: f64, domain: f64, analytic: f64| {
        let top = scale / 32.0;
        let mut line =
            Growing { scale, noise, from: from * top, domain: domain * top, widest: 0.0 };
        let mut kernel = Kernel::default();
        kernel.brief(true);
        let mut estimates = Vec::new();
        let target = wanted(analytic, 1e-9, noise);
        kernel.differentiate(&mut line, 1e-7, &[target], &mut estimates);
        ((line.widest / top).round(), estimates[0].finding)
    };
    let (all, grows) = (f64::INFINITY, 1.0 / 16.0);
    // Sixteen times as wide each time, while that is within a sixteenth of one, or of the scale.
    assert_eq!(widest(0.01, 1e-9, grows, all, 3.0), (16.0, Finding::Undecided));
    assert_eq!(widest(1e-3, 1e-9, grows, all, 3.0), (256.0, Finding::Undecided));
    assert_eq!(widest(0.1, 1e-7, grows, all, 3.0), (16.0, Finding::Undecided));
    assert_eq!(widest(0.2, 1e-7, grows, all, 3.0), (1.0, Finding::Undecided));
    assert_eq!(widest(4.0, 1e-6, grows, all, 3.0), (1.0, Finding::Undecided));
    // As far as there is a value; the step beyond was asked for, and no other.
    assert_eq!(widest(1e-3, 1e-9, grows, 2.0, 3.0), (16.0, Finding::Undecided));
    // Not where the noise of the widest step is far below what leaves it open, nor where nothing
    // is open.
    assert_eq!(widest(0.01, 1e-9, all, all, 3.0), (1.0, Finding::Undecided));
    assert_eq!(widest(0.01, 1e-17, grows, all, 3.0), (0.0, Finding::Agrees));
}

// ---- Readings -------------------------------------------------------------------------------

#[test]
fn a_kink_that_narrow_steps_see_is_half_its_gap() {
    // Half a kink of 0.1 near the state, and curvature: wide steps see nothing of the kink.
    let f = |x: f64| 2.0 * x + if x.abs() < 0.1 { 0.05 * x.abs() } else { 0.25 * x * x };
    let narrow = 1.0 / 64.0;
    let reading = levels(f, &[narrow, 0.5, 1.0]).read(0, SILENT).expect("steps");
    // A smooth forward that has this gap at a half has a part of it further in, and twice that is
    // left to it.
    let smooth = 0.25 * narrow / 0.5;
    close(reading.central.bound, 0.5 * (0.1 - 2.0 * smooth), 1e-12);
    close(reading.central.value, 2.0, 1e-12);
}

#[test]
fn one_sided_slopes_of_wide_steps_are_held_against_narrow_ones() {
    // A slope of 2 near the state and of 2.1 further out, with the same curvature.
    let f = |x: f64| if x.abs() < 2e-3 { 2.0 * x } else { 2.1 * x } + 4.0 * x * x;
    let narrow = 1.0 / 1024.0;
    let of_narrow = 0.03;
    let noise = Noise { level: of_narrow * narrow / CERTAIN, ratio: 0.0 };
    let reading = levels(f, &[narrow, 0.25, 0.5, 1.0]).read(0, noise).expect("steps");
    // Apart by the bias less the narrow one's curvature; noise and curvature are open, twice.
    for (side, apart) in [(reading.right, 0.1 - 4.0 * narrow), (reading.left, 0.1 + 4.0 * narrow)] {
        close(side.value, 2.1, 1e-12);
        close(side.bound, apart - 2.0 * (of_narrow + 4.0 * narrow), 1e-12);
    }
}

#[test]
fn sides_that_meet_are_the_derivative() {
    // No second derivative: central differences converge slowly, either side is a parabola. The
    // sides are apart by less than their noise.
    let step = 1.0 / 16.0;
    let noise = Noise { level: 1e-6, ratio: 0.0 };
    let off = 2e-5;
    let f = move |x: f64| x + x * x.abs() + off * x.abs();
    let reading = levels(f, &[step, 4.0 * step, 16.0 * step]).read(0, noise).expect("steps");
    assert!(!reading.has_gap());
    close(reading.central.value, 1.0, 1e-12);
    close(reading.central.bound, reading.right.bound.max(reading.left.bound) + off, 1e-12);
    assert!(reading.central.bound < 1e-3, "{reading:?}");
    assert_eq!(reading.rounding, reading.central.bound);
}

#[test]
fn the_side_without_the_kink_is_the_better_derivative() {
    let noise = Noise { level: 1e-12, ratio: 0.0 };
    for side in [1.0, -1.0] {
        let f = move |x: f64| 2.0 * x + (side * x - 0.02).max(0.0);
        let steps = [1e-3, 0.01, 0.1, 0.5];
        let reading = levels(f, &steps).read(0, noise).expect("steps");
        let clear = if side > 0.0 { reading.left } else { reading.right };
        assert_eq!((reading.central.value, reading.central.bound), (clear.value, clear.bound));
        // What the narrow steps could not see of the kink, at the least.
        close(reading.rounding, CERTAIN * 1e-12 / 0.01, 1e-10);
        // Curvature is something that they could not see through.
        let curved = move |x: f64| f(x) + 0.125 * x * x;
        let kernel = levels(curved, &steps);
        let mut reading = kernel.read(0, noise).expect("steps");
        let clear = Bounded { value: 2.0, bound: 1e-9 };
        (reading.right, reading.left) = (clear, clear);
        let (_, hidden) = kernel.beside_a_kink(&reading, 0, noise).expect("beside a kink");
        close(hidden, CERTAIN * 1e-12 / 1e-3 + 2.0 * 0.125 * 1e-3, 1e-10);
    }
}

#[test]
fn a_difference_without_a_second_derivative_is_bounded_by_its_change() {
    let kernel = levels(|x: f64| 2.0 * x - 3.0 * x.powi(3), &STEPS);
    let [a, b] = [0, 1].map(|k| &kernel.levels[k]);
    let fine = 3.0 * (STEPS[1].powi(2) - STEPS[0].powi(2));
    // What falls as the step has a third left, four steps further in; twice that.
    close(central(a, Some(b), None, 0, SILENT).bound, 2.0 * fine / 3.0, 1e-12);
}

#[test]
fn noise_may_stand_for_the_change_of_the_narrow_steps() {
    // A cubic falls by less than the steps suggest, but for the noise that is in each.
    let kernel = levels(|x: f64| 2.0 * x - x.powi(3), &STEPS);
    let [a, b, c] = [0, 1, 2].map(|k| &kernel.levels[k]);
    let bound = |rounding: f64| {
        let noise = Noise { level: rounding * STEPS[0] / CERTAIN, ratio: 0.0 };
        central(a, Some(b), Some(c), 0, noise).bound
    };
    close(bound(0.2), 0.2 * 16.0 / 15.0, 1e-9);
}

#[test]
fn the_better_of_two_orders_is_taken() {
    // The widest step is off by so much that the sixth order is worse than the fourth.
    let kernel = at_steps(&[(STEPS[0], 0.0), (STEPS[1], 1e-3), (STEPS[2], 2.0)]);
    let [a, b, c] = [0, 1, 2].map(|k| &kernel.levels[k]);
    let fourth = central(a, Some(b), Some(c), 0, SILENT);
    close(fourth.value, -1e-3 / 15.0, 1e-15);
    close(fourth.bound, 2.0 * 1e-3 / 15.0, 1e-15);
}

// ---- Confirmation ---------------------------------------------------------------------------

#[test]
fn a_brief_kernel_does_not_confirm() {
    let calls = |brief: bool| {
        let mut line = along(f64::sin, 0.7);
        let mut kernel = Kernel::default();
        kernel.brief(brief);
        let mut estimates = Vec::new();
        kernel.differentiate(&mut line, 1e-7, &[wanted(0.9, 2e-7, 1e-16)], &mut estimates);
        assert_eq!(estimates[0].finding, WRONG);
        line.calls
    };
    // The ladder alone is seven pairs and the first.
    assert!(calls(true) <= 2 * 8 && calls(false) > calls(true), "{} {}", calls(true), calls(false));
}

#[test]
fn what_rounding_leaves_open_is_fitted_in_the_end() {
    let noisy = |x: f64| (2.0 * x).sin() + 1e-6 * (random::unit(3, x.to_bits()) - 0.5);
    let slope = 2.0 * 0.6_f64.cos();
    let run = |fits: usize| {
        let mut kernel = Kernel::default();
        kernel.allow_fits(fits);
        let mut estimates = Vec::new();
        let target = wanted(slope, 1e-5, 3e-7);
        kernel.differentiate(&mut along(noisy, 0.3), 1e-7, &[target], &mut estimates);
        (estimates[0].finding, kernel.fits)
    };
    assert_eq!(run(0), (Finding::Undecided, 0));
    let (finding, left) = run(1000);
    assert!(finding == Finding::Agrees && left < 1000, "{finding:?} {left}");
}

#[test]
fn windows_are_in_units_of_the_scale() {
    // Nothing settles white noise: every window is tried.
    let mut line = written(|t: f64| random::unit(7, t.to_bits()), 0.01);
    let mut kernel = Kernel::default();
    kernel.allow_fits(1000);
    let mut estimates = [estimate(f64::NAN, f64::INFINITY, Finding::Undecided)];
    kernel.average(&mut line, &[wanted(1e-3, 1e-9, 0.3)], &mut estimates, &[0.3]);
    let reach = |asked: &[f64]| asked.iter().fold(0.0_f64, |m, t| m.max(t.abs()));
    let reaches: Vec<f64> = line.asked.chunks(fit::POINTS).map(reach).collect();
    assert_eq!(reaches.len(), WINDOWS.len());
    for (reach, width) in reaches.iter().zip(WINDOWS) {
        assert!((0.9..=1.0).contains(&(reach / (0.01 * width))), "{reach} of {width}");
    }
}

#[test]
fn a_confirmation_looks_halfway_and_far_out_and_around_the_steps_it_rests_on() {
    let (narrow, wide) = (1e-4, 1e-2);
    let mut line = written(|t: f64| t.sin(), 1.0);
    let mut kernel = Kernel::default();
    for step in [narrow, 1e-3, wide] {
        kernel.sample(&mut line, step);
    }
    let targets = [wanted(1.1, 1e-6, 1e-16)];
    let mut estimates = [estimate(f64::NAN, f64::INFINITY, Finding::Undecided)];
    kernel.judge(&targets, &mut estimates, true);
    let rests_on = kernel.read(0, targets[0].noise).expect("steps").steps[0];
    line.asked.clear();
    kernel.confirm(&mut line, &targets, &mut estimates, &mut [1e-16]);
    assert_eq!(estimates[0].finding, WRONG);
    // Noise is looked for between the narrowest and the widest step, and at a quarter of that.
    for place in [(narrow * wide).sqrt(), wide / 4.0] {
        let near = line.asked.iter().filter(|t| (1.0..1.006).contains(&(*t / place))).count();
        assert!(near >= 10, "{near} samples at {place}");
    }
    for part in [0.37, 2.7] {
        let there = |t: &&f64| (t.abs() / (part * rests_on) - 1.0).abs() < 1e-9;
        assert_eq!(line.asked.iter().filter(there).count(), 2, "{part} of {rests_on}");
    }
}

#[test]
fn jumps_are_looked_for_where_a_wider_step_tells_another_slope() {
    let height = |f: &dyn Fn(f64) -> f64, at: f64, steps: &[f64], analytic: f64, numeric: f64| {
        let mut kernel = Kernel::default();
        let mut line = along(f, at);
        for &step in steps {
            kernel.sample(&mut line, step);
        }
        let target = wanted(analytic, 1e-6, 1e-13);
        kernel.jump_height(&mut line, 0, &target, numeric)
    };
    let steps = [1e-4, 1e-3, 0.1];
    // A slope of a half, and stairs of so much a twentieth away: at a tenth the slope is more by
    // ten times that.
    let stairs = |height: f64| {
        move |x: f64| 0.5 * x + if x.abs() > 0.05 { height * x.signum() } else { 0.0 }
    };
    // A half is missing; three tenths of it are told, and less is not.
    close(height(&stairs(0.03), 0.0, &steps, 1.0, 0.5), 0.03, 1e-9);
    close(height(&stairs(0.016), 0.0, &steps, 1.0, 0.5), 0.016, 1e-9);
    assert_eq!(height(&stairs(0.014), 0.0, &steps, 1.0, 0.5), 0.0);
    // Where hardly anything moves beside what is missing, stairs may be wider than any step.
    let far = |x: f64| 0.5 * x + if x.abs() > 0.3 { 30.0 * x.signum() } else { 0.0 };
    close(height(&far, 0.0, &steps, 100.0, 0.5), 30.0, 1e-9);
    assert_eq!(height(&far, 0.0, &steps, 40.0, 0.5), 0.0);
    // In units of the scale: to one half of it first, and then to twice as much.
    let two = |x: f64| match x - 8.0 {
        t if t.abs() > 6.0 => 11.0 * t.signum(),
        t if t.abs() > 3.0 => t.signum(),
        _ => 0.0,
    };
    close(height(&two, 8.0, &steps, 1.0, 0.0), 1.0, 1e-9);
}

#[test]
fn steps_do_not_narrow_below_what_the_parameters_can_take() {
    let run = |at: f64| {
        let mut kernel = Kernel::default();
        let mut line = along(move |x: f64| (x - at).abs(), at);
        for step in [1e-4, 1e-3] {
            kernel.sample(&mut line, step);
        }
        let estimates = [estimate(1.0, 1.0, WRONG)];
        kernel.narrow(&mut line, &[wanted(3.0, 1e-6, 0.0)], &estimates);
        kernel.used - 2
    };
    // A unit of rounding of ten thousand millions is a hundredth of the narrowest step.
    assert_eq!((run(1.0), run(1e10)), (4, 0));
}

#[test]
fn a_gap_that_is_the_same_at_any_width_explains_what_wider_steps_say() {
    let agree = |f: fn(f64) -> f64| {
        let kernel = levels(f, &[1e-4, 1e-3, 0.1, 0.4]);
        let target = wanted(1.0, 1e-6, 1e-12);
        let reading = kernel.read(0, target.noise).expect("steps");
        assert!(reading.steps[0] < 0.1, "{reading:?}");
        kernel.wider_ones_agree(0, &target, 0.5)
    };
    // Both come to a slope of one further out; the one has a kink, the other stairs and curvature.
    assert!(!agree(|x| x + 0.7 * x.abs() + 0.02 * x.powi(5)));
    assert!(agree(|x| 0.5 * x + 0.5 * (x * 100.0).round() / 100.0 + 0.01 * x * x));
}

#[test]
fn a_difference_shows_alone_or_extrapolated() {
    let quiet = Noise { level: 1e-12, ratio: 0.0 };
    let twice = |kernel: &Kernel, g: f64| kernel.shows_twice(0, &wanted(g, 1e-6, 1e-12), quiet);
    // The differences are 1 + 100 step^2, all far from each other; extrapolated they are 1.
    let cubic = |x: f64| x + 100.0 * x.powi(3);
    assert!(twice(&levels(cubic, &[0.1, 0.3, 0.9, 2.7]), 1.5));
    // Two that share a sample are not two.
    assert!(!twice(&levels(cubic, &[0.1, 0.3, 0.9]), 1.5));
    // Alone, whatever a step between says.
    assert!(twice(&at_steps(&[(1e-3, 1.0), (1e-2, 3.0), (0.1, 1.0)]), 2.0));
    // A narrower step is at odds with it from half of what is shown.
    let piece =
        |slope: f64| move |x: f64| if x.abs() < 2e-4 { slope * x } else { x + 1e-6 * x.signum() };
    let steps = [1e-4, 1e-2, 0.1, 0.4];
    assert!(twice(&levels(piece(1.04), &steps), 1.1));
    assert!(!twice(&levels(piece(1.06), &steps), 1.1));
}

// ---- Noise ----------------------------------------------------------------------------------

#[test]
fn scatter_is_of_irregular_places_to_the_side_that_is_asked_for() {
    for (start, spacing) in [(0.0, 1e-3), (0.25, -1e-3)] {
        let mut line = written(f64::sin, 1.0);
        scatter(&mut line, start, spacing);
        let places: Vec<f64> = line.asked.iter().map(|t| (t - start) / spacing).collect();
        assert_eq!(places.len(), 10);
        for (k, place) in places.iter().enumerate() {
            // Each in its own slot, half a spacing from the start.
            let slot = place - 0.5 - k as f64;
            assert!((-1e-9..1.0 + 1e-9).contains(&slot), "{k}: {slot}");
        }
        let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.1), "{gaps:?}");
    }
}

/// A line that takes these values one after another, without a rounding of its own.
struct Given {
    values: Vec<f64>,
    at: usize,
}

impl Line for Given {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        (y[0], floor[0]) = (self.values[self.at], 0.0);
        self.at += 1;
        Some(t)
    }
    fn scale(&self) -> f64 {
        1.0
    }
    fn roundoff(&self) -> f64 {
        0.5 * f64::EPSILON
    }
    fn magnitude(&self) -> f64 {
        1.0
    }
}

#[test]
fn half_of_the_samples_must_move() {
    let scattered = |moves: usize| {
        let values = (0..10).map(|k| k.min(moves) as f64).collect();
        scatter(&mut Given { values, at: 0 }, 0.0, 1e-3)[0]
    };
    // Of nine changes.
    assert!(scattered(4).is_none() && scattered(5).is_some());
    // No rounding to compare with: a ratio of one.
    assert_eq!(scattered(5).map(|noise| noise.ratio), Some(1.0));
}

#[test]
fn noise_is_what_a_parabola_leaves_unless_a_few_powers_explain_it() {
    let mut line = written(f64::sin, 1.0);
    scatter(&mut line, 0.0, 1.0);
    let places = line.asked;
    let basis = Basis::powers(&places, 5);
    let level = |values: &[f64]| {
        scatter(&mut Given { values: values.to_vec(), at: 0 }, 0.0, 1.0)[0].expect("it moves").level
    };
    let jagged: Vec<f64> = (0..10).map(|k| random::signed_magnitude(3, k)).collect();
    close(level(&jagged), basis.deviation(2, &jagged), 1e-9);
    // Less than a tenth is left: curvature.
    let curved: Vec<f64> =
        places.iter().zip(&jagged).map(|(t, noise)| t.powi(3) + 1e-3 * noise).collect();
    close(level(&curved), basis.deviation(5, &curved), 1e-9);
    assert!(level(&curved) < 1e-2 * basis.deviation(2, &curved));
    // More than a tenth is left: noise, also where it is small.
    let small: Vec<f64> = jagged.iter().map(|noise| 1e-3 * noise).collect();
    close(level(&small), basis.deviation(2, &small), 1e-12);
}

#[test]
fn a_slope_is_taken_between_two_places() {
    let found = slopes(&mut along(|x: f64| x * x, 0.0), 0.25, 0.5);
    close(found[0], 1.0, 1e-12);
    assert_eq!(slopes(&mut along(|x: f64| x.ln(), 1.0), -1.0, 0.5), [0.0]);
}

#[test]
fn reach_is_in_units_of_the_scale() {
    let rounding = |far: f64| 0.5 * f64::EPSILON * far;
    assert_eq!(reach(&mut along(|x: f64| 1e6 * x.max(4.0), 4.0), 0), rounding(12e6));
}

#[test]
fn narrower_samples_pass_between_kinks() {
    // Kinks at distances that double, from `least` on: alike at every width beyond.
    let kinks = |x: f64, least: f64| -> f64 {
        let places = (0..40).map(|k| least * 2.0_f64.powi(k)).take_while(|place| *place < 1e-4);
        places.flat_map(|place| [(x - place).abs() - place, (x + place).abs() - place]).sum()
    };
    let level = |least: f64, constant: f64| {
        let f = move |x: f64| constant + 3.0 * x + 0.1 * kinks(x, least);
        estimate_noise(&mut along(f, 0.0))[0].level
    };
    // Between the nearest two, at a 64th of the spacing; further in, at a 4096th of it. A large
    // constant hides what goes on as far in as that.
    assert!(level(1e-8, 0.0) < 1e-15, "{:e}", level(1e-8, 0.0));
    assert!(level(1e-8, 1e4) < 1e-11, "{:e}", level(1e-8, 1e4));
    assert!(level(1e-10, 0.0) < 1e-15, "{:e}", level(1e-10, 0.0));
}

// ---- Narrower than the rest -----------------------------------------------------------------

/// Of two values and a rounding: the steps from the narrowest on that could tell them apart, each
/// with its slope, and what is beyond them. What the steps further out rest on is `rests_on`.
struct Closer {
    analytic: f64,
    numeric: f64,
    rounding: f64,
    magnitude: f64,
    rests_on: f64,
}

const ONE_OR_NONE: Closer =
    Closer { analytic: 1.0, numeric: 0.0, rounding: 1e-12, magnitude: 0.0, rests_on: 1e-4 };

impl Closer {
    fn first(&self) -> f64 {
        CLOSER * self.rounding / (self.analytic - self.numeric).abs()
    }
    /// Whether it is refuted where the slopes are these, the last one from there on, and there is
    /// such a jump on each side: where it is, and its height.
    fn refuted(&self, slopes: &[f64], jump: (f64, f64)) -> bool {
        let first = self.first();
        let slope_at = |t: f64| {
            let k = (t.abs() / first).ln() / 1.5_f64.ln();
            slopes[(k.round().max(0.0) as usize).min(slopes.len() - 1)]
        };
        let f = |t: f64| match t == 0.0 {
            true => 0.0,
            false => t * slope_at(t) + t.signum() * jump.1 * step(t.abs() > jump.0),
        };
        let mut kernel = levels(f, &[self.rests_on]);
        kernel.levels[0].floor_plus = vec![0.5 * self.rounding];
        kernel.levels[0].floor_minus = vec![self.rounding];
        let mut line = Written { f, scale: 1.0, magnitude: self.magnitude, asked: Vec::new() };
        let target = wanted(self.analytic, 1e-7, 0.0);
        let found = kernel.is_refuted_closer(&mut line, 0, &target, self.numeric, self.rests_on);
        let least = 64.0 * 0.5 * f64::EPSILON * self.magnitude;
        close(line.asked[0].abs(), first.max(least), 1e-9 * first.max(least));
        found
    }
}

const NO_JUMP: (f64, f64) = (f64::INFINITY, 0.0);

#[test]
fn three_narrow_steps_that_agree_refute_what_wide_ones_say() {
    let of = |slopes: &[f64]| ONE_OR_NONE.refuted(slopes, NO_JUMP);
    assert!(of(&[1.0]));
    // To a fifth of what is missing, one after the other.
    assert!(of(&[0.81, 1.19, 0.81]) && of(&[0.5, 1.0, 1.0, 1.0]));
    assert!(!of(&[0.79]) && !of(&[1.21]));
    assert!(!of(&[1.0, 1.0, 0.5, 1.0, 1.0, 0.5]) && of(&[1.0, 1.0, 0.5, 1.0]));
    // Not where one of them says what the wide ones say.
    assert!(!of(&[1.0, 1.0, 0.19, 1.0]) && of(&[1.0, 1.0, 0.21, 1.0]));
    assert!(!of(&[1.0, 1.0, -0.19, 1.0]) && of(&[1.0, 1.0, -0.21, 1.0]));
    assert!(!of(&[1.0, f64::NAN, 1.0]));
    let two = Closer { numeric: -1.0, ..ONE_OR_NONE };
    assert!(two.refuted(&[0.61], NO_JUMP) && !two.refuted(&[0.59], NO_JUMP));
    assert!(!two.refuted(&[1.0, -0.61, 1.0], NO_JUMP) && two.refuted(&[1.0, -0.59, 1.0], NO_JUMP));
    // A sixteenth of what they rest on is no narrower.
    let third = ONE_OR_NONE.first() * 1.5 * 1.5;
    let within = |times: f64| {
        let closer = Closer { rests_on: times * 16.0 * third, ..ONE_OR_NONE };
        closer.refuted(&[1.0], NO_JUMP)
    };
    assert!(within(1.01) && !within(0.99));
    // Where it stands still no slope is told, unless that is within rounding.
    assert!(!two.refuted(&[0.0, 1.0, 1.0, 1.0], NO_JUMP));
    let faint = |analytic: f64| Closer { analytic, numeric: analytic - 2.0, ..ONE_OR_NONE };
    assert!(faint(0.26).refuted(&[0.0, 0.26, 0.26], NO_JUMP));
    assert!(!faint(0.27).refuted(&[0.0, 0.27, 0.27], NO_JUMP));
    // Nor narrower than the parameter's own rounding.
    assert!(Closer { rounding: 1e-19, magnitude: 1.0, ..ONE_OR_NONE }.refuted(&[1.0], NO_JUMP));
}

#[test]
fn between_stairs_a_slope_is_not_the_forwards() {
    let closer = |magnitude: f64| Closer { magnitude, ..ONE_OR_NONE };
    let of = |magnitude: f64, at: f64, height: f64| closer(magnitude).refuted(&[1.0], (at, height));
    // One that ends where the steps agree; without one the slope has changed.
    assert!(!of(0.0, 1e-6, 3e-6) && of(0.0, 1e-6, 0.0));
    // Where the parameter changes its sign, it need be no stair.
    assert!(!of(1e-5, 4e-6, 3e-5) && of(1e-5, 8e-6, 3e-5));
}

#[test]
fn what_moves_visibly_does_so_beside_its_scatter() {
    let noisy =
        |slope: f64| move |t: f64| slope * t + 1e-9 * random::signed_magnitude(3, t.to_bits());
    let width = 1e-3;
    for slope in [1.0, -1.0] {
        let level =
            scatter(&mut written(noisy(slope), 1.0), 0.0, 0.1 * width)[0].expect("noise").level;
        assert!((1e-10..1e-8).contains(&level), "{level:e}");
        let y = noisy(slope)(width).abs();
        let moves = |times: f64| {
            let mut line = written(noisy(slope), 1.0);
            let found = moves_visibly(&mut line, width, times * y / level);
            assert!(
                line.asked.iter().all(|t| (0.0..=1.001 * width).contains(t)),
                "{:?}",
                line.asked
            );
            found
        };
        assert!(moves(0.99) && !moves(1.01));
    }
    // Nothing is seen beyond the domain, nor of what stands still.
    let ends = |t: f64| if t < 0.999 * width { noisy(1.0)(t) } else { f64::NAN };
    assert!(!moves_visibly(&mut written(ends, 1.0), width, 1.0));
    assert!(!moves_visibly(&mut written(|_| 0.0, 1.0), width, 1.0));
}
