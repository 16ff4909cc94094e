//! Can the verdict be trusted? Correct gradients of many functions in every kind of state, which
//! must not be accused, and more than a hundred kinds of faults, every visible one of which must
//! be caught; beside it what the classical check says (central difference, h = 1e-7, relative
//! difference of the whole gradient against 2e-7; in `f32` 1e-3 and 1e-3).
//!
//! ```text
//! cargo run --release --example trust                       # a minute or two
//! cargo run --release --example trust -- --states 100000    # the long run
//!     --faults N       states of each function and class that faults are planted in
//!     --class NAME     only states of this class, by its whole name
//!     --subject NAME   only functions whose name contains this
//!     --fault NAME     only faults whose name contains this
//!     --seed N         another set of states
//!     --state I        only state I of each function and class
//!     --full           a row for each function in each class
//!     --threads N      2 by default
//!     --method NAME    exhaustive, directional or auto, the default; as in
//!                      --method directional --subject "network 7521" --state 0 --fault ""
//! ```
//!
//! Exit code 1 if a correct gradient was accused or a visible fault missed; visible is what
//! [`oracle::visible`] says.
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use gradcheck_runtime::Method;
use gradcheck_runtime::diagnose::{Place, diagnose};
use gradcheck_runtime::evidence::Evidence;

use examine::{Job, Plan, Planted, Results, Seen};
use faults::Fault;
use subjects::{Class, Known, SUBJECTS};

mod examine;
mod faults;
mod oracle;
mod subjects;

/// What the command line asks for, and whether for the full table.
fn read_options() -> Result<(Plan, bool), String> {
    let (mut plan, mut full) = (Plan::default(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--full" {
            full = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
        match name.as_str() {
            "--states" => plan.states = number()?,
            "--faults" => plan.faults = number()?,
            "--seed" => plan.seed = number()?,
            "--state" => plan.state = Some(number()?),
            "--method" => {
                plan.method = match value.as_str() {
                    "auto" => Method::Auto,
                    "exhaustive" => Method::Exhaustive,
                    "directional" => Method::Directional { probes: 2 },
                    _ => return Err(format!("--method {value}: exhaustive, directional or auto")),
                }
            }
            "--threads" => plan.threads = number()?.max(1) as usize,
            "--class" => plan.class = Some(value),
            "--subject" => plan.subject = Some(value),
            "--fault" => plan.fault = Some(value),
            _ => return Err(format!("unknown option `{name}`; see the head of main.rs")),
        }
    }
    Ok((plan, full))
}

/// One row of the table of correct gradients.
#[derive(Default)]
struct Row {
    states: usize,
    components: usize,
    classical: usize,
    accused: usize,
    undecided: usize,
    kinks: usize,
    forwards: Vec<f64>,
}

impl Row {
    fn add(&mut self, seen: &Seen) {
        self.states += 1;
        self.components += seen.components;
        self.classical += usize::from(seen.classical);
        self.accused += usize::from(seen.accused.is_some());
        self.undecided += seen.undecided;
        self.kinks += seen.kinks;
        self.forwards.push(seen.forwards);
    }
    fn print(&mut self, name: &str) {
        self.forwards.sort_by(f64::total_cmp);
        let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
        println!(
            "{name:<28}{:>7}{:>7}{:>6.1}%{:>7}{:>10.2}%{:>7.2}%{:>9.2}",
            self.states,
            self.classical,
            percent(self.classical, self.states),
            self.accused,
            percent(self.undecided, self.components),
            percent(self.kinks, self.components),
            self.forwards.get(self.forwards.len() / 2).copied().unwrap_or(f64::NAN),
        );
    }
}

fn correct_table(results: &Results, full: bool) {
    println!(
        "{:<28}{:>7}{:>14}{:>7}{:>11}{:>8}{:>9}",
        "correct gradients", "states", "classical", "ours", "undecided", "kinks", "forwards"
    );
    println!(
        "{:<28}{:>7}{:>14}{:>7}{:>11}{:>8}{:>9}",
        "", "", "false alarms", "", "comp.", "comp.", "a coord."
    );
    let mut classes: BTreeMap<Class, Row> = BTreeMap::new();
    let mut subjects: BTreeMap<usize, Row> = BTreeMap::new();
    let mut pairs: BTreeMap<(usize, Class), Row> = BTreeMap::new();
    let (mut total, mut ordinary) = (Row::default(), Row::default());
    for seen in &results.seen {
        let rounded = SUBJECTS[seen.job.subject].is_rounded();
        if !rounded {
            classes.entry(seen.job.class).or_default().add(seen);
        }
        subjects.entry(seen.job.subject).or_default().add(seen);
        pairs.entry((seen.job.subject, seen.job.class)).or_default().add(seen);
        total.add(seen);
        if seen.job.class.is_ordinary() && !rounded {
            ordinary.add(seen);
        }
    }
    for (class, row) in &mut classes {
        row.print(&format!("  {}", class.name()));
    }
    println!();
    for (&subject, row) in &mut subjects {
        row.print(&format!("  {}", SUBJECTS[subject].name));
        if full {
            for ((_, class), row) in pairs.iter_mut().filter(|((s, _), _)| *s == subject) {
                row.print(&format!("    {}", class.name()));
            }
        }
    }
    println!();
    ordinary.print("ordinary classes *");
    total.print("all");
    println!("* without the two functions that round inside; so are the rows by class");
}

fn fault_table(results: &Results) -> (usize, usize) {
    println!("\n{:<48}{:>8}{:>9}{:>10}{:>9}", "faults", "planted", "visible", "classical", "ours");
    let (mut visible, mut caught, mut kinds) = (0, 0, 0);
    let mut classical_all = 0;
    for (number, fault) in Fault::all().enumerate() {
        let of_kind: Vec<&Planted> = results.planted.iter().filter(|p| p.fault == number).collect();
        if of_kind.is_empty() {
            continue;
        }
        let shown: Vec<&&Planted> = of_kind.iter().filter(|p| p.visible).collect();
        let classical = shown.iter().filter(|p| p.classical).count();
        let ours = shown.iter().filter(|p| p.caught).count();
        let mark = if ours < shown.len() { "<" } else { " " };
        println!(
            "  {:<46}{:>8}{:>9}{:>10}{:>7} {mark} {}",
            fault.name(),
            of_kind.len(),
            shown.len(),
            classical,
            ours,
            fault.known().map_or("", Known::name)
        );
        kinds += usize::from(!shown.is_empty());
        visible += shown.len();
        caught += ours;
        classical_all += classical;
    }
    println!(
        "  {:<46}{:>8}{:>9}{:>10}{:>7}",
        format!("{kinds} kinds"),
        results.planted.len(),
        visible,
        classical_all,
        caught
    );
    (visible, caught)
}

/// The kinds that a diagnosis may rightly name for a shape, by their labels.
fn right_kinds(known: Known) -> &'static [&'static str] {
    match known {
        Known::TimesBatch | Known::OverBatch | Known::Scaled => &["scaled", "some components"],
        Known::Sign => &["sign flipped", "some components"],
        Known::Zero => &["zero gradient", "some components", "zero on a subset"],
        Known::Transposed => &["transposed"],
        Known::Swapped => &["swapped", "another block's gradient"],
        Known::Shifted => &["shifted by one"],
        Known::Proportional => &["term proportional to the parameter"],
        Known::OneComponent | Known::FewComponents => &["some components"],
        Known::FirstSlice | Known::LastSlice => &["one slice for all", "another block's gradient"],
        Known::Constant => &["constant offset"],
        // Failures of their own kind, or named by the states and not by the numbers.
        Known::NotFinite | Known::OnlyThere => &[],
    }
}

/// What the first words of a diagnosis are, from the states of one function and class together.
fn diagnosis_table(results: &Results) {
    let faults: Vec<Fault> = Fault::all().collect();
    let mut groups: BTreeMap<(usize, Class, usize), Vec<&Evidence>> = BTreeMap::new();
    for planted in &results.planted {
        if let Some(evidence) = &planted.evidence {
            let key = (planted.job.subject, planted.job.class, planted.fault);
            groups.entry(key).or_default().push(evidence);
        }
    }
    let mut tally: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for ((_, _, fault), evidence) in groups {
        let Some(known) = faults[fault].known() else { continue };
        let right = right_kinds(known);
        if right.is_empty() {
            continue;
        }
        let diagnosis = diagnose(&evidence);
        let first = diagnosis.findings.first();
        let label = first.map_or("no known shape", |f| f.kind.label());
        // Named components are what there is to say of a few, whatever is said of them.
        let few = matches!(known, Known::OneComponent | Known::FewComponents);
        let named = first.is_some_and(|f| matches!(f.place, Place::Components { .. }));
        let place = match label {
            label if right.contains(&label) || (few && named) => 0,
            "no known shape" | "some components" => 1,
            _ => 2,
        };
        tally.entry(known.name()).or_default()[place] += 1;
    }
    println!("\n{:<22}{:>8}{:>9}{:>10}", "diagnosis", "right", "silent", "another");
    let mut all = [0; 3];
    for (name, counts) in &tally {
        println!("  {name:<20}{:>8}{:>9}{:>10}", counts[0], counts[1], counts[2]);
        all.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    let share = |n: usize| 100.0 * n as f64 / all.iter().sum::<usize>().max(1) as f64;
    println!(
        "  {:<20}{:>7.1}%{:>8.1}%{:>9.1}%",
        "of all",
        share(all[0]),
        share(all[1]),
        share(all[2])
    );
}

fn address(job: Job, plan: &Plan) -> String {
    format!(
        "--subject \"{}\" --class \"{}\" --seed {} --state {}",
        SUBJECTS[job.subject].name,
        job.class.name(),
        plan.seed,
        job.index
    )
}

fn complaints(results: &Results, plan: &Plan) {
    const SHOWN: usize = 60;
    let accused: Vec<&Seen> = results.seen.iter().filter(|s| s.accused.is_some()).collect();
    let mut missed: Vec<&Planted> =
        results.planted.iter().filter(|p| p.visible && !p.caught).collect();
    missed.sort_by(|a, b| b.margin.total_cmp(&a.margin));
    if !accused.is_empty() {
        println!("\nfalsely accused:");
    }
    for seen in accused.iter().take(SHOWN) {
        println!("  {}", address(seen.job, plan));
        println!("      {}", seen.accused.as_deref().unwrap_or_default());
    }
    if !missed.is_empty() {
        println!("\nmissed, the clearest first:");
    }
    let faults: Vec<Fault> = Fault::all().collect();
    for planted in missed.iter().take(SHOWN) {
        let name = faults[planted.fault].name();
        println!("  {} --fault \"{name}\"", address(planted.job, plan));
        println!("      {}", planted.miss);
    }
    let mut by_class: BTreeMap<(Class, &str), usize> = BTreeMap::new();
    for planted in &missed {
        let subject = SUBJECTS[planted.job.subject].name;
        *by_class.entry((planted.job.class, subject)).or_default() += 1;
    }
    for ((class, subject), n) in &by_class {
        println!("  {n:>5} missed: {subject}, {}", class.name());
    }
    for (what, n) in [("accused", accused.len()), ("missed", missed.len())] {
        if n > SHOWN {
            println!("  .. and {} more {what}", n - SHOWN);
        }
    }
}

fn main() -> ExitCode {
    let (plan, full) = match read_options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let results = examine::run(&plan);
    correct_table(&results, full);
    let (visible, caught) = fault_table(&results);
    diagnosis_table(&results);
    complaints(&results, &plan);
    println!("\n{:.0} s", start.elapsed().as_secs_f64());
    let accused = results.seen.iter().filter(|s| s.accused.is_some()).count();
    println!(
        "false alarms: {accused} of {} states; caught: {caught} of {visible} faults",
        results.seen.len()
    );
    if accused > 0 || caught < visible { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
