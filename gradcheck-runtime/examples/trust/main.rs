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
//!     --full           a row for each function in each class, and for each fault diagnosed
//!     --words          only the table of what the diagnosis says
//!     --threads N      2 by default
//!     --method NAME    exhaustive, directional or auto, the default; as in
//!                      --method directional --subject "network 7521" --state 0 --fault ""
//!     --only NAME      `differences`, or `exact`: without them, on a tape (`exact = F`)
//! ```
//!
//! Exit code 1 if a correct gradient was accused or a visible fault missed; visible is what
//! [`oracle::visible`] says.
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Instant;

use examine::{Plan, Planted, Results, Seen, Total};
use faults::Fault;
use subjects::{Class, Known, SUBJECTS};
use words::{Answer, Told};

mod exact;
mod examine;
mod faults;
mod oracle;
mod subjects;
mod truth;
mod words;

/// What the command line asks for.
struct Options {
    plan: Plan,
    /// The long tables.
    full: bool,
    /// The diagnosis only.
    words: bool,
}

fn read_options() -> Result<Options, String> {
    use gradcheck_runtime::Method;

    let (mut plan, mut full, mut words) = (Plan::default(), false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--full" || name == "--words" {
            full |= name == "--full";
            words |= name == "--words";
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
            "--only" if ["differences", "exact"].contains(&&*value) => plan.only = Some(value),
            _ => return Err(format!("unknown option `{name}`; see the head of main.rs")),
        }
    }
    Ok(Options { plan, full, words })
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

/// What the first words of the diagnosis are, by the shape that each fault was planted as; the
/// last row is of all faults, of those too that have no known shape or do not show it.
fn diagnosis_table(told: &[Told], plan: &Plan, full: bool) {
    let answers = [Answer::Right, Answer::AlsoTrue, Answer::Silent, Answer::False];
    let faults: Vec<Fault> = Fault::all().collect();
    let row = |name: &str, of: &[&Told]| {
        if of.is_empty() {
            return;
        }
        let counts = answers.map(|answer| of.iter().filter(|t| t.answer == answer).count());
        let share = |n: usize| 100.0 * n as f64 / of.len() as f64;
        println!(
            "  {name:<46}{:>6}{:>8}{:>6.1}%{:>8}{:>8}{:>8}",
            of.len(),
            counts[0],
            share(counts[0]),
            counts[1],
            counts[2],
            counts[3]
        );
    };
    println!(
        "\n{:<48}{:>6}{:>8}{:>7}{:>8}{:>8}{:>8}",
        "diagnosis: first words", "faults", "right", "", "also", "silent", "false"
    );
    println!("{:<48}{:>6}{:>8}{:>7}{:>8}", "", "", "", "", "true");
    let shapes: BTreeSet<Known> = told.iter().filter_map(|t| t.known).collect();
    for shape in shapes {
        let of: Vec<&Told> = told.iter().filter(|t| t.known == Some(shape)).collect();
        row(shape.name(), &of);
        for (number, fault) in faults.iter().enumerate().filter(|_| full) {
            let of: Vec<&Told> = of.iter().copied().filter(|t| t.fault == number).collect();
            row(&format!("  {}", fault.name()), &of);
        }
    }
    row("of a known shape", &told.iter().filter(|t| t.known.is_some()).collect::<Vec<_>>());
    row("no known shape", &told.iter().filter(|t| t.known.is_none()).collect::<Vec<_>>());
    row("all", &told.iter().collect::<Vec<_>>());
    for t in told.iter().filter(|t| {
        full && t.known.is_some() && t.answer != Answer::Right || t.answer == Answer::False
    }) {
        println!(
            "  {:?}: --subject \"{}\" --class \"{}\" --seed {} --fault \"{}\"\n      {}",
            t.answer,
            SUBJECTS[t.subject].name,
            t.class.name(),
            plan.seed,
            faults[t.fault].name(),
            t.words.replace('\n', "\n      ")
        );
    }
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
        println!("  {}", examine::address(seen.job, plan));
        println!("      {}", seen.accused.as_deref().unwrap_or_default());
    }
    if !missed.is_empty() {
        println!("\nmissed, the clearest first:");
    }
    let faults: Vec<Fault> = Fault::all().collect();
    for planted in missed.iter().take(SHOWN) {
        let name = faults[planted.fault].name();
        println!("  {} --fault \"{name}\"", examine::address(planted.job, plan));
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

/// Runs the check by differences and prints its tables.
fn differences(plan: &Plan, full: bool) -> Total {
    let results = examine::run(plan);
    correct_table(&results, full);
    let (visible, caught) = fault_table(&results);
    if plan.faults > 0 {
        diagnosis_table(&words::run(plan), plan, full);
    }
    complaints(&results, plan);
    let accused = results.seen.iter().filter(|s| s.accused.is_some()).count();
    Total { states: results.seen.len(), accused, visible, caught }
}

fn main() -> ExitCode {
    let Options { plan, full, words: words_only } = match read_options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    if words_only {
        diagnosis_table(&words::run(&plan), &plan, full);
        println!("\n{:.0} s", start.elapsed().as_secs_f64());
        return ExitCode::SUCCESS;
    }
    let chosen = |name: &str| plan.only.as_deref().is_none_or(|only| only == name);
    let mut last = Vec::new();
    if chosen("exact") {
        let results = exact::run(&plan);
        last.push(("without differences: ", exact::table(&results, &plan)));
    }
    if chosen("differences") {
        last.push(("", differences(&plan, full)));
    }
    println!("\n{:.0} s", start.elapsed().as_secs_f64());
    let mut fine = true;
    for (name, Total { states, accused, visible, caught }) in last {
        println!(
            "{name}false alarms: {accused} of {states} states; caught: {caught} of {visible} faults"
        );
        fine &= accused == 0 && caught == visible;
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
