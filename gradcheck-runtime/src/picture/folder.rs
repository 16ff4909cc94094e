//! The folder of pages. Tests run on several threads and in several processes at once: a file
//! appears whole or not at all, and nothing is locked.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::index;
use crate::record::Record;

/// File name of a check's page, without its ending. The name of the crate's folder comes first
/// where the module does not tell it: test files of two crates may have one name.
pub(super) fn name(manifest_dir: &str, test: &str) -> String {
    let package = Path::new(manifest_dir).file_name().and_then(|name| name.to_str()).unwrap_or("");
    let same = test.split("::").next() == Some(&package.replace('-', "_"));
    let full =
        if same || package.is_empty() { test.to_owned() } else { format!("{package}::{test}") };
    let safe = |c: char| if c.is_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let name: String = full.replace("::", "-").chars().map(safe).collect();
    if name.len() <= LONGEST {
        return name;
    }
    // File systems stop at 255 bytes.
    let head: String = name.chars().take(LONGEST / 4).collect();
    format!("{head}-{:016x}", crate::random::hash_text(0, &name))
}

const LONGEST: usize = 200;

/// Writes page, data and list; returns the path of the page.
pub(super) fn write(folder: &Path, name: &str, record: &Record) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    #[cfg(feature = "serde")]
    whole(&folder.join(format!("{name}.json")), &serde_json::to_string(record)?)?;
    let path = folder.join(format!("{name}.html"));
    whole(&path, &record.page())?;
    list(folder, || {})?;
    Ok(path)
}

/// A file that appears whole: written under another name, then renamed.
fn whole(path: &Path, text: &str) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let draft = path.with_file_name(format!(".{process}-{count}.tmp"));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Rewrites `index.html` from the pages that are there.
///
/// Whoever replaces the list looks at the folder once more afterwards: a page that has come in
/// between was listed by its own test before, and may have been lost again by this one. So the last
/// list to be written holds every page. `meanwhile` is where others come in between.
fn list(folder: &Path, mut meanwhile: impl FnMut()) -> io::Result<()> {
    let mut pages = read(folder)?;
    for _ in 0..16 {
        meanwhile();
        whole(&folder.join("index.html"), &index::page(&pages))?;
        let now = read(folder)?;
        if now == pages {
            break;
        }
        pages = now;
    }
    Ok(())
}

/// What every page says of itself, by file name.
fn read(folder: &Path) -> io::Result<BTreeMap<String, index::Entry>> {
    let mut pages = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if name.starts_with('.') || name == "index.html" || !name.ends_with(".html") {
            continue;
        }
        // A file that has just been replaced, or is none of ours, is not listed.
        if let Some(entry) = head(&path).ok().and_then(|text| index::Entry::read(&text)) {
            pages.insert(name.to_owned(), entry);
        }
    }
    Ok(pages)
}

/// The beginning of a page, where it tells what it is.
fn head(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(8 << 10).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_comes_while_the_list_is_written_is_listed() {
        let folder = std::env::temp_dir().join(format!("gradcheck-list-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let record = |function: &str| Record { function: function.into(), ..Record::default() };
        whole(&folder.join("one.html"), &record("one").page()).unwrap();
        let mut times = 0;
        // The other test is done, list and all, before this one writes what it has read.
        list(&folder, || {
            times += 1;
            if times == 1 {
                write(&folder, "other", &record("other")).unwrap();
            }
        })
        .unwrap();
        let text = fs::read_to_string(folder.join("index.html")).unwrap();
        let left = fs::read_dir(&folder).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert!(text.contains("one.html") && text.contains("other.html"), "{text}");
        assert_eq!((times, left), (2, 3 + usize::from(cfg!(feature = "serde"))));
    }

    #[test]
    fn names_tell_crates_apart_and_fit_a_file_system() {
        let test = "stranger::layers::gradcheck_f::random_init";
        assert_eq!(name("/a/stranger", test), "stranger-layers-gradcheck_f-random_init");
        assert_eq!(name("/a/my-crate", "my_crate::gradcheck_f::x"), "my_crate-gradcheck_f-x");
        assert_eq!(name("/a/one", "math::gradcheck_f::x"), "one-math-gradcheck_f-x");
        assert_ne!(name("/a/one", "math::f"), name("/a/two", "math::f"));
        assert_eq!(name("/a/b", "b::../x"), "b-.._x");
        let long = |end: &str| name("/a/b", &format!("b::{}{end}", "x".repeat(400)));
        assert!(long("1").len() <= LONGEST && long("1") != long("2"));
    }
}
