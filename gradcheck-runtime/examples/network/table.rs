//! What is printed on the way.
use gradcheck_runtime::StateReport;
use gradcheck_runtime::evidence::{Verdict, relative_difference};

/// The table's head.
pub(crate) fn print_head() {
    println!("                           classical check        this check");
    println!(
        "{:>6} {:>9} {:>9}   {:<9} {:<11}  {:<10} {:<11} {:>9} {:>6}",
        "epoch", "cost", "accuracy", "", "difference", "", "difference", "undecided", "kinks"
    );
}

/// One row: the training so far, then what each check says of the gradient.
pub(crate) fn print_row(
    epoch: usize,
    cost: f64,
    accuracy: f64,
    classical: f64,
    tolerance: f64,
    state: &StateReport,
) {
    let counts = state.counts();
    let said = if state.failure.is_some() {
        "failed"
    } else if state.is_wrong() {
        "wrong"
    } else if counts.agreed == 0 {
        "undecided"
    } else {
        "agrees"
    };
    let classically = if classical < tolerance { "passes" } else { "FAILS" };
    let undecided = 100.0 * counts.undecided as f64 / counts.total().max(1) as f64;
    println!(
        "{epoch:>6} {cost:>9.1e} {:>7.1} %   {classically:<9} {classical:<11.1e}  {said:<10} {:<11.1e} \
         {undecided:>7.1} % {:>6}",
        100.0 * accuracy,
        decided_difference(state),
        counts.kinks,
    );
}

/// The relative difference over all components but the undecided ones, whose numeric derivative
/// is known to be no better than its bound.
fn decided_difference(state: &StateReport) -> f64 {
    let evidence = &state.evidence;
    let decided = |i: &usize| matches!(evidence.verdict[*i], Verdict::Agrees | Verdict::Wrong);
    let (analytic, numeric): (Vec<f64>, Vec<f64>) = (0..evidence.verdict.len())
        .filter(decided)
        .map(|i| (evidence.analytic[i], evidence.numeric[i]))
        .unzip();
    relative_difference(&analytic, &numeric)
}

/// What the columns mean.
pub(crate) fn print_foot() {
    println!("\n  classical: central differences with h = 1e-7, the whole gradient at once");
    println!(
        "  this check's difference leaves out the undecided components, where rounding of the"
    );
    println!("  cost hides the answer; no component of a correct gradient may be called wrong");
}

/// Names of the blocks with a wrong component.
pub(crate) fn wrong_blocks(state: &StateReport) -> Vec<&str> {
    let evidence = &state.evidence;
    let wrong = |range: std::ops::Range<usize>| evidence.counts(range).wrong > 0;
    evidence.blocks.iter().filter(|b| wrong(b.range.clone())).map(|b| b.name.as_str()).collect()
}
