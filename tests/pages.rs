//! Pages of generated tests: `GRADCHECK_REPORT=folder`.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use gradcheck_runtime::gradcheck;
use ndarray::{Array1, Array2};
use roxmltree::{Document, Node, ParsingOptions};

mod support;

/// Half the squared norm of `w x`, and gradients of it.
mod map {
    use super::*;

    fn cost(w: &Array2<f64>, x: &Array1<f64>) -> f64 {
        let z = w.dot(x);
        0.5 * z.dot(&z)
    }

    #[gradcheck(
        dims(n in 2..=5), w in normal([n, n]), x in normal(n), forward = cost,
        ignore = "run by the tests below",
    )]
    fn gradient(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        let z = w.dot(x);
        Array2::from_shape_fn(w.dim(), |(i, j)| z[i] * x[j])
    }

    /// Its first row is zero.
    #[gradcheck(
        dims(n in 2..=5), w in normal([n, n]), x in normal(n), forward = cost,
        ignore = "wrong on purpose",
    )]
    fn first_row_missing(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        let mut g = gradient(w, x);
        g.row_mut(0).fill(0.0);
        g
    }

    #[gradcheck(
        dims(n in 2..=5), w in normal([n, n]), x in normal(n), forward = cost,
        ignore = "wrong on purpose",
    )]
    fn panics(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        assert!(w.nrows() < 4, "</p><script src='https://example.org/x.js'>&\u{1b}[31m");
        gradient(w, x)
    }

    #[gradcheck(
        dims(n in 2..=5), w in normal([n, n]), x in normal(n), unused: f64 in -1.0..1.0,
        wrt = (w, unused), forward = cost, gradient = (gradient_and_zero(&w, &x), 0.0),
        ignore = "wrong on purpose",
    )]
    fn gradient_and_zero(w: &Array2<f64>, x: &Array1<f64>) -> Array2<f64> {
        gradient(w, x)
    }
}

/// Keys that are no names, and a unit on its kink.
mod dictionary {
    use std::collections::BTreeMap;

    use ndarray::Array1;

    type Weights = BTreeMap<String, Array1<f64>>;

    fn cost(weights: &Weights) -> f64 {
        weights.values().flatten().map(|w| w.max(0.0).powi(2) + w.abs()).sum()
    }

    #[gradcheck_runtime::gradcheck(
        weights in normal(6).prop_map(|mut w| {
            w[1] = 0.0;
            Weights::from([("<img src=x onerror='alert(1)'>\"&".to_owned(), w)])
        }),
        forward = cost,
        ignore = "run by the tests below",
    )]
    fn gradient(weights: &Weights) -> Weights {
        let slope = |w: &f64| 2.0 * w.max(0.0) + if *w == 0.0 { 0.0 } else { w.signum() };
        weights.iter().map(|(k, w)| (k.clone(), w.map(slope))).collect()
    }
}

/// A folder of its own for each test.
fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("pages-{}-{count}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the folder was made");
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs one ignored test with a folder for its page; returns what it printed and the page.
fn page_of(test: &str) -> (support::Outcome, String) {
    let folder = folder();
    let outcome = support::run_with(test, &[("GRADCHECK_REPORT", folder.to_str().unwrap())]);
    let file = format!("pages-{}.html", test.replace("::", "-"));
    let name = names(&folder).into_iter().find(|name| name.ends_with(&file));
    let name = name.unwrap_or_else(|| panic!("no {file}:\n{}", outcome.text));
    let page = fs::read_to_string(folder.join(&name)).unwrap();
    assert!(outcome.says(&format!("a page of it: {}", folder.join(&name).display())));
    fs::remove_dir_all(folder).unwrap();
    (outcome, page)
}

fn parse(page: &str) -> Result<Document<'_>, roxmltree::Error> {
    Document::parse_with_options(page, ParsingOptions { allow_dtd: true, ..Default::default() })
}

/// What keeps a page from being one file that needs nothing else.
fn objections(page: &str) -> Vec<String> {
    let document = match parse(page) {
        Ok(document) => document,
        Err(error) => return vec![format!("not well-formed: {error}")],
    };
    let mut found = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        let tag = node.tag_name().name();
        if ["script", "link", "img", "iframe", "object", "embed", "base"].contains(&tag) {
            found.push(format!("<{tag}>"));
        }
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let local = tag == "a" && name == "href" && !value.contains(':');
            if (["src", "href"].contains(&name) && !local) || name.starts_with("on") {
                found.push(format!("<{tag} {name}={value:?}>"));
            }
            if value.contains("url(") {
                found.push(format!("{name}={value:?}"));
            }
        }
        let text = node.text().unwrap_or("");
        let within = text.replace("url(#", "");
        if tag == "style" && (within.contains("url(") || within.contains("@import")) {
            found.push("a style that fetches".to_owned());
        }
    }
    let refuses = |node: Node<'_, '_>| {
        node.attribute("http-equiv") == Some("Content-Security-Policy")
            && node.attribute("content").is_some_and(|c| c.starts_with("default-src 'none'"))
    };
    if !document.descendants().any(refuses) {
        found.push("no policy".to_owned());
    }
    found
}

/// The fills of the cells that tell their numbers, by what they say.
fn cells<'p>(document: &'p Document<'_>) -> Vec<(&'p str, &'p str)> {
    let titled = document.descendants().filter(|node| node.tag_name().name() == "title");
    titled
        .filter_map(|title| {
            let fill = title.parent()?.attribute("class")?;
            Some((title.text()?.lines().next()?, fill))
        })
        .collect()
}

fn headings<'p>(document: &'p Document<'_>) -> Vec<&'p str> {
    let headings = document.descendants().filter(|node| node.tag_name().name() == "h2");
    headings.filter_map(|node| node.text()).collect()
}

#[test]
fn a_failing_check_has_a_page_that_shows_where() {
    let (outcome, page) = page_of("map::gradcheck_first_row_missing::random_init");
    assert!(!outcome.passed);
    assert_eq!(objections(&page), [""; 0]);
    let document = parse(&page).unwrap();
    let cells = cells(&document);
    assert_eq!(cells.len(), 25, "the largest failing state is shown: {cells:?}");
    for (said, fill) in cells {
        let wrong = said.starts_with("w[0, ");
        assert_eq!(said.ends_with(": wrong"), wrong, "{said}");
        assert_eq!(fill.starts_with('w'), wrong, "{said}: {fill}");
    }
    let headings = headings(&document);
    for heading in ["Error against the step", "Every state", "The smallest case", "Run it again"] {
        assert!(headings.contains(&heading), "{headings:?}");
    }
    assert!(page.contains("zero where the numeric is not"), "the diagnosis");
    assert!(page.contains("cargo test map::gradcheck_first_row_missing::random_init"));
}

#[test]
fn a_passing_check_has_a_page_without_a_wrong_cell() {
    let (outcome, page) = page_of("map::gradcheck_gradient::random_init");
    assert!(outcome.passed);
    assert_eq!(objections(&page), [""; 0]);
    let document = parse(&page).unwrap();
    assert!(
        cells(&document)
            .iter()
            .all(|(said, fill)| { said.ends_with(": agrees") && fill.starts_with('a') })
    );
    assert!(!page.contains("class=\"own bad\"") && page.contains("class=\"own\""));
    let headings = headings(&document);
    assert!(headings.iter().any(|h| h.starts_with("Planted faults: ")), "{headings:?}");
    assert!(!headings.iter().any(|h| h.starts_with("Diagnosis")), "{headings:?}");
}

#[test]
fn a_trained_check_shows_its_training() {
    let (_, page) = page_of("map::gradcheck_gradient::after_training");
    assert_eq!(objections(&page), [""; 0]);
    assert!(headings(&parse(&page).unwrap()).contains(&"Along training"));
    let (_, untrained) = page_of("map::gradcheck_gradient::random_init");
    assert!(!headings(&parse(&untrained).unwrap()).contains(&"Along training"));
}

#[test]
fn hostile_names_and_messages_are_text() {
    for test in
        ["map::gradcheck_panics::random_init", "dictionary::gradcheck_gradient::random_init"]
    {
        let (_, page) = page_of(test);
        assert_eq!(objections(&page), [""; 0], "{test}");
    }
    let (_, page) = page_of("dictionary::gradcheck_gradient::random_init");
    let document = parse(&page).unwrap();
    let kinks: Vec<_> = cells(&document).into_iter().filter(|cell| cell.1 == "k").collect();
    assert!(kinks.len() == 1 && kinks[0].0.ends_with("[1]: kink"), "{kinks:?}");
    let (_, page) = page_of("map::gradcheck_panics::random_init");
    assert!(page.contains("&lt;script"), "the message is there, as text");
}

#[test]
fn a_block_that_nothing_exercises_is_named() {
    let (outcome, page) = page_of("map::gradcheck_gradient_and_zero::random_init");
    assert!(!outcome.passed);
    assert_eq!(objections(&page), [""; 0]);
    assert!(page.contains("unused: its gradient is zero in every state"));
}

/// The eyes of the tests above.
#[test]
fn a_page_that_fetches_or_runs_something_is_objected_to() {
    let (_, page) = page_of("map::gradcheck_gradient::random_init");
    for (put, before, objection) in [
        ("<script>1</script>", "</body>", "<script>"),
        ("<img src=\"x.png\"/>", "</body>", "<img>"),
        ("<a href=\"https://example.org\">x</a>", "</body>", "https"),
        ("<p onclick=\"x()\">x</p>", "</body>", "onclick"),
        ("<p style=\"background: url(x.png)\">x</p>", "</body>", "url("),
        ("p { background: url(x.png) }", "</style>", "a style that fetches"),
        ("<p>", "</body>", "not well-formed"),
    ] {
        let page = page.replacen(before, &format!("{put}{before}"), 1);
        let found = objections(&page);
        assert!(found.iter().any(|f| f.contains(objection)), "{put}: {found:?}");
    }
    let found = objections(&page.replace("default-src 'none'", "default-src *"));
    assert_eq!(found, ["no policy"]);
}

#[test]
fn processes_and_threads_side_by_side_lose_no_page_from_the_list() {
    let folder = folder();
    let tests = [
        "map::gradcheck_gradient::random_init",
        "map::gradcheck_gradient::after_training",
        "map::gradcheck_first_row_missing::random_init",
        "map::gradcheck_first_row_missing::after_training",
        "map::gradcheck_panics::random_init",
        "map::gradcheck_panics::after_training",
        "map::gradcheck_gradient_and_zero::random_init",
        "map::gradcheck_gradient_and_zero::after_training",
        "dictionary::gradcheck_gradient::random_init",
        "dictionary::gradcheck_gradient::after_training",
    ];
    let start = |arguments: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments).arg("--ignored").env("GRADCHECK_REPORT", &folder);
        command.env("GRADCHECK_REGRESSIONS", "off").env("RUST_BACKTRACE", "0");
        let output = command.stdout(std::process::Stdio::null());
        output.stderr(std::process::Stdio::null()).spawn().expect("the test binary starts")
    };
    // A process for each test, as nextest does, and one with all of them on threads.
    let mut running: Vec<_> = tests.iter().map(|test| start(&[test, "--exact"])).collect();
    running.push(start(&["gradcheck_", "--test-threads=4"]));
    for mut child in running {
        child.wait().unwrap();
    }
    let names = names(&folder);
    assert_eq!(names.len(), tests.len() + 1, "no drafts and no locks are left: {names:?}");
    let list = fs::read_to_string(folder.join("index.html")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(objections(&list), [""; 0]);
    let document = parse(&list).unwrap();
    let linked: Vec<&str> = document.descendants().filter_map(|n| n.attribute("href")).collect();
    for test in tests {
        let page = format!("pages-{}.html", test.replace("::", "-"));
        assert_eq!(linked.iter().filter(|name| name.ends_with(&page)).count(), 1, "{linked:?}");
    }
    assert!(linked.iter().all(|name| names.iter().any(|n| n == name)), "{linked:?}");
    assert!(list.contains("5 of 10 checks fail"), "{list}");
}

#[test]
fn a_verdict_is_the_same_with_a_page_and_without_and_where_none_can_be_written() {
    for test in
        ["map::gradcheck_gradient::random_init", "map::gradcheck_first_row_missing::random_init"]
    {
        let said = |outcome: &support::Outcome| -> Vec<String> {
            let lines = outcome.text.lines().filter(|line| !line.contains("finished in"));
            let lines = lines.filter(|line| !line.contains(" page"));
            // What a test took is another thing each time.
            lines.map(|line| line.split("forward calls,").next().unwrap().to_owned()).collect()
        };
        let plain = support::run(test);
        let folder = folder();
        let with = support::run_with(test, &[("GRADCHECK_REPORT", folder.to_str().unwrap())]);
        assert_eq!((plain.passed, said(&plain)), (with.passed, said(&with)));
        assert!(with.says("a page of it") && !plain.says("page of it"));
        fs::remove_dir_all(&folder).unwrap();
        // A file where the folder should be.
        let file = folder.with_extension("file");
        fs::write(&file, "").unwrap();
        let without = support::run_with(test, &[("GRADCHECK_REPORT", file.to_str().unwrap())]);
        assert_eq!((plain.passed, said(&plain)), (without.passed, said(&without)));
        assert!(without.says("no page: GRADCHECK_REPORT="), "{}", without.text);
        fs::remove_file(file).unwrap();
    }
}

/// A browser, where there is one.
mod browser {
    use super::*;

    const BROWSERS: [&str; 4] =
        ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    fn found() -> Option<&'static str> {
        let runs = |name: &&str| {
            Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success())
        };
        BROWSERS.into_iter().find(runs)
    }

    /// Widths in pixels of the document in a frame as wide as a phone, and of the frame; and the
    /// height of the document.
    fn measure(browser: &str, folder: &Path, page: &str, width: usize) -> [usize; 3] {
        let script = "<script>onload = () => { let d = document.documentElement; \
            parent.postMessage([d.scrollWidth, innerWidth, d.scrollHeight].join(' '), '*') }</script>";
        // The policy of a page forbids scripts, so a copy is measured without it.
        let start = page.find("<meta http-equiv").expect("a page has a policy");
        let end = start + page[start..].find("/>").unwrap() + 2;
        let copy = format!("{}{}", &page[..start], &page[end..]);
        fs::write(folder.join("copy.html"), copy.replace("</body>", &format!("{script}</body>")))
            .unwrap();
        // A window is no narrower than 500 pixels; a frame may be.
        let frame = format!(
            "<!DOCTYPE html><title>-</title><script>onmessage = (e) => document.title = e.data\
             </script><iframe src=\"copy.html\" style=\"border:0;width:{width}px;height:800px\">\
             </iframe>"
        );
        let path = folder.join("frame.html");
        fs::write(&path, frame).unwrap();
        let output = Command::new(browser)
            .args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '))
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg(format!("file://{}", path.display()))
            .output()
            .expect("the browser starts");
        let dom = String::from_utf8_lossy(&output.stdout);
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split('<').next());
        let numbers: Vec<usize> =
            title.unwrap_or("").split(' ').filter_map(|n| n.parse().ok()).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("nothing was measured: {dom}"))
    }

    #[test]
    fn pages_fit_a_phone() {
        let Some(browser) = found() else {
            println!("skipped: none of {BROWSERS:?} is installed");
            return;
        };
        let folder = folder();
        fs::create_dir_all(&folder).unwrap();
        let mut wide = String::new();
        for test in [
            "map::gradcheck_first_row_missing::after_training",
            "dictionary::gradcheck_gradient::random_init",
            "map::gradcheck_panics::random_init",
        ] {
            let (_, page) = page_of(test);
            let [content, window, height] = measure(browser, &folder, &page, 390);
            assert_eq!(window, 390);
            assert!(content <= window, "{test}: {content} pixels");
            assert!(height > 1_000, "{test}: {height} pixels are no page");
            wide = page;
        }
        // One that does not fit is seen.
        let broken = wide.replace("</main>", "<p style=\"width:600px\">x</p></main>");
        assert!(measure(browser, &folder, &broken, 390)[0] >= 600);
        fs::remove_dir_all(folder).unwrap();
    }
}
