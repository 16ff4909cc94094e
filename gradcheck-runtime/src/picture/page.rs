//! The page of one check.
use std::fmt::Write as _;

use super::charts;
use super::heat;
use super::html::{Esc, duration, grouped, short, unbroken, utc};
use super::index::{Entry, states_are};
use crate::failure::number;
use crate::record::{Component, Record, Shown, Smallest, StatesAre, Verdict};

/// Rows of a table.
const ROWS: usize = 24;

/// What stands in the head of every page. Nothing is fetched and nothing is run, and the browser is
/// told so.
pub(super) const STYLE: &str = concat!(
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
     style-src 'unsafe-inline'\"/>\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n<style>\n",
    include_str!("style.css"),
    "</style>\n",
);

/// A tick or a cross, told apart by shape as well as by colour.
pub(super) fn verdict_mark(passed: bool) -> &'static str {
    if passed {
        "<svg class=\"mark\" viewBox=\"0 0 20 20\" role=\"img\" aria-label=\"passes\"><circle \
         cx=\"10\" cy=\"10\" r=\"9.5\"/><path class=\"sign\" d=\"M5.5 10.5l3 3L14.5 7\"/></svg>"
    } else {
        "<svg class=\"mark bad\" viewBox=\"0 0 20 20\" role=\"img\" aria-label=\"fails\"><path \
         class=\"disc\" d=\"M6 .5h8L19.5 6v8L14 19.5H6L.5 14V6z\"/><path class=\"sign\" d=\"M6.7 \
         6.7l6.6 6.6m0-6.6l-6.6 6.6\"/></svg>"
    }
}

/// The whole page.
pub(super) fn page(record: &Record) -> String {
    let verdict = if record.passed { "passes" } else { "fails" };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n{}\
         <title>{} {verdict}: gradcheck</title>\n{STYLE}</head>\n<body>\n{}<main>\n",
        Entry::of(record).write(),
        Esc(&record.function),
        heat::FILLS,
    );
    header(&mut out, record);
    facts(&mut out, record);
    what_is_wrong(&mut out, record);
    if let Some(shown) = &record.shown {
        blocks(&mut out, record, shown);
        worst(&mut out, record, shown);
    }
    charts(&mut out, record);
    if let Some(smallest) = &record.smallest {
        smallest_case(&mut out, smallest);
    }
    again(&mut out, record);
    footer(&mut out, record);
    out + "</main>\n</body>\n</html>\n"
}

fn header(out: &mut String, record: &Record) {
    let kind = if record.passed { "pass" } else { "fail" };
    let place = match record.states_are {
        StatesAre::Given => String::new(),
        _ => format!(
            "<p class=\"under\"><code>{}</code> at <code>{}:{}</code></p>",
            Esc(&record.test),
            Esc(&record.file),
            record.line
        ),
    };
    let _ = writeln!(
        out,
        "<header class=\"{kind}\"><p class=\"over\">gradcheck \u{b7} {}</p><h1>{} {}</h1>{place}\
         </header>",
        states_are(record.states_are),
        verdict_mark(record.passed),
        Esc(&record.headline),
    );
}

/// A number with its words below.
fn fact(out: &mut String, value: &str, words: &str) {
    let _ = write!(out, "<div><b>{}</b><span>{}</span></div>", Esc(value), Esc(words));
}

fn facts(out: &mut String, record: &Record) {
    out.push_str("<section class=\"facts\">");
    if record.failure.is_none() && record.states > 0 {
        let words = match (record.passed, record.states) {
            (true, 2..) => "largest difference",
            _ => "difference",
        };
        let grade = match record.grade.as_str() {
            "" => String::new(),
            grade => format!("; {grade}"),
        };
        let words = format!("{words}, tolerance {}{grade}", unbroken(record.tolerance));
        fact(out, &short(record.difference), &words);
    }
    let states = grouped(record.states);
    match record.failing_states {
        0 => fact(out, &states, if record.states == 1 { "state passes" } else { "states pass" }),
        failing => fact(out, &format!("{failing} of {states}"), "states checked fail"),
    }
    let counts = &record.counts;
    let components = counts.agrees + counts.kink + counts.undecided + counts.wrong;
    if components > 0 {
        let listed = [
            (counts.wrong, "wrong"),
            (counts.agrees, "agree"),
            (counts.kink, "kink"),
            (counts.undecided, "undecided"),
        ];
        let words: Vec<String> = (listed.iter().filter(|(n, _)| *n > 0))
            .map(|(n, word)| format!("{} {word}", grouped(*n)))
            .collect();
        fact(out, &grouped(components), &format!("components: {}", words.join(", ")));
    }
    let calls = record.forward_calls + record.gradient_calls;
    let time = match record.states_are {
        StatesAre::Given => String::new(),
        _ => format!(", {}", duration(record.seconds)),
    };
    fact(out, &grouped(calls), &format!("forward calls{time}"));
    out.push_str("</section>\n");
}

fn what_is_wrong(out: &mut String, record: &Record) {
    if let Some(failure) = &record.failure {
        let _ = writeln!(
            out,
            "<section class=\"diagnosis\"><h2>There was nothing to compare</h2><p \
             class=\"words\">{}</p></section>",
            Esc(failure)
        );
    }
    let mut say = |title: &str, lines: &[String]| {
        if lines.is_empty() {
            return;
        }
        let lines: String = lines.iter().map(|l| format!("<p>{}</p>", Esc(l.trim()))).collect();
        let _ = writeln!(out, "<section class=\"diagnosis\"><h2>{title}</h2>{lines}</section>");
    };
    say("Diagnosis, from all failing states", &record.diagnosis);
    say("Never exercised: a check that cannot fail proves nothing", &record.unexercised);
    if !record.notes.is_empty() {
        let notes: String = record.notes.iter().map(|n| format!("<p>{}</p>", Esc(n))).collect();
        let _ = writeln!(out, "<section><h2>Notes</h2>{notes}</section>");
    }
}

fn blocks(out: &mut String, record: &Record, shown: &Shown) {
    let which = match (record.states_are, shown.wrong, record.states) {
        (StatesAre::Given, ..) | (_, _, 1) => "The state",
        (_, true, _) => "The largest state that fails",
        (_, false, _) if record.failing_states > 0 => "A state that passes, as contrast",
        _ => "The state that differs most",
    };
    let _ = write!(
        out,
        "<section><h2>Analytic against numeric, block by block</h2><p class=\"soft\">{which}, {}: \
         the relative difference <span class=\"formula\">|g \u{2212} g\u{303}| / (|g| + \
         |g\u{303}|)</span> of each component. The \
         whole gradient's is {}.</p>",
        Esc(&shown.place),
        unbroken(shown.difference),
    );
    let total = shown.blocks.len() + shown.blocks_left_out;
    let mapped = shown.blocks.iter().filter(|block| block.map.is_some()).count();
    if mapped < total {
        out.push_str(&heat::overview(shown));
        let _ = write!(out, "<h3>The {mapped} that differ most</h3>");
    }
    out.push_str(&heat::maps(shown));
    block_table(out, shown);
    slopes(out, &shown.slopes);
    out.push_str("</section>\n");
}

fn block_table(out: &mut String, shown: &Shown) {
    let mut rows = String::new();
    let mut order: Vec<_> = shown.blocks.iter().collect();
    if order.len() > ROWS {
        order.sort_by_key(|block| std::cmp::Reverse(block.counts.wrong));
    }
    for block in order.iter().take(ROWS) {
        let counts = &block.counts;
        let _ = write!(
            rows,
            "<tr{}><td class=\"mono\">{}</td><td>{:?}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>",
            if counts.wrong > 0 { " class=\"wrong\"" } else { "" },
            Esc(&block.name),
            block.shape,
            short(block.difference),
            grouped(counts.agrees),
            grouped(counts.kink),
            grouped(counts.undecided),
            grouped(counts.wrong),
        );
    }
    let more = (shown.blocks.len() + shown.blocks_left_out).saturating_sub(ROWS);
    let more = if more > 0 { format!("<p>and {} more</p>", grouped(more)) } else { String::new() };
    let _ = write!(
        out,
        "<details><summary>The blocks as a table</summary><div class=\"scroll\"><table><thead><tr>\
         <th>block</th><th>shape</th><th>difference</th><th>agree</th><th>kink</th>\
         <th>undecided</th><th>wrong</th></tr></thead><tbody>{rows}</tbody></table></div>{more}\
         </details>",
    );
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees => "agrees",
        Verdict::Kink => "kink",
        Verdict::Undecided => "undecided",
        Verdict::Wrong => "wrong",
    }
}

fn slopes(out: &mut String, slopes: &[Component]) {
    if slopes.is_empty() {
        return;
    }
    let rows = slopes.iter().take(ROWS).fold(String::new(), |mut rows, slope| {
        let _ = write!(
            rows,
            "<tr{}><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            if slope.verdict == Verdict::Wrong { " class=\"wrong\"" } else { "" },
            Esc(&slope.path),
            number(slope.analytic),
            number(slope.numeric),
            short(slope.bound),
            verdict_word(slope.verdict),
        );
        rows
    });
    let _ = write!(
        out,
        "<details open=\"open\"><summary>Slopes along random directions through a block</summary>\
         <div class=\"scroll\"><table><thead><tr><th>block</th><th>analytic</th><th>numeric</th>\
         <th>bound</th><th>verdict</th></tr></thead><tbody>{rows}</tbody></table></div></details>"
    );
}

fn components(components: &[Component]) -> String {
    let rows = components.iter().fold(String::new(), |mut rows, c| {
        let ratio = match c.numeric == 0.0 {
            true => "\u{2013}".to_owned(),
            false => number(c.analytic / c.numeric),
        };
        let _ = write!(
            rows,
            "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{ratio}</td></tr>",
            Esc(&c.path),
            number(c.analytic),
            number(c.numeric),
            short(c.bound),
        );
        rows
    });
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>component</th><th>analytic</th><th>numeric</th>\
         <th>bound</th><th>ratio</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

fn worst(out: &mut String, record: &Record, shown: &Shown) {
    if shown.worst.is_empty() {
        return;
    }
    let more = shown.blocks.iter().map(|b| b.counts.wrong).sum::<usize>()
        - shown.worst.len().min(shown.blocks.iter().map(|b| b.counts.wrong).sum());
    let more = match more {
        0 => String::new(),
        more => format!("<p class=\"soft\">and {} more</p>", grouped(more)),
    };
    let state = if record.states > 1 { " of this state" } else { "" };
    let _ = writeln!(
        out,
        "<section><h2>Worst components{state}</h2>{}{more}</section>",
        components(&shown.worst)
    );
}

fn charts(out: &mut String, record: &Record) {
    let mut sections = Vec::new();
    if let Some(sweep) = &record.sweep {
        sections.push(format!(
            "<h2>Error against the step</h2><p class=\"soft\"><code>{}</code>: analytic {}, best \
             numeric {} (bound {}). A narrow step drowns in rounding, a wide one in curvature.</p>{}",
            Esc(&sweep.path),
            number(sweep.analytic),
            number(sweep.numeric),
            unbroken(sweep.bound),
            charts::sweep(sweep),
        ));
    }
    if let Some(training) = &record.training {
        sections.push(format!(
            "<h2>Along training</h2><p class=\"soft\">The run that leads to the state above.</p>{}",
            charts::training(training, record.tolerance)
        ));
    }
    if record.every_state.len() > 1 {
        sections.push(format!(
            "<h2>Every state</h2><p class=\"soft\">The whole gradient's difference in each state \
             that was checked.</p>{}",
            charts::states(&record.every_state, record.states_are, record.tolerance)
        ));
    }
    sections.extend(planted(record));
    if sections.is_empty() {
        return;
    }
    out.push_str("<div class=\"two\">\n");
    for section in sections {
        let _ = writeln!(out, "<section>{section}</section>");
    }
    out.push_str("</div>\n");
}

fn planted(record: &Record) -> Option<String> {
    if record.planted.is_empty() {
        return None;
    }
    let (caught, all) = (record.planted.iter())
        .fold((0, 0), |(caught, all), p| (caught + p.caught, all + p.planted));
    let rows = record.planted.iter().fold(String::new(), |mut rows, p| {
        let share = 100.0 * p.caught as f64 / p.planted.max(1) as f64;
        let _ = write!(
            rows,
            "<tr><td>{}</td><td><span class=\"bar\"><i style=\"width:{share:.1}%\"></i></span></td>\
             <td>{} of {}</td></tr>",
            Esc(&p.kind),
            grouped(p.caught),
            grouped(p.planted),
        );
        rows
    });
    Some(format!(
        "<h2>Planted faults: {} of {} caught</h2><p class=\"soft\">What this check would \
         have caught: faults put into the gradients of the states that pass, block by block, and \
         held against the same differences.</p><table><thead><tr><th>fault</th><th></th>\
         <th>caught</th></tr></thead><tbody>{rows}</tbody></table>",
        grouped(caught),
        grouped(all),
    ))
}

fn smallest_case(out: &mut String, smallest: &Smallest) {
    let title = if smallest.shrunk { "The smallest case" } else { "The case" };
    let draws = smallest.draws.iter().fold(String::new(), |mut draws, drawn| {
        let _ = writeln!(draws, "{} = {}", Esc(&drawn.name), Esc(&drawn.value));
        draws
    });
    let _ = write!(
        out,
        "<section><h2>{title}</h2><p class=\"soft\">{}</p>",
        Esc(&sentence(&smallest.place))
    );
    if !draws.is_empty() {
        let _ = write!(out, "<pre>{draws}</pre>");
    }
    if !smallest.worst.is_empty() {
        out.push_str(&components(&smallest.worst));
    }
    out.push_str("</section>\n");
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn again(out: &mut String, record: &Record) {
    if record.replay.is_empty() {
        return;
    }
    let kept = match &record.kept_in {
        Some(path) => format!(
            "<p class=\"soft\">The case is kept, and tried first: <code>{}</code></p>",
            Esc(path)
        ),
        None => String::new(),
    };
    let _ = writeln!(
        out,
        "<section><h2>Run it again</h2><pre>{}</pre>{kept}</section>",
        Esc(&record.replay)
    );
}

fn footer(out: &mut String, record: &Record) {
    let list = match record.states_are {
        StatesAre::Given => String::new(),
        _ => "<a href=\"index.html\">All checks</a> \u{b7} ".to_owned(),
    };
    let calls = match record.page_calls {
        0 => String::new(),
        calls => format!(" \u{b7} {} further forward calls for this page", grouped(calls)),
    };
    let _ = writeln!(
        out,
        "<footer>{list}gradcheck {} \u{b7} seed {} \u{b7} {}{calls}</footer>",
        env!("CARGO_PKG_VERSION"),
        record.seed,
        utc(record.made),
    );
}
