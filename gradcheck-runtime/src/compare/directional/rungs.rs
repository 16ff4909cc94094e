//! The rules by which a slope is judged from its steps, at both sides of their limits: forwards
//! of one parameter that have a given slope, and a given gap between their sides, on each step.
use super::*;
use crate::case::Case;
use crate::problem::Here;
use crate::settings::Convention;

const TAG: u64 = 77;
const COUNT: usize = RUNGS.len();
/// Slope and gap of the steps, widest first.
type Steps = [(f64, f64); COUNT];

/// The widest step and the usual one of a parameter in double precision.
fn widest_and_usual() -> (f64, f64) {
    let roundoff = 0.5 * f64::EPSILON;
    (0.5 * roundoff.powf(0.2), roundoff.cbrt())
}

/// How a slope is to be judged.
#[derive(Clone, Copy)]
struct Asked {
    analytic: f64,
    /// Noise of the widest step's difference.
    noise: f64,
    tolerance: f64,
    /// The step to begin with.
    clear: usize,
}

const OF_THREE: Asked = Asked { analytic: 3.0, noise: 0.0, tolerance: 1e-3, clear: 0 };

/// The slope that is found, without the user's own rounding in its bound, and the step that the
/// next one is to begin with.
fn found(case: Asked, steps: &Steps) -> (Slope, usize) {
    let (slope, search) = searched(case, steps);
    (slope, search.clear)
}

fn searched(case: Asked, steps: &Steps) -> (Slope, Search) {
    let mut slope = None;
    let search = with_steps(case, steps, |search, state, evidence| {
        let mut found = search.slope(state, evidence, 0..1, TAG);
        let reference = 2.0 * case.analytic.abs();
        assert!((found.analytic - case.analytic).abs() <= 1e-15 * case.analytic.abs());
        assert!((found.reference - reference).abs() <= 1e-15 * reference);
        found.bound -= 16.0 * state.primal.roundoff() * reference;
        slope = Some(found);
        std::mem::replace(search, self::search(state, &Settings::new(), 0.0))
    });
    (slope.expect("a slope"), search)
}

/// What comes of a search in a state whose forward has these slopes.
fn with_steps<T>(
    case: Asked,
    steps: &Steps,
    act: impl FnOnce(&mut Search, &mut State<'_>, &Evidence) -> T,
) -> T {
    let entry = entry(TAG, 0);
    let (widest, _) = widest_and_usual();
    let forward = |w: &Vec<f64>| {
        let t = w[0] / entry;
        if t == 0.0 {
            return 0.0;
        }
        let away = |k: &usize| (t.abs() / (widest * RUNGS[*k])).ln().abs();
        let (slope, gap) =
            steps[(0..COUNT).min_by(|a, b| away(a).total_cmp(&away(b))).expect("steps")];
        t * slope + 0.5 * t.abs() * gap
    };
    let gradient = |_: &Vec<f64>| vec![case.analytic / entry];
    let mut w = vec![0.0];
    let session = Box::new(Here { parameters: &mut w, forward, gradient });
    let drawn = Case::new(0, 0);
    let mut state = State::draw(session, &drawn, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let settings = Settings::new().tolerance(case.tolerance);
    let evidence = unmeasured(&state, &settings, analytic);
    let mut search = search(&mut state, &settings, case.noise * widest / 6.0);
    search.clear = case.clear;
    act(&mut search, &mut state, &evidence)
}

/// A gradient of which nothing has been measured.
pub(super) fn unmeasured(state: &State<'_>, settings: &Settings, analytic: Vec<f64>) -> Evidence {
    let analytic = Arc::new(analytic);
    let unknown = [Column::like(&analytic), Column::of_one(f64::INFINITY, analytic.len())];
    unjudged(state, settings, analytic, 0, unknown)
}

pub(super) fn search(state: &mut State<'_>, settings: &Settings, level: f64) -> Search {
    let mut bench = bench(state, settings);
    bench.noise[0] = Noise { level, ratio: 0.0 };
    Search {
        bench,
        scales: state.block_scales(),
        suspects: Vec::new(),
        clear: 0,
        narrowest: 0,
        spent: 0,
        allowed: SEARCH,
        known: Vec::new(),
        is_steady: true,
        curvature: f64::INFINITY,
    }
}

fn close(value: f64, truth: f64) {
    assert!((value - truth).abs() <= 1e-9 * truth.abs().max(1e-6), "{value} is not {truth}");
}

fn is(slope: &Slope, verdict: Verdict, numeric: f64, bound: f64) {
    assert_eq!(slope.verdict, verdict, "{slope:?}");
    close(slope.numeric, numeric);
    close(slope.bound, bound);
}

/// Steps that are off by so much each, with these gaps.
fn off(by: [f64; COUNT], gaps: [f64; COUNT]) -> Steps {
    std::array::from_fn(|k| (3.0 - by[k], gaps[k]))
}

const NO_GAPS: [f64; COUNT] = [0.0; COUNT];

#[test]
fn a_slope_that_agrees_on_a_step_agrees() {
    let (slope, clear) = found(OF_THREE, &off([0.0; COUNT], NO_GAPS));
    is(&slope, Verdict::Agrees, 3.0, 0.0);
    assert_eq!(clear, 0);
    // What is narrower and what is wider may say something else.
    for k in [3, 4, 5, 6] {
        let mut by = std::array::from_fn(|k| {
            0.9 * 3.0_f64.powi(k as i32) * if k % 2 == 0 { 1.0 } else { -1.0 }
        });
        by[k] = 0.0;
        let (slope, _) = found(OF_THREE, &off(by, NO_GAPS));
        is(&slope, Verdict::Agrees, 3.0, 0.0);
    }
    // Its noise may be no more than the tolerance.
    for (analytic, tolerance) in [(1.0, 1e-3), (3.0, 1e-2)] {
        let steps = [(analytic, 0.0); COUNT];
        let with = |noise: f64| {
            let case = Asked { analytic, tolerance, noise, ..OF_THREE };
            found(case, &steps).0.verdict
        };
        let precision = tolerance * 2.0 * analytic;
        assert_eq!(with(0.95 * precision), Verdict::Agrees);
        assert_eq!(with(1.05 * precision), Verdict::Undecided);
    }
    // The user's own rounding is allowed for.
    let large = |by: f64| {
        let case = Asked { analytic: 1e13, ..OF_THREE };
        found(case, &[(1e13 - by, 0.0); COUNT]).0.verdict
    };
    let own = 16.0 * 0.5 * f64::EPSILON * 2e13;
    assert_eq!((large(0.9 * own), large(2.0 * own)), (Verdict::Agrees, Verdict::Wrong));
}

#[test]
fn a_slope_begins_where_the_last_one_was_clear_and_has_three_steps_left() {
    // Wider steps show another slope, all the same; the narrowest shows none.
    let mut by = [1.0; COUNT];
    by[COUNT - 3] = 0.0;
    by[COUNT - 1] = 5.0;
    let steps = off(by, NO_GAPS);
    assert_eq!(found(OF_THREE, &steps).0.verdict, Verdict::Wrong);
    let (slope, _) = found(Asked { clear: COUNT - 1, ..OF_THREE }, &steps);
    is(&slope, Verdict::Agrees, 3.0, 0.0);
}

#[test]
fn two_steps_that_are_off_alike_accuse_plainly() {
    // A twentieth of the difference apart; the rest agrees, should it be asked.
    let plain = |near: f64, gap: f64| {
        let mut by = [0.0; COUNT];
        (by[0], by[1]) = (1.0, near);
        // Of the wider step alone: no smooth forward has it.
        let mut gaps = NO_GAPS;
        gaps[0] = gap;
        found(OF_THREE, &off(by, gaps))
    };
    let small = 1e-4;
    for near in [0.96, 1.04] {
        let (slope, clear) = plain(near, small);
        is(&slope, Verdict::Wrong, 3.0 - near, 0.04);
        assert_eq!(clear, 0);
    }
    for near in [0.94, 1.06] {
        assert_eq!(plain(near, small).0.verdict, Verdict::Agrees, "{near}");
    }
    // A jump of a thousandth of it may be a kink's.
    assert_eq!(plain(1.0, 0.98e-3).0.verdict, Verdict::Wrong);
    assert_eq!(plain(1.0, 1.02e-3).0.verdict, Verdict::Agrees);
    // Twenty times the noise of the narrower step: then nothing hides.
    let with = |noise: f64| {
        let case = Asked { noise, ..OF_THREE };
        found(case, &off([1.0; COUNT], NO_GAPS)).0
    };
    is(&with(0.024), Verdict::Wrong, 2.0, 0.024);
    // Else what hides in both steps' noise is open.
    is(&with(0.026), Verdict::Wrong, 2.0, 0.026 + 3.0 * 0.026);
}

#[test]
fn on_a_smooth_piece_less_is_enough() {
    let steady = |case: Asked, near: f64, gaps: (f64, f64)| {
        let mut by = [0.0; COUNT];
        (by[0], by[1]) = (1.0, near);
        let mut of = NO_GAPS;
        (of[0], of[1]) = gaps;
        found(case, &off(by, of)).0
    };
    is(&steady(OF_THREE, 0.9, (0.0, 0.0)), Verdict::Wrong, 2.1, 0.1);
    // Apart by half of what is left when extrapolated.
    assert_eq!(steady(OF_THREE, 0.71, (0.0, 0.0)).verdict, Verdict::Wrong);
    assert_eq!(steady(OF_THREE, 0.69, (0.0, 0.0)).verdict, Verdict::Agrees);
    // The gap falls with the step, to a tenth; half of what is left over is hidden.
    is(&steady(OF_THREE, 0.9, (0.218, 0.1)), Verdict::Wrong, 2.1, 0.1 + 0.5 * 0.009);
    is(&steady(OF_THREE, 0.9, (0.182, 0.1)), Verdict::Wrong, 2.1, 0.1 + 0.5 * 0.009);
    assert_eq!(steady(OF_THREE, 0.9, (0.224, 0.1)).verdict, Verdict::Agrees);
    assert_eq!(steady(OF_THREE, 0.9, (0.176, 0.1)).verdict, Verdict::Agrees);
    // Beyond the bound of the extrapolated slope, three times the noise of the widest step.
    let with =
        |noise: f64| found(Asked { noise, ..OF_THREE }, &off([1.0; COUNT], NO_GAPS)).0.verdict;
    assert_eq!(with(0.82 / 3.0), Verdict::Wrong);
    assert_ne!(with(0.84 / 3.0), Verdict::Wrong);
}

/// Slopes with a cubic part that is taken out by extrapolation, a bump on the first, and no
/// smoothness in the gaps.
fn cubic(bump: f64) -> Steps {
    let part = 1.2;
    let mut by: [f64; COUNT] = std::array::from_fn(|k| 1.0 - part * RUNGS[k] * RUNGS[k]);
    by[0] -= 3.0 * bump;
    (4..COUNT).for_each(|k| by[k] = 0.0);
    let mut gaps = NO_GAPS;
    (gaps[0], gaps[1]) = (4e-3, 4e-3);
    off(by, gaps)
}

#[test]
fn two_extrapolated_slopes_that_are_off_alike_accuse() {
    let (slope, clear) = found(OF_THREE, &cubic(0.0));
    // What was taken out of the first pair is a third of a quarter of the cubic part, of the
    // second much less; a fiftieth of that is the bound.
    let second = 1.2 * (RUNGS[1].powi(2) - RUNGS[3].powi(2)) / 63.0;
    is(&slope, Verdict::Wrong, 2.0, 0.02 * second);
    assert_eq!(clear, 2);
    // Apart by a tenth and what the bounds of both allow.
    let first = |bump: f64| 0.02 * (1.2 * 0.75 + 3.0 * bump).abs() / 3.0;
    for sign in [1.0, -1.0] {
        let bump = |part: f64| {
            let bump = sign * 0.1;
            bump + sign * part * (first(bump) + 0.02 * second)
        };
        assert_eq!(found(OF_THREE, &cubic(bump(0.5))).0.verdict, Verdict::Wrong, "{sign}");
        assert_eq!(found(OF_THREE, &cubic(bump(2.0))).0.verdict, Verdict::Agrees, "{sign}");
    }
}

/// A kink at the state: the same gap on every step.
fn kink(gap: f64) -> Steps {
    off([1.0; COUNT], [gap; COUNT])
}

#[test]
fn a_gap_that_stays_is_a_kink_at_the_state() {
    is(&found(OF_THREE, &kink(0.3)).0, Verdict::Kink, 2.0, 0.3);
    is(&found(OF_THREE, &kink(1.1e-3)).0, Verdict::Kink, 2.0, 1.1e-3);
    assert_eq!(found(OF_THREE, &kink(0.9e-3)).0.verdict, Verdict::Wrong);
    // It is said at steps below the usual one alone, and of a gap that is the same on two.
    let (widest, usual) = widest_and_usual();
    let first = RUNGS.iter().position(|ratio| widest * ratio < 1.5 * usual).expect("narrow ones");
    assert_eq!(first, 4);
    let mut steps = kink(0.3);
    (0..first - 1).for_each(|k| steps[k].0 = 0.3);
    is(&found(OF_THREE, &steps).0, Verdict::Kink, 2.0, 0.3);
    // Extrapolated from a step four times as wide: a third of what differs is added to it.
    let before = 0.3;
    for (part, verdict) in [(0.14, true), (0.2, false), (-0.11, true), (-0.15, false)] {
        let mut steps = kink(before);
        steps[first].1 = before * (1.0 + part);
        (first + 1..COUNT).for_each(|k| steps[k].0 = 3.0);
        let (slope, _) = found(OF_THREE, &steps);
        assert_eq!(slope.verdict == Verdict::Kink, verdict, "{part}: {slope:?}");
        if verdict {
            close(slope.bound, before * (1.0 + 4.0 / 3.0 * part));
        }
    }
    // Four times what is not known of it.
    let noise_there = |noise: f64| noise / RUNGS[first];
    let unsure = 2.0 * (4.0 + 0.25) / 3.0;
    for (times, verdict) in [(4.1, true), (3.9, false)] {
        let noise = 0.3 / (times * unsure) * RUNGS[first];
        assert!(noise_there(noise) < 1.0);
        let (slope, _) = found(Asked { noise, ..OF_THREE }, &kink(0.3));
        assert_eq!(slope.verdict == Verdict::Kink, verdict, "{times}: {slope:?}");
    }
}

#[test]
fn in_the_end_the_narrow_steps_must_persist() {
    // Nothing is steady, nothing the same twice, and no jump stays.
    let ended = |narrow: [f64; 3], gaps: [f64; COUNT]| {
        let by = [-3.5, 4.0, 0.5, 2.0, narrow[0], narrow[1], narrow[2]];
        found(OF_THREE, &off(by, gaps)).0
    };
    let small = [4e-4; COUNT];
    // Apart by no more than half of the largest: the first of them, off by as much as they are
    // apart.
    is(&ended([1.0, 0.7, 1.3], small), Verdict::Wrong, 2.0, 0.6);
    is(&ended([-1.0, -0.7, -1.3], small), Verdict::Wrong, 4.0, 0.6);
    assert_eq!(ended([1.0, 0.64, 1.3], small).verdict, Verdict::Undecided);
    assert_eq!(ended([-1.0, -0.64, -1.3], small).verdict, Verdict::Undecided);
    assert_eq!(ended([1.0, -0.7, 1.3], small).verdict, Verdict::Undecided);
    // With jumps of more than a thousandth, the same on no two steps, it may be a kink.
    let growing = [2e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3];
    assert_eq!(ended([1.0, 0.7, 1.3], growing).verdict, Verdict::Kink);
}

#[test]
fn what_two_steps_apart_in_their_noise_say_is_that_of_the_wider() {
    let mut by = [1.0; COUNT];
    by[1] = 0.96;
    let (slope, _) = found(Asked { noise: 0.02, ..OF_THREE }, &off(by, NO_GAPS));
    is(&slope, Verdict::Wrong, 2.0, 0.02);
}

#[test]
fn gaps_that_do_not_fall_with_the_step_are_noise() {
    // Times the step, the gap is to fall by more than four tenths.
    let steady = |second: f64, noise: f64| {
        let mut gaps = [second; COUNT];
        gaps[0] = 1.0;
        let (slope, search) = searched(Asked { noise, ..OF_THREE }, &off([0.5; COUNT], gaps));
        (search.is_steady, slope.verdict)
    };
    assert!(steady(1.18, 0.0).0 && !steady(1.22, 0.0).0 && !steady(-1.22, 0.0).0);
    // And to be more than twice the noise.
    assert!(steady(1.3, 0.33).0 && !steady(1.3, 0.32).0);
    // It is in the bound of what follows: half a difference within it is none.
    let loud = |k: usize| 1.0 / RUNGS[k];
    let (slope, _) = found(OF_THREE, &off([0.5; COUNT], std::array::from_fn(loud)));
    assert_eq!(slope.verdict, Verdict::Undecided);
    assert!(slope.bound >= loud(1), "{slope:?}");
    // A gap that falls with the square of the step is that of a smooth forward, whatever a wide
    // step had shown.
    let then = |third: f64| {
        let mut gaps = [0.2 / 8.0 * third; COUNT];
        (gaps[0], gaps[1]) = (0.1, 0.2);
        // Three steps, if it is not noise that they show.
        searched(OF_THREE, &off([2.5, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0], gaps)).1.spent == 2 * 3
    };
    assert_eq!([1.04, 0.96, 1.06, 0.94].map(then), [true, true, false, false]);
}

#[test]
fn the_least_curvature_seen_is_kept() {
    let mut gaps = NO_GAPS;
    gaps[0] = 0.25;
    let case = Asked { noise: 1e-3, ..OF_THREE };
    let (_, search) = searched(case, &off([0.0; COUNT], gaps));
    close(search.curvature, (0.25 + 2e-3) / widest_and_usual().0);
}

#[test]
fn a_wide_bound_agrees_for_want_of_a_better_one() {
    // What is extrapolated by so much has a fiftieth of it for a bound.
    let loose = |first: f64, later: f64, tolerance: f64| {
        let mut by = [0.0; COUNT];
        // Off by three quarters of that.
        by[1] = first * (1.0 + 0.015);
        by[0] = by[1] + 3.0 * first;
        by[4] = later * (1.0 + 0.015);
        by[3] = by[4] + 15.0 * later;
        (by[5], by[6]) = (-60.0, 90.0);
        found(Asked { tolerance, ..OF_THREE }, &off(by, NO_GAPS)).0
    };
    for (first, later) in [(0.1, 0.05), (0.05, 0.1)] {
        let slope = loose(first, later, 1e-3);
        assert_eq!(slope.verdict, Verdict::Agrees, "{slope:?}");
        close(slope.bound, 0.02 * 0.05);
        assert_eq!(loose(first, later, 1e-4).verdict, Verdict::Undecided);
    }
}

#[test]
fn nothing_agrees_with_nothing() {
    let of = |slope: f64, noise: f64, analytic: f64| {
        let case = Asked { analytic, noise, ..OF_THREE };
        found(case, &[(slope, 0.0); COUNT]).0
    };
    is(&of(0.0, 1e-8, 0.0), Verdict::Agrees, 0.0, 1e-8);
    // A slope within its noise is not nothing.
    assert_eq!(of(1e-9, 1e-8, 0.0).verdict, Verdict::Undecided);
    // A forward that stands still says nothing of a slope.
    let still = of(0.0, 1e-8, 3.0);
    assert_eq!(
        (still.verdict, still.numeric, still.bound),
        (Verdict::Undecided, 0.0, f64::INFINITY)
    );
    // One side alone that stands still is a kink.
    let one_sided = found(OF_THREE, &[(0.75, 1.5); COUNT]).0;
    is(&one_sided, Verdict::Kink, 0.75, 1.5);
}

#[test]
fn one_step_alone_says_nothing() {
    let inside = |steps: &[usize]| {
        let all = std::array::from_fn(|k| (if steps.contains(&k) { 2.0 } else { f64::NAN }, 0.0));
        found(OF_THREE, &all).0
    };
    let one = inside(&[4]);
    assert!(one.verdict == Verdict::Undecided && one.numeric.is_nan(), "{one:?}");
    // Two that are no neighbours, and say the same.
    is(&inside(&[3, 5]), Verdict::Wrong, 2.0, 0.0);
    is(&inside(&[4, 5]), Verdict::Wrong, 2.0, 0.0);
}

#[test]
fn what_is_off_at_some_steps_alone_is_excused() {
    // A slope of 3 that was measured as 2, at these steps.
    let excused = |asked: Asked, measured: f64, steps: &Steps| {
        with_steps(asked, steps, |search, state, evidence| {
            let slope = Slope {
                range: 0..1,
                tag: TAG,
                scale: 1.0,
                analytic: asked.analytic,
                numeric: measured,
                bound: 0.0,
                reference: 2.0 * asked.analytic,
                verdict: Verdict::Wrong,
            };
            search.excused(state, evidence, &slope).map(|slope| {
                let own = 16.0 * state.primal.roundoff() * slope.reference;
                (slope.verdict, slope.numeric, slope.bound - own)
            })
        })
    };
    let at = |k: usize, by: f64, others: f64| {
        let mut all = [others; COUNT];
        all[k] = by;
        off(all, NO_GAPS)
    };
    let agrees = |found: Option<(Verdict, f64, f64)>, numeric: f64, bound: f64| {
        let (verdict, slope, of) = found.expect("excused");
        assert_eq!(verdict, Verdict::Agrees);
        close(slope, numeric);
        close(of, bound);
    };
    let open = |found: Option<(Verdict, f64, f64)>| {
        let (verdict, _, bound) = found.expect("excused");
        assert_eq!(verdict, Verdict::Undecided);
        close(bound, 1.0);
    };
    assert!(excused(OF_THREE, 2.0, &off([1.0; COUNT], NO_GAPS)).is_none());
    // At one step it agrees, to the tolerance: then it does.
    let noise = 1e-5;
    let quiet = Asked { noise, ..OF_THREE };
    for (k, ratio) in RUNGS.iter().enumerate().take(COUNT - 3) {
        agrees(excused(quiet, 2.0, &at(k, 0.0, 1.0)), 3.0, noise / ratio);
        agrees(excused(quiet, 4.0, &at(k, 0.0, -1.0)), 3.0, noise / ratio);
    }
    open(excused(Asked { tolerance: 1e-6, ..quiet }, 2.0, &at(0, 0.0, 1.0)));
    // Off by less than half as much, it is open; by more, it stays.
    open(excused(quiet, 2.0, &at(3, 0.49, 1.0)));
    open(excused(quiet, 2.0, &at(3, -0.49, 1.0)));
    assert!(excused(quiet, 2.0, &at(3, 0.51, 1.0)).is_none());
    assert!(excused(quiet, 2.0, &at(3, -0.51, 1.0)).is_none());
    assert!(excused(quiet, -1.0, &at(3, 1.9, 4.0)).is_some());
    assert!(excused(quiet, -1.0, &at(3, 2.1, 4.0)).is_none());
    // Noise of half as much tells nothing, nor does a forward that stands still.
    let loud = |noise: f64| Asked { noise, tolerance: 0.1, ..OF_THREE };
    agrees(excused(loud(0.49), 2.0, &at(0, 0.0, 1.0)), 3.0, 0.49);
    assert!(excused(loud(0.51), 2.0, &at(0, 0.0, 1.0)).is_none());
    let still = Asked { analytic: 0.3, ..OF_THREE };
    let mut steps = [(1.3, 0.0); COUNT];
    steps[3].0 = 0.0;
    assert!(excused(still, 1.3, &steps).is_none());
    // Of two that agree the better known.
    let mut by = [1.0; COUNT];
    (by[2], by[4]) = (0.0, 1e-5);
    agrees(excused(quiet, 2.0, &off(by, NO_GAPS)), 3.0, noise / RUNGS[2]);
    (by[2], by[4]) = (1e-3, 0.0);
    agrees(excused(quiet, 2.0, &off(by, NO_GAPS)), 3.0, noise / RUNGS[4]);
}

/// Slopes in units of the gradient's own rounding, off by so much: with a cubic part that is taken
/// out by extrapolation, and a bump of that which is taken out of the first two.
fn rounded(noise: f64, by: f64, cubic: f64, bump: f64) -> (Verdict, f64) {
    let analytic = 1e13;
    let own = 16.0 * 0.5 * f64::EPSILON * 2.0 * analytic;
    let mut off = RUNGS.map(|ratio| by - cubic * ratio * ratio);
    off[0] -= 3.0 * bump;
    let steps = off.map(|off| (analytic - off * own, 0.0));
    let slope = found(Asked { analytic, noise: noise * own, ..OF_THREE }, &steps).0;
    (slope.verdict, slope.bound / own)
}

#[test]
fn the_rounding_of_the_gradient_is_in_the_way_as_noise_is() {
    // Twenty times both: then nothing hides in the noise of the two steps.
    let (verdict, bound) = rounded(1.0, 80.0, 0.0, 0.0);
    assert!(verdict == Verdict::Wrong && (bound - 1.0).abs() < 0.2, "{bound}");
    let (verdict, bound) = rounded(1.0, 40.0, 0.0, 0.0);
    assert!(verdict == Verdict::Wrong && (bound - 4.0).abs() < 0.2, "{bound}");
    // On a smooth piece, a fifth more than both.
    assert_eq!(rounded(1.0, 5.2, 0.0, 0.0).0, Verdict::Wrong);
    assert_eq!(rounded(1.0, 4.4, 0.0, 0.0).0, Verdict::Agrees);
    // By two that are extrapolated, twice both.
    let twice = |by: f64, bump: f64| rounded(0.05, by, 8.0 * by, bump).0;
    assert_eq!(twice(4.0, 0.0), Verdict::Wrong);
    assert_eq!(twice(3.0, 0.0), Verdict::Agrees);
    // They may differ by a tenth, and by the bounds of both.
    assert_eq!(twice(5.0, 1.4), Verdict::Wrong);
    assert_eq!(twice(5.0, 2.0), Verdict::Agrees);
}

#[test]
fn a_bound_like_that_of_a_plain_difference_is_enough() {
    let (widest, usual) = widest_and_usual();
    let noise = 1e-6;
    let plain = noise * widest / usual;
    // What is extrapolated by so much has a fiftieth of it for a bound.
    let spent = |part: f64| {
        let mut by = [0.0; COUNT];
        let taken_out = part * 4.0 * plain / 0.02;
        by[1] = taken_out;
        by[0] = by[1] + 3.0 * taken_out;
        let (slope, search) = searched(Asked { noise, ..OF_THREE }, &off(by, NO_GAPS));
        assert_eq!(slope.verdict, Verdict::Agrees);
        (search.spent / 2, search.clear)
    };
    // It took the wider step as well.
    assert_eq!(spent(0.9), (2, 0));
    assert!(spent(1.1).0 > 2);
}

#[test]
fn where_two_steps_are_off_alike_by_extrapolation_alone_their_bound_is_said() {
    // Apart by more than a twentieth, with gaps that are not smooth.
    let by = [0.91, 1.0, 0.0, 0.94, 0.0, 0.0, 0.0];
    let mut gaps = NO_GAPS;
    (gaps[0], gaps[1]) = (4e-3, 4e-3);
    let (first, taken_out) = (1.0 + 0.09 / 3.0, 0.06 / 63.0);
    let second = 0.94 - taken_out;
    let (slope, _) = found(OF_THREE, &off(by, gaps));
    is(&slope, Verdict::Wrong, 3.0 - second, first - second + 0.02 * taken_out);
}

#[test]
fn a_kink_is_said_of_a_jump_beside_what_the_slope_is_off_by() {
    // No two steps say the same; at the first narrow one the slope is off by five.
    let by = [-9.0, 12.0, 0.0, -11.0, 4.0, -7.0, 9.0];
    let with = |gap: f64| found(OF_THREE, &off(by, [gap; COUNT])).0.verdict;
    assert_eq!(with(5.2e-3), Verdict::Kink);
    assert_eq!(with(4.8e-3), Verdict::Undecided);
    // In the end too: all narrow steps are off by some six, apart by less than half.
    let growing = [2e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3];
    let by = [-21.0, 24.0, 3.0, 12.0, 6.0, 4.2, 7.8];
    assert_eq!(found(OF_THREE, &off(by, growing)).0.verdict, Verdict::Wrong);
    assert_eq!(found(OF_THREE, &off(by, growing.map(|g| 2.0 * g))).0.verdict, Verdict::Kink);
}

#[test]
fn a_jump_within_the_noise_is_none() {
    let mut steps = off([-3.5, 4.0, 0.0, 0.7, 0.0, 1.3, 0.66], NO_GAPS);
    // Outside the domain, so that the next step has no neighbour.
    steps[4].0 = f64::NAN;
    (steps[5].1, steps[6].1) = (0.07, 0.15);
    let verdict = |noise: f64| found(Asked { noise, ..OF_THREE }, &steps).0.verdict;
    assert_eq!(verdict(1e-4), Verdict::Wrong);
    // The same jump, beside less noise.
    assert_eq!(verdict(1e-6), Verdict::Kink);
}

#[test]
fn where_narrow_steps_stand_still_the_wide_ones_say_nothing() {
    let mut steps = [(0.0, 0.0); COUNT];
    (steps[0].0, steps[1].0) = (6.5, -1.0);
    let slope = found(OF_THREE, &steps).0;
    assert_eq!((slope.verdict, slope.numeric), (Verdict::Undecided, 0.0));
    assert_eq!(slope.bound, f64::INFINITY);
}

#[test]
fn what_is_not_known_of_an_error_is_in_the_bound_of_a_slope() {
    with_steps(OF_THREE, &[(3.0, 0.0); COUNT], |search, state, evidence| {
        search.known = vec![Known { component: 0, error: 0.0, bound: 0.5 }];
        let slope = search.slope(state, evidence, 0..1, TAG);
        assert_eq!(slope.verdict, Verdict::Agrees);
        close(slope.bound, 0.5 * entry(TAG, 0).abs());
    });
}
