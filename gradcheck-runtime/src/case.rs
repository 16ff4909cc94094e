//! A case is data: redrawn whenever its state is needed, so that a state need not be cloned.
use std::fmt::Debug;
use std::ops::{Range, RangeInclusive};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::failure::Failure;
use crate::panics::raise;
use crate::random;

/// What determines a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    /// Seed of the test.
    pub(crate) seed: u64,
    /// Number of the case within the test.
    pub(crate) index: u64,
    /// Dimensions that are not as drawn, by name.
    pub(crate) dims: Vec<(String, usize)>,
    /// Training steps; 0 for a random initialisation.
    pub(crate) steps: usize,
    /// How often each draw is simplified, in the order of the draws.
    pub(crate) simplified: Vec<u32>,
}

impl Case {
    pub(crate) fn new(seed: u64, index: u64) -> Case {
        Case { seed, index, dims: Vec::new(), steps: 0, simplified: Vec::new() }
    }

    /// Seed of everything drawn in this case.
    pub(crate) fn own_seed(&self) -> u64 {
        random::hash(self.seed, self.index)
    }
}

/// A dimension that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dim {
    pub(crate) name: String,
    pub(crate) value: usize,
    pub(crate) low: usize,
    pub(crate) high: usize,
}

/// Hands out the draws of one case.
#[derive(Debug)]
pub struct Draw {
    case: Case,
    pub(crate) dims: Vec<Dim>,
    pub(crate) names: Vec<String>,
    /// Draws whose last simplification did nothing.
    pub(crate) exhausted: Vec<bool>,
    /// Each draw's name and value in a few words, where they are asked for.
    pub(crate) described: Vec<(String, String)>,
    describes: bool,
}

/// Characters of a value's `Debug` text that are looked at, of which fewer are shown.
const LOOKED_AT: usize = 1 << 16;

/// Text that stops at a limit: a user's `Debug` may print megabytes.
struct Short {
    text: String,
    limit: usize,
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        for c in s.chars() {
            if self.text.len() >= self.limit {
                self.text.push_str(" ..");
                return Err(std::fmt::Error);
            }
            // Arrays print over several lines.
            if !(c.is_whitespace() && self.text.ends_with(' ')) {
                self.text.push(if c.is_whitespace() { ' ' } else { c });
            }
        }
        Ok(())
    }
}

/// `value`, shown in at most `limit` characters on one line.
pub(crate) fn shown(value: &impl Debug, limit: usize) -> String {
    use std::fmt::Write as _;
    let mut short = Short { text: String::new(), limit: LOOKED_AT };
    let complete = write!(short, "{value:?}").is_ok();
    // The entries of a map that is cut off are not the same ones each time.
    let text = if complete { sorted(&short.text) } else { short.text };
    let mut text = rounded(&text);
    // What ndarray adds about memory is of no use here.
    while let Some(start) = text.find(", shape=[") {
        let rest = &text[start..];
        let end = rest.find("ndim=").map_or(rest.len(), |at| {
            let digits = rest[at + 5..].find(|c: char| !c.is_ascii_digit());
            digits.map_or(rest.len(), |digits| at + 5 + digits)
        });
        text.replace_range(start..start + end, "");
    }
    while let Some(plain) = without_storage(&text) {
        text = plain;
    }
    if text.chars().count() > limit {
        text = text.chars().take(limit).collect::<String>() + " ..";
    }
    text
}

/// The text with the entries of each map and set in order: hashed ones come in any.
fn sorted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '"']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let string = from.starts_with('"');
        let end = if string { end_of_string(from) } else { end_of_braces(from) };
        if !string && !from[..end].ends_with('}') {
            return out + from;
        }
        let (inner, after) = from.split_at(end);
        rest = after;
        // A struct's fields stand behind its name, in the order of their declaration.
        let is_struct =
            out.trim_end().ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>');
        if string {
            out += inner;
        } else if is_struct {
            out += &format!("{{{}}}", sorted(&inner[1..inner.len() - 1]));
        } else {
            let mut entries: Vec<String> =
                entries(&inner[1..inner.len() - 1]).iter().map(|e| sorted(e.trim())).collect();
            entries.sort();
            out += &format!("{{{}}}", entries.join(", "));
        }
    }
    out + rest
}

/// Where a string literal at the start of the text ends.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return i + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Where the braces that open the text are closed.
fn end_of_braces(text: &str) -> usize {
    let (mut depth, mut i) = (0, 0);
    while let Some(c) = text[i..].chars().next() {
        match c {
            '"' => i += end_of_string(&text[i..]) - 1,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        i += c.len_utf8();
        if depth == 0 {
            return i;
        }
    }
    text.len()
}

/// What stands between the commas that no bracket encloses.
fn entries(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut i) = (0_i32, 0, 0);
    let mut found = Vec::new();
    while let Some(c) = text[i..].chars().next() {
        match c {
            '"' => i += end_of_string(&text[i..]) - 1,
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
        i += c.len_utf8();
    }
    if !text[start..].trim().is_empty() {
        found.push(&text[start..]);
    }
    found
}

/// The text with numbers of very many digits cut to a few.
fn rounded(text: &str) -> String {
    const LONG: usize = 9;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[at..]
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | '-')))
            .map_or(rest.len(), |end| at + end);
        let (before, token) = (&rest[..at], &rest[at..end]);
        out += before;
        // Part of a name, or an integer, is no measurement.
        let named = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let decimal = token.contains('.') && token.len() > LONG && !named;
        match token.parse::<f64>() {
            Ok(value) if decimal => out += &crate::failure::number(value),
            _ => out += token,
        }
        rest = &rest[end..];
    }
    out + rest
}

/// The text with its first `VecStorage`, nalgebra's dynamic one, column by column in memory, as the
/// numbers of a vector or the rows of a matrix.
fn without_storage(text: &str) -> Option<String> {
    let (before, rest) = text.split_once("VecStorage { data: [")?;
    let (data, rest) = rest.split_once("], nrows: ")?;
    let (rows, rest) = rest.split_once(", ncols: ")?;
    let (columns, after) = rest.split_once(" }")?;
    // Complex numbers have commas of their own, within braces.
    let numbers: Vec<&str> = entries(data).into_iter().map(str::trim).collect();
    let extent = |extent: &str| extent.strip_prefix("Dyn(")?.strip_suffix(')')?.parse().ok();
    let plain = match (extent(rows), extent(columns)) {
        (Some(rows), Some(columns)) if numbers.len() == rows * columns => {
            let row = |i: usize| numbers[i..].iter().step_by(rows).copied().collect::<Vec<_>>();
            let rows = (0..rows).map(|i| format!("[{}]", row(i).join(", ")));
            rows.collect::<Vec<_>>().join(", ")
        }
        _ => numbers.join(", "),
    };
    Some(format!("{before}[{plain}]{after}"))
}

/// The sizes that a dimension may take.
pub trait DimRange {
    /// Smallest and largest.
    fn bounds(self) -> (usize, usize);
}

impl DimRange for usize {
    fn bounds(self) -> (usize, usize) {
        (self, self)
    }
}

impl DimRange for Range<usize> {
    fn bounds(self) -> (usize, usize) {
        (self.start, self.end.saturating_sub(1))
    }
}

impl DimRange for RangeInclusive<usize> {
    fn bounds(self) -> (usize, usize) {
        self.into_inner()
    }
}

/// A range whose items are `T`, so that the value's type and the range's are one.
pub trait RangeOf<T>: Strategy<Value = T> {}
impl<T> RangeOf<T> for Range<T> where Range<T>: Strategy<Value = T> {}
impl<T> RangeOf<T> for RangeInclusive<T> where RangeInclusive<T>: Strategy<Value = T> {}
impl<T> RangeOf<T> for std::ops::RangeFrom<T> where std::ops::RangeFrom<T>: Strategy<Value = T> {}
impl<T> RangeOf<T> for std::ops::RangeTo<T> where std::ops::RangeTo<T>: Strategy<Value = T> {}
impl<T> RangeOf<T> for std::ops::RangeToInclusive<T> where
    std::ops::RangeToInclusive<T>: Strategy<Value = T>
{
}

/// Steps of Kronecker sequences: fractional parts of square roots of primes, so that the cases
/// of a test spread each dimension evenly over its range, smallest and largest included.
const STRIDES: [f64; 8] = [
    0.414_213_562_373_095_05,
    0.732_050_807_568_877_3,
    0.236_067_977_499_789_7,
    0.645_751_311_064_590_6,
    0.316_624_790_355_399_85,
    0.605_551_275_463_989_3,
    0.123_105_625_617_660_55,
    0.358_898_943_540_673_55,
];

impl Draw {
    pub(crate) fn new(case: &Case) -> Draw {
        Draw {
            case: case.clone(),
            dims: Vec::new(),
            names: Vec::new(),
            exhausted: Vec::new(),
            described: Vec::new(),
            describes: false,
        }
    }

    /// One that also keeps what it drew in words.
    pub(crate) fn describing(case: &Case) -> Draw {
        Draw { describes: true, ..Draw::new(case) }
    }

    /// A size in `range`.
    pub fn dim(&mut self, name: &str, range: impl DimRange) -> usize {
        let (low, high) = range.bounds();
        if high < low {
            raise(Failure::NotDrawn {
                draw: name.to_owned(),
                reason: format!("the range {low}..={high} is empty"),
            });
        }
        let stride = STRIDES[self.dims.len() % STRIDES.len()];
        let offset = random::unit(random::hash_text(self.case.seed, name), 0);
        let unit = (offset + (self.case.index % (1 << 32)) as f64 * stride).fract();
        let drawn = low + (unit * ((high - low) as f64 + 1.0)) as usize;
        let fixed = self.case.dims.iter().find(|(n, _)| n == name).map(|&(_, value)| value);
        let value = fixed.unwrap_or(drawn).clamp(low, high);
        self.dims.push(Dim { name: name.to_owned(), value, low, high });
        value
    }

    /// A value of a strategy, simplified as often as the case says.
    pub fn draw<S: Strategy>(&mut self, name: &str, strategy: S) -> S::Value {
        let seed = random::hash_text(self.case.own_seed(), name);
        let mut bytes = [0; 32];
        for (k, chunk) in bytes.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&random::hash(seed, k as u64).to_le_bytes());
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut tree = match strategy.new_tree(&mut runner) {
            Ok(tree) => tree,
            Err(reason) => raise(Failure::NotDrawn {
                draw: name.to_owned(),
                reason: reason.message().to_owned(),
            }),
        };
        let wanted = self.case.simplified.get(self.names.len()).copied().unwrap_or(0);
        let done = (0..wanted).take_while(|_| tree.simplify()).count();
        self.exhausted.push(done < wanted as usize);
        self.names.push(name.to_owned());
        let value = tree.current();
        if self.describes {
            self.described.push((name.to_owned(), shown(&value, 160)));
        }
        value
    }

    /// A value of a range, of the range's own item type.
    pub fn draw_range<T: Debug, R: RangeOf<T>>(&mut self, name: &str, range: R) -> T {
        self.draw(name, range)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn maps_are_shown_in_order() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "shown by Debug")]
        struct Layers {
            zeta: HashMap<String, Vec<f64>>,
            alpha: HashSet<u8>,
        }
        let names = ["b1", "W2", "a, \"quoted\" {one}", "W1"];
        for _ in 0..20 {
            let zeta = names.iter().map(|n| ((*n).to_owned(), vec![1.0, 2.5])).collect();
            let value = vec![Layers { zeta, alpha: [3, 1, 2].into_iter().collect() }];
            assert_eq!(
                shown(&value, 300),
                "[Layers { zeta: {\"W1\": [1.0, 2.5], \"W2\": [1.0, 2.5], \
                 \"a, \\\"quoted\\\" {one}\": [1.0, 2.5], \"b1\": [1.0, 2.5]}, alpha: {1, 2, 3} }]"
            );
        }
    }

    #[test]
    fn long_numbers_are_cut() {
        let value = (vec![1.090_339_006_551_485_5, -0.25, 1e-30, 12.0], "W1.0903390065514855");
        assert_eq!(shown(&value, 160), "([1.090339, -0.25, 1e-30, 12.0], \"W1.0903390065514855\")");
        assert_eq!(shown(&vec![1.234_567_890_123e-7], 160), "[1.234568e-7]");
        assert_eq!(shown(&vec![1.234_567_8, 1.234_567_89], 160), "[1.2345678, 1.234568]");
        assert_eq!(shown(&123_456_789_012_u64, 160), "123456789012");
    }

    /// What is shown of a value that prints so.
    fn of(printed: &str) -> String {
        struct Printed<'a>(&'a str);
        impl Debug for Printed<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        shown(&Printed(printed), 200)
    }

    #[test]
    fn memory_is_shown_by_rows() {
        let matrix =
            "VecStorage { data: [1.0, 4.0, 2.0, 5.0, 3.0, 6.0], nrows: Dyn(2), ncols: Dyn(3) }";
        let rows = "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]";
        assert_eq!(of(matrix), rows);
        assert_eq!(of(&format!("({matrix}, {matrix})")), format!("({rows}, {rows})"));
        let complex = "VecStorage { data: [Complex { re: 1.0, im: 2.0 }, Complex { re: 3.0, im: 4.0 }], nrows: Dyn(2), ncols: Const }";
        assert_eq!(of(complex), "[Complex { re: 1.0, im: 2.0 }, Complex { re: 3.0, im: 4.0 }]");
        // As many as there are, where these are not rows and columns of them.
        let odd = "VecStorage { data: [1.0, 2.0, 3.0], nrows: Dyn(2), ncols: Dyn(2) }";
        assert_eq!(of(odd), "[1.0, 2.0, 3.0]");
        assert_eq!(of("VecStorage { data: [], nrows: Dyn(0), ncols: Dyn(2) }"), "[]");
        // What is cut short, or is something else of that name, stays as it is.
        for other in ["VecStorage { data: [1.0, 2.0", "VecStorage { data: [1.0], nrows: 1 }"] {
            assert_eq!(of(other), other);
        }
    }

    #[test]
    fn texts_are_cut_at_the_limit_and_not_before() {
        let cut = |count: usize| shown(&"x".repeat(count), 10);
        assert_eq!(cut(8), format!("\"{}\"", "x".repeat(8)));
        assert_eq!(cut(9), format!("\"{} ..", "x".repeat(9)));
        // Characters, not bytes.
        assert_eq!(shown(&'\u{e9}', 3), "'\u{e9}'");
        // What ndarray says of memory goes, wherever it stands, and what follows stays.
        let printed = "([1.0], shape=[1], strides=[1], layout=CFcf (0xf), const ndim=1, [2.0], \
                       shape=[1], strides=[1], layout=CFcf (0xf), const ndim=12)";
        assert_eq!(of(printed), "([1.0], [2.0])");
        assert_eq!(of("[1.0], shape=[1], dynamic ndim=1"), "[1.0]");
        assert_eq!(of("[1.0], shape=[1], and no more"), "[1.0]");
    }

    #[test]
    fn braces_and_quotes_are_followed() {
        // A set is put in order, a struct is not; what is not closed stays as it is.
        assert_eq!(of("{3, 1, 2}"), "{1, 2, 3}");
        assert_eq!(of("A { b: 2, a: 1 }"), "A { b: 2, a: 1 }");
        assert_eq!(of("A<T> { b: {2, 1}, a: 1 }"), "A<T> { b: {1, 2}, a: 1 }");
        assert_eq!(of("{3, 1"), "{3, 1");
        assert_eq!(of("{}"), "{}");
        // Brackets of every kind hold their commas together.
        assert_eq!(of("{(3, 4), (1, 2), [0, 5]}"), "{(1, 2), (3, 4), [0, 5]}");
        // Quotes hide braces and commas, and a quote may be escaped.
        assert_eq!(of(r#"{"b}", "a{"}"#), r#"{"a{", "b}"}"#);
        assert_eq!(of(r#"{"b\", "#), r#"{"b\", "#);
        assert_eq!(of(r#"{"b\"}, ", "a"}"#), r#"{"a", "b\"}, "}"#);
        assert_eq!(of(r#"{"b\\", "a,c"}"#), r#"{"a,c", "b\\"}"#);
        assert_eq!(of(r#"["b}", {2, 1}, "}"]"#), r#"["b}", {1, 2}, "}"]"#);
        assert_eq!(of("{\u{e9}2, \u{e9}1}"), "{\u{e9}1, \u{e9}2}");
    }

    #[test]
    fn sizes_are_within_their_range_and_both_ends_are_met() {
        fn drawn<R: DimRange + Clone>(range: &R, low: usize, high: usize) {
            let mut seen = vec![0_usize; high + 1];
            for index in 0..60 {
                let mut draw = Draw::new(&Case::new(7, index));
                let value = draw.dim("m", range.clone());
                assert!((low..=high).contains(&value), "{value}");
                let dim = &draw.dims[0];
                assert_eq!((dim.value, dim.low, dim.high), (value, low, high));
                seen[value] += 1;
            }
            // Evenly: each size about as often as any other.
            let even = 60 / (high - low + 1);
            assert!(seen[low..].iter().all(|n| n.abs_diff(even) <= 3), "{seen:?}");
        }
        drawn(&4, 4, 4);
        drawn(&(2..7), 2, 6);
        drawn(&(2..=7), 2, 7);
        // Dimensions beside each other are not the same number.
        let mut alike = 0;
        for index in 0..60 {
            let mut draw = Draw::new(&Case::new(7, index));
            alike += usize::from(draw.dim("m", 1..=5) == draw.dim("n", 1..=5));
        }
        assert!((4..24).contains(&alike), "{alike}");
        // One that the case names is taken, as far as the range lets it.
        let case = Case { dims: vec![("m".to_owned(), 9), ("n".to_owned(), 3)], ..Case::new(7, 0) };
        let mut draw = Draw::new(&case);
        assert_eq!((draw.dim("m", 1..=5), draw.dim("n", 1..=5)), (5, 3));
    }

    #[test]
    fn each_case_draws_its_own_values_and_simplifies_as_told() {
        let value = |seed, index, name: &str| {
            Draw::new(&Case::new(seed, index)).draw(name, 0..1_000_000_000_u64)
        };
        assert_eq!(value(1, 2, "w"), value(1, 2, "w"));
        let others = [value(1, 3, "w"), value(2, 2, "w"), value(1, 2, "v")];
        assert!(others.iter().all(|&other| other != value(1, 2, "w")), "{others:?}");
        let simplified = |times: u32| {
            let case = Case { simplified: vec![0, times], ..Case::new(1, 2) };
            let mut draw = Draw::new(&case);
            let first = draw.draw("v", 0..1000_u64);
            let second = draw.draw("w", 0..1000_u64);
            (first, second, draw.exhausted)
        };
        let (first, plain, none) = simplified(0);
        assert_eq!(none, [false, false]);
        let (same, simpler, _) = simplified(1);
        assert!(same == first && simpler < plain, "{simpler} of {plain}");
        let (same, simplest, all) = simplified(5000);
        assert_eq!((same, simplest, all), (first, 0, vec![false, true]));
    }
}
