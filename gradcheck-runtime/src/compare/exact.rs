//! The derivative without a difference: the forward run once on a tape, and swept back.
//!
//! The state is drawn a second time from the same seeds with the tape scalar, so that nothing
//! need be converted; its `wrt` places then receive the values of the state as independent
//! variables. One forward and one sweep give every component to rounding, each with a running
//! error bound. What the tape cannot see (a branch that ties, a derivative that a conversion
//! dropped, a fixed point that was its own start) is looked at again with differences.
use super::{ASIDE, Bench, Suspect, acquit, exhaustive_over, lenient, record, unjudged};
use crate::case::Draw;
use crate::evidence::{Evidence, Verdict};
use crate::failure::Failure;
use crate::flatten::Scalar as _;
use crate::layout::{SetAll, Tree};
use crate::numeric::Finding;
use crate::panics::caught;
use crate::probe::Probe;
use crate::problem::Problem;
use crate::settings::Settings;
use crate::state::{Form, State};
use crate::var::{Event, Tape, Var};

/// What the tape said: derivative and error bound of each component.
struct Exact {
    derivative: Vec<f64>,
    bound: Vec<f64>,
}

/// Judges a gradient against the tape, and by differences where the tape does not hold.
pub(crate) fn judge(
    state: &mut State<'_>,
    settings: &Settings,
    analytic: Vec<f64>,
    steps: usize,
    on_tape: &dyn Problem,
) -> Result<Evidence, Failure> {
    let exact = match record_forward(state, on_tape)? {
        Ok(exact) => exact,
        Err(reason) => {
            state.notes.push(format!("differences in place of the tape: {reason}"));
            return super::exhaustive(state, settings, analytic, steps);
        }
    };
    let mut evidence = unjudged(state, settings, analytic, steps);
    evidence.numeric = exact.derivative.into();
    evidence.bound = exact.bound.into();
    let mut open = Vec::new();
    for i in 0..evidence.analytic.len() {
        let (g, d, bound) = (evidence.analytic[i], evidence.numeric[i], evidence.bound[i]);
        let allowed = evidence.tolerance_of(i) * (g.abs() + d.abs());
        if (g - d).abs() <= allowed && bound <= allowed || (g == d && bound == 0.0) {
            evidence.verdict[i] = Verdict::Agrees;
        } else {
            open.push(i);
        }
    }
    if !open.is_empty() {
        look_again(state, settings, &mut evidence, &open)?;
    }
    lenient(&mut evidence);
    Ok(evidence)
}

/// Components that the tape alone does not settle.
fn look_again(
    state: &mut State<'_>,
    settings: &Settings,
    evidence: &mut Evidence,
    open: &[usize],
) -> Result<(), Failure> {
    let own = state.analytic_bound(&evidence.analytic, open);
    let mut bench: Option<Bench> = None;
    let mut suspects = Vec::new();
    let mut by_differences = Vec::new();
    for (&i, &own) in open.iter().zip(&own) {
        let (g, d) = (evidence.analytic[i], evidence.numeric[i]);
        let tolerance = evidence.tolerance_of(i);
        let allowed = tolerance * (g.abs() + d.abs());
        if (g - d).abs() <= allowed + evidence.bound[i] + own && evidence.bound[i].is_finite() {
            // Cancellation in the forward, or in the user's gradient: nothing speaks against it.
            continue;
        }
        if state.form != Form::Gradient {
            // Outputs share their lines: measured together below.
            by_differences.push(i);
            continue;
        }
        if suspects.len() >= ASIDE && evidence.bound[i].is_finite() {
            // Enough of them have been confirmed one by one.
            evidence.verdict[i] = Verdict::Wrong;
            suspects.push(Suspect { component: i, near_kink: false });
            continue;
        }
        let bench = bench.get_or_insert_with(|| super::bench(state, settings));
        let resolved = tolerance.max(settings.tolerance_at(f64::ROUNDOFF).max(2e-7));
        let difference = bench.component(state, i, g, resolved);
        let tape_holds = evidence.bound[i].is_finite()
            && (d - difference.numeric).abs()
                <= difference.bound + 1e-6 * (d.abs() + difference.numeric.abs());
        // A cancellation in the user's own formula, `1 - t * t` where t is nearly 1, is off by
        // some roundings of numbers of order one. So small a difference must show in the forward
        // too, as it does where all numbers are small.
        let ordinary = 1.0 + state.output_size() / state.scale_of(i);
        if (g - d).abs() <= 64.0 * Var::ROUNDOFF * ordinary
            && (g - difference.numeric).abs() <= difference.bound
        {
            evidence.verdict[i] = Verdict::Undecided;
            continue;
        }
        let kinked =
            matches!(difference.finding, Finding::Kink | Finding::Wrong { near_kink: true });
        if tape_holds && !kinked {
            evidence.verdict[i] = Verdict::Wrong;
            evidence.bound[i] += own;
            suspects.push(Suspect { component: i, near_kink: false });
        } else {
            record(evidence, i, &difference, &mut suspects);
        }
    }
    let mut bench = match bench {
        Some(bench) => bench,
        None if by_differences.is_empty() => return Ok(()),
        None => super::bench(state, settings),
    };
    if !by_differences.is_empty() {
        confirm_outputs(state, evidence, &mut bench, &by_differences, &mut suspects);
    }
    let near: Vec<Suspect> = suspects.iter().copied().filter(|s| s.near_kink).collect();
    acquit(state, evidence, &mut bench, &near)
}

/// A Jacobian's or a tangent's components, confirmed by differences of every output.
fn confirm_outputs(
    state: &mut State<'_>,
    evidence: &mut Evidence,
    bench: &mut Bench,
    open: &[usize],
    suspects: &mut Vec<Suspect>,
) {
    let exact = (evidence.numeric.clone(), evidence.bound.clone());
    let verdicts = evidence.verdict.clone();
    let mut found = Vec::new();
    if state.form == Form::Jacobian {
        let all = 0..state.primal.values.len();
        exhaustive_over(state, evidence, bench, all, &mut found);
    } else {
        super::along_tangent(state, evidence, bench, &mut found);
    }
    for (i, &before) in verdicts.iter().enumerate() {
        let (d, bound) = (evidence.numeric[i], evidence.bound[i]);
        let (tape, tape_bound) = (exact.0[i], exact.1[i]);
        if !open.contains(&i) {
            (evidence.numeric[i], evidence.bound[i]) = (tape, tape_bound);
            evidence.verdict[i] = before;
            continue;
        }
        let holds =
            tape_bound.is_finite() && (tape - d).abs() <= bound + 1e-6 * (tape.abs() + d.abs());
        if holds && evidence.verdict[i] != Verdict::Kink {
            (evidence.numeric[i], evidence.bound[i]) = (tape, tape_bound);
            evidence.verdict[i] = Verdict::Wrong;
        }
        if evidence.verdict[i] == Verdict::Wrong {
            suspects.push(Suspect { component: i, near_kink: false });
        }
    }
}

/// Runs the forward on the tape. The inner error is a reason to take differences instead.
fn record_forward(
    state: &mut State<'_>,
    on_tape: &dyn Problem,
) -> Result<Result<Exact, String>, Failure> {
    let mut session = on_tape.session();
    Tape::reset();
    let mut draw = Draw::new(state.case());
    caught("drawing the state with the tape scalar", || session.draw(&mut draw))?;
    let mut drawn = Tree::default();
    caught("reaching the `wrt` places", || session.places(&mut drawn))?;
    same_draw(state, &drawn)?;
    Tape::reset();
    let values = state.primal.values.clone();
    caught("setting the parameters", || session.places(&mut SetAll(&values)))?;
    if Tape::variables() != values.len() {
        return Ok(Err("the `wrt` places are not all of the exact scalar type".to_owned()));
    }
    let mut probe = Probe::new(state.seed());
    probe.tape_ids = Some(Vec::new());
    state.forwards += 1;
    match caught("the forward on the tape", || session.eval(&mut probe)) {
        // The tape's own panic, at its cap.
        Err(_) if Tape::is_full() => {
            return Ok(Err("the forward outgrows the tape".to_owned()));
        }
        called => called?,
    }
    if let Some(failure) = probe.failure.take() {
        return Err(failure);
    }
    let ids = probe.tape_ids.take().unwrap_or_default();
    let counts = Tape::counts();
    for (event, what) in [
        (Event::Dropped, "the forward converts a variable out of its scalar type"),
        (Event::Foreign, "the forward uses a value of another tape"),
    ] {
        if counts.of(event) > 0 {
            let first = Tape::notes().into_iter().find(|note| note.event == event);
            let first =
                first.map_or_else(String::new, |n| format!(" (`{}` at {})", n.operation, n.value));
            return Ok(Err(format!("{what}, {} times{first}", counts.of(event))));
        }
    }
    let ties = counts.of(Event::Tie) + counts.of(Event::Kink);
    if ties > 0
        && let Some(note) =
            Tape::notes().into_iter().find(|n| matches!(n.event, Event::Tie | Event::Kink))
    {
        state.notes.push(format!(
            "a tie in `{}` at {}: a kink of the forward",
            note.operation, note.value
        ));
    }
    if !state.outputs_match(&probe.outputs) {
        return Ok(Err("the forward has another value on the tape".to_owned()));
    }
    Ok(Ok(sweep(state, &ids)))
}

/// Both scalar types drew the same state.
fn same_draw(state: &State<'_>, drawn: &Tree) -> Result<(), Failure> {
    let blocks = state.primal.blocks();
    let first = state.drawn();
    let differs = |i: usize| first.get(i) != drawn.values.get(i);
    let count = first.len().max(drawn.values.len());
    match (0..count).find(|&i| differs(i)) {
        None => Ok(()),
        Some(i) => Err(Failure::DrawsDiffer {
            component: blocks
                .iter()
                .find(|b| b.range.contains(&i))
                .map_or_else(|| format!("component {i}"), |b| b.component(i - b.range.start)),
            values: (
                first.get(i).copied().unwrap_or(f64::NAN),
                drawn.values.get(i).copied().unwrap_or(f64::NAN),
            ),
        }),
    }
}

/// One sweep for the contracted outputs, or one for each output.
fn sweep(state: &State<'_>, ids: &[Option<u32>]) -> Exact {
    let parameters = state.primal.values.len();
    let one = |seeds: &[(u32, f64)]| {
        if seeds.is_empty() {
            return (vec![0.0; parameters], vec![0.0; parameters]);
        }
        let sweep = Tape::sweep(seeds);
        (sweep.gradient, sweep.bounds)
    };
    if state.form == Form::Gradient {
        let seeds: Vec<(u32, f64)> = ids
            .iter()
            .zip(state.weights())
            .filter_map(|(id, &weight)| id.map(|id| (id, weight)))
            .collect();
        let (derivative, bound) = one(&seeds);
        return Exact { derivative, bound };
    }
    let components = state.components();
    let mut exact = Exact { derivative: vec![0.0; components], bound: vec![0.0; components] };
    let tangent = state.tangent();
    for (j, id) in ids.iter().enumerate() {
        let (row, bound) = one(&id.map(|id| (id, 1.0)).into_iter().collect::<Vec<_>>());
        if state.form == Form::Tangent {
            exact.derivative[j] = row.iter().zip(tangent).map(|(d, t)| d * t).sum();
            exact.bound[j] = bound.iter().zip(tangent).map(|(b, t)| b * t.abs()).sum::<f64>()
                + 4.0
                    * Var::ROUNDOFF
                    * row.iter().zip(tangent).map(|(d, t)| (d * t).abs()).sum::<f64>();
        } else {
            for i in 0..parameters {
                let component = state.component(i, j);
                exact.derivative[component] = row[i];
                exact.bound[component] = bound[i];
            }
        }
    }
    exact
}
