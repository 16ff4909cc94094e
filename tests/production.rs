//! A build without tests holds nothing of the checks: what it makes is the same to the byte with
//! the attribute and without it, and neither the runtime nor a parser of Rust is built for it.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// A function to annotate, exported and called, with a panic that knows its line and column. The
/// first line is the import, the second the attribute, each there or a comment.
const SOURCE: &str = r#"IMPORT
ATTRIBUTE
pub fn gradient(w: &[f64]) -> Vec<f64> {
    assert!(w[0] < 1e300, "too large");
    w.iter().map(|w| FACTOR * w).collect()
}

pub fn cost(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn first_slope(w: f64) -> f64 {
    gradient(&[w, cost(&[w])])[0]
}
"#;

const MAIN: &str = r#"fn main() {
    println!("{}", user::first_slope(std::env::args().len() as f64));
}
"#;

const ARGUMENTS: &str = "dims(n in 1..=4), w in vec(n), forward = |w| cost(w)";

/// How a user depends on the project, and what then stands above the function.
struct Way {
    name: &'static str,
    manifest: String,
    import: &'static str,
    attribute: String,
}

fn ways() -> [Way; 2] {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = |krate: &str| format!("{krate} = {{ path = {:?} }}\n", project.join(krate));
    let (macros, runtime) = (path("gradcheck-macros"), path("gradcheck-runtime"));
    [
        Way {
            name: "cfg_attr",
            manifest: format!("[dev-dependencies]\n{runtime}"),
            import: "",
            attribute: format!("#[cfg_attr(test, gradcheck_runtime::gradcheck({ARGUMENTS}))]"),
        },
        Way {
            name: "bare",
            manifest: format!("[dependencies]\n{macros}[dev-dependencies]\n{runtime}"),
            import: "use gradcheck_macros::gradcheck;",
            attribute: format!("#[gradcheck({ARGUMENTS})]"),
        },
    ]
}

/// A crate of a user's, always in the same folder.
struct User {
    folder: PathBuf,
}

impl User {
    fn new(name: &str, manifest: &str) -> User {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("production").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("src")).expect("a folder for a crate");
        let manifest = format!(
            "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[workspace]\n{manifest}"
        );
        let user = User { folder };
        user.write("Cargo.toml", &manifest);
        user.write("src/main.rs", MAIN);
        user.write("src/lib.rs", "");
        // The project's own versions: nothing is looked up anew.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        fs::copy(lock, user.folder.join("Cargo.lock"))
            .expect("a workspace that is built is locked");
        user
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).expect("a file of a crate");
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let cargo = env::var_os("CARGO").expect("tests are run by cargo");
        let output = Command::new(cargo)
            .args(arguments)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}:\n{text}");
        output
    }

    /// The library and the program of a release build with such lines above the function.
    fn built(&self, import: &str, attribute: &str, factor: &str) -> [Vec<u8>; 2] {
        let source = SOURCE.replace("IMPORT", import).replace("ATTRIBUTE", attribute);
        self.write("src/lib.rs", &source.replace("FACTOR", factor));
        let _ = fs::remove_dir_all(self.folder.join("target"));
        self.cargo(&["build", "--release"]);
        let release = self.folder.join("target/release");
        let library = format!("{}user{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        [library, format!("user{}", env::consts::EXE_SUFFIX)]
            .map(|file| fs::read(release.join(file)).expect("a build leaves its products"))
    }

    /// The crates that a build without tests compiles.
    fn crates(&self) -> Vec<String> {
        let tree = self.cargo(&["tree", "-e", "normal,build", "--prefix", "none"]);
        let text = String::from_utf8(tree.stdout).expect("names of crates");
        text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    }
}

#[test]
fn the_products_are_the_same_with_the_attribute_and_without() {
    for way in ways() {
        let user = User::new(way.name, &way.manifest);
        let without = user.built("//", "//", "2.0");
        let with = user.built(way.import, &way.attribute, "2.0");
        assert!(without == with, "{}: another product", way.name);
        // Twins that differ: in a number, and in the line of a panic alone.
        let other = user.built(way.import, &way.attribute, "3.0");
        let lower = user.built("//\n//", "//", "2.0");
        for file in 0..2 {
            assert!(without[file] != other[file], "{}: blind to a number", way.name);
            assert!(without[file] != lower[file], "{}: blind to a line", way.name);
        }
    }
}

#[test]
fn neither_the_runtime_nor_a_parser_is_built() {
    let [cfg_attr, bare] = ways();
    assert_eq!(User::new("tree_cfg_attr", &cfg_attr.manifest).crates(), ["user"]);
    assert_eq!(User::new("tree_bare", &bare.manifest).crates(), ["user", "gradcheck-macros"]);
    // A twin that depends on the runtime for its ordinary build is seen to.
    let plain = cfg_attr.manifest.replace("dev-dependencies", "dependencies");
    let crates = User::new("tree_plain", &plain).crates();
    for krate in ["gradcheck-runtime", "gradcheck-macros", "syn", "proptest"] {
        assert!(crates.iter().any(|found| found == krate), "no {krate} among {crates:?}");
    }
}
