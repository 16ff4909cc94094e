//! A real network on real data, gradient-checked before, during and after its training; then
//! the same network with a planted fault.
//!
//! ```text
//! cargo run --release --example network
//! ```
//!
//! 30-20-7-5-1 units, 813 parameters, on the 569 samples of the breast-cancer data. Beside this
//! project's verdict stands the classical one: central differences with h = 1e-7, all
//! parameters, and a relative difference below 2e-7. As the cost falls, the classical check
//! begins to see faults in a gradient that has none: the gradient shrinks, and the rounding of
//! the forward does not.
//!
//! Exit code 0 if the correct gradient was never called wrong, nor left mostly undecided, and the
//! planted fault was found where it is, and nowhere else; else 1.
use std::process::ExitCode;
use std::time::Instant;

use gradcheck_runtime::evidence::relative_difference;
use gradcheck_runtime::{Settings, StateReport, check_at};
use ndarray::Array2;

use data::Samples;
use network::{Cache, Dictionary, accuracy, backward, cost, forward, initialise, step};
use progress::Progress;
use table::{print_foot, print_head, print_row, wrong_blocks};

mod data;
mod network;
mod progress;
mod table;

const SIZES: [usize; 5] = [30, 20, 7, 5, 1];
const LEARNING_RATE: f64 = 0.3;
/// Epochs of full-batch descent after which the gradient is checked; the last ends the training.
const CHECKED: [usize; 11] = [0, 1, 10, 30, 100, 300, 1000, 2000, 4000, 8000, 16000];
/// Samples that a check takes its cost over.
const ROWS: usize = 64;
/// Largest relative difference that passes, for both checks.
const TOLERANCE: f64 = 2e-7;
/// What the planted fault hits, and after how many epochs.
const FAULT: (&str, usize) = ("W2", 30);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("network: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let begun = Instant::now();
    let all = Samples::load()?;
    let rows = all.some(ROWS);
    let mut parameters = initialise(&SIZES)?;
    let mut at_fault = parameters.clone();
    println!(
        "{} samples; {SIZES:?} units, {} parameters; checked on {ROWS} samples, tolerance {TOLERANCE:.0e}\n",
        all.len(),
        parameters.values().map(Array2::len).sum::<usize>(),
    );
    print_head();
    let mut right = true;
    let mut progress = Progress::new(CHECKED[CHECKED.len() - 1]);
    for epoch in 0..=CHECKED[CHECKED.len() - 1] {
        let (al, caches) = forward(&all.x, &parameters);
        let cost = cost(&al, &all.y);
        if CHECKED.contains(&epoch) {
            let state = check(&mut parameters, &rows, backward);
            let classical = classical(&mut parameters, &rows);
            progress.clear();
            print_row(epoch, cost, accuracy(&al, &all.y), classical, TOLERANCE, &state);
            let counts = state.counts();
            right &= !state.is_wrong() && 2 * counts.agreed > counts.total();
        }
        if epoch == FAULT.1 {
            at_fault.clone_from(&parameters);
        }
        progress.show(epoch, cost);
        step(&mut parameters, &backward(&al, &all.y, &caches), LEARNING_RATE);
    }
    progress.clear();
    print_foot();

    let (block, epoch) = FAULT;
    println!("\nThe same after {epoch} epochs, with `/ m` forgotten in d{block}:\n");
    let state = check(&mut at_fault, &rows, |al, y, caches| {
        let mut gradients = backward(al, y, caches);
        gradients.entry(format!("d{block}")).and_modify(|g| *g *= y.ncols() as f64);
        gradients
    });
    print!("{state}");
    let found = wrong_blocks(&state) == [block];

    let verdict = if right { "never called wrong" } else { "CALLED WRONG, OR NOT DECIDED" };
    println!("\nThe correct gradient was {verdict}.");
    println!("The planted fault was {}.", if found { "found, where it is" } else { "NOT FOUND" });
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    Ok(right && found)
}

/// This project's check of a backward pass, at the parameters as they stand.
fn check(
    parameters: &mut Dictionary,
    rows: &Samples,
    backward: impl Fn(&Array2<f64>, &Array2<f64>, &[Cache]) -> Dictionary,
) -> StateReport {
    check_at(
        parameters,
        &Settings::default().tolerance(TOLERANCE),
        |p| cost(&forward(&rows.x, p).0, &rows.y),
        |p| {
            let (al, caches) = forward(&rows.x, p);
            backward(&al, &rows.y, &caches)
        },
    )
}

/// The check of the classical course: the relative difference of the whole gradient from
/// central differences with h = 1e-7.
fn classical(parameters: &mut Dictionary, rows: &Samples) -> f64 {
    const H: f64 = 1e-7;
    let (al, caches) = forward(&rows.x, parameters);
    let gradients = backward(&al, &rows.y, &caches);
    let (mut analytic, mut numeric) = (Vec::new(), Vec::new());
    let names: Vec<String> = parameters.keys().cloned().collect();
    for name in names {
        for (index, g) in gradients[&format!("d{name}")].indexed_iter() {
            let mut cost_at = |shift: f64| {
                let theta = parameters[&name][index];
                parameters.entry(name.clone()).and_modify(|p| p[index] = theta + shift);
                let cost = cost(&forward(&rows.x, parameters).0, &rows.y);
                parameters.entry(name.clone()).and_modify(|p| p[index] = theta);
                cost
            };
            numeric.push((cost_at(H) - cost_at(-H)) / (2.0 * H));
            analytic.push(*g);
        }
    }
    relative_difference(&analytic, &numeric)
}
