use super::*;
use crate::evidence::Block;

/// A block of two components, neither of which agrees.
fn open_block(analytic: f64, numeric: f64, bound: f64, verdict: Verdict) -> BlockSummary {
    let evidence = Evidence {
        blocks: [Block::doubles("w", "w".to_owned(), &[2], 0)].into(),
        analytic: vec![analytic; 2].into(),
        numeric: vec![numeric; 2].into(),
        bound: vec![bound; 2].into(),
        verdict: vec![verdict; 2],
        tolerance: vec![1e-7],
        ..Evidence::empty()
    };
    summaries(&evidence, &[false]).remove(0)
}

/// Rounding is blamed where the bounds are as large as what they are bounds of.
#[test]
fn rounding_hides_what_its_bounds_hide() {
    let why = |g, n, bound| open_block(g, n, bound, Verdict::Undecided).unexercised().why();
    let rounding = "rounding of the forward hides every component of it, in every state";
    for (g, n, bound) in [(0.0, 1.0, 0.5), (0.0, 0.0, 0.5), (2.0, 1.0, 1.5)] {
        assert_eq!(why(g, n, bound), rounding);
    }
    let zero = why(0.0, 1.0, 1e-3);
    assert!(zero.contains("zero in every state, the difference of the forward is not"), "{zero}");
    assert!(!why(1.0, 1.0, 1e-3).contains("rounding"));
    // Nor is it said of a kink that the forward does not move.
    let kink = open_block(0.0, 0.5, 1e-9, Verdict::Kink).unexercised();
    assert_eq!(kink.why(), zero);
    let still = open_block(0.0, 0.0, 1e-9, Verdict::Agrees).unexercised();
    assert!(still.why().contains("and so is the difference"));
}

/// One state is enough to show that rounding is not what hides a block, or that it agrees.
#[test]
fn states_are_taken_together() {
    let meta = Meta {
        function: "f",
        type_name: None,
        module: "m",
        file: "f.rs",
        line: 1,
        manifest_dir: "",
        test: "t",
        places: &["w"],
        allow_zero: &[],
        shards: 1,
    };
    let mut report = Report::new(&meta, Kind::RandomInit, 1);
    report.summarise(open_block(0.0, 1.0, 0.5, Verdict::Undecided));
    assert!(report.untested().contains("NOT TESTED at random: w (rounding hides it in every"));
    report.summarise(open_block(0.0, 1.0, 1e-3, Verdict::Undecided));
    assert!(report.untested().contains("w (nothing of it agrees, all is on a kink or undecided"));
    report.kind = Kind::AfterTraining;
    assert!(report.untested().contains("NOT TESTED after training: w (nothing of it agrees"));
    assert!(report.summary().contains("; largest difference none; "));
    report.summarise(open_block(0.0, 0.0, 0.0, Verdict::Agrees));
    assert_eq!(report.untested(), "");
    report.counts.agreed = 2;
    assert!(report.summary().contains("; largest difference 0.0e0; "));
}
