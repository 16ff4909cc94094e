//! What can go wrong before a gradient can be judged, in words.
use std::fmt;

/// Why a check failed without a number to compare.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// There is nothing to perturb.
    Empty {
        /// The `wrt` places, as written.
        places: String,
    },
    /// The forward returned no scalar at all.
    NoOutput,
    /// A value that must be finite is not.
    NotFinite {
        /// What it is: `the forward`, `the gradient`, ..
        what: String,
        /// Path of the first such component.
        component: String,
        /// The value.
        value: f64,
    },
    /// The gradient has another structure or shape than the parameters.
    Shape(Vec<String>),
    /// The user's code panicked.
    Panicked {
        /// What was being called.
        during: String,
        /// The panic's message and place.
        message: String,
    },
    /// The user's code returned `Err` or `None`.
    Refused {
        /// What was being called.
        during: String,
        /// The error, shown.
        message: String,
    },
    /// Two equal calls gave different results.
    NotDeterministic {
        /// `the forward` or `the gradient`.
        what: String,
        /// The first differing component or output.
        component: String,
        /// The first and the second result.
        values: (f64, f64),
    },
    /// The forward at the same parameters depends on where it was called before.
    Remembers {
        /// The first differing output.
        component: String,
        /// Of a state that is new, and of one that was used elsewhere.
        values: (f64, f64),
    },
    /// The second of two equal calls gave the sum of both.
    Accumulates,
    /// The call changed the parameters.
    Mutated {
        /// What was being called.
        during: String,
        /// Path of the first changed component.
        component: String,
        /// Before and after.
        values: (f64, f64),
    },
    /// A buffer that was to be added to was overwritten.
    Overwrites {
        /// Path of the first component that shows it.
        component: String,
    },
    /// A buffer that was to be added to was neither that nor overwritten.
    AddsOther {
        /// Path of the first component that shows it.
        component: String,
        /// What the buffer held before the call, the derivative, and what it held afterwards.
        values: (f64, f64, f64),
    },
    /// A buffer that was to be overwritten was added to, or read before it was written.
    ReadsBuffer {
        /// Path of the first component that shows it.
        component: String,
    },
    /// A component of a buffer that was to be overwritten holds what it did before.
    Unwritten {
        /// Path of the first such component.
        component: String,
    },
    /// A training run left the finite numbers, at a rate or update that the user set.
    Diverged {
        /// The step at which it did.
        step: usize,
        /// What was not finite.
        what: String,
    },
    /// The state could not be drawn.
    NotDrawn {
        /// Name of the draw.
        draw: String,
        /// The strategy's reason.
        reason: String,
    },
    /// The two scalar types of an exact check drew different states.
    DrawsDiffer {
        /// Path of the first component that differs.
        component: String,
        /// The value as `f64`, and as tape scalar.
        values: (f64, f64),
    },
}

impl Failure {
    /// A few words for a headline.
    pub fn title(&self) -> &'static str {
        match self {
            Failure::Empty { .. } => "nothing to perturb",
            Failure::NoOutput => "the forward returns nothing",
            Failure::NotFinite { .. } => "not finite",
            Failure::Shape(_) => "wrong shape",
            Failure::Panicked { .. } => "panicked",
            Failure::Refused { .. } => "returned an error",
            Failure::NotDeterministic { .. } => "not deterministic",
            Failure::Remembers { .. } => "remembers earlier calls",
            Failure::Accumulates => "accumulates",
            Failure::Mutated { .. } => "changes its parameters",
            Failure::Overwrites { .. } => "overwritten, not accumulated",
            Failure::AddsOther { .. } => "accumulates something else",
            Failure::ReadsBuffer { .. } => "accumulated, not overwritten",
            Failure::Unwritten { .. } => "never written, or accumulated",
            Failure::Diverged { .. } => "the training run diverged",
            Failure::NotDrawn { .. } => "no state could be drawn",
            Failure::DrawsDiffer { .. } => "the draws differ between scalar types",
        }
    }
}

/// NaN, infinities and ordinary numbers, each readable.
pub(crate) fn number(x: f64) -> String {
    if x.is_nan() {
        "NaN".to_owned()
    } else if x == 0.0 {
        "0".to_owned()
    } else if (1e-4..1e6).contains(&x.abs()) {
        let digits = 6 - (x.abs().log10().floor() as i32).clamp(-4, 6);
        let text = format!("{x:.*}", digits.max(0) as usize);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        format!("{x:.6e}")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Empty { places } => write!(
                f,
                "`{places}` holds no scalar: there is nothing to perturb, and the check would pass \
                 whatever the gradient.\nDraw at least one scalar, or name another `wrt`."
            ),
            Failure::NoOutput => {
                write!(f, "the forward returned no scalar (an empty array, or `None`).")
            }
            Failure::NotFinite { what, component, value } => write!(
                f,
                "{what} is not finite: {component} is {}.\nA gradient cannot be checked there. \
                 If the state is outside the function's domain, draw others.",
                number(*value)
            ),
            Failure::Shape(problems) => {
                write!(f, "the gradient does not fit the parameters:")?;
                problems.iter().try_for_each(|p| write!(f, "\n  {p}"))
            }
            Failure::Panicked { during, message } => write!(f, "{during} panicked: {message}"),
            Failure::Refused { during, message } => write!(f, "{during} returned {message}"),
            Failure::NotDeterministic { what, component, values } => write!(
                f,
                "{what} is not deterministic: called twice with the same arguments, {component} \
                 was {} and then {}.\nA derivative needs a function: switch dropout off \
                 (keep_prob = 1.0), or draw the mask and pass it in; give a random number \
                 generator a fixed seed; clear what an earlier call left behind.",
                number(values.0),
                number(values.1)
            ),
            Failure::Remembers { component, values } => write!(
                f,
                "the forward keeps something of an earlier call: at the same parameters {component} \
                 is {} if the state is new, and {} if its parameters were others before.\nA cache \
                 must be made anew when the parameters change: what it holds stands still, in the \
                 forward that is differenced as in training.",
                number(values.0),
                number(values.1)
            ),
            Failure::Accumulates => write!(
                f,
                "a second call of the gradient gave the sum of both: it accumulates into \
                 something that nobody clears.\nClear it first, or take `out(buffer += place)`."
            ),
            Failure::Mutated { during, component, values } => write!(
                f,
                "{during} changes the parameters: {component} was {} and is {} afterwards.",
                number(values.0),
                number(values.1)
            ),
            Failure::Overwrites { component } => write!(
                f,
                "the buffer is overwritten, not accumulated: what it held before the call is gone \
                 from {component}.\n`out(buffer += place)` says that the gradient is added to the \
                 buffer; write `out(buffer = place)` if overwriting is meant."
            ),
            Failure::AddsOther { component, values: (held, added, left) } => write!(
                f,
                "the call adds something else to the buffer than the gradient: {component} held \
                 {} before the call and {} afterwards, where the gradient by itself is {}.\n\
                 `out(buffer += place)` says that the gradient is added to the buffer; does the \
                 call scale what is there, or read another buffer?",
                number(*held),
                number(*left),
                number(*added)
            ),
            Failure::Unwritten { component } => write!(
                f,
                "the buffer still holds in {component} what it held before the call: it is never \
                 written there, or zero is added to it.\n`out(buffer = place)` says that the \
                 gradient overwrites the buffer, also where it is zero; write \
                 `out(buffer += place)` if adding is meant."
            ),
            Failure::ReadsBuffer { component } => write!(
                f,
                "the buffer is accumulated into, not overwritten (or read before it is written): \
                 what it held before the call shows in {component}.\n`out(buffer = place)` says \
                 that the gradient overwrites the buffer; write `out(buffer += place)` if \
                 adding is meant."
            ),
            Failure::Diverged { step, what } => write!(
                f,
                "the training run diverged: after step {step}, {what} is not finite.\nLower the \
                 learning rate; without one, the step is halved until the forward decreases."
            ),
            Failure::NotDrawn { draw, reason } => {
                write!(f, "the strategy of `{draw}` gave no value: {reason}")
            }
            Failure::DrawsDiffer { component, values } => write!(
                f,
                "drawn with the tape scalar, {component} is {}, and {} in f64: a strategy must \
                 be the same function of its seed for both.",
                number(values.1),
                number(values.0)
            ),
        }
    }
}
