//! Colour where a person reads, and the width there is.
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Bad,
    Good,
    Name,
    Faint,
}

/// Puts colour on text, or leaves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    pub(crate) fn new(colour: bool) -> Paint {
        Paint { colour }
    }

    pub(crate) fn apply(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            _ if !self.colour => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Bad => Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
            Tone::Good => Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Name => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Colour is for terminals, and never with `NO_COLOR` (no-color.org).
pub(crate) fn wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}

/// Columns of the terminal where `COLUMNS` tells, else 100; at most 120.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    columns.unwrap_or(100).clamp(40, 120)
}
