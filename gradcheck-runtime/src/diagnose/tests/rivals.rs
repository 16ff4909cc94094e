//! Who wins among rivals, and at what price: twice as many of them cost one bit more. And the limits
//! beyond which nothing is said.
use super::super::words::digits;
use super::*;

/// The candidates that are made for these states.
fn candidates(
    states: &[Evidence],
    make: impl Fn(&[&Part<'_>], &mut Vec<Candidate>),
) -> Vec<(Kind, f64)> {
    let parts = parts(states);
    let mut out = Vec::new();
    make(&parts.iter().collect::<Vec<_>>(), &mut out);
    out.into_iter().map(|c| (c.kind, c.cost)).collect()
}

fn price(all: &[(Kind, f64)], of: impl Fn(&Kind) -> bool) -> f64 {
    all.iter().find(|c| of(&c.0)).unwrap_or_else(|| panic!("not among {all:?}")).1
}

// ---- Prices ---------------------------------------------------------------------------------

#[test]
fn an_order_pays_for_the_axes_it_may_be_along() {
    let at = |shape: &[usize]| {
        let right = array(shape);
        candidates(&[one(shape, &flat(&right), &flat(&right))], shapes::order_candidates)
    };
    let (vector, matrix) = (at(&[16]), at(&[4, 4]));
    let (cube, four) = (at(&[3, 3, 3]), at(&[2, 3, 4, 5]));
    let reversed = |kind: &Kind| matches!(kind, Kind::ReversedAlongAxis { .. });
    let shifted = |kind: &Kind| matches!(kind, Kind::ShiftedByOne { .. });
    let slice = |kind: &Kind| matches!(kind, Kind::OneSliceForAll { .. });
    let transposed = |kind: &Kind| matches!(kind, Kind::Transposed { .. });
    // One of four axes is two bits.
    assert_eq!(price(&four, reversed) - price(&vector, reversed), 2.0);
    assert_eq!(price(&matrix, reversed) - price(&vector, reversed), 1.0);
    // Two ways to shift, four slices that may stand for all.
    assert_eq!(price(&matrix, shifted) - price(&matrix, reversed), 1.0);
    assert_eq!(price(&matrix, slice) - price(&matrix, reversed), 2.0);
    // A pair of axes: a bit for each axis there is.
    assert_eq!(price(&cube, transposed) - price(&matrix, transposed), 1.0);
    assert_eq!(price(&four, transposed) - price(&matrix, transposed), 2.0);
    assert_eq!(price(&matrix, transposed), price(&matrix, reversed));
}

#[test]
fn a_product_of_sizes_pays_for_all_that_were_tried() {
    let values = numbers(5);
    let tried = |dims: &[(&str, usize)]| {
        let states = [state(&[("w", &[5])], dims, &values, &values)];
        let parts = parts(&states);
        formulas(&parts.iter().collect::<Vec<_>>())
    };
    let simple = |f: &Follows| {
        matches!(f.terms.as_slice(), [t] if t.shift == 0 && t.halves.abs() == 2) && f.number == 1.0
    };
    let is_own = |f: &Follows| f.terms.iter().any(|t| t.dim.starts_with("len("));
    for dims in [&[("m", 3)][..], &[("m", 3), ("n", 7)], &[("m", 3), ("n", 7), ("k", 4)]] {
        let all = tried(dims);
        // Of a size or its inverse: one bit, and the choice among as many.
        let of_size = 1.0 + (all.iter().filter(|(f, _)| simple(f)).count() as f64).log2();
        let of_any = 1.0 + (all.len() as f64).log2();
        for (f, cost) in &all {
            let expected = match (simple(f), is_own(f)) {
                (true, false) => of_size,
                // The extent of the block itself is a quarter as likely.
                (true, true) => of_size + 2.0,
                _ => of_any,
            };
            close(*cost, expected, 1e-12);
        }
    }
    // All that are tried, each once.
    let mut all: Vec<String> = tried(&[("m", 3)]).iter().map(|f| f.0.to_string()).collect();
    all.sort();
    let mut expected = [
        "m",
        "1/m",
        "len(w)",
        "1/len(w)",
        "m^2",
        "1/m^2",
        "sqrt(m)",
        "1/sqrt(m)",
        "2 m",
        "2/m",
        "m/2",
        "1/(2 m)",
        "m/(m - 1)",
        "(m - 1)/m",
        "(m - 1)",
        "1/(m - 1)",
    ];
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn a_product_of_sizes_has_a_value_or_none() {
    let values = numbers(2);
    let evidence = state(&[("w", &[2])], &[("m", 5), ("k", 1)], &values, &values);
    let part = Part::new(0, &evidence, 0);
    let value = |number, terms: &[(&str, i64, i32)]| Follows::of(number, terms).value(&part);
    // Whole powers are exact: no root is squared.
    assert_eq!(value(1.0, &[("m", 0, 2)]), Some(5.0));
    assert_eq!(value(2.0, &[("m", 0, 4)]), Some(50.0));
    assert_eq!(value(1.0, &[("m", 0, -2)]), Some(0.2));
    assert_eq!(value(1.0, &[("m", 0, 1)]), Some(5_f64.sqrt()));
    assert_eq!(value(1.0, &[("m", -1, 2), ("m", 0, -2)]), Some(0.8));
    assert_eq!(value(1.0, &[("k", -1, 2)]), None);
    assert_eq!(value(1.0, &[("k", -1, -2)]), None);
    assert_eq!(value(1.0, &[("n", 0, 2)]), None);
    assert_eq!(Follows::of(2.0, &[("m", 0, 2)]).times(-3.0), Follows::of(-6.0, &[("m", 0, 2)]));
}

#[test]
fn a_sign_or_a_number_in_front_of_a_size_costs_a_bit() {
    let price_of = |f: fn(f64, f64) -> f64, words: &str| {
        let states = sized(&SIZES, |g, _, m, n| f(m, n) * g);
        let all = candidates(&states, shapes::scale_candidates);
        price(&all, |kind| match kind {
            Kind::Scaled { follows, .. } => follows.first().is_some_and(|f| f.to_string() == words),
            _ => false,
        })
    };
    let plain = price_of(|m, _| m, "m");
    assert_eq!(price_of(|m, _| -m, "-m"), plain + 1.0);
    assert_eq!(price_of(|m, _| 0.37 * m, "0.37 m"), plain + 1.0);
    // A term that follows a size pays for both.
    let states = sized(&SIZES, |g, w, m, _| g - 0.7 * m * w);
    let all = candidates(&states, |p, out| shapes::term_candidates(p, false, out));
    let sign_of =
        |kind: &Kind| matches!(kind, Kind::MissingTermProportionalToParameter { sign: true, .. });
    let term = |follows: bool, range: bool| {
        price(&all, |kind| match kind {
            Kind::MissingTermProportionalToParameter { follows: f, range: r, .. } => {
                !sign_of(kind) && f.is_some() == follows && r.is_some() == range
            }
            _ => false,
        })
    };
    assert_eq!(term(true, false), term(false, false) + plain);
    assert_eq!(term(false, true), term(false, false) + 1.0);
}

#[test]
fn a_copy_and_a_parameter_pay_for_the_blocks_there_are() {
    let with = |blocks: usize| {
        let names: Vec<String> = (0..blocks).map(|b| format!("b{b}")).collect();
        let shapes: Vec<(&str, &[usize])> = names.iter().map(|n| (&**n, &[2][..])).collect();
        let values = numbers(2 * blocks);
        let evidence = state(&shapes, &[], &values, &values);
        let part = Part::new(0, &evidence, 0);
        let (mut copies, mut factors) = (Vec::new(), Vec::new());
        shapes::copy_candidates(&[&part], &mut copies);
        shapes::factor_candidates(&[&part], &mut factors);
        assert_eq!(copies.len(), blocks - 1);
        (copies[0].cost, factors[0].cost, factors.len() as f64)
    };
    let ((copy, factor, choices), (more_copy, more_factor, more_choices)) = (with(2), with(8));
    assert_eq!(more_copy - copy, 2.0);
    close(more_factor - factor, (more_choices / choices).log2(), 1e-12);
    // And never less than a number does.
    assert!(copy > 2.0 && factor > 2.0, "{copy} {factor}");
}

#[test]
fn a_part_of_a_sum_pays_for_the_sizes_there_are() {
    let slice = |k: usize, i: usize| number(40 * k + i);
    let found = |others: &[(&str, usize)], beside: &[usize], fault: SumPart| {
        let make = |m: usize, wrong: bool| {
            let sum = |of: std::ops::Range<usize>, i| of.map(|k| slice(k, i)).sum::<f64>();
            let right: Vec<f64> = (0..5).map(|i| sum(0..m, i)).collect();
            let part = match fault {
                SumPart::First => 0..1,
                SumPart::Last => m - 1..m,
                SumPart::AllButFirst => 1..m,
                SumPart::AllButLast => 0..m - 1,
            };
            let wrong = (0..5).map(|i| if wrong { sum(part.clone(), i) } else { right[i] });
            let dims = [others, &[("m", m)]].concat();
            state(&[("w", &[5])], &dims, &wrong.collect::<Vec<_>>(), &right)
        };
        let states: Vec<Evidence> =
            [make(4, true)].into_iter().chain(beside.iter().map(|&m| make(m, false))).collect();
        let parts = parts(&states);
        shapes::part_of_sum(&[&parts[0]], &parts).map(|found| (found.kind, found.bits))
    };
    let bits = |others: &[(&str, usize)]| found(others, &[3, 1], SumPart::First).expect("known").1;
    close(bits(&[]) - bits(&[("n", 3)]), 1.0, 1e-9);
    close(bits(&[]) - bits(&[("n", 3), ("k", 2), ("l", 2)]), 2.0, 1e-9);
    // Five components of at most thirty bits, four parts and a mean or a sum.
    assert!(bits(&[]) < 150.0 - 3.0);
    // One slice alone shows the first; all but one show the last.
    for (part, one, fewer) in [
        (SumPart::First, true, false),
        (SumPart::AllButFirst, true, false),
        (SumPart::Last, false, true),
        (SumPart::AllButLast, false, true),
    ] {
        let known = |beside: &[usize]| found(&[], beside, part).map(|found| found.0);
        let expected = |known: bool| known.then(|| part_of_m(part));
        assert_eq!((known(&[1]), known(&[3])), (expected(one), expected(fewer)));
    }
}

// ---- Rivals ---------------------------------------------------------------------------------

#[test]
fn one_state_has_no_range() {
    // The right state beside it speaks against any one factor; a range of one number is none.
    let n = numbers(6);
    let by = |f: &dyn Fn(f64, f64) -> f64| {
        let wrong: Vec<f64> = (0..6).map(|k| f(n[k], number(1000 + k))).collect();
        diagnose(&[one(&[6], &wrong, &n), one(&[6], &n, &n)]).findings[0].kind.clone()
    };
    let kind = by(&|n, _| 1.2345 * n);
    assert!(matches!(kind, Kind::Scaled { range: None, .. }), "{kind:?}");
    let kind = by(&|n, w| n + 0.777 * w);
    assert!(
        matches!(kind, Kind::MissingTermProportionalToParameter { range: None, .. }),
        "{kind:?}"
    );
    let kind = by(&|n, _| n + 0.777);
    assert!(matches!(kind, Kind::ConstantOffset { range: None, .. }), "{kind:?}");
}

#[test]
fn the_sizes_of_a_term_and_of_an_offset_follow_products() {
    let terms = |states: &[Evidence]| named(states, |p, out| shapes::term_candidates(p, true, out));
    let follows = |f: fn(f64, f64) -> f64| match terms(&sized(&SIZES, |g, w, m, n| {
        g - 0.7 * f(m, n) * w
    })) {
        Some(Kind::MissingTermProportionalToParameter { follows: Some(f), .. }) => f.to_string(),
        kind => panic!("{kind:?}"),
    };
    assert_eq!(follows(|m, n| 1.0 / (m * n)), "-0.7/(m n)");
    assert_eq!(follows(|m, n| m / n), "-0.7 m/n");
    assert_eq!(follows(|m, _| m), "-0.7 m");
    let kind = terms(&sized(&SIZES, |g, _, m, _| g + 0.7 / m));
    let Some(Kind::ConstantOffset { offset, follows: Some(f), range: None, .. }) = kind else {
        panic!("{kind:?}")
    };
    close(offset, 0.7 / 5.0, 1e-9);
    assert_eq!(f.to_string(), "0.7/m");
}

#[test]
fn a_sign_is_told_from_a_constant_by_parameters_of_both() {
    // One parameter, and half of m missing in its derivative.
    let of = |parameter: fn(f64) -> f64, fault: fn(f64, f64) -> f64| {
        let states: Vec<Evidence> = [1_usize, 3, 4, 6, 8]
            .into_iter()
            .enumerate()
            .map(|(s, m)| {
                let (n, w) = (number(40 + s), parameter(number(80 + s)));
                let mut evidence =
                    state(&[("w", &[])], &[("m", m)], &[n - 0.5 * fault(m as f64, w)], &[n]);
                evidence.primal = vec![w];
                evidence
            })
            .collect();
        diagnose(&states).to_string()
    };
    let constant = "constant offset in w: -m/2 in each component";
    assert_eq!(of(f64::abs, |m, _| m), constant);
    assert_eq!(of(|w| -w.abs(), |m, _| m), constant);
    assert_eq!(of(|w| w, |m, _| m), constant);
    let sign = "missing term proportional to the sign of the parameter w (+";
    assert!(of(|w| w, |m, w| m * w.signum()).starts_with(sign));
}

#[test]
fn a_sign_is_tried_where_wrong_components_have_both() {
    // The first four are off by it; what the others' parameters are says nothing.
    let tried = |signs: [f64; 6]| {
        let n = numbers(6);
        let off = |k: usize| if k < 4 { 0.3 * f64::signum(signs[k]) } else { 0.0 };
        let g: Vec<f64> = (0..6).map(|k| n[k] + off(k)).collect();
        let mut evidence = one(&[6], &g, &n);
        for (w, sign) in evidence.primal.iter_mut().zip(signs) {
            *w = sign * w.abs();
        }
        let all = candidates(&[evidence], |parts, out| shapes::term_candidates(parts, true, out));
        all.iter()
            .any(|c| matches!(c.0, Kind::MissingTermProportionalToParameter { sign: true, .. }))
    };
    assert!(tried([1.0, -1.0, 1.0, -1.0, 1.0, 1.0]));
    assert!(!tried([1.0; 6]) && !tried([-1.0; 6]));
    assert!(!tried([1.0, 1.0, 1.0, 1.0, -1.0, -1.0]));
    assert!(!tried([-1.0, -1.0, -1.0, -1.0, 1.0, 1.0]));
    // Zero has no sign.
    assert!(!tried([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]) && !tried([-1.0, 0.0, -1.0, -1.0, 1.0, 1.0]));
}

#[test]
fn two_places_are_no_shift() {
    let right = array(&[2, 6]);
    let n = flat(&right);
    // The one slice stands in the place of the other, where something else stands now.
    let g: Vec<f64> = (0..12).map(|k| if k < 6 { number(300 + k) } else { n[k - 6] }).collect();
    assert_eq!(named(&[one(&[2, 6], &g, &n)], shapes::order_candidates), None);
    // Of three there is a shift.
    let n = flat(&array(&[3, 6]));
    let g: Vec<f64> = (0..18).map(|k| if k < 6 { number(300 + k) } else { n[k - 6] }).collect();
    let shifted = Some(Kind::ShiftedByOne { axis: 0, late: true });
    assert_eq!(named(&[one(&[3, 6], &g, &n)], shapes::order_candidates), shifted);
}

#[test]
fn one_factor_for_some_slices_is_not_one_for_each() {
    let right = array(&[4, 5]);
    let order = |f: fn(usize, f64) -> f64| {
        let g: Vec<f64> = flat(&right).iter().enumerate().map(|(k, &n)| f(k / 5, n)).collect();
        named(&[one(&[4, 5], &g, &flat(&right))], shapes::order_candidates)
    };
    assert_eq!(order(|i, n| if i < 2 { n } else { 1.7 * n }), None);
    assert_eq!(order(|i, n| if i < 2 { n } else { n + 0.7 }), None);
    let scaled = Some(Kind::ScaledAlongAxis { axis: 0 });
    assert_eq!(order(|i, n| if i < 2 { n } else { (1.0 + i as f64) * n }), scaled);
    let offset = Some(Kind::OffsetAlongAxis { axis: 0 });
    assert_eq!(order(|i, n| if i < 2 { n } else { n + i as f64 }), offset);
}

#[test]
fn a_mean_over_slices_has_the_noise_of_all() {
    let n = flat(&array(&[3, 2]));
    let mut evidence = one(&[3, 2], &n, &n);
    evidence.bound = vec![1e-3, 0.0, 2e-3, 0.0, 4e-3, 0.0].into();
    let part = Part::new(0, &evidence, 0);
    let own = part.comp(0).expect("measured").tol;
    let noise: f64 = [0, 2, 4].map(|j| part.comp(j).expect("measured").noise).iter().sum();
    let (value, tol) =
        shapes::one_slice(&part, &part.comps[0], 0, Slice::Sum).expect("all are measured");
    close(value, n[0] + n[2] + n[4], 1e-15);
    close(tol, own + noise, 1e-15);
}

#[test]
fn a_copy_may_be_off_by_the_noise_of_where_it_is_from() {
    let n = numbers(12);
    let found = |by: f64| {
        let g: Vec<f64> = (0..12).map(|k| if k < 6 { n[k + 6] + by } else { n[k] }).collect();
        let mut evidence = state(&[("a", &[6]), ("b", &[6])], &[], &g, &n);
        (6..12).for_each(|k| evidence.bound[k] = 1e-4);
        named_first(&evidence)
    };
    let copy = Some(Kind::CopyOf("b".to_owned()));
    assert_eq!((found(2.9e-4), found(3.1e-4)), (copy, None));
}

/// What is known of the first block of one state, by copies alone.
fn named_first(evidence: &Evidence) -> Option<Kind> {
    let part = Part::new(0, evidence, 0);
    let mut candidates = Vec::new();
    shapes::copy_candidates(&[&part], &mut candidates);
    choose(&[&part], &[], candidates).map(|found| found.kind)
}

#[test]
fn a_copy_is_one_in_every_state() {
    let make = |other: usize, seed: usize| {
        let n: Vec<f64> = (0..6 + other).map(|k| number(seed + k)).collect();
        let mut g = n.clone();
        (0..6).for_each(|k| g[k] = if other == 6 { n[k + 6] } else { number(700 + k) });
        state(&[("a", &[6]), ("b", &[other])], &[], &g, &n)
    };
    let copies = |states: &[Evidence]| {
        let all = parts(states);
        let first: Vec<&Part<'_>> = all.iter().filter(|p| p.id() == "p.a").collect();
        let mut out = Vec::new();
        shapes::copy_candidates(&first, &mut out);
        choose(&first, &[], out).map(|found| found.kind)
    };
    let copy = Some(Kind::CopyOf("b".to_owned()));
    assert_eq!(copies(&[make(6, 0), make(6, 50)]), copy);
    // In the other state the block has another length.
    assert_eq!(copies(&[make(6, 0), make(5, 50)]), None);
}

#[test]
fn what_is_tried_has_limits() {
    // A copy is looked for among 256 blocks, and not among more.
    let copied = |blocks: usize| {
        let names: Vec<String> = (0..blocks).map(|b| format!("b{b}")).collect();
        let shapes: Vec<(&str, &[usize])> = names.iter().map(|n| (&**n, &[4][..])).collect();
        let n = numbers(4 * blocks);
        let mut g = n.clone();
        g[..4].copy_from_slice(&n[4..8]);
        named_first(&state(&shapes, &[], &g, &n))
    };
    assert_eq!((copied(256), copied(257)), (Some(Kind::CopyOf("b1".to_owned())), None));
    // An order, along eight axes.
    let reversed = |rank: usize| {
        let shape = vec![2; rank];
        let n = flat(&array(&shape));
        let half = n.len() / 2;
        let g: Vec<f64> = (0..n.len()).map(|k| n[(k + half) % n.len()]).collect();
        named(&[one(&shape, &g, &n)], shapes::order_candidates)
    };
    assert_eq!((reversed(8), reversed(9)), (Some(Kind::ReversedAlongAxis { axis: 0 }), None));
    // States in which the block has other axes say nothing of an order.
    let (n, wide) = (flat(&array(&[4, 3])), flat(&array(&[12])));
    let back: Vec<f64> = wide.iter().rev().copied().collect();
    let mixed = [one(&[12], &back, &wide), one(&[4, 3], &n, &n)];
    assert_eq!(named(&mixed, shapes::order_candidates), None);
}

#[test]
fn a_block_mostly_unseen_is_not_called_by_one_name() {
    // Of `len` components the last `covered` were looked at along directions alone.
    let known = |len: usize, covered: usize| {
        let n = numbers(len);
        let g: Vec<f64> = (0..len).map(|k| if k < len - covered { -n[k] } else { n[k] }).collect();
        let mut evidence = one(&[len], &g, &n);
        (len - covered..len).for_each(|k| evidence.bound[k] = f64::INFINITY);
        shapes::best(&[&Part::new(0, &evidence, 0)], &[]).map(|found| found.kind)
    };
    let flipped = Some(Kind::SignFlipped);
    // A quarter may be unseen.
    assert_eq!((known(8, 2), known(8, 3)), (flipped.clone(), None));
    // Of many that were measured none was searched out.
    assert_eq!((known(400, 272), known(400, 273)), (flipped, None));
}

#[test]
fn single_precision_is_of_each_block_and_each_number() {
    let found = |g: &[f64], n: &[f64], roundoff: f64, shapes: &[(&str, &[usize])]| {
        let mut evidence = state(shapes, &[], g, n);
        evidence.verdict = g
            .iter()
            .zip(n)
            .map(|(g, n)| if (g - n).abs() > 1e-11 { Verdict::Wrong } else { Verdict::Agrees })
            .collect();
        let mut blocks = evidence.blocks.to_vec();
        blocks.iter_mut().for_each(|b| b.roundoff = roundoff);
        evidence.blocks = blocks.into();
        let states = [evidence];
        let parts = parts(&states);
        shapes::single_precision(&parts.iter().collect::<Vec<_>>()).map(|found| found.bits)
    };
    let double = f64::EPSILON / 2.0;
    let whole = |count: usize| [("w", vec![count])];
    let of = |g: &[f64], n: &[f64], roundoff| {
        let shape = whole(g.len());
        found(g, n, roundoff, &[(shape[0].0, &shape[0].1)])
    };
    let n = numbers(7);
    let rounded: Vec<f64> = n.iter().map(|&n| f64::from(n as f32)).collect();
    // Each shows 29 bits that are zero, of a double's 53.
    assert_eq!(of(&rounded, &n, double), Some(29.0 * 7.0));
    // Of parameters in single precision it is no fault.
    assert_eq!(of(&rounded, &n, 6e-8), None);
    // Numbers of twelve bits are simple ones by themselves, those of thirteen are not.
    let near: Vec<f64> = n.iter().map(|n| (n * 2048.0).round() / 2048.0).collect();
    let off: Vec<f64> = near.iter().map(|n| n + 1e-7).collect();
    assert_eq!(of(&near, &off, double), None);
    let bits = |bits: u32| 1.0 + 1.0 / f64::from(1 << (bits - 1));
    let numbers_of = |count: u32| {
        let g = [bits(count); 3];
        of(&g, &g.map(|g| g + 1e-7), double)
    };
    assert_eq!((numbers_of(12), numbers_of(13)), (None, Some(87.0)));
    // A block that is off by more, however round its numbers, is something else.
    let (a, b) = (numbers(5), vec![1e-6; 5]);
    let n = [&a[..], &b].concat();
    let twice = |k: f64| -> Vec<f64> {
        a.iter().copied().chain(b.iter().map(|b| k * b)).map(|n| f64::from(n as f32)).collect()
    };
    let two: [(&str, &[usize]); 2] = [("a", &[5]), ("b", &[5])];
    assert!(found(&twice(1.0), &n, double, &two).is_some());
    assert!(found(&twice(2.0), &n, double, &two).is_none());
}

#[test]
fn errors_of_single_precision_are_of_either_sign_and_show_in_most() {
    // Relative errors of the components, of the size of single precision.
    let found = |errors: &[f64], sizes: f64, small: usize| {
        let count = errors.len() + small;
        let n: Vec<f64> =
            (0..count).map(|k| if k < small { number(k) } else { sizes * number(k) }).collect();
        let g: Vec<f64> = (0..count)
            .map(|k| n[k] * (1.0 + if k < small { 1e-2 } else { errors[k - small] }))
            .collect();
        let mut evidence = one(&[count], &g, &n);
        evidence.bound = vec![1e-10; count].into();
        evidence.verdict.fill(Verdict::Wrong);
        shapes::single_precision(&[&Part::new(0, &evidence, 0)]).is_some()
    };
    let errors = |plus: usize, minus: usize, none: usize| -> Vec<f64> {
        let size = |k: usize| 1e-7 * (1.0 + 0.1 * (k % 7) as f64);
        (0..plus + minus + none)
            .map(|k| match k {
                k if k < plus => size(k),
                k if k < plus + minus => -size(k),
                _ => 0.0,
            })
            .collect()
    };
    // Six of ten show.
    assert!(found(&errors(6, 6, 8), 1.0, 0) && !found(&errors(6, 5, 9), 1.0, 0));
    // A quarter at least of either sign; what is exact counts for neither.
    assert!(found(&errors(5, 15, 0), 1.0, 0) && !found(&errors(4, 16, 0), 1.0, 0));
    assert!(found(&errors(15, 5, 0), 1.0, 0) && !found(&errors(16, 4, 0), 1.0, 0));
    assert!(!found(&errors(3, 9, 8), 1.0, 0));
    // What is small beside the others may be off by more: it is rounded with them.
    assert!(found(&errors(6, 6, 0), 1e6, 3) && !found(&errors(6, 6, 0), 1e1, 3));
}

#[test]
fn sizes_that_are_equal_are_all_said_up_to_three() {
    let kind_of = |dims: &[(&str, usize)], factor: f64| {
        let n = numbers(6);
        let g: Vec<f64> = n.iter().map(|n| factor * n).collect();
        let states = [state(&[("w", &[6])], dims, &g, &n)];
        match named(&states, shapes::scale_candidates) {
            Some(Kind::Scaled { follows, .. }) => {
                follows.iter().map(ToString::to_string).collect::<Vec<_>>()
            }
            kind => panic!("{kind:?}"),
        }
    };
    let dims = [("m", 5), ("n", 5), ("k", 5), ("l", 5)];
    assert_eq!(kind_of(&dims, 5.0), ["m", "n", "k"]);
    // A plain two is said with the size that is two, unless there are many that might be.
    let with = |others: usize| {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let others = names.iter().take(others).enumerate().map(|(k, &name)| (name, 11 + k));
        kind_of(&[("m", 2)].into_iter().chain(others).collect::<Vec<_>>(), 2.0)
    };
    assert_eq!(with(1), ["m"]);
    assert_eq!(with(7), [""; 0]);
}

// ---- Slopes and bits ------------------------------------------------------------------------

#[test]
fn exact_samples_have_an_exact_slope() {
    let exact = [(6.0, 3.0, 0.0), (2.0, 1.0, 0.0), (-8.0, -4.0, 0.0)];
    assert_eq!(slope(exact.into_iter()), Some((2.0, 2.0 * f64::EPSILON)));
}

#[test]
fn a_slope_is_of_the_samples_within_twice_their_tolerance() {
    // Of a slope of ten, its tolerance is ten times that of the sample.
    let samples = |by: f64| {
        let near = (1..=9).map(|x| (10.0 * f64::from(x), f64::from(x), 0.1));
        slope(near.chain([(10.0 + by, 1.0, 0.1)])).expect("a slope").0
    };
    let squares: f64 = (1..=9).map(|x| f64::from(x * x)).sum();
    close(samples(1.9), (10.0 * squares + 11.9) / (squares + 1.0), 1e-12);
    close(samples(2.1), 10.0, 1e-12);
}

#[test]
fn values_that_repeat_elsewhere_may_be_met_by_chance() {
    // The places that are copied hold two equal numbers; only one of them is wrong here.
    let total = |repeats: bool| {
        let mut from = numbers(8);
        if repeats {
            from[1] = from[0];
        }
        let n: Vec<f64> = (0..8).map(|k| if k == 1 { from[1] } else { number(200 + k) }).collect();
        let evidence = one(&[8], &from, &n);
        let part = Part::new(0, &evidence, 0);
        let own: Vec<f64> =
            part.comps.iter().filter(|c| c.wrong).map(|c| bits(c.d, c.tol)).collect();
        let predict: Predict = Box::new(move |_, c| Some((from[c.i], c.tol)));
        (distinct_bits(&[&part], true, &predict), own)
    };
    let (found, own) = total(false);
    close(found, own.iter().sum(), 1e-9);
    // The one that stands twice counts for two of eight, and the best is left out.
    let (found, own) = total(true);
    let most = own[1..].iter().copied().fold(0.0, f64::max);
    close(found, own[1..].iter().sum::<f64>() + 2.0 - most, 1e-9);
}

// ---- Some components ------------------------------------------------------------------------

#[test]
fn a_part_that_shows_nothing_is_neither_some_nor_all() {
    let n = numbers(12);
    let make = |wrong: usize| {
        let g: Vec<f64> = (0..12).map(|k| if k < wrong { 0.0 } else { n[k] }).collect();
        one(&[12], &g, &n)
    };
    // Rounding hides those that are not wrong here.
    let mut hidden = make(4);
    (4..12).for_each(|k| hidden.verdict[k] = Verdict::Undecided);
    assert!(some_of(&[make(3), hidden]).is_some());
    // A state that is wrong as a whole, and in no component, is not one of some that are.
    let mut whole = one(&[2], &[1.0 + 2.1e-7; 2], &[1.0; 2]);
    whole.verdict.fill(Verdict::Agrees);
    whole.bound = vec![1e-7; 2].into();
    assert!(Part::new(0, &whole, 0).exceeds);
    assert!(some_of(&[make(3), whole]).is_none());
}

#[test]
fn few_that_are_wrong_are_said_with_their_places() {
    let n = numbers(12);
    let with = |count: usize, wrong: &[usize], f: &dyn Fn(usize) -> f64| {
        let g: Vec<f64> =
            (0..count).map(|k| if wrong.contains(&k) { f(k) } else { n[k] }).collect();
        one(&[count], &g, &n[..count])
    };
    let odd = |k: usize| number(900 + k);
    // Two zeros are two zeros: a mask is known by three.
    let zeros = with(6, &[1, 4], &|_| 0.0);
    let how = Kind::Components { how: Some(Box::new(Kind::Zero)) };
    assert_eq!(some_of(&[zeros]), Some((how, Region::Listed)));
    let three = with(6, &[1, 3, 4], &|_| 0.0);
    let mask = Kind::ZeroOnSubset { analytic: true };
    assert_eq!(some_of(&[three]), Some((mask, Region::Scattered)));
    // Now these, now those.
    let plain = Kind::Components { how: None };
    let two = [with(6, &[1, 4], &odd), with(6, &[2, 4], &odd)];
    assert_eq!(some_of(&two), Some((plain.clone(), Region::Scattered)));
    // As many as are listed may be more.
    let five = with(12, &[1, 3, 4, 8, 10], &odd);
    assert_eq!(some_of(&[five]), Some((plain.clone(), Region::Listed)));
    let six = with(12, &[1, 3, 4, 6, 8, 10], &odd);
    assert_eq!(some_of(&[six]), Some((plain, Region::Scattered)));
}

#[test]
fn a_factor_of_some_follows_no_size() {
    let states: Vec<Evidence> = [3, 5, 4]
        .into_iter()
        .enumerate()
        .map(|(s, m)| {
            let n: Vec<f64> = (0..24).map(|k| number(100 * s + k)).collect();
            let half = |k: usize| k.is_multiple_of(2) || k.is_multiple_of(5);
            let g: Vec<f64> = (0..24).map(|k| if half(k) { 5.0 * n[k] } else { n[k] }).collect();
            state(&[("w", &[24])], &[("m", m)], &g, &n)
        })
        .collect();
    // In one state it is the size; a choice of components and of sizes explains too much.
    let found = some_of(&states[1..2]).map(|found| found.0);
    let Some(Kind::Components { how: Some(how) }) = found else { panic!("{found:?}") };
    assert!(matches!(*how, Kind::Scaled { ref follows, .. } if follows.is_empty()), "{how:?}");
}

#[test]
fn twenty_components_may_be_listed() {
    let listed_of = |wrong: usize| {
        let evidence = some(&[100], move |k| k % 4 == 1 && k / 4 < wrong);
        listed(&[&Part::new(0, &evidence, 0)]).map(|paths| paths.len())
    };
    assert_eq!([19, 20, 21].map(listed_of), [Some(19), Some(20), None]);
}

#[test]
fn of_two_regions_the_narrower_is_said() {
    let region_of = |evidence: &Evidence| region(&[&Part::new(0, evidence, 0)]);
    // Six of the ten of the first slice have negative parameters, and none elsewhere.
    let with = |negative: usize| {
        let mut evidence = some(&[4, 10], |k| k < negative);
        for k in 0..40 {
            evidence.primal[k] = number(1000 + k).abs() * if k < negative { -1.0 } else { 1.0 };
        }
        evidence
    };
    assert_eq!(region_of(&with(6)), Some(Region::NegativeParameter));
    // The place before the parameter, where they are the same.
    assert_eq!(region_of(&with(10)), Some(Region::FirstSlice { axis: 0 }));
    // One of three says too little.
    assert_eq!(region_of(&some(&[3], |k| k == 0)), None);
}

#[test]
fn zero_is_of_neither_sign() {
    let region_of = |evidence: &Evidence| region(&[&Part::new(0, evidence, 0)]);
    for sign in [1.0, -1.0] {
        // A third each: wrong, of the other sign, and zero.
        let values: Vec<f64> =
            (0..24).map(|k| [sign, -sign, 0.0][k % 3] * number(k).abs()).collect();
        let g: Vec<f64> =
            values.iter().map(|v| if v * sign > 0.0 { v + 1.0 } else { *v }).collect();
        let other: Vec<f64> = (0..24).map(number).collect();
        let mut of_numeric = one(&[24], &g, &values);
        of_numeric.primal = other.clone();
        let off: Vec<f64> =
            (0..24).map(|k| other[k] + if values[k] * sign > 0.0 { 1.0 } else { 0.0 }).collect();
        let mut of_parameter = one(&[24], &off, &other);
        of_parameter.primal = values;
        let (parameter, numeric) = match sign > 0.0 {
            true => (Region::PositiveParameter, Region::PositiveNumeric),
            false => (Region::NegativeParameter, Region::NegativeNumeric),
        };
        assert_eq!(region_of(&of_numeric), Some(numeric));
        assert_eq!(region_of(&of_parameter), Some(parameter));
    }
}

#[test]
fn an_interval_must_be_rarer_than_its_two_ends() {
    // The first of so many are wrong, and their parameters are the largest.
    let found = |all: usize, wrong: usize, shared: bool| {
        let mut evidence = some(&[all], |k| k < wrong);
        evidence.primal = (0..all).map(|k| 10.0 - k as f64).collect();
        if shared {
            evidence.primal[wrong] = evidence.primal[wrong - 1];
        }
        between(&[&Part::new(0, &evidence, 0)])
    };
    // Of 40 there are 91390 choices of four, and 1600 pairs of ends: more than five bits; of 25
    // only 12650 and 625.
    assert_eq!(found(40, 4, false), Some(Region::Between { low: 7.0, high: 10.0 }));
    assert_eq!(found(25, 4, false), None);
    // A right one at an end, of either side.
    assert_eq!(found(40, 4, true), None);
    let mut evidence = some(&[40], |k| k < 4);
    evidence.primal = (0..40).map(|k| k as f64 - 10.0).collect();
    assert!(between(&[&Part::new(0, &evidence, 0)]).is_some());
    evidence.primal[4] = evidence.primal[3];
    assert_eq!(between(&[&Part::new(0, &evidence, 0)]), None);
}

#[test]
fn another_order_may_be_off_by_the_noise_of_where_it_is_from() {
    let n = numbers(9);
    let order = |k: usize| (k * 2) % 9;
    let found = |by: f64| {
        let mut g: Vec<f64> = (0..9).map(|k| n[order(k)]).collect();
        g[1] += by;
        let mut evidence = one(&[9], &g, &n);
        evidence.bound[2] = 1e-4;
        permuted(&[&Part::new(0, &evidence, 0)])
    };
    assert!(found(2.9e-4).is_some() && found(3.1e-4).is_none());
    // All but the best, less the choice of one order of nine, and six for its being no known one.
    let g: Vec<f64> = (0..9).map(|k| n[order(k)]).collect();
    let evidence = one(&[9], &g, &n);
    let part = Part::new(0, &evidence, 0);
    let own: Vec<f64> = (1..9)
        .map(|k| {
            let (to, from) = (part.comp(k).expect("there"), part.comp(order(k)).expect("there"));
            bits(to.d, to.tol + from.noise)
        })
        .collect();
    let most = own.iter().copied().fold(0.0, f64::max);
    let left = own.iter().sum::<f64>() - most - 362_880_f64.log2() - 6.0;
    close(permuted(&[&part]).expect("another order"), left, 1e-9);
    // Values that stand twice may stand anywhere.
    let pairs: Vec<f64> = (0..16).map(|k| number(k / 2)).collect();
    let g: Vec<f64> = (0..16).map(|k| pairs[(k + 5) % 16]).collect();
    assert_eq!(permuted(&[&Part::new(0, &one(&[16], &g, &pairs), 0)]), None);
}

// ---- Findings -------------------------------------------------------------------------------

/// A state of blocks of six components each, their gradients as these say.
fn of_blocks(made: &[(&str, &dyn Fn(f64) -> f64)], steps: usize, seed: usize) -> Evidence {
    let n: Vec<f64> = (0..6 * made.len()).map(|k| number(seed + k)).collect();
    let g: Vec<f64> = n.iter().enumerate().map(|(k, &n)| made[k / 6].1(n)).collect();
    let shapes: Vec<(&str, &[usize])> = made.iter().map(|m| (m.0, &[6][..])).collect();
    let mut evidence = state(&shapes, &[], &g, &n);
    evidence.steps = steps;
    evidence
}

/// The same with nothing in it, on either side.
fn emptied(mut evidence: Evidence, block: usize) -> Evidence {
    let range = evidence.blocks[block].range.clone();
    let mut analytic = evidence.analytic.to_vec();
    for k in range {
        (analytic[k], evidence.numeric[k], evidence.verdict[k]) = (0.0, 0.0, Verdict::Agrees);
    }
    evidence.analytic = Arc::new(analytic);
    evidence
}

/// The same with nothing known of one block.
fn hidden(mut evidence: Evidence, block: usize) -> Evidence {
    for k in evidence.blocks[block].range.clone() {
        evidence.verdict[k] = Verdict::Undecided;
    }
    evidence
}

const RIGHT: fn(f64) -> f64 = |n| n;
const FLIPPED: fn(f64) -> f64 = |n| -n;

#[test]
fn of_a_block_that_shows_nothing_nothing_is_said() {
    let wrong = |s: usize| emptied(of_blocks(&[("a", &FLIPPED), ("b", &RIGHT)], 4, 50 * s), 1);
    let right = |s: usize| of_blocks(&[("a", &RIGHT), ("b", &RIGHT)], 0, 1000 + 50 * s);
    let states: Vec<Evidence> = (0..4).map(wrong).chain((0..4).map(right)).collect();
    let found = &diagnose(&states).findings[0];
    let a_alone = Place::Blocks(named_blocks(&["a"]));
    assert_eq!((&found.place, &found.kind), (&a_alone, &Kind::SignFlipped));
    // The states that agree do not have it.
    assert_eq!(found.only, Some(Only::AfterTraining));
    // Where it shows in another state, it is the whole.
    let both = of_blocks(&[("a", &FLIPPED), ("b", &FLIPPED)], 4, 500);
    let states: Vec<Evidence> = (0..4).map(wrong).chain([both]).collect();
    assert_eq!(diagnose(&states).findings[0].place, Place::Whole);
    // Where the other block is right and has a gradient, it is the one block alone as well.
    let states: Vec<Evidence> =
        (0..4).map(|s| of_blocks(&[("a", &FLIPPED), ("b", &RIGHT)], 4, 50 * s)).collect();
    let found = &diagnose(&states).findings[0];
    assert_eq!(found.place, Place::Blocks(named_blocks(&["a"])));
    assert_eq!(found.only, None);
}

#[test]
fn what_is_simpler_for_the_wrong_ones_is_said_of_them() {
    // All numbers of the one block are clipped to half; the others stay below the limit.
    let n: Vec<f64> = (0..12).map(|k| if k < 6 { 1.6 } else { 0.5 } * number(k).signum()).collect();
    let g: Vec<f64> = n.iter().map(|n| n.clamp(-0.8, 0.8)).collect();
    let found = &diagnose(&[state(&[("a", &[6]), ("b", &[6])], &[], &g, &n)]).findings[0];
    assert_eq!(found.place, Place::Blocks(named_blocks(&["a"])));
    assert_eq!(found.kind, shapes::scaled(0.5, 0.0, Vec::new()));
}

#[test]
fn the_whole_is_every_block_that_holds_something() {
    let place = |states: &[Evidence]| diagnose(states).findings[0].place.clone();
    let both = || of_blocks(&[("a", &FLIPPED), ("b", &FLIPPED)], 0, 0);
    let right = || of_blocks(&[("a", &RIGHT), ("b", &RIGHT)], 0, 90);
    assert_eq!(place(&[both()]), Place::Whole);
    assert_eq!(place(&[both(), right()]), Place::Whole);
    // A block of no components is none.
    let n = numbers(12);
    let g: Vec<f64> = n.iter().map(|n| -n).collect();
    let empty = state(&[("a", &[6]), ("e", &[0, 3]), ("b", &[6])], &[], &g, &n);
    assert_eq!(place(&[empty]), Place::Whole);
    // Of a block that is nowhere decided nothing is said.
    let of_three = || of_blocks(&[("a", &FLIPPED), ("b", &FLIPPED), ("c", &RIGHT)], 0, 0);
    assert_eq!(place(&[hidden(of_three(), 2)]), Place::Blocks(named_blocks(&["a", "b"])));
    // The one wrong here and the other there.
    let first = of_blocks(&[("a", &FLIPPED), ("b", &RIGHT)], 0, 0);
    let second = of_blocks(&[("a", &RIGHT), ("b", &FLIPPED)], 0, 30);
    assert_eq!(place(&[first, second]), Place::Blocks(named_blocks(&["a", "b"])));
}

#[test]
fn only_where_the_block_itself_is_known_to_be_right_it_is_set_apart() {
    let junk = |n: f64| (1e3 * n).sin();
    let wrong = |s: usize| of_blocks(&[("a", &RIGHT), ("b", &junk)], 4, 50 * s);
    let right = |s: usize| of_blocks(&[("a", &RIGHT), ("b", &RIGHT)], 0, 1000 + 50 * s);
    let kind = |states: Vec<Evidence>| diagnose(&states).findings[0].kind.clone();
    let known: Vec<Evidence> = (0..4).map(wrong).chain((0..4).map(right)).collect();
    assert_eq!(kind(known), Kind::OnlyAfterTraining);
    let unknown: Vec<Evidence> =
        (0..4).map(wrong).chain((0..4).map(|s| hidden(right(s), 1))).collect();
    assert_eq!(kind(unknown), Kind::Unknown);
}

#[test]
fn another_order_that_explains_more_than_a_shift_is_said() {
    // Rows move down by one; the last comes in at the top, from right to left.
    let n = flat(&array(&[4, 5]));
    let g: Vec<f64> = (0..20).map(|k| if k < 5 { n[19 - k] } else { n[k - 5] }).collect();
    let found = &diagnose(&[one(&[4, 5], &g, &n)]).findings[0];
    assert_eq!(found.kind, Kind::Permuted);
    assert!(found.facts.bits > MIN_BITS, "{}", found.facts.bits);
    // From left to right it is a shift.
    let g: Vec<f64> = (0..20).map(|k| n[(k + 15) % 20]).collect();
    let found = &diagnose(&[one(&[4, 5], &g, &n)]).findings[0];
    assert_eq!(found.kind, Kind::ShiftedByOne { axis: 0, late: true });
}

#[test]
fn the_evidence_for_a_swap_is_that_for_both() {
    let n = numbers(18);
    let bits_of = |f: &dyn Fn(&mut [f64])| {
        let mut g = n.clone();
        f(&mut g);
        let shapes: [(&str, &[usize]); 3] = [("a", &[6]), ("b", &[6]), ("c", &[6])];
        diagnose(&[state(&shapes, &[], &g, &n)]).findings[0].facts.bits
    };
    let first = bits_of(&|g| g[..6].copy_from_slice(&n[12..]));
    let second = bits_of(&|g| g[12..].copy_from_slice(&n[..6]));
    let swapped = bits_of(&|g| {
        g[..6].copy_from_slice(&n[12..]);
        g[12..].copy_from_slice(&n[..6]);
    });
    close(swapped, first + second, 1e-9);
}

#[test]
fn blocks_without_a_name_join_others_up_to_a_limit() {
    // A scalar alone shows no factor; one beside six that do, joins them.
    let joined = |scalars: usize, kinds: usize| {
        let names: Vec<String> = (0..scalars + kinds).map(|b| format!("b{b}")).collect();
        let shapes: Vec<(&str, &[usize])> = (0..scalars + kinds)
            .map(|b| (&*names[b], if b < scalars { &[][..] } else { &[6][..] }))
            .collect();
        let n = numbers(scalars + 6 * kinds);
        let factor = |k: usize| match k.checked_sub(scalars) {
            None | Some(0..6) => 1.0373,
            // Each of a factor of its own.
            Some(more) => -1.0 - 0.01 * (more / 6) as f64,
        };
        let g: Vec<f64> = n.iter().enumerate().map(|(k, n)| factor(k) * n).collect();
        let found = diagnose(&[state(&shapes, &[], &g, &n)]).findings;
        found.iter().all(|f| f.kind != Kind::Unknown)
    };
    assert!(joined(1, 2) && joined(32, 2) && !joined(33, 2));
    assert!(joined(1, 31) && !joined(1, 32));
}

#[test]
fn the_clearer_of_training_and_size_is_said() {
    let of = |m_wrong: usize| {
        let wrong = (0..4).map(|s| at(&[("m", m_wrong)], 3, true, s));
        // One of the right states is trained, and none has the size.
        let right = (4..10).map(|s| at(&[("m", 5 + s)], usize::from(s == 4), false, s));
        kind_of(&wrong.chain(right).collect::<Vec<_>>())
    };
    let only = Kind::OnlyAtSize { dim: "m".to_owned(), values: Sizes::Equal(1) };
    assert_eq!(of(1), only);
    // A size that is free to choose says less.
    assert_eq!(of(4), Kind::OnlyAfterTraining);
}

#[test]
fn sizes_that_meet_set_nothing_apart() {
    let of = |wrong: &[usize], right: &[usize], others: usize| {
        let all = wrong.iter().map(|&m| (m, true)).chain(right.iter().map(|&m| (m, false)));
        let states: Vec<Evidence> = all
            .enumerate()
            .map(|(s, (m, wrong))| {
                let others = ["a", "b", "c"].iter().take(others).map(|&name| (name, 2));
                at(&[("m", m)].into_iter().chain(others).collect::<Vec<_>>(), 0, wrong, s)
            })
            .collect();
        kind_of(&states)
    };
    let only = |values| Kind::OnlyAtSize { dim: "m".to_owned(), values };
    let (low, high) = ([1, 2, 2, 1, 2], [4, 5, 6, 7, 3]);
    assert_eq!(of(&high, &low, 0), only(Sizes::AtLeast(3)));
    assert_eq!(of(&high, &[1, 2, 3, 1, 2], 0), Kind::Unknown);
    assert_eq!(of(&low, &high, 0), only(Sizes::AtMost(2)));
    assert_eq!(of(&low, &[4, 5, 6, 7, 2], 0), Kind::Unknown);
    // One of four sizes may do so by chance.
    assert_eq!(of(&high, &low, 3), Kind::Unknown);
}

#[test]
fn kinds_with_a_range_or_a_noise_are_the_same_within_it() {
    let ranged = |low, high| Kind::Scaled {
        factor: low,
        uncertainty: 0.0,
        follows: Vec::new(),
        range: Some((low, high)),
    };
    assert!(same_kind(&ranged(1.0, 2.0), &ranged(0.5, 3.0)));
    assert!(!same_kind(&ranged(1.0, 2.0), &shapes::scaled(1.5, 0.0, Vec::new())));
    let offset =
        |offset| Kind::ConstantOffset { offset, uncertainty: 0.0, follows: None, range: None };
    assert!(same_kind(&offset(0.3), &offset(0.300_02)));
    assert!(!same_kind(&offset(0.3), &offset(0.3001)));
}

#[test]
fn a_block_without_a_tolerance_exceeds_none() {
    let exceeds = |tolerance: Vec<f64>| {
        let mut evidence = one(&[8], &[1.1; 8], &[1.0; 8]);
        evidence.verdict.fill(Verdict::Agrees);
        evidence.tolerance = tolerance;
        Part::new(0, &evidence, 0).exceeds
    };
    assert!(exceeds(vec![1e-7]));
    assert!(!exceeds(vec![f64::NAN]) && !exceeds(Vec::new()) && !exceeds(vec![0.0]));
    // Near the largest of numbers the sum of two is none, and their difference is.
    let huge = one(&[1], &[1.7e308], &[1.7e308]);
    assert!(Part::new(0, &huge, 0).usable(0));
}

#[test]
fn digits_are_no_more_than_is_known() {
    // Known to no better than a third of itself: one digit, unless that is off by more.
    assert_eq!((known(2.34, 1.0), known(1.46, 1.0)), ("2".to_owned(), "1.5".to_owned()));
    // As many as tell two apart, and three more.
    assert_eq!(pair(1_234_567.0, 1_234_568.0), ("1.234567e6".to_owned(), "1.234568e6".to_owned()));
    assert_eq!(digits(1_234_567.0, 9), "1.234567e6");
}
