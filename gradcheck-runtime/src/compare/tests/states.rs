//! Whole states, judged component by component: what is measured again, and what is taken back.
use super::*;
use crate::case::Case;
use crate::flatten::FlattenMut;
use crate::probe::{Outcome, Places, Probe};
use crate::problem::{Here, Problem, problem};
use crate::settings::Convention;

/// The evidence of a state, and how often the forward was called.
fn judged<P, V, G>(
    mut parameters: P,
    settings: &Settings,
    cases: usize,
    forward: impl Fn(&P) -> V,
    gradient: impl Fn(&P) -> G,
) -> (Evidence, usize)
where
    P: FlattenMut,
    V: Outcome,
    G: Outcome,
{
    let session = Box::new(Here { parameters: &mut parameters, forward, gradient });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("the parameters").expect("a function");
    let evidence = judge(&mut state, settings, analytic, 0, cases).expect("a verdict");
    (evidence, state.forwards)
}

fn verdicts<P, V, G>(
    parameters: P,
    settings: &Settings,
    forward: impl Fn(&P) -> V,
    gradient: impl Fn(&P) -> G,
) -> Vec<Verdict>
where
    P: FlattenMut,
    V: Outcome,
    G: Outcome,
{
    judged(parameters, settings, 1, forward, gradient).0.verdict
}

const AGREES: Verdict = Verdict::Agrees;
const UNDECIDED: Verdict = Verdict::Undecided;

#[test]
fn directions_are_taken_beyond_so_many_forwards_of_a_test() {
    let directions = |cases: usize| {
        let squares = |w: &Vec<f64>| w.iter().map(|w| w * w).sum::<f64>();
        let double = |w: &Vec<f64>| w.iter().map(|w| 2.0 * w).collect::<Vec<f64>>();
        let (evidence, _) = judged(vec![0.5, -1.0, 2.0], &Settings::new(), cases, squares, double);
        assert_eq!(evidence.verdict, [AGREES; 3]);
        !evidence.directions.is_empty()
    };
    // Two for each of three parameters, in so many states.
    let most = Method::AUTO_FORWARDS / 6;
    assert_eq!((directions(most), directions(most + 1)), (false, true));
}

#[test]
fn a_jacobian_is_judged_by_its_components_whatever_the_method() {
    let settings = Settings::new().method(Method::Directional { probes: 2 });
    let forward = |w: &Vec<f64>| vec![w[0] * w[1], w[0].sin()];
    let at = vec![0.5, -1.5];
    let jacobian = |off: f64| {
        move |w: &Vec<f64>| {
            ndarray::Array2::from_shape_vec((2, 2), vec![w[1], w[0], w[0].cos() + off, 0.0])
                .expect("as many")
        }
    };
    let (evidence, _) = judged(at.clone(), &settings, 1, forward, jacobian(0.0));
    assert_eq!((evidence.verdict, evidence.directions.len()), (vec![AGREES; 4], 0));
    let wrong = verdicts(at, &settings, forward, jacobian(1e-3));
    assert_eq!(wrong, [AGREES, AGREES, Verdict::Wrong, AGREES]);
    // The last component of more than there are parameters, where the forward stands still.
    let still = |w: &Vec<f64>| {
        ndarray::Array2::from_shape_vec((2, 2), vec![w[1], w[0], w[0].cos(), 0.5]).expect("as many")
    };
    let wrong = verdicts(vec![0.5, -1.5], &settings, forward, still);
    assert_eq!(wrong, [AGREES, AGREES, AGREES, Verdict::Wrong]);
}

/// So large that differences are left with too few digits, and fits are not.
const LARGE: f64 = 1e9;

/// Two outputs of two parameters, or of three: the first has lost digits to a large constant, and
/// the third parameter has no part in it.
fn hidden(w: &[f64]) -> Vec<f64> {
    let rest = w.get(2).map_or(0.0, |w| w * w);
    vec![LARGE + w[0] * w[0] + 2.0 * w[1], w[0] * w[1] + rest]
}

fn hidden_jacobian(w: &[f64], off: f64) -> ndarray::Array2<f64> {
    let (mut first, mut second) = (vec![2.0 * w[0], 2.0], vec![w[1] + off, w[0]]);
    if let Some(w) = w.get(2) {
        first.push(0.0);
        second.push(2.0 * w);
    }
    let values = [first, second].concat();
    ndarray::Array2::from_shape_vec((2, w.len()), values).expect("as many")
}

#[test]
fn what_differences_leave_open_of_a_jacobian_is_fitted() {
    let settings = Settings::new();
    let of = |at: &[f64], off: f64| {
        let jacobian = move |w: &Vec<f64>| hidden_jacobian(w, off);
        let (evidence, calls) =
            judged(at.to_vec(), &settings, 1, |w: &Vec<f64>| hidden(w), jacobian);
        (evidence.verdict, calls)
    };
    let (right, calls) = of(&[0.7, -1.2], 0.0);
    assert_eq!(right, [AGREES; 4]);
    // Where another output is wrong, its line is not measured again, and the other line is.
    let (wrong, _) = of(&[0.7, -1.2], 1e-3);
    assert_eq!(wrong, [UNDECIDED, AGREES, Verdict::Wrong, AGREES]);
    // A line without anything open costs its two forwards once.
    let (three, more) = of(&[0.7, -1.2, 0.4], 0.0);
    assert_eq!((three, more - calls), (vec![AGREES; 6], 2));
}

#[test]
fn what_differences_leave_open_along_a_tangent_is_fitted() {
    let verdicts = |off: f64| {
        let draw = |_: &mut crate::case::Draw| vec![0.7, -1.2];
        let eval = move |w: Vec<f64>, probe: &mut Probe| {
            let tangent = probe.tangent(0, &w);
            if probe.value(hidden(&w)) {
                let along = |row: [f64; 2]| row[0] * tangent[0] + row[1] * tangent[1];
                probe.gradient(vec![along([2.0 * w[0], 2.0]), along([w[1] + off, w[0]])]);
            }
            w
        };
        let wrt = |w: &mut Vec<f64>, places: &mut Places<'_>| places.place("w", w);
        let problem = problem(draw, wrt, eval);
        let case = Case::new(0, 0);
        let mut state =
            State::draw(problem.session(), &case, Convention::default()).expect("a state");
        let analytic = state.examine("w").expect("a function");
        judge(&mut state, &Settings::new(), analytic, 0, 1).expect("a verdict").verdict
    };
    assert_eq!(verdicts(0.0), [AGREES; 2]);
    // Not where another output is wrong.
    assert_eq!(verdicts(1e-3), [UNDECIDED, Verdict::Wrong]);
}

#[test]
fn after_so_many_that_are_wrong_the_rest_costs_less() {
    let calls = |count: usize| {
        let at: Vec<f64> = (0..count).map(|k| 0.5 + 0.01 * k as f64).collect();
        let squares = |w: &Vec<f64>| w.iter().map(|w| w * w).sum::<f64>();
        let triple = |w: &Vec<f64>| w.iter().map(|w| 3.0 * w).collect::<Vec<f64>>();
        let (evidence, calls) = judged(at, &Settings::new(), 1, squares, triple);
        assert!(evidence.verdict.iter().all(|v| *v == Verdict::Wrong));
        calls
    };
    let (some, more) = (calls(CONFIRMED), calls(2 * CONFIRMED));
    assert!(2 * (more - some) < some, "{some} {more}");
}

/// Noise of a gradient, as of roundings: another number for each last bit.
fn rounding(x: f64) -> f64 {
    crate::random::signed_magnitude(9, x.to_bits()) / 1.5
}

#[test]
fn a_gradient_is_allowed_its_own_rounding_beside_the_tolerance() {
    const HOME: f64 = 1.25;
    // Off by `off` at the state, and by a part of `noise` elsewhere.
    let verdict = |tolerance: f64, off: f64, noise: f64| {
        let gradient = move |w: &Vec<f64>| {
            let by = if w[0] == HOME { off } else { noise * rounding(w[0]) };
            vec![2.0 * w[0] + by]
        };
        let settings = Settings::new().tolerance(tolerance);
        verdicts(vec![HOME], &settings, |w: &Vec<f64>| w[0] * w[0], gradient)[0]
    };
    // Without any, a trillionth shows.
    assert_eq!(verdict(1e-15, 1e-12, 0.0), Verdict::Wrong);
    assert_eq!(verdict(1e-15, 1e-12, 2.5e-13), UNDECIDED);
    assert_eq!(verdict(1e-15, 1e-11, 2.5e-13), Verdict::Wrong);
    // The tolerance, of the sum of both, comes first.
    let allowed = 1e-11 * 5.0;
    assert_eq!(verdict(1e-11, allowed + 1e-12, 0.0), Verdict::Wrong);
    assert_eq!(verdict(1e-11, allowed + 1e-12, 2.5e-13), UNDECIDED);
}

/// `|x_i|` of each, with another derivative at zero than beside it.
fn corners(count: usize, at_zero: f64, first: f64) -> Evidence {
    let forward = |w: &Vec<f64>| w.iter().map(|w| w.abs()).sum::<f64>();
    let gradient = move |w: &Vec<f64>| {
        let slope = |(i, w): (usize, &f64)| match *w {
            0.0 => at_zero,
            _ if i == 0 => first * w.signum(),
            w => w.signum(),
        };
        w.iter().enumerate().map(slope).collect::<Vec<f64>>()
    };
    judged(vec![0.0; count], &Settings::new(), 1, forward, gradient).0
}

#[test]
fn what_is_right_beside_a_kink_is_right_on_it() {
    // Beyond -1 and 1 a value belongs to a convention, unless it is far from both.
    assert_eq!(corners(3, 2.9, 1.0).verdict, [Verdict::Kink; 3]);
    assert_eq!(corners(3, 0.5, 1.0).verdict, [Verdict::Kink; 3]);
    assert_eq!(corners(3, 3.2, 1.0).verdict, [Verdict::Wrong; 3]);
    assert_eq!(corners(3, -5.0, 1.0).verdict, [Verdict::Wrong; 3]);
    let one = corners(3, 1.5, 2.0);
    assert_eq!(one.verdict, [Verdict::Wrong, Verdict::Kink, Verdict::Kink]);
    // Of very many, some are looked at; the others are as good as these.
    let many = ASIDE + 6;
    assert_eq!(corners(many, 1.5, 1.0).verdict, vec![Verdict::Kink; many]);
    let found = corners(many, 1.5, 2.0).verdict;
    assert_eq!(found[0], Verdict::Wrong);
    assert_eq!(found[1..ASIDE], [Verdict::Kink; ASIDE - 1]);
    assert_eq!(found[ASIDE..], [Verdict::Wrong; 6]);
}

#[test]
fn a_jacobian_is_not_looked_at_aside() {
    let forward = |w: &Vec<f64>| vec![w[0].abs(), 3.0 * w[0]];
    let jacobian = |w: &Vec<f64>| {
        let slope = if w[0] == 0.0 { 5.0 } else { w[0].signum() };
        ndarray::Array2::from_shape_vec((2, 1), vec![slope, 3.0]).expect("as many")
    };
    let found = verdicts(vec![0.0], &Settings::new(), forward, jacobian);
    assert_eq!(found, [Verdict::Wrong, AGREES]);
}

#[test]
fn noise_beside_a_kink_leaves_it_open() {
    let noise = |x: f64| 1e-4 * rounding(x);
    let forward = move |w: &Vec<f64>| w[0].abs() + noise(w[0]);
    let gradient = |w: &Vec<f64>| vec![if w[0] == 0.0 { 5.0 } else { w[0].signum() }];
    assert_eq!(verdicts(vec![0.0], &Settings::new(), forward, gradient), [UNDECIDED]);
}

#[test]
fn a_gradient_that_jumps_cannot_excuse_itself() {
    // On the kink at one, every last digit brings another sign.
    let of = |size: fn(f64) -> f64, aside: f64| {
        let forward = |w: &Vec<f64>| (w[0] - 1.0).abs();
        let gradient = move |w: &Vec<f64>| {
            let by = w[0] - 1.0;
            vec![if by.abs() < 1e-9 { size(w[0]) } else { aside * by.signum() }]
        };
        let evidence = judged(vec![1.0], &Settings::new(), 1, forward, gradient).0;
        (evidence.verdict[0], evidence.bound[0])
    };
    let jumps = |x: f64| if x == 1.0 { 5.0 } else { 5.0 * rounding(x).signum() };
    // One that jumps no further than it does to its sides is on the kink.
    let (right, _) = of(|x| rounding(x).signum(), 1.0);
    assert_eq!(right, Verdict::Kink);
    assert_eq!(of(jumps, 1.0).0, Verdict::Wrong);
    let (wrong, bound) = of(jumps, 2.0);
    assert_eq!(wrong, Verdict::Wrong);
    // By what was seen aside, where its jumps have no part.
    let (steady, same) = of(|_| 5.0, 2.0);
    assert_eq!(steady, Verdict::Wrong);
    assert!((bound - same).abs() < 1e-9, "{bound} {same}");
}

#[test]
fn surroundings_of_some_are_those_of_all() {
    let mut w = vec![0.5, -1.5, 2.0];
    let session = Box::new(Here {
        parameters: &mut w,
        forward: |w: &Vec<f64>| w.iter().map(|w| w.sin()).sum::<f64>(),
        gradient: |w: &Vec<f64>| w.iter().map(|w| w.cos()).collect::<Vec<f64>>(),
    });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    state.examine("w").expect("a function");
    let mut bench = bench(&mut state, &Settings::new());
    let some = bench.around_at(&mut state, &[2, 0]);
    let all = bench.around(&mut state).to_vec();
    assert_eq!(some, [all[2], all[0]]);
    assert_eq!(bench.around_at(&mut state, &[2, 0]), some);
    assert!(all.iter().all(|&size| size > 0.0 && size <= 1.0), "{all:?}");
}

#[test]
fn a_mean_bears_a_gradient_out_whatever_kinks_there_are() {
    // A corner beside the state, and a gradient that is off by `off`; at four.
    let borne_out = |off: f64, missing: f64| {
        let reach = std::cell::Cell::new(0.0_f64);
        let mut w = vec![4.0];
        let session = Box::new(Here {
            parameters: &mut w,
            forward: |w: &Vec<f64>| {
                reach.set(reach.get().max((w[0] - 4.0).abs()));
                (w[0] - 4.01).abs() + w[0]
            },
            gradient: |w: &Vec<f64>| vec![(w[0] - 4.01).signum() + 1.0 + off],
        });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        state.examine("w").expect("a function");
        reach.set(0.0);
        (is_borne_out(&mut state, 0, missing, 1e-15), reach.get())
    };
    // As wide as a quarter of the parameter, if narrower steps bear it out.
    let (right, reach) = borne_out(0.0, 0.1);
    assert!(right && (reach - 1.0).abs() < 1e-9, "{reach}");
    for sign in [1.0, -1.0] {
        assert!(borne_out(sign * 0.29, 1.0).0);
        let (wrong, reach) = borne_out(sign * 0.31, 1.0);
        assert!(!wrong && (reach - 0.016).abs() < 1e-9, "{reach}");
    }
}

#[test]
fn in_single_precision_means_excuse_what_kinks_explain() {
    // Corners within every step of single precision, and how often the gradient was called.
    let judged = |count: usize, at_home: f32, off: f32| {
        let corner = 1.0 + 3e-4_f32;
        let mut w = vec![1.0_f32; count];
        let session = Box::new(Here {
            parameters: &mut w,
            forward: move |w: &Vec<f32>| w.iter().map(|w| (w - corner).abs() + w).sum::<f32>(),
            gradient: move |w: &Vec<f32>| {
                let slope = |w: &f32| match *w {
                    1.0 => at_home,
                    w => (w - corner).signum() + 1.0 + off,
                };
                w.iter().map(slope).collect::<Vec<f32>>()
            },
        });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        let analytic = state.examine("w").expect("a function");
        let evidence = judge(&mut state, &Settings::new(), analytic, 0, 1).expect("a verdict");
        (evidence.verdict, state.gradients)
    };
    // Right all around, and near what it is there at the state itself, or far from it.
    assert_eq!(judged(2, 2.5, 0.0).0, [UNDECIDED; 2]);
    assert_eq!(judged(2, 5.0, 0.0).0, [Verdict::Wrong; 2]);
    let (wrong, some) = judged(2, 3.0, 3.0);
    assert_eq!(wrong, [Verdict::Wrong; 2]);
    // Of many that no mean bears out, the first few are asked.
    let (wrong, few) = judged(REFUTED, 3.0, 3.0);
    assert_eq!(wrong, [Verdict::Wrong; REFUTED]);
    let (wrong, more) = judged(REFUTED + 4, 3.0, 3.0);
    assert_eq!(wrong, vec![Verdict::Wrong; REFUTED + 4]);
    let each = (few - some) / (REFUTED - 2);
    assert!(each >= 64 && more - few < 4 * each / 2, "{some} {few} {more}");
}
