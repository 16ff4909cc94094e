//! The parts that a diagnosis is made of: positions in an array against `ndarray`, predictions
//! against gradients that are wrong in just that way, counts of bits, and the words. Whole
//! diagnoses are tested from outside.
use std::sync::Arc;

use ndarray::{ArrayD, Axis, IxDyn};

use super::fit::{
    self, Candidate, Free, Predict, bits, choose, distinct_bits, near, slope, slopes,
};
use super::formula::formulas;
use super::part::{Comp, Part};
use super::search::{rank_correlation, same_kind};
use super::shapes;
use super::some::{between, chance_bits, how, listed, permuted, region};
use super::words::{digits, known, pair};
use super::*;
use crate::evidence::{Block, Slope, Verdict};
use crate::random;

mod rivals;

/// A number of order one, its sign random.
fn number(k: usize) -> f64 {
    random::signed_magnitude(11, k as u64)
}

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(number).collect()
}

const BOUND: f64 = 1e-12;
const TOLERANCE: f64 = 1e-7;

/// A state of these blocks; wrong is what is off by more than a billionth.
fn state(blocks: &[(&str, &[usize])], dims: &[(&str, usize)], g: &[f64], n: &[f64]) -> Evidence {
    let mut start = 0;
    let blocks: Vec<Block> = blocks
        .iter()
        .map(|(name, shape)| {
            let block = Block::doubles(name, format!("p.{name}"), shape, start);
            start = block.range.end;
            block
        })
        .collect();
    assert_eq!((start, start), (g.len(), n.len()));
    let off = |(g, n): (&f64, &f64)| (g - n).abs() > 1e-9 || !g.is_finite();
    let verdict = |pair| if off(pair) { Verdict::Wrong } else { Verdict::Agrees };
    Evidence {
        tolerance: vec![TOLERANCE; blocks.len()],
        blocks: blocks.into(),
        dims: dims.iter().map(|&(name, size)| (name.to_owned(), size)).collect(),
        steps: 0,
        primal: (0..start).map(|k| number(1000 + k)).collect(),
        analytic: Arc::new(g.to_vec()),
        numeric: n.to_vec().into(),
        bound: vec![BOUND; start].into(),
        verdict: g.iter().zip(n).map(verdict).collect(),
        directions: Vec::new(),
    }
}

/// A state of one block `w`.
fn one(shape: &[usize], g: &[f64], n: &[f64]) -> Evidence {
    state(&[("w", shape)], &[], g, n)
}

fn parts(states: &[Evidence]) -> Vec<Part<'_>> {
    let blocks = |(s, e)| (0..Evidence::len(e)).map(move |b| Part::new(s, e, b));
    states.iter().enumerate().flat_map(blocks).collect()
}

trait Blocks {
    fn len(&self) -> usize;
}

impl Blocks for Evidence {
    fn len(&self) -> usize {
        self.blocks.len()
    }
}

fn close(value: f64, truth: f64, within: f64) {
    assert!((value - truth).abs() <= within, "{value} is not {truth} to {within:e}");
}

// ---- Positions ------------------------------------------------------------------------------

/// An array that holds the position of each of its components.
fn positions(shape: &[usize]) -> ArrayD<usize> {
    let count: usize = shape.iter().product();
    ArrayD::from_shape_vec(IxDyn(shape), (0..count).collect()).expect("as many as fit")
}

#[test]
fn positions_are_those_of_an_array() {
    for shape in [vec![2, 3, 4], vec![3, 3], vec![4, 2], vec![5], vec![2, 3, 2, 3]] {
        let array = positions(&shape);
        let values = numbers(array.len());
        let evidence = one(&shape, &values, &values);
        let part = Part::new(0, &evidence, 0);
        for (index, &j) in array.indexed_iter() {
            for axis in 0..shape.len() {
                assert_eq!(part.extent(axis), shape[axis]);
                assert_eq!(part.stride(axis) as isize, array.strides()[axis]);
                assert_eq!(part.index(j, axis), index[axis]);
                for to in 0..shape[axis] {
                    let mut moved = index.clone();
                    moved[axis] = to;
                    assert_eq!(part.moved(j, axis, to), array[moved]);
                }
            }
        }
        for a in 0..shape.len() {
            for b in a + 1..shape.len() {
                let mut swapped = array.clone();
                swapped.swap_axes(a, b);
                let from: Vec<usize> = swapped.iter().copied().collect();
                let own: Vec<usize> = (0..from.len()).map(|j| part.transposed(j, (a, b))).collect();
                assert_eq!(own, from, "{shape:?} {a} {b}");
            }
        }
        // An axis that the block does not have.
        assert_eq!((part.extent(7), part.transposed(1, (0, 7))), (1, 1));
    }
}

// ---- Components -----------------------------------------------------------------------------

#[test]
fn a_component_knows_what_it_may_miss() {
    let evidence = one(&[3], &[2.0, -5.0, 1.0], &[2.5, -5.0, 1.0]);
    let part = Part::new(0, &evidence, 0);
    assert_eq!((part.largest, part.wrong_count, part.wrong, part.exceeds), (5.0, 1, true, false));
    let c = part.comp(0).expect("measured");
    assert_eq!((c.i, c.g, c.n, c.d, c.w, c.wrong), (0, 2.0, 2.5, 0.5, number(1000), true));
    // Three bounds, and the rounding of either gradient and of the largest component.
    close(c.noise, 3.0 * BOUND + 2.0 * f64::EPSILON * (2.0 + 2.5 + 5.0), 1e-17);
    close(c.tol, c.noise + TOLERANCE * 2.5, 1e-17);
    assert!(!part.comp(1).expect("measured").wrong);
    // A small fault lets less pass: a hundredth of itself.
    let evidence = one(&[2], &[2.0 + 1e-8, 5.0], &[2.0, 5.0]);
    let part = Part::new(0, &evidence, 0);
    let c = part.comp(0).expect("measured");
    close(c.tol - c.noise, 1e-10, 1e-15);
    assert!(part.comp(2).is_none());
    let c = Comp {
        i: 0,
        g: 3.0,
        n: 2.0,
        w: 0.0,
        d: 1.0,
        noise: 1e-6,
        tol: 0.0,
        tolerance: 1e-3,
        wrong: true,
        like: 0,
    };
    let times = |c: Comp, k: f64| c.times(k);
    assert_eq!(times(c, 4.0).0, 8.0);
    close(times(c, 4.0).1, 4e-6 + 8e-3, 1e-12);
    close(times(c, -0.5).1, 1e-6 + 3e-3, 1e-12);
    close(times(Comp { d: 0.1, ..c }, 4.0).1, 4e-6 + 1e-3, 1e-12);
    // As a partner, another component brings its own noise.
    let evidence = one(&[3], &[2.0, -5.0, 1.0], &[2.5, -5.0, 1.0]);
    let part = Part::new(0, &evidence, 0);
    let (c, other) = (part.comp(0).expect("measured"), part.comp(1).expect("measured"));
    assert_eq!(part.partner(&c, 0), Some((2.5, c.tol)));
    assert_eq!(part.partner(&c, 1), Some((-5.0, c.tol + other.noise)));
    assert_eq!(part.partner(&c, 3), None);
}

#[test]
fn what_is_not_measured_is_no_component() {
    let g = [1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0];
    let mut evidence = one(&[6], &g, &[1.5, 2.0, 3.0, 4.0, 5.0, 6.0]);
    evidence.verdict[1] = Verdict::Kink;
    evidence.verdict[2] = Verdict::Undecided;
    // Only directions have looked at these two.
    evidence.bound[3] = f64::INFINITY;
    (evidence.bound[5], evidence.verdict[5]) = (f64::INFINITY, Verdict::Undecided);
    let part = Part::new(0, &evidence, 0);
    let usable: Vec<usize> = (0..6).filter(|&j| part.usable(j)).collect();
    assert_eq!(usable, [0]);
    assert_eq!(part.comps.iter().map(|c| c.i).collect::<Vec<_>>(), [0]);
    assert_eq!((part.covered, part.wrong_count), (2, 2));
    assert_eq!(part.not_finite, [4]);
    assert_eq!(part.largest, 6.0);
    // A derivative of zero is measured like any other.
    let zeros = one(&[2], &[0.5, 0.0], &[0.0, 0.0]);
    let part = Part::new(0, &zeros, 0);
    assert!(part.usable(0) && part.usable(1));
}

/// Slopes are off by what the components that were found make them, or by more.
#[test]
fn more_may_be_wrong_than_was_found() {
    let more = |missing: f64, verdicts: [Verdict; 2]| {
        let n = numbers(60);
        let mut g = n.clone();
        for k in [3, 41] {
            g[k] += 0.01;
        }
        let mut e = one(&[60], &g, &n);
        for k in (0..60).filter(|k| *k != 3 && *k != 41) {
            (e.bound[k], e.verdict[k]) = (f64::INFINITY, verdicts[0]);
        }
        let entry = |k| 2.0 * crate::ray::unit_entry(7, k);
        let off = 0.01 * (entry(3) + entry(41)) + missing * entry(5);
        e.directions = vec![Slope {
            range: 0..60,
            tag: 7,
            scale: 2.0,
            analytic: 1.0 + off,
            numeric: 1.0,
            bound: 1e-9,
            reference: 1.0,
            verdict: verdicts[1],
        }];
        Part::new(0, &e, 0).more
    };
    use Verdict::{Agrees, Kink, Undecided, Wrong};
    for open in [Undecided, Kink] {
        assert!(!more(0.0, [open, Wrong]));
        assert!(!more(1e-9, [open, Wrong]));
        assert!(more(0.01, [open, Wrong]));
        assert!(more(1e-6, [open, Wrong]));
        assert!(more(0.0, [open, Undecided]));
    }
    assert!(!more(0.01, [Agrees, Agrees]));
}

#[test]
fn a_block_may_be_wrong_without_a_component_that_is() {
    let n = [1.0; 8];
    let part_of = |by: f64, bound: f64| {
        let mut evidence = one(&[8], &[1.0 + by; 8], &n);
        evidence.verdict.fill(Verdict::Agrees);
        evidence.bound = vec![bound; 8].into();
        let part = Part::new(0, &evidence, 0);
        (part.wrong, part.exceeds, part.comps.iter().filter(|c| c.wrong).count())
    };
    // Beyond the tolerance of the sum of both norms, and twice the bounds.
    assert_eq!(part_of(2.1e-7, 1e-9), (true, true, 8));
    assert_eq!(part_of(1.9e-7, 1e-9), (false, false, 0));
    assert_eq!(part_of(2.1e-7, 1.0e-7), (true, true, 0));
    assert_eq!(part_of(2.1e-7, 1.1e-7), (false, false, 0));
}

#[test]
fn large_blocks_are_sampled_and_their_wrong_components_are_not_lost() {
    let count = 2 * SAMPLE + 10;
    let n = vec![1.0; count];
    let mut g = n.clone();
    for k in [1, 5, 20_001] {
        g[k] = 2.0;
    }
    let evidence = one(&[count], &g, &n);
    let part = Part::new(0, &evidence, 0);
    let taken: Vec<usize> = part.comps.iter().map(|c| c.i).collect();
    let spread = taken.iter().filter(|&&i| i % 3 == 0).count();
    assert_eq!((spread, taken.len()), (count.div_ceil(3), count.div_ceil(3) + 2));
    assert!([1, 5, 20_001].iter().all(|k| taken.contains(k)));
    let evidence = one(&[count], &vec![2.0; count], &n);
    let taken = Part::new(0, &evidence, 0).comps.len();
    assert_eq!(taken, count.div_ceil(3) + SAMPLE_WRONG);
}

#[test]
fn dimensions_of_a_block_have_names() {
    let values = numbers(12);
    let evidence = state(&[("w", &[3, 4])], &[("m", 5)], &values, &values);
    let part = Part::new(0, &evidence, 0);
    let dims = ["m", "len(w)", "rows(w)", "columns(w)", "k"].map(|name| part.dim(name));
    assert_eq!(dims, [Some(5.0), Some(12.0), Some(3.0), Some(4.0), None]);
    assert_eq!(part.path(7), "w[1, 3]");
    assert_eq!(part.primal_of("p.w").map(<[f64]>::len), Some(12));
}

#[test]
fn a_state_beside_another_differs_in_one_dimension() {
    let values = numbers(6);
    let make =
        |m: usize, k: usize| state(&[("w", &[2, 3])], &[("m", m), ("k", k)], &values, &values);
    let mut moved = make(2, 4);
    moved.primal[0] += 1.0;
    let mut trained = make(2, 4);
    trained.steps = 3;
    let states = [make(3, 4), make(2, 5), moved, trained, make(2, 4), make(1, 4)];
    let parts = parts(&states);
    let found = |dim: &str, value| parts[0].with_dim(&parts, dim, value).map(|p| p.state);
    assert_eq!((found("m", 2), found("m", 1), found("m", 3)), (Some(4), Some(5), None));
    assert_eq!((found("k", 5), found("k", 4)), (None, None));
}

// ---- Bits -----------------------------------------------------------------------------------

#[test]
fn bits_are_the_chance_to_come_so_close() {
    assert_eq!([bits(8.0, 1.0), bits(1.0, 8.0), bits(1.0, 1e-30)], [3.0, 0.0, CAP_BITS]);
    assert_eq!([bits(1.0, 0.0), bits(0.0, 0.0), bits(f64::NAN, 1.0)], [CAP_BITS, 0.0, 0.0]);
    assert!(near(2.0, 2.019) && near(-2.0, -1.981) && !near(2.0, 2.03) && !near(2.0, -2.0));
    // Two of four among two of four: one chance in six.
    close(chance_bits(2, 2, 4), 6_f64.log2(), 1e-12);
    close(chance_bits(2, 3, 4), 2_f64.log2(), 1e-12);
    close(chance_bits(3, 3, 10), 120_f64.log2(), 1e-12);
}

#[test]
fn a_slope_is_found_among_strays() {
    // Their weights decide, not their number.
    let mut samples: Vec<(f64, f64, f64)> =
        (1..=9).map(|x| (2.5 * f64::from(x), f64::from(x), 1e-3)).collect();
    let (k, uncertainty) = slope(samples.iter().copied()).expect("a slope");
    close(k, 2.5, 1e-12);
    // That of a weighted mean, a third of the tolerances taken for one deviation.
    let square: f64 = (1..=9).map(|x| f64::from(x * x) * 1e6).sum();
    close(uncertainty, 2.5 / (3.0 * square.sqrt()), 1e-12);
    samples.extend([(0.0, 9.0, 1e-3), (-90.0, 9.0, 1e-3), (f64::NAN, 1.0, 1e-3), (1.0, 0.0, 1e-3)]);
    samples.extend((1..=40).map(|x| (7.0 * f64::from(x), f64::from(x), 1e3)));
    close(slope(samples.iter().copied()).expect("a slope").0, 2.5, 1e-4);
    // Least squares over what lies near the median: the finer samples count for more.
    let (k, _) = slope([(2.0, 1.0, 0.1), (2.1, 1.0, 0.2)].into_iter()).expect("a slope");
    close(k, (2.0 * 100.0 + 2.1 * 25.0) / 125.0, 1e-12);
    assert_eq!(slope([(1.0, 0.0, 1.0)].into_iter()), None);
    // One for each state, and one for all.
    let n = numbers(6);
    let states = [2.0, 3.0].map(|k| one(&[6], &n.iter().map(|n| k * n).collect::<Vec<_>>(), &n));
    let parts = parts(&states);
    let parts: Vec<&Part<'_>> = parts.iter().collect();
    let found = slopes(&parts, &|c| (c.g, c.n, c.tol)).expect("slopes");
    close(found.each[&0], 2.0, 1e-9);
    close(found.each[&1], 3.0, 1e-9);
    assert!((2.0 - 1e-9..=3.0 + 1e-9).contains(&found.all.0));
}

fn predict(f: impl Fn(&Comp) -> Option<f64> + 'static) -> Predict {
    Box::new(move |_, c| f(c).map(|h| (h, c.tol)))
}

#[test]
fn a_prediction_must_meet_all_and_explain_the_wrong_ones() {
    let n = numbers(100);
    let double: Vec<f64> = n.iter().map(|n| 2.0 * n).collect();
    let bits_of = |g: &[f64], free, f: fn(&Comp) -> Option<f64>| {
        let evidence = one(&[g.len()], g, &n[..g.len()]);
        let part = Part::new(0, &evidence, 0);
        fit::test(&[&part], free, &predict(f))
    };
    let full = bits_of(&double, Free::Never, |c| Some(2.0 * c.n)).expect("it fits");
    let part = one(&[100], &double, &n);
    let part = Part::new(0, &part, 0);
    let own: Vec<f64> = part.comps.iter().map(|c| bits(c.d, c.tol)).collect();
    close(full, own.iter().sum(), 1e-9);
    // A free number uses up its best component: of all, or of each slice.
    let most = own.iter().copied().fold(0.0, f64::max);
    let once = bits_of(&double, Free::Once, |c| Some(2.0 * c.n)).expect("it fits");
    close(once, full - most, 1e-9);
    let state = bits_of(&double, Free::EachState, |c| Some(2.0 * c.n)).expect("it fits");
    close(state, full - most, 1e-9);
    let slice = bits_of(&double, Free::EachSlice(0), |c| Some(2.0 * c.n)).expect("it fits");
    close(slice, 0.0, 1e-9);
    // One in fifty may miss, and not two.
    let off = |k: usize| {
        let mut g = double.clone();
        g[..k].fill(7.0);
        bits_of(&g, Free::Never, |c| Some(2.0 * c.n)).is_some()
    };
    assert_eq!([off(2), off(3)], [true, false]);
    assert!(!{
        let mut g = double[..40].to_vec();
        g[0] = 7.0;
        bits_of(&g, Free::Never, |c| Some(2.0 * c.n)).is_some()
    });
    // Nothing said of most is no explanation: a quarter is the least.
    let some = |g: &[f64], f| bits_of(g, Free::Never, f).is_some();
    assert!(some(&double, |c| (c.i % 4 == 0).then_some(2.0 * c.n)));
    assert!(!some(&double, |c| (c.i % 4 == 0 && c.i > 0).then_some(2.0 * c.n)));
}

#[test]
fn what_a_simpler_state_repeats_counts_once() {
    // Three elements that do not depend on each other, the first off by 3 % in a state of m.
    let at = |m: usize, size: f64, seed: usize| {
        let n: Vec<f64> = (0..3).map(|k| size * number(10 * seed + k)).collect();
        let mut g = n.clone();
        g.iter_mut().for_each(|g| *g *= 1.0373);
        let mut evidence = state(&[("w", &[3])], &[("m", m)], &g, &n);
        evidence.primal = (0..3).map(|k| number(500 + 10 * seed + k)).collect();
        evidence
    };
    let first = |mut evidence: Evidence| {
        let only = |values: &[f64]| vec![values[0]];
        evidence.analytic = Arc::new(only(&evidence.analytic));
        evidence.numeric = only(&(0..3).map(|k| evidence.numeric[k]).collect::<Vec<_>>()).into();
        evidence.bound = vec![BOUND].into();
        evidence.verdict = vec![Verdict::Wrong].into_iter().collect();
        evidence.primal.truncate(1);
        evidence.blocks = vec![Block::doubles("w", "p.w".to_owned(), &[1], 0)].into();
        evidence
    };
    let kind = |states: &[Evidence]| diagnose(states).findings[0].kind.clone();
    let is_scaled = |kind: &Kind| matches!(kind, Kind::Scaled { range: None, .. });
    let one = |m, size, seed| first(at(m, size, seed));
    // The same element in three sizes, of a sum and of a mean over m.
    let sum = [one(1, 1.0, 0), one(2, 1.0, 0), one(3, 1.0, 0)];
    let mean = [one(1, 1.0, 0), one(2, 0.5, 0), one(3, 1.0 / 3.0, 0)];
    assert_eq!([kind(&sum), kind(&mean)], [Kind::Unknown, Kind::Unknown]);
    // Other numbers, be it at the same parameter, are other evidence.
    let mut other = one(2, 1.0, 1);
    assert!(is_scaled(&kind(&[one(1, 1.0, 0), other.clone()])));
    other.primal.clone_from(&sum[0].primal);
    assert!(is_scaled(&kind(&[one(1, 1.0, 0), other])));
    // A little training on, it is the same again.
    let mut later = one(1, 1.0, 0);
    later.primal[0] *= 1.001;
    later.analytic = Arc::new(vec![1.001 * later.analytic[0]]);
    later.numeric = vec![1.001 * later.numeric[0]].into();
    assert_eq!(kind(&[one(1, 1.0, 0), later]), Kind::Unknown);
    // So are other elements of the same state.
    assert!(is_scaled(&kind(&[at(2, 1.0, 0)])));
    // All of them count as often as the state is shown, which is once.
    let bits = |states: &[Evidence]| diagnose(states).findings[0].facts.bits;
    close(bits(&[at(2, 1.0, 0), at(3, 1.0, 0), at(4, 1.0, 0)]), bits(&[at(2, 1.0, 0)]), 1e-9);
}

#[test]
fn what_repeats_is_alike_in_all_that_was_found() {
    // The same parameter, the gradient off by a thousandth.
    let with = |m: usize, parameter: f64, g: f64, n: f64| {
        let mut evidence = state(&[("w", &[])], &[("m", m)], &[g], &[n]);
        evidence.primal = vec![parameter];
        evidence
    };
    let repeats = |first: Evidence, second: Evidence| {
        let states = [first, second];
        let mut parts = parts(&states);
        super::part::mark_repeats(&mut parts);
        parts[0].comps[0].like > 0 && parts[0].comps[0].like == parts[1].comps[0].like
    };
    let home = || with(3, 0.7, 2.002, 2.0);
    assert!(repeats(home(), home()));
    for by in [0.995, 1.005] {
        assert!(repeats(home(), with(3, 0.7 * by, 2.002 * by, 2.0 * by)), "{by}");
    }
    // As far off, of other numbers; near them, and off in another way; and at another parameter.
    assert!(!repeats(home(), with(3, 0.7, 2.102, 2.1)));
    assert!(!repeats(home(), with(3, 0.7, 2.002, 2.003)));
    assert!(!repeats(home(), with(3, 0.7, 2.002, 1.999)));
    assert!(!repeats(home(), with(3, 0.75, 2.002, 2.0)));
    assert!(!repeats(home(), with(3, -0.7, 2.002, 2.0)));
    // Of a mean, the size is divided by; of nothing else.
    assert!(repeats(home(), with(6, 0.7, 1.001, 1.0)));
    assert!(!repeats(home(), with(5, 0.7, 1.001, 1.0)));
    // What is hidden in the noise of either may be the same, in the size of the first.
    let noisy = |mut evidence: Evidence, bound: f64| {
        evidence.bound = vec![bound].into();
        evidence
    };
    let near = |mine: f64, m: usize, size: f64, theirs: f64| {
        let other = with(m, 0.7, size * 2.002, size * 1.999);
        repeats(noisy(home(), mine), noisy(other, theirs))
    };
    assert!(near(4e-4, 3, 1.0, 0.0) && near(0.0, 3, 1.0, 4e-4) && near(2e-4, 3, 1.0, 2e-4));
    assert!(!near(2e-4, 3, 1.0, 0.0) && !near(0.0, 3, 1.0, 2e-4));
    assert!(near(0.0, 30, 0.1, 4e-5) && !near(0.0, 30, 0.1, 2e-5));
    // Zeros are the same zeros.
    let zero = || with(3, 0.7, 0.0, 2.0);
    assert!(repeats(zero(), zero()) && !repeats(zero(), home()));
}

#[test]
fn a_component_repeated_is_not_always_the_same_one() {
    let with = |seed: usize, wrong: usize| {
        let n: Vec<f64> = (0..5).map(|k| number(100 * seed + k)).collect();
        let g = (0..5).map(|k| if k == wrong { number(900 + seed) } else { n[k] });
        let mut evidence = one(&[5], &g.collect::<Vec<_>>(), &n);
        evidence.primal = (0..5).map(|k| number(3000 + 100 * seed + k)).collect();
        evidence
    };
    let paths = |states: &[Evidence]| {
        let mut parts = parts(states);
        super::part::mark_repeats(&mut parts);
        listed(&parts.iter().collect::<Vec<_>>())
    };
    // In three states it is always the same; in one that is shown three times, who knows.
    assert_eq!(paths(&[with(0, 1), with(1, 1), with(2, 1)]), Some(vec!["w[1]".to_owned()]));
    assert_eq!(paths(&[with(0, 1), with(0, 1), with(0, 1)]), None);
    // Nor does it make an interval, of which it is the only number.
    let interval = |states: &[Evidence]| {
        let mut parts = parts(states);
        super::part::mark_repeats(&mut parts);
        between(&parts.iter().collect::<Vec<_>>()).is_some()
    };
    let lowest = |seed: usize| {
        let w = |k: usize| number(3000 + 100 * seed + k);
        with(seed, (0..5).min_by(|&a, &b| w(a).total_cmp(&w(b))).expect("five"))
    };
    assert!(!interval(&vec![lowest(0); 12]));
    assert!(interval(&[0, 1, 2, 3, 4, 5].map(high_one)));
}

/// Five components of which that with a parameter above 10 is wrong.
fn high_one(seed: usize) -> Evidence {
    let n: Vec<f64> = (0..5).map(|k| number(100 * seed + k)).collect();
    let mut g = n.clone();
    g[2] = number(900 + seed);
    let mut evidence = one(&[5], &g, &n);
    evidence.primal = (0..5).map(|k| number(3000 + 100 * seed + k)).collect();
    evidence.primal[2] = 12.0 + number(70 + seed);
    evidence
}

#[test]
fn a_value_that_is_moved_counts_once() {
    let n = numbers(16);
    let shifted: Vec<f64> = (0..16).map(|k| n[(k + 1) % 16]).collect();
    let moved = |n: &[f64], g: &[f64]| {
        let evidence = one(&[16], g, n);
        let part = Part::new(0, &evidence, 0);
        let predict: Predict = Box::new(|p, c| p.partner(c, (c.i + 1) % 16));
        let full: f64 = part
            .comps
            .iter()
            .filter(|c| c.wrong)
            .map(|c| bits(c.d, predict(&part, c).map_or(0.0, |x| x.1)))
            .sum();
        (distinct_bits(&[&part], false, &predict), full)
    };
    let (distinct, full) = moved(&n, &shifted);
    close(distinct, full, 1e-9);
    // Of zeros and ones that are met by chance, nothing is left.
    let steps: Vec<f64> = n.iter().map(|&n| f64::from(u8::from(n > 0.0))).collect();
    let shifted: Vec<f64> = (0..16).map(|k| steps[(k + 1) % 16]).collect();
    assert!(moved(&steps, &shifted).0 <= 1.0);
    // Pairs of equal numbers: a half of what is left by chance, less the best.
    let pairs: Vec<f64> = (0..16).map(|k| number(k / 2)).collect();
    let shifted: Vec<f64> = (0..16).map(|k| pairs[(k + 1) % 16]).collect();
    // Each value that is wrong stands twice among sixteen: three bits; eight of them, less one.
    close(moved(&pairs, &shifted).0, 7.0 * 3.0, 1e-9);
}

// ---- Shapes ---------------------------------------------------------------------------------

/// The best of these candidates, for one block.
fn named(states: &[Evidence], make: impl Fn(&[&Part<'_>], &mut Vec<Candidate>)) -> Option<Kind> {
    let parts = parts(states);
    let parts: Vec<&Part<'_>> = parts.iter().collect();
    let mut candidates = Vec::new();
    make(&parts, &mut candidates);
    choose(&parts, &[], candidates).map(|found| found.kind)
}

fn array(shape: &[usize]) -> ArrayD<f64> {
    positions(shape).mapv(number)
}

fn flat(array: &ArrayD<f64>) -> Vec<f64> {
    array.iter().copied().collect()
}

#[test]
fn every_order_has_its_name() {
    for shape in [vec![3, 4, 3], vec![5, 4], vec![4, 4], vec![7], vec![3, 3, 3]] {
        let right = array(&shape);
        let order = |wrong: ArrayD<f64>| {
            named(&[one(&shape, &flat(&wrong), &flat(&right))], shapes::order_candidates)
        };
        for a in 0..shape.len() {
            let count = shape[a];
            let taken = |from: &dyn Fn(usize) -> usize| {
                let indices: Vec<usize> = (0..count).map(from).collect();
                right.select(Axis(a), &indices)
            };
            let kind = order(taken(&|i| count - 1 - i));
            assert_eq!(kind, Some(Kind::ReversedAlongAxis { axis: a }), "{shape:?}");
            let kind = order(taken(&|i| (i + count - 1) % count));
            assert_eq!(kind, Some(Kind::ShiftedByOne { axis: a, late: true }), "{shape:?}");
            let kind = order(taken(&|i| (i + 1) % count));
            assert_eq!(kind, Some(Kind::ShiftedByOne { axis: a, late: false }), "{shape:?}");
            // Something else comes in where one falls off.
            for late in [true, false] {
                let mut wrong =
                    taken(&|i| if late { (i + count - 1) % count } else { (i + 1) % count });
                wrong.index_axis_mut(Axis(a), if late { 0 } else { count - 1 }).fill(0.0);
                let kind = order(wrong);
                assert_eq!(kind, Some(Kind::ShiftedByOne { axis: a, late }), "{shape:?}");
            }
            if shape.len() == 1 {
                continue;
            }
            let slice = |slice| Some(Kind::OneSliceForAll { axis: a, slice });
            assert_eq!(order(taken(&|_| 0)), slice(Slice::First), "{shape:?}");
            assert_eq!(order(taken(&|_| count - 1)), slice(Slice::Last), "{shape:?}");
            let sum = right.sum_axis(Axis(a)).insert_axis(Axis(a));
            let sum = sum.broadcast(right.raw_dim()).expect("one for all").to_owned();
            assert_eq!(order(&sum / count as f64), slice(Slice::Mean), "{shape:?}");
            assert_eq!(order(sum), slice(Slice::Sum), "{shape:?}");
            for b in a + 1..shape.len() {
                let mut swapped = right.clone();
                swapped.swap_axes(a, b);
                let reshaped = shape[a] != shape[b];
                let wrong = ArrayD::from_shape_vec(IxDyn(&shape), flat(&swapped));
                let kind = order(wrong.expect("as many"));
                assert_eq!(kind, Some(Kind::Transposed { axes: (a, b), reshaped }), "{shape:?}");
            }
            // A factor, or an offset, for each slice.
            let (mut scaled, mut offset) = (right.clone(), right.clone());
            for i in 0..count {
                scaled.index_axis_mut(Axis(a), i).mapv_inplace(|x| x * (1.3 + i as f64));
                offset.index_axis_mut(Axis(a), i).mapv_inplace(|x| x + 0.7 * number(70 + i));
            }
            assert_eq!(order(scaled), Some(Kind::ScaledAlongAxis { axis: a }), "{shape:?}");
            assert_eq!(order(offset), Some(Kind::OffsetAlongAxis { axis: a }), "{shape:?}");
        }
        // Another order is none of these.
        let mut values = flat(&right);
        values.sort_by_key(|x| x.to_bits().rotate_left(20));
        assert_eq!(order(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many")), None);
    }
}

/// States of a block `w [6]` at these sizes `m, n`, with the gradient as `f` makes it of the right one.
fn sized(sizes: &[(usize, usize)], f: impl Fn(f64, f64, f64, f64) -> f64) -> Vec<Evidence> {
    sizes
        .iter()
        .enumerate()
        .map(|(s, &(m, n))| {
            let right: Vec<f64> = (0..6).map(|k| number(100 * s + k)).collect();
            let wrong: Vec<f64> =
                (0..6).map(|k| f(right[k], number(1000 + k), m as f64, n as f64)).collect();
            state(&[("w", &[6])], &[("m", m), ("n", n)], &wrong, &right)
        })
        .collect()
}

const SIZES: [(usize, usize); 4] = [(5, 3), (2, 4), (7, 4), (3, 8)];

#[test]
fn factors_follow_dimensions() {
    type Of = fn(f64, f64) -> f64;
    let table: [(Of, &str); 20] = [
        (|m, _| m, "m"),
        (|m, _| 1.0 / m, "1/m"),
        (|_, n| n, "n"),
        (|m, _| m * m, "m^2"),
        (|m, _| 1.0 / (m * m), "1/m^2"),
        (|m, _| m.sqrt(), "sqrt(m)"),
        (|m, _| 1.0 / m.sqrt(), "1/sqrt(m)"),
        (|m, _| 2.0 * m, "2 m"),
        (|m, _| 2.0 / m, "2/m"),
        (|m, _| m / 2.0, "m/2"),
        (|m, _| 0.5 / m, "1/(2 m)"),
        (|m, _| m / (m - 1.0), "m/(m - 1)"),
        (|m, _| (m - 1.0) / m, "(m - 1)/m"),
        (|m, _| m - 1.0, "(m - 1)"),
        (|m, _| 1.0 / (m - 1.0), "1/(m - 1)"),
        (|m, n| m * n, "m n"),
        (|m, n| 1.0 / (m * n), "1/(m n)"),
        (|m, n| m / n, "m/n"),
        (|m, n| n / m, "n/m"),
        (|m, _| -m, "-m"),
    ];
    for (f, words) in table {
        let states = sized(&SIZES, |g, _, m, n| f(m, n) * g);
        let kind = named(&states, shapes::scale_candidates);
        let Some(Kind::Scaled { factor, follows, range: None, uncertainty: 0.0 }) = kind else {
            panic!("{words}: {kind:?}")
        };
        assert_eq!(follows.iter().map(ToString::to_string).collect::<Vec<_>>(), [words]);
        close(factor, f(5.0, 3.0), 1e-12);
    }
    // In one state with two sizes that are equal: both are said.
    let kind = named(&sized(&[(5, 5)], |g, _, m, _| m * g), shapes::scale_candidates);
    assert!(
        matches!(kind, Some(Kind::Scaled { ref follows, .. }) if follows.len() == 2),
        "{kind:?}"
    );
    // A number in front that is the same in all states.
    let kind = named(&sized(&SIZES, |g, _, m, _| 0.37 * m * g), shapes::scale_candidates);
    let Some(Kind::Scaled { factor, follows, .. }) = kind else { panic!("{kind:?}") };
    close(factor, 0.37 * 5.0, 1e-9);
    close(follows[0].number, 0.37, 1e-9);
    // Numbers that follow nothing: one, or one for each state.
    for k in [2.0, 0.5, -2.0, 3.0, 0.1] {
        let kind = named(&sized(&SIZES, |g, _, _, _| k * g), shapes::scale_candidates);
        let Some(Kind::Scaled { factor, follows, range: None, uncertainty }) = kind else {
            panic!("{kind:?}")
        };
        assert_eq!((factor, follows.len(), uncertainty), (k, 0, 0.0));
    }
    let kind = named(&sized(&SIZES, |g, _, _, _| 1.2345 * g), shapes::scale_candidates);
    let Some(Kind::Scaled { factor, uncertainty, range: None, .. }) = kind else {
        panic!("{kind:?}")
    };
    close(factor, 1.2345, 1e-7);
    assert!(uncertainty > 0.0 && uncertainty < 1e-6);
    let each = |g: f64, _: f64, m: f64, _: f64| g * (1.0 + (m * m * m).sin());
    let kind = named(&sized(&SIZES, each), shapes::scale_candidates);
    let Some(Kind::Scaled { range: Some((low, high)), .. }) = kind else { panic!("{kind:?}") };
    let factors = SIZES.map(|(m, _)| 1.0 + ((m * m * m) as f64).sin());
    close(low, factors.into_iter().fold(f64::INFINITY, f64::min), 1e-6);
    close(high, factors.into_iter().fold(0.0, f64::max), 1e-6);
    let kind = named(&sized(&SIZES, |g, _, _, _| -g), shapes::scale_candidates);
    assert_eq!(kind, Some(Kind::SignFlipped));
}

#[test]
fn products_are_tried_only_where_they_say_something() {
    let tried = |states: &[Evidence]| -> Vec<(String, f64)> {
        let parts = parts(states);
        let parts: Vec<&Part<'_>> = parts.iter().collect();
        formulas(&parts).into_iter().map(|(f, cost)| (f.to_string(), cost)).collect()
    };
    let all = tried(&sized(&SIZES, |g, _, _, _| g));
    let cost = |all: &[(String, f64)], of: &str| {
        all.iter().find(|(words, _)| words == of).map(|&(_, cost)| cost)
    };
    // A dimension is likelier than the extent of the block, and both than a product.
    let (own, drawn) = (cost(&all, "len(w)"), cost(&all, "m"));
    assert!(drawn < own && own.is_some() && drawn < cost(&all, "m n"), "{all:?}");
    assert_eq!(cost(&all, "1/m"), drawn);
    assert_eq!(cost(&all, "m n"), cost(&all, "m^2"));
    // Two sizes and the length, each and its inverse; of the two sizes twelve more each, and four.
    assert_eq!(all.len(), 6 + 24 + 4);
    // A size that is 1 everywhere explains nothing, nor does a length that has a name already.
    let ones = tried(&sized(&[(1, 6), (1, 6)], |g, _, _, _| g));
    assert_eq!(
        (cost(&ones, "m"), cost(&ones, "m n"), cost(&ones, "len(w)")),
        (None, cost(&ones, "m/n"), None)
    );
    assert!(cost(&ones, "n").is_some());
    // Of a matrix also rows and columns.
    let values = numbers(6);
    let matrix =
        tried(&[state(&[("w", &[2, 3])], &[("m", 5), ("n", 7), ("k", 4)], &values, &values)]);
    for of in ["rows(w)", "1/columns(w)", "m n k", "1/(m n k)"] {
        assert!(cost(&matrix, of).is_some(), "{of} of {matrix:?}");
    }
}

#[test]
fn terms_and_offsets_have_their_size() {
    let terms = |states: &[Evidence]| named(states, |p, out| shapes::term_candidates(p, true, out));
    let sign = |w: f64| if w > 0.0 { 1.0 } else { -1.0 };
    let kind = terms(&sized(&SIZES, |g, w, _, _| g - 0.7 * w));
    let Some(Kind::MissingTermProportionalToParameter {
        factor,
        follows: None,
        range: None,
        sign: false,
        ..
    }) = kind
    else {
        panic!("{kind:?}")
    };
    close(factor, -0.7, 1e-9);
    let kind = terms(&sized(&SIZES, move |g, w, _, _| g + 0.3 * sign(w)));
    let Some(Kind::MissingTermProportionalToParameter { factor, range: None, sign: true, .. }) =
        kind
    else {
        panic!("{kind:?}")
    };
    close(factor, 0.3, 1e-9);
    let kind = terms(&sized(&SIZES, |g, _, _, _| g + 0.25));
    let Some(Kind::ConstantOffset { offset, range: None, .. }) = kind else { panic!("{kind:?}") };
    close(offset, 0.25, 1e-9);
    // A size that varies with a dimension, and one that varies with nothing.
    let kind = terms(&sized(&SIZES, |g, w, m, _| g - 0.7 / m * w));
    let Some(Kind::MissingTermProportionalToParameter { factor, follows: Some(follows), .. }) =
        kind
    else {
        panic!("{kind:?}")
    };
    close(factor, -0.7 / 5.0, 1e-9);
    close(follows.number, -0.7, 1e-9);
    assert_eq!(follows.terms, Follows::of(1.0, &[("m", 0, -2)]).terms);
    let kind = terms(&sized(&SIZES, |g, w, m, _| g - (m * m * m).sin() * w));
    let Some(Kind::MissingTermProportionalToParameter { range: Some((low, high)), .. }) = kind
    else {
        panic!("{kind:?}")
    };
    let factors = SIZES.map(|(m, _)| -((m * m * m) as f64).sin());
    close(low, factors.into_iter().fold(f64::INFINITY, f64::min), 1e-9);
    close(high, factors.into_iter().fold(f64::NEG_INFINITY, f64::max), 1e-9);
    let kind = terms(&sized(&SIZES, |g, _, m, _| g + (m * m * m).sin()));
    assert!(matches!(kind, Some(Kind::ConstantOffset { range: Some(_), .. })), "{kind:?}");
    assert_eq!(terms(&sized(&SIZES, |g, _, _, _| 2.0 * g)), None);
}

#[test]
fn zeros_and_clipped_values_are_known() {
    let zeros = |states: &[Evidence]| named(states, |_, out| shapes::zero_candidates(out));
    assert_eq!(zeros(&sized(&SIZES, |_, _, _, _| 0.0)), Some(Kind::Zero));
    assert_eq!(zeros(&sized(&SIZES, |g, _, _, _| 1e-3 * g)), None);
    let n = numbers(6);
    assert_eq!(zeros(&[one(&[6], &n, &[0.0; 6])]), Some(Kind::ForwardIgnores));
    let mut some = vec![0.0; 6];
    some[5] = 1e-3;
    assert_eq!(zeros(&[one(&[6], &n, &some)]), None);
    let clip = |states: &[Evidence]| named(states, shapes::clip_candidates);
    let kind = clip(&sized(&SIZES, |g, _, _, _| g.clamp(-0.8, 0.8)));
    assert_eq!(kind, Some(Kind::Clipped { at: 0.8 }));
    assert_eq!(clip(&sized(&SIZES, |g, _, _, _| if g > 0.8 { 0.6 } else { g })), None);
}

#[test]
fn a_factor_may_be_a_parameter() {
    for function in Function::ALL {
        let states = sized(&SIZES, move |g, w, _, _| match function {
            Function::Itself => g * w,
            Function::Inverse => g / w,
            Function::Square => g * w * w,
            Function::InverseSquare => g / w / w,
            Function::Exp => g * w.exp(),
            Function::InverseExp => g / w.exp(),
        });
        let kind = named(&states, shapes::factor_candidates);
        assert_eq!(kind, Some(Kind::ParameterFactor { parameter: "w".to_owned(), function }));
    }
    // Another block's: one for all, one for each, or one along the last axis of that extent.
    let right = numbers(8);
    for (shape, of) in
        [(vec![], [8; 6]), (vec![6], [8, 9, 10, 11, 12, 13]), (vec![3], [8, 9, 10, 8, 9, 10])]
    {
        let count = shape.iter().product::<usize>();
        let blocks: [(&str, &[usize]); 3] = [("v", &[2]), ("w", &[2, 3]), ("s", &shape)];
        let n: Vec<f64> = (0..8 + count).map(number).collect();
        let mut g = n.clone();
        for (k, at) in of.into_iter().enumerate() {
            g[2 + k] = n[2 + k] * number(1000 + at);
        }
        let evidence = state(&blocks, &[], &g, &n);
        let part = Part::new(0, &evidence, 1);
        let mut candidates = Vec::new();
        shapes::factor_candidates(&[&part], &mut candidates);
        let kind = choose(&[&part], &[], candidates).map(|found| found.kind);
        let function = Function::Itself;
        assert_eq!(kind, Some(Kind::ParameterFactor { parameter: "s".to_owned(), function }));
    }
    assert_eq!(right.len(), 8);
}

#[test]
fn single_precision_is_known_by_its_size_and_randomness() {
    let found = |f: &dyn Fn(usize, f64) -> f64, count: usize| {
        let n = numbers(count);
        let g: Vec<f64> = n.iter().enumerate().map(|(k, &n)| f(k, n)).collect();
        let mut evidence = one(&[count], &g, &n);
        for k in 0..count {
            let off = (g[k] - n[k]).abs() > 1e-11;
            evidence.verdict[k] = if off { Verdict::Wrong } else { Verdict::Agrees };
        }
        let part = Part::new(0, &evidence, 0);
        shapes::single_precision(&[&part]).map(|found| found.kind)
    };
    let single = Some(Kind::SinglePrecision);
    // Rounded numbers, three of them or more.
    assert_eq!(found(&|_, n| f64::from(n as f32), 3), single);
    assert_eq!(found(&|_, n| f64::from(n as f32), 2), None);
    // Errors of that size, of either sign; ten or more.
    let error = |k: usize| number(500 + k).abs() * if k.is_multiple_of(3) { -1.0 } else { 1.0 };
    let noisy = |size: f64| move |k: usize, n: f64| n * (1.0 + size * error(k));
    assert_eq!(found(&noisy(1e-7), 10), single);
    assert_eq!(found(&noisy(1e-7), 9), None);
    assert_eq!(found(&|k, n| n * (1.0 + 1e-7 * number(500 + k).abs()), 20), None);
    assert_eq!(found(&noisy(1e-4), 20), None);
    assert_eq!(found(&noisy(2e-6), 20), None);
    assert_eq!(found(&noisy(1e-9), 20), None);
    // One that stands out is something else.
    let outlier = |k: usize, n: f64| n * (1.0 + if k == 3 { 9e-6 } else { 1e-7 * error(k) });
    assert_eq!(found(&outlier, 20), None);
}

fn part_of_m(part: SumPart) -> Kind {
    Kind::PartOfSum { dim: "m".to_owned(), part, or: None }
}

#[test]
fn of_two_slices_the_last_is_all_but_the_first() {
    let slice = |k: usize, i: usize| number(40 * k + i);
    let make = |m: usize, of: std::ops::Range<usize>| {
        let sum = |of: std::ops::Range<usize>, i| of.map(|k| slice(k, i)).sum::<f64>();
        let right: Vec<f64> = (0..5).map(|i| sum(0..m, i)).collect();
        let wrong: Vec<f64> = (0..5).map(|i| sum(of.clone(), i)).collect();
        state(&[("w", &[5])], &[("m", m)], &wrong, &right)
    };
    let found = |states: &[Evidence]| {
        let parts = parts(states);
        let wrong: Vec<&Part<'_>> = parts.iter().filter(|p| p.wrong).collect();
        let kind = shapes::part_of_sum(&wrong, &parts).map(|found| found.kind).expect("known");
        (of_w(kind.clone()), kind)
    };
    let (words, kind) = found(&[make(2, 1..2), make(1, 0..1)]);
    let (part, or) = (SumPart::Last, Some(SumPart::AllButFirst));
    assert_eq!(kind, Kind::PartOfSum { dim: "m".to_owned(), part, or });
    assert_eq!(
        words,
        "last slice in place of the sum over m, or first slice left out of the sum over m, in w"
    );
    // A state of three tells.
    let (words, kind) = found(&[make(2, 1..2), make(3, 2..3), make(1, 0..1)]);
    assert_eq!(kind, part_of_m(SumPart::Last));
    assert_eq!(
        words,
        "last slice in place of the sum over m in w: is it overwritten, not added to?"
    );
    let (words, kind) = found(&[make(2, 1..2), make(3, 1..3), make(1, 0..1)]);
    assert_eq!(kind, part_of_m(SumPart::AllButFirst));
    assert_eq!(words, "first slice left out of the sum over m in w");
}

#[test]
fn zeros_are_no_part_of_a_sum() {
    // Only the last slice has a derivative: of fewer slices there is none, as of a fault that
    // leaves zeros.
    let make = |m: usize, wrong: &dyn Fn(usize, f64) -> f64| {
        let right: Vec<f64> = (0..5).map(|i| if m == 4 { number(i) } else { 0.0 }).collect();
        let wrong: Vec<f64> = right.iter().enumerate().map(|(i, &n)| wrong(i, n)).collect();
        state(&[("w", &[5])], &[("m", m)], &wrong, &right)
    };
    let found = |of_four: Evidence, of_three: Evidence| {
        let states = [of_four, of_three];
        let parts = parts(&states);
        shapes::part_of_sum(&[&parts[0]], &parts).map(|found| found.kind)
    };
    assert_eq!(found(make(4, &|_, _| 0.0), make(3, &|_, n| n)), None);
    // With a derivative of their own the first three show what is left out.
    let of_three: Vec<f64> = (0..5).map(|i| number(50 + i)).collect();
    let of_four: Vec<f64> = (0..5).map(|i| number(50 + i) + number(i)).collect();
    let four = state(&[("w", &[5])], &[("m", 4)], &of_three, &of_four);
    let three = state(&[("w", &[5])], &[("m", 3)], &of_three, &of_three);
    assert_eq!(found(four, three), Some(part_of_m(SumPart::AllButLast)));
}

#[test]
fn a_part_of_a_sum_is_known_by_states_with_fewer_slices() {
    // g = sum of slices; a state of m slices begins with those of m - 1.
    let slice = |k: usize, i: usize| number(40 * k + i);
    let sum = |m: usize, i: usize| (0..m).map(|k| slice(k, i)).sum::<f64>();
    type Fault = fn(&dyn Fn(usize, usize) -> f64, usize, usize) -> f64;
    let table: [(SumPart, Fault); 4] = [
        (SumPart::First, |slice, _, i| slice(0, i)),
        (SumPart::Last, |slice, m, i| slice(m - 1, i)),
        (SumPart::AllButFirst, |slice, m, i| (1..m).map(|k| slice(k, i)).sum()),
        (SumPart::AllButLast, |slice, m, i| (0..m - 1).map(|k| slice(k, i)).sum()),
    ];
    for mean in [false, true] {
        for (part, fault) in table {
            let divisor = |m: usize| if mean { m as f64 } else { 1.0 };
            let make = |m: usize, wrong: bool| {
                let right: Vec<f64> = (0..5).map(|i| sum(m, i) / divisor(m)).collect();
                let wrong: Vec<f64> = match wrong {
                    true => (0..5).map(|i| fault(&slice, m, i) / divisor(m)).collect(),
                    false => right.clone(),
                };
                state(&[("w", &[5])], &[("n", 3), ("m", m)], &wrong, &right)
            };
            let states = [make(4, true), make(3, false), make(1, false)];
            let parts = parts(&states);
            let found = shapes::part_of_sum(&[&parts[0]], &parts).map(|found| found.kind);
            assert_eq!(found, Some(part_of_m(part)), "{mean}");
            // Without the states beside it nothing can be said.
            assert!(shapes::part_of_sum(&[&parts[0]], &parts[..1]).is_none());
        }
    }
}

// ---- Some components ------------------------------------------------------------------------

fn some(shape: &[usize], wrong: impl Fn(usize) -> bool) -> Evidence {
    let n = numbers(shape.iter().product());
    let g: Vec<f64> = n
        .iter()
        .enumerate()
        .map(|(k, &n)| if wrong(k) { n + 1.0 + number(300 + k) } else { n })
        .collect();
    one(shape, &g, &n)
}

#[test]
fn regions_are_where_the_wrong_ones_are_and_no_others() {
    let of = |evidence: &Evidence| region(&[&Part::new(0, evidence, 0)]);
    let place = |k: usize| (k / 5, k % 5);
    let square = |wrong: fn(usize, usize) -> bool| {
        of(&some(&[5, 5], move |k| wrong(place(k).0, place(k).1)))
    };
    assert_eq!(square(|i, _| i == 0), Some(Region::FirstSlice { axis: 0 }));
    assert_eq!(square(|i, _| i == 4), Some(Region::LastSlice { axis: 0 }));
    assert_eq!(square(|_, j| j == 0), Some(Region::FirstSlice { axis: 1 }));
    assert_eq!(square(|_, j| j == 4), Some(Region::LastSlice { axis: 1 }));
    assert_eq!(square(|i, j| i == j), Some(Region::Diagonal));
    assert_eq!(square(|i, j| i != j), Some(Region::OffDiagonal));
    assert_eq!(square(|i, j| i < j), Some(Region::UpperTriangle));
    assert_eq!(square(|i, j| i > j), Some(Region::LowerTriangle));
    // Half of a slice is not the slice.
    assert_eq!(square(|i, j| i == 0 && j < 2), None);
    let w = |k: usize| number(1000 + k);
    let n = number;
    assert_eq!(of(&some(&[24], |k| w(k) < 0.0)), Some(Region::NegativeParameter));
    assert_eq!(of(&some(&[24], |k| w(k) > 0.0)), Some(Region::PositiveParameter));
    assert_eq!(of(&some(&[24], |k| n(k) < 0.0)), Some(Region::NegativeNumeric));
    assert_eq!(of(&some(&[24], |k| n(k) > 0.0)), Some(Region::PositiveNumeric));
    let inside = |k: usize| (0.6..1.2).contains(&w(k));
    let found = of(&some(&[40], inside));
    let of_wrong = (0..40).filter(|&k| inside(k)).map(w);
    let low = of_wrong.clone().fold(f64::INFINITY, f64::min);
    let high = of_wrong.fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(found, Some(Region::Between { low, high }));
    // One right component among them: no interval.
    let hole = (0..40).filter(|&k| inside(k)).find(|&k| w(k) > low && w(k) < high);
    let holed = some(&[40], |k| inside(k) && Some(k) != hole);
    assert_eq!(between(&[&Part::new(0, &holed, 0)]), None);
    assert_eq!(of(&some(&[24], |k| k % 3 == 0)), None);
}

#[test]
fn few_components_that_are_always_the_same_are_listed() {
    let paths = |states: &[Evidence]| {
        let parts = parts(states);
        listed(&parts.iter().collect::<Vec<_>>())
    };
    let at = |count: usize, wrong: &'static [usize]| some(&[count], move |k| wrong.contains(&k));
    let names = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
    assert_eq!(paths(&[at(12, &[10, 2])]), names(&["w[2]", "w[10]"]));
    // Too many for their number, or too small a block.
    assert_eq!(paths(&[at(12, &[1, 2, 5, 7])]), None);
    assert_eq!(paths(&[at(7, &[1])]), None);
    assert_eq!(paths(&[at(8, &[1])]), names(&["w[1]"]));
    // The same in three states will do for a small one.
    assert_eq!(paths(&[at(5, &[1]), at(5, &[1])]), None);
    assert_eq!(paths(&[at(5, &[1]), at(5, &[1]), at(5, &[1])]), names(&["w[1]"]));
    // Now these, now those: only among very many.
    assert_eq!(paths(&[at(12, &[1]), at(12, &[2])]), None);
    assert_eq!(paths(&[at(30, &[1]), at(30, &[2])]), names(&["w[1]", "w[2]"]));
}

#[test]
fn another_order_costs_its_choice() {
    let n = numbers(9);
    let bits_of = |order: &dyn Fn(usize) -> usize| {
        let g: Vec<f64> = (0..9).map(|k| n[order(k)]).collect();
        let evidence = one(&[9], &g, &n);
        let part = Part::new(0, &evidence, 0);
        let own: f64 = part
            .comps
            .iter()
            .map(|c| {
                let from = part.comp(order(c.i)).expect("measured");
                if order(c.i) == c.i { 0.0 } else { bits(c.d, c.tol + from.noise) }
            })
            .sum();
        (permuted(&[&part]), own)
    };
    let (found, own) = bits_of(&|k| (k * 2) % 9);
    // Less the best, the choice of one order of nine, and six for its being no known one.
    let factorial = (362_880_f64).log2();
    let left = own - factorial - 6.0;
    assert!(found.is_some_and(|bits| bits < left && bits > left - CAP_BITS), "{found:?} {own}");
    assert_eq!(bits_of(&|k| k).0, None);
    let evidence = one(&[9], &numbers(10)[1..], &n);
    assert_eq!(permuted(&[&Part::new(0, &evidence, 0)]), None);
    // Of wrong components alone, what is wrong with them is said plainly.
    let flipped = one(&[3], &[-n[0], -n[1], -n[2]], &n[..3]);
    let found = how(&[&Part::new(0, &flipped, 0)]).map(|found| found.kind);
    assert_eq!(found, Some(Kind::SignFlipped));
}

// ---- Groups and words -----------------------------------------------------------------------

#[test]
fn blocks_share_a_finding_where_its_numbers_are_the_same() {
    let scaled = |k| shapes::scaled(k, 0.0, Vec::new());
    assert!(
        same_kind(&scaled(2.0), &scaled(2.0 + 5e-5)) && !same_kind(&scaled(2.0), &scaled(2.001))
    );
    // Near one it is the distance from one that counts.
    assert!(!same_kind(&scaled(1.000_001), &scaled(1.000_002)));
    let offset = |offset, uncertainty| Kind::ConstantOffset {
        offset,
        uncertainty,
        follows: None,
        range: None,
    };
    assert!(same_kind(&offset(0.3, 1e-3), &offset(0.304, 1e-3)));
    assert!(!same_kind(&offset(0.3, 1e-3), &offset(0.308, 1e-3)));
    let term = |factor, sign| Kind::MissingTermProportionalToParameter {
        factor,
        uncertainty: 0.0,
        follows: None,
        range: None,
        sign,
    };
    assert!(same_kind(&term(0.5, false), &term(0.500_04, false)));
    assert!(!same_kind(&term(0.5, false), &term(0.5002, false)));
    assert!(!same_kind(&term(0.5, false), &term(0.5, true)));
    assert!(same_kind(&Kind::Zero, &Kind::Zero) && !same_kind(&Kind::Zero, &Kind::SignFlipped));
    assert!(!same_kind(&Kind::Permuted, &Kind::Permuted));
}

#[test]
fn ranks_correlate() {
    let pairs = |f: fn(f64) -> f64| (0..12).map(|k| (number(k), f(number(k)))).collect::<Vec<_>>();
    close(rank_correlation(&pairs(f64::exp)), 1.0, 1e-12);
    close(rank_correlation(&pairs(|x| -x.powi(3))), -1.0, 1e-12);
    assert!(rank_correlation(&pairs(|x| (1e6 * x).sin())).abs() < 0.7);
    // Of 0, 1, 2 and 0, 2, 1: one half.
    close(rank_correlation(&[(0.0, 5.0), (1.0, 9.0), (2.0, 7.0)]), 0.5, 1e-12);
    assert_eq!(rank_correlation(&[(1.0, f64::NAN), (2.0, 1.0)]), 0.0);
    assert_eq!(rank_correlation(&[(1.0, 1.0)]), 0.0);
}

#[test]
fn numbers_have_the_digits_that_are_known() {
    assert_eq!(digits(2.0 / 3.0, 3), "0.667");
    assert_eq!(digits(1234.5, 2), "1200");
    assert_eq!((digits(1e6, 3), digits(999_999.0, 6)), ("1e6".to_owned(), "999999".to_owned()));
    assert_eq!((digits(1e-4, 3), digits(9.9e-5, 2)), ("0.0001".to_owned(), "9.9e-5".to_owned()));
    assert_eq!(
        (digits(0.0, 3), digits(-2.5, 3), digits(f64::INFINITY, 3)),
        ("0".to_owned(), "-2.5".to_owned(), "inf".to_owned())
    );
    assert_eq!(known(1.234_567, 1e-3), "1.235");
    assert_eq!(known(1.234_567, 2e-3), "1.23");
    assert_eq!(known(1.234_567, 1e-5), "1.23457");
    assert_eq!(known(1.234_567, 2e-5), "1.2346");
    assert_eq!(known(2.0, 0.0), "2");
    assert_eq!(known(1.0 / 3.0, 0.0), "0.3333");
    assert_eq!(known(-0.7, 1e-6), "-0.7");
    // Near one, those of the distance from one.
    assert_eq!(known(1.000_001, 1e-9), "1.000001");
    assert_eq!(known(0.999_998_8, 1e-8), "0.9999988");
    assert_eq!(known(1.002, 1e-4), "1.002");
    assert_eq!(known(1.0, 0.0), "1");
    let text = |a, b| {
        let (a, b) = pair(a, b);
        format!("{a} {b}")
    };
    assert_eq!(text(1.0 / 3.0, 2.0 / 3.0), "0.333333 0.666667");
    assert_eq!(text(1.000_000_012, 1.000_000_013), "1.000000012 1.000000013");
    assert_eq!(text(0.1, 0.1), "0.1 0.1");
}

fn finding(place: Place, kind: Kind) -> Finding {
    let facts = Facts {
        states: 2,
        failing: 2,
        state: 0,
        dims: Vec::new(),
        worst: "w[1]".to_owned(),
        analytic: 0.5,
        numeric: 0.25,
        wrong: 3,
        at_least: false,
        components: 6,
        cosine: 0.6667,
        norm_ratio: 1.5,
        grows_with_parameter: false,
        right_blocks: Vec::new(),
        bits: 20.0,
    };
    Finding { place, kind, only: None, facts }
}

fn of_w(kind: Kind) -> String {
    finding(Place::Blocks(vec!["w".to_owned()]), kind).to_string()
}

#[test]
fn factors_are_said_with_the_question_that_they_raise() {
    let scaled = |factor: f64, follows: &[Follows]| {
        of_w(Kind::Scaled { factor, uncertainty: 0.0, follows: follows.to_vec(), range: None })
    };
    let f = Follows::of;
    let table: [(f64, Follows, &str); 12] = [
        (5.0, f(1.0, &[("m", 0, 2)]), "5 = m in w: is a mean's 1/m missing?"),
        (0.2, f(1.0, &[("m", 0, -2)]), "0.2 = 1/m in w: is it divided by m once too often?"),
        (25.0, f(1.0, &[("m", 0, 4)]), "25 = m^2 in w: is a mean's 1/m^2 missing?"),
        (15.0, f(1.0, &[("m", 0, 2), ("n", 0, 2)]), "15 = m n in w: is a mean's 1/(m n) missing?"),
        (3.0, f(1.0, &[("m", 0, 1)]), "3 = sqrt(m) in w: is a factor 1/sqrt(m) missing?"),
        (4.0, f(1.0, &[("m", -1, 2)]), "4 = (m - 1) in w: is a factor 1/(m - 1) missing?"),
        (0.25, f(1.0, &[("m", -1, -2)]), "0.25 = 1/(m - 1) in w: is a factor (m - 1) missing?"),
        (
            1.25,
            f(1.0, &[("m", 0, 2), ("m", -1, -2)]),
            "1.25 = m/(m - 1) in w: is a factor (m - 1)/m missing?",
        ),
        (-5.0, f(-1.0, &[("m", 0, 2)]), "-5 = -m in w"),
        (10.0, f(2.0, &[("m", 0, 2)]), "10 = 2 m in w"),
        (2.5, f(0.5, &[("m", 0, 2)]), "2.5 = m/2 in w"),
        (8.0, f(1.0, &[("m", 0, 3)]), "8 = m^(3/2) in w: is a mean's 1/m^(3/2) missing?"),
    ];
    for (factor, follows, words) in table {
        assert_eq!(scaled(factor, &[follows]), format!("scaled by {words}"));
    }
    // Two that it may be raise no question but that of the number.
    let both = [f(1.0, &[("m", 0, 2)]), f(1.0, &[("n", 0, 2)])];
    assert_eq!(scaled(5.0, &both), "scaled by 5 = m = n in w");
    assert_eq!(scaled(2.0, &[]), "scaled by 2 in w: is it counted twice, or a 1/2 left out?");
    assert_eq!(scaled(0.5, &[]), "scaled by 0.5 in w: is the 2 of a square left out?");
    assert_eq!(scaled(0.8, &[]), "scaled by 0.8 in w");
    assert_eq!(scaled(1e-9, &[]), "scaled by 1e-9 in w");
    let range = Kind::Scaled {
        factor: 2.0,
        uncertainty: 0.0,
        follows: Vec::new(),
        range: Some((0.5, 2.0)),
    };
    assert_eq!(
        of_w(range),
        "scaled by 0.5 to 2 (a factor for each state) in w: is a norm, a weight or a drawn setting left out?"
    );
    // A number in front is written as what it is.
    let written = |number: f64, halves| f(number, &[("m", 0, halves)]).to_string();
    assert_eq!(written(1.0 / 3.0, 2), "m/3");
    assert_eq!(written(0.37, 2), "0.37 m");
    assert_eq!(written(0.37, -2), "0.37/m");
    assert_eq!(written(-0.5, -2), "-1/(2 m)");
    assert_eq!(written(1.0, -4), "1/m^2");
    assert_eq!(written(0.4, 2), "0.4 m");
    assert_eq!(written(1e-3, 2), "0.001 m");
    assert_eq!(f(1.0, &[("m", 1, 2)]).to_string(), "(m + 1)");
}

#[test]
fn kinds_are_said_in_full() {
    let term = |factor, follows, range, sign| Kind::MissingTermProportionalToParameter {
        factor,
        uncertainty: 0.0,
        follows,
        range,
        sign,
    };
    let over_m = Some(Follows::of(-0.7, &[("m", 0, -2)]));
    let table = [
        (Kind::Zero, "zero gradient in w: is it ever filled in?"),
        (Kind::Transposed { axes: (0, 1), reshaped: false }, "transposed in w"),
        (Kind::Transposed { axes: (0, 2), reshaped: false }, "transposed in w (axes 0 and 2)"),
        (Kind::Transposed { axes: (1, 2), reshaped: false }, "transposed in w (axes 1 and 2)"),
        (
            Kind::Transposed { axes: (0, 1), reshaped: true },
            "transposed in w, read in the shape of the parameter: is row-major taken for column-major?",
        ),
        (
            term(-0.7, None, None, false),
            "missing term proportional to the parameter w (+0.7 w): is a penalty on one side only?",
        ),
        (
            term(0.7, None, None, false),
            "extra term proportional to the parameter w (+0.7 w): is a penalty on one side only, or counted twice?",
        ),
        (
            term(-0.14, over_m, None, false),
            "missing term proportional to the parameter w (+0.7/m w): is a penalty on one side only?",
        ),
        (
            term(-0.5, None, Some((-0.5, -0.25)), true),
            "missing term proportional to the sign of the parameter w (+0.25 to 0.5 sign(w)): is a penalty on one side only?",
        ),
        (
            term(-0.5, None, Some((-0.5, -0.2)), false),
            "missing term proportional to the parameter w (+0.2 to 0.5 w, a factor for each state): is a norm held fixed, or a drawn penalty on one side only?",
        ),
        (
            term(0.5, None, Some((0.2, 0.5)), false),
            "extra term proportional to the parameter w (+0.2 to 0.5 w, a factor for each state): is a norm held fixed, or a drawn penalty on one side only?",
        ),
        (
            term(-0.5, None, Some((-0.5, 0.4)), false),
            "term proportional to the parameter w (-0.5 to 0.4 w, a factor for each state): is a norm held fixed?",
        ),
        (
            Kind::ForwardIgnores,
            "the forward shows no dependence on w beyond rounding: is the analytic one another parameter's?",
        ),
        (
            Kind::ZeroOnSubset { analytic: false },
            "not zero where the numeric is to rounding, in 3 of 6 components: w: is a mask missing?",
        ),
        (
            Kind::ConstantOffset {
                offset: 0.5,
                uncertainty: 0.0,
                follows: None,
                range: Some((0.25, 0.5)),
            },
            "constant offset in w: a number from 0.25 to 0.5 in each component",
        ),
        (
            Kind::ConstantOffset {
                offset: -1.5,
                uncertainty: 0.0,
                follows: Some(Follows::of(-0.5, &[("m", 0, 2)])),
                range: None,
            },
            "constant offset in w: -m/2 in each component",
        ),
        (
            Kind::ZeroOnSubset { analytic: true },
            "zero where the numeric is not, in 3 of 6 components: w: is a mask wrong?",
        ),
        (
            Kind::ParameterFactor { parameter: "s".to_owned(), function: Function::InverseExp },
            "factor of a parameter: w is the numeric times exp(-s): is a factor of the chain rule missing, or one too many?",
        ),
        (
            Kind::OnlyAtSize { dim: "m".to_owned(), values: Sizes::AtLeast(2) },
            "wrong only where m >= 2, in w\n  \
             3 of 6 components wrong, most w[1]: analytic 0.5, numeric 0.25; cosine 0.667, norm ratio 1.5",
        ),
        (
            Kind::OnlyAtSize { dim: "m".to_owned(), values: Sizes::AtLeast(3) },
            "wrong only where m >= 3, in w\n  \
             3 of 6 components wrong, most w[1]: analytic 0.5, numeric 0.25; cosine 0.667, norm ratio 1.5",
        ),
    ];
    for (kind, words) in table {
        assert_eq!(of_w(kind), words);
    }
    let mut still = finding(Place::Blocks(vec!["w".to_owned()]), Kind::ForwardIgnores);
    (still.facts.numeric, still.facts.norm_ratio) = (0.0, f64::INFINITY);
    let still = still.to_string();
    assert!(still.starts_with("the forward does not depend on w: its numeric derivative is zero"));
    let both = Place::Blocks(vec!["v".to_owned(), "w".to_owned()]);
    assert_eq!(
        finding(both, term(-0.7, None, None, false)).to_string(),
        "missing term proportional to the parameter in v, w (+0.7 times it): is a penalty on one side only?"
    );
    for (function, words) in
        Function::ALL.into_iter().zip(["p", "1/p", "p^2", "1/p^2", "exp(p)", "exp(-p)"])
    {
        assert_eq!(function.of("p"), words);
    }
    let labels = [Kind::Zero, Kind::Unknown, Kind::Permuted].map(|kind| kind.label());
    assert_eq!(labels, ["zero gradient", "no known shape", "in another order"]);
}

#[test]
fn components_are_said_with_what_is_wrong_with_them() {
    let place = |paths: &[&str], region| Place::Components {
        block: "w".to_owned(),
        paths: paths.iter().map(|&p| p.to_owned()).collect(),
        region,
    };
    let said = |place: Place, how: Option<Kind>| {
        finding(place, Kind::Components { how: how.map(Box::new) }).to_string()
    };
    let one = || place(&["w[1]"], Region::Listed);
    let table = [
        (None, "analytic 0.5, numeric 0.25"),
        (Some(Kind::SignFlipped), "sign flipped"),
        (Some(Kind::Zero), "zero where the numeric is 0.25"),
        (Some(Kind::ForwardIgnores), "0.5 where the numeric is zero to rounding"),
        (Some(shapes::scaled(2.0, 0.0, Vec::new())), "scaled by 2"),
        (Some(Kind::Permuted), "each other's values"),
        (
            Some(Kind::ConstantOffset {
                offset: 0.25,
                uncertainty: 0.0,
                follows: None,
                range: None,
            }),
            "off by 0.25 each",
        ),
    ];
    for (how, there) in table {
        assert_eq!(said(one(), how), format!("one component of 6: w[1] ({there})"));
    }
    for (factor, side) in [(-0.5, "missing"), (0.5, "extra")] {
        let how = Kind::MissingTermProportionalToParameter {
            factor,
            uncertainty: 0.0,
            follows: None,
            range: None,
            sign: false,
        };
        let words = format!(
            "one component of 6: w[1] ({side} term proportional to the parameter, +0.5 times it)"
        );
        assert_eq!(said(one(), Some(how)), words);
    }
    let there = "(analytic 0.5, numeric 0.25)";
    assert_eq!(
        said(place(&["w[1]", "w[4]"], Region::Listed), None),
        format!("2 components of 6: w[1], w[4] {there}")
    );
    let scattered = |paths: &[&str]| place(paths, Region::Scattered);
    assert_eq!(
        said(scattered(&["w[1]"]), None),
        format!("one component of 6: w[1], others in other states {there}")
    );
    let mut alone = finding(scattered(&["w[1]"]), Kind::Components { how: None });
    (alone.facts.states, alone.facts.failing) = (1, 1);
    assert_eq!(alone.to_string(), format!("one component of 6: w[1] {there}"));
    assert_eq!(
        said(scattered(&["w[1]", "w[2]"]), None),
        format!("3 of 6 components, components of w (w[1], w[2]) {there}")
    );
    assert_eq!(
        said(scattered(&["1", "2", "3", "4", "5", "6"]), None),
        format!("3 of 6 components, components of w (1, 2, 3, 4, 5, 6, ..) {there}")
    );
    assert_eq!(
        said(place(&["w[0]"], Region::FirstSlice { axis: 1 }), None),
        format!("3 of 6 components, the first slice along axis 1 of w (w[0], ..) {there}")
    );
    let between = |low, high| said(place(&[], Region::Between { low, high }), None);
    for (low, high, words) in [
        (0.0, 0.0, "is zero"),
        (-0.0, 0.0, "is zero"),
        (1.25, 1.25, "is 1.25"),
        (0.0, 1.25, "is between 0 and 1.25"),
        (1.000_01, 1.000_02, "is between 1.00001 and 1.00002"),
    ] {
        let words = format!("3 of 6 components, w where the parameter {words} {there}");
        assert_eq!(between(low, high), words);
    }
    // More than were singled out.
    let open = |paths: &[&str], region, how| {
        let mut open = finding(place(paths, region), how);
        open.facts.at_least = true;
        open.to_string()
    };
    let some = || Kind::Components { how: None };
    for (words, text) in [
        ("at least one component of 6: w[1] ", open(&["w[1]"], Region::Listed, some())),
        (
            "at least 2 components of 6: w[1], w[4] ",
            open(&["w[1]", "w[4]"], Region::Listed, some()),
        ),
        ("at least one component of 6: w[1], others", open(&["w[1]"], Region::Scattered, some())),
        ("at least 3 of 6 components, the diag", open(&[], Region::Diagonal, some())),
        (
            "zero where the numeric is not, in at least 3 of 6 components: the diag",
            open(&[], Region::Diagonal, Kind::ZeroOnSubset { analytic: true }),
        ),
        (
            "no known shape in the diagonal of w\n  at least 3 of 6 components wrong",
            open(&[], Region::Diagonal, Kind::Unknown),
        ),
    ] {
        assert!(text.starts_with(words), "{text}");
    }
}

#[test]
fn facts_and_long_lists_are_said_as_far_as_they_go() {
    let mut unknown = finding(Place::Whole, Kind::Unknown);
    let facts = "no known shape in the whole gradient\n  3 of 6 components wrong, most w[1]: analytic 0.5, \
                 numeric 0.25; cosine 0.667, norm ratio 1.5";
    assert_eq!(unknown.to_string(), facts);
    unknown.facts.failing = 5;
    unknown.only = Some(Only::AtSize { dim: "m".to_owned(), values: Sizes::Equal(1) });
    let text = unknown.to_string();
    assert!(
        text.starts_with("no known shape in the whole gradient, in 2 of 5 failing states; wrong only where m = 1\n"),
        "{text}"
    );
    unknown.only = Some(Only::AfterTraining);
    assert!(unknown.to_string().contains("; wrong only after training\n"));
    let facts = &mut unknown.facts;
    facts.grows_with_parameter = true;
    facts.right_blocks = (1..=6).map(|k| format!("b{k}")).collect();
    assert!(
        facts
            .to_string()
            .ends_with("; differences grow with the parameter; right: b1, b2, b3, b4, b5, b6")
    );
    facts.right_blocks.push("b7".to_owned());
    assert!(facts.to_string().ends_with("right: b1, b2, b3, b4, b5, b6 and 1 more"));
    // A single component has no direction, and NaN is none.
    facts.components = 1;
    assert!(!facts.to_string().contains("cosine"));
    (facts.components, facts.norm_ratio) = (2, f64::INFINITY);
    assert!(!facts.to_string().contains("cosine"));
    (facts.cosine, facts.norm_ratio, facts.wrong) = (f64::NAN, 1.0, 0);
    assert!(
        facts
            .to_string()
            .starts_with("no component by itself is wrong, all together are, most w[1]")
    );
    assert!(!facts.to_string().contains("cosine"));
    facts.worst.clear();
    assert!(!facts.to_string().contains("most"));
    let count = |count: usize| {
        let findings = vec![finding(Place::Whole, Kind::SignFlipped); count];
        Diagnosis { findings, failing: 2, states: 3 }.to_string()
    };
    assert_eq!(count(2), "sign flipped in the whole gradient\nsign flipped in the whole gradient");
    assert_eq!(count(6).lines().count(), 6);
    assert!(
        count(7).ends_with("gradient\nand 1 more findings")
            && count(9).ends_with("and 3 more findings")
    );
}

// ---- What sets failing states apart -----------------------------------------------------------

/// Twelve components that are wrong without a known shape, or right.
fn at(dims: &[(&str, usize)], steps: usize, wrong: bool, seed: usize) -> Evidence {
    let n: Vec<f64> = (0..12).map(|k| number(1000 * seed + k)).collect();
    let g: Vec<f64> = match wrong {
        true => (0..12).map(|k| number(1000 * seed + 500 + k)).collect(),
        false => n.clone(),
    };
    let mut evidence = state(&[("w", &[12])], dims, &g, &n);
    evidence.primal = (0..12).map(|k| number(1000 * seed + 700 + k)).collect();
    evidence.steps = steps;
    evidence
}

fn kind_of(states: &[Evidence]) -> Kind {
    let mut states: Vec<&Evidence> = states.iter().collect();
    states.sort_by_key(|e| !e.verdict.contains(&Verdict::Wrong));
    diagnose(&states).findings[0].kind.clone()
}

#[test]
fn training_sets_states_apart_where_chance_would_not() {
    let states = |untrained: usize, trained: usize, others: usize| -> Vec<Evidence> {
        let mut seeds = 0..;
        let mut make = |count: usize, steps, wrong| -> Vec<Evidence> {
            seeds.by_ref().take(count).map(|s| at(&[("m", 3)], steps, wrong, s)).collect()
        };
        [make(trained, 5, true), make(untrained, 0, false), make(others, 5, false)].concat()
    };
    assert_eq!(kind_of(&states(4, 4, 0)), Kind::OnlyAfterTraining);
    // Too few to say so: two of five would be the trained ones in one of ten.
    assert_eq!(kind_of(&states(3, 2, 0)), Kind::Unknown);
    assert_eq!(kind_of(&states(4, 1, 0)), Kind::Unknown);
    // Other trained ones are right: the less clear.
    assert_eq!(kind_of(&states(4, 4, 1)), Kind::OnlyAfterTraining);
    assert_eq!(kind_of(&states(3, 3, 4)), Kind::Unknown);
    // An untrained one is wrong, too.
    let mut mixed = states(4, 4, 0);
    mixed.push(at(&[("m", 3)], 0, true, 90));
    assert_eq!(kind_of(&mixed), Kind::Unknown);
}

#[test]
fn sizes_set_states_apart_where_chance_would_not() {
    let of = |wrong: &[usize], right: &[usize]| {
        let all = wrong.iter().map(|&m| (m, true)).chain(right.iter().map(|&m| (m, false)));
        let states: Vec<Evidence> =
            all.enumerate().map(|(s, (m, wrong))| at(&[("m", m)], 0, wrong, s)).collect();
        kind_of(&states)
    };
    let only = |values| Kind::OnlyAtSize { dim: "m".to_owned(), values };
    assert_eq!(of(&[1, 1], &[2, 3, 4, 5]), only(Sizes::Equal(1)));
    assert_eq!(of(&[2, 3, 4], &[1, 1, 1]), only(Sizes::AtLeast(2)));
    assert_eq!(of(&[3, 4, 5], &[1, 1, 1]), only(Sizes::AtLeast(2)));
    assert_eq!(of(&[5, 6, 7, 8, 9], &[2, 3, 4, 2, 3, 4]), only(Sizes::AtLeast(5)));
    assert_eq!(of(&[1, 2, 3, 2, 3], &[5, 6, 7, 8, 9]), only(Sizes::AtMost(3)));
    assert_eq!(of(&[4, 4, 4, 4], &[2, 3, 5, 6, 7, 8]), only(Sizes::Equal(4)));
    // A limit that is free to choose asks for more.
    assert_eq!(of(&[5, 6], &[2, 3, 4]), Kind::Unknown);
    assert_eq!(of(&[1], &[2, 3]), Kind::Unknown);
    // The sizes mix.
    assert_eq!(of(&[2, 3, 4], &[1, 1, 3]), Kind::Unknown);
    assert_eq!(of(&[4, 4, 4, 4], &[2, 3, 4, 5, 6]), Kind::Unknown);
}

#[test]
fn a_state_beside_it_that_is_right_is_no_accident() {
    // The same parameters at another size.
    let beside = |m: usize, wrong: bool, seed: usize| {
        let mut evidence = at(&[("m", m)], 0, wrong, seed);
        evidence.primal = numbers(12);
        evidence
    };
    let only = |values| Kind::OnlyAtSize { dim: "m".to_owned(), values };
    let right = || [at(&[("m", 2)], 0, false, 4), at(&[("m", 3)], 0, false, 5)];
    let wrong = || [at(&[("m", 5)], 0, true, 2), at(&[("m", 5)], 0, true, 3)];
    let with = |one: Evidence, other: Evidence| {
        let states = [vec![one, other], wrong().to_vec(), right().to_vec()].concat();
        kind_of(&states)
    };
    for size in [1, 4, 6] {
        assert_eq!(with(beside(5, true, 0), beside(size, false, 1)), only(Sizes::Equal(5)));
        let another = at(&[("m", size)], 0, false, 1);
        assert_eq!(with(beside(5, true, 0), another), Kind::Unknown, "{size}");
    }
}

// ---- Whole findings ---------------------------------------------------------------------------

/// The findings on one state of blocks `a`, `b`, `c` of six components each, and `d` of one.
fn blocks(f: impl Fn(&mut [f64], &[f64])) -> Vec<(Vec<String>, Kind)> {
    let n = numbers(19);
    let mut g = n.clone();
    f(&mut g, &n);
    let shapes: [(&str, &[usize]); 4] = [("a", &[6]), ("b", &[6]), ("c", &[6]), ("d", &[])];
    let found = diagnose(&[state(&shapes, &[], &g, &n)]).findings;
    found
        .into_iter()
        .map(|finding| match finding.place {
            Place::Whole => (vec!["whole".to_owned()], finding.kind),
            Place::Blocks(names) => (names, finding.kind),
            Place::Components { block, paths, .. } => ([vec![block], paths].concat(), finding.kind),
        })
        .collect()
}

fn named_blocks(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn blocks_that_hold_another_ones_are_copies_or_swapped() {
    let copy = blocks(|g, n| g[6..12].copy_from_slice(&n[12..18]));
    assert_eq!(copy, [(named_blocks(&["b"]), Kind::CopyOf("c".to_owned()))]);
    let first = blocks(|g, n| g[12..18].copy_from_slice(&n[..6]));
    assert_eq!(first, [(named_blocks(&["c"]), Kind::CopyOf("a".to_owned()))]);
    let swapped = blocks(|g, n| {
        g[..6].copy_from_slice(&n[12..18]);
        g[12..18].copy_from_slice(&n[..6]);
    });
    assert_eq!(swapped, [(named_blocks(&["a", "c"]), Kind::SwappedWith("c".to_owned()))]);
    // Round in a ring: copies, and no pair.
    let ring = blocks(|g, n| {
        g[..6].copy_from_slice(&n[6..12]);
        g[6..12].copy_from_slice(&n[12..18]);
        g[12..18].copy_from_slice(&n[..6]);
    });
    let kinds = ["b", "c", "a"].map(|name| Kind::CopyOf(name.to_owned()));
    assert_eq!(ring.into_iter().map(|found| found.1).collect::<Vec<_>>(), kinds);
    // What is on a kink there, or not known, cannot be copied from.
    let n = numbers(12);
    let mut g = n.clone();
    g[..6].copy_from_slice(&n[6..12]);
    let shapes: [(&str, &[usize]); 2] = [("a", &[6]), ("b", &[6])];
    let mut evidence = state(&shapes, &[], &g, &n);
    for (k, n) in n.iter().enumerate() {
        let value = shapes::numeric(&evidence, k, 1e-16).expect("known");
        assert_eq!(value.0, *n);
        close(value.1, 3.0 * BOUND + 4e-16 * n.abs(), 1e-20);
    }
    assert_eq!(shapes::numeric(&evidence, 12, 1e-16), None);
    evidence.verdict[6] = Verdict::Kink;
    evidence.bound[7] = f64::INFINITY;
    evidence.numeric[8] = f64::NAN;
    assert_eq!([6, 7, 8].map(|k| shapes::numeric(&evidence, k, 1e-16)), [None; 3]);
}

#[test]
fn what_is_wrong_alike_is_one_finding() {
    let flip = |range: std::ops::Range<usize>| {
        move |g: &mut [f64], n: &[f64]| range.clone().for_each(|k| g[k] = -n[k])
    };
    assert_eq!(blocks(flip(0..19)), [(named_blocks(&["whole"]), Kind::SignFlipped)]);
    assert_eq!(blocks(flip(6..18)), [(named_blocks(&["b", "c"]), Kind::SignFlipped)]);
    assert_eq!(blocks(flip(6..12)), [(named_blocks(&["b"]), Kind::SignFlipped)]);
    // Two kinds are two findings, in the order of the blocks; what is not known comes last.
    let two = blocks(|g, n| {
        (0..6).for_each(|k| g[k] = number(700 + k));
        (6..12).for_each(|k| g[k] = 0.0);
        (12..18).for_each(|k| g[k] = -n[k]);
    });
    let expected = [
        (named_blocks(&["b"]), Kind::Zero),
        (named_blocks(&["c"]), Kind::SignFlipped),
        (named_blocks(&["a"]), Kind::Unknown),
    ];
    assert_eq!(two, expected);
    // A scalar by itself shows no factor; beside a block that does, it joins it.
    let factor = 1.0373;
    let alone = blocks(|g, n| g[18] = factor * n[18]);
    assert_eq!(alone, [(named_blocks(&["d"]), Kind::Unknown)]);
    let joined = blocks(|g, n| {
        (0..6).for_each(|k| g[k] = -n[k]);
        (6..12).chain([18]).for_each(|k| g[k] = factor * n[k]);
    });
    assert_eq!(joined.len(), 2);
    assert_eq!(joined[1].0, named_blocks(&["b", "d"]));
    assert!(matches!(joined[1].1, Kind::Scaled { factor: k, .. } if (k - factor).abs() < 1e-6));
    // Scalars that show the same one are evidence for each other.
    let names = ["a", "b", "c"];
    let n = numbers(3);
    let g: Vec<f64> = n.iter().map(|n| factor * n).collect();
    let scalars = names.map(|name| (name, &[][..]));
    let found = diagnose(&[state(&scalars, &[], &g, &n)]).findings;
    assert!(matches!(found[..], [Finding { kind: Kind::Scaled { .. }, .. }]), "{found:?}");
    // Another order of one block.
    let order = blocks(|g, n| {
        [3, 0, 4, 1, 5, 2].into_iter().enumerate().for_each(|(k, from)| g[k] = n[from])
    });
    assert_eq!(order, [(named_blocks(&["a"]), Kind::Permuted)]);
    assert_eq!(blocks(|_, _| {}), []);
}

#[test]
fn infinite_components_are_named_and_hide_no_other_fault() {
    let found = blocks(|g, n| {
        g[2] = f64::NAN;
        (6..12).for_each(|k| g[k] = -n[k]);
    });
    let expected = [
        (named_blocks(&["a", "a[2]"]), Kind::NotFinite),
        (named_blocks(&["b"]), Kind::SignFlipped),
    ];
    assert_eq!(found, expected);
    let all = blocks(|g, _| g[..6].fill(f64::INFINITY));
    assert_eq!(all, [(named_blocks(&["a"]), Kind::NotFinite)]);
    let both = blocks(|g, n| {
        (0..6).for_each(|k| g[k] = -n[k]);
        g[2] = f64::NAN;
    });
    assert_eq!(
        both.iter().map(|found| &found.1).collect::<Vec<_>>(),
        [&Kind::NotFinite, &Kind::SignFlipped]
    );
}

#[test]
fn the_facts_are_those_of_the_worst_component() {
    let n = [1.0, 2.0, -2.0, 4.0];
    let g = [1.0, 2.5, -5.0, 4.0];
    let facts = diagnose(&[one(&[4], &g, &n)]).findings[0].facts.clone();
    assert_eq!((facts.worst.as_str(), facts.analytic, facts.numeric), ("w[2]", -5.0, -2.0));
    assert_eq!((facts.wrong, facts.components, facts.states, facts.failing), (2, 4, 1, 1));
    let (size_g, size_n) = ((1.0 + 6.25 + 25.0 + 16.0_f64).sqrt(), 5.0);
    close(facts.norm_ratio, size_g / size_n, 1e-12);
    close(facts.cosine, (1.0 + 5.0 + 10.0 + 16.0) / (size_g * size_n), 1e-12);
    assert!(!facts.grows_with_parameter);
    // The larger the parameter, the larger the difference; ten of them.
    let grows = |count: usize| {
        let n = numbers(count);
        let g: Vec<f64> = (0..count)
            .map(|k| n[k] + number(1000 + k).abs().powi(3) * number(k).signum())
            .collect();
        diagnose(&[one(&[count], &g, &n)]).findings[0].facts.grows_with_parameter
    };
    assert_eq!((grows(10), grows(9)), (true, false));
}

/// The kind and region of a block of which some components are wrong.
fn some_of(states: &[Evidence]) -> Option<(Kind, Region)> {
    let parts = parts(states);
    let found = super::some::some_components(&parts.iter().collect::<Vec<_>>());
    found.map(|(kind, region, _, _)| (kind, region))
}

#[test]
fn some_wrong_components_are_a_mask_a_few_or_nothing() {
    let n = numbers(24);
    let with = |wrong: &dyn Fn(usize) -> bool, f: &dyn Fn(usize) -> f64| {
        let g: Vec<f64> = (0..24).map(|k| if wrong(k) { f(k) } else { n[k] }).collect();
        one(&[24], &g, &n)
    };
    let negative = |k: usize| number(k) < 0.0;
    let third = |k: usize| k.is_multiple_of(3);
    let half = |k: usize| k.is_multiple_of(2) || k.is_multiple_of(5);
    let odd = |k: usize| number(900 + k);
    let mask = |analytic| Kind::ZeroOnSubset { analytic };
    let plain = |how: Option<Kind>| Kind::Components { how: how.map(Box::new) };
    assert_eq!(some_of(&[with(&negative, &|_| 0.0)]), Some((mask(true), Region::NegativeNumeric)));
    assert_eq!(some_of(&[with(&third, &|_| 0.0)]), Some((mask(true), Region::Scattered)));
    assert_eq!(some_of(&[with(&half, &|_| 0.0)]), Some((mask(true), Region::Scattered)));
    assert_eq!(
        some_of(&[with(&half, &|k| -number(k))]),
        Some((plain(Some(Kind::SignFlipped)), Region::Scattered))
    );
    assert_eq!(some_of(&[with(&negative, &odd)]), Some((plain(None), Region::NegativeNumeric)));
    // Wrong in no known way: few are a fact, more are none.
    assert_eq!(some_of(&[with(&third, &odd)]).map(|found| found.0), Some(plain(None)));
    assert_eq!(some_of(&[with(&half, &odd)]), None);
    // All are wrong, or none.
    assert_eq!(some_of(&[with(&|_| true, &odd)]), None);
    assert_eq!(some_of(&[with(&|_| false, &odd)]), None);
    // A factor that follows a dimension is not said of a few, nor a term by the sign.
    let twice = some_of(&[with(&half, &|k| 2.0 * number(k))]);
    let Some((Kind::Components { how: Some(kind) }, _)) = twice else { panic!("{twice:?}") };
    assert_eq!(*kind, shapes::scaled(2.0, 0.0, Vec::new()));
    let sign = |k: usize| number(k) + 0.5 * number(1000 + k).signum();
    assert_eq!(some_of(&[with(&half, &sign)]), None);
    // Zero where the numeric is not, the other way round.
    let mut zeros = n.clone();
    (0..24).filter(|&k| half(k)).for_each(|k| zeros[k] = 0.0);
    assert_eq!(some_of(&[one(&[24], &n, &zeros)]), Some((mask(false), Region::Scattered)));
}

#[test]
fn one_state_may_hold_nothing_but_the_wrong_ones() {
    // At a smaller size all that there are may be wrong; at the same size, not.
    let make = |count: usize, wrong: usize| {
        let n = numbers(count);
        let g: Vec<f64> = (0..count).map(|k| if k < wrong { 0.0 } else { n[k] }).collect();
        one(&[count], &g, &n)
    };
    assert!(some_of(&[make(12, 3), make(3, 3)]).is_some());
    assert!(some_of(&[make(12, 3), make(12, 12)]).is_none());
    assert!(some_of(&[make(12, 12), make(12, 12)]).is_none());
}

#[test]
fn imaginary_parts_of_the_other_sign_are_conjugated() {
    let n = numbers(12);
    let g: Vec<f64> = n.iter().enumerate().map(|(k, n)| if k % 2 == 1 { -n } else { *n }).collect();
    let complex = |complex: bool, g: &[f64]| {
        let mut evidence = one(&[6, 2], g, &n);
        let mut block = evidence.blocks[0].clone();
        block.complex = complex;
        evidence.blocks = vec![block].into();
        diagnose(&[evidence]).findings[0].kind.clone()
    };
    assert_eq!(complex(true, &g), Kind::Conjugated);
    assert_ne!(complex(false, &g), Kind::Conjugated);
    let real: Vec<f64> =
        n.iter().enumerate().map(|(k, n)| if k % 2 == 0 { -n } else { *n }).collect();
    assert_ne!(complex(true, &real), Kind::Conjugated);
}

#[test]
fn sizes_contain_what_they_say() {
    let contained = |sizes: Sizes| [2, 3, 4].map(|size| sizes.contains(size));
    assert_eq!(contained(Sizes::Equal(3)), [false, true, false]);
    assert_eq!(contained(Sizes::AtLeast(3)), [false, true, true]);
    assert_eq!(contained(Sizes::AtMost(3)), [true, true, false]);
    // Names of right blocks, as many as are said and one more.
    let shapes: Vec<(String, &[usize])> =
        (0..12).map(|k| (format!("b{k}"), &[1_usize][..])).collect();
    let shapes: Vec<(&str, &[usize])> =
        shapes.iter().map(|(name, shape)| (&**name, *shape)).collect();
    let n = numbers(12);
    let mut g = n.clone();
    g[11] = -g[11];
    let mut zero = n.clone();
    zero[0] = 0.0;
    g[0] = 0.0;
    let facts = diagnose(&[state(&shapes, &[], &g, &zero)]).findings[0].facts.clone();
    assert_eq!(facts.right_blocks, ["b1", "b2", "b3", "b4", "b5", "b6", "b7"]);
}
