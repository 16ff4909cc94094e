//! The list of all checks in a folder, made from what each page says of itself in its head.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::html::{Esc, duration, grouped, short, unescape, utc};
use super::page::{STYLE, verdict_mark};
use crate::record::{Record, StatesAre};

/// What the list tells of one check.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    passed: bool,
    function: String,
    test: String,
    module: String,
    states_are: String,
    said: String,
    difference: String,
    states: String,
    calls: String,
    seconds: String,
    planted: String,
    made: u64,
}

/// How a check's states are had, in words.
pub(super) fn states_are(states: StatesAre) -> &'static str {
    match states {
        StatesAre::RandomInit => "random initialisations",
        StatesAre::AfterTraining => "after training",
        StatesAre::Given => "one state",
    }
}

/// What is wrong, in a line: the diagnosis where there is one.
fn said(record: &Record) -> String {
    let prefix = format!("{}: ", record.function);
    let headline = record.headline.strip_prefix(&prefix).unwrap_or(&record.headline);
    record.diagnosis.first().map_or(headline, |line| line.trim()).chars().take(300).collect()
}

impl Entry {
    pub(super) fn of(record: &Record) -> Entry {
        let sum = |count: fn(&crate::record::Planted) -> usize| {
            grouped(record.planted.iter().map(count).sum())
        };
        let comparable = record.failure.is_none() && record.states > 0;
        Entry {
            passed: record.passed,
            function: record.function.clone(),
            test: record.test.clone(),
            module: record.module.clone(),
            states_are: states_are(record.states_are).to_owned(),
            said: said(record),
            difference: if comparable { short(record.difference) } else { "\u{2013}".to_owned() },
            states: match record.failing_states {
                0 => grouped(record.states),
                failing => format!("{failing} of {}", grouped(record.states)),
            },
            calls: grouped(record.forward_calls + record.gradient_calls),
            seconds: duration(record.seconds),
            planted: match record.planted.is_empty() {
                true => "\u{2013}".to_owned(),
                false => format!("{} of {}", sum(|p| p.caught), sum(|p| p.planted)),
            },
            made: record.made,
        }
    }

    fn fields(&self) -> [(&'static str, String); 12] {
        [
            ("passed", self.passed.to_string()),
            ("function", self.function.clone()),
            ("test", self.test.clone()),
            ("module", self.module.clone()),
            ("states-are", self.states_are.clone()),
            ("said", self.said.clone()),
            ("difference", self.difference.clone()),
            ("states", self.states.clone()),
            ("calls", self.calls.clone()),
            ("seconds", self.seconds.clone()),
            ("planted", self.planted.clone()),
            ("made", self.made.to_string()),
        ]
    }

    /// Lines for the head of a page.
    pub(super) fn write(&self) -> String {
        self.fields().iter().fold(String::new(), |mut head, (name, value)| {
            let _ = writeln!(head, "<meta name=\"gradcheck-{name}\" content=\"{}\"/>", Esc(value));
            head
        })
    }

    /// What [`Entry::write`] wrote; `None` in a page that is no check's.
    pub(super) fn read(head: &str) -> Option<Entry> {
        let field = |name: &str| {
            let start = format!("<meta name=\"gradcheck-{name}\" content=\"");
            let rest = &head[head.find(&start)? + start.len()..];
            Some(unescape(&rest[..rest.find('"')?]))
        };
        Some(Entry {
            passed: field("passed")? == "true",
            function: field("function")?,
            test: field("test")?,
            module: field("module")?,
            states_are: field("states-are")?,
            said: field("said")?,
            difference: field("difference")?,
            states: field("states")?,
            calls: field("calls")?,
            seconds: field("seconds")?,
            planted: field("planted")?,
            made: field("made")?.parse().ok()?,
        })
    }
}

/// The list itself; failing checks first.
pub(super) fn page(entries: &BTreeMap<String, Entry>) -> String {
    let failing = entries.values().filter(|entry| !entry.passed).count();
    let title = match failing {
        0 => format!("all {} checks pass", entries.len()),
        1 => format!("1 of {} checks fails", entries.len()),
        _ => format!("{failing} of {} checks fail", entries.len()),
    };
    let mut order: Vec<(&String, &Entry)> = entries.iter().collect();
    order.sort_by_key(|(name, entry)| (entry.passed, name.as_str()));
    let last = entries.values().map(|entry| entry.made).max().unwrap_or(0);
    let rows = order.iter().fold(String::new(), |mut rows, (name, entry)| {
        let said = match entry.passed {
            true => String::new(),
            false => format!("<span class=\"said\">{}</span>", Esc(&entry.said)),
        };
        let _ = writeln!(
            rows,
            "<tr class=\"{kind}\"><td>{mark}</td>\
             <td class=\"who\"><a href=\"{name}\">{function}</a>\
             <span class=\"what\">{states_are} \u{b7} {module}</span>{said}</td>\
             <td data-of=\"difference\">{difference}</td><td data-of=\"states\">{states}</td>\
             <td data-of=\"faults caught\">{planted}</td>\
             <td data-of=\"calls\">{calls}</td><td data-of=\"time\">{seconds}</td>\
             <td data-of=\"checked\">{made}</td></tr>",
            kind = if entry.passed { "pass" } else { "fail" },
            mark = verdict_mark(entry.passed),
            name = Esc(name),
            function = Esc(&entry.function),
            states_are = Esc(&entry.states_are),
            module = Esc(&entry.module),
            difference = Esc(&entry.difference),
            states = Esc(&entry.states),
            planted = Esc(&entry.planted),
            calls = Esc(&entry.calls),
            seconds = Esc(&entry.seconds),
            made = utc(entry.made),
        );
        rows
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <title>gradcheck: {title}</title>\n{STYLE}</head>\n<body>\n<main>\n\
         <header class=\"{kind}\"><p class=\"over\">gradcheck</p><h1>{mark} {title}</h1>\
         <p class=\"under\">last check {last}</p></header>\n\
         <section><table class=\"list\"><thead><tr><th></th><th>function</th><th>difference</th>\
         <th>states</th><th>planted faults<br/>caught</th><th>calls</th><th>time</th><th>checked</th>\
         </tr></thead>\n<tbody>\n{rows}</tbody></table></section>\n</main>\n</body>\n</html>\n",
        kind = if failing == 0 { "pass" } else { "fail" },
        mark = verdict_mark(failing == 0),
        last = utc(last),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_the_list_what_it_is() {
        let entry = Entry {
            function: "a<b> & \"c\"".to_owned(),
            said: "</title><script>'".to_owned(),
            made: 7,
            ..Entry::default()
        };
        assert_eq!(Entry::read(&entry.write()), Some(entry.clone()));
        assert_eq!(Entry::read("<html><head><title>another's</title></head></html>"), None);
        let entries = BTreeMap::from([("x.html".to_owned(), entry)]);
        assert!(!page(&entries).contains("<script"));
    }
}
