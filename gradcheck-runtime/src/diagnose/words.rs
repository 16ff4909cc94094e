//! Findings in words.
use std::fmt;

use super::{
    Diagnosis, Facts, Finding, Follows, Function, Kind, LISTED, Only, Place, Region, SHOWN, Sizes,
    Slice, SumPart, Term,
};

/// By how much the factor of a term may vary over the states for it to be a penalty's.
const VARIES: f64 = 2.0;

/// `x` to so many significant digits, without trailing zeros.
pub(super) fn digits(x: f64, count: usize) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    let rounded: f64 = format!("{:.*e}", count.saturating_sub(1), x).parse().unwrap_or(x);
    if rounded == 0.0 || (1e-4..1e6).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// A number that is known to `uncertainty`, with as few digits as that allows; near 1 the
/// digits are those of its distance from 1.
pub(super) fn known(x: f64, uncertainty: f64) -> String {
    let delta = x - 1.0;
    let one = delta != 0.0 && delta.abs() < 0.01;
    let y = if one { delta } else { x };
    let slack = (3.0 * uncertainty).max(1e-9 * y.abs()).min(0.3 * y.abs());
    let fits = |count: &usize| {
        let r: f64 = format!("{:.*e}", count - 1, y).parse().unwrap_or(y);
        (r - y).abs() <= slack
    };
    let count = (1..=6).find(fits).unwrap_or(4);
    if !one {
        return digits(x, count);
    }
    let places = count as f64 - 1.0 - delta.abs().log10().floor();
    let places = if places.is_finite() { places.clamp(2.0, 16.0) as usize } else { 16 };
    let text = format!("{x:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Two numbers with as many digits as it takes to see that they differ.
pub(super) fn pair(a: f64, b: f64) -> (String, String) {
    let apart = ((a - b).abs() / a.abs().max(b.abs())).log10();
    let count = if apart.is_finite() { (3.0 - apart).clamp(6.0, 17.0) as usize } else { 6 };
    (digits(a, count), digits(b, count))
}

pub(super) fn list(names: &[String]) -> String {
    let mut text = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text += &format!(" and {} more", names.len() - LISTED);
    }
    text
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self.shift {
            0 => self.dim.clone(),
            s if s.is_negative() => format!("({} - {})", self.dim, -s),
            s => format!("({} + {s})", self.dim),
        };
        match self.halves.abs() {
            1 => write!(f, "sqrt({})", base.trim_matches(['(', ')'])),
            2 => write!(f, "{base}"),
            h if h % 2 == 0 => write!(f, "{base}^{}", h / 2),
            h => write!(f, "{base}^({h}/2)"),
        }
    }
}

impl fmt::Display for Follows {
    /// `m`, `1/m`, `-2 m`, `m/(m - 1)`, `1/(m n)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inverse = 1.0 / self.number.abs();
        let under = inverse > 1.5 && inverse < 1e3 && (inverse - inverse.round()).abs() < 1e-12;
        let mut above: Vec<String> = Vec::new();
        let mut below: Vec<String> = Vec::new();
        if under {
            below.push(format!("{}", inverse.round()));
        } else if self.number.abs() != 1.0 {
            above.push(digits(self.number.abs(), 4));
        }
        for term in &self.terms {
            let side = if term.halves.is_positive() { &mut above } else { &mut below };
            side.push(term.to_string());
        }
        if above.is_empty() {
            above.push("1".to_owned());
        }
        let sign = if self.number.is_sign_negative() { "-" } else { "" };
        write!(f, "{sign}{}", above.join(" "))?;
        match below.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "/{one}"),
            more => write!(f, "/({})", more.join(" ")),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sizes::Equal(v) => write!(f, "= {v}"),
            Sizes::AtLeast(v) => write!(f, ">= {v}"),
            Sizes::AtMost(v) => write!(f, "<= {v}"),
        }
    }
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Only::AfterTraining => write!(f, "wrong only after training"),
            Only::AtSize { dim, values } => write!(f, "wrong only where {dim} {values}"),
        }
    }
}

impl Function {
    /// Written as a function of `p`.
    pub(super) fn of(self, p: &str) -> String {
        match self {
            Function::Itself => p.to_owned(),
            Function::Inverse => format!("1/{p}"),
            Function::Square => format!("{p}^2"),
            Function::InverseSquare => format!("1/{p}^2"),
            Function::Exp => format!("exp({p})"),
            Function::InverseExp => format!("exp(-{p})"),
        }
    }
}

impl SumPart {
    fn words(self) -> &'static str {
        match self {
            SumPart::First => "first slice in place of",
            SumPart::Last => "last slice in place of",
            SumPart::AllButFirst => "first slice left out of",
            SumPart::AllButLast => "last slice left out of",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => write!(f, "the whole gradient"),
            Place::Blocks(names) => write!(f, "{}", list(names)),
            Place::Components { block, paths, region } => match region {
                Region::Listed => write!(f, "{}", list(paths)),
                Region::Scattered => {
                    let dots = if paths.len() >= LISTED { ", .." } else { "" };
                    write!(f, "components of {block} ({}{dots})", list(paths))
                }
                Region::FirstSlice { axis } => write!(
                    f,
                    "the first slice along axis {axis} of {block} ({}, ..)",
                    paths.first().map_or("", String::as_str)
                ),
                Region::LastSlice { axis } => write!(
                    f,
                    "the last slice along axis {axis} of {block} ({}, ..)",
                    paths.first().map_or("", String::as_str)
                ),
                Region::Diagonal => write!(f, "the diagonal of {block}"),
                Region::OffDiagonal => write!(f, "all but the diagonal of {block}"),
                Region::UpperTriangle => write!(f, "the upper triangle of {block}"),
                Region::LowerTriangle => write!(f, "the lower triangle of {block}"),
                Region::NegativeParameter => write!(f, "{block} where the parameter is negative"),
                Region::PositiveParameter => write!(f, "{block} where the parameter is positive"),
                Region::NegativeNumeric => {
                    write!(f, "{block} where the numeric derivative is negative")
                }
                Region::PositiveNumeric => {
                    write!(f, "{block} where the numeric derivative is positive")
                }
                Region::Between { low, high } if low == high => match *low {
                    0.0 => write!(f, "{block} where the parameter is zero"),
                    low => write!(f, "{block} where the parameter is {}", digits(low, 6)),
                },
                Region::Between { low, high } => {
                    let (mut ends, more) =
                        ([low, high].map(|end| digits(*end, 3)), pair(*low, *high));
                    if ends[0] == ends[1] {
                        ends = [more.0, more.1];
                    }
                    write!(f, "{block} where the parameter is between {} and {}", ends[0], ends[1])
                }
            },
        }
    }
}

impl Kind {
    /// The shape takes values from other places, and would fit repeated values by chance.
    pub(super) fn moves_values(&self) -> bool {
        matches!(
            self,
            Kind::Transposed { .. }
                | Kind::ReversedAlongAxis { .. }
                | Kind::ShiftedByOne { .. }
                | Kind::OneSliceForAll { .. }
                | Kind::CopyOf(_)
        )
    }

    /// The kind in one or a few plain words, without numbers or names: `sign flipped`,
    /// `scaled`, `no known shape`. The same for all faults of a kind, so that they can be counted.
    pub fn label(&self) -> &'static str {
        match self {
            Kind::SignFlipped => "sign flipped",
            Kind::Conjugated => "conjugated",
            Kind::Scaled { .. } => "scaled",
            Kind::ScaledAlongAxis { .. } => "scaled slice by slice",
            Kind::ParameterFactor { .. } => "factor of a parameter",
            Kind::Zero => "zero gradient",
            Kind::ForwardIgnores => "forward does not depend on it",
            Kind::MissingTermProportionalToParameter { sign: false, .. } => {
                "term proportional to the parameter"
            }
            Kind::MissingTermProportionalToParameter { sign: true, .. } => {
                "term proportional to the sign of the parameter"
            }
            Kind::ConstantOffset { .. } => "constant offset",
            Kind::OffsetAlongAxis { .. } => "offset slice by slice",
            Kind::Transposed { .. } => "transposed",
            Kind::ReversedAlongAxis { .. } => "reversed",
            Kind::ShiftedByOne { .. } => "shifted by one",
            Kind::Permuted => "in another order",
            Kind::SwappedWith(_) => "swapped",
            Kind::CopyOf(_) => "another block's gradient",
            Kind::OneSliceForAll { .. } => "one slice for all",
            Kind::PartOfSum { part, .. } => match part {
                SumPart::First => "first slice of a sum",
                SumPart::Last => "last slice of a sum",
                SumPart::AllButFirst => "first slice of a sum left out",
                SumPart::AllButLast => "last slice of a sum left out",
            },
            Kind::ZeroOnSubset { .. } => "zero on a subset",
            Kind::Clipped { .. } => "clipped",
            Kind::SinglePrecision => "single precision",
            Kind::Components { .. } => "some components",
            Kind::NotFinite => "not finite",
            Kind::OnlyAfterTraining => "wrong only after training",
            Kind::OnlyAtSize { .. } => "wrong only at a size",
            Kind::Unknown => "no known shape",
        }
    }
}

/// `scaled by 5 = m` and a question that may lead to the fault.
pub(super) fn scaled_words(
    factor: f64,
    uncertainty: f64,
    follows: &[Follows],
    range: Option<(f64, f64)>,
) -> (String, &'static str, String) {
    if let Some((low, high)) = range {
        let words = format!(
            "scaled by {} to {} (a factor for each state)",
            digits(low, 3),
            digits(high, 3)
        );
        return (words, "", "is a norm, a weight or a drawn setting left out?".to_owned());
    }
    let mut words = format!("scaled by {}", known(factor, uncertainty));
    for f in follows {
        words += &format!(" = {f}");
    }
    let number = if (factor - 2.0).abs() < 1e-9 {
        "is it counted twice, or a 1/2 left out?"
    } else if (factor - 0.5).abs() < 1e-9 {
        "is the 2 of a square left out?"
    } else {
        ""
    };
    let hint = match follows {
        [only] if only.number == 1.0 => match only.terms.as_slice() {
            [t] if t.halves == -2 && t.shift == 0 => {
                format!("is it divided by {} once too often?", t.dim)
            }
            terms
                if terms
                    .iter()
                    .all(|t| t.halves.is_positive() && t.halves != 1 && t.shift == 0) =>
            {
                let inverse = Follows {
                    number: 1.0,
                    terms: terms.iter().map(|t| Term { halves: -t.halves, ..t.clone() }).collect(),
                };
                format!("is a mean's {inverse} missing?")
            }
            terms => {
                let inverse = Follows {
                    number: 1.0,
                    terms: terms.iter().map(|t| Term { halves: -t.halves, ..t.clone() }).collect(),
                };
                format!("is a factor {inverse} missing?")
            }
        },
        _ => String::new(),
    };
    (words, number, hint)
}

impl Finding {
    /// What is wrong, and the question that it raises (empty when there is none).
    pub(super) fn words(&self) -> (String, String) {
        let place = &self.place;
        let plain = |words: &str, hint: &str| (format!("{words} in {place}"), hint.to_owned());
        match &self.kind {
            Kind::SignFlipped => plain("sign flipped", ""),
            Kind::Conjugated => plain(
                "conjugated",
                "is it meant in another convention, such as `complex = Convention::Conjugate`?",
            ),
            Kind::Scaled { factor, uncertainty, follows, range } => {
                let (words, number, hint) = scaled_words(*factor, *uncertainty, follows, *range);
                let hint = if hint.is_empty() { number.to_owned() } else { hint };
                (format!("{words} in {place}"), hint)
            }
            Kind::ScaledAlongAxis { axis } => (
                format!("scaled by a factor for each index of axis {axis} in {place}"),
                "is a factor that belongs to that axis missing?".to_owned(),
            ),
            Kind::ParameterFactor { parameter, function } => {
                let f = function.of(parameter);
                (
                    format!("factor of a parameter: {place} is the numeric times {f}"),
                    "is a factor of the chain rule missing, or one too many?".to_owned(),
                )
            }
            Kind::Zero => plain("zero gradient", "is it ever filled in?"),
            Kind::ForwardIgnores => {
                // The norm of the numeric is zero where all of it is.
                let words = match self.facts.norm_ratio.is_finite() {
                    true => format!("the forward shows no dependence on {place} beyond rounding"),
                    false => {
                        format!(
                            "the forward does not depend on {place}: its numeric derivative is zero"
                        )
                    }
                };
                (words, "is the analytic one another parameter's?".to_owned())
            }
            Kind::MissingTermProportionalToParameter { .. } => self.term_words(),
            Kind::ConstantOffset { offset, uncertainty, follows, range } => {
                let size = match (follows, range) {
                    (Some(follows), _) => follows.to_string(),
                    (None, None) => known(*offset, *uncertainty),
                    (None, Some((low, high))) => {
                        format!("a number from {} to {}", digits(*low, 3), digits(*high, 3))
                    }
                };
                (format!("constant offset in {place}: {size} in each component"), String::new())
            }
            Kind::OffsetAlongAxis { axis } => (
                format!("constant offset for each index of axis {axis} in {place}"),
                "is a mean not subtracted?".to_owned(),
            ),
            Kind::Transposed { axes, reshaped } => {
                let how = if *reshaped { ", read in the shape of the parameter" } else { "" };
                let axes = if *axes != (0, 1) {
                    format!(" (axes {} and {})", axes.0, axes.1)
                } else {
                    String::new()
                };
                let hint = if *reshaped { "is row-major taken for column-major?" } else { "" };
                (format!("transposed in {place}{axes}{how}"), hint.to_owned())
            }
            Kind::ReversedAlongAxis { axis } => plain(&format!("reversed along axis {axis}"), ""),
            Kind::ShiftedByOne { axis, late } => {
                let to = if *late { "later" } else { "earlier" };
                (
                    format!(
                        "shifted by one along axis {axis} in {place}: each stands one place {to}"
                    ),
                    String::new(),
                )
            }
            Kind::Permuted => plain("the right numbers in another order", ""),
            Kind::SwappedWith(_) => {
                let names = match place {
                    Place::Blocks(names) => names.join(" and "),
                    other => other.to_string(),
                };
                let (a, b) = names.split_once(" and ").unwrap_or((&names, "another block"));
                (format!("{a} swapped with {b}"), String::new())
            }
            Kind::CopyOf(other) => {
                (format!("another block's gradient: {place} holds that of {other}"), String::new())
            }
            Kind::OneSliceForAll { axis, slice } => {
                let which = match slice {
                    Slice::First => "the first slice stands",
                    Slice::Last => "the last slice stands",
                    Slice::Mean => "the mean of all slices stands",
                    Slice::Sum => "the sum of all slices stands",
                };
                (
                    format!("one slice for all in {place}: {which} for each along axis {axis}"),
                    String::new(),
                )
            }
            Kind::PartOfSum { dim, part, or } => {
                let over = |part: &SumPart| format!("{} the sum over {dim}", part.words());
                let words = match or {
                    None => over(part),
                    Some(other) => format!("{}, or {},", over(part), over(other)),
                };
                let hint = match (part, or) {
                    (SumPart::Last, None) => "is it overwritten, not added to?",
                    _ => "",
                };
                plain(&words, hint)
            }
            Kind::ZeroOnSubset { analytic: true } => (
                format!("zero where the numeric is not, in {}", self.counted()),
                "is a mask wrong?".to_owned(),
            ),
            Kind::ZeroOnSubset { analytic: false } => (
                format!("not zero where the numeric is{}, in {}", self.rounded(), self.counted()),
                "is a mask missing?".to_owned(),
            ),
            Kind::Clipped { at } => (
                format!("clipped at {} in {place}", digits(*at, 4)),
                "is a clipping of the gradient left in?".to_owned(),
            ),
            Kind::SinglePrecision => {
                plain("errors of the size of single precision", "is something computed in f32?")
            }
            Kind::Components { how } => self.components_words(how.as_deref()),
            Kind::NotFinite => {
                let of = if self.facts.analytic.is_finite() { "numeric" } else { "analytic" };
                (format!("not finite: the {of} derivative in {place}"), String::new())
            }
            Kind::OnlyAfterTraining => plain("wrong only after training", ""),
            Kind::OnlyAtSize { dim, values } => {
                plain(&format!("wrong only where {dim} {values},"), "")
            }
            Kind::Unknown => plain("no known shape", ""),
        }
    }

    pub(super) fn term_words(&self) -> (String, String) {
        let Kind::MissingTermProportionalToParameter { factor, uncertainty, follows, range, sign } =
            &self.kind
        else {
            return (String::new(), String::new());
        };
        let missing = factor.is_sign_negative();
        // A penalty has one factor, or one for each size, unless its weight is drawn.
        let mut varies = false;
        let mut side = if missing { "missing " } else { "extra " };
        let size = match (follows, range) {
            (Some(f), _) => {
                format!("+{}", Follows { number: f.number.abs(), terms: f.terms.clone() })
            }
            (None, Some((low, high))) if (*low < 0.0) != (*high < 0.0) => {
                (varies, side) = (true, "");
                format!("{} to {}", digits(*low, 3), digits(*high, 3))
            }
            (None, Some((low, high))) => {
                let (low, high) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
                varies = high > VARIES * low;
                format!("+{} to {}", digits(low, 3), digits(high, 3))
            }
            (None, None) => format!("+{}", known(factor.abs(), *uncertainty)),
        };
        let each = if varies { ", a factor for each state" } else { "" };
        let what = if *sign { "sign of the parameter" } else { "parameter" };
        let words = match &self.place {
            Place::Blocks(names) if names.len() == 1 => {
                let name = &names[0];
                let of = if *sign { format!("sign({name})") } else { name.clone() };
                format!("term proportional to the {what} {name} ({size} {of}{each})")
            }
            place => format!("term proportional to the {what} in {place} ({size} times it{each})"),
        };
        let hint = match missing {
            _ if side.is_empty() => "is a norm held fixed?",
            _ if varies => "is a norm held fixed, or a drawn penalty on one side only?",
            true => "is a penalty on one side only?",
            false => "is a penalty on one side only, or counted twice?",
        };
        (format!("{side}{words}"), hint.to_owned())
    }

    pub(super) fn counted(&self) -> String {
        let Facts { wrong, components, .. } = self.facts;
        format!("{}{wrong} of {components} components: {}", self.facts.least(), self.place)
    }

    /// A numeric derivative that counts for zero, and is not.
    fn rounded(&self) -> &'static str {
        if self.facts.numeric == 0.0 { "" } else { " to rounding" }
    }

    pub(super) fn components_words(&self, how: Option<&Kind>) -> (String, String) {
        let Facts { wrong, components, analytic, numeric, .. } = self.facts;
        let there = match how {
            Some(Kind::SignFlipped) => "sign flipped".to_owned(),
            Some(Kind::Zero) => format!("zero where the numeric is {}", digits(numeric, 3)),
            Some(Kind::ForwardIgnores) => {
                format!("{} where the numeric is zero{}", digits(analytic, 3), self.rounded())
            }
            Some(Kind::Scaled { factor, uncertainty, .. }) => {
                format!("scaled by {}", known(*factor, *uncertainty))
            }
            Some(Kind::MissingTermProportionalToParameter { factor, uncertainty, .. }) => {
                let side = if factor.is_sign_negative() { "missing" } else { "extra" };
                let size = known(factor.abs(), *uncertainty);
                format!("{side} term proportional to the parameter, +{size} times it")
            }
            Some(Kind::ConstantOffset { offset, uncertainty, .. }) => {
                format!("off by {} each", known(*offset, *uncertainty))
            }
            Some(Kind::Permuted) => "each other's values".to_owned(),
            _ => {
                let (g, n) = pair(analytic, numeric);
                format!("analytic {g}, numeric {n}")
            }
        };
        let least = self.facts.least();
        let words = match &self.place {
            Place::Components { region: Region::Listed, paths, .. } if paths.len() == 1 => {
                format!("{least}one component of {components}: {} ({there})", self.place)
            }
            Place::Components { region: Region::Listed, paths, .. } => {
                let count = paths.len();
                format!("{least}{count} components of {components}: {} ({there})", self.place)
            }
            Place::Components { region: Region::Scattered, paths, .. } if paths.len() == 1 => {
                let others = if self.facts.states > 1 { ", others in other states" } else { "" };
                format!("{least}one component of {components}: {}{others} ({there})", paths[0])
            }
            _ => format!("{least}{wrong} of {components} components, {} ({there})", self.place),
        };
        (words, String::new())
    }
}

impl fmt::Display for Finding {
    /// One line, or two where no shape is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, hint) = self.words();
        f.write_str(&words)?;
        if self.facts.states < self.facts.failing {
            write!(f, ", in {} of {} failing states", self.facts.states, self.facts.failing)?;
        }
        if let Some(only) = &self.only {
            write!(f, "; {only}")?;
        }
        if !hint.is_empty() {
            write!(f, ": {hint}")?;
        }
        let facts_too =
            matches!(self.kind, Kind::Unknown | Kind::OnlyAfterTraining | Kind::OnlyAtSize { .. });
        if facts_too { write!(f, "\n  {}", self.facts) } else { Ok(()) }
    }
}

impl Facts {
    /// What stands before the number of wrong components.
    fn least(&self) -> &'static str {
        if self.at_least { "at least " } else { "" }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrong {
            0 => write!(f, "no component by itself is wrong, all together are")?,
            wrong => {
                write!(f, "{}{wrong} of {} components wrong", self.least(), self.components)?;
            }
        }
        if !self.worst.is_empty() {
            let (g, n) = pair(self.analytic, self.numeric);
            write!(f, ", most {}: analytic {g}, numeric {n}", self.worst)?;
        }
        if self.components > 1 && self.cosine.is_finite() && self.norm_ratio.is_finite() {
            let (c, r) = (digits(self.cosine, 3), digits(self.norm_ratio, 3));
            write!(f, "; cosine {c}, norm ratio {r}")?;
        }
        if self.grows_with_parameter {
            write!(f, "; differences grow with the parameter")?;
        }
        if !self.right_blocks.is_empty() {
            write!(f, "; right: {}", list(&self.right_blocks))?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnosis {
    /// The findings, one or two lines each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().take(SHOWN).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        if self.findings.len() > SHOWN {
            write!(f, "\nand {} more findings", self.findings.len() - SHOWN)?;
        }
        Ok(())
    }
}
