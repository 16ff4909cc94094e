//! Pages and records of states made up to be hard: huge, not finite, hostile.
use std::sync::Arc;

use gradcheck_runtime::evidence::{Block, Evidence, Verdict};
use gradcheck_runtime::record::Record;
use gradcheck_runtime::{Settings, StateReport, check_at};

/// A state of blocks with these shapes; `fill` gives numeric value and verdict of a component, of
/// which the analytic value is 1.
fn state(shapes: &[(&str, &[usize])], fill: impl Fn(usize) -> (f64, Verdict)) -> StateReport {
    let mut start = 0;
    let blocks: Vec<Block> = (shapes.iter())
        .map(|(name, shape)| {
            let range = start..start + shape.iter().product::<usize>();
            start = range.end;
            Block {
                name: (*name).to_owned(),
                full_name: (*name).to_owned(),
                shape: shape.to_vec(),
                complex: false,
                range,
                roundoff: 1.1e-16,
                jacobian: None,
            }
        })
        .collect();
    let (numeric, verdict): (Vec<f64>, Vec<Verdict>) = (0..start).map(fill).unzip();
    let evidence = Evidence {
        tolerance: vec![2e-7; blocks.len()],
        blocks: Arc::from(blocks),
        dims: vec![("n".to_owned(), start)],
        steps: 0,
        primal: vec![0.5; start],
        analytic: vec![1.0; start].into(),
        numeric: numeric.into(),
        bound: vec![1e-12; start].into(),
        verdict,
        directions: Vec::new(),
    };
    StateReport {
        evidence,
        forward_calls: 2 * start,
        gradient_calls: 1,
        failure: None,
        notes: Vec::new(),
        dims: Vec::new(),
        steps: 0,
    }
}

/// Agreeing by a different number of digits from one component to the next.
fn speckled(i: usize) -> (f64, Verdict) {
    (1.0 + 10.0_f64.powi(-8 - (i.wrapping_mul(2_654_435_761) >> 7) as i32 % 8), Verdict::Agrees)
}

fn shown(record: &Record) -> &gradcheck_runtime::record::Shown {
    record.shown.as_ref().expect("there is something to compare")
}

const MEGABYTE: usize = 1 << 20;

#[test]
fn one_wrong_entry_among_a_million_is_seen_in_a_small_page() {
    let wrong = 417 * 1000 + 3;
    let fill = |i| if i == wrong { (2.0, Verdict::Wrong) } else { speckled(i) };
    let record = state(&[("w", &[1000, 1000])], fill).record("f");
    let map = shown(&record).blocks[0].map.as_ref().expect("one block has a map");
    assert_eq!((map.rows, map.columns, map.each), (63, 63, [16, 16]));
    // Its cell, and no other.
    let cells: Vec<usize> = (map.verdict.match_indices('w')).map(|(k, _)| k).collect();
    assert_eq!(cells, [417 / 16 * 63]);
    assert!((map.difference[cells[0]] - 0.333).abs() < 1e-9);
    let page = record.page();
    assert!(page.contains("each cell is the worst of 16 × 16 components"));
    assert!(page.len() < MEGABYTE, "{}", page.len());
    // Nor does it show where there is none.
    let record = state(&[("w", &[1000, 1000])], speckled).record("f");
    assert!(!shown(&record).blocks[0].map.as_ref().unwrap().verdict.contains('w'));
}

#[test]
fn a_thousand_blocks_with_long_names_stay_a_small_page() {
    let long = "layer".repeat(100);
    let shapes: Vec<(&str, &[usize])> = (0..1000).map(|_| (&*long, &[60, 50][..])).collect();
    let record = state(&shapes, speckled).record("f");
    assert_eq!(shown(&record).blocks.iter().filter(|b| b.map.is_some()).count(), 24);
    let page = record.page();
    assert!(page.contains("All 1,000 blocks"));
    assert!(page.len() < MEGABYTE, "{}", page.len());
    for (blocks, extent) in [(4, 64), (12, 48), (24, 32)] {
        let shapes: Vec<(&str, &[usize])> = (0..blocks).map(|_| ("w", &[90, 90][..])).collect();
        let record = state(&shapes, speckled).record("f");
        let mut maps = shown(&record).blocks.iter().map(|b| b.map.as_ref().unwrap());
        assert!(maps.all(|map| map.rows <= extent && map.rows > extent / 2));
        assert!(record.page().len() < MEGABYTE, "{}", record.page().len());
    }
}

#[test]
fn what_is_not_finite_is_shown_and_breaks_nothing() {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 0.0, -0.0, 1.0];
    for numeric in values {
        let mut state = state(&[("w", &[2, 2]), ("b", &[])], |i| match i {
            0 => (numeric, Verdict::Wrong),
            _ => (1.0, Verdict::Agrees),
        });
        for bound in [f64::NAN, f64::INFINITY, 0.0] {
            state.evidence.bound[0] = bound;
            let page = state.record("f").page();
            // No coordinate is one of these words.
            for chart in page.split("<svg").skip(1) {
                let chart = chart.split("</svg>").next().unwrap();
                for attribute in [" d=\"", " x=\"", " y=\"", " cx=\"", " cy=\"", " height=\""] {
                    for value in chart.split(attribute).skip(1) {
                        let value = value.split('"').next().unwrap();
                        assert!(!value.contains("NaN") && !value.contains("inf"), "{value}");
                    }
                }
            }
        }
        assert!(state.record("f").page().contains("<span>state"), "{numeric}");
    }
    let mut nan = state(&[("w", &[1])], |_| (f64::NAN, Verdict::Wrong));
    nan.evidence.analytic = vec![f64::INFINITY].into();
    assert!(nan.record("f").page().contains("<td>inf</td><td>NaN</td>"));
}

#[test]
fn odd_shapes_have_a_map() {
    let shapes: [(&str, &[usize]); 6] = [
        ("scalar", &[]),
        ("empty", &[0, 3]),
        ("vector", &[200]),
        ("conv", &[8, 3, 3, 3]),
        ("column", &[300, 1]),
        ("row", &[1, 300]),
    ];
    let record = state(&shapes, speckled).record("f");
    let sizes: Vec<(usize, usize)> = (shown(&record).blocks.iter())
        .map(|b| b.map.as_ref().map_or((0, 0), |map| (map.rows, map.columns)))
        .collect();
    assert_eq!(sizes, [(1, 1), (0, 0), (5, 48), (8, 27), (43, 1), (1, 43)]);
    assert!(record.page().contains("a sequence, 48 to a row"));
}

#[test]
fn a_page_of_one_state_says_what_its_report_says() {
    let cost = |w: &Vec<f64>| w.iter().map(|w| w.sin()).sum::<f64>();
    let mut w = vec![0.3, -1.2, 2.0];
    let flip = |w: &Vec<f64>| w.iter().map(|w| -w.cos()).collect::<Vec<f64>>();
    let report = check_at(&mut w, &Settings::new(), cost, flip);
    let record = report.record("sum_of_sines");
    assert!(!record.passed && record.diagnosis[0].contains("sign flipped"), "{record:?}");
    let page = record.page();
    assert!(page.contains("sum_of_sines: the gradient is wrong") && page.contains("sign flipped"));
    assert_eq!(page.matches("class=\"w5\" x=").count() - 1, 3, "three wrong cells and the key");
    let right = |w: &Vec<f64>| w.iter().map(|w| w.cos()).collect::<Vec<f64>>();
    let record = check_at(&mut w, &Settings::new(), cost, right).record("sum_of_sines");
    assert!(record.passed && record.planted.iter().all(|p| p.planted == p.caught));
    let page = record.page();
    assert!(page.contains("the gradient agrees") && !page.contains("class=\"w"));
}

#[test]
fn what_a_user_names_is_text() {
    let hostile = "<script src=\"https://x\">'&\u{1b}[1m";
    let mut state = state(&[(hostile, &[3])], |_| (2.0, Verdict::Wrong));
    state.notes.push(hostile.to_owned());
    state.evidence.dims = vec![(hostile.to_owned(), 3)];
    let page = state.record(hostile).page();
    assert!(!page.contains("<script") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script src=&quot;https://x&quot;&gt;&#39;&amp;"));
}
