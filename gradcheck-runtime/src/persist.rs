//! Failing cases, kept beside the user's sources and tried first the next time.
//!
//! One file for each test, so that tests in processes of their own do not write over each other,
//! in the folder where proptest keeps its regressions. A line is a whole case: it is read back
//! bit for bit, whatever the seed of the next run.
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use crate::case::Case;
use crate::check::Meta;

const HEADER: &str = "\
# Cases that failed a gradient check. They are tried first, before any new case.
# Keep this file in version control, so that everyone who runs the test profits from it.
";

/// Where the cases of a test are kept: `GRADCHECK_REGRESSIONS` names another folder, or `off`.
fn path(meta: &Meta) -> Option<PathBuf> {
    let folder = match std::env::var("GRADCHECK_REGRESSIONS") {
        Ok(value) if value == "off" => return None,
        Ok(value) if !value.is_empty() => PathBuf::from(value),
        _ => {
            let root = PathBuf::from(meta.manifest_dir);
            // A test binary that runs on another machine has no sources beside it.
            root.is_dir().then_some(root)?.join("proptest-regressions")
        }
    };
    let name = format!("{}-{}", meta.module, meta.test).replace("::", "-");
    Some(folder.join(format!("{name}.txt")))
}

fn write(case: &Case) -> String {
    let mut line = format!("cc seed={} index={} steps={}", case.seed, case.index, case.steps);
    for (name, value) in &case.dims {
        let _ = write!(line, " dim:{name}={value}");
    }
    if case.simplified.iter().any(|&k| k > 0) {
        let counts: Vec<String> = case.simplified.iter().map(ToString::to_string).collect();
        let _ = write!(line, " simplified={}", counts.join(","));
    }
    line
}

fn read(line: &str) -> Option<Case> {
    let mut case = Case::new(0, 0);
    for word in line.strip_prefix("cc ")?.split_whitespace() {
        let (key, value) = word.split_once('=')?;
        match key {
            "seed" => case.seed = value.parse().ok()?,
            "index" => case.index = value.parse().ok()?,
            "steps" => case.steps = value.parse().ok()?,
            "simplified" => {
                case.simplified =
                    value.split(',').map(|k| k.parse().ok()).collect::<Option<Vec<u32>>>()?;
            }
            _ => {
                let name = key.strip_prefix("dim:")?;
                case.dims.push((name.to_owned(), value.parse().ok()?));
            }
        }
    }
    Some(case)
}

/// The cases that failed before.
pub(crate) fn load(meta: &Meta) -> Vec<Case> {
    let text = path(meta).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    text.lines().filter_map(read).collect()
}

/// Keeps a failing case; the path of the file if it was new and could be written.
pub(crate) fn save(meta: &Meta, case: &Case) -> Option<PathBuf> {
    let path = path(meta)?;
    if load(meta).contains(case) {
        return Some(path);
    }
    fs::create_dir_all(path.parent()?).ok()?;
    let mut text = if path.exists() { String::new() } else { HEADER.to_owned() };
    text.push_str(&write(case));
    text.push('\n');
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).ok()?;
    file.write_all(text.as_bytes()).ok()?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_back_as_it_was_written() {
        let mut case = Case::new(u64::MAX, 7);
        case.steps = 3;
        case.dims = vec![("n".to_owned(), 1), ("hidden".to_owned(), 12)];
        case.simplified = vec![0, 4];
        assert_eq!(read(&write(&case)), Some(case.clone()));
        // A line of another program's, or one cut short, is no case.
        assert_eq!(read("cc 0123456789abcdef"), None);
        assert_eq!(read("# cc seed=1 index=0 steps=0"), None);
        assert_ne!(read(&write(&case).replace("steps=3", "steps=4")), Some(case));
    }
}
