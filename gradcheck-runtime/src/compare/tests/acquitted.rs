//! What a suspect is held against before it is accused: its own rounding, what the forward may do
//! unseen, and what is seen aside.
use super::*;
use crate::case::Case;
use crate::problem::Here;
use crate::settings::Convention;

const HOME: f64 = 1.25;

/// Noise of a gradient, as of roundings: another number for each last bit.
fn rounding(x: f64) -> f64 {
    crate::random::signed_magnitude(9, x.to_bits()) / 1.5
}

/// What is made of a state of one parameter at home, and its evidence with such an analytic
/// derivative.
fn at_home<T>(
    forward: impl Fn(f64) -> f64,
    gradient: impl Fn(f64) -> f64,
    act: impl FnOnce(&mut State<'_>, Evidence, Bench) -> T,
) -> T {
    let mut w = vec![HOME];
    let session = Box::new(Here {
        parameters: &mut w,
        forward: |w: &Vec<f64>| forward(w[0]),
        gradient: |w: &Vec<f64>| vec![gradient(w[0])],
    });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let settings = Settings::new().tolerance(1e-3);
    let unknown = [f64::NAN, f64::INFINITY].map(|value| vec![value].into());
    let evidence = unjudged(&state, &settings, analytic, 0, unknown);
    let bench = bench(&mut state, &settings);
    act(&mut state, evidence, bench)
}

/// The verdict on a suspect whose numeric derivative is said to be this, to this bound.
fn acquitted(
    forward: impl Fn(f64) -> f64,
    gradient: impl Fn(f64) -> f64,
    numeric: f64,
    bound: f64,
    near_kink: bool,
) -> Verdict {
    at_home(forward, gradient, |state, mut evidence, mut bench| {
        let mut suspects = Vec::new();
        let estimate = Estimate { numeric, bound, finding: Finding::Wrong { near_kink } };
        record(&mut evidence, 0, &estimate, &mut suspects);
        acquit(state, &mut evidence, &mut bench, &suspects).expect("it runs everywhere");
        evidence.verdict[0]
    })
}

#[test]
fn the_tolerance_the_bound_and_the_rounding_add_up() {
    // Two and a half, with noise of a hundredth close to it; further away it is right.
    let noisy = |w: f64| match (w - HOME).abs() {
        d if d > 0.0 && d < 1e-9 => 2.0 * w + 1e-2 * rounding(w),
        _ => 2.0 * w,
    };
    let verdict = |off: f64| acquitted(|w| w * w, noisy, 2.5 - off, 0.5, false);
    // A thousandth of the sum, and a half.
    assert_eq!(verdict(0.5), Verdict::Kink);
    assert_eq!(verdict(1.5), Verdict::Wrong);
}

#[test]
fn jumps_that_are_small_beside_the_gradient_excuse_nobody_who_is_wrong_aside() {
    // Of a fifth near the state; further away it is off by a tenth, or right.
    let of = |aside: f64| {
        let gradient = move |w: f64| match (w - HOME).abs() {
            d if d < 1e-9 => 2.0 * w + 0.2 * rounding(w).signum(),
            _ => 2.0 * w + aside,
        };
        acquitted(|w| w * w, gradient, 2.5, 1e-9, false)
    };
    assert_eq!(of(0.1), Verdict::Wrong);
    assert_eq!(of(0.0), Verdict::Kink);
}

#[test]
fn what_is_neither_right_nor_wrong_aside_stays_open() {
    let noisy = |w: f64| (w - HOME).abs() + 1e-2 * rounding(w);
    let gradient = |w: f64| if w == HOME { 5.0 } else { (w - HOME).signum() };
    assert_eq!(acquitted(noisy, gradient, 0.0, 1.0, true), Verdict::Undecided);
    let clear = |w: f64| (w - HOME).abs();
    assert_eq!(acquitted(clear, gradient, 0.0, 1.0, true), Verdict::Kink);
}

#[test]
fn in_single_precision_a_gradient_that_is_half_too_large_is_wrong() {
    let verdict = |slope: f32| {
        let mut w = vec![1.5_f32];
        let session = Box::new(Here {
            parameters: &mut w,
            forward: |w: &Vec<f32>| 2.0 * w[0],
            gradient: move |_: &Vec<f32>| vec![slope],
        });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        let analytic = state.examine("w").expect("a function");
        judge(&mut state, &Settings::new(), analytic, 0, 1).expect("a verdict").verdict[0]
    };
    assert_eq!(verdict(2.0), Verdict::Agrees);
    assert_eq!(verdict(3.0), Verdict::Wrong);
}

#[test]
fn what_stands_still_does_so_beside_what_the_gradient_says() {
    assert!(stands_still(2.0, 1.9e-9) && stands_still(-2.0, -1.9e-9) && stands_still(0.0, 0.0));
    assert!(!stands_still(2.0, 2.1e-9) && !stands_still(0.0, 1e-300));
}

/// What may be missing from a numeric slope of a square, whose own is two and a half, and how many
/// have no other across the stairs, with those `before`.
fn hidden(
    [analytic, numeric]: [f64; 2],
    reach: f64,
    stairs: f64,
    before: usize,
    excused: bool,
) -> (f64, usize) {
    at_home(
        |w| w * w,
        |w| 2.0 * w,
        |state, _, _| {
            let direction = state.noise_direction();
            let mut unseen = Unseen {
                direction: &direction,
                reach: Some(reach),
                noise: 0.0,
                stairs: Some(stairs),
                refuted: before,
            };
            (unseen.slope(state, 0, [analytic, numeric], |_| excused), unseen.refuted)
        },
    )
}

#[test]
fn what_stands_still_may_hide_the_rounding_of_what_moves() {
    let close = |(a, _): (f64, usize), b: f64| {
        assert!((a - b).abs() <= 1e-12 * b, "{a} is not {b}");
    };
    // So many roundings over the parameter's own scale, where nothing moves.
    let still = STILL * 1e-6 / HOME;
    close(hidden([2.5, 0.0], 1e-6, 0.0, 0, false), still);
    assert_eq!(hidden([2.5, 1e-6], 1e-6, 0.0, 0, false).0, 0.0);
    // A stair on either side of the widest step, if they are needed as an excuse.
    let stairs = 2.0 * 1e-3 / (HOME / 32.0);
    close(hidden([2.5, 0.0], 1e-6, 1e-3, 0, true), still);
    close(hidden([2.5, 0.0], 1e-6, 1e-3, REFUTED, false), stairs);
    close(hidden([2.5, 2.5], 1e-6, 1e-3, REFUTED, false), stairs);
    // The larger of both.
    close(hidden([2.5, 0.0], 1e-3, 1e-3, REFUTED, false), STILL * 1e-3 / HOME);
    // Across the stairs it may have the gradient's; where it has another, only so many are asked.
    assert_eq!(hidden([2.5, 2.0], 1e-6, 1e-3, 0, false), (0.5, 0));
    for (before, after) in [(0, 1), (REFUTED - 1, REFUTED), (REFUTED, REFUTED)] {
        assert_eq!(hidden([3.5, 2.0], 1e-6, 1e-3, before, false).1, after);
    }
    assert_eq!(hidden([3.5, 2.0], 1e-6, 1e-3, 0, true).1, 0);
}

#[test]
fn the_rounding_of_what_moves_is_that_of_its_value() {
    let reach = at_home(
        |w| 1e3 + w,
        |_| 1.0,
        |state, _, bench| {
            let direction = state.noise_direction();
            Unseen::of(&direction, &bench).reach(state)
        },
    );
    let rounding = 0.5 * f64::EPSILON * 1e3;
    assert!((rounding..2.0 * rounding).contains(&reach), "{reach:e}");
}

#[test]
fn a_zero_agrees_where_the_forward_is_level() {
    // The square of two, of which the other, open one has no part.
    let settled = |tolerance: f64, analytic: f64, numeric: f64, bound: f64| {
        let mut w = vec![2.0, 3.0];
        let session = Box::new(Here {
            parameters: &mut w,
            forward: |w: &Vec<f64>| w[0] * w[0],
            gradient: move |w: &Vec<f64>| vec![2.0 * w[0], analytic],
        });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        let analytic = state.examine("w").expect("a function");
        let settings = Settings::new().tolerance(tolerance);
        let columns = [vec![4.0, numeric], vec![1e-9, bound]].map(Column::from);
        let mut evidence = unjudged(&state, &settings, analytic, 0, columns);
        evidence.verdict[0] = Verdict::Kink;
        level(&state, &mut evidence);
        assert_eq!(evidence.verdict[0], Verdict::Kink);
        (evidence.verdict[1] == Verdict::Agrees, state.scale_of(1))
    };
    let agrees =
        |analytic: f64, numeric: f64, bound: f64| settled(1e-3, analytic, numeric, bound).0;
    let roundoff = 0.5 * f64::EPSILON;
    // Roundings of the largest component, which is four.
    let zero = 16.0 * roundoff * 4.0;
    assert!(
        agrees(0.0, 0.0, 0.0) && agrees(0.98 * zero, 0.0, 0.0) && agrees(-0.98 * zero, 0.0, 0.0)
    );
    assert!(!agrees(1.02 * zero, 0.0, 0.0) && !agrees(-1.02 * zero, 0.0, 0.0));
    // Of the forward's value over the scale of the parameter; the slope and its bound together.
    let scale = settled(1e-3, 0.0, 0.0, 0.0).1;
    assert!((scale - 1.0).abs() > 0.1, "{scale}");
    let most = STILL * roundoff * 4.0 / scale;
    for (numeric, bound) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.7, 0.3), (-0.2, 0.8)] {
        let with = |times: f64| agrees(0.0, times * most * numeric, times * most * bound);
        assert!(with(0.98) && !with(1.02), "{numeric} {bound}");
    }
    // And of no more than the tolerance of that component.
    let with = |times: f64| settled(1e-15, 0.0, times * 4e-15, 0.0).0;
    assert!(with(0.98) && !with(1.02));
}
