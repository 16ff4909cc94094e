//! The parts that a search for wrong components is made of, each by itself.
use super::rungs::{search, unmeasured};
use super::*;
use crate::case::Case;
use crate::flatten::FlattenMut;
use crate::problem::Here;
use crate::settings::{Convention, Method};

const TAG: u64 = 41;

fn close(value: f64, truth: f64, within: f64) {
    assert!((value - truth).abs() <= within * truth.abs(), "{value} is not {truth}");
}

fn gauged(off: f64, bound: f64) -> Gauged {
    Gauged { off, bound }
}

#[test]
fn off_is_beyond_the_bound() {
    assert!(!gauged(0.5, 0.5).is_off() && !gauged(-0.5, 0.5).is_off());
    assert!(gauged(0.75, 0.5).is_off() && gauged(-0.75, 0.5).is_off());
}

#[test]
fn a_kink_is_off_along_one_direction() {
    let one = |a: Gauged, b: Gauged| {
        let either = [[a, b], [b, a]];
        either.map(|by| Off { range: 0..9, by }.is_of_one_direction())
    };
    // Ten times both bounds, beside one that is not off at all.
    let quiet = gauged(0.25, 0.25);
    assert_eq!(one(gauged(4.0, 0.125), quiet), [true; 2]);
    assert_eq!(one(gauged(-4.0, 0.125), quiet), [true; 2]);
    assert_eq!(one(gauged(3.75, 0.125), quiet), [false; 2]);
    assert_eq!(one(gauged(4.0, 0.125), gauged(0.5, 0.25)), [false; 2]);
    assert_eq!(one(quiet, quiet), [false; 2]);
}

/// Parameters of a forward, its gradient as the user has it, and what a search does with them.
fn with<P, T>(
    mut w: P,
    forward: impl Fn(&P) -> f64,
    gradient: impl Fn(&P) -> P,
    noise: f64,
    act: impl FnOnce(&mut Search, &mut State<'_>, &mut Evidence) -> T,
) -> T
where
    P: FlattenMut + crate::probe::Outcome,
{
    let session = Box::new(Here { parameters: &mut w, forward, gradient });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let settings = Settings::new().tolerance(1e-3);
    let mut evidence = unmeasured(&state, &settings, analytic);
    let level = noise * usual_step(&state) / 6.0;
    let mut search = search(&mut state, &settings, level);
    act(&mut search, &mut state, &mut evidence)
}

/// `3 w` of each, its gradient off by `error` at one of ten; twos.
fn lines<T>(
    error: f64,
    at: usize,
    noise: f64,
    act: impl FnOnce(&mut Search, &mut State<'_>, &mut Evidence) -> T,
) -> T {
    let forward = |w: &Vec<f64>| w.iter().map(|w| 3.0 * (w - 2.0)).sum::<f64>();
    let gradient = move |w: &Vec<f64>| {
        (0..w.len()).map(|i| 3.0 + if i == at { error } else { 0.0 }).collect::<Vec<f64>>()
    };
    with(vec![2.0; 10], forward, gradient, noise, act)
}

/// Entry of the direction, in units of the block's scale of two.
fn step_of(i: usize) -> f64 {
    2.0 * entry(TAG, i)
}

#[test]
fn what_is_known_is_taken_from_a_slope() {
    lines(0.5, 4, 0.0, |search, state, evidence| {
        let ray = Ray::random(TAG, &search.scales, 2..7);
        let plain: f64 = (2..7).map(|i| evidence.analytic[i] * step_of(i)).sum();
        let size = (2..7).map(|i| (evidence.analytic[i] * step_of(i)).powi(2)).sum::<f64>().sqrt();
        let (slope, open, length) = search.product(state, evidence, &ray);
        close(slope, plain, 1e-12);
        close(length, size, 1e-12);
        assert_eq!(open, 0.0);
        let known = |component, error, bound| Known { component, error, bound };
        search.known = vec![known(4, 0.5, 0.25), known(6, -1.5, 0.125), known(9, 100.0, 100.0)];
        let (slope, open, _) = search.product(state, evidence, &ray);
        close(slope, plain - 0.5 * step_of(4) + 1.5 * step_of(6), 1e-12);
        close(open, (0.25 * step_of(4)).hypot(0.125 * step_of(6)), 1e-12);
    });
}

#[test]
fn a_part_is_measured_at_the_usual_step_or_a_wide_one() {
    // Where along the direction values were asked for, and what came of it.
    let part = |clear: usize, faint: bool| {
        let asked = std::cell::RefCell::new(Vec::new());
        let forward = |w: &Vec<f64>| {
            let t = (w[0] - 2.0) / step_of(0);
            asked.borrow_mut().push(t);
            3.0 * t + 1e6 * t.powi(3)
        };
        let gradient = |_: &Vec<f64>| vec![4.0 / step_of(0)];
        let gauged = with(vec![2.0], forward, gradient, 1e-3, |search, state, evidence| {
            search.clear = clear;
            search.known = vec![Known { component: 0, error: 0.0, bound: 0.5 }];
            asked.borrow_mut().clear();
            search.part(state, evidence, 0..1, TAG, faint).expect("it is finite")
        });
        let asked: Vec<f64> = asked.borrow().iter().copied().filter(|t| *t > 0.0).collect();
        (gauged, asked)
    };
    let roundoff = 0.5 * f64::EPSILON;
    let (widest, usual) = (0.5 * roundoff.powf(0.2), roundoff.cbrt());
    let open = 0.5 * step_of(0).abs();
    let at = |asked: &[f64], steps: &[f64]| {
        assert_eq!(asked.len(), steps.len(), "{asked:?}");
        asked.iter().zip(steps).for_each(|(a, step)| close(*a, *step, 1e-9));
    };
    let (usually, asked) = part(3, false);
    at(&asked, &[usual]);
    close(usually.off, 1.0 - 1e6 * usual * usual, 1e-9);
    close(usually.bound, 1e-3 + open, 1e-9);
    // A faint one on the widest steps that are clear: extrapolated, without its cubic part.
    for clear in [0, 1] {
        let (faint, asked) = part(clear, true);
        at(&asked, &[0.5 * widest, 0.25 * widest]);
        close(faint.off, 1.0, 1e-6);
        let noise = |step: f64| 1e-3 * usual / step;
        let rounding = (4.0 * noise(0.25 * widest) + noise(0.5 * widest)) / 3.0;
        let correction = 1e6 * widest * widest * (0.25 - 0.0625) / 3.0;
        close(faint.bound, rounding + 0.02 * correction + open, 1e-9);
    }
    let (faint, asked) = part(3, true);
    at(&asked, &[widest * RUNGS[3]]);
    close(faint.off, 1.0 - 1e6 * asked[0] * asked[0], 1e-6);
}

#[test]
fn a_kink_within_a_part_is_left_behind_or_in_its_bound() {
    // A kink at the state, whose gap is 0.3.
    let part = |noise: f64, curvature: f64, faint: bool| {
        let steps = std::cell::Cell::new(0);
        let forward = |w: &Vec<f64>| {
            steps.set(steps.get() + 1);
            let t = (w[0] - 2.0) / step_of(0);
            3.0 * t + 0.15 * t.abs()
        };
        let gradient = |_: &Vec<f64>| vec![4.0 / step_of(0)];
        with(vec![2.0], forward, gradient, noise, |search, state, evidence| {
            (search.curvature, search.clear) = (curvature, 3);
            steps.set(0);
            let gauged = search.part(state, evidence, 0..1, TAG, faint).expect("it is finite");
            (steps.get() / 2, gauged.bound)
        })
    };
    let usual = (0.5 * f64::EPSILON).cbrt();
    // At a 256th of the step, below a hundredth, half the gap is what it may shift by.
    let (steps, bound) = part(1e-9, 0.0, false);
    assert_eq!(steps, 3);
    close(bound, 0.15 + 256e-9, 1e-8);
    let (steps, bound) = part(1e-9, 0.0, true);
    assert_eq!(steps, 1);
    assert!(bound > 0.15 && bound < 0.16, "{bound}");
    // Thirty times the curvature over the step, or four times the noise, and it is none.
    assert_eq!(part(1e-9, 0.31 / 30.0 / usual, false).0, 1);
    assert_eq!(part(1e-9, 0.29 / 30.0 / usual, false).0, 3);
    assert_eq!(part(0.076, 0.0, false).0, 1);
    assert_eq!(part(0.074, 0.0, false).0, 2);
    assert_eq!(part(0.04, 0.15 / 30.0 / usual, false).0, 1);
}

#[test]
fn a_slope_that_is_known_to_few_digits_is_measured_again() {
    lines(0.5, 4, 1e-6, |search, state, evidence| {
        search.curvature = 0.0;
        let seen = |bound: f64| Slope {
            range: 0..10,
            tag: TAG,
            scale: 2.0,
            analytic: 7.0,
            numeric: 5.0,
            bound,
            reference: 1.0,
            verdict: Verdict::Wrong,
        };
        let mut sharp = |bound: f64| {
            let gauged = search.sharp(state, evidence, &seen(bound), false);
            (gauged.off, gauged.bound)
        };
        // Five digits are enough.
        assert_eq!(sharp(1.9e-5), (2.0, 1.9e-5));
        let (off, bound) = sharp(2.1e-5);
        close(off, 0.5 * step_of(4), 1e-5);
        close(bound, 1e-6, 1e-6);
        assert!(sharp(f64::NAN).1 < 2e-6);
        // The one that is known better.
        let mut worse = seen(1e-7);
        worse.numeric = 6.999;
        let gauged = search.sharp(state, evidence, &worse, false);
        assert_eq!(gauged.bound, 1e-7);
    });
}

#[test]
fn one_component_alone_has_the_ratio_of_its_entries() {
    lines(0.0, 0, 0.0, |search, _, _| {
        let tags = [TAG, TAG + 1];
        let entries = |i: usize| tags.map(|tag| entry(tag, i));
        let of = |i: usize, error: f64, moved: [f64; 2], bound: f64| {
            let [a, b] = entries(i);
            Off {
                range: 0..10,
                by: [gauged(error * a + moved[0], bound), gauged(error * b + moved[1], bound)],
            }
        };
        for i in [0, 3, 9] {
            assert_eq!(search.alone(&of(i, 0.5, [0.0; 2], 1e-9), tags), Some(i));
            // As far as the slopes are known.
            let bound = 1e-4;
            let [a, b] = entries(i);
            let open = bound * (a.abs() + b.abs());
            for sign in [1.0, -1.0] {
                let by = |part: f64| [sign * part * open / b.abs(), 0.0];
                assert_eq!(search.alone(&of(i, 0.5, by(0.9), bound), tags), Some(i));
                assert_eq!(search.alone(&of(i, 0.5, by(1.2), bound), tags), None);
                // Or to a millionth.
                let by = |part: f64| [sign * part * 1e-6 * 0.5 * a, 0.0];
                assert_eq!(search.alone(&of(i, 0.5, by(0.9), 0.0), tags), Some(i));
                assert_eq!(search.alone(&of(i, 0.5, by(1.2), 0.0), tags), None);
            }
        }
        // Of the second slope alone: by as much as the first direction has of it.
        for i in 0..10 {
            let [a, b] = entries(i);
            let by = |part: f64| {
                let second = gauged(0.5 * b + part * 1e-4, 1e-4);
                Off { range: i..i + 2, by: [gauged(0.5 * a, 0.0), second] }
            };
            assert_eq!(search.alone(&by(0.95), tags), Some(i));
            assert_eq!(search.alone(&by(1.05), tags), None);
        }
        // Where many would fit, none is said; nor one that has a name already.
        assert_eq!(search.alone(&of(3, 0.5, [0.0; 2], 10.0), tags), None);
        search.known = vec![Known { component: 3, error: 0.5, bound: 0.0 }];
        assert_eq!(search.alone(&of(3, 0.5, [0.0; 2], 1e-9), tags), None);
        // The last one of its set.
        let last = Off { range: 7..8, by: [gauged(1.0, 0.0), gauged(-5.0, 0.0)] };
        assert_eq!(search.alone(&last, tags), Some(7));
    });
}

#[test]
fn a_component_is_measured_briefly_where_two_steps_say_the_same() {
    let noise = 1e-6;
    let measured = |error: f64, faint: bool, set: &dyn Fn(&mut Search)| {
        lines(error, 4, noise, |search, state, evidence| {
            set(search);
            let found = search.measure(state, evidence, 4, TAG, faint);
            let known =
                search.known.first().map(|known| (known.component, known.error, known.bound));
            (found, known, search.spent, evidence.verdict[4])
        })
    };
    let plain = |_: &mut Search| {};
    let (found, known, spent, verdict) = measured(0.5, false, &plain);
    close(found.expect("it is off"), 0.5, 1e-6);
    assert_eq!((spent, verdict), (3, Verdict::Wrong));
    let (component, error, bound) = known.expect("it has a name");
    assert_eq!(component, 4);
    close(error, 0.5, 1e-6);
    close(bound, noise / step_of(4).abs() + 1e-7 * 0.5, 1e-6);
    // Within the noise of the step it is not off, unless so little is looked for.
    let hidden = noise / step_of(4).abs();
    assert_eq!(measured(0.9 * hidden, false, &plain).0, None);
    assert_eq!(measured(0.9 * hidden, false, &plain).2, 2);
    assert!(measured(1.1 * hidden, false, &plain).2 > 2);
    assert!(measured(0.9 * hidden, true, &plain).2 > 2);
    // A forward that is not plain is measured in full.
    for set in [(|search: &mut Search| search.is_steady = false) as fn(&mut Search), |search| {
        search.bench.noise[0].ratio = 1.1 * INNER
    }] {
        let (found, _, spent, verdict) = measured(0.5, false, &set);
        assert!(found.is_some() && spent > 3, "{spent}");
        assert_eq!(verdict, Verdict::Wrong);
    }
    assert_eq!(measured(0.5, false, &|search| search.bench.noise[0].ratio = INNER).2, 3);
    // One that is right has no name, however it was measured.
    let (found, known, ..) = measured(0.0, true, &|search| search.is_steady = false);
    assert_eq!((found, known), (None, None));
}

#[test]
fn single_precision_is_not_plain() {
    let forward = |w: &Vec<f32>| f64::from(w[0]);
    with(
        vec![2.0_f32],
        forward,
        |_| vec![1.0_f32],
        0.0,
        |search, state, _| {
            assert!(!search.is_plain(state));
        },
    );
    let forward = |w: &Vec<f64>| w[0];
    with(
        vec![2.0],
        forward,
        |_| vec![1.0],
        0.0,
        |search, state, _| {
            assert!(search.is_plain(state));
        },
    );
}

#[test]
fn a_second_step_must_say_the_same() {
    // A slope of three with so much of a square and a cube, in units of the first step.
    let seen = |error: f64, square: f64, cube: f64, noise: f64| {
        let usual = (0.5 * f64::EPSILON).cbrt();
        let forward = move |w: &Vec<f64>| {
            let t = (w[0] - 2.0) / (usual * step_of(0));
            usual * (3.0 * t + square * t * t + cube * t * t * t)
        };
        let gradient = move |_: &Vec<f64>| vec![(3.0 + error) / step_of(0)];
        with(vec![2.0], forward, gradient, noise, |search, state, evidence| {
            let ray = Ray::random(TAG, &search.scales, 0..1);
            let rung = search.rung(state, &ray, usual_step(state)).expect("it is finite");
            let before = search.spent;
            let again = search.seen_again(state, evidence, 0, &ray, &rung);
            assert_eq!(search.spent, before + 1);
            again.then(|| (evidence.numeric[0] * step_of(0), evidence.bound[0] * step_of(0).abs()))
        })
    };
    // Exactly the same; the square is known from the first step.
    for square in [0.0, 0.02, -0.02] {
        let (numeric, bound) = seen(0.5, square, 0.0, 1e-9).expect("the same");
        close(numeric, 3.0, 1e-6);
        // What the first step's roundings are at a much wider one.
        close(bound, AGAIN * 1e-9, 0.1);
    }
    // The cube adds one at the first step and its square at the second; a hundredth may differ, and
    // is in the bound.
    let more = AGAIN * AGAIN - 1.0;
    let cube = 0.01 * 0.5 / more;
    let (numeric, bound) = seen(0.5, 0.0, 0.9 * cube, 1e-9).expect("nearly the same");
    close(numeric, 3.0 + 0.9 * cube, 1e-6);
    close(bound, more * 0.9 * cube, 1e-3);
    assert_eq!(seen(0.5, 0.0, 1.1 * cube, 1e-9), None);
    // What the noise makes is no difference.
    assert!(seen(0.5, 0.0, 1.1 * cube, 2e-4).is_some());
    // The sides may differ by a tenth of what it is off by.
    assert!(seen(0.5, 0.024, 0.0, 1e-9).is_some() && seen(0.5, 0.026, 0.0, 1e-9).is_none());
    // Off by ten times what is allowed and the noise: a thousandth of the sum.
    assert!(seen(0.0615, 0.0, 0.0, 1e-9).is_some() && seen(0.059, 0.0, 0.0, 1e-9).is_none());
    let noise = AGAIN * 1e-2;
    assert!(seen(10.0 * noise + 0.09, 0.0, 0.0, 1e-2).is_some());
    assert!(seen(10.0 * noise + 0.06, 0.0, 0.0, 1e-2).is_none());
}

#[test]
fn dense_is_six_of_eight() {
    // A block in which those are right that are asked first.
    let dense = |right: usize| {
        let forward = |w: &Vec<f64>| w.iter().map(|w| 3.0 * (w - 2.0)).sum::<f64>();
        let home = |state: &State<'_>| -> Vec<usize> {
            (0..right).map(|k| drawn(state, 0..500, 0x6465_6e73, k)).collect()
        };
        let places =
            with(vec![2.0; 500], forward, |w| vec![4.0; w.len()], 1e-6, |_, state, _| home(state));
        let gradient = |w: &Vec<f64>| {
            (0..w.len()).map(|i| if places.contains(&i) { 3.0 } else { 4.0 }).collect::<Vec<f64>>()
        };
        with(vec![2.0; 500], forward, gradient, 1e-6, |search, state, evidence| {
            search.curvature = 0.0;
            let dense = search.is_dense(state, evidence, 0..500, TAG, false);
            (dense, search.spent)
        })
    };
    let each = 2;
    assert_eq!(dense(0), (true, ASKED * each));
    assert_eq!(dense(ASKED - OF_ASKED), (true, ASKED * each));
    // No more is asked than it takes.
    let enough = ASKED - OF_ASKED + 1;
    assert_eq!(dense(enough), (false, enough * each));
}

#[test]
fn of_a_large_square_pairs_across_the_diagonal_are_measured() {
    let measured = |rows: usize, columns: usize| {
        let w = (vec![1.5; 7], ndarray::Array2::from_elem((rows, columns), 1.5));
        type Two = (Vec<f64>, ndarray::Array2<f64>);
        let forward = |w: &Two| w.0.iter().sum::<f64>() + w.1.iter().map(|w| 3.0 * w).sum::<f64>();
        let gradient = |w: &Two| (vec![1.0; w.0.len()], w.1.mapv(|_| 4.0));
        let mut w = w;
        let session = Box::new(Here { parameters: &mut w, forward, gradient });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        let analytic = state.examine("w").expect("a function");
        let settings = Settings::new();
        let mut evidence = unmeasured(&state, &settings, analytic);
        let mut search = search(&mut state, &settings, 1e-16);
        search.measure_block(&mut state, &mut evidence, 1);
        let all = (0..evidence.analytic.len()).filter(|&i| evidence.bound[i].is_finite());
        all.collect::<Vec<usize>>()
    };
    let square = measured(70, 70);
    assert!(square.len() > SAMPLE_OF_WRONG - 10 && square.iter().all(|&i| i >= 7));
    let across = |&i: &usize| 7 + (i - 7) % 70 * 70 + (i - 7) / 70;
    assert!(square.iter().all(|i| square.contains(&across(i))), "{square:?}");
    let wide = measured(100, 49);
    assert!(wide.len() > SAMPLE_OF_WRONG - 10 && wide.iter().all(|&i| i >= 7));
    // A smaller one is measured all through.
    assert_eq!(measured(10, 12).len(), 120);
}

#[test]
fn some_of_each_block_are_measured_by_themselves() {
    let mut w = (vec![0.5; 40], vec![1.5; 60]);
    type Two = (Vec<f64>, Vec<f64>);
    let forward = |w: &Two| w.0.iter().chain(&w.1).map(|w| w.sin()).sum::<f64>();
    let gradient = |w: &Two| {
        let cos = |w: &Vec<f64>| w.iter().map(|w| w.cos()).collect::<Vec<f64>>();
        (cos(&w.0), cos(&w.1))
    };
    let session = Box::new(Here { parameters: &mut w, forward, gradient });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let settings = Settings::new().method(Method::Auto);
    let evidence = directional(&mut state, &settings, analytic, 0, 2, 3).expect("a verdict");
    for range in [0..40, 40..100] {
        assert_eq!(
            range.clone().filter(|&i| evidence.bound[i].is_finite()).count(),
            3,
            "{range:?}"
        );
    }
}

/// The evidence of two blocks of these sizes at ones, along so many directions; the forward is the
/// sum of `f`, the gradient `g`, of the number of a parameter and its value.
fn of_two(
    sizes: (usize, usize),
    probes: u32,
    f: impl Fn(usize, f64) -> f64,
    g: impl Fn(usize, f64) -> f64,
) -> Evidence {
    type Two = (Vec<f64>, Vec<f64>);
    let mut w: Two = (vec![1.0; sizes.0], vec![1.0; sizes.1]);
    let all = |w: &Two| w.0.iter().chain(&w.1).copied().enumerate().collect::<Vec<_>>();
    let forward = |w: &Two| all(w).into_iter().map(|(i, w)| f(i, w)).sum::<f64>();
    let gradient = |w: &Two| {
        let g: Vec<f64> = all(w).into_iter().map(|(i, w)| g(i, w)).collect();
        (g[..w.0.len()].to_vec(), g[w.0.len()..].to_vec())
    };
    let session = Box::new(Here { parameters: &mut w, forward, gradient });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    directional(&mut state, &Settings::new(), analytic, 0, probes, 0).expect("a verdict")
}

#[test]
fn a_block_has_the_verdict_of_its_directions() {
    // On a kink, and right all around: nothing else is known of it.
    let corner = |i: usize, w: f64| if i < 50 { (w - 1.0).abs() } else { w.sin() };
    let side = |i: usize, w: f64| match i {
        0..50 if w == 1.0 => 0.3,
        0..50 => (w - 1.0).signum(),
        _ => w.cos(),
    };
    let evidence = of_two((50, 30), 2, corner, side);
    assert_eq!(evidence.verdict[..50], [Verdict::Kink; 50]);
    assert_eq!(evidence.verdict[50..], [Verdict::Agrees; 30]);
    // Wrong as a whole, and too large to be measured all through: what was not is not known.
    let large = WHOLE + 100;
    let evidence =
        of_two((large, 30), 2, |_, w| w.sin(), |i, w| w.cos() * if i < large { 1.5 } else { 1.0 });
    let count = |verdict| evidence.verdict[..large].iter().filter(|v| **v == verdict).count();
    assert_eq!((count(Verdict::Agrees), count(Verdict::Kink)), (0, 0));
    assert!(count(Verdict::Wrong) > 50 && count(Verdict::Undecided) > WHOLE - 200);
    assert_eq!(evidence.verdict[large..], [Verdict::Agrees; 30]);
}

#[test]
fn a_block_that_is_wrong_all_through_costs_plain_differences_at_most() {
    let (count, corner) = (600, 1.0 + 1e-7);
    let calls = std::cell::Cell::new(0);
    // Of each ten one is right, and so is one right next to a kink, if any is; all others are off.
    let judged = |by: f64, kinked: usize| {
        calls.set(0);
        let forward = |i: usize, w: f64| {
            calls.set(calls.get() + usize::from(i == 0));
            if i == kinked { (w - corner).abs() } else { w.sin() }
        };
        let gradient = |i: usize, w: f64| match (i < count, i % 10) {
            _ if i == kinked => (w - corner).signum(),
            (false, _) | (true, 3) => w.cos(),
            _ => w.cos() * (1.0 + by),
        };
        let evidence = of_two((count, 30), 2, forward, gradient);
        assert_eq!(evidence.verdict[count..], [Verdict::Agrees; 30]);
        let exact = (0..count).filter(|&i| i != kinked).all(|i| {
            evidence.bound[i].is_infinite()
                || (evidence.numeric[i] - 1.0_f64.cos()).abs() <= evidence.bound[i]
        });
        assert!(exact && evidence.verdict.get(kinked) != Some(&Verdict::Wrong), "{by}");
        let right = (0..count).filter(|i| i % 10 == 3);
        let agree = right.filter(|&i| evidence.verdict[i] == Verdict::Agrees).count();
        let wrong = evidence.verdict.iter().filter(|v| **v == Verdict::Wrong).count();
        (agree, wrong, calls.get())
    };
    for by in [-2.0, 0.5, 0.01] {
        let (agree, wrong, calls) = judged(by, usize::MAX);
        assert_eq!((agree, wrong), (60, 540), "{by}");
        // Of the right ones three differences, the first wrong ones again, and the search before.
        assert!(calls <= 2 * (count + 30) + 4 * 60 + 250, "{by}: {calls} forwards");
        // Off the kink, and at the state once more.
        let (_, wrong, calls) = judged(by, 407);
        assert_eq!(wrong, 539, "{by}");
        assert!(calls <= 4 * (count + 30) + 600, "{by}: {calls} forwards");
    }
    // What is hardly off takes more for each, and so not all are measured, but enough to say what
    // is wrong with them all.
    let (_, wrong, calls) = judged(1e-6, usize::MAX);
    assert!(wrong > 128 && calls <= 2 * SEARCH + 500, "{wrong} wrong, {calls} forwards");
}

#[test]
fn one_block_has_its_own_directions_alone() {
    let mut w = vec![1.0; 40];
    let session = Box::new(Here {
        parameters: &mut w,
        forward: |w: &Vec<f64>| w.iter().map(|w| w.sin()).sum::<f64>(),
        gradient: |w: &Vec<f64>| w.iter().map(|w| w.cos()).collect::<Vec<f64>>(),
    });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let evidence = directional(&mut state, &Settings::new(), analytic, 0, 2, 0).expect("a verdict");
    assert_eq!(evidence.directions.len(), 2);
    // Of two there is one more, through both.
    let two = of_two((40, 30), 2, |_, w| w.sin(), |_, w| w.cos());
    assert_eq!(two.directions.len(), 5);
}

#[test]
fn a_forward_that_stands_still_agrees_with_nothing_unmeasured() {
    let evidence = of_two(
        (50, 30),
        2,
        |i, w| if i < 50 { 0.0 } else { w.sin() },
        |i, w| {
            if i < 50 { 0.0 } else { w.cos() }
        },
    );
    assert_eq!(evidence.verdict, [Verdict::Agrees; 80]);
    assert!((0..80).all(|i| evidence.bound[i].is_infinite()));
    assert_eq!(evidence.directions.len(), 5);
}

#[test]
fn where_directions_leave_it_open_more_are_asked() {
    // So large a constant leaves slopes with too few digits for the tolerance.
    for probes in [1, 3] {
        let evidence = of_two((40, 30), probes, |_, w| 1e9 + w.sin(), |_, w| w.cos());
        assert!(evidence.directions.iter().all(|slope| slope.verdict == Verdict::Undecided));
        let first = evidence.directions.iter().filter(|slope| slope.range == (0..40));
        assert_eq!(first.count(), 2 * probes as usize);
    }
}

#[test]
fn a_search_knows_whether_it_has_found_all() {
    // Of ten lines some are off; the slope is off by what they are, and by `more`.
    let split = |wrong: &[(usize, f64)], more: f64| {
        let forward = |w: &Vec<f64>| w.iter().map(|w| 3.0 * (w - 2.0)).sum::<f64>();
        let gradient = |w: &Vec<f64>| {
            let error = |i: usize| wrong.iter().filter(|w| w.0 == i).map(|w| w.1).sum::<f64>();
            (0..w.len()).map(|i| 3.0 + error(i)).collect::<Vec<f64>>()
        };
        with(vec![2.0; 10], forward, gradient, 1e-6, |search, state, evidence| {
            search.curvature = 0.0;
            let mut slope = search.slope(state, evidence, 0..10, TAG);
            slope.numeric -= more;
            let is_all = match search.split(state, evidence, &slope) {
                Ended::Found { is_all } => is_all,
                Ended::Dense => panic!("a few of ten"),
            };
            let mut known: Vec<usize> = search.known.iter().map(|known| known.component).collect();
            known.sort_unstable();
            (is_all, known)
        })
    };
    assert_eq!(split(&[(4, 0.5)], 0.0), (true, vec![4]));
    assert_eq!(split(&[(4, 0.5), (7, -1.5)], 0.0), (true, vec![4, 7]));
    assert_eq!(split(&[(0, 0.5), (5, -0.25), (9, 2.0)], 0.0), (true, vec![0, 5, 9]));
    let (is_all, known) = split(&[(4, 0.5)], 0.01);
    assert!(!is_all && known == [4], "{known:?}");
}

/// `3 w` of each of so many, the gradient off at some; twos. The noise is that of a difference at
/// the usual step.
fn many<T>(
    count: usize,
    errors: &[(usize, f64)],
    noise: f64,
    act: impl FnOnce(&mut Search, &mut State<'_>, &mut Evidence) -> T,
) -> T {
    let forward = |w: &Vec<f64>| w.iter().map(|w| 3.0 * (w - 2.0)).sum::<f64>();
    let gradient = |w: &Vec<f64>| {
        let mut gradient = vec![3.0; w.len()];
        errors.iter().for_each(|&(i, error)| gradient[i] += error);
        gradient
    };
    with(vec![2.0; count], forward, gradient, noise, |search, state, evidence| {
        search.curvature = 0.0;
        act(search, state, evidence)
    })
}

/// The components that were measured by themselves.
fn measured(evidence: &Evidence) -> Vec<usize> {
    (0..evidence.bound.len()).filter(|&i| evidence.bound[i].is_finite()).collect()
}

/// The components that one pass has found to be off, and whether these are all; `None` of too many.
type Pass = Option<(Vec<usize>, bool)>;

fn pass(search: &mut Search, state: &mut State<'_>, evidence: &mut Evidence) -> Pass {
    let slope = search.slope(state, evidence, 0..evidence.analytic.len(), TAG);
    match search.split(state, evidence, &slope) {
        Ended::Dense => None,
        Ended::Found { is_all } => {
            let mut known: Vec<usize> = search.known.iter().map(|known| known.component).collect();
            known.sort_unstable();
            Some((known, is_all))
        }
    }
}

#[test]
fn so_many_have_a_name_and_more_are_a_fault_of_the_block() {
    let named = |count: usize| {
        let errors: Vec<(usize, f64)> = (0..count).map(|k| (17 + 29 * k, 0.5)).collect();
        many(2_000, &errors, 1e-6, |search, state, evidence| {
            // What was spent before does not count.
            search.spent = 1_000_000;
            pass(search, state, evidence).map(|(known, is_all)| (known.len(), is_all))
        })
    };
    assert_eq!(named(NAMED), Some((NAMED, true)));
    assert_eq!(named(NAMED + 1), None);
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let found = |allowed: usize| {
        many(2_000, &[(40, 0.5), (700, -1.5)], 1e-6, |search, state, evidence| {
            search.allowed = allowed;
            search.spent = 1_000_000;
            pass(search, state, evidence)
        })
    };
    assert_eq!(found(SEARCH), Some((vec![40, 700], true)));
    assert_eq!(found(1), None);
}

#[test]
fn a_faint_error_is_found_on_wide_steps_and_a_large_one_for_less() {
    let found = |error: f64| {
        many(200, &[(40, error)], 1e-6, |search, state, evidence| {
            let slope = search.slope(state, evidence, 0..200, TAG);
            let before = search.spent;
            search.split(state, evidence, &slope);
            (measured(evidence), search.spent - before)
        })
    };
    // Beyond the noise of wide steps alone; and of the usual one, where it is no fault yet.
    let (faint, large) = (found(2e-7), found(1e-3));
    assert_eq!((faint.0, large.0), (vec![40], vec![40]));
    assert!(2 * large.1 < faint.1, "{} {}", large.1, faint.1);
}

#[test]
fn beside_a_large_error_the_small_ones_are_found() {
    // Both slopes are those of the large one, to a millionth.
    let pair = many(10, &[(4, 0.5), (7, 2e-7)], 1e-9, |search, state, evidence| {
        pass(search, state, evidence);
        measured(evidence)
    });
    assert_eq!(pair, [4, 7]);
    // Hidden by the noise of narrow steps: once the other has a name, wider ones are taken.
    let hidden = |act: fn(&mut Search, &mut State<'_>, &mut Evidence)| {
        many(300, &[(40, 0.5), (200, 3e-7)], 1e-6, |search, state, evidence| {
            search.is_steady = false;
            act(search, state, evidence);
            measured(evidence)
        })
    };
    assert_eq!(hidden(|search, state, evidence| drop(pass(search, state, evidence))), [40]);
    let both = hidden(|search, state, evidence| {
        let slope = search.slope(state, evidence, 0..300, TAG);
        search.find(state, evidence, 0, &slope);
    });
    assert_eq!(both, [40, 200]);
}

#[test]
fn what_is_not_found_is_not_looked_for_again() {
    // A slope off by so much more than its components are.
    let spent = |errors: &[(usize, f64)], more: f64, all: bool| {
        many(100, errors, 1e-6, |search, state, evidence| {
            let mut slope = search.slope(state, evidence, 0..100, TAG);
            slope.numeric -= more;
            slope.verdict = Verdict::Wrong;
            let before = search.spent;
            match all {
                true => search.find(state, evidence, 0, &slope),
                false => drop(search.split(state, evidence, &slope)),
            }
            search.spent - before
        })
    };
    // Nothing is off; and what is off has been found.
    assert_eq!(spent(&[], 0.5, true), spent(&[], 0.5, false));
    assert_eq!(spent(&[(40, 0.5)], 0.0, true), spent(&[(40, 0.5)], 0.0, false));
    // Something has, and is not all.
    assert!(spent(&[(40, 0.5)], 0.01, true) > spent(&[(40, 0.5)], 0.01, false));
}

#[test]
fn what_is_off_together_and_not_alone_is_measured_one_by_one() {
    // Of each component 0.3 of the noise; alike along the direction, as of no other.
    let errors: Vec<(usize, f64)> = (0..400).map(|i| (i, 0.3e-6 / step_of(i))).collect();
    let count = many(400, &errors, 1e-6, |search, state, evidence| {
        assert!(pass(search, state, evidence).is_some());
        measured(evidence).len()
    });
    assert!(count > 100, "{count}");
}

#[test]
fn a_component_costs_the_forwards_it_takes() {
    lines(0.5, 4, 1e-6, |search, state, evidence| {
        search.spent = 1;
        let before = state.forwards;
        assert!(search.component(state, evidence, 4) && !search.component(state, evidence, 5));
        assert!(before > 0 && search.spent - 1 == state.forwards - before);
    });
}

#[test]
fn after_so_many_that_are_wrong_one_more_costs_less() {
    let spent = |known: usize| {
        lines(0.5, 4, 1e-6, |search, state, evidence| {
            let suspect = |component| super::super::Suspect { component, near_kink: false };
            search.suspects.extend((0..known).map(suspect));
            assert!(search.component(state, evidence, 4));
            search.spent
        })
    };
    let most = super::super::CONFIRMED;
    assert_eq!(spent(0), spent(most - 1));
    assert!(2 * spent(most) < spent(0), "{} {}", spent(most), spent(0));
}

#[test]
fn a_slope_that_is_off_by_nothing_that_has_a_name_is_not_said_near_stairs() {
    let accused = |is_steady: bool| {
        lines(1e-3, 4, 1e-9, |search, state, evidence| {
            search.is_steady = is_steady;
            let slope = search.slope(state, evidence, 0..10, TAG);
            assert_eq!(slope.verdict, Verdict::Wrong);
            let (slope, named) = search.accuse(state, evidence, 0, slope);
            assert!(!named, "within the tolerance");
            slope.verdict
        })
    };
    assert_eq!(accused(true), Verdict::Wrong);
    assert_eq!(accused(false), Verdict::Undecided);
}

#[test]
fn a_dead_block_is_wrong_where_most_of_its_largest_components_are() {
    // The forward stands still; the gradient does not, at so many.
    let wrong = |count: usize| {
        let gradient = |i: usize| if i < count { 0.7 } else { 0.0 };
        let evidence = of_two(
            (50, 30),
            2,
            |i, w| if i < 50 { 0.0 } else { w.sin() },
            |i, w| if i < 50 { gradient(i) } else { w.cos() },
        );
        let is_wrong = |i: &usize| evidence.verdict[*i] == Verdict::Wrong;
        ((0..50).filter(is_wrong).count(), measured(&evidence).len())
    };
    // All are measured, or the largest ones alone.
    assert_eq!(wrong(50), (50, 50));
    assert_eq!(wrong(OF_ASKED), (OF_ASKED, 50));
    assert_eq!(wrong(OF_ASKED - 1), (OF_ASKED - 1, ASKED));
}

#[test]
fn what_is_wrong_off_its_kink_is_off_by_the_same_on_it() {
    // All of the first block on a kink; one is off by a half there and beside it.
    let corner = |i: usize, w: f64| if i < 50 { (w - 1.0).abs() } else { w.sin() };
    let side = |i: usize, w: f64| match i {
        0..50 if w == 1.0 => 0.0,
        0..50 => (w - 1.0).signum(),
        _ => w.cos(),
    };
    let evidence = of_two((50, 30), 2, corner, |i, w| side(i, w) + if i == 7 { 0.5 } else { 0.0 });
    assert_eq!(measured(&evidence), [7]);
    assert_eq!(evidence.verdict[7], Verdict::Wrong);
    close(evidence.analytic[7] - evidence.numeric[7], 0.5, 1e-3);
    assert_eq!(
        (evidence.verdict[6], evidence.verdict[8]),
        (Verdict::Undecided, Verdict::Undecided)
    );
}

/// A block of so many sines beside another, whose gradient has factors that depend on the entries
/// of the first direction through it.
fn asked(count: usize, factor: impl Fn(&dyn Fn(usize) -> f64, usize) -> f64) -> Evidence {
    let cosines = |_: usize, w: f64| w.cos();
    let sizes = (count, 1);
    let first = of_two(sizes, 2, |_, w| w.sin(), cosines).directions[0].clone();
    let entry = |i: usize| first.scale * entry(first.tag, i);
    let factor = |i: usize| if i < count { factor(&entry, i) } else { 1.0 };
    of_two(sizes, 2, |_, w| w.sin(), |i, w| w.cos() * factor(i))
}

#[test]
fn another_direction_is_asked_unless_enough_is_known() {
    let verdicts = |evidence: &Evidence| -> Vec<Verdict> {
        let first = evidence.blocks[0].range.clone();
        let through = evidence.directions.iter().filter(|slope| slope.range == first);
        through.map(|slope| slope.verdict).collect()
    };
    // What is wrong has its name.
    let named = asked(50, |_, i| if i == 7 { 1.5 } else { 1.0 });
    assert_eq!(verdicts(&named), [Verdict::Wrong]);
    assert_eq!(named.verdict[7], Verdict::Wrong);
    // Nothing has, and all is within the tolerance; or is not.
    let slight = asked(50, |_, _| 1.0 + 1e-7);
    assert_eq!(verdicts(&slight), [Verdict::Wrong]);
    let aligned = asked(500, |entry, i| 1.0 + 3e-7 * entry(i).signum());
    assert_eq!(verdicts(&aligned)[0], Verdict::Wrong);
    assert_eq!(verdicts(&aligned).len(), 2);
    for evidence in [&slight, &aligned] {
        assert!(!evidence.verdict.contains(&Verdict::Wrong));
    }
    // A fault that the first direction does not see, and another does: of the rest, nothing is
    // known.
    let unseen = asked(50, |entry, i| match i {
        3 => 1.5,
        9 => 1.0 - 0.5 * entry(3) / entry(9),
        _ => 1.0,
    });
    assert_eq!(verdicts(&unseen), [Verdict::Agrees, Verdict::Wrong]);
    assert_eq!((unseen.verdict[3], unseen.verdict[9]), (Verdict::Wrong, Verdict::Wrong));
    assert_eq!(unseen.verdict[4], Verdict::Undecided);
}

/// A component of two as the first look at it has it, and the two wider ones: the slopes and the
/// gaps between the sides on these steps, the noise of the first, and what is known of others.
#[derive(Clone, Copy)]
struct Look {
    analytic: f64,
    slopes: [f64; 3],
    gaps: [f64; 3],
    noise: f64,
    /// So many are wrong already.
    wrong: usize,
    is_steady: bool,
}

/// Clearly not settled by its first step.
const UNSETTLED: Look = Look {
    analytic: 3.0,
    slopes: [3.0; 3],
    gaps: [10.0, 0.0, 0.0],
    noise: 0.0,
    wrong: ASKED,
    is_steady: true,
};

/// The steps of a glance: the usual one, and two wide ones.
fn steps_of_a_glance() -> [f64; 3] {
    let roundoff = 0.5 * f64::EPSILON;
    let widest = 0.5 * roundoff.powf(0.2);
    [roundoff.cbrt(), 0.5 * widest, 0.25 * widest]
}

/// The verdict with its slope and bound, if a glance is enough, and the forwards that it took.
fn glanced(look: Look) -> (Option<(Verdict, f64, f64)>, usize) {
    let steps = steps_of_a_glance();
    let forward = |w: &Vec<f64>| {
        let t = (w[0] - 2.0) / step_of(0);
        if t == 0.0 {
            return 0.0;
        }
        let away = |k: &usize| (t.abs() / steps[*k]).ln().abs();
        let k = (0..3).min_by(|a, b| away(a).total_cmp(&away(b))).expect("three");
        step_of(0) * (look.slopes[k] * t + 0.5 * look.gaps[k] * t.abs())
    };
    let noise = look.noise * step_of(0).abs();
    with(
        vec![2.0],
        forward,
        |_| vec![look.analytic],
        noise,
        |search, state, evidence| {
            let suspect = super::super::Suspect { component: 0, near_kink: false };
            search.suspects = vec![suspect; look.wrong];
            (search.spent, search.is_steady) = (100, look.is_steady);
            let is_enough = search.glance(state, evidence, 0, TAG);
            let found = (evidence.verdict[0], evidence.numeric[0], evidence.bound[0]);
            (is_enough.then_some(found), search.spent - 100)
        },
    )
}

#[test]
fn a_glance_is_one_step_where_that_is_clear() {
    const MANY: usize = super::super::CONFIRMED;
    let clear = |analytic: f64, noise: f64, gap: f64| Look {
        analytic,
        gaps: [gap, 0.0, 0.0],
        noise,
        wrong: MANY,
        ..UNSETTLED
    };
    // The noise, what the curvature does over the step, and a part of the difference.
    let (found, spent) = glanced(clear(1_003.0, 1e-5, 10.0));
    let (verdict, numeric, bound) = found.expect("clear");
    assert_eq!((verdict, spent), (Verdict::Wrong, 2));
    close(numeric, 3.0, 1e-6);
    close(bound, 1e-5 + 10.0 * steps_of_a_glance()[0] + 1e-7 * 1_000.0, 1e-4);
    // Four times the tolerance of both and that bound.
    let off = |times: f64, noise: f64| {
        let off = times * 4.0 * (1e-3 * 6.0 + noise) / (1.0 - times * 4e-3);
        glanced(clear(3.0 + off, noise, 0.0)).1
    };
    for noise in [0.0, 5e-3, 2.0] {
        assert_eq!(off(1.01, noise), 2, "{noise}");
        assert!(off(0.99, noise) > 2, "{noise}");
    }
    // A gap of a tenth of what it is off by.
    assert_eq!(glanced(clear(3.5, 0.0, 0.049)).1, 2);
    assert!(glanced(clear(3.5, 0.0, 0.051)).1 > 2);
    // The first ones are looked at once more.
    assert_eq!(glanced(Look { wrong: MANY - 1, ..clear(3.5, 0.0, 0.0) }).1, 3);
    // What agrees does so with its noise and half the gap, and as it is.
    let allowed = 6e-3;
    let agrees = |noise: f64, gap: f64, off: f64| {
        let (found, spent) = glanced(clear(3.0 + off, noise, gap));
        spent == 2 && found.is_some_and(|found| found.0 == Verdict::Agrees)
    };
    assert!(agrees(0.98 * allowed, 0.0, 0.0) && !agrees(1.02 * allowed, 0.0, 0.0));
    assert!(agrees(0.43 * allowed, 1.1 * allowed, 0.0));
    assert!(!agrees(0.47 * allowed, 1.1 * allowed, 0.0));
    assert!(agrees(0.0, 0.0, 0.98 * allowed) && !agrees(0.0, 0.0, 1.02 * allowed));
    // A forward that moves in stairs is not glanced at.
    assert_eq!(glanced(Look { is_steady: false, ..clear(3.5, 0.0, 0.0) }), (None, 2));
    assert_eq!(glanced(Look { slopes: [0.0; 3], ..clear(3.5, 0.0, 0.0) }), (None, 2));
}

#[test]
fn a_glance_at_what_one_step_leaves_open_is_two_wide_ones() {
    let [usual, _, narrow] = steps_of_a_glance();
    // By the noise of the narrower of the wide steps.
    let look =
        |analytic: f64, noise: f64| Look { analytic, noise: noise * narrow / usual, ..UNSETTLED };
    let verdict = |look: Look| {
        let (found, spent) = glanced(look);
        assert_eq!(spent, 6);
        found.map(|found| found.0)
    };
    let (agrees, wrong) = (Some(Verdict::Agrees), Some(Verdict::Wrong));
    // The slope is extrapolated.
    let curved = Look { slopes: [3.0, 3.003, 3.0], ..look(2.999, 1e-4) };
    let (verdict_of, numeric, bound) = glanced(curved).0.expect("enough");
    assert_eq!(verdict_of, Verdict::Agrees);
    close(numeric, 2.999, 1e-9);
    close(bound, 1.5e-4 + 0.02 * 1e-3, 1e-4);
    // It is as sure as its noise is small: three halves of it, and five in the gap.
    let allowed = 6e-3;
    assert_eq!(verdict(look(3.0, 0.98 * allowed / 6.5)), agrees);
    assert_eq!(verdict(look(3.0, 1.02 * allowed / 6.5)), None);
    assert_eq!(verdict(look(3.005, 5e-4)), agrees);
    assert_eq!(verdict(look(3.0055, 5e-4)), None);
    // A gap that stays is no smooth forward's.
    let gap = |look: Look, gap: f64| Look { gaps: [10.0, 0.0, 0.5 * gap], ..look };
    let most = 0.05 * allowed + 1e-3;
    assert_eq!(verdict(gap(look(3.0, 2e-4), 0.98 * most)), agrees);
    assert_eq!(verdict(gap(look(3.0, 2e-4), 1.02 * most)), None);
    assert_eq!(verdict(gap(look(3.1, 2e-4), 0.98 * (0.05 * 0.1 + 1e-3))), wrong);
    assert_eq!(verdict(gap(look(3.1, 2e-4), 1.02 * (0.05 * 0.1 + 1e-3))), None);
    // Off by half more than the tolerance and the bound, once enough others are.
    let off = |times: f64, noise: f64| {
        look(3.0 + times * 1.5 * (6e-3 + 1.5 * noise) / (1.0 - times * 1.5e-3), noise)
    };
    assert_eq!(verdict(off(1.01, 1e-3)), wrong);
    assert_eq!(verdict(off(0.99, 1e-3)), None);
    assert_eq!(verdict(Look { wrong: ASKED - 1, ..off(1.01, 1e-3) }), None);
    assert_eq!(verdict(Look { wrong: ASKED + 1, ..off(1.01, 1e-3) }), wrong);
    // And by twice what is not known of the gap.
    assert_eq!(verdict(look(3.0 + 1.02 * 0.04, 4e-3)), wrong);
    assert_eq!(verdict(look(3.0 + 0.98 * 0.04, 4e-3)), None);
}

#[test]
fn of_a_block_that_is_dear_some_are_measured_all_over() {
    let measured = |count: usize, is_steady: bool| {
        let errors: Vec<(usize, f64)> = (0..count).map(|i| (i, 0.5)).collect();
        many(count, &errors, 1e-6, |search, state, evidence| {
            (search.spent, search.is_steady) = (1_000_000, is_steady);
            search.measure_block(state, evidence, 0);
            (measured(evidence), search.spent - 1_000_000)
        })
    };
    // A small one is measured all through, however many there are.
    for count in (1..30).chain([97, 128]) {
        assert_eq!(measured(count, false).0, (0..count).collect::<Vec<usize>>());
    }
    // A large one as far as two forwards for each go, and no fifth of it is left out.
    let (some, spent) = measured(3_000, false);
    assert!((6_000..6_100).contains(&spent), "{spent}");
    assert!(some.len() > ENOUGH && some.len() < 1_000, "{}", some.len());
    for fifth in 0..5 {
        let part = 600 * fifth..600 * (fifth + 1);
        assert!(some.iter().filter(|&i| part.contains(i)).count() > 20, "{part:?}");
    }
    // Other blocks are sampled in other places.
    assert_ne!(sampled(0), sampled(1));
}
