//! A progress bar on the error stream, where that is a terminal.
use std::io::{IsTerminal, Write};

const CELLS: usize = 30;

pub(crate) struct Progress {
    last: usize,
    terminal: bool,
    cells: Option<usize>,
}

impl Progress {
    /// For epochs 0 to `last`.
    pub(crate) fn new(last: usize) -> Progress {
        Progress { last, terminal: std::io::stderr().is_terminal(), cells: None }
    }

    /// Draws the bar, if it has changed.
    pub(crate) fn show(&mut self, epoch: usize, cost: f64) {
        let cells = epoch * CELLS / self.last.max(1);
        if self.terminal && self.cells != Some(cells) {
            self.cells = Some(cells);
            let bar = format!("{}{}", "#".repeat(cells), ".".repeat(CELLS - cells));
            eprint!("\r[{bar}] epoch {epoch} of {}, cost {cost:.1e}\x1b[K", self.last);
            let _ = std::io::stderr().flush();
        }
    }

    /// Takes the bar away, so that a line can be printed; the next [`Progress::show`] brings it
    /// back.
    pub(crate) fn clear(&mut self) {
        if self.cells.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
