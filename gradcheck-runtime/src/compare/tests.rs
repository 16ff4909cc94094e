//! What is made of evidence at hand: who agrees beside its surroundings, what is worth a fit, and
//! which planted faults would have been caught.
use std::sync::Arc;

use super::*;
use crate::evidence::{Block, Column};

mod acquitted;
mod kinked;
mod states;

const TOLERANCE: f64 = 1e-3;

/// Blocks of these shapes, all components undecided.
fn evidence(shapes: &[&[usize]], analytic: &[f64], numeric: &[f64], bound: f64) -> Evidence {
    let mut start = 0;
    let blocks: Vec<Block> = shapes
        .iter()
        .enumerate()
        .map(|(b, shape)| {
            let name = format!("b{b}");
            let block = Block::doubles(&name, name.clone(), shape, start);
            start = block.range.end;
            block
        })
        .collect();
    assert_eq!((start, start), (analytic.len(), numeric.len()));
    Evidence {
        tolerance: vec![TOLERANCE; blocks.len()],
        blocks: blocks.into(),
        dims: Vec::new(),
        steps: 0,
        primal: Vec::new(),
        analytic: Arc::new(analytic.to_vec()),
        numeric: numeric.to_vec().into(),
        bound: vec![bound; start].into(),
        verdict: vec![Verdict::Undecided; start],
        directions: Vec::new(),
    }
}

#[test]
fn a_component_agrees_beside_its_surroundings() {
    let settled = |g: f64, d: f64, bound: f64, around: f64| {
        let mut evidence = evidence(&[&[1]], &[g], &[d], bound);
        lenient(&mut evidence, |_| vec![around]);
        evidence.verdict[0] == Verdict::Agrees
    };
    // Difference and bound are each held against the larger of the two sizes.
    assert!(settled(1.0, 1.0009, 9e-4, 0.0));
    assert!(!settled(1.0, 1.0011, 9e-4, 0.0) && !settled(1.0, 0.9989, 9e-4, 0.0));
    assert!(!settled(1.0, 1.0, 1.1e-3, 0.0));
    assert!(settled(1.0, 1.0011, 1.1e-3, 2.0) && !settled(1.0, 1.0021, 1e-3, 2.0));
    assert!(settled(-1.0, -1.0009, 9e-4, 0.5));
    // A stationary point: nothing agrees with nothing.
    assert!(settled(0.0, 0.0, 0.0, 0.0) && !settled(0.0, 1e-9, 0.0, 0.0));
    // What has a verdict keeps it, what was not measured gets none.
    let mut decided = evidence(&[&[2]], &[1.0, 1.0], &[1.0, 1.0], 0.0);
    decided.verdict = vec![Verdict::Kink, Verdict::Wrong];
    lenient(&mut decided, |_| unreachable!("nothing is open"));
    assert_eq!(decided.verdict, [Verdict::Kink, Verdict::Wrong]);
    let mut unmeasured = evidence(&[&[2]], &[1.0, 1.0], &[1.0, 1.0], 0.0);
    unmeasured.numeric = Column::like(&unmeasured.analytic);
    unmeasured.numeric[1] = 1.0;
    lenient(&mut unmeasured, |open| {
        assert_eq!(open, [1]);
        vec![1.0]
    });
    assert_eq!(unmeasured.verdict, [Verdict::Undecided, Verdict::Agrees]);
}

#[test]
fn of_a_large_state_only_what_matters_is_fitted() {
    let open = |count: usize, difference: f64, bound: f64| {
        let mut analytic = vec![2.0; count];
        analytic[0] = 1e-6;
        let mut numeric = analytic.clone();
        numeric[0] += difference;
        let mut evidence = evidence(&[&[count]], &analytic, &numeric, bound);
        evidence.verdict[1] = Verdict::Agrees;
        let open = worth_a_fit(&evidence);
        (open[0], open[1])
    };
    // The tolerance of the root mean square: 2e-3.
    assert_eq!(open(FITTED_ALL, 1e-3, 1e-3), (true, false));
    assert_eq!(open(FITTED_ALL + 1, 1e-3, 1e-3), (false, false));
    assert_eq!(open(FITTED_ALL + 1, 2.1e-3, 1e-3), (true, false));
    assert_eq!(open(FITTED_ALL + 1, -2.1e-3, 1e-3), (true, false));
    assert_eq!(open(FITTED_ALL + 1, 1e-3, 2.1e-3), (true, false));
    assert_eq!(open(FITTED_ALL + 1, 1.9e-3, 1.9e-3), (false, false));
}

/// How many faults of each kind are planted and caught in gradients that agree.
fn planted(shapes: &[&[usize]], gradient: &[f64], bound: f64) -> Planted {
    let mut evidence = evidence(shapes, gradient, gradient, bound);
    evidence.verdict.fill(Verdict::Agrees);
    plant(&evidence)
}

#[test]
fn planted_faults_are_caught_where_the_bounds_let_them() {
    let square = [1.0, 2.0, 3.0, 4.0];
    let all = planted(&[&[2, 2]], &square, 1e-6);
    assert_eq!((all.planted, all.caught), (5, 5));
    assert_eq!((all.by_kind, all.exercised), ([(1, 1); 5], vec![true]));
    // A percent of the largest is 0.04, of which the tolerance passes 0.008; zero is off by 4.
    assert_eq!(planted(&[&[2, 2]], &square, 0.031).by_kind[2], (1, 1));
    assert_eq!(planted(&[&[2, 2]], &square, 0.033).by_kind[2], (1, 0));
    assert_eq!(planted(&[&[2, 2]], &square, 3.99).by_kind[0], (1, 1));
    let zero = planted(&[&[2, 2]], &square, 4.0);
    assert_eq!((zero.by_kind[0], zero.by_kind[1], zero.exercised), ((1, 0), (1, 1), vec![true]));
    assert_eq!(planted(&[&[2, 2]], &square, 7.99).by_kind[1], (1, 1));
    let none = planted(&[&[2, 2]], &square, 8.0);
    assert_eq!((none.planted, none.caught, none.exercised), (5, 0, vec![false]));
    // Exchanged rows and columns are off by one.
    assert_eq!(planted(&[&[2, 2]], &square, 0.99).by_kind[3], (1, 1));
    assert_eq!(planted(&[&[2, 2]], &square, 1.0).by_kind[3], (1, 0));
    let larger = [1.0, 2.0, 9.0, 2.0, 5.0, 6.0, 3.0, 6.0, 9.0];
    assert_eq!(planted(&[&[3, 3]], &larger, 5.9).by_kind[3], (1, 1));
    assert_eq!(planted(&[&[3, 3]], &larger, 6.0).by_kind[3], (1, 0));
    // What changes nothing is not planted.
    assert_eq!(planted(&[&[2, 2]], &[1.0, 2.0, 2.0, 4.0], 1e-6).by_kind[3], (0, 0));
    assert_eq!(planted(&[&[4]], &square, 1e-6).by_kind[3], (0, 0));
    assert_eq!(planted(&[&[1, 1]], &[1.0], 1e-6).by_kind[3], (0, 0));
    let zeros = planted(&[&[3], &[2]], &[0.0, 0.0, 0.0, 1.0, 1.0], 1e-6);
    assert_eq!((zeros.planted, zeros.caught, zeros.exercised), (4, 4, vec![false, true]));
    // The one component is doubled, and no other.
    let one = planted(&[&[5]], &[3.0; 5], 2.9);
    assert_eq!(one.by_kind[4], (1, 1));
    assert_eq!(planted(&[&[5]], &[3.0; 5], 3.0).by_kind[4], (1, 0));
}

#[test]
fn planted_faults_show_along_directions() {
    let gradient = [1.0, 2.0, 3.0, 4.0];
    let entry = |i| directional::entry(5, i);
    let slope: f64 = (0..4).map(|i| 2.0 * entry(i) * gradient[i]).sum();
    // No component was measured: a slope alone has looked.
    let seen = |bound: f64, verdict| {
        let mut evidence = evidence(&[&[2, 2]], &gradient, &gradient, f64::INFINITY);
        evidence.bound = Column::of_one(f64::INFINITY, 4);
        evidence.verdict.fill(Verdict::Agrees);
        evidence.directions.push(Slope {
            range: 0..4,
            tag: 5,
            scale: 2.0,
            analytic: slope,
            numeric: slope,
            bound,
            reference: 10.0,
            verdict,
        });
        plant(&evidence).by_kind.map(|(_, caught)| caught == 1)
    };
    let turned = 2.0 * (entry(1) - entry(2));
    let alone = crate::random::hash_text(4, "b0") as usize % 4;
    let one = 2.0 * entry(alone) * gradient[alone];
    let moves = [slope, 2.0 * slope, 0.01 * slope, turned, one].map(f64::abs);
    for (kind, by) in moves.into_iter().enumerate() {
        assert!(seen(0.999 * by, Verdict::Agrees)[kind], "{kind}");
        assert!(!seen(1.001 * by, Verdict::Agrees)[kind], "{kind}");
    }
    assert_eq!(seen(1e-9, Verdict::Undecided), [false; 5]);
}

#[test]
fn a_planted_fault_is_held_against_the_numeric_slope() {
    let gradient = [1.0, 2.0, 3.0, 4.0];
    let seen = |analytic: f64, numeric: f64, bound: f64| {
        let mut evidence = evidence(&[&[4]], &gradient, &gradient, f64::INFINITY);
        evidence.bound = Column::of_one(f64::INFINITY, 4);
        evidence.verdict.fill(Verdict::Agrees);
        evidence.directions.push(Slope {
            range: 0..4,
            tag: 5,
            scale: 2.0,
            analytic,
            numeric,
            bound,
            reference: 10.0,
            verdict: Verdict::Agrees,
        });
        let planted = plant(&evidence);
        (planted.by_kind[0].1, planted.by_kind[1].1, planted.by_kind[2].1, planted.exercised[0])
    };
    // Nothing in place of 8 is off by the 9 that were measured, the other sign by 17.
    assert_eq!(seen(8.0, 9.0, 8.5), (1, 1, 0, true));
    assert_eq!(seen(8.0, 9.0, 9.0), (0, 1, 0, true));
    assert_eq!(seen(8.0, 9.0, 16.5), (0, 1, 0, true));
    assert_eq!(seen(8.0, 9.0, 17.0), (0, 0, 0, false));
    // One percent more shows; a block is exercised by nothing and by the other sign alone.
    assert_eq!(seen(8.0, 0.0, 8.0), (0, 0, 1, false));
}

#[test]
fn one_component_is_doubled_and_no_other() {
    let caught = |open: &dyn Fn(usize) -> bool| {
        let mut evidence = evidence(&[&[5]], &[3.0; 5], &[3.0; 5], 1e-6);
        evidence.verdict.fill(Verdict::Agrees);
        (0..5).filter(|&i| open(i)).for_each(|i| evidence.bound[i] = 100.0);
        plant(&evidence).by_kind[4]
    };
    let alone = crate::random::hash_text(5, "b0") as usize % 5;
    assert_eq!(caught(&|i| i != alone), (1, 1));
    assert_eq!(caught(&|i| i == alone), (1, 0));
}
