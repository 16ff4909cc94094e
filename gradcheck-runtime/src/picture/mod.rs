//! Something to look at: one HTML file for each check, and a list of all of them.
//!
//! A page is drawn from a [`Record`] alone, and judges nothing. It needs neither scripts nor a
//! network, and follows the reader's light or dark setting.
mod charts;
mod folder;
mod heat;
mod html;
mod index;
mod page;

use std::path::PathBuf;

use crate::record::Record;
use crate::report::Report;

/// The folder that `GRADCHECK_REPORT` names.
pub(crate) fn folder() -> Option<PathBuf> {
    let value = std::env::var_os("GRADCHECK_REPORT")?;
    (!value.is_empty()).then(|| PathBuf::from(value))
}

/// The page of a check.
pub(crate) fn page(record: &Record) -> String {
    page::page(record)
}

/// Writes the page of a check, where one is asked for. Returns what is to be printed about it: a
/// page that cannot be written is no reason to fail a test, nor to be silent.
pub(crate) fn publish(report: &Report) -> String {
    let Some(folder) = folder() else { return String::new() };
    let name = folder::name(report.manifest_dir, &report.full_test_path());
    match folder::write(&folder, &name, &report.record()) {
        Ok(path) => format!("\n  a page of it: {}", path.display()),
        Err(error) => format!("\n  no page: GRADCHECK_REPORT={}: {error}", folder.display()),
    }
}
