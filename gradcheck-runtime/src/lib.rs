//! placeholder
extern crate self as gradcheck_runtime;
mod case;
mod check;
mod compare;
pub mod diagnose;
pub mod evidence;
mod failure;
pub mod flatten;
mod layout;
mod numeric;
mod panics;
mod persist;
mod pin;
mod probe;
mod problem;
mod random;
mod report;
pub mod settings;
mod shrink;
mod state;
pub mod strategy;
mod style;
pub mod var;

pub use crate::check::{StateReport, check_at};
pub use crate::compare::Planted;
pub use crate::failure::Failure;
pub use crate::report::{Found, Grade, Report, Trouble, Unexercised};
pub use crate::settings::{Method, Settings};

pub use gradcheck_macros::{FlattenAlways as Flatten, gradcheck};
pub use proptest;

/// What is in scope of the expressions inside the attribute.
pub mod prelude {
    pub use crate::settings::Method;
    pub use crate::strategy::{
        dictionary, he_normal, labels, normal, one_hot, signs, uniform, vec, xavier_uniform,
    };
    // A forward generic over its scalar, written inline, says `F::zero()`.
    pub use num_traits::{One as _, Zero as _};
    pub use proptest;
    pub use proptest::prelude::*;
}

/// Everything
#[doc(hidden)]
pub mod __private {
    pub use crate::case::{Draw, RangeOf};
    pub use crate::check::{Kind, Meta, check, check_exact};
    pub use crate::pin::{like, view_mut};
    pub use crate::probe::{BufferLike, Fill, Outcome, Places, Probe};
    pub use crate::problem::{
        NoUpdate, call0, call1, call2, call3, call4, call5, call6, call7, call8, problem, train1,
        train2, train3, train4, train5, train6, train7, train8,
    };
    pub use crate::settings::{Settings, steps};
    pub use crate::var::Var;
}
