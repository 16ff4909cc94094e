//! On a kink: what a convention can make of the derivatives around it, and what none can.
use super::super::kinks::{self, Around};
use super::*;
use crate::case::Case;
use crate::problem::Here;
use crate::settings::Convention;

fn around(looks: &[&[f64]]) -> Around {
    Around { looks: looks.iter().map(|look| look.to_vec()).collect() }
}

#[test]
fn a_convention_leads_a_jump_beyond_what_is_around() {
    let explains = |looks: &[f64], g: f64, sides: [f64; 2]| {
        let looks: Vec<&[f64]> = looks.iter().map(std::slice::from_ref).collect();
        around(&looks).explains(0, g, sides, 1e-3)
    };
    let two = [3.0, 1.0, 1.0, 3.0];
    let inside = [2.0, 2.0];
    for (g, is) in [(-0.98, true), (-1.02, false), (2.0, true), (4.98, true), (5.02, false)] {
        assert_eq!(explains(&two, g, inside), is, "{g}");
        assert_eq!(explains(&two.map(|look| -look), -g, [-2.0; 2]), is, "{g}");
    }
    // The one-sided derivatives count as looks do.
    assert!(explains(&two, 7.98, [2.0, 4.5]) && !explains(&two, 8.02, [2.0, 4.5]));
    assert!(explains(&two, -3.58, [-0.3, 2.0]) && !explains(&two, -3.62, [-0.3, 2.0]));
    // Without any jump, a ten-thousandth of the value.
    let none = |size: f64, g: f64| explains(&[size, size], g, [size; 2]);
    assert!(none(4.0, 4.000_39) && !none(4.0, 4.000_41) && none(4.0, 3.999_61));
    assert!(none(-4.0, -4.000_39) && !none(-4.0, -4.000_41) && !none(-4.0, -3.999_59));
}

#[test]
fn shares_of_a_whole_have_one_sum() {
    let uneven = |looks: &[&[f64]], gradient: &[f64], asked: &[usize]| {
        around(looks).unevenly_shared(gradient, asked, 0.0)
    };
    // Two that share a one, among others.
    let shared: [&[f64]; 3] = [&[1.0, 0.0], &[0.0, 1.0], &[1.0, 0.0]];
    let of = |a: f64, b: f64| uneven(&shared, &[9.0, a, 9.0, b], &[1, 3]);
    assert_eq!(of(0.5, 0.5), []);
    assert_eq!(of(1.0, 0.0), []);
    // A thousandth of what both jump by.
    assert_eq!(of(0.5, 0.5019), []);
    assert_eq!(of(0.5, 0.5021), [1, 3]);
    assert_eq!(of(0.4981, 0.5), []);
    assert_eq!(of(0.4979, 0.5), [1, 3]);
    assert_eq!(of(1.0, 1.0), [1, 3]);
    assert_eq!(of(0.0, 0.0), [1, 3]);
    // One that stands still is no share, and neither is one alone.
    let still: [&[f64]; 2] = [&[1.0, 0.5, 0.0], &[0.0, 0.5, 1.0]];
    assert_eq!(uneven(&still, &[1.0, 0.5, 1.0], &[0, 1, 2]), [0, 2]);
    let alone: [&[f64]; 2] = [&[1.0, 0.5], &[1.0, 0.5]];
    assert_eq!(uneven(&alone, &[1.0, 1.0], &[0, 1]), []);
    // Those without one sum are no shares.
    let apart: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.1]];
    assert_eq!(uneven(&apart, &[1.0, 1.0], &[0, 1]), []);
    let nearly: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.001]];
    assert_eq!(uneven(&nearly, &[1.0, 1.0], &[0, 1]), [0, 1]);
}

/// The larger of two among three and its square, where the first two tie; the gradient is `tied`
/// there.
fn at_tie<T>(tied: [f64; 2], act: impl FnOnce(&mut State<'_>, &mut Evidence) -> T) -> T {
    let mut w = vec![2.0, 2.0, 3.0];
    let session = Box::new(Here {
        parameters: &mut w,
        forward: |w: &Vec<f64>| w[0].max(w[1]) + 0.5 * w[2] * w[2],
        gradient: move |w: &Vec<f64>| {
            let [a, b] = match w[0].total_cmp(&w[1]) {
                std::cmp::Ordering::Greater => [1.0, 0.0],
                std::cmp::Ordering::Less => [0.0, 1.0],
                std::cmp::Ordering::Equal => tied,
            };
            vec![a, b, w[2]]
        },
    });
    let case = Case::new(0, 0);
    let mut state = State::draw(session, &case, Convention::default()).expect("a state");
    let analytic = state.examine("w").expect("a function");
    let known = [0.5, 0.5, 3.0];
    let columns = [known.to_vec(), vec![0.5, 0.5, 1e-9]].map(Column::from);
    let mut evidence = unjudged(&state, &Settings::new(), analytic, 0, columns);
    evidence.verdict = vec![Verdict::Kink, Verdict::Kink, Verdict::Agrees];
    act(&mut state, &mut evidence)
}

#[test]
fn looks_are_at_both_sides_of_what_is_asked_about() {
    at_tie([0.5, 0.5], |state, _| {
        let around = Around::look(state, &[0, 1]).expect("it is finite");
        for look in &around.looks {
            assert!(look == &[1.0, 0.0] || look == &[0.0, 1.0], "{look:?}");
        }
        assert_eq!(around.span(|look| look[0]), [0.0, 1.0]);
        assert_eq!(around.span(|look| look[1]), [0.0, 1.0]);
        // Those nearby, and put back.
        let third = Around::look(state, &[2]).expect("it is finite");
        let far = third.span(|look| (look[0] - 3.0).abs())[1];
        assert!(far > 1e-6 && far < 1e-4, "{far}");
        assert_eq!(state.primal.values, [2.0, 2.0, 3.0]);
    });
}

#[test]
fn what_no_convention_has_at_a_tie_is_wrong() {
    let judged = |tied: [f64; 2], first: Verdict| {
        at_tie(tied, |state, evidence| {
            evidence.verdict[0] = first;
            kinks::judge(state, evidence);
            evidence.verdict.clone()
        })
    };
    let (kink, wrong, open) = (Verdict::Kink, Verdict::Wrong, Verdict::Undecided);
    for right in [[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]] {
        assert_eq!(judged(right, kink), [kink, kink, Verdict::Agrees]);
    }
    // Both in full, or none: within reach of a convention each, and not together.
    assert_eq!(judged([1.0, 1.0], kink), [wrong, wrong, Verdict::Agrees]);
    assert_eq!(judged([0.0, 0.0], kink), [wrong, wrong, Verdict::Agrees]);
    // One far from all around; the other is not accused of its sum.
    assert_eq!(judged([2.5, 0.5], kink), [wrong, kink, Verdict::Agrees]);
    // What is open has its share in the sum, and is not accused of it.
    assert_eq!(judged([1.0, 1.0], open), [open, wrong, Verdict::Agrees]);
    assert_eq!(judged([0.5, 0.5], open), [open, kink, Verdict::Agrees]);
    // Without a kink nobody is looked at.
    let calls = at_tie([1.0, 1.0], |state, evidence| {
        evidence.verdict.fill(open);
        let before = state.gradients;
        kinks::judge(state, evidence);
        assert_eq!(evidence.verdict, [open; 3]);
        state.gradients - before
    });
    assert_eq!(calls, 0);
}

#[test]
fn strange_is_what_is_far_from_all_around() {
    at_tie([2.5, 1.2], |state, evidence| {
        assert_eq!(kinks::strange(state, evidence, &[0, 1, 2]), [0]);
        assert_eq!(kinks::strange(state, evidence, &[1, 2]), []);
        let before = state.gradients;
        assert_eq!(kinks::strange(state, evidence, &[]), []);
        assert_eq!(state.gradients, before);
    });
}

#[test]
fn a_narrow_step_says_nothing_where_rounding_is_as_large() {
    // A gradient that is off by 0.31 of what is missing, and how far away the forward is asked.
    let refuted_at = |rounding: f64| {
        let reach = std::cell::Cell::new(0.0_f64);
        let mut w = vec![4.0];
        let session = Box::new(Here {
            parameters: &mut w,
            forward: |w: &Vec<f64>| {
                reach.set(reach.get().max((w[0] - 4.0).abs()));
                2.0 * w[0]
            },
            gradient: |_: &Vec<f64>| vec![2.31],
        });
        let case = Case::new(0, 0);
        let mut state = State::draw(session, &case, Convention::default()).expect("a state");
        state.examine("w").expect("a function");
        reach.set(0.0);
        assert!(!is_borne_out(&mut state, 0, 1.0, rounding));
        reach.get()
    };
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    let narrow = 4.0 * WIDTHS[0];
    close(refuted_at(0.98 * 0.3 * narrow), narrow);
    close(refuted_at(1.02 * 0.3 * narrow), 4.0 * NARROW);
    close(refuted_at(1e6), 4.0 * NARROW);
}
